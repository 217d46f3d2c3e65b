//! What the system knows of a process and its children: CPU time, memory, and on which core it runs (Linux, `/proc`).

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context;

/// The CPU time that the live threads of a process and its children have used, in user and kernel mode, to the nanosecond.
///
/// Threads that have ended are not in it, so it is for processes that keep theirs.
pub(crate) fn cpu_time(pid: u32) -> anyhow::Result<Duration> {
    Ok(threads(pid)?.into_iter().map(|(_, used)| used).sum())
}

/// The CPU time of the live threads of this process, without what it has started.
pub(crate) fn cpu_time_of_this() -> anyhow::Result<Duration> {
    Ok(threads_of(&[std::process::id()])?.into_iter().map(|(_, used)| used).sum())
}

/// The live threads of a process and its children: their names, and the CPU time of each.
pub(crate) fn threads(pid: u32) -> anyhow::Result<Vec<(String, Duration)>> {
    let threads = threads_of(&family(pid)?)?;
    anyhow::ensure!(!threads.is_empty(), "process {pid} is not there");
    Ok(threads)
}

fn threads_of(processes: &[u32]) -> anyhow::Result<Vec<(String, Duration)>> {
    let mut threads = Vec::new();
    for pid in processes {
        let tasks = match fs::read_dir(format!("/proc/{pid}/task")) {
            Ok(tasks) => tasks,
            // A child that has ended since.
            Err(_) => continue,
        };
        for task in tasks {
            let path = task?.path();
            // A thread that has ended since has none of these.
            let Ok(text) = fs::read_to_string(path.join("schedstat")) else { continue };
            let Ok(name) = fs::read_to_string(path.join("comm")) else { continue };
            let on_cpu = text.split_whitespace().next().context("an empty schedstat")?;
            let on_cpu = on_cpu.parse().with_context(|| format!("{on_cpu:?} in {}", path.display()))?;
            threads.push((name.trim().to_owned(), Duration::from_nanos(on_cpu)));
        }
    }
    Ok(threads)
}

/// The memory of a process and its children in bytes; what several share is counted once (`Pss`).
pub(crate) fn memory(pid: u32) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for pid in family(pid)? {
        let path = format!("/proc/{pid}/smaps_rollup");
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let kilobytes = text.lines().find_map(|line| line.strip_prefix("Pss:")).map(|rest| rest.trim());
        let kilobytes = kilobytes.and_then(|rest| rest.split_whitespace().next()).context("no Pss in smaps_rollup")?;
        bytes += 1_024 * kilobytes.parse::<u64>().with_context(|| path.clone())?;
    }
    Ok(bytes)
}

/// A process and all that descend from it.
fn family(pid: u32) -> anyhow::Result<Vec<u32>> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc").context("CPU times are read from Linux's /proc")? {
        let entry = entry?;
        let Some(child) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // One that has ended since.
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        // The name, in brackets, may hold anything; behind it come the state and the parent.
        let behind = stat.rsplit_once(')').map_or("", |(_, behind)| behind);
        if let Some(parent) = behind.split_whitespace().nth(1).and_then(|parent| parent.parse().ok()) {
            children.entry(parent).or_default().push(child);
        }
    }
    let (mut all, mut next) = (vec![pid], 0);
    while let Some(parent) = all.get(next) {
        let more = children.remove(parent).unwrap_or_default();
        all.extend(more);
        next += 1;
    }
    Ok(all)
}

/// Keeps all threads of this process on one core, by `taskset`; whether that was possible.
pub(crate) fn pin_this(core: usize) -> bool {
    let mut taskset = Command::new("taskset");
    taskset.args(["--all-tasks", "--cpu-list", "--pid", &core.to_string(), &std::process::id().to_string()]);
    taskset.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

//! What the system knows of a process: its CPU time, and on which core it runs.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context;

/// The CPU time that the live threads of a process have used, in user and kernel mode, to the nanosecond (Linux, `/proc`).
///
/// Threads that have ended are not in it, so it is for processes that keep theirs.
pub(crate) fn cpu_time(pid: u32) -> anyhow::Result<Duration> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).context("CPU times are read from Linux's /proc")?;
    let mut nanoseconds = 0;
    for task in tasks {
        let path = task?.path().join("schedstat");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            // A thread that has ended since.
            Err(_) if !path.exists() => continue,
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        };
        let on_cpu = text.split_whitespace().next().context("an empty schedstat")?;
        nanoseconds += on_cpu.parse::<u64>().with_context(|| format!("{on_cpu:?} in {}", path.display()))?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// Keeps all threads of a process on one core, by `taskset`; whether that was possible.
pub(crate) fn pin(pid: u32, core: usize) -> bool {
    let mut taskset = Command::new("taskset");
    taskset.args(["--all-tasks", "--cpu-list", "--pid", &core.to_string(), &pid.to_string()]);
    taskset.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

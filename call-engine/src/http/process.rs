//! What the process itself is like.

/// Sets the gauges of the process. Where the system does not tell, there is no gauge.
pub(super) fn publish() {
    metrics::gauge!("blether_engine_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    if let Some(open) = open_files() {
        metrics::gauge!("blether_engine_open_files").set(f64::from(open));
    }
    if let Some(limit) = open_files_limit() {
        metrics::gauge!("blether_engine_open_files_limit").set(f64::from(limit));
    }
    if let Some(bytes) = resident_bytes() {
        metrics::gauge!("blether_engine_resident_bytes").set(bytes);
    }
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        let tasks = runtime.metrics().num_alive_tasks();
        metrics::gauge!("blether_engine_tasks").set(u32::try_from(tasks).map_or(f64::INFINITY, f64::from));
    }
}

/// The memory that the process has in use, as the system counts it; to a kilobyte.
fn resident_bytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u32 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(f64::from(kilobytes) * 1024.0)
}

/// File descriptors that are open, without the one that looking takes.
fn open_files() -> Option<u32> {
    let open = std::fs::read_dir("/proc/self/fd").ok()?.count();
    u32::try_from(open.saturating_sub(1)).ok()
}

/// How many the process may open; `None` where there is no limit, too.
#[cfg(unix)]
fn open_files_limit() -> Option<u32> {
    use rustix::process::{Resource, getrlimit};

    getrlimit(Resource::Nofile).current.and_then(|limit| u32::try_from(limit).ok())
}

#[cfg(not(unix))]
fn open_files_limit() -> Option<u32> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_this_process_is_found() {
        assert!((1e6..1e12).contains(&resident_bytes().unwrap()));
    }

    #[test]
    fn files_that_are_open_are_counted() {
        let files: Vec<_> = (0..50).map(|_| std::fs::File::open("/proc/self/status").unwrap()).collect();
        assert!(open_files().unwrap() >= 50 && open_files_limit().unwrap() > 50);
        drop(files);
    }
}

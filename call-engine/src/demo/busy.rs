//! How late this machine runs what is due: figures of sound that were taken on a machine with no time for them say nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often the watch looks.
const EVERY: Duration = Duration::from_millis(10);

/// A thread that wants to run every 10 ms, as the phones' media does, and notes how late it was at the worst.
pub(super) struct Watch {
    stop: Arc<AtomicBool>,
    latest_ms: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    pub(super) fn start() -> std::io::Result<Self> {
        let (stop, latest_ms) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, noted) = (stop.clone(), latest_ms.clone());
        let thread = std::thread::Builder::new().name("demo-watch".into()).spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let asleep = Instant::now();
                std::thread::sleep(EVERY);
                let late = asleep.elapsed().saturating_sub(EVERY).as_millis();
                noted.fetch_max(u64::try_from(late).unwrap_or(u64::MAX), Ordering::Relaxed);
            }
        })?;
        Ok(Self { stop, latest_ms, thread: Some(thread) })
    }

    /// The worst so far.
    pub(super) fn latest(&self) -> Duration {
        Duration::from_millis(self.latest_ms.load(Ordering::Relaxed))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::warn!("the watch of the demo panicked");
        }
    }
}

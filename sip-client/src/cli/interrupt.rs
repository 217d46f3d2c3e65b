//! Ctrl-C, and what service managers send in its place.

use std::future::pending;
use std::io;
use std::process;

use tokio::sync::watch;

use super::Exit;

/// Whether the program was asked to end; a clone sees the same. The second time it ends at once, whatever it is busy with.
#[derive(Clone, Debug)]
pub(super) struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// Takes over Ctrl-C and, on Unix, SIGTERM, from here to the end of the process.
    pub(super) fn listen() -> io::Result<Self> {
        let mut signals = Signals::open()?;
        let (interrupted, receiver) = watch::channel(false);
        tokio::spawn(async move {
            signals.next().await;
            interrupted.send_replace(true);
            signals.next().await;
            process::exit(Exit::Interrupted as i32);
        });
        Ok(Self(receiver))
    }

    /// Waits for it; returns at once when it has happened. Cancel safe.
    pub(super) async fn wait(&self) {
        if self.0.clone().wait_for(|interrupted| *interrupted).await.is_err() {
            // The runtime is stopping, and whoever waits with it.
            pending().await
        }
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn open() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn open() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            pending().await
        }
    }
}

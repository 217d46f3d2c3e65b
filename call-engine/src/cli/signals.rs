//! What an operator tells a running server by signals.

use anyhow::Result;

/// How the server is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// SIGTERM: in order, with time for live calls.
    Drain,
    /// SIGINT, which Ctrl-C sends: somebody is waiting for it.
    AtOnce,
}

/// The signals of an operator, from when they are first listened for.
pub(super) struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    hang_up: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    /// From here on they are caught.
    pub(super) fn listen() -> Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits until the server is to end. Cancel safe. SIGHUP, which some send to have a configuration read again, and a terminal sends that
    /// is closed, ends nothing.
    pub(super) async fn stop(&mut self) -> Stop {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return Stop::AtOnce,
                _ = self.terminate.recv() => return Stop::Drain,
                _ = self.hang_up.recv() => {
                    tracing::warn!("SIGHUP is ignored: the configuration is read at the start alone");
                }
            }
        }
    }
}

#[cfg(not(unix))]
impl Signals {
    pub(super) fn listen() -> Result<Self> {
        Ok(Self {})
    }

    pub(super) async fn stop(&mut self) -> Stop {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::error!(%error, "Ctrl-C is not listened for");
            std::future::pending::<()>().await;
        }
        Stop::AtOnce
    }
}

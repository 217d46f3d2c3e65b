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

/// What a signal tells the server to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// To end.
    Stop(Stop),
    /// SIGHUP: to read again what it can. A terminal that is closed sends it as well, and ends nothing by that.
    #[cfg_attr(not(unix), expect(dead_code, reason = "a signal of Unix alone"))]
    Reload,
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

    /// Waits for the next one. Cancel safe.
    pub(super) async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.interrupt.recv() => Told::Stop(Stop::AtOnce),
            _ = self.terminate.recv() => Told::Stop(Stop::Drain),
            _ = self.hang_up.recv() => Told::Reload,
        }
    }
}

#[cfg(not(unix))]
impl Signals {
    pub(super) fn listen() -> Result<Self> {
        Ok(Self {})
    }

    pub(super) async fn next(&mut self) -> Told {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::error!(%error, "Ctrl-C is not listened for");
            std::future::pending::<()>().await;
        }
        Told::Stop(Stop::AtOnce)
    }
}

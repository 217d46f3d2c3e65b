//! Takes in the connections that peers open.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::Connections;
use crate::{BindError, Transport};

/// Connections that wait to be taken in.
const BACKLOG: i32 = 1_024;

/// How long to wait when no connection can be taken in, mostly for want of file descriptors: trying at once would only burn time.
const PAUSE: Duration = Duration::from_millis(100);

/// What a listener makes of the connections that it takes in.
#[derive(Clone, Debug)]
pub(super) enum Accepting {
    /// Messages come at once.
    Plain,
    /// A TLS handshake comes first.
    #[cfg(feature = "tls")]
    Tls(crate::TlsServer),
}

impl Accepting {
    pub(super) fn transport(&self) -> Transport {
        match self {
            Self::Plain => Transport::Tcp,
            #[cfg(feature = "tls")]
            Self::Tls(_) => Transport::Tls,
        }
    }
}

/// A listening TCP socket on a tokio reactor, for TCP or for TLS.
#[derive(Debug)]
pub struct TcpListener {
    inner: tokio::net::TcpListener,
    local: SocketAddr,
    accepting: Accepting,
}

impl TcpListener {
    /// Binds `address` (port 0 lets the system choose) and listens. Must be called on a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`BindError`] when the address is taken, not ours or not allowed.
    pub fn bind(address: SocketAddr) -> Result<Self, BindError> {
        Self::bind_io(address).map_err(|source| BindError { transport: Transport::Tcp, address, source })
    }

    fn bind_io(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        // Otherwise the port could not be had again for a minute after a restart.
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            // Each family has its own listener, as for UDP.
            socket.set_only_v6(true)?;
        }
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let inner = tokio::net::TcpListener::from_std(socket.into())?;
        let local = inner.local_addr()?;
        Ok(Self { inner, local, accepting: Accepting::Plain })
    }

    /// Has every connection that it takes in become a TLS connection first. The handshakes are made in the connections' tasks, bounded in time
    /// and number ([`ConnectionLimits`](crate::ConnectionLimits)).
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_tls(mut self, server: crate::TlsServer) -> Self {
        self.accepting = Accepting::Tls(server);
        self
    }

    /// What peers speak that connect: [`Transport::Tcp`], or [`Transport::Tls`].
    pub fn transport(&self) -> Transport {
        self.accepting.transport()
    }

    /// The address that is bound; a wildcard address stays one.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Takes in connections until [`Connections::close_all`] was called, which shows at the next that comes.
    pub async fn run(self, connections: Connections) {
        loop {
            match self.inner.accept().await {
                Ok(_) if connections.is_stopped() => return,
                Ok((stream, remote)) => connections.accept(stream, remote, &self.accepting),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be taken in");
                    metrics::counter!("blether_transport_accept_errors_total").increment(1);
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

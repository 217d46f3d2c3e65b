//! What a connection's messages go by: TCP itself, or TLS over it.

use std::sync::Arc;

use tokio::net::TcpStream;

use super::listener::Accepting;
use super::outbound::Outbound;
use super::{CloseReason, Connections, connection};
use crate::Flow;
use crate::connection_table::Opener;

/// An open connection.
pub(super) enum Wire {
    /// TCP.
    Plain(TcpStream),
    /// TLS; boxed, so that the tasks of the others stay small.
    #[cfg(feature = "tls")]
    Tls(Box<tokio_rustls::TlsStream<TcpStream>>),
}

impl Wire {
    /// Makes of a connection that we have opened what it is for.
    #[cfg_attr(
        not(feature = "tls"),
        expect(unused_variables, clippy::unused_async, reason = "without TLS it is what it is at once")
    )]
    pub(super) async fn open(
        connections: &Connections,
        flow: Flow,
        stream: TcpStream,
        outbound: &Outbound,
        opener: Opener,
    ) -> Result<Self, CloseReason> {
        send_at_once(flow, &stream);
        #[cfg(feature = "tls")]
        if let Opener::UsTo(name) = opener {
            let unable = CloseReason::NotOpened(std::io::ErrorKind::Unsupported);
            let client = connections.shared.tls.as_ref().ok_or(unable)?;
            let handshake = connections.handshake(flow, "us", client.connect(&name, stream), outbound);
            return Ok(Self::Tls(Box::new(Box::pin(handshake).await?)));
        }
        Ok(Self::Plain(stream))
    }

    /// Makes of a connection that a peer has opened what its listener is for.
    #[cfg_attr(not(feature = "tls"), expect(unused_variables, reason = "without TLS it is what it is at once"))]
    pub(super) async fn accept(
        connections: &Connections,
        flow: Flow,
        stream: TcpStream,
        outbound: &Arc<Outbound>,
        accepting: Accepting,
    ) -> Result<Self, CloseReason> {
        send_at_once(flow, &stream);
        match accepting {
            Accepting::Plain => Ok(Self::Plain(stream)),
            #[cfg(feature = "tls")]
            Accepting::Tls(server) => {
                let _place = connections.shared.handshakes.enter(flow, outbound);
                let handshake = connections.handshake(flow, "peer", server.accept(stream), outbound);
                Ok(Self::Tls(Box::new(Box::pin(handshake).await?)))
            }
        }
    }

    /// Serves it until it ends.
    pub(super) async fn serve(&mut self, connections: &Connections, flow: Flow, outbound: &Outbound) -> CloseReason {
        match self {
            Self::Plain(stream) => {
                let (reader, writer) = stream.split();
                connection::run(connections, flow, reader, writer, outbound).await
            }
            #[cfg(feature = "tls")]
            Self::Tls(stream) => {
                let (reader, writer) = tokio::io::split(stream);
                Box::pin(connection::run(connections, flow, reader, writer, outbound)).await
            }
        }
    }

    /// Takes leave of the peer and closes.
    pub(super) async fn close(self) {
        match self {
            Self::Plain(stream) => drop(stream),
            // The peer is to see that nobody has cut its connection short (RFC 8446 §6.1). One that does not read hears nothing.
            #[cfg(feature = "tls")]
            Self::Tls(mut stream) => {
                let farewell = tokio::io::AsyncWriteExt::shutdown(&mut stream);
                let _ = tokio::time::timeout(connection::LINGER, farewell).await;
            }
        }
    }
}

fn send_at_once(flow: Flow, stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%flow, %error, "small messages may wait for each other");
    }
}

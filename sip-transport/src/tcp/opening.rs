//! Sending: by a connection that is there, or by one that is opened.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tokio::net::TcpStream;

use super::outbound::Outbound;
use super::wire::Wire;
use super::{CloseReason, Connections};
use crate::connection_table::{Opener, Way};
#[cfg(feature = "tls")]
use crate::peer_name::NamedPeer;
use crate::{ConnectionId, Flow, Transport};

impl Connections {
    /// The flow by which the peer at `remote` is reached by TLS that has to prove `name`; `local` is ours as in any [`Flow`]. What is sent by it goes by a
    /// connection whose peer has proved that name at that address, whoever has opened it (RFC 5923 §8), else by one that is opened then, and so it does when
    /// that connection is gone and another has to take its place. Opens nothing itself; asking again gives the same.
    #[cfg(feature = "tls")]
    pub fn lead_to(&self, local: SocketAddr, remote: SocketAddr, name: &crate::PeerName) -> Flow {
        let peer = NamedPeer { remote, name: name.clone() };
        let connection = self.table().as_mut().map(|table| table.lead_to(peer));
        Flow { connection, ..Flow::tls(local, remote) }
    }

    /// Queues a message for the connection that `flow` names, else for one to the same address, else for a new one, which is opened; says
    /// which one it was. Never waits. Must be called on a tokio runtime.
    ///
    /// That it was queued does not mean that it arrives: [`StreamEvent::Closed`](crate::StreamEvent::Closed) tells of every connection's end.
    ///
    /// # Errors
    ///
    /// `TimedOut` when the peer has not read what was sent before, `NotConnected` after [`Self::close_all`], `Unsupported` for a flow of
    /// another transport, and where a TLS connection would have to be opened and it is not known to whom (`lead_to`), or this endpoint opens none.
    pub fn try_send(&self, flow: &Flow, payload: Bytes) -> Result<ConnectionId, io::ErrorKind> {
        if flow.transport == Transport::Udp {
            return Err(io::ErrorKind::Unsupported);
        }
        let now = Instant::now();
        let mut guard = self.table();
        let table = guard.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        let (remote, opener) = match table.way(flow) {
            Way::By(id, outbound) => {
                if !outbound.push(payload, self.shared.limits.max_queued) {
                    outbound.close(CloseReason::Stalled);
                    table.close(id);
                    return Err(CloseReason::Stalled.kind());
                }
                table.used(now, id, false);
                return Ok(id);
            }
            Way::Open(remote, opener) => (remote, opener),
            Way::Unknown => return Err(io::ErrorKind::Unsupported),
        };
        if matches!(opener, Opener::UsTo(_)) && !self.shared.opens_tls() {
            return Err(io::ErrorKind::Unsupported);
        }
        let outbound = Arc::new(Outbound::default());
        if !outbound.push(payload, self.shared.limits.max_queued) {
            return Err(io::ErrorKind::FileTooLarge);
        }
        let id = self.enter(table, now, (flow.transport, remote), opener.clone(), &outbound);
        drop(guard);
        let (connections, wanted) = (self.clone(), Flow { remote, connection: Some(id), ..*flow });
        tokio::spawn(async move {
            let (flow, reason) = connections.open(wanted, opener, &outbound).await;
            connections.closed(flow, reason).await;
        });
        Ok(id)
    }

    /// The peer of the TLS connection that `flow` names has said, by `alias` in the Via of a request, that it is reached by this connection where its
    /// listening port is `port` (RFC 5923 §8.2): it is used for what `lead_to` leads there. Tells whether it is: only if the peer has opened it, and
    /// has proved by a certificate who it is.
    pub fn alias(&self, flow: &Flow, port: u16) -> bool {
        let Some(id) = flow.connection.filter(|_| flow.transport == Transport::Tls) else { return false };
        self.table().as_mut().is_some_and(|table| table.alias(id, port))
    }

    /// Opens a connection and serves it until it ends.
    async fn open(&self, wanted: Flow, opener: Opener, outbound: &Outbound) -> (Flow, CloseReason) {
        let stream = match self.connect(wanted, outbound).await {
            Ok(stream) => stream,
            Err(reason) => return (wanted, reason),
        };
        let flow = self.flow_of(wanted, &stream, true).unwrap_or(wanted);
        let mut wire = match Wire::open(self, flow, stream, outbound, opener).await {
            Ok(wire) => wire,
            Err(reason) => return (flow, reason),
        };
        let reason = wire.serve(self, flow, outbound).await;
        // Nobody is to use it while its peer is told.
        flow.connection.into_iter().for_each(|id| self.forget(id));
        wire.close().await;
        (flow, reason)
    }

    async fn connect(&self, wanted: Flow, outbound: &Outbound) -> Result<TcpStream, CloseReason> {
        let Flow { transport, remote, .. } = wanted;
        let opening = async {
            let socket =
                if remote.is_ipv4() { tokio::net::TcpSocket::new_v4() } else { tokio::net::TcpSocket::new_v6() }?;
            if let Some(listening) = self.shared.local.listening_for(transport, remote)
                && !listening.ip().is_unspecified()
            {
                socket.bind(SocketAddr::new(listening.ip(), 0))?;
            }
            socket.connect(remote).await
        };
        tokio::select! {
            opened = tokio::time::timeout(self.shared.limits.connect_timeout, opening) => match opened {
                Ok(Ok(stream)) => Ok(stream),
                Ok(Err(error)) => Err(CloseReason::NotOpened(error.kind())),
                Err(_) => Err(CloseReason::NotOpened(io::ErrorKind::TimedOut)),
            },
            reason = outbound.closing() => Err(reason),
        }
    }
}

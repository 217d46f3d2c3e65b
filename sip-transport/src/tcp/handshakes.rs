//! The TLS handshakes that peers have begun: how many there may be at a time, and how they end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::{HandshakeKind, ProtocolVersion};
use tokio::net::TcpStream;

use super::outbound::Outbound;
use super::{CloseReason, Connections};
use crate::{ConnectionId, Flow, HandshakeFailure};

/// Those under way. The one that has lasted the longest makes room: peers that never finish theirs would otherwise need no more than as many
/// connections as there are places to keep everybody out, and so they need as many in the time that an honest handshake takes.
pub(super) struct Handshakes {
    /// The numbers of connections grow: the first is the oldest.
    under_way: Mutex<BTreeMap<ConnectionId, Arc<Outbound>>>,
    max: usize,
}

/// A handshake under way; dropped when it has ended.
pub(super) struct Place<'a> {
    handshakes: &'a Handshakes,
    id: Option<ConnectionId>,
}

impl Handshakes {
    /// At most `max` at a time, and one at least.
    pub(super) fn new(max: usize) -> Self {
        Self { under_way: Mutex::default(), max: max.max(1) }
    }

    /// Takes a place for the connection of `flow`; if there is none, the oldest has to go.
    pub(super) fn enter(&self, flow: Flow, outbound: &Arc<Outbound>) -> Place<'_> {
        let mut under_way = self.under_way();
        if under_way.len() >= self.max
            && let Some((_, oldest)) = under_way.pop_first()
        {
            oldest.close(CloseReason::Evicted);
        }
        if let Some(id) = flow.connection {
            under_way.insert(id, outbound.clone());
        }
        Place { handshakes: self, id: flow.connection }
    }

    fn under_way(&self) -> MutexGuard<'_, BTreeMap<ConnectionId, Arc<Outbound>>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(id) = &self.id {
            self.handshakes.under_way().remove(id);
        }
    }
}

impl Connections {
    /// Waits for the end of a TLS handshake, within its time, and counts how it has ended.
    pub(super) async fn handshake(
        &self,
        flow: Flow,
        by: &'static str,
        handshake: impl Future<Output = Result<tokio_rustls::TlsStream<TcpStream>, HandshakeFailure>>,
        outbound: &Outbound,
    ) -> Result<tokio_rustls::TlsStream<TcpStream>, CloseReason> {
        let ended = tokio::select! {
            ended = tokio::time::timeout(self.shared.limits.handshake_timeout, handshake) => ended,
            reason = outbound.closing() => {
                count(by, if reason == CloseReason::Evicted { "evicted" } else { "stopped" });
                return Err(reason);
            }
        };
        match ended.unwrap_or(Err(HandshakeFailure::TimedOut)) {
            Ok(stream) => {
                let (version, outcome) = describe(&stream);
                count(by, outcome);
                self.note_names(flow, &stream);
                tracing::debug!(%flow, version, outcome, by, "a TLS connection");
                Ok(stream)
            }
            Err(failure) => {
                count(by, failure.as_str());
                Err(CloseReason::Handshake(failure))
            }
        }
    }

    /// Notes who the peer has proved to be, in a handshake that has seen to it that its certificate is valid.
    fn note_names(&self, flow: Flow, stream: &tokio_rustls::TlsStream<TcpStream>) {
        let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let names = certificate.map(crate::tls::proven_names).unwrap_or_default();
        if let (false, Some(id), Some(table)) = (names.is_empty(), flow.connection, self.table().as_mut()) {
            table.proved(id, names.into());
        }
    }
}

/// Counts a handshake that has ended so, by who has opened the connection: `us` or `peer`.
fn count(by: &'static str, outcome: &'static str) {
    metrics::counter!("blether_transport_tls_handshakes_total", "by" => by, "outcome" => outcome).increment(1);
}

/// The version of TLS that was agreed on, and whether it was a resumption (RFC 8446 §2.2), which costs neither side a signature.
fn describe(stream: &tokio_rustls::TlsStream<TcpStream>) -> (&'static str, &'static str) {
    let (_, state) = stream.get_ref();
    let version = match state.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => "1.2",
        _ => "1.3",
    };
    (version, if state.handshake_kind() == Some(HandshakeKind::Resumed) { "resumed" } else { "done" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(number: u64) -> Flow {
        let address = "192.0.2.1:5061".parse().unwrap();
        Flow { connection: Some(ConnectionId::new(number)), ..Flow::tls(address, address) }
    }

    #[tokio::test]
    async fn the_oldest_makes_room_and_a_place_that_is_given_back_is_free() {
        let handshakes = Handshakes::new(2);
        let outbounds: Vec<_> = (0..4).map(|_| Arc::new(Outbound::default())).collect();
        let first = handshakes.enter(flow(1), &outbounds[0]);
        let second = handshakes.enter(flow(2), &outbounds[1]);
        drop(second);
        let _third = handshakes.enter(flow(3), &outbounds[2]);
        let _fourth = handshakes.enter(flow(4), &outbounds[3]);
        assert_eq!(outbounds[0].closing().await, CloseReason::Evicted);
        assert_eq!(handshakes.under_way().len(), 2);
        drop(first);
        assert_eq!(handshakes.under_way().keys().map(ToString::to_string).collect::<Vec<_>>(), ["#3", "#4"]);
    }
}

//! What is different on connections: they end, and what comes by them may be no message.

use std::io;
use std::time::Instant;

use blether_sip_core::{Message, Response, StatusCode};
use blether_sip_transport::{ConnectionId, Flow, FramingError};
use bytes::Bytes;

use super::{Transactions, response_flow};
use crate::key::ServerKey;
use crate::slot::{Machine, Role, Slot};
use crate::{Transmit, TransmitId};

impl Transactions {
    /// Notes by which connection something went that [`Self::poll_transmit`] handed out, so that its end can be told to the transaction.
    pub fn sent_by(&mut self, id: TransmitId, connection: ConnectionId) {
        let Some(index) = self.slots.find_sender(id) else { return };
        let concerned = |slot: &&mut Slot| {
            matches!(slot.role, Role::Client { .. }) || matches!(slot.machine, Machine::InviteServer(_))
        };
        let Some(slot) = self.slots.get_mut(index).filter(concerned) else { return };
        let before = slot.sent_by.replace(connection);
        if before == Some(connection) {
            return;
        }
        if let Some(before) = before {
            self.forget_sent_by(before, index);
        }
        self.by_connection.entry(connection).or_default().insert(index);
    }

    /// Takes in that a connection of a peer's has ended before this message of ours was written to it. A final response then goes by a connection
    /// to the port that the request names (RFC 3261 §18.2.2), once: what does not find its way by a connection that we open is lost. That holds for
    /// one that was sent without a transaction, and for one to anything but INVITE, whose transaction is over by then (§17.2.2: Timer J is
    /// zero). While there is a transaction, that decides, and so does it for a request: see [`Self::handle_closed`].
    pub fn handle_unsent(&mut self, flow: Flow, bytes: Bytes) {
        let Ok(Message::Response(response)) = Message::parse(bytes.clone(), &self.config.limits) else { return };
        let key = ServerKey::answered_by(&response);
        if !response.status().is_final() || key.is_none_or(|key| self.servers.contains_key(&key)) {
            return;
        }
        let flow = Flow { connection: None, ..response_flow(response.via(), flow) };
        tracing::debug!(%flow, call_id = %response.call_id(), "its connection has ended: a response goes by another");
        self.transmits.push_back(Transmit { flow, payload: bytes, id: TransmitId::STATELESS });
    }

    /// Takes in that a connection has ended: what went by it may not have arrived, which is a transport error to the client transactions
    /// that have heard nothing (RFC 3261 §17.1.4). The others go on: a response finds its way by another connection (RFC 3261 §18.2.2). So does
    /// the refusal of an INVITE that nobody has acknowledged: it is handed out once more. A final response to anything else that was written to
    /// the connection has been sent, and is not kept on a reliable transport (§17.2.2: Timer J is zero): a client that has lost it with its
    /// connection has had a transport error. What was not written comes by [`Self::handle_unsent`].
    pub fn handle_closed(&mut self, now: Instant, connection: ConnectionId, kind: io::ErrorKind) {
        for index in self.by_connection.remove(&connection).unwrap_or_default() {
            if let Some(slot) = self.slots.get_mut(index) {
                slot.sent_by = None;
                if let Machine::InviteServer(_) = slot.machine {
                    self.with(now, index, |machine| {
                        if let Machine::InviteServer(machine) = machine {
                            machine.handle_closed(kind);
                        }
                    });
                    continue;
                }
                let attempt = slot.attempt;
                let id = TransmitId(Some((self.slots.id(index), attempt)));
                self.handle_send_error(now, id, kind);
            }
        }
    }

    /// Answers a request that could not be cut out of its stream (RFC 3261 §18.3): 513 when it is too large, else 400. What is no request,
    /// or an ACK, is only counted.
    pub fn handle_unframed(&mut self, flow: Flow, error: &FramingError) {
        let (status, reason) = match error {
            FramingError::HeaderSectionTooLarge { .. } | FramingError::MessageTooLarge { .. } => {
                (StatusCode::MESSAGE_TOO_LARGE, "Message Too Large")
            }
            FramingError::NoContentLength { .. } => (StatusCode::BAD_REQUEST, "Missing Content-Length header"),
            FramingError::BadContentLength { .. } => (StatusCode::BAD_REQUEST, "Bad Content-Length header"),
        };
        match Message::parse(error.head().clone(), &self.config.limits) {
            Ok(Message::Request(mut request)) if *request.method() != blether_sip_core::Method::Ack => {
                self.counters.malformed += 1;
                request.note_source(flow.remote);
                let tag = self.stateless_tag(&request);
                let response = Response::to_request(&request, status).reason(reason).to_tag(&tag).build();
                let (flow, payload) = (response_flow(request.via(), flow), response.to_bytes());
                self.transmits.push_back(Transmit { flow, payload, id: TransmitId::STATELESS });
            }
            Ok(_) => self.counters.not_sip += 1,
            Err(error) => self.handle_malformed(flow, &error),
        }
    }

    pub(super) fn forget_sent_by(&mut self, connection: ConnectionId, index: usize) {
        if let Some(indices) = self.by_connection.get_mut(&connection) {
            indices.remove(&index);
            if indices.is_empty() {
                self.by_connection.remove(&connection);
            }
        }
    }
}

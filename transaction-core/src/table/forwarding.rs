//! What a proxy does with transactions (RFC 3261 §16): requests with a branch in two parts, and responses that are passed on as they came.

use std::time::Instant;

use blether_sip_core::{Host, Request, Response, Via};
use blether_sip_transport::Flow;

use super::{Full, Transactions, UnknownTransaction, response_flow};
use crate::loop_detection::LoopMark;
use crate::slot::Machine;
use crate::{ClientTransactionId, Owner, ServerTransactionId, Transmit, TransmitId};

impl Transactions {
    /// [`Self::request`] of a request that is forwarded: its branch carries the mark by which its loop is known (RFC 5393 §4.2.1).
    ///
    /// # Errors
    ///
    /// [`Full`]; nothing was sent.
    pub fn forward(
        &mut self,
        now: Instant,
        mut request: Request,
        flow: Flow,
        owner: Owner,
        mark: LoopMark,
    ) -> Result<ClientTransactionId, Full> {
        if !self.has_room_for(request.method()) {
            return Err(Full { limit: self.config.max_transactions });
        }
        let unique = self.token();
        request.push_via(marked_via(flow, &unique, mark));
        Ok(self.start_client(now, request, flow, Some(owner)))
    }

    /// Passes a response on in a server transaction, as it came but for its topmost Via, which the caller has taken off. As [`Self::respond`], but a To
    /// without a tag stays without one: a proxy puts none into a 1xx or 2xx (RFC 3261 §16.7 step 6).
    ///
    /// # Errors
    ///
    /// As [`Self::respond`].
    pub fn forward_response(
        &mut self,
        now: Instant,
        id: ServerTransactionId,
        response: &Response,
    ) -> Result<(), UnknownTransaction> {
        let index = self.slots.find(id.0).ok_or(UnknownTransaction)?;
        let taken = self.with(now, index, |machine| match machine {
            Machine::InviteServer(machine) => machine.respond(now, response),
            Machine::NonInviteServer(machine) => machine.respond(now, response),
            Machine::InviteClient(_) | Machine::NonInviteClient(_) | Machine::Unsent(_) => false,
        });
        if taken != Some(true) {
            return Err(UnknownTransaction);
        }
        if response.status().code() >= 300 {
            self.no_longer_ongoing(index);
        }
        Ok(())
    }

    /// Passes on a 2xx to an INVITE whose transaction has another final response, or is over: a proxy must, though it comes late (RFC 3261 §16.7 step 5). It goes
    /// where the responses to the INVITE go, which came by `flow`.
    pub fn forward_late_response(&mut self, invite: &Request, flow: Flow, response: &Response) {
        self.send_stateless(response_flow(invite.via(), flow), response);
    }

    /// Sends the ACK for a 2xx by `flow` (RFC 3261 §16.6): it has no transaction, and a branch of its own each time.
    pub fn forward_ack(&mut self, ack: Request, flow: Flow, mark: LoopMark) {
        let unique = self.token();
        self.forward_stateless(ack, flow, &unique, mark);
    }

    /// Forgets a server transaction without an answer: its request was forwarded without state, and each copy of it will be. Does nothing to one that has said
    /// something.
    pub fn release(&mut self, id: ServerTransactionId) {
        let Some(index) = self.slots.find(id.0) else { return };
        let untouched = self.slots.get(index).is_some_and(|slot| match &slot.machine {
            Machine::InviteServer(machine) => machine.is_untouched(),
            Machine::NonInviteServer(machine) => machine.is_untouched(),
            Machine::InviteClient(_) | Machine::NonInviteClient(_) | Machine::Unsent(_) => false,
        });
        if untouched {
            self.take_out(index);
        }
    }

    /// Sends a response on by `flow` without a transaction, our Via taken off (RFC 3261 §16.11).
    pub fn forward_response_stateless(&mut self, response: &Response, flow: Flow) {
        self.send_stateless(flow, response);
    }

    /// Sends a request by `flow` without a transaction, with a Via in front, as a stateless proxy does (RFC 3261 §16.11).
    /// `unique` is the first part of the branch, characters of a token; a resend must come with the same.
    pub fn forward_stateless(&mut self, mut request: Request, flow: Flow, unique: &str, mark: LoopMark) {
        request.push_via(marked_via(flow, unique, mark));
        self.transmits.push_back(Transmit { flow, payload: request.to_bytes(), id: TransmitId::STATELESS });
    }
}

/// A Via whose branch has `unique` and a mark in it.
pub(super) fn marked_via(flow: Flow, unique: &str, mark: LoopMark) -> Via {
    let branch = format!("{}{unique}.{:016x}", Via::MAGIC_COOKIE, mark.number());
    let mut via = Via::new(flow.transport.via_name(), Host::from(flow.local.ip()), Some(flow.local.port()), &branch);
    via.set_rport(None);
    via
}

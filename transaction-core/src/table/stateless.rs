//! Answers that leave nothing behind, and requests that come by several ways.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Instant;

use blether_sip_core::{ByteStr, CSeq, Method, NameAddr, Request, Response, RetryAfter, StatusCode, Via};
use blether_sip_transport::Flow;

use super::{Transactions, UnknownTransaction, count_of};
use crate::key::ServerKey;
use crate::overload::Overload;
use crate::slot::{Machine, Role, Slot};
use crate::{ServerTransactionId, Transmit, TransmitId};

/// Seconds after which a peer may try again that was refused for lack of room: half the life of a transaction under load.
const NO_ROOM_RETRY_AFTER: u32 = 16;

/// The least seconds after which a peer may try again that an overloaded shard has refused.
const OVERLOAD_RETRY_AFTER: u32 = 5;

/// Over how many seconds more those tries are spread, so that they do not all come at once.
const OVERLOAD_SPREAD: u32 = 8;

impl Transactions {
    /// Sends a final response in a server transaction and forgets the transaction, so that a stranger's request costs nothing once it is
    /// answered, and is answered once: no Timer G sends a refusal to an address that may be somebody else's (RFC 3261 §8.2.7, §26.3.2.4).
    /// A resend of the request is told to the user like a new one. A To tag that is missing is made from the request and a key, so that
    /// each copy gets the same, and the ACK is known by it. No [`Event::ServerTerminated`](crate::Event::ServerTerminated) follows.
    ///
    /// What cannot be so is sent as by [`Self::respond`]: a response that is provisional, or a 2xx to INVITE; one to a request that was told
    /// something already, or cancelled.
    ///
    /// # Errors
    ///
    /// As [`Self::respond`].
    pub fn respond_and_forget(
        &mut self,
        now: Instant,
        id: ServerTransactionId,
        mut response: Response,
    ) -> Result<(), UnknownTransaction> {
        let index = self.slots.find(id.0).ok_or(UnknownTransaction)?;
        let status = response.status();
        let stands_alone = !status.is_provisional()
            && self.slots.get(index).is_some_and(|slot| match &slot.machine {
                Machine::InviteServer(machine) => machine.is_untouched() && !status.is_success(),
                Machine::NonInviteServer(machine) => machine.is_untouched(),
                Machine::InviteClient(_) | Machine::NonInviteClient(_) | Machine::Unsent(_) => false,
            } && slot.to_tag().is_none());
        if !stands_alone {
            return self.respond(now, id, response);
        }
        let Some(slot) = self.take_out(index) else { return Err(UnknownTransaction) };
        if response.to().tag().is_none() {
            let tag = self.tag_of(response.via(), response.from(), response.call_id(), response.cseq());
            response.set_to_tag(&tag);
        }
        self.counters.stateless += 1;
        self.send_stateless(slot.flow, &response);
        Ok(())
    }

    /// Says how far behind the shard is: what is refused from here on.
    pub fn set_overload(&mut self, overload: Overload) {
        self.overload = overload;
    }

    /// Answers 503 to what there is no room or no time for; whether it did.
    ///
    /// There is no transaction that would repeat it (RFC 3261 §17.2). On a datagram transport resends may be on their way when it is sent: a shard
    /// that is behind has let its peer wait for longer than T1. Its peer has completed its own transaction with the 503, and drops whatever else
    /// comes by it: a 1xx, a 2xx (§17.1.1.2, §17.1.2.2). Were such a resend served once the gate is open, a phone would ring for a caller that has
    /// gone elsewhere, and what answers would be acknowledged by nobody. So copies of what was refused are refused as well, from a bounded memory
    /// of hashes; one whose 503 got lost hears it by its resend, as from a transaction. On a stream nothing is sent twice.
    ///
    /// What a user refuses by [`Self::respond_and_forget`] needs no memory: it is told each copy, and says the same of each.
    pub(super) fn refuse_beyond_bounds(
        &mut self,
        now: Instant,
        request: &Request,
        key: &ServerKey,
        respond_to: Flow,
    ) -> bool {
        let behind = self.overload.refuses(request);
        let full = !behind && !self.has_room_for(request.method());
        let may_come_again = !respond_to.transport.is_reliable();
        // Those that keep up and have forgotten pay for no hash.
        let copies = (may_come_again && (behind || full || !self.refused.is_empty())).then(|| self.hash(key));
        if behind || full {
            copies.into_iter().for_each(|copies| self.refused.insert(now, copies));
        } else if !copies.is_some_and(|copies| self.refused.contains(now, copies)) {
            return false;
        }
        let retry_after = if full {
            self.counters.refused_full += 1;
            NO_ROOM_RETRY_AFTER
        } else {
            match request.method() {
                Method::Invite => self.counters.overload_invites += 1,
                _ => self.counters.overload_others += 1,
            }
            // Each copy of a request is told the same.
            let spread = self.hash((request.call_id(), request.cseq().number)) % u64::from(OVERLOAD_SPREAD);
            OVERLOAD_RETRY_AFTER + u32::try_from(spread).unwrap_or_default()
        };
        let response = Response::to_request(request, StatusCode::SERVICE_UNAVAILABLE);
        let response = response.to_tag(&self.stateless_tag(request)).header(RetryAfter::new(retry_after)).build();
        self.send_stateless(respond_to, &response);
        true
    }

    /// Whether an ACK is for a response that was sent without a transaction: nobody waits for it.
    pub(super) fn acknowledges_stateless(&self, ack: &Request) -> bool {
        ack.to().tag().is_some_and(|tag| tag == self.stateless_tag(ack))
    }

    /// What all copies of a request have in common by whatever ways they come, if it is one that may come by several (RFC 3261 §8.2.2.2):
    /// From tag, Call-ID and CSeq, hashed with a key. That two requests of a shard's lifetime meet in 128 bits will not happen.
    pub(super) fn merge_key(&self, request: &Request) -> Option<u128> {
        if !self.config.refuse_merged { None } else { self.copies_of(request) }
    }

    /// [`TransactionsConfig::refuse_merged`](super::TransactionsConfig::refuse_merged) for one request, where it is off because some requests are
    /// forwarded: for whoever serves this one. Answers 482 to a further copy, and says whether it did.
    pub fn refuse_copy(&mut self, now: Instant, id: ServerTransactionId, request: &Request) -> bool {
        let Some(copies) = self.copies_of(request) else { return false };
        let Some(slot) = self.slots.find(id.0).and_then(|index| self.slots.get_mut(index)) else { return false };
        let Role::Server { merge, .. } = &mut slot.role else { return false };
        if merge.is_some() {
            return false;
        }
        if self.in_service.insert(copies) {
            *merge = Some(copies);
            return false;
        }
        self.refuse_merged(now, id, request);
        true
    }

    fn copies_of(&self, request: &Request) -> Option<u128> {
        if request.to_tag().is_some() || *request.method() == Method::Cancel {
            return None;
        }
        let cseq = request.cseq();
        let half = |which: u8| {
            u128::from(self.hash((which, request.from().tag(), request.call_id(), cseq.number, &cseq.method)))
        };
        Some(half(0) << 64 | half(1))
    }

    /// Answers 482 to a request that is being served already, having come by another way (RFC 3261 §8.2.2.2).
    ///
    /// Its transaction is kept: it absorbs the resends for as long as the peer may send them, though what they are copies of is over by then.
    pub(super) fn refuse_merged(&mut self, now: Instant, id: ServerTransactionId, request: &Request) {
        self.counters.merged += 1;
        tracing::debug!(call_id = %request.call_id(), "the same request came by another way already");
        let response = Response::to_request(request, StatusCode::LOOP_DETECTED).build();
        if self.respond(now, id, response).is_err() {
            tracing::debug!(call_id = %request.call_id(), "a merged request was not answered");
        }
    }

    /// A request that was refused is no longer an ongoing transaction (RFC 3261 §8.2.2.2), though its own resends are absorbed: what comes by
    /// another branch now is a proxy's next try, not a copy.
    pub(super) fn no_longer_ongoing(&mut self, index: usize) {
        if let Some(Role::Server { merge, .. }) = self.slots.get_mut(index).map(|slot| &mut slot.role)
            && let Some(merge) = merge.take()
        {
            self.in_service.remove(&merge);
        }
    }

    /// A tag that is the same for each copy of a request, without keeping state (RFC 3261 §8.2.7), and that nobody else can make.
    pub(super) fn stateless_tag(&self, request: &Request) -> String {
        self.tag_of(request.via(), request.from(), request.call_id(), request.cseq())
    }

    pub(super) fn send_stateless(&mut self, flow: Flow, response: &Response) {
        self.transmits.push_back(Transmit { flow, payload: response.to_bytes(), id: TransmitId::STATELESS });
    }

    /// Takes a transaction out of every table.
    pub(super) fn take_out(&mut self, index: usize) -> Option<Slot> {
        let slot = self.slots.remove(index)?;
        *count_of(&mut self.counts, &slot.machine) -= 1;
        if let Some(due) = slot.due {
            self.timers.remove(&(due, index));
        }
        if let Some(connection) = slot.sent_by {
            self.forget_sent_by(connection, index);
        }
        match &slot.role {
            Role::Client { key, .. } => _ = self.clients.remove(key),
            Role::Server { key, merge, .. } => {
                self.servers.remove(key);
                if let Some(merge) = merge {
                    self.in_service.remove(merge);
                }
            }
        }
        Some(slot)
    }

    fn tag_of(&self, via: &Via, from: &NameAddr, call_id: &ByteStr, cseq: &CSeq) -> String {
        format!("{:016x}", self.hash((via.branch(), call_id, from.tag(), cseq.number)))
    }

    fn hash(&self, of: impl Hash) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.secret.hash(&mut hasher);
        of.hash(&mut hasher);
        hasher.finish()
    }
}

//! Many transactions: matching, timers, Via rules and bounds, still without I/O.

mod forwarding;
mod stateless;
mod streams;
mod targets;

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::io;
use std::time::Instant;

use blether_sip_core::{ByteStr, Host, Limits, Message, Method, ParseError, Request, Response, StatusCode, Via};
use blether_sip_transport::resolve::FailingTargets;
use blether_sip_transport::{ConnectionId, Flow, Transport};
use bytes::Bytes;
use rand::RngExt;
use rand::rngs::StdRng;

use crate::invite_client::ClientEvent;
use crate::invite_server::ServerEvent;
use crate::key::{ClientKey, ServerKey};
use crate::overload::Overload;
use crate::refused::Refused;
use crate::slot::{Machine, Role, Slot, Slots, Unsent};
use crate::timing::{Reliability, Timing};
use crate::{ClientTransactionId, Event, Inquiry, LoopMark, Owner, ServerTransactionId, Transmit, TransmitId};

/// One in this many places is kept for BYE and CANCEL, which make room.
const RESERVE_FRACTION: usize = 10;

/// How a [`Transactions`] table behaves.
#[derive(Clone, Debug)]
pub struct TransactionsConfig {
    /// T1, T2 and T4.
    pub timing: Timing,
    /// What a message may measure.
    pub limits: Limits,
    /// Transactions at a time, CANCEL's included. Default 100,000: some 3,000 requests a second, each remembered for 32 s. Over nine tenths
    /// of it only BYE and CANCEL find room; other requests get 503 with Retry-After.
    pub max_transactions: usize,
    /// Whether a request outside of dialogs is answered 482 whose From tag, Call-ID and CSeq are those of one that is being served or was
    /// accepted: a proxy has forked it, and it came by two ways (RFC 3261 §8.2.2.2). One that was refused is no longer ongoing: a proxy that
    /// searches serially (§16.7) asks the next of its targets, which may be here too. Default: yes. Not for a proxy, which may see a request
    /// again on its way.
    pub refuse_merged: bool,
    /// Whether the user is told of responses that belong to no transaction ([`Event::StrayResponse`]), and of CANCELs of what is not known, which are
    /// answered 481 else: for a stateless proxy (RFC 3261 §16.11). Default: no.
    pub pass_unmatched: bool,
    /// Whether the Via of requests that go by TLS has `alias`: a peer to which we have proved who we are may send its own requests by the same
    /// connection (RFC 5923 §8.1). Default: no, since it is of use to who shows a certificate when it connects.
    pub alias: bool,
    /// Whether there are streams besides datagrams, so that a request that has to find its target and is too large for a datagram can go by TCP
    /// (RFC 3261 §18.1.1). Default: no. [`Shards`](crate::Shards) says it of itself.
    pub streams: bool,
    /// The MTU of the path to every peer, in bytes, where it is known: a request within 200 bytes of it is too large for a datagram. Default: it is
    /// not known, and too large is what is over 1,300 bytes (RFC 3261 §18.1.1).
    pub path_mtu: Option<usize>,
}

impl Default for TransactionsConfig {
    fn default() -> Self {
        let (timing, limits) = (Timing::default(), Limits::default());
        Self {
            timing,
            limits,
            max_transactions: 100_000,
            refuse_merged: true,
            pass_unmatched: false,
            alias: false,
            streams: false,
            path_mtu: None,
        }
    }
}

/// No room for a further transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{limit} transactions are in progress, which is the limit; see `limits.max_transactions`")]
pub struct Full {
    /// [`TransactionsConfig::max_transactions`].
    pub limit: usize,
}

/// The transaction is over, or has had its final response: the peer has stopped waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the transaction takes no such response any more")]
pub struct UnknownTransaction;

/// How many transactions live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransactionCounts {
    /// INVITE client transactions.
    pub invite_client: usize,
    /// Non-INVITE client transactions, those of CANCEL included.
    pub non_invite_client: usize,
    /// INVITE server transactions.
    pub invite_server: usize,
    /// Non-INVITE server transactions, those of CANCEL included.
    pub non_invite_server: usize,
}

impl TransactionCounts {
    /// All of them.
    pub fn total(self) -> usize {
        self.invite_client + self.non_invite_client + self.invite_server + self.non_invite_server
    }
}

/// What became of the datagrams that were no matter of a transaction, and what was refused for lack of room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Datagrams that are no SIP message, or none that may be answered.
    pub not_sip: u64,
    /// Requests that were answered 4xx or 5xx because they cannot be read.
    pub malformed: u64,
    /// Responses that belong to no transaction.
    pub stray_responses: u64,
    /// Requests answered 503 for lack of room.
    pub refused_full: u64,
    /// INVITEs answered 503 because the shard is behind, or was when their first copy came.
    pub overload_invites: u64,
    /// Other requests answered 503 because the shard is behind, or was when their first copy came.
    pub overload_others: u64,
    /// Requests answered 482: they were being served already, having come by another way.
    pub merged: u64,
    /// Requests that were answered and forgotten at once ([`Transactions::respond_and_forget`]).
    pub stateless: u64,
    /// ACKs for such answers.
    pub stateless_acks: u64,
    /// Keep-alives: empty lines.
    pub keep_alives: u64,
    /// Requests that were sent again by another way (RFC 3263 §4.3).
    pub moved_on: u64,
    /// Requests that went by TCP because they are too large for a datagram (RFC 3261 §18.1.1).
    pub too_large_for_udp: u64,
    /// Requests whose destination led nowhere.
    pub no_target: u64,
}

/// The transactions of one shard (RFC 3261 §17).
///
/// The contract is that of every core: after any input drain [`poll_transmit`](Self::poll_transmit), then
/// [`poll_event`](Self::poll_event), then read [`poll_timeout`](Self::poll_timeout). Ids of transactions that are over are harmless.
#[derive(Debug)]
pub struct Transactions {
    config: TransactionsConfig,
    rng: StdRng,
    secret: [u64; 2],
    slots: Slots,
    clients: HashMap<ClientKey, usize>,
    servers: HashMap<ServerKey, usize>,
    /// The requests outside of dialogs that are being served or were answered 2xx, by what their copies have in common.
    in_service: HashSet<u128>,
    overload: Overload,
    /// What was answered 503 without a transaction and may come again.
    refused: Refused,
    /// The transactions whose last message went by a connection: clients, and INVITE servers.
    by_connection: HashMap<ConnectionId, BTreeSet<usize>>,
    timers: BTreeSet<(Instant, usize)>,
    transmits: VecDeque<Transmit>,
    events: VecDeque<Event>,
    /// Where requests are to go that have not been sent.
    inquiries: VecDeque<Inquiry>,
    /// What has not answered of late, of that which came from a name.
    failing: FailingTargets,
    /// Where TCP could not be had for a request that is too large for a datagram (RFC 3261 §18.1.1).
    without_tcp: FailingTargets,
    counts: TransactionCounts,
    counters: Counters,
}

impl Transactions {
    /// An empty table. `rng` makes branches and tags.
    pub fn new(config: TransactionsConfig, mut rng: StdRng) -> Self {
        Self {
            refused: Refused::new(config.timing.sixty_four_t1()),
            config,
            secret: rng.random(),
            rng,
            slots: Slots::default(),
            clients: HashMap::new(),
            servers: HashMap::new(),
            in_service: HashSet::new(),
            overload: Overload::KeepsUp,
            by_connection: HashMap::new(),
            timers: BTreeSet::new(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            inquiries: VecDeque::new(),
            failing: FailingTargets::new(targets::MAX_FAILING),
            without_tcp: FailingTargets::new(targets::MAX_FAILING),
            counts: TransactionCounts::default(),
            counters: Counters::default(),
        }
    }

    /// Takes in a datagram, or a message from a stream. What is no SIP is counted; a bad request that can be recognised is answered without a transaction; an ACK or
    /// a response never is.
    pub fn handle_datagram(&mut self, now: Instant, flow: Flow, bytes: Bytes) {
        if bytes.iter().all(|&byte| byte == b'\r' || byte == b'\n' || byte == 0) {
            self.counters.keep_alives += 1;
            return;
        }
        match Message::parse(bytes, &self.config.limits) {
            Ok(Message::Request(request)) => self.handle_request(now, flow, request),
            Ok(Message::Response(response)) => self.handle_response(now, flow, response),
            Err(error) => self.handle_malformed(flow, &error),
        }
    }

    fn handle_malformed(&mut self, flow: Flow, error: &ParseError) {
        match error.reply(flow.remote) {
            Some(payload) => {
                self.counters.malformed += 1;
                tracing::debug!(source = %flow.remote, %error, "a request is refused");
                self.transmits.push_back(Transmit { flow, payload, id: TransmitId::STATELESS });
            }
            None => {
                self.counters.not_sip += 1;
                tracing::trace!(source = %flow.remote, %error, "dropped");
            }
        }
    }

    fn handle_request(&mut self, now: Instant, flow: Flow, mut request: Request) {
        request.note_source(flow.remote);
        let key = ServerKey::of(&request);
        if *request.method() == Method::Ack {
            return self.handle_ack(now, flow, request, &key);
        }
        if let Some(&index) = self.servers.get(&key) {
            self.with(now, index, |machine| match machine {
                Machine::InviteServer(machine) => machine.handle_resend(),
                Machine::NonInviteServer(machine) => machine.handle_resend(),
                Machine::InviteClient(_) | Machine::NonInviteClient(_) | Machine::Unsent(_) => {}
            });
            return;
        }
        let respond_to = response_flow(request.via(), flow);
        if self.refuse_beyond_bounds(now, &request, &key, respond_to) {
            return;
        }
        let reliability = reliability(flow);
        let machine = match request.method() {
            Method::Invite => Machine::invite_server(now, self.config.timing, reliability, request.clone()),
            _ => Machine::non_invite_server(now, self.config.timing, reliability, request.clone()),
        };
        let copies = self.merge_key(&request);
        let merge = copies.filter(|copies| self.in_service.insert(*copies));
        let role = Role::Server { key: key.clone(), merge, to_tag: None };
        let index = self.insert(now, Slot::new(machine, respond_to, role));
        self.servers.insert(key, index);
        let id = ServerTransactionId(self.slots.id(index));
        if copies.is_some() && merge.is_none() {
            self.refuse_merged(now, id, &request);
        } else if *request.method() == Method::Cancel && !self.is_for_user(&request) {
            self.handle_cancel(now, id, &request);
        } else {
            self.events.push_back(Event::Request { id, request, flow });
        }
    }

    fn handle_ack(&mut self, now: Instant, flow: Flow, ack: Request, key: &ServerKey) {
        let for_user = match self.servers.get(key).copied() {
            // Without a branch, the To tag tells it from the ACK for another response (RFC 3261 §17.2.3).
            Some(index)
                if key.is_rfc2543() && self.slots.get(index).and_then(Slot::to_tag).as_deref() != ack.to().tag() =>
            {
                true
            }
            Some(index) => self
                .with(now, index, |machine| match machine {
                    Machine::InviteServer(machine) => machine.handle_ack(now),
                    _ => false,
                })
                .unwrap_or(false),
            None if self.acknowledges_stateless(&ack) => {
                self.counters.stateless_acks += 1;
                false
            }
            // An ACK for a 2xx is a transaction of its own (RFC 3261 §13.2.2.4).
            None => true,
        };
        if for_user {
            self.events.push_back(Event::Ack { request: ack, flow });
        }
    }

    /// Whether a CANCEL is the user's, because it cancels nothing that is known here.
    fn is_for_user(&self, cancel: &Request) -> bool {
        self.config.pass_unmatched && !ServerKey::cancelled_by(cancel).any(|key| self.servers.contains_key(&key))
    }

    /// Answers a CANCEL, and tells the user of the INVITE if it has not been answered (RFC 3261 §9.2).
    fn handle_cancel(&mut self, now: Instant, id: ServerTransactionId, cancel: &Request) {
        let invite = ServerKey::cancelled_by(cancel).find_map(|key| self.servers.get(&key).copied());
        let status = if invite.is_some() { StatusCode::OK } else { StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST };
        let mut response = Response::to_request(cancel, status);
        let known_tag = invite.and_then(|index| self.slots.get(index)).and_then(Slot::to_tag);
        let tag = known_tag.unwrap_or_else(|| self.token());
        if let Some(index) = invite {
            // The responses to CANCEL and to its INVITE should carry the same tag.
            self.note_to_tag(index, &tag);
        }
        response = response.to_tag(&tag);
        if self.respond(now, id, response.build()).is_err() {
            tracing::debug!(call_id = %cancel.call_id(), "a CANCEL was not answered");
        }
        let Some(index) = invite else { return };
        let unanswered = self.slots.get(index).is_some_and(|slot| match &slot.machine {
            Machine::InviteServer(machine) => !machine.is_answered(),
            _ => false,
        });
        if unanswered {
            let owner = self.slots.get(index).and_then(|slot| slot.owner);
            self.events.push_back(Event::Cancelled { id: ServerTransactionId(self.slots.id(index)), owner });
        }
    }

    fn handle_response(&mut self, now: Instant, flow: Flow, response: Response) {
        let index = ClientKey::of(&response).and_then(|key| self.clients.get(&key)).copied();
        let Some(index) = index.filter(|&index| self.sent_by_matches(index, &response)) else {
            self.counters.stray_responses += 1;
            if self.config.pass_unmatched {
                self.events.push_back(Event::StrayResponse { response, flow });
            }
            return;
        };
        let provisional = response.status().is_provisional();
        if let Some(slot) = self.slots.get_mut(index) {
            slot.heard_on = Some(flow);
        }
        self.with(now, index, |machine| match machine {
            Machine::InviteClient(machine) => machine.handle_response(now, response),
            Machine::NonInviteClient(machine) => machine.handle_response(now, response),
            Machine::InviteServer(_) | Machine::NonInviteServer(_) | Machine::Unsent(_) => {}
        });
        if provisional && self.slots.get(index).is_some_and(|slot| slot.cancel_wanted) {
            self.send_cancel(now, index);
        }
    }

    /// A response whose topmost Via is not the one that we wrote was not meant for us (RFC 3261 §18.1.2).
    fn sent_by_matches(&self, index: usize, response: &Response) -> bool {
        let via = response.via();
        self.slots.get(index).is_some_and(|slot| match &slot.role {
            Role::Client { host, port, .. } => via.host == *host && via.port == *port,
            Role::Server { .. } => false,
        })
    }

    /// Sends a request by `flow` in a client transaction of its own, and tells `owner` what becomes of it. A Via with a new branch, our
    /// address on that flow and `rport` (RFC 3581) is put in front of those that are there.
    ///
    /// # Errors
    ///
    /// [`Full`]; nothing was sent.
    pub fn request(
        &mut self,
        now: Instant,
        mut request: Request,
        flow: Flow,
        owner: Owner,
    ) -> Result<ClientTransactionId, Full> {
        if !self.has_room_for(request.method()) {
            return Err(Full { limit: self.config.max_transactions });
        }
        let via = self.new_via(flow);
        request.push_via(via);
        Ok(self.start_client(now, request, flow, Some(owner)))
    }

    fn start_client(
        &mut self,
        now: Instant,
        request: Request,
        flow: Flow,
        owner: Option<Owner>,
    ) -> ClientTransactionId {
        let via = request.via().clone();
        let branch = ByteStr::from(via.branch().unwrap_or_default());
        let key = ClientKey { branch, method: request.method().clone() };
        let role = Role::Client { key: key.clone(), host: via.host, port: via.port };
        let machine = match request.method() {
            Method::Invite => Machine::invite_client(now, self.config.timing, reliability(flow), request),
            _ => Machine::non_invite_client(now, self.config.timing, reliability(flow), &request),
        };
        let mut slot = Slot::new(machine, flow, role);
        slot.owner = owner;
        let index = self.insert(now, slot);
        self.clients.insert(key, index);
        ClientTransactionId(self.slots.id(index))
    }

    /// Sends a response in a server transaction, to where RFC 3261 §18.2.2 and RFC 3581 §4 want it. A 2xx to INVITE may be sent again.
    ///
    /// # Errors
    ///
    /// [`UnknownTransaction`]: it is over, or takes no such response any more. RFC 4320 forbids some: 408, and a late or early 1xx, to
    /// anything but INVITE.
    pub fn respond(
        &mut self,
        now: Instant,
        id: ServerTransactionId,
        mut response: Response,
    ) -> Result<(), UnknownTransaction> {
        let index = self.slots.find(id.0).ok_or(UnknownTransaction)?;
        let mut tag = None;
        if response.status() != StatusCode::TRYING {
            if response.to().tag().is_none() {
                let tag = self.slots.get(index).and_then(Slot::to_tag).unwrap_or_else(|| self.token());
                response.set_to_tag(&tag);
            }
            tag = response.to().tag().map(ByteStr::from);
        }
        let taken = self.with(now, index, |machine| match machine {
            Machine::InviteServer(machine) => machine.respond(now, &response),
            Machine::NonInviteServer(machine) => machine.respond(now, &response),
            Machine::InviteClient(_) | Machine::NonInviteClient(_) | Machine::Unsent(_) => false,
        });
        if taken != Some(true) {
            return Err(UnknownTransaction);
        }
        if let Some(tag) = tag {
            self.note_to_tag(index, &tag);
        }
        if response.status().code() >= 300 {
            self.no_longer_ongoing(index);
        }
        Ok(())
    }

    /// Refuses an INVITE whose user is gone, if it has no final response; does nothing to any other transaction.
    pub fn refuse(&mut self, now: Instant, id: ServerTransactionId, status: StatusCode) {
        let Some(slot) = self.slots.find(id.0).and_then(|index| self.slots.get(index)) else { return };
        let Machine::InviteServer(machine) = &slot.machine else { return };
        let Some(request) = machine.request() else { return };
        let response = Response::to_request(request, status).build();
        if self.respond(now, id, response).is_err() {
            tracing::debug!("an INVITE without a user was answered before");
        }
    }

    /// Names who cares about a server transaction; it comes back with its events.
    pub fn set_owner(&mut self, id: ServerTransactionId, owner: Owner) {
        if let Some(slot) = self.slots.find(id.0).and_then(|index| self.slots.get_mut(index)) {
            slot.owner = Some(owner);
        }
    }

    /// Sends the ACK for a 2xx (RFC 3261 §13.2.2.4). It has no transaction: whoever hears the 2xx again calls this again.
    pub fn acknowledge(&mut self, _now: Instant, mut ack: Request, flow: Flow) {
        let via = self.new_via(flow);
        ack.push_via(via);
        self.transmits.push_back(Transmit { flow, payload: ack.to_bytes(), id: TransmitId::STATELESS });
    }

    /// Cancels an INVITE of ours (RFC 3261 §9.1): at once if a provisional response has come, else when one comes, and not at all once it
    /// is answered. A peer that stays silent for 64 × T1 after the CANCEL is given up as [`Failure::TimedOut`](crate::Failure::TimedOut).
    pub fn cancel(&mut self, now: Instant, id: ClientTransactionId) {
        let Some(index) = self.slots.find(id.0) else { return };
        let Some(slot) = self.slots.get_mut(index) else { return };
        match &slot.machine {
            Machine::InviteClient(machine) if machine.is_proceeding() => self.send_cancel(now, index),
            Machine::InviteClient(_) => slot.cancel_wanted = true,
            Machine::Unsent(unsent) if unsent.invite => self.cancel_unsent(now, index),
            _ => {}
        }
    }

    fn send_cancel(&mut self, now: Instant, index: usize) {
        let give_up = now + self.config.timing.sixty_four_t1();
        let Some(slot) = self.slots.get_mut(index) else { return };
        let Machine::InviteClient(machine) = &mut slot.machine else { return };
        if std::mem::replace(&mut slot.cancel_sent, true) || !machine.is_proceeding() {
            return;
        }
        machine.give_up_at(give_up);
        let (cancel, flow) = (machine.cancel_request(), slot.flow);
        self.reschedule(index);
        if let Some(cancel) = cancel {
            // Its own transaction, of which nobody needs to hear: the INVITE's final response tells.
            self.start_client(now, cancel, flow, None);
        }
    }

    /// Takes in that what [`Self::poll_transmit`] handed out could not be sent (RFC 3261 §17.1.4, §17.2.4).
    pub fn handle_send_error(&mut self, now: Instant, id: TransmitId, kind: io::ErrorKind) {
        let Some(index) = self.slots.find_sender(id) else { return };
        self.with(now, index, |machine| match machine {
            Machine::InviteClient(machine) => machine.handle_send_error(kind),
            Machine::NonInviteClient(machine) => machine.handle_send_error(kind),
            Machine::InviteServer(machine) => machine.handle_send_error(kind),
            Machine::NonInviteServer(machine) => machine.handle_send_error(kind),
            Machine::Unsent(_) => {}
        });
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// Whether [`Self::poll_transmit`] has something.
    pub(crate) fn has_to_send(&self) -> bool {
        !self.transmits.is_empty()
    }

    /// The next thing that the user should know.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.first().map(|(due, _)| *due)
    }

    /// Does what is due, in the order in which it was due.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(&(due, index)) = self.timers.first() {
            if due > now {
                return;
            }
            // Out of the list first: were the machine to panic, it would not be asked again for ever.
            self.timers.remove(&(due, index));
            if let Some(slot) = self.slots.get_mut(index) {
                slot.due = None;
            }
            let fired = self.with(now, index, |machine| match machine {
                Machine::InviteClient(machine) => machine.handle_timeout(now),
                Machine::NonInviteClient(machine) => machine.handle_timeout(now),
                Machine::InviteServer(machine) => machine.handle_timeout(now),
                Machine::NonInviteServer(machine) => machine.handle_timeout(now),
                Machine::Unsent(unsent) => unsent.handle_timeout(now),
            });
            if fired.is_none() {
                // Of a slot that a panic left behind: it must not hold up the others.
                self.timers.remove(&(due, index));
            }
        }
    }

    /// How many transactions live.
    pub fn counts(&self) -> TransactionCounts {
        self.counts
    }

    /// What was dropped or refused so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// How many requests are remembered that were refused without a transaction, so that their resends are refused as well.
    pub(crate) fn refusals_remembered(&mut self, now: Instant) -> usize {
        self.refused.count(now)
    }

    /// Whether a request of this method would find room: the last tenth is kept for BYE and CANCEL.
    pub fn has_room_for(&self, method: &Method) -> bool {
        let limit = self.config.max_transactions;
        let limit =
            if matches!(method, Method::Bye | Method::Cancel) { limit } else { limit - limit / RESERVE_FRACTION };
        self.counts.total() < limit
    }

    fn insert(&mut self, now: Instant, slot: Slot) -> usize {
        *count_of(&mut self.counts, &slot.machine) += 1;
        let index = self.slots.insert(slot);
        self.with(now, index, |_| ());
        index
    }

    /// Lets a machine take something in, then carries out what it wants and renews its timer. `None` if it is gone.
    fn with<T>(&mut self, now: Instant, index: usize, input: impl FnOnce(&mut Machine) -> T) -> Option<T> {
        let result = input(&mut self.slots.get_mut(index)?.machine);
        self.drain(now, index);
        self.reschedule(index);
        Some(result)
    }

    fn drain(&mut self, now: Instant, index: usize) {
        let id = self.slots.id(index);
        loop {
            let Some(slot) = self.slots.get_mut(index) else { return };
            while let Some(payload) = slot.machine.poll_transmit() {
                let id = TransmitId(Some((id, slot.attempt)));
                self.transmits.push_back(Transmit { flow: slot.flow, payload, id });
            }
            let Some(event) = slot.machine.poll_client_event() else { break };
            let (Some(owner), flow) = (slot.owner, slot.heard_on.unwrap_or(slot.flow)) else { continue };
            // What has another way to go begins anew, and its user does not hear of the end of this one.
            if slot.search.is_some() && self.moves_on(now, index, owner, &event) {
                continue;
            }
            let id = ClientTransactionId(id);
            self.events.push_back(match event {
                ClientEvent::Response(response) => Event::Response { id, owner, response, flow },
                ClientEvent::Failed(failure) => Event::Failed { id, owner, failure },
                ClientEvent::AckNotSent(kind) => Event::AckNotSent { id, owner, kind },
            });
        }
        let Some(slot) = self.slots.get_mut(index) else { return };
        while let Some(event) = slot.machine.poll_server_event() {
            match event {
                ServerEvent::NotAcknowledged => {
                    self.events.push_back(Event::NotAcknowledged { id: ServerTransactionId(id), owner: slot.owner });
                }
                ServerEvent::SendFailed(kind) => {
                    let (id, owner) = (ServerTransactionId(id), slot.owner);
                    self.events.push_back(Event::NotSent { id, owner, kind });
                }
            }
        }
    }

    fn reschedule(&mut self, index: usize) {
        let id = self.slots.id(index);
        let Some(slot) = self.slots.get_mut(index) else { return };
        let due = slot.machine.poll_timeout();
        if slot.due != due {
            if let Some(old) = slot.due {
                self.timers.remove(&(old, index));
            }
            if let Some(new) = due {
                self.timers.insert((new, index));
            }
            slot.due = due;
        }
        if !slot.machine.is_terminated() {
            return;
        }
        let Some(slot) = self.take_out(index) else { return };
        match (slot.role, slot.owner) {
            (Role::Client { .. }, Some(owner)) => {
                self.events.push_back(Event::ClientTerminated { id: ClientTransactionId(id), owner });
            }
            (Role::Client { .. }, None) => {}
            (Role::Server { .. }, owner) => {
                self.events.push_back(Event::ServerTerminated { id: ServerTransactionId(id), owner });
            }
        }
    }

    fn note_to_tag(&mut self, index: usize, tag: &ByteStr) {
        if let Some(Role::Server { to_tag, .. }) = self.slots.get_mut(index).map(|slot| &mut slot.role) {
            *to_tag = Some(ByteStr::from(&**tag));
        }
    }

    fn new_via(&mut self, flow: Flow) -> Via {
        self.marked_via(flow, None)
    }

    /// A Via whose branch carries a mark, if there is one.
    fn marked_via(&mut self, flow: Flow, mark: Option<LoopMark>) -> Via {
        let unique = self.token();
        let mut via = match mark {
            Some(mark) => forwarding::marked_via(flow, &unique, mark),
            None => {
                let branch = format!("{}{unique}", Via::MAGIC_COOKIE);
                Via::new(flow.transport.via_name(), Host::from(flow.local.ip()), Some(flow.local.port()), &branch)
            }
        };
        via.set_rport(None);
        if self.config.alias && flow.transport == Transport::Tls {
            via.params.set("alias", None);
        }
        via
    }

    /// 128 random bits, for branches and tags.
    fn token(&mut self) -> ByteStr {
        ByteStr::from(format!("{:032x}", self.rng.random::<u128>()))
    }
}

fn count_of<'a>(counts: &'a mut TransactionCounts, machine: &Machine) -> &'a mut usize {
    match machine {
        Machine::InviteClient(_) | Machine::Unsent(Unsent { invite: true, .. }) => &mut counts.invite_client,
        Machine::NonInviteClient(_) | Machine::Unsent(_) => &mut counts.non_invite_client,
        Machine::InviteServer(_) => &mut counts.invite_server,
        Machine::NonInviteServer(_) => &mut counts.non_invite_server,
    }
}

fn reliability(flow: Flow) -> Reliability {
    if flow.transport.is_reliable() { Reliability::Reliable } else { Reliability::Unreliable }
}

/// Where the responses to a request with this topmost Via go (RFC 3261 §18.2.2, RFC 3581 §4): to the address that it came from, and to the port that it came
/// from if it asks for that, else to the one that it names. `maddr` is not followed: it would let a stranger aim our responses.
///
/// On a stream they go back by the connection; the port that the request names is where another one is opened if that is gone.
fn response_flow(via: &Via, flow: Flow) -> Flow {
    let port = match via.rport() {
        Some(_) if !flow.transport.is_reliable() => flow.remote.port(),
        _ => via.port.unwrap_or(if flow.transport == Transport::Tls { 5061 } else { 5060 }),
    };
    // On the address as it came, which keeps the zone of a link-local one.
    let mut remote = flow.remote;
    remote.set_port(port);
    Flow { remote, ..flow }
}

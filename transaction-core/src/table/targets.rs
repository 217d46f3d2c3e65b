//! Requests that find their own way: located first, and sent to one target after the other (RFC 3263 §4.3).

use std::time::Instant;

use blether_sip_core::{ByteStr, Host, Method, Request};
use blether_sip_transport::resolve::Destination;
use blether_sip_transport::{Flow, Transport};

use super::{Full, Transactions, reliability};
use crate::event::Attempt;
use crate::invite_client::ClientEvent;
use crate::key::ClientKey;
use crate::search::{MovedOn, Onward, Progress, Search};
use crate::slot::{Machine, Role, Slot, Unsent};
use crate::{ClientTransactionId, Event, Failure, Inquiry, LoopMark, NoTarget, Owner};

/// Targets that are remembered as failing: some 100 kB.
pub(super) const MAX_FAILING: usize = 1_024;

/// A request over this size is too large for a datagram where the path's MTU is not known, in bytes (RFC 3261 §18.1.1).
const LARGEST_DATAGRAM: usize = 1_300;

/// How much smaller than the path's MTU a request has to be, in bytes (RFC 3261 §18.1.1): its response may be larger.
const MTU_RESERVE: usize = 200;

impl Transactions {
    /// Sends a request to a destination (RFC 3263): asks by [`Self::poll_inquiry`] where that is, and sends it to the first of the ways that
    /// [`Self::handle_located`] is given. If that fails (RFC 3263 §4.3: 503, a transport error, a time-out without any response), it is sent to the
    /// next, in a new transaction with a branch of its own. To the user all of that is one transaction: it keeps its id, [`Self::cancel`] reaches the
    /// target in use, there is one final outcome, and [`Event::Located`] and [`Event::MovedOn`] tell which target it is. Once it is cancelled, no other target is tried.
    ///
    /// A target that has failed is tried after the others for a while. A request that is too large for a datagram goes by TCP, and by UDP after all
    /// if TCP is refused (RFC 3261 §18.1.1), not if there is no answer or a 503 by TCP. Nothing of that concerns [`Self::request`]: a flow is a flow (RFC 5626).
    ///
    /// Where nothing is located within 64 × T1, or leads anywhere, the outcome is [`Failure::NoTarget`].
    ///
    /// # Errors
    ///
    /// [`Full`]; nothing was asked or sent.
    pub fn request_to(
        &mut self,
        now: Instant,
        request: Request,
        destination: Destination,
        owner: Owner,
    ) -> Result<ClientTransactionId, Full> {
        self.inquire(now, Search::new(request), destination, Some(owner))
    }

    /// [`Self::request_to`] of a request that is forwarded: the branch of each of its transactions carries `mark`, by which a loop is known (RFC 3261
    /// §16.6 step 8), and `prepare` puts into each copy, which has no Via of ours yet, what depends on the flow by which it goes: Record-Route names
    /// the address that faces the next hop (RFC 5658 §5).
    ///
    /// # Errors
    ///
    /// As [`Self::request_to`].
    pub fn forward_to(
        &mut self,
        now: Instant,
        request: Request,
        onward: Onward,
        owner: Owner,
        mark: LoopMark,
        prepare: impl Fn(&mut Request, Flow) + Send + 'static,
    ) -> Result<ClientTransactionId, Full> {
        let search = Search::forwarded(request, onward.may_lead_inside, mark, Some(Box::new(prepare)));
        self.inquire(now, search, onward.destination, Some(owner))
    }

    /// [`Self::forward_ack`] to a destination: asks by [`Self::poll_inquiry`] where that is, and sends the ACK by the first way that
    /// [`Self::handle_located`] is given. Nobody is told what became of it: if it is lost, the 2xx comes again, and another ACK.
    ///
    /// # Errors
    ///
    /// As [`Self::request_to`].
    pub fn forward_ack_to(&mut self, now: Instant, ack: Request, onward: Onward, mark: LoopMark) -> Result<(), Full> {
        let search = Search::forwarded(ack, onward.may_lead_inside, mark, None);
        self.inquire(now, search, onward.destination, None).map(|_| ())
    }

    fn inquire(
        &mut self,
        now: Instant,
        search: Search,
        destination: Destination,
        owner: Option<Owner>,
    ) -> Result<ClientTransactionId, Full> {
        let call_id = search.call_id().clone();
        let index = self.insert_unsent(now, search, owner)?;
        let id = ClientTransactionId(self.slots.id(index));
        self.inquiries.push_back(Inquiry { id, destination, call_id });
        Ok(id)
    }

    /// Sends a request by the first of several ways, as [`Self::request_to`] does once it knows them.
    ///
    /// # Errors
    ///
    /// As [`Self::request_to`].
    pub fn request_by(
        &mut self,
        now: Instant,
        request: Request,
        flows: Vec<Flow>,
        owner: Owner,
    ) -> Result<ClientTransactionId, Full> {
        let index = self.insert_unsent(now, Search::new(request), Some(owner))?;
        let id = ClientTransactionId(self.slots.id(index));
        self.handle_located(now, id, Ok(flows));
        Ok(id)
    }

    /// The next thing that is to be located. To be drained as [`Self::poll_event`] is.
    pub fn poll_inquiry(&mut self) -> Option<Inquiry> {
        self.inquiries.pop_front()
    }

    /// Takes in the ways that lead to the destination of a request, in the order in which they are to be tried; none is as good as
    /// [`NoTarget::NoAddress`]. Of a request that has been located, cancelled or given up nothing happens.
    pub fn handle_located(&mut self, now: Instant, id: ClientTransactionId, located: Result<Vec<Flow>, NoTarget>) {
        let Some(index) = self.slots.find(id.0) else { return };
        let Some(slot) = self.slots.get_mut(index) else { return };
        if !matches!(slot.machine, Machine::Unsent(_)) {
            return;
        }
        let why = match located {
            Ok(flows) => {
                if let Some(search) = &mut slot.search {
                    search.set_ways(now, flows, &self.failing);
                    if *search.method() == Method::Ack {
                        return self.send_located_ack(index);
                    }
                }
                let owner = slot.owner;
                if let (Some(flow), Some(owner)) = (self.take_next_way(now, index), owner) {
                    self.events.push_back(Event::Located { id, owner, flow });
                    self.with(now, index, |_| ());
                    return;
                }
                NoTarget::NoAddress
            }
            Err(why) => why,
        };
        self.counters.no_target += 1;
        self.with(now, index, |machine| {
            if let Machine::Unsent(unsent) = machine {
                unsent.fail(Failure::NoTarget(why));
            }
        });
    }

    /// Sends an ACK by its first way; it has no transaction, and what has waited for the way is over.
    fn send_located_ack(&mut self, index: usize) {
        let Some(mut search) = self.take_out(index).and_then(|slot| slot.search) else { return };
        match (search.next(), search.mark) {
            (Some(way), Some(mark)) => self.forward_ack(search.copy_for(way.flow), way.flow, mark),
            _ => self.counters.no_target += 1,
        }
    }

    /// Ends an INVITE that has not been sent.
    pub(super) fn cancel_unsent(&mut self, now: Instant, index: usize) {
        self.with(now, index, |machine| {
            if let Machine::Unsent(unsent) = machine {
                unsent.fail(Failure::Cancelled);
            }
        });
    }

    fn insert_unsent(&mut self, now: Instant, search: Search, owner: Option<Owner>) -> Result<usize, Full> {
        let method = search.method().clone();
        if !self.has_room_for(&method) {
            return Err(Full { limit: self.config.max_transactions });
        }
        let invite = method == Method::Invite;
        let unsent = Unsent::new(invite, now + self.config.timing.sixty_four_t1());
        // Without a branch nothing matches it, and it is in no table.
        let key = ClientKey { branch: ByteStr::from(""), method };
        let nowhere = Flow::udp(([0, 0, 0, 0], 0).into(), ([0, 0, 0, 0], 0).into());
        let role = Role::Client { key, host: Host::from(nowhere.local.ip()), port: None };
        let mut slot = Slot::new(Machine::Unsent(unsent), nowhere, role);
        slot.owner = owner;
        slot.search = Some(Box::new(search));
        Ok(self.insert(now, slot))
    }

    /// Takes in what a transaction with several ways to go says; whether it has taken the next, so that its user need not hear of it.
    pub(super) fn moves_on(&mut self, now: Instant, index: usize, owner: Owner, event: &ClientEvent) -> bool {
        let Some(slot) = self.slots.get_mut(index) else { return false };
        let (flow, unsent) = (slot.flow, matches!(slot.machine, Machine::Unsent(_)));
        let cancelled = slot.cancel_wanted || slot.cancel_sent;
        let Some(search) = &mut slot.search else { return false };
        let why = match search.handle(event) {
            _ if unsent => return false,
            Progress::Goes => return false,
            Progress::Over => {
                slot.search = None;
                self.failing.note_answer(flow.transport, flow.remote);
                self.without_tcp.note_answer(flow.transport, flow.remote);
                return false;
            }
            Progress::Failed(why) => why,
        };
        search.note_failure(why);
        if flow.transport == Transport::Tcp && matches!(why, MovedOn::Failed(Failure::Transport(_))) {
            self.without_tcp.note_failure(now, flow.transport, flow.remote, None);
        }
        let more = search.has_more() && !cancelled;
        // A cancelled INVITE that nobody has answered says as much of its target as any other.
        let retry_after = if let MovedOn::Unavailable { retry_after } = why { retry_after } else { None };
        self.failing.note_failure(now, flow.transport, flow.remote, retry_after);
        if !more {
            slot.search = None;
            return false;
        }
        let Some(flow) = self.take_next_way(now, index) else { return false };
        self.counters.moved_on += 1;
        let id = ClientTransactionId(self.slots.id(index));
        tracing::debug!(%flow, %why, "a request is sent again by another way");
        self.events.push_back(Event::MovedOn { id, owner, flow, why });
        true
    }

    /// Whether a request is too large for a datagram (RFC 3261 §18.1.1), and TCP could be had there when it was last tried.
    fn is_too_large(&self, now: Instant, request: &Request, flow: Flow) -> bool {
        let limit = self.config.path_mtu.map_or(LARGEST_DATAGRAM, |mtu| mtu.saturating_sub(MTU_RESERVE));
        self.config.streams
            && flow.transport == Transport::Udp
            && request.to_bytes().len() > limit
            && !self.without_tcp.is_failing(now, Transport::Tcp, flow.remote)
    }

    /// Puts a transaction with the next way in the place of the one that is there. That one goes on elsewhere, without a user, if it still has
    /// resends of its final response to absorb and to acknowledge.
    fn take_next_way(&mut self, now: Instant, index: usize) -> Option<Flow> {
        let search = self.slots.get_mut(index)?.search.as_mut()?;
        let (way, mark) = (search.next()?, search.mark);
        let mut flow = way.flow;
        let mut request = search.copy_for(flow);
        request.push_via(self.marked_via(flow, mark));
        if !way.whatever_size && self.is_too_large(now, &request, flow) {
            self.counters.too_large_for_udp += 1;
            let search = self.slots.get_mut(index)?.search.as_mut()?;
            search.fall_back_to(flow);
            flow.transport = Transport::Tcp;
            request = search.copy_for(flow);
            request.push_via(self.marked_via(flow, mark));
        }
        let (key, role) = client_role(&request);
        let machine = match request.method() {
            Method::Invite => Machine::invite_client(now, self.config.timing, reliability(flow), request),
            _ => Machine::non_invite_client(now, self.config.timing, reliability(flow), &request),
        };
        let slot = self.slots.get_mut(index)?;
        slot.attempt = Attempt(slot.attempt.0.wrapping_add(1));
        let before = std::mem::replace(&mut slot.machine, machine);
        let before_role = std::mem::replace(&mut slot.role, role);
        let before_flow = std::mem::replace(&mut slot.flow, flow);
        let before_connection = slot.sent_by.take();
        slot.heard_on = None;
        if let Some(connection) = before_connection {
            self.forget_sent_by(connection, index);
        }
        self.clients.insert(key, index);
        if let Role::Client { key, .. } = &before_role {
            let key = key.clone();
            self.clients.remove(&key);
            if !before.is_terminated() && !matches!(before, Machine::Unsent(_)) {
                let goes_on = self.insert(now, Slot::new(before, before_flow, before_role));
                self.clients.insert(key, goes_on);
            }
        }
        Some(flow)
    }
}

/// Under which key a request of ours is found, and what its Via says.
fn client_role(request: &Request) -> (ClientKey, Role) {
    let via = request.via().clone();
    let branch = ByteStr::from(via.branch().unwrap_or_default());
    let key = ClientKey { branch, method: request.method().clone() };
    (key.clone(), Role::Client { key, host: via.host, port: via.port })
}

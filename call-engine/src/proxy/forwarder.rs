//! The proxy of one shard: it takes events of the transactions, and carries out what the response contexts want.

mod admission;
mod events;
mod sending;
mod stateless;

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use blether_sip_core::{ByteStr, Method, Request, Response};
use blether_sip_transport::Flow;
use blether_transaction_core::{
    ClientTransactionId, Event, LoopDetector, LoopMark, Onward, Owner, ServerTransactionId, Transactions,
};
use metrics::Counter;
use rand::rngs::StdRng;

use super::Refusal;
use super::context::{Action, Patience, ResponseContext};
use super::forwarding::{Changes, copy};
use super::meters::Meters;
use super::next_hop::{NextHop, NextHops};
use super::reading::{Caller, is_local, is_same_end, onward, opens_dialog};
use super::routes::{Here, Preprocessed, preprocess};
use super::routing::{Asked, Barred, Routed, Routing};
use super::target::{Plan, Target};
use super::token::TokenKey;
use super::validation::{Checked, check};
use crate::engine::LineBudget;

/// Bits of an owner's number that name the branch; the server transaction has all of them set.
const BRANCH_BITS: u32 = 16;
const SERVER: u64 = (1 << BRANCH_BITS) - 1;

/// How long a request within a dialog may ring, which it seldom does: a re-INVITE that asks a person.
const PATIENCE_IN_DIALOG: Patience = Patience { ring_for: Duration::from_secs(180), timer_c: Duration::from_secs(181) };

/// Where a proxy stands.
#[derive(Debug)]
pub(crate) struct ProxyPlace<'a> {
    /// Where the endpoint listens.
    pub(crate) local: &'a [SocketAddr],
    /// Where it listens for TLS.
    pub(crate) tls: &'a [SocketAddr],
    /// The address that peers know in place of these.
    pub(crate) advertise: Option<IpAddr>,
    /// Whether TCP is spoken.
    pub(crate) tcp: bool,
}

/// The proxy of one shard.
pub(crate) struct Proxy<R> {
    routing: R,
    key: Arc<TokenKey>,
    hops: NextHops,
    loops: LoopDetector,
    entries: HashMap<u64, Entry>,
    last: u64,
    timers: BTreeSet<(Instant, u64)>,
    meters: Meters,
    /// Strangers can have as much refused as they send.
    refusals: LineBudget,
}

/// A response context and its transactions.
struct Entry {
    context: ResponseContext,
    server: Option<ServerTransactionId>,
    /// By branch; `None` of one that is over, or never was.
    clients: Vec<Option<ClientTransactionId>>,
    came_by: Flow,
    mark: LoopMark,
    /// The realm whose credentials go no further.
    realm: Option<ByteStr>,
    /// What to say of its dialog in Record-Route; `None` where we need not stay in its path.
    record: Option<Caller>,
    due: Option<Instant>,
}

impl<R: Routing> Proxy<R> {
    pub(crate) fn new(routing: R, key: Arc<TokenKey>, place: &ProxyPlace<'_>, rng: &mut StdRng) -> Self {
        Self {
            routing,
            key,
            hops: NextHops::new(place),
            loops: LoopDetector::new(rng),
            entries: HashMap::new(),
            last: 0,
            timers: BTreeSet::new(),
            meters: Meters::new(),
            refusals: LineBudget::default(),
        }
    }

    /// How many response contexts live.
    #[cfg(test)]
    pub(super) fn contexts(&self) -> usize {
        self.entries.len()
    }

    /// What is this server, to a peer that knows it as `came_by` has it.
    fn here(&self, came_by: Flow) -> Here<'_, R> {
        Here { hops: &self.hops, routing: &self.routing, came_by }
    }

    /// Takes a request, or hands it back.
    fn on_request(
        &mut self,
        now: Instant,
        id: ServerTransactionId,
        request: Request,
        flow: Flow,
        transactions: &mut Transactions,
    ) -> Option<Event> {
        if *request.method() == Method::Cancel {
            return self.on_cancel(now, id, &request, flow, transactions);
        }
        let pre = match preprocess(&request, &self.here(flow), &self.key) {
            Ok(pre) => pre,
            Err(refusal) => return self.refuse(now, id, &request, &refusal, transactions),
        };
        if pre.dialog.is_some() && request.to_tag().is_none() {
            // A route set is for its dialog: what opens another has to ask anew.
            return self.refuse(now, id, &request, &Refusal::ForgedToken, transactions);
        }
        if pre.dialog.is_some() {
            return self.in_dialog(now, id, &request, pre, flow, transactions);
        }
        // One that another registrar has sent by a Path of ours: its phone is at the other end of that flow (RFC 5626 §5.3.1). Who comes from that phone is
        // not on its way there (§5.3.2).
        if let Some(phone) = pre.path.filter(|phone| !is_same_end(*phone, flow)) {
            let target = Target { flow: Some(phone), ..Target::of_uri(pre.request.uri().clone()) };
            let counter = self.meters.by_path.clone();
            return self.along(now, id, &request, (pre.request, counter), (target, flow), transactions);
        }
        if request.to_tag().is_some() {
            return Some(Event::Request { id, request, flow });
        }
        let asked = Asked { received: &request, request: &pre.request, came_by: flow, has_routes: pre.has_routes };
        let plan = match self.routing.route(now, asked) {
            Routed::NotForwarded => return Some(Event::Request { id, request, flow }),
            Routed::Refused(refusal) => return self.refuse(now, id, &request, &refusal, transactions),
            Routed::Answered { response, stateless } => {
                return answer(now, id, *response, stateless, transactions);
            }
            Routed::To(plan) => plan,
        };
        if plan.stateless
            && let Some(target) = plan.targets.first()
        {
            let (messages, way) = ((&request, &pre.request), (target, plan.realm.as_ref()));
            return self.pass_stateless(now, id, messages, way, flow, transactions);
        }
        let checked = match check(&request, &self.loops) {
            Ok(checked) => checked,
            Err(refusal) => return self.refuse(now, id, &request, &refusal, transactions),
        };
        let Plan { targets, fork, ring_for, timer_c, realm, .. } = *plan;
        let groups = fork.groups(targets, checked.breadth);
        if groups.is_empty() {
            return self.refuse(now, id, &request, &Refusal::NobodyThere, transactions);
        }
        self.meters.taken.increment(1);
        let record = opens_dialog(&request).then(|| Caller::of(&request, flow, realm.is_some()));
        let context = ResponseContext::new(now, pre.request, groups, checked.breadth, Patience { ring_for, timer_c });
        self.open(now, id, context, Opening { came_by: flow, mark: checked.mark, realm, record }, transactions);
        None
    }

    /// A request within a dialog that a Record-Route of ours has led here: to the other end, by its flow or by what is left of its routes.
    fn in_dialog(
        &mut self,
        now: Instant,
        id: ServerTransactionId,
        received: &Request,
        pre: Preprocessed,
        flow: Flow,
        transactions: &mut Transactions,
    ) -> Option<Event> {
        let target = onward(&pre);
        match self.admit(now, received, &pre, &target, flow) {
            Ok(()) => {}
            Err(Barred::Refused(refusal)) => return self.refuse(now, id, received, &refusal, transactions),
            Err(Barred::Answered { response, stateless }) => {
                return answer(now, id, *response, stateless, transactions);
            }
        }
        if pre.dialog.is_some_and(|dialog| dialog.stateless) {
            return self.pass_stateless(now, id, (received, &pre.request), (&target, None), flow, transactions);
        }
        let counter = self.meters.in_dialog.clone();
        self.along(now, id, received, (pre.request, counter), (target, flow), transactions)
    }

    /// A request that has one way to go, and where it is counted.
    fn along(
        &mut self,
        now: Instant,
        id: ServerTransactionId,
        received: &Request,
        (request, counter): (Request, Counter),
        (target, flow): (Target, Flow),
        transactions: &mut Transactions,
    ) -> Option<Event> {
        let Checked { mark, breadth } = match check(received, &self.loops) {
            Ok(checked) => checked,
            Err(refusal) => return self.refuse(now, id, received, &refusal, transactions),
        };
        counter.increment(1);
        let record = opens_dialog(&request).then(|| Caller::of(received, flow, false));
        let context = ResponseContext::new(now, request, vec![vec![target]], breadth, PATIENCE_IN_DIALOG);
        self.open(now, id, context, Opening { came_by: flow, mark, realm: None, record }, transactions);
        None
    }

    fn on_ack(&mut self, now: Instant, request: Request, flow: Flow, transactions: &mut Transactions) -> Option<Event> {
        // An ACK is never answered: whatever is wrong with it, it is dropped.
        let pre = match preprocess(&request, &self.here(flow), &self.key) {
            Ok(pre) if pre.dialog.is_some() => pre,
            Ok(_) if self.on_stateless_ack(now, &request, flow, transactions) => return None,
            Ok(_) => return Some(Event::Ack { request, flow }),
            Err(refusal) => {
                self.meters.refused(&refusal);
                return None;
            }
        };
        let checked = match check(&request, &self.loops) {
            Ok(checked) => checked,
            Err(refusal) => {
                self.meters.refused(&refusal);
                tracing::debug!(call_id = %request.call_id(), %refusal, "an ACK is not forwarded");
                return None;
            }
        };
        let target = onward(&pre);
        if let Err(refusal) = self.admit_ack(now, &pre, &target, flow) {
            self.meters.refused(&refusal);
            tracing::debug!(call_id = %request.call_id(), %refusal, "an ACK is not forwarded");
            return None;
        }
        let changes =
            Changes { path: None, uri: None, route: &[], breadth: None, realm: None, came_by: flow, goes_by: None };
        let sent = copy(&pre.request, &changes, &self.routing).and_then(|ack| {
            let next = self.way(&ack, &target, flow)?;
            Ok((ack, next))
        });
        match sent {
            Ok((ack, NextHop::By(goes_by))) => transactions.forward_ack(ack, goes_by, checked.mark),
            Ok((ack, NextHop::To(destination))) => {
                let onward = Onward { destination, may_lead_inside: is_local(flow) };
                if transactions.forward_ack_to(now, ack, onward, checked.mark).is_err() {
                    tracing::debug!(call_id = %request.call_id(), "no room to locate where an ACK goes");
                }
            }
            Err(refusal) => {
                self.meters.refused(&refusal);
                tracing::debug!(call_id = %request.call_id(), %refusal, "an ACK is not forwarded");
            }
        }
        None
    }

    fn refuse(
        &mut self,
        now: Instant,
        id: ServerTransactionId,
        request: &Request,
        refusal: &Refusal,
        transactions: &mut Transactions,
    ) -> Option<Event> {
        self.meters.refused(refusal);
        if let Some(left_out) = self.refusals.take(now) {
            tracing::info!(call_id = %request.call_id(), uri = %request.uri(), %refusal, left_out, "not forwarded");
        }
        if transactions.respond_and_forget(now, id, refusal.response(request)).is_err() {
            tracing::debug!(call_id = %request.call_id(), "its sender has stopped waiting");
        }
        None
    }

    fn open(
        &mut self,
        now: Instant,
        server: ServerTransactionId,
        context: ResponseContext,
        opening: Opening,
        transactions: &mut Transactions,
    ) {
        self.last += 1;
        let key = self.last;
        transactions.set_owner(server, owner(key, SERVER));
        let Opening { came_by, mark, realm, record } = opening;
        let entry =
            Entry { context, server: Some(server), clients: Vec::new(), came_by, mark, realm, record, due: None };
        self.entries.insert(key, entry);
        self.meters.contexts.increment(1.0);
        self.carry_out(now, key, transactions);
    }

    /// Lets a context take something in, and does what comes of it.
    fn with(&mut self, now: Instant, key: u64, transactions: &mut Transactions, input: impl FnOnce(&mut Entry)) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        input(entry);
        self.carry_out(now, key, transactions);
    }

    fn carry_out(&mut self, now: Instant, key: u64, transactions: &mut Transactions) {
        while let Some(action) = self.entries.get_mut(&key).and_then(|entry| entry.context.poll_action()) {
            match action {
                Action::Forward { branch, target, breadth } => {
                    self.forward(now, key, branch, &target, breadth, transactions);
                }
                Action::Cancel { branch } => {
                    let client = self.entries.get(&key).and_then(|entry| entry.clients.get(branch).copied().flatten());
                    if let Some(client) = client {
                        self.meters.cancelled.increment(1);
                        transactions.cancel(now, client);
                    }
                }
                Action::Respond(response) => self.respond(now, key, response, transactions),
            }
        }
        self.reschedule(key);
    }

    fn reschedule(&mut self, key: u64) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        let due = entry.context.poll_timeout();
        if entry.due != due {
            if let Some(old) = entry.due {
                self.timers.remove(&(old, key));
            }
            if let Some(new) = due {
                self.timers.insert((new, key));
            }
            entry.due = due;
        }
    }
}

/// What is noted of a request when its context opens.
struct Opening {
    came_by: Flow,
    mark: LoopMark,
    realm: Option<ByteStr>,
    record: Option<Caller>,
}

/// Sends an answer that was made elsewhere.
fn answer(
    now: Instant,
    id: ServerTransactionId,
    response: Response,
    stateless: bool,
    transactions: &mut Transactions,
) -> Option<Event> {
    let call_id = response.call_id().clone();
    let answered = match stateless {
        true => transactions.respond_and_forget(now, id, response),
        false => transactions.respond(now, id, response),
    };
    if answered.is_err() {
        tracing::debug!(%call_id, "its sender has stopped waiting");
    }
    None
}

fn owner(key: u64, branch: u64) -> Owner {
    Owner::of_interceptor(key << BRANCH_BITS | branch.min(SERVER))
}

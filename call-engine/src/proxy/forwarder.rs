//! The proxy of one shard: it takes events of the transactions, and carries out what the response contexts want.

mod stateless;

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use blether_sip_core::{ByteStr, HeaderName, MaxBreadth, Method, Request, Response, Route, StatusCode};
use blether_sip_transport::Flow;
use blether_transaction_core::{
    ClientTransactionId, Event, Interceptor, LoopDetector, LoopMark, Owner, ServerTransactionId, Transactions,
};
use rand::rngs::StdRng;

use super::context::{Action, Patience, ResponseContext};
use super::forwarding::{Changes, copy};
use super::meters::Meters;
use super::next_hop::{NextHops, uri_of_ours};
use super::reading::{Caller, is_first_hop, is_same_end, onward, opens_dialog, wants_path};
use super::routes::{Here, Preprocessed, preprocess};
use super::routing::{Asked, Routed, Routing};
use super::target::{Plan, Target};
use super::token::{DialogToken, Token, TokenKey};
use super::validation::{Checked, check};
use super::{Refusal, validation};

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
            hops: NextHops::new(place.local, place.advertise, place.tcp),
            loops: LoopDetector::new(rng),
            entries: HashMap::new(),
            last: 0,
            timers: BTreeSet::new(),
            meters: Meters::new(),
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
            return self.along(now, id, &request, pre.request, (target, flow), transactions);
        }
        if request.to_tag().is_some() {
            return Some(Event::Request { id, request, flow });
        }
        let asked = Asked { received: &request, request: &pre.request, came_by: flow, has_routes: pre.has_routes };
        let plan = match self.routing.route(now, asked) {
            Routed::NotForwarded => return Some(Event::Request { id, request, flow }),
            Routed::Refused(refusal) => return self.refuse(now, id, &request, &refusal, transactions),
            Routed::Answered { response, stateless } => {
                let answered = match stateless {
                    true => transactions.respond_and_forget(now, id, *response),
                    false => transactions.respond(now, id, *response),
                };
                if answered.is_err() {
                    tracing::debug!(call_id = %request.call_id(), "its sender has stopped waiting");
                }
                return None;
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
        let record = opens_dialog(&request).then(|| Caller::of(&request, flow));
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
        if pre.dialog.is_some_and(|dialog| dialog.stateless) {
            return self.pass_stateless(now, id, (received, &pre.request), (&target, None), flow, transactions);
        }
        self.along(now, id, received, pre.request, (target, flow), transactions)
    }

    /// A request that has one way to go.
    fn along(
        &mut self,
        now: Instant,
        id: ServerTransactionId,
        received: &Request,
        request: Request,
        (target, flow): (Target, Flow),
        transactions: &mut Transactions,
    ) -> Option<Event> {
        let Checked { mark, breadth } = match validation::check(received, &self.loops) {
            Ok(checked) => checked,
            Err(refusal) => return self.refuse(now, id, received, &refusal, transactions),
        };
        self.meters.in_dialog.increment(1);
        let record = opens_dialog(&request).then(|| Caller::of(received, flow));
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
        self.meters.in_dialog.increment(1);
        let target = onward(&pre);
        let changes = Changes {
            path: None,
            uri: None,
            route: &[],
            breadth: None,
            record: None,
            realm: None,
            from_outside: false,
        };
        let sent = copy(&pre.request, &changes).and_then(|ack| {
            let goes_by = self.way(&ack, &target, flow)?;
            Ok((ack, goes_by))
        });
        match sent {
            Ok((ack, goes_by)) => transactions.forward_ack(ack, goes_by, checked.mark),
            Err(refusal) => {
                self.meters.refused(&refusal);
                tracing::info!(call_id = %request.call_id(), %refusal, "an ACK is not forwarded");
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
        tracing::info!(call_id = %request.call_id(), uri = %request.uri(), %refusal, "not forwarded");
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

    fn forward(
        &mut self,
        now: Instant,
        key: u64,
        branch: usize,
        target: &Target,
        breadth: MaxBreadth,
        transactions: &mut Transactions,
    ) {
        let sent = self.send(now, key, branch, target, breadth, transactions);
        let Some(entry) = self.entries.get_mut(&key) else { return };
        if entry.clients.len() <= branch {
            entry.clients.resize(branch + 1, None);
        }
        match sent {
            Ok(client) => {
                self.meters.branches.increment(1);
                if let Some(place) = entry.clients.get_mut(branch) {
                    *place = Some(client);
                }
            }
            Err(refusal) => {
                let call_id = entry.context.request().call_id();
                tracing::info!(%call_id, target = %target.uri, why = %refusal.why(), "a target cannot be reached");
                let status = refusal.status();
                entry.context.fail(now, branch, status);
            }
        }
    }

    fn send(
        &mut self,
        now: Instant,
        key: u64,
        branch: usize,
        target: &Target,
        breadth: MaxBreadth,
        transactions: &mut Transactions,
    ) -> Result<ClientTransactionId, NotSent> {
        let Self { entries, hops, key: token_key, .. } = self;
        let entry = entries.get(&key).ok_or(NotSent::NoRoom)?;
        let request = entry.context.request();
        let came_by = entry.came_by;
        let goes_by = way(hops, request, target, came_by).map_err(NotSent::Refused)?;
        let token = entry.record.map(|Caller { tag, flow }| {
            let dialog =
                DialogToken { caller_tag: tag, caller: flow, callee: target.flow_of_dialog(), stateless: false };
            token_key.seal(Token::Dialog(dialog), request.call_id().as_bytes())
        });
        let path = wants_path(request).then(|| {
            let token = token_key.seal(Token::Path(came_by), &[]);
            let mut uri = uri_of_ours(&token, came_by.local, came_by.transport);
            // Whether we are the first that it passes, which alone has its flow (RFC 5626 §5.1).
            if is_first_hop(request) {
                uri.params.set("ob", None);
            }
            uri
        });
        let changes = Changes {
            path,
            uri: Some(&target.uri),
            route: &target.route,
            breadth: Some(breadth),
            record: token.as_deref().map(|token| (token, came_by, goes_by)),
            realm: entry.realm.as_ref(),
            // Within a dialog its parties tell each other what they like.
            from_outside: request.to_tag().is_none(),
        };
        let copy = copy(request, &changes).map_err(NotSent::Refused)?;
        let number = u64::try_from(branch).unwrap_or(SERVER);
        transactions.forward(now, copy, goes_by, owner(key, number), entry.mark).map_err(|_| NotSent::NoRoom)
    }

    /// The flow by which a request goes on to a target.
    fn way(&mut self, request: &Request, target: &Target, came_by: Flow) -> Result<Flow, Refusal> {
        way(&mut self.hops, request, target, came_by)
    }

    fn respond(&mut self, now: Instant, key: u64, response: Response, transactions: &mut Transactions) {
        let Some(entry) = self.entries.get(&key) else { return };
        let Some(server) = entry.server else { return };
        let status = response.status();
        if status.is_final() && *entry.context.request().method() == Method::Invite {
            let branches = entry.clients.len();
            tracing::info!(call_id = %response.call_id(), status = status.code(), branches, "a call was forwarded");
        }
        let sent = match status.code() {
            ..300 => transactions.forward_response(now, server, &response),
            // One of ours gets a tag; one that is passed on has one.
            _ => transactions.respond(now, server, response),
        };
        if sent.is_err() {
            // RFC 4320: no 408 and no late 1xx to anything but INVITE. Else the sender has stopped waiting.
            tracing::debug!(status = status.code(), "a response is not passed on");
        }
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

    fn server_terminated(&mut self, key: u64) {
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.server = None;
        }
        self.forget_if_over(key);
    }

    fn client_terminated(&mut self, key: u64, branch: u64) {
        let branch = usize::try_from(branch).unwrap_or(usize::MAX);
        if let Some(place) = self.entries.get_mut(&key).and_then(|entry| entry.clients.get_mut(branch)) {
            *place = None;
        }
        self.forget_if_over(key);
    }

    /// A context is kept until all of its transactions are over (RFC 3261 §16.7 step 9).
    fn forget_if_over(&mut self, key: u64) {
        let over = |entry: &Entry| entry.server.is_none() && entry.clients.iter().all(Option::is_none);
        if self.entries.get(&key).is_some_and(over)
            && let Some(entry) = self.entries.remove(&key)
        {
            self.meters.contexts.decrement(1.0);
            if let Some(due) = entry.due {
                self.timers.remove(&(due, key));
            }
        }
    }
}

impl<R: Routing> Interceptor for Proxy<R> {
    fn on_event(&mut self, now: Instant, event: Event, transactions: &mut Transactions) -> Option<Event> {
        let named = match &event {
            Event::Request { .. } | Event::Ack { .. } | Event::StrayResponse { .. } => None,
            Event::Response { owner, .. }
            | Event::Failed { owner, .. }
            | Event::AckNotSent { owner, .. }
            | Event::ClientTerminated { owner, .. } => Some(*owner),
            Event::Cancelled { owner, .. }
            | Event::NotAcknowledged { owner, .. }
            | Event::NotSent { owner, .. }
            | Event::ServerTerminated { owner, .. } => *owner,
            _ => return Some(event),
        };
        match (event, named.map(Owner::number_of_interceptor)) {
            (Event::Request { id, request, flow }, _) => self.on_request(now, id, request, flow, transactions),
            (Event::Ack { request, flow }, _) => self.on_ack(now, request, flow, transactions),
            (Event::StrayResponse { response, flow }, _) => {
                self.on_stray_response(response, flow, transactions);
                None
            }
            (event, Some(Some(number))) => {
                let (key, branch) = (number >> BRANCH_BITS, number & SERVER);
                let at = usize::try_from(branch).unwrap_or(usize::MAX);
                match event {
                    Event::Response { response, .. } => {
                        self.with(now, key, transactions, |entry| entry.context.handle_response(now, at, response));
                    }
                    Event::Failed { failure, .. } => {
                        self.with(now, key, transactions, |entry| entry.context.handle_failure(now, at, failure));
                    }
                    Event::Cancelled { .. } => {
                        self.with(now, key, transactions, |entry| entry.context.handle_cancelled(now));
                    }
                    Event::ServerTerminated { .. } => self.server_terminated(key),
                    Event::ClientTerminated { .. } => self.client_terminated(key, branch),
                    // A response that could not be sent is dropped (§16.9), and nobody waits for an ACK here.
                    _ => {}
                }
                None
            }
            (event, _) => Some(event),
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.timers.first().map(|(due, _)| *due)
    }

    fn handle_timeout(&mut self, now: Instant, transactions: &mut Transactions) {
        while let Some(&(due, key)) = self.timers.first() {
            if due > now {
                return;
            }
            // Out of the list first: were something to panic, it would not be asked again for ever.
            self.timers.remove(&(due, key));
            if let Some(entry) = self.entries.get_mut(&key) {
                entry.due = None;
            }
            self.with(now, key, transactions, |entry| entry.context.handle_timeout(now));
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

/// Why a branch was not opened.
enum NotSent {
    Refused(Refusal),
    NoRoom,
}

impl NotSent {
    fn status(&self) -> StatusCode {
        match self {
            Self::Refused(refusal) => refusal.status(),
            Self::NoRoom => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn why(&self) -> String {
        match self {
            Self::Refused(refusal) => refusal.to_string(),
            Self::NoRoom => "no room for a transaction".to_owned(),
        }
    }
}

fn owner(key: u64, branch: u64) -> Owner {
    Owner::of_interceptor(key << BRANCH_BITS | branch.min(SERVER))
}

/// The flow by which a request goes on to a target: its own, else what the first proxy on its way says, else its first Route that is left, else the URI of
/// the target (RFC 3261 §16.6 step 7). Of a strict router, its URI is the Request-URI by then.
fn way(hops: &mut NextHops, request: &Request, target: &Target, came_by: Flow) -> Result<Flow, Refusal> {
    if let Some(flow) = target.flow {
        return Ok(flow);
    }
    if let Some(proxy) = target.route.first() {
        return hops.find(proxy, came_by);
    }
    let first = match request.headers().has(&HeaderName::Route) {
        true => request.headers().get::<Route>().map_err(|_| Refusal::Malformed("Route"))?,
        false => None,
    };
    let uri = first.as_ref().map_or(&target.uri, |route| &route.0.uri);
    hops.find(uri.as_sip().ok_or(Refusal::Scheme)?, came_by)
}

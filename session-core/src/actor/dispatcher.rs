//! Brings what the transaction layer says to the call that it concerns.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use blether_sip_core::{Allow, ByteStr, Method, Request, Response, RetryAfter, StatusCode, Via};
use blether_sip_transport::Flow;
use blether_transaction_core::{
    Event, Interceptor, Owner, Router, ServerTransactionId, ShardHandle, TransactionUser, Transactions,
};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tracing::Instrument;

use super::application::{Admission, Answer, Application, Handler, Responder};
use super::call::{Call, Incoming, Op};
use super::clients::{Client, Clients, LegRequest, Unwanted, Waiting};
use super::endpoint::{EndpointConfig, RequestError};
use super::mailbox::{CallMessage, Mailbox, Urgency, mailbox};
use super::media::MediaSource;
use super::runner::{CallActor, Line};
use super::witness::Witnessed;
use super::{CallKey, LegKey, random_token};
use crate::inspection::{self, SDP, Understanding};
use crate::invite::NO_ROOM;
use crate::{ALLOWED_METHODS, EndCause, InviteSession, Party, SessionTransmit};

/// Requests that an application may have queued before its call has taken them.
const OPS: usize = 16;

/// Events that may wait for an application: a busy handler sees all that matters about its legs, and digits beyond that are counted
/// as lost.
const EVENTS: usize = 256;

/// Seconds after which a peer may try again that found no room.
const RETRY_AFTER: u32 = 5;

/// What calls and applications ask of the shard.
pub(crate) enum Command {
    Transmit {
        call: CallKey,
        leg: LegKey,
        transmit: Box<SessionTransmit>,
        /// The ways that a request may go which was located; none for what goes by a flow.
        targets: Vec<Flow>,
    },
    OpenLeg {
        call: CallKey,
        leg: LegKey,
        local_tag: ByteStr,
        call_id: ByteStr,
    },
    CloseLeg {
        call: CallKey,
        leg: LegKey,
    },
    /// A request reached a call after the leg that it names had ended.
    NoSuchDialog {
        transaction: ServerTransactionId,
        request: Box<Request>,
    },
    /// The answer of an application that took its time.
    Respond {
        transaction: ServerTransactionId,
        response: Box<Response>,
    },
    CallStarted {
        call: CallKey,
        mailbox: Mailbox,
        actor: Box<CallActor>,
    },
    CallEnded {
        call: CallKey,
    },
    /// A request outside of any dialog, such as REGISTER.
    Request {
        request: Box<Request>,
        way: RequestWay,
        reply: oneshot::Sender<Result<(Response, Flow), RequestError>>,
    },
    /// Refuse what is new, and have every call say goodbye.
    ShutDown,
    /// Tells how many calls there are and how many transactions live.
    Count {
        reply: oneshot::Sender<ShardCounts>,
    },
}

/// How a request outside of any dialog goes.
pub(crate) enum RequestWay {
    /// By a flow and no other.
    Flow(Flow),
    /// By these, one after the other until one does not fail.
    Located(Vec<Flow>),
}

/// What a shard holds at a moment.
#[derive(Clone, Copy)]
pub(super) struct ShardCounts {
    pub(super) at: Instant,
    pub(super) calls: usize,
    pub(super) transactions: usize,
}

impl Command {
    /// Whether it ends or settles something, and so may use the room that the shard's queue reserves.
    pub(super) fn makes_room(&self) -> bool {
        match self {
            Self::OpenLeg { .. } | Self::CallStarted { .. } | Self::Request { .. } | Self::Count { .. } => false,
            Self::Transmit { transmit, .. } => {
                !matches!(&**transmit, SessionTransmit::Request { request, .. } if *request.method() == Method::Invite)
            }
            Self::CloseLeg { .. }
            | Self::NoSuchDialog { .. }
            | Self::Respond { .. }
            | Self::CallEnded { .. }
            | Self::ShutDown => true,
        }
    }
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Command")
    }
}

/// Which leg a dialog identifier leads to.
struct Dialog {
    call: CallKey,
    leg: LegKey,
    call_id: ByteStr,
}

/// Which leg of a call sends something, and by which ways if it was located.
struct LegOf {
    call: CallKey,
    leg: LegKey,
    targets: Vec<Flow>,
}

/// What the shard knows of a call.
struct Entry {
    mailbox: Mailbox,
    /// The legs that live, by our tags.
    legs: HashMap<LegKey, ByteStr>,
    /// INVITEs from the peer whose transactions live.
    invites: Vec<ServerTransactionId>,
}

/// The shard in which a call lives.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    pub(super) router: Router,
    pub(super) shard: ShardHandle<Command>,
}

/// The transaction user of one shard of an endpoint.
pub(crate) struct Dispatcher {
    pub(super) application: Arc<dyn Application>,
    pub(super) config: Arc<EndpointConfig>,
    pub(super) home: Home,
    pub(super) media: Arc<MediaSource>,
    pub(super) rng: StdRng,
    pub(super) next_call: Arc<AtomicU64>,
    calls: HashMap<CallKey, Entry>,
    /// By our own tag, which is unguessable and never used twice; the Call-ID must match as well.
    dialogs: HashMap<ByteStr, Dialog>,
    /// The INVITEs that calls have to answer.
    invites: HashMap<ServerTransactionId, (CallKey, LegKey)>,
    clients: Clients,
    actors: JoinSet<()>,
    /// How many calls there are in all shards, for the limit and for those who wait for the last to go.
    live: Arc<watch::Sender<usize>>,
    shutting_down: bool,
    /// Who takes what is not for calls, and sees everything first.
    interceptor: Option<Box<dyn Interceptor>>,
}

impl Dispatcher {
    pub(super) fn new(
        application: Arc<dyn Application>,
        config: Arc<EndpointConfig>,
        home: Home,
        media: Arc<MediaSource>,
        rng: StdRng,
        next_call: Arc<AtomicU64>,
        live: Arc<watch::Sender<usize>>,
    ) -> Self {
        Self {
            application,
            config,
            home,
            media,
            rng,
            next_call,
            calls: HashMap::new(),
            dialogs: HashMap::new(),
            invites: HashMap::new(),
            clients: Clients::default(),
            actors: JoinSet::new(),
            live,
            shutting_down: false,
            interceptor: None,
        }
    }

    /// Sets who sees everything first.
    pub(super) fn behind(mut self, interceptor: Option<Box<dyn Interceptor>>) -> Self {
        self.interceptor = interceptor;
        self
    }
}

impl Drop for Dispatcher {
    /// What it still has goes with it.
    fn drop(&mut self) {
        self.live.send_modify(|live| *live = live.saturating_sub(self.calls.len()));
    }
}

impl TransactionUser for Dispatcher {
    type Command = Command;

    fn on_event(&mut self, now: Instant, event: Event, transactions: &mut Transactions) {
        let event = match &mut self.interceptor {
            None => event,
            Some(interceptor) => match interceptor.on_event(now, event, transactions) {
                Some(event) => event,
                None => return,
            },
        };
        match event {
            Event::Request { id, request, flow } => self.on_request(now, id, request, flow, transactions),
            Event::Ack { request, flow: _ } => {
                // An ACK that belongs to nothing is dropped: it is never answered (RFC 3261 §17).
                if let Some(dialog) = self.dialog_of(&request) {
                    let (call, leg) = (dialog.call, dialog.leg);
                    self.tell(call, CallMessage::Ack { leg, request }, Urgency::Normal);
                }
            }
            Event::Cancelled { id, .. } => {
                if let Some(&(call, leg)) = self.invites.get(&id) {
                    self.tell(call, CallMessage::Cancelled { leg, transaction: id }, Urgency::Urgent);
                }
            }
            Event::NotAcknowledged { id, .. } => {
                if let Some(&(call, leg)) = self.invites.get(&id) {
                    self.tell(call, CallMessage::NotAcknowledged { leg }, Urgency::Urgent);
                }
            }
            Event::Response { owner, response, flow, .. } => self.on_response(now, owner, response, flow, transactions),
            Event::Failed { owner, failure, .. } => match self.clients.remove(owner).map(|client| client.waiting) {
                Some(Waiting::Leg(LegRequest { call, leg, token })) => {
                    self.tell(call, CallMessage::Failed { leg, token, failure }, Urgency::Urgent);
                }
                // The application may have stopped waiting.
                Some(Waiting::Application(reply)) => drop(reply.send(Err(RequestError::Failed(failure)))),
                None => {}
            },
            Event::Located { owner, flow, .. } | Event::MovedOn { owner, flow, .. } => self.goes_by(owner, flow),
            Event::ServerTerminated { id, .. } => self.invite_over(id),
            Event::ClientTerminated { owner, .. } => self.client_over(owner),
            // What a later version may tell is nothing that a call waits for.
            _ => {}
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.interceptor.as_ref()?.poll_timeout()
    }

    fn handle_timeout(&mut self, now: Instant, transactions: &mut Transactions) {
        if let Some(interceptor) = &mut self.interceptor {
            interceptor.handle_timeout(now, transactions);
        }
    }

    fn on_command(&mut self, now: Instant, command: Command, transactions: &mut Transactions) {
        match command {
            Command::Transmit { call, leg, transmit, targets } => {
                self.transmit(now, LegOf { call, leg, targets }, *transmit, transactions);
            }
            Command::OpenLeg { call, leg, local_tag, call_id } => self.open_leg(call, leg, local_tag, &call_id),
            Command::CloseLeg { call, leg } => self.close_leg(call, leg),
            Command::NoSuchDialog { transaction, request } => {
                respond(now, transactions, transaction, no_such_dialog(&request));
            }
            Command::Respond { transaction, response } => respond(now, transactions, transaction, *response),
            Command::CallStarted { call, mailbox, actor } => self.call_started(call, mailbox, actor),
            Command::CallEnded { call } => self.call_ended(now, call, transactions),
            Command::Request { request, way, reply } => {
                let owner = self.clients.new_owner();
                let sent = match way {
                    RequestWay::Flow(flow) => transactions.request(now, *request, flow, owner),
                    RequestWay::Located(flows) => transactions.request_by(now, *request, flows, owner),
                };
                match sent {
                    Ok(id) => self.clients.insert(owner, id, Waiting::Application(reply), None),
                    // The application may have stopped waiting.
                    Err(_) => drop(reply.send(Err(RequestError::Overloaded))),
                }
            }
            Command::ShutDown => {
                self.shutting_down = true;
                for entry in self.calls.values() {
                    if entry.mailbox.try_send(CallMessage::ShutDown, Urgency::Urgent).is_err() {
                        tracing::debug!("a call had no room for the end of everything");
                    }
                }
            }
            // Whoever asked may have stopped waiting.
            Command::Count { reply } => drop(reply.send(ShardCounts {
                at: now,
                calls: self.calls.len(),
                transactions: transactions.counts().total(),
            })),
        }
    }
}

impl Dispatcher {
    fn on_request(
        &mut self,
        now: Instant,
        id: ServerTransactionId,
        mut request: Request,
        flow: Flow,
        transactions: &mut Transactions,
    ) {
        // Behind an interceptor copies are looked for only here: what is forwarded may come by several ways.
        if self.interceptor.is_some() && transactions.refuse_copy(now, id, &request) {
            return;
        }
        let is_session = matches!(request.method(), Method::Invite | Method::Update | Method::Options);
        if is_session {
            inspection::pass_over_optional_body(&mut request, &[SDP]);
        }
        if request.to().tag().is_some() {
            return self.in_dialog(now, id, request, flow, transactions);
        }
        let extensions = if *request.method() == Method::Invite { &[] } else { self.application.extensions() };
        let understood = Understanding { extensions, bodies: is_session.then_some(&[SDP]) };
        if let Some(refusal) = inspection::refusal(&request, understood) {
            note_refusal(refusal.status());
            return forget(now, transactions, id, refusal);
        }
        if *request.method() == Method::Invite {
            return self.new_call(now, id, request, flow, transactions);
        }
        let responder = Responder::new(self.home.shard.clone(), id);
        let response = match self.application.on_request(now, &request, flow, responder) {
            Answer::Now(response) => return respond(now, transactions, id, *response),
            Answer::Stateless(response) => *response,
            Answer::Later => return,
            Answer::NotServed => self.not_served(&request),
        };
        forget(now, transactions, id, response);
    }

    fn in_dialog(
        &mut self,
        now: Instant,
        id: ServerTransactionId,
        request: Request,
        flow: Flow,
        transactions: &mut Transactions,
    ) {
        let Some(dialog) = self.dialog_of(&request) else {
            note_refusal(StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST);
            return forget(now, transactions, id, no_such_dialog(&request));
        };
        let (call, leg) = (dialog.call, dialog.leg);
        let urgency = if *request.method() == Method::Bye { Urgency::Urgent } else { Urgency::Normal };
        let refusal = if self.calls.contains_key(&call) { unavailable(&request) } else { no_such_dialog(&request) };
        let invite = *request.method() == Method::Invite;
        if !self.tell(call, CallMessage::Request { leg, transaction: id, request, flow }, urgency) {
            respond(now, transactions, id, refusal);
        } else if invite {
            self.invite_came(id, call, leg);
        }
    }

    fn dialog_of(&self, request: &Request) -> Option<&Dialog> {
        let dialog = self.dialogs.get(request.to().tag()?)?;
        (dialog.call_id == *request.call_id()).then_some(dialog)
    }

    /// An INVITE that belongs to no call: the application's stages decide whether it becomes one.
    fn new_call(
        &mut self,
        now: Instant,
        id: ServerTransactionId,
        request: Request,
        flow: Flow,
        transactions: &mut Transactions,
    ) {
        if self.shutting_down {
            return forget(now, transactions, id, unavailable(&request));
        }
        let (handler, witness) = match self.application.on_invite(now, &request, flow) {
            Admission::Refuse(response) => return respond(now, transactions, id, *response),
            Admission::RefuseStateless(response) => return forget(now, transactions, id, *response),
            Admission::Accept { handler, witness } => (handler, witness),
        };
        let mut witnessed = Witnessed::new(witness.clone());
        if *self.live.borrow() >= self.config.max_calls {
            metrics::counter!("blether_session_calls_refused_total", "reason" => "max_calls").increment(1);
            let cause = EndCause::Rejected(StatusCode::SERVICE_UNAVAILABLE);
            witnessed.ended(now, LegKey::PRIMARY, Party::Local, cause);
            return respond(now, transactions, id, unavailable(&request));
        }
        let local_tag = random_token(&mut self.rng);
        let contact_user = request.uri().as_sip().and_then(|uri| uri.user.clone());
        let session_config = self.config.session_for(contact_user.as_deref(), flow);
        let session = match InviteSession::incoming(now, session_config, id, request.clone(), flow, local_tag.clone()) {
            Ok(session) => session,
            Err(refusal) => {
                let cause = EndCause::Rejected(refusal.response.status());
                witnessed.ended(now, LegKey::PRIMARY, Party::Local, cause);
                return respond(now, transactions, id, *refusal.response);
            }
        };
        let call = CallKey(self.next_call.fetch_add(1, Ordering::Relaxed));
        let call_id = request.call_id().clone();
        tracing::debug!(%call_id, %flow, "a call begins");
        let offer = request.body().clone();
        let (mut actor, mailbox, handle) =
            new_actor(self, call, Some(Incoming { invite: Some(request), flow, witness }));
        actor.witnessed = witnessed;
        actor.adopt(session, offer, run(handler, handle));
        self.call_started(call, mailbox, actor);
        self.open_leg(call, LegKey::PRIMARY, local_tag, &call_id);
        self.invite_came(id, call, LegKey::PRIMARY);
    }

    fn call_started(&mut self, call: CallKey, mailbox: Mailbox, actor: Box<CallActor>) {
        self.calls.insert(call, Entry { mailbox, legs: HashMap::new(), invites: Vec::new() });
        // Whatever is logged while the call's task runs belongs to the call. Made once a call, and not at all where the log leaves it out.
        let span = tracing::info_span!("call", call_id = %actor.call_id);
        self.actors.spawn(actor.run().instrument(span));
        self.live.send_modify(|live| *live += 1);
        metrics::counter!("blether_session_calls_total").increment(1);
    }

    fn on_response(
        &mut self,
        now: Instant,
        owner: Owner,
        response: Response,
        flow: Flow,
        transactions: &mut Transactions,
    ) {
        // A second Via names somebody else for whom this response was meant (RFC 3261 §8.1.3.3).
        if response.headers().all::<Via>().map_or(true, |vias| vias.len() > 1) {
            return tracing::debug!(call_id = %response.call_id(), "a response with a Via too many is dropped");
        }
        let status = response.status();
        match self.clients.get(owner).map(|client| &client.waiting) {
            Some(&Waiting::Leg(LegRequest { call, leg, token })) => {
                let lives = self.calls.get(&call).is_some_and(|entry| entry.legs.contains_key(&leg));
                if !lives {
                    return self.nobody_waits(now, owner, &response, flow, transactions);
                }
                let urgency = if status.is_provisional() { Urgency::Normal } else { Urgency::Urgent };
                self.tell(call, CallMessage::Response { leg, token, response, flow }, urgency);
            }
            Some(Waiting::Application(_)) if !status.is_provisional() => {
                if let Some(Waiting::Application(reply)) = self.clients.remove(owner).map(|client| client.waiting) {
                    // The application may have stopped waiting.
                    drop(reply.send(Ok((response, flow))));
                }
            }
            _ => {}
        }
    }

    /// A 2xx that comes when its leg is gone is acknowledged and hung up (RFC 3261 §13.2.2.4).
    fn nobody_waits(
        &mut self,
        now: Instant,
        owner: Owner,
        response: &Response,
        flow: Flow,
        transactions: &mut Transactions,
    ) {
        if !response.status().is_success() {
            return;
        }
        // One that could not be hung up is not acknowledged either: it comes again, and its sender ends it by itself if there is never room for
        // a BYE (§13.3.1.4).
        let may_hang_up = transactions.has_room_for(&Method::Bye);
        let Some(Unwanted { ack, bye }) = self.clients.unwanted(owner, response, may_hang_up) else { return };
        transactions.acknowledge(now, ack, flow);
        if let Some(bye) = bye {
            let nobody = self.clients.new_owner();
            if transactions.request(now, bye, flow, nobody).is_err() {
                tracing::warn!(call_id = %response.call_id(), "no room to hang up a late answer; it ends by itself");
            }
        }
    }

    fn transmit(
        &mut self,
        now: Instant,
        LegOf { call, leg, targets }: LegOf,
        transmit: SessionTransmit,
        transactions: &mut Transactions,
    ) {
        match transmit {
            SessionTransmit::Respond { transaction, response } => respond(now, transactions, transaction, response),
            SessionTransmit::Acknowledge { request, flow } => transactions.acknowledge(now, request, flow),
            SessionTransmit::Request { token, request, flow } => {
                let owner = self.clients.new_owner();
                let invite = (*request.method() == Method::Invite).then(|| request.clone());
                let is_bye = *request.method() == Method::Bye;
                let sent = if targets.is_empty() {
                    transactions.request(now, request, flow, owner)
                } else {
                    transactions.request_by(now, request, targets, owner)
                };
                match sent {
                    Ok(id) => {
                        self.clients.insert(owner, id, Waiting::Leg(LegRequest { call, leg, token }), invite);
                        if is_bye {
                            // A call that has no room for this learns it from the answer.
                            self.tell(call, CallMessage::ByeSent { leg, token }, Urgency::Normal);
                        }
                    }
                    Err(_) => {
                        if is_bye {
                            metrics::counter!("blether_session_byes_postponed_total").increment(1);
                        }
                        self.tell(call, CallMessage::Failed { leg, token, failure: NO_ROOM }, Urgency::Urgent);
                    }
                }
            }
            SessionTransmit::Cancel { token } => {
                if let Some(id) = self.clients.transaction_of(LegRequest { call, leg, token }) {
                    transactions.cancel(now, id);
                }
            }
        }
    }

    /// Passes a message to a call; `false` when it has no room or is gone.
    fn tell(&self, call: CallKey, message: CallMessage, urgency: Urgency) -> bool {
        self.calls.get(&call).is_some_and(|entry| entry.mailbox.try_send(message, urgency).is_ok())
    }

    fn open_leg(&mut self, call: CallKey, leg: LegKey, local_tag: ByteStr, call_id: &ByteStr) {
        let Some(entry) = self.calls.get_mut(&call) else { return };
        entry.legs.insert(leg, local_tag.clone());
        // Detached: it may be a slice of a large message.
        self.dialogs.insert(local_tag, Dialog { call, leg, call_id: call_id.detached() });
    }

    fn close_leg(&mut self, call: CallKey, leg: LegKey) {
        if let Some(tag) = self.calls.get_mut(&call).and_then(|entry| entry.legs.remove(&leg)) {
            self.dialogs.remove(&tag);
        }
    }

    fn invite_came(&mut self, id: ServerTransactionId, call: CallKey, leg: LegKey) {
        if let Some(entry) = self.calls.get_mut(&call) {
            entry.invites.push(id);
            self.invites.insert(id, (call, leg));
        }
    }

    /// The transaction of an INVITE is over. Where that is before its final response, which could not be sent, no CANCEL can reach the
    /// call any more, so it learns of the end here; a call that was answered does not mind (RFC 3261 §17.2.4).
    fn invite_over(&mut self, id: ServerTransactionId) {
        let Some((call, leg)) = self.invites.remove(&id) else { return };
        if let Some(entry) = self.calls.get_mut(&call) {
            entry.invites.retain(|invite| *invite != id);
        }
        self.tell(call, CallMessage::Cancelled { leg, transaction: id }, Urgency::Urgent);
    }

    /// A request goes by this way, whichever was thought of. The call that has sent it goes on by that.
    fn goes_by(&mut self, owner: Owner, flow: Flow) {
        if let Some(&Waiting::Leg(LegRequest { call, leg, token })) =
            self.clients.get(owner).map(|client| &client.waiting)
        {
            self.tell(call, CallMessage::GoesBy { leg, token, flow }, Urgency::Urgent);
        }
    }

    /// A client transaction is over. A call that lasts need not keep its INVITE any longer; where it has no room to hear of that, it does.
    fn client_over(&mut self, owner: Owner) {
        let Some(Client { waiting: Waiting::Leg(request), invite: Some(_), .. }) = self.clients.remove(owner) else {
            return;
        };
        let LegRequest { call, leg, token } = request;
        self.tell(call, CallMessage::TransactionOver { leg, token }, Urgency::Normal);
    }

    fn call_ended(&mut self, now: Instant, call: CallKey, transactions: &mut Transactions) {
        if let Some(entry) = self.calls.remove(&call) {
            for tag in entry.legs.values() {
                self.dialogs.remove(tag);
            }
            for id in entry.invites {
                self.invites.remove(&id);
                // A call that broke owes its peers an answer (DESIGN §4); what has one already stays as it is.
                transactions.refuse(now, id, StatusCode::SERVER_INTERNAL_ERROR);
            }
            self.live.send_modify(|live| *live = live.saturating_sub(1));
        }
        while let Some(ended) = self.actors.try_join_next() {
            if let Err(error) = ended {
                tracing::error!(%error, "the task of a call did not end by itself");
            }
        }
    }

    /// The answer to a request that the application does not serve: to OPTIONS 200, since who answers INVITE answers that (RFC 3261 §11.2).
    fn not_served(&self, request: &Request) -> Response {
        let mut methods = ALLOWED_METHODS.to_vec();
        methods.extend_from_slice(self.application.methods());
        if *request.method() == Method::Options {
            let ok = Response::to_request(request, StatusCode::OK);
            return ok.header(Allow(methods)).raw("Accept", SDP).raw("Accept-Encoding", "identity").build();
        }
        let refusal = inspection::refuse_method(request, methods);
        note_refusal(refusal.status());
        refusal
    }
}

/// Puts together the two ends of a call: its actor and the application's handle.
pub(super) fn new_actor(
    parts: &mut Dispatcher,
    key: CallKey,
    incoming: Option<Incoming>,
) -> (Box<CallActor>, Mailbox, Call) {
    let rng = StdRng::from_rng(&mut parts.rng);
    connect(key, parts.config.clone(), parts.home.clone(), parts.media.clone(), rng, incoming)
}

pub(super) fn connect(
    key: CallKey,
    config: Arc<EndpointConfig>,
    home: Home,
    media: Arc<MediaSource>,
    rng: StdRng,
    incoming: Option<Incoming>,
) -> (Box<CallActor>, Mailbox, Call) {
    let (mailbox, messages, overrun) = mailbox();
    let (op_sender, ops) = mpsc::channel::<Box<Op>>(OPS);
    let (event_sender, events) = mpsc::channel(EVENTS);
    let invite = incoming.as_ref().and_then(|incoming| incoming.invite.as_ref());
    let call_id = invite.map_or_else(|| ByteStr::from("-"), |invite| invite.call_id().detached());
    let call = Call::new(op_sender, events, mailbox.clone(), media, incoming.map(Box::new));
    let line = Line { key, call_id, mailbox: messages, overrun, ops, events: event_sender };
    let actor = Box::new(CallActor::new(line, config, rng, home));
    (actor, mailbox, call)
}

/// Starts the handler only when it is first polled, so that a panic in its first step is contained like any other.
fn run(handler: Handler, call: Call) -> super::HandlerFuture {
    Box::pin(async move { handler(call).await })
}

fn respond(now: Instant, transactions: &mut Transactions, id: ServerTransactionId, response: Response) {
    if transactions.respond(now, id, response).is_err() {
        // The transaction has timed out meanwhile: the peer has stopped waiting.
        metrics::counter!("blether_session_late_responses_total").increment(1);
    }
}

/// Answers a request and forgets it: what a stranger is told leaves nothing behind.
fn forget(now: Instant, transactions: &mut Transactions, id: ServerTransactionId, response: Response) {
    if transactions.respond_and_forget(now, id, response).is_err() {
        metrics::counter!("blether_session_late_responses_total").increment(1);
    }
}

/// Counts a request that was refused for what it is, whoever sent it.
fn note_refusal(status: StatusCode) {
    metrics::counter!("blether_session_requests_refused_total", "status" => status.code().to_string()).increment(1);
}

fn no_such_dialog(request: &Request) -> Response {
    Response::to_request(request, StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST).build()
}

fn unavailable(request: &Request) -> Response {
    Response::to_request(request, StatusCode::SERVICE_UNAVAILABLE).header(RetryAfter::new(RETRY_AFTER)).build()
}

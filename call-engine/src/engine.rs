//! The server: the pipeline that a request passes, the handlers that calls are given to, and the endpoint beneath.

mod accounts;
mod figures;
mod line_budget;
mod meters;
mod names;
mod proxying;
mod record;
mod report;
mod storage;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use blether_rtp_core::{PortRange, PortRangeError};
use blether_session_core::actor::{
    Admission, Answer, Application, Call, CallError, Endpoint, EndpointConfig, EndpointCounts, HandlerFuture, Probe,
    RequestError, Responder, ShardPlace, StartError,
};
use blether_sip_core::{
    AddressOfRecord, ByteStr, HeaderName, Host, Limits, Method, NameAddr, ProxyAuthenticate, ProxyRequire, Request,
    Response, RetryAfter, StatusCode, Unsupported, Uri,
};
use blether_sip_transport::Flow;
#[cfg(feature = "dns")]
use blether_sip_transport::resolve::ResolverStartError;
#[cfg(feature = "tls")]
use blether_sip_transport::{NoRoute, PeerName};
use blether_transaction_core::{Interceptor, WireTap};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

pub use self::accounts::ChangeError;
pub(crate) use self::accounts::all_accounts;
#[cfg(all(unix, feature = "control"))]
pub(crate) use self::accounts::{check_new, check_stored, hashed, with_password};
pub(crate) use self::line_budget::LineBudget;
use self::meters::Meters;
use self::proxying::Proxied;
pub use self::record::LiveCall;
use self::record::{CallRecord, CallRecords};
pub use self::report::EngineReport;
#[cfg(all(unix, feature = "control"))]
pub(crate) use self::storage::FILE_NAME as DATABASE;
use crate::account::{Account, AccountError, Accounts, SharedAccounts};
use crate::b2bua;
#[cfg(feature = "tls")]
use crate::certificate::{Certificate, CertificateError};
use crate::config::{Config, Invalid};
use crate::location::{Expired, Location, LocationLimits};
use crate::pattern::{DuplicatePattern, Pattern, PatternError, Patterns};
use crate::registrar::{Domains, Outcome, Refusal, Registrar, RegistrarConfig, RegistrarConfigError};
use crate::stage::{
    AuthenticatedUser, Authenticator, AuthenticatorConfig, ChallengeReason, Stage, StageContext, Verdict, Verification,
};
use crate::store::{Admitted, Store, StoreError, StoreHandle, Waiter, WriterConfig, Written};

/// The domain under which addresses of record are kept when the configuration names none. It never leaves this server but in From and To, and
/// `.invalid` cannot be anybody else's (RFC 2606 §2).
const UNNAMED_DOMAIN: &str = "blether.invalid";

type InviteHandler = Arc<dyn Fn(IncomingCall) -> HandlerFuture + Send + Sync>;

/// Who takes the calls to what was dialled.
#[derive(Clone)]
struct Route {
    handler: InviteHandler,
    /// The pattern that it was given for; an extension has none.
    pattern: Option<Arc<str>>,
}

/// How long the writer of the store gets, at the end, for what is left to write: as much as it may have collected while it waited for a lock.
const STORE_GOODBYE: Duration = Duration::from_secs(5);

/// Seconds after which a caller may try again while the engine ends. Short: the phones of a server that is started anew are not to wait for
/// longer than that takes, and whoever has another server is to use it at once (RFC 3261 §21.5.4).
const RETRY_AFTER: u32 = 5;

/// Bytes of a Call-ID in a line about a stranger; those of phones are shorter.
const LOGGED_TEXT: usize = 128;

/// How often contacts are looked for that nobody has refreshed.
const SWEEP: Duration = Duration::from_secs(1);

/// Users whose contacts are taken out in one go, during which no other contact changes.
const SWEPT_AT_ONCE: usize = 100;

/// How long the ends of calls that were dropped may take to be recorded: their tasks are told, and need to run once.
const RECORDS_GOODBYE: Duration = Duration::from_secs(1);

/// A call that an INVITE opened, as a handler gets it: who calls, what was dialled, and the [`Call`] itself.
pub struct IncomingCall {
    /// The call. Dropping it hangs up.
    pub call: Call,
    engine: EngineHandle,
    record: Arc<CallRecord>,
    caller: Option<String>,
    dialled: String,
}

impl fmt::Debug for IncomingCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { call, caller, dialled, .. } = self;
        let mut shown = f.debug_struct("IncomingCall");
        shown.field("call", call).field("caller", caller).field("dialled", dialled).finish_non_exhaustive()
    }
}

impl IncomingCall {
    /// The account that the caller proved to be. If the authentication stage was left out, the user that it says it is, if any.
    pub fn caller(&self) -> Option<&str> {
        self.caller.as_deref()
    }

    /// The user part of what was dialled, without escapes.
    pub fn dialled(&self) -> &str {
        &self.dialled
    }

    /// The engine that the call belongs to.
    pub fn engine(&self) -> &EngineHandle {
        &self.engine
    }

    /// How the caller is shown to somebody who is reached by `flow`: as its account, with the address of ours that this phone knows,
    /// so that it can call back. What the caller claims of itself is not passed on.
    pub fn identity_towards(&self, flow: Flow) -> NameAddr {
        self.engine.0.identity(self.caller(), flow)
    }

    /// Who stands in the call's record as having answered, in place of the pattern of the handler: such as the contact that was connected.
    pub fn set_answered_by(&self, who: &str) {
        self.record.set_answered_by(who);
    }

    /// Rings every phone of the extension that was dialled, connects the first that answers, and returns when the call is over; see
    /// [`b2bua::ring_extension`].
    ///
    /// # Errors
    ///
    /// [`CallError::Refused`] with 404 for an unknown extension, 480 for one that is not registered or does not answer, or what
    /// its phones said.
    pub async fn connect(mut self) -> Result<(), CallError> {
        let core = self.engine.0.clone();
        let callee = core.extension(&self.dialled).ok_or(CallError::Refused(StatusCode::NOT_FOUND))?;
        // Boxed, so that what it takes to ring is given back when the call is up.
        Box::pin(b2bua::ring_extension(&mut self, &callee, core.ring_for)).await?;
        self.call.forget_invite();
        self.call.ended().await;
        Ok(())
    }
}

/// A cheap handle on a running engine's tables, for handlers.
#[derive(Clone, Debug)]
pub struct EngineHandle(Arc<Core>);

impl EngineHandle {
    /// Who is registered where.
    pub fn location(&self) -> &Location {
        &self.0.location
    }

    /// The store: how it does, and the call records in it.
    pub fn store(&self) -> &StoreHandle {
        &self.0.store
    }

    /// Whether the engine refuses new calls because it is to end; see [`Engine::drain`].
    pub fn draining(&self) -> bool {
        self.0.draining.load(Ordering::Relaxed)
    }

    /// The calls that have not ended, the oldest first.
    pub fn calls(&self) -> Vec<LiveCall> {
        self.0.records.live_calls()
    }

    /// The address of record of a local extension, or `None` when there is no such account.
    pub fn extension(&self, user: &str) -> Option<AddressOfRecord> {
        self.0.extension(user)
    }
}

/// What the shard and all handlers of an engine share.
struct Core {
    realm: String,
    accounts: Arc<SharedAccounts>,
    /// Held while accounts are changed: one change after another.
    changing_accounts: tokio::sync::Mutex<()>,
    location: Arc<Location>,
    store: StoreHandle,
    records: Arc<CallRecords>,
    registrar: Registrar,
    /// `None`: senders are believed.
    authenticator: Option<Authenticator>,
    stages: Vec<Box<dyn Stage>>,
    routes: Patterns<Route>,
    proxied: Proxied,
    ring_for: Duration,
    meters: Meters,
    failed_logins: LineBudget,
    refused_registrations: LineBudget,
    /// Set once the server is to end: no call begins.
    draining: AtomicBool,
    started: Instant,
    /// There once the endpoint runs.
    probe: OnceLock<Probe>,
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").field("accounts", &self.accounts.now().len()).finish_non_exhaustive()
    }
}

impl Core {
    fn extension(&self, user: &str) -> Option<AddressOfRecord> {
        self.accounts.now().get(user)?;
        self.registrar.domains().local(user)
    }

    fn identity(&self, user: Option<&str>, flow: Flow) -> NameAddr {
        let address = address_of(user.unwrap_or("anonymous"), flow);
        let accounts = self.accounts.now();
        let name = user.and_then(|user| accounts.get(user)).and_then(Account::display_name);
        match name {
            Some(name) => NameAddr::new(address).with_display_name(name),
            None => NameAddr::new(address),
        }
    }

    /// The built-in first stage: whoever sends INVITE must have an account.
    fn authenticate(
        &self,
        now: Instant,
        request: &Request,
        flow: Flow,
        role: Role,
        context: &mut StageContext,
    ) -> Verdict {
        let Some(authenticator) = &self.authenticator else {
            context.user = AuthenticatedUser::claimed_by(request);
            return Verdict::Pass;
        };
        let source = flow.remote.ip();
        let verification = match role {
            Role::Server => authenticator.authenticate(now, request, source),
            Role::Proxy => authenticator.authenticate_for_proxy(now, request, source),
        };
        match verification {
            Verification::Authenticated { user } => {
                context.user = Some(user);
                Verdict::Pass
            }
            Verification::Challenge { headers, why } => {
                self.note_challenge(now, request, flow, why);
                let (status, for_proxy) = match role {
                    Role::Server => (StatusCode::UNAUTHORIZED, false),
                    Role::Proxy => (StatusCode::PROXY_AUTHENTICATION_REQUIRED, true),
                };
                let response = Response::to_request(request, status);
                let response = headers.into_iter().fold(response, |response, header| match for_proxy {
                    true => response.header(ProxyAuthenticate(header.0)),
                    false => response.header(header),
                });
                Verdict::answer(response.build())
            }
            Verification::Malformed { error } => Verdict::answer(
                Response::to_request(request, StatusCode::BAD_REQUEST).reason(&error.to_string()).build(),
            ),
        }
    }

    /// Leads a request through every stage; `Err` is the answer that one of them gave.
    fn pass_stages(&self, now: Instant, request: &Request, flow: Flow, role: Role) -> Result<StageContext, Refused> {
        let mut context = StageContext::default();
        let mut verdict = self.authenticate(now, request, flow, role, &mut context);
        let mut stages = self.stages.iter();
        loop {
            match verdict {
                Verdict::Answer(response) => return Err(Refused { response, by_a_stranger: context.user.is_none() }),
                Verdict::Pass => match stages.next() {
                    Some(stage) => verdict = stage.inspect(now, request, flow, &mut context),
                    None => return Ok(context),
                },
            }
        }
    }

    /// The handler of what was dialled: the narrowest pattern, else the extension of that name.
    fn route(&self, dialled: &str) -> Option<Route> {
        if let Some(route) = self.routes.find(dialled) {
            return Some(route.clone());
        }
        self.accounts.now().get(dialled)?;
        let handler: InviteHandler = Arc::new(|incoming: IncomingCall| Box::pin(incoming.connect()));
        Some(Route { handler, pattern: None })
    }

    /// The order is RFC 3261 §10.3's: the request must be for us before we ask who sends it. A 200 waits until what it lists is written.
    fn register(&self, now: Instant, request: &Request, flow: Flow, responder: Responder) -> Answer {
        if let Err(refusal) = self.registrar.admit(request, flow) {
            let (response, outcome) = self.registrar.refuse(request, refusal);
            self.note_registration(now, request, flow, &outcome);
            return Answer::Stateless(Box::new(response));
        }
        let date = SystemTime::now();
        // The credentials of a copy of what was done are used up.
        let has_credentials = request.headers().has(&HeaderName::Authorization);
        if let Some((response, outcome)) =
            has_credentials.then(|| self.registrar.again(now, date, request, flow)).flatten()
        {
            self.note_registration(now, request, flow, &outcome);
            return self.answer_when_written(now, response, &outcome, responder);
        }
        let context = match self.pass_stages(now, request, flow, Role::Server) {
            Ok(context) => context,
            Err(Refused { response, by_a_stranger: true }) => return Answer::Stateless(response),
            Err(Refused { response, .. }) => return Answer::Now(response),
        };
        let Some(user) = context.user else {
            return Answer::now(Response::to_request(request, StatusCode::FORBIDDEN).build());
        };
        let (response, outcome) = self.registrar.register(now, date, request, flow, &user);
        self.note_registration(now, request, flow, &outcome);
        // Its account may have been removed since it was authenticated; whoever removes one takes it out of the table first and drops the
        // contacts then, so one of the two sees them.
        if self.accounts.now().get(user.user()).is_none() {
            self.forget_contacts_of(now, user.user());
            return Answer::now(Response::to_request(request, StatusCode::FORBIDDEN).build());
        }
        self.answer_when_written(now, response, &outcome, responder)
    }

    /// A 200 waits until what it lists is written. Where a binding knows its request, no transaction has to (RFC 3261 §8.2.7).
    fn answer_when_written(&self, now: Instant, response: Response, outcome: &Outcome, responder: Responder) -> Answer {
        let Some((aor, touched)) = outcome.touched() else { return Answer::now(response) };
        match self.store.registered(now, aor, touched, Registered { responder, response }) {
            Admitted::Now(Registered { response, .. }, _) if outcome.is_remembered() => {
                Answer::Stateless(Box::new(response))
            }
            Admitted::Now(Registered { response, .. }, _) => Answer::now(response),
            Admitted::Later => Answer::Later,
        }
    }

    fn note_challenge(&self, now: Instant, request: &Request, flow: Flow, why: ChallengeReason) {
        self.meters.challenge(why);
        if why != ChallengeReason::NoCredentials
            && let Some(left_out) = self.failed_logins.take(now)
        {
            let (call_id, why) = (shortened(request.call_id()), why.as_str());
            tracing::info!(call_id, why, source = %flow.remote, left_out, "the credentials are not accepted");
        }
    }

    fn note_registration(&self, now: Instant, request: &Request, flow: Flow, outcome: &Outcome) {
        self.meters.registration(outcome);
        match outcome {
            Outcome::Updated { aor, contacts, .. } => {
                tracing::info!(call_id = %request.call_id(), %aor, contacts, source = %flow.remote, "{}", outcome.as_str());
            }
            Outcome::Refused { refusal } => {
                let full = match refusal {
                    Refusal::TooManyContacts { .. } => Some("contacts_of_user"),
                    Refusal::Full { .. } => Some("users"),
                    _ => None,
                };
                if let Some(what) = full {
                    metrics::counter!("blether_engine_registrar_full_total", "what" => what).increment(1);
                }
                if let Some(left_out) = self.refused_registrations.take(now) {
                    let call_id = shortened(request.call_id());
                    tracing::info!(call_id, source = %flow.remote, %refusal, left_out, "a registration is refused");
                }
            }
            Outcome::Queried { .. } | Outcome::Challenged { .. } => {}
        }
    }

    /// Takes out contacts that nobody refreshed, those of [`SWEPT_AT_ONCE`] users at most; `true` if there may be more. Look-ups leave them out by
    /// themselves; this gives back their memory, and tells the store and the log.
    fn forget_expired(&self, now: Instant) -> bool {
        let expired = self.location.sweep(now, SWEPT_AT_ONCE);
        for Expired { aor, binding } in &expired {
            self.store.expired(now, aor);
            tracing::info!(%aor, contact = %binding.contact, "a registration has expired");
        }
        !expired.is_empty()
    }

    /// Takes out the contacts of everybody whom nobody refreshed, a few at a time.
    async fn sweep(&self) {
        let mut turns = tokio::time::interval(SWEEP);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            turns.tick().await;
            while self.forget_expired(Instant::now()) {
                tokio::task::yield_now().await;
            }
        }
    }
}

/// A text that a stranger wrote, as long as a line of the log wants it.
fn shortened(text: &str) -> &str {
    text.get(..text.floor_char_boundary(LOGGED_TEXT)).unwrap_or_default()
}

/// As what the server asks for credentials (RFC 3261 §22.2, §22.3).
#[derive(Clone, Copy)]
enum Role {
    /// As the one whom the request is for: 401.
    Server,
    /// As one that passes it on: 407.
    Proxy,
}

/// The answer of a stage. One to a stranger leaves no state, so that nobody can fill our tables or have us send what nobody asked for; who has
/// logged in has used up a nonce, and must get the same answer again.
struct Refused {
    response: Box<Response>,
    by_a_stranger: bool,
}

/// The 200 to a REGISTER, while what it lists is being written.
struct Registered {
    responder: Responder,
    response: Response,
}

impl Waiter for Registered {
    fn written(self: Box<Self>, _: Written) {
        // While the store fails, registrations go on from memory.
        self.responder.respond(self.response);
    }
}

/// The address of one of our users as the peer at the other end of `flow` knows us.
pub(crate) fn address_of(user: &str, flow: Flow) -> Uri {
    let port = (flow.local.port() != 5060).then_some(flow.local.port());
    Uri::from(blether_sip_core::SipUri::new(Some(user), Host::from(flow.local.ip()), port))
}

/// What new calls and OPTIONS get while the engine ends.
fn draining(request: &Request) -> Response {
    Response::to_request(request, StatusCode::SERVICE_UNAVAILABLE).header(RetryAfter::new(RETRY_AFTER)).build()
}

/// Serves an endpoint with the engine's tables.
struct Server(EngineHandle);

impl Application for Server {
    fn on_invite(&self, now: Instant, invite: &Request, flow: Flow) -> Admission {
        let _entered = tracing::debug_span!("request", call_id = %invite.call_id()).entered();
        let core = &self.0.0;
        if self.0.draining() {
            tracing::debug!("refused, because the server ends");
            metrics::counter!("blether_engine_draining_refusals_total").increment(1);
            return Admission::RefuseStateless(Box::new(draining(invite)));
        }
        let context = match core.pass_stages(now, invite, flow, Role::Server) {
            Ok(context) => context,
            Err(Refused { response, by_a_stranger: true }) => return Admission::RefuseStateless(response),
            Err(Refused { response, .. }) => return Admission::Refuse(response),
        };
        let refuse = |status: StatusCode| {
            let caller = context.user.as_ref().map(|user| user.user());
            tracing::info!(call_id = %invite.call_id(), caller, uri = %invite.uri(), status = status.code(), "a call is refused");
            Admission::refuse(Response::to_request(invite, status).build())
        };
        let Some(uri) = invite.uri().as_sip() else { return refuse(StatusCode::UNSUPPORTED_URI_SCHEME) };
        // This server passes calls on to nobody else: no open relay, whoever asks.
        if !core.registrar.domains().contains(&uri.host, flow) {
            return refuse(StatusCode::NOT_FOUND);
        }
        let Some(dialled) = uri.user_decoded() else { return refuse(StatusCode::ADDRESS_INCOMPLETE) };
        let dialled = dialled.to_string();
        let Some(Route { handler, pattern }) = core.route(&dialled) else { return refuse(StatusCode::NOT_FOUND) };
        // An extension's calls are passed on, as by a proxy: what is asked of proxies is asked of us (RFC 3261 §20.29).
        let asked_of_proxies = if pattern.is_none() { invite.headers().all::<ProxyRequire>() } else { Ok(Vec::new()) };
        let asked_of_proxies: Vec<ByteStr> = match asked_of_proxies {
            Ok(lists) => lists.into_iter().flat_map(|ProxyRequire(tags)| tags).collect(),
            Err(_) => return refuse(StatusCode::BAD_REQUEST),
        };
        if !asked_of_proxies.is_empty() {
            let response =
                Response::to_request(invite, StatusCode::BAD_EXTENSION).header(Unsupported(asked_of_proxies));
            return Admission::refuse(response.build());
        }
        let engine = self.0.clone();
        let caller = context.user.map(|user| user.user().to_owned());
        tracing::info!(call_id = %invite.call_id(), caller, dialled, "a call");
        let record = core.records.begin(SystemTime::now(), invite.call_id(), caller.as_deref(), &dialled);
        if let Some(pattern) = pattern {
            record.set_answered_by(&pattern);
        }
        let witness = record.clone();
        Admission::accept(move |call| handler(IncomingCall { call, engine, record, caller, dialled }))
            .witnessed_by(witness)
    }

    fn on_request(&self, now: Instant, request: &Request, flow: Flow, responder: Responder) -> Answer {
        let _entered = tracing::debug_span!("request", call_id = %request.call_id()).entered();
        match request.method() {
            Method::Register => self.0.0.register(now, request, flow, responder),
            // By this a load balancer sees that it has to send calls elsewhere.
            Method::Options if self.0.draining() => Answer::Stateless(Box::new(draining(request))),
            _ => Answer::NotServed,
        }
    }

    fn methods(&self) -> &[Method] {
        &[Method::Register]
    }

    fn interceptor(&self, place: ShardPlace<'_>) -> Option<Box<dyn Interceptor>> {
        self.0.0.proxied.interceptor(&self.0, place)
    }
}

/// Why an engine does not start.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The configuration is not possible.
    #[error(transparent)]
    Config(#[from] Invalid),
    /// An account is not possible.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The registrar's intervals are not possible.
    #[error(transparent)]
    Registrar(#[from] RegistrarConfigError),
    /// The range of RTP ports.
    #[error(transparent)]
    MediaPorts(#[from] PortRangeError),
    /// A pattern of `on_invite` cannot be read.
    #[error("on_invite: {0}")]
    Pattern(#[from] PatternError),
    /// Two handlers for the same calls.
    #[error("on_invite: {0}")]
    Duplicate(#[from] DuplicatePattern),
    /// The data folder cannot be made.
    #[error("{}: cannot make this folder: {cause}; name another as `data_dir`", path.display())]
    DataFolder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// There is no certificate for TLS.
    #[cfg(feature = "tls")]
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// Nobody can be asked where a host is that is named.
    #[cfg(feature = "dns")]
    #[error("dns.servers: {0}")]
    Names(#[from] ResolverStartError),
    /// The store cannot be opened or read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The socket or a thread.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// Puts an [`Engine`] together.
pub struct EngineBuilder {
    config: Config,
    stages: Vec<Box<dyn Stage>>,
    routes: Result<Patterns<Route>, EngineError>,
    media_ports: Option<PortRange>,
    tap: Option<WireTap>,
    durable: bool,
    authenticates: bool,
    store: Option<storage::Opening>,
}

impl EngineBuilder {
    /// Leaves the first stage out: whoever sends INVITE or REGISTER is believed to be the user of its From, who needs no account to
    /// register. For a network in which somebody else has made sure of every sender, and to measure what the stage costs; anywhere else, anybody
    /// takes anybody's calls. Stages that are added come all the same.
    #[must_use]
    pub fn without_authentication(mut self) -> Self {
        self.authenticates = false;
        self
    }

    /// Adds a stage behind those that are there. The first, built in, authenticates INVITE and REGISTER by the configuration's
    /// accounts.
    #[must_use]
    pub fn stage(mut self, stage: impl Stage) -> Self {
        self.stages.push(Box::new(stage));
        self
    }

    /// Gives calls to what matches `pattern` (see [`Pattern`]) to `handler`. The narrowest pattern wins, and any pattern wins over
    /// the extension of that name. A pattern that cannot be read, or stands twice, makes [`Self::start`] fail.
    ///
    /// The handler runs in the call's actor: never twice at once for one call, on any thread, and it is dropped when the call
    /// ends. An error before the call was answered refuses the caller with [`CallError::status`].
    #[must_use]
    pub fn on_invite<F, Fut>(mut self, pattern: &str, handler: F) -> Self
    where
        F: Fn(IncomingCall) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), CallError>> + Send + 'static,
    {
        let handler: InviteHandler = Arc::new(move |incoming| Box::pin(handler(incoming)));
        self.routes = self.routes.and_then(|mut routes| {
            let pattern: Pattern = pattern.parse()?;
            let name = Some(Arc::from(pattern.as_str()));
            routes.insert(pattern, Route { handler, pattern: name })?;
            Ok(routes)
        });
        self
    }

    /// Uses these RTP ports instead of the configuration's, such as [`PortRange::system_chosen`] in tests.
    #[must_use]
    pub fn media_ports(mut self, ports: PortRange) -> Self {
        self.media_ports = Some(ports);
        self
    }

    /// Shows every SIP datagram that is received or sent to `tap`, in order. It runs in the shard and must not block.
    #[must_use]
    pub fn tap(mut self, tap: WireTap) -> Self {
        self.tap = Some(tap);
        self
    }

    /// Keeps registrations and call records in the database `blether.db` in the configuration's `data_dir`: a changed contact is written before
    /// its REGISTER is answered, a call record when its call is answered and when it ends, and the next start finds them. Without this they are
    /// gone with the engine. So are the accounts that were added to those of the configuration ([`EngineHandle::add_account`]).
    #[must_use]
    pub fn durable(mut self) -> Self {
        self.durable = true;
        self
    }

    /// Keeps registrations and call records in `store`, whatever that is, instead of the database of [`Self::durable`].
    #[must_use]
    pub fn store<S: Store>(mut self, store: S, config: WriterConfig) -> Self {
        self.store = Some(storage::opening(store, config));
        self
    }

    /// Starts the engine. Must be called on a tokio runtime.
    ///
    /// # Errors
    ///
    /// When the configuration, an account or a pattern is wrong, the store cannot be read, or the configured address cannot be bound.
    pub async fn start(self) -> Result<Engine, EngineError> {
        self.config.check()?;
        let config = &self.config;
        let routes = self.routes?;
        #[cfg(feature = "tls")]
        let certificate = Certificate::load(config, self.durable)?;
        let mut rng: rand::rngs::StdRng = rand::make_rng();
        let accounts = config.accounts.iter().map(|account| {
            Account::new(&account.user, &config.realm, account.password.expose(), Some(&account.display_name))
        });
        let accounts = Accounts::new(accounts.collect::<Result<Vec<_>, _>>()?)?;
        let location = Arc::new(Location::new(LocationLimits {
            max_contacts_per_aor: config.registrar.max_contacts,
            ..LocationLimits::default()
        }));
        let seconds = |time: Duration| u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
        let domains = domains(config);
        let domain = domains.primary().clone();
        let registrar = RegistrarConfig {
            min_expires: seconds(config.registrar.min_expires),
            max_expires: seconds(config.registrar.max_expires),
            max_expires_by_connection: seconds(config.tcp.idle_timeout),
            default_expires: seconds(config.registrar.default_expires),
            service_route: config.registrar.service_route.clone(),
            ..RegistrarConfig::new(domains)
        };
        let registrar = Registrar::new(registrar, location.clone())?;
        let store = match (self.store, self.durable) {
            (Some(open), _) => open(location.clone(), domain).await?,
            (None, true) => storage::durable(&config.data_dir, domain, location.clone()).await?,
            (None, false) => storage::in_memory(location.clone()).await?,
        };
        let accounts = all_accounts(accounts, store.accounts(), &config.realm);
        let accounts = Arc::new(SharedAccounts::new(accounts));
        let core = Core {
            realm: config.realm.clone(),
            records: Arc::new(CallRecords::new(store.clone(), &mut rng)),
            store,
            authenticator: self.authenticates.then(|| {
                Authenticator::new(
                    AuthenticatorConfig {
                        algorithms: config.authentication.digest,
                        ..AuthenticatorConfig::new(&config.realm)
                    },
                    accounts.clone(),
                    Instant::now(),
                    &mut rng,
                )
            }),
            registrar,
            accounts,
            changing_accounts: tokio::sync::Mutex::default(),
            location,
            stages: self.stages,
            routes,
            proxied: Proxied::new(config, self.durable, &mut rng)?,
            ring_for: config.calls.ring_timeout,
            meters: Meters::new(),
            failed_logins: LineBudget::default(),
            refused_registrations: LineBudget::default(),
            draining: AtomicBool::new(false),
            started: Instant::now(),
            probe: OnceLock::new(),
        };
        let media_ports = match self.media_ports {
            Some(ports) => ports,
            None => PortRange::new(config.media.ports.first, config.media.ports.last)?,
        };
        let endpoint_config = EndpointConfig {
            listen: config.listen.address,
            also_listen: config.listens_for_udp().skip(1).collect(),
            shards: config.shard_count(),
            tcp: config.tcp.connection_limits(),
            #[cfg(feature = "tls")]
            tls: certificate.as_ref().map(|certificate| certificate.endpoint_config(config)),
            advertise: config.advertise,
            limits: Limits {
                max_message: config.limits.max_message,
                max_body: config.limits.max_body,
                ..Limits::default()
            },
            max_transactions: config.limits.max_transactions,
            max_calls: config.limits.max_calls,
            end_when_silent: Some(config.calls.end_when_silent),
            media_workers: config.media.workers,
            media_ports,
            tap: self.tap,
            locator: names::locator(config)?,
            ..EndpointConfig::default()
        };
        core.forget_strangers(Instant::now());
        let handle = EngineHandle(Arc::new(core));
        let mut tasks = JoinSet::new();
        if handle.store().status().unread {
            let handle = handle.clone();
            tasks.spawn(async move {
                if handle.store().read().await {
                    handle.0.serve_late_accounts().await;
                }
            });
        }
        let sweeping = handle.clone();
        tasks.spawn(async move { sweeping.0.sweep().await });
        let endpoint = Endpoint::start(endpoint_config, Arc::new(Server(handle.clone()))).await?;
        // It is empty so far.
        let _ = handle.0.probe.set(endpoint.probe());
        Ok(Engine {
            endpoint,
            handle,
            #[cfg(feature = "tls")]
            certificate,
            _tasks: tasks,
        })
    }
}

fn domains(config: &Config) -> Domains {
    let mut named = config.domains.iter().cloned();
    let unnamed = || Host::Name(UNNAMED_DOMAIN.into());
    let primary = named.next().unwrap_or_else(unnamed);
    Domains::new(primary, named.chain(config.advertise.map(Host::from)))
}

/// A running server. Dropping it stops everything at once; [`Self::shut_down`] lets calls say goodbye.
#[derive(Debug)]
pub struct Engine {
    endpoint: Endpoint,
    handle: EngineHandle,
    /// What is shown over TLS, if that is spoken.
    #[cfg(feature = "tls")]
    certificate: Option<Certificate>,
    /// What goes on beside the endpoint; dropping it ends that.
    _tasks: JoinSet<()>,
}

impl Engine {
    /// Begins to put an engine together that serves what `config` says.
    pub fn builder(config: Config) -> EngineBuilder {
        let routes = Ok(Patterns::new());
        EngineBuilder {
            config,
            stages: Vec::new(),
            routes,
            media_ports: None,
            tap: None,
            durable: false,
            authenticates: true,
            store: None,
        }
    }

    /// The address of the SIP sockets, with the port that the system chose; of several, the first.
    pub fn local_addr(&self) -> SocketAddr {
        self.endpoint.local_addr()
    }

    /// All addresses of the SIP sockets, in the order of the configuration.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        self.endpoint.local_addrs()
    }

    /// Where it receives SIP over TLS, with the ports that the system chose.
    pub fn tls_addrs(&self) -> &[SocketAddr] {
        self.endpoint.tls_addrs()
    }

    /// Reads the files of the certificate for TLS again, and shows what is in them from the next connection on: those that are open go on as they
    /// are. Does nothing where TLS is not spoken.
    ///
    /// # Errors
    ///
    /// When they cannot be used; the certificate stays as it was then.
    #[cfg(feature = "tls")]
    pub fn reload_certificate(&self) -> Result<(), CertificateError> {
        self.certificate.as_ref().map_or(Ok(()), Certificate::reload)
    }

    /// The flow by which a server at `remote` is reached over TLS that has to prove to be `name`; see [`Endpoint::flow_over_tls`]. For
    /// [`Self::request`], and for the legs that a handler dials.
    ///
    /// # Errors
    ///
    /// [`NoRoute`] when the system has no way there.
    #[cfg(feature = "tls")]
    pub fn flow_over_tls(&self, remote: SocketAddr, name: &PeerName) -> Result<Flow, NoRoute> {
        self.endpoint.flow_over_tls(remote, name)
    }

    /// Sends a request outside of any call, such as OPTIONS to another server, and waits for its final response.
    ///
    /// # Errors
    ///
    /// When nobody answers in 64 × T1, nothing can be sent, or the engine is overloaded.
    pub async fn request(&self, request: Request, flow: Flow) -> Result<Response, RequestError> {
        self.endpoint.request(request, flow).await
    }

    /// The tables, as handlers see them.
    pub fn handle(&self) -> &EngineHandle {
        &self.handle
    }

    /// What is alive at this moment.
    pub async fn counts(&self) -> Option<EndpointCounts> {
        self.endpoint.counts().await
    }

    /// Waits until no call is left.
    pub async fn idle(&self) {
        self.endpoint.idle().await;
    }

    /// Takes no new calls from here on, and waits until the last of those that live has ended, for at most `patience`. Tells whether it has:
    /// `false` when calls are left. [`Self::shut_down`] comes next.
    ///
    /// Meanwhile an INVITE that would open a call is answered 503 with Retry-After, and so is OPTIONS, so that load balancers turn away.
    /// Everything within calls goes on as ever. So do registrations: phones that refresh theirs stay reachable for whoever serves next from the
    /// same store.
    pub fn drain(&self, patience: Duration) -> impl Future<Output = bool> {
        // At once, not when the future is first polled.
        self.handle.0.draining.store(true, Ordering::Relaxed);
        let calls = self.endpoint.live_calls();
        tracing::info!(calls, ?patience, "draining: no new calls; those that live go on");
        async move {
            let drained = tokio::time::timeout(patience, self.idle()).await.is_ok();
            if !drained {
                tracing::warn!(calls = self.endpoint.live_calls(), "calls are left after {patience:?}");
            }
            drained
        }
    }

    /// Ends every call with a BYE, a CANCEL or a refusal, for at most `patience`, has the store take in what is left, and stops.
    pub async fn shut_down(self, patience: Duration) {
        let Self { endpoint, handle, _tasks, .. } = self;
        endpoint.shut_down(patience).await;
        let Core { records, store, .. } = &*handle.0;
        if tokio::time::timeout(RECORDS_GOODBYE, records.all_ended()).await.is_err() {
            tracing::warn!(
                "calls have not ended after {RECORDS_GOODBYE:?}; their records are marked interrupted at the next start"
            );
        }
        store.close(STORE_GOODBYE).await;
    }
}

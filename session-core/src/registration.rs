//! A phone's registration (RFC 3261 §10.2): bound, refreshed in time, and tried again when it fails.
//!
//! ```text
//!            start              2xx
//!   Idle ──────────► Sending ─────────► Registered ─┐ refresh
//!                     ▲   │ ▲                        │
//!                     │   │ └────────────────────────┘
//!            back-off │   │ failure                        unregister: Removing ─► Idle
//!                     └───▼──
//!                     Waiting
//! ```

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use blether_sip_core::{
    ByteStr, CSeq, Contact, Expires, Method, MinExpires, NameAddr, Request, Response, RetryAfter, Route, SipUri,
    StatusCode, Uri, UserAgent,
};
use blether_sip_transport::Flow;
use blether_transaction_core::{Failure, Timing};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::client_authentication::{ClientAuthenticator, ClientCredentials};
use crate::dialog::routed;
use crate::error::{AuthError, DialogError};
use crate::invite::RequestToken;

/// What a registration is made of.
#[derive(Debug, Clone)]
pub struct RegistrationConfig {
    /// The Request-URI: the registrar's domain, without user (RFC 3261 §10.2).
    pub registrar: SipUri,
    /// Who is registered: From and To. Tags are put in and taken out as needed.
    pub address_of_record: NameAddr,
    /// Where requests are to be sent to instead.
    pub contact: SipUri,
    /// The Call-ID, the same as long as the phone runs (§10.2).
    pub call_id: ByteStr,
    /// Proxies to pass on the way, the nearest first.
    pub route: Vec<NameAddr>,
    /// How long the binding is wished to last. Default 3600 s, as registrars have it; whole seconds.
    pub expires: Duration,
    /// What answers a 401 or 407.
    pub credentials: Option<ClientCredentials>,
    /// The way by which the REGISTER goes out.
    pub flow: Flow,
    /// Who we say we are; empty: nothing is said.
    pub user_agent: ByteStr,
    /// T1, from which it follows how long a REGISTER may take; the same as the transactions have.
    pub timing: Timing,
    /// The first wait after a failure; it doubles with each further one. Default 30 s (RFC 5626 §4.5, all flows failed).
    pub retry_base: Duration,
    /// The longest wait after failures. Default 1800 s (RFC 5626 §4.5).
    pub retry_max: Duration,
}

impl RegistrationConfig {
    /// Makes a configuration with the default of everything that is not named.
    pub fn new(registrar: SipUri, address_of_record: NameAddr, contact: SipUri, call_id: ByteStr, flow: Flow) -> Self {
        Self {
            registrar,
            address_of_record,
            contact,
            call_id,
            route: Vec::new(),
            expires: Duration::from_secs(3600),
            credentials: None,
            flow,
            user_agent: ByteStr::from(""),
            timing: Timing::default(),
            retry_base: Duration::from_secs(30),
            retry_max: Duration::from_secs(1800),
        }
    }
}

/// What a registration wants sent.
#[derive(Debug, Clone)]
pub struct RegistrationTransmit {
    /// To be given back with the responses.
    pub token: RequestToken,
    /// The REGISTER, without Via.
    pub request: Request,
    /// The way by which it goes out.
    pub flow: Flow,
}

/// Why a REGISTER came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistrationFailure {
    /// The registrar refuses.
    #[error("the registrar answers {} {}", .0.code(), .0.reason())]
    Refused(StatusCode),
    /// The challenge cannot be answered, or the answer is refused.
    #[error("authentication failed: {0}")]
    Authentication(#[from] AuthError),
    /// No answer in time.
    #[error("the registrar does not answer")]
    TimedOut,
    /// The request could not be sent.
    #[error("the registrar cannot be reached: {0}")]
    Unreachable(std::io::ErrorKind),
}

/// What has happened to a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegistrationEvent {
    /// The binding stands (again) for this long; it is refreshed before that.
    Registered {
        /// What the registrar has granted.
        expires: Duration,
    },
    /// A REGISTER has failed. A binding made earlier may still stand until it expires.
    Failed {
        /// Why.
        failure: RegistrationFailure,
        /// When it is tried again. `None`: not by itself, because it would fail again; see [`Registration::start`].
        retry_in: Option<Duration>,
    },
    /// The binding is removed, or at least no longer kept.
    Unregistered,
}

#[derive(Debug)]
enum State {
    Idle,
    /// A REGISTER has no final response yet.
    Sending {
        purpose: Purpose,
        token: RequestToken,
        request: Box<Request>,
    },
    /// The binding stands.
    Registered {
        refresh_at: Instant,
    },
    /// The last REGISTER failed.
    Waiting {
        retry_at: Instant,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Bind,
    /// To bind, but to be removed as soon as that is answered: two REGISTERs at once may overtake each other (§10.2).
    BindThenRemove,
    Remove,
}

/// Keeps one contact registered (RFC 3261 §10.2).
///
/// The contract is that of the other machines of this crate. It works on after every event; after
/// [`RegistrationEvent::Unregistered`] no timer runs until it is started again.
#[derive(Debug)]
pub struct Registration {
    config: RegistrationConfig,
    from: NameAddr,
    to: NameAddr,
    /// What is asked for: grows when a registrar finds it too brief (423).
    expires: Duration,
    cseq: u32,
    failures: u32,
    next_token: u64,
    authenticator: Option<ClientAuthenticator>,
    rng: StdRng,
    state: State,
    transmits: VecDeque<RegistrationTransmit>,
    events: VecDeque<RegistrationEvent>,
}

impl Registration {
    /// Makes a registration that does nothing yet. `rng` gives the From tag, client nonces, and the spread of waits.
    pub fn new(config: RegistrationConfig, mut rng: StdRng) -> Self {
        let mut to = config.address_of_record.clone();
        to.params.remove("tag");
        let from = to.clone().with_tag(&format!("{:016x}", rng.random::<u64>()));
        let authenticator = config
            .credentials
            .clone()
            .map(|credentials| ClientAuthenticator::new(credentials, StdRng::seed_from_u64(rng.random())));
        Self {
            from,
            to,
            expires: config.expires,
            cseq: 0,
            failures: 0,
            next_token: 0,
            authenticator,
            rng,
            state: State::Idle,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            config,
        }
    }

    /// Registers now: at first, after a failure that is not tried again by itself, or ahead of time because the network has
    /// changed. Does nothing while a REGISTER is on its way.
    ///
    /// # Errors
    /// The REGISTER cannot be built of the configuration.
    pub fn start(&mut self, _now: Instant) -> Result<(), DialogError> {
        if let State::Sending { purpose, .. } = &mut self.state {
            if *purpose == Purpose::BindThenRemove {
                *purpose = Purpose::Bind;
            }
            return Ok(());
        }
        self.send(Purpose::Bind)
    }

    /// Uses another flow and contact from the next REGISTER on, because our address or the registrar's has changed.
    pub fn move_to(&mut self, flow: Flow, contact: SipUri) {
        self.config.flow = flow;
        self.config.contact = contact;
    }

    /// Removes the binding (§10.2.2). Ends with [`RegistrationEvent::Unregistered`] in any case, after 64×T1 if nobody
    /// answers.
    ///
    /// # Errors
    /// The REGISTER cannot be built of the configuration.
    pub fn unregister(&mut self, _now: Instant) -> Result<(), DialogError> {
        match &mut self.state {
            State::Sending { purpose: purpose @ Purpose::Bind, .. } => *purpose = Purpose::BindThenRemove,
            State::Sending { .. } => {}
            State::Idle => self.events.push_back(RegistrationEvent::Unregistered),
            // After a failure an older binding may stand.
            State::Registered { .. } | State::Waiting { .. } => return self.send(Purpose::Remove),
        }
        Ok(())
    }

    /// Whether the registrar has confirmed the binding, and nothing has failed since.
    pub fn is_registered(&self) -> bool {
        matches!(self.state, State::Registered { .. })
    }

    fn send(&mut self, purpose: Purpose) -> Result<(), DialogError> {
        let expires = if purpose == Purpose::Remove { Duration::ZERO } else { self.expires };
        let (uri, routes) = routed(&Uri::from(self.config.registrar.clone()), &self.config.route);
        self.cseq = self.cseq.saturating_add(1);
        let mut builder = Request::builder(Method::Register, uri)
            .from(self.from.clone())
            .to(self.to.clone())
            .call_id(&self.config.call_id)
            .cseq(self.cseq)
            .max_forwards(70)
            .header(Contact::Address(NameAddr::new(self.config.contact.clone())))
            .header(Expires(seconds(expires)));
        for route in routes {
            builder = builder.header(Route(route));
        }
        if !self.config.user_agent.is_empty() {
            builder = builder.header(UserAgent(self.config.user_agent.clone()));
        }
        let mut request = builder.build().map_err(DialogError::Unbuildable)?;
        if let Some(authenticator) = &mut self.authenticator {
            authenticator.prepare(&mut request);
        }
        self.transmit(purpose, request);
        Ok(())
    }

    fn transmit(&mut self, purpose: Purpose, request: Request) {
        let token = RequestToken(self.next_token);
        self.next_token += 1;
        self.transmits.push_back(RegistrationTransmit { token, request: request.clone(), flow: self.config.flow });
        self.state = State::Sending { purpose, token, request: Box::new(request) };
    }

    /// Takes in a response to the REGISTER of this token. Provisional ones and those to earlier tokens change nothing.
    pub fn handle_response(&mut self, now: Instant, token: RequestToken, response: &Response) {
        let status = response.status();
        let Some((purpose, request)) = self.answered(token, status.is_final()) else { return };
        match status.code() {
            200..=299 => self.succeeded(now, purpose, response),
            401 | 407 => match self.authorized(request, response) {
                Ok(next) => self.transmit(purpose, next),
                // The same password would be refused again, and many refusals lock accounts.
                Err(error) => self.failed(now, purpose, RegistrationFailure::Authentication(error), Retry::Never),
            },
            423 if purpose != Purpose::Remove && self.takes_longer(response) => {
                if self.send(purpose).is_err() {
                    self.failed(now, purpose, RegistrationFailure::Refused(status), Retry::Never);
                }
            }
            _ => {
                let after = response.headers().get::<RetryAfter>().ok().flatten();
                let retry =
                    after.map_or(Retry::BackOff, |after| Retry::After(Duration::from_secs(after.seconds.into())));
                self.failed(now, purpose, RegistrationFailure::Refused(status), retry);
            }
        }
    }

    /// Takes in that the REGISTER of this token got no response, or could not be sent.
    pub fn handle_failure(&mut self, now: Instant, token: RequestToken, failure: Failure) {
        let Some((purpose, _)) = self.answered(token, true) else { return };
        let failure = match failure.unreachable() {
            Some(kind) => RegistrationFailure::Unreachable(kind),
            None => RegistrationFailure::TimedOut,
        };
        self.failed(now, purpose, failure, Retry::BackOff);
    }

    /// The REGISTER of this token, if it is the one on its way and this is its end.
    fn answered(&mut self, of: RequestToken, is_final: bool) -> Option<(Purpose, Request)> {
        match &self.state {
            State::Sending { purpose, token, request } if *token == of && is_final => {
                Some((*purpose, Request::clone(request)))
            }
            _ => None,
        }
    }

    fn authorized(&mut self, mut request: Request, response: &Response) -> Result<Request, AuthError> {
        let authenticator = self.authenticator.as_mut().ok_or(AuthError::NoCredentials)?;
        self.cseq = self.cseq.saturating_add(1);
        request.set_cseq(CSeq { number: self.cseq, method: Method::Register });
        authenticator.authorize(&mut request, response)?;
        Ok(request)
    }

    /// Takes in the Min-Expires of a 423 (§10.2.8); whether it asks for more than was asked for.
    fn takes_longer(&mut self, response: &Response) -> bool {
        match response.headers().get::<MinExpires>() {
            Ok(Some(MinExpires(least))) if Duration::from_secs(least.into()) > self.expires => {
                self.expires = Duration::from_secs(least.into());
                true
            }
            _ => false,
        }
    }

    fn succeeded(&mut self, now: Instant, purpose: Purpose, response: &Response) {
        self.failures = 0;
        match purpose {
            Purpose::Remove => self.finish(),
            Purpose::BindThenRemove => {
                if self.send(Purpose::Remove).is_err() {
                    self.finish();
                }
            }
            Purpose::Bind => {
                let granted = self.granted(response);
                let refresh_at = now + self.refresh_after(granted);
                self.state = State::Registered { refresh_at };
                self.events.push_back(RegistrationEvent::Registered { expires: granted });
            }
        }
    }

    /// How long our binding stands by a 2xx (§10.2.4): the `expires` of our contact, or Expires, or what was asked for.
    fn granted(&self, response: &Response) -> Duration {
        // A list with a malformed value in it is as good as none.
        let contacts = response.headers().all::<Contact>().unwrap_or_default();
        let ours = contacts.iter().find(|contact| {
            let uri = contact.address().and_then(|address| address.uri.as_sip());
            uri.is_some_and(|uri| uri.equivalent(&self.config.contact))
        });
        let by_header = || response.headers().get::<Expires>().ok().flatten().map(|Expires(seconds)| seconds);
        let seconds = ours.and_then(Contact::expires).or_else(by_header).unwrap_or(seconds(self.expires));
        Duration::from_secs(seconds.into())
    }

    /// When to refresh a binding: early enough for a REGISTER that is lost and tried once more (two times 64×T1), but not
    /// before half of its time; and up to a tenth earlier, so that phones that were started together do not stay together.
    fn refresh_after(&mut self, granted: Duration) -> Duration {
        let spare = 128 * self.config.timing.t1;
        let latest = granted.saturating_sub(spare).max(granted / 2).max(Duration::from_secs(1));
        latest.mul_f64(self.rng.random_range(0.9..=1.0))
    }

    fn failed(&mut self, now: Instant, purpose: Purpose, failure: RegistrationFailure, retry: Retry) {
        match purpose {
            Purpose::Remove => return self.finish(),
            Purpose::BindThenRemove => {
                if self.send(Purpose::Remove).is_err() {
                    self.finish();
                }
                return;
            }
            Purpose::Bind => {}
        }
        let wait = match retry {
            Retry::Never => None,
            Retry::BackOff => Some(self.back_off()),
            // A registrar cannot keep us from trying for longer than we would wait by ourselves.
            Retry::After(wait) => Some(wait.clamp(Duration::from_secs(1), self.config.retry_max)),
        };
        self.failures = self.failures.saturating_add(1);
        self.state = match wait {
            Some(wait) => State::Waiting { retry_at: now + wait },
            None => State::Idle,
        };
        self.events.push_back(RegistrationEvent::Failed { failure, retry_in: wait });
    }

    /// The wait of RFC 5626 §4.5: the base doubled with each failure up to the maximum, of which between a half and all is
    /// waited.
    fn back_off(&mut self) -> Duration {
        let doubled = self.config.retry_base.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        doubled.min(self.config.retry_max).mul_f64(self.rng.random_range(0.5..=1.0))
    }

    fn finish(&mut self) {
        self.state = State::Idle;
        self.events.push_back(RegistrationEvent::Unregistered);
    }

    /// Refreshes or tries again, if that is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        let is_due = self.poll_timeout().is_some_and(|at| at <= now);
        if is_due && let Err(error) = self.send(Purpose::Bind) {
            tracing::error!(%error, "REGISTER cannot be built");
            self.state = State::Idle;
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Registered { refresh_at } => Some(refresh_at),
            State::Waiting { retry_at } => Some(retry_at),
            State::Idle | State::Sending { .. } => None,
        }
    }

    /// The next request to be sent.
    pub fn poll_transmit(&mut self) -> Option<RegistrationTransmit> {
        self.transmits.pop_front()
    }

    /// The next thing that has happened.
    pub fn poll_event(&mut self) -> Option<RegistrationEvent> {
        self.events.pop_front()
    }
}

enum Retry {
    Never,
    BackOff,
    After(Duration),
}

fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use blether_sip_core::HeaderName;
    use blether_testkit::SimulatedNetwork;
    use blether_transaction_core::Timer;

    struct Desk {
        registration: Registration,
        now: Instant,
    }

    impl Desk {
        fn with(change: impl FnOnce(&mut RegistrationConfig)) -> Self {
            let flow = Flow::udp("192.0.2.1:5060".parse().unwrap(), "192.0.2.9:5060".parse().unwrap());
            let mut config = RegistrationConfig::new(
                "sip:example.org".parse().unwrap(),
                "<sip:alice@example.org>".parse().unwrap(),
                "sip:alice@192.0.2.1:5060".parse().unwrap(),
                ByteStr::from("boot-1"),
                flow,
            );
            config.credentials = Some(ClientCredentials::with_password("alice", "secret"));
            change(&mut config);
            let registration = Registration::new(config, StdRng::seed_from_u64(1));
            Self { registration, now: SimulatedNetwork::new(1).now() }
        }

        fn started() -> (Self, RegistrationTransmit) {
            let mut desk = Self::with(|_| {});
            desk.registration.start(desk.now).unwrap();
            let sent = desk.sent();
            (desk, sent)
        }

        fn registered(expires: &str) -> Self {
            let (mut desk, sent) = Self::started();
            desk.answer(&sent, StatusCode::OK, "Contact", &format!("<sip:alice@192.0.2.1:5060>;expires={expires}"));
            desk
        }

        fn sent(&mut self) -> RegistrationTransmit {
            let sent = self.registration.poll_transmit().unwrap();
            assert!(self.registration.poll_transmit().is_none(), "one REGISTER at a time");
            sent
        }

        fn answer(&mut self, to: &RegistrationTransmit, status: StatusCode, name: &str, value: &str) {
            let response = Response::to_request(&to.request, status).to_tag("r").raw(name, value).build();
            self.registration.handle_response(self.now, to.token, &response);
        }

        fn event(&mut self) -> RegistrationEvent {
            let event = self.registration.poll_event().unwrap();
            assert_eq!(self.registration.poll_event(), None);
            event
        }

        /// Goes on to the next timer, and tells how long that took.
        fn wait(&mut self) -> Duration {
            let at = self.registration.poll_timeout().unwrap();
            let waited = at - self.now;
            self.now = at;
            self.registration.handle_timeout(at);
            waited
        }
    }

    fn header<'a>(request: &'a Request, name: &HeaderName) -> &'a str {
        request.headers().raw(name).unwrap()
    }

    const CHALLENGE: &str = r#"Digest realm="example.org", nonce="n", algorithm=SHA-256, qop="auth""#;

    #[test]
    fn a_register_names_registrar_account_contact_and_expiry() {
        let (_, sent) = Desk::started();
        assert_eq!(sent.request.uri().to_string(), "sip:example.org");
        assert_eq!(header(&sent.request, &HeaderName::To), "<sip:alice@example.org>");
        assert!(sent.request.from().tag().is_some());
        assert_eq!(header(&sent.request, &HeaderName::Contact), "<sip:alice@192.0.2.1:5060>");
        assert_eq!(header(&sent.request, &HeaderName::Expires), "3600");
        assert_eq!(sent.request.cseq().number, 1);
    }

    #[test]
    fn a_binding_is_refreshed_before_it_expires_with_the_same_call_id_and_the_next_cseq() {
        let mut desk = Desk::registered("600");
        assert_eq!(desk.event(), RegistrationEvent::Registered { expires: Duration::from_secs(600) });
        assert!(desk.registration.is_registered());
        let waited = desk.wait();
        // 600 s less two REGISTERs of 32 s each, and up to a tenth earlier.
        assert!((482..=536).contains(&waited.as_secs()), "{waited:?}");
        let refresh = desk.sent();
        assert_eq!((&**refresh.request.call_id(), refresh.request.cseq().number), ("boot-1", 2));
    }

    #[test]
    fn a_short_binding_is_refreshed_at_half_its_time() {
        for (granted, earliest, latest) in [("60", 27, 30), ("2", 0, 1), ("0", 0, 1)] {
            let mut desk = Desk::registered(granted);
            let waited = desk.wait();
            assert!(
                (earliest..=latest).contains(&waited.as_secs()) && waited > Duration::from_millis(800),
                "{waited:?}"
            );
        }
    }

    #[test]
    fn the_expiry_is_that_of_our_own_contact_or_of_the_expires_header_or_what_was_asked() {
        let granted = |name: &str, value: &str| {
            let (mut desk, sent) = Desk::started();
            desk.answer(&sent, StatusCode::OK, name, value);
            match desk.event() {
                RegistrationEvent::Registered { expires } => expires.as_secs(),
                other => panic!("{other:?}"),
            }
        };
        let several = "<sip:alice@192.0.2.7>;expires=5, <sip:alice@192.0.2.1:5060>;expires=120";
        assert_eq!(granted("Contact", several), 120);
        assert_eq!(granted("Expires", "90"), 90);
        assert_eq!(granted("X-None", "x"), 3600);
    }

    #[test]
    fn an_interval_that_is_too_brief_is_raised_to_what_the_registrar_wants() {
        let (mut desk, sent) = Desk::started();
        desk.answer(&sent, StatusCode::INTERVAL_TOO_BRIEF, "Min-Expires", "7200");
        let again = desk.sent();
        assert_eq!(header(&again.request, &HeaderName::Expires), "7200");
        // The same answer to that makes no sense, and is not followed for ever.
        desk.answer(&again, StatusCode::INTERVAL_TOO_BRIEF, "Min-Expires", "7200");
        assert!(matches!(desk.event(), RegistrationEvent::Failed { retry_in: Some(_), .. }));
    }

    #[test]
    fn a_challenge_is_answered_and_a_second_one_stops_it() {
        let (mut desk, sent) = Desk::started();
        desk.answer(&sent, StatusCode::UNAUTHORIZED, "WWW-Authenticate", CHALLENGE);
        let again = desk.sent();
        assert_eq!(again.request.cseq().number, 2);
        assert!(header(&again.request, &HeaderName::Authorization).contains("algorithm=SHA-256"));
        desk.answer(&again, StatusCode::UNAUTHORIZED, "WWW-Authenticate", CHALLENGE);
        let refused = RegistrationFailure::Authentication(AuthError::Refused { realm: "example.org".into() });
        assert_eq!(desk.event(), RegistrationEvent::Failed { failure: refused, retry_in: None });
        assert_eq!(desk.registration.poll_timeout(), None);
        desk.registration.start(desk.now).unwrap();
        desk.sent();
    }

    #[test]
    fn without_credentials_a_challenge_says_so() {
        let mut desk = Desk::with(|config| config.credentials = None);
        desk.registration.start(desk.now).unwrap();
        let sent = desk.sent();
        desk.answer(&sent, StatusCode::UNAUTHORIZED, "WWW-Authenticate", CHALLENGE);
        assert!(matches!(
            desk.event(),
            RegistrationEvent::Failed {
                failure: RegistrationFailure::Authentication(AuthError::NoCredentials),
                retry_in: None,
            }
        ));
    }

    #[test]
    fn a_refresh_uses_the_nonce_that_is_known() {
        let (mut desk, sent) = Desk::started();
        desk.answer(&sent, StatusCode::UNAUTHORIZED, "WWW-Authenticate", CHALLENGE);
        let again = desk.sent();
        desk.answer(&again, StatusCode::OK, "Expires", "60");
        desk.wait();
        let refresh = desk.sent();
        assert!(header(&refresh.request, &HeaderName::Authorization).contains("nc=00000002"));
    }

    #[test]
    fn failures_are_tried_again_after_waits_that_double_up_to_the_maximum() {
        let (mut desk, mut sent) = Desk::started();
        for latest in [30, 60, 120, 240, 480, 960, 1_800, 1_800] {
            desk.registration.handle_failure(desk.now, sent.token, Failure::TimedOut(Timer::F));
            let RegistrationEvent::Failed { failure, retry_in: Some(wait) } = desk.event() else { panic!() };
            assert_eq!(failure, RegistrationFailure::TimedOut);
            assert!((latest / 2..=latest).contains(&wait.as_secs()), "{wait:?} of {latest}");
            assert_eq!(desk.wait(), wait);
            sent = desk.sent();
        }
        // A success begins the count anew.
        desk.answer(&sent, StatusCode::OK, "Expires", "60");
        desk.event();
        desk.wait();
        let sent = desk.sent();
        desk.registration.handle_failure(desk.now, sent.token, Failure::Transport(std::io::ErrorKind::NetworkDown));
        assert!(matches!(desk.event(), RegistrationEvent::Failed {
            failure: RegistrationFailure::Unreachable(std::io::ErrorKind::NetworkDown),
            retry_in: Some(wait),
        } if wait <= Duration::from_secs(30)));
    }

    #[test]
    fn a_registrar_that_names_a_time_is_tried_again_then() {
        let (mut desk, sent) = Desk::started();
        desk.answer(&sent, StatusCode::SERVICE_UNAVAILABLE, "Retry-After", "77");
        assert_eq!(desk.wait(), Duration::from_secs(77));
        let sent = desk.sent();
        desk.answer(&sent, StatusCode::SERVICE_UNAVAILABLE, "Retry-After", "4000000000");
        assert_eq!(desk.wait(), Duration::from_secs(1_800));
    }

    #[test]
    fn unregistering_asks_for_an_expiry_of_zero_and_ends_the_timers() {
        let mut desk = Desk::registered("600");
        desk.event();
        desk.registration.unregister(desk.now).unwrap();
        let sent = desk.sent();
        assert_eq!(header(&sent.request, &HeaderName::Expires), "0");
        desk.answer(&sent, StatusCode::OK, "X-None", "x");
        assert_eq!(desk.event(), RegistrationEvent::Unregistered);
        assert_eq!(desk.registration.poll_timeout(), None);
    }

    #[test]
    fn unregistering_waits_for_the_register_that_is_on_its_way() {
        let (mut desk, sent) = Desk::started();
        desk.registration.unregister(desk.now).unwrap();
        assert!(desk.registration.poll_transmit().is_none());
        desk.answer(&sent, StatusCode::OK, "Expires", "600");
        let removal = desk.sent();
        assert_eq!(header(&removal.request, &HeaderName::Expires), "0");
        desk.registration.handle_failure(desk.now, removal.token, Failure::TimedOut(Timer::F));
        assert_eq!(desk.event(), RegistrationEvent::Unregistered);
        assert_eq!(desk.registration.poll_timeout(), None);
    }

    #[test]
    fn a_response_to_an_earlier_register_changes_nothing() {
        let (mut desk, first) = Desk::started();
        desk.answer(&first, StatusCode::UNAUTHORIZED, "WWW-Authenticate", CHALLENGE);
        desk.sent();
        desk.answer(&first, StatusCode::OK, "Expires", "60");
        assert_eq!(desk.registration.poll_event(), None);
        assert!(!desk.registration.is_registered());
    }
}

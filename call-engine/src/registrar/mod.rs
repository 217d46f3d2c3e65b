//! Takes REGISTER requests and keeps the location service by them (RFC 3261 §10.3).
//!
//! [`Registrar::handle`] does a whole request, in the order of the RFC: domain, `Require`, authentication, authorisation, address
//! of record, contacts. It is told the time and does no I/O; several shards may use one registrar at once. A request is done
//! whole or not at all, since its contacts go into the [`Location`] by one compare-and-swap.
//!
//! A phone that names its device (`+sip.instance`) takes the place of what the device had registered before, though under another
//! address: a phone that was restarted or moved does not ring twice.
//!
//! A phone that registers through proxies is reached through them (Path, RFC 3327), and all are told the proxies to send by, if there are to be any
//! (Service-Route, RFC 3608).
//!
//! Absent: outbound (RFC 5626) but for that, GRUU (RFC 5627); a request that requires one of them gets 420. Third-party registration is refused: a user registers its own address of record only.

mod domains;
mod outcome;
mod request;

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use blether_sip_core::{
    AddressOfRecord, Allow, ByteStr, Contact, Date, HeaderName, Method, MinExpires, NameAddr, Path, Request, Require,
    Response, RetryAfter, ServiceRoute, SipUri, StatusCode, Unsupported,
};
use blether_sip_transport::Flow;

pub use domains::Domains;
pub use outcome::{Changes, Outcome, Refusal};

use crate::location::{Binding, Bindings, Location, SwapError};
use crate::stage::{AuthenticatedUser, Authenticator, Verification};
use request::{Step, Wanted};

/// How often a request is tried again when other registrations of the same user come in between.
const MAX_ATTEMPTS: usize = 16;
/// Seconds after which a phone may try again when the table is full or too busy: most entries of a full table go by expiry.
const RETRY_AFTER: u32 = 30;
/// The option tag of RFC 3327.
const PATH: &str = "path";
/// No registrar may refuse an interval of this length as too brief (RFC 3261 §10.3 step 7).
const ONE_HOUR: u32 = 3_600;

/// How a [`Registrar`] behaves. Durations are in seconds, as headers have them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrarConfig {
    /// The domains that it keeps.
    pub domains: Domains,
    /// What a shorter wish is answered 423 with. Default 60: keeps a NAT open, and yet bounds the load.
    pub min_expires: u32,
    /// What a longer wish is cut to. Default 7200: a phone that vanished is forgotten then.
    pub max_expires: u32,
    /// What a longer wish of a phone is cut to that registers by TCP, where that is less, but not below `min_expires`: the time after which idle
    /// connections are closed. Default `u32::MAX`.
    pub max_expires_by_connection: u32,
    /// What is granted to a phone that does not say. Default 3600 (RFC 3261 §10.2).
    pub default_expires: u32,
    /// Bytes of a contact, of each URI of its Path, and of a Call-ID, that are kept. Default 512: what phones send is under 200.
    pub max_text: usize,
    /// Proxies that a phone may register through. Default 8: more than stand in any row.
    pub max_path: usize,
    /// The proxies by which phones are told to send their requests (RFC 3608). Default: none, they send as they are set up.
    pub service_route: Vec<SipUri>,
}

impl RegistrarConfig {
    /// The defaults, for these domains.
    pub fn new(domains: Domains) -> Self {
        Self {
            domains,
            min_expires: 60,
            max_expires: 7_200,
            max_expires_by_connection: u32::MAX,
            default_expires: ONE_HOUR,
            max_text: 512,
            max_path: 8,
            service_route: Vec::new(),
        }
    }
}

/// Why a [`RegistrarConfig`] cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RegistrarConfigError {
    /// The three intervals are not in order.
    #[error("registrar: min_expires {min} ≤ default_expires {default} ≤ max_expires {max} does not hold")]
    Order {
        /// Seconds.
        min: u32,
        /// Seconds.
        default: u32,
        /// Seconds.
        max: u32,
    },
    /// RFC 3261 §10.3 lets no registrar refuse an hour as too brief.
    #[error("registrar: min_expires {0} is over an hour (3600)")]
    MinOverAnHour(u32),
}

/// What a REGISTER has done.
enum Done {
    Nothing,
    /// A copy of it did it before.
    Again,
    Changed(Changes),
}

/// A registrar over a [`Location`].
#[derive(Debug)]
pub struct Registrar {
    config: RegistrarConfig,
    location: Arc<Location>,
}

impl Registrar {
    /// Makes a registrar.
    ///
    /// # Errors
    /// The intervals are out of order.
    pub fn new(config: RegistrarConfig, location: Arc<Location>) -> Result<Self, RegistrarConfigError> {
        let (min, default, max) = (config.min_expires, config.default_expires, config.max_expires);
        if min > default || default > max || max == 0 {
            return Err(RegistrarConfigError::Order { min, default, max });
        }
        if min > ONE_HOUR {
            return Err(RegistrarConfigError::MinOverAnHour(min));
        }
        Ok(Self { config, location })
    }

    /// The location service that it keeps.
    pub fn location(&self) -> &Arc<Location> {
        &self.location
    }

    /// The domains that it keeps.
    pub fn domains(&self) -> &Domains {
        &self.config.domains
    }

    /// Does one REGISTER: what to answer, and what has happened.
    ///
    /// `date` is the wall clock, for the Date header. The request is authenticated here, between the steps that the RFC puts before
    /// and after; a pipeline that has done so already calls [`Registrar::admit`] before, and [`Registrar::register`] after.
    pub fn handle(
        &self,
        now: Instant,
        date: SystemTime,
        request: &Request,
        flow: Flow,
        authenticator: &Authenticator,
    ) -> (Response, Outcome) {
        if let Err(refusal) = self.admit(request, flow) {
            return self.refuse(request, refusal);
        }
        match authenticator.authenticate(now, request, flow.remote.ip()) {
            Verification::Authenticated { user } => self.register(now, date, request, flow, &user),
            Verification::Malformed { error } => self.refuse(request, Refusal::Credentials(error)),
            Verification::Challenge { headers, why } => {
                let mut response = response(request, StatusCode::UNAUTHORIZED, None);
                headers.into_iter().for_each(|header| response.headers_mut().push(header));
                (response, Outcome::Challenged { why })
            }
        }
    }

    /// The steps before authentication: the method, the domain of the Request-URI (step 1), `Require` (step 2).
    ///
    /// # Errors
    /// Why the request is refused; [`Registrar::refuse`] makes the response.
    pub fn admit(&self, request: &Request, flow: Flow) -> Result<(), Refusal> {
        if *request.method() != Method::Register {
            return Err(Refusal::Method);
        }
        let domain = request.uri().as_sip().ok_or(Refusal::Scheme)?;
        if !self.config.domains.contains(&domain.host, flow) {
            return Err(Refusal::Domain);
        }
        match request.headers().get::<Require>() {
            Err(error) => Err(Refusal::Header(error.to_string())),
            Ok(required) => {
                let tags = required.map(|Require(tags)| tags).unwrap_or_default();
                let unknown: Vec<_> = tags.into_iter().filter(|tag| !tag.eq_ignore_ascii_case(PATH)).collect();
                if unknown.is_empty() { Ok(()) } else { Err(Refusal::Extensions(unknown)) }
            }
        }
    }

    /// The steps after authentication: authorisation (4), address of record (5), contacts (6, 7), response (8).
    pub fn register(
        &self,
        now: Instant,
        date: SystemTime,
        request: &Request,
        flow: Flow,
        user: &AuthenticatedUser,
    ) -> (Response, Outcome) {
        match self.update(now, request, flow, user) {
            Err(refusal) => self.refuse(request, refusal),
            Ok((aor, bindings, done)) => {
                let response = self.list(now, date, request, &bindings);
                let contacts = bindings.len();
                let outcome = match done {
                    Done::Nothing => Outcome::Queried { aor, contacts, again: false },
                    Done::Again => Outcome::Queried { aor, contacts, again: true },
                    Done::Changed(changes) => Outcome::Updated { aor, contacts, changes },
                };
                (response, outcome)
            }
        }
    }

    /// What to answer to a copy of a REGISTER that was done already: the contacts as they are now. `None` if it is no such copy.
    ///
    /// No transaction knows it, since none is kept (RFC 3261 §8.2.7), and its credentials are used up; the binding tells, by Call-ID, CSeq, branch and the
    /// way that it came.
    pub fn again(&self, now: Instant, date: SystemTime, request: &Request, flow: Flow) -> Option<(Response, Outcome)> {
        let aor = self.aor(request, flow)?;
        let bindings = self.location.bindings(&aor, now);
        let contacts = bindings.len();
        let is_one = bindings.iter().any(|binding| is_copy(binding, request, flow));
        is_one.then(|| (self.list(now, date, request, &bindings), Outcome::Queried { aor, contacts, again: true }))
    }

    /// The response to a request that is refused.
    pub fn refuse(&self, request: &Request, refusal: Refusal) -> (Response, Outcome) {
        let mut response = response(request, refusal.status(), Some(&refusal.to_string()));
        let mut headers = response.headers_mut();
        match &refusal {
            Refusal::Method => headers.set(Allow(vec![Method::Register])),
            Refusal::Extensions(tags) => headers.set(Unsupported(tags.clone())),
            Refusal::TooBrief { min_expires } => headers.set(MinExpires(*min_expires)),
            Refusal::Full { .. } | Refusal::Contended => headers.set(RetryAfter::new(RETRY_AFTER)),
            _ => {}
        }
        (response, Outcome::Refused { refusal })
    }

    fn update(
        &self,
        now: Instant,
        request: &Request,
        flow: Flow,
        user: &AuthenticatedUser,
    ) -> Result<(AddressOfRecord, Arc<Bindings>, Done), Refusal> {
        let to = request.to().uri.as_sip().ok_or(Refusal::AddressOfRecord)?;
        let named = AddressOfRecord::from_uri(to).map_err(|_| Refusal::AddressOfRecord)?;
        if !user.authorises_aor(&named) {
            return Err(Refusal::Forbidden { user: ByteStr::from(user.user()) });
        }
        let aor = self.config.domains.canonical(&named, flow).ok_or(Refusal::AddressOfRecord)?;
        let wanted = Wanted::read(request, flow, &self.config)?;
        let path = request::path(request, &self.config)?;
        let mut seen = self.location.bindings(&aor, now);
        if seen.iter().any(|binding| is_copy(binding, request, flow)) {
            return Ok((aor, seen, Done::Again));
        }
        for _ in 0..MAX_ATTEMPTS {
            let (list, changes) = match &wanted {
                Wanted::Query => return Ok((aor, seen, Done::Nothing)),
                Wanted::RemoveAll => self.without_all(request, &seen)?,
                Wanted::Steps(steps) => self.with_steps(now, request, (flow, &path), steps, &seen)?,
            };
            match self.location.compare_and_swap(&aor, seen.version(), list) {
                Ok(bindings) => return Ok((aor, bindings, Done::Changed(changes))),
                // What was read leaves out what has expired, so this reads again rather than take what the error brings.
                Err(SwapError::Conflict(_)) => seen = self.location.bindings(&aor, now),
                Err(SwapError::TooManyContacts { limit, .. }) => return Err(Refusal::TooManyContacts { limit }),
                Err(SwapError::Full { limit }) => return Err(Refusal::Full { limit }),
            }
        }
        Err(Refusal::Contended)
    }

    /// Step 6: `Contact: *`.
    fn without_all(&self, request: &Request, seen: &Bindings) -> Result<(Vec<Arc<Binding>>, Changes), Refusal> {
        match seen.iter().find(|binding| is_out_of_order(binding, request)) {
            Some(newer) => Err(Refusal::OutOfOrder { cseq: request.cseq().number, seen: newer.cseq }),
            None => Ok((Vec::new(), Changes { removed: seen.len(), ..Changes::default() })),
        }
    }

    /// Step 7: each contact in turn. Contacts that are equivalent within one request override each other: the last counts. A contact
    /// takes the place of an equivalent one, and of those that its device has registered by earlier requests.
    fn with_steps(
        &self,
        now: Instant,
        request: &Request,
        (flow, path): (Flow, &[SipUri]),
        steps: &[Step],
        seen: &Bindings,
    ) -> Result<(Vec<Arc<Binding>>, Changes), Refusal> {
        let overridden = |old: &Binding| steps.iter().any(|step| step.overrides(old));
        if let Some(newer) = seen.iter().find(|old| overridden(old) && is_out_of_order(old, request)) {
            return Err(Refusal::OutOfOrder { cseq: request.cseq().number, seen: newer.cseq });
        }
        let mut list: Vec<Arc<Binding>> = seen.iter().cloned().collect();
        for step in steps {
            // One request may list several contacts of a device; they stand beside each other.
            let is_earlier = |old: &Binding| old.call_id != *request.call_id() || old.cseq != request.cseq().number;
            let goes =
                |old: &Binding| old.contact.equivalent(&step.contact) || (step.overrides(old) && is_earlier(old));
            let place = list.iter().position(|old| goes(old));
            list.retain(|old| !goes(old));
            if step.expires == 0 {
                continue;
            }
            let known = seen.find(&step.contact).map(|known| &**known);
            let binding = Arc::new(step.binding(known, request, flow, path, now));
            list.insert(place.unwrap_or(list.len()), binding);
        }
        let changes = Changes::between(seen, &list);
        Ok((list, changes))
    }

    fn aor(&self, request: &Request, flow: Flow) -> Option<AddressOfRecord> {
        let named = AddressOfRecord::from_uri(request.to().uri.as_sip()?).ok()?;
        self.config.domains.canonical(&named, flow)
    }

    /// The 200 of step 8.
    fn list(&self, now: Instant, date: SystemTime, request: &Request, bindings: &Bindings) -> Response {
        let mut response = response(request, StatusCode::OK, None);
        let mut headers = response.headers_mut();
        for binding in bindings.iter() {
            headers.push(listed(binding, now));
        }
        headers.set(Date::from(date));
        // RFC 3327 §5.3 and RFC 3608 §6.4: what was kept, and by which proxies the phone is to send.
        for path in request.headers().all::<Path>().unwrap_or_default() {
            headers.push(path);
        }
        for uri in &self.config.service_route {
            headers.push(ServiceRoute(NameAddr::new(uri.clone())));
        }
        response
    }
}

/// A response without a To tag: whoever sends it makes one that every copy gets (RFC 3261 §8.2.7).
fn response(request: &Request, status: StatusCode, reason: Option<&str>) -> Response {
    let builder = Response::to_request(request, status);
    let mut response = match reason {
        Some(reason) => builder.reason(reason).build(),
        None => builder.build(),
    };
    // Other responses copy it; a registrar's must not have it.
    if response.headers().has(&HeaderName::RecordRoute) {
        response.headers_mut().remove(&HeaderName::RecordRoute);
    }
    response
}

/// Whether the request is a copy of the one that has made or refreshed the binding, sent again by the same way because its answer was lost.
fn is_copy(binding: &Binding, request: &Request, flow: Flow) -> bool {
    binding.cseq == request.cseq().number
        && binding.copies == request::copies_of(request)
        && binding.call_id == *request.call_id()
        && binding.flow == flow
}

/// Whether the request comes from the phone that made the binding, but not after it (RFC 3261 §10.3 steps 6 and 7).
fn is_out_of_order(binding: &Binding, request: &Request) -> bool {
    binding.call_id == *request.call_id() && request.cseq().number <= binding.cseq
}

/// A binding as a response lists it: as registered, with the seconds that it still has. A part of a second counts as one, so
/// that a contact which is there does not look removed.
fn listed(binding: &Binding, now: Instant) -> Contact {
    let left = binding.expires_at.saturating_duration_since(now);
    let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
    let mut address = binding.registered();
    address.params.set("expires", Some(&seconds.to_string()));
    Contact::Address(address)
}

#[cfg(test)]
mod tests;

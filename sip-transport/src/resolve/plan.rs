//! The procedure of RFC 3263 §4.1 and §4.2, as questions and answers.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use rand::rngs::StdRng;

use super::destination::{Destination, DestinationHost, DomainName};
use super::error::{LookupFailure, ResolveError};
use super::order::{Rules, by_priority_and_weight, rules};
use super::question::{Question, Record, RecordKind};
use super::service::{Family, Means, Service};
use crate::PeerName;

/// Questions that one resolution asks at most: what a domain has beyond that is not looked at.
pub const MAX_QUESTIONS: usize = 32;

/// Targets that one resolution gives at most. Each may take 32 s (64 × T1) to fail; nobody waits for more.
pub const MAX_TARGETS: usize = 16;

/// Records of one answer that are looked at.
const MAX_RECORDS: usize = 64;

/// Aliases (CNAME) in a row that are followed.
const MAX_ALIASES: usize = 8;

/// Where a request can be sent to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// The address and port.
    pub address: SocketAddr,
    /// By what.
    pub service: Service,
    /// Whom a certificate must name, where TLS is used: the host of the destination, whatever DNS made of it (RFC 5922 §4).
    pub name: DestinationHost,
}

impl Target {
    /// The [`name`](Self::name) as a certificate proves it; `None` if none can.
    pub fn peer_name(&self) -> Option<PeerName> {
        match &self.name {
            DestinationHost::Address(address) => Some((*address).into()),
            DestinationHost::Name(name) => name.to_string().parse().ok(),
        }
    }
}

/// One resolution (RFC 3263 §4), without I/O: drain [`poll_question`](Self::poll_question), give the answers to
/// [`handle_answer`](Self::handle_answer) in any order, and so on until [`is_done`](Self::is_done); then [`finish`](Self::finish) has the
/// targets in the order in which they are to be tried (§4.3).
///
/// Questions that do not wait for each other are asked at once: both families of every SRV target, the SRV records of every transport.
///
/// # Example
///
/// ```
/// use blether_sip_transport::resolve::{Destination, Means, Record, Resolution};
/// use rand::SeedableRng;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let destination = Destination { port: Some(5070), ..Destination::new("sip.example.org".parse()?) };
/// let mut resolution = Resolution::new(destination, Means::default(), rand::rngs::StdRng::seed_from_u64(1));
/// while let Some(question) = resolution.poll_question() {
///     let records = match question.to_string().as_str() {
///         "A of sip.example.org" => vec![Record::Address("192.0.2.7".parse()?)],
///         _ => Vec::new(),
///     };
///     resolution.handle_answer(&question, Ok(records));
/// }
/// assert_eq!(resolution.finish()?[0].address, "192.0.2.7:5070".parse()?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Resolution {
    destination: Destination,
    means: Means,
    rng: StdRng,
    /// What was asked, and answered so far.
    asked: BTreeMap<Question, Option<Result<Vec<Record>, LookupFailure>>>,
    to_ask: VecDeque<Question>,
    progress: Walk,
}

/// What one walk through the procedure came to.
#[derive(Debug, Default)]
struct Walk {
    targets: Vec<Target>,
    /// An answer is missing; what comes after it in order is not known yet.
    pending: bool,
    failure: Option<ResolveError>,
}

impl Walk {
    /// Notes why there may be no target; the first is what matters.
    fn fail(&mut self, error: ResolveError) {
        self.failure.get_or_insert(error);
    }
}

/// What is known of a question.
enum Look {
    Pending,
    Known(Vec<Record>),
    Failed,
}

/// What became of the SRV records of a name.
#[derive(PartialEq, Eq)]
enum Srv {
    Pending,
    /// There are none.
    None,
    /// There is one, which says that there is no such service.
    NotOffered,
    Found,
}

impl Resolution {
    /// Begins. A numeric host is done at once. `rng` chooses among SRV records of one priority.
    pub fn new(destination: Destination, means: Means, rng: StdRng) -> Self {
        let (asked, to_ask, progress) = (BTreeMap::new(), VecDeque::new(), Walk::default());
        let mut resolution = Self { destination, means, rng, asked, to_ask, progress };
        resolution.walk();
        resolution
    }

    /// The next question.
    pub fn poll_question(&mut self) -> Option<Question> {
        self.to_ask.pop_front()
    }

    /// Takes in an answer: the records, none where there are none. What was not asked, or answered before, is ignored.
    pub fn handle_answer(&mut self, question: &Question, answer: Result<Vec<Record>, LookupFailure>) {
        let Some(open @ None) = self.asked.get_mut(question) else { return };
        *open = Some(answer.map(|mut records| {
            records.truncate(MAX_RECORDS);
            if question.kind == RecordKind::Srv { in_srv_order(records, &mut self.rng) } else { records }
        }));
        self.walk();
    }

    /// Whether all is known.
    pub fn is_done(&self) -> bool {
        !self.progress.pending
    }

    /// The targets known so far: the first of those that [`finish`](Self::finish) gives, in their order.
    pub fn targets(&self) -> &[Target] {
        &self.progress.targets
    }

    /// The targets, in the order in which they are to be tried. Before [`Self::is_done`], those that are known.
    ///
    /// # Errors
    ///
    /// [`ResolveError`], when there is none.
    pub fn finish(self) -> Result<Vec<Target>, ResolveError> {
        if !self.progress.targets.is_empty() {
            return Ok(self.progress.targets);
        }
        let open = self.asked.into_iter().find(|(_, answer)| answer.is_none()).map(|(question, _)| question);
        if let Some(question) = open {
            return Err(ResolveError::Unanswered { question, failure: LookupFailure::TimedOut });
        }
        // Every way through the procedure that finds no target says why.
        let destination = Box::new(self.destination);
        Err(self.progress.failure.unwrap_or(ResolveError::NoCommonTransport { destination }))
    }

    /// Goes through the procedure with what is known, and asks for what is missing.
    fn walk(&mut self) {
        let mut walk = Walk::default();
        match self.destination.host.clone() {
            DestinationHost::Address(address) => self.numeric(address, &mut walk),
            DestinationHost::Name(name) => self.named(&name, &mut walk),
        }
        self.progress = walk;
    }

    /// RFC 3263 §4.1 and §4.2: a numeric host.
    fn numeric(&self, address: IpAddr, walk: &mut Walk) {
        let family = if address.is_ipv4() { Family::V4 } else { Family::V6 };
        if !self.means.families.contains(&family) {
            return walk.fail(ResolveError::NoFamily { destination: Box::new(self.destination.clone()) });
        }
        let Some(service) = self.service_without_records() else { return self.no_transport(walk) };
        let port = self.destination.port.unwrap_or(service.default_port());
        self.push(SocketAddr::new(address, port), service, walk);
    }

    fn named(&mut self, name: &DomainName, walk: &mut Walk) {
        match (self.destination.port, self.destination.transport) {
            // §4.2: "if the TARGET was not a numeric IP address, but a port is present in the URI".
            (Some(port), _) => match self.service_without_records() {
                Some(service) => self.addresses(name, service, port, walk),
                None => self.no_transport(walk),
            },
            // §4.2: "because a transport was specified explicitly".
            (None, Some(_)) => match self.service_without_records() {
                Some(service) => {
                    if self.srv(name.with_labels(service.srv_labels()), service, walk) == Srv::None {
                        self.addresses(name, service, service.default_port(), walk);
                    }
                }
                None => self.no_transport(walk),
            },
            (None, None) => self.naptr(name, walk),
        }
    }

    /// §4.1: "if no transport protocol or port is specified, and the target is not a numeric IP address".
    fn naptr(&mut self, name: &DomainName, walk: &mut Walk) {
        let question = Question { name: name.clone(), kind: RecordKind::Naptr };
        let records = match self.look(question, walk) {
            Look::Pending => return walk.pending = true,
            Look::Known(records) => records,
            // Name servers that do not know of NAPTR do not keep anybody from being called.
            Look::Failed => Vec::new(),
        };
        let naptr = records.into_iter().filter_map(|record| match record {
            Record::Naptr(naptr) => Some(naptr),
            _ => None,
        });
        match rules(naptr.collect(), self.destination.secure, &self.means) {
            Rules::None => self.srv_of_each_transport(name, walk),
            Rules::NothingInCommon => self.no_transport(walk),
            Rules::Groups(groups) => self.follow(name, groups, walk),
        }
    }

    /// Goes by the rules of the first order that lead anywhere, by preference (RFC 3403 §4.1: "once a match is found the client MUST NOT consider
    /// records with a different Order").
    fn follow(&mut self, name: &DomainName, groups: Vec<Vec<(Service, DomainName)>>, walk: &mut Walk) {
        let first = groups.first().and_then(|group| group.first()).map(|(service, _)| *service);
        let mut not_offered = false;
        for group in groups {
            let mut matched = false;
            for (service, srv_name) in group {
                match self.srv(Some(srv_name), service, walk) {
                    Srv::Found | Srv::Pending => matched = true,
                    Srv::NotOffered => not_offered = true,
                    Srv::None => {}
                }
            }
            if matched {
                return;
            }
        }
        // §4.2: "if no SRV records were found", at the default port of the transport that NAPTR has chosen.
        if let (Some(service), false) = (first, not_offered) {
            self.addresses(name, service, service.default_port(), walk);
        }
    }

    /// §4.1: "if no NAPTR records are found, the client constructs SRV queries for those transport protocols it supports".
    fn srv_of_each_transport(&mut self, name: &DomainName, walk: &mut Walk) {
        let (mut found, mut refused) = (false, Vec::new());
        let secure = self.destination.secure;
        for service in self.means.services.clone().into_iter().filter(|service| service.is_secure() == secure) {
            match self.srv(name.with_labels(service.srv_labels()), service, walk) {
                Srv::Found | Srv::Pending => found = true,
                Srv::NotOffered => refused.push(service),
                Srv::None => {}
            }
        }
        if found {
            return;
        }
        match self.service_without_records() {
            Some(service) if refused.contains(&service) => {}
            Some(service) => self.addresses(name, service, service.default_port(), walk),
            None => self.no_transport(walk),
        }
    }

    /// The transport where DNS has no say (§4.1): the one that was named; without one UDP, or TLS over TCP where only TLS will do, or where we do
    /// not have that, the first of ours that fits.
    fn service_without_records(&self) -> Option<Service> {
        let secure = self.destination.secure;
        if let Some(protocol) = self.destination.transport {
            return Service::of(protocol, secure).filter(|service| self.means.has(*service));
        }
        let usual = if secure { Service::Tls } else { Service::Udp };
        if self.means.has(usual) {
            return Some(usual);
        }
        self.means.services.iter().copied().find(|service| service.is_secure() == secure)
    }

    fn no_transport(&self, walk: &mut Walk) {
        walk.fail(ResolveError::NoCommonTransport { destination: Box::new(self.destination.clone()) });
    }

    /// §4.2 and RFC 2782: the targets of SRV records, in the order that was chosen when they came.
    fn srv(&mut self, name: Option<DomainName>, service: Service, walk: &mut Walk) -> Srv {
        // A domain whose name leaves no room for the labels has no such record.
        let Some(name) = name else { return Srv::None };
        let records = match self.look(Question { name: name.clone(), kind: RecordKind::Srv }, walk) {
            Look::Pending => {
                walk.pending = true;
                return Srv::Pending;
            }
            Look::Known(records) => records,
            Look::Failed => return Srv::None,
        };
        let srv: Vec<_> = records
            .into_iter()
            .filter_map(|record| if let Record::Srv(srv) = record { Some(srv) } else { None })
            .collect();
        if srv.is_empty() {
            return Srv::None;
        }
        if srv.iter().all(|record| record.target.is_none()) {
            walk.fail(ResolveError::NotOffered { name });
            return Srv::NotOffered;
        }
        for record in srv {
            if let Some(target) = record.target {
                self.addresses(&target, service, record.port, walk);
            }
        }
        Srv::Found
    }

    /// §4.2: the addresses of a host, in the order of the answer; of two families, ours first that we prefer (RFC 7984 §4).
    fn addresses(&mut self, name: &DomainName, service: Service, port: u16, walk: &mut Walk) {
        let before = walk.targets.len();
        let mut pending = false;
        for family in self.means.families.clone() {
            let kind = if family == Family::V4 { RecordKind::A } else { RecordKind::Aaaa };
            let records = match self.look(Question { name: name.clone(), kind }, walk) {
                Look::Pending => {
                    (walk.pending, pending) = (true, true);
                    continue;
                }
                Look::Known(records) => records,
                Look::Failed => continue,
            };
            for record in records {
                if let Record::Address(address) = record
                    && address.is_ipv4() == (family == Family::V4)
                {
                    self.push(SocketAddr::new(address, port), service, walk);
                }
            }
        }
        if !pending && walk.targets.len() == before {
            walk.fail(ResolveError::NoAddress { name: name.clone() });
        }
    }

    fn push(&self, address: SocketAddr, service: Service, walk: &mut Walk) {
        let target = Target { address, service, name: self.destination.host.clone() };
        if !walk.pending && walk.targets.len() < MAX_TARGETS && !walk.targets.contains(&target) {
            walk.targets.push(target);
        }
    }

    /// What is known of a question, by whatever aliases (RFC 1035 §3.6.2); asks it if it was not.
    fn look(&mut self, mut question: Question, walk: &mut Walk) -> Look {
        for _ in 0..=MAX_ALIASES {
            let records = match self.asked.get(&question) {
                None if self.asked.len() >= MAX_QUESTIONS => return Look::Known(Vec::new()),
                None => {
                    self.asked.insert(question.clone(), None);
                    self.to_ask.push_back(question);
                    return Look::Pending;
                }
                Some(None) => return Look::Pending,
                Some(Some(Err(failure))) => {
                    walk.fail(ResolveError::Unanswered { question, failure: *failure });
                    return Look::Failed;
                }
                Some(Some(Ok(records))) => records,
            };
            let is_asked_for = |record: &Record| !matches!(record, Record::Alias(_));
            // Who has followed the aliases gives them as well, the first first.
            match records
                .iter()
                .rev()
                .find_map(|record| if let Record::Alias(name) = record { Some(name) } else { None })
            {
                Some(name) if !records.iter().any(is_asked_for) => question.name = name.clone(),
                _ => return Look::Known(records.iter().filter(|record| is_asked_for(record)).cloned().collect()),
            }
        }
        Look::Known(Vec::new())
    }
}

/// Brings the SRV records among others into the order in which they are to be tried.
fn in_srv_order(records: Vec<Record>, rng: &mut StdRng) -> Vec<Record> {
    let (mut srv, mut others) = (Vec::new(), Vec::new());
    for record in records {
        match record {
            Record::Srv(record) => srv.push(record),
            other => others.push(other),
        }
    }
    others.extend(by_priority_and_weight(srv, rng).into_iter().map(Record::Srv));
    others
}

#[cfg(test)]
mod tests;

//! A proxy at 192.0.2.1, port 5060, with users to whom it forwards.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use blether_sip_core::digest::Credentials;
use blether_sip_core::{ByteStr, HeaderName, Host, Limits, Message, Request, Response, StatusCode};
use blether_sip_transport::{ConnectionId, Flow, Transport};
use blether_transaction_core::{Inquiry, Interceptor, NoTarget, Transactions, TransactionsConfig, Transmit};
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::proxy::{Asked, Barred, Fork, Plan, Proxy, ProxyPlace, Routed, Routing, Target, TokenKey};

pub(super) const HERE: &str = "192.0.2.1:5060";
pub(super) const ALICE: &str = "198.51.100.1:5060";
pub(super) const BOB: &str = "203.0.113.1:40001";
pub(super) const BOB_TOO: &str = "203.0.113.2:40002";
/// Whom the proxy believes.
pub(super) const GATEWAY: &str = "203.0.113.60:5060";
pub(super) const GATEWAY_TOO: &str = "203.0.113.61:5060";

/// Where users are, by name; and what they are tried in.
pub(super) struct Table {
    users: HashMap<String, Vec<Target>>,
    pub(super) fork: Fork,
    pub(super) stateless: bool,
    pub(super) ring_for: Duration,
    /// Whether anybody may send, without an account.
    pub(super) open: bool,
}

impl Routing for Table {
    fn route(&self, _now: Instant, asked: Asked<'_>) -> Routed {
        let user = asked.request.uri().as_sip().and_then(|uri| uri.user_decoded());
        let Some(targets) = user.and_then(|user| self.users.get(&*user)) else { return Routed::NotForwarded };
        Routed::To(Box::new(Plan {
            targets: targets.clone(),
            fork: self.fork,
            ring_for: self.ring_for,
            timer_c: Duration::from_secs(181),
            realm: (!self.open).then(|| ByteStr::from("blether")),
            stateless: self.stateless,
        }))
    }

    /// Any credentials will do.
    fn admit(&self, _now: Instant, asked: Asked<'_>) -> Result<(), Barred> {
        if asked.received.headers().has(&HeaderName::ProxyAuthorization) {
            return Ok(());
        }
        let challenge = Response::to_request(asked.received, StatusCode::PROXY_AUTHENTICATION_REQUIRED).build();
        Err(Barred::Answered { response: Box::new(challenge), stateless: true })
    }

    fn has_stateless(&self) -> bool {
        self.stateless
    }

    fn is_domain(&self, host: &Host, _: Flow) -> bool {
        *host == Host::Name("example.com".into())
    }

    fn trusts(&self, flow: Flow) -> bool {
        [GATEWAY, GATEWAY_TOO].contains(&flow.remote.to_string().as_str())
    }

    fn has_asked_for(&self, credentials: &Credentials) -> bool {
        &*credentials.nonce == "ours"
    }
}

/// A datagram, or a message on a connection.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    pub(super) flow: Flow,
    pub(super) text: String,
}

impl Wire {
    /// The first line.
    pub(super) fn line(&self) -> &str {
        self.text.lines().next().unwrap()
    }

    /// The values of a header, row by row.
    pub(super) fn values(&self, name: &str) -> Vec<&str> {
        let start = format!("{name}: ");
        self.text.lines().filter_map(|line| line.strip_prefix(start.as_str())).collect()
    }

    pub(super) fn request(&self) -> Request {
        match Message::parse(self.text.clone().into_bytes().into(), &Limits::default()) {
            Ok(Message::Request(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    /// The answer of whoever gets it, with a tag and further headers.
    pub(super) fn answer(&self, code: u16, tag: &str, headers: &str) -> String {
        let response = Response::to_request(&self.request(), StatusCode::new(code).unwrap()).to_tag(tag).build();
        let text = String::from_utf8(response.to_bytes().to_vec()).unwrap();
        text.replacen("Content-Length:", &format!("{headers}Content-Length:"), 1)
    }
}

pub(super) struct World {
    pub(super) transactions: Transactions,
    pub(super) proxy: Proxy<Table>,
    pub(super) now: Instant,
    /// Requests and ACKs that the proxy has left to others.
    pub(super) left: Vec<String>,
    sent: Vec<Wire>,
    /// Where destinations are. Of what is not in it, its name has no address; where the answer is `None`, it comes later, by [`Self::locates`].
    pub(super) names: HashMap<String, Option<Vec<Flow>>>,
    waiting: Vec<Inquiry>,
    refusing: Vec<Flow>,
}

pub(super) fn udp(peer: &str) -> Flow {
    Flow::udp(HERE.parse().unwrap(), peer.parse().unwrap())
}

pub(super) fn tcp(peer: &str, number: u64) -> Flow {
    Flow { connection: Some(ConnectionId::new(number)), ..Flow::tcp(HERE.parse().unwrap(), peer.parse().unwrap()) }
}

/// A phone behind a NAT: it says 10.0.0.5, and is reached by a flow.
pub(super) fn phone(flow: Flow, q: u16) -> Target {
    let user = format!("sip:bob@10.0.0.5:{}", flow.remote.port());
    Target { flow: Some(flow), q, ..Target::of_uri(user.parse::<blether_sip_core::SipUri>().unwrap()) }
}

impl World {
    pub(super) fn new(users: &[(&str, Vec<Target>)], change: impl FnOnce(&mut Table)) -> Self {
        let mut rng = StdRng::seed_from_u64(7);
        let users = users.iter().map(|(user, targets)| ((*user).to_owned(), targets.clone())).collect();
        let ring_for = Duration::from_secs(60);
        let mut table = Table { users, fork: Fork::default(), stateless: false, ring_for, open: false };
        change(&mut table);
        let local: [SocketAddr; 1] = [HERE.parse().unwrap()];
        let place = ProxyPlace { local: &local, tls: &[], advertise: None, tcp: true };
        let now = Instant::now();
        let key = TokenKey::new(&[7; 32], 1, (now, UNIX_EPOCH + Duration::from_secs(1_800_000_000)));
        let proxy = Proxy::new(table, Arc::new(key), &place, &mut rng);
        let config = TransactionsConfig { refuse_merged: false, pass_unmatched: true, ..TransactionsConfig::default() };
        let transactions = Transactions::new(config, StdRng::seed_from_u64(8));
        Self {
            transactions,
            proxy,
            now,
            left: Vec::new(),
            sent: Vec::new(),
            names: HashMap::new(),
            waiting: Vec::new(),
            refusing: Vec::new(),
        }
    }

    /// With the one phone of bob's, by UDP.
    pub(super) fn with_bob() -> Self {
        Self::new(&[("bob", vec![phone(udp(BOB), 1_000)])], |_| {})
    }

    /// What is sent when this comes by a flow.
    pub(super) fn receives(&mut self, flow: Flow, text: &str) -> Vec<Wire> {
        self.transactions.handle_datagram(self.now, flow, text.as_bytes().to_vec().into());
        self.settle()
    }

    pub(super) fn receives_from(&mut self, peer: &str, text: &str) -> Vec<Wire> {
        self.receives(udp(peer), text)
    }

    /// One message, and only one, is sent.
    #[track_caller]
    pub(super) fn passes(&mut self, flow: Flow, text: &str) -> Wire {
        let sent = self.receives(flow, text);
        let [one] = &sent[..] else { panic!("{sent:#?}\nleft: {:?}", self.left) };
        one.clone()
    }

    fn take(&mut self, Transmit { flow, payload, id }: Transmit) {
        if self.refusing.contains(&flow) {
            return self.transactions.handle_send_error(self.now, id, ErrorKind::ConnectionRefused);
        }
        let text = String::from_utf8(payload.to_vec()).unwrap();
        self.sent.push(Wire { flow, text });
    }

    /// What was asked is answered now, with these addresses.
    pub(super) fn locates(&mut self, located: Result<&[Flow], NoTarget>) -> Vec<Wire> {
        for inquiry in std::mem::take(&mut self.waiting) {
            self.transactions.handle_located(self.now, inquiry.id, located.map(<[Flow]>::to_vec));
        }
        self.settle()
    }

    /// By this flow nothing can be sent: the connection is refused.
    pub(super) fn refuses(&mut self, flow: Flow) {
        self.refusing.push(flow);
    }

    pub(super) fn settle(&mut self) -> Vec<Wire> {
        loop {
            while let Some(transmit) = self.transactions.poll_transmit() {
                self.take(transmit);
            }
            while let Some(inquiry) = self.transactions.poll_inquiry() {
                let located = match self.names.get(&inquiry.destination.to_string()) {
                    Some(Some(flows)) => Ok(flows.clone()),
                    Some(None) => {
                        self.waiting.push(inquiry);
                        continue;
                    }
                    None => Err(NoTarget::NoAddress),
                };
                self.transactions.handle_located(self.now, inquiry.id, located);
            }
            if let Some(transmit) = self.transactions.poll_transmit() {
                self.take(transmit);
                continue;
            }
            let Some(event) = self.transactions.poll_event() else { return std::mem::take(&mut self.sent) };
            if let Some(left) = self.proxy.on_event(self.now, event, &mut self.transactions) {
                use blether_transaction_core::Event::{Ack, Request};
                match left {
                    Request { request, .. } | Ack { request, .. } => self.left.push(request.method().to_string()),
                    _ => {}
                }
            }
        }
    }

    /// Lets time go by, timer by timer.
    pub(super) fn after(&mut self, wait: Duration) -> Vec<Wire> {
        let (until, mut sent) = (self.now + wait, Vec::new());
        loop {
            let due = [self.transactions.poll_timeout(), self.proxy.poll_timeout()].into_iter().flatten().min();
            let Some(due) = due.filter(|due| *due <= until) else { break };
            self.now = due;
            self.transactions.handle_timeout(due);
            sent.extend(self.settle());
            self.proxy.handle_timeout(due, &mut self.transactions);
            sent.extend(self.settle());
        }
        self.now = until;
        sent
    }

    /// Nothing is remembered when all timers are over.
    #[track_caller]
    pub(super) fn ends_empty(mut self) {
        self.after(Duration::from_secs(600));
        assert_eq!(self.transactions.counts().total(), 0);
        assert_eq!((self.proxy.contexts(), self.proxy.poll_timeout()), (0, None));
    }
}

/// A request of alice's, with whatever headers beside the usual, each with its line break.
pub(super) fn request(method: &str, uri: &str, to_tag: &str, cseq: u32, headers: &str) -> String {
    let to_tag = if to_tag.is_empty() { String::new() } else { format!(";tag={to_tag}") };
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bKalice{cseq}{method};rport\r\n{headers}\
         From: <sip:alice@example.com>;tag=a1\r\nTo: <sip:bob@example.com>{to_tag}\r\nCall-ID: call-1\r\nCSeq: {cseq} {method}\r\n\
         Contact: <sip:alice@198.51.100.1:5060>\r\nX-Odd :  as it   came\r\nContent-Length: 0\r\n\r\n"
    )
    .replace(&format!("branch=z9hG4bKalice{cseq}CANCEL"), &format!("branch=z9hG4bKalice{cseq}INVITE"))
}

pub(super) fn invite(headers: &str) -> String {
    request("INVITE", "sip:bob@example.com", "", 1, headers)
}

/// The Route headers of the caller, made from the Record-Route that its answer lists: in the opposite order (RFC 3261 §12.1.2).
pub(super) fn routes_of_caller(answer: &Wire) -> String {
    answer.values("Record-Route").iter().rev().map(|value| format!("Route: {value}\r\n")).collect()
}

/// Those of the callee, from the request that it got.
pub(super) fn routes_of_callee(invite: &Wire) -> String {
    invite.values("Record-Route").iter().map(|value| format!("Route: {value}\r\n")).collect()
}

/// The transport of a flow, for short.
pub(super) fn way(wire: &Wire) -> (Transport, String) {
    (wire.flow.transport, wire.flow.remote.to_string())
}

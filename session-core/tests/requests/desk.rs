//! A session, and the peer whose messages it gets.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use blether_session_core::{
    ClientCredentials, InviteSession, NextHop, OutgoingInvite, Refusal, RequestToken, SessionConfig, SessionEvent,
    SessionTransmit,
};
use blether_sip_core::{ByteStr, Limits, Message, NameAddr, Request, Response, StatusCode, Uri};
use blether_sip_transport::{ConnectionId, Flow};
use blether_testkit::SimulatedNetwork;
use blether_transaction_core::{Event, Failure, ServerTransactionId, Transactions, TransactionsConfig};
use bytes::Bytes;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

pub(crate) const SDP: &str = "Content-Type: application/sdp\r\n";

pub(crate) fn flow() -> Flow {
    let address = |text: &str| text.parse::<SocketAddr>().unwrap();
    Flow::udp(address("192.0.2.1:5060"), address("192.0.2.9:5060"))
}

pub(crate) fn config() -> Arc<SessionConfig> {
    Arc::new(SessionConfig::new("sip:us@192.0.2.1".parse().unwrap()))
}

pub(crate) fn parsed(text: String) -> Request {
    match Message::parse(Bytes::from(text), &Limits::default()).unwrap() {
        Message::Request(request) => request,
        Message::Response(_) => unreachable!(),
    }
}

/// A session, and a table that only gives its server transactions their names.
pub(crate) struct Desk {
    pub(crate) session: InviteSession,
    pub(crate) table: Transactions,
    pub(crate) now: Instant,
    pub(crate) branch: u32,
}

/// An INVITE of the peer with these headers more.
pub(crate) fn invite(more: &str, body: &str) -> Request {
    request_text("INVITE", 1, 1, "", &format!("Contact: <sip:peer@192.0.2.9>\r\n{more}"), body)
}

pub(crate) fn request_text(method: &str, cseq: u32, branch: u32, to_tag: &str, more: &str, body: &str) -> Request {
    parsed(format!(
        "{method} sip:us@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK{branch};rport\r\nMax-Forwards: 70\r\n\
         From: <sip:peer@example.org>;tag=theirs\r\nTo: <sip:us@example.org>{to_tag}\r\nCall-ID: c1\r\nCSeq: {cseq} {method}\r\n\
         {more}Content-Length: {}\r\n\r\n{body}",
        body.len()
    ))
}

impl Desk {
    pub(crate) fn table() -> (Transactions, Instant) {
        let now = SimulatedNetwork::new(1).now();
        (Transactions::new(TransactionsConfig::default(), StdRng::seed_from_u64(1)), now)
    }

    pub(crate) fn named(table: &mut Transactions, now: Instant, request: &Request) -> (ServerTransactionId, Request) {
        table.handle_datagram(now, flow(), request.to_bytes());
        loop {
            if let Event::Request { id, request, .. } = table.poll_event().unwrap() {
                return (id, request);
            }
        }
    }

    pub(crate) fn called(invite: &Request) -> Result<Self, Refusal> {
        let (mut table, now) = Self::table();
        let (id, invite) = Self::named(&mut table, now, invite);
        let session = InviteSession::incoming(now, config(), id, invite, flow(), ByteStr::from("ours"))?;
        Ok(Self { session, table, now, branch: 1 })
    }

    pub(crate) fn calling(offer: Option<&'static str>, more: impl FnOnce(&mut OutgoingInvite)) -> Self {
        let (table, now) = Self::table();
        let to: Uri = "sip:peer@example.org".parse().unwrap();
        let mut invite = OutgoingInvite {
            request_uri: to.clone(),
            from: "<sip:us@example.org>;tag=ours".parse::<NameAddr>().unwrap(),
            to: NameAddr::new(to),
            call_id: ByteStr::from("c1"),
            route: Vec::new(),
            offer: offer.map(|offer| Bytes::from_static(offer.as_bytes())),
            credentials: Some(ClientCredentials::with_password("us", "secret")),
            flow: flow(),
            next_hop: NextHop::Flow,
            max_forwards: 70,
            extra: Vec::new(),
            timeout: None,
        };
        more(&mut invite);
        let session = InviteSession::outgoing(now, config(), invite, StdRng::seed_from_u64(3));
        Self { session, table, now, branch: 1 }
    }

    /// A session that the peer has called, and that is answered and acknowledged.
    pub(crate) fn established() -> Self {
        let mut desk = Self::called(&invite(SDP, "offer")).unwrap();
        desk.session.answer(desk.now, Bytes::from_static(b"answer")).unwrap();
        desk.acknowledge(1, "");
        desk.transmits();
        desk.events();
        desk
    }

    /// The same, and the peer was last heard by a TCP connection.
    pub(crate) fn established_by_tcp() -> Self {
        let mut desk = Self::established();
        let options = request_text("OPTIONS", 2, 800, ";tag=ours", "", "");
        let (id, options) = Self::named(&mut desk.table, desk.now, &options);
        let connection = Some(ConnectionId::new(7));
        let flow = Flow { connection, ..Flow::tcp(flow().local, "192.0.2.9:40001".parse().unwrap()) };
        desk.session.handle_request(desk.now, id, options, flow);
        desk.transmits();
        desk
    }

    pub(crate) fn cannot_send(&mut self, token: RequestToken, kind: ErrorKind) {
        self.session.handle_failure(self.now, token, Failure::Transport(kind));
    }

    pub(crate) fn acknowledge(&mut self, cseq: u32, body: &str) {
        let more = if body.is_empty() { "" } else { SDP };
        let ack = request_text("ACK", cseq, 900 + cseq, ";tag=ours", more, body);
        self.session.handle_ack(self.now, ack);
    }

    /// The peer asks, and this is the answer, if there is one at once.
    pub(crate) fn ask(&mut self, method: &str, cseq: u32, more: &str, body: &str) -> Option<Response> {
        self.branch += 1;
        let request = request_text(method, cseq, self.branch, ";tag=ours", more, body);
        let (id, request) = Self::named(&mut self.table, self.now, &request);
        self.session.handle_request(self.now, id, request, flow());
        self.transmits().into_iter().find_map(|transmit| match transmit {
            SessionTransmit::Respond { transaction, response } if transaction == id => Some(response),
            _ => None,
        })
    }

    pub(crate) fn status_of(&mut self, method: &str, cseq: u32, more: &str, body: &str) -> u16 {
        self.ask(method, cseq, more, body).unwrap().status().code()
    }

    pub(crate) fn transmits(&mut self) -> Vec<SessionTransmit> {
        std::iter::from_fn(|| self.session.poll_transmit()).collect()
    }

    pub(crate) fn events(&mut self) -> Vec<SessionEvent> {
        std::iter::from_fn(|| self.session.poll_event()).collect()
    }

    /// The request that the session sends.
    pub(crate) fn sent(&mut self) -> (RequestToken, Request) {
        self.transmits()
            .into_iter()
            .find_map(|transmit| match transmit {
                SessionTransmit::Request { token, request, .. } => Some((token, request)),
                _ => None,
            })
            .unwrap()
    }

    pub(crate) fn acks(&mut self) -> Vec<Request> {
        self.transmits()
            .into_iter()
            .filter_map(|transmit| match transmit {
                SessionTransmit::Acknowledge { request, .. } => Some(request),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn responds(&mut self, token: RequestToken, response: Response) {
        self.session.handle_response(self.now, token, response, flow());
    }

    pub(crate) fn ended(&mut self) -> String {
        match self.events().pop() {
            Some(SessionEvent::Ended { by, cause }) => format!("{by:?}: {cause}"),
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) fn answer(to: &Request, status: StatusCode, tag: &str, body: &'static str) -> Response {
    let builder = Response::to_request(to, status).to_tag(tag).raw("Contact", "<sip:peer@192.0.2.77>");
    if body.is_empty() {
        builder.build()
    } else {
        builder.body("application/sdp", Bytes::from_static(body.as_bytes())).build()
    }
}

pub(crate) fn refused(request: &Request) -> Response {
    Desk::called(request).err().unwrap().into_response()
}

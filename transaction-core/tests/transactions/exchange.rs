//! A table of transactions on a clock that jumps, spoken to in text.

use std::time::{Duration, Instant};

use blether_sip_core::{Limits, Message, Method, Request, Response, StatusCode};
use blether_sip_transport::Flow;
use blether_testkit::SimulatedNetwork;
use blether_transaction_core::{
    ClientTransactionId, Event, Owner, ServerTransactionId, Transactions, TransactionsConfig, Transmit,
};
use bytes::Bytes;
use rand::SeedableRng;
use rand::rngs::StdRng;

pub(crate) const OWNER: Owner = Owner(42);

pub(crate) fn flow() -> Flow {
    let (local, remote) = ("192.0.2.2:5060".parse().unwrap(), "192.0.2.1:5060".parse().unwrap());
    Flow::udp(local, remote)
}

/// A request as a peer at 192.0.2.1 writes it.
pub(crate) fn text(method: &str, via: &str, to_tag: &str) -> String {
    format!(
        "{method} sip:bob@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP {via}\r\nMax-Forwards: 70\r\n\
         From: <sip:alice@192.0.2.1>;tag=a\r\nTo: <sip:bob@192.0.2.2>{to_tag}\r\nCall-ID: 1@192.0.2.1\r\n\
         CSeq: 7 {method}\r\nContent-Length: 0\r\n\r\n"
    )
}

/// The same, by the branch alone.
pub(crate) fn branched(method: &str, branch: &str) -> String {
    text(method, &format!("192.0.2.1;branch=z9hG4bK{branch}"), "")
}

pub(crate) fn unsent(method: Method) -> Request {
    Request::builder(method, "sip:alice@192.0.2.1".parse::<blether_sip_core::Uri>().unwrap())
        .from("<sip:bob@192.0.2.2>;tag=b".parse().unwrap())
        .to("<sip:alice@192.0.2.1>".parse().unwrap())
        .call_id("2@192.0.2.2")
        .cseq(1)
        .build()
        .unwrap()
}

pub(crate) fn parse(bytes: &Bytes) -> Message {
    Message::parse(bytes.clone(), &Limits::default()).unwrap()
}

pub(crate) fn parse_request(bytes: &Bytes) -> Request {
    match parse(bytes) {
        Message::Request(request) => request,
        Message::Response(_) => panic!("not a request: {bytes:?}"),
    }
}

pub(crate) struct Table {
    pub(crate) transactions: Transactions,
    pub(crate) now: Instant,
    start: Instant,
    pub(crate) sent: Vec<Transmit>,
    pub(crate) events: Vec<Event>,
}

impl Table {
    pub(crate) fn new() -> Self {
        Self::with(TransactionsConfig::default())
    }

    pub(crate) fn with(config: TransactionsConfig) -> Self {
        let start = SimulatedNetwork::new(0).start();
        let transactions = Transactions::new(config, StdRng::seed_from_u64(1));
        Self { transactions, now: start, start, sent: Vec::new(), events: Vec::new() }
    }

    /// Fires what is due until `ms` after the start, each at its instant.
    pub(crate) fn until(&mut self, ms: u64) {
        let end = self.start + Duration::from_millis(ms);
        while let Some(due) = self.transactions.poll_timeout().filter(|&due| due <= end) {
            self.now = due;
            self.transactions.handle_timeout(due);
            self.drain();
            assert!(self.transactions.poll_timeout().is_none_or(|next| next > due), "a timer fires without end");
        }
        self.now = end;
    }

    /// Fires what is due in the next `ms`, each at its instant.
    pub(crate) fn later(&mut self, ms: u64) {
        let now = u64::try_from(self.now.duration_since(self.start).as_millis()).unwrap();
        self.until(now + ms);
    }

    pub(crate) fn hear(&mut self, text: impl Into<String>) {
        self.hear_from(flow(), text);
    }

    pub(crate) fn hear_from(&mut self, flow: Flow, text: impl Into<String>) {
        self.transactions.handle_datagram(self.now, flow, Bytes::from(text.into()));
        self.drain();
    }

    pub(crate) fn drain(&mut self) {
        while let Some(transmit) = self.transactions.poll_transmit() {
            self.sent.push(transmit);
        }
        while let Some(event) = self.transactions.poll_event() {
            self.events.push(event);
        }
    }

    pub(crate) fn ask(&mut self, method: Method) -> ClientTransactionId {
        let id = self.transactions.request(self.now, unsent(method), flow(), OWNER).unwrap();
        self.drain();
        id
    }

    /// What the peer answers to the request that was sent last, or to that number of those sent so far.
    pub(crate) fn answer_to(&mut self, sent: usize, code: u16) {
        let request = parse_request(&self.sent[sent].payload);
        let response = Response::to_request(&request, StatusCode::new(code).unwrap()).to_tag("p").build();
        self.hear(String::from_utf8(response.to_bytes().to_vec()).unwrap());
    }

    pub(crate) fn respond(&mut self, id: ServerTransactionId, request: &Request, code: u16) -> bool {
        let response = Response::to_request(request, StatusCode::new(code).unwrap()).to_tag("u").build();
        let taken = self.transactions.respond(self.now, id, response).is_ok();
        self.drain();
        taken
    }

    /// What was sent and told since the last call: `> ACK`, `> 200 INVITE`, `request OPTIONS`, `response 180`.
    pub(crate) fn log(&mut self) -> Vec<String> {
        let sent = std::mem::take(&mut self.sent).into_iter().map(|transmit| match parse(&transmit.payload) {
            Message::Request(request) => format!("> {}", request.method()),
            Message::Response(response) => format!("> {} {}", response.status(), response.cseq().method),
        });
        let events = std::mem::take(&mut self.events).into_iter().map(|event| match event {
            Event::Request { request, .. } => format!("request {}", request.method()),
            Event::Ack { .. } => "ack".to_owned(),
            Event::Cancelled { owner, .. } => format!("cancelled {owner:?}"),
            Event::Response { response, owner: OWNER, .. } => format!("response {}", response.status()),
            Event::Failed { failure, owner: OWNER, .. } => format!("{failure:?}"),
            Event::NotAcknowledged { owner, .. } => format!("not acknowledged {owner:?}"),
            Event::NotSent { .. } => "not sent".to_owned(),
            Event::AckNotSent { .. } => "ACK not sent".to_owned(),
            Event::ServerTerminated { .. } => "server over".to_owned(),
            Event::ClientTerminated { owner: OWNER, .. } => "client over".to_owned(),
            other => panic!("not expected: {other:?}"),
        });
        sent.chain(events).collect()
    }

    /// The transaction and the request that were told last.
    pub(crate) fn asked(&self) -> (ServerTransactionId, Request) {
        let asked = self.events.iter().rev().find_map(|event| match event {
            Event::Request { id, request, .. } => Some((*id, request.clone())),
            _ => None,
        });
        asked.expect("a request was told")
    }
}

//! Requests to names on real sockets, with a name server on loopback (RFC 3263). Nothing sleeps: each wait is for something to happen.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking, its helpers too")]

#[path = "../../sip-transport/tests/name_server/mod.rs"]
mod name_server;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use blether_sip_core::{Limits, Message, Method, Request, Response, StatusCode, Uri};
use blether_sip_transport::resolve::{Destination, Protocol, Resolver, ResolverConfig};
use blether_sip_transport::{ConnectionLimits, ReceiveBuffer, TcpListener, Transport, UdpSocket};
use blether_transaction_core::{
    Event, Failure, Locator, MovedOn, NoTarget, Owner, RunningShards, ShardConfig, ShardHandle, Shards, Streams, Timer,
    Timing, TransactionUser, Transactions, TransactionsConfig,
};
use hickory_server::proto::rr::RecordType;
use name_server::NameServer;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::mpsc;

const LIMIT: Duration = Duration::from_secs(20);

/// Sends what it is told to, and tells of all that comes of it.
struct User {
    events: mpsc::UnboundedSender<Event>,
}

type Ask = Box<(Request, Destination)>;

impl TransactionUser for User {
    type Command = Ask;

    fn on_event(&mut self, _now: Instant, event: Event, _transactions: &mut Transactions) {
        // The test may have seen enough.
        let _ = self.events.send(event);
    }

    fn on_command(&mut self, now: Instant, ask: Ask, transactions: &mut Transactions) {
        let (request, destination) = *ask;
        transactions.request_to(now, request, destination, Owner(1)).unwrap();
    }
}

/// An endpoint with UDP and TCP, and T1 of 20 ms: it gives a target up after 1.3 s.
struct Endpoint {
    handle: ShardHandle<Ask>,
    events: mpsc::UnboundedReceiver<Event>,
    _running: RunningShards,
}

impl Endpoint {
    fn start(name_server: SocketAddr) -> Self {
        let config = ResolverConfig { name_servers: vec![name_server], ..ResolverConfig::default() };
        let timing = Timing { t1: Duration::from_millis(20), ..Timing::default() };
        let config = ShardConfig {
            locator: Locator::new(Resolver::new(config).unwrap()),
            transactions: TransactionsConfig { timing, ..TransactionsConfig::default() },
            ..ShardConfig::default()
        };
        let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listeners = vec![TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap()];
        let streams = Some(Streams::new(listeners, ConnectionLimits::default()));
        let (sender, events) = mpsc::unbounded_channel();
        let mut rng = StdRng::seed_from_u64(1);
        let (shards, handles) =
            Shards::new(vec![socket], streams, &config, &mut rng, |_, _| User { events: sender.clone() });
        Self { handle: handles[0].clone(), events, _running: shards.spawn() }
    }

    fn ask(&self, method: Method, to: Destination) {
        self.handle.try_send(Box::new((request(method, ""), to))).unwrap();
    }

    /// The next event, but where a request goes first.
    async fn event(&mut self) -> Event {
        loop {
            let event = tokio::time::timeout(LIMIT, self.events.recv()).await.expect("an event in time").unwrap();
            if !matches!(event, Event::Located { .. }) {
                return event;
            }
        }
    }

    async fn status(&mut self) -> u16 {
        match self.event().await {
            Event::Response { response, .. } => response.status().code(),
            other => panic!("not expected: {other:?}"),
        }
    }

    /// Who answers a request to this destination.
    async fn answered_by(&mut self, destination: &Destination) -> SocketAddr {
        self.ask(Method::Options, destination.clone());
        loop {
            match self.event().await {
                Event::Response { flow, .. } => return flow.remote,
                Event::ClientTerminated { .. } => {}
                other => panic!("not expected: {other:?}"),
            }
        }
    }

    async fn moved_on(&mut self) -> MovedOn {
        match self.event().await {
            Event::MovedOn { why, .. } => why,
            other => panic!("not expected: {other:?}"),
        }
    }
}

fn request(method: Method, subject: &str) -> Request {
    let uri: Uri = "sip:bob@example.test".parse().unwrap();
    let mut request = Request::builder(method, uri)
        .from("<sip:alice@192.0.2.1>;tag=a".parse().unwrap())
        .to("<sip:bob@example.test>".parse().unwrap())
        .call_id("1@192.0.2.1")
        .cseq(1);
    if !subject.is_empty() {
        request = request.raw("Subject", subject);
    }
    request.build().unwrap()
}

fn to(host: &str) -> Destination {
    Destination::new(host.parse().unwrap())
}

/// A server that answers when it is told to, or never.
struct Server {
    socket: UdpSocket,
}

impl Server {
    fn start() -> Self {
        Self { socket: UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap() }
    }

    fn port(&self) -> u16 {
        self.socket.local_addr().port()
    }

    async fn answer(&self, code: u16) -> Request {
        tokio::time::timeout(LIMIT, self.answer_next(code)).await.expect("a request in time")
    }

    /// Answers every request 200.
    async fn serve(self) {
        loop {
            self.answer_next(200).await;
        }
    }

    async fn answer_next(&self, code: u16) -> Request {
        let mut buffer = ReceiveBuffer::new();
        let (bytes, source) = self.socket.receive(&mut buffer).await.unwrap();
        let Ok(Message::Request(request)) = Message::parse(bytes, &Limits::default()) else { panic!("no request") };
        let response = Response::to_request(&request, StatusCode::new(code).unwrap()).to_tag("p").build();
        self.socket.try_send_to(&response.to_bytes(), source).unwrap();
        request
    }
}

/// A zone in which `example.test` has two servers for UDP, the first before the second.
fn two(first: u16, second: u16) -> String {
    format!(
        "_sip._udp.example 300 SRV 1 0 {first} first.test
         _sip._udp.example 300 SRV 2 0 {second} second.test
         first 300 A 127.0.0.1
         second 300 A 127.0.0.1"
    )
}

#[tokio::test]
async fn a_request_to_a_name_goes_to_its_address() {
    let server = Server::start();
    let names = NameServer::start("host 300 A 127.0.0.1").await;
    let mut endpoint = Endpoint::start(names.address());
    endpoint.ask(Method::Options, Destination { port: Some(server.port()), ..to("host.test") });
    server.answer(200).await;
    assert_eq!(endpoint.status().await, 200);
}

#[tokio::test]
async fn when_the_first_srv_target_is_silent_the_request_goes_to_the_second_and_so_does_the_next_at_once() {
    let (silent, server) = (Server::start(), Server::start());
    let names = NameServer::start(&two(silent.port(), server.port())).await;
    let mut endpoint = Endpoint::start(names.address());
    endpoint.ask(Method::Invite, to("example.test"));
    let asked = server.answer(486).await;
    assert_eq!(endpoint.moved_on().await, MovedOn::Failed(Failure::TimedOut(Timer::B)));
    assert_eq!(endpoint.status().await, 486);
    let mut buffer = ReceiveBuffer::new();
    let (first, _) = silent.socket.receive(&mut buffer).await.unwrap();
    let Ok(Message::Request(first)) = Message::parse(first, &Limits::default()) else { panic!("no request") };
    assert_ne!(first.via().branch(), asked.via().branch());
    assert_eq!(server.answer(200).await.method(), &Method::Ack);
    // The ACK was answered by nobody but this test: a stray response.
    endpoint.ask(Method::Options, to("example.test"));
    assert_eq!(server.answer(200).await.method(), &Method::Options);
    assert_eq!(endpoint.status().await, 200);
}

#[tokio::test]
async fn when_the_first_srv_target_says_503_the_request_goes_to_the_second() {
    let (busy, server) = (Server::start(), Server::start());
    let names = NameServer::start(&two(busy.port(), server.port())).await;
    let mut endpoint = Endpoint::start(names.address());
    endpoint.ask(Method::Options, to("example.test"));
    busy.answer(503).await;
    server.answer(200).await;
    assert_eq!(endpoint.moved_on().await, MovedOn::Unavailable { retry_after: None });
    assert_eq!(endpoint.status().await, 200);
}

#[tokio::test]
async fn when_naptr_prefers_tcp_and_nobody_listens_there_srv_targets_of_udp_of_the_same_order_follow() {
    let server = Server::start();
    // A port where nobody listens for TCP: that of a UDP socket.
    let closed = server.port();
    let names = NameServer::start(&format!(
        "example 300 NAPTR 10 10 s SIP+D2T _sip._tcp.example.test
         example 300 NAPTR 10 20 s SIP+D2U _sip._udp.example.test
         _sip._tcp.example 300 SRV 1 0 {closed} host.test
         _sip._udp.example 300 SRV 1 0 {closed} host.test
         host 300 A 127.0.0.1"
    ))
    .await;
    let mut endpoint = Endpoint::start(names.address());
    endpoint.ask(Method::Options, to("example.test"));
    server.answer(200).await;
    let MovedOn::Failed(Failure::Transport(kind)) = endpoint.moved_on().await else { panic!("another reason") };
    assert_eq!(kind, std::io::ErrorKind::ConnectionRefused);
    assert_eq!(endpoint.status().await, 200);
}

#[tokio::test]
async fn rfc_3261_section_18_1_1_a_large_request_goes_by_udp_when_tcp_is_refused() {
    let server = Server::start();
    let names = NameServer::start("host 300 A 127.0.0.1").await;
    let mut endpoint = Endpoint::start(names.address());
    let large = request(Method::Message, &"x".repeat(1_400));
    let destination = Destination { port: Some(server.port()), ..to("host.test") };
    endpoint.handle.try_send(Box::new((large, destination))).unwrap();
    assert_eq!(server.answer(200).await.via().transport.as_str(), Transport::Udp.via_name());
    assert!(matches!(endpoint.moved_on().await, MovedOn::Failed(Failure::Transport(_))));
    assert_eq!(endpoint.status().await, 200);
}

#[tokio::test]
async fn a_name_that_leads_nowhere_fails_at_once_and_is_not_asked_for_again_while_that_holds() {
    let names = NameServer::start("").await;
    let mut endpoint = Endpoint::start(names.address());
    for _ in 0..3 {
        endpoint.ask(Method::Options, to("nobody.test"));
        loop {
            if let Event::Failed { failure, .. } = endpoint.event().await {
                assert_eq!(failure, Failure::NoTarget(NoTarget::NoAddress));
                break;
            }
        }
    }
    assert_eq!(names.asked_times("A nobody.test."), 1);
}

#[tokio::test]
async fn when_the_ttl_is_over_requests_go_where_the_name_has_moved() {
    let (before, after) = (Server::start(), Server::start());
    let (old, new) = (before.socket.local_addr(), after.socket.local_addr());
    let records = format!("_sip._udp.example 1 SRV 1 0 {} host.test\nhost 1 A 127.0.0.1", old.port());
    let names = NameServer::start(&records).await;
    let serving = [tokio::spawn(before.serve()), tokio::spawn(after.serve())];
    let mut endpoint = Endpoint::start(names.address());
    let destination = Destination { transport: Some(Protocol::Udp), ..to("example.test") };
    assert_eq!(endpoint.answered_by(&destination).await, old);
    names.remove("_sip._udp.example", RecordType::SRV).await;
    names.add(&format!("_sip._udp.example 300 SRV 1 0 {} host.test", new.port())).await;
    while endpoint.answered_by(&destination).await != new {}
    assert_eq!(names.asked_times("SRV _sip._udp.example.test."), 2);
    serving.iter().for_each(tokio::task::JoinHandle::abort);
}

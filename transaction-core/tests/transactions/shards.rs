//! Several shards on real sockets on loopback. Nothing sleeps: each wait is for something to happen.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use blether_sip_core::{Method, Response, StatusCode};
use blether_sip_transport::{ConnectionLimits, Flow, ReceiveBuffer, TcpListener, Transport, UdpSocket};
use blether_transaction_core::{
    Event, Failure, Owner, Router, RunningShards, ShardConfig, ShardHandle, ShardIndex, Shards, Streams,
    TransactionUser, Transactions,
};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::exchange::{text, unsent};

const LIMIT: Duration = Duration::from_secs(10);
const SHARDS: usize = 3;

/// Answers OPTIONS at once, and tells the test of all else, with the shard in which it happened.
struct User {
    router: Router,
    events: mpsc::UnboundedSender<(ShardIndex, Event)>,
}

impl TransactionUser for User {
    type Command = Flow;

    fn on_event(&mut self, now: Instant, event: Event, transactions: &mut Transactions) {
        if let Event::Request { id, request, .. } = &event
            && *request.method() == Method::Options
        {
            transactions.respond(now, *id, Response::to_request(request, StatusCode::OK).build()).unwrap();
        }
        // The test may have seen enough.
        let _ = self.events.send((self.router.here(), event));
    }

    fn on_command(&mut self, now: Instant, flow: Flow, transactions: &mut Transactions) {
        transactions.request(now, unsent(Method::Options), flow, Owner(1)).unwrap();
    }
}

struct Endpoint {
    udp: SocketAddr,
    /// Of TCP.
    address: SocketAddr,
    running: RunningShards,
    handles: Vec<ShardHandle<Flow>>,
    events: mpsc::UnboundedReceiver<(ShardIndex, Event)>,
}

impl Endpoint {
    fn start() -> Self {
        let sockets = UdpSocket::bind_shared("127.0.0.1:0".parse().unwrap(), SHARDS).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let (udp, address) = (sockets[0].local_addr(), listener.local_addr());
        let (sender, events) = mpsc::unbounded_channel();
        let streams = Some(Streams::new(vec![listener], ConnectionLimits::default()));
        let mut rng = StdRng::seed_from_u64(1);
        let (shards, handles) = Shards::new(sockets, streams, &ShardConfig::default(), &mut rng, |router, _| User {
            router,
            events: sender.clone(),
        });
        Self { udp, address, running: shards.spawn(), handles, events }
    }

    async fn event(&mut self) -> (ShardIndex, Event) {
        in_time(self.events.recv()).await.unwrap()
    }

    async fn request(&mut self) -> (ShardIndex, Method) {
        loop {
            if let (shard, Event::Request { request, .. }) = self.event().await {
                return (shard, request.method().clone());
            }
        }
    }
}

async fn in_time<T>(wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, wait).await.expect("something happens within the limit")
}

fn message(method: &str, call_id: &str) -> String {
    text(method, &format!("127.0.0.1:9;rport;branch=z9hG4bK{call_id}"), "").replace("1@192.0.2.1", call_id)
}

async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut heard = String::new();
    while !heard.contains(end) {
        let mut chunk = [0; 4_096];
        let length = in_time(stream.read(&mut chunk)).await.unwrap();
        assert_ne!(length, 0, "closed after {heard:?}");
        heard.push_str(std::str::from_utf8(&chunk[..length]).unwrap());
    }
    heard
}

async fn hear_status(socket: &UdpSocket) -> String {
    let (bytes, _) = in_time(socket.receive(&mut ReceiveBuffer::new())).await.unwrap();
    String::from_utf8(bytes[..11].to_vec()).unwrap()
}

fn peer() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap()
}

#[tokio::test]
async fn a_request_is_one_transaction_by_whatever_sockets_its_copies_come() {
    let mut endpoint = Endpoint::start();
    let peers: Vec<_> = (0..30).map(|_| peer()).collect();
    let invite = message("INVITE", "one");
    for peer in &peers {
        peer.try_send_to(invite.as_bytes(), endpoint.udp).unwrap();
    }
    let (owner, method) = endpoint.request().await;
    assert_eq!(method, Method::Invite);
    // A CANCEL by one more socket, in compact form, finds it.
    let last = peer();
    last.try_send_to(message("CANCEL", "one").replace("Call-ID:", "i:").as_bytes(), endpoint.udp).unwrap();
    loop {
        match endpoint.event().await {
            (shard, Event::Cancelled { .. }) => break assert_eq!(shard, owner),
            (_, Event::Request { .. }) => panic!("a second transaction"),
            _ => {}
        }
    }
    assert_eq!(hear_status(&last).await, "SIP/2.0 200");
}

#[tokio::test]
async fn each_shard_answers_what_is_its_own_from_the_one_port() {
    let mut endpoint = Endpoint::start();
    let mut owners = std::collections::BTreeSet::new();
    for n in 0..40 {
        let peer = peer();
        peer.try_send_to(message("OPTIONS", &format!("o{n}")).as_bytes(), endpoint.udp).unwrap();
        assert_eq!(hear_status(&peer).await, "SIP/2.0 200");
        owners.insert(endpoint.request().await.0);
    }
    assert_eq!(owners.len(), SHARDS);
}

#[tokio::test]
async fn what_comes_by_one_connection_goes_to_its_owners_and_is_answered_by_the_connection() {
    let mut endpoint = Endpoint::start();
    let mut stream = TcpStream::connect(endpoint.address).await.unwrap();
    let mut owners = std::collections::BTreeSet::new();
    for n in 0..30 {
        let options = message("OPTIONS", &format!("t{n}")).replace("/UDP", "/TCP");
        stream.write_all(options.as_bytes()).await.unwrap();
        let heard = read_until(&mut stream, "\r\n\r\n").await;
        assert!(heard.starts_with("SIP/2.0 200") && heard.contains(&format!("Call-ID: t{n}\r\n")), "{heard}");
        owners.insert(endpoint.request().await.0);
    }
    assert_eq!(owners.len(), SHARDS);
    assert_eq!(endpoint.running.connections(), 1);
    // It announces a body larger than any may be.
    stream
        .write_all(message("OPTIONS", "x").replace("Content-Length: 0", "Content-Length: 999999").as_bytes())
        .await
        .unwrap();
    let heard = read_until(&mut stream, "\r\n\r\n").await;
    assert!(heard.starts_with("SIP/2.0 513"), "{heard}");
    assert_eq!(in_time(stream.read(&mut [0; 1])).await.unwrap(), 0, "closed then");
}

#[tokio::test]
async fn a_request_over_tcp_opens_a_connection_fails_with_it_and_the_next_opens_another() {
    let mut endpoint = Endpoint::start();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let flow = Flow::tcp(endpoint.address, listener.local_addr().unwrap());
    // Shard 1 of 3: which owns the answer is not asked here.
    endpoint.handles[1].try_send(flow).unwrap();
    let (mut stream, _) = in_time(listener.accept()).await.unwrap();
    let heard = read_until(&mut stream, "\r\n\r\n").await;
    assert!(heard.starts_with("OPTIONS") && heard.contains("SIP/2.0/TCP 127.0.0.1:"), "{heard}");
    drop(stream);
    let (shard, Event::Failed { failure, .. }) = endpoint.event().await else { panic!("it must fail") };
    assert_eq!((shard, failure), (ShardIndex(1), Failure::Transport(ErrorKind::ConnectionReset)));

    endpoint.handles[1].try_send(flow).unwrap();
    let (mut stream, _) = in_time(listener.accept()).await.unwrap();
    assert!(read_until(&mut stream, "\r\n\r\n").await.starts_with("OPTIONS"));
}

#[tokio::test]
async fn a_response_opens_a_connection_when_that_of_its_request_is_gone() {
    let mut endpoint = Endpoint::start();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut stream = TcpStream::connect(endpoint.address).await.unwrap();
    let invite = message("INVITE", "gone").replace("/UDP", "/TCP").replace(":9;", &format!(":{port};"));
    stream.write_all(invite.as_bytes()).await.unwrap();
    let Event::Request { flow, .. } = endpoint.event().await.1 else { panic!("not a request") };
    assert_eq!((flow.transport, flow.connection.is_some()), (Transport::Tcp, true));
    drop(stream);
    // The 100 that the transaction sends by itself after 200 ms.
    let (mut back, _) = in_time(listener.accept()).await.unwrap();
    assert!(read_until(&mut back, "\r\n\r\n").await.starts_with("SIP/2.0 100"));
}

#[tokio::test]
async fn an_alias_that_nobody_can_prove_draws_no_request_to_its_connection_and_does_no_harm() {
    let endpoint = Endpoint::start();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let advertised = listener.local_addr().unwrap();
    let mut stranger = TcpStream::connect(endpoint.address).await.unwrap();
    let options = message("OPTIONS", "alias").replace("/UDP", "/TCP");
    let options = options.replace(":9;rport;", &format!(":{};alias;", advertised.port()));
    assert!(options.contains(";alias;"), "{options}");
    stranger.write_all(options.as_bytes()).await.unwrap();
    // RFC 5923 §8.2: the request is served as though it offered none.
    let heard = read_until(&mut stranger, "\r\n\r\n").await;
    assert!(heard.starts_with("SIP/2.0 200"), "{heard}");
    // RFC 5923 §9.2: who listens at that address gets what is for it.
    endpoint.handles[1].try_send(Flow::tcp(endpoint.address, advertised)).unwrap();
    let (mut owner, _) = in_time(listener.accept()).await.unwrap();
    assert!(read_until(&mut owner, "\r\n\r\n").await.starts_with("OPTIONS"));
    assert_eq!(endpoint.running.connections(), 2);
}

#[tokio::test]
async fn shards_that_are_dropped_close_their_connections() {
    let endpoint = Endpoint::start();
    let mut stream = TcpStream::connect(endpoint.address).await.unwrap();
    stream.write_all(b"\r\n\r\n").await.unwrap();
    read_until(&mut stream, "\r\n").await;
    drop(endpoint);
    assert_eq!(in_time(stream.read(&mut [0; 1])).await.unwrap(), 0);
}

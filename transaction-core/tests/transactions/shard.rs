//! The shard on real sockets on loopback. Nothing sleeps: each wait is for a datagram, and ends with a limit.

use std::time::{Duration, Instant};

use blether_sip_core::{Message, Method, Request, Response, StatusCode};
use blether_sip_transport::{ReceiveBuffer, UdpSocket};
use blether_transaction_core::{
    Event, Owner, Rejected, ServerTransactionId, Shard, ShardConfig, ShardHandle, TransactionUser, Transactions,
};
use bytes::Bytes;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::exchange::{parse, parse_request, unsent};

const LIMIT: Duration = Duration::from_secs(10);

#[derive(Debug)]
enum Command {
    Ask(Box<blether_sip_transport::Flow>),
    Answer(ServerTransactionId, Box<Request>, u16),
    Panic,
    Count(oneshot::Sender<usize>),
}

/// Answers OPTIONS at once, panics over MESSAGE, and tells the test of all else.
struct User {
    events: mpsc::UnboundedSender<Event>,
}

impl TransactionUser for User {
    type Command = Command;

    fn on_event(&mut self, now: Instant, event: Event, transactions: &mut Transactions) {
        match &event {
            Event::Request { id, request, .. } if *request.method() == Method::Options => {
                transactions.respond(now, *id, Response::to_request(request, StatusCode::OK).build()).unwrap();
            }
            Event::Request { request, .. } if *request.method() == Method::Message => panic!("as the test wants"),
            _ => {}
        }
        // The test may have seen enough.
        let _ = self.events.send(event);
    }

    fn on_command(&mut self, now: Instant, command: Command, transactions: &mut Transactions) {
        match command {
            Command::Ask(flow) => _ = transactions.request(now, unsent(Method::Options), *flow, Owner(1)).unwrap(),
            Command::Answer(id, request, code) => {
                let status = StatusCode::new(code).unwrap();
                transactions.respond(now, id, Response::to_request(&request, status).build()).unwrap();
            }
            Command::Panic => panic!("as the test wants"),
            Command::Count(reply) => _ = reply.send(transactions.counts().total()),
        }
    }
}

struct Peer {
    socket: UdpSocket,
    shard: std::net::SocketAddr,
    events: mpsc::UnboundedReceiver<Event>,
    handle: ShardHandle<Command>,
    task: JoinHandle<()>,
    buffer: ReceiveBuffer,
}

impl Peer {
    fn of_shard_on(address: &str) -> Self {
        let listening = UdpSocket::bind(address.parse().unwrap()).unwrap();
        let shard = std::net::SocketAddr::from(([127, 0, 0, 1], listening.local_addr().port()));
        let (sender, events) = mpsc::unbounded_channel();
        let rng = StdRng::seed_from_u64(1);
        let (running, handle) = Shard::new(listening, ShardConfig::default(), rng, |_| User { events: sender });
        let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        Self { socket, shard, events, handle, task: tokio::spawn(running.run()), buffer: ReceiveBuffer::new() }
    }

    fn say(&self, text: &str) {
        self.socket.try_send_to(text.as_bytes(), self.shard).unwrap();
    }

    fn request(&self, method: &str, branch: &str) -> String {
        crate::exchange::text(method, &format!("127.0.0.1:9;rport;branch=z9hG4bK{branch}"), "")
    }

    async fn hear(&mut self) -> Bytes {
        let heard = tokio::time::timeout(LIMIT, self.socket.receive(&mut self.buffer)).await;
        heard.expect("a datagram within the limit").unwrap().0
    }

    async fn hear_status(&mut self) -> u16 {
        match parse(&self.hear().await) {
            Message::Response(response) => response.status().code(),
            Message::Request(request) => panic!("a request: {request:?}"),
        }
    }

    async fn event(&mut self) -> Event {
        tokio::time::timeout(LIMIT, self.events.recv()).await.expect("an event within the limit").unwrap()
    }
}

#[tokio::test]
async fn a_request_is_answered_to_the_port_that_it_came_from() {
    let mut peer = Peer::of_shard_on("127.0.0.1:0");
    peer.say(&peer.request("OPTIONS", "1"));
    assert_eq!(peer.hear_status().await, 200);
}

#[tokio::test]
async fn a_shard_on_all_addresses_knows_which_of_them_faces_the_peer() {
    let mut peer = Peer::of_shard_on("0.0.0.0:0");
    peer.say(&peer.request("OPTIONS", "1"));
    assert_eq!(peer.hear_status().await, 200);
    let Event::Request { flow, .. } = peer.event().await else { panic!("not a request") };
    assert_eq!((flow.local, flow.remote), (peer.shard, peer.socket.local_addr()));
}

#[tokio::test]
async fn a_request_may_be_answered_later_by_its_id_and_gets_a_100_meanwhile() {
    let mut peer = Peer::of_shard_on("127.0.0.1:0");
    peer.say(&peer.request("INVITE", "1"));
    let Event::Request { id, request, .. } = peer.event().await else { panic!("not a request") };
    assert_eq!(peer.hear_status().await, 100);
    peer.handle.try_send_urgent(Command::Answer(id, Box::new(request), 486)).unwrap();
    assert_eq!(peer.hear_status().await, 486);
    peer.say(&crate::exchange::text("ACK", "127.0.0.1:9;rport;branch=z9hG4bK1", ";tag=x"));
}

#[tokio::test]
async fn a_request_of_ours_is_sent_and_its_response_told() {
    let mut peer = Peer::of_shard_on("127.0.0.1:0");
    let remote = peer.socket.local_addr();
    let flow = blether_sip_transport::Flow::udp(peer.shard, remote);
    peer.handle.try_send(Command::Ask(Box::new(flow))).unwrap();
    let request = parse_request(&peer.hear().await);
    assert_eq!(request.via().port, Some(peer.shard.port()));
    let ok = Response::to_request(&request, StatusCode::OK).to_tag("p").build().to_bytes();
    peer.say(std::str::from_utf8(&ok).unwrap());
    assert!(matches!(peer.event().await, Event::Response { owner: Owner(1), .. }));
}

#[tokio::test]
async fn a_request_whose_handling_panics_is_answered_500_and_the_next_works() {
    let mut peer = Peer::of_shard_on("127.0.0.1:0");
    peer.say(&peer.request("MESSAGE", "1"));
    assert_eq!(peer.hear_status().await, 500);
    peer.handle.try_send(Command::Panic).unwrap();
    peer.say(&peer.request("OPTIONS", "2"));
    assert_eq!(peer.hear_status().await, 200);
}

#[tokio::test]
async fn garbage_is_survived_and_leaves_no_transaction() {
    let mut peer = Peer::of_shard_on("127.0.0.1:0");
    for n in 0..500_u32 {
        peer.say(&format!("\u{1}\u{2}garbage {n}"));
        peer.say("");
    }
    peer.say(&peer.request("OPTIONS", "1"));
    assert_eq!(peer.hear_status().await, 200);
    let (reply, count) = oneshot::channel();
    peer.handle.send(Command::Count(reply)).await.unwrap();
    assert_eq!(tokio::time::timeout(LIMIT, count).await.unwrap().unwrap(), 1);
}

#[tokio::test]
async fn commands_to_a_shard_that_has_stopped_come_back() {
    let peer = Peer::of_shard_on("127.0.0.1:0");
    peer.task.abort();
    assert!(peer.task.await.unwrap_err().is_cancelled());
    assert!(matches!(peer.handle.try_send(Command::Panic), Err(Rejected::Closed(Command::Panic))));
    assert!(peer.handle.room(true).await.is_err() && peer.handle.room(false).await.is_err());
}

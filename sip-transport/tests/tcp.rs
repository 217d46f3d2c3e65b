//! Connections on loopback. Nothing sleeps: each wait is for something to happen, and ends with a limit.
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use blether_sip_transport::{
    CloseReason, ConnectionLimits, Connections, Flow, FramingError, LocalEnd, Room, StreamEvent, StreamUser,
    TcpListener, Transport,
};
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

const LIMIT: Duration = Duration::from_secs(10);
const MESSAGE: &str = "OPTIONS sip:a SIP/2.0\r\nCall-ID: 1\r\nContent-Length: 2\r\n\r\nhi";

/// Hands everything to the test, which may leave no room.
struct Inbox(mpsc::Sender<StreamEvent>);

impl StreamUser for Inbox {
    fn try_take(&self, event: StreamEvent) -> Result<(), StreamEvent> {
        self.0.try_send(event).map_err(mpsc::error::TrySendError::into_inner)
    }

    fn room<'a>(&'a self, _event: &'a StreamEvent) -> Room<'a> {
        Box::pin(async move {
            // The test has seen enough: then there is room for nothing, for ever.
            if self.0.reserve().await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }
}

struct Side {
    connections: Connections,
    events: mpsc::Receiver<StreamEvent>,
    address: SocketAddr,
}

impl Side {
    fn start(limits: ConnectionLimits, room: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr();
        let (sender, events) = mpsc::channel(room);
        let local = LocalEnd { listening: vec![(Transport::Tcp, address)], advertise: None };
        let connections = Connections::new(limits, local, Arc::new(Inbox(sender)));
        tokio::spawn(listener.run(connections.clone()));
        Self { connections, events, address }
    }

    fn usual() -> Self {
        Self::start(ConnectionLimits::default(), 100)
    }

    async fn event(&mut self) -> StreamEvent {
        in_time(self.events.recv()).await.unwrap()
    }

    async fn message(&mut self) -> (Flow, Bytes) {
        match self.event().await {
            StreamEvent::Message { flow, bytes } => (flow, bytes),
            other => panic!("not a message: {other:?}"),
        }
    }

    async fn closed(&mut self) -> (Flow, CloseReason) {
        match self.event().await {
            StreamEvent::Closed { flow, reason } => (flow, reason),
            other => panic!("not an end: {other:?}"),
        }
    }

    fn flow_to(&self, remote: SocketAddr) -> Flow {
        Flow::tcp(self.address, remote)
    }
}

async fn in_time<T>(wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, wait).await.expect("something happens within the limit")
}

async fn read_exactly(stream: &mut TcpStream, length: usize) -> String {
    let mut bytes = vec![0; length];
    in_time(stream.read_exact(&mut bytes)).await.unwrap();
    String::from_utf8(bytes).unwrap()
}

async fn at_end(stream: &mut TcpStream) -> bool {
    matches!(in_time(stream.read(&mut [0; 1])).await, Ok(0) | Err(_))
}

fn payload() -> Bytes {
    Bytes::from_static(MESSAGE.as_bytes())
}

#[tokio::test]
async fn a_connection_is_used_both_ways_whoever_opened_it() {
    let (mut a, mut b) = (Side::usual(), Side::usual());
    let opened = a.connections.try_send(&a.flow_to(b.address), payload()).unwrap();
    let (heard_on, bytes) = b.message().await;
    assert_eq!(bytes, MESSAGE);
    // Back by the connection that it came by, and once more by its address alone.
    b.connections.try_send(&heard_on, payload()).unwrap();
    b.connections.try_send(&Flow { connection: None, ..heard_on }, payload()).unwrap();
    let (flow, _) = a.message().await;
    assert_eq!((flow.connection, flow.remote), (Some(opened), b.address));
    // Our own side of it is where we listen: that is what Via and Contact say.
    assert_eq!(flow.local, a.address);
    a.message().await;
    // The next one to the same address opens no other.
    assert_eq!(a.connections.try_send(&a.flow_to(b.address), payload()), Ok(opened));
    b.message().await;
    assert_eq!((a.connections.len(), b.connections.len()), (1, 1));
}

#[tokio::test]
async fn a_message_in_many_pieces_arrives_whole_and_many_in_one_apart() {
    let mut side = Side::usual();
    let mut peer = TcpStream::connect(side.address).await.unwrap();
    peer.set_nodelay(true).unwrap();
    for byte in MESSAGE.as_bytes() {
        peer.write_all(&[*byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(side.message().await.1, MESSAGE);
    peer.write_all(MESSAGE.repeat(3).as_bytes()).await.unwrap();
    for _ in 0..3 {
        assert_eq!(side.message().await.1, MESSAGE);
    }
}

#[tokio::test]
async fn a_ping_is_answered_with_a_pong() {
    let side = Side::usual();
    let mut peer = TcpStream::connect(side.address).await.unwrap();
    peer.write_all(b"\r\n\r\n").await.unwrap();
    assert_eq!(read_exactly(&mut peer, 2).await, "\r\n");
}

#[tokio::test]
async fn the_end_of_a_connection_is_told_and_the_next_message_opens_another() {
    let mut side = Side::usual();
    let mut peer = TcpStream::connect(side.address).await.unwrap();
    peer.write_all(MESSAGE.as_bytes()).await.unwrap();
    let (flow, _) = side.message().await;
    drop(peer);
    assert_eq!(side.closed().await, (flow, CloseReason::Peer));
    assert!(side.connections.is_empty());
    // The flow names a connection that is gone; its peer listens elsewhere (RFC 3261 §18.2.2).
    let mut b = Side::usual();
    let other = side.connections.try_send(&Flow { remote: b.address, ..flow }, payload()).unwrap();
    assert_ne!(Some(other), flow.connection);
    assert_eq!(b.message().await.1, MESSAGE);
}

#[tokio::test]
async fn a_connection_that_cannot_be_opened_says_so() {
    let mut side = Side::usual();
    let nobody = TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap().local_addr();
    let id = side.connections.try_send(&side.flow_to(nobody), payload()).unwrap();
    let (flow, reason) = side.closed().await;
    assert_eq!((flow.connection, reason), (Some(id), CloseReason::NotOpened(ErrorKind::ConnectionRefused)));
    assert_eq!(reason.kind(), ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn what_is_no_message_is_reported_and_may_be_answered_before_the_connection_closes() {
    let mut side = Side::usual();
    let mut peer = TcpStream::connect(side.address).await.unwrap();
    peer.write_all(b"OPTIONS sip:a SIP/2.0\r\nCall-ID: 1\r\n\r\nand more").await.unwrap();
    let StreamEvent::Unframed { flow, error } = side.event().await else { panic!("it has no length") };
    assert!(matches!(*error, FramingError::NoContentLength { .. }));
    side.connections.try_send(&flow, Bytes::from_static(b"answer")).unwrap();
    assert_eq!(read_exactly(&mut peer, 6).await, "answer");
    assert!(at_end(&mut peer).await);
    assert_eq!(side.closed().await, (flow, CloseReason::Framing));
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_so_is_one_whose_message_never_ends() {
    let brief = Duration::from_millis(50);
    let idle = ConnectionLimits { idle_timeout: brief, ..ConnectionLimits::default() };
    let mut side = Side::start(idle, 100);
    let mut peer = TcpStream::connect(side.address).await.unwrap();
    peer.write_all(MESSAGE.as_bytes()).await.unwrap();
    let (flow, _) = side.message().await;
    assert_eq!(side.closed().await, (flow, CloseReason::Idle));
    assert!(at_end(&mut peer).await);

    // Where the machine was away for so long before the first message, the stranger has expired: once more, with more time.
    let expired = CloseReason::Idle;
    for attempt in 0.. {
        let slow = ConnectionLimits { message_timeout: brief * (1 << attempt), ..ConnectionLimits::default() };
        let mut side = Side::start(slow, 100);
        let mut peer = TcpStream::connect(side.address).await.unwrap();
        peer.write_all(format!("{MESSAGE}OPTIONS sip:a").as_bytes()).await.unwrap();
        match side.event().await {
            StreamEvent::Message { flow, .. } => return assert_eq!(side.closed().await, (flow, expired)),
            StreamEvent::Closed { reason, .. } => assert_eq!((reason, attempt < 7), (expired, true)),
            other => panic!("not expected: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_stranger_that_pings_is_closed_when_its_first_message_is_due() {
    let limits = ConnectionLimits { message_timeout: Duration::from_millis(300), ..ConnectionLimits::default() };
    let mut side = Side::start(limits, 100);
    let mut peer = TcpStream::connect(side.address).await.unwrap();
    // Each pong is followed by the next ping, so that it is never idle; the limit of the wait is that of the test.
    let pinging = async {
        while peer.write_all(b"\r\n\r\n").await.is_ok() && !matches!(peer.read(&mut [0; 2]).await, Ok(0) | Err(_)) {}
    };
    in_time(pinging).await;
    assert_eq!(side.closed().await.1, CloseReason::Idle);
}

#[tokio::test]
async fn one_too_many_makes_the_longest_idle_go() {
    let limits = ConnectionLimits { max_connections: 2, ..ConnectionLimits::default() };
    let mut side = Side::start(limits, 100);
    let mut peers = Vec::new();
    let mut flows = Vec::new();
    for _ in 0..2 {
        let mut peer = TcpStream::connect(side.address).await.unwrap();
        peer.write_all(MESSAGE.as_bytes()).await.unwrap();
        flows.push(side.message().await.0);
        peers.push(peer);
    }
    let _third = TcpStream::connect(side.address).await.unwrap();
    assert_eq!(side.closed().await, (flows[0], CloseReason::Evicted));
    assert!(at_end(&mut peers[0]).await);
    assert_eq!(side.connections.len(), 2);
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_cut_off_at_the_bound_and_holds_nobody_up() {
    let limits = ConnectionLimits { max_queued: 100_000, ..ConnectionLimits::default() };
    let mut side = Side::start(limits, 100);
    let mut peer = TcpStream::connect(side.address).await.unwrap();
    peer.write_all(MESSAGE.as_bytes()).await.unwrap();
    let (flow, _) = side.message().await;
    let large = Bytes::from(vec![b'x'; 50_000]);
    let refused = loop {
        match side.connections.try_send(&flow, large.clone()) {
            Ok(_) => tokio::task::yield_now().await,
            Err(kind) => break kind,
        }
    };
    assert_eq!(refused, ErrorKind::TimedOut);
    assert_eq!(side.closed().await, (flow, CloseReason::Stalled));
}

#[tokio::test]
async fn what_was_not_written_to_a_peer_that_has_gone_is_given_back_in_order_before_its_end() {
    const MESSAGES: u8 = 200;
    let limits = ConnectionLimits { max_queued: usize::MAX, ..ConnectionLimits::default() };
    let mut side = Side::start(limits, 1_000);
    let mut peer = TcpStream::connect(side.address).await.unwrap();
    peer.write_all(MESSAGE.as_bytes()).await.unwrap();
    let (flow, _) = side.message().await;
    // More than the system holds for a peer that does not read.
    for number in 0..MESSAGES {
        side.connections.try_send(&flow, Bytes::from(vec![number; 200_000])).unwrap();
    }
    drop(peer);
    let mut given_back = Vec::new();
    let end = loop {
        match side.event().await {
            StreamEvent::Unsent { flow: of, bytes } => {
                assert_eq!((of, bytes.len()), (flow, 200_000));
                given_back.push(bytes[0]);
            }
            StreamEvent::Closed { flow: of, reason } => break (of, reason),
            other => panic!("not expected: {other:?}"),
        }
    };
    assert!(end.0 == flow && matches!(end.1, CloseReason::Peer | CloseReason::Broken(_)), "{end:?}");
    let first = *given_back.first().unwrap();
    assert_eq!(given_back, (first..MESSAGES).collect::<Vec<_>>());
}

#[tokio::test]
async fn without_room_the_connection_is_not_read_and_nothing_is_lost() {
    const MANY: usize = 500;
    let mut side = Side::start(ConnectionLimits::default(), 1);
    let mut peer = TcpStream::connect(side.address).await.unwrap();
    peer.write_all(MESSAGE.repeat(MANY).as_bytes()).await.unwrap();
    for _ in 0..MANY {
        assert_eq!(side.message().await.1, MESSAGE);
    }
}

#[tokio::test]
async fn after_close_all_nothing_is_open_and_nothing_can_be_opened() {
    let side = Side::usual();
    let mut peer = TcpStream::connect(side.address).await.unwrap();
    peer.write_all(b"\r\n\r\n").await.unwrap();
    read_exactly(&mut peer, 2).await;
    side.connections.close_all();
    assert!(at_end(&mut peer).await);
    assert_eq!(side.connections.try_send(&side.flow_to(side.address), payload()), Err(ErrorKind::NotConnected));
}

//! Takes in connections, few enough, and for a short time.
//!
//! Where there are too many, the oldest makes room: of the peer that has too many, or of the one that has the most. So whoever holds what he can get
//! holds it from himself, and a probe that asks and goes is answered meanwhile.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::Sleep;

/// Connections at a time: a few Prometheus servers and probes, and people; each holds some tens of kilobytes.
const MAX_CONNECTIONS: usize = 64;

/// Connections at a time with one IPv4 address, or one IPv6 network of 64 bits: half, for a proxy may stand before all who ask.
const MAX_PER_PEER: usize = 32;

/// What a connection may send, in bytes: a GET with the headers of a browser behind a proxy, and nothing after it.
const MAX_REQUEST: usize = 16 * 1_024;

/// How long a connection lasts, from before its first byte to after its last: an answer takes a second at most, and some 100 kB are to go through a
/// slow network.
const LIFETIME: Duration = Duration::from_secs(10);

/// How long to wait when the system gives no connection, for want of file descriptors mostly.
const PAUSE: Duration = Duration::from_millis(100);

pub(super) struct Bounded {
    inner: TcpListener,
    places: Arc<Semaphore>,
    open: Arc<Open>,
    max_per_peer: usize,
    lifetime: Duration,
}

impl Bounded {
    pub(super) fn new(inner: TcpListener) -> Self {
        Self::with(inner, (MAX_CONNECTIONS, MAX_PER_PEER), LIFETIME)
    }

    fn with(inner: TcpListener, (max, max_per_peer): (usize, usize), lifetime: Duration) -> Self {
        Self { inner, places: Arc::new(Semaphore::new(max)), open: Arc::default(), max_per_peer, lifetime }
    }

    /// Makes room for one more connection of a peer.
    fn make_room(&self, peer: Peer) {
        if self.open.of(peer) >= self.max_per_peer {
            self.open.end_oldest_of(peer);
        } else if self.places.available_permits() == 0
            && let Some(most) = self.open.who_has_most()
        {
            self.open.end_oldest_of(most);
        }
    }
}

impl Listener for Bounded {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            let (stream, from) = match self.inner.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "an HTTP connection could not be taken in");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let peer = peer_of(from.ip());
            self.make_room(peer);
            let Ok(place) = self.places.clone().acquire_owned().await else {
                // Nobody closes it.
                std::future::pending().await
            };
            let (end, ended) = oneshot::channel();
            let number = self.open.add(peer, end);
            let connection = Connection {
                stream,
                deadline: Box::pin(tokio::time::sleep(self.lifetime)),
                ended: Some(ended),
                left: MAX_REQUEST,
                open: Arc::clone(&self.open),
                number,
                _place: place,
            };
            return (connection, from);
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

/// Who counts as one: an IPv4 address, or an IPv6 network of 64 bits, all of which one machine may have.
type Peer = IpAddr;

fn peer_of(address: IpAddr) -> Peer {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

/// The connections that are open, the oldest first.
#[derive(Default)]
struct Open(Mutex<Table>);

#[derive(Default)]
struct Table {
    last: u64,
    connections: BTreeMap<u64, (Peer, oneshot::Sender<()>)>,
}

impl Open {
    fn add(&self, peer: Peer, end: oneshot::Sender<()>) -> u64 {
        let mut table = self.table();
        // As many connections are out of reach.
        table.last = table.last.saturating_add(1);
        let number = table.last;
        table.connections.insert(number, (peer, end));
        number
    }

    fn remove(&self, number: u64) {
        self.table().connections.remove(&number);
    }

    fn of(&self, peer: Peer) -> usize {
        self.table().connections.values().filter(|(of, _)| *of == peer).count()
    }

    fn who_has_most(&self) -> Option<Peer> {
        let mut counts: BTreeMap<Peer, usize> = BTreeMap::new();
        for (peer, _) in self.table().connections.values() {
            *counts.entry(*peer).or_default() += 1;
        }
        counts.into_iter().max_by_key(|(_, count)| *count).map(|(peer, _)| peer)
    }

    /// Dropping the sender ends it.
    fn end_oldest_of(&self, peer: Peer) {
        let mut table = self.table();
        let oldest = table.connections.iter().find(|(_, (of, _))| *of == peer).map(|(number, _)| *number);
        if let Some(oldest) = oldest {
            table.connections.remove(&oldest);
        }
    }

    // Nothing that can panic runs between the first and the last change under the lock.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that breaks when it has sent too much, lasted too long or must make room.
pub(super) struct Connection {
    stream: TcpStream,
    deadline: Pin<Box<Sleep>>,
    /// Over once it must make room; `None` from then on.
    ended: Option<oneshot::Receiver<()>>,
    /// Bytes that may still come.
    left: usize,
    open: Arc<Open>,
    number: u64,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    fn in_time(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let Some(ended) = &mut self.ended else { return Err(io::ErrorKind::ConnectionAborted.into()) };
        if Pin::new(ended).poll(context).is_ready() {
            self.ended = None;
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        match self.deadline.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.open.remove(self.number);
    }
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.in_time(context)?;
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        let came = buffer.filled().len().saturating_sub(before);
        match this.left.checked_sub(came) {
            Some(left) => this.left = left,
            None => return Poll::Ready(Err(io::ErrorKind::FileTooLarge.into())),
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.in_time(context)?;
        Pin::new(&mut this.stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.in_time(context)?;
        Pin::new(&mut this.stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.in_time(context)?;
        Pin::new(&mut this.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpSocket;
    use tokio::task::JoinHandle;

    use super::*;

    /// Long enough for whatever is waited for, so that what a test waits for comes for another reason.
    const LONG: Duration = Duration::from_secs(3_600);

    struct Server {
        address: SocketAddr,
        places: Arc<Semaphore>,
        serving: JoinHandle<()>,
    }

    impl Server {
        async fn start(limits: (usize, usize), lifetime: Duration) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let bounded = Bounded::with(listener, limits, lifetime);
            let places = Arc::clone(&bounded.places);
            // More than the buffers of the system take in for somebody who does not read.
            let routes =
                Router::new().route("/", get(|| async { "here" })).route("/long", get(|| async { vec![7; 1 << 26] }));
            let serving = tokio::spawn(async { axum::serve(bounded, routes).await.unwrap() });
            Self { address, places, serving }
        }

        /// A connection of the peer 127.0.0.`last`.
        async fn connect(&self, last: u8) -> TcpStream {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind(SocketAddr::from(([127, 0, 0, last], 0))).unwrap();
            socket.connect(self.address).await.unwrap()
        }

        /// Waits until so many are being served.
        async fn serves(&self, max: usize, count: usize) {
            while max - self.places.available_permits() != count {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }

    impl Drop for Server {
        fn drop(&mut self) {
            self.serving.abort();
        }
    }

    /// What comes until the end, which an error is as well.
    async fn rest(stream: &mut TcpStream) -> Vec<u8> {
        let mut read = Vec::new();
        let _ = stream.read_to_end(&mut read).await;
        read
    }

    async fn ask(stream: &mut TcpStream, path: &str) {
        stream
            .write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes())
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn one_who_says_nothing_or_does_not_read_is_cut_off() {
        let server = Server::start((2, 2), Duration::from_millis(50)).await;
        let mut silent = server.connect(1).await;
        assert!(rest(&mut silent).await.is_empty());
        let mut slow = server.connect(1).await;
        ask(&mut slow, "/long").await;
        server.serves(2, 1).await;
        server.serves(2, 0).await;
        assert!(rest(&mut slow).await.len() < 1 << 26);
    }

    #[tokio::test]
    async fn who_holds_many_connections_holds_them_from_himself() {
        let server = Server::start((4, 3), LONG).await;
        let mut quiet = server.connect(2).await;
        server.serves(4, 1).await;
        let mut hoard = Vec::new();
        for _ in 0..20 {
            hoard.push(server.connect(3).await);
        }
        // His newest are served as well.
        let mut newest = hoard.pop().unwrap();
        ask(&mut newest, "/").await;
        assert!(rest(&mut newest).await.ends_with(b"here"));
        for mut old in hoard.drain(..17) {
            assert!(rest(&mut old).await.is_empty());
        }
        // Where all places are taken, who has the most makes room.
        for _ in 0..5 {
            hoard.push(server.connect(3).await);
        }
        server.serves(4, 4).await;
        for last in 4..6 {
            let mut other = server.connect(last).await;
            ask(&mut other, "/").await;
            assert!(rest(&mut other).await.ends_with(b"here"), "127.0.0.{last}");
        }
        ask(&mut quiet, "/").await;
        assert!(rest(&mut quiet).await.ends_with(b"here"), "the first was here before them all");
    }

    #[test]
    fn a_machine_with_many_addresses_is_one_peer() {
        let peer = |text: &str| peer_of(text.parse().unwrap());
        assert_eq!(peer("2001:db8::1"), peer("2001:db8::ffff:1"));
        assert_ne!(peer("2001:db8::1"), peer("2001:db8:0:1::1"));
        assert_eq!(peer("::ffff:192.0.2.1"), peer("192.0.2.1"));
        assert_ne!(peer("192.0.2.1"), peer("192.0.2.2"));
    }
}

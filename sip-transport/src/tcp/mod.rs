//! TCP, and TLS over it: the connections of an endpoint, whoever opened them.

mod close_reason;
mod connection;
#[cfg(feature = "tls")]
mod handshakes;
mod listener;
mod meters;
mod opening;
mod outbound;
mod wire;

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use tokio::net::TcpStream;

pub use close_reason::{CertificateFault, CloseReason, HandshakeFailure};
pub use listener::TcpListener;

#[cfg(feature = "tls")]
use self::handshakes::Handshakes;
use self::listener::Accepting;
use self::meters::Meters;
use self::outbound::Outbound;
use self::wire::Wire;
use crate::connection_table::{ConnectionTable, Opener};
use crate::{ConnectionId, ConnectionLimits, Flow, FramingError, Transport};

/// What a connection tells its user.
#[derive(Clone, Debug)]
pub enum StreamEvent {
    /// A whole message has come.
    Message {
        /// The way by which it came.
        flow: Flow,
        /// The message.
        bytes: Bytes,
    },
    /// Something came that is no message; the connection closes a second later, which leaves time for an answer.
    Unframed {
        /// The way by which it came.
        flow: Flow,
        /// What is wrong with it.
        error: Box<FramingError>,
    },
    /// A connection that a peer has opened is no more, and this was queued for it and not, or not wholly, written: it has not been sent. Comes
    /// before [`Self::Closed`], in the order in which it was queued. Not where the peer would not read, or has sent what is no message.
    Unsent {
        /// What the connection was.
        flow: Flow,
        /// A message of ours; boxed, since it is the rarest of events and would make all of them larger.
        bytes: Box<Bytes>,
    },
    /// The connection is no more: what was sent by it may not have arrived.
    Closed {
        /// What it was.
        flow: Flow,
        /// Why.
        reason: CloseReason,
    },
}

/// Waits until there may be room.
pub type Room<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Who takes in what comes by connections. Called in the connections' tasks, many at a time.
pub trait StreamUser: Send + Sync + 'static {
    /// Takes in an event without waiting, or gives it back when there is no room. The connection is not read meanwhile, so that its peer
    /// is slowed down by TCP itself.
    ///
    /// # Errors
    ///
    /// The event, to be offered again once there is [`Self::room`].
    fn try_take(&self, event: StreamEvent) -> Result<(), StreamEvent>;

    /// Waits until the event may find room.
    fn room<'a>(&'a self, event: &'a StreamEvent) -> Room<'a>;
}

/// Our side of connections that we open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalEnd {
    /// Where we listen, and by which transport. Of the first that is of a connection's transport and of the peer's family, the port stands in the
    /// [`Flow`] of a connection that we open, and so in Via and Contact, and the address, if it is none for all, is where the connection leaves
    /// from. Without one, it is the connection's own address.
    pub listening: Vec<(Transport, SocketAddr)>,
    /// The address that stands in a [`Flow`] in place of the one that the socket has, where that is of the same family.
    pub advertise: Option<IpAddr>,
}

impl LocalEnd {
    /// Where we listen for peers of this one's family.
    fn listening_for(&self, transport: Transport, remote: SocketAddr) -> Option<SocketAddr> {
        let mut listening = self.listening.iter().filter(|(by, _)| *by == transport).map(|(_, address)| *address);
        listening.find(|address| address.is_ipv4() == remote.is_ipv4())
    }
}

/// The connections of an endpoint: opened by us or by the peer makes no difference (RFC 3261 §18). Clones share them.
///
/// The last clone going does not close them; [`close_all`](Self::close_all) does.
#[derive(Clone)]
pub struct Connections {
    shared: Arc<Shared>,
}

struct Shared {
    /// `None` once [`Connections::close_all`] was called.
    table: Mutex<Option<ConnectionTable<Arc<Outbound>>>>,
    limits: ConnectionLimits,
    local: LocalEnd,
    user: Arc<dyn StreamUser>,
    meters: Meters,
    #[cfg(feature = "tls")]
    handshakes: Handshakes,
    /// `None`: no TLS connection is opened.
    #[cfg(feature = "tls")]
    tls: Option<crate::TlsClient>,
}

impl Shared {
    fn new(limits: ConnectionLimits, local: LocalEnd, user: Arc<dyn StreamUser>) -> Self {
        Self {
            table: Mutex::new(Some(ConnectionTable::new(limits))),
            limits,
            local,
            user,
            meters: Meters::new(),
            #[cfg(feature = "tls")]
            handshakes: Handshakes::new(limits.max_handshakes),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    fn opens_tls(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.tls.is_some();
        #[cfg(not(feature = "tls"))]
        false
    }
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connections").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl Connections {
    /// None yet. `user` is told what comes by them.
    pub fn new(limits: ConnectionLimits, local: LocalEnd, user: Arc<dyn StreamUser>) -> Self {
        Self { shared: Arc::new(Shared::new(limits, local, user)) }
    }

    /// The same for an endpoint that opens TLS connections, too.
    #[cfg(feature = "tls")]
    pub fn with_tls(
        limits: ConnectionLimits,
        local: LocalEnd,
        user: Arc<dyn StreamUser>,
        client: crate::TlsClient,
    ) -> Self {
        Self { shared: Arc::new(Shared { tls: Some(client), ..Shared::new(limits, local, user) }) }
    }

    /// Whether TLS connections are opened here, to peers that prove a name.
    pub fn opens_tls(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.shared.tls.is_some();
        #[cfg(not(feature = "tls"))]
        false
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.table().as_ref().map_or(0, ConnectionTable::len)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Closes all, and lets no other be opened.
    pub fn close_all(&self) {
        let table = self.table().take();
        for outbound in table.map(|mut table| table.drain()).unwrap_or_default() {
            outbound.close(CloseReason::Stopped);
        }
    }

    /// Whether [`Self::close_all`] was called.
    fn is_stopped(&self) -> bool {
        self.table().is_none()
    }

    /// Takes over a connection that a peer has opened, and what is to become of it before a message can come.
    fn accept(&self, stream: TcpStream, remote: SocketAddr, accepting: &Accepting) {
        let transport = accepting.transport();
        let outbound = Arc::new(Outbound::default());
        let mut guard = self.table();
        let Some(table) = guard.as_mut() else { return };
        let id = self.enter(table, Instant::now(), (transport, remote), Opener::Peer, &outbound);
        drop(guard);
        let (connections, accepting) = (self.clone(), accepting.clone());
        tokio::spawn(async move {
            let came = Flow { transport, local: remote, remote, connection: Some(id) };
            let Ok(flow) = connections.flow_of(came, &stream, false) else {
                // It was closed before it was looked at: nobody has seen it.
                if let Some(table) = connections.table().as_mut() {
                    table.close(id);
                }
                return;
            };
            let reason = match Wire::accept(&connections, flow, stream, &outbound, accepting).await {
                Ok(mut wire) => {
                    let reason = wire.serve(&connections, flow, &outbound).await;
                    // A peer that hears of the end first may come back before it is known here.
                    connections.forget(id);
                    wire.close().await;
                    reason
                }
                Err(reason) => {
                    connections.forget(id);
                    reason
                }
            };
            if reason.lets_be_reached() {
                for bytes in outbound.take_unwritten().into_iter().filter(|bytes| *bytes != connection::PONG) {
                    connections.tell(StreamEvent::Unsent { flow, bytes: Box::new(bytes) }).await;
                }
            }
            connections.closed(flow, reason).await;
        });
    }

    fn enter(
        &self,
        table: &mut ConnectionTable<Arc<Outbound>>,
        now: Instant,
        to: (Transport, SocketAddr),
        opener: Opener,
        outbound: &Arc<Outbound>,
    ) -> ConnectionId {
        let by_peer = matches!(opener, Opener::Peer);
        let (id, evicted) = table.open(now, to, opener, outbound.clone());
        if let Some(evicted) = evicted {
            self.shared.meters.evicted.increment(1);
            evicted.close(CloseReason::Evicted);
        }
        let Meters { connections, opened_by_us, opened_by_peers, .. } = &self.shared.meters;
        if by_peer { opened_by_peers } else { opened_by_us }.increment(1);
        connections.set(table.len() as f64);
        id
    }

    /// `flow` with the address of ours that its peer knows; `opened` are those that we open.
    fn flow_of(&self, flow: Flow, stream: &TcpStream, opened: bool) -> io::Result<Flow> {
        let mut local = stream.local_addr()?;
        if let (true, Some(listening)) = (opened, self.shared.local.listening_for(flow.transport, flow.remote)) {
            local.set_port(listening.port());
        }
        if let Some(advertise) = self.shared.local.advertise.filter(|ip| ip.is_ipv4() == local.is_ipv4()) {
            local.set_ip(advertise);
        }
        Ok(Flow { local, ..flow })
    }

    /// Nothing is sent by it from here on.
    fn forget(&self, id: ConnectionId) {
        if let Some(table) = self.table().as_mut() {
            table.close(id);
            self.shared.meters.connections.set(table.len() as f64);
        }
    }

    async fn closed(&self, flow: Flow, reason: CloseReason) {
        tracing::debug!(%flow, %reason, "a connection is closed");
        metrics::counter!("blether_transport_closed_connections_total", "reason" => reason.as_str()).increment(1);
        if let Some(id) = flow.connection {
            self.forget(id);
        }
        if reason != CloseReason::Stopped {
            self.tell(StreamEvent::Closed { flow, reason }).await;
        }
    }

    /// Waits for as long as the user has no room.
    async fn tell(&self, mut event: StreamEvent) {
        while let Err(back) = self.shared.user.try_take(event) {
            event = back;
            self.shared.user.room(&event).await;
        }
    }

    fn used(&self, id: ConnectionId, heard: bool) {
        if let Some(table) = self.table().as_mut() {
            table.used(Instant::now(), id, heard);
        }
    }

    fn expires_at(&self, id: ConnectionId) -> Option<Instant> {
        self.table().as_ref()?.expires_at(id)
    }

    fn table(&self) -> MutexGuard<'_, Option<ConnectionTable<Arc<Outbound>>>> {
        self.shared.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

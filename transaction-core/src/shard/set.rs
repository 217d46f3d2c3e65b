//! All shards of an endpoint, and the connections that they share.

use std::net::IpAddr;
#[cfg(feature = "tls")]
use std::net::SocketAddr;
use std::sync::Arc;

use blether_sip_transport::{ConnectionLimits, Connections, LocalEnd, TcpListener, Transport, UdpSocket};
#[cfg(feature = "tls")]
use blether_sip_transport::{Flow, PeerName, TlsClient};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::task::JoinSet;

use super::inlet::{Inlets, inlet};
use super::{Ownership, Router, Shard, ShardConfig, ShardHandle, ShardIndex, TransactionUser};

/// What an endpoint needs to speak TCP and TLS.
#[derive(Debug)]
pub struct Streams {
    /// Where peers connect to; the ports of those for TCP should be those of the UDP sockets.
    pub listeners: Vec<TcpListener>,
    /// What connections may cost, for all shards together.
    pub limits: ConnectionLimits,
    /// How TLS connections are opened; `None`: none is.
    #[cfg(feature = "tls")]
    pub tls: Option<TlsClient>,
}

impl Streams {
    /// For connections within these limits, of which those for TLS are all opened by peers.
    pub fn new(listeners: Vec<TcpListener>, limits: ConnectionLimits) -> Self {
        Self {
            listeners,
            limits,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    fn connections(&self, advertise: Option<IpAddr>, inlets: Arc<Inlets>) -> Connections {
        let listening = self.listeners.iter().map(|listener| (listener.transport(), listener.local_addr())).collect();
        let local = LocalEnd { listening, advertise };
        #[cfg(feature = "tls")]
        if let Some(client) = self.tls.clone() {
            return Connections::with_tls(self.limits, local, inlets, client);
        }
        Connections::new(self.limits, local, inlets)
    }
}

/// The shards of an endpoint (DESIGN: N sockets on one port, each message handled by the shard that owns its Call-ID).
pub struct Shards<U: TransactionUser> {
    ownership: Ownership,
    shards: Vec<Shard<U>>,
    streams: Option<(Vec<TcpListener>, Connections)>,
    inlets: Arc<Inlets>,
}

impl<U: TransactionUser> Shards<U> {
    /// Puts together one shard a socket; the sockets share a port ([`UdpSocket::bind_shared`]), or several ports of which each has some of them.
    /// Whoever has a message to send does so by a socket of the address that the peer knows. `make_user` is called once a shard, with the
    /// place of the shard and the handle by which others reach its user. The handles are in the order of the sockets, by [`ShardIndex`].
    ///
    /// The limits of `config` hold for each shard.
    pub fn new(
        sockets: Vec<UdpSocket>,
        streams: Option<Streams>,
        config: &ShardConfig,
        rng: &mut StdRng,
        mut make_user: impl FnMut(Router, ShardHandle<U::Command>) -> U,
    ) -> (Self, Vec<ShardHandle<U::Command>>) {
        let ownership = Ownership::new(sockets.len(), rng);
        let (inlets, outlets): (Vec<_>, Vec<_>) = sockets.iter().map(|_| inlet()).unzip();
        let inlets = Arc::new(Inlets::new(ownership, inlets));
        let listeners = streams.iter().flat_map(|streams| &streams.listeners);
        let for_tls = listeners.filter(|listener| listener.transport() == Transport::Tls);
        let for_tls: Arc<[_]> = for_tls.map(TcpListener::local_addr).collect();
        let streams = streams.map(|streams| {
            let connections = streams.connections(config.advertise, inlets.clone());
            (streams.listeners, connections)
        });
        let sockets: Arc<[Arc<UdpSocket>]> = sockets.into_iter().map(Arc::new).collect();
        let mut config = config.clone();
        config.transactions.streams = streams.is_some();
        let connections = streams.as_ref().map(|(_, connections)| connections);
        let (shards, handles) = (0..)
            .zip(sockets.iter().cloned().zip(outlets))
            .map(|(index, (socket, outlet))| {
                let (handle, commands) = ShardHandle::new();
                let router = Router::new(ownership, ShardIndex(index));
                let user = make_user(router, handle.clone());
                let mut shard =
                    Shard::assemble(socket, config.clone(), StdRng::from_rng(rng), router, user, commands, outlet);
                shard.inlets = Some(inlets.clone());
                shard.for_tls = for_tls.clone();
                shard.sockets = sockets.clone();
                shard.connections = connections.cloned();
                (shard, handle)
            })
            .unzip();
        (Self { ownership, shards, streams, inlets }, handles)
    }

    /// Which of them owns what.
    pub fn ownership(&self) -> Ownership {
        self.ownership
    }

    /// Runs each shard as a task of its own until every handle to it is gone. Must be called on a tokio runtime.
    #[must_use = "dropping it stops the shards"]
    pub fn spawn(self) -> RunningShards {
        let mut tasks = JoinSet::new();
        for shard in self.shards {
            tasks.spawn(shard.run());
        }
        let connections = self.streams.map(|(listeners, connections)| {
            for listener in listeners {
                tasks.spawn(listener.run(connections.clone()));
            }
            connections
        });
        RunningShards { _tasks: tasks, watch: ShardsWatch { connections, inlets: self.inlets } }
    }
}

/// Shards that run. Dropping it stops them at once, and closes every connection.
#[derive(Debug)]
pub struct RunningShards {
    /// Dropping it aborts them.
    _tasks: JoinSet<()>,
    watch: ShardsWatch,
}

impl RunningShards {
    /// How many connections there are.
    pub fn connections(&self) -> usize {
        self.watch.connections()
    }

    /// As [`ShardsWatch::lead_to`].
    #[cfg(feature = "tls")]
    pub fn lead_to(&self, local: SocketAddr, remote: SocketAddr, name: &PeerName) -> Flow {
        self.watch.lead_to(local, remote, name)
    }

    /// A look at them that outlives them.
    pub fn watch(&self) -> ShardsWatch {
        self.watch.clone()
    }
}

/// Looks at what waits for shards and at their connections, without asking them; clones look at the same.
#[derive(Clone, Debug)]
pub struct ShardsWatch {
    connections: Option<Connections>,
    inlets: Arc<Inlets>,
}

impl ShardsWatch {
    /// How many connections there are.
    pub fn connections(&self) -> usize {
        self.connections.as_ref().map_or(0, Connections::len)
    }

    /// The flow by which `remote` is reached over TLS, where it has to prove `name`; see [`Connections::lead_to`]. `local` is ours. Without connections,
    /// nothing can be sent by it.
    #[cfg(feature = "tls")]
    pub fn lead_to(&self, local: SocketAddr, remote: SocketAddr, name: &PeerName) -> Flow {
        match &self.connections {
            Some(connections) => connections.lead_to(local, remote, name),
            None => Flow::tls(local, remote),
        }
    }

    /// For each shard the messages that others and connections have passed to it and that wait, and how many may.
    pub fn waiting(&self) -> impl Iterator<Item = (usize, usize)> {
        self.inlets.waiting()
    }
}

impl Drop for RunningShards {
    fn drop(&mut self) {
        if let Some(connections) = &self.watch.connections {
            connections.close_all();
        }
    }
}

//! All shards of an endpoint, and the connections that they share.

use std::sync::Arc;

use blether_sip_transport::{ConnectionLimits, Connections, LocalEnd, TcpListener, UdpSocket};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::task::JoinSet;

use super::inlet::{Inlets, inlet};
use super::{Ownership, Router, Shard, ShardConfig, ShardHandle, ShardIndex, TransactionUser};

/// What an endpoint needs to speak TCP.
#[derive(Debug)]
pub struct Streams {
    /// Where peers connect to; their ports should be those of the UDP sockets.
    pub listeners: Vec<TcpListener>,
    /// What connections may cost, for all shards together.
    pub limits: ConnectionLimits,
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
        let streams = streams.map(|Streams { listeners, limits }| {
            let listening = listeners.iter().map(TcpListener::local_addr).collect();
            let local = LocalEnd { listening, advertise: config.advertise };
            (listeners, Connections::new(limits, local, inlets.clone()))
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

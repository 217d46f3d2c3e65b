//! Which connections there are, and which has to go: without I/O.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::named_peers::NamedPeers;
use crate::peer_name::NamedPeer;
use crate::{ConnectionId, Flow, FramerLimits, PeerName, Transport};

/// What connections may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Connections at a time. Default 10,000: each needs a file descriptor and some 2 kB, over TLS 13 kB, and what has
    /// come of a message that is not yet whole. The one that is idle the longest makes room. As many peers are remembered by name that are to be
    /// reached by TLS and to which there is no connection, at some 200 bytes each.
    pub max_connections: usize,
    /// Connections at a time with one peer: an IPv4 address, or an IPv6 network of 64 bits, of which whoever has one address has all.
    /// Default 256: an office behind one NAT. That peer's own idle the longest makes room.
    pub max_per_peer: usize,
    /// How long a connection may be idle. Default 10 minutes: five times what RFC 5626 §4.4.1 wants between keep-alives, and long enough
    /// for any transaction (RFC 3261 §18 asks for at least 32 s).
    pub idle_timeout: Duration,
    /// How long a stranger may take to the end of its first message, whatever keep-alives it sends, and anybody to the end of one that has
    /// begun. Default 32 s: what comes later belongs to no transaction any more.
    pub message_timeout: Duration,
    /// How long opening a connection may take. Default 10 s.
    pub connect_timeout: Duration,
    /// How long a TLS handshake may take, whoever opened the connection. Default 10 s: some round trips, on the slowest of lines.
    pub handshake_timeout: Duration,
    /// TLS handshakes under way at a time that peers have begun. Default 1,000, each with at most some 64 kB of what the peer has sent; over it the one that
    /// has lasted the longest goes, so that peers that never finish theirs keep nobody out.
    pub max_handshakes: usize,
    /// How long a peer may take no byte of what waits for it, and over TLS nothing of a record. Default 32 s.
    pub write_timeout: Duration,
    /// What may wait to be written to one connection, in bytes, with 64 for each message. Default 1 MiB: some thousand messages. Over it the peer does not read, and
    /// the connection is closed.
    pub max_queued: usize,
    /// What a message may measure.
    pub framer: FramerLimits,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            max_per_peer: 256,
            idle_timeout: Duration::from_secs(600),
            message_timeout: Duration::from_secs(32),
            connect_timeout: Duration::from_secs(10),
            handshake_timeout: Duration::from_secs(10),
            max_handshakes: 1_000,
            write_timeout: Duration::from_secs(32),
            max_queued: 1024 * 1024,
            framer: FramerLimits::default(),
        }
    }
}

/// The order in which connections have to go: strangers that have not yet sent a message first, then by how long they are idle.
type Rank = (bool, Instant, ConnectionId);

/// Who counts as one peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Peer {
    V4(Ipv4Addr),
    /// The first 64 bits, which is what one subscriber has (RFC 6177 §2): a stranger picks the others at will.
    V6(u64),
}

impl Peer {
    fn of(remote: SocketAddr) -> Self {
        match remote.ip().to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip),
            IpAddr::V6(ip) => Self::V6(network(ip)),
        }
    }
}

/// Who opens a connection.
#[derive(Clone, Debug)]
pub(crate) enum Opener {
    /// The peer.
    Peer,
    /// We do, to whoever is there.
    Us,
    /// We do, to this one.
    UsTo(PeerName),
}

/// By what a message goes.
#[derive(Debug)]
pub(crate) enum Way<'a, T> {
    /// By a connection that is there.
    By(ConnectionId, &'a T),
    /// By one that has to be opened.
    Open(SocketAddr, Opener),
    /// By nothing: who is to be there is not known, so nobody can prove to be that, or it was to be by a connection that is gone.
    Unknown,
}

#[derive(Debug)]
struct Entry<T> {
    transport: Transport,
    remote: SocketAddr,
    opener: Opener,
    /// What its peer has proved to be, by its certificate.
    proven: Arc<[PeerName]>,
    /// Where its peer says that it is reached by this connection too.
    alias: Option<SocketAddr>,
    known: bool,
    used: Instant,
    connection: T,
}

fn network(ip: Ipv6Addr) -> u64 {
    let [a, b, c, d, ..] = ip.segments().map(u64::from);
    a << 48 | b << 32 | c << 16 | d
}

/// The connections that live, each with what its driver needs of it (`T`).
#[derive(Debug)]
pub(crate) struct ConnectionTable<T> {
    limits: ConnectionLimits,
    last: u64,
    entries: HashMap<ConnectionId, Entry<T>>,
    /// By transport too: what is meant for TLS must never go in clear.
    by_remote: HashMap<(Transport, SocketAddr), BTreeSet<ConnectionId>>,
    /// Those of TLS that peers have opened, by where they are reached otherwise.
    by_alias: HashMap<SocketAddr, BTreeSet<ConnectionId>>,
    named: NamedPeers,
    by_peer: HashMap<Peer, BTreeSet<Rank>>,
    ranks: BTreeSet<Rank>,
}

impl<T> ConnectionTable<T> {
    pub(crate) fn new(limits: ConnectionLimits) -> Self {
        Self {
            limits,
            last: 0,
            entries: HashMap::new(),
            by_remote: HashMap::new(),
            by_alias: HashMap::new(),
            named: NamedPeers::new(limits.max_connections),
            by_peer: HashMap::new(),
            ranks: BTreeSet::new(),
        }
    }

    /// Enters a connection. Where a limit is reached, another one goes, which is given back to be closed.
    pub(crate) fn open(
        &mut self,
        now: Instant,
        (transport, remote): (Transport, SocketAddr),
        opener: Opener,
        connection: T,
    ) -> (ConnectionId, Option<T>) {
        let of_peer = self.by_peer.get(&Peer::of(remote));
        let victim = if of_peer.is_some_and(|ranks| ranks.len() >= self.limits.max_per_peer.max(1)) {
            of_peer.and_then(BTreeSet::first)
        } else if self.entries.len() >= self.limits.max_connections.max(1) {
            self.ranks.first()
        } else {
            None
        };
        let evicted = victim.map(|&(.., id)| id).and_then(|id| self.close(id));
        let id = self.number(matches!(opener, Opener::UsTo(_)));
        // One that we open is no stranger's.
        let known = !matches!(opener, Opener::Peer);
        let (proven, alias) = (Arc::default(), None);
        self.entries.insert(id, Entry { transport, remote, opener, proven, alias, known, used: now, connection });
        self.by_remote.entry((transport, remote)).or_default().insert(id);
        self.rank(Peer::of(remote), (known, now, id));
        (id, evicted)
    }

    /// By what `flow` goes: the connection that it names, else any of its transport to the same address (RFC 3261 §18.1.1, §18.2.2), else one that is
    /// opened. One that is to go by its own connection alone goes by nothing else. Over TLS, one that leads to a peer of a certain name goes by nothing but a connection whose peer has proved that name, or has yet to.
    pub(crate) fn way(&self, flow: &Flow) -> Way<'_, T> {
        let is_of_transport = |id: &ConnectionId| self.entries.get(id).is_some_and(|e| e.transport == flow.transport);
        if let Some(id) = flow.connection.filter(|id| id.is_alone()) {
            let id = ConnectionId::new(id.number());
            let its_own = self.entries.get(&id).filter(|entry| entry.transport == flow.transport);
            return its_own.map_or(Way::Unknown, |entry| Way::By(id, &entry.connection));
        }
        let peer = flow.connection.and_then(|id| self.named.get(id)).filter(|_| flow.transport == Transport::Tls);
        let id = match (flow.connection, peer) {
            (Some(id), _) if is_of_transport(&id) => Some(id),
            (_, Some(peer)) => self.to_peer(peer),
            // It was for a certain peer, and who that was is forgotten.
            (Some(id), None) if id.is_named() => return Way::Unknown,
            (_, None) => self.to_address(flow.transport, flow.remote),
        };
        if let Some(id) = id
            && let Some(entry) = self.entries.get(&id)
        {
            return Way::By(id, &entry.connection);
        }
        match (flow.transport, peer) {
            (Transport::Tls, Some(peer)) => Way::Open(peer.remote, Opener::UsTo(peer.name.clone())),
            (Transport::Tls, None) => Way::Unknown,
            (Transport::Udp | Transport::Tcp, _) => Way::Open(flow.remote, Opener::Us),
        }
    }

    /// The last that was opened between us and an address. Of those of TLS, one that the peer has opened: whom ours lead to has been named.
    fn to_address(&self, transport: Transport, remote: SocketAddr) -> Option<ConnectionId> {
        let by_peer = |id: &&ConnectionId| self.entries.get(id).is_some_and(|e| matches!(e.opener, Opener::Peer));
        let ids = self.by_remote.get(&(transport, remote))?;
        ids.iter().rev().find(|id| transport != Transport::Tls || by_peer(id)).copied()
    }

    /// The TLS connection by which a peer of this name is reached at this address: one of ours whose peer has proved it, whichever of its names was
    /// asked for then, or one that the peer has opened (RFC 5923 §8.1, §8.2).
    fn to_peer(&self, peer: &NamedPeer) -> Option<ConnectionId> {
        let proves = |id: &&ConnectionId| self.entries.get(id).is_some_and(|entry| entry.leads_to(&peer.name));
        let ours = self.by_remote.get(&(Transport::Tls, peer.remote));
        let theirs = self.by_alias.get(&peer.remote);
        [ours, theirs].into_iter().flatten().find_map(|ids| ids.iter().rev().find(proves)).copied()
    }

    /// What names the way to this peer in a [`Flow`], whatever connection it is by then. The same for as long as it is remembered.
    #[cfg_attr(not(any(feature = "tls", test)), expect(dead_code, reason = "nobody proves a name without TLS"))]
    pub(crate) fn lead_to(&mut self, peer: NamedPeer) -> ConnectionId {
        if let Some(id) = self.named.given(&peer) {
            return id;
        }
        let id = self.number(true);
        self.named.remember(id, peer);
        id
    }

    /// The peer of a TLS connection has shown a certificate that is believed and has these names in it.
    #[cfg_attr(not(any(feature = "tls", test)), expect(dead_code, reason = "nobody proves a name without TLS"))]
    pub(crate) fn proved(&mut self, id: ConnectionId, names: Arc<[PeerName]>) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.proven = names;
        }
    }

    /// The peer that has opened a TLS connection says that it is reached by it, where it is otherwise by this port (RFC 5923 §8.2); tells whether it
    /// is from here on.
    ///
    /// Only one that has proved a name is, and only for what is sent to that name: a program on the same machine could else draw another's calls to
    /// itself (§9, §9.2). A phone that has registered or called by a connection is reached by that one in any case, since its flow names it.
    pub(crate) fn alias(&mut self, id: ConnectionId, port: u16) -> bool {
        let Some(entry) = self.entries.get_mut(&id) else { return false };
        if entry.proven.is_empty() || !matches!(entry.opener, Opener::Peer) {
            return false;
        }
        let alias = SocketAddr::new(entry.remote.ip(), port);
        let before = entry.alias.replace(alias);
        if before != Some(alias) {
            before.into_iter().for_each(|before| take_from(&mut self.by_alias, &before, id));
            self.by_alias.entry(alias).or_default().insert(id);
        }
        true
    }

    /// Something has gone by a connection; `heard` tells that it was a message from the peer. Anything else, as keep-alives, is no use of a
    /// connection whose peer has not yet sent one.
    pub(crate) fn used(&mut self, now: Instant, id: ConnectionId, heard: bool) {
        let Some(entry) = self.entries.get_mut(&id).filter(|entry| entry.known || heard) else { return };
        let (peer, old) = (Peer::of(entry.remote), (entry.known, entry.used, id));
        entry.known |= heard;
        entry.used = entry.used.max(now);
        let new = (entry.known, entry.used, id);
        if old != new {
            self.unrank(peer, old);
            self.rank(peer, new);
        }
    }

    /// When a connection will have been idle for too long; `None` when it is not there.
    pub(crate) fn expires_at(&self, id: ConnectionId) -> Option<Instant> {
        let entry = self.entries.get(&id)?;
        let patience = if entry.known { self.limits.idle_timeout } else { self.limits.message_timeout };
        Some(entry.used + patience)
    }

    pub(crate) fn close(&mut self, id: ConnectionId) -> Option<T> {
        let entry = self.entries.remove(&id)?;
        self.unrank(Peer::of(entry.remote), (entry.known, entry.used, id));
        take_from(&mut self.by_remote, &(entry.transport, entry.remote), id);
        if let Some(alias) = entry.alias {
            take_from(&mut self.by_alias, &alias, id);
        }
        // Who has a message for the same peer later finds its way there (RFC 5923 §8.1).
        if let Opener::UsTo(name) = entry.opener {
            self.named.remember(id, NamedPeer { remote: entry.remote, name });
        }
        Some(entry.connection)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Takes all of them out.
    pub(crate) fn drain(&mut self) -> Vec<T> {
        self.by_remote.clear();
        self.by_alias.clear();
        self.named.clear();
        self.by_peer.clear();
        self.ranks.clear();
        self.entries.drain().map(|(_, entry)| entry.connection).collect()
    }

    fn number(&mut self, named: bool) -> ConnectionId {
        self.last += 1;
        let id = ConnectionId::new(self.last);
        if named { id.named() } else { id }
    }

    fn rank(&mut self, peer: Peer, rank: Rank) {
        self.ranks.insert(rank);
        self.by_peer.entry(peer).or_default().insert(rank);
    }

    fn unrank(&mut self, peer: Peer, rank: Rank) {
        self.ranks.remove(&rank);
        if let Some(ranks) = self.by_peer.get_mut(&peer) {
            ranks.remove(&rank);
            if ranks.is_empty() {
                self.by_peer.remove(&peer);
            }
        }
    }
}

impl<T> Entry<T> {
    /// Whether its peer has proved this name, or has to when it is open.
    fn leads_to(&self, name: &PeerName) -> bool {
        matches!(&self.opener, Opener::UsTo(wanted) if wanted == name)
            || self.proven.contains(name) && (self.alias.is_some() || !matches!(self.opener, Opener::Peer))
    }
}

fn take_from<K: std::hash::Hash + Eq>(index: &mut HashMap<K, BTreeSet<ConnectionId>>, key: &K, id: ConnectionId) {
    if let Some(ids) = index.get_mut(key) {
        ids.remove(&id);
        if ids.is_empty() {
            index.remove(key);
        }
    }
}

#[cfg(test)]
mod tests;

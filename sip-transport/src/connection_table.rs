//! Which connections there are, and which has to go: without I/O.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use crate::{ConnectionId, Flow, FramerLimits, Transport};

/// What connections may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Connections at a time. Default 10,000: each needs a file descriptor and some 2 kB, and what has
    /// come of a message that is not yet whole. The one that is idle the longest makes room.
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

#[derive(Debug)]
struct Entry<T> {
    transport: Transport,
    remote: SocketAddr,
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
            by_peer: HashMap::new(),
            ranks: BTreeSet::new(),
        }
    }

    /// Enters a connection; `known` are those that we open. Where a limit is reached, another one goes, which is given back to be closed.
    pub(crate) fn open(
        &mut self,
        now: Instant,
        (transport, remote): (Transport, SocketAddr),
        known: bool,
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
        self.last += 1;
        let id = ConnectionId::new(self.last);
        self.entries.insert(id, Entry { transport, remote, known, used: now, connection });
        self.by_remote.entry((transport, remote)).or_default().insert(id);
        self.rank(Peer::of(remote), (known, now, id));
        (id, evicted)
    }

    /// The connection by which `flow` goes: the one that it names, else any of its transport to the same address (RFC 3261 §18.1.1, §18.2.2).
    ///
    /// Never one whose peer has only said, by `alias` in a Via, that it is also reached by it at another address: without a client certificate
    /// nobody can prove that, a program on the same machine could draw another's calls to itself, and so an alias must not be made (RFC 5923
    /// §9, §9.2). A phone that has registered or called by a connection is reached by that one in any case, since its flow names it.
    pub(crate) fn find(&self, flow: &Flow) -> Option<(ConnectionId, &T)> {
        let is_of_transport = |id: &ConnectionId| self.entries.get(id).is_some_and(|e| e.transport == flow.transport);
        let named = flow.connection.filter(is_of_transport);
        let id = named.or_else(|| self.by_remote.get(&(flow.transport, flow.remote))?.last().copied())?;
        Some((id, &self.entries.get(&id)?.connection))
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
        let to = (entry.transport, entry.remote);
        if let Some(ids) = self.by_remote.get_mut(&to) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_remote.remove(&to);
            }
        }
        Some(entry.connection)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Takes all of them out.
    pub(crate) fn drain(&mut self) -> Vec<T> {
        self.by_remote.clear();
        self.by_peer.clear();
        self.ranks.clear();
        self.entries.drain().map(|(_, entry)| entry.connection).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    struct Bench {
        table: ConnectionTable<&'static str>,
        start: Instant,
    }

    impl Bench {
        fn new(max_connections: usize, max_per_peer: usize) -> Self {
            let limits = ConnectionLimits { max_connections, max_per_peer, ..ConnectionLimits::default() };
            Self { table: ConnectionTable::new(limits), start: Instant::now() }
        }

        fn at(&self, seconds: u64) -> Instant {
            self.start + Duration::from_secs(seconds)
        }

        fn accept(&mut self, seconds: u64, remote: &str, name: &'static str) -> (ConnectionId, Option<&'static str>) {
            self.table.open(self.at(seconds), (Transport::Tcp, remote.parse().unwrap()), false, name)
        }

        fn hear(&mut self, seconds: u64, id: ConnectionId) {
            self.table.used(self.at(seconds), id, true);
        }

        fn assert_empty(&self) {
            assert_eq!(self.table.len(), 0);
            assert!(self.table.ranks.is_empty() && self.table.by_peer.is_empty() && self.table.by_remote.is_empty());
        }
    }

    fn flow(remote: &str, connection: Option<ConnectionId>) -> Flow {
        Flow { connection, ..Flow::tcp("192.0.2.1:5060".parse().unwrap(), remote.parse().unwrap()) }
    }

    #[test]
    fn a_flow_goes_by_its_own_connection_and_by_any_other_to_the_same_address_once_that_is_gone() {
        let mut bench = Bench::new(10, 10);
        let (first, _) = bench.accept(0, "192.0.2.9:4000", "first");
        let (second, _) = bench.accept(0, "192.0.2.9:4000", "second");
        let by = |bench: &Bench, id| bench.table.find(&flow("192.0.2.9:4000", id)).map(|(_, name)| *name);
        assert_eq!(by(&bench, Some(first)), Some("first"));
        assert_eq!(by(&bench, None), Some("second"));
        bench.table.close(first);
        assert_eq!(by(&bench, Some(first)), Some("second"));
        bench.table.close(second);
        assert_eq!(by(&bench, Some(first)), None);
        bench.assert_empty();
    }

    #[test]
    fn what_is_meant_for_tls_never_goes_by_a_connection_in_clear_nor_the_other_way_round() {
        let mut bench = Bench::new(10, 10);
        let (in_clear, _) = bench.accept(0, "192.0.2.9:4000", "in clear");
        let wanted = |connection| Flow { transport: Transport::Tls, ..flow("192.0.2.9:4000", connection) };
        assert!(bench.table.find(&wanted(Some(in_clear))).is_none() && bench.table.find(&wanted(None)).is_none());
        let to = (Transport::Tls, "192.0.2.9:4000".parse().unwrap());
        let (secured, _) = bench.table.open(bench.at(0), to, false, "secured");
        assert_eq!(bench.table.find(&wanted(Some(in_clear))).map(|(id, _)| id), Some(secured));
        assert_eq!(bench.table.find(&flow("192.0.2.9:4000", Some(secured))).map(|(id, _)| id), Some(in_clear));
        bench.table.close(in_clear);
        bench.table.close(secured);
        bench.assert_empty();
    }

    #[test]
    fn when_all_places_are_taken_the_one_idle_the_longest_goes() {
        let mut bench = Bench::new(2, 10);
        let (a, _) = bench.accept(0, "192.0.2.1:1", "a");
        let (b, _) = bench.accept(1, "192.0.2.2:1", "b");
        bench.hear(2, a);
        bench.hear(3, b);
        bench.hear(4, a);
        assert_eq!(bench.accept(5, "192.0.2.3:1", "c").1, Some("b"));
        assert_eq!(bench.table.len(), 2);
    }

    #[test]
    fn a_stranger_that_has_said_nothing_goes_before_whoever_has() {
        let mut bench = Bench::new(2, 10);
        let (phone, _) = bench.accept(0, "192.0.2.1:1", "phone");
        bench.hear(0, phone);
        bench.accept(100, "192.0.2.2:1", "silent");
        assert_eq!(bench.accept(101, "192.0.2.3:1", "another").1, Some("silent"));
        // However many more come, the phone stays.
        assert_eq!(bench.accept(102, "192.0.2.4:1", "third").1, Some("another"));
        assert!(bench.table.find(&flow("192.0.2.1:1", None)).is_some());
    }

    #[test]
    fn a_peer_with_too_many_connections_loses_one_of_its_own() {
        let mut bench = Bench::new(10, 2);
        let (other, _) = bench.accept(0, "192.0.2.9:1", "other");
        bench.hear(0, other);
        bench.accept(1, "192.0.2.1:1", "first");
        bench.accept(2, "192.0.2.1:2", "second");
        assert_eq!(bench.accept(3, "192.0.2.1:3", "third").1, Some("first"));
        assert_eq!(bench.table.len(), 3);
    }

    #[test]
    fn an_ipv6_network_is_one_peer_and_a_mapped_address_is_its_ipv4_address() {
        let mut bench = Bench::new(10, 2);
        bench.accept(1, "[2001:db8:0:1::1]:1", "first");
        bench.accept(2, "[2001:db8:0:1:ffff::2]:1", "second");
        assert_eq!(bench.accept(3, "[2001:db8:0:2::1]:1", "neighbour").1, None);
        assert_eq!(bench.accept(4, "[2001:db8:0:1::3]:1", "third").1, Some("first"));
        bench.accept(5, "192.0.2.1:1", "fourth");
        bench.accept(6, "[::ffff:192.0.2.1]:2", "fifth");
        assert_eq!(bench.accept(7, "192.0.2.1:3", "sixth").1, Some("fourth"));
        assert_eq!(bench.accept(8, "192.0.2.2:1", "another").1, None);
    }

    #[test]
    fn a_stranger_that_only_pings_expires_and_goes_first_all_the_same() {
        let mut bench = Bench::new(2, 10);
        let (pinging, _) = bench.accept(0, "192.0.2.1:1", "pinging");
        bench.accept(1, "192.0.2.2:1", "silent");
        for second in 0..32 {
            bench.table.used(bench.at(second), pinging, false);
        }
        assert_eq!(bench.table.expires_at(pinging), Some(bench.at(32)));
        assert_eq!(bench.accept(31, "192.0.2.3:1", "another").1, Some("pinging"));
    }

    #[test]
    fn a_connection_expires_when_it_is_idle_and_a_silent_stranger_sooner() {
        let mut bench = Bench::new(10, 10);
        let (id, _) = bench.accept(0, "192.0.2.1:1", "a");
        assert_eq!(bench.table.expires_at(id), Some(bench.at(32)));
        bench.hear(10, id);
        assert_eq!(bench.table.expires_at(id), Some(bench.at(610)));
        // Once it is known a keep-alive, or what we send, is use enough.
        bench.table.used(bench.at(20), id, false);
        assert_eq!(bench.table.expires_at(id), Some(bench.at(620)));
        bench.table.close(id);
        assert_eq!(bench.table.expires_at(id), None);
        bench.assert_empty();
    }
}

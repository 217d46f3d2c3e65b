//! Which UDP ports media uses: even ones, from a range, each resting for a while before it is used again.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rand::RngExt;
use rand::rngs::StdRng;
use socket2::{Domain, Protocol, Socket, Type};

use crate::error::{NoPort, PortRangeError};

/// How often the system is asked for a port until it names an even one whose odd neighbour is free. 64: each second one is even.
const TRIES_FOR_A_PAIR: usize = 64;

/// The traffic class of telephony (RFC 4594 §4.1): DSCP 46, above the two bits of ECN.
const EXPEDITED_FORWARDING: u32 = 46 << 2;

/// The UDP ports that legs may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortRange {
    first: u16,
    last: u16,
}

impl PortRange {
    /// Ports `first` to `last`, of which the even ones are used for RTP, and the odd one after each for its RTCP
    /// (RFC 3550 §11), which so must lie within the range too.
    ///
    /// # Errors
    /// [`PortRangeError`] when no such pair lies in the range. Port 0 is no port: see [`system_chosen`](Self::system_chosen).
    pub fn new(first: u16, last: u16) -> Result<Self, PortRangeError> {
        let range = Self { first, last };
        if first == 0 || range.pairs() == 0 { Err(PortRangeError { first, last }) } else { Ok(range) }
    }

    /// Whatever pairs of ports the system chooses; for tests, and for phones that are behind no firewall rule.
    #[must_use]
    pub const fn system_chosen() -> Self {
        Self { first: 0, last: 0 }
    }

    fn is_system_chosen(self) -> bool {
        self.last == 0
    }

    /// The even port of the first pair.
    fn base(self) -> u32 {
        u32::from(self.first) + u32::from(self.first) % 2
    }

    /// How many pairs there are.
    fn pairs(self) -> u32 {
        (u32::from(self.last) + 1).saturating_sub(self.base()) / 2
    }

    fn port(self, pair: u32) -> u16 {
        u16::try_from(self.base() + 2 * (pair % self.pairs().max(1))).unwrap_or(self.first)
    }
}

impl Default for PortRange {
    /// 10000 to 19999, the range that firewalls of telephone systems are most often opened for: 5 000 legs.
    fn default() -> Self {
        Self { first: 10_000, last: 19_999 }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_system_chosen() { f.write_str("system-chosen") } else { write!(f, "{}-{}", self.first, self.last) }
    }
}

/// Hands out RTP sockets, each with that of its RTCP on the next port, shared by all that make legs: a clone hands out of the same ports.
///
/// A port is taken at random, so that a stranger cannot guess the next call's. When the [`RtpSocket`], or the leg that it became,
/// is dropped, the port rests before it is handed out again: packets of the call before may still be under way to it.
#[derive(Debug, Clone)]
pub struct PortAllocator {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    range: PortRange,
    quarantine: Duration,
    ports: Mutex<Ports>,
}

#[derive(Debug)]
struct Ports {
    rng: StdRng,
    in_use: BTreeSet<u16>,
    /// Which ports rest, and until when; in order of time.
    resting: VecDeque<(Instant, u16)>,
    resting_set: BTreeSet<u16>,
}

impl PortAllocator {
    /// How long a port rests by default, as long as others are free: as long as a SIP transaction lives (64 × T1 = 32 s), since a peer that missed our BYE
    /// sends until it is resent for the last time.
    pub const QUARANTINE: Duration = Duration::from_secs(32);

    /// An allocator of the ports in `range`, each of which rests for [`QUARANTINE`](Self::QUARANTINE) after its use.
    #[must_use]
    pub fn new(range: PortRange) -> Self {
        Self::with(range, Self::QUARANTINE, rand::make_rng())
    }

    /// An allocator of the ports in `range`, each of which rests for `quarantine` after its use. `rng` chooses them.
    #[must_use]
    pub fn with(range: PortRange, quarantine: Duration, rng: StdRng) -> Self {
        let ports = Ports { rng, in_use: BTreeSet::new(), resting: VecDeque::new(), resting_set: BTreeSet::new() };
        Self { shared: Arc::new(Shared { range, quarantine, ports: Mutex::new(ports) }) }
    }

    /// Opens an RTP socket on `ip`, and its RTCP socket on the port after; each needs a file descriptor. `ip` is a concrete address of this machine: what an SDP will name.
    ///
    /// # Errors
    /// [`NoPort`]; nothing has changed then.
    pub fn allocate(&self, ip: IpAddr) -> Result<RtpSocket, NoPort> {
        self.allocate_at(Instant::now(), ip)
    }

    /// How many ports are in use.
    #[must_use]
    pub fn in_use(&self) -> usize {
        self.shared.lock().in_use.len()
    }

    /// How many pairs of ports the range has; `None` where the system chooses them.
    #[must_use]
    pub fn pairs(&self) -> Option<usize> {
        let range = self.shared.range;
        (!range.is_system_chosen()).then(|| usize::try_from(range.pairs()).unwrap_or(usize::MAX))
    }

    /// How many ports rest.
    #[must_use]
    pub fn resting(&self) -> usize {
        let mut ports = self.shared.lock();
        ports.wake(Instant::now());
        ports.resting.len()
    }

    fn allocate_at(&self, now: Instant, ip: IpAddr) -> Result<RtpSocket, NoPort> {
        let mut ports = self.shared.lock();
        ports.wake(now);
        let range = self.shared.range;
        let Pair { socket, rtcp, local } = if range.is_system_chosen() {
            open_system_chosen(ip).map_err(|source| NoPort::Bind { ip, source })?
        } else {
            ports.open_within(range, ip)?
        };
        ports.in_use.insert(local.port());
        let lease = PortLease { port: local.port(), shared: Arc::clone(&self.shared) };
        Ok(RtpSocket { socket, rtcp, local, lease })
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Ports> {
        // Nothing panics while it holds the lock, and the sets are right after every step.
        self.ports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self, now: Instant, port: u16) {
        let mut ports = self.lock();
        ports.in_use.remove(&port);
        // The system keeps its own order among its ports.
        if !self.range.is_system_chosen() && ports.resting_set.insert(port) {
            ports.resting.push_back((now + self.quarantine, port));
        }
    }
}

impl Ports {
    fn wake(&mut self, now: Instant) {
        while let Some((_, port)) = self.resting.pop_front_if(|(until, _)| *until <= now) {
            self.resting_set.remove(&port);
        }
    }

    fn open_within(&mut self, range: PortRange, ip: IpAddr) -> Result<Pair, NoPort> {
        let pairs = range.pairs();
        let start = self.rng.random_range(0..pairs.max(1));
        let mut taken = 0;
        for step in 0..pairs {
            let port = range.port(start + step);
            if self.in_use.contains(&port) || self.resting_set.contains(&port) {
                continue;
            }
            match Pair::open(SocketAddr::new(ip, port)) {
                Ok(pair) => return Ok(pair),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => taken += 1,
                Err(source) => return Err(NoPort::Bind { ip, source }),
            }
        }
        // A call that might hear the end of another is better than none: what has rested longest goes first.
        for place in 0..self.resting.len() {
            let Some(&(_, port)) = self.resting.get(place) else { break };
            match Pair::open(SocketAddr::new(ip, port)) {
                Ok(pair) => {
                    self.resting.remove(place);
                    self.resting_set.remove(&port);
                    return Ok(pair);
                }
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => taken += 1,
                Err(source) => return Err(NoPort::Bind { ip, source }),
            }
        }
        let (in_use, resting) = (self.in_use.len(), self.resting.len());
        Err(NoPort::Exhausted { first: range.first, last: range.last, in_use, resting, taken })
    }
}

/// The two sockets of a leg, on neighbouring ports.
struct Pair {
    socket: UdpSocket,
    rtcp: UdpSocket,
    /// Where RTP is received.
    local: SocketAddr,
}

impl Pair {
    fn open(address: SocketAddr) -> io::Result<Self> {
        let (socket, local) = open(address)?;
        let odd = if local.port().is_multiple_of(2) { local.port().checked_add(1) } else { None };
        // The system has chosen an odd port: the same as if one of the two were taken.
        let odd = odd.ok_or(io::ErrorKind::AddrInUse)?;
        let mut next = local;
        next.set_port(odd);
        let (rtcp, _) = open(next)?;
        Ok(Self { socket, rtcp, local })
    }
}

fn open_system_chosen(ip: IpAddr) -> io::Result<Pair> {
    let mut opened = Pair::open(SocketAddr::new(ip, 0));
    for _ in 1..TRIES_FOR_A_PAIR {
        match &opened {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => opened = Pair::open(SocketAddr::new(ip, 0)),
            Ok(_) | Err(_) => break,
        }
    }
    opened
}

fn open(address: SocketAddr) -> io::Result<(UdpSocket, SocketAddr)> {
    let socket = new_socket(Domain::for_address(address))?;
    if address.is_ipv6() {
        // An SDP names one address of one family; packets of the other are strangers'.
        socket.set_only_v6(true)?;
    } else if let Err(error) = socket.set_tos_v4(EXPEDITED_FORWARDING) {
        // Calls work without the mark, in networks that heed it worse.
        tracing::debug!(%error, "RTP packets are not marked for expedited forwarding");
    }
    socket.bind(&address.into())?;
    let socket = UdpSocket::from(socket);
    let local = if address.port() == 0 { socket.local_addr()? } else { address };
    Ok((socket, local))
}

/// A UDP socket that does not block: in one call where the system has one, since every call of a person makes four of them.
#[cfg(target_os = "linux")]
fn new_socket(domain: Domain) -> io::Result<Socket> {
    Socket::new(domain, Type::DGRAM.nonblocking(), Some(Protocol::UDP))
}

#[cfg(not(target_os = "linux"))]
fn new_socket(domain: Domain) -> io::Result<Socket> {
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// An open UDP socket for RTP and one for its RTCP on the port after, not yet served by a worker. What arrives waits in them.
#[derive(Debug)]
#[must_use = "dropping it closes the ports"]
pub struct RtpSocket {
    pub(super) socket: UdpSocket,
    pub(super) rtcp: UdpSocket,
    local: SocketAddr,
    pub(super) lease: PortLease,
}

impl RtpSocket {
    /// Where it listens for RTP: what the SDP names. RTCP goes to the port after, as it does where an SDP says nothing of it (RFC 3605).
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }
}

/// The right to a port; dropping it sends the port to rest. Declare it after the socket, so that the socket is closed first.
#[derive(Debug)]
pub(super) struct PortLease {
    port: u16,
    shared: Arc<Shared>,
}

impl Drop for PortLease {
    fn drop(&mut self) {
        self.shared.give_back(Instant::now(), self.port);
    }
}

/// Opens the port of a socket that has just been closed, which is how a connected socket is made to hear everybody again
/// without `unsafe`.
pub(super) fn reopen(local: SocketAddr) -> io::Result<UdpSocket> {
    open(local).map(|(socket, _)| socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use std::net::Ipv4Addr;

    const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    /// A range of as many pairs as asked for, all free at the moment; outside of what systems choose from and of our default range.
    fn free_range(pairs: u16) -> PortRange {
        let mut rng: StdRng = rand::make_rng();
        loop {
            let first = rng.random_range(10_000..16_000u16) * 2;
            let range = PortRange::new(first, first + 2 * pairs - 1).unwrap();
            let free =
                (0..u32::from(pairs)).all(|pair| Pair::open(SocketAddr::new(LOCALHOST, range.port(pair))).is_ok());
            if free {
                return range;
            }
        }
    }

    fn allocator(range: PortRange) -> PortAllocator {
        PortAllocator::with(range, Duration::from_secs(32), StdRng::seed_from_u64(1))
    }

    #[test]
    fn ports_are_even_and_the_odd_one_after_them_stays_in_the_range() {
        let check = |first, last, ports: &[u16]| {
            let range = PortRange::new(first, last).unwrap();
            assert_eq!((0..range.pairs()).map(|pair| range.port(pair)).collect::<Vec<_>>(), ports);
        };
        check(10_000, 10_003, &[10_000, 10_002]);
        check(10_001, 10_005, &[10_002, 10_004]);
        check(10_000, 10_004, &[10_000, 10_002]);
        check(65_534, 65_535, &[65_534]);
        assert_eq!(PortRange::default().pairs(), 5_000);
        for (first, last) in [(10_000, 10_000), (10_001, 10_002), (10_002, 10_000), (0, 100), (65_535, 65_535)] {
            assert_eq!(PortRange::new(first, last), Err(PortRangeError { first, last }));
        }
    }

    #[test]
    fn a_range_that_is_used_up_says_so_with_its_figures() {
        let allocator = allocator(free_range(2));
        let first = allocator.allocate(LOCALHOST).unwrap();
        let second = allocator.allocate(LOCALHOST).unwrap();
        assert_ne!(first.local_addr(), second.local_addr());
        let error = allocator.allocate(LOCALHOST).unwrap_err();
        assert!(matches!(error, NoPort::Exhausted { in_use: 2, resting: 0, taken: 0, .. }), "{error}");
    }

    #[test]
    fn a_port_rests_as_long_as_another_is_free() {
        let allocator = allocator(free_range(2));
        let socket = allocator.allocate(LOCALHOST).unwrap();
        let port = socket.local_addr().port();
        drop(socket);
        assert_eq!((allocator.in_use(), allocator.resting()), (0, 1));
        let fresh = allocator.allocate(LOCALHOST).unwrap();
        assert_ne!(fresh.local_addr().port(), port);
        let rested = allocator.allocate(LOCALHOST).unwrap();
        assert_eq!((rested.local_addr().port(), allocator.resting()), (port, 0), "better than no call");
        assert!(matches!(allocator.allocate(LOCALHOST), Err(NoPort::Exhausted { in_use: 2, resting: 0, .. })));
    }

    #[test]
    fn what_has_rested_longest_is_used_first() {
        let allocator = allocator(free_range(3));
        let sockets: Vec<_> = (0..3).map(|_| allocator.allocate(LOCALHOST).unwrap()).collect();
        let ports: Vec<_> = sockets.iter().map(|socket| socket.local_addr().port()).collect();
        sockets.into_iter().for_each(drop);
        let again: Vec<_> = (0..3).map(|_| allocator.allocate(LOCALHOST).unwrap()).collect();
        assert_eq!(again.iter().map(|socket| socket.local_addr().port()).collect::<Vec<_>>(), ports);
    }

    #[test]
    fn a_port_that_another_program_has_is_passed_over() {
        let range = free_range(2);
        let other = UdpSocket::bind(SocketAddr::new(LOCALHOST, range.port(0))).unwrap();
        let allocator = allocator(range);
        let socket = allocator.allocate(LOCALHOST).unwrap();
        assert_eq!(socket.local_addr().port(), range.port(1));
        assert!(matches!(allocator.allocate(LOCALHOST), Err(NoPort::Exhausted { in_use: 1, taken: 1, .. })));
        drop(other);
        assert!(allocator.allocate(LOCALHOST).is_ok());
    }

    #[test]
    fn a_pair_whose_odd_port_another_program_has_is_passed_over() {
        let range = free_range(2);
        let other = UdpSocket::bind(SocketAddr::new(LOCALHOST, range.port(1) + 1)).unwrap();
        let allocator = allocator(range);
        let socket = allocator.allocate(LOCALHOST).unwrap();
        assert_eq!(socket.local_addr().port(), range.port(0));
        assert_eq!(socket.rtcp.local_addr().unwrap().port(), range.port(0) + 1);
        assert!(matches!(allocator.allocate(LOCALHOST), Err(NoPort::Exhausted { in_use: 1, taken: 1, .. })));
        drop(other);
    }

    #[test]
    fn an_address_of_another_machine_is_an_error_that_names_it() {
        let error = allocator(PortRange::default()).allocate("192.0.2.1".parse().unwrap()).unwrap_err();
        assert!(matches!(error, NoPort::Bind { .. }));
        assert!(error.to_string().contains("192.0.2.1"));
    }

    #[test]
    fn the_system_may_choose() {
        let allocator = allocator(PortRange::system_chosen());
        let sockets: Vec<_> = (0..10).map(|_| allocator.allocate(LOCALHOST).unwrap()).collect();
        assert_eq!(allocator.in_use(), 10);
        for socket in &sockets {
            let (rtp, rtcp) = (socket.local_addr().port(), socket.rtcp.local_addr().unwrap().port());
            assert!(rtp.is_multiple_of(2) && rtcp == rtp + 1);
        }
        drop(sockets);
        assert_eq!(allocator.in_use(), 0);
    }
}

//! The simulated network: datagrams in flight, ordered by when they arrive.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::seed::SeedGuard;

/// Datagrams that one link holds at a time: a router's queue of about a megabyte. What comes on top is dropped, as there.
const LINK_CAPACITY: usize = 1_024;

/// What a link does to the datagrams that cross it in one direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Impairment {
    /// The part that is lost, 0 to 1.
    pub loss: f64,
    /// The part that arrives twice, 0 to 1.
    pub duplicate: f64,
    /// The part that is held back so that later ones can overtake it, 0 to 1. All others stay in order, whatever the jitter.
    pub reorder: f64,
    /// How long each is under way at least.
    pub delay: Duration,
    /// How much longer it may be, evenly spread.
    pub jitter: Duration,
}

impl Impairment {
    /// A perfect link: everything arrives at the instant it was sent, once and in order.
    pub const NONE: Self =
        Self { loss: 0.0, duplicate: 0.0, reorder: 0.0, delay: Duration::ZERO, jitter: Duration::ZERO };
}

impl Default for Impairment {
    fn default() -> Self {
        Self::NONE
    }
}

/// A datagram that has arrived: when, from whom, for whom, and what it holds.
pub type Delivery = (Instant, SocketAddr, SocketAddr, Bytes);

/// What has become of the datagrams so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Handed to [`SimulatedNetwork::send`].
    pub sent: u64,
    /// Handed out by [`SimulatedNetwork::poll_deliver`], copies included.
    pub delivered: u64,
    /// Lost by [`Impairment::loss`].
    pub lost: u64,
    /// Copied by [`Impairment::duplicate`].
    pub duplicated: u64,
    /// Dropped because the link was full.
    pub overflowed: u64,
}

#[derive(Debug)]
struct Link {
    impairment: Impairment,
    in_flight: usize,
    /// The latest arrival of those that stay in order.
    last_arrival: Instant,
}

/// A network in virtual time. See the crate's example.
#[derive(Debug)]
pub struct SimulatedNetwork {
    guard: SeedGuard,
    rng: StdRng,
    start: Instant,
    now: Instant,
    default: Impairment,
    links: BTreeMap<(SocketAddr, SocketAddr), Link>,
    /// By arrival, then by the order of sending.
    in_flight: BTreeMap<(Instant, u64), (SocketAddr, SocketAddr, Bytes)>,
    order: u64,
    counts: Counts,
}

impl SimulatedNetwork {
    /// A network of perfect links. All that is random about it comes from `seed`.
    pub fn new(seed: u64) -> Self {
        // `Instant` has no zero: this is the one real reading, and only differences to it mean anything.
        let start = Instant::now();
        Self {
            guard: SeedGuard(seed),
            rng: StdRng::seed_from_u64(seed),
            start,
            now: start,
            default: Impairment::NONE,
            links: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            order: 0,
            counts: Counts::default(),
        }
    }

    /// The seed it was made from.
    pub fn seed(&self) -> u64 {
        self.guard.0
    }

    /// A generator for whatever else in the test is random, derived from the seed and different at each call.
    pub fn rng(&mut self) -> StdRng {
        StdRng::from_rng(&mut self.rng)
    }

    /// The instant at which the clock started.
    pub fn start(&self) -> Instant {
        self.start
    }

    /// The instant it is.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// How long the clock has run.
    pub fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    /// What has become of the datagrams so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Impairs every link alike, those that were impaired one by one included, from the next datagram on.
    pub fn set_impairment(&mut self, impairment: Impairment) {
        self.default = impairment;
        for link in self.links.values_mut() {
            link.impairment = impairment;
        }
    }

    /// Impairs the way from one endpoint to another, and not the way back, from the next datagram on.
    pub fn impair(&mut self, from: SocketAddr, to: SocketAddr, impairment: Impairment) {
        self.link(from, to).impairment = impairment;
    }

    /// Sends a datagram, which arrives when and as often as the link wants, at the earliest now.
    pub fn send(&mut self, from: SocketAddr, to: SocketAddr, payload: Bytes) {
        self.counts.sent += 1;
        let impairment = self.link(from, to).impairment;
        if self.chance(impairment.loss) {
            self.counts.lost += 1;
            return;
        }
        let copies = if self.chance(impairment.duplicate) { 2 } else { 1 };
        self.counts.duplicated += copies - 1;
        for _ in 0..copies {
            self.enqueue(impairment, from, to, payload.clone());
        }
    }

    /// When the next datagram arrives; `None` when none is under way.
    pub fn next_event_at(&self) -> Option<Instant> {
        self.in_flight.first_key_value().map(|(&(at, _), _)| at)
    }

    /// Moves the clock on. An instant that has passed leaves it where it is: time never runs backwards.
    pub fn advance_to(&mut self, instant: Instant) {
        self.now = self.now.max(instant);
    }

    /// Hands out the next datagram that has arrived by now. Those of one instant come in the order they were sent.
    pub fn poll_deliver(&mut self) -> Option<Delivery> {
        let entry = self.in_flight.first_entry()?;
        let (at, _) = *entry.key();
        if at > self.now {
            return None;
        }
        let (from, to, payload) = entry.remove();
        if let Some(link) = self.links.get_mut(&(from, to)) {
            link.in_flight -= 1;
        }
        self.counts.delivered += 1;
        Some((at, from, to, payload))
    }

    fn enqueue(&mut self, impairment: Impairment, from: SocketAddr, to: SocketAddr, payload: Bytes) {
        let transit = impairment.delay + self.up_to(impairment.jitter);
        let held_back = self.chance(impairment.reorder).then(|| {
            // Long enough that a few others pass, on links without delay as well.
            Duration::from_millis(1)
                + self.up_to(2 * (impairment.delay + impairment.jitter) + Duration::from_millis(10))
        });
        let arrival = self.now + transit;
        let link = self.link(from, to);
        if link.in_flight >= LINK_CAPACITY {
            self.counts.overflowed += 1;
            return;
        }
        link.in_flight += 1;
        let at = match held_back {
            Some(extra) => arrival + extra,
            None => {
                link.last_arrival = link.last_arrival.max(arrival);
                link.last_arrival
            }
        };
        self.order += 1;
        self.in_flight.insert((at, self.order), (from, to, payload));
    }

    fn link(&mut self, from: SocketAddr, to: SocketAddr) -> &mut Link {
        let (impairment, last_arrival) = (self.default, self.start);
        self.links.entry((from, to)).or_insert(Link { impairment, in_flight: 0, last_arrival })
    }

    fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.rng.random_range(0.0..1.0) < probability
    }

    fn up_to(&mut self, most: Duration) -> Duration {
        if most.is_zero() { most } else { most.mul_f64(self.rng.random_range(0.0..1.0)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], 5060))
    }

    /// Sends `count` numbered datagrams a millisecond apart and returns what arrives, and after how long since the start.
    fn run(seed: u64, impairment: Impairment, count: u8) -> (Vec<(Duration, u8)>, Counts) {
        let mut network = SimulatedNetwork::new(seed);
        network.set_impairment(impairment);
        let mut arrived = Vec::new();
        let mut drain = |network: &mut SimulatedNetwork| {
            while let Some((at, _, _, payload)) = network.poll_deliver() {
                assert!(at <= network.now());
                arrived.push((at - network.start(), payload[0]));
            }
        };
        for number in 0..count {
            network.advance_to(network.start() + u32::from(number) * MS);
            network.send(address(1), address(2), Bytes::copy_from_slice(&[number]));
            drain(&mut network);
        }
        while let Some(at) = network.next_event_at() {
            network.advance_to(at);
            drain(&mut network);
        }
        (arrived, network.counts())
    }

    fn impaired() -> Impairment {
        Impairment { loss: 0.2, duplicate: 0.2, reorder: 0.2, delay: 20 * MS, jitter: 10 * MS }
    }

    #[test]
    fn a_perfect_link_delivers_at_once_and_in_order() {
        let (arrived, counts) = run(1, Impairment::NONE, 50);
        assert_eq!(arrived, (0..50).map(|number| (u32::from(number) * MS, number)).collect::<Vec<_>>());
        assert_eq!(counts, Counts { sent: 50, delivered: 50, ..Counts::default() });
    }

    #[test]
    fn one_seed_is_one_history_and_another_is_another() {
        assert_eq!(run(7, impaired(), 200), run(7, impaired(), 200));
        assert_ne!(run(7, impaired(), 200), run(8, impaired(), 200));
    }

    #[test]
    fn delay_and_jitter_bound_the_transit_and_jitter_alone_does_not_reorder() {
        let (arrived, _) = run(3, Impairment { delay: 20 * MS, jitter: 30 * MS, ..Impairment::NONE }, 200);
        assert!(arrived.iter().all(|&(at, number)| (20 * MS..=50 * MS).contains(&(at - u32::from(number) * MS))));
        assert!(arrived.is_sorted_by_key(|&(_, number)| number));
    }

    #[test]
    fn reordering_lets_later_ones_overtake() {
        let (arrived, counts) = run(3, Impairment { reorder: 0.2, ..Impairment::NONE }, 200);
        assert!(!arrived.is_sorted_by_key(|&(_, number)| number));
        assert_eq!(counts.delivered, 200);
    }

    #[test]
    fn loss_and_duplication_are_counted_and_near_their_rates() {
        let (arrived, counts) = run(5, impaired(), 250);
        assert_eq!(counts.delivered, counts.sent - counts.lost + counts.duplicated);
        assert_eq!(arrived.len() as u64, counts.delivered);
        assert!((25..=75).contains(&counts.lost) && (20..=70).contains(&counts.duplicated), "{counts:?}");
    }

    #[test]
    fn a_link_is_impaired_in_one_direction() {
        let mut network = SimulatedNetwork::new(1);
        network.impair(address(1), address(2), Impairment { loss: 1.0, ..Impairment::NONE });
        network.send(address(1), address(2), Bytes::from_static(b"lost"));
        network.send(address(2), address(1), Bytes::from_static(b"back"));
        assert_eq!(network.poll_deliver().map(|(.., payload)| payload), Some(Bytes::from_static(b"back")));
        assert_eq!(network.poll_deliver(), None);
    }

    #[test]
    fn a_full_link_drops_and_another_is_not_touched() {
        let mut network = SimulatedNetwork::new(1);
        for _ in 0..LINK_CAPACITY + 5 {
            network.send(address(1), address(2), Bytes::new());
        }
        network.send(address(1), address(3), Bytes::new());
        assert_eq!(network.counts().overflowed, 5);
        assert_eq!(std::iter::from_fn(|| network.poll_deliver()).count(), LINK_CAPACITY + 1);
        network.send(address(1), address(2), Bytes::new());
        assert!(network.poll_deliver().is_some());
    }

    #[test]
    fn time_never_runs_backwards_and_nothing_arrives_early() {
        let mut network = SimulatedNetwork::new(1);
        network.set_impairment(Impairment { delay: 10 * MS, ..Impairment::NONE });
        network.advance_to(network.start() + 5 * MS);
        network.advance_to(network.start());
        assert_eq!(network.elapsed(), 5 * MS);
        network.send(address(1), address(2), Bytes::new());
        network.advance_to(network.start() + 14 * MS);
        assert_eq!(network.poll_deliver(), None);
        assert_eq!(network.next_event_at(), Some(network.start() + 15 * MS));
    }
}

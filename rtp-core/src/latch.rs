//! Where a leg's peer really is: symmetric RTP and RTCP (RFC 4961) for peers behind address translation, without following strangers.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::packet::RtpPacket;
use crate::sequence::{SequenceNumber, Ssrc};

/// Packets in sequence that another address must send before it is believed: MIN_SEQUENTIAL of RFC 3550 A.1. One packet shot at
/// a guessed port moves nothing.
const MIN_SEQUENTIAL: u8 = 2;

/// Whether a leg follows its peer to another address than the signalled one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LatchPolicy {
    /// Packets are taken from the signalled address alone. For peers that are known not to be translated: trunks, our own nodes.
    Strict,
    /// The peer may turn out to be elsewhere, once: two packets in sequence from another address move the leg there, as long as
    /// the signalled address has not been heard and no more than `window` has passed since the first packet came. If the
    /// signalled address is heard within the window, it takes the leg back. After that, the rest of the world is strangers.
    Once {
        /// From the first packet on, or from the last change of the signalled address.
        window: Duration,
    },
}

impl Default for LatchPolicy {
    /// Once, within 5 s: time for the first packets of a phone that opens its microphone late, and short for a stranger who scans
    /// 10 000 ports.
    fn default() -> Self {
        Self::Once { window: Duration::from_secs(5) }
    }
}

/// What is to be done with a packet, by where it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accept,
    /// Accept, and send to where it came from: the peer is there.
    Moved(SocketAddr),
    /// A stranger's, or not yet believed.
    Refuse,
}

#[derive(Debug, Clone)]
pub(crate) struct Latch {
    policy: LatchPolicy,
    signalled: Option<SocketAddr>,
    current: Option<SocketAddr>,
    candidate: Option<Candidate>,
    window_ends: Option<Instant>,
    settled: bool,
}

#[derive(Debug, Clone, Copy)]
struct Candidate {
    from: SocketAddr,
    ssrc: Ssrc,
    next: SequenceNumber,
    heard: u8,
}

impl Latch {
    pub(crate) fn new(policy: LatchPolicy, signalled: Option<SocketAddr>) -> Self {
        let settled = policy == LatchPolicy::Strict || signalled.is_some_and(|remote| !is_reachable(remote));
        Self { policy, signalled, current: signalled, candidate: None, window_ends: None, settled }
    }

    /// Where packets are sent to.
    pub(crate) fn remote(&self) -> Option<SocketAddr> {
        self.current
    }

    pub(crate) fn has_moved(&self) -> bool {
        self.current != self.signalled
    }

    /// Whether only one address will be listened to from here on, until the signalled one changes.
    pub(crate) fn is_settled(&mut self, now: Instant) -> bool {
        let closed = self.window_ends.is_some_and(|ends| ends <= now);
        if closed && self.current.is_some() {
            self.settled = true;
        }
        self.settled && self.current.is_some()
    }

    /// When the window closes, if that is to be acted on.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        if self.settled || self.current.is_none() { None } else { self.window_ends }
    }

    /// Takes in what was signalled anew; says whether packets go elsewhere from here on. A re-INVITE that repeats the address, or names the one
    /// that the peer was found at, changes nothing.
    pub(crate) fn set_signalled(&mut self, remote: SocketAddr) -> bool {
        if self.signalled == Some(remote) {
            return false;
        }
        self.signalled = Some(remote);
        if self.current == Some(remote) {
            return false;
        }
        *self = Self::new(self.policy, Some(remote));
        true
    }

    pub(crate) fn hear(&mut self, now: Instant, from: SocketAddr, packet: &RtpPacket<'_>) -> Verdict {
        let LatchPolicy::Once { window } = self.policy else {
            return if self.current == Some(from) { Verdict::Accept } else { Verdict::Refuse };
        };
        if self.settled {
            return if self.current == Some(from) { Verdict::Accept } else { Verdict::Refuse };
        }
        let ends = *self.window_ends.get_or_insert(now + window);
        if self.signalled == Some(from) {
            // Where it said it would be: there is nothing to find out any more.
            self.settled = true;
            self.candidate = None;
            return self.move_to(from);
        }
        if self.current == Some(from) {
            return Verdict::Accept;
        }
        if ends <= now && self.current.is_some() {
            self.settled = true;
            return Verdict::Refuse;
        }
        if self.has_moved() && self.current.is_some() {
            return Verdict::Refuse;
        }
        if self.believes(from, packet) { self.move_to(from) } else { Verdict::Refuse }
    }

    fn move_to(&mut self, from: SocketAddr) -> Verdict {
        if self.current == Some(from) {
            return Verdict::Accept;
        }
        self.current = Some(from);
        Verdict::Moved(from)
    }

    fn believes(&mut self, from: SocketAddr, packet: &RtpPacket<'_>) -> bool {
        let heard = match self.candidate {
            Some(candidate)
                if candidate.from == from && candidate.ssrc == packet.ssrc() && candidate.next == packet.sequence() =>
            {
                candidate.heard + 1
            }
            _ => 1,
        };
        self.candidate = Some(Candidate { from, ssrc: packet.ssrc(), next: packet.sequence().next(), heard });
        heard >= MIN_SEQUENTIAL
    }
}

/// Where the peer's RTCP is: on the port after its RTP (RFC 3550 §11), unless address translation has put it elsewhere.
#[derive(Debug, Clone)]
pub(crate) struct RtcpLatch {
    policy: LatchPolicy,
    rtp: Option<SocketAddr>,
    current: Option<SocketAddr>,
    settled: bool,
}

impl RtcpLatch {
    pub(crate) fn new(policy: LatchPolicy) -> Self {
        Self { policy, rtp: None, current: None, settled: false }
    }

    /// Takes in where the peer's RTP is; another address begins anew.
    pub(crate) fn follow(&mut self, rtp: Option<SocketAddr>) {
        if self.rtp == rtp {
            return;
        }
        let reachable = rtp.filter(|remote| is_reachable(*remote));
        let after = reachable.and_then(|mut address| {
            address.set_port(address.port().checked_add(1)?);
            Some(address)
        });
        *self = Self { rtp, current: after, ..Self::new(self.policy) };
    }

    /// Where RTCP is sent to.
    pub(crate) fn remote(&self) -> Option<SocketAddr> {
        self.current
    }

    /// Whether what comes from an address is the peer's. It may come from another port than expected, once, when it comes from the host
    /// that the RTP comes from, nothing good came from where it was expected, and `speaks_for_the_stream`: that is a stronger sign than two packets in sequence, so there is no window.
    pub(crate) fn hear(&mut self, from: SocketAddr, speaks_for_the_stream: impl FnOnce() -> bool) -> bool {
        if self.current == Some(from) {
            return true;
        }
        let may_move = self.policy != LatchPolicy::Strict && !self.settled;
        if !may_move || self.rtp.is_none_or(|rtp| rtp.ip() != from.ip()) || !speaks_for_the_stream() {
            return false;
        }
        self.current = Some(from);
        true
    }

    /// Takes in that what came was the peer's indeed: from here on it comes from nowhere else.
    pub(crate) fn settle(&mut self) {
        self.settled = true;
    }
}

/// Whether packets can be sent to an address: a port of 0, or 0.0.0.0 as RFC 2543 put a call on hold, asks for silence.
pub(crate) fn is_reachable(remote: SocketAddr) -> bool {
    remote.port() != 0 && !remote.ip().is_unspecified()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::RtpHeader;
    use proptest::prelude::*;

    const SIGNALLED: &str = "10.0.0.1:4000";
    const REAL: &str = "192.0.2.7:61000";
    const STRANGER: &str = "203.0.113.9:5000";

    struct Bench {
        latch: Latch,
        start: Instant,
    }

    impl Bench {
        #[expect(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
        fn new(policy: LatchPolicy, signalled: Option<&str>) -> Self {
            let signalled = signalled.map(|address| address.parse().unwrap());
            Self { latch: Latch::new(policy, signalled), start: Instant::now() }
        }

        fn hear(&mut self, at_ms: u64, from: &str, sequence: u16) -> Verdict {
            let mut bytes = Vec::new();
            RtpHeader { sequence: SequenceNumber(sequence), ..RtpHeader::default() }.write(&mut bytes);
            let now = self.start + Duration::from_millis(at_ms);
            self.latch.hear(now, from.parse().unwrap(), &RtpPacket::parse(&bytes).unwrap())
        }

        fn remote(&self) -> String {
            self.latch.remote().map_or_else(String::new, |remote| remote.to_string())
        }
    }

    fn moved(to: &str) -> Verdict {
        Verdict::Moved(to.parse().unwrap())
    }

    #[test]
    fn the_signalled_address_settles_it_at_the_first_packet() {
        let mut bench = Bench::new(LatchPolicy::default(), Some(SIGNALLED));
        assert!(!bench.latch.is_settled(bench.start));
        assert_eq!(bench.hear(0, SIGNALLED, 1), Verdict::Accept);
        assert!(bench.latch.is_settled(bench.start));
        assert_eq!(bench.hear(1, REAL, 1), Verdict::Refuse);
        assert_eq!(bench.hear(2, REAL, 2), Verdict::Refuse);
    }

    #[test]
    fn two_packets_in_sequence_from_elsewhere_move_it_once() {
        let mut bench = Bench::new(LatchPolicy::default(), Some(SIGNALLED));
        assert_eq!(bench.hear(0, REAL, 1), Verdict::Refuse);
        assert_eq!(bench.remote(), SIGNALLED);
        assert_eq!(bench.hear(20, REAL, 2), moved(REAL));
        assert_eq!(bench.hear(40, STRANGER, 3), Verdict::Refuse);
        assert_eq!(bench.hear(60, STRANGER, 4), Verdict::Refuse);
        assert_eq!(bench.hear(60, REAL, 3), Verdict::Accept);
        assert_eq!(bench.remote(), REAL);
    }

    #[test]
    fn packets_that_do_not_follow_each_other_move_nothing() {
        let mut bench = Bench::new(LatchPolicy::default(), Some(SIGNALLED));
        for (step, sequence) in [1, 9, 5, 5].into_iter().enumerate() {
            assert_eq!(bench.hear(step as u64, STRANGER, sequence), Verdict::Refuse);
        }
        assert_eq!(bench.hear(5, REAL, 6), Verdict::Refuse);
    }

    #[test]
    fn within_the_window_the_signalled_address_takes_the_leg_back() {
        let mut bench = Bench::new(LatchPolicy::default(), Some(SIGNALLED));
        bench.hear(0, STRANGER, 1);
        assert_eq!(bench.hear(20, STRANGER, 2), moved(STRANGER));
        assert_eq!(bench.hear(40, SIGNALLED, 70), moved(SIGNALLED));
        assert_eq!(bench.hear(60, STRANGER, 3), Verdict::Refuse);
    }

    #[test]
    fn after_the_window_it_stays_where_it_is() {
        let mut bench = Bench::new(LatchPolicy::default(), Some(SIGNALLED));
        bench.hear(0, REAL, 1);
        bench.hear(20, REAL, 2);
        let ends = bench.start + Duration::from_secs(5);
        assert_eq!(bench.latch.poll_timeout(), Some(ends));
        assert!(!bench.latch.is_settled(ends - Duration::from_millis(1)));
        assert!(bench.latch.is_settled(ends));
        assert_eq!(bench.hear(5_001, SIGNALLED, 1), Verdict::Refuse);
        assert_eq!(bench.hear(5_002, REAL, 3), Verdict::Accept);
        assert_eq!(bench.latch.poll_timeout(), None);
    }

    #[test]
    fn a_strict_leg_hears_nobody_else() {
        let mut bench = Bench::new(LatchPolicy::Strict, Some(SIGNALLED));
        assert!(bench.latch.is_settled(bench.start));
        assert_eq!(bench.hear(0, REAL, 1), Verdict::Refuse);
        assert_eq!(bench.hear(20, REAL, 2), Verdict::Refuse);
        assert_eq!(bench.hear(20, SIGNALLED, 2), Verdict::Accept);
    }

    #[test]
    fn without_a_signalled_address_the_first_two_packets_decide_whenever_they_come() {
        let mut bench = Bench::new(LatchPolicy::default(), None);
        assert_eq!(bench.hear(0, STRANGER, 1), Verdict::Refuse);
        assert_eq!(bench.hear(9_000, REAL, 1), Verdict::Refuse);
        assert_eq!(bench.hear(9_020, REAL, 2), moved(REAL));
        assert_eq!(bench.hear(9_040, STRANGER, 2), Verdict::Refuse);
    }

    #[test]
    fn an_address_that_asks_for_silence_is_not_looked_for_elsewhere() {
        let mut bench = Bench::new(LatchPolicy::default(), Some("0.0.0.0:4000"));
        assert_eq!(bench.hear(0, REAL, 1), Verdict::Refuse);
        assert_eq!(bench.hear(20, REAL, 2), Verdict::Refuse);
    }

    #[test]
    fn repeating_the_signalled_address_keeps_the_found_one() {
        let mut bench = Bench::new(LatchPolicy::default(), Some(SIGNALLED));
        bench.hear(0, REAL, 1);
        bench.hear(20, REAL, 2);
        assert!(!bench.latch.set_signalled(SIGNALLED.parse().unwrap()));
        assert_eq!(bench.remote(), REAL);
        assert!(!bench.latch.set_signalled(REAL.parse().unwrap()));
        assert_eq!(bench.remote(), REAL);
        assert!(bench.latch.set_signalled(STRANGER.parse().unwrap()));
        assert_eq!(bench.remote(), STRANGER);
        // A new address, a new window.
        bench.hear(90_000, REAL, 3);
        assert_eq!(bench.hear(90_020, REAL, 4), moved(REAL));
    }

    #[test]
    fn rtcp_is_expected_on_the_port_after_and_follows_its_stream_to_another_once() {
        let mut latch = RtcpLatch::new(LatchPolicy::default());
        let at = |address: &str| address.parse::<SocketAddr>().unwrap();
        assert!(latch.remote().is_none() && !latch.hear(at("192.0.2.7:61001"), || true));
        latch.follow(Some(at("192.0.2.7:61000")));
        assert_eq!(latch.remote(), Some(at("192.0.2.7:61001")));
        // Another host, and one that does not speak for the stream.
        assert!(!latch.hear(at("203.0.113.9:61001"), || true));
        assert!(!latch.hear(at("192.0.2.7:7000"), || false));
        assert!(latch.hear(at("192.0.2.7:7000"), || true));
        assert_eq!(latch.remote(), Some(at("192.0.2.7:7000")));
        latch.settle();
        assert!(!latch.hear(at("192.0.2.7:61001"), || true), "once");
        // The same again changes nothing; where the RTP goes, it begins anew.
        latch.follow(Some(at("192.0.2.7:61000")));
        assert_eq!(latch.remote(), Some(at("192.0.2.7:7000")));
        latch.follow(Some(at("192.0.2.7:62000")));
        assert!(latch.hear(at("192.0.2.7:62001"), || false), "where it was expected, nothing is asked");
        latch.settle();
        assert!(!latch.hear(at("192.0.2.7:7000"), || true));
        for nowhere in ["192.0.2.7:65535", "0.0.0.0:4000", "192.0.2.7:0"] {
            latch.follow(Some(at(nowhere)));
            assert_eq!(latch.remote(), None);
        }
    }

    #[test]
    fn strict_rtcp_stays_where_it_is_expected() {
        let mut latch = RtcpLatch::new(LatchPolicy::Strict);
        latch.follow(Some("192.0.2.7:61000".parse().unwrap()));
        assert!(!latch.hear("192.0.2.7:7000".parse().unwrap(), || true));
        assert!(latch.hear("192.0.2.7:61001".parse().unwrap(), || false));
    }

    proptest! {
        #[test]
        fn reports_go_to_no_host_but_that_of_the_rtp_and_settled_ones_stay(
            steps in proptest::collection::vec((0u8..3, 1u16..6, any::<bool>(), 0u8..4), 0..60),
        ) {
            let mut latch = RtcpLatch::new(LatchPolicy::default());
            let (mut rtp, mut settled) = (None, None);
            for (host, port, speaks, step) in steps {
                let from = SocketAddr::from(([192, 0, 2, host + 1], port));
                if step == 0 {
                    if rtp != Some(from) {
                        settled = None;
                    }
                    rtp = Some(from);
                    latch.follow(rtp);
                } else if latch.hear(from, || speaks) && step == 1 {
                    latch.settle();
                    settled = Some(from);
                }
                prop_assert_eq!(latch.remote().map(|at| at.ip()), rtp.map(|at| at.ip()));
                prop_assert!(settled.is_none() || latch.remote() == settled);
            }
        }
    }
}

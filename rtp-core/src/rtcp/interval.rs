//! When the next report goes (RFC 3550 §6.3, A.7), for a session of two.

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, RngExt};

/// Seconds between reports at least, on average and before the compensation; half of it before the first one (§6.2).
const MIN_TIME: f64 = 5.0;
/// The share of the session's bandwidth that is RTCP's (§6.2; RFC 3551 §2).
const RTCP_SHARE: f64 = 0.05;
/// The share of that which is set aside for senders (§6.2).
const SENDER_SHARE: f64 = 0.25;
/// e - 3/2: timer reconsideration sends less often than intended, by this (§6.3.1).
const COMPENSATION: f64 = std::f64::consts::E - 1.5;
/// Bytes of IPv4 and UDP headers, which count (§6.2).
const LOWER_LAYERS: usize = 28;

/// Who there is, as far as the interval is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Membership {
    pub(super) members: u32,
    pub(super) senders: u32,
    pub(super) we_sent: bool,
}

/// The transmission timer, with timer reconsideration. The peer's leaving does not hurry it: with two members the least interval
/// decides anyway (§6.3 lets two-party sessions leave that out).
#[derive(Debug)]
pub(super) struct Schedule {
    /// Bytes a second.
    rtcp_bandwidth: f64,
    /// Bytes, lower layers included.
    average_size: f64,
    initial: bool,
    /// `tp` and `tn` of §6.3.
    previous: Instant,
    next: Instant,
    rng: StdRng,
}

impl Schedule {
    pub(super) fn new(now: Instant, session_bandwidth: u32, probable_size: usize, rng: StdRng) -> Self {
        let mut schedule = Self {
            rtcp_bandwidth: (f64::from(session_bandwidth) / 8.0 * RTCP_SHARE).max(1.0),
            average_size: bytes(probable_size),
            initial: true,
            previous: now,
            next: now,
            rng,
        };
        schedule.next = now + schedule.interval(Membership { members: 1, senders: 0, we_sent: false });
        schedule
    }

    pub(super) fn next(&self) -> Instant {
        self.next
    }

    pub(super) fn rng(&mut self) -> &mut impl Rng {
        &mut self.rng
    }

    /// Whether a report is due at `now`; if it is not, the timer may have been put off (§6.3.6).
    pub(super) fn expire(&mut self, now: Instant, who: Membership) -> bool {
        if now < self.next {
            return false;
        }
        let at = self.previous + self.interval(who);
        if at > now {
            self.next = at;
            return false;
        }
        self.initial = false;
        self.previous = now;
        self.next = now + self.interval(who);
        true
    }

    /// Takes in the size of a compound packet that was sent or received (§6.3.3, §6.3.6).
    pub(super) fn passed(&mut self, len: usize) {
        self.average_size += (bytes(len) - self.average_size) / 16.0;
    }

    /// `Td`, the deterministic interval (§6.3.1).
    pub(super) fn deterministic(&self, who: Membership) -> Duration {
        let least = if self.initial { MIN_TIME / 2.0 } else { MIN_TIME };
        let (members, senders) = (f64::from(who.members), f64::from(who.senders));
        let (sharing, share) = if senders > members * SENDER_SHARE {
            (members, 1.0)
        } else if who.we_sent {
            (senders, SENDER_SHARE)
        } else {
            (members - senders, 1.0 - SENDER_SHARE)
        };
        let by_bandwidth = self.average_size * sharing / (self.rtcp_bandwidth * share);
        Duration::from_secs_f64(by_bandwidth.clamp(least, LONGEST))
    }

    fn interval(&mut self, who: Membership) -> Duration {
        let deterministic = self.deterministic(who);
        deterministic.mul_f64(self.rng.random_range(0.5..1.5) / COMPENSATION)
    }
}

/// No interval is longer, in seconds, however little bandwidth was configured.
const LONGEST: f64 = 3_600.0;

fn bytes(len: usize) -> f64 {
    f64::from(u32::try_from(len + LOWER_LAYERS).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    const BOTH_SEND: Membership = Membership { members: 2, senders: 2, we_sent: true };

    #[expect(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
    fn schedule(bandwidth: u32, seed: u64) -> (Instant, Schedule) {
        let start = Instant::now();
        (start, Schedule::new(start, bandwidth, 76, StdRng::seed_from_u64(seed)))
    }

    #[test]
    fn the_first_report_goes_after_half_the_least_interval_and_the_others_after_all_of_it() {
        let (mut firsts, mut others) = (Vec::new(), Vec::new());
        for seed in 0..200 {
            let (start, mut schedule) = schedule(160_000, seed);
            let mut sent = Vec::new();
            while sent.len() < 5 {
                let at = schedule.next();
                if schedule.expire(at, BOTH_SEND) {
                    sent.push(at);
                }
            }
            firsts.push((sent[0] - start).as_secs_f64());
            others.extend(sent.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()));
        }
        let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
        assert!(firsts.iter().all(|s| (1.02..3.08).contains(s)), "{firsts:?}");
        assert!(others.iter().all(|s| (2.05..6.16).contains(s)), "{others:?}");
        // What the compensation is for: on average it is the interval that was meant.
        assert!((4.6..5.1).contains(&mean(&others)), "{}", mean(&others));
        assert!((2.2..2.6).contains(&mean(&firsts)), "{}", mean(&firsts));
    }

    #[test]
    fn a_narrow_session_reports_more_seldom() {
        // 5 % of 8 kbit/s is 50 bytes a second, for two of 104 bytes each.
        let (_, schedule) = schedule(8_000, 1);
        assert_eq!(schedule.deterministic(BOTH_SEND), Duration::from_millis(4_160));
        let listeners = Membership { members: 2, senders: 0, we_sent: false };
        // Three quarters of it for two receivers.
        assert_eq!(schedule.deterministic(listeners).as_millis(), 5_546);
        let alone = Membership { members: 8, senders: 1, we_sent: true };
        // A quarter of it for one sender among many.
        assert_eq!(schedule.deterministic(alone), Duration::from_millis(8_320));
    }

    #[test]
    fn too_early_nothing_is_due() {
        let (start, mut schedule) = schedule(160_000, 1);
        assert!(!schedule.expire(start, BOTH_SEND));
        assert!(!schedule.expire(schedule.next() - Duration::from_millis(1), BOTH_SEND));
    }
}

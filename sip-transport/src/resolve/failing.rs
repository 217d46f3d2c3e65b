//! Targets that have not answered of late.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::Transport;

/// For how long a target that has failed once is tried last. Somewhat more than a transaction lives (RFC 3261 table 4: 64 × T1 is 32 s), or else
/// the one after it would find it forgotten.
const FIRST: Duration = Duration::from_secs(60);

/// The most that repeated failures, or a Retry-After, put a target last.
const LONGEST: Duration = Duration::from_secs(600);

/// Remembers which targets have failed, by the definition of RFC 3263 §4.3, so that the next requests try them last. None is left out: when all
/// have failed, they are tried in their order.
///
/// A target that fails again while it is remembered is put last for twice as long, up to ten minutes; after as long again without failure all
/// of that is forgotten, and at once when it answers. Only targets that came from a name are for this list: the flow of a registered phone
/// (RFC 5626) has no other way to be tried instead.
#[derive(Debug)]
pub struct FailingTargets {
    capacity: usize,
    failing: HashMap<(Transport, SocketAddr), Failing>,
}

#[derive(Clone, Copy, Debug)]
struct Failing {
    until: Instant,
    /// For how long the last failure counts.
    penalty: Duration,
}

impl Failing {
    fn forgotten_at(self) -> Instant {
        self.until + self.penalty
    }
}

impl FailingTargets {
    /// Remembers at most `capacity` targets at a time; of more, those are forgotten that would be first.
    pub fn new(capacity: usize) -> Self {
        Self { capacity, failing: HashMap::new() }
    }

    /// Notes that a target has failed. `retry_after` is what its 503 says (RFC 3261 §21.5.4), where it says anything.
    pub fn note_failure(
        &mut self,
        now: Instant,
        transport: Transport,
        address: SocketAddr,
        retry_after: Option<Duration>,
    ) {
        let before = self.failing.get(&(transport, address)).filter(|failing| failing.forgotten_at() > now);
        let penalty =
            before.map_or(FIRST, |failing| if failing.until > now { failing.penalty } else { failing.penalty * 2 });
        let penalty = retry_after.unwrap_or(penalty).clamp(Duration::ZERO, LONGEST);
        let until = before.map_or(now + penalty, |failing| failing.until.max(now + penalty));
        if before.is_none() && self.failing.len() >= self.capacity {
            self.make_room(now);
        }
        if self.capacity > 0 {
            self.failing.insert((transport, address), Failing { until, penalty });
        }
    }

    /// Notes that a target has answered.
    pub fn note_answer(&mut self, transport: Transport, address: SocketAddr) {
        if !self.failing.is_empty() {
            self.failing.remove(&(transport, address));
        }
    }

    /// Whether a target is to be tried last.
    pub fn is_failing(&self, now: Instant, transport: Transport, address: SocketAddr) -> bool {
        self.failing.get(&(transport, address)).is_some_and(|failing| failing.until > now)
    }

    /// Puts those last that fail, and leaves the order among the others, and among them, as it is.
    pub fn put_last<T>(&self, now: Instant, targets: &mut [T], which: impl Fn(&T) -> (Transport, SocketAddr)) {
        if !self.failing.is_empty() {
            targets.sort_by_key(|target| {
                let (transport, address) = which(target);
                self.is_failing(now, transport, address)
            });
        }
    }

    /// How many are remembered.
    pub fn len(&self) -> usize {
        self.failing.len()
    }

    /// Whether none is remembered.
    pub fn is_empty(&self) -> bool {
        self.failing.is_empty()
    }

    fn make_room(&mut self, now: Instant) {
        self.failing.retain(|_, failing| failing.forgotten_at() > now);
        if self.failing.len() >= self.capacity
            && let Some(first) =
                self.failing.iter().min_by_key(|(_, failing)| failing.forgotten_at()).map(|(key, _)| *key)
        {
            self.failing.remove(&first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UDP: Transport = Transport::Udp;

    fn target(last: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], 5060))
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn order(failing: &FailingTargets, now: Instant) -> Vec<u8> {
        let mut targets = [1, 2, 3];
        failing.put_last(now, &mut targets, |last| (UDP, target(*last)));
        targets.to_vec()
    }

    #[test]
    fn what_has_failed_is_tried_last_for_a_minute() {
        let (start, mut failing) = (Instant::now(), FailingTargets::new(8));
        failing.note_failure(start, UDP, target(1), None);
        assert_eq!(order(&failing, start + seconds(59)), [2, 3, 1]);
        assert_eq!(order(&failing, start + seconds(60)), [1, 2, 3]);
        failing.note_failure(start + seconds(1), Transport::Tcp, target(2), None);
        assert_eq!(
            order(&failing, start + seconds(2)),
            [2, 3, 1],
            "another transport of the same address is another target"
        );
    }

    #[test]
    fn when_all_have_failed_they_are_tried_in_their_order() {
        let (start, mut failing) = (Instant::now(), FailingTargets::new(8));
        (1..=3).rev().for_each(|last| failing.note_failure(start, UDP, target(last), None));
        assert_eq!(order(&failing, start), [1, 2, 3]);
    }

    #[test]
    fn failing_again_doubles_the_time_and_a_time_without_failure_forgets() {
        let (start, mut failing) = (Instant::now(), FailingTargets::new(8));
        let mut now = start;
        let mut lasted = Vec::new();
        for _ in 0..6 {
            failing.note_failure(now, UDP, target(1), None);
            let end = (1..=700).find(|after| !failing.is_failing(now + seconds(*after), UDP, target(1))).unwrap();
            lasted.push(end);
            now += seconds(end);
        }
        assert_eq!(lasted, [60, 120, 240, 480, 600, 600]);
        now += seconds(600);
        failing.note_failure(now, UDP, target(1), None);
        assert!(!failing.is_failing(now + seconds(60), UDP, target(1)), "ten minutes later it begins anew");
    }

    #[test]
    fn failures_at_the_same_time_count_once() {
        let (start, mut failing) = (Instant::now(), FailingTargets::new(8));
        (0..100).for_each(|_| failing.note_failure(start + seconds(1), UDP, target(1), None));
        assert!(!failing.is_failing(start + seconds(61), UDP, target(1)));
    }

    #[test]
    fn rfc_3261_section_21_5_4_a_503_says_for_how_long() {
        let (start, mut failing) = (Instant::now(), FailingTargets::new(8));
        failing.note_failure(start, UDP, target(1), Some(seconds(5)));
        failing.note_failure(start, UDP, target(2), Some(seconds(86_400)));
        assert_eq!(order(&failing, start + seconds(5)), [1, 3, 2]);
        assert_eq!(order(&failing, start + seconds(600)), [1, 2, 3], "and no longer than ten minutes");
    }

    #[test]
    fn what_answers_is_forgotten_at_once() {
        let (start, mut failing) = (Instant::now(), FailingTargets::new(8));
        failing.note_failure(start, UDP, target(1), None);
        failing.note_answer(UDP, target(1));
        assert!(failing.is_empty() && order(&failing, start) == [1, 2, 3]);
    }

    #[test]
    fn memory_is_bounded_and_the_latest_are_kept() {
        let (start, mut failing) = (Instant::now(), FailingTargets::new(4));
        for last in 0..=200 {
            failing.note_failure(start + seconds(u64::from(last)), UDP, target(last), None);
            assert!(failing.len() <= 4);
        }
        assert!((197..=200).all(|last| failing.is_failing(start + seconds(200), UDP, target(last))));
        let mut none = FailingTargets::new(0);
        none.note_failure(start, UDP, target(1), None);
        assert!(none.is_empty());
    }
}

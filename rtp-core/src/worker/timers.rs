//! The timers of a worker: one ordered structure for processors, telephone events, latches and delayed packets.

use std::collections::BTreeSet;
use std::time::Instant;

/// What a timer is for, by the slab key of its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    Leg(usize),
    DelayedPacket(usize),
}

/// Timers in the order in which they are due. Each owner has one at most, and cancels it when it is no longer wanted: there are never more
/// timers than owners.
#[derive(Debug, Default)]
pub(super) struct Timers {
    due: BTreeSet<(Instant, Timer)>,
}

impl Timers {
    pub(super) fn set(&mut self, at: Instant, timer: Timer) {
        self.due.insert((at, timer));
    }

    pub(super) fn cancel(&mut self, at: Instant, timer: Timer) {
        self.due.remove(&(at, timer));
    }

    pub(super) fn next_at(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// The next timer that is due at `now`.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        if self.next_at()? > now {
            return None;
        }
        self.due.pop_first().map(|(_, timer)| timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn timers_come_in_the_order_in_which_they_are_due() {
        let (start, mut timers) = (Instant::now(), Timers::default());
        let at = |ms| start + Duration::from_millis(ms);
        for (ms, key) in [(30, 1), (10, 2), (20, 3), (10, 4)] {
            timers.set(at(ms), Timer::Leg(key));
        }
        assert_eq!(timers.next_at(), Some(at(10)));
        assert_eq!(timers.pop_due(at(9)), None);
        timers.set(at(5), Timer::DelayedPacket(9));
        timers.cancel(at(5), Timer::DelayedPacket(9));
        let due: Vec<_> = std::iter::from_fn(|| timers.pop_due(at(20))).collect();
        assert_eq!(due, [Timer::Leg(2), Timer::Leg(4), Timer::Leg(3)]);
        assert_eq!(timers.next_at(), Some(at(30)));
    }
}

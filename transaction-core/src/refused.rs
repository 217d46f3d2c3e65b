//! What was answered 503 without a transaction and may come again: without I/O.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

/// Requests that are remembered at most. At 10,000 refusals in a second the last 1.6 s of them, in which the resends come that were on their way
/// already when the refusal was sent: 0.7 MB once a shard has been so far behind, and nothing before.
const MOST: usize = 16_384;

/// The requests that were refused, by a keyed hash of what they have in common with their resends; the oldest makes room.
#[derive(Debug)]
pub(crate) struct Refused {
    /// How long a peer may go on to send a request again.
    life: Duration,
    /// In the order in which they are forgotten.
    order: VecDeque<(Instant, u64)>,
    keys: HashSet<u64>,
}

impl Refused {
    pub(crate) fn new(life: Duration) -> Self {
        Self { life, order: VecDeque::new(), keys: HashSet::new() }
    }

    /// Remembers a request from now on; one that is remembered already is not remembered for longer.
    pub(crate) fn insert(&mut self, now: Instant, key: u64) {
        self.forget_old(now);
        if !self.keys.insert(key) {
            return;
        }
        if self.order.len() >= MOST
            && let Some((_, oldest)) = self.order.pop_front()
        {
            self.keys.remove(&oldest);
        }
        self.order.push_back((now, key));
    }

    /// Whether nothing is remembered.
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether this request is remembered.
    pub(crate) fn contains(&mut self, now: Instant, key: u64) -> bool {
        self.forget_old(now);
        self.keys.contains(&key)
    }

    /// How many are remembered.
    pub(crate) fn count(&mut self, now: Instant) -> usize {
        self.forget_old(now);
        self.keys.len()
    }

    fn forget_old(&mut self, now: Instant) {
        while let Some((_, oldest)) = self.order.pop_front_if(|(since, _)| *since + self.life <= now) {
            self.keys.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use blether_testkit::SimulatedNetwork;

    use super::*;

    const LIFE: Duration = Duration::from_secs(32);

    #[test]
    fn what_was_refused_is_remembered_for_its_life_and_no_longer_however_often_it_comes() {
        let start = SimulatedNetwork::new(0).start();
        let mut refused = Refused::new(LIFE);
        refused.insert(start, 1);
        refused.insert(start + LIFE / 2, 1);
        assert!(refused.contains(start + LIFE - Duration::from_millis(1), 1));
        assert!(!refused.contains(start, 2));
        assert_eq!((refused.count(start + LIFE / 2), refused.count(start + LIFE)), (1, 0));
        assert!(!refused.contains(start + LIFE, 1) && refused.is_empty());
    }

    #[test]
    fn the_oldest_makes_room() {
        let start = SimulatedNetwork::new(0).start();
        let mut refused = Refused::new(LIFE);
        for key in 0..3 * MOST as u64 {
            refused.insert(start, key);
        }
        assert_eq!((refused.order.len(), refused.keys.len()), (MOST, MOST));
        assert!(!refused.contains(start, 2 * MOST as u64 - 1));
        assert!(refused.contains(start, 2 * MOST as u64) && refused.contains(start, 3 * MOST as u64 - 1));
    }
}

//! A bad network, made on purpose.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::error::ImpairmentError;

/// What a leg does to the packets that it sends, so that a bad network can be shown and tested: each packet is lost with a
/// probability, and those that are not are delayed, each by its own time, so that they overtake each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Impairment {
    loss: f64,
    jitter: Duration,
    seed: u64,
}

impl Impairment {
    /// The longest delay: a packet that is later than a second is lost to a conversation.
    pub const MAX_JITTER: Duration = Duration::from_secs(1);

    /// Loses the share `loss` of the packets (0 to 1), and delays each by 0 to `jitter`, evenly distributed. The same `seed`
    /// does the same to the same stream.
    ///
    /// # Errors
    /// [`ImpairmentError`] when `loss` is not 0 to 1, or `jitter` is over [`MAX_JITTER`](Self::MAX_JITTER).
    pub fn new(loss: f64, jitter: Duration, seed: u64) -> Result<Self, ImpairmentError> {
        if !(0.0..=1.0).contains(&loss) {
            return Err(ImpairmentError::Loss(loss));
        }
        if jitter > Self::MAX_JITTER {
            return Err(ImpairmentError::Jitter { jitter, limit: Self::MAX_JITTER });
        }
        Ok(Self { loss, jitter, seed })
    }

    /// The same network, losing and delaying other packets.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The share of the packets that is lost, 0 to 1.
    #[must_use]
    pub fn loss(&self) -> f64 {
        self.loss
    }

    /// The longest delay.
    #[must_use]
    pub fn jitter(&self) -> Duration {
        self.jitter
    }
}

/// What befalls one packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Lost,
    Delayed(Duration),
}

#[derive(Debug)]
pub(crate) struct Impairer {
    impairment: Impairment,
    rng: StdRng,
}

impl Impairer {
    pub(crate) fn new(impairment: Impairment) -> Self {
        Self { impairment, rng: StdRng::seed_from_u64(impairment.seed) }
    }

    pub(crate) fn fate(&mut self) -> Fate {
        if self.rng.random_bool(self.impairment.loss) {
            Fate::Lost
        } else {
            Fate::Delayed(self.rng.random_range(Duration::ZERO..=self.impairment.jitter))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_lost_and_the_rest_delayed_within_the_bound() {
        let jitter = Duration::from_millis(60);
        let mut impairer = Impairer::new(Impairment::new(0.2, jitter, 1).unwrap());
        let fates: Vec<_> = (0..10_000).map(|_| impairer.fate()).collect();
        let lost = fates.iter().filter(|fate| **fate == Fate::Lost).count();
        assert!((1_800..2_200).contains(&lost), "{lost}");
        assert!(fates.iter().all(|fate| !matches!(fate, Fate::Delayed(by) if *by > jitter)));
    }

    #[test]
    fn the_same_seed_does_the_same() {
        let fates = |seed| {
            let mut impairer = Impairer::new(Impairment::new(0.5, Duration::from_millis(9), seed).unwrap());
            (0..50).map(|_| impairer.fate()).collect::<Vec<_>>()
        };
        assert_eq!(fates(3), fates(3));
        assert_ne!(fates(3), fates(4));
    }

    #[test]
    fn what_is_no_share_and_what_is_too_long_is_refused() {
        for loss in [-0.1, 1.1, f64::NAN] {
            assert!(matches!(Impairment::new(loss, Duration::ZERO, 0), Err(ImpairmentError::Loss(_))));
        }
        assert!(matches!(Impairment::new(0.0, Duration::from_secs(2), 0), Err(ImpairmentError::Jitter { .. })));
    }
}

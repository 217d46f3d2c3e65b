//! T1, T2 and T4, and what is derived from them (RFC 3261 §17.1.1.1, table 4).

use std::time::{Duration, Instant};

/// The three times from which every timer of a transaction follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// T1, the estimate of a round trip. Default: 500 ms.
    pub t1: Duration,
    /// T2, the longest wait between resends of a non-INVITE request and of a response to INVITE. Default: 4 s.
    pub t2: Duration,
    /// T4, how long a message may stay in the network. Default: 5 s.
    pub t4: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { t1: Duration::from_millis(500), t2: Duration::from_secs(4), t4: Duration::from_secs(5) }
    }
}

impl Timing {
    /// 64 × T1, by which Timers B, F, H, J (unreliable), L and M run: 32 s by default.
    pub fn sixty_four_t1(self) -> Duration {
        self.t1.saturating_mul(64)
    }

    /// Timer D on an unreliable transport: at least 32 s, whatever T1 is (RFC 3261 §17.1.1.2).
    pub fn timer_d(self) -> Duration {
        self.sixty_four_t1().max(Duration::from_secs(32))
    }
}

/// The timers of RFC 3261 table 4, with L and M of RFC 6026.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the letters are the RFC's names")]
pub enum Timer {
    A,
    B,
    C,
    D,
    E,
    F,
    G,
    H,
    I,
    J,
    K,
    L,
    M,
}

/// Whether the transport resends by itself what is lost (RFC 3261 §17).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reliability {
    /// TCP and what is built on it: transactions resend nothing.
    Reliable,
    /// UDP: transactions resend.
    Unreliable,
}

/// A resend that is due, and how long to wait for the one after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backoff {
    pub(crate) due: Instant,
    wait: Duration,
    longest: Duration,
}

impl Backoff {
    /// First due after `wait`; waits double up to `longest`.
    pub(crate) fn new(now: Instant, wait: Duration, longest: Duration) -> Self {
        Self { due: now + wait, wait, longest }
    }

    /// The next one. It counts from `now`, not from when this one was due, so a stalled process sends no burst.
    pub(crate) fn next(self, now: Instant) -> Self {
        // Never at once again, whatever T1 and T2 are: a timer that is due as it is set fires without end.
        let wait = self.wait.saturating_mul(2).min(self.longest).max(Duration::from_millis(1));
        Self { due: now + wait, wait, ..self }
    }

    /// As [`Self::next`], but the wait is the longest at once (Timer E in Proceeding, RFC 3261 §17.1.2.2).
    pub(crate) fn next_longest(self, now: Instant) -> Self {
        Self { wait: self.longest, ..self }.next(now)
    }
}

//! How long packets are under way, against each other: the jitter, and the fastest way through the network.

use std::time::{Duration, Instant};

use crate::sequence::{RtpTimestamp, duration_of};

/// How often the fastest way is measured anew, so that the drift of the two ends' clocks does not add up.
const WINDOW: Duration = Duration::from_secs(5);
/// Packets before the jitter means something: the time constant of its average.
const SETTLED: u32 = 16;

/// When a packet arrived, and the timestamp that it bore.
type Passage = (Instant, RtpTimestamp);

#[derive(Debug)]
pub(super) struct Transit {
    clock_rate: u32,
    /// No single packet counts for more than this; a timestamp that jumps is no jitter.
    most: Duration,
    jitter: Duration,
    measured: u32,
    last: Option<Passage>,
    /// The fastest packet of this window and of the one before it.
    fastest: Option<Passage>,
    fastest_before: Option<Passage>,
    window_ends: Option<Instant>,
}

impl Transit {
    pub(super) fn new(clock_rate: u32, most: Duration) -> Self {
        Self {
            clock_rate,
            most,
            jitter: Duration::ZERO,
            measured: 0,
            last: None,
            fastest: None,
            fastest_before: None,
            window_ends: None,
        }
    }

    pub(super) fn measure(&mut self, now: Instant, timestamp: RtpTimestamp) {
        let passage = (now, timestamp);
        if let Some(last) = self.last {
            let difference = Duration::from_nanos(self.lead(passage, last).unsigned_abs()).min(self.most);
            self.jitter = self.jitter - self.jitter / 16 + difference / 16;
            self.measured = self.measured.saturating_add(1);
        }
        self.last = Some(passage);
        if self.window_ends.is_none_or(|ends| ends <= now) {
            self.fastest_before = self.fastest.take();
            self.window_ends = Some(now + WINDOW);
        }
        if self.fastest.is_none_or(|fastest| self.lead(passage, fastest) < 0) {
            self.fastest = Some(passage);
        }
    }

    /// The average deviation of the spacing (RFC 3550 A.8), once enough packets have come.
    pub(super) fn jitter(&self) -> Option<Duration> {
        (self.measured >= SETTLED).then_some(self.jitter)
    }

    /// How much later than on the fastest way the sound of `timestamp` is played at `due`.
    pub(super) fn delay_of(&self, due: Instant, timestamp: RtpTimestamp) -> Duration {
        let delay = [self.fastest, self.fastest_before]
            .into_iter()
            .flatten()
            .map(|fastest| self.lead((due, timestamp), fastest))
            .max()
            .unwrap_or(0);
        Duration::from_nanos(u64::try_from(delay).unwrap_or(0))
    }

    /// Forgets the fastest way, since another talkspurt may count its timestamps from elsewhere.
    pub(super) fn begin_talkspurt(&mut self) {
        (self.fastest, self.fastest_before, self.window_ends) = (None, None, None);
    }

    /// Offers a packet that was measured before the talkspurt began.
    pub(super) fn offer(&mut self, now: Instant, passage: Passage) {
        self.window_ends.get_or_insert(now + WINDOW);
        if self.fastest.is_none_or(|fastest| self.lead(passage, fastest) < 0) {
            self.fastest = Some(passage);
        }
    }

    /// Forgets all but the jitter, which belongs to the network more than to the stream.
    pub(super) fn begin_stream(&mut self) {
        self.begin_talkspurt();
        self.last = None;
    }

    /// How many nanoseconds longer `passage` was under way than `reference`.
    fn lead(&self, passage: Passage, reference: Passage) -> i64 {
        let nanos = |duration: Duration| i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
        let apart = if passage.0 >= reference.0 {
            nanos(passage.0 - reference.0)
        } else {
            nanos(reference.0 - passage.0).saturating_neg()
        };
        let ticks = passage.1.distance(reference.1);
        let sent_apart = nanos(duration_of(ticks.unsigned_abs(), self.clock_rate));
        apart.saturating_sub(if ticks < 0 { sent_apart.saturating_neg() } else { sent_apart })
    }
}

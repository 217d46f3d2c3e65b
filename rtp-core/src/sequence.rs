//! Sequence numbers, timestamps and source identifiers: the one home of arithmetic that wraps (RFC 3550 §5.1).

use std::fmt;
use std::time::Duration;

/// The sequence number of an RTP packet: 16 bits, one more for each packet, wrapping.
///
/// It has no `Ord`: "after" is only meaningful within half of the circle, and [`is_after`](Self::is_after) says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SequenceNumber(pub u16);

impl SequenceNumber {
    /// The number that follows this one.
    #[must_use]
    pub fn next(self) -> Self {
        self.plus(1)
    }

    /// The number `count` packets on.
    #[must_use]
    pub fn plus(self, count: u16) -> Self {
        Self(self.0.wrapping_add(count))
    }

    /// How many packets this number is ahead of `earlier`; negative when it is behind. The shorter way round the
    /// circle counts, so the answer is right as long as the two are less than 32 768 apart.
    #[must_use]
    pub fn distance(self, earlier: Self) -> i16 {
        self.0.wrapping_sub(earlier.0).cast_signed()
    }

    /// Whether this number comes after `other`. Two numbers exactly half the circle apart are neither after nor before.
    #[must_use]
    pub fn is_after(self, other: Self) -> bool {
        self.distance(other) > 0
    }
}

impl fmt::Display for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The timestamp of an RTP packet: 32 bits that count samples of the payload's clock, wrapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct RtpTimestamp(pub u32);

impl RtpTimestamp {
    /// The timestamp `units` clock ticks on.
    #[must_use]
    pub fn plus(self, units: u32) -> Self {
        Self(self.0.wrapping_add(units))
    }

    /// How many clock ticks this timestamp is ahead of `earlier`, the shorter way round; negative when it is behind.
    #[must_use]
    pub fn distance(self, earlier: Self) -> i32 {
        self.0.wrapping_sub(earlier.0).cast_signed()
    }

    /// Whether this timestamp comes after `other`. Two exactly half the circle apart are neither after nor before.
    #[must_use]
    pub fn is_after(self, other: Self) -> bool {
        self.distance(other) > 0
    }
}

impl fmt::Display for RtpTimestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A synchronisation source: which stream of an RTP session a packet belongs to (RFC 3550 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Ssrc(pub u32);

impl fmt::Display for Ssrc {
    /// Eight hexadecimal digits, as packet analysers show it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#010x}", self.0)
    }
}

/// How many ticks of a clock of `clock_rate` hertz pass in `duration`, modulo 2³² as timestamps are.
pub(crate) fn ticks(duration: Duration, clock_rate: u32) -> u32 {
    let ticks = duration.as_nanos().saturating_mul(u128::from(clock_rate)) / 1_000_000_000;
    // Timestamps wrap, so the low 32 bits are the answer.
    #[expect(clippy::cast_possible_truncation, reason = "modulo 2^32 is what RTP timestamps are")]
    let wrapped = ticks as u32;
    wrapped
}

/// How long `ticks` of a clock of `clock_rate` hertz last. A rate of zero counts as one hertz: configurations that
/// hold one are refused before they get here.
pub(crate) fn duration_of(ticks: u32, clock_rate: u32) -> Duration {
    Duration::from_nanos(u64::from(ticks).saturating_mul(1_000_000_000) / u64::from(clock_rate.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_number_after_65535_is_0_and_comes_after_it() {
        let last = SequenceNumber(u16::MAX);
        assert_eq!(last.next(), SequenceNumber(0));
        assert!(last.next().is_after(last));
        assert!(!last.is_after(last.next()));
        assert_eq!(SequenceNumber(2).distance(SequenceNumber(65_534)), 4);
        assert_eq!(SequenceNumber(65_534).distance(SequenceNumber(2)), -4);
    }

    #[test]
    fn half_a_circle_apart_is_neither_after_nor_before() {
        let (a, b) = (SequenceNumber(0), SequenceNumber(0x8000));
        assert!(!a.is_after(b) && !b.is_after(a));
    }

    #[test]
    fn a_timestamp_wraps_at_32_bits() {
        let late = RtpTimestamp(u32::MAX - 79);
        assert_eq!(late.plus(160), RtpTimestamp(80));
        assert_eq!(late.plus(160).distance(late), 160);
        assert!(late.plus(160).is_after(late));
    }

    #[test]
    fn ticks_and_durations_are_each_others_inverse() {
        assert_eq!(ticks(Duration::from_millis(20), 8_000), 160);
        assert_eq!(duration_of(160, 8_000), Duration::from_millis(20));
        // 150 hours at 8 kHz is past 2^32 ticks.
        assert_eq!(ticks(Duration::from_secs(600_000), 8_000), 505_032_704);
    }

    proptest! {
        #[test]
        fn a_step_of_less_than_half_the_circle_is_measured_exactly(start: u16, step in 1u16..0x8000) {
            let start = SequenceNumber(start);
            prop_assert_eq!(i32::from(start.plus(step).distance(start)), i32::from(step));
            prop_assert!(start.plus(step).is_after(start));
            prop_assert!(!start.is_after(start.plus(step)));
        }
    }
}

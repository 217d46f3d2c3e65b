//! Wall-clock time as RTCP writes it (RFC 3550 §4).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Seconds from 1 January 1900 to 1 January 1970: 70 years, 17 of them leap years.
const FROM_1900_TO_1970: u64 = 2_208_988_800;

/// Seconds since 1 January 1900 UTC in 32 bits, and their 2³²ths in 32 more. The seconds wrap in February 2036.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct NtpTimestamp(pub u64);

impl NtpTimestamp {
    /// The middle 32 bits: 65 536ths of a second, modulo 18 hours. Reports name a sender report by it (§6.4.1, "LSR").
    #[must_use]
    pub fn middle(self) -> u32 {
        let [_, _, a, b, c, d, _, _] = self.0.to_be_bytes();
        u32::from_be_bytes([a, b, c, d])
    }
}

impl From<SystemTime> for NtpTimestamp {
    /// A time before 1970 counts as 1970: such a clock has not been set.
    fn from(time: SystemTime) -> Self {
        let since_1970 = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = since_1970.as_secs().wrapping_add(FROM_1900_TO_1970);
        let fraction = (u64::from(since_1970.subsec_nanos()) << 32) / 1_000_000_000;
        // The seconds' upper bits are shifted out: eras of 136 years are not told apart.
        Self((seconds << 32) | fraction)
    }
}

/// A duration in 65 536ths of a second, as "DLSR" has it; what is too long for 32 bits (18 hours) is the longest.
pub(super) fn short_from(duration: Duration) -> u32 {
    u32::try_from(duration.as_nanos().saturating_mul(65_536) / 1_000_000_000).unwrap_or(u32::MAX)
}

/// The duration that "DLSR" means.
pub(super) fn duration_of_short(short: u32) -> Duration {
    Duration::from_nanos(u64::from(short).saturating_mul(1_000_000_000) / 65_536)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_count_from_1900_and_the_fraction_is_binary() {
        assert_eq!(NtpTimestamp::from(UNIX_EPOCH).0, 2_208_988_800 << 32);
        let half = UNIX_EPOCH + Duration::from_millis(1_500);
        assert_eq!(NtpTimestamp::from(half).0, (2_208_988_801 << 32) | 0x8000_0000);
        assert_eq!(NtpTimestamp::from(UNIX_EPOCH - Duration::from_secs(9)), NtpTimestamp::from(UNIX_EPOCH));
    }

    #[test]
    fn the_era_that_begins_in_2036_counts_from_zero() {
        let wrap = UNIX_EPOCH + Duration::from_secs((1 << 32) - FROM_1900_TO_1970);
        assert_eq!(NtpTimestamp::from(wrap).0, 0);
    }

    #[test]
    fn the_middle_is_what_the_example_of_the_rfc_has() {
        // RFC 3550 figure 2: 0xb44db705:20000000 is named 0xb705:2000, and 5.25 s are 0x0005:4000.
        assert_eq!(NtpTimestamp(0xb44d_b705_2000_0000).middle(), 0xb705_2000);
        assert_eq!(short_from(Duration::from_millis(5_250)), 0x0005_4000);
        assert_eq!(duration_of_short(0x0005_4000), Duration::from_millis(5_250));
        assert_eq!(short_from(Duration::from_secs(1 << 20)), u32::MAX);
    }
}

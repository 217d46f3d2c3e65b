use alloc::format;
use alloc::string::String;
use core::time::Duration;

use super::{HeaderError, HeaderName, TypedHeader};
use crate::ByteStr;
use crate::class::{self, DIGIT, skip_wsp, trim_wsp};

/// When a client has sent a request, by a clock of its own, and how long the server took (RFC 3261 §20.38, §8.2.6.1).
///
/// A server copies the time as it came, so digits are kept as they are.
///
/// ```
/// use blether_sip_core::Timestamp;
/// use core::time::Duration;
///
/// let of_request: Timestamp = "54.250".parse()?;
/// let of_response = of_request.with_delay(Duration::from_millis(1_500));
/// assert_eq!(of_response.to_string(), "54.250 1.5");
/// assert_eq!(of_response.time(), Duration::from_millis(54_250));
/// assert_eq!(of_response.delay(), Some(Duration::from_millis(1_500)));
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Timestamp {
    /// Digits, and perhaps a dot and digits.
    time: ByteStr,
    /// The same; it may begin with the dot.
    delay: Option<ByteStr>,
}

impl Timestamp {
    /// A time since whenever the client likes.
    #[must_use]
    pub fn new(time: Duration) -> Self {
        Timestamp { time: written(time), delay: None }
    }

    /// The same with the time from the receipt of the request to the sending of the response.
    #[must_use]
    pub fn with_delay(self, delay: Duration) -> Self {
        Timestamp { delay: Some(written(delay)), ..self }
    }

    /// The time since whenever the client likes, to the nanosecond; what is over 64 bits of seconds is as long as can be
    /// said.
    #[must_use]
    pub fn time(&self) -> Duration {
        duration(&self.time)
    }

    /// How long the server took, to the nanosecond; `None` if it does not say.
    #[must_use]
    pub fn delay(&self) -> Option<Duration> {
        self.delay.as_deref().map(duration)
    }
}

fn written(time: Duration) -> ByteStr {
    let fraction = format!("{:09}", time.subsec_nanos());
    match fraction.trim_end_matches('0') {
        "" => format!("{}", time.as_secs()).into(),
        fraction => format!("{}.{fraction}", time.as_secs()).into(),
    }
}

/// The time that [`decimal`] has found.
fn duration(text: &str) -> Duration {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = fraction.bytes().map(|digit| u32::from(digit.wrapping_sub(b'0')));
    let units = core::iter::successors(Some(100_000_000), |unit| Some(unit / 10)).take(9);
    let nanoseconds = digits.zip(units).map(|(digit, unit): (u32, u32)| digit * unit).sum();
    let seconds = if seconds.is_empty() { 0 } else { seconds.parse().unwrap_or(u64::MAX) };
    Duration::new(seconds, nanoseconds)
}

/// `*DIGIT [ "." *DIGIT ]`, and what follows it.
fn decimal(input: &str) -> (&str, &str) {
    let rest = class::split(input, DIGIT).1;
    let rest = rest.strip_prefix('.').map_or(rest, |fraction| class::split(fraction, DIGIT).1);
    input.split_at_checked(input.len() - rest.len()).unwrap_or((input, ""))
}

impl TypedHeader for Timestamp {
    const NAME: HeaderName = HeaderName::Timestamp;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        let malformed = |rest| Err(HeaderError::malformed(Self::NAME, "seconds such as 54.25").at(&value, rest));
        let text = trim_wsp(&value);
        let (time, rest) = decimal(text);
        if !time.starts_with(|c: char| c.is_ascii_digit()) {
            return malformed(text);
        }
        let (delay, after) = decimal(skip_wsp(rest));
        if !after.is_empty() || (!delay.is_empty() && !rest.starts_with([' ', '\t'])) {
            return malformed(rest);
        }
        let delay = (!delay.is_empty()).then(|| value.share(delay));
        Ok(Timestamp { time: value.share(time), delay })
    }

    fn write(&self, out: &mut String) {
        out.push_str(&self.time);
        if let Some(delay) = &self.delay {
            out.push(' ');
            out.push_str(delay);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn a_time_and_a_delay_are_decimals() {
        #[track_caller]
        fn check(text: &str, time: (u64, u32), delay: Option<(u64, u32)>, written: &str) {
            let (read, line) = rewritten::<Timestamp>(text);
            let pair = |duration: Duration| (duration.as_secs(), duration.subsec_nanos());
            assert_eq!((pair(read.time()), read.delay().map(pair), line.as_str()), (time, delay, written), "{text}");
        }
        check("54", (54, 0), None, "54");
        check(" 054.\t.25 ", (54, 0), Some((0, 250_000_000)), "054. .25");
        check("1.1234567891 2.", (1, 123_456_789), Some((2, 0)), "1.1234567891 2.");
        check("18446744073709551616 .", (u64::MAX, 0), Some((0, 0)), "18446744073709551616 .");
        for (text, column) in
            [("", 1), (".5", 1), ("x", 1), ("1,5", 2), ("1.5.5", 4), ("1 x", 2), ("1 2 3", 2), ("-1", 1)]
        {
            assert_eq!(Timestamp::parse_value(text.into()).unwrap_err().column(), Some(column), "{text}");
        }
    }

    #[test]
    fn a_duration_is_written_as_short_as_can_be() {
        for (nanoseconds, text) in [(0, "0"), (1, "0.000000001"), (1_500_000_000, "1.5"), (10_000_000_000, "10")] {
            let made = Timestamp::new(Duration::from_nanos(nanoseconds));
            assert_eq!((made.to_string().as_str(), made.time()), (text, Duration::from_nanos(nanoseconds)));
        }
    }
}

//! When a session is held (RFC 8866 §5.9 to §5.11).

use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use super::SdpError;
use super::field::number;
use super::section::Line;
use crate::grammar::is_wsp;

/// When a session is held: a `t=` line and the `r=` and `z=` lines that follow it (RFC 8866 §5.9 to §5.11).
///
/// Times are seconds since 1900, as in NTP: those since 1970 and 2,208,988,800. As a text it is its lines.
///
/// ```
/// use blether_sip_core::sdp::{SessionDescription, TimeDescription};
///
/// let description = SessionDescription::parse(
///     "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=3724394400 3724398000\r\nr=7d 1h 0 25h\r\n",
/// )?;
/// let time = &description.times()[0];
/// assert_eq!((time.start, time.stop), (3_724_394_400, 3_724_398_000));
/// assert_eq!(time.repeats[0].offsets, [0, 90_000]);
/// assert_eq!(time.to_string(), "t=3724394400 3724398000\r\nr=604800 3600 0 90000\r\n");
/// assert_eq!(&"t=3724394400 3724398000\nr=7d 1h 0 25h".parse::<TimeDescription>()?, time);
/// # Ok::<(), blether_sip_core::sdp::SdpError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct TimeDescription {
    /// When it begins; 0 if it always goes on.
    pub start: u64,
    /// When it ends; 0 if it does not.
    pub stop: u64,
    /// When it is held again.
    pub repeats: Vec<Repeat>,
    /// By how much the repeats are shifted, from when on: for summer time.
    pub adjustments: Vec<ZoneAdjustment>,
}

/// When a session is held again: an `r=` line (RFC 8866 §5.10). All in seconds.
///
/// ```
/// use blether_sip_core::sdp::Repeat;
///
/// let repeat: Repeat = "7d 1h 0 25h".parse()?;
/// assert_eq!((repeat.interval, repeat.duration), (604_800, 3_600));
/// assert_eq!(repeat.to_string(), "604800 3600 0 90000");
/// # Ok::<(), blether_sip_core::sdp::SdpError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Repeat {
    /// From one round to the next; more than 0.
    pub interval: u64,
    /// How long the session lasts each time.
    pub duration: u64,
    /// When in a round it begins, after the start time; at least one.
    pub offsets: Vec<u64>,
}

/// A shift of the base time of repeats (RFC 8866 §5.11).
///
/// ```
/// use blether_sip_core::sdp::{Repeat, TimeDescription, ZoneAdjustment};
///
/// let hour_back: ZoneAdjustment = "3730928400 -1h".parse()?;
/// assert_eq!(hour_back, ZoneAdjustment { at: 3_730_928_400, offset: -3_600 });
/// let repeats = vec![Repeat { interval: 604_800, duration: 3_600, offsets: vec![0] }];
/// let time = TimeDescription { start: 3_724_394_400, stop: 0, repeats, adjustments: vec![hour_back] };
/// assert!(time.is_writable());
/// # Ok::<(), blether_sip_core::sdp::SdpError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ZoneAdjustment {
    /// From when on, in seconds since 1900.
    pub at: u64,
    /// By how many seconds.
    pub offset: i64,
}

impl TimeDescription {
    /// Whether the grammar allows it: times are 0 or have ten digits at least, repeats are as their fields want it, and there are no
    /// adjustments without them.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        let is_time = |time: u64| time >= 1_000_000_000;
        [self.start, self.stop].into_iter().all(|time| time == 0 || is_time(time))
            && self.repeats.iter().all(|repeat| repeat.interval > 0 && !repeat.offsets.is_empty())
            && self.adjustments.iter().all(|adjustment| is_time(adjustment.at))
            && (self.adjustments.is_empty() || !self.repeats.is_empty())
    }

    /// Reads the `t=`, `r=` and `z=` lines among others. Those that are malformed are passed over, and a `t=` line with its repeats.
    pub(super) fn read_all(lines: &[Line]) -> Vec<Self> {
        let mut times: Vec<Self> = Vec::new();
        let mut is_known = false;
        for line in lines {
            match (line.key(), times.last_mut().filter(|_| is_known)) {
                (Some('t'), _) => {
                    let time = read_time(line.value());
                    is_known = time.is_some();
                    times.extend(time);
                }
                (Some('r'), Some(time)) => time.repeats.extend(line.value().parse()),
                (Some('z'), Some(time)) => time.adjustments.extend(read_adjustments(line.value()).unwrap_or_default()),
                _ => {}
            }
        }
        times
    }

    pub(super) fn to_lines(&self) -> impl Iterator<Item = Line> {
        let time = Line::new('t', format_args!("{} {}", self.start, self.stop));
        let repeats = self.repeats.iter().map(|repeat| Line::new('r', repeat));
        let zone = (!self.adjustments.is_empty()).then(|| Line::new('z', Zone(&self.adjustments)));
        core::iter::once(time).chain(repeats).chain(zone)
    }
}

impl FromStr for TimeDescription {
    type Err = SdpError;

    /// Reads a `t=` line and the `r=` and `z=` lines behind it; unlike in a description, each of them must be right.
    fn from_str(text: &str) -> Result<Self, SdpError> {
        let mut time: Option<Self> = None;
        for (line, at) in text.lines().zip(1..) {
            let (key, value) = match line.as_bytes() {
                [key @ (b't' | b'r' | b'z'), b'=', ..] => (char::from(*key), line.get(2..).unwrap_or_default()),
                _ => return Err(SdpError::BadLine { line: at }),
            };
            let malformed = SdpError::BadField { key, line: at };
            match (key, &mut time) {
                ('t', None) => time = Some(read_time(value).ok_or(malformed)?),
                ('r', Some(time)) => time.repeats.push(value.parse().map_err(|_| malformed)?),
                ('z', Some(time)) => time.adjustments.extend(read_adjustments(value).ok_or(malformed)?),
                ('t', Some(_)) => return Err(SdpError::Duplicate { key, line: at }),
                _ => return Err(SdpError::Missing('t')),
            }
        }
        time.ok_or(SdpError::Missing('t'))
    }
}

impl fmt::Display for TimeDescription {
    /// Writes the lines, each with its end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_lines().try_for_each(|line| write!(f, "{}\r\n", line.text))
    }
}

impl FromStr for ZoneAdjustment {
    type Err = SdpError;

    /// Reads a time and a shift such as `-1h`: one pair of a `z=` line.
    fn from_str(text: &str) -> Result<Self, SdpError> {
        match read_adjustments(text).as_deref() {
            Some([adjustment]) => Ok(*adjustment),
            _ => Err(SdpError::BadField { key: 'z', line: 1 }),
        }
    }
}

impl fmt::Display for ZoneAdjustment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.at, self.offset)
    }
}

struct Zone<'a>(&'a [ZoneAdjustment]);

impl fmt::Display for Zone<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, adjustment) in self.0.iter().enumerate() {
            let space = if index > 0 { " " } else { "" };
            write!(f, "{space}{adjustment}")?;
        }
        Ok(())
    }
}

impl FromStr for Repeat {
    type Err = SdpError;

    /// Reads `interval duration offset …`, with the units `d`, `h`, `m` and `s`.
    fn from_str(text: &str) -> Result<Self, SdpError> {
        let read = || {
            let mut words = words(text);
            let interval = typed_time(words.next()?).filter(|interval| *interval > 0)?;
            let duration = typed_time(words.next()?)?;
            let offsets: Vec<u64> = words.map(typed_time).collect::<Option<_>>()?;
            (!offsets.is_empty()).then_some(Repeat { interval, duration, offsets })
        };
        read().ok_or(SdpError::BadField { key: 'r', line: 1 })
    }
}

impl fmt::Display for Repeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.interval.max(1), self.duration)?;
        if self.offsets.is_empty() {
            f.write_str(" 0")?;
        }
        self.offsets.iter().try_for_each(|offset| write!(f, " {offset}"))
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_wsp).filter(|word| !word.is_empty())
}

fn read_time(value: &str) -> Option<TimeDescription> {
    let mut words = words(value);
    let (start, stop) = (number(words.next()?)?, number(words.next()?)?);
    words.next().is_none().then(|| TimeDescription { start, stop, ..TimeDescription::default() })
}

fn read_adjustments(value: &str) -> Option<Vec<ZoneAdjustment>> {
    let mut words = words(value);
    let mut all = Vec::new();
    while let Some(at) = words.next() {
        let shift = words.next()?;
        let offset = match shift.strip_prefix('-') {
            Some(back) => i64::try_from(typed_time(back)?).ok()?.checked_neg()?,
            None => i64::try_from(typed_time(shift)?).ok()?,
        };
        all.push(ZoneAdjustment { at: number(at)?, offset });
    }
    Some(all)
}

/// `typed-time`, in seconds.
fn typed_time(word: &str) -> Option<u64> {
    let (digits, unit) = match word.strip_suffix(['d', 'h', 'm', 's']) {
        Some(digits) if word.ends_with('d') => (digits, 86_400),
        Some(digits) if word.ends_with('h') => (digits, 3_600),
        Some(digits) if word.ends_with('m') => (digits, 60),
        Some(digits) => (digits, 1),
        None => (word, 1),
    };
    number::<u64>(digits)?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_and_adjustments_belong_to_the_time_before_them() {
        // RFC 8866 §5.9 to §5.11.
        let lines = [
            Line::new('r', "1d 1 0"),
            Line::new('t', "3724394400 3724398000"),
            Line::new('r', "604800 3600 0 90000"),
            Line::new('r', "7d 1h 0 25h"),
            Line::new('z', "3730928400 -1h 3749680800 0"),
            Line::new('t', "x 0"),
            Line::new('r', "1d 1 0"),
            Line::new('t', " 0  0 "),
        ];
        let times = TimeDescription::read_all(&lines);
        assert_eq!(times.len(), 2);
        assert_eq!(times[0].repeats[0], times[0].repeats[1]);
        assert_eq!(times[0].adjustments[0], ZoneAdjustment { at: 3_730_928_400, offset: -3_600 });
        assert_eq!(times[1], TimeDescription::default());
        let written: Vec<Line> = times.iter().flat_map(TimeDescription::to_lines).collect();
        assert_eq!(&*written[3].text, "z=3730928400 -3600 3749680800 0");
        assert_eq!(TimeDescription::read_all(&written), times);
    }

    #[test]
    fn what_is_no_repeat_is_refused() {
        for bad in ["", "0 1 0", "7d", "7d 1h", "7w 1h 0", "7d 1h -1", "99999999999999999d 1 0", "1dd 1 0", "d 1 0"] {
            assert!(bad.parse::<Repeat>().is_err(), "{bad}");
        }
        assert_eq!(read_adjustments("1 2 3"), None);
        assert_eq!(read_adjustments("1 18446744073709551615"), None);
        assert_eq!(Repeat { interval: 0, duration: 0, offsets: Vec::new() }.to_string(), "1 0 0");
        assert!(!TimeDescription { start: 5, ..TimeDescription::default() }.is_writable());
    }
}

use alloc::format;
use alloc::string::String;
use std::time::{Duration, SystemTime};

use nom::Parser;
use nom::bytes::complete::tag;
use nom::character::complete::char;

use super::{HeaderError, HeaderName, TypedHeader};
use crate::ByteStr;
use crate::grammar::{self, Parsed};

/// When a message was first sent, to the second, in GMT (RFC 3261 §20.17). Years 1970 to 9999.
///
/// ```
/// use blether_sip_core::Date;
/// use std::time::{Duration, SystemTime};
///
/// let date: Date = "Sat, 13 Nov 2010 23:29:00 GMT".parse()?;
/// assert_eq!(date.0, SystemTime::UNIX_EPOCH + Duration::from_secs(1_289_690_940));
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Date(pub SystemTime);

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]; // 1970-01-01 was a Thursday
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const SECONDS_A_DAY: u64 = 86_400;
/// 9999-12-31 23:59:59.
const LAST_SECOND: u64 = 253_402_300_799;

/// Days from 1970-01-01 to a date, by years that start in March, so that the leap day is a year's last.
fn days_from_epoch(year: u64, month: u64, day: u64) -> u64 {
    let shifted = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    (shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + day_of_year).saturating_sub(719_468)
}

/// The year, month and day that is `days` after 1970-01-01; the inverse of [`days_from_epoch`].
fn date_from_days(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

fn rfc1123_date(input: &str) -> Parsed<'_, Date> {
    let number = grammar::number::<u64>;
    let (rest, (_, _, _, day, _, month, _, year, _)) = (
        grammar::token,
        char(','),
        grammar::lws,
        number,
        grammar::lws,
        grammar::token,
        grammar::lws,
        number,
        grammar::lws,
    )
        .parse(input)?;
    let (rest, (hour, _, minute, _, second, _, _)) =
        (number, char(':'), number, char(':'), number, grammar::lws, tag("GMT")).parse(rest)?;
    let month = MONTHS.iter().zip(1..).find(|(name, _)| name.eq_ignore_ascii_case(month)).map(|(_, number)| number);
    let Some(month) = month else { return grammar::no_match() };
    let in_range = (1970..=9999).contains(&year) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60;
    if !in_range || date_from_days(days_from_epoch(year, month, day)) != (year, month, day) {
        return grammar::no_match();
    }
    let seconds = days_from_epoch(year, month, day) * SECONDS_A_DAY + hour * 3600 + minute * 60 + second;
    match SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)) {
        Some(time) => Ok((rest, Date(time))),
        None => grammar::no_match(),
    }
}

impl TypedHeader for Date {
    const NAME: HeaderName = HeaderName::Date;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        super::complete(&value, rfc1123_date, Self::NAME, "a date such as Sat, 13 Nov 2010 23:29:00 GMT")
    }

    /// Writes the date to the second; what is before 1970 as its start, what is after 9999 as its end.
    fn write(&self, out: &mut String) {
        let seconds = self.0.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs()).min(LAST_SECOND);
        let (days, time) = (seconds / SECONDS_A_DAY, seconds % SECONDS_A_DAY);
        let (year, month, day) = date_from_days(days);
        let name = |names: &[&'static str], index: u64| {
            usize::try_from(index).ok().and_then(|index| names.get(index).copied()).unwrap_or_default()
        };
        out.push_str(&format!(
            "{}, {day:02} {} {year:04} {:02}:{:02}:{:02} GMT",
            name(&DAYS, days % 7),
            name(&MONTHS, month - 1),
            time / 3600,
            time / 60 % 60,
            time % 60,
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn a_date_is_read_and_written_to_the_second() {
        #[track_caller]
        fn check(text: &str, seconds: u64) {
            let (date, written) = rewritten::<Date>(text);
            assert_eq!(date.0.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs(), seconds);
            assert_eq!(written, text);
        }
        check("Thu, 01 Jan 1970 00:00:00 GMT", 0);
        check("Sat, 13 Nov 2010 23:29:00 GMT", 1_289_690_940); // RFC 3261 §20.17
        check("Thu, 29 Feb 2024 12:00:00 GMT", 1_709_208_000);
        check("Fri, 31 Dec 9999 23:59:59 GMT", LAST_SECOND);
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "Sat, 13 Nov 2010 23:29:00",
            "Fri, 01 Jan 2010 16:00:00 EST", // RFC 4475 §3.1.2.12
            "Sun, 30 Feb 2025 00:00:00 GMT",
            "Sun, 00 Feb 2025 00:00:00 GMT",
            "Sun, 01 Foo 2025 00:00:00 GMT",
            "Sun, 01 Feb 2025 24:00:00 GMT",
            "Sun, 01 Feb 99999999999999 00:00:00 GMT",
            "Sun, 01 Feb 1969 00:00:00 GMT",
        ] {
            assert!(Date::parse_value(text.into()).is_err(), "{text}");
        }
    }
}

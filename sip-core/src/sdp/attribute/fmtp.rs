use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use super::SdpAttribute;
use super::words::{read, write_number, write_text, write_token};
use crate::ByteStr;
use crate::grammar::is_wsp;
use crate::sdp::SdpError;
use crate::sdp::field::number;

/// The parameters of a format: `a=fmtp` (RFC 8866 §6.15).
///
/// What they mean is up to the format. Most are a list with semicolons between of `name=value` or a name alone, which the accessors read;
/// names are compared without regard to case, as media types want it (RFC 4855 §3).
///
/// ```
/// use blether_sip_core::sdp::attribute::Fmtp;
///
/// let mut h264: Fmtp = "97 profile-level-id=42e01f; packetization-mode=1".parse()?;
/// assert_eq!(h264.value("Profile-Level-Id"), Some("42e01f"));
/// assert_eq!(h264.number("packetization-mode"), Some(1));
/// h264.set("packetization-mode", Some("0"));
/// assert_eq!(h264.to_string(), "97 profile-level-id=42e01f; packetization-mode=0");
///
/// let events: Fmtp = "101 0-15,66".parse()?;
/// assert!(events.telephone_events().unwrap().contains(66));
/// # Ok::<(), blether_sip_core::sdp::SdpError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fmtp {
    /// The format of the `m=` line: a payload type if the protocol is RTP.
    pub format: ByteStr,
    /// What follows it, as written.
    pub parameters: ByteStr,
}

impl Fmtp {
    /// The payload type, if the format is one.
    #[must_use]
    pub fn payload_type(&self) -> Option<u8> {
        number(&self.format).filter(|number| *number < 128)
    }

    /// The parameters in order, each a name and what follows its `=`.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.parameters.split(';').filter_map(parameter)
    }

    /// The value of the first parameter of this name; `None` if it is not there or has none.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.iter().find(|(found, _)| found.eq_ignore_ascii_case(name))?.1
    }

    /// The value of a parameter, if it is a number: digits alone.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        self.value(name).and_then(number)
    }

    /// Whether the parameter is there, with or without a value.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.iter().any(|(found, _)| found.eq_ignore_ascii_case(name))
    }

    /// Puts a parameter where the first of its name is, or at the end; others of that name go.
    ///
    /// Semicolons and control characters in it are left out, and so is a `=` in the name. Nothing happens if that leaves no name.
    pub fn set(&mut self, name: &str, value: Option<&str>) {
        let plain = |text: &str, unwanted: &[char]| -> String {
            let kept: String = text.chars().filter(|c| !c.is_control() && !unwanted.contains(c)).collect();
            kept.trim_matches(is_wsp).into()
        };
        let name = plain(name, &[';', '=']);
        if name.is_empty() {
            return;
        }
        let mut fresh = name.clone();
        if let Some(value) = value {
            fresh.push('=');
            fresh.push_str(&plain(value, &[';']));
        }
        self.rewrite(&name, Some(&fresh));
    }

    /// Removes all parameters of this name; says whether there were any.
    pub fn remove(&mut self, name: &str) -> bool {
        let had = self.has(name);
        if had {
            self.rewrite(name, None);
        }
        had
    }

    /// The events that a `telephone-event` format names (RFC 4733 §2.4.1); `None` if the parameters are of another kind.
    #[must_use]
    pub fn telephone_events(&self) -> Option<TelephoneEvents> {
        self.parameters.parse().ok()
    }

    /// Puts a text in place of the first parameter of a name, and takes out the others. What is left keeps the space before it.
    fn rewrite(&mut self, name: &str, mut fresh: Option<&str>) {
        let mut text = String::with_capacity(self.parameters.len() + fresh.map_or(0, str::len) + 2);
        let mut add = |piece: &str, space: &str| {
            if !text.is_empty() {
                text.push(';');
                text.push_str(space);
            }
            text.push_str(piece.trim_matches(is_wsp));
        };
        for piece in self.parameters.split(';').filter(|piece| !piece.chars().all(is_wsp)) {
            let space = if piece.starts_with(is_wsp) { " " } else { "" };
            if !parameter(piece).is_some_and(|(found, _)| found.eq_ignore_ascii_case(name)) {
                add(piece, space);
            } else if let Some(fresh) = fresh.take() {
                add(fresh, space);
            }
        }
        if let Some(fresh) = fresh {
            add(fresh, "");
        }
        self.parameters = text.into();
    }
}

/// `name=value` or `name`, with space around either.
fn parameter(piece: &str) -> Option<(&str, Option<&str>)> {
    let (name, value) = match piece.split_once('=') {
        Some((name, value)) => (name, Some(value.trim_matches(is_wsp))),
        None => (piece, None),
    };
    let name = name.trim_matches(is_wsp);
    (!name.is_empty()).then_some((name, value))
}

impl SdpAttribute for Fmtp {
    const NAME: &'static str = "fmtp";

    fn parse_value(value: ByteStr) -> Result<Self, SdpError> {
        read(&value, "a format and its parameters", |words| {
            Some(Fmtp { format: words.token()?, parameters: words.text()? })
        })
    }

    fn write(&self, out: &mut String) {
        write_token(out, &self.format, "0");
        out.push(' ');
        write_text(out, &self.parameters, "x");
    }
}

/// Events of a `telephone-event` format: digits, tones and what else a line may say (RFC 4733 §2.4.1, RFC 2833 §3.9).
///
/// ```
/// use blether_sip_core::sdp::attribute::TelephoneEvents;
///
/// let events: TelephoneEvents = "0-15,66,70".parse()?;
/// assert!(events.contains(15) && !events.contains(16));
/// assert_eq!(events.to_string(), "0-15,66,70");
/// # Ok::<(), blether_sip_core::sdp::SdpError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TelephoneEvents {
    /// First and last of each range, as they came.
    pub ranges: Vec<(u8, u8)>,
}

impl TelephoneEvents {
    /// The sixteen keys of a telephone: `0-15`.
    #[must_use]
    pub fn dtmf() -> Self {
        TelephoneEvents { ranges: [(0, 15)].into() }
    }

    /// Whether the event is in one of the ranges.
    #[must_use]
    pub fn contains(&self, event: u8) -> bool {
        self.ranges.iter().any(|(first, last)| (*first..=*last).contains(&event))
    }
}

impl FromStr for TelephoneEvents {
    type Err = SdpError;

    fn from_str(text: &str) -> Result<Self, SdpError> {
        let range = |item: &str| {
            let item = item.trim_matches(is_wsp);
            let (first, last) = item.split_once('-').unwrap_or((item, item));
            Some((number(first)?, number(last)?)).filter(|(first, last)| first <= last)
        };
        let ranges: Option<Vec<(u8, u8)>> = text.split(',').map(range).collect();
        ranges
            .map(|ranges| TelephoneEvents { ranges })
            .ok_or(SdpError::BadAttribute { name: Fmtp::NAME, expected: "events such as 0-15,66" })
    }
}

impl fmt::Display for TelephoneEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        for (first, last) in &self.ranges {
            if !out.is_empty() {
                out.push(',');
            }
            write_number(&mut out, *first);
            if first < last {
                out.push('-');
                write_number(&mut out, *last);
            }
        }
        f.write_str(if out.is_empty() { "0-15" } else { &out })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, refused};
    use super::*;

    #[test]
    fn parameters_are_found_whatever_their_style() {
        let amr: Fmtp = check(
            "97  mode-set=0,2,5,7; mode-change-period=2;octet-align",
            "97 mode-set=0,2,5,7; mode-change-period=2;octet-align",
        );
        assert_eq!(amr.payload_type(), Some(97));
        assert_eq!(amr.value("MODE-SET"), Some("0,2,5,7"));
        assert_eq!((amr.has("octet-align"), amr.value("octet-align")), (true, None));
        assert_eq!(amr.number("mode-change-period"), Some(2));
        let red: Fmtp = check("63 111/111", "63 111/111");
        assert_eq!(red.iter().collect::<Vec<_>>(), [("111/111", None)]);
        let sprop: Fmtp = check(
            "96 sprop-parameter-sets=Z0IACpZTBYmI,aMljiA==;x = y ;;",
            "96 sprop-parameter-sets=Z0IACpZTBYmI,aMljiA==;x = y ;;",
        );
        assert_eq!((sprop.value("sprop-parameter-sets"), sprop.value("x")), (Some("Z0IACpZTBYmI,aMljiA=="), Some("y")));
        refused::<Fmtp>(&["", "96", "96 "]);
    }

    #[test]
    fn one_parameter_is_changed_and_the_others_stay() {
        let mut fmtp: Fmtp = "111 minptime=10; useinbandfec=1;MINPTIME=20;x".parse().unwrap();
        fmtp.set("minptime", Some("3;\r\n0"));
        assert_eq!(fmtp.parameters, "minptime=30; useinbandfec=1;x");
        fmtp.set("stereo", Some("1"));
        assert!(fmtp.remove("x") && !fmtp.remove("x"));
        assert_eq!(fmtp.parameters, "minptime=30; useinbandfec=1;stereo=1");
        fmtp.set(";=", None);
        assert_eq!(fmtp.to_string(), "111 minptime=30; useinbandfec=1;stereo=1");
        assert_eq!(Fmtp { format: "\r".into(), parameters: "\n".into() }.to_string(), "0 x");
    }

    #[test]
    fn events_are_ranges() {
        let events = |text: &str| text.parse::<TelephoneEvents>().map(|events| events.ranges);
        assert_eq!(events("0-11,66, 67"), Ok(vec![(0, 11), (66, 66), (67, 67)]));
        for bad in ["", "0-", "5-1", "256", "0-15;x", "a"] {
            assert!(events(bad).is_err(), "{bad}");
        }
        assert_eq!(TelephoneEvents { ranges: Vec::new() }.to_string(), TelephoneEvents::dtmf().to_string());
    }
}

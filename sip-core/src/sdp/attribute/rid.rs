use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use super::SdpAttribute;
use super::words::{is_token_char, read, write_of, write_token};
use crate::ByteStr;
use crate::grammar::{is_wsp, write_list};
use crate::sdp::SdpError;
use crate::sdp::field::number;

/// Which way an RTP stream with a [`Rid`] flows, seen from whoever made the description.
///
/// ```
/// use blether_sip_core::sdp::attribute::{Rid, RidDirection};
/// assert_eq!("1 recv".parse::<Rid>()?.direction, RidDirection::Recv);
/// # Ok::<(), blether_sip_core::sdp::SdpError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RidDirection {
    /// It is sent.
    Send,
    /// It can be received.
    Recv,
}

impl FromStr for RidDirection {
    type Err = SdpError;

    /// Reads `send` or `recv`.
    fn from_str(word: &str) -> Result<Self, SdpError> {
        match word {
            "send" => Ok(RidDirection::Send),
            "recv" => Ok(RidDirection::Recv),
            _ => Err(SdpError::BadAttribute { name: Rid::NAME, expected: "send or recv" }),
        }
    }
}

impl fmt::Display for RidDirection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl RidDirection {
    fn as_str(self) -> &'static str {
        match self {
            RidDirection::Send => "send",
            RidDirection::Recv => "recv",
        }
    }
}

/// A name for one RTP stream of a media section, and within what bounds it stays (RFC 8851 §10).
///
/// ```
/// use blether_sip_core::sdp::attribute::Rid;
///
/// let rid: Rid = "1 send pt=97;max-width=1280;max-height=720".parse()?;
/// assert_eq!((&*rid.id, &*rid.formats[0]), ("1", "97"));
/// assert_eq!((rid.number("max-width"), rid.number("max-fps")), (Some(1280), None));
/// # Ok::<(), blether_sip_core::sdp::SdpError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Rid {
    /// The name: letters, digits, `-` and `_`.
    pub id: ByteStr,
    /// Which way it flows.
    pub direction: RidDirection,
    /// The formats it may have (`pt=`); none for all of the stream.
    pub formats: Vec<ByteStr>,
    /// `max-width`, `max-height`, `max-fps`, `max-fs`, `max-br`, `max-pps`, `max-bpp`, `depend`, and others, with their values.
    pub restrictions: Vec<(ByteStr, Option<ByteStr>)>,
}

impl Rid {
    /// The value of a restriction.
    #[must_use]
    pub fn restriction(&self, name: &str) -> Option<&str> {
        self.restrictions.iter().find(|(found, _)| found == name)?.1.as_deref()
    }

    /// The value of a restriction that is a number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        self.restriction(name).and_then(number)
    }
}

/// `rid-id`.
pub(super) fn is_rid_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-'
}

fn is_value_char(c: char) -> bool {
    matches!(c, ' '..='~') && c != ';'
}

impl SdpAttribute for Rid {
    const NAME: &'static str = "rid";

    fn parse_value(value: ByteStr) -> Result<Self, SdpError> {
        read(&value, "a name, send or recv, and restrictions", |words| {
            let id = words.of(is_rid_char)?;
            let direction = words.next()?.parse().ok()?;
            let mut rid = Rid { id, direction, formats: Vec::new(), restrictions: Vec::new() };
            for item in words.rest().split(';').map(|item| item.trim_matches(is_wsp)) {
                match item.split_once('=').map_or((item, None), |(name, value)| (name, Some(value))) {
                    ("", None) => {}
                    ("pt", Some(formats)) if rid.formats.is_empty() => {
                        let formats = formats.split(',').map(|format| words.share(format, is_token_char));
                        rid.formats = formats.collect::<Option<_>>()?;
                    }
                    ("pt", _) => return None,
                    (name, value) => {
                        if value.is_some_and(|value| !value.chars().all(is_value_char)) {
                            return None;
                        }
                        let value = value.map(|text| value_of(words.share(text.trim_matches(is_wsp), |_| true)));
                        rid.restrictions.push((words.share(name, is_name_char)?, value));
                    }
                }
            }
            Some(rid)
        })
    }

    fn write(&self, out: &mut String) {
        write_of(out, &self.id, is_rid_char, "0");
        out.push(' ');
        out.push_str(self.direction.as_str());
        let mut separator = ' ';
        if !self.formats.is_empty() {
            out.push_str(" pt=");
            write_list(out, ",", &self.formats, |out, format| write_token(out, format, "0"));
            separator = ';';
        }
        for (name, value) in &self.restrictions {
            out.push(separator);
            separator = ';';
            let before = out.len();
            write_of(out, name, is_name_char, "x");
            if out.get(before..).is_some_and(|name| name == "pt") {
                out.insert_str(before, "x-"); // the formats have a field of their own
            }
            if let Some(value) = value {
                out.push('=');
                let value = value.trim_matches(|c: char| c == ' ' || !is_value_char(c));
                out.extend(value.chars().filter(|c| is_value_char(*c)));
            }
        }
    }
}

/// A value may be empty.
fn value_of(shared: Option<ByteStr>) -> ByteStr {
    shared.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, refused};
    use super::*;

    #[test]
    fn restrictions_are_read() {
        // RFC 8851 §11, RFC 8853 §6.
        let rid: Rid =
            check("5 send pt=99,102;max-br=64000;max-width=360", "5 send pt=99,102;max-br=64000;max-width=360");
        assert_eq!((rid.formats.len(), rid.number("max-br"), rid.restriction("depend")), (2, Some(64_000), None));
        check::<Rid>("hi send", "hi send");
        check::<Rid>("6 recv max-width=1920; max-fps ;x=", "6 recv max-width=1920;max-fps;x=");
        refused::<Rid>(&["", "1", "1 both", "a.b send", "1 send pt=", "1 send pt=96;pt=97", "1 send max width=1"]);
        let mut hostile = rid;
        hostile.id = "\r\n".into();
        hostile.restrictions = vec![("p t".into(), Some(" a;\r\nb ".into()))];
        assert_eq!(hostile.to_string(), "0 send pt=99,102;x-pt=ab");
    }
}

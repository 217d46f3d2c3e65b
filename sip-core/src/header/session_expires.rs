use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use super::{HeaderError, HeaderName, MinSe, TypedHeader};
use crate::grammar::{self, Parsed};
use crate::{ByteStr, InvalidText, Params};

/// After how many seconds without a refresh a session is over (RFC 4028 §4).
///
/// ```
/// use blether_sip_core::{Refresher, SessionExpires};
///
/// let expires: SessionExpires = "4000;refresher=uac".parse()?;
/// assert_eq!((expires.seconds(), expires.refresher), (4000, Some(Refresher::Uac)));
/// assert_eq!(SessionExpires::new(1800).to_string(), "1800");
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SessionExpires {
    seconds: u32,
    /// Who refreshes the session; in a request, `None` leaves it to the server.
    pub refresher: Option<Refresher>,
    /// The parameters that have no field.
    pub params: Params,
}

/// The side that refreshes a session: the client or the server of the request that set it up (RFC 4028 §4).
///
/// ```
/// use blether_sip_core::{Refresher, SessionExpires};
///
/// let mut expires = SessionExpires::new(1800);
/// expires.refresher = Some(Refresher::Uas);
/// assert_eq!(expires.to_string(), "1800;refresher=uas");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refresher {
    /// The user agent client of the INVITE or UPDATE.
    Uac,
    /// Its user agent server.
    Uas,
}

impl FromStr for Refresher {
    type Err = InvalidText;

    /// Reads `uac` or `uas`, in any case.
    fn from_str(side: &str) -> Result<Self, InvalidText> {
        match side {
            _ if side.eq_ignore_ascii_case("uac") => Ok(Refresher::Uac),
            _ if side.eq_ignore_ascii_case("uas") => Ok(Refresher::Uas),
            _ => Err(InvalidText::Refresher),
        }
    }
}

impl fmt::Display for Refresher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refresher::Uac => "uac",
            Refresher::Uas => "uas",
        })
    }
}

impl SessionExpires {
    /// What RFC 4028 §4 recommends: 30 minutes.
    pub const RECOMMENDED: u32 = 1800;

    /// An interval in seconds, at least [`MinSe::LEAST`]; who refreshes is left open.
    #[must_use]
    pub fn new(seconds: u32) -> Self {
        SessionExpires { seconds: seconds.max(MinSe::LEAST), refresher: None, params: Params::new() }
    }

    /// The interval in seconds. A peer may have sent less than [`MinSe::LEAST`], which is answered by a 422.
    #[must_use]
    pub fn seconds(&self) -> u32 {
        self.seconds
    }
}

fn session_expires<'a>(whole: &ByteStr, input: &'a str) -> Parsed<'a, SessionExpires> {
    let (rest, seconds) = grammar::delta_seconds(input)?;
    let (after, mut params) = grammar::params(whole, rest)?;
    let refresher = match params.take("refresher") {
        None => None,
        Some(side) => match side.unwrap_or_default().parse() {
            Ok(side) => Some(side),
            Err(_) => return grammar::stop(rest),
        },
    };
    Ok((after, SessionExpires { seconds, refresher, params }))
}

impl TypedHeader for SessionExpires {
    const NAME: HeaderName = HeaderName::SessionExpires;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        let rule = |input| session_expires(&value, input);
        super::complete(&value, rule, Self::NAME, "a number of seconds, and uac or uas as refresher")
    }

    fn write(&self, out: &mut String) {
        grammar::write_number(out, self.seconds);
        out.push_str(match self.refresher {
            None => "",
            Some(Refresher::Uac) => ";refresher=uac",
            Some(Refresher::Uas) => ";refresher=uas",
        });
        self.params.write_without(out, &["refresher"]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn session_expires_names_who_refreshes() {
        let (read, written) = rewritten::<SessionExpires>("1800 ;x=y ;Refresher=UAS");
        assert_eq!((read.refresher, written.as_str()), (Some(Refresher::Uas), "1800;refresher=uas;x=y"));
        for text in ["", "soon", "1800;refresher", "1800;refresher=me", "1800 uac"] {
            assert!(SessionExpires::parse_value(text.into()).is_err(), "{text}");
        }
    }

    #[test]
    fn an_interval_that_is_too_short_is_read_but_not_made() {
        assert_eq!(rewritten::<SessionExpires>("60").0.seconds(), 60);
        let mut made = SessionExpires::new(60);
        made.params.set("REFRESHER", Some("me"));
        assert_eq!(made.to_string(), "90");
    }
}

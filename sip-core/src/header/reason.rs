use alloc::string::String;
use alloc::string::ToString;

use super::{HeaderError, HeaderName, Repetition, TypedHeader};
use crate::grammar::{self, Parsed};
use crate::{ByteStr, Params, StatusCode};

/// Why a request was sent (RFC 3326): `SIP;cause=200;text="Call completed elsewhere"`.
///
/// ```
/// use blether_sip_core::{Reason, StatusCode};
///
/// let reason: Reason = "Q.850;cause=16;text=\"Terminated\"".parse()?;
/// assert_eq!((reason.cause(), reason.text()), (Some(16), Some("Terminated")));
/// assert_eq!(Reason::sip(StatusCode::OK, "Call completed elsewhere").cause(), Some(200));
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reason {
    /// Whose cause codes these are: `SIP` or `Q.850`.
    pub protocol: ByteStr,
    /// The parameters, such as `cause` and `text`.
    pub params: Params,
}

impl Reason {
    /// The reason that a SIP status says, with a text for people.
    #[must_use]
    pub fn sip(status: StatusCode, text: &str) -> Self {
        let mut params = Params::new();
        params.set("cause", Some(&status.to_string()));
        params.set_quoted("text", text);
        Reason { protocol: ByteStr::from_static("SIP"), params }
    }

    /// The `cause` parameter.
    #[must_use]
    pub fn cause(&self) -> Option<u16> {
        self.params.value("cause")?.parse().ok()
    }

    /// The `text` parameter.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.params.value("text")
    }
}

fn reason<'a>(whole: &ByteStr, input: &'a str) -> Parsed<'a, Reason> {
    let (rest, protocol) = grammar::token(input)?;
    let (rest, params) = grammar::params(whole, rest)?;
    Ok((rest, Reason { protocol: whole.share(protocol), params }))
}

impl TypedHeader for Reason {
    const NAME: HeaderName = HeaderName::Reason;
    const REPETITION: Repetition = Repetition::Values;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        super::complete(&value, |input| reason(&value, input), Self::NAME, "a protocol such as SIP ;cause=200")
    }

    fn write(&self, out: &mut String) {
        grammar::write_token(out, &self.protocol, "SIP");
        self.params.write(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn a_reason_has_a_cause_and_a_text() {
        let (read, written) = rewritten::<Reason>("SIP ;cause=200 ;text=\"Call completed elsewhere\"");
        assert_eq!((read.cause(), read.text()), (Some(200), Some("Call completed elsewhere")));
        assert_eq!(written, "SIP;cause=200;text=\"Call completed elsewhere\"");
        assert_eq!(read, Reason::sip(StatusCode::OK, "Call completed elsewhere"));
        assert_eq!(rewritten::<Reason>("Q.850;cause=x").0.cause(), None);
        assert!(Reason::parse_value(";cause=1".into()).is_err());
    }
}

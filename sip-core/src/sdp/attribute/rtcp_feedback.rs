use alloc::string::String;

use super::SdpAttribute;
use super::words::{read, write_text, write_token};
use crate::ByteStr;
use crate::sdp::SdpError;
use crate::sdp::field::number;

/// A kind of feedback that RTCP may carry for a format: `a=rtcp-fb` (RFC 4585 §4.2, RFC 5104 §7.1).
///
/// ```
/// use blether_sip_core::sdp::attribute::RtcpFeedback;
///
/// let pli: RtcpFeedback = "98 nack pli".parse()?;
/// assert!(pli.is("nack", Some("pli")) && pli.applies_to(98) && !pli.applies_to(97));
/// assert!("* ccm fir".parse::<RtcpFeedback>()?.applies_to(97));
/// # Ok::<(), blether_sip_core::sdp::SdpError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RtcpFeedback {
    /// The format, or `*` for all of the stream.
    pub format: ByteStr,
    /// `ack`, `nack`, `ccm`, `trr-int`, `transport-cc`, `goog-remb`, …
    pub kind: ByteStr,
    /// What follows it: `pli`, `fir`, `tmmbr smaxpr=120`, the milliseconds of `trr-int`, …
    pub parameters: Option<ByteStr>,
}

impl RtcpFeedback {
    /// Whether the feedback is of this kind with these parameters.
    #[must_use]
    pub fn is(&self, kind: &str, parameters: Option<&str>) -> bool {
        self.kind == *kind && self.parameters.as_deref() == parameters
    }

    /// Whether it is meant for this payload type.
    #[must_use]
    pub fn applies_to(&self, payload_type: u8) -> bool {
        self.format == *"*" || number(&self.format) == Some(payload_type)
    }
}

impl SdpAttribute for RtcpFeedback {
    const NAME: &'static str = "rtcp-fb";

    fn parse_value(value: ByteStr) -> Result<Self, SdpError> {
        read(&value, "a format and a kind of feedback such as 96 nack pli", |words| {
            Some(RtcpFeedback { format: words.token()?, kind: words.token()?, parameters: words.text() })
        })
    }

    fn write(&self, out: &mut String) {
        write_token(out, &self.format, "*");
        out.push(' ');
        write_token(out, &self.kind, "x");
        if let Some(parameters) = &self.parameters {
            out.push(' ');
            write_text(out, parameters, "x");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, refused};
    use super::*;

    #[test]
    fn feedback_has_a_format_a_kind_and_parameters() {
        check::<RtcpFeedback>("* trr-int 5000", "* trr-int 5000"); // RFC 4585 §4.6
        check::<RtcpFeedback>("98 ccm tmmbr  smaxpr=120", "98 ccm tmmbr  smaxpr=120"); // RFC 5104 §7.3
        assert!(check::<RtcpFeedback>(" 96 goog-remb ", "96 goog-remb").is("goog-remb", None));
        refused::<RtcpFeedback>(&["", "96", "96 ", "a b/c"]);
        let hostile = RtcpFeedback { format: " ".into(), kind: "".into(), parameters: Some("\r\n".into()) };
        assert_eq!(hostile.to_string(), "* x x");
    }
}

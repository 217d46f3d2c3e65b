use alloc::string::String;

use super::{HeaderError, HeaderName, Repetition, TypedHeader};
use crate::grammar::{self, Parsed};
use crate::{ByteStr, Params};

/// By what network a user agent reaches the server (RFC 7315 §4.4): `3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=…`.
///
/// ```
/// use blether_sip_core::PAccessNetworkInfo;
///
/// let info: PAccessNetworkInfo = "IEEE-802.11;i-wlan-node-id=002500f1a3c0;network-provided".parse()?;
/// assert_eq!(info.params.value("i-wlan-node-id"), Some("002500f1a3c0"));
/// assert!(info.is_network_provided());
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PAccessNetworkInfo {
    /// The type of the network, such as `IEEE-802.11`, or its class, such as `3GPP-WLAN`.
    pub access: ByteStr,
    /// Where in that network: the identity of a cell or a line, as `utran-cell-id-3gpp` or `dsl-location`.
    pub params: Params,
}

impl PAccessNetworkInfo {
    /// Whether a proxy of the network has put this in, and not the user agent (RFC 7315 §5.4, `network-provided`).
    #[must_use]
    pub fn is_network_provided(&self) -> bool {
        self.params.has("network-provided")
    }
}

fn info<'a>(whole: &ByteStr, input: &'a str) -> Parsed<'a, PAccessNetworkInfo> {
    let (rest, access) = grammar::token(input)?;
    let (rest, params) = grammar::params(whole, rest)?;
    Ok((rest, PAccessNetworkInfo { access: whole.share(access), params }))
}

impl TypedHeader for PAccessNetworkInfo {
    const NAME: HeaderName = HeaderName::PAccessNetworkInfo;
    const REPETITION: Repetition = Repetition::Values;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        super::complete(&value, |input| info(&value, input), Self::NAME, "an access network such as IEEE-802.11")
    }

    fn write(&self, out: &mut String) {
        grammar::write_token(out, &self.access, "unknown");
        self.params.write(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn an_access_network_has_a_type_and_a_place() {
        let (info, written) =
            rewritten::<PAccessNetworkInfo>("3GPP-UTRAN-TDD; utran-cell-id-3gpp=\"00F1A3C0\" ;network-provided");
        assert_eq!(info.params.value("utran-cell-id-3gpp"), Some("00F1A3C0"));
        assert_eq!(written, "3GPP-UTRAN-TDD;utran-cell-id-3gpp=\"00F1A3C0\";network-provided");
        assert!(!rewritten::<PAccessNetworkInfo>("ADSL2+").0.is_network_provided());
        for text in ["", ";x", "ADSL 2", "ADSL;"] {
            assert!(PAccessNetworkInfo::parse_value(text.into()).is_err(), "{text}");
        }
    }
}

use alloc::string::String;

use super::{HeaderError, HeaderName, NameAddr, TypedHeader};
use crate::ByteStr;

/// The address of record that was called, before the proxy put a contact in its place (RFC 7315 §4.2).
///
/// ```
/// use blether_sip_core::PCalledPartyId;
///
/// // RFC 7315 §4.2.
/// let called: PCalledPartyId = "<sip:user1-business@example.com>".parse()?;
/// assert_eq!(called.0.uri.to_string(), "sip:user1-business@example.com");
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PCalledPartyId(pub NameAddr);

impl TypedHeader for PCalledPartyId {
    const NAME: HeaderName = HeaderName::PCalledPartyId;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        NameAddr::parse_value(&value, Self::NAME).map(PCalledPartyId)
    }

    fn write(&self, out: &mut String) {
        self.0.write(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn a_called_party_is_an_address() {
        assert_eq!(
            rewritten::<PCalledPartyId>("sip:user1-business@example.com;x").1,
            "<sip:user1-business@example.com>;x"
        );
        assert!(PCalledPartyId::parse_value("<sip:a@b>, <sip:c@d>".into()).is_err());
    }
}

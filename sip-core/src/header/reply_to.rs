use alloc::string::String;

use super::{HeaderError, HeaderName, NameAddr, TypedHeader};
use crate::ByteStr;

/// Where to answer to, if not at the address of the From (RFC 3261 §20.31).
///
/// ```
/// use blether_sip_core::ReplyTo;
///
/// let reply_to: ReplyTo = "Bob <sip:bob@biloxi.com>".parse()?;
/// assert_eq!(reply_to.0.uri.to_string(), "sip:bob@biloxi.com");
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReplyTo(pub NameAddr);

impl TypedHeader for ReplyTo {
    const NAME: HeaderName = HeaderName::ReplyTo;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        NameAddr::parse_value(&value, Self::NAME).map(ReplyTo)
    }

    fn write(&self, out: &mut String) {
        self.0.write(out);
    }
}

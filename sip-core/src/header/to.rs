use alloc::string::String;

use super::{HeaderError, HeaderName, NameAddr, TypedHeader};
use crate::ByteStr;

/// Whom a request is for, with the tag of that side once it has answered (RFC 3261 §20.39).
///
/// ```
/// use blether_sip_core::To;
///
/// let to: To = "The Operator <sip:operator@cs.columbia.edu>;tag=287447".parse()?;
/// assert_eq!(to.0.tag(), Some("287447"));
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct To(pub NameAddr);

impl TypedHeader for To {
    const NAME: HeaderName = HeaderName::To;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        NameAddr::parse_value(&value, Self::NAME).map(To)
    }

    fn write(&self, out: &mut String) {
        self.0.write(out);
    }
}

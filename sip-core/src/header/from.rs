use alloc::string::String;

use super::{HeaderError, HeaderName, NameAddr, TypedHeader};
use crate::ByteStr;

/// Who sends a request, with the tag of its side of the dialog (RFC 3261 §20.20).
///
/// ```
/// use blether_sip_core::From;
///
/// let from: From = "\"A. G. Bell\" <sip:agb@bell-telephone.com>;tag=a48s".parse()?;
/// assert_eq!((from.0.display_name.as_deref(), from.0.tag()), (Some("A. G. Bell"), Some("a48s")));
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct From(pub NameAddr);

impl TypedHeader for From {
    const NAME: HeaderName = HeaderName::From;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        NameAddr::parse_value(&value, Self::NAME).map(From)
    }

    fn write(&self, out: &mut String) {
        self.0.write(out);
    }
}

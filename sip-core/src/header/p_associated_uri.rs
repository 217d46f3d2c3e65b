use alloc::string::String;

use super::{HeaderError, HeaderName, NameAddr, Repetition, TypedHeader};
use crate::ByteStr;

/// An address of record that belongs to the one just registered, in the answer to a REGISTER (RFC 7315 §4.1).
///
/// The header with no value says that there is none: [`Headers::all`](crate::Headers::all) is then empty, and
/// [`Headers::has`](crate::Headers::has) is true.
///
/// ```
/// use blether_sip_core::PAssociatedUri;
///
/// let uri: PAssociatedUri = "<tel:+15551234567>".parse()?;
/// assert_eq!(uri.0.uri.to_string(), "tel:+15551234567");
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PAssociatedUri(pub NameAddr);

impl TypedHeader for PAssociatedUri {
    const NAME: HeaderName = HeaderName::PAssociatedUri;
    const REPETITION: Repetition = Repetition::Values;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        NameAddr::parse_value(&value, Self::NAME).map(PAssociatedUri)
    }

    fn write(&self, out: &mut String) {
        self.0.write(out);
    }
}

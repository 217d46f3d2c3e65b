use alloc::string::String;

use super::{HeaderError, HeaderName, NameAddr, Repetition, TypedHeader};
use crate::ByteStr;

/// A proxy that wants to stay on the way of a dialog (RFC 3261 §20.30).
///
/// ```
/// use blether_sip_core::RecordRoute;
///
/// let proxy: RecordRoute = "<sip:server10.biloxi.com;lr>".parse()?;
/// assert_eq!(proxy.0.uri.to_string(), "sip:server10.biloxi.com;lr");
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RecordRoute(pub NameAddr);

impl TypedHeader for RecordRoute {
    const NAME: HeaderName = HeaderName::RecordRoute;
    const REPETITION: Repetition = Repetition::Values;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        NameAddr::parse_value(&value, Self::NAME).map(RecordRoute)
    }

    fn write(&self, out: &mut String) {
        self.0.write(out);
    }
}

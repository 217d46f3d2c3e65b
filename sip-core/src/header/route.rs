use alloc::string::String;

use super::{HeaderError, HeaderName, NameAddr, Repetition, TypedHeader};
use crate::ByteStr;

/// A proxy that a request has still to pass (RFC 3261 §20.34).
///
/// ```
/// use blether_sip_core::Route;
///
/// let proxy: Route = "<sip:ss1.atlanta.com;lr>".parse()?;
/// assert!(proxy.0.uri.as_sip().is_some_and(|uri| uri.params.has("lr")));
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Route(pub NameAddr);

impl TypedHeader for Route {
    const NAME: HeaderName = HeaderName::Route;
    const REPETITION: Repetition = Repetition::Values;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        NameAddr::parse_value(&value, Self::NAME).map(Route)
    }

    fn write(&self, out: &mut String) {
        self.0.write(out);
    }
}

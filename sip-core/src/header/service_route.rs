use alloc::string::String;

use super::{HeaderError, HeaderName, NameAddr, Repetition, TypedHeader};
use crate::ByteStr;

/// A proxy that a registered user agent has its requests pass, the first one first (RFC 3608 §5).
///
/// A registrar sends the values in the 200 to a REGISTER; the user agent puts them into the Route of what it begins.
///
/// ```
/// use blether_sip_core::{Route, ServiceRoute};
///
/// let value: ServiceRoute = "<sip:orig@proxy.example.com;lr>".parse()?;
/// assert_eq!(Route(value.0).to_string(), "<sip:orig@proxy.example.com;lr>");
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServiceRoute(pub NameAddr);

impl TypedHeader for ServiceRoute {
    const NAME: HeaderName = HeaderName::ServiceRoute;
    const REPETITION: Repetition = Repetition::Values;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        NameAddr::parse_value(&value, Self::NAME).map(ServiceRoute)
    }

    fn write(&self, out: &mut String) {
        self.0.write(out);
    }
}

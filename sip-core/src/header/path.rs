use alloc::string::String;

use super::{HeaderError, HeaderName, NameAddr, Repetition, TypedHeader};
use crate::ByteStr;

/// A proxy that requests to a registered contact have to pass, the one nearest to the registrar first (RFC 3327 §4).
///
/// A registrar keeps the values with the binding and puts them into the Route of what it sends there.
///
/// ```
/// use blether_sip_core::Path;
///
/// let path: Path = "<sip:P1.example.com;lr>".parse()?;
/// assert!(path.0.uri.as_sip().is_some_and(|uri| uri.params.has("lr")));
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Path(pub NameAddr);

impl TypedHeader for Path {
    const NAME: HeaderName = HeaderName::Path;
    const REPETITION: Repetition = Repetition::Values;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        NameAddr::parse_value(&value, Self::NAME).map(Path)
    }

    fn write(&self, out: &mut String) {
        self.0.write(out);
    }
}

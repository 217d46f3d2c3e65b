use alloc::string::String;

use super::{HeaderError, HeaderName, NameAddr, Repetition, TypedHeader};
use crate::ByteStr;

/// A proxy that a request has still to pass (RFC 3261 §20.34).
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

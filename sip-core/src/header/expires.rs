use alloc::string::String;

use super::{HeaderError, HeaderName, TypedHeader};
use crate::{ByteStr, grammar, ordinary};

/// After how many seconds a message or its content is out of date (RFC 3261 §20.19).
///
/// More than 32 bits can say reads as 4,294,967,295.
///
/// ```
/// use blether_sip_core::Expires;
///
/// assert_eq!("3600".parse(), Ok(Expires(3600)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Expires(pub u32);

impl TypedHeader for Expires {
    const NAME: HeaderName = HeaderName::Expires;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        if let Some(seconds) = ordinary::whole_number(value.as_bytes()) {
            return Ok(Expires(seconds));
        }
        super::complete(&value, grammar::delta_seconds, Self::NAME, "a number of seconds").map(Expires)
    }

    fn write(&self, out: &mut String) {
        grammar::write_number(out, self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn expires_is_a_number_of_seconds() {
        assert_eq!(rewritten::<Expires>(" 3600 ").0, Expires(3600));
        assert_eq!(rewritten::<Expires>("99999999999999").0, Expires(u32::MAX));
        for text in ["", "-1", "1.5", "Thu, 01 Dec 1994 16:00:00 GMT"] {
            assert!(Expires::parse_value(text.into()).is_err(), "{text}");
        }
    }
}

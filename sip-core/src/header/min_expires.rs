use alloc::string::String;
use alloc::string::ToString;

use super::{HeaderError, HeaderName, TypedHeader};
use crate::{ByteStr, grammar};

/// The shortest expiry in seconds that a registrar takes, sent with a 423 (RFC 3261 §20.23).
///
/// More than 32 bits can say reads as 4,294,967,295.
///
/// ```
/// use blether_sip_core::MinExpires;
///
/// assert_eq!("60".parse(), Ok(MinExpires(60)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MinExpires(pub u32);

impl TypedHeader for MinExpires {
    const NAME: HeaderName = HeaderName::MinExpires;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        super::complete(&value, grammar::delta_seconds, Self::NAME, "a number of seconds").map(MinExpires)
    }

    fn write(&self, out: &mut String) {
        out.push_str(&self.0.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn min_expires_is_a_number_of_seconds() {
        assert_eq!(rewritten::<MinExpires>(" 3600 ").0, MinExpires(3600));
        assert_eq!(rewritten::<MinExpires>("99999999999999").0, MinExpires(u32::MAX));
        for text in ["", "-1", "1.5", "Thu, 01 Dec 1994 16:00:00 GMT"] {
            assert!(MinExpires::parse_value(text.into()).is_err(), "{text}");
        }
    }
}

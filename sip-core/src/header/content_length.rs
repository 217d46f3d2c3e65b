use alloc::string::String;

use super::{HeaderError, HeaderName, TypedHeader};
use crate::{ByteStr, grammar};

/// The length of the body in bytes (RFC 3261 §20.14). Messages keep it right by themselves.
///
/// ```
/// use blether_sip_core::ContentLength;
///
/// assert_eq!("349".parse(), Ok(ContentLength(349)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentLength(pub usize);

impl TypedHeader for ContentLength {
    const NAME: HeaderName = HeaderName::ContentLength;

    /// Reads `1*DIGIT`; what no message can be as long as is refused.
    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        ContentLength::read(&value)
    }

    fn write(&self, out: &mut String) {
        grammar::write_number(out, u32::try_from(self.0).unwrap_or(u32::MAX));
    }
}

impl ContentLength {
    #[inline]
    pub(crate) fn read(value: &str) -> Result<ContentLength, HeaderError> {
        super::complete(value, grammar::number::<u32>, Self::NAME, "a number of bytes")
            .map(|length| ContentLength(usize::try_from(length).unwrap_or(usize::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn content_length_is_a_number() {
        assert_eq!(rewritten::<ContentLength>("0150").0, ContentLength(150));
        for text in ["", "-999", "+5", "0x10", "1e3", "99999999999999999999"] {
            assert!(ContentLength::parse_value(text.into()).is_err(), "{text}");
        }
    }
}

use alloc::string::String;

use super::{HeaderError, HeaderName, TypedHeader};
use crate::ByteStr;
use crate::class::{self, GRAPHIC};

/// What all messages of a call or of a user agent's registrations share (RFC 3261 §20.8); compared with case.
///
/// ```
/// use blether_sip_core::CallId;
///
/// let call_id: CallId = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6@biloxi.com".parse()?;
/// assert_ne!(call_id, CallId("F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6@biloxi.com".into()));
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CallId(pub ByteStr);

impl TypedHeader for CallId {
    const NAME: HeaderName = HeaderName::CallId;

    /// Reads any one word of visible characters: peers do not keep to `word [ "@" word ]`.
    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        CallId::read(&value).map(|text| CallId(value.share(text)))
    }

    fn write(&self, out: &mut String) {
        out.extend(self.0.chars().filter(char::is_ascii_graphic));
    }
}

impl CallId {
    /// Whether the bytes are one word and nothing else.
    #[inline]
    pub(crate) fn is_one(value: &[u8]) -> bool {
        !value.is_empty() && class::all(value, GRAPHIC)
    }

    /// The word that a value is, without making it.
    #[inline]
    pub(crate) fn read(value: &str) -> Result<&str, HeaderError> {
        let text = class::trim_wsp(value);
        if text.is_empty() || !class::all(text.as_bytes(), GRAPHIC) {
            let rest = class::split(text, GRAPHIC).1;
            return Err(HeaderError::malformed(Self::NAME, "one word").at(value, rest));
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn a_call_id_is_one_word() {
        assert_eq!(rewritten::<CallId>("a84b4c76e66710@pc33.atlanta.com").1, "a84b4c76e66710@pc33.atlanta.com");
        for (text, column) in [("", 1), ("a b", 2), (" a\u{e9}", 3)] {
            let error = CallId::parse_value(text.into()).unwrap_err();
            assert_eq!(error.to_string(), format!("Bad Call-ID header: expected one word at column {column}"));
        }
    }
}

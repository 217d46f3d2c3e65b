use alloc::string::String;

use super::accept_language::is_tag;
use super::{HeaderError, HeaderName, Repetition, TypedHeader};
use crate::ByteStr;

/// A language that the body is in (RFC 3261 §20.13).
///
/// ```
/// use blether_sip_core::ContentLanguage;
///
/// let language: ContentLanguage = "fr".parse()?;
/// assert_eq!(language.tag(), "fr");
/// assert!(ContentLanguage::new("no tag").is_err());
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ContentLanguage(ByteStr);

impl ContentLanguage {
    /// A language tag, such as `en-gb`.
    ///
    /// # Errors
    ///
    /// [`HeaderError::Malformed`] if it is none.
    pub fn new(tag: &str) -> Result<Self, HeaderError> {
        let error = || HeaderError::malformed(Self::NAME, "a language such as en-gb");
        is_tag(tag).then(|| ContentLanguage(tag.into())).ok_or_else(error)
    }

    /// The language tag, as written.
    #[must_use]
    pub fn tag(&self) -> &str {
        &self.0
    }
}

impl TypedHeader for ContentLanguage {
    const NAME: HeaderName = HeaderName::ContentLanguage;
    const REPETITION: Repetition = Repetition::Values;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        let text = crate::class::trim_wsp(&value);
        if !is_tag(text) {
            return Err(HeaderError::malformed(Self::NAME, "a language such as en-gb").at(&value, text));
        }
        Ok(ContentLanguage(value.share(text)))
    }

    fn write(&self, out: &mut String) {
        out.push_str(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn a_language_has_a_tag() {
        assert_eq!(rewritten::<ContentLanguage>(" es-419 ").0.tag(), "es-419");
        for text in ["", "*", "419", "en_gb", "en-", "abcdefghi", "en fr"] {
            assert!(ContentLanguage::parse_value(text.into()).is_err(), "{text}");
        }
    }
}

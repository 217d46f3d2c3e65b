use alloc::string::String;

use super::{HeaderError, HeaderName, Repetition, TypedHeader};
use crate::{ByteStr, grammar};

/// A coding of the body, such as `gzip`; of several, the one that was applied first comes first (RFC 3261 §20.12).
///
/// ```
/// use blether_sip_core::ContentEncoding;
///
/// let coding: ContentEncoding = "gzip".parse()?;
/// assert!(coding.is("GZip"));
/// assert!(ContentEncoding::new("no token").is_err());
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ContentEncoding(ByteStr);

impl ContentEncoding {
    /// A coding that is a `token`.
    ///
    /// # Errors
    ///
    /// [`HeaderError::Malformed`] if it is none.
    pub fn new(coding: &str) -> Result<Self, HeaderError> {
        let error = || HeaderError::malformed(Self::NAME, "a coding such as gzip");
        grammar::is_token(coding).then(|| ContentEncoding(coding.into())).ok_or_else(error)
    }

    /// The coding, as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is this coding; compared without case. `identity` is none.
    #[must_use]
    pub fn is(&self, coding: &str) -> bool {
        self.0.eq_ignore_ascii_case(coding)
    }
}

impl TypedHeader for ContentEncoding {
    const NAME: HeaderName = HeaderName::ContentEncoding;
    const REPETITION: Repetition = Repetition::Values;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        super::complete(&value, grammar::token, Self::NAME, "a coding such as gzip")
            .map(|coding| ContentEncoding(value.share(coding)))
    }

    fn write(&self, out: &mut String) {
        out.push_str(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Headers;
    use crate::header::rewritten;

    #[test]
    fn codings_are_tokens_between_commas() {
        assert_eq!(rewritten::<ContentEncoding>(" tar").0.as_str(), "tar");
        assert_eq!(ContentEncoding::parse_value("a b".into()).unwrap_err().column(), Some(3));
        let mut headers = Headers::new();
        headers.push_raw(&HeaderName::ContentEncoding, "tar, , GZIP").unwrap();
        let codings = headers.all::<ContentEncoding>().unwrap();
        assert!(codings.len() == 2 && codings[1].is("gzip"));
    }
}

use alloc::string::String;

use super::{HeaderError, HeaderName, TypedHeader};
use crate::class::{self, GRAPHIC};
use crate::{ByteStr, grammar};

macro_rules! entity_tags {
    ($($(#[$doc:meta])* $name:ident)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Eq, Hash)]
            pub struct $name(ByteStr);

            impl $name {
                /// A tag that is a `token`.
                ///
                /// # Errors
                ///
                /// [`HeaderError::Malformed`] if it is none.
                pub fn new(tag: &str) -> Result<Self, HeaderError> {
                    let expected = "a token as the entity tag";
                    let error = || HeaderError::malformed(Self::NAME, expected);
                    grammar::is_token(tag).then(|| $name(tag.into())).ok_or_else(error)
                }

                /// The tag; compared byte by byte.
                #[must_use]
                pub fn as_str(&self) -> &str {
                    &self.0
                }
            }

            impl TypedHeader for $name {
                const NAME: HeaderName = HeaderName::$name;

                /// Reads any one word of visible characters, since it has only to be sent back as it came.
                fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
                    let text = class::trim_wsp(&value);
                    if text.is_empty() || !class::all(text.as_bytes(), GRAPHIC) {
                        let rest = class::split(text, GRAPHIC).1;
                        return Err(HeaderError::malformed(Self::NAME, "one word").at(&value, rest));
                    }
                    Ok($name(value.share(text)))
                }

                fn write(&self, out: &mut String) {
                    out.push_str(&self.0);
                }
            }
        )*
    };
}

entity_tags! {
    /// What a compositor calls the state that a PUBLISH brought (RFC 3903 §11.3.1).
    ///
    /// ```
    /// use blether_sip_core::{SipEtag, SipIfMatch};
    ///
    /// let etag: SipEtag = "dx200xyz".parse()?;
    /// assert_eq!(SipIfMatch::from(etag).to_string(), "dx200xyz");
    /// assert!(SipEtag::new("two words").is_err());
    /// # Ok::<(), blether_sip_core::HeaderError>(())
    /// ```
    SipEtag
    /// Which state a PUBLISH changes, refreshes or removes (RFC 3903 §11.3.2): the SIP-ETag of the last answer.
    ///
    /// ```
    /// use blether_sip_core::SipIfMatch;
    ///
    /// let known = SipIfMatch::new("dx200xyz").unwrap();
    /// assert_eq!(known.as_str(), "dx200xyz");
    /// ```
    SipIfMatch
}

impl core::convert::From<SipEtag> for SipIfMatch {
    fn from(etag: SipEtag) -> Self {
        SipIfMatch(etag.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn an_entity_tag_comes_back_as_it_came() {
        let (etag, written) = rewritten::<SipEtag>(" d2x/00==\t");
        assert_eq!((written.as_str(), SipIfMatch::from(etag)), ("d2x/00==", rewritten::<SipIfMatch>("d2x/00==").0));
        for (text, column) in [("", 1), ("a b", 2), ("\u{e9}", 1)] {
            assert_eq!(SipIfMatch::parse_value(text.into()).unwrap_err().column(), Some(column), "{text}");
        }
        let error = SipEtag::new("d2x/00==").unwrap_err();
        assert_eq!(error.to_string(), "Bad SIP-ETag header: expected a token as the entity tag");
    }
}

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use super::{HeaderError, HeaderName, TypedHeader};
use crate::grammar::{self, Parsed};
use crate::{ByteStr, InvalidText, Params};

/// What a body or a part of it is for (RFC 3261 §20.11).
///
/// Where the header is absent, a session description is for the session, and any other body is to be rendered.
///
/// ```
/// use blether_sip_core::{ContentDisposition, Handling};
///
/// let disposition: ContentDisposition = "session;handling=optional".parse()?;
/// assert!(disposition.is("session"));
/// assert_eq!(disposition.handling, Some(Handling::Optional));
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ContentDisposition {
    /// What the body is for: `render`, `session`, `icon`, `alert` or another `token`.
    pub disposition: ByteStr,
    /// What becomes of a message whose body is not understood; see [`ContentDisposition::is_required`].
    pub handling: Option<Handling>,
    /// The parameters that have no field, such as `filename`.
    pub params: Params,
}

/// What becomes of a message with a body that is not understood (RFC 3204 §6, RFC 5621 §8).
///
/// ```
/// use blether_sip_core::{ContentDisposition, Handling};
///
/// assert!(ContentDisposition::new("icon").is_required());
/// let disposition = ContentDisposition::new("icon").with_handling(Handling::Optional);
/// assert_eq!(disposition.to_string(), "icon;handling=optional");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Handling {
    /// The body is ignored.
    Optional,
    /// The message is refused with 415.
    Required,
    /// Something that no RFC defines.
    Other(ByteStr),
}

impl Handling {
    fn as_str(&self) -> &str {
        match self {
            Handling::Optional => "optional",
            Handling::Required => "required",
            Handling::Other(word) => word,
        }
    }

    fn read(word: ByteStr) -> Option<Self> {
        match &*word {
            known if known.eq_ignore_ascii_case("optional") => Some(Handling::Optional),
            known if known.eq_ignore_ascii_case("required") => Some(Handling::Required),
            other => grammar::is_token(other).then_some(Handling::Other(word)),
        }
    }
}

impl FromStr for Handling {
    type Err = InvalidText;

    /// Reads a token, in any case.
    fn from_str(word: &str) -> Result<Self, InvalidText> {
        Handling::read(word.into()).ok_or(InvalidText::Handling)
    }
}

impl fmt::Display for Handling {
    /// Writes the word; characters that no token has are left out, and if that leaves nothing, it is `required`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        grammar::fmt_token(f, self.as_str(), "required")
    }
}

impl ContentDisposition {
    /// A disposition without parameters.
    #[must_use]
    pub fn new(disposition: &str) -> Self {
        ContentDisposition { disposition: disposition.into(), handling: None, params: Params::new() }
    }

    /// The same with this handling, which RFC 5621 §8.2 wants in parts of a multipart body.
    #[must_use]
    pub fn with_handling(self, handling: Handling) -> Self {
        ContentDisposition { handling: Some(handling), ..self }
    }

    /// Whether it is this disposition; compared without case.
    #[must_use]
    pub fn is(&self, disposition: &str) -> bool {
        self.disposition.eq_ignore_ascii_case(disposition)
    }

    /// Whether a message is refused whose body is not understood: unless that is optional.
    #[must_use]
    pub fn is_required(&self) -> bool {
        self.handling != Some(Handling::Optional)
    }
}

fn content_disposition<'a>(whole: &ByteStr, input: &'a str) -> Parsed<'a, ContentDisposition> {
    let (rest, disposition) = grammar::token(input)?;
    let (after, mut params) = grammar::params(whole, rest)?;
    let handling = match params.take("handling") {
        None => None,
        Some(text) => match text.and_then(Handling::read) {
            None => return grammar::stop(rest),
            handling => handling,
        },
    };
    Ok((after, ContentDisposition { disposition: whole.share(disposition), handling, params }))
}

impl TypedHeader for ContentDisposition {
    const NAME: HeaderName = HeaderName::ContentDisposition;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        let rule = |input| content_disposition(&value, input);
        super::complete(&value, rule, Self::NAME, "a disposition such as session;handling=optional")
    }

    fn write(&self, out: &mut String) {
        grammar::write_token(out, &self.disposition, "render");
        if let Some(handling) = &self.handling {
            out.push_str(";handling=");
            grammar::write_token(out, handling.as_str(), "required");
        }
        self.params.write_without(out, &["handling"]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn a_body_is_required_unless_it_is_optional() {
        let (read, written) = rewritten::<ContentDisposition>("Attachment; filename=\"a;b\" ;Handling=OPTIONAL");
        assert_eq!(written, "Attachment;handling=optional;filename=\"a;b\"");
        assert!(read.is("attachment") && !read.is_required());
        for text in ["session", "session;handling=required", "session;handling=maybe"] {
            assert!(rewritten::<ContentDisposition>(text).0.is_required(), "{text}");
        }
        for text in ["", ";handling=optional", "a b", "a;handling", "a;handling=\"b c\""] {
            assert!(ContentDisposition::parse_value(text.into()).is_err(), "{text}");
        }
        let mut hostile = ContentDisposition::new("\r\n");
        hostile.handling = Some(Handling::Other("a;b".into()));
        hostile.params.set("handling", Some("optional"));
        assert_eq!(hostile.to_string(), "render;handling=ab");
    }
}

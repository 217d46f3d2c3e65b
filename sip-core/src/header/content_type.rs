use alloc::format;
use alloc::string::String;

use super::{HeaderError, HeaderName, TypedHeader};
use crate::class::{self, TOKEN};
use crate::grammar::{self, Parsed};
use crate::{ByteStr, Params};

/// What the body is: a media type with its parameters (RFC 3261 §20.15).
///
/// ```
/// use blether_sip_core::ContentType;
///
/// let html: ContentType = "Text/HTML;charset=ISO-8859-4".parse()?;
/// assert_eq!((html.essence(), html.params.value("charset")), ("text/html", Some("ISO-8859-4")));
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ContentType {
    essence: ByteStr,
    /// The parameters, such as `charset` and `boundary`.
    pub params: Params,
}

impl ContentType {
    /// `application/sdp` (RFC 8866).
    #[must_use]
    pub fn sdp() -> Self {
        ContentType { essence: ByteStr::from_static("application/sdp"), params: Params::new() }
    }

    /// This type, which must be `token/token`, without parameters.
    pub(crate) fn of(essence: &str) -> Self {
        ContentType { essence: essence.to_ascii_lowercase().into(), params: Params::new() }
    }

    /// `type/subtype` in lower case, without parameters.
    #[must_use]
    pub fn essence(&self) -> &str {
        &self.essence
    }
}

fn media_type<'a>(whole: &ByteStr, input: &'a str) -> Parsed<'a, ContentType> {
    use nom::Parser;
    let (rest, (kind, _, subtype)) = (grammar::token, grammar::separator('/'), grammar::token).parse(input)?;
    let (rest, params) = grammar::params(whole, rest)?;
    Ok((rest, ContentType { essence: format!("{kind}/{subtype}").to_ascii_lowercase().into(), params }))
}

/// Whether all of `value` is a media type in lower case, without parameters or white space.
fn is_plain(value: &[u8]) -> bool {
    let slash = class::skip(value, 0, TOKEN);
    let end = class::skip(value, slash + 1, TOKEN);
    let is_type = slash > 0 && value.get(slash) == Some(&b'/') && end > slash + 1 && end == value.len();
    is_type && !value.iter().any(u8::is_ascii_uppercase)
}

impl TypedHeader for ContentType {
    const NAME: HeaderName = HeaderName::ContentType;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        if is_plain(value.as_bytes()) {
            return Ok(ContentType { essence: value, params: Params::new() });
        }
        super::complete(&value, |input| media_type(&value, input), Self::NAME, "a type such as application/sdp")
    }

    fn write(&self, out: &mut String) {
        out.push_str(&self.essence);
        self.params.write(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn a_media_type_is_compared_in_lower_case() {
        let (read, written) = rewritten::<ContentType>("Text / HTML ; charset=\"ISO-8859-4\"");
        assert_eq!((read.essence(), read.params.value("Charset")), ("text/html", Some("ISO-8859-4")));
        assert_eq!(written, "text/html;charset=\"ISO-8859-4\"");
        assert_eq!(rewritten::<ContentType>("application/SDP").0, ContentType::sdp());
        for text in ["", "text", "text/", "/html", "text/html;", "text/html x"] {
            assert!(text.parse::<ContentType>().is_err(), "{text}");
        }
    }
}

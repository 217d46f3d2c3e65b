//! Geolocation-Routing and Geolocation-Error (RFC 6442).

use alloc::string::String;

use super::{HeaderError, HeaderName, TypedHeader};
use crate::grammar::{self, Parsed};
use crate::{ByteStr, Params};

/// Whether servers on the way may look at the location to decide where the request goes (RFC 6442 §4.2).
///
/// ```
/// use blether_sip_core::GeolocationRouting;
///
/// assert!("yes".parse::<GeolocationRouting>()?.is_allowed());
/// assert!(!"perhaps".parse::<GeolocationRouting>()?.is_allowed());
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum GeolocationRouting {
    /// They may.
    Yes,
    /// They may not, which is so, too, if there is no such header.
    No,
    /// Something else, which is to be taken as [`GeolocationRouting::No`].
    Other(ByteStr),
}

impl GeolocationRouting {
    /// Whether it is `yes`.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        *self == GeolocationRouting::Yes
    }
}

impl TypedHeader for GeolocationRouting {
    const NAME: HeaderName = HeaderName::GeolocationRouting;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        let word = super::complete(&value, grammar::token, Self::NAME, "yes or no")?;
        Ok(match word {
            word if word.eq_ignore_ascii_case("yes") => GeolocationRouting::Yes,
            word if word.eq_ignore_ascii_case("no") => GeolocationRouting::No,
            word => GeolocationRouting::Other(value.share(word)),
        })
    }

    fn write(&self, out: &mut String) {
        match self {
            GeolocationRouting::Yes => out.push_str("yes"),
            GeolocationRouting::No => out.push_str("no"),
            // What was made to be another word does not turn into a permission.
            GeolocationRouting::Other(word) if word.eq_ignore_ascii_case("yes") => out.push_str("no"),
            GeolocationRouting::Other(word) => match grammar::is_token(word) {
                true => out.push_str(word),
                false => out.push_str("no"),
            },
        }
    }
}

/// What is wrong with the location in the request (RFC 6442 §4.4).
///
/// ```
/// use blether_sip_core::GeolocationError;
///
/// let error = GeolocationError::new(200, "Permission To Use Location Information");
/// assert_eq!(error.to_string(), "200;code=\"Permission To Use Location Information\"");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GeolocationError {
    /// The code, up to 999: 100 to 199 the location cannot be had, 200 to 299 nobody has allowed to use it, 300 to 399 it
    /// cannot be dereferenced.
    pub code: u16,
    /// The parameters; the text for people is called `code`, too.
    pub params: Params,
}

impl GeolocationError {
    /// A code with a text for people.
    #[must_use]
    pub fn new(code: u16, text: &str) -> Self {
        let mut params = Params::new();
        params.set_quoted("code", text);
        GeolocationError { code, params }
    }

    /// The code as one that everybody understands: 100, 200 or 300, and 100 for what is none of these (RFC 6442 §4.4).
    #[must_use]
    pub fn top_level(&self) -> u16 {
        match self.code {
            200..300 => 200,
            300..400 => 300,
            _ => 100,
        }
    }

    /// The text for people.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.params.value("code")
    }
}

fn error<'a>(whole: &ByteStr, input: &'a str) -> Parsed<'a, GeolocationError> {
    let (rest, code) = grammar::number::<u16>(input)?;
    if code > 999 {
        return grammar::stop(input);
    }
    let (rest, params) = grammar::params(whole, rest)?;
    Ok((rest, GeolocationError { code, params }))
}

impl TypedHeader for GeolocationError {
    const NAME: HeaderName = HeaderName::GeolocationError;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        super::complete(&value, |input| error(&value, input), Self::NAME, "a code of up to three digits")
    }

    fn write(&self, out: &mut String) {
        grammar::write_number(out, u32::from(self.code.min(999)));
        self.params.write(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn only_yes_allows_routing() {
        assert_eq!(rewritten::<GeolocationRouting>(" YES ").1, "yes");
        assert_eq!(rewritten::<GeolocationRouting>("No").0, GeolocationRouting::No);
        assert_eq!(rewritten::<GeolocationRouting>("maybe").1, "maybe");
        for word in ["Yes", "", "a b", "x\r\nGeolocation-Routing: yes"] {
            assert_eq!(GeolocationRouting::Other(word.into()).to_string(), "no");
        }
        for text in ["", "yes;x", "\"yes\""] {
            assert!(GeolocationRouting::parse_value(text.into()).is_err(), "{text}");
        }
    }

    #[test]
    fn an_error_has_a_code_and_a_text() {
        let (error, written) = rewritten::<GeolocationError>("100 ; code=\"Cannot Process Location\";x");
        assert_eq!((error.code, error.text()), (100, Some("Cannot Process Location")));
        assert_eq!([202, 300, 999, 7].map(|code| GeolocationError::new(code, "").top_level()), [200, 300, 100, 100]);
        assert_eq!(written, "100;code=\"Cannot Process Location\";x");
        assert_eq!(GeolocationError::new(u16::MAX, "a\"\r\n").to_string(), "999;code=\"a\\\"  \"");
        for text in ["", "1000", "-1", "100 x", "code=\"x\""] {
            assert!(GeolocationError::parse_value(text.into()).is_err(), "{text}");
        }
    }
}

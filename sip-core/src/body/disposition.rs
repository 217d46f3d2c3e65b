use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use crate::grammar::{self, Parsed};
use crate::{ByteStr, HeaderError, HeaderName, Params, class};

/// What is to be done with a body or a part of one: the value of its Content-Disposition (RFC 3261 §20.11, RFC 5621 §8).
///
/// ```
/// use blether_sip_core::body::{Disposition, Handling};
///
/// let disposition: Disposition = "signal; handling=optional".parse()?;
/// assert_eq!((disposition.kind(), disposition.handling()), ("signal", Handling::Optional));
/// assert_eq!(Disposition::new("render").handling(), Handling::Required);
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Disposition {
    kind: ByteStr,
    /// The parameters, such as `handling`.
    pub params: Params,
}

/// What becomes of a request whose part is not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Handling {
    /// It is refused with 415 Unsupported Media Type; what holds if nothing is said.
    #[default]
    Required,
    /// The part is passed over.
    Optional,
}

impl Disposition {
    /// A disposition of this type without parameters; what no token may have is left out when it is written.
    #[must_use]
    pub fn new(kind: &str) -> Self {
        Disposition { kind: kind.to_ascii_lowercase().into(), params: Params::new() }
    }

    /// The same with the parameter `handling`, which RFC 5621 §8.2 wants in parts of a multipart body.
    #[must_use]
    pub fn with_handling(mut self, handling: Handling) -> Self {
        let value = if handling == Handling::Required { "required" } else { "optional" };
        self.params.set("handling", Some(value));
        self
    }

    /// The type in lower case: `session`, `render`, `signal`, `recipient-list`, `early-session`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// What becomes of a request whose part is not understood: required unless `optional` is said.
    #[must_use]
    pub fn handling(&self) -> Handling {
        match self.params.value("handling") {
            Some(value) if value.eq_ignore_ascii_case("optional") => Handling::Optional,
            _ => Handling::Required,
        }
    }
}

fn rule<'a>(whole: &ByteStr, input: &'a str) -> Parsed<'a, Disposition> {
    let (rest, kind) = grammar::token(input)?;
    let (rest, params) = grammar::params(whole, rest)?;
    Ok((rest, Disposition { kind: kind.to_ascii_lowercase().into(), params }))
}

impl FromStr for Disposition {
    type Err = HeaderError;

    fn from_str(text: &str) -> Result<Self, HeaderError> {
        let whole = ByteStr::from(class::trim_wsp(text));
        match rule(&whole, &whole) {
            Ok((rest, disposition)) if class::skip_wsp(rest).is_empty() => Ok(disposition),
            _ => Err(HeaderError::malformed(HeaderName::ContentDisposition, "a type such as session")),
        }
    }
}

impl fmt::Display for Disposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        grammar::write_token(&mut text, &self.kind, "render");
        self.params.write(&mut text);
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handling_is_required_unless_it_is_said_to_be_optional() {
        let read = |text: &str| text.parse::<Disposition>().map(|it| (it.handling(), it.to_string()));
        let signal = |text: &str| text.to_owned();
        assert_eq!(read("Signal ; handling = OPTIONAL"), Ok((Handling::Optional, signal("signal;handling=OPTIONAL"))));
        assert_eq!(read("session;handling=maybe"), Ok((Handling::Required, signal("session;handling=maybe"))));
        assert!(read("").is_err() && read(";handling=optional").is_err() && read("a b").is_err());
        let hostile = Disposition::new("a\r\nb: c").with_handling(Handling::Optional);
        assert_eq!(hostile.to_string(), "abc;handling=optional");
        assert_eq!(Disposition::new("\"").to_string(), "render");
    }
}

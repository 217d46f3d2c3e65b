use alloc::string::String;

use super::{HeaderError, HeaderName, Repetition, TypedHeader};
use crate::grammar::{self, Parsed};
use crate::{ByteStr, Params};

/// What a server on the way can do in this dialog or registration (RFC 6809): `*;+g.3gpp.srvcc`.
///
/// ```
/// use blether_sip_core::FeatureCaps;
///
/// let caps: FeatureCaps = "*;+g.3gpp.atcf=\"<tel:+123>\";+sip.pns".parse()?;
/// assert!(caps.has("+sip.pns"));
/// assert_eq!(caps.value("+g.3gpp.atcf"), Some("<tel:+123>"));
/// assert_eq!(FeatureCaps::new().with("+sip.607", None)?.to_string(), "*;+sip.607");
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct FeatureCaps(Params);

impl FeatureCaps {
    /// Nothing.
    #[must_use]
    pub fn new() -> Self {
        FeatureCaps::default()
    }

    /// The same with one more feature-capability indicator.
    ///
    /// # Errors
    ///
    /// [`HeaderError::Malformed`] if the name is no `+` followed by a letter and then letters, digits and `!'.-%`.
    pub fn with(mut self, name: &str, value: Option<&str>) -> Result<Self, HeaderError> {
        let is_named = |byte: u8| byte.is_ascii_alphanumeric() || b"!'.-%".contains(&byte);
        match name.strip_prefix('+') {
            Some(bare) if bare.starts_with(|c: char| c.is_ascii_alphabetic()) && bare.bytes().all(is_named) => {}
            _ => return Err(HeaderError::malformed(Self::NAME, "a name such as +g.3gpp.srvcc")),
        }
        match value {
            Some(value) => self.0.set_quoted(name, value),
            None => self.0.set(name, None),
        }
        Ok(self)
    }

    /// Whether the indicator is there; its name begins with `+`.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.has(name)
    }

    /// The value of the indicator.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.value(name)
    }

    /// The indicators with their values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter()
    }
}

/// `"*" *(SEMI …)`.
pub(super) fn star<'a>(whole: &ByteStr, input: &'a str) -> Parsed<'a, Params> {
    let Some(rest) = input.strip_prefix('*') else { return grammar::stop(input) };
    grammar::params(whole, rest)
}

impl TypedHeader for FeatureCaps {
    const NAME: HeaderName = HeaderName::FeatureCaps;
    const REPETITION: Repetition = Repetition::Values;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        let expected = "a * and indicators such as ;+g.3gpp.srvcc";
        let params = super::complete(&value, |input| star(&value, input), Self::NAME, expected)?;
        if params.iter().all(|(name, _)| name.starts_with('+')) {
            Ok(FeatureCaps(params))
        } else {
            Err(HeaderError::malformed(Self::NAME, expected))
        }
    }

    fn write(&self, out: &mut String) {
        out.push('*');
        self.0.write(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn indicators_follow_a_star_and_begin_with_a_plus() {
        let (caps, written) = rewritten::<FeatureCaps>("* ; +Sip.a;+b=\"x,!y\"");
        assert_eq!(
            (caps.has("+sip.A"), caps.value("+b"), written.as_str()),
            (true, Some("x,!y"), "*;+Sip.a;+b=\"x,!y\"")
        );
        assert_eq!(rewritten::<FeatureCaps>("*").0, FeatureCaps::new());
        assert_eq!(FeatureCaps::new().with("+a", Some("1\"\r\n")).unwrap().to_string(), "*;+a=\"1\\\"  \"");
        for name in ["", "+", "a", "+1", "+a;b", "+a\r\n"] {
            assert!(FeatureCaps::new().with(name, None).is_err(), "{name}");
        }
        for text in ["", "+a", "*;a", "**", "*;+a=", "* +a"] {
            assert!(FeatureCaps::parse_value(text.into()).is_err(), "{text}");
        }
    }
}

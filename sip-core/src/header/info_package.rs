use alloc::string::String;
use alloc::vec::Vec;

use super::{HeaderError, HeaderName, Repetition, TypedHeader};
use crate::grammar::{self, Parsed};
use crate::{ByteStr, Params};

/// What an INFO is about (RFC 6086 §7.2).
///
/// ```
/// use blether_sip_core::InfoPackage;
///
/// let package: InfoPackage = "foo;a=1".parse()?;
/// assert_eq!((&*package.name, package.params.value("a")), ("foo", Some("1")));
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InfoPackage {
    /// The name of the package; compared with case.
    pub name: ByteStr,
    /// The parameters, which the package defines.
    pub params: Params,
}

impl InfoPackage {
    /// A package without parameters.
    #[must_use]
    pub fn new(name: &str) -> Self {
        InfoPackage { name: name.into(), params: Params::new() }
    }
}

fn info_package<'a>(whole: &ByteStr, input: &'a str) -> Parsed<'a, InfoPackage> {
    let (rest, name) = grammar::token(input)?;
    let (rest, params) = grammar::params(whole, rest)?;
    Ok((rest, InfoPackage { name: whole.share(name), params }))
}

impl TypedHeader for InfoPackage {
    const NAME: HeaderName = HeaderName::InfoPackage;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        super::complete(&value, |input| info_package(&value, input), Self::NAME, "the name of an info package")
    }

    fn write(&self, out: &mut String) {
        grammar::write_token(out, &self.name, "unknown");
        self.params.write(out);
    }
}

/// The info packages that a user agent is willing to receive in a dialog; an empty list says none (RFC 6086 §7.3).
///
/// ```
/// use blether_sip_core::{InfoPackage, RecvInfo};
///
/// let willing: RecvInfo = "foo, bar".parse()?;
/// assert!(willing.accepts(&InfoPackage::new("bar")) && !willing.accepts(&InfoPackage::new("Bar")));
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct RecvInfo(pub Vec<InfoPackage>);

impl RecvInfo {
    /// Whether an INFO of this package may be sent; else the answer is 469. Parameters do not count (§7.2).
    #[must_use]
    pub fn accepts(&self, package: &InfoPackage) -> bool {
        self.0.iter().any(|listed| listed.name == package.name)
    }
}

impl TypedHeader for RecvInfo {
    const NAME: HeaderName = HeaderName::RecvInfo;
    const REPETITION: Repetition = Repetition::Whole;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        let expected = "names of info packages between commas";
        grammar::list(&value)
            .map(|item| super::complete(item, |input| info_package(&value, input), Self::NAME, expected))
            .collect::<Result<_, _>>()
            .map(RecvInfo)
    }

    fn write(&self, out: &mut String) {
        grammar::write_list(out, ", ", &self.0, |out, package| package.write(out));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn an_info_package_is_found_in_the_list() {
        let (list, written) = rewritten::<RecvInfo>("P, R ;x=\"a,b\",, nil");
        assert_eq!(written, "P, R;x=\"a,b\", nil");
        assert!(list.accepts(&rewritten::<InfoPackage>("R;x=2").0) && !list.accepts(&InfoPackage::new("p")));
        assert_eq!(rewritten::<RecvInfo>("").0, RecvInfo::default());
        for text in ["a b", "a;", ";x", "a, b c"] {
            assert!(
                InfoPackage::parse_value(text.into()).is_err() && RecvInfo::parse_value(text.into()).is_err(),
                "{text}"
            );
        }
        assert!(InfoPackage::parse_value("".into()).is_err());
        assert_eq!(InfoPackage::new("a,b\r\n").to_string(), "ab");
    }
}

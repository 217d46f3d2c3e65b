use alloc::string::String;

use nom::Parser;
use nom::character::complete::char;

use super::{HeaderError, HeaderName, TypedHeader};
use crate::{ByteStr, grammar};

/// Which MIME the body follows (RFC 3261 §20.24).
///
/// ```
/// use blether_sip_core::MimeVersion;
///
/// assert_eq!("1.0".parse(), Ok(MimeVersion::V1));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MimeVersion {
    /// What stands before the dot.
    pub major: u32,
    /// What stands behind it.
    pub minor: u32,
}

impl MimeVersion {
    /// The only version there is (RFC 2045 §4).
    pub const V1: MimeVersion = MimeVersion { major: 1, minor: 0 };
}

impl TypedHeader for MimeVersion {
    const NAME: HeaderName = HeaderName::MimeVersion;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        let rule = |input| (grammar::number, char('.'), grammar::number).parse(input);
        let (major, _, minor) = super::complete(&value, rule, Self::NAME, "a version such as 1.0")?;
        Ok(MimeVersion { major, minor })
    }

    fn write(&self, out: &mut String) {
        grammar::write_number(out, self.major);
        out.push('.');
        grammar::write_number(out, self.minor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn a_version_is_two_numbers() {
        assert_eq!(rewritten::<MimeVersion>(" 01.00").0, MimeVersion::V1);
        for text in ["", "1", "1.", ".0", "1. 0", "1.0.0", "4294967296.0"] {
            assert!(MimeVersion::parse_value(text.into()).is_err(), "{text}");
        }
    }
}

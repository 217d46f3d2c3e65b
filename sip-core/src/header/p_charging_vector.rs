use alloc::string::String;

use nom::Parser;
use nom::bytes::complete::tag_no_case;

use super::{HeaderError, HeaderName, TypedHeader};
use crate::class::{self, BARE_VALUE};
use crate::grammar::{self, Parsed};
use crate::{ByteStr, Params};

/// By what the charging records of one dialog or transaction are found in several networks (RFC 7315 §4.6).
///
/// ```
/// use blether_sip_core::PChargingVector;
///
/// // RFC 7315 §4.6.2.
/// let vector: PChargingVector =
///     "icid-value=1234bc9876e; icid-generated-at=192.0.6.8; orig-ioi=home1.net".parse()?;
/// assert_eq!((&*vector.icid, vector.orig_ioi(), vector.term_ioi()), ("1234bc9876e", Some("home1.net"), None));
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PChargingVector {
    /// The charging identifier, which is globally unique.
    pub icid: ByteStr,
    /// The other parameters, such as `icid-generated-at` and `transit-ioi`.
    pub params: Params,
}

impl PChargingVector {
    /// The originating network (`orig-ioi`).
    #[must_use]
    pub fn orig_ioi(&self) -> Option<&str> {
        self.params.value("orig-ioi")
    }

    /// The terminating network (`term-ioi`).
    #[must_use]
    pub fn term_ioi(&self) -> Option<&str> {
        self.params.value("term-ioi")
    }
}

fn vector<'a>(whole: &ByteStr, input: &'a str) -> Parsed<'a, PChargingVector> {
    let (rest, _) = (tag_no_case("icid-value"), grammar::separator('=')).parse(input)?;
    let (rest, icid) = if rest.starts_with('"') {
        let (rest, content) = grammar::quoted_string(rest)?;
        (rest, grammar::unquoted(whole, content))
    } else {
        let (icid, after) = class::split(rest, BARE_VALUE);
        if icid.is_empty() {
            return grammar::stop(rest);
        }
        (after, whole.share(icid))
    };
    let (rest, params) = grammar::params(whole, rest)?;
    Ok((rest, PChargingVector { icid, params }))
}

impl TypedHeader for PChargingVector {
    const NAME: HeaderName = HeaderName::PChargingVector;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        super::complete(&value, |input| vector(&value, input), Self::NAME, "icid-value=… and parameters")
    }

    fn write(&self, out: &mut String) {
        out.push_str("icid-value=");
        if self.icid.is_empty() || !class::all(self.icid.as_bytes(), BARE_VALUE) {
            grammar::write_quoted(out, &self.icid);
        } else {
            out.push_str(&self.icid);
        }
        self.params.write(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn a_charging_vector_begins_with_its_identifier() {
        let text = "ICID-value = \"a b\";transit-ioi=\"operatorA.1, void\"";
        let (vector, written) = rewritten::<PChargingVector>(text);
        assert_eq!(vector.params.value("transit-ioi"), Some("operatorA.1, void"));
        assert_eq!(written, "icid-value=\"a b\";transit-ioi=\"operatorA.1, void\"");
        let hostile = PChargingVector { icid: "a;b\r\nX: y".into(), params: Params::new() };
        assert_eq!(hostile.to_string(), "icid-value=\"a;b  X: y\"");
        for text in ["", "icid-value", "icid-value=", "orig-ioi=a;icid-value=b", "icid-value=a b"] {
            assert!(PChargingVector::parse_value(text.into()).is_err(), "{text}");
        }
    }
}

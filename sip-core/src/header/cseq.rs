use alloc::string::String;

use super::{HeaderError, HeaderName, TypedHeader};
use crate::{ByteStr, Method, class, grammar};

/// The order of a request within its dialog, and its method (RFC 3261 §20.16).
///
/// ```
/// use blether_sip_core::{CSeq, Method};
///
/// let cseq: CSeq = "4711 INVITE".parse()?;
/// assert_eq!(cseq, CSeq { number: 4711, method: Method::Invite });
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CSeq {
    /// The sequence number, below 2³¹ (RFC 3261 §8.1.1.5).
    pub number: u32,
    /// The method, which is that of the request that this is or answers.
    pub method: Method,
}

impl TypedHeader for CSeq {
    const NAME: HeaderName = HeaderName::CSeq;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        let (number, method) = CSeq::read(&value)?;
        let extension = || Method::Extension(value.share(method));
        Ok(CSeq { number, method: Method::known(method).unwrap_or_else(extension) })
    }

    fn write(&self, out: &mut String) {
        grammar::write_number(out, self.number.min(i32::MAX.unsigned_abs()));
        out.push(' ');
        grammar::write_token(out, self.method.as_str(), "UNKNOWN");
    }
}

impl CSeq {
    /// The number and the method of a value, without making it.
    #[inline]
    pub(crate) fn read(value: &str) -> Result<(u32, &str), HeaderError> {
        let text = class::trim_wsp(value);
        let Ok((rest, number)) = grammar::number::<u32>(text) else { return Err(Self::bad_number().at(value, text)) };
        if number > i32::MAX.unsigned_abs() {
            return Err(Self::bad_number().at(value, text));
        }
        let method = class::skip_wsp(rest);
        if method.len() == rest.len() || !grammar::is_token(method) {
            return Err(HeaderError::malformed(Self::NAME, "a method after the number").at(value, rest));
        }
        Ok((number, method))
    }

    fn bad_number() -> HeaderError {
        HeaderError::malformed(Self::NAME, "a number under 2147483648")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn a_cseq_is_a_number_and_a_method() {
        let (cseq, written) = rewritten::<CSeq>("0009 \t INVITE");
        assert_eq!((cseq.number, &cseq.method, written.as_str()), (9, &Method::Invite, "9 INVITE"));
        assert_eq!(rewritten::<CSeq>("2147483647 XTRA").1, "2147483647 XTRA");
    }

    #[test]
    fn a_bad_cseq_says_what_was_expected() {
        #[track_caller]
        fn check(text: &str, expected: &str, column: usize) {
            let error = CSeq::parse_value(text.into()).unwrap_err();
            assert_eq!(error.to_string(), format!("Bad CSeq header: expected {expected} at column {column}"), "{text}");
        }
        for text in ["", "INVITE", "-1 INVITE", "2147483648 INVITE", "36893488147419103232 REGISTER"] {
            check(text, "a number under 2147483648", 1);
        }
        for text in ["1", "1INVITE", "1 IN VITE", "1 {}"] {
            check(text, "a method after the number", 2);
        }
    }
}

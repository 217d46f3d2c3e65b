use nom::Parser;
use nom::sequence::separated_pair;

use super::{HeaderError, HeaderName, TypedHeader};
use crate::{ByteStr, Method, grammar};

/// The order of a request within its dialog, and its method (RFC 3261 §20.16).
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
        let text = value.trim_matches(grammar::is_wsp);
        if grammar::number::<u32>(text).map_or(true, |(_, number)| number > i32::MAX.unsigned_abs()) {
            return Err(HeaderError::malformed(Self::NAME, "a number under 2147483648"));
        }
        let rule = separated_pair(grammar::number::<u32>, grammar::lws, grammar::token);
        let mut rule = rule.map_opt(|(number, method)| Some(CSeq { number, method: Method::read(&value, method)? }));
        super::complete(text, |input| rule.parse(input), Self::NAME, "a method after the number")
    }

    fn write(&self, out: &mut String) {
        out.push_str(&self.number.min(i32::MAX.unsigned_abs()).to_string());
        out.push(' ');
        grammar::write_token(out, self.method.as_str(), "UNKNOWN");
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
        fn check(text: &str, expected: &str) {
            let error = CSeq::parse_value(text.into()).unwrap_err();
            assert_eq!(error.to_string(), format!("Bad CSeq header: expected {expected}"), "{text}");
        }
        for text in ["", "INVITE", "-1 INVITE", "2147483648 INVITE", "36893488147419103232 REGISTER"] {
            check(text, "a number under 2147483648");
        }
        for text in ["1", "1INVITE", "1 IN VITE", "1 {}"] {
            check(text, "a method after the number");
        }
    }
}

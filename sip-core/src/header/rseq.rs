use alloc::string::String;
use core::num::NonZeroU32;

use super::{HeaderError, HeaderName, TypedHeader};
use crate::{ByteStr, grammar};

/// The number of a provisional response that is sent reliably, from 1 (RFC 3262 §7.1).
///
/// ```
/// use blether_sip_core::RSeq;
///
/// let first: RSeq = "988789".parse()?;
/// assert_eq!(first.next().unwrap().to_string(), "988790");
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RSeq(pub NonZeroU32);

impl RSeq {
    /// The number of the next reliable response of the transaction; `None` at the end, since it does not wrap around
    /// (RFC 3262 §3). Whoever receives any other number drops the response (§4).
    #[must_use]
    pub fn next(self) -> Option<RSeq> {
        self.0.checked_add(1).map(RSeq)
    }
}

/// `response-num`.
pub(super) fn response_num(input: &str) -> grammar::Parsed<'_, RSeq> {
    let (rest, number) = grammar::number::<u32>(input)?;
    match NonZeroU32::new(number) {
        Some(number) => Ok((rest, RSeq(number))),
        None => grammar::stop(input),
    }
}

impl TypedHeader for RSeq {
    const NAME: HeaderName = HeaderName::RSeq;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        super::complete(&value, response_num, Self::NAME, "a number from 1 to 4294967295")
    }

    fn write(&self, out: &mut String) {
        grammar::write_number(out, self.0.get());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn rseq_starts_at_one_and_does_not_wrap() {
        assert_eq!(rewritten::<RSeq>("0988789 ").1, "988789");
        assert_eq!(rewritten::<RSeq>("4294967295").0.next(), None);
        for text in ["", "0", "4294967296", "-1", "1 INVITE"] {
            assert!(RSeq::parse_value(text.into()).is_err(), "{text}");
        }
    }
}

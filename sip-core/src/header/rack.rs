use alloc::string::String;

use super::rseq::response_num;
use super::{CSeq, HeaderError, HeaderName, RSeq, TypedHeader};
use crate::{ByteStr, class};

/// Which provisional response a PRACK acknowledges (RFC 3262 §7.2).
///
/// It is `==` to the one that is made of the response's RSeq and CSeq, the method compared with case.
///
/// ```
/// use blether_sip_core::RAck;
///
/// let rack: RAck = "776656 1 INVITE".parse()?;
/// assert_eq!(rack, RAck { rseq: "776656".parse()?, cseq: "1 INVITE".parse()? });
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RAck {
    /// The RSeq of the response.
    pub rseq: RSeq,
    /// The CSeq of the response.
    pub cseq: CSeq,
}

impl TypedHeader for RAck {
    const NAME: HeaderName = HeaderName::RAck;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        let malformed = || HeaderError::malformed(Self::NAME, "the RSeq and the CSeq of a response");
        let text = class::trim_wsp(&value);
        let Ok((rest, rseq)) = response_num(text) else { return Err(malformed().at(&value, text)) };
        let cseq = class::skip_wsp(rest);
        if cseq.len() == rest.len() {
            return Err(malformed().at(&value, rest));
        }
        let cseq = CSeq::parse_value(value.share(cseq)).map_err(|_| malformed().at(&value, cseq))?;
        Ok(RAck { rseq, cseq })
    }

    fn write(&self, out: &mut String) {
        self.rseq.write(out);
        out.push(' ');
        self.cseq.write(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Method;
    use crate::header::rewritten;

    #[test]
    fn rack_is_two_numbers_and_a_method() {
        let (rack, written) = rewritten::<RAck>(" 776656 \t 1  INVITE");
        assert_eq!((rack.rseq.0.get(), rack.cseq.number, &rack.cseq.method), (776_656, 1, &Method::Invite));
        assert_eq!(written, "776656 1 INVITE");
        assert_ne!(rack, rewritten::<RAck>("776656 1 Invite").0);
        for (text, column) in
            [("", 1), ("0 1 INVITE", 1), ("1 INVITE", 3), ("1", 2), ("1 1", 3), ("1 2147483648 INVITE", 3)]
        {
            assert_eq!(RAck::parse_value(text.into()).unwrap_err().column(), Some(column), "{text}");
        }
    }
}

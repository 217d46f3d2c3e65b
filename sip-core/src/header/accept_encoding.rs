use alloc::string::String;
use alloc::vec::Vec;

use super::ranges::{self, Range};
use super::{HeaderError, HeaderName, Repetition, TypedHeader};
use crate::{ByteStr, Params, grammar};

/// Which content codings the sender undoes (RFC 3261 §20.2); if the list is empty, `identity`, which is none.
///
/// Where the header is absent, `identity` is assumed, too.
///
/// ```
/// use blether_sip_core::AcceptEncoding;
///
/// let accept: AcceptEncoding = "gzip;q=0.9".parse()?;
/// assert_eq!((accept.quality("gzip"), accept.quality("identity"), accept.quality("compress")), (900, 1000, 0));
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct AcceptEncoding(Vec<Range>);

impl AcceptEncoding {
    /// The codings that are undone, all alike; what is no `token` is left out.
    #[must_use]
    pub fn new<'a>(codings: impl IntoIterator<Item = &'a str>) -> Self {
        let codings = codings.into_iter().filter(|coding| grammar::is_token(coding));
        AcceptEncoding(codings.map(|coding| Range::new(coding.into(), Params::new())).collect())
    }

    /// Whether a body with this coding is taken.
    #[must_use]
    pub fn accepts(&self, coding: &str) -> bool {
        self.quality(coding) > 0
    }

    /// How much a coding is liked, from 0, not taken, to 1,000 thousandths; what is not listed, as `*` is, and
    /// `identity` without that, too, is taken (RFC 2616 §14.3).
    #[must_use]
    pub fn quality(&self, coding: &str) -> u16 {
        let specificity = |range: &Range| match &*range.name {
            name if name.eq_ignore_ascii_case(coding) => Some(1),
            "*" => Some(0),
            _ => None,
        };
        let unlisted = if coding.eq_ignore_ascii_case("identity") { 1000 } else { 0 };
        ranges::quality(&self.0, specificity).unwrap_or(unlisted)
    }

    /// The codings, `*` among them, each with its quality.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u16)> {
        self.0.iter().map(|range| (range.name.as_str(), range.q))
    }
}

impl TypedHeader for AcceptEncoding {
    const NAME: HeaderName = HeaderName::AcceptEncoding;
    const REPETITION: Repetition = Repetition::Whole;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        let coding = |item| grammar::token(item).ok().map(|(rest, coding)| (value.share(coding), rest));
        match ranges::read(&value, coding) {
            Ok(list) => Ok(AcceptEncoding(list)),
            Err(rest) => Err(HeaderError::malformed(Self::NAME, "content codings between commas").at(&value, rest)),
        }
    }

    fn write(&self, out: &mut String) {
        ranges::write(&self.0, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn codings_are_ranked() {
        // RFC 2616 §14.3.
        #[track_caller]
        fn check(text: &str, gzip: u16, compress: u16, identity: u16) {
            let (accept, _) = rewritten::<AcceptEncoding>(text);
            assert_eq!(
                ["GZIP", "compress", "identity"].map(|coding| accept.quality(coding)),
                [gzip, compress, identity]
            );
        }
        check("compress, gzip", 1000, 1000, 1000);
        check("", 0, 0, 1000);
        check("*", 1000, 1000, 1000);
        check("compress;q=0.5, gzip;q=1.0", 1000, 500, 1000);
        check("gzip;q=1.0, identity; q=0.5, *;q=0", 1000, 0, 500);
        check("gzip;x;q=0.2;y=\"1,2\",*;q=0", 200, 0, 0);
    }

    #[test]
    fn codings_are_tokens() {
        for (text, column) in [("gzip, a b", 8), ("=", 1), ("gzip;", 5)] {
            assert_eq!(AcceptEncoding::parse_value(text.into()).unwrap_err().column(), Some(column), "{text}");
        }
        assert_eq!(AcceptEncoding::new(["gzip", "a b", "*\r\n"]).to_string(), "gzip");
    }
}

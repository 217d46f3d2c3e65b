use alloc::string::String;

use super::{HeaderError, HeaderName, TypedHeader};
use crate::grammar::{self, Parsed};
use crate::{ByteStr, Params};

/// The shortest session interval that those on the way accept (RFC 4028 §5).
///
/// ```
/// use blether_sip_core::MinSe;
///
/// let least: MinSe = "120".parse()?;
/// assert_eq!(least.seconds(), 120);
/// assert_eq!(MinSe::new(10).seconds(), MinSe::LEAST);
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MinSe {
    seconds: u32,
    /// The parameters, of which none is defined.
    pub params: Params,
}

impl MinSe {
    /// 90 seconds: what the header may not be below, and what counts without it.
    pub const LEAST: u32 = 90;

    /// A number of seconds, at least [`MinSe::LEAST`].
    #[must_use]
    pub fn new(seconds: u32) -> Self {
        MinSe { seconds: seconds.max(MinSe::LEAST), params: Params::new() }
    }

    /// The number of seconds, at least [`MinSe::LEAST`]: what a peer sends below counts as that.
    #[must_use]
    pub fn seconds(&self) -> u32 {
        self.seconds
    }
}

fn min_se<'a>(whole: &ByteStr, input: &'a str) -> Parsed<'a, MinSe> {
    let (rest, seconds) = grammar::delta_seconds(input)?;
    let (rest, params) = grammar::params(whole, rest)?;
    Ok((rest, MinSe { params, ..MinSe::new(seconds) }))
}

impl TypedHeader for MinSe {
    const NAME: HeaderName = HeaderName::MinSe;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        super::complete(&value, |input| min_se(&value, input), Self::NAME, "a number of seconds")
    }

    fn write(&self, out: &mut String) {
        grammar::write_number(out, self.seconds);
        self.params.write(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn min_se_is_90_seconds_or_more() {
        assert_eq!(rewritten::<MinSe>("3600;lr").1, "3600;lr");
        assert_eq!(rewritten::<MinSe>("60").1, "90");
        for text in ["", "-1", "90 x", ";x"] {
            assert!(MinSe::parse_value(text.into()).is_err(), "{text}");
        }
    }
}

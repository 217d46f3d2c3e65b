use alloc::string::String;

use super::{HeaderError, HeaderName, TypedHeader};
use crate::{ByteStr, grammar, ordinary};

/// How many more proxies a request may pass, 0 to 255 (RFC 3261 §20.22).
///
/// ```
/// use blether_sip_core::MaxForwards;
///
/// assert_eq!("6".parse(), Ok(MaxForwards(6)));
/// assert_eq!(MaxForwards::INITIAL.to_string(), "70");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MaxForwards(pub u8);

impl MaxForwards {
    /// What a request starts with: 70 (RFC 3261 §8.1.1.6).
    pub const INITIAL: MaxForwards = MaxForwards(70);

    #[inline]
    pub(crate) fn read(value: &str) -> Result<MaxForwards, HeaderError> {
        super::complete(value, grammar::number::<u8>, Self::NAME, "a number from 0 to 255").map(MaxForwards)
    }
}

impl TypedHeader for MaxForwards {
    const NAME: HeaderName = HeaderName::MaxForwards;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        match ordinary::whole_number(value.as_bytes()).and_then(|hops| u8::try_from(hops).ok()) {
            Some(hops) => Ok(MaxForwards(hops)),
            None => MaxForwards::read(&value),
        }
    }

    fn write(&self, out: &mut String) {
        grammar::write_number(out, self.0.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn max_forwards_is_0_to_255() {
        assert_eq!(rewritten::<MaxForwards>("070").0, MaxForwards(70));
        for text in ["", "-1", "256", "70x", "7 0"] {
            assert!(MaxForwards::parse_value(text.into()).is_err(), "{text}");
        }
    }
}

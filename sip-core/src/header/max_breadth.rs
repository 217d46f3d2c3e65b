use alloc::string::String;

use super::{HeaderError, HeaderName, TypedHeader};
use crate::{ByteStr, grammar};

/// On how many branches at once a request may be, all proxies together (RFC 5393 §5.3).
///
/// ```
/// use blether_sip_core::MaxBreadth;
///
/// let shares = MaxBreadth(60).split(7).unwrap();
/// assert_eq!(shares.map(|share| share.0).collect::<Vec<_>>(), [9, 9, 9, 9, 8, 8, 8]);
/// assert!(MaxBreadth(1).split(2).is_none());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MaxBreadth(pub u32);

impl MaxBreadth {
    /// What a request starts with, and the most that a proxy takes over: 60 (RFC 5393 §5.3.3).
    pub const INITIAL: MaxBreadth = MaxBreadth(60);

    /// The values for so many branches at once: in sum this one, and each at least 1. `None` if it does not suffice,
    /// where a proxy tries one after the other or answers 440 (§5.3.3).
    #[must_use]
    pub fn split(self, branches: u32) -> Option<impl Iterator<Item = MaxBreadth>> {
        let share = self.0.checked_div(branches).filter(|share| *share > 0)?;
        let larger = self.0 % branches;
        Some((0..branches).map(move |branch| MaxBreadth(share + u32::from(branch < larger))))
    }
}

impl TypedHeader for MaxBreadth {
    const NAME: HeaderName = HeaderName::MaxBreadth;

    /// Reads `1*DIGIT`; what does not fit is as much as can be said.
    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        super::complete(&value, grammar::delta_seconds, Self::NAME, "a number").map(MaxBreadth)
    }

    fn write(&self, out: &mut String) {
        grammar::write_number(out, self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn max_breadth_is_a_number() {
        assert_eq!(rewritten::<MaxBreadth>("060").0, MaxBreadth::INITIAL);
        assert_eq!(rewritten::<MaxBreadth>("5000000000").0, MaxBreadth(u32::MAX));
        assert!(MaxBreadth::parse_value("-1".into()).is_err());
    }

    #[test]
    fn branches_share_it() {
        for (breadth, branches) in [(60, 1), (60, 60), (7, 3), (u32::MAX, 2)] {
            let shares = MaxBreadth(breadth).split(branches).unwrap();
            let shares: Vec<_> = shares.map(|share| share.0).collect();
            assert_eq!((shares.len() as u32, shares.iter().sum::<u32>()), (branches, breadth));
        }
        assert!(MaxBreadth(0).split(1).is_none() && MaxBreadth(60).split(0).is_none());
    }
}

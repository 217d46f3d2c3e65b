use alloc::string::String;
use alloc::vec::Vec;

use super::ranges::{self, Range};
use super::{HeaderError, HeaderName, Repetition, TypedHeader};
use crate::{ByteStr, Params};

/// Which languages the sender likes (RFC 3261 §20.3). Where the header is absent, all are taken.
///
/// ```
/// use blether_sip_core::AcceptLanguage;
///
/// let accept: AcceptLanguage = "da, en-gb;q=0.8, en;q=0.7".parse()?;
/// assert_eq!(["da", "en-GB", "en-US", "fr"].map(|tag| accept.quality(tag)), [1000, 800, 700, 0]);
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct AcceptLanguage(Vec<Range>);

impl AcceptLanguage {
    /// The languages that are liked, all alike; what is no language tag is left out.
    #[must_use]
    pub fn new<'a>(tags: impl IntoIterator<Item = &'a str>) -> Self {
        let tags = tags.into_iter().filter(|tag| is_range(tag));
        AcceptLanguage(tags.map(|tag| Range::new(tag.into(), Params::new())).collect())
    }

    /// How much a language is liked, from 0, not taken, to 1,000 thousandths. The longest range counts that the tag is
    /// or starts with, up to a `-`, or else `*` (RFC 2616 §14.4).
    #[must_use]
    pub fn quality(&self, tag: &str) -> u16 {
        let specificity = |range: &Range| {
            if range.name == "*" {
                return Some(0);
            }
            let (start, rest) = tag.split_at_checked(range.name.len())?;
            let is_it = range.name.eq_ignore_ascii_case(start) && (rest.is_empty() || rest.starts_with('-'));
            is_it.then_some(start.len())
        };
        ranges::quality(&self.0, specificity).unwrap_or_default()
    }

    /// The ranges, `*` among them, each with its quality.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u16)> {
        self.0.iter().map(|range| (range.name.as_str(), range.q))
    }
}

fn is_range(text: &str) -> bool {
    text == "*" || is_tag(text)
}

/// `language-tag`, with the digits that RFC 3066 §2.1 allows behind the first `-`.
pub(super) fn is_tag(text: &str) -> bool {
    let is_subtag = |text: &str| (1..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let primary = text.split('-').next().unwrap_or_default();
    primary.bytes().all(|byte| byte.is_ascii_alphabetic()) && text.split('-').all(is_subtag)
}

impl TypedHeader for AcceptLanguage {
    const NAME: HeaderName = HeaderName::AcceptLanguage;
    const REPETITION: Repetition = Repetition::Whole;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        let range = |item| {
            let (rest, range) = crate::grammar::token(item).ok()?;
            is_range(range).then(|| (value.share(range), rest))
        };
        match ranges::read(&value, range) {
            Ok(list) => Ok(AcceptLanguage(list)),
            Err(rest) => Err(HeaderError::malformed(Self::NAME, "languages such as en-gb").at(&value, rest)),
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
    fn the_longest_range_counts() {
        let (accept, written) = rewritten::<AcceptLanguage>("en;q=0.2,*;q=0.1 , en-US-x;q=0, DE, es-419");
        assert_eq!(written, "en;q=0.2, *;q=0.1, en-US-x;q=0, DE, es-419");
        for (tag, quality) in
            [("en", 200), ("EN-us", 200), ("en-us-X", 0), ("english", 100), ("de-at", 1000), ("", 100)]
        {
            assert_eq!(accept.quality(tag), quality, "{tag}");
        }
        assert_eq!(rewritten::<AcceptLanguage>("").0.quality("en"), 0);
        assert!(accept.iter().any(|range| range == ("es-419", 1000)));
    }

    #[test]
    fn a_language_is_words_of_up_to_eight_letters() {
        for (text, column) in [("en, 419", 5), ("en_GB", 1), ("abcdefghi", 1), ("en-", 1), ("en fr", 3)] {
            assert_eq!(AcceptLanguage::parse_value(text.into()).unwrap_err().column(), Some(column), "{text}");
        }
        assert_eq!(AcceptLanguage::new(["*", "en\r\n", "", "fr"]).to_string(), "*, fr");
    }
}

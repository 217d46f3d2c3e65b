use alloc::string::String;
use alloc::vec::Vec;

use super::ranges::{self, Range};
use super::{ContentType, HeaderError, HeaderName, Repetition, TypedHeader};
use crate::{ByteStr, class, grammar};

/// Which types of body the sender takes (RFC 3261 §20.1); none, if the list is empty.
///
/// Where the header is absent, `application/sdp` is assumed to be taken.
///
/// ```
/// use blether_sip_core::{Accept, ContentType};
///
/// let accept: Accept = "application/sdp;level=1, application/x-private, text/*;q=0.5".parse()?;
/// assert!(accept.accepts(&"application/x-private".parse()?));
/// assert_eq!(accept.quality(&"text/html".parse()?), 500);
/// assert!(!accept.accepts(&ContentType::sdp()), "only of level 1");
/// assert_eq!(Accept::new([ContentType::sdp()]).to_string(), "application/sdp");
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Accept(Vec<Range>);

impl Accept {
    /// The types that are taken, all alike. Ranges and preferences are read from text.
    #[must_use]
    pub fn new(types: impl IntoIterator<Item = ContentType>) -> Self {
        let range = |media_type: ContentType| {
            let essence = media_type.essence().into();
            let mut params = media_type.params;
            params.take("q"); // it would end the parameters of the type
            Range::new(essence, params)
        };
        Accept(types.into_iter().map(range).collect())
    }

    /// Whether a body of this type is taken.
    #[must_use]
    pub fn accepts(&self, media_type: &ContentType) -> bool {
        self.quality(media_type) > 0
    }

    /// How much a type is liked, from 0, not taken, to 1,000 thousandths. The range that is closest to the type counts
    /// (RFC 2616 §14.1), and of a range with parameters those have to be the type's, too.
    #[must_use]
    pub fn quality(&self, media_type: &ContentType) -> u16 {
        let specificity = |range: &Range| {
            let depth = match range.name.split_once('/')? {
                ("*", _) => 0,
                (kind, "*") if media_type.essence().split('/').next() == Some(kind) => 1,
                _ if range.name == media_type.essence() => 2,
                _ => return None,
            };
            let has = |(name, value): (&str, Option<&str>)| match (media_type.params.get(name), value) {
                (Some(Some(found)), Some(value)) => found.eq_ignore_ascii_case(value),
                (found, None) => found.is_some(),
                _ => false,
            };
            range.params.iter().all(has).then(|| (depth, range.params.len()))
        };
        ranges::quality(&self.0, specificity).unwrap_or_default()
    }

    /// The ranges, such as `application/sdp` and `text/*`, in lower case and without parameters, each with its quality.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u16)> {
        self.0.iter().map(|range| (range.name.as_str(), range.q))
    }
}

/// `media-range` without parameters, in lower case; a lone `*` is taken for `*/*`.
fn media_range<'a>(whole: &ByteStr, input: &'a str) -> Option<(ByteStr, &'a str)> {
    use nom::Parser;
    let separator = grammar::separator('/');
    let Ok((rest, (kind, _, subtype))) = (grammar::token, separator, grammar::token).parse(input) else {
        let rest = class::skip_wsp(input.strip_prefix('*')?);
        return (rest.is_empty() || rest.starts_with(';')).then_some((ByteStr::from_static("*/*"), rest));
    };
    if kind == "*" && subtype != "*" {
        return None;
    }
    let text = input.get(..input.len() - rest.len())?;
    let is_plain = text.len() == kind.len() + subtype.len() + 1 && !text.bytes().any(|byte| byte.is_ascii_uppercase());
    let name =
        if is_plain { whole.share(text) } else { alloc::format!("{kind}/{subtype}").to_ascii_lowercase().into() };
    Some((name, rest))
}

impl TypedHeader for Accept {
    const NAME: HeaderName = HeaderName::Accept;
    const REPETITION: Repetition = Repetition::Whole;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        match ranges::read(&value, |item| media_range(&value, item)) {
            Ok(list) => Ok(Accept(list)),
            Err(rest) => Err(HeaderError::malformed(Self::NAME, "types such as application/sdp").at(&value, rest)),
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
    fn the_closest_range_counts() {
        // RFC 2616 §14.1.
        let text = "text/*;q=0.3, text/html;q=0.7, text/html;level=1, text/html;level=2;q=0.4, */*;q=0.5";
        let (accept, _) = rewritten::<Accept>(text);
        for (media_type, quality) in [
            ("text/html;level=1", 1000),
            ("text/html", 700),
            ("text/plain", 300),
            ("image/jpeg", 500),
            ("text/html;level=2", 400),
            ("text/html;level=3", 700),
        ] {
            assert_eq!(accept.quality(&media_type.parse().unwrap()), quality, "{media_type}");
        }
        let (accept, written) = rewritten::<Accept>("Text / HTML ;x=\"a,b\"; q=0 ;y, *;Q=1.0;z, a/b;q=1");
        assert_eq!(written, "text/html;x=\"a,b\";q=0;y, */*;q=1;z, a/b");
        assert!(accept.iter().eq([("text/html", 0), ("*/*", 1000), ("a/b", 1000)]));
        assert!(!accept.accepts(&"text/html;X=\"A,B\"".parse().unwrap()) && accept.accepts(&ContentType::sdp()));
    }

    #[test]
    fn an_empty_list_takes_nothing() {
        assert_eq!(rewritten::<Accept>(" ").0, Accept::default());
        assert!(!Accept::default().accepts(&ContentType::sdp()));
        for (text, column) in [("a", 1), ("a/b, */c", 6), ("a/b c/d", 4), ("a/b;;", 4), ("**", 1)] {
            assert_eq!(Accept::parse_value(text.into()).unwrap_err().column(), Some(column), "{text}");
        }
        let mut odd = ContentType::sdp();
        odd.params.set("Q", Some("0"));
        odd.params.set("level", Some("1\r\n"));
        assert_eq!(
            Accept::new([odd, ContentType::sdp()]).to_string(),
            "application/sdp;level=\"1  \", application/sdp"
        );
    }
}

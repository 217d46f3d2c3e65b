use alloc::string::String;
use alloc::string::ToString;

use nom::Parser;
use nom::combinator::opt;

use super::{HeaderError, HeaderName, TypedHeader};
use crate::grammar::{self, Parsed};
use crate::{ByteStr, Params};

/// When to try again (RFC 3261 §20.33).
///
/// ```
/// use blether_sip_core::RetryAfter;
///
/// let later: RetryAfter = "120 (I'm in a meeting)".parse()?;
/// assert_eq!((later.seconds, later.comment.as_deref()), (120, Some("I'm in a meeting")));
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RetryAfter {
    /// After how many seconds.
    pub seconds: u32,
    /// Why, for people, without the parentheses.
    pub comment: Option<ByteStr>,
    /// The parameters, such as `duration`.
    pub params: Params,
}

impl RetryAfter {
    /// In so many seconds.
    #[must_use]
    pub fn new(seconds: u32) -> Self {
        RetryAfter { seconds, comment: None, params: Params::new() }
    }
}

fn retry_after<'a>(whole: &ByteStr, input: &'a str) -> Parsed<'a, RetryAfter> {
    let (rest, seconds) = grammar::delta_seconds(input)?;
    let (rest, _) = grammar::sws(rest)?;
    let (rest, comment) = opt(comment).parse(rest)?;
    let (rest, params) = grammar::params(whole, rest)?;
    Ok((rest, RetryAfter { seconds, comment: comment.map(|text| whole.share(text)), params }))
}

/// `comment`: up to the parenthesis that closes the first one, with its backslashes.
fn comment(input: &str) -> Parsed<'_, &str> {
    let Some(inner) = input.strip_prefix('(') else { return grammar::no_match() };
    let (mut depth, mut quoted) = (1_u32, false);
    for (at, c) in inner.char_indices() {
        match c {
            _ if quoted => quoted = false,
            '\\' => quoted = true,
            '(' => depth = depth.saturating_add(1),
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            let (text, rest) = inner.split_at(at);
            return Ok((rest.strip_prefix(')').unwrap_or_default(), text));
        }
    }
    grammar::no_match()
}

impl TypedHeader for RetryAfter {
    const NAME: HeaderName = HeaderName::RetryAfter;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        super::complete(&value, |input| retry_after(&value, input), Self::NAME, "a number of seconds")
    }

    fn write(&self, out: &mut String) {
        out.push_str(&self.seconds.to_string());
        if let Some(text) = &self.comment {
            let start = out.len();
            out.push_str(" (");
            grammar::write_text(out, text);
            out.push(')');
            if !out
                .get(start..)
                .and_then(|tail| comment(tail.trim_start()).ok())
                .is_some_and(|(rest, _)| rest.is_empty())
            {
                out.truncate(start); // unbalanced: it would swallow what follows
            }
        }
        self.params.write(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn retry_after_has_a_comment_and_parameters() {
        let (read, _) = rewritten::<RetryAfter>("18000;duration=3600");
        assert_eq!((read.seconds, read.params.value("duration")), (18_000, Some("3600")));
        let (read, written) = rewritten::<RetryAfter>("120 (I'm in (a \\) b) meeting) ; x");
        assert_eq!(read.comment.as_deref(), Some("I'm in (a \\) b) meeting"));
        assert_eq!(written, "120 (I'm in (a \\) b) meeting);x");
        for text in ["", "x", "120 (open", "120 x"] {
            assert!(RetryAfter::parse_value(text.into()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_comment_that_does_not_end_is_not_written() {
        let mut out = String::new();
        RetryAfter { comment: Some("a) b".into()), ..RetryAfter::new(1) }.write(&mut out);
        assert_eq!(out, "1");
    }
}

//! Parameters behind semicolons: `*( SEMI generic-param )`.

use memchr::memchr;

use super::{Parsed, quoted_string, stop, unquoted};
use crate::class::{self, BARE_VALUE, TOKEN, skip_wsp};
use crate::{ByteStr, Params};

/// The most parameters of one URI or header value: keeps every search among them cheap.
pub(crate) const MAX_PARAMS: usize = 64;

/// Parameters that whoever answers a request or passes it on has to add (RFC 3261 §8.2.6.2, §18.2.1, RFC 3581 §4): the first of each is not
/// counted, so that there is room for it in what was received.
const ADDED: [&str; 3] = ["tag", "received", "rport"];

/// Counts parameters as [`MAX_PARAMS`] does.
#[derive(Default)]
pub(crate) struct ParamCount {
    count: usize,
    /// Those of [`ADDED`] that were there, a bit each.
    added: u8,
}

impl ParamCount {
    /// Counts one more. Whether there may be so many.
    #[inline]
    pub(crate) fn add(&mut self, name: &str) -> bool {
        let added = ADDED.iter().position(|added| name.len() == added.len() && name.eq_ignore_ascii_case(added));
        let bit = added.map_or(0, |at| 1 << at);
        let is_counted = bit == 0 || self.added & bit != 0;
        self.added |= bit;
        self.count += usize::from(is_counted);
        self.count <= MAX_PARAMS
    }
}

/// Parameters where they stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ParamsPart<'a> {
    /// From the first semicolon to the end of the last parameter.
    pub(crate) text: &'a str,
    /// Whether a value in quotes has backslashes, which are no part of it.
    escaped: bool,
}

impl<'a> ParamsPart<'a> {
    /// Parameters of a URI, or of a header where no value has backslashes.
    pub(crate) fn plain(text: &'a str) -> Self {
        ParamsPart { text, escaped: false }
    }

    /// The parameters, one after the other.
    pub(super) fn iter(self) -> impl Iterator<Item = (&'a str, Option<Value<'a>>)> {
        let mut rest = self.text;
        core::iter::from_fn(move || {
            let (name, value, after) = param(rest)?;
            rest = after;
            Some((name, value))
        })
    }

    /// Whether the first parameter of this name has a value.
    pub(crate) fn has_value(self, name: &str) -> bool {
        param_value(self.text, name).is_some()
    }

    /// The parameters, sharing the memory of `whole`.
    pub(crate) fn to_params(self, whole: &ByteStr) -> Params {
        if !self.escaped {
            return Params::from_text(whole.share(self.text));
        }
        let mut params = Params::new();
        let mut rest = self.text;
        while let Some((name, value, after)) = param(rest) {
            let value = value.map(|value| match value {
                Value::Bare(text) => (whole.share(text), false),
                Value::Quoted(content) => (unquoted(whole, content), true),
            });
            params.append(whole.share(name), value);
            rest = after;
        }
        params
    }
}

pub(super) enum Value<'a> {
    Bare(&'a str),
    Quoted(&'a str),
}

/// `SEMI generic-param`: name and value, and what follows them.
#[inline]
fn param(input: &str) -> Option<(&str, Option<Value<'_>>, &str)> {
    let (name, rest) = class::split(skip_wsp(skip_wsp(input).strip_prefix(';')?), TOKEN);
    if name.is_empty() {
        return None;
    }
    let Some(value) = skip_wsp(rest).strip_prefix('=').map(skip_wsp) else { return Some((name, None, rest)) };
    if value.starts_with('"') {
        let (after, content) = quoted_string(value).ok()?;
        return Some((name, Some(Value::Quoted(content)), after));
    }
    let (value, after) = class::split(value, BARE_VALUE);
    (!value.is_empty()).then_some((name, Some(Value::Bare(value)), after))
}

/// The value of the first parameter of this name, as it was written.
pub(crate) fn param_value<'a>(params: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = params;
    while let Some((found, value, after)) = param(rest) {
        if found.eq_ignore_ascii_case(name) {
            return value.map(|(Value::Bare(text) | Value::Quoted(text))| text);
        }
        rest = after;
    }
    None
}

/// `*( SEMI generic-param )`, read and checked but not made into values. What follows them starts with no `;`.
#[inline]
pub(crate) fn params_part(input: &str) -> Parsed<'_, ParamsPart<'_>> {
    let (mut rest, mut count, mut escaped) = (input, ParamCount::default(), false);
    while skip_wsp(rest).starts_with(';') {
        let Some((name, value, after)) = param(rest) else { return stop(rest) };
        if !count.add(name) {
            return stop(rest);
        }
        if let Some(Value::Quoted(content)) = value {
            escaped |= memchr(b'\\', content.as_bytes()).is_some();
        }
        rest = after;
    }
    let text = input.get(..input.len() - rest.len()).unwrap_or_default();
    Ok((rest, ParamsPart { text, escaped }))
}

/// `*( SEMI generic-param )`.
pub(crate) fn params<'a>(whole: &ByteStr, input: &'a str) -> Parsed<'a, Params> {
    let (rest, part) = params_part(input)?;
    Ok((rest, part.to_params(whole)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_parameters_than_any_message_needs_are_refused() {
        let text = |count| ByteStr::from(";a=1".repeat(count));
        assert!(params(&text(MAX_PARAMS), &text(MAX_PARAMS)).is_ok());
        assert!(params(&text(MAX_PARAMS + 1), &text(MAX_PARAMS + 1)).is_err());
        let full = ";a=1".repeat(MAX_PARAMS);
        for (added, is_read) in [(";TAG=1;rport;received=::1", true), (";tag=1;tag=2", false), (";rport;a", false)] {
            for text in [format!("{full}{added}"), format!("{added}{full}")] {
                let text = ByteStr::from(text);
                assert_eq!(params(&text, &text).is_ok(), is_read, "{added}");
            }
        }
    }
}

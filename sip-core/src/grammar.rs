//! The rules of RFC 3261 §25.1 that many headers share, as nom parsers on text whose folding is already undone.
//!
//! Each rule looks at each character once, whatever the input.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use memchr::{memchr, memchr_iter, memchr2, memchr3};
use nom::character::complete::char;
use nom::error::{ErrorKind, ParseError};
use nom::sequence::delimited;
use nom::{IResult, Parser};

use crate::class::{self, BARE_VALUE, DIGIT, PLAIN_VALUE, TOKEN, WSP, skip_wsp};
use crate::host::HostPart;
use crate::{ByteStr, Params};

/// A rule's result; why it failed is said by the header that tried it, which knows what it expected.
pub(crate) type Parsed<'a, T> = IResult<&'a str, T, Stop<'a>>;

/// Where a rule could not go on: what was left to read there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stop<'a>(&'a str);

impl<'a> Stop<'a> {
    pub(crate) fn at(rest: &'a str) -> Self {
        Stop(rest)
    }

    /// The column in `value`, from 1, in bytes; `None` if the rule did not say where it stopped.
    pub(crate) fn column(self, value: &str) -> Option<usize> {
        let offset = (self.0.as_ptr() as usize).wrapping_sub(value.as_ptr() as usize);
        (offset <= value.len()).then_some(offset + 1)
    }
}

impl<'a> ParseError<&'a str> for Stop<'a> {
    fn from_error_kind(input: &'a str, _: ErrorKind) -> Self {
        Stop(input)
    }

    fn append(_: &'a str, _: ErrorKind, other: Self) -> Self {
        other
    }
}

/// The most parameters of one URI or header value: keeps every search among them cheap.
pub(crate) const MAX_PARAMS: usize = 64;

/// The failure of a rule, wherever it was.
pub(crate) fn no_match<'a, T>() -> Parsed<'a, T> {
    Err(nom::Err::Error(Stop("")))
}

/// The failure of a rule where `input` is what was left to read.
pub(crate) fn stop<T>(input: &str) -> Parsed<'_, T> {
    Err(nom::Err::Error(Stop(input)))
}

/// `token` characters.
pub(crate) fn is_token_char(c: char) -> bool {
    u8::try_from(c).is_ok_and(|byte| class::is(byte, TOKEN))
}

/// Whether all of `text` is one `token`.
#[inline]
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && class::all(text.as_bytes(), TOKEN)
}

/// The bytes of a class at the start of `input`, at least one.
#[inline]
fn some(input: &str, class: u16) -> Parsed<'_, &str> {
    match class::split(input, class) {
        ("", _) => stop(input),
        (found, rest) => Ok((rest, found)),
    }
}

/// `token`.
pub(crate) fn token(input: &str) -> Parsed<'_, &str> {
    some(input, TOKEN)
}

/// `SWS`: optional white space.
pub(crate) fn sws(input: &str) -> Parsed<'_, &str> {
    let (space, rest) = class::split(input, WSP);
    Ok((rest, space))
}

/// `LWS`: white space that must be there.
pub(crate) fn lws(input: &str) -> Parsed<'_, &str> {
    some(input, WSP)
}

/// A separator with optional white space around it: `SEMI`, `SLASH`, `EQUAL`, `COLON`.
pub(crate) fn separator<'a>(c: char) -> impl Parser<&'a str, Output = char, Error = Stop<'a>> {
    delimited(sws, char(c), sws)
}

/// `1*DIGIT` as a number; no match if it does not fit.
#[inline]
pub(crate) fn number<T: TryFrom<u64>>(input: &str) -> Parsed<'_, T> {
    let (rest, digits) = some(input, DIGIT)?;
    let mut number = 0_u64;
    for digit in digits.bytes() {
        match number.checked_mul(10).and_then(|number| number.checked_add(u64::from(digit - b'0'))) {
            Some(next) => number = next,
            None => return stop(input),
        }
    }
    match T::try_from(number) {
        Ok(number) => Ok((rest, number)),
        Err(_) => stop(input),
    }
}

/// `delta-seconds`; what does not fit is as long as can be said (RFC 3261 §20.19).
pub(crate) fn delta_seconds(input: &str) -> Parsed<'_, u32> {
    let (rest, digits) = some(input, DIGIT)?;
    Ok((rest, digits.parse().unwrap_or(u32::MAX)))
}

/// `quoted-string`: what is between the quotes, still with its backslashes; see [`unquote`].
#[inline]
pub(crate) fn quoted_string(input: &str) -> Parsed<'_, &str> {
    let Some(rest) = input.strip_prefix('"') else { return stop(input) };
    let bytes = rest.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        // What is quoted may be all there is, and a search costs more than a look.
        match byte {
            b'"' => match (rest.get(..at), rest.get(at + 1..)) {
                (Some(content), Some(after)) => return Ok((after, content)),
                _ => break,
            },
            b'\\' => at += 2,
            _ => match memchr2(b'"', b'\\', bytes.get(at..).unwrap_or_default()) {
                Some(found) => at += found,
                None => break,
            },
        }
    }
    stop(input)
}

/// The content of a quoted string without its backslashes.
pub(crate) fn unquote(content: &str) -> Cow<'_, str> {
    if memchr(b'\\', content.as_bytes()).is_none() {
        return Cow::Borrowed(content);
    }
    let mut plain = Vec::with_capacity(content.len());
    let mut bytes = content.bytes();
    while let Some(byte) = bytes.next() {
        plain.extend(if byte == b'\\' { bytes.next() } else { Some(byte) });
    }
    // Without some of its ASCII characters it is still UTF-8.
    Cow::Owned(String::from_utf8(plain).unwrap_or_default())
}

/// [`unquote`], sharing the memory of `whole`, out of which `content` was cut, where nothing had to be changed.
pub(crate) fn unquoted(whole: &ByteStr, content: &str) -> ByteStr {
    match unquote(content) {
        Cow::Borrowed(plain) => whole.share(plain),
        Cow::Owned(plain) => plain.into(),
    }
}

/// Writes `text` as a `quoted-string`; control characters, which cannot be written, become spaces.
pub(crate) fn write_quoted(out: &mut String, text: &str) {
    out.push('"');
    if !text.bytes().any(|byte| byte.is_ascii_control() || !byte.is_ascii() || matches!(byte, b'"' | b'\\')) {
        out.push_str(text);
        out.push('"');
        return;
    }
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Writes the characters of `text` that a `token` may have, or `otherwise` if there are none.
pub(crate) fn write_token(out: &mut String, text: &str, otherwise: &str) {
    if is_token(text) {
        return out.push_str(text);
    }
    let before = out.len();
    out.extend(text.chars().filter(|c| is_token_char(*c)));
    if out.len() == before {
        out.push_str(otherwise);
    }
}

/// Writes a number in decimal digits.
pub(crate) fn write_number(out: &mut String, number: u32) {
    let mut digits = [b'0'; 10];
    let (mut rest, mut start) = (number, digits.len());
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        start -= 1;
        if rest == 0 {
            break;
        }
    }
    out.push_str(digits.get(start..).and_then(|digits| core::str::from_utf8(digits).ok()).unwrap_or_default());
}

/// Writes `text` on one line: control characters become spaces.
pub(crate) fn write_text(out: &mut String, text: &str) {
    out.extend(text.chars().map(|c| if c.is_control() { ' ' } else { c }));
}

/// What a rule takes and the RFC does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deviation {
    /// Words of a display name that should be in quotes.
    DisplayName,
    /// A backslash before a character beyond ASCII.
    QuotedPair,
    /// Characters of a user or a password that should be escaped.
    User,
    /// A host name with an underscore, or with a `-` at the end of a label.
    HostName,
    /// A parameter's value that should be in quotes.
    BareValue,
    /// A `=` without a value.
    EmptyValue,
    /// Spaces within the brackets around a URI.
    Spaces,
    /// A colon too many in an IPv6 address.
    Colons,
    /// A `received` that is no address, or one in brackets.
    Received,
    /// A parameter of this name whose value is not what the header's grammar says.
    Parameter(&'static str),
    /// A `tel:` URI that is no number, or a local one without its context.
    Tel,
    /// A character that should be escaped in a URI of another scheme.
    UriCharacter,
}

/// Whether a backslash in a quoted string stands before a character beyond ASCII.
pub(crate) fn has_bad_pair(content: &str) -> bool {
    let mut bytes = content.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'\\' && bytes.next().is_some_and(|byte| !byte.is_ascii()) {
            return true;
        }
    }
    false
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

    /// Tells what parameters of a header have that they should not.
    pub(crate) fn deviations(self, report: &mut impl FnMut(Deviation)) {
        let mut rest = self.text;
        while let Some((_, value, after)) = param(rest) {
            match value {
                Some(Value::Bare(value)) if !class::all(value.as_bytes(), PLAIN_VALUE) => report(Deviation::BareValue),
                Some(Value::Quoted(content)) if has_bad_pair(content) => report(Deviation::QuotedPair),
                _ => {}
            }
            rest = after;
        }
    }

    /// Whether the first parameter of this name has no value, or one without quotes that is as it should be.
    pub(crate) fn is_bare(self, name: &str, is_valid: impl FnOnce(&str) -> bool) -> bool {
        let mut rest = self.text;
        while let Some((found, value, after)) = param(rest) {
            if found.eq_ignore_ascii_case(name) {
                return match value {
                    None => true,
                    Some(Value::Bare(value)) => is_valid(value),
                    Some(Value::Quoted(_)) => false,
                };
            }
            rest = after;
        }
        true
    }

    /// Whether the first parameter of this name has no value, or a token; or one that should be in quotes, which is told of any parameter.
    pub(crate) fn is_token(self, name: &str) -> bool {
        self.is_bare(name, |value| is_token(value) || !class::all(value.as_bytes(), PLAIN_VALUE))
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

enum Value<'a> {
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
    let (mut rest, mut count, mut escaped) = (input, 0, false);
    while skip_wsp(rest).starts_with(';') {
        let Some((_, value, after)) = param(rest) else { return stop(rest) };
        if count == MAX_PARAMS {
            return stop(rest);
        }
        if let Some(Value::Quoted(content)) = value {
            escaped |= memchr(b'\\', content.as_bytes()).is_some();
        }
        count += 1;
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

/// `hostport` where it stands, with the white space that `COLON` allows in a Via.
#[inline]
pub(crate) fn host_port_part(input: &str) -> Parsed<'_, (HostPart<'_>, Option<u16>)> {
    let (rest, host) = HostPart::read(input)?;
    let Some(digits) = skip_wsp(rest).strip_prefix(':').map(skip_wsp) else { return Ok((rest, (host, None))) };
    let (rest, port) = number::<u16>(digits)?;
    Ok((rest, (host, Some(port))))
}

/// Cuts a comma-separated value where a comma is neither in quotes nor in angle brackets (RFC 3261 §7.3.1).
/// Empty values are left out.
pub(crate) fn list(value: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(value);
    core::iter::from_fn(move || {
        loop {
            // Separators with nothing between them are passed at once: a list may have nothing else.
            let current = rest?;
            let bytes = current.as_bytes();
            let start = bytes.iter().position(|byte| !matches!(byte, b',' | b' ' | b'\t')).unwrap_or(bytes.len());
            let current = current.get(start..).unwrap_or_default();
            let (item, after) = match next_comma(current).and_then(|at| current.split_at_checked(at)) {
                Some((item, after)) => (item, after.strip_prefix(',')),
                None => (current, None),
            };
            rest = after;
            let item = class::trim_wsp(item);
            if !item.is_empty() {
                return Some(item);
            }
        }
    })
}

/// The most values that a list has room for before they are read.
const LIST_ROOM: usize = 64;

/// What `read` makes of each value of a list, told its place, if all are tokens with nothing but commas and white space between them.
#[inline]
pub(crate) fn tokens<T>(list: &[u8], mut read: impl FnMut(&[u8], Range<usize>) -> T) -> Option<Vec<T>> {
    // There are no more values than commas and one.
    let most = memchr_iter(b',', list).count() + 1;
    let (mut tokens, mut at) = (Vec::with_capacity(most.min(LIST_ROOM)), 0);
    loop {
        while let Some(b',' | b' ' | b'\t') = list.get(at) {
            at += 1;
        }
        if at == list.len() {
            return Some(tokens);
        }
        let end = class::skip(list, at, TOKEN);
        let comma = class::skip_wsp_at(list, end);
        if end == at || !matches!(list.get(comma), None | Some(b',')) {
            return None;
        }
        tokens.push(read(list.get(at..end)?, at..end));
        at = comma;
    }
}

/// Where the first value of a comma-separated list ends.
pub(crate) fn next_comma(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    loop {
        at += memchr3(b',', b'"', b'<', bytes.get(at..)?)?;
        let tail = text.get(at..)?;
        match bytes.get(at)? {
            b',' => return Some(at),
            b'"' => at = text.len() - quoted_string(tail).ok()?.0.len(),
            _ => at += memchr(b'>', tail.as_bytes())?,
        }
    }
}

/// Space or tab.
pub(crate) fn is_wsp(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_cut_at_commas_outside_quotes_and_brackets() {
        #[track_caller]
        fn check(value: &str, expected: &[&str]) {
            assert_eq!(list(value).collect::<Vec<_>>(), expected);
        }
        check("", &[]);
        check("a", &["a"]);
        check("a, b\t,c", &["a", "b", "c"]);
        check(",a,,b,", &["a", "b"]);
        check("\"x, y\" <sip:a,b@c>;p=\"1,2\", <sip:d>", &["\"x, y\" <sip:a,b@c>;p=\"1,2\"", "<sip:d>"]);
        check(r#""a\",b", c"#, &[r#""a\",b""#, "c"]);
        check("\"open, quote", &["\"open, quote"]);
        check("<open, bracket", &["<open, bracket"]);
    }

    #[test]
    fn a_quoted_string_loses_its_backslashes_and_gets_them_back() {
        let (rest, content) = quoted_string(r#""a \"b\" \\ é" tail"#).unwrap();
        assert_eq!((rest, unquote(content).as_ref()), (" tail", r#"a "b" \ é"#));
        let mut written = String::new();
        write_quoted(&mut written, &unquote(content));
        assert_eq!(written, r#""a \"b\" \\ é""#);
    }

    #[test]
    fn a_quoted_string_that_does_not_end_is_none() {
        for text in ["\"", "\"abc", "\"abc\\\"", "\"\\", "abc\""] {
            assert!(quoted_string(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_number_is_written_in_as_many_digits_as_it_has() {
        let powers = (0..10).map(|power| 10_u32.pow(power));
        for number in
            powers.flat_map(|power| [power - 1, power, power + 1, power * 2 + 7]).chain([0, 5_060, 70_009, u32::MAX])
        {
            let mut written = String::new();
            write_number(&mut written, number);
            assert_eq!(written, number.to_string());
        }
    }

    #[test]
    fn more_parameters_than_any_message_needs_are_refused() {
        let text = |count| ByteStr::from(";a=1".repeat(count));
        assert!(params(&text(MAX_PARAMS), &text(MAX_PARAMS)).is_ok());
        assert!(params(&text(MAX_PARAMS + 1), &text(MAX_PARAMS + 1)).is_err());
    }
}

//! The rules of RFC 3261 §25.1 that many headers share, as nom parsers on text whose folding is already undone.
//!
//! Each rule looks at each character once, whatever the input.

use std::borrow::Cow;

use memchr::{memchr, memchr2, memchr3};
use nom::bytes::complete::{take_while, take_while1};
use nom::character::complete::char;
use nom::combinator::opt;
use nom::sequence::{delimited, preceded};
use nom::{IResult, Parser};

use crate::{ByteStr, Host, Params};

/// A rule's result; why it failed is said by the header that tried it, which knows what it expected.
pub(crate) type Parsed<'a, T> = IResult<&'a str, T, ()>;

/// The most parameters of one URI or header value: keeps every search among them cheap.
pub(crate) const MAX_PARAMS: usize = 64;

/// The failure of a rule.
pub(crate) fn no_match<'a, T>() -> Parsed<'a, T> {
    Err(nom::Err::Error(()))
}

/// `token` characters.
pub(crate) fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '!' | '%' | '*' | '_' | '+' | '`' | '\'' | '~')
}

/// Whether all of `text` is one `token`.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_token_char)
}

/// What may stand in a parameter's value without quotes. Wider than `token` and `host`: peers send `=`, `/`
/// and `@` in tags and branches, and nothing else can be meant by them there.
pub(crate) fn is_bare_value_char(c: char) -> bool {
    c.is_ascii_graphic() && !matches!(c, ';' | ',' | '"' | '<' | '>' | '\\')
}

/// `token`.
pub(crate) fn token(input: &str) -> Parsed<'_, &str> {
    take_while1(is_token_char).parse(input)
}

/// `SWS`: optional white space.
pub(crate) fn sws(input: &str) -> Parsed<'_, &str> {
    take_while(is_wsp).parse(input)
}

/// `LWS`: white space that must be there.
pub(crate) fn lws(input: &str) -> Parsed<'_, &str> {
    take_while1(is_wsp).parse(input)
}

/// A separator with optional white space around it: `SEMI`, `SLASH`, `EQUAL`, `COLON`.
pub(crate) fn separator<'a>(c: char) -> impl Parser<&'a str, Output = char, Error = ()> {
    delimited(sws, char(c), sws)
}

/// `1*DIGIT` as a number; no match if it does not fit.
pub(crate) fn number<T: std::str::FromStr>(input: &str) -> Parsed<'_, T> {
    let (rest, digits) = take_while1(|c: char| c.is_ascii_digit()).parse(input)?;
    match digits.parse() {
        Ok(number) => Ok((rest, number)),
        Err(_) => no_match(),
    }
}

/// `delta-seconds`; what does not fit is as long as can be said (RFC 3261 §20.19).
pub(crate) fn delta_seconds(input: &str) -> Parsed<'_, u32> {
    let (rest, digits) = take_while1(|c: char| c.is_ascii_digit()).parse(input)?;
    Ok((rest, digits.parse().unwrap_or(u32::MAX)))
}

/// `quoted-string`: what is between the quotes, still with its backslashes; see [`unquote`].
pub(crate) fn quoted_string(input: &str) -> Parsed<'_, &str> {
    let Some(rest) = input.strip_prefix('"') else { return no_match() };
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
    no_match()
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
    let before = out.len();
    out.extend(text.chars().filter(|c| is_token_char(*c)));
    if out.len() == before {
        out.push_str(otherwise);
    }
}

/// Writes `text` on one line: control characters become spaces.
pub(crate) fn write_text(out: &mut String, text: &str) {
    out.extend(text.chars().map(|c| if c.is_control() { ' ' } else { c }));
}

/// `*( SEMI generic-param )`.
pub(crate) fn params<'a>(whole: &ByteStr, input: &'a str) -> Parsed<'a, Params> {
    let mut params = Params::new();
    let mut rest = input;
    while let Ok((after, _)) = separator(';').parse(rest) {
        if params.len() == MAX_PARAMS {
            return no_match();
        }
        let (after, name) = token(after)?;
        let (after, value) = opt(preceded(separator('='), param_value)).parse(after)?;
        let value = value.map(|value| match value {
            Value::Bare(text) => (whole.share(text), false),
            Value::Quoted(content) => (unquoted(whole, content), true),
        });
        params.append(whole.share(name), value);
        rest = after;
    }
    Ok((rest, params))
}

enum Value<'a> {
    Bare(&'a str),
    Quoted(&'a str),
}

fn param_value(input: &str) -> Parsed<'_, Value<'_>> {
    if input.starts_with('"') {
        return quoted_string.map(Value::Quoted).parse(input);
    }
    take_while1(is_bare_value_char).map(Value::Bare).parse(input)
}

/// `hostport`, with the white space that `COLON` allows in a Via.
pub(crate) fn host_port<'a>(whole: &ByteStr, input: &'a str) -> Parsed<'a, (Host, Option<u16>)> {
    let (rest, host) = Host::parse_prefix(whole, input)?;
    let (rest, port) = opt(preceded(separator(':'), number::<u16>)).parse(rest)?;
    Ok((rest, (host, port)))
}

/// Cuts a comma-separated value where a comma is neither in quotes nor in angle brackets (RFC 3261 §7.3.1).
/// Empty values are left out.
pub(crate) fn list(value: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        loop {
            // Separators with nothing between them are passed at once: a list may have nothing else.
            let current = rest?.trim_start_matches([',', ' ', '\t']);
            let (item, after) = match next_comma(current).and_then(|at| current.split_at_checked(at)) {
                Some((item, after)) => (item, after.strip_prefix(',')),
                None => (current, None),
            };
            rest = after;
            let item = item.trim_matches(is_wsp);
            if !item.is_empty() {
                return Some(item);
            }
        }
    })
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
    fn more_parameters_than_any_message_needs_are_refused() {
        let text = |count| ByteStr::from(";a=1".repeat(count));
        assert!(params(&text(MAX_PARAMS), &text(MAX_PARAMS)).is_ok());
        assert!(params(&text(MAX_PARAMS + 1), &text(MAX_PARAMS + 1)).is_err());
    }
}

//! Text in quotes.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use memchr::{memchr, memchr2};

use super::{Parsed, stop};
use crate::ByteStr;

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

#[cfg(test)]
mod tests {
    use super::*;

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
}

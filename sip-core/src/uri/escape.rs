//! Which characters may stand where in a URI, and `%` escapes (RFC 3261 §19.1.2, §25.1).

use std::borrow::Cow;
use std::fmt::Write;

/// `unreserved`.
fn is_unreserved(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '!' | '~' | '*' | '\'' | '(' | ')')
}

/// `user` without its escapes: what we write.
pub(super) fn is_user_char(c: char) -> bool {
    is_unreserved(c) || matches!(c, '&' | '=' | '+' | '$' | ',' | ';' | '?' | '/')
}

/// `user` and `password` as peers write them: `#` is dialled by many phones without its escape.
pub(super) fn is_lenient_user_char(c: char) -> bool {
    c.is_ascii_graphic() && !matches!(c, '@' | ':' | '<' | '>' | '"' | '\\' | '[' | ']' | '%')
}

/// `paramchar` without its escapes; `%` stands for them and is checked by [`is_valid`].
pub(super) fn is_param_char(c: char) -> bool {
    is_unreserved(c) || matches!(c, '[' | ']' | '/' | ':' | '&' | '+' | '$' | '%')
}

/// `hname` and `hvalue` without their escapes.
pub(super) fn is_header_char(c: char) -> bool {
    is_unreserved(c) || matches!(c, '[' | ']' | '/' | '?' | ':' | '+' | '$')
}

/// What may follow the scheme of a URI that is not ours to read.
pub(super) fn is_opaque_char(c: char) -> bool {
    c.is_ascii_graphic() && !matches!(c, '<' | '>' | '"')
}

/// Whether `text` has only `allowed` characters and whole escapes.
pub(super) fn is_valid(text: &str, allowed: fn(char) -> bool) -> bool {
    let mut rest = text;
    loop {
        let Some(at) = rest.find(|c| c == '%' || !allowed(c)) else { return true };
        match rest.get(at..).and_then(escape_at_start) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
}

/// The byte that an escape at the start of `text` stands for, and what follows it.
fn escape_at_start(text: &str) -> Option<(u8, &str)> {
    let (escape, rest) = text.split_at_checked(3)?;
    let digits = escape.strip_prefix('%')?;
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None; // `from_str_radix` would take a sign
    }
    Some((u8::from_str_radix(digits, 16).ok()?, rest))
}

/// `text` with every character that is not `allowed` escaped; escapes that stand in it are kept.
pub(super) fn escaped(text: &str, allowed: fn(char) -> bool) -> Cow<'_, str> {
    if is_valid(text, allowed) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let (one, after) = rest.split_at(c.len_utf8());
        if let Some((_, after)) = escape_at_start(rest) {
            out.push_str(rest.get(..3).unwrap_or_default());
            rest = after;
            continue;
        }
        if c != '%' && allowed(c) {
            out.push(c);
        } else {
            push_escaped(&mut out, one);
        }
        rest = after;
    }
    Cow::Owned(out)
}

/// Escapes every character of `text`, also a `%`, that is not `allowed`.
pub(super) fn escaped_anew(text: &str, allowed: fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '%' && allowed(c) {
            out.push(c);
        } else {
            push_escaped(&mut out, c.encode_utf8(&mut [0; 4]));
        }
    }
    out
}

fn push_escaped(out: &mut String, text: &str) {
    for byte in text.bytes() {
        // Writing to a `String` cannot fail.
        let _ = write!(out, "%{byte:02X}");
    }
}

/// `text` without its escapes; `None` if that is not UTF-8.
pub(super) fn unescaped(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    String::from_utf8(unescaped_bytes(text)).ok().map(Cow::Owned)
}

/// The bytes that `text` stands for without its escapes.
pub(super) fn unescaped_bytes(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let (plain, tail) = rest.split_at(at);
        out.extend_from_slice(plain.as_bytes());
        match escape_at_start(tail) {
            Some((byte, after)) => {
                out.push(byte);
                rest = after;
            }
            None => {
                out.push(b'%');
                rest = tail.get(1..).unwrap_or_default();
            }
        }
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

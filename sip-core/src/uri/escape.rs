//! Which characters may stand where in a URI, and `%` escapes (RFC 3261 §19.1.2, §25.1).

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use crate::class;

/// `text` after its first bytes that are in the class or whole escapes; `None` if an escape is not whole.
#[inline]
pub(super) fn skip(text: &str, class: u16) -> Option<&str> {
    let mut rest = text;
    loop {
        rest = class::split(rest, class).1;
        if !rest.starts_with('%') {
            return Some(rest);
        }
        rest = escape_at_start(rest)?.1;
    }
}

/// Whether `text` has only bytes of the class and whole escapes.
#[inline]
pub(super) fn is_valid(text: &str, class: u16) -> bool {
    class::all(text.as_bytes(), class) || skip(text, class).is_some_and(str::is_empty)
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

/// `text` with every character that is not in the class `allowed` escaped; escapes that stand in it are kept.
pub(super) fn escaped(text: &str, allowed: u16) -> Cow<'_, str> {
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
        if u8::try_from(c).is_ok_and(|byte| byte != b'%' && class::is(byte, allowed)) {
            out.push(c);
        } else {
            push_escaped(&mut out, one);
        }
        rest = after;
    }
    Cow::Owned(out)
}

/// Escapes every character of `text`, also a `%`, that is not in the class `allowed`.
pub(super) fn escaped_anew(text: &str, allowed: u16) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if u8::try_from(c).is_ok_and(|byte| byte != b'%' && class::is(byte, allowed)) {
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

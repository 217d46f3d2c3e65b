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
        push_byte(out, byte);
    }
}

fn push_byte(out: &mut String, byte: u8) {
    // Writing to a `String` cannot fail.
    let _ = write!(out, "%{byte:02X}");
}

/// The bytes that `text` stands for, and of each whether it is escaped. A `%` that starts no escape stands for itself.
pub(super) fn bytes(text: &str) -> impl Iterator<Item = (u8, bool)> {
    let mut rest = text.as_bytes();
    core::iter::from_fn(move || {
        let hex = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        if let [b'%', high, low, after @ ..] = rest
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            rest = after;
            return Some((high << 4 | low, true));
        }
        let (byte, after) = rest.split_first()?;
        rest = after;
        Some((*byte, false))
    })
}

/// The order of two texts without their escapes and their case.
pub(super) fn compare(a: &str, b: &str) -> core::cmp::Ordering {
    let plain = |text| bytes(text).map(|(byte, _)| byte.to_ascii_lowercase());
    plain(a).cmp(plain(b))
}

/// `text` in the one form of all that differ from it by their escapes alone: what is not in the class `allowed` is
/// escaped, escapes of `undone` bytes that are in it are not, and the others have capitals (RFC 3986 §6.2.2).
pub(super) fn normalised(text: &str, allowed: u16, undone: fn(u8) -> bool) -> Cow<'_, str> {
    if class::all(text.as_bytes(), allowed) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for (byte, is_escaped) in bytes(text) {
        if byte.is_ascii() && class::is(byte, allowed) && (!is_escaped || undone(byte)) {
            out.push(char::from(byte));
        } else {
            push_byte(&mut out, byte);
        }
    }
    Cow::Owned(out)
}

/// `text` in lower case, except for its escapes.
pub(super) fn lower(text: Cow<'_, str>) -> Cow<'_, str> {
    if !text.contains(|c: char| c.is_ascii_uppercase()) {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut escape = 0_u8; // how many digits of one are to come
    for c in text.chars() {
        out.push(if escape > 0 { c } else { c.to_ascii_lowercase() });
        escape = if c == '%' { 2 } else { escape.saturating_sub(1) };
    }
    Cow::Owned(out)
}

/// Whether a name is `wanted`, in any case and however it is escaped (RFC 3261 §19.1.4).
pub(super) fn is_named(name: &str, wanted: &str) -> bool {
    name.eq_ignore_ascii_case(wanted)
        || (name.contains('%')
            && bytes(name)
                .map(|(byte, _)| byte.to_ascii_lowercase())
                .eq(wanted.bytes().map(|b| b.to_ascii_lowercase())))
}

/// `text` without its escapes; `None` if that is not UTF-8.
pub(super) fn unescaped(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    String::from_utf8(unescaped_bytes(text)).ok().map(Cow::Owned)
}

/// `text` without its escapes; what is not UTF-8 is U+FFFD.
pub(super) fn unescaped_lossy(text: &str) -> Cow<'_, str> {
    unescaped(text).unwrap_or_else(|| Cow::Owned(String::from_utf8_lossy(&unescaped_bytes(text)).into_owned()))
}

/// The bytes that `text` stands for without its escapes.
fn unescaped_bytes(text: &str) -> Vec<u8> {
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

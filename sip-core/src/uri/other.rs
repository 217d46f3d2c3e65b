//! URIs of schemes that are not ours to read (RFC 3986).

use alloc::string::String;

use super::escape;
use crate::class::{self, OPAQUE, SCHEME};
use crate::grammar::{Deviation, Told};

/// The scheme of a URI, without its colon (RFC 3986 §3.1).
pub(super) fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once(':')?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && class::all(scheme.as_bytes(), SCHEME);
    is_scheme.then_some(scheme)
}

/// Tells what the URI has that it should not.
pub(super) fn deviations(text: &str, told: Told<'_>) {
    if scheme(text).is_some_and(|scheme| scheme.eq_ignore_ascii_case("tel")) {
        told(Deviation::Tel, text);
    }
    // Neither `reserved` nor `unreserved` (RFC 3986 §2), and one fragment at most.
    let second_fragment = text.match_indices('#').nth(1).map(|(at, _)| at);
    if let Some(at) = text.find(['\\', '^', '`', '{', '|', '}']).or(second_fragment) {
        told(Deviation::UriCharacter, text.get(at..).unwrap_or_default());
    }
}

/// The URI in its normal form (RFC 3986 §6.2.2): the scheme in lower case, and the host after `//`; of a URN, which keeps its
/// escapes, the namespace (RFC 8141 §3.1), and all of it where the namespace compares so (RFC 4122 §3, RFC 5031).
pub(super) fn normalised(text: &str) -> String {
    let is_urn = scheme(text).is_some_and(|scheme| scheme.eq_ignore_ascii_case("urn"));
    let undone: fn(u8) -> bool = match is_urn {
        true => |_| false,
        false => |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~'),
    };
    let mut out = escape::normalised(text, OPAQUE, undone).into_owned();
    let Some(colon) = scheme(&out).map(str::len) else { return out };
    lower(&mut out, 0, colon);
    let rest = out.get(colon + 1..).unwrap_or_default();
    if is_urn {
        let is_folded = |name: &str| rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
        let length = if is_folded("uuid:") || is_folded("service:") { rest.len() } else { rest.find(':').unwrap_or(0) };
        lower(&mut out, colon + 1, colon + 1 + length);
    } else if let Some(authority) = rest.strip_prefix("//") {
        let end = authority.find(['/', '?', '#']).unwrap_or(authority.len());
        let start = authority.get(..end).and_then(|authority| authority.rfind('@')).map_or(0, |at| at + 1);
        lower(&mut out, colon + 3 + start, colon + 3 + end);
    }
    out
}

/// Makes some of the text lower case, except for its escapes.
fn lower(text: &mut String, start: usize, end: usize) {
    let folded = text.get(start..end).map(|part| escape::lower(part.into()).into_owned());
    if let Some(folded) = folded {
        text.replace_range(start..end, &folded);
    }
}

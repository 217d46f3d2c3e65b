//! When two SIP URIs are equivalent (RFC 3261 §19.1.4).

use alloc::vec::Vec;

use super::escape::unescaped_bytes;
use super::{Params, SipUri};

/// Parameters that never match when only one of the URIs has them.
const SIGNIFICANT: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];

pub(super) fn equivalent(a: &SipUri, b: &SipUri) -> bool {
    a.secure == b.secure
        && part(a.user.as_deref()) == part(b.user.as_deref())
        && part(a.password.as_deref()) == part(b.password.as_deref())
        && a.host == b.host
        && a.port == b.port
        && params_match(&a.params, &b.params)
        && params_match(&b.params, &a.params)
        && headers(a) == headers(b)
}

/// User and password, in which case matters.
///
/// Escapes of reserved characters stay apart from the characters themselves (RFC 3261 §19.1.4).
fn part(text: Option<&str>) -> Option<Vec<u8>> {
    text.map(normalised)
}

/// Unescapes what is equivalent to its escape, and writes the other escapes in lower case.
fn normalised(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let (plain, tail) = rest.split_at(at);
        out.extend_from_slice(plain.as_bytes());
        let (escape, after) = tail.split_at_checked(3).unwrap_or((tail, ""));
        match *unescaped_bytes(escape) {
            [byte] if !is_reserved(byte) => out.push(byte),
            _ => out.extend(escape.bytes().map(|byte| byte.to_ascii_lowercase())),
        }
        rest = after;
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

/// `reserved` of RFC 2396, and the escape character itself.
fn is_reserved(byte: u8) -> bool {
    matches!(byte, b';' | b'/' | b'?' | b':' | b'@' | b'&' | b'=' | b'+' | b'$' | b',' | b'%')
}

fn normalised_lower(text: &str) -> Vec<u8> {
    normalised(text).to_ascii_lowercase()
}

/// Whether each parameter of `a` has its like in `b` or may be ignored. At most 64 times 64 comparisons.
fn params_match(a: &Params, b: &Params) -> bool {
    // Of a name that stands there twice the first counts.
    let read = |params: &Params| {
        let mut firsts: Vec<(Vec<u8>, Option<Vec<u8>>)> = Vec::with_capacity(params.len());
        for (name, value) in params.iter().map(|(name, value)| (normalised_lower(name), value.map(normalised_lower))) {
            if !firsts.iter().any(|(other, _)| *other == name) {
                firsts.push((name, value));
            }
        }
        firsts
    };
    let others = read(b);
    read(a).iter().all(|(name, value)| match others.iter().find(|(other, _)| other == name) {
        Some((_, other)) => value == other,
        None => !SIGNIFICANT.iter().any(|significant| name == significant.as_bytes()),
    })
}

/// The headers of the URI in an order that does not depend on how they were written.
fn headers(uri: &SipUri) -> Vec<(Vec<u8>, Vec<u8>)> {
    let text = uri.headers.as_deref().unwrap_or_default();
    let mut headers: Vec<_> = text
        .split('&')
        .filter_map(|header| header.split_once('='))
        .map(|(name, value)| (normalised_lower(name), normalised(value)))
        .collect();
    headers.sort_unstable();
    headers
}

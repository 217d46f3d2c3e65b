//! When two SIP URIs are equivalent, and the form in which the spelling of one does not matter (RFC 3261 §19.1.4).

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Params, SipUri, escape};
use crate::class::{URI_HEADER, URI_PARAM, USER};
use crate::{ByteStr, HeaderName};

/// Parameters that never match when only one of the URIs has them.
const SIGNIFICANT: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];

/// Parameters whose values are the same in lower case, to whoever reads them. Of others that is not known, and
/// methods have their case (RFC 3261 §7.1).
const FOLDED: [&str; 5] = ["transport", "user", "maddr", "ttl", "comp"];

pub(super) fn equivalent(a: &SipUri, b: &SipUri) -> bool {
    a.secure == b.secure
        && a.port == b.port
        && a.host == b.host
        && user_info(a) == user_info(b)
        && params_match(&a.params, &b.params)
        && headers_match(a.headers.as_deref(), b.headers.as_deref())
}

/// The URI in its normal form.
pub(super) fn normalised(uri: &SipUri) -> SipUri {
    let user_info = user_info(uri);
    let share = |text: Cow<'_, str>| ByteStr::from(&*text);
    let mut params = Params::new();
    let mut read = first_params(&uri.params);
    read.sort_by(|(a, _), (b, _)| a.cmp(b));
    for (name, value) in read {
        let value = value.map(|value| if FOLDED.contains(&&*name) { escape::lower(value) } else { value });
        params.append(share(name), value.map(|value| (share(value), false)));
    }
    // Headers of one name keep their order, which may matter where it is undone to a message.
    let mut headers = headers(uri.headers.as_deref());
    headers.sort_by(|(a, _), (b, _)| a.cmp(b));
    let headers: Vec<String> = headers.iter().map(|(name, value)| alloc::format!("{name}={value}")).collect();
    let (user, password) = user_info.unzip();
    SipUri {
        secure: uri.secure,
        user: user.map(share),
        password: password.flatten().map(share),
        host: uri.host.normalised(),
        port: uri.port,
        params,
        headers: (!headers.is_empty()).then(|| headers.join("&").into()),
    }
}

/// User and password, in which case matters. There is no password without a user.
fn user_info(uri: &SipUri) -> Option<(Cow<'_, str>, Option<Cow<'_, str>>)> {
    let user = uri.user.as_deref().filter(|user| !user.is_empty())?;
    Some((part(user, USER), uri.password.as_deref().map(|password| part(password, USER))))
}

/// A part of the URI with no more escapes than it needs.
///
/// Escapes of reserved characters stay apart from the characters themselves (RFC 3261 §19.1.4).
fn part(text: &str, allowed: u16) -> Cow<'_, str> {
    escape::normalised(text, allowed, |byte| !is_reserved(byte))
}

/// `reserved` of RFC 2396, and the escape character itself.
fn is_reserved(byte: u8) -> bool {
    matches!(byte, b';' | b'/' | b'?' | b':' | b'@' | b'&' | b'=' | b'+' | b'$' | b',' | b'%')
}

/// Name in lower case, and value.
type Pair<'a> = (Cow<'a, str>, Option<Cow<'a, str>>);

/// The parameters with no more escapes than they need; of a name that stands there twice the first counts.
fn first_params(params: &Params) -> Vec<Pair<'_>> {
    let mut firsts: Vec<Pair<'_>> = Vec::new();
    for (name, value) in params.iter().filter(|(name, _)| !name.is_empty()) {
        let name = escape::lower(part(name, URI_PARAM));
        if !firsts.iter().any(|(other, _)| *other == name) {
            firsts.push((name, value.filter(|value| !value.is_empty()).map(|value| part(value, URI_PARAM))));
        }
    }
    firsts
}

/// Whether each parameter of the one has its like in the other or may be ignored. At most 64 times 64 comparisons.
fn params_match(a: &Params, b: &Params) -> bool {
    if a.is_empty() && b.is_empty() {
        return true;
    }
    let (a, b) = (first_params(a), first_params(b));
    let has_its_like =
        |(name, value): &Pair<'_>, others: &[Pair<'_>]| match others.iter().find(|(other, _)| other == name) {
            Some((_, other)) => match (value, other) {
                (Some(value), Some(other)) => value.eq_ignore_ascii_case(other),
                (value, other) => value == other,
            },
            None => !SIGNIFICANT.contains(&&**name),
        };
    a.iter().all(|param| has_its_like(param, &b)) && b.iter().all(|param| has_its_like(param, &a))
}

/// Whether the headers are the same in any order.
fn headers_match(a: Option<&str>, b: Option<&str>) -> bool {
    let sorted = |text| {
        let mut headers = headers(text);
        headers.sort_unstable();
        headers
    };
    a == b || sorted(a) == sorted(b)
}

/// The headers of a URI: the long names in lower case, and the values.
fn headers(text: Option<&str>) -> Vec<(String, Cow<'_, str>)> {
    let name_of = |name: &str| {
        let name = part(name, URI_HEADER);
        let known = escape::unescaped(&name).and_then(|name| HeaderName::parse(&name));
        match known {
            Some(HeaderName::Extension(_)) | None => escape::lower(name).into_owned(),
            Some(known) => known.as_str().to_ascii_lowercase(),
        }
    };
    text.filter(|text| super::part::is_headers(text))
        .unwrap_or_default()
        .split('&')
        .filter_map(|header| header.split_once('='))
        .map(|(name, value)| (name_of(name), part(value, URI_HEADER)))
        .collect()
}

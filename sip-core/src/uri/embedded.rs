//! The headers that a URI brings for the request that is sent to it (RFC 3261 §19.1.1, §19.1.5).

use alloc::borrow::Cow;
use alloc::string::String;

use super::SipUri;
use super::escape::{escaped_anew, unescaped};
use crate::HeaderName;
use crate::class::URI_HEADER;

fn is(header: &str, name: &HeaderName) -> bool {
    let written = header.split('=').next().unwrap_or_default();
    unescaped(written).is_some_and(|written| written.eq_ignore_ascii_case(name.as_str()))
}

/// The value of the first header of this name, without escapes; `None` if there is none or if it is not UTF-8.
pub(crate) fn header<'a>(uri: &'a SipUri, name: &HeaderName) -> Option<Cow<'a, str>> {
    let header = uri.headers.as_deref()?.split('&').find(|header| is(header, name))?;
    unescaped(header.split_once('=').map_or("", |(_, value)| value))
}

/// Puts a header behind the others of the URI, in place of those of the same name.
pub(crate) fn set_header(uri: &mut SipUri, name: &HeaderName, value: &str) {
    let mut headers = String::new();
    for other in uri.headers.as_deref().unwrap_or_default().split('&') {
        if !other.is_empty() && !is(other, name) {
            headers.push_str(other);
            headers.push('&');
        }
    }
    headers.push_str(name.as_str());
    headers.push('=');
    headers.push_str(&escaped_anew(value, URI_HEADER));
    uri.headers = Some(headers.into());
}

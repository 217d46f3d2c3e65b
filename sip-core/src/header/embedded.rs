//! The headers of a URI: `?Reason=SIP%3Bcause%3D302&Privacy=history` (RFC 3261 §19.1.1, RFC 7044 §5).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use super::{HeaderError, HeaderName, Repetition, TypedHeader};
use crate::class::{self, URI_HEADER};
use crate::{SipUri, grammar};

/// The headers that have this name, or that have another, as they stand in the URI.
fn named<'a>(uri: &'a SipUri, name: &HeaderName, is_wanted: bool) -> impl Iterator<Item = &'a str> {
    let headers = uri.headers.as_deref().unwrap_or_default();
    headers.split('&').filter(move |header| {
        let written = header.split_once('=').and_then(|(written, _)| unescaped(written));
        !header.is_empty()
            && (written.and_then(|written| HeaderName::parse(&written)).as_ref() == Some(name)) == is_wanted
    })
}

/// The first value that the header `H` has there; `None` if it has none, `Some` of an error if it cannot be read.
pub(super) fn first<H: TypedHeader>(uri: &SipUri) -> Option<Result<H, HeaderError>> {
    let (_, value) = named(uri, &H::NAME, true).next()?.split_once('=')?;
    let malformed = HeaderError::malformed(H::NAME, "UTF-8 with whole escapes");
    Some(unescaped(value).ok_or(malformed).and_then(|value| H::parse_value(value.into())))
}

/// The values of the header `H` that can be read.
pub(super) fn all<H: TypedHeader>(uri: &SipUri) -> Vec<H> {
    let mut values = Vec::new();
    for (_, value) in named(uri, &H::NAME, true).filter_map(|header| header.split_once('=')) {
        let Some(value) = unescaped(value) else { continue };
        match H::REPETITION {
            Repetition::Values => {
                values.extend(grammar::list(&value).filter_map(|item| H::parse_value(item.into()).ok()));
            }
            _ => values.extend(H::parse_value(value.into())),
        }
    }
    values
}

/// Puts these values, one header each, in the place of all that the header `H` has in the URI.
pub(super) fn set<H: TypedHeader>(uri: &mut SipUri, values: &[H]) {
    let mut headers = String::new();
    for header in named(uri, &H::NAME, false) {
        headers.push_str(if headers.is_empty() { "" } else { "&" });
        headers.push_str(header);
    }
    for value in values {
        headers.push_str(if headers.is_empty() { "" } else { "&" });
        escape(H::NAME.as_str(), &mut headers);
        headers.push('=');
        let mut text = String::new();
        value.write(&mut text);
        escape(&text, &mut headers);
    }
    uri.headers = (!headers.is_empty()).then(|| headers.into());
}

/// Appends `text` with escapes for whatever may not stand in a header of a URI.
fn escape(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if class::is(byte, URI_HEADER) {
            out.push(char::from(byte));
        } else {
            // Writing to a `String` cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// `text` without its escapes; `None` if one is not whole, or if that is not UTF-8.
fn unescaped(text: &str) -> Option<String> {
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        plain.push(if byte == b'%' { u8::try_from(digit()? * 16 + digit()?).ok()? } else { byte });
    }
    String::from_utf8(plain).ok()
}

//! What follows `tel:` where it stands: read and checked, not yet made into a value (RFC 3966 §3).

use alloc::string::String;
use core::fmt::Write;

use super::{TelUri, UriError, escape};
use crate::ByteStr;
use crate::class::{self, URI_PARAM};
use crate::grammar::{self, Deviation, ParamCount, ParamsPart, Told};

/// `telephone-subscriber` where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TelPart<'a> {
    number: &'a str,
    /// From the first semicolon.
    params: &'a str,
}

impl<'a> TelPart<'a> {
    /// Reads all of `text` as a `telephone-subscriber`.
    ///
    /// A local number is taken without its context, parameters in any order, and in the value of any of them the
    /// characters that `isub` has.
    pub(super) fn read(text: &'a str) -> Result<TelPart<'a>, UriError> {
        let end = memchr::memchr(b';', text.as_bytes()).unwrap_or(text.len());
        let (number, params) = text.split_at_checked(end).ok_or(UriError::Number)?;
        if !is_number(number) {
            return Err(UriError::Number);
        }
        let mut count = ParamCount::default();
        for (name, value) in split(params) {
            if !count.add(name) || !is_name(name) || !value.is_none_or(is_value) {
                return Err(UriError::Params);
            }
        }
        Ok(TelPart { number, params })
    }

    /// Tells what the URI has that it should not.
    pub(super) fn deviations(&self, told: Told<'_>) {
        let is_local = !self.number.starts_with('+');
        let has_context = split(self.params).any(|(name, _)| escape::is_named(name, "phone-context"));
        let is_plain = |(name, value): (&str, Option<&str>)| {
            escape::is_named(name, "isub") || value.is_none_or(|value| escape::is_valid(value, URI_PARAM))
        };
        if (is_local && !has_context) || self.number.contains('%') || !split(self.params).all(is_plain) {
            told(Deviation::Tel, self.number);
        }
        if let Some((name, _)) = split(self.params).find(|(_, value)| *value == Some("")) {
            told(Deviation::EmptyValue, name);
        }
        // RFC 3966 §3
        grammar::repeated(split(self.params).map(|(name, _)| name), escape::compare, told);
    }

    /// The URI, sharing the memory of `whole` unless a value lacks escapes.
    pub(super) fn to_tel(self, whole: &ByteStr) -> TelUri {
        let escaped = |value| escape::escaped(value, URI_PARAM);
        let is_plain =
            split(self.params).all(|(_, value)| value.is_none_or(|value| escape::is_valid(value, URI_PARAM)));
        let params = if is_plain {
            ParamsPart::plain(self.params).to_params(whole)
        } else {
            let mut text = String::with_capacity(self.params.len() + 8);
            for (name, value) in split(self.params) {
                // Writing to a `String` cannot fail.
                let _ = match value {
                    Some(value) => write!(text, ";{name}={}", escaped(value)),
                    None => write!(text, ";{name}"),
                };
            }
            let whole = ByteStr::from(text);
            ParamsPart::plain(&whole).to_params(&whole)
        };
        TelUri::of_parts(whole.share(self.number), params)
    }
}

/// The parameters of `;name=value;name`, whatever they are made of.
fn split(params: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    params.split(';').skip(1).map(|param| match param.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (param, None),
    })
}

/// `global-number-digits` or `local-number-digits`, and escapes of what they have but the `+`.
fn is_number(text: &str) -> bool {
    let (digits, is_digit): (&str, fn(u8) -> bool) = match text.strip_prefix('+') {
        Some(digits) => (digits, |byte| byte.is_ascii_digit()),
        None => (text, |byte| byte.is_ascii_hexdigit() || matches!(byte, b'*' | b'#')),
    };
    let is_any = |test: &dyn Fn(u8) -> bool| escape::bytes(digits).any(|(byte, _)| test(byte));
    is_any(&is_digit) && !is_any(&|byte| !is_digit(byte) && !is_separator(byte))
}

/// `visual-separator`.
pub(super) fn is_separator(byte: u8) -> bool {
    matches!(byte, b'-' | b'.' | b'(' | b')')
}

/// `pname`, which may be escaped as all unreserved characters may.
fn is_name(name: &str) -> bool {
    !name.is_empty() && escape::bytes(name).all(|(byte, _)| is_name_byte(byte))
}

pub(super) fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}

/// `pvalue`, or what `isub` has: `uric` but the semicolon. Empty, it is none.
fn is_value(value: &str) -> bool {
    let is_uric = |byte| class::is(byte, URI_PARAM) || matches!(byte, b'?' | b'@' | b'=' | b',');
    escape::bytes(value).all(|(byte, is_escaped)| is_escaped || is_uric(byte))
}

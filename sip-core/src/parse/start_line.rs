//! Request line and status line (RFC 3261 §7.1, §7.2).

use core::ops::Range;

use bytes::Bytes;
use memchr::{memchr, memchr2, memrchr};

use super::ParseErrorKind;
use crate::class::{self, DIGIT};
use crate::headers::narrow;
use crate::message::ReasonPhrase;
use crate::uri::UriPart;
use crate::{ByteStr, Method, StatusCode, grammar, ordinary};

/// What the first line of a message says it is, before its parts are checked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Recognised<'a> {
    /// `Method … SIP/x.y`: what is between, and whether the version is ours; `None` if white space follows it.
    Request { method: &'a str, uri: &'a [u8], version: Option<bool> },
    /// `SIP/x.y …`.
    Response,
}

/// The first line of a message.
pub(super) enum StartLine {
    /// The URI, which is valid, as a range of the message.
    Request {
        method: Method,
        uri: Range<u32>,
    },
    Response {
        status: StatusCode,
        reason: ReasonPhrase,
    },
}

/// Tells by the first line, without its end, whether this is SIP at all.
pub(super) fn recognise(line: &[u8]) -> Option<Recognised<'_>> {
    if line.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/")) {
        return Some(Recognised::Response);
    }
    let text = line.trim_ascii_end();
    let (method, rest) = text.split_at_checked(memchr(b' ', text)?)?;
    let (uri, version) = rest.split_at_checked(memrchr(b' ', rest)?)?;
    let version = is_version(version.get(1..)?)?;
    let method = core::str::from_utf8(method).ok().filter(|method| grammar::is_token(method))?;
    let version = (text.len() == line.len()).then_some(version);
    Some(Recognised::Request { method, uri: uri.get(1..).unwrap_or_default(), version })
}

/// `"SIP" "/" 1*DIGIT "." 1*DIGIT` in any case: whether it is the version that we speak.
fn is_version(version: &[u8]) -> Option<bool> {
    if version == b"SIP/2.0" {
        return Some(true);
    }
    let (name, number) = version.split_at_checked(4)?;
    let is_number = |digits: &[u8]| !digits.is_empty() && class::all(digits, DIGIT);
    let (major, minor) = number.split_at_checked(memchr(b'.', number)?)?;
    let valid = name.eq_ignore_ascii_case(b"SIP/") && is_number(major) && is_number(minor.get(1..)?);
    valid.then_some(number == b"2.0")
}

/// The request line of a message, which was recognised as one.
pub(super) fn request(
    message: &Bytes,
    line: &[u8],
    method: &str,
    uri: &[u8],
    version: Option<bool>,
) -> Result<StartLine, ParseErrorKind> {
    let (start, uri) = match (version, core::str::from_utf8(uri)) {
        (Some(false), _) => return Err(ParseErrorKind::Version),
        (Some(true), Ok(uri)) if !uri.is_empty() && memchr2(b' ', b'\t', uri.as_bytes()).is_none() => {
            (method.len() + 1, uri)
        }
        _ => spaced_uri(method, line)?,
    };
    // RFC 4475 §3.1.2.11
    let is_ordinary = ordinary::uri_end(uri.as_bytes(), 0) == Some(uri.len());
    if !is_ordinary && UriPart::read(uri).map_err(|error| ParseErrorKind::request_uri(uri, error))?.has_headers() {
        return Err(ParseErrorKind::RequestUriHeaders);
    }
    let uri = narrow(start)..narrow(start + uri.len());
    let extension = || Method::Extension(ByteStr::from_utf8(message.slice_ref(method.as_bytes())).unwrap_or_default());
    Ok(StartLine::Request { method: Method::known(method).unwrap_or_else(extension), uri })
}

/// The Request-URI of a line with surplus spaces between its parts or at its end, and where it starts (RFC 4475 §3.1.2.9,
/// §3.1.2.10). They are told as an anomaly and not sent on.
#[cold]
fn spaced_uri<'a>(method: &str, line: &'a [u8]) -> Result<(usize, &'a str), ParseErrorKind> {
    let rest = line.get(method.len()..).unwrap_or_default();
    let mut words = rest.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let (Some(uri), Some(version), None) = (words.next(), words.next(), words.next()) else {
        return Err(ParseErrorKind::RequestLine);
    };
    match (is_version(version), core::str::from_utf8(uri)) {
        (Some(true), Ok(uri)) if memchr(b'\t', uri.as_bytes()).is_none() => {
            Ok((method.len() + rest.iter().take_while(|byte| **byte == b' ').count(), uri))
        }
        (Some(false), _) => Err(ParseErrorKind::Version),
        _ => Err(ParseErrorKind::RequestLine),
    }
}

/// The status line of a message, which was recognised as one. The space before an empty reason may be missing.
pub(super) fn response(message: &Bytes, line: &[u8]) -> Result<StartLine, ParseErrorKind> {
    let (version, rest) =
        memchr(b' ', line).and_then(|at| line.split_at_checked(at)).ok_or(ParseErrorKind::StatusLine)?;
    match is_version(version) {
        Some(true) => {}
        Some(false) => return Err(ParseErrorKind::Version),
        None => return Err(ParseErrorKind::StatusLine),
    }
    let digits = rest.get(1..4).filter(|digits| class::all(digits, DIGIT));
    let code = digits.and_then(|digits| core::str::from_utf8(digits).ok()?.parse().ok()).and_then(StatusCode::new);
    let status = code.ok_or(ParseErrorKind::StatusLine)?;
    let reason = match rest.get(4..).unwrap_or_default() {
        [] => ReasonPhrase::default(),
        [b' ', reason @ ..] if core::str::from_utf8(reason).is_ok() => {
            ReasonPhrase::Received(narrow(line.len() - reason.len())..narrow(line.len()))
        }
        [b' ', reason @ ..] => ReasonPhrase::Text(ByteStr::from_utf8_lossy(message.slice_ref(reason))),
        _ => return Err(ParseErrorKind::StatusLine),
    };
    Ok(StartLine::Response { status, reason })
}

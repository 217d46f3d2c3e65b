//! Request line and status line (RFC 3261 §7.1, §7.2).

use bytes::Bytes;
use memchr::{memchr, memrchr};

use super::ParseErrorKind;
use crate::{ByteStr, Method, StatusCode, Uri, grammar};

/// What the first line of a message says it is, before its parts are checked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Recognised {
    /// `Method … SIP/x.y`.
    Request { method: Method },
    /// `SIP/x.y …`.
    Response,
}

/// Tells by the first line, without its end, whether this is SIP at all.
pub(super) fn recognise(line: &Bytes) -> Option<Recognised> {
    if line.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/")) {
        return Some(Recognised::Response);
    }
    let text = line.trim_ascii_end();
    let method = std::str::from_utf8(text.get(..memchr(b' ', text)?)?).ok()?;
    let version = text.get(memrchr(b' ', text)? + 1..)?;
    is_version(version)?;
    let method = Method::read(&ByteStr::default(), method)?;
    Some(Recognised::Request { method })
}

/// `"SIP" "/" 1*DIGIT "." 1*DIGIT` in any case: whether it is the version that we speak.
fn is_version(version: &[u8]) -> Option<bool> {
    let (name, number) = version.split_at_checked(4)?;
    let is_number = |digits: &[u8]| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let (major, minor) = number.split_at_checked(memchr(b'.', number)?)?;
    let valid = name.eq_ignore_ascii_case(b"SIP/") && is_number(major) && is_number(minor.get(1..)?);
    valid.then_some(number == b"2.0")
}

/// The method and the URI of a request line that was recognised.
pub(super) fn request(line: &Bytes) -> Result<(Method, Uri), ParseErrorKind> {
    let text = ByteStr::from_utf8(line.clone()).ok_or(ParseErrorKind::RequestLine)?;
    let (method, rest) = text.split_once(' ').ok_or(ParseErrorKind::RequestLine)?;
    let (uri, version) = rest.rsplit_once(' ').ok_or(ParseErrorKind::RequestLine)?;
    match is_version(version.as_bytes()) {
        Some(true) => {}
        Some(false) => return Err(ParseErrorKind::Version),
        None => return Err(ParseErrorKind::RequestLine),
    }
    let method = Method::read(&text, method).ok_or(ParseErrorKind::RequestLine)?;
    if uri.is_empty() || uri.contains(grammar::is_wsp) {
        return Err(ParseErrorKind::RequestLine);
    }
    let uri = Uri::parse_part(&text, uri).map_err(ParseErrorKind::RequestUri)?;
    // RFC 4475 §3.1.2.11
    if uri.as_sip().is_some_and(|uri| uri.headers.is_some()) {
        return Err(ParseErrorKind::RequestUriHeaders);
    }
    Ok((method, uri))
}

/// The status and the reason of a status line that was recognised. The space before an empty reason may be missing.
pub(super) fn response(line: &Bytes) -> Result<(StatusCode, ByteStr), ParseErrorKind> {
    let (version, rest) =
        memchr(b' ', line).and_then(|at| line.split_at_checked(at)).ok_or(ParseErrorKind::StatusLine)?;
    match is_version(version) {
        Some(true) => {}
        Some(false) => return Err(ParseErrorKind::Version),
        None => return Err(ParseErrorKind::StatusLine),
    }
    let digits = rest.get(1..4).filter(|digits| digits.iter().all(u8::is_ascii_digit));
    let code = digits.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok()).and_then(StatusCode::new);
    let code = code.ok_or(ParseErrorKind::StatusLine)?;
    match rest.get(4..).unwrap_or_default() {
        [] => Ok((code, ByteStr::default())),
        [b' ', reason @ ..] => Ok((code, ByteStr::from_utf8_lossy(line.slice_ref(reason)))),
        _ => Err(ParseErrorKind::StatusLine),
    }
}

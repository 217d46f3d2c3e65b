//! From a datagram to a message (RFC 3261 §7, §18.3).

mod error;
mod reply;
mod rows;
mod start_line;

use std::ops::Range;

use bytes::Bytes;
use memchr::{memchr, memmem};

pub use error::{ParseError, ParseErrorKind};

use self::rows::{Row, next_row};
use self::start_line::{Recognised, recognise};
use crate::header::ContentLength;
use crate::message::Core;
use crate::{ByteStr, HeaderName, Headers, Limits, Message, Method, Request, Response};

/// Reads one message; see [`Message::parse`].
pub(crate) fn message(datagram: Bytes, limits: &Limits) -> Result<Message, ParseError> {
    let bytes = without_leading_line_breaks(datagram);
    let line_end = memchr(b'\n', &bytes).map_or(bytes.len(), |at| at + 1);
    let line = bytes.slice(..line_end);
    let text = line.slice_ref(line.strip_suffix(b"\r\n").unwrap_or(&line));
    let Some(recognised) = recognise(&text) else {
        return Err(ParseError::new(ParseErrorKind::NotSip, None));
    };
    let answerable = matches!(&recognised, Recognised::Request { method } if *method != Method::Ack);
    let fault = |kind| ParseError::new(kind, answerable.then(|| bytes.clone()));

    let limit = limits.max_message.min(usize::try_from(u32::MAX).unwrap_or(usize::MAX));
    if bytes.len() > limit {
        return Err(fault(ParseErrorKind::MessageTooLarge { len: bytes.len(), limit }));
    }
    if text.len() > limits.max_start_line {
        return Err(fault(ParseErrorKind::StartLineTooLong { limit: limits.max_start_line }));
    }
    match recognised {
        Recognised::Request { .. } => request(&bytes, line, &text, limits).map(Message::Request).map_err(fault),
        Recognised::Response => response(&bytes, line, &text, limits).map(Message::Response).map_err(fault),
    }
}

fn request(bytes: &Bytes, line: Bytes, text: &Bytes, limits: &Limits) -> Result<Request, ParseErrorKind> {
    let (method, uri) = start_line::request(text)?;
    let core = core(bytes, line.len(), limits)?;
    if core.cseq().method != method {
        return Err(ParseErrorKind::MethodMismatch);
    }
    Ok(Request::from_parts(method, uri, Some(line), core))
}

fn response(bytes: &Bytes, line: Bytes, text: &Bytes, limits: &Limits) -> Result<Response, ParseErrorKind> {
    let (status, reason) = start_line::response(text)?;
    let core = core(bytes, line.len(), limits)?;
    Ok(Response::from_parts(status, reason, Some(line), core))
}

/// Line breaks in front of a message are keep-alives (RFC 3261 §7.5).
fn without_leading_line_breaks(mut datagram: Bytes) -> Bytes {
    let blank = datagram.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    datagram.split_off(blank)
}

/// Reads what follows the start line, which is `start` bytes long.
fn core(bytes: &Bytes, start: usize, limits: &Limits) -> Result<Core, ParseErrorKind> {
    let body_start = body_start(bytes, start)?;
    let len = body_start - start;
    if len > limits.max_header_section {
        return Err(ParseErrorKind::HeaderSectionTooLarge { len, limit: limits.max_header_section });
    }
    let headers = headers(bytes, start..body_start, limits)?;
    let body = body(bytes, body_start, &headers, limits)?;
    let untouched = bytes.slice(..body_start + body.len());
    let core = Core::new(headers, body, Some(untouched))?;
    if core.has_via() { Ok(core) } else { Err(ParseErrorKind::Missing(HeaderName::Via)) }
}

/// Where the body starts: after the first empty line, which may follow the start line at once.
fn body_start(bytes: &Bytes, start: usize) -> Result<usize, ParseErrorKind> {
    let rest = bytes.get(start..).unwrap_or_default();
    if rest.starts_with(b"\r\n") {
        return Ok(start + 2);
    }
    memmem::find(rest, b"\r\n\r\n").map(|at| start + at + 4).ok_or(ParseErrorKind::NoEmptyLine)
}

fn headers(bytes: &Bytes, section: Range<usize>, limits: &Limits) -> Result<Headers, ParseErrorKind> {
    let mut headers = Headers::of(bytes.clone(), limits.max_list_items);
    let mut at = section.start;
    while let Some(row) = next_row(bytes.get(..section.end).unwrap_or_default(), at) {
        let bad_line = ParseErrorKind::HeaderLine { line: headers.len() + 1 };
        let Ok(row) = row else { return Err(bad_line) };
        at = row.all.end;
        let name = name(bytes, &row).ok_or(bad_line)?;
        if headers.len() >= limits.max_headers {
            return Err(ParseErrorKind::TooManyHeaders { limit: limits.max_headers });
        }
        if row.value.len() > limits.max_header_value {
            return Err(ParseErrorKind::HeaderTooLong { header: name, limit: limits.max_header_value });
        }
        headers.push_received(name, narrow(&row.all), narrow(&row.value), row.folded);
    }
    Ok(headers)
}

fn name(bytes: &Bytes, row: &Row) -> Option<HeaderName> {
    let name = ByteStr::from_utf8(bytes.slice(row.name.clone()))?;
    HeaderName::read(&name, &name)
}

/// The range in 32 bits, which [`message`] has made sure of.
fn narrow(range: &Range<usize>) -> Range<u32> {
    let narrow = |index| u32::try_from(index).unwrap_or(u32::MAX);
    narrow(range.start)..narrow(range.end)
}

/// The body of a message that is alone in its datagram (RFC 3261 §18.3).
fn body(bytes: &Bytes, start: usize, headers: &Headers, limits: &Limits) -> Result<Bytes, ParseErrorKind> {
    let received = bytes.slice(start..);
    let body = match headers.get::<ContentLength>()? {
        Some(ContentLength(announced)) if announced > received.len() => {
            return Err(ParseErrorKind::BodyTruncated { announced, received: received.len() });
        }
        Some(ContentLength(announced)) => received.slice(..announced),
        None => received,
    };
    if body.len() > limits.max_body {
        return Err(ParseErrorKind::BodyTooLarge { len: body.len(), limit: limits.max_body });
    }
    Ok(body)
}

#[cfg(test)]
mod tests;

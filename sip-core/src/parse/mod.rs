//! From a datagram to a message (RFC 3261 §7, §18.3).

mod anomaly;
mod error;
mod reply;
mod rows;
mod start_line;

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::Bytes;
use memchr::{memchr, memchr_iter, memmem};

pub use anomaly::{Anomaly, AnomalyKind};
pub(crate) use anomaly::{anomalies, has_control, stands_once};
pub use error::{ParseError, ParseErrorKind};

use self::rows::{Found, next_row};
use self::start_line::{Recognised, StartLine, recognise};
use crate::body::FragmentLine;
use crate::grammar::Stop;
use crate::header::Code;
use crate::headers::{Row, narrow};
use crate::message::{Checked, Core, Hop, Marks, ReasonPhrase};
use crate::ordinary::{self, UriSpans};
use crate::{ByteStr, CSeq, HeaderName, Headers, Limits, Message, Method, Request, Response};

/// Reads one message; see [`Message::parse`].
pub(crate) fn message(datagram: Bytes, limits: &Limits) -> Result<Message, ParseError> {
    let received = datagram.len();
    let bytes = without_leading_line_breaks(datagram);
    let before = received - bytes.len();
    let mut uri_spans = None;
    let (start, line_end, answerable) = match ordinary_request(&bytes, limits) {
        Some((start, uri, line_end)) => {
            let is_ack = bytes.starts_with(b"ACK ");
            uri_spans = Some(uri);
            (start, line_end, !is_ack)
        }
        None => {
            let line_end = memchr(b'\n', &bytes).map_or(bytes.len(), |at| at + 1);
            let line = bytes.get(..line_end).unwrap_or_default();
            let line = line.strip_suffix(b"\r\n").unwrap_or(line);
            let Some(recognised) = recognise(line) else {
                return Err(ParseError::new(ParseErrorKind::NotSip, None));
            };
            let answerable = matches!(&recognised, Recognised::Request { method, .. } if *method != "ACK");
            match start_line(&bytes, line, &recognised, limits) {
                Ok(start) => (start, line_end, answerable),
                Err(kind) => return Err(ParseError::new(kind, answerable.then_some(bytes))),
            }
        }
    };
    let section = match section(&bytes, line_end, limits) {
        Ok(section) => section,
        Err(kind) => return Err(ParseError::new(kind, answerable.then_some(bytes))),
    };
    let mut headers = Headers::of(bytes, section.rows, limits.max_list_items);
    if !section.plain {
        headers.restore();
    }
    let refused =
        |headers: &Headers, kind| Err(ParseError::new(kind, answerable.then(|| headers.received().bytes().clone())));
    let checked = match Checked::new(&headers, &section.marks) {
        Ok(checked) => checked,
        Err(error) => return refused(&headers, error.into()),
    };
    let body_len = match body_len(&headers, section.end, checked.content_length, limits) {
        Ok(body_len) => body_len,
        Err(kind) => return refused(&headers, kind),
    };
    if matches!(checked.hop, Hop::None) {
        return refused(&headers, ParseErrorKind::Missing(HeaderName::Via));
    }
    if let StartLine::Request { method, .. } = &start
        && *method != checked.cseq.method
    {
        return refused(&headers, mismatch(method, &headers));
    }
    let core = Core::received(headers, checked, before, section.end..section.end + body_len);
    Ok(match start {
        StartLine::Request { uri, .. } => Message::Request(Request::received(uri, uri_spans, line_end, core)),
        StartLine::Response { status, reason } => Message::Response(Response::received(status, reason, line_end, core)),
    })
}

/// Reads one message that is as it should be; see [`Message::parse_strict`].
pub(crate) fn strict(datagram: Bytes, limits: &Limits) -> Result<Message, ParseError> {
    let message = message(datagram, limits)?;
    let Some(anomaly) = message.anomalies().into_iter().find(Anomaly::makes_invalid) else { return Ok(message) };
    let answerable = matches!(&message, Message::Request(request) if *request.method() != Method::Ack);
    let request = answerable.then(|| message.headers().received().bytes().clone());
    Err(ParseError::new(ParseErrorKind::Anomaly(Box::new(anomaly)), request))
}

/// The CSeq names another method than the request line.
#[cold]
fn mismatch(method: &Method, headers: &Headers) -> ParseErrorKind {
    match method {
        Method::Extension(_) => ParseErrorKind::UnknownMethodMismatch,
        _ => {
            let column = |value: &str| Stop::at(CSeq::read(value).ok()?.1).column(value);
            ParseErrorKind::MethodMismatch { column: headers.raw(&HeaderName::CSeq).and_then(column) }
        }
    }
}

/// The request line, with its URI checked, and where the headers start, of a message whose first line is in the usual form.
#[inline(always)]
fn ordinary_request(bytes: &Bytes, limits: &Limits) -> Option<(StartLine, UriSpans, usize)> {
    let line = ordinary::request_line(bytes)?;
    let fits = bytes.len() <= longest(limits) && line.end - b"\r\n".len() <= limits.max_start_line;
    let method = fits.then(|| bytes.get(line.method.clone())).flatten()?;
    let extension = || Method::Extension(ByteStr::from_utf8(bytes.slice(line.method)).unwrap_or_default());
    let method = Method::known_bytes(method).unwrap_or_else(extension);
    Some((StartLine::Request { method, uri: narrow(line.uri.start)..narrow(line.uri.end) }, line.uri_spans, line.end))
}

/// How many bytes a message may have.
fn longest(limits: &Limits) -> usize {
    limits.max_message.min(usize::try_from(u32::MAX).unwrap_or(usize::MAX))
}

fn start_line(
    bytes: &Bytes,
    line: &[u8],
    recognised: &Recognised<'_>,
    limits: &Limits,
) -> Result<StartLine, ParseErrorKind> {
    let limit = longest(limits);
    if bytes.len() > limit {
        return Err(ParseErrorKind::MessageTooLarge { len: bytes.len(), limit });
    }
    if line.len() > limits.max_start_line {
        return Err(ParseErrorKind::StartLineTooLong { limit: limits.max_start_line });
    }
    if line.ends_with(b"\n") {
        return Err(ParseErrorKind::BareLineFeed { line: 1, byte: line.len() });
    }
    match recognised {
        Recognised::Request { method, uri, version } => start_line::request(bytes, line, method, uri, *version),
        Recognised::Response => start_line::response(bytes, line),
    }
}

/// Line breaks in front of a message are keep-alives (RFC 3261 §7.5).
fn without_leading_line_breaks(mut datagram: Bytes) -> Bytes {
    let blank = datagram.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    if blank == 0 { datagram } else { datagram.split_off(blank) }
}

/// The header section.
struct Section {
    rows: Vec<Row>,
    /// Where the body starts.
    end: usize,
    /// Whether all rows are one line of printable ASCII each.
    plain: bool,
    marks: Marks,
}

/// Reads the header section that starts at `start`.
#[inline(always)] // so that what was found is not moved about
fn section(bytes: &[u8], start: usize, limits: &Limits) -> Result<Section, ParseErrorKind> {
    let section = rows(bytes, start, limits);
    if section.as_ref().is_ok_and(|section| section.end - start <= limits.max_header_section) {
        return section;
    }
    // That it is too long, or does not end, counts before what is wrong within it.
    let len = body_start(bytes, start)? - start;
    if len > limits.max_header_section {
        return Err(ParseErrorKind::HeaderSectionTooLarge { len, limit: limits.max_header_section });
    }
    section
}

/// Where the body starts: after the first empty line, which may follow the start line at once.
fn body_start(bytes: &[u8], start: usize) -> Result<usize, ParseErrorKind> {
    let rest = bytes.get(start..).unwrap_or_default();
    if rest.starts_with(b"\r\n") {
        return Ok(start + 2);
    }
    let end = memmem::find(rest, b"\r\n\r\n").map(|at| start + at + 4);
    end.ok_or_else(|| bare_line_feed(bytes, start, bytes.len()).unwrap_or(ParseErrorKind::NoEmptyLine))
}

/// The first LF from `start` to `end` that has no CR before it.
#[cold]
fn bare_line_feed(bytes: &[u8], start: usize, end: usize) -> Option<ParseErrorKind> {
    let is_bare = |at: &usize| bytes.get(..*at).is_some_and(|before| !before.ends_with(b"\r"));
    let at = memchr_iter(b'\n', bytes.get(start..end)?).map(|at| start + at).find(is_bare)?;
    let line = memchr_iter(b'\n', bytes.get(..at)?).count() + 1;
    Some(ParseErrorKind::BareLineFeed { line, byte: at + 1 })
}

/// The length of a header that most are shorter than, in bytes: for a first guess at how many there are.
const SHORT_ROW: usize = 32;

#[inline(always)]
fn rows(bytes: &[u8], start: usize, limits: &Limits) -> Result<Section, ParseErrorKind> {
    let guess = bytes.len().saturating_sub(start).min(1_024) / SHORT_ROW;
    let mut rows: Vec<Row> = Vec::with_capacity(guess.min(limits.max_headers));
    let (mut at, mut plain, mut marks) = (start, true, Marks::default());
    while let Some(found) = next_row(bytes, at) {
        let Found { row, next, .. } = match found {
            Ok(found) => found,
            Err(end) => {
                let line = rows.len() + 1;
                return Err(bare_line_feed(bytes, at, end).unwrap_or(ParseErrorKind::HeaderLine { line }));
            }
        };
        if rows.len() >= limits.max_headers {
            return Err(ParseErrorKind::TooManyHeaders { limit: limits.max_headers });
        }
        if (row.value_end - row.value) as usize > limits.max_header_value {
            let header = name(bytes, &row);
            return Err(ParseErrorKind::HeaderTooLong { header, limit: limits.max_header_value });
        }
        plain &= row.plain;
        rows.push(row);
        marks.note(row.name, narrow(rows.len()));
        at = next;
    }
    if !bytes.get(at..).is_some_and(|rest| rest.starts_with(b"\r\n")) {
        return Err(ParseErrorKind::NoEmptyLine);
    }
    Ok(Section { rows, end: at + 2, plain, marks })
}

fn name(bytes: &[u8], row: &Row) -> HeaderName {
    let name = || bytes.get(row.start as usize..)?.get(..row.name_len as usize);
    match row.name {
        Code::EXTENSION => {
            HeaderName::Extension(core::str::from_utf8(name().unwrap_or_default()).unwrap_or_default().into())
        }
        code => code.name().cloned().unwrap_or(HeaderName::Extension(Default::default())),
    }
}

/// A start line that is alone, without its line end: of a fragment (RFC 3420).
pub(crate) fn start_line_of(line: &Bytes) -> Result<FragmentLine, ParseErrorKind> {
    let recognised = recognise(line).ok_or(ParseErrorKind::NotSip)?;
    let start = match &recognised {
        Recognised::Request { method, uri, version } => start_line::request(line, line, method, uri, *version)?,
        Recognised::Response => start_line::response(line, line)?,
    };
    let text = |range: &core::ops::Range<u32>| {
        crate::ByteStr::from_utf8(line.slice(range.start as usize..range.end as usize)).unwrap_or_default()
    };
    Ok(match start {
        StartLine::Request { method, uri } => {
            let uri = text(&uri);
            let uri = uri.parse().map_err(|error| ParseErrorKind::request_uri(&uri, error))?;
            FragmentLine::Request { method, uri }
        }
        StartLine::Response { status, reason: ReasonPhrase::Received(range) } => {
            FragmentLine::Status { status, reason: text(&range) }
        }
        StartLine::Response { status, reason: ReasonPhrase::Text(reason) } => FragmentLine::Status { status, reason },
    })
}

/// The headers that `bytes` begins with, and where the empty line behind them ends, for those that are in no message: of a part of a body, of a fragment.
pub(crate) fn headers(bytes: Bytes, limits: &Limits) -> Result<(Headers, usize), ParseErrorKind> {
    let section = rows(&bytes, 0, limits)?;
    let mut headers = Headers::of(bytes, section.rows, limits.max_list_items);
    headers.restore();
    Ok((headers, section.end))
}

/// The length of the body of a message that is alone in its datagram (RFC 3261 §18.3).
fn body_len(
    headers: &Headers,
    start: usize,
    announced: Option<usize>,
    limits: &Limits,
) -> Result<usize, ParseErrorKind> {
    let received = headers.received().as_bytes().len().saturating_sub(start);
    let len = match announced {
        Some(announced) if announced > received => {
            return Err(ParseErrorKind::BodyTruncated { announced, received });
        }
        Some(announced) => announced,
        None => received,
    };
    if len > limits.max_body {
        return Err(ParseErrorKind::BodyTooLarge { len, limit: limits.max_body });
    }
    Ok(len)
}

#[cfg(test)]
mod tests;

//! What a message does that its RFCs do not allow, and that is taken all the same.

mod kind;
mod once;
mod value;

use alloc::vec::Vec;
use core::fmt;

use memchr::memchr;

use super::rows::{Found, next_row};
use super::start_line::{Recognised, recognise};
use crate::header::Code;
use crate::uri::UriPart;
use crate::{HeaderName, Headers};

pub use kind::AnomalyKind;
pub(crate) use once::stands_once;
pub(crate) use value::has_control;

use self::once::is_single;
use self::value::{malformed, value};

/// Something that a message does and should not do, which [`Message::parse`](crate::Message::parse) takes all the same and
/// [`Message::parse_strict`](crate::Message::parse_strict) refuses, unless the message is valid even so ([`Anomaly::makes_invalid`]).
///
/// ```
/// use blether_sip_core::{HeaderName, Limits, Message};
///
/// let datagram = "OPTIONS sip:bob@biloxi.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
///     From: Alice (home) <sip:a@b>;tag=1\r\nTo: <sip:bob@biloxi.com>\r\nCall-ID: 1@a\r\nCSeq: 1 OPTIONS\r\n\
///     Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n";
/// let message = Message::parse(datagram.into(), &Limits::default())?;
/// let told = message.anomalies();
/// assert_eq!(told[0].to_string(), "Bad From header: expected the display name in quotes");
/// assert_eq!((told[0].header(), told[0].row()), (Some(&HeaderName::From), Some(2)));
/// assert!(told[0].makes_invalid() && Message::parse_strict(datagram.into(), &Limits::default()).is_err());
/// # Ok::<(), blether_sip_core::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anomaly {
    kind: AnomalyKind,
    place: Option<(HeaderName, usize)>,
}

impl Anomaly {
    /// What it is.
    #[must_use]
    pub fn kind(&self) -> &AnomalyKind {
        &self.kind
    }

    /// The header that has it; `None` if it is not in a header.
    #[must_use]
    pub fn header(&self) -> Option<&HeaderName> {
        self.place.as_ref().map(|(header, _)| header)
    }

    /// Whether the message is invalid for it, and is refused by strict reading. It is not where RFC 3261 says that a message may be so and what
    /// to do with it then: without a Content-Length and with more behind its body in a datagram (§18.3), without a branch (§20.42), and with
    /// components of a URI that do not belong where it stands (§19.1.1).
    #[must_use]
    pub fn makes_invalid(&self) -> bool {
        use AnomalyKind::{NoBranch, NoContentLength, SurplusBytes, UriComponent};
        !matches!(self.kind, NoContentLength | SurplusBytes(_) | NoBranch | UriComponent(_))
    }

    /// Which row it is in, from 1; `None` if it is not in a row.
    #[must_use]
    pub fn row(&self) -> Option<usize> {
        self.place.as_ref().map(|(_, row)| *row)
    }
}

impl core::error::Error for Anomaly {}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.place, &self.kind) {
            (_, AnomalyKind::Malformed(error)) => error.fmt(f),
            (Some((header, _)), kind) => write!(f, "Bad {header} header: {kind}"),
            (None, kind) => write!(f, "Bad message: {kind}"),
        }
    }
}

/// Collects what is found.
#[derive(Default)]
struct Report {
    found: Vec<Anomaly>,
}

impl Report {
    fn message(&mut self, kind: AnomalyKind) {
        self.found.push(Anomaly { kind, place: None });
    }

    fn row(&mut self, header: &HeaderName, row: usize, kind: AnomalyKind) {
        self.found.push(Anomaly { kind, place: Some((header.clone(), row)) });
    }
}

/// What a message that was received does and should not: `before` bytes of line breaks, then `received`, of which the
/// message is the first `end`.
pub(crate) fn anomalies(headers: &Headers, before: usize, end: usize) -> Vec<Anomaly> {
    let mut report = Report::default();
    let received = headers.received();
    let bytes = received.as_bytes();
    if bytes.is_empty() {
        return report.found; // it was built
    }
    if before > 0 {
        report.message(AnomalyKind::LineBreakBefore);
    }
    let line_end = memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1);
    let line = bytes.get(..line_end).unwrap_or_default();
    let is_request = start_line(line.strip_suffix(b"\r\n").unwrap_or(line), &mut report);

    let mut rows = Vec::new();
    let mut at = line_end;
    while let Some(Ok(Found { row, next, .. })) = next_row(bytes, at) {
        rows.push(row);
        at = next;
    }
    let mut headers = Headers::of(received.bytes().clone(), rows, headers.max_list_items());
    for (row, number) in headers.rows().iter().zip(1..) {
        let value = bytes.get(row.value as usize..row.value_end as usize).unwrap_or_default();
        let name = headers.name(row);
        if core::str::from_utf8(value).is_err() {
            report.row(&name, number, AnomalyKind::NotUtf8);
        }
        if has_control(&name, value) {
            report.row(&name, number, AnomalyKind::ControlCharacter);
        }
    }
    headers.restore();
    let mut seen: Vec<Code> = Vec::new();
    for (row, number) in headers.rows().iter().zip(1..) {
        let name = headers.name(row);
        if is_single(&name) {
            if seen.contains(&row.name) {
                report.row(&name, number, AnomalyKind::Repeated);
            }
            seen.push(row.name);
        }
        value(&headers, row, &name, number, &mut report);
    }
    for (row, number) in headers.rows().iter().zip(1..) {
        // One report of each header, at its first row.
        let is_first = headers.rows().iter().position(|other| other.name == row.name) == Some(number - 1);
        if let Some(error) = is_first.then(|| malformed(&headers, row)).flatten() {
            report.row(error.header(), number, AnomalyKind::Malformed(error.clone()));
        }
    }
    if is_request && !headers.has(&HeaderName::MaxForwards) {
        report.message(AnomalyKind::NoMaxForwards);
    }
    if !headers.has(&HeaderName::ContentLength) {
        report.message(AnomalyKind::NoContentLength);
    }
    if bytes.len() > end {
        report.message(AnomalyKind::SurplusBytes(bytes.len() - end));
    }
    report.found
}

/// Looks at the start line; says whether it is that of a request.
fn start_line(line: &[u8], report: &mut Report) -> bool {
    let text = line.trim_ascii_end();
    let version_at = match recognise(line) {
        Some(Recognised::Request { uri, .. }) => {
            if text != line || uri != uri.trim_ascii() {
                report.message(AnomalyKind::SurplusSpaces);
            }
            if let Some(uri) = core::str::from_utf8(uri.trim_ascii()).ok().and_then(|uri| UriPart::read(uri).ok()) {
                uri.deviations(&mut |deviation| report.message(deviation.into()));
                uri.components(&["method"], &mut |name| report.message(AnomalyKind::UriComponent(name)));
            }
            text.len().saturating_sub(b"SIP/2.0".len())
        }
        _ => 0,
    };
    if line.get(version_at..).is_some_and(|version| !version.starts_with(b"SIP/")) {
        report.message(AnomalyKind::VersionCase);
    }
    if version_at == 0 {
        if line.len() == b"SIP/2.0 200".len() {
            report.message(AnomalyKind::NoReasonSpace);
        }
        if core::str::from_utf8(line).is_err() {
            report.message(AnomalyKind::NotUtf8);
        }
    }
    version_at > 0
}

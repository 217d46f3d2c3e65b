//! What a message does that its RFCs do not allow, and that is taken all the same.

mod form;
mod kind;
mod once;
mod text;
mod value;

use alloc::vec::Vec;
use core::fmt;

use memchr::memchr;

use super::rows::{Found, next_row};
use super::start_line::{Recognised, recognise};
use crate::grammar::Stop;
use crate::header::Code;
use crate::uri::UriPart;
use crate::{HeaderName, Headers};

pub use kind::AnomalyKind;
pub(crate) use once::stands_once;
pub(crate) use value::has_control;

use self::once::is_single;
use self::value::{Before, control_at, malformed, value};

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
/// assert_eq!(told[0].to_string(), "Bad From header: expected the display name in quotes at column 7");
/// assert_eq!((told[0].header(), told[0].row()), (Some(&HeaderName::From), Some(2)));
/// assert!(told[0].makes_invalid() && Message::parse_strict(datagram.into(), &Limits::default()).is_err());
/// # Ok::<(), blether_sip_core::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anomaly {
    kind: AnomalyKind,
    place: Place,
    column: Option<usize>,
}

/// Where an anomaly is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Message,
    RequestUri,
    /// The header and its row.
    Row(HeaderName, usize),
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
        match &self.place {
            Place::Row(header, _) => Some(header),
            Place::Message | Place::RequestUri => None,
        }
    }

    /// Where it is in the value of its row without its folding, or in the Request-URI, in bytes from 1; `None` if that is not known. Of
    /// [`AnomalyKind::Malformed`] it is the column of that error.
    #[must_use]
    pub fn column(&self) -> Option<usize> {
        self.column
    }

    /// Whether the message is invalid for it, and is refused by strict reading. It is not where RFC 3261 says that a message may be so and what
    /// to do with it then: without a Content-Length and with more behind its body in a datagram (§18.3), without a branch (§20.42), and with
    /// components of a URI that do not belong where it stands (§19.1.1). Nor is it for the wrong weekday of a Date, which its grammar allows.
    #[must_use]
    pub fn makes_invalid(&self) -> bool {
        use AnomalyKind::{NoBranch, NoContentLength, SurplusBytes, UriComponent, Weekday};
        !matches!(self.kind, NoContentLength | SurplusBytes(_) | NoBranch | UriComponent(_) | Weekday)
    }

    /// Which row it is in, from 1; `None` if it is not in a row.
    #[must_use]
    pub fn row(&self) -> Option<usize> {
        match self.place {
            Place::Row(_, row) => Some(row),
            Place::Message | Place::RequestUri => None,
        }
    }
}

impl core::error::Error for Anomaly {}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.place, &self.kind) {
            (_, AnomalyKind::Malformed(error)) => return error.fmt(f),
            (Place::Row(header, _), kind) => write!(f, "Bad {header} header: {kind}")?,
            (Place::RequestUri, kind) => write!(f, "Bad Request-URI: {kind}")?,
            (Place::Message, kind) => write!(f, "Bad message: {kind}")?,
        }
        self.column.map_or(Ok(()), |column| write!(f, " at column {column}"))
    }
}

/// Collects what is found.
#[derive(Default)]
struct Report {
    found: Vec<Anomaly>,
}

impl Report {
    fn message(&mut self, kind: AnomalyKind) {
        self.found.push(Anomaly { kind, place: Place::Message, column: None });
    }

    fn row(&mut self, header: &HeaderName, row: usize, column: Option<usize>, kind: AnomalyKind) {
        self.found.push(Anomaly { kind, place: Place::Row(header.clone(), row), column });
    }
}

/// Which headers were seen.
struct Seen([bool; 256]);

impl Seen {
    fn new() -> Self {
        Seen([false; 256])
    }

    /// Says whether it was not seen before.
    fn is_first(&mut self, name: Code) -> bool {
        self.0.get_mut(name.index()).is_some_and(|seen| !core::mem::replace(seen, true))
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
        // Without its folding a value has other columns.
        let column = |at: usize| (!value.contains(&b'\n')).then_some(at + 1);
        if let Err(error) = core::str::from_utf8(value) {
            report.row(&name, number, column(error.valid_up_to()), AnomalyKind::NotUtf8);
        }
        if let Some(at) = control_at(&name, value) {
            report.row(&name, number, column(at), AnomalyKind::ControlCharacter);
        }
    }
    headers.restore();
    let (mut seen, mut before) = (Seen::new(), Before::default());
    for (row, number) in headers.rows().iter().zip(1..) {
        let name = headers.name(row);
        if is_single(&name) && !seen.is_first(row.name) {
            report.row(&name, number, None, AnomalyKind::Repeated);
        }
        value(headers.value(row), &name, number, &mut before, &mut report);
    }
    if let Some((number, column)) = before.star_beside_others() {
        report.row(&HeaderName::Contact, number, column, AnomalyKind::StarNotAlone);
    }
    // One report of each header.
    let mut seen = Seen::new();
    for (row, number) in headers.rows().iter().zip(1..) {
        let is_first = seen.is_first(row.name);
        if let Some((error, number)) = is_first.then(|| malformed(&headers, row, number)).flatten() {
            report.row(error.header(), number, error.column(), AnomalyKind::Malformed(error.clone()));
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
            if let Ok(uri) = core::str::from_utf8(uri.trim_ascii())
                && let Ok(read) = UriPart::read(uri)
            {
                let mut tell = |kind, column| report.found.push(Anomaly { kind, place: Place::RequestUri, column });
                read.deviations(&mut |deviation, place| {
                    tell(AnomalyKind::of(deviation, place), Stop::at(place).column(uri));
                });
                read.components(&["method"], |name| tell(AnomalyKind::UriComponent(name), None));
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

#[cfg(test)]
mod tests;

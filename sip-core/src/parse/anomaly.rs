//! What a message does that its RFCs do not allow, and that is taken all the same.

use alloc::vec::Vec;
use core::fmt;

use memchr::memchr;

use super::rows::{Found, next_row};
use super::start_line::{Recognised, recognise};
use crate::class::{self, CALL_ID_WORD};
use crate::header::{AddressPart, Code, Deviation, ViaPart, is_signed_as_before, no_alert_uri};
use crate::headers::Row;
use crate::uri::UriPart;
use crate::{HeaderError, HeaderName, Headers, grammar};

/// Something that a message does and should not do, which [`Message::parse`](crate::Message::parse) takes all the same and
/// [`Message::parse_strict`](crate::Message::parse_strict) refuses, unless the message is valid even so ([`Anomaly::makes_invalid`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anomaly {
    kind: AnomalyKind,
    place: Option<(HeaderName, usize)>,
}

/// What an [`Anomaly`] is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnomalyKind {
    /// Line breaks stand before the start line of a datagram; RFC 3261 §7.5 has them on streams only.
    #[error("expected no line break before the start line")]
    LineBreakBefore,
    /// More than one space between the parts of the request line, or spaces at its end (RFC 3261 §7.1). They are not sent on with a
    /// request that was changed (RFC 4475 §3.1.2.9).
    #[error("expected one space between the parts of the request line, and none behind them")]
    SurplusSpaces,
    /// `SIP` in the start line is not in capitals, in which it must be sent (RFC 3261 §7.1).
    #[error("expected SIP/2.0 in capitals")]
    VersionCase,
    /// The space is missing that stands before the reason phrase even where that is empty (RFC 3261 §7.2).
    #[error("expected a space after the status code")]
    NoReasonSpace,
    /// A request says not how many proxies it may pass (RFC 3261 §8.1.1.6).
    #[error("expected a Max-Forwards header")]
    NoMaxForwards,
    /// There is no Content-Length. RFC 3261 §20.14 recommends it, and demands it on streams (§18.3); in a datagram the message is valid.
    #[error("expected a Content-Length header")]
    NoContentLength,
    /// The datagram goes on after the body; what is there is not part of the message, which is valid (RFC 3261 §18.3).
    #[error("expected {0} bytes less after the body")]
    SurplusBytes(usize),
    /// The From has no tag, as it had not before RFC 3261 (§8.1.1.3).
    #[error("expected a tag")]
    NoFromTag,
    /// The topmost Via has no branch, as it had not to have before RFC 3261 (§8.1.1.7); the message is valid by the grammar, which is so for
    /// the sake of RFC 2543 (§20.42).
    #[error("expected a branch")]
    NoBranch,
    /// Bytes that are not UTF-8, in which all text of a message is (RFC 3261 §7). They read as U+FFFD.
    #[error("expected UTF-8")]
    NotUtf8,
    /// A control character other than a tab, and not behind a backslash in quotes (RFC 3261 §25.1: `TEXT-UTF8char`, `quoted-pair`).
    #[error("expected no control characters")]
    ControlCharacter,
    /// A header that may stand once stands again (RFC 3261 §7.3.1). The mandatory ones are refused at once.
    #[error("expected it once")]
    Repeated,
    /// A value that nobody has asked for does not follow its header's grammar.
    #[error("{0}")]
    Malformed(HeaderError),
    /// Commas with nothing between them (RFC 3261 §7.3.1, §25.1: a list has no empty values).
    #[error("expected a value between the commas")]
    EmptyListItem,
    /// A display name that is not all tokens stands without quotes (RFC 3261 §25.1: `display-name`).
    #[error("expected the display name in quotes")]
    UnquotedDisplayName,
    /// A backslash stands before a character beyond ASCII (RFC 3261 §25.1: `quoted-pair`).
    #[error("expected an ASCII character after the backslash")]
    QuotedPair,
    /// The user or the password of a URI has a character that should be escaped, such as `#` (RFC 3261 §25.1: `user`).
    #[error("expected a user with escapes")]
    UnescapedUser,
    /// A host name has an underscore, or a label that starts or ends with `-` (RFC 3261 §25.1: `hostname`).
    #[error("expected a host name of letters, digits and - between them")]
    HostName,
    /// A parameter's value that is neither token nor host stands without quotes (RFC 3261 §25.1: `gen-value`).
    #[error("expected the parameter's value in quotes")]
    UnquotedValue,
    /// A URI parameter has a `=` and nothing after it (RFC 3261 §25.1: `other-param`).
    #[error("expected a value after the = of a URI parameter")]
    EmptyValue,
    /// Spaces stand between a URI and the angle brackets around it (RFC 3261 §25.1: `name-addr`).
    #[error("expected no space within the angle brackets")]
    SpacedUri,
    /// An IPv6 address has a third colon before its IPv4 part, as the grammar had it until RFC 5954 (§4.1).
    #[error("expected two colons in the IPv6 address")]
    ThreeColons,
    /// The `received` of a Via is no address, or is one in brackets (RFC 3261 §25.1: `via-received`; RFC 5118 §4.5).
    #[error("expected an address without brackets in received")]
    Received,
    /// The `tag` of a From or To or the `branch` of a Via is no token, or is in quotes; the `ttl` of a Via is no number up to 255, or its `maddr`
    /// no host; the `q` of a Contact is no number from 0 to 1 with three digits at most behind its point (RFC 3261 §25.1: `tag-param`, `via-branch`,
    /// `via-ttl`, `via-maddr`, `c-p-q`).
    #[error("expected a {0} of the header's grammar, without quotes")]
    Parameter(&'static str),
    /// A `tel:` URI is no telephone number, or a local one that says not where it is valid (RFC 3966 §3, §5.1.5).
    #[error("expected a number after tel:, and a phone-context if it is a local one")]
    TelUri,
    /// A URI of another scheme has a character that RFC 3986 §2 has escaped, such as `|`.
    #[error("expected escapes of what no URI has")]
    UriCharacter,
    /// A SIP URI has its port, its headers or this parameter where it may not: table 1 of RFC 3261 §19.1.1 has none of `port`, `method`, `maddr`,
    /// `ttl`, `transport`, `lr` and headers in From and To, no `method`, `ttl` and headers in Route and Record-Route, and no `method` in Contact and
    /// in the Request-URI, whose headers are refused by any reading ([`ParseErrorKind`](crate::ParseErrorKind)). What is not allowed should be
    /// ignored, and RFC 4475 §3.1.1.7 calls a request well-formed that has a port in its To: the message is valid.
    #[error("expected no {0} in the URI")]
    UriComponent(&'static str),
    /// The Call-ID is not `word [ "@" word ]` (RFC 3261 §25.1: `callid`).
    #[error("expected word@word")]
    CallId,
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

/// Headers that may stand once, of those that are set like any other.
pub(crate) fn stands_once(name: &HeaderName) -> bool {
    *name == HeaderName::MaxForwards || is_single(name)
}

/// Headers that may stand once and that [`Message::parse`](crate::Message::parse) does not look at.
fn is_single(name: &HeaderName) -> bool {
    matches!(
        name,
        HeaderName::AnswerMode
            | HeaderName::AuthenticationInfo
            | HeaderName::ContentDisposition
            | HeaderName::ContentType
            | HeaderName::Date
            | HeaderName::Event
            | HeaderName::Expires
            | HeaderName::FlowTimer
            | HeaderName::GeolocationError
            | HeaderName::GeolocationRouting
            | HeaderName::InfoPackage
            | HeaderName::Join
            | HeaderName::MaxBreadth
            | HeaderName::MimeVersion
            | HeaderName::MinExpires
            | HeaderName::MinSe
            | HeaderName::Organization
            | HeaderName::PCalledPartyId
            | HeaderName::PChargingVector
            | HeaderName::Priority
            | HeaderName::PrivAnswerMode
            | HeaderName::Privacy
            | HeaderName::RAck
            | HeaderName::RSeq
            | HeaderName::ReferSub
            | HeaderName::ReferTo
            | HeaderName::ReferredBy
            | HeaderName::Replaces
            | HeaderName::ReplyTo
            | HeaderName::RetryAfter
            | HeaderName::Server
            | HeaderName::SessionExpires
            | HeaderName::SessionId
            | HeaderName::SipEtag
            | HeaderName::SipIfMatch
            | HeaderName::Subject
            | HeaderName::SubscriptionState
            | HeaderName::TargetDialog
            | HeaderName::Timestamp
            | HeaderName::UserAgent
    )
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

/// Whether a value has a control character where none may stand: not a tab, not the line breaks of a folded row, and not in a
/// `quoted-pair`, where the header has these: in a `quoted-string` or a `comment` (RFC 3261 §25.1).
fn has_control(name: &HeaderName, value: &[u8]) -> bool {
    let has_quotes = !matches!(name, HeaderName::Extension(_) | HeaderName::Subject | HeaderName::Organization);
    let has_comments = matches!(name, HeaderName::Server | HeaderName::UserAgent | HeaderName::RetryAfter);
    let (mut in_quotes, mut depth) = (false, 0_u32);
    let mut bytes = value.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' if has_quotes && depth == 0 => in_quotes = !in_quotes,
            b'(' if has_comments && !in_quotes => depth = depth.saturating_add(1),
            b')' if has_comments && !in_quotes => depth = depth.saturating_sub(1),
            b'\\' if in_quotes || depth > 0 => drop(bytes.next()),
            b'\t' | b'\r' | b'\n' => {}
            byte if byte.is_ascii_control() => return true,
            _ => {}
        }
    }
    false
}

/// Looks at the value of one row.
fn value(headers: &Headers, row: &Row, name: &HeaderName, number: usize, report: &mut Report) {
    let value = headers.value(row);
    let is_list = matches!(
        name,
        HeaderName::Via
            | HeaderName::Route
            | HeaderName::RecordRoute
            | HeaderName::Contact
            | HeaderName::Path
            | HeaderName::ServiceRoute
    );
    if is_list && has_empty_items(value) {
        report.row(name, number, AnomalyKind::EmptyListItem);
    }
    match name {
        HeaderName::CallId => {
            let (word, rest) = value.split_once('@').unwrap_or((value, "x"));
            let is_word = |word: &str| !word.is_empty() && class::all(word.as_bytes(), CALL_ID_WORD);
            if !is_word(word) || !is_word(rest) {
                report.row(name, number, AnomalyKind::CallId);
            }
        }
        HeaderName::Via => {
            for via in grammar::list(value).filter_map(ViaPart::of) {
                via.deviations(&mut |deviation| report.row(name, number, deviation.into()));
            }
            let is_top = !headers.rows().iter().take(number - 1).any(|other| other.name == row.name);
            let top = grammar::list(value).next().and_then(ViaPart::of);
            if is_top && top.is_some_and(|via| !via.has_branch()) {
                report.row(name, number, AnomalyKind::NoBranch);
            }
        }
        HeaderName::ReplyTo | HeaderName::ReferTo | HeaderName::ReferredBy => {
            if let Ok(address) = AddressPart::read(value, HeaderName::From) {
                address.deviations(&mut |deviation| report.row(name, number, deviation.into()));
            }
        }
        HeaderName::From | HeaderName::To => {
            if let Ok(address) = AddressPart::read(value, HeaderName::From) {
                address.deviations_with_tag(&mut |deviation| report.row(name, number, deviation.into()));
                let barred = ["port", "method", "maddr", "ttl", "transport", "lr", "headers"];
                address
                    .uri()
                    .components(&barred, &mut |part| report.row(name, number, AnomalyKind::UriComponent(part)));
                if *name == HeaderName::From && !address.has_tag() {
                    report.row(name, number, AnomalyKind::NoFromTag);
                }
            }
        }
        HeaderName::Route
        | HeaderName::RecordRoute
        | HeaderName::Contact
        | HeaderName::Path
        | HeaderName::ServiceRoute => {
            let addresses = grammar::list(value).filter_map(|item| AddressPart::read(item, HeaderName::Contact).ok());
            let barred: &[&str] = match name {
                HeaderName::Route | HeaderName::RecordRoute => &["method", "ttl", "headers"],
                HeaderName::Contact => &["method"],
                _ => &[],
            };
            for address in addresses {
                let mut told = |deviation: Deviation| report.row(name, number, deviation.into());
                match name {
                    HeaderName::Contact => address.deviations_with_q(&mut told),
                    _ => address.deviations(&mut told),
                }
                address.uri().components(barred, &mut |part| report.row(name, number, AnomalyKind::UriComponent(part)));
            }
        }
        _ => {}
    }
}

/// Whether a list has commas with nothing between them.
fn has_empty_items(value: &str) -> bool {
    let mut rest = value;
    loop {
        match grammar::next_comma(rest).and_then(|at| rest.split_at_checked(at)) {
            Some((item, _)) if class::trim_wsp(item).is_empty() => return true,
            Some((_, after)) => rest = after.get(1..).unwrap_or_default(),
            None => return class::trim_wsp(rest).is_empty() && !value.is_empty(),
        }
    }
}

/// Why a header that nobody has asked for is malformed, if it is.
fn malformed(headers: &Headers, row: &Row) -> Option<HeaderError> {
    macro_rules! check {
        ($($header:ident)*) => {
            match row.name.name()? {
                $(HeaderName::$header => headers.all::<crate::$header>().err(),)*
                _ => None,
            }
        };
    }
    if is_signed_as_before(row.name.name()?, headers.value(row)) {
        return None;
    }
    let error = crate::header::for_each_header!(check).or_else(|| match row.name.name()? {
        // A text in its place is read.
        name @ HeaderName::AlertInfo => headers.raw_all(name).flat_map(grammar::list).find_map(no_alert_uri),
        _ => None,
    });
    // A header that may stand once and stands twice is reported as that.
    error.filter(|error| !matches!(error, HeaderError::Repeated { .. }))
}

impl From<Deviation> for AnomalyKind {
    fn from(deviation: Deviation) -> Self {
        match deviation {
            Deviation::DisplayName => AnomalyKind::UnquotedDisplayName,
            Deviation::QuotedPair => AnomalyKind::QuotedPair,
            Deviation::User => AnomalyKind::UnescapedUser,
            Deviation::HostName => AnomalyKind::HostName,
            Deviation::BareValue => AnomalyKind::UnquotedValue,
            Deviation::EmptyValue => AnomalyKind::EmptyValue,
            Deviation::Spaces => AnomalyKind::SpacedUri,
            Deviation::Colons => AnomalyKind::ThreeColons,
            Deviation::Received => AnomalyKind::Received,
            Deviation::Parameter(name) => AnomalyKind::Parameter(name),
            Deviation::Tel => AnomalyKind::TelUri,
            Deviation::UriCharacter => AnomalyKind::UriCharacter,
        }
    }
}

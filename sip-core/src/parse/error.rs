use alloc::boxed::Box;
use alloc::string::ToString;
use core::net::SocketAddr;

use bytes::Bytes;

use super::{Anomaly, reply};
use crate::header::AtColumn;
use crate::message::MandatoryError;
use crate::uri::UriPart;
use crate::{HeaderError, HeaderName, StatusCode, UriError};

/// Why bytes were not taken as a message, and what to answer.
///
/// The text of a fault in a request is the reason phrase of its 400, so it names the header.
///
/// ```
/// use blether_sip_core::{Limits, Message, StatusCode};
///
/// let datagram = "OPTIONS sip:bob@biloxi.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
///     From: <sip:a@b>;tag=1\r\nTo: <sip:bob@biloxi.com>\r\nCall-ID: 1@a\r\nCSeq: one OPTIONS\r\n\r\n";
/// let error = Message::parse(datagram.into(), &Limits::default()).unwrap_err();
/// assert_eq!(error.status(), Some(StatusCode::BAD_REQUEST));
/// let reply = error.reply("192.0.2.1:5060".parse()?).expect("a request with a Via is answered");
/// assert!(reply.starts_with(b"SIP/2.0 400 Bad CSeq header"));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Debug, Clone, thiserror::Error)]
#[error("{kind}")]
pub struct ParseError {
    kind: ParseErrorKind,
    /// The message, if it is a request that may be answered: not an ACK.
    request: Option<Bytes>,
}

/// What is wrong with a message.
///
/// ```
/// use blether_sip_core::{Limits, Message, ParseErrorKind};
///
/// let read = |text: &'static str| Message::parse(text.into(), &Limits::default()).map_err(|error| error.kind().clone());
/// assert_eq!(read("HTTP/1.1 200 OK\r\n\r\n").err(), Some(ParseErrorKind::NotSip));
/// assert_eq!(read("OPTIONS sip:a SIP/3.0\r\n\r\n").err(), Some(ParseErrorKind::Version));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// The first line is neither a request line nor a status line: drop it and count it.
    #[error("Not a SIP message")]
    NotSip,
    /// The request line is not `Method URI SIP/2.0` with spaces between.
    #[error("Bad request line: expected Method URI SIP/2.0 with one space between")]
    RequestLine,
    /// The Request-URI is none.
    #[error("Bad Request-URI: {error}{}", AtColumn(*.column))]
    RequestUri {
        /// What is wrong with it.
        error: UriError,
        /// Where reading stopped, in bytes from 1, which is the first of the URI.
        column: Option<usize>,
    },
    /// The Request-URI has headers, which must not reach the next hop (RFC 3261 §19.1.1, table 1).
    #[error("Bad Request-URI: expected no headers after a question mark")]
    RequestUriHeaders,
    /// The status line is not `SIP/2.0 code reason` with a code from 100 to 699.
    #[error("Bad status line: expected SIP/2.0, a code from 100 to 699 and a reason")]
    StatusLine,
    /// A version of SIP other than 2.0.
    #[error("Version Not Supported")]
    Version,
    /// A header does not say what it should.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// A mandatory header is missing.
    #[error("Missing {0} header")]
    Missing(HeaderName),
    /// The CSeq names another method than the request line (RFC 3261 §8.1.1.5).
    #[error("Bad CSeq header: expected the method of the request line{}", AtColumn(*.column))]
    MethodMismatch {
        /// Where the method is in the CSeq, in bytes from 1.
        column: Option<usize>,
    },
    /// The same, and the method of the request line is none of those that [`Method`](crate::Method) names: what it would take to serve it is not
    /// known, so the answer is a 501 (RFC 4475 §3.1.2.18).
    #[error("Not Implemented")]
    UnknownMethodMismatch,
    /// A line of the start line and the headers ends in LF alone (RFC 3261 §7, §25.1: `CRLF`).
    #[error("Bad line end: expected CR LF, found LF alone at the end of line {line}, byte {byte}")]
    BareLineFeed {
        /// Which line it is, from 1, which is the start line.
        line: usize,
        /// Where the LF is, in bytes from 1, which is the first of the start line.
        byte: usize,
    },
    /// A line of the header section is no header: no name, no colon, a lone CR, or a NUL.
    #[error("Bad header line {line}: expected Name: value and CR LF")]
    HeaderLine {
        /// Which header it is, from 1.
        line: usize,
    },
    /// Strict reading was asked for, and the message deviates from its RFCs.
    #[error(transparent)]
    Anomaly(Box<Anomaly>),
    /// The empty line after the headers is missing.
    #[error("Missing empty line after the headers")]
    NoEmptyLine,
    /// The datagram ends before the body does (RFC 3261 §18.3). Both in bytes.
    #[error("Bad Content-Length header: {announced} bytes announced, {received} received")]
    BodyTruncated {
        /// What Content-Length says.
        announced: usize,
        /// What was there.
        received: usize,
    },
    /// More headers than [`Limits::max_headers`](crate::Limits::max_headers).
    #[error("Too many headers: expected at most {limit}")]
    TooManyHeaders {
        /// The limit.
        limit: usize,
    },
    /// A value longer than [`Limits::max_header_value`](crate::Limits::max_header_value).
    #[error("Bad {header} header: expected at most {limit} bytes")]
    HeaderTooLong {
        /// The header.
        header: HeaderName,
        /// The limit in bytes.
        limit: usize,
    },
    /// A start line longer than [`Limits::max_start_line`](crate::Limits::max_start_line).
    #[error("Request-URI Too Long")]
    StartLineTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// A header section longer than [`Limits::max_header_section`](crate::Limits::max_header_section).
    #[error("Message Too Large")]
    HeaderSectionTooLarge {
        /// The length in bytes.
        len: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// A message longer than [`Limits::max_message`](crate::Limits::max_message).
    #[error("Message Too Large")]
    MessageTooLarge {
        /// The length in bytes.
        len: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// A body longer than [`Limits::max_body`](crate::Limits::max_body).
    #[error("Request Entity Too Large")]
    BodyTooLarge {
        /// The length in bytes.
        len: usize,
        /// The limit in bytes.
        limit: usize,
    },
}

impl From<MandatoryError> for ParseErrorKind {
    fn from(error: MandatoryError) -> Self {
        match error {
            MandatoryError::Missing(header) => ParseErrorKind::Missing(header),
            MandatoryError::Invalid(error) => ParseErrorKind::Header(error),
        }
    }
}

impl ParseErrorKind {
    /// Of a Request-URI that is none.
    #[cold]
    pub(super) fn request_uri(uri: &str, error: UriError) -> Self {
        ParseErrorKind::RequestUri { error, column: UriPart::column(uri, error) }
    }

    /// The status of the answer if the message is a request; `None` if it cannot be known for one.
    fn status(&self) -> Option<StatusCode> {
        Some(match self {
            ParseErrorKind::NotSip | ParseErrorKind::StatusLine => return None,
            ParseErrorKind::Version => StatusCode::VERSION_NOT_SUPPORTED,
            ParseErrorKind::UnknownMethodMismatch => StatusCode::NOT_IMPLEMENTED,
            ParseErrorKind::StartLineTooLong { .. } => StatusCode::REQUEST_URI_TOO_LONG,
            ParseErrorKind::HeaderSectionTooLarge { .. } | ParseErrorKind::MessageTooLarge { .. } => {
                StatusCode::MESSAGE_TOO_LARGE
            }
            ParseErrorKind::BodyTooLarge { .. } => StatusCode::REQUEST_ENTITY_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        })
    }
}

impl ParseError {
    pub(super) fn new(kind: ParseErrorKind, request: Option<Bytes>) -> Self {
        ParseError { kind, request }
    }

    /// What is wrong.
    #[must_use]
    pub fn kind(&self) -> &ParseErrorKind {
        &self.kind
    }

    /// The status to answer with: 400, 413, 414, 501, 505 or 513. `None` for what is never answered: what is no SIP, a
    /// response, an ACK.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.request.as_ref().and(self.kind.status())
    }

    /// The response to send back to `source`, which is where the request came from (RFC 3261 §8.2.6).
    ///
    /// `None` if [`ParseError::status`] is, if the request has no Via to answer to, or if what must be copied from it has
    /// control characters or is longer than 4,096 bytes. The topmost Via gets `received` and `rport` (RFC 3261
    /// §18.2.1, RFC 3581 §4), the To a tag that is the same for each copy of the request (RFC 3261 §8.2.7).
    #[must_use]
    pub fn reply(&self, source: SocketAddr) -> Option<Bytes> {
        reply::reply(self.request.as_ref()?, self.status()?, &self.kind.to_string(), source)
    }
}

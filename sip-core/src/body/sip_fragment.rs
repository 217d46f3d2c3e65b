use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use bytes::Bytes;

use super::header_section;
use crate::parse::ParseErrorKind;
use crate::{
    ByteStr, ContentLength, ContentType, HeaderName, Headers, InvalidHeader, Limits, Method, Response, StatusCode,
    TypedHeader, Uri, grammar,
};

/// A part of a message: `message/sipfrag` (RFC 3420), as a NOTIFY brings it that tells of a REFER (RFC 3515 §2.4.5).
///
/// What was read and not changed is written as it came. Lines may end with LF alone, and the last one without a line end, as peers send it.
///
/// ```
/// use blether_sip_core::body::SipFragment;
/// use blether_sip_core::StatusCode;
///
/// let fragment = SipFragment::parse("SIP/2.0 180 Ringing")?;
/// assert_eq!(fragment.status(), Some(StatusCode::RINGING));
/// assert_eq!(SipFragment::of_status(StatusCode::OK).to_bytes(), "SIP/2.0 200 OK\r\n");
/// # Ok::<(), blether_sip_core::body::FragmentError>(())
/// ```
#[derive(Debug, Clone)]
pub struct SipFragment {
    line: Option<FragmentLine>,
    headers: Headers,
    body: Bytes,
    /// All of it as it was received, if nothing was changed since.
    raw: Option<Bytes>,
}

/// The start line of a fragment (RFC 3261 §7.1, §7.2).
///
/// ```
/// use blether_sip_core::body::{FragmentLine, SipFragment};
/// use blether_sip_core::{Method, StatusCode};
///
/// let asked = SipFragment::parse("BYE sip:bob@192.0.2.4 SIP/2.0\r\n")?;
/// assert!(matches!(asked.line(), Some(FragmentLine::Request { method: Method::Bye, .. })));
/// let line = FragmentLine::Status { status: StatusCode::BUSY_HERE, reason: "In a call".into() };
/// assert_eq!(SipFragment::new(Some(line)).to_bytes(), "SIP/2.0 486 In a call\r\n");
/// # Ok::<(), blether_sip_core::body::FragmentError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FragmentLine {
    /// A request line.
    Request {
        /// The method.
        method: Method,
        /// The Request-URI.
        uri: Uri,
    },
    /// A status line.
    Status {
        /// The status code.
        status: StatusCode,
        /// The reason phrase; control characters in it are written as spaces.
        reason: ByteStr,
    },
}

/// Why bytes are no fragment of a message.
///
/// ```
/// use blether_sip_core::body::SipFragment;
///
/// let error = SipFragment::parse("SIP/2.0 20 Nearly\r\n").unwrap_err();
/// assert_eq!(error.to_string(), "Bad status line: expected SIP/2.0, a code from 100 to 699 and a reason");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct FragmentError {
    /// What is wrong with the start line or the headers.
    pub kind: ParseErrorKind,
}

impl SipFragment {
    /// The media type.
    pub const CONTENT_TYPE: &'static str = "message/sipfrag";

    /// A fragment with this start line, or with none, and nothing else yet.
    #[must_use]
    pub fn new(line: Option<FragmentLine>) -> Self {
        SipFragment { line, headers: Headers::new(), body: Bytes::new(), raw: None }
    }

    /// The status line alone: all that a NOTIFY needs to say (RFC 3515 §2.4.5).
    #[must_use]
    pub fn of_status(status: StatusCode) -> Self {
        SipFragment::new(Some(FragmentLine::Status { status, reason: ByteStr::from_static(status.reason()) }))
    }

    /// The status line of a response, with its own reason phrase.
    #[must_use]
    pub fn of_response(response: &Response) -> Self {
        SipFragment::new(Some(FragmentLine::Status { status: response.status(), reason: response.reason().into() }))
    }

    /// Reads a fragment without copying it, with the limits that messages have by default.
    ///
    /// # Errors
    ///
    /// [`FragmentError`], if it has a start line or a header that no message may have. Values of headers are read when they are asked for.
    pub fn parse(bytes: impl Into<Bytes>) -> Result<Self, FragmentError> {
        SipFragment::parse_within(bytes.into(), &Limits::default()).map_err(|kind| FragmentError { kind })
    }

    fn parse_within(raw: Bytes, limits: &Limits) -> Result<Self, ParseErrorKind> {
        if raw.len() > limits.max_message {
            return Err(ParseErrorKind::MessageTooLarge { len: raw.len(), limit: limits.max_message });
        }
        let line_end = memchr::memchr(b'\n', &raw).map_or(raw.len(), |at| at + 1);
        let first = raw.get(..line_end).unwrap_or_default();
        let first = first.strip_suffix(b"\n").map_or(first, |line| line.strip_suffix(b"\r").unwrap_or(line));
        let (line, start) = if first.is_empty() || is_header(first) {
            (None, 0)
        } else {
            if first.len() > limits.max_start_line {
                return Err(ParseErrorKind::StartLineTooLong { limit: limits.max_start_line });
            }
            (Some(crate::parse::start_line_of(&raw.slice_ref(first))?), line_end)
        };
        let rest = raw.slice(start..);
        let (headers, body_start) = header_section::read(&rest, limits)?;
        let mut body = rest.slice(body_start..);
        if let Ok(Some(ContentLength(announced))) = headers.get() {
            body.truncate(announced);
        }
        Ok(SipFragment { line, headers, body, raw: Some(raw) })
    }

    /// The same with another header at the end; not Content-Type and Content-Length, which [`SipFragment::with_body`] sets.
    #[must_use]
    pub fn with_header<H: TypedHeader>(mut self, header: H) -> Self {
        if !matches!(H::NAME, HeaderName::ContentType | HeaderName::ContentLength) {
            self.headers.push(header);
            self.raw = None;
        }
        self
    }

    /// [`SipFragment::with_header`] of a value as text.
    ///
    /// # Errors
    ///
    /// [`InvalidHeader`] if the name is no token or belongs to the body, or if the value has a line break or a NUL.
    pub fn with_raw(mut self, name: &HeaderName, value: &str) -> Result<Self, InvalidHeader> {
        let name = name.clone().canonical();
        if matches!(name, HeaderName::ContentType | HeaderName::ContentLength) {
            return Err(InvalidHeader::Reserved(name));
        }
        self.headers.push_raw(&name, value)?;
        self.raw = None;
        Ok(self)
    }

    /// The same with a body of this type, which takes the place of one that was there.
    #[must_use]
    pub fn with_body(mut self, content_type: ContentType, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.headers.set(content_type);
        self.headers.set(ContentLength(self.body.len()));
        self.raw = None;
        self
    }

    /// The start line, if it has one.
    #[must_use]
    pub fn line(&self) -> Option<&FragmentLine> {
        self.line.as_ref()
    }

    /// The status code, if it begins with a status line.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        match &self.line {
            Some(FragmentLine::Status { status, .. }) => Some(*status),
            _ => None,
        }
    }

    /// The reason phrase, if it begins with a status line.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match &self.line {
            Some(FragmentLine::Status { reason, .. }) => Some(reason),
            _ => None,
        }
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The body, which may be empty; at most what Content-Length says.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The fragment as it goes into a body. What was received and not changed is the received bytes, uncopied.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        if let Some(raw) = &self.raw {
            return raw.clone();
        }
        let mut start = String::new();
        match &self.line {
            Some(FragmentLine::Request { method, uri }) => {
                grammar::write_token(&mut start, &alloc::format!("{method}"), "X");
                start.push(' ');
                start.extend(alloc::format!("{uri}").chars().filter(|c| !c.is_control() && *c != ' '));
                start.push_str(" SIP/2.0\r\n");
            }
            Some(FragmentLine::Status { status, reason }) => {
                start = alloc::format!("SIP/2.0 {} ", status.code());
                grammar::write_text(&mut start, reason);
                start.push_str("\r\n");
            }
            None => {}
        }
        let mut out: Vec<u8> = start.into();
        self.headers.write(&mut out);
        if !self.body.is_empty() || self.headers.has(&HeaderName::ContentType) || out.is_empty() {
            out.extend_from_slice(b"\r\n");
            out.extend_from_slice(&self.body);
        }
        out.into()
    }
}

/// Whether a line is a header and not a start line: a name and a colon.
fn is_header(line: &[u8]) -> bool {
    let name = crate::class::span(line, crate::class::TOKEN);
    let rest = line.get(name..).unwrap_or_default();
    name > 0 && rest.trim_ascii_start().starts_with(b":")
}

impl FromStr for SipFragment {
    type Err = FragmentError;

    fn from_str(text: &str) -> Result<Self, FragmentError> {
        SipFragment::parse(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl fmt::Display for SipFragment {
    /// Writes the fragment as text; what is not UTF-8 becomes U+FFFD.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.to_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CallId, Contact, From, To, Via, Warning};

    /// Valid parts of RFC 3420 §3.1, with what their first line is, how many rows they have, and how long their body is.
    #[test]
    fn the_valid_examples_of_the_rfc_are_read_and_written_as_they_are() {
        let from = "From: Alice <sip:alice@atlanta.com>\r\nTo: Bob <sip:bob@biloxi.com>\r\n\
            Contact: <sip:alice@pc33.atlanta.com>\r\nDate: Thu, 21 Feb 2002 13:02:03 GMT\r\n\
            Call-ID: a84b4c76e66710\r\nCseq: 314159 INVITE\r\n";
        let register = "REGISTER sip:atlanta.com SIP/2.0\r\nTo: sip:alice@atlanta.com\r\n\
            Contact: <sip:alicepc@atlanta.com>;q=0.9,\r\n         <sip:alicemobile@atlanta.com>;q=0.1\r\n";
        let refused = "SIP/2.0 400 Bad Request\r\nWarning: 399 atlanta.com Your Event header field was malformed\r\n";
        let body = "Content-Type: text/plain\r\nContent-Length: 11\r\n\r\nHi There!\r\n";
        for (text, status, rows, body_len) in [
            ("INVITE sip:alice@atlanta.com SIP/2.0\r\n", None, 0, 0),
            ("SIP/2.0 603 Declined", Some(603), 0, 0),
            ("SIP/2.0 603 Declined\n", Some(603), 0, 0),
            (register, None, 2, 0),
            (refused, Some(400), 1, 0),
            (from, None, 6, 0),
            (body, None, 2, 11),
        ] {
            let read: SipFragment = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(read.status().map(StatusCode::code), status, "{text}");
            assert_eq!((read.headers().len(), read.body().len()), (rows, body_len), "{text}");
            assert_eq!(read.to_bytes(), text);
        }
        let read: SipFragment = register.parse().unwrap();
        assert_eq!(read.headers().all::<Contact>().unwrap().len(), 2);
        assert!(matches!(read.line(), Some(FragmentLine::Request { method: Method::Register, .. })));
        let bad = refused.parse::<SipFragment>().unwrap();
        assert_eq!((bad.reason(), bad.headers().get::<Warning>().is_err()), (Some("Bad Request"), true));
    }

    /// Those of §3.2 that are invalid.
    #[test]
    fn the_invalid_examples_of_the_rfc_are_refused() {
        for text in [
            "INVITE\r\n",
            "INVITE sip:alice@atlanta.com SIP/1.09\r\n",
            "SIP/2.0\r\n",
            "404 Not Found\r\n",
            "MESSAGE sip:alice@atlanta.com SIP/2.0\r\nHi There!\r\n",
        ] {
            assert!(text.parse::<SipFragment>().is_err(), "{text}");
        }
        let text = "INVITE sip:alice@atlanta.com SIP/2.0\r\nVia: SIP/2.0/UDP ;branch=z9hG4bK29342a\r\n\
            To: <>;tag=39234\r\nFrom: sip:bob@biloxi.com;tag=1992312\r\nCall-ID: this is invalid\r\n";
        let read: SipFragment = text.parse().unwrap();
        let headers = read.headers();
        assert!(headers.get::<Via>().is_err() && headers.get::<To>().is_err() && headers.get::<CallId>().is_err());
        assert!(headers.get::<From>().is_ok());
    }

    #[test]
    fn what_is_built_reads_again() {
        let reason = "odd\r\nX: y".into();
        let line = FragmentLine::Status { status: StatusCode::OK, reason };
        let built = SipFragment::new(Some(line)).with_body(ContentType::sdp(), "v=0\r\n");
        let text = "SIP/2.0 200 odd  X: y\r\nContent-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n";
        assert_eq!(built.to_bytes(), text);
        assert_eq!(SipFragment::parse(text).unwrap().body(), "v=0\r\n");
        assert_eq!(SipFragment::parse("").unwrap().to_bytes(), "");
        assert!(built.with_raw(&HeaderName::ContentLength, "7").is_err());
    }
}

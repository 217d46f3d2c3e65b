//! Messages (RFC 3261 §7): what is common to requests and responses, and what is not.

mod checked;
mod headers_mut;
mod inner;
mod request;
mod request_builder;
mod response;
mod response_builder;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

pub use headers_mut::HeadersMut;
pub use request::Request;
pub use request_builder::{BuildError, RequestBuilder};
pub use response::Response;
pub use response_builder::ResponseBuilder;

pub(crate) use self::checked::{Checked, Hop, MandatoryError, Marks};
pub(crate) use self::inner::Core;
pub(crate) use response::ReasonPhrase;

use crate::{Anomaly, ByteStr, CSeq, Headers, Limits, NameAddr, ParseError, Via};

/// A request or a response.
///
/// ```
/// use blether_sip_core::{Limits, Message, StatusCode};
///
/// let datagram = "SIP/2.0 180 Ringing\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
///     To: <sip:b@c>;tag=2\r\nCall-ID: 1@a\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n";
/// let message = Message::parse(datagram.into(), &Limits::default())?;
/// assert_eq!((message.call_id().as_str(), message.to_tag()), ("1@a", Some("2")));
/// assert!(matches!(&message, Message::Response(response) if response.status() == StatusCode::RINGING));
/// assert_eq!(message.to_bytes(), datagram);
/// # Ok::<(), blether_sip_core::ParseError>(())
/// ```
#[derive(Debug, Clone)]
pub enum Message {
    /// A request.
    Request(Request),
    /// A response.
    Response(Response),
}

impl Message {
    /// Reads a message that came in one datagram (RFC 3261 §18.3), without copying it.
    ///
    /// Line breaks before the start line are skipped and what follows the body is left out. The start line, the
    /// mandatory headers, Max-Forwards and Content-Length are checked; all other headers only when they are asked for
    /// (RFC 3261 §16.3, step 1).
    ///
    /// # Errors
    ///
    /// [`ParseError`], which knows the status to answer with and can write the answer.
    pub fn parse(bytes: Bytes, limits: &Limits) -> Result<Message, ParseError> {
        crate::parse::message(bytes, limits)
    }

    /// [`Message::parse`] for those who want no deviation from the RFCs: fails where [`Message::anomalies`] would tell
    /// of one that makes the message invalid.
    ///
    /// # Errors
    ///
    /// [`ParseError`], as of [`Message::parse`], and of the first such anomaly ([`Anomaly::makes_invalid`]).
    pub fn parse_strict(bytes: Bytes, limits: &Limits) -> Result<Message, ParseError> {
        crate::parse::strict(bytes, limits)
    }

    fn core(&self) -> &Core {
        match self {
            Message::Request(request) => request.core(),
            Message::Response(response) => response.core(),
        }
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        self.core().headers()
    }

    /// The topmost Via; see [`Request::via`].
    #[must_use]
    pub fn via(&self) -> &Via {
        self.core().via()
    }

    /// The From header.
    #[must_use]
    pub fn from(&self) -> &NameAddr {
        self.core().from()
    }

    /// The To header.
    #[must_use]
    pub fn to(&self) -> &NameAddr {
        self.core().to()
    }

    /// The tag of the From header, read without the rest of it: what `from().tag()` is, for those who want no more.
    #[must_use]
    pub fn from_tag(&self) -> Option<&str> {
        self.core().tag_of_from()
    }

    /// The tag of the To header, read without the rest of it: what `to().tag()` is, for those who want no more.
    #[must_use]
    pub fn to_tag(&self) -> Option<&str> {
        self.core().tag_of_to()
    }

    /// The Call-ID header.
    #[must_use]
    pub fn call_id(&self) -> &ByteStr {
        self.core().call_id()
    }

    /// The CSeq header.
    #[must_use]
    pub fn cseq(&self) -> &CSeq {
        self.core().cseq()
    }

    /// The body, which may be empty.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        self.core().body()
    }

    /// What the message did when it was received that its RFCs do not allow and that was taken all the same, in no order that
    /// means anything; none of one that was built. It is looked for when this is called.
    #[must_use]
    pub fn anomalies(&self) -> Vec<Anomaly> {
        self.core().anomalies()
    }

    /// The message as it goes onto the wire. What was received and not changed is the received bytes, uncopied.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        match self {
            Message::Request(request) => request.to_bytes(),
            Message::Response(response) => response.to_bytes(),
        }
    }
}

impl From<Request> for Message {
    fn from(request: Request) -> Self {
        Message::Request(request)
    }
}

impl From<Response> for Message {
    fn from(response: Response) -> Self {
        Message::Response(response)
    }
}

impl fmt::Display for Message {
    /// Writes the message as text, for people: what is not UTF-8 becomes U+FFFD.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.to_bytes()))
    }
}

#[cfg(test)]
mod tests;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use bytes::Bytes;

use super::{Core, HeadersMut, ResponseBuilder};
use crate::{Anomaly, ByteStr, CSeq, Headers, NameAddr, Request, StatusCode, Via};

/// A response (RFC 3261 §7.2) whose mandatory headers are there and valid.
///
/// Cloning it counts a reference. Changing one that was cloned copies a short list of ranges first; the received bytes are shared.
///
/// ```
/// use blether_sip_core::{Method, Request, Response, SipUri, StatusCode};
///
/// let request = Request::builder(Method::Bye, "sip:bob@192.0.2.4".parse::<SipUri>()?)
///     .via("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1".parse()?)
///     .from("<sip:alice@atlanta.com>;tag=1".parse()?)
///     .to("<sip:bob@biloxi.com>;tag=2".parse()?)
///     .call_id("a84b4c76e66710")
///     .cseq(2)
///     .build()?;
/// let response = Response::to_request(&request, StatusCode::OK).build();
/// assert_eq!((response.status(), response.reason()), (StatusCode::OK, "OK"));
/// assert_eq!((response.cseq(), response.via()), (request.cseq(), request.via()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Response {
    parts: Arc<Parts>,
}

#[derive(Clone)]
struct Parts {
    status: StatusCode,
    reason: ReasonPhrase,
    /// The length of the status line that was received, with its end of line; 0 if none was.
    line_len: usize,
    core: Core,
}

/// The reason phrase of a status line.
#[derive(Debug, Clone)]
pub(crate) enum ReasonPhrase {
    /// A part of what was received, which is UTF-8.
    Received(Range<u32>),
    Text(ByteStr),
}

impl Default for ReasonPhrase {
    fn default() -> Self {
        ReasonPhrase::Text(ByteStr::default())
    }
}

impl Response {
    /// Starts the response to a request (RFC 3261 §8.2.6), which must not be an ACK; see [`ResponseBuilder`].
    pub fn to_request(request: &Request, status: StatusCode) -> ResponseBuilder {
        ResponseBuilder::new(request, status)
    }

    /// A response that was received, with a status line of this length.
    #[inline(always)] // so that what was found is not moved about
    pub(crate) fn received(status: StatusCode, reason: ReasonPhrase, line_len: usize, core: Core) -> Self {
        Response { parts: Arc::new(Parts { status, reason, line_len, core }) }
    }

    pub(crate) fn built(status: StatusCode, reason: ByteStr, core: Core) -> Self {
        Response::received(status, ReasonPhrase::Text(reason), 0, core)
    }

    /// What is in it, to be changed without those noticing who have a clone.
    fn edit(&mut self) -> &mut Parts {
        Arc::make_mut(&mut self.parts)
    }

    pub(super) fn core(&self) -> &Core {
        &self.parts.core
    }

    /// The status code.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.parts.status
    }

    /// The reason phrase, which is for people.
    #[must_use]
    pub fn reason(&self) -> &str {
        match &self.parts.reason {
            ReasonPhrase::Received(range) => self.parts.core.received_text(range.clone()),
            ReasonPhrase::Text(text) => text,
        }
    }

    /// The topmost Via: the hop that the response is going to.
    ///
    /// When [`Response::pop_via`] has taken off the last, this is a Via of the host `unsent.invalid` without a branch,
    /// and [`Response::has_via`] says so.
    #[must_use]
    pub fn via(&self) -> &Via {
        self.parts.core.via()
    }

    /// Whether the response has a Via.
    #[must_use]
    pub fn has_via(&self) -> bool {
        self.parts.core.has_via()
    }

    /// The From header, which is that of the request.
    #[must_use]
    pub fn from(&self) -> &NameAddr {
        self.parts.core.from()
    }

    /// The To header, with the tag of whoever answered.
    #[must_use]
    pub fn to(&self) -> &NameAddr {
        self.parts.core.to()
    }

    /// Adds a tag to the To header if it has none (RFC 3261 §8.2.6.2); one that is there stays.
    pub fn set_to_tag(&mut self, tag: &str) {
        self.edit().core.set_to_tag(tag);
    }

    /// The tag of the From header, read without the rest of it: what `from().tag()` is, for those who want no more.
    #[must_use]
    pub fn from_tag(&self) -> Option<&str> {
        self.parts.core.tag_of_from()
    }

    /// The tag of the To header, read without the rest of it: what `to().tag()` is, for those who want no more.
    #[must_use]
    pub fn to_tag(&self) -> Option<&str> {
        self.parts.core.tag_of_to()
    }

    /// The Call-ID header.
    #[must_use]
    pub fn call_id(&self) -> &ByteStr {
        self.parts.core.call_id()
    }

    /// The CSeq header, which is that of the request.
    #[must_use]
    pub fn cseq(&self) -> &CSeq {
        self.parts.core.cseq()
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        self.parts.core.headers()
    }

    /// The headers, to be changed.
    pub fn headers_mut(&mut self) -> HeadersMut<'_> {
        HeadersMut::new(&mut self.edit().core)
    }

    /// The body, which may be empty.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        self.parts.core.body()
    }

    /// Sets the body with its Content-Type and Content-Length. An empty type and body take the body out; a type that
    /// is none becomes `application/octet-stream`.
    pub fn set_body(&mut self, content_type: &str, body: Bytes) {
        self.edit().core.set_body(content_type, body);
    }

    /// Adds a hop on top of the others.
    pub fn push_via(&mut self, via: Via) {
        self.edit().core.push_via(via);
    }

    /// Changes the topmost hop; adds one if there is none.
    pub fn set_top_via(&mut self, via: Via) {
        self.edit().core.set_top_via(&via);
    }

    /// Takes the topmost hop off, as a proxy does before it sends the response on (RFC 3261 §16.7, step 3).
    pub fn pop_via(&mut self) -> Option<Via> {
        self.edit().core.pop_via()
    }

    /// What the message did when it was received that its RFCs do not allow and that was taken all the same, in no order that
    /// means anything; none of one that was built. It is looked for when this is called.
    #[must_use]
    pub fn anomalies(&self) -> Vec<Anomaly> {
        self.parts.core.anomalies()
    }

    /// The response as it goes onto the wire. One that was received and not changed is the received bytes, uncopied;
    /// any other has a Content-Length that is right.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let Parts { status, line_len, core, .. } = &*self.parts;
        if let Some(untouched) = core.untouched() {
            return untouched;
        }
        let reason = self.reason();
        let mut out = Vec::with_capacity(line_len.max(&(reason.len() + 32)) + core.written_len());
        core.write_received(&mut out, *line_len);
        if *line_len == 0 {
            let code = status.code();
            let digit = |unit: u16| b'0' + (code / unit % 10) as u8;
            out.extend_from_slice(b"SIP/2.0 ");
            out.extend_from_slice(&[digit(100), digit(10), digit(1), b' ']);
            out.extend_from_slice(reason.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        core.write(&mut out);
        out.into()
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.parts.status.code())
            .field("reason", &self.reason())
            .field("headers", self.headers())
            .field("body_len", &self.body().len())
            .finish()
    }
}

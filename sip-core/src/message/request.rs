use std::fmt;
use std::io::Write as _;
use std::sync::Arc;

use bytes::Bytes;

use super::{Core, HeadersMut, RequestBuilder};
use crate::{ByteStr, CSeq, Headers, MaxForwards, Method, NameAddr, SipUri, Uri, Via};

/// A request (RFC 3261 §7.1) whose mandatory headers are there and valid.
///
/// Cloning it counts a reference. Changing one that was cloned copies a short list of ranges first; the received bytes are shared.
#[derive(Clone)]
pub struct Request {
    parts: Arc<Parts>,
}

#[derive(Clone)]
struct Parts {
    method: Method,
    uri: Uri,
    /// The request line as it was received, with its end of line, until the URI is changed.
    line: Option<Bytes>,
    core: Core,
}

impl Request {
    /// Starts a request; see [`RequestBuilder`].
    pub fn builder(method: Method, uri: impl Into<Uri>) -> RequestBuilder {
        RequestBuilder::new(method, uri.into())
    }

    pub(crate) fn from_parts(method: Method, uri: Uri, line: Option<Bytes>, core: Core) -> Self {
        Request { parts: Arc::new(Parts { method, uri, line, core }) }
    }

    /// What is in it, to be changed without those noticing who have a clone.
    fn edit(&mut self) -> &mut Parts {
        Arc::make_mut(&mut self.parts)
    }

    pub(super) fn core(&self) -> &Core {
        &self.parts.core
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.parts.method
    }

    /// The Request-URI: where the request is going.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        &self.parts.uri
    }

    /// Sends the request elsewhere; a URI that could not be written as one is written with escapes, and without its headers.
    pub fn set_uri(&mut self, uri: Uri) {
        let parts = self.edit();
        parts.core.touch();
        parts.uri = without_headers(uri);
        parts.line = None;
    }

    /// The topmost Via: the last hop that sent the request.
    ///
    /// A request that was built has none until it is sent; then this is a Via of the host `unsent.invalid` without
    /// a branch, and [`Request::has_via`] says so.
    #[must_use]
    pub fn via(&self) -> &Via {
        self.parts.core.via()
    }

    /// Whether the request has a Via. One that was received always has.
    #[must_use]
    pub fn has_via(&self) -> bool {
        self.parts.core.has_via()
    }

    /// The From header: who sent the request.
    #[must_use]
    pub fn from(&self) -> &NameAddr {
        self.parts.core.from()
    }

    /// The To header: whom the request was for when it was made.
    #[must_use]
    pub fn to(&self) -> &NameAddr {
        self.parts.core.to()
    }

    /// The Call-ID header.
    #[must_use]
    pub fn call_id(&self) -> &ByteStr {
        self.parts.core.call_id()
    }

    /// The CSeq header, whose method is that of the request.
    #[must_use]
    pub fn cseq(&self) -> &CSeq {
        self.parts.core.cseq()
    }

    /// Gives the request another number in its dialog; the method stays that of the request.
    pub fn set_cseq(&mut self, cseq: CSeq) {
        let parts = self.edit();
        parts.core.set_cseq(CSeq { number: cseq.number, method: parts.method.clone() });
    }

    /// How many more proxies the request may pass; `None` if it does not say (RFC 3261 §16.3, step 3).
    #[must_use]
    pub fn max_forwards(&self) -> Option<u8> {
        self.parts.core.headers().get::<MaxForwards>().ok().flatten().map(|MaxForwards(hops)| hops)
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

    /// Adds a hop on top of the others: the one that the response is to come back to.
    pub fn push_via(&mut self, via: Via) {
        self.edit().core.push_via(&via);
    }

    /// Changes the topmost hop; adds one if there is none.
    pub fn set_top_via(&mut self, via: Via) {
        self.edit().core.set_top_via(&via);
    }

    /// Takes the topmost hop off.
    pub fn pop_via(&mut self) -> Option<Via> {
        self.edit().core.pop_via()
    }

    /// The request as it goes onto the wire. One that was received and not changed is the received bytes, uncopied;
    /// any other has a Content-Length that is right.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        if let Some(untouched) = self.parts.core.untouched() {
            return untouched.clone();
        }
        let mut out = Vec::with_capacity(1024 + self.body().len());
        match &self.parts.line {
            Some(line) => out.extend_from_slice(line),
            // Nothing keeps a vector from being written to.
            None => drop(write!(out, "{} {} SIP/2.0\r\n", self.parts.method, self.parts.uri)),
        }
        self.parts.core.write(&mut out);
        out.into()
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.parts.method)
            .field("uri", &format_args!("{}", self.parts.uri))
            .field("headers", self.headers())
            .field("body_len", &self.body().len())
            .finish()
    }
}

/// The URI as it may stand in a request line: without headers (RFC 3261 §19.1.1, table 1; §19.1.5).
pub(super) fn without_headers(uri: Uri) -> Uri {
    match uri {
        Uri::Sip(uri) => Uri::Sip(SipUri { headers: None, ..uri }),
        // No parser makes a SIP URI one of another scheme, but a caller can.
        Uri::Other(text) => match Uri::parse(&text) {
            Ok(Uri::Sip(uri)) => Uri::Sip(SipUri { headers: None, ..uri }),
            _ => Uri::Other(text),
        },
    }
}

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::ops::Range;

use bytes::Bytes;

use super::{Core, HeadersMut, RequestBuilder};
use crate::headers::narrow;
use crate::lazy::Lazy;
use crate::ordinary::{self, UriSpans};
use crate::{Anomaly, ByteStr, CSeq, HeaderName, Headers, MaxForwards, Method, NameAddr, SipUri, Uri, Via};

/// A request (RFC 3261 §7.1) whose mandatory headers are there and valid.
///
/// Cloning it counts a reference. Changing one that was cloned copies a short list of ranges first; the received bytes are shared.
///
/// ```
/// use blether_sip_core::{Limits, Message, Method, Subject};
///
/// let datagram = "INVITE sip:bob@biloxi.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
///     From: <sip:a@b>;tag=1\r\nTo: <sip:bob@biloxi.com>\r\nCall-ID: 1@a\r\nCSeq: 1 INVITE\r\nS: Lunch\r\n\
///     Content-Length: 0\r\n\r\n";
/// let Message::Request(mut request) = Message::parse(datagram.into(), &Limits::default())? else { unreachable!() };
/// assert_eq!((request.method(), request.to_tag()), (&Method::Invite, None));
/// assert_eq!(request.headers().get::<Subject>()?.unwrap().to_string(), "Lunch");
/// request.set_uri("sip:bob@192.0.2.4".parse()?);
/// assert_eq!(request.to_bytes(), datagram.replace("INVITE sip:bob@biloxi.com", "INVITE sip:bob@192.0.2.4"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Request {
    parts: Arc<Parts>,
}

#[derive(Clone)]
struct Parts {
    uri: RequestUri,
    /// The headers; the method is that of the CSeq.
    core: Core,
}

#[derive(Clone)]
enum RequestUri {
    /// A part of the request line that was received, which is valid, and is a value when it is asked for.
    Received {
        line_len: u32,
        range: Range<u32>,
        /// Its parts, in what was received, if it is in the usual form.
        spans: Option<UriSpans>,
        value: Lazy<Uri>,
    },
    Set(Uri),
}

impl Request {
    /// Starts a request; see [`RequestBuilder`].
    pub fn builder(method: Method, uri: impl Into<Uri>) -> RequestBuilder {
        RequestBuilder::new(method, uri.into())
    }

    /// A request that was received, with a request line of this length and a valid URI in it.
    #[inline(always)] // so that what was found is not moved about
    pub(crate) fn received(uri: Range<u32>, spans: Option<UriSpans>, line_len: usize, core: Core) -> Self {
        let uri = RequestUri::Received { line_len: narrow(line_len), range: uri, spans, value: Lazy::new() };
        Request { parts: Arc::new(Parts { uri, core }) }
    }

    /// A request that was built, whose CSeq has its method.
    pub(crate) fn built(uri: Uri, core: Core) -> Self {
        Request { parts: Arc::new(Parts { uri: RequestUri::Set(uri), core }) }
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
        &self.parts.core.cseq().method
    }

    /// The Request-URI: where the request is going.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        let Parts { uri, core, .. } = &*self.parts;
        match uri {
            RequestUri::Set(uri) => uri,
            RequestUri::Received { range, spans, value, .. } => value.get_or_make(|| {
                if let Some(spans) = spans {
                    return spans.to_uri(core.headers().received(), 0);
                }
                let text = core.received_part(range.clone());
                Uri::parse(&text).unwrap_or(Uri::Other(text))
            }),
        }
    }

    /// Sends the request elsewhere; a URI that could not be written as one is written with escapes, and without its headers.
    pub fn set_uri(&mut self, uri: Uri) {
        let parts = self.edit();
        parts.core.touch();
        parts.uri = RequestUri::Set(without_headers(uri));
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

    /// The CSeq header, whose method is that of the request.
    #[must_use]
    pub fn cseq(&self) -> &CSeq {
        self.parts.core.cseq()
    }

    /// Gives the request another number in its dialog; the method stays that of the request.
    pub fn set_cseq(&mut self, cseq: CSeq) {
        self.edit().core.set_cseq(cseq.number);
    }

    /// How many more proxies the request may pass; `None` if it does not say (RFC 3261 §16.3, step 3).
    #[must_use]
    pub fn max_forwards(&self) -> Option<u8> {
        let headers = self.parts.core.headers();
        let row = headers.first_row(&HeaderName::MaxForwards)?;
        if let Some(hops) = ordinary::whole_number(headers.value_bytes(row)).and_then(|hops| u8::try_from(hops).ok()) {
            return Some(hops);
        }
        MaxForwards::read(headers.value(row)).ok().map(|MaxForwards(hops)| hops)
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
        self.edit().core.push_via(via);
    }

    /// Changes the topmost hop; adds one if there is none.
    pub fn set_top_via(&mut self, via: Via) {
        self.edit().core.set_top_via(&via);
    }

    /// Takes the topmost hop off.
    pub fn pop_via(&mut self) -> Option<Via> {
        self.edit().core.pop_via()
    }

    /// What the message did when it was received that its RFCs do not allow and that was taken all the same, in no order that
    /// means anything; none of one that was built. It is looked for when this is called.
    #[must_use]
    pub fn anomalies(&self) -> Vec<Anomaly> {
        self.parts.core.anomalies()
    }

    /// The request as it goes onto the wire. One that was received and not changed is the received bytes, uncopied;
    /// any other has a Content-Length that is right.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let Parts { uri, core } = &*self.parts;
        if let Some(untouched) = core.untouched() {
            return untouched;
        }
        match uri {
            RequestUri::Received { line_len, range, .. } => {
                let line_len = *line_len as usize;
                let mut out = Vec::with_capacity(line_len + core.written_len());
                if line_len == self.method().as_str().len() + range.len() + "  SIP/2.0\r\n".len() {
                    core.write_received(&mut out, line_len);
                } else {
                    // Surplus spaces are not sent on (RFC 4475 §3.1.2.9, §3.1.2.10).
                    for part in [self.method().as_str(), " ", core.received_text(range.clone()), " SIP/2.0\r\n"] {
                        out.extend_from_slice(part.as_bytes());
                    }
                }
                core.write(&mut out);
                out.into()
            }
            RequestUri::Set(uri) => {
                let mut line = String::with_capacity(128);
                // Writing to a `String` cannot fail.
                let _ = write!(line, "{} {uri} SIP/2.0\r\n", self.method());
                let mut out = Vec::with_capacity(line.len() + core.written_len());
                out.extend_from_slice(line.as_bytes());
                core.write(&mut out);
                out.into()
            }
        }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", self.method())
            .field("uri", &format_args!("{}", self.uri()))
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
        tel => tel,
    }
}

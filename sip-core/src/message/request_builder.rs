use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use bytes::Bytes;

use super::headers_mut::{check_text, is_own};
use super::request::without_headers;
use super::{Core, MandatoryError, Request};
use crate::{
    ByteStr, CSeq, CallId, ContentType, From, HeaderError, HeaderName, Headers, Host, InvalidHeader, Limits,
    MaxForwards, Message, Method, NameAddr, ParseErrorKind, To, TypedHeader, Uri, UriError, Via, grammar,
};

/// Why a request could not be built: a mistake of the caller.
///
/// ```
/// use blether_sip_core::{BuildError, HeaderName, Method, Request, SipUri};
///
/// let request = Request::builder(Method::Options, "sip:bob@biloxi.com".parse::<SipUri>()?)
///     .from("<sip:alice@atlanta.com>;tag=1928301774".parse()?)
///     .build();
/// assert_eq!(request.err(), Some(BuildError::Missing(HeaderName::To)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// A mandatory header was not given.
    #[error("a request needs a {0} header; call the builder's method for it")]
    Missing(HeaderName),
    /// A header would not read back as what was given.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// A header given as text is none.
    #[error(transparent)]
    Raw(#[from] InvalidHeader),
    /// The Request-URI would not read back as one.
    #[error("the Request-URI is none: {0}")]
    Uri(#[from] UriError),
    /// The method is no token (RFC 3261 §25.1).
    #[error("{0:?} is no method")]
    Method(String),
    /// The message is one that [`Message::parse_strict`](crate::Message::parse_strict) refuses; of `build_strict` alone.
    #[error(transparent)]
    Invalid(ParseErrorKind),
}

/// Builds a request (RFC 3261 §8.1.1): From, To, Call-ID and CSeq must be given, Max-Forwards is 70 unless it is given, Content-Length is
/// counted. A Via is left to the transaction layer unless it is given.
///
/// [`build`](Self::build) gives no request that [`Message::parse`](crate::Message::parse) would not read, and is as tolerant as that, since much
/// of a request is what others have sent: an address with an underscore in its host, a Call-ID with a comma.
/// [`build_strict`](Self::build_strict) gives none that [`Message::parse_strict`](crate::Message::parse_strict) would refuse.
///
/// ```
/// use blether_sip_core::{HeaderName, Method, Request, SipUri, Supported};
///
/// let request = Request::builder(Method::Invite, "sip:bob@biloxi.com".parse::<SipUri>()?)
///     .from("<sip:alice@atlanta.com>;tag=1928301774".parse()?)
///     .to("<sip:bob@biloxi.com>".parse()?)
///     .call_id("a84b4c76e66710")
///     .cseq(1)
///     .header("timer, 100rel".parse::<Supported>()?)
///     .body("application/sdp", "v=0\r\n".into())
///     .build()?;
/// assert_eq!(request.headers().raw(&HeaderName::ContentLength), Some("5"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until `build`"]
pub struct RequestBuilder {
    method: Method,
    uri: Uri,
    vias: Vec<Via>,
    from: Option<NameAddr>,
    to: Option<NameAddr>,
    call_id: Option<ByteStr>,
    cseq: Option<u32>,
    max_forwards: MaxForwards,
    headers: Headers,
    body: Option<(String, Bytes)>,
    fault: Option<BuildError>,
}

impl RequestBuilder {
    pub(super) fn new(method: Method, uri: Uri) -> Self {
        RequestBuilder {
            method,
            uri,
            vias: Vec::new(),
            from: None,
            to: None,
            call_id: None,
            cseq: None,
            max_forwards: MaxForwards::INITIAL,
            headers: Headers::new(),
            body: None,
            fault: None,
        }
    }

    /// Adds a hop below those that were added before.
    pub fn via(mut self, via: Via) -> Self {
        self.vias.push(via);
        self
    }

    /// Who sends the request, with a tag (RFC 3261 §8.1.1.3): one without is taken for the sake of requests that follow from one of before RFC 3261,
    /// such as the ACK.
    pub fn from(mut self, from: NameAddr) -> Self {
        self.from = Some(from);
        self
    }

    /// Whom the request is for; with a tag only within a dialog (RFC 3261 §8.1.1.2).
    pub fn to(mut self, to: NameAddr) -> Self {
        self.to = Some(to);
        self
    }

    /// The Call-ID (RFC 3261 §8.1.1.4).
    pub fn call_id(mut self, call_id: &str) -> Self {
        self.call_id = Some(call_id.into());
        self
    }

    /// The number of the CSeq; its method is that of the request (RFC 3261 §8.1.1.5).
    pub fn cseq(mut self, number: u32) -> Self {
        self.cseq = Some(number);
        self
    }

    /// How many proxies the request may pass; 70 if this is not called.
    pub fn max_forwards(mut self, hops: u8) -> Self {
        self.max_forwards = MaxForwards(hops);
        self
    }

    /// Adds a header. One that has a method of its own here is set as by that method; another that may stand once takes the place
    /// of one that was given before.
    pub fn header<H: TypedHeader>(mut self, header: H) -> Self {
        let value = crate::headers::written(&header);
        if let HeaderName::Extension(name) = H::NAME {
            // A type of the caller's own, which may call itself anything.
            return self.raw(&name, &value);
        }
        let name = H::NAME.canonical();
        if is_own(&name) || name == HeaderName::MaxForwards {
            return self.own(name, value);
        }
        self.headers.push_or_set(&name, &value);
        self
    }

    /// [`RequestBuilder::header`] of a value as text. A name or a value that cannot be one makes [`RequestBuilder::build`] fail, and so does
    /// a value that does not read as the type that the header has here.
    pub fn raw(mut self, name: &str, value: &str) -> Self {
        let Some(name) = HeaderName::parse(name) else {
            return self.fail(InvalidHeader::Name(name.chars().take(64).collect()));
        };
        if let Err(invalid) = crate::headers::check(&name, value) {
            return self.fail(invalid);
        }
        if is_own(&name) || name == HeaderName::MaxForwards {
            return self.own(name, value.into());
        }
        match check_text(&name, value) {
            Ok(()) => {}
            Err(InvalidHeader::Malformed(error)) => return self.fail(error),
            Err(invalid) => return self.fail(invalid),
        }
        self.headers.push_or_set(&name, value);
        self
    }

    /// The body and its type, such as `application/sdp`. A type that is none makes [`RequestBuilder::build`] fail.
    pub fn body(mut self, content_type: &str, body: Bytes) -> Self {
        if let Err(error) = ContentType::parse_value(content_type.into()) {
            return self.fail(error);
        }
        self.body = Some((content_type.to_owned(), body));
        self
    }

    /// A header that the builder writes itself, given as text.
    fn own(mut self, name: HeaderName, value: ByteStr) -> Self {
        let read = match name {
            HeaderName::Via => Via::parse_value(value).map(|via| self.vias.push(via)),
            HeaderName::From => From::parse_value(value).map(|From(from)| self.from = Some(from)),
            HeaderName::To => To::parse_value(value).map(|To(to)| self.to = Some(to)),
            HeaderName::CallId => CallId::parse_value(value).map(|CallId(id)| self.call_id = Some(id)),
            HeaderName::MaxForwards => MaxForwards::parse_value(value).map(|hops| self.max_forwards = hops),
            HeaderName::CSeq if self.cseq_is_ours(&value) => {
                CSeq::parse_value(value).map(|cseq| self.cseq = Some(cseq.number))
            }
            name => return self.fail(InvalidHeader::Reserved(name)),
        };
        match read {
            Ok(()) => self,
            Err(error) => self.fail(error),
        }
    }

    fn cseq_is_ours(&self, value: &ByteStr) -> bool {
        CSeq::parse_value(value.clone()).map_or(true, |cseq| cseq.method == self.method)
    }

    fn fail(mut self, error: impl Into<BuildError>) -> Self {
        self.fault.get_or_insert(error.into());
        self
    }

    /// The request.
    ///
    /// # Errors
    ///
    /// [`BuildError`] if a mandatory header is missing, or if any part would not read back.
    pub fn build(self) -> Result<Request, BuildError> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        if !grammar::is_token(self.method.as_str()) {
            return Err(BuildError::Method(self.method.as_str().chars().take(64).collect()));
        }
        let uri = without_headers(Uri::parse(&self.uri.to_string().into())?);
        let missing = |name| move || BuildError::Missing(name);
        let mut headers = Headers::new();
        for via in self.vias {
            headers.push(via);
        }
        headers.push(self.max_forwards);
        headers.push(From(self.from.ok_or_else(missing(HeaderName::From))?));
        headers.push(To(self.to.ok_or_else(missing(HeaderName::To))?));
        let call_id = self.call_id.ok_or_else(missing(HeaderName::CallId))?;
        headers.push_text(&HeaderName::CallId, CallId::read(&call_id)?);
        let number = self.cseq.ok_or_else(missing(HeaderName::CSeq))?;
        headers.push_text(&HeaderName::CSeq, &format!("{number} {}", self.method));
        headers.append(&self.headers);
        let mut core = Core::built(headers).map_err(|error| match error {
            MandatoryError::Missing(name) => BuildError::Missing(name),
            MandatoryError::Invalid(error) => BuildError::Header(error),
        })?;
        if let Some((content_type, body)) = self.body {
            core.set_body(&content_type, body);
        }
        Ok(Request::built(uri, core))
    }

    /// [`RequestBuilder::build`], and the request is valid in every part. One that has no Via yet, which its transaction adds, is taken for
    /// one that has.
    ///
    /// # Errors
    ///
    /// Those of [`RequestBuilder::build`], and [`BuildError::Invalid`].
    pub fn build_strict(self) -> Result<Request, BuildError> {
        let request = self.build()?;
        let mut sent = request.clone();
        if !sent.has_via() {
            sent.push_via(Via::new("UDP", Host::V4(Ipv4Addr::LOCALHOST), None, "z9hG4bK"));
        }
        check_strict(sent.to_bytes())?;
        Ok(request)
    }
}

/// Fails if strict reading refuses the message, whatever its length.
pub(super) fn check_strict(message: Bytes) -> Result<(), BuildError> {
    let most = usize::MAX;
    let limits = Limits {
        max_message: most,
        max_start_line: most,
        max_header_section: most,
        max_headers: most,
        max_header_value: most,
        max_list_items: most,
        max_body: most,
    };
    match Message::parse_strict(message, &limits) {
        Ok(_) => Ok(()),
        Err(error) => Err(BuildError::Invalid(error.kind().clone())),
    }
}

use alloc::borrow::ToOwned;
use alloc::string::String;

use bytes::Bytes;

use super::headers_mut::{check_text, is_own};
use super::request_builder::check_strict;
use super::{BuildError, Request, Response};
use crate::headers::{check, one_line, written};
use crate::{ByteStr, HeaderName, Headers, StatusCode, TypedHeader};

/// Builds the response to a request (RFC 3261 §8.2.6).
///
/// Via, From, To, Call-ID and CSeq are those of the request, as they were written; so are Record-Route in a 101 to 299
/// (RFC 3261 §12.1.1) and Timestamp in a 100 (RFC 3261 §8.2.6.1). None of them can be set here.
///
/// ```
/// use blether_sip_core::{Limits, Message, Response, RetryAfter, StatusCode};
///
/// let datagram = "INVITE sip:bob@biloxi.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
///     From: <sip:a@b>;tag=1\r\nTo: <sip:bob@biloxi.com>\r\nCall-ID: 1@a\r\nCSeq: 1 INVITE\r\n\r\n";
/// let Message::Request(request) = Message::parse(datagram.into(), &Limits::default())? else { unreachable!() };
/// let busy = Response::to_request(&request, StatusCode::BUSY_HERE)
///     .to_tag("8321234356")
///     .header("120".parse::<RetryAfter>()?)
///     .build();
/// assert_eq!((busy.to_tag(), busy.call_id().as_str()), (Some("8321234356"), "1@a"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until `build`"]
pub struct ResponseBuilder {
    status: StatusCode,
    reason: ByteStr,
    request: Request,
    to_tag: Option<String>,
    headers: Headers,
    body: Option<(String, Bytes)>,
}

impl ResponseBuilder {
    pub(super) fn new(request: &Request, status: StatusCode) -> Self {
        ResponseBuilder {
            status,
            reason: ByteStr::from_static(status.reason()),
            request: request.clone(),
            to_tag: None,
            headers: Headers::new(),
            body: None,
        }
    }

    /// The reason phrase, if not the usual one; control characters in it become spaces.
    pub fn reason(mut self, reason: &str) -> Self {
        self.reason = one_line(reason.to_owned());
        self
    }

    /// The tag of the To header if the request has none there, as every response but a 100 must have
    /// (RFC 3261 §8.2.6.2). Characters that no tag has are left out.
    pub fn to_tag(mut self, tag: &str) -> Self {
        self.to_tag = Some(tag.to_owned());
        self
    }

    /// Adds a header; one that is taken from the request is not added, and another that may stand once takes the place of one
    /// that was given before.
    pub fn header<H: TypedHeader>(mut self, header: H) -> Self {
        let value = written(&header);
        if let HeaderName::Extension(name) = H::NAME {
            // A type of the caller's own, which may call itself anything.
            return self.raw(&name, &value);
        }
        let name = H::NAME.canonical();
        if !is_own(&name) {
            self.headers.push_or_set(&name, &value);
        }
        self
    }

    /// [`ResponseBuilder::header`] of a value as text; one that has no proper name, or whose value has a control character or does not read as the
    /// type that the header has here, is not added.
    pub fn raw(mut self, name: &str, value: &str) -> Self {
        if let Some(name) = HeaderName::parse(name)
            && !is_own(&name)
            && check(&name, value).is_ok()
            && check_text(&name, value).is_ok()
        {
            self.headers.push_or_set(&name, value);
        }
        self
    }

    /// The body and its type, such as `application/sdp`.
    pub fn body(mut self, content_type: &str, body: Bytes) -> Self {
        self.body = Some((content_type.to_owned(), body));
        self
    }

    /// The response.
    #[must_use]
    pub fn build(self) -> Response {
        let mut core = self.request.core().for_response(&self.headers, |name| match name {
            HeaderName::Via | HeaderName::From | HeaderName::To | HeaderName::CallId | HeaderName::CSeq => true,
            HeaderName::RecordRoute => (101..=299).contains(&self.status.code()),
            HeaderName::Timestamp => self.status == StatusCode::TRYING,
            _ => false,
        });
        if let Some(tag) = &self.to_tag {
            core.set_to_tag(tag);
        }
        if let Some((content_type, body)) = self.body {
            core.set_body(&content_type, body);
        }
        Response::built(self.status, self.reason, core)
    }

    /// [`ResponseBuilder::build`], and the response is valid in every part; what was copied from the request counts, too.
    ///
    /// # Errors
    ///
    /// [`BuildError::Invalid`] if [`Message::parse_strict`](crate::Message::parse_strict) would refuse it.
    pub fn build_strict(self) -> Result<Response, BuildError> {
        let response = self.build();
        check_strict(response.to_bytes())?;
        Ok(response)
    }
}

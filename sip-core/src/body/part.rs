use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::{Multipart, MultipartError, MultipartLimits};
use crate::{ByteStr, ContentType, HeaderName, Headers, InvalidHeader, Message, Request, Response, grammar};
use crate::{ContentDisposition, Handling};

/// A body with the headers that say what it is: that of a message, or one of a [`Multipart`] (RFC 5621 §3).
///
/// Header and content are slices of what was received. A part that is not changed is written as it came.
///
/// ```
/// use blether_sip_core::body::{Multipart, Part};
/// use blether_sip_core::{ContentDisposition, Handling};
/// use blether_sip_core::ContentType;
///
/// let offer = Part::new(ContentType::sdp(), "v=0\r\n");
/// let isup = Part::new("application/isup;version=ansi".parse()?, &b"\x01\x00"[..])
///     .with_disposition(&ContentDisposition::new("signal").with_handling(Handling::Optional));
/// let both = Multipart::new("mixed", offer).with(isup);
/// let (content_type, body) = both.write();
/// let read = Multipart::parse(&content_type, body)?;
/// assert_eq!(read.parts()[1].content_type().unwrap().params.value("version"), Some("ansi"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Part {
    headers: Headers,
    body: Bytes,
    /// Headers, empty line and body as they were received, if neither was changed since.
    raw: Option<Bytes>,
}

impl Part {
    /// A part of this type, with no other header.
    #[must_use]
    pub fn new(content_type: ContentType, body: impl Into<Bytes>) -> Self {
        let mut headers = Headers::new();
        headers.push(content_type);
        Part { headers, body: body.into(), raw: None }
    }

    pub(super) fn received(headers: Headers, body: Bytes, raw: Bytes) -> Self {
        Part { headers, body, raw: Some(raw) }
    }

    /// The body of a message, request or response, with those headers that describe it.
    #[must_use]
    pub fn of<'a, M>(message: &'a M) -> Self
    where
        Part: From<&'a M>,
    {
        Part::from(message)
    }

    fn of_message(headers: &Headers, body: &Bytes) -> Self {
        let is_about_it =
            |name: &HeaderName| name.as_str().get(..8).is_some_and(|start| start.eq_ignore_ascii_case("Content-"));
        let headers = headers.only(|name| is_about_it(name) && *name != HeaderName::ContentLength);
        Part { headers, body: body.clone(), raw: None }
    }

    /// The same with a Content-Disposition.
    #[must_use]
    pub fn with_disposition(mut self, disposition: &ContentDisposition) -> Self {
        let mut value = String::new();
        grammar::write_text(&mut value, &alloc::format!("{disposition}"));
        self.raw = None;
        self.headers.set_text(&HeaderName::ContentDisposition, &value);
        self
    }

    /// The same with a Content-ID, without its angle brackets: what `cid:` URIs refer to (RFC 2392). What none may have is left out.
    #[must_use]
    pub fn with_id(mut self, id: &str) -> Self {
        let id: String = id.chars().filter(|c| c.is_ascii_graphic() && !matches!(c, '<' | '>')).collect();
        self.raw = None;
        self.headers.set_text(&HeaderName::ContentId, &alloc::format!("<{id}>"));
        self
    }

    /// The same with another header.
    ///
    /// # Errors
    ///
    /// [`InvalidHeader`] if the name is no token, or if the value has a line break or a NUL.
    pub fn with_header(mut self, name: &HeaderName, value: &str) -> Result<Self, InvalidHeader> {
        self.headers.set_raw(name, value)?;
        self.raw = None;
        Ok(self)
    }

    /// Its headers. Of a message, those that describe its body: Content-Type, Content-Disposition, Content-ID and their like.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// What is in it.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Replaces what is in it; the headers stay.
    pub fn set_body(&mut self, body: impl Into<Bytes>) {
        self.body = body.into();
        self.raw = None;
    }

    /// The type; `None` if it is not said or cannot be read.
    #[must_use]
    pub fn content_type(&self) -> Option<ContentType> {
        self.headers.get().ok().flatten()
    }

    /// Whether it is of this type, `application/sdp`, in any case and whatever its parameters are.
    #[must_use]
    pub fn is(&self, essence: &str) -> bool {
        let Some(value) = self.headers.raw(&HeaderName::ContentType) else { return false };
        let (found, _) = value.split_once(';').unwrap_or((value, ""));
        match (found.split_once('/'), essence.split_once('/')) {
            (Some((kind, subtype)), Some((wanted_kind, wanted))) => {
                kind.trim().eq_ignore_ascii_case(wanted_kind) && subtype.trim().eq_ignore_ascii_case(wanted)
            }
            _ => false,
        }
    }

    /// The Content-ID without its angle brackets.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        let value = self.headers.raw(&HeaderName::ContentId)?;
        Some(value.strip_prefix('<').and_then(|id| id.strip_suffix('>')).unwrap_or(value))
    }

    /// The Content-Transfer-Encoding. SIP carries eight bits and does without (RFC 3261 §7.4.1): content that came in `base64` is not decoded here.
    #[must_use]
    pub fn transfer_encoding(&self) -> Option<&str> {
        self.headers.raw(&CONTENT_TRANSFER_ENCODING)
    }

    /// What is to be done with it. If that is not said or cannot be read, `session` for a session description and `render` for all else, and it is
    /// required (RFC 3261 §20.11).
    #[must_use]
    pub fn disposition(&self) -> ContentDisposition {
        let said = self.headers.raw(&HeaderName::ContentDisposition).and_then(|value| value.parse().ok());
        said.unwrap_or_else(|| ContentDisposition::new(if self.is("application/sdp") { "session" } else { "render" }))
    }

    fn multipart_type(&self) -> Option<ContentType> {
        self.content_type().filter(|content_type| content_type.essence().starts_with("multipart/"))
    }

    /// The parts of it; `None` if it has none, since it is not multipart.
    ///
    /// # Errors
    ///
    /// [`MultipartError`], if it says that it is multipart and is not.
    pub fn parts(&self, limits: &MultipartLimits) -> Result<Option<Multipart>, MultipartError> {
        let parts = self.multipart_type().map(|it| Multipart::parse_within(&it, self.body.clone(), limits));
        parts.transpose()
    }

    /// The first part of this type: this one, or one within it, in the order they stand; of a `multipart/alternative` the last, which is the one
    /// that its sender likes best (RFC 2046 §5.1.4).
    ///
    /// # Errors
    ///
    /// [`MultipartError`], if a multipart body that stands before it cannot be read.
    pub fn find(&self, essence: &str) -> Result<Option<Part>, MultipartError> {
        self.find_where(&|part| part.is(essence), &MultipartLimits::default())
    }

    /// The first part that `is_wanted`, as [`Part::find`] finds one.
    ///
    /// # Errors
    ///
    /// As [`Part::find`].
    pub fn find_where(
        &self,
        is_wanted: &dyn Fn(&Part) -> bool,
        limits: &MultipartLimits,
    ) -> Result<Option<Part>, MultipartError> {
        if is_wanted(self) {
            return Ok(Some(self.clone()));
        }
        let Some(inner) = self.parts(limits)? else { return Ok(None) };
        let limits = limits.deeper()?;
        let alternative = self.is("multipart/alternative");
        let count = inner.parts().len();
        for index in 0..count {
            let part = inner.parts().get(if alternative { count - 1 - index } else { index });
            if let Some(found) = part.map(|part| part.find_where(is_wanted, &limits)).transpose()?.flatten() {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The part for whose sake a request is to be refused with 415, if there is one: required, and neither multipart nor one that `is_known`
    /// (RFC 5621 §8.4).
    ///
    /// What stands in an optional multipart body does not count, since that may be left aside as a whole (§8.2). Of alternatives one must be
    /// known, whatever each of them says (§8.3).
    ///
    /// # Errors
    ///
    /// [`MultipartError`], if a required multipart body cannot be read.
    pub fn unsupported(
        &self,
        is_known: &dyn Fn(&Part) -> bool,
        limits: &MultipartLimits,
    ) -> Result<Option<Part>, MultipartError> {
        if self.body.is_empty() || !self.disposition().is_required() {
            return Ok(None);
        }
        let Some(inner) = self.parts(limits)? else { return Ok((!is_known(self)).then(|| self.clone())) };
        let limits = limits.deeper()?;
        if self.is("multipart/alternative") {
            for part in inner.parts() {
                let required = ContentDisposition::new("render").with_handling(Handling::Required);
                if part.clone().with_disposition(&required).unsupported(is_known, &limits)?.is_none() {
                    return Ok(None);
                }
            }
            return Ok(Some(self.clone()));
        }
        for part in inner.parts() {
            if let Some(found) = part.unsupported(is_known, &limits)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Headers, empty line and content.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        if let Some(raw) = &self.raw {
            return out.extend_from_slice(raw);
        }
        // By their whole names: MIME has no compact ones.
        for (name, value) in self.headers.iter() {
            for piece in [name.as_str(), ": ", value, "\r\n"] {
                out.extend_from_slice(piece.as_bytes());
            }
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.body);
    }
}

static CONTENT_TRANSFER_ENCODING: HeaderName = HeaderName::Extension(ByteStr::from_static("Content-Transfer-Encoding"));

impl From<&Message> for Part {
    fn from(message: &Message) -> Self {
        Part::of_message(message.headers(), message.body())
    }
}

impl From<&Request> for Part {
    fn from(request: &Request) -> Self {
        Part::of_message(request.headers(), request.body())
    }
}

impl From<&Response> for Part {
    fn from(response: &Response) -> Self {
        Part::of_message(response.headers(), response.body())
    }
}

mod delimiter;
mod error;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use bytes::Bytes;
use memchr::memmem;

use super::{Part, header_section};
use crate::parse::ParseErrorKind;
use crate::{ContentType, Limits, grammar};
use delimiter::{MAX_BOUNDARY, content_end, delimiters, free_boundary, is_boundary};

pub use error::MultipartError;

/// Several bodies in one (RFC 2046 §5.1, RFC 5621 §4): `multipart/mixed`, `multipart/related`, `multipart/alternative`.
///
/// What was read and not changed is written byte for byte as it came, with what stands before and behind the parts. There is always at least one part.
///
/// A delimiter is a line that is `--`, the boundary and white space, as RFC 2046 §5.1.1 has it; a line that only begins so is content. Lines may
/// end with LF alone, and the last delimiter may be missing ([`Multipart::is_closed`]): what stands there cannot mean anything else.
///
/// ```
/// use blether_sip_core::ContentType;
/// use blether_sip_core::body::{Multipart, Part};
///
/// let content_type: ContentType = "multipart/mixed;boundary=next".parse()?;
/// let body = "--next\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--next--\r\n";
/// let mut read = Multipart::parse(&content_type, body.into())?;
/// assert_eq!(read.parts()[0].body(), "v=0\r\n");
/// read.push(Part::new("application/isup;version=ansi".parse()?, &b"\x01\x00"[..]));
/// let (content_type, body) = read.write();
/// assert_eq!(Multipart::parse(&content_type, body)?.parts().len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Multipart {
    /// The type without its boundary.
    content_type: ContentType,
    boundary: Option<String>,
    preamble: Bytes,
    parts: Vec<Part>,
    epilogue: Bytes,
    closed: bool,
    /// The body and its type as they were received, if nothing was changed since.
    received: Option<(ContentType, Bytes)>,
}

/// How much of a stranger's multipart body is read.
///
/// ```
/// use blether_sip_core::body::{Multipart, MultipartError, MultipartLimits};
///
/// let limits = MultipartLimits { max_parts: 1, ..MultipartLimits::default() };
/// let body = "--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\n";
/// let read = Multipart::parse_within(&"multipart/mixed;boundary=b".parse()?, body.into(), &limits);
/// assert_eq!(read.err(), Some(MultipartError::TooManyParts { limit: 1 }));
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MultipartLimits {
    /// Parts of one body. 64: the longest seen in practice has five.
    pub max_parts: usize,
    /// How deep multipart bodies stand in one another. 4: SIP needs two (RFC 5621 §4.2).
    pub max_depth: usize,
    /// Headers of one part. 32.
    pub max_headers: usize,
    /// Bytes of the headers of one part. 8,192.
    pub max_header_section: usize,
}

impl Default for MultipartLimits {
    fn default() -> Self {
        MultipartLimits { max_parts: 64, max_depth: 4, max_headers: 32, max_header_section: 8_192 }
    }
}

impl MultipartLimits {
    /// What is allowed within a part.
    pub(super) fn deeper(&self) -> Result<MultipartLimits, MultipartError> {
        let max_depth = self.max_depth.checked_sub(1).ok_or(MultipartError::TooDeep)?;
        Ok(MultipartLimits { max_depth, ..self.clone() })
    }
}

impl Multipart {
    /// A body with one part; `subtype` is `mixed`, `related` or `alternative`, and `mixed` if it is no token.
    #[must_use]
    pub fn new(subtype: &str, first: Part) -> Self {
        let mut essence = String::from("multipart/");
        grammar::write_token(&mut essence, subtype, "mixed");
        Multipart {
            content_type: ContentType::of(&essence),
            boundary: None,
            preamble: Bytes::new(),
            parts: alloc::vec![first],
            epilogue: Bytes::new(),
            closed: true,
            received: None,
        }
    }

    /// The same with another part behind the others.
    #[must_use]
    pub fn with(mut self, part: Part) -> Self {
        self.push(part);
        self
    }

    /// Reads a body of this type without copying it.
    ///
    /// # Errors
    ///
    /// [`MultipartError`].
    pub fn parse(content_type: &ContentType, body: Bytes) -> Result<Self, MultipartError> {
        Multipart::parse_within(content_type, body, &MultipartLimits::default())
    }

    /// [`Multipart::parse`] with other limits.
    ///
    /// # Errors
    ///
    /// As [`Multipart::parse`].
    pub fn parse_within(
        content_type: &ContentType,
        body: Bytes,
        limits: &MultipartLimits,
    ) -> Result<Self, MultipartError> {
        if !content_type.essence().starts_with("multipart/") {
            return Err(MultipartError::NotMultipart);
        }
        if limits.max_depth == 0 {
            return Err(MultipartError::TooDeep);
        }
        let boundary = content_type.params.value("boundary").unwrap_or_default().trim_end();
        if !(1..=MAX_BOUNDARY).contains(&boundary.len()) || boundary.contains(|c: char| c.is_control()) {
            return Err(MultipartError::NoBoundary);
        }
        let slice = |range: Range<usize>| if range.is_empty() { Bytes::new() } else { body.slice(range) };
        let dashed = format!("--{boundary}");
        let (mut parts, mut preamble, mut epilogue, mut start) = (Vec::new(), Bytes::new(), Bytes::new(), None);
        for delimiter in delimiters(&body, dashed.as_bytes()) {
            let end = content_end(&body, delimiter.start);
            match start {
                None => preamble = slice(0..end),
                Some(start) => parts.push(slice(start..end.max(start))),
            }
            start = Some(delimiter.end);
            if delimiter.is_last {
                epilogue = slice(delimiter.end..body.len());
                start = None;
                break;
            }
            if parts.len() >= limits.max_parts {
                return Err(MultipartError::TooManyParts { limit: limits.max_parts });
            }
        }
        let closed = start.is_none();
        parts.extend(start.map(|start| slice(start..body.len())));
        if parts.is_empty() {
            return Err(MultipartError::NoPart);
        }
        let numbered = parts.into_iter().enumerate();
        let read = |(index, raw)| part(raw, limits).map_err(|kind| MultipartError::Headers { part: index + 1, kind });
        let parts = numbered.map(read).collect::<Result<_, _>>()?;
        let mut bare = content_type.clone();
        bare.params.remove("boundary");
        let boundary = Some(String::from(boundary));
        let received = Some((content_type.clone(), body));
        Ok(Multipart { content_type: bare, boundary, preamble, parts, epilogue, closed, received })
    }

    /// The parts in order, at least one.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The parts, to be changed. Those that are not stay as they came.
    pub fn parts_mut(&mut self) -> &mut [Part] {
        self.received = None;
        &mut self.parts
    }

    /// Adds a part behind the others.
    pub fn push(&mut self, part: Part) {
        self.received = None;
        self.parts.push(part);
    }

    /// Takes a part out; `None` if there is none of this index, or if it is the only one.
    pub fn remove(&mut self, index: usize) -> Option<Part> {
        if self.parts.len() < 2 || index >= self.parts.len() {
            return None;
        }
        self.received = None;
        Some(self.parts.remove(index))
    }

    /// What stands before the first part, for those who do not know multipart bodies.
    #[must_use]
    pub fn preamble(&self) -> &Bytes {
        &self.preamble
    }

    /// What stands behind the last delimiter, with the line break that ends it.
    #[must_use]
    pub fn epilogue(&self) -> &Bytes {
        &self.epilogue
    }

    /// Whether the last delimiter was there when it was received. If not, the last part is what remained.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// The part whose Content-ID this is, without angle brackets, as `cid:` URIs name it (RFC 2392).
    #[must_use]
    pub fn by_id(&self, id: &str) -> Option<&Part> {
        self.parts.iter().find(|part| part.id() == Some(id))
    }

    /// The root of a `multipart/related`: the part that its parameter `start` names, or the first (RFC 2387 §3.2).
    #[must_use]
    pub fn root(&self) -> Option<&Part> {
        let start = self.content_type.params.value("start").map(|id| id.trim_matches(['<', '>']));
        start.and_then(|id| self.by_id(id)).or(self.parts.first())
    }

    /// The type with its boundary, and the body.
    ///
    /// The boundary is the one that was received, as long as no part contains it. Another one is computed from the parts, so it is the same for the
    /// same parts, and is made sure not to occur in any of them.
    #[must_use]
    pub fn write(&self) -> (ContentType, Bytes) {
        if let Some((content_type, body)) = &self.received {
            return (content_type.clone(), body.clone());
        }
        let parts: Vec<Vec<u8>> = self.parts.iter().map(written).collect();
        let others = [self.preamble.as_ref(), self.epilogue.as_ref()];
        let texts = || parts.iter().map(Vec::as_slice).chain(others);
        let is_free = |boundary: &str| {
            let dashed = format!("--{boundary}");
            texts().all(|text| memmem::find(text, dashed.as_bytes()).is_none())
        };
        let kept = self.boundary.as_deref().filter(|boundary| is_boundary(boundary) && is_free(boundary));
        let boundary = kept.map_or_else(|| free_boundary(texts, is_free), String::from);
        let mut body = Vec::with_capacity(texts().map(<[u8]>::len).sum::<usize>() + (parts.len() + 1) * 80);
        if !self.preamble.is_empty() {
            body.extend_from_slice(&self.preamble);
            body.extend_from_slice(b"\r\n");
        }
        for part in &parts {
            for piece in [b"--", boundary.as_bytes(), b"\r\n", part, b"\r\n"] {
                body.extend_from_slice(piece);
            }
        }
        for piece in [b"--", boundary.as_bytes(), b"--\r\n", self.epilogue.as_ref()] {
            body.extend_from_slice(piece);
        }
        let mut content_type = self.content_type.clone();
        if grammar::is_token(&boundary) {
            content_type.params.set("boundary", Some(&boundary));
        } else {
            content_type.params.set_quoted("boundary", &boundary);
        }
        (content_type, body.into())
    }
}

fn written(part: &Part) -> Vec<u8> {
    let mut text = Vec::with_capacity(part.body().len() + 128);
    part.write(&mut text);
    text
}

fn part(raw: Bytes, limits: &MultipartLimits) -> Result<Part, ParseErrorKind> {
    let MultipartLimits { max_headers, max_header_section, .. } = *limits;
    let limits = Limits { max_headers, max_header_section, max_header_value: max_header_section, ..Limits::default() };
    let (headers, body_start) = header_section::read(&raw, &limits)?;
    Ok(Part::received(headers, raw.slice(body_start..), raw))
}

#[cfg(test)]
mod tests;

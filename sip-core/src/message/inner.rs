use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use bytes::Bytes;
use memchr::memchr;

use crate::header::{AddressPart, Code, ContentLength, ContentType, KNOWN, To};
use crate::headers::{Row, narrow, written};
use crate::lazy::Lazy;
use crate::{
    Anomaly, ByteStr, CSeq, CallId, HeaderError, HeaderName, Headers, Host, MaxForwards, Method, NameAddr, Params,
    TypedHeader, Uri, Via, class, grammar,
};

/// The headers and the body of a message, whose mandatory headers were checked and become values when asked for.
#[derive(Clone)]
pub(crate) struct Core {
    headers: Headers,
    body: Bytes,
    /// The topmost Via; `None` if the message has none.
    via: Lazy<Option<Via>>,
    from: Lazy<NameAddr>,
    to: Lazy<NameAddr>,
    call_id: Lazy<ByteStr>,
    cseq: CSeq,
    /// How many bytes of line breaks came before the message.
    before: u32,
    /// How many of the bytes that were received from its start line on are the message.
    end: u32,
    /// Whether nothing was changed since it was received.
    untouched: bool,
}

/// A mandatory header that is not there or not right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MandatoryError {
    Missing(HeaderName),
    Invalid(HeaderError),
}

impl core::convert::From<HeaderError> for MandatoryError {
    fn from(error: HeaderError) -> Self {
        MandatoryError::Invalid(error)
    }
}

/// What `via()` gives for a message that has none. Its name is one that nothing answers to (RFC 2606 §2).
static NO_VIA: Via = Via {
    transport: ByteStr::from_static("UDP"),
    host: Host::Name(ByteStr::from_static("unsent.invalid")),
    port: None,
    params: Params::new(),
};

/// What the address of a header reads as that is none, which no message has.
static NO_ADDRESS: NameAddr =
    NameAddr { display_name: None, uri: Uri::Other(ByteStr::from_static("invalid:uri")), params: Params::new() };

/// Headers that every message has and which the message keeps in step with its own values.
pub(crate) fn is_mandatory(name: &HeaderName) -> bool {
    let name = name.code().name();
    matches!(name, Some(HeaderName::From | HeaderName::To | HeaderName::CallId | HeaderName::CSeq))
}

/// Headers whose mandatory ones are there, once where they may stand once, and valid.
pub(crate) struct Checked {
    pub(crate) cseq: CSeq,
    pub(crate) has_via: bool,
    pub(crate) content_length: Option<usize>,
}

/// Where the headers stand that have a code.
struct Index<'a> {
    headers: &'a Headers,
    /// The start of the message, if all rows are as they were received and it is UTF-8.
    text: Option<&'a str>,
    /// The row of the first, counted from 1.
    first: [u32; KNOWN],
    repeated: [bool; KNOWN],
}

impl<'a> Index<'a> {
    fn new(headers: &'a Headers, text: Option<&'a str>) -> Self {
        let mut index = Index { headers, text, first: [0; KNOWN], repeated: [false; KNOWN] };
        for (row, count) in headers.rows().iter().zip(1..) {
            let code = row.name.index();
            match index.first.get_mut(code) {
                Some(first @ 0) => *first = count,
                Some(_) => {
                    if let Some(repeated) = index.repeated.get_mut(code) {
                        *repeated = true;
                    }
                }
                None => {}
            }
        }
        index
    }

    #[inline]
    fn row(&self, code: Code) -> Option<&'a Row> {
        let first = *self.first.get(code.index())?;
        self.headers.rows().get((first as usize).checked_sub(1)?)
    }

    /// The value of a header that may stand once.
    #[inline]
    fn once(&self, name: &'static HeaderName) -> Result<Option<&'a str>, HeaderError> {
        let code = name.code();
        if self.repeated.get(code.index()) == Some(&true) {
            return Err(HeaderError::Repeated { header: name.clone() });
        }
        Ok(self.row(code).map(|row| self.value(row)))
    }

    /// The value of a header that must stand once.
    #[inline]
    fn mandatory(&self, name: &'static HeaderName) -> Result<&'a str, MandatoryError> {
        self.once(name)?.ok_or_else(|| MandatoryError::Missing(name.clone()))
    }

    #[inline]
    fn value(&self, row: &Row) -> &'a str {
        match self.text {
            Some(text) => text.get(row.value as usize..row.value_end as usize).unwrap_or_default(),
            None => self.headers.value(row),
        }
    }

    /// The first of the values of a list header; [`HeaderError::TooManyValues`] if there are more than the limits allow.
    fn first_item(&self, name: &'static HeaderName) -> Result<Option<&'a str>, HeaderError> {
        let code = name.code();
        let Some(row) = self.row(code) else { return Ok(None) };
        let value = self.value(row);
        if self.repeated.get(code.index()) == Some(&true) || memchr(b',', value.as_bytes()).is_some() {
            self.headers.check_length(name)?;
            return Ok(self.headers.first_value(name));
        }
        Ok(Some(class::trim_wsp(value)).filter(|item| !item.is_empty()))
    }
}

impl Checked {
    /// Checks the mandatory headers, and that those which may stand once do. A Via may be missing.
    ///
    /// `text` is the start of the message, if all rows are as they were received and it is UTF-8.
    pub(crate) fn new(headers: &Headers, text: Option<&str>) -> Result<Checked, MandatoryError> {
        let index = Index::new(headers, text);
        let content_length = index.once(&HeaderName::ContentLength)?.map(ContentLength::read).transpose()?;
        let via = index.first_item(&HeaderName::Via)?;
        via.map(Via::check).transpose()?;
        CallId::read(index.mandatory(&HeaderName::CallId)?)?;
        let cseq = index.mandatory(&HeaderName::CSeq)?;
        let (number, method) = CSeq::read(cseq)?;
        let extension = || Method::Extension(headers.received().share(method));
        let cseq = CSeq { number, method: Method::known(method).unwrap_or_else(extension) };
        AddressPart::read(index.mandatory(&HeaderName::From)?, HeaderName::From)?;
        AddressPart::read(index.mandatory(&HeaderName::To)?, HeaderName::To)?;
        index.once(&HeaderName::MaxForwards)?.map(MaxForwards::read).transpose()?;
        let content_length = content_length.map(|ContentLength(length)| length);
        Ok(Checked { cseq, has_via: via.is_some(), content_length })
    }
}

impl Core {
    /// A message of headers that were checked, and of a body that is this range of what was received
    /// after line breaks of so many bytes.
    #[inline]
    pub(crate) fn received(headers: Headers, cseq: CSeq, before: usize, body: Range<usize>) -> Core {
        let end = narrow(body.end);
        let body = if body.is_empty() { Bytes::new() } else { headers.received().bytes().slice(body) };
        Core { before: narrow(before), end, untouched: true, ..Core::of(headers, cseq, body) }
    }

    #[inline]
    fn of(headers: Headers, cseq: CSeq, body: Bytes) -> Core {
        let (via, from, to, call_id) = (Lazy::new(), Lazy::new(), Lazy::new(), Lazy::new());
        Core { headers, body, via, from, to, call_id, cseq, before: 0, end: 0, untouched: false }
    }

    /// A message that was built, if its mandatory headers are right.
    pub(crate) fn built(headers: Headers) -> Result<Core, MandatoryError> {
        let Checked { cseq, .. } = Checked::new(&headers, None)?;
        let mut core = Core::of(headers, cseq, Bytes::new());
        core.write_content_length();
        Ok(core)
    }

    /// What a response has in common with this request: the mandatory headers and the rows to keep, and no body.
    pub(crate) fn for_response(&self, more: &Headers, keep: impl Fn(&HeaderName) -> bool) -> Core {
        let mut headers = self.headers.only(keep);
        headers.append(more);
        let mut core = Core::of(headers, self.cseq.clone(), Bytes::new());
        core.write_content_length();
        core
    }

    pub(crate) fn headers(&self) -> &Headers {
        &self.headers
    }

    pub(crate) fn via(&self) -> &Via {
        self.top_via().unwrap_or(&NO_VIA)
    }

    /// The topmost Via; one that is malformed, which was below the top before, reads as none.
    fn top_via(&self) -> Option<&Via> {
        let read = |value: &str, whole: &ByteStr| Via::read(grammar::list(value).next()?, whole).ok();
        self.via.get_or_make(|| self.headers.read_first(&HeaderName::Via, read)).as_ref()
    }

    pub(crate) fn has_via(&self) -> bool {
        self.top_via().is_some()
    }

    pub(crate) fn from(&self) -> &NameAddr {
        self.from.get_or_make(|| self.address(HeaderName::From))
    }

    pub(crate) fn to(&self) -> &NameAddr {
        self.to.get_or_make(|| self.address(HeaderName::To))
    }

    /// The tag of a mandatory address, without making a value of the rest. One in quotes with backslashes is a value.
    fn tag<'a>(&'a self, name: &HeaderName, address: impl FnOnce() -> &'a NameAddr) -> Option<&'a str> {
        let tag = AddressPart::tag_of(self.headers.raw(name)?)?;
        if tag.contains('\\') { address().tag() } else { Some(tag) }
    }

    pub(crate) fn tag_of_from(&self) -> Option<&str> {
        self.tag(&HeaderName::From, || self.from())
    }

    pub(crate) fn tag_of_to(&self) -> Option<&str> {
        self.tag(&HeaderName::To, || self.to())
    }

    /// A mandatory address, which was found to be valid when it was received or set.
    fn address(&self, name: HeaderName) -> NameAddr {
        let read = |value: &str, whole: &ByteStr| {
            AddressPart::read(value, HeaderName::From).ok().map(|part| part.to_address(whole))
        };
        self.headers.read(&name, read).flatten().unwrap_or_else(|| NO_ADDRESS.clone())
    }

    pub(crate) fn call_id(&self) -> &ByteStr {
        self.call_id.get_or_make(|| {
            let read = |value: &str, whole: &ByteStr| CallId::read(value).map(|id| whole.share(id)).ok();
            self.headers.read(&HeaderName::CallId, read).flatten().unwrap_or_default()
        })
    }

    pub(crate) fn cseq(&self) -> &CSeq {
        &self.cseq
    }

    pub(crate) fn body(&self) -> &Bytes {
        &self.body
    }

    /// The bytes that were received, if nothing was changed.
    pub(crate) fn untouched(&self) -> Option<Bytes> {
        let (end, received) = (self.end as usize, self.headers.received());
        (self.untouched && end <= received.as_bytes().len()).then(|| received.bytes().slice(..end))
    }

    /// What was received and is not as it should be.
    pub(crate) fn anomalies(&self) -> Vec<Anomaly> {
        crate::parse::anomalies(&self.headers, self.before as usize, self.end as usize)
    }

    /// A part of what was received, sharing its memory.
    pub(crate) fn received_part(&self, range: Range<u32>) -> ByteStr {
        self.headers.received().share(self.received_text(range))
    }

    /// A part of what was received.
    pub(crate) fn received_text(&self, range: Range<u32>) -> &str {
        let bytes = self.headers.received().as_bytes().get(range.start as usize..range.end as usize);
        bytes.and_then(|bytes| core::str::from_utf8(bytes).ok()).unwrap_or_default()
    }

    /// The headers to be changed; from here on the message is written anew, with a Content-Length.
    pub(crate) fn edit(&mut self) -> &mut Headers {
        self.touch();
        &mut self.headers
    }

    pub(crate) fn touch(&mut self) {
        if core::mem::take(&mut self.untouched) && !self.headers.has(&HeaderName::ContentLength) {
            self.write_content_length();
        }
    }

    fn write_content_length(&mut self) {
        // One that is right stays as it was written.
        if !matches!(self.headers.get::<ContentLength>(), Ok(Some(ContentLength(length))) if length == self.body.len())
        {
            self.headers.set(ContentLength(self.body.len()));
        }
    }

    pub(crate) fn set_body(&mut self, content_type: &str, body: Bytes) {
        self.touch();
        self.body = body;
        if self.body.is_empty() && content_type.is_empty() {
            self.headers.remove(&HeaderName::ContentType);
        } else {
            let content_type = match content_type.parse::<ContentType>() {
                Ok(_) => content_type,
                Err(_) => "application/octet-stream",
            };
            self.headers.set_text(&HeaderName::ContentType, content_type);
        }
        self.write_content_length();
    }

    pub(crate) fn push_via(&mut self, via: Via) {
        self.edit().push_front(via);
        self.refresh_via();
    }

    pub(crate) fn set_top_via(&mut self, via: &Via) {
        self.edit().replace_first_item(Some(via));
        self.refresh_via();
    }

    pub(crate) fn pop_via(&mut self) -> Option<Via> {
        let top = self.top_via()?.clone();
        self.edit().replace_first_item::<Via>(None);
        self.refresh_via();
        Some(top)
    }

    /// Lets the topmost Via be read again.
    pub(crate) fn refresh_via(&mut self) {
        self.via = Lazy::new();
    }

    /// Sets the number of the CSeq; the method stays.
    pub(crate) fn set_cseq(&mut self, number: u32) {
        let cseq = CSeq { number: number.min(i32::MAX.unsigned_abs()), method: self.cseq.method.clone() };
        self.cseq = cseq.clone();
        self.edit().set(cseq);
    }

    /// Adds a tag to a To that has none; what follows in it stays as it was written.
    pub(crate) fn set_to_tag(&mut self, tag: &str) {
        let mut value = String::from(self.headers.raw(&HeaderName::To).unwrap_or_default());
        if let Some(To(to)) =
            self.headers.get::<To>().ok().flatten().filter(|To(to)| to.params.get("tag") == Some(None))
        {
            // A `tag` without a value, which would hide another behind it.
            self.set_mandatory(&HeaderName::To, &To(to.with_tag(tag)));
            return;
        }
        let has_tag = AddressPart::read(&value, HeaderName::To).map_or(true, |to| to.has_tag());
        value.push_str(";tag=");
        let before = value.len();
        grammar::write_token(&mut value, tag, "");
        if has_tag || value.len() == before || AddressPart::read(&value, HeaderName::To).is_err() {
            return;
        }
        self.edit().set_text(&HeaderName::To, &value);
        self.to = Lazy::new();
    }

    /// Sets one of From, To, Call-ID and CSeq, if it reads as one.
    pub(crate) fn set_mandatory<H: TypedHeader>(&mut self, name: &HeaderName, header: &H) {
        let value = written(header);
        let valid = match name {
            HeaderName::From => AddressPart::read(&value, HeaderName::From).is_ok(),
            HeaderName::To => AddressPart::read(&value, HeaderName::To).is_ok(),
            HeaderName::CallId => CallId::read(&value).is_ok(),
            // The method stays that of the request.
            HeaderName::CSeq => match CSeq::read(&value) {
                Ok((number, method)) if method == self.cseq.method.as_str() => return self.set_cseq(number),
                _ => false,
            },
            _ => false,
        };
        if valid {
            self.edit().set_text(name, &value);
            (self.from, self.to, self.call_id) = (Lazy::new(), Lazy::new(), Lazy::new());
        }
    }

    /// How many bytes [`Core::write`] writes.
    pub(crate) fn written_len(&self) -> usize {
        self.headers.written_len() + 2 + self.body.len()
    }

    /// Writes the first bytes that were received: the start line.
    pub(crate) fn write_received(&self, out: &mut Vec<u8>, len: usize) {
        out.extend_from_slice(self.headers.received().as_bytes().get(..len).unwrap_or_default());
    }

    /// Writes the message after its start line.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        self.headers.write(out);
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.body);
    }
}

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use bytes::Bytes;
use memchr::memchr;

use crate::header::{AddressPart, Code, ContentLength, ContentType, To};
use crate::headers::{Place, Row, narrow, written};
use crate::lazy::Lazy;
use crate::ordinary::{self, HopSpans, Span};
use crate::{
    Anomaly, ByteStr, CSeq, CallId, HeaderError, HeaderName, Headers, Host, MaxForwards, Method, NameAddr, Params,
    TypedHeader, Uri, Via, grammar,
};

/// The headers and the body of a message, whose mandatory headers were checked and become values when asked for.
#[derive(Clone)]
pub(crate) struct Core {
    headers: Headers,
    body: Bytes,
    /// Where the topmost Via stands, if it was received.
    hop: Hop,
    /// The topmost Via; `None` if the message has none.
    via: Lazy<Option<Via>>,
    from: Lazy<Box<NameAddr>>,
    to: Lazy<Box<NameAddr>>,
    from_tag: Tag,
    to_tag: Tag,
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
    pub(crate) hop: Hop,
    pub(crate) content_length: Option<usize>,
    from_tag: Tag,
    to_tag: Tag,
}

/// The headers that are checked, in the order in which their errors count.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Slot {
    ContentLength,
    Via,
    CallId,
    CSeq,
    From,
    To,
    MaxForwards,
    /// All others.
    Other,
}

const SLOTS: usize = Slot::Other as usize + 1;

/// The slots of all codes.
static SLOT_OF: [Slot; 256] = {
    let mut slots = [Slot::Other; 256];
    #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
    {
        slots[Code::CONTENT_LENGTH.index()] = Slot::ContentLength;
        slots[Code::VIA.index()] = Slot::Via;
        slots[Code::CALL_ID.index()] = Slot::CallId;
        slots[Code::CSEQ.index()] = Slot::CSeq;
        slots[Code::FROM.index()] = Slot::From;
        slots[Code::TO.index()] = Slot::To;
        slots[Code::MAX_FORWARDS.index()] = Slot::MaxForwards;
    }
    slots
};

/// Where the headers stand that are checked.
#[derive(Default)]
pub(crate) struct Marks {
    /// The row of the first, counted from 1.
    first: [u32; SLOTS],
    /// A bit for each that stands again.
    repeated: u8,
}

impl Marks {
    /// Notes the row that is counted as `count`.
    #[inline(always)]
    pub(crate) fn note(&mut self, name: Code, count: u32) {
        let slot = SLOT_OF.get(name.index()).copied().unwrap_or(Slot::Other) as usize;
        if let Some(first) = self.first.get_mut(slot) {
            self.repeated |= u8::from(*first != 0) << slot;
            *first = if *first == 0 { count } else { *first };
        }
    }
}

/// The headers that are checked.
struct Index<'a> {
    headers: &'a Headers,
    marks: &'a Marks,
}

impl<'a> Index<'a> {
    #[inline]
    fn row(&self, slot: Slot) -> Option<&'a Row> {
        let first = *self.marks.first.get(slot as usize)?;
        self.headers.rows().get((first as usize).checked_sub(1)?)
    }

    #[inline]
    fn is_repeated(&self, slot: Slot) -> bool {
        self.marks.repeated >> slot as u8 & 1 != 0
    }

    /// The row of a header that may stand once.
    #[inline]
    fn once(&self, slot: Slot, name: &HeaderName) -> Result<Option<&'a Row>, HeaderError> {
        if self.is_repeated(slot) {
            return Err(HeaderError::Repeated { header: name.clone() });
        }
        Ok(self.row(slot))
    }

    /// The row of a header that must stand once.
    #[inline]
    fn mandatory(&self, slot: Slot, name: &HeaderName) -> Result<&'a Row, MandatoryError> {
        self.once(slot, name)?.ok_or_else(|| MandatoryError::Missing(name.clone()))
    }

    /// Checks the first of the Vias, if there is one; [`HeaderError::TooManyValues`] if there are more than the limits allow.
    #[inline(always)]
    fn check_via(&self) -> Result<Hop, HeaderError> {
        let Some(row) = self.row(Slot::Via) else { return Ok(Hop::None) };
        let value = self.headers.value_bytes(row);
        let is_alone = !self.is_repeated(Slot::Via);
        if let Some((hop, end)) = ordinary::hop(value, 0) {
            if !is_alone || end < value.len() {
                self.headers.check_length(&HeaderName::Via)?;
            }
            return Ok(if row.place == Place::Received { Hop::At(row.value, hop) } else { Hop::Unknown });
        }
        if !is_alone || memchr(b',', value).is_some() {
            self.headers.check_length(&HeaderName::Via)?;
        }
        self.headers.first_value(&HeaderName::Via).map_or(Ok(Hop::None), |via| Via::check(via).map(|()| Hop::Unknown))
    }

    /// Checks a mandatory address; where its tag stands in what was received, if that is known.
    #[inline(always)]
    fn check_address(&self, slot: Slot, name: &HeaderName) -> Result<Tag, MandatoryError> {
        let row = self.mandatory(slot, name)?;
        if let Some(tag) = ordinary::tag_in_address(self.headers.value_bytes(row)) {
            return Ok(match (row.place, tag) {
                (Place::Received, Some(tag)) => Tag::At(row.value, tag),
                (Place::Received, None) => Tag::None,
                _ => Tag::Unknown,
            });
        }
        AddressPart::read(self.headers.value(row), name.clone())?;
        Ok(Tag::Unknown)
    }
}

/// Where the topmost Via stands.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum Hop {
    /// Wherever it is found.
    #[default]
    Unknown,
    None,
    /// In a value that starts at this place of what was received.
    At(u32, HopSpans),
}

/// Where the tag of a mandatory address stands.
#[derive(Debug, Clone, Default)]
pub(crate) enum Tag {
    /// Wherever it is found.
    #[default]
    Unknown,
    None,
    /// A part of a value that starts at this place of what was received.
    At(u32, Span),
}

impl Checked {
    /// Checks the mandatory headers, and that those which may stand once do. A Via may be missing.
    ///
    /// `marks` are of the rows of these headers.
    #[inline(always)] // so that what was found is not moved about
    pub(crate) fn new(headers: &Headers, marks: &Marks) -> Result<Checked, MandatoryError> {
        let index = Index { headers, marks };
        let content_length = match index.once(Slot::ContentLength, &HeaderName::ContentLength)? {
            None => None,
            Some(row) => Some(match ordinary::whole_number(headers.value_bytes(row)) {
                Some(length) => length as usize,
                None => ContentLength::read(headers.value(row))?.0,
            }),
        };
        let hop = index.check_via()?;
        let call_id = index.mandatory(Slot::CallId, &HeaderName::CallId)?;
        if !CallId::is_one(headers.value_bytes(call_id)) {
            CallId::read(headers.value(call_id))?;
        }
        let cseq = index.mandatory(Slot::CSeq, &HeaderName::CSeq)?;
        let cseq = match ordinary::cseq(headers.value_bytes(cseq)) {
            Some((number, start)) => {
                let method = headers.value_bytes(cseq).get(start..).unwrap_or_default();
                CSeq {
                    number,
                    method: Method::known_bytes(method).unwrap_or_else(|| headers.extension_method(cseq, method)),
                }
            }
            None => {
                let (number, method) = CSeq::read(headers.value(cseq))?;
                let extension = || headers.extension_method(cseq, method.as_bytes());
                CSeq { number, method: Method::known(method).unwrap_or_else(extension) }
            }
        };
        let from_tag = index.check_address(Slot::From, &HeaderName::From)?;
        let to_tag = index.check_address(Slot::To, &HeaderName::To)?;
        if let Some(row) = index.once(Slot::MaxForwards, &HeaderName::MaxForwards)?
            && ordinary::whole_number(headers.value_bytes(row)).is_none_or(|hops| hops > u32::from(u8::MAX))
        {
            MaxForwards::read(headers.value(row))?;
        }
        Ok(Checked { cseq, hop, content_length, from_tag, to_tag })
    }
}

impl Core {
    /// A message of headers that were checked, and of a body that is this range of what was received
    /// after line breaks of so many bytes.
    #[inline(always)]
    pub(crate) fn received(headers: Headers, checked: Checked, before: usize, body: Range<usize>) -> Core {
        let end = narrow(body.end);
        let body = if body.is_empty() { Bytes::new() } else { headers.received().bytes().slice(body) };
        let Checked { cseq, hop, from_tag, to_tag, .. } = checked;
        let tags = (from_tag, to_tag);
        Core { hop, before: narrow(before), end, untouched: true, ..Core::of(headers, cseq, tags, body) }
    }

    #[inline(always)]
    fn of(headers: Headers, cseq: CSeq, (from_tag, to_tag): (Tag, Tag), body: Bytes) -> Core {
        Core {
            headers,
            body,
            hop: Hop::Unknown,
            via: Lazy::new(),
            from: Lazy::new(),
            to: Lazy::new(),
            from_tag,
            to_tag,
            call_id: Lazy::new(),
            cseq,
            before: 0,
            end: 0,
            untouched: false,
        }
    }

    /// A message that was built, if its mandatory headers are right.
    pub(crate) fn built(headers: Headers) -> Result<Core, MandatoryError> {
        let mut marks = Marks::default();
        headers.rows().iter().zip(1..).for_each(|(row, count)| marks.note(row.name, count));
        let Checked { cseq, from_tag, to_tag, .. } = Checked::new(&headers, &marks)?;
        let mut core = Core::of(headers, cseq, (from_tag, to_tag), Bytes::new());
        core.write_content_length();
        Ok(core)
    }

    /// What a response has in common with this request: the mandatory headers and the rows to keep, and no body.
    pub(crate) fn for_response(&self, more: &Headers, keep: impl Fn(&HeaderName) -> bool) -> Core {
        let mut headers = self.headers.only(keep);
        headers.append(more);
        let tags = (self.from_tag.clone(), self.to_tag.clone());
        let mut core = Core { hop: self.hop, ..Core::of(headers, self.cseq.clone(), tags, Bytes::new()) };
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
        self.via
            .get_or_make(|| {
                if let Hop::At(value, hop) = self.hop {
                    return Some(hop.to_via(self.headers.received(), value as usize));
                }
                let read = |value: &str, whole: &ByteStr| Via::read(grammar::list(value).next()?, whole).ok();
                self.headers.read_first(&HeaderName::Via, read)
            })
            .as_ref()
    }

    pub(crate) fn has_via(&self) -> bool {
        self.top_via().is_some()
    }

    pub(crate) fn from(&self) -> &NameAddr {
        self.from.get_or_make(|| Box::new(self.address(HeaderName::From)))
    }

    pub(crate) fn to(&self) -> &NameAddr {
        self.to.get_or_make(|| Box::new(self.address(HeaderName::To)))
    }

    /// The tag of a mandatory address, without making a value of the rest. One in quotes with backslashes is a value.
    fn tag<'a>(&'a self, tag: &Tag, name: &HeaderName, address: impl FnOnce() -> &'a NameAddr) -> Option<&'a str> {
        match tag {
            Tag::None => None,
            Tag::At(value, tag) => {
                let tag = self.headers.received().as_bytes().get(tag.within(*value as usize))?;
                core::str::from_utf8(tag).ok()
            }
            Tag::Unknown => {
                let tag = AddressPart::tag_of(self.headers.raw(name)?)?;
                if tag.contains('\\') { address().tag() } else { Some(tag) }
            }
        }
    }

    pub(crate) fn tag_of_from(&self) -> Option<&str> {
        self.tag(&self.from_tag, &HeaderName::From, || self.from())
    }

    pub(crate) fn tag_of_to(&self) -> Option<&str> {
        self.tag(&self.to_tag, &HeaderName::To, || self.to())
    }

    /// A mandatory address, which was found to be valid when it was received or set.
    fn address(&self, name: HeaderName) -> NameAddr {
        if let Some(row) = self.headers.first_row(&name).filter(|row| row.place == Place::Received)
            && let Some(address) = ordinary::address(self.headers.value_bytes(row))
        {
            return address.to_address(self.headers.received(), row.value as usize);
        }
        let read = |value: &str, whole: &ByteStr| {
            AddressPart::read(value, HeaderName::From).ok().map(|part| part.to_address(whole))
        };
        self.headers.read(&name, read).flatten().unwrap_or_else(|| NO_ADDRESS.clone())
    }

    pub(crate) fn call_id(&self) -> &ByteStr {
        self.call_id.get_or_make(|| {
            // That it is one word of ASCII was checked.
            if let Some(row) = self.headers.first_row(&HeaderName::CallId).filter(|row| row.place == Place::Received) {
                return self.headers.received().part(row.value as usize..row.value_end as usize);
            }
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
        (self.hop, self.via) = (Hop::Unknown, Lazy::new());
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
        (self.to, self.to_tag) = (Lazy::new(), Tag::Unknown);
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
            (self.from_tag, self.to_tag) = (Tag::Unknown, Tag::Unknown);
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

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use bytes::Bytes;

use super::checked::{Checked, Hop, MandatoryError, Marks, Tag};
use crate::header::{AddressPart, ContentLength, ContentType, To};
use crate::headers::{Place, narrow, written};
use crate::lazy::Lazy;
use crate::ordinary;
use crate::{
    Anomaly, ByteStr, CSeq, CallId, HeaderName, Headers, Host, NameAddr, Params, TypedHeader, Uri, Via, grammar,
};

/// The headers and the body of a message, whose mandatory headers were checked and become values when asked for.
#[derive(Clone)]
pub(crate) struct Core {
    headers: Headers,
    body: Bytes,
    /// Where the topmost Via stands, if it was received.
    pub(super) hop: Hop,
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

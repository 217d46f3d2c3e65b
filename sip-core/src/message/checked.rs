//! The headers that every message has, checked when it is received or built.

use memchr::memchr;

use crate::header::{AddressPart, Code, ContentLength};
use crate::headers::{Place, Row};
use crate::ordinary::{self, HopSpans, Span};
use crate::{CSeq, CallId, HeaderError, HeaderName, Headers, MaxForwards, Method, Via};

/// Headers whose mandatory ones are there, once where they may stand once, and valid.
pub(crate) struct Checked {
    pub(crate) cseq: CSeq,
    pub(crate) hop: Hop,
    pub(crate) content_length: Option<usize>,
    pub(super) from_tag: Tag,
    pub(super) to_tag: Tag,
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
    /// The row of the last, counted from 1.
    last: [u32; SLOTS],
    /// A bit for each that stands there.
    seen: u8,
    /// A bit for each that stands again.
    repeated: u8,
}

impl Marks {
    /// Notes the row that is counted as `count`.
    #[inline(always)]
    pub(crate) fn note(&mut self, name: Code, count: u32) {
        let slot = SLOT_OF.get(name.index()).copied().unwrap_or(Slot::Other) as usize;
        let bit = 1 << slot;
        self.repeated |= self.seen & bit;
        self.seen |= bit;
        if let Some(last) = self.last.get_mut(slot) {
            *last = count;
        }
    }
}

/// The headers that are checked.
struct Index<'a> {
    headers: &'a Headers,
    marks: &'a Marks,
}

impl<'a> Index<'a> {
    /// The last row.
    #[inline]
    fn row(&self, slot: Slot) -> Option<&'a Row> {
        let last = *self.marks.last.get(slot as usize)?;
        self.headers.rows().get((last as usize).checked_sub(1)?)
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
        let is_alone = !self.is_repeated(Slot::Via);
        let row = if is_alone { self.row(Slot::Via) } else { self.headers.first_row(&HeaderName::Via) };
        let Some(row) = row else { return Ok(Hop::None) };
        let value = self.headers.value_bytes(row);
        if let Some((hop, end)) = ordinary::hop(value, 0) {
            if !is_alone || end < value.len() {
                self.headers.check_length(&HeaderName::Via, 0)?;
            }
            return Ok(if row.place == Place::Received { Hop::At(row.value, hop) } else { Hop::Unknown });
        }
        if !is_alone || memchr(b',', value).is_some() {
            self.headers.check_length(&HeaderName::Via, 0)?;
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

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use bytes::Bytes;

use crate::header::Code;
use crate::lazy::Lazy;
use crate::{ByteStr, HeaderError, HeaderName, Limits, Method, Repetition, TypedHeader, class, grammar};

/// The headers of a message, in order (RFC 3261 §7.3).
///
/// Headers that were received are ranges of the received bytes and are written back as they came, with their
/// case, compact names, white space and folding; those that were set are written as `Name: value`. Values are
/// read without folding: a line break with the white space around it reads as one space.
///
/// ```
/// use blether_sip_core::{Expires, HeaderName, Headers, Supported};
///
/// let mut headers = Headers::new();
/// headers.push_raw(&HeaderName::Supported, "path")?;
/// headers.push_raw(&HeaderName::Supported, "timer, 100rel")?;
/// headers.set(Expires(60));
/// assert_eq!(headers.get::<Supported>()?.unwrap().0.len(), 3);
/// assert_eq!(headers.raw(&HeaderName::Expires), Some("60"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Headers {
    /// The datagram that rows are ranges of, from its start line on; not all of it need be UTF-8.
    received: ByteStr,
    /// Lines that were set, and values that read otherwise than they were received.
    written: String,
    /// How long `written` may become before the lines that nothing refers to any more are taken out.
    written_limit: usize,
    rows: Vec<Row>,
    /// The names that have no code, in the order of their rows.
    extensions: Lazy<Box<[HeaderName]>>,
    max_list_items: usize,
}

/// One header: a line, what is its name, and what is its value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// Where the line with its end starts and ends.
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// Where the value starts and ends, which need not be in the same text.
    pub(crate) value: u32,
    pub(crate) value_end: u32,
    /// How long the name is, which the line starts with.
    pub(crate) name_len: u32,
    pub(crate) name: Code,
    pub(crate) place: Place,
    /// Whether it was found to be one line of printable ASCII.
    pub(crate) plain: bool,
}

/// Which text the ranges of a row are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Both of what was received.
    Received,
    /// The line of what was received, the value of what was written: unfolded, or with U+FFFD for what is no UTF-8.
    Restored,
    /// Both of what was written.
    Written,
}

/// A name or a value that cannot stand in a header.
///
/// ```
/// use blether_sip_core::{HeaderName, Headers, InvalidHeader};
///
/// let refused = Headers::new().push_raw(&HeaderName::Subject, "Hello\r\nVia: SIP/2.0/UDP evil.example");
/// assert!(matches!(refused, Err(InvalidHeader::Value { .. })));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHeader {
    /// The value has a line break or a NUL, which would end or hide the header; in a message also any other control character, but a tab and what
    /// a backslash in quotes stands before (RFC 3261 §25.1: `TEXT-UTF8char`, `quoted-pair`).
    #[error("the value of {0} has a line break, a NUL or another control character; take it out")]
    Value(HeaderName),
    /// The name is no token (RFC 3261 §25.1).
    #[error("{0:?} is no header name")]
    Name(String),
    /// The message writes this header itself; there is a method for it.
    #[error("{0} belongs to the message; set it with the message's own method")]
    Reserved(HeaderName),
    /// The header has a type of its own, as which the value does not read.
    #[error(transparent)]
    Malformed(#[from] HeaderError),
}

/// Room for the lines that most edits need: a Via, a Record-Route and a few short ones, in bytes.
const FIRST_EDITS: usize = 320;
/// Room for the rows that most edits add.
const FIRST_ROWS: usize = 4;
/// The least that `written` may have before it is tidied, in bytes.
const LEAST_WRITTEN_LIMIT: usize = 8_192;

/// An index in 32 bits. A text that is longer than those can say is not read beyond.
pub(crate) fn narrow(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

fn range(start: u32, end: u32) -> Range<usize> {
    start as usize..end as usize
}

impl Row {
    #[inline]
    fn line<'a>(&self, received: &'a [u8], written: &'a str) -> &'a [u8] {
        let text = if self.place == Place::Written { written.as_bytes() } else { received };
        text.get(range(self.start, self.end)).unwrap_or_default()
    }

    #[inline]
    fn value<'a>(&self, received: &'a [u8], written: &'a str) -> &'a str {
        let range = range(self.value, self.value_end);
        match self.place {
            Place::Received => received.get(range).and_then(|bytes| core::str::from_utf8(bytes).ok()),
            Place::Restored | Place::Written => written.get(range),
        }
        .unwrap_or_default()
    }
}

/// A name to look for.
struct Wanted<'a> {
    code: Code,
    /// The name itself, if it has no code.
    extension: &'a str,
}

impl<'a> Wanted<'a> {
    #[inline]
    fn new(name: &'a HeaderName) -> Self {
        let code = name.code();
        Wanted { code, extension: if code == Code::EXTENSION { name.as_str() } else { "" } }
    }
}

impl Clone for Headers {
    /// A copy with room for the few rows that a proxy adds, since it is mostly made to be changed.
    fn clone(&self) -> Self {
        let mut rows = Vec::with_capacity(self.rows.len() + FIRST_ROWS);
        rows.extend_from_slice(&self.rows);
        self.with_rows(rows)
    }
}

impl Default for Headers {
    fn default() -> Self {
        Headers::new()
    }
}

impl Headers {
    /// These headers with other rows, which are ranges of the same texts.
    fn with_rows(&self, rows: Vec<Row>) -> Headers {
        Headers {
            received: self.received.clone(),
            written: self.written.clone(),
            written_limit: self.written_limit,
            rows,
            extensions: Lazy::new(),
            max_list_items: self.max_list_items,
        }
    }

    /// No headers.
    #[must_use]
    pub fn new() -> Self {
        Headers::of(Bytes::new(), Vec::new(), Limits::default().max_list_items)
    }

    /// Rows of a message that was received, all of them [`Place::Received`].
    pub(crate) fn of(received: Bytes, rows: Vec<Row>, max_list_items: usize) -> Self {
        let received = ByteStr::whole(received);
        Headers { received, written: String::new(), written_limit: 0, rows, extensions: Lazy::new(), max_list_items }
    }

    /// The datagram that the message came in, from its start line on; empty if it did not come. It need not be UTF-8.
    pub(crate) fn received(&self) -> &ByteStr {
        &self.received
    }

    pub(crate) fn max_list_items(&self) -> usize {
        self.max_list_items
    }

    /// The name of a row.
    pub(crate) fn name(&self, row: &Row) -> HeaderName {
        let extension = || {
            core::str::from_utf8(self.name_of(row)).map_or(UNNAMED.clone(), |name| HeaderName::Extension(name.into()))
        };
        row.name.name().cloned().unwrap_or_else(extension)
    }

    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Makes the values of rows that were received readable: those that are folded, and those that are not UTF-8.
    pub(crate) fn restore(&mut self) {
        for row in self.rows.iter_mut().filter(|row| !row.plain) {
            let Some(bytes) = self.received.as_bytes().get(range(row.value, row.value_end)) else { continue };
            let folded = memchr::memchr(b'\n', bytes).is_some();
            if !folded && core::str::from_utf8(bytes).is_ok() {
                continue;
            }
            let start = self.written.len();
            let text = String::from_utf8_lossy(bytes);
            if folded {
                unfold(&mut self.written, &text)
            } else {
                self.written.push_str(&text)
            }
            (row.place, row.value, row.value_end) = (Place::Restored, narrow(start), narrow(self.written.len()));
        }
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    #[inline(always)]
    fn is(&self, row: &Row, wanted: &Wanted<'_>) -> bool {
        row.name == wanted.code
            && (row.name != Code::EXTENSION || self.name_of(row).eq_ignore_ascii_case(wanted.extension.as_bytes()))
    }

    /// The name as it was written.
    fn name_of(&self, row: &Row) -> &[u8] {
        row.line(self.received.as_bytes(), &self.written).get(..row.name_len as usize).unwrap_or_default()
    }

    fn rows_of<'a>(&'a self, name: &'a HeaderName) -> impl Iterator<Item = &'a Row> {
        let wanted = Wanted::new(name);
        self.rows.iter().filter(move |row| self.is(row, &wanted))
    }

    /// [`Headers::rows_of`] from the row at `at` on.
    #[inline]
    fn rows_of_from<'a>(&'a self, name: &'a HeaderName, at: usize) -> impl Iterator<Item = &'a Row> {
        let wanted = Wanted::new(name);
        self.rows.get(at..).unwrap_or_default().iter().filter(move |row| self.is(row, &wanted))
    }

    pub(crate) fn value(&self, row: &Row) -> &str {
        row.value(self.received.as_bytes(), &self.written)
    }

    /// The bytes of a value.
    #[inline]
    pub(crate) fn value_bytes(&self, row: &Row) -> &[u8] {
        let text = if row.place == Place::Received { self.received.as_bytes() } else { self.written.as_bytes() };
        text.get(range(row.value, row.value_end)).unwrap_or_default()
    }

    /// A method that has no variant, which is the end of the value of `row`.
    #[cold]
    pub(crate) fn extension_method(&self, row: &Row, method: &[u8]) -> Method {
        let end = row.value_end as usize;
        Method::Extension(match row.place {
            Place::Received if self.value_bytes(row).ends_with(method) => {
                self.received.part(end.saturating_sub(method.len())..end)
            }
            _ => ByteStr::from_utf8(Bytes::copy_from_slice(method)).unwrap_or_default(),
        })
    }

    /// The first row of this name.
    pub(crate) fn first_row(&self, name: &HeaderName) -> Option<&Row> {
        let wanted = Wanted::new(name);
        self.rows.iter().find(|row| self.is(row, &wanted))
    }

    /// The part of a value that `part` is, sharing the memory of the datagram.
    fn share(&self, row: &Row, part: &str) -> ByteStr {
        match row.place {
            Place::Received => self.received.share(part),
            Place::Restored | Place::Written => part.into(),
        }
    }

    fn value_shared(&self, row: &Row) -> ByteStr {
        if row.plain && row.place == Place::Received {
            return self.received.part(range(row.value, row.value_end));
        }
        self.share(row, self.value(row))
    }

    /// The first value of the header `H`, or all of them where `H` is a whole list; `None` if it is absent.
    ///
    /// # Errors
    ///
    /// [`HeaderError`] if the value is malformed, if a header that may stand once stands twice, or if a list that is
    /// read as a whole is longer than the limits allow.
    pub fn get<H: TypedHeader>(&self) -> Result<Option<H>, HeaderError> {
        match H::REPETITION {
            Repetition::Values => self.first_item(&H::NAME).map(H::parse_value).transpose(),
            Repetition::Whole => self.whole(),
            Repetition::Rows => {
                self.rows_of(&H::NAME).next().map(|row| H::parse_value(self.value_shared(row))).transpose()
            }
            Repetition::Once => {
                let name = H::NAME;
                let mut rows = self.rows_of(&name);
                let Some(first) = rows.next() else { return Ok(None) };
                if rows.next().is_some() {
                    return Err(HeaderError::Repeated { header: H::NAME });
                }
                H::parse_value(self.value_shared(first)).map(Some)
            }
        }
    }

    /// All values of the header `H` in order, whether they stand in rows of their own or between commas.
    ///
    /// # Errors
    ///
    /// As [`Headers::get`], for any of the values, and if there are more than the limits allow.
    pub fn all<H: TypedHeader>(&self) -> Result<Vec<H>, HeaderError> {
        let name = H::NAME;
        let Some(at) = self.position(&name) else { return Ok(Vec::new()) };
        match H::REPETITION {
            Repetition::Once => self.get::<H>().map(|value| value.into_iter().collect()),
            Repetition::Rows => {
                let count = self.rows_of_from(&name, at).count();
                let mut values = Vec::with_capacity(count);
                for row in self.rows_of_from(&name, at).take(count) {
                    values.push(H::parse_value(self.value_shared(row))?);
                }
                Ok(values)
            }
            Repetition::Values => {
                let count = self.check_length(&name, at)?;
                let mut values = Vec::new();
                for row in self.rows_of_from(&name, at).take(count) {
                    if let Some(value) = self.only_item(row) {
                        if values.capacity() == 0 {
                            values.reserve_exact(count.min(self.max_list_items));
                        }
                        values.push(H::parse_value(value)?);
                        continue;
                    }
                    // There are no more values than commas and one.
                    let most = memchr::memchr_iter(b',', self.value_bytes(row)).count() + 1;
                    values.reserve(most.min(self.max_list_items));
                    for item in grammar::list(self.value(row)) {
                        values.push(H::parse_value(self.share(row, item))?);
                    }
                }
                Ok(values)
            }
            Repetition::Whole => self.whole().map(|value| value.into_iter().collect()),
        }
    }

    /// All values of a header that is read as a whole list.
    fn whole<H: TypedHeader>(&self) -> Result<Option<H>, HeaderError> {
        let name = H::NAME;
        let Some(at) = self.position(&name) else { return Ok(None) };
        let count = self.check_length(&name, at)?;
        let mut rows = self.rows_of_from(&name, at).take(count);
        let mut value = rows.next().map(|row| self.value_shared(row)).unwrap_or_default();
        if count > 1 {
            let mut joined = String::from(value.as_str());
            for row in rows {
                joined.push_str(", ");
                joined.push_str(self.value(row));
            }
            value = joined.into();
        }
        H::parse_value(value).map(Some)
    }

    /// How many rows the comma-separated header `name` has, none of which is before `at`.
    ///
    /// # Errors
    ///
    /// [`HeaderError::TooManyValues`] if it has more values than the limits allow.
    #[inline]
    pub(crate) fn check_length(&self, name: &HeaderName, at: usize) -> Result<usize, HeaderError> {
        let limit = self.max_list_items;
        // A value and its comma have two bytes at least, and there are no more values than rows and commas.
        let most =
            |(rows, most), row: &Row| (rows + 1, most + row.value_end.saturating_sub(row.value) as usize / 2 + 1);
        let (count, most) = self.rows_of_from(name, at).fold((0, 0_usize), most);
        if most > limit { self.count_values(name).map(|()| count) } else { Ok(count) }
    }

    /// Fails if there are more values than the limits allow.
    #[cold]
    fn count_values(&self, name: &HeaderName) -> Result<(), HeaderError> {
        let limit = self.max_list_items;
        let most = |value: &str| 1 + memchr::memchr_iter(b',', value.as_bytes()).count();
        if self.raw_all(name).map(most).sum::<usize>() <= limit {
            return Ok(());
        }
        let values = self.raw_all(name).flat_map(grammar::list);
        if values.take(limit.saturating_add(1)).count() > limit {
            return Err(HeaderError::TooManyValues { header: name.clone(), limit });
        }
        Ok(())
    }

    /// The first value of a list header as text: the topmost Via.
    pub(crate) fn first_item(&self, name: &HeaderName) -> Option<ByteStr> {
        self.rows_of(name).find_map(|row| {
            self.only_item(row).or_else(|| grammar::list(self.value(row)).next().map(|item| self.share(row, item)))
        })
    }

    /// The value of a row of a list that has one and is printable ASCII as it was received.
    #[inline]
    fn only_item(&self, row: &Row) -> Option<ByteStr> {
        let value = self.value_bytes(row);
        let is_one =
            row.plain && row.place == Place::Received && !value.is_empty() && memchr::memchr(b',', value).is_none();
        is_one.then(|| self.received.part(range(row.value, row.value_end)))
    }

    /// [`Headers::first_item`], borrowed.
    pub(crate) fn first_value(&self, name: &HeaderName) -> Option<&str> {
        let wanted = Wanted::new(name);
        let mut rows = self.rows.iter().filter(|row| self.is(row, &wanted));
        rows.find_map(|row| grammar::list(self.value(row)).next())
    }

    /// What `read` makes of the value of the first row of this name that has one; it is told whose memory to share.
    pub(crate) fn read_first<T>(&self, name: &HeaderName, read: impl Fn(&str, &ByteStr) -> Option<T>) -> Option<T> {
        let wanted = Wanted::new(name);
        let mut rows = self.rows.iter().filter(|row| self.is(row, &wanted));
        let row = rows.find(|row| grammar::list(self.value(row)).next().is_some())?;
        match row.place {
            Place::Received => read(self.value(row), &self.received),
            Place::Restored | Place::Written => {
                let value = ByteStr::from(self.value(row));
                read(&value, &value)
            }
        }
    }

    /// What `read` makes of the value of the first row of this name; it is told whose memory to share.
    pub(crate) fn read<T>(&self, name: &HeaderName, read: impl FnOnce(&str, &ByteStr) -> T) -> Option<T> {
        let wanted = Wanted::new(name);
        let row = self.rows.iter().find(|row| self.is(row, &wanted))?;
        Some(match row.place {
            Place::Received => read(self.value(row), &self.received),
            Place::Restored | Place::Written => {
                let value = ByteStr::from(self.value(row));
                read(&value, &value)
            }
        })
    }

    /// The value of the first row of this name, as text.
    #[must_use]
    pub fn raw(&self, name: &HeaderName) -> Option<&str> {
        let wanted = Wanted::new(name);
        self.rows.iter().find(|row| self.is(row, &wanted)).map(|row| self.value(row))
    }

    /// The value of every row of this name, as text, in order.
    pub fn raw_all<'a>(&'a self, name: &'a HeaderName) -> impl Iterator<Item = &'a str> {
        self.rows_of(name).map(|row| self.value(row))
    }

    /// Whether there is a row of this name.
    #[must_use]
    pub fn has(&self, name: &HeaderName) -> bool {
        self.position(name).is_some()
    }

    /// All rows, in order, as names and text.
    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, &str)> {
        let mut extension = 0;
        self.rows.iter().map(move |row| {
            let name = row.name.name().unwrap_or_else(|| {
                extension += 1;
                self.extensions().get(extension - 1).unwrap_or(&UNNAMED)
            });
            (name, self.value(row))
        })
    }

    fn extensions(&self) -> &[HeaderName] {
        self.extensions.get_or_make(|| {
            let rows = self.rows.iter().filter(|row| row.name == Code::EXTENSION);
            rows.map(|row| {
                let name = core::str::from_utf8(self.name_of(row)).unwrap_or_default();
                HeaderName::Extension(match row.place {
                    Place::Written => name.into(),
                    Place::Received | Place::Restored => self.received.share(name),
                })
            })
            .collect()
        })
    }

    /// The rows whose name is to be kept, as they were received or set.
    pub(crate) fn only(&self, keep: impl Fn(&HeaderName) -> bool) -> Headers {
        let is_kept = |row: &&Row| row.name.name().is_some_and(&keep);
        let mut rows = Vec::with_capacity(self.rows.len());
        rows.extend(self.rows.iter().filter(is_kept).copied());
        self.with_rows(rows)
    }

    /// Adds rows that were set elsewhere at the end.
    pub(crate) fn append(&mut self, other: &Headers) {
        self.changes(other.rows.len());
        self.written.reserve(other.written.len());
        for row in &other.rows {
            let line = row.line(other.received.as_bytes(), &other.written);
            let Ok(line) = core::str::from_utf8(line) else { continue };
            let moved = narrow(self.written.len());
            self.written.push_str(line);
            let place = |index: u32| (index - row.start).saturating_add(moved);
            self.rows.push(Row {
                start: moved,
                end: place(row.end),
                value: place(row.value),
                value_end: place(row.value_end),
                ..*row
            });
        }
    }

    /// Adds a row at the end.
    pub fn push<H: TypedHeader>(&mut self, header: H) {
        self.add(&H::NAME, |out| header.write(out));
    }

    /// Adds a row before the first of the same name, or before all others if there is none.
    pub fn push_front<H: TypedHeader>(&mut self, header: H) {
        let at = self.position(&H::NAME).unwrap_or(0);
        let row = self.line(&H::NAME, |out| header.write(out));
        self.rows.insert(at, row);
    }

    /// Sets the header where its first row stands, or adds it at the end; other rows of its name go.
    pub fn set<H: TypedHeader>(&mut self, header: H) {
        self.put(&H::NAME, |out| header.write(out));
    }

    /// [`Headers::set`] of a value as text.
    ///
    /// # Errors
    ///
    /// [`InvalidHeader`] if the name is no token, or if the value has a CR, LF or NUL.
    pub fn set_raw(&mut self, name: &HeaderName, value: &str) -> Result<(), InvalidHeader> {
        check(name, value)?;
        self.set_text(name, value);
        Ok(())
    }

    /// [`Headers::push`] of a value as text.
    ///
    /// # Errors
    ///
    /// As [`Headers::set_raw`].
    pub fn push_raw(&mut self, name: &HeaderName, value: &str) -> Result<(), InvalidHeader> {
        check(name, value)?;
        self.push_text(name, value);
        Ok(())
    }

    /// Removes every row of this name; says how many there were.
    pub fn remove(&mut self, name: &HeaderName) -> usize {
        let wanted = Wanted::new(name);
        let before = self.rows.len();
        let mut rows = core::mem::take(&mut self.rows);
        rows.retain(|row| !self.is(row, &wanted));
        self.rows = rows;
        self.extensions = Lazy::new();
        before - self.rows.len()
    }

    /// Where the first row of this name is.
    #[inline]
    fn position(&self, name: &HeaderName) -> Option<usize> {
        let code = name.code();
        if code == Code::EXTENSION {
            return self.position_of_extension(name);
        }
        self.rows.iter().position(|row| row.name == code)
    }

    #[inline(never)]
    fn position_of_extension(&self, name: &HeaderName) -> Option<usize> {
        let wanted = Wanted::new(name);
        self.rows.iter().position(|row| self.is(row, &wanted))
    }

    /// Adds a row whose value is one line.
    pub(crate) fn push_text(&mut self, name: &HeaderName, value: &str) {
        self.add(name, |out| out.push_str(value));
    }

    /// [`Headers::push_text`], or [`Headers::set_text`] of a header that may stand once. The name is canonical.
    pub(crate) fn push_or_set(&mut self, name: &HeaderName, value: &str) {
        if crate::parse::stands_once(name) { self.set_text(name, value) } else { self.push_text(name, value) }
    }

    pub(crate) fn set_text(&mut self, name: &HeaderName, value: &str) {
        self.put(name, |out| out.push_str(value));
    }

    fn add(&mut self, name: &HeaderName, write: impl FnOnce(&mut String)) {
        let row = self.line(name, write);
        self.rows.push(row);
    }

    fn put(&mut self, name: &HeaderName, write: impl FnOnce(&mut String)) {
        let Some(at) = self.position(name) else { return self.add(name, write) };
        let row = self.line(name, write);
        self.replace(at, row);
        let wanted = Wanted::new(name);
        if !self.rows.iter().skip(at + 1).any(|row| self.is(row, &wanted)) {
            return;
        }
        let mut index = 0;
        let mut rows = core::mem::take(&mut self.rows);
        rows.retain(|row| {
            index += 1;
            index - 1 <= at || !self.is(row, &wanted)
        });
        self.rows = rows;
    }

    fn replace(&mut self, at: usize, row: Row) {
        if let Some(place) = self.rows.get_mut(at) {
            *place = row;
        }
    }

    /// Makes ready for `count` more rows.
    fn changes(&mut self, count: usize) {
        self.extensions = Lazy::new();
        self.rows.reserve(count);
        if self.written.capacity() == 0 {
            self.written.reserve(FIRST_EDITS);
        }
        if self.written.len() > self.written_limit.max(LEAST_WRITTEN_LIMIT) {
            self.tidy();
        }
    }

    /// Takes out of `written` what no row refers to.
    fn tidy(&mut self) {
        let mut written = String::with_capacity(self.written.len() / 2);
        for row in &mut self.rows {
            let (start, end) = match row.place {
                Place::Received => continue,
                Place::Restored => (row.value, row.value_end),
                Place::Written => (row.start, row.end),
            };
            let moved = narrow(written.len());
            written.push_str(self.written.get(range(start, end)).unwrap_or_default());
            let place = |index: u32| (index - start).saturating_add(moved);
            (row.value, row.value_end) = (place(row.value), place(row.value_end));
            if row.place == Place::Written {
                (row.start, row.end) = (moved, place(row.end));
            }
        }
        self.written_limit = written.len().saturating_mul(2);
        self.written = written;
    }

    /// Writes a line, whatever `write` appends, which need not be one.
    fn line(&mut self, name: &HeaderName, write: impl FnOnce(&mut String)) -> Row {
        self.changes(1);
        let code = name.code();
        let name = code.name().unwrap_or(name).as_str();
        let start = self.written.len();
        self.written.push_str(name);
        self.written.push_str(": ");
        let value = self.written.len();
        write(&mut self.written);
        make_one_line(&mut self.written, value);
        let value_end = self.written.len();
        self.written.push_str("\r\n");
        Row {
            start: narrow(start),
            end: narrow(self.written.len()),
            value: narrow(value),
            value_end: narrow(value_end),
            name_len: narrow(name.len()),
            name: code,
            place: Place::Written,
            plain: false,
        }
    }

    /// Replaces the first value of a list header by `new`, or takes it out; the other values stay as they are.
    pub(crate) fn replace_first_item<H: TypedHeader>(&mut self, new: Option<&H>) {
        let wanted = H::NAME;
        let found = {
            let wanted = Wanted::new(&wanted);
            let has_items = |row: &Row| grammar::list(self.value(row)).next().is_some();
            self.rows.iter().position(|row| self.is(row, &wanted) && has_items(row))
        };
        let Some((at, row)) = found.and_then(|at| Some((at, *self.rows.get(at)?))) else {
            if let Some(new) = new {
                let row = self.line(&wanted, |out| new.write(out));
                self.rows.insert(0, row);
            }
            return;
        };
        let text = self.value(&row).trim_start_matches([',', ' ', '\t']);
        let others = grammar::next_comma(text).and_then(|comma| text.get(comma + 1..)).unwrap_or_default();
        let others = others.trim_matches([',', ' ', '\t']);
        if new.is_none() && others.is_empty() {
            self.rows.remove(at);
            self.extensions = Lazy::new();
            return;
        }
        let others = String::from(others);
        let row = self.line(&wanted, |out| {
            if let Some(new) = new {
                new.write(out);
                out.push_str(if others.is_empty() { "" } else { ", " });
            }
            out.push_str(&others);
        });
        self.replace(at, row);
    }

    /// How many bytes [`Headers::write`] writes.
    pub(crate) fn written_len(&self) -> usize {
        self.rows.iter().map(|row| row.end.saturating_sub(row.start) as usize).sum()
    }

    /// Writes every row with its end of line.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let mut copy = |is_written: bool, start: u32, end: u32| {
            let text = if is_written { self.written.as_bytes() } else { self.received.as_bytes() };
            out.extend_from_slice(text.get(range(start, end)).unwrap_or_default());
        };
        // Rows that stand next to each other are copied at once.
        let (mut is_written, mut start, mut end) = (false, 0, 0);
        for row in &self.rows {
            if row.start != end || (row.place == Place::Written) != is_written {
                copy(is_written, start, end);
                (is_written, start) = (row.place == Place::Written, row.start);
            }
            end = row.end;
        }
        copy(is_written, start, end);
    }
}

/// What no row is named.
static UNNAMED: HeaderName = HeaderName::Extension(ByteStr::from_static(""));

/// The value of a header on one line, whatever its type writes.
pub(crate) fn written<H: TypedHeader>(header: &H) -> ByteStr {
    let mut value = String::new();
    header.write(&mut value);
    one_line(value)
}

/// `value` with its control characters turned into spaces, and without white space around it.
pub(crate) fn one_line(mut value: String) -> ByteStr {
    make_one_line(&mut value, 0);
    value.into()
}

/// Turns the control characters of `text` from `start` on into spaces, and takes out the white space around it.
fn make_one_line(text: &mut String, start: usize) {
    let value = text.get(start..).unwrap_or_default();
    let trimmed = class::trim_wsp(value);
    // A tab is rare.
    let is_clean = || !value.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t');
    if trimmed.len() == value.len() && (!class::has_control(value.as_bytes()) || is_clean()) {
        return;
    }
    let mut line = String::with_capacity(value.len());
    grammar::write_text(&mut line, trimmed);
    text.truncate(start);
    text.push_str(class::trim_wsp(&line));
}

/// The name in its canonical form, if it and the value can stand in a header.
pub(crate) fn check(name: &HeaderName, value: &str) -> Result<HeaderName, InvalidHeader> {
    if !grammar::is_token(name.as_str()) {
        return Err(InvalidHeader::Name(name.as_str().chars().take(64).collect()));
    }
    if value.contains(['\r', '\n', '\0']) {
        return Err(InvalidHeader::Value(name.clone()));
    }
    Ok(name.canonical())
}

/// Writes `text` with each line break and the white space around it turned into one space (RFC 3261 §7.3.1).
fn unfold(out: &mut String, text: &str) {
    let start = out.len();
    for part in text.split('\n').map(|part| class::trim_wsp(part.strip_suffix('\r').unwrap_or(part))) {
        if !part.is_empty() {
            if out.len() > start {
                out.push(' ');
            }
            out.push_str(part);
        }
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests;

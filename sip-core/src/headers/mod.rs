mod edit;
mod line;
mod row;
mod values;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

pub(crate) use self::line::{one_line, written};
pub(crate) use self::row::{Place, Row, narrow};
use self::row::{Wanted, range};
use crate::header::Code;
use crate::lazy::Lazy;
use crate::{ByteStr, HeaderError, HeaderName, Limits, Method, grammar};

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

/// Room for the rows that most edits add.
const FIRST_ROWS: usize = 4;

/// What no row is named.
static UNNAMED: HeaderName = HeaderName::Extension(ByteStr::from_static(""));

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

    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
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

    /// The name of a row.
    pub(crate) fn name(&self, row: &Row) -> HeaderName {
        let extension = || {
            core::str::from_utf8(self.name_of(row)).map_or(UNNAMED.clone(), |name| HeaderName::Extension(name.into()))
        };
        row.name.name().cloned().unwrap_or_else(extension)
    }

    #[inline(always)]
    fn is(&self, row: &Row, wanted: Wanted<'_>) -> bool {
        row.name == wanted.code
            && (row.name != Code::EXTENSION || self.name_of(row).eq_ignore_ascii_case(wanted.extension.as_bytes()))
    }

    /// The name as it was written.
    fn name_of(&self, row: &Row) -> &[u8] {
        row.line(self.received.as_bytes(), &self.written).get(..row.name_len as usize).unwrap_or_default()
    }

    fn rows_of<'a>(&'a self, name: &'a HeaderName) -> impl Iterator<Item = &'a Row> {
        let wanted = Wanted::new(name);
        self.rows.iter().filter(move |row| self.is(row, wanted))
    }

    /// [`Headers::rows_of`] from the row at `at` on.
    #[inline]
    fn rows_of_from<'a>(&'a self, name: &'a HeaderName, at: usize) -> impl Iterator<Item = &'a Row> {
        let wanted = Wanted::new(name);
        self.rows.get(at..).unwrap_or_default().iter().filter(move |row| self.is(row, wanted))
    }

    /// The first row of this name.
    pub(crate) fn first_row(&self, name: &HeaderName) -> Option<&Row> {
        self.rows.get(self.position(Wanted::new(name))?)
    }

    /// Where the first row of this name is.
    #[inline]
    fn position(&self, name: Wanted<'_>) -> Option<usize> {
        if name.code == Code::EXTENSION {
            return self.position_of_extension(name);
        }
        self.rows.iter().position(|row| row.name == name.code)
    }

    #[inline(never)]
    fn position_of_extension(&self, name: Wanted<'_>) -> Option<usize> {
        self.rows.iter().position(|row| self.is(row, name))
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

    fn value_shared(&self, row: &Row) -> ByteStr {
        if row.plain && row.place == Place::Received {
            return self.received.part(range(row.value, row.value_end));
        }
        self.share(row, self.value(row))
    }

    /// The part of a value that `part` is, sharing the memory of the datagram.
    fn share(&self, row: &Row, part: &str) -> ByteStr {
        match row.place {
            Place::Received => self.received.share(part),
            Place::Restored | Place::Written => part.into(),
        }
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

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests;

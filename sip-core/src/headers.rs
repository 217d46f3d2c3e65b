use std::fmt;
use std::ops::Range;

use bytes::Bytes;

use crate::{ByteStr, HeaderError, HeaderName, Limits, Repetition, TypedHeader, grammar};

/// The headers of a message, in order (RFC 3261 §7.3).
///
/// Headers that were received are ranges of the received bytes and are written back as they came, with their
/// case, compact names, white space and folding; those that were set are written as `Name: value`. Values are
/// read without folding: a line break with the white space around it reads as one space.
#[derive(Clone)]
pub struct Headers {
    /// The datagram that [`Text::Received`] and [`Text::Restored`] are ranges of.
    received: Bytes,
    rows: Vec<Row>,
    max_list_items: usize,
}

#[derive(Clone)]
struct Row {
    name: HeaderName,
    text: Text,
}

#[derive(Clone)]
enum Text {
    /// A row as it was received.
    Received { row: Range<u32>, value: Range<u32> },
    /// A row as it was received, which reads otherwise: unfolded, or with U+FFFD for what is no UTF-8.
    Restored { row: Range<u32>, value: ByteStr },
    /// A value that was set.
    Set(ByteStr),
}

/// A name or a value that cannot stand in a header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHeader {
    /// The value has a line break or a NUL, which would end or hide the header.
    #[error("the value of {0} has a line break or a NUL; take it out")]
    Value(HeaderName),
    /// The name is no token (RFC 3261 §25.1).
    #[error("{0:?} is no header name")]
    Name(String),
    /// The message writes this header itself; there is a method for it.
    #[error("{0} belongs to the message; set it with the message's own method")]
    Reserved(HeaderName),
}

/// Bytes that most header values fit into, so that writing one takes memory once.
const USUAL_VALUE: usize = 128;

/// Header rows that most messages stay below, for the same reason.
const USUAL_ROWS: usize = 16;

fn slice(bytes: &Bytes, range: &Range<u32>) -> Bytes {
    let (start, end) = (range.start as usize, range.end as usize);
    if start <= end && end <= bytes.len() { bytes.slice(start..end) } else { Bytes::new() }
}

impl Row {
    fn value<'a>(&'a self, received: &'a Bytes) -> &'a str {
        match &self.text {
            Text::Received { value, .. } => {
                let bytes = received.get(value.start as usize..value.end as usize);
                bytes.and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
            }
            Text::Restored { value, .. } | Text::Set(value) => value,
        }
    }

    fn value_shared(&self, received: &Bytes) -> ByteStr {
        match &self.text {
            Text::Received { value, .. } => ByteStr::from_utf8(slice(received, value)).unwrap_or_default(),
            Text::Restored { value, .. } | Text::Set(value) => value.clone(),
        }
    }
}

impl Default for Headers {
    fn default() -> Self {
        Headers::new()
    }
}

impl Headers {
    /// No headers.
    #[must_use]
    pub fn new() -> Self {
        Headers { received: Bytes::new(), rows: Vec::new(), max_list_items: Limits::default().max_list_items }
    }

    /// No headers yet, of a message that was received.
    pub(crate) fn of(received: Bytes, max_list_items: usize) -> Self {
        Headers { received, rows: Vec::with_capacity(USUAL_ROWS), max_list_items }
    }

    /// Adds a row that was received. `row` is with its end of line, `value` without the white space around it.
    pub(crate) fn push_received(&mut self, name: HeaderName, row: Range<u32>, value: Range<u32>, folded: bool) {
        let text = match ByteStr::from_utf8(slice(&self.received, &value)) {
            Some(_) if !folded => Text::Received { row, value },
            Some(text) => Text::Restored { row, value: unfolded(&text).into() },
            None => {
                let text = ByteStr::from_utf8_lossy(slice(&self.received, &value));
                Text::Restored { row, value: if folded { unfolded(&text).into() } else { text } }
            }
        };
        self.rows.push(Row { name, text });
    }

    /// Makes room for as many rows more.
    pub(crate) fn reserve(&mut self, rows: usize) {
        self.rows.reserve_exact(rows);
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

    fn rows_of<'a>(&'a self, name: &'a HeaderName) -> impl Iterator<Item = &'a Row> {
        self.rows.iter().filter(move |row| row.name == *name)
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
            Repetition::Whole => Ok(self.all::<H>()?.into_iter().next()),
            Repetition::Rows => {
                self.rows_of(&H::NAME).next().map(|row| H::parse_value(row.value_shared(&self.received))).transpose()
            }
            Repetition::Once => {
                let name = H::NAME;
                let mut rows = self.rows_of(&name);
                let first = rows.next();
                if rows.next().is_some() {
                    return Err(HeaderError::Repeated { header: H::NAME });
                }
                first.map(|row| H::parse_value(row.value_shared(&self.received))).transpose()
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
        let rows = self.rows_of(&name).map(|row| row.value_shared(&self.received));
        match H::REPETITION {
            Repetition::Once => self.get::<H>().map(|value| value.into_iter().collect()),
            Repetition::Rows => rows.map(H::parse_value).collect(),
            Repetition::Values => {
                self.check_length(&name)?;
                let mut values = Vec::new();
                for row in rows {
                    for item in grammar::list(&row) {
                        values.push(H::parse_value(row.share(item))?);
                    }
                }
                Ok(values)
            }
            Repetition::Whole => {
                self.check_length(&name)?;
                let mut rows: Vec<ByteStr> = rows.collect();
                let joined = match rows.len() {
                    0 => return Ok(Vec::new()),
                    1 => rows.pop().unwrap_or_default(),
                    _ => rows.iter().map(ByteStr::as_str).collect::<Vec<_>>().join(", ").into(),
                };
                Ok(vec![H::parse_value(joined)?])
            }
        }
    }

    /// Fails if the comma-separated header `name` has more values than the limits allow.
    pub(crate) fn check_length(&self, name: &HeaderName) -> Result<(), HeaderError> {
        let limit = self.max_list_items;
        let values = self.raw_all(name).flat_map(grammar::list);
        if values.take(limit.saturating_add(1)).count() > limit {
            return Err(HeaderError::TooManyValues { header: name.clone(), limit });
        }
        Ok(())
    }

    /// The first value of a list header as text: the topmost Via.
    pub(crate) fn first_item(&self, name: &HeaderName) -> Option<ByteStr> {
        self.rows_of(name).find_map(|row| {
            let value = row.value_shared(&self.received);
            grammar::list(&value).next().map(|item| value.share(item))
        })
    }

    /// The value of the first row of this name, as text.
    #[must_use]
    pub fn raw(&self, name: &HeaderName) -> Option<&str> {
        self.rows.iter().find(|row| row.name == *name).map(|row| row.value(&self.received))
    }

    /// The value of every row of this name, as text, in order.
    pub fn raw_all<'a>(&'a self, name: &'a HeaderName) -> impl Iterator<Item = &'a str> {
        self.rows_of(name).map(|row| row.value(&self.received))
    }

    /// Whether there is a row of this name.
    #[must_use]
    pub fn has(&self, name: &HeaderName) -> bool {
        self.rows.iter().any(|row| row.name == *name)
    }

    /// All rows, in order, as names and text.
    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, &str)> {
        self.rows.iter().map(|row| (&row.name, row.value(&self.received)))
    }

    /// The rows whose name is to be kept, as they were received or set.
    pub(crate) fn only(&self, keep: impl Fn(&HeaderName) -> bool) -> Headers {
        let rows = self.rows.iter().filter(|row| keep(&row.name)).cloned().collect();
        Headers { received: self.received.clone(), rows, max_list_items: self.max_list_items }
    }

    /// Adds the rows of other headers at the end.
    pub(crate) fn append(&mut self, other: Headers) {
        let Headers { received, rows, .. } = other;
        self.rows.extend(rows.into_iter().map(|row| {
            let value = row.value_shared(&received);
            Row { name: row.name, text: Text::Set(value) }
        }));
    }

    /// Adds a row at the end.
    pub fn push<H: TypedHeader>(&mut self, header: H) {
        self.push_text(H::NAME, written(&header));
    }

    /// Adds a row before the first of the same name, or before all others if there is none.
    pub fn push_front<H: TypedHeader>(&mut self, header: H) {
        let at = self.position(&H::NAME).unwrap_or(0);
        self.rows.insert(at, Row { name: H::NAME, text: Text::Set(written(&header)) });
    }

    /// Sets the header where its first row stands, or adds it at the end; other rows of its name go.
    pub fn set<H: TypedHeader>(&mut self, header: H) {
        self.set_text(H::NAME, written(&header));
    }

    /// [`Headers::set`] of a value as text.
    ///
    /// # Errors
    ///
    /// [`InvalidHeader`] if the name is no token, or if the value has a CR, LF or NUL.
    pub fn set_raw(&mut self, name: &HeaderName, value: &str) -> Result<(), InvalidHeader> {
        let name = check(name, value)?;
        self.set_text(name, value.trim_matches(grammar::is_wsp).into());
        Ok(())
    }

    /// [`Headers::push`] of a value as text.
    ///
    /// # Errors
    ///
    /// As [`Headers::set_raw`].
    pub fn push_raw(&mut self, name: &HeaderName, value: &str) -> Result<(), InvalidHeader> {
        let name = check(name, value)?;
        self.push_text(name, value.trim_matches(grammar::is_wsp).into());
        Ok(())
    }

    /// Removes every row of this name; says how many there were.
    pub fn remove(&mut self, name: &HeaderName) -> usize {
        let before = self.rows.len();
        self.rows.retain(|row| row.name != *name);
        before - self.rows.len()
    }

    fn position(&self, name: &HeaderName) -> Option<usize> {
        self.rows.iter().position(|row| row.name == *name)
    }

    /// Adds a row whose value is one line.
    pub(crate) fn push_text(&mut self, name: HeaderName, value: ByteStr) {
        self.rows.push(Row { name, text: Text::Set(value) });
    }

    pub(crate) fn set_text(&mut self, name: HeaderName, value: ByteStr) {
        let Some(at) = self.position(&name) else { return self.push_text(name, value) };
        let mut index = 0;
        self.rows.retain(|row| {
            index += 1;
            index - 1 <= at || row.name != name
        });
        if let Some(row) = self.rows.get_mut(at) {
            row.text = Text::Set(value);
        }
    }

    /// Replaces the first value of a list header by `new`, or takes it out; the other values stay as they are.
    pub(crate) fn replace_first_item(&mut self, name: &HeaderName, new: Option<&str>) {
        let Some(at) = self
            .rows
            .iter()
            .position(|row| row.name == *name && grammar::list(row.value(&self.received)).next().is_some())
        else {
            if let Some(new) = new {
                self.rows.insert(0, Row { name: name.clone(), text: Text::Set(new.into()) });
            }
            return;
        };
        let Some(row) = self.rows.get(at) else { return };
        let value = row.value_shared(&self.received);
        let text = value.trim_start_matches([',', ' ', '\t']);
        let others = grammar::next_comma(text).and_then(|comma| text.get(comma + 1..)).unwrap_or_default();
        let others = others.trim_matches([',', ' ', '\t']);
        let value = match (new, others) {
            (None, "") => {
                self.rows.remove(at);
                return;
            }
            (None, others) => value.share(others),
            (Some(new), "") => new.into(),
            (Some(new), others) => format!("{new}, {others}").into(),
        };
        if let Some(row) = self.rows.get_mut(at) {
            row.text = Text::Set(value);
        }
    }

    /// How many bytes [`Headers::write`] writes.
    pub(crate) fn written_len(&self) -> usize {
        let row = |row: &Row| match &row.text {
            Text::Received { row, .. } | Text::Restored { row, .. } => (row.end - row.start) as usize,
            Text::Set(value) => row.name.as_str().len() + value.as_bytes().len() + ": \r\n".len(),
        };
        self.rows.iter().map(row).sum()
    }

    /// Writes every row with its end of line.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        for row in &self.rows {
            match &row.text {
                Text::Received { row, .. } | Text::Restored { row, .. } => {
                    out.extend_from_slice(self.received.get(row.start as usize..row.end as usize).unwrap_or_default());
                }
                Text::Set(value) => {
                    out.extend_from_slice(row.name.as_str().as_bytes());
                    out.extend_from_slice(b": ");
                    out.extend_from_slice(value.as_bytes());
                    out.extend_from_slice(b"\r\n");
                }
            }
        }
    }
}

/// The value of a header on one line, whatever its type writes.
pub(crate) fn written<H: TypedHeader>(header: &H) -> ByteStr {
    let mut value = String::with_capacity(USUAL_VALUE);
    header.write(&mut value);
    one_line(value)
}

/// `value` with its control characters turned into spaces, and without white space around it.
pub(crate) fn one_line(value: String) -> ByteStr {
    let clean = !value.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t');
    if clean && value.trim_matches(grammar::is_wsp).len() == value.len() {
        return value.into();
    }
    let mut line = String::with_capacity(value.len());
    grammar::write_text(&mut line, value.trim_matches(grammar::is_wsp));
    line.trim_matches(grammar::is_wsp).into()
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

/// `text` with each line break and the white space around it turned into one space (RFC 3261 §7.3.1).
fn unfolded(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for part in text.split("\r\n").map(|part| part.trim_matches(grammar::is_wsp)).filter(|part| !part.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(part);
    }
    line
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests;

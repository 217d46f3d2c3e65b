//! Changing headers.

use alloc::string::String;
use alloc::vec::Vec;

use super::line::make_one_line;
use super::row::{Place, Row, Wanted, narrow, range};
use super::{Headers, InvalidHeader, check};
use crate::lazy::Lazy;
use crate::{HeaderName, TypedHeader, grammar};

/// Room for the lines that most edits need: a Via, a Record-Route and a few short ones, in bytes.
const FIRST_EDITS: usize = 320;

/// The least that `written` may have before it is tidied, in bytes.
const LEAST_WRITTEN_LIMIT: usize = 8_192;

impl Headers {
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
        self.add(Wanted::new(&H::NAME), |out| header.write(out));
    }

    /// Adds a row before the first of the same name, or before all others if there is none.
    pub fn push_front<H: TypedHeader>(&mut self, header: H) {
        let name = H::NAME;
        let name = Wanted::new(&name);
        let at = self.position(name).unwrap_or(0);
        let row = self.line(name, |out| header.write(out));
        self.rows.insert(at, row);
    }

    /// Sets the header where its first row stands, or adds it at the end; other rows of its name go.
    pub fn set<H: TypedHeader>(&mut self, header: H) {
        self.put(Wanted::new(&H::NAME), |out| header.write(out));
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
        rows.retain(|row| !self.is(row, wanted));
        self.rows = rows;
        self.extensions = Lazy::new();
        before - self.rows.len()
    }

    /// Adds a row whose value is one line.
    pub(crate) fn push_text(&mut self, name: &HeaderName, value: &str) {
        self.add(Wanted::new(name), |out| out.push_str(value));
    }

    /// [`Headers::push_text`], or [`Headers::set_text`] of a header that may stand once. The name is canonical.
    pub(crate) fn push_or_set(&mut self, name: &HeaderName, value: &str) {
        if crate::parse::stands_once(name) { self.set_text(name, value) } else { self.push_text(name, value) }
    }

    pub(crate) fn set_text(&mut self, name: &HeaderName, value: &str) {
        self.put(Wanted::new(name), |out| out.push_str(value));
    }

    /// Writes the value of the first row of this name anew.
    pub(crate) fn replace_first_row(&mut self, name: &HeaderName, value: &str) {
        let name = Wanted::new(name);
        if let Some(at) = self.position(name) {
            let row = self.line(name, |out| out.push_str(value));
            self.replace(at, row);
        }
    }

    fn add(&mut self, name: Wanted<'_>, write: impl FnOnce(&mut String)) {
        let row = self.line(name, write);
        self.rows.push(row);
    }

    fn put(&mut self, name: Wanted<'_>, write: impl FnOnce(&mut String)) {
        let Some(at) = self.position(name) else { return self.add(name, write) };
        let row = self.line(name, write);
        self.replace(at, row);
        if !self.rows.iter().skip(at + 1).any(|row| self.is(row, name)) {
            return;
        }
        let mut index = 0;
        let mut rows = core::mem::take(&mut self.rows);
        rows.retain(|row| {
            index += 1;
            index - 1 <= at || !self.is(row, name)
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
    fn line(&mut self, name: Wanted<'_>, write: impl FnOnce(&mut String)) -> Row {
        self.changes(1);
        let start = self.written.len();
        self.written.push_str(name.as_str());
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
            name_len: narrow(name.as_str().len()),
            name: name.code,
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
            self.rows.iter().position(|row| self.is(row, wanted) && has_items(row))
        };
        let Some((at, row)) = found.and_then(|at| Some((at, *self.rows.get(at)?))) else {
            if let Some(new) = new {
                let row = self.line(Wanted::new(&wanted), |out| new.write(out));
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
        let row = self.line(Wanted::new(&wanted), |out| {
            if let Some(new) = new {
                new.write(out);
                out.push_str(if others.is_empty() { "" } else { ", " });
            }
            out.push_str(&others);
        });
        self.replace(at, row);
    }
}

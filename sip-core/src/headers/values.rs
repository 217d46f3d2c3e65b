//! Reading headers as values and as text.

use alloc::string::String;
use alloc::vec::Vec;

use super::row::{Place, Row, Wanted, range};
use super::{Headers, UNNAMED};
use crate::header::Code;
use crate::{ByteStr, HeaderError, HeaderName, Repetition, TypedHeader, grammar};

impl Headers {
    /// The first value of the header `H`, or all of them where `H` is a whole list; `None` if it is absent.
    ///
    /// # Errors
    ///
    /// [`HeaderError`] if the value is malformed, if a header that may stand once stands twice, or if a list that is
    /// read as a whole is longer than the limits allow.
    pub fn get<H: TypedHeader>(&self) -> Result<Option<H>, HeaderError> {
        let name = H::NAME;
        let Some(at) = self.position(Wanted::new(&name)) else { return Ok(None) };
        let value = match H::REPETITION {
            Repetition::Values => self.first_item(&name, at),
            Repetition::Whole => return self.whole_from(&name, at).and_then(H::parse_value).map(Some),
            Repetition::Rows => self.rows.get(at).map(|row| self.value_shared(row)),
            Repetition::Once => {
                if self.rows_of_from(&name, at).nth(1).is_some() {
                    return Err(HeaderError::Repeated { header: name });
                }
                self.rows.get(at).map(|row| self.value_shared(row))
            }
        };
        value.map(H::parse_value).transpose()
    }

    /// All values of the header `H` in order, whether they stand in rows of their own or between commas.
    ///
    /// # Errors
    ///
    /// As [`Headers::get`], for any of the values, and if there are more than the limits allow.
    pub fn all<H: TypedHeader>(&self) -> Result<Vec<H>, HeaderError> {
        let name = H::NAME;
        let Some(at) = self.position(Wanted::new(&name)) else { return Ok(Vec::new()) };
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
                    let most = commas(self.value_bytes(row)) + 1;
                    values.reserve(most.min(self.max_list_items));
                    for item in grammar::list(self.value(row)) {
                        values.push(H::parse_value(self.share(row, item))?);
                    }
                }
                Ok(values)
            }
            Repetition::Whole => self.whole_from(&name, at).and_then(H::parse_value).map(|value| [value].into()),
        }
    }

    /// All values of a header that is read as a whole list, whose first row is at `at`.
    fn whole_from(&self, name: &HeaderName, at: usize) -> Result<ByteStr, HeaderError> {
        let count = self.check_length(name, at)?;
        let mut rows = self.rows_of_from(name, at).take(count);
        let first = rows.next().map(|row| self.value_shared(row)).unwrap_or_default();
        if count <= 1 {
            return Ok(first);
        }
        let mut joined = String::from(first.as_str());
        for row in rows {
            joined.push_str(", ");
            joined.push_str(self.value(row));
        }
        Ok(joined.into())
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
        let (mut rows, mut written, mut start, mut end) = (0, 0, u32::MAX, 0);
        for row in self.rows_of(name) {
            rows += 1;
            match row.place {
                Place::Received => (start, end) = (start.min(row.value), end.max(row.value_end)),
                Place::Restored | Place::Written => written += commas(self.value_bytes(row)),
            }
        }
        // One search from the first row to the last is faster than one in each; what else stands between them adds to the commas only.
        let received = self.received.as_bytes().get(range(start, end)).unwrap_or_default();
        if rows + written + commas(received) <= limit {
            return Ok(());
        }
        let values = self.raw_all(name).flat_map(grammar::list);
        if values.take(limit.saturating_add(1)).count() > limit {
            return Err(HeaderError::TooManyValues { header: name.clone(), limit });
        }
        Ok(())
    }

    /// The first value of a list header, none of whose rows is before `at`, as text.
    fn first_item(&self, name: &HeaderName, at: usize) -> Option<ByteStr> {
        self.rows_of_from(name, at).find_map(|row| {
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
        self.rows_of(name).find_map(|row| grammar::list(self.value(row)).next())
    }

    /// What `read` makes of the value of the first row of this name that has one; it is told whose memory to share.
    pub(crate) fn read_first<T>(&self, name: &HeaderName, read: impl Fn(&str, &ByteStr) -> Option<T>) -> Option<T> {
        let row = self.rows_of(name).find(|row| grammar::list(self.value(row)).next().is_some())?;
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
        let row = self.first_row(name)?;
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
        self.first_row(name).map(|row| self.value(row))
    }

    /// The value of every row of this name, as text, in order.
    pub fn raw_all<'a>(&'a self, name: &'a HeaderName) -> impl Iterator<Item = &'a str> {
        self.rows_of(name).map(|row| self.value(row))
    }

    /// Whether there is a row of this name.
    #[must_use]
    pub fn has(&self, name: &HeaderName) -> bool {
        self.position(Wanted::new(name)).is_some()
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
}

fn commas(text: &[u8]) -> usize {
    memchr::memchr_iter(b',', text).count()
}

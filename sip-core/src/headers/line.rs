//! Values on one line: what was received folded, and what is set.

use alloc::borrow::Cow;
use alloc::string::String;

use super::Headers;
use super::row::{Place, Row, narrow, range};
use crate::{ByteStr, TypedHeader, class, grammar};

impl Headers {
    /// Makes the values of rows that were received readable: those that are folded, and those that are not UTF-8.
    pub(crate) fn restore(&mut self) {
        let received = self.received.clone();
        let others = |row: &&mut Row| !row.plain;
        let room =
            self.rows.iter_mut().filter(others).map(|row| row.value_end.saturating_sub(row.value) as usize).sum();
        self.written.reserve(room);
        for row in self.rows.iter_mut().filter(others) {
            let Some(bytes) = received.as_bytes().get(range(row.value, row.value_end)) else { continue };
            let is_folded = memchr::memchr(b'\n', bytes).is_some();
            let text = match core::str::from_utf8(bytes) {
                Ok(_) if !is_folded => continue,
                Ok(text) => Cow::Borrowed(text),
                Err(_) => String::from_utf8_lossy(bytes),
            };
            let start = self.written.len();
            unfold(&mut self.written, &text);
            (row.place, row.value, row.value_end) = (Place::Restored, narrow(start), narrow(self.written.len()));
        }
    }
}

/// Writes `text`, which neither starts nor ends with white space, with each line break and the white space around it turned into one
/// space (RFC 3261 §7.3.1).
fn unfold(out: &mut String, text: &str) {
    let start = out.len();
    let mut rest = text;
    loop {
        let (line, next) = match memchr::memchr(b'\n', rest.as_bytes()) {
            Some(end) => (rest.get(..end).unwrap_or_default(), rest.get(end + 1..)),
            None => (rest, None),
        };
        let line = class::trim_wsp(line.strip_suffix('\r').unwrap_or(line));
        if !line.is_empty() {
            out.push_str(if out.len() > start { " " } else { "" });
            out.push_str(line);
        }
        match next {
            Some(next) => rest = next,
            None => return,
        }
    }
}

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

/// Takes out the white space around `text` from `start` on, and turns its control characters into spaces if one of ASCII is among them that is no
/// tab.
pub(super) fn make_one_line(text: &mut String, start: usize) {
    let value = text.get(start..).unwrap_or_default();
    let trimmed = class::trim_wsp(value);
    // A tab is rare.
    let is_clean = || !trimmed.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t');
    let is_clean = !class::has_control(trimmed.as_bytes()) || is_clean();
    if is_clean && trimmed.len() == value.len() {
        return;
    }
    let mut line = String::with_capacity(trimmed.len());
    if is_clean {
        line.push_str(trimmed);
    } else {
        grammar::write_text(&mut line, trimmed);
    }
    text.truncate(start);
    text.push_str(class::trim_wsp(&line));
}

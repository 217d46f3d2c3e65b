//! Cuts a header section into rows, each with the lines that continue it (RFC 3261 §7.3.1).

use memchr::{memchr, memchr2};

use crate::class::{self, TOKEN, WSP};
use crate::header::Code;
use crate::headers::{Place, Row, narrow};

/// A row, and what there is to know of it besides.
pub(super) struct Found {
    pub(super) row: Row,
    /// Where the next row starts.
    pub(super) next: usize,
    /// Whether lines continue it.
    pub(super) folded: bool,
}

/// How closely to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// At all that makes a row.
    Closely,
    /// At all but a lone CR or a NUL, which the section has been or will be searched for as a whole.
    Quickly,
}

/// The row that starts at `at`, or where the next one starts if this is none.
///
/// `None` at the empty line and at the end. A line ends with CR LF and nothing else: a peer that takes a lone CR or LF
/// for an end of line would see other headers than we do.
#[inline]
pub(super) fn next_row(bytes: &[u8], at: usize, look: Look) -> Option<Result<Found, usize>> {
    let tail = bytes.get(at..)?;
    if tail.is_empty() || tail.starts_with(b"\r\n") {
        return None;
    }
    let name = if look == Look::Quickly { Code::at_start(tail) } else { None };
    let Some((name_len, colon, code)) = name.map(|(len, code)| (len, len, code)).or_else(|| name_of(tail)) else {
        return Some(Err(end_of(bytes, at).map_or_else(|end| end, |(end, _)| end)));
    };
    let mut value = at + colon + 1;
    while matches!(bytes.get(value), Some(b' ' | b'\t')) {
        value += 1;
    }
    let (end, folded) = match end_of(bytes, value) {
        Ok(found) => found,
        Err(next) => return Some(Err(next)),
    };
    if look == Look::Closely && !is_clean(bytes.get(at..end).unwrap_or_default()) {
        return Some(Err(end));
    }
    // The CR before the last LF is there, and no white space ends in front of `value`.
    let mut value_end = (end - 2).max(value);
    let is_space = |byte: Option<&u8>| byte.is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
    if folded {
        while value < value_end && is_space(bytes.get(value)) {
            value += 1;
        }
    }
    while value < value_end && is_space(bytes.get(value_end - 1)) {
        value_end -= 1;
    }
    let row = Row {
        start: narrow(at),
        end: narrow(end),
        value: narrow(value),
        value_end: narrow(value_end),
        name_len: narrow(name_len),
        name: code,
        place: Place::Received,
    };
    Some(Ok(Found { row, next: end, folded }))
}

/// Where the line that `at` is in ends, with those that continue it, and whether there are any; if one does not end with
/// CR LF, where it ends.
#[inline]
fn end_of(bytes: &[u8], at: usize) -> Result<(usize, bool), usize> {
    let (mut end, mut folded, mut clean) = (at, false, true);
    loop {
        let Some(length) = bytes.get(end..).and_then(|line| memchr(b'\n', line)) else { return Err(bytes.len()) };
        end += length + 1;
        clean &= end >= 2 && bytes.get(end - 2) == Some(&b'\r');
        if !matches!(bytes.get(end), Some(b' ' | b'\t')) {
            return if clean { Ok((end, folded)) } else { Err(end) };
        }
        folded = true;
    }
}

/// `HCOLON` behind a name: the length of the name, where the colon is, and what the name is known by.
#[inline(never)]
fn name_of(line: &[u8]) -> Option<(usize, usize, Code)> {
    let length = class::span(line, TOKEN);
    let (name, rest) = line.split_at_checked(length)?;
    let colon = length + class::span(rest, WSP);
    // No line break may stand in front of the colon: `HCOLON` of RFC 3261 §25.1.
    (length > 0 && line.get(colon) == Some(&b':')).then(|| (length, colon, Code::of(name)))
}

/// Whether a row has no CR or LF but those that end its lines, and no NUL. All its lines end with CR LF.
fn is_clean(row: &[u8]) -> bool {
    row.split(|byte| *byte == b'\n').all(|line| memchr2(b'\r', 0, line.strip_suffix(b"\r").unwrap_or(line)).is_none())
}

/// [`is_clean`] of a whole section.
pub(super) fn is_section_clean(section: &[u8]) -> bool {
    let (mut returns, mut feeds, mut nul) = (0_usize, 0_usize, false);
    // Counted in bytes, so that as many fit into a register as can.
    for chunk in section.chunks(255) {
        let (mut some_returns, mut some_feeds) = (0_u8, 0_u8);
        for byte in chunk {
            some_returns += u8::from(*byte == b'\r');
            some_feeds += u8::from(*byte == b'\n');
            nul |= *byte == 0;
        }
        returns += usize::from(some_returns);
        feeds += usize::from(some_feeds);
    }
    // Each LF has its CR in front of it, so that a CR more is a lone one.
    !nul && returns == feeds
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(section: &str) -> Vec<Result<(&str, &str, bool), usize>> {
        let read = |look| {
            let mut at = 0;
            core::iter::from_fn(|| {
                let found = next_row(section.as_bytes(), at, look)?;
                at = found.as_ref().map_or_else(|end| *end, |found| found.next);
                Some(found.map(|Found { row, folded, .. }| {
                    let name = &section[row.start as usize..][..row.name_len as usize];
                    (name, &section[row.value as usize..row.value_end as usize], folded)
                }))
            })
            .collect::<Vec<_>>()
        };
        let closely = read(Look::Closely);
        if is_section_clean(section.as_bytes()) && closely.iter().all(Result::is_ok) {
            assert_eq!(read(Look::Quickly), closely);
        }
        closely
    }

    #[test]
    fn white_space_around_name_and_value_does_not_count() {
        let section = "A:b\r\nC  \t:  d e \t\r\nF:\r\n\r\nG: h\r\n";
        assert_eq!(rows(section), [Ok(("A", "b", false)), Ok(("C", "d e", false)), Ok(("F", "", false))]);
    }

    #[test]
    fn a_line_that_starts_with_white_space_continues_the_row() {
        assert_eq!(
            rows("A: b\r\n c\r\n\td\r\nE:\r\n f\r\nG: \r\n \r\nSubject: h \r\n \r\n\r\n"),
            [Ok(("A", "b\r\n c\r\n\td", true)), Ok(("E", "f", true)), Ok(("G", "", true)), Ok(("Subject", "h", true))]
        );
    }

    #[test]
    fn what_is_no_row_is_passed_over() {
        assert_eq!(rows("no colon\r\nA: b\r\n"), [Err(10), Ok(("A", "b", false))]);
        assert_eq!(rows("A\r\n : b\r\n"), [Err(9)]);
        assert_eq!(rows(": b\r\nA: b\r\n"), [Err(5), Ok(("A", "b", false))]);
        assert_eq!(rows("A: b\nB: c\r\nC: d\r\n"), [Err(5), Ok(("B", "c", false)), Ok(("C", "d", false))]);
        assert_eq!(rows("A: b\rB: c\r\n"), [Err(11)]);
        assert_eq!(rows("A: b\0\r\n"), [Err(7)]);
        assert_eq!(rows("A: b"), [Err(4)]);
        assert_eq!(rows("A: b\n\r\n"), [Err(5)]);
        assert_eq!(rows("A:\nB: c\r\n"), [Err(3), Ok(("B", "c", false))]);
    }
}

//! Cuts a header section into rows, each with the lines that continue it (RFC 3261 §7.3.1).

use crate::class::{self, TOKEN, WSP};
use crate::header::Code;
use crate::headers::{Place, Row, narrow};

/// A row, and what there is to know of it besides.
pub(super) struct Found {
    pub(super) row: Row,
    /// Where the next row starts.
    pub(super) next: usize,
    /// How many lines it has: more than one if it is folded.
    pub(super) lines: usize,
}

/// The row that starts at `at`, or where the next one starts if this is none.
///
/// `None` at the empty line and at the end. A line ends with CR LF and nothing else: a peer that takes a lone CR or LF
/// for an end of line would see other headers than we do.
#[inline]
pub(super) fn next_row(bytes: &[u8], at: usize) -> Option<Result<Found, usize>> {
    let tail = bytes.get(at..)?;
    if tail.is_empty() || tail.starts_with(b"\r\n") {
        return None;
    }
    let known = Code::at_start(tail).map(|(length, code)| (length, length, code));
    let Some((name_len, colon, code)) = known.or_else(|| name_of(tail)) else {
        return Some(Err(end_of(bytes, at).map_or_else(|end| end, |(end, _)| end)));
    };
    let mut value = at + colon + 1;
    while matches!(bytes.get(value), Some(b' ' | b'\t')) {
        value += 1;
    }
    let (end, lines) = match end_of(bytes, value) {
        Ok(found) => found,
        Err(next) => return Some(Err(next)),
    };
    // The CR before the last LF is there, and no white space ends in front of `value`.
    let mut value_end = (end - 2).max(value);
    let is_space = |byte: Option<&u8>| byte.is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
    if lines > 1 {
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
    Some(Ok(Found { row, next: end, lines }))
}

/// Where the line that `at` is in ends, with those that continue it, and how many these are together. If one has a CR or an
/// LF that is not part of its end, or a NUL that is not behind a backslash, where the last of them ends.
#[inline(always)]
fn end_of(bytes: &[u8], at: usize) -> Result<(usize, usize), usize> {
    let (mut end, mut lines, mut clean) = (at, 0, true);
    loop {
        end = next_control(bytes, end);
        match bytes.get(end..) {
            Some([b'\r', b'\n', ..]) => end += 2,
            Some([b'\n', ..]) => (end, clean) = (end + 1, false),
            // `quoted-pair` has a NUL (RFC 3261 §25.1, RFC 4475 §3.1.1.2).
            Some([0, ..]) if end > at && bytes.get(end - 1) == Some(&b'\\') => {
                end += 1;
                continue;
            }
            Some([b'\r' | 0, ..]) => {
                (end, clean) = (end + 1, false);
                continue;
            }
            Some([_, ..]) => {
                end += 1;
                continue;
            }
            _ => return Err(bytes.len()),
        }
        lines += 1;
        if !matches!(bytes.get(end), Some(b' ' | b'\t')) {
            return if clean { Ok((end, lines)) } else { Err(end) };
        }
    }
}

/// Where the first control character from `at` on is, or the end. Lines are short: a few bytes at once, which the compiler
/// makes one comparison of, are faster than a search that has to be set up.
#[inline]
fn next_control(bytes: &[u8], at: usize) -> usize {
    const SPACES: u64 = u64::from_le_bytes([b' '; 8]);
    const HIGHEST: u64 = u64::from_le_bytes([0x80; 8]);
    let mut at = at;
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<32>())
        && !chunk.iter().fold(false, |found, byte| found | (*byte < b' '))
    {
        at += chunk.len();
    }
    while let Some(word) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*word);
        // The lowest of these bits is that of the first byte under a space.
        let controls = word.wrapping_sub(SPACES) & !word & HIGHEST;
        if controls != 0 {
            return at + controls.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| *byte < b' ').unwrap_or(rest.len())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(section: &str) -> Vec<Result<(&str, &str, bool), usize>> {
        let mut at = 0;
        core::iter::from_fn(|| {
            let found = next_row(section.as_bytes(), at)?;
            at = found.as_ref().map_or_else(|end| *end, |found| found.next);
            Some(found.map(|Found { row, lines, .. }| {
                let name = &section[row.start as usize..][..row.name_len as usize];
                (name, &section[row.value as usize..row.value_end as usize], lines > 1)
            }))
        })
        .collect()
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
        let long = "x".repeat(40);
        assert_eq!(rows(&format!("A: b\u{1b}\u{e9}\t{long}\r\n")).len(), 1);
        for bad in ["\r", "\0", "\n\t"] {
            assert_eq!(rows(&format!("Content\rType: {long}\r\n")), [Err(56)]);
            assert_eq!(rows(&format!("A: {bad}{long}\r\n")), [Err(45 + bad.len())], "{bad:?}");
        }
    }
}

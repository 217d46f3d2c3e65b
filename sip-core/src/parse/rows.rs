//! Cuts a header section into rows, each with the lines that continue it (RFC 3261 §7.3.1).

use crate::class::{self, TOKEN};
use crate::header::Code;
use crate::headers::{Place, Row};

/// A row, and what there is to know of it besides.
pub(super) struct Found {
    pub(super) row: Row,
    /// Where the next row starts.
    pub(super) next: usize,
}

/// The row that starts at `at`, or where the next one starts if this is none.
///
/// `None` at the empty line and at the end. A line ends with CR LF and nothing else: a peer that takes a lone CR or LF
/// for an end of line would see other headers than we do.
#[inline(always)]
pub(super) fn next_row(bytes: &[u8], at: usize) -> Option<Result<Found, usize>> {
    let tail = bytes.get(at..)?;
    let known = Code::at_start(tail).map(|(length, code)| (length, length, code));
    let Some((name_len, colon, code)) = known.or_else(|| name_of(tail)) else {
        if matches!(tail, [] | [b'\r', b'\n', ..]) {
            return None;
        }
        return Some(Err(end_of(bytes, at).map_or_else(|end| end, |line| line.end)));
    };
    let mut value = class::skip_wsp_at(bytes, at + colon + 1);
    let Line { end, lines, plain } = match end_of(bytes, value) {
        Ok(line) => line,
        Err(next) => return Some(Err(next)),
    };
    // The CR before the last LF is there, and no white space ends in front of `value`.
    let mut value_end = (end - 2).max(value);
    let is_space = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t' | b'\r' | b'\n'));
    if lines > 1 {
        while value < value_end && is_space(bytes.get(value)) {
            value += 1;
        }
    }
    while value < value_end && is_space(bytes.get(value_end - 1)) {
        value_end -= 1;
    }
    #[expect(clippy::cast_possible_truncation, reason = "no message is longer than 32 bits say")]
    let row = Row {
        start: at as u32,
        end: end as u32,
        value: value as u32,
        value_end: value_end as u32,
        name_len: name_len as u32,
        name: code,
        place: Place::Received,
        plain,
    };
    Some(Ok(Found { row, next: end }))
}

/// A line with those that continue it.
struct Line {
    end: usize,
    lines: usize,
    /// Whether it is one line of printable ASCII from there on.
    plain: bool,
}

/// The line that `at` is in, with those that continue it. If one has a CR or an LF that is not part of its end, or a NUL that
/// is not behind a backslash, where the last of them ends.
#[inline(always)]
fn end_of(bytes: &[u8], at: usize) -> Result<Line, usize> {
    let end = next_control::<true>(bytes, at);
    match bytes.get(end..) {
        Some([b'\r', b'\n', next, ..]) if !matches!(next, b' ' | b'\t') => {
            Ok(Line { end: end + 2, lines: 1, plain: true })
        }
        _ => end_of_any(bytes, at, end),
    }
}

/// [`end_of`] of a line that is not one of printable ASCII alone. `end` is where that ends.
#[inline(never)]
fn end_of_any(bytes: &[u8], at: usize, end: usize) -> Result<Line, usize> {
    let (mut end, mut lines, mut clean) = (end, 0, true);
    loop {
        end = next_control::<false>(bytes, end);
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
            return if clean { Ok(Line { end, lines, plain: false }) } else { Err(end) };
        }
    }
}

/// Where the first control character from `at` on is, or the end; if `OR_BEYOND_ASCII`, the first byte that is one or is no
/// ASCII. Lines are short: a few words at once are faster than a search that has to be set up.
#[inline(always)]
fn next_control<const OR_BEYOND_ASCII: bool>(bytes: &[u8], at: usize) -> usize {
    match bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        Some(near) => match stop_in::<OR_BEYOND_ASCII>(near) {
            Some(found) => at + found,
            None => next_control_beyond::<OR_BEYOND_ASCII>(bytes, at + NEAR),
        },
        None => next_control_beyond::<OR_BEYOND_ASCII>(bytes, at),
    }
}

/// How many bytes are looked at as words.
const NEAR: usize = 32;

/// [`next_control`] of a long line, or close to the end.
#[inline(never)]
fn next_control_beyond<const OR_BEYOND_ASCII: bool>(bytes: &[u8], at: usize) -> usize {
    // Of one comparison of signed bytes, since those beyond ASCII are under 0.
    let is_stop = |byte: &u8| if OR_BEYOND_ASCII { byte.cast_signed() < 0x20 } else { *byte < 0x20 };
    let (chunks, rest) = bytes.get(at..).unwrap_or_default().as_chunks::<NEAR>();
    let mut at = at;
    for chunk in chunks {
        if chunk.iter().fold(false, |found, byte| found | is_stop(byte)) {
            return at + stop_in::<OR_BEYOND_ASCII>(chunk).unwrap_or(NEAR);
        }
        at += NEAR;
    }
    at + rest.iter().position(is_stop).unwrap_or(rest.len())
}

/// The first of these bytes that [`next_control`] looks for.
#[inline(always)]
fn stop_in<const OR_BEYOND_ASCII: bool>(bytes: &[u8; NEAR]) -> Option<usize> {
    const SPACES: u64 = u64::from_le_bytes([b' '; 8]);
    const HIGHEST: u64 = u64::from_le_bytes([0x80; 8]);
    // The lowest of these bits is that of the first byte that is looked for.
    let stops = |word: &[u8; 8]| {
        let word = u64::from_le_bytes(*word);
        if OR_BEYOND_ASCII { (word.wrapping_sub(SPACES) | word) & HIGHEST } else { class::under_space(word) }
    };
    let [a, b, c, d] = bytes.as_chunks().0 else { return None };
    let (a, b, c, d) = (stops(a), stops(b), stops(c), stops(d));
    let (bits, before) = match (a, b, c) {
        (0, 0, 0) => (d, 24),
        (0, 0, _) => (c, 16),
        (0, _, _) => (b, 8),
        _ => (a, 0),
    };
    (bits != 0).then(|| before + bits.trailing_zeros() as usize / 8)
}

/// `HCOLON` behind a name: the length of the name, where the colon is, and what the name is known by.
#[inline(never)]
fn name_of(line: &[u8]) -> Option<(usize, usize, Code)> {
    let length = class::span(line, TOKEN);
    // No line break may stand in front of the colon: `HCOLON` of RFC 3261 §25.1.
    let colon = class::skip_wsp_at(line, length);
    (length > 0 && line.get(colon) == Some(&b':')).then(|| (length, colon, Code::of_start(line, length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(section: &str) -> Vec<Result<(&str, &str, bool), usize>> {
        let mut at = 0;
        core::iter::from_fn(|| {
            let found = next_row(section.as_bytes(), at)?;
            at = found.as_ref().map_or_else(|end| *end, |found| found.next);
            Some(found.map(|Found { row, .. }| {
                let name = &section[row.start as usize..][..row.name_len as usize];
                (
                    name,
                    &section[row.value as usize..row.value_end as usize],
                    section[row.start as usize..row.end as usize].matches('\n').count() > 1,
                )
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

    #[test]
    fn a_control_is_found_wherever_it_stands() {
        for byte in 0..=255_u8 {
            for at in 0..100 {
                let mut text = [b'x'; 140];
                text[at] = byte;
                let end = |is_stop: bool| if is_stop { at } else { text.len() };
                assert_eq!(next_control::<false>(&text, 0), end(byte < b' '), "{byte} at {at}");
                assert_eq!(next_control::<true>(&text, 0), end(!(b' '..=127).contains(&byte)), "{byte} at {at}");
            }
        }
    }
}

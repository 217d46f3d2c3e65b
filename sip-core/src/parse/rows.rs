//! Cuts a header section into rows, each with the lines that continue it (RFC 3261 §7.3.1).

use std::ops::Range;

use memchr::{memchr, memchr2_iter};

/// One header as it stands in the section.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// All of it, with its last end of line.
    pub(super) all: Range<usize>,
    /// Its name, without the white space before the colon.
    pub(super) name: Range<usize>,
    /// Its value, without the white space around it, folding included.
    pub(super) value: Range<usize>,
    /// Whether the value has line breaks.
    pub(super) folded: bool,
}

/// The row that starts at `at`, or where the next one starts if this is none.
///
/// `None` at the empty line and at the end. A line ends with CR LF and nothing else: a peer that takes a lone CR or LF
/// for an end of line would see other headers than we do.
pub(super) fn next_row(bytes: &[u8], at: usize) -> Option<Result<Row, usize>> {
    let tail = bytes.get(at..)?;
    if tail.is_empty() || tail.starts_with(b"\r\n") {
        return None;
    }
    let (mut end, mut folded, mut clean) = (at, false, true);
    loop {
        let line = bytes.get(end..).unwrap_or_default();
        let Some(length) = memchr(b'\n', line) else { return Some(Err(bytes.len())) };
        let content = line.get(..length).unwrap_or_default();
        clean &= content.strip_suffix(b"\r").is_some_and(is_clean);
        end += length + 1;
        match bytes.get(end) {
            Some(b' ' | b'\t') => folded = true,
            _ => break,
        }
    }
    if !clean {
        return Some(Err(end));
    }
    Some(split(bytes, at..end, folded).ok_or(end))
}

/// Whether a line has no CR, and no NUL but behind a backslash: `quoted-pair` has it (RFC 3261 §25.1, RFC 4475 §3.1.1.2).
fn is_clean(line: &[u8]) -> bool {
    let mut before = 0;
    memchr2_iter(b'\r', 0, line).all(|at| {
        let escaped = line.get(before..at).is_some_and(|text| text.ends_with(b"\\"));
        before = at + 1;
        escaped && line.get(at) == Some(&0)
    })
}

fn split(bytes: &[u8], all: Range<usize>, folded: bool) -> Option<Row> {
    let row = bytes.get(all.clone())?;
    let colon = memchr(b':', row)?;
    let (before, after) = row.split_at_checked(colon)?;
    // No line break may stand in front of the colon: `HCOLON` of RFC 3261 §25.1.
    let length = before.iter().rposition(|byte| !matches!(byte, b' ' | b'\t')).map_or(0, |last| last + 1);
    let name = all.start..all.start + length;
    let after = after.get(1..)?;
    let start = all.start + colon + 1 + (after.len() - after.trim_ascii_start().len());
    let value = start..start + after.trim_ascii().len();
    // A line break in front of the value or behind it is not within it.
    let folded = folded && memchr(b'\n', bytes.get(value.clone())?).is_some();
    (!name.is_empty()).then_some(Row { all, name, value, folded })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(section: &str) -> Vec<Result<(&str, &str, bool), usize>> {
        let mut at = 0;
        std::iter::from_fn(|| {
            let row = next_row(section.as_bytes(), at)?;
            at = row.as_ref().map_or_else(|end| *end, |row| row.all.end);
            Some(row.map(|row| (&section[row.name], &section[row.value], row.folded)))
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
            rows("A: b\r\n c\r\n\td\r\nE:\r\n f\r\n"),
            [Ok(("A", "b\r\n c\r\n\td", true)), Ok(("E", "f", false))]
        );
    }

    #[test]
    fn what_is_no_row_is_passed_over() {
        assert_eq!(rows("no colon\r\nA: b\r\n"), [Err(10), Ok(("A", "b", false))]);
        assert_eq!(rows("A\r\n : b\r\n"), [Ok(("A\r\n", "b", false))]); // which is no token
        assert_eq!(rows(": b\r\nA: b\r\n"), [Err(5), Ok(("A", "b", false))]);
        assert_eq!(rows("A: b\nB: c\r\nC: d\r\n"), [Err(5), Ok(("B", "c", false)), Ok(("C", "d", false))]);
        assert_eq!(rows("A: b\rB: c\r\n"), [Err(11)]);
        assert_eq!(rows("A: b\0\r\n"), [Err(7)]);
        assert_eq!(rows("A: \"\\\0\"\r\n"), [Ok(("A", "\"\\\0\"", false))]);
        assert_eq!(rows("A: \"\\\0\0\"\r\n"), [Err(10)]);
        assert_eq!(rows("A: \"\\\r\"\r\n"), [Err(9)]);
        assert_eq!(rows("A: b"), [Err(4)]);
    }
}

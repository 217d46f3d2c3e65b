//! The headers of a part, or of a fragment of a message.

use alloc::vec::Vec;

use bytes::Bytes;

use crate::parse::ParseErrorKind;
use crate::{Headers, Limits};

/// The headers that `raw` begins with, as far as the limits allow, and where the body starts, behind the empty line.
pub(super) fn read(raw: &Bytes, limits: &Limits) -> Result<(Headers, usize), ParseErrorKind> {
    let (header_end, body_start) = ends(raw);
    if header_end > limits.max_header_section {
        return Err(ParseErrorKind::HeaderSectionTooLarge { len: header_end, limit: limits.max_header_section });
    }
    let (headers, _) = crate::parse::headers(with_line_ends(raw, header_end, body_start), limits)?;
    Ok((headers, body_start))
}

/// Where the headers end, and where the body starts, behind the empty line.
fn ends(raw: &[u8]) -> (usize, usize) {
    let mut at = 0;
    loop {
        let rest = raw.get(at..).unwrap_or_default();
        match rest {
            [b'\r', b'\n', ..] => return (at, at + 2),
            [b'\n', ..] => return (at, at + 1),
            _ => {}
        }
        match memchr::memchr(b'\n', rest) {
            Some(end) => at += end + 1,
            None => return (raw.len(), raw.len()),
        }
    }
}

/// The header section with its empty line. It is copied if it ends otherwise, or if a line does not end with CR LF.
fn with_line_ends(raw: &Bytes, header_end: usize, body_start: usize) -> Bytes {
    let section = raw.get(..header_end).unwrap_or_default();
    let ends = memchr::memchr_iter(b'\n', section);
    let is_clean = ends.clone().all(|at| at > 0 && section.get(at - 1) == Some(&b'\r'));
    if is_clean && body_start == header_end + 2 {
        return raw.slice(..body_start);
    }
    let mut clean = Vec::with_capacity(section.len() + 64);
    for line in section.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        clean.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
        clean.extend_from_slice(b"\r\n");
    }
    clean.extend_from_slice(b"\r\n");
    clean.into()
}

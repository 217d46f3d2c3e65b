//! The lines that divide the parts (RFC 2046 §5.1.1).

use alloc::string::String;
use core::fmt::Write;

use memchr::memmem;
use sha2::{Digest, Sha256};

/// The longest boundary (RFC 2046 §5.1.1).
pub(super) const MAX_BOUNDARY: usize = 70;

/// `boundary` (RFC 2046 §5.1.1).
pub(super) fn is_boundary(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
    (1..=MAX_BOUNDARY).contains(&text.len()) && text.bytes().all(is_allowed) && !text.ends_with(' ')
}

/// A boundary that is nowhere in these texts: a hash of them, which none of them can contain but by chance, and then of one more byte.
pub(super) fn free_boundary<'a, I: Iterator<Item = &'a [u8]>>(
    texts: impl Fn() -> I,
    is_free: impl Fn(&str) -> bool,
) -> String {
    let mut hash = Sha256::new();
    texts().for_each(|text| hash.update(text));
    loop {
        let mut boundary = String::from("part-");
        for byte in hash.clone().finalize().iter().take(12) {
            // Writing to a text does not fail.
            let _ = write!(boundary, "{byte:02x}");
        }
        if is_free(&boundary) {
            return boundary;
        }
        hash.update(b"-");
    }
}

/// A line that divides parts.
pub(super) struct Delimiter {
    /// Where it starts, and where the line behind it does.
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) is_last: bool,
}

/// The lines that are `dashed` and white space, or `dashed`, `--` and anything that is not part of a word.
pub(super) fn delimiters<'a>(body: &'a [u8], dashed: &'a [u8]) -> impl Iterator<Item = Delimiter> + 'a {
    memmem::find_iter(body, dashed).filter_map(move |start| {
        if start > 0 && body.get(start - 1) != Some(&b'\n') {
            return None;
        }
        let rest = body.get(start + dashed.len()..)?;
        let is_last = rest.starts_with(b"--");
        let rest = if is_last { rest.get(2..)? } else { rest };
        let rest = rest.get(rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()..)?;
        let line_end = match rest {
            [b'\r', b'\n', ..] => 2,
            [b'\n', ..] => 1,
            [] => 0,
            _ => return None,
        };
        Some(Delimiter { start, end: body.len() - rest.len() + line_end, is_last })
    })
}

/// Where the content before a delimiter ends: the line break belongs to the delimiter.
pub(super) fn content_end(body: &[u8], delimiter: usize) -> usize {
    match body.get(..delimiter) {
        Some([.., b'\r', b'\n']) => delimiter - 2,
        Some([.., b'\n']) => delimiter - 1,
        _ => delimiter,
    }
}

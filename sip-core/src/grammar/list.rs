//! Values between commas.

use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use memchr::{memchr, memchr_iter, memchr3};

use super::quoted_string;
use crate::class::{self, TOKEN};

/// Cuts a comma-separated value where a comma is neither in quotes nor in angle brackets (RFC 3261 §7.3.1).
/// Empty values are left out.
pub(crate) fn list(value: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(value);
    core::iter::from_fn(move || {
        loop {
            // Separators with nothing between them are passed at once: a list may have nothing else.
            let current = rest?;
            let bytes = current.as_bytes();
            let start = bytes.iter().position(|byte| !matches!(byte, b',' | b' ' | b'\t')).unwrap_or(bytes.len());
            let current = current.get(start..).unwrap_or_default();
            let (item, after) = match next_comma(current).and_then(|at| current.split_at_checked(at)) {
                Some((item, after)) => (item, after.strip_prefix(',')),
                None => (current, None),
            };
            rest = after;
            let item = class::trim_wsp(item);
            if !item.is_empty() {
                return Some(item);
            }
        }
    })
}

/// The most values that a list has room for before they are read.
const LIST_ROOM: usize = 64;

/// What `read` makes of each value of a list, told its place, if all are tokens with nothing but commas and white space between them.
#[inline]
pub(crate) fn tokens<T>(list: &[u8], mut read: impl FnMut(&[u8], Range<usize>) -> T) -> Option<Vec<T>> {
    // There are no more values than commas and one.
    let most = memchr_iter(b',', list).count() + 1;
    let (mut tokens, mut at) = (Vec::with_capacity(most.min(LIST_ROOM)), 0);
    loop {
        while let Some(b',' | b' ' | b'\t') = list.get(at) {
            at += 1;
        }
        if at == list.len() {
            return Some(tokens);
        }
        let end = class::skip(list, at, TOKEN);
        let comma = class::skip_wsp_at(list, end);
        if end == at || !matches!(list.get(comma), None | Some(b',')) {
            return None;
        }
        tokens.push(read(list.get(at..end)?, at..end));
        at = comma;
    }
}

/// Where a list stops to be one of [`tokens`].
#[cold]
pub(crate) fn odd_token(list: &str) -> &str {
    let mut rest = list;
    loop {
        rest = rest.trim_start_matches([',', ' ', '\t']);
        let (token, after) = class::split(rest, TOKEN);
        rest = class::skip_wsp(after);
        if token.is_empty() || !rest.starts_with(',') {
            return rest;
        }
    }
}

/// Writes items with a separator between them.
#[inline]
pub(crate) fn write_list<T>(
    out: &mut String,
    separator: &str,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut String, T),
) {
    for (index, item) in items.into_iter().enumerate() {
        out.push_str(if index == 0 { "" } else { separator });
        write(out, item);
    }
}

/// Where the first value of a comma-separated list ends.
pub(crate) fn next_comma(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    loop {
        at += memchr3(b',', b'"', b'<', bytes.get(at..)?)?;
        let tail = text.get(at..)?;
        match bytes.get(at)? {
            b',' => return Some(at),
            b'"' => at = text.len() - quoted_string(tail).ok()?.0.len(),
            _ => at += memchr(b'>', tail.as_bytes())?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_cut_at_commas_outside_quotes_and_brackets() {
        #[track_caller]
        fn check(value: &str, expected: &[&str]) {
            assert_eq!(list(value).collect::<Vec<_>>(), expected);
        }
        check("", &[]);
        check("a", &["a"]);
        check("a, b\t,c", &["a", "b", "c"]);
        check(",a,,b,", &["a", "b"]);
        check("\"x, y\" <sip:a,b@c>;p=\"1,2\", <sip:d>", &["\"x, y\" <sip:a,b@c>;p=\"1,2\"", "<sip:d>"]);
        check(r#""a\",b", c"#, &[r#""a\",b""#, "c"]);
        check("\"open, quote", &["\"open, quote"]);
        check("<open, bracket", &["<open, bracket"]);
    }
}

//! Parameters one after the other, wherever they stand: those of a text are cut out when they are asked for.

use core::ops::Range;

use memchr::memchr;

use super::Param;
use crate::class::{self, PARAM_NAME, PARAM_VALUE};

/// One parameter: what `Param` holds, where it stands.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) name: &'a str,
    pub(super) value: Option<&'a str>,
    pub(super) quoted: bool,
}

impl Entry<'_> {
    #[inline]
    pub(super) fn is(&self, name: &str) -> bool {
        self.name.len() == name.len() && self.name.eq_ignore_ascii_case(name)
    }

    /// Whether the value is written in quotes in a header.
    pub(super) fn is_quoted(&self) -> bool {
        let needs_quotes = |value: &str| value.is_empty() || !class::all(value.as_bytes(), class::BARE_VALUE);
        self.quoted || self.value.is_some_and(needs_quotes)
    }
}

/// The parameters one after the other, wherever they stand.
pub(super) enum Entries<'a> {
    Text(&'a str),
    List(core::slice::Iter<'a, Param>),
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'a>> {
        match self {
            Entries::Text(rest) => {
                let (entry, after) = cut(rest)?;
                *rest = after;
                Some(entry)
            }
            Entries::List(list) => {
                let Param { name, value, quoted } = list.next()?;
                Some(Entry { name, value: value.as_deref(), quoted: *quoted })
            }
        }
    }
}

/// Where the parts of a parameter stand.
struct Places {
    name: Range<usize>,
    value: Option<Range<usize>>,
    quoted: bool,
    /// Where what follows it starts.
    next: usize,
}

/// The first parameter from `at` on of a text that was read before.
#[inline]
fn cut_at(text: &[u8], at: usize) -> Option<Places> {
    let at = class::skip_wsp_at(text, at);
    if text.get(at) != Some(&b';') {
        return None;
    }
    let start = class::skip_wsp_at(text, at + 1);
    let end = class::skip(text, start, PARAM_NAME);
    let name = start..end;
    let equals = class::skip_wsp_at(text, end);
    if text.get(equals) != Some(&b'=') {
        return Some(Places { name, value: None, quoted: false, next: end });
    }
    let start = class::skip_wsp_at(text, equals + 1);
    if text.get(start) == Some(&b'"') {
        let end = start + 1 + memchr(b'"', text.get(start + 1..)?)?;
        return Some(Places { name, value: Some(start + 1..end), quoted: true, next: end + 1 });
    }
    let end = class::skip(text, start, PARAM_VALUE);
    Some(Places { name, value: Some(start..end).filter(|value| !value.is_empty()), quoted: false, next: end })
}

/// The first parameter of a text that was read before, and what follows it.
#[inline]
fn cut(text: &str) -> Option<(Entry<'_>, &str)> {
    let Places { name, value, quoted, next } = cut_at(text.as_bytes(), 0)?;
    let value = value.and_then(|value| text.get(value));
    Some((Entry { name: text.get(name)?, value, quoted }, text.get(next..)?))
}

/// The first parameter `name` of a text that was read before.
pub(super) fn find_in<'a>(text: &'a [u8], name: &str) -> Option<Option<&'a str>> {
    let mut at = 0;
    while let Some(Places { name: found, value, next, .. }) = cut_at(text, at) {
        if text.get(found).is_some_and(|found| found.eq_ignore_ascii_case(name.as_bytes())) {
            return Some(value.and_then(|value| core::str::from_utf8(text.get(value)?).ok()));
        }
        at = next;
    }
    None
}

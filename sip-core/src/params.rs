use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::Range;
use core::str::FromStr;

use memchr::memchr;

use crate::class::{self, PARAM_NAME, PARAM_VALUE};
use crate::{ByteStr, InvalidText, grammar};

/// The parameters of a URI or a header value, in order: `;name` or `;name=value` (RFC 3261 §7.3.1, §19.1.1).
///
/// Names are compared case-insensitively. Values are without quotes and backslashes in a header, as written
/// (with their `%` escapes) in a URI. Of a name that stands there twice, which RFC 3261 forbids, the first counts.
///
/// Parameters that were received are looked for in the text that came; a list is made when they are changed.
///
/// ```
/// use blether_sip_core::NameAddr;
///
/// let mut address: NameAddr = "<sip:a@b>;tag=1;x".parse()?;
/// assert_eq!((address.params.get("TAG"), address.params.get("x")), (Some(Some("1")), Some(None)));
/// address.params.set("text", Some("two words"));
/// assert_eq!(address.params.to_string(), ";tag=1;x;text=\"two words\"");
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Clone)]
pub struct Params(Repr);

#[derive(Clone)]
enum Repr {
    /// As they were read: each `;name`, `;name=value` or `;name="value"` without backslashes, white space between.
    Text(ByteStr),
    List(Vec<Param>),
}

#[derive(Clone)]
struct Param {
    name: ByteStr,
    value: Option<ByteStr>,
    /// Written in quotes even where a token would do.
    quoted: bool,
}

/// One parameter: what `Param` holds, where it stands.
#[derive(Clone, Copy)]
struct Entry<'a> {
    name: &'a str,
    value: Option<&'a str>,
    quoted: bool,
}

impl Entry<'_> {
    #[inline]
    fn is(&self, name: &str) -> bool {
        self.name.len() == name.len() && self.name.eq_ignore_ascii_case(name)
    }

    /// Whether the value is written in quotes in a header.
    fn is_quoted(&self) -> bool {
        let needs_quotes = |value: &str| value.is_empty() || !class::all(value.as_bytes(), class::BARE_VALUE);
        self.quoted || self.value.is_some_and(needs_quotes)
    }
}

/// The parameters one after the other, wherever they stand.
enum Entries<'a> {
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
fn find_in<'a>(text: &'a [u8], name: &str) -> Option<Option<&'a str>> {
    let mut at = 0;
    while let Some(Places { name: found, value, next, .. }) = cut_at(text, at) {
        if text.get(found).is_some_and(|found| found.eq_ignore_ascii_case(name.as_bytes())) {
            return Some(value.and_then(|value| core::str::from_utf8(text.get(value)?).ok()));
        }
        at = next;
    }
    None
}

impl Params {
    /// No parameters.
    #[must_use]
    pub const fn new() -> Self {
        Params(Repr::List(Vec::new()))
    }

    /// Parameters as a rule has read them, without backslashes; see [`Repr::Text`].
    pub(crate) fn from_text(text: ByteStr) -> Self {
        if text.as_bytes().is_empty() { Params::new() } else { Params(Repr::Text(text)) }
    }

    fn entries(&self) -> Entries<'_> {
        match &self.0 {
            Repr::Text(text) => Entries::Text(text),
            Repr::List(list) => Entries::List(list.iter()),
        }
    }

    /// What makes two lists of parameters equal: that they are written the same.
    fn compared(&self) -> impl Iterator<Item = (&str, Option<&str>, bool)> {
        self.entries().map(|entry| (entry.name, entry.value, entry.is_quoted()))
    }

    /// Changes the parameters as a list.
    fn change<R>(&mut self, change: impl FnOnce(&mut Vec<Param>) -> R) -> R {
        let mut list = match core::mem::replace(&mut self.0, Repr::List(Vec::new())) {
            Repr::List(list) => list,
            Repr::Text(text) => Entries::Text(&text)
                .map(|Entry { name, value, quoted }| Param {
                    name: text.share(name),
                    value: value.map(|value| text.share(value)),
                    quoted,
                })
                .collect(),
        };
        let result = change(&mut list);
        self.0 = Repr::List(list);
        result
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries().count()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries().next().is_none()
    }

    fn find(&self, name: &str) -> Option<Entry<'_>> {
        self.entries().find(|entry| entry.is(name))
    }

    /// The parameter `name`: `None` if absent, `Some(None)` if it has no value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Option<&str>> {
        match &self.0 {
            Repr::Text(text) => find_in(text.as_bytes(), name),
            Repr::List(_) => self.find(name).map(|entry| entry.value),
        }
    }

    /// The value of the parameter `name`; `None` if it is absent or has none.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.get(name).flatten()
    }

    /// The value of the parameter `name`, sharing its memory.
    #[must_use]
    pub fn value_shared(&self, name: &str) -> Option<ByteStr> {
        match &self.0 {
            Repr::Text(text) => self.value(name).map(|value| text.share(value)),
            Repr::List(list) => {
                list.iter().find(|param| param.name.eq_ignore_ascii_case(name)).and_then(|param| param.value.clone())
            }
        }
    }

    /// Whether the parameter `name` is there, with or without a value.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Sets the parameter `name` where it stands, or adds it at the end; others of the same name go.
    pub fn set(&mut self, name: &str, value: Option<&str>) {
        self.put(name, value, false);
    }

    /// Like [`Params::set`], and the value is written in quotes whatever it contains.
    pub fn set_quoted(&mut self, name: &str, value: &str) {
        self.put(name, Some(value), true);
    }

    fn put(&mut self, name: &str, value: Option<&str>, quoted: bool) {
        let is_it = |param: &Param| param.name.as_bytes().eq_ignore_ascii_case(name.as_bytes());
        let param = Param { name: name.into(), value: value.map(ByteStr::from), quoted };
        self.change(|list| match list.iter().position(is_it) {
            Some(at) => {
                let mut index = 0;
                list.retain(|other| {
                    index += 1;
                    index - 1 <= at || !is_it(other)
                });
                if let Some(slot) = list.get_mut(at) {
                    *slot = param;
                }
            }
            None => list.push(param),
        });
    }

    /// Removes the parameter `name`; says whether it was there.
    pub fn remove(&mut self, name: &str) -> bool {
        if !self.has(name) {
            return false;
        }
        self.change(|list| list.retain(|param| !param.name.as_bytes().eq_ignore_ascii_case(name.as_bytes())));
        true
    }

    /// Takes the parameter `name` out, for a header that has a field for it; what [`Params::get`] said of it.
    pub(crate) fn take(&mut self, name: &str) -> Option<Option<ByteStr>> {
        let value = self.has(name).then(|| self.value_shared(name));
        self.remove(name);
        value
    }

    /// Those before the parameter `name`, its value, and those behind it; `None` if it is absent.
    pub(crate) fn split_at(&self, name: &str) -> Option<(Params, Option<ByteStr>, Params)> {
        let mut before = self.clone();
        let mut behind = before.change(|list| {
            let at = list.iter().position(|param| param.name.eq_ignore_ascii_case(name))?;
            Some(list.split_off(at))
        })?;
        let named = behind.remove(0);
        Some((before, named.value, Params(Repr::List(behind))))
    }

    /// The parameters in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.entries().map(|Entry { name, value, .. }| (name, value))
    }

    /// Adds a parameter as it was read; the flag says whether its value stood in quotes.
    pub(crate) fn append(&mut self, name: ByteStr, value: Option<(ByteStr, bool)>) {
        let quoted = value.as_ref().is_some_and(|(_, quoted)| *quoted);
        self.change(|list| list.push(Param { name, value: value.map(|(text, _)| text), quoted }));
    }

    /// Writes them as parameters of a header value: what is not one word is quoted.
    pub(crate) fn write(&self, out: &mut alloc::string::String) {
        self.write_without(out, &[]);
    }

    /// [`Params::write`] but for the names that the header has fields for.
    pub(crate) fn write_without(&self, out: &mut alloc::string::String, fields: &[&str]) {
        let others = |entry: &Entry<'_>| !fields.iter().any(|field| entry.is(field));
        for entry in self.entries().filter(others) {
            out.push(';');
            grammar::write_token(out, entry.name, "x");
            let Some(value) = entry.value else { continue };
            out.push('=');
            if entry.is_quoted() {
                grammar::write_quoted(out, value);
            } else {
                out.push_str(value);
            }
        }
    }
}

impl Default for Params {
    fn default() -> Self {
        Params::new()
    }
}

impl PartialEq for Params {
    fn eq(&self, other: &Self) -> bool {
        self.compared().eq(other.compared())
    }
}

impl Eq for Params {}

impl Hash for Params {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for entry in self.compared() {
            entry.hash(state);
        }
        state.write_u8(u8::MAX); // no entry starts with it
    }
}

impl PartialOrd for Params {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Params {
    fn cmp(&self, other: &Self) -> Ordering {
        self.compared().cmp(other.compared())
    }
}

impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = alloc::string::String::new();
        self.write(&mut text);
        f.write_str(&text)
    }
}

impl FromStr for Params {
    type Err = InvalidText;

    /// Reads parameters as they stand in a header, from their first semicolon on; none of an empty text.
    fn from_str(text: &str) -> Result<Self, InvalidText> {
        let text = ByteStr::from(text);
        match grammar::params(&text, &text) {
            Ok((rest, params)) if class::skip_wsp(rest).is_empty() => Ok(params),
            _ => Err(InvalidText::Params),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(text: &str) -> Params {
        text.parse().unwrap()
    }

    #[test]
    fn names_are_compared_without_case() {
        let read = params(";Expires=3600 ; LR;x=\"a b\"");
        assert_eq!(read.value("expires"), Some("3600"));
        assert_eq!(read.get("lr"), Some(None));
        assert_eq!((read.value("lr"), read.has("lr")), (None, true));
        assert_eq!(read.value("X"), Some("a b"));
        assert_eq!(read.get("y"), None);
    }

    #[test]
    fn setting_a_parameter_keeps_its_place_and_leaves_one() {
        let mut edited = params(";a=1;b=2;A=3;c");
        edited.set("a", Some("9"));
        assert_eq!(edited.to_string(), ";a=9;b=2;c");
        edited.set("d", None);
        assert!(edited.remove("B"));
        assert!(!edited.remove("b"));
        assert_eq!(edited.to_string(), ";a=9;c;d");
    }

    #[test]
    fn a_value_that_is_not_one_word_is_quoted() {
        let mut written = Params::new();
        written.set("text", Some("say \"hi\"; go\r\n"));
        written.set("empty", Some(""));
        written.set("b ad", None);
        assert_eq!(written.to_string(), ";text=\"say \\\"hi\\\"; go  \";empty=\"\";bad");
    }

    #[test]
    fn what_is_written_reads_again() {
        let mut made = Params::new();
        made.set("a", Some("two \"words\""));
        made.set("b", Some(""));
        made.set_quoted("c", "x");
        made.set("d", None);
        assert_eq!(made.to_string().parse(), Ok(made));
        assert_eq!(" \t".parse(), Ok(Params::new()));
        for text in ["a=1", ";", ";a;", ";a=", ";a=\"", ";a b", &";a".repeat(65)] {
            assert_eq!(text.parse::<Params>(), Err(InvalidText::Params), "{text}");
        }
    }

    #[test]
    fn a_parameter_with_a_field_of_its_own_is_taken_out() {
        let mut taken = params(";a=1;q=\"2\";b;Q=3");
        let (before, q, behind) = taken.split_at("Q").unwrap();
        assert_eq!((before.to_string(), q.as_deref(), behind.to_string()), (";a=1".into(), Some("2"), ";b;Q=3".into()));
        assert_eq!(
            (taken.take("q"), taken.take("q"), taken.to_string()),
            (Some(Some("2".into())), None, ";a=1;b".into())
        );
        assert_eq!((taken.take("b"), taken.split_at("b")), (Some(None), None));
    }

    #[test]
    fn quotes_that_stood_there_are_kept() {
        assert_eq!(params(";a=\"b\";c=d").to_string(), ";a=\"b\";c=d");
    }
}

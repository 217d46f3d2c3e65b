mod text;

use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::str::FromStr;

use self::text::{Entries, Entry, find_in};
use crate::grammar::ParamCount;
use crate::{ByteStr, InvalidText, class, grammar};

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
    ///
    /// There are at most 64, and besides them `tag`, `received` and `rport`, since no more would be read: what is over is not added.
    pub fn set(&mut self, name: &str, value: Option<&str>) {
        self.put(name, value, false);
    }

    /// Like [`Params::set`], and the value is written in quotes whatever it contains.
    pub fn set_quoted(&mut self, name: &str, value: &str) {
        self.put(name, Some(value), true);
    }

    fn put(&mut self, name: &str, value: Option<&str>, quoted: bool) {
        if !self.has(name) && !self.has_room_for(name) {
            return;
        }
        if !quoted && self.append_plain(name, value) {
            return;
        }
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

    /// Whether one more, of this name, would still be read.
    fn has_room_for(&self, name: &str) -> bool {
        let mut count = ParamCount::default();
        self.entries().map(|entry| entry.name).chain([name]).fold(true, |_, name| count.add(name))
    }

    /// Adds a parameter that is not there yet and needs no quotes to a text, which takes less than a list. Says whether it did.
    fn append_plain(&mut self, name: &str, value: Option<&str>) -> bool {
        let is_plain = |value: &str| !value.is_empty() && class::all(value.as_bytes(), class::BARE_VALUE);
        let before = match &self.0 {
            Repr::Text(text) => text.as_str(),
            Repr::List(list) if list.is_empty() => "",
            Repr::List(_) => return false,
        };
        if !grammar::is_token(name) || !value.is_none_or(is_plain) || find_in(before.as_bytes(), name).is_some() {
            return false;
        }
        let (equals, value) = value.map_or(("", ""), |value| ("=", value));
        self.0 = Repr::Text([before, ";", name, equals, value].concat().into());
        true
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
mod tests;

use std::fmt;

use crate::ByteStr;
use crate::grammar;

/// The parameters of a URI or a header value, in order: `;name` or `;name=value` (RFC 3261 §7.3.1, §19.1.1).
///
/// Names are compared case-insensitively. Values are without quotes and backslashes in a header, as written
/// (with their `%` escapes) in a URI. Of a name that stands there twice, which RFC 3261 forbids, the first counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Params(Vec<Param>);

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
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
        Params(Vec::new())
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn find(&self, name: &str) -> Option<&Param> {
        self.0.iter().find(|param| param.name.as_bytes().eq_ignore_ascii_case(name.as_bytes()))
    }

    /// The parameter `name`: `None` if absent, `Some(None)` if it has no value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Option<&str>> {
        self.find(name).map(|param| param.value.as_deref())
    }

    /// The value of the parameter `name`; `None` if it is absent or has none.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.get(name).flatten()
    }

    /// The value of the parameter `name`, sharing its memory.
    #[must_use]
    pub fn value_shared(&self, name: &str) -> Option<ByteStr> {
        self.find(name).and_then(|param| param.value.clone())
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
        match self.0.iter().position(is_it) {
            Some(at) => {
                let mut index = 0;
                self.0.retain(|other| {
                    index += 1;
                    index - 1 <= at || !is_it(other)
                });
                if let Some(slot) = self.0.get_mut(at) {
                    *slot = param;
                }
            }
            None => self.push(param),
        }
    }

    /// Adds a parameter, and no room for more: most places have one or two, and keep them for as long as a call lasts.
    fn push(&mut self, param: Param) {
        self.0.reserve_exact(1);
        self.0.push(param);
    }

    /// Removes the parameter `name`; says whether it was there.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|param| !param.name.as_bytes().eq_ignore_ascii_case(name.as_bytes()));
        before != self.0.len()
    }

    /// The parameters in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|param| (param.name.as_str(), param.value.as_deref()))
    }

    /// Adds a parameter as it was read; the flag says whether its value stood in quotes.
    pub(crate) fn append(&mut self, name: ByteStr, value: Option<(ByteStr, bool)>) {
        let quoted = value.as_ref().is_some_and(|(_, quoted)| *quoted);
        self.push(Param { name, value: value.map(|(text, _)| text), quoted });
    }

    /// Writes them as parameters of a header value: what is not one word is quoted.
    pub(crate) fn write(&self, out: &mut String) {
        for Param { name, value, quoted } in &self.0 {
            out.push(';');
            grammar::write_token(out, name, "x");
            let Some(value) = value else { continue };
            out.push('=');
            if *quoted || value.is_empty() || !value.chars().all(grammar::is_bare_value_char) {
                grammar::write_quoted(out, value);
            } else {
                out.push_str(value);
            }
        }
    }
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.write(&mut text);
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(text: &str) -> Params {
        let text = ByteStr::from(text);
        grammar::params(&text, &text).unwrap().1
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
    fn quotes_that_stood_there_are_kept() {
        assert_eq!(params(";a=\"b\";c=d").to_string(), ";a=\"b\";c=d");
    }
}

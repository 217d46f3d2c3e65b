//! The `scheme name=value, name="value"` syntax that the headers share, and the list without a scheme
//! of Authentication-Info (RFC 7235 §2.1, RFC 3261 §25.1).

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::DigestError;
use crate::class::{self, TOKEN};
use crate::{ByteStr, grammar};

/// Digest defines 13 parameters; the rest is room for extensions.
pub(super) const MAX_PARAMETERS: usize = 32;

/// More than most headers have.
const USUAL_PARAMETERS: usize = 12;

/// A parameter that has no field of its own, kept so that it can be written again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parameter {
    pub(super) name: ByteStr,
    /// Unescaped.
    pub(super) value: ByteStr,
    quoted: bool,
}

/// A header value split in scheme and parameters.
pub(super) enum Split<'a> {
    Digest(Parameters<'a>),
    Foreign(Foreign),
}

/// A value of another scheme than Digest, with all that follows the name of the scheme as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Foreign {
    pub(super) scheme: ByteStr,
    rest: ByteStr,
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = String::from(&*self.scheme);
        line.push(' ');
        grammar::write_text(&mut line, &self.rest);
        f.write_str(&line)
    }
}

/// The parameters of a Digest header, none of them twice. Fields are taken out by name; what is left is an extension.
pub(super) struct Parameters<'a> {
    whole: &'a ByteStr,
    list: Vec<Standing<'a>>,
}

/// A parameter where it stands.
struct Standing<'a> {
    name: Name<'a>,
    /// Still with its backslashes, if it is quoted.
    value: &'a str,
    quoted: bool,
    /// Whether it was taken out.
    taken: bool,
}

/// The name of a parameter, compared without case.
#[derive(Clone, Copy)]
struct Name<'a> {
    text: &'a str,
    /// Its first letter in lower case, which with its length tells most names apart.
    first: u8,
}

impl<'a> Name<'a> {
    #[inline(always)]
    fn of(text: &'a str) -> Self {
        let first = text.as_bytes().first().map_or(0, u8::to_ascii_lowercase);
        Self { text, first }
    }

    #[inline(always)]
    fn is(self, other: Name<'_>) -> bool {
        // As a rule a name is written as the RFC has it.
        let may_be = self.text.len() == other.text.len() && self.first == other.first;
        may_be && (self.text == other.text || self.text.eq_ignore_ascii_case(other.text))
    }
}

impl<'a> Standing<'a> {
    /// The value, unescaped.
    fn text(&self) -> Cow<'a, str> {
        if self.quoted { grammar::unquote(self.value) } else { Cow::Borrowed(self.value) }
    }

    /// The same, sharing the memory of `whole`.
    fn share(&self, whole: &ByteStr) -> ByteStr {
        if self.quoted { grammar::unquoted(whole, self.value) } else { whole.share(self.value) }
    }
}

impl<'a> Parameters<'a> {
    fn find(&mut self, name: &str) -> Option<&Standing<'a>> {
        let name = Name::of(name);
        let found = self.list.iter_mut().find(|p| p.name.is(name))?;
        found.taken = true;
        Some(found)
    }

    /// Removes a parameter and hands out its value, unescaped.
    pub(super) fn take(&mut self, name: &str) -> Option<ByteStr> {
        let whole = self.whole;
        self.find(name).map(|found| found.share(whole))
    }

    /// Like `take`, for a word that `known` may know, so that its text need not be kept.
    pub(super) fn take_word<T: From<ByteStr>>(&mut self, name: &str, known: fn(&str) -> Option<T>) -> Option<T> {
        let whole = self.whole;
        self.find(name).map(|found| known(&found.text()).unwrap_or_else(|| found.share(whole).into()))
    }

    /// Like `take`, for a parameter that must be there.
    pub(super) fn require(&mut self, name: &'static str) -> Result<ByteStr, DigestError> {
        self.take(name).ok_or(DigestError::Missing(name))
    }

    /// Removes a parameter that is true or false, and false unless it is said to be true.
    pub(super) fn flag(&mut self, name: &str) -> bool {
        self.find(name).is_some_and(|found| found.text().eq_ignore_ascii_case("true"))
    }

    /// Removes `nc`: eight hexadecimal digits (RFC 7616 §3.4).
    pub(super) fn nonce_count(&mut self) -> Result<Option<u32>, DigestError> {
        let Some(digits) = self.find("nc").map(Standing::text) else { return Ok(None) };
        let valid = digits.len() == 8 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let count = valid.then(|| u32::from_str_radix(&digits, 16).ok()).flatten();
        count.map(Some).ok_or(DigestError::BadValue("nc"))
    }

    pub(super) fn into_rest(self) -> Vec<Parameter> {
        let rest = self.list.iter().filter(|p| !p.taken);
        let whole = self.whole;
        rest.map(|p| Parameter { name: whole.share(p.name.text), value: p.share(whole), quoted: p.quoted }).collect()
    }
}

/// Splits a header value in scheme and parameters, which share its memory.
pub(super) fn split(value: &ByteStr) -> Result<Split<'_>, DigestError> {
    let mut cursor = Cursor::new(value)?;
    cursor.skip_space();
    let scheme = cursor.token();
    if scheme.is_empty() {
        return Err(DigestError::NoScheme);
    }
    if !cursor.rest().is_empty() && !cursor.skip_space() {
        return Err(DigestError::Syntax { at: cursor.at });
    }
    if !scheme.eq_ignore_ascii_case("Digest") {
        let rest = cursor.rest().trim_end_matches(is_space);
        return Ok(Split::Foreign(Foreign { scheme: value.share(scheme), rest: value.share(rest) }));
    }
    cursor.parameters().map(Split::Digest)
}

/// Splits the value of a header that has no scheme.
pub(super) fn bare(value: &ByteStr) -> Result<Parameters<'_>, DigestError> {
    Cursor::new(value)?.parameters()
}

/// Writes `name=value` pairs with commas between, after a scheme.
pub(super) struct Writer<'a, 'f> {
    out: &'a mut fmt::Formatter<'f>,
    first: bool,
}

impl<'a, 'f> Writer<'a, 'f> {
    pub(super) fn digest(out: &'a mut fmt::Formatter<'f>) -> Result<Self, fmt::Error> {
        out.write_str("Digest ")?;
        Ok(Self::bare(out))
    }

    /// Without a scheme.
    pub(super) fn bare(out: &'a mut fmt::Formatter<'f>) -> Self {
        Self { out, first: true }
    }

    pub(super) fn token(&mut self, name: &str, value: impl fmt::Display) -> fmt::Result {
        let comma = if core::mem::take(&mut self.first) { "" } else { ", " };
        write!(self.out, "{comma}{name}={value}")
    }

    pub(super) fn quoted(&mut self, name: &str, value: &str) -> fmt::Result {
        self.token(name, Quoted(value))
    }

    /// A value that must not be quoted, unless that is the only way to write it: a peer may have quoted anything.
    pub(super) fn word(&mut self, name: &str, value: &str) -> fmt::Result {
        if grammar::is_token(value) { self.token(name, value) } else { self.quoted(name, value) }
    }

    pub(super) fn rest(&mut self, parameters: &[Parameter]) -> fmt::Result {
        for p in parameters {
            if p.quoted { self.quoted(&p.name, &p.value) } else { self.token(&p.name, &p.value) }?;
        }
        Ok(())
    }
}

/// A quoted-string. Control characters, which would not be read, become spaces.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                c if c.is_ascii_control() && c != '\t' => f.write_char(' ')?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

struct Cursor<'a> {
    whole: &'a ByteStr,
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// Line folds, if still in it, count as white space; other control characters, which could not be written again, have no
    /// place in it.
    fn new(whole: &'a ByteStr) -> Result<Self, DigestError> {
        let text = whole.as_str();
        let is_bad = |c: char| c.is_ascii_control() && !is_space(c);
        match class::has_control(text.as_bytes()).then(|| text.find(is_bad)).flatten() {
            Some(at) => Err(DigestError::Syntax { at }),
            None => Ok(Self { whole, text, at: 0 }),
        }
    }

    /// `#auth-param`, to the end.
    fn parameters(&mut self) -> Result<Parameters<'a>, DigestError> {
        let mut list: Vec<Standing<'a>> = Vec::with_capacity(USUAL_PARAMETERS);
        loop {
            // Empty list elements are skipped, as every reader of a comma list must (RFC 7230 §7).
            while self.skip_space() || self.eat(b',') {}
            if self.is_at_end() {
                return Ok(Parameters { whole: self.whole, list });
            }
            if list.len() == MAX_PARAMETERS {
                return Err(DigestError::TooManyParameters { limit: MAX_PARAMETERS });
            }
            let parameter = self.parameter()?;
            if list.iter().any(|p| p.name.is(parameter.name)) {
                return Err(DigestError::Duplicate(self.whole.share(parameter.name.text)));
            }
            list.push(parameter);
            self.skip_space();
            if !self.is_at_end() && !self.eat(b',') {
                return Err(DigestError::Syntax { at: self.at });
            }
        }
    }

    fn is_at_end(&self) -> bool {
        self.at >= self.text.len()
    }

    /// The next byte, if there is one.
    fn next(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The text from here to `end`, where reading goes on.
    fn take_to(&mut self, end: usize) -> &'a str {
        let text = self.text.get(self.at..end).unwrap_or_default();
        self.at = end;
        text
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Says whether there was any.
    fn skip_space(&mut self) -> bool {
        let before = self.at;
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.next() {
            self.at += 1;
        }
        self.at > before
    }

    fn eat(&mut self, wanted: u8) -> bool {
        let found = self.next() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn token(&mut self) -> &'a str {
        self.take_to(class::skip(self.text.as_bytes(), self.at, TOKEN))
    }

    fn parameter(&mut self) -> Result<Standing<'a>, DigestError> {
        let name = self.token();
        self.skip_space();
        if name.is_empty() || !self.eat(b'=') {
            return Err(DigestError::Syntax { at: self.at });
        }
        self.skip_space();
        let quoted = self.next() == Some(b'"');
        let value = if quoted {
            let Ok((after, content)) = grammar::quoted_string(self.rest()) else {
                return Err(DigestError::Syntax { at: self.text.len() });
            };
            self.at = self.text.len() - after.len();
            content
        } else {
            self.unquoted()
        };
        if value.is_empty() && !quoted {
            return Err(DigestError::Syntax { at: self.at });
        }
        Ok(Standing { name: Name::of(name), value, quoted, taken: false })
    }

    /// An unquoted value. More lenient than a token, as peers leave out quotes around URIs and base64.
    fn unquoted(&mut self) -> &'a str {
        let mut end = self.at;
        while let Some(byte) = self.text.as_bytes().get(end)
            && !matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b',' | b'"')
        {
            end += 1;
        }
        self.take_to(end)
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, expected: Result<&[(&str, &str)], DigestError>) {
        let got = split(&value.into()).map(|s| match s {
            Split::Digest(p) => p.into_rest().iter().map(|p| (p.name.to_string(), p.value.to_string())).collect(),
            Split::Foreign(Foreign { scheme, rest }) => vec![(scheme.to_string(), rest.to_string())],
        });
        let expected = expected.map(|e| e.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect::<Vec<_>>());
        assert_eq!(got, expected, "{value}");
    }

    #[test]
    fn parameters_are_read_with_any_space_and_empty_elements() {
        check("Digest a=1", Ok(&[("a", "1")]));
        check(" digest\ta = \"1\" ,, b=x/y==\r\n ,c=\"\",", Ok(&[("a", "1"), ("b", "x/y=="), ("c", "")]));
        check("Digest", Ok(&[]));
    }

    #[test]
    fn quoting_slashes_are_removed_and_commas_inside_quotes_do_not_separate() {
        check(r#"Digest realm="a, \"b\" \\ c", x=1"#, Ok(&[("realm", r#"a, "b" \ c"#), ("x", "1")]));
        check("Digest realm=\"caf\u{e9}\"", Ok(&[("realm", "caf\u{e9}")]));
    }

    #[test]
    fn other_schemes_are_kept_whole() {
        check("Basic QWxhZGRpbg==", Ok(&[("Basic", "QWxhZGRpbg==")]));
        check("Negotiate", Ok(&[("Negotiate", "")]));
    }

    #[test]
    fn what_breaks_the_grammar_is_refused_with_its_place() {
        check("", Err(DigestError::NoScheme));
        check(", Digest", Err(DigestError::NoScheme));
        check("Digest a", Err(DigestError::Syntax { at: 8 }));
        check("Digest a=", Err(DigestError::Syntax { at: 9 }));
        check("Digest a=\"b", Err(DigestError::Syntax { at: 11 }));
        check("Digest a=\"b\\", Err(DigestError::Syntax { at: 12 }));
        check("Digest a=b c=d", Err(DigestError::Syntax { at: 11 }));
        check("Digest=x", Err(DigestError::Syntax { at: 6 }));
        check("Digest a=b\0c", Err(DigestError::Syntax { at: 10 }));
        check("Digest a=\"b\\\u{b}\"", Err(DigestError::Syntax { at: 12 }));
        check("Basic \u{4}*", Err(DigestError::Syntax { at: 6 }));
        check("Digest nonce=1, NONCE=2", Err(DigestError::Duplicate("NONCE".into())));
    }

    #[test]
    fn the_number_of_parameters_is_bounded() {
        let many: String = (0..=MAX_PARAMETERS).map(|n| format!("p{n}=1,")).collect();
        check(&format!("Digest {many}"), Err(DigestError::TooManyParameters { limit: MAX_PARAMETERS }));
    }
}

//! The `scheme name=value, name="value"` syntax that the headers share, and the list without a scheme
//! of Authentication-Info (RFC 7235 §2.1, RFC 3261 §25.1).

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use memchr::memchr2;

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

macro_rules! fields {
    ($($field:ident $name:literal)*) => {
        /// A parameter that some header has a field for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub(super) enum Field {
            $($field,)*
        }

        const FIELDS: usize = [$($name),*].len();

        impl Field {
            pub(super) const fn name(self) -> &'static str {
                match self {
                    $(Field::$field => $name,)*
                }
            }

            /// The field of this name, in any case.
            fn named(name: &[u8]) -> Option<Field> {
                $(if name.eq_ignore_ascii_case($name.as_bytes()) {
                    return Some(Field::$field);
                })*
                None
            }

            /// The field of this [`start`] of a name.
            #[inline]
            fn starting_with(name: u64) -> Option<Field> {
                $(if name == const { start($name.as_bytes()) } {
                    return Some(Field::$field);
                })*
                None
            }
        }
    };
}

fields! {
    Algorithm "algorithm"
    Charset "charset"
    Cnonce "cnonce"
    Domain "domain"
    Nc "nc"
    NextNonce "nextnonce"
    Nonce "nonce"
    Opaque "opaque"
    Qop "qop"
    Realm "realm"
    Response "response"
    RspAuth "rspauth"
    Stale "stale"
    Uri "uri"
    Userhash "userhash"
    Username "username"
    ExtendedUsername "username*"
}

/// The first eight bytes of a name in small letters, with NULs behind it.
const fn start(name: &[u8]) -> u64 {
    let (mut start, mut at) = (0, 0);
    while at < 8 && at < name.len() {
        #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
        {
            start |= (name[at] as u64) << (8 * at);
        }
        at += 1;
    }
    start
}

impl Field {
    /// The field whose name `text` starts with, if a `=` follows at once, and the length of the name. `None` if it is another one,
    /// or cannot be told this fast.
    #[inline]
    fn at_start(text: &[u8]) -> Option<(Field, usize)> {
        const EQUALS: u64 = u64::from_le_bytes([b'='; 8]);
        const LOWEST: u64 = u64::from_le_bytes([1; 8]);
        // Makes small letters of capitals, and letters of nothing else.
        const SMALL: u64 = u64::from_le_bytes([b' '; 8]);
        let [name @ .., ninth, tenth] = text.first_chunk::<10>()?;
        let name = u64::from_le_bytes(*name);
        let others = name ^ EQUALS;
        // The lowest of these bits is that of the first `=`.
        let equals = others.wrapping_sub(LOWEST) & !others & (LOWEST << 7);
        let name = name | SMALL;
        if equals != 0 {
            let bits = equals.trailing_zeros() & !7;
            return Some((Field::starting_with(name & !(u64::MAX << bits))?, bits as usize / 8));
        }
        let field = Field::starting_with(name)?;
        match field.name().as_bytes() {
            [_, _, _, _, _, _, _, _] => (*ninth == b'=').then_some((field, 8)),
            [_, _, _, _, _, _, _, _, last] => {
                (ninth.to_ascii_lowercase() == *last && *tenth == b'=').then_some((field, 9))
            }
            _ => None,
        }
    }
}

/// The parameters of a Digest header, none of them twice. Fields are taken out by name; what is left is an extension.
pub(super) struct Parameters<'a> {
    whole: &'a ByteStr,
    list: Vec<Standing>,
    /// The place of each field in the list, counted from 1.
    places: [u8; FIELDS],
}

/// A parameter where it stands.
struct Standing {
    field: Option<Field>,
    name: Range<usize>,
    /// Still with its backslashes, if it is quoted.
    value: Range<usize>,
    quoted: bool,
    /// Whether it is quoted and has backslashes.
    escaped: bool,
    /// Whether it was taken out.
    taken: bool,
}

impl Standing {
    /// The value, unescaped.
    fn text<'a>(&self, whole: &'a ByteStr) -> Cow<'a, [u8]> {
        let value = whole.as_bytes().get(self.value.clone()).unwrap_or_default();
        match core::str::from_utf8(value) {
            Ok(value) if self.escaped => match grammar::unquote(value) {
                Cow::Borrowed(plain) => Cow::Borrowed(plain.as_bytes()),
                Cow::Owned(plain) => Cow::Owned(plain.into_bytes()),
            },
            _ => Cow::Borrowed(value),
        }
    }

    /// The same, sharing the memory of `whole`.
    #[inline]
    fn share(&self, whole: &ByteStr) -> ByteStr {
        let value = whole.part(self.value.clone());
        if self.escaped { grammar::unquoted(whole, &value) } else { value }
    }
}

impl Parameters<'_> {
    #[inline]
    fn find(&mut self, field: Field) -> Option<&Standing> {
        let place = usize::from(*self.places.get(field as usize)?).checked_sub(1)?;
        let found = self.list.get_mut(place)?;
        found.taken = true;
        Some(found)
    }

    /// Removes a parameter and hands out its value, unescaped.
    #[inline]
    pub(super) fn take(&mut self, field: Field) -> Option<ByteStr> {
        let whole = self.whole;
        self.find(field).map(|found| found.share(whole))
    }

    /// Like `take`, for a word that `known` may know, so that its text need not be kept.
    pub(super) fn take_word<T: From<ByteStr>>(&mut self, field: Field, known: fn(&str) -> Option<T>) -> Option<T> {
        let whole = self.whole;
        let found = self.find(field)?;
        let text = found.text(whole);
        let known = core::str::from_utf8(&text).ok().and_then(known);
        Some(known.unwrap_or_else(|| found.share(whole).into()))
    }

    /// Like `take`, for a parameter that must be there.
    #[inline]
    pub(super) fn require(&mut self, field: Field) -> Result<ByteStr, DigestError> {
        self.take(field).ok_or(DigestError::Missing(field.name()))
    }

    /// Removes a parameter that is true or false, and false unless it is said to be true.
    pub(super) fn flag(&mut self, field: Field) -> bool {
        let whole = self.whole;
        self.find(field).is_some_and(|found| found.text(whole).eq_ignore_ascii_case(b"true"))
    }

    /// Removes `nc`: eight hexadecimal digits (RFC 7616 §3.4).
    pub(super) fn nonce_count(&mut self) -> Result<Option<u32>, DigestError> {
        let whole = self.whole;
        let Some(digits) = self.find(Field::Nc).map(|found| found.text(whole)) else { return Ok(None) };
        let digit = |count: u32, byte: &u8| Some(count << 4 | char::from(*byte).to_digit(16)?);
        let count = if digits.len() == 8 { digits.iter().try_fold(0, digit) } else { None };
        count.map(Some).ok_or(DigestError::BadValue(Field::Nc.name()))
    }

    pub(super) fn into_rest(self) -> Vec<Parameter> {
        let rest = self.list.iter().filter(|p| !p.taken);
        let whole = self.whole;
        rest.map(|p| Parameter { name: whole.part(p.name.clone()), value: p.share(whole), quoted: p.quoted }).collect()
    }
}

/// Splits a header value in scheme and parameters, which share its memory.
pub(super) fn split(value: &ByteStr) -> Result<Split<'_>, DigestError> {
    let mut cursor = Cursor::new(value)?;
    cursor.skip_space();
    let scheme = cursor.at..class::skip(cursor.text, cursor.at, TOKEN);
    cursor.at = scheme.end;
    if scheme.is_empty() {
        return Err(DigestError::NoScheme);
    }
    if !cursor.is_at_end() && !cursor.skip_space() {
        return Err(DigestError::Syntax { at: cursor.at });
    }
    if !value.as_bytes().get(scheme.clone()).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"Digest")) {
        let kept = cursor.rest().iter().rposition(|byte| !is_space(*byte)).map_or(0, |last| last + 1);
        return Ok(Split::Foreign(Foreign {
            scheme: value.part(scheme),
            rest: value.part(cursor.at..cursor.at + kept),
        }));
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
    text: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// Line folds, if still in it, count as white space; other control characters, which could not be written again, have no
    /// place in it.
    fn new(whole: &'a ByteStr) -> Result<Self, DigestError> {
        let text = whole.as_bytes();
        let is_bad = |byte: &u8| byte.is_ascii_control() && !is_space(*byte);
        match class::has_control(text).then(|| text.iter().position(is_bad)).flatten() {
            Some(at) => Err(DigestError::Syntax { at }),
            None => Ok(Self { whole, text, at: 0 }),
        }
    }

    /// `#auth-param`, to the end.
    fn parameters(&mut self) -> Result<Parameters<'a>, DigestError> {
        let list = Vec::with_capacity(USUAL_PARAMETERS);
        let mut parameters = Parameters { whole: self.whole, list, places: [0; FIELDS] };
        loop {
            // Empty list elements are skipped, as every reader of a comma list must (RFC 7230 §7).
            while self.skip_space() || self.eat(b',') {}
            if self.is_at_end() {
                return Ok(parameters);
            }
            if parameters.list.len() == MAX_PARAMETERS {
                return Err(DigestError::TooManyParameters { limit: MAX_PARAMETERS });
            }
            let parameter = self.parameter()?;
            if !self.is_new(&mut parameters, &parameter) {
                return Err(DigestError::Duplicate(self.whole.part(parameter.name)));
            }
            parameters.list.push(parameter);
            if let [b',', b' ', ..] = self.rest() {
                self.at += 2;
                continue;
            }
            self.skip_space();
            if !self.is_at_end() && !self.eat(b',') {
                return Err(DigestError::Syntax { at: self.at });
            }
        }
    }

    /// Whether there is none of this name yet. The place where it will stand is noted.
    #[inline]
    fn is_new(&self, parameters: &mut Parameters<'_>, parameter: &Standing) -> bool {
        if let Some(place) = parameter.field.and_then(|field| parameters.places.get_mut(field as usize)) {
            let is_new = *place == 0;
            *place = u8::try_from(parameters.list.len() + 1).unwrap_or(0);
            return is_new;
        }
        let name = self.text.get(parameter.name.clone()).unwrap_or_default();
        let is_it = |p: &Standing| self.text.get(p.name.clone()).is_some_and(|p| p.eq_ignore_ascii_case(name));
        !parameters.list.iter().any(is_it)
    }

    fn is_at_end(&self) -> bool {
        self.at >= self.text.len()
    }

    /// The next byte, if there is one.
    #[inline]
    fn next(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Says whether there was any.
    #[inline]
    fn skip_space(&mut self) -> bool {
        let before = self.at;
        while self.next().is_some_and(is_space) {
            self.at += 1;
        }
        self.at > before
    }

    #[inline]
    fn eat(&mut self, wanted: u8) -> bool {
        let found = self.next() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    #[inline]
    fn parameter(&mut self) -> Result<Standing, DigestError> {
        let start = self.at;
        let (field, length) = match Field::at_start(self.rest()) {
            Some((field, length)) => (Some(field), length),
            None => {
                let length = class::span(self.rest(), TOKEN);
                (self.rest().get(..length).and_then(Field::named), length)
            }
        };
        self.at += length;
        if length > 0
            && let [b'=', b'"', ..] = self.rest()
        {
            self.at += 1;
        } else {
            self.skip_space();
            if length == 0 || !self.eat(b'=') {
                return Err(DigestError::Syntax { at: self.at });
            }
            self.skip_space();
        }
        let name = start..start + length;
        let (mut quoted, mut escaped) = (false, false);
        let value = if self.eat(b'"') {
            quoted = true;
            let start = self.at;
            loop {
                self.at += memchr2(b'"', b'\\', self.rest()).unwrap_or(self.text.len());
                match self.next() {
                    Some(b'"') => break,
                    Some(_) => (escaped, self.at) = (true, self.at + 2),
                    None => return Err(DigestError::Syntax { at: self.text.len() }),
                }
            }
            self.at += 1;
            start..self.at - 1
        } else {
            self.unquoted()
        };
        if value.is_empty() && !quoted {
            return Err(DigestError::Syntax { at: self.at });
        }
        Ok(Standing { field, name, value, quoted, escaped, taken: false })
    }

    /// An unquoted value. More lenient than a token, as peers leave out quotes around URIs and base64.
    fn unquoted(&mut self) -> Range<usize> {
        let is_end = |byte: &u8| is_space(*byte) || matches!(byte, b',' | b'"');
        let start = self.at;
        self.at += self.rest().iter().position(is_end).unwrap_or(self.rest().len());
        start..self.at
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
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

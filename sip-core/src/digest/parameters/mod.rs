//! The `scheme name=value, name="value"` syntax that the headers share, and the list without a scheme
//! of Authentication-Info (RFC 7235 §2.1, RFC 3261 §25.1).

mod cursor;
mod field;
mod writer;

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use self::cursor::{Cursor, is_space};
use self::field::FIELDS;
pub(super) use self::field::Field;
pub(super) use self::writer::Writer;
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

/// A value of another scheme than Digest, with all that follows the name of the scheme: as written, but that tabs and line folds, and
/// when it is written again control characters beyond ASCII, are spaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Foreign {
    pub(super) scheme: ByteStr,
    rest: ByteStr,
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = String::new();
        grammar::write_text(&mut rest, &self.rest);
        // Control characters beyond ASCII have become spaces.
        match crate::class::trim_wsp(&rest) {
            "" => f.write_str(&self.scheme),
            rest => write!(f, "{} {rest}", self.scheme),
        }
    }
}

/// The parameters of a Digest header, none of them twice. Fields are taken out by name; what is left is an extension.
pub(super) struct Parameters<'a> {
    whole: &'a ByteStr,
    /// Whether values may have line folds in them.
    may_fold: bool,
    list: Vec<Standing>,
    /// The place of each field in the list, counted from 1.
    places: [u8; FIELDS],
}

/// What folds a line.
const FOLD: [char; 2] = ['\r', '\n'];

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

    /// The same, sharing the memory of `whole`. Line folds, which may be in it, are spaces (RFC 3261 §7.3.1).
    #[inline]
    fn share(&self, whole: &ByteStr, may_fold: bool) -> ByteStr {
        let value = whole.part(self.value.clone());
        let value = if self.escaped { grammar::unquoted(whole, &value) } else { value };
        if may_fold && value.contains(FOLD) { value.replace(FOLD, " ").into() } else { value }
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
        let may_fold = self.may_fold;
        self.find(field).map(|found| found.share(whole, may_fold))
    }

    /// Like `take`, for a word that `known` may know, so that its text need not be kept.
    pub(super) fn take_word<T: From<ByteStr>>(&mut self, field: Field, known: fn(&str) -> Option<T>) -> Option<T> {
        let (whole, may_fold) = (self.whole, self.may_fold);
        let found = self.find(field)?;
        let text = found.text(whole);
        let known = core::str::from_utf8(&text).ok().and_then(known);
        Some(known.unwrap_or_else(|| found.share(whole, may_fold).into()))
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

    /// The parameters in their order: which they are, whether they have quotes, and where their values are.
    pub(super) fn standing(&self) -> impl Iterator<Item = (Option<Field>, bool, Range<usize>)> {
        self.list.iter().map(|p| (p.field, p.quoted, p.value.clone()))
    }

    pub(super) fn into_rest(self) -> Vec<Parameter> {
        let rest = self.list.iter().filter(|p| !p.taken);
        let whole = self.whole;
        let value = |p: &Standing| p.share(whole, self.may_fold);
        rest.map(|p| Parameter { name: whole.part(p.name.clone()), value: value(p), quoted: p.quoted }).collect()
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
        let mut rest = value.part(cursor.at..cursor.at + kept);
        if cursor.has_control {
            rest = rest.replace(['\t', '\r', '\n'], " ").into();
        }
        return Ok(Split::Foreign(Foreign { scheme: value.part(scheme), rest }));
    }
    cursor.parameters().map(Split::Digest)
}

/// Splits the value of a header that has no scheme.
pub(super) fn bare(value: &ByteStr) -> Result<Parameters<'_>, DigestError> {
    Cursor::new(value)?.parameters()
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
        check("Basic a\tb\r\n c \t", Ok(&[("Basic", "a b   c")]));
    }

    #[test]
    fn a_fold_is_spaces() {
        check("Digest x=\"a\r\n\tb\",\r\n y=\"\\\"\n \"", Ok(&[("x", "a  \tb"), ("y", "\"  ")]));
        let folded: crate::digest::Challenge = "Digest realm=\"a\r\n b\", nonce=\"n\", opaque=\"\t\"".parse().unwrap();
        assert_eq!(folded.to_string().parse().as_ref(), Ok(&folded));
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

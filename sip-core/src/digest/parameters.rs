//! The `scheme name=value, name="value"` syntax that the headers share, and the list without a scheme
//! of Authentication-Info (RFC 7235 §2.1, RFC 3261 §25.1).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::DigestError;
use crate::{ByteStr, grammar};

/// Digest defines 13 parameters; the rest is room for extensions.
pub(super) const MAX_PARAMETERS: usize = 32;

/// A parameter that has no field of its own, kept so that it can be written again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parameter {
    pub(super) name: ByteStr,
    /// Unescaped.
    pub(super) value: ByteStr,
    quoted: bool,
}

/// A header value split in scheme and parameters.
pub(super) enum Split {
    Digest(Parameters),
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
pub(super) struct Parameters(Vec<Parameter>);

impl Parameters {
    /// Removes a parameter and hands out its value, unescaped.
    pub(super) fn take(&mut self, name: &str) -> Option<ByteStr> {
        let index = self.0.iter().position(|p| p.name.eq_ignore_ascii_case(name))?;
        Some(self.0.remove(index).value)
    }

    /// Like `take`, for a parameter that must be there.
    pub(super) fn require(&mut self, name: &'static str) -> Result<ByteStr, DigestError> {
        self.take(name).ok_or(DigestError::Missing(name))
    }

    /// Removes a parameter that is true or false, and false unless it is said to be true.
    pub(super) fn flag(&mut self, name: &str) -> bool {
        self.take(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// Removes `nc`: eight hexadecimal digits (RFC 7616 §3.4).
    pub(super) fn nonce_count(&mut self) -> Result<Option<u32>, DigestError> {
        let Some(digits) = self.take("nc") else { return Ok(None) };
        let valid = digits.len() == 8 && digits.as_bytes().iter().all(u8::is_ascii_hexdigit);
        let count = valid.then(|| u32::from_str_radix(&digits, 16).ok()).flatten();
        count.map(Some).ok_or(DigestError::BadValue("nc"))
    }

    pub(super) fn into_rest(self) -> Vec<Parameter> {
        self.0
    }
}

/// Splits a header value in scheme and parameters, which share its memory.
pub(super) fn split(value: &ByteStr) -> Result<Split, DigestError> {
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
pub(super) fn bare(value: &ByteStr) -> Result<Parameters, DigestError> {
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
        let is_token = !value.is_empty() && value.chars().all(is_token_char);
        if is_token { self.token(name, value) } else { self.quoted(name, value) }
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
        match text.find(|c: char| c.is_ascii_control() && !is_space(c)) {
            Some(at) => Err(DigestError::Syntax { at }),
            None => Ok(Self { whole, text, at: 0 }),
        }
    }

    /// `#auth-param`, to the end.
    fn parameters(&mut self) -> Result<Parameters, DigestError> {
        let mut parameters: Vec<Parameter> = Vec::new();
        loop {
            // Empty list elements are skipped, as every reader of a comma list must (RFC 7230 §7).
            while self.skip_space() || self.eat(',') {}
            if self.rest().is_empty() {
                return Ok(Parameters(parameters));
            }
            if parameters.len() == MAX_PARAMETERS {
                return Err(DigestError::TooManyParameters { limit: MAX_PARAMETERS });
            }
            let parameter = self.parameter()?;
            if parameters.iter().any(|p| p.name.eq_ignore_ascii_case(&parameter.name)) {
                return Err(DigestError::Duplicate(parameter.name));
            }
            parameters.push(parameter);
            self.skip_space();
            if !self.rest().is_empty() && !self.eat(',') {
                return Err(DigestError::Syntax { at: self.at });
            }
        }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Says whether there was any.
    fn skip_space(&mut self) -> bool {
        let before = self.at;
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches(is_space).len();
        self.at > before
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.rest().starts_with(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn token(&mut self) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c: char| !is_token_char(c)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    fn parameter(&mut self) -> Result<Parameter, DigestError> {
        let name = self.token();
        self.skip_space();
        if name.is_empty() || !self.eat('=') {
            return Err(DigestError::Syntax { at: self.at });
        }
        self.skip_space();
        let quoted = self.eat('"');
        let value = if quoted {
            self.quoted_string()?
        } else {
            let value = self.unquoted();
            if value.is_empty() {
                return Err(DigestError::Syntax { at: self.at });
            }
            self.whole.share(value)
        };
        Ok(Parameter { name: self.whole.share(name), value, quoted })
    }

    /// Reads to the closing quote; the opening one is eaten already.
    fn quoted_string(&mut self) -> Result<ByteStr, DigestError> {
        let rest = self.rest();
        // As a rule nothing is escaped.
        if let Some((value, after)) = rest.split_once('"')
            && !value.contains('\\')
        {
            self.at += rest.len() - after.len();
            return Ok(self.whole.share(value));
        }
        let mut value = String::new();
        let mut escaped = false;
        for (offset, c) in rest.char_indices() {
            match c {
                _ if escaped => {
                    value.push(c);
                    escaped = false;
                }
                '\\' => escaped = true,
                '"' => {
                    self.at += offset + 1;
                    return Ok(ByteStr::from(value));
                }
                _ => value.push(c),
            }
        }
        Err(DigestError::Syntax { at: self.text.len() })
    }

    /// An unquoted value. More lenient than a token, as peers leave out quotes around URIs and base64.
    fn unquoted(&mut self) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c: char| is_space(c) || matches!(c, ',' | '"')).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-.!%*_+`'~".contains(c)
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

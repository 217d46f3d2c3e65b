use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use super::{HeaderError, HeaderName, Repetition, TypedHeader};
use crate::grammar::{self, Parsed};
use crate::{ByteStr, Params};

/// Data that the applications of both ends tell each other with a call, such as a contact centre's record of it (RFC 7433).
///
/// ```
/// use blether_sip_core::UserToUser;
///
/// // RFC 7433 §4.1.
/// let data: UserToUser = "56a390f3d2b7310023a2;encoding=hex;purpose=foo;content=bar".parse()?;
/// assert_eq!(data.bytes().as_deref(), Some(&[0x56, 0xa3, 0x90, 0xf3, 0xd2, 0xb7, 0x31, 0x00, 0x23, 0xa2][..]));
/// assert_eq!(UserToUser::hex(b"call 7").to_string(), "63616C6C2037;encoding=hex");
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UserToUser {
    /// The data as it is encoded, without quotes.
    pub data: ByteStr,
    /// The parameters, such as `purpose`, `content` and `encoding`.
    pub params: Params,
}

impl UserToUser {
    /// Bytes in hexadecimal digits.
    #[must_use]
    pub fn hex(bytes: &[u8]) -> Self {
        let mut data = String::with_capacity(2 * bytes.len());
        for byte in bytes {
            // Writing to a `String` cannot fail. Capitals are the canonical form (RFC 7433 §4.2).
            let _ = write!(data, "{byte:02X}");
        }
        let mut params = Params::new();
        params.set("encoding", Some("hex"));
        UserToUser { data: data.into(), params }
    }

    /// The same for the package `purpose`.
    #[must_use]
    pub fn with_purpose(mut self, purpose: &str) -> Self {
        self.params.set("purpose", Some(purpose));
        self
    }

    /// The package that the data is of: `isdn-uui` if nothing is said (RFC 7433 §4).
    #[must_use]
    pub fn purpose(&self) -> &str {
        self.params.value("purpose").unwrap_or("isdn-uui")
    }

    /// What the data is, in the package's words.
    #[must_use]
    pub fn content(&self) -> Option<&str> {
        self.params.value("content")
    }

    /// How the data is encoded; `None` if the package says that.
    #[must_use]
    pub fn encoding(&self) -> Option<&str> {
        self.params.value("encoding")
    }

    /// The bytes that are encoded in hexadecimal digits, which they are if `encoding` says so or says nothing. `None` if the
    /// encoding is another, or if these are no such digits.
    #[must_use]
    pub fn bytes(&self) -> Option<Vec<u8>> {
        if !self.encoding().is_none_or(|encoding| encoding.eq_ignore_ascii_case("hex")) {
            return None;
        }
        let (pairs, []) = self.data.as_bytes().as_chunks::<2>() else { return None };
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
    }
}

fn data<'a>(whole: &ByteStr, input: &'a str) -> Parsed<'a, UserToUser> {
    let (rest, data) = if input.starts_with('"') {
        let (rest, content) = grammar::quoted_string(input)?;
        (rest, grammar::unquoted(whole, content))
    } else {
        let (rest, token) = grammar::token(input)?;
        (rest, whole.share(token))
    };
    let (rest, params) = grammar::params(whole, rest)?;
    Ok((rest, UserToUser { data, params }))
}

impl TypedHeader for UserToUser {
    const NAME: HeaderName = HeaderName::UserToUser;
    const REPETITION: Repetition = Repetition::Values;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        super::complete(&value, |input| data(&value, input), Self::NAME, "data such as 56a390;encoding=hex")
    }

    fn write(&self, out: &mut String) {
        if grammar::is_token(&self.data) {
            out.push_str(&self.data);
        } else {
            grammar::write_quoted(out, &self.data);
        }
        self.params.write(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn data_is_a_word_or_a_quoted_text() {
        let (read, written) = rewritten::<UserToUser>("\"00aBff\" ;Encoding=HEX ; purpose=x");
        assert_eq!((written.as_str(), read.purpose()), ("00aBff;Encoding=HEX;purpose=x", "x"));
        assert_eq!(read.bytes().unwrap(), [0x00, 0xab, 0xff]);
        let (read, _) = rewritten::<UserToUser>("\"{a b}\";content=c");
        assert_eq!((read.content(), read.purpose(), read.bytes()), (Some("c"), "isdn-uui", None));
        assert_eq!(rewritten::<UserToUser>("abc").0.bytes(), None, "an odd digit");
        assert_eq!(rewritten::<UserToUser>("ab;encoding=base64").0.bytes(), None);
        assert_eq!(rewritten::<UserToUser>("\"\"").0.bytes(), Some(Vec::new()));
        assert_eq!(UserToUser::hex(&[]).with_purpose("a\r\nb").to_string(), "\"\";encoding=hex;purpose=\"a  b\"");
        for text in ["", ";x", "a b", "\"a", "a;"] {
            assert!(UserToUser::parse_value(text.into()).is_err(), "{text}");
        }
    }
}

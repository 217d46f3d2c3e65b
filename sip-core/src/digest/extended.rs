//! The notation of RFC 5987 §3.2 for texts beyond ASCII, which `username*` uses.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};

use crate::ByteStr;

/// Reads `UTF-8'language'percent-encoded`. Control characters are refused: nobody's name has them, and a log or a later
/// header would have to be rid of them.
pub(super) fn read(value: &str) -> Option<ByteStr> {
    let (charset, rest) = value.split_once('\'')?;
    let (_language, encoded) = rest.split_once('\'')?;
    if !charset.eq_ignore_ascii_case("UTF-8") {
        return None;
    }
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut bytes = encoded.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => (hex_digit(bytes.next()?)? << 4) | hex_digit(bytes.next()?)?,
            _ => byte,
        });
    }
    String::from_utf8(decoded).ok().filter(|text| !text.contains(char::is_control)).map(ByteStr::from)
}

/// A text in that notation: whatever is no `attr-char` is percent-encoded.
pub(super) struct Extended<'a>(pub(super) &'a str);

impl fmt::Display for Extended<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UTF-8''")?;
        self.0.bytes().try_for_each(|byte| match byte {
            _ if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) => f.write_char(char::from(byte)),
            _ => write!(f, "%{byte:02X}"),
        })
    }
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_beyond_ascii_is_written_and_read() {
        let doe = "J\u{e4}s\u{f8}n Doe";
        assert_eq!(Extended(doe).to_string(), "UTF-8''J%C3%A4s%C3%B8n%20Doe");
        for text in [doe, "", "a%b'c*d\"e,f=g", "\u{20ac}"] {
            assert_eq!(read(&Extended(text).to_string()).as_deref(), Some(text));
        }
        assert_eq!(read("utf-8'de'%e2%82%acx").as_deref(), Some("\u{20ac}x"));
    }

    #[test]
    fn what_is_no_such_text_is_refused() {
        for bad in ["UTF-8''%C3", "latin1''a", "UTF-8'a", "UTF-8''%", "UTF-8''%zz", "UTF-8''%02", "UTF-8''%C2%85"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}

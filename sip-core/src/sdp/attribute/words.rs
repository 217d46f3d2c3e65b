//! What attribute values are made of: words with white space between, numbers, tokens, text to the end of the line.

use alloc::string::String;
use core::str::FromStr;

use super::SdpAttribute;
use crate::ByteStr;
use crate::grammar::is_wsp;
use crate::sdp::field::number;
use crate::sdp::{Connection, SdpError};

/// Reads a value word by word. Any amount of white space parts two words.
pub(super) struct Words<'a> {
    whole: &'a ByteStr,
    rest: &'a str,
}

/// Reads a value whole: what `rule` leaves may be white space alone.
pub(super) fn read<T: SdpAttribute>(
    value: &ByteStr,
    expected: &'static str,
    rule: impl FnOnce(&mut Words<'_>) -> Option<T>,
) -> Result<T, SdpError> {
    let mut words = Words { whole: value, rest: value };
    match rule(&mut words) {
        Some(read) if words.is_at_end() => Ok(read),
        _ => Err(SdpError::BadAttribute { name: T::NAME, expected }),
    }
}

impl<'a> Words<'a> {
    pub(super) fn is_at_end(&self) -> bool {
        self.rest.chars().all(is_wsp)
    }

    /// The next word, whatever is in it.
    pub(super) fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest.trim_start_matches(is_wsp);
        let (word, after) = rest.find(is_wsp).and_then(|at| rest.split_at_checked(at)).unwrap_or((rest, ""));
        self.rest = after;
        (!word.is_empty()).then_some(word)
    }

    /// The next word, if all its characters are of a kind.
    pub(super) fn of(&mut self, kind: fn(char) -> bool) -> Option<ByteStr> {
        self.next().and_then(|word| self.share(word, kind))
    }

    pub(super) fn word(&mut self) -> Option<ByteStr> {
        self.of(is_word_char)
    }

    pub(super) fn token(&mut self) -> Option<ByteStr> {
        self.of(is_token_char)
    }

    pub(super) fn number<T: FromStr>(&mut self) -> Option<T> {
        self.next().and_then(number)
    }

    /// The words that are left, each of a kind.
    pub(super) fn all(&mut self, kind: fn(char) -> bool) -> Option<alloc::vec::Vec<ByteStr>> {
        let mut all = alloc::vec::Vec::new();
        while !self.is_at_end() {
            all.push(self.of(kind)?);
        }
        Some(all)
    }

    /// What is left, without the white space around it; it may be empty.
    pub(super) fn rest(&mut self) -> &'a str {
        core::mem::take(&mut self.rest).trim_matches(is_wsp)
    }

    /// What is left, unless it is nothing.
    pub(super) fn text(&mut self) -> Option<ByteStr> {
        let text = self.rest();
        (!text.is_empty()).then(|| self.whole.share(text))
    }

    /// `nettype addrtype connection-address` (RFC 8866 §5.7).
    pub(super) fn connection(&mut self) -> Option<Connection> {
        Some(Connection { network: self.token()?, address_type: self.token()?, address: self.word()? })
    }

    /// A part of the value with the value's memory, if it is not empty and all its characters are of a kind.
    pub(super) fn share(&self, part: &str, kind: fn(char) -> bool) -> Option<ByteStr> {
        (!part.is_empty() && part.chars().all(kind)).then(|| self.whole.share(part))
    }
}

/// `non-ws-string` (RFC 8866 §9).
pub(super) fn is_word_char(c: char) -> bool {
    c != ' ' && !c.is_control()
}

/// `token-char` (RFC 8866 §9), which is more than SIP allows.
pub(in crate::sdp) fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`{|}~".contains(c)
}

/// Writes the characters of `text` that are of a kind, or `otherwise` if there are none.
pub(super) fn write_of(out: &mut String, text: &str, kind: fn(char) -> bool, otherwise: &str) {
    let before = out.len();
    out.extend(text.chars().filter(|c| kind(*c)));
    if out.len() == before {
        out.push_str(otherwise);
    }
}

pub(super) fn write_word(out: &mut String, text: &str, otherwise: &str) {
    write_of(out, text, is_word_char, otherwise);
}

pub(in crate::sdp) fn write_token(out: &mut String, text: &str, otherwise: &str) {
    write_of(out, text, is_token_char, otherwise);
}

/// Writes text that goes on to the end of the line. Control characters become spaces, of which none stand around it.
pub(super) fn write_text(out: &mut String, text: &str, otherwise: &str) {
    let trimmed = text.trim_matches(|c: char| c == ' ' || c.is_control());
    out.extend(trimmed.chars().map(|c| if c.is_control() { ' ' } else { c }));
    if trimmed.is_empty() {
        out.push_str(otherwise);
    }
}

/// Writes a number in decimal digits.
pub(super) fn write_number(out: &mut String, number: impl Into<u64>) {
    let mut digits = [b'0'; 20];
    let (mut left, mut used) = (number.into(), 0);
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(left % 10).unwrap_or_default();
        (left, used) = (left / 10, used + 1);
        if left == 0 {
            break;
        }
    }
    out.extend(digits.iter().skip(digits.len() - used).map(|digit| char::from(*digit)));
}

pub(super) fn write_connection(out: &mut String, connection: &Connection) {
    write_token(out, &connection.network, "IN");
    out.push(' ');
    write_token(out, &connection.address_type, "IP4");
    out.push(' ');
    write_word(out, &connection.address, "0.0.0.0");
}

/// An attribute that says something by being there.
macro_rules! flag {
    ($(#[$doc:meta])* $type:ident, $name:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub struct $type;

        impl $crate::sdp::attribute::SdpAttribute for $type {
            const NAME: &'static str = $name;

            fn parse_value(value: $crate::ByteStr) -> Result<Self, $crate::sdp::SdpError> {
                $crate::sdp::attribute::words::read(&value, "no value", |_| Some($type))
            }

            fn write(&self, _: &mut alloc::string::String) {}
        }
    };
}

/// An attribute whose value is one number.
macro_rules! one_number {
    ($(#[$doc:meta])* $type:ident, $name:literal, $number:ty) => {
        one_number!($(#[$doc])* $type, $name, $number, |name| name == $name);
    };
    ($(#[$doc:meta])* $type:ident, $name:literal, $number:ty, $is_named:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $type(pub $number);

        impl $crate::sdp::attribute::SdpAttribute for $type {
            const NAME: &'static str = $name;

            fn is_named(name: &str) -> bool {
                let is_named: fn(&str) -> bool = $is_named;
                is_named(name)
            }

            fn parse_value(value: $crate::ByteStr) -> Result<Self, $crate::sdp::SdpError> {
                $crate::sdp::attribute::words::read(&value, "a number", |words| words.number().map($type))
            }

            fn write(&self, out: &mut alloc::string::String) {
                $crate::sdp::attribute::words::write_number(out, self.0);
            }
        }
    };
}

/// An attribute whose value is one token, one word or a text.
macro_rules! one_text {
    ($(#[$doc:meta])* $type:ident, $name:literal, $read:ident, $write:ident, $otherwise:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $type(pub $crate::ByteStr);

        impl $crate::sdp::attribute::SdpAttribute for $type {
            const NAME: &'static str = $name;

            fn parse_value(value: $crate::ByteStr) -> Result<Self, $crate::sdp::SdpError> {
                $crate::sdp::attribute::words::read(&value, concat!("a ", stringify!($read)), |words| {
                    words.$read().map($type)
                })
            }

            fn write(&self, out: &mut alloc::string::String) {
                $crate::sdp::attribute::words::$write(out, &self.0, $otherwise);
            }
        }
    };
}

/// An enum whose variants are words, compared without regard to case.
macro_rules! words_of {
    ($type:ident, $name:literal, $expected:literal, $($variant:ident $word:literal),+) => {
        impl $type {
            /// The word that stands in a description.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            pub(crate) fn from_word(word: &str) -> Option<Self> {
                [$(Self::$variant),+].into_iter().find(|known| known.as_str().eq_ignore_ascii_case(word))
            }
        }

        impl $crate::sdp::attribute::SdpAttribute for $type {
            const NAME: &'static str = $name;

            fn is_named(name: &str) -> bool {
                // T.38 gateways do not agree on the case of their attributes.
                name == $name || ($name.starts_with("T38") && name.eq_ignore_ascii_case($name))
            }

            fn parse_value(value: $crate::ByteStr) -> Result<Self, $crate::sdp::SdpError> {
                $crate::sdp::attribute::words::read(&value, $expected, |words| words.next().and_then($type::from_word))
            }

            fn write(&self, out: &mut alloc::string::String) {
                out.push_str(self.as_str());
            }
        }
    };
}

pub(super) use {flag, one_number, one_text, words_of};

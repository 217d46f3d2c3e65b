//! What of a message a digest protects (RFC 7616 §3.3, §3.4.3).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use crate::{ByteStr, InvalidText, grammar};

/// Quality of protection, as a header names it (RFC 7616 §3.3).
///
/// ```
/// use blether_sip_core::digest::Qop;
///
/// assert_eq!(Qop::from("auth-int"), Qop::AuthInt);
/// assert_eq!(Qop::from("other").as_str(), "other");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Qop {
    /// `auth`: method and URI are protected.
    Auth,
    /// `auth-int`: method, URI and body are protected.
    AuthInt,
    /// Another token, as written. Never computed here. A challenge is written without one that has a comma.
    Other(ByteStr),
}

impl Qop {
    /// The token as it is written in a header.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Auth => "auth",
            Self::AuthInt => "auth-int",
            Self::Other(token) => token,
        }
    }

    /// What needs no text of its own.
    pub(super) fn of_known(token: &str) -> Option<Self> {
        match token {
            known if known.eq_ignore_ascii_case("auth") => Some(Self::Auth),
            known if known.eq_ignore_ascii_case("auth-int") => Some(Self::AuthInt),
            _ => None,
        }
    }

    /// The choices in the value of a challenge, without empty ones.
    pub(super) fn list(list: &ByteStr) -> Vec<Self> {
        let tokens = list.split(',').map(str::trim).filter(|token| !token.is_empty());
        tokens.map(|token| Self::from(list.share(token))).collect()
    }

    /// The value of a challenge with these choices, but for those of which a part would be another choice, or that cannot be written.
    pub(super) fn joined(list: &[Self]) -> String {
        let is_one = |text: &&str| !text.contains(|c: char| c == ',' || c.is_control()) && !text.trim().is_empty();
        let mut value = String::new();
        for choice in list.iter().map(Self::as_str).filter(is_one) {
            value.push_str(if value.is_empty() { "" } else { "," });
            value.push_str(choice);
        }
        value
    }
}

impl From<ByteStr> for Qop {
    fn from(token: ByteStr) -> Self {
        Self::of_known(&token).unwrap_or(Self::Other(token))
    }
}

impl From<&str> for Qop {
    fn from(token: &str) -> Self {
        Self::from(ByteStr::from(token))
    }
}

impl fmt::Display for Qop {
    /// Writes the token; what is none, and could be taken for several, as `unknown`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Some(self.as_str()).filter(|token| grammar::is_token(token)).unwrap_or("unknown"))
    }
}

impl FromStr for Qop {
    type Err = InvalidText;

    /// Reads a token: one that is known here, in any case, or any other.
    fn from_str(token: &str) -> Result<Self, InvalidText> {
        if grammar::is_token(token) { Ok(token.into()) } else { Err(InvalidText::Qop) }
    }
}

/// What a digest that was found right vouches for; the least comes first.
///
/// ```
/// use blether_sip_core::digest::Protection;
///
/// // What a server may ask of an answer before it takes it.
/// let proved = Some(Protection::Legacy);
/// assert!(!proved.is_some_and(|protection| protection >= Protection::Auth));
/// // As it stands in a configuration.
/// assert_eq!("auth-int".parse(), Ok(Protection::AuthInt));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protection {
    /// The form of RFC 2069, without `qop`: method and URI. Neither the client's nonce nor a count is in it, so that who hears it
    /// can send it again for as long as the nonce lasts, and who chooses the nonce can prepare for it. RFC 3261 §22.4 has servers
    /// take it from old clients; RFC 8760 §2.6 has every server ask for more.
    Legacy,
    /// `auth`: method and URI, with the client's nonce and a count.
    Auth,
    /// `auth-int`: the body, too.
    AuthInt,
}

impl Protection {
    const ALL: [Self; 3] = [Self::Legacy, Self::Auth, Self::AuthInt];

    /// Its name: that of the `qop`, and `legacy` for none.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Auth => "auth",
            Self::AuthInt => "auth-int",
        }
    }
}

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Protection {
    type Err = InvalidText;

    /// Reads the name, in any case.
    fn from_str(name: &str) -> Result<Self, InvalidText> {
        let known = Self::ALL.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(name));
        known.ok_or(InvalidText::Protection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_makes_a_choice_of_its_own() {
        let list = |texts: &[&str]| texts.iter().map(|text| Qop::Other((*text).into())).collect::<Vec<_>>();
        assert_eq!(Qop::joined(&[Qop::Auth, Qop::AuthInt]), "auth,auth-int");
        assert_eq!(Qop::joined(&list(&[",", "x,auth", "au,th", "\r\n", "y", " ", "a b"])), "y,a b");
        assert_eq!(Qop::joined(&list(&[",", ""])), "");
        assert_eq!(Qop::list(&" x, ,AUTH,".into()), [Qop::Other("x".into()), Qop::Auth]);
    }
}

//! What of a message a digest protects (RFC 7616 §3.3, §3.4.3).

use alloc::vec::Vec;

use crate::ByteStr;

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
    /// Another token, as written. Never computed here.
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

/// What a digest that was found right vouches for; the least comes first.
///
/// ```
/// use blether_sip_core::digest::Protection;
///
/// // What a server may ask of an answer before it takes it.
/// let proved = Some(Protection::Legacy);
/// assert!(!proved.is_some_and(|protection| protection >= Protection::Auth));
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

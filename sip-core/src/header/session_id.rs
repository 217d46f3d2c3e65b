use alloc::string::String;
use core::fmt::{self, Write};
use core::str::FromStr;

use super::{HeaderError, HeaderName, TypedHeader};
use crate::grammar::{self, Parsed};
use crate::{ByteStr, Params};

/// One side's half of a session identifier: a UUID, written as 32 hexadecimal digits without hyphens (RFC 7989 §5).
///
/// ```
/// use blether_sip_core::SessionUuid;
///
/// let uuid: SessionUuid = "ab30317f1a784dc48ff824d0d3715d86".parse()?;
/// assert!(!uuid.is_nil() && SessionUuid::NIL.is_nil());
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionUuid(pub [u8; 16]);

impl SessionUuid {
    /// The half that is not known.
    pub const NIL: SessionUuid = SessionUuid([0; 16]);

    /// A UUID of version 4 (RFC 4122 §4.4) out of 16 random bytes.
    #[must_use]
    pub const fn from_random(mut bytes: [u8; 16]) -> Self {
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        SessionUuid(bytes)
    }

    /// Whether it is the half that is not known.
    #[must_use]
    pub fn is_nil(self) -> bool {
        self == SessionUuid::NIL
    }

    fn read(text: &str) -> Option<Self> {
        let is_hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let bytes = u128::from_str_radix(text, 16).ok().filter(|_| is_hex)?;
        Some(SessionUuid(bytes.to_be_bytes()))
    }
}

impl FromStr for SessionUuid {
    type Err = HeaderError;

    /// Reads 32 hexadecimal digits, of which letters may be capitals.
    fn from_str(text: &str) -> Result<Self, HeaderError> {
        SessionUuid::read(text).ok_or(HeaderError::malformed(HeaderName::SessionId, EXPECTED))
    }
}

impl fmt::Display for SessionUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// What a session is called by both ends, however many servers change the dialogs between them (RFC 7989).
///
/// ```
/// use blether_sip_core::{SessionId, SessionUuid};
///
/// let (alice, bob) = (SessionUuid::from_random([7; 16]), SessionUuid::from_random([9; 16]));
/// let invite = SessionId::new(alice);
/// assert!(invite.to_string().ends_with(";remote=00000000000000000000000000000000"));
/// let answer = invite.answer(bob);
/// assert_eq!((answer.local, answer.remote), (bob, Some(alice)));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SessionId {
    /// The half of who sends the message.
    pub local: SessionUuid,
    /// The other half; `None` is what RFC 7329 says, where there is one half for both.
    pub remote: Option<SessionUuid>,
    /// The other parameters. One that is called `remote` is not written.
    pub params: Params,
}

const EXPECTED: &str = "32 hexadecimal digits, and a remote of as many";

impl SessionId {
    /// The identifier of a session whose other end is not known yet.
    #[must_use]
    pub fn new(local: SessionUuid) -> Self {
        SessionId { local, remote: Some(SessionUuid::NIL), params: Params::new() }
    }

    /// The identifier for what the end `local` sends after it has received this one (RFC 7989 §6). To a peer that has
    /// only one half, that half is sent back as it is (RFC 7989 §11).
    #[must_use]
    pub fn answer(&self, local: SessionUuid) -> Self {
        match self.remote {
            Some(_) => SessionId { local, remote: Some(self.local), params: Params::new() },
            None => SessionId { local: self.local, remote: None, params: Params::new() },
        }
    }

    /// Whether the other is of the same session, seen from any end: {A,B} is {B,A} (RFC 7989 §4).
    #[must_use]
    pub fn is_same_session(&self, other: &SessionId) -> bool {
        let halves = |id: &SessionId| (id.local, id.remote.unwrap_or(SessionUuid::NIL));
        let (a, b) = halves(other);
        halves(self) == (a, b) || halves(self) == (b, a)
    }
}

fn session_id<'a>(whole: &ByteStr, input: &'a str) -> Parsed<'a, SessionId> {
    let (rest, digits) = grammar::token(input)?;
    let Some(local) = SessionUuid::read(digits) else { return grammar::stop(input) };
    let (rest, mut params) = grammar::params(whole, rest)?;
    let remote = match params.get("remote") {
        None => None,
        Some(digits) => match digits.and_then(SessionUuid::read) {
            Some(remote) => Some(remote),
            None => return grammar::stop(input),
        },
    };
    params.remove("remote");
    Ok((rest, SessionId { local, remote, params }))
}

impl TypedHeader for SessionId {
    const NAME: HeaderName = HeaderName::SessionId;

    fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
        super::complete(&value, |input| session_id(&value, input), Self::NAME, EXPECTED)
    }

    fn write(&self, out: &mut String) {
        // Writing to a `String` cannot fail.
        let _ = write!(out, "{}", self.local);
        if let Some(remote) = self.remote {
            let _ = write!(out, ";remote={remote}");
        }
        let mut params = self.params.clone();
        params.remove("remote");
        params.write(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    const A: &str = "ab30317f1a784dc48ff824d0d3715d86";
    const B: &str = "47755a9de7794ba387653f2099600ef2";

    /// RFC 7989 §5, §6, §11.
    #[test]
    fn a_session_has_two_halves() {
        let text = alloc::format!("{A}; x=1 ;\n remote={B}").replace('\n', "");
        let (read, written) = rewritten::<SessionId>(&text);
        assert_eq!(written, alloc::format!("{A};remote={B};x=1"));
        let answer = read.answer(read.remote.unwrap());
        assert_eq!(answer.to_string(), alloc::format!("{B};remote={A}"));
        assert!(answer.is_same_session(&read) && !read.is_same_session(&SessionId::new(read.local)));
        let (old, written) = rewritten::<SessionId>(&A.to_uppercase());
        assert_eq!((old.remote, written.as_str()), (None, A));
        assert_eq!(old.answer(SessionUuid::NIL), old);
        let mut twice = SessionId::new(SessionUuid([0xff; 16]));
        twice.params.set("remote", Some("x"));
        assert_eq!(twice.to_string(), alloc::format!("{};remote={}", "f".repeat(32), "0".repeat(32)));
        assert_eq!(SessionUuid::from_random([0xff; 16]).to_string(), "ffffffffffff4fffbfffffffffffffff");
        let signed = "+b30317f1a784dc48ff824d0d3715d86";
        for text in [
            "",
            "ab30",
            signed,
            "ab30317f1a784dc48ff824d0d3715d86;remote",
            &A.replace('a', "g"),
            &alloc::format!("{A};remote=1"),
        ] {
            assert!(SessionId::parse_value(text.into()).is_err(), "{text}");
        }
    }
}

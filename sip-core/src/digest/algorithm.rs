//! The hashes and their names.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use md5::{Digest, Md5};
use sha2::{Sha256, Sha512_256};

use crate::{ByteStr, InvalidText, grammar};

/// A hash that digests are computed with (RFC 7616 §3.7, RFC 8760 §2.1); the weakest is the least.
///
/// Each is used in two ways, plain and for a session (`MD5-sess`), which an [`AlgorithmName`] tells apart.
///
/// ```
/// use blether_sip_core::digest::Algorithm;
///
/// assert_eq!("sha-256".parse(), Ok(Algorithm::Sha256));
/// assert_eq!(Algorithm::Sha512_256.as_str(), "SHA-512-256");
/// assert!(Algorithm::Md5.bits() < Algorithm::Sha256.bits());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// `MD5`: 32 hexadecimal digits. Kept for the many phones that know no other.
    Md5,
    /// `SHA-256`: 64 hexadecimal digits.
    Sha256,
    /// `SHA-512-256`: SHA-512/256, 64 hexadecimal digits. The reserve, should SHA-256 be broken.
    Sha512_256,
}

impl Algorithm {
    /// All of them, the weakest first.
    pub const ALL: [Self; 3] = [Self::Md5, Self::Sha256, Self::Sha512_256];

    /// The name in the IANA registry, as it is written in a header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
            Self::Sha512_256 => "SHA-512-256",
        }
    }

    /// What `FromStr` reads.
    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| name.eq_ignore_ascii_case(known.as_str()))
    }

    /// How long a digest is, in bits. Two algorithms that make digests of one length count as equally strong.
    pub fn bits(self) -> u16 {
        match self {
            Self::Md5 => 128,
            Self::Sha256 | Self::Sha512_256 => 256,
        }
    }

    /// What stands for a user's name in credentials with [`userhash`](super::Credentials::userhash) (RFC 7616 §3.4.4), in
    /// lower-case hexadecimal digits. A server keeps one for each user and algorithm, to find the user by.
    #[must_use]
    pub fn hash_username(self, username: &str, realm: &str) -> String {
        self.hash(&[username, realm])
    }

    /// Hashes the parts, joined by colons, to lower-case hexadecimal digits: `H(concat(a, ":", b, …))` of RFC 7616 §3.3.
    pub(super) fn hash<T: AsRef<[u8]>>(self, parts: &[T]) -> String {
        match self {
            Self::Md5 => hash_parts::<Md5>(parts.iter()),
            Self::Sha256 => hash_parts::<Sha256>(parts.iter()),
            Self::Sha512_256 => hash_parts::<Sha512_256>(parts.iter()),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Algorithm {
    type Err = InvalidText;

    /// Reads the registered name, in any case; not that of what is not computed here, nor that of a session variant.
    fn from_str(name: &str) -> Result<Self, InvalidText> {
        Algorithm::from_name(name).ok_or(InvalidText::Algorithm)
    }
}

/// The `algorithm` parameter as a header has it: one that is computed here, or any other name.
///
/// ```
/// use blether_sip_core::digest::{Algorithm, AlgorithmName};
///
/// assert_eq!(AlgorithmName::from("MD5"), AlgorithmName::Known(Algorithm::Md5));
/// let session = AlgorithmName::from("SHA-256-sess");
/// assert_eq!((session.known(), session.is_session()), (Some(Algorithm::Sha256), true));
/// assert_eq!(AlgorithmName::from("AKAv2-SHA-256").known(), None);
/// assert_eq!("sha-256-SESS".parse(), Ok(session));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlgorithmName {
    /// An algorithm that this crate computes.
    Known(Algorithm),
    /// Its session variant: `MD5-sess`, `SHA-256-sess`, `SHA-512-256-sess` (RFC 7616 §3.4.2).
    Session(Algorithm),
    /// Another name (`AKAv1-MD5`, …), as written; nothing is ever verified with it.
    Unknown(ByteStr),
}

impl AlgorithmName {
    /// The name as it is written in a header.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(algorithm) => algorithm.as_str(),
            Self::Session(Algorithm::Md5) => "MD5-sess",
            Self::Session(Algorithm::Sha256) => "SHA-256-sess",
            Self::Session(Algorithm::Sha512_256) => "SHA-512-256-sess",
            Self::Unknown(name) => name,
        }
    }

    /// The hash, if it is one that this crate computes, whether for a session or not.
    pub fn known(&self) -> Option<Algorithm> {
        match self {
            Self::Known(algorithm) | Self::Session(algorithm) => Some(*algorithm),
            Self::Unknown(_) => None,
        }
    }

    /// [`AlgorithmName::known`] of what a challenge or an answer says, which means MD5 where it names none (RFC 7616 §3.3).
    pub(super) fn known_or_md5(said: Option<&Self>) -> Option<Algorithm> {
        said.map_or(Some(Algorithm::Md5), Self::known)
    }

    /// One that is computed here, by its name in any case.
    pub(super) fn of_known(name: &str) -> Option<Self> {
        let session = |known: &Algorithm| name.eq_ignore_ascii_case(Self::Session(*known).as_str());
        match Algorithm::from_name(name) {
            Some(algorithm) => Some(Self::Known(algorithm)),
            None => Algorithm::ALL.into_iter().find(session).map(Self::Session),
        }
    }

    /// Whether it is a session variant that is computed here.
    pub fn is_session(&self) -> bool {
        matches!(self, Self::Session(_))
    }
}

impl fmt::Display for AlgorithmName {
    /// Writes the name; one that is no token, which cannot stand in a header without quotes, as `unknown`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Some(self.as_str()).filter(|name| grammar::is_token(name)).unwrap_or("unknown"))
    }
}

impl FromStr for AlgorithmName {
    type Err = InvalidText;

    /// Reads a token: a name that is known here, in any case, or any other.
    fn from_str(name: &str) -> Result<Self, InvalidText> {
        if grammar::is_token(name) { Ok(name.into()) } else { Err(InvalidText::AlgorithmName) }
    }
}

impl From<Algorithm> for AlgorithmName {
    fn from(algorithm: Algorithm) -> Self {
        Self::Known(algorithm)
    }
}

impl From<ByteStr> for AlgorithmName {
    fn from(name: ByteStr) -> Self {
        Self::of_known(&name).unwrap_or(Self::Unknown(name))
    }
}

impl From<&str> for AlgorithmName {
    fn from(name: &str) -> Self {
        Self::from(ByteStr::from(name))
    }
}

fn hash_parts<H: Digest>(parts: impl Iterator<Item: AsRef<[u8]>>) -> String {
    let mut hasher = H::new();
    for (index, part) in parts.enumerate() {
        if index > 0 {
            hasher.update(b":");
        }
        hasher.update(part.as_ref());
    }
    hex(&hasher.finalize())
}

/// Lower-case hexadecimal digits, two a byte.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        for nibble in [byte >> 4, byte & 0x0f] {
            hex.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_nothing_is_the_one_that_the_rfcs_print() {
        // RFC 8760 §2.6, RFC 3261 §22.4, and the 512/256 of FIPS 180-4's examples.
        assert_eq!(Algorithm::Sha256.hash(&[""]), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(Algorithm::Md5.hash(&[""]), "d41d8cd98f00b204e9800998ecf8427e");
        let abc = "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23";
        assert_eq!(Algorithm::Sha512_256.hash(&["abc"]), abc);
    }

    #[test]
    fn algorithm_names_are_found_in_any_case() {
        assert_eq!(Algorithm::from_name("sha-256"), Some(Algorithm::Sha256));
        for other in ["MD5-sess", "SHA-512", "SHA256", "SHA-512/256", ""] {
            assert_eq!((Algorithm::from_name(other), other.parse::<Algorithm>().is_err()), (None, true), "{other}");
        }
        for known in Algorithm::ALL {
            for name in [AlgorithmName::Known(known), AlgorithmName::Session(known)] {
                assert_eq!(AlgorithmName::from(name.as_str().to_ascii_lowercase().as_str()), name);
            }
        }
        assert_eq!(AlgorithmName::from("md4-sess"), AlgorithmName::Unknown("md4-sess".into()));
    }
}

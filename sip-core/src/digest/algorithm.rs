//! The hashes, and what is kept in place of a password.

use alloc::string::String;
use core::fmt;

use md5::{Digest, Md5};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::ByteStr;

/// A hash that digests are computed with here (RFC 8760 §2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// `MD5`: 32 hexadecimal digits. Kept for the many phones that know no other.
    Md5,
    /// `SHA-256`: 64 hexadecimal digits.
    Sha256,
}

impl Algorithm {
    /// The name in the IANA registry, as it is written in a header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }

    /// Finds the algorithm by its registered name, in any case; `None` for what is not computed here.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Md5, Self::Sha256].into_iter().find(|known| name.eq_ignore_ascii_case(known.as_str()))
    }

    /// Hashes the parts, joined by colons, to lower-case hexadecimal digits: `H(concat(a, ":", b, …))` of RFC 7616 §3.3.
    pub(super) fn hash(self, parts: &[&str]) -> String {
        match self {
            Self::Md5 => hash_parts::<Md5>(parts),
            Self::Sha256 => hash_parts::<Sha256>(parts),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The `algorithm` parameter as a header has it: one that is computed here, or any other name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlgorithmName {
    /// An algorithm that this crate computes.
    Known(Algorithm),
    /// Another name (`MD5-sess`, `SHA-512-256`, …), as written; nothing is ever verified with it.
    Unknown(ByteStr),
}

impl AlgorithmName {
    /// The name as it is written in a header.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(algorithm) => algorithm.as_str(),
            Self::Unknown(name) => name,
        }
    }

    /// The algorithm, if it is one that this crate computes.
    pub fn known(&self) -> Option<Algorithm> {
        match self {
            Self::Known(algorithm) => Some(*algorithm),
            Self::Unknown(_) => None,
        }
    }
}

impl From<&str> for AlgorithmName {
    fn from(name: &str) -> Self {
        match Algorithm::from_name(name) {
            Some(algorithm) => Self::Known(algorithm),
            None => Self::Unknown(ByteStr::from(name)),
        }
    }
}

/// H(A1), the hash of user, realm and password (RFC 7616 §3.4.2): what a server stores in place of the password.
///
/// Whoever has it can log in to that realm, so `Debug` hides it and `==` takes the same time wherever two differ.
#[derive(Clone)]
pub struct Ha1 {
    algorithm: Algorithm,
    hex: String,
}

impl Ha1 {
    /// Takes a stored HA1: as many hexadecimal digits as the algorithm makes. `None` for anything else.
    pub fn from_hex(algorithm: Algorithm, hex: &str) -> Option<Self> {
        let digits = match algorithm {
            Algorithm::Md5 => 32,
            Algorithm::Sha256 => 64,
        };
        let valid = hex.len() == digits && hex.bytes().all(|b| b.is_ascii_hexdigit());
        valid.then(|| Self { algorithm, hex: hex.to_ascii_lowercase() })
    }

    /// The algorithm that it was computed with, and the only one that it can verify.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The lower-case hexadecimal digits, for storing. They are as secret as the password.
    pub fn expose_hex(&self) -> &str {
        &self.hex
    }
}

impl PartialEq for Ha1 {
    fn eq(&self, other: &Self) -> bool {
        self.algorithm == other.algorithm && bool::from(self.hex.as_bytes().ct_eq(other.hex.as_bytes()))
    }
}

impl Eq for Ha1 {}

impl fmt::Debug for Ha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ha1({}, ***)", self.algorithm)
    }
}

/// Computes H(A1) from a password (RFC 7616 §3.4.2): the hash of `user:realm:password`.
pub fn ha1(algorithm: Algorithm, user: &str, realm: &str, password: &str) -> Ha1 {
    Ha1 { algorithm, hex: algorithm.hash(&[user, realm, password]) }
}

/// What a client proves that it knows. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// The password itself; answers a challenge of any realm and algorithm.
    Password(Password),
    /// A stored HA1; answers only challenges of its own realm and algorithm.
    Ha1(Ha1),
}

/// A password in clear. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Secret {
    /// A password in clear.
    pub fn password(password: impl Into<String>) -> Self {
        Self::Password(Password(password.into()))
    }

    /// H(A1) for this algorithm, user and realm; an error if all that is known is an HA1 of another algorithm.
    pub(super) fn ha1(&self, algorithm: Algorithm, user: &str, realm: &str) -> Result<Ha1, Algorithm> {
        match self {
            Self::Password(Password(password)) => Ok(ha1(algorithm, user, realm, password)),
            Self::Ha1(stored) if stored.algorithm == algorithm => Ok(stored.clone()),
            Self::Ha1(stored) => Err(stored.algorithm),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password(_) => f.write_str("Password(***)"),
            Self::Ha1(ha1) => ha1.fmt(f),
        }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

fn hash_parts<H: Digest>(parts: &[&str]) -> String {
    let mut hasher = H::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            hasher.update(b":");
        }
        hasher.update(part.as_bytes());
    }
    let digest = hasher.finalize();
    let mut hex = String::with_capacity(digest.len() * 2);
    for byte in digest.iter() {
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
    fn the_hash_of_nothing_is_the_one_that_rfc_8760_prints() {
        assert_eq!(Algorithm::Sha256.hash(&[""]), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(Algorithm::Md5.hash(&[""]), "d41d8cd98f00b204e9800998ecf8427e");
    }

    #[test]
    fn algorithm_names_are_found_in_any_case_and_session_variants_are_unknown() {
        assert_eq!(Algorithm::from_name("sha-256"), Some(Algorithm::Sha256));
        assert_eq!(Algorithm::from_name("md5"), Some(Algorithm::Md5));
        for other in ["MD5-sess", "SHA-256-sess", "SHA-512-256", "SHA256", ""] {
            assert_eq!(Algorithm::from_name(other), None, "{other}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let stored = ha1(Algorithm::Md5, "alice", "blether", "wonderland");
        let said = format!("{stored:?} {:?} {:?}", Secret::password("wonderland"), Secret::Ha1(stored.clone()));
        assert!(!said.contains("wonderland") && !said.contains(stored.expose_hex()), "{said}");
    }

    #[test]
    fn a_stored_ha1_has_the_length_of_its_algorithm() {
        let digits = "0123456789abcdef0123456789ABCDEF";
        assert!(Ha1::from_hex(Algorithm::Md5, digits).is_some());
        assert!(Ha1::from_hex(Algorithm::Sha256, digits).is_none());
        assert!(Ha1::from_hex(Algorithm::Md5, &digits.replace('0', "g")).is_none());
    }
}

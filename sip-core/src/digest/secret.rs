//! What is kept in place of a password.

use alloc::string::String;
use core::fmt;

use subtle::ConstantTimeEq as _;

use super::{Algorithm, Challenge};

/// H(A1), the hash of user, realm and password (RFC 7616 §3.4.2): what a server stores in place of the password. It serves
/// the session variant of its algorithm as well.
///
/// Whoever has it can log in to that realm, so `Debug` hides it and `==` takes the same time wherever two differ.
///
/// ```
/// use blether_sip_core::digest::{Algorithm, Ha1, ha1};
///
/// let computed = ha1(Algorithm::Md5, "Mufasa", "testrealm@host.com", "Circle Of Life");
/// let stored = Ha1::from_hex(Algorithm::Md5, "939e7578ed9e3c518a452acee763bce9");
/// assert_eq!(stored, Some(computed));
/// assert_eq!(format!("{:?}", stored), "Some(Ha1(MD5, ***))");
/// ```
#[derive(Clone)]
pub struct Ha1 {
    algorithm: Algorithm,
    hex: String,
}

impl Ha1 {
    /// Takes a stored HA1: as many hexadecimal digits as the algorithm makes. `None` for anything else.
    pub fn from_hex(algorithm: Algorithm, hex: &str) -> Option<Self> {
        let valid = hex.len() == usize::from(algorithm.bits() / 4) && hex.bytes().all(|b| b.is_ascii_hexdigit());
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

    /// The key of a session that began with these two nonces (RFC 7616 §3.4.2): the challenge's, and the client's in
    /// its first answer.
    pub fn session(&self, nonce: &str, cnonce: &str) -> SessionKey {
        SessionKey { algorithm: self.algorithm, hex: self.algorithm.hash(&[&self.hex, nonce, cnonce]) }
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

/// H(A1) of a session variant (`MD5-sess`): all that a server needs to know to check one session, and so what it may be
/// given by another one that keeps the passwords (RFC 7616 §3.4.2).
///
/// `Debug` hides it, and `==` takes the same time wherever two differ.
///
/// ```
/// use blether_sip_core::Method;
/// use blether_sip_core::digest::{Algorithm, Challenge, Credentials, DigestRequest, Protection, Secret, ha1};
///
/// let challenge: Challenge = r#"Digest realm="r", nonce="n1", algorithm=SHA-256-sess, qop="auth""#.parse()?;
/// let asked = DigestRequest { method: &Method::Invite, uri: "sip:bob@r", cnonce: "c", nc: 1, body: b"" };
/// let answer = Credentials::answer(&challenge, "alice", &Secret::password("wonderland"), &asked)?;
///
/// let key = ha1(Algorithm::Sha256, "alice", "r", "wonderland").session("n1", "c");
/// assert_eq!(answer.check_in_session(&key, &Method::Invite, b""), Some(Protection::Auth));
///
/// // The session goes on when the server gives a `nextnonce`.
/// let mut next = challenge;
/// next.nonce = "n2".into();
/// let asked = DigestRequest { cnonce: "other", ..asked };
/// let answer = Credentials::answer_in_session(&next, "alice", &key, &asked)?;
/// assert_eq!(answer.check_in_session(&key, &Method::Invite, b""), Some(Protection::Auth));
/// # Ok::<(), blether_sip_core::digest::DigestError>(())
/// ```
#[derive(Clone)]
pub struct SessionKey {
    algorithm: Algorithm,
    hex: String,
}

impl SessionKey {
    /// The algorithm whose session variant it is for.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(super) fn key(&self) -> Key<'_> {
        Key { algorithm: self.algorithm, hex: &self.hex }
    }
}

impl PartialEq for SessionKey {
    fn eq(&self, other: &Self) -> bool {
        self.algorithm == other.algorithm && bool::from(self.hex.as_bytes().ct_eq(other.hex.as_bytes()))
    }
}

impl Eq for SessionKey {}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionKey({}, ***)", self.algorithm)
    }
}

/// H(A1) as it goes into a response, whichever way it was made.
#[derive(Clone, Copy)]
pub(super) struct Key<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) hex: &'a str,
}

impl Ha1 {
    pub(super) fn key(&self) -> Key<'_> {
        Key { algorithm: self.algorithm, hex: &self.hex }
    }
}

/// Computes H(A1) from a password (RFC 7616 §3.4.2): the hash of `user:realm:password`.
///
/// User and password are hashed as they are given. A server that sends `charset` means them in Unicode Normalization Form
/// C (RFC 7616 §4), which is for the caller to see to.
pub fn ha1(algorithm: Algorithm, user: &str, realm: &str, password: &str) -> Ha1 {
    Ha1 { algorithm, hex: algorithm.hash(&[user, realm, password]) }
}

/// What a client proves that it knows. `Debug` hides it.
///
/// ```
/// use blether_sip_core::digest::{Algorithm, Challenge, Secret, ha1};
///
/// let md5 = Challenge::new("blether", "84a4cc6f", Algorithm::Md5);
/// let sha256 = Challenge::new("blether", "84a4cc6f", Algorithm::Sha256);
/// assert!(Secret::password("wonderland").can_answer(&md5));
/// let stored = Secret::Ha1(ha1(Algorithm::Sha256, "alice", "blether", "wonderland"));
/// assert!(stored.can_answer(&sha256) && !stored.can_answer(&md5));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// The password itself; answers a challenge of any realm and algorithm.
    Password(Password),
    /// A stored HA1; answers only challenges of its own realm and algorithm.
    Ha1(Ha1),
}

/// A password in clear, as [`Secret::password`] makes it. `Debug` hides it, and `==` takes the same time wherever two of one
/// length differ.
///
/// ```
/// use blether_sip_core::digest::Secret;
///
/// let Secret::Password(password) = Secret::password("wonderland") else { unreachable!() };
/// assert_eq!(format!("{password:?}"), "***");
/// ```
#[derive(Clone)]
pub struct Password(String);

impl Secret {
    /// A password in clear.
    pub fn password(password: impl Into<String>) -> Self {
        Self::Password(Password(password.into()))
    }

    /// Whether [`Credentials::answer`](super::Credentials::answer) can answer this challenge with it, as far as can be told:
    /// an HA1 does not know its realm.
    pub fn can_answer(&self, challenge: &Challenge) -> bool {
        challenge.is_answerable()
            && match self {
                Self::Password(_) => true,
                Self::Ha1(stored) => challenge.known_algorithm() == Some(stored.algorithm),
            }
    }

    /// H(A1) for this algorithm, user and realm.
    ///
    /// # Errors
    /// All that is known is an HA1, of this other algorithm.
    pub fn ha1(&self, algorithm: Algorithm, user: &str, realm: &str) -> Result<Ha1, Algorithm> {
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

impl PartialEq for Password {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Password {}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let stored = ha1(Algorithm::Md5, "alice", "blether", "wonderland");
        let session = stored.session("n", "c");
        let said =
            format!("{stored:?} {:?} {:?} {session:?}", Secret::password("wonderland"), Secret::Ha1(stored.clone()));
        for secret in ["wonderland", stored.expose_hex(), &session.hex] {
            assert!(!said.contains(secret), "{said}");
        }
    }

    #[test]
    fn a_stored_ha1_has_the_length_of_its_algorithm() {
        let digits = "0123456789abcdef0123456789ABCDEF";
        assert!(Ha1::from_hex(Algorithm::Md5, digits).is_some());
        assert!(Ha1::from_hex(Algorithm::Sha256, digits).is_none());
        assert!(Ha1::from_hex(Algorithm::Sha512_256, &digits.repeat(2)).is_some());
        assert!(Ha1::from_hex(Algorithm::Md5, &digits.replace('0', "g")).is_none());
    }
}

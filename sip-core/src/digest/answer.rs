//! The sums: how a client answers, and how a server checks it (RFC 7616 §3.4.1 to §3.4.4).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use subtle::ConstantTimeEq as _;

use super::secret::Key;
use super::{Algorithm, AlgorithmName, Challenge, Credentials, DigestError, Ha1, Protection, Qop, Secret, SessionKey};
use crate::{ByteStr, Method};

/// The request that credentials are computed for.
///
/// ```
/// use blether_sip_core::Method;
/// use blether_sip_core::digest::DigestRequest;
///
/// let first = DigestRequest { method: &Method::Register, uri: "sip:biloxi.com", cnonce: "0a4f113b", nc: 1, body: b"" };
/// let second = DigestRequest { nc: 2, ..first };
/// # assert_eq!(second.uri, first.uri);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct DigestRequest<'a> {
    /// The request's method.
    pub method: &'a Method,
    /// The Request-URI, as it is in the request line.
    pub uri: &'a str,
    /// Random text that no one else chooses; goes into the hash unless the challenge has no `qop`. For a session variant it
    /// stays the same for as long as the nonce does: servers differ in which of them they compute the session with.
    pub cnonce: &'a str,
    /// How many requests were sent with this nonce, this one included: the first is 1.
    pub nc: u32,
    /// The body as it will be sent; what goes into `auth-int`. Empty for a request without one (RFC 8760 §2.6).
    pub body: &'a [u8],
}

impl Credentials {
    /// Answers a challenge (RFC 7616 §3.4.1, RFC 3261 §22.2).
    ///
    /// With `auth` where the challenge offers it, else with `auth-int`, in the form of RFC 2069 when it has no `qop`. With the hash
    /// of the name where the challenge asks for that, else with `username*` for a name beyond ASCII when the challenge has a
    /// `charset`: its server knows RFC 7616, and others do not know that parameter.
    ///
    /// # Errors
    /// Scheme, algorithm or protection are not supported: the next challenge may do (RFC 8760 §2.4). Or the secret is an HA1
    /// of another algorithm.
    pub fn answer(
        challenge: &Challenge,
        username: &str,
        secret: &Secret,
        request: &DigestRequest<'_>,
    ) -> Result<Self, DigestError> {
        let algorithm = supported(challenge)?;
        let ha1 = secret
            .ha1(algorithm, username, &challenge.realm)
            .map_err(|have| DigestError::WrongHa1 { have, wanted: algorithm })?;
        let session = challenge.is_session().then(|| ha1.session(&challenge.nonce, request.cnonce));
        Ok(Self::by_key(session.as_ref().map_or(ha1.key(), SessionKey::key), challenge, username, request))
    }

    /// Answers a challenge in a session that goes on although its nonce has changed, as a `nextnonce` does (RFC 7616 §3.4.2,
    /// §3.5).
    ///
    /// # Errors
    /// Like [`Credentials::answer`], and [`DigestError::UnsupportedAlgorithm`] for a challenge without a session variant.
    pub fn answer_in_session(
        challenge: &Challenge,
        username: &str,
        session: &SessionKey,
        request: &DigestRequest<'_>,
    ) -> Result<Self, DigestError> {
        let algorithm = supported(challenge)?;
        if !challenge.is_session() {
            return Err(unsupported_algorithm(challenge));
        }
        if algorithm != session.algorithm() {
            return Err(DigestError::WrongHa1 { have: session.algorithm(), wanted: algorithm });
        }
        Ok(Self::by_key(session.key(), challenge, username, request))
    }

    fn by_key(key: Key<'_>, challenge: &Challenge, username: &str, request: &DigestRequest<'_>) -> Self {
        let qop = challenge.chosen_qop();
        let username = match challenge.userhash {
            true => ByteStr::from(key.algorithm.hash_username(username, &challenge.realm)),
            false => ByteStr::from(username),
        };
        let knows_utf8 = challenge.charset.as_ref().is_some_and(|charset| charset.eq_ignore_ascii_case("UTF-8"));
        let mut credentials = Self {
            extended: knows_utf8 && !challenge.userhash && !username.is_ascii(),
            username,
            realm: challenge.realm.clone(),
            nonce: challenge.nonce.clone(),
            uri: ByteStr::from(request.uri),
            response: ByteStr::default(),
            algorithm: challenge.algorithm.clone(),
            cnonce: qop.is_some().then(|| ByteStr::from(request.cnonce)),
            opaque: challenge.opaque.clone(),
            nc: qop.is_some().then_some(request.nc),
            qop,
            userhash: challenge.userhash,
            rest: Vec::new(),
            foreign: None,
        };
        let response = credentials.sum(key, request.method.as_str(), credentials.qop.as_ref(), request.body);
        credentials.response = ByteStr::from(response);
        credentials
    }

    /// Whether whoever sent this knows the password behind `ha1` and has chosen `qop=auth`, in a time that does not depend
    /// on where two digests differ. [`Credentials::check`] also takes other choices.
    #[must_use]
    pub fn verify(&self, ha1: &Ha1, method: &Method) -> bool {
        self.check(ha1, method, b"") == Some(Protection::Auth)
    }

    /// What is proved to come from someone who knows the password behind `ha1`; `None` if nothing is. Takes a time that does
    /// not depend on where two digests differ.
    ///
    /// Only an `ha1` of the algorithm that the credentials name (MD5 where they name none) proves anything. The server says
    /// which protection is enough. It has checked, or checks now, that the realm and the URI are its own, that the nonce is
    /// ([`NonceKey::check`](super::NonceKey::check)), and that it has offered this algorithm: all are hashed as the client wrote them.
    ///
    /// A session is taken to have begun with the nonces that the credentials have; for one that goes on with others there is
    /// [`Credentials::check_in_session`].
    #[must_use]
    pub fn check(&self, ha1: &Ha1, method: &Method, body: &[u8]) -> Option<Protection> {
        let session = self.session(ha1);
        self.check_key(session.as_ref().map_or(ha1.key(), SessionKey::key), method, body)
    }

    /// Like [`Credentials::check`], in a session whose key is known. Credentials of no session variant prove nothing.
    #[must_use]
    pub fn check_in_session(&self, session: &SessionKey, method: &Method, body: &[u8]) -> Option<Protection> {
        let proved = self.check_key(session.key(), method, body);
        proved.filter(|_| self.is_session())
    }

    fn check_key(&self, key: Key<'_>, method: &Method, body: &[u8]) -> Option<Protection> {
        let expected = self.sum(key, method.as_str(), self.qop.as_ref(), body);
        let same = same_digest(&expected, &self.response);
        self.protection(self.qop.as_ref()).filter(|_| same && self.known_algorithm() == Some(key.algorithm))
    }

    /// The session that begins with these credentials, if they have a session variant.
    pub(super) fn session(&self, ha1: &Ha1) -> Option<SessionKey> {
        self.is_session().then(|| ha1.session(&self.nonce, self.cnonce.as_deref().unwrap_or_default()))
    }

    /// What a right digest of theirs protects when it is made with this `qop`; `None` if it must not count.
    pub(super) fn protection(&self, qop: Option<&Qop>) -> Option<Protection> {
        match (qop, self.cnonce.is_some() && self.nc.is_some()) {
            (None, _) if !self.is_session() => Some(Protection::Legacy),
            (Some(Qop::Auth), true) => Some(Protection::Auth),
            (Some(Qop::AuthInt), true) => Some(Protection::AuthInt),
            _ => None,
        }
    }

    /// KD(H(A1), …) of RFC 7616 §3.4.1, or that of RFC 2069 §2.1.2 without `qop`. No method: what the server answers (§3.5).
    pub(super) fn sum(&self, key: Key<'_>, method: &str, qop: Option<&Qop>, body: &[u8]) -> String {
        let Key { algorithm, hex } = key;
        let ha2 = match qop {
            Some(Qop::AuthInt) => algorithm.hash(&[method, &self.uri, &algorithm.hash(&[body])]),
            _ => algorithm.hash(&[method, &self.uri]),
        };
        match (qop, &self.cnonce, self.nc) {
            (Some(qop), Some(cnonce), Some(nc)) => {
                algorithm.hash(&[hex, &self.nonce, &format!("{nc:08x}"), cnonce, qop.as_str(), &ha2])
            }
            _ => algorithm.hash(&[hex, &self.nonce, &ha2]),
        }
    }
}

/// Whether two digests are the same, whatever the case of their digits.
pub(super) fn same_digest(expected: &str, said: &str) -> bool {
    expected.as_bytes().ct_eq(said.to_ascii_lowercase().as_bytes()).into()
}

fn supported(challenge: &Challenge) -> Result<Algorithm, DigestError> {
    if !challenge.is_digest() {
        return Err(DigestError::UnsupportedScheme(ByteStr::from(challenge.scheme())));
    }
    let algorithm = challenge.known_algorithm().ok_or_else(|| unsupported_algorithm(challenge))?;
    if challenge.is_answerable() { Ok(algorithm) } else { Err(DigestError::UnsupportedQop) }
}

fn unsupported_algorithm(challenge: &Challenge) -> DigestError {
    let name = challenge.algorithm.as_ref().map_or("MD5", AlgorithmName::as_str);
    DigestError::UnsupportedAlgorithm(ByteStr::from(name))
}

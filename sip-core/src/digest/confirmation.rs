//! What a server says of an answer that it took (RFC 7616 §3.5).

use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use super::answer::same_digest;
use super::parameters::{Field, Parameter, Writer, bare};
use super::secret::Key;
use super::{Credentials, DigestError, Ha1, Protection, Qop, SessionKey};
use crate::ByteStr;

/// The value of an `Authentication-Info` or `Proxy-Authentication-Info` header, in a 2xx: the server's own proof that it
/// knows the password, and the nonce that it wants to see next.
///
/// Who changed something in between and does not know the password cannot make it; a body is covered with `auth-int` alone.
///
/// ```
/// use blether_sip_core::Method;
/// use blether_sip_core::digest::{Algorithm, Challenge, Confirmation, Credentials, DigestRequest, Protection, Secret};
/// use blether_sip_core::digest::{ServerProof, ha1};
///
/// // The client logs in.
/// let challenge = Challenge::new("blether", "84a4cc6f3082121f", Algorithm::Sha256);
/// let asked = DigestRequest { method: &Method::Register, uri: "sip:blether.example", cnonce: "0a4f113b", nc: 1, body: b"" };
/// let sent = Credentials::answer(&challenge, "alice", &Secret::password("wonderland"), &asked)?;
///
/// // The server has found that right.
/// let stored = ha1(Algorithm::Sha256, "alice", "blether", "wonderland");
/// let mut confirmation = Confirmation::new(&sent, &stored, b"");
/// confirmation.nextnonce = Some("47364c23432d2e13".into());
/// let header = confirmation.to_string();
///
/// // The client knows that it was the right server.
/// let received: Confirmation = header.parse()?;
/// assert_eq!(received.check(&sent, &stored, b""), ServerProof::Right(Protection::Auth));
/// # Ok::<(), blether_sip_core::digest::DigestError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Confirmation {
    /// The nonce for the next request; the count begins anew with it. The client may go on with the old one and be told that it is
    /// stale.
    pub nextnonce: Option<ByteStr>,
    /// Which protection the response has; the server should choose what the client has chosen.
    pub qop: Option<Qop>,
    /// The server's proof, in hexadecimal digits.
    pub rspauth: Option<ByteStr>,
    /// Copied from the credentials.
    pub cnonce: Option<ByteStr>,
    /// Copied from the credentials.
    pub nc: Option<u32>,
    pub(super) rest: Vec<Parameter>,
}

/// What a client has learned of its server.
///
/// ```
/// use blether_sip_core::digest::{Protection, ServerProof};
///
/// assert!(ServerProof::Right(Protection::Auth).is_right());
/// // Few servers prove anything: that they do not is no reason to hang up.
/// assert!(!ServerProof::Absent.is_right());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use]
pub enum ServerProof {
    /// It knows the password, and vouches for this much of its response.
    Right(Protection),
    /// It does not say.
    Absent,
    /// It does not know the password, or something was changed on the way. What stands in the response, `nextnonce` too, is
    /// not to be relied on.
    Wrong,
}

impl ServerProof {
    /// Whether the server has proved to know the password.
    pub fn is_right(self) -> bool {
        matches!(self, Self::Right(_))
    }
}

impl Confirmation {
    /// Proves to a client, whose credentials were found right, that the server knows the password as well. `body` is that
    /// of the response.
    pub fn new(credentials: &Credentials, ha1: &Ha1, body: &[u8]) -> Self {
        let session = credentials.session(ha1);
        Self::by_key(credentials, session.as_ref().map_or(ha1.key(), SessionKey::key), body)
    }

    /// Like [`Confirmation::new`], in a session whose key is known.
    pub fn in_session(credentials: &Credentials, session: &SessionKey, body: &[u8]) -> Self {
        Self::by_key(credentials, session.key(), body)
    }

    fn by_key(credentials: &Credentials, key: Key<'_>, body: &[u8]) -> Self {
        let qop = credentials.qop.clone();
        Self {
            rspauth: Some(ByteStr::from(credentials.sum(key, "", qop.as_ref(), body))),
            cnonce: qop.is_some().then(|| credentials.cnonce.clone()).flatten(),
            nc: qop.is_some().then_some(credentials.nc).flatten(),
            qop,
            ..Self::default()
        }
    }

    /// Checks the server's proof against what was sent to it, in a time that does not depend on where two digests differ. `body` is that
    /// of the response.
    pub fn check(&self, sent: &Credentials, ha1: &Ha1, body: &[u8]) -> ServerProof {
        let session = sent.session(ha1);
        self.check_key(sent, session.as_ref().map_or(ha1.key(), SessionKey::key), body)
    }

    /// Like [`Confirmation::check`], in a session whose key is known.
    pub fn check_in_session(&self, sent: &Credentials, session: &SessionKey, body: &[u8]) -> ServerProof {
        self.check_key(sent, session.key(), body)
    }

    fn check_key(&self, sent: &Credentials, key: Key<'_>, body: &[u8]) -> ServerProof {
        let Some(rspauth) = &self.rspauth else { return ServerProof::Absent };
        // Left out, they are what was sent: that is what the proof is about in any case.
        let qop = self.qop.as_ref().or(sent.qop.as_ref());
        let is_of_sent = self.cnonce.as_ref().is_none_or(|cnonce| sent.cnonce.as_ref() == Some(cnonce))
            && self.nc.is_none_or(|nc| sent.nc == Some(nc))
            && sent.known_algorithm() == Some(key.algorithm);
        let right = same_digest(&sent.sum(key, "", qop, body), rspauth) && is_of_sent;
        sent.protection(qop).filter(|_| right).map_or(ServerProof::Wrong, ServerProof::Right)
    }

    /// Reads a confirmation, sharing the memory of `value`.
    pub(crate) fn read(value: &ByteStr) -> Result<Self, DigestError> {
        let mut parameters = bare(value)?;
        Ok(Self {
            nextnonce: parameters.take(Field::NextNonce),
            qop: parameters.take_word(Field::Qop, Qop::of_known),
            rspauth: parameters.take(Field::RspAuth),
            cnonce: parameters.take(Field::Cnonce),
            nc: parameters.nonce_count()?,
            rest: parameters.into_rest(),
        })
    }
}

impl FromStr for Confirmation {
    type Err = DigestError;

    fn from_str(value: &str) -> Result<Self, DigestError> {
        Self::read(&ByteStr::from(value))
    }
}

impl fmt::Display for Confirmation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Writer::bare(f);
        if let Some(nextnonce) = &self.nextnonce {
            out.quoted("nextnonce", nextnonce)?;
        }
        if let Some(qop) = &self.qop {
            out.word("qop", qop.as_str())?;
        }
        if let Some(rspauth) = &self.rspauth {
            out.quoted("rspauth", rspauth)?;
        }
        if let Some(cnonce) = &self.cnonce {
            out.quoted("cnonce", cnonce)?;
        }
        if let Some(nc) = self.nc {
            out.token("nc", format_args!("{nc:08x}"))?;
        }
        out.rest(&self.rest)
    }
}

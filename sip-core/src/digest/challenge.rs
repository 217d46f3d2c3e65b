//! What a server asks (RFC 7616 §3.3).

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use super::parameters::{Field, Foreign, Parameter, Split, Writer, split};
use super::{Algorithm, AlgorithmName, DigestError, Qop};
use crate::ByteStr;

/// One challenge: the value of one `WWW-Authenticate` or `Proxy-Authenticate` header line.
///
/// A challenge of another scheme than Digest is kept whole, so that a list of challenges can be read past it; see
/// [`Challenge::is_digest`].
///
/// ```
/// use blether_sip_core::digest::{Algorithm, Challenge, Qop};
///
/// let text = r#"Digest realm="atlanta.com", nonce="84f1c1ae6cbe5ua9c8e88dfa3ecm3459", algorithm=MD5, qop="auth, auth-int""#;
/// let challenge: Challenge = text.parse()?;
/// assert_eq!((&*challenge.realm, challenge.known_algorithm()), ("atlanta.com", Some(Algorithm::Md5)));
/// assert_eq!(challenge.qop, [Qop::Auth, Qop::AuthInt]);
/// # Ok::<(), blether_sip_core::digest::DigestError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// Whose password is asked for; part of what is hashed.
    pub realm: ByteStr,
    /// What the server wants to see in the answer. Opaque to the client, which puts a
    /// [`nextnonce`](super::Confirmation::nextnonce) in its place.
    pub nonce: ByteStr,
    /// To be sent back unchanged.
    pub opaque: Option<ByteStr>,
    /// The URIs that the credentials are good for, as written; see [`Challenge::domain_uris`]. A proxy's means nothing.
    pub domain: Option<ByteStr>,
    /// The password was right, but the nonce is too old: try again without asking the user.
    pub stale: bool,
    /// Which hash. `None`: not said, which means MD5.
    pub algorithm: Option<AlgorithmName>,
    /// The choices of protection. Empty: not said, by a server of RFC 2069. A client that wants one and no other leaves
    /// the others out before it answers.
    pub qop: Vec<Qop>,
    /// How user and password are turned into bytes; `UTF-8` is all that there is (RFC 7616 §4), and what is done here in any case.
    pub charset: Option<ByteStr>,
    /// The client is to send a hash in place of the user's name (RFC 7616 §3.4.4).
    pub userhash: bool,
    rest: Vec<Parameter>,
    foreign: Option<Foreign>,
}

impl Challenge {
    /// Makes a challenge with `qop="auth"`, not stale, without `opaque` (RFC 8760 §2.3).
    pub fn new(realm: &str, nonce: &str, algorithm: Algorithm) -> Self {
        Self {
            realm: ByteStr::from(realm),
            nonce: ByteStr::from(nonce),
            opaque: None,
            domain: None,
            stale: false,
            algorithm: Some(AlgorithmName::Known(algorithm)),
            qop: vec![Qop::Auth],
            charset: None,
            userhash: false,
            rest: Vec::new(),
            foreign: None,
        }
    }

    /// The same challenge once for each algorithm, in this order, which should be that of the server's preference: each
    /// is to be sent in a row of its own (RFC 8760 §2.3). One that stands there twice is asked for once.
    ///
    /// The client may choose any. What one in between can leave out is no protection: only a server that offers
    /// nothing weak is safe from being answered weakly (RFC 8760 §3), and it is for the server to refuse an answer by an
    /// algorithm that it did not offer.
    ///
    /// ```
    /// use blether_sip_core::digest::{Algorithm, Challenge};
    ///
    /// let first = Challenge::new("blether", "84a4cc6f", Algorithm::Sha256);
    /// let rows = first.for_each_algorithm(&[Algorithm::Sha256.into(), Algorithm::Md5.into()]);
    /// assert_eq!(rows[1].to_string(), r#"Digest realm="blether", nonce="84a4cc6f", algorithm=MD5, qop="auth""#);
    /// ```
    pub fn for_each_algorithm(&self, algorithms: &[AlgorithmName]) -> Vec<Self> {
        let mut rows: Vec<Self> = Vec::new();
        for algorithm in algorithms {
            if !rows.iter().any(|row| row.algorithm.as_ref() == Some(algorithm)) {
                rows.push(Self { algorithm: Some(algorithm.clone()), ..self.clone() });
            }
        }
        rows
    }

    /// Whether the scheme is Digest. If not, the fields are empty and the challenge cannot be answered, only written again.
    pub fn is_digest(&self) -> bool {
        self.foreign.is_none()
    }

    /// The hash to answer with: MD5 where none is named, `None` where it or the scheme is not known here.
    pub fn known_algorithm(&self) -> Option<Algorithm> {
        if self.is_digest() { AlgorithmName::known_or_md5(self.algorithm.as_ref()) } else { None }
    }

    /// Whether it asks for the session variant of an algorithm that is known here.
    pub fn is_session(&self) -> bool {
        self.is_digest() && self.algorithm.as_ref().is_some_and(AlgorithmName::is_session)
    }

    /// Whether [`Credentials::answer`](super::Credentials::answer) can answer it, given a password.
    ///
    /// A session variant without `qop` cannot be: the client's nonce, which it is computed from, is not sent then (RFC 3261
    /// §22.4).
    pub fn is_answerable(&self) -> bool {
        self.known_algorithm().is_some() && (self.chosen_qop().is_some() || (self.qop.is_empty() && !self.is_session()))
    }

    /// `auth` where it is offered: on the way of a request there may be who changes its body.
    pub(super) fn chosen_qop(&self) -> Option<Qop> {
        [Qop::Auth, Qop::AuthInt].into_iter().find(|known| self.qop.contains(known))
    }

    /// The URIs for which the same credentials may be sent ahead of being asked: each of them, and all that begin with one
    /// (RFC 7616 §3.3). None: all of this server.
    pub fn domain_uris(&self) -> impl Iterator<Item = &str> {
        self.domain.as_deref().unwrap_or_default().split_ascii_whitespace()
    }

    /// The scheme: `Digest`, or what another challenge has.
    pub fn scheme(&self) -> &str {
        self.foreign.as_ref().map_or("Digest", |foreign| &foreign.scheme)
    }

    /// Reads a challenge, sharing the memory of `value`.
    pub(crate) fn read(value: &ByteStr) -> Result<Self, DigestError> {
        let mut parameters = match split(value)? {
            Split::Digest(parameters) => parameters,
            Split::Foreign(foreign) => {
                let mut challenge = Self::new("", "", Algorithm::Md5);
                challenge.algorithm = None;
                challenge.qop.clear();
                challenge.foreign = Some(foreign);
                return Ok(challenge);
            }
        };
        Ok(Self {
            realm: parameters.require(Field::Realm)?,
            nonce: parameters.require(Field::Nonce)?,
            opaque: parameters.take(Field::Opaque),
            domain: parameters.take(Field::Domain),
            stale: parameters.flag(Field::Stale),
            algorithm: parameters.take_word(Field::Algorithm, AlgorithmName::of_known),
            qop: parameters.take(Field::Qop).map(|list| Qop::list(&list)).unwrap_or_default(),
            charset: parameters.take(Field::Charset),
            userhash: parameters.flag(Field::Userhash),
            rest: parameters.into_rest(),
            foreign: None,
        })
    }
}

impl FromStr for Challenge {
    type Err = DigestError;

    fn from_str(value: &str) -> Result<Self, DigestError> {
        Self::read(&ByteStr::from(value))
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(foreign) = &self.foreign {
            return foreign.fmt(f);
        }
        let mut out = Writer::digest(f)?;
        out.quoted("realm", &self.realm)?;
        if let Some(domain) = &self.domain {
            out.quoted("domain", domain)?;
        }
        out.quoted("nonce", &self.nonce)?;
        if let Some(opaque) = &self.opaque {
            out.quoted("opaque", opaque)?;
        }
        if self.stale {
            out.token("stale", "true")?;
        }
        if let Some(algorithm) = &self.algorithm {
            out.word("algorithm", algorithm.as_str())?;
        }
        let qop = Qop::joined(&self.qop);
        if !qop.is_empty() {
            out.quoted("qop", &qop)?;
        }
        if let Some(charset) = &self.charset {
            out.word("charset", charset)?;
        }
        if self.userhash {
            out.token("userhash", "true")?;
        }
        out.rest(&self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_of_rfc_7616_is_read_and_written() {
        let text = "Digest realm=\"api@example.org\", qop=\"auth\", algorithm=SHA-512-256, \
                    nonce=\"5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK\", \
                    opaque=\"HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS\", charset=UTF-8, userhash=true";
        let challenge: Challenge = text.parse().unwrap();
        assert_eq!(challenge.known_algorithm(), Some(Algorithm::Sha512_256));
        assert!(challenge.userhash && !challenge.stale && challenge.is_answerable());
        assert_eq!(challenge.charset.as_deref(), Some("UTF-8"));
        assert_eq!(challenge.to_string().parse::<Challenge>().unwrap(), challenge);
    }

    #[test]
    fn a_challenge_quotes_what_must_be_quoted_and_nothing_else() {
        let mut challenge = Challenge::new("blether \"x\"", "abc", Algorithm::Sha256);
        challenge.opaque = Some("o".into());
        challenge.domain = Some("sip:a  sips:b".into());
        challenge.stale = true;
        challenge.userhash = true;
        challenge.qop.extend([Qop::Other(",".into()), Qop::AuthInt, Qop::Other("\r\n".into())]);
        assert_eq!(
            challenge.to_string(),
            "Digest realm=\"blether \\\"x\\\"\", domain=\"sip:a  sips:b\", nonce=\"abc\", opaque=\"o\", stale=true, \
             algorithm=SHA-256, qop=\"auth,auth-int\", userhash=true"
        );
        assert_eq!(challenge.domain_uris().collect::<Vec<_>>(), ["sip:a", "sips:b"]);
    }

    #[test]
    fn what_can_be_answered_has_a_known_algorithm_and_a_known_qop() {
        let with = |tail: &str| format!("Digest realm=\"r\", nonce=\"n\"{tail}").parse::<Challenge>().unwrap();
        assert_eq!(with("").known_algorithm(), Some(Algorithm::Md5));
        for yes in ["", ",qop=auth", ",qop=\"x,auth-int\"", ",algorithm=MD5-sess,qop=auth", ",qop=\"\""] {
            assert!(with(yes).is_answerable(), "{yes}");
        }
        for no in [",algorithm=AKAv1-MD5,qop=auth", ",qop=\"auth-conf\"", ",algorithm=md5-SESS"] {
            assert!(!with(no).is_answerable(), "{no}");
        }
    }

    #[test]
    fn a_challenge_for_several_algorithms_names_each_once_in_order() {
        use Algorithm::{Md5, Sha256};
        let offered = [Sha256.into(), AlgorithmName::Session(Sha256), Md5.into(), Sha256.into()];
        let rows = Challenge::new("r", "n", Md5).for_each_algorithm(&offered);
        let names: Vec<_> = rows.iter().map(|row| row.algorithm.as_ref().unwrap().as_str()).collect();
        assert_eq!(names, ["SHA-256", "SHA-256-sess", "MD5"]);
    }

    #[test]
    fn another_scheme_is_passed_over_not_refused() {
        let challenge: Challenge = "Bearer authz_server=\"https://a.example\", scope=\"x\"".parse().unwrap();
        assert!(!challenge.is_digest() && !challenge.is_answerable());
        assert_eq!(challenge.scheme(), "Bearer");
        assert_eq!(challenge.to_string(), "Bearer authz_server=\"https://a.example\", scope=\"x\"");
    }

    #[test]
    fn realm_and_nonce_must_be_there_and_extensions_are_kept() {
        assert_eq!("Digest nonce=\"n\"".parse::<Challenge>(), Err(DigestError::Missing("realm")));
        assert_eq!("Digest realm=\"r\"".parse::<Challenge>(), Err(DigestError::Missing("nonce")));
        let text = r#"Digest realm="r", nonce="n", charset=UTF-8, x="y z""#;
        assert_eq!(text.parse::<Challenge>().unwrap().to_string(), text);
    }
}

//! What a server asks (RFC 7616 §3.3).

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use super::parameters::{Parameter, Split, Writer, split};
use super::{Algorithm, AlgorithmName, DigestError};
use crate::ByteStr;

/// Quality of protection (RFC 7616 §3.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Qop {
    /// `auth`: method and URI are protected.
    Auth,
    /// Another token, as written; `auth-int` is one. Never computed here.
    Other(ByteStr),
}

impl Qop {
    /// The token as it is written in a header.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Auth => "auth",
            Self::Other(token) => token,
        }
    }
}

impl From<&str> for Qop {
    fn from(token: &str) -> Self {
        if token.eq_ignore_ascii_case("auth") { Self::Auth } else { Self::Other(ByteStr::from(token)) }
    }
}

/// One challenge: the value of one `WWW-Authenticate` or `Proxy-Authenticate` header line.
///
/// A challenge of another scheme than Digest is kept whole, so that a list of challenges can be read past it; see
/// [`Challenge::is_digest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// Whose password is asked for; part of what is hashed.
    pub realm: ByteStr,
    /// What the server wants to see in the answer. Opaque to the client.
    pub nonce: ByteStr,
    /// To be sent back unchanged.
    pub opaque: Option<ByteStr>,
    /// The URIs that the credentials are good for, as written. SIP makes no use of it.
    pub domain: Option<ByteStr>,
    /// The password was right, but the nonce is too old: try again without asking the user.
    pub stale: bool,
    /// Which hash. `None`: not said, which means MD5.
    pub algorithm: Option<AlgorithmName>,
    /// The choices of protection. Empty: not said, by a server of RFC 2069.
    pub qop: Vec<Qop>,
    rest: Vec<Parameter>,
    foreign: Option<(ByteStr, ByteStr)>,
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
            rest: Vec::new(),
            foreign: None,
        }
    }

    /// Whether the scheme is Digest. If not, the fields are empty and the challenge cannot be answered, only written again.
    pub fn is_digest(&self) -> bool {
        self.foreign.is_none()
    }

    /// The algorithm to answer with: MD5 where none is named, `None` where it or the scheme is not known here.
    pub fn known_algorithm(&self) -> Option<Algorithm> {
        match &self.algorithm {
            _ if !self.is_digest() => None,
            None => Some(Algorithm::Md5),
            Some(name) => name.known(),
        }
    }

    /// Whether [`Credentials::answer`](super::Credentials::answer) can answer it, given a password.
    pub fn is_answerable(&self) -> bool {
        self.known_algorithm().is_some() && (self.qop.is_empty() || self.qop.contains(&Qop::Auth))
    }

    /// The scheme: `Digest`, or what another challenge has.
    pub fn scheme(&self) -> &str {
        self.foreign.as_ref().map_or("Digest", |(scheme, _)| scheme)
    }
}

impl FromStr for Challenge {
    type Err = DigestError;

    fn from_str(value: &str) -> Result<Self, DigestError> {
        let mut parameters = match split(value)? {
            Split::Digest(parameters) => parameters,
            Split::Foreign { scheme, rest } => {
                let mut challenge = Self::new("", "", Algorithm::Md5);
                challenge.algorithm = None;
                challenge.qop.clear();
                challenge.foreign = Some((scheme, rest));
                return Ok(challenge);
            }
        };
        Ok(Self {
            realm: parameters.require("realm")?,
            nonce: parameters.require("nonce")?,
            opaque: parameters.take("opaque"),
            domain: parameters.take("domain"),
            stale: parameters.take("stale").is_some_and(|v| v.eq_ignore_ascii_case("true")),
            algorithm: parameters.take("algorithm").map(|name| AlgorithmName::from(&*name)),
            qop: parameters.take("qop").map(|list| qop_list(&list)).unwrap_or_default(),
            rest: parameters.into_rest(),
            foreign: None,
        })
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((scheme, rest)) = &self.foreign {
            return write!(f, "{scheme} {rest}");
        }
        let mut out = Writer::new(f)?;
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
        if !self.qop.is_empty() {
            let list: Vec<&str> = self.qop.iter().map(Qop::as_str).collect();
            out.quoted("qop", &list.join(","))?;
        }
        out.rest(&self.rest)
    }
}

fn qop_list(list: &str) -> Vec<Qop> {
    list.split(',').map(str::trim).filter(|token| !token.is_empty()).map(Qop::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_of_rfc_7616_is_read_and_written() {
        let text = "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=SHA-256, \
                    nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
                    opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";
        let challenge: Challenge = text.parse().unwrap();
        assert_eq!(&*challenge.realm, "http-auth@example.org");
        assert_eq!(challenge.known_algorithm(), Some(Algorithm::Sha256));
        assert_eq!(challenge.qop, [Qop::Auth, Qop::Other("auth-int".into())]);
        assert!(!challenge.stale && challenge.is_answerable());
        assert_eq!(challenge.to_string().parse::<Challenge>().unwrap(), challenge);
    }

    #[test]
    fn a_challenge_quotes_what_must_be_quoted_and_nothing_else() {
        let mut challenge = Challenge::new("blether \"x\"", "abc", Algorithm::Sha256);
        challenge.opaque = Some("o".into());
        challenge.stale = true;
        assert_eq!(
            challenge.to_string(),
            r#"Digest realm="blether \"x\"", nonce="abc", opaque="o", stale=true, algorithm=SHA-256, qop="auth""#
        );
    }

    #[test]
    fn without_an_algorithm_it_is_md5_and_an_unknown_one_is_not_answerable() {
        let with = |tail: &str| format!("Digest realm=\"r\", nonce=\"n\"{tail}").parse::<Challenge>().unwrap();
        assert_eq!(with("").known_algorithm(), Some(Algorithm::Md5));
        assert!(with("").is_answerable());
        assert_eq!(with(", algorithm=MD5-sess").known_algorithm(), None);
        assert!(!with(", algorithm=AKAv1-MD5, qop=\"auth\"").is_answerable());
        assert!(!with(", qop=\"auth-int\"").is_answerable());
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

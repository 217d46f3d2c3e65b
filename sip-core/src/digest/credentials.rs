//! What a client says to a challenge (RFC 7616 §3.4).

use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use subtle::ConstantTimeEq as _;

use super::extended::{self, Extended};
use super::parameters::{Field, Foreign, Parameter, Parameters, Split, Writer, split};
use super::{Algorithm, AlgorithmName, DigestError, Qop};
use crate::ByteStr;

/// The value of one `Authorization` or `Proxy-Authorization` header line.
///
/// Credentials of another scheme than Digest are kept whole and verify as nothing; see [`Credentials::is_digest`]. `Debug`
/// leaves out the response, from which a weak password can be guessed.
///
/// ```
/// use blether_sip_core::digest::{Credentials, DigestError, Qop};
///
/// let text = r#"Digest username="bob", realm="biloxi.com", nonce="dcd98b71", uri="sip:bob@biloxi.com", qop=auth,
///     nc=00000001, cnonce="0a4f113b", response="6629fae49393a05397450978507c4ef1""#;
/// let credentials: Credentials = text.parse()?;
/// assert_eq!((&*credentials.username, credentials.qop, credentials.nc), ("bob", Some(Qop::Auth), Some(1)));
/// assert_eq!("Digest realm=x".parse::<Credentials>(), Err(DigestError::Missing("username")));
/// # Ok::<(), DigestError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Who it claims to be; with [`userhash`](Self::userhash) what [`Algorithm::hash_username`] makes of that.
    pub username: ByteStr,
    /// Copied from the challenge.
    pub realm: ByteStr,
    /// Copied from the challenge.
    pub nonce: ByteStr,
    /// The Request-URI as the client had it, as written: it is hashed so. Whether it names the request's resource is for
    /// the server to check (RFC 8760 §2.6).
    pub uri: ByteStr,
    /// The proof, in hexadecimal digits.
    pub response: ByteStr,
    /// Which hash. `None`: not said, which means MD5.
    pub algorithm: Option<AlgorithmName>,
    /// The client's own contribution.
    pub cnonce: Option<ByteStr>,
    /// Copied from the challenge.
    pub opaque: Option<ByteStr>,
    /// Which protection the client has chosen. `None`: the form of RFC 2069.
    pub qop: Option<Qop>,
    /// How many requests the client has sent with this nonce, this one included; see [`NonceCounts`](super::NonceCounts).
    pub nc: Option<u32>,
    /// The name is hashed (RFC 7616 §3.4.4).
    pub userhash: bool,
    /// The name is written as `username*`, if it is not hashed.
    pub(super) extended: bool,
    pub(super) rest: Vec<Parameter>,
    pub(super) foreign: Option<Foreign>,
}

impl Credentials {
    /// Whether the scheme is Digest. If not, the fields are empty.
    pub fn is_digest(&self) -> bool {
        self.foreign.is_none()
    }

    /// The hash they were computed with: MD5 where none is named, `None` where it or the scheme is not known here.
    pub fn known_algorithm(&self) -> Option<Algorithm> {
        if self.is_digest() { AlgorithmName::known_or_md5(self.algorithm.as_ref()) } else { None }
    }

    /// Whether they were computed with the session variant of an algorithm that is known here. A server that has not offered it
    /// refuses them.
    pub fn is_session(&self) -> bool {
        self.is_digest() && self.algorithm.as_ref().is_some_and(AlgorithmName::is_session)
    }

    /// Whether they claim to be this user's, by name or by its hash. This proves nothing yet.
    #[must_use]
    pub fn names_user(&self, user: &str) -> bool {
        if !self.userhash {
            return self.is_digest() && &*self.username == user;
        }
        let hash = self.known_algorithm().map(|algorithm| algorithm.hash_username(user, &self.realm));
        hash.is_some_and(|hash| self.username.to_ascii_lowercase().as_bytes().ct_eq(hash.as_bytes()).into())
    }

    /// Reads credentials, sharing the memory of `value`.
    pub(crate) fn read(value: &ByteStr) -> Result<Self, DigestError> {
        let mut parameters = match split(value)? {
            Split::Digest(parameters) => parameters,
            Split::Foreign(foreign) => return Ok(Self::foreign(foreign)),
        };
        let userhash = parameters.flag(Field::Userhash);
        let (username, extended) = username(&mut parameters)?;
        Ok(Self {
            username,
            realm: parameters.require(Field::Realm)?,
            nonce: parameters.require(Field::Nonce)?,
            uri: parameters.require(Field::Uri)?,
            response: parameters.require(Field::Response)?,
            algorithm: parameters.take_word(Field::Algorithm, AlgorithmName::of_known),
            cnonce: parameters.take(Field::Cnonce),
            opaque: parameters.take(Field::Opaque),
            qop: parameters.take_word(Field::Qop, Qop::of_known),
            nc: parameters.nonce_count()?,
            userhash,
            extended: extended && !userhash,
            rest: parameters.into_rest(),
            foreign: None,
        })
    }

    fn foreign(foreign: Foreign) -> Self {
        let empty = ByteStr::default();
        Self {
            username: empty.clone(),
            realm: empty.clone(),
            nonce: empty.clone(),
            uri: empty.clone(),
            response: empty,
            algorithm: None,
            cnonce: None,
            opaque: None,
            qop: None,
            nc: None,
            userhash: false,
            extended: false,
            rest: Vec::new(),
            foreign: Some(foreign),
        }
    }
}

/// `username`, or `username*` and true; both at once are an error (RFC 7616 §3.4).
fn username(parameters: &mut Parameters<'_>) -> Result<(ByteStr, bool), DigestError> {
    match (parameters.take(Field::Username), parameters.take(Field::ExtendedUsername)) {
        (Some(plain), None) => Ok((plain, false)),
        (None, Some(value)) => {
            extended::read(&value).map(|name| (name, true)).ok_or(DigestError::BadValue("username*"))
        }
        (Some(_), Some(_)) => Err(DigestError::Duplicate(ByteStr::from_static("username"))),
        (None, None) => Err(DigestError::Missing("username")),
    }
}

impl FromStr for Credentials {
    type Err = DigestError;

    fn from_str(value: &str) -> Result<Self, DigestError> {
        Self::read(&ByteStr::from(value))
    }
}

impl fmt::Display for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(foreign) = &self.foreign {
            return foreign.fmt(f);
        }
        let mut out = Writer::digest(f)?;
        if self.extended && !self.userhash {
            out.token("username*", Extended(&self.username))?;
        } else {
            out.quoted("username", &self.username)?;
        }
        out.quoted("realm", &self.realm)?;
        out.quoted("nonce", &self.nonce)?;
        out.quoted("uri", &self.uri)?;
        out.quoted("response", &self.response)?;
        if let Some(algorithm) = &self.algorithm {
            out.word("algorithm", algorithm.as_str())?;
        }
        if let Some(cnonce) = &self.cnonce {
            out.quoted("cnonce", cnonce)?;
        }
        if let Some(opaque) = &self.opaque {
            out.quoted("opaque", opaque)?;
        }
        if let Some(qop) = &self.qop {
            out.word("qop", qop.as_str())?;
        }
        if let Some(nc) = self.nc {
            out.token("nc", format_args!("{nc:08x}"))?;
        }
        if self.userhash {
            out.token("userhash", "true")?;
        }
        out.rest(&self.rest)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(foreign) = &self.foreign {
            return write!(f, "Credentials({} ***)", foreign.scheme);
        }
        f.debug_struct("Credentials")
            .field("username", &self.username)
            .field("realm", &self.realm)
            .field("nonce", &self.nonce)
            .field("uri", &self.uri)
            .field("algorithm", &self.algorithm)
            .field("qop", &self.qop)
            .field("nc", &self.nc)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "Digest username=\"u\",realm=\"r\",nonce=\"n\",uri=\"sip:r\",response=\"0\"";

    #[test]
    fn the_extended_user_name_of_rfc_7616_is_read_and_written() {
        let text = WHOLE.replace("username=\"u\"", "username*=UTF-8''J%C3%A4s%C3%B8n%20Doe");
        let credentials: Credentials = text.parse().unwrap();
        assert!(credentials.names_user("J\u{e4}s\u{f8}n Doe") && !credentials.names_user("u"));
        assert!(credentials.to_string().starts_with("Digest username*=UTF-8''J%C3%A4s%C3%B8n%20Doe, realm=\"r\""));
        let bad = text.replace("%20", "%2G");
        assert_eq!(bad.parse::<Credentials>(), Err(DigestError::BadValue("username*")));
        let hash = text.replace("J%C3%A4s%C3%B8n%20Doe", "0a") + ",userhash=true";
        let hashed: Credentials = hash.parse().unwrap();
        assert!(
            hashed.to_string().starts_with("Digest username=\"0a\", realm=\"r\""),
            "a hash needs no other notation"
        );
        let unhashed = format!("{text},userhash=false").parse::<Credentials>();
        assert_eq!(unhashed, Ok(credentials), "RFC 7616 §3.9.2 writes it so");
    }

    #[test]
    fn a_hashed_user_name_is_found_by_its_hash() {
        let hash = Algorithm::Sha256.hash_username("u", "r").to_ascii_uppercase();
        let text = WHOLE.replace("\"u\"", &format!("\"{hash}\"")) + ",algorithm=SHA-256,userhash=TRUE";
        let credentials: Credentials = text.parse().unwrap();
        assert!(credentials.userhash && credentials.names_user("u"));
        assert!(!credentials.names_user("v") && !credentials.names_user(&hash));
        assert!(credentials.to_string().ends_with(", userhash=true"));
    }

    #[test]
    fn improper_or_missing_parameters_are_errors() {
        assert!(WHOLE.parse::<Credentials>().is_ok());
        for missing in ["username", "realm", "nonce", "uri", "response"] {
            let without = WHOLE.replace(&format!("{missing}="), "x=");
            assert_eq!(without.parse::<Credentials>(), Err(DigestError::Missing(missing)));
        }
        for nc in ["1", "0000000g", "+0000001", "000000001", "\"\""] {
            let text = format!("{WHOLE},nc={nc}");
            assert_eq!(text.parse::<Credentials>(), Err(DigestError::BadValue("nc")), "{nc}");
        }
        let twice = format!("{WHOLE},username*=UTF-8''u");
        assert_eq!(twice.parse::<Credentials>(), Err(DigestError::Duplicate("username".into())));
    }

    #[test]
    fn a_word_is_known_in_any_case_and_in_quotes() {
        let text = format!(r#"{WHOLE},QOP="au\th",Algorithm="m\d5-SESS",userhash="TRU\E",x="a\"b""#);
        let credentials: Credentials = text.parse().unwrap();
        assert_eq!(credentials.qop, Some(Qop::Auth));
        assert_eq!(credentials.algorithm, Some(AlgorithmName::Session(Algorithm::Md5)));
        assert!(credentials.userhash && credentials.to_string().ends_with(r#", userhash=true, x="a\"b""#));
        let other: Credentials = format!("{WHOLE},qop=\"o\\ther\",algorithm=AKAv1-MD5").parse().unwrap();
        assert_eq!((other.qop, other.algorithm.unwrap().as_str()), (Some(Qop::Other("other".into())), "AKAv1-MD5"));
    }

    #[test]
    fn debug_shows_neither_response_nor_foreign_credentials() {
        let digest: Credentials = WHOLE.replace("\"0\"", "\"5ec2e7\"").parse().unwrap();
        assert!(!format!("{digest:?}").contains("5ec2e7"));
        let basic: Credentials = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==".parse().unwrap();
        assert!(!basic.is_digest() && !format!("{basic:?}").contains("QWxh"));
    }
}

//! What a client answers (RFC 7616 §3.4), and how a server checks it.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use subtle::ConstantTimeEq as _;

use super::parameters::{Parameter, Parameters, Split, Writer, split};
use super::{Algorithm, AlgorithmName, Challenge, DigestError, Ha1, Qop, Secret};
use crate::{ByteStr, Method};

/// The value of one `Authorization` or `Proxy-Authorization` header line.
///
/// Credentials of another scheme than Digest are kept whole and verify as nothing; see [`Credentials::is_digest`]. `Debug`
/// leaves out the response, from which a weak password can be guessed.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Who it claims to be.
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
    /// How many requests the client has sent with this nonce, this one included.
    pub nc: Option<u32>,
    rest: Vec<Parameter>,
    foreign: Option<(ByteStr, ByteStr)>,
}

/// The request that credentials are computed for.
#[derive(Debug, Clone, Copy)]
pub struct DigestRequest<'a> {
    /// The request's method.
    pub method: &'a Method,
    /// The Request-URI, as it is in the request line.
    pub uri: &'a str,
    /// Random text that no one else chooses; goes into the hash unless the challenge has no `qop`.
    pub cnonce: &'a str,
    /// How many requests were sent with this nonce, this one included: the first is 1.
    pub nc: u32,
}

impl Credentials {
    /// Answers a challenge (RFC 7616 §3.4.1, RFC 3261 §22.2), in the form of RFC 2069 when it has no `qop`.
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
        if !challenge.is_digest() {
            return Err(DigestError::UnsupportedScheme(ByteStr::from(challenge.scheme())));
        }
        let algorithm = challenge.known_algorithm().ok_or_else(|| {
            let name = challenge.algorithm.as_ref().map_or("", AlgorithmName::as_str);
            DigestError::UnsupportedAlgorithm(ByteStr::from(name))
        })?;
        if !challenge.is_answerable() {
            return Err(DigestError::UnsupportedQop);
        }
        let ha1 = secret
            .ha1(algorithm, username, &challenge.realm)
            .map_err(|have| DigestError::WrongHa1 { have, wanted: algorithm })?;
        let protected = !challenge.qop.is_empty();
        let mut credentials = Self {
            username: ByteStr::from(username),
            realm: challenge.realm.clone(),
            nonce: challenge.nonce.clone(),
            uri: ByteStr::from(request.uri),
            response: ByteStr::from(""),
            algorithm: challenge.algorithm.clone(),
            cnonce: protected.then(|| ByteStr::from(request.cnonce)),
            opaque: challenge.opaque.clone(),
            qop: protected.then_some(Qop::Auth),
            nc: protected.then_some(request.nc),
            rest: Vec::new(),
            foreign: None,
        };
        credentials.response = ByteStr::from(credentials.expected(&ha1, request.method));
        Ok(credentials)
    }

    /// Whether whoever sent this knows the password behind `ha1`, in a time that does not depend on where two digests differ.
    ///
    /// Only `qop=auth` with `cnonce` and `nc` verifies, and only with an `ha1` of the algorithm that the credentials name (MD5
    /// where they name none). The caller has checked already that nonce, realm and URI are its own; all three are
    /// hashed as the client wrote them.
    #[must_use]
    pub fn verify(&self, ha1: &Ha1, method: &Method) -> bool {
        let expected = self.expected(ha1, method);
        let response = self.response.to_ascii_lowercase();
        let same = bool::from(expected.as_bytes().ct_eq(response.as_bytes()));
        same && self.is_protected() && self.known_algorithm() == Some(ha1.algorithm())
    }

    /// Whether the scheme is Digest. If not, the fields are empty.
    pub fn is_digest(&self) -> bool {
        self.foreign.is_none()
    }

    /// The algorithm they were computed with: MD5 where none is named, `None` where it or the scheme is not known here.
    pub fn known_algorithm(&self) -> Option<Algorithm> {
        match &self.algorithm {
            _ if !self.is_digest() => None,
            None => Some(Algorithm::Md5),
            Some(name) => name.known(),
        }
    }

    fn is_protected(&self) -> bool {
        self.qop == Some(Qop::Auth) && self.cnonce.is_some() && self.nc.is_some()
    }

    /// KD(H(A1), …) of RFC 7616 §3.4.1, or that of RFC 2069 §2.1.2 without `qop`.
    fn expected(&self, ha1: &Ha1, method: &Method) -> String {
        let algorithm = ha1.algorithm();
        let ha2 = algorithm.hash(&[method.as_str(), &self.uri]);
        match (&self.qop, &self.cnonce, self.nc) {
            (Some(qop), Some(cnonce), Some(nc)) => {
                let nc = format!("{nc:08x}");
                algorithm.hash(&[ha1.expose_hex(), &self.nonce, &nc, cnonce, qop.as_str(), &ha2])
            }
            _ => algorithm.hash(&[ha1.expose_hex(), &self.nonce, &ha2]),
        }
    }
}

impl FromStr for Credentials {
    type Err = DigestError;

    fn from_str(value: &str) -> Result<Self, DigestError> {
        let mut parameters = match split(value)? {
            Split::Digest(parameters) => parameters,
            Split::Foreign { scheme, rest } => return Ok(Self::foreign(scheme, rest)),
        };
        Ok(Self {
            username: username(&mut parameters)?,
            realm: parameters.require("realm")?,
            nonce: parameters.require("nonce")?,
            uri: parameters.require("uri")?,
            response: parameters.require("response")?,
            algorithm: parameters.take("algorithm").map(|name| AlgorithmName::from(&*name)),
            cnonce: parameters.take("cnonce"),
            opaque: parameters.take("opaque"),
            qop: parameters.take("qop").map(|token| Qop::from(&*token)),
            nc: parameters.take("nc").map(|digits| nonce_count(&digits)).transpose()?,
            rest: parameters.into_rest(),
            foreign: None,
        })
    }
}

impl fmt::Display for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((scheme, rest)) = &self.foreign {
            return write!(f, "{scheme} {rest}");
        }
        let mut out = Writer::new(f)?;
        out.quoted("username", &self.username)?;
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
        out.rest(&self.rest)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((scheme, _)) = &self.foreign {
            return write!(f, "Credentials({scheme} ***)");
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

impl Credentials {
    fn foreign(scheme: ByteStr, rest: ByteStr) -> Self {
        let empty = ByteStr::from("");
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
            rest: Vec::new(),
            foreign: Some((scheme, rest)),
        }
    }
}

/// `username`, or `username*` in the notation of RFC 5987; both at once are an error (RFC 7616 §3.4).
fn username(parameters: &mut Parameters) -> Result<ByteStr, DigestError> {
    match (parameters.take("username"), parameters.take("username*")) {
        (Some(plain), None) => Ok(plain),
        (None, Some(extended)) => extended_value(&extended).ok_or(DigestError::BadValue("username*")),
        (Some(_), Some(_)) => Err(DigestError::Duplicate(ByteStr::from("username"))),
        (None, None) => Err(DigestError::Missing("username")),
    }
}

/// Reads `UTF-8'language'percent-encoded` (RFC 5987 §3.2).
fn extended_value(value: &str) -> Option<ByteStr> {
    let (charset, rest) = value.split_once('\'')?;
    let (_language, encoded) = rest.split_once('\'')?;
    if !charset.eq_ignore_ascii_case("UTF-8") {
        return None;
    }
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut bytes = encoded.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => (hex_digit(bytes.next()?)? << 4) | hex_digit(bytes.next()?)?,
            _ => byte,
        });
    }
    // Control characters could not be written again: no header has them.
    String::from_utf8(decoded).ok().filter(|text| !text.bytes().any(|byte| byte.is_ascii_control())).map(ByteStr::from)
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Eight hexadecimal digits (RFC 7616 §3.4).
fn nonce_count(digits: &str) -> Result<u32, DigestError> {
    let valid = digits.len() == 8 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    let count = valid.then(|| u32::from_str_radix(digits, 16).ok()).flatten();
    count.ok_or(DigestError::BadValue("nc"))
}

#[cfg(test)]
mod tests {
    use super::super::ha1;
    use super::*;

    const NONCE: &str = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
    const OPAQUE: &str = "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS";
    const CNONCE: &str = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";

    fn get() -> Method {
        Method::Extension("GET".into())
    }

    /// RFC 7616 §3.9.1.
    fn mufasa(algorithm: Algorithm) -> Credentials {
        let text = format!(
            "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, nonce=\"{NONCE}\", \
             opaque=\"{OPAQUE}\""
        );
        let asked = DigestRequest { method: &get(), uri: "/dir/index.html", cnonce: CNONCE, nc: 1 };
        Credentials::answer(&text.parse().unwrap(), "Mufasa", &Secret::password("Circle of Life"), &asked).unwrap()
    }

    #[test]
    fn the_answers_are_those_that_rfc_7616_prints() {
        let sha = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1";
        assert_eq!(&*mufasa(Algorithm::Sha256).response, sha);
        assert_eq!(&*mufasa(Algorithm::Md5).response, "8ca523f5e9506fed4657c9700eebdbec");
    }

    #[test]
    fn the_answer_without_qop_is_that_of_rfc_2069() {
        // The values of RFC 2069 §2.4 with the digest that its erratum 749 corrects.
        let challenge: Challenge =
            "Digest realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", \
                                    opaque=\"5ccc069c403ebaf9f0171e9517f40e41\""
                .parse()
                .unwrap();
        let asked = DigestRequest { method: &get(), uri: "/dir/index.html", cnonce: "unused", nc: 7 };
        let answer = Credentials::answer(&challenge, "Mufasa", &Secret::password("CircleOfLife"), &asked).unwrap();
        assert_eq!(&*answer.response, "1949323746fe6a43ef61f9606e7febea");
        assert_eq!((answer.qop, answer.cnonce, answer.nc, answer.algorithm), (None, None, None, None));
    }

    #[test]
    fn an_answer_verifies_with_the_right_ha1_method_and_nothing_else() {
        for algorithm in [Algorithm::Md5, Algorithm::Sha256] {
            let right = ha1(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life");
            let wrong = ha1(algorithm, "Mufasa", "http-auth@example.org", "Circle of life");
            let answer = mufasa(algorithm);
            assert!(answer.verify(&right, &get()));
            assert!(!answer.verify(&wrong, &get()));
            assert!(!answer.verify(&right, &Method::Register));
            let changes: [fn(&mut Credentials); 4] = [
                |c| c.nonce = "other".into(),
                |c| c.nc = Some(2),
                |c| c.cnonce = Some("other".into()),
                |c| c.uri = "/dir/other.html".into(),
            ];
            for change in changes {
                let mut changed = answer.clone();
                change(&mut changed);
                assert!(!changed.verify(&right, &get()), "{changed:?}");
            }
        }
    }

    #[test]
    fn an_answer_never_verifies_with_the_ha1_of_another_algorithm() {
        let md5 = ha1(Algorithm::Md5, "Mufasa", "http-auth@example.org", "Circle of Life");
        let mut answer = mufasa(Algorithm::Md5);
        for name in ["SHA-256", "MD5-sess", "x"] {
            answer.algorithm = Some(AlgorithmName::from(name));
            assert!(!answer.verify(&md5, &get()), "{name}");
        }
        assert!(!mufasa(Algorithm::Sha256).verify(&md5, &get()));
    }

    #[test]
    fn a_server_does_not_accept_the_form_without_qop() {
        let challenge: Challenge = "Digest realm=\"r\", nonce=\"n\"".parse().unwrap();
        let asked = DigestRequest { method: &get(), uri: "/", cnonce: "", nc: 1 };
        let answer = Credentials::answer(&challenge, "u", &Secret::password("p"), &asked).unwrap();
        assert!(!answer.verify(&ha1(Algorithm::Md5, "u", "r", "p"), &get()));
    }

    #[test]
    fn a_stored_ha1_answers_like_the_password_but_only_for_its_algorithm() {
        let challenge = Challenge::new("r", "n", Algorithm::Sha256);
        let asked = DigestRequest { method: &Method::Register, uri: "sip:r", cnonce: "c", nc: 1 };
        let stored = Secret::Ha1(ha1(Algorithm::Sha256, "u", "r", "p"));
        let by_password = Credentials::answer(&challenge, "u", &Secret::password("p"), &asked);
        assert_eq!(Credentials::answer(&challenge, "u", &stored, &asked), by_password);
        let other = Secret::Ha1(ha1(Algorithm::Md5, "u", "r", "p"));
        let error = DigestError::WrongHa1 { have: Algorithm::Md5, wanted: Algorithm::Sha256 };
        assert_eq!(Credentials::answer(&challenge, "u", &other, &asked), Err(error));
    }

    #[test]
    fn a_challenge_that_cannot_be_answered_says_why() {
        let asked = DigestRequest { method: &Method::Register, uri: "sip:r", cnonce: "c", nc: 1 };
        let refused =
            |text: &str| Credentials::answer(&text.parse().unwrap(), "u", &Secret::password("p"), &asked).unwrap_err();
        assert_eq!(refused("Basic realm=\"r\""), DigestError::UnsupportedScheme("Basic".into()));
        assert_eq!(
            refused("Digest realm=\"r\",nonce=\"n\",algorithm=SHA-512-256"),
            DigestError::UnsupportedAlgorithm("SHA-512-256".into())
        );
        assert_eq!(refused("Digest realm=\"r\",nonce=\"n\",qop=\"auth-int\""), DigestError::UnsupportedQop);
    }

    #[test]
    fn credentials_are_written_and_read_again() {
        let answer = mufasa(Algorithm::Sha256);
        let text = answer.to_string();
        assert_eq!(text.parse::<Credentials>().unwrap(), answer);
        assert!(text.contains(", algorithm=SHA-256,") && text.contains(", qop=auth, nc=00000001"), "{text}");
    }

    #[test]
    fn the_extended_user_name_of_rfc_7616_is_decoded() {
        let text = "Digest username*=UTF-8''J%C3%A4s%C3%B8n%20Doe, realm=\"r\", nonce=\"n\", uri=\"u\", response=\"0\"";
        assert_eq!(&*text.parse::<Credentials>().unwrap().username, "J\u{e4}s\u{f8}n Doe");
        for bad in ["UTF-8''%C3", "latin1''a", "UTF-8'a", "UTF-8''%", "UTF-8''%zz", "UTF-8''%02"] {
            let text = format!("Digest username*={bad}, realm=\"r\", nonce=\"n\", uri=\"u\", response=\"0\"");
            assert_eq!(text.parse::<Credentials>(), Err(DigestError::BadValue("username*")), "{bad}");
        }
    }

    #[test]
    fn improper_or_missing_parameters_are_errors() {
        let whole = "Digest username=\"u\",realm=\"r\",nonce=\"n\",uri=\"sip:r\",response=\"0\"";
        assert!(whole.parse::<Credentials>().is_ok());
        for missing in ["username", "realm", "nonce", "uri", "response"] {
            let without = whole.replace(&format!("{missing}="), "x=");
            assert_eq!(without.parse::<Credentials>(), Err(DigestError::Missing(missing)));
        }
        for nc in ["1", "0000000g", "+0000001", "000000001", "\"\""] {
            let text = format!("{whole},nc={nc}");
            assert_eq!(text.parse::<Credentials>(), Err(DigestError::BadValue("nc")), "{nc}");
        }
        let twice = format!("{whole},username*=UTF-8''u");
        assert_eq!(twice.parse::<Credentials>(), Err(DigestError::Duplicate("username".into())));
    }

    #[test]
    fn debug_shows_neither_response_nor_foreign_credentials() {
        let answer = mufasa(Algorithm::Md5);
        assert!(!format!("{answer:?}").contains(&*answer.response));
        let basic: Credentials = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==".parse().unwrap();
        assert!(!basic.is_digest() && !format!("{basic:?}").contains("QWxh"));
    }
}

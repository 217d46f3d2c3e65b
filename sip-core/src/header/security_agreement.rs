//! The security agreement of a user agent and its first proxy: Security-Client, -Server and -Verify (RFC 3329).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use super::contact::thousandths;
use super::{HeaderError, HeaderName, Repetition, TypedHeader};
use crate::grammar::{self, Parsed};
use crate::{ByteStr, Params};

/// One way to secure what passes between a user agent and its first proxy (RFC 3329 §2.2): `tls;q=0.2`.
///
/// ```
/// use blether_sip_core::{SecurityClient, SecurityMechanism};
///
/// let offer = SecurityClient::new(SecurityMechanism::new("tls")?).and(SecurityMechanism::new("digest")?);
/// assert_eq!(offer.to_string(), "tls, digest");
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SecurityMechanism {
    name: ByteStr,
    /// The parameters, such as `d-alg` and `d-qop` of `digest`, or `alg` and `spi-c` of `ipsec-3gpp`.
    pub params: Params,
}

const EXPECTED: &str = "security mechanisms such as tls;q=0.1 between commas";

impl SecurityMechanism {
    /// A mechanism without parameters: `tls`, `digest`, `ipsec-ike`, `ipsec-man`, `ipsec-3gpp` or another.
    ///
    /// # Errors
    ///
    /// [`HeaderError::Malformed`] if the name is no token.
    pub fn new(name: &str) -> Result<Self, HeaderError> {
        if grammar::is_token(name) {
            Ok(SecurityMechanism { name: name.into(), params: Params::new() })
        } else {
            Err(HeaderError::malformed(HeaderName::SecurityServer, EXPECTED))
        }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The `q` parameter in thousandths: how much the server prefers it. `None` if it is absent or malformed.
    #[must_use]
    pub fn q(&self) -> Option<u16> {
        self.params.value("q").and_then(thousandths)
    }

    /// Whether the other is the same mechanism with the same parameters in any order. The `d-ver` of a client, which
    /// guards the list and is none of it, is passed over.
    fn mirrors(&self, server: &SecurityMechanism) -> bool {
        let is_listed = |(name, _): &(&str, Option<&str>)| !name.eq_ignore_ascii_case("d-ver");
        let has = |(name, value): (&str, Option<&str>)| match (self.params.get(name), value) {
            (Some(Some(ours)), Some(theirs)) => ours.eq_ignore_ascii_case(theirs),
            (ours, theirs) => ours == Some(theirs),
        };
        self.name.eq_ignore_ascii_case(&server.name)
            && self.params.iter().filter(is_listed).count() == server.params.iter().filter(is_listed).count()
            && server.params.iter().filter(is_listed).all(has)
    }
}

impl FromStr for SecurityMechanism {
    type Err = HeaderError;

    /// Reads a name with parameters: one value of the headers.
    fn from_str(text: &str) -> Result<Self, HeaderError> {
        super::complete(text, |input| mechanism(&text.into(), input), HeaderName::SecurityServer, EXPECTED)
    }
}

impl fmt::Display for SecurityMechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        write(core::slice::from_ref(self), &mut text);
        f.write_str(&text)
    }
}

fn mechanism<'a>(whole: &ByteStr, input: &'a str) -> Parsed<'a, SecurityMechanism> {
    let (rest, name) = grammar::token(input)?;
    let (rest, params) = grammar::params(whole, rest)?;
    Ok((rest, SecurityMechanism { name: whole.share(name), params }))
}

fn parse(value: &ByteStr, header: HeaderName) -> Result<Vec<SecurityMechanism>, HeaderError> {
    let read = |item| super::complete(item, |input| mechanism(value, input), header.clone(), EXPECTED);
    let mechanisms = grammar::list(value).map(read).collect::<Result<Vec<_>, _>>()?;
    if mechanisms.is_empty() { Err(HeaderError::malformed(header, EXPECTED)) } else { Ok(mechanisms) }
}

fn write(mechanisms: &[SecurityMechanism], out: &mut String) {
    grammar::write_list(out, ", ", mechanisms, |out, mechanism| {
        out.push_str(&mechanism.name);
        mechanism.params.write(out);
    });
}

macro_rules! security_headers {
    ($($(#[$doc:meta])* $name:ident)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Eq, Hash)]
            pub struct $name(Vec<SecurityMechanism>);

            impl $name {
                /// The mechanisms in order; there is at least one.
                #[must_use]
                pub fn mechanisms(&self) -> &[SecurityMechanism] {
                    &self.0
                }
            }

            impl TypedHeader for $name {
                const NAME: HeaderName = HeaderName::$name;
                const REPETITION: Repetition = Repetition::Whole;

                fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
                    parse(&value, Self::NAME).map($name)
                }

                fn write(&self, out: &mut String) {
                    write(&self.0, out);
                }
            }
        )*
    };
}

security_headers! {
    /// The mechanisms that a client has (RFC 3329 §2.3.1), all at once. It says no `q`.
    ///
    /// ```
    /// use blether_sip_core::SecurityClient;
    ///
    /// let known = SecurityClient::new("tls".parse()?).and("digest;d-alg=SHA-256".parse()?);
    /// assert_eq!(known.to_string(), "tls, digest;d-alg=SHA-256");
    /// # Ok::<(), blether_sip_core::HeaderError>(())
    /// ```
    SecurityClient
    /// The mechanisms that the server has, with which it prefers (RFC 3329 §2.3.1), all at once.
    ///
    /// ```
    /// use blether_sip_core::{SecurityServer, SecurityVerify};
    ///
    /// // RFC 3329 §4.1.
    /// let server: SecurityServer = "ipsec-ike;q=0.1, tls;q=0.2".parse()?;
    /// assert_eq!(server.choose(&["tls", "ipsec-ike"]).map(|mechanism| mechanism.name()), Some("tls"));
    /// let verify = server.to_verify();
    /// assert!(verify.mirrors(&server));
    /// assert!(!"tls;q=0.2".parse::<SecurityVerify>()?.mirrors(&server), "the list was changed on the way");
    /// # Ok::<(), blether_sip_core::HeaderError>(())
    /// ```
    SecurityServer
    /// What the client was told in Security-Server, given back under the protection that was agreed on (RFC 3329 §2.3.1).
    ///
    /// ```
    /// use blether_sip_core::{SecurityServer, SecurityVerify};
    ///
    /// let server: SecurityServer = "digest;q=0.1, tls;q=0.2".parse()?;
    /// let told: SecurityVerify = "digest;q=0.1".parse()?;
    /// assert!(!told.mirrors(&server)); // somebody took tls out of the list: 494
    /// # Ok::<(), blether_sip_core::HeaderError>(())
    /// ```
    SecurityVerify
}

impl SecurityClient {
    /// One mechanism.
    #[must_use]
    pub fn new(mechanism: SecurityMechanism) -> Self {
        SecurityClient(alloc::vec![mechanism])
    }

    /// The same with one more.
    #[must_use]
    pub fn and(mut self, mechanism: SecurityMechanism) -> Self {
        self.0.push(mechanism);
        self
    }
}

impl SecurityServer {
    /// The most mechanisms that have a `q` of their own, in thousandths.
    const MAX: u16 = 1000;

    /// The mechanism `first` and the `others`, the one that is preferred before the next: each has a `q` of its own, as
    /// RFC 3329 §2.2 asks. Those after the first 1,000 are left out.
    #[must_use]
    pub fn ranked(first: SecurityMechanism, others: impl IntoIterator<Item = SecurityMechanism>) -> Self {
        let mut mechanisms: Vec<_> = core::iter::once(first).chain(others).take(usize::from(Self::MAX)).collect();
        let step = u16::try_from(mechanisms.len()).map_or(1, |count| Self::MAX / count.max(1)).clamp(1, 100);
        let mut q = Self::MAX;
        for mechanism in &mut mechanisms {
            let text = format!("{}.{:03}", q / 1000, q % 1000);
            mechanism.params.set("q", Some(text.trim_end_matches('0').trim_end_matches('.')));
            q = q.saturating_sub(step);
        }
        SecurityServer(mechanisms)
    }

    /// The mechanism that the server prefers of those that the client knows; the first of equals. One without a `q` comes
    /// last. `None` if the client knows none.
    #[must_use]
    pub fn choose(&self, known: &[&str]) -> Option<&SecurityMechanism> {
        let is_known = |mechanism: &&SecurityMechanism| {
            known.iter().any(|name| mechanism.name.as_bytes().eq_ignore_ascii_case(name.as_bytes()))
        };
        self.0.iter().rev().filter(is_known).max_by_key(|mechanism| mechanism.q())
    }

    /// The list as the client gives it back.
    #[must_use]
    pub fn to_verify(&self) -> SecurityVerify {
        SecurityVerify(self.0.clone())
    }
}

impl SecurityVerify {
    /// Whether this is the list that the server has: the same mechanisms in the same order, each with parameters of the
    /// same values, but for `d-ver` (RFC 3329 §2.3.1). If it is not, the answer is 494 with the server's list.
    #[must_use]
    pub fn mirrors(&self, server: &SecurityServer) -> bool {
        self.0.len() == server.0.len() && self.0.iter().zip(&server.0).all(|(ours, theirs)| ours.mirrors(theirs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::rewritten;

    #[test]
    fn a_list_that_was_changed_is_noticed() {
        let (server, _) = rewritten::<SecurityServer>("digest;d-qop=auth;d-alg=MD5;q=0.1 ,, tls ; q=0.2");
        #[track_caller]
        fn check(text: &str, server: &SecurityServer, mirrors: bool) {
            assert_eq!(rewritten::<SecurityVerify>(text).0.mirrors(server), mirrors, "{text}");
        }
        check("digest;d-qop=auth;d-alg=MD5;q=0.1, tls;q=0.2", &server, true);
        let d_ver = "0000000000000000000000000000abcd";
        check(&format!("Digest;Q=0.1;d-alg=md5;d-qop=\"auth\";d-ver=\"{d_ver}\", TLS;q=0.2"), &server, true);
        check("tls;q=0.2, digest;d-qop=auth;d-alg=MD5;q=0.1", &server, false);
        check("digest;d-qop=auth;d-alg=MD5;q=0.1", &server, false);
        check("digest;d-qop=auth;d-alg=MD5;q=0.1, tls;q=0.3", &server, false);
        check("digest;d-qop=auth;d-alg=MD5;q=0.1, tls;q=0.2;x", &server, false);
        check("digest;d-qop=auth;q=0.1;d-alg, tls;q=0.2", &server, false);
        for text in ["", ",", "tls;", "t ls", ";q=1"] {
            assert!(SecurityClient::parse_value(text.into()).is_err(), "{text}");
        }
    }

    #[test]
    fn the_mechanism_that_the_server_prefers_is_chosen() {
        let mechanism = |name| SecurityMechanism::new(name).unwrap();
        let server = SecurityServer::ranked(mechanism("tls"), [mechanism("ipsec-ike"), mechanism("digest")]);
        assert_eq!(server.to_string(), "tls;q=1, ipsec-ike;q=0.9, digest;q=0.8");
        let chosen = |known: &[&str]| server.choose(known).map(SecurityMechanism::name);
        assert_eq!(chosen(&["digest", "IPSEC-ike"]), Some("ipsec-ike"));
        assert_eq!((chosen(&["ipsec-man"]), chosen(&[])), (None, None));
        assert_eq!("a, b;q=0, c;q=0".parse::<SecurityServer>().unwrap().choose(&["a", "b", "c"]).unwrap().name(), "b");
        let many = SecurityServer::ranked(mechanism("a"), core::iter::repeat_n(mechanism("b"), 2000));
        let mut q: Vec<_> = many.mechanisms().iter().map(SecurityMechanism::q).collect();
        q.dedup();
        assert_eq!((q.len(), q.last()), (1000, Some(&Some(1))));
        for name in ["", "a b", "a\r\nb"] {
            assert!(SecurityMechanism::new(name).is_err(), "{name}");
        }
    }
}

//! Who a peer has to prove to be, and who it has proved to be: the identities of RFC 5922, compared as its §7.2 says.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

/// The longest name that the DNS has, in characters (RFC 1035 §2.3.4).
const MAX_NAME: usize = 253;

/// The longest part of a name between two dots, in characters.
const MAX_LABEL: usize = 63;

/// The domain that a certificate has to prove (RFC 5922 §7.3): the one that the resolver was asked for, and never what its answers name, since
/// those can be anybody's. Equal whatever the case of letters and a dot at the end; nothing is a wildcard.
///
/// An address in place of a domain is one that somebody has written into a URI; RFC 5922 does not speak of those.
///
/// ```
/// use blether_sip_transport::PeerName;
///
/// let asked: PeerName = "Example.COM".parse()?;
/// assert_eq!(asked, "example.com.".parse()?);
/// assert!("*.example.com".parse::<PeerName>().is_err());
/// # Ok::<(), blether_sip_transport::InvalidPeerName>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PeerName(Inner);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Inner {
    /// In small letters, without a dot at the end.
    Domain(Arc<str>),
    Address(IpAddr),
}

/// This is no domain and no address: of letters, digits, `-`, `_` and dots, each part at most 63 characters long and all of it at most 253.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the name of a domain, nor an address; one in letters of other scripts is written as \"xn--…\"")]
pub struct InvalidPeerName(String);

impl PeerName {
    /// The domain, in small letters; `None` for an address.
    pub fn domain(&self) -> Option<&str> {
        match &self.0 {
            Inner::Domain(domain) => Some(domain),
            Inner::Address(_) => None,
        }
    }

    /// The address; `None` for a domain.
    pub fn address(&self) -> Option<IpAddr> {
        match self.0 {
            Inner::Domain(_) => None,
            Inner::Address(address) => Some(address),
        }
    }
}

/// The host in a URI of a certificate that is for a SIP domain (RFC 5922 §7.1): of scheme `sip`, and without a user. `None` for any other URI.
#[cfg_attr(not(any(feature = "tls", test)), expect(dead_code, reason = "there are no certificates without TLS"))]
pub(crate) fn domain_in_uri(uri: &str) -> Option<&str> {
    let (scheme, rest) = uri.split_once(':')?;
    // A user may have the characters that end a host.
    if !scheme.eq_ignore_ascii_case("sip") || rest.contains('@') {
        return None;
    }
    let host_and_port = rest.get(..rest.find([';', '?']).unwrap_or(rest.len()))?;
    let after_address = host_and_port.rfind(']').unwrap_or(0);
    let colon = host_and_port.get(after_address..)?.find(':').map(|colon| after_address + colon);
    host_and_port.get(..colon.unwrap_or(host_and_port.len()))
}

impl From<IpAddr> for PeerName {
    fn from(address: IpAddr) -> Self {
        Self(Inner::Address(address.to_canonical()))
    }
}

impl FromStr for PeerName {
    type Err = InvalidPeerName;

    /// Reads a domain or an address, an IPv6 address with or without brackets.
    fn from_str(text: &str) -> Result<Self, InvalidPeerName> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::from(address));
        }
        let bracketed = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        if let Some(Ok(address)) = bracketed.map(str::parse::<Ipv6Addr>) {
            return Ok(Self::from(IpAddr::from(address)));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        if name.len() <= MAX_NAME && name.split('.').all(is_label) {
            Ok(Self(Inner::Domain(Arc::from(name.to_ascii_lowercase()))))
        } else {
            Err(InvalidPeerName(text.to_owned()))
        }
    }
}

impl fmt::Display for PeerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Inner::Domain(domain) => f.write_str(domain),
            Inner::Address(address) => write!(f, "{address}"),
        }
    }
}

fn is_label(label: &str) -> bool {
    (1..=MAX_LABEL).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// A peer at an address that has to prove its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct NamedPeer {
    pub(crate) remote: SocketAddr,
    pub(crate) name: PeerName,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_whole_and_whatever_the_case() {
        let equal = |one: &str, other: &str| one.parse::<PeerName>().unwrap() == other.parse().unwrap();
        assert!(equal("example.com", "EXAMPLE.com") && equal("example.com", "example.com."));
        assert!(!equal("example.com", "foo.example.com") && !equal("example.com", "xample.com"));
        assert!(equal("[2001:DB8::1]", "2001:db8:0::1") && equal("192.0.2.1", "::ffff:192.0.2.1"));
        assert_eq!("Sip.Example.org".parse::<PeerName>().unwrap().to_string(), "sip.example.org");
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = format!("{}.example", "a".repeat(64));
        let longer = "a.".repeat(127) + "com";
        for wrong in
            ["", ".", "*", "*.example.com", ".example.com", "a..b", "-a.b", "a-.b", "exämple.com", "a b", "a:5061"]
        {
            assert!(wrong.parse::<PeerName>().is_err(), "{wrong}");
        }
        assert!(long.parse::<PeerName>().is_err() && longer.parse::<PeerName>().is_err());
        assert!("a.".repeat(126).parse::<PeerName>().is_ok());
    }

    #[test]
    fn a_sip_uri_without_a_user_names_its_host() {
        for (uri, expected) in [
            ("sip:example.com", Some("example.com")),
            ("SIP:Example.com:5061;transport=tls", Some("Example.com")),
            ("sip:example.com?a=b:c", Some("example.com")),
            ("sip:[2001:db8::1]:5061", Some("[2001:db8::1]")),
            ("sip:[2001:db8::1]", Some("[2001:db8::1]")),
            ("sip:192.0.2.1:5061", Some("192.0.2.1")),
            // No name, and yet for a SIP domain.
            ("sip:*.example.com", Some("*.example.com")),
            ("sip:", Some("")),
            ("sip:[", Some("[")),
            // Somebody's, and other schemes'.
            ("sip:alice@example.com", None),
            ("sip:alice;x@example.com", None),
            ("sips:example.com", None),
            ("https://example.com", None),
            ("example.com", None),
        ] {
            assert_eq!(domain_in_uri(uri), expected, "{uri}");
        }
    }
}

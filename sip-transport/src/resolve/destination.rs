//! Where a request is to go, as plain values.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use super::service::Protocol;

/// Bytes of a name in DNS, without the last dot (RFC 1035 §2.3.4: 255 with its length bytes).
const MAX_NAME: usize = 253;

/// Bytes of one label (RFC 1035 §2.3.4).
const MAX_LABEL: usize = 63;

/// The name of a host or a domain, in lower case and without a last dot. Two that DNS takes for the same are equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DomainName(String);

/// What is no name that DNS could have: empty, too long, or with other characters than letters, digits, hyphens and underscores.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{}\" is no domain name", .0.escape_debug())]
pub struct NoDomainName(pub String);

impl DomainName {
    /// The name, such as `example.org`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the SRV records of a service in this domain.
    pub(super) fn with_labels(&self, labels: &str) -> Option<Self> {
        Self::from_str(&format!("{labels}.{}", self.0)).ok()
    }
}

impl FromStr for DomainName {
    type Err = NoDomainName;

    fn from_str(text: &str) -> Result<Self, NoDomainName> {
        let name = text.strip_suffix('.').unwrap_or(text);
        let is_label = |label: &str| {
            let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            (1..=MAX_LABEL).contains(&label.len()) && label.bytes().all(letter)
        };
        if name.len() > MAX_NAME || !name.split('.').all(is_label) {
            return Err(NoDomainName(text.chars().take(MAX_NAME).collect()));
        }
        Ok(Self(name.to_ascii_lowercase()))
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A host, numeric or by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DestinationHost {
    /// An address: nobody needs to be asked.
    Address(IpAddr),
    /// A name.
    Name(DomainName),
}

impl fmt::Display for DestinationHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

impl FromStr for DestinationHost {
    type Err = NoDomainName;

    /// Reads an IPv4 address, an IPv6 address with brackets or without, or a name.
    fn from_str(text: &str) -> Result<Self, NoDomainName> {
        let in_brackets = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        if let Some(address) = in_brackets {
            let address = address.parse::<Ipv6Addr>().map_err(|_| NoDomainName(text.to_owned()))?;
            return Ok(Self::Address(address.into()));
        }
        match text.parse::<IpAddr>() {
            Ok(address) => Ok(Self::Address(address)),
            Err(_) => Ok(Self::Name(text.parse()?)),
        }
    }
}

/// Where a request is to go (RFC 3263 §4): what a SIP or SIPS URI, a configuration or the sent-by of a Via says of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Destination {
    /// TARGET of RFC 3263: the `maddr` of a URI, or its host.
    pub host: DestinationHost,
    /// The port, if one is named. That keeps NAPTR and SRV records from being asked for.
    pub port: Option<u16>,
    /// The transport, if one is named.
    pub transport: Option<Protocol>,
    /// Whether only TLS will do: of a SIPS URI.
    pub secure: bool,
}

impl Destination {
    /// A host of which nothing else is said.
    pub fn new(host: DestinationHost) -> Self {
        Self { host, port: None, transport: None, secure: false }
    }
}

impl From<SocketAddr> for Destination {
    /// An address and a port.
    fn from(address: SocketAddr) -> Self {
        Self { port: Some(address.port()), ..Self::new(DestinationHost::Address(address.ip())) }
    }
}

impl FromStr for Destination {
    type Err = NoDomainName;

    /// Reads `host`, `host:port` or `[address]:port`; an IPv6 address without a port needs no brackets.
    fn from_str(text: &str) -> Result<Self, NoDomainName> {
        if let Ok(host) = text.parse() {
            return Ok(Self::new(host));
        }
        let wrong = || NoDomainName(text.chars().take(MAX_NAME).collect());
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?;
        let host = host.parse().map_err(|_| wrong())?;
        // What is left of an IPv6 address without its last part is one at times, and not meant.
        match host {
            DestinationHost::Address(IpAddr::V6(_)) if !text.starts_with('[') => Err(wrong()),
            host => Ok(Self { port: Some(port), ..Self::new(host) }),
        }
    }
}

impl fmt::Display for Destination {
    /// For people: `example.org:5070 over TCP with TLS`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.host, self.port) {
            (DestinationHost::Address(IpAddr::V6(address)), Some(port)) => write!(f, "[{address}]:{port}")?,
            (host, Some(port)) => write!(f, "{host}:{port}")?,
            (host, None) => write!(f, "{host}")?,
        }
        match self.transport {
            Some(Protocol::Udp) => f.write_str(" over UDP")?,
            Some(Protocol::Tcp) => f.write_str(" over TCP")?,
            Some(Protocol::WebSocket) => f.write_str(" over WebSocket")?,
            None => {}
        }
        f.write_str(if self.secure { " with TLS" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_equal_that_dns_takes_for_the_same() {
        let name = |text: &str| text.parse::<DomainName>().unwrap();
        assert_eq!(name("Example.ORG."), name("example.org"));
        assert_eq!(name("_sip._udp.example.org").as_str(), "_sip._udp.example.org");
    }

    #[test]
    fn what_dns_cannot_carry_is_no_name() {
        let (long_label, long_name) = ("a".repeat(64), format!("{}a", "abcdefg.".repeat(32)));
        for text in ["", ".", "a..b", "a b", "ä.example", "a/b", &long_label, &long_name] {
            assert!(text.parse::<DomainName>().is_err(), "{text:?}");
        }
        assert!("a".repeat(63).parse::<DomainName>().is_ok());
        assert!("example".parse::<DomainName>().unwrap().with_labels(&long_label).is_none());
    }

    #[test]
    fn a_host_is_numeric_or_a_name() {
        let host = |text: &str| text.parse::<DestinationHost>();
        for text in ["2001:db8::1", "[2001:db8::1]"] {
            assert_eq!(host(text), Ok(DestinationHost::Address("2001:db8::1".parse().unwrap())), "{text}");
        }
        assert_eq!(host("192.0.2.1"), Ok(DestinationHost::Address([192, 0, 2, 1].into())));
        assert_eq!(host("Proxy.example"), Ok(DestinationHost::Name("proxy.example".parse().unwrap())));
        assert!(host("[192.0.2.1]").is_err() && host("[]").is_err());
    }

    #[test]
    fn a_destination_may_lack_its_port() {
        for (text, reads) in [
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1:5070", "192.0.2.1:5070"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]:5070", "[2001:db8::1]:5070"),
            ("Example.org:5070", "example.org:5070"),
        ] {
            assert_eq!(text.parse::<Destination>().unwrap().to_string(), reads);
        }
        for text in ["192.0.2.1:port", "192.0.2.1:0", "sip:192.0.2.1", "a@b", "", "two words", "::1:99999", ":5060"] {
            assert!(text.parse::<Destination>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_destination_reads_like_a_sentence() {
        let destination = |host: &str| Destination::new(host.parse().unwrap());
        assert_eq!(destination("example.org").to_string(), "example.org");
        let secure =
            Destination { port: Some(5071), transport: Some(Protocol::Tcp), secure: true, ..destination("::1") };
        assert_eq!(secure.to_string(), "[::1]:5071 over TCP with TLS");
    }
}

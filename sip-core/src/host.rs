use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::ByteStr;
use crate::grammar::{self, Parsed};

/// The longest host name (RFC 1035 §2.3.4), in bytes, with a final dot.
const MAX_NAME: usize = 254;

/// The host of a URI or a Via: a name or an address (RFC 3261 §25.1).
#[derive(Debug, Clone)]
pub enum Host {
    /// A domain name, in the case it was written in; compared case-insensitively.
    Name(ByteStr),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address, written in brackets.
    V6(Ipv6Addr),
}

impl Host {
    /// Reads a host alone, an IPv6 address with or without its brackets; `None` if it is neither name nor address.
    #[must_use]
    pub fn parse(text: &str) -> Option<Host> {
        let whole = ByteStr::from(text);
        match Host::parse_prefix(&whole, &whole) {
            Ok(("", host)) => Some(host),
            _ => text.parse().ok().map(Host::V6),
        }
    }

    /// The address; `None` for a name.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Host::Name(_) => None,
            Host::V4(ip) => Some((*ip).into()),
            Host::V6(ip) => Some((*ip).into()),
        }
    }

    pub(crate) fn parse_prefix<'a>(whole: &ByteStr, input: &'a str) -> Parsed<'a, Host> {
        if let Some(inner) = input.strip_prefix('[') {
            let (address, rest) = match inner.split_once(']') {
                Some(parts) => parts,
                None => return grammar::no_match(),
            };
            // The grammar of RFC 3261 has a colon too many before an IPv4 part, and is obeyed (RFC 5118 §4.10, RFC 5954 §4.1).
            return match address.parse().or_else(|_| address.replacen(":::", "::", 1).parse()) {
                Ok(ip) => Ok((rest, Host::V6(ip))),
                Err(_) => grammar::no_match(),
            };
        }
        let end = input.find(|c: char| !is_name_char(c)).unwrap_or(input.len());
        let Some((name, rest)) = input.split_at_checked(end) else { return grammar::no_match() };
        if let Ok(ip) = name.parse() {
            return Ok((rest, Host::V4(ip)));
        }
        if is_name(name) { Ok((rest, Host::Name(whole.share(name)))) } else { grammar::no_match() }
    }

    /// A name in lower case and without its final dot; addresses as they are.
    pub(crate) fn normalised(&self) -> Host {
        match self {
            Host::Name(name) => Host::Name(name.trim_end_matches('.').to_ascii_lowercase().into()),
            address => address.clone(),
        }
    }

    fn sort_key(&self) -> (Option<IpAddr>, String) {
        match self {
            Host::Name(name) => (None, name.to_ascii_lowercase()),
            address => (address.ip(), String::new()),
        }
    }
}

/// `hostname`, and the underscore that some networks use. All-numeric names are misspelt addresses.
fn is_name(name: &str) -> bool {
    let labels = name.strip_suffix('.').unwrap_or(name);
    let last = labels.rsplit('.').next().unwrap_or_default();
    name.len() <= MAX_NAME
        && labels.split('.').all(|label| !label.is_empty())
        && !last.starts_with(|c: char| c.is_ascii_digit())
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_')
}

impl From<IpAddr> for Host {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => Host::V4(ip),
            IpAddr::V6(ip) => Host::V6(ip),
        }
    }
}

impl PartialEq for Host {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Host::Name(a), Host::Name(b)) => a.as_bytes().eq_ignore_ascii_case(b.as_bytes()),
            (a, b) => a.ip().is_some() && a.ip() == b.ip(),
        }
    }
}

impl Eq for Host {}

impl std::hash::Hash for Host {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.sort_key().hash(state);
    }
}

impl PartialOrd for Host {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Host {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.sort_key().cmp(&other.sort_key())
    }
}

impl fmt::Display for Host {
    /// Writes the host, an IPv6 address in brackets. Characters that no host has are left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) if is_name(name) && name.chars().all(is_name_char) => f.write_str(name),
            Host::Name(_) => f.write_str("invalid"), // RFC 2606: a name that nothing answers to
            Host::V4(ip) => write!(f, "{ip}"),
            Host::V6(ip) => write!(f, "[{ip}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address() {
        #[track_caller]
        fn check(text: &str, expected: Option<&str>) {
            assert_eq!(Host::parse(text).map(|host| host.to_string()).as_deref(), expected, "{text}");
        }
        check("atlanta.com", Some("atlanta.com"));
        check("localhost", Some("localhost"));
        check("a_b.example.", Some("a_b.example."));
        check("192.0.2.4", Some("192.0.2.4"));
        check("[2001:db8::1]", Some("[2001:db8::1]"));
        check("2001:db8::1", Some("[2001:db8::1]"));
        check("300.0.2.4", None);
        check("1.2.3", None);
        check("[2001:db8:::192.0.2.1]", Some("[2001:db8::c000:201]"));
        check("[2001:db8::::192.0.2.1]", None);
        check("[2001:db8::g]", None);
        check("[::1", None);
        check("a..b", None);
        check(".", None);
        check("", None);
        check("a b", None);
        check("a%41", None);
        check(&format!("{}com", "a.".repeat(200)), None);
    }

    #[test]
    fn names_are_equal_whatever_their_case_and_never_equal_an_address() {
        assert_eq!(Host::parse("AtLanTa.CoM"), Host::parse("atlanta.com"));
        assert_ne!(Host::parse("atlanta.com"), Host::parse("192.0.2.4"));
    }

    #[test]
    fn a_name_that_would_break_the_message_is_not_written() {
        assert_eq!(Host::Name("a\r\nEvil: 1".into()).to_string(), "invalid");
    }
}

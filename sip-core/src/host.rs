use alloc::string::String;
use core::fmt::{self, Write};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::ByteStr;
use crate::class::{self, HOST};
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
        let (rest, host) = HostPart::read(input)?;
        Ok((rest, host.to_host(whole)))
    }

    /// Appends the host, as it is displayed.
    pub(crate) fn write(&self, out: &mut String) {
        match self {
            Host::Name(name) if is_name(name.as_bytes()) => out.push_str(name),
            Host::Name(_) => out.push_str("invalid"), // RFC 2606: a name that nothing answers to
            Host::V4(ip) => {
                for (octet, dot) in ip.octets().into_iter().zip(["", ".", ".", "."]) {
                    out.push_str(dot);
                    grammar::write_number(out, octet.into());
                }
            }
            // Writing to a `String` cannot fail.
            Host::V6(ip) => drop(write!(out, "[{ip}]")),
        }
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

/// A host where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HostPart<'a> {
    Name(&'a str),
    V4(Ipv4Addr),
    V6(Ipv6Addr),
}

impl<'a> HostPart<'a> {
    /// Reads a host; what follows it starts with no character of a name.
    #[inline]
    pub(crate) fn read(input: &'a str) -> Parsed<'a, HostPart<'a>> {
        if let Some(inner) = input.strip_prefix('[') {
            let Some((address, rest)) = inner.split_once(']') else { return grammar::stop(input) };
            // The grammar of RFC 3261 has a colon too many before an IPv4 part, and is obeyed (RFC 5118 §4.10, RFC 5954 §4.1).
            return match address.parse().or_else(|_| address.replacen(":::", "::", 1).parse()) {
                Ok(ip) => Ok((rest, HostPart::V6(ip))),
                Err(_) => grammar::stop(input),
            };
        }
        let bytes = input.as_bytes();
        // An address starts with a digit, and so may a name.
        if bytes.first().is_some_and(u8::is_ascii_digit)
            && let Some((length, ip)) = ipv4(bytes)
        {
            return Ok((input.get(length..).unwrap_or_default(), HostPart::V4(ip)));
        }
        let (length, is_name) = name_at_start(bytes);
        match input.split_at_checked(length) {
            Some((name, rest)) if is_name => Ok((rest, HostPart::Name(name))),
            _ => grammar::stop(input),
        }
    }

    /// Whether it is a name with characters or labels that no `hostname` has (RFC 3261 §25.1).
    pub(crate) fn is_lenient(&self) -> bool {
        let HostPart::Name(name) = self else { return false };
        name.contains('_') || name.split('.').any(|label| label.starts_with('-') || label.ends_with('-'))
    }

    /// The host, sharing the memory of `whole`.
    #[inline]
    pub(crate) fn to_host(self, whole: &ByteStr) -> Host {
        match self {
            HostPart::Name(name) => Host::Name(whole.share(name)),
            HostPart::V4(ip) => Host::V4(ip),
            HostPart::V6(ip) => Host::V6(ip),
        }
    }
}

/// How many bytes a host at the start of `text` has, and whether they are a `hostname`: labels of at least one character
/// with dots between, and the last does not start with a digit. All-numeric names are misspelt addresses.
#[inline]
pub(crate) fn name_at_start(text: &[u8]) -> (usize, bool) {
    let (mut start, mut top, mut valid) = (0, 0, true);
    let length = loop {
        let mut end = start;
        while text.get(end).is_some_and(|byte| class::is_label(*byte)) {
            end += 1;
        }
        if end > start {
            top = start;
        }
        if text.get(end) != Some(&b'.') {
            break end;
        }
        valid &= end > start;
        start = end + 1;
    };
    let starts_well = text.get(top).is_some_and(|byte| !byte.is_ascii_digit());
    (length, valid && length > 0 && starts_well && length <= MAX_NAME)
}

/// `IPv4address` at the start of `text`, which no more characters of a host follow, and its length: four numbers under 256
/// without zeros before them, as the standard library reads it.
pub(crate) fn ipv4(text: &[u8]) -> Option<(usize, Ipv4Addr)> {
    let (mut ip, mut dots, mut octet, mut digits, mut length) = (0_u32, 0, 0_u32, 0, 0);
    for byte in text {
        match byte {
            b'0'..=b'9' => {
                // Neither a zero before it nor so many digits that it could not be held.
                if digits == 3 || (digits > 0 && octet == 0) {
                    return None;
                }
                octet = octet * 10 + u32::from(byte - b'0');
                digits += 1;
            }
            b'.' if digits > 0 && octet < 256 && dots < 3 => {
                ip = ip << 8 | octet;
                (octet, digits, dots) = (0, 0, dots + 1);
            }
            _ if class::is(*byte, HOST) => return None,
            _ => break,
        }
        length += 1;
    }
    (dots == 3 && digits > 0 && octet < 256).then(|| (length, Ipv4Addr::from(ip << 8 | octet)))
}

fn is_name(name: &[u8]) -> bool {
    name_at_start(name) == (name.len(), true)
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

impl core::hash::Hash for Host {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.sort_key().hash(state);
    }
}

impl PartialOrd for Host {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Host {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.sort_key().cmp(&other.sort_key())
    }
}

impl fmt::Display for Host {
    /// Writes the host, an IPv6 address in brackets. Characters that no host has are left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) if is_name(name.as_bytes()) => f.write_str(name),
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
    fn an_ipv4_address_is_read_as_the_standard_library_reads_it() {
        for text in [
            "0.0.0.0",
            "255.255.255.255",
            "192.0.2.1",
            "1.2.3",
            "1.2.3.",
            "1.2.3.4.",
            ".1.2.3",
            "1..2.3",
            "256.1.1.1",
            "01.2.3.4",
            "1.2.3.00",
            "1.2.3.4.5",
            "1.2.3.a",
            "",
            ".",
            "1",
            "1.2.3.1000",
            "0.0.0.",
            "10.20.30.40",
        ] {
            assert_eq!(ipv4(text.as_bytes()), text.parse().ok().map(|ip| (text.len(), ip)), "{text}");
            assert_eq!(ipv4(format!("{text};").as_bytes()), text.parse().ok().map(|ip| (text.len(), ip)), "{text}");
        }
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

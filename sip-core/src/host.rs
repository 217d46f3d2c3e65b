use alloc::string::String;
use core::fmt::{self, Write};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use crate::class::{self, HOST};
use crate::grammar::{self, Deviation, Parsed, Told};
use crate::{ByteStr, UriError};

/// The longest host name (RFC 1035 §2.3.4), in bytes, with a final dot.
const MAX_NAME: usize = 254;

/// The host of a URI or a Via: a name or an address (RFC 3261 §25.1, RFC 5954).
///
/// Hosts are equal when they are the same name, whatever its case and with or without a final dot, or the same address
/// in binary (RFC 5954 §4.2). A name never equals an address, nor an IPv6 address an IPv4 address that is mapped into it.
///
/// ```
/// use blether_sip_core::Host;
///
/// let host = |text: &str| text.parse::<Host>();
/// assert_eq!(host("[2001:db8::9:01]")?, host("[2001:DB8:0::9:1]")?);
/// assert_eq!(host("AtLanTa.CoM.")?, host("atlanta.com")?);
/// assert!(host("192.00.02.128").is_err()); // might be octal
/// assert!(host("[fe80::1%eth0]").is_err()); // zones are nothing to others
/// # Ok::<(), blether_sip_core::UriError>(())
/// ```
#[derive(Debug, Clone)]
pub enum Host {
    /// A domain name, in the case it was written in; compared case-insensitively.
    Name(ByteStr),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address, written in brackets as RFC 5952 has it.
    V6(Ipv6Addr),
}

impl Host {
    /// What `FromStr` reads.
    pub(crate) fn parse(text: &str) -> Option<Host> {
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
            Host::V4(ip) => write_ipv4(out, *ip),
            // Writing to a `String` cannot fail.
            Host::V6(ip) => drop(write!(out, "[{ip}]")),
        }
    }

    /// A name in lower case and without its final dot; addresses as they are.
    pub(crate) fn normalised(&self) -> Host {
        match self {
            Host::Name(name) => Host::Name(without_dot(name).to_ascii_lowercase().into()),
            address => address.clone(),
        }
    }

    /// What hosts are compared by: the address, or the bytes of the name in lower case.
    fn sort_key(&self) -> (Option<IpAddr>, impl Iterator<Item = u8>) {
        let name = match self {
            Host::Name(name) => without_dot(name),
            _ => "",
        };
        (self.ip(), name.bytes().map(|byte| byte.to_ascii_lowercase()))
    }
}

/// Writes an address as four numbers, all at once.
fn write_ipv4(out: &mut String, ip: Ipv4Addr) {
    let mut text = [b'.'; "255.255.255.255.".len()];
    let mut len = 0;
    for octet in ip.octets() {
        let digits = [octet / 100, octet / 10 % 10, octet % 10].map(|digit| b'0' + digit);
        let zeros = if octet >= 100 { 0 } else { 2 - usize::from(octet >= 10) };
        for digit in digits.iter().skip(zeros) {
            if let Some(place) = text.get_mut(len) {
                *place = *digit;
            }
            len += 1;
        }
        len += 1;
    }
    out.push_str(text.get(..len - 1).and_then(|text| core::str::from_utf8(text).ok()).unwrap_or_default());
}

/// A host where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HostPart<'a> {
    Name(&'a str),
    V4(Ipv4Addr),
    V6(Ipv6Addr),
    /// With a colon too many before the part that is an IPv4 address.
    ColonsV6(Ipv6Addr),
}

impl<'a> HostPart<'a> {
    /// Reads a host; what follows it starts with no character of a name.
    #[inline]
    pub(crate) fn read(input: &'a str) -> Parsed<'a, HostPart<'a>> {
        if let Some(inner) = input.strip_prefix('[') {
            let Some((address, rest)) = inner.split_once(']') else { return grammar::stop(input) };
            let mended = || with_colon_too_many(address).map(HostPart::ColonsV6);
            return match address.parse().ok().map(HostPart::V6).or_else(mended) {
                Some(host) => Ok((rest, host)),
                None => grammar::stop(input),
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

    /// Tells what it has that it should not: characters or labels that no `hostname` has (RFC 3261 §25.1), a third colon.
    pub(crate) fn deviation(&self, told: Told<'_>) {
        match self {
            HostPart::Name(name) => {
                let is_odd = |label: &&str| label.contains('_') || label.starts_with('-') || label.ends_with('-');
                if let Some(label) = name.split('.').find(is_odd) {
                    told(Deviation::HostName, label);
                }
            }
            HostPart::V4(_) | HostPart::V6(_) => {}
            HostPart::ColonsV6(_) => told(Deviation::Colons, ""),
        }
    }

    /// The host, sharing the memory of `whole`.
    #[inline]
    pub(crate) fn to_host(self, whole: &ByteStr) -> Host {
        match self {
            HostPart::Name(name) => Host::Name(whole.share(name)),
            HostPart::V4(ip) => Host::V4(ip),
            HostPart::V6(ip) | HostPart::ColonsV6(ip) => Host::V6(ip),
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

/// The address that the grammar of RFC 3261 writes with three colons before an IPv4 part (RFC 5118 §4.10, RFC 5954 §4.1).
fn with_colon_too_many(address: &str) -> Option<Ipv6Addr> {
    let (start, ip) = address.split_once(":::")?;
    let ip: Ipv4Addr = ip.parse().ok()?;
    // 30 bytes: six groups of four digits, and the colons.
    if start.len() > 30 { None } else { alloc::format!("{start}::{ip}").parse().ok() }
}

/// A name without its final dot: in SIP every name is whole, with it or without.
fn without_dot(name: &str) -> &str {
    name.trim_end_matches('.') // of those that were read none has two
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
            (Host::Name(a), Host::Name(b)) => without_dot(a).eq_ignore_ascii_case(without_dot(b)),
            (a, b) => a.ip().is_some() && a.ip() == b.ip(),
        }
    }
}

impl Eq for Host {}

impl core::hash::Hash for Host {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        let (ip, name) = self.sort_key();
        ip.hash(state);
        name.for_each(|byte| state.write_u8(byte));
        state.write_u8(u8::MAX); // no name has it
    }
}

impl PartialOrd for Host {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Host {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        let ((ip, name), (other_ip, other_name)) = (self.sort_key(), other.sort_key());
        ip.cmp(&other_ip).then_with(|| name.cmp(other_name))
    }
}

impl FromStr for Host {
    type Err = UriError;

    /// Reads a host alone, an IPv6 address with or without its brackets. [`UriError::HostPort`] if it is neither name nor address.
    fn from_str(text: &str) -> Result<Self, UriError> {
        Host::parse(text).ok_or(UriError::HostPort)
    }
}

impl fmt::Display for Host {
    /// Writes the host, an IPv6 address in brackets; as `invalid` a name that no host can have.
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
mod tests;

//! The values of lines and attributes that have more than one part.

use alloc::string::ToString;
use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

use super::SdpError;
use super::attribute::words::is_token_char;
use super::lines::Word;
use crate::ByteStr;
use crate::grammar::is_wsp;

/// Who made the description, and which version of it this is: the `o=` line (RFC 8866 §5.2).
///
/// ```
/// use blether_sip_core::sdp::Origin;
///
/// let mut origin: Origin = "jdoe 3724394400 3724394405 IN IP4 198.51.100.1".parse()?;
/// origin.session_version += 1;
/// assert_eq!(origin.to_string(), "jdoe 3724394400 3724394406 IN IP4 198.51.100.1");
/// # Ok::<(), blether_sip_core::sdp::SdpError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Log-in name at the originating host; `-` for none.
    pub username: ByteStr,
    /// Numeric name of the session, unique for this user and host.
    pub session_id: u64,
    /// Grows by one with each changed description of the session (RFC 3264 §8).
    pub session_version: u64,
    /// `IN`.
    pub network: ByteStr,
    /// `IP4` or `IP6`.
    pub address_type: ByteStr,
    /// The originating host, by name or address. Not where media goes.
    pub address: ByteStr,
}

impl Origin {
    /// Makes an origin on the internet.
    pub fn new(username: &str, session_id: u64, session_version: u64, address: IpAddr) -> Self {
        Self {
            username: word(username),
            session_id,
            session_version,
            network: word("IN"),
            address_type: word(address_type(address)),
            address: ByteStr::from(address.to_string()),
        }
    }

    pub(super) fn parse(value: &str) -> Option<Self> {
        let [username, id, version, network, address_type, address] = words(value)?;
        Some(Self {
            username: word(username),
            session_id: number(id)?,
            session_version: number(version)?,
            network: word(network),
            address_type: word(address_type),
            address: ByteStr::from(address),
        })
    }

    pub(super) fn is_writable(&self) -> bool {
        [&self.username, &self.network, &self.address_type, &self.address].into_iter().all(|w| is_word(w))
    }
}

impl FromStr for Origin {
    type Err = SdpError;

    /// Reads what follows the `o=`.
    fn from_str(value: &str) -> Result<Self, SdpError> {
        Self::parse(value).ok_or(SdpError::BadField { key: 'o', line: 1 })
    }
}

impl fmt::Display for Origin {
    /// Writes what follows the `o=`; what would break the line is left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { username, session_id, session_version, network, address_type, address } = self;
        write!(f, "{} {session_id} {session_version} ", Word(username, "-"))?;
        write!(f, "{} {} {}", Word(network, "IN"), Word(address_type, "IP4"), Word(address, "0.0.0.0"))
    }
}

/// Where media is to be sent: a `c=` line (RFC 8866 §5.7).
///
/// ```
/// use blether_sip_core::sdp::Connection;
///
/// let group: Connection = "IN IP4 233.252.0.1/127".parse()?;
/// assert_eq!((group.ip(), group.multicast()), ("233.252.0.1".parse().ok(), (Some(127), None)));
/// # Ok::<(), blether_sip_core::sdp::SdpError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Connection {
    /// `IN`.
    pub network: ByteStr,
    /// `IP4` or `IP6`.
    pub address_type: ByteStr,
    /// Name or address, with `/ttl` and `/count` if it is multicast.
    pub address: ByteStr,
}

impl Connection {
    /// A unicast address on the internet.
    pub fn new(address: IpAddr) -> Self {
        Self {
            network: word("IN"),
            address_type: word(address_type(address)),
            address: ByteStr::from(address.to_string()),
        }
    }

    /// The numeric address; `None` if it is a name or of another network.
    pub fn ip(&self) -> Option<IpAddr> {
        let address = self.address.split('/').next().unwrap_or_default();
        if self.network.eq_ignore_ascii_case("IN") { address.parse().ok() } else { None }
    }

    /// How far multicast reaches, and over how many addresses in a row it goes, where that is said: `/ttl` and `/count` (RFC 8866 §5.7).
    pub fn multicast(&self) -> (Option<u8>, Option<u32>) {
        let mut parts = self.address.split('/').skip(1);
        let (first, second) = (parts.next(), parts.next());
        let (ttl, count) = if self.address_type.eq_ignore_ascii_case("IP6") { (None, first) } else { (first, second) };
        (ttl.and_then(number), count.and_then(number))
    }

    /// Whether it is `0.0.0.0` or `::`: hold, in the manner of RFC 2543 (RFC 3264 §8.4).
    pub fn is_unspecified(&self) -> bool {
        self.ip().is_some_and(|ip| ip.is_unspecified())
    }

    pub(super) fn parse(value: &str) -> Option<Self> {
        let [network, address_type, address] = words(value)?;
        Some(Self { network: word(network), address_type: word(address_type), address: ByteStr::from(address) })
    }

    pub(super) fn is_writable(&self) -> bool {
        [&self.network, &self.address_type, &self.address].into_iter().all(|w| is_word(w))
    }
}

/// A word that stands in nearly every description, which takes no memory, or any other.
fn word(text: &str) -> ByteStr {
    let known = ["IN", "IP4", "IP6", "-"].into_iter().find(|known| *known == text);
    known.map_or_else(|| ByteStr::from(text), ByteStr::from_static)
}

impl FromStr for Connection {
    type Err = SdpError;

    /// Reads what follows the `c=`.
    fn from_str(value: &str) -> Result<Self, SdpError> {
        Self::parse(value).ok_or(SdpError::BadField { key: 'c', line: 1 })
    }
}

impl fmt::Display for Connection {
    /// Writes what follows the `c=`; what would break the line is left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { network, address_type, address } = self;
        write!(f, "{} {} {}", Word(network, "IN"), Word(address_type, "IP4"), Word(address, "0.0.0.0"))
    }
}

/// Which way media flows, seen from whoever made the description (RFC 8866 §6.7, RFC 3264 §5.1).
///
/// ```
/// use blether_sip_core::sdp::Direction;
///
/// let direction: Direction = "sendonly".parse()?;
/// assert_eq!(direction.reversed(), Direction::RecvOnly);
/// # Ok::<(), blether_sip_core::sdp::SdpError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Direction {
    /// `sendrecv`: both ways. What is meant when nothing is said.
    #[default]
    SendRecv,
    /// `sendonly`: the other side is on hold, or listens.
    SendOnly,
    /// `recvonly`.
    RecvOnly,
    /// `inactive`: neither way.
    Inactive,
}

impl Direction {
    /// All four.
    pub const ALL: [Self; 4] = [Self::SendRecv, Self::SendOnly, Self::RecvOnly, Self::Inactive];

    /// The direction that sends and receives so.
    pub fn new(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    /// Whether whoever says this sends media.
    pub fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether whoever says this wants to receive media.
    pub fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// The same flow seen from the other side.
    #[must_use]
    pub fn reversed(self) -> Self {
        Self::new(self.receives(), self.sends())
    }

    /// The name of the attribute.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|direction| direction.as_str() == name)
    }
}

impl FromStr for Direction {
    type Err = SdpError;

    /// Reads the name of the attribute.
    fn from_str(name: &str) -> Result<Self, SdpError> {
        Self::from_name(name).ok_or(SdpError::BadField { key: 'a', line: 1 })
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a payload type stands for: the value of `a=rtpmap` (RFC 8866 §6.6).
///
/// ```
/// use blether_sip_core::sdp::RtpMap;
///
/// let opus: RtpMap = "opus/48000/2".parse()?;
/// assert!(opus.is_same_encoding(&"OPUS/48000/2".parse()?));
/// # Ok::<(), blether_sip_core::sdp::SdpError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RtpMap {
    /// Name of the encoding, a media subtype; compare it without regard to case.
    pub encoding: ByteStr,
    /// RTP timestamp units a second.
    pub clock_rate: u32,
    /// Audio channels; 1 where none are named.
    pub channels: u16,
}

impl RtpMap {
    pub(super) fn read(value: &str) -> Option<Self> {
        let mut parts = value.trim_matches(is_wsp).split('/');
        let encoding = parts.next().filter(|encoding| !encoding.is_empty() && encoding.chars().all(is_token_char))?;
        let clock_rate = number(parts.next()?).filter(|rate| *rate > 0)?;
        let channels = match parts.next() {
            None => 1,
            Some(channels) => number(channels).filter(|count| *count > 0)?,
        };
        parts.next().is_none().then(|| Self { encoding: ByteStr::from(encoding), clock_rate, channels })
    }

    /// Whether both name the same encoding with the same clock and channels (RFC 3264 §6.1).
    pub fn is_same_encoding(&self, other: &Self) -> bool {
        self.encoding.eq_ignore_ascii_case(&other.encoding)
            && (self.clock_rate, self.channels) == (other.clock_rate, other.channels)
    }
}

impl FromStr for RtpMap {
    type Err = SdpError;

    /// Reads `encoding/clock` or `encoding/clock/channels`.
    fn from_str(value: &str) -> Result<Self, Self::Err> {
        Self::read(value).ok_or(SdpError::BadField { key: 'a', line: 1 })
    }
}

impl fmt::Display for RtpMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.encoding, self.clock_rate)?;
        if self.channels == 1 { Ok(()) } else { write!(f, "/{}", self.channels) }
    }
}

/// Digits alone: no sign, no space, no overflow.
pub(super) fn number<T: FromStr>(digits: &str) -> Option<T> {
    let valid = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if valid { digits.parse().ok() } else { None }
}

/// Whether the text can stand as one field of a line.
pub(super) fn is_word(text: &str) -> bool {
    !text.is_empty() && !text.contains([' ', '\t', '\r', '\n', '\0'])
}

fn words<const N: usize>(value: &str) -> Option<[&str; N]> {
    let mut words = value.split([' ', '\t']).filter(|word| !word.is_empty());
    let mut found = [""; N];
    for slot in &mut found {
        *slot = words.next()?;
    }
    words.next().is_none().then_some(found)
}

fn address_type(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "IP4" } else { "IP6" }
}

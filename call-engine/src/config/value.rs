//! Values that are written as text in the configuration.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use blether_sip_core::Host;
use blether_sip_transport::Transport;

use crate::pattern::PatternError;
use crate::stage::OfferedAlgorithms;

/// Why a text is not the value that was needed, and what it would look like.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Not `transport:address:port`.
    #[error(
        "\"{0}\" is no address to listen on; write it like \"udp:0.0.0.0:5060\", \"udp:[::]:5060\" or \"tls:0.0.0.0:5061\""
    )]
    Listen(String),
    /// A list of addresses for TLS alone.
    #[error("there is no address for UDP; name one beside those for TLS: [\"udp:0.0.0.0:5060\", \"tls:0.0.0.0:5061\"]")]
    NoUdp,
    /// An empty list of addresses.
    #[error("the list is empty; name an address to listen on, or remove the line")]
    NoListen,
    /// A transport that this server does not have.
    #[error(
        "\"{0}\" names a transport that is not supported here; TCP has the address of udp and a section [tcp]: write \"udp:0.0.0.0:5060\""
    )]
    Transport(String),
    /// Neither `address:port` nor `off`.
    #[error("\"{0}\" is no address for HTTP; write it like \"127.0.0.1:9060\" or \"[::1]:9060\", or \"off\"")]
    HttpListen(String),
    /// Not `first-last`.
    #[error("\"{0}\" is no range of ports; write it like \"10000-19999\"")]
    PortRange(String),
    /// A range of ports that cannot serve one call.
    #[error(
        "{0} is too small a range; a call takes four ports, so give at least four, from 1024 to 65535, the lower first"
    )]
    PortRangeSize(PortRange),
    /// Neither a numeric address nor `auto`.
    #[error("\"{0}\" is no address that others can reach; write a numeric one like \"203.0.113.5\", or \"auto\"")]
    Advertise(String),
    /// Not a host name.
    #[error("\"{0}\" is no domain name or address; write it like \"example.org\", without sip: and without a port")]
    Domain(String),
    /// A realm that does not fit a quoted string.
    #[error("\"{0}\" cannot be a realm; use 1 to 128 printable ASCII characters without \" and \\")]
    Realm(String),
    /// A path that is empty.
    #[error("the path is empty; name a folder, or remove the line")]
    EmptyPath,
    /// Certificates of clients are asked for, and nobody is believed.
    #[error(
        "certificates of clients are asked for, but no `tls.client_authorities` says whose are believed; name a file"
    )]
    NoAuthorities,
    /// A key without its certificate.
    #[error("there is a key, but no `{certificate}`; name the file of the certificate too, or remove the key")]
    KeyAlone {
        /// What is missing.
        certificate: &'static str,
    },
    /// None of a few words.
    #[error("\"{found}\" is not one of {known}")]
    Word {
        /// What was given.
        found: String,
        /// The words there are.
        known: &'static str,
    },
    /// A pattern that cannot be read.
    #[error("{0}")]
    Pattern(PatternError),
    /// Nowhere to forward to.
    #[error("the list is empty; write \"phones\", or the address of a server like \"sip:192.0.2.10:5060\"")]
    NoTarget,
    /// Neither `phones` nor a server.
    #[error(
        "\"{0}\" is no target; write \"phones\", or a server like \"sip:192.0.2.10:5060;transport=tcp\" or \"sip:partner.example\", without a user"
    )]
    ProxyTarget(String),
    /// A server that is named, where nobody is asked for names.
    #[error("\"{0}\" has a name, and this server was built without the feature `dns`; write a numeric address")]
    NoNames(String),
    /// Stateless, to a name.
    #[error(
        "a proxy without state cannot ask where {0} is, nor go on to its next address; remove the line, or give a numeric address in `to`"
    )]
    StatelessName(String),
    /// Not the address of a name server.
    #[error("\"{0}\" is no address of a name server; write it like \"192.0.2.53\" or \"[2001:db8::53]:5353\"")]
    NameServer(String),
    /// Not the URI of a proxy.
    #[error("\"{0}\" is no proxy to send by; write it like \"sip:edge.example.org;lr\"")]
    LooseRouter(String),
    /// A `[[proxy]]` that says twice what it takes.
    #[error("`dialled` stands there, too; remove one, since a user is either of this server or of another domain")]
    DialledAndDomain,
    /// Two sections `[[proxy]]` for the same.
    #[error("an earlier [[proxy]] takes the same; remove one")]
    ProxiedTwice,
    /// Phones of another domain.
    #[error("another domain has no phones here; name its server like \"sip:192.0.2.10:5060\"")]
    PhonesOfDomain,
    /// Stateless, to what changes.
    #[error(
        "phones come and go, which a proxy without state cannot follow; remove the line, or name one server in `to`"
    )]
    StatelessPhones,
    /// Stateless, and with accounts.
    #[error(
        "credentials serve once, so that a request which is sent again would be refused where nothing is remembered of it; set authenticate = false, or remove the line"
    )]
    StatelessAccounts,
    /// TLS beside a `[[proxy]]`.
    #[error(
        "a [[proxy]] does not forward between TLS and other transports yet; remove the addresses for TLS, or the sections [[proxy]]"
    )]
    TlsBesideProxy,
    /// A user part that phones could not dial.
    #[error("{0:?} cannot be a user; use 1 to 64 letters, digits and - . _ ~ +")]
    User(String),
    /// A display name with control characters or none at all.
    #[error("{0:?} cannot be a display name; use 1 to 64 characters in one line")]
    DisplayName(String),
    /// A password that can be guessed. What it is stays untold.
    #[error("this password is too short; use at least {} characters", super::account::MIN_PASSWORD)]
    ShortPassword,
    /// A password that phones cannot send.
    #[error(
        "this password is too long or has control characters; use at most {} characters in one line",
        super::account::MAX_PASSWORD
    )]
    UnusablePassword,
    /// A password that is the user.
    #[error("this password is the user itself; choose another, because everybody can guess it")]
    PasswordIsUser,
}

/// What is asked of the certificates of those that connect by TLS (RFC 5922 §7.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ClientCertificatePolicy {
    /// Nothing: phones prove who they are by their password.
    #[default]
    NotAsked,
    /// `wanted`: whoever shows one has to have it from an authority that is believed; whoever has none is served as well.
    Wanted,
    /// `required`: whoever has none from an authority that is believed is not served.
    Required,
}

impl ClientCertificatePolicy {
    fn as_str(self) -> &'static str {
        match self {
            Self::NotAsked => "not-asked",
            Self::Wanted => "wanted",
            Self::Required => "required",
        }
    }
}

/// A socket to receive SIP on: `udp:0.0.0.0:5060`, `tls:0.0.0.0:5061`, `tls:0.0.0.0:5062;clients=required`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Listen {
    /// The transport protocol.
    pub transport: Transport,
    /// The local address, which may be a wildcard; port 0 takes any free port.
    pub address: SocketAddr,
    /// What is asked of those that connect by TLS.
    pub clients: ClientCertificatePolicy,
}

impl Default for Listen {
    /// UDP port 5060 (RFC 3261 §19.1.2) of all IPv4 addresses.
    fn default() -> Self {
        Self {
            transport: Transport::Udp,
            address: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 5060),
            clients: ClientCertificatePolicy::NotAsked,
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.transport, self.address)?;
        match self.clients {
            ClientCertificatePolicy::NotAsked => Ok(()),
            asked => write!(f, ";clients={}", asked.as_str()),
        }
    }
}

impl FromStr for Listen {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let (transport, address) = text.split_once(':').ok_or_else(|| ValueError::Listen(text.to_owned()))?;
        let transport = match transport {
            "udp" => Transport::Udp,
            "tls" if cfg!(feature = "tls") => Transport::Tls,
            "tcp" | "tls" | "ws" | "wss" => return Err(ValueError::Transport(text.to_owned())),
            _ => return Err(ValueError::Listen(text.to_owned())),
        };
        let (address, clients) = match address.split_once(';') {
            Some((address, clients)) if transport == Transport::Tls => (address, policy(clients)?),
            _ => (address, ClientCertificatePolicy::NotAsked),
        };
        let address = address.parse().map_err(|_| ValueError::Listen(text.to_owned()))?;
        Ok(Self { transport, address, clients })
    }
}

fn policy(text: &str) -> Result<ClientCertificatePolicy, ValueError> {
    use ClientCertificatePolicy::{NotAsked, Required, Wanted};
    let policies = [NotAsked, Wanted, Required];
    policies.into_iter().find(|policy| text.strip_prefix("clients=") == Some(policy.as_str())).ok_or_else(|| {
        ValueError::Word { found: text.to_owned(), known: "clients=not-asked, clients=wanted, clients=required" }
    })
}

impl Listen {
    /// Whether both cannot be had: they have the same port, of one address or of all.
    pub(super) fn collides_with(&self, other: &Self) -> bool {
        let (one, other) = (self.address, other.address);
        let same_ip = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
        one.is_ipv4() == other.is_ipv4() && one.port() == other.port() && one.port() != 0 && same_ip
    }
}

/// UDP ports from the first to the last, both included: `10000-19999`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    /// The lowest port.
    pub first: u16,
    /// The highest port.
    pub last: u16,
}

impl PortRange {
    /// Whether `port` is in the range.
    pub fn contains(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }

    /// Whether the range has the four ports of one call and none that the system reserves (below 1024).
    pub(super) fn check(self) -> Result<(), ValueError> {
        let enough = self.last.checked_sub(self.first).is_some_and(|span| span >= 3);
        if enough && self.first >= 1024 { Ok(()) } else { Err(ValueError::PortRangeSize(self)) }
    }
}

impl Default for PortRange {
    /// 10000-19999: room for 2,500 calls, below the ports that Linux gives to other programs (32768-60999).
    fn default() -> Self {
        Self { first: 10_000, last: 19_999 }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl FromStr for PortRange {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let port = |digits: &str| digits.trim().parse::<u16>().ok();
        match text.split_once('-').map(|(first, last)| (port(first), port(last))) {
            Some((Some(first), Some(last))) => Ok(Self { first, last }),
            _ => Err(ValueError::PortRange(text.to_owned())),
        }
    }
}

/// How important a line of the log must be to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// What failed and needs somebody.
    Error,
    /// What went wrong and was dealt with.
    Warn,
    /// What happens: starts, registrations, calls.
    Info,
    /// What each layer decides.
    Debug,
    /// Everything, message bodies included.
    Trace,
}

impl LogLevel {
    /// The word in the configuration, which is also a directive for `tracing`'s filter.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl FromStr for LogLevel {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace]
            .into_iter()
            .find(|level| level.as_str() == text)
            .ok_or_else(|| ValueError::Word { found: text.to_owned(), known: "error, warn, info, debug, trace" })
    }
}

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One full line for each event.
    Text,
    /// One line with less in it.
    Compact,
    /// One JSON object a line for each event.
    Json,
}

impl FromStr for LogFormat {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text {
            "text" => Ok(Self::Text),
            "compact" => Ok(Self::Compact),
            "json" => Ok(Self::Json),
            _ => Err(ValueError::Word { found: text.to_owned(), known: "text, compact, json" }),
        }
    }
}

/// Reads the value of `authentication.digest`.
pub(super) fn digest(text: &str) -> Result<OfferedAlgorithms, ValueError> {
    text.parse().map_err(|_| ValueError::Word { found: text.to_owned(), known: OfferedAlgorithms::NAMES })
}

/// Reads the value of `http.listen`: `None` for `off`.
pub(super) fn http_listen(text: &str) -> Result<Option<SocketAddr>, ValueError> {
    if text == "off" {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| ValueError::HttpListen(text.to_owned()))
}

/// Reads one of `dns.servers`: an address, at port 53 if it names none.
pub(super) fn name_server(text: &str) -> Result<SocketAddr, ValueError> {
    let address = text.parse().or_else(|_| text.parse().map(|ip: IpAddr| SocketAddr::new(ip, 53)));
    address.map_err(|_| ValueError::NameServer(text.to_owned()))
}

/// Whether anybody can be asked at an address.
pub(super) fn check_name_server(server: SocketAddr) -> Result<(), ValueError> {
    if server.port() == 0 || server.ip().is_unspecified() || server.ip().is_multicast() {
        return Err(ValueError::NameServer(server.to_string()));
    }
    Ok(())
}

/// Reads the value of `advertise`: `None` for `auto`.
pub(super) fn advertise(text: &str) -> Result<Option<IpAddr>, ValueError> {
    if text == "auto" {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| ValueError::Advertise(text.to_owned()))
}

/// Whether a peer elsewhere could use `address`.
pub(super) fn check_advertise(address: IpAddr) -> Result<(), ValueError> {
    if address.is_unspecified() || address.is_multicast() {
        return Err(ValueError::Advertise(address.to_string()));
    }
    Ok(())
}

/// Reads a host name or address, an IPv6 address with or without its brackets.
pub(super) fn domain(text: &str) -> Result<Host, ValueError> {
    text.parse().map_err(|_| ValueError::Domain(text.to_owned()))
}

/// Whether `text` can stand in the quoted string of a challenge as it is (RFC 7616 §3.3).
pub(super) fn check_realm(text: &str) -> Result<(), ValueError> {
    let usable = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\';
    if (1..=128).contains(&text.len()) && text.bytes().all(usable) {
        Ok(())
    } else {
        Err(ValueError::Realm(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listen_is_transport_address_and_port() {
        let tls = ["tls:0.0.0.0:5061", "tls:[::]:5061;clients=wanted", "tls:1.2.3.4:5061;clients=required"];
        let tls = tls.into_iter().filter(|_| cfg!(feature = "tls"));
        for text in ["udp:0.0.0.0:5060", "udp:[::]:5060", "udp:192.0.2.7:0"].into_iter().chain(tls) {
            assert_eq!(text.parse::<Listen>().unwrap().to_string(), text);
        }
        let refused = |text: &str| text.parse::<Listen>().unwrap_err().to_string();
        for text in ["", "5060", "0.0.0.0:5060", "udp:", "udp:5060", "udp:::5060", "udp:host:5060", "udp:1.2.3.4:70000"]
        {
            assert!(refused(text).contains("is no address to listen on"), "{text}");
        }
        assert!(refused("wss:0.0.0.0:5061").contains("not supported"));
        assert!(refused("udp:0.0.0.0:5060;clients=wanted").contains("is no address to listen on"));
        if cfg!(feature = "tls") {
            assert!(
                refused("tls:0.0.0.0:5061;clients=all").contains("\"clients=all\" is not one of clients=not-asked")
            );
        } else {
            assert!(refused("tls:0.0.0.0:5061").contains("not supported"));
        }
    }

    #[test]
    fn a_port_range_needs_the_four_ports_of_a_call_above_1023() {
        let check = |text: &str| text.parse::<PortRange>().and_then(PortRange::check);
        assert_eq!(check("10000-10003"), Ok(()));
        assert_eq!(check("1024 - 65535"), Ok(()));
        for text in ["10000-10002", "20000-10000", "1000-2000"] {
            assert!(matches!(check(text), Err(ValueError::PortRangeSize(_))), "{text}");
        }
        for text in ["", "10000", "10000-", "a-b", "10000-70000", "1-2-3"] {
            assert!(matches!(check(text), Err(ValueError::PortRange(_))), "{text}");
        }
    }

    #[test]
    fn a_domain_is_a_name_or_address_alone() {
        for (text, kept) in [
            ("example.org", "example.org"),
            ("192.0.2.1", "192.0.2.1"),
            ("2001:DB8::1", "[2001:db8::1]"),
            ("[2001:db8::1]", "[2001:db8::1]"),
        ] {
            assert_eq!(domain(text).unwrap().to_string(), kept);
        }
        for text in ["", "sip:example.org", "example.org:5060", "a..b", "a b", "1.2.3.400"] {
            assert!(domain(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_realm_needs_no_escape() {
        assert_eq!(check_realm("my phones"), Ok(()));
        for text in ["", "a\"b", "a\\b", "ü", "a\nb"] {
            assert!(check_realm(text).is_err(), "{text}");
        }
    }
}

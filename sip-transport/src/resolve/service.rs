//! What DNS calls a service: a transport protocol, with TLS or without, and what we have of them.

use std::fmt;

use crate::Transport;

/// What a URI's `transport` parameter can say, as far as we know it (RFC 3261 §19.1.1, RFC 7118 §5.2); whether it is secured is said apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
    /// WebSocket.
    WebSocket,
}

/// A way to carry SIP that DNS can name (RFC 3263 §4.1, RFC 7118 §5.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// UDP: `SIP+D2U`, `_sip._udp`, port 5060.
    Udp,
    /// TCP: `SIP+D2T`, `_sip._tcp`, port 5060.
    Tcp,
    /// TLS over TCP: `SIPS+D2T`, `_sips._tcp`, port 5061.
    Tls,
    /// WebSocket: `SIP+D2W`, `_sip._ws`, port 80.
    WebSocket,
    /// WebSocket over TLS: `SIPS+D2W`, `_sips._ws`, port 443.
    SecureWebSocket,
}

impl Service {
    /// The service of a protocol with TLS or without. TLS over UDP there is none (RFC 3263 §4.1).
    pub fn of(protocol: Protocol, secure: bool) -> Option<Self> {
        match (protocol, secure) {
            (Protocol::Udp, false) => Some(Self::Udp),
            (Protocol::Udp, true) => None,
            (Protocol::Tcp, false) => Some(Self::Tcp),
            (Protocol::Tcp, true) => Some(Self::Tls),
            (Protocol::WebSocket, false) => Some(Self::WebSocket),
            (Protocol::WebSocket, true) => Some(Self::SecureWebSocket),
        }
    }

    /// The service that a NAPTR record names in its services field, in any case of letters. `None` for what is no such service, `SIPS+D2U`
    /// included.
    pub fn from_naptr(services: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| services.eq_ignore_ascii_case(service.naptr()))
    }

    /// The services field by which NAPTR records name it: `SIP+D2U`.
    pub fn naptr(self) -> &'static str {
        match self {
            Self::Udp => "SIP+D2U",
            Self::Tcp => "SIP+D2T",
            Self::Tls => "SIPS+D2T",
            Self::WebSocket => "SIP+D2W",
            Self::SecureWebSocket => "SIPS+D2W",
        }
    }

    /// What stands before a domain in the name of its SRV records: `_sip._udp`. RFC 7118 names none for WebSocket; `_sip._ws` and `_sips._ws` are
    /// what its `transport` parameter makes of RFC 3263 §4.2.
    pub fn srv_labels(self) -> &'static str {
        match self {
            Self::Udp => "_sip._udp",
            Self::Tcp => "_sip._tcp",
            Self::Tls => "_sips._tcp",
            Self::WebSocket => "_sip._ws",
            Self::SecureWebSocket => "_sips._ws",
        }
    }

    /// The port where nobody names one (RFC 3261 §19.1.2, RFC 7118 §5.5).
    pub fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
            Self::WebSocket => 80,
            Self::SecureWebSocket => 443,
        }
    }

    /// Whether TLS protects it.
    pub fn is_secure(self) -> bool {
        matches!(self, Self::Tls | Self::SecureWebSocket)
    }

    /// The transport of this crate that carries it, if there is one.
    pub fn transport(self) -> Option<Transport> {
        match self {
            Self::Udp => Some(Transport::Udp),
            Self::Tcp => Some(Transport::Tcp),
            Self::Tls => Some(Transport::Tls),
            Self::WebSocket | Self::SecureWebSocket => None,
        }
    }

    const ALL: [Self; 5] = [Self::Udp, Self::Tcp, Self::Tls, Self::WebSocket, Self::SecureWebSocket];
}

impl From<Transport> for Service {
    fn from(transport: Transport) -> Self {
        match transport {
            Transport::Udp => Self::Udp,
            Transport::Tcp => Self::Tcp,
            Transport::Tls => Self::Tls,
        }
    }
}

impl fmt::Display for Service {
    /// As people call it: `UDP`, `TCP`, `TLS`, `WS`, `WSS`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::WebSocket => "WS",
            Self::SecureWebSocket => "WSS",
        })
    }
}

/// A kind of address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// IPv4: A records.
    V4,
    /// IPv6: AAAA records.
    V6,
}

/// What we can send with, each list in the order in which we like it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Means {
    /// Services: those that can be named by NAPTR are taken in the order that the domain wants; where the domain does not say, in this one.
    pub services: Vec<Service>,
    /// Kinds of addresses, and which of them is tried first of a host that has both (RFC 7984 §4, RFC 6724).
    pub families: Vec<Family>,
}

impl Default for Means {
    /// UDP, then TCP, to IPv6 addresses before IPv4 ones (RFC 6724 §2.1: its default policy table).
    fn default() -> Self {
        Self { services: vec![Service::Udp, Service::Tcp], families: vec![Family::V6, Family::V4] }
    }
}

impl Means {
    /// Whether we can send with it.
    pub fn has(&self, service: Service) -> bool {
        self.services.contains(&service)
    }
}

//! The way by which a peer is reached.

use std::fmt;
use std::net::SocketAddr;

/// A transport protocol that carries SIP (RFC 3261 §18).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// UDP: unreliable, one message a datagram.
    Udp,
}

impl Transport {
    /// Whether the transport itself resends what is lost, so that transactions need not (RFC 3261 §17).
    pub fn is_reliable(self) -> bool {
        match self {
            Self::Udp => false,
        }
    }

    /// The name that stands in a Via header (RFC 3261 §20.42): `UDP`.
    pub fn via_name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
        }
    }
}

impl fmt::Display for Transport {
    /// Writes the name as it stands in a URI's `transport` parameter and in the configuration: `udp`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
        })
    }
}

/// The way by which a peer is reached: the protocol and the two addresses (the 3-tuple of RFC 5626 §3 and our own side).
///
/// A message that arrives names the flow it came by; what is sent by the same flow leaves from the address and port that the
/// peer already talks to, which is what lets it through a NAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// The protocol.
    pub transport: Transport,
    /// Our address and port, as the peer can reach them: never a wildcard address.
    pub local: SocketAddr,
    /// The peer's address and port, as seen from here.
    pub remote: SocketAddr,
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}>{}", self.transport, self.local, self.remote)
    }
}

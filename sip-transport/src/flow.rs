//! The way by which a peer is reached.

use std::fmt;
use std::net::SocketAddr;

/// A transport protocol that carries SIP (RFC 3261 §18).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// UDP: unreliable, one message a datagram.
    Udp,
    /// TCP: reliable, messages one after the other, each with a Content-Length.
    Tcp,
    /// TLS over TCP: as TCP, and nobody in between can read or change anything (RFC 3261 §26.2.1).
    Tls,
}

impl Transport {
    /// Whether the transport itself resends what is lost, so that transactions need not (RFC 3261 §17).
    pub fn is_reliable(self) -> bool {
        match self {
            Self::Udp => false,
            Self::Tcp | Self::Tls => true,
        }
    }

    /// The name that stands in a Via header (RFC 3261 §20.42): `UDP`, `TCP`, `TLS`.
    pub fn via_name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        }
    }
}

impl fmt::Display for Transport {
    /// Writes the name as it stands in a URI's `transport` parameter and in the configuration: `udp`, `tcp`, `tls`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        })
    }
}

/// Names one connection; never used twice in a process's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(u64);

/// Marks the numbers of connections whose peer has to prove a certain name.
const NAMED: u64 = 1 << 63;

/// Marks the numbers of connections in whose place no other is taken.
const ALONE: u64 = 1 << 62;

impl ConnectionId {
    /// The connection with this number.
    pub fn new(number: u64) -> Self {
        Self(number & !(NAMED | ALONE))
    }

    /// What had this [`Self::number`], with all that was said of it.
    pub fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// This connection and no other: a flow with it leads nowhere once it is gone, because nobody listens where its peer has opened it from, and
    /// whoever is found there later is another (RFC 5626 §5.3.1). What leads to a peer of a certain name stays as it is.
    #[must_use]
    pub fn alone(self) -> Self {
        if self.is_named() { self } else { Self(self.0 | ALONE) }
    }

    /// Whether no other is taken in its place.
    pub fn is_alone(self) -> bool {
        self.0 & ALONE != 0
    }

    /// The same for a connection to a peer of a certain name.
    pub(crate) fn named(self) -> Self {
        Self(self.0 | NAMED)
    }

    /// Whether it stands for a peer of a certain name, and so for nobody when that is forgotten.
    pub(crate) fn is_named(self) -> bool {
        self.0 & NAMED != 0
    }

    /// Its number.
    pub fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0 & !(NAMED | ALONE))
    }
}

/// The way by which a peer is reached: the protocol and the two addresses (the 3-tuple of RFC 5626 §3 and our own side), and for what came
/// by a connection, which one.
///
/// A message that arrives names the flow it came by; what is sent by the same flow leaves from the address and port that the
/// peer already talks to, which is what lets it through a NAT. Where that connection is gone, another one to `remote` is used or opened
/// (RFC 3261 §18.1.1, §18.2.2), unless it is to be that one [alone](ConnectionId::alone).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// The protocol.
    pub transport: Transport,
    /// Our address and port, as the peer can reach them: never a wildcard address. Of a connection that we opened it is the port where we
    /// listen, not the one that the connection happens to have.
    pub local: SocketAddr,
    /// The peer's address and port, as seen from here.
    pub remote: SocketAddr,
    /// The connection; `None` for UDP, and where any connection to `remote` will do. Over TLS it also tells who has to be at its other end, and stays
    /// the way to that one when the connection is gone.
    pub connection: Option<ConnectionId>,
}

impl Flow {
    /// The flow of datagrams between two addresses.
    pub fn udp(local: SocketAddr, remote: SocketAddr) -> Self {
        Self { transport: Transport::Udp, local, remote, connection: None }
    }

    /// The flow by whatever TCP connection leads to `remote`, opened if there is none.
    pub fn tcp(local: SocketAddr, remote: SocketAddr) -> Self {
        Self { transport: Transport::Tcp, local, remote, connection: None }
    }

    /// The flow by whatever TLS connection `remote` has opened. One that we open leads to a peer that has to prove a name:
    /// `Connections::lead_to`.
    pub fn tls(local: SocketAddr, remote: SocketAddr) -> Self {
        Self { transport: Transport::Tls, local, remote, connection: None }
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}>{}", self.transport, self.local, self.remote)?;
        match self.connection {
            Some(connection) => write!(f, "{connection}"),
            None => Ok(()),
        }
    }
}

//! Which of our addresses a peer sees.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// How long an answer of the routing table is believed: short enough that a phone is reached a minute after an interface changed.
const BELIEVED_FOR: Duration = Duration::from_secs(30);

/// The routing table has no way to the peer.
#[derive(Debug, thiserror::Error)]
#[error("no route to {remote}")]
pub struct NoRoute {
    /// Where the way was to lead.
    pub remote: IpAddr,
    /// What the kernel said.
    pub source: io::Error,
}

/// Answers which local address faces a peer, by asking the kernel's routing table, and remembers the answers.
///
/// A server that listens on all addresses must still write one into Via, Contact and SDP: the one that this peer can reach.
/// The memory is bounded: strangers choose source addresses.
#[derive(Debug)]
pub struct LocalAddresses {
    capacity: usize,
    known: HashMap<IpAddr, (IpAddr, Instant)>,
}

impl LocalAddresses {
    /// Remembers at most `capacity` peers at a time (at least one).
    pub fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(1), known: HashMap::new() }
    }

    /// The local address from which a datagram to `remote` would leave. Nothing is sent.
    ///
    /// # Errors
    ///
    /// [`NoRoute`] when the kernel knows no way to `remote`.
    pub fn towards(&mut self, remote: SocketAddr) -> Result<IpAddr, NoRoute> {
        let peer = remote.ip();
        if let Some(&(local, until)) = self.known.get(&peer)
            && Instant::now() < until
        {
            return Ok(local);
        }
        let local = ask_kernel(remote).map_err(|source| NoRoute { remote: peer, source })?;
        if self.known.len() >= self.capacity {
            // Dropping all is cheaper than keeping an order, and a miss costs three system calls.
            self.known.clear();
        }
        self.known.insert(peer, (local, Instant::now() + BELIEVED_FOR));
        Ok(local)
    }
}

/// Connects an unused datagram socket, which makes the kernel choose a source address and sends nothing.
fn ask_kernel(remote: SocketAddr) -> io::Result<IpAddr> {
    let any: IpAddr = match remote {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let probe = UdpSocket::bind((any, 0))?;
    // Port 0 is not a destination; which port it is makes no difference to the route.
    let port = if remote.port() == 0 { 5060 } else { remote.port() };
    probe.connect(SocketAddr::new(remote.ip(), port))?;
    Ok(probe.local_addr()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_peers_see_loopback() {
        let mut addresses = LocalAddresses::new(2);
        assert_eq!(addresses.towards("127.0.0.1:5060".parse().unwrap()).unwrap(), Ipv4Addr::LOCALHOST);
        assert_eq!(addresses.towards("127.0.0.1:0".parse().unwrap()).unwrap(), Ipv4Addr::LOCALHOST);
    }

    #[test]
    fn memory_is_bounded_whatever_sources_a_stranger_invents() {
        let mut addresses = LocalAddresses::new(8);
        for last in 1..=200 {
            let _ = addresses.towards(SocketAddr::from(([127, 0, 0, last], 5060)));
            assert!(addresses.known.len() <= 8);
        }
    }
}

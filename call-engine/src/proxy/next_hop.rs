//! From a URI to where a request goes (RFC 3261 §16.6 step 7): by a flow if it says an address, else to a destination, which the transactions locate by
//! RFC 3263.

use std::net::{IpAddr, SocketAddr};

use blether_sip_core::{Host, SipUri, TransportParam};
use blether_sip_transport::resolve::Destination;
use blether_sip_transport::{Flow, LocalAddresses, Transport};
use blether_transaction_core::destination_of;

use super::{ProxyPlace, Refusal};

/// Peers whose facing address is remembered.
const REMEMBERED_PEERS: usize = 4_096;

/// Where a request goes next.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum NextHop {
    /// By this flow.
    By(Flow),
    /// To what has to be located, and may have several addresses.
    To(Destination),
}

/// Which of our addresses a request leaves by, and where to.
#[derive(Debug)]
pub(super) struct NextHops {
    local: Vec<SocketAddr>,
    tls: Vec<SocketAddr>,
    advertise: Option<IpAddr>,
    tcp: bool,
    addresses: LocalAddresses,
}

impl NextHops {
    pub(super) fn new(place: &ProxyPlace<'_>) -> Self {
        let &ProxyPlace { local, tls, advertise, tcp } = place;
        let addresses = LocalAddresses::new(REMEMBERED_PEERS);
        Self { local: local.to_vec(), tls: tls.to_vec(), advertise, tcp, addresses }
    }

    /// Where we receive, by whatever transport.
    fn listens(&self) -> impl Iterator<Item = &SocketAddr> {
        self.local.iter().chain(&self.tls)
    }

    /// Whether a URI leads to one of our own sockets: an address of ours, the advertised one included, and a port that we listen on. Where we listen on all
    /// addresses, `came_by` is the one of them that the peer used.
    pub(super) fn is_here(&self, uri: &SipUri, came_by: Flow) -> bool {
        let Some(host) = uri.host.ip().map(|ip| ip.to_canonical()) else { return false };
        let port = uri.port.unwrap_or(5060);
        let ours = |local: &SocketAddr| {
            let ip = local.ip().to_canonical();
            port == local.port() && (ip == host || (ip.is_unspecified() && came_by.local.ip().to_canonical() == host))
        };
        self.listens().any(ours) || (self.advertise == Some(host) && self.has_port(port))
    }

    /// Whether one of our sockets has this port.
    pub(super) fn has_port(&self, port: u16) -> bool {
        self.listens().any(|local| local.port() == port)
    }

    /// Where a URI leads: `maddr` before the host (RFC 3261 §19.1.1). Of an address it is a flow, by the transport that it names, else UDP (RFC 3263 §4.1);
    /// the address of ours is that which `came_by` has, if it is of the same family.
    pub(super) fn find(&mut self, uri: &SipUri, came_by: Flow) -> Result<NextHop, Refusal> {
        if uri.secure {
            return Err(Refusal::Scheme);
        }
        let host = uri.maddr().unwrap_or_else(|| uri.host.clone());
        let Some(ip) = host.ip() else {
            return destination_of(uri).map(NextHop::To).ok_or(Refusal::Unreachable);
        };
        let transport = match uri.transport() {
            None | Some(TransportParam::Udp) => Transport::Udp,
            Some(TransportParam::Tcp) if self.tcp => Transport::Tcp,
            Some(_) => return Err(Refusal::Unreachable),
        };
        let remote = SocketAddr::new(ip, uri.port.unwrap_or(5060));
        if remote.port() == 0 || ip.is_unspecified() {
            return Err(Refusal::Unreachable);
        }
        Ok(NextHop::By(Flow { transport, local: self.local_towards(remote, came_by)?, remote, connection: None }))
    }

    /// The address of ours by which a peer is reached, over UDP or TCP.
    pub(super) fn local_towards(&mut self, remote: SocketAddr, came_by: Flow) -> Result<SocketAddr, Refusal> {
        let known = came_by.local.ip();
        if known.is_ipv4() == remote.is_ipv4() {
            if came_by.transport != Transport::Tls {
                return Ok(came_by.local);
            }
            // TLS has a port of its own: that of the same address for the others.
            let same = |local: &&SocketAddr| {
                local.is_ipv4() == known.is_ipv4()
                    && (local.ip().is_unspecified() || local.ip() == known || self.advertise == Some(known))
            };
            if let Some(local) = self.local.iter().find(same) {
                return Ok(SocketAddr::new(known, local.port()));
            }
        }
        let of_family = |local: &&SocketAddr| local.is_ipv4() == remote.is_ipv4();
        let local = self.local.iter().find(of_family).copied().ok_or(Refusal::Unreachable)?;
        if let Some(advertise) = self.advertise.filter(|ip| ip.is_ipv4() == local.is_ipv4()) {
            return Ok(SocketAddr::new(advertise, local.port()));
        }
        if !local.ip().is_unspecified() {
            return Ok(local);
        }
        let ip = self.addresses.towards(remote).map_err(|_| Refusal::Unreachable)?;
        Ok(SocketAddr::new(ip, local.port()))
    }
}

/// The URI by which the next hops of a flow reach this server: for Record-Route and Path. Other transports than UDP are named (RFC 5658 §4: the two of a
/// double Record-Route differ by it).
pub(super) fn uri_of_ours(user: &str, local: SocketAddr, transport: Transport) -> SipUri {
    let mut uri = SipUri::new(Some(user), Host::from(local.ip()), Some(local.port()));
    if transport != Transport::Udp {
        uri.params.set("transport", Some(&transport.to_string()));
    }
    uri.params.set("lr", None);
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hops() -> NextHops {
        NextHops::new(&ProxyPlace {
            local: &["192.0.2.1:5060".parse().unwrap(), "[2001:db8::1]:5070".parse().unwrap()],
            tls: &["192.0.2.1:5061".parse().unwrap()],
            advertise: Some("203.0.113.1".parse().unwrap()),
            tcp: true,
        })
    }

    fn came_by() -> Flow {
        Flow::udp("192.0.2.1:5060".parse().unwrap(), "198.51.100.7:5060".parse().unwrap())
    }

    #[test]
    fn an_address_is_its_own_next_hop_and_a_name_is_to_be_located_rfc_3261_16_6_step_7() {
        for (uri, expected) in [
            ("sip:b@198.51.100.9", Ok("udp:192.0.2.1:5060>198.51.100.9:5060")),
            ("sip:b@198.51.100.9:5080;transport=tcp", Ok("tcp:192.0.2.1:5060>198.51.100.9:5080")),
            ("sip:b@example.com;maddr=198.51.100.9", Ok("udp:192.0.2.1:5060>198.51.100.9:5060")),
            ("sip:b@198.51.100.9;transport=sctp", Err(Refusal::Unreachable)),
            ("sips:b@198.51.100.9", Err(Refusal::Scheme)),
            ("sip:b@0.0.0.0", Err(Refusal::Unreachable)),
            ("sip:b@example.com", Ok("example.com")),
            ("sip:b@example.com:5070;transport=tcp", Ok("example.com:5070 over TCP")),
            ("sip:b@192.0.2.9;maddr=example.com", Ok("example.com")),
            ("sip:b@example.com;transport=sctp", Err(Refusal::Unreachable)),
            ("sips:b@example.com", Err(Refusal::Scheme)),
        ] {
            let found = hops().find(&uri.parse().unwrap(), came_by()).map(|hop| match hop {
                NextHop::By(flow) => flow.to_string(),
                NextHop::To(destination) => destination.to_string(),
            });
            assert_eq!(found, expected.map(str::to_owned), "{uri}");
        }
    }

    #[test]
    fn what_comes_by_tls_goes_on_by_the_port_of_the_other_transports() {
        let came_by = Flow { transport: Transport::Tls, local: "192.0.2.1:5061".parse().unwrap(), ..came_by() };
        let found = hops().find(&"sip:b@198.51.100.9".parse().unwrap(), came_by);
        let NextHop::By(flow) = found.unwrap() else { panic!("an address is a flow") };
        assert_eq!(flow.to_string(), "udp:192.0.2.1:5060>198.51.100.9:5060");
    }

    #[test]
    fn ours_is_what_leads_to_one_of_our_sockets() {
        for (uri, ours) in [
            ("sip:192.0.2.1", true),
            ("sip:x@192.0.2.1:5060;lr", true),
            ("sip:192.0.2.1:5070", false),
            ("sip:192.0.2.1:5061;transport=tls", true),
            ("sip:[2001:db8::1]:5070", true),
            ("sip:203.0.113.1", true),
            ("sip:198.51.100.7", false),
            ("sip:example.com", false),
        ] {
            assert_eq!(hops().is_here(&uri.parse().unwrap(), came_by()), ours, "{uri}");
        }
    }
}

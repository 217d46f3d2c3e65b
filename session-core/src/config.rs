//! What the sessions of one user agent have in common.

use std::net::SocketAddr;
use std::time::Duration;

use blether_sip_core::{ByteStr, Method, SipUri, TransportParam, Uri};
use blether_sip_transport::{Flow, Transport};
use blether_transaction_core::Timing;

/// What the sessions of one user agent have in common. Shared by `Arc`; a user agent that faces several networks has one for
/// each, because `contact` must be reachable from the peer.
#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// Where the peer sends its requests within the dialog (RFC 3261 §8.1.1.8): an address that it can reach.
    pub contact: SipUri,
    /// T1 and T2, by which a 2xx is sent again and given up (RFC 3261 §13.3.1.4). The same as the transactions have.
    pub timing: Timing,
    /// Who we say we are, in `User-Agent` and `Server` (RFC 3261 §20.41, §20.35); empty: nothing is said.
    pub user_agent: ByteStr,
    /// How requests within the dialogs of *incoming* calls find their way; outgoing calls say it themselves.
    pub next_hop: NextHop,
    /// How long after the last provisional response to an incoming call the next is sent, so that no proxy gives the call up.
    /// Default: 60 s, as RFC 3261 §13.3.1.1 asks ("at every minute").
    pub provisional_refresh: Duration,
    /// Offers changed by one side may be refused by the other with 491; how often we try again before we give up. Default: 3,
    /// because a peer that is busy for longer than three waits of up to 4 s (§14.1) will not have time for us.
    pub offer_retries: u8,
    /// Whether keys that the peer sends in INFO are taken, and told as [`SessionEvent::Info`](crate::SessionEvent::Info). Where they lead
    /// nowhere, 415 tells the peer that they are not heard, and it may send them as RTP (RFC 4733). Default: they are.
    pub takes_info: bool,
}

impl SessionConfig {
    /// Makes a configuration with this contact and the default of everything else.
    pub fn new(contact: SipUri) -> Self {
        Self {
            contact,
            timing: Timing::default(),
            user_agent: ByteStr::from(""),
            next_hop: NextHop::default(),
            provisional_refresh: Duration::from_secs(60),
            offer_retries: 3,
            takes_info: true,
        }
    }
}

/// How requests within a dialog find their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NextHop {
    /// By the flow that the peer is heard on: what a server does towards a phone that may be behind a NAT.
    #[default]
    Flow,
    /// By the route set and the remote target (RFC 3261 §12.2.1.1, §8.1.2) where they are numeric addresses, and by the flow
    /// where they are names.
    Routed,
}

impl NextHop {
    /// The flow for a request with this topmost Route or, without one, this Request-URI.
    pub(crate) fn flow(self, heard_on: Flow, first_hop: &Uri) -> Flow {
        let Some((transport, remote)) = first_hop.as_sip().and_then(|uri| address_of(uri, heard_on)) else {
            return heard_on;
        };
        match (self, heard_on.transport) {
            (Self::Routed, _) if remote == heard_on.remote && transport == heard_on.transport => heard_on,
            (Self::Routed, _) => Flow { transport, remote, connection: None, ..heard_on },
            // By the connection for as long as it lives. What is opened when it is gone leads to where the peer listens, which is not where
            // the connection came from; and never to another host.
            (Self::Flow, Transport::Tcp) if heard_on.connection.is_some() && remote.ip() == heard_on.remote.ip() => {
                Flow { remote, ..heard_on }
            }
            (Self::Flow, _) => heard_on,
        }
    }
}

/// The transport and the address that a URI with a numeric host names (RFC 3263 §4.1, §4.2: UDP where it names none), if they can be
/// reached from where the peer was heard.
fn address_of(uri: &SipUri, heard_on: Flow) -> Option<(Transport, SocketAddr)> {
    let remote = uri.socket_addr().filter(|remote| remote.is_ipv4() == heard_on.local.is_ipv4())?;
    let transport = match uri.transport() {
        None | Some(TransportParam::Udp) => Transport::Udp,
        Some(TransportParam::Tcp) => Transport::Tcp,
        Some(_) => return None,
    };
    Some((transport, remote))
}

/// The methods that a session understands: what `Allow` says of us (RFC 3261 §20.5).
pub const ALLOWED_METHODS: [Method; 7] =
    [Method::Invite, Method::Ack, Method::Cancel, Method::Bye, Method::Options, Method::Info, Method::Update];

#[cfg(test)]
mod tests {
    use super::*;

    fn flow() -> Flow {
        Flow::udp("192.0.2.1:5060".parse().unwrap(), "198.51.100.7:31234".parse().unwrap())
    }

    fn remote(next_hop: NextHop, uri: &str) -> String {
        next_hop.flow(flow(), &uri.parse().unwrap()).remote.to_string()
    }

    #[test]
    fn a_server_answers_a_phone_by_the_flow_whatever_its_contact_says() {
        assert_eq!(remote(NextHop::Flow, "sip:alice@10.0.0.5:5060"), "198.51.100.7:31234");
    }

    #[test]
    fn a_numeric_target_is_where_a_routed_request_goes() {
        assert_eq!(remote(NextHop::Routed, "sip:alice@203.0.113.9:5070;lr"), "203.0.113.9:5070");
        assert_eq!(remote(NextHop::Routed, "sip:alice@203.0.113.9"), "203.0.113.9:5060");
    }

    fn by_connection() -> Flow {
        let connection = Some(blether_sip_transport::ConnectionId::new(7));
        Flow { transport: Transport::Tcp, connection, ..flow() }
    }

    #[test]
    fn a_routed_request_goes_by_the_transport_that_its_target_names() {
        let to = |uri: &str| NextHop::Routed.flow(by_connection(), &uri.parse().unwrap());
        let (local, remote) = (flow().local, "203.0.113.9:5070".parse().unwrap());
        assert_eq!(to("sip:alice@203.0.113.9:5070;transport=TCP"), Flow::tcp(local, remote));
        assert_eq!(to("sip:alice@203.0.113.9:5070"), Flow::udp(local, remote));
        assert_eq!(to("sip:alice@203.0.113.9:5070;transport=tls"), by_connection());
        assert_eq!(to("sip:alice@198.51.100.7:31234;transport=tcp"), by_connection());
    }

    #[test]
    fn when_its_connection_is_gone_a_phone_is_reached_where_it_listens_and_nobody_else_is() {
        let to = |uri: &str| NextHop::Flow.flow(by_connection(), &uri.parse().unwrap());
        let listening = "198.51.100.7:5060".parse().unwrap();
        assert_eq!(to("sip:alice@198.51.100.7;transport=tcp"), Flow { remote: listening, ..by_connection() });
        assert_eq!(to("sip:alice@10.0.0.5:5060;transport=tcp"), by_connection());
    }

    #[test]
    fn a_target_that_cannot_be_reached_from_here_falls_back_to_the_flow() {
        for uri in ["sip:alice@example.org", "tel:+123", "sip:alice@[2001:db8::1]"] {
            assert_eq!(remote(NextHop::Routed, uri), "198.51.100.7:31234", "{uri}");
        }
    }
}

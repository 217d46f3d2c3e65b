//! What a SIP URI says of where its request goes (RFC 3263 §4).

use blether_sip_core::{Host, SipUri, TransportParam};
use blether_sip_transport::resolve::{Destination, DestinationHost, Protocol};

/// Where the requests of a URI go (RFC 3263 §4): its `maddr`, or else its host; its port; its transport; and for `sips` with TLS only.
///
/// `transport=tls`, which RFC 3261 §26.2.2 deprecates, is TLS over TCP. `None` where the URI names a transport that nobody here has, or a host that is no
/// name for DNS.
///
/// # Example
///
/// ```
/// use blether_transaction_core::destination_of;
///
/// let uri: blether_sip_core::SipUri = "sips:bob@example.org:5071".parse()?;
/// assert_eq!(destination_of(&uri).unwrap().to_string(), "example.org:5071 with TLS");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn destination_of(uri: &SipUri) -> Option<Destination> {
    let host = match uri.maddr().unwrap_or_else(|| uri.host.clone()) {
        Host::Name(name) => DestinationHost::Name(name.parse().ok()?),
        address => DestinationHost::Address(address.ip()?),
    };
    let (transport, tls) = match uri.transport() {
        None => (None, false),
        Some(TransportParam::Udp) => (Some(Protocol::Udp), false),
        Some(TransportParam::Tcp) => (Some(Protocol::Tcp), false),
        Some(TransportParam::Tls) => (Some(Protocol::Tcp), true),
        Some(TransportParam::Ws) => (Some(Protocol::WebSocket), false),
        Some(_) => return None,
    };
    Some(Destination { host, port: uri.port, transport, secure: uri.secure || tls })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_3263_section_4_a_uri_says_where_its_requests_go() {
        for (uri, destination) in [
            ("sip:bob@example.org", Some("example.org")),
            ("sip:bob@Example.org:5070;transport=udp", Some("example.org:5070 over UDP")),
            ("sip:bob@192.0.2.1;transport=TCP", Some("192.0.2.1 over TCP")),
            ("sip:bob@[2001:db8::1]:5070", Some("[2001:db8::1]:5070")),
            ("sips:bob@example.org", Some("example.org with TLS")),
            ("sip:bob@example.org;transport=tls", Some("example.org over TCP with TLS")),
            ("sip:bob@example.org;transport=ws", Some("example.org over WebSocket")),
            // TARGET is the maddr, where there is one.
            ("sip:bob@example.org;maddr=192.0.2.7", Some("192.0.2.7")),
            ("sip:bob@example.org;maddr=proxy.example.org", Some("proxy.example.org")),
            ("sip:bob@example.org;transport=sctp", None),
        ] {
            let found = destination_of(&uri.parse().unwrap()).map(|destination| destination.to_string());
            assert_eq!(found.as_deref(), destination, "{uri}");
        }
    }
}

//! Which hosts in addresses are this server.

use std::net::IpAddr;

use blether_sip_core::{AddressOfRecord, Host, SipUri};
use blether_sip_transport::Flow;

/// The domains whose addresses of record are kept here, and the one under which they are kept.
///
/// Phones that are set up with the server's address instead of a name write that address: so the address that a request came to
/// is always ours, whatever else is. `alice@192.0.2.1`, `alice@127.0.0.1` and `alice@blether.example` are then one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domains {
    primary: Host,
    others: Vec<Host>,
}

impl Domains {
    /// The domain that addresses of record are kept under, and further names and addresses for the same.
    pub fn new(primary: Host, others: impl IntoIterator<Item = Host>) -> Self {
        Self { primary, others: others.into_iter().collect() }
    }

    /// The domain that addresses of record are kept under.
    pub fn primary(&self) -> &Host {
        &self.primary
    }

    /// Whether the host is this server, for a request that came by `flow`.
    pub fn contains(&self, host: &Host, flow: Flow) -> bool {
        let named = || host == &self.primary || self.others.contains(host);
        host.ip().map(plain) == Some(plain(flow.local.ip())) || named()
    }

    /// The address of record as it is kept; `None` if its host is another server's.
    #[must_use]
    pub fn canonical(&self, aor: &AddressOfRecord, flow: Flow) -> Option<AddressOfRecord> {
        if self.contains(aor.host(), flow) { self.local(aor.user()) } else { None }
    }

    /// The address of record as it is kept, from a URI; `None` if it has no user or its host is another server's.
    #[must_use]
    pub fn canonical_of(&self, uri: &SipUri, flow: Flow) -> Option<AddressOfRecord> {
        AddressOfRecord::from_uri(uri).ok().and_then(|aor| self.canonical(&aor, flow))
    }

    /// The address of record of a user of this server; `None` if the user is empty or has control characters.
    #[must_use]
    pub fn local(&self, user: &str) -> Option<AddressOfRecord> {
        AddressOfRecord::new(user, self.primary.clone()).ok()
    }
}

/// `::ffff:192.0.2.1` is what a socket of both families calls 192.0.2.1.
fn plain(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}

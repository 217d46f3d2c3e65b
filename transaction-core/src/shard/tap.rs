//! Shows what crosses the wire.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use blether_sip_transport::Flow;
use bytes::Bytes;

/// Which way a datagram went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the peer to us.
    Received,
    /// From us to the peer.
    Sent,
}

/// A datagram that was received or is being sent.
#[derive(Clone, Copy, Debug)]
pub struct WireMessage<'a> {
    /// When.
    pub at: Instant,
    /// Which way.
    pub direction: Direction,
    /// Between whom.
    pub flow: Flow,
    /// What it says.
    pub bytes: &'a Bytes,
}

/// Called with each datagram, in the shard: it must not block.
#[derive(Clone)]
pub struct WireTap(Arc<dyn Fn(WireMessage<'_>) + Send + Sync>);

impl WireTap {
    /// Calls `show` with each datagram.
    pub fn new(show: impl Fn(WireMessage<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(show))
    }

    pub(super) fn show(&self, message: WireMessage<'_>) {
        (self.0)(message);
    }
}

impl fmt::Debug for WireTap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WireTap")
    }
}

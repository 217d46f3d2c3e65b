//! What a leg has counted.

use std::net::SocketAddr;

use crate::statistics::Reception;

/// The figures of one leg since it was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LegStatistics {
    /// Where packets are sent to; `None` if that was never known.
    pub remote: Option<SocketAddr>,
    /// Whether the peer was found elsewhere than signalled.
    pub latched: bool,
    /// RTP packets taken from the peer.
    pub received_packets: u64,
    /// Their bytes, RTP headers included.
    pub received_bytes: u64,
    /// RTP packets given to the network.
    pub sent_packets: u64,
    /// Their bytes, RTP headers included.
    pub sent_bytes: u64,
    /// Loss, order and jitter of what was received.
    pub reception: Reception,
    /// Datagrams that went nowhere.
    pub dropped: Dropped,
}

/// Why datagrams went nowhere, in packets. Once the peer is certain, the system itself refuses everyone else's, uncounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dropped {
    /// Received, and no RTP.
    pub not_rtp: u64,
    /// Received, and RTCP.
    pub rtcp: u64,
    /// Received from an address that is not the peer's, or not yet believed to be.
    pub wrong_source: u64,
    /// Received while the leg was idle.
    pub idle: u64,
    /// Received while the leg's [`MediaDirection`](crate::MediaDirection) was not to receive.
    pub receive_off: u64,
    /// To be sent while the leg's [`MediaDirection`](crate::MediaDirection) was not to send.
    pub send_off: u64,
    /// To be sent while it was not known where to, or relayed to a leg that is gone.
    pub no_destination: u64,
    /// To be sent, and refused by the system.
    pub send_failed: u64,
    /// To be sent, and lost on purpose by an [`Impairment`](crate::Impairment).
    pub impaired: u64,
}

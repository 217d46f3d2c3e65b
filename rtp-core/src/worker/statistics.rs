//! What a leg has counted.

use std::net::SocketAddr;
use std::time::Duration;

use crate::quality::{Equipment, MediaPath, Quality};
use crate::rtcp::RtcpStatistics;
use crate::statistics::Reception;

/// The figures of one leg since it was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LegStatistics {
    /// Where packets are sent to; `None` if that was never known.
    pub remote: Option<SocketAddr>,
    /// Whether the peer was found elsewhere than signalled.
    pub latched: bool,
    /// How long the first of its packets took, from when it was known where the peer listens; zero if it came before that was. `None` until one
    /// has come.
    pub first_packet_after: Option<Duration>,
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
    /// What RTCP has told: the round trip, and what the peer says of what we send.
    pub rtcp: RtcpStatistics,
    /// RTP packets that were received to be relayed, to a leg whose peer's address was known, and that the system refused to send there. What the system
    /// itself loses, in a socket that is not read in time, is part of [`Reception::lost`].
    pub relay_lost: u64,
    /// Keys that the peer has pressed (RFC 4733): how many, not which.
    pub digits: u64,
    /// Datagrams that went nowhere.
    pub dropped: Dropped,
}

impl LegStatistics {
    /// How this end hears the peer, by the E-model. The delay is half of the round trip and `jitter_buffer`, which is how long packets wait
    /// before they are played; loss is what the network lost. `None` until a round trip was measured and packets have come.
    #[must_use]
    pub fn quality_here(&self, jitter_buffer: Duration, equipment: Equipment) -> Option<Quality> {
        let round_trip = self.rtcp.round_trip?;
        if self.reception.expected == 0 {
            return None;
        }
        let path = MediaPath {
            delay: round_trip / 2 + jitter_buffer,
            loss: self.reception.loss_ratio(),
            burst_ratio: self.reception.burst_ratio().unwrap_or(1.0),
        };
        Some(Quality::estimate(path, equipment))
    }

    /// How the peer hears what this leg sends, by the E-model, from what it reports; `jitter_buffer` is what the peer is taken to have. Loss is
    /// all loss up to the peer's ears: of a leg that is relayed to, it includes what was lost before it came here, since gaps are passed on. The peer's
    /// reports do not tell whether loss comes in bursts, so it is taken as random. `None` until a round trip was measured and the peer has reported
    /// on packets that were sent.
    #[must_use]
    pub fn quality_at_peer(&self, jitter_buffer: Duration, equipment: Equipment) -> Option<Quality> {
        let (round_trip, loss) = (self.rtcp.round_trip?, self.rtcp.peer?.cumulative_lost_ratio()?);
        let path = MediaPath { delay: round_trip / 2 + jitter_buffer, loss, burst_ratio: 1.0 };
        Some(Quality::estimate(path, equipment))
    }
}

/// Why datagrams went nowhere, in packets. Once the peer is certain, the system itself refuses everyone else's, uncounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dropped {
    /// Received, and no RTP.
    pub not_rtp: u64,
    /// Received on the RTP port, and RTCP.
    pub rtcp: u64,
    /// Received on the RTCP port, and not the peer's, or no RTCP.
    pub rtcp_refused: u64,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtcp::PeerReport;

    #[test]
    fn there_is_no_estimate_before_there_is_a_measurement() {
        let buffer = Duration::from_millis(60);
        let reception = Reception { received: 990, expected: 1_000, lost: 10, loss_bursts: 10, ..Reception::default() };
        let mut leg = LegStatistics { reception, ..LegStatistics::default() };
        assert_eq!(leg.quality_here(buffer, Equipment::G711), None);
        leg.rtcp.round_trip = Some(Duration::from_millis(80));
        let here = leg.quality_here(buffer, Equipment::G711_CONCEALED).unwrap();
        // 100 ms and 1 % loss.
        let expected = MediaPath { delay: Duration::from_millis(100), loss: 0.01, burst_ratio: 1.0 };
        assert_eq!(here, Quality::estimate(expected, Equipment::G711_CONCEALED));
        assert!((4.2..4.4).contains(&here.mean_opinion_score()), "{here:?}");
        assert_eq!(leg.quality_at_peer(buffer, Equipment::G711), None);
        let peer = PeerReport {
            fraction_lost: 0,
            cumulative_lost: 50,
            jitter: Duration::ZERO,
            highest_sequence: 1_000,
            expected: 1_000,
        };
        leg.rtcp.peer = Some(peer);
        let there = leg.quality_at_peer(buffer, Equipment::G711_CONCEALED).unwrap();
        let expected = MediaPath { loss: 0.05, ..expected };
        assert_eq!(there, Quality::estimate(expected, Equipment::G711_CONCEALED));
        // Nothing that was sent was reported on.
        leg.rtcp.peer = Some(PeerReport { expected: 0, ..peer });
        assert_eq!(leg.quality_at_peer(buffer, Equipment::G711_CONCEALED), None);
        // More duplicates than losses are no loss.
        leg.rtcp.peer = Some(PeerReport { cumulative_lost: -50, ..peer });
        assert!(leg.quality_at_peer(buffer, Equipment::G711_CONCEALED).unwrap().rating > here.rating);
        leg.reception = Reception::default();
        assert_eq!(leg.quality_here(buffer, Equipment::G711), None);
    }
}

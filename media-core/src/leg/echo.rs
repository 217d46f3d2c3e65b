//! A leg that sends back what it hears.

use std::time::Instant;

use blether_rtp_core::{LegEvent, LegProcessor, RtpHeader, RtpPacket, RtpTimestamp, SequenceNumber, Ssrc};
use rand::RngExt;
use rand::rngs::StdRng;

use super::outgoing::Outgoing;

/// Sends every payload back at once, as a stream of its own: same payload type and marker, own SSRC, sequence numbers without gaps, and
/// timestamps that keep the distances of those it hears. Works for any payload, telephone events too.
#[derive(Debug)]
pub struct EchoLeg {
    ssrc: Ssrc,
    sequence: SequenceNumber,
    /// What is added to the timestamps of the stream that is heard, and that stream's SSRC.
    heard: Option<(Ssrc, u32)>,
    last_timestamp: RtpTimestamp,
    outgoing: Outgoing,
}

impl EchoLeg {
    /// `rng` gives SSRC and the first sequence number and timestamp (RFC 3550 §5.1).
    #[must_use]
    pub fn new(mut rng: StdRng) -> Self {
        Self {
            ssrc: Ssrc(rng.random()),
            sequence: SequenceNumber(rng.random()),
            heard: None,
            last_timestamp: RtpTimestamp(rng.random()),
            outgoing: Outgoing::default(),
        }
    }

    /// The timestamp to send for one that was heard; another stream goes on where the last one stopped.
    fn timestamp(&mut self, packet: &RtpPacket<'_>) -> RtpTimestamp {
        let heard = packet.timestamp();
        let offset = match self.heard {
            Some((ssrc, offset)) if ssrc == packet.ssrc() => offset,
            _ => {
                let offset = self.last_timestamp.0.wrapping_add(160).wrapping_sub(heard.0);
                self.heard = Some((packet.ssrc(), offset));
                offset
            }
        };
        let timestamp = RtpTimestamp(heard.0.wrapping_add(offset));
        self.last_timestamp = timestamp;
        timestamp
    }
}

impl LegProcessor for EchoLeg {
    fn handle_packet(&mut self, _now: Instant, packet: RtpPacket<'_>) {
        let header = RtpHeader {
            marker: packet.marker(),
            payload_type: packet.payload_type(),
            sequence: self.sequence,
            timestamp: self.timestamp(&packet),
            ssrc: self.ssrc,
        };
        self.sequence = self.sequence.next();
        self.outgoing.push(|out| {
            header.write(out);
            out.extend_from_slice(packet.payload());
        });
    }

    fn poll_transmit(&mut self, out: &mut Vec<u8>) -> bool {
        self.outgoing.poll(out)
    }

    fn poll_event(&mut self) -> Option<LegEvent> {
        None
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    fn handle_timeout(&mut self, _now: Instant) {}
}

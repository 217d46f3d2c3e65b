//! What both sides have agreed to.

use std::net::SocketAddr;
use std::time::Duration;

use blether_sip_core::ByteStr;
use blether_sip_core::sdp::Direction;

/// A format that both sides can send and receive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NegotiatedFormat {
    /// The encoding name, as the peer writes it; case does not matter.
    pub name: ByteStr,
    /// The payload type to send it with: the peer's number.
    pub payload_type: u8,
    /// The payload type that it arrives with: our number. The same as `payload_type`, unless the peer answers with
    /// numbers of its own (RFC 3264 §5.1).
    pub receive_payload_type: u8,
    /// RTP timestamp units a second.
    pub clock_rate: u32,
    /// Audio channels.
    pub channels: u16,
    /// The peer's parameters (`a=fmtp`).
    pub fmtp: Option<ByteStr>,
}

impl NegotiatedFormat {
    /// Whether both are the same codec, however they are numbered.
    pub(crate) fn is_same_encoding(&self, other: &Self) -> bool {
        self.name.eq_ignore_ascii_case(&other.name)
            && (self.clock_rate, self.channels) == (other.clock_rate, other.channels)
    }
}

/// What offer and answer have come to for the audio stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaPlan {
    /// Where the peer wants its media. Unspecified (`0.0.0.0`) for a peer that holds the call in the manner of RFC 2543;
    /// `direction` then does not send.
    pub remote: SocketAddr,
    /// The common formats, never empty; the first is the one to send with.
    pub formats: Vec<NegotiatedFormat>,
    /// The payload type to send telephone events with (RFC 4733), at the clock rate of the first format.
    pub telephone_event: Option<u8>,
    /// The payload type that telephone events arrive with.
    pub receive_telephone_event: Option<u8>,
    /// Which way media flows, seen from us.
    pub direction: Direction,
    /// How much audio to put in one packet: what the peer asks for, 20 ms if it does not say (RFC 3551 §4.2).
    pub ptime: Duration,
}

impl MediaPlan {
    /// Whether the peer has put us on hold: it does not want our media (RFC 3264 §8.4).
    pub fn is_held_by_peer(&self) -> bool {
        !self.direction.sends()
    }

    /// The formats that another plan has too: by which payload type each arrives here, and by which it is sent there.
    pub(crate) fn same_formats(&self, other: &Self) -> impl Iterator<Item = (u8, u8)> {
        self.formats.iter().filter_map(|format| {
            let same = other.formats.iter().find(|there| format.is_same_encoding(there))?;
            Some((format.receive_payload_type, same.payload_type))
        })
    }
}

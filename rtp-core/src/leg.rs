//! What runs a leg, and what a leg tells: the border to the crates above.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::packet::RtpPacket;

/// What runs a leg that is not just relayed: hears its packets, speaks its packets.
///
/// A media worker calls it from its own thread, one call at a time, and never while another leg of that worker is being
/// served: an implementation must not block and should allocate nothing per packet. The contract is the one of every core
/// of this project: after [`handle_packet`](Self::handle_packet) or [`handle_timeout`](Self::handle_timeout) the worker
/// drains [`poll_transmit`](Self::poll_transmit), then [`poll_event`](Self::poll_event), then reads
/// [`poll_timeout`](Self::poll_timeout). It does so too once when the processor is put in charge of a leg.
///
/// A panic in any of these ends the leg with [`LegEvent::ProcessorPanicked`] and touches no other.
pub trait LegProcessor: Send {
    /// Hears a packet that came from the leg's peer (its source was checked). `now` is when it was received.
    fn handle_packet(&mut self, now: Instant, packet: RtpPacket<'_>);

    /// Writes the next datagram for the peer into `out`, which is empty when it is called, and says whether there was one; if not,
    /// `out` is not looked at. The worker asks until it says `false`, at most 64 times in a turn.
    ///
    /// The datagram is an RTP packet with an SSRC, sequence numbers and timestamps of the processor's own. The worker maps them
    /// into the leg's one outgoing stream, so that the peer notices no change of processor.
    fn poll_transmit(&mut self, out: &mut Vec<u8>) -> bool;

    /// Hands out the next thing that whoever owns the leg should know.
    fn poll_event(&mut self) -> Option<LegEvent>;

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called; `None` for never.
    fn poll_timeout(&self) -> Option<Instant>;

    /// Does what is due at `now`. A processor with a steady tick moves its own due time by one tick a call; a late worker
    /// calls again, up to five times in a turn and ten milliseconds apart, so that the peer gets no burst. A processor that finds
    /// itself much later than that had better leave out what it missed and go on from `now`.
    fn handle_timeout(&mut self, now: Instant);
}

/// Which ways media goes on a leg, from our side (RFC 3264 §5.1, §6.1): what offer and answer agreed on. Not to send is
/// what makes a held peer hear silence (§8.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MediaDirection {
    /// Whether packets leave the leg.
    pub send: bool,
    /// Whether packets that come from the peer go anywhere.
    pub receive: bool,
}

impl MediaDirection {
    /// `sendrecv`: both ways.
    pub const SEND_RECEIVE: Self = Self { send: true, receive: true };
    /// `sendonly` on our side: the peer listens.
    pub const SEND_ONLY: Self = Self { send: true, receive: false };
    /// `recvonly` on our side: the peer has put us on hold, or has nothing to hear.
    pub const RECEIVE_ONLY: Self = Self { send: false, receive: true };
    /// `inactive`: neither way.
    pub const INACTIVE: Self = Self { send: false, receive: false };
}

impl Default for MediaDirection {
    /// Both ways, which is what an SDP means that says nothing (RFC 8866 §6.7).
    fn default() -> Self {
        Self::SEND_RECEIVE
    }
}

/// How the payload types of a leg's peer are read, which may name the same codecs differently than the peer that it is relayed to
/// (RFC 3264 §5.1, §6.1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PayloadTypes {
    /// Which payload type of this peer leaves as which on the leg that its packets are relayed to; one that is not named stays as it is.
    /// Numbers above 127 are none and are passed over.
    pub relayed_as: Vec<(u8, u8)>,
    /// The payload type of this peer's telephone events (RFC 4733); see
    /// [`LegConfig::telephone_event_payload_type`](crate::LegConfig::telephone_event_payload_type).
    pub telephone_event: Option<u8>,
}

/// What a leg tells its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LegEvent {
    /// The peer was heard at another address than the signalled one, and packets go there from here on (symmetric RTP).
    Latched {
        /// Where the peer really is.
        from: SocketAddr,
    },
    /// The peer pressed a key (RFC 4733); told once for each press, however many packets carried it.
    TelephoneEvent {
        /// `0` to `9`, `*`, `#`, `A` to `D`.
        digit: char,
        /// How long it was held, as far as the packets told.
        duration: Duration,
    },
    /// Nothing has come from the peer for as long as [`LegConfig::silent_after`](crate::LegConfig::silent_after) says, while it was to be
    /// heard. Told once; the leg goes on. It is over when the peer is [`Heard`](Self::Heard), or is not to be heard any more.
    Silent,
    /// A packet has come from a peer that was [`Silent`](Self::Silent).
    Heard,
    /// Nothing at all has come from the peer for as long as [`LegConfig::gone_after`](crate::LegConfig::gone_after) says, neither RTP nor RTCP, whether
    /// it was to be heard or not. Told once, until it is [`Back`](Self::Back).
    Gone,
    /// RTP or RTCP has come from a peer that was [`Gone`](Self::Gone).
    Back,
    /// The processor has done what it was for (a prompt has been played to its end); the leg goes on.
    Finished,
    /// The processor panicked. The leg sends and receives nothing more, its port has gone back, and its last statistics
    /// wait to be fetched by removing it.
    ProcessorPanicked,
    /// The leg's socket failed for good. Ended like a panicked one.
    SocketFailed,
}

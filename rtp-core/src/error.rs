//! The errors of this crate.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use thiserror::Error;

/// Why bytes are not an RTP packet (RFC 3550 §5.1); the datagram is dropped and the stream goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PacketError {
    /// Shorter than what its own header says it holds; both in bytes.
    #[error("an RTP packet that needs {needed} bytes has only {len}")]
    Truncated {
        /// Bytes that there are.
        len: usize,
        /// Bytes that the header asks for.
        needed: usize,
    },
    /// The two version bits are not 2.
    #[error("RTP version {version}, not 2")]
    Version {
        /// What the bits say, 0 to 3.
        version: u8,
    },
    /// The padding bit is set and the last byte's count is zero or reaches into the header (§5.1, "padding").
    #[error("{padding} bytes of padding in {available} bytes of payload")]
    Padding {
        /// What the last byte says.
        padding: usize,
        /// Bytes after the header.
        available: usize,
    },
}

/// Why a packet cannot be written as asked; what was to be written is wrong, nothing was appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The payload type has seven bits.
    #[error("payload type {0} is over 127")]
    PayloadType(u8),
    /// The CSRC count has four bits.
    #[error("{0} contributing sources; a packet has room for 15")]
    TooManyCsrcs(usize),
    /// An extension's length is counted in 32-bit words, and the count has 16 bits (§5.3.1).
    #[error("a header extension of {0} bytes; it must be a multiple of 4 and at most 262140")]
    ExtensionLength(usize),
    /// The count of an RTCP packet has five bits.
    #[error("{0} blocks or sources; an RTCP packet has room for 31")]
    TooManyForRtcp(usize),
    /// The length of a text in an RTCP packet has eight bits.
    #[error("a text of {0} bytes; RTCP has room for 255")]
    TextLength(usize),
}

/// Why a datagram is not a compound RTCP packet (RFC 3550 §6.1, A.2); it is dropped and the session goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RtcpError {
    /// Shorter than what its headers say it holds; both in bytes, from the packet within the compound that is cut off.
    #[error("an RTCP packet that needs {needed} bytes has only {len}")]
    Truncated {
        /// Bytes that there are.
        len: usize,
        /// Bytes that the header asks for.
        needed: usize,
    },
    /// The two version bits of one of its packets are not 2.
    #[error("RTCP version {version}, not 2")]
    Version {
        /// What the bits say, 0 to 3.
        version: u8,
    },
    /// It does not begin with a report.
    #[error("a compound RTCP packet begins with type {packet_type}, not with a report (200 or 201)")]
    FirstPacket {
        /// What it begins with.
        packet_type: u8,
    },
    /// Padding in the first packet or before the last, or of a length that is no multiple of 4 within the packet.
    #[error("an RTCP packet is padded where or as it must not be")]
    Padding,
    /// A count or a length within one of its packets reaches past that packet's end.
    #[error("an RTCP packet of type {packet_type} is shorter than its contents say")]
    Malformed {
        /// The packet's type.
        packet_type: u8,
    },
    /// It is well-formed, and bears our own SSRC: it was sent back to us, or the peer has taken our number (§8.2).
    #[error("an RTCP packet from our own SSRC; something sends our packets back")]
    Loop,
}

/// A payload that cannot be telephone-event reports: they are four bytes each (RFC 4733 §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a telephone-event payload of {len} bytes; it must be a multiple of 4 and not empty")]
pub struct TelephoneEventError {
    /// Bytes of the payload.
    pub len: usize,
}

/// Why a key is not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendEventError {
    /// Not one of the sixteen keys.
    #[error("{0:?} is no key; use 0 to 9, *, # and A to D")]
    NotAKey(char),
    /// Zero, or longer than the 16 bits of a report can say.
    #[error("a key held for {duration:?}; it must be more than zero and at most {longest:?}")]
    Duration {
        /// What was asked for.
        duration: Duration,
        /// What is possible at the stream's clock rate.
        longest: Duration,
    },
    /// The queue is full; try again when keys have been sent.
    #[error("{capacity} keys wait to be sent, which is the limit")]
    TooManyWaiting {
        /// The limit.
        capacity: usize,
    },
}

/// Why a jitter buffer cannot be made as configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum JitterConfigError {
    /// A clock of 0 Hz.
    #[error("`clock_rate` is 0; it is the rate of the payload's rtpmap, 8000 for G.711")]
    ClockRate,
    /// No frame, or one that is no frame.
    #[error("`frame` is {0:?}; it must be at least one tick of the clock and at most one second")]
    Frame(Duration),
    /// The bounds contradict each other.
    #[error("`min_delay` {min:?}, `initial_delay` {initial:?} and `max_delay` {max:?} must not fall")]
    DelayOrder {
        /// The configured least delay.
        min: Duration,
        /// The configured delay at the beginning.
        initial: Duration,
        /// The configured greatest delay.
        max: Duration,
    },
    /// Too little room for the longest delay, or more than sequence numbers can order.
    #[error("`capacity` is {capacity}; with these delays it must be {needed} to 2048 packets")]
    Capacity {
        /// The configured capacity in packets.
        capacity: usize,
        /// The least that these delays need.
        needed: usize,
    },
}

/// Why an impairment cannot be made as asked.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[non_exhaustive]
pub enum ImpairmentError {
    /// Not a share.
    #[error("a loss of {0}; it is a share, 0 for none to 1 for all (20 % is 0.2)")]
    Loss(f64),
    /// Too long.
    #[error("a jitter of {jitter:?}, over the limit of {limit:?}")]
    Jitter {
        /// What was asked for.
        jitter: Duration,
        /// What is possible.
        limit: Duration,
    },
}

/// Why a range of ports cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the port range {first}-{last} has no even port with the odd one after it; RTP and RTCP need such a pair")]
pub struct PortRangeError {
    /// The range's first port.
    pub first: u16,
    /// The range's last port.
    pub last: u16,
}

/// Why there is no port for another leg.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NoPort {
    /// All are taken. A call that needs one is to be refused with 503.
    #[error(
        "no free RTP port in {first}-{last}: {in_use} in use by calls, {resting} resting after a call, {taken} taken by other programs; widen the port range"
    )]
    Exhausted {
        /// The range's first port.
        first: u16,
        /// The range's last port.
        last: u16,
        /// Ports of legs.
        in_use: usize,
        /// Ports of legs that ended a short while ago.
        resting: usize,
        /// Ports that could not be bound.
        taken: usize,
    },
    /// The address cannot be bound at all, whatever the port.
    #[error(
        "cannot open an RTP port on {ip}: {source}; is it an address of this machine, and are file descriptors left?"
    )]
    Bind {
        /// The address.
        ip: IpAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// Why a media worker did not do what it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// The leg has been removed, has ended, or never was on this worker.
    #[error("no such leg on this media worker; it was removed, has ended, or belongs to another worker")]
    UnknownLeg,
    /// Too many commands wait; the call is to be refused with 503.
    #[error("the media worker has {limit} commands waiting, which is the limit")]
    Busy {
        /// The limit.
        limit: usize,
    },
    /// The worker's thread has ended; so do its legs.
    #[error("the media worker has stopped")]
    Stopped,
    /// The leg's socket could not be watched.
    #[error("the leg's socket could not be watched: {0}")]
    Socket(io::ErrorKind),
}

//! RTP and RTCP without I/O, and the media workers that carry them.
//!
//! The sans-IO half views, writes and rewrites RTP packets ([`RtpPacket`], [`RtpWriter`], [`rewrite`]), counts what a receiver is to know
//! ([`ReceiverStatistics`]), turns keys into telephone events and back ([`EventSender`], [`EventReceiver`]), puts packets in order
//! at an even pace ([`JitterBuffer`]), reports to the peer and understands its reports ([`RtcpSession`]), and estimates how a call sounds ([`Quality`]). The driver half, [`MediaWorkers`], is a few threads with a `mio` poll each that own the sockets
//! of calls, one for RTP and one for RTCP each. A leg of a call is idle, is relayed to another leg with its packets rewritten where they lie, or is run by
//! a [`LegProcessor`]; its RTCP is its own, and is relayed to nobody. What a payload means is left to the crates above, what an SDP says too.
//!
//! # Calling contract
//! In the cores `now` is an argument that never runs backwards, the time of day is another, randomness comes from a generator that is given to them, and
//! nothing blocks. After any change: drain what can be polled, then read `poll_timeout`; `handle_timeout` too early or twice does nothing. Whatever a peer can
//! make grow has a bound. An error concerns the input; the object works on. The driver half reads the clock itself; a panic in a processor or an
//! event sink ends that leg and no other.
//!
//! # Example
//! A packet is written, received into a jitter buffer, and played when its time has come:
//! ```
//! use std::time::{Duration, Instant};
//! use blether_rtp_core::{Frame, JitterBuffer, JitterConfig, RtpHeader, RtpPacket};
//!
//! let mut datagram = Vec::new();
//! RtpHeader { payload_type: 8, ..RtpHeader::default() }.write(&mut datagram);
//! datagram.extend_from_slice(&[0xd5; 160]);
//!
//! let mut buffer = JitterBuffer::new(JitterConfig::fixed(Duration::from_millis(40)))?;
//! let arrival = Instant::now();
//! buffer.insert(arrival, &RtpPacket::parse(&datagram)?);
//! assert_eq!(buffer.poll_frame(arrival), Frame::Wait);
//! let frame = buffer.poll_frame(arrival + Duration::from_millis(40));
//! assert!(matches!(frame, Frame::Play { payload_type: 8, payload, .. } if payload.len() == 160));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//! Two phones are put through to each other:
//! ```
//! use std::net::{IpAddr, SocketAddr};
//! use blether_rtp_core::{LegConfig, LegMode, MediaWorkers, PortAllocator};
//!
//! async fn put_through(
//!     workers: &MediaWorkers,
//!     ports: &PortAllocator,
//!     ip: IpAddr,
//!     phones: [SocketAddr; 2],
//! ) -> Result<(), Box<dyn std::error::Error>> {
//!     let worker = workers.worker_for_new_call();
//!     let mut legs = Vec::new();
//!     for phone in phones {
//!         let socket = ports.allocate(ip)?;
//!         println!("our SDP for {phone} names {}", socket.local_addr());
//!         let config = LegConfig { remote: Some(phone), telephone_event_payload_type: Some(101), ..LegConfig::default() };
//!         let events = Box::new(|leg, event| println!("{leg}: {event:?}"));
//!         legs.push(worker.add_leg(socket, config, LegMode::Idle, events).await?);
//!     }
//!     worker.bridge(legs[0], legs[1]).await?;
//!     Ok(())
//! }
//! ```
//!
//! # RFCs
//! - RFC 3550 (RTP, RTCP): packets (§5.1, §5.3.1), statistics (A.1 without probation, A.3, A.8); SR, RR, SDES, BYE and compounds (§6.1, §6.4 to §6.6, A.2) at the
//!   intervals of §6.3 and A.7 for two parties, who need no reverse reconsideration. A leg's RTCP goes to the port after the peer's RTP. Absent: APP packets
//!   and SDES items other than CNAME are read and not sent; a collision of SSRCs (§8.2) is noticed in RTCP and not resolved.
//! - RFC 5761 (RTP and RTCP on one port): RTCP that comes to an RTP port is told from RTP (§4), counted and dropped. RFC 3605 (`a=rtcp`) is absent.
//! - RFC 7022: a random CNAME for each leg (§4.2).
//! - ITU-T G.107 (06/2015) with the values of G.113 for G.711: see [`Quality`].
//! - RFC 3264: the direction of a stream is kept to (§5.1, §6.1, §8.4), see [`MediaDirection`]; what it is to be is agreed on elsewhere.
//! - RFC 3551: the marker bit at the start of a talkspurt; RTCP's 5 % of the bandwidth (§2).
//! - RFC 4733: DTMF events in both directions. Absent: redundancy (RFC 2198), sending events over 65 535 timestamp units, events that are states.
//! - RFC 4961: symmetric RTP, see [`LatchPolicy`]. RTCP follows: it may come from another port of the same host than expected, if it speaks for the stream.
//! - SRTP, DTLS-SRTP and header extension elements (RFC 8285) are absent; extensions pass a relay untouched.
#![warn(clippy::indexing_slicing)]

mod error;
mod impairment;
mod jitter;
mod latch;
mod leg;
mod packet;
mod quality;
mod rewriter;
mod rtcp;
mod sequence;
mod statistics;
mod telephone_event;
mod worker;

pub use error::{
    ImpairmentError, JitterConfigError, NoPort, PacketError, PortRangeError, RtcpError, SendEventError,
    TelephoneEventError, WorkerError, WriteError,
};
pub use impairment::Impairment;
pub use jitter::{Frame, Insertion, JitterBuffer, JitterConfig, JitterStatistics};
pub use latch::LatchPolicy;
pub use leg::{LegEvent, LegProcessor, MediaDirection, PayloadTypes};
pub use packet::{HeaderExtension, RtpHeader, RtpPacket, RtpWriter, is_rtcp, rewrite};
pub use quality::{Equipment, MediaPath, Quality};
pub use rtcp::{
    Cname, CompoundWriter, Goodbye, NtpTimestamp, PeerReport, ReceiverReport, ReportBlock, RtcpCompound, RtcpConfig,
    RtcpPacket, RtcpSession, RtcpStatistics, SdesChunk, SdesItem, SenderInfo, SenderReport, SourceDescription,
};
pub use sequence::{RtpTimestamp, SequenceNumber, Ssrc};
pub use statistics::{Arrival, MAX_DROPOUT, MAX_MISORDER, ReceiverStatistics, Reception, StreamReport};
pub use telephone_event::{EventPacket, EventReceiver, EventSender, EventSenderConfig, ReceivedEvent, TelephoneEvent};
pub use worker::{
    Dropped, EventSink, LegConfig, LegId, LegMode, LegStatistics, MediaWorkers, PortAllocator, PortRange, RtpSocket,
    WorkerHandle,
};

/// Keeps the README's example compiling.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

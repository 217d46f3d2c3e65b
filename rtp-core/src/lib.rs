//! RTP packets, sequence arithmetic, statistics, telephone events, a jitter buffer, and the media workers.
#![warn(clippy::indexing_slicing)]

mod error;
mod leg;
mod packet;
mod sequence;

pub use error::{PacketError, WriteError};
pub use leg::{LegEvent, LegProcessor};
pub use packet::{HeaderExtension, RtpHeader, RtpPacket, RtpWriter, is_rtcp, rewrite};
pub use sequence::{RtpTimestamp, SequenceNumber, Ssrc};

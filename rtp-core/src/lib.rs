//! RTP packets, sequence arithmetic, statistics, telephone events, a jitter buffer, and the media workers.
#![warn(clippy::indexing_slicing)]

mod error;
mod jitter;
mod leg;
mod packet;
mod sequence;
mod statistics;
mod telephone_event;

pub use error::{JitterConfigError, PacketError, SendEventError, TelephoneEventError, WriteError};
pub use jitter::{Frame, Insertion, JitterBuffer, JitterConfig, JitterStatistics};
pub use leg::{LegEvent, LegProcessor};
pub use packet::{HeaderExtension, RtpHeader, RtpPacket, RtpWriter, is_rtcp, rewrite};
pub use sequence::{RtpTimestamp, SequenceNumber, Ssrc};
pub use statistics::{Arrival, MAX_DROPOUT, MAX_MISORDER, ReceiverStatistics, Reception};
pub use telephone_event::{EventPacket, EventReceiver, EventSender, EventSenderConfig, ReceivedEvent, TelephoneEvent};

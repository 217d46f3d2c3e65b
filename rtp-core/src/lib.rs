//! RTP packets, sequence arithmetic, statistics, telephone events, a jitter buffer, and the media workers.
#![warn(clippy::indexing_slicing)]

mod error;
mod impairment;
mod jitter;
mod latch;
mod leg;
mod packet;
mod rewriter;
mod sequence;
mod statistics;
mod telephone_event;
mod worker;

pub use error::{
    ImpairmentError, JitterConfigError, NoPort, PacketError, PortRangeError, SendEventError, TelephoneEventError,
    WorkerError, WriteError,
};
pub use impairment::Impairment;
pub use jitter::{Frame, Insertion, JitterBuffer, JitterConfig, JitterStatistics};
pub use latch::LatchPolicy;
pub use leg::{LegEvent, LegProcessor};
pub use packet::{HeaderExtension, RtpHeader, RtpPacket, RtpWriter, is_rtcp, rewrite};
pub use sequence::{RtpTimestamp, SequenceNumber, Ssrc};
pub use statistics::{Arrival, MAX_DROPOUT, MAX_MISORDER, ReceiverStatistics, Reception};
pub use telephone_event::{EventPacket, EventReceiver, EventSender, EventSenderConfig, ReceivedEvent, TelephoneEvent};
pub use worker::{
    Dropped, EventSink, LegConfig, LegId, LegMode, LegStatistics, MediaWorkers, PortAllocator, PortRange, RtpSocket,
    WorkerHandle,
};

//! RTCP (RFC 3550 §6): the packets, and the session that sends and understands them for one leg.

mod interval;
mod ntp;
mod packet;
mod session;
mod write;

pub use ntp::NtpTimestamp;
pub use packet::{
    Goodbye, ReceiverReport, ReportBlock, RtcpCompound, RtcpPacket, SdesChunk, SdesItem, SenderInfo, SenderReport,
    SourceDescription,
};
pub use session::{PeerReport, RtcpConfig, RtcpSession, RtcpStatistics};
pub use write::{Cname, CompoundWriter};

/// The packet types of RFC 3550 §12.1.
mod packet_type {
    pub(super) const SENDER_REPORT: u8 = 200;
    pub(super) const RECEIVER_REPORT: u8 = 201;
    pub(super) const SOURCE_DESCRIPTION: u8 = 202;
    pub(super) const GOODBYE: u8 = 203;
}

/// The SDES item that every compound packet holds (§6.5.1).
const CNAME_ITEM: u8 = 1;
/// What ends the items of a chunk (§6.5).
const END_ITEM: u8 = 0;

#[cfg(test)]
mod tests;

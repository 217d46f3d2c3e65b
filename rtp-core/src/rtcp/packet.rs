//! What is received: a compound packet, viewed where it lies after every length in it has been checked (RFC 3550 §6.1, §6.4 to §6.6, A.2).

use super::ntp::NtpTimestamp;
use super::{CNAME_ITEM, END_ITEM, packet_type};
use crate::error::RtcpError;
use crate::sequence::{RtpTimestamp, Ssrc};

/// Bytes of the header that all packets have.
const HEADER: usize = 4;
const VERSION: u8 = 2;
const PADDING_BIT: u8 = 0x20;
/// Bytes of a report block.
const BLOCK: usize = 24;

/// One datagram of RTCP: packets one after the other, the first of them a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtcpCompound<'a> {
    bytes: &'a [u8],
}

impl<'a> RtcpCompound<'a> {
    /// Views `bytes`, one datagram, as a compound packet, by the rules of A.2: version 2 throughout, a report first and without padding, lengths that add
    /// up; and every count and length within the packets that this crate knows. That there is a CNAME is not asked for: some peers leave it out.
    ///
    /// # Errors
    /// [`RtcpError`]; the datagram is to be dropped as a whole, and the session goes on.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, RtcpError> {
        let mut rest = bytes;
        let mut first = true;
        loop {
            let (raw, after) = RawPacket::split(rest)?;
            if first {
                if !matches!(raw.packet_type, packet_type::SENDER_REPORT | packet_type::RECEIVER_REPORT) {
                    return Err(RtcpError::FirstPacket { packet_type: raw.packet_type });
                }
                first = false;
                if raw.padded {
                    return Err(RtcpError::Padding);
                }
            }
            if raw.padded && !after.is_empty() {
                return Err(RtcpError::Padding);
            }
            raw.interpret()?;
            if after.is_empty() {
                return Ok(Self { bytes });
            }
            rest = after;
        }
    }

    /// The packets in order; there is one at least.
    pub fn packets(&self) -> impl Iterator<Item = RtcpPacket<'a>> + use<'a> {
        let mut rest = self.bytes;
        // `parse` has been through all of it, so nothing ends this early.
        std::iter::from_fn(move || {
            let (raw, after) = RawPacket::split(rest).ok()?;
            rest = after;
            raw.interpret().ok()
        })
    }

    /// Who sent it: the source of its first report.
    #[must_use]
    pub fn sender(&self) -> Option<Ssrc> {
        match self.packets().next()? {
            RtcpPacket::SenderReport(report) => Some(report.ssrc),
            RtcpPacket::ReceiverReport(report) => Some(report.ssrc),
            _ => None,
        }
    }
}

/// A packet whose header was read and whose end is known.
struct RawPacket<'a> {
    padded: bool,
    count: u8,
    packet_type: u8,
    body: &'a [u8],
}

impl<'a> RawPacket<'a> {
    fn split(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), RtcpError> {
        let truncated = |needed| RtcpError::Truncated { len: bytes.len(), needed };
        let ([flags, packet_type, l0, l1], rest) = bytes.split_first_chunk::<HEADER>().ok_or(truncated(HEADER))?;
        let version = flags >> 6;
        if version != VERSION {
            return Err(RtcpError::Version { version });
        }
        let len = usize::from(u16::from_be_bytes([*l0, *l1])) * 4;
        let (body, after) = rest.split_at_checked(len).ok_or(truncated(HEADER + len))?;
        let padded = flags & PADDING_BIT != 0;
        let padding = if padded { usize::from(body.last().copied().unwrap_or(0)) } else { 0 };
        if padded && (padding == 0 || padding % 4 != 0) {
            return Err(RtcpError::Padding);
        }
        let body = body.len().checked_sub(padding).and_then(|len| body.get(..len)).ok_or(RtcpError::Padding)?;
        Ok((Self { padded, count: flags & 0x1f, packet_type: *packet_type, body }, after))
    }

    fn interpret(&self) -> Result<RtcpPacket<'a>, RtcpError> {
        Ok(match self.packet_type {
            packet_type::SENDER_REPORT => RtcpPacket::SenderReport(self.sender_report()?),
            packet_type::RECEIVER_REPORT => {
                let (ssrc, rest) = self.ssrc(self.body)?;
                let (blocks, extension) = self.blocks(rest)?;
                RtcpPacket::ReceiverReport(ReceiverReport { ssrc, blocks, extension })
            }
            packet_type::SOURCE_DESCRIPTION => {
                self.check_chunks()?;
                RtcpPacket::SourceDescription(SourceDescription { count: self.count, chunks: self.body })
            }
            packet_type::GOODBYE => RtcpPacket::Goodbye(self.goodbye()?),
            packet_type => RtcpPacket::Other { packet_type, count: self.count, body: self.body },
        })
    }

    fn malformed(&self) -> RtcpError {
        RtcpError::Malformed { packet_type: self.packet_type }
    }

    fn ssrc(&self, bytes: &'a [u8]) -> Result<(Ssrc, &'a [u8]), RtcpError> {
        let (ssrc, rest) = bytes.split_first_chunk().ok_or_else(|| self.malformed())?;
        Ok((Ssrc(u32::from_be_bytes(*ssrc)), rest))
    }

    fn blocks(&self, bytes: &'a [u8]) -> Result<(&'a [[u8; BLOCK]], &'a [u8]), RtcpError> {
        let len = usize::from(self.count) * BLOCK;
        let (blocks, extension) = bytes.split_at_checked(len).ok_or_else(|| self.malformed())?;
        Ok((blocks.as_chunks().0, extension))
    }

    fn sender_report(&self) -> Result<SenderReport<'a>, RtcpError> {
        let (ssrc, rest) = self.ssrc(self.body)?;
        let (info, rest) = rest.split_first_chunk::<20>().ok_or_else(|| self.malformed())?;
        let [n0, n1, n2, n3, n4, n5, n6, n7, t0, t1, t2, t3, p0, p1, p2, p3, o0, o1, o2, o3] = *info;
        let info = SenderInfo {
            ntp: NtpTimestamp(u64::from_be_bytes([n0, n1, n2, n3, n4, n5, n6, n7])),
            rtp: RtpTimestamp(u32::from_be_bytes([t0, t1, t2, t3])),
            packets: u32::from_be_bytes([p0, p1, p2, p3]),
            octets: u32::from_be_bytes([o0, o1, o2, o3]),
        };
        let (blocks, extension) = self.blocks(rest)?;
        Ok(SenderReport { ssrc, info, blocks, extension })
    }

    fn check_chunks(&self) -> Result<(), RtcpError> {
        let mut rest = self.body;
        for _ in 0..self.count {
            let (_, after) = SdesChunk::split(rest).ok_or_else(|| self.malformed())?;
            rest = after;
        }
        Ok(())
    }

    fn goodbye(&self) -> Result<Goodbye<'a>, RtcpError> {
        let len = usize::from(self.count) * 4;
        let (sources, rest) = self.body.split_at_checked(len).ok_or_else(|| self.malformed())?;
        let reason = match rest.split_first() {
            None => None,
            Some((len, text)) => Some(text.get(..usize::from(*len)).ok_or_else(|| self.malformed())?),
        };
        Ok(Goodbye { sources, reason })
    }
}

/// One packet of a compound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RtcpPacket<'a> {
    /// SR, §6.4.1.
    SenderReport(SenderReport<'a>),
    /// RR, §6.4.2.
    ReceiverReport(ReceiverReport<'a>),
    /// SDES, §6.5.
    SourceDescription(SourceDescription<'a>),
    /// BYE, §6.6.
    Goodbye(Goodbye<'a>),
    /// APP and whatever else; only its length was checked.
    Other {
        /// The type, 204 for APP.
        packet_type: u8,
        /// The five bits that count or name something, 0 to 31.
        count: u8,
        /// What follows the header, without padding.
        body: &'a [u8],
    },
}

/// What a sender of RTP reports of itself, and of those that it hears (§6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderReport<'a> {
    /// Who reports.
    pub ssrc: Ssrc,
    /// What it has sent.
    pub info: SenderInfo,
    blocks: &'a [[u8; BLOCK]],
    /// What a profile adds, a multiple of 4 bytes (§6.4.3).
    pub extension: &'a [u8],
}

impl<'a> SenderReport<'a> {
    /// What is said of the streams that it hears, 31 at most.
    pub fn blocks(&self) -> impl Iterator<Item = ReportBlock> + use<'a> {
        self.blocks.iter().map(ReportBlock::read)
    }
}

/// What one that sends no RTP reports of those that it hears (§6.4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceiverReport<'a> {
    /// Who reports.
    pub ssrc: Ssrc,
    blocks: &'a [[u8; BLOCK]],
    /// What a profile adds, a multiple of 4 bytes (§6.4.3).
    pub extension: &'a [u8],
}

impl<'a> ReceiverReport<'a> {
    /// What is said of the streams that it hears, 31 at most.
    pub fn blocks(&self) -> impl Iterator<Item = ReportBlock> + use<'a> {
        self.blocks.iter().map(ReportBlock::read)
    }
}

/// The sender's half of a sender report (§6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SenderInfo {
    /// When the report was sent, by the sender's wall clock; zero if it has none.
    pub ntp: NtpTimestamp,
    /// The same moment in timestamps of the stream.
    pub rtp: RtpTimestamp,
    /// Packets sent since the stream began, modulo 2³².
    pub packets: u32,
    /// Bytes of payload in them, modulo 2³².
    pub octets: u32,
}

/// What a receiver says of one stream (§6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReportBlock {
    /// Which stream.
    pub ssrc: Ssrc,
    /// Lost of those expected since the report before, in 256ths.
    pub fraction_lost: u8,
    /// Packets lost since the stream began; 24 bits, negative when duplicates outnumber losses.
    pub cumulative_lost: i32,
    /// The highest sequence number received, with the number of wraps above its 16 bits.
    pub highest_sequence: u32,
    /// Interarrival jitter in timestamp units.
    pub jitter: u32,
    /// The middle of the NTP timestamp of the last sender report that was received; 0 for none.
    pub last_sender_report: u32,
    /// 65 536ths of a second between that report's arrival and this block's departure; 0 for none.
    pub delay_since_last_sender_report: u32,
}

impl ReportBlock {
    fn read(bytes: &[u8; BLOCK]) -> Self {
        let [s0, s1, s2, s3, fraction_lost, c0, c1, c2, h0, h1, h2, h3, j0, j1, j2, j3, l0, l1, l2, l3, d0, d1, d2, d3] =
            *bytes;
        Self {
            ssrc: Ssrc(u32::from_be_bytes([s0, s1, s2, s3])),
            fraction_lost,
            // The upper byte's place is filled below, then its sign moves down.
            cumulative_lost: i32::from_be_bytes([c0, c1, c2, 0]) >> 8,
            highest_sequence: u32::from_be_bytes([h0, h1, h2, h3]),
            jitter: u32::from_be_bytes([j0, j1, j2, j3]),
            last_sender_report: u32::from_be_bytes([l0, l1, l2, l3]),
            delay_since_last_sender_report: u32::from_be_bytes([d0, d1, d2, d3]),
        }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let [_, c0, c1, c2] = self.cumulative_lost.clamp(-0x80_0000, 0x7f_ffff).to_be_bytes();
        out.extend_from_slice(&self.ssrc.0.to_be_bytes());
        out.extend_from_slice(&[self.fraction_lost, c0, c1, c2]);
        for word in [self.highest_sequence, self.jitter, self.last_sender_report, self.delay_since_last_sender_report] {
            out.extend_from_slice(&word.to_be_bytes());
        }
    }
}

/// Who the sources are (§6.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceDescription<'a> {
    count: u8,
    chunks: &'a [u8],
}

impl<'a> SourceDescription<'a> {
    /// One chunk for each source, 31 at most.
    pub fn chunks(&self) -> impl Iterator<Item = SdesChunk<'a>> + use<'a> {
        let mut rest = self.chunks;
        (0..self.count).map_while(move |_| {
            let (chunk, after) = SdesChunk::split(rest)?;
            rest = after;
            Some(chunk)
        })
    }
}

/// What is said of one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SdesChunk<'a> {
    /// The source.
    pub ssrc: Ssrc,
    items: &'a [u8],
}

impl<'a> SdesChunk<'a> {
    /// The items in order.
    pub fn items(&self) -> impl Iterator<Item = SdesItem<'a>> + use<'a> {
        let mut rest = self.items;
        std::iter::from_fn(move || {
            let (item, after) = SdesItem::split(rest)?;
            rest = after;
            Some(item)
        })
    }

    /// The source's CNAME; text in UTF-8, if the peer keeps to it.
    #[must_use]
    pub fn cname(&self) -> Option<&'a [u8]> {
        self.items().find(|item| item.kind == CNAME_ITEM).map(|item| item.text)
    }

    /// Takes a chunk from the front: its source, its items up to their end, and the zeros up to the next multiple of four.
    fn split(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (ssrc, items) = bytes.split_first_chunk()?;
        let mut rest = items;
        while *rest.first()? != END_ITEM {
            (_, rest) = SdesItem::split(rest)?;
        }
        let len = items.len() - rest.len();
        // One zero at least ends the list; the body is whole words, and so is the part of a chunk before its items.
        let (_, after) = items.split_at_checked((len + 4) & !3)?;
        Some((Self { ssrc: Ssrc(u32::from_be_bytes(*ssrc)), items: items.get(..len)? }, after))
    }
}

/// One thing that is said of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SdesItem<'a> {
    /// What it is: 1 for CNAME, 2 for NAME, and so on (§6.5, §12.2).
    pub kind: u8,
    /// Up to 255 bytes.
    pub text: &'a [u8],
}

impl<'a> SdesItem<'a> {
    fn split(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let ([kind, len], rest) = bytes.split_first_chunk()?;
        let (text, rest) = rest.split_at_checked(usize::from(*len))?;
        Some((Self { kind: *kind, text }, rest))
    }
}

/// Sources that leave (§6.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Goodbye<'a> {
    sources: &'a [u8],
    /// Why, for people; up to 255 bytes.
    pub reason: Option<&'a [u8]>,
}

impl<'a> Goodbye<'a> {
    /// Who leaves, 31 at most.
    pub fn sources(&self) -> impl Iterator<Item = Ssrc> + use<'a> {
        self.sources.as_chunks::<4>().0.iter().map(|bytes| Ssrc(u32::from_be_bytes(*bytes)))
    }
}

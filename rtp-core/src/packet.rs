//! The RTP packet: a view that checks every bound, a writer, and the rewriting of a relayed packet in its buffer
//! (RFC 3550 §5.1, §5.3.1).

use crate::error::{PacketError, WriteError};
use crate::sequence::{RtpTimestamp, SequenceNumber, Ssrc};

/// Bytes of a header without contributing sources and extension.
const FIXED_HEADER: usize = 12;
const VERSION: u8 = 2;
const PADDING_BIT: u8 = 0x20;
const EXTENSION_BIT: u8 = 0x10;
const MARKER_BIT: u8 = 0x80;
const MAX_PAYLOAD_TYPE: u8 = 0x7f;

/// A received RTP packet, viewed where it lies; making one has checked every length that the packet states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtpPacket<'a> {
    bytes: &'a [u8],
    header: RtpHeader,
    csrcs: &'a [u8],
    extension: Option<HeaderExtension<'a>>,
    payload: &'a [u8],
    padding: usize,
}

impl<'a> RtpPacket<'a> {
    /// Views `bytes`, one datagram, as an RTP packet.
    ///
    /// Payload types 64 to 95 are taken too; whether a datagram is RTCP that came to the same port is [`is_rtcp`]'s answer.
    ///
    /// # Errors
    /// [`PacketError`] when the bytes are no version 2 packet or a stated length reaches past their end.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, PacketError> {
        let truncated = |needed| PacketError::Truncated { len: bytes.len(), needed };
        let (fixed, rest) = bytes.split_first_chunk::<FIXED_HEADER>().ok_or(truncated(FIXED_HEADER))?;
        let [flags, marker_and_type, s0, s1, t0, t1, t2, t3, i0, i1, i2, i3] = *fixed;
        let version = flags >> 6;
        if version != VERSION {
            return Err(PacketError::Version { version });
        }
        let csrc_len = usize::from(flags & 0x0f) * 4;
        let (csrcs, rest) = rest.split_at_checked(csrc_len).ok_or(truncated(FIXED_HEADER + csrc_len))?;
        let (extension, rest) = if flags & EXTENSION_BIT == 0 {
            (None, rest)
        } else {
            let before = bytes.len() - rest.len();
            let ([p0, p1, l0, l1], rest) = rest.split_first_chunk::<4>().ok_or(truncated(before + 4))?;
            let len = usize::from(u16::from_be_bytes([*l0, *l1])) * 4;
            let (data, rest) = rest.split_at_checked(len).ok_or(truncated(before + 4 + len))?;
            (Some(HeaderExtension { profile: u16::from_be_bytes([*p0, *p1]), data }), rest)
        };
        let padding = match (flags & PADDING_BIT != 0, rest.last()) {
            (false, _) => 0,
            (true, last) => usize::from(last.copied().unwrap_or(0)),
        };
        if flags & PADDING_BIT != 0 && (padding == 0 || padding > rest.len()) {
            return Err(PacketError::Padding { padding, available: rest.len() });
        }
        let payload = rest.get(..rest.len().saturating_sub(padding)).unwrap_or_default();
        let header = RtpHeader {
            marker: marker_and_type & MARKER_BIT != 0,
            payload_type: marker_and_type & MAX_PAYLOAD_TYPE,
            sequence: SequenceNumber(u16::from_be_bytes([s0, s1])),
            timestamp: RtpTimestamp(u32::from_be_bytes([t0, t1, t2, t3])),
            ssrc: Ssrc(u32::from_be_bytes([i0, i1, i2, i3])),
        };
        Ok(Self { bytes, header, csrcs, extension, payload, padding })
    }

    /// The fields of the fixed header.
    #[must_use]
    pub fn header(&self) -> RtpHeader {
        self.header
    }

    /// The marker bit; for audio it says that a talkspurt begins (RFC 3551 §4.1).
    #[must_use]
    pub fn marker(&self) -> bool {
        self.header.marker
    }

    /// What the payload is, 0 to 127, as the SDP maps it.
    #[must_use]
    pub fn payload_type(&self) -> u8 {
        self.header.payload_type
    }

    /// The packet's place in its stream.
    #[must_use]
    pub fn sequence(&self) -> SequenceNumber {
        self.header.sequence
    }

    /// The sampling instant of the payload's first sample.
    #[must_use]
    pub fn timestamp(&self) -> RtpTimestamp {
        self.header.timestamp
    }

    /// The stream that the packet belongs to.
    #[must_use]
    pub fn ssrc(&self) -> Ssrc {
        self.header.ssrc
    }

    /// The sources that a mixer put together, 15 at most.
    pub fn csrcs(&self) -> impl Iterator<Item = Ssrc> + 'a {
        self.csrcs.as_chunks::<4>().0.iter().map(|bytes| Ssrc(u32::from_be_bytes(*bytes)))
    }

    /// The header extension, if the packet has one.
    #[must_use]
    pub fn extension(&self) -> Option<HeaderExtension<'a>> {
        self.extension
    }

    /// The payload without padding.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// Bytes of padding after the payload, its count included.
    #[must_use]
    pub fn padding(&self) -> usize {
        self.padding
    }

    /// The whole datagram.
    #[must_use]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

/// A header extension as it lies in the packet (RFC 3550 §5.3.1); RFC 8285 says what its data means for `0xBEDE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderExtension<'a> {
    /// The 16 bits that the profile defines.
    pub profile: u16,
    /// The words after the length, a multiple of 4 bytes.
    pub data: &'a [u8],
}

/// The fields of the fixed header that differ from packet to packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RtpHeader {
    /// The marker bit.
    pub marker: bool,
    /// 0 to 127.
    pub payload_type: u8,
    /// The packet's place in its stream.
    pub sequence: SequenceNumber,
    /// The sampling instant of the first sample.
    pub timestamp: RtpTimestamp,
    /// The stream.
    pub ssrc: Ssrc,
}

impl RtpHeader {
    /// Appends the twelve bytes of a header without contributing sources, extension and padding; the payload is appended by
    /// the caller. Only the seven bits of `payload_type` that the wire has room for are written.
    pub fn write(&self, out: &mut Vec<u8>) {
        self.write_with_flags(VERSION << 6, out);
    }

    fn write_with_flags(&self, flags: u8, out: &mut Vec<u8>) {
        out.extend_from_slice(&[flags, self.second_byte()]);
        out.extend_from_slice(&self.sequence.0.to_be_bytes());
        out.extend_from_slice(&self.timestamp.0.to_be_bytes());
        out.extend_from_slice(&self.ssrc.0.to_be_bytes());
    }

    fn second_byte(&self) -> u8 {
        (self.payload_type & MAX_PAYLOAD_TYPE) | if self.marker { MARKER_BIT } else { 0 }
    }
}

/// A whole packet to be written, with the parts that few packets have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RtpWriter<'a> {
    /// The fixed header.
    pub header: RtpHeader,
    /// Contributing sources, 15 at most.
    pub csrcs: &'a [Ssrc],
    /// A header extension; its data is a multiple of 4 bytes.
    pub extension: Option<HeaderExtension<'a>>,
    /// The payload.
    pub payload: &'a [u8],
    /// Bytes of padding to append, the count byte included; 0 for none.
    pub padding: u8,
}

impl RtpWriter<'_> {
    /// Appends the packet to `out`.
    ///
    /// # Errors
    /// [`WriteError`] when a field does not fit into the format; nothing is appended.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), WriteError> {
        if self.header.payload_type > MAX_PAYLOAD_TYPE {
            return Err(WriteError::PayloadType(self.header.payload_type));
        }
        let csrc_count = match u8::try_from(self.csrcs.len()) {
            Ok(count @ 0..=15) => count,
            _ => return Err(WriteError::TooManyCsrcs(self.csrcs.len())),
        };
        let mut flags = VERSION << 6 | csrc_count;
        let extension = match self.extension {
            None => None,
            Some(extension) => {
                flags |= EXTENSION_BIT;
                let len = extension.data.len();
                let words = u16::try_from(len / 4).map_err(|_| WriteError::ExtensionLength(len))?;
                if len % 4 != 0 {
                    return Err(WriteError::ExtensionLength(len));
                }
                Some((extension, words))
            }
        };
        if self.padding > 0 {
            flags |= PADDING_BIT;
        }
        self.header.write_with_flags(flags, out);
        for csrc in self.csrcs {
            out.extend_from_slice(&csrc.0.to_be_bytes());
        }
        if let Some((extension, words)) = extension {
            out.extend_from_slice(&extension.profile.to_be_bytes());
            out.extend_from_slice(&words.to_be_bytes());
            out.extend_from_slice(extension.data);
        }
        out.extend_from_slice(self.payload);
        if self.padding > 0 {
            out.extend(std::iter::repeat_n(0, usize::from(self.padding) - 1));
            out.push(self.padding);
        }
        Ok(())
    }
}

/// Replaces the fixed header of the packet in `datagram` by `header`, in place; contributing sources, extension, payload and
/// padding stay as they are. This is how a relay passes a packet on. Bytes too short to be a packet are left alone.
pub fn rewrite(datagram: &mut [u8], header: RtpHeader) {
    let Some(fixed) = datagram.first_chunk_mut::<FIXED_HEADER>() else { return };
    let [s0, s1] = header.sequence.0.to_be_bytes();
    let [t0, t1, t2, t3] = header.timestamp.0.to_be_bytes();
    let [i0, i1, i2, i3] = header.ssrc.0.to_be_bytes();
    let [flags, ..] = *fixed;
    *fixed = [flags, header.second_byte(), s0, s1, t0, t1, t2, t3, i0, i1, i2, i3];
}

/// Whether a datagram that came to an RTP port is RTCP: its second byte is 192 to 223, which RTP payload types that share
/// a port with RTCP avoid (RFC 5761 §4).
#[must_use]
pub fn is_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram, [flags, 192..=223, ..] if flags >> 6 == VERSION)
}

#[cfg(test)]
mod tests;

//! What is sent: compound packets, appended to a buffer of the caller's (RFC 3550 §6.1).

use std::fmt;

use rand::{Rng, RngExt};

use super::packet::{ReportBlock, SenderInfo};
use super::{CNAME_ITEM, END_ITEM, packet_type};
use crate::error::WriteError;
use crate::sequence::Ssrc;

const VERSION_BITS: u8 = 2 << 6;
/// What five bits can count.
const MAX_COUNT: usize = 31;
/// What an item's or a reason's length byte can say.
const MAX_TEXT: usize = 255;
/// Base64's alphabet (RFC 4648 §4), in which RFC 7022 §4.2 writes names of 96 random bits.
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The name that a participant keeps while its SSRC may change (§6.5.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cname(String);

impl Cname {
    /// A name of one's own.
    ///
    /// # Errors
    /// [`WriteError::TextLength`] over 255 bytes.
    pub fn new(name: impl Into<String>) -> Result<Self, WriteError> {
        let name = name.into();
        if name.len() > MAX_TEXT { Err(WriteError::TextLength(name.len())) } else { Ok(Self(name)) }
    }

    /// Sixteen letters for 96 random bits (RFC 7022 §4.2): unique, and telling nothing of host or user.
    #[must_use]
    pub fn random(rng: &mut impl Rng) -> Self {
        let letter = |_| BASE64.get(rng.random_range(0..BASE64.len())).map_or('A', |byte| char::from(*byte));
        Self((0..16).map(letter).collect())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Cname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Writes one compound packet. It begins with a report, as each must (§6.1); the CNAME that each must hold too is the caller's next
/// call. An error appends nothing.
#[derive(Debug)]
#[must_use = "a compound packet needs a CNAME after its report"]
pub struct CompoundWriter<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> CompoundWriter<'a> {
    /// Begins with a sender report (§6.4.1).
    ///
    /// # Errors
    /// [`WriteError::TooManyForRtcp`] for over 31 blocks.
    pub fn sender_report(
        out: &'a mut Vec<u8>,
        ssrc: Ssrc,
        info: &SenderInfo,
        blocks: &[ReportBlock],
    ) -> Result<Self, WriteError> {
        let count = count(blocks.len())?;
        write_packet(out, packet_type::SENDER_REPORT, count, |out| {
            out.extend_from_slice(&ssrc.0.to_be_bytes());
            out.extend_from_slice(&info.ntp.0.to_be_bytes());
            for word in [info.rtp.0, info.packets, info.octets] {
                out.extend_from_slice(&word.to_be_bytes());
            }
            blocks.iter().for_each(|block| block.write(out));
        });
        Ok(Self { out })
    }

    /// Begins with a receiver report, empty if nothing was received (§6.4.2).
    ///
    /// # Errors
    /// [`WriteError::TooManyForRtcp`] for over 31 blocks.
    pub fn receiver_report(out: &'a mut Vec<u8>, ssrc: Ssrc, blocks: &[ReportBlock]) -> Result<Self, WriteError> {
        let count = count(blocks.len())?;
        write_packet(out, packet_type::RECEIVER_REPORT, count, |out| {
            out.extend_from_slice(&ssrc.0.to_be_bytes());
            blocks.iter().for_each(|block| block.write(out));
        });
        Ok(Self { out })
    }

    /// Adds a source description of one chunk with a CNAME (§6.5.1).
    pub fn cname(self, ssrc: Ssrc, cname: &Cname) -> Self {
        write_packet(self.out, packet_type::SOURCE_DESCRIPTION, 1, |out| {
            out.extend_from_slice(&ssrc.0.to_be_bytes());
            let text = cname.as_str().as_bytes();
            // `Cname` is no longer than a byte can say.
            out.extend_from_slice(&[CNAME_ITEM, u8::try_from(text.len()).unwrap_or(u8::MAX)]);
            out.extend_from_slice(text);
            out.push(END_ITEM);
        });
        self
    }

    /// Adds a goodbye (§6.6). `reason` is for people.
    ///
    /// # Errors
    /// [`WriteError::TooManyForRtcp`] for over 31 sources, [`WriteError::TextLength`] for a reason over 255 bytes.
    pub fn goodbye(self, sources: &[Ssrc], reason: Option<&str>) -> Result<Self, WriteError> {
        let count = count(sources.len())?;
        let reason = match reason {
            None => None,
            Some(text) => Some((u8::try_from(text.len()).map_err(|_| WriteError::TextLength(text.len()))?, text)),
        };
        write_packet(self.out, packet_type::GOODBYE, count, |out| {
            sources.iter().for_each(|ssrc| out.extend_from_slice(&ssrc.0.to_be_bytes()));
            if let Some((len, text)) = reason {
                out.push(len);
                out.extend_from_slice(text.as_bytes());
            }
        });
        Ok(self)
    }
}

fn count(len: usize) -> Result<u8, WriteError> {
    match u8::try_from(len) {
        Ok(count) if len <= MAX_COUNT => Ok(count),
        _ => Err(WriteError::TooManyForRtcp(len)),
    }
}

/// Appends a packet whose body `write_body` appends; zeros fill it up to whole words, and its length is put in afterwards.
fn write_packet(out: &mut Vec<u8>, packet_type: u8, count: u8, write_body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[VERSION_BITS | count, packet_type, 0, 0]);
    write_body(out);
    while !(out.len() - start).is_multiple_of(4) {
        out.push(0);
    }
    // At most 31 blocks of 24 bytes and a few more: far from what 16 bits count.
    let words = u16::try_from((out.len() - start) / 4 - 1).unwrap_or(u16::MAX);
    if let Some(field) = out.get_mut(start + 2..start + 4) {
        field.copy_from_slice(&words.to_be_bytes());
    }
}

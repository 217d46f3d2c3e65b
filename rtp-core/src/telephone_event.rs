//! Telephone events: keys pressed during a call, as RTP packets (RFC 4733).

use std::time::{Duration, Instant};

use crate::error::{SendEventError, TelephoneEventError};
use crate::sequence::duration_of;

mod receiver;
mod sender;

pub use receiver::EventReceiver;
pub use sender::{EventPacket, EventSender, EventSenderConfig};

/// One event report: the four bytes of a telephone-event payload (RFC 4733 §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TelephoneEvent {
    /// The event code; 0 to 15 are the DTMF keys (§3.2).
    pub event: u8,
    /// Whether the event is over.
    pub end: bool,
    /// Power in dBm0 without its sign, 0 (loud) to 63.
    pub volume: u8,
    /// How long the event has lasted, in timestamp units.
    pub duration: u16,
}

impl TelephoneEvent {
    /// Bytes of one report.
    pub const LEN: usize = 4;

    /// Reads the first report of a payload.
    ///
    /// # Errors
    /// [`TelephoneEventError`] when the payload is not a whole number of reports, or empty.
    pub fn parse(payload: &[u8]) -> Result<Self, TelephoneEventError> {
        Self::parse_all(payload)?.next().ok_or(TelephoneEventError { len: payload.len() })
    }

    /// Reads all reports of a payload; several are packed when they follow each other without a pause (§2.5.1.5).
    ///
    /// # Errors
    /// [`TelephoneEventError`] when the payload is not a whole number of reports, or empty.
    pub fn parse_all(payload: &[u8]) -> Result<impl Iterator<Item = Self>, TelephoneEventError> {
        let (reports, rest) = payload.as_chunks::<{ Self::LEN }>();
        if reports.is_empty() || !rest.is_empty() {
            return Err(TelephoneEventError { len: payload.len() });
        }
        Ok(reports.iter().map(|[event, flags, high, low]| Self {
            event: *event,
            end: flags & 0x80 != 0,
            volume: flags & 0x3f,
            duration: u16::from_be_bytes([*high, *low]),
        }))
    }

    /// Appends the report; of `volume` the six bits that there is room for.
    pub fn write(&self, out: &mut Vec<u8>) {
        let [high, low] = self.duration.to_be_bytes();
        out.extend_from_slice(&[self.event, (self.volume & 0x3f) | if self.end { 0x80 } else { 0 }, high, low]);
    }

    /// The key of an event code: `0` to `9`, `*`, `#`, `A` to `D`; `None` for what is no key.
    #[must_use]
    pub fn digit(event: u8) -> Option<char> {
        match event {
            0..=9 => Some(char::from(b'0' + event)),
            10 => Some('*'),
            11 => Some('#'),
            12..=15 => Some(char::from(b'A' + (event - 12))),
            _ => None,
        }
    }

    /// The event code of a key; letters in either case.
    #[must_use]
    pub fn code(digit: char) -> Option<u8> {
        let byte = u8::try_from(digit).ok()?.to_ascii_uppercase();
        match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'*' => Some(10),
            b'#' => Some(11),
            b'A'..=b'D' => Some(byte - b'A' + 12),
            _ => None,
        }
    }
}

/// An event that was received, told once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceivedEvent {
    /// The event code.
    pub event: u8,
    /// How long it lasted, as far as the packets that came told.
    pub duration: Duration,
}

impl ReceivedEvent {
    /// The key, if the event is one.
    #[must_use]
    pub fn digit(&self) -> Option<char> {
        TelephoneEvent::digit(self.event)
    }
}

#[cfg(test)]
mod tests;

//! Cuts a stream into messages (RFC 3261 §18.3, §20.14) and keep-alives (RFC 5626 §3.5.1).

use bytes::{Buf, Bytes, BytesMut};
use memchr::memmem;

use crate::rows::Rows;

/// Storage of a drained buffer that is kept for the next message, in bytes: what most messages need.
const KEPT_CAPACITY: usize = 4_096;

/// What a message on a stream may measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FramerLimits {
    /// Start line and headers with the empty line, in bytes. Default 36,864: 32 kB of headers and a start line of 4 kB.
    pub max_header_section: usize,
    /// The whole message, in bytes. Default 65,535: no larger than what a datagram could carry, so that it can be passed on.
    pub max_message: usize,
}

impl Default for FramerLimits {
    fn default() -> Self {
        Self { max_header_section: 36_864, max_message: 65_535 }
    }
}

/// What a stream consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// One message, from its start line to the end of its body.
    Message(Bytes),
    /// The second of two empty lines: the peer asks for a [`Frame::Pong`] (RFC 5626 §3.5.1).
    Ping,
    /// An empty line: the answer to a ping, or the first half of one. Either way the peer lives; nothing else is to be done.
    ///
    /// Which of the two it is shows only when the next byte comes, and who waits for a pong must not wait for that.
    Pong,
}

/// The stream cannot be cut into messages from here on: answer what can be answered, and close the connection (RFC 3261 §18.3).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// The header section is longer than [`FramerLimits::max_header_section`]: 513.
    #[error("a header section of more than {limit} bytes")]
    HeaderSectionTooLarge {
        /// The limit in bytes.
        limit: usize,
        /// Its whole lines within the limit, and an empty line.
        head: Bytes,
    },
    /// The message is longer than [`FramerLimits::max_message`]: 513.
    #[error("a message of {len} bytes is over the limit of {limit}")]
    MessageTooLarge {
        /// Its length in bytes, at most `usize::MAX`.
        len: usize,
        /// The limit in bytes.
        limit: usize,
        /// Its header section, with zeros for the digits of Content-Length, so that it can be parsed alone.
        head: Bytes,
    },
    /// No Content-Length, without which nobody knows where the message ends: 400.
    #[error("a message without Content-Length")]
    NoContentLength {
        /// Its header section.
        head: Bytes,
    },
    /// Something that is no number in Content-Length, or two that differ: 400.
    #[error("a Content-Length that is no number")]
    BadContentLength {
        /// Its header section.
        head: Bytes,
    },
}

impl FramingError {
    /// What is known of the message that could not be read, to be answered if it is a request.
    pub fn head(&self) -> &Bytes {
        match self {
            Self::HeaderSectionTooLarge { head, .. }
            | Self::MessageTooLarge { head, .. }
            | Self::NoContentLength { head }
            | Self::BadContentLength { head } => head,
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Between messages.
    Between,
    /// In a header section, of which so many bytes hold no end.
    Head { searched: usize },
    /// In a body; so long is the message.
    Body { total: usize },
}

/// Cuts the bytes of a stream into [`Frame`]s, the same ones however the stream is cut into pieces.
///
/// [`receive`](Self::receive) bytes, then [`poll_frame`](Self::poll_frame) until it is quiet. It holds at most one unfinished message and
/// what was received last. After an error it gives the same error for ever.
#[derive(Debug)]
pub struct Framer {
    limits: FramerLimits,
    buffer: BytesMut,
    state: State,
    /// An odd number of empty lines has come since the last message.
    half_ping: bool,
    failed: Option<FramingError>,
}

impl Framer {
    /// At the start of a stream.
    pub fn new(limits: FramerLimits) -> Self {
        Self { limits, buffer: BytesMut::new(), state: State::Between, half_ping: false, failed: None }
    }

    /// Takes in what the stream holds next.
    pub fn receive(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Whether a message has begun that has not ended.
    pub fn is_within_message(&self) -> bool {
        self.failed.is_none() && !matches!(self.state, State::Between)
    }

    /// The next frame that is complete, or `None` until more is received.
    ///
    /// # Errors
    ///
    /// [`FramingError`], from then on always the same.
    pub fn poll_frame(&mut self) -> Result<Option<Frame>, FramingError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let polled = self.cut();
        if let Err(error) = &polled {
            self.failed = Some(error.clone());
        }
        if self.buffer.is_empty() && self.buffer.capacity() > KEPT_CAPACITY || self.failed.is_some() {
            self.buffer = BytesMut::new();
        }
        polled
    }

    fn cut(&mut self) -> Result<Option<Frame>, FramingError> {
        loop {
            match self.state {
                State::Between => match (self.buffer.first(), self.buffer.get(1)) {
                    (None, _) | (Some(b'\r'), None) => return Ok(None),
                    (Some(b'\r'), Some(b'\n')) => {
                        self.buffer.advance(2);
                        self.half_ping = !self.half_ping;
                        return Ok(Some(if self.half_ping { Frame::Pong } else { Frame::Ping }));
                    }
                    // Half an end of line means nothing, and hides nothing.
                    (Some(b'\r' | b'\n'), _) => self.buffer.advance(1),
                    (Some(_), _) => {
                        self.half_ping = false;
                        self.state = State::Head { searched: 0 };
                    }
                },
                State::Head { searched } => {
                    let limit = self.limits.max_header_section;
                    let within = self.buffer.get(..limit).unwrap_or(&self.buffer);
                    // The last three bytes that were searched may be the beginning of the end.
                    let from = searched.saturating_sub(3);
                    match memmem::find(within.get(from..).unwrap_or_default(), b"\r\n\r\n") {
                        Some(at) => self.state = State::Body { total: self.total(from + at + 4)? },
                        None if self.buffer.len() >= limit => {
                            let head = whole_lines(within);
                            return Err(FramingError::HeaderSectionTooLarge { limit, head });
                        }
                        None => {
                            self.state = State::Head { searched: within.len() };
                            return Ok(None);
                        }
                    }
                }
                State::Body { total } => {
                    let Some(message) = self.buffer.get(..total) else { return Ok(None) };
                    // Copied, so that a message that is kept keeps nothing else alive.
                    let message = Bytes::copy_from_slice(message);
                    self.buffer.advance(total);
                    self.state = State::Between;
                    return Ok(Some(Frame::Message(message)));
                }
            }
        }
    }

    /// The length of the message whose header section is so long.
    fn total(&self, head_len: usize) -> Result<usize, FramingError> {
        let head = self.buffer.get(..head_len).unwrap_or_default();
        let (len, limit) = match content_length(head) {
            Ok(Some(body)) => (head_len.saturating_add(body), self.limits.max_message),
            Ok(None) => return Err(FramingError::NoContentLength { head: Bytes::copy_from_slice(head) }),
            Err(NoNumber) => return Err(FramingError::BadContentLength { head: Bytes::copy_from_slice(head) }),
        };
        if len > limit {
            return Err(FramingError::MessageTooLarge { len, limit, head: without_body(head) });
        }
        Ok(len)
    }
}

/// Content-Length holds something else than a number, or two numbers.
#[derive(Debug, PartialEq, Eq)]
struct NoNumber;

fn is_content_length(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"content-length") || name.eq_ignore_ascii_case(b"l")
}

/// What Content-Length says (`l` in compact form); a number too large to count is `usize::MAX`.
fn content_length(head: &[u8]) -> Result<Option<usize>, NoNumber> {
    let mut found = None;
    for (_, value) in Rows::of(head).filter(|(name, _)| is_content_length(name)) {
        if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
            return Err(NoNumber);
        }
        let length =
            value.iter().fold(0_usize, |sum, digit| sum.saturating_mul(10).saturating_add(usize::from(digit - b'0')));
        if found.is_some_and(|other| other != length) {
            return Err(NoNumber);
        }
        found = Some(length);
    }
    Ok(found)
}

/// A copy of the header section with zeros in Content-Length.
fn without_body(head: &[u8]) -> Bytes {
    let mut copy = head.to_vec();
    let base = head.as_ptr() as usize;
    for (_, value) in Rows::of(head).filter(|(name, _)| is_content_length(name)) {
        let at = value.as_ptr() as usize - base;
        if let Some(digits) = copy.get_mut(at..at + value.len()) {
            digits.fill(b'0');
        }
    }
    copy.into()
}

/// As many whole lines as there are, with the empty line that ends a header section.
fn whole_lines(bytes: &[u8]) -> Bytes {
    let end = memmem::rfind(bytes, b"\r\n").map_or(0, |at| at + 2);
    let mut lines = bytes.get(..end).unwrap_or_default().to_vec();
    lines.extend_from_slice(b"\r\n");
    lines.into()
}

#[cfg(test)]
mod tests;

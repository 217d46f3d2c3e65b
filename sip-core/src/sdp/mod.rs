//! Session descriptions (RFC 8866; what RFC 4566 allowed is accepted), with the attributes that offer and answer
//! need (RFC 3264).
//!
//! A description that was parsed is written byte for byte as it came: order, unknown lines, line ends, trailing space. Only
//! what was changed since is written anew. Lines may come in any order within their section, and `s=` and `t=` may be
//! missing, as phones that do so are otherwise sound; `v=0` first and one `o=` must be there.
//!
//! Free text in another charset than UTF-8 (`a=charset`) is refused. Attributes have types in [`attribute`]; those that it does not know are
//! kept as text.
//!
//! ```
//! use blether_sip_core::sdp::{Direction, SessionDescription};
//!
//! let text = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
//!             m=audio 49170 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=x-strange: kept \r\n";
//! let mut description = SessionDescription::parse(text)?;
//! assert_eq!(description.to_string(), text);
//!
//! let audio = &mut description.media[0];
//! assert_eq!(audio.rtp_address(), Some("192.0.2.1:49170".parse().unwrap()));
//! assert_eq!(&*audio.rtpmap(0).unwrap().encoding, "PCMU");
//! audio.port = 4000;
//! audio.set_direction(Direction::SendOnly);
//! assert!(description.to_string().contains("m=audio 4000 RTP/AVP 0 101\r\n"));
//! # Ok::<(), blether_sip_core::sdp::SdpError>(())
//! ```

pub mod attribute;
mod bandwidth;
mod builder;
mod field;
mod lines;
mod media;
mod section;
mod session;
mod static_payload;
mod time;
mod typed;

pub use bandwidth::Bandwidth;
pub use builder::{MediaBuilder, SessionBuilder};
pub use field::{Connection, Direction, Origin, RtpMap};
pub use media::MediaDescription;
pub use section::Attribute;
pub use session::SessionDescription;
pub use time::{Repeat, TimeDescription, ZoneAdjustment};

/// How much of a stranger's description is read.
///
/// ```
/// use blether_sip_core::sdp::{SdpError, SdpLimits, SessionDescription};
///
/// let limits = SdpLimits { max_media: 1, ..SdpLimits::default() };
/// let text = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=audio 1 RTP/AVP 0\r\nm=video 1 RTP/AVP 31\r\n";
/// assert_eq!(SessionDescription::parse_within(text, &limits), Err(SdpError::TooManyMedia { limit: 1 }));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SdpLimits {
    /// Bytes in all. Default 65 535: no UDP datagram brings more.
    pub max_size: usize,
    /// Lines in all. Default 2 000: an offer of a browser with a dozen streams has some 800.
    pub max_lines: usize,
    /// `m=` lines. Default 64: conferences that offer one stream a participant stay below.
    pub max_media: usize,
    /// Formats of one `m=` line. Default 256: there are 128 payload types.
    pub max_formats: usize,
}

impl Default for SdpLimits {
    fn default() -> Self {
        Self { max_size: 65_535, max_lines: 2_000, max_media: 64, max_formats: 256 }
    }
}

/// Why text is not a session description, or a value cannot go into one. Line numbers start at 1.
///
/// ```
/// use blether_sip_core::sdp::{SdpError, SessionDescription};
///
/// let error = SessionDescription::parse("v=0\r\no=nobody\r\n").unwrap_err();
/// assert_eq!(error, SdpError::BadField { key: 'o', line: 2 });
/// assert_eq!(error.to_string(), "line 2: malformed o= line");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SdpError {
    /// Longer than [`SdpLimits::max_size`]; both in bytes.
    #[error("session description of {len} bytes is over the limit of {limit}")]
    TooLarge {
        /// What came.
        len: usize,
        /// What is allowed.
        limit: usize,
    },
    /// More lines than [`SdpLimits::max_lines`].
    #[error("session description has more than {limit} lines")]
    TooManyLines {
        /// What is allowed.
        limit: usize,
    },
    /// More streams than [`SdpLimits::max_media`].
    #[error("session description has more than {limit} m= lines")]
    TooManyMedia {
        /// What is allowed.
        limit: usize,
    },
    /// More formats in one `m=` line than [`SdpLimits::max_formats`].
    #[error("line {line}: more than {limit} formats")]
    TooManyFormats {
        /// The `m=` line.
        line: usize,
        /// What is allowed.
        limit: usize,
    },
    /// Some text is not UTF-8.
    #[error("session description is not UTF-8 from byte {at} on")]
    NotUtf8 {
        /// Offset of the first byte that is not.
        at: usize,
    },
    /// Not of the form `x=value`, or with a control character that no line may have.
    #[error("line {line} is not of the form x=value")]
    BadLine {
        /// Where.
        line: usize,
    },
    /// The first line is not `v=0`.
    #[error("session description does not begin with v=0")]
    BadVersion,
    /// A line of this type has a value that its grammar does not allow (RFC 8866 §9).
    #[error("line {line}: malformed {key}= line")]
    BadField {
        /// The letter before the `=`.
        key: char,
        /// Where.
        line: usize,
    },
    /// The value of an attribute is not what its grammar says.
    #[error("malformed {name} attribute: expected {expected}")]
    BadAttribute {
        /// The attribute's name.
        name: &'static str,
        /// What should have stood there.
        expected: &'static str,
    },
    /// A line that may be there once is there again.
    #[error("line {line}: second {key}= line")]
    Duplicate {
        /// The letter before the `=`.
        key: char,
        /// Where.
        line: usize,
    },
    /// A line that must be there is not.
    #[error("session description has no {0}= line")]
    Missing(char),
    /// Text to be put in a description has a line end or NUL in it, or a space where none may be, or is none where some must be.
    #[error("text for a {key}= line is missing, or has a character that would break the line")]
    Unwritable {
        /// The letter before the `=`.
        key: char,
    },
}

#[cfg(test)]
mod tests;

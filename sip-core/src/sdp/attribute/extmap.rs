//! Header extensions of RTP (RFC 8285).

use alloc::string::String;

use super::SdpAttribute;
use super::words::{flag, read, write_number, write_text, write_word};
use crate::ByteStr;
use crate::sdp::field::number;
use crate::sdp::{Direction, SdpError};

/// Which number an RTP header extension has (RFC 8285 §8).
///
/// ```
/// use blether_sip_core::sdp::Direction;
/// use blether_sip_core::sdp::attribute::Extmap;
///
/// let level: Extmap = "1/sendonly urn:ietf:params:rtp-hdrext:ssrc-audio-level vad=on".parse()?;
/// assert_eq!((level.id, level.direction), (1, Some(Direction::SendOnly)));
/// assert_eq!(&*level.uri, "urn:ietf:params:rtp-hdrext:ssrc-audio-level");
/// assert_eq!(level.attributes.as_deref(), Some("vad=on"));
/// # Ok::<(), blether_sip_core::sdp::SdpError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Extmap {
    /// 1 to 14 in one byte, to 255 in two; 4096 and more are offers to be given another.
    pub id: u16,
    /// Which way it is used; as the stream if nothing is said.
    pub direction: Option<Direction>,
    /// The extension.
    pub uri: ByteStr,
    /// What the extension says of itself.
    pub attributes: Option<ByteStr>,
}

impl SdpAttribute for Extmap {
    const NAME: &'static str = "extmap";

    fn parse_value(value: ByteStr) -> Result<Self, SdpError> {
        read(&value, "a number and the URI of an extension", |words| {
            let entry = words.next()?;
            let (id, direction) = match entry.split_once('/') {
                Some((id, direction)) => (id, Some(Direction::from_name(direction)?)),
                None => (entry, None),
            };
            Some(Extmap { id: number(id)?, direction, uri: words.word()?, attributes: words.text() })
        })
    }

    fn write(&self, out: &mut String) {
        write_number(out, self.id);
        if let Some(direction) = self.direction {
            out.push('/');
            out.push_str(direction.as_str());
        }
        out.push(' ');
        write_word(out, &self.uri, "urn:x");
        if let Some(attributes) = &self.attributes {
            out.push(' ');
            write_text(out, attributes, "-");
        }
    }
}

flag!(
    /// Packets with header extensions in one byte and in two may come in one stream (RFC 8285 §6).
    ///
    /// ```
    /// use blether_sip_core::sdp::attribute::ExtmapAllowMixed;
    /// assert_eq!("".parse::<ExtmapAllowMixed>()?, ExtmapAllowMixed);
    /// # Ok::<(), blether_sip_core::sdp::SdpError>(())
    /// ```
    ExtmapAllowMixed, "extmap-allow-mixed"
);

#[cfg(test)]
mod tests {
    use super::super::testing::{check, refused};
    use super::*;

    #[test]
    fn extensions_have_numbers() {
        // RFC 8285 §5.
        check::<Extmap>("1 http://example.com/082005/ext.htm#ttime", "1 http://example.com/082005/ext.htm#ttime");
        check::<Extmap>(
            "2/sendrecv http://example.com/082005/ext.htm#xmeta short",
            "2/sendrecv http://example.com/082005/ext.htm#xmeta short",
        );
        check::<Extmap>("4906/recvonly  URI-foo", "4906/recvonly URI-foo");
        refused::<Extmap>(&["", "1", "x urn:a", "1/both urn:a", "65536 urn:a", "1/ urn:a"]);
        let hostile = Extmap { id: 0, direction: None, uri: "\r\n".into(), attributes: Some(" ".into()) };
        assert_eq!(hostile.to_string(), "0 urn:x -");
    }
}

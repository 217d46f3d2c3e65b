//! Which stream and track of a browser an RTP stream belongs to (RFC 8830).

use alloc::string::String;
use alloc::vec::Vec;

use super::SdpAttribute;
use super::words::{is_word_char, read, write_word};
use crate::ByteStr;
use crate::sdp::SdpError;

/// The media stream that the stream is part of, and its track there (RFC 8830 §2).
///
/// ```
/// use blether_sip_core::sdp::attribute::Msid;
///
/// let msid: Msid = "examplefoo examplebar".parse()?;
/// assert_eq!((&*msid.stream, msid.track.as_deref()), ("examplefoo", Some("examplebar")));
/// # Ok::<(), blether_sip_core::sdp::SdpError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Msid {
    /// The identifier of the stream; `-` for none.
    pub stream: ByteStr,
    /// The identifier of the track.
    pub track: Option<ByteStr>,
}

impl SdpAttribute for Msid {
    const NAME: &'static str = "msid";

    fn parse_value(value: ByteStr) -> Result<Self, SdpError> {
        read(&value, "a stream and a track", |words| {
            let stream = words.word()?;
            let track = if words.is_at_end() { None } else { Some(words.word()?) };
            Some(Msid { stream, track })
        })
    }

    fn write(&self, out: &mut String) {
        write_word(out, &self.stream, "-");
        if let Some(track) = &self.track {
            out.push(' ');
            write_word(out, track, "-");
        }
    }
}

/// What the streams of [`Msid`] are: `WMS` and their identifiers (drafts of RFC 8830; browsers still send it).
///
/// ```
/// use blether_sip_core::sdp::attribute::MsidSemantic;
///
/// let all: MsidSemantic = " WMS *".parse()?;
/// assert_eq!((&*all.semantic, all.streams.len()), ("WMS", 1));
/// # Ok::<(), blether_sip_core::sdp::SdpError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MsidSemantic {
    /// `WMS`: media streams of WebRTC.
    pub semantic: ByteStr,
    /// The identifiers; `*` for all.
    pub streams: Vec<ByteStr>,
}

impl SdpAttribute for MsidSemantic {
    const NAME: &'static str = "msid-semantic";

    fn parse_value(value: ByteStr) -> Result<Self, SdpError> {
        read(&value, "a semantic and streams", |words| {
            Some(MsidSemantic { semantic: words.token()?, streams: words.all(is_word_char)? })
        })
    }

    fn write(&self, out: &mut String) {
        super::words::write_token(out, &self.semantic, "WMS");
        for stream in &self.streams {
            out.push(' ');
            write_word(out, stream, "*");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, refused};
    use super::*;

    #[test]
    fn a_stream_may_have_a_track() {
        check::<Msid>("- 0f1c4b5e-6a58-4a05-8b60-4a3a8be90c31", "- 0f1c4b5e-6a58-4a05-8b60-4a3a8be90c31");
        check::<Msid>("{5f2c7d1e-5d6a-4a40-9d43-f2a6e2c1f3d8}", "{5f2c7d1e-5d6a-4a40-9d43-f2a6e2c1f3d8}");
        check::<MsidSemantic>(" WMS", "WMS");
        check::<MsidSemantic>(" WMS stream1  stream2", "WMS stream1 stream2");
        refused::<Msid>(&["", "a b c"]);
        refused::<MsidSemantic>(&["", " "]);
        assert_eq!(Msid { stream: "\r\n".into(), track: Some("a b".into()) }.to_string(), "- ab");
    }
}

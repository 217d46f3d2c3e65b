//! Speech codecs by the names and payload types of RFC 3551 §6.

pub mod g711;

use crate::frame::SampleRate;

/// A codec that this crate can encode and decode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// G.711 µ-law (RFC 3551 §4.5.14).
    Pcmu,
    /// G.711 A-law (RFC 3551 §4.5.14).
    Pcma,
}

impl Codec {
    /// The codec of an encoding name as SDP writes it, in any case; `None` if this crate has no such codec.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Pcmu, Self::Pcma].into_iter().find(|codec| codec.name().eq_ignore_ascii_case(name))
    }

    /// The encoding name for SDP's `rtpmap`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
        }
    }

    /// The payload type that RFC 3551 §6 table 4 fixes.
    #[must_use]
    pub const fn static_payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
        }
    }

    /// Rate of the RTP clock and of the samples.
    #[must_use]
    pub const fn clock_rate(self) -> SampleRate {
        SampleRate::HZ_8000
    }

    /// The code that stands for silence, to fill a frame with.
    #[must_use]
    pub const fn silence(self) -> u8 {
        match self {
            Self::Pcmu => 0xFF,
            Self::Pcma => 0xD5,
        }
    }

    /// Appends the encoded samples to `out`: one byte for each.
    pub fn encode(self, samples: &[i16], out: &mut Vec<u8>) {
        let encode = match self {
            Self::Pcmu => g711::encode_ulaw,
            Self::Pcma => g711::encode_alaw,
        };
        out.extend(samples.iter().map(|&sample| encode(sample)));
    }

    /// Decodes as many bytes of `payload` as `out` has room for, and says how many samples that gave.
    pub fn decode(self, payload: &[u8], out: &mut [i16]) -> usize {
        let decode = match self {
            Self::Pcmu => g711::decode_ulaw,
            Self::Pcma => g711::decode_alaw,
        };
        for (sample, &code) in out.iter_mut().zip(payload) {
            *sample = decode(code);
        }
        out.len().min(payload.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_codec_is_found_by_its_name_in_any_case() {
        assert_eq!(Codec::from_name("pcmu"), Some(Codec::Pcmu));
        assert_eq!(Codec::from_name("PCMA"), Some(Codec::Pcma));
        assert_eq!(Codec::from_name("G729"), None);
    }

    #[test]
    fn the_silence_code_is_what_zero_encodes_to() {
        for codec in [Codec::Pcmu, Codec::Pcma] {
            let mut out = Vec::new();
            codec.encode(&[0], &mut out);
            assert_eq!(out, [codec.silence()], "{}", codec.name());
        }
    }

    #[test]
    fn decoding_stops_at_the_shorter_of_payload_and_room() {
        let mut out = [7; 4];
        assert_eq!(Codec::Pcmu.decode(&[0xFF; 2], &mut out), 2);
        assert_eq!(out, [0, 0, 7, 7]);
        assert_eq!(Codec::Pcma.decode(&[0xD5; 9], &mut out), 4);
    }
}

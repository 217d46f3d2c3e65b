use alloc::string::String;

use super::SdpAttribute;
use super::words::{read, write_number, write_token};
use crate::ByteStr;
use crate::sdp::{RtpMap, SdpError};

/// A payload type and what it stands for: `a=rtpmap` (RFC 8866 §6.6).
///
/// Payload types that RFC 3551 assigned may go without; [`MediaDescription::rtpmap`](crate::sdp::MediaDescription::rtpmap) knows those, too.
///
/// ```
/// use blether_sip_core::sdp::attribute::PayloadMap;
///
/// let opus: PayloadMap = "96 opus/48000/2".parse()?;
/// assert_eq!((opus.payload_type, opus.map.clock_rate, opus.map.channels), (96, 48_000, 2));
/// assert_eq!(opus.to_string(), "96 opus/48000/2");
/// # Ok::<(), blether_sip_core::sdp::SdpError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PayloadMap {
    /// The payload type, a format of the `m=` line. More than 127 is written as 127.
    pub payload_type: u8,
    /// What it stands for.
    pub map: RtpMap,
}

impl SdpAttribute for PayloadMap {
    const NAME: &'static str = "rtpmap";

    fn parse_value(value: ByteStr) -> Result<Self, SdpError> {
        read(&value, "a payload type and an encoding such as 0 PCMU/8000", |words| {
            let payload_type = words.number().filter(|number| *number < 128)?;
            let map = RtpMap::read(words.rest())?;
            Some(PayloadMap { payload_type, map })
        })
    }

    fn write(&self, out: &mut String) {
        write_number(out, self.payload_type.min(127));
        out.push(' ');
        write_token(out, &self.map.encoding, "x");
        out.push('/');
        write_number(out, self.map.clock_rate.max(1));
        if self.map.channels > 1 {
            out.push('/');
            write_number(out, self.map.channels);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, refused};
    use super::*;

    #[test]
    fn a_payload_type_is_mapped() {
        // RFC 8866 §6.6.
        check::<PayloadMap>("98 L16/16000/2", "98 L16/16000/2");
        check::<PayloadMap>("8  PCMA/8000/1 ", "8 PCMA/8000");
        refused::<PayloadMap>(&["", "98", "98 L16", "98 L16/0", "128 L16/1", "x L16/1", "98 a b/8000", "98 a(/8000"]);
        let hostile =
            PayloadMap { payload_type: 255, map: RtpMap { encoding: "\r\n/ ".into(), clock_rate: 0, channels: 0 } };
        assert_eq!(hostile.to_string(), "127 x/1");
    }
}

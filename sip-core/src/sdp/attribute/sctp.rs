//! Data channels (RFC 8841, and its drafts).

use alloc::string::String;

use super::SdpAttribute;
use super::words::{one_number, read, write_number, write_token};
use crate::ByteStr;
use crate::sdp::SdpError;

one_number!(
    /// The SCTP port of the association (RFC 8841 §5); 0 closes it.
    ///
    /// ```
    /// use blether_sip_core::sdp::attribute::SctpPort;
    /// assert_eq!("5000".parse::<SctpPort>()?, SctpPort(5000));
    /// # Ok::<(), blether_sip_core::sdp::SdpError>(())
    /// ```
    SctpPort, "sctp-port", u16
);
one_number!(
    /// The longest message that can be received, in bytes (RFC 8841 §6); 0 for any, 64 kB where nothing is said.
    ///
    /// ```
    /// use blether_sip_core::sdp::attribute::MaxMessageSize;
    /// assert_eq!("262144".parse::<MaxMessageSize>()?, MaxMessageSize(262_144));
    /// # Ok::<(), blether_sip_core::sdp::SdpError>(())
    /// ```
    MaxMessageSize, "max-message-size", u64
);

/// The SCTP port as drafts of RFC 8841 said it, which older browsers do.
///
/// ```
/// use blether_sip_core::sdp::attribute::SctpMap;
///
/// let map: SctpMap = "5000 webrtc-datachannel 1024".parse()?;
/// assert_eq!((map.port, map.streams), (5000, Some(1024)));
/// # Ok::<(), blether_sip_core::sdp::SdpError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SctpMap {
    /// The SCTP port, which is also the format of the `m=` line.
    pub port: u16,
    /// `webrtc-datachannel`.
    pub protocol: ByteStr,
    /// How many streams there may be.
    pub streams: Option<u32>,
}

impl SdpAttribute for SctpMap {
    const NAME: &'static str = "sctpmap";

    fn parse_value(value: ByteStr) -> Result<Self, SdpError> {
        read(&value, "a port and a protocol such as 5000 webrtc-datachannel", |words| {
            let (port, protocol) = (words.number()?, words.token()?);
            let streams = if words.is_at_end() { None } else { Some(words.number()?) };
            Some(SctpMap { port, protocol, streams })
        })
    }

    fn write(&self, out: &mut String) {
        write_number(out, self.port);
        out.push(' ');
        write_token(out, &self.protocol, "webrtc-datachannel");
        if let Some(streams) = self.streams {
            out.push(' ');
            write_number(out, streams);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, refused};
    use super::*;

    #[test]
    fn a_data_channel_has_a_port_and_a_longest_message() {
        check::<SctpPort>(" 5000 ", "5000");
        check::<SctpMap>("5000 webrtc-datachannel", "5000 webrtc-datachannel");
        refused::<SctpPort>(&["", "65536", "5000 1"]);
        refused::<MaxMessageSize>(&["", "18446744073709551616", "x"]);
        refused::<SctpMap>(&["5000", "5000 a b"]);
        assert_eq!(MaxMessageSize(u64::MAX).to_string(), "18446744073709551615");
    }
}

//! Where RTCP goes and how (RFC 3605, RFC 5761, RFC 8858, RFC 5506).

use alloc::string::String;

use super::SdpAttribute;
use super::words::{flag, read, write_connection, write_number};
use crate::ByteStr;
use crate::sdp::{Connection, SdpError};

/// The port of RTCP where it is not that of RTP plus one, and the address if it is another, too (RFC 3605 §2.1).
///
/// ```
/// use blether_sip_core::sdp::attribute::Rtcp;
///
/// let rtcp: Rtcp = "53020 IN IP4 126.16.64.4".parse()?;
/// assert_eq!((rtcp.port, rtcp.connection.unwrap().ip()), (53020, "126.16.64.4".parse().ok()));
/// # Ok::<(), blether_sip_core::sdp::SdpError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Rtcp {
    /// The port.
    pub port: u16,
    /// The address; that of the stream if there is none.
    pub connection: Option<Connection>,
}

impl SdpAttribute for Rtcp {
    const NAME: &'static str = "rtcp";

    fn parse_value(value: ByteStr) -> Result<Self, SdpError> {
        read(&value, "a port, and an address such as IN IP4 192.0.2.1", |words| {
            let port = words.number()?;
            let connection = if words.is_at_end() { None } else { Some(words.connection()?) };
            Some(Rtcp { port, connection })
        })
    }

    fn write(&self, out: &mut String) {
        write_number(out, self.port);
        if let Some(connection) = &self.connection {
            out.push(' ');
            write_connection(out, connection);
        }
    }
}

flag!(
    /// RTP and RTCP may share one port (RFC 5761 §5.1.1).
    ///
    /// ```
    /// use blether_sip_core::sdp::MediaDescription;
    /// use blether_sip_core::sdp::attribute::RtcpMux;
    ///
    /// let mut audio = MediaDescription::builder("audio", 9, "RTP/SAVPF").format("0").build()?;
    /// audio.set(&RtcpMux);
    /// assert!(audio.has::<RtcpMux>());
    /// # Ok::<(), blether_sip_core::sdp::SdpError>(())
    /// ```
    RtcpMux, "rtcp-mux"
);
flag!(
    /// RTP and RTCP must share one port (RFC 8858 §3).
    ///
    /// ```
    /// use blether_sip_core::sdp::attribute::RtcpMuxOnly;
    /// assert_eq!("".parse::<RtcpMuxOnly>()?, RtcpMuxOnly);
    /// # Ok::<(), blether_sip_core::sdp::SdpError>(())
    /// ```
    RtcpMuxOnly, "rtcp-mux-only"
);
flag!(
    /// RTCP packets may be of reduced size, without a report at their start (RFC 5506 §5).
    ///
    /// ```
    /// use blether_sip_core::sdp::attribute::RtcpRsize;
    /// assert_eq!(RtcpRsize.to_string(), "");
    /// ```
    RtcpRsize, "rtcp-rsize"
);

#[cfg(test)]
mod tests {
    use super::super::testing::{check, refused};
    use super::*;

    #[test]
    fn rtcp_has_a_port_and_may_have_an_address() {
        // RFC 3605 §2.1.
        check::<Rtcp>("53020", "53020");
        check::<Rtcp>("53020 IN IP4  126.16.64.4", "53020 IN IP4 126.16.64.4");
        check::<Rtcp>(
            "53020 IN IP6 2001:2345:6789:ABCD:EF01:2345:6789:ABCD",
            "53020 IN IP6 2001:2345:6789:ABCD:EF01:2345:6789:ABCD",
        );
        refused::<Rtcp>(&["", "65536", "1 IN", "1 IN IP4", "1 IN IP4 a b"]);
        let hostile = Connection { network: "\n".into(), address_type: " ".into(), address: "a\r\nb".into() };
        assert_eq!(Rtcp { port: 1, connection: Some(hostile) }.to_string(), "1 IN IP4 ab");
        refused::<RtcpMux>(&["1"]);
    }
}

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use super::SdpAttribute;
use super::words::{is_word_char, read, write_number, write_of, write_token, write_word};
use crate::ByteStr;
use crate::sdp::SdpError;

/// An address that a peer can perhaps be reached at (RFC 8839 §5.1).
///
/// The form with `candidate:` in front, in which browsers give it to scripts, is read, too.
///
/// ```
/// use blether_sip_core::sdp::attribute::Candidate;
///
/// let text = "2 1 UDP 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998";
/// let candidate: Candidate = text.parse()?;
/// assert_eq!(&*candidate.kind, "srflx");
/// assert_eq!(candidate.socket_address(), Some("192.0.2.3:45664".parse().unwrap()));
/// assert_eq!(candidate.related_port, Some(8998));
/// assert_eq!(candidate.to_string(), text);
/// # Ok::<(), blether_sip_core::sdp::SdpError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Candidate {
    /// The same for candidates of one kind, base and server (RFC 8445 §5.1.1.3). Without a colon.
    pub foundation: ByteStr,
    /// 1 for RTP, 2 for RTCP; 256 at most.
    pub component: u16,
    /// `UDP` or `TCP`; compare it without regard to case.
    pub transport: ByteStr,
    /// Greater is better (RFC 8445 §5.1.2).
    pub priority: u32,
    /// An address, or a name: browsers hide theirs behind one that ends in `.local`.
    pub address: ByteStr,
    /// The port.
    pub port: u16,
    /// What follows `typ`: `host`, `srflx`, `prflx`, `relay`.
    pub kind: ByteStr,
    /// What follows `raddr`: the address that this one was found from.
    pub related_address: Option<ByteStr>,
    /// What follows `rport`.
    pub related_port: Option<u16>,
    /// Other names and values, in order: `tcptype active`, `generation 0`, `ufrag 8hhY`, `network-cost 10`.
    pub extensions: Vec<(ByteStr, ByteStr)>,
}

impl Candidate {
    /// Where to send; `None` for a name.
    #[must_use]
    pub fn socket_address(&self) -> Option<SocketAddr> {
        let ip: IpAddr = self.address.parse().ok()?;
        Some(SocketAddr::new(ip, self.port))
    }

    /// The value of an extension.
    #[must_use]
    pub fn extension(&self, name: &str) -> Option<&str> {
        self.extensions.iter().find(|(found, _)| found == name).map(|(_, value)| &**value)
    }

    /// `active`, `passive` or `so`, for TCP (RFC 6544 §4.5).
    #[must_use]
    pub fn tcp_type(&self) -> Option<&str> {
        self.extension("tcptype")
    }
}

fn is_foundation_char(c: char) -> bool {
    c != ':' && is_word_char(c)
}

impl SdpAttribute for Candidate {
    const NAME: &'static str = "candidate";

    fn parse_value(value: ByteStr) -> Result<Self, SdpError> {
        read(&value, "a candidate such as 1 1 UDP 2130706431 192.0.2.1 8998 typ host", |words| {
            let foundation = words.next()?;
            let foundation = foundation.strip_prefix("candidate:").unwrap_or(foundation);
            let mut candidate = Candidate {
                foundation: words.share(foundation, is_foundation_char)?,
                component: words.number().filter(|component| (1..=256).contains(component))?,
                transport: words.token()?,
                priority: words.number()?,
                address: words.word()?,
                port: words.number()?,
                kind: words.next().filter(|word| *word == "typ").and_then(|_| words.token())?,
                related_address: None,
                related_port: None,
                extensions: Vec::new(),
            };
            while let Some(name) = words.next() {
                match name {
                    "raddr" => candidate.related_address = Some(words.word()?),
                    "rport" => candidate.related_port = Some(words.number()?),
                    _ => candidate.extensions.push((words.share(name, is_word_char)?, words.word()?)),
                }
            }
            Some(candidate)
        })
    }

    fn write(&self, out: &mut String) {
        write_of(out, &self.foundation, is_foundation_char, "0");
        out.push(' ');
        write_number(out, self.component.clamp(1, 256));
        out.push(' ');
        write_token(out, &self.transport, "UDP");
        out.push(' ');
        write_number(out, self.priority);
        out.push(' ');
        write_word(out, &self.address, "0.0.0.0");
        out.push(' ');
        write_number(out, self.port);
        out.push_str(" typ ");
        write_token(out, &self.kind, "host");
        if let Some(address) = &self.related_address {
            out.push_str(" raddr ");
            write_word(out, address, "0.0.0.0");
        }
        if let Some(port) = self.related_port {
            out.push_str(" rport ");
            write_number(out, port);
        }
        for (name, value) in &self.extensions {
            out.push(' ');
            let before = out.len();
            write_word(out, name, "x");
            if out.get(before..).is_some_and(|name| matches!(name, "raddr" | "rport")) {
                out.insert_str(before, "x-"); // they have fields of their own
            }
            out.push(' ');
            write_word(out, value, "0");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, refused};
    use super::*;

    #[test]
    fn candidates_of_rfcs_and_browsers_are_read() {
        // RFC 8839 §5.1 and §4.1, RFC 6544 §4.5, then what Chrome and Firefox send.
        for text in [
            "2 1 UDP 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998",
            "1 1 UDP 2130706431 203.0.113.141 8998 typ host",
            "1 1 UDP 2130706431 fe80::6676:baff:fe9c:ee4a 8998 typ host",
            "1 1 TCP 2128609279 10.0.1.1 9 typ host tcptype active",
            "2896278100 1 udp 2122194687 192.168.1.7 49203 typ host generation 0 ufrag EsAw network-id 1 network-cost 10",
            "0 2 UDP 2122252542 5f7a3a8a-6a2c-4b6c-9f64-1d9d2b6fbb2d.local 61714 typ host",
        ] {
            check::<Candidate>(text, text);
        }
        let tcp: Candidate =
            check("candidate:4 2 tcp 1 ::1 9 typ host tcptype so", "4 2 tcp 1 ::1 9 typ host tcptype so");
        assert_eq!((tcp.tcp_type(), tcp.extension("x")), (Some("so"), None));
        assert_eq!(tcp.socket_address(), Some("[::1]:9".parse().unwrap()));
    }

    #[test]
    fn what_is_no_candidate_is_refused() {
        refused::<Candidate>(&[
            "",
            "1 1 UDP 1 192.0.2.1 9",
            "1 1 UDP 1 192.0.2.1 9 typ",
            "1 1 UDP 1 192.0.2.1 9 host typ",
            "1 0 UDP 1 192.0.2.1 9 typ host",
            "1 1 UDP 4294967296 192.0.2.1 9 typ host",
            "1 1 UDP 1 192.0.2.1 65536 typ host",
            "1 1 UDP 1 192.0.2.1 9 typ host generation",
            "a:b 1 UDP 1 192.0.2.1 9 typ host",
        ]);
    }

    #[test]
    fn a_hostile_candidate_is_one_line() {
        let mut candidate: Candidate = "1 1 UDP 1 192.0.2.1 9 typ host".parse().unwrap();
        candidate.foundation = "candidate:\r\n".into();
        candidate.component = 0;
        candidate.kind = "host\r\na=x".into();
        candidate.extensions = vec![("ra ddr".into(), " ".into())];
        let written = candidate.to_string();
        assert_eq!(written, "candidate 1 UDP 1 192.0.2.1 9 typ hostax x-raddr 0");
        check::<Candidate>(&written, &written);
    }
}

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use super::SdpAttribute;
use super::rid::is_rid_char;
use super::words::{Words, read, write_of};
use crate::ByteStr;
use crate::grammar::write_list;
use crate::sdp::SdpError;

/// Several encodings of one source, each named by a [`Rid`](super::Rid) (RFC 8853 §5.1).
///
/// Each stream is a list of alternatives, best first.
///
/// ```
/// use blether_sip_core::sdp::attribute::Simulcast;
///
/// let simulcast: Simulcast = "send 1;2,~3 recv 4".parse()?;
/// assert_eq!((simulcast.send.len(), simulcast.recv.len()), (2, 1));
/// assert_eq!(&*simulcast.send[1][0].rid, "2");
/// assert!(simulcast.send[1][1].paused);
/// # Ok::<(), blether_sip_core::sdp::SdpError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Simulcast {
    /// The streams that are sent.
    pub send: Vec<Vec<SimulcastStream>>,
    /// The streams that can be received.
    pub recv: Vec<Vec<SimulcastStream>>,
}

/// An alternative of a stream in [`Simulcast`].
///
/// ```
/// use blether_sip_core::sdp::attribute::{Simulcast, SimulcastStream};
///
/// let low: SimulcastStream = "~lo".parse()?;
/// assert!(low.paused && low.rid == "lo");
/// assert_eq!(Simulcast { send: vec![vec![low]], recv: vec![] }.to_string(), "send ~lo");
/// # Ok::<(), blether_sip_core::sdp::SdpError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SimulcastStream {
    /// Its name.
    pub rid: ByteStr,
    /// Whether it is paused at first (`~`).
    pub paused: bool,
}

impl SimulcastStream {
    fn read(text: &str, whole: &ByteStr) -> Option<Self> {
        let (rid, paused) = text.strip_prefix('~').map_or((text, false), |rid| (rid, true));
        let valid = !rid.is_empty() && rid.chars().all(is_rid_char);
        valid.then(|| SimulcastStream { rid: whole.share(rid), paused })
    }

    fn write(&self, out: &mut String) {
        if self.paused {
            out.push('~');
        }
        write_of(out, &self.rid, is_rid_char, "-");
    }
}

impl FromStr for SimulcastStream {
    type Err = SdpError;

    /// Reads a name, behind a `~` if the stream is paused.
    fn from_str(text: &str) -> Result<Self, SdpError> {
        let malformed = SdpError::BadAttribute { name: Simulcast::NAME, expected: "a name such as 1 or ~1" };
        SimulcastStream::read(text, &text.into()).ok_or(malformed)
    }
}

impl fmt::Display for SimulcastStream {
    /// Writes the name; characters that it may not have are left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.write(&mut text);
        f.write_str(&text)
    }
}

fn streams(words: &mut Words<'_>, whole: &ByteStr) -> Option<Vec<Vec<SimulcastStream>>> {
    let list = words.next()?;
    // As drafts of RFC 8853 wrote it.
    let list = list.strip_prefix("rid=").unwrap_or(list);
    let stream = |text: &str| SimulcastStream::read(text, whole);
    list.split(';').map(|alternatives| alternatives.split(',').map(stream).collect()).collect()
}

impl SdpAttribute for Simulcast {
    const NAME: &'static str = "simulcast";

    fn parse_value(value: ByteStr) -> Result<Self, SdpError> {
        read(&value, "send or recv and names such as 1;2,~3", |words| {
            let mut simulcast = Simulcast::default();
            while let Some(direction) = words.next() {
                let side = match direction {
                    "send" => &mut simulcast.send,
                    "recv" => &mut simulcast.recv,
                    _ => return None,
                };
                if !side.is_empty() {
                    return None;
                }
                *side = streams(words, &value)?;
            }
            (!simulcast.send.is_empty() || !simulcast.recv.is_empty()).then_some(simulcast)
        })
    }

    /// No stream at all is written as the name `-`, which no `a=rid` should have.
    fn write(&self, out: &mut String) {
        let before = out.len();
        for (side, word) in [(&self.send, "send "), (&self.recv, "recv ")] {
            if side.iter().all(Vec::is_empty) {
                continue;
            }
            if out.len() > before {
                out.push(' ');
            }
            out.push_str(word);
            write_list(out, ";", side.iter().filter(|alternatives| !alternatives.is_empty()), |out, alternatives| {
                write_list(out, ",", alternatives, |out, stream| stream.write(out));
            });
        }
        if out.len() == before {
            out.push_str("send -");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, refused};
    use super::*;

    #[test]
    fn streams_and_alternatives_are_read() {
        // RFC 8853 §3.2, §6.6.
        check::<Simulcast>("send 1;2,3 recv 4", "send 1;2,3 recv 4");
        check::<Simulcast>("recv 1;2 send 4", "send 4 recv 1;2");
        check::<Simulcast>("send 1;2;~4,3", "send 1;2;~4,3");
        check::<Simulcast>(" send rid=hi;lo", "send hi;lo");
        refused::<Simulcast>(&["", "send", "send ;", "send 1;", "send 1 send 2", "both 1", "send 1,,2", "send ~~1"]);
        let hostile = SimulcastStream { rid: "~\r\n;".into(), paused: false };
        assert_eq!(Simulcast { send: vec![vec![]], recv: vec![vec![], vec![hostile]] }.to_string(), "recv -");
        assert_eq!(Simulcast::default().to_string(), "send -");
    }
}

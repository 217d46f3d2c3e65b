//! What ICE says besides its candidates (RFC 8839 §5).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use super::SdpAttribute;
use super::words::{Words, flag, is_word_char, one_number, one_text, read, write_number, write_word};
use crate::ByteStr;
use crate::grammar::write_list;
use crate::sdp::SdpError;

one_text!(
    /// The user name fragment of the ICE credentials, 4 to 256 characters (RFC 8839 §5.4).
    ///
    /// ```
    /// use blether_sip_core::sdp::attribute::IceUfrag;
    /// assert_eq!("8hhY".parse::<IceUfrag>()?, IceUfrag("8hhY".into()));
    /// # Ok::<(), blether_sip_core::sdp::SdpError>(())
    /// ```
    IceUfrag, "ice-ufrag", word, write_word, "none"
);
one_text!(
    /// The password of the ICE credentials, 22 to 256 characters (RFC 8839 §5.4).
    ///
    /// ```
    /// use blether_sip_core::sdp::attribute::IcePwd;
    /// assert_eq!("asd88fgpdd777uzjYhagZg".parse::<IcePwd>()?.0.len(), 22);
    /// # Ok::<(), blether_sip_core::sdp::SdpError>(())
    /// ```
    IcePwd, "ice-pwd", word, write_word, "nonenonenonenonenonenone"
);
one_number!(
    /// The milliseconds between two checks that this side asks for (RFC 8839 §5.5); 50 where nothing is said.
    ///
    /// ```
    /// use blether_sip_core::sdp::attribute::IcePacing;
    /// assert_eq!("50".parse::<IcePacing>()?, IcePacing(50));
    /// # Ok::<(), blether_sip_core::sdp::SdpError>(())
    /// ```
    IcePacing, "ice-pacing", u64
);
flag!(
    /// This side is a lite implementation: it makes no checks (RFC 8839 §5.3).
    ///
    /// ```
    /// use blether_sip_core::sdp::attribute::IceLite;
    /// assert_eq!(IceLite.to_string(), "");
    /// ```
    IceLite, "ice-lite"
);
flag!(
    /// The default destination of the offer is none of its candidates, so ICE is not used (RFC 8839 §5.3).
    ///
    /// ```
    /// use blether_sip_core::sdp::attribute::IceMismatch;
    /// assert!("1".parse::<IceMismatch>().is_err());
    /// ```
    IceMismatch, "ice-mismatch"
);
flag!(
    /// No more candidates will come (RFC 8840 §8.2).
    ///
    /// ```
    /// use blether_sip_core::sdp::attribute::EndOfCandidates;
    /// assert_eq!("".parse::<EndOfCandidates>()?, EndOfCandidates);
    /// # Ok::<(), blether_sip_core::sdp::SdpError>(())
    /// ```
    EndOfCandidates, "end-of-candidates"
);

/// Extensions of ICE that this side knows: `trickle`, `ice2`, `renomination`, … (RFC 8839 §5.6).
///
/// ```
/// use blether_sip_core::sdp::attribute::IceOptions;
///
/// let options: IceOptions = "trickle ice2".parse()?;
/// assert!(options.has("trickle") && !options.has("rtp+ecn"));
/// # Ok::<(), blether_sip_core::sdp::SdpError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IceOptions(pub Vec<ByteStr>);

impl IceOptions {
    /// Whether an option is among them.
    #[must_use]
    pub fn has(&self, option: &str) -> bool {
        self.0.iter().any(|found| found == option)
    }
}

impl SdpAttribute for IceOptions {
    const NAME: &'static str = "ice-options";

    fn parse_value(value: ByteStr) -> Result<Self, SdpError> {
        read(&value, "options with spaces between", |words| {
            words.all(is_word_char).filter(|options| !options.is_empty()).map(IceOptions)
        })
    }

    fn write(&self, out: &mut String) {
        if self.0.is_empty() {
            out.push_str("ice2");
        }
        write_list(out, " ", &self.0, |out, option| write_word(out, option, "ice2"));
    }
}

/// The remote candidates that the controlling side has chosen, one a component (RFC 8839 §5.2).
///
/// ```
/// use blether_sip_core::sdp::attribute::RemoteCandidates;
///
/// let chosen: RemoteCandidates = "1 192.0.2.3 45664 2 192.0.2.3 45665".parse()?;
/// assert_eq!((chosen.0[1].component, chosen.0[1].port), (2, 45665));
/// # Ok::<(), blether_sip_core::sdp::SdpError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RemoteCandidates(pub Vec<RemoteCandidate>);

/// One of [`RemoteCandidates`].
///
/// ```
/// use blether_sip_core::sdp::attribute::{RemoteCandidate, RemoteCandidates};
///
/// let rtp = RemoteCandidate { component: 1, address: "192.0.2.3".into(), port: 45664 };
/// assert_eq!("1 192.0.2.3 45664".parse().as_ref(), Ok(&rtp));
/// assert_eq!(RemoteCandidates(vec![rtp]).to_string(), "1 192.0.2.3 45664");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RemoteCandidate {
    /// 1 for RTP, 2 for RTCP.
    pub component: u16,
    /// The address.
    pub address: ByteStr,
    /// The port.
    pub port: u16,
}

impl RemoteCandidate {
    fn read(words: &mut Words<'_>) -> Option<Self> {
        Some(RemoteCandidate { component: words.number()?, address: words.word()?, port: words.number()? })
    }

    fn write(&self, out: &mut String) {
        write_number(out, self.component);
        out.push(' ');
        write_word(out, &self.address, "0.0.0.0");
        out.push(' ');
        write_number(out, self.port);
    }
}

impl FromStr for RemoteCandidate {
    type Err = SdpError;

    /// Reads component, address and port.
    fn from_str(text: &str) -> Result<Self, SdpError> {
        let malformed =
            SdpError::BadAttribute { name: RemoteCandidates::NAME, expected: "component, address and port" };
        match text.parse::<RemoteCandidates>().map(|all| all.0).as_deref() {
            Ok([candidate]) => Ok(candidate.clone()),
            _ => Err(malformed),
        }
    }
}

impl fmt::Display for RemoteCandidate {
    /// Writes component, address and port; characters that no address has are left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.write(&mut text);
        f.write_str(&text)
    }
}

impl SdpAttribute for RemoteCandidates {
    const NAME: &'static str = "remote-candidates";

    fn parse_value(value: ByteStr) -> Result<Self, SdpError> {
        read(&value, "components with address and port", |words| {
            let mut all = Vec::new();
            while !words.is_at_end() {
                all.push(RemoteCandidate::read(words)?);
            }
            (!all.is_empty()).then_some(RemoteCandidates(all))
        })
    }

    fn write(&self, out: &mut String) {
        if self.0.is_empty() {
            out.push_str("1 0.0.0.0 9");
        }
        write_list(out, " ", &self.0, |out, candidate| candidate.write(out));
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, refused};
    use super::*;

    #[test]
    fn what_ice_says_is_read() {
        check::<IceOptions>("ice2  rtp+ecn", "ice2 rtp+ecn"); // RFC 8839 §5.6
        check::<RemoteCandidates>("1 192.0.2.3 45664", "1 192.0.2.3 45664");
        check::<IcePwd>("YH75Fviy6338Vbrhrlp8Yh", "YH75Fviy6338Vbrhrlp8Yh");
        refused::<IceOptions>(&["", " ", "a\u{1}b"]);
        refused::<RemoteCandidates>(&["", "1", "1 a", "1 a b", "1 a 1 2"]);
        refused::<IceUfrag>(&["", "a b"]);
        assert_eq!(IceOptions(vec!["a b\r\n".into()]).to_string(), "ab");
        assert_eq!(IceUfrag("\r\n".into()).to_string(), "none");
        assert_eq!(RemoteCandidates(Vec::new()).to_string(), "1 0.0.0.0 9");
    }
}

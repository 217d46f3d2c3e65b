//! What is said of single RTP sources (RFC 5576).

use alloc::string::String;
use alloc::vec::Vec;

use super::SdpAttribute;
use super::words::{is_token_char, read, write_number, write_text, write_token};
use crate::ByteStr;
use crate::sdp::SdpError;
use crate::sdp::field::number;

/// An attribute of one RTP source (RFC 5576 §4.1).
///
/// ```
/// use blether_sip_core::sdp::attribute::Ssrc;
///
/// let ssrc: Ssrc = "2231627014 cname:user@example.com".parse()?;
/// assert_eq!((ssrc.id, ssrc.cname()), (2231627014, Some("user@example.com")));
/// # Ok::<(), blether_sip_core::sdp::SdpError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ssrc {
    /// The synchronisation source.
    pub id: u32,
    /// The attribute: `cname`, `msid`, `previous-ssrc`, `fmtp`, …
    pub attribute: ByteStr,
    /// What follows its colon.
    pub value: Option<ByteStr>,
}

impl Ssrc {
    /// The canonical name of the source, if this says it.
    #[must_use]
    pub fn cname(&self) -> Option<&str> {
        self.value.as_deref().filter(|_| self.attribute == "cname")
    }
}

impl SdpAttribute for Ssrc {
    const NAME: &'static str = "ssrc";

    fn parse_value(value: ByteStr) -> Result<Self, SdpError> {
        read(&value, "a source and an attribute such as 1 cname:x", |words| {
            let id = words.number()?;
            let text = words.rest();
            let (attribute, after) = text.split_once(':').unwrap_or((text, ""));
            let after = after.trim_matches(crate::grammar::is_wsp);
            Some(Ssrc { id, attribute: words.share(attribute, is_token_char)?, value: words.share(after, |_| true) })
        })
    }

    fn write(&self, out: &mut String) {
        write_number(out, self.id);
        out.push(' ');
        write_token(out, &self.attribute, "x");
        if let Some(value) = &self.value {
            out.push(':');
            write_text(out, value, "-");
        }
    }
}

/// RTP sources that belong together (RFC 5576 §4.2): `FID` a stream and its retransmissions, `SIM` the layers of simulcast, `FEC-FR`.
///
/// ```
/// use blether_sip_core::sdp::attribute::SsrcGroup;
///
/// let group: SsrcGroup = "FID 2231627014 632943048".parse()?;
/// assert_eq!((&*group.semantics, group.ids[1]), ("FID", 632943048));
/// # Ok::<(), blether_sip_core::sdp::SdpError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SsrcGroup {
    /// `FID`, `FEC`, `FEC-FR`, `SIM`, …
    pub semantics: ByteStr,
    /// The synchronisation sources, in an order that the semantics know.
    pub ids: Vec<u32>,
}

impl SdpAttribute for SsrcGroup {
    const NAME: &'static str = "ssrc-group";

    fn parse_value(value: ByteStr) -> Result<Self, SdpError> {
        read(&value, "semantics and sources such as FID 1 2", |words| {
            let semantics = words.token()?;
            let mut ids = Vec::new();
            while let Some(word) = words.next() {
                ids.push(number(word)?);
            }
            Some(SsrcGroup { semantics, ids })
        })
    }

    fn write(&self, out: &mut String) {
        write_token(out, &self.semantics, "x");
        for id in &self.ids {
            out.push(' ');
            write_number(out, *id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, refused};
    use super::*;

    #[test]
    fn a_source_has_attributes() {
        check::<Ssrc>("1 msid:a b ", "1 msid:a b");
        check::<Ssrc>("4294967295 fmtp:96 a:b=c", "4294967295 fmtp:96 a:b=c");
        assert_eq!(check::<Ssrc>("1 mslabel: ", "1 mslabel").value, None);
        refused::<Ssrc>(&["", "1", "1 ", "4294967296 cname:x", "x cname:x", "1 c name:x", "1 :x"]);
        assert!(check::<SsrcGroup>("SIM", "SIM").ids.is_empty());
        refused::<SsrcGroup>(&["", "FID -1", "FID x"]);
        let hostile = Ssrc { id: 1, attribute: " ".into(), value: Some("\r\n".into()) };
        assert_eq!(hostile.to_string(), "1 x:-");
    }
}

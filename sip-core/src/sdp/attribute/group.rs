//! Names for streams, and which belong together (RFC 5888, RFC 9143).

use alloc::string::String;
use alloc::vec::Vec;

use super::SdpAttribute;
use super::words::{flag, is_token_char, one_text, read, write_token};
use crate::ByteStr;
use crate::sdp::SdpError;

one_text!(
    /// The name of a stream within its description (RFC 5888 §4).
    ///
    /// ```
    /// use blether_sip_core::sdp::attribute::Mid;
    /// assert_eq!("audio".parse::<Mid>()?, Mid("audio".into()));
    /// # Ok::<(), blether_sip_core::sdp::SdpError>(())
    /// ```
    Mid, "mid", token, write_token, "0"
);

flag!(
    /// The stream is used only if it is in a bundle; its port is 0 (RFC 9143 §6).
    ///
    /// ```
    /// use blether_sip_core::sdp::attribute::BundleOnly;
    /// assert_eq!(BundleOnly.to_string(), "");
    /// ```
    BundleOnly, "bundle-only"
);

/// Streams that belong together, and how (RFC 5888 §5): `BUNDLE` on one transport (RFC 9143 §5), `LS` in time with each other.
///
/// ```
/// use blether_sip_core::sdp::attribute::Group;
///
/// let bundle: Group = "BUNDLE foo bar".parse()?;
/// assert!(bundle.is("BUNDLE") && bundle.has("bar"));
/// # Ok::<(), blether_sip_core::sdp::SdpError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Group {
    /// `BUNDLE`, `LS`, `FID`, `ANAT`, …
    pub semantics: ByteStr,
    /// The [`Mid`]s; there may be none.
    pub mids: Vec<ByteStr>,
}

impl Group {
    /// Whether the streams belong together in this way.
    #[must_use]
    pub fn is(&self, semantics: &str) -> bool {
        self.semantics == *semantics
    }

    /// Whether the stream of this name is among them.
    #[must_use]
    pub fn has(&self, mid: &str) -> bool {
        self.mids.iter().any(|found| found == mid)
    }
}

impl SdpAttribute for Group {
    const NAME: &'static str = "group";

    fn parse_value(value: ByteStr) -> Result<Self, SdpError> {
        read(&value, "semantics and names of streams such as BUNDLE 0 1", |words| {
            Some(Group { semantics: words.token()?, mids: words.all(is_token_char)? })
        })
    }

    fn write(&self, out: &mut String) {
        write_token(out, &self.semantics, "x");
        for mid in &self.mids {
            out.push(' ');
            write_token(out, mid, "0");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, refused};
    use super::*;

    #[test]
    fn groups_have_semantics_and_any_number_of_streams() {
        check::<Group>("LS 1  2", "LS 1 2"); // RFC 5888 §7
        assert!(check::<Group>("BUNDLE", "BUNDLE").mids.is_empty());
        refused::<Group>(&["", "BUNDLE a/b"]);
        refused::<Mid>(&["", "a b", "a:b"]);
        assert_eq!(Group { semantics: "\r".into(), mids: vec!["a b\n".into(), "".into()] }.to_string(), "x ab 0");
    }
}

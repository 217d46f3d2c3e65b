//! Who connects, and by which certificate (RFC 4145, RFC 8122, RFC 8842).

use alloc::string::String;
use alloc::vec::Vec;

use super::SdpAttribute;
use super::words::{one_text, read, words_of, write_token};
use crate::ByteStr;
use crate::grammar::write_list;
use crate::sdp::SdpError;

/// The digest of a certificate (RFC 8122 §5).
///
/// ```
/// use blether_sip_core::sdp::attribute::Fingerprint;
///
/// let print: Fingerprint = "SHA-1 4A:AD:B9:B1".parse()?;
/// assert!(print.is_of("sha-1"));
/// assert_eq!(print.digest, [0x4a, 0xad, 0xb9, 0xb1]);
/// # Ok::<(), blether_sip_core::sdp::SdpError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    /// `sha-256`, …; compare it by [`Fingerprint::is_of`].
    pub hash: ByteStr,
    /// The digest. None is written as one zero, which is that of no certificate.
    pub digest: Vec<u8>,
}

impl Fingerprint {
    /// Whether it was made by this hash function, whose names are compared without regard to case.
    #[must_use]
    pub fn is_of(&self, hash: &str) -> bool {
        self.hash.eq_ignore_ascii_case(hash)
    }
}

impl SdpAttribute for Fingerprint {
    const NAME: &'static str = "fingerprint";

    fn parse_value(value: ByteStr) -> Result<Self, SdpError> {
        read(&value, "a hash function and bytes in hexadecimal", |words| {
            let hash = words.token()?;
            let byte = |pair: &str| {
                let valid = pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit());
                if valid { u8::from_str_radix(pair, 16).ok() } else { None }
            };
            let digest: Option<Vec<u8>> = words.next()?.split(':').map(byte).collect();
            Some(Fingerprint { hash, digest: digest? })
        })
    }

    fn write(&self, out: &mut String) {
        write_token(out, &self.hash, "sha-256");
        out.push(' ');
        let digest = if self.digest.is_empty() { &[0] } else { self.digest.as_slice() };
        write_list(out, ":", digest, |out, byte| {
            let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0').to_ascii_uppercase();
            out.extend([digit(byte >> 4), digit(byte & 15)]);
        });
    }
}

/// Which side opens the connection (RFC 4145 §4, RFC 5763 §5 for DTLS).
///
/// ```
/// use blether_sip_core::sdp::attribute::Setup;
///
/// assert_eq!("actpass".parse::<Setup>()?, Setup::ActPass);
/// assert_eq!(Setup::Active.to_string(), "active");
/// # Ok::<(), blether_sip_core::sdp::SdpError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Setup {
    /// Whoever says this opens it: the client of DTLS.
    Active,
    /// Waits for the other side to open it: the server of DTLS.
    Passive,
    /// Either; the answer chooses.
    ActPass,
    /// No connection for now.
    HoldConn,
}

words_of!(
    Setup, "setup", "active, passive, actpass or holdconn",
    Active "active", Passive "passive", ActPass "actpass", HoldConn "holdconn"
);

/// Whether the connection that is there is kept (RFC 4145 §5).
///
/// ```
/// use blether_sip_core::sdp::attribute::ConnectionReuse;
///
/// assert_eq!("existing".parse::<ConnectionReuse>()?, ConnectionReuse::Existing);
/// # Ok::<(), blether_sip_core::sdp::SdpError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnectionReuse {
    /// A new one is opened.
    New,
    /// The one that is there is kept.
    Existing,
}

words_of!(ConnectionReuse, "connection", "new or existing", New "new", Existing "existing");

one_text!(
    /// A name for a DTLS association: another one means that a new association is wanted (RFC 8842 §4).
    ///
    /// ```
    /// use blether_sip_core::sdp::attribute::TlsId;
    /// assert_eq!("abc3de65cddef001be82".parse::<TlsId>()?, TlsId("abc3de65cddef001be82".into()));
    /// # Ok::<(), blether_sip_core::sdp::SdpError>(())
    /// ```
    TlsId, "tls-id", word, write_word, "00000000000000000000"
);

#[cfg(test)]
mod tests {
    use super::super::testing::{check, refused};
    use super::*;

    #[test]
    fn a_fingerprint_is_a_hash_and_bytes() {
        // RFC 8122 §5.
        let text =
            "SHA-256 12:DF:3E:5D:49:6B:19:E5:7C:AB:4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB:4A:AD";
        assert_eq!(check::<Fingerprint>(text, text).digest.len(), 32);
        check::<Fingerprint>("sha-1 4a:AD", "sha-1 4A:AD");
        refused::<Fingerprint>(&["", "sha-1", "sha-1 4", "sha-1 4A:", "sha-1 4A:+1", "sha-1 4A4A", "sha-1 4A 4B"]);
        let hostile = Fingerprint { hash: "\r\n".into(), digest: Vec::new() };
        assert_eq!(hostile.to_string(), "sha-256 00");
    }

    #[test]
    fn roles_are_words() {
        check::<Setup>("ACTIVE ", "active");
        check::<ConnectionReuse>("new", "new");
        refused::<Setup>(&["", "act", "active passive"]);
    }
}

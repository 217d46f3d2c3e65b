use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use super::SdpAttribute;
use super::words::{is_word_char, read, write_number, write_of, write_word};
use crate::ByteStr;
use crate::grammar::write_list;
use crate::sdp::SdpError;
use crate::sdp::field::number;

/// A cipher for SRTP and the keys of whoever sends it (RFC 4568 §4, §6).
///
/// ```
/// use blether_sip_core::sdp::attribute::Crypto;
///
/// let crypto: Crypto = "1 AES_CM_128_HMAC_SHA1_80 inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR|2^20|1:32".parse()?;
/// let key = crypto.keys[0].srtp().unwrap();
/// assert_eq!(key.key_and_salt.len(), 30);
/// assert_eq!((key.lifetime, key.mki), (Some(1 << 20), Some((1, 32))));
/// # Ok::<(), blether_sip_core::sdp::SdpError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Crypto {
    /// Names the attribute in the answer; nine digits at most.
    pub tag: u32,
    /// `AES_CM_128_HMAC_SHA1_80`, `AEAD_AES_256_GCM`, …
    pub suite: ByteStr,
    /// The keys; at least one is written.
    pub keys: Vec<KeyParam>,
    /// `UNENCRYPTED_SRTCP`, `WSH=64`, `KDR=1`, …
    pub session_params: Vec<ByteStr>,
}

/// A key, by the method that gives it: `inline:…`.
///
/// ```
/// use blether_sip_core::sdp::attribute::KeyParam;
///
/// let key: KeyParam = "inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|1:4".parse()?;
/// assert_eq!(key.srtp().unwrap().mki, Some((1, 4)));
/// # Ok::<(), blether_sip_core::sdp::SdpError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyParam {
    /// `inline`: the key stands here.
    pub method: ByteStr,
    /// What follows the colon, without `;`.
    pub info: ByteStr,
}

/// A master key of SRTP (RFC 4568 §6.1).
///
/// ```
/// use blether_sip_core::sdp::attribute::{KeyParam, SrtpKey};
///
/// let info = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4".into();
/// let key: SrtpKey = KeyParam { method: "inline".into(), info }.srtp().unwrap();
/// assert_eq!(&key.key_and_salt[..8], b"YS___sem");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SrtpKey {
    /// Master key and master salt, one after the other.
    pub key_and_salt: Vec<u8>,
    /// How many packets it may protect.
    pub lifetime: Option<u64>,
    /// The master key identifier, and in how many bytes (1 to 128) packets carry it.
    pub mki: Option<(u64, u8)>,
}

impl KeyParam {
    /// Reads the key, if it is one of SRTP.
    #[must_use]
    pub fn srtp(&self) -> Option<SrtpKey> {
        if !self.method.eq_ignore_ascii_case("inline") {
            return None;
        }
        let mut parts = self.info.split('|');
        let key_and_salt = base64(parts.next()?)?;
        let mut key = SrtpKey { key_and_salt, lifetime: None, mki: None };
        for part in parts {
            match part.split_once(':') {
                Some((value, length)) if key.mki.is_none() => {
                    key.mki = Some((number(value)?, number(length).filter(|length| (1..=128).contains(length))?));
                }
                None if key.lifetime.is_none() && key.mki.is_none() => {
                    key.lifetime = Some(match part.strip_prefix("2^") {
                        Some(exponent) => 1_u64.checked_shl(number(exponent)?)?,
                        None => number(part)?,
                    });
                }
                _ => return None,
            }
        }
        Some(key)
    }

    fn read(text: &str, whole: &ByteStr) -> Option<Self> {
        let (method, info) = text.split_once(':')?;
        let valid = is_name(method) && !info.is_empty() && info.chars().all(is_info_char);
        valid.then(|| KeyParam { method: whole.share(method), info: whole.share(info) })
    }

    fn write(&self, out: &mut String) {
        write_of(out, &self.method, is_name_char, "inline");
        out.push(':');
        write_of(out, &self.info, is_info_char, "AAAA");
    }
}

impl FromStr for KeyParam {
    type Err = SdpError;

    /// Reads a method and, behind a colon, what it says.
    fn from_str(text: &str) -> Result<Self, SdpError> {
        let malformed = SdpError::BadAttribute { name: Crypto::NAME, expected: "a key such as inline:…" };
        KeyParam::read(text, &text.into()).ok_or(malformed)
    }
}

impl fmt::Display for KeyParam {
    /// Writes the key as it stands in a `crypto` attribute; characters that may not stand there are left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.write(&mut text);
        f.write_str(&text)
    }
}

/// RFC 4648 §4; padding may be missing, and nothing else.
fn base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text.bytes() {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        (bits, count) = ((bits << 6 | u32::from(six)) & 0xffff, count + 6);
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).ok()?);
        }
    }
    (!bytes.is_empty()).then_some(bytes)
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_name_char)
}

fn is_info_char(c: char) -> bool {
    c.is_ascii_graphic() && c != ';'
}

impl SdpAttribute for Crypto {
    const NAME: &'static str = "crypto";

    fn parse_value(value: ByteStr) -> Result<Self, SdpError> {
        read(&value, "a tag, a suite and keys such as inline:…", |words| {
            let tag = words.number().filter(|tag| *tag < 1_000_000_000)?;
            let suite = words.of(is_name_char)?;
            let mut keys = Vec::new();
            // Some senders put a space after the semicolon.
            loop {
                let word = words.next()?;
                for key in word.split(';').filter(|key| !key.is_empty()) {
                    keys.push(KeyParam::read(key, &value)?);
                }
                if !word.ends_with(';') || words.is_at_end() {
                    break;
                }
            }
            if keys.is_empty() {
                return None;
            }
            Some(Crypto { tag, suite, keys, session_params: words.all(is_word_char)? })
        })
    }

    fn write(&self, out: &mut String) {
        write_number(out, self.tag.min(999_999_999));
        out.push(' ');
        write_of(out, &self.suite, is_name_char, "x");
        out.push(' ');
        if self.keys.is_empty() {
            out.push_str("inline:AAAA");
        }
        write_list(out, ";", &self.keys, |out, key| key.write(out));
        for param in &self.session_params {
            out.push(' ');
            write_word(out, param, "x");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, refused};
    use super::*;

    #[test]
    fn the_examples_of_rfc_4568_are_read() {
        // §4, §7.1.1.
        let text =
            "1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4 FEC_ORDER=FEC_SRTP";
        assert_eq!(check::<Crypto>(text, text).session_params, ["FEC_ORDER=FEC_SRTP"]);
        let two: Crypto = check(
            "2 F8_128_HMAC_SHA1_80\tinline:MTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5QUJjZGVm|2^20|1:4; inline:QUJjZGVmMTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5|2^20|2:4 WSH=64",
            "2 F8_128_HMAC_SHA1_80 inline:MTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5QUJjZGVm|2^20|1:4;inline:QUJjZGVmMTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5|2^20|2:4 WSH=64",
        );
        let key = two.keys[1].srtp().unwrap();
        assert_eq!(key.key_and_salt, b"ABcdef123456789ABCDE0123456789");
        assert_eq!((key.lifetime, key.mki), (Some(1 << 20), Some((2, 4))));
    }

    #[test]
    fn a_key_is_not_always_one_of_srtp() {
        let key = |info: &str| KeyParam { method: "inline".into(), info: info.into() }.srtp();
        assert_eq!(key("QUI=").unwrap().key_and_salt, b"AB");
        assert_eq!(key("QUI|1:1").unwrap().mki, Some((1, 1)));
        assert_eq!(key("QUI|1024").unwrap().lifetime, Some(1024));
        for bad in ["", "=", "Q?", "QUI|", "QUI|2^64", "QUI|1:0", "QUI|1:129", "QUI|1:1|5", "QUI|1|2"] {
            assert_eq!(key(bad), None, "{bad}");
        }
        assert_eq!(KeyParam { method: "uri".into(), info: "QUI=".into() }.srtp(), None);
    }

    #[test]
    fn what_is_no_crypto_is_refused_and_hostile_ones_are_one_line() {
        refused::<Crypto>(&[
            "",
            "1",
            "1 A",
            "1 A b",
            "1 A ;",
            "x A inline:B",
            "1 A-B inline:C",
            "1000000000 A inline:B",
            "1 A inline:",
        ]);
        let hostile =
            Crypto { tag: u32::MAX, suite: " ".into(), keys: Vec::new(), session_params: vec!["\r\n".into()] };
        assert_eq!(hostile.to_string(), "999999999 x inline:AAAA x");
    }
}

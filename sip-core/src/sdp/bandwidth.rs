use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use super::SdpError;
use super::attribute::words::{is_token_char, write_token};
use super::field::number;
use crate::ByteStr;

/// How much a session or stream needs: a `b=` line (RFC 8866 §5.8).
///
/// ```
/// use blether_sip_core::sdp::Bandwidth;
///
/// let most: Bandwidth = "TIAS:50780".parse()?;
/// assert_eq!(most.bits_per_second(), Some(50_780));
/// assert_eq!("AS:64".parse::<Bandwidth>()?.bits_per_second(), Some(64_000));
/// # Ok::<(), blether_sip_core::sdp::SdpError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Bandwidth {
    /// `AS` for an application, `CT` for all of a conference, `TIAS` without transport headers (RFC 3890), `RS` and `RR` for RTCP (RFC 3556).
    pub kind: ByteStr,
    /// In the unit of the kind: kilobits a second for `AS` and `CT`, bits a second for the others named.
    pub value: u64,
}

impl Bandwidth {
    /// In bits a second; `None` for another kind than the five named above, or more than 64 bits can say.
    #[must_use]
    pub fn bits_per_second(&self) -> Option<u64> {
        let is = |kind: &str| self.kind.eq_ignore_ascii_case(kind);
        if is("AS") || is("CT") {
            self.value.checked_mul(1_000)
        } else {
            (is("TIAS") || is("RS") || is("RR")).then_some(self.value)
        }
    }
}

impl FromStr for Bandwidth {
    type Err = SdpError;

    fn from_str(text: &str) -> Result<Self, SdpError> {
        let read = || {
            let (kind, value) = text.trim().split_once(':')?;
            let (kind, value) = (kind.trim(), number(value.trim())?);
            let valid = !kind.is_empty() && kind.chars().all(is_token_char);
            valid.then(|| Bandwidth { kind: kind.into(), value })
        };
        read().ok_or(SdpError::BadField { key: 'b', line: 1 })
    }
}

impl fmt::Display for Bandwidth {
    /// Writes what follows the `b=`, on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut kind = String::new();
        write_token(&mut kind, &self.kind, "X-0");
        write!(f, "{kind}:{}", self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bandwidth_has_a_kind_and_its_unit() {
        let read = |text: &str| text.parse::<Bandwidth>();
        assert_eq!(read("X-YZ:128 ").unwrap().bits_per_second(), None); // RFC 8866 §5.8
        assert_eq!(read("AS:18446744073709551615").unwrap().bits_per_second(), None);
        for bad in ["", "AS", "AS:", ":1", "AS:-1", "AS:1.5", "A S:1"] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert_eq!(Bandwidth { kind: "\r\n:".into(), value: 1 }.to_string(), "X-0:1");
    }
}

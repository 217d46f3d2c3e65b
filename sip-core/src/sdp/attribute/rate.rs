use alloc::string::{String, ToString};

use super::SdpAttribute;
use super::words::{Words, read};
use crate::ByteStr;
use crate::sdp::SdpError;

macro_rules! rate {
    ($(#[$doc:meta])* $type:ident, $name:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub struct $type(ByteStr);

        impl $type {
            /// So many a second.
            ///
            /// # Errors
            /// [`SdpError::BadAttribute`] if it is less than a millionth or more than a thousand million.
            pub fn new(per_second: f64) -> Result<Self, SdpError> {
                let expected = "a rate from a millionth to a thousand million a second";
                let is_rate = (0.000_001..=1e9).contains(&per_second);
                let rate = is_rate.then(|| $type(per_second.to_string().into()));
                rate.ok_or(SdpError::BadAttribute { name: $name, expected })
            }

            /// How many a second.
            #[must_use]
            pub fn per_second(&self) -> f64 {
                self.0.parse().unwrap_or_default()
            }
        }

        impl SdpAttribute for $type {
            const NAME: &'static str = $name;

            fn parse_value(value: ByteStr) -> Result<Self, SdpError> {
                read(&value, "a number, with or without a fraction", |words| decimal(words).map($type))
            }

            fn write(&self, out: &mut String) {
                out.push_str(&self.0);
            }
        }
    };
}

rate!(
    /// The most video frames a second (RFC 8866 §6.13).
    ///
    /// ```
    /// use blether_sip_core::sdp::attribute::Framerate;
    /// assert_eq!("29.97".parse::<Framerate>()?.per_second(), 29.97);
    /// assert_eq!(Framerate::new(30.0).unwrap().to_string(), "30");
    /// # Ok::<(), blether_sip_core::sdp::SdpError>(())
    /// ```
    Framerate, "framerate"
);
rate!(
    /// The most packets a second, by which a bandwidth without transport headers becomes one with them (RFC 3890 §6.3).
    ///
    /// ```
    /// use blether_sip_core::sdp::attribute::MaxPacketRate;
    /// assert_eq!("40.0".parse::<MaxPacketRate>()?.per_second(), 40.0);
    /// # Ok::<(), blether_sip_core::sdp::SdpError>(())
    /// ```
    MaxPacketRate, "maxprate"
);

/// `1*DIGIT ["." 1*DIGIT]`, with a digit that is not 0.
fn decimal(words: &mut Words<'_>) -> Option<ByteStr> {
    let text = words.next()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let valid = digits(whole) && digits(fraction) && text.bytes().any(|byte| matches!(byte, b'1'..=b'9'));
    if valid { words.share(text, |_| true) } else { None }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, refused};
    use super::*;

    #[test]
    fn a_rate_keeps_its_digits() {
        assert_eq!(check::<Framerate>("29.970", "29.970").per_second(), 29.97);
        check::<MaxPacketRate>("50", "50");
        refused::<Framerate>(&["", "0", "0.0", "1.", ".5", "1e3", "-1", "nan", "1.5.2"]);
        assert_eq!(Framerate::new(0.000_001).unwrap().to_string(), "0.000001");
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e12] {
            assert_eq!(
                MaxPacketRate::new(bad),
                Err(SdpError::BadAttribute {
                    name: "maxprate",
                    expected: "a rate from a millionth to a thousand million a second"
                })
            );
        }
    }
}

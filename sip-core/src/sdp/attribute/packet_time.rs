use alloc::string::String;
use core::time::Duration;

use super::SdpAttribute;
use super::words::{read, write_number};
use crate::ByteStr;
use crate::sdp::SdpError;
use crate::sdp::field::number;

macro_rules! milliseconds {
    ($(#[$doc:meta])* $type:ident, $name:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $type(pub Duration);

        impl SdpAttribute for $type {
            const NAME: &'static str = $name;

            fn parse_value(value: ByteStr) -> Result<Self, SdpError> {
                read(&value, "milliseconds, more than 0", |words| words.next().and_then(read_milliseconds).map($type))
            }

            fn write(&self, out: &mut String) {
                write_milliseconds(out, self.0);
            }
        }
    };
}

milliseconds!(
    /// How much media the sender of this description wants in one packet (RFC 8866 §6.4). In the text it is milliseconds, down to a
    /// thousandth; less than that is written as one.
    ///
    /// ```
    /// use core::time::Duration;
    /// use blether_sip_core::sdp::attribute::Ptime;
    ///
    /// assert_eq!("20".parse::<Ptime>()?, Ptime(Duration::from_millis(20)));
    /// assert_eq!(Ptime(Duration::from_micros(2_500)).to_string(), "2.5");
    /// # Ok::<(), blether_sip_core::sdp::SdpError>(())
    /// ```
    Ptime, "ptime"
);
milliseconds!(
    /// The most media that may be in one packet (RFC 8866 §6.5), in milliseconds as [`Ptime`].
    ///
    /// ```
    /// use core::time::Duration;
    /// use blether_sip_core::sdp::attribute::MaxPtime;
    ///
    /// assert_eq!("150".parse::<MaxPtime>()?, MaxPtime(Duration::from_millis(150)));
    /// # Ok::<(), blether_sip_core::sdp::SdpError>(())
    /// ```
    MaxPtime, "maxptime"
);

/// `non-zero-int-or-real`, of which digits after the third behind the point do not count.
fn read_milliseconds(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths =
        fraction.bytes().chain([b'0'; 3]).take(3).fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    let micros = number::<u64>(whole)?.checked_mul(1_000)?.checked_add(thousandths)?;
    (micros > 0).then(|| Duration::from_micros(micros))
}

fn write_milliseconds(out: &mut String, time: Duration) {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1);
    write_number(out, micros / 1_000);
    let mut thousandths = micros % 1_000;
    if thousandths > 0 {
        out.push('.');
        while thousandths > 0 {
            write_number(out, thousandths / 100);
            thousandths = thousandths % 100 * 10;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, refused};
    use super::*;

    #[test]
    fn packet_times_are_milliseconds_with_a_fraction() {
        check::<Ptime>("20", "20");
        check::<Ptime>(" 2.50 ", "2.5");
        check::<MaxPtime>("0.0059", "0.005");
        check::<MaxPtime>("10.", "10");
        assert_eq!(Ptime(Duration::ZERO).to_string(), "0.001");
        assert_eq!(
            Ptime(Duration::MAX).to_string(),
            check::<Ptime>("18446744073709551.615", "18446744073709551.615").to_string()
        );
        refused::<Ptime>(&["", "0", "0.0", "-20", "1.x", "1.0000x", ".5", "99999999999999999999", "20 30"]);
    }
}

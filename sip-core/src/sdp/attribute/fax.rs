//! What two fax gateways agree on (ITU-T T.38 Annex D.2.3). Gateways do not agree on the case of the names, so that does not count.

use alloc::string::String;

use super::SdpAttribute;
use super::words::{one_number, read, words_of};
use crate::ByteStr;
use crate::sdp::SdpError;

one_number!(
    /// The version of T.38; 0 where nothing is said.
    ///
    /// ```
    /// use blether_sip_core::sdp::attribute::T38FaxVersion;
    /// assert_eq!("3".parse::<T38FaxVersion>()?, T38FaxVersion(3));
    /// # Ok::<(), blether_sip_core::sdp::SdpError>(())
    /// ```
    T38FaxVersion, "T38FaxVersion", u32, |name| name.eq_ignore_ascii_case("T38FaxVersion")
);
one_number!(
    /// The fastest fax speed, in bits a second.
    ///
    /// ```
    /// use blether_sip_core::sdp::attribute::{SdpAttribute, T38MaxBitRate};
    /// assert_eq!("14400".parse::<T38MaxBitRate>()?, T38MaxBitRate(14_400));
    /// assert!(T38MaxBitRate::is_named("T38maxBitRate"));
    /// # Ok::<(), blether_sip_core::sdp::SdpError>(())
    /// ```
    T38MaxBitRate, "T38MaxBitRate", u32, |name| name.eq_ignore_ascii_case("T38MaxBitRate")
);
one_number!(
    /// How many bytes can be kept before the peer has to slow down.
    ///
    /// ```
    /// use blether_sip_core::sdp::attribute::T38FaxMaxBuffer;
    /// assert_eq!("262".parse::<T38FaxMaxBuffer>()?, T38FaxMaxBuffer(262));
    /// # Ok::<(), blether_sip_core::sdp::SdpError>(())
    /// ```
    T38FaxMaxBuffer, "T38FaxMaxBuffer", u32, |name| name.eq_ignore_ascii_case("T38FaxMaxBuffer")
);
one_number!(
    /// The longest packet that can be received, in bytes.
    ///
    /// ```
    /// use blether_sip_core::sdp::attribute::T38FaxMaxDatagram;
    /// assert_eq!(T38FaxMaxDatagram(400).to_string(), "400");
    /// ```
    T38FaxMaxDatagram, "T38FaxMaxDatagram", u32, |name| name.eq_ignore_ascii_case("T38FaxMaxDatagram")
);
one_number!(
    /// The longest frame of fax data (IFP) in a packet, in bytes.
    ///
    /// ```
    /// use blether_sip_core::sdp::attribute::T38FaxMaxIfp;
    /// assert_eq!(T38FaxMaxIfp(40).to_string(), "40");
    /// ```
    T38FaxMaxIfp, "T38FaxMaxIFP", u32, |name| name.eq_ignore_ascii_case("T38FaxMaxIFP")
);

/// Who checks the training of the modems.
///
/// ```
/// use blether_sip_core::sdp::attribute::T38FaxRateManagement;
///
/// let management: T38FaxRateManagement = "transferredTCF".parse()?;
/// assert_eq!(management, T38FaxRateManagement::TransferredTcf);
/// # Ok::<(), blether_sip_core::sdp::SdpError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum T38FaxRateManagement {
    /// Each gateway by itself; wants a transport without loss.
    LocalTcf,
    /// The far fax machine, through the gateways. What UDP wants.
    TransferredTcf,
}

words_of!(
    T38FaxRateManagement, "T38FaxRateManagement", "localTCF or transferredTCF",
    LocalTcf "localTCF", TransferredTcf "transferredTCF"
);

/// How lost packets are made up for.
///
/// ```
/// use blether_sip_core::sdp::attribute::T38FaxUdpEc;
///
/// assert_eq!("t38UDPRedundancy".parse::<T38FaxUdpEc>()?, T38FaxUdpEc::Redundancy);
/// assert_eq!(T38FaxUdpEc::Fec.to_string(), "t38UDPFEC");
/// # Ok::<(), blether_sip_core::sdp::SdpError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum T38FaxUdpEc {
    /// Not at all.
    None,
    /// By parity.
    Fec,
    /// By sending the packets before once more.
    Redundancy,
}

words_of!(
    T38FaxUdpEc, "T38FaxUdpEC", "t38UDPNoEC, t38UDPFEC or t38UDPRedundancy",
    None "t38UDPNoEC", Fec "t38UDPFEC", Redundancy "t38UDPRedundancy"
);

/// An ability that is there with the attribute; older implementations write 0 or 1 behind it.
macro_rules! ability {
    ($(#[$doc:meta])* $type:ident, $name:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $type(pub bool);

        impl SdpAttribute for $type {
            const NAME: &'static str = $name;

            fn is_named(name: &str) -> bool {
                name.eq_ignore_ascii_case($name)
            }

            fn parse_value(value: ByteStr) -> Result<Self, SdpError> {
                read(&value, "nothing, 0 or 1", |words| match words.next() {
                    None | Some("1") => Some($type(true)),
                    Some("0") => Some($type(false)),
                    Some(_) => None,
                })
            }

            /// Nothing for what is there, 0 for what is not.
            fn write(&self, out: &mut String) {
                if !self.0 {
                    out.push('0');
                }
            }
        }
    };
}

ability!(
    /// Fill bits can be taken out and put in again.
    ///
    /// ```
    /// use blether_sip_core::sdp::attribute::T38FaxFillBitRemoval;
    /// assert_eq!("1".parse::<T38FaxFillBitRemoval>()?, T38FaxFillBitRemoval(true));
    /// # Ok::<(), blether_sip_core::sdp::SdpError>(())
    /// ```
    T38FaxFillBitRemoval, "T38FaxFillBitRemoval"
);
ability!(
    /// Pages can be converted to and from MMR.
    ///
    /// ```
    /// use blether_sip_core::sdp::attribute::T38FaxTranscodingMmr;
    /// assert_eq!("".parse::<T38FaxTranscodingMmr>()?, T38FaxTranscodingMmr(true));
    /// # Ok::<(), blether_sip_core::sdp::SdpError>(())
    /// ```
    T38FaxTranscodingMmr, "T38FaxTranscodingMMR"
);
ability!(
    /// Pages can be converted to and from JBIG.
    ///
    /// ```
    /// use blether_sip_core::sdp::attribute::T38FaxTranscodingJbig;
    /// assert_eq!(T38FaxTranscodingJbig(false).to_string(), "0");
    /// ```
    T38FaxTranscodingJbig, "T38FaxTranscodingJBIG"
);

#[cfg(test)]
mod tests {
    use super::super::testing::{check, refused};
    use super::*;

    #[test]
    fn what_gateways_write_is_read() {
        check::<T38FaxRateManagement>("TransferredTCF", "transferredTCF");
        check::<T38FaxUdpEc>("T38UDPFEC ", "t38UDPFEC");
        check::<T38FaxFillBitRemoval>("0", "0");
        check::<T38FaxFillBitRemoval>("1", "");
        assert!(T38FaxUdpEc::is_named("T38FaxUdpEc") && !T38FaxUdpEc::is_named("T38FaxUdp"));
        refused::<T38FaxRateManagement>(&["", "TCF", "localTCF x"]);
        refused::<T38FaxTranscodingMmr>(&["2", "0 1"]);
        refused::<T38MaxBitRate>(&["", "14.4", "-1"]);
    }
}

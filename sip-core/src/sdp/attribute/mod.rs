//! Attributes with a type of their own: the values of `a=` lines.
//!
//! A section gives them by their type: [`MediaDescription::get`](super::MediaDescription::get),
//! [`all`](super::MediaDescription::all), and the same for the session. An attribute that no type here reads is text:
//! [`MediaDescription::attribute`](super::MediaDescription::attribute). The direction of a stream, whose value is its name, is read by
//! [`MediaDescription::direction`](super::MediaDescription::direction).
//!
//! ```
//! use blether_sip_core::sdp::SessionDescription;
//! use blether_sip_core::sdp::attribute::{Candidate, Fmtp, IceUfrag, Mid};
//!
//! let mut description = SessionDescription::parse(
//!     "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\n\
//!      a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\na=mid:0\r\na=ice-ufrag:8hhY\r\n\
//!      a=candidate:1 1 udp 2130706431 203.0.113.141 8998 typ host\r\n",
//! )?;
//! let audio = &mut description.media[0];
//! assert_eq!(audio.get::<Fmtp>().unwrap().number("minptime"), Some(10));
//! assert_eq!(audio.all::<Candidate>().next().unwrap().port, 8998);
//! audio.set(&Mid("a".into()));
//! audio.set(&IceUfrag("9uB6".into()));
//! assert!(description.to_string().contains("\r\na=mid:a\r\na=ice-ufrag:9uB6\r\na=candidate:1 1 udp"));
//! # Ok::<(), blether_sip_core::sdp::SdpError>(())
//! ```

/// Calls a macro with all types of this module that implement [`SdpAttribute`].
macro_rules! for_each_attribute {
    ($call:ident) => {
        $call! {
            BundleOnly
            Candidate
            Category
            Charset
            ConferenceType
            ConnectionReuse
            Content
            Crypto
            EndOfCandidates
            Extmap
            ExtmapAllowMixed
            Fingerprint
            Fmtp
            Framerate
            Group
            IceLite
            IceMismatch
            IceOptions
            IcePacing
            IcePwd
            IceUfrag
            ImageAttr
            Keywords
            Label
            Lang
            MaxMessageSize
            MaxPacketRate
            MaxPtime
            Mid
            Msid
            MsidSemantic
            Orient
            PayloadMap
            Ptime
            Quality
            RemoteCandidates
            Rid
            Rtcp
            RtcpFeedback
            RtcpMux
            RtcpMuxOnly
            RtcpRsize
            SctpMap
            SctpPort
            SdpLang
            Setup
            SilenceSupp
            Simulcast
            SourceFilter
            Ssrc
            SsrcGroup
            T38FaxFillBitRemoval
            T38FaxMaxBuffer
            T38FaxMaxDatagram
            T38FaxMaxIfp
            T38FaxRateManagement
            T38FaxTranscodingJbig
            T38FaxTranscodingMmr
            T38FaxUdpEc
            T38FaxVersion
            T38MaxBitRate
            TlsId
            Tool
        }
    };
}

mod about;
mod candidate;
mod crypto;
mod dtls;
mod extmap;
mod fax;
mod fmtp;
mod group;
mod ice;
mod msid;
mod packet_time;
mod payload;
mod rate;
mod rid;
mod rtcp;
mod rtcp_feedback;
mod sctp;
mod simulcast;
mod source_filter;
mod ssrc;
#[cfg(test)]
mod testing;
mod text_form;
pub(super) mod words;

pub use about::{
    Category, Charset, ConferenceType, Content, ImageAttr, Keywords, Label, Lang, Orient, Quality, SdpLang,
    SilenceSupp, Tool,
};
pub use candidate::Candidate;
pub use crypto::{Crypto, KeyParam, SrtpKey};
pub use dtls::{ConnectionReuse, Fingerprint, Setup, TlsId};
pub use extmap::{Extmap, ExtmapAllowMixed};
pub use fax::{
    T38FaxFillBitRemoval, T38FaxMaxBuffer, T38FaxMaxDatagram, T38FaxMaxIfp, T38FaxRateManagement,
    T38FaxTranscodingJbig, T38FaxTranscodingMmr, T38FaxUdpEc, T38FaxVersion, T38MaxBitRate,
};
pub use fmtp::{Fmtp, TelephoneEvents};
pub use group::{BundleOnly, Group, Mid};
pub use ice::{
    EndOfCandidates, IceLite, IceMismatch, IceOptions, IcePacing, IcePwd, IceUfrag, RemoteCandidate, RemoteCandidates,
};
pub use msid::{Msid, MsidSemantic};
pub use packet_time::{MaxPtime, Ptime};
pub use payload::PayloadMap;
pub use rate::{Framerate, MaxPacketRate};
pub use rid::{Rid, RidDirection};
pub use rtcp::{Rtcp, RtcpMux, RtcpMuxOnly, RtcpRsize};
pub use rtcp_feedback::RtcpFeedback;
pub use sctp::{MaxMessageSize, SctpMap, SctpPort};
pub use simulcast::{Simulcast, SimulcastStream};
pub use source_filter::{FilterMode, SourceFilter};
pub use ssrc::{Ssrc, SsrcGroup};

use alloc::string::String;

use super::SdpError;
use crate::ByteStr;

/// An attribute whose value has a type of its own, which `Display` writes and `FromStr` reads as text, too.
///
/// Whatever a value holds, what is written follows the grammar, on one line: characters that may not stand in a part of the value are left
/// out, and where one must stand and none is left, a placeholder does.
///
/// ```
/// use blether_sip_core::ByteStr;
/// use blether_sip_core::sdp::attribute::SdpAttribute;
/// use blether_sip_core::sdp::{MediaDescription, SdpError};
///
/// /// How loud, in a dialect of our own.
/// struct Loudness(u8);
///
/// impl SdpAttribute for Loudness {
///     const NAME: &'static str = "x-loudness";
///
///     fn parse_value(value: ByteStr) -> Result<Self, SdpError> {
///         let malformed = SdpError::BadAttribute { name: Self::NAME, expected: "a number below 256" };
///         value.trim().parse().map(Loudness).map_err(|_| malformed)
///     }
///
///     fn write(&self, out: &mut String) {
///         out.push_str(&self.0.to_string());
///     }
/// }
///
/// let mut audio = MediaDescription::builder("audio", 4000, "RTP/AVP").format("0").build()?;
/// audio.add(&Loudness(11));
/// assert_eq!(audio.get::<Loudness>().unwrap().0, 11);
/// # Ok::<(), SdpError>(())
/// ```
pub trait SdpAttribute: Sized {
    /// The attribute's name, as it is written.
    const NAME: &'static str;

    /// Whether an attribute of this name is read by this type. Names are case-sensitive; implementations of T.38 do not agree.
    #[must_use]
    fn is_named(name: &str) -> bool {
        name == Self::NAME
    }

    /// Reads what follows the colon; empty if there is no colon.
    ///
    /// # Errors
    /// [`SdpError::BadAttribute`], which says what was expected.
    fn parse_value(value: ByteStr) -> Result<Self, SdpError>;

    /// Appends the value to `out`, without the attribute's name. If that is nothing, the attribute is written without a colon.
    fn write(&self, out: &mut String);
}

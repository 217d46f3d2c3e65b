//! What the parameters of a SIP URI mean, whatever their case and escapes (RFC 3261 §19.1.1 and others).

use alloc::borrow::Cow;
use core::fmt;
use core::str::FromStr;

use super::{SipUri, escape};
use crate::{ByteStr, Host, InvalidText, Method, StatusCode, grammar};

/// What is to carry requests to a SIP URI: its `transport` parameter (RFC 3261 §19.1.1).
///
/// ```
/// use blether_sip_core::{SipUri, TransportParam};
///
/// let uri: SipUri = "sip:a@example.com;Transport=TCP".parse()?;
/// assert_eq!(uri.transport(), Some(TransportParam::Tcp));
/// assert_eq!(TransportParam::new("carrier-pigeon").as_str(), "carrier-pigeon");
/// # Ok::<(), blether_sip_core::UriError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransportParam {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
    /// SCTP.
    Sctp,
    /// TLS over TCP; RFC 3261 §26.2.2 prefers `sips` or TCP to it.
    Tls,
    /// `WebSocket`, secured or not (RFC 7118 §5.2).
    Ws,
    /// Any other, in lower case.
    Other(ByteStr),
}

impl TransportParam {
    /// The transport of this name, in any case.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let known = [Self::Udp, Self::Tcp, Self::Sctp, Self::Tls, Self::Ws];
        let found = known.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(name));
        found.unwrap_or_else(|| Self::Other(name.to_ascii_lowercase().into()))
    }

    /// The name, in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Sctp => "sctp",
            Self::Tls => "tls",
            Self::Ws => "ws",
            Self::Other(name) => name,
        }
    }
}

impl fmt::Display for TransportParam {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for TransportParam {
    type Err = InvalidText;

    /// Reads a token (RFC 3261 §25.1: `transport-param`), in any case.
    fn from_str(name: &str) -> Result<Self, InvalidText> {
        if grammar::is_token(name) { Ok(TransportParam::new(name)) } else { Err(InvalidText::Transport) }
    }
}

/// What makes a SIP URI one of a single user agent wherever it is: its `gr` parameter (RFC 5627 §3.1).
///
/// ```
/// use blether_sip_core::{Gruu, SipUri};
///
/// let uri: SipUri = "sip:callee@example.com;gr=urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6".parse()?;
/// assert_eq!(uri.gruu(), Some(Gruu::Public("urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6".into())));
/// assert_eq!("sip:tgruu.7hs==jd7vnzga5w7fajsc7-ajd6fabz0f8g5@example.com;gr".parse::<SipUri>()?.gruu(), Some(Gruu::Temporary));
/// # Ok::<(), blether_sip_core::UriError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Gruu<'a> {
    /// It has the value given here, mostly the instance ID, and shows the address of record.
    Public(Cow<'a, str>),
    /// It has no value, and the user shows nothing.
    Temporary,
}

impl SipUri {
    /// The URI parameter `name`, whose name and value may be escaped (RFC 3261 §19.1.4): `None` if absent, `Some(None)` if
    /// it has no value. What is not UTF-8 without its escapes reads as U+FFFD.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<Option<Cow<'_, str>>> {
        let (_, value) = self.params.iter().find(|(other, _)| escape::is_named(other, name))?;
        Some(value.filter(|value| !value.is_empty()).map(|value| escape::unescaped_lossy(value)))
    }

    /// The value of [`SipUri::param`]; `None` if it is absent or has none.
    #[must_use]
    pub fn param_value(&self, name: &str) -> Option<Cow<'_, str>> {
        self.param(name)?
    }

    fn param_is(&self, name: &str, value: &str) -> bool {
        self.param_value(name).is_some_and(|found| found.eq_ignore_ascii_case(value))
    }

    /// The `transport`, if it is given. By default it is found as RFC 3263 §4.1 says.
    #[must_use]
    pub fn transport(&self) -> Option<TransportParam> {
        self.param_value("transport").map(|name| TransportParam::new(&name))
    }

    /// Whether it is of a proxy that routes loosely: `lr`, without a value or with any (RFC 3261 §19.1.1).
    #[must_use]
    pub fn is_loose_router(&self) -> bool {
        self.param("lr").is_some()
    }

    /// Where to send instead of to the host: `maddr` (RFC 3261 §19.1.1).
    #[must_use]
    pub fn maddr(&self) -> Option<Host> {
        Host::parse(&self.param_value("maddr")?)
    }

    /// How many routers a multicast datagram may pass: `ttl` (RFC 3261 §19.1.1).
    #[must_use]
    pub fn ttl(&self) -> Option<u8> {
        let ttl = self.param_value("ttl")?;
        ttl.bytes().all(|digit| digit.is_ascii_digit()).then(|| ttl.parse().ok())?
    }

    /// Whether the user is a telephone number: `user=phone` (RFC 3261 §19.1.1). [`SipUri::to_tel`] reads it.
    #[must_use]
    pub fn is_phone(&self) -> bool {
        self.param_is("user", "phone")
    }

    /// The method of a request that is made from the URI: `method` (RFC 3261 §19.1.5). `None` if it is no token.
    #[must_use]
    pub fn method(&self) -> Option<Method> {
        self.param_value("method")?.parse().ok()
    }

    /// Whether it takes messages compressed with `SigComp`: `comp=sigcomp` (RFC 3486).
    #[must_use]
    pub fn takes_sigcomp(&self) -> bool {
        self.param_is("comp", "sigcomp")
    }

    /// What makes it a GRUU: `gr` (RFC 5627 §3.1). `None` if it is none.
    #[must_use]
    pub fn gruu(&self) -> Option<Gruu<'_>> {
        Some(self.param("gr")?.map_or(Gruu::Temporary, Gruu::Public))
    }

    /// Whether requests to it go back over the flow it came on: `ob` (RFC 5626 §4.3, §5.1).
    #[must_use]
    pub fn is_outbound(&self) -> bool {
        self.param("ob").is_some()
    }

    /// Whose mailbox a voicemail system is asked for: `target` (RFC 4458 §2.1).
    #[must_use]
    pub fn target(&self) -> Option<Cow<'_, str>> {
        self.param_value("target")
    }

    /// Why a call is sent to voicemail: `cause`, as 486 for busy (RFC 4458 §2.2).
    #[must_use]
    pub fn cause(&self) -> Option<StatusCode> {
        self.param_value("cause")?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> SipUri {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn parameters_mean_what_they_mean_however_they_are_spelt() {
        // RFC 3261 §19.1.1
        let alice = uri("sip:alice@atlanta.com;maddr=239.255.255.1;ttl=15");
        assert_eq!((alice.maddr(), alice.ttl()), (Host::parse("239.255.255.1"), Some(15)));
        assert!(uri("sip:a%3Bb@c;%6C%72").is_loose_router() && uri("sip:b@c;LR=on").is_loose_router());
        assert!(!uri("sip:lr@c;l=r?lr=lr").is_loose_router());
        assert_eq!(uri("sip:b@c;m%61ddr=%5B::1%5D").maddr(), Host::parse("::1"));
        assert_eq!(uri("sip:b@c;maddr=a..b").maddr(), None);
        assert_eq!(uri("sip:b@c;tr%61nsport=%54CP").transport(), Some(TransportParam::Tcp));
        assert_eq!(uri("sip:b@c;transport=TLS-SCTP").transport(), Some(TransportParam::Other("tls-sctp".into())));
        assert_eq!(uri("sip:b@c;transport=").transport(), None);
        assert_eq!(uri("sip:b@c;transport=X").transport().unwrap().to_string(), "x");
        assert_eq!(
            ("Tls".parse(), "a b".parse::<TransportParam>()),
            (Ok(TransportParam::Tls), Err(InvalidText::Transport))
        );
        assert_eq!(uri("sip:b@c;method=REGISTER").method(), Some(Method::Register));
        assert_eq!(uri("sip:b@c;method=%0D%0A").method(), None);
        assert_eq!((uri("sip:b@c;ttl=256").ttl(), uri("sip:b@c;ttl=+1").ttl()), (None, None));
        assert!(uri("sip:b@c;comp=SigComp").takes_sigcomp() && !uri("sip:b@c;comp=other").takes_sigcomp());
        assert!(uri("sip:b@c;user=phone").is_phone() && !uri("sip:b@c;user=ip").is_phone());
        assert!(uri("sip:b@c;ob").is_outbound() && !uri("sip:b@c").is_outbound());
        assert_eq!(uri("sip:b@c;%ff=%ff").param_value("x"), None);
        assert_eq!(uri("sip:b@c;x=%ff").param_value("x").as_deref(), Some("\u{fffd}"));
        assert_eq!(uri("sip:b@c;x=1;X=2").param_value("x").as_deref(), Some("1"));
    }

    #[test]
    fn a_voicemail_uri_says_whose_and_why() {
        // RFC 4458 §2
        let mailbox = uri("sip:voicemail@example.com;target=bob%40example.com;cause=486");
        assert_eq!((mailbox.target().as_deref(), mailbox.cause()), (Some("bob@example.com"), StatusCode::new(486)));
        for odd in ["0486", "48", "+86", "999"] {
            assert_eq!(uri(&format!("sip:v@c;cause={odd}")).cause(), None, "{odd}");
        }
    }
}

//! SIP, SIPS and other URIs (RFC 3261 §19.1).

mod address_of_record;
mod equivalence;
mod escape;
mod known_params;
mod other;
mod part;
mod tel;
mod tel_part;

use alloc::borrow::Cow;
use core::fmt;
use core::net::SocketAddr;
use core::str::FromStr;

pub use address_of_record::AddressOfRecord;
pub use known_params::{Gruu, TransportParam};
pub use tel::{PhoneContext, TelUri};

pub(crate) use part::UriPart;

use crate::class::{LENIENT_USER, OPAQUE, URI_PARAM, USER};
use crate::grammar::MAX_PARAMS;
use crate::{ByteStr, Host, Params};

/// What is wrong with a text that should be a URI.
///
/// ```
/// use blether_sip_core::{SipUri, TelUri, UriError};
///
/// assert_eq!("sip:alice@atlanta.com:65536".parse::<SipUri>(), Err(UriError::HostPort));
/// assert_eq!("tel:+1p22".parse::<TelUri>(), Err(UriError::Number));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// There is no `scheme:` before the rest.
    #[error("expected a URI that starts with its scheme, as in sip:user@host")]
    Scheme,
    /// The user or the password is empty or has a character that must be escaped with `%`.
    #[error("expected a user of visible characters, others escaped as %41, before the @")]
    User,
    /// The host is no name and no address, or the port no number under 65,536.
    #[error("expected a host name or address, and a port under 65536 after its colon")]
    HostPort,
    /// The parameters are not `;name=value`, or there are more than 64.
    #[error("expected at most {MAX_PARAMS} parameters as ;name=value after the host or the number")]
    Params,
    /// What follows the `?` is not `name=value&name=value`.
    #[error("expected headers as name=value&name=value after the question mark")]
    Headers,
    /// A URI of another scheme has a character that no URI has.
    #[error("expected visible characters after the scheme, no quotes or angle brackets, and whole % escapes")]
    Opaque,
    /// What follows `tel:` is no telephone number.
    #[error(
        "expected a telephone number: + and digits, or digits, A to F, * and #, with no more between them than -.()"
    )]
    Number,
    /// A local number has a context that is neither a domain nor the start of a global number.
    #[error("expected a domain or + and digits as the phone-context of a local number")]
    PhoneContext,
}

/// A `sip:` or `sips:` URI (RFC 3261 §19.1.1).
///
/// Its parts are as they were written, escapes included. Two URIs that are `==` are spelt alike;
/// for the comparison of RFC 3261 §19.1.4 there is [`SipUri::equivalent`].
///
/// ```
/// use blether_sip_core::SipUri;
///
/// let uri: SipUri = "sip:%61lice@AtLanTa.CoM;Transport=TCP".parse()?;
/// assert_eq!(uri.user_decoded().as_deref(), Some("alice"));
/// assert!(uri.equivalent(&"sip:alice@atlanta.com;transport=tcp".parse()?));
/// assert_eq!(uri.normalised().to_string(), "sip:alice@atlanta.com;transport=tcp");
/// # Ok::<(), blether_sip_core::UriError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SipUri {
    /// Whether the scheme is `sips`: every hop up to the domain over TLS.
    pub secure: bool,
    /// The user, with its escapes; see [`SipUri::user_decoded`].
    pub user: Option<ByteStr>,
    /// The password, with its escapes. Sending one is recommended against.
    pub password: Option<ByteStr>,
    /// The host.
    pub host: Host,
    /// The port, if it is given.
    pub port: Option<u16>,
    /// The URI parameters, such as `transport` and `lr`.
    pub params: Params,
    /// What stands after the `?`, with its escapes.
    pub headers: Option<ByteStr>,
}

impl SipUri {
    /// A `sip:` URI. In `user`, what may not stand there unescaped is escaped when written; `%` escapes are kept.
    #[must_use]
    pub fn new(user: Option<&str>, host: Host, port: Option<u16>) -> Self {
        let user = user.filter(|user| !user.is_empty()).map(|user| escape::escaped(user, USER).into_owned().into());
        SipUri { secure: false, user, password: None, host, port, params: Params::new(), headers: None }
    }

    /// The user without its escapes; `None` if there is none or if it is not UTF-8 without them.
    #[must_use]
    pub fn user_decoded(&self) -> Option<Cow<'_, str>> {
        escape::unescaped(self.user.as_deref()?)
    }

    fn scheme(&self) -> &'static str {
        if self.secure { "sips" } else { "sip" }
    }

    /// Where the URI points if its host is an address: to its port, or to 5060, 5061 for `sips` (RFC 3261 §19.1.2).
    #[must_use]
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        let port = self.port.unwrap_or(if self.secure { 5061 } else { 5060 });
        self.host.ip().map(|ip| SocketAddr::new(ip, port))
    }

    /// Whether the two URIs mean the same resource by RFC 3261 §19.1.4 and RFC 5954 §4.2.
    ///
    /// This is not transitive, so that no key can stand for it; [`AddressOfRecord`] is one for users.
    #[must_use]
    pub fn equivalent(&self, other: &SipUri) -> bool {
        equivalence::equivalent(self, other)
    }

    /// The URI as whoever reads it understands it, whatever its spelling: host and names in lower case, no escapes but those
    /// that must be, parameters sorted and each once, headers sorted by their long names, addresses as RFC 5952 has them.
    ///
    /// It is [equivalent](SipUri::equivalent) to exactly what the URI is equivalent to; nothing that has a default is
    /// left out or added, since it would not be (RFC 3261 §19.1.4). The form of the form is itself.
    #[must_use]
    pub fn normalised(&self) -> SipUri {
        equivalence::normalised(self)
    }
}

impl FromStr for SipUri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        match text.parse()? {
            Uri::Sip(uri) => Ok(uri),
            Uri::Tel(_) | Uri::Other(_) => Err(UriError::Scheme),
        }
    }
}

impl fmt::Display for SipUri {
    /// Writes the URI; what may not stand in a part is escaped there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.scheme())?;
        if let Some(user) = self.user.as_deref().filter(|user| !user.is_empty()) {
            f.write_str(&escape::escaped(user, LENIENT_USER))?;
            if let Some(password) = &self.password {
                write!(f, ":{}", escape::escaped(password, LENIENT_USER))?;
            }
            f.write_str("@")?;
        }
        write!(f, "{}", self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        for (name, value) in self.params.iter().filter(|(name, _)| !name.is_empty()) {
            write!(f, ";{}", escape::escaped(name, URI_PARAM))?;
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                write!(f, "={}", escape::escaped(value, URI_PARAM))?;
            }
        }
        match self.headers.as_deref() {
            Some(headers) if part::is_headers(headers) => write!(f, "?{headers}"),
            _ => Ok(()),
        }
    }
}

/// A URI of any scheme.
///
/// ```
/// use blether_sip_core::Uri;
///
/// let sos: Uri = "urn:service:sos".parse()?;
/// assert_eq!((sos.scheme(), sos.as_sip(), sos.as_tel()), ("urn", None, None));
/// assert!(sos.equivalent(&"URN:Service:SOS".parse()?));
/// assert_eq!("tel:+1-201-555-0123".parse::<Uri>()?.as_tel().unwrap().digits(), "+12015550123");
/// # Ok::<(), blether_sip_core::UriError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Uri {
    /// A `sip:` or `sips:` URI.
    Sip(SipUri),
    /// A `tel:` URI.
    Tel(TelUri),
    /// A URI of another scheme as it was written, or a `tel:` URI that is no telephone number.
    Other(ByteStr),
}

impl Uri {
    /// The SIP or SIPS URI; `None` if the scheme is another (a request to it is answered 416).
    #[must_use]
    pub fn as_sip(&self) -> Option<&SipUri> {
        if let Uri::Sip(uri) = self { Some(uri) } else { None }
    }

    /// The telephone number; `None` if it is a URI of another kind.
    #[must_use]
    pub fn as_tel(&self) -> Option<&TelUri> {
        if let Uri::Tel(uri) = self { Some(uri) } else { None }
    }

    /// The scheme, without its colon. That of [`Uri::Other`] is in the case in which it was written.
    #[must_use]
    pub fn scheme(&self) -> &str {
        match self {
            Uri::Sip(uri) => uri.scheme(),
            Uri::Tel(_) => "tel",
            Uri::Other(text) => other::scheme(text).unwrap_or("invalid"),
        }
    }

    /// Whether the two URIs mean the same: by RFC 3261 §19.1.4 for SIP, by RFC 3966 §4 for telephone numbers, else by
    /// RFC 3986 §6.2.2, with escapes and the case of schemes, hosts and the names of URNs ignored.
    #[must_use]
    pub fn equivalent(&self, other: &Uri) -> bool {
        match (self, other) {
            (Uri::Sip(a), Uri::Sip(b)) => a.equivalent(b),
            (Uri::Tel(a), Uri::Tel(b)) => a.equivalent(b),
            (Uri::Other(a), Uri::Other(b)) => a == b || other::normalised(a) == other::normalised(b),
            _ => false,
        }
    }

    /// The URI in the form of its kind that does not depend on its spelling: see [`SipUri::normalised`] and
    /// [`TelUri::normalised`]. It is equivalent to what the URI is equivalent to.
    #[must_use]
    pub fn normalised(&self) -> Uri {
        match self {
            Uri::Sip(uri) => Uri::Sip(uri.normalised()),
            Uri::Tel(uri) => Uri::Tel(uri.normalised()),
            Uri::Other(text) => Uri::Other(other::normalised(text).into()),
        }
    }

    /// Reads a URI, sharing the memory of `text`.
    ///
    /// # Errors
    ///
    /// [`UriError`] names the part that is wrong.
    pub fn parse(text: &ByteStr) -> Result<Uri, UriError> {
        Uri::parse_part(text, text)
    }

    /// Reads the URI `text`, which was cut out of `whole`.
    pub(crate) fn parse_part(whole: &ByteStr, text: &str) -> Result<Uri, UriError> {
        UriPart::read(text).map(|part| part.to_uri(whole))
    }
}

impl From<SipUri> for Uri {
    fn from(uri: SipUri) -> Self {
        Uri::Sip(uri)
    }
}

impl From<TelUri> for Uri {
    fn from(uri: TelUri) -> Self {
        Uri::Tel(uri)
    }
}

impl FromStr for Uri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        Uri::parse(&text.into())
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Uri::Sip(uri) => uri.fmt(f),
            Uri::Tel(uri) => uri.fmt(f),
            Uri::Other(text) => {
                let text = escape::escaped(text, OPAQUE);
                // A text without a scheme, which no parser made, would not read back as a URI.
                let is_uri = text.parse::<Uri>().is_ok();
                if is_uri {
                    f.write_str(&text)
                } else {
                    write!(f, "invalid:{}", if text.is_empty() { "uri" } else { &text })
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;

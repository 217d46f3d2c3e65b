//! SIP, SIPS and other URIs (RFC 3261 §19.1).

mod address_of_record;
pub(crate) mod embedded;
mod equivalence;
mod escape;
mod part;

use alloc::borrow::Cow;
use core::fmt;
use core::net::SocketAddr;
use core::str::FromStr;

pub use address_of_record::AddressOfRecord;

pub(crate) use part::{UriPart, deviations};

use crate::class::{LENIENT_USER, OPAQUE, URI_PARAM, USER};
use crate::grammar::MAX_PARAMS;
use crate::{ByteStr, Host, Params};

/// What is wrong with a text that should be a URI.
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
    #[error("expected at most {MAX_PARAMS} parameters as ;name=value after the host")]
    Params,
    /// What follows the `?` is not `name=value&name=value`.
    #[error("expected headers as name=value&name=value after the question mark")]
    Headers,
    /// A URI of another scheme has a character that no URI has.
    #[error("expected visible characters after the scheme, no quotes or angle brackets, and whole % escapes")]
    Opaque,
}

/// A `sip:` or `sips:` URI (RFC 3261 §19.1.1).
///
/// Its parts are as they were written, escapes included. Two URIs that are `==` are spelt alike;
/// for the comparison of RFC 3261 §19.1.4 there is [`SipUri::equivalent`].
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

    /// Where the URI points if its host is an address: to its port, or to 5060, 5061 for `sips` (RFC 3261 §19.1.2).
    #[must_use]
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        let port = self.port.unwrap_or(if self.secure { 5061 } else { 5060 });
        self.host.ip().map(|ip| SocketAddr::new(ip, port))
    }

    /// Whether the two URIs mean the same resource by RFC 3261 §19.1.4. This is not transitive.
    #[must_use]
    pub fn equivalent(&self, other: &SipUri) -> bool {
        equivalence::equivalent(self, other)
    }
}

impl FromStr for SipUri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        match text.parse()? {
            Uri::Sip(uri) => Ok(uri),
            Uri::Other(_) => Err(UriError::Scheme),
        }
    }
}

impl fmt::Display for SipUri {
    /// Writes the URI; what may not stand in a part is escaped there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.secure { "sips:" } else { "sip:" })?;
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
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Uri {
    /// A `sip:` or `sips:` URI.
    Sip(SipUri),
    /// A URI of another scheme, such as `tel:`, as it was written.
    Other(ByteStr),
}

impl Uri {
    /// The SIP or SIPS URI; `None` if the scheme is another (a request to it is answered 416).
    #[must_use]
    pub fn as_sip(&self) -> Option<&SipUri> {
        match self {
            Uri::Sip(uri) => Some(uri),
            Uri::Other(_) => None,
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

//! SIP, SIPS and other URIs (RFC 3261 §19.1).

mod address_of_record;
mod equivalence;
mod escape;

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use memchr::memchr;
use nom::Parser;
use nom::bytes::complete::take_while1;

pub use address_of_record::AddressOfRecord;

use crate::grammar::{self, MAX_PARAMS, Parsed};
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
        let user = user
            .filter(|user| !user.is_empty())
            .map(|user| escape::escaped(user, escape::is_user_char).into_owned().into());
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

    fn parse(whole: &ByteStr, secure: bool, rest: &str) -> Result<SipUri, UriError> {
        let (user_info, rest) = match memchr(b'@', rest.as_bytes()).and_then(|at| rest.split_at_checked(at)) {
            Some((user_info, rest)) => (Some(user_info), rest.strip_prefix('@').unwrap_or_default()),
            None => (None, rest),
        };
        let (user, password) = match user_info {
            Some(text) => {
                let (user, password) = text.split_once(':').map_or((text, None), |(user, word)| (user, Some(word)));
                let valid = !user.is_empty()
                    && escape::is_valid(user, escape::is_lenient_user_char)
                    && password.is_none_or(|word| escape::is_valid(word, escape::is_lenient_user_char));
                if !valid {
                    return Err(UriError::User);
                }
                (Some(whole.share(user)), password.map(|word| whole.share(word)))
            }
            None => (None, None),
        };
        let (rest, host) = Host::parse_prefix(whole, rest).map_err(|_| UriError::HostPort)?;
        let (rest, port) = match rest.strip_prefix(':') {
            Some(rest) => grammar::number::<u16>(rest).map(|(rest, port)| (rest, Some(port))),
            None => Ok((rest, None)),
        }
        .map_err(|_| UriError::HostPort)?;
        let (rest, params) = uri_params(whole, rest).map_err(|_| UriError::Params)?;
        let headers = match rest.strip_prefix('?') {
            Some(headers) if is_headers(headers) => Some(whole.share(headers)),
            Some(_) => return Err(UriError::Headers),
            None if rest.is_empty() => None,
            None if rest.starts_with(';') => return Err(UriError::Params),
            None => return Err(UriError::HostPort),
        };
        Ok(SipUri { secure, user, password, host, port, params, headers })
    }
}

/// `uri-parameters`, without the white space that header parameters may have.
fn uri_params<'a>(whole: &ByteStr, input: &'a str) -> Parsed<'a, Params> {
    let word = |input| take_while1::<_, &str, ()>(escape::is_param_char).parse(input);
    let mut params = Params::new();
    let mut rest = input;
    while let Some(after) = rest.strip_prefix(';') {
        let (after, name) = word(after)?;
        let (after, value) = match after.strip_prefix('=') {
            // `;name=` is written by some phones and means no value.
            Some(after) => word(after).map_or((after, None), |(after, value)| (after, Some(value))),
            None => (after, None),
        };
        let valid = |text: &str| escape::is_valid(text, escape::is_param_char);
        if params.len() == MAX_PARAMS || !valid(name) || !value.is_none_or(valid) {
            return grammar::no_match();
        }
        params.append(whole.share(name), value.map(|value| (whole.share(value), false)));
        rest = after;
    }
    Ok((rest, params))
}

fn is_headers(text: &str) -> bool {
    text.split('&').all(|header| {
        header.split_once('=').is_some_and(|(name, value)| {
            !name.is_empty()
                && escape::is_valid(name, escape::is_header_char)
                && escape::is_valid(value, escape::is_header_char)
        })
    })
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
            f.write_str(&escape::escaped(user, escape::is_lenient_user_char))?;
            if let Some(password) = &self.password {
                write!(f, ":{}", escape::escaped(password, escape::is_lenient_user_char))?;
            }
            f.write_str("@")?;
        }
        write!(f, "{}", self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        for (name, value) in self.params.iter().filter(|(name, _)| !name.is_empty()) {
            write!(f, ";{}", escape::escaped(name, escape::is_param_char))?;
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                write!(f, "={}", escape::escaped(value, escape::is_param_char))?;
            }
        }
        match self.headers.as_deref() {
            Some(headers) if is_headers(headers) => write!(f, "?{headers}"),
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
        let (scheme, rest) = text.split_once(':').ok_or(UriError::Scheme)?;
        if scheme.eq_ignore_ascii_case("sip") {
            return SipUri::parse(whole, false, rest).map(Uri::Sip);
        }
        if scheme.eq_ignore_ascii_case("sips") {
            return SipUri::parse(whole, true, rest).map(Uri::Sip);
        }
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
        if !is_scheme {
            return Err(UriError::Scheme);
        }
        if rest.is_empty() || !escape::is_valid(rest, escape::is_opaque_char) {
            return Err(UriError::Opaque);
        }
        Ok(Uri::Other(whole.share(text)))
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
                let text = escape::escaped(text, escape::is_opaque_char);
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

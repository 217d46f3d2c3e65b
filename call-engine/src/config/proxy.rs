//! What is forwarded by the proxy: the sections `[[proxy]]`.

use std::fmt;
use std::time::Duration;

use blether_sip_core::{Host, SipUri, Uri};

use super::value::ValueError;
use crate::pattern::Pattern;
use crate::proxy::Fork;

/// One `[[proxy]]`: requests that are forwarded (RFC 3261 §16) where others end here and begin anew, as calls do between extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyConfig {
    /// Which requests.
    pub what: Proxied,
    /// Where they go.
    pub to: ProxyTo,
    /// In which order several targets are tried. Default: by preference (`q`), equals at once.
    pub fork: Fork,
    /// How long those that are tried at once may ring. Default: 60 s, as for calls.
    pub ring_timeout: Duration,
    /// How long a branch may stay without a final response after its last provisional one. Default: 181 s, since RFC 3261 §16.6 wants more than 3 minutes.
    pub timer_c: Duration,
    /// Whether the sender has to have an account. Default: yes.
    pub authenticate: bool,
    /// Whether nothing is remembered of what is forwarded (RFC 3261 §16.11). Default: no.
    pub stateless: bool,
}

impl ProxyConfig {
    /// The defaults, for these requests and targets.
    pub fn new(what: Proxied, to: ProxyTo) -> Self {
        Self {
            what,
            to,
            fork: Fork::default(),
            ring_timeout: Duration::from_secs(60),
            timer_c: Duration::from_secs(181),
            authenticate: true,
            stateless: false,
        }
    }
}

impl ProxyConfig {
    /// Whether a server that it sends to has a name.
    #[cfg(feature = "dns")]
    pub(crate) fn has_names(&self) -> bool {
        matches!(&self.to, ProxyTo::Servers(servers) if servers.iter().any(is_named))
    }
}

impl fmt::Display for ProxyConfig {
    /// Writes it as `call-engine check` shows it: `2XX to the phones of the user, by-preference`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            Proxied::Dialled(pattern) => write!(f, "{} to ", pattern.as_str())?,
            Proxied::Domain(domain) => write!(f, "{domain} to ")?,
        }
        match &self.to {
            ProxyTo::Phones => f.write_str("the phones of the user")?,
            ProxyTo::Servers(servers) => {
                let servers: Vec<_> = servers.iter().map(ToString::to_string).collect();
                f.write_str(&servers.join(", "))?;
            }
        }
        write!(f, ", {}", self.fork)?;
        f.write_str(if self.stateless { ", without state" } else { "" })?;
        f.write_str(if self.authenticate { "" } else { ", for anybody" })
    }
}

/// Which requests a `[[proxy]]` takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proxied {
    /// Those to users of this server whom the pattern matches; the narrowest pattern wins, and any wins over an extension of that name.
    Dialled(Pattern),
    /// Those to users of another server's domain.
    Domain(Host),
}

/// Where a `[[proxy]]` sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyTo {
    /// To the registered phones of the user.
    Phones,
    /// To these servers. Of a [`Proxied::Dialled`] the Request-URI gets their address, of a [`Proxied::Domain`] it stays.
    Servers(Vec<SipUri>),
}

impl ProxyTo {
    /// What stands in the configuration: the word `phones`, or URIs.
    pub(super) fn parse(items: &[String]) -> Result<Self, ValueError> {
        if let [word] = items
            && word == "phones"
        {
            return Ok(Self::Phones);
        }
        if items.is_empty() {
            return Err(ValueError::NoTarget);
        }
        items.iter().map(|item| server(item)).collect::<Result<_, _>>().map(Self::Servers)
    }
}

/// Whether where a URI leads has to be asked for (RFC 3263 §4.2).
pub(super) fn is_named(uri: &SipUri) -> bool {
    uri.maddr().unwrap_or_else(|| uri.host.clone()).ip().is_none()
}

/// The URI of a server: `sip`, without a user.
fn server(text: &str) -> Result<SipUri, ValueError> {
    match text.parse::<Uri>() {
        Ok(Uri::Sip(uri)) if !uri.secure && uri.user.is_none() && uri.headers.is_none() => {
            if is_named(&uri) && !cfg!(feature = "dns") {
                return Err(ValueError::NoNames(text.to_owned()));
            }
            Ok(uri)
        }
        _ => Err(ValueError::ProxyTarget(text.to_owned())),
    }
}

/// The URI of a proxy by which phones are to send: one that routes loosely (RFC 3608 §6.1).
pub(super) fn loose_router(text: &str) -> Result<SipUri, ValueError> {
    match text.parse::<SipUri>() {
        Ok(uri) if uri.is_loose_router() && uri.headers.is_none() => Ok(uri),
        _ => Err(ValueError::LooseRouter(text.to_owned())),
    }
}

pub(super) fn pattern(text: &str) -> Result<Pattern, ValueError> {
    text.parse().map_err(ValueError::Pattern)
}

pub(super) fn fork(text: &str) -> Result<Fork, ValueError> {
    Fork::parse(text).ok_or_else(|| ValueError::Word { found: text.to_owned(), known: Fork::NAMES })
}

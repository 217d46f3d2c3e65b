//! Who a phone is, and whom it registers with.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use blether_session_core::ClientCredentials;
use blether_sip_core::{Host, NameAddr, SipUri, TelUri, Uri};
use blether_sip_transport::resolve::{Destination, DestinationHost};

/// An account at a SIP server.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// The user part of the address of record, and the name to authenticate with.
    pub user: String,
    /// The password. Never shown by `Debug`.
    pub password: String,
    /// The host part of the address of record; the server's address where it has no name.
    pub domain: Host,
    /// Where requests go: the registrar, which is the outbound proxy too. Of a name, every server that DNS names is tried (RFC 3263).
    pub server: Destination,
    /// The name that others are shown.
    pub display_name: Option<String>,
    /// How long a registration is asked for. Default: 10 minutes; the phone renews it before it ends.
    pub expires: Duration,
}

impl Account {
    /// An account at `server`, whose address is its domain.
    pub fn new(user: impl Into<String>, password: impl Into<String>, server: SocketAddr) -> Self {
        Self::at(user, password, server.into())
    }

    /// An account at `server`, whose name or address is its domain.
    pub fn at(user: impl Into<String>, password: impl Into<String>, server: Destination) -> Self {
        let domain = match &server.host {
            DestinationHost::Address(address) => Host::from(*address),
            DestinationHost::Name(name) => Host::Name(name.as_str().into()),
        };
        Self {
            user: user.into(),
            password: password.into(),
            domain,
            server,
            display_name: None,
            expires: Duration::from_secs(600),
        }
    }

    /// The address of record (RFC 3261 §6).
    pub fn address_of_record(&self) -> SipUri {
        self.uri_of(&self.user)
    }

    /// The URI of another user of the same server. A domain that is the server's own address carries its port, too: without it, the URI
    /// would name whoever listens on 5060.
    pub(crate) fn uri_of(&self, user: &str) -> SipUri {
        let port = match self.server.host {
            DestinationHost::Address(address) if self.domain == Host::from(address) => {
                self.server.port.filter(|port| *port != 5060)
            }
            _ => None,
        };
        SipUri::new(Some(user), self.domain.clone(), port)
    }

    /// How this account calls itself in From.
    pub(crate) fn identity(&self) -> NameAddr {
        let identity = NameAddr::new(self.address_of_record());
        match &self.display_name {
            Some(name) => identity.with_display_name(name),
            None => identity,
        }
    }

    pub(crate) fn credentials(&self) -> ClientCredentials {
        ClientCredentials::with_password(&self.user, &self.password)
    }

    /// What to dial when a person has typed `text`: a SIP URI as it is, the number of a `tel:` URI or anything else as a user of the
    /// account's server.
    ///
    /// # Errors
    ///
    /// [`BadTarget`], when it is none of these.
    pub fn target(&self, text: &str) -> Result<Uri, BadTarget> {
        let malformed = || BadTarget::Malformed(text.to_owned());
        let (scheme, _) = text.split_once(':').unwrap_or(("", text));
        if scheme.eq_ignore_ascii_case("sips") {
            return Err(BadTarget::NeedsTls(text.to_owned()));
        }
        if scheme.eq_ignore_ascii_case("sip") {
            return text.parse().map_err(|_| malformed());
        }
        if text.contains('@') {
            return format!("sip:{text}").parse().map_err(|_| malformed());
        }
        if scheme.eq_ignore_ascii_case("tel") {
            let server = self.uri_of("");
            let number: TelUri = text.parse().map_err(|_| malformed())?;
            return Ok(Uri::from(SipUri { port: server.port, ..number.normalised().to_sip(server.host) }));
        }
        let user = text;
        if user.is_empty() || user.chars().any(|c| c.is_whitespace() || c.is_control() || c == ':') {
            return Err(malformed());
        }
        Ok(Uri::from(self.uri_of(user)))
    }
}

/// What cannot be called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadTarget {
    /// Neither a SIP URI nor a name or number.
    #[error("cannot call {0:?}: give a number, a name, or an address such as sip:bob@192.0.2.7")]
    Malformed(String),
    /// A `sips:` URI: every hop to it must be TLS (RFC 3261 §26.2.2), which this phone does not have.
    #[error("cannot call {0:?}: sips needs TLS, which this phone does not have; try sip: in its place")]
    NeedsTls(String),
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("user", &self.user)
            .field("domain", &self.domain)
            .field("server", &self.server)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_types_becomes_an_address() {
        let account = Account::new("alice", "secret", "192.0.2.1:5070".parse().unwrap());
        for (typed, uri) in [
            ("101", "sip:101@192.0.2.1:5070"),
            ("*43", "sip:*43@192.0.2.1:5070"),
            ("bob@example.org", "sip:bob@example.org"),
            ("sip:bob@example.org;transport=udp", "sip:bob@example.org;transport=udp"),
            ("SIP:bob@example.org", "sip:bob@example.org"),
            ("tel:+49-20;ext=7", "sip:+4920;ext=7@192.0.2.1:5070;user=phone"),
            ("#31#", "sip:%2331%23@192.0.2.1:5070"),
        ] {
            assert_eq!(account.target(typed).unwrap().to_string(), uri, "{typed}");
        }
        for typed in ["", "two words", "sip:", "a\r\nb", "tel:", "http://example.org"] {
            assert_eq!(account.target(typed), Err(BadTarget::Malformed(typed.to_owned())));
        }
        assert!(matches!(account.target("sips:bob@example.org"), Err(BadTarget::NeedsTls(_))));
    }

    #[test]
    fn a_password_is_not_shown() {
        let account = Account::new("alice", "secret", "192.0.2.1:5060".parse().unwrap());
        assert!(!format!("{account:?}").contains("secret"));
    }
}

use core::convert::Infallible;
use core::fmt;
use core::str::FromStr;

use crate::ByteStr;
use crate::grammar;

/// What a request asks for (RFC 3261 §7.1); compared case-sensitively, as methods are.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Method {
    /// Starts or changes a session (RFC 3261 §13).
    Invite,
    /// Confirms the final response to an INVITE (RFC 3261 §13.2.2.4, §17.1.1.3).
    Ack,
    /// Ends a session (RFC 3261 §15).
    Bye,
    /// Gives up a pending request (RFC 3261 §9).
    Cancel,
    /// Binds contacts to an address of record (RFC 3261 §10).
    Register,
    /// Asks for capabilities (RFC 3261 §11).
    Options,
    /// Carries information within a session (RFC 6086).
    Info,
    /// Changes a session before or after it is answered (RFC 3311).
    Update,
    /// Acknowledges a provisional response (RFC 3262).
    Prack,
    /// Asks the peer to send a request elsewhere (RFC 3515).
    Refer,
    /// Asks for notifications (RFC 6665).
    Subscribe,
    /// Notifies a subscriber (RFC 6665).
    Notify,
    /// Publishes event state (RFC 3903).
    Publish,
    /// Carries an instant message (RFC 3428).
    Message,
    /// Any other method, as written.
    Extension(ByteStr),
}

impl Method {
    /// The method as it stands in a request line.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Method::Invite => "INVITE",
            Method::Ack => "ACK",
            Method::Bye => "BYE",
            Method::Cancel => "CANCEL",
            Method::Register => "REGISTER",
            Method::Options => "OPTIONS",
            Method::Info => "INFO",
            Method::Update => "UPDATE",
            Method::Prack => "PRACK",
            Method::Refer => "REFER",
            Method::Subscribe => "SUBSCRIBE",
            Method::Notify => "NOTIFY",
            Method::Publish => "PUBLISH",
            Method::Message => "MESSAGE",
            Method::Extension(name) => name,
        }
    }

    pub(crate) fn known(name: &str) -> Option<Method> {
        Method::known_bytes(name.as_bytes())
    }

    #[inline]
    pub(crate) fn known_bytes(name: &[u8]) -> Option<Method> {
        Some(match name {
            b"INVITE" => Method::Invite,
            b"ACK" => Method::Ack,
            b"BYE" => Method::Bye,
            b"CANCEL" => Method::Cancel,
            b"REGISTER" => Method::Register,
            b"OPTIONS" => Method::Options,
            b"INFO" => Method::Info,
            b"UPDATE" => Method::Update,
            b"PRACK" => Method::Prack,
            b"REFER" => Method::Refer,
            b"SUBSCRIBE" => Method::Subscribe,
            b"NOTIFY" => Method::Notify,
            b"PUBLISH" => Method::Publish,
            b"MESSAGE" => Method::Message,
            _ => return None,
        })
    }

    /// Reads `name`, which was cut out of `whole`; `None` if it is no token (RFC 3261 §25.1).
    pub(crate) fn read(whole: &ByteStr, name: &str) -> Option<Method> {
        Method::known(name).or_else(|| grammar::is_token(name).then(|| Method::Extension(whole.share(name))))
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Method {
    type Err = Infallible;

    /// Reads a method. A name that is no token becomes an [`Method::Extension`] that no builder accepts.
    fn from_str(name: &str) -> Result<Self, Infallible> {
        Ok(Method::known(name).unwrap_or_else(|| Method::Extension(name.into())))
    }
}

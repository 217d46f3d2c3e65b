//! Why a connection ends.

use std::io;

/// Why a connection is no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// The peer closed it.
    #[error("the peer closed it")]
    Peer,
    /// Nothing went by it for [`ConnectionLimits::idle_timeout`](crate::ConnectionLimits::idle_timeout), or a message was not whole in
    /// [`ConnectionLimits::message_timeout`](crate::ConnectionLimits::message_timeout).
    #[error("it was idle")]
    Idle,
    /// Another one needed its place.
    #[error("it made room for another")]
    Evicted,
    /// The peer does not take what is written: [`ConnectionLimits::write_timeout`](crate::ConnectionLimits::write_timeout) or
    /// [`ConnectionLimits::max_queued`](crate::ConnectionLimits::max_queued).
    #[error("the peer does not read")]
    Stalled,
    /// What it sent could not be cut into messages.
    #[error("what came by it is no sequence of messages")]
    Framing,
    /// It could not be opened.
    #[error("it could not be opened: {0}")]
    NotOpened(io::ErrorKind),
    /// It was to be a TLS connection, and did not become one: no message has gone by it.
    #[error("its TLS handshake failed: {0}")]
    Handshake(HandshakeFailure),
    /// It broke.
    #[error("it broke: {0}")]
    Broken(io::ErrorKind),
    /// The endpoint stops.
    #[error("the endpoint stops")]
    Stopped,
}

/// Why a connection did not become a TLS connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeFailure {
    /// It took longer than [`ConnectionLimits::handshake_timeout`](crate::ConnectionLimits::handshake_timeout).
    #[error("it took too long")]
    TimedOut,
    /// What the peer sent is no TLS.
    #[error("the peer does not speak TLS")]
    NotTls,
    /// No version of TLS and no algorithm that both sides have. In TLS 1.2, some servers say the same to who shows no certificate.
    #[error("no version of TLS, or no algorithm, is good enough for both sides")]
    Incompatible,
    /// The peer has shown no certificate, and needs one.
    #[error("the peer has no certificate")]
    NoCertificate,
    /// The certificate of the peer is not accepted.
    #[error("the certificate of the peer is not accepted: {0}")]
    Certificate(CertificateFault),
    /// The peer does not accept our certificate, or asks for one.
    #[error("the peer does not accept our certificate")]
    Refused,
    /// The peer broke the protocol, or gave up.
    #[error("the peer broke off")]
    Protocol,
    /// The connection beneath broke.
    #[error("the connection broke: {0}")]
    Broken(io::ErrorKind),
}

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateFault {
    /// It was valid until some time before now; or a clock is wrong.
    #[error("it has expired")]
    Expired,
    /// It will be valid; or a clock is wrong.
    #[error("it is not valid yet")]
    NotYetValid,
    /// None of the authorities that are believed has issued it, or a certificate between is missing.
    #[error("nobody who is believed here has issued it")]
    UnknownIssuer,
    /// It does not name the domain that was asked for, as RFC 5922 §7 wants it: as `sip:example.com`, or where there is no such URI, as the DNS name
    /// `example.com`; `*.example.com` names nobody.
    #[error("it is not for this domain")]
    OtherName,
    /// It says that it is not for servers, or not for clients.
    #[error("it is for another purpose")]
    OtherPurpose,
    /// It is broken, wrongly signed, or of a kind that is not supported.
    #[error("it is broken, or of a kind that is not supported")]
    Unusable,
}

impl HandshakeFailure {
    /// A name for counters.
    #[cfg(feature = "tls")]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::TimedOut => "timed_out",
            Self::NotTls => "not_tls",
            Self::Incompatible => "incompatible",
            Self::NoCertificate => "no_certificate",
            Self::Certificate(CertificateFault::Expired) => "certificate_expired",
            Self::Certificate(CertificateFault::UnknownIssuer) => "certificate_unknown_issuer",
            Self::Certificate(CertificateFault::OtherName) => "certificate_other_name",
            Self::Certificate(_) => "certificate",
            Self::Refused => "refused",
            Self::Protocol => "protocol",
            Self::Broken(_) => "broken",
        }
    }

    /// What this is to a transaction.
    fn kind(self) -> io::ErrorKind {
        match self {
            Self::TimedOut => io::ErrorKind::TimedOut,
            Self::NotTls | Self::Incompatible | Self::Protocol => io::ErrorKind::InvalidData,
            Self::NoCertificate | Self::Certificate(_) | Self::Refused => io::ErrorKind::PermissionDenied,
            Self::Broken(kind) => kind,
        }
    }
}

impl CloseReason {
    /// A name for counters.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Idle => "idle",
            Self::Evicted => "evicted",
            Self::Stalled => "stalled",
            Self::Framing => "framing",
            Self::NotOpened(_) => "not_opened",
            Self::Handshake(_) => "handshake",
            Self::Broken(_) => "broken",
            Self::Stopped => "stopped",
        }
    }

    /// Whether what could not be written may find its peer by another connection.
    pub(super) fn lets_be_reached(self) -> bool {
        matches!(self, Self::Peer | Self::Idle | Self::Evicted | Self::Handshake(_) | Self::Broken(_))
    }

    /// What this is to a transaction that had something on its way by the connection (RFC 3261 §17.1.4).
    pub fn kind(self) -> io::ErrorKind {
        match self {
            Self::NotOpened(kind) | Self::Broken(kind) => kind,
            Self::Handshake(failure) => failure.kind(),
            Self::Peer | Self::Framing => io::ErrorKind::ConnectionReset,
            Self::Stalled => io::ErrorKind::TimedOut,
            Self::Idle | Self::Evicted | Self::Stopped => io::ErrorKind::ConnectionAborted,
        }
    }
}

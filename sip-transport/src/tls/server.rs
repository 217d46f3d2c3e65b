//! The side that is connected to.

use std::fmt;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::server::{NoClientAuth, WebPkiClientVerifier};
use rustls::{AlertDescription, CertificateError, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsStream};

use super::{CertificateChain, TlsError, TrustAnchors, VERSIONS, provider};
use crate::{CertificateFault, HandshakeFailure};

/// What may wait in a connection to be written, in bytes: a record.
pub(super) const WRITE_AHEAD: usize = 16 * 1_024;

/// What is asked of the certificates of peers that connect (RFC 5922 §7.4).
#[derive(Clone, Debug, Default)]
pub enum ClientCertificates {
    /// They are not asked for one: phones prove who they are by their password.
    #[default]
    NotAsked,
    /// Whoever shows one has to have it from one of these; whoever has none is served as well.
    Wanted(TrustAnchors),
    /// Whoever has none from one of these is not served.
    Required(TrustAnchors),
}

/// What peers see that connect by TLS: our certificate, and what is asked of theirs. Speaks TLS 1.3 and 1.2, and resumes sessions by tickets
/// whose key nobody else has and that changes every six hours (RFC 8446 §2.2, RFC 5077), so that a phone that comes back costs no signature.
///
/// Clones share it: what [`Self::replace`] sets holds for all of them, and so for listeners at work.
#[derive(Clone)]
pub struct TlsServer {
    current: Arc<RwLock<Arc<ServerConfig>>>,
}

impl fmt::Debug for TlsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsServer").finish_non_exhaustive()
    }
}

impl TlsServer {
    /// Shows `chain`, and asks of peers what `clients` says.
    ///
    /// # Errors
    ///
    /// [`TlsError`] when the key is another's, or of a kind that is not supported.
    pub fn new(chain: CertificateChain, clients: ClientCertificates) -> Result<Self, TlsError> {
        Ok(Self { current: Arc::new(RwLock::new(configuration(chain, clients)?)) })
    }

    /// Shows another certificate from the next handshake on. Connections that are open stay as they are; sessions from before are not resumed, so
    /// that nobody comes in by what holds no longer.
    ///
    /// # Errors
    ///
    /// [`TlsError`] as for [`Self::new`]; everything stays as it was then.
    pub fn replace(&self, chain: CertificateChain, clients: ClientCertificates) -> Result<(), TlsError> {
        let next = configuration(chain, clients)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(())
    }

    /// Takes the server's part in a handshake.
    pub(crate) async fn accept(&self, stream: TcpStream) -> Result<TlsStream<TcpStream>, HandshakeFailure> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner).clone();
        let limit = |connection: &mut rustls::ServerConnection| connection.set_buffer_limit(Some(WRITE_AHEAD));
        let accepted = TlsAcceptor::from(current).accept_with(stream, limit).await;
        accepted.map(TlsStream::from).map_err(|error| failure(&error))
    }
}

fn configuration(chain: CertificateChain, clients: ClientCertificates) -> Result<Arc<ServerConfig>, TlsError> {
    let builder = ServerConfig::builder_with_provider(provider()).with_protocol_versions(&VERSIONS)?;
    let verifier = match clients {
        ClientCertificates::NotAsked => Arc::new(NoClientAuth),
        ClientCertificates::Wanted(TrustAnchors(roots)) => {
            WebPkiClientVerifier::builder_with_provider(roots, provider())
                .allow_unauthenticated()
                .build()
                .map_err(TlsError::no_authority)?
        }
        ClientCertificates::Required(TrustAnchors(roots)) => {
            WebPkiClientVerifier::builder_with_provider(roots, provider()).build().map_err(TlsError::no_authority)?
        }
    };
    let mut config = builder.with_client_cert_verifier(verifier).with_single_cert(chain.certificates, chain.key)?;
    config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
    Ok(Arc::new(config))
}

/// What has gone wrong, in the words of whoever looks after the server.
pub(crate) fn failure(error: &io::Error) -> HandshakeFailure {
    use AlertDescription as Alert;
    use rustls::Error::{AlertReceived, InvalidCertificate, InvalidMessage, NoCertificatesPresented, PeerIncompatible};
    let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
        return HandshakeFailure::Broken(error.kind());
    };
    match error {
        InvalidMessage(_) => HandshakeFailure::NotTls,
        PeerIncompatible(_)
        | AlertReceived(Alert::ProtocolVersion | Alert::HandshakeFailure | Alert::InsufficientSecurity) => {
            HandshakeFailure::Incompatible
        }
        NoCertificatesPresented => HandshakeFailure::NoCertificate,
        InvalidCertificate(error) => HandshakeFailure::Certificate(fault(error)),
        AlertReceived(
            Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
            | Alert::CertificateRequired,
        ) => HandshakeFailure::Refused,
        _ => HandshakeFailure::Protocol,
    }
}

fn fault(error: &CertificateError) -> CertificateFault {
    use CertificateError as Error;
    match error {
        Error::Expired | Error::ExpiredContext { .. } => CertificateFault::Expired,
        Error::NotValidYet | Error::NotValidYetContext { .. } => CertificateFault::NotYetValid,
        Error::UnknownIssuer => CertificateFault::UnknownIssuer,
        Error::NotValidForName | Error::NotValidForNameContext { .. } => CertificateFault::OtherName,
        Error::InvalidPurpose | Error::InvalidPurposeContext { .. } => CertificateFault::OtherPurpose,
        _ => CertificateFault::Unusable,
    }
}

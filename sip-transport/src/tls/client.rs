//! The side that connects.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ClientConfig;
use rustls_pki_types::{DnsName, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, TlsStream};

use super::server::{WRITE_AHEAD, failure};
use super::verifier::DomainVerifier;
use super::{CertificateChain, TlsError, TrustAnchors, VERSIONS, provider};
use crate::{HandshakeFailure, PeerName};

/// How we connect by TLS: whom we believe, and what we show when we are asked who we are. A server has to prove the domain that was looked up
/// (RFC 5922 §7.3), which it is told as well (SNI), so that one with several domains knows which is meant. Speaks TLS 1.3 and 1.2, and resumes sessions, each
/// with the domain for which it was begun.
///
/// Clones share it: what [`Self::replace`] sets holds for all of them, and so for connections that are opened from then on.
#[derive(Clone)]
pub struct TlsClient {
    current: Arc<RwLock<Arc<ClientConfig>>>,
}

impl fmt::Debug for TlsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsClient").finish_non_exhaustive()
    }
}

impl TlsClient {
    /// Believes `trusted`, and shows `chain` to servers that ask for a certificate; without one it shows none.
    ///
    /// # Errors
    ///
    /// [`TlsError`] when the key is another's, or of a kind that is not supported.
    pub fn new(trusted: TrustAnchors, chain: Option<CertificateChain>) -> Result<Self, TlsError> {
        Ok(Self { current: Arc::new(RwLock::new(configuration(trusted, chain)?)) })
    }

    /// Believes others, and shows another certificate, from the next handshake on. Connections that are open stay as they are; sessions from before
    /// are not resumed.
    ///
    /// # Errors
    ///
    /// [`TlsError`] as for [`Self::new`]; everything stays as it was then.
    pub fn replace(&self, trusted: TrustAnchors, chain: Option<CertificateChain>) -> Result<(), TlsError> {
        let next = configuration(trusted, chain)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(())
    }

    /// Takes the client's part in a handshake with a server that has to be `name`.
    pub(crate) async fn connect(
        &self,
        name: &PeerName,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, HandshakeFailure> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(server) = server_name(name) else { return Err(HandshakeFailure::Protocol) };
        let limit = |connection: &mut rustls::ClientConnection| connection.set_buffer_limit(Some(WRITE_AHEAD));
        let connected = TlsConnector::from(current).connect_with(server, stream, limit).await;
        connected.map(TlsStream::from).map_err(|error| {
            // What it says is more than a reason has room for: which names there are in a certificate, and when it expired.
            tracing::warn!(%name, %error, "a TLS connection could not be opened");
            failure(&error)
        })
    }
}

fn server_name(name: &PeerName) -> Option<ServerName<'static>> {
    match (name.domain(), name.address()) {
        (Some(domain), _) => DnsName::try_from(domain.to_owned()).ok().map(ServerName::DnsName),
        (None, address) => Some(ServerName::IpAddress(address?.into())),
    }
}

fn configuration(trusted: TrustAnchors, chain: Option<CertificateChain>) -> Result<Arc<ClientConfig>, TlsError> {
    let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(&VERSIONS)?;
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(DomainVerifier::new(trusted)));
    Ok(Arc::new(match chain {
        Some(CertificateChain { certificates, key }) => builder.with_client_auth_cert(certificates, key)?,
        None => builder.with_no_client_auth(),
    }))
}

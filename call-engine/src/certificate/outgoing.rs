//! The TLS connections that the server opens: whom it believes at their other end, and what it shows there.

use std::path::PathBuf;

use blether_sip_transport::{CertificateChain, TlsClient, TlsError, TrustAnchors};

use super::{CertificateError, authorities, read};
use crate::config::{TlsConfig, TlsIdentity};

/// How TLS connections are opened, and where that comes from, so that it can be read again.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    /// Those that certificates of servers are believed from; `None` for those that the machine believes.
    authorities: Option<PathBuf>,
    /// What is shown to servers that ask; `None`: nothing. A certificate that the server has made for itself proves nothing to them.
    identity: Option<TlsIdentity>,
    /// `None` where there is nobody to believe.
    client: Option<TlsClient>,
}

impl Outgoing {
    /// Reads what `config` names. A machine that believes nobody opens no connections, and goes on.
    pub(super) fn read(config: &TlsConfig) -> Result<Self, CertificateError> {
        let authorities = config.server_authorities.clone();
        let identity = config.client_identity.as_ref().or(config.identity.as_ref()).cloned();
        let mut outgoing = Self { authorities, identity, client: None };
        outgoing.client = match outgoing.trusted()? {
            Some(trusted) => {
                let chain = outgoing.chain()?;
                Some(TlsClient::new(trusted, chain).map_err(|cause| outgoing.unusable(cause))?)
            }
            None => None,
        };
        Ok(outgoing)
    }

    /// Reads it again, for connections that are opened from then on. What cannot be used changes nothing.
    pub(super) fn reload(&self) -> Result<(), CertificateError> {
        let Some(client) = &self.client else { return Ok(()) };
        let Some(trusted) = self.trusted()? else { return Ok(()) };
        client.replace(trusted, self.chain()?).map_err(|cause| self.unusable(cause))
    }

    pub(super) fn client(&self) -> Option<TlsClient> {
        self.client.clone()
    }

    fn trusted(&self) -> Result<Option<TrustAnchors>, CertificateError> {
        if let Some(path) = &self.authorities {
            return authorities(path).map(Some);
        }
        match TrustAnchors::of_system() {
            Ok(trusted) => Ok(Some(trusted)),
            Err(error) => {
                tracing::warn!(%error, "no TLS connections are opened to other servers; `tls.server_authorities` names such a file");
                Ok(None)
            }
        }
    }

    fn chain(&self) -> Result<Option<CertificateChain>, CertificateError> {
        let Some(TlsIdentity { certificate, key }) = &self.identity else { return Ok(None) };
        let chain = CertificateChain::from_pem(&read(certificate)?, &read(key)?);
        chain.map(Some).map_err(|cause| self.unusable(cause))
    }

    fn unusable(&self, cause: TlsError) -> CertificateError {
        let path = self.identity.as_ref().map(|identity| identity.file_of(&cause).clone()).unwrap_or_default();
        CertificateError::Unusable { path, cause }
    }
}

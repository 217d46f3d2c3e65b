//! Who we are, and whom we believe: read from PEM.

use std::fmt;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::TlsError;

/// A certificate with those of its issuers, and its private key: what a side of a TLS connection shows of itself.
pub struct CertificateChain {
    pub(super) certificates: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

impl CertificateChain {
    /// Reads them from PEM: the certificate first and its issuers, if any, behind it (RFC 8446 §4.4.2), and the first private key in `key`, as
    /// PKCS #8, SEC 1 or PKCS #1, not encrypted. Both may stand in one text. Whether they belong together is seen when they are used.
    ///
    /// # Errors
    ///
    /// [`TlsError`] when something is missing or cannot be read.
    pub fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let certificates = read_certificates(certificates)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| match error {
            pem::Error::NoItemsFound => TlsError::NoKey,
            other => TlsError::Pem(other),
        })?;
        Ok(Self { certificates, key })
    }

    /// The certificate itself, without its issuers, in DER: what a fingerprint is taken of.
    pub fn certificate(&self) -> &[u8] {
        self.certificates.first().map_or(&[], |certificate| certificate.as_ref())
    }
}

impl fmt::Debug for CertificateChain {
    /// Shows nothing of the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateChain").field("certificates", &self.certificates.len()).finish_non_exhaustive()
    }
}

/// The authorities whose certificates are believed. Clones share them.
#[derive(Clone, Debug)]
pub struct TrustAnchors(pub(super) Arc<RootCertStore>);

impl TrustAnchors {
    /// Reads them from PEM: one certificate after the other.
    ///
    /// # Errors
    ///
    /// [`TlsError`] when there is none, or one that cannot be read.
    pub fn from_pem(certificates: &[u8]) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in read_certificates(certificates)? {
            roots.add(certificate).map_err(TlsError::Authority)?;
        }
        Ok(Self(Arc::new(roots)))
    }

    /// Those that this machine believes, such as Debian's package `ca-certificates` has them; where `SSL_CERT_FILE` or `SSL_CERT_DIR` are set, those that
    /// they name. Reads files. One that cannot be read, or used, is left out and said in the log.
    ///
    /// # Errors
    ///
    /// [`TlsError::NoSystemAuthorities`] when there is none at all.
    pub fn of_system() -> Result<Self, TlsError> {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::warn!(%error, "not all of the authorities that this machine believes can be read");
        }
        let mut roots = RootCertStore::empty();
        let (_, unusable) = roots.add_parsable_certificates(found.certs);
        if unusable > 0 {
            tracing::warn!(unusable, "not all of the authorities that this machine believes can be used");
        }
        if roots.is_empty() { Err(TlsError::NoSystemAuthorities) } else { Ok(Self(Arc::new(roots))) }
    }
}

fn read_certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(text).collect::<Result<_, _>>().map_err(TlsError::Pem)?;
    if certificates.is_empty() { Err(TlsError::NoCertificate) } else { Ok(certificates) }
}

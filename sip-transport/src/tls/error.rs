//! What can be wrong with certificates and keys.

use rustls_pki_types::pem;

/// A certificate, a key or a list of authorities that cannot be used. No part of a key is in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// What stands between `-----BEGIN` and `-----END` cannot be read.
    #[error("this is no PEM: {0}")]
    Pem(pem::Error),
    /// No `CERTIFICATE` in it.
    #[error(
        "there is no certificate in it; one stands between -----BEGIN CERTIFICATE----- and -----END CERTIFICATE-----"
    )]
    NoCertificate,
    /// No private key in it.
    #[error(
        "there is no private key in it, or it is encrypted; one stands between -----BEGIN PRIVATE KEY----- and -----END PRIVATE KEY-----"
    )]
    NoKey,
    /// The key is another's than the certificate's.
    #[error("the key does not belong to the certificate, which has to be the first of its chain")]
    Mismatch,
    /// A certificate or a key of a kind that is not supported, or one that is broken.
    #[error("it cannot be used: {0}")]
    Unusable(rustls::Error),
    /// A certificate that cannot be believed to issue others.
    #[error("a certificate in it cannot be an authority: {0}")]
    Authority(rustls::Error),
    /// This machine has no list of authorities.
    #[error(
        "this machine has no list of authorities to believe; install one (Debian: the package ca-certificates), or name a file of your own"
    )]
    NoSystemAuthorities,
}

impl TlsError {
    /// What is wrong with a list of authorities.
    pub(super) fn no_authority(error: rustls::server::VerifierBuilderError) -> Self {
        Self::Authority(rustls::Error::General(error.to_string()))
    }
}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        match error {
            rustls::Error::InconsistentKeys(_) => Self::Mismatch,
            other => Self::Unusable(other),
        }
    }
}

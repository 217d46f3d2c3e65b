//! TLS (RFC 3261 §26.3.1): the certificates that are shown, and those that are believed.

mod client;
mod credentials;
mod error;
mod server;
mod verifier;

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};

pub use client::TlsClient;
pub use credentials::{CertificateChain, TrustAnchors};
pub use error::TlsError;
pub(crate) use server::failure;
pub use server::{ClientCertificates, TlsServer};
pub(crate) use verifier::proven_names;

/// The versions that are spoken. What came before them is broken (RFC 8996).
const VERSIONS: [&rustls::SupportedProtocolVersion; 2] = [&rustls::version::TLS13, &rustls::version::TLS12];

/// Named here and nowhere else, so that it does not matter what a program has installed as its default.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

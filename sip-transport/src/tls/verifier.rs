//! Whether a certificate proves the domain that was asked for (RFC 5922 §7).

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::EndEntityCert;

use super::{TrustAnchors, provider};
use crate::PeerName;
use crate::peer_name::domain_in_uri;

/// Names of a certificate that are kept. It may be as large as a handshake lets it; nobody runs as many domains behind one address.
const MAX_NAMES: usize = 256;

/// Believes a certificate that one of some authorities has issued, that is valid at this time and for servers (RFC 5280 §6.1), and that has the name
/// that is asked for as RFC 5922 §7.1 and §7.2 find and compare it: the one difference to other uses of TLS, in which a wildcard is a match and a URI none.
///
/// Whether a certificate was revoked is not looked up.
#[derive(Debug)]
pub(super) struct DomainVerifier {
    trusted: Arc<RootCertStore>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl DomainVerifier {
    pub(super) fn new(TrustAnchors(trusted): TrustAnchors) -> Self {
        Self { trusted, algorithms: provider().signature_verification_algorithms }
    }
}

impl ServerCertVerifier for DomainVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let algorithms = self.algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&certificate, &self.trusted, intermediates, now, algorithms)?;
        let unreadable = |_| Error::from(CertificateError::BadEncoding);
        let certificate = EndEntityCert::try_from(end_entity).map_err(unreadable)?;
        if proves(&certificate, server_name) {
            return Ok(ServerCertVerified::assertion());
        }
        let names = certificate.valid_uri_names().chain(certificate.valid_dns_names());
        let presented = names.take(MAX_NAMES).map(str::to_owned).collect();
        Err(CertificateError::NotValidForNameContext { expected: server_name.to_owned(), presented }.into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn proves(certificate: &EndEntityCert<'_>, server_name: &ServerName<'_>) -> bool {
    let wanted = match server_name {
        ServerName::DnsName(name) => name.as_ref().parse().ok(),
        ServerName::IpAddress(address) => Some(PeerName::from(std::net::IpAddr::from(*address))),
        _ => None,
    };
    if wanted.is_some_and(|wanted| names_in(certificate).contains(&wanted)) {
        return true;
    }
    // An address has a field of its own (RFC 5280 §4.2.1.6), of which RFC 5922 does not speak; it counts where a DNS name would.
    matches!(server_name, ServerName::IpAddress(_))
        && sip_domains(certificate).next().is_none()
        && certificate.verify_is_valid_for_subject_name(server_name).is_ok()
}

/// The identities of a peer by its certificate, which has been found to be valid; none for one that cannot be read.
pub(crate) fn proven_names(certificate: &CertificateDer<'_>) -> Vec<PeerName> {
    EndEntityCert::try_from(certificate).map(|certificate| names_in(&certificate)).unwrap_or_default()
}

/// The SIP domains that a certificate is for: those of its SIP URIs, or if it has none, its DNS names (RFC 5922 §7.1). The name of the subject, which may be
/// looked at where there is no other, is not: whoever issues certificates has stopped to put names there.
fn names_in(certificate: &EndEntityCert<'_>) -> Vec<PeerName> {
    // A wildcard cannot be read as a name.
    let mut in_uris = sip_domains(certificate).peekable();
    if in_uris.peek().is_some() {
        return in_uris.filter_map(|name| name.parse().ok()).take(MAX_NAMES).collect();
    }
    certificate.valid_dns_names().filter_map(|name| name.parse().ok()).take(MAX_NAMES).collect()
}

fn sip_domains<'a>(certificate: &'a EndEntityCert<'_>) -> impl Iterator<Item = &'a str> {
    certificate.valid_uri_names().filter_map(domain_in_uri)
}

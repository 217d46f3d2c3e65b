//! An authority that lives for one test.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType, date_time_ymd};
use rustls_pki_types::CertificateDer;

/// How many there have been: each has a name of its own.
static LAST: AtomicU32 = AtomicU32::new(0);

/// Issues certificates for whatever name.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// When a certificate is valid.
#[derive(Clone, Copy)]
pub(crate) enum Lifetime {
    /// At any time that a test may run.
    Valid,
    /// It has expired.
    Over,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        params.distinguished_name.push(DnType::CommonName, format!("authority {number}"));
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Its own certificate.
    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// Its own certificate.
    pub(crate) fn der(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    /// A certificate for a DNS name or an address, and its key.
    pub(crate) fn issue(&self, name: &str, lifetime: Lifetime) -> (String, String) {
        self.issue_for(&[name], lifetime)
    }

    /// The same for several names; one with a colon, but an address, is a URI.
    pub(crate) fn issue_for(&self, names: &[&str], lifetime: Lifetime) -> (String, String) {
        let (uris, others): (Vec<&str>, Vec<_>) =
            names.iter().partition(|name| name.contains(':') && name.parse::<std::net::IpAddr>().is_err());
        let mut params = CertificateParams::new(others.into_iter().map(str::to_owned).collect::<Vec<_>>()).unwrap();
        params.subject_alt_names.extend(uris.into_iter().map(|uri| SanType::URI(uri.try_into().unwrap())));
        if let Lifetime::Over = lifetime {
            params.not_after = date_time_ymd(2001, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

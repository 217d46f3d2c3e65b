//! An authority that lives for one test.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::path::{Path, PathBuf};

use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};

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

    /// Its own certificate in a file of `folder`.
    pub(crate) fn file(&self, folder: &Path, name: &str) -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, self.pem()).unwrap();
        path
    }

    /// A certificate and its key in one file of `folder`.
    pub(crate) fn issue_file(&self, folder: &Path, file: &str, name: &str, lifetime: Lifetime) -> PathBuf {
        let (certificate, key) = self.issue(name, lifetime);
        let path = folder.join(file);
        std::fs::write(&path, certificate + &key).unwrap();
        path
    }

    /// A certificate for a DNS name or an address, and its key.
    pub(crate) fn issue(&self, name: &str, lifetime: Lifetime) -> (String, String) {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        // Where an address is looked for, some look at this name alone.
        params.distinguished_name.push(DnType::CommonName, name);
        if let Lifetime::Over = lifetime {
            params.not_after = date_time_ymd(2001, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

//! The certificate that the server shows over TLS: the operator's, or one that it makes for itself.

mod outgoing;

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{fs, io};

use self::outgoing::Outgoing;
use blether_session_core::actor::TlsConfig;
use blether_sip_core::Host;
use blether_sip_transport::{CertificateChain, ClientCertificates, TlsError, TlsServer, TrustAnchors};
use rcgen::{CertificateParams, DnType, KeyPair, SanType, date_time_ymd};
use sha2::{Digest, Sha256};

use crate::config::{ClientCertificatePolicy, Config, Listen, TlsIdentity};
use crate::first_run::{create_private_folder, write_private};

/// The name of the file with the certificate and the key that the server has made for itself, in the data folder.
pub const SELF_SIGNED: &str = "tls-self-signed.pem";

/// For how many years a certificate is valid that the server has made for itself. Nobody looks after it, and it is replaced by removing the file.
const YEARS: i32 = 10;

/// Why there is no certificate to show. Each is displayed as one line for the operator.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("{}: cannot read this file of [tls]: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// What is in the files cannot be used.
    #[error("{}: {cause}", path.display())]
    Unusable {
        /// The file, of certificate and key the one that it is about.
        path: PathBuf,
        /// What is wrong.
        cause: TlsError,
    },
    /// A certificate could not be made.
    #[error(
        "no certificate can be made for the names of this server: {0}; name the files of one as `tls.certificate` and `tls.key`"
    )]
    NotMade(rcgen::Error),
    /// The certificate that was made cannot be kept.
    #[error("{}: cannot write the certificate that was made: {cause}; make room in the data folder, or name the files of another as `tls.certificate` and `tls.key`", path.display())]
    NotKept {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
}

/// What is shown over TLS, and where it comes from, so that it can be read again.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    origin: Origin,
    /// Those that certificates of clients are believed from.
    authorities: Option<PathBuf>,
    listeners: Vec<(Listen, TlsServer)>,
    outgoing: Outgoing,
}

/// What is in the files at one moment, in PEM.
struct Pem {
    certificate: Vec<u8>,
    key: Vec<u8>,
    authorities: Option<TrustAnchors>,
}

#[derive(Clone, Debug)]
enum Origin {
    /// The operator's.
    Files(TlsIdentity),
    /// Made for these names and addresses, and kept in a file, or for as long as the server lives.
    SelfSigned { names: Vec<Host>, kept: Option<PathBuf> },
}

impl Certificate {
    /// Reads or makes what `config` asks for; `None` where nothing is received over TLS. What is made is kept in the data folder if it is to
    /// be `durable`.
    pub(crate) fn load(config: &Config, durable: bool) -> Result<Option<Self>, CertificateError> {
        if config.listens_for_tls().next().is_none() {
            return Ok(None);
        }
        let origin = match &config.tls.identity {
            Some(files) => Origin::Files(files.clone()),
            None => {
                Origin::SelfSigned { names: names_of(config), kept: durable.then(|| config.data_dir.join(SELF_SIGNED)) }
            }
        };
        Self::read(origin, config).map(Some)
    }

    fn read(origin: Origin, config: &Config) -> Result<Self, CertificateError> {
        let authorities = config.tls.client_authorities.clone();
        let pem = origin.pem(authorities.as_deref())?;
        let listeners = config.listens_for_tls().map(|listen| {
            let server =
                TlsServer::new(origin.chain(&pem)?, pem.clients(listen)).map_err(|cause| origin.unusable(cause))?;
            Ok((listen, server))
        });
        let listeners = listeners.collect::<Result<_, _>>()?;
        origin.state(&fingerprint(&origin.chain(&pem)?));
        Ok(Self { origin, authorities, listeners, outgoing: Outgoing::read(&config.tls)? })
    }

    /// Reads the files again, which are shown from the next connection on. If they cannot be used, all stays as it was.
    pub(crate) fn reload(&self) -> Result<(), CertificateError> {
        let pem = self.origin.pem(self.authorities.as_deref())?;
        self.outgoing.reload()?;
        // What one listener can use, all can: they differ in what they ask of clients alone.
        for (listen, server) in &self.listeners {
            let replaced = server.replace(self.origin.chain(&pem)?, pem.clients(*listen));
            replaced.map_err(|cause| self.origin.unusable(cause))?;
        }
        self.origin.state(&fingerprint(&self.origin.chain(&pem)?));
        Ok(())
    }

    /// What the endpoint needs to know.
    pub(crate) fn endpoint_config(&self, config: &Config) -> TlsConfig {
        TlsConfig {
            listeners: self.listeners.iter().map(|(listen, server)| (listen.address, server.clone())).collect(),
            client: self.outgoing.client(),
            limits: config.tcp.limits_of_connections(),
        }
    }
}

impl Pem {
    /// What is asked of those that connect there.
    fn clients(&self, listen: Listen) -> ClientCertificates {
        match (listen.clients, &self.authorities) {
            (ClientCertificatePolicy::Wanted, Some(authorities)) => ClientCertificates::Wanted(authorities.clone()),
            (ClientCertificatePolicy::Required, Some(authorities)) => ClientCertificates::Required(authorities.clone()),
            // A configuration that asks and believes nobody is refused before.
            (ClientCertificatePolicy::NotAsked, _) | (_, None) => ClientCertificates::NotAsked,
        }
    }
}

/// Whether the files that `config` names can be used, as the server would find at its start. One that is to be made is not made.
///
/// # Errors
///
/// What keeps the server from starting.
pub fn check(config: &Config) -> Result<(), CertificateError> {
    let Some(files) = &config.tls.identity else {
        Outgoing::read(&config.tls)?;
        return config.tls.client_authorities.as_deref().map_or(Ok(()), |path| authorities(path).map(drop));
    };
    Certificate::read(Origin::Files(files.clone()), config).map(drop)
}

impl Origin {
    /// Reads the files, or makes what is to be in them.
    fn pem(&self, authorities: Option<&Path>) -> Result<Pem, CertificateError> {
        let authorities = authorities.map(self::authorities).transpose()?;
        let own = match self {
            Self::Files(TlsIdentity { certificate, key }) => {
                return Ok(Pem { certificate: read(certificate)?, key: read(key)?, authorities });
            }
            Self::SelfSigned { kept: Some(path), .. } if path.exists() => read(path)?,
            Self::SelfSigned { names, kept } => {
                let text = made_for(names)?;
                if let Some(path) = kept {
                    keep(path, &text).map_err(|cause| CertificateError::NotKept { path: path.clone(), cause })?;
                }
                text.into_bytes()
            }
        };
        Ok(Pem { certificate: own.clone(), key: own, authorities })
    }

    fn chain(&self, pem: &Pem) -> Result<CertificateChain, CertificateError> {
        CertificateChain::from_pem(&pem.certificate, &pem.key).map_err(|cause| self.unusable(cause))
    }

    fn unusable(&self, cause: TlsError) -> CertificateError {
        let path = match (self, &cause) {
            (Self::Files(files), cause) => files.file_of(cause).clone(),
            (Self::SelfSigned { kept, .. }, _) => kept.clone().unwrap_or_else(|| PathBuf::from(SELF_SIGNED)),
        };
        CertificateError::Unusable { path, cause }
    }

    /// Says in the log what is shown.
    fn state(&self, fingerprint: &str) {
        match self {
            Self::Files(files) => {
                tracing::info!(file = %files.certificate.display(), fingerprint, "the certificate that is shown over TLS");
            }
            Self::SelfSigned { kept, .. } => {
                let file = kept.as_deref().unwrap_or(Path::new("none")).display();
                tracing::warn!(
                    %file,
                    fingerprint,
                    "the certificate that is shown over TLS was made by this server for itself: calls are encrypted, but phones cannot tell that \
                     they talk to it, and most refuse it until they are told not to look; for one that they believe, set `tls.certificate` and `tls.key`"
                );
            }
        }
    }
}

impl TlsIdentity {
    /// The file that it is about.
    fn file_of(&self, cause: &TlsError) -> &PathBuf {
        match cause {
            TlsError::NoKey | TlsError::Mismatch => &self.key,
            _ => &self.certificate,
        }
    }
}

fn authorities(path: &Path) -> Result<TrustAnchors, CertificateError> {
    TrustAnchors::from_pem(&read(path)?).map_err(|cause| CertificateError::Unusable { path: path.to_owned(), cause })
}

fn read(path: &Path) -> Result<Vec<u8>, CertificateError> {
    fs::read(path).map_err(|cause| CertificateError::Unreadable { path: path.to_owned(), cause })
}

/// The names and addresses by which phones know the server, as far as the configuration tells.
fn names_of(config: &Config) -> Vec<Host> {
    let listening = config.listens().map(|listen| listen.address.ip()).filter(|ip| !ip.is_unspecified());
    let mut names: Vec<Host> = config.domains.clone();
    for ip in config.advertise.into_iter().chain(listening).map(Host::from) {
        if !names.contains(&ip) {
            names.push(ip);
        }
    }
    names
}

/// A certificate for `names`, and its key, in PEM.
fn made_for(names: &[Host]) -> Result<String, CertificateError> {
    let key = KeyPair::generate().map_err(CertificateError::NotMade)?;
    let params = params(names).map_err(CertificateError::NotMade)?;
    let certificate = params.self_signed(&key).map_err(CertificateError::NotMade)?;
    Ok(format!("{}{}", certificate.pem(), key.serialize_pem()))
}

fn params(names: &[Host]) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Blether, by itself");
    for name in names {
        match name.ip() {
            Some(ip) => params.subject_alt_names.push(SanType::IpAddress(ip)),
            // RFC 5922 §7.1: a client takes the SIP URI, if there is one, and others the DNS name.
            None => params.subject_alt_names.extend([
                SanType::URI(format!("sip:{name}").as_str().try_into()?),
                SanType::DnsName(name.to_string().as_str().try_into()?),
            ]),
        }
    }
    if names.is_empty() {
        params.subject_alt_names.push(SanType::DnsName("localhost".try_into()?));
        params.subject_alt_names.push(SanType::IpAddress(IpAddr::from([127, 0, 0, 1])));
    }
    let year = this_year();
    // From the year before, for phones whose clock is slow.
    params.not_before = date_time_ymd(year - 1, 1, 1);
    params.not_after = date_time_ymd(year + YEARS, 1, 1);
    Ok(params)
}

/// The year, to a day or so.
fn this_year() -> i32 {
    const YEAR: Duration = Duration::from_secs(31_556_952);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    1970 + i32::try_from(since.as_secs() / YEAR.as_secs()).unwrap_or_default().min(8_000)
}

/// Writes it for its owner alone, whole or not at all.
fn keep(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        create_private_folder(folder)?;
    }
    let temporary = path.with_extension("new");
    // What a start left behind that was cut short.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    write_private(&temporary, text)?;
    fs::rename(&temporary, path)
}

/// The SHA-256 fingerprint, as phones and `openssl x509 -fingerprint -sha256` show it.
fn fingerprint(chain: &CertificateChain) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(chain.certificate()) {
        let separator = if text.is_empty() { "" } else { ":" };
        // Writing to a string cannot fail.
        let _ = write!(text, "{separator}{byte:02X}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    fn config(folder: &Path) -> Config {
        Config {
            data_dir: folder.join("data"),
            also_listen: vec!["tls:192.0.2.1:5061".parse::<Listen>().unwrap()],
            domains: vec!["example.org".parse().unwrap()],
            ..Config::default()
        }
    }

    fn own(config: &Config) -> String {
        fs::read_to_string(config.data_dir.join(SELF_SIGNED)).unwrap()
    }

    #[test]
    fn one_is_made_once_for_its_owner_alone_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        let certificate = Certificate::load(&config, true).unwrap().unwrap();
        let first = own(&config);
        assert!(first.contains("BEGIN CERTIFICATE") && first.contains("BEGIN PRIVATE KEY"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(config.data_dir.join(SELF_SIGNED)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        Certificate::load(&config, true).unwrap().unwrap();
        certificate.reload().unwrap();
        assert_eq!(own(&config), first);
        // Who removes it gets another.
        fs::remove_file(config.data_dir.join(SELF_SIGNED)).unwrap();
        certificate.reload().unwrap();
        assert_ne!(own(&config), first);
        assert_eq!(fs::read_dir(&config.data_dir).unwrap().count(), 1);
    }

    #[test]
    fn without_a_listener_there_is_none_and_what_is_not_to_last_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        assert!(Certificate::load(&Config { also_listen: Vec::new(), ..config.clone() }, true).unwrap().is_none());
        assert!(Certificate::load(&config, false).unwrap().is_some());
        assert!(!config.data_dir.exists());
    }

    #[test]
    fn it_names_domains_as_sip_uri_and_as_dns_name_and_addresses_as_addresses() {
        let folder = tempfile::tempdir().unwrap();
        let names = params(&names_of(&config(folder.path()))).unwrap().subject_alt_names;
        let expected = [
            SanType::URI("sip:example.org".try_into().unwrap()),
            SanType::DnsName("example.org".try_into().unwrap()),
            SanType::IpAddress([192, 0, 2, 1].into()),
        ];
        assert_eq!(names, expected);
        assert!((2_025..2_200).contains(&this_year()));
    }

    #[test]
    fn what_is_wrong_with_files_is_told_in_one_line_with_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let [(one, its_key), (_, another)] = [(); 2].map(|()| {
            let text = made_for(&[]).unwrap();
            let (certificate, key) = text.split_at(text.find("-----BEGIN PRIVATE").unwrap());
            (certificate.to_owned(), key.to_owned())
        });
        for (name, text) in [("one", &one), ("its-key", &its_key), ("another", &another)] {
            fs::write(at(name), text).unwrap();
        }
        let with = |certificate: &str, key: &str| {
            let identity = TlsIdentity { certificate: at(certificate), key: at(key) };
            Config {
                tls: crate::config::TlsConfig { identity: Some(identity), ..Default::default() },
                ..config(folder.path())
            }
        };
        let line = |certificate: &str, key: &str| {
            let line = check(&with(certificate, key)).unwrap_err().to_string();
            assert_eq!(line.lines().count(), 1, "{line}");
            line
        };
        check(&with("one", "its-key")).unwrap();
        assert!(line("one", "another").contains("another: the key does not belong to the certificate"));
        assert!(line("one", "one").contains("one: there is no private key in it"));
        assert!(line("its-key", "its-key").contains("its-key: there is no certificate in it"));
        assert!(line("none", "its-key").contains("none: cannot read this file of [tls]"));

        let mut asking = with("one", "its-key");
        asking.tls.client_authorities = Some(at("its-key"));
        assert!(check(&asking).unwrap_err().to_string().contains("its-key: there is no certificate in it"));
        asking.tls.client_authorities = Some(at("one"));
        check(&asking).unwrap();

        // What cannot be used later leaves what is in use as it was.
        let config = with("one", "its-key");
        let loaded = Certificate::load(&config, false).unwrap().unwrap();
        fs::write(at("one"), "spoilt").unwrap();
        assert!(loaded.reload().is_err());
        fs::write(at("one"), &one).unwrap();
        loaded.reload().unwrap();
    }
}

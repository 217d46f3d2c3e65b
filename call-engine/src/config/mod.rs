//! The configuration of the server: one TOML file, environment variables over it, and errors that say what, where and how
//! to mend it in one line.
//!
//! [`REFERENCE`] documents every key for operators and is what the first start writes. [`Config::default`] holds the same
//! values, which a test compares.

mod account;
mod advice;
mod bind;
mod check;
mod environment;
mod error;
mod file;
mod proxy;
mod read;
mod value;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, iter, thread};

use blether_sip_core::{Host, SipUri};
use blether_sip_transport::{ConnectionLimits, Transport};

use crate::stage::OfferedAlgorithms;

pub use account::{AccountConfig, Password};
pub use advice::{Advice, advice, calls_for_open_files};
pub use bind::CannotListen;
pub use environment::variables;
pub use error::{ConfigError, Invalid, Place};
pub use proxy::{Proxied, ProxyConfig, ProxyTo};
pub use value::{ClientCertificatePolicy, Listen, LogFormat, LogLevel, PortRange, ValueError};

/// The commented reference file: every key with its unit, its default and the reason for it.
pub const REFERENCE: &str = include_str!("reference.toml");

/// The name of the configuration file inside the data folder.
pub const FILE_NAME: &str = "call-engine.toml";

/// The folder that is used, and made at the first start, when nothing else is said; relative to where the server is started.
pub const DEFAULT_DATA_DIR: &str = "blether-data";

/// The most shards that are made unasked. Sixteen take in more messages than a server of this kind has calls for; on a larger machine the
/// rest of the processors are for media.
pub const MOST_SHARDS_BY_ITSELF: usize = 16;

/// Everything an operator can set, checked.
///
/// [`Config::load`] and [`Config::from_toml`] give checked values; one that is put together in code is checked by
/// [`Config::check`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where the server keeps what it must remember; used by [`EngineBuilder::durable`](crate::EngineBuilder::durable). Default: `blether-data`; from a file: the folder of that file.
    pub data_dir: PathBuf,
    /// Where SIP is received. Default: port 5060 of all IPv4 addresses, the port that phones assume.
    pub listen: Listen,
    /// Where it is received besides: what follows the first in a list. Default: nowhere.
    pub also_listen: Vec<Listen>,
    /// Tasks that share the SIP work among them, 1 to 256; see [`Config::shard_count`]. Default: `None`, as many as there are processors,
    /// at most 16.
    pub shards: Option<usize>,
    /// SIP over TCP, on the address and port of `listen`.
    pub tcp: TcpConfig,
    /// The certificate for SIP over TLS, which is received where `listen` says so.
    pub tls: TlsConfig,
    /// Who is asked where the hosts are that are named.
    pub dns: DnsConfig,
    /// What is asked and told over HTTP.
    pub http: HttpConfig,
    /// Host names and addresses that are ours besides the local addresses. Default: none; phones that are given the server's
    /// address need none.
    pub domains: Vec<Host>,
    /// The realm of digest challenges (RFC 7616 §3.3). Default: `blether`, which stays when the server's address changes.
    pub realm: String,
    /// The address that stands in SIP and SDP. Default: `None`, the local address that faces each peer.
    pub advertise: Option<IpAddr>,
    /// How phones prove who they are.
    pub authentication: AuthenticationConfig,
    /// Ports and threads for RTP.
    pub media: MediaConfig,
    /// How registrations are granted.
    pub registrar: RegistrarConfig,
    /// Bounds on what strangers can make grow.
    pub limits: LimitsConfig,
    /// How calls are handled.
    pub calls: CallsConfig,
    /// What is logged, and how.
    pub log: LogConfig,
    /// What is forwarded as by a proxy. Default: nothing; calls between extensions go through this server, with their sound.
    pub proxies: Vec<ProxyConfig>,
    /// The phones that may register, each user once. Default: none; the first start makes two.
    pub accounts: Vec<AccountConfig>,
}

/// The section `[tcp]`; times are whole seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpConfig {
    /// Whether TCP is served. Default: yes, because RFC 3261 §18 wants it of every element, and long messages do not pass UDP everywhere.
    pub enabled: bool,
    /// Connections at a time; the longest idle makes room. Default: 10,000, as [`ConnectionLimits`] has it.
    pub max_connections: usize,
    /// Connections at a time with one address. Default: 256, an office behind one NAT.
    pub max_per_peer: usize,
    /// How long a connection may be idle. Default: 10 min, five times what RFC 5626 §4.4.1 wants between keep-alives.
    pub idle_timeout: Duration,
}

impl TcpConfig {
    /// The limits that connections are given, those of TLS included.
    pub fn limits_of_connections(&self) -> ConnectionLimits {
        let &Self { enabled: _, max_connections, max_per_peer, idle_timeout } = self;
        ConnectionLimits { max_connections, max_per_peer, idle_timeout, ..ConnectionLimits::default() }
    }

    /// The limits that TCP is given; `None` where it is not served.
    pub fn connection_limits(&self) -> Option<ConnectionLimits> {
        self.enabled.then(|| self.limits_of_connections())
    }
}

/// The section `[tls]`. Without the feature `tls` there is nowhere to use it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsConfig {
    /// The certificate that is shown, and its key. Default: `None`, one that is made at the first start in `data_dir` and that nobody has vouched for.
    pub identity: Option<TlsIdentity>,
    /// A file in PEM with the authorities that certificates of clients are believed from, where they are asked for. Default: `None`.
    pub client_authorities: Option<PathBuf>,
    /// A file in PEM with the authorities that certificates of servers are believed from to which connections are opened. Default: `None`, those that
    /// the machine believes.
    pub server_authorities: Option<PathBuf>,
    /// What is shown to servers that ask for a certificate. Default: `None`, `identity`, and where there is none, nothing.
    pub client_identity: Option<TlsIdentity>,
}

/// The files of a certificate, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsIdentity {
    /// The certificate, and behind it those of its issuers; from a file: relative to the folder of that file.
    pub certificate: PathBuf,
    /// The private key, not encrypted; it may be in the same file.
    pub key: PathBuf,
}

/// The section `[dns]`. Without the feature `dns` there is nowhere to use it, and only addresses lead anywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DnsConfig {
    /// The name servers that are asked where a host is (RFC 3263). Default: none, and those of this machine are asked.
    pub servers: Vec<SocketAddr>,
}

/// The section `[http]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpConfig {
    /// Where HTTP is served, in clear and to anybody who can connect; `None` for nowhere. Default: port 9060 of 127.0.0.1, which other
    /// machines cannot reach.
    pub listen: Option<SocketAddr>,
}

/// The section `[authentication]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthenticationConfig {
    /// The hashes that a phone may prove its password with. Default: SHA-256 before MD5, the order of strength in which
    /// RFC 8760 §2.3 wants them; see [`OfferedAlgorithms::Sha256ThenMd5`] for phones that trip over the first.
    pub digest: OfferedAlgorithms,
}

/// The section `[media]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaConfig {
    /// UDP ports for RTP and RTCP. Default: 10000-19999, room for 2,500 calls below Linux's ephemeral ports.
    pub ports: PortRange,
    /// Threads that relay RTP, 1 to 256. Default: 2, so that one busy call does not delay every other.
    pub workers: usize,
}

/// The section `[registrar]` (RFC 3261 §10.3); times are whole seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrarConfig {
    /// Granted when the phone asks for no time. Default: 1 h, as RFC 3261 §10.2 has it.
    pub default_expires: Duration,
    /// Less than this is refused with 423; at most 1 h (RFC 3261 §10.3). Default: 60 s, which keeps a NAT open.
    pub min_expires: Duration,
    /// More than this is cut to it. Default: 2 h, after which a phone that vanished is forgotten.
    pub max_expires: Duration,
    /// Contacts of one address of record, 1 to 100. Default: 10, more than anybody has.
    pub max_contacts: usize,
    /// The proxies by which phones are told to send (RFC 3608), each a loose router. Default: none.
    pub service_route: Vec<SipUri>,
}

/// The section `[limits]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitsConfig {
    /// The longest SIP message, in bytes. Default: 65,535, a UDP datagram.
    pub max_message: usize,
    /// The longest body, in bytes. Default: 16 KiB; session descriptions of phones are under 4 KiB.
    pub max_body: usize,
    /// Transactions at a time. Default: 100,000, about 3,000 requests a second remembered for 32 s (64 × T1).
    pub max_transactions: usize,
    /// Calls at a time. Default: 2,000, for which the default ports have room.
    pub max_calls: usize,
}

/// The section `[calls]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallsConfig {
    /// How long a callee rings before the caller gets 480. Default: 60 s; bounded below Timer C (RFC 3261 §16.6).
    pub ring_timeout: Duration,
    /// How long a call may be silent on both sides before it is ended: phones that are gone hang up no more. Default: 60 s.
    pub end_when_silent: Duration,
    /// How long calls may go on once the server was told to end in order. Default: 30 s, a third of what systemd waits for a service.
    pub drain_timeout: Duration,
}

/// The section `[log]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// The least important kind of line that is written. Default: `info`.
    pub level: LogLevel,
    /// How a line is written. Default: `text`.
    pub format: LogFormat,
}

/// A configuration, and what it does not show of the file that it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigFile {
    /// The configuration.
    pub config: Config,
    /// The `data_dir` that stands in the file, if one does, whether or not the environment has another.
    pub data_dir: Option<PathBuf>,
}

impl ConfigFile {
    /// Reads as [`Config::load`] does.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load(path: &Path, environment: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let text =
            fs::read_to_string(path).map_err(|cause| ConfigError::Unreadable { path: path.to_owned(), cause })?;
        Self::read(&text, path, environment)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from(DEFAULT_DATA_DIR),
            listen: Listen::default(),
            also_listen: Vec::new(),
            shards: None,
            tcp: TcpConfig::default(),
            tls: TlsConfig::default(),
            dns: DnsConfig::default(),
            http: HttpConfig::default(),
            domains: Vec::new(),
            realm: "blether".to_owned(),
            advertise: None,
            authentication: AuthenticationConfig::default(),
            media: MediaConfig::default(),
            registrar: RegistrarConfig::default(),
            limits: LimitsConfig::default(),
            calls: CallsConfig::default(),
            log: LogConfig::default(),
            proxies: Vec::new(),
            accounts: Vec::new(),
        }
    }
}

impl Default for TcpConfig {
    fn default() -> Self {
        let ConnectionLimits { max_connections, max_per_peer, idle_timeout, .. } = ConnectionLimits::default();
        Self { enabled: true, max_connections, max_per_peer, idle_timeout }
    }
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self { listen: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 9060))) }
    }
}

impl Default for MediaConfig {
    fn default() -> Self {
        Self { ports: PortRange::default(), workers: 2 }
    }
}

impl Default for RegistrarConfig {
    fn default() -> Self {
        Self {
            default_expires: Duration::from_secs(3600),
            min_expires: Duration::from_secs(60),
            max_expires: Duration::from_secs(7200),
            max_contacts: 10,
            service_route: Vec::new(),
        }
    }
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self { max_message: 65_535, max_body: 16_384, max_transactions: 100_000, max_calls: 2_000 }
    }
}

impl Default for CallsConfig {
    fn default() -> Self {
        Self {
            ring_timeout: Duration::from_secs(60),
            end_when_silent: Duration::from_secs(60),
            drain_timeout: Duration::from_secs(30),
        }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: LogLevel::Info, format: LogFormat::Text }
    }
}

impl Config {
    /// Where the configuration file is: `given` on the command line, else [`FILE_NAME`] in the folder that
    /// `BLETHER_DATA_DIR` names, else in [`DEFAULT_DATA_DIR`].
    pub fn locate(given: Option<&Path>, environment: &[(String, String)]) -> PathBuf {
        let data_dir =
            || environment.iter().find(|(name, _)| name == "BLETHER_DATA_DIR").map(|(_, value)| value.as_str());
        match given {
            Some(path) => path.to_owned(),
            None => Path::new(data_dir().unwrap_or(DEFAULT_DATA_DIR)).join(FILE_NAME),
        }
    }

    /// Reads the file at `path` and lays the `BLETHER_…` variables of `environment` (see [`variables`]) over it.
    ///
    /// # Errors
    /// The first thing that is wrong, as one line with its place; see [`ConfigError`].
    pub fn load(path: &Path, environment: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        ConfigFile::load(path, environment).map(|file| file.config)
    }

    /// Reads `text` as the file at `path`, which is not opened: it stands in errors, and `data_dir` starts at its folder.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn from_toml(text: &str, path: &Path) -> Result<Self, ConfigError> {
        ConfigFile::read(text, path, iter::empty()).map(|file| file.config)
    }

    /// All that SIP is received on, `listen` first.
    pub fn listens(&self) -> impl Iterator<Item = Listen> {
        iter::once(self.listen).chain(self.also_listen.iter().copied())
    }

    /// Where SIP is received over UDP and, if that is on, over TCP.
    pub fn listens_for_udp(&self) -> impl Iterator<Item = SocketAddr> {
        self.listens().filter(|listen| listen.transport != Transport::Tls).map(|listen| listen.address)
    }

    /// Where it is received over TLS.
    pub fn listens_for_tls(&self) -> impl Iterator<Item = Listen> {
        self.listens().filter(|listen| listen.transport == Transport::Tls)
    }

    /// How many shards each address of this machine gets: what `shards` says, else one for each processor that this process may use, at most
    /// [`MOST_SHARDS_BY_ITSELF`].
    pub fn shard_count(&self) -> usize {
        // Where the system does not tell, one shard serves everything.
        let processors = || thread::available_parallelism().map_or(1, usize::from);
        self.shards.unwrap_or_else(|| processors().min(MOST_SHARDS_BY_ITSELF))
    }

    /// Whether all values are within their ranges and fit each other. What [`Config::load`] gives has passed.
    ///
    /// # Errors
    /// The first value that is not, with its key.
    pub fn check(&self) -> Result<(), Invalid> {
        check::check(self)
    }
}

//! From the TOML text and the environment to a [`Config`], with the place of each value for what is wrong with it.

use std::collections::BTreeMap;
use std::iter;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use blether_sip_transport::Transport;
use toml::Value;

use super::account::{AccountConfig, Password};
use super::error::{ConfigError, Invalid, Place, nearest};
use super::file::{Account, File, Origin, Proxy, Setting, Tls};
use super::proxy::{self as proxies, Proxied, ProxyConfig, ProxyTo};
use super::value::{self, Listen, ValueError};
use super::{
    AuthenticationConfig, CallsConfig, Config, ConfigFile, DnsConfig, HttpConfig, LimitsConfig, LogConfig, MediaConfig,
    RegistrarConfig, TcpConfig, TlsConfig, TlsIdentity, check, environment,
};

impl ConfigFile {
    pub(super) fn read(
        text: &str,
        path: &Path,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut reader = Reader { text, line_starts: line_starts(text), path, places: BTreeMap::new() };
        let mut file: File = toml::from_str(text).map_err(|error| reader.explain(&error))?;
        // If that cannot be one and another takes its place, it is nobody's concern; if none does, it is told below.
        let data_dir = file.data_dir.clone().and_then(|setting| reader.data_dir(Some(setting)).ok());
        environment::overlay(&mut file, variables)?;
        let config = reader.config(file)?;
        check::check(&config).map_err(|invalid| reader.locate(invalid))?;
        Ok(Self { config, data_dir })
    }
}

/// Where each line of a text begins.
fn line_starts(text: &str) -> Vec<usize> {
    iter::once(0).chain(text.match_indices('\n').map(|(newline, _)| newline + 1)).collect()
}

struct Reader<'a> {
    text: &'a str,
    /// As [`line_starts`] has them: every key is looked up, and there may be many.
    line_starts: Vec<usize>,
    path: &'a Path,
    /// Where each key that was given stands, for the checks that come after reading.
    places: BTreeMap<String, Place>,
}

impl Reader<'_> {
    fn config(&mut self, file: File) -> Result<Config, ConfigError> {
        let default = Config::default();
        let File {
            data_dir,
            listen,
            shards,
            tcp,
            http,
            domains,
            realm,
            advertise,
            tls,
            dns,
            authentication,
            media,
            registrar,
            limits,
            calls,
            log,
            proxy,
            account,
        } = file;
        let (listen, also_listen) = self.listens(listen, default.listen)?;
        Ok(Config {
            data_dir: self.data_dir(data_dir)?,
            listen,
            also_listen,
            shards: self.shards(shards, default.shards)?,
            tcp: TcpConfig {
                enabled: self.boolean("tcp.enabled", tcp.enabled, default.tcp.enabled)?,
                max_connections: self.size("tcp.max_connections", tcp.max_connections, default.tcp.max_connections)?,
                max_per_peer: self.size("tcp.max_per_peer", tcp.max_per_peer, default.tcp.max_per_peer)?,
                idle_timeout: self.seconds("tcp.idle_timeout", tcp.idle_timeout, default.tcp.idle_timeout)?,
            },
            tls: self.tls(tls)?,
            dns: DnsConfig { servers: self.list("dns.servers", dns.servers, default.dns.servers, value::name_server)? },
            http: HttpConfig {
                listen: self.parsed("http.listen", http.listen, default.http.listen, value::http_listen)?,
            },
            domains: self.list("domains", domains, default.domains, value::domain)?,
            realm: self.parsed("realm", realm, default.realm, |text| Ok(text.to_owned()))?,
            advertise: self.parsed("advertise", advertise, default.advertise, value::advertise)?,
            authentication: AuthenticationConfig {
                digest: self.parsed(
                    "authentication.digest",
                    authentication.digest,
                    default.authentication.digest,
                    value::digest,
                )?,
            },
            media: MediaConfig {
                ports: self.parsed("media.ports", media.ports, default.media.ports, str::parse)?,
                workers: self.size("media.workers", media.workers, default.media.workers)?,
            },
            registrar: RegistrarConfig {
                default_expires: self.seconds(
                    "registrar.default_expires",
                    registrar.default_expires,
                    default.registrar.default_expires,
                )?,
                min_expires: self.seconds(
                    "registrar.min_expires",
                    registrar.min_expires,
                    default.registrar.min_expires,
                )?,
                max_expires: self.seconds(
                    "registrar.max_expires",
                    registrar.max_expires,
                    default.registrar.max_expires,
                )?,
                max_contacts: self.size(
                    "registrar.max_contacts",
                    registrar.max_contacts,
                    default.registrar.max_contacts,
                )?,
                service_route: self.list(
                    "registrar.service_route",
                    registrar.service_route,
                    default.registrar.service_route,
                    proxies::loose_router,
                )?,
            },
            limits: LimitsConfig {
                max_message: self.size("limits.max_message", limits.max_message, default.limits.max_message)?,
                max_body: self.size("limits.max_body", limits.max_body, default.limits.max_body)?,
                max_transactions: self.size(
                    "limits.max_transactions",
                    limits.max_transactions,
                    default.limits.max_transactions,
                )?,
                max_calls: self.size("limits.max_calls", limits.max_calls, default.limits.max_calls)?,
            },
            calls: CallsConfig {
                ring_timeout: self.seconds("calls.ring_timeout", calls.ring_timeout, default.calls.ring_timeout)?,
                end_when_silent: self.seconds(
                    "calls.end_when_silent",
                    calls.end_when_silent,
                    default.calls.end_when_silent,
                )?,
                drain_timeout: self.seconds("calls.drain_timeout", calls.drain_timeout, default.calls.drain_timeout)?,
            },
            log: LogConfig {
                level: self.parsed("log.level", log.level, default.log.level, str::parse)?,
                format: self.parsed("log.format", log.format, default.log.format, str::parse)?,
            },
            proxies: proxy
                .into_iter()
                .enumerate()
                .map(|(index, proxy)| self.proxy(index + 1, proxy))
                .collect::<Result<_, _>>()?,
            accounts: account
                .into_iter()
                .enumerate()
                .map(|(index, account)| self.account(index + 1, account))
                .collect::<Result<_, _>>()?,
        })
    }

    /// A relative folder starts where its reader looks: at the file's folder, or for a variable at the working directory.
    fn data_dir(&mut self, setting: Option<Setting>) -> Result<PathBuf, ConfigError> {
        let folder = self.path.parent().map(Path::to_owned).unwrap_or_default();
        let in_file = matches!(&setting, Some(Setting { origin: Origin::Span(_), .. }));
        let given = self.parsed("data_dir", setting, None, |text| match text {
            "" => Err(ValueError::EmptyPath),
            text => Ok(Some(PathBuf::from(text))),
        })?;
        let path = match given {
            Some(path) if in_file => folder.join(path),
            Some(path) => path,
            None => folder,
        };
        let path: PathBuf = path.components().collect();
        Ok(if path.as_os_str().is_empty() { PathBuf::from(".") } else { path })
    }

    fn tls(&mut self, tls: Tls) -> Result<TlsConfig, ConfigError> {
        let Tls { certificate, key, client_authorities, server_authorities, client_certificate, client_key } = tls;
        Ok(TlsConfig {
            identity: self.identity(["tls.certificate", "tls.key"], [certificate, key])?,
            client_authorities: self.file("tls.client_authorities", client_authorities)?,
            server_authorities: self.file("tls.server_authorities", server_authorities)?,
            client_identity: self
                .identity(["tls.client_certificate", "tls.client_key"], [client_certificate, client_key])?,
        })
    }

    /// The files of a certificate and its key: both, or one file for both, or none, which an empty text says too. Relative paths start where those of
    /// [`Self::data_dir`] do.
    fn identity(
        &mut self,
        [certificate_key, key_key]: [&'static str; 2],
        [certificate, key]: [Option<Setting>; 2],
    ) -> Result<Option<TlsIdentity>, ConfigError> {
        match (self.file(certificate_key, certificate)?, self.file(key_key, key)?) {
            (None, None) => Ok(None),
            (None, Some(_)) => {
                let cause = ValueError::KeyAlone { certificate: certificate_key };
                Err(self.locate(Invalid::Value { key: key_key.to_owned(), cause }))
            }
            (Some(certificate), key) => Ok(Some(TlsIdentity { key: key.unwrap_or(certificate.clone()), certificate })),
        }
    }

    fn file(&mut self, key: &str, setting: Option<Setting>) -> Result<Option<PathBuf>, ConfigError> {
        let Some(setting) = setting else { return Ok(None) };
        let in_file = matches!(setting.origin, Origin::Span(_));
        let text = self.text(key, setting)?;
        let folder = self.path.parent().filter(|_| in_file).map(Path::to_owned).unwrap_or_default();
        Ok((!text.is_empty()).then(|| folder.join(text)))
    }

    fn account(&mut self, number: usize, account: Account) -> Result<AccountConfig, ConfigError> {
        let missing = |reader: &Self, key| ConfigError::Invalid {
            place: reader.place(&Origin::Span(account.span.clone())),
            invalid: Box::new(Invalid::Missing { account: number, key }),
        };
        let key = |name: &str| format!("{name} of account {number}");
        let Some(user) = account.user else { return Err(missing(self, "user")) };
        let user = self.text(&key("user"), user)?;
        let Some(password) = account.password else { return Err(missing(self, "password")) };
        let password = Password::from(self.text(&key("password"), password)?);
        let display_name = match account.display_name {
            Some(setting) => self.text(&key("display_name"), setting)?,
            None => user.clone(),
        };
        Ok(AccountConfig { user, password, display_name })
    }

    fn proxy(&mut self, number: usize, section: Proxy) -> Result<ProxyConfig, ConfigError> {
        let Proxy { keys, span } = section;
        let missing = |reader: &Self, key| ConfigError::Invalid {
            place: reader.place(&Origin::Span(span.clone())),
            invalid: Box::new(Invalid::MissingInProxy { proxy: number, key }),
        };
        let key = |name: &str| format!("{name} of proxy {number}");
        let dialled = self.parsed(&key("dialled"), keys.dialled, None, |text| proxies::pattern(text).map(Some))?;
        let domain = self.parsed(&key("domain"), keys.domain, None, |text| value::domain(text).map(Some))?;
        let what = match (dialled, domain) {
            (Some(pattern), None) => Proxied::Dialled(pattern),
            (None, Some(domain)) => Proxied::Domain(domain),
            (None, None) => return Err(missing(self, "dialled")),
            (Some(_), Some(_)) => {
                return Err(self.locate(Invalid::Value { key: key("domain"), cause: ValueError::DialledAndDomain }));
            }
        };
        let Some(Setting { value, origin }) = keys.to else { return Err(missing(self, "to")) };
        let value = match value {
            one @ Value::String(_) => Value::Array(vec![one]),
            other => other,
        };
        let items =
            self.items(&key("to"), Setting { value, origin }, "text in quotes, or a list of texts", |text| {
                Ok(text.to_owned())
            })?;
        let to = ProxyTo::parse(&items).map_err(|cause| self.locate(Invalid::Value { key: key("to"), cause }))?;
        let default = ProxyConfig::new(what, to);
        Ok(ProxyConfig {
            fork: self.parsed(&key("fork"), keys.fork, default.fork, proxies::fork)?,
            ring_timeout: self.seconds(&key("ring_timeout"), keys.ring_timeout, default.ring_timeout)?,
            timer_c: self.seconds(&key("timer_c"), keys.timer_c, default.timer_c)?,
            authenticate: self.boolean(&key("authenticate"), keys.authenticate, default.authenticate)?,
            stateless: self.boolean(&key("stateless"), keys.stateless, default.stateless)?,
            ..default
        })
    }

    fn parsed<T>(
        &mut self,
        key: &str,
        setting: Option<Setting>,
        default: T,
        parse: impl Fn(&str) -> Result<T, ValueError>,
    ) -> Result<T, ConfigError> {
        let Some(setting) = setting else { return Ok(default) };
        let text = self.text(key, setting)?;
        parse(&text).map_err(|cause| self.locate(Invalid::Value { key: key.to_owned(), cause }))
    }

    fn list<T>(
        &mut self,
        key: &str,
        setting: Option<Setting>,
        default: Vec<T>,
        parse: impl Fn(&str) -> Result<T, ValueError>,
    ) -> Result<Vec<T>, ConfigError> {
        let Some(setting) = setting else { return Ok(default) };
        self.items(key, setting, "a list of texts, such as [\"…\", \"…\"]", parse)
    }

    /// One address, or several; the first apart.
    fn listens(&mut self, setting: Option<Setting>, default: Listen) -> Result<(Listen, Vec<Listen>), ConfigError> {
        const EXPECTED: &str = "text in quotes, or a list of texts";
        let mut all = match setting {
            None => return Ok((default, Vec::new())),
            Some(Setting { value: Value::String(text), origin: origin @ Origin::Span(_) }) => {
                let setting = Setting { value: Value::Array(vec![Value::String(text)]), origin };
                self.items("listen", setting, EXPECTED, str::parse)?
            }
            Some(setting) => self.items("listen", setting, EXPECTED, Listen::from_str)?,
        };
        if all.is_empty() {
            return Err(self.locate(Invalid::Value { key: "listen".to_owned(), cause: ValueError::NoListen }));
        }
        // The one for UDP is the first, wherever it stands.
        let first = all.iter().position(|listen| listen.transport == Transport::Udp).unwrap_or_default();
        let first = all.remove(first);
        Ok((first, all))
    }

    fn items<T>(
        &mut self,
        key: &str,
        setting: Setting,
        expected: &'static str,
        parse: impl Fn(&str) -> Result<T, ValueError>,
    ) -> Result<Vec<T>, ConfigError> {
        let place = self.note(key, &setting.origin);
        let texts = match (setting.value, &setting.origin) {
            (Value::String(text), Origin::Variable(_)) => text.split(',').map(|item| item.trim().to_owned()).collect(),
            (Value::Array(items), _) => items
                .into_iter()
                .map(|item| match item {
                    Value::String(text) => Ok(text),
                    other => Err(wrong_type(&place, key, expected, &other)),
                })
                .collect::<Result<Vec<_>, _>>()?,
            (other, _) => return Err(wrong_type(&place, key, expected, &other)),
        };
        let invalid = |cause| ConfigError::Invalid {
            place: place.clone(),
            invalid: Box::new(Invalid::Value { key: key.to_owned(), cause }),
        };
        texts.iter().map(|text| parse(text).map_err(invalid)).collect()
    }

    fn text(&mut self, key: &str, setting: Setting) -> Result<String, ConfigError> {
        let place = self.note(key, &setting.origin);
        match setting.value {
            Value::String(text) => Ok(text),
            other => Err(wrong_type(&place, key, "text in quotes", &other)),
        }
    }

    /// A number, or the word `auto`, which 0 stands for as well.
    fn shards(&mut self, setting: Option<Setting>, default: Option<usize>) -> Result<Option<usize>, ConfigError> {
        const EXPECTED: &str = "a whole number without quotes, or \"auto\"";
        let Some(setting) = setting else { return Ok(default) };
        match (&setting.value, &setting.origin) {
            (Value::String(text), _) if text == "auto" => Ok(None),
            (Value::Integer(_), _) | (Value::String(_), Origin::Variable(_)) => {
                Ok(Some(self.size("shards", Some(setting), 0)?).filter(|shards| *shards != 0))
            }
            (other, origin) => Err(wrong_type(&self.place(origin), "shards", EXPECTED, other)),
        }
    }

    fn boolean(&mut self, key: &str, setting: Option<Setting>, default: bool) -> Result<bool, ConfigError> {
        let Some(setting) = setting else { return Ok(default) };
        let place = self.note(key, &setting.origin);
        match (&setting.value, &setting.origin) {
            (Value::Boolean(value), _) => Ok(*value),
            (Value::String(text), Origin::Variable(_)) if text == "true" => Ok(true),
            (Value::String(text), Origin::Variable(_)) if text == "false" => Ok(false),
            (other, _) => Err(wrong_type(&place, key, "true or false, without quotes", other)),
        }
    }

    fn seconds(&mut self, key: &str, setting: Option<Setting>, default: Duration) -> Result<Duration, ConfigError> {
        Ok(self.whole(key, setting)?.map_or(default, Duration::from_secs))
    }

    fn size(&mut self, key: &str, setting: Option<Setting>, default: usize) -> Result<usize, ConfigError> {
        // What does not fit is above every range that `check` knows, which then names the range.
        Ok(self.whole(key, setting)?.map_or(default, |number| usize::try_from(number).unwrap_or(usize::MAX)))
    }

    fn whole(&mut self, key: &str, setting: Option<Setting>) -> Result<Option<u64>, ConfigError> {
        const EXPECTED: &str = "a whole number without quotes";
        let Some(setting) = setting else { return Ok(None) };
        let place = self.note(key, &setting.origin);
        let number = match (&setting.value, &setting.origin) {
            (Value::Integer(number), _) => i128::from(*number),
            (Value::String(text), Origin::Variable(_)) => {
                text.trim().parse().map_err(|_| wrong_type(&place, key, "a whole number", &setting.value))?
            }
            (other, _) => return Err(wrong_type(&place, key, EXPECTED, other)),
        };
        u64::try_from(number)
            .map(Some)
            .map_err(|_| ConfigError::Invalid { place, invalid: Box::new(check::out_of_range(key, number)) })
    }

    /// Remembers where `key` was set, and tells it.
    fn note(&mut self, key: &str, origin: &Origin) -> Place {
        let place = self.place(origin);
        self.places.insert(key.to_owned(), place.clone());
        place
    }

    fn place(&self, origin: &Origin) -> Place {
        match origin {
            Origin::Variable(name) => Place::Variable(name.clone()),
            Origin::Span(span) => self.place_of(span),
        }
    }

    fn place_of(&self, span: &Range<usize>) -> Place {
        let line = self.line_starts.partition_point(|start| *start <= span.start);
        let line_start = line.checked_sub(1).and_then(|index| self.line_starts.get(index)).copied().unwrap_or_default();
        let before = self.text.get(line_start..span.start).unwrap_or_default();
        Place::File { path: self.path.to_owned(), line, column: before.chars().count() + 1 }
    }

    /// Adds the place to what a check found.
    fn locate(&self, mut invalid: Invalid) -> ConfigError {
        let key = match &mut invalid {
            Invalid::OutOfRange { key, .. } | Invalid::NotWholeSeconds { key } | Invalid::Value { key, .. } => {
                key.clone()
            }
            Invalid::Above { key, limit_key, .. } => {
                // One of the two may be a default, which stands nowhere.
                if self.places.contains_key(key) { key.clone() } else { limit_key.clone() }
            }
            Invalid::ListenTwice { .. } => "listen".to_owned(),
            Invalid::HttpOnListen { .. } => "http.listen".to_owned(),
            Invalid::ListenInMediaPorts { .. } => {
                if self.places.contains_key("media.ports") {
                    "media.ports".to_owned()
                } else {
                    "listen".to_owned()
                }
            }
            Invalid::DuplicateUser { first, second, first_place, .. } => {
                *first_place = self.places.get(&format!("user of account {first}")).cloned();
                format!("user of account {second}")
            }
            Invalid::Missing { account, key } => format!("{key} of account {account}"),
            Invalid::MissingInProxy { proxy, key } => format!("{key} of proxy {proxy}"),
        };
        let place = self.places.get(&key).cloned().unwrap_or_else(|| Place::WholeFile(self.path.to_owned()));
        ConfigError::Invalid { place, invalid: Box::new(invalid) }
    }

    /// Says in our words what the TOML reader or serde said in theirs.
    fn explain(&self, error: &toml::de::Error) -> ConfigError {
        let place = match error.span() {
            Some(span) => self.place_of(&span),
            None => Place::WholeFile(self.path.to_owned()),
        };
        let message = error.message();
        let mut quoted = message.split('`').skip(1).step_by(2).map(str::to_owned);
        if message.starts_with("unknown field")
            && let Some(key) = quoted.next()
        {
            let known: Vec<String> = quoted.collect();
            let nearest = nearest(&key, known.iter().map(String::as_str)).map(str::to_owned);
            return ConfigError::UnknownKey { place, key, nearest, known };
        }
        // Values take any type here, so what serde can still miss is a section. What it found instead may hold a password.
        if message.starts_with("invalid type")
            && let Some((_, expected)) = message.rsplit_once("expected ")
        {
            let expected = if expected == "a sequence" { "a section [[account]]" } else { expected };
            return ConfigError::NoSection {
                place,
                expected: format!("{expected}, with its keys in the lines below it"),
            };
        }
        ConfigError::Syntax { place, message: message.lines().collect::<Vec<_>>().join(", ") }
    }
}

fn wrong_type(place: &Place, key: &str, expected: &'static str, found: &Value) -> ConfigError {
    let found = match found {
        Value::String(_) => "text",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number with a fraction",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date or time",
        Value::Array(_) => "a list",
        Value::Table(_) => "a section",
    };
    ConfigError::WrongType { place: place.clone(), key: key.to_owned(), expected, found }
}

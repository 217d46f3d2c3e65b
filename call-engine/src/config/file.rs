//! The configuration as it stands in TOML: which keys there are, and where each value was found.
//!
//! Values keep their TOML type until `read` wants them, so that a wrong type is told with the name of its key.

use std::ops::Range;

use serde::{Deserialize, Deserializer};
use toml::{Spanned, Value};

/// A value and where it was set.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// Where a setting comes from.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    /// Bytes of the file.
    Span(Range<usize>),
    /// An environment variable, by name.
    Variable(String),
}

impl<'de> Deserialize<'de> for Setting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        let span = spanned.span();
        Ok(Self { value: spanned.into_inner(), origin: Origin::Span(span) })
    }
}

/// Declares a section: its keys once, for TOML and for the environment.
macro_rules! section {
    ($(#[$doc:meta])* $name:ident, $expecting:literal, [$($key:ident),+ $(,)?] $(, $(#[$more_doc:meta])* $more:ident: $type:ty)*) => {
        $(#[$doc])*
        #[derive(Debug, Default, Deserialize)]
        #[serde(default, deny_unknown_fields, expecting = $expecting)]
        pub(super) struct $name {
            $(pub(super) $key: Option<Setting>,)+
            $($(#[$more_doc])* pub(super) $more: $type,)*
        }

        impl $name {
            /// The keys that the environment can set.
            pub(super) const KEYS: &[&str] = &[$(stringify!($key)),+];

            /// The place of `key`, if there is such a key.
            pub(super) fn slot(&mut self, key: &str) -> Option<&mut Option<Setting>> {
                match key {
                    $(stringify!($key) => Some(&mut self.$key),)+
                    _ => None,
                }
            }
        }
    };
}

section!(Authentication, "a section [authentication]", [digest]);
section!(Tcp, "a section [tcp]", [enabled, max_connections, max_per_peer, idle_timeout]);
section!(
    Tls,
    "a section [tls]",
    [certificate, key, client_authorities, server_authorities, client_certificate, client_key]
);
section!(Dns, "a section [dns]", [servers]);
section!(Http, "a section [http]", [listen]);
section!(Media, "a section [media]", [ports, workers]);
section!(Registrar, "a section [registrar]", [default_expires, min_expires, max_expires, max_contacts, service_route]);
section!(Limits, "a section [limits]", [max_message, max_body, max_transactions, max_calls]);
section!(Calls, "a section [calls]", [ring_timeout, end_when_silent, drain_timeout]);
section!(Log, "a section [log]", [level, format]);
section!(
    /// The whole file.
    File,
    "a table",
    [data_dir, listen, shards, domains, realm, advertise],
    tcp: Tcp,
    tls: Tls,
    dns: Dns,
    http: Http,
    authentication: Authentication,
    media: Media,
    registrar: Registrar,
    limits: Limits,
    calls: Calls,
    log: Log,
    proxy: Vec<Proxy>,
    account: Vec<Account>
);

/// One `[[proxy]]`; `span` covers its header, for what is missing in it.
#[derive(Debug)]
pub(super) struct Proxy {
    pub(super) keys: ProxyKeys,
    pub(super) span: Range<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a section [[proxy]]")]
pub(super) struct ProxyKeys {
    pub(super) dialled: Option<Setting>,
    pub(super) domain: Option<Setting>,
    pub(super) to: Option<Setting>,
    pub(super) fork: Option<Setting>,
    pub(super) ring_timeout: Option<Setting>,
    pub(super) timer_c: Option<Setting>,
    pub(super) authenticate: Option<Setting>,
    pub(super) stateless: Option<Setting>,
}

impl<'de> Deserialize<'de> for Proxy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<ProxyKeys>::deserialize(deserializer)?;
        let span = spanned.span();
        Ok(Self { keys: spanned.into_inner(), span })
    }
}

/// One `[[account]]`; `span` covers its header, for what is missing in it.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) user: Option<Setting>,
    pub(super) password: Option<Setting>,
    pub(super) display_name: Option<Setting>,
    pub(super) span: Range<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a section [[account]]")]
struct AccountKeys {
    user: Option<Setting>,
    password: Option<Setting>,
    display_name: Option<Setting>,
}

impl<'de> Deserialize<'de> for Account {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<AccountKeys>::deserialize(deserializer)?;
        let span = spanned.span();
        let AccountKeys { user, password, display_name } = spanned.into_inner();
        Ok(Self { user, password, display_name, span })
    }
}

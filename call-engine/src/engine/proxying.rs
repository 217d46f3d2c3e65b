//! Which requests the server forwards, and where to: the sections `[[proxy]]` over its accounts and its location service.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use blether_session_core::actor::ShardPlace;
use blether_sip_core::digest::Credentials;
use blether_sip_core::{ByteStr, Host, Method, SipUri, Uri};
use blether_sip_transport::Flow;
use blether_transaction_core::Interceptor;
use rand::RngExt as _;
use rand::rngs::StdRng;

use super::{EngineError, EngineHandle, Refused, Role, draining};
use crate::config::{self, Config, ProxyConfig, ProxyTo};
use crate::ownership;
use crate::pattern::Patterns;
use crate::proxy::{Asked, Barred, Plan, Proxy, ProxyPlace, Refusal, Routed, Routing, Target, TokenKey};
use crate::stage::AuthenticatedUser;

/// What is forwarded.
pub(super) struct Proxied {
    dialled: Patterns<Arc<ProxyConfig>>,
    domains: Vec<(Host, Arc<ProxyConfig>)>,
    key: Arc<TokenKey>,
    realm: ByteStr,
    has_stateless: bool,
    /// The addresses of the servers that it sends to.
    servers: Vec<IpAddr>,
}

impl Proxied {
    /// With `durable`, the key of the tokens in Record-Route stays what it is from one start to the next, so that calls outlive the server: they are not its.
    pub(super) fn new(config: &Config, durable: bool, rng: &mut StdRng) -> Result<Self, EngineError> {
        let (mut dialled, mut domains) = (Patterns::new(), Vec::new());
        for proxy in config.proxies.iter().cloned().map(Arc::new) {
            match &proxy.what {
                config::Proxied::Dialled(pattern) => dialled.insert(pattern.clone(), proxy)?,
                config::Proxied::Domain(domain) => domains.push((domain.clone(), proxy)),
            }
        }
        let forwards = !config.proxies.is_empty();
        let secret = if durable && forwards { kept_secret(&config.data_dir, rng) } else { rng.random() };
        let key = Arc::new(TokenKey::new(&secret, rng.random(), (Instant::now(), SystemTime::now())));
        let has_stateless = config.proxies.iter().any(|proxy| proxy.stateless);
        let servers = config.proxies.iter().flat_map(|proxy| match &proxy.to {
            ProxyTo::Servers(servers) => servers.as_slice(),
            ProxyTo::Phones => &[],
        });
        let servers = servers.filter_map(|server| server.maddr().unwrap_or_else(|| server.host.clone()).ip());
        let servers = servers.map(|ip| ip.to_canonical()).collect();
        Ok(Self { dialled, domains, key, realm: ByteStr::from(config.realm.as_str()), has_stateless, servers })
    }

    /// The proxy of one shard; `None` where nothing is forwarded, so that nothing is looked at either.
    pub(super) fn interceptor(&self, engine: &EngineHandle, place: ShardPlace<'_>) -> Option<Box<dyn Interceptor>> {
        if self.dialled.is_empty() && self.domains.is_empty() {
            return None;
        }
        let ShardPlace { local, tls, advertise, tcp, mut rng, .. } = place;
        let place = ProxyPlace { local, tls, advertise, tcp };
        Some(Box::new(Proxy::new(EngineRouting(engine.clone()), self.key.clone(), &place, &mut rng)))
    }
}

/// The file of the key in the data folder.
const KEY_FILE: &str = "proxy.key";

/// The key in its file, which is made if it is not there. Where it cannot be kept, there is one for this start alone, and a warning.
fn kept_secret(folder: &Path, rng: &mut StdRng) -> [u8; 32] {
    let path = folder.join(KEY_FILE);
    let fresh: [u8; 32] = rng.random();
    let kept = match fs::read(&path).map(<[u8; 32]>::try_from) {
        Ok(Ok(secret)) => return secret,
        Ok(Err(other)) => Err(io::Error::other(format!("it has {} bytes, not 32", other.len()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => write_secret(&path, &fresh),
        Err(error) => Err(error),
    };
    if let Err(error) = kept {
        let path = path.display();
        tracing::warn!(%error, "{path}: the proxy's key is not kept; requests of forwarded calls are refused after the next start");
    }
    fresh
}

fn write_secret(path: &Path, secret: &[u8; 32]) -> io::Result<()> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(secret)?;
    file.sync_all()?;
    ownership::give(&file, path)
}

/// The engine, as the proxy asks it.
struct EngineRouting(EngineHandle);

impl Routing for EngineRouting {
    fn route(&self, now: Instant, asked: Asked<'_>) -> Routed {
        let core = &self.0.0;
        let (request, flow) = (asked.request, asked.came_by);
        let Some(uri) = request.uri().as_sip() else { return Routed::NotForwarded };
        let Some((proxy, user)) = self.find(uri, request.method(), flow) else { return Routed::NotForwarded };
        let ends = matches!(request.method(), Method::Cancel | Method::Ack);
        if self.0.draining() && !ends {
            metrics::counter!("blether_engine_draining_refusals_total").increment(1);
            return Routed::Answered { response: Box::new(draining(asked.received)), stateless: true };
        }
        // CANCEL and ACK cannot be challenged (RFC 3261 §22.1); they lead nowhere but their INVITE.
        if proxy.authenticate && !ends {
            match self.admit(now, asked) {
                Ok(()) => {}
                Err(Barred::Refused(refusal)) => return Routed::Refused(refusal),
                Err(Barred::Answered { response, stateless }) => return Routed::Answered { response, stateless },
            }
        }
        // Where it goes after us is not its sender's to say: no open relay.
        if asked.has_routes {
            return Routed::Refused(Refusal::NotThere);
        }
        let targets = match &proxy.to {
            ProxyTo::Phones => match self.phones(now, user.as_deref().unwrap_or_default()) {
                Ok(targets) => targets,
                Err(refusal) => return Routed::Refused(refusal),
            },
            ProxyTo::Servers(servers) => servers.iter().map(|server| towards(server, uri, &proxy)).collect(),
        };
        Routed::To(Box::new(Plan {
            targets,
            fork: proxy.fork,
            ring_for: proxy.ring_timeout,
            timer_c: proxy.timer_c,
            realm: proxy.authenticate.then(|| core.proxied.realm.clone()),
            stateless: proxy.stateless,
        }))
    }

    fn admit(&self, now: Instant, asked: Asked<'_>) -> Result<(), Barred> {
        let context =
            self.0.0.pass_stages(now, asked.received, asked.came_by, Role::Proxy).map_err(
                |Refused { response, by_a_stranger }| Barred::Answered { response, stateless: by_a_stranger },
            )?;
        match context.user.is_none_or(|user| !self.speaks_for_itself(&user, asked)) {
            true => Err(Barred::Refused(Refusal::OtherUser)),
            false => Ok(()),
        }
    }

    fn has_stateless(&self) -> bool {
        self.0.0.proxied.has_stateless
    }

    fn is_domain(&self, host: &Host, came_by: Flow) -> bool {
        self.0.0.registrar.domains().contains(host, came_by)
    }

    fn trusts(&self, flow: Flow) -> bool {
        self.0.0.proxied.servers.contains(&flow.remote.ip().to_canonical())
    }

    fn has_asked_for(&self, credentials: &Credentials) -> bool {
        self.0.0.authenticator.as_ref().is_some_and(|authenticator| authenticator.has_asked_for(credentials))
    }
}

impl EngineRouting {
    /// The `[[proxy]]` for a Request-URI, and the user that it names if that is one of this server's.
    fn find(&self, uri: &SipUri, method: &Method, flow: Flow) -> Option<(Arc<ProxyConfig>, Option<String>)> {
        let core = &self.0.0;
        if core.registrar.domains().contains(&uri.host, flow) {
            // This server is their registrar.
            if *method == Method::Register {
                return None;
            }
            let user = uri.user_decoded()?;
            let proxy = core.proxied.dialled.find(&user)?;
            return Some((proxy.clone(), Some(user.into_owned())));
        }
        let (_, proxy) = core.proxied.domains.iter().find(|(domain, _)| *domain == uri.host)?;
        Some((proxy.clone(), None))
    }

    /// Whether the From of a request is its user's to use: what a gateway shows as the caller comes from there.
    fn speaks_for_itself(&self, user: &AuthenticatedUser, asked: Asked<'_>) -> bool {
        let core = &self.0.0;
        let is_ours = |host: &Host| core.registrar.domains().contains(host, asked.came_by);
        // Where nobody proves anything there is nothing to hold it against. The servers that we send to know of callers that we do not.
        core.authenticator.is_none()
            || self.trusts(asked.came_by)
            || names_user(&asked.request.from().uri, user.user(), asked.request.method(), is_ours)
    }

    /// The phones of a user.
    fn phones(&self, now: Instant, user: &str) -> Result<Vec<Target>, Refusal> {
        let core = &self.0.0;
        let aor = core.extension(user).ok_or(Refusal::NotFound)?;
        let bindings = core.location.bindings(&aor, now);
        if bindings.is_empty() {
            return Err(Refusal::NobodyThere);
        }
        Ok(bindings.iter().map(|binding| Target::of_binding(binding)).collect())
    }
}

/// Whether the URI of a From names this user of ours, or nobody (RFC 3323 §4.1.1.3). In a REGISTER for another domain, which shows it to nobody, it names a user
/// of that.
fn names_user(from: &Uri, user: &str, method: &Method, is_ours: impl Fn(&Host) -> bool) -> bool {
    let Some(from) = from.as_sip() else { return false };
    match is_ours(&from.host) {
        true => from.user_decoded().as_deref() == Some(user),
        false => *method == Method::Register || from.host == Host::Name("anonymous.invalid".into()),
    }
}

/// A server that takes a request: with its address in the Request-URI if the user is one of ours, whom it knows, else as the next to pass.
fn towards(server: &SipUri, uri: &SipUri, proxy: &ProxyConfig) -> Target {
    match proxy.what {
        config::Proxied::Dialled(_) => {
            let SipUri { host, port, params, .. } = server.clone();
            // Of what was dialled the user alone is for that server: a password was for this one, and headers stand in no Request-URI (RFC 3261 §19.1.1).
            Target::of_uri(SipUri { host, port, params, password: None, headers: None, ..uri.clone() })
        }
        config::Proxied::Domain(_) => {
            let mut server = server.clone();
            server.params.set("lr", None);
            Target { route: vec![server], ..Target::of_uri(uri.clone()) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn a_user_may_be_itself_or_nobody() {
        let is_ours = |host: &Host| *host == Host::Name("example.com".into());
        let may = |from: &str, method| names_user(&from.parse().unwrap(), "alice", &method, is_ours);
        for from in ["sip:alice@example.com", "sips:%61lice@EXAMPLE.com", "sip:anonymous@anonymous.invalid"] {
            assert!(may(from, Method::Invite), "{from}");
        }
        for from in ["sip:bob@example.com", "sip:alice@example.org", "tel:+4930123", "sip:example.com", "urn:x:y"] {
            assert!(!may(from, Method::Invite), "{from}");
        }
        assert!(may("sip:alice@example.org", Method::Register) && !may("sip:bob@example.com", Method::Register));
    }

    #[test]
    fn a_server_gets_the_user_that_was_dialled_and_no_more() {
        let server: SipUri = "sip:192.0.2.10:5070;transport=tcp".parse().unwrap();
        let to = ProxyTo::Servers(vec![server.clone()]);
        let proxy = ProxyConfig::new(config::Proxied::Dialled("0.".parse().unwrap()), to);
        let dialled = "sip:030:secret@example.com:5062;user=phone?Subject=x".parse().unwrap();
        let target = towards(&server, &dialled, &proxy);
        assert_eq!(target.uri.to_string(), "sip:030@192.0.2.10:5070;transport=tcp");
    }

    #[test]
    fn the_key_is_kept_from_one_start_to_the_next_and_a_damaged_one_keeps_nothing_from_starting() {
        let folder = tempfile::tempdir().unwrap();
        let secret = |seed| kept_secret(folder.path(), &mut StdRng::seed_from_u64(seed));
        let first = secret(1);
        assert_eq!(secret(2), first);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(folder.path().join(KEY_FILE)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "nobody else may read it");
        }
        fs::write(folder.path().join(KEY_FILE), b"short").unwrap();
        assert_ne!(secret(3), first);
        assert_eq!(fs::read(folder.path().join(KEY_FILE)).unwrap(), b"short", "what somebody has put there stays");
    }
}

//! What is allowed and yet may not be what the operator wants.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::thread;

use super::{Config, PortRange};

/// RTP and RTCP, for each of the two phones.
const PER_CALL: u64 = 4;

/// File descriptors for what is neither a call nor a connection: the database and its two companions, the event queues of tokio and of the
/// media workers, standard streams, HTTP requests and the control socket's clients.
const FOR_THE_REST: u64 = 256;

/// What [`advice`] has to say. Each is displayed as one line for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Advice {
    /// The ports for speech are used up before [`LimitsConfig::max_calls`](super::LimitsConfig::max_calls) is reached.
    FewPorts {
        /// The ports.
        ports: PortRange,
        /// The calls that they are enough for.
        room: u64,
        /// The calls that are allowed.
        max_calls: usize,
    },
    /// The limit of open files may be reached before `max_calls` is.
    FewFiles {
        /// The limit.
        limit: u64,
        /// The limit that would be enough.
        needed: u64,
        /// The calls that it leaves room for beside all TCP connections that are allowed.
        room: u64,
        /// The calls that are allowed.
        max_calls: usize,
    },
    /// Other machines can reach HTTP.
    OpenHttp(SocketAddr),
    /// There are more shards than processors.
    ManyShards {
        /// The shards.
        shards: usize,
        /// The processors.
        processors: usize,
    },
    /// The address that is advertised is of a kind that is not listened on, so that no peer is told it.
    UnusedAdvertise(IpAddr),
    /// Who does not run the server may read its passwords; said by whoever has looked at the file.
    OpenFile {
        /// The configuration file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The data folder that stands in the file is not the one that is used; said by whoever has chosen.
    OtherDataDir {
        /// What stands in the file.
        in_file: PathBuf,
        /// The folder that is used.
        used: PathBuf,
        /// Who has said so: a variable or an argument.
        by: &'static str,
    },
    /// Nobody can register.
    NoAccount,
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FewPorts { ports, room, max_calls } => write!(
                f,
                "`media.ports` = {ports} is enough for {room} calls, but `limits.max_calls` allows {max_calls}; widen the one, or \
                 lower the other"
            ),
            Self::FewFiles { limit, needed, room, max_calls } => write!(
                f,
                "the limit of open files, {limit}, has room for {room} calls beside the TCP connections that are allowed, but \
                 `limits.max_calls` allows {max_calls}; raise it to {needed} (LimitNOFILE of the service, or ulimit -n), or lower \
                 `limits.max_calls` or `tcp.max_connections`"
            ),
            Self::OpenHttp(address) => write!(
                f,
                "`http.listen` = {address} can be reached from other machines, and asks nobody for a password; see that a firewall does"
            ),
            Self::ManyShards { shards, processors } => write!(
                f,
                "`shards` = {shards} are more than the processors that the server may use ({processors}); they only wait for each other"
            ),
            Self::UnusedAdvertise(address) => {
                let (kind, all) = if address.is_ipv6() { ("IPv6", "[::]") } else { ("IPv4", "0.0.0.0") };
                write!(
                    f,
                    "`advertise` = {address} is told to nobody, since `listen` has no {kind} address; add one, such as \"udp:{all}:5060\", or \
                     leave `advertise` out"
                )
            }
            Self::OpenFile { path, mode } => write!(
                f,
                "{} has passwords in it and is open to others than its owner (mode {mode:04o}); chmod 600 it",
                path.display()
            ),
            Self::OtherDataDir { in_file, used, by } => write!(
                f,
                "`data_dir` = {} in the file does not count, because {by} says {}",
                in_file.display(),
                used.display()
            ),
            Self::NoAccount => write!(f, "there is no account, so no phone can register; add an [[account]]"),
        }
    }
}

/// How many calls with two phones there can be, with so many files open at most, while TCP has all the connections that `config` grants it.
pub fn calls_for_open_files(config: &Config, limit: u64) -> u64 {
    limit.saturating_sub(files_beside_calls(config)) / PER_CALL
}

fn files_beside_calls(config: &Config) -> u64 {
    let (udp, tls) = (config.listens_for_udp().count(), config.listens_for_tls().count());
    let connections = if config.tcp.enabled || tls > 0 { whole(config.tcp.max_connections) } else { 0 };
    FOR_THE_REST + whole(config.shard_count()) * whole(udp) + whole(tls) + connections
}

/// Looks over a configuration that is allowed. `open_files` is the limit of open files, as far as it can be raised; `None` leaves that out.
pub fn advice(config: &Config, open_files: Option<u64>) -> Vec<Advice> {
    let mut advice = Vec::new();
    let PortRange { first, last } = config.media.ports;
    let max_calls = config.limits.max_calls;
    let room = (u64::from(last.saturating_sub(first)) + 1) / PER_CALL;
    if room < whole(max_calls) {
        advice.push(Advice::FewPorts { ports: config.media.ports, room, max_calls });
    }
    if let Some(limit) = open_files {
        let room = calls_for_open_files(config, limit);
        let needed = files_beside_calls(config) + PER_CALL * whole(max_calls);
        if room < whole(max_calls) {
            advice.push(Advice::FewFiles { limit, needed, room, max_calls });
        }
    }
    let processors = thread::available_parallelism().map_or(usize::MAX, usize::from);
    if let Some(shards) = config.shards.filter(|shards| *shards > processors) {
        advice.push(Advice::ManyShards { shards, processors });
    }
    if let Some(address) = config.http.listen.filter(|address| !address.ip().is_loopback()) {
        advice.push(Advice::OpenHttp(address));
    }
    if let Some(address) = config.advertise
        && !config.listens().any(|listen| listen.address.is_ipv4() == address.is_ipv4())
    {
        advice.push(Advice::UnusedAdvertise(address));
    }
    if config.accounts.is_empty() {
        advice.push(Advice::NoAccount);
    }
    advice
}

fn whole(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::AccountConfig;

    fn config() -> Config {
        Config { accounts: vec![AccountConfig::new("100", "correct horse")], ..Config::default() }
    }

    #[test]
    fn the_default_needs_no_advice_where_systems_are_as_they_mostly_are() {
        assert_eq!(advice(&config(), Some(524_288)), []);
        assert_eq!(advice(&config(), None), []);
        assert_eq!(advice(&Config::default(), None), [Advice::NoAccount]);
    }

    #[test]
    fn ports_and_files_must_be_enough_for_the_calls() {
        let mut config = config();
        config.tcp.enabled = false;
        config.shards = Some(1);
        config.limits.max_calls = 2_500;
        let files = FOR_THE_REST + 1 + 4 * 2_500;
        assert_eq!(advice(&config, Some(files)), []);
        assert_eq!(calls_for_open_files(&config, files), 2_500);
        let said = advice(&config, Some(files - 1));
        assert!(matches!(said[..], [Advice::FewFiles { room: 2_499, needed, .. }] if needed == files), "{said:?}");
        config.limits.max_calls = 2_501;
        let said = advice(&config, None);
        assert!(matches!(said[..], [Advice::FewPorts { room: 2_500, max_calls: 2_501, .. }]), "{said:?}");
    }

    #[test]
    fn connections_need_files_as_well() {
        let mut config = config();
        let without = {
            config.tcp.enabled = false;
            calls_for_open_files(&config, 50_000)
        };
        config.tcp.enabled = true;
        assert_eq!(without - calls_for_open_files(&config, 50_000), 10_000 / PER_CALL);
        assert_eq!(calls_for_open_files(&config, 1_024), 0);
    }

    #[test]
    fn an_advertised_address_needs_a_socket_of_its_kind() {
        for (listen, also, advertise, used) in [
            ("udp:0.0.0.0:5060", None, "192.0.2.1", true),
            ("udp:0.0.0.0:5060", None, "2001:db8::1", false),
            ("udp:[::]:5060", None, "192.0.2.1", false),
            ("udp:[::]:5060", Some("udp:192.0.2.1:5060"), "192.0.2.1", true),
        ] {
            let advertise = advertise.parse().unwrap();
            let config = Config {
                listen: listen.parse().unwrap(),
                also_listen: also.into_iter().map(|also| also.parse().unwrap()).collect(),
                advertise: Some(advertise),
                ..config()
            };
            let expected = if used { vec![] } else { vec![Advice::UnusedAdvertise(advertise)] };
            assert_eq!(super::advice(&config, None), expected, "{listen} {also:?}");
        }
    }

    #[test]
    fn what_strangers_reach_and_what_only_waits_is_told_in_one_line() {
        let mut config = config();
        config.http.listen = Some("0.0.0.0:9060".parse().unwrap());
        config.shards = Some(256);
        let said: Vec<String> = advice(&config, None).iter().map(ToString::to_string).collect();
        assert!(said.iter().any(|line| line.contains("`http.listen` = 0.0.0.0:9060")), "{said:?}");
        assert!(said.iter().any(|line| line.contains("`shards` = 256")), "{said:?}");
        assert!(said.iter().all(|line| line.lines().count() == 1));
    }
}

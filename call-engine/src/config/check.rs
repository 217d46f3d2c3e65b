//! Ranges of the values, and what must hold between them.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use blether_sip_transport::Transport;

use super::account::{check_display_name, check_password, check_user};
use super::error::Invalid;
use super::proxy::is_named;
use super::value::{
    ClientCertificatePolicy, Listen, ValueError, check_advertise, check_name_server, check_realm, domain,
};
use super::{AccountConfig, Config, HttpConfig, Proxied, ProxyConfig, ProxyTo, TlsConfig};

struct Bounds {
    key: &'static str,
    min: u64,
    max: u64,
    unit: &'static str,
}

const fn bounds(key: &'static str, min: u64, max: u64, unit: &'static str) -> Bounds {
    Bounds { key, min, max, unit }
}

/// What each number may be; the reference gives the same ranges in words.
const BOUNDS: [Bounds; 16] = [
    bounds("shards", 1, 256, ""),
    bounds("tcp.max_connections", 1, 1_000_000, ""),
    bounds("tcp.max_per_peer", 1, 1_000_000, ""),
    bounds("tcp.idle_timeout", 60, 86_400, " seconds"),
    bounds("media.workers", 1, 256, ""),
    bounds("registrar.default_expires", 1, 604_800, " seconds"),
    bounds("registrar.min_expires", 1, 3600, " seconds"),
    bounds("registrar.max_expires", 1, 604_800, " seconds"),
    bounds("registrar.max_contacts", 1, 100, ""),
    bounds("limits.max_message", 1500, 65_535, " bytes"),
    bounds("limits.max_body", 1000, 65_535, " bytes"),
    bounds("limits.max_transactions", 100, 10_000_000, ""),
    bounds("limits.max_calls", 1, 1_000_000, ""),
    bounds("calls.ring_timeout", 5, 170, " seconds"),
    bounds("calls.end_when_silent", 10, 86_400, " seconds"),
    bounds("calls.drain_timeout", 0, 86_400, " seconds"),
];

pub(super) fn check(config: &Config) -> Result<(), Invalid> {
    let Config {
        data_dir,
        listen: _,
        also_listen: _,
        shards,
        tcp,
        tls,
        dns,
        http: _,
        domains,
        realm,
        advertise,
        authentication: _,
        media,
        registrar,
        limits,
        calls,
        log: _,
        proxies,
        accounts,
    } = config;
    if data_dir.as_os_str().is_empty() {
        return Err(value("data_dir")(ValueError::EmptyPath));
    }
    check_tls(tls)?;
    check_listen(config)?;
    for name in domains {
        domain(&name.to_string()).map_err(value("domains"))?;
    }
    dns.servers.iter().try_for_each(|server| check_name_server(*server)).map_err(value("dns.servers"))?;
    check_realm(realm).map_err(value("realm"))?;
    advertise.map_or(Ok(()), check_advertise).map_err(value("advertise"))?;

    shards.map_or(Ok(()), |shards| number("shards", shards))?;
    number("tcp.max_connections", tcp.max_connections)?;
    number("tcp.max_per_peer", tcp.max_per_peer)?;
    seconds("tcp.idle_timeout", tcp.idle_timeout)?;
    number("media.workers", media.workers)?;
    let default = seconds("registrar.default_expires", registrar.default_expires)?;
    let min = seconds("registrar.min_expires", registrar.min_expires)?;
    let max = seconds("registrar.max_expires", registrar.max_expires)?;
    above(("registrar.min_expires", min), ("registrar.max_expires", max))?;
    above(("registrar.min_expires", min), ("registrar.default_expires", default))?;
    above(("registrar.default_expires", default), ("registrar.max_expires", max))?;
    number("registrar.max_contacts", registrar.max_contacts)?;
    number("limits.max_message", limits.max_message)?;
    number("limits.max_body", limits.max_body)?;
    number("limits.max_transactions", limits.max_transactions)?;
    number("limits.max_calls", limits.max_calls)?;
    seconds("calls.ring_timeout", calls.ring_timeout)?;
    seconds("calls.end_when_silent", calls.end_when_silent)?;
    seconds("calls.drain_timeout", calls.drain_timeout)?;
    check_proxies(proxies)?;
    check_accounts(accounts)
}

/// What a `[[proxy]]` may say of its times, in seconds.
const PROXY_SECONDS: RangeInclusive<u64> = 1..=3_600;

fn check_proxies(proxies: &[ProxyConfig]) -> Result<(), Invalid> {
    for (index, proxy) in proxies.iter().enumerate() {
        let key = |name: &str| format!("{name} of proxy {}", index + 1);
        let invalid = |name: &str, cause| Err(Invalid::Value { key: key(name), cause });
        if proxies.iter().take(index).any(|earlier| earlier.what == proxy.what) {
            let name = if matches!(proxy.what, Proxied::Domain(_)) { "domain" } else { "dialled" };
            return invalid(name, ValueError::ProxiedTwice);
        }
        if matches!((&proxy.what, &proxy.to), (Proxied::Domain(_), ProxyTo::Phones)) {
            return invalid("to", ValueError::PhonesOfDomain);
        }
        if proxy.stateless {
            match &proxy.to {
                ProxyTo::Servers(servers) => match &servers[..] {
                    [server] if is_named(server) => {
                        return invalid("stateless", ValueError::StatelessName(server.to_string()));
                    }
                    [_] => {}
                    _ => return invalid("stateless", ValueError::StatelessPhones),
                },
                ProxyTo::Phones => return invalid("stateless", ValueError::StatelessPhones),
            }
        }
        if proxy.stateless && proxy.authenticate {
            return invalid("stateless", ValueError::StatelessAccounts);
        }
        for (name, duration) in [("ring_timeout", proxy.ring_timeout), ("timer_c", proxy.timer_c)] {
            if !PROXY_SECONDS.contains(&duration.as_secs()) {
                let (value, min, max) = (i128::from(duration.as_secs()), *PROXY_SECONDS.start(), *PROXY_SECONDS.end());
                return Err(Invalid::OutOfRange { key: key(name), value, min, max, unit: " seconds" });
            }
        }
    }
    Ok(())
}

fn check_tls(tls: &TlsConfig) -> Result<(), Invalid> {
    let TlsConfig { identity, client_authorities, server_authorities, client_identity } = tls;
    let (own, shown) = (identity.as_ref(), client_identity.as_ref());
    let paths = [
        ("tls.certificate", own.map(|own| &own.certificate)),
        ("tls.key", own.map(|own| &own.key)),
        ("tls.client_authorities", client_authorities.as_ref()),
        ("tls.server_authorities", server_authorities.as_ref()),
        ("tls.client_certificate", shown.map(|shown| &shown.certificate)),
        ("tls.client_key", shown.map(|shown| &shown.key)),
    ];
    match paths.iter().find(|(_, path)| path.is_some_and(|path| path.as_os_str().is_empty())) {
        Some((name, _)) => Err(value(name)(ValueError::EmptyPath)),
        None => Ok(()),
    }
}

fn check_listen(config: &Config) -> Result<(), Invalid> {
    let ports = config.media.ports;
    ports.check().map_err(value("media.ports"))?;
    // The first has the sockets that every shard needs.
    if config.listen.transport == Transport::Tls {
        return Err(value("listen")(ValueError::NoUdp));
    }
    if !config.proxies.is_empty() && config.listens_for_tls().next().is_some() {
        return Err(value("listen")(ValueError::TlsBesideProxy));
    }
    let asks = |listen: Listen| listen.clients != ClientCertificatePolicy::NotAsked;
    if config.tls.client_authorities.is_none() && config.listens_for_tls().any(asks) {
        return Err(value("listen")(ValueError::NoAuthorities));
    }
    for (index, listen) in config.listens().enumerate() {
        if listen.transport == Transport::Udp && ports.contains(listen.address.port()) {
            return Err(Invalid::ListenInMediaPorts { ports: ports.to_string(), address: listen.to_string() });
        }
        if let Some(first) = config.listens().take(index).find(|first| first.collides_with(&listen)) {
            return Err(Invalid::ListenTwice { first: first.to_string(), second: listen.to_string() });
        }
    }
    // The default gives way at the start, with a warning.
    let http = config.http.listen.filter(|_| config.http != HttpConfig::default());
    let takes_tcp = |listen: &Listen| config.tcp.enabled || listen.transport == Transport::Tls;
    if let Some(address) = http
        && let Some(listen) =
            config.listens().filter(takes_tcp).find(|listen| listen.collides_with(&Listen { address, ..*listen }))
    {
        return Err(Invalid::HttpOnListen { address, listen: listen.to_string() });
    }
    Ok(())
}

fn check_accounts(accounts: &[AccountConfig]) -> Result<(), Invalid> {
    let mut users = BTreeMap::new();
    for (number, account) in (1..).zip(accounts) {
        let AccountConfig { user, password, display_name } = account;
        let invalid = |key: &str, cause| Invalid::Value { key: format!("{key} of account {number}"), cause };
        check_user(user).map_err(|error| invalid("user", error))?;
        check_password(user, password.expose()).map_err(|error| invalid("password", error))?;
        check_display_name(display_name).map_err(|error| invalid("display_name", error))?;
        if let Some(first) = users.insert(user, number) {
            return Err(Invalid::DuplicateUser { user: user.clone(), first, second: number, first_place: None });
        }
    }
    Ok(())
}

fn value(key: &str) -> impl Fn(ValueError) -> Invalid {
    let key = key.to_owned();
    move |cause| Invalid::Value { key: key.clone(), cause }
}

fn number(key: &'static str, number: usize) -> Result<(), Invalid> {
    in_range(key, u64::try_from(number).unwrap_or(u64::MAX))
}

fn seconds(key: &'static str, duration: Duration) -> Result<u64, Invalid> {
    if duration.subsec_nanos() != 0 {
        return Err(Invalid::NotWholeSeconds { key: key.to_owned() });
    }
    in_range(key, duration.as_secs()).map(|()| duration.as_secs())
}

fn in_range(key: &'static str, number: u64) -> Result<(), Invalid> {
    match BOUNDS.iter().find(|bounds| bounds.key == key) {
        Some(bounds) if (bounds.min..=bounds.max).contains(&number) => Ok(()),
        _ => Err(out_of_range(key, i128::from(number))),
    }
}

/// The error for a number that its key does not take.
pub(super) fn out_of_range(key: &str, value: i128) -> Invalid {
    let (min, max, unit) = BOUNDS
        .iter()
        .find(|bounds| bounds.key == key)
        .map_or((0, u64::MAX, ""), |bounds| (bounds.min, bounds.max, bounds.unit));
    Invalid::OutOfRange { key: key.to_owned(), value, min, max, unit }
}

fn above((key, value): (&str, u64), (limit_key, limit): (&str, u64)) -> Result<(), Invalid> {
    if value <= limit {
        return Ok(());
    }
    Err(Invalid::Above { key: key.to_owned(), value, limit_key: limit_key.to_owned(), limit })
}

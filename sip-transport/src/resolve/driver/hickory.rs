//! hickory's resolver and its types, and ours.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig as HickoryConfig};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{ResolverBuilder, TokioResolver};

use super::{ResolverConfig, ResolverStartError};
use crate::resolve::question::{Answer, NaptrRecord, Question, Record, RecordKind, SrvRecord};
use crate::resolve::{DomainName, LookupFailure};

/// A resolver of hickory's that remembers nothing.
pub(super) fn client(config: &ResolverConfig) -> Result<TokioResolver, ResolverStartError> {
    let builder = if config.name_servers.is_empty() {
        TokioResolver::builder_tokio().map_err(|error| ResolverStartError::System(error.to_string()))?
    } else {
        let servers = config.name_servers.iter().map(|server| name_server(*server)).collect();
        let config = HickoryConfig::from_name_servers(servers);
        TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
    };
    with_options(builder, config).build().map_err(|error| ResolverStartError::Client(error.to_string()))
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.into())
}

fn with_options(
    mut builder: ResolverBuilder<TokioRuntimeProvider>,
    config: &ResolverConfig,
) -> ResolverBuilder<TokioRuntimeProvider> {
    let options = builder.options_mut();
    options.cache_size = 0;
    // An alias has a TTL as well.
    options.preserve_intermediates = true;
    options.timeout = config.attempt_timeout;
    options.attempts = config.attempts;
    builder
}

/// Asks name servers one question.
pub(super) async fn ask(client: &TokioResolver, question: &Question) -> Result<Answer, LookupFailure> {
    // A name of one label is looked for in the domains that the system says; any other is the whole name.
    let text = question.name.as_str();
    let absolute = if text.contains('.') { format!("{text}.") } else { text.to_owned() };
    let Ok(name) = Name::from_ascii(&absolute) else { return Ok(nothing(Duration::ZERO)) };
    let kind = match question.kind {
        RecordKind::A => RecordType::A,
        RecordKind::Aaaa => RecordType::AAAA,
        RecordKind::Naptr => RecordType::NAPTR,
        RecordKind::Srv => RecordType::SRV,
    };
    match client.lookup(name, kind).await {
        Ok(lookup) => Ok(answer(&lookup)),
        Err(NetError::Dns(DnsError::NoRecordsFound(none))) => {
            // Without an SOA it is not to be remembered (RFC 2308 §5).
            let ttl = none.negative_ttl.filter(|_| none.soa.is_some()).unwrap_or(0);
            Ok(nothing(Duration::from_secs(ttl.into())))
        }
        Err(error) => {
            tracing::debug!(%question, %error, "the name servers did not answer");
            Err(match error {
                NetError::Timeout => LookupFailure::TimedOut,
                NetError::Dns(_) => LookupFailure::Refused,
                NetError::Busy => LookupFailure::Overloaded,
                _ => LookupFailure::Unreachable,
            })
        }
    }
}

fn nothing(ttl: Duration) -> Answer {
    Answer { records: Vec::new(), ttl }
}

fn answer(lookup: &Lookup) -> Answer {
    let ttl = lookup.answers().iter().map(|record| record.ttl).min().unwrap_or(0);
    let records = lookup.answers().iter().filter_map(|record| ours(&record.data)).collect();
    Answer { records, ttl: Duration::from_secs(ttl.into()) }
}

fn ours(data: &RData) -> Option<Record> {
    Some(match data {
        RData::A(address) => Record::Address(address.0.into()),
        RData::AAAA(address) => Record::Address(address.0.into()),
        RData::CNAME(alias) => Record::Alias(domain_name(alias)?),
        RData::SRV(srv) => Record::Srv(SrvRecord {
            priority: srv.priority,
            weight: srv.weight,
            port: srv.port,
            target: domain_name(&srv.target),
        }),
        RData::NAPTR(naptr) => Record::Naptr(NaptrRecord {
            order: naptr.order,
            preference: naptr.preference,
            flags: text(&naptr.flags),
            services: text(&naptr.services),
            regexp: text(&naptr.regexp),
            replacement: domain_name(&naptr.replacement),
        }),
        _ => return None,
    })
}

/// `None` for the root, and for what has characters that no host of SIP has.
fn domain_name(name: &Name) -> Option<DomainName> {
    name.to_ascii().parse().ok()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

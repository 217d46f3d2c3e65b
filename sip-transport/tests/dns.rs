//! The resolver against a name server on loopback.
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

mod name_server;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use blether_sip_transport::resolve::{
    Destination, Family, Locate, LookupFailure, Means, ResolveError, Resolver, ResolverConfig, Service, Target,
};
use hickory_server::proto::rr::RecordType;
use name_server::{NEGATIVE_TTL, NameServer};
use tokio::net::UdpSocket;

const ZONE: &str = "
    example               300 NAPTR 10 10 s SIP+D2T _sip._tcp.example.test
    example               300 NAPTR 20 10 s SIP+D2U _sip._udp.example.test
    _sip._tcp.example     300 SRV 2 0 5062 b.test
    _sip._tcp.example     300 SRV 1 0 5061 a.test
    _sip._udp.example     300 SRV 1 0 5060 a.test
    a                     300 A 127.0.0.1
    a                     300 AAAA ::1
    b                     300 A 127.0.0.2
    alias                 300 CNAME b.test
    once                  0   A 127.0.0.3
    short                 1   A 127.0.0.4";

fn resolver(server: SocketAddr) -> Resolver {
    Resolver::new(ResolverConfig { name_servers: vec![server], ..ResolverConfig::default() }).unwrap()
}

fn to(host: &str) -> Destination {
    Destination::new(host.parse().unwrap())
}

fn with_port(host: &str) -> Destination {
    Destination { port: Some(5070), ..to(host) }
}

async fn addresses(resolver: &Resolver, destination: &Destination) -> Vec<String> {
    let found = resolver.resolve(destination, &Means::default()).await.unwrap();
    found.iter().map(|Target { address, service, .. }| format!("{service} {address}")).collect()
}

#[tokio::test]
async fn naptr_leads_to_srv_and_that_to_both_kinds_of_addresses() {
    let server = NameServer::start(ZONE).await;
    let resolver = resolver(server.address());
    let expected = ["TCP [::1]:5061", "TCP 127.0.0.1:5061", "TCP 127.0.0.2:5062"];
    assert_eq!(addresses(&resolver, &to("Example.test")).await, expected);
    let only_udp = Means { services: vec![Service::Udp], families: vec![Family::V4] };
    let found = resolver.resolve(&to("example.test"), &only_udp).await.unwrap();
    assert_eq!(found[0].address, "127.0.0.1:5060".parse().unwrap());
}

#[tokio::test]
async fn an_alias_leads_to_the_addresses_of_what_it_stands_for() {
    let server = NameServer::start(ZONE).await;
    assert_eq!(addresses(&resolver(server.address()), &with_port("alias.test")).await, ["UDP 127.0.0.2:5070"]);
}

#[tokio::test]
async fn what_was_asked_is_remembered_and_then_known_at_once() {
    let server = NameServer::start(ZONE).await;
    let (resolver, destination, means) = (resolver(server.address()), to("example.test"), Means::default());
    assert!(resolver.known(Instant::now(), &destination, &means).is_none());
    let found = resolver.resolve(&destination, &means).await;
    let asked = server.asked().len();
    assert_eq!(resolver.known(Instant::now(), &destination, &means), Some(found.clone()));
    assert_eq!((resolver.resolve(&destination, &means).await, server.asked().len()), (found, asked));
    assert!(resolver.known(Instant::now() + Duration::from_secs(300), &destination, &means).is_none(), "for its TTL");
}

#[tokio::test]
async fn rfc_2308_that_there_is_nothing_is_remembered_for_as_long_as_the_zone_says() {
    let server = NameServer::start(ZONE).await;
    let (resolver, destination, means) = (resolver(server.address()), with_port("nobody.test"), Means::default());
    let error = resolver.resolve(&destination, &means).await.unwrap_err();
    assert_eq!(error.to_string(), "nobody.test has no address that can be reached from here");
    server.add("nobody 300 A 127.0.0.9").await;
    assert_eq!(resolver.resolve(&destination, &means).await, Err(error));
    assert_eq!(server.asked_times("A nobody.test."), 1);
    let later = |seconds: u32| Instant::now() + Duration::from_secs(seconds.into());
    assert!(resolver.known(later(NEGATIVE_TTL - 5), &destination, &means).is_some());
    assert!(resolver.known(later(NEGATIVE_TTL), &destination, &means).is_none());
}

#[tokio::test]
async fn rfc_1035_section_3_2_1_a_ttl_of_zero_is_for_this_once() {
    let server = NameServer::start(ZONE).await;
    let resolver = resolver(server.address());
    assert_eq!(addresses(&resolver, &with_port("once.test")).await, ["UDP 127.0.0.3:5070"]);
    server.remove("once", RecordType::A).await;
    server.add("once 0 A 127.0.0.5").await;
    assert_eq!(addresses(&resolver, &with_port("once.test")).await, ["UDP 127.0.0.5:5070"]);
}

#[tokio::test]
async fn when_the_ttl_is_over_the_name_server_is_asked_again() {
    let server = NameServer::start(ZONE).await;
    let (resolver, destination) = (resolver(server.address()), with_port("short.test"));
    assert_eq!(addresses(&resolver, &destination).await, ["UDP 127.0.0.4:5070"]);
    server.remove("short", RecordType::A).await;
    server.add("short 300 A 127.0.0.6").await;
    let moved = async {
        while addresses(&resolver, &destination).await != ["UDP 127.0.0.6:5070"] {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), moved).await.unwrap();
    assert_eq!(server.asked_times("A short.test."), 2);
}

#[tokio::test]
async fn the_same_question_asked_by_many_at_once_is_asked_once() {
    let server = NameServer::start(ZONE).await;
    let resolver = resolver(server.address());
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let resolver = resolver.clone();
        // Of a TTL of zero nothing is remembered: it is the open question that they share.
        asking.spawn(async move { addresses(&resolver, &with_port("once.test")).await });
    }
    assert!(asking.join_all().await.iter().all(|found| *found == ["UDP 127.0.0.3:5070"]));
    assert_eq!(server.asked_times("A once.test."), 1);
}

#[tokio::test]
async fn a_name_server_that_says_nothing_is_named_with_the_question_in_time() {
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let config = ResolverConfig {
        name_servers: vec![silent.local_addr().unwrap()],
        attempt_timeout: Duration::from_secs(60),
        timeout: Duration::from_millis(50),
        ..ResolverConfig::default()
    };
    let error = Resolver::new(config).unwrap().resolve(&with_port("a.test"), &Means::default()).await.unwrap_err();
    let ResolveError::Unanswered { question, failure: LookupFailure::TimedOut } = error else { panic!("{error}") };
    assert_eq!(question.name.as_str(), "a.test");
}

#[tokio::test]
async fn a_second_name_server_is_asked_when_the_first_is_dead() {
    let server = NameServer::start(ZONE).await;
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let config = ResolverConfig {
        name_servers: vec![silent.local_addr().unwrap(), server.address()],
        attempt_timeout: Duration::from_millis(200),
        ..ResolverConfig::default()
    };
    let resolver = Resolver::new(config).unwrap();
    assert_eq!(addresses(&resolver, &with_port("b.test")).await, ["UDP 127.0.0.2:5070"]);
}

#[tokio::test]
async fn open_questions_are_bounded_and_what_is_refused_is_not_remembered() {
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let config = ResolverConfig {
        name_servers: vec![silent.local_addr().unwrap()],
        timeout: Duration::from_millis(300),
        max_open: 2,
        ..ResolverConfig::default()
    };
    let resolver = Resolver::new(config).unwrap();
    let first = {
        let resolver = resolver.clone();
        async move { resolver.resolve(&with_port("a.test"), &Means::default()).await }
    };
    let first = tokio::spawn(first);
    // Its two questions are open when they arrive.
    silent.readable().await.unwrap();
    let error = resolver.resolve(&with_port("b.test"), &Means::default()).await.unwrap_err();
    assert!(matches!(error, ResolveError::Unanswered { failure: LookupFailure::Overloaded, .. }), "{error}");
    assert!(matches!(first.await.unwrap(), Err(ResolveError::Unanswered { .. })));
    assert!(resolver.known(Instant::now(), &with_port("b.test"), &Means::default()).is_none());
}

#[tokio::test]
async fn an_answer_that_is_too_long_for_a_datagram_is_asked_for_over_tcp() {
    let many: Vec<_> = (1..=200).map(|last| format!("many 300 A 127.0.1.{last}")).collect();
    let server = NameServer::start(&many.join("\n")).await;
    let found = addresses(&resolver(server.address()), &with_port("many.test")).await;
    assert_eq!(found.len(), blether_sip_transport::resolve::MAX_TARGETS);
    assert!(server.asked_times("A many.test.") >= 2, "{:?}", server.asked());
}

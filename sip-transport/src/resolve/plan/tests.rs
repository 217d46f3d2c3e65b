//! Every rule of RFC 3263 §4.1, §4.2 and §4.3 that a client's DNS procedure has, against zones written as text.

use std::str::FromStr;

use rand::SeedableRng;

use super::*;
use crate::resolve::{NaptrRecord, Protocol, SrvRecord};

/// Records, one a line: `name A address`, `name SRV priority weight port target`, `name NAPTR order preference flags services replacement
/// [regexp]`, `name CNAME name`, `name KIND fails`. What is not there does not exist.
struct Zone(&'static str);

impl Zone {
    fn answer(&self, question: &Question) -> Result<Vec<Record>, LookupFailure> {
        let mut records = Vec::new();
        for line in self.0.lines() {
            let words: Vec<_> = line.split_whitespace().collect();
            let [name, kind, data @ ..] = &words[..] else { continue };
            if *name != question.name.as_str() {
                continue;
            }
            if *kind == "CNAME" {
                records.push(Record::Alias(data[0].parse().unwrap()));
            } else if *kind == question.kind.to_string() {
                if data[0] == "fails" {
                    return Err(LookupFailure::Refused);
                }
                records.push(record(kind, data));
            }
        }
        Ok(records)
    }
}

fn number<T: FromStr<Err = std::num::ParseIntError>>(text: &str) -> T {
    text.parse().unwrap()
}

fn record(kind: &str, data: &[&str]) -> Record {
    match kind {
        "SRV" => Record::Srv(SrvRecord {
            priority: number(data[0]),
            weight: number(data[1]),
            port: number(data[2]),
            target: data[3].parse().ok(),
        }),
        "NAPTR" => Record::Naptr(NaptrRecord {
            order: number(data[0]),
            preference: number(data[1]),
            flags: data[2].trim_matches('"').to_owned(),
            services: data[3].to_owned(),
            replacement: data[4].parse().ok(),
            regexp: data.get(5).copied().unwrap_or_default().to_owned(),
        }),
        _ => Record::Address(data[0].parse().unwrap()),
    }
}

/// `host`, `host:port`, with `;udp`, `;tcp`, `;ws` and `;sips` after it.
fn destination(text: &str) -> Destination {
    let mut parts = text.split(';');
    let place = parts.next().unwrap();
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port.parse().unwrap())),
        _ => (place, None),
    };
    let mut destination = Destination { port, ..Destination::new(host.parse().unwrap()) };
    for part in parts {
        match part {
            "udp" => destination.transport = Some(Protocol::Udp),
            "tcp" => destination.transport = Some(Protocol::Tcp),
            "ws" => destination.transport = Some(Protocol::WebSocket),
            _ => destination.secure = true,
        }
    }
    destination
}

fn all_means() -> Means {
    use Service::{SecureWebSocket, Tcp, Tls, Udp, WebSocket};
    Means { services: vec![Udp, Tcp, Tls, WebSocket, SecureWebSocket], families: vec![Family::V6, Family::V4] }
}

fn udp_and_tcp() -> Means {
    Means::default()
}

/// What a resolution comes to, and what it has asked, in order.
fn resolve_with(zone: &'static str, to: &str, means: Means) -> (Result<Vec<Target>, ResolveError>, Vec<String>) {
    let mut resolution = Resolution::new(destination(to), means, StdRng::seed_from_u64(1));
    let mut asked = Vec::new();
    while let Some(question) = resolution.poll_question() {
        asked.push(question.to_string());
        assert!(!resolution.is_done(), "what asks is not done");
        resolution.handle_answer(&question, Zone(zone).answer(&question));
    }
    assert!(resolution.is_done(), "{resolution:?}");
    (resolution.finish(), asked)
}

fn targets(zone: &'static str, to: &str, means: Means) -> Vec<String> {
    let found = resolve_with(zone, to, means).0;
    let found = found.unwrap_or_else(|error| panic!("{to}: {error}"));
    found.iter().map(|target| format!("{} {}", target.service, target.address)).collect()
}

fn error(zone: &'static str, to: &str, means: Means) -> String {
    resolve_with(zone, to, means).0.unwrap_err().to_string()
}

fn asked(zone: &'static str, to: &str) -> Vec<String> {
    resolve_with(zone, to, udp_and_tcp()).1
}

/// The records of RFC 3263 §4.1, with addresses.
const EXAMPLE: &str = "
    example.com             NAPTR 50  50 s SIPS+D2T _sips._tcp.example.com
    example.com             NAPTR 90  50 s SIP+D2T  _sip._tcp.example.com
    example.com             NAPTR 100 50 s SIP+D2U  _sip._udp.example.com
    _sips._tcp.example.com  SRV 0 0 5061 server1.example.com
    _sip._tcp.example.com   SRV 0 0 5060 server1.example.com
    _sip._tcp.example.com   SRV 1 0 5062 server2.example.com
    _sip._udp.example.com   SRV 0 0 5060 server1.example.com
    server1.example.com     A    192.0.2.1
    server1.example.com     AAAA 2001:db8::1
    server2.example.com     A    192.0.2.2
    example.com             A    192.0.2.9";

#[test]
fn section_4_1_a_transport_that_is_named_is_used() {
    assert_eq!(targets("", "192.0.2.1;tcp", all_means()), ["TCP 192.0.2.1:5060"]);
    assert_eq!(targets("", "192.0.2.1;ws;sips", all_means()), ["WSS 192.0.2.1:443"]);
    assert_eq!(asked(EXAMPLE, "example.com;tcp")[0], "SRV of _sip._tcp.example.com");
    assert_eq!(asked(EXAMPLE, "example.com:5070;tcp"), ["AAAA of example.com", "A of example.com"]);
}

#[test]
fn section_4_1_a_numeric_host_without_transport_gets_udp_or_of_sips_tls() {
    assert_eq!(targets("", "192.0.2.1", all_means()), ["UDP 192.0.2.1:5060"]);
    assert_eq!(targets("", "[2001:db8::1];sips", all_means()), ["TLS [2001:db8::1]:5061"]);
}

#[test]
fn section_4_1_a_name_with_a_port_and_no_transport_gets_udp_or_of_sips_tls() {
    assert_eq!(targets(EXAMPLE, "example.com:5070", all_means()), ["UDP 192.0.2.9:5070"]);
    assert_eq!(targets(EXAMPLE, "example.com:5070;sips", all_means()), ["TLS 192.0.2.9:5070"]);
}

#[test]
fn section_4_1_another_transport_may_be_used_where_we_have_no_udp() {
    let only_tcp = Means { services: vec![Service::Tcp], ..all_means() };
    assert_eq!(targets("", "192.0.2.1", only_tcp.clone()), ["TCP 192.0.2.1:5060"]);
    assert_eq!(targets("a A 192.0.2.1", "a", only_tcp), ["TCP 192.0.2.1:5060"]);
}

#[test]
fn section_4_1_naptr_chooses_the_most_preferred_transport_that_both_have() {
    assert_eq!(targets(EXAMPLE, "example.com", all_means()), ["TLS [2001:db8::1]:5061", "TLS 192.0.2.1:5061"]);
    let without_tls = ["TCP [2001:db8::1]:5060", "TCP 192.0.2.1:5060", "TCP 192.0.2.2:5062"];
    assert_eq!(targets(EXAMPLE, "example.com", udp_and_tcp()), without_tls);
    let only_udp = Means { services: vec![Service::Udp], ..all_means() };
    assert_eq!(targets(EXAMPLE, "example.com", only_udp), ["UDP [2001:db8::1]:5060", "UDP 192.0.2.1:5060"]);
}

#[test]
fn section_4_1_of_a_sips_uri_services_without_sips_are_discarded() {
    assert_eq!(targets(EXAMPLE, "example.com;sips", all_means())[0], "TLS [2001:db8::1]:5061");
    let no_tls = "example.com NAPTR 1 1 s SIP+D2T _sip._tcp.example.com
        _sip._tcp.example.com SRV 0 0 5060 example.com
        example.com A 192.0.2.1";
    let expected = "example.com with TLS wants a transport that is not in use here";
    assert_eq!(error(no_tls, "example.com;sips", all_means()), expected);
    assert_eq!(error(EXAMPLE, "example.com;sips", udp_and_tcp()), expected);
}

#[test]
fn section_4_1_a_sip_uri_keeps_services_with_sips_if_we_have_tls() {
    let both = "example.com NAPTR 1 2 s SIP+D2T  _sip._tcp.example.com
        example.com NAPTR 1 1 s SIPS+D2T _sips._tcp.example.com
        _sip._tcp.example.com SRV 0 0 5060 example.com
        _sips._tcp.example.com SRV 0 0 5061 example.com
        example.com A 192.0.2.1";
    assert_eq!(targets(both, "example.com", all_means()), ["TLS 192.0.2.1:5061", "TCP 192.0.2.1:5060"]);
    assert_eq!(targets(both, "example.com", udp_and_tcp()), ["TCP 192.0.2.1:5060"]);
}

#[test]
fn section_4_1_tls_over_udp_sctp_and_other_resolution_services_are_discarded() {
    let odd = "example.com NAPTR 1 1 s SIPS+D2U _sips._udp.example.com
        example.com NAPTR 1 2 s SIP+D2S _sip._sctp.example.com
        example.com NAPTR 1 3 s SIP+I2L _x.example.com
        example.com NAPTR 2 1 S sip+d2u _sip._udp.example.com
        _sip._udp.example.com SRV 0 0 5066 example.com
        example.com A 192.0.2.1";
    assert_eq!(targets(odd, "example.com", all_means()), ["UDP 192.0.2.1:5066"]);
}

#[test]
fn section_4_1_the_expression_is_empty_and_the_replacement_names_srv_records() {
    let odd = "example.com NAPTR 1 1 s SIP+D2U _sip._udp.elsewhere !^.*$!x!
        example.com NAPTR 1 2 a SIP+D2U host.elsewhere
        example.com NAPTR 1 3 u SIP+D2U host.elsewhere
        example.com NAPTR 1 4 s SIP+D2U .
        example.com NAPTR 2 1 s SIP+D2U _sip._udp.elsewhere
        _sip._udp.elsewhere SRV 0 0 5060 host.elsewhere
        host.elsewhere A 192.0.2.1";
    assert_eq!(targets(odd, "example.com", all_means()), ["UDP 192.0.2.1:5060"]);
}

#[test]
fn section_4_1_naptr_records_that_are_not_about_sip_are_none() {
    let enum_only = "example.com NAPTR 1 1 u E2U+sip . !x!
        _sip._udp.example.com SRV 0 0 5060 example.com
        example.com A 192.0.2.1";
    assert_eq!(targets(enum_only, "example.com", all_means()), ["UDP 192.0.2.1:5060"]);
}

#[test]
fn section_4_1_without_naptr_each_transport_of_ours_is_asked_for_and_ours_is_the_order() {
    let zone = "_sip._tcp.example.com SRV 0 0 5060 a.example.com
        _sip._udp.example.com SRV 9 0 5070 b.example.com
        a.example.com A 192.0.2.1
        b.example.com A 192.0.2.2";
    assert_eq!(targets(zone, "example.com", udp_and_tcp()), ["UDP 192.0.2.2:5070", "TCP 192.0.2.1:5060"]);
    let tcp_first = Means { services: vec![Service::Tcp, Service::Udp], ..all_means() };
    assert_eq!(targets(zone, "example.com", tcp_first), ["TCP 192.0.2.1:5060", "UDP 192.0.2.2:5070"]);
    let of_the_domain = ["NAPTR of example.com", "SRV of _sip._udp.example.com", "SRV of _sip._tcp.example.com"];
    assert_eq!(asked(zone, "example.com")[..3], of_the_domain);
}

#[test]
fn section_4_1_without_naptr_a_sips_uri_asks_for_sips() {
    let zone = "_sips._tcp.example.com SRV 0 0 5061 a
        _sip._tcp.example.com SRV 0 0 5060 a
        a A 192.0.2.1";
    let (found, asked) = resolve_with(zone, "example.com;sips", all_means());
    assert_eq!(asked[1..3], ["SRV of _sips._tcp.example.com", "SRV of _sips._ws.example.com"]);
    assert_eq!(found.unwrap().iter().map(|target| target.service).collect::<Vec<_>>(), [Service::Tls]);
}

#[test]
fn section_4_1_without_any_srv_a_sip_uri_gets_udp_and_a_sips_uri_tls() {
    let zone = "example.com A 192.0.2.9";
    assert_eq!(targets(zone, "example.com", all_means()), ["UDP 192.0.2.9:5060"]);
    assert_eq!(targets(zone, "example.com;sips", all_means()), ["TLS 192.0.2.9:5061"]);
}

#[test]
fn section_4_2_a_numeric_host_has_the_port_of_the_uri_or_that_of_the_transport() {
    assert_eq!(targets("", "192.0.2.1:5070", all_means()), ["UDP 192.0.2.1:5070"]);
    assert_eq!(targets("", "192.0.2.1;ws", all_means()), ["WS 192.0.2.1:80"]);
    assert!(asked("", "192.0.2.1").is_empty());
}

#[test]
fn section_4_2_with_a_port_even_5060_only_addresses_are_asked_for() {
    assert_eq!(asked(EXAMPLE, "example.com:5060"), ["AAAA of example.com", "A of example.com"]);
}

#[test]
fn section_4_2_every_address_is_a_target_in_the_order_of_the_answer() {
    let zone = "a A 192.0.2.3
        a A 192.0.2.1
        a A 192.0.2.2
        a A 192.0.2.1";
    let expected = ["UDP 192.0.2.3:5070", "UDP 192.0.2.1:5070", "UDP 192.0.2.2:5070"];
    assert_eq!(targets(zone, "a:5070", all_means()), expected, "and each once");
}

#[test]
fn section_4_2_a_named_transport_asks_for_its_srv_records_and_without_them_for_addresses() {
    assert_eq!(targets(EXAMPLE, "example.com;udp", all_means()), ["UDP [2001:db8::1]:5060", "UDP 192.0.2.1:5060"]);
    assert_eq!(targets(EXAMPLE, "example.com;tcp;sips", all_means())[0], "TLS [2001:db8::1]:5061");
    assert_eq!(targets(EXAMPLE, "example.com;ws", all_means()), ["WS 192.0.2.9:80"]);
    let asked = asked("", "example.com;udp");
    assert_eq!(asked, ["SRV of _sip._udp.example.com", "AAAA of example.com", "A of example.com"]);
}

#[test]
fn section_4_2_where_the_srv_records_of_naptr_are_missing_the_domain_has_the_transport_of_naptr() {
    let zone = "example.com NAPTR 1 1 s SIP+D2T _sip._tcp.elsewhere
        example.com A 192.0.2.9";
    assert_eq!(targets(zone, "example.com", all_means()), ["TCP 192.0.2.9:5060"]);
}

#[test]
fn rfc_3403_section_4_1_a_second_order_counts_only_if_the_first_leads_nowhere() {
    let zone = "example.com NAPTR 1 1 s SIP+D2T _sip._tcp.example.com
        example.com NAPTR 2 1 s SIP+D2U _sip._udp.example.com
        _sip._udp.example.com SRV 0 0 5060 a
        a A 192.0.2.1";
    assert_eq!(targets(zone, "example.com", all_means()), ["UDP 192.0.2.1:5060"]);
    assert!(!asked(EXAMPLE, "example.com").contains(&"SRV of _sip._udp.example.com".to_owned()));
}

#[test]
fn section_4_3_srv_targets_are_tried_by_priority_and_each_with_all_its_addresses() {
    let zone = "_sip._udp.example.com SRV 2 0 5062 b
        _sip._udp.example.com SRV 1 0 5061 a
        a A 192.0.2.1
        a A 192.0.2.2
        b A 192.0.2.3";
    let expected = ["UDP 192.0.2.1:5061", "UDP 192.0.2.2:5061", "UDP 192.0.2.3:5062"];
    assert_eq!(targets(zone, "example.com;udp", all_means()), expected);
}

#[test]
fn rfc_2782_a_target_of_a_dot_says_that_there_is_no_such_service() {
    let zone = "_sip._udp.example.com SRV 0 0 0 .
        example.com A 192.0.2.9";
    let expected = "_sip._udp.example.com says that it has no such service";
    assert_eq!(error(zone, "example.com;udp", all_means()), expected);
    assert_eq!(error(zone, "example.com", all_means()), expected);
    assert_eq!(targets(zone, "example.com;tcp", all_means()), ["TCP 192.0.2.9:5060"]);
    let beside = "_sip._udp.example.com SRV 0 0 0 .
        _sip._udp.example.com SRV 1 0 5060 a
        a A 192.0.2.1";
    assert_eq!(targets(beside, "example.com;udp", all_means()), ["UDP 192.0.2.1:5060"]);
}

#[test]
fn rfc_7118_section_5_5_naptr_names_websockets() {
    let zone = "example.com NAPTR 1 1 s SIPS+D2W _sips._ws.example.com
        example.com NAPTR 2 1 s SIP+D2W _sip._ws.example.com
        _sips._ws.example.com SRV 0 0 8443 a
        _sip._ws.example.com SRV 0 0 8080 a
        a A 192.0.2.1";
    assert_eq!(targets(zone, "example.com", all_means()), ["WSS 192.0.2.1:8443"]);
    let plain = Means { services: vec![Service::WebSocket], ..all_means() };
    assert_eq!(targets(zone, "example.com", plain), ["WS 192.0.2.1:8080"]);
}

#[test]
fn rfc_7984_section_4_each_family_that_we_have_is_asked_for_and_the_preferred_comes_first() {
    let zone = "a A 192.0.2.1
        a AAAA 2001:db8::1";
    let with = |families: &[Family]| Means { families: families.to_vec(), ..all_means() };
    let (v4, v6) = ("UDP 192.0.2.1:5070", "UDP [2001:db8::1]:5070");
    assert_eq!(targets(zone, "a:5070", with(&[Family::V6, Family::V4])), [v6, v4]);
    assert_eq!(targets(zone, "a:5070", with(&[Family::V4, Family::V6])), [v4, v6]);
    assert_eq!(targets(zone, "a:5070", with(&[Family::V4])), [v4]);
    assert_eq!(resolve_with(zone, "a:5070", with(&[Family::V6])).1, ["AAAA of a"]);
    assert_eq!(error("a A 192.0.2.1", "a:5070", with(&[Family::V6])), "a has no address that can be reached from here");
    let no_socket = "192.0.2.1 cannot be reached: there is no socket for such addresses";
    assert_eq!(error("", "192.0.2.1", with(&[Family::V6])), no_socket);
}

#[test]
fn rfc_1035_section_3_6_2_aliases_are_followed_and_a_circle_ends() {
    let zone = "a CNAME b
        b CNAME c
        c A 192.0.2.1
        _sip._udp.d CNAME _sip._udp.e
        _sip._udp.e SRV 0 0 5066 a
        x CNAME y
        y CNAME x";
    assert_eq!(targets(zone, "a:5070", all_means()), ["UDP 192.0.2.1:5070"]);
    assert_eq!(targets(zone, "d;udp", all_means()), ["UDP 192.0.2.1:5066"]);
    assert_eq!(error(zone, "x:5070", all_means()), "x has no address that can be reached from here");
}

#[test]
fn who_follows_aliases_gives_them_with_the_records() {
    let mut resolution = Resolution::new(destination("a:5070"), udp_and_tcp(), StdRng::seed_from_u64(1));
    while let Some(question) = resolution.poll_question() {
        let mut records = vec![Record::Alias("b".parse().unwrap())];
        if question.kind == RecordKind::A {
            records.push(Record::Address([192, 0, 2, 1].into()));
        }
        resolution.handle_answer(&question, Ok(records));
    }
    assert_eq!(resolution.finish().unwrap().len(), 1);
}

#[test]
fn rfc_5922_section_4_a_certificate_must_name_the_domain_that_was_asked_for() {
    let (found, _) = resolve_with(EXAMPLE, "Example.COM;sips", all_means());
    assert!(found.unwrap().iter().all(|target| target.name.to_string() == "example.com"));
}

#[test]
fn name_servers_that_do_not_answer_are_named_with_the_question_unless_there_is_another_way() {
    let unanswered = |zone, to| error(zone, to, udp_and_tcp());
    let expected = "asking for AAAA of a failed: the name servers could not answer";
    assert_eq!(unanswered("a AAAA fails", "a:5070"), expected);
    let expected = "asking for SRV of _sip._udp.a failed: the name servers could not answer";
    assert_eq!(unanswered("_sip._udp.a SRV fails", "a;udp"), expected);
    let one_family = "a AAAA fails
        a A 192.0.2.1";
    assert_eq!(targets(one_family, "a:5070", udp_and_tcp()), ["UDP 192.0.2.1:5070"]);
    let no_naptr = "a NAPTR fails
        _sip._udp.a SRV 0 0 5066 b
        b A 192.0.2.1";
    assert_eq!(targets(no_naptr, "a", udp_and_tcp()), ["UDP 192.0.2.1:5066"]);
    let one_srv_target = "_sip._udp.a SRV 0 0 5066 b
        _sip._udp.a SRV 1 0 5067 c
        b A fails
        c A 192.0.2.1";
    assert_eq!(targets(one_srv_target, "a;udp", udp_and_tcp()), ["UDP 192.0.2.1:5067"]);
}

#[test]
fn what_is_known_of_the_first_targets_does_not_wait_for_the_others() {
    let zone = Zone(
        "_sip._udp.a SRV 0 0 5066 b
        _sip._udp.a SRV 1 0 5067 c
        b A 192.0.2.1",
    );
    let v4 = Means { families: vec![Family::V4], ..udp_and_tcp() };
    let mut resolution = Resolution::new(destination("a;udp"), v4, StdRng::seed_from_u64(1));
    let mut open = Vec::new();
    while let Some(question) = resolution.poll_question() {
        if question.name.as_str() == "c" {
            open.push(question);
        } else {
            resolution.handle_answer(&question, zone.answer(&question));
        }
    }
    assert!(!resolution.is_done() && open.len() == 1);
    assert_eq!(resolution.targets().len(), 1);
    assert_eq!(resolution.finish().unwrap()[0].address, "192.0.2.1:5066".parse().unwrap());
}

#[test]
fn a_target_whose_predecessor_is_not_known_yet_has_no_place_yet() {
    let zone = Zone(
        "_sip._udp.a SRV 0 0 5066 b
        _sip._udp.a SRV 1 0 5067 c
        c A 192.0.2.1",
    );
    let v4 = Means { families: vec![Family::V4], ..udp_and_tcp() };
    let mut resolution = Resolution::new(destination("a;udp"), v4, StdRng::seed_from_u64(1));
    while let Some(question) = resolution.poll_question() {
        if question.name.as_str() != "b" {
            resolution.handle_answer(&question, zone.answer(&question));
        }
    }
    assert!(resolution.targets().is_empty());
    let failure = resolution.finish().unwrap_err().to_string();
    assert_eq!(failure, "asking for A of b failed: no name server answered in time");
}

#[test]
fn answers_that_were_not_asked_for_or_come_twice_change_nothing() {
    let mut resolution = Resolution::new(destination("a:5070"), udp_and_tcp(), StdRng::seed_from_u64(1));
    let address = |last| Ok(vec![Record::Address([192, 0, 2, last].into())]);
    let of = |name: &str, kind| Question { name: name.parse().unwrap(), kind };
    resolution.handle_answer(&of("b", RecordKind::A), address(6));
    resolution.handle_answer(&of("a", RecordKind::A), address(1));
    resolution.handle_answer(&of("a", RecordKind::A), address(7));
    // An AAAA record that holds an IPv4 address is none.
    resolution.handle_answer(&of("a", RecordKind::Aaaa), address(8));
    assert_eq!(resolution.finish().unwrap().len(), 1);
}

#[test]
fn a_domain_with_too_much_in_it_costs_a_bounded_number_of_questions_and_targets() {
    let many = |count: u16| (0..count).map(move |index| format!("host{index}").parse::<DomainName>().unwrap());
    let mut resolution = Resolution::new(destination("a;udp"), udp_and_tcp(), StdRng::seed_from_u64(1));
    let mut asked = 0;
    while let Some(question) = resolution.poll_question() {
        asked += 1;
        let records = match question.kind {
            RecordKind::Srv => many(60_000)
                .map(|name| Record::Srv(SrvRecord { priority: 1, weight: 1, port: 5060, target: Some(name) }))
                .collect(),
            RecordKind::A => (0..=255).map(|last| Record::Address([192, 0, 2, last].into())).collect(),
            _ => Vec::new(),
        };
        resolution.handle_answer(&question, Ok(records));
    }
    assert!(resolution.is_done() && asked <= MAX_QUESTIONS, "{asked}");
    assert_eq!(resolution.finish().unwrap().len(), MAX_TARGETS);
}

#[test]
fn a_name_that_leaves_no_room_for_the_labels_has_addresses_only() {
    let name = format!("{}a", "abcdefghi.".repeat(25));
    let mut resolution = Resolution::new(destination(&name), udp_and_tcp(), StdRng::seed_from_u64(1));
    let mut asked = Vec::new();
    while let Some(question) = resolution.poll_question() {
        asked.push(question.kind);
        resolution.handle_answer(&question, Ok(Vec::new()));
    }
    assert_eq!(asked, [RecordKind::Naptr, RecordKind::Aaaa, RecordKind::A]);
}

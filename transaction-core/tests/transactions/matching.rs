//! Which transaction a message belongs to, and where what is sent goes (RFC 3261 §17.1.3, §17.2.3, §18, RFC 3581).

use blether_sip_core::Method;
use blether_sip_transport::Flow;
use blether_transaction_core::TransactionsConfig;

use crate::exchange::{OWNER, Table, branched, flow, parse, parse_request, text, unsent};

#[test]
fn a_resend_is_not_a_new_request() {
    let mut table = Table::new();
    table.hear(branched("OPTIONS", "1"));
    let (id, request) = table.asked();
    table.hear(branched("OPTIONS", "1"));
    assert_eq!(table.log(), ["request OPTIONS"]);
    assert!(table.respond(id, &request, 200));
    table.hear(branched("OPTIONS", "1"));
    assert_eq!(table.log(), ["> 200 OPTIONS", "> 200 OPTIONS"]);
}

#[test]
fn another_branch_sent_by_or_method_is_another_transaction() {
    // The branch alone is looked at.
    let mut table = Table::with(TransactionsConfig { refuse_merged: false, ..TransactionsConfig::default() });
    for request in [
        branched("OPTIONS", "1"),
        branched("OPTIONS", "2"),
        branched("MESSAGE", "1"),
        text("OPTIONS", "192.0.2.1:5070;branch=z9hG4bK1", ""),
        text("OPTIONS", "alice.example;branch=z9hG4bK1", ""),
    ] {
        table.hear(request.clone());
        table.hear(request);
    }
    assert_eq!(table.log().len(), 5);
    assert_eq!(table.transactions.counts().non_invite_server, 5);
}

#[test]
fn sent_by_is_compared_without_case() {
    let mut table = Table::new();
    table.hear(text("OPTIONS", "alice.example;branch=z9hG4bK1", ""));
    table.hear(text("OPTIONS", "ALICE.Example;branch=z9hG4bK1", ""));
    assert_eq!(table.log(), ["request OPTIONS"]);
}

#[test]
fn a_peer_of_rfc_2543_is_matched_by_all_that_its_request_repeats() {
    for via in ["192.0.2.1", "192.0.2.1;branch=1", "192.0.2.1;branch=z9hG4bK", "192.0.2.1;rport"] {
        let mut table = Table::new();
        table.hear(text("INVITE", via, ""));
        table.hear(text("INVITE", via, ""));
        assert_eq!(table.log(), ["request INVITE"], "{via}");
        table.hear(text("INVITE", via, "").replace("CSeq: 7", "CSeq: 8"));
        table.hear(text("INVITE", via, "").replace("tag=a", "tag=other"));
        table.hear(text("INVITE", via, "").replace("Call-ID: 1", "Call-ID: 9"));
        table.hear(text("INVITE", via, "").replace("INVITE sip:bob", "INVITE sip:carol"));
        // The last is the same to another address: a merged request (RFC 3261 §8.2.2.2).
        assert_eq!(table.log(), ["> 482 INVITE", "request INVITE", "request INVITE", "request INVITE"], "{via}");
    }
}

#[test]
fn the_ack_of_an_rfc_2543_peer_ends_the_refusal_and_goes_up_after_a_2xx() {
    let mut table = Table::new();
    table.hear(text("INVITE", "192.0.2.1;branch=1", ""));
    let (id, request) = table.asked();
    table.respond(id, &request, 486);
    table.hear(text("ACK", "192.0.2.1;branch=1", ";tag=u"));
    table.until(4_999);
    assert_eq!(table.log(), ["> 486 INVITE", "request INVITE"], "Timer G is off");

    let mut table = Table::new();
    table.hear(text("INVITE", "192.0.2.1;branch=1", ""));
    let (id, request) = table.asked();
    table.respond(id, &request, 200);
    // RFC 6026 §6: its ACK looks like the INVITE's, and is not absorbed in Accepted.
    table.hear(text("ACK", "192.0.2.1;branch=1", ";tag=u"));
    assert_eq!(table.log(), ["> 200 INVITE", "request INVITE", "ack"]);
}

#[test]
fn the_ack_of_a_refusal_is_absorbed_and_that_of_a_2xx_goes_up() {
    let mut table = Table::new();
    table.hear(branched("INVITE", "1"));
    let (id, request) = table.asked();
    table.respond(id, &request, 486);
    table.log();
    table.hear(text("ACK", "192.0.2.1;branch=z9hG4bK1", ";tag=u"));
    table.hear(text("ACK", "192.0.2.1;branch=z9hG4bK1", ";tag=u"));
    assert_eq!(table.log(), Vec::<String>::new());
    table.until(5_000);
    assert_eq!(table.log(), ["server over"], "Timer I");

    table.hear(branched("INVITE", "2"));
    let (id, request) = table.asked();
    table.respond(id, &request, 200);
    table.log();
    // A branch of its own (RFC 3261 §13.2.2.4), each copy.
    table.hear(text("ACK", "192.0.2.1;branch=z9hG4bK3", ";tag=u"));
    table.hear(text("ACK", "192.0.2.1;branch=z9hG4bK3", ";tag=u"));
    // Some clients give it the INVITE's.
    table.hear(text("ACK", "192.0.2.1;branch=z9hG4bK2", ";tag=u"));
    assert_eq!(table.log(), ["ack", "ack", "ack"]);
}

#[test]
fn an_unacknowledged_refusal_is_told_with_its_owner() {
    let mut table = Table::new();
    table.hear(branched("INVITE", "1"));
    let (id, request) = table.asked();
    table.transactions.set_owner(id, OWNER);
    table.respond(id, &request, 486);
    table.until(32_000);
    let log = table.log();
    assert_eq!(log.iter().filter(|line| *line == "> 486 INVITE").count(), 11);
    assert_eq!(log[log.len() - 2..], ["not acknowledged Some(Owner(42))", "server over"]);
}

#[test]
fn a_request_gets_a_via_with_a_branch_our_address_and_rport() {
    let mut table = Table::new();
    table.ask(Method::Options);
    table.ask(Method::Options);
    let vias: Vec<_> = table.sent.iter().map(|transmit| parse_request(&transmit.payload).via().clone()).collect();
    assert!(
        vias.iter().all(|via| via.branch().is_some_and(|branch| branch.starts_with("z9hG4bK") && branch.len() > 20))
    );
    assert_ne!(vias[0].branch(), vias[1].branch());
    assert_eq!((vias[0].host.ip(), vias[0].port), (Some(flow().local.ip()), Some(5060)));
    assert_eq!((vias[0].rport(), vias[0].transport.as_str()), (Some(None), "UDP"));
    assert!(table.sent.iter().all(|transmit| transmit.flow == flow()));
}

#[test]
fn a_response_is_matched_by_branch_and_method_and_comes_with_its_owner() {
    let mut table = Table::new();
    table.ask(Method::Options);
    table.answer_to(0, 200);
    assert_eq!(table.log(), ["> OPTIONS", "response 200"]);
}

#[test]
fn a_response_that_matches_nothing_is_dropped_and_never_answered() {
    let mut table = Table::new();
    table.ask(Method::Options);
    let sent = parse_request(&table.sent[0].payload);
    let good = blether_sip_core::Response::to_request(&sent, blether_sip_core::StatusCode::OK).to_tag("p").build();
    let good = String::from_utf8(good.to_bytes().to_vec()).unwrap();
    table.log();
    let branch = sent.via().branch().unwrap();
    for bad in [
        good.replace(branch, "z9hG4bKanother"),
        good.replace(&format!(";branch={branch}"), ""),
        good.replace("1 OPTIONS", "1 MESSAGE"),
        // RFC 3261 §18.1.2: a sent-by that is not ours.
        good.replace("UDP 192.0.2.2:5060", "UDP 192.0.2.3:5060"),
        good.replace("UDP 192.0.2.2:5060", "UDP 192.0.2.2:5061"),
    ] {
        assert_ne!(bad, good);
        table.hear(bad);
    }
    assert_eq!(table.log(), Vec::<String>::new());
    assert_eq!(table.transactions.counters().stray_responses, 5);
    table.hear(good);
    assert_eq!(table.log(), ["response 200"]);
}

#[test]
fn several_branches_of_a_fork_and_resends_of_their_2xx_all_go_up() {
    let mut table = Table::new();
    table.ask(Method::Invite);
    let invite = parse_request(&table.sent[0].payload);
    for tag in ["x", "y", "x", "y"] {
        let ok = blether_sip_core::Response::to_request(&invite, blether_sip_core::StatusCode::OK).to_tag(tag).build();
        table.hear(String::from_utf8(ok.to_bytes().to_vec()).unwrap());
    }
    assert_eq!(table.log(), ["> INVITE", "response 200", "response 200", "response 200", "response 200"]);
    table.until(32_000);
    assert_eq!(table.log(), ["client over"], "Timer M");
}

#[test]
fn the_ack_for_a_2xx_is_sent_with_a_via_of_its_own_and_has_no_transaction() {
    let mut table = Table::new();
    table.transactions.acknowledge(table.now, unsent(Method::Ack), flow());
    table.drain();
    let ack = parse_request(&table.sent[0].payload);
    assert!(ack.via().branch().is_some_and(|branch| branch.starts_with("z9hG4bK")));
    assert_eq!((table.transactions.counts().total(), table.transactions.poll_timeout()), (0, None));
}

#[test]
fn a_response_goes_where_the_request_came_from() {
    #[track_caller]
    fn check(via: &str, source: &str, to: &str, noted: &str) {
        let mut table = Table::new();
        let came = Flow { remote: source.parse().unwrap(), ..flow() };
        table.hear_from(came, text("OPTIONS", via, ""));
        let (id, request) = table.asked();
        table.respond(id, &request, 200);
        let sent = &table.sent[0];
        assert_eq!((sent.flow.remote.to_string().as_str(), sent.flow.local), (to, came.local), "{via}");
        assert!(String::from_utf8_lossy(&sent.payload).contains(noted), "{via}: {:?}", sent.payload);
    }
    // RFC 3261 §18.2.1 and §18.2.2.
    check(
        "192.0.2.1:5070;branch=z9hG4bK1",
        "192.0.2.1:5070",
        "192.0.2.1:5070",
        "UDP 192.0.2.1:5070;branch=z9hG4bK1\r\n",
    );
    check("192.0.2.1;branch=z9hG4bK1", "192.0.2.1:9", "192.0.2.1:5060", "UDP 192.0.2.1;branch=z9hG4bK1\r\n");
    check("10.0.0.9:5070;branch=z9hG4bK1", "192.0.2.1:9", "192.0.2.1:5070", ";received=192.0.2.1");
    check("alice.example;branch=z9hG4bK1", "192.0.2.1:9", "192.0.2.1:5060", ";received=192.0.2.1");
    // RFC 3581 §4, with the example of §6.
    check("10.1.1.1:4540;rport;branch=z9hG4bK1", "192.0.2.1:9988", "192.0.2.1:9988", "rport=9988");
    check("192.0.2.1:9988;rport;branch=z9hG4bK1", "192.0.2.1:9988", "192.0.2.1:9988", "received=192.0.2.1");
    // What the sender itself claims leads nowhere, nor does a maddr.
    check(
        "10.0.0.9;received=203.0.113.9;rport=7;branch=z9hG4bK1",
        "192.0.2.1:9988",
        "192.0.2.1:9988",
        "received=192.0.2.1",
    );
    check("192.0.2.1;maddr=203.0.113.9;branch=z9hG4bK1", "192.0.2.1:9", "192.0.2.1:5060", "maddr=203.0.113.9");
}

#[test]
fn a_resend_from_elsewhere_is_answered_where_the_first_came_from() {
    let mut table = Table::new();
    let request = text("OPTIONS", "192.0.2.1;rport;branch=z9hG4bK1", "");
    table.hear(request.clone());
    let (id, asked) = table.asked();
    table.respond(id, &asked, 200);
    table.hear_from(Flow { remote: "203.0.113.9:5060".parse().unwrap(), ..flow() }, request);
    assert_eq!(table.sent.len(), 2);
    assert_eq!(table.sent[1].flow.remote, flow().remote);
}

#[test]
fn a_response_without_to_tag_gets_one_and_keeps_it() {
    let mut table = Table::new();
    table.hear(branched("INVITE", "1"));
    let (id, request) = table.asked();
    let mut tags = Vec::new();
    for status in [blether_sip_core::StatusCode::RINGING, blether_sip_core::StatusCode::BUSY_HERE] {
        let response = blether_sip_core::Response::to_request(&request, status).build();
        table.transactions.respond(table.now, id, response).unwrap();
        table.drain();
        tags.push(parse(&table.sent.last().unwrap().payload).to().tag().unwrap().to_owned());
    }
    assert_eq!(tags[0], tags[1]);
}

#[test]
fn a_stale_id_is_harmless_even_when_its_place_is_taken_again() {
    let mut table = Table::new();
    table.hear(branched("OPTIONS", "1"));
    let (stale, request) = table.asked();
    let stale_client = table.ask(Method::Options);
    let stale_transmit = table.sent[0].id;
    table.respond(stale, &request, 200);
    table.until(40_000);
    assert_eq!((table.transactions.counts().total(), table.transactions.poll_timeout()), (0, None));
    table.log();

    table.hear(branched("OPTIONS", "2"));
    table.ask(Method::Invite);
    table.log();
    assert!(!table.respond(stale, &request, 500));
    table.transactions.set_owner(stale, OWNER);
    table.transactions.cancel(table.now, stale_client);
    table.transactions.handle_send_error(table.now, stale_transmit, std::io::ErrorKind::NetworkUnreachable);
    table.drain();
    assert_eq!(table.log(), Vec::<String>::new());
    assert_eq!(table.transactions.counts().total(), 2);
}

#[test]
fn a_request_that_cannot_be_sent_fails_its_transaction_and_no_other() {
    let mut table = Table::new();
    table.ask(Method::Options);
    table.ask(Method::Options);
    let id = table.sent[0].id;
    table.log();
    table.transactions.handle_send_error(table.now, id, std::io::ErrorKind::NetworkUnreachable);
    table.drain();
    assert_eq!(table.log(), ["Transport(NetworkUnreachable)", "client over"]);
    assert_eq!(table.transactions.counts().non_invite_client, 1);
}

#[test]
fn what_comes_after_a_transaction_is_over_does_not_match_it() {
    let mut table = Table::new();
    table.hear(branched("OPTIONS", "1"));
    let (id, request) = table.asked();
    table.respond(id, &request, 200);
    table.until(32_000);
    table.log();
    // In between, another request takes its place in the table.
    table.hear(branched("MESSAGE", "2"));
    table.hear(branched("OPTIONS", "1"));
    assert_eq!(table.log(), ["request MESSAGE", "request OPTIONS"]);

    let mut table = Table::new();
    table.ask(Method::Options);
    table.answer_to(0, 200);
    table.until(5_000);
    table.ask(Method::Message);
    table.answer_to(0, 200);
    assert_eq!(table.log(), ["> OPTIONS", "> MESSAGE", "response 200", "client over"]);
    assert_eq!(table.transactions.counters().stray_responses, 1);
}

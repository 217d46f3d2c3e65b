//! Requests that are refused without being remembered, and those that come by several ways (RFC 3261 §8.2.2.2, §8.2.7).

use std::time::Duration;

use blether_sip_core::{HeaderName, Message, Method, Response, RetryAfter, StatusCode};
use blether_sip_transport::Flow;
use blether_transaction_core::{Event, Overload, TransactionCounts, TransactionsConfig};

use crate::exchange::{Table, branched, parse, text};

/// Refuses what was told last as a stranger's request is refused.
fn refuse(table: &mut Table, code: u16) {
    let (id, request) = table.asked();
    let response = Response::to_request(&request, StatusCode::new(code).unwrap()).build();
    table.transactions.respond_and_forget(table.now, id, response).unwrap();
    table.drain();
}

fn to_tag(table: &Table) -> String {
    let Message::Response(response) = parse(&table.sent.last().unwrap().payload) else { panic!("a request") };
    response.to().tag().unwrap().to_owned()
}

#[test]
fn an_invite_that_is_refused_and_forgotten_is_answered_once_for_each_time_that_it_comes_and_by_no_timer() {
    let mut table = Table::new();
    let mut tags = Vec::new();
    for _ in 0..3 {
        table.hear(branched("INVITE", "stranger"));
        refuse(&mut table, 401);
        assert_eq!(table.transactions.counts(), TransactionCounts::default());
        assert_eq!(table.transactions.poll_timeout(), None);
        tags.push(to_tag(&table));
        assert_eq!(table.log(), ["> 401 INVITE", "request INVITE"]);
    }
    assert!(tags.iter().all(|tag| *tag == tags[0]), "one tag for all copies: {tags:?}");
    table.until(60_000);
    assert_eq!(table.log(), [""; 0]);
    assert_eq!(table.transactions.counters().stateless, 3);
}

#[test]
fn the_ack_for_a_forgotten_refusal_is_absorbed_and_one_with_another_tag_is_not() {
    let mut table = Table::new();
    table.hear(branched("INVITE", "stranger"));
    refuse(&mut table, 401);
    let tag = to_tag(&table);
    table.log();
    table.hear(text("ACK", "192.0.2.1;branch=z9hG4bKstranger", &format!(";tag={tag}")));
    assert_eq!(table.log(), [""; 0]);
    assert_eq!(table.transactions.counters().stateless_acks, 1);
    table.hear(text("ACK", "192.0.2.1;branch=z9hG4bKstranger", ";tag=other"));
    assert_eq!(table.log(), ["ack"]);
}

#[test]
fn other_requests_are_forgotten_likewise_and_what_was_told_something_is_not() {
    let mut table = Table::new();
    table.hear(branched("REGISTER", "r"));
    refuse(&mut table, 401);
    assert_eq!(table.transactions.counts().total(), 0);
    table.log();

    // A call that rings has a transaction, and so has its refusal.
    table.hear(branched("INVITE", "ringing"));
    let (id, request) = table.asked();
    assert!(table.respond(id, &request, 180));
    refuse(&mut table, 486);
    table.until(500);
    assert_eq!(table.log(), ["> 180 INVITE", "> 486 INVITE", "> 486 INVITE", "request INVITE"]);

    // So has one that was cancelled: the CANCEL was answered with a tag that its 487 must have as well.
    table.hear(branched("INVITE", "cancelled").replace("Call-ID: 1", "Call-ID: 2"));
    let (id, request) = table.asked();
    table.hear(branched("CANCEL", "cancelled"));
    let response = Response::to_request(&request, StatusCode::REQUEST_TERMINATED).build();
    table.transactions.respond_and_forget(table.now, id, response).unwrap();
    table.drain();
    assert_eq!(table.transactions.counts().invite_server, 2);

    // An answer to INVITE is the user's to resend; the transaction keeps others from it.
    table.hear(text("INVITE", "192.0.2.1;branch=z9hG4bKanswered", "").replace("CSeq: 7", "CSeq: 8"));
    refuse(&mut table, 200);
    assert_eq!(table.transactions.counts().invite_server, 3);
}

#[test]
fn an_answer_to_what_is_over_is_refused() {
    let mut table = Table::new();
    table.hear(branched("INVITE", "stranger"));
    refuse(&mut table, 401);
    let (id, request) = table.asked();
    let again = Response::to_request(&request, StatusCode::UNAUTHORIZED).build();
    assert!(table.transactions.respond_and_forget(table.now, id, again).is_err());
}

#[test]
fn a_merged_request_is_answered_482_and_its_other_copy_served() {
    let mut table = Table::new();
    table.hear(branched("INVITE", "one"));
    table.hear(branched("INVITE", "two"));
    assert_eq!(table.log(), ["> 482 INVITE", "request INVITE"]);
    // Its own resends get no second transaction, and its ACK goes no further.
    table.hear(branched("INVITE", "two"));
    assert_eq!(table.log(), ["> 482 INVITE"]);
    table.hear(text("ACK", "192.0.2.1;branch=z9hG4bKtwo", ";tag=u"));
    table.hear(branched("OPTIONS", "three"));
    assert_eq!(table.log(), ["request OPTIONS"], "another method is another request");
    assert_eq!(table.transactions.counters().merged, 1);
}

#[test]
fn a_request_within_a_dialog_is_never_merged_nor_is_one_of_another_sender() {
    let mut table = Table::new();
    table.hear(text("INVITE", "192.0.2.1;branch=z9hG4bKa", ";tag=u"));
    table.hear(text("INVITE", "192.0.2.1;branch=z9hG4bKb", ";tag=u"));
    table.hear(branched("INVITE", "c"));
    table.hear(branched("INVITE", "d").replace("tag=a", "tag=other"));
    table.hear(branched("INVITE", "e").replace("CSeq: 7", "CSeq: 8"));
    table.hear(branched("INVITE", "f").replace("Call-ID: 1", "Call-ID: 2"));
    assert_eq!(table.log(), ["request INVITE"; 6]);
}

#[test]
fn once_the_copy_that_was_served_is_over_the_request_may_come_again() {
    let mut table = Table::new();
    table.hear(branched("OPTIONS", "one"));
    let (id, request) = table.asked();
    assert!(table.respond(id, &request, 200));
    table.hear(branched("OPTIONS", "two"));
    assert_eq!(table.log(), ["> 200 OPTIONS", "> 482 OPTIONS", "request OPTIONS"]);
    table.until(33_000);
    table.log();
    table.hear(branched("OPTIONS", "three"));
    assert_eq!(table.log(), ["request OPTIONS"]);
    // A copy of what was refused and forgotten is judged by itself: both branches are asked for a password.
    table.hear(branched("INVITE", "four"));
    refuse(&mut table, 401);
    table.hear(branched("INVITE", "five"));
    assert_eq!(table.log(), ["> 401 INVITE", "request INVITE", "request INVITE"]);
}

#[test]
fn a_serial_fork_whose_branch_was_refused_is_served_by_the_next_branch_and_an_accepted_one_is_not() {
    let mut table = Table::new();
    // A proxy searches: it cancels a branch that rings for too long, and asks the next target, which is here too (RFC 3261 §16.7).
    for branch in ["one", "two", "three"] {
        table.hear(branched("INVITE", branch));
        let (id, request) = table.asked();
        assert!(table.respond(id, &request, 180));
        assert_eq!(table.log(), ["> 180 INVITE", "request INVITE"]);
        // Meanwhile a copy is one.
        table.hear(branched("INVITE", &format!("copy-of-{branch}")));
        assert_eq!(table.log(), ["> 482 INVITE"]);
        table.hear(branched("CANCEL", branch));
        assert!(table.respond(id, &request, 487));
        table.hear(text("ACK", &format!("192.0.2.1;branch=z9hG4bK{branch}"), ";tag=u"));
        assert_eq!(table.log(), ["> 200 CANCEL", "> 487 INVITE", "cancelled None"]);
        // The refused branch is remembered all the same.
        table.hear(branched("INVITE", branch));
        assert_eq!(table.log(), [""; 0]);
    }
    table.hear(branched("INVITE", "four"));
    let (id, request) = table.asked();
    assert!(table.respond(id, &request, 200));
    // The end of the branches before takes nothing from the one that was accepted.
    table.until(20_000);
    table.log();
    table.hear(branched("INVITE", "five"));
    assert_eq!(table.log(), ["> 482 INVITE"]);
}

#[test]
fn a_proxy_may_let_merged_requests_pass() {
    let mut table = Table::with(TransactionsConfig { refuse_merged: false, ..TransactionsConfig::default() });
    table.hear(branched("INVITE", "one"));
    table.hear(branched("INVITE", "two"));
    assert_eq!(table.log(), ["request INVITE"; 2]);
}

#[test]
fn an_overloaded_table_refuses_what_is_new_without_state_and_serves_what_it_has_begun() {
    let mut table = Table::new();
    table.hear(branched("INVITE", "begun"));
    table.log();
    table.transactions.set_overload(Overload::RefusesOthers);
    table.hear(branched("REGISTER", "r"));
    table.hear(branched("INVITE", "served").replace("Call-ID: 1", "Call-ID: 2"));
    assert_eq!(table.log(), ["> 503 REGISTER", "request INVITE"]);
    table.transactions.set_overload(Overload::RefusesAll);
    let before = table.transactions.counts();
    let mut waits = Vec::new();
    for call in 0..40 {
        table.hear(branched("INVITE", "new").replace("Call-ID: 1", &format!("Call-ID: new-{call}")));
        let Message::Response(response) = parse(&table.sent[0].payload) else { panic!("a request") };
        assert!(response.to().tag().is_some());
        waits.push(response.headers().get::<RetryAfter>().unwrap().unwrap().seconds);
        assert_eq!(table.log(), ["> 503 INVITE"]);
    }
    assert!(waits.iter().all(|wait| (5..13).contains(wait)) && waits.iter().any(|wait| *wait != waits[0]), "{waits:?}");
    assert_eq!(table.transactions.counts(), before);
    // A resend of what is being served, its CANCEL, and what belongs to a dialog.
    table.hear(branched("INVITE", "begun"));
    table.hear(branched("CANCEL", "begun"));
    table.hear(text("INVITE", "192.0.2.1;branch=z9hG4bKre", ";tag=u"));
    table.hear(text("BYE", "192.0.2.1;branch=z9hG4bKbye", ";tag=u"));
    assert_eq!(table.log(), ["> 200 CANCEL", "cancelled None", "request INVITE", "request BYE"]);
    let counters = table.transactions.counters();
    assert_eq!((counters.overload_invites, counters.overload_others), (40, 1));
    table.transactions.set_overload(Overload::KeepsUp);
    table.hear(branched("OPTIONS", "later"));
    assert_eq!(table.log(), ["request OPTIONS"]);
}

#[test]
fn what_was_refused_stays_refused_when_a_resend_comes_after_the_gate_has_opened() {
    for (method, told) in [("INVITE", "> 503 INVITE"), ("OPTIONS", "> 503 OPTIONS")] {
        let mut table = Table::new();
        table.transactions.set_overload(Overload::RefusesAll);
        table.hear(branched(method, "late"));
        let said = table.sent[0].payload.clone();
        assert_eq!(table.log(), [told]);
        table.transactions.set_overload(Overload::KeepsUp);
        table.until(31_999);
        table.hear(branched(method, "late"));
        assert_eq!(table.sent[0].payload, said, "each copy is told the same");
        assert_eq!(table.log(), [told]);
        // Another branch is another request, of a proxy that forks or of a phone that tries again.
        table.hear(branched(method, "again").replace("CSeq: 7", "CSeq: 8"));
        assert_eq!(table.log(), [format!("request {method}")]);
        // Nobody resends for longer than 64 * T1.
        table.until(32_000);
        table.log();
        table.hear(branched(method, "late"));
        assert_eq!(table.log(), [format!("request {method}")]);
    }
}

#[test]
fn a_request_that_was_refused_on_a_stream_is_not_remembered() {
    let mut table = Table::new();
    let flow = Flow::tcp("192.0.2.2:5060".parse().unwrap(), "192.0.2.1:41234".parse().unwrap());
    table.transactions.set_overload(Overload::RefusesAll);
    let request = branched("INVITE", "stream").replace("/UDP", "/TCP");
    table.hear_from(flow, request.clone());
    table.transactions.set_overload(Overload::KeepsUp);
    table.hear_from(flow, request);
    assert_eq!(table.log(), ["> 503 INVITE", "request INVITE"]);
}

/// Lets `to` hear what `from` has sent since the last time.
fn carry(from: &mut Table, to: &mut Table) {
    for transmit in std::mem::take(&mut from.sent) {
        to.hear(String::from_utf8(transmit.payload.to_vec()).unwrap());
    }
}

#[test]
fn a_caller_whose_resend_crosses_the_503_is_refused_for_good_and_nothing_rings_for_it() {
    for (method, acks) in [(Method::Invite, 2), (Method::Options, 0)] {
        let (mut caller, mut server) = (Table::new(), Table::new());
        caller.ask(method.clone());
        caller.until(500);
        let mut copies = std::mem::take(&mut caller.sent);
        assert_eq!(copies.len(), 2, "sent, and by Timer A or E sent again");
        let second = copies.pop().unwrap();
        // The server is behind by more than T1, and then no longer.
        server.transactions.set_overload(Overload::RefusesAll);
        server.hear(String::from_utf8(copies[0].payload.to_vec()).unwrap());
        server.transactions.set_overload(Overload::KeepsUp);
        carry(&mut server, &mut caller);
        assert!(caller.events.iter().any(|event| matches!(event, Event::Response { .. })));
        server.hear(String::from_utf8(second.payload.to_vec()).unwrap());
        assert!(server.events.is_empty(), "{:?}", server.events);
        let before = caller.events.len();
        carry(&mut server, &mut caller);
        assert_eq!(caller.events.len(), before, "it hears of its refusal once");
        carry(&mut caller, &mut server);
        assert_eq!(server.transactions.counters().stateless_acks, acks);
        assert_eq!(server.transactions.counts().total(), 0);
    }
}

#[test]
fn ten_thousand_strangers_leave_nothing_and_hear_one_answer_each() {
    let mut table = Table::new();
    for call in 0..10_000 {
        table.hear(branched("INVITE", &format!("s{call}")).replace("Call-ID: 1", &format!("Call-ID: {call}")));
        refuse(&mut table, 401);
    }
    assert_eq!(table.transactions.counts().total(), 0);
    table.until(Duration::from_secs(100).as_millis() as u64);
    let refusals = table.sent.iter().filter(|sent| sent.payload.starts_with(b"SIP/2.0 401")).count();
    assert_eq!((refusals, table.sent.len()), (10_000, 10_000));
    let Message::Response(response) = parse(&table.sent[0].payload) else { panic!("a request") };
    assert!(!response.headers().has(&HeaderName::RetryAfter));
}

//! CANCEL, from both ends (RFC 3261 §9).

use blether_sip_core::{HeaderName, Method, Request};

use crate::exchange::{OWNER, Table, branched, flow, parse, parse_request, text, unsent};

#[test]
fn cancel_waits_for_a_provisional_response() {
    let mut table = Table::new();
    let id = table.ask(Method::Invite);
    table.transactions.cancel(table.now, id);
    table.transactions.cancel(table.now, id);
    table.drain();
    assert_eq!(table.sent.len(), 1, "no CANCEL before a 1xx");
    table.answer_to(0, 100);
    table.answer_to(0, 180);
    assert_eq!(table.log(), ["> INVITE", "> CANCEL", "response 100", "response 180"]);
}

#[test]
fn cancel_goes_out_at_once_after_a_provisional_response_and_only_once() {
    let mut table = Table::new();
    let id = table.ask(Method::Invite);
    table.answer_to(0, 180);
    for _ in 0..3 {
        table.transactions.cancel(table.now, id);
    }
    table.drain();
    assert_eq!(table.log(), ["> INVITE", "> CANCEL", "response 180"]);
}

#[test]
fn no_cancel_goes_out_after_a_final_response() {
    for code in [200, 486] {
        let mut table = Table::new();
        let id = table.ask(Method::Invite);
        table.answer_to(0, 180);
        table.answer_to(0, code);
        table.log();
        table.transactions.cancel(table.now, id);
        table.drain();
        assert_eq!(table.log(), Vec::<String>::new(), "{code}");
    }
}

#[test]
fn a_cancel_that_waited_is_overtaken_by_a_final_response() {
    for code in [200, 486] {
        let mut table = Table::new();
        let id = table.ask(Method::Invite);
        table.transactions.cancel(table.now, id);
        table.answer_to(0, code);
        assert!(!table.log().contains(&"> CANCEL".to_owned()));
    }
}

#[test]
fn a_request_that_is_no_invite_is_not_cancelled() {
    let mut table = Table::new();
    let id = table.ask(Method::Options);
    table.answer_to(0, 100);
    table.log();
    table.transactions.cancel(table.now, id);
    table.drain();
    assert_eq!(table.log(), Vec::<String>::new());
}

#[test]
fn a_cancel_is_like_its_invite() {
    let mut table = Table::new();
    let mut invite = unsent(Method::Invite);
    invite.headers_mut().push_raw(&HeaderName::Route, "<sip:proxy.example;lr>").unwrap();
    invite.headers_mut().push_raw(&HeaderName::Require, "100rel").unwrap();
    let id = table.transactions.request(table.now, invite, flow(), OWNER).unwrap();
    table.drain();
    table.answer_to(0, 180);
    table.transactions.cancel(table.now, id);
    table.drain();
    let [invite, cancel]: [Request; 2] = [0, 1].map(|sent| parse_request(&table.sent[sent].payload));
    assert_eq!(cancel.uri().to_string(), invite.uri().to_string());
    assert_eq!((cancel.via(), cancel.from(), cancel.to()), (invite.via(), invite.from(), invite.to()));
    assert_eq!((cancel.call_id(), cancel.cseq().number), (invite.call_id(), invite.cseq().number));
    assert_eq!((cancel.method(), &cancel.cseq().method), (&Method::Cancel, &Method::Cancel));
    assert_eq!(cancel.headers().raw(&HeaderName::Route), Some("<sip:proxy.example;lr>"));
    assert_eq!(cancel.headers().raw(&HeaderName::Require), None, "RFC 3261 §9.1");
    assert_eq!(table.sent[1].flow, flow());
}

#[test]
fn a_487_to_the_cancelled_invite_is_acknowledged_and_the_200_to_the_cancel_told_to_nobody() {
    let mut table = Table::new();
    let id = table.ask(Method::Invite);
    table.answer_to(0, 180);
    table.transactions.cancel(table.now, id);
    table.drain();
    table.answer_to(1, 200);
    table.answer_to(0, 487);
    assert_eq!(table.log(), ["> INVITE", "> CANCEL", "> ACK", "response 180", "response 487"]);
    table.until(60_000);
    assert_eq!(table.log(), ["client over"]);
    assert_eq!((table.transactions.counts().total(), table.transactions.poll_timeout()), (0, None));
}

#[test]
fn a_lost_cancel_is_resent_and_the_invite_given_up_after_64_t1() {
    let mut table = Table::new();
    let id = table.ask(Method::Invite);
    table.answer_to(0, 180);
    table.until(1_000);
    table.transactions.cancel(table.now, id);
    table.drain();
    table.until(32_999);
    let log = table.log();
    assert_eq!(log.iter().filter(|line| *line == "> CANCEL").count(), 11, "Timer E");
    assert!(!log.contains(&"client over".to_owned()));
    table.until(33_000);
    let log = table.log();
    assert!(log.iter().any(|line| line.starts_with("TimedOut")) && log.contains(&"client over".to_owned()), "{log:?}");
    assert_eq!(table.transactions.counts().total(), 0);
}

#[test]
fn a_2xx_that_crosses_the_cancel_goes_up() {
    let mut table = Table::new();
    let id = table.ask(Method::Invite);
    table.answer_to(0, 180);
    table.transactions.cancel(table.now, id);
    table.drain();
    table.answer_to(0, 200);
    table.answer_to(1, 481);
    assert_eq!(table.log(), ["> INVITE", "> CANCEL", "response 180", "response 200"]);
}

#[test]
fn a_cancel_is_answered_and_told_and_the_invite_left_to_the_user() {
    let mut table = Table::new();
    table.hear(branched("INVITE", "1"));
    let (id, request) = table.asked();
    table.transactions.set_owner(id, OWNER);
    table.respond(id, &request, 180);
    table.log();
    table.hear(branched("CANCEL", "1"));
    let ok = parse(&table.sent[0].payload);
    assert_eq!(ok.to().tag(), Some("u"), "the tag of the INVITE's responses (RFC 3261 §9.2)");
    table.hear(branched("CANCEL", "1"));
    assert_eq!(table.log(), ["> 200 CANCEL", "> 200 CANCEL", "cancelled Some(Owner(42))"]);
    assert!(table.respond(id, &request, 487));
    table.hear(text("ACK", "192.0.2.1;branch=z9hG4bK1", ";tag=u"));
    table.until(4_999);
    assert_eq!(table.log(), ["> 487 INVITE"]);
    table.until(60_000);
    assert_eq!(table.transactions.counts().total(), 0);
}

#[test]
fn a_cancel_after_a_final_response_is_answered_200_and_has_no_effect() {
    for code in [200, 486] {
        let mut table = Table::new();
        table.hear(branched("INVITE", "1"));
        let (id, request) = table.asked();
        table.respond(id, &request, code);
        table.log();
        table.hear(branched("CANCEL", "1"));
        assert_eq!(table.log(), ["> 200 CANCEL"], "{code}");
    }
}

#[test]
fn a_cancel_of_nothing_is_answered_481() {
    let mut table = Table::new();
    table.hear(branched("CANCEL", "1"));
    assert_eq!(table.log(), ["> 481 CANCEL"]);
    table.hear(branched("INVITE", "2"));
    table.hear(text("CANCEL", "192.0.2.1:5070;branch=z9hG4bK2", ""));
    assert_eq!(table.log(), ["> 481 CANCEL", "request INVITE"], "another sent-by is another client");
}

#[test]
fn a_peer_of_rfc_2543_can_cancel() {
    let mut table = Table::new();
    table.hear(text("INVITE", "192.0.2.1", ""));
    table.hear(text("CANCEL", "192.0.2.1", ""));
    assert_eq!(table.log(), ["> 200 CANCEL", "request INVITE", "cancelled None"]);
}

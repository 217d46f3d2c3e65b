//! Where the crate does not do what an RFC says. Each test asserts what it does, names the rule, and is turned round with the mending.

use std::io::ErrorKind::NetworkUnreachable;

use blether_sip_core::{Method, StatusCode};
use blether_transaction_core::Reliability::Unreliable;

use crate::exchange::{Table, branched, text};
use crate::machine::{invite_server, options_server};

/// RFC 6026 §7.1: the transaction MUST remain in its state, so that a resent INVITE is not taken for a new one.
#[test]
fn a_response_that_cannot_be_sent_leaves_an_invite_in_proceeding_and_completed() {
    for code in [180, 486] {
        let mut run = invite_server(Unreliable);
        run.answer(1, code).at(2, |machine, _| machine.handle_send_error(NetworkUnreachable));
        assert_eq!(run.so_far().last(), Some(&(2, "SendFailed(NetworkUnreachable)")));
        assert_eq!(run.at(3, |machine, _| machine.handle_resend()).so_far().last().unwrap().0, 3);
    }
}

/// RFC 3261 §17.2.4: the user SHOULD be told that its response was not sent. RFC 6026 §8.8: the transaction MUST remain in its state.
#[test]
fn a_response_that_cannot_be_sent_is_told_by_the_table() {
    let mut table = Table::new();
    table.hear(branched("OPTIONS", "1"));
    let (id, request) = table.asked();
    table.respond(id, &request, 200);
    let transmit = table.sent[0].id;
    table.log();
    table.transactions.handle_send_error(table.now, transmit, NetworkUnreachable);
    table.drain();
    assert_eq!(table.log(), ["not sent"]);
    table.hear(branched("OPTIONS", "1"));
    assert_eq!(table.log(), ["> 200 OPTIONS"]);
}

/// RFC 3261 §17.1.4: the user SHOULD be told that the ACK for a refusal was not sent. The refusal stays the final outcome, the only one.
#[test]
fn an_ack_that_cannot_be_sent_is_told_by_the_table() {
    let mut table = Table::new();
    table.ask(Method::Invite);
    table.answer_to(0, 486);
    let transmit = table.sent[1].id;
    assert_eq!(table.log(), ["> INVITE", "> ACK", "response 486"]);
    table.transactions.handle_send_error(table.now, transmit, NetworkUnreachable);
    table.drain();
    assert_eq!(table.log(), ["ACK not sent", "client over"]);
}

/// RFC 4320 §4.1: a 100 MUST be sent once Timer E of the client has reached T2, 3.5 s by default.
#[test]
fn a_request_that_the_user_is_slow_to_answer_gets_a_100() {
    assert_eq!(options_server(Unreliable).trace(), [(3_500, "100"), (32_000, "over")]);
}

/// RFC 3261 §9.2: a CANCEL that matches a transaction of any method is answered 200, and has no effect.
#[test]
fn a_cancel_of_a_request_that_is_no_invite_is_answered_200_without_effect() {
    let mut table = Table::new();
    table.hear(branched("OPTIONS", "1"));
    table.hear(branched("CANCEL", "1"));
    assert_eq!(table.log(), ["> 200 CANCEL", "request OPTIONS"]);
}

/// RFC 3261 §17.2.3: without a magic cookie, the To tag of an ACK must be that of the response.
#[test]
fn the_ack_of_another_response_does_not_end_the_refusal_of_an_rfc_2543_peer() {
    let mut table = Table::new();
    table.hear(text("INVITE", "192.0.2.1;branch=1", ""));
    let (id, request) = table.asked();
    table.respond(id, &request, 486);
    table.log();
    table.hear(text("ACK", "192.0.2.1;branch=1", ";tag=other"));
    table.until(4_999);
    assert_eq!(table.log(), ["> 486 INVITE", "> 486 INVITE", "> 486 INVITE", "ack"]);
}

/// RFC 3261 §8.2.7: a stateless answer has the same To tag for each copy of its request.
#[test]
fn each_stateless_503_has_the_same_tag() {
    let mut table =
        Table::with(blether_transaction_core::TransactionsConfig { max_transactions: 0, ..Default::default() });
    table.hear(branched("INVITE", "1"));
    table.hear(branched("INVITE", "1"));
    let tags: Vec<_> =
        table.sent.iter().map(|sent| crate::exchange::parse(&sent.payload).to().tag().unwrap().to_owned()).collect();
    assert_eq!(tags[0], tags[1]);
}

/// RFC 3261 §17.2.2: a final response that comes too late is discarded; CANCEL is answered with the tag that was sent.
#[test]
fn a_response_that_is_not_taken_leaves_nothing_behind() {
    let mut table = Table::new();
    table.hear(branched("INVITE", "1"));
    let (id, request) = table.asked();
    table.respond(id, &request, 486);
    let late = blether_sip_core::Response::to_request(&request, StatusCode::DECLINE).to_tag("late").build();
    assert!(table.transactions.respond(table.now, id, late).is_err());
    table.hear(branched("CANCEL", "1"));
    assert_eq!(crate::exchange::parse(&table.sent[1].payload).to().tag(), Some("u"));
}

/// ACK and CANCEL have calls of their own; as a request, an ACK is resent by Timer E.
#[test]
fn an_ack_is_accepted_as_a_request() {
    let mut table = Table::new();
    table.ask(Method::Ack);
    table.until(1_500);
    assert_eq!(table.log(), ["> ACK"; 3]);
}

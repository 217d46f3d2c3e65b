//! What happens when there is no room.

use blether_sip_core::{HeaderName, Message, Method};
use blether_transaction_core::TransactionsConfig;

use crate::exchange::{OWNER, Table, branched, flow, parse, text, unsent};

const MAX: usize = 40;

fn table() -> Table {
    Table::with(TransactionsConfig { max_transactions: MAX, ..TransactionsConfig::default() })
}

fn fill(table: &mut Table) {
    for branch in 0..MAX * 2 {
        let options = branched("OPTIONS", &format!("fill{branch}"));
        table.hear(options.replace("Call-ID: 1", &format!("Call-ID: fill{branch}")));
    }
    assert!(table.transactions.counts().total() < MAX);
    table.log();
}

#[test]
fn a_request_over_the_limit_is_refused_with_503_and_retry_after_and_leaves_no_state() {
    let mut table = table();
    fill(&mut table);
    let before = table.transactions.counts();
    for method in ["INVITE", "REGISTER"] {
        table.hear(branched(method, "over"));
        let Message::Response(response) = parse(&table.sent[0].payload) else { panic!("a request") };
        assert!(response.headers().has(&HeaderName::RetryAfter) && response.to().tag().is_some());
        assert_eq!(table.log(), [format!("> 503 {method}")]);
    }
    assert_eq!(table.transactions.counts(), before);
    assert!(table.transactions.counters().refused_full >= 2);
    let refused = table.transactions.request(table.now, unsent(Method::Options), flow(), OWNER).unwrap_err();
    assert_eq!(refused.limit, MAX);
}

#[test]
fn an_ack_is_never_refused() {
    let mut table = table();
    fill(&mut table);
    table.hear(text("ACK", "192.0.2.1;branch=z9hG4bKack", ";tag=u"));
    assert_eq!(table.log(), ["ack"]);
}

#[test]
fn what_ends_a_call_finds_room_when_others_do_not_and_all_is_bounded() {
    let mut table = table();
    table.hear(branched("INVITE", "call"));
    table.hear(branched("INVITE", "ringing").replace("CSeq: 7", "CSeq: 8"));
    let outgoing = table.ask(Method::Invite);
    let invite = table.sent.len() - 1;
    table.answer_to(invite, 180);
    fill(&mut table);
    table.hear(text("BYE", "192.0.2.1;branch=z9hG4bKbye", ";tag=u"));
    table.hear(branched("CANCEL", "ringing"));
    table.transactions.request(table.now, unsent(Method::Bye), flow(), OWNER).unwrap();
    table.transactions.cancel(table.now, outgoing);
    table.drain();
    assert_eq!(table.log(), ["> 200 CANCEL", "> BYE", "> CANCEL", "request BYE", "cancelled None"]);
    for branch in 0..MAX {
        table.hear(text("BYE", &format!("192.0.2.1;branch=z9hG4bKflood{branch}"), ";tag=u"));
    }
    assert!(table.transactions.counts().total() <= MAX);
    assert!(table.log().contains(&"> 503 BYE".to_owned()));
}

#[test]
fn room_comes_back() {
    let mut table = table();
    fill(&mut table);
    table.until(33_000);
    assert_eq!((table.transactions.counts().total(), table.transactions.poll_timeout()), (0, None));
    table.log();
    table.hear(branched("OPTIONS", "later"));
    assert_eq!(table.log(), ["request OPTIONS"]);
}

//! What strangers send.

use blether_sip_core::{Limits, Message, Method};
use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::exchange::{Table, branched, flow, text, unsent};

#[test]
fn a_request_that_cannot_be_read_is_answered_without_a_transaction() {
    #[track_caller]
    fn check(request: String, status: u16, header: &str) {
        let mut table = Table::new();
        table.hear(request);
        // It repeats what is wrong, so it cannot be read itself.
        let reply = String::from_utf8(table.sent[0].payload.to_vec()).unwrap();
        let line = reply.lines().next().unwrap();
        assert!(line.starts_with(&format!("SIP/2.0 {status} ")) && line.contains(header), "{line}");
        assert_eq!((table.transactions.counts().total(), table.events.len()), (0, 0));
        assert_eq!(table.transactions.counters().malformed, 1);
    }
    let good = branched("OPTIONS", "1");
    check(good.replace("CSeq: 7 OPTIONS", "CSeq: seven OPTIONS"), 400, "CSeq");
    check(good.replace("CSeq: 7 OPTIONS", "CSeq: 7 INVITE"), 400, "CSeq");
    check(good.replace("Call-ID: 1@192.0.2.1\r\n", ""), 400, "Call-ID");
    check(good.replace("SIP/2.0\r\nVia", "SIP/3.0\r\nVia"), 505, "");
}

#[test]
fn neither_an_ack_nor_a_response_is_ever_answered() {
    let mut table = Table::new();
    for good in [
        branched("ACK", "1"),
        branched("OPTIONS", "1").replacen("OPTIONS sip:bob@192.0.2.2 SIP/2.0", "SIP/2.0 200 OK", 1),
        branched("OPTIONS", "1").replacen("OPTIONS sip:bob@192.0.2.2 SIP/2.0", "SIP/2.0 999 No", 1),
    ] {
        for bad in [
            good.clone(),
            good.replace("CSeq: 7", "CSeq: x"),
            good.replace("Via", "Vie"),
            good.replace("Call-ID: 1@192.0.2.1\r\n", ""),
            good.replace("Content-Length: 0", "Content-Length: 99999"),
            good.replace("From: <sip:alice@192.0.2.1>", "From: <<<"),
        ] {
            table.hear(bad);
        }
    }
    assert!(table.sent.is_empty());
    assert_eq!(table.transactions.counts().total(), 0);
}

#[test]
fn what_is_no_sip_is_dropped_and_counted() {
    let mut table = Table::new();
    for garbage in ["", "\r\n\r\n", "\0", "hello", "GET / HTTP/1.1\r\n\r\n", "\u{fffd}\u{fffd}"] {
        table.hear(garbage);
    }
    assert!(table.sent.is_empty() && table.events.is_empty());
    let counters = table.transactions.counters();
    assert_eq!(counters.not_sip + counters.keep_alives + counters.malformed, 6);
}

#[test]
fn a_message_that_is_too_large_is_answered_513_and_the_next_request_works() {
    let mut table = Table::new();
    let header = format!("X-Long: {}\r\n", "a".repeat(60_000));
    table.hear(branched("OPTIONS", "1").replace("Max-Forwards", &format!("{header}Max-Forwards")));
    let many: String = (0..4_000).map(|n| format!("X-{n}: 1\r\n")).collect();
    table.hear(branched("OPTIONS", "2").replace("Max-Forwards", &format!("{many}Max-Forwards")));
    let vias: String = (0..1_000).map(|n| format!("Via: SIP/2.0/UDP h{n};branch=z9hG4bK{n}\r\n")).collect();
    table.hear(branched("OPTIONS", "3").replace("Max-Forwards", &format!("{vias}Max-Forwards")));
    assert!(table.events.is_empty());
    assert!(table.sent.iter().all(|transmit| transmit.payload.len() < 8_192), "a refusal does not amplify");
    table.sent.clear();
    table.hear(branched("OPTIONS", "4"));
    assert_eq!(table.log(), ["request OPTIONS"]);
}

#[test]
fn twenty_thousand_garbage_datagrams_leave_nothing_behind() {
    let mut table = Table::new();
    for n in 0..20_000_u32 {
        table.hear(format!("INVITE sip:x SIP/2.0\r\nVia: {n}\r\n\r\n"));
        table.sent.clear();
    }
    assert_eq!((table.transactions.counts().total(), table.events.len()), (0, 0));
    table.hear(branched("REGISTER", "1"));
    assert_eq!(table.log(), ["request REGISTER"]);
}

/// One thing that happens to a table.
#[derive(Clone, Debug)]
enum Step {
    Hear(Vec<u8>),
    HearRequest { method: &'static str, branch: u8, to_tag: &'static str },
    Answer { sent: usize, code: u16 },
    Ask(bool),
    Cancel(usize),
    Respond { asked: usize, code: u16 },
    Fail(usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let methods = prop::sample::select(vec!["INVITE", "ACK", "CANCEL", "BYE", "OPTIONS"]);
    let tags = prop::sample::select(vec!["", ";tag=u"]);
    prop_oneof![
        1 => vec(any::<u8>(), 0..200).prop_map(Step::Hear),
        6 => (methods, 0..4_u8, tags).prop_map(|(method, branch, to_tag)| Step::HearRequest { method, branch, to_tag }),
        4 => (0..20_usize, 100..700_u16).prop_map(|(sent, code)| Step::Answer { sent, code }),
        2 => any::<bool>().prop_map(Step::Ask),
        1 => (0..20_usize).prop_map(Step::Cancel),
        4 => (0..20_usize, 100..700_u16).prop_map(|(asked, code)| Step::Respond { asked, code }),
        1 => (0..20_usize).prop_map(Step::Fail),
        4 => (0..40_000_u64).prop_map(Step::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_datagram_panics_and_none_that_is_no_request_is_answered(bytes in vec(any::<u8>(), 0..2_000)) {
        let mut table = Table::new();
        let bytes = Bytes::from(bytes);
        table.transactions.handle_datagram(table.now, flow(), bytes.clone());
        table.drain();
        if let Ok(Message::Response(_)) = Message::parse(bytes, &Limits::default()) {
            prop_assert!(table.sent.is_empty());
        }
    }

    #[test]
    fn no_mutilated_request_panics(cut in 0..400_usize, at in 0..400_usize, byte in any::<u8>(), which in 0..5_usize) {
        let mut table = Table::new();
        let method = ["INVITE", "ACK", "CANCEL", "OPTIONS", "BYE"][which];
        let mut bytes = text(method, "192.0.2.1;branch=z9hG4bK1;rport", ";tag=x").into_bytes();
        if let Some(target) = bytes.get_mut(at) {
            *target = byte;
        }
        bytes.truncate(bytes.len().saturating_sub(cut));
        table.transactions.handle_datagram(table.now, flow(), Bytes::from(bytes));
        table.drain();
        prop_assert!(table.sent.len() <= 1);
    }

    #[test]
    fn whatever_happens_in_whatever_order_no_timer_runs_without_end(steps in vec(step(), 1..60)) {
        let mut table = Table::new();
        let (mut elapsed, mut clients, mut asked) = (0, Vec::new(), Vec::new());
        for step in steps {
            match step {
                Step::Hear(bytes) => table.transactions.handle_datagram(table.now, flow(), Bytes::from(bytes)),
                Step::HearRequest { method, branch, to_tag } => {
                    table.hear(text(method, &format!("192.0.2.1;branch=z9hG4bK{branch}"), to_tag));
                }
                Step::Answer { sent, code } => {
                    let is_request = |transmit: &&blether_transaction_core::Transmit| !transmit.payload.starts_with(b"SIP/2.0");
                    if let Some(index) = table.sent.iter().position(|sent| is_request(&sent)).map(|first| first + sent)
                        && table.sent.get(index).filter(is_request).is_some()
                    {
                        table.answer_to(index, code);
                    }
                }
                Step::Ask(invite) => {
                    let method = if invite { Method::Invite } else { Method::Options };
                    clients.push(table.transactions.request(table.now, unsent(method), flow(), crate::exchange::OWNER).unwrap());
                }
                Step::Cancel(index) => {
                    if let Some(&id) = clients.get(index) {
                        table.transactions.cancel(table.now, id);
                    }
                }
                Step::Respond { asked: index, code } => {
                    if let Some((id, request)) = asked.get(index) {
                        table.respond(*id, request, code);
                    }
                }
                Step::Fail(index) => {
                    if let Some(id) = table.sent.get(index).map(|transmit| transmit.id) {
                        table.transactions.handle_send_error(table.now, id, std::io::ErrorKind::HostUnreachable);
                    }
                }
                Step::Wait(ms) => {
                    elapsed += ms;
                    table.until(elapsed);
                }
            }
            table.drain();
            asked.extend(table.events.drain(..).filter_map(|event| match event {
                blether_transaction_core::Event::Request { id, request, .. } => Some((id, request)),
                _ => None,
            }));
        }
        // Only an INVITE may still wait: for its user to answer it, or for its peer after a 1xx.
        table.until(elapsed + 200_000);
        let counts = table.transactions.counts();
        prop_assert_eq!((counts.non_invite_client, counts.non_invite_server), (0, 0));
        prop_assert_eq!(table.transactions.poll_timeout(), None);
    }
}

//! Several targets, and what comes of them (RFC 3261 §16.7 to §16.10).

use std::time::Duration;

use super::world::*;
use crate::proxy::Fork;

fn two_phones(fork: Fork) -> World {
    let phones = vec![phone(udp(BOB), 1_000), phone(udp(BOB_TOO), 500)];
    World::new(&[("bob", phones)], |table| table.fork = fork)
}

fn lines(sent: &[Wire]) -> Vec<(String, String)> {
    let mut lines: Vec<_> = sent
        .iter()
        .map(|wire| (wire.line().split(' ').take(2).collect::<Vec<_>>().join(" "), wire.flow.remote.to_string()))
        .collect();
    lines.sort();
    lines
}

#[test]
fn parallel_branches_ring_at_once_share_the_breadth_and_the_losers_are_cancelled() {
    let mut world = two_phones(Fork::Parallel);
    let sent = world.receives_from(ALICE, &invite(""));
    let [first, second] = &sent[..] else { panic!("{sent:#?}") };
    assert_eq!((first.values("Max-Breadth"), second.values("Max-Breadth")), (vec!["30"], vec!["30"]));
    assert_ne!(first.values("Via")[0], second.values("Via")[0]);
    for (wire, peer, tag) in [(first, BOB, "b1"), (second, BOB_TOO, "b2")] {
        let ringing = world.passes(udp(peer), &wire.answer(180, tag, ""));
        assert!(ringing.line().starts_with("SIP/2.0 180 ") && ringing.text.contains(&format!(";tag={tag}")));
    }
    let sent = world.receives_from(BOB, &first.answer(200, "b1", "Contact: <sip:bob@10.0.0.5>\r\n"));
    let cancel = "CANCEL sip:bob@10.0.0.5:40002".to_owned();
    assert_eq!(lines(&sent), [(cancel, BOB_TOO.to_owned()), ("SIP/2.0 200".to_owned(), ALICE.to_owned())]);
    let sent = world.receives_from(BOB_TOO, &second.answer(487, "b2", ""));
    assert_eq!(lines(&sent), [("ACK sip:bob@10.0.0.5:40002".to_owned(), BOB_TOO.to_owned())]);
    world.ends_empty();
}

#[test]
fn several_2xx_are_all_passed_on_and_each_has_its_own_way_back_rfc_3261_16_7_step_5() {
    let mut world = two_phones(Fork::Parallel);
    let sent = world.receives_from(ALICE, &invite(""));
    let mut told = Vec::new();
    for (wire, peer, tag) in [(&sent[0], BOB, "b1"), (&sent[1], BOB_TOO, "b2")] {
        let answered = world.receives_from(peer, &wire.answer(200, tag, "Contact: <sip:bob@10.0.0.5>\r\n"));
        told.push(answered.into_iter().find(|wire| wire.line().starts_with("SIP/2.0 200 ")).expect("passed on"));
    }
    for (answer, peer, tag) in [(&told[0], BOB, "b1"), (&told[1], BOB_TOO, "b2")] {
        let ack = request("ACK", "sip:bob@10.0.0.5", tag, 1, &routes_of_caller(answer));
        assert_eq!(way(&world.passes(udp(ALICE), &ack)).1, peer);
    }
    world.ends_empty();
}

#[test]
fn serial_targets_are_tried_in_the_order_of_q() {
    let mut world = two_phones(Fork::Serial);
    let first = world.passes(udp(ALICE), &invite(""));
    assert_eq!((way(&first).1.as_str(), first.values("Max-Breadth")), (BOB, vec!["60"]));
    let sent = world.receives_from(BOB, &first.answer(486, "b1", ""));
    let second = sent.iter().find(|wire| wire.line().starts_with("INVITE")).expect("the next is tried");
    assert_eq!(way(second).1, BOB_TOO);
    let sent = world.receives_from(BOB_TOO, &second.answer(480, "b2", ""));
    assert!(lines(&sent).contains(&("SIP/2.0 486".to_owned(), ALICE.to_owned())), "{sent:#?}");
    world.ends_empty();
}

#[test]
fn a_2xx_that_comes_after_a_refusal_was_told_is_passed_on_all_the_same_rfc_3261_16_7_step_5() {
    // Before the caller's transaction is over, and after that.
    for late in [Duration::from_millis(10), Duration::from_secs(10)] {
        let phones = vec![phone(udp(BOB), 1_000), phone(udp(BOB_TOO), 500)];
        let mut world = World::new(&[("bob", phones)], |table| {
            (table.fork, table.ring_for) = (Fork::Serial, Duration::from_secs(5));
        });
        let silent = world.passes(udp(ALICE), &invite(""));
        let sent = world.after(Duration::from_secs(6));
        let busy = sent.iter().find(|wire| way(wire).1 == BOB_TOO).expect("the next is tried");
        let sent = world.receives_from(BOB_TOO, &busy.answer(486, "b2", ""));
        let told = sent.iter().find(|wire| way(wire).1 == ALICE).expect("nobody else is left");
        assert!(told.line().starts_with("SIP/2.0 486 "), "{}", told.text);
        let ack = request("ACK", "sip:bob@example.com", "b2", 1, "").replace("alice1ACK", "alice1INVITE");
        assert!(world.receives_from(ALICE, &ack).is_empty());
        world.after(late);
        let told = world.passes(udp(BOB), &silent.answer(200, "b1", "Contact: <sip:bob@10.0.0.5:40001>\r\n"));
        assert!(told.line().starts_with("SIP/2.0 200 "), "{}", told.text);
        assert_eq!((way(&told).1.as_str(), told.values("Via").len()), (ALICE, 1));
        let ack = request("ACK", "sip:bob@10.0.0.5:40001", "b1", 1, &routes_of_caller(&told));
        assert_eq!(way(&world.passes(udp(ALICE), &ack)).1, BOB, "so that the caller can hang up");
        world.ends_empty();
    }
}

#[test]
fn a_cancel_reaches_what_rings_and_the_caller_is_told_487_rfc_3261_16_10() {
    let mut world = World::with_bob();
    let got = world.passes(udp(ALICE), &invite(""));
    world.receives_from(BOB, &got.answer(180, "b1", ""));
    let sent = world.receives_from(ALICE, &request("CANCEL", "sip:bob@example.com", "", 1, ""));
    let cancel = ("CANCEL sip:bob@10.0.0.5:40001".to_owned(), BOB.to_owned());
    assert_eq!(lines(&sent), [cancel, ("SIP/2.0 200".to_owned(), ALICE.to_owned())]);
    let sent = world.receives_from(BOB, &got.answer(487, "b1", ""));
    assert!(lines(&sent).contains(&("SIP/2.0 487".to_owned(), ALICE.to_owned())));
    world.ends_empty();
}

#[test]
fn nobody_who_answers_is_a_408_and_100_is_said_meanwhile_rfc_3261_16_2() {
    let mut world = World::with_bob();
    world.passes(udp(ALICE), &invite(""));
    let sent = world.after(Duration::from_secs(40));
    let to_alice: Vec<_> = sent.iter().filter(|wire| way(wire).1 == ALICE).map(|wire| &wire.line()[..11]).collect();
    assert_eq!(to_alice[..2], ["SIP/2.0 100", "SIP/2.0 408"]);
    world.ends_empty();
}

#[test]
fn a_phone_that_rings_for_ever_is_cancelled_rfc_3261_16_8() {
    let mut world = World::with_bob();
    let got = world.passes(udp(ALICE), &invite(""));
    world.receives_from(BOB, &got.answer(180, "b1", ""));
    let sent = world.after(Duration::from_secs(61));
    assert_eq!(sent.first().map(|wire| wire.line()), Some("CANCEL sip:bob@10.0.0.5:40001 SIP/2.0"));
    let sent = world.receives_from(BOB, &got.answer(487, "b1", ""));
    assert!(lines(&sent).contains(&("SIP/2.0 408".to_owned(), ALICE.to_owned())), "{sent:#?}");
    world.ends_empty();
}

#[test]
fn a_phone_that_takes_our_callers_via_off_leaves_nothing_behind() {
    for code in [200, 486] {
        let mut world = World::with_bob();
        let got = world.passes(udp(ALICE), &invite(""));
        world.receives_from(BOB, &got.answer(180, "b1", ""));
        let of_alice = format!("Via: {}\r\n", got.values("Via")[1]);
        let answer = got.answer(code, "b1", "").replace(&of_alice, "");
        let sent = world.receives_from(BOB, &answer);
        assert!(lines(&sent).contains(&("SIP/2.0 502".to_owned(), ALICE.to_owned())), "{code}: {sent:#?}");
        world.ends_empty();
    }
}

#[test]
fn a_message_that_nobody_answers_gets_no_408_rfc_4320_4_2() {
    let mut world = World::with_bob();
    world.passes(udp(ALICE), &request("MESSAGE", "sip:bob@example.com", "", 1, ""));
    let sent = world.after(Duration::from_secs(40));
    assert!(sent.iter().any(|wire| way(wire).1 == BOB), "it is sent again");
    assert!(sent.iter().all(|wire| !wire.line().starts_with("SIP/2.0 408 ")), "{sent:#?}");
    world.ends_empty();
}

#[test]
fn a_1xx_without_a_tag_stays_without_one_rfc_3261_16_7_step_6() {
    let mut world = World::with_bob();
    let got = world.passes(udp(ALICE), &invite(""));
    let ringing = got.answer(180, "b1", "").replace(";tag=b1", "");
    let told = world.passes(udp(BOB), &ringing);
    assert_eq!(told.values("To"), ["<sip:bob@example.com>"]);
}

//! The stateless mode (RFC 3261 §16.11).

use super::world::*;
use crate::proxy::Target;

const SERVER: &str = "203.0.113.50:5060";

fn world() -> World {
    let server = Target::of_uri(format!("sip:bob@{SERVER}").parse::<blether_sip_core::SipUri>().unwrap());
    World::new(&[("bob", vec![server])], |table| table.stateless = true)
}

#[test]
fn nothing_is_remembered_and_each_copy_goes_on_alike() {
    let mut world = world();
    let first = world.passes(udp(ALICE), &invite("Max-Forwards: 70\r\n"));
    assert_eq!((way(&first).1.as_str(), first.values("Max-Forwards")), (SERVER, vec!["69"]));
    assert_eq!(world.passes(udp(ALICE), &invite("Max-Forwards: 70\r\n")).text, first.text);
    assert_eq!((world.transactions.counts().total(), world.proxy.contexts()), (0, 0));
}

#[test]
fn a_response_goes_on_to_its_next_via_and_nobody_can_make_us_send_one_elsewhere() {
    let mut world = world();
    let sent = world.passes(udp(ALICE), &invite(""));
    let ok = sent.answer(200, "b1", "Contact: <sip:bob@203.0.113.50>\r\n");
    let told = world.passes(udp(SERVER), &ok);
    assert_eq!((way(&told).1.as_str(), told.values("Via").len()), (ALICE, 1));
    for (from, to) in
        [("received=198.51.100.1", "received=192.0.2.99"), ("rport=5060", "rport=53"), ("call-1", "call-2")]
    {
        let aimed = ok.replace(from, to);
        assert!(aimed == ok || world.receives_from(SERVER, &aimed).is_empty(), "{aimed}");
    }
    assert!(ok.contains("rport=5060"));
}

#[test]
fn cancel_and_the_ack_for_a_refusal_follow_their_invite() {
    let mut world = world();
    let branch = |wire: &Wire| wire.values("Via")[0].to_owned();
    let sent = world.passes(udp(ALICE), &invite(""));
    let cancel = world.passes(udp(ALICE), &request("CANCEL", "sip:bob@example.com", "", 1, ""));
    assert_eq!((way(&cancel).1.as_str(), branch(&cancel)), (SERVER, branch(&sent)));
    let refused = world.passes(udp(SERVER), &sent.answer(487, "b1", ""));
    assert!(refused.line().starts_with("SIP/2.0 487 "));
    let ack = request("ACK", "sip:bob@example.com", "b1", 1, "").replace("alice1ACK", "alice1INVITE");
    let ack = world.passes(udp(ALICE), &ack);
    assert_eq!((way(&ack).1.as_str(), branch(&ack)), (SERVER, branch(&sent)));
    assert_eq!(world.transactions.counts().total(), 0);
}

#[test]
fn a_cancel_of_nothing_is_answered_481() {
    let mut world = World::with_bob();
    let told = world.passes(udp(ALICE), &request("CANCEL", "sip:bob@example.com", "", 1, ""));
    assert!(told.line().starts_with("SIP/2.0 481 "), "{}", told.text);
}

#[test]
fn requests_within_its_dialogs_leave_nothing_either() {
    let mut world = world();
    let sent = world.passes(udp(ALICE), &invite(""));
    let told = world.passes(udp(SERVER), &sent.answer(200, "b1", "Contact: <sip:bob@203.0.113.50>\r\n"));
    let bye = request("BYE", "sip:bob@203.0.113.50", "b1", 2, &routes_of_caller(&told));
    let bye = world.passes(udp(ALICE), &bye);
    assert_eq!((way(&bye).1.as_str(), world.transactions.counts().total()), (SERVER, 0));
}

//! Targets that are named: where they are is asked, and one address is tried after the other within a branch (RFC 3263 §4.3).

use std::time::Duration;

use blether_sip_core::SipUri;
use blether_sip_transport::Flow;
use blether_transaction_core::NoTarget;

use super::world::*;
use crate::proxy::Target;

const FIRST: &str = "203.0.113.11:5060";
const SECOND: &str = "203.0.113.12:5070";

fn named(uri: &str) -> Target {
    Target::of_uri(uri.parse::<SipUri>().unwrap())
}

/// A world in which bob is at `partner.example`, which has these addresses.
fn partner(flows: &[Flow]) -> World {
    let mut world = World::new(&[("bob", vec![named("sip:bob@partner.example")])], |_| {});
    world.names.insert("partner.example".to_owned(), Some(flows.to_vec()));
    world
}

fn two() -> World {
    partner(&[udp(FIRST), udp(SECOND)])
}

/// The first of what was sent to a peer.
#[track_caller]
fn to<'a>(sent: &'a [Wire], peer: &str) -> &'a Wire {
    sent.iter().find(|wire| way(wire).1 == peer).unwrap_or_else(|| panic!("nothing to {peer}: {sent:#?}"))
}

fn lines_to<'a>(sent: &'a [Wire], peer: &str) -> Vec<&'a str> {
    sent.iter().filter(|wire| way(wire).1 == peer).map(|wire| &wire.line()[..11]).collect()
}

#[test]
fn a_target_that_says_503_is_followed_by_the_next_and_the_caller_hears_of_one_outcome() {
    let mut world = two();
    let first = world.passes(udp(ALICE), &invite(""));
    assert_eq!((way(&first).1.as_str(), first.line()), (FIRST, "INVITE sip:bob@partner.example SIP/2.0"));
    world.receives_from(FIRST, &first.answer(180, "b1", ""));
    let sent = world.receives_from(FIRST, &first.answer(503, "b1", ""));
    assert!(lines_to(&sent, ALICE).is_empty(), "{sent:#?}");
    let second = to(&sent, SECOND).clone();
    // Another branch with the same mark (§16.6 step 8), and all else as before.
    let branches = [&first, &second].map(|wire| wire.values("Via")[0].split("branch=").nth(1).unwrap().to_owned());
    let marks = branches.clone().map(|branch| branch.split('.').nth(1).unwrap().to_owned());
    assert!(branches[0] != branches[1] && marks[0] == marks[1], "{branches:?}");
    // Each has a token of its own: that names the hosts of both ends.
    let ours =
        [&first, &second].map(|wire| wire.values("Record-Route")[0].split_once('@').map(|(_, ours)| ours.to_owned()));
    assert_eq!((&ours[0], first.values("Record-Route").len()), (&ours[1], second.values("Record-Route").len()));
    assert_ne!(first.values("Record-Route"), second.values("Record-Route"));
    let sent = world.receives_from(SECOND, &second.answer(404, "b2", ""));
    assert_eq!((lines_to(&sent, SECOND), lines_to(&sent, ALICE)), (vec!["ACK sip:bob"], vec!["SIP/2.0 404"]));
    world.ends_empty();
}

#[test]
fn a_target_that_refuses_the_connection_is_followed_by_the_next_whose_record_route_fits_its_way_rfc_5658_5() {
    let first = Flow { connection: None, ..tcp(FIRST, 1) };
    let mut world = partner(&[first, udp(SECOND)]);
    world.refuses(first);
    let second = world.passes(udp(ALICE), &invite(""));
    assert_eq!((way(&second).1.as_str(), second.values("Record-Route").len()), (SECOND, 1), "{}", second.text);
    // The other way round, it goes on by TCP, and has one Record-Route for each side.
    let mut world = partner(&[udp(FIRST), Flow { connection: None, ..tcp(SECOND, 1) }]);
    let first = world.passes(udp(ALICE), &invite(""));
    let sent = world.receives_from(FIRST, &first.answer(503, "b1", ""));
    let second = to(&sent, SECOND);
    let [outer, inner] = &second.values("Record-Route")[..] else { panic!("{}", second.text) };
    assert!(
        outer.ends_with("@192.0.2.1:5060;transport=tcp;lr>") && inner.ends_with("@192.0.2.1:5060;lr>"),
        "{outer} {inner}"
    );
    assert_eq!(second.values("Via").len(), 2);
    assert!(second.values("Via")[0].starts_with("SIP/2.0/TCP "));
}

#[test]
fn a_silent_target_is_followed_by_the_next_and_passed_over_by_the_next_call() {
    let mut world = two();
    world.passes(udp(ALICE), &invite(""));
    let sent = world.after(Duration::from_secs(32));
    assert!(lines_to(&sent, ALICE).iter().all(|line| *line == "SIP/2.0 100"), "{sent:#?}");
    let second = to(&sent, SECOND).clone();
    let sent = world.receives_from(SECOND, &second.answer(200, "b2", "Contact: <sip:bob@partner.example>\r\n"));
    assert_eq!(lines_to(&sent, ALICE), ["SIP/2.0 200"]);
    let next = world.passes(udp(ALICE), &invite("").replace("call-1", "call-2").replace("Kalice1", "Kalice2"));
    assert_eq!(way(&next).1, SECOND);
}

#[test]
fn when_every_target_has_failed_the_caller_hears_it_once() {
    let mut world = two();
    let first = world.passes(udp(ALICE), &invite(""));
    let sent = world.receives_from(FIRST, &first.answer(503, "b1", ""));
    let second = to(&sent, SECOND).clone();
    let sent = world.receives_from(SECOND, &second.answer(503, "b2", ""));
    // It speaks of one hop (§16.7 step 6).
    assert_eq!(lines_to(&sent, ALICE), ["SIP/2.0 500"]);
    world.ends_empty();
}

#[test]
fn a_cancel_reaches_the_target_in_use_and_no_other_is_tried_rfc_3261_16_10() {
    let cancel = request("CANCEL", "sip:bob@example.com", "", 1, "");
    let mut world = two();
    let first = world.passes(udp(ALICE), &invite(""));
    let sent = world.receives_from(FIRST, &first.answer(503, "b1", ""));
    let second = to(&sent, SECOND).clone();
    world.receives_from(SECOND, &second.answer(180, "b2", ""));
    let sent = world.receives_from(ALICE, &cancel);
    assert_eq!((lines_to(&sent, FIRST), lines_to(&sent, SECOND)), (vec![], vec!["CANCEL sip:"]), "{sent:#?}");
    let sent = world.receives_from(SECOND, &second.answer(487, "b2", ""));
    assert_eq!(lines_to(&sent, ALICE), ["SIP/2.0 487"]);
    world.ends_empty();
    // The one in use fails after the CANCEL: that is all.
    let mut world = two();
    let first = world.passes(udp(ALICE), &invite(""));
    world.receives_from(FIRST, &first.answer(180, "b1", ""));
    world.receives_from(ALICE, &cancel);
    let sent = world.receives_from(FIRST, &first.answer(503, "b1", ""));
    assert!(lines_to(&sent, SECOND).is_empty(), "{sent:#?}");
    assert_eq!(lines_to(&sent, ALICE), ["SIP/2.0 500"]);
    world.ends_empty();
}

#[test]
fn what_is_cancelled_while_its_target_is_asked_for_goes_nowhere_and_the_caller_hears_487() {
    let mut world = two();
    world.names.insert("partner.example".to_owned(), None);
    assert!(world.receives_from(ALICE, &invite("")).is_empty());
    let sent = world.receives_from(ALICE, &request("CANCEL", "sip:bob@example.com", "", 1, ""));
    assert_eq!(lines_to(&sent, ALICE), ["SIP/2.0 200", "SIP/2.0 487"]);
    assert!(world.locates(Ok(&[udp(FIRST)])).is_empty());
    world.ends_empty();
}

#[test]
fn timer_c_cancels_the_target_in_use_and_is_its_own_rfc_3261_16_8() {
    let ring = |table: &mut Table| table.ring_for = Duration::from_secs(1_000);
    let mut world = World::new(&[("bob", vec![named("sip:bob@partner.example")])], ring);
    world.names.insert("partner.example".to_owned(), Some(vec![udp(FIRST), udp(SECOND)]));
    let first = world.passes(udp(ALICE), &invite(""));
    world.after(Duration::from_secs(1));
    world.receives_from(FIRST, &first.answer(180, "b1", ""));
    world.after(Duration::from_secs(100));
    let sent = world.receives_from(FIRST, &first.answer(503, "b1", ""));
    let second = to(&sent, SECOND).clone();
    world.receives_from(SECOND, &second.answer(100, "", ""));
    let sent = world.after(Duration::from_secs(180));
    assert!(sent.is_empty(), "{sent:#?}");
    let sent = world.after(Duration::from_secs(2));
    assert_eq!((lines_to(&sent, FIRST), lines_to(&sent, SECOND)), (vec![], vec!["CANCEL sip:", "CANCEL sip:"]));
    let sent = world.receives_from(SECOND, &second.answer(487, "b2", ""));
    assert_eq!(lines_to(&sent, ALICE), ["SIP/2.0 408"]);
}

#[test]
fn a_name_that_leads_nowhere_is_a_502_and_one_that_nobody_answers_for_a_504() {
    for (located, expected) in [
        (Err(NoTarget::NoAddress), "SIP/2.0 502"),
        (Err(NoTarget::Unanswered), "SIP/2.0 504"),
        (Ok(&[][..]), "SIP/2.0 502"),
    ] {
        let mut world = two();
        world.names.insert("partner.example".to_owned(), None);
        world.receives_from(ALICE, &invite(""));
        assert_eq!(lines_to(&world.locates(located), ALICE), [expected]);
        world.ends_empty();
    }
    // Nobody says anything at all.
    let mut world = two();
    world.names.insert("partner.example".to_owned(), None);
    world.receives_from(ALICE, &invite(""));
    let sent = world.after(Duration::from_secs(33));
    assert_eq!(lines_to(&sent, ALICE).last(), Some(&"SIP/2.0 504"));
}

#[test]
fn the_next_proxy_may_be_named_and_the_request_uri_stays() {
    let proxy = Target {
        route: vec!["sip:edge.example;transport=tcp;lr".parse().unwrap()],
        ..named("sip:bob@partner.example")
    };
    let mut world = World::new(&[("bob", vec![proxy])], |_| {});
    let edge = Flow { connection: None, ..tcp(FIRST, 1) };
    world.names.insert("edge.example over TCP".to_owned(), Some(vec![edge]));
    let sent = world.passes(udp(ALICE), &invite(""));
    assert_eq!((sent.flow, sent.line()), (edge, "INVITE sip:bob@partner.example SIP/2.0"));
    assert_eq!(sent.values("Route"), ["<sip:edge.example;transport=tcp;lr>"]);
}

#[test]
fn within_a_dialog_ack_and_bye_find_a_callee_that_is_named() {
    let mut world = two();
    let got = world.passes(udp(ALICE), &invite(""));
    let told = world.passes(udp(FIRST), &got.answer(200, "b1", "Contact: <sip:bob@pbx.partner.example>\r\n"));
    assert_eq!(told.line(), "SIP/2.0 200 OK");
    world.names.insert("pbx.partner.example".to_owned(), Some(vec![udp(SECOND), udp(FIRST)]));
    let routes = routes_of_caller(&told);
    let ack = world.passes(udp(ALICE), &request("ACK", "sip:bob@pbx.partner.example", "b1", 1, &routes));
    assert_eq!((way(&ack).1.as_str(), ack.line()), (SECOND, "ACK sip:bob@pbx.partner.example SIP/2.0"));
    assert!(ack.values("Route").is_empty() && ack.values("Record-Route").is_empty());
    let bye = world.passes(udp(ALICE), &request("BYE", "sip:bob@pbx.partner.example", "b1", 2, &routes));
    assert_eq!(way(&bye).1, SECOND);
    let sent = world.receives_from(SECOND, &bye.answer(503, "b1", ""));
    let bye = to(&sent, FIRST).clone();
    let sent = world.receives_from(FIRST, &bye.answer(200, "b1", ""));
    assert_eq!(lines_to(&sent, ALICE), ["SIP/2.0 200"]);
    world.ends_empty();
}

#[test]
fn without_state_nothing_goes_to_a_name() {
    let mut world = World::new(&[("bob", vec![named("sip:bob@partner.example")])], |table| table.stateless = true);
    let refused = world.passes(udp(ALICE), &invite(""));
    assert_eq!(refused.line(), "SIP/2.0 502 Next Hop Has A Name");
    world.ends_empty();
}

//! What is forwarded, and what is not (RFC 3261 §16.3 to §16.6).

use blether_sip_transport::Transport;

use super::world::*;
use crate::proxy::Target;

fn to_self(user: &str) -> Target {
    Target::of_uri(format!("sip:{user}@{HERE}").parse::<blether_sip_core::SipUri>().unwrap())
}

#[test]
fn a_copy_goes_on_with_what_16_6_changes_and_the_rest_as_it_came() {
    let mut world = World::with_bob();
    let sent = world.passes(udp(ALICE), &invite("Max-Forwards: 70\r\nSubject: Hello,\r\n there\r\n"));
    assert_eq!(way(&sent), (Transport::Udp, BOB.to_owned()));
    assert_eq!(sent.line(), "INVITE sip:bob@10.0.0.5:40001 SIP/2.0");
    assert_eq!((sent.values("Max-Forwards"), sent.values("Max-Breadth")), (vec!["69"], vec!["60"]));
    let vias = sent.values("Via");
    assert!(
        vias[0].starts_with("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK") && vias[0].ends_with(";rport"),
        "{vias:?}"
    );
    assert!(vias[1].contains("branch=z9hG4bKalice1INVITE") && vias[1].contains("rport=5060"), "{vias:?}");
    let [record] = &sent.values("Record-Route")[..] else { panic!("{}", sent.text) };
    assert!(record.starts_with("<sip:") && record.ends_with("@192.0.2.1:5060;lr>"), "{record}");
    assert!(
        sent.text.contains("\r\nX-Odd :  as it   came\r\n") && sent.text.contains("\r\nSubject: Hello,\r\n there\r\n")
    );
    world.ends_empty();
}

#[test]
fn a_request_without_max_forwards_gets_70_rfc_3261_16_6_step_3() {
    let sent = World::with_bob().passes(udp(ALICE), &invite(""));
    assert_eq!(sent.values("Max-Forwards"), ["70"]);
}

#[test]
fn a_request_that_fails_the_checks_is_refused_and_forgotten_rfc_3261_16_3() {
    for (headers, expected) in [
        ("Max-Forwards: 0\r\n", "SIP/2.0 483 "),
        ("Max-Forwards: many\r\n", "SIP/2.0 400 "),
        ("Proxy-Require: foo\r\nProxy-Require: bar\r\n", "SIP/2.0 420 "),
        ("Max-Breadth: 0\r\n", "SIP/2.0 440 "),
        ("Route: <sip:@@>\r\n", "SIP/2.0 400 "),
    ] {
        let mut world = World::with_bob();
        let sent = world.passes(udp(ALICE), &invite(headers));
        assert!(sent.line().starts_with(expected), "{headers}: {}", sent.text);
        if expected.contains("420") {
            assert_eq!(sent.values("Unsupported").join(", "), "foo, bar");
        }
        world.ends_empty();
    }
}

#[test]
fn what_is_no_matter_of_the_proxy_is_left_to_others() {
    let mut world = World::with_bob();
    for text in [
        request("INVITE", "sip:carol@example.com", "", 1, ""),
        request("BYE", "sip:bob@example.com", "tag-of-a-call-that-ends-here", 2, ""),
        request("ACK", "sip:bob@example.com", "tag-of-a-call-that-ends-here", 3, ""),
        // A Route to us that we have not made means no more than that the request is for us.
        request("OPTIONS", "sip:192.0.2.1", "", 4, "Route: <sip:192.0.2.1;lr>\r\n"),
    ] {
        assert!(world.receives_from(ALICE, &text).is_empty(), "{text}");
    }
    assert_eq!(world.left, ["INVITE", "BYE", "ACK", "OPTIONS"]);
}

#[test]
fn a_route_that_names_us_is_taken_off_rfc_3261_16_4() {
    for route in ["<sip:192.0.2.1;lr>", "<sip:192.0.2.1:5060;lr;transport=udp>", "<sip:example.com;lr>"] {
        let sent = World::with_bob().passes(udp(ALICE), &invite(&format!("Route: {route}\r\n")));
        assert!(sent.values("Route").is_empty() && sent.line().starts_with("INVITE"), "{}", sent.text);
    }
}

#[test]
fn a_maddr_that_is_us_is_taken_off_rfc_3261_16_4() {
    let text = request("INVITE", "sip:bob@example.com:5060;maddr=192.0.2.1", "", 1, "");
    let sent = World::with_bob().passes(udp(ALICE), &text);
    assert_eq!(sent.line(), "INVITE sip:bob@10.0.0.5:40001 SIP/2.0");
}

#[test]
fn a_request_that_comes_back_unchanged_loops_rfc_5393_4_2_2() {
    let mut world = World::new(
        &[(
            "bob",
            vec![Target::of_uri("sip:bob@example.com;maddr=192.0.2.1".parse::<blether_sip_core::SipUri>().unwrap())],
        )],
        |_| {},
    );
    let first = world.passes(udp(ALICE), &request("INVITE", "sip:bob@example.com;maddr=192.0.2.1", "", 1, ""));
    assert_eq!(way(&first), (Transport::Udp, HERE.to_owned()));
    let refused = world.passes(udp(HERE), &first.text);
    assert!(refused.line().starts_with("SIP/2.0 482 "), "{}", refused.text);
    // To the transaction that had sent it, which acknowledges it and tells the caller.
    let told = world.receives(udp(HERE), &refused.text);
    assert!(told.iter().any(|wire| wire.line().starts_with("ACK ")), "{told:#?}");
    assert!(told.iter().any(|wire| wire.line().starts_with("SIP/2.0 482 ") && wire.flow.remote.to_string() == ALICE));
}

#[test]
fn a_request_that_comes_back_for_somebody_else_spirals_rfc_5393_4_2_2() {
    let mut world = World::new(&[("sales", vec![to_self("bob")]), ("bob", vec![phone(udp(BOB), 1_000)])], |_| {});
    let text = request("INVITE", "sip:sales@example.com", "", 1, "Max-Forwards: 70\r\n");
    let first = world.passes(udp(ALICE), &text);
    let second = world.passes(udp(HERE), &first.text);
    assert_eq!((way(&second).1.as_str(), second.values("Max-Forwards")), (BOB, vec!["68"]));
    let ok = second.answer(200, "b1", "Contact: <sip:bob@10.0.0.5:40001>\r\n");
    let once = world.passes(udp(BOB), &ok);
    assert_eq!(way(&once).1, HERE);
    let twice = world.passes(udp(HERE), &once.text);
    assert_eq!((way(&twice).1.as_str(), twice.values("Via").len()), (ALICE, 1));
    // The request within the dialog has both of our Record-Routes taken off at once, and goes by the flow of the phone.
    let bye = request("BYE", "sip:bob@10.0.0.5:40001", "b1", 2, &routes_of_caller(&twice));
    let bye = world.passes(udp(ALICE), &bye);
    assert_eq!((way(&bye).1.as_str(), bye.values("Route").len()), (BOB, 0));
}

#[test]
fn credentials_for_others_are_passed_on_and_ours_are_not_rfc_3261_22_3() {
    let credentials = |realm: &str| {
        format!(
            "Proxy-Authorization: Digest username=\"alice\", realm=\"{realm}\", nonce=\"n\", uri=\"sip:bob@example.com\", \
             response=\"00000000000000000000000000000000\"\r\n"
        )
    };
    let both = format!("{}{}", credentials("elsewhere"), credentials("blether"));
    let sent = World::with_bob().passes(udp(ALICE), &invite(&both));
    let [passed] = &sent.values("Proxy-Authorization")[..] else { panic!("{}", sent.text) };
    assert!(passed.contains("realm=\"elsewhere\""), "{passed}");
}

#[test]
fn headers_of_a_contact_do_not_stand_in_a_request_uri_rfc_3261_19_1_1() {
    let contact = "sip:bob@203.0.113.1:40001;method=MESSAGE;x=1?Subject=x".parse::<blether_sip_core::SipUri>().unwrap();
    let sent = World::new(&[("bob", vec![Target::of_uri(contact)])], |_| {}).passes(udp(ALICE), &invite(""));
    assert_eq!(sent.line(), "INVITE sip:bob@203.0.113.1:40001;x=1 SIP/2.0");
}

#[test]
fn a_target_without_a_way_counts_as_one_that_has_refused() {
    let named = Target::of_uri("sip:bob@no-such-host.example".parse::<blether_sip_core::SipUri>().unwrap());
    let mut world = World::new(&[("bob", vec![named.clone(), phone(udp(BOB), 500)]), ("carol", vec![named])], |_| {});
    assert_eq!(way(&world.passes(udp(ALICE), &invite(""))).1, BOB);
    let refused = world.passes(udp(ALICE), &request("MESSAGE", "sip:carol@example.com", "", 5, ""));
    assert!(refused.line().starts_with("SIP/2.0 502 "), "{}", refused.text);
}

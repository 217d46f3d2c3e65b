//! Requests within a dialog that our Record-Route leads here (RFC 3261 §16.4, §16.12, RFC 5626 §5.3, RFC 5658).

use std::io::ErrorKind;

use blether_sip_transport::{ConnectionId, Flow, Transport};

use super::world::*;

/// A call of alice's that is up: what bob got, and what alice got.
fn call(world: &mut World, caller: Flow, callee: Flow, invite: &str) -> (Wire, Wire) {
    let got = world.passes(caller, invite);
    let ok = got.answer(200, "b1", &format!("Contact: <sip:bob@10.0.0.5:{}>\r\n", callee.remote.port()));
    let told = world.passes(callee, &ok);
    assert!(told.line().starts_with("SIP/2.0 200 "), "{}", told.text);
    (got, told)
}

/// A request of bob's to alice within the dialog.
fn from_bob(method: &str, uri: &str, routes: &str) -> String {
    request(method, uri, "", 9, routes).replace(
        "From: <sip:alice@example.com>;tag=a1\r\nTo: <sip:bob@example.com>",
        "From: <sip:bob@example.com>;tag=b1\r\nTo: <sip:alice@example.com>;tag=a1",
    )
}

#[test]
fn requests_within_a_dialog_reach_both_ends_though_one_is_behind_a_nat_rfc_5626_5_3() {
    let mut world = World::with_bob();
    let (got, told) = call(&mut world, udp(ALICE), udp(BOB), &invite(""));
    let routes = routes_of_caller(&told);
    for method in ["ACK", "INFO", "BYE"] {
        let passed = world.passes(udp(ALICE), &request(method, "sip:bob@10.0.0.5:40001", "b1", 2, &routes));
        assert_eq!((way(&passed).1.as_str(), passed.values("Route").len()), (BOB, 0), "{method}");
        assert!(passed.line().starts_with(&format!("{method} sip:bob@10.0.0.5:40001 ")));
        assert!(passed.values("Record-Route").is_empty(), "the route set stands");
    }
    let passed = world.passes(udp(BOB), &from_bob("BYE", "sip:alice@198.51.100.1:5060", &routes_of_callee(&got)));
    assert_eq!((way(&passed).1.as_str(), passed.values("Route").len()), (ALICE, 0));
    world.ends_empty();
}

#[test]
fn a_caller_behind_a_nat_is_reached_by_the_flow_of_its_invite_rfc_5626_5_3_2() {
    let nat = "198.51.100.77:61234";
    let private = invite("").replace("Contact: <sip:alice@198.51.100.1:5060>", "Contact: <sip:alice@10.9.9.9:5060>");
    let mut world = World::with_bob();
    let (got, _) = call(&mut world, udp(nat), udp(BOB), &private);
    let passed = world.passes(udp(BOB), &from_bob("BYE", "sip:alice@10.9.9.9:5060", &routes_of_callee(&got)));
    assert_eq!(way(&passed).1, nat);
    // Behind another proxy its own URIs say where it is.
    let behind = private.replace("Via: ", "Via: SIP/2.0/UDP 198.51.100.77;branch=z9hG4bKp;rport\r\nVia: ");
    let behind = behind.replace("X-Odd", "Record-Route: <sip:198.51.100.77;lr>\r\nX-Odd");
    let mut world = World::with_bob();
    let (got, _) = call(&mut world, udp(nat), udp(BOB), &behind);
    let routes = routes_of_callee(&got);
    let passed = world.passes(udp(BOB), &from_bob("BYE", "sip:alice@10.9.9.9:5060", &routes));
    assert_eq!(
        (way(&passed).1.as_str(), passed.values("Route")),
        ("198.51.100.77:5060", vec!["<sip:198.51.100.77;lr>"])
    );
}

#[test]
fn both_sides_get_a_record_route_that_they_can_reach_rfc_5658() {
    let by_tcp = tcp(BOB, 3);
    let mut world = World::new(&[("bob", vec![phone(by_tcp, 1_000)])], |_| {});
    let (got, told) = call(&mut world, udp(ALICE), by_tcp, &invite(""));
    assert_eq!(way(&got), (Transport::Tcp, BOB.to_owned()));
    let ends: Vec<_> = got.values("Record-Route").iter().map(|uri| uri.split_once('@').unwrap().1).collect();
    assert_eq!(ends, ["192.0.2.1:5060;transport=tcp;lr>", "192.0.2.1:5060;lr>"], "that of the callee's side on top");
    let bye = request("BYE", "sip:bob@10.0.0.5:40001", "b1", 2, &routes_of_caller(&told));
    let bye = world.passes(udp(ALICE), &bye);
    // By that connection, and by no other when it is gone: nobody listens at the port that it was opened from (RFC 5626 §5.3.1).
    let alone = Flow { connection: by_tcp.connection.map(ConnectionId::alone), ..by_tcp };
    assert_eq!((bye.flow, bye.values("Route").len()), (alone, 0));
    let bye = world.passes(by_tcp, &from_bob("BYE", "sip:alice@198.51.100.1:5060", &routes_of_callee(&got)));
    assert_eq!(way(&bye), (Transport::Udp, ALICE.to_owned()));
}

#[test]
fn a_request_of_a_strict_router_is_put_right_rfc_3261_16_4() {
    let mut world = World::with_bob();
    let (_, told) = call(&mut world, udp(ALICE), udp(BOB), &invite(""));
    let ours = told.values("Record-Route")[0].trim_matches(['<', '>']).to_owned();
    let bye = request("BYE", &ours, "b1", 2, "Route: <sip:bob@10.0.0.5:40001>\r\n");
    let passed = world.passes(udp(ALICE), &bye);
    assert_eq!((passed.line(), way(&passed).1.as_str()), ("BYE sip:bob@10.0.0.5:40001 SIP/2.0", BOB));
    assert!(passed.values("Route").is_empty());
}

#[test]
fn a_request_to_a_strict_router_is_made_as_it_wants_it_rfc_3261_16_6_step_6() {
    let mut world = World::with_bob();
    let (_, told) = call(&mut world, udp(ALICE), udp(BOB), &invite(""));
    let routes = format!("{}Route: <sip:198.51.100.20>\r\nRoute: <sip:198.51.100.21;lr>\r\n", routes_of_caller(&told));
    let passed = world.passes(udp(ALICE), &request("BYE", "sip:bob@10.0.0.5:40001", "b1", 2, &routes));
    assert_eq!(passed.line(), "BYE sip:198.51.100.20 SIP/2.0");
    assert_eq!(passed.values("Route"), ["<sip:198.51.100.21;lr>", "<sip:bob@10.0.0.5:40001>"]);
}

#[test]
fn a_flow_token_of_another_call_leads_nowhere_rfc_5626_5_3_1() {
    let mut world = World::with_bob();
    let (_, told) = call(&mut world, udp(ALICE), udp(BOB), &invite(""));
    let bye = request("BYE", "sip:bob@10.0.0.5:40001", "b1", 2, &routes_of_caller(&told));
    // Nor does one in a request that is of no dialog: a route set is for that alone (RFC 3261 §16.6 step 4).
    for other in [bye.replace("Call-ID: call-1", "Call-ID: call-2"), bye.replace(";tag=b1", "")] {
        let sent = world.passes(udp("192.0.2.66:5060"), &other);
        assert!(sent.line().starts_with("SIP/2.0 403 "), "{}", sent.text);
    }
}

#[test]
fn a_flow_that_is_gone_is_told_within_the_dialog_as_430_rfc_5626_5_3_1() {
    let by_tcp = tcp(BOB, 3);
    let mut world = World::new(&[("bob", vec![phone(by_tcp, 1_000)])], |_| {});
    let (_, told) = call(&mut world, udp(ALICE), by_tcp, &invite(""));
    let bye = request("BYE", "sip:bob@10.0.0.5:40001", "b1", 2, &routes_of_caller(&told));
    world.transactions.handle_datagram(world.now, udp(ALICE), bye.into_bytes().into());
    let event = world.transactions.poll_event().unwrap();
    blether_transaction_core::Interceptor::on_event(&mut world.proxy, world.now, event, &mut world.transactions);
    let transmit = world.transactions.poll_transmit().unwrap();
    world.transactions.sent_by(transmit.id, ConnectionId::new(3));
    world.transactions.handle_closed(world.now, ConnectionId::new(3), ErrorKind::ConnectionReset);
    let told = world.settle();
    assert!(told.iter().any(|wire| wire.line().starts_with("SIP/2.0 430 ")), "{told:#?}");
}

#[test]
fn an_ack_is_forwarded_each_time_without_a_transaction_rfc_3261_16_6() {
    let mut world = World::with_bob();
    let (_, told) = call(&mut world, udp(ALICE), udp(BOB), &invite(""));
    let ack = request("ACK", "sip:bob@10.0.0.5:40001", "b1", 1, &routes_of_caller(&told));
    let before = world.transactions.counts();
    let (one, two) = (world.passes(udp(ALICE), &ack), world.passes(udp(ALICE), &ack));
    assert_ne!(one.values("Via")[0], two.values("Via")[0]);
    assert!(one.values("Max-Breadth").is_empty() && one.values("Max-Forwards") == ["70"]);
    assert_eq!(world.transactions.counts(), before);
}

#[test]
fn credentials_for_us_reach_nobody_within_a_dialog_either_rfc_3261_22_3() {
    let credentials = |header: &str, nonce: &str| {
        format!(
            "{header}: Digest username=\"alice\", realm=\"blether\", nonce=\"{nonce}\", uri=\"sip:bob@10.0.0.5\", \
             response=\"00000000000000000000000000000000\"\r\n"
        )
    };
    // Servers of one name may stand one behind the other: what the next has asked for is for that.
    let of = |header| format!("{}{}", credentials(header, "ours"), credentials(header, "of-the-next"));
    let all = format!("{}{}", of("Proxy-Authorization"), of("Authorization"));
    let mut world = World::with_bob();
    let (_, told) = call(&mut world, udp(ALICE), udp(BOB), &invite(""));
    let routes = routes_of_caller(&told);
    for method in ["ACK", "INVITE", "BYE"] {
        let passed = world.passes(udp(ALICE), &request(method, "sip:bob@10.0.0.5", "b1", 2, &format!("{routes}{all}")));
        assert_eq!(way(&passed).1, BOB);
        for header in ["Proxy-Authorization", "Authorization"] {
            let [left] = &passed.values(header)[..] else { panic!("{}", passed.text) };
            assert!(left.contains("of-the-next"), "{method}: {left}");
        }
    }
    // Nor does what a phone sends unasked outside of one, to whom nobody was asked for.
    let passed = world.passes(udp(ALICE), &request("MESSAGE", "sip:bob@example.com", "", 5, &of("Authorization")));
    assert_eq!(passed.values("Authorization").len(), 1, "{}", passed.text);
}

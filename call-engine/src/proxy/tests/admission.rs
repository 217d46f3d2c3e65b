//! Who may send by a flow token: it stands in the clear in each message of its dialog, and is no leave to have anything sent anywhere.

use std::time::Duration;

use super::world::*;
use crate::proxy::Target;

const SERVER: &str = "203.0.113.50:5060";
const STRANGER: &str = "192.0.2.66:5060";

/// A call of alice's to a server is up; by its URIs alone requests of hers go on. With her route set.
fn call(server: &str, change: impl FnOnce(&mut Table)) -> (World, String, String) {
    let target = Target::of_uri(format!("sip:bob@{server}").parse::<blether_sip_core::SipUri>().unwrap());
    let mut world = World::new(&[("bob", vec![target])], change);
    let got = world.passes(udp(ALICE), &invite(""));
    assert_eq!(way(&got).1, server);
    let told = world.passes(got.flow, &got.answer(200, "b1", &format!("Contact: <sip:bob@{server}>\r\n")));
    (world, routes_of_caller(&told), routes_of_callee(&got))
}

const CREDENTIALS: &str = "Proxy-Authorization: Digest username=\"alice\",realm=\"blether\",nonce=\"n\",uri=\"sip:b\",response=\"00000000000000000000000000000000\"\r\n";

#[test]
fn who_sends_from_elsewhere_than_the_ends_has_to_prove_an_account_or_is_refused() {
    for stateless in [false, true] {
        let (mut world, routes, _) = call(SERVER, |table| table.stateless = stateless);
        for uri in ["sip:bob@203.0.113.50", "sip:x@10.0.0.5"] {
            let told = world.passes(udp(STRANGER), &request("MESSAGE", uri, "b1", 2, &routes));
            assert_eq!((told.line(), way(&told).1.as_str()), ("SIP/2.0 407 Proxy Authentication Required", STRANGER));
        }
        // A phone that has another address now.
        let bye = request("BYE", "sip:bob@203.0.113.50", "b1", 3, &format!("{routes}{CREDENTIALS}"));
        assert_eq!(way(&world.passes(udp("192.0.2.77:5060"), &bye)).1, SERVER);

        let (mut world, routes, _) = call(SERVER, |table| (table.stateless, table.open) = (stateless, true));
        for headers in [routes.clone(), format!("{routes}{CREDENTIALS}")] {
            let told = world.passes(udp(STRANGER), &request("MESSAGE", "sip:x@10.0.0.5", "b1", 2, &headers));
            assert_eq!(told.line(), "SIP/2.0 403 Not Of This Dialog");
        }
    }
}

#[test]
fn a_token_that_is_too_old_is_none() {
    let day = Duration::from_secs(86_400);
    let (mut world, routes, _) = call(SERVER, |_| {});
    world.after(6 * day);
    let info = |cseq| request("INFO", "sip:bob@203.0.113.50", "b1", cseq, &routes);
    assert_eq!(way(&world.passes(udp(ALICE), &info(2))).1, SERVER);
    world.after(2 * day);
    assert!(world.passes(udp(ALICE), &info(3)).line().starts_with("SIP/2.0 407 "));
}

#[test]
fn an_ack_from_elsewhere_goes_to_nobody_but_the_other_end() {
    let (mut world, routes, _) = call(SERVER, |_| {});
    let ack = |uri: &str| request("ACK", uri, "b1", 1, &routes);
    assert_eq!(way(&world.passes(udp(STRANGER), &ack("sip:bob@203.0.113.50"))).1, SERVER);
    assert!(world.receives_from(STRANGER, &ack("sip:bob@10.0.0.5")).is_empty());
    let (mut world, routes, _) = call(SERVER, |table| table.open = true);
    assert!(world.receives_from(STRANGER, &request("ACK", "sip:bob@203.0.113.50", "b1", 1, &routes)).is_empty());
}

#[test]
fn no_uri_that_comes_from_elsewhere_leads_into_this_machine() {
    let (mut world, routes, _) = call(SERVER, |_| {});
    for uri in [
        "sip:x@127.0.0.1:5080",
        "sip:x@127.9.9.9",
        "sip:x@[::1]",
        "sip:x@[::ffff:127.0.0.1]",
        "sip:x@localhost",
        "sip:x@a.LocalHost.",
        "sip:x@203.0.113.50;maddr=127.0.0.1",
    ] {
        let told = world.passes(udp(ALICE), &request("MESSAGE", uri, "b1", 2, &routes));
        assert_eq!(told.line(), "SIP/2.0 403 Not Of This Dialog", "{uri}");
        assert!(world.receives_from(ALICE, &request("ACK", uri, "b1", 1, &routes)).is_empty(), "{uri}");
    }
    let routed = format!("{routes}Route: <sip:127.0.0.1;lr>\r\n");
    let told = world.passes(udp(ALICE), &request("MESSAGE", "sip:bob@203.0.113.50", "b1", 3, &routed));
    assert_eq!(told.line(), "SIP/2.0 403 Not Of This Dialog");
}

#[test]
fn a_server_on_this_machine_is_reached_within_its_calls_at_the_port_that_took_them_and_at_no_other() {
    let inside = "127.0.0.1:5070";
    let (mut world, routes, of_server) = call(inside, |_| {});
    for uri in ["sip:bob@127.0.0.1:5070", "sip:bob@127.0.0.1:22"] {
        assert_eq!(way(&world.passes(udp(ALICE), &request("ACK", uri, "b1", 1, &routes))).1, inside, "{uri}");
    }
    let bye = request("BYE", "sip:alice@198.51.100.1:5060", "", 9, &of_server).replace(
        "From: <sip:alice@example.com>;tag=a1\r\nTo: <sip:bob@example.com>",
        "From: <sip:bob@example.com>;tag=b1\r\nTo: <sip:alice@example.com>;tag=a1",
    );
    assert_eq!(way(&world.passes(udp(inside), &bye)).1, ALICE);
}

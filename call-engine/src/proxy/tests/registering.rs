//! Phones that register elsewhere, through us (RFC 3327, RFC 5626 §5).

use super::world::*;
use crate::counted::Counted;
use crate::proxy::Target;

const REGISTRAR: &str = "203.0.113.50:5060";

fn world() -> World {
    let registrar = Target::of_uri(format!("sip:{REGISTRAR}").parse::<blether_sip_core::SipUri>().unwrap());
    World::new(&[("registrar", vec![registrar])], |_| {})
}

fn register(headers: &str) -> String {
    request("REGISTER", "sip:registrar@example.com", "", 1, headers)
}

#[test]
fn a_register_gets_our_path_and_what_comes_by_it_goes_to_the_phone_rfc_5626_5_1() {
    let nat = "198.51.100.77:61234";
    let mut world = world();
    let passed = world.passes(udp(nat), &register("Supported: path, outbound\r\n"));
    assert_eq!(way(&passed).1, REGISTRAR);
    let [path] = &passed.values("Path")[..] else { panic!("{}", passed.text) };
    assert!(path.ends_with("@192.0.2.1:5060;lr;ob>"), "{path}");
    assert!(passed.values("Record-Route").is_empty());
    // The registrar calls the phone, which is behind a NAT.
    let invite = request("INVITE", "sip:alice@10.9.9.9", "", 7, &format!("Route: {path}\r\n"));
    let got = world.passes(udp(REGISTRAR), &invite);
    assert_eq!((way(&got).1.as_str(), got.values("Route").len(), got.values("Record-Route").len()), (nat, 0, 1));
    // So does what belongs to that dialog.
    let told = world.passes(udp(nat), &got.answer(200, "x", "Contact: <sip:alice@10.9.9.9>\r\n"));
    let bye = world.passes(udp(REGISTRAR), &request("BYE", "sip:alice@10.9.9.9", "x", 8, &routes_of_caller(&told)));
    assert_eq!(way(&bye).1, nat);
}

#[test]
fn who_does_not_know_a_path_gets_none_rfc_3327_5_2() {
    let passed = world().passes(udp(ALICE), &register(""));
    assert!(passed.values("Path").is_empty());
}

#[test]
fn only_the_first_that_a_phone_passes_has_its_flow_rfc_5626_5_1() {
    let behind =
        register("Supported: path\r\n").replacen("Via: ", "Via: SIP/2.0/UDP 198.51.100.2;branch=z9hG4bKp\r\nVia: ", 1);
    let passed = world().passes(udp("198.51.100.2:5060"), &behind);
    assert!(passed.values("Path")[0].ends_with(";lr>"), "{}", passed.text);
}

#[test]
fn what_comes_by_a_path_is_counted_as_that() {
    let (counted, nat) = (Counted::default(), "198.51.100.77:61234");
    let mut world = metrics::with_local_recorder(&counted, world);
    let passed = world.passes(udp(nat), &register("Supported: path\r\n"));
    let route = format!("Route: {}\r\n", passed.values("Path")[0]);
    let got = world.passes(udp(REGISTRAR), &request("INVITE", "sip:alice@10.9.9.9", "", 7, &route));
    let told = world.passes(udp(nat), &got.answer(200, "x", "Contact: <sip:alice@10.9.9.9>\r\n"));
    world.passes(udp(REGISTRAR), &request("BYE", "sip:alice@10.9.9.9", "x", 8, &routes_of_caller(&told)));
    let kinds = ["initial", "path", "in_dialog"];
    assert_eq!(kinds.map(|kind| counted.of("blether_engine_proxy_requests_total", kind)), [1, 1, 1]);
}

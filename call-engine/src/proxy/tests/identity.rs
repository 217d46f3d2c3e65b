//! Who a message says has sent it (RFC 3325).

use super::world::*;

const CLAIMED: &str = "P-Asserted-Identity: <sip:boss@example.com>\r\nP-Preferred-Identity: <sip:boss@example.com>\r\n";

fn asserted(wire: &Wire) -> (usize, usize) {
    (wire.values("P-Asserted-Identity").len(), wire.values("P-Preferred-Identity").len())
}

fn world() -> World {
    World::new(&[("bob", vec![phone(udp(BOB), 1_000)]), ("trunk", vec![phone(udp(GATEWAY_TOO), 1_000)])], |_| {})
}

#[test]
fn an_identity_that_nobody_has_asserted_is_passed_on_in_no_message_rfc_3325_5() {
    let mut world = world();
    let got = world.passes(udp(ALICE), &invite(CLAIMED));
    assert_eq!(asserted(&got), (0, 0));
    let answer = got.answer(200, "b1", &format!("Contact: <sip:bob@10.0.0.5:40001>\r\n{CLAIMED}"));
    let told = world.passes(udp(BOB), &answer);
    assert_eq!(asserted(&told), (0, 0), "of the callee either");
    for (cseq, method) in [(1, "ACK"), (2, "INVITE"), (3, "BYE")] {
        let headers = format!("{}{CLAIMED}", routes_of_caller(&told));
        let passed = world.passes(udp(ALICE), &request(method, "sip:bob@10.0.0.5:40001", "b1", cseq, &headers));
        assert_eq!((way(&passed).1.as_str(), asserted(&passed)), (BOB, (0, 0)), "{method}");
    }
    let mut world = World::new(&[("bob", vec![phone(udp(BOB), 1_000)])], |table| table.stateless = true);
    let got = world.passes(udp(ALICE), &invite(CLAIMED));
    assert_eq!(asserted(&got), (0, 0));
    assert_eq!(asserted(&world.passes(udp(BOB), &got.answer(200, "b1", CLAIMED))), (0, 0));
}

#[test]
fn what_a_server_of_ours_asserts_is_passed_on_to_whom_its_user_lets_know_it_rfc_3325_7() {
    for (user, privacy, expected) in [
        ("bob", "", 1),
        ("bob", "Privacy: none\r\n", 1),
        ("bob", "Privacy: header;id\r\n", 0),
        ("trunk", "Privacy: header;id\r\n", 1),
    ] {
        let claimed = CLAIMED.replace("P-Preferred-Identity: <sip:boss@example.com>\r\n", privacy);
        let text = request("INVITE", &format!("sip:{user}@example.com"), "", 1, &claimed);
        let mut world = world();
        let got = world.passes(udp(GATEWAY), &text);
        assert_eq!(asserted(&got), (expected, 0), "{user} {privacy}");
        // So with who has answered.
        let callee = way(&got).1;
        let told = world.passes(udp(&callee), &got.answer(180, "b1", &claimed));
        assert_eq!(asserted(&told).0, usize::from(callee == GATEWAY_TOO), "{user} {privacy}");
    }
}

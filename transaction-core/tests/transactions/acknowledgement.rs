//! The ACK that the INVITE client transaction sends by itself (RFC 3261 §17.1.1.3).

use blether_transaction_core::Reliability::Unreliable;

use crate::machine::invite_client;

#[test]
fn the_ack_of_a_refusal_is_like_its_invite_with_the_to_of_the_response() {
    let mut run = invite_client(Unreliable);
    run.answer(1, 486);
    let ack = run.last_sent();
    assert!(ack.starts_with("ACK sip:bob@192.0.2.2 SIP/2.0\r\n"), "{ack}");
    for line in [
        "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK776",
        "From: <sip:alice@192.0.2.1>;tag=a",
        "To: <sip:bob@192.0.2.2>;tag=b",
        "Call-ID: 1@192.0.2.1",
        "CSeq: 7 ACK",
        "Content-Length: 0",
    ] {
        assert!(ack.contains(&format!("\r\n{line}\r\n")), "{line} in {ack}");
    }
    assert_eq!(ack.matches("Via:").count(), 1);
    // In one row or in two.
    let routes: Vec<_> = ack.lines().filter_map(|line| line.strip_prefix("Route: ")).collect();
    assert_eq!(routes.join(", "), "<sip:proxy.example;lr>, <sip:second.example;lr>");
}

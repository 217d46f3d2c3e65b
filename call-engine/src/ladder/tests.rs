use super::*;

const PHONE: &str = "192.0.2.10:5060";
const SERVER: &str = "192.0.2.1:5060";
const OTHER: &str = "192.0.2.11:5062";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn message(start: &str, cseq: &str, sdp: bool) -> Bytes {
    let mut text = format!(
        "{start}\r\nVia: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK1\r\nFrom: <sip:100@a>;tag=1\r\nTo: <sip:101@a>\r\n\
         Call-ID: c\r\nCSeq: {cseq}\r\nMax-Forwards: 70\r\n"
    );
    text += if sdp {
        "Content-Type: Application/SDP\r\nContent-Length: 5\r\n\r\nv=0\r\n"
    } else {
        "Content-Length: 0\r\n\r\n"
    };
    Bytes::from(text)
}

fn request(method: &str, sdp: bool) -> Bytes {
    message(&format!("{method} sip:101@a SIP/2.0"), &format!("1 {method}"), sdp)
}

fn response(status: &str, sdp: bool) -> Bytes {
    message(&format!("SIP/2.0 {status}"), "1 INVITE", sdp)
}

fn ladder(messages: &[(u64, &str, &str, Bytes)]) -> Ladder {
    let mut ladder = Ladder::new();
    for (name, text) in [("100", PHONE), ("server", SERVER), ("101", OTHER)] {
        ladder.name(address(text), name);
    }
    for (ms, from, to, bytes) in messages {
        ladder.record(Duration::from_millis(*ms), address(from), address(to), bytes);
    }
    ladder
}

fn call() -> Vec<(u64, &'static str, &'static str, Bytes)> {
    vec![
        (0, PHONE, SERVER, request("INVITE", true)),
        (1, SERVER, PHONE, response("100 Trying", false)),
        (2, SERVER, OTHER, request("INVITE", true)),
        (502, SERVER, OTHER, request("INVITE", true)),
        (1510, OTHER, SERVER, response("200 OK", true)),
        (12_345, PHONE, OTHER, request("BYE", false)),
    ]
}

#[track_caller]
fn check(ladder: &Ladder, expected: &str) {
    let drawn = ladder.to_string();
    // The expected text begins on a line of its own, to keep its columns.
    assert_eq!(Some(drawn.as_str()), expected.strip_prefix('\n'), "drawn:\n{drawn}");
}

#[test]
fn messages_are_arrows_between_lifelines_and_what_is_sent_again_is_dashed() {
    check(
        &ladder(&call()),
        "
      time   100                               server                                101
              │                                   │                                   │
   0.000 s    │──────── INVITE (1) +SDP ─────────►│                                   │
   0.001 s    │◄───── 100 Trying (1 INVITE) ──────│                                   │
   0.002 s    │                                   │──────── INVITE (1) +SDP ─────────►│
   0.502 s    │                                   │╌╌╌╌╌ INVITE (1) +SDP again ╌╌╌╌╌╌►│
   1.510 s    │                                   │◄───── 200 OK (1 INVITE) +SDP ─────│
  12.345 s    │────────────────────────────── BYE (1) ───────────────────────────────►│
6 messages, 1 of them sent again
",
    );
}

#[test]
fn a_narrow_ladder_cuts_labels_and_one_that_is_too_narrow_lists_the_messages() {
    check(
        &ladder(&call()).width(60),
        "
      time   100                 server                  101
              │                     │                     │
   0.000 s    │─ INVITE (1) +SDP ──►│                     │
   0.001 s    │◄─ 100 Trying (1 I… ─│                     │
   0.002 s    │                     │─ INVITE (1) +SDP ──►│
   0.502 s    │                     │╌ INVITE (1) +SDP… ╌►│
   1.510 s    │                     │◄─ 200 OK (1 INVIT… ─│
  12.345 s    │──────────────── BYE (1) ─────────────────►│
6 messages, 1 of them sent again
",
    );
    check(
        &ladder(&call()).width(44),
        "
   0.000 s  100 → server: INVITE (1) +SDP
   0.001 s  server → 100: 100 Trying (1 INV…
   0.002 s  server → 101: INVITE (1) +SDP
   0.502 s  server → 101: INVITE (1) +SDP a…
   1.510 s  101 → server: 200 OK (1 INVITE)…
  12.345 s  100 → 101: BYE (1)
6 messages, 1 of them sent again
",
    );
}

#[test]
fn ascii_draws_the_same_with_no_other_characters() {
    check(
        &ladder(&call()[2..]).width(60).ascii(),
        "
      time   100                 server                  101
              |                     |                     |
   0.002 s    |                     |- INVITE (1) +SDP -->|
   0.502 s    |                     |. INVITE (1) +SDP~ .>|
   1.510 s    |                     |<- 200 OK (1 INVIT~ -|
  12.345 s    |---------------- BYE (1) ----------------->|
4 messages, 1 of them sent again
",
    );
}

#[test]
fn an_arrow_over_a_lifeline_crosses_it() {
    let mut ladder = ladder(&[(0, PHONE, "192.0.2.99:5060", request("OPTIONS", false))]);
    ladder.name(address("192.0.2.99:5060"), "gateway");
    check(
        &ladder,
        "
      time   100                      server                       101                      gateway
              │                          │                          │                          │
   0.000 s    │──────────────────────────┼────── OPTIONS (1) ───────┼─────────────────────────►│
1 message
",
    );
}

#[test]
fn an_address_without_a_name_has_a_column_behind_the_named_ones() {
    let mut ladder = Ladder::new();
    ladder.name(address(SERVER), "server");
    ladder.record(Duration::ZERO, address(PHONE), address(SERVER), &request("REGISTER", false));
    check(
        &ladder,
        "
      time   server                          192.0.2.10:5060
                │                                   │
   0.000 s      │◄────────── REGISTER (1) ──────────│
1 message
",
    );
}

#[test]
fn addresses_of_one_name_share_a_column() {
    let mut ladder = Ladder::new();
    for text in [SERVER, OTHER] {
        ladder.name(address(text), "server");
    }
    ladder.record(Duration::ZERO, address(SERVER), address(OTHER), &request("OPTIONS", false));
    check(
        &ladder,
        "
      time   server
                │
   0.000 s      │ ↺ OPTIONS (1)
1 message
",
    );
}

#[test]
fn messages_are_drawn_in_the_order_of_their_times() {
    let (one, two) = (request("OPTIONS", false), request("BYE", false));
    let in_order = ladder(&[(1, PHONE, SERVER, one.clone()), (2, SERVER, PHONE, two.clone())]);
    let reversed = ladder(&[(2, SERVER, PHONE, two), (1, PHONE, SERVER, one)]);
    assert_eq!(in_order.to_string(), reversed.to_string());
}

#[test]
fn the_same_bytes_the_other_way_are_not_sent_again() {
    let drawn =
        ladder(&[(0, PHONE, SERVER, request("BYE", false)), (1, SERVER, PHONE, request("BYE", false))]).to_string();
    assert!(!drawn.contains("again"), "{drawn}");
}

#[test]
fn what_is_no_sip_is_drawn_with_its_length() {
    let drawn = ladder(&[(0, PHONE, SERVER, Bytes::from_static(b"\x00\x01garbage"))]).to_string();
    assert!(drawn.contains("9 bytes, no SIP"), "{drawn}");
}

#[test]
fn a_reason_phrase_cannot_move_the_cursor() {
    let drawn = ladder(&[(0, SERVER, PHONE, response("486 \u{1b}[2JBusy\u{9b}", false))]).to_string();
    assert!(!drawn.contains(|character: char| character.is_control() && character != '\n'), "{drawn:?}");
}

#[test]
fn no_line_is_wider_than_the_width() {
    let long = response(&format!("200 {}", "very ".repeat(40)), true);
    let mut messages = call();
    messages.extend([(20_000, OTHER, SERVER, long.clone()), (99_999_999, OTHER, OTHER, long)]);
    for width in [0, 1, 10, 30, 50, 51, 52, 53, 60, 80, 100, 300] {
        let text = ladder(&messages).width(width).to_string();
        // The last line counts the messages.
        for line in text.lines().take(text.lines().count() - 1) {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
    }
}

#[test]
fn a_ladder_without_messages_says_so() {
    check(&Ladder::new(), "\n0 messages\n");
    assert!(Ladder::new().is_empty());
}

#[test]
fn a_flood_is_counted_and_not_kept() {
    let mut ladder = Ladder::new();
    let bytes = Bytes::from_static(b"x");
    for _ in 0..MAX_MESSAGES + 5 {
        ladder.record(Duration::ZERO, address(PHONE), address(SERVER), &bytes);
    }
    assert_eq!(ladder.messages.len(), MAX_MESSAGES);
    assert!(ladder.to_string().ends_with("; 5 more are not shown\n"));
}

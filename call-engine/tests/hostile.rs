//! What strangers send: nonsense, floods, stolen and replayed credentials. The server answers what deserves an answer, drops the rest, and
//! serves the next phone.
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

mod stranger;

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use blether_sip_core::{Authorization, Method, Response, WwwAuthenticate};
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

use crate::stranger::{PATIENCE, Server, Stranger};

#[test]
fn only_an_engine_that_is_told_to_believe_its_senders_registers_without_a_password() {
    for (believes, status) in [(false, 401), (true, 200)] {
        let server = Server::start_with(|engine| if believes { engine.without_authentication() } else { engine });
        let mut phone = Stranger::of(&server);
        let register = phone.request(Method::Register, "alice");
        assert_eq!(phone.ask_until_answered(&register).status().code(), status);
        assert_eq!(server.contacts("alice"), usize::from(believes));
        // Whoever it says it is, it registers nobody else.
        let of_bob = String::from_utf8(phone.request(Method::Register, "bob").to_bytes().to_vec()).unwrap();
        let of_bob = of_bob.replace("From: <sip:bob@", "From: <sip:alice@");
        assert_eq!(phone.ask(of_bob.as_bytes()).status().code(), if believes { 403 } else { 401 });
        assert_eq!(server.contacts("bob"), 0);
    }
}

#[test]
fn after_twenty_thousand_datagrams_of_nonsense_the_next_phone_registers() {
    let server = Server::start();
    let mut stranger = Stranger::of(&server);
    let mut rng = StdRng::seed_from_u64(20_000);
    let valid = stranger.request(Method::Register, "alice").to_bytes();
    for number in 0..20_000 {
        let datagram = match number % 4 {
            0 => {
                let mut noise = vec![0; rng.random_range(1..1_500)];
                rng.fill_bytes(&mut noise);
                noise
            }
            // Half a message, and messages with a few bytes wrong.
            1 => valid[..rng.random_range(1..valid.len())].to_vec(),
            _ => {
                let mut wrong = valid.to_vec();
                for _ in 0..rng.random_range(1..8) {
                    let at = rng.random_range(0..wrong.len());
                    wrong[at] = rng.random();
                }
                wrong
            }
        };
        stranger.send(&datagram);
    }
    let mut phone = Stranger::of(&server);
    phone.assert_can_register();
    assert_eq!(server.contacts("alice"), 1);
}

#[test]
fn oversized_messages_are_refused_or_dropped_and_the_next_phone_registers() {
    let server = Server::start();
    let mut stranger = Stranger::of(&server);
    let with = |stranger: &mut Stranger, lines: &str| {
        let request = stranger.request(Method::Options, "bob").to_bytes();
        String::from_utf8(request.to_vec()).unwrap().replacen("\r\n\r\n", &format!("\r\n{lines}\r\n\r\n"), 1)
    };
    let sixty_kilobytes = with(&mut stranger, &format!("Subject: {}", "x".repeat(60_000)));
    assert!(matches!(stranger.ask(sixty_kilobytes.as_bytes()).status().code(), 400 | 513));
    let many_headers = with(&mut stranger, &(0..4_000).map(|n| format!("X-{n}: y")).collect::<Vec<_>>().join("\r\n"));
    assert!(matches!(stranger.ask(many_headers.as_bytes()).status().code(), 400 | 513));
    let body = "x".repeat(40_000);
    let large_body = with(&mut stranger, &format!("Content-Type: text/plain\r\nContent-Length: {}", body.len()));
    let large_body = large_body.replacen("Content-Length: 0\r\n", "", 1) + &body;
    assert_eq!(stranger.ask(large_body.as_bytes()).status().code(), 413);

    // A response to these would be larger than what asked for it.
    let vias = (0..1_000).map(|n| format!("Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{n}")).collect::<Vec<_>>();
    let many_vias = with(&mut stranger, &vias.join("\r\n"));
    stranger.assert_unanswered(many_vias.as_bytes());
    let one_line = vias.join(",").replace(",Via: ", ",");
    let joined = with(&mut stranger, &one_line);
    stranger.assert_unanswered(joined.as_bytes());
    stranger.assert_can_register();
}

#[test]
fn a_bad_request_is_told_which_header_is_wrong() {
    let server = Server::start();
    let mut stranger = Stranger::of(&server);
    let request = stranger.request(Method::Options, "bob").to_bytes();
    let text = String::from_utf8(request.to_vec()).unwrap();
    for (from, to, code, named) in [
        ("CSeq: 1 OPTIONS", "CSeq: one OPTIONS", 400, "CSeq"),
        ("CSeq: 1 OPTIONS", "CSeq: 1 INVITE", 400, "CSeq"),
        ("Max-Forwards: 70", "Max-Forwards: many", 400, "Max-Forwards"),
        ("SIP/2.0\r\nVia", "SIP/7.0\r\nVia", 505, ""),
        ("Content-Length: 0", "Content-Length: 9", 400, "Content-Length"),
    ] {
        let wrong = text.replacen(from, to, 1);
        assert_ne!(wrong, text, "{from}");
        // Its CSeq is the request's, so it can be as wrong.
        let line = stranger.status_line(wrong.as_bytes());
        assert!(line.starts_with(&format!("SIP/2.0 {code} ")) && line.contains(named), "{to}: {line}");
    }
    let publish = stranger.request(Method::Publish, "bob");
    let response = stranger.ask(&publish.to_bytes());
    assert_eq!(response.status().code(), 405);
    let allowed = response.headers().get::<blether_sip_core::Allow>().unwrap().unwrap();
    assert!(allowed.0.contains(&Method::Invite) && allowed.0.contains(&Method::Register), "{allowed:?}");
}

#[test]
fn ack_and_responses_are_never_answered_whatever_is_wrong_with_them() {
    let server = Server::start();
    let mut stranger = Stranger::of(&server);
    let options = String::from_utf8(stranger.request(Method::Options, "bob").to_bytes().to_vec()).unwrap();
    let ack = options.replace("OPTIONS", "ACK");
    stranger.assert_unanswered(ack.as_bytes());
    stranger.assert_unanswered(ack.replacen("CSeq: 1", "CSeq: one", 1).as_bytes());
    let response = options.replacen(options.lines().next().unwrap(), "SIP/2.0 200 OK", 1);
    stranger.assert_unanswered(response.as_bytes());
    stranger.assert_unanswered(response.replacen("CSeq: 1", "CSeq: one", 1).as_bytes());
    stranger.assert_unanswered(b"\r\n\r\n");
}

#[test]
fn forged_replayed_and_borrowed_credentials_register_nothing() {
    let server = Server::start();
    let mut stranger = Stranger::of(&server);
    let challenge = stranger.challenge();

    // A nonce that the server did not issue, with the right password.
    let mut forged = challenge.clone();
    forged.0.nonce = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef".into();
    let register = stranger.register("alice", "alice", "wonderland", &forged, 1);
    assert_eq!(stranger.ask(&register.to_bytes()).status().code(), 401);
    assert_eq!(server.contacts("alice"), 0);

    // One user's credentials for another's address of record.
    let register = stranger.register("bob", "alice", "wonderland", &challenge, 1);
    assert_eq!(stranger.ask(&register.to_bytes()).status().code(), 403);
    assert_eq!((server.contacts("alice"), server.contacts("bob")), (0, 0));

    // The same answer a second time, from somebody who listened.
    let register = stranger.register("alice", "alice", "wonderland", &challenge, 2);
    assert_eq!(stranger.ask(&register.to_bytes()).status().code(), 200);
    let mut thief = Stranger::of(&server);
    let mut replay = thief.request(Method::Register, "alice");
    replay.headers_mut().push(register.headers().get::<Authorization>().unwrap().unwrap());
    assert_eq!(thief.ask(&replay.to_bytes()).status().code(), 401);
    assert_eq!(server.contacts("alice"), 1);
}

#[test]
fn a_wrong_password_and_an_unknown_account_look_the_same() {
    let server = Server::start();
    let mut stranger = Stranger::of(&server);
    let shape = |response: Response| {
        let names: Vec<String> = response.headers().iter().map(|(name, _)| name.as_str().to_owned()).collect();
        let challenges = response.headers().all::<WwwAuthenticate>().unwrap();
        let offers: Vec<String> =
            challenges.iter().map(|c| format!("{:?} {:?} {}", c.0.algorithm, c.0.qop, c.0.stale)).collect();
        (response.status(), response.reason().to_owned(), names, offers)
    };
    let challenge = stranger.challenge();
    let wrong = stranger.register("alice", "alice", "looking-glass", &challenge, 1);
    let unknown = stranger.register("mallory", "mallory", "looking-glass", &challenge, 1);
    let (wrong, unknown) = (stranger.ask(&wrong.to_bytes()), stranger.ask(&unknown.to_bytes()));
    assert_eq!(shape(wrong), shape(unknown));
}

#[test]
fn nobody_calls_without_an_account_and_nobody_is_relayed_elsewhere() {
    let server = Server::start();
    let mut stranger = Stranger::of(&server);
    let invite = stranger.request(Method::Invite, "bob");
    assert_eq!(stranger.ask(&invite.to_bytes()).status().code(), 401);
    let counts = server.runtime.block_on(server.engine.counts()).unwrap();
    assert_eq!((counts.calls, counts.transactions, counts.media_ports), (0, 0, 0), "a stranger's INVITE costs nothing");
    stranger.socket.set_nonblocking(true).unwrap();
    let mut buffer = [0; 100];
    assert_eq!(stranger.socket.recv_from(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn contacts_that_nobody_refreshes_go_although_nobody_registers() {
    let server = Server::start();
    let mut phone = Stranger::of(&server);
    phone.assert_can_register();
    let handle = server.engine.handle();
    let aor = handle.extension("alice").unwrap();
    let set = handle.location().bindings(&aor, Instant::now());
    let mut binding = set.iter().next().unwrap().as_ref().clone();
    binding.expires_at = Instant::now();
    handle.location().compare_and_swap(&aor, set.version(), vec![binding.into()]).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while handle.location().aors() > 0 {
        assert!(Instant::now() < deadline, "the contact is still there");
        std::thread::sleep(Duration::from_millis(20));
    }
}

//! Every arrow of figures 5 to 8 (RFC 3261 §17, RFC 6026 §8) that no timer moves.

use std::io::ErrorKind::NetworkUnreachable;

use blether_sip_core::{Method, StatusCode};
use blether_transaction_core::Reliability::{Reliable, Unreliable};

use crate::machine::{BOTH, invite_client, invite_server, options_client, options_server, response};

// Figure 5: INVITE client.

#[test]
fn provisional_responses_go_up_in_calling_and_proceeding() {
    let mut run = invite_client(Unreliable);
    run.answer(1, 100).answer(2, 180).answer(3, 180);
    assert_eq!(run.trace(), [(0, "INVITE"), (1, "told 100"), (2, "told 180"), (3, "told 180")]);
}

#[test]
fn every_class_of_refusal_is_acknowledged_and_told_once_from_calling_and_from_proceeding() {
    for code in [300, 302, 401, 486, 500, 603] {
        for provisional in [false, true] {
            let mut run = invite_client(Unreliable);
            if provisional {
                run.answer(1, 180);
            }
            run.answer(2, code).answer(3, code).answer(4, 180).answer(5, 200);
            let told = format!("told {code}");
            let trace = run.trace();
            assert_eq!(trace.iter().filter(|(_, what)| *what == told).count(), 1, "{code}");
            assert_eq!(trace.iter().filter(|(_, what)| *what == "ACK").count(), 2, "{code}");
            assert!(!trace.contains(&(5, "told 200")) && !trace.contains(&(4, "told 180")), "{trace:?}");
        }
    }
}

#[test]
fn the_ack_of_a_refusal_is_like_its_invite_with_the_to_of_the_response() {
    let mut run = invite_client(Unreliable);
    run.answer(1, 486);
    let ack = run.last_sent();
    // RFC 3261 §17.1.1.3.
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

#[test]
fn a_2xx_is_told_each_time_and_never_acknowledged_by_the_transaction() {
    for provisional in [false, true] {
        let mut run = invite_client(Unreliable);
        if provisional {
            run.answer(1, 180);
        }
        run.answer(2, 200).answer(3, 200).answer(4, 486).answer(5, 180);
        let trace = run.trace();
        assert_eq!(trace.iter().filter(|(_, what)| *what == "told 200").count(), 2);
        assert_eq!(trace.last(), Some(&(32_002, "over")));
        assert!(!trace.iter().any(|(ms, what)| *what == "ACK" || *ms == 4 || *ms == 5), "{trace:?}");
    }
}

#[test]
fn an_invite_that_cannot_be_sent_fails() {
    let mut run = invite_client(Unreliable);
    run.at(0, |machine, _| machine.handle_send_error(NetworkUnreachable));
    assert_eq!(run.trace(), [(0, "INVITE"), (0, "Transport(NetworkUnreachable)"), (0, "over")]);
}

#[test]
fn an_ack_that_cannot_be_sent_ends_completed_and_nothing_ends_accepted() {
    let mut run = invite_client(Unreliable);
    run.answer(1, 486).at(2, |machine, _| machine.handle_send_error(NetworkUnreachable));
    assert_eq!(run.trace().last(), Some(&(2, "over")));
    let mut run = invite_client(Unreliable);
    run.answer(1, 200).at(2, |machine, _| machine.handle_send_error(NetworkUnreachable));
    assert_eq!(run.trace().last(), Some(&(32_001, "over")));
}

// Figure 6: non-INVITE client.

#[test]
fn a_request_is_told_its_provisional_responses_and_one_final_response() {
    for provisional in [false, true] {
        for code in [200, 302, 404, 500, 603] {
            let mut run = options_client(Reliable);
            if provisional {
                run.answer(1, 100).answer(2, 183);
            }
            run.answer(3, code).answer(4, code).answer(5, 100);
            let trace = run.trace();
            assert_eq!(
                trace.iter().filter(|(_, what)| what.starts_with("told 1")).count(),
                2 * usize::from(provisional)
            );
            assert_eq!(trace[trace.len() - 2..], [(3, format!("told {code}").as_str()), (3, "over")]);
        }
    }
}

#[test]
fn resends_of_a_final_response_are_absorbed_over_udp() {
    let mut run = options_client(Unreliable);
    run.answer(1, 200).answer(2, 200).answer(3, 404).answer(4, 100);
    assert_eq!(run.trace(), [(0, "OPTIONS"), (1, "told 200"), (5_001, "over")]);
}

#[test]
fn a_request_that_cannot_be_sent_fails_in_trying_and_in_proceeding_but_not_when_it_is_answered() {
    for provisional in [false, true] {
        let mut run = options_client(Reliable);
        if provisional {
            run.answer(1, 100);
        }
        run.at(2, |machine, _| machine.handle_send_error(NetworkUnreachable));
        let trace = run.trace();
        assert_eq!(trace[trace.len() - 2..], [(2, "Transport(NetworkUnreachable)"), (2, "over")]);
    }
    let mut run = options_client(Unreliable);
    run.answer(1, 200).at(2, |machine, _| machine.handle_send_error(NetworkUnreachable));
    assert_eq!(run.trace(), [(0, "OPTIONS"), (1, "told 200"), (5_001, "over")]);
}

// Figure 7: INVITE server.

#[test]
fn a_resent_invite_gets_the_latest_provisional_response() {
    let mut run = invite_server(Unreliable);
    run.answer(1, 180).answer(2, 183).at(3, |machine, _| machine.handle_resend());
    assert_eq!(run.trace(), [(1, "180"), (2, "183"), (3, "183")]);
    let mut run = invite_server(Unreliable);
    run.at(300, |machine, _| machine.handle_resend());
    assert_eq!(run.trace(), [(200, "100"), (300, "100")]);
}

#[test]
fn a_2xx_is_sent_as_often_as_the_user_says_and_resent_for_nobody_else() {
    for reliability in BOTH {
        let mut run = invite_server(reliability);
        run.answer(1, 200).at(2, |machine, _| machine.handle_resend()).answer(3, 200);
        run.at(4, |machine, now| {
            assert!(!machine.respond(now, &response(Method::Invite, 486)));
            assert!(!machine.respond(now, &response(Method::Invite, 180)));
        });
        assert_eq!(run.trace(), [(1, "200"), (3, "200"), (32_001, "over")]);
    }
}

#[test]
fn an_ack_goes_to_the_user_in_accepted_and_nowhere_else() {
    let mut run = invite_server(Unreliable);
    run.at(1, |machine, now| assert!(!machine.handle_ack(now), "Proceeding"));
    run.answer(2, 200);
    run.at(3, |machine, now| assert!(machine.handle_ack(now), "Accepted"));
    run.at(4, |machine, now| assert!(machine.handle_ack(now), "Accepted, again"));
    let mut run = invite_server(Unreliable);
    run.answer(2, 486);
    run.at(3, |machine, now| assert!(!machine.handle_ack(now), "Completed"));
    run.at(4, |machine, now| assert!(!machine.handle_ack(now), "Confirmed"));
}

#[test]
fn a_resent_invite_gets_the_refusal_until_it_is_acknowledged() {
    let mut run = invite_server(Unreliable);
    run.answer(1, 486).at(2, |machine, _| machine.handle_resend());
    run.at(3, |machine, now| assert!(!machine.respond(now, &response(Method::Invite, 200)), "answered already"));
    run.at(4, |machine, now| _ = machine.handle_ack(now)).at(5, |machine, _| machine.handle_resend());
    assert_eq!(run.trace(), [(1, "486"), (2, "486"), (5_004, "over")]);
}

#[test]
fn an_accepted_invite_survives_a_2xx_that_cannot_be_sent() {
    let mut run = invite_server(Unreliable);
    run.answer(1, 200).at(2, |machine, _| machine.handle_send_error(NetworkUnreachable));
    run.at(3, |machine, _| machine.handle_resend()).answer(4, 200);
    assert_eq!(run.trace(), [(1, "200"), (2, "SendFailed(NetworkUnreachable)"), (4, "200"), (32_001, "over")]);
}

// Figure 8: non-INVITE server, as changed by RFC 4320.

#[test]
fn a_resent_request_is_discarded_in_trying_and_answered_in_proceeding_and_completed() {
    let mut run = options_server(Unreliable);
    run.at(1, |machine, _| machine.handle_resend());
    assert_eq!(run.so_far(), []);
    run.answer(4_000, 100).at(4_001, |machine, _| machine.handle_resend());
    run.answer(4_002, 200).at(4_003, |machine, _| machine.handle_resend());
    run.at(4_004, |machine, now| assert!(!machine.respond(now, &response(Method::Options, 404)), "answered already"));
    let trace: Vec<_> = run.trace().into_iter().filter(|(ms, _)| *ms >= 4_000).collect();
    assert_eq!(trace, [(4_000, "100"), (4_001, "100"), (4_002, "200"), (4_003, "200"), (36_002, "over")]);
}

#[test]
fn a_response_that_cannot_be_sent_leaves_proceeding_and_completed() {
    for code in [100, 200] {
        let mut run = options_server(Unreliable);
        run.answer(4_000, code).at(4_001, |machine, _| machine.handle_send_error(NetworkUnreachable));
        run.at(4_002, |machine, _| machine.handle_resend());
        let trace = run.so_far();
        let again = code.to_string();
        assert_eq!(trace[trace.len() - 2..], [(4_001, "SendFailed(NetworkUnreachable)"), (4_002, again.as_str())]);
    }
}

#[test]
fn no_provisional_response_but_a_100_that_is_not_early_and_no_408_goes_out_to_a_request() {
    let mut run = options_server(Unreliable);
    run.at(3_499, |machine, now| {
        for code in [100, 180, 183, 199, 408] {
            assert!(!machine.respond(now, &response(Method::Options, code)), "{code}");
        }
    });
    run.at(3_500, |machine, now| assert!(!machine.respond(now, &response(Method::Options, 183))));
    // Timer E of the client reaches T2 after 500 + 1,000 + 2,000 ms.
    run.at(3_500, |machine, now| assert!(machine.respond(now, &response(Method::Options, StatusCode::TRYING.code()))));
    let mut run = options_server(Reliable);
    run.at(0, |machine, now| assert!(machine.respond(now, &response(Method::Options, 100))));
}

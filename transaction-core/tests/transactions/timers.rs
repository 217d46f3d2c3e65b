//! Every timer of RFC 3261 table 4 and RFC 6026, to the millisecond, on both kinds of transport.

use std::time::Duration;

use blether_sip_core::Method;
use blether_transaction_core::Reliability::{Reliable, Unreliable};
use blether_transaction_core::{InviteClientTransaction, NonInviteServerTransaction, Timing};

use crate::machine::{BOTH, Run, invite_client, invite_server, options_client, options_server, request, response};

fn times(trace: &[(u64, &str)], what: &str) -> Vec<u64> {
    trace.iter().filter(|(_, happened)| *happened == what).map(|(ms, _)| *ms).collect()
}

#[test]
fn invite_is_resent_by_timer_a_until_timer_b_gives_up() {
    let mut run = invite_client(Unreliable);
    let trace = run.trace();
    assert_eq!(times(&trace, "INVITE"), [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500]);
    assert_eq!(trace[7..], [(32_000, "TimedOut(B)"), (32_000, "over")]);
}

#[test]
fn without_timer_a_timer_b_gives_up_all_the_same() {
    assert_eq!(invite_client(Reliable).trace(), [(0, "INVITE"), (32_000, "TimedOut(B)"), (32_000, "over")]);
}

#[test]
fn a_provisional_response_ends_timers_a_and_b() {
    for reliability in BOTH {
        let mut run = invite_client(reliability);
        run.answer(100, 180);
        assert_eq!(run.trace(), [(0, "INVITE"), (100, "told 180")]);
    }
}

#[test]
fn timer_d_acknowledges_resends_for_32_seconds_over_udp() {
    let mut run = invite_client(Unreliable);
    run.answer(100, 486).answer(600, 486).answer(32_099, 486);
    let expected = [(0, "INVITE"), (100, "ACK"), (100, "told 486"), (600, "ACK"), (32_099, "ACK"), (32_100, "over")];
    assert_eq!(run.trace(), expected);
}

#[test]
fn timer_d_is_zero_over_a_reliable_transport() {
    let mut run = invite_client(Reliable);
    assert_eq!(run.answer(100, 486).trace(), [(0, "INVITE"), (100, "ACK"), (100, "told 486"), (100, "over")]);
}

#[test]
fn timer_d_is_at_least_32_seconds_whatever_t1_is() {
    let timing = Timing { t1: Duration::from_millis(10), ..Timing::default() };
    let mut run = Run::new(|now| InviteClientTransaction::new(now, timing, Unreliable, request(Method::Invite)));
    assert_eq!(run.answer(5, 486).trace().last(), Some(&(32_005, "over")));
}

#[test]
fn a_request_is_resent_by_timer_e_up_to_t2_until_timer_f_gives_up() {
    let mut run = options_client(Unreliable);
    let trace = run.trace();
    let expected = [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    assert_eq!(times(&trace, "OPTIONS"), expected);
    assert_eq!(trace[11..], [(32_000, "TimedOut(F)"), (32_000, "over")]);
}

#[test]
fn without_timer_e_timer_f_gives_up_all_the_same() {
    assert_eq!(options_client(Reliable).trace(), [(0, "OPTIONS"), (32_000, "TimedOut(F)"), (32_000, "over")]);
}

#[test]
fn after_a_provisional_response_timer_e_runs_by_t2_and_timer_f_still_gives_up() {
    let mut run = options_client(Unreliable);
    let trace = run.answer(600, 100).trace();
    // The resend at 1,500 ms was pending when the 100 came; the one after it is T2 later.
    assert_eq!(times(&trace, "OPTIONS"), [0, 500, 1_500, 5_500, 9_500, 13_500, 17_500, 21_500, 25_500, 29_500]);
    assert_eq!(times(&trace, "TimedOut(F)"), [32_000]);
}

#[test]
fn timer_g_resends_a_refusal_up_to_t2_until_timer_h_gives_up() {
    let mut run = invite_server(Unreliable);
    let trace = run.answer(0, 486).trace();
    let expected = [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    assert_eq!(times(&trace, "486"), expected);
    assert_eq!(trace[11..], [(32_000, "NotAcknowledged"), (32_000, "over")]);
}

#[test]
fn without_timer_g_timer_h_gives_up_all_the_same() {
    let mut run = invite_server(Reliable);
    assert_eq!(run.answer(50, 486).trace(), [(50, "486"), (32_050, "NotAcknowledged"), (32_050, "over")]);
}

#[test]
fn an_ack_ends_timer_g_and_timer_i_absorbs_its_resends_for_t4() {
    let mut run = invite_server(Unreliable);
    run.answer(0, 486);
    run.at(600, |machine, now| assert!(!machine.handle_ack(now)));
    run.at(5_599, |machine, now| assert!(!machine.handle_ack(now)));
    assert_eq!(run.trace(), [(0, "486"), (500, "486"), (5_600, "over")]);
}

#[test]
fn timer_i_is_zero_over_a_reliable_transport() {
    let mut run = invite_server(Reliable);
    run.answer(0, 486).at(600, |machine, now| assert!(!machine.handle_ack(now)));
    assert_eq!(run.trace(), [(0, "486"), (600, "over")]);
}

#[test]
fn timer_j_keeps_the_answer_for_64_t1_over_udp_and_not_at_all_over_a_reliable_transport() {
    let mut run = options_server(Unreliable);
    run.answer(100, 200).at(32_099, |machine, _| machine.handle_resend());
    assert_eq!(run.trace(), [(100, "200"), (32_099, "200"), (32_100, "over")]);
    assert_eq!(options_server(Reliable).answer(100, 200).trace(), [(100, "200"), (100, "over")]);
}

#[test]
fn timer_k_absorbs_resends_for_t4_over_udp_and_not_at_all_over_a_reliable_transport() {
    let mut run = options_client(Unreliable);
    run.answer(100, 200).answer(5_099, 200);
    assert_eq!(run.trace(), [(0, "OPTIONS"), (100, "told 200"), (5_100, "over")]);
    assert_eq!(options_client(Reliable).answer(100, 200).trace(), [(0, "OPTIONS"), (100, "told 200"), (100, "over")]);
}

#[test]
fn timer_l_absorbs_resends_of_an_accepted_invite_for_64_t1_on_every_transport() {
    for reliability in BOTH {
        let mut run = invite_server(reliability);
        run.answer(100, 200).at(32_099, |machine, _| machine.handle_resend());
        assert_eq!(run.trace(), [(100, "200"), (32_100, "over")]);
    }
}

#[test]
fn timer_m_waits_for_further_2xx_for_64_t1_on_every_transport() {
    for reliability in BOTH {
        let mut run = invite_client(reliability);
        run.answer(100, 200).answer(32_099, 200);
        assert_eq!(run.trace(), [(0, "INVITE"), (100, "told 200"), (32_099, "told 200"), (32_100, "over")]);
    }
}

#[test]
fn a_100_goes_out_after_200_ms_if_the_user_has_said_nothing() {
    for reliability in BOTH {
        assert_eq!(invite_server(reliability).trace(), [(200, "100")]);
    }
    let mut run = invite_server(Unreliable);
    run.until(200);
    let trying = run.last_sent();
    assert!(trying.contains("\r\nTo: <sip:bob@192.0.2.2>\r\n"), "a 100 has no To tag (RFC 3261 §17.2.1): {trying}");
}

#[test]
fn no_100_goes_out_if_the_user_has_said_anything_in_time() {
    assert_eq!(invite_server(Unreliable).answer(199, 180).trace(), [(199, "180")]);
    assert_eq!(invite_server(Unreliable).answer(199, 200).trace(), [(199, "200"), (32_199, "over")]);
}

#[test]
fn a_request_that_nobody_answers_is_forgotten_when_its_client_has_given_up() {
    let mut run = options_server(Unreliable);
    assert_eq!(run.trace().last(), Some(&(32_000, "over")));
    assert!(!run.so_far().iter().any(|(_, what)| *what == "408"), "RFC 4320 §4.2");
}

#[test]
fn a_100_to_a_request_may_go_over_udp_from_when_timer_e_of_the_client_is_reset_to_t2() {
    let mut run = options_server(Unreliable);
    let start = run.now();
    let trying = response(Method::Options, 100);
    // After 500 + 1,000 + 2,000 ms (RFC 4320 §4.1); at that instant the user may be faster than the timer.
    assert!(!run.machine.respond(start + Duration::from_millis(3_500) - Duration::from_nanos(1), &trying));
    assert!(run.machine.respond(start + Duration::from_millis(3_500), &trying));
}

#[test]
fn a_100_to_a_request_waits_for_t1_even_where_that_is_over_t2() {
    let timing = Timing { t1: Duration::from_secs(3), t2: Duration::from_secs(2), ..Timing::default() };
    let mut run = Run::new(|now| NonInviteServerTransaction::new(now, timing, Unreliable, request(Method::Options)));
    // Timer E of the client is reset to T2 when it fires, which it does after T1 (RFC 4320 §4.1).
    assert_eq!(run.trace(), [(3_000, "100"), (192_000, "over")]);
}

#[test]
fn an_invite_without_final_response_is_given_up_when_told_to_after_cancel() {
    let mut run = invite_client(Unreliable);
    run.answer(100, 180).at(1_000, |machine, now| machine.give_up_at(now + Timing::default().sixty_four_t1()));
    let trace = run.answer(2_000, 183).trace();
    assert_eq!(trace[3..], [(33_000, "TimedOut(B)"), (33_000, "over")]);
}

#[test]
fn a_stalled_process_sends_no_burst_and_resends_from_when_it_wakes() {
    let mut run = invite_client(Unreliable);
    run.stalled_until(10_000).stalled_until(10_000).until(11_500);
    assert_eq!(run.so_far(), [(0, "INVITE"), (10_000, "INVITE"), (11_000, "INVITE")]);

    let mut run = options_client(Unreliable);
    run.stalled_until(10_000).stalled_until(10_001).until(11_500);
    assert_eq!(run.so_far(), [(0, "OPTIONS"), (10_000, "OPTIONS"), (11_000, "OPTIONS")]);

    let mut run = invite_server(Unreliable);
    run.answer(0, 486).stalled_until(10_000).stalled_until(10_000).until(11_500);
    assert_eq!(run.so_far(), [(0, "486"), (10_000, "486"), (11_000, "486")]);
}

#[test]
fn a_process_that_was_stalled_past_the_end_gives_up_and_resends_nothing() {
    assert_eq!(
        invite_client(Unreliable).stalled_until(40_000).trace()[1..],
        [(40_000, "TimedOut(B)"), (40_000, "over")]
    );
    assert_eq!(
        options_client(Unreliable).stalled_until(40_000).trace()[1..],
        [(40_000, "TimedOut(F)"), (40_000, "over")]
    );
}

#[test]
fn a_timeout_that_comes_too_early_or_twice_does_nothing() {
    let mut run = invite_client(Unreliable);
    run.stalled_until(499).stalled_until(500).stalled_until(500).stalled_until(1_499);
    assert_eq!(run.so_far(), [(0, "INVITE"), (500, "INVITE")]);
}

#[test]
fn a_t2_of_zero_fires_no_timer_without_end() {
    let timing = Timing { t2: Duration::ZERO, ..Timing::default() };
    let mut run = Run::new(|now| {
        blether_transaction_core::NonInviteClientTransaction::new(now, timing, Unreliable, &request(Method::Options))
    });
    run.stalled_until(500);
    assert!(blether_transaction_core::NonInviteClientTransaction::poll_timeout(&run.machine) > Some(run.now()));
}

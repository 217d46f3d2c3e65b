//! Everything that may happen to a session, in any order.

use std::time::Duration;

use blether_session_core::{EndCause, RequestToken, SessionEvent, SessionTransmit};
use blether_sip_core::{Request, StatusCode};
use blether_testkit::seeds;
use blether_transaction_core::{Failure, Timer};
use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::desk::{Desk, SDP, answer, invite};

/// One thing that a peer, the network or the user may do, sensible or not.
fn anything(desk: &mut Desk, tokens: &[(RequestToken, Request)], cseq: &mut u32, rng: &mut StdRng) {
    const STATUSES: [u16; 14] = [100, 180, 183, 200, 200, 200, 302, 401, 407, 408, 481, 487, 491, 603];
    const METHODS: [&str; 8] = ["BYE", "INVITE", "UPDATE", "INFO", "OPTIONS", "PRACK", "REFER", "FOO"];
    let body = if rng.random_bool(0.7) { "sdp" } else { "" };
    let sdp = Bytes::from_static(b"sdp");
    match rng.random_range(0..15) {
        0..=5 if !tokens.is_empty() => {
            let (token, request) = tokens[rng.random_range(0..tokens.len())].clone();
            let status = StatusCode::new(STATUSES[rng.random_range(0..STATUSES.len())]).unwrap();
            let tag = ["theirs", "b2", "b3"][rng.random_range(0..3)];
            let challenge = r#"Digest realm="r", nonce="n", stale=true, qop="auth""#;
            let mut response = answer(&request, status, tag, body);
            response.headers_mut().push_raw(&"WWW-Authenticate".parse().unwrap(), challenge).unwrap();
            desk.responds(token, response);
        }
        0..=5 => desk.session.ring(desk.now),
        6 | 7 => {
            *cseq += rng.random_range(0..2);
            // Whatever the answer is.
            let _ = desk.ask(
                METHODS[rng.random_range(0..METHODS.len())],
                *cseq,
                if body.is_empty() { "" } else { SDP },
                body,
            );
        }
        8 => desk.acknowledge(*cseq, body),
        9 => desk.session.end(desk.now, EndCause::HungUp),
        10 => {
            // Verbs that do not fit are refused; that they change nothing is what is tested.
            let _ = desk.session.answer(desk.now, sdp.clone());
            let _ = desk.session.offer(desk.now, sdp);
        }
        11 => {
            let _ = desk.session.accept_offer(desk.now, sdp);
            let _ = desk.session.refuse_offer(desk.now, StatusCode::NOT_ACCEPTABLE_HERE);
        }
        13 => match rng.random_range(0..3) {
            0 => desk.session.withdraw_offer(desk.now),
            at => {
                let _ = desk.session.pass_on_offer(desk.now, (at == 1).then_some(sdp));
            }
        },
        12 if !tokens.is_empty() => {
            let (token, _) = tokens[rng.random_range(0..tokens.len())];
            desk.session.handle_failure(desk.now, token, Failure::TimedOut(Timer::F));
        }
        _ => {
            desk.now += Duration::from_millis(rng.random_range(0..20_000));
            desk.session.handle_timeout(desk.now);
        }
    }
}

#[test]
fn whatever_happens_ended_is_said_once_and_last_and_nothing_grows() {
    for seed in seeds(1_000) {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut desk = match rng.random_range(0..3) {
            0 => Desk::calling(Some("offer"), |_| {}),
            1 => Desk::calling(None, |_| {}),
            _ => Desk::called(&invite(SDP, "offer")).unwrap(),
        };
        let (mut tokens, mut ended, mut cseq) = (Vec::new(), false, 1);
        for _ in 0..60 {
            anything(&mut desk, &tokens, &mut cseq, &mut rng);
            let transmits = desk.transmits();
            assert!(transmits.len() <= 8, "seed {seed}: {transmits:?}");
            tokens.extend(transmits.into_iter().filter_map(|transmit| match transmit {
                SessionTransmit::Request { token, request, .. } => Some((token, request)),
                _ => None,
            }));
            for event in desk.events() {
                assert!(!ended, "seed {seed}: {event:?} after Ended");
                ended = matches!(event, SessionEvent::Ended { .. });
            }
            assert_eq!(ended, desk.session.is_terminated(), "seed {seed}");
            assert!(!ended || desk.session.poll_timeout().is_none(), "seed {seed}");
        }
    }
}

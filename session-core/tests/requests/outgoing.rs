//! An INVITE of ours: challenges, redirections, forks, and where what follows is sent.

use std::io::ErrorKind;

use blether_session_core::{EndCause, NextHop, SessionEvent, SessionTransmit};
use blether_sip_core::digest::{Algorithm, Credentials, ha1};
use blether_sip_core::{ByteStr, Method, Response, StatusCode};
use blether_transaction_core::{Failure, Timer};
use bytes::Bytes;

use crate::desk::{Desk, answer, flow, request_text};

#[test]
fn a_challenged_invite_is_sent_again_and_its_ack_has_the_same_credentials() {
    let mut desk = Desk::calling(Some("offer"), |_| {});
    let (token, first) = desk.sent();
    let challenge = r#"Digest realm="example.org", nonce="n", algorithm=SHA-256, qop="auth""#;
    let builder = Response::to_request(&first, StatusCode::PROXY_AUTHENTICATION_REQUIRED).to_tag("x");
    desk.responds(token, builder.raw("Proxy-Authenticate", challenge).build());
    let (token, second) = desk.sent();
    assert_eq!(second.cseq().number, first.cseq().number + 1);
    assert_eq!((second.call_id(), second.from(), second.to()), (first.call_id(), first.from(), first.to()));
    assert_eq!(second.body(), first.body());
    let name = "Proxy-Authorization".parse().unwrap();
    let credentials: Credentials = second.headers().raw(&name).unwrap().parse().unwrap();
    assert!(credentials.verify(&ha1(Algorithm::Sha256, "us", "example.org", "secret"), &Method::Invite));

    desk.responds(token, answer(&second, StatusCode::OK, "b1", "answer"));
    let [ack] = &desk.acks()[..] else { panic!() };
    assert_eq!(ack.headers().raw(&name), second.headers().raw(&name));
    assert_eq!((ack.cseq().number, ack.cseq().method.as_str()), (second.cseq().number, "ACK"));
    assert_eq!(ack.uri().to_string(), "sip:peer@192.0.2.77");
}

#[test]
fn a_second_challenge_refuses_the_call() {
    let mut desk = Desk::calling(Some("offer"), |_| {});
    for _ in 0..2 {
        let (token, request) = desk.sent();
        let builder = Response::to_request(&request, StatusCode::UNAUTHORIZED).to_tag("x");
        let challenge = r#"Digest realm="example.org", nonce="n", qop="auth""#;
        desk.responds(token, builder.raw("WWW-Authenticate", challenge).build());
    }
    let events = desk.events();
    assert!(matches!(&events[..], [SessionEvent::Refused { response, .. }, SessionEvent::Ended { .. }]
        if response.status() == StatusCode::UNAUTHORIZED));
}

#[test]
fn a_redirection_is_passed_up() {
    let mut desk = Desk::calling(Some("offer"), |_| {});
    let (token, request) = desk.sent();
    desk.responds(token, answer(&request, StatusCode::MOVED_TEMPORARILY, "x", ""));
    assert!(matches!(&desk.events()[..], [SessionEvent::Refused { response, .. }, SessionEvent::Ended { .. }]
        if response.headers().raw(&"Contact".parse().unwrap()) == Some("<sip:peer@192.0.2.77>")));
}

#[test]
fn an_invite_that_cannot_be_sent_is_refused_with_503() {
    let mut desk = Desk::calling(Some("offer"), |_| {});
    let (token, _) = desk.sent();
    desk.session.handle_failure(desk.now, token, Failure::Transport(ErrorKind::NetworkUnreachable));
    let events = desk.events();
    let unreachable = EndCause::Unreachable(ErrorKind::NetworkUnreachable);
    assert!(matches!(&events[..], [SessionEvent::Refused { response, cause }, SessionEvent::Ended { .. }]
        if response.status() == StatusCode::SERVICE_UNAVAILABLE && *cause == unreachable));
}

#[test]
fn an_invite_that_cannot_be_built_ends_at_once() {
    let mut desk = Desk::calling(Some("offer"), |invite| {
        invite.extra.push(("X-Note".parse().unwrap(), ByteStr::from("two\r\nlines")));
    });
    assert!(desk.transmits().is_empty());
    assert_eq!(desk.ended(), "Local: failure at this end");
}

#[test]
fn a_challenged_bye_is_sent_again() {
    let mut desk = Desk::calling(Some("offer"), |_| {});
    let (token, request) = desk.sent();
    desk.responds(token, answer(&request, StatusCode::OK, "b1", "answer"));
    desk.acks();
    desk.session.end(desk.now, EndCause::HungUp);
    let (token, bye) = desk.sent();
    let challenge = r#"Digest realm="example.org", nonce="n", qop="auth""#;
    let builder = Response::to_request(&bye, StatusCode::UNAUTHORIZED);
    desk.responds(token, builder.raw("WWW-Authenticate", challenge).build());
    let (token, again) = desk.sent();
    assert_eq!(again.cseq().number, bye.cseq().number + 1);
    assert!(again.headers().raw(&"Authorization".parse().unwrap()).is_some());
    desk.responds(token, Response::to_request(&again, StatusCode::OK).build());
    assert_eq!(desk.ended(), "Local: hung up");
}

#[test]
fn early_dialogs_are_told_apart_by_their_tags() {
    let mut desk = Desk::calling(Some("offer"), |_| {});
    let (token, request) = desk.sent();
    desk.responds(token, answer(&request, StatusCode::TRYING, "", ""));
    desk.responds(token, answer(&request, StatusCode::RINGING, "b1", ""));
    desk.responds(token, answer(&request, StatusCode::RINGING, "b1", ""));
    desk.responds(token, answer(&request, StatusCode::SESSION_PROGRESS, "b2", "early b2"));
    desk.responds(token, answer(&request, StatusCode::RINGING, "b2", ""));
    // Without a description of its own the 200 confirms the one that the same phone sent while it rang.
    desk.responds(token, answer(&request, StatusCode::OK, "b2", ""));
    let events = desk.events();
    assert!(
        matches!(&events[..], [
            SessionEvent::Ringing,
            SessionEvent::Progress { sdp: Some(early) },
            SessionEvent::Ringing,
            SessionEvent::Answered { sdp: Some(answer) },
        ] if &early[..] == b"early b2" && answer == early),
        "{events:?}"
    );
}

#[test]
fn more_early_dialogs_than_fit_cost_nothing_but_their_own_ringing() {
    let mut desk = Desk::calling(Some("offer"), |_| {});
    let (token, request) = desk.sent();
    for branch in 0..1_000 {
        desk.responds(token, answer(&request, StatusCode::RINGING, &format!("b{branch}"), ""));
    }
    desk.responds(token, answer(&request, StatusCode::OK, "b999", "answer"));
    assert_eq!(desk.session.dialog_id().unwrap().remote_tag, "b999");
}

#[test]
fn each_other_branch_that_answers_is_acknowledged_and_hung_up_in_its_own_dialog() {
    let mut desk = Desk::calling(Some("offer"), |_| {});
    let (token, request) = desk.sent();
    desk.responds(token, answer(&request, StatusCode::OK, "b1", "answer"));
    desk.transmits();
    desk.responds(token, answer(&request, StatusCode::OK, "b2", "answer"));
    let transmits = desk.transmits();
    let [SessionTransmit::Acknowledge { request: ack, .. }, SessionTransmit::Request { request: bye, .. }] =
        &transmits[..]
    else {
        panic!("{transmits:?}")
    };
    assert_eq!((ack.to().tag(), bye.to().tag()), (Some("b2"), Some("b2")));
    assert_eq!(bye.headers().raw(&"Reason".parse().unwrap()), Some("SIP;cause=200;text=\"Call completed elsewhere\""));
    // Its resend is acknowledged again, and not hung up twice.
    desk.responds(token, answer(&request, StatusCode::OK, "b2", "answer"));
    assert!(matches!(&desk.transmits()[..], [SessionTransmit::Acknowledge { .. }]));
    assert_eq!(desk.session.dialog_id().unwrap().remote_tag, "b1");
}

#[test]
fn what_a_2xx_wants_is_remembered_until_none_can_come_any_more() {
    let mut desk = Desk::calling(Some("offer"), |_| {});
    let (token, invite) = desk.sent();
    let ok = answer(&invite, StatusCode::OK, "theirs", "answer");
    for time in ["first", "again"] {
        desk.responds(token, ok.clone());
        assert_eq!(desk.acks().len(), 1, "{time}");
    }
    desk.session.handle_transaction_over(token);
    desk.responds(token, ok);
    desk.responds(token, answer(&invite, StatusCode::OK, "of another branch", "answer"));
    assert!(desk.transmits().is_empty());
    // It is still known that the Call-ID is ours: whose it is waits for longer after a collision (RFC 3261 §14.1).
    desk.session.offer(desk.now, Bytes::from_static(b"hold")).unwrap();
    let (token, offer) = desk.sent();
    desk.responds(token, answer(&offer, StatusCode::REQUEST_PENDING, "theirs", ""));
    let wait = desk.session.poll_timeout().unwrap() - desk.now;
    assert!((2_100..=4_000).contains(&wait.as_millis()), "{wait:?}");
}

#[test]
fn a_route_set_from_the_2xx_is_followed_and_a_numeric_route_is_where_it_goes() {
    let mut desk = Desk::calling(Some("offer"), |invite| invite.next_hop = NextHop::Routed);
    let (token, request) = desk.sent();
    let ok = Response::to_request(&request, StatusCode::OK)
        .to_tag("b1")
        .raw("Record-Route", "<sip:192.0.2.50:5070;lr>")
        .raw("Contact", "<sip:peer@192.0.2.77>")
        .build();
    desk.responds(token, ok);
    let transmits = desk.transmits();
    let [SessionTransmit::Acknowledge { request: ack, flow }] = &transmits[..] else { panic!("{transmits:?}") };
    assert_eq!(ack.headers().raw(&"Route".parse().unwrap()), Some("<sip:192.0.2.50:5070;lr>"));
    assert_eq!(flow.remote.to_string(), "192.0.2.50:5070");
}

#[test]
fn a_2xx_that_makes_no_dialog_is_a_failed_call() {
    let mut desk = Desk::calling(Some("offer"), |_| {});
    let (token, request) = desk.sent();
    let broken = Response::to_request(&request, StatusCode::OK).to_tag("b1").raw("Contact", "*").build();
    desk.responds(token, broken);
    assert!(matches!(&desk.events()[..], [SessionEvent::Refused { response, .. }, SessionEvent::Ended { .. }]
        if response.status() == StatusCode::BAD_GATEWAY));
}

#[test]
fn a_bye_that_finds_all_our_2xx_lost_ends_the_call_out() {
    let mut desk = Desk::calling(Some("offer"), |_| {});
    let (token, request) = desk.sent();
    desk.responds(token, answer(&request, StatusCode::RINGING, "theirs", ""));
    desk.transmits();
    desk.branch += 1;
    let (id, bye) = Desk::named(&mut desk.table, desk.now, &request_text("BYE", 1, desk.branch, ";tag=ours", "", ""));
    desk.session.handle_request(desk.now, id, bye, flow());
    assert!(matches!(&desk.transmits()[..], [SessionTransmit::Respond { .. }, SessionTransmit::Cancel { .. }]));
    desk.session.handle_failure(desk.now, token, Failure::TimedOut(Timer::B));
    assert_eq!(desk.ended(), "Remote: hung up");
}

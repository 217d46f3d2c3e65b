//! An INVITE of the peer until its ACK: what is refused, put off, cancelled or answered.

use std::time::Duration;

use blether_session_core::{InviteSession, SessionTransmit};
use blether_sip_core::{ByteStr, StatusCode};
use bytes::Bytes;

use crate::desk::{Desk, SDP, config, flow, invite, refused, request_text};

#[test]
fn an_invite_that_requires_an_extension_is_refused_with_420_and_its_name() {
    let response = refused(&invite("Require: 100rel, timer\r\n", ""));
    assert_eq!(response.status(), StatusCode::BAD_EXTENSION);
    assert_eq!(response.headers().raw(&"Unsupported".parse().unwrap()), Some("100rel, timer"));
    assert_eq!(response.to().tag(), Some("ours"));
}

#[test]
fn an_invite_with_another_body_is_refused_with_415_and_what_is_accepted() {
    let response = refused(&invite("Content-Type: text/plain\r\n", "hello"));
    assert_eq!(response.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(response.headers().raw(&"Accept".parse().unwrap()), Some("application/sdp"));
}

#[test]
fn an_invite_without_contact_is_refused_with_400_and_the_reason() {
    let response = refused(&request_text("INVITE", 1, 1, "", "", ""));
    assert_eq!(
        (response.status(), response.reason()),
        (StatusCode::BAD_REQUEST, "Contact with one address is missing")
    );
}

#[test]
fn an_invite_for_a_dialog_that_is_not_ours_is_refused_with_481() {
    let request = request_text("INVITE", 1, 1, ";tag=lost", "Contact: <sip:peer@192.0.2.9>\r\n", "");
    assert_eq!(refused(&request).status(), StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST);
}

#[test]
fn an_invite_expires_before_it_is_answered() {
    let mut desk = Desk::called(&invite("Expires: 15\r\n", "")).unwrap();
    let at = desk.session.poll_timeout().unwrap();
    assert_eq!(at - desk.now, Duration::from_secs(15));
    desk.session.handle_timeout(at);
    assert!(matches!(&desk.transmits()[..], [SessionTransmit::Respond { response, .. }]
        if response.status() == StatusCode::REQUEST_TERMINATED));
    assert_eq!(desk.ended(), "Remote: no answer");
    assert_eq!(desk.session.poll_timeout(), None);
}

#[test]
fn a_refusal_carries_the_headers_that_it_is_given_but_none_of_the_dialog() {
    let mut desk = Desk::called(&invite("", "")).unwrap();
    let retry = ("Retry-After".parse().unwrap(), ByteStr::from("120"));
    let forged = ("Call-ID".parse().unwrap(), ByteStr::from("other"));
    desk.session.reject_with(desk.now, StatusCode::BUSY_HERE, &[retry, forged]);
    let transmits = desk.transmits();
    let [SessionTransmit::Respond { response, .. }] = &transmits[..] else { panic!("{transmits:?}") };
    assert_eq!(response.headers().raw(&"Retry-After".parse().unwrap()), Some("120"));
    assert_eq!(&**response.call_id(), "c1");
}

#[test]
fn a_status_that_refuses_nothing_is_not_sent_as_a_refusal() {
    let mut desk = Desk::called(&invite("", "")).unwrap();
    desk.session.reject(desk.now, StatusCode::OK);
    assert_eq!(desk.ended(), "Local: refused with 500 Server Internal Error");
}

#[test]
fn a_caller_that_hangs_up_an_early_dialog_gets_200_for_the_bye_and_487_for_the_invite() {
    let mut desk = Desk::called(&invite("", "")).unwrap();
    desk.session.ring(desk.now);
    desk.transmits();
    desk.branch += 1;
    let (id, bye) = Desk::named(&mut desk.table, desk.now, &request_text("BYE", 2, desk.branch, ";tag=ours", "", ""));
    desk.session.handle_request(desk.now, id, bye, flow());
    let statuses: Vec<u16> = desk
        .transmits()
        .iter()
        .map(|transmit| match transmit {
            SessionTransmit::Respond { response, .. } => response.status().code(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(statuses, [200, 487]);
    assert_eq!(desk.ended(), "Remote: cancelled");
}

#[test]
fn a_second_invite_before_the_first_is_answered_is_put_off() {
    let mut desk = Desk::called(&invite("", "")).unwrap();
    let response = desk.ask("INVITE", 2, "", "").unwrap();
    assert_eq!(response.status(), StatusCode::SERVER_INTERNAL_ERROR);
    let after: u32 = response.headers().raw(&"Retry-After".parse().unwrap()).unwrap().parse().unwrap();
    assert!(after <= 10);
}

#[test]
fn an_update_before_the_answer_refreshes_the_target_or_is_put_off() {
    let mut desk = Desk::called(&invite(SDP, "offer")).unwrap();
    assert_eq!(desk.status_of("UPDATE", 2, "Contact: <sip:moved@192.0.2.9>\r\n", ""), 200);
    assert_eq!(desk.status_of("UPDATE", 3, SDP, "another offer"), 500);
}

#[test]
fn a_late_cancel_changes_nothing() {
    let (mut table, now) = Desk::table();
    let (id, request) = Desk::named(&mut table, now, &invite(SDP, "offer"));
    let mut session = InviteSession::incoming(now, config(), id, request, flow(), ByteStr::from("ours")).unwrap();
    session.answer(now, Bytes::from_static(b"answer")).unwrap();
    session.handle_cancelled(now, id);
    assert!(session.is_established());
}

#[test]
fn an_ack_with_another_cseq_acknowledges_nothing() {
    let mut desk = Desk::called(&invite(SDP, "offer")).unwrap();
    desk.session.answer(desk.now, Bytes::from_static(b"answer")).unwrap();
    desk.acknowledge(7, "");
    assert!(!desk.session.may_offer() && desk.events().is_empty(), "the 2xx still waits for its ACK");
    desk.acknowledge(1, "");
    assert!(desk.session.may_offer());
    assert_eq!(desk.session.poll_timeout(), None);
}

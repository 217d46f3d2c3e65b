//! Requests within a dialog that offer nothing, and what comes after the end.

use std::sync::Arc;
use std::time::Duration;

use blether_session_core::{EndCause, InviteSession, SessionConfig, SessionEvent, SessionTransmit};
use blether_sip_core::{ByteStr, Response, StatusCode};
use bytes::Bytes;

use crate::desk::{Desk, SDP, config, flow, invite, parsed, request_text};

#[test]
fn a_request_that_is_out_of_order_is_refused_with_500() {
    let mut desk = Desk::established();
    assert_eq!(desk.status_of("INFO", 7, "", ""), 200);
    assert_eq!(desk.status_of("INFO", 6, "", ""), 500);
    assert_eq!(desk.status_of("INFO", 8, "", ""), 200);
}

#[test]
fn requests_that_are_not_for_a_session_name_what_is_allowed() {
    let mut desk = Desk::established();
    for (cseq, method, code) in [(2, "REFER", 405), (3, "MESSAGE", 405), (4, "NONSENSE", 501)] {
        let response = desk.ask(method, cseq, "", "").unwrap();
        assert_eq!(response.status().code(), code, "{method}");
        let allow = response.headers().raw(&"Allow".parse().unwrap()).unwrap();
        assert_eq!(allow, "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE");
    }
    assert_eq!(desk.status_of("OPTIONS", 5, "", ""), 200);
    assert_eq!(desk.status_of("PRACK", 6, "", ""), 481);
    assert_eq!(desk.status_of("OPTIONS", 7, "Require: foo\r\n", ""), 420);
}

#[test]
fn dtmf_in_info_is_passed_up_and_other_info_is_refused() {
    let mut desk = Desk::established();
    assert_eq!(
        desk.status_of("INFO", 2, "Content-Type: application/DTMF-relay\r\n", "Signal=5\r\nDuration=160\r\n"),
        200
    );
    let events = desk.events();
    let [SessionEvent::Info { content_type, body }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(&**content_type, "application/dtmf-relay");
    assert_eq!(&body[..], b"Signal=5\r\nDuration=160\r\n");
    assert_eq!(desk.status_of("INFO", 3, "Content-Type: text/plain\r\n", "hello"), 415);
    assert!(desk.events().is_empty());
}

#[test]
fn dtmf_in_info_that_leads_nowhere_is_refused() {
    let (mut table, now) = Desk::table();
    let (id, invite) = Desk::named(&mut table, now, &invite(SDP, "offer"));
    let config = Arc::new(SessionConfig { takes_info: false, ..(*config()).clone() });
    let session = InviteSession::incoming(now, config, id, invite, flow(), ByteStr::from("ours")).unwrap();
    let mut desk = Desk { session, table, now, branch: 1 };
    desk.session.answer(desk.now, Bytes::from_static(b"answer")).unwrap();
    desk.acknowledge(1, "");
    desk.transmits();
    desk.events();
    let response = desk.ask("INFO", 2, "Content-Type: application/dtmf-relay\r\n", "Signal=5").unwrap();
    assert_eq!(response.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(response.headers().raw(&"Accept".parse().unwrap()), Some(""));
    assert!(desk.events().is_empty());
    // Whether the session lives may still be asked so.
    assert_eq!(desk.status_of("INFO", 3, "", ""), 200);
}

#[test]
fn a_request_of_another_dialog_finds_none() {
    let mut desk = Desk::established();
    let text = String::from_utf8(request_text("BYE", 5, 77, ";tag=ours", "", "").to_bytes().to_vec()).unwrap();
    let stranger = parsed(text.replace("tag=theirs", "tag=strange"));
    let (id, stranger) = Desk::named(&mut desk.table, desk.now, &stranger);
    desk.session.handle_request(desk.now, id, stranger, flow());
    assert!(matches!(&desk.transmits()[..], [SessionTransmit::Respond { response, .. }]
        if response.status() == StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST));
    assert!(desk.session.is_established());
}

#[test]
fn ending_twice_or_after_the_end_does_nothing() {
    let mut desk = Desk::established();
    desk.session.end(desk.now, EndCause::HungUp);
    desk.session.end(desk.now, EndCause::Failed);
    let (token, bye) = desk.sent();
    desk.responds(token, Response::to_request(&bye, StatusCode::OK).build());
    assert_eq!(desk.ended(), "Local: hung up");
    desk.session.end(desk.now, EndCause::HungUp);
    desk.session.ring(desk.now);
    desk.session.handle_timeout(desk.now + Duration::from_secs(1_000));
    assert!(desk.transmits().is_empty() && desk.events().is_empty());
    assert_eq!(desk.status_of("INFO", 9, "", ""), 481);
    assert!(desk.session.is_terminated());
}

#[test]
fn a_bye_after_the_end_finds_no_call() {
    let mut desk = Desk::established();
    assert_eq!(desk.status_of("BYE", 2, "", ""), 200);
    assert_eq!(desk.ended(), "Remote: hung up");
    assert_eq!(desk.status_of("BYE", 3, "", ""), 481);
    assert!(desk.events().is_empty());
}

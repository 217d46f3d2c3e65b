//! Requests of ours whose connection ends under them.

use std::io::ErrorKind;

use blether_session_core::{EndCause, SessionEvent};
use blether_sip_core::{Method, StatusCode};
use bytes::Bytes;

use crate::desk::{Desk, answer};

#[test]
fn a_reinvite_on_a_connection_that_ends_is_sent_once_more_by_another() {
    let mut desk = Desk::established_by_tcp();
    desk.session.offer(desk.now, Bytes::from_static(b"change")).unwrap();
    let (token, first) = desk.sent();
    desk.cannot_send(token, ErrorKind::ConnectionReset);
    let (token, again) = desk.sent();
    assert_eq!((again.method(), again.body()), (&Method::Invite, first.body()));
    assert!(again.cseq().number > first.cseq().number);
    assert!(desk.events().is_empty());
    desk.cannot_send(token, ErrorKind::ConnectionReset);
    assert!(desk.transmits().is_empty());
    assert!(matches!(&desk.events()[..], [SessionEvent::OfferRefused { .. }]));
    // What was taken back is not tried again; what is offered later is.
    desk.session.offer(desk.now, Bytes::from_static(b"change")).unwrap();
    let (token, _) = desk.sent();
    desk.session.withdraw_offer(desk.now);
    desk.transmits();
    desk.cannot_send(token, ErrorKind::ConnectionReset);
    assert!(desk.transmits().is_empty() && matches!(&desk.events()[..], [SessionEvent::OfferRefused { .. }]));
    desk.session.offer(desk.now, Bytes::from_static(b"change")).unwrap();
    let (token, _) = desk.sent();
    desk.cannot_send(token, ErrorKind::ConnectionReset);
    let (token, again) = desk.sent();
    desk.responds(token, answer(&again, StatusCode::OK, "theirs", "changed"));
    assert!(matches!(&desk.events()[..], [SessionEvent::OfferAnswered { sdp: Some(_) }]));
}

#[test]
fn a_bye_on_a_connection_that_ends_is_sent_once_more_by_another() {
    let mut desk = Desk::established_by_tcp();
    desk.session.end(desk.now, EndCause::NoAnswer);
    let (token, first) = desk.sent();
    desk.cannot_send(token, ErrorKind::ConnectionAborted);
    let (token, again) = desk.sent();
    assert_eq!(*again.method(), Method::Bye);
    assert!(again.cseq().number > first.cseq().number);
    let reason = "Reason".parse().unwrap();
    assert_eq!(again.headers().raw(&reason), first.headers().raw(&reason));
    assert!(desk.events().is_empty(), "the peer does not know yet");
    desk.cannot_send(token, ErrorKind::ConnectionAborted);
    assert!(desk.transmits().is_empty());
    assert_eq!(desk.ended(), "Local: no answer");

    // Where no connection has ended, another try would fail alike.
    for (mut desk, kind) in [
        (Desk::established(), ErrorKind::ConnectionReset),
        (Desk::established_by_tcp(), ErrorKind::ConnectionRefused),
        (Desk::established_by_tcp(), ErrorKind::NetworkUnreachable),
    ] {
        desk.session.end(desk.now, EndCause::HungUp);
        let (token, _) = desk.sent();
        desk.cannot_send(token, kind);
        assert!(desk.transmits().is_empty());
        assert_eq!(desk.ended(), "Local: hung up");
    }
}

//! Offers within a dialog: whose turn it is, and what becomes of those that collide, are refused or taken back.

use std::io::ErrorKind;

use blether_session_core::{SessionEvent, SessionTransmit};
use blether_sip_core::{Method, Response, StatusCode};
use blether_transaction_core::{Failure, Timer};
use bytes::Bytes;

use crate::desk::{Desk, SDP, answer, flow, invite, request_text};

#[test]
fn an_offer_in_update_is_answered_at_once_and_without_resends() {
    let mut desk = Desk::established();
    assert!(desk.ask("UPDATE", 2, SDP, "hold").is_none());
    assert!(matches!(&desk.events()[..], [SessionEvent::Offer { sdp }] if &sdp[..] == b"hold"));
    desk.session.accept_offer(desk.now, Bytes::from_static(b"held")).unwrap();
    assert!(matches!(&desk.transmits()[..], [SessionTransmit::Respond { response, .. }]
        if response.status() == StatusCode::OK && &response.body()[..] == b"held"));
    assert_eq!(desk.session.poll_timeout(), None);
}

#[test]
fn a_second_offer_waits_for_the_first() {
    let mut desk = Desk::established();
    assert!(desk.ask("INVITE", 2, SDP, "hold").is_none());
    assert_eq!(desk.status_of("UPDATE", 3, SDP, "unhold"), 500);
    assert_eq!(desk.status_of("INVITE", 4, SDP, "unhold"), 500);
    assert!(desk.session.offer(desk.now, Bytes::from_static(b"ours")).is_err());
    desk.session.refuse_offer(desk.now, StatusCode::NOT_ACCEPTABLE_HERE).unwrap();
    assert!(desk.session.refuse_offer(desk.now, StatusCode::NOT_ACCEPTABLE_HERE).is_err());
    assert!(desk.ask("INVITE", 5, SDP, "again").is_none());
}

#[test]
fn an_offer_that_meets_one_of_ours_is_refused_with_491() {
    let mut desk = Desk::established();
    desk.session.offer(desk.now, Bytes::from_static(b"ours")).unwrap();
    assert_eq!(desk.status_of("INVITE", 2, SDP, "theirs"), 491);
    assert_eq!(desk.status_of("UPDATE", 3, SDP, "theirs"), 491);
    assert_eq!(desk.status_of("UPDATE", 4, "", ""), 200);
}

#[test]
fn a_reinvite_without_an_offer_wants_one() {
    let mut desk = Desk::established();
    assert!(desk.ask("INVITE", 2, "", "").is_none());
    assert!(matches!(&desk.events()[..], [SessionEvent::OfferWanted]));
    desk.session.accept_offer(desk.now, Bytes::from_static(b"our offer")).unwrap();
    // Its answer comes in the ACK; until then no other offer is taken (RFC 5407 §3.1.5).
    assert_eq!(desk.status_of("UPDATE", 3, SDP, "theirs"), 491);
    desk.acknowledge(2, "their answer");
    assert!(
        matches!(&desk.events()[..], [SessionEvent::OfferAnswered { sdp: Some(sdp) }] if &sdp[..] == b"their answer")
    );
    assert_eq!(desk.session.poll_timeout(), None);
}

#[test]
fn a_reinvite_that_is_cancelled_is_withdrawn() {
    let mut desk = Desk::established();
    desk.branch += 1;
    let reinvite = request_text("INVITE", 2, desk.branch, ";tag=ours", SDP, "hold");
    let (id, reinvite) = Desk::named(&mut desk.table, desk.now, &reinvite);
    desk.session.handle_request(desk.now, id, reinvite, flow());
    desk.session.handle_cancelled(desk.now, id);
    assert!(matches!(&desk.transmits()[..], [SessionTransmit::Respond { response, .. }]
        if response.status() == StatusCode::REQUEST_TERMINATED));
    assert!(matches!(&desk.events()[..], [SessionEvent::Offer { .. }, SessionEvent::OfferWithdrawn]));
    assert!(desk.session.accept_offer(desk.now, Bytes::new()).is_err());
}

#[test]
fn a_reinvite_before_the_ack_of_the_first_is_answered() {
    // RFC 5407 §3.1.4: the offer of the first INVITE was answered in its 200.
    let mut desk = Desk::called(&invite(SDP, "offer")).unwrap();
    desk.session.answer(desk.now, Bytes::from_static(b"answer")).unwrap();
    desk.transmits();
    assert!(desk.ask("INVITE", 2, SDP, "second").is_none());
    desk.session.accept_offer(desk.now, Bytes::from_static(b"second answer")).unwrap();
    desk.acknowledge(2, "");
    desk.acknowledge(1, "");
    assert_eq!(desk.session.poll_timeout(), None);
}

#[test]
fn a_reinvite_before_the_answer_in_the_ack_meets_our_offer() {
    // RFC 5407 §3.1.5.
    let mut desk = Desk::called(&invite("", "")).unwrap();
    desk.session.answer(desk.now, Bytes::from_static(b"offer")).unwrap();
    desk.transmits();
    assert_eq!(desk.status_of("INVITE", 2, SDP, "second"), 491);
}

#[test]
fn a_challenged_reinvite_is_sent_again_and_its_ack_has_the_same_credentials() {
    let mut desk = Desk::calling(Some("offer"), |_| {});
    let (token, request) = desk.sent();
    desk.responds(token, answer(&request, StatusCode::OK, "b1", "answer"));
    desk.acks();
    desk.session.offer(desk.now, Bytes::from_static(b"change")).unwrap();
    let (token, first) = desk.sent();
    let challenge = r#"Digest realm="example.org", nonce="n", qop="auth""#;
    let builder = Response::to_request(&first, StatusCode::UNAUTHORIZED);
    desk.responds(token, builder.raw("WWW-Authenticate", challenge).build());
    let (token, again) = desk.sent();
    assert_eq!((again.cseq().number, again.body()), (first.cseq().number + 1, first.body()));
    desk.events();
    desk.responds(token, answer(&again, StatusCode::OK, "b1", "changed"));
    let name = "Authorization".parse().unwrap();
    let [ack] = &desk.acks()[..] else { panic!() };
    assert_eq!(ack.headers().raw(&name), again.headers().raw(&name));
    assert!(matches!(&desk.events()[..], [SessionEvent::OfferAnswered { sdp: Some(_) }]));
}

#[test]
fn a_reinvite_that_cannot_be_sent_is_refused_with_503_and_the_session_stays() {
    for kind in [ErrorKind::QuotaExceeded, ErrorKind::NetworkUnreachable, ErrorKind::ConnectionReset] {
        let mut desk = Desk::established();
        desk.session.offer(desk.now, Bytes::from_static(b"change")).unwrap();
        let (token, _) = desk.sent();
        desk.cannot_send(token, kind);
        assert!(matches!(&desk.events()[..], [SessionEvent::OfferRefused { response }]
            if response.status() == StatusCode::SERVICE_UNAVAILABLE));
        assert!(desk.transmits().is_empty(), "neither a BYE nor another try by datagram");
        assert!(desk.session.is_established() && desk.session.may_offer());
    }
    // Silence is another matter (RFC 3261 §12.2.1.2).
    let mut desk = Desk::established();
    desk.session.offer(desk.now, Bytes::from_static(b"change")).unwrap();
    let (token, _) = desk.sent();
    desk.session.handle_failure(desk.now, token, Failure::TimedOut(Timer::B));
    assert_eq!(*desk.sent().1.method(), Method::Bye);
}

#[test]
fn a_peer_that_is_asked_for_an_offer_gets_its_answer_in_the_ack() {
    let mut desk = Desk::established();
    desk.session.pass_on_offer(desk.now, None).unwrap();
    let (token, wish) = desk.sent();
    assert!(wish.body().is_empty());
    let offer = answer(&wish, StatusCode::OK, "theirs", "their offer");
    desk.responds(token, offer.clone());
    assert!(desk.acks().is_empty(), "the answer is to be decided");
    assert!(matches!(&desk.events()[..], [SessionEvent::Offer { sdp }] if *sdp == "their offer"));
    // §14.2: nothing else meanwhile.
    assert_eq!(desk.status_of("INVITE", 2, SDP, "another"), 500);
    desk.session.accept_offer(desk.now, Bytes::from_static(b"our answer")).unwrap();
    let [ack] = &desk.acks()[..] else { panic!() };
    assert_eq!(ack.body(), "our answer");
    // A resent 2xx gets the same ACK, and is no offer again.
    desk.responds(token, offer);
    let [again] = &desk.acks()[..] else { panic!() };
    assert_eq!(again.body(), "our answer");
    assert!(desk.events().is_empty() && desk.session.may_offer());
}

#[test]
fn a_collision_of_an_offer_that_is_passed_on_is_told_at_once() {
    let mut desk = Desk::established();
    desk.session.pass_on_offer(desk.now, Some(Bytes::from_static(b"change"))).unwrap();
    let (token, reinvite) = desk.sent();
    desk.responds(token, answer(&reinvite, StatusCode::REQUEST_PENDING, "theirs", ""));
    assert!(matches!(&desk.events()[..], [SessionEvent::OfferRefused { response }] if response.status().code() == 491));
    assert_eq!(desk.session.poll_timeout(), None, "nothing is tried again here");
}

#[test]
fn an_offer_that_is_taken_back_is_cancelled_once_and_a_postponed_one_is_forgotten() {
    let mut desk = Desk::established();
    desk.session.offer(desk.now, Bytes::from_static(b"change")).unwrap();
    let (token, reinvite) = desk.sent();
    desk.session.withdraw_offer(desk.now);
    desk.session.withdraw_offer(desk.now);
    assert!(matches!(&desk.transmits()[..], [SessionTransmit::Cancel { token: of }] if *of == token));
    desk.responds(token, answer(&reinvite, StatusCode::REQUEST_TERMINATED, "theirs", ""));
    assert!(matches!(&desk.events()[..], [SessionEvent::OfferRefused { .. }]));

    desk.session.offer(desk.now, Bytes::from_static(b"change")).unwrap();
    let (token, reinvite) = desk.sent();
    desk.responds(token, answer(&reinvite, StatusCode::REQUEST_PENDING, "theirs", ""));
    assert!(desk.session.is_offer_postponed());
    desk.session.withdraw_offer(desk.now);
    assert!(!desk.session.is_offer_postponed() && desk.session.may_offer());
    assert!(desk.transmits().is_empty() && desk.events().is_empty());
    assert_eq!(desk.session.poll_timeout(), None);
}

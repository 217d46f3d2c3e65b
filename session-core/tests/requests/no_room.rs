//! A BYE of ours for which the table of transactions has no room.

use std::io::ErrorKind;
use std::time::Duration;

use blether_session_core::{EndCause, RequestToken};
use blether_sip_core::StatusCode;
use blether_transaction_core::{Failure, Timer};

use crate::desk::{Desk, answer};

/// Fails with no room what was sent, over and over, until `until` tries or the end: when each try was made, in ms.
fn without_room(desk: &mut Desk, until: usize) -> (RequestToken, Vec<u128>) {
    let begun = desk.now;
    let (mut token, first) = desk.sent();
    let mut tries = vec![0];
    while tries.len() < until {
        desk.cannot_send(token, ErrorKind::QuotaExceeded);
        assert!(desk.transmits().is_empty());
        let Some(due) = desk.session.poll_timeout() else { break };
        desk.session.handle_timeout(due - Duration::from_millis(1));
        assert!(desk.transmits().is_empty());
        desk.now = due;
        desk.session.handle_timeout(due);
        let (again, bye) = desk.sent();
        // It was never sent, and so is the same.
        assert_eq!(bye.to_bytes(), first.to_bytes());
        assert_eq!(desk.session.poll_timeout(), None);
        tries.push((due - begun).as_millis());
        token = again;
    }
    (token, tries)
}

#[test]
fn a_bye_that_finds_no_room_is_tried_again_until_there_is_some() {
    let mut desk = Desk::established();
    desk.session.end(desk.now, EndCause::HungUp);
    let (token, tries) = without_room(&mut desk, 6);
    assert_eq!(tries, [0, 500, 1_500, 3_500, 7_500, 11_500]);
    assert!(desk.events().is_empty(), "the peer does not know yet");
    desk.session.handle_failure(desk.now, token, Failure::TimedOut(Timer::F));
    assert_eq!(desk.ended(), "Local: hung up");
}

#[test]
fn a_bye_for_which_there_is_never_room_is_given_up_after_64_t1() {
    let mut desk = Desk::established();
    desk.session.end(desk.now, EndCause::HungUp);
    let (_, tries) = without_room(&mut desk, usize::MAX);
    assert_eq!(tries.last(), Some(&32_000));
    assert_eq!(tries.len(), 12);
    assert_eq!(desk.ended(), "Local: hung up");
}

#[test]
fn a_peer_that_hangs_up_while_our_bye_finds_no_room_needs_none() {
    let mut desk = Desk::established();
    desk.session.end(desk.now, EndCause::HungUp);
    let (token, _) = desk.sent();
    desk.cannot_send(token, ErrorKind::QuotaExceeded);
    assert_eq!(desk.status_of("BYE", 2, "", ""), 200);
    assert_eq!(desk.ended(), "Local: hung up");
    assert_eq!(desk.session.poll_timeout(), None);
}

#[test]
fn a_bye_to_a_branch_that_lost_is_tried_again_too() {
    let mut desk = Desk::calling(Some("offer"), |_| {});
    let (token, request) = desk.sent();
    desk.responds(token, answer(&request, StatusCode::OK, "b1", "answer"));
    desk.transmits();
    desk.responds(token, answer(&request, StatusCode::OK, "b2", "answer"));
    let (_, tries) = without_room(&mut desk, 4);
    assert_eq!(tries, [0, 500, 1_500, 3_500]);
    assert!(desk.session.is_established());
}

/// A session of ours whose second branch has lost and waits for room for its BYE, and that has ended itself.
fn ended_before_the_loser_is_told() -> Desk {
    let mut desk = Desk::calling(Some("offer"), |_| {});
    let (token, request) = desk.sent();
    desk.responds(token, answer(&request, StatusCode::OK, "b1", "answer"));
    desk.transmits();
    desk.responds(token, answer(&request, StatusCode::OK, "b2", "answer"));
    let (loser, _) = desk.sent();
    desk.session.end(desk.now, EndCause::HungUp);
    let (winner, bye) = desk.sent();
    desk.cannot_send(loser, ErrorKind::QuotaExceeded);
    desk.responds(winner, answer(&bye, StatusCode::OK, "b1", ""));
    assert_eq!(desk.ended(), "Local: hung up");
    assert!(desk.session.is_terminated());
    desk
}

#[test]
fn a_branch_that_lost_is_hung_up_after_the_session_has_ended() {
    let mut desk = ended_before_the_loser_is_told();
    assert!(desk.session.has_farewells());
    let due = desk.session.poll_timeout().unwrap();
    assert_eq!((due - desk.now).as_millis(), 500);
    desk.now = due;
    desk.session.handle_timeout(due);
    let (loser, bye) = desk.sent();
    assert!(bye.to().to_string().ends_with("tag=b2"), "{}", bye.to());
    // It is kept until it is known what becomes of it: there may be no room again, or it may be challenged.
    assert!(desk.session.has_farewells());
    desk.responds(loser, answer(&bye, StatusCode::OK, "b2", ""));
    assert!(!desk.session.has_farewells());
    assert_eq!(desk.session.poll_timeout(), None);
    assert!(desk.events().is_empty(), "the end was said before");
}

#[test]
fn a_branch_that_lost_is_given_up_64_t1_after_the_session_has_ended() {
    let mut desk = ended_before_the_loser_is_told();
    let begun = desk.now;
    while let Some(due) = desk.session.poll_timeout() {
        desk.now = due;
        desk.session.handle_timeout(due);
        let (loser, _) = desk.sent();
        desk.cannot_send(loser, ErrorKind::QuotaExceeded);
    }
    assert_eq!((desk.now - begun).as_millis(), 32_000);
    assert!(!desk.session.has_farewells());
}

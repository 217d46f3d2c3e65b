//! Calls between two phones over a network that loses nothing: who sends what, and what each side is told.
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

mod simulation;

use std::time::Duration;

use blether_session_core::EndCause;
use blether_sip_core::StatusCode;
use simulation::{FORK, Manner, World, address, sdp};

fn two() -> World {
    World::new(1, &["alice", "bob"])
}

fn answering() -> World {
    let mut world = two();
    world.phones[1].manner = Manner::Answer(Duration::from_millis(1_000));
    world.alice_calls(1);
    world
}

#[test]
fn a_call_is_answered_and_hung_up_by_the_caller() {
    let mut world = answering();
    world.at(5_000, 0, |alice, now| alice.seats[0].session.end(now, EndCause::HungUp));
    world.run();
    assert_eq!(
        world.messages(),
        [
            "alice>bob INVITE",
            "bob>alice 180 INVITE",
            "bob>alice 200 INVITE",
            "alice>bob ACK",
            "alice>bob BYE",
            "bob>alice 200 BYE"
        ]
    );
    assert_eq!(world.said(0), ["Ringing", "Answered answer", "Ended Local: hung up"]);
    assert_eq!(world.said(1), ["Confirmed -", "Ended Remote: hung up"]);
    world.assert_all_over();
}

#[test]
fn a_call_is_hung_up_by_the_called_side() {
    let mut world = answering();
    world.at(5_000, 1, |bob, now| bob.seats[0].session.end(now, EndCause::HungUp));
    world.run();
    assert_eq!(world.messages()[4..], ["bob>alice BYE", "alice>bob 200 BYE"]);
    assert_eq!(world.said(0).last(), Some(&"Ended Remote: hung up"));
    assert_eq!(world.said(1).last(), Some(&"Ended Local: hung up"));
    world.assert_all_over();
}

#[test]
fn a_call_stands_until_someone_hangs_up() {
    let mut world = answering();
    world.run();
    for phone in &world.phones {
        assert!(phone.seats[0].session.is_established());
        assert_eq!(phone.seats[0].session.poll_timeout(), None);
    }
}

#[test]
fn a_busy_phone_refuses() {
    let mut world = two();
    world.phones[1].manner = Manner::Refuse(StatusCode::BUSY_HERE);
    world.alice_calls(1);
    world.run();
    assert_eq!(world.messages(), ["alice>bob INVITE", "bob>alice 486 INVITE", "alice>bob ACK"]);
    assert_eq!(world.said(0), ["Refused 486", "Ended Remote: refused with 486 Busy Here"]);
    assert_eq!(world.said(1), ["Ended Local: refused with 486 Busy Here"]);
    world.assert_all_over();
}

#[test]
fn a_caller_gives_up_while_it_rings() {
    let mut world = two();
    world.alice_calls(1);
    world.at(3_000, 0, |alice, now| {
        alice.seats[0].session.end(now, EndCause::Cancelled);
        alice.seats[0].session.end(now, EndCause::Failed);
    });
    world.run();
    assert_eq!(
        world.messages(),
        [
            "alice>bob INVITE",
            "bob>alice 180 INVITE",
            "alice>bob CANCEL",
            "bob>alice 200 CANCEL",
            "bob>alice 487 INVITE",
            "alice>bob ACK"
        ]
    );
    assert_eq!(world.said(0), ["Ringing", "Ended Local: cancelled"]);
    assert_eq!(world.said(1), ["Ended Remote: cancelled"]);
    world.assert_all_over();
}

#[test]
fn nobody_answers_within_the_ring_time() {
    let mut world = two();
    world.at(0, 0, |alice, now| {
        let mut invite = alice.invite(address(1), Some("offer"));
        invite.timeout = Some(Duration::from_secs(20));
        alice.call(now, invite);
    });
    world.run();
    assert_eq!(world.events(0), ["0 Ringing", "20000 Refused 408", "20000 Ended Local: no answer"]);
    assert_eq!(world.said(1), ["Ended Remote: cancelled"]);
    world.assert_all_over();
}

#[test]
fn a_long_ringing_is_said_again_each_minute() {
    let mut world = two();
    world.at(0, 0, |alice, now| {
        let mut invite = alice.invite(address(1), Some("offer"));
        invite.timeout = None;
        alice.call(now, invite);
    });
    world.at(200_000, 1, |bob, now| bob.seats[0].session.reject(now, StatusCode::BUSY_HERE));
    world.run();
    assert_eq!(world.times_of("bob>alice 180 INVITE"), [0, 60_000, 120_000, 180_000]);
    assert_eq!(world.said(0), ["Ringing", "Refused 486", "Ended Remote: refused with 486 Busy Here"]);
    world.assert_all_over();
}

#[test]
fn a_peer_that_does_not_exist_is_a_time_out() {
    let mut world = two();
    world.alice_calls(7);
    world.run();
    assert_eq!(world.events(0), ["32000 Refused 408", "32000 Ended Local: peer answers no more"]);
    world.assert_all_over();
}

#[test]
fn early_media_is_passed_up_once_and_the_answer_again() {
    let mut world = two();
    world.alice_calls(1);
    world.at(100, 1, |bob, now| bob.seats[0].session.progress(now, Some(sdp("early"))));
    world.at(200, 1, |bob, now| bob.seats[0].session.progress(now, Some(sdp("early"))));
    world.at(300, 1, |bob, now| bob.seats[0].session.answer(now, sdp("early")).unwrap());
    world.at(400, 1, |bob, now| bob.seats[0].session.end(now, EndCause::HungUp));
    world.run();
    assert_eq!(world.said(0), ["Ringing", "Progress early", "Progress -", "Answered early", "Ended Remote: hung up"]);
    world.assert_all_over();
}

#[test]
fn an_invite_without_an_offer_gets_one_in_the_200_and_answers_in_the_ack() {
    let mut world = two();
    world.phones[1].manner = Manner::Answer(Duration::ZERO);
    world.at(0, 0, |alice, now| {
        let invite = alice.invite(address(1), None);
        alice.call(now, invite);
    });
    world.at(2_000, 0, |alice, now| alice.seats[0].session.end(now, EndCause::HungUp));
    world.run();
    assert_eq!(world.said(0), ["Ringing", "Answered -", "Offer answer", "Ended Local: hung up"]);
    assert_eq!(world.said(1), ["Confirmed later answer", "Ended Remote: hung up"]);
    world.assert_all_over();
}

#[test]
fn an_offer_in_a_200_that_is_refused_is_acknowledged_and_hung_up() {
    let mut world = two();
    world.phones[1].manner = Manner::Answer(Duration::ZERO);
    world.phones[0].accepts_offers = false;
    world.at(0, 0, |alice, now| {
        let invite = alice.invite(address(1), None);
        alice.call(now, invite);
    });
    world.at(400, 0, |alice, now| {
        alice.seats[0].session.refuse_offer(now, StatusCode::NOT_ACCEPTABLE_HERE).unwrap();
    });
    world.run();
    assert_eq!(world.messages()[3..], ["alice>bob ACK", "alice>bob BYE", "bob>alice 200 BYE"]);
    assert_eq!(world.said(0).last(), Some(&"Ended Local: refused with 488 Not Acceptable Here"));
    world.assert_all_over();
}

#[test]
fn of_two_phones_behind_a_fork_that_answer_the_first_wins_and_the_other_is_hung_up() {
    let mut world = World::new(1, &["alice", "bob", "carol"]);
    world.fork_to(&[1, 2]);
    world.phones[1].manner = Manner::Answer(Duration::from_millis(1_000));
    world.phones[2].manner = Manner::Answer(Duration::from_millis(1_050));
    world.alice_calls(FORK);
    world.at(5_000, 0, |alice, now| alice.seats[0].session.end(now, EndCause::HungUp));
    world.run();
    assert_eq!(world.said(0), ["Ringing", "Ringing", "Answered answer", "Ended Local: hung up"]);
    assert_eq!(world.said(1), ["Confirmed -", "Ended Remote: hung up"]);
    assert_eq!(world.events(2), ["1050 Confirmed -", "1050 Ended Remote: hung up"]);
    assert_eq!(world.times_of("alice>carol ACK"), [1_050]);
    assert_eq!(world.times_of("alice>carol BYE"), [1_050]);
    world.assert_all_over();
}

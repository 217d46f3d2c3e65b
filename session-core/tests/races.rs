//! What crosses, gets lost or comes twice (RFC 5407, RFC 3261 §13.3.1.4, §14, §15).
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

mod simulation;

use std::time::Duration;

use blether_session_core::EndCause;
use blether_sip_core::StatusCode;
use blether_testkit::Impairment;
use simulation::{FORK, Manner, World, sdp};

const DELAY: Duration = Duration::from_millis(50);

/// Two phones 50 ms apart; Bob answers after this many ms of ringing, and Alice calls at once.
fn answering_after(ms: u64) -> World {
    let mut world = World::new(1, &["alice", "bob"]);
    world.network.set_impairment(Impairment { delay: DELAY, ..Impairment::NONE });
    world.phones[1].manner = Manner::Answer(Duration::from_millis(ms));
    world.alice_calls(1);
    world
}

fn hang_up(phone: usize, ms: u64, world: &mut World) {
    world.at(ms, phone, |phone, now| phone.seats[0].session.end(now, EndCause::HungUp));
}

#[test]
fn a_200_that_crosses_the_cancel_is_acknowledged_and_hung_up() {
    // Bob's 200 leaves at 1050; Alice's CANCEL leaves at 1060 and meets it on the way (RFC 5407 §3.1.2).
    let mut world = answering_after(1_000);
    world.at(1_060, 0, |alice, now| alice.seats[0].session.end(now, EndCause::Cancelled));
    world.run();
    assert_eq!(
        world.ladder,
        [
            "0 alice>bob INVITE",
            "50 bob>alice 180 INVITE",
            "1050 bob>alice 200 INVITE",
            "1060 alice>bob CANCEL",
            "1100 alice>bob ACK",
            "1100 alice>bob BYE",
            "1110 bob>alice 200 CANCEL",
            "1150 bob>alice 200 BYE"
        ]
    );
    assert_eq!(world.said(0), ["Ringing", "Ended Local: cancelled"]);
    assert_eq!(world.said(1), ["Confirmed -", "Ended Remote: hung up"]);
    world.assert_all_over();
}

#[test]
fn a_lost_200_is_sent_again_after_t1() {
    let mut world = answering_after(1_000);
    world.lose("bob>alice 200 INVITE", 2);
    hang_up(0, 9_000, &mut world);
    world.run();
    assert_eq!(world.times_of("bob>alice 200 INVITE lost"), [1_050, 1_550]);
    assert_eq!(world.times_of("bob>alice 200 INVITE"), [2_550]);
    world.assert_all_over();
}

#[test]
fn each_resent_200_is_acknowledged_again() {
    let mut world = answering_after(1_000);
    world.lose("alice>bob ACK", 3);
    hang_up(0, 9_000, &mut world);
    world.run();
    assert_eq!(world.times_of("bob>alice 200 INVITE"), [1_050, 1_550, 2_550, 4_550]);
    assert_eq!(world.times_of("alice>bob ACK"), [4_600]);
    assert_eq!(world.said(0), ["Ringing", "Answered answer", "Ended Local: hung up"]);
    assert_eq!(world.said(1), ["Confirmed -", "Ended Remote: hung up"]);
    world.assert_all_over();
}

#[test]
fn a_200_that_is_never_acknowledged_is_resent_up_to_t2_and_hung_up_after_64_t1() {
    let mut world = answering_after(0);
    world.lose("alice>bob ACK", usize::MAX);
    world.run();
    let resent: Vec<u64> = world.times_of("bob>alice 200 INVITE").iter().map(|ms| ms - 50).collect();
    assert_eq!(resent, [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
    assert_eq!(world.times_of("bob>alice BYE"), [32_050]);
    assert_eq!(world.said(1), ["Ended Local: answer was never acknowledged"]);
    assert_eq!(world.said(0).last(), Some(&"Ended Remote: hung up"));
    world.assert_all_over();
}

#[test]
fn a_called_side_that_hangs_up_before_the_ack_waits_for_it() {
    let mut world = answering_after(1_000);
    hang_up(1, 1_060, &mut world);
    world.run();
    assert_eq!(world.times_of("bob>alice BYE"), [1_150]);
    assert_eq!(world.said(1), ["Ended Local: hung up"]);
    assert_eq!(world.said(0), ["Ringing", "Answered answer", "Ended Remote: hung up"]);
    world.assert_all_over();
}

#[test]
fn a_bye_overtakes_the_ack() {
    let mut world = answering_after(1_000);
    world.lose("alice>bob ACK", 1);
    hang_up(0, 1_200, &mut world);
    world.run();
    assert_eq!(world.said(1), ["Ended Remote: hung up"]);
    assert_eq!(world.times_of("bob>alice 200 INVITE"), [1_050], "no resend after the BYE");
    world.assert_all_over();
}

#[test]
fn crossing_byes_are_both_answered() {
    let mut world = answering_after(1_000);
    hang_up(0, 5_000, &mut world);
    hang_up(1, 5_020, &mut world);
    world.run();
    assert_eq!(world.messages()[4..], ["alice>bob BYE", "bob>alice BYE", "bob>alice 200 BYE", "alice>bob 200 BYE"]);
    assert_eq!(world.said(0).last(), Some(&"Ended Local: hung up"));
    assert_eq!(world.said(1).last(), Some(&"Ended Local: hung up"));
    world.assert_all_over();
}

#[test]
fn a_caller_hangs_up_before_anything_was_heard() {
    let mut world = answering_after(1_000);
    world.lose("alice>bob INVITE", 2);
    world.at(100, 0, |alice, now| alice.seats[0].session.end(now, EndCause::Cancelled));
    world.run();
    // No CANCEL before a 1xx (RFC 3261 §9.1); the INVITE gets through at 1500.
    assert_eq!(world.times_of("alice>bob CANCEL"), [1_600]);
    assert_eq!(world.said(0), ["Ended Local: cancelled"]);
    assert_eq!(world.said(1), ["Ended Remote: cancelled"]);
    world.assert_all_over();
}

#[test]
fn a_bye_that_nobody_answers_ends_the_session_all_the_same() {
    let mut world = answering_after(1_000);
    world.lose("bob>alice 200 BYE", usize::MAX);
    hang_up(0, 5_000, &mut world);
    world.run();
    assert_eq!(world.events(0).last(), Some(&"37000 Ended Local: hung up"));
    world.assert_all_over();
}

#[test]
fn a_change_is_offered_and_answered() {
    let mut world = answering_after(1_000);
    world.at(5_000, 1, |bob, now| bob.seats[0].session.offer(now, sdp("hold")).unwrap());
    hang_up(0, 9_000, &mut world);
    world.run();
    assert_eq!(world.messages()[4..7], ["bob>alice INVITE", "alice>bob 200 INVITE", "bob>alice ACK"]);
    assert_eq!(world.said(0)[2], "Offer hold");
    assert_eq!(world.said(1)[1], "OfferAnswered later answer");
    world.assert_all_over();
}

#[test]
fn a_change_that_is_refused_leaves_the_session_as_it_was() {
    let mut world = answering_after(1_000);
    world.phones[0].accepts_offers = false;
    world.at(5_000, 1, |bob, now| bob.seats[0].session.offer(now, sdp("hold")).unwrap());
    world.at(5_500, 0, |alice, now| {
        alice.seats[0].session.refuse_offer(now, StatusCode::NOT_ACCEPTABLE_HERE).unwrap();
    });
    hang_up(0, 9_000, &mut world);
    world.run();
    assert_eq!(world.said(1), ["Confirmed -", "OfferRefused 488", "Ended Remote: hung up"]);
    world.assert_all_over();
}

#[test]
fn crossing_changes_are_refused_with_491_and_both_come_through_later() {
    let mut world = answering_after(1_000);
    world.at(5_000, 0, |alice, now| alice.seats[0].session.offer(now, sdp("from alice")).unwrap());
    world.at(5_010, 1, |bob, now| bob.seats[0].session.offer(now, sdp("from bob")).unwrap());
    hang_up(0, 20_000, &mut world);
    world.run();
    assert_eq!(world.times_of("alice>bob 491 INVITE").len() + world.times_of("bob>alice 491 INVITE").len(), 2);
    assert!(world.said(0).contains(&"OfferAnswered later answer") && world.said(0).contains(&"Offer from bob"));
    assert!(world.said(1).contains(&"OfferAnswered later answer") && world.said(1).contains(&"Offer from alice"));
    // §14.1: whoever chose the Call-ID waits for 2.1 to 4 s, the other for up to 2 s.
    let again = world.times_of("alice>bob INVITE")[2];
    assert!((7_110..=9_130).contains(&again), "{again}");
    let again = world.times_of("bob>alice INVITE")[1];
    assert!((5_050..=7_110).contains(&again), "{again}");
    world.assert_all_over();
}

#[test]
fn a_bye_that_overtakes_the_decision_on_a_change_answers_it_487() {
    let mut world = answering_after(1_000);
    world.phones[0].accepts_offers = false;
    world.at(5_000, 1, |bob, now| bob.seats[0].session.offer(now, sdp("hold")).unwrap());
    world.at(6_000, 1, |bob, now| bob.seats[0].session.end(now, EndCause::HungUp));
    world.run();
    assert_eq!(world.times_of("alice>bob 487 INVITE"), [6_050]);
    assert_eq!(world.said(0).last(), Some(&"Ended Remote: hung up"));
    world.assert_all_over();
}

#[test]
fn a_peer_that_is_gone_is_noticed_by_a_change_that_nobody_answers() {
    let mut world = answering_after(1_000);
    world.at(5_000, 0, |alice, now| alice.seats[0].session.offer(now, sdp("hold")).unwrap());
    world.at(4_000, 1, |bob, _| bob.seats.clear());
    world.run();
    assert_eq!(world.said(0).last(), Some(&"Ended Local: peer answers no more"));
    assert_eq!(world.times_of("bob>alice 481 INVITE"), [5_050]);
}

#[test]
fn a_late_answer_of_another_branch_is_hung_up_after_a_cancel_too() {
    let mut world = World::new(3, &["alice", "bob", "carol"]);
    world.network.set_impairment(Impairment { delay: DELAY, ..Impairment::NONE });
    world.fork_to(&[1, 2]);
    world.phones[1].manner = Manner::Answer(Duration::from_millis(1_000));
    world.phones[2].manner = Manner::Answer(Duration::from_millis(1_000));
    world.alice_calls(FORK);
    world.at(1_110, 0, |alice, now| alice.seats[0].session.end(now, EndCause::Cancelled));
    world.run();
    assert_eq!(world.said(0), ["Ringing", "Ringing", "Ended Local: cancelled"]);
    world.assert_all_over();
}

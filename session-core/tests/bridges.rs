//! Two phones that a server joins (a back-to-back user agent): hold and resume, delayed offers, and what crosses, gets lost or comes to nothing
//! (RFC 3261 §14, RFC 3264 §8, RFC 6337).
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

mod simulation;

use std::collections::BTreeSet;
use std::time::Duration;

use blether_session_core::{AudioFormat, EndCause, MediaCapabilities};
use blether_sip_core::StatusCode;
use blether_sip_core::sdp::Direction;
use blether_testkit::{Impairment, seeds};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use simulation::{Manner, Phone, World, address};

const ALICE: usize = 0;
const SERVER: usize = 1;
const BOB: usize = 2;

/// Alice calls Bob through the server at once, 10 ms each way; he answers after 100 ms.
fn talking() -> World {
    calling(1, true)
}

fn calling(seed: u64, offers: bool) -> World {
    let mut world = World::new(seed, &["alice", "server", "bob"]);
    world.network.set_impairment(Impairment { delay: Duration::from_millis(10), ..Impairment::NONE });
    for phone in [ALICE, BOB] {
        world.phones[phone].speaks(MediaCapabilities::g711());
    }
    world.phones[SERVER].speaks(MediaCapabilities::g711());
    world.phones[SERVER].manner = Manner::PassOn(BOB);
    world.phones[BOB].manner = Manner::Answer(Duration::from_millis(100));
    world.at(0, ALICE, move |alice, now| alice.call_talking(now, address(SERVER), offers));
    world
}

/// At this time, this phone wants media to go that way.
fn change(world: &mut World, ms: u64, phone: usize, wants: Direction) {
    world.at(ms, phone, move |phone, now| assert!(phone.change(now, wants)));
}

fn hang_up(world: &mut World, ms: u64, phone: usize) {
    world.at(ms, phone, |phone, now| phone.seats[0].session.end(now, EndCause::HungUp));
}

/// The directions that were agreed on, one after the other, as this phone sees them.
fn directions(world: &World, phone: usize) -> Vec<Direction> {
    let talk = world.phones[phone].seats[0].talk.as_ref().unwrap();
    talk.plans.iter().map(|plan| plan.direction).collect()
}

fn codecs(phone: &Phone, seat: usize) -> Vec<&str> {
    let plan = phone.seats[seat].talk.as_ref().unwrap().agreement.plan().unwrap();
    plan.formats.iter().map(|format| &*format.name).collect()
}

fn requests(world: &World, what: &str) -> usize {
    world.messages().iter().filter(|message| **message == what).count()
}

use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};

#[test]
fn a_hold_and_its_end_reach_the_other_phone_whichever_of_the_two_holds() {
    for (holder, held) in [(ALICE, BOB), (BOB, ALICE)] {
        let mut world = talking();
        change(&mut world, 1_000, holder, SendOnly);
        change(&mut world, 2_000, holder, SendRecv);
        change(&mut world, 3_000, holder, Inactive);
        change(&mut world, 4_000, holder, SendRecv);
        hang_up(&mut world, 5_000, held);
        world.run();
        assert_eq!(directions(&world, holder), [SendRecv, SendOnly, SendRecv, Inactive, SendRecv]);
        assert_eq!(directions(&world, held), [SendRecv, RecvOnly, SendRecv, Inactive, SendRecv]);
        world.assert_all_over();
    }
}

#[test]
fn the_holder_has_no_answer_before_the_held_phone_has_given_it() {
    let mut world = talking();
    change(&mut world, 1_000, ALICE, SendOnly);
    hang_up(&mut world, 5_000, ALICE);
    world.run();
    let from = world.ladder.iter().position(|line| line == "1000 alice>server INVITE").unwrap();
    assert_eq!(
        world.ladder[from..from + 6],
        [
            "1000 alice>server INVITE",
            "1010 server>bob INVITE",
            "1020 bob>server 200 INVITE",
            "1030 server>bob ACK",
            "1030 server>alice 200 INVITE",
            "1040 alice>server ACK",
        ]
    );
}

#[test]
fn two_phones_that_hold_each_other_resume_one_after_the_other() {
    let mut world = talking();
    change(&mut world, 1_000, ALICE, SendOnly);
    change(&mut world, 2_000, BOB, SendOnly);
    change(&mut world, 3_000, ALICE, SendRecv);
    change(&mut world, 4_000, BOB, SendRecv);
    hang_up(&mut world, 5_000, BOB);
    world.run();
    assert_eq!(directions(&world, ALICE), [SendRecv, SendOnly, Inactive, RecvOnly, SendRecv]);
    assert_eq!(directions(&world, BOB), [SendRecv, RecvOnly, Inactive, SendOnly, SendRecv]);
    world.assert_all_over();
}

#[test]
fn a_change_that_the_other_phone_refuses_is_refused_and_both_keep_what_they_have() {
    let mut world = talking();
    world.at(500, BOB, |bob, _| bob.accepts_offers = false);
    change(&mut world, 1_000, ALICE, SendOnly);
    world.at(1_500, BOB, |bob, _| bob.accepts_offers = true);
    // The refusal has left nothing behind: the next one goes through.
    change(&mut world, 2_000, ALICE, Inactive);
    hang_up(&mut world, 5_000, BOB);
    world.run();
    assert!(world.said(ALICE).contains(&"OfferRefused 488"), "{:?}", world.said(ALICE));
    assert_eq!(directions(&world, ALICE), [SendRecv, Inactive]);
    assert_eq!(directions(&world, BOB), [SendRecv, Inactive]);
    world.assert_all_over();
}

#[test]
fn a_refusal_that_would_end_the_askers_dialog_is_passed_on_as_one_that_does_not() {
    for (refusal, passed_on) in [
        (404, 488),
        (410, 488),
        (416, 488),
        (480, 488),
        (482, 500),
        (483, 500),
        (484, 488),
        (485, 488),
        (502, 500),
        (604, 488),
        (503, 500),
        (606, 606),
    ] {
        let mut world = talking();
        world.at(500, BOB, move |bob, _| {
            bob.accepts_offers = false;
            bob.refuses_offers_with = StatusCode::new(refusal).unwrap();
        });
        change(&mut world, 1_000, ALICE, SendOnly);
        world.at(1_500, BOB, |bob, _| bob.accepts_offers = true);
        // Both dialogs stand.
        change(&mut world, 2_000, ALICE, Inactive);
        hang_up(&mut world, 5_000, BOB);
        world.run();
        assert_eq!(requests(&world, &format!("server>alice {passed_on} INVITE")), 1, "{refusal}: {:#?}", world.ladder);
        assert_eq!(directions(&world, BOB), [SendRecv, Inactive]);
        world.assert_all_over();
    }
}

#[test]
fn a_phone_that_wants_no_change_just_now_is_left_in_peace_for_a_while() {
    let mut world = talking();
    change(&mut world, 1_000, ALICE, SendOnly);
    // As below, Bob has accepted what Alice takes back; but when the server comes to undo it, he has no time.
    world.lose_from(1_000, "bob>server 200 INVITE", 1);
    world.at(1_510, ALICE, |alice, now| alice.seats[0].session.withdraw_offer(now));
    world.at(1_400, BOB, |bob, _| {
        bob.accepts_offers = false;
        bob.refuses_offers_with = StatusCode::SERVICE_UNAVAILABLE;
    });
    world.at(8_000, BOB, |bob, _| bob.accepts_offers = true);
    hang_up(&mut world, 20_000, BOB);
    world.run();
    let repairs: Vec<_> = world.times_of("server>bob INVITE").into_iter().filter(|ms| *ms > 1_520).collect();
    assert_eq!(repairs.len(), 3, "{repairs:?}");
    assert!(repairs.windows(2).all(|pair| pair[1] - pair[0] >= 4_000), "{repairs:?}");
    assert_eq!(directions(&world, BOB), [SendRecv, RecvOnly, SendRecv]);
    world.assert_all_over();
}

#[test]
fn a_phone_that_was_not_told_an_answer_is_asked_again_until_it_agrees() {
    let mut world = talking();
    change(&mut world, 1_000, BOB, SendOnly);
    // Alice's first 200 is lost, and the second comes together with Bob's CANCEL: she follows what he has taken back.
    world.lose_from(1_000, "alice>server 200 INVITE", 1);
    world.at(1_520, BOB, |bob, now| {
        bob.seats[0].session.withdraw_offer(now);
        bob.accepts_offers = false;
        bob.refuses_offers_with = StatusCode::SERVICE_UNAVAILABLE;
    });
    world.at(8_000, BOB, |bob, _| bob.accepts_offers = true);
    hang_up(&mut world, 20_000, ALICE);
    world.run();
    assert_eq!(world.times_of("bob>server CANCEL"), world.times_of("alice>server 200 INVITE")[..1]);
    let repairs = world.times_of("server>bob INVITE").into_iter().filter(|ms| *ms > 1_100).collect::<Vec<_>>();
    assert_eq!(repairs.len(), 3, "{:#?}", world.ladder);
    assert!(repairs.windows(2).all(|pair| pair[1] - pair[0] >= 4_000), "{repairs:?}");
    assert_eq!(directions(&world, ALICE), [SendRecv, RecvOnly]);
    assert_eq!(directions(&world, BOB), [SendRecv, SendOnly]);
    world.assert_all_over();
}

#[test]
fn a_phone_that_answers_a_change_no_more_ends_the_call_on_both_legs() {
    let mut world = talking();
    change(&mut world, 1_000, ALICE, SendOnly);
    world.cut(900, BOB);
    world.run();
    // 64×T1 after the server's re-INVITE (RFC 3261 §14.1, §12.2.1.2).
    assert_eq!(world.events(ALICE).last().unwrap(), &"33020 Ended Remote: hung up");
    for seat in &world.phones[SERVER].seats {
        assert_eq!(seat.ended, 1);
        assert_eq!(seat.session.poll_timeout(), None);
    }
}

#[test]
fn both_phones_hold_at_once_and_both_holds_come_through() {
    for seed in 0..50 {
        let mut world = calling(seed, true);
        change(&mut world, 1_000, ALICE, SendOnly);
        // It meets the server's on the way.
        change(&mut world, 1_005, BOB, SendOnly);
        hang_up(&mut world, 20_000, ALICE);
        world.run();
        // Each got its 491 from the server, and waited in its own way: Alice has chosen her Call-ID, Bob has not.
        assert_eq!((requests(&world, "server>alice 491 INVITE"), requests(&world, "server>bob 491 INVITE")), (1, 1));
        let later = |what: &str| world.times_of(what).into_iter().find(|ms| *ms > 1_100).unwrap();
        assert!((1_020..=3_030).contains(&later("bob>server INVITE")), "{:#?}", world.ladder);
        assert!((3_120..=5_050).contains(&later("alice>server INVITE")), "{:#?}", world.ladder);
        assert_eq!(directions(&world, ALICE).last(), Some(&Inactive));
        assert_eq!(directions(&world, BOB).last(), Some(&Inactive));
        world.assert_all_over();
    }
}

#[test]
fn media_that_moves_and_a_refresh_are_answered_by_the_server_alone() {
    let mut world = talking();
    // The first re-INVITE is passed on, since it says more than nothing; repetitions are not.
    for ms in [1_000, 2_000, 3_000] {
        change(&mut world, ms, ALICE, SendOnly);
    }
    world.at(4_000, ALICE, |alice, now| {
        let talk = alice.seats[0].talk.as_mut().unwrap();
        let capabilities = talk.agreement.capabilities().clone();
        talk.agreement.open(capabilities, "192.0.2.77:7000".parse().unwrap());
        assert!(alice.change(now, SendOnly));
    });
    hang_up(&mut world, 5_000, ALICE);
    world.run();
    assert_eq!(requests(&world, "alice>server INVITE"), 5);
    assert_eq!(requests(&world, "server>bob INVITE"), 2);
    let moved = world.phones[SERVER].seats[0].talk.as_ref().unwrap().plans.last().unwrap();
    assert_eq!(moved.remote, "192.0.2.77:7000".parse().unwrap());
    assert_eq!(moved.direction, RecvOnly);
}

#[test]
fn a_change_of_codec_is_made_on_both_legs() {
    let mut world = talking();
    world.at(1_000, ALICE, |alice, now| {
        let talk = alice.seats[0].talk.as_mut().unwrap();
        let mut only_a_law = MediaCapabilities::g711();
        only_a_law.audio = vec![AudioFormat::new("PCMA", 8_000)];
        talk.agreement.open(only_a_law, "192.0.2.1:4000".parse().unwrap());
        assert!(alice.change(now, SendRecv));
    });
    hang_up(&mut world, 5_000, ALICE);
    world.run();
    for (phone, seat) in [(ALICE, 0), (SERVER, 0), (SERVER, 1), (BOB, 0)] {
        assert_eq!(codecs(&world.phones[phone], seat), ["PCMA"]);
    }
}

#[test]
fn a_caller_without_an_offer_gets_the_callees_and_its_choice_is_told_to_the_callee() {
    let mut world = calling(1, false);
    let mut only_a_law = MediaCapabilities::g711();
    only_a_law.audio = vec![AudioFormat::new("PCMA", 8_000)];
    world.phones[ALICE].speaks(only_a_law);
    hang_up(&mut world, 5_000, ALICE);
    world.run();
    for (phone, seat) in [(ALICE, 0), (SERVER, 0), (SERVER, 1), (BOB, 0)] {
        assert_eq!(codecs(&world.phones[phone], seat), ["PCMA"], "{:#?}", world.ladder);
    }
    world.assert_all_over();
}

#[test]
fn a_wish_for_an_offer_is_passed_on_and_the_answer_in_the_ack_too() {
    let mut world = talking();
    world.at(1_000, ALICE, |alice, now| alice.seats[0].session.pass_on_offer(now, None).unwrap());
    // Bob holds, and says so when he is asked.
    world.at(500, BOB, |bob, _| bob.seats[0].talk.as_mut().unwrap().wants = SendOnly);
    hang_up(&mut world, 5_000, BOB);
    world.run();
    let from = world.ladder.iter().position(|line| line == "1000 alice>server INVITE").unwrap();
    assert_eq!(
        world.ladder[from..from + 6],
        [
            "1000 alice>server INVITE",
            "1010 server>bob INVITE",
            "1020 bob>server 200 INVITE",
            "1030 server>alice 200 INVITE",
            "1040 alice>server ACK",
            "1050 server>bob ACK",
        ]
    );
    assert_eq!(directions(&world, ALICE), [SendRecv, RecvOnly]);
    assert_eq!(directions(&world, BOB), [SendRecv, SendOnly]);
    world.assert_all_over();
}

#[test]
fn a_wish_of_the_callee_for_an_offer_is_passed_on_to_the_caller() {
    let mut world = talking();
    world.at(500, ALICE, |alice, _| alice.seats[0].talk.as_mut().unwrap().wants = SendOnly);
    world.at(1_000, BOB, |bob, now| bob.seats[0].session.pass_on_offer(now, None).unwrap());
    hang_up(&mut world, 5_000, ALICE);
    world.run();
    assert_eq!(directions(&world, ALICE), [SendRecv, SendOnly]);
    assert_eq!(directions(&world, BOB), [SendRecv, RecvOnly]);
    world.assert_all_over();
}

#[test]
fn a_change_before_the_first_ack_has_come_is_made_all_the_same() {
    // Alice has the server's 200 at 150, and her ACK is lost: her change is passed on at once, and Bob's when her second ACK has come.
    for (holder, held) in [(ALICE, BOB), (BOB, ALICE)] {
        let mut world = talking();
        world.lose("alice>server ACK", 1);
        change(&mut world, 300, holder, SendOnly);
        hang_up(&mut world, 5_000, held);
        world.run();
        assert_eq!(directions(&world, holder), [SendRecv, SendOnly], "{:#?}", world.ladder);
        assert_eq!(directions(&world, held), [SendRecv, RecvOnly], "{:#?}", world.ladder);
        assert_eq!(requests(&world, "server>alice 491 INVITE") + requests(&world, "server>bob 491 INVITE"), 0);
        world.assert_all_over();
    }
}

#[test]
fn a_change_that_is_taken_back_before_the_other_phone_has_heard_of_it_changes_nothing() {
    for (holder, held) in [(ALICE, BOB), (BOB, ALICE)] {
        let mut world = talking();
        let names = ["alice", "server", "bob"];
        world.lose_from(1_000, &format!("server>{} INVITE", names[held]), 2);
        change(&mut world, 1_000, holder, SendOnly);
        // The server has said 100 by then, and the other phone nothing.
        world.at(1_300, holder, |phone, now| phone.seats[0].session.withdraw_offer(now));
        hang_up(&mut world, 20_000, holder);
        world.run();
        assert_eq!(requests(&world, &format!("{}>server CANCEL", names[holder])), 1);
        assert_eq!(directions(&world, holder), [SendRecv], "{:#?}", world.ladder);
        assert_eq!(directions(&world, held).last(), Some(&SendRecv), "{:#?}", world.ladder);
        world.assert_all_over();
    }
}

#[test]
fn a_change_that_is_taken_back_as_the_other_phone_accepts_it_is_undone_there() {
    let mut world = talking();
    change(&mut world, 1_000, ALICE, SendOnly);
    // Bob's first 200 is lost, and the second leaves at 1520 (T1); the server has said 100 by then.
    world.lose_from(1_000, "bob>server 200 INVITE", 1);
    world.at(1_510, ALICE, |alice, now| alice.seats[0].session.withdraw_offer(now));
    hang_up(&mut world, 10_000, BOB);
    world.run();
    assert_eq!(directions(&world, ALICE), [SendRecv]);
    assert_eq!(directions(&world, BOB), [SendRecv, RecvOnly, SendRecv]);
    world.assert_all_over();
}

#[test]
fn a_bye_that_crosses_a_change_ends_both_legs() {
    for ms in [990, 1_000, 1_005, 1_015, 1_025, 1_035] {
        for hanging_up in [ALICE, BOB] {
            let mut world = talking();
            change(&mut world, 1_000, ALICE, SendOnly);
            hang_up(&mut world, ms.max(1_000), hanging_up);
            world.run();
            world.assert_all_over();
        }
    }
}

/// Bad, but not so bad that all resends of a message would be lost.
fn bad_network(rng: &mut StdRng) -> Impairment {
    Impairment {
        loss: rng.random_range(0.0..0.2),
        duplicate: rng.random_range(0.0..0.2),
        reorder: rng.random_range(0.0..0.3),
        delay: Duration::from_millis(rng.random_range(1..200)),
        jitter: Duration::from_millis(rng.random_range(0..200)),
    }
}

fn some_codecs(rng: &mut StdRng) -> MediaCapabilities {
    let mut capabilities = MediaCapabilities::g711();
    match rng.random_range(0..4) {
        0 => capabilities.audio.reverse(),
        1 => capabilities.audio.truncate(1),
        2 => capabilities.audio.insert(0, AudioFormat::new("opus", 48_000)),
        _ => {}
    }
    capabilities
}

/// A call over a bad network, with changes at moments that do not suit: holds, wishes for an offer, other codecs, changes taken back.
fn random_conversation(seed: u64) -> World {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut world = calling(seed, rng.random_bool(0.7));
    world.network.set_impairment(bad_network(&mut rng));
    for phone in [ALICE, BOB] {
        let capabilities = some_codecs(&mut rng);
        world.phones[phone].speaks(capabilities);
    }
    world.phones[BOB].manner = Manner::Answer(Duration::from_millis(rng.random_range(0..3_000)));
    for _ in 0..rng.random_range(0..8) {
        let phone = if rng.random_bool(0.5) { ALICE } else { BOB };
        let ms = rng.random_range(0..40_000);
        let wants = [SendRecv, SendOnly, RecvOnly, Inactive][rng.random_range(0..4)];
        let what = rng.random_range(0..10);
        let other = some_codecs(&mut rng);
        world.at(ms, phone, move |phone, now| {
            if what == 0 && phone.seats.first().is_some_and(|seat| seat.session.may_offer()) {
                phone.seats[0].session.pass_on_offer(now, None).unwrap();
            } else if what == 1 && !phone.seats.is_empty() {
                let local = phone.address;
                phone.seats[0].talk.as_mut().unwrap().agreement.open(other, local);
                phone.change(now, wants);
            } else {
                phone.change(now, wants);
            }
        });
        if what == 2 {
            world.at(ms + rng.random_range(1..1_000), phone, |phone, now| {
                if let Some(seat) = phone.seats.first_mut() {
                    if seat.session.is_offer_postponed() {
                        seat.talk.as_mut().unwrap().agreement.offer_refused();
                    }
                    seat.session.withdraw_offer(now);
                }
            });
        }
    }
    world
}

#[test]
fn whatever_two_phones_change_over_a_bad_network_all_four_ends_come_to_agree() {
    let (mut stand, mut changes) = (0, 0);
    for seed in seeds(400) {
        let mut world = random_conversation(seed);
        world.run();
        let ends: Vec<_> = [(ALICE, 0), (SERVER, 0), (SERVER, 1), (BOB, 0)]
            .into_iter()
            .filter_map(|(phone, seat)| Some((phone, world.phones[phone].seats.get(seat)?)))
            .collect();
        let established = ends.iter().filter(|(_, seat)| seat.session.is_established()).count();
        assert!(established == 0 || established == 4, "seed {seed}: {established}\n{:#?}", world.ladder);
        for (_, seat) in &ends {
            assert_eq!(seat.session.poll_timeout(), None, "seed {seed}");
            assert_eq!(seat.ended, usize::from(established == 0), "seed {seed}: {:?}", seat.events);
        }
        if established == 0 {
            assert!(world.phones[SERVER].bridges.is_empty(), "seed {seed}");
            continue;
        }
        stand += 1;
        changes += directions(&world, BOB).len() - 1;
        let plans: Vec<_> =
            ends.iter().map(|(_, seat)| seat.talk.as_ref().unwrap().agreement.plan().unwrap()).collect();
        let ladder = || format!("seed {seed}\n{:#?}", world.ladder);
        for pair in plans.windows(2) {
            assert_eq!(pair[0].direction, pair[1].direction.reversed(), "{}", ladder());
        }
        let names = |at: usize| plans[at].formats.iter().map(|format| format.name.to_string()).collect::<BTreeSet<_>>();
        assert!((1..4).all(|at| names(at) == names(0)), "{}", ladder());
        for (_, seat) in &ends {
            assert!(!seat.talk.as_ref().unwrap().agreement.is_offering(), "{}", ladder());
        }
        assert_eq!(world.phones[SERVER].bridges[0].2.poll_timeout(), None, "{}", ladder());
    }
    // The network is not so bad that nothing would have been tried.
    assert!(stand > 100 && changes > 200, "{stand} calls stood, with {changes} changes");
}

#[test]
fn both_legs_end_whoever_hangs_up_or_is_cut_off_and_whatever_is_under_way() {
    for seed in seeds(300) {
        let mut world = random_conversation(seed ^ 0x5eed);
        let mut rng = StdRng::seed_from_u64(seed);
        let phone = if rng.random_bool(0.5) { ALICE } else { BOB };
        let ms = rng.random_range(0..41_000);
        if rng.random_bool(0.3) {
            world.cut(ms, phone);
        }
        world.at(ms, phone, |phone, now| {
            for seat in &mut phone.seats {
                seat.session.end(now, EndCause::HungUp);
            }
        });
        // Who answers a call that its caller has long given up needs to hang up too; a call that was cut off too.
        for (offset, phone) in [(0, ALICE), (10_000, BOB)] {
            world.at(200_000 + offset, phone, |phone, now| {
                for seat in &mut phone.seats {
                    seat.session.end(now, EndCause::HungUp);
                }
            });
        }
        world.run();
        world.assert_all_over();
        assert!(world.phones[SERVER].bridges.is_empty(), "seed {seed}");
    }
}

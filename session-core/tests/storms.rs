//! Many calls over a bad network, each from its own seed: whatever is lost, doubled or overtaken, both sides come to agree.
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

mod simulation;

use std::time::Duration;

use blether_session_core::EndCause;
use blether_sip_core::StatusCode;
use blether_testkit::{Impairment, seeds};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use simulation::{FORK, Manner, World, sdp};

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

fn manner(rng: &mut StdRng) -> Manner {
    match rng.random_range(0..4) {
        0 => Manner::Refuse(StatusCode::BUSY_HERE),
        1 => Manner::Ring,
        _ => Manner::Answer(Duration::from_millis(rng.random_range(0..5_000))),
    }
}

fn random_call(seed: u64) -> World {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut world = World::new(seed, &["alice", "bob", "carol"]);
    world.network.set_impairment(bad_network(&mut rng));
    let forked = rng.random_bool(0.3);
    for phone in [1, 2] {
        world.phones[phone].manner = match manner(&mut rng) {
            // A real proxy would cancel it when the other answers; this fork does not look at what it passes on.
            Manner::Ring if forked => Manner::Refuse(StatusCode::BUSY_HERE),
            manner => manner,
        };
    }
    if forked {
        world.fork_to(&[1, 2]);
    }
    world.alice_calls(if forked { FORK } else { 1 });
    // Some offers, and some who hang up early; verbs that do not fit any more are refused, which is what is tested.
    for _ in 0..rng.random_range(0..3) {
        let (phone, ms) = (rng.random_range(0..2), rng.random_range(0..30_000));
        world.at(ms, phone, |phone, now| {
            if let Some(seat) = phone.seats.first_mut() {
                let _ = seat.session.offer(now, sdp("change"));
            }
        });
    }
    if rng.random_bool(0.5) {
        let (phone, ms) = (rng.random_range(0..2), rng.random_range(0..10_000));
        world.at(ms, phone, |phone, now| {
            if let Some(seat) = phone.seats.first_mut() {
                seat.session.end(now, EndCause::HungUp);
            }
        });
    }
    world
}

#[test]
fn both_sides_agree_whether_there_is_a_call() {
    for seed in seeds(400) {
        let mut world = random_call(seed);
        world.run();
        let established =
            |phone: usize| world.phones[phone].seats.iter().filter(|seat| seat.session.is_established()).count();
        let callees = established(1) + established(2);
        assert_eq!(established(0), callees, "seed {seed}\n{:#?}", world.ladder);
        for phone in &world.phones {
            for seat in phone.seats.iter().filter(|seat| !seat.session.is_established()) {
                assert_eq!(seat.ended, 1, "seed {seed}, {}: {:?}\n{:#?}", phone.name, seat.events, world.ladder);
            }
            for seat in &phone.seats {
                assert_eq!(seat.session.poll_timeout(), None, "seed {seed}, {}", phone.name);
            }
        }
    }
}

#[test]
fn every_call_ends_on_both_sides_once_someone_hangs_up() {
    for seed in seeds(200) {
        let mut world = random_call(seed ^ 0x5eed);
        let mut rng = StdRng::seed_from_u64(seed);
        for phone in 0..3 {
            world.at(150_000 + 40 * rng.random_range(0..5), phone, |phone, now| {
                for seat in &mut phone.seats {
                    seat.session.end(now, EndCause::HungUp);
                }
            });
        }
        world.run();
        for phone in &world.phones {
            for seat in &phone.seats {
                assert_eq!(seat.ended, 1, "seed {seed}, {}: {:?}\n{:#?}", phone.name, seat.events, world.ladder);
                assert_eq!(seat.session.poll_timeout(), None, "seed {seed}");
            }
        }
    }
}

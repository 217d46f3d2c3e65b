use std::time::Duration;

use blether_rtp_core::*;

use crate::bench::{Bench, Leg, Phone, wait};

fn leg(bench: &Bench, remote: Option<&Phone>, direction: MediaDirection) -> Leg {
    let config = LegConfig {
        remote: remote.map(Phone::address),
        silent_after: Some(Duration::from_millis(50)),
        direction,
        ..LegConfig::default()
    };
    bench.leg(config, LegMode::Idle)
}

#[test]
fn a_peer_that_falls_silent_is_told_once_and_so_is_its_return() {
    let bench = Bench::new();
    let alice = Phone::new();
    let a = leg(&bench, Some(&alice), MediaDirection::SEND_RECEIVE);
    assert_eq!(a.event(), LegEvent::Silent);
    alice.say(&a, 1, b"");
    assert_eq!(a.event(), LegEvent::Heard);
    assert_eq!(a.event(), LegEvent::Silent);
    // Told once: the time of another one passes, and nothing more is said.
    let other = leg(&bench, Some(&alice), MediaDirection::SEND_RECEIVE);
    assert_eq!(other.event(), LegEvent::Silent);
    assert_eq!(a.events_so_far(), []);
}

#[test]
fn one_that_is_not_to_be_heard_is_gone_when_neither_media_nor_reports_come() {
    let bench = Bench::new();
    let alice = Phone::new();
    let config = LegConfig {
        remote: Some(alice.address()),
        silent_after: Some(Duration::from_millis(10)),
        gone_after: Some(Duration::from_millis(50)),
        direction: MediaDirection::SEND_ONLY,
        ..LegConfig::default()
    };
    let held = bench.leg(config, LegMode::Idle);
    assert_eq!(held.event(), LegEvent::Gone);
    alice.say(&held, 1, b"");
    assert_eq!((held.event(), held.event()), (LegEvent::Back, LegEvent::Gone));
    // A receiver report without blocks (RFC 3550 §6.4.2).
    let report = [&[0x80, 201, 0, 1][..], &[1, 2, 3, 4]].concat();
    alice.rtcp.send_to(&report, held.rtcp_address()).unwrap();
    assert_eq!((held.event(), held.event()), (LegEvent::Back, LegEvent::Gone));
}

#[test]
fn one_that_is_not_to_be_heard_yet_is_not_silent() {
    let bench = Bench::new();
    let (alice, bob) = (Phone::new(), Phone::new());
    // Put on hold, and one whose address is not known.
    let held = leg(&bench, Some(&alice), MediaDirection::SEND_ONLY);
    let unknown = leg(&bench, None, MediaDirection::SEND_RECEIVE);
    // The time of one that is to be heard passes meanwhile, twice.
    for _ in 0..2 {
        assert_eq!(leg(&bench, Some(&bob), MediaDirection::SEND_RECEIVE).event(), LegEvent::Silent);
    }
    alice.say(&held, 1, b"");
    bench.statistics_when(&held, |s| s.received_packets == 1);
    assert_eq!((held.events_so_far(), unknown.events_so_far()), (vec![], vec![]));
    wait(bench.worker.set_direction(held.id, MediaDirection::SEND_RECEIVE)).unwrap();
    wait(bench.worker.set_remote(unknown.id, bob.address())).unwrap();
    assert_eq!((held.event(), unknown.event()), (LegEvent::Silent, LegEvent::Silent));
}

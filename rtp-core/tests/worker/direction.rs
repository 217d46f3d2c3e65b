use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use blether_rtp_core::*;

use crate::bench::{Bench, Phone, wait};
use crate::processing::Ticker;

const KEYS: u8 = 101;

/// All of a key in one packet.
fn press(phone: &Phone, leg: &crate::bench::Leg, sequence: u16) {
    let header = RtpHeader {
        payload_type: KEYS,
        sequence: SequenceNumber(sequence),
        timestamp: RtpTimestamp(u32::from(sequence) * 160),
        ssrc: phone.ssrc,
        marker: true,
    };
    let mut payload = Vec::new();
    TelephoneEvent { event: 5, end: true, volume: 10, duration: 400 }.write(&mut payload);
    phone.send(leg, header, &payload);
}

fn key() -> LegEvent {
    LegEvent::TelephoneEvent { digit: '5', duration: Duration::from_millis(50) }
}

#[test]
fn nothing_is_relayed_to_a_leg_that_is_not_to_send_and_then_its_stream_goes_on_by_time() {
    let bench = Bench::new();
    let (alice, bob) = (Phone::new(), Phone::new());
    let b = bench.leg_to(bob.address());
    let config =
        LegConfig { remote: Some(alice.address()), telephone_event_payload_type: Some(KEYS), ..LegConfig::default() };
    let a = bench.leg(config, LegMode::Idle);
    wait(bench.worker.bridge(a.id, b.id)).unwrap();
    let before_last = Instant::now();
    alice.say(&a, 1, b"one");
    let last = bob.hear();
    let after_last = Instant::now();
    wait(bench.worker.set_direction(b.id, MediaDirection::RECEIVE_ONLY)).unwrap();
    for n in 2..5 {
        alice.say(&a, n, b"to nobody");
    }
    press(&alice, &a, 5);
    assert_eq!(a.event(), key(), "Alice's leg receives all the same");
    let statistics = bench.statistics_when(&b, |s| s.dropped.send_off == 4);
    assert_eq!((statistics.sent_packets, statistics.dropped), (1, Dropped { send_off: 4, ..Dropped::default() }));
    assert!(bob.hears_nothing());
    // The other way is open.
    bob.say(&b, 1, b"to Alice");
    assert_eq!(alice.hear().payload, b"to Alice");
    let before_next = Instant::now();
    wait(bench.worker.set_direction(b.id, MediaDirection::SEND_RECEIVE)).unwrap();
    // Her clock has gone on by more than the time that has passed here.
    alice.say(&a, 2_000, b"back");
    alice.say(&a, 2_001, b"again");
    let (next, after) = (bob.hear(), bob.hear());
    assert_eq!((next.payload.as_slice(), next.header.marker), (b"back".as_slice(), true));
    assert_eq!((after.payload.as_slice(), after.header.marker), (b"again".as_slice(), false));
    assert_eq!((next.header.ssrc, next.header.sequence), (last.header.ssrc, last.header.sequence.next()));
    assert_eq!(after.header.sequence, next.header.sequence.next());
    // Between the two moments as they were seen from here, and at least one packet.
    let ticks = |duration: Duration| i32::try_from(duration.as_micros() * 8 / 1_000).unwrap();
    let least = ticks(before_next - after_last).max(160);
    let most = (ticks(before_last.elapsed()) + 1).max(160);
    let passed = next.header.timestamp.distance(last.header.timestamp);
    assert!((least..=most).contains(&passed), "{least} <= {passed} <= {most}");
    assert_eq!(after.header.timestamp.distance(next.header.timestamp), 160);
}

#[test]
fn saying_the_same_direction_again_does_not_break_the_stream() {
    let bench = Bench::new();
    let (alice, a, bob, b) = bench.call();
    alice.say(&a, 1, b"one");
    for leg in [a.id, b.id] {
        wait(bench.worker.set_direction(leg, MediaDirection::SEND_RECEIVE)).unwrap();
    }
    alice.say(&a, 2, b"two");
    let (first, second) = (bob.hear(), bob.hear());
    assert_eq!(second.header.sequence, first.header.sequence.next());
    assert_eq!(second.header.timestamp.distance(first.header.timestamp), 160);
    assert!(!second.header.marker);
}

#[test]
fn a_processor_ticks_on_while_its_leg_is_not_to_send() {
    let bench = Bench::new();
    let alice = Phone::new();
    let (called, calls) = channel();
    let config =
        LegConfig { remote: Some(alice.address()), direction: MediaDirection::INACTIVE, ..LegConfig::default() };
    let leg = bench.leg(config, LegMode::Process(Box::new(Ticker::new(10, called))));
    assert_eq!(leg.event(), LegEvent::Finished);
    assert_eq!(calls.iter().take(10).count(), 10);
    let statistics = bench.statistics_when(&leg, |s| s.dropped.send_off == 10);
    assert_eq!(statistics.sent_packets, 0);
    assert!(alice.hears_nothing());
}

#[test]
fn what_a_processor_sends_after_a_hold_continues_its_stream() {
    let bench = Bench::new();
    let alice = Phone::new();
    let (called, _calls) = channel();
    let config = LegConfig { remote: Some(alice.address()), ..LegConfig::default() };
    let leg = bench.leg(config, LegMode::Process(Box::new(Ticker::new(10_000, called))));
    let mut last = alice.hear();
    assert!(last.header.marker);
    wait(bench.worker.set_direction(leg.id, MediaDirection::INACTIVE)).unwrap();
    bench.statistics_when(&leg, |s| s.dropped.send_off >= 5);
    wait(bench.worker.set_direction(leg.id, MediaDirection::SEND_RECEIVE)).unwrap();
    loop {
        let next = alice.hear();
        assert_eq!((next.header.ssrc, next.header.sequence), (last.header.ssrc, last.header.sequence.next()));
        if next.header.marker {
            // The ticker's own timestamps stand still; only time moves them.
            assert!(next.header.timestamp.distance(last.header.timestamp) >= 160);
            break;
        }
        last = next;
    }
    wait(bench.worker.remove_leg(leg.id)).unwrap();
}

#[test]
fn what_a_leg_is_not_to_receive_is_measured_and_goes_nowhere() {
    let bench = Bench::new();
    let (alice, bob) = (Phone::new(), Phone::new());
    // Where Alice's SDP says she is, behind her router.
    let nowhere = Phone::new();
    let b = bench.leg_to(bob.address());
    let config = LegConfig {
        remote: Some(nowhere.address()),
        telephone_event_payload_type: Some(KEYS),
        direction: MediaDirection::SEND_ONLY,
        ..LegConfig::default()
    };
    let a = bench.leg(config, LegMode::Relay { to: b.id });
    wait(bench.worker.set_mode(b.id, LegMode::Relay { to: a.id })).unwrap();
    alice.say(&a, 1, b"not yet believed");
    for n in 2..5 {
        alice.say(&a, n, b"not to be heard");
    }
    press(&alice, &a, 5);
    let statistics = bench.statistics_when(&a, |s| s.dropped.receive_off == 4);
    assert_eq!((statistics.received_packets, statistics.reception.received), (4, 4));
    // She is found all the same, and hears.
    assert_eq!(a.event(), LegEvent::Latched { from: alice.address() });
    bob.say(&b, 1, b"to Alice");
    assert_eq!(alice.hear().payload, b"to Alice");
    assert!(bob.hears_nothing());
    wait(bench.worker.set_direction(a.id, MediaDirection::SEND_RECEIVE)).unwrap();
    alice.say(&a, 6, b"heard");
    press(&alice, &a, 7);
    assert_eq!(bob.hear().payload, b"heard");
    assert_eq!(a.event(), key(), "the key before was not heard");
    assert_eq!(a.events_so_far(), []);
    let statistics = bench.statistics_when(&a, |s| s.received_packets == 6);
    assert_eq!((statistics.reception.lost, statistics.dropped.receive_off), (0, 4));
}

#[test]
fn what_was_not_received_is_no_gap_in_what_is_relayed() {
    let bench = Bench::new();
    let (alice, a, bob, _b) = bench.call();
    alice.say(&a, 1, b"one");
    let last = bob.hear();
    wait(bench.worker.set_direction(a.id, MediaDirection::INACTIVE)).unwrap();
    for n in 2..12 {
        alice.say(&a, n, b"");
    }
    bench.statistics_when(&a, |s| s.dropped.receive_off == 10);
    wait(bench.worker.set_direction(a.id, MediaDirection::SEND_RECEIVE)).unwrap();
    alice.say(&a, 12, b"back");
    let next = bob.hear();
    assert_eq!((next.payload.as_slice(), next.header.marker), (b"back".as_slice(), true));
    assert_eq!(next.header.sequence, last.header.sequence.next());
}

#[test]
fn what_came_before_the_direction_changed_is_still_heard() {
    let bench = Bench::new();
    let (alice, a, bob, _b) = bench.call();
    for n in 0..20 {
        alice.say(&a, n, &[n as u8]);
    }
    wait(bench.worker.set_direction(a.id, MediaDirection::INACTIVE)).unwrap();
    for n in 0..20 {
        assert_eq!(bob.hear().payload, [n]);
    }
}

#[test]
fn what_an_impairment_holds_back_does_not_leave_either() {
    let bench = Bench::new();
    let (alice, bob) = (Phone::new(), Phone::new());
    let impairment = Some(Impairment::new(0.0, Duration::from_millis(200), 3).unwrap());
    let config = LegConfig { remote: Some(bob.address()), impairment, ..LegConfig::default() };
    let b = bench.leg(config, LegMode::Idle);
    let a = bench.leg_to(alice.address());
    wait(bench.worker.set_mode(a.id, LegMode::Relay { to: b.id })).unwrap();
    for n in 0..50 {
        alice.say(&a, n, b"");
    }
    bench.statistics_when(&a, |s| s.received_packets == 50);
    wait(bench.worker.set_direction(b.id, MediaDirection::INACTIVE)).unwrap();
    let sent = wait(bench.worker.statistics(b.id)).unwrap().sent_packets;
    let statistics = bench.statistics_when(&b, |s| s.sent_packets + s.dropped.send_off == 50);
    assert_eq!(statistics.sent_packets, sent);
    for _ in 0..sent {
        bob.hear();
    }
    assert!(bob.hears_nothing());
}

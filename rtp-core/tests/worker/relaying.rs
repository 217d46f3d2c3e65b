use std::time::Duration;

use blether_rtp_core::*;

use crate::bench::{Bench, LOCALHOST, Phone, wait};
use crate::processing::Echo;

#[test]
fn a_bridge_relays_both_ways_as_one_stream_each() {
    let bench = Bench::new();
    let (alice, a, bob, b) = bench.call();
    for n in 0..5 {
        alice.say(&a, 65_533u16.wrapping_add(n), &[n as u8]);
    }
    let heard: Vec<_> = (0..5).map(|_| bob.hear()).collect();
    let first = &heard[0];
    for (n, packet) in heard.iter().enumerate() {
        assert_eq!(packet.from, b.address);
        assert_eq!(packet.payload, [n as u8]);
        assert_eq!(packet.header.payload_type, 8);
        assert_eq!(packet.header.ssrc, first.header.ssrc);
        assert_eq!(packet.header.sequence, first.header.sequence.plus(n as u16));
        assert_eq!(packet.header.marker, n == 0);
    }
    assert_ne!(first.header.ssrc, alice.ssrc);
    bob.say(&b, 7, b"hello");
    let heard = alice.hear();
    assert_eq!((heard.payload.as_slice(), heard.from), (b"hello".as_slice(), a.address));
    let (a, b) = (wait(bench.worker.remove_leg(a.id)).unwrap(), wait(bench.worker.remove_leg(b.id)).unwrap());
    assert_eq!((a.received_packets, a.received_bytes, a.sent_packets), (5, 5 * 13, 1));
    assert_eq!((b.received_packets, b.sent_packets, b.sent_bytes), (1, 5, 5 * 13));
    assert_eq!((a.reception.expected, a.reception.lost), (5, 0));
}

#[test]
fn what_is_lost_before_the_relay_is_missing_after_it_too() {
    let bench = Bench::new();
    let (alice, a, bob, _b) = bench.call();
    alice.say(&a, 10, b"");
    alice.say(&a, 13, b"");
    let (first, second) = (bob.hear(), bob.hear());
    assert_eq!(second.header.sequence.distance(first.header.sequence), 3);
    assert_eq!(second.header.timestamp.distance(first.header.timestamp), 480);
    assert_eq!(bench.statistics_when(&a, |s| s.received_packets == 2).reception.lost, 2);
}

#[test]
fn the_latch_moves_once_and_strangers_are_dropped_and_counted() {
    let bench = Bench::new();
    let (alice, stranger, bob) = (Phone::new(), Phone::new(), Phone::new());
    // Where Alice's SDP says she is, behind her router.
    let nowhere = Phone::new();
    let (a, b) = (bench.leg_to(nowhere.address()), bench.leg_to(bob.address()));
    wait(bench.worker.bridge(a.id, b.id)).unwrap();
    alice.say(&a, 1, b"not yet believed");
    alice.say(&a, 2, b"two");
    assert_eq!(bob.hear().payload, b"two");
    assert_eq!(a.event(), LegEvent::Latched { from: alice.address() });
    for n in 1..4 {
        stranger.say(&a, n, b"stranger");
    }
    alice.say(&a, 3, b"three");
    assert_eq!(bob.hear().payload, b"three");
    bob.say(&b, 1, b"to Alice");
    assert_eq!(alice.hear().payload, b"to Alice");
    let statistics = bench.statistics_when(&a, |s| s.sent_packets == 1);
    assert_eq!((statistics.received_packets, statistics.dropped.wrong_source), (2, 4));
    assert_eq!((statistics.remote, statistics.latched), (Some(alice.address()), true));
    assert!(nowhere.hears_nothing() && stranger.hears_nothing());
    assert_eq!(a.events_so_far(), []);
}

#[test]
fn a_peer_that_is_where_it_said_is_not_taken_over() {
    let bench = Bench::new();
    let (alice, a, bob, b) = bench.call();
    let stranger = Phone::new();
    alice.say(&a, 1, b"one");
    assert_eq!(bob.hear().payload, b"one");
    for n in 1..9 {
        // The socket is connected to Alice; the system may say so to the stranger.
        let _ = stranger.socket.send_to(&[0x80, 8, 0, n, 0, 0, 0, 0, 0, 0, 0, 1], a.address);
    }
    alice.say(&a, 2, b"two");
    assert_eq!(bob.hear().payload, b"two");
    bob.say(&b, 1, b"to Alice");
    assert_eq!(alice.hear().payload, b"to Alice");
    assert!(!bench.statistics_when(&a, |s| s.sent_packets == 1).latched);
}

#[test]
fn a_strict_leg_hears_only_the_signalled_address() {
    let bench = Bench::new();
    let (alice, stranger, bob) = (Phone::new(), Phone::new(), Phone::new());
    let b = bench.leg_to(bob.address());
    let config = LegConfig { remote: Some(alice.address()), latch: LatchPolicy::Strict, ..LegConfig::default() };
    let a = bench.leg(config, LegMode::Relay { to: b.id });
    for n in 1..5 {
        stranger.say(&a, n, b"stranger");
    }
    alice.say(&a, 1, b"Alice");
    assert_eq!(bob.hear().payload, b"Alice");
    assert_eq!(bench.statistics_when(&a, |s| s.received_packets == 1).dropped.wrong_source, 4);
}

#[test]
fn a_new_signalled_address_is_followed_and_latched_anew_after_the_socket_was_connected() {
    let bench = Bench::new();
    let (alice, a, bob, b) = bench.call();
    alice.say(&a, 1, b"old");
    assert_eq!(bob.hear().payload, b"old");
    bob.say(&b, 1, b"to the old one");
    assert_eq!(alice.hear().payload, b"to the old one");
    // A re-INVITE names an address behind a router, and packets come from the router.
    let (behind, router) = (Phone::new(), Phone::new());
    wait(bench.worker.set_remote(a.id, behind.address())).unwrap();
    bob.say(&b, 2, b"to the new one");
    assert_eq!(behind.hear().payload, b"to the new one");
    router.say(&a, 1, b"one");
    router.say(&a, 2, b"two");
    assert_eq!(bob.hear().payload, b"two");
    assert_eq!(a.event(), LegEvent::Latched { from: router.address() });
    bob.say(&b, 3, b"to the router");
    let heard = router.hear();
    assert_eq!((heard.payload.as_slice(), heard.from), (b"to the router".as_slice(), a.address));
    // The same again changes nothing.
    wait(bench.worker.set_remote(a.id, behind.address())).unwrap();
    bob.say(&b, 4, b"still to the router");
    assert_eq!(router.hear().payload, b"still to the router");
}

#[test]
fn a_leg_without_an_address_sends_nothing_until_it_has_one() {
    let bench = Bench::new();
    let (alice, bob) = (Phone::new(), Phone::new());
    let b = bench.leg(LegConfig::default(), LegMode::Idle);
    let a = bench.leg_to(alice.address());
    wait(bench.worker.bridge(a.id, b.id)).unwrap();
    alice.say(&a, 1, b"lost");
    bench.statistics_when(&b, |s| s.dropped.no_destination == 1);
    wait(bench.worker.set_remote(b.id, "0.0.0.0:4000".parse().unwrap())).unwrap();
    alice.say(&a, 2, b"held");
    bench.statistics_when(&b, |s| s.dropped.no_destination == 2);
    wait(bench.worker.set_remote(b.id, bob.address())).unwrap();
    alice.say(&a, 3, b"heard");
    assert_eq!(bob.hear().payload, b"heard");
}

#[test]
fn a_change_of_source_stays_one_stream_with_a_marker() {
    let bench = Bench::new();
    let (alice, a, bob, b) = bench.call();
    wait(bench.worker.set_mode(b.id, LegMode::Process(Box::<Echo>::default()))).unwrap();
    bob.say(&b, 1, b"echo");
    let echo = bob.hear();
    assert_eq!(echo.payload, b"echo");
    wait(bench.worker.bridge(a.id, b.id)).unwrap();
    alice.say(&a, 40_000, b"Alice");
    alice.say(&a, 40_001, b"Alice");
    let (first, second) = (bob.hear(), bob.hear());
    assert_eq!(first.header.ssrc, echo.header.ssrc);
    assert_eq!(first.header.sequence, echo.header.sequence.next());
    assert!(first.header.timestamp.is_after(echo.header.timestamp));
    assert!(first.header.marker && !second.header.marker);
}

#[test]
fn a_key_that_passes_the_relay_is_reported_once_and_passed_on() {
    let bench = Bench::new();
    let (alice, bob) = (Phone::new(), Phone::new());
    let b = bench.leg_to(bob.address());
    let config =
        LegConfig { remote: Some(alice.address()), telephone_event_payload_type: Some(101), ..LegConfig::default() };
    let a = bench.leg(config, LegMode::Relay { to: b.id });
    let report = |sequence, duration, end| {
        let header = RtpHeader {
            payload_type: 101,
            sequence: SequenceNumber(sequence),
            timestamp: RtpTimestamp(8_000),
            ssrc: alice.ssrc,
            marker: sequence == 1,
        };
        let mut payload = Vec::new();
        TelephoneEvent { event: 5, end, volume: 10, duration }.write(&mut payload);
        alice.send(&a, header, &payload);
    };
    report(1, 400, false);
    report(2, 800, false);
    for sequence in 3..6 {
        report(sequence, 1_280, true);
    }
    for _ in 0..5 {
        assert_eq!(bob.hear().header.payload_type, 101);
    }
    let key = |ms| LegEvent::TelephoneEvent { digit: '5', duration: Duration::from_millis(ms) };
    assert_eq!(a.event(), key(160));
    assert_eq!(a.events_so_far(), []);
    // A key whose end is lost is reported when its reports stop coming.
    let header = RtpHeader {
        payload_type: 101,
        sequence: SequenceNumber(6),
        timestamp: RtpTimestamp(16_000),
        ssrc: alice.ssrc,
        marker: true,
    };
    alice.send(&a, header, &[5, 10, 0x01, 0x90]);
    assert_eq!(a.event(), key(50));
}

#[test]
fn what_is_no_media_is_dropped_and_counted_by_reason() {
    let bench = Bench::new();
    let alice = Phone::new();
    let a = bench.leg_to(alice.address());
    alice.send_raw(&a, b"hello");
    alice.send_raw(&a, b"");
    alice.send_raw(&a, &[0x80; 4_000]);
    alice.send_raw(&a, &[0x80, 200, 0, 6, 0, 0, 0, 1]);
    alice.say(&a, 1, b"idle");
    let dropped = bench.statistics_when(&a, |s| s.dropped.idle == 1).dropped;
    assert_eq!((dropped.not_rtp, dropped.rtcp, dropped.idle, dropped.wrong_source), (3, 1, 1, 0));
}

#[test]
fn a_peer_whose_port_is_closed_does_not_stop_the_leg() {
    let bench = Bench::new();
    let (alice, a, bob, b) = bench.call();
    bob.say(&b, 1, b"");
    alice.hear();
    let address = bob.address();
    let Phone { socket, rtcp, .. } = bob;
    drop(socket);
    for n in 0..20 {
        alice.say(&a, n, b"into the void");
    }
    bench.statistics_when(&a, |s| s.received_packets == 20);
    let Ok(socket) = std::net::UdpSocket::bind(address) else { return };
    let bob = Phone { socket, rtcp, ssrc: Ssrc(9) };
    bob.socket.set_read_timeout(Some(crate::bench::PATIENCE)).unwrap();
    alice.say(&a, 20, b"back");
    assert_eq!(bob.hear().payload, b"back");
    bob.say(&b, 2, b"here");
    assert_eq!(alice.hear().payload, b"here");
}

#[test]
fn a_flood_on_one_leg_does_not_starve_another() {
    let bench = Bench::new();
    let (alice, a, bob, _b) = bench.call();
    let flooder = Phone::new();
    let flooded = bench.leg_to(flooder.address());
    for n in 0..2_000 {
        flooder.say(&flooded, n, b"flood");
    }
    alice.say(&a, 1, b"heard");
    assert_eq!(bob.hear().payload, b"heard");
}

#[test]
fn a_leg_that_is_added_bridged_is_relayed_both_ways_and_none_is_added_to_one_that_is_gone() {
    let bench = Bench::new();
    let (alice, bob) = (Phone::new(), Phone::new());
    let a = bench.leg_to(alice.address());
    let b = bench.leg_bridged_with(&a, bob.address());
    alice.say(&a, 1, b"hame");
    assert_eq!(bob.hear().payload, b"hame");
    bob.say(&b, 1, b"haar");
    assert_eq!(alice.hear().payload, b"haar");
    wait(bench.worker.remove_leg(a.id)).unwrap();
    let socket = bench.ports.allocate(LOCALHOST).unwrap();
    let added = bench.worker.add_bridged_leg(socket, LegConfig::default(), a.id, Box::new(|_, _| {}));
    assert_eq!(wait(added), Err(WorkerError::UnknownLeg));
    assert_eq!((bench.worker.legs(), bench.ports.in_use()), (1, 1));
}

#[test]
fn an_impairment_loses_and_delays_what_the_leg_sends() {
    let bench = Bench::new();
    let (alice, bob, carol) = (Phone::new(), Phone::new(), Phone::new());
    let impaired = |remote, loss, jitter| {
        let impairment = Some(Impairment::new(loss, Duration::from_millis(jitter), 3).unwrap());
        bench.leg(LegConfig { remote: Some(remote), impairment, ..LegConfig::default() }, LegMode::Idle)
    };
    let a = bench.leg_to(alice.address());
    let b = impaired(bob.address(), 0.0, 30);
    wait(bench.worker.set_mode(a.id, LegMode::Relay { to: b.id })).unwrap();
    for n in 0..50 {
        alice.say(&a, n, &[n as u8]);
    }
    let order: Vec<_> = (0..50).map(|_| bob.hear().payload[0]).collect();
    let mut sorted = order.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (0..50).collect::<Vec<_>>());
    assert_ne!(order, sorted, "delays of their own make packets overtake each other");
    let c = impaired(carol.address(), 1.0, 0);
    wait(bench.worker.set_mode(a.id, LegMode::Relay { to: c.id })).unwrap();
    alice.say(&a, 50, b"lost");
    let statistics = bench.statistics_when(&c, |s| s.dropped.impaired == 1);
    assert_eq!(statistics.sent_packets, 0);
}

#[test]
fn what_the_system_refuses_to_send_is_lost_in_the_relay() {
    let bench = Bench::new();
    let alice = Phone::new();
    let a = bench.leg_to(alice.address());
    // Nobody may send to all without asking for it.
    let b = bench.leg_to("255.255.255.255:4000".parse().unwrap());
    wait(bench.worker.bridge(a.id, b.id)).unwrap();
    for n in 0..3 {
        alice.say(&a, n, b"");
    }
    let statistics = bench.statistics_when(&a, |s| s.received_packets == 3);
    assert_eq!((statistics.relay_lost, statistics.dropped), (3, Dropped::default()));
    let statistics = bench.statistics_when(&b, |s| s.dropped.send_failed == 3);
    assert_eq!((statistics.relay_lost, statistics.sent_packets), (0, 0));
}

#[test]
fn payload_types_are_what_each_peer_calls_them_and_keys_are_heard_by_the_new_name() {
    let bench = Bench::new();
    let (alice, a, bob, b) = bench.call();
    wait(bench.worker.bridge(a.id, b.id)).unwrap();
    let say = |from: &Phone, to, payload_type, sequence, payload: &[u8]| {
        let header = RtpHeader {
            payload_type,
            sequence: SequenceNumber(sequence),
            timestamp: RtpTimestamp(160 * u32::from(sequence)),
            ssrc: from.ssrc,
            marker: false,
        };
        from.send(to, header, payload);
    };
    let of_alice = PayloadTypes { relayed_as: vec![(0, 0), (101, 96), (200, 3)], telephone_event: Some(101) };
    let of_bob = PayloadTypes { relayed_as: vec![(96, 101)], telephone_event: Some(96) };
    wait(bench.worker.set_payload_types(a.id, of_alice)).unwrap();
    wait(bench.worker.set_payload_types(b.id, of_bob)).unwrap();

    // The last report of a key.
    let mut key = Vec::new();
    TelephoneEvent { event: 5, end: true, volume: 10, duration: 800 }.write(&mut key);
    for (from, at, to, sent) in [(&alice, &a, &bob, [(0, 0), (101, 96)]), (&bob, &b, &alice, [(0, 0), (96, 101)])] {
        for (sequence, (said, heard)) in (1..).zip(sent) {
            say(from, at, said, sequence, if said == 0 { b"sound" } else { &key });
            let packet = to.hear();
            assert_eq!(packet.header.payload_type, heard);
            // The marker of the first packet of a stream is beside the payload type, and is not lost with it.
            assert_eq!(packet.header.marker, sequence == 1);
        }
        assert_eq!(at.event(), LegEvent::TelephoneEvent { digit: '5', duration: Duration::from_millis(100) });
    }
}

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use blether_rtp_core::*;

use crate::bench::{Bench, LOCALHOST, Leg, PATIENCE, Phone, wait};

/// A report of a phone's, with `blocks`.
fn report(phone: &Phone, blocks: &[ReportBlock]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let info = SenderInfo { ntp: NtpTimestamp(0x1234_5678_9abc_def0), ..SenderInfo::default() };
    let cname = Cname::new("phone").unwrap();
    let _compound =
        CompoundWriter::sender_report(&mut bytes, phone.ssrc, &info, blocks).unwrap().cname(phone.ssrc, &cname);
    bytes
}

fn send(from: &UdpSocket, to: &Leg, bytes: &[u8]) {
    from.send_to(bytes, to.rtcp_address()).unwrap();
}

fn block_of(bytes: &[u8]) -> Option<ReportBlock> {
    match RtcpCompound::parse(bytes).unwrap().packets().next()? {
        RtcpPacket::SenderReport(report) => report.blocks().next(),
        RtcpPacket::ReceiverReport(report) => report.blocks().next(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_leg_reports_to_the_port_after_and_measures_the_round_trip_by_the_answer() {
    let bench = Bench::new();
    let began = Instant::now();
    let (alice, a, bob, b) = bench.call();
    for n in [1, 2, 4] {
        alice.say(&a, n, b"12345");
    }
    let heard = [bob.hear(), bob.hear(), bob.hear()];
    assert_eq!(bench.statistics_when(&b, |s| s.sent_packets == 3).rtcp.round_trip, None);
    let (bytes, from) = bob.hear_report();
    let now = Instant::now();
    assert_eq!(from, b.rtcp_address());
    let packets: Vec<_> = RtcpCompound::parse(&bytes).unwrap().packets().collect();
    let [RtcpPacket::SenderReport(sent), RtcpPacket::SourceDescription(_)] = packets[..] else { panic!("{packets:?}") };
    // The stream that Bob hears, not Alice's.
    assert_eq!((sent.ssrc, sent.info.packets, sent.info.octets), (heard[0].header.ssrc, 3, 15));
    assert!(sent.info.rtp.is_after(heard[2].header.timestamp));
    let highest_sequence = heard[2].header.sequence.0.into();
    let answer = ReportBlock {
        ssrc: sent.ssrc,
        fraction_lost: 64,
        cumulative_lost: 1,
        jitter: 16,
        highest_sequence,
        last_sender_report: sent.info.ntp.middle(),
        delay_since_last_sender_report: u32::try_from(now.elapsed().as_micros() * 65_536 / 1_000_000).unwrap(),
    };
    send(&bob.rtcp, &b, &report(&bob, &[answer]));
    let statistics = bench.statistics_when(&b, |s| s.rtcp.received == 1);
    assert!(statistics.rtcp.round_trip.unwrap() <= began.elapsed(), "{statistics:?}");
    let jitter = Duration::from_millis(2);
    // What was lost before it came to the leg is missing to Bob too, and is one of the four that he expected.
    let expected = PeerReport { fraction_lost: 64, cumulative_lost: 1, jitter, highest_sequence, expected: 4 };
    assert_eq!(statistics.rtcp.peer, Some(expected));
    assert_eq!(expected.cumulative_lost_ratio(), Some(0.25));
    assert!(statistics.quality_at_peer(Duration::from_millis(60), Equipment::G711).is_some());
    // Nothing came from him, so there is no saying how he is heard.
    assert_eq!(statistics.quality_here(Duration::from_millis(60), Equipment::G711), None);
    // Alice is told what became of her packets on the way here.
    let (bytes, from) = alice.hear_report();
    assert_eq!(from, a.rtcp_address());
    let said = block_of(&bytes).unwrap();
    assert_eq!((said.ssrc, said.cumulative_lost, said.highest_sequence), (alice.ssrc, 1, 4));
}

#[test]
fn reports_are_not_relayed() {
    let bench = Bench::new();
    let (alice, a, bob, b) = bench.call();
    send(&alice.rtcp, &a, &report(&alice, &[]));
    bench.statistics_when(&a, |s| s.rtcp.received == 1);
    // What a worker did not do in that turn it does not do later. Bob's leg may have sent a report of its own by now.
    assert_eq!(wait(bench.worker.statistics(b.id)).unwrap().rtcp.received, 0);
    bob.rtcp.set_nonblocking(true).unwrap();
    let mut buffer = [0; 256];
    while let Ok(len) = bob.rtcp.recv(&mut buffer) {
        assert_ne!(RtcpCompound::parse(&buffer[..len]).unwrap().sender(), Some(alice.ssrc));
    }
    assert!(bob.hears_nothing());
}

#[test]
fn a_removed_leg_says_goodbye_if_it_was_ever_heard() {
    let bench = Bench::new();
    let (alice, a, bob, b) = bench.call();
    alice.say(&a, 1, b"");
    let heard = bob.hear();
    wait(bench.worker.remove_leg(b.id)).unwrap();
    let (bytes, from) = bob.hear_report();
    assert_eq!(from, b.rtcp_address());
    let packets: Vec<_> = RtcpCompound::parse(&bytes).unwrap().packets().collect();
    let [RtcpPacket::SenderReport(_), RtcpPacket::SourceDescription(_), RtcpPacket::Goodbye(goodbye)] = packets[..]
    else {
        panic!("{packets:?}")
    };
    assert_eq!(goodbye.sources().collect::<Vec<_>>(), [heard.header.ssrc]);
}

#[test]
fn workers_that_end_say_goodbye_for_their_legs() {
    let bench = Bench::new();
    let (alice, a, bob, _b) = bench.call();
    alice.say(&a, 1, b"");
    bob.hear();
    drop(bench);
    let (bytes, _) = bob.hear_report();
    assert!(RtcpCompound::parse(&bytes).unwrap().packets().any(|packet| matches!(packet, RtcpPacket::Goodbye(_))));
}

#[test]
fn reports_from_another_port_of_the_host_are_believed_once_if_they_speak_for_the_stream() {
    let bench = Bench::new();
    let (alice, a, bob, b) = bench.call();
    let translated = UdpSocket::bind((LOCALHOST, 0)).unwrap();
    translated.set_read_timeout(Some(PATIENCE)).unwrap();
    let stranger = Phone::new();
    // Before her stream is known, and not hers.
    send(&translated, &a, &report(&alice, &[]));
    bench.statistics_when(&a, |s| s.dropped.rtcp_refused == 1);
    alice.say(&a, 1, b"");
    bob.hear();
    send(&stranger.rtcp, &a, &report(&stranger, &[]));
    bench.statistics_when(&a, |s| s.dropped.rtcp_refused == 2);
    send(&translated, &a, &report(&alice, &[]));
    bench.statistics_when(&a, |s| s.rtcp.received == 1);
    // Whoever else claims to be her comes too late, even from where she was expected.
    for socket in [&stranger.rtcp, &alice.rtcp] {
        send(socket, &a, &report(&alice, &[]));
    }
    let statistics = bench.statistics_when(&a, |s| s.dropped.rtcp_refused == 4);
    assert_eq!((statistics.rtcp.received, statistics.dropped.wrong_source), (1, 0));
    bob.say(&b, 1, b"");
    alice.hear();
    wait(bench.worker.remove_leg(a.id)).unwrap();
    let (_, from): (_, SocketAddr) = translated.recv_from(&mut [0; 256]).expect("no goodbye came");
    assert_eq!(from, a.rtcp_address());
}

#[test]
fn what_is_no_rtcp_is_refused_and_counted() {
    let bench = Bench::new();
    let alice = Phone::new();
    let a = bench.leg_to(alice.address());
    let good = report(&alice, &[]);
    for bytes in [b"".as_slice(), b"hello", &good[..good.len() - 1], &[0x80; 4_000]] {
        send(&alice.rtcp, &a, bytes);
    }
    for _ in 0..20 {
        send(&alice.rtcp, &a, &good);
    }
    let statistics = bench.statistics_when(&a, |s| s.rtcp.received == 20);
    assert_eq!(statistics.dropped, Dropped { rtcp_refused: 4, ..Dropped::default() });
}

#[test]
fn the_peers_goodbye_is_told_by_the_figures() {
    let bench = Bench::new();
    let alice = Phone::new();
    let a = bench.leg_to(alice.address());
    alice.say(&a, 1, b"");
    bench.statistics_when(&a, |s| s.received_packets == 1);
    let mut bytes = Vec::new();
    let report = CompoundWriter::receiver_report(&mut bytes, alice.ssrc, &[]).unwrap();
    report.goodbye(&[alice.ssrc], None).map(drop).unwrap();
    send(&alice.rtcp, &a, &bytes);
    bench.statistics_when(&a, |s| s.rtcp.peer_left);
}

#[test]
fn a_new_signalled_address_has_its_reports_too() {
    let bench = Bench::new();
    let (alice, a, bob, b) = bench.call();
    bob.say(&b, 1, b"");
    alice.hear();
    let elsewhere = Phone::new();
    wait(bench.worker.set_remote(a.id, elsewhere.address())).unwrap();
    bob.say(&b, 2, b"");
    elsewhere.hear();
    send(&elsewhere.rtcp, &a, &report(&elsewhere, &[]));
    bench.statistics_when(&a, |s| s.rtcp.received == 1);
    wait(bench.worker.remove_leg(a.id)).unwrap();
    assert_eq!(elsewhere.hear_report().1, a.rtcp_address());
}

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;
use crate::error::{RtcpError, WriteError};
use crate::packet::{RtpHeader, RtpPacket};
use crate::sequence::{RtpTimestamp, SequenceNumber, Ssrc};

const OURS: Ssrc = Ssrc(0x0a0b_0c0d);
const PEERS: Ssrc = Ssrc(0x0102_0304);

fn parsed(bytes: &[u8]) -> Vec<RtcpPacket<'_>> {
    RtcpCompound::parse(bytes).unwrap().packets().collect()
}

fn refused(bytes: &[u8]) -> RtcpError {
    RtcpCompound::parse(bytes).unwrap_err()
}

fn an_empty_report() -> Vec<u8> {
    let mut bytes = Vec::new();
    let _report = CompoundWriter::receiver_report(&mut bytes, PEERS, &[]).unwrap();
    bytes
}

#[test]
fn a_compound_is_written_byte_for_byte_as_the_figures_have_it() {
    let mut out = vec![0xee];
    let info = SenderInfo { ntp: NtpTimestamp(0x0102_0304_0506_0708), rtp: RtpTimestamp(9), packets: 10, octets: 11 };
    let block = ReportBlock {
        ssrc: OURS,
        fraction_lost: 64,
        cumulative_lost: -2,
        highest_sequence: 0x0001_0002,
        jitter: 3,
        last_sender_report: 4,
        delay_since_last_sender_report: 5,
    };
    CompoundWriter::sender_report(&mut out, PEERS, &info, &[block])
        .unwrap()
        .cname(PEERS, &Cname::new("a@b").unwrap())
        .goodbye(&[PEERS], Some("bye"))
        .map(drop)
        .unwrap();
    #[rustfmt::skip]
    let expected = [
        0xee,
        0x81, 200, 0, 12,  1, 2, 3, 4,
        1, 2, 3, 4, 5, 6, 7, 8,  0, 0, 0, 9,  0, 0, 0, 10,  0, 0, 0, 11,
        0x0a, 0x0b, 0x0c, 0x0d,  64, 0xff, 0xff, 0xfe,  0, 1, 0, 2,  0, 0, 0, 3,  0, 0, 0, 4,  0, 0, 0, 5,
        0x81, 202, 0, 3,  1, 2, 3, 4,  1, 3, b'a', b'@',  b'b', 0, 0, 0,
        0x81, 203, 0, 2,  1, 2, 3, 4,  3, b'b', b'y', b'e',
    ];
    assert_eq!(out, expected);
    let packets = parsed(&out[1..]);
    assert_eq!(packets.len(), 3);
    let RtcpPacket::SenderReport(report) = packets[0] else { panic!("{:?}", packets[0]) };
    assert_eq!((report.ssrc, report.info, report.extension), (PEERS, info, [].as_slice()));
    assert_eq!(report.blocks().collect::<Vec<_>>(), [block]);
    let RtcpPacket::SourceDescription(description) = packets[1] else { panic!("{:?}", packets[1]) };
    let chunks: Vec<_> = description.chunks().map(|chunk| (chunk.ssrc, chunk.cname())).collect();
    assert_eq!(chunks, [(PEERS, Some(b"a@b".as_slice()))]);
    let RtcpPacket::Goodbye(goodbye) = packets[2] else { panic!("{:?}", packets[2]) };
    assert_eq!((goodbye.sources().collect::<Vec<_>>(), goodbye.reason), (vec![PEERS], Some(b"bye".as_slice())));
}

#[test]
fn a_cname_of_each_length_ends_with_a_zero_and_whole_words() {
    for len in 0..=255 {
        let cname = Cname::new("x".repeat(len)).unwrap();
        let mut out = Vec::new();
        let _two = CompoundWriter::receiver_report(&mut out, PEERS, &[]).unwrap().cname(PEERS, &cname);
        assert_eq!(out.len() % 4, 0);
        let RtcpPacket::SourceDescription(description) = parsed(&out)[1] else { panic!("{len}") };
        let chunk = description.chunks().next().unwrap();
        assert_eq!(chunk.cname(), Some(cname.as_str().as_bytes()));
        assert_eq!(out.last(), Some(&0));
    }
    assert_eq!(Cname::new("x".repeat(256)), Err(WriteError::TextLength(256)));
}

#[test]
fn what_five_or_eight_bits_cannot_say_is_refused_and_nothing_is_appended() {
    let mut out = Vec::new();
    let blocks = [ReportBlock::default(); 32];
    let too_many = Err(WriteError::TooManyForRtcp(32));
    assert_eq!(CompoundWriter::receiver_report(&mut out, PEERS, &blocks).map(drop), too_many);
    assert_eq!(CompoundWriter::sender_report(&mut out, PEERS, &SenderInfo::default(), &blocks).map(drop), too_many);
    assert!(out.is_empty());
    let goodbye = |sources: &[Ssrc], reason: Option<&str>| {
        let mut out = Vec::new();
        let written = CompoundWriter::receiver_report(&mut out, PEERS, &[]).unwrap().goodbye(sources, reason).map(drop);
        (written, out.len())
    };
    assert_eq!(goodbye(&[PEERS; 32], None), (too_many, 8));
    assert_eq!(goodbye(&[PEERS], Some(&"x".repeat(256))), (Err(WriteError::TextLength(256)), 8));
    assert_eq!(goodbye(&[PEERS; 31], Some(&"x".repeat(255))).0, Ok(()));
}

#[test]
fn the_checks_of_a_2_are_made() {
    let report = an_empty_report();
    let with = |tail: &[u8]| [report.as_slice(), tail].concat();
    assert!(matches!(refused(&[]), RtcpError::Truncated { len: 0, needed: 4 }));
    assert!(matches!(refused(&report[..7]), RtcpError::Truncated { len: 7, needed: 8 }));
    // The lengths must add up to the whole.
    assert!(matches!(refused(&with(&[0x80])), RtcpError::Truncated { len: 1, needed: 4 }));
    assert!(matches!(refused(&with(&[0x80, 203, 0, 1])), RtcpError::Truncated { len: 4, needed: 8 }));
    assert!(matches!(refused(&with(&[0x40, 203, 0, 0])), RtcpError::Version { version: 1 }));
    assert!(matches!(refused(&[0x80, 202, 0, 0]), RtcpError::FirstPacket { packet_type: 202 }));
    // Padding: not in the first packet, not before the last, whole words, within the packet.
    assert_eq!(refused(&[0xa0, 201, 0, 2, 0, 0, 0, 1, 0, 0, 0, 4]), RtcpError::Padding);
    assert_eq!(refused(&with(&[0xa0, 203, 0, 1, 0, 0, 0, 4, 0x80, 203, 0, 0])), RtcpError::Padding);
    for count in [0, 3, 8, 255] {
        assert_eq!(refused(&with(&[0xa0, 203, 0, 1, 0, 0, 0, count])), RtcpError::Padding, "{count}");
    }
    assert_eq!(parsed(&with(&[0xa0, 203, 0, 1, 0, 0, 0, 4])).len(), 2);
    // Unknown types are passed over.
    let app = with(&[0x85, 204, 0, 2, 0, 0, 0, 1, b'n', b'a', b'm', b'e']);
    assert!(matches!(parsed(&app)[1], RtcpPacket::Other { packet_type: 204, count: 5, body: [0, 0, 0, 1, ..] }));
}

#[test]
fn counts_and_lengths_within_a_packet_must_fit_it() {
    let report = an_empty_report();
    let malformed = |tail: &[u8]| {
        let bytes = [report.as_slice(), tail].concat();
        assert_eq!(refused(&bytes), RtcpError::Malformed { packet_type: tail[1] }, "{tail:?}");
    };
    // One block announced, none there; no SSRC; no sender's part.
    malformed(&[0x81, 201, 0, 1, 0, 0, 0, 1]);
    malformed(&[0x80, 201, 0, 0]);
    malformed(&[0x80, 200, 0, 1, 0, 0, 0, 1]);
    // A chunk that is not there, one whose text is too long, one whose items have no end, and one whose zeros are missing.
    malformed(&[0x81, 202, 0, 0]);
    malformed(&[0x81, 202, 0, 2, 0, 0, 0, 1, 1, 9, b'a', b'b']);
    malformed(&[0x81, 202, 0, 2, 0, 0, 0, 1, 1, 2, b'a', b'b']);
    malformed(&[0x82, 202, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0]);
    // Fewer sources than announced, and a reason that is too long.
    malformed(&[0x82, 203, 0, 1, 0, 0, 0, 1]);
    malformed(&[0x81, 203, 0, 2, 0, 0, 0, 1, 4, b'w', b'h', b'y']);
}

#[test]
fn items_other_than_the_cname_are_handed_out_too() {
    let mut bytes = an_empty_report();
    bytes.extend_from_slice(&[0x82, 202, 0, 6]);
    bytes.extend_from_slice(&[0, 0, 0, 1, 6, 2, b'v', b'1', 1, 1, b'c', 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0]);
    let RtcpPacket::SourceDescription(description) = parsed(&bytes)[1] else { panic!() };
    let chunks: Vec<_> = description.chunks().collect();
    let items: Vec<_> = chunks[0].items().map(|item| (item.kind, item.text)).collect();
    assert_eq!(items, [(6, b"v1".as_slice()), (1, b"c".as_slice())]);
    assert_eq!((chunks[1].ssrc, chunks[1].cname(), chunks.len()), (Ssrc(2), None, 2));
}

#[test]
fn a_random_cname_is_96_bits_of_base64() {
    let name = |seed| Cname::random(&mut StdRng::seed_from_u64(seed)).to_string();
    assert_eq!(name(1).len(), 16);
    assert!(name(1).bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte)));
    assert_ne!(name(1), name(2));
}

/// One session and the clock.
struct Bench {
    session: RtcpSession,
    start: Instant,
    at_ms: u64,
}

impl Bench {
    #[expect(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
    fn new(ssrc: Ssrc) -> Self {
        let start = Instant::now();
        let config = RtcpConfig { ssrc, ..RtcpConfig::default() };
        Self { session: RtcpSession::new(start, config, StdRng::seed_from_u64(u64::from(ssrc.0))), start, at_ms: 0 }
    }

    fn now(&self) -> Instant {
        self.start + Duration::from_millis(self.at_ms)
    }

    fn wall(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(1_000_000 + self.at_ms)
    }

    fn packet(ssrc: Ssrc, sequence: u16) -> Vec<u8> {
        let mut bytes = Vec::new();
        let timestamp = RtpTimestamp(u32::from(sequence) * 160);
        let header = RtpHeader { sequence: SequenceNumber(sequence), timestamp, ssrc, ..RtpHeader::default() };
        header.write(&mut bytes);
        bytes.extend_from_slice(&[0; 160]);
        bytes
    }

    fn send(&mut self, sequence: u16) {
        let bytes = Self::packet(OURS, sequence);
        self.session.sent(self.now(), &RtpPacket::parse(&bytes).unwrap());
    }

    fn hear(&mut self, sequence: u16) {
        let bytes = Self::packet(PEERS, sequence);
        self.session.received(self.now(), &RtpPacket::parse(&bytes).unwrap());
    }

    /// Lets time pass until the next report.
    fn report(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        loop {
            let next = self.session.poll_timeout();
            self.at_ms = self.at_ms.max((next - self.start).as_millis() as u64 + 1);
            self.session.handle_timeout(self.now());
            if self.session.poll_transmit(self.now(), self.wall(), &mut out) {
                assert!(!self.session.poll_transmit(self.now(), self.wall(), &mut out), "one at a time");
                return out;
            }
        }
    }

    fn answer(&mut self, blocks: &[ReportBlock]) {
        let mut bytes = Vec::new();
        let _report = CompoundWriter::receiver_report(&mut bytes, PEERS, blocks).unwrap();
        self.session.handle_datagram(self.now(), &bytes).unwrap();
    }
}

#[test]
fn one_that_has_neither_sent_nor_heard_reports_nothing_but_its_name() {
    let mut bench = Bench::new(OURS);
    let report = bench.report();
    let packets = parsed(&report);
    let [RtcpPacket::ReceiverReport(report), RtcpPacket::SourceDescription(names)] = packets[..] else {
        panic!("{packets:?}")
    };
    assert_eq!((report.ssrc, report.blocks().count()), (OURS, 0));
    assert_eq!(names.chunks().next().unwrap().cname().map(<[u8]>::len), Some(16));
}

#[test]
fn a_sender_report_counts_what_was_sent_and_tells_its_timestamp_of_that_moment() {
    let mut bench = Bench::new(OURS);
    for sequence in 0..3 {
        bench.send(sequence);
        bench.at_ms += 20;
    }
    let last_at = bench.at_ms - 20;
    let report = bench.report();
    let RtcpPacket::SenderReport(report) = parsed(&report)[0] else { panic!() };
    assert_eq!((report.info.packets, report.info.octets), (3, 480));
    let passed = u32::try_from(bench.at_ms - last_at).unwrap() * 8;
    assert_eq!(report.info.rtp, RtpTimestamp(320 + passed));
    assert_eq!(report.info.ntp, NtpTimestamp::from(bench.wall()));
    // Nothing since: once more a sender's report, then a receiver's (§6.4).
    assert!(matches!(parsed(&bench.report())[0], RtcpPacket::SenderReport(_)));
    assert!(matches!(parsed(&bench.report())[0], RtcpPacket::ReceiverReport(_)));
    bench.send(4);
    assert!(matches!(parsed(&bench.report())[0], RtcpPacket::SenderReport(_)));
}

#[test]
fn the_timestamp_of_a_sender_report_follows_a_clock_that_is_set_and_no_packet_that_was_overtaken() {
    let mut bench = Bench::new(OURS);
    let mut rtp_after = |sequences: &[u16]| {
        sequences.iter().for_each(|sequence| bench.send(*sequence));
        let sent_at = bench.at_ms;
        let report = bench.report();
        let RtcpPacket::SenderReport(report) = parsed(&report)[0] else { panic!() };
        report.info.rtp.0.wrapping_sub(u32::try_from(bench.at_ms - sent_at).unwrap() * 8)
    };
    assert_eq!(rtp_after(&[1_000, 999, 950]), 160_000);
    assert_eq!(rtp_after(&[1_500, 100]), 16_000);
    assert_eq!(rtp_after(&[30_000]), 4_800_000);
}

#[test]
fn a_report_block_is_made_of_what_came_since_the_one_before() {
    let mut bench = Bench::new(OURS);
    for sequence in [1, 2, 4, 5] {
        bench.hear(sequence);
    }
    let block = |bytes: &[u8]| match parsed(bytes)[0] {
        RtcpPacket::ReceiverReport(report) => report.blocks().next(),
        other => panic!("{other:?}"),
    };
    let first = block(&bench.report()).unwrap();
    assert_eq!((first.ssrc, first.fraction_lost, first.cumulative_lost, first.highest_sequence), (PEERS, 51, 1, 5));
    assert_eq!((first.last_sender_report, first.delay_since_last_sender_report), (0, 0));
    assert_eq!(block(&bench.report()), None, "nothing was heard since");
    bench.hear(6);
    let last = block(&bench.report()).unwrap();
    assert_eq!((last.fraction_lost, last.cumulative_lost, last.highest_sequence), (0, 1, 6));
}

#[test]
fn the_peer_is_taken_to_expect_what_the_numbers_span_and_not_what_came_to_be_sent() {
    let mut bench = Bench::new(OURS);
    let mut expected = |sent: &[u16], highest_sequence: u32, cumulative_lost: i32| {
        sent.iter().for_each(|sequence| bench.send(*sequence));
        let block = ReportBlock { ssrc: OURS, highest_sequence, cumulative_lost, ..ReportBlock::default() };
        bench.answer(&[block]);
        let peer = bench.session.statistics().peer.unwrap();
        (peer.expected, peer.cumulative_lost_ratio())
    };
    // Nothing was sent, so nothing can be lost.
    assert_eq!(expected(&[], 65_533, 3), (0, None));
    // Two that were to be relayed never came here; one was overtaken. The peer may have counted a wrap, or have begun after it.
    assert_eq!(expected(&[65_533, 65_535, 65_534, 2], 65_536 + 2, 3), (6, Some(0.5)));
    assert_eq!(expected(&[], 2, 3), (6, Some(0.5)));
    // What has been sent since its report does not count.
    assert_eq!(expected(&[3, 4, 12], 2, 3), (6, Some(0.5)));
    // More duplicates than losses are no loss, and more loss than packets is nonsense.
    assert_eq!(expected(&[], 2, -3), (6, Some(0.0)));
    assert_eq!(expected(&[], 2, 100), (6, Some(1.0)));
    // A number that was never sent.
    assert_eq!(expected(&[], 40_000, 1), (0, None));
}

#[test]
fn the_peers_sender_report_is_named_with_the_delay_since() {
    let mut bench = Bench::new(OURS);
    bench.hear(1);
    let info = SenderInfo { ntp: NtpTimestamp(0xb44d_b705_2000_0000), ..SenderInfo::default() };
    let mut bytes = Vec::new();
    let _report = CompoundWriter::sender_report(&mut bytes, PEERS, &info, &[]).unwrap();
    bench.at_ms += 100;
    bench.session.handle_datagram(bench.now(), &bytes).unwrap();
    let heard_at = bench.at_ms;
    let report = bench.report();
    let RtcpPacket::ReceiverReport(report) = parsed(&report)[0] else { panic!() };
    let block = report.blocks().next().unwrap();
    assert_eq!(block.last_sender_report, 0xb705_2000);
    assert_eq!(u64::from(block.delay_since_last_sender_report), (bench.at_ms - heard_at) * 65_536 / 1_000);
}

#[test]
fn the_round_trip_is_the_time_since_our_report_less_what_the_peer_kept_it() {
    let mut bench = Bench::new(OURS);
    bench.send(1);
    let report = bench.report();
    let RtcpPacket::SenderReport(report) = parsed(&report)[0] else { panic!() };
    assert_eq!(bench.session.statistics(), RtcpStatistics { sent: 1, ..RtcpStatistics::default() });
    let answer = |ssrc, kept_ms: u32| ReportBlock {
        ssrc,
        fraction_lost: 26,
        cumulative_lost: 5,
        jitter: 80,
        highest_sequence: 7,
        last_sender_report: report.info.ntp.middle(),
        delay_since_last_sender_report: kept_ms * 65_536 / 1_000,
    };
    // About another stream: not for us.
    bench.at_ms += 2_000;
    bench.answer(&[answer(Ssrc(9), 2_000)]);
    assert_eq!(bench.session.statistics().peer, None);
    bench.at_ms += 120;
    bench.answer(&[answer(Ssrc(9), 0), answer(OURS, 2_000)]);
    let figures = bench.session.statistics();
    assert_eq!(figures.round_trip, Some(Duration::from_millis(120)));
    let peer = figures.peer.unwrap();
    assert_eq!((peer.cumulative_lost, peer.jitter, peer.highest_sequence), (5, Duration::from_millis(10), 7));
    assert!((peer.fraction_lost_ratio() - 0.1).abs() < 0.01);
    // One that says it kept it for longer than it could have is no measurement, but for a clock's drift.
    bench.answer(&[answer(OURS, 2_200)]);
    assert_eq!(bench.session.statistics().round_trip, Some(Duration::from_millis(120)));
    bench.answer(&[answer(OURS, 2_125)]);
    assert_eq!(bench.session.statistics().round_trip, Some(Duration::ZERO));
    // Nor is one that names a report that we never sent, or none.
    for last_sender_report in [0, 1] {
        bench.at_ms += 10_000;
        bench.answer(&[ReportBlock { last_sender_report, ..answer(OURS, 0) }]);
        assert_eq!(bench.session.statistics().round_trip, Some(Duration::ZERO));
    }
}

#[test]
fn one_that_never_sent_says_no_goodbye_and_another_says_it_with_report_and_name() {
    let mut bench = Bench::new(OURS);
    let mut out = Vec::new();
    bench.hear(1);
    assert!(!bench.session.goodbye(bench.now(), bench.wall(), &mut out) && out.is_empty());
    bench.send(1);
    assert!(bench.session.goodbye(bench.now(), bench.wall(), &mut out));
    let packets = parsed(&out);
    let [RtcpPacket::SenderReport(_), RtcpPacket::SourceDescription(_), RtcpPacket::Goodbye(goodbye)] = packets[..]
    else {
        panic!("{packets:?}")
    };
    assert_eq!(goodbye.sources().collect::<Vec<_>>(), [OURS]);
}

#[test]
fn the_peers_goodbye_is_noted_until_it_is_heard_again() {
    let mut bench = Bench::new(OURS);
    bench.hear(1);
    let goodbye = |source| {
        let mut bytes = an_empty_report();
        bytes.extend_from_slice(&[0x81, 203, 0, 1]);
        bytes.extend_from_slice(&u32::to_be_bytes(source));
        bytes
    };
    bench.session.handle_datagram(bench.now(), &goodbye(77)).unwrap();
    assert!(!bench.session.statistics().peer_left, "somebody else");
    bench.session.handle_datagram(bench.now(), &goodbye(PEERS.0)).unwrap();
    assert!(bench.session.statistics().peer_left);
    bench.hear(2);
    assert!(!bench.session.statistics().peer_left);
}

#[test]
fn our_own_packets_that_come_back_are_refused() {
    let mut bench = Bench::new(OURS);
    let report = bench.report();
    assert_eq!(bench.session.handle_datagram(bench.now(), &report), Err(RtcpError::Loop));
    assert_eq!(bench.session.statistics().received, 0);
}

#[test]
fn two_sessions_measure_each_other() {
    let (mut a, mut b) = (Bench::new(OURS), Bench::new(PEERS));
    b.start = a.start;
    let (there, back) = (30, 50);
    let mut under_way: Vec<(u64, bool, Vec<u8>)> = Vec::new();
    for ms in 0..30_000 {
        (a.at_ms, b.at_ms) = (ms, ms);
        if ms % 20 == 0 {
            let sequence = u16::try_from(ms / 20).unwrap();
            a.send(sequence);
            // Every tenth is lost.
            if sequence % 10 != 9 {
                let bytes = Bench::packet(OURS, sequence);
                b.session.received(b.now(), &RtpPacket::parse(&bytes).unwrap());
            }
        }
        for (bench, to_b, delay) in [(&mut a, true, there), (&mut b, false, back)] {
            bench.session.handle_timeout(bench.now());
            let mut out = Vec::new();
            if bench.session.poll_transmit(bench.now(), bench.wall(), &mut out) {
                under_way.push((ms + delay, to_b, out));
            }
        }
        under_way.retain(|(at, to_b, bytes)| {
            if *at == ms {
                let bench = if *to_b { &mut b } else { &mut a };
                bench.session.handle_datagram(bench.now(), bytes).unwrap();
            }
            *at > ms
        });
    }
    let figures = a.session.statistics();
    let round_trip = figures.round_trip.unwrap();
    // DLSR counts in 15 µs.
    assert!(round_trip.abs_diff(Duration::from_millis(80)) < Duration::from_micros(20), "{round_trip:?}");
    let peer = figures.peer.unwrap();
    assert!((0.08..0.12).contains(&peer.fraction_lost_ratio()), "{peer:?}");
    assert!(peer.cumulative_lost > 100);
    assert!((4..=12).contains(&figures.received), "{figures:?}");
    assert_eq!(b.session.statistics().round_trip, None, "it sends nothing that could be answered");
}

fn a_block() -> impl Strategy<Value = ReportBlock> {
    (any::<[u32; 5]>(), any::<u8>(), -0x80_0000..0x80_0000).prop_map(|(words, fraction_lost, cumulative_lost)| {
        let [ssrc, highest_sequence, jitter, last_sender_report, delay_since_last_sender_report] = words;
        ReportBlock {
            ssrc: Ssrc(ssrc),
            fraction_lost,
            cumulative_lost,
            highest_sequence,
            jitter,
            last_sender_report,
            delay_since_last_sender_report,
        }
    })
}

/// What a session is told.
#[derive(Debug, Clone)]
enum Told {
    Sent(u16),
    Heard(u16),
    Datagram(Vec<u8>),
    Answer(ReportBlock),
    Time(u64),
}

fn told() -> impl Strategy<Value = Told> {
    prop_oneof![
        any::<u16>().prop_map(Told::Sent),
        any::<u16>().prop_map(Told::Heard),
        proptest::collection::vec(any::<u8>(), 0..64).prop_map(Told::Datagram),
        a_block().prop_map(|block| Told::Answer(ReportBlock { ssrc: OURS, ..block })),
        (0u64..20_000).prop_map(Told::Time),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        ssrc: u32,
        info: Option<(u64, u32, u32, u32)>,
        blocks in proptest::collection::vec(a_block(), 0..=31),
        name in "[a-z@.]{0,255}",
        sources in proptest::collection::vec(any::<u32>().prop_map(Ssrc), 0..=31),
        reason in proptest::option::of("[ -~]{0,255}"),
    ) {
        let (ssrc, cname) = (Ssrc(ssrc), Cname::new(name).unwrap());
        let info = info.map(|(ntp, rtp, packets, octets)| {
            SenderInfo { ntp: NtpTimestamp(ntp), rtp: RtpTimestamp(rtp), packets, octets }
        });
        let mut out = Vec::new();
        let writer = match &info {
            Some(info) => CompoundWriter::sender_report(&mut out, ssrc, info, &blocks),
            None => CompoundWriter::receiver_report(&mut out, ssrc, &blocks),
        };
        writer.unwrap().cname(ssrc, &cname).goodbye(&sources, reason.as_deref()).map(drop).unwrap();
        prop_assert_eq!(RtcpCompound::parse(&out).unwrap().sender(), Some(ssrc));
        let packets = parsed(&out);
        prop_assert_eq!(packets.len(), 3);
        let read: Vec<_> = match (packets[0], info) {
            (RtcpPacket::SenderReport(report), Some(info)) => {
                prop_assert_eq!(report.info, info);
                report.blocks().collect()
            }
            (RtcpPacket::ReceiverReport(report), None) => report.blocks().collect(),
            other => panic!("{other:?}"),
        };
        prop_assert_eq!(read, blocks);
        let RtcpPacket::SourceDescription(names) = packets[1] else { panic!() };
        prop_assert_eq!(names.chunks().next().unwrap().cname(), Some(cname.as_str().as_bytes()));
        let RtcpPacket::Goodbye(goodbye) = packets[2] else { panic!() };
        prop_assert_eq!(goodbye.sources().collect::<Vec<_>>(), sources);
        prop_assert_eq!(goodbye.reason, reason.as_deref().map(str::as_bytes));
    }

    #[test]
    fn no_bytes_make_the_parser_panic_and_what_it_takes_it_can_hand_out(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        // Bytes that get past the first checks: a report, then packets whose headers are right and whose contents are anything.
        bodies in proptest::collection::vec((0u8..32, 199u8..206, proptest::collection::vec(any::<u8>(), 0..12)), 0..5),
    ) {
        let mut shaped = an_empty_report();
        for (count, packet_type, mut body) in bodies {
            body.resize(body.len().next_multiple_of(4), 0);
            shaped.extend_from_slice(&[0x80 | count, packet_type, 0, u8::try_from(body.len() / 4).unwrap()]);
            shaped.extend_from_slice(&body);
        }
        for bytes in [bytes, shaped] {
            let Ok(compound) = RtcpCompound::parse(&bytes) else { continue };
            let mut headers = 0;
            for packet in compound.packets() {
                headers += 4;
                match packet {
                    RtcpPacket::SenderReport(report) => prop_assert!(report.blocks().count() <= 31),
                    RtcpPacket::ReceiverReport(report) => prop_assert!(report.blocks().count() <= 31),
                    RtcpPacket::SourceDescription(description) => {
                        let texts = description.chunks().flat_map(|chunk| chunk.items()).map(|item| item.text.len());
                        prop_assert!(texts.sum::<usize>() <= bytes.len());
                    }
                    RtcpPacket::Goodbye(goodbye) => prop_assert!(goodbye.sources().count() <= 31),
                    RtcpPacket::Other { body, .. } => prop_assert!(body.len() <= bytes.len()),
                }
            }
            prop_assert!(headers >= 4 && headers <= bytes.len());
        }
    }

    #[test]
    fn nothing_that_a_session_is_told_makes_it_send_wrong_or_too_often(
        told in proptest::collection::vec(told(), 0..120),
    ) {
        let mut bench = Bench::new(OURS);
        let mut reports = 0;
        for told in told {
            match told {
                Told::Sent(sequence) => bench.send(sequence),
                Told::Heard(sequence) => bench.hear(sequence),
                Told::Datagram(bytes) => {
                    let _refused = bench.session.handle_datagram(bench.now(), &bytes);
                }
                Told::Answer(block) => bench.answer(&[block]),
                Told::Time(ms) => bench.at_ms += ms,
            }
            bench.session.handle_timeout(bench.now());
            let mut out = Vec::new();
            if bench.session.poll_transmit(bench.now(), bench.wall(), &mut out) {
                reports += 1;
                prop_assert_eq!(parsed(&out).len(), 2);
                prop_assert!(out.len() <= PROBABLE_MOST);
            }
            prop_assert!(bench.session.poll_timeout() > bench.now());
        }
        // Not before the first interval can be over, and then two seconds apart at least.
        prop_assert!(reports <= 1 + bench.at_ms / 2_050);
        let figures = bench.session.statistics();
        prop_assert!(figures.round_trip.is_none_or(|round_trip| round_trip <= Duration::from_millis(bench.at_ms)));
    }
}

/// A sender report with one block, and a name of 16 letters.
const PROBABLE_MOST: usize = 52 + 28;

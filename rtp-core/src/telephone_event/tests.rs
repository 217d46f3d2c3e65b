use super::*;
use crate::packet::{RtpHeader, RtpPacket};
use crate::sequence::{RtpTimestamp, Ssrc};
use proptest::prelude::*;

#[expect(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
fn start() -> Instant {
    Instant::now()
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Runs a sender in virtual time: when each packet goes, and the packet.
fn sent(keys: &[(char, u64)]) -> Vec<(u64, EventPacket)> {
    let (start, mut sender) = (start(), EventSender::new(EventSenderConfig::default()));
    for (digit, length) in keys {
        sender.send(*digit, ms(*length)).unwrap();
    }
    let (mut now, mut packets) = (start, Vec::new());
    loop {
        let at = u64::try_from((now - start).as_millis()).unwrap();
        while let Some(packet) = sender.poll_packet(now, RtpTimestamp(u32::try_from(at * 8).unwrap())) {
            packets.push((at, packet));
        }
        match sender.poll_timeout() {
            Some(due) => now = due,
            None => return packets,
        }
    }
}

struct Ear {
    receiver: EventReceiver,
    start: Instant,
}

impl Ear {
    fn new() -> Self {
        Self { receiver: EventReceiver::new(8_000), start: start() }
    }

    fn hear(&mut self, at: u64, packet: &EventPacket) {
        let mut bytes = Vec::new();
        let header = RtpHeader {
            marker: packet.marker,
            payload_type: 101,
            timestamp: packet.timestamp,
            ssrc: Ssrc(7),
            ..RtpHeader::default()
        };
        header.write(&mut bytes);
        packet.event.write(&mut bytes);
        self.receiver.handle_packet(self.start + ms(at), &RtpPacket::parse(&bytes).unwrap());
    }

    fn told(&mut self) -> Vec<(char, u128)> {
        std::iter::from_fn(|| self.receiver.poll_event())
            .map(|event| (event.digit().unwrap_or('?'), event.duration.as_millis()))
            .collect()
    }

    fn lapse(&mut self, at: u64) {
        self.receiver.handle_timeout(self.start + ms(at));
    }
}

#[test]
fn a_key_is_updated_each_50_ms_and_its_end_is_sent_three_times() {
    let packets: Vec<_> = sent(&[('5', 160)])
        .into_iter()
        .map(|(at, p)| (at, p.marker, p.event.end, p.event.duration, p.event.event, p.timestamp.0))
        .collect();
    let expected = [
        (0, true, false, 400, 5, 0),
        (50, false, false, 800, 5, 0),
        (100, false, false, 1_200, 5, 0),
        (150, false, true, 1_280, 5, 0),
        (200, false, true, 1_280, 5, 0),
        (250, false, true, 1_280, 5, 0),
    ];
    assert_eq!(packets, expected);
}

#[test]
fn the_next_key_begins_after_the_last_report_and_a_pause_with_its_own_timestamp() {
    let starts: Vec<_> = sent(&[('1', 100), ('2', 40)])
        .into_iter()
        .filter(|(_, packet)| packet.marker)
        .map(|(at, packet)| (at, packet.timestamp.0, packet.event.end))
        .collect();
    // Reports of the first at 0, 50, 100, 150; the second is over in its first report.
    assert_eq!(starts, [(0, 0, false), (200, 1_600, true)]);
}

#[test]
fn what_cannot_be_sent_is_refused() {
    let mut sender = EventSender::new(EventSenderConfig { capacity: 1, ..EventSenderConfig::default() });
    assert_eq!(sender.send('x', ms(100)), Err(SendEventError::NotAKey('x')));
    assert!(matches!(sender.send('1', ms(0)), Err(SendEventError::Duration { .. })));
    assert!(matches!(sender.send('1', ms(9_000)), Err(SendEventError::Duration { .. })));
    assert_eq!(sender.send('1', ms(8_191)), Ok(()));
    assert_eq!(sender.send('1', ms(100)), Err(SendEventError::TooManyWaiting { capacity: 1 }));
}

#[test]
fn a_stalled_sender_sends_one_packet_and_no_burst() {
    let (start, mut sender) = (start(), EventSender::new(EventSenderConfig::default()));
    sender.send('1', ms(1_000)).unwrap();
    assert!(sender.poll_packet(start, RtpTimestamp(0)).is_some());
    let late = start + ms(600);
    assert!(sender.poll_packet(late, RtpTimestamp(4_800)).is_some());
    assert!(sender.poll_packet(late, RtpTimestamp(4_800)).is_none());
    assert_eq!(sender.poll_timeout(), Some(late + ms(25)));
}

/// Hears those packets of a 160 ms key whose index is listed, in that order, and then nothing for long.
#[track_caller]
fn check(heard: &[usize], expected: &[(char, u128)]) {
    let packets = sent(&[('#', 160)]);
    let mut ear = Ear::new();
    for (step, index) in heard.iter().enumerate() {
        ear.hear(u64::try_from(step).unwrap() * 50, &packets[*index].1);
    }
    ear.lapse(5_000);
    assert_eq!(ear.told(), expected, "heard {heard:?}");
}

#[test]
fn one_digit_is_told_whatever_is_lost_duplicated_or_reordered() {
    check(&[], &[]);
    check(&[0, 1, 2, 3, 4, 5], &[('#', 160)]);
    // Lost.
    check(&[1, 2, 3, 4, 5], &[('#', 160)]);
    check(&[3], &[('#', 160)]);
    check(&[5], &[('#', 160)]);
    check(&[0], &[('#', 50)]);
    check(&[0, 1, 2], &[('#', 150)]);
    check(&[2], &[('#', 150)]);
    check(&[0, 5], &[('#', 160)]);
    // Duplicated.
    check(&[0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5], &[('#', 160)]);
    check(&[3, 3, 3], &[('#', 160)]);
    // Reordered.
    check(&[5, 4, 3, 2, 1, 0], &[('#', 160)]);
    check(&[2, 0, 1], &[('#', 150)]);
    check(&[3, 0, 1, 2], &[('#', 160)]);
}

#[test]
fn the_same_key_twice_is_two_digits_even_without_an_end() {
    let packets = sent(&[('7', 100), ('7', 100)]);
    let mut ear = Ear::new();
    for (at, packet) in packets.iter().filter(|(_, packet)| !packet.event.end) {
        ear.hear(*at, packet);
    }
    assert_eq!(ear.told(), [('7', 50)]);
    ear.lapse(300);
    assert_eq!(ear.told(), []);
    ear.lapse(400);
    assert_eq!(ear.told(), [('7', 50)]);
}

#[test]
fn a_late_report_after_the_lapse_does_not_count_again() {
    let packets = sent(&[('7', 160)]);
    let mut ear = Ear::new();
    ear.hear(0, &packets[0].1);
    ear.lapse(200);
    ear.hear(900, &packets[5].1);
    ear.lapse(2_000);
    assert_eq!(ear.told(), [('7', 50)]);
}

#[test]
fn an_event_overtaken_by_the_next_one_is_told_too() {
    let packets = sent(&[('1', 40), ('2', 100)]);
    let mut ear = Ear::new();
    let second = packets.iter().position(|(_, packet)| packet.event.event == 2).unwrap();
    ear.hear(0, &packets[second].1);
    ear.hear(1, &packets[0].1);
    ear.hear(2, &packets[1].1);
    ear.hear(3, &packets[second + 1].1);
    assert_eq!(ear.told(), [('1', 40), ('2', 100)]);
}

#[test]
fn a_long_event_in_segments_is_one_digit_with_the_whole_duration() {
    let report = |segment: u32, duration, end| EventPacket {
        marker: false,
        timestamp: RtpTimestamp(1_000).plus(segment * 0xffff),
        event: TelephoneEvent { event: 1, end, volume: 10, duration },
    };
    let mut ear = Ear::new();
    ear.hear(0, &report(0, 0xffff, false));
    ear.hear(100, &report(1, 400, false));
    ear.hear(110, &report(0, 0xffff, false));
    ear.hear(150, &report(1, 0xffff, false));
    ear.hear(200, &report(2, 800, true));
    ear.lapse(1_000);
    assert_eq!(ear.told(), [('1', (2 * 65_535 + 800) / 8)]);
}

#[test]
fn reports_packed_into_one_packet_are_events_one_after_the_other() {
    let mut bytes = Vec::new();
    RtpHeader { marker: true, payload_type: 101, timestamp: RtpTimestamp(5), ..RtpHeader::default() }.write(&mut bytes);
    for event in [1, 2] {
        TelephoneEvent { event, end: true, volume: 0, duration: 800 }.write(&mut bytes);
    }
    let mut ear = Ear::new();
    for _again in 0..3 {
        ear.receiver.handle_packet(ear.start, &RtpPacket::parse(&bytes).unwrap());
    }
    assert_eq!(ear.told(), [('1', 100), ('2', 100)]);
}

#[test]
fn a_report_without_duration_and_a_payload_of_odd_length_are_ignored() {
    let mut ear = Ear::new();
    let event = TelephoneEvent { event: 1, end: true, volume: 0, duration: 0 };
    ear.hear(0, &EventPacket { marker: true, timestamp: RtpTimestamp(0), event });
    assert_eq!(ear.told(), []);
    assert_eq!(TelephoneEvent::parse(&[1, 2, 3]), Err(TelephoneEventError { len: 3 }));
    assert_eq!(TelephoneEvent::parse(&[]), Err(TelephoneEventError { len: 0 }));
    assert_eq!(TelephoneEvent::parse(&[0; 5]), Err(TelephoneEventError { len: 5 }));
}

#[test]
fn keys_and_codes_are_those_of_section_3_2() {
    for (code, digit) in (0..16).zip("0123456789*#ABCD".chars()) {
        assert_eq!(TelephoneEvent::digit(code), Some(digit));
        assert_eq!(TelephoneEvent::code(digit), Some(code));
    }
    assert_eq!(TelephoneEvent::digit(16), None);
    assert_eq!(TelephoneEvent::code('d'), Some(15));
    assert_eq!(TelephoneEvent::code('E'), None);
    assert_eq!(TelephoneEvent::code('ı'), None);
}

proptest! {
    #[test]
    fn a_report_reads_as_it_was_written(event: u8, end: bool, volume in 0u8..64, duration: u16) {
        let report = TelephoneEvent { event, end, volume, duration };
        let mut bytes = Vec::new();
        report.write(&mut bytes);
        prop_assert_eq!(TelephoneEvent::parse(&bytes), Ok(report));
    }

    #[test]
    fn no_digit_is_told_twice_however_its_packets_are_shuffled(order in proptest::collection::vec(0usize..18, 1..60)) {
        let packets = sent(&[('1', 160), ('2', 160), ('3', 160)]);
        let mut ear = Ear::new();
        for (step, index) in order.iter().enumerate() {
            ear.hear(u64::try_from(step).unwrap() * 10, &packets[*index].1);
        }
        ear.lapse(60_000);
        let mut told: Vec<_> = ear.told().into_iter().map(|(digit, _)| digit).collect();
        told.sort_unstable();
        let mut heard: Vec<_> =
            order.iter().filter_map(|index| TelephoneEvent::digit(packets[*index].1.event.event)).collect();
        heard.sort_unstable();
        heard.dedup();
        prop_assert_eq!(told, heard);
    }

    #[test]
    fn no_payload_makes_the_receiver_panic_or_grow(
        payloads in proptest::collection::vec((any::<bool>(), any::<u32>(), proptest::collection::vec(any::<u8>(), 0..64)), 0..50),
    ) {
        let mut ear = Ear::new();
        for (marker, timestamp, payload) in payloads {
            let mut bytes = Vec::new();
            RtpHeader { marker, timestamp: RtpTimestamp(timestamp), ..RtpHeader::default() }.write(&mut bytes);
            bytes.extend_from_slice(&payload);
            ear.receiver.handle_packet(ear.start, &RtpPacket::parse(&bytes).unwrap());
        }
        prop_assert!(ear.told().len() <= 32);
    }
}

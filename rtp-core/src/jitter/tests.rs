use super::*;
use crate::packet::RtpHeader;
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A buffer in virtual time. Packet number `n` of a stream is sent at `n` × 20 ms, and its payload says `n`.
struct Bench {
    buffer: JitterBuffer,
    start: Instant,
    first_sequence: u16,
    first_timestamp: u32,
    ssrc: u32,
}

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Heard {
    Packet(u16),
    Concealed,
    Nothing,
}
use Heard::{Concealed, Nothing, Packet};

impl Bench {
    fn new(config: JitterConfig) -> Self {
        #[expect(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
        let start = Instant::now();
        let buffer = JitterBuffer::new(config).unwrap();
        Self { buffer, start, first_sequence: 65_530, first_timestamp: u32::MAX - 500, ssrc: 1 }
    }

    fn fixed() -> Self {
        Self::new(JitterConfig::fixed(ms(40)))
    }

    fn insert(&mut self, at: u64, number: u16) -> Insertion {
        self.insert_at_timestamp(at, number, u32::from(number) * 160)
    }

    fn insert_at_timestamp(&mut self, at: u64, number: u16, timestamp: u32) -> Insertion {
        let header = RtpHeader {
            marker: false,
            payload_type: 0,
            sequence: SequenceNumber(self.first_sequence).plus(number),
            timestamp: RtpTimestamp(self.first_timestamp).plus(timestamp),
            ssrc: Ssrc(self.ssrc),
        };
        let mut bytes = Vec::new();
        header.write(&mut bytes);
        bytes.extend_from_slice(&number.to_be_bytes());
        self.buffer.insert(self.start + ms(at), &RtpPacket::parse(&bytes).unwrap())
    }

    fn poll(&mut self, at: u64) -> Heard {
        match self.buffer.poll_frame(self.start + ms(at)) {
            Frame::Play { payload, .. } => Packet(u16::from_be_bytes([payload[0], payload[1]])),
            Frame::Conceal => Concealed,
            Frame::Wait => Nothing,
        }
    }

    /// Lets packets arrive at their times and asks each 20 ms, until `end`.
    fn run(&mut self, mut arrivals: Vec<(u64, u16)>, end: u64) -> Vec<Heard> {
        arrivals.sort_unstable();
        let mut arrivals = arrivals.into_iter().peekable();
        let mut heard = Vec::new();
        for at in (0..end).step_by(20) {
            while let Some((arrival, number)) = arrivals.next_if(|(arrival, _)| *arrival <= at) {
                self.insert(arrival, number);
            }
            heard.push(self.poll(at));
        }
        heard
    }
}

#[test]
fn an_even_stream_is_played_whole_after_the_delay() {
    let arrivals = (0..10).map(|n| (u64::from(n) * 20, n)).collect();
    let mut bench = Bench::fixed();
    let heard = bench.run(arrivals, 240);
    let mut expected = vec![Nothing, Nothing];
    expected.extend((0..10).map(Packet));
    assert_eq!(heard, expected);
}

#[test]
fn packets_are_played_in_order_across_the_wrap_of_the_sequence_number() {
    let mut bench = Bench::fixed();
    let heard = bench.run(vec![(0, 0), (41, 2), (45, 1), (60, 3), (105, 5), (115, 4), (120, 6), (140, 7)], 200);
    assert_eq!(&heard[2..], (0..8).map(Packet).collect::<Vec<_>>());
}

#[test]
fn a_duplicate_is_dropped_while_held_and_after_it_was_played() {
    let mut bench = Bench::fixed();
    assert_eq!(bench.insert(0, 0), Insertion::Restarted);
    assert_eq!(bench.insert(20, 1), Insertion::Held);
    assert_eq!(bench.insert(20, 1), Insertion::Duplicate);
    assert_eq!(bench.poll(40), Packet(0));
    assert_eq!(bench.insert(50, 0), Insertion::Duplicate);
    assert_eq!(bench.poll(60), Packet(1));
    assert_eq!(bench.buffer.statistics().duplicates, 2);
}

#[test]
fn a_lost_packet_is_concealed_once_and_dropped_when_it_comes_late() {
    let mut bench = Bench::fixed();
    let heard = bench.run(vec![(0, 0), (40, 2), (60, 3), (80, 4)], 140);
    assert_eq!(heard, [Nothing, Nothing, Packet(0), Concealed, Packet(2), Packet(3), Packet(4)]);
    assert_eq!(bench.insert(141, 1), Insertion::Late);
    assert_eq!(bench.buffer.statistics().late, 1);
}

#[test]
fn when_packets_stop_five_frames_are_concealed_and_then_there_is_silence() {
    let mut bench = Bench::fixed();
    let heard = bench.run(vec![(0, 0), (20, 1)], 240);
    let mut expected = vec![Nothing, Nothing, Packet(0), Packet(1)];
    expected.extend([Concealed; 5]);
    expected.extend([Nothing; 3]);
    assert_eq!(heard, expected);
}

#[test]
fn after_a_silence_of_the_sender_the_next_talkspurt_is_played_from_its_first_packet() {
    let mut bench = Bench::fixed();
    bench.run(vec![(0, 0), (20, 1)], 1_000);
    // The next sequence number, a second later in time and timestamp.
    for n in 2..6u16 {
        assert_eq!(
            bench.insert_at_timestamp(u64::from(n) * 20 + 960, n, 8_000 + u32::from(n - 2) * 160),
            Insertion::Held
        );
    }
    let heard: Vec<_> = (1_000..1_120).step_by(20).map(|at| bench.poll(at)).collect();
    assert_eq!(heard, [Nothing, Nothing, Packet(2), Packet(3), Packet(4), Packet(5)]);
}

#[test]
fn a_short_silence_is_not_concealed() {
    let mut bench = Bench::new(JitterConfig::fixed(ms(100)));
    bench.insert(0, 0);
    // For 60 ms nothing was sent, which the unbroken sequence numbers say before the frames are due.
    bench.insert_at_timestamp(80, 1, 4 * 160);
    assert_eq!(bench.poll(100), Packet(0));
    let heard: Vec<_> = (120..=180).step_by(20).map(|at| bench.poll(at)).collect();
    assert_eq!(heard, [Nothing, Nothing, Nothing, Packet(1)]);
}

#[test]
fn another_ssrc_begins_anew() {
    let mut bench = Bench::fixed();
    bench.insert(0, 0);
    assert_eq!(bench.poll(40), Packet(0));
    bench.ssrc = 2;
    bench.first_sequence = 7;
    assert_eq!(bench.insert(50, 0), Insertion::Restarted);
    assert_eq!(bench.insert(70, 1), Insertion::Held);
    assert_eq!([bench.poll(60), bench.poll(80), bench.poll(100)], [Nothing, Packet(0), Packet(1)]);
    assert_eq!(bench.buffer.statistics().restarts, 1);
}

#[test]
fn a_sequence_that_starts_elsewhere_begins_anew() {
    let mut bench = Bench::fixed();
    bench.insert(0, 0);
    assert_eq!(bench.poll(40), Packet(0));
    assert_eq!(bench.insert(60, 5_000), Insertion::Restarted);
    assert_eq!(bench.poll(100), Packet(5_000));
}

#[test]
fn a_timestamp_that_starts_earlier_is_believed_after_ten_packets() {
    let mut bench = Bench::fixed();
    bench.insert_at_timestamp(0, 0, 1_000_000);
    assert_eq!(bench.poll(40), Packet(0));
    for n in 1..=10 {
        assert_eq!(bench.insert(40 + u64::from(n), n), Insertion::Late);
    }
    assert_eq!(bench.insert(60, 11), Insertion::Restarted);
    assert_eq!(bench.poll(100), Packet(11));
}

#[test]
fn memory_is_bounded_and_the_oldest_goes_first() {
    let mut bench = Bench::fixed();
    for n in 0..300 {
        bench.insert(0, n);
        assert!(bench.buffer.len() <= 64);
    }
    assert_eq!(bench.buffer.statistics().overflowed, 236);
    assert_eq!(bench.buffer.held.front().unwrap().sequence, SequenceNumber(bench.first_sequence).plus(236));
}

#[test]
fn a_buffer_that_was_not_asked_for_long_comes_back_to_its_delay() {
    let mut bench = Bench::fixed();
    bench.insert(0, 0);
    assert_eq!(bench.poll(40), Packet(0));
    for n in 1..40 {
        bench.insert(u64::from(n) * 20, n);
    }
    // 800 ms on: packets 1 to 37 should have been played.
    assert_eq!(bench.poll(800), Packet(38));
    assert_eq!(bench.poll(820), Packet(39));
}

#[test]
fn asking_up_to_half_a_frame_early_or_late_changes_nothing() {
    let mut rng = StdRng::seed_from_u64(7);
    let mut bench = Bench::fixed();
    let mut heard = Vec::new();
    for n in 0..100u16 {
        bench.insert(u64::from(n) * 20, n);
        let wobble = rng.random_range(0..9);
        heard.push(bench.poll(u64::from(n) * 20 + 5 + wobble));
    }
    assert_eq!(&heard[2..], (0..98).map(Packet).collect::<Vec<_>>());
}

#[test]
fn packets_of_40_ms_are_played_every_40_ms() {
    let mut bench = Bench::fixed();
    let mut heard = Vec::new();
    for at in (0..200).step_by(20) {
        if at % 40 == 0 {
            let n = u16::try_from(at / 40).unwrap();
            bench.insert_at_timestamp(at, n, u32::from(n) * 320);
        }
        heard.push(bench.poll(at));
    }
    heard.retain(|heard| *heard != Nothing);
    assert_eq!(heard, [Packet(0), Packet(1), Packet(2), Packet(3)]);
    assert_eq!(bench.buffer.statistics().concealed, 0);
}

/// Plays 60 s through a network that delays each packet by 0 to `jitter` ms and loses a share of them.
fn through_network(seed: u64, jitter: u64, loss: f64) -> (JitterStatistics, Duration) {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut bench = Bench::new(JitterConfig::default());
    let mut arrivals = Vec::new();
    for n in 0..3_000 {
        if !rng.random_bool(loss) {
            arrivals.push((u64::from(n) * 20 + rng.random_range(0..=jitter), n));
        }
    }
    let heard = bench.run(arrivals, 60_000);
    let numbers: Vec<_> =
        heard.iter().filter_map(|heard| if let Packet(n) = heard { Some(*n) } else { None }).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "seed {seed}: played out of order");
    (bench.buffer.statistics(), bench.buffer.target_delay())
}

#[test]
fn the_delay_follows_the_jitter_so_that_hardly_a_packet_is_late() {
    for seed in 0..10 {
        let (calm, calm_delay) = through_network(seed, 0, 0.0);
        assert_eq!((calm.late, calm.concealed, calm.played), (0, 0, 2_997), "seed {seed}");
        assert_eq!(calm_delay, ms(40), "seed {seed}");
        let (rough, rough_delay) = through_network(seed, 60, 0.0);
        assert!(rough.played > 2_900, "seed {seed}: {rough:?}");
        assert!(rough_delay > ms(50) && rough_delay <= ms(120), "seed {seed}: {rough_delay:?}");
        let (lossy, _) = through_network(seed, 60, 0.2);
        assert!(lossy.played > 2_200 && lossy.concealed > 400, "seed {seed}: {lossy:?}");
    }
}

#[test]
fn a_tick_that_is_30_ms_late_now_and_then_is_not_heard() {
    let default = JitterConfig::default();
    // From the least delay too, to which a later talkspurt is set; and however our ticks lie between the sender's.
    for initial_delay in [default.initial_delay, default.min_delay] {
        for (every, phase) in [7, 50, 400].into_iter().flat_map(|every| [0, 5, 10, 15].map(|phase| (every, phase))) {
            let mut bench = Bench::new(JitterConfig { initial_delay, ..default });
            let late = |n: u16| if n % every == every - 1 { 30u64 } else { 0 };
            // What is behind a late packet is sent on time or right after it, whichever is later.
            let lateness = |n: u16| late(n).max(n.checked_sub(1).map_or(0, late).saturating_sub(20));
            let arrivals = (0..2_000).map(|n| (u64::from(n) * 20 + phase + lateness(n), n)).collect();
            bench.run(arrivals, 39_000);
            let statistics = bench.buffer.statistics();
            let place = (initial_delay, every, phase);
            assert_eq!((statistics.late, statistics.concealed), (0, 0), "{place:?}: {statistics:?}");
        }
    }
}

#[test]
fn a_sender_whose_clock_is_fast_does_not_fill_the_buffer() {
    let mut bench = Bench::new(JitterConfig::default());
    // 1 % fast: 600 ms more sound a minute than is played.
    let arrivals = (0..3_000u16).map(|n| (u64::from(n) * 198 / 10, n)).collect();
    bench.run(arrivals, 59_000);
    let statistics = bench.buffer.statistics();
    assert!(bench.buffer.len() < 6, "{statistics:?}");
    assert!(statistics.played > 2_900 && statistics.overflowed == 0, "{statistics:?}");
}

#[test]
fn a_configuration_that_contradicts_itself_is_refused() {
    let check = |config: JitterConfig| JitterBuffer::new(config).map(|_| ()).unwrap_err();
    let good = JitterConfig::default();
    assert_eq!(check(JitterConfig { clock_rate: 0, ..good }), JitterConfigError::ClockRate);
    assert_eq!(check(JitterConfig { frame: ms(0), ..good }), JitterConfigError::Frame(ms(0)));
    assert!(matches!(check(JitterConfig { min_delay: ms(300), ..good }), JitterConfigError::DelayOrder { .. }));
    assert_eq!(check(JitterConfig { capacity: 19, ..good }), JitterConfigError::Capacity { capacity: 19, needed: 20 });
}

proptest! {
    #[test]
    fn no_packets_and_no_times_break_its_bounds(
        steps in proptest::collection::vec((0u64..200, 0u32..2, any::<u16>(), any::<u32>(), any::<bool>()), 0..300),
        near: bool,
    ) {
        let mut bench = Bench::new(JitterConfig::default());
        let mut at = 0;
        for (step, ssrc, number, timestamp, poll) in steps {
            at += step;
            bench.ssrc = ssrc / 2;
            if poll {
                bench.poll(at);
            } else if near {
                bench.insert_at_timestamp(at, number % 100, timestamp % 16_000);
            } else {
                bench.insert_at_timestamp(at, number, timestamp);
            }
            prop_assert!(bench.buffer.len() <= 64);
            prop_assert!(bench.buffer.spare.len() <= 66);
        }
    }
}

//! What a receiver knows about a stream: expected, lost, reordered, duplicated, jitter (RFC 3550 appendices A.1, A.3, A.8).

use std::time::{Duration, Instant};

use crate::packet::RtpPacket;
use crate::sequence::{SequenceNumber, Ssrc, duration_of, ticks};

/// Packets that may be missing in a row before a jump counts as another stream (A.1): one minute at 50 packets a second.
pub const MAX_DROPOUT: u16 = 3_000;
/// How far behind the newest packet one may come and still count as reordered (A.1): two seconds at 50 packets a second.
pub const MAX_MISORDER: u16 = 100;

/// Statistics of what is received on one leg, over all streams (SSRCs) that its peer sends one after the other.
///
/// A stream is valid from its first packet: the address was signalled or latched, so A.1's probation of two packets would
/// only throw away the first syllable. A sequence number that jumps by [`MAX_DROPOUT`] or more is taken as a restart when
/// the packet after it follows it, and not counted otherwise.
#[derive(Debug, Clone)]
pub struct ReceiverStatistics {
    clock_rate: u32,
    /// Where arrival times are counted from.
    epoch: Option<Instant>,
    stream: Option<Stream>,
    /// Sums over the streams that have ended.
    past: Counts,
    duplicates: u64,
    reordered: u64,
    out_of_range: u64,
    restarts: u64,
    source_changes: u64,
    /// The most that any stream's jitter has been, in timestamp units.
    max_jitter: u32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    expected: u64,
    received: u64,
    unique: u64,
    bursts: u64,
}

/// The stream that is being received: `source` of A.1.
#[derive(Debug, Clone)]
struct Stream {
    ssrc: Ssrc,
    base: SequenceNumber,
    max: SequenceNumber,
    cycles: u64,
    /// The number that would confirm a restart.
    bad: Option<SequenceNumber>,
    received: u64,
    unique: u64,
    /// Runs of packets that are missing.
    bursts: u64,
    /// What had been expected and received when a reception report was last made.
    prior: Counts,
    /// Which of the numbers at and before `max` were seen; bit 0 is `max`.
    seen: u128,
    transit: u32,
    /// Sixteen times the jitter in timestamp units, as A.8's integer variant keeps it.
    jitter: u64,
}

/// What the sequence number of a packet said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// The first packet of all.
    First,
    /// The packet that was expected, or a later one: `missing` packets are between.
    InOrder {
        /// Packets between the one before and this one; they may still come.
        missing: u16,
    },
    /// Older than the newest, and not seen before.
    Reordered,
    /// Seen before.
    Duplicate,
    /// Too far off to belong to the stream; not counted. The next packet decides whether the stream has restarted.
    OutOfRange,
    /// The second packet in a row of a stream that starts elsewhere: the peer has restarted without a new SSRC.
    Restarted,
    /// The first packet of another SSRC.
    SourceChanged,
}

impl ReceiverStatistics {
    /// Statistics of a stream whose timestamps count a clock of `clock_rate` hertz (8 000 for G.711); 0 counts as 1.
    #[must_use]
    pub fn new(clock_rate: u32) -> Self {
        Self {
            clock_rate: clock_rate.max(1),
            epoch: None,
            stream: None,
            past: Counts::default(),
            duplicates: 0,
            reordered: 0,
            out_of_range: 0,
            restarts: 0,
            source_changes: 0,
            max_jitter: 0,
        }
    }

    /// Counts a packet that arrived at `now`, and says where it belongs.
    pub fn record(&mut self, now: Instant, packet: &RtpPacket<'_>) -> Arrival {
        let epoch = *self.epoch.get_or_insert(now);
        let arrival_ticks = ticks(now.saturating_duration_since(epoch), self.clock_rate);
        let transit = arrival_ticks.wrapping_sub(packet.timestamp().0);
        let (sequence, ssrc) = (packet.sequence(), packet.ssrc());
        let Some(stream) = &mut self.stream else {
            self.stream = Some(Stream::new(ssrc, sequence, transit));
            return Arrival::First;
        };
        if stream.ssrc != ssrc {
            self.source_changes += 1;
            self.begin_anew(ssrc, sequence, transit);
            return Arrival::SourceChanged;
        }
        let arrival = stream.place(sequence);
        match arrival {
            Arrival::OutOfRange => {
                self.out_of_range += 1;
                return arrival;
            }
            Arrival::Restarted => {
                self.restarts += 1;
                self.begin_anew(ssrc, sequence, transit);
                return arrival;
            }
            Arrival::Duplicate => self.duplicates += 1,
            Arrival::Reordered => self.reordered += 1,
            Arrival::First | Arrival::InOrder { .. } | Arrival::SourceChanged => {}
        }
        stream.measure(transit);
        self.max_jitter = self.max_jitter.max(stream.jitter_ticks());
        arrival
    }

    /// The figures up to this packet.
    #[must_use]
    pub fn report(&self) -> Reception {
        let total = self.total();
        Reception {
            ssrc: self.stream.as_ref().map(|stream| stream.ssrc),
            received: total.received,
            expected: total.expected,
            lost: total.expected.saturating_sub(total.unique),
            loss_bursts: total.bursts,
            duplicates: self.duplicates,
            reordered: self.reordered,
            out_of_range: self.out_of_range,
            restarts: self.restarts,
            source_changes: self.source_changes,
            jitter: duration_of(self.jitter_ticks(), self.clock_rate),
            max_jitter: duration_of(self.max_jitter, self.clock_rate),
            highest_sequence: self.stream.as_ref().map(Stream::extended_max),
        }
    }

    /// What a reception report says of the stream that is being received (§6.4.1, A.3), and begins the next interval. `None` when
    /// nothing of it has come since the last call: such a stream is not reported on. The figures are that stream's alone; what another SSRC
    /// sent before is not carried over.
    #[must_use]
    pub fn take_stream_report(&mut self) -> Option<StreamReport> {
        let jitter = self.jitter_ticks();
        let stream = self.stream.as_mut()?;
        let now = stream.counts();
        let (expected, received) = (now.expected - stream.prior.expected, now.received - stream.prior.received);
        if received == 0 {
            return None;
        }
        stream.prior = now;
        let fraction = expected.saturating_sub(received).saturating_mul(256).checked_div(expected).unwrap_or(0);
        // Duplicates count as received (A.3), so it can be negative.
        let lost = i128::from(now.expected) - i128::from(now.received);
        Some(StreamReport {
            ssrc: stream.ssrc,
            fraction_lost: u8::try_from(fraction).unwrap_or(u8::MAX),
            cumulative_lost: i32::try_from(lost.clamp(-0x80_0000, 0x7f_ffff)).unwrap_or(0),
            highest_sequence: stream.extended_max(),
            jitter,
        })
    }

    /// The stream that came last.
    #[must_use]
    pub fn ssrc(&self) -> Option<Ssrc> {
        self.stream.as_ref().map(|stream| stream.ssrc)
    }

    /// The interarrival jitter in timestamp units: "interarrival jitter" of a reception report (A.8).
    #[must_use]
    pub fn jitter_ticks(&self) -> u32 {
        self.stream.as_ref().map_or(0, Stream::jitter_ticks)
    }

    fn begin_anew(&mut self, ssrc: Ssrc, sequence: SequenceNumber, transit: u32) {
        self.past = self.total();
        self.stream = Some(Stream::new(ssrc, sequence, transit));
    }

    fn total(&self) -> Counts {
        let Some(stream) = &self.stream else { return self.past };
        let current = stream.counts();
        Counts {
            expected: self.past.expected.saturating_add(current.expected),
            received: self.past.received.saturating_add(current.received),
            unique: self.past.unique.saturating_add(current.unique),
            bursts: self.past.bursts.saturating_add(current.bursts),
        }
    }
}

impl Stream {
    fn new(ssrc: Ssrc, first: SequenceNumber, transit: u32) -> Self {
        Self {
            ssrc,
            base: first,
            max: first,
            cycles: 0,
            bad: None,
            received: 1,
            unique: 1,
            bursts: 0,
            prior: Counts::default(),
            seen: 1,
            transit,
            jitter: 0,
        }
    }

    /// `update_seq` of A.1, with duplicates told from what is only out of order.
    fn place(&mut self, sequence: SequenceNumber) -> Arrival {
        let ahead = sequence.0.wrapping_sub(self.max.0);
        let behind = self.max.0.wrapping_sub(sequence.0);
        let mut counts_as_found = true;
        let arrival = if ahead == 0 {
            Arrival::Duplicate
        } else if ahead < MAX_DROPOUT {
            if sequence.0 < self.max.0 {
                self.cycles += 1 << 16;
            }
            self.max = sequence;
            self.bursts += u64::from(ahead > 1);
            self.seen = self.seen.checked_shl(u32::from(ahead)).unwrap_or(0) | 1;
            Arrival::InOrder { missing: ahead - 1 }
        } else if behind < MAX_MISORDER {
            let bit = 1u128 << behind;
            let before = self.seen;
            self.seen |= bit;
            if before & bit == 0 {
                counts_as_found = self.fill(behind);
                Arrival::Reordered
            } else {
                Arrival::Duplicate
            }
        } else if self.bad == Some(sequence) {
            return Arrival::Restarted;
        } else {
            self.bad = Some(sequence.next());
            return Arrival::OutOfRange;
        };
        self.received += 1;
        if arrival != Arrival::Duplicate && counts_as_found {
            self.unique += 1;
        }
        arrival
    }

    /// Takes in that the packet `behind` places before the newest is not missing after all: the run that it was missing in becomes shorter, two
    /// runs, or none. False when nobody had missed it: it is from before the first packet that was received.
    fn fill(&mut self, behind: u16) -> bool {
        let span = self.extended_max() - u64::from(self.base.0);
        let missing = |place: u64| place < span && self.seen & (1u128 << (place % 128)) == 0;
        if u64::from(behind) > span {
            return false;
        }
        // `behind` is at least 1, and the newest packet is not missing.
        match (missing(u64::from(behind) - 1), missing(u64::from(behind) + 1)) {
            (true, true) => self.bursts += 1,
            (false, false) => self.bursts = self.bursts.saturating_sub(1),
            _ => {}
        }
        true
    }

    fn counts(&self) -> Counts {
        Counts { expected: self.expected(), received: self.received, unique: self.unique, bursts: self.bursts }
    }

    fn measure(&mut self, transit: u32) {
        let difference = u64::from(transit.wrapping_sub(self.transit).cast_signed().unsigned_abs());
        self.transit = transit;
        self.jitter = (self.jitter + difference).saturating_sub((self.jitter + 8) >> 4);
    }

    fn jitter_ticks(&self) -> u32 {
        u32::try_from(self.jitter >> 4).unwrap_or(u32::MAX)
    }

    fn extended_max(&self) -> u64 {
        self.cycles + u64::from(self.max.0)
    }

    fn expected(&self) -> u64 {
        (self.extended_max() + 1).saturating_sub(u64::from(self.base.0))
    }
}

/// What a reception report says of a stream (§6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamReport {
    /// The stream.
    pub ssrc: Ssrc,
    /// Lost of those expected since the report before, in 256ths.
    pub fraction_lost: u8,
    /// Expected less received since the stream began; in 24 bits, negative when duplicates outnumber losses.
    pub cumulative_lost: i32,
    /// The highest sequence number received, with the number of wraps above its 16 bits.
    pub highest_sequence: u64,
    /// Interarrival jitter in timestamp units.
    pub jitter: u32,
}

/// The figures of [`ReceiverStatistics`] at one moment, summed over the streams of a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reception {
    /// The stream that came last.
    pub ssrc: Option<Ssrc>,
    /// Packets, duplicates and late ones included.
    pub received: u64,
    /// Packets that the sequence numbers say were sent.
    pub expected: u64,
    /// Expected packets that never came; a duplicate does not make up for a lost one.
    pub lost: u64,
    /// Runs of lost packets: three lost in a row are one.
    pub loss_bursts: u64,
    /// Packets that had been received before.
    pub duplicates: u64,
    /// Packets that came after a later one.
    pub reordered: u64,
    /// Packets with a sequence number that belonged nowhere; in no other figure.
    pub out_of_range: u64,
    /// How often the sequence started elsewhere under the same SSRC.
    pub restarts: u64,
    /// How often the SSRC changed.
    pub source_changes: u64,
    /// Interarrival jitter (A.8): the smoothed difference of the spacing at the receiver from that at the sender.
    pub jitter: Duration,
    /// The most that [`jitter`](Self::jitter) has been since the leg began, over all its streams.
    pub max_jitter: Duration,
    /// The highest sequence number received, with the number of wraps above its 16 bits.
    pub highest_sequence: Option<u64>,
}

impl Reception {
    /// The share of the expected packets that never came, 0 to 1.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share for people; 2^53 packets are 5 million years of audio")]
    pub fn loss_ratio(&self) -> f64 {
        if self.expected == 0 { 0.0 } else { self.lost as f64 / self.expected as f64 }
    }

    /// How much longer the runs of lost packets are than they would be if as many were lost at random: 1 for random loss, more for bursts
    /// (ITU-T G.107 §7.5). `None` while nothing was lost.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "as in `loss_ratio`")]
    pub fn burst_ratio(&self) -> Option<f64> {
        if self.lost == 0 || self.loss_bursts == 0 {
            return None;
        }
        // A run that begins at random goes on with the probability of a loss, so its mean length is 1 / (1 - loss).
        Some(self.lost as f64 / self.loss_bursts as f64 * (1.0 - self.loss_ratio()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::RtpHeader;
    use crate::sequence::RtpTimestamp;
    use proptest::prelude::*;

    struct Bench {
        statistics: ReceiverStatistics,
        start: Instant,
    }

    impl Bench {
        #[expect(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
        fn new() -> Self {
            Self { statistics: ReceiverStatistics::new(8_000), start: Instant::now() }
        }

        fn hear(&mut self, at_ms: u64, sequence: u16, timestamp: u32) -> Arrival {
            self.hear_from(Ssrc(1), at_ms, sequence, timestamp)
        }

        fn hear_from(&mut self, ssrc: Ssrc, at_ms: u64, sequence: u16, timestamp: u32) -> Arrival {
            let header = RtpHeader {
                sequence: SequenceNumber(sequence),
                timestamp: RtpTimestamp(timestamp),
                ssrc,
                ..RtpHeader::default()
            };
            let mut bytes = Vec::new();
            header.write(&mut bytes);
            let now = self.start + Duration::from_millis(at_ms);
            self.statistics.record(now, &RtpPacket::parse(&bytes).unwrap())
        }
    }

    #[test]
    fn expected_is_highest_less_first_plus_one_across_a_wrap() {
        let mut bench = Bench::new();
        assert_eq!(bench.hear(0, 65_534, 0), Arrival::First);
        assert_eq!(bench.hear(20, 65_535, 160), Arrival::InOrder { missing: 0 });
        assert_eq!(bench.hear(40, 0, 320), Arrival::InOrder { missing: 0 });
        assert_eq!(bench.hear(80, 2, 640), Arrival::InOrder { missing: 1 });
        let report = bench.statistics.report();
        assert_eq!((report.expected, report.received, report.lost), (5, 4, 1));
        assert_eq!(report.highest_sequence, Some(65_536 + 2));
        assert_eq!(bench.statistics.take_stream_report().unwrap().cumulative_lost, 1);
    }

    #[test]
    fn a_late_packet_is_reordered_once_and_a_duplicate_after_that() {
        let mut bench = Bench::new();
        bench.hear(0, 10, 0);
        bench.hear(40, 12, 320);
        assert_eq!(bench.hear(41, 11, 160), Arrival::Reordered);
        assert_eq!(bench.hear(42, 11, 160), Arrival::Duplicate);
        assert_eq!(bench.hear(43, 12, 320), Arrival::Duplicate);
        let report = bench.statistics.report();
        assert_eq!((report.expected, report.received, report.lost), (3, 5, 0));
        assert_eq!((report.reordered, report.duplicates), (1, 2));
        // A.3: duplicates count as received.
        assert_eq!(bench.statistics.take_stream_report().unwrap().cumulative_lost, -2);
    }

    #[test]
    fn a_duplicate_does_not_hide_a_loss() {
        let mut bench = Bench::new();
        bench.hear(0, 1, 0);
        bench.hear(0, 1, 0);
        bench.hear(40, 3, 320);
        assert_eq!(bench.statistics.report().lost, 1);
    }

    #[test]
    fn a_packet_from_before_the_first_one_does_not_hide_a_loss() {
        let mut bench = Bench::new();
        for sequence in [10, 8, 12] {
            bench.hear(0, sequence, 0);
        }
        let report = bench.statistics.report();
        assert_eq!((report.expected, report.received, report.lost, report.loss_bursts), (3, 3, 1, 1));
    }

    #[test]
    fn fraction_lost_is_of_the_interval_in_256ths() {
        let mut bench = Bench::new();
        for sequence in [1, 2, 3, 5, 6, 7, 8] {
            bench.hear(0, sequence, 0);
        }
        // One of eight.
        assert_eq!(bench.statistics.take_stream_report().unwrap().fraction_lost, 32);
        assert_eq!(bench.statistics.take_stream_report(), None, "nothing came since");
        for sequence in [9, 12] {
            bench.hear(0, sequence, 0);
        }
        // Two of four.
        assert_eq!(bench.statistics.take_stream_report().unwrap().fraction_lost, 128);
    }

    #[test]
    fn a_report_is_of_the_stream_that_is_being_received_alone() {
        let mut bench = Bench::new();
        bench.hear(0, 1, 0);
        bench.hear(0, 9, 0);
        bench.hear_from(Ssrc(2), 0, 65_535, 0);
        bench.hear_from(Ssrc(2), 0, 0, 0);
        let report = bench.statistics.take_stream_report().unwrap();
        let expected =
            StreamReport { ssrc: Ssrc(2), fraction_lost: 0, cumulative_lost: 0, highest_sequence: 65_536, jitter: 0 };
        assert_eq!(StreamReport { jitter: 0, ..report }, expected);
        assert_eq!(bench.statistics.report().lost, 7);
    }

    #[test]
    fn runs_of_lost_packets_are_counted_also_when_late_ones_split_or_end_them() {
        let mut bench = Bench::new();
        let mut bursts_after = |sequence| {
            bench.hear(0, sequence, 0);
            bench.statistics.report().loss_bursts
        };
        bursts_after(10);
        // 11 to 13 are missing.
        assert_eq!(bursts_after(14), 1);
        assert_eq!(bursts_after(12), 2);
        assert_eq!(bursts_after(11), 1);
        assert_eq!(bursts_after(13), 0);
        // 15 and 16, and 18.
        assert_eq!(bursts_after(17), 1);
        assert_eq!(bursts_after(19), 2);
        assert_eq!(bursts_after(16), 2);
        // From before the first one: nobody had missed it.
        assert_eq!(bursts_after(8), 2);
        assert_eq!(bursts_after(9), 2);
    }

    #[test]
    fn the_burst_ratio_is_1_when_loss_is_as_scattered_as_chance_has_it() {
        let reception = |lost, loss_bursts| Reception { expected: 100, lost, loss_bursts, ..Reception::default() };
        assert_eq!(reception(0, 0).burst_ratio(), None);
        // Of 20 % random loss the mean run is 1 / 0.8 = 1.25 packets.
        assert!((reception(20, 16).burst_ratio().unwrap() - 1.0).abs() < 1e-9);
        assert!((reception(20, 4).burst_ratio().unwrap() - 4.0).abs() < 1e-9);
    }

    #[test]
    fn jitter_follows_the_worked_formula_of_a_8() {
        let mut bench = Bench::new();
        bench.hear(0, 1, 0);
        // 10 ms late: D = 80. J16 = 0 + 80 - (0 + 8 >> 4) = 80, J = 5.
        bench.hear(30, 2, 160);
        assert_eq!(bench.statistics.jitter_ticks(), 5);
        // In time again: D = 80. J16 = 80 + 80 - (88 >> 4 = 5) = 155, J = 9.
        bench.hear(40, 3, 320);
        assert_eq!(bench.statistics.jitter_ticks(), 9);
        // Spaced as sent: D = 0. J16 = 155 - (163 >> 4 = 10) = 145, J = 9.
        bench.hear(60, 4, 480);
        assert_eq!(bench.statistics.jitter_ticks(), 9);
        assert_eq!(bench.statistics.report().jitter, Duration::from_micros(1_125));
    }

    #[test]
    fn even_spacing_has_no_jitter_even_when_the_timestamp_wraps() {
        let mut bench = Bench::new();
        for step in 0u16..50 {
            bench.hear(u64::from(step) * 20, step, (u32::MAX - 1_000).wrapping_add(u32::from(step) * 160));
        }
        assert_eq!(bench.statistics.jitter_ticks(), 0);
    }

    #[test]
    fn a_single_wild_number_is_not_counted_and_two_in_a_row_are_a_restart() {
        let mut bench = Bench::new();
        bench.hear(0, 100, 0);
        assert_eq!(bench.hear(20, 40_000, 9), Arrival::OutOfRange);
        assert_eq!(bench.hear(40, 101, 320), Arrival::InOrder { missing: 0 });
        assert_eq!(bench.hear(60, 40_000, 9), Arrival::OutOfRange);
        assert_eq!(bench.hear(80, 40_001, 169), Arrival::Restarted);
        assert_eq!(bench.hear(100, 40_002, 329), Arrival::InOrder { missing: 0 });
        let report = bench.statistics.report();
        assert_eq!((report.expected, report.received, report.lost), (4, 4, 0));
        assert_eq!((report.restarts, report.out_of_range), (1, 2));
    }

    #[test]
    fn the_limits_of_a_1_are_where_it_puts_them() {
        let mut bench = Bench::new();
        bench.hear(0, 0, 0);
        assert_eq!(bench.hear(0, 2_999, 0), Arrival::InOrder { missing: 2_998 });
        assert_eq!(bench.hear(0, 2_999 + 3_000, 0), Arrival::OutOfRange);
        assert_eq!(bench.hear(0, 2_900, 0), Arrival::Reordered);
        assert_eq!(bench.hear(0, 2_899, 0), Arrival::OutOfRange);
    }

    #[test]
    fn another_ssrc_starts_afresh_and_the_sums_go_on() {
        let mut bench = Bench::new();
        bench.hear(0, 1, 0);
        bench.hear(40, 3, 320);
        assert_eq!(bench.hear_from(Ssrc(2), 60, 9_000, 77), Arrival::SourceChanged);
        assert_eq!(bench.hear_from(Ssrc(2), 80, 9_001, 237), Arrival::InOrder { missing: 0 });
        let report = bench.statistics.report();
        assert_eq!((report.expected, report.received, report.lost), (5, 4, 1));
        assert_eq!((report.source_changes, report.ssrc), (1, Some(Ssrc(2))));
        assert_eq!(report.jitter, Duration::ZERO);
    }

    #[test]
    fn the_most_jitter_is_remembered_when_it_is_calm_again() {
        let mut bench = Bench::new();
        for n in 0..200u16 {
            // One packet comes 100 ms late, the others on the tick.
            let late = if n == 10 { 100 } else { 0 };
            bench.hear(u64::from(n) * 20 + late, n, u32::from(n) * 160);
        }
        let reception = bench.statistics.report();
        assert!(reception.jitter < Duration::from_millis(1), "{reception:?}");
        // 100 ms / 16, and on the way back as much again less what has faded.
        assert!((6..13).contains(&reception.max_jitter.as_millis()), "{reception:?}");
    }

    proptest! {
        #[test]
        fn no_stream_of_packets_makes_the_figures_contradict_each_other(
            // Numbers anywhere, and numbers close together.
            packets in proptest::collection::vec(
                (0u32..3, prop_oneof![any::<u16>(), 0u16..50], any::<u32>(), 0u64..1_000),
                0..300,
            ),
        ) {
            let mut bench = Bench::new();
            let mut at = 0;
            for (ssrc, sequence, timestamp, step) in packets {
                at += step;
                bench.hear_from(Ssrc(ssrc), at, sequence, timestamp);
                let report = bench.statistics.report();
                prop_assert!(report.lost <= report.expected);
                prop_assert!(report.duplicates <= report.received);
                prop_assert!(report.loss_bursts <= report.lost);
                prop_assert!(report.lost == 0 || report.loss_bursts > 0);
                let _report = bench.statistics.take_stream_report();
            }
        }
    }
}

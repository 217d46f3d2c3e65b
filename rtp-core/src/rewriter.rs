//! What leaves a leg is one stream, whoever made its packets: one SSRC, sequence numbers and timestamps that go on.

use std::time::{Duration, Instant};

use rand::{Rng, RngExt};

use crate::packet::RtpHeader;
use crate::sequence::{RtpTimestamp, SequenceNumber, Ssrc, ticks};
use crate::statistics::MAX_DROPOUT;

/// The least distance between the last packet of one source and the first of the next: one packet of 20 ms.
const LEAST_STEP: Duration = Duration::from_millis(20);

/// Maps the packets of one source after the other into one outgoing stream. Within a source, what is lost or out of order stays so: the
/// receiver's statistics tell the truth. The first packet of a source bears the marker bit, since the receiver's delay may
/// have to change there (RFC 3551 §4.1).
#[derive(Debug)]
pub(crate) struct Rewriter {
    ssrc: Ssrc,
    clock_rate: u32,
    source: Option<Source>,
    last: Last,
}

#[derive(Debug, Clone, Copy)]
struct Source {
    /// Who made the packets: a leg, or a processor.
    origin: u64,
    ssrc: Ssrc,
    newest: SequenceNumber,
    sequence_offset: u16,
    timestamp_offset: u32,
}

/// The newest packet that was sent.
#[derive(Debug, Clone, Copy)]
struct Last {
    sequence: SequenceNumber,
    timestamp: RtpTimestamp,
    at: Option<Instant>,
}

impl Rewriter {
    /// SSRC, first sequence number and first timestamp are random (RFC 3550 §5.1).
    pub(crate) fn new(clock_rate: u32, rng: &mut impl Rng) -> Self {
        let last = Last { sequence: SequenceNumber(rng.random()), timestamp: RtpTimestamp(rng.random()), at: None };
        Self { ssrc: Ssrc(rng.random()), clock_rate, source: None, last }
    }

    /// The SSRC of the stream.
    pub(crate) fn ssrc(&self) -> Ssrc {
        self.ssrc
    }

    /// The header with which a packet that `origin` made and headed `incoming` leaves at `now`.
    pub(crate) fn header_for(&mut self, now: Instant, origin: u64, incoming: RtpHeader) -> RtpHeader {
        let (source, switched) = match self.source {
            Some(source) if source.continues_with(origin, incoming) => (source, false),
            _ => (self.switch_to(now, origin, incoming), true),
        };
        let header = RtpHeader {
            marker: incoming.marker || switched,
            sequence: incoming.sequence.plus(source.sequence_offset),
            timestamp: incoming.timestamp.plus(source.timestamp_offset),
            ssrc: self.ssrc,
            ..incoming
        };
        let newest = if incoming.sequence.is_after(source.newest) { incoming.sequence } else { source.newest };
        if switched || header.sequence.is_after(self.last.sequence) {
            self.last = Last { sequence: header.sequence, timestamp: header.timestamp, at: Some(now) };
        }
        self.source = Some(Source { newest, ..source });
        header
    }

    /// Ends what the source was sending: its next packet, whichever that is, continues the stream as that of another source would.
    pub(crate) fn break_off(&mut self) {
        self.source = None;
    }

    fn switch_to(&self, now: Instant, origin: u64, incoming: RtpHeader) -> Source {
        let pause = self.last.at.map_or(LEAST_STEP, |at| now.saturating_duration_since(at).max(LEAST_STEP));
        let timestamp = self.last.timestamp.plus(ticks(pause, self.clock_rate));
        Source {
            origin,
            ssrc: incoming.ssrc,
            newest: incoming.sequence,
            sequence_offset: self.last.sequence.next().0.wrapping_sub(incoming.sequence.0),
            timestamp_offset: timestamp.0.wrapping_sub(incoming.timestamp.0),
        }
    }
}

impl Source {
    fn continues_with(&self, origin: u64, incoming: RtpHeader) -> bool {
        self.origin == origin
            && self.ssrc == incoming.ssrc
            && incoming.sequence.distance(self.newest).unsigned_abs() < MAX_DROPOUT
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    struct Bench {
        rewriter: Rewriter,
        start: Instant,
    }

    impl Bench {
        #[expect(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
        fn new() -> Self {
            Self { rewriter: Rewriter::new(8_000, &mut StdRng::seed_from_u64(1)), start: Instant::now() }
        }

        fn pass(&mut self, at_ms: u64, origin: u64, ssrc: u32, sequence: u16, timestamp: u32) -> RtpHeader {
            let header = RtpHeader {
                payload_type: 8,
                sequence: SequenceNumber(sequence),
                timestamp: RtpTimestamp(timestamp),
                ssrc: Ssrc(ssrc),
                marker: false,
            };
            self.rewriter.header_for(self.start + Duration::from_millis(at_ms), origin, header)
        }
    }

    #[test]
    fn one_source_keeps_its_spacing_its_gaps_and_its_order() {
        let mut bench = Bench::new();
        let first = bench.pass(0, 1, 7, 65_535, 1_000);
        assert!(first.marker);
        assert_eq!(first.payload_type, 8);
        let third = bench.pass(40, 1, 7, 1, 1_320);
        let second = bench.pass(41, 1, 7, 0, 1_160);
        assert!(!third.marker && !second.marker);
        assert_eq!(third.sequence, first.sequence.plus(2));
        assert_eq!(second.sequence, first.sequence.plus(1));
        assert_eq!(third.timestamp.distance(first.timestamp), 320);
        assert_eq!(second.timestamp.distance(first.timestamp), 160);
        assert_eq!([first.ssrc, second.ssrc], [third.ssrc; 2]);
    }

    #[test]
    fn another_source_goes_on_where_the_last_one_was_with_a_marker() {
        let mut bench = Bench::new();
        let last = bench.pass(0, 1, 7, 10, 0);
        for (at, origin, ssrc) in [(500, 2, 7), (1_000, 2, 8), (1_500, 1, 7)] {
            let before = bench.rewriter.last;
            let next = bench.pass(at, origin, ssrc, 40_000, 123_456);
            assert!(next.marker);
            assert_eq!(next.ssrc, last.ssrc);
            assert_eq!(next.sequence, before.sequence.next());
            // 500 ms of silence.
            assert_eq!(next.timestamp.distance(before.timestamp), 4_000);
        }
    }

    #[test]
    fn after_a_break_the_stream_goes_on_by_time_without_a_gap() {
        let mut bench = Bench::new();
        bench.rewriter.break_off();
        assert!(bench.pass(0, 1, 7, 10, 0).marker);
        let last = bench.pass(20, 1, 7, 11, 160);
        bench.rewriter.break_off();
        bench.rewriter.break_off();
        // 30 s of hold, in which the source has sent 1 500 packets that went nowhere.
        let next = bench.pass(30_020, 1, 7, 1_511, 240_160);
        assert!(next.marker);
        assert_eq!((next.ssrc, next.sequence), (last.ssrc, last.sequence.next()));
        assert_eq!(next.timestamp.distance(last.timestamp), 240_000);
        let after = bench.pass(30_040, 1, 7, 1_512, 240_320);
        assert!(!after.marker);
        assert_eq!(after.timestamp.distance(next.timestamp), 160);
    }

    #[test]
    fn a_source_that_starts_elsewhere_is_a_switch() {
        let mut bench = Bench::new();
        let last = bench.pass(0, 1, 7, 10, 0);
        let next = bench.pass(20, 1, 7, 30_000, 99);
        assert!(next.marker);
        assert_eq!(next.sequence, last.sequence.next());
        assert_eq!(next.timestamp.distance(last.timestamp), 160);
    }

    #[test]
    fn a_switch_after_a_reordered_packet_follows_the_newest_one() {
        let mut bench = Bench::new();
        let newest = bench.pass(0, 1, 7, 12, 320);
        bench.pass(1, 1, 7, 11, 160);
        assert_eq!(bench.pass(20, 2, 9, 0, 0).sequence, newest.sequence.next());
    }
}

//! Receives key presses: one event each, whatever of its packets came, in whatever order (RFC 4733 §2.5.2).

use std::collections::VecDeque;

use super::{Duration, Instant, ReceivedEvent, TelephoneEvent, duration_of};
use crate::packet::RtpPacket;
use crate::sequence::{RtpTimestamp, Ssrc};

/// Events that are remembered so that a late packet of one does not count again. 32: at 100 ms a key, over three seconds.
const HISTORY: usize = 32;
/// Events that may wait to be fetched; a packet holds over 300 reports, and a peer may send any number.
const MAX_WAITING: usize = 32;
/// Silence after which an event counts as over although no end was heard: three times the longest interval between reports that
/// is in use (§2.5.2.2: at most three packet interarrival times).
const LAPSE: Duration = Duration::from_millis(200);

/// Tells each event of a stream once: at its first end report, or when the next one begins, or when its reports stop coming.
///
/// An event is known by its timestamp. [`handle_packet`](Self::handle_packet) takes the packets that have the event payload type;
/// [`poll_event`](Self::poll_event) hands out what is complete.
#[derive(Debug, Clone)]
pub struct EventReceiver {
    clock_rate: u32,
    ssrc: Option<Ssrc>,
    active: Option<Active>,
    /// Timestamps of the events (and segments) that are done with.
    history: VecDeque<RtpTimestamp>,
    waiting: VecDeque<ReceivedEvent>,
}

#[derive(Debug, Clone, Copy)]
struct Active {
    event: u8,
    /// When the segment began that is being reported.
    timestamp: RtpTimestamp,
    /// Of the segments before it (§2.5.2.3).
    earlier: u32,
    duration: u16,
    lapses: Instant,
}

impl EventReceiver {
    /// A receiver of events whose timestamps count a clock of `clock_rate` hertz; 0 counts as 1.
    #[must_use]
    pub fn new(clock_rate: u32) -> Self {
        Self { clock_rate, ssrc: None, active: None, history: VecDeque::new(), waiting: VecDeque::new() }
    }

    /// Takes in a packet of the event payload type that came at `now`. What is no event payload, and reports of zero duration
    /// (§2.3.5), are ignored.
    pub fn handle_packet(&mut self, now: Instant, packet: &RtpPacket<'_>) {
        if self.ssrc != Some(packet.ssrc()) {
            self.finish_active();
            self.history.clear();
            self.ssrc = Some(packet.ssrc());
        }
        let Ok(reports) = TelephoneEvent::parse_all(packet.payload()) else { return };
        let mut timestamp = packet.timestamp();
        for report in reports.take(MAX_WAITING) {
            if report.duration > 0 {
                self.handle_report(now, timestamp, report, packet.marker());
            }
            timestamp = timestamp.plus(u32::from(report.duration));
        }
    }

    /// The next event that is complete.
    pub fn poll_event(&mut self) -> Option<ReceivedEvent> {
        self.waiting.pop_front()
    }

    /// When an event whose end was not heard will count as over.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.active.map(|active| active.lapses)
    }

    /// Ends the event whose reports have stopped coming.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.active.is_some_and(|active| active.lapses <= now) {
            self.finish_active();
        }
    }

    fn handle_report(&mut self, now: Instant, timestamp: RtpTimestamp, report: TelephoneEvent, marker: bool) {
        if self.history.contains(&timestamp) {
            return;
        }
        let lapses = now + LAPSE;
        match &mut self.active {
            Some(active) if active.timestamp == timestamp => {
                // Reports can overtake each other: the longest duration is the latest.
                active.duration = active.duration.max(report.duration);
                active.lapses = lapses;
            }
            Some(active)
                if active.event == report.event
                    && !marker
                    && active.timestamp.plus(u32::from(u16::MAX)) == timestamp =>
            {
                let segment = active.timestamp;
                active.earlier = active.earlier.saturating_add(u32::from(u16::MAX));
                (active.timestamp, active.duration, active.lapses) = (timestamp, report.duration, lapses);
                self.remember(segment);
            }
            Some(active) if active.timestamp.is_after(timestamp) => {
                // All that is seen of an event that began before the active one; it is over, since they do not overlap.
                self.remember(timestamp);
                self.tell(report.event, u32::from(report.duration));
                return;
            }
            Some(_) | None => {
                self.finish_active();
                let (event, duration) = (report.event, report.duration);
                self.active = Some(Active { event, timestamp, earlier: 0, duration, lapses });
            }
        }
        if report.end {
            self.finish_active();
        }
    }

    fn finish_active(&mut self) {
        if let Some(active) = self.active.take() {
            self.remember(active.timestamp);
            self.tell(active.event, active.earlier.saturating_add(u32::from(active.duration)));
        }
    }

    fn tell(&mut self, event: u8, ticks: u32) {
        if self.waiting.len() < MAX_WAITING {
            self.waiting.push_back(ReceivedEvent { event, duration: duration_of(ticks, self.clock_rate) });
        }
    }

    fn remember(&mut self, timestamp: RtpTimestamp) {
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(timestamp);
    }
}

//! Sends key presses: an update each interval, the last report three times (RFC 4733 §2.5.1).

use std::collections::VecDeque;

use super::{Duration, Instant, SendEventError, TelephoneEvent, duration_of};
use crate::sequence::{RtpTimestamp, ticks};

/// How often the report with the end bit is sent in all (§2.5.1.4).
const END_REPORTS: u8 = 3;

/// How keys are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventSenderConfig {
    /// Hertz of the timestamps; that of the audio stream (§2.5.1.2). 8 000: what telephone-event is negotiated with beside G.711.
    pub clock_rate: u32,
    /// Time from report to report. 50 ms, which §2.5.1.2 recommends.
    pub interval: Duration,
    /// Silence between two keys. 50 ms: receivers of tones need 40 ms (ITU-T Q.24), and gateways make tones of these.
    pub pause: Duration,
    /// Power in dBm0 without its sign. 10: what telephones send.
    pub volume: u8,
    /// Keys that may wait. 64: longer than any number that people dial.
    pub capacity: usize,
}

impl Default for EventSenderConfig {
    fn default() -> Self {
        Self {
            clock_rate: 8_000,
            interval: Duration::from_millis(50),
            pause: Duration::from_millis(50),
            volume: 10,
            capacity: 64,
        }
    }
}

/// What is to be sent as one packet; sequence number and SSRC are those of the audio stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventPacket {
    /// Set on the first packet of an event.
    pub marker: bool,
    /// When the event began; the same in all its packets.
    pub timestamp: RtpTimestamp,
    /// The report.
    pub event: TelephoneEvent,
}

/// Turns keys into event packets at the right times.
///
/// After [`send`](Self::send) and after each packet, [`poll_timeout`](Self::poll_timeout) says when
/// [`poll_packet`](Self::poll_packet) has the next one. While [`is_active`](Self::is_active), audio is best not sent (§2.5.2.2).
/// An event longer than 65 535 timestamp units would need segments (§2.5.1.3), which are not sent.
#[derive(Debug, Clone)]
pub struct EventSender {
    config: EventSenderConfig,
    waiting: VecDeque<(u8, u16)>,
    state: State,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Idle,
    Sending {
        event: u8,
        total: u16,
        reported: u16,
        timestamp: RtpTimestamp,
        began: Instant,
        ends_sent: u8,
        due: Instant,
    },
    /// The pause after a key, or after its last report if that came later.
    Pausing {
        until: Instant,
    },
}

impl EventSender {
    /// A sender with nothing to send.
    #[must_use]
    pub fn new(config: EventSenderConfig) -> Self {
        Self { config, waiting: VecDeque::new(), state: State::Idle }
    }

    /// Queues a key that is held for `duration`; 100 ms is what people and most phones do, under 40 ms may not be taken as a key.
    ///
    /// # Errors
    /// When `digit` is no key, `duration` is zero or longer than a report can say, or too many keys wait.
    pub fn send(&mut self, digit: char, duration: Duration) -> Result<(), SendEventError> {
        let event = TelephoneEvent::code(digit).ok_or(SendEventError::NotAKey(digit))?;
        let longest = duration_of(u32::from(u16::MAX), self.config.clock_rate);
        if duration > longest {
            return Err(SendEventError::Duration { duration, longest });
        }
        let total = u16::try_from(ticks(duration, self.config.clock_rate)).unwrap_or(u16::MAX);
        if total == 0 {
            return Err(SendEventError::Duration { duration, longest });
        }
        if self.waiting.len() >= self.config.capacity {
            return Err(SendEventError::TooManyWaiting { capacity: self.config.capacity });
        }
        self.waiting.push_back((event, total));
        Ok(())
    }

    /// Whether a key is being sent.
    #[must_use]
    pub fn is_active(&self) -> bool {
        matches!(self.state, State::Sending { .. })
    }

    /// Whether nothing is being sent and nothing waits.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && !self.is_active()
    }

    /// When the next packet is due; `None` when there is none. A key that waits while nothing is being sent is due at once, which
    /// no instant says: ask [`poll_packet`](Self::poll_packet) after each [`send`](Self::send), as well as at this time.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Sending { due, .. } => Some(due),
            State::Pausing { until } if !self.waiting.is_empty() => Some(until),
            State::Idle | State::Pausing { .. } => None,
        }
    }

    /// The packet that is due at `now`, if one is. `timestamp` is where the audio stream's clock stands at `now`; an event that
    /// begins takes it. Called late, one packet comes at once and the others keep their distance from it.
    pub fn poll_packet(&mut self, now: Instant, timestamp: RtpTimestamp) -> Option<EventPacket> {
        match self.state {
            State::Pausing { until } if now < until => return None,
            State::Sending { due, .. } if now < due => return None,
            State::Sending { .. } => {}
            State::Idle | State::Pausing { .. } => {
                let Some((event, total)) = self.waiting.pop_front() else {
                    self.state = State::Idle;
                    return None;
                };
                let began = now;
                self.state = State::Sending { event, total, reported: 0, timestamp, began, ends_sent: 0, due: began };
            }
        }
        self.next_report(now)
    }

    fn next_report(&mut self, now: Instant) -> Option<EventPacket> {
        let State::Sending { event, total, reported, timestamp, began, ends_sent, due } = &mut self.state else {
            return None;
        };
        let step = u16::try_from(ticks(self.config.interval, self.config.clock_rate)).unwrap_or(u16::MAX).max(1);
        let marker = *reported == 0;
        *reported = reported.saturating_add(step).min(*total);
        let end = *reported == *total;
        let packet = EventPacket {
            marker,
            timestamp: *timestamp,
            event: TelephoneEvent { event: *event, end, volume: self.config.volume, duration: *reported },
        };
        *due = (*due + self.config.interval).max(now + self.config.interval / 2);
        if end {
            *ends_sent += 1;
            if *ends_sent == END_REPORTS {
                let over = *began + duration_of(u32::from(*total), self.config.clock_rate);
                self.state = State::Pausing { until: now.max(over) + self.config.pause };
            }
        }
        Some(packet)
    }
}

//! The jitter buffer: packets go in as they come, frames come out at an even pace.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::error::JitterConfigError;
use crate::packet::RtpPacket;
use crate::sequence::{RtpTimestamp, SequenceNumber, Ssrc, duration_of, ticks};

mod transit;

use transit::Transit;

/// Frames between two adjustments of the delay by one frame: at 20 ms, five corrections a second are not heard as a change of speed.
const FRAMES_BETWEEN_ADJUSTMENTS: u32 = 10;
/// Frames that are concealed in a row before the stream counts as paused: 100 ms at 20 ms, about as long as concealment sounds like speech.
const MAX_CONCEALED: u32 = 5;
/// Packets that must come too late in a row before the buffer believes them rather than its own clock.
const LATE_BEFORE_RESTART: u32 = 10;
/// The longest packet that is believed: 120 ms, the most that Opus packs into one.
const LONGEST_PACKET: Duration = Duration::from_millis(120);
/// The most packets that may be held: what is held or about to be must lie within half of the circle of sequence numbers.
const MAX_CAPACITY: usize = 2_048;

/// How much a [`JitterBuffer`] delays and holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JitterConfig {
    /// Hertz of the timestamps. 8 000: G.711.
    pub clock_rate: u32,
    /// The duration of one packet until the stream has shown another. 20 ms: what nearly all phones send.
    pub frame: Duration,
    /// The least delay between a packet's arrival on the fastest way and its playing. 40 ms: a phone on a busy computer ticks up to 30 ms late
    /// now and then, too seldom for the jitter to tell, and each such packet would be concealed with a delay of one frame.
    pub min_delay: Duration,
    /// The delay before jitter has been measured. 60 ms: one frame more than the least, since a call's first packets are its most
    /// uneven ones.
    pub initial_delay: Duration,
    /// The most delay. 200 ms: beyond, people talk into each other (ITU-T G.114 allows 400 ms mouth to ear in all).
    pub max_delay: Duration,
    /// Packets that may be held. 64: over a second at 20 ms.
    pub capacity: usize,
}

impl Default for JitterConfig {
    fn default() -> Self {
        Self {
            clock_rate: 8_000,
            frame: Duration::from_millis(20),
            min_delay: Duration::from_millis(40),
            initial_delay: Duration::from_millis(60),
            max_delay: Duration::from_millis(200),
            capacity: 64,
        }
    }
}

impl JitterConfig {
    /// The same delay whatever the network does.
    #[must_use]
    pub fn fixed(delay: Duration) -> Self {
        Self { min_delay: delay, initial_delay: delay, max_delay: delay, ..Self::default() }
    }

    fn check(&self) -> Result<(), JitterConfigError> {
        if self.clock_rate == 0 {
            return Err(JitterConfigError::ClockRate);
        }
        if ticks(self.frame, self.clock_rate) == 0 || self.frame > Duration::from_secs(1) {
            return Err(JitterConfigError::Frame(self.frame));
        }
        if self.min_delay > self.initial_delay || self.initial_delay > self.max_delay {
            return Err(JitterConfigError::DelayOrder {
                min: self.min_delay,
                initial: self.initial_delay,
                max: self.max_delay,
            });
        }
        // Twice the longest delay, since packets that were held up somewhere come all at once.
        let needed =
            usize::try_from(2 * self.max_delay.as_nanos() / self.frame.as_nanos()).unwrap_or(usize::MAX).max(2);
        if self.capacity < needed || self.capacity > MAX_CAPACITY {
            return Err(JitterConfigError::Capacity { capacity: self.capacity, needed });
        }
        Ok(())
    }
}

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Insertion {
    /// Held until its time comes.
    Held,
    /// Its time had passed; dropped.
    Late,
    /// Held already, or played; dropped.
    Duplicate,
    /// There was no room; the oldest packet was dropped for it.
    Overflow,
    /// The first packet of another stream: what was held has been dropped, and buffering begins anew.
    Restarted,
}

/// The answer to "what is to be played next?".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// Play this packet.
    Play {
        /// The packet's payload type.
        payload_type: u8,
        /// The packet's timestamp.
        timestamp: RtpTimestamp,
        /// The packet's payload.
        payload: &'a [u8],
    },
    /// A frame is due and is not there: fill its place with something inaudible (packet loss concealment).
    Conceal,
    /// Nothing is due: silence. The stream has not begun, pauses, or the delay is being built up.
    Wait,
}

/// What a [`JitterBuffer`] has done, in packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JitterStatistics {
    /// Handed out to be played.
    pub played: u64,
    /// Frames that were due and not there.
    pub concealed: u64,
    /// Dropped, because their time had passed.
    pub late: u64,
    /// Dropped, because they were held or played already.
    pub duplicates: u64,
    /// Dropped, because there was no room.
    pub overflowed: u64,
    /// Dropped, to shorten the delay.
    pub skipped: u64,
    /// How often another stream began.
    pub restarts: u64,
}

/// Puts packets in order and hands them out one frame at a time, delayed by as much as the network's jitter asks for.
///
/// [`insert`](Self::insert) takes a packet when it comes; [`poll_frame`](Self::poll_frame) is asked once for every frame
/// duration that is played, and answers what to play. It tolerates being asked half a frame early or late. Where the stream's
/// packets hold more than is played at once, ask only when the last payload has been used up.
///
/// The delay is counted from the fastest way that a packet has taken through the network lately. Its target is one frame
/// and three times the jitter of RFC 3550 A.8 (which covers 95 % of exponentially distributed delays, and all of evenly
/// distributed ones), within the configured bounds. A talkspurt begins with the target delay; within one, the delay is moved by one
/// frame at a time, at most every tenth frame. Memory is bounded by the configured capacity; after the first packets,
/// nothing is allocated.
#[derive(Debug)]
pub struct JitterBuffer {
    config: JitterConfig,
    /// The duration of a packet, in timestamp units, as the stream shows it.
    packet_ticks: u32,
    ssrc: Option<Ssrc>,
    /// In order of sequence numbers.
    held: VecDeque<Held>,
    /// Payload buffers to be used again.
    spare: Vec<Vec<u8>>,
    /// The payload that was handed out last.
    playing: Vec<u8>,
    state: State,
    /// Where the sound goes on: what is before it is late.
    position: Option<RtpTimestamp>,
    /// The newest packet that was handed out or skipped, and which of the 63 before it were too (bit 0 is itself).
    done: Option<(SequenceNumber, u64)>,
    /// The packet that came last.
    newest: Option<(SequenceNumber, RtpTimestamp)>,
    transit: Transit,
    late_in_a_row: u32,
    statistics: JitterStatistics,
}

#[derive(Debug)]
struct Held {
    sequence: SequenceNumber,
    timestamp: RtpTimestamp,
    payload_type: u8,
    arrived: Instant,
    payload: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Nothing to play, or the delay is being built up.
    Buffering,
    /// The next frame is due at `due`; `concealed` frames in a row were not there.
    Playing { due: Instant, concealed: u32, since_adjustment: u32 },
}

impl JitterBuffer {
    /// A buffer with nothing in it.
    ///
    /// # Errors
    /// [`JitterConfigError`] when the configuration contradicts itself.
    pub fn new(config: JitterConfig) -> Result<Self, JitterConfigError> {
        config.check()?;
        Ok(Self {
            config,
            packet_ticks: ticks(config.frame, config.clock_rate),
            ssrc: None,
            held: VecDeque::with_capacity(config.capacity + 1),
            spare: Vec::with_capacity(config.capacity + 2),
            playing: Vec::new(),
            state: State::Buffering,
            position: None,
            done: None,
            newest: None,
            transit: Transit::new(config.clock_rate, config.max_delay),
            late_in_a_row: 0,
            statistics: JitterStatistics::default(),
        })
    }

    /// Takes in a packet that came at `now`.
    ///
    /// Another SSRC, a sequence number much further off than the buffer is deep, or a row of late packets begins a new stream.
    pub fn insert(&mut self, now: Instant, packet: &RtpPacket<'_>) -> Insertion {
        let (sequence, timestamp) = (packet.sequence(), packet.timestamp());
        if self.was_done(packet) {
            self.statistics.duplicates += 1;
            return Insertion::Duplicate;
        }
        let restarted = self.begins_another_stream(packet);
        if restarted {
            self.restart(packet.ssrc());
        }
        self.transit.measure(now, timestamp);
        self.learn_duration(packet);
        if self.position.is_some_and(|position| position.is_after(timestamp)) {
            self.late_in_a_row += 1;
            self.statistics.late += 1;
            return Insertion::Late;
        }
        let before = self.held.iter().rposition(|held| !held.sequence.is_after(sequence));
        if before.and_then(|at| self.held.get(at)).is_some_and(|held| held.sequence == sequence) {
            self.statistics.duplicates += 1;
            return Insertion::Duplicate;
        }
        self.late_in_a_row = 0;
        let mut payload = self.spare.pop().unwrap_or_default();
        payload.clear();
        payload.extend_from_slice(packet.payload());
        let held = Held { sequence, timestamp, payload_type: packet.payload_type(), arrived: now, payload };
        self.held.insert(before.map_or(0, |at| at + 1), held);
        if self.held.len() > self.config.capacity {
            self.statistics.overflowed += 1;
            self.discard_oldest();
            self.position = self.position.and(self.held.front().map(|held| held.timestamp));
            return Insertion::Overflow;
        }
        if restarted { Insertion::Restarted } else { Insertion::Held }
    }

    /// What is to be played at `now`. Asked once for each frame that is played.
    pub fn poll_frame(&mut self, now: Instant) -> Frame<'_> {
        let tolerance = self.config.frame / 2;
        if matches!(self.state, State::Buffering) {
            self.start_playing(now);
        }
        let (State::Playing { due, concealed, since_adjustment }, Some(position)) = (self.state, self.position) else {
            return Frame::Wait;
        };
        if due > now + tolerance {
            return Frame::Wait;
        }
        // Asked late, or not at all for a while: what was to be heard in that time is heard from here on.
        let due = if due + tolerance < now { now } else { due };
        let since_adjustment = since_adjustment.saturating_add(1);
        let delay = self.transit.delay_of(due, position);
        let (target, packet) = (self.target_delay(), self.packet_duration());
        if delay + packet <= target && since_adjustment >= FRAMES_BETWEEN_ADJUSTMENTS && !self.held.is_empty() {
            self.state = State::Playing { due: due + packet, concealed, since_adjustment: 0 };
            self.statistics.concealed += 1;
            return Frame::Conceal;
        }
        let skipped = self.skip(delay, target, since_adjustment);
        let since_adjustment = if skipped { 0 } else { since_adjustment };
        self.play_or_conceal(due, concealed, since_adjustment)
    }

    /// The delay that is aimed at: from the arrival of a packet on the fastest way to its playing.
    #[must_use]
    pub fn target_delay(&self) -> Duration {
        let wanted = match self.transit.jitter() {
            None => self.config.initial_delay,
            Some(jitter) => self.config.frame + 3 * jitter,
        };
        wanted.clamp(self.config.min_delay, self.config.max_delay)
    }

    /// Packets that are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether no packet is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// What the buffer has done.
    #[must_use]
    pub fn statistics(&self) -> JitterStatistics {
        self.statistics
    }

    fn was_done(&self, packet: &RtpPacket<'_>) -> bool {
        let Some((newest, mask)) = self.done else { return false };
        let behind = newest.0.wrapping_sub(packet.sequence().0);
        self.ssrc == Some(packet.ssrc()) && behind < 64 && mask >> behind & 1 == 1
    }

    fn begins_another_stream(&self, packet: &RtpPacket<'_>) -> bool {
        if self.ssrc != Some(packet.ssrc()) || self.late_in_a_row >= LATE_BEFORE_RESTART {
            return true;
        }
        let here = self.held.front().map(|held| held.sequence).or(self.done.map(|(newest, _)| newest));
        let reach = 4 * self.config.capacity;
        here.is_some_and(|here| usize::from(packet.sequence().distance(here).unsigned_abs()) > reach)
    }

    fn restart(&mut self, ssrc: Ssrc) {
        if self.ssrc.is_some() {
            self.statistics.restarts += 1;
        }
        while !self.held.is_empty() {
            self.discard_oldest();
        }
        self.ssrc = Some(ssrc);
        self.state = State::Buffering;
        (self.position, self.done, self.newest) = (None, None, None);
        self.transit.begin_stream();
        self.late_in_a_row = 0;
    }

    /// Two packets in a row without a talkspurt between them show how long one is.
    fn learn_duration(&mut self, packet: &RtpPacket<'_>) {
        let (sequence, timestamp) = (packet.sequence(), packet.timestamp());
        let last = self.newest.replace((sequence, timestamp));
        let Some((last_sequence, last_timestamp)) = last else { return };
        let apart = timestamp.distance(last_timestamp).unsigned_abs();
        let longest = ticks(LONGEST_PACKET, self.config.clock_rate);
        if sequence == last_sequence.next()
            && timestamp.is_after(last_timestamp)
            && apart <= longest
            && !packet.marker()
        {
            self.packet_ticks = apart;
        }
    }

    fn packet_duration(&self) -> Duration {
        duration_of(self.packet_ticks, self.config.clock_rate)
    }

    /// Begins to play when the oldest packet has been held for the target delay, or no more can be held.
    fn start_playing(&mut self, now: Instant) {
        let Some(first) = self.held.front() else { return };
        let full = self.held.len() >= self.config.capacity;
        if first.arrived + self.target_delay() > now + self.config.frame / 2 && !full {
            return;
        }
        self.position = Some(first.timestamp);
        self.state = State::Playing { due: now, concealed: 0, since_adjustment: 0 };
        self.transit.begin_talkspurt();
        for held in &self.held {
            self.transit.offer(now, (held.arrived, held.timestamp));
        }
    }

    /// Leaves out frames where the delay has become too long; says whether it did.
    fn skip(&mut self, mut delay: Duration, target: Duration, since_adjustment: u32) -> bool {
        let packet = self.packet_duration();
        let drifted = delay >= target + 2 * packet && since_adjustment >= FRAMES_BETWEEN_ADJUSTMENTS;
        let too_long = delay > self.config.max_delay + packet;
        let goal = if too_long { target } else { delay.saturating_sub(packet) };
        if !drifted && !too_long {
            return false;
        }
        let mut skipped = false;
        // A frame that is left out must leave another one to play.
        while delay > goal && self.held.len() > 1 {
            if self.missing().is_none() {
                self.discard_oldest();
                self.statistics.skipped += 1;
            }
            self.position = self.position.map(|position| position.plus(self.packet_ticks));
            delay = delay.saturating_sub(packet);
            skipped = true;
        }
        skipped
    }

    /// How far the oldest packet is from the position, in timestamp units, if it is not due there.
    fn missing(&self) -> Option<u32> {
        let (Some(held), Some(position)) = (self.held.front(), self.position) else { return Some(0) };
        let gap = u32::try_from(held.timestamp.distance(position)).unwrap_or(0);
        (gap >= self.packet_ticks).then_some(gap)
    }

    fn play_or_conceal(&mut self, due: Instant, concealed: u32, since_adjustment: u32) -> Frame<'_> {
        let next_due = due + self.packet_duration();
        if let Some(missing) = self.missing() {
            // The sender was silent for a while (no packet is missing), or too much is missing: begin anew with what comes.
            let follows =
                self.held.front().zip(self.done).is_some_and(|(held, (done, _))| held.sequence == done.next());
            let much = missing > self.packet_ticks.saturating_mul(MAX_CONCEALED);
            if follows || much || concealed >= MAX_CONCEALED {
                self.state = State::Buffering;
                return self.frame_of_a_new_talkspurt(due);
            }
            self.position = self.position.map(|position| position.plus(self.packet_ticks));
            self.state = State::Playing { due: next_due, concealed: concealed + 1, since_adjustment };
            self.statistics.concealed += 1;
            return Frame::Conceal;
        }
        self.state = State::Playing { due: next_due, concealed: 0, since_adjustment };
        self.hand_out()
    }

    fn frame_of_a_new_talkspurt(&mut self, now: Instant) -> Frame<'_> {
        self.start_playing(now);
        match self.state {
            State::Buffering => Frame::Wait,
            State::Playing { .. } => {
                let due = now + self.packet_duration();
                self.state = State::Playing { due, concealed: 0, since_adjustment: 0 };
                self.hand_out()
            }
        }
    }

    fn hand_out(&mut self) -> Frame<'_> {
        let Some(held) = self.held.pop_front() else { return Frame::Wait };
        self.mark_done(held.sequence);
        self.position = Some(held.timestamp.plus(self.packet_ticks));
        let played = std::mem::replace(&mut self.playing, held.payload);
        self.spare.push(played);
        self.statistics.played += 1;
        Frame::Play { payload_type: held.payload_type, timestamp: held.timestamp, payload: &self.playing }
    }

    fn discard_oldest(&mut self) {
        if let Some(held) = self.held.pop_front() {
            self.mark_done(held.sequence);
            self.spare.push(held.payload);
        }
    }

    fn mark_done(&mut self, sequence: SequenceNumber) {
        self.done = Some(match self.done {
            None => (sequence, 1),
            Some((newest, mask)) => {
                let ahead = u32::from(sequence.0.wrapping_sub(newest.0));
                (sequence, mask.checked_shl(ahead).unwrap_or(0) | 1)
            }
        });
    }
}

#[cfg(test)]
mod tests;

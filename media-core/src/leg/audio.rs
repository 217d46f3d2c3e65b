//! A leg that speaks and listens: sound from a source, sound to a sink, keys both ways.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use blether_rtp_core::{
    EventPacket, EventReceiver, EventSender, EventSenderConfig, Frame as JitterFrame, JitterBuffer, JitterConfig,
    JitterConfigError, LegEvent, LegProcessor, RtpHeader, RtpPacket, RtpTimestamp, SequenceNumber, Ssrc,
};
use rand::RngExt;
use rand::rngs::StdRng;

use super::handle::{AudioLegHandle, Command, Commands};
use super::outgoing::Outgoing;
use crate::codec::Codec;
use crate::conceal::Concealer;
use crate::frame::{AudioSink, AudioSource, FRAME_DURATION, FRAME_SAMPLES, Frame};

/// How long a key is held.
const KEY_DURATION: Duration = Duration::from_millis(100);

/// A tick that is later than this has missed its turn: the sound jumps instead of catching up in a burst that no jitter buffer holds.
const LATEST: Duration = Duration::from_millis(100);

/// Samples that are decoded ahead: the longest packet that is believed (120 ms) and a frame.
const MAX_DECODED: usize = 960 + FRAME_SAMPLES;

/// What the two sides of an [`AudioLeg`] have agreed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioLegConfig {
    /// What is sent, and as which payload type.
    pub send: (u8, Codec),
    /// What may be heard, by payload type.
    pub receive: Vec<(u8, Codec)>,
    /// The payload type of keys that are sent; `None` if the peer takes none.
    pub send_events: Option<u8>,
    /// The payload type of keys that are heard.
    pub receive_events: Option<u8>,
    /// How the jitter buffer delays.
    pub jitter: JitterConfig,
}

impl AudioLegConfig {
    /// One codec under its static payload type both ways, and keys under `events`.
    #[must_use]
    pub fn new(codec: Codec, events: Option<u8>) -> Self {
        let payload_type = codec.static_payload_type();
        Self {
            send: (payload_type, codec),
            receive: vec![(payload_type, codec)],
            send_events: events,
            receive_events: events,
            jitter: JitterConfig::default(),
        }
    }
}

/// A leg that plays a source and writes what it hears to a sink, 20 ms at a time.
///
/// The tick begins with the instant that it is made with and moves by 20 ms each, so the sound neither drifts nor depends on
/// how punctual the worker is. When the source ends, [`LegEvent::Finished`] is told once and silence is sent: a stream that stops
/// would look like a dead network. The sink gets a frame for each tick, silence where nothing is heard.
pub struct AudioLeg {
    config: AudioLegConfig,
    commands: Arc<Commands>,
    source: Option<Box<dyn AudioSource>>,
    sink: Box<dyn AudioSink>,
    next_tick: Instant,
    // Sending.
    ssrc: Ssrc,
    sequence: SequenceNumber,
    timestamp: RtpTimestamp,
    /// The next packet begins a talkspurt (RFC 3551 §4.1).
    marker: bool,
    events_out: EventSender,
    outgoing: Outgoing,
    // Hearing.
    jitter: JitterBuffer,
    decoded: VecDeque<i16>,
    concealer: Concealer,
    events_in: EventReceiver,
    told: VecDeque<LegEvent>,
}

impl fmt::Debug for AudioLeg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AudioLeg").field("config", &self.config).field("ssrc", &self.ssrc).finish_non_exhaustive()
    }
}

impl AudioLeg {
    /// A leg whose first tick is at `now`. `rng` gives SSRC and the first sequence number and timestamp (RFC 3550 §5.1).
    ///
    /// # Errors
    ///
    /// When the jitter buffer's configuration contradicts itself.
    pub fn new(
        now: Instant,
        config: AudioLegConfig,
        source: Box<dyn AudioSource>,
        sink: Box<dyn AudioSink>,
        mut rng: StdRng,
    ) -> Result<(Self, AudioLegHandle), JitterConfigError> {
        let commands = Commands::new(config.send_events.is_some());
        let handle = AudioLegHandle::new(&commands);
        let clock_rate = config.jitter.clock_rate;
        let leg = Self {
            jitter: JitterBuffer::new(config.jitter)?,
            commands,
            source: Some(source),
            sink,
            next_tick: now,
            ssrc: Ssrc(rng.random()),
            sequence: SequenceNumber(rng.random()),
            timestamp: RtpTimestamp(rng.random()),
            marker: true,
            events_out: EventSender::new(EventSenderConfig { clock_rate, ..EventSenderConfig::default() }),
            outgoing: Outgoing::default(),
            decoded: VecDeque::with_capacity(MAX_DECODED),
            concealer: Concealer::new(),
            events_in: EventReceiver::new(clock_rate),
            told: VecDeque::new(),
            config,
        };
        Ok((leg, handle))
    }

    fn tick(&mut self, due: Instant) {
        self.obey();
        self.listen(due);
        self.speak(due);
    }

    fn obey(&mut self) {
        while let Some(command) = self.commands.take() {
            match command {
                Command::Play(source) => self.source = Some(source),
                Command::Stop => self.source = None,
                Command::Digit(digit) => {
                    if let Err(error) = self.events_out.send(digit, KEY_DURATION) {
                        tracing::warn!(%error, "a key is not sent");
                    }
                }
            }
        }
    }

    /// Gives the sink one frame of what is heard.
    fn listen(&mut self, due: Instant) {
        // Packets may hold more or less than a frame.
        while self.decoded.len() < FRAME_SAMPLES {
            match self.jitter.poll_frame(due) {
                JitterFrame::Play { payload_type, payload, .. } => {
                    let codec = self.config.receive.iter().find(|(known, _)| *known == payload_type);
                    let mut samples = [0; MAX_DECODED - FRAME_SAMPLES];
                    let count = codec.map_or(0, |(_, codec)| codec.decode(payload, &mut samples));
                    if count == 0 {
                        break;
                    }
                    self.decoded.extend(samples.iter().take(count));
                }
                JitterFrame::Conceal => {
                    let concealed = self.concealer.lost();
                    return self.sink.write(&concealed);
                }
                JitterFrame::Wait => break,
            }
        }
        let mut frame: Frame = [0; FRAME_SAMPLES];
        for (sample, heard) in frame.iter_mut().zip(self.decoded.drain(..FRAME_SAMPLES.min(self.decoded.len()))) {
            *sample = heard;
        }
        self.concealer.good(&mut frame);
        self.sink.write(&frame);
    }

    /// Sends one frame, or what there is to send of a key in its place (RFC 4733 §2.5.2.2).
    fn speak(&mut self, due: Instant) {
        if !self.press(due) {
            let frame = self.next_frame();
            let (payload_type, codec) = self.config.send;
            let header = self.header(payload_type, self.marker, self.timestamp);
            self.marker = false;
            self.outgoing.push(|out| {
                header.write(out);
                codec.encode(&frame, out);
            });
        }
        self.timestamp = self.timestamp.plus(FRAME_SAMPLES as u32);
    }

    fn next_frame(&mut self) -> Frame {
        let mut frame: Frame = [0; FRAME_SAMPLES];
        if let Some(source) = &mut self.source
            && source.read(&mut frame) < FRAME_SAMPLES
        {
            self.source = None;
            self.told.push_back(LegEvent::Finished);
        }
        frame
    }

    /// Sends the report of a key that is due; whether a key is being pressed.
    fn press(&mut self, now: Instant) -> bool {
        let Some(payload_type) = self.config.send_events else { return false };
        if let Some(EventPacket { marker, timestamp, event }) = self.events_out.poll_packet(now, self.timestamp) {
            let header = self.header(payload_type, marker, timestamp);
            self.outgoing.push(|out| {
                header.write(out);
                event.write(out);
            });
            self.marker = true;
        }
        self.events_out.is_active()
    }

    fn header(&mut self, payload_type: u8, marker: bool, timestamp: RtpTimestamp) -> RtpHeader {
        let sequence = self.sequence;
        self.sequence = sequence.next();
        RtpHeader { marker, payload_type, sequence, timestamp, ssrc: self.ssrc }
    }

    fn tell_keys(&mut self) {
        while let Some(event) = self.events_in.poll_event() {
            if let Some(digit) = event.digit() {
                self.told.push_back(LegEvent::TelephoneEvent { digit, duration: event.duration });
            }
        }
    }
}

impl LegProcessor for AudioLeg {
    fn handle_packet(&mut self, now: Instant, packet: RtpPacket<'_>) {
        if Some(packet.payload_type()) == self.config.receive_events {
            self.events_in.handle_packet(now, &packet);
            self.tell_keys();
        } else if self.config.receive.iter().any(|(known, _)| *known == packet.payload_type()) {
            self.jitter.insert(now, &packet);
        }
    }

    fn poll_transmit(&mut self, out: &mut Vec<u8>) -> bool {
        self.outgoing.poll(out)
    }

    fn poll_event(&mut self) -> Option<LegEvent> {
        self.told.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        [Some(self.next_tick), self.events_out.poll_timeout(), self.events_in.poll_timeout()]
            .into_iter()
            .flatten()
            .min()
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.events_in.poll_timeout().is_some_and(|due| due <= now) {
            self.events_in.handle_timeout(now);
            self.tell_keys();
        }
        if self.events_out.poll_timeout().is_some_and(|due| due <= now) {
            self.press(now);
        }
        if self.next_tick > now {
            return;
        }
        if now.duration_since(self.next_tick) > LATEST {
            let missed = now.duration_since(self.next_tick).as_millis() / FRAME_DURATION.as_millis();
            let missed = u32::try_from(missed).unwrap_or(u32::MAX);
            // The media clock goes on at the rate of time, whatever was not sent (RFC 3550 §5.1).
            self.timestamp = self.timestamp.plus(missed.wrapping_mul(FRAME_SAMPLES as u32));
            self.next_tick += FRAME_DURATION * missed;
        }
        let due = self.next_tick;
        self.next_tick += FRAME_DURATION;
        self.tick(due);
    }
}

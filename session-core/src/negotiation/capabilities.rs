//! What one side can do.

use std::time::Duration;

use blether_sip_core::ByteStr;
use blether_sip_core::sdp::{Direction, MediaDescription, RtpMap, SessionDescription};

use super::plan::MediaPlan;
use super::{audio_stream, effective_direction};
use crate::error::NegotiationError;

/// The encoding name of DTMF events (RFC 4733).
pub(super) const TELEPHONE_EVENT: &str = "telephone-event";

/// The payload type that phones expect telephone events at, when we are free to choose.
pub(super) const USUAL_TELEPHONE_EVENT: u8 = 101;

/// The payload types of RFC 3551 that are still in use, for formats that name no number.
const STATIC_PAYLOAD_TYPES: [(u8, &str); 8] =
    [(0, "PCMU"), (3, "GSM"), (4, "G723"), (8, "PCMA"), (9, "G722"), (13, "CN"), (15, "G728"), (18, "G729")];

/// An audio format that one side can send and receive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioFormat {
    /// The encoding name, a media subtype (RFC 8866 §6.6); case does not matter.
    pub name: ByteStr,
    /// The payload type to offer it with. `None`: the static one of RFC 3551, or a free dynamic one. An answer always uses
    /// the number of the offer.
    pub payload_type: Option<u8>,
    /// RTP timestamp units a second.
    pub clock_rate: u32,
    /// Audio channels.
    pub channels: u16,
    /// Parameters (`a=fmtp`), as they are to be written.
    pub fmtp: Option<ByteStr>,
}

impl AudioFormat {
    /// A mono format without parameters, with its static or a free payload type.
    pub fn new(name: &str, clock_rate: u32) -> Self {
        Self { name: ByteStr::from(name), payload_type: None, clock_rate, channels: 1, fmtp: None }
    }

    /// Whether name and parameters can stand in their lines.
    pub(super) fn is_writable(&self) -> bool {
        let name_breaks = |c: char| c.is_whitespace() || c.is_control() || c == '/';
        let is_name = !self.name.is_empty() && !self.name.contains(name_breaks);
        is_name && self.fmtp.as_ref().is_none_or(|fmtp| !fmtp.contains(['\r', '\n', '\0']))
    }

    pub(super) fn rtpmap(&self) -> RtpMap {
        RtpMap { encoding: self.name.clone(), clock_rate: self.clock_rate, channels: self.channels }
    }

    /// The number that it names, or that it has by RFC 3551.
    pub(super) fn wanted_payload_type(&self) -> Option<u8> {
        self.payload_type.or_else(|| self.static_payload_type())
    }

    fn static_payload_type(&self) -> Option<u8> {
        let fits = self.clock_rate == 8_000 && self.channels == 1;
        STATIC_PAYLOAD_TYPES
            .iter()
            .find(|(_, name)| fits && self.name.eq_ignore_ascii_case(name))
            .map(|(number, _)| *number)
    }
}

/// What one side can do with an audio stream: what goes into an offer, or chooses from one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaCapabilities {
    /// The formats, best first.
    pub audio: Vec<AudioFormat>,
    /// DTMF events (RFC 4733), one for each clock rate; their `name` is `telephone-event`. Empty: none.
    pub telephone_events: Vec<AudioFormat>,
    /// How much audio we want in one packet (`a=ptime`). `None`: not said.
    pub ptime: Option<Duration>,
    /// Which way media is to flow, seen from us.
    pub direction: Direction,
}

impl MediaCapabilities {
    /// G.711, μ-law before A-law, with telephone events, in packets of 20 ms, both ways: what every phone can do.
    pub fn g711() -> Self {
        Self {
            audio: vec![AudioFormat::new("PCMU", 8_000), AudioFormat::new("PCMA", 8_000)],
            telephone_events: vec![telephone_event(None, 8_000)],
            ptime: Some(Duration::from_millis(20)),
            direction: Direction::SendRecv,
        }
    }

    /// The same, with another direction.
    #[must_use]
    pub fn with_direction(mut self, direction: Direction) -> Self {
        self.direction = direction;
        self
    }

    /// The payload type that the first telephone event is offered with.
    pub fn telephone_event_payload_type(&self) -> Option<u8> {
        self.numbered().into_iter().find(|(_, format)| is_telephone_event(format)).map(|(number, _)| number)
    }

    /// What a peer offers, to be offered on by a server between two phones: the same formats with the same payload
    /// types.
    ///
    /// # Errors
    /// [`NegotiationError::Malformed`]: it is no session description. [`NegotiationError::NoAudio`]: there is no audio stream
    /// in it that could be taken.
    pub fn from_offer(offer: &[u8]) -> Result<Self, NegotiationError> {
        let offer = SessionDescription::parse(offer).map_err(NegotiationError::Malformed)?;
        let (_, stream) = audio_stream(&offer).ok_or(NegotiationError::NoAudio)?;
        let (mut telephone_events, mut audio) = formats_of(stream).partition::<Vec<_>, _>(is_telephone_event);
        // They may live as long as the call.
        telephone_events.shrink_to_fit();
        audio.shrink_to_fit();
        Ok(Self { audio, telephone_events, ptime: stream.ptime(), direction: effective_direction(stream) })
    }

    /// What one phone has agreed to with us, to be answered to the phone whose offer it was: exactly the formats that it
    /// chose, and its direction seen from the far side.
    pub fn from_plan(plan: &MediaPlan) -> Self {
        let audio = plan.formats.iter().map(|format| AudioFormat {
            name: format.name.clone(),
            payload_type: Some(format.payload_type),
            clock_rate: format.clock_rate,
            channels: format.channels,
            fmtp: format.fmtp.clone(),
        });
        let clock_rate = plan.formats.first().map_or(8_000, |format| format.clock_rate);
        Self {
            audio: audio.collect(),
            telephone_events: plan
                .telephone_event
                .map(|number| telephone_event(Some(number), clock_rate))
                .into_iter()
                .collect(),
            ptime: Some(plan.ptime),
            direction: plan.direction.reversed(),
        }
    }

    /// Gives every format a payload type of its own, those that name one first.
    pub(super) fn numbered(&self) -> Vec<(u8, &AudioFormat)> {
        if self.audio.is_empty() {
            return Vec::new();
        }
        let all: Vec<&AudioFormat> =
            self.audio.iter().chain(&self.telephone_events).filter(|format| format.is_writable()).collect();
        let mut taken: Vec<u8> = Vec::new();
        let mut numbers: Vec<Option<u8>> = Vec::new();
        for format in &all {
            let wanted = format.wanted_payload_type();
            let free = wanted.filter(|number| *number < 128 && !taken.contains(number));
            taken.extend(free);
            numbers.push(free);
        }
        let mut numbered = Vec::new();
        for (format, number) in all.into_iter().zip(numbers) {
            let usual = is_telephone_event(format).then_some(USUAL_TELEPHONE_EVENT);
            let number = number.or_else(|| {
                let free = usual.into_iter().chain(96..=127).find(|number| !taken.contains(number));
                taken.extend(free);
                free
            });
            // With all 32 dynamic numbers taken, the rest cannot be offered.
            numbered.extend(number.map(|number| (number, format)));
        }
        numbered
    }

    pub(super) fn find(&self, map: &RtpMap) -> Option<&AudioFormat> {
        self.audio.iter().chain(&self.telephone_events).find(|format| format.rtpmap().is_same_encoding(map))
    }
}

/// Telephone events at a clock rate: all 16 DTMF digits, no flash (RFC 4733 §3.2).
fn telephone_event(payload_type: Option<u8>, clock_rate: u32) -> AudioFormat {
    AudioFormat {
        name: ByteStr::from(TELEPHONE_EVENT),
        payload_type,
        clock_rate,
        channels: 1,
        fmtp: Some(ByteStr::from("0-15")),
    }
}

pub(super) fn is_telephone_event(format: &AudioFormat) -> bool {
    format.name.eq_ignore_ascii_case(TELEPHONE_EVENT)
}

/// The formats of a stream whose payload types are said or known.
pub(super) fn formats_of(stream: &MediaDescription) -> impl Iterator<Item = AudioFormat> {
    stream.payload_types().filter_map(|number| {
        let RtpMap { encoding, clock_rate, channels } = stream.rtpmap(number)?;
        let fmtp = stream.fmtp(number).map(ByteStr::from);
        Some(AudioFormat { name: encoding, payload_type: Some(number), clock_rate, channels, fmtp })
    })
}

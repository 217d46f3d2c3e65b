//! Offer and answer for one audio stream (RFC 3264).
//!
//! ```text
//! we offer:      offer ─► PendingOffer ─► apply_answer ─► MediaPlan
//! peer offers:   apply_offer ─► ReceivedOffer ─► answer ─► description and MediaPlan
//! ```
//!
//! Other streams that a peer offers are refused with port 0, and keep their place in every later description (§6, §8).

mod capabilities;
mod plan;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use blether_sip_core::ByteStr;
use blether_sip_core::sdp::{Connection, Direction, MediaDescription, Origin, RtpMap, SessionDescription};
use bytes::Bytes;

pub use self::capabilities::{AudioFormat, MediaCapabilities};
use self::capabilities::{TELEPHONE_EVENT, USUAL_TELEPHONE_EVENT, formats_of, is_telephone_event};
pub use self::plan::{MediaPlan, NegotiatedFormat};
use crate::error::NegotiationError;

/// The only profile that is spoken; secured and feedback profiles are refused.
const PROFILE: &str = "RTP/AVP";

/// Bytes that most of our descriptions fit into.
const USUAL_DESCRIPTION: usize = 512;

/// RFC 3551 §4.2.
const DEFAULT_PTIME: Duration = Duration::from_millis(20);

/// What a phone may ask for without being ignored: more makes audible gaps of each lost packet, less floods the network.
const PTIMES: std::ops::RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_millis(120);

/// The offers and answers of one session at one of its ends: keeps the origin, its version, and the order of the streams.
#[derive(Debug)]
pub struct Negotiation {
    session_id: u64,
    /// The last description that we made, and its version.
    last: Option<(u64, Bytes)>,
    /// The m= lines that were agreed on so far.
    streams: Vec<Stream>,
    /// What each payload type stands for, by the descriptions so far: at most 128, in order.
    numbers: Vec<(u8, AudioFormat)>,
}

/// One m= line of the session, whose place never changes (RFC 3264 §8).
#[derive(Debug, Clone)]
enum Stream {
    Audio,
    /// Refused, and written again as it was with port 0.
    Refused {
        kind: ByteStr,
        protocol: ByteStr,
        format: ByteStr,
    },
}

/// An offer of ours that waits for its answer. While it lives, no other offer is to be made or taken (RFC 3264 §4).
#[derive(Debug)]
#[must_use = "the answer must be applied to it, or the offer be known to be refused"]
pub struct PendingOffer {
    sdp: Bytes,
    streams: Vec<Stream>,
    formats: Vec<(u8, AudioFormat)>,
    direction: Direction,
}

impl PendingOffer {
    /// The description to send.
    pub fn sdp(&self) -> Bytes {
        self.sdp.clone()
    }
}

/// An offer of the peer that waits for our answer.
#[derive(Debug)]
#[must_use = "the offer must be answered, or the request that brought it be refused"]
pub struct ReceivedOffer {
    description: SessionDescription,
    /// Which stream is the audio that we take.
    audio: usize,
    remote: SocketAddr,
}

impl ReceivedOffer {
    /// The whole description, as it came.
    pub fn description(&self) -> &SessionDescription {
        &self.description
    }

    /// Where the peer wants its media.
    pub fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// Which way media is to flow, seen from the peer; a `c=` line of `0.0.0.0` wants no media (RFC 3264 §8.4).
    pub fn direction(&self) -> Direction {
        self.stream().map_or(Direction::Inactive, effective_direction)
    }

    /// What the peer would have, to be offered on to another phone: its formats, in its order and without its payload types, and its
    /// direction as the other phone is to see ours.
    pub fn wishes(&self) -> MediaCapabilities {
        let unnumbered = |format| AudioFormat { payload_type: None, ..format };
        let (mut telephone_events, mut audio) =
            self.stream().into_iter().flat_map(formats_of).map(unnumbered).partition::<Vec<_>, _>(is_telephone_event);
        // They may live as long as the session.
        telephone_events.shrink_to_fit();
        audio.shrink_to_fit();
        let ptime = self.stream().and_then(MediaDescription::ptime);
        MediaCapabilities { audio, telephone_events, ptime, direction: self.direction() }
    }

    fn stream(&self) -> Option<&MediaDescription> {
        self.description.media.get(self.audio)
    }
}

impl Negotiation {
    /// Begins the negotiations of a session. `session_id` is to be unique for this host (RFC 8866 §5.2 advises a time stamp; random
    /// text does as well); only its lower 62 bits are used, because some peers read the number as signed.
    pub fn new(session_id: u64) -> Self {
        Self { session_id: session_id & (u64::MAX >> 2), last: None, streams: Vec::new(), numbers: Vec::new() }
    }

    /// Makes an offer (RFC 3264 §5; §8 if the session has one already). `local` is where our media arrives: an address that
    /// the peer can reach, and a port that is open.
    ///
    /// Formats that cannot be written (a space in a name, a line end in parameters) are left out; without any format the stream is
    /// offered with port 0, and its answer is [`NegotiationError::AudioRefused`].
    pub fn offer(&mut self, capabilities: &MediaCapabilities, local: SocketAddr) -> PendingOffer {
        let capabilities = self.with_known_numbers(capabilities);
        let formats: Vec<(u8, AudioFormat)> =
            capabilities.numbered().into_iter().map(|(number, format)| (number, format.clone())).collect();
        self.remember(&formats);
        let streams = if self.streams.is_empty() { vec![Stream::Audio] } else { self.streams.clone() };
        let audio = audio_line(&formats, local, capabilities.ptime, capabilities.direction);
        let sdp = self.describe(&streams, &audio, local);
        PendingOffer { sdp, streams, formats, direction: capabilities.direction }
    }

    /// Takes in the answer to an offer of ours, which is used up by it (RFC 3264 §7).
    ///
    /// # Errors
    /// See [`NegotiationError`]. The session goes on as it was before the offer; at the start of a call that
    /// is nothing, and it is to be hung up.
    pub fn apply_answer(&mut self, offer: PendingOffer, answer: &[u8]) -> Result<MediaPlan, NegotiationError> {
        let plan = self.preview_answer(&offer, answer)?;
        self.streams = offer.streams;
        Ok(plan)
    }

    /// What an answer would come to that is not the last word: one in a provisional response, which another phone behind a fork may
    /// replace (RFC 3261 §13.2.1).
    ///
    /// # Errors
    /// As [`apply_answer`](Self::apply_answer).
    pub fn preview_answer(&self, offer: &PendingOffer, answer: &[u8]) -> Result<MediaPlan, NegotiationError> {
        let answer = SessionDescription::parse(answer).map_err(NegotiationError::Malformed)?;
        if answer.media.len() != offer.streams.len() {
            return Err(NegotiationError::WrongMediaCount { found: answer.media.len(), expected: offer.streams.len() });
        }
        let at = offer.streams.iter().position(|stream| matches!(stream, Stream::Audio));
        let stream = at.and_then(|at| answer.media.get(at)).ok_or(NegotiationError::NoAudio)?;
        if stream.port == 0 {
            return Err(NegotiationError::AudioRefused);
        }
        if !is_plain_audio(stream) {
            return Err(NegotiationError::NoAudio);
        }
        let remote = stream.rtp_address().ok_or(NegotiationError::NoAddress)?;
        let common: Vec<NegotiatedFormat> = stream
            .payload_types()
            .filter_map(|number| {
                let map = stream.rtpmap(number);
                let by_map = |(offered, format): &&(u8, AudioFormat)| match &map {
                    Some(map) => format.rtpmap().is_same_encoding(map),
                    // An answer without rtpmap repeats the number of the offer.
                    None => *offered == number,
                };
                // Of two offered formats that differ in parameters alone, the number decides.
                let same_number = offer.formats.iter().find(|(offered, _)| *offered == number).filter(by_map);
                let (offered, format) = same_number.or_else(|| offer.formats.iter().find(by_map))?;
                Some(negotiated(number, *offered, &format.rtpmap(), stream))
            })
            .collect();
        let direction = meet(offer.direction, effective_direction(stream));
        let offered = offer.formats.iter().map(|(_, format)| format);
        plan(remote, common, direction, stream)
            .ok_or_else(|| no_common_format(names(offered), names(&formats_of(stream).collect::<Vec<_>>())))
    }

    /// Takes in an offer of the peer (RFC 3264 §6).
    ///
    /// # Errors
    /// See [`NegotiationError`].
    pub fn apply_offer(&mut self, offer: &[u8]) -> Result<ReceivedOffer, NegotiationError> {
        let description = SessionDescription::parse(offer).map_err(NegotiationError::Malformed)?;
        if description.media.len() < self.streams.len() {
            return Err(NegotiationError::WrongMediaCount {
                found: description.media.len(),
                expected: self.streams.len(),
            });
        }
        let (audio, stream) = audio_stream(&description).ok_or(NegotiationError::NoAudio)?;
        let remote = stream.rtp_address().ok_or(NegotiationError::NoAddress)?;
        Ok(ReceivedOffer { audio, remote, description })
    }

    /// Answers an offer of the peer, which is used up by it (RFC 3264 §6.1): the common formats in the order and with the
    /// numbers of the offer, other streams refused, and no more of each direction than both sides want.
    ///
    /// # Errors
    /// [`NegotiationError::NoCommonFormat`]: refuse with 488.
    pub fn answer(
        &mut self,
        offer: ReceivedOffer,
        capabilities: &MediaCapabilities,
        local: SocketAddr,
    ) -> Result<(Bytes, MediaPlan), NegotiationError> {
        let stream = offer.stream().ok_or(NegotiationError::NoAudio)?;
        let offered: Vec<AudioFormat> = formats_of(stream).collect();
        let mut common: Vec<(u8, AudioFormat)> = offered
            .iter()
            .filter_map(|format| {
                let ours = capabilities.find(&format.rtpmap()).filter(|ours| ours.is_writable())?;
                Some((format.payload_type?, AudioFormat { fmtp: ours.fmtp.clone(), ..format.clone() }))
            })
            .collect();
        keep_matching_telephone_events(&mut common);
        let direction = meet(capabilities.direction, effective_direction(stream));
        let both: Vec<NegotiatedFormat> =
            common.iter().map(|(number, format)| negotiated(*number, *number, &format.rtpmap(), stream)).collect();
        let plan = plan(offer.remote, both, direction, stream)
            .ok_or_else(|| no_common_format(names(&offered), names(&capabilities.audio)))?;
        let streams: Vec<Stream> =
            offer.description.media.iter().enumerate().map(|(at, media)| kept(at == offer.audio, media)).collect();
        let audio = audio_line(&common, local, capabilities.ptime, direction);
        let sdp = self.describe(&streams, &audio, local);
        self.streams = streams;
        self.remember(&common);
        Ok((sdp, plan))
    }

    fn remember(&mut self, formats: &[(u8, AudioFormat)]) {
        if self.numbers.is_empty() {
            self.numbers.reserve_exact(formats.len());
        }
        for (number, format) in formats {
            let at = self.numbers.partition_point(|(known, _)| known < number);
            match self.numbers.get_mut(at).filter(|(known, _)| known == number) {
                Some((_, known)) => known.clone_from(format),
                None => self.numbers.insert(at, (*number, format.clone())),
            }
        }
    }

    /// The same formats, each with the payload type that it has had in this session: what a number stands for must not change
    /// (RFC 3264 §8.3.2).
    fn with_known_numbers(&self, capabilities: &MediaCapabilities) -> MediaCapabilities {
        let mut numbered = capabilities.clone();
        if self.numbers.is_empty() {
            return numbered;
        }
        let mut taken: Vec<u8> = self.numbers.iter().map(|(number, _)| *number).collect();
        let mut used: Vec<u8> = Vec::new();
        for format in numbered.audio.iter_mut().chain(&mut numbered.telephone_events) {
            let had = |(_, known): &&(u8, AudioFormat)| known.rtpmap().is_same_encoding(&format.rtpmap());
            let free = |(number, _): &&(u8, AudioFormat)| !used.contains(number);
            // Of two that differ in parameters alone, each keeps its own.
            let same = self.numbers.iter().filter(had).filter(free).max_by_key(|(_, known)| known.fmtp == format.fmtp);
            let number = same.map(|(number, _)| *number).or_else(|| {
                let usual = is_telephone_event(format).then_some(USUAL_TELEPHONE_EVENT);
                let wanted = format.wanted_payload_type().or(usual).filter(|number| *number < 128);
                wanted.into_iter().chain(96..=127).find(|number| !taken.contains(number))
            });
            format.payload_type = number;
            taken.extend(number);
            used.extend(number);
        }
        numbered
    }

    /// Writes a description; its version grows by one if it differs from the last (RFC 3264 §8).
    fn describe(&mut self, streams: &[Stream], audio: &MediaDescription, local: SocketAddr) -> Bytes {
        let version = self.last.as_ref().map_or(1, |(version, _)| *version);
        let origin = Origin::new("-", self.session_id, version, local.ip());
        let mut builder = SessionDescription::builder(origin).connection(Connection::new(local.ip()));
        for stream in streams {
            builder = builder.media(match stream {
                Stream::Audio => audio.clone(),
                Stream::Refused { kind, protocol, format } => refused_line(kind, protocol, format),
            });
        }
        let mut description = builder.build().expect("origin and connection are made of numbers");
        let mut sdp = written(&description);
        if self.last.as_ref().is_some_and(|(_, last)| *last != sdp) {
            description.origin.session_version = version.saturating_add(1);
            sdp = written(&description);
        }
        self.last = Some((description.origin.session_version, sdp.clone()));
        sdp
    }
}

/// The text of a description, which lives as long as its session and so keeps no room to spare.
fn written(description: &SessionDescription) -> Bytes {
    let mut text = String::with_capacity(USUAL_DESCRIPTION);
    // Writing to a `String` cannot fail.
    let _ = write!(text, "{description}");
    Bytes::from(text.into_bytes().into_boxed_slice())
}

/// The first audio stream that could be taken, and its place.
fn audio_stream(description: &SessionDescription) -> Option<(usize, &MediaDescription)> {
    description.media.iter().enumerate().find(|(_, media)| media.port != 0 && is_plain_audio(media))
}

fn is_plain_audio(media: &MediaDescription) -> bool {
    media.kind.eq_ignore_ascii_case("audio") && media.protocol.eq_ignore_ascii_case(PROFILE)
}

/// What a stream says of its direction; an unspecified address wants no media whatever else is said (RFC 3264 §8.4).
fn effective_direction(stream: &MediaDescription) -> Direction {
    let said = stream.direction();
    let receives = said.receives() && !stream.connection().is_some_and(|connection| connection.is_unspecified());
    Direction::new(said.sends(), receives)
}

/// The direction for us when we want `ours` and the peer says `theirs` (RFC 3264 §6.1).
fn meet(ours: Direction, theirs: Direction) -> Direction {
    Direction::new(ours.sends() && theirs.receives(), ours.receives() && theirs.sends())
}

fn negotiated(number: u8, receive: u8, map: &RtpMap, stream: &MediaDescription) -> NegotiatedFormat {
    NegotiatedFormat {
        name: map.encoding.clone(),
        payload_type: number,
        receive_payload_type: receive,
        clock_rate: map.clock_rate,
        channels: map.channels,
        fmtp: stream.fmtp(number).map(ByteStr::from),
    }
}

/// Telephone events belong to the stream only at the clock rate of a codec in it (RFC 4733 §2.1).
fn keep_matching_telephone_events(formats: &mut Vec<(u8, AudioFormat)>) {
    let rates: Vec<u32> =
        formats.iter().filter(|(_, format)| !is_telephone_event(format)).map(|(_, format)| format.clock_rate).collect();
    formats.retain(|(_, format)| !is_telephone_event(format) || rates.contains(&format.clock_rate));
}

/// Makes the plan, if there is a codec among the common formats: comfort noise and telephone events are not enough.
fn plan(
    remote: SocketAddr,
    common: Vec<NegotiatedFormat>,
    direction: Direction,
    stream: &MediaDescription,
) -> Option<MediaPlan> {
    let (events, mut formats): (Vec<_>, Vec<_>) =
        common.into_iter().partition(|format| format.name.eq_ignore_ascii_case(TELEPHONE_EVENT));
    // Stable: comfort noise goes last, whatever place it was offered at.
    formats.sort_by_key(|format| format.name.eq_ignore_ascii_case("CN"));
    let first = formats.first().filter(|format| !format.name.eq_ignore_ascii_case("CN"))?;
    let event = events.iter().find(|event| event.clock_rate == first.clock_rate);
    let most = stream.max_ptime().unwrap_or(*PTIMES.end());
    let ptime = stream.ptime().filter(|ptime| PTIMES.contains(ptime)).unwrap_or(DEFAULT_PTIME).min(most);
    Some(MediaPlan {
        remote,
        telephone_event: event.map(|event| event.payload_type),
        receive_telephone_event: event.map(|event| event.receive_payload_type),
        formats,
        direction,
        ptime: ptime.max(*PTIMES.start()),
    })
}

/// Our stream; all formats are writable.
fn audio_line(
    formats: &[(u8, AudioFormat)],
    local: SocketAddr,
    ptime: Option<Duration>,
    direction: Direction,
) -> MediaDescription {
    if formats.is_empty() {
        return refused_line("audio", PROFILE, "0");
    }
    let mut builder = MediaDescription::builder("audio", local.port(), PROFILE);
    for (number, format) in formats {
        builder = builder.rtpmap(*number, &format.name, format.clock_rate, format.channels);
    }
    for (number, format) in formats {
        if let Some(fmtp) = &format.fmtp {
            builder = builder.fmtp(*number, fmtp);
        }
    }
    if let Some(ptime) = ptime {
        builder = builder.ptime(ptime);
    }
    builder.direction(direction).build().expect("each format was found to be writable")
}

/// A refused stream; its words are ours, or come from an m= line that was parsed.
fn refused_line(kind: &str, protocol: &str, format: &str) -> MediaDescription {
    MediaDescription::builder(kind, 0, protocol).format(format).build().expect("a word that was read can be written")
}

/// What becomes of an offered stream in our answer.
fn kept(is_our_audio: bool, media: &MediaDescription) -> Stream {
    if is_our_audio {
        return Stream::Audio;
    }
    let format = media.formats.first().cloned().unwrap_or_else(|| ByteStr::from("0"));
    Stream::Refused { kind: media.kind.clone(), protocol: media.protocol.clone(), format }
}

fn names<'a>(formats: impl IntoIterator<Item = &'a AudioFormat>) -> String {
    let names: Vec<String> = formats.into_iter().map(|format| format.rtpmap().to_string()).collect();
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

fn no_common_format(offered: String, supported: String) -> NegotiationError {
    NegotiationError::NoCommonFormat { offered, supported }
}

#[cfg(test)]
mod tests;

//! Two audio legs wired back to back in virtual time, over a wire that may lose packets.
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

use std::time::{Duration, Instant};

use blether_media_core::compare::compare;
use blether_media_core::speech::{Utterance, Voice, say};
use blether_media_core::{
    AudioLeg, AudioLegConfig, AudioLegHandle, Clip, Codec, EchoLeg, MemoryRecording, NullSink, SequenceSource,
    SilenceSource, record_to_memory,
};
use blether_rtp_core::{LegEvent, LegProcessor, RtpPacket};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const EVENTS: Option<u8> = Some(101);

/// What one end is made of, and what it said.
struct End {
    leg: Box<dyn LegProcessor>,
    said: Vec<LegEvent>,
}

impl End {
    fn new(leg: impl LegProcessor + 'static) -> Self {
        Self { leg: Box::new(leg), said: Vec::new() }
    }
}

fn speaker(now: Instant, clip: &Clip, codec: Codec, seed: u64) -> (End, AudioLegHandle, MemoryRecording) {
    let (sink, recording) = record_to_memory(Duration::from_secs(30));
    let source = SequenceSource::new([
        Box::new(SilenceSource::lasting(Duration::from_millis(100))) as Box<dyn blether_media_core::AudioSource>,
        Box::new(clip.play()),
    ]);
    let config = AudioLegConfig::new(codec, EVENTS);
    let rng = StdRng::seed_from_u64(seed);
    let (leg, handle) = AudioLeg::new(now, config, Box::new(source), Box::new(sink), rng).unwrap();
    (End::new(leg), handle, recording)
}

/// Runs both ends for `length`; each packet is lost with the probability `loss`. Takes 10 ms to cross.
fn talk(start: Instant, length: Duration, loss: f64, ends: &mut [End; 2]) {
    let mut rng = StdRng::seed_from_u64(42);
    let mut wire: Vec<(Instant, usize, Vec<u8>)> = Vec::new();
    let mut now = start;
    while now < start + length {
        for (to, packet) in
            wire.extract_if(.., |(at, ..)| *at <= now).map(|(_, to, packet)| (to, packet)).collect::<Vec<_>>()
        {
            ends[to].leg.handle_packet(now, RtpPacket::parse(&packet).unwrap());
        }
        for (from, end) in ends.iter_mut().enumerate() {
            if end.leg.poll_timeout().is_some_and(|due| due <= now) {
                end.leg.handle_timeout(now);
            }
            let mut packet = Vec::new();
            while end.leg.poll_transmit(&mut packet) {
                if !rng.random_bool(loss) {
                    wire.push((now + Duration::from_millis(10), 1 - from, packet.clone()));
                }
                packet.clear();
            }
            while let Some(event) = end.leg.poll_event() {
                end.said.push(event);
            }
        }
        let next = ends.iter().filter_map(|end| end.leg.poll_timeout()).chain(wire.iter().map(|(at, ..)| *at)).min();
        now = next.unwrap().max(now);
    }
}

#[test]
fn both_hear_what_the_other_says_with_the_noise_of_g711_alone() {
    for codec in [Codec::Pcmu, Codec::Pcma] {
        let start = Instant::now();
        let (ailsa, blair) = (say(Voice::Ailsa, Utterance::CanYouHearMe), say(Voice::Blair, Utterance::LoudAndClear));
        let (a, _, heard_by_a) = speaker(start, &ailsa, codec, 1);
        let (b, _, heard_by_b) = speaker(start, &blair, codec, 2);
        let mut ends = [a, b];
        talk(start, Duration::from_secs(8), 0.0, &mut ends);
        for (sent, heard) in [(&ailsa, heard_by_b), (&blair, heard_by_a)] {
            let found = compare(sent.samples(), &heard.samples()).unwrap();
            assert!(found.snr_db > 30.0 && found.coverage > 0.99, "{codec:?} {found:?}");
            // 100 ms of silence before, 10 ms of wire, a jitter buffer of a few frames.
            assert!(found.delay >= Duration::from_millis(110) && found.delay < Duration::from_millis(220), "{found:?}");
        }
        for end in &ends {
            assert_eq!(end.said, [LegEvent::Finished], "told once");
        }
    }
}

#[test]
fn loss_is_concealed_and_shows_in_the_figures() {
    let start = Instant::now();
    let ailsa = say(Voice::Ailsa, Utterance::CanYouHearMe);
    let (a, _, _) = speaker(start, &ailsa, Codec::Pcmu, 1);
    let (b, _, heard) = speaker(start, &Clip::new(vec![0; 160]), Codec::Pcmu, 2);
    talk(start, Duration::from_secs(7), 0.2, &mut [a, b]);
    let found = compare(ailsa.samples(), &heard.samples()).unwrap();
    assert!(found.snr_db < 20.0 && found.coverage < 0.97, "{found:?}");
}

#[test]
fn every_key_arrives_once_though_a_fifth_of_the_packets_is_lost() {
    let start = Instant::now();
    let quiet = Clip::new(vec![0; 160]);
    let (a, keys, _) = speaker(start, &quiet, Codec::Pcmu, 1);
    let (b, ..) = speaker(start, &quiet, Codec::Pcmu, 2);
    let mut ends = [a, b];
    keys.send_dtmf("0123456789*#ABCD").unwrap();
    talk(start, Duration::from_secs(5), 0.2, &mut ends);
    let digits: String = ends[1]
        .said
        .iter()
        .filter_map(|event| match event {
            LegEvent::TelephoneEvent { digit, .. } => Some(*digit),
            _ => None,
        })
        .collect();
    assert_eq!(digits, "0123456789*#ABCD");
}

#[test]
fn an_echo_gives_back_what_was_said_keys_included() {
    let start = Instant::now();
    let ailsa = say(Voice::Ailsa, Utterance::CanYouHearMe);
    let (a, keys, heard) = speaker(start, &ailsa, Codec::Pcma, 1);
    let mut ends = [a, End::new(EchoLeg::new(StdRng::seed_from_u64(3)))];
    talk(start, Duration::from_secs(7), 0.0, &mut ends);
    let found = compare(ailsa.samples(), &heard.samples()).unwrap();
    assert!(found.snr_db > 30.0, "{found:?}");
    keys.send_dtmf("5").unwrap();
    talk(start + Duration::from_secs(7), Duration::from_secs(1), 0.0, &mut ends);
    assert!(ends[0].said.iter().any(|event| matches!(event, LegEvent::TelephoneEvent { digit: '5', .. })));
}

#[test]
fn what_cannot_be_sent_is_said() {
    let start = Instant::now();
    let mut config = AudioLegConfig::new(Codec::Pcmu, None);
    config.send_events = None;
    let silence = || Box::new(SilenceSource::endless());
    let (leg, handle) = AudioLeg::new(start, config, silence(), Box::new(NullSink), StdRng::seed_from_u64(1)).unwrap();
    assert!(handle.send_dtmf("x").unwrap_err().to_string().contains("no DTMF digit"));
    assert!(handle.send_dtmf("1").unwrap_err().to_string().contains("takes no telephone events"));
    for _ in 0..64 {
        handle.play(silence()).unwrap();
    }
    assert!(handle.play(silence()).unwrap_err().to_string().contains("waiting"));
    drop(leg);
    assert!(handle.stop().unwrap_err().to_string().contains("ended"));
}

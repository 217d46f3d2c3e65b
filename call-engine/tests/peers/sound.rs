//! What the phones play, and whether it can be found in what another one heard.

use std::f64::consts::TAU;
use std::path::Path;

/// Samples a second of everything here: the rate of G.711.
pub(crate) const RATE: u32 = 8_000;

/// A tune that no other `voice` plays: notes of 120 ms, each of another pitch of the voice's own choice between 300 Hz and 3 kHz.
pub(crate) fn tune(voice: u32, seconds: u32) -> Vec<i16> {
    const NOTE: u32 = RATE * 120 / 1_000;
    // A linear congruential generator: the same tune in every run.
    let mut state = voice.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut pitch = 0.0;
    let mut phase = 0.0_f64;
    (0..seconds * RATE)
        .map(|index| {
            if index % NOTE == 0 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                pitch = 300.0 + f64::from(state >> 16) / 65_536.0 * 2_700.0;
            }
            phase = (phase + pitch / f64::from(RATE)).fract();
            (8_000.0 * (phase * TAU).sin()) as i16
        })
        .collect()
}

/// Writes 16-bit mono samples as a WAV file.
pub(crate) fn write_wav(path: &Path, samples: &[i16]) {
    let format =
        hound::WavSpec { channels: 1, sample_rate: RATE, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut writer = hound::WavWriter::create(path, format).expect("the WAV file can be created");
    for sample in samples {
        writer.write_sample(*sample).expect("the WAV file can be written");
    }
    writer.finalize().expect("the WAV file can be finished");
}

/// Reads a 16-bit mono WAV file of 8,000 samples a second that may still be being written: recorders fill in the length at the end, so what
/// follows the header is taken, whatever length it states.
pub(crate) fn read_wav(path: &Path) -> Vec<i16> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let number =
        |at: usize| bytes.get(at..at + 4).map_or(0, |four| u32::from_le_bytes(four.try_into().expect("four bytes")));
    // The chunks begin after "RIFF", its length and "WAVE".
    let mut at = 12;
    while let Some(name) = bytes.get(at..at + 4) {
        match name {
            b"fmt " => {
                let format = [number(at + 8), number(at + 12), number(at + 20) >> 16];
                assert_eq!(
                    format,
                    [1 << 16 | 1, RATE, 16],
                    "{}: 16-bit mono PCM at {RATE} Hz was expected",
                    path.display()
                );
            }
            b"data" => {
                let samples = bytes[at + 8..].chunks_exact(2);
                return samples.map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
            }
            _ => {}
        }
        at += 8 + number(at + 4) as usize;
    }
    Vec::new()
}

/// Writes samples as bare PCMU, which is what SIPp's `rtp_stream` plays.
pub(crate) fn write_pcmu(path: &Path, samples: &[i16]) {
    let bytes: Vec<u8> = samples.iter().map(|sample| to_pcmu(*sample)).collect();
    std::fs::write(path, bytes).expect("the audio file can be written");
}

/// One sample in PCMU (ITU-T G.711).
pub(crate) fn to_pcmu(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = (i32::from(sample).abs() + 132).min(32_635 + 132);
    let segment = (magnitude >> 7).ilog2().min(7) as u8;
    let mantissa = ((magnitude >> (segment + 3)) & 0x0f) as u8;
    !(sign | segment << 4 | mantissa)
}

/// The sample that a byte of PCMU stands for.
pub(crate) fn from_pcmu(byte: u8) -> i16 {
    let bits = !byte;
    let magnitude = (((i16::from(bits & 0x0f) << 3) + 132) << ((bits >> 4) & 7)) - 132;
    if bits & 0x80 == 0 { magnitude } else { -magnitude }
}

/// How well a sound was found in a recording.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Found {
    /// From -1 to 1: 1 is the very same signal at any volume; unrelated tunes stay below 0.4.
    pub(crate) correlation: f64,
    /// Where in the recording the sound begins to be the one that was looked for, in samples.
    pub(crate) position: usize,
}

/// Where half a second of `sent`, from `from` samples on, is in `heard`: the place where they correlate best.
///
/// Half a second is short enough for both clocks to agree, and long enough for four notes.
pub(crate) fn find(sent: &[i16], from: usize, heard: &[i16]) -> Found {
    let length = RATE as usize / 2;
    let wanted: Vec<f64> = sent[from..from + length].iter().map(|sample| f64::from(*sample)).collect();
    let energy_wanted: f64 = wanted.iter().map(|sample| sample * sample).sum();
    let mut best = Found { correlation: -1.0, position: 0 };
    for (position, window) in heard.windows(length).enumerate() {
        let (mut product, mut energy) = (0.0, 0.0);
        for (wanted, sample) in wanted.iter().zip(window) {
            let sample = f64::from(*sample);
            product += wanted * sample;
            energy += sample * sample;
        }
        let correlation = product / (energy_wanted * energy).sqrt().max(1.0);
        if correlation > best.correlation {
            best = Found { correlation, position };
        }
    }
    best
}

/// Fails unless `heard` holds what was `sent`, checked at one, two, … seconds into it for as long as `seconds`.
///
/// A tenth of the correlation may be lost to coding and to one concealed packet. A phone on a busy machine may also shift its playing by a
/// frame in the middle of what is looked for, so of each second three places are tried, and one must be there.
#[track_caller]
pub(crate) fn assert_heard(who: &str, sent: &[i16], heard: &[i16], seconds: usize) {
    let rate = RATE as usize;
    let in_second = |second: usize| {
        let places = [0, rate / 4, rate / 2].into_iter().map(|offset| find(sent, second * rate + offset, heard));
        places.reduce(|best, place| if place.correlation > best.correlation { place } else { best })
    };
    let found: Vec<Found> = (1..=seconds).filter_map(in_second).collect();
    let duration = heard.len() as f64 / f64::from(RATE);
    assert!(
        found.iter().all(|found| found.correlation > 0.9),
        "{who} did not hear what was played; in {duration:.1} s of recording: {found:?}"
    );
    assert!(
        found.windows(2).all(|pair| pair[0].position < pair[1].position),
        "{who} heard what was played in another order: {found:?}"
    );
}

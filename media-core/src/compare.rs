//! Holds what was heard against what was sent: delay, level, and how much else there is.
//!
//! The two are aligned by cross-correlation, coarsely on a smoothed envelope of both and then sample by sample; the best gain is taken out;
//! what is left is noise: the codec's, and everything that was lost or put in its place.
#![expect(clippy::indexing_slicing, reason = "indices are bounded by the lengths that the loops are made of")]

use std::time::Duration;

use crate::frame::{SampleRate, level_dbfs};

/// Samples of a segment for [`Comparison::segmental_snr_db`] and [`Comparison::coverage`]: 20 ms.
const SEGMENT: usize = 160;

/// Segments of the sent sound below this are pauses, and say nothing of the signal-to-noise ratio.
const PAUSE_DBFS: f64 = -50.0;

/// The least normalised correlation at which the two count as the same sound. Different speech reaches 0.3; speech with a fifth of it lost
/// stays over 0.6.
const SAME: f64 = 0.5;

/// The ratio above which a segment counts as heard.
const HEARD_DB: f64 = 10.0;

/// What is counted for a segment that is as it was sent, to the last bit.
const MAX_SNR_DB: f64 = 60.0;

/// How far a segment may have moved against the rest and still count as heard: jitter buffers stretch pauses and cut them, 80 ms either way.
const WANDER: usize = 640;

/// Every how many samples the coarse search looks.
const COARSE: usize = 8;

/// What was found; all of it relative to the part of the sent sound that is no pause.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// How far into what was heard the sent sound begins.
    pub delay: Duration,
    /// How much louder it is than what was sent, in dB.
    pub level_difference_db: f64,
    /// Power of the sent sound over that of everything else, in dB.
    pub snr_db: f64,
    /// The mean of the same over segments of 20 ms, each between 0 and 60 dB: a short gap spoils its own segments only, and a segment
    /// that has moved by up to 80 ms is taken where it is.
    pub segmental_snr_db: f64,
    /// The share of these segments that are there with at least 10 dB.
    pub coverage: f64,
}

/// Finds `sent` in `heard`, both at 8 kHz. `None` when it is not there: silence, or another sound.
///
/// Takes time proportional to the product of their lengths, divided by 64 for the most part: some tens of milliseconds for 5 s in 10 s.
#[must_use]
pub fn compare(sent: &[i16], heard: &[i16]) -> Option<Comparison> {
    let sent: Vec<f32> = sent.iter().map(|&sample| f32::from(sample)).collect();
    let mut padded: Vec<f32> = heard.iter().map(|&sample| f32::from(sample)).collect();
    // The end of the sound may be cut off in what was heard.
    padded.resize(padded.len() + sent.len() / 4, 0.0);
    let energy = power(&sent);
    if sent.is_empty() || padded.len() < sent.len() || energy == 0.0 {
        return None;
    }
    let offset = best_offset(&sent, &padded);
    let around = &padded[offset.saturating_sub(WANDER)..(offset + sent.len() + WANDER).min(padded.len())];
    let heard = &padded[offset..offset + sent.len()];
    let cross = dot(&sent, heard);
    let heard_energy = power(heard);
    if heard_energy == 0.0 || cross / (energy * heard_energy).sqrt() < SAME {
        return None;
    }
    let gain = cross / energy;
    let noise: f64 = sent.iter().zip(heard).map(|(&s, &h)| square(f64::from(h) - gain * f64::from(s))).sum();
    let (segmental_snr_db, coverage) = by_segment(&sent, around, offset.min(WANDER));
    Some(Comparison {
        delay: SampleRate::HZ_8000.duration_of(offset),
        level_difference_db: 20.0 * gain.log10(),
        snr_db: decibels(gain * gain * energy, noise),
        segmental_snr_db,
        coverage,
    })
}

/// `around` is what was heard from `lead` samples before the sent sound begins to some after it ends.
fn by_segment(sent: &[f32], around: &[f32], lead: usize) -> (f64, f64) {
    let mut sum = 0.0;
    let (mut segments, mut there) = (0_u32, 0_u32);
    for (index, sent) in sent.chunks_exact(SEGMENT).enumerate() {
        let samples: Vec<i16> = sent.iter().map(|&sample| sample as i16).collect();
        if level_dbfs(&samples) < PAUSE_DBFS {
            continue;
        }
        let place = lead + index * SEGMENT;
        let mut snr = segment_snr(sent, &around[place..place + SEGMENT]);
        if snr < HEARD_DB {
            let last = (place + WANDER).min(around.len() - SEGMENT);
            let moved = place.saturating_sub(WANDER)..=last;
            snr = moved.map(|start| segment_snr(sent, &around[start..start + SEGMENT])).fold(snr, f64::max);
        }
        sum += snr.clamp(0.0, MAX_SNR_DB);
        segments += 1;
        there += u32::from(snr >= HEARD_DB);
    }
    let segments = f64::from(segments.max(1));
    (sum / segments, f64::from(there) / segments)
}

/// With the segment's own best gain, as long as that is within 6 dB: what was moved elsewhere has spoiled the gain of the whole.
fn segment_snr(sent: &[f32], heard: &[f32]) -> f64 {
    let (cross, energy): (f32, f32) = sent.iter().zip(heard).fold((0.0, 0.0), |(c, e), (s, h)| (c + s * h, e + s * s));
    let gain = (cross / energy.max(1.0)).clamp(0.5, 2.0);
    let noise: f32 = sent.iter().zip(heard).map(|(s, h)| (h - gain * s) * (h - gain * s)).sum();
    let signal: f32 = sent.iter().map(|s| gain * s * gain * s).sum();
    decibels(signal.into(), noise.into())
}

/// The offset of `sent` in `heard` with the greatest normalised correlation.
fn best_offset(sent: &[f32], heard: &[f32]) -> usize {
    let last = heard.len() - sent.len();
    let coarse_sent = decimated(sent);
    let coarse_heard = decimated(heard);
    let mut best = (f64::NEG_INFINITY, 0);
    for offset in 0..=coarse_heard.len().saturating_sub(coarse_sent.len()) {
        let score = dot(&coarse_sent, &coarse_heard[offset..offset + coarse_sent.len()]);
        if score > best.0 {
            best = (score, offset);
        }
    }
    let around = best.1 * COARSE;
    let mut fine = (f64::NEG_INFINITY, 0);
    for offset in around.saturating_sub(2 * COARSE)..=(around + 2 * COARSE).min(last) {
        let score = dot(sent, &heard[offset..offset + sent.len()]);
        if score > fine.0 {
            fine = (score, offset);
        }
    }
    fine.1
}

/// The envelope at an eighth of the rate, without its mean: where speech is loud says where it is, whatever the phase.
fn decimated(samples: &[f32]) -> Vec<f32> {
    let envelope: Vec<f32> =
        samples.chunks_exact(COARSE).map(|chunk| chunk.iter().map(|s| s.abs()).sum::<f32>()).collect();
    let mean = envelope.iter().sum::<f32>() / envelope.len().max(1) as f32;
    envelope.into_iter().map(|value| value - mean).collect()
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    // Blocks keep the sum exact enough in f32 arithmetic, and fast.
    a.chunks(256).zip(b.chunks(256)).map(|(a, b)| f64::from(a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>())).sum()
}

fn power(samples: &[f32]) -> f64 {
    samples.iter().map(|&sample| square(f64::from(sample))).sum()
}

fn square(x: f64) -> f64 {
    x * x
}

fn decibels(signal: f64, noise: f64) -> f64 {
    if noise <= 0.0 { MAX_SNR_DB } else { 10.0 * (signal / noise).log10() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Codec;
    use crate::speech::{Utterance, Voice, say};
    use rand::{RngExt, SeedableRng};

    fn through_g711(samples: &[i16]) -> Vec<i16> {
        let mut payload = Vec::new();
        Codec::Pcmu.encode(samples, &mut payload);
        let mut decoded = vec![0; payload.len()];
        Codec::Pcmu.decode(&payload, &mut decoded);
        decoded
    }

    fn speech() -> Vec<i16> {
        say(Voice::Ailsa, Utterance::CanYouHearMe).samples().to_vec()
    }

    #[test]
    fn g711_is_found_where_it_is_with_its_own_noise() {
        let sent = speech();
        for lead in [0, 1, 777, 4_003] {
            let mut heard = vec![0; lead];
            heard.extend(through_g711(&sent));
            heard.extend([0; 3_000]);
            let found = compare(&sent, &heard).unwrap();
            assert_eq!(found.delay, SampleRate::HZ_8000.duration_of(lead));
            assert!(found.snr_db > 30.0 && found.coverage > 0.99, "{found:?}");
            assert!(found.level_difference_db.abs() < 0.1, "{found:?}");
        }
    }

    #[test]
    fn half_the_level_is_six_decibels() {
        let sent = speech();
        let heard: Vec<i16> = sent.iter().map(|sample| sample / 2).collect();
        let found = compare(&sent, &heard).unwrap();
        assert!((found.level_difference_db + 6.02).abs() < 0.05, "{found:?}");
    }

    #[test]
    fn a_fifth_lost_is_found_and_clearly_worse() {
        let sent = speech();
        let mut rng = rand::rngs::StdRng::seed_from_u64(1);
        let mut heard = through_g711(&sent);
        for frame in heard.chunks_mut(160) {
            if rng.random_bool(0.2) {
                frame.fill(0);
            }
        }
        let found = compare(&sent, &heard).unwrap();
        assert!(found.snr_db < 15.0 && found.coverage < 0.9 && found.coverage > 0.6, "{found:?}");
    }

    #[test]
    fn a_pause_that_was_stretched_costs_no_coverage() {
        let sent = speech();
        let mut heard = through_g711(&sent);
        heard.splice(16_000..16_000, [0; 320]);
        let found = compare(&sent, &heard).unwrap();
        assert!(found.coverage > 0.97 && found.snr_db < 10.0, "{found:?}");
    }

    #[test]
    fn another_sound_and_silence_are_no_match() {
        let sent = speech();
        let other = say(Voice::Blair, Utterance::LoudAndClear).samples().to_vec();
        assert_eq!(compare(&sent, &through_g711(&other)), None);
        assert_eq!(compare(&sent, &vec![0; 80_000]), None);
        assert_eq!(compare(&sent, &[]), None);
        assert_eq!(compare(&[], &sent), None);
    }
}

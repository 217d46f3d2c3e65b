//! Two voices that say two sentences: a small formant synthesiser.
//!
//! Made for demonstrations and tests. What it says is speech-like in what matters to a codec, a jitter buffer and
//! [`compare`](crate::compare): voiced and unvoiced, loud and soft, rich in spectrum, and never the same twice within
//! an utterance, so that a cross-correlation has one clear peak. The same call gives the same samples on every machine
//! with the same floating point library.
//!
//! A glottal source and noise run through a chain of resonators at the formants (after D. H. Klatt, "Software for a
//! cascade/parallel formant synthesizer", JASA 67, 1980); `phonemes` knows the targets, this file bends them into
//! each other and draws the melody over them.

mod phonemes;
mod synthesiser;

use phonemes::{Segment, segments};
use synthesiser::{Controls, Timbre};

use crate::frame::SampleRate;
use crate::resample::{resample, to_i16};
use crate::source::Clip;

/// Level of what is said, pauses left out, in dBFS.
const SPEECH_DBFS: f64 = -20.0;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Voice {
    /// A higher voice, around 200 Hz.
    Ailsa,
    /// A lower voice, around 112 Hz.
    Blair,
}

/// What is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Utterance {
    /// "hello, this is Ailsa, can you hear me?"
    CanYouHearMe,
    /// "aye, Blair here, I can hear you loud and clear"
    LoudAndClear,
}

impl Utterance {
    /// The words.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::CanYouHearMe => "hello, this is Ailsa, can you hear me?",
            Self::LoudAndClear => "aye, Blair here, I can hear you loud and clear",
        }
    }

    /// The sounds: symbols of [`phonemes`], `'` before the stressed ones, `:` behind the long ones, `,` for a pause,
    /// `/` and `\` before sounds where the melody rises or falls.
    const fn sounds(self) -> &'static str {
        match self {
            Self::CanYouHearMe => "h @ l 'o: u , D I s I z 'e: I l s @ , k a n j u h 'i: \\@ r m /i: /i",
            Self::LoudAndClear => {
                "'a: I , b l 'e: r h 'i: @ r , a I k a n h 'i: r j u l 'V: u d @ n d k l 'i: \\@: \\r"
            }
        }
    }
}

/// Says it: 3 to 5 seconds at 8 kHz, around -20 dBFS, with a short silence before and behind.
#[must_use]
pub fn say(voice: Voice, utterance: Utterance) -> Clip {
    let timbre = voice.timbre();
    let controls = controls(&timbre, utterance.sounds());
    let spoken = synthesiser::speak(&timbre, &controls);
    let mut samples = resample(&spoken, synthesiser::RATE, SampleRate::HZ_8000);
    level(&mut samples);
    Clip::new(to_i16(&samples))
}

impl Voice {
    const fn timbre(self) -> Timbre {
        match self {
            Self::Ailsa => Timbre {
                pitch_hz: 200.0,
                melody: 1.25,
                formant_scale: 1.14,
                pace: 1.0,
                open_quotient: 0.62,
                tilt_hz: 2_200.0,
                breath: 0.030,
                seed: 0xA115A,
            },
            Self::Blair => Timbre {
                pitch_hz: 112.0,
                melody: 1.0,
                formant_scale: 0.98,
                pace: 1.06,
                open_quotient: 0.52,
                tilt_hz: 3_200.0,
                breath: 0.012,
                seed: 0xB1A12,
            },
        }
    }
}

/// The course of every control of the synthesiser, one value a millisecond.
fn controls(timbre: &Timbre, sounds: &str) -> Vec<Controls> {
    let mut plan: Vec<(Segment, f64)> = vec![(Segment::SILENCE.lasting(120.0), 1.0)];
    for token in sounds.split_whitespace() {
        let symbol = token.trim_start_matches(['\'', '/', '\\']).trim_end_matches(':');
        let (stress, bend) = (token.starts_with('\''), if token.starts_with('/') { 1.45 } else { 0.8 });
        let melody = match token.chars().next() {
            Some('\'') => 1.16,
            Some('/' | '\\') => bend,
            _ => 0.97,
        };
        for segment in segments(symbol) {
            let longer = if stress { 1.25 } else { 1.0 } * if token.ends_with(':') { 1.5 } else { 1.0 };
            let stretch = timbre.pace * if segment.stretches { longer } else { 1.0 };
            plan.push((segment.lasting(segment.ms * stretch), 1.0 + (melody - 1.0) * timbre.melody));
        }
    }
    plan.push((Segment::SILENCE.lasting(150.0), 0.8));
    fill_formants(&mut plan);

    let total: f64 = plan.iter().map(|(segment, _)| segment.ms).sum();
    let (mut course, mut elapsed) = (Vec::new(), 0.0);
    for (segment, melody) in &plan {
        let end = elapsed + segment.ms;
        while (course.len() as f64) < end {
            let declination = 1.10 - 0.22 * course.len() as f64 / total; // the voice sinks towards the end
            course.push(Controls::of(segment, timbre, melody * declination));
        }
        elapsed = end;
    }
    synthesiser::smooth(&mut course);
    course
}

/// Silence and /h/ have no formants of their own: the mouth is already shaped for what comes next.
fn fill_formants(plan: &mut [(Segment, f64)]) {
    let mut next = [500.0, 1_500.0, 2_500.0];
    for (segment, _) in plan.iter_mut().rev() {
        match segment.formants {
            [first, ..] if first > 0.0 => next = segment.formants,
            _ => segment.formants = next,
        }
    }
}

/// Brings the spoken parts to [`SPEECH_DBFS`], and rounds off the few peaks that come near full scale.
fn level(samples: &mut [f32]) {
    let power = |part: &[f32]| part.iter().map(|&s| f64::from(s) * f64::from(s)).sum::<f64>() / part.len() as f64;
    let powers: Vec<f64> = samples.chunks(160).map(power).collect();
    let loudest = powers.iter().copied().fold(0.0, f64::max);
    let spoken: Vec<f64> = powers.into_iter().filter(|&p| p > loudest / 1_000.0).collect();
    let mean = spoken.iter().sum::<f64>() / spoken.len().max(1) as f64;
    if mean <= 0.0 {
        return;
    }
    let gain = 10_f64.powf(SPEECH_DBFS / 20.0) / mean.sqrt();
    for sample in samples {
        let loud = f64::from(*sample) * gain;
        let over = loud.abs() - 0.5;
        *sample = if over > 0.0 { loud.signum() * (0.5 + 0.4 * (over / 0.4).tanh()) } else { loud } as f32;
    }
}

#[cfg(test)]
mod tests;

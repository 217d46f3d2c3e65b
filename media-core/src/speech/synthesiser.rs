//! From controls to sound: a glottal source and noise through resonators.
#![expect(clippy::indexing_slicing, reason = "indices are constants below the length of `Controls`, or window bounds")]

use std::f64::consts::{PI, TAU};

use super::phonemes::Segment;
use crate::frame::SampleRate;

/// Rate of the synthesis: twice that of the result, so that the edges of the glottal pulse do not fold down.
pub(super) const RATE: SampleRate = SampleRate::HZ_16000;
const SAMPLES_PER_MS: usize = 16;

/// What makes a voice this person's.
pub(super) struct Timbre {
    /// Middle of the melody.
    pub pitch_hz: f64,
    /// How lively the melody is; 1 for moderately.
    pub melody: f64,
    /// Formants relative to the table: a shorter throat has higher ones.
    pub formant_scale: f64,
    /// Length of sounds relative to the table.
    pub pace: f64,
    /// Share of a period during which the glottis is open.
    pub open_quotient: f64,
    /// Above this the voice loses 6 dB an octave more.
    pub tilt_hz: f64,
    /// Breath that runs along with the voice.
    pub breath: f64,
    /// For noise, jitter and shimmer.
    pub seed: u64,
}

/// The controls of one millisecond, in the order of the constants below.
#[derive(Clone, Copy, Debug)]
pub(super) struct Controls([f64; 9]);

const F1: usize = 0;
const VOICE: usize = 3;
const BREATH: usize = 4;
const HISS: usize = 5;
const HISS_CENTRE: usize = 6;
const HISS_WIDTH: usize = 7;
const PITCH: usize = 8;

/// Over how many milliseconds each control glides from target to target: a tongue is slower than a burst.
const GLIDE_MS: [usize; 9] = [44, 44, 44, 18, 16, 5, 5, 5, 90];

impl Controls {
    pub(super) fn of(segment: &Segment, timbre: &Timbre, melody: f64) -> Self {
        let [f1, f2, f3] = segment.formants.map(|hz| hz * timbre.formant_scale);
        let [hiss_centre, hiss_width] = segment.hiss_at;
        let breath = segment.breath + timbre.breath * segment.voice;
        let pitch = timbre.pitch_hz * melody;
        Self([f1, f2, f3, segment.voice, breath, segment.hiss, hiss_centre, hiss_width, pitch])
    }
}

/// Bends the steps between targets into glides: a moving average, twice, as wide as [`GLIDE_MS`] says.
pub(super) fn smooth(course: &mut [Controls]) {
    for (control, &width) in GLIDE_MS.iter().enumerate() {
        for _ in 0..2 {
            let steps: Vec<f64> = course.iter().map(|c| c.0[control]).collect();
            for (i, value) in course.iter_mut().enumerate() {
                let window = &steps[i.saturating_sub(width / 2)..(i + width / 2 + 1).min(steps.len())];
                value.0[control] = window.iter().sum::<f64>() / window.len() as f64;
            }
        }
    }
}

/// Speaks at [`RATE`], on a scale where the caller sets the level.
pub(super) fn speak(timbre: &Timbre, course: &[Controls]) -> Vec<f32> {
    let mut noise = Noise(timbre.seed);
    let mut glottis = Glottis::default();
    let mut tract = [Resonator::default(); 5];
    let (mut hiss_filter, mut earlier, mut tilt) = (Resonator::default(), [0.0; 2], 0.0);
    let tilt_share = 1.0 - (-TAU * timbre.tilt_hz / f64::from(RATE.hz())).exp();
    let mut out = Vec::with_capacity(course.len() * SAMPLES_PER_MS);
    for Controls(c) in course {
        // Bandwidths widen with the formant; the two highest formants belong to the throat and stay where they are.
        let fixed = [3_500.0 * timbre.formant_scale, 4_500.0 * timbre.formant_scale];
        let formants = [(c[F1], 70.0), (c[F1 + 1], 95.0), (c[F1 + 2], 140.0), (fixed[0], 240.0), (fixed[1], 320.0)];
        for (resonator, (hz, width)) in tract.iter_mut().zip(formants) {
            resonator.tune(hz, width);
        }
        hiss_filter.tune(c[HISS_CENTRE], c[HISS_WIDTH]);
        for _ in 0..SAMPLES_PER_MS {
            let (pulse, open) = glottis.next(c[PITCH], timbre.open_quotient, &mut noise);
            tilt += tilt_share * (pulse - tilt);
            let breath = noise.next() * c[BREATH] * if open { 1.0 } else { 0.5 };
            let mut sound = tilt * c[VOICE] + breath;
            for resonator in &mut tract {
                sound = resonator.next(sound);
            }
            // The difference over two samples takes out what a resonator lets through below its band.
            let hiss = noise.next() * c[HISS];
            out.push((sound + hiss_filter.next(hiss - earlier[1])) as f32);
            earlier = [hiss, earlier[0]];
        }
    }
    out
}

/// The change of the air flow through the vocal folds (after Rosenberg), with jitter and shimmer from period to period.
#[derive(Default)]
struct Glottis {
    /// Place in the period, 0 to 1.
    phase: f64,
    jitter: f64,
    shimmer: f64,
    /// A slow waver of the pitch, so that no vowel is a machine's.
    drift: f64,
}

impl Glottis {
    /// The next sample, and whether the glottis is open.
    fn next(&mut self, pitch: f64, open_quotient: f64, noise: &mut Noise) -> (f64, bool) {
        self.phase += pitch * (1.0 + self.jitter + self.drift) / f64::from(RATE.hz());
        if self.phase >= 1.0 {
            self.phase -= 1.0;
            self.jitter = 0.008 * noise.next();
            self.shimmer = 0.05 * noise.next();
            self.drift = 0.93 * self.drift + 0.006 * noise.next();
        }
        let x = self.phase / open_quotient;
        if x < 1.0 { ((2.0 - 3.0 * x) * x * (1.0 + self.shimmer), true) } else { (0.0, false) }
    }
}

/// A two-pole resonator with unit gain at 0 Hz.
#[derive(Clone, Copy, Default)]
struct Resonator {
    a: f64,
    b: f64,
    c: f64,
    last: [f64; 2],
}

impl Resonator {
    fn tune(&mut self, hz: f64, width: f64) {
        let rate = f64::from(RATE.hz());
        let radius = (-PI * width / rate).exp();
        self.c = -radius * radius;
        self.b = 2.0 * radius * (TAU * hz / rate).cos();
        self.a = 1.0 - self.b - self.c;
    }

    fn next(&mut self, input: f64) -> f64 {
        let [one, two] = self.last;
        let output = self.a * input + self.b * one + self.c * two;
        self.last = [output, one];
        output
    }
}

/// White noise between -1 and 1: splitmix64, so that the sound does not depend on a version of a crate.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }
}

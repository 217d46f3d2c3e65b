//! The tones of a telephone network: dial tone, ringback, busy, congestion (ITU-T E.180 supplement 2), and any other
//! sum of sines with a cadence.

use std::f64::consts::TAU;
use std::time::Duration;

use crate::frame::{AudioSource, SampleRate};

/// Whose tones: they differ in pitch and cadence, and callers know them by ear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Region {
    /// 425 Hz, as in most of continental Europe.
    #[default]
    Europe,
    /// 350, 400, 440 and 450 Hz, with the double ring.
    UnitedKingdom,
    /// 350, 440, 480 and 620 Hz.
    NorthAmerica,
}

/// A sum of sines, switched on and off in turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Tone {
    frequencies: Vec<f64>,
    level_dbfs: f64,
    cadence: Vec<Duration>,
}

/// Level of each sine of the network tones, in dBFS: audible, and well below speech at -20 when it must compete.
const NETWORK_TONE_DBFS: f64 = -19.0;

impl Tone {
    /// Sines of some frequencies in Hz, each at a level in dBFS, without a pause.
    #[must_use]
    pub fn continuous(frequencies: &[f64], level_dbfs: f64) -> Self {
        Self { frequencies: frequencies.to_vec(), level_dbfs, cadence: Vec::new() }
    }

    /// The same with a cadence: on, off, on, off… in milliseconds, over and over.
    #[must_use]
    pub fn with_cadence(frequencies: &[f64], level_dbfs: f64, on_off_ms: &[u64]) -> Self {
        let cadence = on_off_ms.iter().map(|&ms| Duration::from_millis(ms)).collect();
        Self { frequencies: frequencies.to_vec(), level_dbfs, cadence }
    }

    /// "You may dial."
    #[must_use]
    pub fn dial(region: Region) -> Self {
        let frequencies: &[f64] = match region {
            Region::Europe => &[425.0],
            Region::UnitedKingdom | Region::NorthAmerica => &[350.0, 440.0],
        };
        Self::continuous(frequencies, NETWORK_TONE_DBFS)
    }

    /// "It rings at the other end."
    #[must_use]
    pub fn ringback(region: Region) -> Self {
        match region {
            Region::Europe => Self::with_cadence(&[425.0], NETWORK_TONE_DBFS, &[1_000, 4_000]),
            Region::UnitedKingdom => Self::with_cadence(&[400.0, 450.0], NETWORK_TONE_DBFS, &[400, 200, 400, 2_000]),
            Region::NorthAmerica => Self::with_cadence(&[440.0, 480.0], NETWORK_TONE_DBFS, &[2_000, 4_000]),
        }
    }

    /// "The other end is engaged."
    #[must_use]
    pub fn busy(region: Region) -> Self {
        match region {
            Region::Europe => Self::with_cadence(&[425.0], NETWORK_TONE_DBFS, &[500, 500]),
            Region::UnitedKingdom => Self::with_cadence(&[400.0], NETWORK_TONE_DBFS, &[375, 375]),
            Region::NorthAmerica => Self::with_cadence(&[480.0, 620.0], NETWORK_TONE_DBFS, &[500, 500]),
        }
    }

    /// "The network cannot carry the call now."
    #[must_use]
    pub fn congestion(region: Region) -> Self {
        match region {
            Region::Europe => Self::with_cadence(&[425.0], NETWORK_TONE_DBFS, &[250, 250]),
            Region::UnitedKingdom => Self::with_cadence(&[400.0], NETWORK_TONE_DBFS, &[400, 350, 225, 525]),
            Region::NorthAmerica => Self::with_cadence(&[480.0, 620.0], NETWORK_TONE_DBFS, &[250, 250]),
        }
    }

    /// A source that plays it and never ends.
    #[must_use]
    pub fn play(&self) -> ToneSource {
        ToneSource::new(self, None)
    }

    /// A source that plays it for a time.
    #[must_use]
    pub fn play_for(&self, time: Duration) -> ToneSource {
        ToneSource::new(self, Some(SampleRate::HZ_8000.samples_in(time)))
    }
}

/// Plays a [`Tone`].
#[derive(Clone, Debug)]
pub struct ToneSource {
    /// Phase and its advance for each sample, both in turns.
    sines: Vec<(f64, f64)>,
    amplitude: f64,
    /// Samples that each part of the cadence lasts, on first; empty for a tone without pause.
    cadence: Vec<usize>,
    part: usize,
    left_in_part: usize,
    left: Option<usize>,
}

impl ToneSource {
    fn new(tone: &Tone, left: Option<usize>) -> Self {
        let rate = f64::from(SampleRate::HZ_8000.hz());
        let mut cadence: Vec<usize> = tone.cadence.iter().map(|&t| SampleRate::HZ_8000.samples_in(t)).collect();
        if cadence.iter().all(|&samples| samples == 0) {
            cadence.clear();
        }
        Self {
            sines: tone.frequencies.iter().map(|hz| (0.0, hz / rate)).collect(),
            // The peak of a sine lies √2 above its level, and dBFS counts a full-scale square wave as 0.
            amplitude: 32_768.0 * std::f64::consts::SQRT_2 * 10_f64.powf(tone.level_dbfs / 20.0),
            part: 0,
            left_in_part: cadence.first().copied().unwrap_or(usize::MAX),
            cadence,
            left,
        }
    }

    /// The next sample; phases run on through the pauses.
    fn next_sample(&mut self) -> i16 {
        while self.left_in_part == 0 && !self.cadence.is_empty() {
            self.part = (self.part + 1) % self.cadence.len();
            self.left_in_part = self.cadence.get(self.part).copied().unwrap_or(usize::MAX);
        }
        if !self.cadence.is_empty() {
            self.left_in_part -= 1;
        }
        let mut sum = 0.0;
        for (phase, advance) in &mut self.sines {
            sum += (TAU * *phase).sin();
            *phase = (*phase + *advance).fract();
        }
        let on = self.part.is_multiple_of(2);
        if on { (sum * self.amplitude).round().clamp(-32_768.0, 32_767.0) as i16 } else { 0 }
    }
}

impl AudioSource for ToneSource {
    fn read(&mut self, out: &mut [i16]) -> usize {
        let count = self.left.map_or(out.len(), |left| left.min(out.len()));
        if let Some(left) = &mut self.left {
            *left -= count;
        }
        for sample in out.iter_mut().take(count) {
            *sample = self.next_sample();
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::level_dbfs;
    use crate::source::collect;

    #[test]
    fn a_tone_has_the_level_that_was_asked_for() {
        let samples = collect(&mut Tone::continuous(&[1_000.0], -10.0).play(), 8_000);
        assert!((level_dbfs(&samples) + 10.0).abs() < 0.05, "{:.2}", level_dbfs(&samples));
    }

    #[test]
    fn a_tone_of_full_scale_and_more_clips_and_does_not_wrap() {
        let samples = collect(&mut Tone::continuous(&[440.0, 440.0], 0.0).play(), 800);
        assert!(samples.windows(2).all(|w| (i32::from(w[0]) - i32::from(w[1])).abs() < 40_000));
    }

    #[test]
    fn british_ringback_rings_twice_then_waits_two_seconds() {
        let samples = collect(&mut Tone::ringback(Region::UnitedKingdom).play(), 8_000 * 3 + 800);
        let sounding = |ms: usize| level_dbfs(&samples[ms * 8..(ms + 50) * 8]) > -40.0;
        let heard: Vec<bool> = [0, 340, 410, 540, 610, 940, 1_010, 2_900, 3_010].map(sounding).to_vec();
        assert_eq!(heard, [true, true, false, false, true, true, false, false, true]);
    }

    #[test]
    fn a_tone_for_a_time_ends_after_it() {
        let mut source = Tone::busy(Region::Europe).play_for(Duration::from_millis(30));
        assert_eq!(collect(&mut source, 9_999).len(), 240);
    }

    #[test]
    fn a_cadence_of_no_time_is_a_tone_without_pause() {
        let samples = collect(&mut Tone::with_cadence(&[425.0], -10.0, &[0, 0]).play(), 8_000);
        assert!((level_dbfs(&samples) + 10.0).abs() < 0.1);
    }
}

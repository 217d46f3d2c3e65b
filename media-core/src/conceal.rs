//! Packet loss concealment: what is played where a frame is missing.
//!
//! In the manner of ITU-T G.711 Appendix I: the last pitch period is repeated, at full level for 10 ms and then fading
//! to silence by 60 ms; where sound comes back, 5 ms of the repetition are blended into it.
#![expect(clippy::indexing_slicing, reason = "indices are bounded by the lengths of the fixed arrays they index")]

use crate::frame::{FRAME_SAMPLES, Frame};

/// Shortest and longest pitch period, in samples: 400 Hz down to 66 Hz.
const PITCH: std::ops::RangeInclusive<usize> = 20..=120;
/// Samples that two pieces are held against each other for when the pitch is sought: 20 ms.
const WINDOW: usize = 160;
/// Samples remembered: a window and the longest pitch before it.
const HISTORY: usize = WINDOW + *PITCH.end();
/// Samples at full level, and samples by which the repetition has faded to nothing.
const FULL: usize = 80;
const SILENT: usize = 480;
/// Samples over which returning sound is blended with the repetition.
const BLEND: usize = 40;

/// Conceals lost frames of one stream at 8 kHz. Tell it every frame, in order: [`good`](Self::good) or
/// [`lost`](Self::lost).
#[derive(Clone, Debug)]
pub struct Concealer {
    history: [i16; HISTORY],
    /// Samples concealed in a row, and the period that is being repeated.
    concealed: usize,
    period: usize,
    repeated: [i16; *PITCH.end()],
}

impl Default for Concealer {
    fn default() -> Self {
        Self { history: [0; HISTORY], concealed: 0, period: 0, repeated: [0; *PITCH.end()] }
    }
}

impl Concealer {
    /// For a stream that begins with silence.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in a frame that came, and blends its start with the repetition if frames before it were lost.
    pub fn good(&mut self, frame: &mut Frame) {
        if self.concealed > 0 {
            for (i, sample) in frame.iter_mut().enumerate().take(BLEND) {
                let share = (i + 1) as f32 / (BLEND + 1) as f32;
                *sample = (f32::from(*sample) * share + self.repetition(i) * (1.0 - share)) as i16;
            }
            self.concealed = 0;
        }
        self.remember(frame);
    }

    /// What to play for a frame that is missing.
    pub fn lost(&mut self) -> Frame {
        if self.concealed == 0 {
            self.period = self.find_period();
            let start = HISTORY - self.period;
            self.repeated[..self.period].copy_from_slice(&self.history[start..]);
        }
        let mut frame = [0; FRAME_SAMPLES];
        for (i, sample) in frame.iter_mut().enumerate() {
            *sample = self.repetition(i) as i16;
        }
        self.concealed = (self.concealed + FRAME_SAMPLES).min(SILENT);
        self.remember(&frame);
        frame
    }

    /// The sample `i` places on from what was concealed so far.
    fn repetition(&self, i: usize) -> f32 {
        let position = self.concealed + i;
        let level = match position {
            0..FULL => 1.0,
            FULL..SILENT => (SILENT - position) as f32 / (SILENT - FULL) as f32,
            _ => 0.0,
        };
        f32::from(self.repeated[position % self.period.max(1)]) * level
    }

    fn remember(&mut self, frame: &Frame) {
        self.history.copy_within(FRAME_SAMPLES.., 0);
        self.history[HISTORY - FRAME_SAMPLES..].copy_from_slice(frame);
    }

    /// The lag at which the newest sound is most like the sound before it.
    fn find_period(&self) -> usize {
        let newest = &self.history[HISTORY - WINDOW..];
        let mut best = (*PITCH.end(), 0.0_f32);
        for lag in PITCH {
            let before = &self.history[HISTORY - WINDOW - lag..HISTORY - lag];
            let (mut product, mut energy) = (0.0_f32, 1.0_f32);
            for (&a, &b) in newest.iter().zip(before) {
                product += f32::from(a) * f32::from(b);
                energy += f32::from(b) * f32::from(b);
            }
            let likeness = product / energy.sqrt();
            if likeness > best.1 {
                best = (lag, likeness);
            }
        }
        best.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::level_dbfs;

    /// A buzz of 125 Hz: a period of 64 samples.
    fn buzz(from: usize) -> Frame {
        std::array::from_fn(|i| {
            let turns = (from + i) as f32 / 64.0 * std::f32::consts::TAU;
            ((turns.sin() + (2.0 * turns).sin() * 0.5 + (5.0 * turns).cos() * 0.3) * 6_000.0) as i16
        })
    }

    #[test]
    fn a_lost_frame_of_a_periodic_sound_goes_on_with_its_period() {
        let mut concealer = Concealer::new();
        for n in 0..5 {
            concealer.good(&mut buzz(n * FRAME_SAMPLES));
        }
        let (concealed, real) = (concealer.lost(), buzz(5 * FRAME_SAMPLES));
        for i in 0..FULL {
            assert!((concealed[i] - real[i]).abs() < 200, "sample {i}: {} for {}", concealed[i], real[i]);
        }
    }

    #[test]
    fn a_long_loss_fades_to_silence_within_60_ms() {
        let mut concealer = Concealer::new();
        for n in 0..5 {
            concealer.good(&mut buzz(n * FRAME_SAMPLES));
        }
        let levels: Vec<f64> = (0..4).map(|_| level_dbfs(&concealer.lost())).collect();
        assert!(levels[0] > levels[1] && levels[1] > levels[2], "{levels:?}");
        assert_eq!(levels[3], f64::NEG_INFINITY);
    }

    #[test]
    fn sound_that_comes_back_is_blended_and_then_untouched() {
        let mut concealer = Concealer::new();
        concealer.good(&mut buzz(0));
        concealer.good(&mut buzz(160));
        let before = concealer.lost();
        let mut back = buzz(7); // out of step with the repetition
        concealer.good(&mut back);
        assert_eq!(back[BLEND..], buzz(7)[BLEND..]);
        assert!((i32::from(back[0]) - i32::from(before[159])).abs() < 3_000, "a click at the seam");
    }

    #[test]
    fn a_stream_without_loss_passes_unchanged() {
        let mut concealer = Concealer::new();
        let mut frame = buzz(3);
        concealer.good(&mut frame);
        assert_eq!(frame, buzz(3));
    }

    #[test]
    fn a_loss_at_the_very_start_is_silence() {
        assert_eq!(Concealer::new().lost(), [0; FRAME_SAMPLES]);
    }
}

//! What sound is in this crate: mono 16-bit samples, in frames of 20 ms, pulled from sources and pushed into sinks.

use std::time::Duration;

/// How much sound one frame holds: 20 ms, the packet time that RFC 3551 §4.2 gives as default.
pub const FRAME_DURATION: Duration = Duration::from_millis(20);

/// Samples of one frame at [`SampleRate::HZ_8000`].
pub const FRAME_SAMPLES: usize = 160;

/// One frame at 8 kHz.
pub type Frame = [i16; FRAME_SAMPLES];

/// Samples per second of one channel, always within 1 Hz to 768 kHz.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SampleRate(u32);

impl SampleRate {
    /// Telephone bandwidth: the rate of G.711, and of every source and sink of this crate.
    pub const HZ_8000: Self = Self(8_000);
    /// Wideband speech.
    pub const HZ_16000: Self = Self(16_000);
    /// The rate of most sound devices.
    pub const HZ_48000: Self = Self(48_000);

    /// A rate of so many samples per second; `None` outside 1 to 768,000 (twice the highest that sound files use).
    #[must_use]
    pub const fn new(hz: u32) -> Option<Self> {
        if hz == 0 || hz > 768_000 { None } else { Some(Self(hz)) }
    }

    /// Samples per second.
    #[must_use]
    pub const fn hz(self) -> u32 {
        self.0
    }

    /// How many whole samples fit into a time; `usize::MAX` for one too long to count.
    #[must_use]
    pub fn samples_in(self, time: Duration) -> usize {
        let samples = time.as_nanos().saturating_mul(u128::from(self.0)) / 1_000_000_000;
        usize::try_from(samples).unwrap_or(usize::MAX)
    }

    /// How long so many samples last, to the nanosecond below.
    #[must_use]
    pub fn duration_of(self, samples: usize) -> Duration {
        let (rate, samples) = (u64::from(self.0), samples as u64);
        let nanos = (samples % rate) * 1_000_000_000 / rate; // below 10^9 × 768,000: no overflow
        Duration::from_secs(samples / rate) + Duration::from_nanos(nanos)
    }
}

/// Something that sound at 8 kHz can be pulled from.
///
/// Sources are read on a media worker: `read` neither blocks nor touches a disk or a network.
pub trait AudioSource: Send {
    /// Fills `out` from its start and says how many samples were written. Fewer than `out.len()` means that the
    /// source has ended, and every later call returns 0; the rest of `out` is left as it was.
    fn read(&mut self, out: &mut [i16]) -> usize;
}

/// Something that sound at 8 kHz can be pushed into.
///
/// Sinks are written on a media worker: `write` neither blocks nor touches a disk or a network.
pub trait AudioSink: Send {
    /// Takes in samples, mostly a frame at a time. What a sink has no room for it drops and counts.
    fn write(&mut self, samples: &[i16]);
}

/// A sink that forgets what it is told.
#[derive(Clone, Copy, Debug, Default)]
pub struct NullSink;

impl AudioSink for NullSink {
    fn write(&mut self, _samples: &[i16]) {}
}

impl<S: AudioSource + ?Sized> AudioSource for Box<S> {
    fn read(&mut self, out: &mut [i16]) -> usize {
        (**self).read(out)
    }
}

impl<S: AudioSink + ?Sized> AudioSink for Box<S> {
    fn write(&mut self, samples: &[i16]) {
        (**self).write(samples);
    }
}

/// Level of some samples relative to a full-scale square wave (dBFS, so a full-scale sine is -3): at most 0, and
/// negative infinity for silence or no samples.
#[must_use]
pub fn level_dbfs(samples: &[i16]) -> f64 {
    if samples.is_empty() {
        return f64::NEG_INFINITY;
    }
    let energy: f64 = samples.iter().map(|&s| f64::from(s) * f64::from(s)).sum();
    10.0 * (energy / samples.len() as f64 / (32_768.0 * 32_768.0)).log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_at_8_khz_has_160_samples_of_125_microseconds() {
        assert_eq!(SampleRate::HZ_8000.samples_in(FRAME_DURATION), FRAME_SAMPLES);
        assert_eq!(SampleRate::HZ_8000.duration_of(1), Duration::from_micros(125));
        assert_eq!(SampleRate::HZ_8000.duration_of(usize::MAX).as_secs(), u64::MAX / 8_000);
    }

    #[test]
    fn a_rate_of_nothing_or_of_too_much_is_none() {
        assert_eq!(SampleRate::new(0), None);
        assert_eq!(SampleRate::new(768_001), None);
        assert_eq!(SampleRate::new(44_100).map(SampleRate::hz), Some(44_100));
    }

    #[test]
    fn level_of_full_scale_is_zero_and_of_silence_minus_infinity() {
        assert_eq!(level_dbfs(&[i16::MIN; 8]), 0.0);
        assert_eq!(level_dbfs(&[0; 8]), f64::NEG_INFINITY);
        assert_eq!(level_dbfs(&[]), f64::NEG_INFINITY);
    }
}

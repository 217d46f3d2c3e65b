//! WAV files: loaded whole before they are played, written whole after they were collected. Never for a media
//! worker; see [`crate::recorder`] for writing while a call runs.

use std::path::Path;
use std::time::Duration;

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};

use crate::error::WavError;
use crate::frame::SampleRate;
use crate::resample::{resample, to_i16};
use crate::source::Clip;

/// The form in which everything is written: 8 kHz, mono, 16 bits.
pub(crate) const RECORDING: WavSpec =
    WavSpec { channels: 1, sample_rate: 8_000, bits_per_sample: 16, sample_format: SampleFormat::Int };

impl Clip {
    /// Loads a WAV file of PCM: integers of 8 to 32 bits or 32-bit floats, any number of channels (averaged), any
    /// rate up to 768 kHz. It becomes 8 kHz mono.
    ///
    /// # Errors
    /// When the file cannot be read, is no such WAV file, or plays for longer than `limit`. No more of it is held in
    /// memory than `limit` asks for.
    pub fn load_wav(path: impl AsRef<Path>, limit: Duration) -> Result<Self, WavError> {
        let path = path.as_ref();
        let mut reader = WavReader::open(path).map_err(|error| wav_error(path, error))?;
        let spec = reader.spec();
        let unsupported = |reason| WavError::Unsupported { path: path.to_owned(), reason };
        let rate = SampleRate::new(spec.sample_rate)
            .ok_or_else(|| unsupported(format!("a rate of {} Hz", spec.sample_rate)))?;
        if spec.channels == 0 {
            return Err(unsupported("a file without channels".to_owned()));
        }
        let duration = rate.duration_of(reader.duration() as usize);
        if duration > limit {
            return Err(WavError::TooLong { path: path.to_owned(), duration, limit });
        }
        let channels = usize::from(spec.channels);
        let mono = match spec.sample_format {
            SampleFormat::Int => {
                let full_scale = 2_f32.powi(i32::from(spec.bits_per_sample.clamp(1, 32)) - 1);
                mix(reader.samples::<i32>().map(|s| s.map(|s| s as f32 / full_scale)), channels)
            }
            SampleFormat::Float => mix(reader.samples::<f32>(), channels),
        }
        .map_err(|error| wav_error(path, error))?;
        Ok(Self::new(to_i16(&resample(&mono, rate, SampleRate::HZ_8000))))
    }

    /// Writes the clip as a WAV file of 8 kHz, mono, 16 bits. A file that is there is replaced.
    ///
    /// # Errors
    /// When the file cannot be made or written.
    pub fn save_wav(&self, path: impl AsRef<Path>) -> Result<(), WavError> {
        let path = path.as_ref();
        let write = || -> Result<(), hound::Error> {
            let mut writer = WavWriter::create(path, RECORDING)?;
            for &sample in self.samples() {
                writer.write_sample(sample)?;
            }
            writer.finalize()
        };
        write().map_err(|error| wav_error(path, error))
    }
}

/// The average of the channels; an incomplete last frame of a cut file is dropped.
fn mix(samples: impl Iterator<Item = Result<f32, hound::Error>>, channels: usize) -> Result<Vec<f32>, hound::Error> {
    let (mut mono, mut sum, mut in_frame) = (Vec::new(), 0.0, 0);
    for sample in samples {
        let sample = sample?;
        sum += if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 };
        in_frame += 1;
        if in_frame == channels {
            mono.push(sum / channels as f32);
            (sum, in_frame) = (0.0, 0);
        }
    }
    Ok(mono)
}

/// Says which file it was, and whether the file or the system is to blame.
pub(crate) fn wav_error(path: &Path, error: hound::Error) -> WavError {
    let path = path.to_owned();
    match error {
        hound::Error::IoError(source) => WavError::Io { path, source },
        hound::Error::FormatError(reason) => WavError::Damaged { path, reason },
        hound::Error::UnfinishedSample => WavError::Damaged { path, reason: "it ends within a sample" },
        hound::Error::Unsupported => {
            WavError::Unsupported { path, reason: "a sample format that is not PCM".to_owned() }
        }
        hound::Error::TooWide | hound::Error::InvalidSampleFormat => {
            WavError::Unsupported { path, reason: "samples of a width that is not supported".to_owned() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::level_dbfs;

    fn write(path: &Path, spec: WavSpec, samples: impl IntoIterator<Item = i32>) {
        let mut writer = WavWriter::create(path, spec).unwrap();
        for sample in samples {
            match spec.sample_format {
                SampleFormat::Int => writer.write_sample(sample).unwrap(),
                SampleFormat::Float => writer.write_sample(sample as f32 / 32_768.0).unwrap(),
            }
        }
        writer.finalize().unwrap();
    }

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn what_was_saved_is_loaded_sample_for_sample() {
        let dir = tempfile::tempdir().unwrap();
        let clip = Clip::new(vec![0, 1, -1, i16::MAX, i16::MIN, 1_234]);
        clip.save_wav(dir.path().join("a.wav")).unwrap();
        assert_eq!(Clip::load_wav(dir.path().join("a.wav"), MINUTE).unwrap(), clip);
    }

    #[test]
    fn any_pcm_width_rate_and_channel_count_becomes_8_khz_mono() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("b.wav");
        let cases = [
            (8, 8_000, 1, SampleFormat::Int),
            (16, 44_100, 2, SampleFormat::Int),
            (24, 48_000, 3, SampleFormat::Int),
            (32, 11_025, 1, SampleFormat::Int),
            (32, 16_000, 2, SampleFormat::Float),
        ];
        for (bits_per_sample, sample_rate, channels, sample_format) in cases {
            let spec = WavSpec { channels, sample_rate, bits_per_sample, sample_format };
            let peak = match sample_format {
                SampleFormat::Int => 2_f64.powi(i32::from(bits_per_sample) - 1) / 2.0,
                SampleFormat::Float => 16_384.0,
            };
            let tone = (0..sample_rate / 2).flat_map(|n| {
                let turns = 500.0 * f64::from(n) / f64::from(sample_rate);
                let sample = (peak * (std::f64::consts::TAU * turns).sin()) as i32;
                (0..channels).map(move |_| sample)
            });
            write(&path, spec, tone);
            let clip = Clip::load_wav(&path, MINUTE).unwrap();
            assert!(clip.samples().len().abs_diff(4_000) <= 1, "{spec:?}: {}", clip.samples().len());
            let level = level_dbfs(&clip.samples()[1_000..3_000]);
            assert!((level + 9.03).abs() < 0.1, "{spec:?}: {level:.2} dBFS"); // a sine of half scale
        }
    }

    #[test]
    fn a_file_longer_than_the_limit_is_refused_with_both_figures() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.wav");
        Clip::new(vec![0; 8_001]).save_wav(&path).unwrap();
        let error = Clip::load_wav(&path, Duration::from_secs(1)).unwrap_err();
        assert!(matches!(error, WavError::TooLong { limit, .. } if limit == Duration::from_secs(1)), "{error}");
    }

    #[test]
    fn a_file_that_is_missing_or_no_wav_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("d.wav");
        assert!(matches!(Clip::load_wav(&path, MINUTE), Err(WavError::Io { .. })));
        std::fs::write(&path, b"RIFF but nothing else that one could play").unwrap();
        let error = Clip::load_wav(&path, MINUTE).unwrap_err();
        assert!(error.to_string().contains("d.wav"), "{error}");
    }

    #[test]
    fn every_cut_of_a_file_loads_or_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("e.wav");
        let spec = WavSpec { channels: 2, sample_rate: 16_000, bits_per_sample: 24, sample_format: SampleFormat::Int };
        write(&path, spec, 0..20);
        let whole = std::fs::read(&path).unwrap();
        for len in 0..whole.len() {
            std::fs::write(&path, &whole[..len]).unwrap();
            drop(Clip::load_wav(&path, MINUTE)); // either is right; that it returns is the point
        }
    }
}

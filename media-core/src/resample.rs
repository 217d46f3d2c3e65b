//! Conversion between sample rates by a windowed-sinc filter.
//!
//! Works on a whole sound at once, for files that are loaded before they are played. The stop band begins at half
//! the lower rate, so what 8 kHz cannot carry is removed and not folded down.
#![expect(clippy::indexing_slicing, reason = "every index is clamped to its table or slice on the line before")]

use crate::frame::SampleRate;

/// Zero crossings of the filter on each side of its middle: a transition band of about a sixteenth of the pass band.
const ZERO_CROSSINGS: usize = 32;
/// Table points for each zero crossing; read with linear interpolation, the error lies below that of 16 bits.
const POINTS_PER_CROSSING: usize = 512;
/// Where the filter is 6 dB down, as a share of half the lower rate.
const CUTOFF: f64 = 0.94;
/// Shape of the Kaiser window: side lobes below -80 dB.
const KAISER_BETA: f64 = 8.0;

/// Converts one channel from a rate to another. The result is as long in time as the input, to the sample below.
#[must_use]
pub fn resample(samples: &[f32], from: SampleRate, to: SampleRate) -> Vec<f32> {
    if from == to || samples.is_empty() {
        return samples.to_vec();
    }
    let kernel = kernel();
    let step = f64::from(from.hz()) / f64::from(to.hz());
    let scale = CUTOFF * (1.0 / step).min(1.0);
    let reach = ZERO_CROSSINGS as f64 / scale;
    let length = (samples.len() as u128 * u128::from(to.hz()) / u128::from(from.hz())) as usize;
    let mut out = Vec::with_capacity(length);
    for n in 0..length {
        let centre = n as f64 * step;
        let first = (centre - reach).ceil().max(0.0) as usize;
        let last = ((centre + reach).floor() as usize).min(samples.len() - 1);
        let mut sum = 0.0;
        for (k, &sample) in samples.iter().enumerate().take(last + 1).skip(first) {
            sum += f64::from(sample) * at(&kernel, (k as f64 - centre).abs() * scale);
        }
        out.push((sum * scale) as f32);
    }
    out
}

/// Rounds samples on the scale of ±1 to 16 bits, clipped at full scale.
#[must_use]
pub fn to_i16(samples: &[f32]) -> Vec<i16> {
    samples.iter().map(|&s| (s * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16).collect()
}

/// The filter at a distance from its middle, in zero crossings.
fn at(kernel: &[f64], crossings: f64) -> f64 {
    let position = crossings * POINTS_PER_CROSSING as f64;
    let index = position as usize;
    if index + 1 >= kernel.len() {
        return 0.0;
    }
    kernel[index] + (kernel[index + 1] - kernel[index]) * (position - index as f64)
}

/// One half of sinc × Kaiser window.
fn kernel() -> Vec<f64> {
    (0..=ZERO_CROSSINGS * POINTS_PER_CROSSING)
        .map(|i| {
            let x = i as f64 / POINTS_PER_CROSSING as f64;
            let sinc = if i == 0 { 1.0 } else { (std::f64::consts::PI * x).sin() / (std::f64::consts::PI * x) };
            let edge = x / ZERO_CROSSINGS as f64;
            sinc * bessel_i0(KAISER_BETA * (1.0 - edge * edge).max(0.0).sqrt()) / bessel_i0(KAISER_BETA)
        })
        .collect()
}

/// Modified Bessel function of the first kind and order zero, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for k in 1..40 {
        term *= (x / (2.0 * f64::from(k))).powi(2);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(hz: f64, rate: SampleRate, seconds: f64) -> Vec<f32> {
        let rate = f64::from(rate.hz());
        (0..(rate * seconds) as usize)
            .map(|n| (0.5 * (std::f64::consts::TAU * hz * n as f64 / rate).sin()) as f32)
            .collect()
    }

    /// Level of the middle part, where the filter does not reach over an end, in dB below full scale.
    fn middle_level(samples: &[f32]) -> f64 {
        let middle = &samples[samples.len() / 4..samples.len() * 3 / 4];
        10.0 * (middle.iter().map(|&s| f64::from(s) * f64::from(s)).sum::<f64>() / middle.len() as f64).log10()
    }

    #[test]
    fn a_tone_in_the_pass_band_comes_out_as_the_same_tone() {
        for hz in [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 383_999] {
            let from = SampleRate::new(hz).unwrap();
            let seconds = if hz > 100_000 { 0.1 } else { 0.5 };
            let out = resample(&sine(1_000.0, from, seconds), from, SampleRate::HZ_8000);
            let expected = sine(1_000.0, SampleRate::HZ_8000, seconds);
            assert!(out.len().abs_diff(expected.len()) <= 1, "{hz} Hz gave {} samples", out.len());
            let error: Vec<f32> = out.iter().zip(&expected).map(|(a, b)| a - b).collect();
            let error = middle_level(&error) - middle_level(&expected);
            assert!(error < -60.0, "{hz} Hz: error {error:.1} dB");
        }
    }

    #[test]
    fn what_8_khz_cannot_carry_is_removed_and_not_folded_down() {
        for hz in [4_300.0, 5_000.0, 7_000.0, 12_000.0] {
            let out = resample(&sine(hz, SampleRate::HZ_48000, 0.5), SampleRate::HZ_48000, SampleRate::HZ_8000);
            assert!(middle_level(&out) < -70.0, "{hz} Hz: {:.1} dB", middle_level(&out));
        }
    }

    #[test]
    fn going_up_keeps_the_tone_and_makes_no_image() {
        let out = resample(&sine(3_000.0, SampleRate::HZ_8000, 0.5), SampleRate::HZ_8000, SampleRate::HZ_48000);
        let error: Vec<f32> = out.iter().zip(&sine(3_000.0, SampleRate::HZ_48000, 0.5)).map(|(a, b)| a - b).collect();
        assert!(middle_level(&error) < -60.0, "{:.1} dB", middle_level(&error));
    }

    #[test]
    fn loud_samples_are_clipped_and_not_wrapped() {
        assert_eq!(to_i16(&[2.0, -2.0, 0.5, 0.0]), [32_767, -32_768, 16_384, 0]);
    }
}

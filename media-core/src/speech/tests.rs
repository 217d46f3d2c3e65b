use super::*;
use crate::frame::level_dbfs;

fn all() -> impl Iterator<Item = (Voice, Utterance, Clip)> {
    [Voice::Ailsa, Voice::Blair].into_iter().flat_map(|voice| {
        [Utterance::CanYouHearMe, Utterance::LoudAndClear]
            .into_iter()
            .map(move |utterance| (voice, utterance, say(voice, utterance)))
    })
}

/// Power of a frequency in a piece of sound, under a Hann window.
fn power_at(samples: &[i16], hz: f64) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (n, &sample) in samples.iter().enumerate() {
        let window = 0.5 - 0.5 * (std::f64::consts::TAU * n as f64 / samples.len() as f64).cos();
        let angle = std::f64::consts::TAU * hz * n as f64 / 8_000.0;
        re += f64::from(sample) * window * angle.cos();
        im += f64::from(sample) * window * angle.sin();
    }
    re * re + im * im
}

/// Power of a band, in dB.
fn band(samples: &[i16], from: usize, to: usize) -> f64 {
    10.0 * (from..to).step_by(20).map(|hz| power_at(samples, hz as f64)).sum::<f64>().log10()
}

#[test]
fn every_utterance_lasts_three_to_five_seconds_at_minus_20_dbfs_without_clipping() {
    for (voice, utterance, clip) in all() {
        let seconds = clip.duration().as_secs_f64();
        assert!((3.0..=5.0).contains(&seconds), "{voice:?} {utterance:?}: {seconds:.2} s");
        let spoken: Vec<i16> =
            clip.samples().chunks(160).filter(|f| level_dbfs(f) > -50.0).flatten().copied().collect();
        assert!((level_dbfs(&spoken) + 20.0).abs() < 1.5, "{voice:?} {utterance:?}: {:.1}", level_dbfs(&spoken));
        let peak = clip.samples().iter().map(|s| s.unsigned_abs()).max().unwrap();
        assert!((8_000..=29_500).contains(&peak), "{voice:?} {utterance:?}: peak {peak}");
    }
}

#[test]
fn every_symbol_of_the_utterances_is_in_the_table() {
    for utterance in [Utterance::CanYouHearMe, Utterance::LoudAndClear] {
        for token in utterance.sounds().split_whitespace() {
            let symbol = token.trim_start_matches(['\'', '/', '\\']).trim_end_matches(':');
            assert!(!segments(symbol).is_empty(), "{token}");
        }
    }
}

#[test]
fn a_vowel_has_its_power_at_its_formants() {
    let timbre = Voice::Blair.timbre();
    for (symbol, at, between) in [
        ("i", [(200, 380), (2_000, 2_350)], (900, 1_600)),
        ("a", [(600, 820), (1_250, 1_500)], (1_750, 2_100)),
        ("o", [(350, 550), (750, 930)], (1_300, 2_000)),
    ] {
        let spoken = synthesiser::speak(&timbre, &controls(&timbre, &[symbol; 6].join(" ")));
        let mut samples = resample(&spoken, synthesiser::RATE, SampleRate::HZ_8000);
        level(&mut samples);
        let middle = &to_i16(&samples)[3_000..4_024];
        let per_hz = |(from, to): (usize, usize)| band(middle, from, to) - 10.0 * ((to - from) as f64).log10();
        for formant in at {
            let rise = per_hz(formant) - per_hz(between);
            assert!(rise > 6.0, "/{symbol}/ {formant:?} Hz stands out by {rise:.1} dB");
        }
    }
}

#[test]
fn an_s_has_its_power_above_2_khz_and_no_voice() {
    let timbre = Voice::Ailsa.timbre();
    let spoken = synthesiser::speak(&timbre, &controls(&timbre, "s s s s s s"));
    let mut samples = resample(&spoken, synthesiser::RATE, SampleRate::HZ_8000);
    level(&mut samples);
    let middle = &to_i16(&samples)[3_000..4_024];
    assert!(band(middle, 2_500, 3_800) > band(middle, 100, 1_300) + 10.0);
}

#[test]
fn the_two_voices_differ_in_pitch() {
    for (voice, expected) in [(Voice::Ailsa, 150.0..280.0), (Voice::Blair, 85.0..150.0)] {
        let clip = say(voice, Utterance::CanYouHearMe);
        let loudest =
            clip.samples().windows(800).step_by(160).max_by(|a, b| level_dbfs(a).total_cmp(&level_dbfs(b))).unwrap();
        let likeness = |lag: usize| -> f64 {
            let pairs = loudest.iter().zip(&loudest[lag..]).take(600);
            let energy: f64 = loudest[lag..].iter().take(600).map(|&s| f64::from(s) * f64::from(s)).sum();
            pairs.map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>() / energy.sqrt()
        };
        let highest = (24..100).map(likeness).fold(0.0, f64::max);
        // A multiple of the period is as good as the period: the shortest of the good ones is it.
        let good = |&lag: &usize| likeness(lag) > 0.8 * highest && likeness(lag) >= likeness(lag + 1);
        let best = (24..100).find(good).unwrap();
        assert!(expected.contains(&(8_000.0 / best as f64)), "{voice:?}: {:.0} Hz", 8_000.0 / best as f64);
    }
}

#[test]
fn saying_it_again_gives_the_same_samples() {
    let said = say(Voice::Ailsa, Utterance::CanYouHearMe);
    assert_eq!(said, say(Voice::Ailsa, Utterance::CanYouHearMe));
    assert_ne!(said, say(Voice::Blair, Utterance::CanYouHearMe));
}

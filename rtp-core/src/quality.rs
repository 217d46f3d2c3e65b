//! How a call sounds, estimated from what was measured: the E-model (ITU-T G.107, 06/2015) for telephone sets as its defaults describe them.

use std::time::Duration;

/// Ro - Is of G.107 with all defaults of its table 3: 94.769 for noise and levels (7-2), less 1.414 for what comes with the voice (7-8).
const BASIC_RATING: f64 = RO - 1.413_568_1;
/// Ro (7-2): 15 - 1.5 (SLR + No), with SLR = 8 dB and No = -61.179 dBm0p (7-3).
const RO: f64 = 94.768_821_6;
/// Roe (7-20): -1.5 (No - RLR), with RLR = 2 dB. With the defaults it is Ro.
const ROE: f64 = RO;
/// Decibels by which the talker's echo is weaker, and the listener's (table 3): echo cancellers are taken for granted.
const TELR: f64 = 65.0;
const WEPL: f64 = 110.0;
/// Milliseconds of delay from which conversation suffers (table 3, "mT").
const LEAST_PERCEIVED_DELAY: f64 = 100.0;
/// Burst ratios that the model was made for (table 3), and up to how many percent of loss the upper ones were tried.
const MOST_BURST_RATIO: f64 = 8.0;
const MOST_BURST_RATIO_AT_HIGH_LOSS: f64 = 2.0;
const HIGH_LOSS_PERCENT: f64 = 2.0;

/// What a codec and its concealment of lost packets make of speech (ITU-T G.113 appendix I).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Equipment {
    /// Ie: how much it takes away without loss.
    pub impairment: f64,
    /// Bpl: how well it bears the loss of packets; in percent, and more is better.
    pub loss_robustness: f64,
}

impl Equipment {
    /// G.711 that plays silence in place of what was lost.
    pub const G711: Self = Self { impairment: 0.0, loss_robustness: 4.3 };
    /// G.711 that conceals what was lost as its appendix I does, or as well.
    pub const G711_CONCEALED: Self = Self { impairment: 0.0, loss_robustness: 25.1 };
}

/// What the network did to one direction of a call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MediaPath {
    /// From mouth to ear: network, jitter buffer, packets, codec.
    pub delay: Duration,
    /// The share of packets that were not there to be played, 0 to 1.
    pub loss: f64,
    /// How much longer runs of lost packets are than random loss would make them; 1 for random loss, see
    /// [`Reception::burst_ratio`](crate::Reception::burst_ratio).
    pub burst_ratio: f64,
}

/// How good a call is by the E-model: an estimate that planners use, of what people would say.
///
/// ```
/// use std::time::Duration;
/// use blether_rtp_core::{Equipment, MediaPath, Quality};
///
/// let path = MediaPath { delay: Duration::from_millis(120), loss: 0.01, burst_ratio: 1.0 };
/// let quality = Quality::estimate(path, Equipment::G711_CONCEALED);
/// assert_eq!(format!("{:.1}", quality.mean_opinion_score()), "4.2");
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// The transmission rating R, 0 to 93.2 here: 90 and more is very satisfying, under 60 hardly anybody is satisfied (G.107 annex B).
    pub rating: f64,
}

impl Quality {
    /// Of a path and of what plays at its end. Values that are no shares or ratios are taken as the nearest that are.
    #[must_use]
    pub fn estimate(path: MediaPath, equipment: Equipment) -> Self {
        let delay = path.delay.as_secs_f64() * 1_000.0;
        let impairment = delay_impairment(delay) + equipment_impairment(path.loss, path.burst_ratio, equipment);
        Self { rating: (BASIC_RATING - impairment).clamp(0.0, 100.0) }
    }

    /// The estimated mean opinion score of a conversation, MOS-CQE: 1 for bad to 4.5 for excellent (G.107 annex B).
    #[must_use]
    pub fn mean_opinion_score(self) -> f64 {
        let r = self.rating;
        // The cubic dips under 1 between 0 and 6.5, where nobody cares.
        (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).clamp(1.0, 4.5)
    }
}

/// Id (7-18), with T = Ta = Tr / 2 in milliseconds.
fn delay_impairment(delay: f64) -> f64 {
    talker_echo(delay) + listener_echo(2.0 * delay) + long_delay(delay)
}

/// Idte (7-19 to 7-22).
fn talker_echo(delay: f64) -> f64 {
    if delay < 1.0 {
        return 0.0;
    }
    let loudness =
        TELR - 40.0 * ((1.0 + delay / 10.0) / (1.0 + delay / 150.0)).log10() + 6.0 * (-0.3 * delay * delay).exp();
    let re = 80.0 + 2.5 * (loudness - 14.0);
    let half = (ROE - re) / 2.0;
    (half + (half * half + 100.0).sqrt() - 1.0) * (1.0 - (-delay).exp())
}

/// Idle (7-25, 7-26).
fn listener_echo(round_trip: f64) -> f64 {
    let rle = 10.5 * (WEPL + 7.0) * (round_trip + 1.0).powf(-0.25);
    let half = (RO - rle) / 2.0;
    half + (half * half + 169.0).sqrt()
}

/// Idd (7-27, 7-28).
fn long_delay(delay: f64) -> f64 {
    if delay <= LEAST_PERCEIVED_DELAY {
        return 0.0;
    }
    let x = (delay / LEAST_PERCEIVED_DELAY).log2();
    let term = |x: f64| (1.0 + x.powi(6)).powf(1.0 / 6.0);
    25.0 * (term(x) - 3.0 * term(x / 3.0) + 2.0)
}

/// Ie,eff (7-29).
fn equipment_impairment(loss: f64, burst_ratio: f64, equipment: Equipment) -> f64 {
    let percent = if loss.is_nan() { 0.0 } else { loss.clamp(0.0, 1.0) * 100.0 };
    let most = if percent > HIGH_LOSS_PERCENT { MOST_BURST_RATIO_AT_HIGH_LOSS } else { MOST_BURST_RATIO };
    let burst_ratio = if burst_ratio.is_nan() { 1.0 } else { burst_ratio.clamp(1.0, most) };
    let Equipment { impairment, loss_robustness } = equipment;
    if percent == 0.0 {
        return impairment;
    }
    impairment + (95.0 - impairment) * percent / (percent / burst_ratio + loss_robustness.max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn quality(delay_ms: u64, loss_percent: f64, equipment: Equipment) -> Quality {
        let path = MediaPath { delay: Duration::from_millis(delay_ms), loss: loss_percent / 100.0, burst_ratio: 1.0 };
        Quality::estimate(path, equipment)
    }

    #[test]
    fn with_all_defaults_the_rating_is_93_2_and_the_score_4_41() {
        // G.107 §7.7.
        let best = quality(0, 0.0, Equipment::G711);
        assert!((best.rating - 93.2).abs() < 0.05, "{best:?}");
        assert!((best.mean_opinion_score() - 4.41).abs() < 0.005);
    }

    #[test]
    fn ratings_and_scores_go_together_as_in_table_b_1() {
        for (rating, score) in [(90.0, 4.34), (80.0, 4.03), (70.0, 3.60), (60.0, 3.10), (50.0, 2.58)] {
            let found = Quality { rating }.mean_opinion_score();
            // The table has 4.03 where the formula above it gives 4.024.
            assert!((found - score).abs() < 0.01, "{rating}: {found}, not {score}");
        }
        assert_eq!(Quality { rating: 0.0 }.mean_opinion_score(), 1.0);
        assert_eq!(Quality { rating: 100.0 }.mean_opinion_score(), 4.5);
    }

    #[test]
    fn loss_takes_away_what_g_113_found() {
        // G.113 appendix I (2001): Ie of G.711 by percent of random loss, in steps of about 5, which the formula with Bpl was fitted to.
        let check = |equipment, tolerance: f64, published: &[(f64, f64)]| {
            for &(percent, ie) in published {
                let found = equipment_impairment(percent / 100.0, 1.0, equipment);
                assert!((found - ie).abs() <= tolerance, "{percent} %: {found}, not {ie}");
            }
        };
        let concealed =
            [(0.0, 0.0), (1.0, 5.0), (2.0, 7.0), (3.0, 10.0), (5.0, 15.0), (7.0, 20.0), (10.0, 25.0), (15.0, 35.0)];
        check(Equipment::G711_CONCEALED, 2.5, &concealed);
        check(Equipment::G711, 7.5, &[(0.0, 0.0), (1.0, 25.0), (2.0, 35.0), (3.0, 45.0), (5.0, 55.0)]);
    }

    #[test]
    fn the_formula_for_loss_is_exact() {
        // 95 · 5 / (5 / 1 + 25.1), 95 · 5 / (5 / 2 + 25.1), 95 · 1 / (1 / 4 + 4.3).
        let check = |loss, burst_ratio, equipment, expected: f64| {
            let found = equipment_impairment(loss, burst_ratio, equipment);
            assert!((found - expected).abs() < 1e-3, "{found}, not {expected}");
        };
        check(0.05, 1.0, Equipment::G711_CONCEALED, 15.7807);
        check(0.05, 2.0, Equipment::G711_CONCEALED, 17.2101);
        check(0.01, 4.0, Equipment::G711, 20.8791);
        // Beyond what the model was tried for it stays where that ends.
        check(0.05, 7.0, Equipment::G711_CONCEALED, 17.2101);
        check(0.05, 0.1, Equipment::G711_CONCEALED, 15.7807);
        check(0.05, f64::NAN, Equipment::G711_CONCEALED, 15.7807);
        check(f64::NAN, 1.0, Equipment::G711_CONCEALED, 0.0);
    }

    #[test]
    fn the_rating_is_what_the_formulas_of_g_107_give_when_worked_out_elsewhere() {
        // Milliseconds, percent lost, burst ratio, Bpl, and R with No and Is to sixteen digits.
        for (delay, loss, burst_ratio, bpl, rating) in [
            (0, 0.0, 1.0, 25.1, 93.206),
            (120, 1.0, 1.0, 25.1, 86.624),
            (150, 0.0, 1.0, 25.1, 89.539),
            (250, 0.0, 1.0, 25.1, 79.177),
            (400, 0.0, 1.0, 25.1, 62.247),
            (100, 5.0, 1.0, 25.1, 74.883),
            (200, 3.0, 2.0, 25.1, 75.090),
            (80, 1.0, 4.0, 4.3, 70.203),
        ] {
            let path = MediaPath { delay: Duration::from_millis(delay), loss: loss / 100.0, burst_ratio };
            let found = Quality::estimate(path, Equipment { impairment: 0.0, loss_robustness: bpl }).rating;
            assert!((found - rating).abs() < 0.001, "{delay} ms, {loss} %: {found}, not {rating}");
        }
    }

    #[test]
    fn delay_is_hardly_noticed_up_to_150_ms_and_spoils_conversation_at_400() {
        // G.114 figure 1, drawn with the E-model: its curve reads "users very satisfied" (R over 90) to 150 ms, "satisfied" (over 80) to about 250 ms,
        // and "many users dissatisfied" (60 to 70) at 400 ms.
        let rating = |ms| quality(ms, 0.0, Equipment::G711).rating;
        assert!(rating(100) > 90.0 && (rating(150) - 90.0).abs() < 1.0, "{}", rating(150));
        assert!((rating(250) - 80.0).abs() < 1.0, "{}", rating(250));
        assert!((60.0..65.0).contains(&rating(400)), "{}", rating(400));
        // The straight lines that Cole and Rosenbluth (2001) fitted to the model: Id = 0.024 d + 0.11 (d - 177.3) for d over that.
        for ms in (0..=400).step_by(10) {
            let delay = f64::from(ms);
            let line = 0.024 * delay + 0.11 * (delay - 177.3).max(0.0);
            let found = delay_impairment(delay);
            assert!((found - line).abs() < 3.0, "{ms} ms: {found}, not {line}");
        }
    }

    proptest! {
        #[test]
        fn more_delay_and_more_loss_are_never_better(
            delay in 0u64..2_000,
            more in 0u64..500,
            loss in 0.0..100.0f64,
            more_loss in 0.0..10.0f64,
        ) {
            for equipment in [Equipment::G711, Equipment::G711_CONCEALED] {
                let here = quality(delay, loss, equipment);
                prop_assert!(quality(delay + more, loss, equipment).rating <= here.rating + 1e-9);
                prop_assert!(quality(delay, loss + more_loss, equipment).rating <= here.rating + 1e-9);
                prop_assert!((1.0..=4.5).contains(&here.mean_opinion_score()));
            }
        }
    }
}

//! What was heard, held against what was said.

use std::time::{Duration, Instant};

use blether_media_core::Clip;
use blether_media_core::compare::{Comparison, compare};
use blether_rtp_core::LegStatistics;

use super::Report;

/// Mouth to ear: 100 ms in the jitter buffer, frames of 20 ms at both ends, and what a busy machine adds. ITU-T G.114 finds up to 150 ms good
/// for everybody, and 400 ms the most that a network may plan for.
const MOST_DELAY: Duration = Duration::from_millis(200);

/// What G.711 leaves of speech is about 37 dB; less than this says that something else was lost.
const LEAST_SNR_DB: f64 = 30.0;

/// A relay changes no level.
const MOST_LEVEL_CHANGE_DB: f64 = 0.5;

/// How much of what was said must be there: all of it, but for what a conceal or a clock's step may spoil at an edge.
const LEAST_COVERAGE_PERCENT: f64 = 99.0;

/// What two tick clocks on a busy machine may add; a jitter buffer of 60 ms hides it.
const MOST_JITTER: Duration = Duration::from_millis(20);

/// A sound, and when its first sample passed.
pub(super) struct Heard {
    pub(super) sound: Clip,
    pub(super) began: Option<Instant>,
}

/// Adds what the listener's side of one direction measured.
pub(super) fn verify_sound(
    report: &mut Report,
    direction: &str,
    said: &Heard,
    heard: &Heard,
    statistics: Option<LegStatistics>,
) {
    match compare(said.sound.samples(), heard.sound.samples()) {
        Some(found) => verify_match(report, direction, said, heard, &found),
        None => report.check(format!("{direction}: speech"), "not recognised", "recognised", false),
    }
    let Some(statistics) = statistics else {
        return report.check(format!("{direction}: packets"), "not counted", "counted", false);
    };
    let reception = &statistics.reception;
    let lost = reception.lost;
    report.check(
        format!("{direction}: packets lost"),
        format!("{lost} of {}", reception.expected),
        "none",
        lost == 0 && reception.expected > 0,
    );
    report.at_most(format!("{direction}: jitter (RFC 3550)"), reception.jitter, MOST_JITTER);
}

fn verify_match(report: &mut Report, direction: &str, said: &Heard, heard: &Heard, found: &Comparison) {
    let heard_at = heard.began.map(|began| began + found.delay);
    match (said.began, heard_at) {
        (Some(said_at), Some(heard_at)) => {
            let delay = heard_at.saturating_duration_since(said_at);
            report.at_most(format!("{direction}: mouth to ear"), delay, MOST_DELAY);
        }
        _ => report.check(format!("{direction}: mouth to ear"), "unknown", "known", false),
    }
    report.check(
        format!("{direction}: level"),
        format!("{:+.2} dB", found.level_difference_db),
        format!("within {MOST_LEVEL_CHANGE_DB} dB"),
        found.level_difference_db.abs() <= MOST_LEVEL_CHANGE_DB,
    );
    report.check(
        format!("{direction}: signal to noise"),
        format!("{:.1} dB", found.snr_db),
        format!("at least {LEAST_SNR_DB} dB"),
        found.snr_db >= LEAST_SNR_DB,
    );
    report.check(
        format!("{direction}: speech heard"),
        format!("{:.1} %", found.coverage * 100.0),
        format!("at least {LEAST_COVERAGE_PERCENT} %"),
        found.coverage * 100.0 >= LEAST_COVERAGE_PERCENT,
    );
}

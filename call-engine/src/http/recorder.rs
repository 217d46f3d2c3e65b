//! Keeps what the layers count, for Prometheus.

use std::fmt;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// Seconds of what lasts as long as a person waits.
const WAITS: &[f64] = &[0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 20.0, 30.0, 45.0, 60.0, 90.0, 180.0];
/// Seconds of what a call lasts.
const TALKS: &[f64] = &[1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0, 7_200.0];
/// Seconds of what a disk takes; a REGISTER waits for it.
const WRITES: &[f64] = &[0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];
/// Seconds of what a turn of a shard or of a media worker takes: 20 ms is a packet of speech.
const TURNS: &[f64] = &[0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0];
/// Mean opinion scores: below 2.6 nearly all users are dissatisfied, above 4.3 very satisfied (ITU-T G.107 annex B).
const SCORES: &[f64] = &[1.5, 2.0, 2.6, 3.1, 3.6, 4.0, 4.3, 4.4];

/// Each histogram and where its buckets end; one that is not named here would be a summary, whose figures cannot be added up.
pub(super) const HISTOGRAMS: [(&str, &[f64]); 6] = [
    ("blether_engine_call_setup_seconds", WAITS),
    ("blether_engine_call_duration_seconds", TALKS),
    ("blether_store_write_seconds", WRITES),
    ("blether_transaction_shard_lag_seconds", TURNS),
    ("blether_rtp_worker_lag_seconds", TURNS),
    ("blether_rtp_mos", SCORES),
];

/// The recorder of this process; clones are the same.
#[derive(Clone)]
pub struct Recorder {
    handle: PrometheusHandle,
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recorder")
    }
}

/// This process has a recorder already, or one cannot be.
#[derive(Debug, thiserror::Error)]
pub enum RecorderInstalled {
    /// There can be one in a process.
    #[error("this process records metrics already")]
    Already,
    /// A histogram has no bucket.
    #[error("a histogram cannot be recorded: {0}")]
    Buckets(#[from] BuildError),
}

impl Recorder {
    /// Makes this the recorder of the process. To be done before an [`Engine`](crate::Engine) is started, for its parts hold what they
    /// count with; and [`watch`](super::watch) is to be run from then on, which keeps its memory bounded.
    ///
    /// # Errors
    /// [`RecorderInstalled`]: there is one.
    pub fn install() -> Result<Self, RecorderInstalled> {
        let mut builder = PrometheusBuilder::new();
        for (name, buckets) in HISTOGRAMS {
            builder = builder.set_buckets_for_metric(Matcher::Full(name.to_owned()), buckets)?;
        }
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).map_err(|_| RecorderInstalled::Already)?;
        Ok(Self { handle })
    }

    /// All figures, in Prometheus' text format.
    pub fn render(&self) -> String {
        self.handle.render()
    }

    /// Folds what was recorded since the last time into the figures.
    pub(super) fn fold(&self) {
        self.handle.run_upkeep();
    }
}

//! Figures, as a table and as JSON.

use serde_json::json;

use crate::load::Outcome;

/// The share of operations that may fail, and that may have to be sent again, before figures are worth nothing.
pub(crate) const MOST_FAILURES: f64 = 0.1;

/// One thing that was measured.
pub(crate) struct Figure {
    name: String,
    unit: &'static str,
    ours: f64,
    /// No more than this is wanted.
    bar: Option<f64>,
    /// Over the bar the run is invalid, not just slow.
    fatal: bool,
}

impl Figure {
    fn is_ok(&self) -> bool {
        self.ours.is_finite() && self.bar.is_none_or(|bar| self.ours <= bar)
    }
}

/// What came of one command.
#[derive(Default)]
pub(crate) struct Report {
    figures: Vec<Figure>,
    notes: Vec<String>,
}

impl Report {
    pub(crate) fn figure(&mut self, name: impl Into<String>, unit: &'static str, ours: f64, bar: Option<f64>) {
        self.figures.push(Figure { name: name.into(), unit, ours, bar, fatal: false });
    }

    /// `count` things of `all` went wrong.
    pub(crate) fn share(&mut self, name: impl Into<String>, count: u64, all: u64) {
        let ours = if all == 0 { 100.0 } else { 100.0 * count as f64 / all as f64 };
        self.figures.push(Figure { name: name.into(), unit: "%", ours, bar: Some(MOST_FAILURES), fatal: true });
    }

    /// What failed of the operations, and what had to be sent again.
    pub(crate) fn outcome(&mut self, name: &str, outcome: Outcome) {
        let all = outcome.done + outcome.failed;
        self.share(format!("{name}.failures"), outcome.failed, all);
        self.share(format!("{name}.resent"), outcome.resent, all);
    }

    /// Something to know when the figures are read.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Whether the figures are worth something.
    pub(crate) fn is_valid(&self) -> bool {
        self.figures.iter().all(|figure| figure.ours.is_finite() && (figure.is_ok() || !figure.fatal))
    }

    pub(crate) fn print_table(&self) {
        println!("{:<32} {:>10}  {:<14} {:>8}", "", "measured", "unit", "at most");
        for figure in &self.figures {
            let bar = figure.bar.map_or_else(String::new, |bar| bar.to_string());
            let verdict = if figure.is_ok() { "" } else { "  OVER" };
            println!("{:<32} {:>10.2}  {:<14} {bar:>8}{verdict}", figure.name, figure.ours, figure.unit);
        }
        for note in self.all_notes() {
            println!("{note}");
        }
    }

    /// Notes go to the standard error, so that the lines stay JSON.
    pub(crate) fn print_json(&self) -> anyhow::Result<()> {
        for figure in &self.figures {
            let line = json!({
                "name": figure.name, "unit": figure.unit, "ours": figure.ours,
                "peer": null, "peer_name": null, "ratio": null,
                "bar": figure.bar, "ok": figure.is_ok(),
            });
            println!("{line}");
        }
        for note in self.all_notes() {
            eprintln!("{note}");
        }
        Ok(())
    }

    fn all_notes(&self) -> impl Iterator<Item = &str> {
        let unoptimised = "This build has debug assertions on: the figures say little. Build with --release.";
        let unoptimised = cfg!(debug_assertions).then_some(unoptimised);
        self.notes.iter().map(String::as_str).chain(unoptimised)
    }
}

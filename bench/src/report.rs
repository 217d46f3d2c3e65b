//! Figures of several runs, ours beside a peer's, as a table and as JSON.

use serde_json::json;

use crate::load::Outcome;
use crate::progress::Progress;

/// The share of operations that may fail, and that may have to be sent again, before figures are worth nothing.
pub(crate) const MOST_FAILURES: f64 = 0.1;

/// Whose figure it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    Ours,
    Peer,
}

/// One thing that was measured, once a run.
struct Figure {
    name: String,
    unit: &'static str,
    ours: Vec<f64>,
    peer: Vec<f64>,
    /// No more than this is wanted of us.
    bar: Option<f64>,
    /// Something that went wrong: the worst run counts, and over the bar, whoever it was, all figures are worth nothing.
    fatal: bool,
}

impl Figure {
    /// What stands for all runs: the median, and of failures the worst.
    fn value(&self, runs: &[f64]) -> Option<f64> {
        let sorted = sorted(runs);
        if self.fatal {
            return sorted.last().copied();
        }
        let middle = sorted.len() / 2;
        match (sorted.len() % 2, middle.checked_sub(1).and_then(|below| sorted.get(below)), sorted.get(middle)) {
            (0, Some(below), Some(above)) => Some(f64::midpoint(*below, *above)),
            (_, _, value) => value.copied(),
        }
    }

    fn ratio(&self) -> Option<f64> {
        let (ours, peer) = (self.value(&self.ours)?, self.value(&self.peer)?);
        (peer > 0.0 && !self.fatal).then_some(ours / peer)
    }

    fn is_ok(&self) -> bool {
        let within = |value: f64| value.is_finite() && self.bar.is_none_or(|bar| value <= bar);
        let peer_failed = self.fatal && !self.value(&self.peer).is_none_or(within);
        self.value(&self.ours).is_none_or(within) && !peer_failed
    }
}

fn sorted(runs: &[f64]) -> Vec<f64> {
    let mut sorted = runs.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// The value and, of several runs, the lowest and the highest.
fn shown(value: Option<f64>, runs: &[f64]) -> String {
    let Some(value) = value else { return String::new() };
    match (runs.len(), sorted(runs).first(), sorted(runs).last()) {
        (2.., Some(low), Some(high)) => format!("{} ({}-{})", rounded(value), rounded(*low), rounded(*high)),
        _ => rounded(value),
    }
}

fn rounded(value: f64) -> String {
    if value.abs() >= 1_000.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

/// What came of one command.
pub(crate) struct Report {
    progress: Progress,
    figures: Vec<Figure>,
    notes: Vec<String>,
    peer: Option<&'static str>,
}

impl Report {
    /// Of nothing so far.
    pub(crate) fn new(progress: Progress) -> Self {
        Self { progress, figures: Vec::new(), notes: Vec::new(), peer: None }
    }

    /// The next run begins.
    pub(crate) fn next_run(&mut self) {
        self.progress.next_run();
    }

    /// Says that this is measured from here on.
    pub(crate) fn begin(&self, side: Side, what: &str) {
        let server = match side {
            Side::Ours => "ours",
            Side::Peer => self.peer.unwrap_or("peer"),
        };
        self.progress.at(server, what);
    }

    /// Names the peer that ours is measured beside.
    pub(crate) fn beside(&mut self, peer: &'static str) {
        self.peer = Some(peer);
    }

    /// One run's figure.
    pub(crate) fn figure(&mut self, side: Side, name: &str, unit: &'static str, value: f64, bar: Option<f64>) {
        self.add(side, name, unit, value, bar, false);
    }

    /// In one run, `count` things of `all` went wrong.
    pub(crate) fn share(&mut self, side: Side, name: &str, count: u64, all: u64) {
        let share = if all == 0 { 100.0 } else { 100.0 * count as f64 / all as f64 };
        self.add(side, name, "%", share, Some(MOST_FAILURES), true);
    }

    /// What failed of the operations, and what had to be sent again.
    pub(crate) fn outcome(&mut self, side: Side, name: &str, outcome: Outcome) {
        let all = outcome.done + outcome.failed;
        self.share(side, &format!("{name}.failures"), outcome.failed, all);
        self.share(side, &format!("{name}.resent"), outcome.resent, all);
    }

    fn add(&mut self, side: Side, name: &str, unit: &'static str, value: f64, bar: Option<f64>, fatal: bool) {
        let known = self.figures.iter().position(|figure| figure.name == name);
        let place = known.unwrap_or_else(|| {
            let (ours, peer) = (Vec::new(), Vec::new());
            self.figures.push(Figure { name: name.to_owned(), unit, ours, peer, bar, fatal });
            self.figures.len() - 1
        });
        if let Some(figure) = self.figures.get_mut(place) {
            match side {
                Side::Ours => figure.ours.push(value),
                Side::Peer => figure.peer.push(value),
            }
        }
    }

    /// Something to know when the figures are read; said once, however often it is found.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        let note = note.into();
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Whether the figures are worth something.
    pub(crate) fn is_valid(&self) -> bool {
        let finite = |figure: &Figure| figure.ours.iter().chain(&figure.peer).all(|value| value.is_finite());
        self.figures.iter().all(|figure| finite(figure) && (figure.is_ok() || !figure.fatal))
    }

    pub(crate) fn print_table(&self) {
        let (peer, ratio) = self.peer.map_or(("", ""), |peer| (peer, "ratio"));
        println!("{:<34} {:>24} {peer:>24} {ratio:>6}  {:<12} {:>7}", "", "ours", "unit", "at most");
        for figure in &self.figures {
            let ours = shown(figure.value(&figure.ours), &figure.ours);
            let peer = shown(figure.value(&figure.peer), &figure.peer);
            let ratio = figure.ratio().map_or_else(String::new, |ratio| format!("{ratio:.2}"));
            let bar = figure.bar.map_or_else(String::new, |bar| bar.to_string());
            let verdict = if figure.is_ok() { "" } else { "  OVER" };
            println!("{:<34} {ours:>24} {peer:>24} {ratio:>6}  {:<12} {bar:>7}{verdict}", figure.name, figure.unit);
        }
        for note in self.all_notes() {
            println!("{note}");
        }
    }

    /// Notes go to the standard error, so that the lines stay JSON.
    pub(crate) fn print_json(&self) -> anyhow::Result<()> {
        for figure in &self.figures {
            let peer = figure.value(&figure.peer);
            let line = json!({
                "name": figure.name, "unit": figure.unit, "ours": figure.value(&figure.ours),
                "peer": peer, "peer_name": peer.and(self.peer), "ratio": figure.ratio(),
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

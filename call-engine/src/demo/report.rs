//! What the demo verified: each figure beside what it has to be.

use std::fmt;
use std::time::Duration;

/// One line of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// What was looked at.
    pub what: String,
    /// What was found.
    pub found: String,
    /// What it has to be.
    pub wanted: String,
    /// Whether it is.
    pub held: bool,
}

/// Everything that was verified.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    checks: Vec<Check>,
}

impl Report {
    /// Adds one line.
    pub fn check(&mut self, what: impl Into<String>, found: impl Into<String>, wanted: impl Into<String>, held: bool) {
        self.checks.push(Check { what: what.into(), found: found.into(), wanted: wanted.into(), held });
    }

    /// Adds a duration that may not be longer than `limit`.
    pub fn at_most(&mut self, what: impl Into<String>, found: Duration, limit: Duration) {
        self.check(what, milliseconds(found), format!("at most {}", milliseconds(limit)), found <= limit);
    }

    /// Whether all of it held. An empty report has verified nothing, and does not.
    pub fn all_held(&self) -> bool {
        !self.checks.is_empty() && self.checks.iter().all(|check| check.held)
    }

    /// What did not hold.
    pub fn failures(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| !check.held)
    }
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1_000.0)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: fn(&Check) -> &str, title: &str| {
            self.checks.iter().map(|check| column(check).chars().count()).chain([title.len()]).max().unwrap_or(0)
        };
        let what = width(|check| &check.what, "verified");
        let found = width(|check| &check.found, "found");
        let wanted = width(|check| &check.wanted, "wanted");
        writeln!(f, "  {:<what$}  {:<found$}  {:<wanted$}", "verified", "found", "wanted")?;
        for check in &self.checks {
            let mark = if check.held { "ok" } else { "FAILED" };
            writeln!(f, "  {:<what$}  {:<found$}  {:<wanted$}  {mark}", check.what, check.found, check.wanted)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_spoils_the_report_and_is_named() {
        let mut report = Report::default();
        assert!(!report.all_held(), "nothing verified is not everything held");
        report.at_most("set-up", Duration::from_millis(20), Duration::from_millis(1_000));
        assert!(report.all_held());
        report.check("digits", "12", "123", false);
        assert!(!report.all_held());
        assert_eq!(report.failures().map(|check| check.what.as_str()).collect::<Vec<_>>(), ["digits"]);
    }

    #[test]
    fn the_table_is_aligned() {
        let mut report = Report::default();
        report.check("SNR", "37 dB", "over 30 dB", true);
        report.check("a longer line", "3", "0", false);
        assert_eq!(
            report.to_string(),
            "  verified       found  wanted    \n  SNR            37 dB  over 30 dB  ok\n  a longer line  3      0           FAILED\n"
        );
    }
}

//! What is being measured, said while it is: a command may take many minutes.

use std::io::IsTerminal;
use std::time::Instant;

/// Says on the standard error what begins, a line each.
pub(crate) struct Progress {
    shown: bool,
    began: Instant,
    run: u32,
    runs: u32,
}

impl Progress {
    /// Of a command that measures everything so many times. Who reads JSON has no use for it, unless a person looks on at a terminal.
    pub(crate) fn new(json: bool, runs: u32) -> Self {
        Self { shown: !json || std::io::stderr().is_terminal(), began: Instant::now(), run: 0, runs }
    }

    /// The next run begins; past the last one, the first of what is done in runs of its own.
    pub(crate) fn next_run(&mut self) {
        self.run = self.run % self.runs + 1;
    }

    /// This is measured from here on, of this server.
    pub(crate) fn at(&self, server: &str, what: &str) {
        if self.shown {
            eprintln!("{}", self.line(self.began.elapsed().as_secs(), server, what));
        }
    }

    fn line(&self, seconds: u64, server: &str, what: &str) -> String {
        format!("[{seconds:4} s] run {} of {}, {server}: {what}", self.run, self.runs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_when_which_run_whose_and_what() {
        let mut progress = Progress::new(false, 2);
        let mut lines = Vec::new();
        for _ in 0..3 {
            progress.next_run();
            lines.push(progress.line(7, "Kamailio", "registrar.plain"));
        }
        let said = ["1", "2", "1"].map(|run| format!("[   7 s] run {run} of 2, Kamailio: registrar.plain"));
        assert_eq!(lines, said);
    }
}

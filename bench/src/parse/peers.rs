//! The process that measures: `bench/peers`, a workspace of its own, built when it is needed.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

use super::messages::Message;

/// What came of one measurement.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Answer {
    /// What one operation took.
    Took { nanos: f64, allocations: u64, found: Found },
    /// The library does not take the message.
    Refused(String),
    /// The library cannot do this.
    Absent,
}

/// What a library finds of what is in a message.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Found {
    All,
    /// All headers, and not all of the body.
    Headers(String),
    /// Not all headers.
    Wrong(String),
}

/// The process, with the messages.
pub(super) struct Peers {
    process: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    /// Holds the messages' files.
    _folder: tempfile::TempDir,
}

impl Peers {
    /// Builds and starts it.
    pub(super) fn start(messages: &[Message], alone: bool) -> anyhow::Result<Self> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/Cargo.toml");
        ensure!(manifest.is_file(), "{} is missing: run this from the sources", manifest.display());
        let folder = tempfile::tempdir()?;
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["run", "--release", "--locked", "--quiet", "--manifest-path"]).arg(&manifest);
        if alone {
            cargo.arg("--no-default-features");
        }
        cargo.arg("--");
        for message in messages {
            let file = folder.path().join(message.name);
            std::fs::write(&file, &message.bytes)?;
            cargo.arg(file);
        }
        cargo.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = cargo.spawn().context("cargo does not start")?;
        let questions = process.stdin.take();
        let answers = BufReader::new(process.stdout.take().context("no standard output")?);
        Ok(Self { process, questions, answers, _folder: folder })
    }

    /// Asks for one measurement.
    pub(super) fn measure(
        &mut self,
        library: &str,
        operation: &str,
        message: usize,
        time: Duration,
    ) -> anyhow::Result<Answer> {
        let questions = self.questions.as_mut().context("the process has ended")?;
        // What went wrong, if it has ended, is on the standard error.
        writeln!(questions, "{library} {operation} {message} {}", time.as_micros()).context("bench/peers has ended")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        read(line.trim_end())
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        // It ends with its standard input.
        drop(self.questions.take());
        drop(self.process.wait());
    }
}

fn read(answer: &str) -> anyhow::Result<Answer> {
    let (kind, rest) = answer.split_once(' ').unwrap_or((answer, ""));
    let mut words = rest.splitn(3, ' ');
    match kind {
        "took" | "cut" | "misread" => {
            let nanos = words.next().unwrap_or_default().parse().with_context(|| answer.to_owned())?;
            let allocations = words.next().unwrap_or_default().parse().with_context(|| answer.to_owned())?;
            let what = words.next().unwrap_or_default().to_owned();
            let found = match kind {
                "took" => Found::All,
                "cut" => Found::Headers(what),
                _ => Found::Wrong(what),
            };
            Ok(Answer::Took { nanos, allocations, found })
        }
        "refused" => Ok(Answer::Refused(rest.to_owned())),
        "absent" => Ok(Answer::Absent),
        "failed" => bail!("bench/peers: {rest}"),
        _ => bail!("bench/peers answered {answer:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let took = |found| Answer::Took { nanos: 12.5, allocations: 2, found };
        assert_eq!(read("took 12.5 2").unwrap(), took(Found::All));
        assert_eq!(read("cut 12.5 2 finds 1 of 2").unwrap(), took(Found::Headers("finds 1 of 2".to_owned())));
        assert_eq!(read("misread 12.5 2 no CSeq").unwrap(), took(Found::Wrong("no CSeq".to_owned())));
        assert_eq!(read("refused no CSeq").unwrap(), Answer::Refused("no CSeq".to_owned()));
        assert_eq!(read("absent").unwrap(), Answer::Absent);
        for wrong in ["", "took", "took x 2", "took 1", "else"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}

//! The log, as `[log]` of the configuration wants it. A thread of its own writes it, so that a reader of standard error that has stopped
//! reading stops nothing but the log.

use std::collections::VecDeque;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use blether_call_engine::config::{LogConfig, LogFormat};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

/// How many bytes of lines wait for standard error. A terminal or a journal that halts for some seconds loses none of a busy server's.
const MAX_WAITING: usize = 4 << 20;

/// The longest that the end of the program waits for standard error to take what is left.
const GOODBYE: Duration = Duration::from_secs(1);

/// Lines that no level leaves out.
const CALL_RECORDS: &str = "engine::cdr=info";

/// Starts the log on standard error. What RUST_LOG says is added to the configured level. What waits when the returned guard is dropped is
/// written then, as far as [`GOODBYE`] lets it.
///
/// # Errors
///
/// The thread that writes cannot be started.
pub(super) fn start(config: &LogConfig) -> io::Result<Flush> {
    let lines = Lines::default();
    let writer = lines.clone();
    thread::Builder::new().name("log".to_owned()).spawn(move || writer.write_to(io::stderr()))?;
    let flush = Flush(lines.clone());
    let (filter, refused) = filter(config.level.as_str(), std::env::var(EnvFilter::DEFAULT_ENV).ok().as_deref());
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || lines.clone())
        .with_ansi(io::stderr().is_terminal())
        // It would tell standard error, by a macro that panics when nobody reads that; then nobody misses the line either.
        .log_internal_errors(false);
    match config.format {
        LogFormat::Text => log.init(),
        LogFormat::Compact => log.compact().init(),
        LogFormat::Json => log.json().flatten_event(true).with_current_span(true).with_span_list(false).init(),
    }
    if let Some(error) = refused {
        tracing::warn!(%error, "RUST_LOG cannot be read, and is passed over");
    }
    Ok(flush)
}

/// What is logged: the configured level, what RUST_LOG adds to that, and, whatever that says, call records that can be kept nowhere else. The
/// error is about RUST_LOG.
fn filter(level: &str, more: Option<&str>) -> (EnvFilter, Option<ParseError>) {
    let with = |more: &str| EnvFilter::try_new(format!("{level},{more}{CALL_RECORDS}"));
    match more.filter(|more| !more.trim().is_empty()).map(|more| with(&format!("{more},"))) {
        Some(Ok(filter)) => (filter, None),
        Some(Err(error)) => (EnvFilter::new(format!("{level},{CALL_RECORDS}")), Some(error)),
        None => (EnvFilter::new(format!("{level},{CALL_RECORDS}")), None),
    }
}

/// Waits, when dropped, until the log is written, for [`GOODBYE`] at most.
pub(super) struct Flush(Lines);

impl Drop for Flush {
    fn drop(&mut self) {
        let waiting = self.0.waiting();
        drop(self.0.0.written.wait_timeout_while(waiting, GOODBYE, |waiting| waiting.bytes > 0));
    }
}

/// The lines that wait to be written, of [`MAX_WAITING`] bytes at most.
#[derive(Clone, Default)]
struct Lines(Arc<Shared>);

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    added: Condvar,
    written: Condvar,
}

#[derive(Default)]
struct Waiting {
    lines: VecDeque<Vec<u8>>,
    /// Of the lines, and of the one that is being written.
    bytes: usize,
}

impl Lines {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes one line after another, for as long as the process runs. One that is not taken is lost: there is nobody to tell.
    fn write_to(&self, mut to: impl Write) {
        loop {
            let waiting = self.waiting();
            let mut waiting = self
                .0
                .added
                .wait_while(waiting, |waiting| waiting.lines.is_empty())
                .unwrap_or_else(PoisonError::into_inner);
            let Some(line) = waiting.lines.pop_front() else { continue };
            drop(waiting);
            let _ = to.write_all(&line);
            self.waiting().bytes -= line.len();
            self.0.written.notify_all();
        }
    }
}

/// One call is one line, and never waits.
impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut waiting = self.waiting();
        if waiting.bytes + line.len() > MAX_WAITING {
            drop(waiting);
            metrics::counter!("blether_engine_log_lines_dropped_total").increment(1);
        } else {
            waiting.bytes += line.len();
            waiting.lines.push_back(line.to_vec());
            drop(waiting);
            self.0.added.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_log_adds_to_the_level_and_leaves_out_no_call_record() {
        let directives = |more| {
            let (filter, error) = filter("info", more);
            let shown = filter.to_string();
            let mut directives: Vec<_> = shown.split(',').map(str::to_owned).collect();
            directives.sort();
            (directives.join(","), error.is_some())
        };
        assert_eq!(directives(None), ("engine::cdr=info,info".to_owned(), false));
        assert_eq!(directives(Some("")), ("engine::cdr=info,info".to_owned(), false));
        assert_eq!(directives(Some("a=debug")), ("a=debug,engine::cdr=info,info".to_owned(), false));
        assert_eq!(directives(Some("off")), ("engine::cdr=info,off".to_owned(), false));
        assert_eq!(directives(Some("a=loud")), ("engine::cdr=info,info".to_owned(), true));
    }
}

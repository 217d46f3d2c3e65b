//! The command line: what is asked for, and what the program says of it.

mod arguments;
mod interrupt;
mod output;
mod run;
mod sound;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;

use self::arguments::Arguments;
use self::output::Output;

/// What the program's exit code says; documented in `--help`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// What was asked for has been done.
    Done = 0,
    /// Something at this end failed: a file, a port, the network.
    Failed = 1,
    // 2 is a wrong command line, from clap.
    /// The server does not take the account, or does not answer.
    NotRegistered = 3,
    /// The call was refused (busy, unknown, declined).
    Refused = 4,
    /// Nobody answered, or nobody called, in time.
    NoAnswer = 5,
    /// Somebody interrupted the program before it was done: what shells report of a process that Ctrl-C ended.
    Interrupted = 130,
}

pub(crate) fn main() -> ExitCode {
    let arguments = Arguments::parse();
    start_log(arguments.verbose);
    let mut output = Output::new(arguments.json);
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output.failed(&format!("cannot start: {error}"));
            return ExitCode::from(Exit::Failed as u8);
        }
    };
    let exit = runtime.block_on(run::run(arguments, &mut output)).unwrap_or_else(|error| {
        output.failed(&format!("{error:#}"));
        Exit::Failed
    });
    ExitCode::from(exit as u8)
}

/// Log lines go to standard error, so that standard output stays what was asked for.
fn start_log(verbose: bool) {
    let default = if verbose { "debug" } else { "warn" };
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| default.into());
    let colours = io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(io::stderr).init();
}

/// Writes a line where somebody may have stopped reading.
pub(crate) fn say(line: &str) {
    // A closed pipe means that nobody wants to know any more; the call goes on.
    let _ = writeln!(io::stdout(), "{line}");
}

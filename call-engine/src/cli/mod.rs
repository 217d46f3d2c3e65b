//! The commands of the program, one a file.

mod check;
#[cfg(feature = "demo")]
mod demo;
mod log;
mod open_files;
mod place;
mod serve;
mod service_manager;
mod signals;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use place::Place;

/// A SIP server: registrar and B2BUA with relayed media.
#[derive(Debug, Parser)]
#[command(name = "call-engine", version, about)]
pub(crate) struct Arguments {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read the configuration, say what the server would do and what may not be meant, and exit with 0; with 1 if it cannot start so.
    Check,
    /// Show a call with speech through a server and two phones in this process, and verify it.
    #[cfg(feature = "demo")]
    Demo(demo::DemoArguments),
}

/// Does what the command line asks; without a command, serves until told to stop.
pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    match arguments.command {
        Some(Command::Check) => check::check(&arguments.place),
        #[cfg(feature = "demo")]
        Some(Command::Demo(demo)) => demo::demo(demo).await,
        None => serve::serve(&arguments.place).await,
    }
}

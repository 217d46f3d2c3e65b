//! The commands of the program, one a file.

#[cfg(unix)]
mod account;
#[cfg(unix)]
mod asking;
mod check;
#[cfg(feature = "demo")]
mod demo;
#[cfg(unix)]
mod lists;
mod log;
mod observed;
mod open_files;
mod place;
mod serve;
mod service_manager;
mod signals;
#[cfg(unix)]
mod table;

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
    /// List the calls that live on the running server.
    #[cfg(unix)]
    Calls(lists::Form),
    /// List who is registered on the running server, and where.
    #[cfg(unix)]
    Registrations(lists::Form),
    /// Add, list, remove accounts, and change their passwords: at once where a server runs, else in its database.
    #[cfg(unix)]
    #[command(subcommand)]
    Account(account::AccountCommand),
    /// Show a call with speech through a server and two phones in this process, and verify it.
    #[cfg(feature = "demo")]
    Demo(demo::DemoArguments),
}

/// Does what the command line asks; without a command, serves until told to stop.
pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    match arguments.command {
        Some(Command::Check) => check::check(&arguments.place),
        #[cfg(unix)]
        Some(Command::Calls(form)) => lists::calls(&arguments.place, form).await,
        #[cfg(unix)]
        Some(Command::Registrations(form)) => lists::registrations(&arguments.place, form).await,
        #[cfg(unix)]
        Some(Command::Account(command)) => account::account(&arguments.place, command).await,
        #[cfg(feature = "demo")]
        Some(Command::Demo(demo)) => demo::demo(demo).await,
        None => serve::serve(&arguments.place).await,
    }
}

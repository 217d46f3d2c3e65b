//! The `sip-client` program: a headless softphone.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}

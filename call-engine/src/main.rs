//! The `call-engine` program.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod cli;

/// A SIP server: registrar and B2BUA with relayed media.
#[derive(Debug, Parser)]
#[command(name = "call-engine", version, about)]
struct Arguments {
    /// The folder with the configuration; made with two accounts at the first start. Default: what BLETHER_DATA_DIR says, else
    /// ./blether-data.
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    /// The configuration file. Default: call-engine.toml in the data folder.
    #[arg(long, value_name = "FILE", conflicts_with = "data_dir")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show a call with speech through a server and two phones in this process, and verify it.
    #[cfg(feature = "demo")]
    Demo {
        /// What to do to the sound on its way, such as loss=20%,jitter=60ms.
        #[arg(long, value_name = "IMPAIRMENT", value_parser = cli::impairment)]
        impair: Option<blether_rtp_core::Impairment>,
        /// Leave what was said and heard in this folder, as WAV files.
        #[arg(long, value_name = "FOLDER")]
        keep: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("cannot start: {error}")),
    };
    let result = match arguments.command {
        #[cfg(feature = "demo")]
        Some(Command::Demo { impair, keep }) => runtime.block_on(cli::demo(impair, keep)),
        None => runtime.block_on(cli::serve(arguments.config, arguments.data_dir)),
    };
    match result {
        Ok(code) => code,
        Err(error) => failed(&format!("{error:#}")),
    }
}

/// Says in one line why the program ends.
fn failed(why: &str) -> ExitCode {
    // Where standard error is closed there is nobody to tell.
    let _ = writeln!(io::stderr(), "call-engine: {why}");
    ExitCode::FAILURE
}

//! What things cost: CPU time of a parsed message, a REGISTER, a call and a relayed packet.
//!
//! The server that is measured is a process of its own, and its CPU time is read from the system; what the load generator burns is
//! shown beside it and never added. An operation that fails, or has to be sent again, is counted; over [`report::MOST_FAILURES`] of
//! either the figures are worth nothing, and the exit code says so.

mod calls;
mod load;
mod parse;
mod process;
mod registrar;
mod relay;
mod report;
mod server;
mod subscriber;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

#[derive(Parser)]
#[command(name = "blether-bench", about = "Measures what the stack costs, in CPU time", version)]
struct Cli {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    /// One SIP message read, by kind
    Parse {
        #[command(flatten)]
        options: Options,
    },
    /// One REGISTER with digest authentication
    Registrar {
        #[command(flatten)]
        options: Options,
        /// REGISTERs begun in a second
        #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        rate: u32,
    },
    /// One call between two phones, without sound: INVITE to the 200 to BYE, on both legs
    Calls {
        #[command(flatten)]
        options: Options,
        /// Calls begun in a second
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        rate: u32,
    },
    /// One RTP packet of 20 ms through a call
    Relay {
        #[command(flatten)]
        options: Options,
        /// Calls that are held at a time, each with a stream each way
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=2_000))]
        calls: u32,
    },
    /// The server under test; ends with its standard input
    #[command(hide = true)]
    Serve,
}

#[derive(Args, Clone, Copy)]
struct Options {
    /// How long each figure is measured for
    #[arg(long, default_value = "5", value_parser = seconds)]
    seconds: Duration,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.05..=3_600.0).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "give seconds between 0.05 and 3600".to_owned())
}

fn main() -> anyhow::Result<ExitCode> {
    let (options, report) = match Cli::parse().bench {
        Bench::Parse { options } => (options, parse::run(options.seconds)?),
        Bench::Registrar { options, rate } => (options, registrar::run(options.seconds, rate)?),
        Bench::Calls { options, rate } => (options, calls::run(options.seconds, rate)?),
        Bench::Relay { options, calls } => (options, relay::run(options.seconds, calls)?),
        Bench::Serve => return server::serve().map(|()| ExitCode::SUCCESS),
    };
    if options.json {
        report.print_json()?
    } else {
        report.print_table()
    }
    Ok(if report.is_valid() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

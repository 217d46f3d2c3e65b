//! What things cost: CPU time of a message read and written, a REGISTER, a call and a relayed packet.
//!
//! The server that is measured is a process of its own, and its CPU time is read from the system; what the load generator burns is
//! shown beside it and never added. A peer runs in the same runs, in turn with ours, at the same address, and gets the same packets. An operation that fails, or has to be sent again, is counted; over [`report::MOST_FAILURES`] of
//! either the figures are worth nothing, and the exit code says so.

mod calls;
mod connections;
mod kamailio;
mod load;
mod parse;
mod place;
mod process;
mod progress;
mod registrar;
mod relay;
mod report;
mod rtpengine;
mod server;
mod streams;
mod subscriber;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::progress::Progress;
use crate::report::Report;

#[derive(Parser)]
#[command(name = "blether-bench", about = "Measures what the stack costs, in CPU time", version)]
struct Cli {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    /// SIP messages read and written, beside other libraries
    Parse {
        /// How long each figure is measured for, in each run
        #[arg(long, default_value = "0.01", value_parser = short_seconds)]
        seconds: Duration,
        /// How often everything is measured; figures are those of the fastest run
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=999))]
        runs: u32,
        /// Measure ours alone, and build no other library
        #[arg(long)]
        alone: bool,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// One REGISTER: plain, with digest, and written before its answer; and the memory of a contact
    Registrar {
        #[command(flatten)]
        options: Options,
        /// Measure this server beside ours
        #[arg(long, value_enum)]
        peer: Option<RegistrarPeer>,
        /// REGISTERs begun in a second
        #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        rate: u32,
        /// Registrations that are held while memory is measured; 0 leaves that out
        #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(0..=100_000))]
        contacts: u32,
    },
    /// One call between two phones, without sound: INVITE to the 200 to BYE, on both legs; and the memory of a call
    Calls {
        #[command(flatten)]
        options: Options,
        /// Calls begun in a second
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        rate: u32,
        /// Calls that are held while memory is measured; 0 leaves that out
        #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(0..=4_000))]
        held: u32,
    },
    /// One TLS connection: its handshake, and its memory while it is idle
    Connections {
        /// Connections that are held while memory is measured
        #[arg(long, default_value_t = 4_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        held: u32,
        /// How often everything is measured; figures are the medians
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
        runs: u32,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// One RTP packet of 20 ms through a call
    Relay {
        #[command(flatten)]
        options: Options,
        /// Measure this relay beside ours
        #[arg(long, value_enum)]
        peer: Option<RelayPeer>,
        /// Calls that are held at a time, each with a stream each way
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=2_000))]
        calls: u32,
        /// Give the server every core, a shard and a media worker each, and say what each of its threads did
        #[arg(long)]
        all_cores: bool,
    },
    /// The server under test; ends with its standard input
    #[command(hide = true)]
    Serve {
        #[command(flatten)]
        how: server::Serve,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum RegistrarPeer {
    Kamailio,
}

#[derive(Clone, Copy, ValueEnum)]
enum RelayPeer {
    Rtpengine,
}

#[derive(Args, Clone, Copy)]
struct Options {
    /// How long each figure is measured for, in each run
    #[arg(long, default_value = "5", value_parser = seconds)]
    seconds: Duration,
    /// How often everything is measured; figures are the medians, failures the worst
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
    runs: u32,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

fn seconds(text: &str) -> Result<Duration, String> {
    seconds_from(0.05, text)
}

fn short_seconds(text: &str) -> Result<Duration, String> {
    seconds_from(0.001, text)
}

fn seconds_from(least: f64, text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (least..=3_600.0).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| format!("give seconds between {least} and 3600"))
}

fn exit_code(is_valid: bool) -> ExitCode {
    if is_valid { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn main() -> anyhow::Result<ExitCode> {
    let report = |options: Options| Report::new(Progress::new(options.json, options.runs));
    let (options, report) = match Cli::parse().bench {
        Bench::Parse { seconds, runs, alone, json } => {
            let how = parse::Options { time: seconds, runs, alone };
            let table = parse::run(&how, Progress::new(json, runs))?;
            if json {
                table.print_json();
            } else {
                table.print();
            }
            return Ok(exit_code(table.is_valid()));
        }
        Bench::Registrar { options, peer, rate, contacts } => {
            let Options { seconds: time, runs, .. } = options;
            let how = registrar::Options { time, runs, rate, contacts, peer: peer.is_some() };
            (options, registrar::run(&how, report(options))?)
        }
        Bench::Calls { options, rate, held } => {
            let Options { seconds: time, runs, .. } = options;
            (options, calls::run(&calls::Options { time, runs, rate, held }, report(options))?)
        }
        Bench::Connections { held, runs, json } => {
            let options = Options { seconds: Duration::ZERO, runs, json };
            (options, connections::run(&connections::Options { runs, held }, report(options))?)
        }
        Bench::Relay { options, peer, calls, all_cores } => {
            let Options { seconds: time, runs, .. } = options;
            let how = relay::Options { time, runs, calls, all_cores, peer: peer.is_some() };
            (options, relay::run(&how, report(options))?)
        }
        Bench::Serve { how } => return server::serve(&how).map(|()| ExitCode::SUCCESS),
    };
    if options.json {
        report.print_json()?
    } else {
        report.print_table()
    }
    Ok(exit_code(report.is_valid()))
}

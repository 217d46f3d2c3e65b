//! What it costs to read and write a message, beside other libraries.

mod messages;
mod peers;
mod table;

use std::time::Duration;

use crate::progress::Progress;

use peers::{Answer, Found, Peers};
use table::Table;

/// Ours.
const OURS: &str = "blether";

/// The peers of which the fastest counts.
const LIBRARIES: [&str; 5] = ["sip-core", "rsipstack", "rsip", "ezk-sip-types", "rvoip-sip-core"];

/// What reads less than a library must.
const YARDSTICKS: [&str; 2] = ["httparse", "memchr"];

/// What is measured, and what it is called in a line of the table.
const OPERATIONS: [&str; 8] = ["parse", "proxy", "typed", "refuse", "write", "build", "forward", "sdp"];

/// How it is measured.
pub(crate) struct Options {
    pub(crate) time: Duration,
    pub(crate) runs: u32,
    /// Only ours.
    pub(crate) alone: bool,
}

/// Measures everything in turn, `runs` times; the fastest run counts, since other work on the machine only adds to it.
pub(crate) fn run(options: &Options, mut progress: Progress) -> anyhow::Result<Table> {
    let messages = messages::all()?;
    let mut peers = Peers::start(&messages, options.alone)?;
    let others = LIBRARIES.iter().chain(&YARDSTICKS).filter(|_| !options.alone);
    let libraries: Vec<&str> = [OURS].iter().chain(others).copied().collect();
    let mut table = Table::new(&libraries, messages.iter().map(|message| message.name).collect());
    for _ in 0..options.runs {
        progress.next_run();
        progress.at("all", "messages");
        for operation in OPERATIONS {
            for (number, message) in messages.iter().enumerate() {
                for library in &libraries {
                    if table.is_known_to_fail(operation, message.name, library) {
                        continue;
                    }
                    let answer = peers.measure(library, operation, number, options.time)?;
                    table.add(operation, message.name, library, answer);
                }
            }
        }
    }
    Ok(table)
}

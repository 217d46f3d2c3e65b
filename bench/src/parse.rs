//! What it costs to read a message that has been received.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::ensure;
use blether_sip_core::sdp::SessionDescription;
use blether_sip_core::{Limits, Message};
use bytes::Bytes;

use crate::process;
use crate::report::{Report, Side};

const INVITE: &str = include_str!("../data/invite.sip");
const REGISTER: &str = include_str!("../data/register.sip");
const OK: &str = include_str!("../data/ok.sip");

/// Operations between two looks at the clock.
const BATCH: u64 = 500;

pub(crate) fn run(seconds: Duration, runs: u32, mut report: Report) -> anyhow::Result<Report> {
    let (limits, mut failures, mut all) = (Limits::default(), 0, 0);
    let mut measure = |report: &mut Report, name: &str, operation: &dyn Fn() -> bool| -> anyhow::Result<()> {
        report.begin(Side::Ours, name);
        let (started, cpu) = (Instant::now(), process::cpu_time_of_this()?);
        let mut count = 0;
        while started.elapsed() < seconds {
            failures += (0..BATCH).filter(|_| !operation()).count() as u64;
            count += BATCH;
        }
        let used = process::cpu_time_of_this()?.saturating_sub(cpu);
        report.figure(Side::Ours, name, "µs/message", used.as_secs_f64() * 1e6 / count as f64, None);
        all += count;
        Ok(())
    };
    let invite = Message::parse(Bytes::from(wire_format(INVITE)), &limits)?;
    let Message::Request(invite) = invite else { anyhow::bail!("data/invite.sip is a request") };
    ensure!(!invite.body().is_empty(), "data/invite.sip has a body");
    for _ in 0..runs {
        report.next_run();
        for (name, text) in [("parse.invite", INVITE), ("parse.register", REGISTER), ("parse.ok", OK)] {
            let datagram = Bytes::from(wire_format(text));
            measure(&mut report, name, &|| Message::parse(black_box(datagram.clone()), &limits).is_ok())?;
        }
        measure(&mut report, "parse.sdp", &|| SessionDescription::parse(black_box(invite.body())).is_ok())?;
        measure(&mut report, "write.invite", &|| !black_box(black_box(&invite).to_bytes()).is_empty())?;
    }
    report.share(Side::Ours, "parse.failures", failures, all);
    report
        .note("A message is read whole, with its mandatory headers as values; an unchanged one is written as it came.");
    Ok(report)
}

/// Lines of a file end in LF, those of a message in CR LF.
fn wire_format(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\n', "\r\n")
}

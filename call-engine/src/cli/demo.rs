//! `call-engine demo`.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use blether_call_engine::demo::{DemoOptions, run};
use blether_rtp_core::Impairment;

#[derive(Debug, clap::Args)]
pub(super) struct DemoArguments {
    /// What to do to the sound on its way, such as loss=20%,jitter=60ms.
    #[arg(long, value_name = "IMPAIRMENT", value_parser = impairment)]
    impair: Option<Impairment>,
    /// Leave what was said and heard in this folder, as WAV files.
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
}

/// Shows a call, and whether everything about it was as it has to be.
pub(super) async fn demo(DemoArguments { impair, keep }: DemoArguments) -> Result<ExitCode> {
    let mut out = io::stdout();
    let outcome = run(DemoOptions { impairment: impair, keep }, &mut out).await?;
    writeln!(out, "\nWhat crossed the wire:\n\n{}\nWhat was verified:\n\n{}", outcome.ladder, outcome.report)?;
    for file in &outcome.files {
        writeln!(out, "  {}", file.display())?;
    }
    if outcome.report.all_held() {
        writeln!(out, "\nAll of it held.")?;
        return Ok(ExitCode::SUCCESS);
    }
    let failures: Vec<_> = outcome.report.failures().map(|check| check.what.as_str()).collect();
    writeln!(out, "\nNot as it has to be: {}.", failures.join("; "))?;
    Ok(ExitCode::FAILURE)
}

/// Reads what to do to the sound: `loss=20%,jitter=60ms`, either of them or both.
fn impairment(text: &str) -> Result<Impairment, String> {
    let (mut loss, mut jitter) = (0.0, Duration::ZERO);
    for part in text.split(',') {
        match part.trim().split_once('=') {
            Some(("loss", value)) => {
                let percent = value.strip_suffix('%').and_then(|number| number.parse::<f64>().ok());
                loss = percent.ok_or_else(|| format!("{value:?} is no loss; write loss=20%"))? / 100.0;
            }
            Some(("jitter", value)) => {
                let milliseconds = value.strip_suffix("ms").and_then(|number| number.parse().ok());
                jitter = Duration::from_millis(
                    milliseconds.ok_or_else(|| format!("{value:?} is no jitter; write jitter=60ms"))?,
                );
            }
            _ => return Err(format!("{part:?} is not known; write loss=20%,jitter=60ms")),
        }
    }
    Impairment::new(loss, jitter, rand::random()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_to_the_sound_is_read_in_any_order() {
        let both = impairment("jitter=60ms, loss=20%").unwrap();
        assert_eq!((both.loss(), both.jitter()), (0.2, Duration::from_millis(60)));
        assert_eq!(impairment("loss=5%").unwrap().jitter(), Duration::ZERO);
        for wrong in ["", "loss=20", "loss=-1%", "loss=101%", "jitter=60", "delay=3ms"] {
            assert!(impairment(wrong).is_err(), "{wrong}");
        }
    }
}

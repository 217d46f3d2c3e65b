//! Measures how fast libraries of SIP messages read and write them, for `blether-bench parse`. Ours is one of them, so that all are built alike and
//! measured in the same way.
//!
//! The arguments are message files, as they are on the wire. Each line of the standard input, `LIBRARY OPERATION MESSAGE MICROSECONDS`, asks
//! for one measurement of about that time (MESSAGE is the number of the file, from 0), and is answered by one line:
//!
//! - `took NANOSECONDS ALLOCATIONS`: of one operation, by the CPU time of the thread;
//! - `misread NANOSECONDS ALLOCATIONS WHAT`: the same, of a library that does not find the headers that are there;
//! - `cut NANOSECONDS ALLOCATIONS WHAT`: the same, of one that finds them and not all of the body;
//! - `refused WHY`: the library does not take this message;
//! - `absent`: the library cannot do this;
//! - `failed WHY`: the question makes no sense; it is the last one.
//!
//! Nothing comes on the standard error: a library writes there what it does not like.

mod libraries;

use std::io::{BufRead as _, Write as _};
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use rustix::time::{ClockId, clock_gettime};

use libraries::{BodyCut, Expected, Library, Operation};

/// Operations between two looks at the clock.
const BATCH: u32 = 100;

fn main() -> anyhow::Result<()> {
    let read = |path: String| std::fs::read(&path).map(Bytes::from).with_context(|| path);
    let messages: Vec<Bytes> = std::env::args().skip(1).map(read).collect::<anyhow::Result<_>>()?;
    rustix::stdio::dup2_stderr(std::fs::File::options().write(true).open("/dev/null")?)?;
    let mut answers = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        match answer(&line?, &messages) {
            Ok(answer) => writeln!(answers, "{answer}")?,
            Err(error) => {
                writeln!(answers, "failed {}", one_line(&format!("{error:#}")))?;
                break;
            }
        }
        answers.flush()?;
    }
    Ok(())
}

fn answer(question: &str, messages: &[Bytes]) -> anyhow::Result<String> {
    let words: Vec<&str> = question.split_ascii_whitespace().collect();
    let [library, operation, message, micros] = words[..] else { bail!("a question has four words: {question}") };
    let operation = Operation::named(operation).context("no such operation")?;
    let message = messages.get(message.parse::<usize>()?).context("no such message")?;
    let time = Duration::from_micros(micros.parse()?);
    match library {
        "blether" => measured::<libraries::blether::Ours>(operation, message, time),
        #[cfg(feature = "peers")]
        "ezk-sip-types" => measured::<libraries::ezk::Peer>(operation, message, time),
        #[cfg(feature = "peers")]
        "httparse" => measured::<libraries::httparse::Headers>(operation, message, time),
        #[cfg(feature = "peers")]
        "memchr" => measured::<libraries::memchr::LinesAndColons>(operation, message, time),
        #[cfg(feature = "peers")]
        "rsip" => measured::<libraries::rsip::Peer>(operation, message, time),
        #[cfg(feature = "peers")]
        "rsipstack" => measured::<libraries::rsipstack::Peer>(operation, message, time),
        #[cfg(feature = "peers")]
        "rvoip-sip-core" => measured::<libraries::rvoip::Peer>(operation, message, time),
        #[cfg(feature = "peers")]
        "sip-core" => measured::<libraries::sip_core::Peer>(operation, message, time),
        _ => bail!("no library is named {library}"),
    }
}

fn measured<L: Library>(operation: Operation, bytes: &Bytes, time: Duration) -> anyhow::Result<String> {
    let message = match L::parse(bytes) {
        Ok(message) => message,
        Err(why) => return Ok(format!("refused {}", one_line(&why.to_string()))),
    };
    let understood = L::is_understood(&message, &Expected::of(bytes)?);
    let Some(mut run) = L::operation(operation, bytes, message) else { return Ok("absent".to_owned()) };
    for _ in 0..BATCH {
        run();
    }
    let allocations = allocation_counter::measure(&mut run).count_total;
    let (began, mut count, mut used) = (cpu_time(), 0_u32, Duration::ZERO);
    while used < time {
        for _ in 0..BATCH {
            run();
        }
        count += BATCH;
        used = cpu_time().saturating_sub(began);
    }
    let figures = format!("{:.1} {allocations}", used.as_secs_f64() * 1e9 / f64::from(count));
    Ok(match understood {
        Ok(()) => format!("took {figures}"),
        Err(what) => {
            let word = if what.is::<BodyCut>() { "cut" } else { "misread" };
            format!("{word} {figures} {}", one_line(&what.to_string()))
        }
    })
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(100).collect()
}

/// What this thread has used.
fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

//! `docs/transactions.md`, which is written from the rows: `UPDATE_DOCS=1 cargo test -p blether-transaction-core --test transactions document`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use blether_transaction_core::{Reliability, Timing};

use super::FIGURES;
use super::vocabulary::{Arrow, Clock, Event, Figure, Sends, Start, State, Tells, Wait};

const INTRODUCTION: &str = "\
# Transactions

The four transactions of RFC 3261 §17 as `blether-transaction-core` carries them out: figures 5 to 8, as RFC 4320 and RFC 6026 change them.

This page is written from the rows that the tests of the crate are made of (`transaction-core/tests/transactions/figures/`). Each row is one test,
whose name stands with it; `UPDATE_DOCS=1 cargo test -p blether-transaction-core --test transactions document` writes the page anew, and without
`UPDATE_DOCS` the test fails when it is stale. TU is the transaction user: whoever asked for the transaction, or answers it.
";

const KEYS: &str = "\
They are fields of `Timing`, which a program gives as `timing` in `TransactionsConfig` of `blether-transaction-core`, `EndpointConfig` of
`blether-session-core`, or `PhoneConfig` of `blether-sip-client`. The configuration of `call-engine` has no keys for them: the server runs by the
defaults. Of its keys, `limits.max_transactions` bounds how many transactions run, whatever their timers, and `calls.ring_timeout` ends a call that
nobody answers, as Timer C (RFC 3261 §16.6) does for a proxy; no machine of this page runs a Timer C.
";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn path() -> PathBuf {
    root().join("docs/transactions.md")
}

#[test]
fn the_page_about_transactions_says_what_the_rows_say() {
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path(), &page).unwrap();
    }
    let written = fs::read_to_string(path()).unwrap_or_default();
    let first = written.lines().zip(page.lines()).find(|(written, page)| written != page);
    assert!(
        written == page,
        "docs/transactions.md is stale; set UPDATE_DOCS=1 to write it. First difference: {first:?}"
    );
}

#[test]
fn the_server_has_no_keys_for_the_timers() {
    let reference = fs::read_to_string(root().join("call-engine/src/config/reference.toml")).unwrap();
    let keys = reference.lines().filter_map(|line| line.trim_start_matches(['#', ' ']).split_once('='));
    for (key, _) in keys {
        assert!(
            !["t1", "t2", "t4"].contains(&key.trim()),
            "docs/transactions.md says that there is no such key: {key}"
        );
    }
    for key in ["max_transactions", "ring_timeout"] {
        assert!(reference.contains(&format!("{key} = ")), "docs/transactions.md names {key}");
    }
}

fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    timers(&mut page);
    for figure in FIGURES {
        machine(&mut page, figure);
    }
    page
}

fn timers(page: &mut String) {
    let Timing { t1, t2, t4 } = Timing::default();
    page.push_str("\n## Timers\n\n| time | key | default | what it is |\n| --- | --- | --- | --- |\n");
    for (name, default, meaning) in [
        ("T1", t1, "the estimate of a round trip"),
        ("T2", t2, "the longest wait between resends of a request that is no INVITE, and of a response to INVITE"),
        ("T4", t4, "how long a message may stay in the network"),
    ] {
        writeln!(page, "| {name} | `timing.{}` | {} | {meaning} |", name.to_lowercase(), seconds(default)).unwrap();
    }
    write!(page, "\n{KEYS}\n").unwrap();
    page.push_str("| timer | machine | runs for | by default | over a reliable transport | what for |\n");
    page.push_str("| --- | --- | --- | --- | --- | --- |\n");
    for figure in FIGURES {
        let mut starts: BTreeMap<Clock, Vec<(Start, Option<&str>)>> = BTreeMap::new();
        for row in figure.arrows {
            for (clock, start) in row.starts {
                let again_in = (row.event == Event::Fires(*clock)).then(|| row.from.name());
                let known = starts.entry(*clock).or_default();
                if !known.contains(&(*start, again_in)) {
                    known.push((*start, again_in));
                }
            }
        }
        for (clock, starts) in starts {
            let each = |say: fn(Wait) -> String| {
                let parts = starts.iter().map(|(start, again_in)| match again_in {
                    None => say(start.wait()),
                    Some(state) => format!("then in {state} {}", say(start.wait())),
                });
                parts.collect::<Vec<_>>().join("; ")
            };
            let (waits, defaults) = (each(|wait| wait.to_string()), each(by_default));
            let reliable = match starts[0].0 {
                Start::Always(_) => "the same",
                Start::IfUnreliable(_) => "does not run",
                Start::ZeroIfReliable(_) => "0 s",
            };
            let cells = [&clock.to_string(), figure.title, &waits, &defaults, reliable, purpose(clock, figure)];
            writeln!(page, "| {} |", cells.join(" | ")).unwrap();
        }
    }
}

fn by_default(wait: Wait) -> String {
    let timing = Timing::default();
    let mut before = timing.t1;
    let mut next = || {
        before = wait.duration(timing, before);
        seconds(before)
    };
    match wait {
        Wait::Twice | Wait::TwiceUpToT2 => format!("{}, {}, {}, {} and so on", next(), next(), next(), next()),
        _ => next(),
    }
}

fn seconds(time: Duration) -> String {
    if time < Duration::from_secs(1) { format!("{} ms", time.as_millis()) } else { format!("{} s", time.as_secs_f64()) }
}

fn purpose(clock: Clock, figure: &Figure) -> &'static str {
    match clock {
        Clock::A => "sends the INVITE again",
        Clock::B | Clock::F => "gives up, as nobody has answered",
        Clock::D => "acknowledges resends of the response",
        Clock::E => "sends the request again; every T2 once a 1xx has come",
        Clock::G => "sends the response again",
        Clock::H => "gives up, as nobody has acknowledged",
        Clock::I => "absorbs further ACKs",
        Clock::J => "sends the response again to each resent request",
        Clock::K => "absorbs resends of the response",
        Clock::L => "absorbs resends of an accepted INVITE",
        Clock::M => "passes on further 2xx",
        Clock::TryingDue if figure.states.iter().any(|(state, _)| *state == State::Untouched) => {
            "sends 100, as the user has said nothing (RFC 3261 §17.2.1)"
        }
        Clock::TryingDue => "sends 100, as the user has said nothing (RFC 4320 §4.1)",
        Clock::Cancelled => "gives up an INVITE without a final response, counted from its CANCEL (RFC 3261 §9.1)",
        Clock::Lapse => "ends a transaction that its user has not answered, counted from the request (RFC 4320 §4.2)",
    }
}

fn machine(page: &mut String, figure: &Figure) {
    let about: Vec<_> = figure.about.lines().map(str::trim).collect();
    write!(page, "\n## The {} transaction\n\n{}\n\n", figure.title, about.join("\n").trim_end()).unwrap();
    diagram(page, figure);
    page.push_str("\n| state | event | next state | sent | told | timers started | in the figure | source | test |\n");
    page.push_str("| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
    for row in figure.arrows {
        let starts: Vec<_> = row.starts.iter().map(|(clock, start)| started(*clock, *start)).collect();
        let cells = [
            &row.from.to_string(),
            &event(row),
            &row.to.to_string(),
            &list(row.sends.iter().map(Sends::to_string)),
            &list(row.tells.iter().map(Tells::to_string)),
            &list(starts.into_iter()),
            row.label.trim(),
            row.section,
            &format!("`{}`", row.name),
        ];
        writeln!(page, "| {} |", cells.map(|cell| cell.replace('|', "\\|")).join(" | ")).unwrap();
    }
    page.push_str("\nNothing happens, and what the user says is not taken:\n\n");
    page.push_str("| state | event | why | source | test |\n| --- | --- | --- | --- | --- |\n");
    for row in figure.nothing {
        let (from, event) = (row.from.to_string(), event(row));
        writeln!(page, "| {from} | {event} | {} | {} | `{}` |", row.label.trim(), row.section, row.name).unwrap();
    }
}

fn event(row: &Arrow) -> String {
    match row.over {
        None => row.event.to_string(),
        Some(Reliability::Reliable) => format!("{}, over a reliable transport", row.event),
        Some(Reliability::Unreliable) => format!("{}, over an unreliable transport", row.event),
    }
}

fn started(clock: Clock, start: Start) -> String {
    match start {
        Start::Always(wait) => format!("{clock}: {wait}"),
        Start::IfUnreliable(wait) => format!("{clock}, if unreliable: {wait}"),
        Start::ZeroIfReliable(wait) => format!("{clock}: {wait}; 0 s if reliable"),
    }
}

fn list(entries: impl Iterator<Item = String>) -> String {
    let entries: Vec<_> = entries.collect();
    if entries.is_empty() { "-".to_owned() } else { entries.join("<br>") }
}

/// As the figures of the RFC are labelled: the event over the action to take. Halves of a state are drawn as one.
fn diagram(page: &mut String, figure: &Figure) {
    page.push_str("```mermaid\nstateDiagram-v2\n");
    let mut drawn: Vec<(&str, Vec<String>)> = Vec::new();
    for (state, clocks) in figure.states {
        let name = state.name();
        let clocks = clocks.iter().map(Clock::to_string);
        match drawn.iter_mut().find(|(drawn, _)| *drawn == name) {
            Some((_, known)) => clocks.for_each(|clock| {
                if !known.contains(&clock) {
                    known.push(clock)
                }
            }),
            None => drawn.push((name, clocks.collect())),
        }
    }
    for (name, clocks) in drawn.iter().filter(|(_, clocks)| !clocks.is_empty()) {
        writeln!(page, "    state \"{name} ({})\" as {name}", clocks.join(", ")).unwrap();
    }
    let mut pairs: Vec<((&str, &str), Vec<String>)> = Vec::new();
    for row in figure.arrows {
        let between = (row.from.name(), row.to.name());
        let mut label = label(row);
        let twin = |other: &&Arrow| other.from != row.from && (other.from.name(), other.to.name()) == between;
        if let Some(detail) = row.from.detail()
            && !figure.arrows.iter().filter(twin).any(|other| self::label(other) == label)
        {
            label = format!("{label} ({detail})");
        }
        match pairs.iter_mut().find(|(known, _)| *known == between) {
            Some((_, labels)) if labels.contains(&label) => {}
            Some((_, labels)) => labels.push(label),
            None => pairs.push((between, vec![label])),
        }
    }
    for ((from, to), labels) in pairs {
        writeln!(page, "    {from} --> {to} : {}", labels.join("<br/>")).unwrap();
    }
    page.push_str("    Terminated --> [*]\n```\n");
}

fn label(row: &Arrow) -> String {
    let sends = row.sends.iter().map(|sends| format!("{sends} sent"));
    let tells = row.tells.iter().map(|tells| format!("{tells} to TU"));
    let actions: Vec<_> = sends.chain(tells).collect();
    let actions = if actions.is_empty() { "-".to_owned() } else { actions.join(", ") };
    match row.event {
        Event::Begin => format!("request / {actions}"),
        _ => format!("{} / {actions}", event(row)),
    }
}

//! Figures of all libraries side by side, and the bars.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Answer, Found, LIBRARIES, OURS, YARDSTICKS};

/// What one library took for one operation on one message.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Cost {
    /// The fastest run.
    nanos: f64,
    allocations: u64,
}

/// Libraries by operation and message.
pub(crate) struct Table {
    libraries: Vec<&'static str>,
    messages: Vec<&'static str>,
    costs: BTreeMap<(&'static str, &'static str, &'static str), Cost>,
    failed: Vec<(&'static str, &'static str, &'static str)>,
    /// Libraries that do not find the headers of a message, and so have not read it.
    misread: Vec<(&'static str, &'static str)>,
    /// By library: what it does with a message.
    remarks: BTreeMap<(&'static str, &'static str), String>,
}

/// What one line says.
struct Line<'a> {
    operation: &'static str,
    message: &'static str,
    ours: Cost,
    /// Whose time ours is compared with: their name, and their time.
    peer: Option<(&'a str, f64)>,
    bar: Option<f64>,
    allocations: Option<u64>,
}

impl Line<'_> {
    fn ratio(&self) -> Option<f64> {
        self.peer.map(|(_, nanos)| self.ours.nanos / nanos)
    }

    fn is_ok(&self) -> bool {
        let slow = self.ratio().zip(self.bar).is_some_and(|(ratio, bar)| ratio > bar);
        let greedy = self.allocations.is_some_and(|most| self.ours.allocations > most);
        !slow && !greedy
    }
}

impl Table {
    pub(super) fn new(libraries: &[&'static str], messages: Vec<&'static str>) -> Self {
        let (costs, failed, misread, remarks) = (BTreeMap::new(), Vec::new(), Vec::new(), BTreeMap::new());
        Self { libraries: libraries.to_vec(), messages, costs, failed, misread, remarks }
    }

    /// Whether there is no use in measuring this again.
    pub(super) fn is_known_to_fail(&self, operation: &str, message: &str, library: &str) -> bool {
        self.failed.contains(&(operation, message, library))
    }

    pub(super) fn add(
        &mut self,
        operation: &'static str,
        message: &'static str,
        library: &'static str,
        answer: Answer,
    ) {
        match answer {
            Answer::Took { nanos, allocations, found } => {
                let cost = Cost { nanos, allocations };
                let known = self.costs.entry((operation, message, library)).or_insert(cost);
                known.nanos = known.nanos.min(nanos);
                match found {
                    Found::All => {}
                    Found::Headers(what) => drop(self.remarks.insert((library, message), what)),
                    Found::Wrong(what) => {
                        self.misread.push((library, message));
                        self.remarks.insert((library, message), format!("{what}, and is not compared"));
                    }
                }
            }
            Answer::Refused(why) => {
                self.failed.push((operation, message, library));
                self.remarks.insert((library, message), format!("refuses it: {why}"));
            }
            Answer::Absent => self.failed.push((operation, message, library)),
        }
    }

    fn nanos(&self, operation: &'static str, message: &'static str, library: &'static str) -> Option<f64> {
        self.costs.get(&(operation, message, library)).map(|cost| cost.nanos)
    }

    /// The fastest peer at an operation that finds the headers of the message.
    fn fastest(&self, operation: &'static str, message: &'static str) -> Option<(&'static str, f64)> {
        let reads = |library: &&&'static str| !self.misread.contains(&(**library, message));
        let all = LIBRARIES
            .iter()
            .filter(reads)
            .filter_map(|library| Some((*library, self.nanos(operation, message, library)?)));
        all.min_by(|one, other| one.1.total_cmp(&other.1))
    }

    fn line(&self, operation: &'static str, message: &'static str) -> Option<Line<'static>> {
        let ours = *self.costs.get(&(operation, message, OURS))?;
        let of = |library: &'static str, its: &'static str| Some((library, self.nanos(its, message, library)?));
        let (peer, bar) = match operation {
            "parse" => (self.fastest("parse", message), Some(0.4)),
            "proxy" => (self.fastest("proxy", message), Some(0.55)),
            "typed" => (of("rsipstack", "typed"), Some(0.5)),
            // As fast as a message that is none.
            "refuse" => (of(OURS, "parse"), Some(1.0)),
            "write" => (self.fastest("write", message), Some(0.5)),
            // 350 ns where sip-core took 1,070 to read the INVITE.
            "forward" if message == "invite" => (of("sip-core", "parse"), Some(350.0 / 1070.0)),
            _ => (None, None),
        };
        let allocations = (operation == "proxy" && message == "invite").then_some(2);
        Some(Line { operation, message, ours, peer, bar, allocations })
    }

    fn lines(&self) -> impl Iterator<Item = Line<'static>> {
        let each = move |operation| self.messages.iter().filter_map(move |message| self.line(operation, message));
        super::OPERATIONS.into_iter().flat_map(each)
    }

    /// Whether every figure is there that ours must have.
    pub(crate) fn is_valid(&self) -> bool {
        self.messages.iter().all(|message| self.costs.contains_key(&("parse", message, OURS)))
            && self.costs.values().all(|cost| cost.nanos.is_finite() && cost.nanos > 0.0)
    }

    pub(crate) fn print(&self) {
        print!("{:<18} {:>15}", "ns (allocations)", "ours");
        for library in self.libraries.iter().filter(|library| **library != OURS) {
            print!(" {library:>14}");
        }
        println!(" {:>6} {:>8}", "ratio", "at most");
        let mut last = "";
        for line in self.lines() {
            if line.operation != last {
                println!("{}", said(line.operation));
                last = line.operation;
            }
            let shown = |nanos: f64, allocations: u64| format!("{nanos:.0} ({allocations})");
            print!("  {:<16} {:>15}", line.message, shown(line.ours.nanos, line.ours.allocations));
            for library in self.libraries.iter().filter(|library| **library != OURS) {
                let cost = self.costs.get(&(line.operation, line.message, *library));
                let mark = if self.remarks.contains_key(&(*library, line.message)) { "*" } else { "" };
                let cost = cost.map_or_else(String::new, |cost| shown(cost.nanos, cost.allocations) + mark);
                print!(" {cost:>14}");
            }
            let ratio = line.ratio().map_or_else(String::new, |ratio| format!("{ratio:.2}"));
            let bar = line.bar.filter(|_| line.peer.is_some()).map_or_else(String::new, |bar| format!("{bar:.2}"));
            println!(" {ratio:>6} {bar:>8}{}", if line.is_ok() { "" } else { "  OVER" });
        }
        for note in self.notes() {
            println!("{note}");
        }
    }

    pub(crate) fn print_json(&self) {
        for line in self.lines() {
            let others = self.libraries.iter().filter(|library| **library != OURS);
            let others: BTreeMap<&str, f64> = others
                .filter_map(|library| Some((*library, self.nanos(line.operation, line.message, library)?)))
                .collect();
            let line = json!({
                "name": format!("{}.{}", line.operation, line.message), "unit": "ns", "ours": line.ours.nanos,
                "allocations": line.ours.allocations, "peers": others, "peer": line.peer.map(|(_, nanos)| nanos),
                "peer_name": line.peer.map(|(name, _)| name), "ratio": line.ratio(), "bar": line.bar, "ok": line.is_ok(),
            });
            println!("{line}");
        }
        for note in self.notes() {
            eprintln!("{note}");
        }
    }

    fn notes(&self) -> impl Iterator<Item = String> {
        let of = |(library, message): &(&str, &str), what: &String| format!("* {library}, {message}: {what}");
        let remarks = self.remarks.iter().filter(|((library, _), _)| !YARDSTICKS.contains(library));
        remarks.map(move |(place, what)| of(place, what))
    }
}

/// What an operation is, and whom ours is compared with.
fn said(operation: &str) -> &'static str {
    match operation {
        "parse" => "parse: from bytes; by the fastest peer",
        "proxy" => "proxy: parse, then what a proxy reads; by the fastest peer",
        "typed" => "typed: parse, then each header of which there is a type; by rsipstack",
        "refuse" => "refuse: the same with an x in CSeq; by our parse",
        "write" => "write: ours of a message that was built, the others' of one that was read; by the fastest peer",
        "build" => "build: a request built of values and written",
        "forward" => {
            "forward: Via and Record-Route added, Max-Forwards one less, written; by sip-core's parse of the INVITE"
        }
        _ => "sdp: the session description read",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn took(nanos: f64) -> Answer {
        Answer::Took { nanos, allocations: 2, found: Found::All }
    }

    #[test]
    fn the_fastest_run_is_compared_with_the_fastest_peer() {
        let mut table = Table::new(&[OURS, "rsip", "sip-core", "memchr"], vec!["invite"]);
        for (library, nanos) in [(OURS, 50.0), (OURS, 40.0), ("rsip", 200.0), ("sip-core", 160.0), ("memchr", 1.0)] {
            table.add("parse", "invite", library, took(nanos));
        }
        let line = table.line("parse", "invite").unwrap();
        assert_eq!((line.peer, line.ratio(), line.is_ok()), (Some(("sip-core", 160.0)), Some(0.25), true));
        table.add("parse", "invite", "rsip", took(80.0));
        assert!(!table.line("parse", "invite").unwrap().is_ok(), "half is more than 0.4");
        assert!(table.line("write", "invite").is_none());
    }

    #[test]
    fn what_is_refused_or_misread_is_said_and_not_measured_again() {
        let mut table = Table::new(&[OURS, "rsip"], vec!["wsinv"]);
        table.add("parse", "wsinv", "rsip", Answer::Refused("folding".to_owned()));
        assert!(table.is_known_to_fail("parse", "wsinv", "rsip") && !table.is_known_to_fail("parse", "wsinv", OURS));
        assert_eq!(table.notes().collect::<Vec<_>>(), ["* rsip, wsinv: refuses it: folding"]);
        assert!(!table.is_valid(), "ours is missing");
    }

    #[test]
    fn a_library_that_does_not_find_the_headers_is_not_compared() {
        let mut table = Table::new(&[OURS, "rsip", "sip-core"], vec!["wsinv"]);
        table.add("parse", "wsinv", OURS, took(40.0));
        table.add("parse", "wsinv", "rsip", took(200.0));
        let of = |found| Answer::Took { nanos: 50.0, allocations: 2, found };
        table.add("parse", "wsinv", "sip-core", of(Found::Wrong("no CSeq".to_owned())));
        assert_eq!(table.line("parse", "wsinv").unwrap().peer, Some(("rsip", 200.0)));
        table.add("parse", "wsinv", "rsip", of(Found::Headers("finds 1 byte of a body of 3".to_owned())));
        assert_eq!(table.line("parse", "wsinv").unwrap().peer, Some(("rsip", 50.0)));
        assert_eq!(
            table.notes().collect::<Vec<_>>(),
            ["* rsip, wsinv: finds 1 byte of a body of 3", "* sip-core, wsinv: no CSeq, and is not compared"]
        );
    }

    #[test]
    fn a_third_allocation_for_what_a_proxy_reads_of_an_invite_is_too_much() {
        let mut table = Table::new(&[OURS], vec!["invite"]);
        table.add("proxy", "invite", OURS, Answer::Took { nanos: 1.0, allocations: 3, found: Found::All });
        assert!(!table.line("proxy", "invite").unwrap().is_ok());
    }
}

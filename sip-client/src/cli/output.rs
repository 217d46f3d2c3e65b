//! What the program says, as text for people or as JSON for programs.

use std::io::{self, Write};
use std::time::Duration;

use blether_media_core::{SampleRate, WavReport};
use blether_session_core::{MediaPlan, Party};
use blether_sip_client::Summary;
use blether_sip_transport::resolve::Destination;
use blether_transaction_core::{Direction, WireMessage};
use serde_json::{Value, json};

use crate::cli::say;

/// Where events are told.
#[derive(Debug)]
pub(super) struct Output {
    json: bool,
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        Self { json }
    }

    fn tell(&mut self, text: &str, event: Value) {
        if self.json { say(&event.to_string()) } else { say(&printable(text)) }
    }

    /// Tells what is worth knowing, but no result.
    fn hint(&mut self, text: &str, event: Value) {
        if self.json { say(&event.to_string()) } else { eprintln!("sip-client: {}", printable(text)) }
    }

    pub(super) fn failed(&mut self, why: &str) {
        self.hint(why, json!({"event": "failed", "reason": why}));
    }

    pub(super) fn waiting(&mut self, server: &Destination, longest: Duration) {
        let seconds = longest.as_secs_f64();
        self.hint(
            &format!("{server} has not answered yet; waiting for up to {seconds} s"),
            json!({"event": "waiting", "server": server.to_string(), "seconds": seconds}),
        );
    }

    pub(super) fn registered(&mut self, expires: Duration) {
        let seconds = expires.as_secs();
        self.tell(&format!("registered for {seconds} s"), json!({"event": "registered", "expires": seconds}));
    }

    pub(super) fn not_registered(&mut self, why: &str) {
        self.tell(&format!("not registered: {why}"), json!({"event": "not_registered", "reason": why}));
    }

    /// A registration that stood could not be renewed.
    pub(super) fn lost(&mut self, why: &str, retry_in: Option<Duration>) {
        let seconds = retry_in.map(|wait| wait.as_secs());
        let again = seconds.map_or(String::new(), |seconds| format!("; trying again in {seconds} s"));
        self.tell(
            &format!("not registered: {why}{again}"),
            json!({"event": "not_registered", "reason": why, "retry": seconds}),
        );
    }

    pub(super) fn not_unregistered(&mut self, why: &str) {
        self.hint(
            &format!("{why}; it forgets this phone when the registration's time is over"),
            json!({"event": "not_unregistered", "reason": why}),
        );
    }

    pub(super) fn unregistered(&mut self) {
        self.tell("no longer registered", json!({"event": "unregistered"}));
    }

    pub(super) fn incoming(&mut self, from: &str) {
        self.tell(&format!("a call from {from}"), json!({"event": "incoming", "from": from}));
    }

    pub(super) fn ringing(&mut self) {
        self.tell("ringing", json!({"event": "ringing"}));
    }

    pub(super) fn answered(&mut self, plan: &MediaPlan) {
        let codec = plan.formats.first().map_or("none", |format| &*format.name);
        self.tell(&format!("answered, {codec}"), json!({"event": "answered", "codec": codec, "remote": plan.remote}));
    }

    pub(super) fn refused(&mut self, status: u16, reason: &str) {
        self.tell(
            &format!("refused: {status} {reason}"),
            json!({"event": "refused", "status": status, "reason": reason}),
        );
    }

    /// `status` is there when the server said so.
    pub(super) fn no_answer(&mut self, status: Option<(u16, &str)>) {
        match status {
            Some((status, reason)) => self.tell(
                &format!("no answer: {status} {reason}"),
                json!({"event": "no_answer", "status": status, "reason": reason}),
            ),
            None => self.tell("no answer", json!({"event": "no_answer"})),
        }
    }

    pub(super) fn no_call(&mut self) {
        self.tell("no call came in time", json!({"event": "no_call"}));
    }

    pub(super) fn cancelled(&mut self) {
        self.tell("interrupted; the call is cancelled", json!({"event": "cancelled"}));
    }

    pub(super) fn interrupted(&mut self) {
        self.tell("interrupted", json!({"event": "interrupted"}));
    }

    pub(super) fn not_answered(&mut self, why: &str) {
        self.tell(&format!("not answered: {why}"), json!({"event": "not_answered", "reason": why}));
    }

    pub(super) fn busy_for(&mut self, from: &str) {
        self.tell(&format!("busy for {from}"), json!({"event": "busy", "from": from}));
    }

    pub(super) fn recorded(&mut self, report: &WavReport) {
        let (path, seconds) = (report.path.display().to_string(), report.duration.as_secs_f64());
        let lost = SampleRate::HZ_8000.duration_of(usize::try_from(report.overrun_samples).unwrap_or(usize::MAX));
        let missing = if lost.is_zero() { String::new() } else { format!("; {lost:.1?} could not be written in time") };
        self.tell(
            &format!("{path}: {seconds:.1} s{missing}"),
            json!({"event": "recorded", "file": path, "seconds": seconds, "missing": lost.as_secs_f64()}),
        );
    }

    pub(super) fn digit(&mut self, digit: char) {
        self.tell(&format!("key {digit}"), json!({"event": "key", "key": digit.to_string()}));
    }

    pub(super) fn ended(&mut self, summary: Option<&Summary>) {
        let Some(summary) = summary else { return self.tell("ended", json!({"event": "ended"})) };
        let by = match summary.by {
            Party::Local => "local",
            Party::Remote => "remote",
        };
        let cause = summary.cause.to_string();
        let (received, sent, lost) = summary
            .statistics
            .as_ref()
            .map_or((0, 0, 0), |counted| (counted.received_packets, counted.sent_packets, counted.reception.lost));
        self.tell(
            &format!("ended by {by}: {cause}; {received} packets received, {lost} lost, {sent} sent"),
            json!({"event": "ended", "by": by, "cause": cause, "received": received, "lost": lost, "sent": sent}),
        );
    }
}

/// Shows a SIP message as it came or went.
pub(super) fn trace(message: &WireMessage<'_>) {
    let direction = match message.direction {
        Direction::Received => "from",
        Direction::Sent => "to",
    };
    let text = String::from_utf8_lossy(message.bytes);
    let lines: Vec<String> = text.lines().map(printable).collect();
    let shown = format!("--- {direction} {}\n{}\n", message.flow.remote, lines.join("\n"));
    // One write, so that nothing comes between its lines. Nobody may be reading.
    let _ = io::stderr().write_all(shown.as_bytes());
}

/// A terminal obeys control characters, and names come from strangers.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_drive_the_terminal() {
        assert_eq!(printable("\u{1b}[2J <sip:eve@192.0.2.7>\n"), "\u{fffd}[2J <sip:eve@192.0.2.7>\u{fffd}");
    }
}

//! What the program says, as text for people or as JSON for programs.

use std::time::Duration;

use blether_session_core::{MediaPlan, Party};
use serde_json::{Value, json};

use crate::cli::say;
use blether_sip_client::Summary;

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
        if self.json { say(&event.to_string()) } else { say(text) }
    }

    pub(super) fn failed(&mut self, why: &str) {
        if self.json {
            say(&json!({"event": "failed", "reason": why}).to_string());
        } else {
            eprintln!("sip-client: {why}");
        }
    }

    pub(super) fn registered(&mut self, expires: Duration) {
        let seconds = expires.as_secs();
        self.tell(&format!("registered for {seconds} s"), json!({"event": "registered", "expires": seconds}));
    }

    pub(super) fn not_registered(&mut self, why: &str) {
        self.tell(&format!("not registered: {why}"), json!({"event": "not_registered", "reason": why}));
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

    pub(super) fn no_answer(&mut self) {
        self.tell("no answer", json!({"event": "no_answer"}));
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

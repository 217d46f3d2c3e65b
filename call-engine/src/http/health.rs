//! Whether an engine does what it is there for, for a probe and a person.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::engine::EngineReport;
use crate::store::{Durability, StoreStatus};

/// The health of an engine.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Health {
    /// The worst of what follows.
    pub status: Status,
    /// What is wrong, one sentence each; empty if nothing is.
    pub problems: Vec<String>,
    /// The store.
    pub store: StoreHealth,
    /// Each shard, in order.
    pub shards: Vec<PartHealth>,
    /// Each media worker, in order.
    pub media_workers: Vec<PartHealth>,
    /// Calls that live.
    pub calls: usize,
    /// Whether no new calls are taken because the server is to end. That is no fault; `/readyz` is where it counts.
    pub draining: bool,
    /// How long the engine has run.
    pub uptime_seconds: u64,
    /// The version of the program.
    pub version: &'static str,
}

/// How an engine does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should.
    Ok,
    /// It serves, and what it promises beyond that is not kept: the store fails, so that changes are in memory alone. A restart would lose them.
    Degraded,
    /// A shard or a media worker does not answer: some calls and phones are not served. A restart is what is left.
    Failing,
}

/// How the store does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoreHealth {
    /// Whether changes are written before they are answered.
    pub durable: bool,
    /// For how long they have not been.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failing_for_seconds: Option<u64>,
    /// The kind of the failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<&'static str>,
    /// What the store said, while it fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What a person does about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<&'static str>,
    /// Whether what was stored before the start could be read: if not, phones that were registered are not known until they register again, nor
    /// are accounts that were added by command.
    pub read: bool,
    /// Sets of contacts, accounts and call records that wait to be written.
    pub unwritten: usize,
}

/// How one shard or media worker does.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PartHealth {
    /// Whether it answers within [`PATIENCE`](super::PATIENCE).
    pub answers: bool,
    /// How long it took to, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag_ms: Option<f64>,
}

impl Health {
    /// The health that a report tells of.
    pub fn of(report: &EngineReport) -> Self {
        let endpoint = &report.endpoint;
        let part = |lag: Option<Duration>| PartHealth { answers: lag.is_some(), lag_ms: lag.map(milliseconds) };
        let shards: Vec<_> = endpoint.shards.iter().map(|shard| part(shard.lag)).collect();
        let media_workers: Vec<_> = endpoint.workers.iter().map(|worker| part(worker.lag)).collect();
        let store = StoreHealth::of(&report.store);
        let mut problems = Vec::new();
        for (what, parts) in [("shard", &shards), ("media worker", &media_workers)] {
            let silent = parts.iter().enumerate().filter(|(_, part)| !part.answers);
            problems.extend(silent.map(|(index, _)| format!("{what} {index} does not answer")));
        }
        let status = if !endpoint.all_answer() {
            Status::Failing
        } else if !store.durable {
            Status::Degraded
        } else {
            Status::Ok
        };
        if let (Some(failure), Some(seconds), Some(remedy)) = (store.failure, store.failing_for_seconds, store.remedy) {
            problems
                .push(format!("the store fails ({failure}) since {seconds} s, changes are in memory alone; {remedy}"));
        }
        if status == Status::Failing && problems.is_empty() {
            problems.push("the engine has stopped".to_owned());
        }
        Self {
            status,
            problems,
            store,
            calls: endpoint.shards.iter().map(|shard| shard.calls).sum(),
            shards,
            media_workers,
            draining: report.draining,
            uptime_seconds: report.uptime.as_secs(),
            version: env!("CARGO_PKG_VERSION"),
        }
    }

    /// As one line of JSON.
    pub fn to_json(&self) -> String {
        let mut json = serde_json::to_string(self).unwrap_or_else(|error| {
            // Text, numbers and lists; there is nothing in it that JSON does not have.
            tracing::error!(%error, "the health could not be written");
            "{\"status\":\"failing\"}".to_owned()
        });
        json.push('\n');
        json
    }
}

impl StoreHealth {
    fn of(status: &StoreStatus) -> Self {
        let (failure, since) = match status.durability {
            Durability::Durable => (None, None),
            Durability::Degraded { failure, since } => (Some(failure), Some(since)),
        };
        Self {
            durable: status.durability.is_durable(),
            failing_for_seconds: since.map(|since| Instant::now().saturating_duration_since(since).as_secs()),
            failure: failure.map(|failure| failure.as_str()),
            // Kept after it works again, which is nobody's trouble.
            reason: failure.and_then(|_| status.last_error.clone()),
            remedy: failure.map(|failure| failure.remedy()),
            read: !status.unread,
            unwritten: status.unwritten_bindings + status.unwritten_accounts + status.unwritten_cdrs,
        }
    }
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use blether_session_core::actor::{EndpointReport, ShardReport, WorkerReport};

    use super::*;
    use crate::store::StoreFailure;

    fn report() -> EngineReport {
        let lag = Some(Duration::from_millis(2));
        EngineReport {
            endpoint: EndpointReport {
                shards: vec![ShardReport { lag, calls: 1, ..ShardReport::default() }; 2],
                workers: vec![WorkerReport { lag, legs: 0 }; 2],
                ..EndpointReport::default()
            },
            store: StoreStatus {
                unread: false,
                durability: Durability::Durable,
                last_error: Some("the disk was full yesterday".to_owned()),
                unwritten_bindings: 0,
                unwritten_accounts: 0,
                unwritten_cdrs: 0,
                logged_cdrs: 0,
                set_aside: Vec::new(),
            },
            configured_accounts: 0,
            stored_accounts: 0,
            aors: 0,
            contacts: 0,
            draining: false,
            uptime: Duration::from_secs(7),
        }
    }

    fn json(report: &EngineReport) -> serde_json::Value {
        serde_json::from_str(&Health::of(report).to_json()).unwrap()
    }

    #[test]
    fn what_is_well_says_so_and_nothing_of_what_was() {
        let json = json(&report());
        assert_eq!((json["status"].as_str(), json["calls"].as_u64()), (Some("ok"), Some(2)));
        assert_eq!(json["store"], serde_json::json!({"durable": true, "read": true, "unwritten": 0}));
        assert_eq!(json["shards"][1]["lag_ms"], 2.0);
    }

    #[test]
    fn a_store_that_fails_degrades_and_says_since_when_and_what_to_do() {
        let mut report = report();
        report.store.durability = Durability::Degraded { failure: StoreFailure::Full, since: Instant::now() };
        let json = json(&report);
        assert_eq!(json["status"], "degraded");
        assert_eq!(
            (json["store"]["failure"].as_str(), json["store"]["failing_for_seconds"].as_u64()),
            (Some("full"), Some(0))
        );
        assert!(json["problems"][0].as_str().unwrap().contains("free space"), "{json}");
    }

    #[test]
    fn a_part_that_does_not_answer_is_worse_than_a_store_that_fails_and_an_engine_that_is_gone_too() {
        let mut silent = report();
        silent.store.durability = Durability::Degraded { failure: StoreFailure::Full, since: Instant::now() };
        silent.endpoint.shards[1].lag = None;
        let json = json(&silent);
        assert_eq!((json["status"].as_str(), json["shards"][1]["answers"].as_bool()), (Some("failing"), Some(false)));
        assert_eq!(json["problems"].as_array().unwrap().len(), 2, "{json}");
        let mut gone = report();
        gone.endpoint = EndpointReport::default();
        assert_eq!(Health::of(&gone).status, Status::Failing);
    }
}

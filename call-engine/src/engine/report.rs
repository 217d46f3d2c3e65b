//! What an engine is like at a moment, for whoever watches it.

use std::time::{Duration, Instant};

use blether_session_core::actor::EndpointReport;

use super::EngineHandle;
use crate::account::AccountSource;
use crate::store::StoreStatus;

/// What an engine was like at a moment.
#[derive(Debug, Clone)]
pub struct EngineReport {
    /// Shards, media workers, connections and ports.
    pub endpoint: EndpointReport,
    /// How the store does.
    pub store: StoreStatus,
    /// Accounts of the configuration.
    pub configured_accounts: usize,
    /// Accounts that were added by command, without those that the configuration has as well.
    pub stored_accounts: usize,
    /// Addresses of record with a contact.
    pub aors: usize,
    /// Contacts of all addresses of record.
    pub contacts: usize,
    /// Whether it takes no new calls and waits for those that are left.
    pub draining: bool,
    /// How long it has run.
    pub uptime: Duration,
}

impl EngineHandle {
    /// Asks every shard and media worker, for at most `patience`, and looks into the tables. Must be called on a tokio runtime.
    pub async fn report(&self, patience: Duration) -> EngineReport {
        let core = &*self.0;
        let (mut configured_accounts, mut stored_accounts) = (0, 0);
        for account in core.accounts.now().iter() {
            match account.source() {
                AccountSource::Configuration => configured_accounts += 1,
                AccountSource::Store => stored_accounts += 1,
            }
        }
        let endpoint = match core.probe.get() {
            Some(probe) => probe.look(patience).await,
            // It has not started to serve.
            None => EndpointReport::default(),
        };
        EngineReport {
            endpoint,
            store: core.store.status(),
            configured_accounts,
            stored_accounts,
            aors: core.location.aors(),
            contacts: core.location.contacts(),
            draining: self.draining(),
            uptime: Instant::now().saturating_duration_since(core.started),
        }
    }
}

impl EngineReport {
    /// Sets the gauges of what is alive. They move when somebody calls this, since nothing on the way of a message does.
    pub fn publish(&self) {
        let Self { endpoint, store, configured_accounts, stored_accounts, aors, contacts, draining, uptime } = self;
        let number = |count: usize| u32::try_from(count).map_or(f64::INFINITY, f64::from);
        for (index, shard) in endpoint.shards.iter().enumerate() {
            // Shards set these, too; one that stands still does not.
            let index = index.to_string();
            metrics::gauge!("blether_transaction_waiting_commands", "shard" => index.clone())
                .set(number(shard.waiting_commands));
            metrics::gauge!("blether_transaction_waiting_messages", "shard" => index)
                .set(number(shard.waiting_messages));
        }
        // What a shard that does not answer holds is not known; the figures before are better than half of them.
        if endpoint.shards.iter().all(|shard| shard.lag.is_some()) {
            let calls = endpoint.shards.iter().map(|shard| shard.calls).sum();
            metrics::gauge!("blether_session_calls").set(number(calls));
        }
        let unanswering = endpoint.shards.iter().filter(|shard| shard.lag.is_none()).count();
        metrics::gauge!("blether_transaction_unanswering_shards").set(number(unanswering));
        let unanswering = endpoint.workers.iter().filter(|worker| worker.lag.is_none()).count();
        metrics::gauge!("blether_rtp_unanswering_workers").set(number(unanswering));
        let ports = |state: &'static str| metrics::gauge!("blether_rtp_port_pairs", "state" => state);
        ports("in_use").set(number(endpoint.ports_in_use));
        ports("resting").set(number(endpoint.ports_resting));
        if let Some(free) = endpoint.ports_free {
            ports("free").set(number(free));
        }
        let unwritten = |kind: &'static str| metrics::gauge!("blether_store_unwritten_rows", "kind" => kind);
        unwritten("bindings").set(number(store.unwritten_bindings));
        unwritten("accounts").set(number(store.unwritten_accounts));
        unwritten("cdrs").set(number(store.unwritten_cdrs));
        metrics::gauge!("blether_store_durable").set(if store.durability.is_durable() { 1.0 } else { 0.0 });
        let accounts = |source: &'static str| metrics::gauge!("blether_engine_accounts", "source" => source);
        accounts("configuration").set(number(*configured_accounts));
        accounts("store").set(number(*stored_accounts));
        metrics::gauge!("blether_engine_aors").set(number(*aors));
        metrics::gauge!("blether_engine_contacts").set(number(*contacts));
        metrics::gauge!("blether_engine_draining").set(if *draining { 1.0 } else { 0.0 });
        metrics::gauge!("blether_engine_uptime_seconds").set(uptime.as_secs_f64());
    }

    /// Records how long shards and media workers took to answer. To be called at even intervals, else the distribution says more of when it
    /// was asked than of the engine.
    pub fn record_lag(&self) {
        for shard in &self.endpoint.shards {
            if let Some(lag) = shard.lag {
                metrics::histogram!("blether_transaction_shard_lag_seconds").record(lag.as_secs_f64());
            }
        }
        for worker in &self.endpoint.workers {
            if let Some(lag) = worker.lag {
                metrics::histogram!("blether_rtp_worker_lag_seconds").record(lag.as_secs_f64());
            }
        }
    }
}

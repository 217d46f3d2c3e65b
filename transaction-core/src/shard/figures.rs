//! What a shard shows of itself: counters at once, gauges once a second.

use std::time::{Duration, Instant};

use metrics::Counter;

use super::ownership::ShardIndex;
use crate::{Counters, Overload, TransactionCounts};

/// How often gauges are set.
const PERIOD: Duration = Duration::from_secs(1);

/// What is shown as gauges.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Gauges {
    pub(super) transactions: TransactionCounts,
    pub(super) overload: Overload,
    /// The longest lag since the gauges were last set.
    pub(super) lag: Duration,
    /// Messages that wait to be taken in.
    pub(super) passed: usize,
    /// Commands that wait to be carried out.
    pub(super) commands: usize,
    /// Requests whose resends are refused as they were.
    pub(super) refusals: usize,
}

/// What was shown last.
pub(super) struct Figures {
    shard: String,
    /// Held rather than looked up: each message counts.
    received: Counter,
    handled: Counter,
    counted: Counters,
    shown: Gauges,
    next: Option<Instant>,
    stale: bool,
}

impl Figures {
    /// A metrics recorder, if there is to be one, is installed before.
    pub(super) fn new(shard: ShardIndex) -> Self {
        let shard = shard.0.to_string();
        Self {
            received: metrics::counter!("blether_transaction_received_datagrams_total", "shard" => shard.clone()),
            handled: metrics::counter!("blether_transaction_handled_messages_total", "shard" => shard.clone()),
            shard,
            counted: Counters::default(),
            shown: Gauges::default(),
            next: None,
            stale: false,
        }
    }

    /// The system has given this shard a datagram, whoever owns it.
    pub(super) fn received(&self) {
        self.received.increment(1);
    }

    /// A message is handled here, however it came.
    pub(super) fn handled(&self) {
        self.handled.increment(1);
    }

    /// When [`Self::show`] wants to be called though nothing happens.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.next.filter(|_| self.stale)
    }

    /// Whether the gauges are due.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.next.is_none_or(|next| next <= now)
    }

    /// Something has happened, and the gauges are not due yet.
    pub(super) fn note(&mut self) {
        self.stale = true;
    }

    /// Sets the gauges.
    pub(super) fn show(&mut self, now: Instant, gauges: Gauges) {
        self.next = Some(now + PERIOD);
        // What was large for a moment is to be seen small again.
        self.stale = gauges != Gauges { transactions: gauges.transactions, ..Gauges::default() };
        let before = std::mem::replace(&mut self.shown, gauges);
        if before == gauges {
            return;
        }
        let of = |counts: TransactionCounts| {
            [
                ("invite_client", counts.invite_client),
                ("non_invite_client", counts.non_invite_client),
                ("invite_server", counts.invite_server),
                ("non_invite_server", counts.non_invite_server),
            ]
        };
        for (kind, count) in of(gauges.transactions) {
            metrics::gauge!("blether_transaction_active", "shard" => self.shard.clone(), "kind" => kind)
                .set(count as f64);
        }
        let shard = || self.shard.clone();
        metrics::gauge!("blether_transaction_lag_seconds", "shard" => shard()).set(gauges.lag.as_secs_f64());
        metrics::gauge!("blether_transaction_overload_level", "shard" => shard())
            .set(f64::from(gauges.overload.level()));
        metrics::gauge!("blether_transaction_waiting_messages", "shard" => shard()).set(gauges.passed as f64);
        metrics::gauge!("blether_transaction_waiting_commands", "shard" => shard()).set(gauges.commands as f64);
        metrics::gauge!("blether_transaction_refusals_remembered", "shard" => shard()).set(gauges.refusals as f64);
    }

    /// Counts on.
    pub(super) fn count(&mut self, counters: Counters) {
        if counters == self.counted {
            return;
        }
        let before = std::mem::replace(&mut self.counted, counters);
        for (what, now, before) in [
            ("not_sip", counters.not_sip, before.not_sip),
            ("malformed", counters.malformed, before.malformed),
            ("stray_response", counters.stray_responses, before.stray_responses),
            ("no_room", counters.refused_full, before.refused_full),
            ("overload_invite", counters.overload_invites, before.overload_invites),
            ("overload_other", counters.overload_others, before.overload_others),
            ("merged", counters.merged, before.merged),
            ("stateless", counters.stateless, before.stateless),
            ("stateless_ack", counters.stateless_acks, before.stateless_acks),
            ("keep_alive", counters.keep_alives, before.keep_alives),
        ] {
            if now > before {
                metrics::counter!("blether_transaction_unserved_messages_total", "what" => what)
                    .increment(now - before);
            }
        }
        for (what, now, before) in [
            ("moved_on", counters.moved_on, before.moved_on),
            ("too_large_for_udp", counters.too_large_for_udp, before.too_large_for_udp),
            ("no_target", counters.no_target, before.no_target),
        ] {
            if now > before {
                metrics::counter!("blether_transaction_targets_total", "what" => what).increment(now - before);
            }
        }
    }
}

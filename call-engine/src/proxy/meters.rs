//! What the proxy counts.

use metrics::{Counter, Gauge};

use super::Refusal;

/// The proxy's counters; held, so that a message costs no look-up.
pub(super) struct Meters {
    /// Requests outside of dialogs that were taken, and are forwarded statefully.
    pub(super) taken: Counter,
    /// The same within dialogs, ACKs included.
    pub(super) in_dialog: Counter,
    /// Requests by a Path of ours, to the phone at its end.
    pub(super) by_path: Counter,
    /// Requests forwarded without state.
    pub(super) stateless: Counter,
    /// Copies that were sent.
    pub(super) branches: Counter,
    /// Branches that were cancelled.
    pub(super) cancelled: Counter,
    /// Response contexts that live.
    pub(super) contexts: Gauge,
}

impl Meters {
    pub(super) fn new() -> Self {
        Self {
            taken: metrics::counter!("blether_engine_proxy_requests_total", "kind" => "initial"),
            in_dialog: metrics::counter!("blether_engine_proxy_requests_total", "kind" => "in_dialog"),
            by_path: metrics::counter!("blether_engine_proxy_requests_total", "kind" => "path"),
            stateless: metrics::counter!("blether_engine_proxy_requests_total", "kind" => "stateless"),
            branches: metrics::counter!("blether_engine_proxy_branches_total"),
            cancelled: metrics::counter!("blether_engine_proxy_branches_cancelled_total"),
            contexts: metrics::gauge!("blether_engine_proxy_contexts"),
        }
    }

    /// A request was refused; seldom enough for a look-up.
    pub(super) fn refused(&self, refusal: &Refusal) {
        metrics::counter!("blether_engine_proxy_refused_total", "why" => refusal.as_str()).increment(1);
    }
}

//! What the connections of an endpoint count.

use metrics::{Counter, Gauge};

/// Held rather than looked up: each message counts. A metrics recorder, if there is to be one, is installed before.
pub(super) struct Meters {
    pub(super) connections: Gauge,
    pub(super) opened_by_us: Counter,
    pub(super) opened_by_peers: Counter,
    pub(super) evicted: Counter,
    pub(super) received: Counter,
    pub(super) sent: Counter,
    pub(super) framing_errors: Counter,
}

impl Meters {
    pub(super) fn new() -> Self {
        let opened = |by: &'static str| metrics::counter!("blether_transport_opened_connections_total", "by" => by);
        Self {
            connections: metrics::gauge!("blether_transport_connections"),
            opened_by_us: opened("us"),
            opened_by_peers: opened("peer"),
            evicted: metrics::counter!("blether_transport_evicted_connections_total"),
            received: metrics::counter!("blether_transport_received_stream_messages_total"),
            sent: metrics::counter!("blether_transport_sent_stream_messages_total"),
            framing_errors: metrics::counter!("blether_transport_framing_errors_total"),
        }
    }
}

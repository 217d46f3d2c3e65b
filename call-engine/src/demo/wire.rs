//! Every SIP message that crosses the wire at the server, for the ladder.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use blether_transaction_core::{Direction, WireMessage};

use crate::ladder::Ladder;

/// A ladder that the server's shard writes into while the demo runs. The lock is held for one message.
#[derive(Clone)]
pub(super) struct Wire {
    began: Instant,
    ladder: Arc<Mutex<Ladder>>,
}

impl Wire {
    pub(super) fn new(began: Instant) -> Self {
        Self { began, ladder: Arc::new(Mutex::new(Ladder::new())) }
    }

    pub(super) fn name(&self, address: SocketAddr, name: &str) {
        self.lock().name(address, name);
    }

    pub(super) fn record(&self, message: WireMessage<'_>) {
        let (from, to) = match message.direction {
            Direction::Received => (message.flow.remote, message.flow.local),
            Direction::Sent => (message.flow.local, message.flow.remote),
        };
        self.lock().record(message.at.saturating_duration_since(self.began), from, to, message.bytes);
    }

    pub(super) fn ladder(&self) -> Ladder {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Ladder> {
        self.ladder.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

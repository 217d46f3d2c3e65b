//! What waits to be written to a connection, and whether it is to be closed.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use super::CloseReason;

/// What a message in the queue costs besides its own bytes, so that many small ones (pongs) are bounded as well.
const OVERHEAD: usize = 64;

/// A queue bounded in bytes, between whoever sends and the connection's task.
#[derive(Debug, Default)]
pub(super) struct Outbound {
    state: Mutex<State>,
    written: Notify,
    closed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// The first may be under way.
    queue: VecDeque<Bytes>,
    /// Of what is in the queue.
    bytes: usize,
    closing: Option<CloseReason>,
}

impl Outbound {
    /// Queues a message; `false` when more than `limit` bytes would wait.
    pub(super) fn push(&self, payload: Bytes, limit: usize) -> bool {
        let mut state = self.state();
        let bytes = state.bytes.saturating_add(cost(&payload));
        if bytes > limit {
            return false;
        }
        state.bytes = bytes;
        state.queue.push_back(payload);
        self.written.notify_one();
        true
    }

    /// Waits for the next message to write, which stays in the queue until it is [`Self::done`]. Cancel safe.
    pub(super) async fn next(&self) -> Bytes {
        loop {
            if let Some(payload) = self.state().queue.front() {
                return payload.clone();
            }
            self.written.notified().await;
        }
    }

    /// What [`Self::next`] gave has been written.
    pub(super) fn done(&self) {
        let mut state = self.state();
        if let Some(payload) = state.queue.pop_front() {
            state.bytes = state.bytes.saturating_sub(cost(&payload));
        }
    }

    /// Takes what was not, or not wholly, written.
    pub(super) fn take_unwritten(&self) -> VecDeque<Bytes> {
        let mut state = self.state();
        state.bytes = 0;
        std::mem::take(&mut state.queue)
    }

    /// Has the connection's task close it.
    pub(super) fn close(&self, reason: CloseReason) {
        self.state().closing.get_or_insert(reason);
        self.closed.notify_one();
    }

    /// Waits until the connection is to be closed. Cancel safe.
    pub(super) async fn closing(&self) -> CloseReason {
        loop {
            let closing = self.state().closing;
            if let Some(reason) = closing {
                return reason;
            }
            self.closed.notified().await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cost(payload: &Bytes) -> usize {
    payload.len().saturating_add(OVERHEAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 2 * OVERHEAD + 8;

    #[test]
    fn small_messages_are_bounded_too() {
        let outbound = Outbound::default();
        let taken = (0..1_000).take_while(|_| outbound.push(Bytes::from_static(b"\r\n"), 10_000)).count();
        assert_eq!(taken, 10_000 / (OVERHEAD + 2));
    }

    #[tokio::test]
    async fn what_is_being_written_counts_until_it_is_written() {
        let outbound = Outbound::default();
        assert!(outbound.push(Bytes::from_static(b"12345"), LIMIT));
        assert!(!outbound.push(Bytes::from_static(b"6789"), LIMIT));
        assert_eq!(outbound.next().await, "12345");
        assert!(!outbound.push(Bytes::from_static(b"6789"), LIMIT));
        assert_eq!(outbound.next().await, "12345", "it stays until it is written");
        outbound.done();
        assert!(outbound.push(Bytes::from_static(b"6789"), LIMIT));
        assert_eq!(outbound.next().await, "6789");
        assert_eq!(outbound.take_unwritten(), ["6789"]);
        assert!(outbound.push(Bytes::from_static(b"12345678"), LIMIT) && outbound.take_unwritten().len() == 1);
    }

    #[tokio::test]
    async fn the_first_reason_to_close_stays() {
        let outbound = Outbound::default();
        outbound.close(CloseReason::Evicted);
        outbound.close(CloseReason::Stopped);
        assert_eq!(outbound.closing().await, CloseReason::Evicted);
        assert_eq!(outbound.closing().await, CloseReason::Evicted);
    }
}

//! The queue into a shard, with room kept for what makes room.

use tokio::sync::mpsc;

/// Commands that may wait: a call sends a handful at once, so this is some thousand calls at the same instant.
const CAPACITY: usize = 4_096;

/// Room that only urgent commands may use: responses, ACK, BYE, CANCEL and the end of calls.
const RESERVED: usize = 1_024;

/// Reaches the user of a shard from elsewhere; clones share one queue.
#[derive(Debug)]
pub struct ShardHandle<C> {
    sender: mpsc::Sender<C>,
}

impl<C> Clone for ShardHandle<C> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone() }
    }
}

/// A command that found no room, or no shard.
#[derive(Debug, thiserror::Error)]
pub enum Rejected<C> {
    /// No room for a command of this urgency: the shard is behind.
    #[error("the shard's queue is full")]
    Full(C),
    /// The shard has stopped.
    #[error("the shard has stopped")]
    Closed(C),
}

/// The shard has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the shard has stopped")]
pub struct ShardClosed;

impl<C> ShardHandle<C> {
    pub(super) fn new() -> (Self, mpsc::Receiver<C>) {
        let (sender, receiver) = mpsc::channel(CAPACITY);
        (Self { sender }, receiver)
    }

    /// Queues a command without waiting, if there is room beyond what is reserved.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the command.
    pub fn try_send(&self, command: C) -> Result<(), Rejected<C>> {
        if self.sender.capacity() <= RESERVED && !self.sender.is_closed() {
            metrics::counter!("blether_transaction_queue_full_total").increment(1);
            return Err(Rejected::Full(command));
        }
        self.try_send_urgent(command)
    }

    /// Queues a command without waiting, in the reserved room if need be.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the command.
    pub fn try_send_urgent(&self, command: C) -> Result<(), Rejected<C>> {
        self.sender.try_send(command).map_err(|error| match error {
            mpsc::error::TrySendError::Full(command) => {
                metrics::counter!("blether_transaction_queue_full_total").increment(1);
                Rejected::Full(command)
            }
            mpsc::error::TrySendError::Closed(command) => Rejected::Closed(command),
        })
    }

    /// Commands that wait, and how many may.
    pub fn waiting(&self) -> (usize, usize) {
        let capacity = self.sender.max_capacity();
        (capacity - self.sender.capacity(), capacity)
    }

    /// Waits until there is room for an urgent command; another may take it first. Cancel safe.
    ///
    /// # Errors
    ///
    /// [`ShardClosed`].
    pub async fn room(&self) -> Result<(), ShardClosed> {
        self.sender.reserve().await.map(drop).map_err(|_| ShardClosed)
    }

    /// Waits for room and queues an urgent command.
    ///
    /// # Errors
    ///
    /// [`ShardClosed`].
    pub async fn send(&self, command: C) -> Result<(), ShardClosed> {
        self.sender.send(command).await.map_err(|_| ShardClosed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urgent_commands_find_room_when_others_do_not() {
        let (handle, mut queue) = ShardHandle::new();
        let taken = (0..CAPACITY).take_while(|&n| handle.try_send(n).is_ok()).count();
        assert_eq!(taken, CAPACITY - RESERVED);
        assert!((0..RESERVED).all(|n| handle.try_send_urgent(n).is_ok()));
        assert!(matches!(handle.try_send_urgent(7), Err(Rejected::Full(7))));
        queue.close();
        assert!(matches!(handle.try_send(7), Err(Rejected::Closed(7))));
    }
}

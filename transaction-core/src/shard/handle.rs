//! The queue into a shard, with room kept for what makes room.

use std::sync::Arc;

use tokio::sync::{Notify, mpsc};

/// Commands that may wait: a call sends a handful at once, so this is some thousand calls at the same instant.
const CAPACITY: usize = 4_096;

/// Room that only urgent commands may use: responses, ACK, BYE, CANCEL and the end of calls.
const RESERVED: usize = 1_024;

/// Reaches the user of a shard from elsewhere; clones share one queue.
#[derive(Debug)]
pub struct ShardHandle<C> {
    sender: mpsc::Sender<C>,
    taken: Arc<Notify>,
}

impl<C> Clone for ShardHandle<C> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone(), taken: self.taken.clone() }
    }
}

/// The end at which the shard takes commands out.
#[derive(Debug)]
pub(super) struct Commands<C> {
    receiver: mpsc::Receiver<C>,
    taken: Arc<Notify>,
}

impl<C> Commands<C> {
    /// Waits for the next one; `None` when no handle is left. Cancel safe.
    pub(super) async fn next(&mut self) -> Option<C> {
        self.receiver.recv().await
    }

    pub(super) fn try_next(&mut self) -> Option<C> {
        self.receiver.try_recv().ok()
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.receiver.len()
    }

    /// Tells those that wait for unreserved room that there is some.
    pub(super) fn announce_room(&self) {
        self.taken.notify_waiters();
    }
}

impl<C> Drop for Commands<C> {
    /// Whoever waits for room learns that there is nobody who would make any.
    fn drop(&mut self) {
        self.receiver.close();
        self.taken.notify_waiters();
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
    pub(super) fn new() -> (Self, Commands<C>) {
        let (sender, receiver) = mpsc::channel(CAPACITY);
        let taken = Arc::new(Notify::new());
        (Self { sender, taken: taken.clone() }, Commands { receiver, taken })
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

    /// Waits until there is room for a command, for an urgent one in what is reserved as well; another may take it first. Cancel safe.
    ///
    /// # Errors
    ///
    /// [`ShardClosed`].
    pub async fn room(&self, urgent: bool) -> Result<(), ShardClosed> {
        if urgent {
            return self.sender.reserve().await.map(drop).map_err(|_| ShardClosed);
        }
        loop {
            let taken = self.taken.notified();
            tokio::pin!(taken);
            // Announced between the look and the wait, it would be missed otherwise.
            taken.as_mut().enable();
            if self.sender.is_closed() {
                return Err(ShardClosed);
            }
            if self.sender.capacity() > RESERVED {
                return Ok(());
            }
            taken.await;
        }
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
        queue.receiver.close();
        assert!(matches!(handle.try_send(7), Err(Rejected::Closed(7))));
    }

    #[tokio::test]
    async fn room_that_is_reserved_is_none_for_whoever_may_not_use_it() {
        let (handle, mut queue) = ShardHandle::new();
        while handle.try_send(0).is_ok() {}
        let mut room = Box::pin(handle.room(false));
        handle.room(true).await.unwrap();
        // Urgent commands come and go in the reserved room meanwhile.
        handle.try_send_urgent(1).unwrap();
        assert!(queue.try_next().is_some());
        queue.announce_room();
        tokio::select! { biased; _ = &mut room => panic!("only reserved room is left"), () = tokio::task::yield_now() => {} }
        assert!(queue.try_next().is_some());
        queue.announce_room();
        room.await.unwrap();
        assert!(handle.try_send(2).is_ok());
        assert!(handle.try_send(3).is_err());
    }

    #[tokio::test]
    async fn whoever_waits_for_room_learns_that_the_shard_has_stopped() {
        let (handle, queue) = ShardHandle::new();
        while handle.try_send(0).is_ok() {}
        let mut room = Box::pin(handle.room(false));
        tokio::select! { biased; _ = &mut room => panic!("no room yet"), () = tokio::task::yield_now() => {} }
        drop(queue);
        assert!(room.await.is_err() && handle.room(true).await.is_err() && handle.room(false).await.is_err());
    }
}

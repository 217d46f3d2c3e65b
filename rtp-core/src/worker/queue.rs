//! The way into a worker: a bounded queue of commands, and the waker that makes its poll return.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use mio::Waker;
use tokio::sync::oneshot;

use super::NewLeg;
use super::leg::{EventSink, LegConfig, LegId, LegMode};
use super::ports::RtpSocket;
use super::statistics::LegStatistics;
use crate::error::WorkerError;
use crate::leg::{MediaDirection, PayloadTypes};

/// Commands that may wait. 1 024: a worker takes them all each turn, so this many mean that it has stood still for long.
pub(super) const MAX_WAITING: usize = 1_024;

pub(super) type Reply<T> = oneshot::Sender<Result<T, WorkerError>>;

pub(super) enum Command {
    AddLeg { socket: RtpSocket, config: Box<LegConfig>, mode: LegMode, sink: EventSink, reply: Reply<NewLeg> },
    AddBridgedLeg { socket: RtpSocket, config: Box<LegConfig>, other: LegId, sink: EventSink, reply: Reply<NewLeg> },
    SetRemote { leg: LegId, remote: SocketAddr, reply: Reply<()> },
    SetMode { leg: LegId, mode: LegMode, reply: Reply<()> },
    SetDirection { leg: LegId, direction: MediaDirection, reply: Reply<()> },
    Follow { leg: LegId, remote: SocketAddr, direction: MediaDirection, reply: Reply<()> },
    SetPayloadTypes { leg: LegId, types: PayloadTypes, reply: Reply<()> },
    Bridge { a: LegId, b: LegId, reply: Reply<()> },
    RemoveLeg { leg: LegId, reply: Option<Reply<LegStatistics>> },
    Statistics { leg: LegId, reply: Reply<LegStatistics> },
    Ping { reply: Reply<()> },
    Stop,
}

#[derive(Debug)]
pub(super) struct CommandQueue {
    waiting: Mutex<Waiting>,
    waker: Waker,
}

struct Waiting {
    commands: VecDeque<Command>,
    closed: bool,
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waiting").field("commands", &self.commands.len()).field("closed", &self.closed).finish()
    }
}

impl CommandQueue {
    pub(super) fn new(waker: Waker) -> Self {
        Self { waiting: Mutex::new(Waiting { commands: VecDeque::new(), closed: false }), waker }
    }

    /// Queues a command that may be refused.
    pub(super) fn push(&self, command: Command) -> Result<(), WorkerError> {
        self.push_within(command, MAX_WAITING)
    }

    /// Queues a command that must not be lost: the removal of a leg, of which there is one for each leg, and the end.
    pub(super) fn push_reserved(&self, command: Command) -> Result<(), WorkerError> {
        self.push_within(command, usize::MAX)
    }

    fn push_within(&self, command: Command, limit: usize) -> Result<(), WorkerError> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(WorkerError::Stopped);
        }
        if waiting.commands.len() >= limit {
            metrics::counter!("blether_rtp_refused_commands_total").increment(1);
            return Err(WorkerError::Busy { limit });
        }
        // The worker empties the queue when it wakes: whoever put something into the empty queue has woken it for all that follow.
        let asleep = waiting.commands.is_empty();
        waiting.commands.push_back(command);
        drop(waiting);
        if asleep { self.waker.wake().map_err(|error| WorkerError::Socket(error.kind())) } else { Ok(()) }
    }

    /// Takes what waits, by exchanging it for `empty`, whose room is used again.
    pub(super) fn take_into(&self, empty: &mut VecDeque<Command>) {
        std::mem::swap(&mut self.lock().commands, empty);
    }

    /// Refuses all that comes from here on, and drops what waits; whoever waits for a reply learns of it.
    pub(super) fn close(&self) {
        let mut waiting = self.lock();
        waiting.closed = true;
        let dropped = std::mem::take(&mut waiting.commands);
        drop(waiting);
        drop(dropped);
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // The queue is right after every step, so a panic elsewhere cannot have spoiled it.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Media workers: a few threads outside any async runtime, each with its own poll, that own the sockets of calls.
#![expect(clippy::disallowed_methods, reason = "the driver half: it reads the clock and tells the cores")]

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use mio::{Poll, Token, Waker};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::oneshot;

use crate::error::WorkerError;
use crate::leg::{MediaDirection, PayloadTypes};

mod leg;
mod ports;
mod queue;
mod receive_errors;
mod rtcp;
mod run;
mod silence;
mod statistics;
mod timers;

pub use leg::{EventSink, LegConfig, LegId, LegMode};
pub use ports::{PortAllocator, PortRange, RtpSocket};
pub use statistics::{Dropped, LegStatistics};

use queue::{Command, CommandQueue, Reply};
use run::Worker;

/// The token of a worker's waker. Those of legs are made of their slab keys.
const WAKE: Token = Token(usize::MAX);

/// The token of a leg's RTP socket. The RTCP socket has the next one, as its port is the next one.
fn rtp_token(key: usize) -> Token {
    Token(key * 2)
}

fn rtcp_token(key: usize) -> Token {
    Token(key * 2 + 1)
}

/// The threads that serve legs. Dropping this ends them and their legs, and waits for them.
///
/// They count by the `metrics` facade: `blether_rtp_legs`, `blether_rtp_received_packets_total` (datagrams, whatever became of them),
/// `blether_rtp_sent_packets_total`, `blether_rtp_dropped_packets_total` by `reason` (the fields of [`Dropped`]),
/// `blether_rtp_relay_lost_packets_total`, `blether_rtp_received_rtcp_packets_total`, `blether_rtp_sent_rtcp_packets_total`, `blether_rtp_leg_panics_total`; and at the end
/// of a leg `blether_rtp_network_lost_packets_total` and the histogram `blether_rtp_mos`.
#[derive(Debug)]
#[must_use = "dropping it ends the workers"]
pub struct MediaWorkers {
    handles: Vec<WorkerHandle>,
    threads: Vec<JoinHandle<()>>,
    next: AtomicUsize,
}

impl MediaWorkers {
    /// Starts `count` workers, at least one. One serves thousands of relayed calls; more than the machine has cores is no use.
    /// A metrics recorder, if there is to be one, is installed before.
    ///
    /// # Errors
    /// When the system gives no thread or no poll; workers that were started are ended.
    pub fn start(count: usize) -> io::Result<Self> {
        Self::start_with(count, rand::make_rng())
    }

    /// As [`start`](Self::start); `rng` chooses SSRCs, first sequence numbers and first timestamps, which strangers must not
    /// guess (RFC 3550 §5.1).
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_with(count: usize, mut rng: StdRng) -> io::Result<Self> {
        let mut workers = Self { handles: Vec::new(), threads: Vec::new(), next: AtomicUsize::new(0) };
        for index in 0..count.max(1) {
            let poll = Poll::new()?;
            let waker = Waker::new(poll.registry(), WAKE)?;
            let shared = Arc::new(Shared { index, queue: CommandQueue::new(waker), legs: AtomicUsize::new(0) });
            let worker = Worker::new(index, poll, Arc::clone(&shared), StdRng::from_rng(&mut rng));
            let closing = CloseOnDrop(Arc::clone(&shared));
            let thread = thread::Builder::new().name(format!("media-{index}")).spawn(move || {
                let _closing = closing;
                worker.run();
            })?;
            workers.handles.push(WorkerHandle { shared });
            workers.threads.push(thread);
        }
        Ok(workers)
    }

    /// The worker with the fewest legs; among equals, each in turn. All legs of a call are to live on one.
    #[must_use]
    pub fn worker_for_new_call(&self) -> WorkerHandle {
        let start = self.next.fetch_add(1, Ordering::Relaxed);
        let count = self.handles.len();
        (0..count)
            .filter_map(|step| self.handles.get(start.wrapping_add(step) % count))
            .min_by_key(|handle| handle.legs())
            .cloned()
            .unwrap_or_else(|| unreachable!("`start` makes at least one worker"))
    }

    /// The way to each worker, in order.
    pub fn handles(&self) -> impl ExactSizeIterator<Item = &WorkerHandle> {
        self.handles.iter()
    }

    /// How many legs all workers serve.
    #[must_use]
    pub fn legs(&self) -> usize {
        self.handles.iter().map(WorkerHandle::legs).sum()
    }
}

impl Drop for MediaWorkers {
    fn drop(&mut self) {
        for handle in &self.handles {
            // A worker that has stopped needs not be told.
            let _stopped = handle.shared.queue.push_reserved(Command::Stop);
        }
        for thread in self.threads.drain(..) {
            // Dropped by a leg's own event sink, on the worker's thread: that one cannot wait for itself.
            if thread.thread().id() != thread::current().id() && thread.join().is_err() {
                tracing::error!("a media worker's thread panicked");
            }
        }
    }
}

#[derive(Debug)]
struct Shared {
    index: usize,
    queue: CommandQueue,
    /// Legs that were added, or are about to be, and have not been removed.
    legs: AtomicUsize,
}

impl Shared {
    fn one_leg_less(&self) {
        self.legs.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A leg that was added and that nobody knows of yet. Unless it is kept, it is removed: whoever asked for it has gone.
struct NewLeg {
    id: LegId,
    unclaimed: Option<Arc<Shared>>,
}

impl NewLeg {
    fn new(id: LegId, shared: Arc<Shared>) -> Self {
        Self { id, unclaimed: Some(shared) }
    }

    fn keep(mut self) -> LegId {
        self.unclaimed = None;
        self.id
    }
}

impl Drop for NewLeg {
    fn drop(&mut self) {
        if let Some(shared) = self.unclaimed.take() {
            // A worker that has stopped has no legs.
            let _stopped = shared.queue.push_reserved(Command::RemoveLeg { leg: self.id, reply: None });
        }
    }
}

/// However a worker's thread ends, those that wait for it learn of it.
struct CloseOnDrop(Arc<Shared>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.queue.close();
    }
}

/// The way to one worker; a clone leads to the same.
///
/// Each method sends a command and waits for the reply. If the future is dropped before, the command is carried out all the same; only a leg that was being
/// added is removed again. Works in any async runtime.
#[derive(Debug, Clone)]
pub struct WorkerHandle {
    shared: Arc<Shared>,
}

impl WorkerHandle {
    /// Adds a leg. When this returns, the leg runs: packets that came to its socket before are served too. `events` is called on
    /// the worker's thread, and must not block.
    ///
    /// # Errors
    /// [`WorkerError`]; the socket is closed then and its port rests. [`WorkerError::UnknownLeg`] when `mode` relays to a leg that is not there.
    pub async fn add_leg(
        &self,
        socket: RtpSocket,
        config: LegConfig,
        mode: LegMode,
        events: EventSink,
    ) -> Result<LegId, WorkerError> {
        let (reply, answer) = oneshot::channel();
        self.add(Command::AddLeg { socket, config: Box::new(config), mode, sink: events, reply }, answer).await
    }

    /// Adds a leg and relays it and another leg of this worker to each other, from one moment on: [`add_leg`](Self::add_leg) and
    /// [`bridge`](Self::bridge) in one command.
    ///
    /// # Errors
    /// As [`add_leg`](Self::add_leg); the other leg has not changed then.
    pub async fn add_bridged_leg(
        &self,
        socket: RtpSocket,
        config: LegConfig,
        other: LegId,
        events: EventSink,
    ) -> Result<LegId, WorkerError> {
        let (reply, answer) = oneshot::channel();
        self.add(Command::AddBridgedLeg { socket, config: Box::new(config), other, sink: events, reply }, answer).await
    }

    async fn add(
        &self,
        command: Command,
        answer: oneshot::Receiver<Result<NewLeg, WorkerError>>,
    ) -> Result<LegId, WorkerError> {
        self.shared.legs.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = self.shared.queue.push(command) {
            self.shared.one_leg_less();
            return Err(error);
        }
        answer.await.unwrap_or(Err(WorkerError::Stopped)).map(NewLeg::keep)
    }

    /// Changes where the peer's SDP says it listens. The address that was signalled before, or where the peer was found, changes
    /// nothing; another one begins the latch anew.
    ///
    /// # Errors
    /// [`WorkerError`]. After [`WorkerError::Socket`] the leg has ended.
    pub async fn set_remote(&self, leg: LegId, remote: SocketAddr) -> Result<(), WorkerError> {
        self.ask(leg, |reply| Command::SetRemote { leg, remote, reply }).await
    }

    /// Changes what is done with the leg's packets. To the peer, what the leg sends stays one stream.
    ///
    /// # Errors
    /// [`WorkerError`]; the mode is as before then. A processor given is dropped.
    pub async fn set_mode(&self, leg: LegId, mode: LegMode) -> Result<(), WorkerError> {
        self.ask(leg, |reply| Command::SetMode { leg, mode, reply }).await
    }

    /// Changes which ways media goes on the leg, whatever its mode; from the reply on it holds. A leg begins as its [`LegConfig`] says.
    ///
    /// While it is not to send, nothing leaves it: what is relayed to it, made by its processor or held back by an impairment is
    /// dropped and counted as [`Dropped::send_off`]. A processor is called as before, so its clock goes on. What is sent
    /// afterwards continues the stream: the next sequence number, a timestamp later by the time that has passed, and the marker bit.
    ///
    /// While it is not to receive, what comes is counted as received and as [`Dropped::receive_off`], and goes nowhere: not to a processor,
    /// not to another leg, and keys are not heard. The peer is still found by its packets, and its loss and jitter measured. A leg that
    /// is relayed to shows no gap for it.
    ///
    /// # Errors
    /// [`WorkerError`]; nothing has changed then.
    pub async fn set_direction(&self, leg: LegId, direction: MediaDirection) -> Result<(), WorkerError> {
        self.ask(leg, |reply| Command::SetDirection { leg, direction, reply }).await
    }

    /// Takes in what an offer and its answer have agreed on: [`set_remote`](Self::set_remote) and [`set_direction`](Self::set_direction) in one
    /// command.
    ///
    /// # Errors
    /// As [`set_remote`](Self::set_remote); the direction is as before then.
    pub async fn follow(&self, leg: LegId, remote: SocketAddr, direction: MediaDirection) -> Result<(), WorkerError> {
        self.ask(leg, |reply| Command::Follow { leg, remote, direction, reply }).await
    }

    /// Changes how the payload types of the leg's peer are read, from the reply on. What is relayed keeps them until then.
    ///
    /// # Errors
    /// [`WorkerError`]; nothing has changed then.
    pub async fn set_payload_types(&self, leg: LegId, types: PayloadTypes) -> Result<(), WorkerError> {
        self.ask(leg, |reply| Command::SetPayloadTypes { leg, types, reply }).await
    }

    /// Relays each of two legs of this worker to the other, from one moment on.
    ///
    /// # Errors
    /// [`WorkerError`]; neither has changed then.
    pub async fn bridge(&self, a: LegId, b: LegId) -> Result<(), WorkerError> {
        self.ask(a, |reply| Command::Bridge { a, b, reply }).await
    }

    /// Removes a leg, also one that has ended by itself: the peer is told by an RTCP BYE, its sockets are closed, its ports rest. Legs that relay to it go on and drop.
    ///
    /// # Errors
    /// [`WorkerError`]; a leg can be removed once.
    pub async fn remove_leg(&self, leg: LegId) -> Result<LegStatistics, WorkerError> {
        self.check(leg)?;
        let (reply, answer) = oneshot::channel();
        self.shared.queue.push_reserved(Command::RemoveLeg { leg, reply: Some(reply) })?;
        answer.await.unwrap_or(Err(WorkerError::Stopped))
    }

    /// Removes a leg without waiting for it: for `Drop`. The queue always has room for this.
    pub fn remove_leg_detached(&self, leg: LegId) {
        if self.check(leg).is_ok() {
            // A worker that has stopped has no legs.
            let _stopped = self.shared.queue.push_reserved(Command::RemoveLeg { leg, reply: None });
        }
    }

    /// The leg's figures, also those of a leg that has ended by itself and was not removed.
    ///
    /// # Errors
    /// [`WorkerError`].
    pub async fn statistics(&self, leg: LegId) -> Result<LegStatistics, WorkerError> {
        self.ask(leg, |reply| Command::Statistics { leg, reply }).await
    }

    /// Returns when the worker has come to this among its commands: whether and how fast it answers.
    ///
    /// # Errors
    /// [`WorkerError::Stopped`], or [`WorkerError::Busy`] when its queue is full.
    pub async fn ping(&self) -> Result<(), WorkerError> {
        let (reply, answer) = oneshot::channel();
        self.shared.queue.push(Command::Ping { reply })?;
        answer.await.unwrap_or(Err(WorkerError::Stopped))
    }

    /// How many legs the worker serves, or is about to.
    #[must_use]
    pub fn legs(&self) -> usize {
        self.shared.legs.load(Ordering::Relaxed)
    }

    async fn ask<T>(&self, leg: LegId, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, WorkerError> {
        self.check(leg)?;
        let (reply, answer) = oneshot::channel();
        self.shared.queue.push(command(reply))?;
        answer.await.unwrap_or(Err(WorkerError::Stopped))
    }

    fn check(&self, leg: LegId) -> Result<(), WorkerError> {
        if leg.worker == self.shared.index { Ok(()) } else { Err(WorkerError::UnknownLeg) }
    }
}

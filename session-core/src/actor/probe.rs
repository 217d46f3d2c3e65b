//! A look at a running endpoint from outside: what it holds, and whether its parts answer.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use blether_rtp_core::WorkerHandle;
use blether_transaction_core::{ShardHandle, ShardsWatch};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::dispatcher::{Command, ShardCounts};
use super::media::MediaSource;

/// Looks at an [`Endpoint`](super::Endpoint) without keeping it alive; clones look at the same.
#[derive(Clone, Debug)]
pub struct Probe {
    shards: Vec<ShardHandle<Command>>,
    watch: ShardsWatch,
    media: Weak<MediaSource>,
}

/// What an endpoint was like at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointReport {
    /// Each shard, in order.
    pub shards: Vec<ShardReport>,
    /// Each media worker, in order; none once the endpoint is gone.
    pub workers: Vec<WorkerReport>,
    /// TCP connections that are open.
    pub connections: usize,
    /// Pairs of ports, RTP and RTCP, that legs have.
    pub ports_in_use: usize,
    /// Pairs that rest after their use; they are taken when no other is free.
    pub ports_resting: usize,
    /// Pairs that nobody has used lately; `None` where the system chooses the ports.
    pub ports_free: Option<usize>,
}

/// One shard at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShardReport {
    /// How long a question waited before the shard came to it; `None`: for longer than was waited, or the shard has stopped.
    pub lag: Option<Duration>,
    /// Calls whose actor lives; 0 if it did not answer.
    pub calls: usize,
    /// Transactions that have not terminated; 0 if it did not answer.
    pub transactions: usize,
    /// Commands of calls that wait for it.
    pub waiting_commands: usize,
    /// Messages that wait for it, from other shards and from connections.
    pub waiting_messages: usize,
}

/// One media worker at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkerReport {
    /// How long a question waited before it was answered; `None`: for longer than was waited, or the worker has stopped.
    pub lag: Option<Duration>,
    /// Legs that it serves.
    pub legs: usize,
}

impl EndpointReport {
    /// Whether every shard and every media worker has answered in time.
    pub fn all_answer(&self) -> bool {
        self.shards.iter().all(|shard| shard.lag.is_some())
            && !self.workers.is_empty()
            && self.workers.iter().all(|worker| worker.lag.is_some())
    }
}

impl Probe {
    pub(super) fn new(shards: Vec<ShardHandle<Command>>, watch: ShardsWatch, media: &Arc<MediaSource>) -> Self {
        Self { shards, watch, media: Arc::downgrade(media) }
    }

    /// Asks every shard and every media worker, all at once, and waits for at most `patience`. Must be called on a tokio runtime.
    pub async fn look(&self, patience: Duration) -> EndpointReport {
        let mut report = EndpointReport { connections: self.watch.connections(), ..EndpointReport::default() };
        let waiting = self.watch.waiting().map(|(messages, _)| messages);
        report.shards = (self.shards.iter().zip(waiting))
            .map(|(shard, waiting_messages)| ShardReport {
                waiting_commands: shard.waiting().0,
                waiting_messages,
                ..ShardReport::default()
            })
            .collect();
        // Held for as long as this takes to write down: with the last hold the media threads end.
        let workers: Vec<WorkerHandle> = match self.media.upgrade() {
            Some(media) => {
                report.ports_in_use = media.ports.in_use();
                report.ports_resting = media.ports.resting();
                let taken = report.ports_in_use + report.ports_resting;
                report.ports_free = media.ports.pairs().map(|pairs| pairs.saturating_sub(taken));
                media.workers.handles().cloned().collect()
            }
            None => Vec::new(),
        };
        report.workers = workers.iter().map(|worker| WorkerReport { lag: None, legs: worker.legs() }).collect();
        let mut answers = JoinSet::new();
        for (index, shard) in self.shards.iter().cloned().enumerate() {
            answers.spawn(async move {
                Answer::Shard(index, tokio::time::timeout(patience, ask(&shard)).await.ok().flatten())
            });
        }
        for (index, worker) in workers.into_iter().enumerate() {
            answers.spawn(async move {
                let asked = Instant::now();
                let answered = matches!(tokio::time::timeout(patience, worker.ping()).await, Ok(Ok(())));
                Answer::Worker(index, answered.then(|| asked.elapsed()))
            });
        }
        while let Some(answer) = answers.join_next().await {
            match answer {
                Ok(Answer::Shard(index, Some((counts, lag)))) => {
                    if let Some(shard) = report.shards.get_mut(index) {
                        (shard.calls, shard.transactions) = (counts.calls, counts.transactions);
                        shard.lag = Some(lag);
                    }
                }
                Ok(Answer::Worker(index, lag)) => {
                    if let Some(worker) = report.workers.get_mut(index) {
                        worker.lag = lag;
                    }
                }
                Ok(Answer::Shard(_, None)) | Err(_) => {}
            }
        }
        report
    }
}

enum Answer {
    Shard(usize, Option<(ShardCounts, Duration)>),
    Worker(usize, Option<Duration>),
}

/// What a shard holds, and how long it took to come to the question. It waits for room in the queue as a BYE does, so that a shard
/// that is merely busy answers.
async fn ask(shard: &ShardHandle<Command>) -> Option<(ShardCounts, Duration)> {
    let asked = Instant::now();
    let (reply, counts) = oneshot::channel();
    shard.send(Command::Count { reply }).await.ok()?;
    let counts = counts.await.ok()?;
    Some((counts, counts.at.saturating_duration_since(asked)))
}

//! The one task that writes, and the handle by which everybody else reaches it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::{Notify, mpsc, oneshot};

use super::backlog::{Backlog, BacklogLimits};
use super::error::{StoreError, StoreFailure};
use super::handle::{Question, Shared, StoreHandle, Tables};
use super::record::{AccountRecord, Moment};
use super::{Reopened, Store};
use crate::location::Location;

/// Questions that may wait for the store: people ask them.
const MAX_QUESTIONS: usize = 16;

/// Paths of corrupt databases that are remembered.
const MAX_PLACES: usize = 16;

/// How a [`Writer`] behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriterConfig {
    /// How much waits for the store, and how long.
    pub limits: BacklogLimits,
    /// Whether contacts are written at all, and before they are answered. `false` suits a [`MemoryStore`](super::MemoryStore), which keeps them no
    /// better than memory does: then [`StoreHandle::registered`] never defers. Default `true`.
    pub write_contacts: bool,
}

impl Default for WriterConfig {
    fn default() -> Self {
        Self { limits: BacklogLimits::default(), write_contacts: true }
    }
}

/// What was found in the store at the start.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Loaded {
    /// All accounts, by user.
    pub accounts: Vec<AccountRecord>,
    /// Contacts that are in the [`Location`] since.
    pub contacts: usize,
    /// Rows that could not be read, and contacts beyond the location's limits.
    pub dropped: usize,
    /// Call records of calls that the process before this one did not survive.
    pub interrupted: u64,
    /// Where the database is that was corrupt.
    pub set_aside: Option<PathBuf>,
}

/// Writes what has changed, batch by batch. To be run as one task: [`Writer::run`].
pub struct Writer<S: Store> {
    pub(super) store: S,
    shared: Arc<Shared>,
    questions: mpsc::Receiver<Question>,
    /// How the store failed, until it is opened again.
    broken: Option<StoreFailure>,
    closing: Option<oneshot::Sender<()>>,
    longest_wait: Duration,
}

impl<S: Store> Writer<S> {
    /// Fills an empty `location` from the store and makes the writer and its handle. A corrupt store is set aside, and its place taken by an empty one.
    ///
    /// # Errors
    /// [`StoreError`]: the store cannot be read. A server that is to run all the same begins with a [`MemoryStore`](super::MemoryStore).
    pub async fn open(
        mut store: S,
        config: WriterConfig,
        location: Arc<Location>,
        moment: Moment,
    ) -> Result<(Self, StoreHandle, Loaded), StoreError> {
        let mut set_aside = None;
        let snapshot = match store.load(moment.date).await {
            Err(error) if error.kind() == StoreFailure::Corrupt => {
                let reopened = store.reopen(StoreFailure::Corrupt).await?;
                if let Some(place) = &reopened.set_aside {
                    report_set_aside(&error.to_string(), place, "every account, registration and call record in it");
                }
                set_aside = reopened.set_aside;
                store.load(moment.date).await?
            }
            snapshot => snapshot?,
        };
        let (contacts, beyond) = location.restore(&snapshot.registrations, moment);
        let loaded = Loaded {
            contacts,
            dropped: snapshot.unreadable + beyond,
            interrupted: snapshot.interrupted,
            set_aside,
            accounts: snapshot.accounts,
        };
        let accounts = loaded.accounts.iter().map(|account| (account.user.as_str().into(), account.clone())).collect();
        let tables = Tables {
            backlog: Backlog::new(config.limits),
            accounts,
            last_error: None,
            set_aside: loaded.set_aside.iter().cloned().collect(),
        };
        let shared = Arc::new(Shared {
            write_contacts: config.write_contacts,
            location,
            tables: Mutex::new(tables),
            wake: Notify::new(),
        });
        let (sender, questions) = mpsc::channel(MAX_QUESTIONS);
        let handle = StoreHandle { shared: Arc::clone(&shared), questions: sender };
        metrics::gauge!("blether_store_durable").set(1.0);
        if loaded.dropped > 0 || loaded.interrupted > 0 {
            let Loaded { contacts, dropped, interrupted, .. } = loaded;
            tracing::warn!(
                contacts,
                dropped,
                interrupted,
                "the process before this one was interrupted, or left rows that cannot be used"
            );
        }
        let longest_wait = config.limits.longest_wait;
        Ok((Self { store, shared, questions, broken: None, closing: None, longest_wait }, handle, loaded))
    }

    /// Writes until [`StoreHandle::close`]. When this future is dropped, nobody waits for the store any more.
    pub async fn run(mut self) {
        let stop = StopOnDrop(Arc::clone(&self.shared));
        while self.closing.is_none() {
            let due = self.shared.tables().backlog.poll_timeout();
            tokio::select! {
                () = self.shared.wake.notified() => {}
                () = sleep_until(due) => {}
                question = self.questions.recv() => match question {
                    Some(question) => self.answer(question).await,
                    // No handle is left: nobody can change anything.
                    None => break,
                },
            }
            self.turn(Moment { now: Instant::now(), date: SystemTime::now() }).await;
        }
        // What is left goes in as it comes, until the store fails.
        loop {
            let moment = Moment { now: Instant::now(), date: SystemTime::now() };
            self.shared.tables().backlog.hurry(moment.now);
            if self.shared.tables().backlog.is_empty() || !self.turn(moment).await || self.broken.is_some() {
                break;
            }
        }
        drop(stop);
        self.store.close().await;
        if let Some(closing) = self.closing.take() {
            // Who closes may have stopped waiting.
            closing.send(()).ok();
        }
    }

    /// Does what is due at a moment; whether there was a batch.
    pub(super) async fn turn(&mut self, moment: Moment) -> bool {
        let mut names = {
            let mut tables = self.shared.tables();
            tables.backlog.handle_timeout(moment.now);
            tables.backlog.poll_batch(moment.now)
        };
        self.shared.act();
        if names.is_none() {
            return false;
        }
        if let Some(failure) = self.broken {
            match self.store.reopen(failure).await {
                Ok(reopened) => {
                    self.broken = None;
                    if reopened.fresh {
                        self.shared.tables().backlog.write_everything();
                        names.iter_mut().for_each(|names| names.everything = true);
                    }
                    self.note_set_aside(reopened);
                }
                Err(error) => {
                    self.failed(moment.now, &error);
                    return true;
                }
            }
        }
        let Some(names) = names else { return false };
        let batch = self.shared.batch(names, moment);
        let began = Instant::now();
        let result = {
            let write = self.store.write(&batch);
            tokio::pin!(write);
            loop {
                // Who waits is let go when their time is over, though the store still writes.
                // Who begins to wait meanwhile does so for as long, so that this look is not too late for them.
                let patience = self.shared.tables().backlog.poll_timeout();
                let look = patience.or_else(|| Instant::now().checked_add(self.longest_wait));
                tokio::select! {
                    result = &mut write => break result,
                    () = sleep_until(look) => {
                        self.shared.tables().backlog.handle_timeout(Instant::now());
                        self.shared.act();
                    }
                }
            }
        };
        metrics::histogram!("blether_store_write_seconds").record(began.elapsed().as_secs_f64());
        metrics::counter!("blether_store_written_rows_total").increment(u64::try_from(batch.len()).unwrap_or(u64::MAX));
        match result {
            Ok(()) => {
                self.shared.change(|tables| tables.backlog.handle_written(moment.now, Ok(())));
            }
            Err(error) => self.failed(moment.now, &error),
        }
        let (bindings, accounts, cdrs) = self.shared.tables().backlog.counts();
        for (kind, count) in [("bindings", bindings), ("accounts", accounts), ("cdrs", cdrs)] {
            metrics::gauge!("blether_store_unwritten_rows", "kind" => kind).set(count as f64);
        }
        true
    }

    fn failed(&mut self, now: Instant, error: &StoreError) {
        let failure = error.kind();
        self.broken = Some(failure);
        self.shared.change(|tables| {
            tables.last_error = Some(error.to_string());
            tables.backlog.handle_written(now, Err(failure));
        });
    }

    fn note_set_aside(&self, reopened: Reopened) {
        let Some(place) = reopened.set_aside else { return };
        let mut tables = self.shared.tables();
        let reason = tables.last_error.clone().unwrap_or_default();
        report_set_aside(
            &reason,
            &place,
            "call records written before; accounts and contacts are written anew from memory",
        );
        if tables.set_aside.len() < MAX_PLACES {
            tables.set_aside.push(place);
        }
    }

    async fn answer(&mut self, question: Question) {
        match question {
            Question::Cdrs { newest, reply } => {
                // Who asked may have stopped waiting.
                drop(reply.send(self.store.cdrs(newest).await));
            }
            Question::Close { reply } => self.closing = Some(reply),
        }
    }
}

/// Says what happened to a corrupt database, what is lost, and how to look at it.
fn report_set_aside(reason: &str, place: &Path, lost: &str) {
    metrics::counter!("blether_store_set_aside_total").increment(1);
    let place = place.display();
    tracing::error!(
        reason,
        "the database was corrupt and is now {place}; a new one is begun. Lost to this server: {lost}. To look at what can be read: \
         sqlite3 '{place}' .recover | sqlite3 recovered.db"
    );
}

/// Lets everybody go who waits for a writer that is no more, and logs the call records that it did not write.
struct StopOnDrop(Arc<Shared>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.tables().backlog.stop(Instant::now());
        self.0.act();
        self.0.log_cdrs();
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

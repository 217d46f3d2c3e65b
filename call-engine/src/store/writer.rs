//! The one task that writes, and the handle by which everybody else reaches it.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use blether_sip_core::Host;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;

use super::backlog::{Backlog, BacklogLimits};
use super::error::{StoreError, StoreFailure};
use super::handle::{Question, Shared, StoreHandle, Tables};
use super::record::{AccountRecord, Moment, Snapshot, move_to};
use super::{Reopened, SetAside, Store};
use crate::location::Location;

/// Questions that may wait for the store: people ask them.
const MAX_QUESTIONS: usize = 16;

/// How often it is looked whether the database is still there: it costs four looks at the file system, and what was answered 200 since the file went is
/// lost if the process is killed before.
const LOOK: Duration = Duration::from_secs(2);

/// Paths of corrupt databases that are remembered.
const MAX_PLACES: usize = 16;

/// What a corrupt database takes along when it is found at the start, and when it is found later.
const LOST_AT_START: &str = "every account, registration and call record in it";
const LOST_WHILE_RUNNING: &str =
    "records of calls that ended before; accounts, contacts and live calls are written anew from memory";

/// How a [`Writer`] behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriterConfig {
    /// How much waits for the store, and how long.
    pub limits: BacklogLimits,
    /// Whether contacts are written at all, and before they are answered. `false` suits a [`MemoryStore`](super::MemoryStore), which keeps them no
    /// better than memory does: then [`StoreHandle::registered`] never defers. Default `true`.
    pub write_contacts: bool,
    /// The domain under which addresses of record are kept. Those that were kept under another are found under this one from the start on: the users
    /// are the same. Default `None`: they stay as they are.
    pub domain: Option<Host>,
}

impl Default for WriterConfig {
    fn default() -> Self {
        Self { limits: BacklogLimits::default(), write_contacts: true, domain: None }
    }
}

/// What was found in the store at the start; nothing, if it could not be read.
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
    /// What the process before this one left has not been read.
    unread: bool,
    closing: Option<oneshot::Sender<()>>,
    longest_wait: Duration,
    domain: Option<Host>,
}

impl<S: Store> Writer<S> {
    /// Fills an empty `location` from the store and makes the writer and its handle. A corrupt store is set aside, and its place taken by an empty one.
    ///
    /// A store that cannot be read may be readable later: until then the server goes on from memory, as it does when a store fails that worked, and
    /// [`StoreStatus::unread`](super::StoreStatus::unread) is true. What is in the store is read then, before anything is written to it. Of an address
    /// of record whose contacts have changed meanwhile, those in memory stay.
    ///
    /// # Errors
    /// [`StoreError::NewerSchema`] and [`StoreError::InUse`]: waiting does not help, and writing would harm.
    pub async fn open(
        mut store: S,
        config: WriterConfig,
        location: Arc<Location>,
        moment: Moment,
    ) -> Result<(Self, StoreHandle, Loaded), StoreError> {
        let mut set_aside = None;
        let mut found = store.load(moment.date).await;
        if let Err(error) = &found
            && error.kind() == StoreFailure::Corrupt
        {
            let what = error.to_string();
            found = match store.reopen(StoreFailure::Corrupt).await {
                Ok(reopened) => {
                    if let Some(found) = &reopened.set_aside {
                        report_set_aside(&what, found, LOST_AT_START);
                    }
                    set_aside = reopened.set_aside.map(|found| found.place().to_owned());
                    store.load(moment.date).await
                }
                Err(error) => Err(error),
            };
        }
        let (snapshot, failed) = match found {
            Ok(snapshot) => (snapshot, None),
            Err(error @ (StoreError::NewerSchema { .. } | StoreError::InUse { .. })) => return Err(error),
            Err(error) => (Snapshot::default(), Some(error)),
        };
        let tables = Tables {
            backlog: Backlog::new(config.limits),
            accounts: BTreeMap::new(),
            last_error: None,
            set_aside: set_aside.iter().cloned().collect(),
        };
        let shared = Arc::new(Shared {
            write_contacts: config.write_contacts,
            location,
            tables: Mutex::new(tables),
            wake: Notify::new(),
            read: watch::Sender::new(failed.is_none()),
        });
        let (sender, questions) = mpsc::channel(MAX_QUESTIONS);
        let handle = StoreHandle { shared: Arc::clone(&shared), questions: sender };
        let longest_wait = config.limits.longest_wait;
        let unread = failed.is_some();
        let mut writer =
            Self { store, shared, questions, broken: None, unread, closing: None, longest_wait, domain: config.domain };
        let loaded = match failed {
            None => {
                metrics::gauge!("blether_store_durable").set(1.0);
                let full = snapshot.full.clone();
                let loaded = writer.take_in(snapshot, moment, set_aside);
                if let Some(said) = full {
                    writer.cannot_write(moment.now, StoreFailure::Full, said);
                }
                loaded
            }
            Some(error) => {
                tracing::error!(
                    "what was registered before is not known until the database can be read; phones that register again are"
                );
                writer.cannot_write(moment.now, error.kind(), error.to_string());
                Loaded { set_aside, ..Loaded::default() }
            }
        };
        Ok((writer, handle, loaded))
    }

    /// Takes what was stored into memory, where that does not know better.
    fn take_in(&self, snapshot: Snapshot, moment: Moment, set_aside: Option<PathBuf>) -> Loaded {
        let Snapshot { accounts, mut registrations, unreadable, interrupted, full: _ } = snapshot;
        let moved = self.domain.as_ref().map(|domain| move_to(domain, &mut registrations)).unwrap_or_default();
        let (contacts, beyond) = {
            let mut tables = self.shared.tables();
            registrations.retain(|set| !tables.backlog.knows_better(&set.aor));
            for account in &accounts {
                if !tables.backlog.account_has_changed(&account.user) {
                    tables.accounts.insert(account.user.as_str().into(), account.clone());
                }
            }
            for (before, now) in &moved {
                // Else the next start would find them under both. Nobody waits for it.
                drop((
                    tables.backlog.contacts_changed(moment.now, before),
                    tables.backlog.contacts_changed(moment.now, now),
                ));
            }
            drop(tables);
            // What is registered from here on is not replaced.
            self.shared.location.restore(&registrations, moment)
        };
        if !moved.is_empty() {
            let users = moved.len();
            tracing::info!(
                users,
                "registrations were kept under another domain, and are under the first of `domains` now"
            );
        }
        let dropped = unreadable + beyond;
        if dropped > 0 || interrupted > 0 {
            tracing::warn!(
                contacts,
                dropped,
                interrupted,
                "the process before this one was interrupted, or left rows that cannot be used"
            );
        }
        Loaded { accounts, contacts, dropped, interrupted, set_aside }
    }

    /// Opens the store again, and reads it if it was never read.
    async fn reopen(&mut self, failure: StoreFailure, moment: Moment) -> Result<(), StoreError> {
        let Reopened { fresh, set_aside } = self.store.reopen(failure).await?;
        if fresh {
            self.shared.tables().backlog.write_everything();
        }
        if let Some(found) = set_aside {
            self.note_set_aside(&found);
        }
        if self.unread {
            let snapshot = self.store.load(moment.date).await?;
            let contacts = self.take_in(snapshot, moment, None).contacts;
            self.unread = false;
            self.shared.read.send_replace(true);
            tracing::info!(contacts, "the database can be read; registrations were restored");
        }
        self.broken = None;
        Ok(())
    }

    /// Writes until [`StoreHandle::close`]. When this future is dropped, nobody waits for the store any more.
    pub async fn run(mut self) {
        let stop = StopOnDrop(Arc::clone(&self.shared));
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while self.closing.is_none() {
            let due = self.shared.tables().backlog.poll_timeout();
            tokio::select! {
                () = self.shared.wake.notified() => {}
                () = sleep_until(due) => {}
                _ = looks.tick() => self.look(Instant::now()).await,
                question = self.questions.recv() => match question {
                    Some(question) => self.answer(question).await,
                    // No handle is left: nobody can change anything.
                    None => break,
                },
            }
            self.turn(Moment { now: Instant::now(), date: SystemTime::now() }).await;
        }
        // What is left goes in as it comes, until the store fails; all there is, if what was written is gone.
        self.look(Instant::now()).await;
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
            if let Err(error) = self.reopen(failure, moment).await {
                self.failed(moment.now, &error);
                return true;
            }
            // The store may have turned out to be empty.
            let everything = self.shared.tables().backlog.is_writing_everything();
            names.iter_mut().for_each(|names| names.everything |= everything);
        }
        let Some(names) = names else { return false };
        let batch = self.shared.batch(names, moment);
        let began = Instant::now();
        let result = patiently(&self.shared, self.longest_wait, self.store.write(&batch)).await;
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

    /// Finds out whether what was written is still there. A store that fails is tried again anyway.
    pub(super) async fn look(&mut self, now: Instant) {
        if self.broken.is_some() {
            return;
        }
        if let Err(error) = self.store.check().await {
            self.cannot_write(now, error.kind(), error.to_string());
        }
    }

    /// The store fails, though nothing was being written.
    fn cannot_write(&mut self, now: Instant, failure: StoreFailure, said: String) {
        self.broken = Some(failure);
        self.shared.change(|tables| {
            tables.last_error = Some(said);
            tables.backlog.handle_failure(now, failure);
        });
    }

    fn failed(&mut self, now: Instant, error: &StoreError) {
        let failure = error.kind();
        self.broken = Some(failure);
        self.shared.change(|tables| {
            tables.last_error = Some(error.to_string());
            tables.backlog.handle_written(now, Err(failure));
        });
    }

    fn note_set_aside(&self, found: &SetAside) {
        let mut tables = self.shared.tables();
        let reason = tables.last_error.clone().unwrap_or_default();
        report_set_aside(&reason, found, if self.unread { LOST_AT_START } else { LOST_WHILE_RUNNING });
        if tables.set_aside.len() < MAX_PLACES {
            tables.set_aside.push(found.place().to_owned());
        }
    }

    async fn answer(&mut self, question: Question) {
        match question {
            Question::Cdrs { newest, reply } => {
                // Who asked may have stopped waiting.
                drop(reply.send(patiently(&self.shared, self.longest_wait, self.store.cdrs(newest)).await));
            }
            Question::Close { reply } => self.closing = Some(reply),
        }
    }
}

/// Waits for the store, and meanwhile lets everybody go whose time is over, though the store still works.
async fn patiently<T>(shared: &Shared, longest_wait: Duration, work: impl Future<Output = T>) -> T {
    tokio::pin!(work);
    loop {
        // Who begins to wait meanwhile does so for as long, so that this look is not too late for them.
        let patience = shared.tables().backlog.patience_ends();
        let look = patience.or_else(|| Instant::now().checked_add(longest_wait));
        tokio::select! {
            result = &mut work => break result,
            () = sleep_until(look) => {
                shared.tables().backlog.handle_timeout(Instant::now());
                shared.act();
            }
        }
    }
}

/// Says what happened to a database that was found, what is lost, and how to look at it.
fn report_set_aside(reason: &str, found: &SetAside, lost: &str) {
    metrics::counter!("blether_store_set_aside_total").increment(1);
    let place = found.place().display();
    if let SetAside::Other(_) = found {
        tracing::error!(
            reason,
            "another database was put in the place of the one in use; it is untouched and is now {place}. A new one is written from memory. To              begin with what is in the other: stop the server, and put it in its place again"
        );
        return;
    }
    tracing::error!(
        reason,
        "the database was corrupt and is now {place}; a new one is begun. Lost to this server: {lost}. To look at what can be read: \
         sqlite3 '{place}' .recover | sqlite3 recovered.db, or .dump where sqlite3 has no .recover"
    );
}

/// Lets everybody go who waits for a writer that is no more, logs the call records that it did not write, and says what else is lost.
struct StopOnDrop(Arc<Shared>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        let now = Instant::now();
        self.0.tables().backlog.stop(now);
        self.0.act();
        self.0.log_cdrs();
        self.0.log_lost(now);
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

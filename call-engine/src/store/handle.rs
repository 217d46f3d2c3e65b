//! The handle by which everybody reaches the writer, and what it shares with it.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use blether_sip_core::AddressOfRecord;
use tokio::sync::{Notify, mpsc, oneshot, watch};

use super::backlog::{Backlog, Names, Output, Place, Waiter, Written};
use super::error::{StoreError, StoreFailure};
use super::record::{AccountChange, AccountRecord, Batch, Moment, StoredBinding, StoredBindings};
use super::status::StoreStatus;
use crate::cdr::Cdr;
use crate::location::{Bindings, Location};

/// Call records that one question may ask for: reading them keeps the store from writing.
const MAX_CDRS_ASKED: u32 = 1_000;

/// Accounts that are named in one line of the log.
const MAX_NAMED: usize = 100;

/// What a REGISTER has done to the contacts of an address of record; see [`Changes::touched`](crate::registrar::Changes::touched).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Touched {
    /// Nothing: it has asked for them.
    Nothing,
    /// It has moved the expiry of contacts that were there.
    Expiry,
    /// It has added, removed or altered some.
    Contacts,
}

/// Whether something is answered now or by its [`Waiter`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Admitted<W> {
    /// The waiter was kept, and will be told.
    Later,
    /// There is nothing to wait for; here it is again. With what it would have been told: [`Written::InMemory`] while the store fails.
    Now(W, Written),
}

/// Reaches the writer; clones are cheap. No call blocks but for a look into a table.
#[derive(Clone)]
pub struct StoreHandle {
    pub(super) shared: Arc<Shared>,
    pub(super) questions: mpsc::Sender<Question>,
}

/// What only the writer can answer, since it has the store.
pub(super) enum Question {
    Cdrs { newest: u32, reply: oneshot::Sender<Result<Vec<Cdr>, StoreError>> },
    Close { reply: oneshot::Sender<()> },
}

/// What the writer and its handles share.
pub(super) struct Shared {
    pub(super) write_contacts: bool,
    pub(super) location: Arc<Location>,
    pub(super) tables: Mutex<Tables>,
    pub(super) wake: Notify,
    /// Whether what was stored before has been read.
    pub(super) read: watch::Sender<bool>,
}

pub(super) struct Tables {
    pub(super) backlog: Backlog<Box<dyn Waiter>>,
    pub(super) accounts: BTreeMap<Box<str>, AccountRecord>,
    pub(super) last_error: Option<String>,
    pub(super) set_aside: Vec<PathBuf>,
}

impl std::fmt::Debug for StoreHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreHandle").field("status", &self.status()).finish()
    }
}

impl StoreHandle {
    /// Contacts in the [`Location`] were changed, and `waiter` answers who changed them: now, if it is given back, or when they are written.
    ///
    /// To be called after the change. What a 200 lists must outlive the process: so one that changes nothing waits too, if what it lists
    /// is not written.
    pub fn registered<W: Waiter>(
        &self,
        now: Instant,
        aor: &AddressOfRecord,
        touched: Touched,
        waiter: W,
    ) -> Admitted<W> {
        if !self.shared.write_contacts {
            return Admitted::Now(waiter, Written::Durably);
        }
        self.shared.admit(now, waiter, |backlog| match touched {
            Touched::Nothing => backlog.looked_up(now, aor),
            Touched::Expiry => backlog.expiry_moved(now, aor),
            Touched::Contacts => backlog.contacts_changed(now, aor),
        })
    }

    /// Contacts of an address of record have expired and were removed from the [`Location`].
    pub fn expired(&self, now: Instant, aor: &AddressOfRecord) {
        if self.shared.write_contacts {
            // Nobody waits for it.
            self.shared.change(|tables| drop(tables.backlog.expiry_moved(now, aor)));
        }
    }

    /// Writes a call record, in the place of the one with its id: once when its call is answered, before the answer is passed on, and once when it
    /// has ended, before it is forgotten. Returns when it is written, or in memory while the store fails. It is kept from the call of this function on,
    /// whether or not the future is awaited.
    pub fn record(&self, now: Instant, cdr: Cdr) -> impl Future<Output = Written> + Send + use<> {
        let (sender, receiver) = oneshot::channel();
        // Whoever waited may have stopped.
        let waiter = move |written| {
            sender.send(written).ok();
        };
        let cdr = Arc::new(cdr.bounded());
        let admitted = self.shared.admit(now, waiter, |backlog| backlog.cdr_changed(now, cdr));
        if self.questions.is_closed() {
            // Nobody is left to write it.
            self.shared.log_cdrs();
        }
        async move {
            match admitted {
                Admitted::Now(_, written) => written,
                Admitted::Later => receiver.await.unwrap_or(Written::InMemory),
            }
        }
    }

    /// Adds, replaces or removes an account, in memory at once, and returns when that is written, or while the store fails.
    ///
    /// # Errors
    /// [`StoreError::BacklogFull`]; nothing has changed.
    pub async fn change_account(&self, now: Instant, change: AccountChange) -> Result<Written, StoreError> {
        let (sender, receiver) = oneshot::channel();
        let admitted = {
            let mut tables = self.shared.tables();
            let (user, account) = match change {
                AccountChange::Put(account) => (account.user.clone(), Some(account)),
                AccountChange::Remove(user) => (user, None),
            };
            let place = tables.backlog.account_changed(now, &user);
            let place = place.map_err(|limit| StoreError::BacklogFull { limit })?;
            match account {
                Some(account) => drop(tables.accounts.insert(user.into(), account)),
                None => drop(tables.accounts.remove(&*user)),
            }
            // Whoever waited may have stopped.
            tables.place(now, place, move |written| {
                sender.send(written).ok();
            })
        };
        self.shared.wake.notify_one();
        self.shared.act();
        Ok(match admitted {
            Admitted::Now(_, written) => written,
            Admitted::Later => receiver.await.unwrap_or(Written::InMemory),
        })
    }

    /// Waits until what was stored before has been read: no time, unless the store could not be read at the start. `false` if it never will, because
    /// the last handle and the writer are gone; the future keeps neither.
    pub fn read(&self) -> impl Future<Output = bool> + Send + use<> {
        let mut read = self.shared.read.subscribe();
        async move { read.wait_for(|read| *read).await.is_ok() }
    }

    /// All accounts of the store, by user; those alone that were changed since the start, until it has been [`read`](Self::read).
    pub fn accounts(&self) -> Vec<AccountRecord> {
        self.shared.tables().accounts.values().cloned().collect()
    }

    /// The newest call records in the store, at most 1000, the newest first.
    ///
    /// # Errors
    /// [`StoreError`]; records that are not written are not among them.
    pub async fn cdrs(&self, newest: u32) -> Result<Vec<Cdr>, StoreError> {
        let (reply, answer) = oneshot::channel();
        let question = Question::Cdrs { newest: newest.min(MAX_CDRS_ASKED), reply };
        let stopped = || StoreError::Failed {
            path: PathBuf::new(),
            kind: StoreFailure::Stopped,
            reason: "the writer has stopped".to_owned(),
        };
        self.questions.send(question).await.map_err(|_| stopped())?;
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// How the store does.
    pub fn status(&self) -> StoreStatus {
        let tables = self.shared.tables();
        let (unwritten_bindings, unwritten_accounts, unwritten_cdrs) = tables.backlog.counts();
        StoreStatus {
            durability: tables.backlog.durability(),
            unread: !*self.shared.read.borrow(),
            last_error: tables.last_error.clone(),
            unwritten_bindings,
            unwritten_accounts,
            unwritten_cdrs,
            logged_cdrs: tables.backlog.logged(),
            set_aside: tables.set_aside.clone(),
        }
    }

    /// Writes what is left, for at most `patience`, and stops the writer. Call records that cannot be written go to the log.
    pub async fn close(&self, patience: Duration) {
        let (reply, closed) = oneshot::channel();
        let closing = async {
            // A writer that is gone is closed.
            if self.questions.send(Question::Close { reply }).await.is_ok() {
                drop(closed.await);
            }
        };
        if tokio::time::timeout(patience, closing).await.is_err() {
            tracing::error!("the store did not take in what is left in {patience:?}");
            self.shared.log_cdrs();
        }
    }
}

impl Shared {
    // Nothing that can panic runs between the first and the last change under the lock.
    pub(super) fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Tables) -> T) -> T {
        let result = change(&mut self.tables());
        self.wake.notify_one();
        self.act();
        result
    }

    fn admit<W: Waiter>(
        &self,
        now: Instant,
        waiter: W,
        change: impl FnOnce(&mut Backlog<Box<dyn Waiter>>) -> Option<Place>,
    ) -> Admitted<W> {
        self.change(|tables| {
            let place = change(&mut tables.backlog);
            tables.place(now, place, waiter)
        })
    }

    /// Does what the backlog wants done, outside of its lock.
    pub(super) fn act(&self) {
        loop {
            let Some(output) = self.tables().backlog.poll_output() else { return };
            match output {
                Output::Answer(waiter, written) => {
                    if catch_unwind(AssertUnwindSafe(|| waiter.written(written))).is_err() {
                        tracing::error!("who waited for the store has panicked; the others go on");
                    }
                }
                Output::Log(cdr) => log_cdr(&cdr),
                // Who runs the writer says why, if that is not the end of the server.
                Output::Degraded(StoreFailure::Stopped) => {
                    metrics::gauge!("blether_store_durable").set(0.0);
                    tracing::debug!("the writer of the store has stopped");
                }
                Output::Degraded(failure) => {
                    let reason = self.tables().last_error.clone().unwrap_or_default();
                    metrics::gauge!("blether_store_durable").set(0.0);
                    metrics::counter!("blether_store_failures_total", "kind" => failure.as_str()).increment(1);
                    tracing::error!(
                        kind = failure.as_str(),
                        reason,
                        "the store fails: calls and registrations go on from memory and are NOT DURABLE; {}",
                        failure.remedy()
                    );
                }
                Output::Durable => {
                    metrics::gauge!("blether_store_durable").set(1.0);
                    tracing::info!("the store works again; what was kept in memory is written");
                }
            }
        }
    }

    /// Sends the call records that are not written to the log.
    pub(super) fn log_cdrs(&self) {
        let cdrs = self.tables().backlog.take_cdrs();
        cdrs.iter().for_each(|cdr| log_cdr(cdr));
    }

    /// Says which contacts and accounts are lost with this process, if any are, since nobody will write them.
    pub(super) fn log_lost(&self, now: Instant) {
        let (Names { everything, bindings, mut accounts, .. }, all) = {
            let tables = self.tables();
            let names = tables.backlog.unwritten();
            let all = if names.everything { tables.accounts.keys().cloned().collect() } else { Vec::new() };
            (names, all)
        };
        let contacts = if everything && self.write_contacts {
            self.location.contacts()
        } else {
            bindings.iter().map(|aor| self.location.bindings(aor, now).iter().count()).sum()
        };
        accounts.extend(all);
        accounts.sort_unstable();
        accounts.dedup();
        if bindings.is_empty() && accounts.is_empty() && contacts == 0 {
            return;
        }
        let named: Vec<_> = accounts.iter().take(MAX_NAMED).map(|user| user.escape_debug().to_string()).collect();
        tracing::error!(
            addresses_of_record = bindings.len(),
            contacts,
            accounts = accounts.len(),
            users = named.join(" "),
            "the store did not take in what has changed of these contacts and accounts, and the next start does not know it"
        );
    }

    /// What the names stand for at this moment.
    pub(super) fn batch(&self, names: Names, moment: Moment) -> Batch {
        let Names { everything, bindings, accounts, cdrs } = names;
        let stored = |aor: AddressOfRecord, set: Arc<Bindings>| StoredBindings {
            aor,
            contacts: set.iter().map(|binding| StoredBinding::of(binding, moment)).collect(),
        };
        let registrations = if everything && self.write_contacts {
            self.location.all(moment.now).into_iter().map(|(aor, set)| stored(aor, set)).collect()
        } else {
            bindings
                .into_iter()
                .map(|aor| (self.location.bindings(&aor, moment.now), aor))
                .map(|(s, a)| stored(a, s))
                .collect()
        };
        let tables = self.tables();
        let accounts = if everything {
            tables.accounts.values().cloned().map(AccountChange::Put).collect()
        } else {
            let change = |user: Box<str>| match tables.accounts.get(&user) {
                Some(account) => AccountChange::Put(account.clone()),
                None => AccountChange::Remove(user.into()),
            };
            accounts.into_iter().map(change).collect()
        };
        // What was written of calls that live is gone with the rest; what is named is later.
        let live: Vec<_> = if everything { tables.backlog.live_cdrs().cloned().collect() } else { Vec::new() };
        let cdrs = live.iter().chain(&cdrs).map(|cdr| Cdr::clone(cdr)).collect();
        Batch { replaces_all: everything, accounts, registrations, cdrs }
    }
}

impl Tables {
    fn place<W: Waiter>(&mut self, now: Instant, place: Option<Place>, waiter: W) -> Admitted<W> {
        match place {
            Some(place) => {
                self.backlog.attach(now, place, Box::new(waiter));
                Admitted::Later
            }
            None if self.backlog.durability().is_durable() => Admitted::Now(waiter, Written::Durably),
            None => Admitted::Now(waiter, Written::InMemory),
        }
    }
}

fn log_cdr(cdr: &Cdr) {
    metrics::counter!("blether_store_logged_cdrs_total").increment(1);
    tracing::error!(target: "engine::cdr", cdr = %cdr.to_json(), "a call record cannot be stored and is logged instead");
}

//! What outlives the process: accounts, registrations, call detail records.
//!
//! Look-ups never come here: they are done in memory, in [`Location`](crate::location::Location) and the table of accounts, which are filled from
//! the store at the start. Changes are made in memory first and then written, in batches, by one task, the [`Writer`]:
//!
//! ```text
//! shard: REGISTER ─► Location ─► StoreHandle::registered ─► backlog ─► Writer: one batch, one transaction ─► Store
//!   ▲                                                                    │
//!   └────────────── the 200, by transaction id ◄─── Waiter::written ◄────┘
//! ```
//!
//! The backlog does not hold what is to be written but whose: the batch takes the contacts of an address of record from memory when it is made. So
//! a thousand changes of one set are one write, the latest wins whichever shard was first, and what waits is bounded.
//!
//! # What is promised
//!
//! - A changed binding is written before its REGISTER is answered 200: given to the kernel, so that it outlives this process, though
//!   not each is forced to the disk: a power cut may take the last moments. A refresh that only moves the expiry is answered at once and written within
//!   [`BacklogLimits::refresh_delay`].
//! - A call record is written when its call is answered and when it has ended. One that was live when the process died is marked interrupted by
//!   the next start.
//! - While the store fails, nothing waits for it. What changes is kept in memory, within [`BacklogLimits`], marked not durable in the log, in the
//!   metric `blether_store_durable` and in [`StoreHandle::status`], and written when the store works again. Past the bound the oldest call record goes to
//!   the log, target `engine::cdr`, as one line of JSON, and `blether_store_logged_cdrs_total` counts it.
//! - A server begins without a store that cannot be read, as if it had begun to fail, and reads it when it can: what has changed meanwhile stays. Only a
//!   database of a later version and one that another server uses keep it from starting, since writing would harm there.
//! - A database that is taken away while it is in use is missed within seconds, and a new one is filled from memory: accounts, contacts, and the
//!   records of live calls.
//! - A corrupt database is set aside under a new name, never overwritten, and a new one is filled from memory; so is another database that is put in
//!   the place of the one in use.
//!
//! Two bodies: [`MemoryStore`] and [`SqliteStore`]; one suite of tests runs on both.

mod backlog;
mod error;
mod handle;
mod memory;
mod record;
mod set_aside;
mod sqlite;
mod status;
mod writer;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

pub use backlog::{BacklogLimits, Waiter, Written};
pub use error::{StoreError, StoreFailure};
pub use handle::{Admitted, StoreHandle, Touched};
pub use memory::MemoryStore;
pub use record::{AccountChange, AccountRecord, Batch, Moment, Snapshot, StoredBinding, StoredBindings};
pub use sqlite::{SqliteConfig, SqliteStore};
pub use status::{Durability, StoreStatus};
pub use writer::{Loaded, Writer, WriterConfig};

use crate::cdr::Cdr;

/// Where accounts, registrations and call records are kept. One writer uses it, one call after another.
///
/// After an error of [`Store::write`], [`Store::reopen`] is called before the next.
pub trait Store: Send + 'static {
    /// Reads what look-ups need, for a process that begins at `date`: contacts that have expired go, and call records without an
    /// end are marked [`Interrupted`](crate::cdr::CdrEnd::Interrupted). Where there is no room to mark them, that is done with the first batch that
    /// is written, and [`Snapshot::full`] says so.
    ///
    /// # Errors
    /// [`StoreError`]; the store may be tried again.
    fn load(&mut self, date: SystemTime) -> impl Future<Output = Result<Snapshot, StoreError>> + Send;

    /// Writes a batch, whole or not at all. When this returns it outlives the process, if this body promises that at all.
    ///
    /// # Errors
    /// [`StoreError`]; nothing of it is written.
    fn write(&mut self, batch: &Batch) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Whether what was written is where the next process will look for it. Asked every few seconds, and before the store is closed; quick. Where
    /// nobody can take it away, there is nothing to do.
    ///
    /// # Errors
    /// [`StoreError`], as if a batch had not been written.
    fn check(&mut self) -> impl Future<Output = Result<(), StoreError>> + Send {
        std::future::ready(Ok(()))
    }

    /// The newest call records, the newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    fn cdrs(&mut self, newest: u32) -> impl Future<Output = Result<Vec<Cdr>, StoreError>> + Send;

    /// Makes the store usable again after a failure. What is corrupt is set aside, and so is what was put in
    /// its place.
    ///
    /// # Errors
    /// [`StoreError`]; call it again later.
    fn reopen(&mut self, after: StoreFailure) -> impl Future<Output = Result<Reopened, StoreError>> + Send;

    /// Gives back files and locks. The store cannot be used any more.
    fn close(&mut self) -> impl Future<Output = ()> + Send;
}

/// What [`Store::reopen`] has found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reopened {
    /// The store is empty, or another than before: all that is in memory must be written.
    pub fresh: bool,
    /// What was found and not written to, and where it is.
    pub set_aside: Option<SetAside>,
}

/// A database that was put out of the way, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetAside {
    /// It is corrupt.
    Corrupt(PathBuf),
    /// Somebody has put it in the place of the one that was in use.
    Other(PathBuf),
}

impl SetAside {
    /// Where it is.
    pub fn place(&self) -> &Path {
        let (Self::Corrupt(place) | Self::Other(place)) = self;
        place
    }
}

#[cfg(test)]
mod tests;

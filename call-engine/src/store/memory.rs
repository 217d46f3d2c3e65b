//! The store that is gone with the process: for tests, and for a server without a data folder.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use blether_sip_core::AddressOfRecord;

use super::record::{AccountChange, AccountRecord, Batch, Snapshot, StoredBinding, StoredBindings};
use super::{Reopened, Store, StoreError, StoreFailure};
use crate::cdr::{Cdr, CdrEnd, CdrId};

/// Call records that are kept: with nothing on disk, the newest are what somebody may still ask for. At 1 KB each, 10 MB.
const MAX_CDRS: usize = 10_000;

/// A [`Store`] in memory. Clones share what it holds.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    tables: Arc<Mutex<Tables>>,
}

#[derive(Debug, Default)]
struct Tables {
    accounts: BTreeMap<String, AccountRecord>,
    registrations: BTreeMap<AddressOfRecord, Vec<StoredBinding>>,
    cdrs: BTreeMap<CdrId, Cdr>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    // Nothing that can panic runs between the first and the last change under the lock.
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    async fn load(&mut self, date: SystemTime) -> Result<Snapshot, StoreError> {
        let mut tables = self.tables();
        tables.registrations.retain(|_, contacts| {
            contacts.retain(|contact| date < contact.expires_at);
            !contacts.is_empty()
        });
        let mut interrupted = 0;
        for cdr in tables.cdrs.values_mut().filter(|cdr| cdr.end.is_none()) {
            cdr.end = Some(CdrEnd::Interrupted);
            interrupted += 1;
        }
        let registrations = tables.registrations.iter();
        let registrations =
            registrations.map(|(aor, contacts)| StoredBindings { aor: aor.clone(), contacts: contacts.clone() });
        Ok(Snapshot {
            registrations: registrations.collect(),
            accounts: tables.accounts.values().cloned().collect(),
            interrupted,
            ..Snapshot::default()
        })
    }

    async fn write(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let mut tables = self.tables();
        if batch.replaces_all {
            tables.accounts.clear();
            tables.registrations.clear();
        }
        for change in &batch.accounts {
            match change {
                AccountChange::Put(account) => drop(tables.accounts.insert(account.user.clone(), account.clone())),
                AccountChange::Remove(user) => drop(tables.accounts.remove(user)),
            }
        }
        for StoredBindings { aor, contacts } in &batch.registrations {
            if contacts.is_empty() {
                tables.registrations.remove(aor);
            } else {
                tables.registrations.insert(aor.clone(), contacts.clone());
            }
        }
        for cdr in &batch.cdrs {
            tables.cdrs.insert(cdr.id, cdr.clone());
        }
        while tables.cdrs.len() > MAX_CDRS {
            tables.cdrs.pop_first();
        }
        Ok(())
    }

    async fn cdrs(&mut self, newest: u32) -> Result<Vec<Cdr>, StoreError> {
        let newest = usize::try_from(newest).unwrap_or(usize::MAX);
        Ok(self.tables().cdrs.values().rev().take(newest).cloned().collect())
    }

    async fn reopen(&mut self, _after: StoreFailure) -> Result<Reopened, StoreError> {
        Ok(Reopened::default())
    }

    async fn close(&mut self) {}
}

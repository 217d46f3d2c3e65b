//! How the store does, for `/healthz`, metrics and people.

use std::path::PathBuf;
use std::time::Instant;

use super::error::StoreFailure;

/// Whether what is answered outlives the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Changes are written before they are answered.
    Durable,
    /// The store fails; changes are kept in memory and written later.
    Degraded {
        /// Why.
        failure: StoreFailure,
        /// Since when.
        since: Instant,
    },
}

impl Durability {
    /// Whether changes are written before they are answered.
    pub fn is_durable(self) -> bool {
        self == Self::Durable
    }
}

/// How the store does at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreStatus {
    /// Whether what is answered outlives the process.
    pub durability: Durability,
    /// What was stored before could not be read at the start, nor since: contacts and accounts in it are not known here.
    pub unread: bool,
    /// What the store last said when it failed; kept after it works again.
    pub last_error: Option<String>,
    /// Addresses of record whose contacts are to be written, those of the batch being written included.
    pub unwritten_bindings: usize,
    /// Accounts to be written.
    pub unwritten_accounts: usize,
    /// Call records to be written.
    pub unwritten_cdrs: usize,
    /// Call records that went to the log instead, since the start.
    pub logged_cdrs: u64,
    /// Where corrupt databases were put, since the start.
    pub set_aside: Vec<PathBuf>,
}

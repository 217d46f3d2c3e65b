//! Why a store does not do what it is asked.

use std::path::PathBuf;

/// The kind of a failure: what an operator does about it, and what the writer does by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StoreFailure {
    /// No room on the disk, or the quota is used up.
    Full,
    /// Another process holds the database.
    Locked,
    /// What is in the file is no database, or a damaged one.
    Corrupt,
    /// The file that was written to was moved, removed or replaced: what is in it is lost to the next process.
    Gone,
    /// It takes longer than those who wait can wait.
    Slow,
    /// Anything else: the file or its folder is not there or not writable, or the disk fails.
    Unavailable,
    /// The writer has stopped.
    Stopped,
}

impl StoreFailure {
    /// A name for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Locked => "locked",
            Self::Corrupt => "corrupt",
            Self::Gone => "gone",
            Self::Slow => "slow",
            Self::Unavailable => "unavailable",
            Self::Stopped => "stopped",
        }
    }

    /// What a person does about it.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Full => "free space on the disk of the data folder",
            Self::Locked => "end the program that holds the database, such as an open sqlite3 shell",
            Self::Corrupt => "the file is set aside and a new one begun; check the disk",
            Self::Gone => {
                "a new one is written from memory, without the records of calls that have ended, and what was put in its place is set aside; \
                 find out who takes it away, and stop the server before you do"
            }
            Self::Slow => "the disk is slower than the load; look for what else uses it",
            Self::Unavailable => "check that the data folder is there and that this user may write in it",
            Self::Stopped => "the server is stopping; if it is not, restart it and report the log",
        }
    }
}

/// Why a store does not do what it is asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused an operation. It may work again later.
    #[error("the database {path} cannot be used ({reason}): {}", kind.remedy())]
    Failed {
        /// The file.
        path: PathBuf,
        /// What kind of failure this is.
        kind: StoreFailure,
        /// What the database said.
        reason: String,
    },
    /// A later version of this program has written the database.
    #[error(
        "the database {path} has schema version {version}, which this program does not know: start the version that wrote it"
    )]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// The schema version that is not known here.
        version: i64,
    },
    /// Another server of ours uses the same data folder.
    #[error("the database {path} is in use by another call-engine: stop that one, or choose another data folder")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// There is no room for more to be written later.
    #[error("{limit} changes of accounts wait for the database already: {}", StoreFailure::Unavailable.remedy())]
    BacklogFull {
        /// How many may wait.
        limit: usize,
    },
}

impl StoreError {
    /// The kind of the failure.
    pub fn kind(&self) -> StoreFailure {
        match self {
            Self::Failed { kind, .. } => *kind,
            Self::NewerSchema { .. } | Self::BacklogFull { .. } => StoreFailure::Unavailable,
            Self::InUse { .. } => StoreFailure::Locked,
        }
    }
}

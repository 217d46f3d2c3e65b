//! How an operator asks a running server, and changes its accounts: a socket in the data folder, which the owner of the server alone can open.
//!
//! One connection is one question: a line of JSON, a [`Request`]. The answer is lines of JSON, each a [`Reply`]: any number of
//! [`Reply::Item`], then [`Reply::Done`] or [`Reply::Error`]. Where no server runs, [`offline`] changes accounts in the database itself.

mod client;
mod items;
pub mod offline;
mod server;

use serde::{Deserialize, Serialize};

pub use client::{AskError, ask};
pub use items::{AccountItem, CallItem, CallState, RegistrationItem};
pub use server::{CannotListen, ControlSocket, Unused};

use crate::engine::ChangeError;
use crate::store::Written;

/// The name of the socket in the data folder.
pub const FILE_NAME: &str = "control.sock";

/// The longest line of a request, in bytes: three times what the longest account takes.
const MAX_REQUEST: usize = 4_096;

/// What is asked. It may hold a password, so it has no `Debug`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// The calls that live, as [`CallItem`]s.
    Calls,
    /// The contacts of everybody, as [`RegistrationItem`]s.
    Registrations,
    /// The accounts, as [`AccountItem`]s.
    AccountList,
    /// Adds an account.
    AccountAdd {
        /// The extension.
        user: String,
        /// What others see when it calls; the user where nothing is said.
        display_name: Option<String>,
        /// Its password.
        password: String,
    },
    /// Gives an account another password.
    AccountPasswd {
        /// The extension.
        user: String,
        /// The new password.
        password: String,
    },
    /// Removes an account and its registrations.
    AccountRemove {
        /// The extension.
        user: String,
    },
}

/// One line of the answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// One of what was asked for.
    Item(serde_json::Value),
    /// All is said, or done; nothing follows.
    Done(Done),
    /// It was not done; nothing follows.
    Error(Refusal),
}

/// That something was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Done {
    /// How well the change is kept; nothing for a question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<Kept>,
}

/// How well a change is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// It outlives the server.
    Durably,
    /// It holds from now on, and is written when the store works again.
    InMemory,
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The kind, for programs: `invalid`, `exists`, `unknown`, `configured`, `limit`, `store`.
    pub kind: String,
    /// For people.
    pub message: String,
}

impl Refusal {
    fn new(kind: &str, message: impl ToString) -> Self {
        Self { kind: kind.to_owned(), message: message.to_string() }
    }
}

impl From<&ChangeError> for Refusal {
    fn from(error: &ChangeError) -> Self {
        let kind = match error {
            ChangeError::Invalid(_) => "invalid",
            ChangeError::Exists(_) => "exists",
            ChangeError::Unknown(_) => "unknown",
            ChangeError::Configured(_) => "configured",
            ChangeError::TooMany => "limit",
            ChangeError::Store(_) => "store",
        };
        Self::new(kind, error)
    }
}

impl From<Written> for Done {
    fn from(written: Written) -> Self {
        let kept = match written {
            Written::Durably => Kept::Durably,
            Written::InMemory => Kept::InMemory,
        };
        Self { kept: Some(kept) }
    }
}

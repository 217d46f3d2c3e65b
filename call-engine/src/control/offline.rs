//! Accounts, where no server runs: in the database itself.

use std::path::PathBuf;
use std::time::SystemTime;

use super::{AccountItem, Done, Kept, Refusal, Request};
use crate::account::{Account, AccountError, Accounts};
use crate::config::{AccountConfig, Config, Password};
use crate::engine::{self, ChangeError};
use crate::store::{AccountChange, Batch, SqliteConfig, SqliteStore, Store, StoreError, StoredBindings};

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// A server has the database, though it was not found to answer.
    #[error(
        "a server has the database {} but does not answer at {}: if it has just been started or told to stop, try again; else look into its log",
        database.display(), socket.display()
    )]
    ServerRuns {
        /// The database.
        database: PathBuf,
        /// Where it should answer.
        socket: PathBuf,
    },
    /// Only a running server can tell.
    #[error("only a running server can tell that")]
    NeedsServer,
    /// The change cannot be made.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// The accounts of the configuration cannot be.
    #[error(transparent)]
    Configured(#[from] AccountError),
}

impl From<StoreError> for OfflineError {
    fn from(error: StoreError) -> Self {
        Self::Change(error.into())
    }
}

impl OfflineError {
    /// As a running server would say it.
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::Change(error) => error.into(),
            Self::ServerRuns { .. } | Self::NeedsServer => Refusal::new("store", self),
            Self::Configured(_) => Refusal::new("invalid", self),
        }
    }
}

/// Does what `request` asks with the accounts in the database of the configuration's data folder, which is taken for as long.
///
/// # Errors
/// [`OfflineError`]; nothing has changed then.
pub async fn apply(config: &Config, request: Request) -> Result<(Vec<AccountItem>, Done), OfflineError> {
    let database = config.data_dir.join(engine::DATABASE);
    let mut store = match SqliteStore::new(SqliteConfig::new(&database)) {
        Err(StoreError::InUse { path }) => {
            return Err(OfflineError::ServerRuns { database: path, socket: config.data_dir.join(super::FILE_NAME) });
        }
        store => store?,
    };
    // Nothing lives that this could take for dead: no server runs.
    let snapshot = store.load(SystemTime::now()).await?;
    let configured = config.accounts.iter().map(|account| {
        Account::new(&account.user, &config.realm, account.password.expose(), Some(&account.display_name))
    });
    let configured = Accounts::new(configured.collect::<Result<Vec<_>, _>>()?)?;
    let accounts = engine::all_accounts(configured, snapshot.accounts, &config.realm);
    let mut batch = Batch::default();
    match request {
        Request::Calls | Request::Registrations => return Err(OfflineError::NeedsServer),
        Request::AccountList => {
            store.close().await;
            return Ok((accounts.iter().map(AccountItem::of).collect(), Done::default()));
        }
        Request::AccountAdd { user, display_name, password } => {
            let display_name = display_name.unwrap_or_else(|| user.clone());
            let account = AccountConfig { display_name, user, password: Password::from(password) };
            engine::check_new(&accounts, &account)?;
            batch.accounts.push(AccountChange::Put(engine::hashed(&account, &config.realm)?));
        }
        Request::AccountPasswd { user, password } => {
            let account = engine::with_password(&accounts, &user, Password::from(password))?;
            batch.accounts.push(AccountChange::Put(engine::hashed(&account, &config.realm)?));
        }
        Request::AccountRemove { user } => {
            engine::check_stored(&accounts, &user)?;
            let theirs = snapshot.registrations.into_iter().filter(|stored| *stored.aor.user() == *user);
            batch.registrations =
                theirs.map(|stored| StoredBindings { aor: stored.aor, contacts: Vec::new() }).collect();
            batch.accounts.push(AccountChange::Remove(user));
        }
    }
    let written = store.write(&batch).await;
    store.close().await;
    written?;
    Ok((Vec::new(), Done { kept: Some(Kept::Durably) }))
}

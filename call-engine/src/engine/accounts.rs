//! Accounts that come and go while the engine runs.

use std::sync::Arc;
use std::time::Instant;

use super::{Core, EngineHandle};
use crate::account::{Account, AccountSource, Accounts, SharedAccounts};
use crate::config::{AccountConfig, Password, ValueError};
use crate::store::{AccountChange, AccountRecord, Admitted, StoreError, Touched, Written};

/// Accounts at a time, those of the configuration included: as many as [`LocationLimits`](crate::location::LocationLimits) lets be registered.
const MAX_ACCOUNTS: usize = 100_000;

/// Why an account was not changed. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The user, the password or the display name cannot be.
    #[error(transparent)]
    Invalid(#[from] ValueError),
    /// There is such an account.
    #[error("user {0:?} has an account already; `passwd` gives it another password")]
    Exists(String),
    /// There is no such account.
    #[error("user {0:?} has no account")]
    Unknown(String),
    /// It is the configuration's.
    #[error(
        "the account of user {0:?} stands in the configuration file, which alone can change it: edit the file and restart the server"
    )]
    Configured(String),
    /// There are enough.
    #[error("there are {MAX_ACCOUNTS} accounts, which is the limit")]
    TooMany,
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl EngineHandle {
    /// The accounts.
    pub fn accounts(&self) -> &SharedAccounts {
        &self.0.accounts
    }

    /// Adds an account, which can log in from the return of this function on. Returns how well it is kept: [`Written::InMemory`] while the store
    /// fails, until it works again.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn add_account(&self, account: &AccountConfig) -> Result<Written, ChangeError> {
        let core = &*self.0;
        let changing = core.changing_accounts.lock().await;
        check_new(&core.accounts.now(), account)?;
        let written = core.put_account(account).await?;
        drop(changing);
        tracing::info!(user = account.user, "an account was added");
        Ok(written)
    }

    /// Gives an account another password; what was known by the old one stays registered until it expires, and cannot be renewed.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn change_password(&self, user: &str, password: Password) -> Result<Written, ChangeError> {
        let core = &*self.0;
        let changing = core.changing_accounts.lock().await;
        let account = with_password(&core.accounts.now(), user, password)?;
        let written = core.put_account(&account).await?;
        drop(changing);
        tracing::info!(user, "an account has another password");
        Ok(written)
    }

    /// Removes an account, and every contact that is registered as its user. Calls that it is in go on.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn remove_account(&self, user: &str) -> Result<Written, ChangeError> {
        let core = &*self.0;
        let changing = core.changing_accounts.lock().await;
        check_stored(&core.accounts.now(), user)?;
        let written = core.store.change_account(Instant::now(), AccountChange::Remove(user.to_owned())).await?;
        let without = core.accounts.now().without(user);
        core.accounts.replace(without);
        let contacts = core.forget_contacts_of(Instant::now(), user);
        drop(changing);
        tracing::info!(user, contacts, "an account was removed");
        Ok(written)
    }
}

/// Whether an account can be added to these.
pub(crate) fn check_new(accounts: &Accounts, account: &AccountConfig) -> Result<(), ChangeError> {
    account.check()?;
    match accounts.get(&account.user).map(Account::source) {
        Some(AccountSource::Configuration) => Err(ChangeError::Configured(account.user.clone())),
        Some(AccountSource::Store) => Err(ChangeError::Exists(account.user.clone())),
        None if accounts.len() >= MAX_ACCOUNTS => Err(ChangeError::TooMany),
        None => Ok(()),
    }
}

/// The account of `user` with another password.
pub(crate) fn with_password(accounts: &Accounts, user: &str, password: Password) -> Result<AccountConfig, ChangeError> {
    let display_name = check_stored(accounts, user)?.display_name().unwrap_or(user).to_owned();
    let account = AccountConfig { user: user.to_owned(), password, display_name };
    account.check()?;
    Ok(account)
}

/// What is stored of an account.
pub(crate) fn hashed(account: &AccountConfig, realm: &str) -> Result<AccountRecord, ChangeError> {
    let AccountConfig { user, password, display_name } = account;
    match Account::new(user, realm, password.expose(), Some(display_name)) {
        Ok(account) => Ok(account.to_record(realm)),
        Err(_) => Err(ValueError::User(user.clone()).into()),
    }
}

/// The account of `user`, if commands may change it.
pub(crate) fn check_stored<'a>(accounts: &'a Accounts, user: &str) -> Result<&'a Account, ChangeError> {
    match accounts.get(user) {
        None => Err(ChangeError::Unknown(user.to_owned())),
        Some(account) => match account.source() {
            AccountSource::Configuration => Err(ChangeError::Configured(user.to_owned())),
            AccountSource::Store => Ok(account),
        },
    }
}

/// The accounts of the configuration, and beside them those of the store: where both have one, the configuration's is it.
pub(crate) fn all_accounts(configured: Accounts, stored: Vec<AccountRecord>, realm: &str) -> Accounts {
    let usable = |record: AccountRecord| {
        let (user, of_realm) = (record.user.clone(), record.realm.clone());
        if configured.get(&user).is_some() {
            tracing::info!(user, "an account of the store gives way to the one in the configuration file");
            return None;
        }
        if of_realm != realm {
            tracing::warn!(
                user,
                of_realm,
                realm,
                "this account's password was set for another realm: nobody can log in by it until it is set again"
            );
        }
        Account::from_record(record)
            .inspect_err(|error| tracing::warn!(%error, "an account of the store cannot be used"))
            .ok()
    };
    configured.with_all(stored.into_iter().filter_map(usable))
}

impl Core {
    /// Drops the contacts of users who have no account any more: removed from the configuration, or a moment before the process was killed.
    pub(super) fn forget_strangers(&self, now: Instant) {
        let accounts = Arc::clone(&self.accounts.now());
        for (aor, _) in self.location.all(now) {
            if accounts.get(aor.user()).is_none() {
                let contacts = self.forget_contacts_of(now, aor.user());
                tracing::info!(%aor, contacts, "registrations of a user without an account were dropped");
            }
        }
    }

    /// Serves the accounts of a store that could not be read at the start; what commands have changed meanwhile stays.
    pub(super) async fn serve_late_accounts(&self) {
        let changing = self.changing_accounts.lock().await;
        let now = Accounts::clone(&self.accounts.now());
        let mut stored = self.store.accounts();
        stored
            .retain(|record| now.get(&record.user).is_none_or(|known| known.source() == AccountSource::Configuration));
        self.accounts.replace(all_accounts(now, stored, &self.realm));
        self.forget_strangers(Instant::now());
        drop(changing);
    }

    /// Writes an account and puts it into the table. The lock of changes is to be held.
    async fn put_account(&self, account: &AccountConfig) -> Result<Written, ChangeError> {
        let record = hashed(account, &self.realm)?;
        let written = self.store.change_account(Instant::now(), AccountChange::Put(record.clone())).await?;
        let stored = Account::from_record(record).map_err(|_| ValueError::User(account.user.clone()))?;
        let with = self.accounts.now().with(stored);
        self.accounts.replace(with);
        Ok(written)
    }

    /// Takes out the contacts of a user who has no account any more; how many there were.
    pub(super) fn forget_contacts_of(&self, now: Instant, user: &str) -> usize {
        let Some(aor) = self.registrar.domains().local(user) else { return 0 };
        loop {
            let bindings = self.location.bindings(&aor, now);
            if bindings.is_empty() && bindings.version().is_none() {
                return 0;
            }
            // Somebody may have been faster: then again.
            if self.location.compare_and_swap(&aor, bindings.version(), Vec::new()).is_ok() {
                // Nobody waits for it: contacts without an account are dropped at the start as well.
                let (Admitted::Later | Admitted::Now(..)) =
                    self.store.registered(now, &aor, Touched::Contacts, |_: Written| ());
                return bindings.len();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use blether_sip_core::digest::{Algorithm, ha1};

    use super::*;

    #[test]
    fn a_full_store_is_taken_in_by_one_table_and_the_configuration_wins() {
        let hash = |algorithm| ha1(algorithm, "a", "blether", "long-enough");
        let (md5, sha256) = (hash(Algorithm::Md5), hash(Algorithm::Sha256));
        let record = |user: usize| AccountRecord {
            user: user.to_string(),
            realm: "blether".to_owned(),
            display_name: None,
            md5: md5.clone(),
            sha256: sha256.clone(),
        };
        let configured = Account::new("7", "blether", "long-enough", Some("Morag")).unwrap();
        // A copy of the table for each of them would take longer than a test may.
        let all =
            all_accounts(Accounts::new([configured]).unwrap(), (0..MAX_ACCOUNTS).map(record).collect(), "blether");
        assert_eq!(all.len(), MAX_ACCOUNTS);
        assert_eq!(all.get("7").unwrap().source(), AccountSource::Configuration);
    }
}

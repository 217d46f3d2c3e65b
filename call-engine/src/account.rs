//! Who may register and call, and what their passwords are checked against.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use arc_swap::ArcSwap;
use blether_sip_core::digest::{Algorithm, Ha1, ha1};

use crate::store::AccountRecord;

/// One user of this server. It holds hashes for the realm, never the password.
#[derive(Debug, Clone)]
pub struct Account {
    user: Box<str>,
    display_name: Option<Box<str>>,
    md5: Ha1,
    sha256: Ha1,
    source: AccountSource,
}

/// Where an account comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AccountSource {
    /// The configuration, which alone can change it.
    Configuration,
    /// The store, where commands put it.
    Store,
}

impl AccountSource {
    /// A name for lists.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Store => "store",
        }
    }
}

/// Why an account, or a table of them, cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// The digest joins user, realm and password with colons, and an address of record needs a user.
    #[error("user {0:?} cannot have an account: it is empty or has a colon or a control character in it")]
    User(String),
    /// An empty password protects nothing.
    #[error("user {0:?} has an empty password")]
    NoPassword(String),
    /// Two accounts of one user.
    #[error("user {0:?} has two accounts; remove one")]
    Duplicate(String),
}

impl Account {
    /// Makes an account of the configuration from a password, which is not kept: only H(A1) for `realm`, in MD5 and SHA-256 (RFC 8760).
    ///
    /// # Errors
    /// The user name cannot stand in a digest, or the password is empty.
    pub fn new(user: &str, realm: &str, password: &str, display_name: Option<&str>) -> Result<Self, AccountError> {
        if user.is_empty() || user.contains(|c: char| c == ':' || c.is_control()) {
            return Err(AccountError::User(user.to_owned()));
        }
        if password.is_empty() {
            return Err(AccountError::NoPassword(user.to_owned()));
        }
        Ok(Self {
            user: user.into(),
            display_name: display_name.map(Into::into),
            md5: ha1(Algorithm::Md5, user, realm, password),
            sha256: ha1(Algorithm::Sha256, user, realm, password),
            source: AccountSource::Configuration,
        })
    }

    /// Makes an account from what a store holds.
    ///
    /// # Errors
    /// The user name cannot stand in a digest.
    pub fn from_record(record: AccountRecord) -> Result<Self, AccountError> {
        let AccountRecord { user, realm: _, display_name, md5, sha256 } = record;
        if user.is_empty() || user.contains(|c: char| c == ':' || c.is_control()) {
            return Err(AccountError::User(user));
        }
        Ok(Self {
            user: user.into(),
            display_name: display_name.map(Into::into),
            md5,
            sha256,
            source: AccountSource::Store,
        })
    }

    /// What a store holds of this account, whose hashes are for `realm`.
    pub fn to_record(&self, realm: &str) -> AccountRecord {
        AccountRecord {
            user: self.user().to_owned(),
            realm: realm.to_owned(),
            display_name: self.display_name().map(str::to_owned),
            md5: self.md5.clone(),
            sha256: self.sha256.clone(),
        }
    }

    /// The name that the user types into a phone, and the user of the address of record. Case matters (RFC 3261 §19.1.4).
    pub fn user(&self) -> &str {
        &self.user
    }

    /// What others see beside the number.
    pub fn display_name(&self) -> Option<&str> {
        self.display_name.as_deref()
    }

    /// Where it comes from.
    pub fn source(&self) -> AccountSource {
        self.source
    }

    /// What a digest of this algorithm is checked against; `None` for one that no hash is kept of.
    pub fn ha1(&self, algorithm: Algorithm) -> Option<&Ha1> {
        match algorithm {
            Algorithm::Md5 => Some(&self.md5),
            Algorithm::Sha256 => Some(&self.sha256),
            Algorithm::Sha512_256 => None,
        }
    }
}

/// All accounts by user. It never changes: to add an account, make another table and put it in the place of this one ([`SharedAccounts`]).
#[derive(Debug, Default, Clone)]
pub struct Accounts {
    /// Behind an `Arc` each, so that another table with one account more is cheap to make.
    by_user: BTreeMap<Box<str>, Arc<Account>>,
}

impl Accounts {
    /// Makes a table.
    ///
    /// # Errors
    /// [`AccountError::Duplicate`]: two accounts have the same user.
    pub fn new(accounts: impl IntoIterator<Item = Account>) -> Result<Self, AccountError> {
        let mut by_user = BTreeMap::new();
        for account in accounts {
            if let Some(twin) = by_user.insert(account.user.clone(), Arc::new(account)) {
                return Err(AccountError::Duplicate(twin.user().to_owned()));
            }
        }
        Ok(Self { by_user })
    }

    /// The account of a user.
    pub fn get(&self, user: &str) -> Option<&Account> {
        self.by_user.get(user).map(Arc::as_ref)
    }

    /// All accounts, ordered by user.
    pub fn iter(&self) -> impl Iterator<Item = &Account> {
        self.by_user.values().map(Arc::as_ref)
    }

    /// This table with `account` in it, in the place of the one of its user.
    #[must_use]
    pub fn with(&self, account: Account) -> Self {
        self.with_all([account])
    }

    /// This table with these accounts in it, each in the place of the one of its user.
    #[must_use]
    pub fn with_all(&self, accounts: impl IntoIterator<Item = Account>) -> Self {
        let mut with = self.clone();
        with.by_user.extend(accounts.into_iter().map(|account| (account.user.clone(), Arc::new(account))));
        with
    }

    /// This table without the account of `user`.
    #[must_use]
    pub fn without(&self, user: &str) -> Self {
        let mut without = self.clone();
        without.by_user.remove(user);
        without
    }

    /// How many accounts there are.
    pub fn len(&self) -> usize {
        self.by_user.len()
    }

    /// Whether nobody can log in.
    pub fn is_empty(&self) -> bool {
        self.by_user.is_empty()
    }
}

/// The accounts of a running server: a table that another can take the place of, at once for everybody who looks something up from then on.
/// Looking up takes no lock.
#[derive(Debug)]
pub struct SharedAccounts {
    table: ArcSwap<Accounts>,
}

impl SharedAccounts {
    /// Begins with this table.
    pub fn new(accounts: Accounts) -> Self {
        Self { table: ArcSwap::from_pointee(accounts) }
    }

    /// The table of this moment, for a look-up.
    pub fn now(&self) -> impl Deref<Target = Arc<Accounts>> + use<> {
        self.table.load()
    }

    /// Puts another table in the place of this one. Whoever does so must not do it twice at once, else a change is lost.
    pub fn replace(&self, accounts: Accounts) {
        self.table.store(Arc::new(accounts));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_exact_user() {
        let alice = Account::new("alice", "blether", "wonderland", Some("Alice")).unwrap();
        let accounts = Accounts::new([alice]).unwrap();
        assert_eq!(accounts.get("alice").unwrap().display_name(), Some("Alice"));
        assert!(accounts.get("Alice").is_none() && accounts.get("").is_none());
    }

    #[test]
    fn the_password_is_not_kept_and_hashes_are_not_shown() {
        let alice = Account::new("alice", "blether", "wonderland", None).unwrap();
        let said = format!("{alice:?}");
        assert!(!said.contains("wonderland") && !said.contains(alice.md5.expose_hex()), "{said}");
    }

    #[test]
    fn each_algorithm_has_a_hash_of_its_own() {
        let alice = Account::new("alice", "blether", "wonderland", None).unwrap();
        for algorithm in [Algorithm::Md5, Algorithm::Sha256] {
            assert_eq!(alice.ha1(algorithm), Some(&ha1(algorithm, "alice", "blether", "wonderland")));
        }
    }

    #[test]
    fn an_account_from_the_store_is_the_one_that_was_put_there() {
        let alice = Account::new("alice", "blether", "wonderland", Some("Alice")).unwrap();
        let again = Account::from_record(alice.to_record("blether")).unwrap();
        assert_eq!((again.user(), again.display_name()), (alice.user(), alice.display_name()));
        for algorithm in [Algorithm::Md5, Algorithm::Sha256] {
            assert_eq!(again.ha1(algorithm), alice.ha1(algorithm));
        }
        let colon = AccountRecord { user: "a:b".into(), ..alice.to_record("blether") };
        assert_eq!(Account::from_record(colon).unwrap_err(), AccountError::User("a:b".into()));
    }

    #[test]
    fn what_cannot_log_in_has_no_account() {
        let refused = |user: &str, password: &str| Account::new(user, "blether", password, None).unwrap_err();
        assert_eq!(refused("", "x"), AccountError::User(String::new()));
        assert_eq!(refused("a:b", "x"), AccountError::User("a:b".into()));
        assert_eq!(refused("a\nb", "x"), AccountError::User("a\nb".into()));
        assert_eq!(refused("alice", ""), AccountError::NoPassword("alice".into()));
        let twin = || Account::new("alice", "blether", "x", None).unwrap();
        assert_eq!(Accounts::new([twin(), twin()]).unwrap_err(), AccountError::Duplicate("alice".into()));
    }
}

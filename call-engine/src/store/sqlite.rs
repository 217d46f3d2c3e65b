//! The store in one SQLite file, in write-ahead-log mode.
//!
//! A commit is written to the log, which outlives the process, and is forced to the disk at checkpoints only (`synchronous=NORMAL`): after a
//! power cut the database is whole, and the last commits may be missing.
//!
//! A batch goes in as a few statements, whatever its size: each takes its rows as one JSON array. To the thread that runs SQLite it is one errand
//! a statement instead of one a row.

mod rows;

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, SqlSafeStr as _, SqliteConnection};

use super::record::{AccountChange, Batch, Snapshot, StoredBindings};
use super::set_aside::{COMPANIONS, CORRUPT, OTHER, set_aside, with_suffix};
use super::{Reopened, SetAside, Store, StoreError, StoreFailure};
use crate::cdr::{Cdr, epoch_ms};
use crate::ownership;
use rows::{AccountRow, CdrRow, Reader, RegistrationRow, account_row, cdr_row, registration_rows};

/// Every version of the schema. One that was released never changes.
pub(super) const MIGRATIONS: [(i64, &str, &str); 2] =
    [(1, "first", include_str!("migrations/0001_first.sql")), (2, "path", include_str!("migrations/0002_path.sql"))];

/// Databases that one process sets aside. On a disk that damages whatever is written, more would only fill it.
const MAX_SET_ASIDE: u32 = 8;

const MARK_INTERRUPTED: &str = "UPDATE cdrs SET ended = 'interrupted' WHERE ended IS NULL";
const DELETE_ACCOUNTS: &str = "DELETE FROM accounts WHERE user IN (SELECT value FROM json_each($1))";
const PUT_ACCOUNTS: &str = "INSERT INTO accounts (user, realm, display_name, md5, sha256) \
     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each($1) WHERE true \
     ON CONFLICT (user) DO UPDATE SET realm = excluded.realm, display_name = excluded.display_name, \
     md5 = excluded.md5, sha256 = excluded.sha256";
const DELETE_REGISTRATIONS: &str = "DELETE FROM registrations WHERE aor IN (SELECT value FROM json_each($1))";
const PUT_REGISTRATIONS: &str = "INSERT INTO registrations (aor, position, contact, transport, local_address, \
     remote_address, call_id, cseq, q, user_agent, registered_at, expires_at, path) \
     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, \
     value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12 FROM json_each($1)";
const PUT_CDRS: &str = "INSERT INTO cdrs (id, call_id, caller, dialled, answered_by, started_at, answered_at, \
     ended_at, ended, status, legs) \
     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, \
     value ->> 8, value ->> 9, value ->> 10 FROM json_each($1) WHERE true \
     ON CONFLICT (id) DO UPDATE SET call_id = excluded.call_id, caller = excluded.caller, dialled = excluded.dialled, \
     answered_by = excluded.answered_by, started_at = excluded.started_at, answered_at = excluded.answered_at, \
     ended_at = excluded.ended_at, ended = excluded.ended, status = excluded.status, legs = excluded.legs";

/// Where a [`SqliteStore`] is and how it behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteConfig {
    /// The file. It is made, readable by its owner alone, if it is not there; its folder must be.
    pub path: PathBuf,
    /// How long a write waits for another program that has the database locked. Default 250 ms: below the 500 ms after which a phone
    /// sends its request again.
    pub busy_timeout: Duration,
    /// Pages of 4096 bytes that the file may have; `None`: as many as the disk has room for.
    pub max_pages: Option<u32>,
}

impl SqliteConfig {
    /// The defaults, for this file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), busy_timeout: Duration::from_millis(250), max_pages: None }
    }
}

/// A [`Store`] in a SQLite file. While it is there no other has the same file: `FILE.lock` sees to that.
#[derive(Debug)]
pub struct SqliteStore {
    config: SqliteConfig,
    connection: Option<SqliteConnection>,
    /// Which files the connection has open, or had last: those at the path may become others.
    opened: Option<Files>,
    /// The file at the path is another than the one that was last written to.
    replaced: bool,
    /// The database that was open is not at the path any more: one that is there is somebody else's.
    moved: bool,
    /// The live calls of the process before are still to be marked.
    unmarked: bool,
    set_aside: u32,
    /// `None` until it could be taken.
    lock: Option<File>,
}

impl SqliteStore {
    /// Takes the file for this process, if its folder can be written. If not, that is tried again whenever the file is opened. Nothing is read before
    /// [`Store::reopen`] or [`Store::load`].
    ///
    /// # Errors
    /// [`StoreError::InUse`].
    pub fn new(config: SqliteConfig) -> Result<Self, StoreError> {
        let mut store = Self {
            config,
            connection: None,
            opened: None,
            replaced: false,
            moved: false,
            unmarked: false,
            set_aside: 0,
            lock: None,
        };
        match store.take_lock() {
            Err(error @ StoreError::InUse { .. }) => Err(error),
            Ok(()) | Err(_) => Ok(store),
        }
    }

    /// Takes the lock that keeps other servers from the file, unless this process has the one that they find.
    fn take_lock(&mut self) -> Result<(), StoreError> {
        if self.has_lock() {
            return Ok(());
        }
        if let Some(stale) = self.lock.take() {
            // Closing gives it up as well.
            stale.unlock().ok();
        }
        let path = &self.config.path;
        let name = with_suffix(path, ".lock");
        let lock = make_private(&name).and_then(|made| match made {
            Some(made) => Ok(made),
            None => OpenOptions::new().write(true).open(&name),
        });
        let lock = lock.map_err(|error| failed_io(path, &error))?;
        match lock.try_lock() {
            Ok(()) => self.lock = Some(lock),
            Err(TryLockError::WouldBlock) => return Err(StoreError::InUse { path: path.clone() }),
            Err(TryLockError::Error(error)) => return Err(failed_io(path, &error)),
        }
        // It may have been removed before it was locked.
        if self.has_lock() { Ok(()) } else { Err(self.lost_lock()) }
    }

    /// Whether this process has the lock, and the locked file is the one that another server would find.
    fn has_lock(&self) -> bool {
        let found = FileId::of(&with_suffix(&self.config.path, ".lock"));
        self.lock.as_ref().is_some_and(|lock| FileId::of_open(lock) == found)
    }

    fn lost_lock(&self) -> StoreError {
        self.failed_with(StoreFailure::Unavailable, "its lock file was moved or removed".to_owned())
    }

    /// Whether a server has this file now, this process included.
    ///
    /// # Errors
    /// What the system said, such as that its lock belongs to another user: then it cannot be known.
    pub fn is_in_use(path: &Path) -> io::Result<bool> {
        let lock = match File::open(with_suffix(path, ".lock")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            lock => lock?,
        };
        match lock.try_lock_shared() {
            Ok(()) => lock.unlock().map(|()| false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.config.path
    }

    /// Changes how many pages the file may have, from the next time on that it is opened.
    #[cfg(test)]
    pub(super) fn set_max_pages(&mut self, pages: Option<u32>) {
        self.config.max_pages = pages;
    }

    /// Opens the file and brings its schema up to date; whether it was empty.
    async fn connect(&mut self) -> Result<bool, StoreError> {
        self.disconnect().await;
        self.take_lock()?;
        if make_private(&self.config.path).map_err(|error| failed_io(&self.config.path, &error))?.is_some() {
            // Ours, whatever becomes of the rest.
            self.moved = false;
        }
        // SQLite would find out, too, and in closing remove the log that stands beside the file.
        if !is_database(&self.config.path).map_err(|error| failed_io(&self.config.path, &error))? {
            return Err(self.failed_with(StoreFailure::Corrupt, "file is not a database".to_owned()));
        }
        let mut options = SqliteConnectOptions::new()
            .filename(&self.config.path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(self.config.busy_timeout)
            .disable_statement_logging();
        if let Some(pages) = self.config.max_pages {
            options = options.pragma("max_page_count", pages.to_string());
        }
        let database = FileId::of(&self.config.path);
        let mut connection = options.connect().await.map_err(|error| self.failed(&error))?;
        match self.migrate(&mut connection).await {
            Ok(fresh) => {
                // The companions are there once the schema has been looked into.
                let opened = Files { database, ..Files::at(&self.config.path) };
                (self.connection, self.opened) = (Some(connection), Some(opened));
                Ok(std::mem::take(&mut self.replaced) || fresh)
            }
            Err(error) => {
                // The error that brought us here says more than one of closing.
                drop(connection.close().await);
                Err(error)
            }
        }
    }

    async fn migrate(&self, connection: &mut SqliteConnection) -> Result<bool, StoreError> {
        let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_master WHERE name = 'accounts'")
            .fetch_one(&mut *connection)
            .await
            .map_err(|error| self.failed(&error))?;
        let migrations = MIGRATIONS.map(|(version, name, sql)| {
            Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
        });
        match Migrator::with_migrations(migrations.to_vec()).run_direct(None, connection, false).await {
            Ok(()) => Ok(tables == 0),
            Err(
                MigrateError::VersionMissing(version)
                | MigrateError::VersionMismatch(version)
                | MigrateError::VersionTooNew(version, _),
            ) => Err(StoreError::NewerSchema { path: self.config.path.clone(), version }),
            Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => Err(self.failed(&error)),
            Err(other) => Err(self.failed_with(StoreFailure::Unavailable, other.to_string())),
        }
    }

    async fn disconnect(&mut self) {
        // Once it is closed, another file may get its number.
        self.replaced |= self.is_gone();
        self.moved |= self.connection.is_some()
            && self.opened.is_some_and(|opened| opened.database != FileId::of(&self.config.path));
        if let Some(connection) = self.connection.take() {
            // A file that cannot be closed well is opened, and its log read, like that of a process that was killed.
            drop(connection.close().await);
        }
    }

    /// Puts a database out of the way that is in the place of the one that was open, such as a backup that somebody has restored: what is in memory is not
    /// to replace what is in it. The log and the index of ours do not belong to it. Once this has returned, what is at the path is ours or nothing.
    fn set_other_aside(&mut self) -> Result<Option<PathBuf>, StoreError> {
        if !self.moved {
            return Ok(None);
        }
        let path = self.config.path.clone();
        let failed = |error: io::Error| failed_io(&path, &error);
        // Without the lock it may be that of another server.
        self.take_lock()?;
        let other = path.metadata().is_ok_and(|file| file.len() > 0);
        if other && self.set_aside >= MAX_SET_ASIDE {
            let what = format!("another one is in its place, and {MAX_SET_ASIDE} were set aside before");
            return Err(self.failed_with(StoreFailure::Gone, what));
        }
        let (ours, now) = (self.opened.map(|opened| opened.companions), Files::at(&path).companions);
        let stays = COMPANIONS
            .iter()
            .enumerate()
            .filter(|(n, _)| now[*n].is_some() && ours.is_some_and(|ours| ours[*n] == now[*n]));
        for (_, companion) in stays {
            let left = with_suffix(&path, &format!(".left{companion}"));
            std::fs::rename(with_suffix(&path, companion), left).map_err(failed)?;
        }
        let place = if other { Some(set_aside(&path, OTHER, SystemTime::now()).map_err(failed)?) } else { None };
        self.set_aside += u32::from(other);
        self.moved = false;
        Ok(place)
    }

    /// Whether the files that the connection has open are no longer those at the path.
    fn is_gone(&self) -> bool {
        self.connection.is_some() && self.opened.is_some_and(|opened| opened != Files::at(&self.config.path))
    }

    /// The connection to the file that is at the path now. Only [`Store::load`] and [`Store::reopen`] make one: they find out whether the file
    /// is empty.
    fn connected(&mut self) -> Result<&mut SqliteConnection, StoreError> {
        if self.is_gone() {
            let what = "it, its -wal or its -shm was moved, removed or replaced while it was in use";
            return Err(self.failed_with(StoreFailure::Gone, what.to_owned()));
        }
        if !self.has_lock() {
            return Err(self.lost_lock());
        }
        let path = &self.config.path;
        self.connection.as_mut().ok_or_else(|| StoreError::Failed {
            path: path.clone(),
            kind: StoreFailure::Unavailable,
            reason: "it is not open".to_owned(),
        })
    }

    async fn try_load(&mut self, date: SystemTime) -> Result<Snapshot, StoreError> {
        if self.connection.is_none() {
            self.connect().await?;
        }
        let path = self.config.path.clone();
        let connection = self.connected()?;
        match load(connection, date, true).await.map_err(|error| failed(&path, &error)) {
            // To read takes no room; the connection has a transaction that failed.
            Err(full) if full.kind() == StoreFailure::Full => {
                self.connect().await?;
                let connection = self.connected()?;
                let snapshot = load(connection, date, false).await.map_err(|error| failed(&path, &error))?;
                self.unmarked = true;
                Ok(Snapshot { full: Some(full.to_string()), ..snapshot })
            }
            other => other,
        }
    }

    fn failed(&self, error: &sqlx::Error) -> StoreError {
        failed(&self.config.path, error)
    }

    fn failed_with(&self, kind: StoreFailure, reason: String) -> StoreError {
        StoreError::Failed { path: self.config.path.clone(), kind, reason }
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        // Closing is not enough: a process that is being started elsewhere in this one may hold a copy of the file for a moment. What keeps a lock
        // from being given up does not keep the system from taking it at the end of the process.
        if let Some(lock) = &self.lock {
            lock.unlock().ok();
        }
    }
}

impl Store for SqliteStore {
    async fn load(&mut self, date: SystemTime) -> Result<Snapshot, StoreError> {
        self.try_load(date).await
    }

    async fn write(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let path = self.config.path.clone();
        let to_mark = self.unmarked;
        let connection = self.connected()?;
        write(connection, batch, to_mark).await.map_err(|error| failed(&path, &error))?;
        self.unmarked = false;
        Ok(())
    }

    async fn check(&mut self) -> Result<(), StoreError> {
        self.connected().map(drop)
    }

    async fn cdrs(&mut self, newest: u32) -> Result<Vec<Cdr>, StoreError> {
        let path = self.config.path.clone();
        let connection = self.connected()?;
        let mut cdrs = Reader::new("cdrs", &["id"]);
        let read = sqlx::query("SELECT * FROM cdrs ORDER BY id DESC LIMIT $1")
            .bind(i64::from(newest))
            .map(|row| cdrs.read(&row, |row| Some(CdrRow::into_cdr(row))))
            .fetch_all(connection)
            .await;
        Ok(read.map_err(|error| failed(&path, &error))?.into_iter().flatten().collect())
    }

    async fn reopen(&mut self, after: StoreFailure) -> Result<Reopened, StoreError> {
        self.disconnect().await;
        let mut place = self.set_other_aside()?.map(SetAside::Other);
        if place.is_none() && after == StoreFailure::Corrupt && self.set_aside < MAX_SET_ASIDE {
            let moved = set_aside(&self.config.path, CORRUPT, SystemTime::now());
            place = Some(SetAside::Corrupt(moved.map_err(|error| failed_io(&self.config.path, &error))?));
            self.set_aside += 1;
        }
        // A file that was set aside left nothing behind; the caller must know even if the next step fails.
        let fresh = match self.connect().await {
            Ok(fresh) => fresh,
            Err(error) if place.is_none() => return Err(error),
            Err(_) => true,
        };
        Ok(Reopened { fresh, set_aside: place })
    }

    async fn close(&mut self) {
        self.disconnect().await;
        // What cannot be unlocked is when the file is dropped.
        let _ = self.lock.as_ref().map(File::unlock);
    }
}

/// Whether a file begins as those of SQLite do, or is empty.
fn is_database(path: &Path) -> io::Result<bool> {
    const MAGIC: &[u8] = b"SQLite format 3\0";
    let mut start = Vec::with_capacity(MAGIC.len());
    File::open(path)?.take(MAGIC.len() as u64).read_to_end(&mut start)?;
    Ok(start.is_empty() || start == MAGIC)
}

/// Reads all that look-ups need, and marks what is over if it is `to_mark`.
async fn load(connection: &mut SqliteConnection, date: SystemTime, to_mark: bool) -> Result<Snapshot, sqlx::Error> {
    let now = epoch_ms(date);
    let mut transaction = connection.begin_with(if to_mark { "BEGIN IMMEDIATE" } else { "BEGIN" }).await?;
    let mut snapshot = Snapshot::default();
    if to_mark {
        sqlx::query("DELETE FROM registrations WHERE expires_at <= $1").bind(now).execute(&mut *transaction).await?;
        snapshot.interrupted = sqlx::query(MARK_INTERRUPTED).execute(&mut *transaction).await?.rows_affected();
    } else {
        let live: i64 =
            sqlx::query_scalar("SELECT count(*) FROM cdrs WHERE ended IS NULL").fetch_one(&mut *transaction).await?;
        snapshot.interrupted = live.unsigned_abs();
    }
    let mut accounts = Reader::new("accounts", &["user"]);
    let read = sqlx::query("SELECT * FROM accounts ORDER BY user")
        .map(|row| accounts.read(&row, AccountRow::record))
        .fetch_all(&mut *transaction)
        .await?;
    snapshot.accounts.extend(read.into_iter().flatten());
    let mut registrations = Reader::new("registrations", &["aor", "position"]);
    let read = sqlx::query("SELECT * FROM registrations WHERE expires_at > $1 ORDER BY aor, position")
        .bind(now)
        .map(|row| registrations.read(&row, RegistrationRow::stored))
        .fetch_all(&mut *transaction)
        .await?;
    for (aor, contact) in read.into_iter().flatten() {
        match snapshot.registrations.last_mut().filter(|set| set.aor == aor) {
            Some(set) => set.contacts.push(contact),
            None => snapshot.registrations.push(StoredBindings { aor, contacts: vec![contact] }),
        }
    }
    snapshot.unreadable = accounts.unreadable() + registrations.unreadable();
    transaction.commit().await?;
    Ok(snapshot)
}

/// Writes a batch; with it, if it is `to_mark`, that the calls of the process before have been interrupted: none of this one is there yet.
async fn write(connection: &mut SqliteConnection, batch: &Batch, to_mark: bool) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    if to_mark {
        sqlx::query(MARK_INTERRUPTED).execute(&mut *transaction).await?;
    }
    let mut statements: Vec<(&'static str, Value)> = Vec::new();
    if batch.replaces_all {
        for clear in ["DELETE FROM accounts", "DELETE FROM registrations"] {
            sqlx::query(clear).execute(&mut *transaction).await?;
        }
    }
    let (removed, put): (Vec<_>, Vec<_>) =
        batch.accounts.iter().partition(|change| matches!(change, AccountChange::Remove(_)));
    statements.push((DELETE_ACCOUNTS, removed.into_iter().map(account_row).collect()));
    statements.push((PUT_ACCOUNTS, put.into_iter().map(account_row).collect()));
    let touched = batch.registrations.iter().map(|set| Value::from(set.aor.to_string()));
    statements.push((DELETE_REGISTRATIONS, touched.collect()));
    statements.push((PUT_REGISTRATIONS, batch.registrations.iter().flat_map(registration_rows).collect()));
    statements.push((PUT_CDRS, batch.cdrs.iter().map(cdr_row).collect()));
    for (statement, rows) in statements {
        if rows.as_array().is_some_and(|rows| !rows.is_empty()) {
            sqlx::query(statement).bind(rows.to_string()).execute(&mut *transaction).await?;
        }
    }
    transaction.commit().await
}

/// Makes the file if it is not there, for the owner of its folder alone: it holds what passwords are checked against. SQLite gives its log the same
/// rights and the same owner. One that is there is not opened: closing it would take the locks of this process from it.
fn make_private(path: &Path) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(made) => ownership::give(&made, path).map(|()| Some(made)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(error),
    }
}

/// A database and what SQLite keeps beside it. A log or an index that is gone is as bad as a database that is: what is written goes into what
/// nobody finds any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Files {
    database: Option<FileId>,
    companions: [Option<FileId>; 2],
}

impl Files {
    fn at(path: &Path) -> Self {
        let companions = COMPANIONS.map(|companion| FileId::of(&with_suffix(path, companion)));
        Self { database: FileId::of(path), companions }
    }
}

/// Which file is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileId(u64, u64);

impl FileId {
    #[cfg(unix)]
    fn of(path: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        std::fs::metadata(path).ok().map(|file| Self(file.dev(), file.ino()))
    }

    #[cfg(unix)]
    fn of_open(file: &File) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        file.metadata().ok().map(|file| Self(file.dev(), file.ino()))
    }

    #[cfg(not(unix))]
    fn of_open(_file: &File) -> Option<Self> {
        None
    }

    /// Where files have no numbers, an open one can be neither moved nor removed.
    #[cfg(not(unix))]
    fn of(_path: &Path) -> Option<Self> {
        None
    }
}

fn failed_io(path: &Path, error: &io::Error) -> StoreError {
    let kind = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreFailure::Full,
        _ => StoreFailure::Unavailable,
    };
    StoreError::Failed { path: path.to_owned(), kind, reason: explained(path, kind, error.to_string()) }
}

/// What the system said, and what it has not said where files were left behind by another user.
fn explained(path: &Path, kind: StoreFailure, reason: String) -> String {
    let all = [PathBuf::from(path), with_suffix(path, "-wal"), with_suffix(path, "-shm"), with_suffix(path, ".lock")];
    match all.iter().find(|path| kind == StoreFailure::Unavailable && ownership::is_strange(path)) {
        Some(strange) => format!("{reason}; {} belongs to another user than its folder does", strange.display()),
        None => reason,
    }
}

fn failed(path: &Path, error: &sqlx::Error) -> StoreError {
    let code = error.as_database_error().and_then(|error| error.code()).and_then(|code| code.parse::<u32>().ok());
    // The low byte of an extended result code is the primary one (https://www.sqlite.org/rescode.html).
    let kind = match code.map(|code| code & 0xff) {
        Some(13) => StoreFailure::Full,
        Some(5 | 6) => StoreFailure::Locked,
        Some(11 | 26) => StoreFailure::Corrupt,
        _ => StoreFailure::Unavailable,
    };
    StoreError::Failed { path: path.to_owned(), kind, reason: explained(path, kind, error.to_string()) }
}

//! The writer over a store that fails: nothing waits for it, and nothing is lost.

use std::path::{Path, PathBuf};

use sqlx::{Connection as _, SqliteConnection};

use super::*;

/// A writer over SQLite, turned by hand in virtual time.
struct Bench {
    writer: Writer<SqliteStore>,
    handle: StoreHandle,
    location: Arc<Location>,
    at: Moment,
    users: usize,
}

impl Bench {
    async fn new(folder: &Path) -> Self {
        Self::over(sqlite(folder)).await
    }

    async fn over(store: SqliteStore) -> Self {
        let (at, location) = (moment(), Arc::new(Location::default()));
        let opened = Writer::open(store, WriterConfig::default(), Arc::clone(&location), at).await;
        let (writer, handle, _) = opened.unwrap();
        Self { writer, handle, location, at, users: 0 }
    }

    /// Registers another user; what its answer was in the end.
    async fn register_another(&mut self) -> Written {
        let user = format!("user{}", self.users);
        self.users += 1;
        register(&self.location, self.at, &user, &format!("<sip:{user}@192.0.2.9>"));
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let waiter = move |written: Written| sender.send(written).unwrap();
        match self.handle.registered(self.at.now, &aor(&user), Touched::Contacts, waiter) {
            Admitted::Now(_, written) => written,
            Admitted::Later => {
                self.turn_after(Duration::ZERO).await;
                receiver.await.unwrap()
            }
        }
    }

    async fn turn_after(&mut self, by: Duration) -> bool {
        self.at = self.at.later(by);
        self.writer.turn(self.at).await
    }

    fn durability(&self) -> Option<StoreFailure> {
        match self.handle.status().durability {
            Durability::Durable => None,
            Durability::Degraded { failure, .. } => Some(failure),
        }
    }

    /// How many users a process finds that begins where this one ends.
    async fn found_after_restart(self, folder: &Path) -> usize {
        self.after_restart(folder).await.contacts
    }

    /// What a process finds that begins where this one ends.
    async fn after_restart(mut self, folder: &Path) -> Loaded {
        let at = self.at;
        self.writer.store.close().await;
        drop(self);
        let location = Arc::new(Location::default());
        let opened = Writer::open(sqlite(folder), WriterConfig::default(), location, at).await;
        opened.unwrap().2
    }
}

/// Fills a store that has little room, and then gives it more.
async fn fill_and_make_room(mut bench: Bench, folder: &Path, make_room: impl FnOnce(&mut Bench)) {
    while bench.register_another().await == Written::Durably {
        assert!(bench.users < 10_000, "the disk does not fill");
    }
    assert_eq!(bench.durability(), Some(StoreFailure::Full));
    for _ in 0..10 {
        assert_eq!(bench.register_another().await, Written::InMemory, "nobody waits");
    }
    assert!(bench.handle.record(bench.at.now, cdr(1, bench.at)).await == Written::InMemory);
    assert!(bench.turn_after(SECOND).await, "tried again");
    assert_eq!(bench.durability(), Some(StoreFailure::Full));
    let status = bench.handle.status();
    assert!(status.unwritten_bindings >= 11 && status.unwritten_cdrs == 1, "{status:?}");
    assert!(status.last_error.unwrap().contains("full"));

    make_room(&mut bench);
    bench.turn_after(2 * SECOND).await;
    assert_eq!(bench.durability(), None);
    assert_eq!(bench.register_another().await, Written::Durably);
    let (users, cdrs) = (bench.users, bench.handle.status().unwritten_cdrs);
    assert_eq!((bench.found_after_restart(folder).await, cdrs), (users, 0));
}

#[tokio::test]
async fn when_the_quota_is_used_up_registrations_go_on_and_are_written_later() {
    let folder = folder();
    let config = SqliteConfig { max_pages: Some(16), ..SqliteConfig::new(folder.path().join("engine.db")) };
    let mut bench = Bench::over(SqliteStore::new(config).unwrap()).await;
    assert_eq!(bench.register_another().await, Written::Durably);
    fill_and_make_room(bench, folder.path(), |bench| bench.writer.store.set_max_pages(None)).await;
}

#[tokio::test]
async fn while_another_program_holds_the_database_registrations_go_on_and_are_written_later() {
    let folder = folder();
    let mut bench = Bench::new(folder.path()).await;
    assert_eq!(bench.register_another().await, Written::Durably);
    let url = format!("sqlite://{}", folder.path().join("engine.db").display());
    let mut shell = SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut shell).await.unwrap();

    assert_eq!(bench.register_another().await, Written::InMemory);
    assert_eq!(bench.durability(), Some(StoreFailure::Locked));
    assert_eq!(bench.register_another().await, Written::InMemory);
    assert!(bench.turn_after(SECOND).await);
    assert_eq!(bench.durability(), Some(StoreFailure::Locked));

    sqlx::query("COMMIT").execute(&mut shell).await.unwrap();
    shell.close().await.unwrap();
    assert!(!bench.turn_after(SECOND).await, "twice the wait after the second failure");
    assert!(bench.turn_after(SECOND).await);
    assert_eq!(bench.durability(), None);
    assert_eq!(bench.found_after_restart(folder.path()).await, 3);
}

fn corrupt_files(folder: &Path) -> Vec<PathBuf> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    names.filter(|path| path.to_string_lossy().contains(".corrupt-")).collect()
}

#[tokio::test]
async fn a_file_that_is_no_database_is_set_aside_byte_for_byte_and_a_new_one_begun() {
    let folder = folder();
    let path = folder.path().join("engine.db");
    let rubbish = vec![b'x'; 8_192];
    std::fs::write(&path, &rubbish).unwrap();
    let opened = Writer::open(sqlite(folder.path()), WriterConfig::default(), Arc::default(), moment()).await;
    let (_, handle, loaded) = opened.unwrap();
    let place = loaded.set_aside.unwrap();
    assert_eq!(std::fs::read(&place).unwrap(), rubbish);
    assert_eq!(corrupt_files(folder.path()), std::slice::from_ref(&place));
    assert_eq!(handle.status().set_aside, [place]);
    assert!(handle.status().durability.is_durable());
}

#[tokio::test]
async fn a_database_with_a_damaged_page_is_set_aside_at_the_start() {
    let folder = folder();
    let path = folder.path().join("engine.db");
    let mut bench = Bench::new(folder.path()).await;
    for _ in 0..200 {
        assert_eq!(bench.register_another().await, Written::Durably);
    }
    bench.writer.store.close().await;
    drop(bench);
    let mut bytes = std::fs::read(&path).unwrap();
    // All but the first page, which has the schema.
    bytes[4_096..].fill(0xa5);
    std::fs::write(&path, &bytes).unwrap();
    let opened = Writer::open(sqlite(folder.path()), WriterConfig::default(), Arc::default(), moment()).await;
    let place = opened.unwrap().2.set_aside.unwrap();
    assert_eq!(std::fs::read(place).unwrap(), bytes);
}

#[tokio::test]
async fn a_database_that_turns_out_corrupt_while_in_use_is_set_aside_and_filled_anew_from_memory() {
    let folder = folder();
    let mut bench = Bench::new(folder.path()).await;
    let put = AccountChange::Put(account("alice", "a"));
    let handle = bench.handle.clone();
    let account_written = tokio::spawn(async move { handle.change_account(moment().now, put).await });
    tokio::task::yield_now().await;
    bench.turn_after(SECOND).await;
    assert_eq!(account_written.await.unwrap().unwrap(), Written::Durably);
    for _ in 0..3 {
        assert_eq!(bench.register_another().await, Written::Durably);
    }
    // The disk fails, and when it is back the file is rubbish.
    bench.writer.store.close().await;
    std::fs::write(folder.path().join("engine.db"), vec![b'x'; 8_192]).unwrap();
    assert_eq!(bench.register_another().await, Written::InMemory);
    assert!(bench.turn_after(SECOND).await);
    assert_eq!(bench.durability(), Some(StoreFailure::Corrupt));
    assert!(corrupt_files(folder.path()).is_empty(), "not before it is known");
    assert!(bench.turn_after(2 * SECOND).await);
    assert_eq!(bench.durability(), None);
    assert_eq!(corrupt_files(folder.path()).len(), 1);
    assert_eq!(bench.handle.status().set_aside, corrupt_files(folder.path()));
    assert_eq!(bench.writer.store.load(bench.at.date).await.unwrap().accounts, [account("alice", "a")]);
    assert_eq!(bench.found_after_restart(folder.path()).await, 4);
}

/// A database that a process has left that was killed: three users, and a call that was live.
async fn left_behind(folder: &Path) {
    let mut bench = Bench::new(folder).await;
    for _ in 0..3 {
        assert_eq!(bench.register_another().await, Written::Durably);
    }
    let batch = Batch { cdrs: vec![cdr(1, bench.at)], ..Batch::default() };
    bench.writer.store.write(&batch).await.unwrap();
    bench.writer.store.close().await;
}

#[tokio::test]
async fn what_cannot_be_read_at_the_start_is_read_later_and_what_has_changed_meanwhile_stays() {
    let folder = folder();
    left_behind(folder.path()).await;
    let url = format!("sqlite://{}", folder.path().join("engine.db").display());
    let mut shell = SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("BEGIN EXCLUSIVE").execute(&mut shell).await.unwrap();

    let mut bench = Bench::new(folder.path()).await;
    assert_eq!((bench.durability(), bench.handle.status().unread), (Some(StoreFailure::Locked), true));
    // The first of those three has another contact by now, and there is a fourth.
    register(&bench.location, bench.at, "user0", "<sip:elsewhere@192.0.2.9>");
    let admitted = bench.handle.registered(bench.at.now, &aor("user0"), Touched::Contacts, |_: Written| {});
    assert!(matches!(admitted, Admitted::Now(_, Written::InMemory)), "at once");
    bench.users = 3;
    assert_eq!(bench.register_another().await, Written::InMemory);
    let live = Cdr { call_id: "after".to_owned(), ..cdr(2, bench.at) };
    assert_eq!(bench.handle.record(bench.at.now, live.clone()).await, Written::InMemory);
    assert!(bench.turn_after(SECOND).await);
    assert!(bench.handle.status().unread);

    sqlx::query("COMMIT").execute(&mut shell).await.unwrap();
    shell.close().await.unwrap();
    assert!(bench.turn_after(2 * SECOND).await);
    assert_eq!((bench.durability(), bench.handle.status().unread), (None, false));
    assert!(bench.handle.read().await);
    let contacts = |user: &str| {
        let set = bench.location.bindings(&aor(user), bench.at.now);
        set.iter().map(|binding| binding.contact.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(contacts("user0"), ["sip:elsewhere@192.0.2.9"]);
    assert_eq!(contacts("user1"), ["sip:user1@192.0.2.9"]);
    let cdrs = bench.writer.store.cdrs(10).await.unwrap();
    assert_eq!(cdrs[0], live, "this one lives");
    assert_eq!((cdrs.len(), cdrs[1].end), (2, Some(CdrEnd::Interrupted)));
    assert_eq!(bench.found_after_restart(folder.path()).await, 4);
}

#[tokio::test]
async fn a_server_starts_although_its_database_cannot_be_opened_and_uses_it_when_it_can() {
    let folder = folder();
    let path = folder.path().join("engine.db");
    std::fs::create_dir(&path).unwrap();
    let mut bench = Bench::new(folder.path()).await;
    assert_eq!((bench.durability(), bench.handle.status().unread), (Some(StoreFailure::Unavailable), true));
    assert_eq!(bench.register_another().await, Written::InMemory);
    assert!(bench.turn_after(SECOND).await);
    assert!(path.is_dir() && corrupt_files(folder.path()).is_empty(), "nothing is touched that is not understood");
    std::fs::remove_dir(&path).unwrap();
    assert!(bench.turn_after(2 * SECOND).await);
    assert_eq!((bench.durability(), bench.handle.status().unread), (None, false));
    assert_eq!(bench.found_after_restart(folder.path()).await, 1);
}

#[tokio::test]
async fn a_server_starts_although_its_folder_is_gone_and_uses_it_when_it_is_there() {
    let folder = folder();
    let mounted_later = folder.path().join("disk");
    let mut bench = Bench::new(&mounted_later).await;
    assert_eq!(bench.durability(), Some(StoreFailure::Unavailable));
    assert_eq!(bench.register_another().await, Written::InMemory);
    std::fs::create_dir(&mounted_later).unwrap();
    assert!(bench.turn_after(SECOND).await);
    assert_eq!(bench.durability(), None);
    let second = SqliteStore::new(SqliteConfig::new(mounted_later.join("engine.db")));
    assert!(matches!(second, Err(StoreError::InUse { .. })), "the lock is taken late, but it is taken");
    assert_eq!(bench.found_after_restart(&mounted_later).await, 1);
}

#[tokio::test]
async fn what_belongs_to_a_corrupt_database_is_set_aside_with_it() {
    let folder = folder();
    let path = folder.path().join("engine.db");
    for (name, content) in [("engine.db", "x"), ("engine.db-wal", "the log"), ("engine.db-shm", "its index")] {
        std::fs::write(folder.path().join(name), content.repeat(1_000)).unwrap();
    }
    let opened = Writer::open(sqlite(folder.path()), WriterConfig::default(), Arc::default(), moment()).await;
    let place = opened.unwrap().2.set_aside.unwrap();
    assert_eq!(std::fs::read_to_string(&place).unwrap(), "x".repeat(1_000));
    let mut log = place.clone().into_os_string();
    log.push("-wal");
    assert_eq!(std::fs::read_to_string(log).unwrap(), "the log".repeat(1_000));
    assert!(std::fs::metadata(path).unwrap().len() > 0, "a new one is begun");
}

#[tokio::test]
async fn a_database_that_was_removed_while_in_use_is_made_anew_from_memory() {
    let folder = folder();
    let mut bench = Bench::new(folder.path()).await;
    for _ in 0..3 {
        assert_eq!(bench.register_another().await, Written::Durably);
    }
    for name in ["engine.db", "engine.db-wal", "engine.db-shm"] {
        std::fs::remove_file(folder.path().join(name)).unwrap();
    }
    assert_eq!(bench.register_another().await, Written::InMemory);
    assert!(bench.turn_after(SECOND).await);
    assert_eq!(bench.durability(), None);
    assert_eq!(bench.found_after_restart(folder.path()).await, 4);
}

/// Takes something of the database in this folder away.
#[cfg(unix)]
type Taking = fn(&Path);

#[cfg(unix)]
#[tokio::test]
async fn a_database_that_is_taken_away_is_missed_though_nothing_is_written_and_made_anew_from_memory() {
    let takings: [(&str, Taking); 5] = [
        ("all", |folder| {
            let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            names.for_each(|path| std::fs::remove_file(path).unwrap());
        }),
        ("the file", |folder| std::fs::remove_file(folder.join("engine.db")).unwrap()),
        ("the log", |folder| std::fs::remove_file(folder.join("engine.db-wal")).unwrap()),
        ("the index", |folder| std::fs::remove_file(folder.join("engine.db-shm")).unwrap()),
        ("another in its place", |folder| std::fs::rename(folder.join("other.db"), folder.join("engine.db")).unwrap()),
    ];
    for (what, take) in takings {
        let folder = folder();
        // A database of yesterday, with somebody who is no longer registered.
        let mut other = Bench::new(folder.path()).await;
        other.users = 7;
        assert_eq!(other.register_another().await, Written::Durably);
        assert_eq!(other.found_after_restart(folder.path()).await, 1);
        std::fs::rename(folder.path().join("engine.db"), folder.path().join("other.db")).unwrap();

        let mut bench = Bench::new(folder.path()).await;
        for _ in 0..3 {
            assert_eq!(bench.register_another().await, Written::Durably);
        }
        for record in [cdr(1, bench.at), cdr(2, bench.at), ended(&cdr(2, bench.at))] {
            let written = bench.handle.record(bench.at.now, record);
            bench.turn_after(Duration::ZERO).await;
            assert_eq!(written.await, Written::Durably);
        }
        bench.writer.look(bench.at.now).await;
        assert_eq!(bench.durability(), None, "{what}: it is there");
        take(folder.path());
        bench.writer.look(bench.at.now).await;
        assert_eq!(bench.durability(), Some(StoreFailure::Gone), "{what}");
        assert!(bench.turn_after(SECOND).await);
        assert_eq!(bench.durability(), None, "{what}");
        let loaded = bench.after_restart(folder.path()).await;
        assert_eq!((loaded.contacts, loaded.interrupted), (3, 1), "{what}: contacts, and the call that lived");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_database_put_in_the_place_of_the_one_in_use_is_set_aside_whole() {
    let folder = folder();
    let backup = folder.path().join("backup");
    std::fs::create_dir(&backup).unwrap();
    let mut before = Bench::new(&backup).await;
    before.users = 7;
    for _ in 0..2 {
        assert_eq!(before.register_another().await, Written::Durably);
    }
    let record = before.handle.record(before.at.now, ended(&cdr(5, before.at)));
    before.turn_after(Duration::ZERO).await;
    assert_eq!(record.await, Written::Durably);
    assert_eq!(before.found_after_restart(&backup).await, 2);
    let bytes = std::fs::read(backup.join("engine.db")).unwrap();

    let mut bench = Bench::new(folder.path()).await;
    for round in 1..=2 {
        assert_eq!(bench.register_another().await, Written::Durably);
        // As somebody restores it who does not stop the server.
        std::fs::copy(backup.join("engine.db"), folder.path().join("copy")).unwrap();
        std::fs::rename(folder.path().join("copy"), folder.path().join("engine.db")).unwrap();
        bench.writer.look(bench.at.now).await;
        assert_eq!(bench.durability(), Some(StoreFailure::Gone));
        assert!(bench.turn_after(SECOND).await);
        assert_eq!(bench.durability(), None);
        let places = bench.handle.status().set_aside;
        assert_eq!(places.len(), round);
        for place in &places {
            assert!(place.to_string_lossy().contains("engine.db.other-"), "{places:?}");
            assert_eq!(std::fs::read(place).unwrap(), bytes);
        }
    }
    // What is set aside is a database that serves when it is put back.
    let place = bench.handle.status().set_aside.remove(0);
    assert_eq!(bench.found_after_restart(folder.path()).await, 2);
    std::fs::rename(place, folder.path().join("engine.db")).unwrap();
    let mut store = sqlite(folder.path());
    let found = store.load(moment().date).await.unwrap().registrations;
    assert_eq!(found.iter().map(|set| set.aor.clone()).collect::<Vec<_>>(), [aor("user7"), aor("user8")]);
    assert_eq!(store.cdrs(9).await.unwrap().len(), 1);
}

#[cfg(unix)]
#[tokio::test]
async fn a_database_that_is_taken_away_is_written_anew_before_the_writer_ends() {
    let folder = folder();
    let (at, location) = (Moment { now: Instant::now(), date: SystemTime::now() }, Arc::new(Location::default()));
    let opened = Writer::open(sqlite(folder.path()), WriterConfig::default(), Arc::clone(&location), at).await;
    let (writer, handle, _) = opened.unwrap();
    let writer = tokio::spawn(writer.run());
    register(&location, at, "alice", "<sip:a@h>");
    let (sender, written) = tokio::sync::oneshot::channel();
    let waiter = move |written: Written| sender.send(written).unwrap();
    assert!(matches!(handle.registered(at.now, &aor("alice"), Touched::Contacts, waiter), Admitted::Later));
    assert_eq!(written.await.unwrap(), Written::Durably);
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    handle.close(60 * SECOND).await;
    writer.await.unwrap();
    let mut next = sqlite(folder.path());
    assert_eq!(next.load(at.date).await.unwrap().registrations.len(), 1);
}

#[tokio::test]
async fn one_data_folder_serves_one_server() {
    let folder = folder();
    let first = sqlite(folder.path());
    let second = SqliteStore::new(SqliteConfig::new(folder.path().join("engine.db")));
    assert!(matches!(second, Err(StoreError::InUse { .. })));
    drop(first);
    sqlite(folder.path());
}

#[cfg(unix)]
#[tokio::test]
async fn a_lock_file_that_was_removed_is_taken_anew_and_keeps_other_servers_away() {
    let folder = folder();
    let mut bench = Bench::new(folder.path()).await;
    assert_eq!(bench.register_another().await, Written::Durably);
    std::fs::remove_file(folder.path().join("engine.db.lock")).unwrap();
    assert_eq!(bench.register_another().await, Written::InMemory, "another server could have the file by now");
    assert!(bench.turn_after(SECOND).await);
    assert_eq!(bench.durability(), None);
    let second = SqliteStore::new(SqliteConfig::new(folder.path().join("engine.db")));
    assert!(matches!(second, Err(StoreError::InUse { .. })));
    assert_eq!(bench.found_after_restart(folder.path()).await, 2);
}

#[cfg(unix)]
#[tokio::test]
async fn a_server_that_lost_its_lock_to_another_does_not_write_until_that_one_ends() {
    let folder = folder();
    let mut bench = Bench::new(folder.path()).await;
    std::fs::remove_file(folder.path().join("engine.db.lock")).unwrap();
    let other = sqlite(folder.path());
    assert_eq!(bench.register_another().await, Written::InMemory);
    assert!(bench.turn_after(SECOND).await);
    assert_eq!(bench.durability(), Some(StoreFailure::Locked));
    drop(other);
    assert!(bench.turn_after(2 * SECOND).await);
    assert_eq!(bench.durability(), None);
    assert_eq!(bench.found_after_restart(folder.path()).await, 1);
}

#[cfg(unix)]
#[tokio::test]
async fn what_passwords_are_checked_against_is_for_the_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder();
    let mut bench = Bench::new(folder.path()).await;
    bench.register_another().await;
    for name in ["engine.db", "engine.db-wal"] {
        let mode = std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}");
    }
}

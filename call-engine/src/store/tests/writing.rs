//! The writer over a store that works.

use std::sync::Mutex;

use super::*;

/// A writer over a store, turned by hand in virtual time, and what its waiters were told.
struct Bench<S: Store> {
    writer: Writer<S>,
    handle: StoreHandle,
    location: Arc<Location>,
    told: Arc<Mutex<Vec<(String, Written)>>>,
    at: Moment,
}

impl<S: Store> Bench<S> {
    async fn new(store: S) -> Self {
        let (at, location) = (moment(), Arc::new(Location::default()));
        let opened = Writer::open(store, WriterConfig::default(), Arc::clone(&location), at).await;
        let (writer, handle, _) = opened.unwrap();
        Self { writer, handle, location, told: Arc::default(), at }
    }

    fn waiter(&self, name: &str) -> impl FnOnce(Written) + Send + use<S> {
        let (told, name) = (Arc::clone(&self.told), name.to_owned());
        move |written| told.lock().unwrap().push((name, written))
    }

    /// Whether it has to wait.
    fn registered(&self, user: &str, touched: Touched, name: &str) -> bool {
        matches!(self.handle.registered(self.at.now, &aor(user), touched, self.waiter(name)), Admitted::Later)
    }

    fn told(&self) -> Vec<(String, Written)> {
        std::mem::take(&mut self.told.lock().unwrap())
    }

    async fn turn_after(&mut self, by: Duration) -> bool {
        self.at = self.at.later(by);
        self.writer.turn(self.at).await
    }
}

#[tokio::test]
async fn a_changed_contact_is_answered_when_it_is_written_and_not_before() {
    let store = MemoryStore::new();
    let mut bench = Bench::new(store.clone()).await;
    register(&bench.location, bench.at, "alice", "<sip:a@h>");
    assert!(bench.registered("alice", Touched::Contacts, "first"));
    assert!(bench.told().is_empty());
    assert!(bench.turn_after(Duration::ZERO).await);
    assert_eq!(bench.told(), [("first".to_owned(), Written::Durably)]);
    assert_eq!(store.clone().load(bench.at.date).await.unwrap().registrations.len(), 1);
    assert!(bench.handle.status().durability.is_durable());
}

#[tokio::test]
async fn a_refresh_is_answered_at_once_and_written_within_half_a_second() {
    let mut bench = Bench::new(MemoryStore::new()).await;
    register(&bench.location, bench.at, "alice", "<sip:a@h>");
    assert!(!bench.registered("alice", Touched::Expiry, "refresh"));
    assert!(!bench.turn_after(Duration::from_millis(499)).await);
    assert!(bench.turn_after(Duration::from_millis(1)).await);
}

#[tokio::test]
async fn a_refresh_or_a_query_right_after_a_change_waits_for_the_change() {
    let mut bench = Bench::new(MemoryStore::new()).await;
    register(&bench.location, bench.at, "alice", "<sip:a@h>");
    assert!(bench.registered("alice", Touched::Contacts, "change"));
    assert!(bench.registered("alice", Touched::Expiry, "refresh"));
    assert!(bench.registered("alice", Touched::Nothing, "query"));
    assert!(!bench.registered("bob", Touched::Nothing, "other"));
    bench.turn_after(Duration::ZERO).await;
    assert_eq!(bench.told().len(), 3);
    assert!(!bench.registered("alice", Touched::Nothing, "query"));
}

#[tokio::test]
async fn without_write_contacts_nothing_waits() {
    let config = WriterConfig { write_contacts: false, ..WriterConfig::default() };
    let opened = Writer::open(MemoryStore::new(), config, Arc::new(Location::default()), moment()).await;
    let (_writer, handle, _) = opened.unwrap();
    let admitted = handle.registered(moment().now, &aor("alice"), Touched::Contacts, |_: Written| {});
    assert!(matches!(admitted, Admitted::Now(_, Written::Durably)));
}

#[tokio::test]
async fn an_account_is_there_at_once_and_after_a_restart() {
    let store = MemoryStore::new();
    let (writer, handle, _) =
        Writer::open(store.clone(), WriterConfig::default(), Arc::default(), moment()).await.unwrap();
    let writer = tokio::spawn(writer.run());
    let put = AccountChange::Put(account("alice", "a"));
    assert_eq!(handle.change_account(Instant::now(), put).await.unwrap(), Written::Durably);
    assert_eq!(handle.accounts(), [account("alice", "a")]);
    let (_, _, loaded) = Writer::open(store, WriterConfig::default(), Arc::default(), moment()).await.unwrap();
    assert_eq!(loaded.accounts, [account("alice", "a")]);
    handle.close(60 * SECOND).await;
    writer.await.unwrap();
}

#[tokio::test]
async fn closing_writes_what_is_left_and_then_nobody_waits() {
    let (store, location) = (MemoryStore::new(), Arc::new(Location::default()));
    let opened = Writer::open(store.clone(), WriterConfig::default(), Arc::clone(&location), moment()).await;
    let (writer, handle, _) = opened.unwrap();
    let at = Moment { now: Instant::now(), date: SystemTime::now() };
    register(&location, at, "alice", "<sip:a@h>");
    let refreshed = handle.registered(Instant::now(), &aor("alice"), Touched::Expiry, |_: Written| {});
    assert!(matches!(refreshed, Admitted::Now(_, Written::Durably)));
    let record = handle.record(Instant::now(), cdr(1, moment()));
    let writer = tokio::spawn(writer.run());
    handle.close(60 * SECOND).await;
    writer.await.unwrap();
    assert_eq!(record.await, Written::Durably);
    assert_eq!(store.clone().load(at.date).await.unwrap().registrations.len(), 1);
    let late = handle.registered(Instant::now(), &aor("alice"), Touched::Contacts, |_: Written| {});
    assert!(matches!(late, Admitted::Now(_, Written::InMemory)));
    assert!(handle.cdrs(1).await.is_err());
}

/// A store whose writes end when the test lets them.
struct Gated(MemoryStore, Arc<tokio::sync::Semaphore>);

impl Store for Gated {
    async fn load(&mut self, date: SystemTime) -> Result<Snapshot, StoreError> {
        self.0.load(date).await
    }
    async fn write(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.1.acquire().await.unwrap().forget();
        self.0.write(batch).await
    }
    async fn cdrs(&mut self, newest: u32) -> Result<Vec<Cdr>, StoreError> {
        self.0.cdrs(newest).await
    }
    async fn reopen(&mut self, after: StoreFailure) -> Result<Reopened, StoreError> {
        self.0.reopen(after).await
    }
    async fn close(&mut self) {}
}

#[tokio::test]
async fn a_write_that_hangs_keeps_nobody_for_longer_than_they_can_wait() {
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let limits = BacklogLimits { longest_wait: Duration::from_millis(1), ..BacklogLimits::default() };
    let config = WriterConfig { limits, ..WriterConfig::default() };
    let store = Gated(MemoryStore::new(), Arc::clone(&gate));
    let (writer, handle, _) = Writer::open(store, config, Arc::default(), moment()).await.unwrap();
    let writer = tokio::spawn(writer.run());
    assert_eq!(handle.record(Instant::now(), cdr(1, moment())).await, Written::InMemory);
    let slow = |status: StoreStatus| matches!(status.durability, Durability::Degraded { failure, .. } if failure == StoreFailure::Slow);
    assert!(slow(handle.status()));
    assert_eq!(handle.record(Instant::now(), cdr(2, moment())).await, Written::InMemory, "at once");
    gate.add_permits(10);
    assert!(!handle.cdrs(10).await.unwrap().is_empty(), "the first came through");
    handle.close(60 * SECOND).await;
    writer.await.unwrap();
    assert_eq!(handle.status().unwritten_cdrs, 0);
}

#[tokio::test]
async fn a_writer_that_is_dropped_lets_everybody_go() {
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let store = Gated(MemoryStore::new(), gate);
    let opened = Writer::open(store, WriterConfig::default(), Arc::default(), moment()).await;
    let (writer, handle, _) = opened.unwrap();
    let writer = tokio::spawn(writer.run());
    let record = handle.record(Instant::now(), cdr(1, moment()));
    tokio::task::yield_now().await;
    writer.abort();
    assert_eq!(record.await, Written::InMemory);
    assert!(!handle.status().durability.is_durable());
}

#[tokio::test]
async fn a_waiter_that_panics_takes_nobody_with_it() {
    let mut bench = Bench::new(MemoryStore::new()).await;
    for user in ["alice", "bob"] {
        register(&bench.location, bench.at, user, "<sip:a@h>");
    }
    let waiter = |_: Written| panic!("as the test wants it");
    assert!(matches!(bench.handle.registered(bench.at.now, &aor("alice"), Touched::Contacts, waiter), Admitted::Later));
    assert!(bench.registered("bob", Touched::Contacts, "bob"));
    bench.turn_after(Duration::ZERO).await;
    assert_eq!(bench.told(), [("bob".to_owned(), Written::Durably)]);
}

#[tokio::test]
async fn a_process_begins_with_what_another_has_registered() {
    let folder = folder();
    let mut bench = Bench::new(sqlite(folder.path())).await;
    register(&bench.location, bench.at, "alice", "\"A\" <sip:a@192.0.2.9:5062>;+sip.instance=\"<urn:x>\"");
    assert!(bench.registered("alice", Touched::Contacts, "alice"));
    bench.turn_after(Duration::ZERO).await;
    let before = bench.location.bindings(&aor("alice"), bench.at.now);
    let at = bench.at.later(10 * SECOND);
    bench.writer.store.close().await;
    drop(bench);

    let location = Arc::new(Location::default());
    let opened = Writer::open(sqlite(folder.path()), WriterConfig::default(), Arc::clone(&location), at).await;
    assert_eq!(opened.unwrap().2.contacts, 1);
    let after = location.bindings(&aor("alice"), at.now);
    assert_eq!(before.iter().collect::<Vec<_>>(), after.iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn contacts_beyond_the_limits_are_counted_and_left_out() {
    let (at, store) = (moment(), MemoryStore::new());
    let contacts = ["<sip:a@h>", "no contact", "<sip:b@h>"].map(|contact| stored(at, contact, 60)).to_vec();
    let batch = Batch { registrations: vec![of("alice", contacts)], ..Batch::default() };
    store.clone().write(&batch).await.unwrap();
    let limits = crate::location::LocationLimits { max_contacts_per_aor: 1, max_aors: 10 };
    let location = Arc::new(Location::new(limits));
    let opened = Writer::open(store, WriterConfig::default(), Arc::clone(&location), at).await;
    let (_, _, loaded) = opened.unwrap();
    assert_eq!((loaded.contacts, loaded.dropped, location.contacts()), (1, 2, 1));
}

/// What is logged, as text.
#[cfg(feature = "cli")]
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<u8>>>);

#[cfg(feature = "cli")]
impl Log {
    /// Takes what this thread logs from here on, until the guard goes.
    pub(super) fn begin() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

#[cfg(feature = "cli")]
impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(feature = "cli")]
#[tokio::test]
async fn of_more_call_records_than_can_wait_the_oldest_go_to_the_log_as_json_and_are_counted() {
    let (log, _logs_here) = Log::begin();
    let limits = BacklogLimits { max_cdrs: 3, ..BacklogLimits::default() };
    let config = WriterConfig { limits, ..WriterConfig::default() };
    // Nobody writes.
    let store = Gated(MemoryStore::new(), Arc::new(tokio::sync::Semaphore::new(0)));
    let opened = Writer::open(store, config, Arc::default(), moment()).await;
    let (_writer, handle, _) = opened.unwrap();
    for number in 1..=5 {
        drop(handle.record(Instant::now(), ended(&cdr(number, moment()))));
    }
    let status = handle.status();
    assert_eq!((status.unwritten_cdrs, status.logged_cdrs), (3, 2));
    let log = log.text();
    let records: Vec<serde_json::Value> = log
        .lines()
        .filter(|line| line.contains("engine::cdr"))
        .map(|line| serde_json::from_str(&line[line.find('{').unwrap()..=line.rfind('}').unwrap()]).unwrap())
        .collect();
    assert_eq!(records, [1, 2].map(|number| ended(&cdr(number, moment())).to_json()));
}

#[cfg(feature = "cli")]
#[tokio::test]
async fn ending_while_the_store_does_not_write_says_which_contacts_and_accounts_are_lost() {
    let (log, _logs_here) = Log::begin();
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let (location, at) = (Arc::new(Location::default()), moment());
    let store = Gated(MemoryStore::new(), gate);
    let opened = Writer::open(store, WriterConfig::default(), Arc::clone(&location), at).await;
    let (writer, handle, _) = opened.unwrap();
    for user in ["alice", "bob"] {
        register(&location, at, user, "<sip:a@h>");
        let admitted = handle.registered(at.now, &aor(user), Touched::Contacts, |_: Written| {});
        assert!(matches!(admitted, Admitted::Later));
    }
    let changing = handle.clone();
    let put = AccountChange::Put(account("carol", "c"));
    let changed = tokio::spawn(async move { changing.change_account(moment().now, put).await });
    let writer = tokio::spawn(writer.run());
    tokio::task::yield_now().await;
    assert!(!log.text().contains("does not know it"));
    writer.abort();
    assert_eq!(changed.await.unwrap().unwrap(), Written::InMemory);
    assert!(writer.await.is_err());
    let log = log.text();
    let line = log.lines().find(|line| line.contains("does not know it")).unwrap_or_else(|| panic!("{log}"));
    for part in ["ERROR", "addresses_of_record=2", "contacts=2", "accounts=1", "users=\"carol\""] {
        assert!(line.contains(part), "{part} in {line}");
    }
}

#[tokio::test]
async fn a_question_that_the_store_does_not_answer_keeps_nobody_either() {
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let limits = BacklogLimits { longest_wait: Duration::from_millis(1), ..BacklogLimits::default() };
    let config = WriterConfig { limits, ..WriterConfig::default() };
    let (writer, handle, _) =
        Writer::open(Mute(MemoryStore::new(), gate), config, Arc::default(), moment()).await.unwrap();
    let writer = tokio::spawn(writer.run());
    let asker = handle.clone();
    let asked = tokio::spawn(async move { asker.cdrs(1).await });
    tokio::task::yield_now().await;
    assert_eq!(handle.record(Instant::now(), cdr(1, moment())).await, Written::InMemory);
    writer.abort();
    assert!(asked.await.unwrap().is_err());
}

/// A store that answers no question.
struct Mute(MemoryStore, Arc<tokio::sync::Semaphore>);

impl Store for Mute {
    async fn load(&mut self, date: SystemTime) -> Result<Snapshot, StoreError> {
        self.0.load(date).await
    }
    async fn write(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.0.write(batch).await
    }
    async fn cdrs(&mut self, newest: u32) -> Result<Vec<Cdr>, StoreError> {
        drop(self.1.acquire().await);
        self.0.cdrs(newest).await
    }
    async fn reopen(&mut self, after: StoreFailure) -> Result<Reopened, StoreError> {
        self.0.reopen(after).await
    }
    async fn close(&mut self) {}
}

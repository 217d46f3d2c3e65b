use std::time::SystemTime;

use super::*;

type Answers = Vec<(&'static str, Written)>;

const MS: Duration = Duration::from_millis(1);

fn aor(user: &str) -> AddressOfRecord {
    AddressOfRecord::new(user, "blether.example".parse().unwrap()).unwrap()
}

fn cdr(number: i64) -> Arc<Cdr> {
    Arc::new(Cdr::begin(CdrId::new(number), "c", "102", SystemTime::UNIX_EPOCH))
}

/// A backlog in virtual time.
struct Bench {
    backlog: Backlog<&'static str>,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        Self::with(BacklogLimits::default())
    }

    fn with(limits: BacklogLimits) -> Self {
        // Any instant does: only differences count.
        Self { backlog: Backlog::new(limits), now: Instant::now() }
    }

    fn attach(&mut self, place: Option<Place>, name: &'static str) -> bool {
        let waits = place.is_some();
        if let Some(place) = place {
            self.backlog.attach(self.now, place, name);
        }
        waits
    }

    /// Whether it waits.
    fn changed(&mut self, user: &str, name: &'static str) -> bool {
        let place = self.backlog.contacts_changed(self.now, &aor(user));
        self.attach(place, name)
    }

    fn refreshed(&mut self, user: &str, name: &'static str) -> bool {
        let place = self.backlog.expiry_moved(self.now, &aor(user));
        self.attach(place, name)
    }

    fn recorded(&mut self, number: i64, name: &'static str) -> bool {
        let place = self.backlog.cdr_changed(self.now, cdr(number));
        self.attach(place, name)
    }

    /// The users of the batch that is due.
    fn batch(&mut self) -> Option<Vec<String>> {
        let names = self.backlog.poll_batch(self.now)?;
        Some(names.bindings.iter().map(|aor| aor.user().to_owned()).collect())
    }

    fn written(&mut self) -> Answers {
        self.backlog.handle_written(self.now, Ok(()));
        self.answers()
    }

    fn failed(&mut self, failure: StoreFailure) -> Answers {
        self.backlog.handle_written(self.now, Err(failure));
        self.answers()
    }

    fn answers(&mut self) -> Answers {
        let mut answers = Vec::new();
        while let Some(output) = self.backlog.poll_output() {
            if let Output::Answer(name, written) = output {
                answers.push((name, written));
            }
        }
        answers
    }

    fn logged(&mut self) -> Vec<i64> {
        let mut logged = Vec::new();
        while let Some(output) = self.backlog.poll_output() {
            if let Output::Log(cdr) = output {
                logged.push(cdr.id.number());
            }
        }
        logged
    }

    fn is_durable(&self) -> bool {
        self.backlog.durability().is_durable()
    }
}

#[test]
fn what_comes_while_a_batch_is_written_goes_into_the_next() {
    let mut bench = Bench::new();
    assert!(bench.changed("a", "first") && bench.changed("b", "second"));
    assert_eq!(bench.batch().unwrap(), ["a", "b"]);
    assert!(bench.changed("a", "third"));
    assert_eq!(bench.batch(), None, "one at a time");
    assert_eq!(bench.written(), [("first", Written::Durably), ("second", Written::Durably)]);
    assert_eq!(bench.batch().unwrap(), ["a"]);
    assert_eq!(bench.written(), [("third", Written::Durably)]);
    assert!(bench.backlog.is_empty() && bench.batch().is_none());
    assert_eq!(bench.backlog.poll_timeout(), None);
}

#[test]
fn many_changes_of_one_set_are_one_write() {
    let mut bench = Bench::new();
    assert!((0..100).all(|_| bench.changed("a", "waits")));
    assert_eq!(bench.backlog.counts(), (1, 0, 0));
    assert_eq!(bench.batch().unwrap(), ["a"]);
    assert_eq!(bench.written().len(), 100);
}

#[test]
fn a_refresh_goes_with_the_next_batch_or_after_its_delay() {
    let mut bench = Bench::new();
    assert!(!bench.refreshed("a", ""));
    assert_eq!(bench.backlog.poll_timeout(), Some(bench.now + 500 * MS));
    assert_eq!(bench.batch(), None);
    assert!(bench.changed("b", ""));
    assert_eq!(bench.batch().unwrap(), ["a", "b"]);
}

#[test]
fn a_refresh_of_a_change_that_is_being_written_waits_for_that_batch() {
    let mut bench = Bench::new();
    bench.changed("a", "change");
    bench.batch();
    assert!(bench.refreshed("a", "refresh"));
    assert_eq!(bench.written(), [("change", Written::Durably), ("refresh", Written::Durably)]);
    assert_eq!(bench.batch(), None, "the refresh itself has time");
    bench.now += 500 * MS;
    assert_eq!(bench.batch().unwrap(), ["a"]);
    assert!(!bench.refreshed("a", "again"), "a refresh that is being written keeps nobody");
}

#[test]
fn a_batch_has_a_bound_and_the_oldest_goes_first() {
    let mut bench = Bench::with(BacklogLimits { max_batch: 2, ..BacklogLimits::default() });
    for user in ["c", "b", "a"] {
        bench.changed(user, "");
    }
    assert_eq!(bench.batch().unwrap(), ["b", "c"]);
    bench.written();
    assert_eq!(bench.batch().unwrap(), ["a"]);
}

#[test]
fn when_a_batch_fails_nobody_waits_and_all_of_it_is_written_later() {
    let mut bench = Bench::new();
    bench.changed("a", "change");
    bench.recorded(1, "record");
    bench.batch();
    let in_memory = |name| (name, Written::InMemory);
    assert_eq!(bench.failed(StoreFailure::Full), ["change", "record"].map(in_memory));
    assert!(!bench.is_durable());
    assert!(!bench.changed("b", "") && !bench.recorded(2, "") && !bench.refreshed("a", ""));
    assert_eq!(bench.backlog.counts(), (2, 0, 2));
    assert_eq!(bench.batch(), None);
    bench.now += 1_000 * MS;
    assert_eq!(bench.batch().unwrap(), ["a", "b"]);
    bench.written();
    assert!(bench.is_durable() && bench.backlog.is_empty());
}

#[test]
fn the_wait_doubles_to_the_longest_and_begins_anew_after_a_success() {
    let mut bench = Bench::new();
    bench.changed("a", "");
    bench.batch();
    let mut waits = Vec::new();
    for _ in 0..7 {
        bench.failed(StoreFailure::Locked);
        let at = bench.backlog.poll_timeout().unwrap();
        waits.push((at - bench.now).as_secs());
        bench.now = at;
        assert!(bench.batch().is_some());
    }
    assert_eq!(waits, [1, 2, 4, 5, 5, 5, 5]);
    bench.written();
    bench.changed("a", "");
    bench.batch();
    bench.failed(StoreFailure::Locked);
    assert_eq!(bench.backlog.poll_timeout(), Some(bench.now + 1_000 * MS));
}

#[test]
fn after_a_second_nobody_waits_though_the_store_still_writes() {
    let mut bench = Bench::new();
    bench.changed("a", "in flight");
    bench.batch();
    bench.now += 10 * MS;
    bench.changed("b", "next");
    assert_eq!(bench.backlog.poll_timeout(), Some(bench.now + 990 * MS));
    bench.now += 989 * MS;
    bench.backlog.handle_timeout(bench.now);
    assert_eq!(bench.answers(), []);
    bench.now += MS;
    bench.backlog.handle_timeout(bench.now);
    assert_eq!(bench.answers(), [("next", Written::InMemory), ("in flight", Written::InMemory)]);
    assert!(!bench.is_durable());
    assert_eq!(bench.written(), []);
    assert!(!bench.is_durable(), "it came through in the end, but what was answered meanwhile is left");
    assert_eq!(bench.batch().unwrap(), ["b"]);
    assert_eq!(bench.written(), []);
    assert!(bench.is_durable());
}

#[test]
fn past_the_bound_the_oldest_record_goes_to_the_log() {
    let mut bench = Bench::with(BacklogLimits { max_cdrs: 3, ..BacklogLimits::default() });
    bench.recorded(1, "");
    bench.batch();
    bench.failed(StoreFailure::Full);
    for number in 2..=5 {
        bench.recorded(number, "");
    }
    assert_eq!(bench.logged(), [1, 2]);
    assert_eq!((bench.backlog.counts().2, bench.backlog.logged()), (3, 2));
    // A batch that comes back takes no more room than there is.
    bench.now += 1_000 * MS;
    bench.batch();
    bench.recorded(6, "");
    bench.backlog.handle_written(bench.now, Err(StoreFailure::Full));
    assert_eq!(bench.logged(), [3]);
}

#[test]
fn a_record_that_ended_while_its_answer_was_being_written_is_not_put_back() {
    let mut bench = Bench::new();
    bench.recorded(1, "");
    bench.batch();
    let ended = Arc::new(Cdr { dialled: "ended".into(), ..Cdr::clone(&cdr(1)) });
    let _ = bench.backlog.cdr_changed(bench.now, Arc::clone(&ended));
    bench.failed(StoreFailure::Full);
    bench.now += 1_000 * MS;
    assert_eq!(bench.backlog.poll_batch(bench.now).unwrap().cdrs, [ended]);
}

#[test]
fn past_the_bound_of_names_everything_is_written_and_names_take_no_more_room() {
    let mut bench = Bench::with(BacklogLimits { max_bindings: 2, ..BacklogLimits::default() });
    bench.changed("a", "a");
    bench.changed("b", "b");
    assert!(!bench.changed("c", ""));
    assert_eq!(bench.answers(), [("a", Written::InMemory), ("b", Written::InMemory)]);
    assert!(!bench.changed("d", "") && bench.backlog.counts().0 == 0);
    bench.now += 1_000 * MS;
    let names = bench.backlog.poll_batch(bench.now).unwrap();
    assert!(names.everything && names.bindings.is_empty());
    bench.failed(StoreFailure::Full);
    bench.now += 2_000 * MS;
    assert!(bench.backlog.poll_batch(bench.now).unwrap().everything, "until it is written");
    bench.written();
    assert!(bench.is_durable());
    assert!(bench.changed("a", ""));
}

#[test]
fn too_many_who_wait_mean_that_the_store_is_too_slow() {
    let mut bench = Bench::with(BacklogLimits { max_waiting: 2, ..BacklogLimits::default() });
    assert!(bench.changed("a", "a") && bench.changed("b", "b"));
    assert!(!bench.changed("c", "c"));
    assert_eq!(bench.answers().len(), 2);
    let failure = StoreFailure::Slow;
    assert_eq!(bench.backlog.durability(), Durability::Degraded { failure, since: bench.now });
    bench.now += 1_000 * MS;
    bench.batch();
    bench.written();
    assert!(bench.changed("a", "a") && bench.changed("b", "b"), "there is room again");
}

#[test]
fn past_the_bound_an_account_is_refused_and_one_that_waits_already_is_not() {
    let mut bench = Bench::with(BacklogLimits { max_accounts: 1, ..BacklogLimits::default() });
    assert!(bench.backlog.account_changed(bench.now, "a").is_ok());
    assert_eq!(bench.backlog.account_changed(bench.now, "b"), Err(1));
    assert!(bench.backlog.account_changed(bench.now, "a").is_ok());
}

#[test]
fn while_much_is_left_it_is_written_without_a_pause_and_nobody_waits_for_it() {
    let mut bench = Bench::with(BacklogLimits { max_batch: 1, ..BacklogLimits::default() });
    for user in ["a", "b", "c"] {
        bench.changed(user, "");
    }
    bench.batch();
    bench.failed(StoreFailure::Full);
    bench.now += 1_000 * MS;
    assert!(bench.batch().is_some());
    bench.written();
    assert!(!bench.is_durable(), "two are left, and a batch takes one");
    assert!(!bench.changed("d", ""));
    for _ in 0..2 {
        assert!(bench.batch().is_some());
        bench.written();
    }
    assert!(!bench.is_durable() && bench.changed("e", "e"), "one is left that was answered from memory");
    assert_eq!(bench.batch().unwrap(), ["d"]);
    assert!(bench.written().is_empty());
    assert!(bench.is_durable(), "only what waits is left");
    assert_eq!(bench.batch().unwrap(), ["e"]);
    assert_eq!(bench.written(), [("e", Written::Durably)]);
}

#[test]
fn the_last_of_what_is_left_may_fail_too() {
    let mut bench = Bench::with(BacklogLimits { max_batch: 1, ..BacklogLimits::default() });
    bench.changed("a", "");
    bench.changed("b", "");
    bench.batch();
    bench.failed(StoreFailure::Full);
    bench.now += 1_000 * MS;
    bench.batch();
    bench.written();
    assert!(bench.changed("c", "c"));
    bench.batch();
    assert_eq!(bench.failed(StoreFailure::Locked), [("c", Written::InMemory)]);
    assert!(!bench.is_durable() && bench.batch().is_none(), "it is tried again later");
    bench.now += 1_000 * MS;
    while bench.batch().is_some() {
        bench.written();
    }
    assert!(bench.is_durable() && bench.backlog.is_empty());
}

#[test]
fn a_late_record_of_an_early_call_does_not_hide_one_that_is_left() {
    let mut bench = Bench::with(BacklogLimits { max_batch: 1, ..BacklogLimits::default() });
    bench.changed("a", "");
    bench.recorded(7, "");
    bench.changed("b", "");
    bench.batch();
    bench.failed(StoreFailure::Full);
    bench.recorded(8, "");
    bench.now += 1_000 * MS;
    bench.batch();
    bench.written();
    assert!(bench.recorded(1, "late"));
    bench.batch();
    bench.written();
    assert!(!bench.is_durable(), "the eighth is left");
    bench.batch();
    assert_eq!(bench.written(), [("late", Written::Durably)]);
    assert!(bench.is_durable());
}

#[test]
fn after_the_stop_nobody_waits_and_nothing_is_due() {
    let mut bench = Bench::new();
    bench.changed("a", "a");
    bench.batch();
    bench.recorded(1, "record");
    bench.backlog.stop(bench.now);
    assert_eq!(bench.answers().len(), 2);
    assert!(!bench.changed("b", "") && bench.backlog.poll_timeout().is_none());
    bench.now += 3_600_000 * MS;
    assert!(bench.batch().is_none());
    assert_eq!(bench.backlog.take_cdrs(), [cdr(1)]);
}

#[test]
fn random_work_keeps_every_bound_and_answers_everybody_once() {
    use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
    for seed in 0..200 {
        let rng = &mut StdRng::seed_from_u64(seed);
        let limits =
            BacklogLimits { max_bindings: 8, max_cdrs: 5, max_waiting: 12, max_batch: 3, ..Default::default() };
        let mut bench = Bench::with(limits);
        let (mut waiting, mut answered) = (0, 0);
        for _ in 0..400 {
            bench.now += rng.random_range(0..400) * MS;
            let user = format!("user{}", rng.random_range(0..12));
            match rng.random_range(0..7) {
                0 => waiting += usize::from(bench.changed(&user, "")),
                1 => waiting += usize::from(bench.refreshed(&user, "")),
                2 => waiting += usize::from(bench.recorded(rng.random_range(0..20), "")),
                3 => bench.backlog.handle_timeout(bench.now),
                4 => bench.backlog.handle_written(bench.now, Ok(())),
                5 => bench.backlog.handle_written(bench.now, Err(StoreFailure::Full)),
                _ => drop(bench.batch()),
            }
            answered += bench.answers().len();
            let (bindings, _, cdrs) = bench.backlog.counts();
            // Of call records a batch holds some more while it is written.
            assert!(bindings <= 8 + 3 && cdrs <= 5 + 3 && bench.backlog.waiting <= 12, "seed {seed}");
            assert_eq!(bench.backlog.waiting, waiting - answered, "seed {seed}");
        }
        for _ in 0..20 {
            bench.now += 60_000 * MS;
            bench.backlog.handle_written(bench.now, Ok(()));
            bench.batch();
            answered += bench.answers().len();
        }
        assert!(bench.backlog.is_empty() && bench.is_durable() && waiting == answered, "seed {seed}");
    }
}

//! What every body of [`Store`] does, run on each.

use super::*;

/// A body, and how to open it anew as the next process would.
trait Body {
    type Opened: Store;
    fn open(&self) -> Self::Opened;
}

struct Memory(MemoryStore);

impl Body for Memory {
    type Opened = MemoryStore;
    fn open(&self) -> MemoryStore {
        self.0.clone()
    }
}

struct Sqlite(tempfile::TempDir);

impl Body for Sqlite {
    type Opened = SqliteStore;
    fn open(&self) -> SqliteStore {
        sqlite(self.0.path())
    }
}

macro_rules! on_every_body {
    ($($rule:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test] async fn $rule() { super::$rule(super::Memory(super::MemoryStore::new())).await; })*
        }
        mod sqlite {
            $(#[tokio::test] async fn $rule() { super::$rule(super::Sqlite(super::folder())).await; })*
        }
    };
}

on_every_body!(
    is_empty_at_first,
    accounts_are_there_after_a_restart,
    contacts_are_there_after_a_restart_in_their_order,
    a_set_takes_the_place_of_the_one_before,
    expired_contacts_are_gone_at_the_next_start,
    a_live_call_is_marked_interrupted_at_the_next_start_and_only_then,
    a_record_takes_the_place_of_the_one_with_its_id,
    the_newest_records_come_first,
    a_batch_that_replaces_all_leaves_nothing_but_call_records,
    an_empty_batch_changes_nothing,
    text_of_strangers_comes_back_as_it_was,
);

async fn after_restart<S: Store>(mut store: S, body: &impl Body<Opened = S>, date: SystemTime) -> (S, Snapshot) {
    store.close().await;
    drop(store);
    let mut store = body.open();
    let snapshot = store.load(date).await.unwrap();
    (store, snapshot)
}

async fn opened<S: Store>(body: &impl Body<Opened = S>) -> S {
    let mut store = body.open();
    store.load(moment().date).await.unwrap();
    store
}

fn registrations(sets: Vec<StoredBindings>) -> Batch {
    Batch { registrations: sets, ..Batch::default() }
}

async fn is_empty_at_first(body: impl Body) {
    let mut store = body.open();
    assert_eq!(store.load(moment().date).await.unwrap(), Snapshot::default());
    assert!(store.cdrs(10).await.unwrap().is_empty());
}

async fn accounts_are_there_after_a_restart(body: impl Body) {
    let mut store = opened(&body).await;
    let put = |user: &str, password: &str| AccountChange::Put(account(user, password));
    let accounts = vec![put("bob", "b"), put("alice", "a"), put("carol", "c")];
    store.write(&Batch { accounts, ..Batch::default() }).await.unwrap();
    let accounts = vec![put("bob", "new"), AccountChange::Remove("carol".into()), AccountChange::Remove("dave".into())];
    store.write(&Batch { accounts, ..Batch::default() }).await.unwrap();
    let (_, snapshot) = after_restart(store, &body, moment().date).await;
    assert_eq!(snapshot.accounts, [account("alice", "a"), account("bob", "new")]);
}

async fn contacts_are_there_after_a_restart_in_their_order(body: impl Body) {
    let at = moment();
    let mut store = opened(&body).await;
    let contacts =
        ["<sip:z@192.0.2.9>", "\"A\" <sip:a@[2001:db8::1]:5062;transport=udp>;q=0.5;+sip.instance=\"<urn:x>\""];
    let sets =
        vec![of("bob", vec![stored(at, contacts[0], 60)]), of("a;b", contacts.map(|c| stored(at, c, 60)).to_vec())];
    store.write(&registrations(sets.clone())).await.unwrap();
    let (_, snapshot) = after_restart(store, &body, at.date).await;
    let mut found = snapshot.registrations;
    found.sort_by_key(|set| std::cmp::Reverse(set.aor.clone()));
    assert_eq!(found, sets);
}

async fn a_set_takes_the_place_of_the_one_before(body: impl Body) {
    let at = moment();
    let mut store = opened(&body).await;
    let two = ["<sip:a@h>", "<sip:b@h>"].map(|c| stored(at, c, 60)).to_vec();
    store.write(&registrations(vec![of("alice", two.clone()), of("bob", two)])).await.unwrap();
    let one = vec![stored(at, "<sip:c@h>", 60)];
    store.write(&registrations(vec![of("alice", one.clone()), of("bob", Vec::new())])).await.unwrap();
    let (_, snapshot) = after_restart(store, &body, at.date).await;
    assert_eq!(snapshot.registrations, [of("alice", one)]);
}

async fn expired_contacts_are_gone_at_the_next_start(body: impl Body) {
    let at = moment();
    let mut store = opened(&body).await;
    let contacts = vec![stored(at, "<sip:a@h>", 60), stored(at, "<sip:b@h>", 90)];
    store
        .write(&registrations(vec![of("alice", contacts), of("bob", vec![stored(at, "<sip:c@h>", 60)])]))
        .await
        .unwrap();
    let (store, snapshot) = after_restart(store, &body, at.date + 60 * SECOND).await;
    assert_eq!(snapshot.registrations, [of("alice", vec![stored(at, "<sip:b@h>", 90)])]);
    // Though the clock is set back: they are not there any more.
    let (_, snapshot) = after_restart(store, &body, at.date).await;
    assert_eq!(snapshot.registrations.iter().map(|set| set.contacts.len()).sum::<usize>(), 1);
}

async fn a_live_call_is_marked_interrupted_at_the_next_start_and_only_then(body: impl Body) {
    let at = moment();
    let mut store = opened(&body).await;
    let (live, over) = (cdr(1, at), ended(&cdr(2, at)));
    store.write(&Batch { cdrs: vec![live.clone(), over.clone()], ..Batch::default() }).await.unwrap();
    store.reopen(StoreFailure::Unavailable).await.unwrap();
    assert_eq!(store.cdrs(10).await.unwrap(), [over.clone(), live.clone()]);
    let (mut store, snapshot) = after_restart(store, &body, at.date).await;
    assert_eq!(snapshot.interrupted, 1);
    assert_eq!(store.cdrs(10).await.unwrap(), [over, Cdr { end: Some(CdrEnd::Interrupted), ..live }]);
    let (_, snapshot) = after_restart(store, &body, at.date).await;
    assert_eq!(snapshot.interrupted, 0, "once");
}

async fn a_record_takes_the_place_of_the_one_with_its_id(body: impl Body) {
    let at = moment();
    let mut store = opened(&body).await;
    let live = cdr(1, at);
    let mut over = ended(&live);
    over.end = Some(CdrEnd::Refused(blether_sip_core::StatusCode::BUSY_HERE));
    over.legs = Some(r#"[{"lost":3,"mos":4.1},{"lost":0}]"#.into());
    for cdr in [&live, &over] {
        store.write(&Batch { cdrs: vec![cdr.clone()], ..Batch::default() }).await.unwrap();
        assert_eq!(store.cdrs(10).await.unwrap(), std::slice::from_ref(cdr));
    }
}

async fn the_newest_records_come_first(body: impl Body) {
    let mut store = opened(&body).await;
    let cdrs = [3, 1, 2].map(|number| cdr(number, moment())).to_vec();
    store.write(&Batch { cdrs, ..Batch::default() }).await.unwrap();
    let newest = store.cdrs(2).await.unwrap();
    assert_eq!(newest.iter().map(|cdr| cdr.id.number()).collect::<Vec<_>>(), [3, 2]);
}

async fn a_batch_that_replaces_all_leaves_nothing_but_call_records(body: impl Body) {
    let at = moment();
    let mut store = opened(&body).await;
    let mut batch = registrations(vec![of("alice", vec![stored(at, "<sip:a@h>", 60)])]);
    batch.accounts = vec![AccountChange::Put(account("alice", "a"))];
    batch.cdrs = vec![ended(&cdr(1, at))];
    store.write(&batch).await.unwrap();
    let bob = of("bob", vec![stored(at, "<sip:b@h>", 60)]);
    store.write(&Batch { replaces_all: true, ..registrations(vec![bob.clone()]) }).await.unwrap();
    let (mut store, snapshot) = after_restart(store, &body, at.date).await;
    assert_eq!((snapshot.registrations, snapshot.accounts), (vec![bob], Vec::new()));
    assert_eq!(store.cdrs(10).await.unwrap().len(), 1);
}

async fn an_empty_batch_changes_nothing(body: impl Body) {
    let mut store = opened(&body).await;
    store.write(&Batch::default()).await.unwrap();
    let (_, snapshot) = after_restart(store, &body, moment().date).await;
    assert_eq!(snapshot, Snapshot::default());
}

async fn text_of_strangers_comes_back_as_it_was(body: impl Body) {
    let at = moment();
    let mut store = opened(&body).await;
    for (number, text) in (0..).zip(["'; DROP TABLE cdrs; --", "\"}],[{", "\\u0041\\", "\u{1F600}\u{7f}\t", "", "null"])
    {
        let cdr = Cdr { call_id: text.to_owned(), caller: Some(text.to_owned()), ..ended(&cdr(number, at)) };
        store.write(&Batch { cdrs: vec![cdr.clone()], ..Batch::default() }).await.unwrap();
        assert_eq!(store.cdrs(1).await.unwrap(), [cdr]);
    }
}

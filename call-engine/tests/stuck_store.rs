//! A store that takes a batch and never answers: nobody waits for it longer than a second, and soon nobody at all.
#![cfg(feature = "demo")]
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

mod calls;
mod light;
mod peers;

use std::future::pending;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use blether_call_engine::Engine;
use blether_call_engine::cdr::Cdr;
use blether_call_engine::config::{AccountConfig, Config, Listen};
use blether_call_engine::store::{
    Admitted, BacklogLimits, Batch, Durability, MemoryStore, Reopened, Snapshot, Store, StoreError, StoreFailure,
    Touched, WriterConfig, Written,
};
use blether_rtp_core::PortRange;

use calls::{PASSWORD, connect, in_time, registered};
use light::Light;
use peers::PATIENCE;

struct Stuck(MemoryStore);

impl Store for Stuck {
    async fn load(&mut self, date: SystemTime) -> Result<Snapshot, StoreError> {
        self.0.load(date).await
    }

    async fn write(&mut self, _batch: &Batch) -> Result<(), StoreError> {
        pending().await
    }

    async fn cdrs(&mut self, newest: u32) -> Result<Vec<Cdr>, StoreError> {
        self.0.cdrs(newest).await
    }

    async fn reopen(&mut self, after: StoreFailure) -> Result<Reopened, StoreError> {
        self.0.reopen(after).await
    }

    async fn close(&mut self) {}
}

const USERS: RangeInclusive<u32> = 100..=119;

async fn engine(longest_wait: Duration) -> Engine {
    let config = Config {
        listen: Listen { address: SocketAddr::from(([127, 0, 0, 1], 0)), ..Listen::default() },
        accounts: USERS.map(|user| AccountConfig::new(user.to_string(), PASSWORD.to_owned())).collect(),
        ..Config::default()
    };
    let limits = BacklogLimits { longest_wait, ..BacklogLimits::default() };
    Engine::builder(config)
        .media_ports(PortRange::system_chosen())
        .store(Stuck(MemoryStore::new()), WriterConfig { limits, ..WriterConfig::default() })
        .start()
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_one_answer_waits_for_the_store_the_shard_goes_on() {
    // Nobody's time is over while this test runs.
    let engine = engine(Duration::from_secs(3_600)).await;
    let (address, store) = (engine.local_addr(), engine.handle().store());
    let mut phone = Light::new(address, PASSWORD);
    let given_up = Arc::clone(&phone.gone);
    let first = thread::spawn(move || phone.register("100", Duration::MAX));
    let waits = async {
        while store.status().unwritten_bindings == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    in_time("the first to wait", waits).await;
    // Whoever changes nothing is answered.
    let others = thread::spawn(move || Light::new(address, PASSWORD).fetch("101", PATIENCE));
    assert_eq!(others.join().unwrap(), Some(Vec::new()));
    given_up.store(true, Ordering::Release);
    assert_eq!(first.join().unwrap(), None, "answered before it was written");
    assert!(store.status().durability.is_durable());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_never_answers_holds_the_first_answer_for_as_long_as_it_may_and_no_other() {
    let longest = BacklogLimits::default().longest_wait;
    let engine = engine(longest).await;
    let (address, store) = (engine.local_addr(), engine.handle().store());
    let register = |user: u32| {
        let phone = thread::spawn(move || Light::new(address, PASSWORD).register(&user.to_string(), PATIENCE));
        assert!(phone.join().unwrap().is_some(), "{user} was not answered");
    };
    let began = Instant::now();
    register(100);
    assert!(began.elapsed() >= longest);
    let slow = store.status();
    assert!(matches!(slow.durability, Durability::Degraded { failure: StoreFailure::Slow, .. }), "{slow:?}");
    // Nobody is made to wait from here on, as the store itself says to who asks like the registrar.
    let aor = engine.handle().extension("100").unwrap();
    for touched in [Touched::Nothing, Touched::Expiry, Touched::Contacts] {
        let admitted = store.registered(Instant::now(), &aor, touched, |_| ());
        assert!(matches!(admitted, Admitted::Now(_, Written::InMemory)), "{touched:?}");
    }
    USERS.skip(1).for_each(register);
    let caller = registered("100", address).await;
    let mut callee = registered("119", address).await;
    let [mut out_call, mut in_call] = connect(&caller, &mut callee, "119").await;
    in_time("BYE", async { tokio::join!(out_call.hang_up(), in_call.ended()) }).await;
    assert!(store.status().unwritten_bindings >= 20);
}

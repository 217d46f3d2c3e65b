//! A store that takes a batch and never answers: nobody waits for it longer than a second, and soon nobody at all.
#![cfg(feature = "demo")]
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

mod calls;
mod light;
mod peers;

use std::future::pending;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use blether_call_engine::Engine;
use blether_call_engine::cdr::Cdr;
use blether_call_engine::config::{AccountConfig, Config, Listen};
use blether_call_engine::store::{
    BacklogLimits, Batch, Durability, MemoryStore, Reopened, Snapshot, Store, StoreError, StoreFailure, WriterConfig,
};
use blether_rtp_core::PortRange;
use blether_sip_transport::Transport;

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_never_answers_holds_one_answer_for_a_second_and_nothing_else() {
    let users: Vec<String> = (100..120).map(|user| user.to_string()).collect();
    let config = Config {
        listen: Listen { transport: Transport::Udp, address: SocketAddr::from(([127, 0, 0, 1], 0)) },
        accounts: users.iter().map(|user| AccountConfig::new(user.as_str(), PASSWORD.to_owned())).collect(),
        ..Config::default()
    };
    let engine = Engine::builder(config)
        .media_ports(PortRange::system_chosen())
        .store(Stuck(MemoryStore::new()), WriterConfig::default())
        .start()
        .await
        .unwrap();
    let (address, store) = (engine.local_addr(), engine.handle().store());
    let longest = BacklogLimits::default().longest_wait;
    let first = thread::spawn(move || {
        let began = Instant::now();
        assert!(Light::new(address, PASSWORD).register("100", PATIENCE).is_some());
        began.elapsed()
    });
    let waits = async {
        while store.status().unwritten_bindings == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    in_time("the first to wait", waits).await;
    // While that one waits, the shard goes on: whoever changes nothing is answered.
    let others = thread::spawn(move || Light::new(address, PASSWORD).fetch("101", PATIENCE));
    assert_eq!(others.join().unwrap(), Some(Vec::new()));
    assert!(store.status().durability.is_durable() && !first.is_finished(), "the first still waits");

    let waited = first.join().unwrap();
    assert!(waited >= longest && waited < 3 * longest, "{waited:?}");
    let slow = store.status();
    assert!(matches!(slow.durability, Durability::Degraded { failure: StoreFailure::Slow, .. }), "{slow:?}");
    let began = Instant::now();
    let rest = thread::spawn(move || {
        for user in &users[1..] {
            assert!(Light::new(address, PASSWORD).register(user, PATIENCE).is_some());
        }
    });
    rest.join().unwrap();
    assert!(began.elapsed() < 3 * longest, "19 of them, and none waited: {:?}", began.elapsed());
    let caller = registered("100", address).await;
    let mut callee = registered("119", address).await;
    let [mut out_call, mut in_call] = connect(&caller, &mut callee, "119").await;
    in_time("BYE", async { tokio::join!(out_call.hang_up(), in_call.ended()) }).await;
    assert!(store.status().unwritten_bindings >= 20);
}

//! The server under test: an engine on loopback with free ports, on a runtime of its own, so that tests may block.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::net::SocketAddr;
use std::time::Duration;

use blether_call_engine::config::{AccountConfig, Config, Listen};
use blether_call_engine::stage::OfferedAlgorithms;
use blether_call_engine::{Engine, EngineBuilder, echo};
use blether_rtp_core::PortRange;
use blether_session_core::actor::EndpointCounts;
use tokio::runtime::Runtime;

use crate::peers::{PATIENCE, User};

/// A running engine. Dropping it stops it.
pub(crate) struct Server {
    engine: Option<Engine>,
    runtime: Runtime,
}

/// Accounts for these users on a free loopback port, MD5 alone: SIPp 3.6 and baresip 1.0 give up when a challenge names SHA-256.
pub(crate) fn config(users: &[&User]) -> Config {
    let mut config = Config {
        listen: Listen { address: SocketAddr::from(([127, 0, 0, 1], 0)), ..Listen::default() },
        accounts: users.iter().map(|user| AccountConfig::new(&user.name, user.password.clone())).collect(),
        ..Config::default()
    };
    config.authentication.digest = OfferedAlgorithms::Md5;
    config
}

impl Server {
    /// Starts an engine that serves `users`, and the echo extension.
    pub(crate) fn start(users: &[&User]) -> Self {
        Self::start_with(config(users), |engine| engine)
    }

    /// Starts an engine with this configuration, and whatever `extend` adds.
    pub(crate) fn start_with(config: Config, extend: impl FnOnce(EngineBuilder) -> EngineBuilder) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let builder =
            Engine::builder(config).media_ports(PortRange::system_chosen()).on_invite(echo::EXTENSION, echo::echo);
        let engine = runtime.block_on(extend(builder).start()).expect("the engine must start");
        Self { engine: Some(engine), runtime }
    }

    pub(crate) fn engine(&self) -> &Engine {
        self.engine.as_ref().expect("it runs until it is dropped")
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.engine().local_addr()
    }

    pub(crate) fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// How many phones are registered as `user`.
    pub(crate) fn contacts(&self, user: &str) -> usize {
        let handle = self.engine().handle();
        let aor = handle.extension(user).expect("an account");
        handle.location().bindings(&aor, std::time::Instant::now()).len()
    }

    /// Waits until no call is left, and tells what the engine still holds.
    pub(crate) fn after_the_calls(&self) -> EndpointCounts {
        self.block_on(async {
            tokio::time::timeout(PATIENCE, self.engine().idle()).await.expect("the last call must end");
            self.engine().counts().await.expect("the engine runs")
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(engine) = self.engine.take() {
            self.runtime.block_on(engine.shut_down(Duration::from_millis(500)));
        }
    }
}

//! What a running engine tells over HTTP: `/metrics` for Prometheus, `/healthz` and `/readyz` for probes.
//!
//! It only tells: nothing can be changed by it. It asks nobody who they are, so it listens on this machine alone unless the configuration says
//! otherwise. Whatever a stranger does to it is bounded: see [`HttpServer`].

mod health;
mod listener;
mod process;
mod recorder;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use self::listener::Bounded;
use crate::engine::EngineHandle;

pub use self::health::{Health, PartHealth, Status, StoreHealth};
pub use self::recorder::{Recorder, RecorderInstalled};

/// How long a shard or a media worker may take to answer before it counts as one that does not. A turn takes milliseconds, and probes commonly
/// give up after a few seconds.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// How often [`watch`] looks.
const INTERVAL: Duration = Duration::from_secs(1);

/// The HTTP server. At most 64 connections at a time, 32 of them with one peer, each for one request, of at most 16 KiB, and 10 seconds; beyond that
/// the oldest makes room, of the peer with too many or with the most. GET and HEAD alone.
#[derive(Debug)]
pub struct HttpServer {
    listener: TcpListener,
}

#[derive(Clone)]
struct Served {
    engine: EngineHandle,
    recorder: Recorder,
}

impl HttpServer {
    /// Binds `address`; with port 0 the system chooses one. Must be called on a tokio runtime.
    ///
    /// # Errors
    /// What the system says: the address is taken, not this machine's or not allowed.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await? })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until this is dropped.
    pub async fn serve(self, engine: EngineHandle, recorder: Recorder) {
        let routes = Router::new()
            .route("/", get(index))
            .route("/metrics", get(metrics))
            .route("/healthz", get(healthz))
            .route("/readyz", get(readyz))
            .layer(map_response(last_of_its_connection))
            .with_state(Served { engine, recorder });
        if let Err(error) = axum::serve(Bounded::new(self.listener), routes).await {
            tracing::error!(%error, "HTTP is served no more");
        }
    }
}

/// Looks at an engine once a second for as long as this is polled: sets the gauges, records how fast it answers, and folds what was recorded into
/// the figures, which keeps the memory of a [`Recorder`] bounded whether anybody asks for them or not.
pub async fn watch(engine: EngineHandle, recorder: Recorder) {
    let mut ticks = tokio::time::interval(INTERVAL);
    // Late ticks are not made up for: each of them is a measurement.
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let report = engine.report(PATIENCE).await;
        report.publish();
        report.record_lag();
        process::publish();
        recorder.fold();
    }
}

/// A connection serves one request: what it may cost is bounded by its time.
async fn last_of_its_connection(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

const NOT_KEPT: (HeaderName, &str) = (header::CACHE_CONTROL, "no-store");

async fn index() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], "call-engine: /metrics /healthz /readyz\n")
}

async fn metrics(State(Served { engine, recorder }): State<Served>) -> impl IntoResponse {
    engine.report(PATIENCE).await.publish();
    process::publish();
    ([NOT_KEPT, (header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], recorder.render())
}

async fn healthz(State(Served { engine, .. }): State<Served>) -> impl IntoResponse {
    let health = Health::of(&engine.report(PATIENCE).await);
    let status = match health.status {
        Status::Ok | Status::Degraded => StatusCode::OK,
        Status::Failing => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, [NOT_KEPT, (header::CONTENT_TYPE, "application/json")], health.to_json())
}

async fn readyz(State(Served { engine, .. }): State<Served>) -> impl IntoResponse {
    let (status, said) = match engine.draining() {
        false => (StatusCode::OK, "{\"ready\":true}\n"),
        true => (StatusCode::SERVICE_UNAVAILABLE, "{\"ready\":false,\"why\":\"draining\"}\n"),
    };
    (status, [NOT_KEPT, (header::CONTENT_TYPE, "application/json")], said)
}

//! A SIP server: registrar and B2BUA with relayed media, and the library it is made of.
//!
//! [`Engine`] serves a [`config::Config`]: phones register with digest authentication, calls between extensions are connected through this
//! server's media relay, and `*43` echoes. An application adds handlers for what is dialled, and stages that every request passes:
//!
//! ```no_run
//! use blether_call_engine::{CallError, Engine, StatusCode, config::Config};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = Engine::builder(Config::default())
//!     .on_invite("9XX", |mut incoming| async move {
//!         incoming.call.ring().await?;
//!         Err(CallError::Refused(StatusCode::BUSY_HERE))
//!     })
//!     .start()
//!     .await?;
//! println!("listening on {}", engine.local_addr());
//! # Ok(())
//! # }
//! ```
//!
//! Features: `cli` builds the program `call-engine`, `demo` its command `demo`, which needs `blether-sip-client`, `tls` SIP over TLS, which needs a C compiler; all three are on by default. `cli` has on
//! `http`, which serves metrics and health, and `control`, by which operators ask a running engine and change its accounts. The engine counts by the
//! `metrics` facade and installs no recorder: that is for the program.
//!
//! # RFCs
//!
//! RFC 3261 §10 (registrar), §8.2 and §22.4 (user agent server with digest, RFC 7616, RFC 8760), a back-to-back user agent; §16 (proxy) with RFC 3327, RFC 3608,
//! RFC 5393, RFC 5626 §5 and RFC 5658; the layers below name theirs. Absent: `sips`, and a proxy beside TLS.

pub mod account;
pub mod b2bua;
pub mod cdr;
#[cfg(feature = "tls")]
pub mod certificate;
pub mod config;
#[cfg(all(unix, feature = "control"))]
pub mod control;
#[cfg(test)]
mod counted;
#[cfg(feature = "demo")]
pub mod demo;
pub mod echo;
pub mod engine;
pub mod first_run;
#[cfg(feature = "http")]
pub mod http;
pub mod ladder;
pub mod location;
mod ownership;
pub mod pattern;
mod proxy;
pub mod registrar;
pub mod stage;
pub mod store;

// What handlers and stages are written with, so that an application needs this crate alone.
pub use blether_media_core as media;
pub use blether_session_core::actor::{Audio, Call, CallError, CallEvent};
pub use blether_sip_core::{Request, Response, StatusCode};
pub use blether_sip_transport::Flow;
pub use engine::{ChangeError, Engine, EngineBuilder, EngineError, EngineHandle, EngineReport, IncomingCall, LiveCall};
pub use proxy::Fork;

/// Keeps the README's example compiling.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

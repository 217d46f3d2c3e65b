//! The call as an actor: one task owns every dialog of a call and runs its application's handler beside them.
//!
//! This is the tokio half of the crate. An [`Endpoint`] runs a shard of the transaction layer and the media workers; its
//! [`Application`] decides what an INVITE becomes, and each call runs as a task of its own:
//!
//! - the handler of a call is polled by the call's task beside its mailbox, so handlers of one call never overlap, and BYE, CANCEL,
//!   resends and session timers go on while a handler waits;
//! - a [`Call`] is the application's hold on it; dropping it hangs up, and the end of the call drops the handler;
//! - a panic in a handler ends its own call (500 before it was answered, BYE after), and no other.
#![expect(clippy::disallowed_methods, reason = "the driver reads the clock for the cores")]

mod application;
mod bridge;
mod call;
mod clients;
mod dispatcher;
mod endpoint;
mod leg;
mod mailbox;
mod media;
mod probe;
mod runner;
mod sound;
mod steps;
mod witness;

use rand::RngExt;
use rand::rngs::StdRng;

pub use application::{Admission, Answer, Application, Handler, HandlerFuture, Responder, ShardPlace};
pub use call::{Call, CallControl, CallError, CallEvent, Dial, LegKey};
#[cfg(feature = "tls")]
pub use endpoint::TlsConfig;
pub use endpoint::{Endpoint, EndpointConfig, EndpointCounts, RequestError, StartError};
pub use media::MediaError;
pub use probe::{EndpointReport, Probe, ShardReport, WorkerReport};
pub use sound::Audio;
pub use witness::{CallEnd, CallWitness, LegReport};

use blether_sip_core::ByteStr;

/// Names a call within an endpoint; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CallKey(pub(crate) u64);

/// A tag or Call-ID that nobody can guess: 128 random bits (RFC 3261 §19.3 asks for 32).
pub(crate) fn random_token(rng: &mut StdRng) -> ByteStr {
    ByteStr::from(format!("{:032x}", rng.random::<u128>()))
}

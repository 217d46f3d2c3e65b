//! SIP transactions (RFC 3261 §17, RFC 6026): the four machines, a table that matches messages to them, and the shard that drives it.
//!
//! The machines and [`Transactions`] are sans-IO: they are told datagrams, requests, responses and the time, and asked for datagrams,
//! events and the next time. A [`Shard`] owns a socket and drives one table for a [`TransactionUser`]; [`Shards`] are several behind one port,
//! with TCP, where each message goes to the shard that owns its Call-ID ([`Ownership`]). What a dialog is, is the business of the layer
//! above.
//!
//! The contract: after any input drain `poll_transmit`, drain `poll_event`, then read `poll_timeout`. `handle_timeout` too early or
//! twice does nothing; too late, resends restart from `now`, so a stalled process sends no burst. `now` never runs backwards.
//!
//! # Example
//!
//! ```
//! use std::time::{Duration, Instant};
//! use blether_sip_core::{Method, NameAddr, Request, Uri};
//! use blether_sip_transport::Flow;
//! use blether_transaction_core::{Event, Failure, Owner, Timer, Transactions, TransactionsConfig};
//! use rand::SeedableRng;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut transactions = Transactions::new(TransactionsConfig::default(), rand::rngs::StdRng::seed_from_u64(1));
//! let flow = Flow::udp("192.0.2.1:5060".parse()?, "192.0.2.2:5060".parse()?);
//! let bob: Uri = "sip:bob@192.0.2.2".parse()?;
//! let options = Request::builder(Method::Options, bob.clone())
//!     .from(NameAddr::new("sip:alice@192.0.2.1".parse::<Uri>()?).with_tag("a"))
//!     .to(NameAddr::new(bob))
//!     .call_id("1@192.0.2.1")
//!     .cseq(1)
//!     .max_forwards(70)
//!     .build()?;
//! let start = Instant::now();
//! transactions.request(start, options, flow, Owner(7))?;
//! assert!(transactions.poll_transmit().is_some());
//!
//! // Nobody answers: Timer F gives up after 64 × T1.
//! transactions.handle_timeout(start + Duration::from_secs(32));
//! let Some(Event::Failed { owner: Owner(7), failure, .. }) = transactions.poll_event() else { panic!("it must fail") };
//! assert_eq!(failure, Failure::TimedOut(Timer::F));
//! # Ok(())
//! # }
//! ```
//!
//! # RFCs
//!
//! RFC 3261 §8.2.2.2, §8.2.7, §9, §16.11 (branches), §17, §18.1.1 (the switch to TCP, of requests that find their own way: [`Transactions::request_to`]), §18.1.2,
//! §18.2.1, §18.2.2, §18.3; RFC 3263 §4.3; RFC 3581; RFC 4320; RFC 5393 §4.2; RFC 6026. Absent: RFC 3263 §5, for a response whose sent-by is a name.
#![warn(clippy::indexing_slicing)]

mod destination;
mod event;
mod follow_up;
mod interceptor;
mod invite_client;
mod invite_server;
mod key;
mod loop_detection;
mod non_invite_client;
mod non_invite_server;
mod output;
mod overload;
mod refused;
mod search;
mod shard;
mod slot;
mod table;
mod timing;

pub use destination::destination_of;
pub use event::{
    ClientTransactionId, Event, Failure, Inquiry, NoTarget, Owner, ServerTransactionId, Transmit, TransmitId,
};
pub use interceptor::Interceptor;
pub use invite_client::{ClientEvent, InviteClientTransaction};
pub use invite_server::{InviteServerTransaction, ServerEvent};
pub use loop_detection::{LoopDetector, LoopMark};
pub use non_invite_client::NonInviteClientTransaction;
pub use non_invite_server::NonInviteServerTransaction;
pub use overload::{Overload, OverloadConfig, OverloadGate, Source};
pub use search::{MovedOn, Onward};
pub use shard::{
    Direction, Locator, Ownership, Rejected, Router, RunningShards, Shard, ShardClosed, ShardConfig, ShardHandle,
    ShardIndex, Shards, ShardsWatch, Streams, TransactionUser, Way, WireMessage, WireTap,
};
pub use table::{Counters, Full, TransactionCounts, Transactions, TransactionsConfig, UnknownTransaction};
pub use timing::{Reliability, Timer, Timing};

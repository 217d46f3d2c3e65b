//! The transactions through their public API: RFC 3261 §9, §17 and §18, RFC 3581, RFC 4320, RFC 6026.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking, its helpers too")]

mod acknowledgement;
mod bounds;
mod cancelling;
mod exchange;
mod figures;
mod hostile;
mod machine;
mod matching;
mod open_points;
mod overload;
mod ownership;
mod shard;
mod shards;
mod simulation;
mod stateless;
mod streams;
mod targets;
mod timers;

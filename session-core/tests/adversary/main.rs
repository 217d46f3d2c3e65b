//! What the call actor does with a peer that does not play by the rules, or whose messages come at the worst moment: a scripted
//! adversary on a raw socket against a real endpoint. What is waited for is always a condition, never a time.
#![cfg(feature = "media")]
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

mod bridged;
mod called;
mod calling;
mod endpoint;
mod in_dialog;
mod media;
mod no_room;
mod parting;
mod peer;
mod ports;
mod silence;

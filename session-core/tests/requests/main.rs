//! A session against a peer whose every message the test writes: what it answers to, and with what.
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

mod anything;
mod broken_connection;
mod desk;
mod incoming;
mod no_room;
mod offers;
mod outgoing;
mod within_dialog;

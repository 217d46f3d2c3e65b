//! Legs on real media workers over loopback sockets. Nothing sleeps: a test waits for the packet or the event that it wants.
#![expect(clippy::disallowed_methods, reason = "real sockets live in real time")]
#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

mod bench;
mod direction;
mod failure;
mod ports;
mod processing;
mod relaying;
mod rtcp;
mod silence;

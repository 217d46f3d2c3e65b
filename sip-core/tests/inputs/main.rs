//! What comes in: messages and descriptions of the RFCs and of phones, those that a fuzzer begins with, random ones, and endless ones.
//!
//! The modules are one program because each more is linked with the whole crate. What is measured has one of its own, `tests/cost.rs`.
#![expect(clippy::unwrap_used, reason = "a test that cannot set up its input has failed")]

mod examples;
mod hostile;
mod rfc4475;
mod rfc5118;
mod robustness;
mod sdp;
mod seed_files;
mod seeds;
mod torture;

#[path = "../expensive/mod.rs"]
mod expensive;
#[path = "../properties/mod.rs"]
mod properties;

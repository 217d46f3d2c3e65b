//! A multipart body behind a line with its type, a fragment of a message, a message summary.
#![no_main]

#[path = "../../tests/properties/mod.rs"]
#[allow(dead_code, reason = "a target runs one of them")]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::target("multipart")(bytes));

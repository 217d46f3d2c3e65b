//! A body in XML.
#![no_main]

#[path = "../../tests/properties/mod.rs"]
#[allow(dead_code, reason = "a target runs one of them")]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::target("xml")(bytes));

//! Runs each fuzz target on each input that is kept for it: the seeds, and what a fuzzer has found.

use crate::properties::header::HEADERS;
use crate::properties::{self, TARGETS};
use crate::seed_files::seed_files;

fn replay(target: &str) {
    let run = properties::target(target);
    for (name, bytes) in seed_files(target) {
        eprintln!("{name}"); // shown when it fails
        run(&bytes);
    }
}

#[test]
fn digest() {
    replay("digest");
}

#[test]
fn header() {
    replay("header");
}

#[test]
fn message() {
    replay("message");
}

#[test]
fn multipart() {
    replay("multipart");
}

#[test]
fn sdp() {
    replay("sdp");
}

#[test]
fn uri() {
    replay("uri");
}

#[test]
fn xml() {
    replay("xml");
}

/// Each target has a folder of seeds, each folder a target, and each target a binary of its name in the fuzz workspace where that is there
/// (it is not in the package).
#[test]
fn each_target_has_seeds() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let names = |folder: &str| -> Option<Vec<String>> {
        let entries = std::fs::read_dir(root.join(folder)).ok()?;
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name != "README.md");
        names.sort_unstable();
        Some(names)
    };
    let targets: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    assert_eq!(names("tests/seeds").unwrap(), targets);
    if let Some(binaries) = names("fuzz/fuzz_targets") {
        assert_eq!(binaries, targets.iter().map(|name| format!("{name}.rs")).collect::<Vec<_>>());
    }
}

/// Whoever adds a typed header adds it to `HEADERS` in `tests/properties/header.rs`, at the end, so that it is fuzzed, and a seed for it.
#[test]
fn each_typed_header_is_a_target_and_has_a_seed() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/header");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let source = std::fs::read_to_string(entry.unwrap().path()).unwrap_or_default();
        for after in source.split("\nimpl TypedHeader for ").skip(1) {
            let name: String = after.chars().take_while(|c| c.is_ascii_alphanumeric()).collect();
            // One that a macro makes, or that a doc comment shows, is not to be seen here.
            assert!(name.is_empty() || HEADERS.iter().any(|header| header.name == name), "{name} is not fuzzed");
            seen += usize::from(!name.is_empty());
        }
    }
    assert!(seen > 10);
    let seeds = seed_files("header");
    for (index, header) in HEADERS.iter().enumerate() {
        let first = Some(&u8::try_from(index).unwrap());
        assert!(seeds.iter().any(|(_, bytes)| bytes.first() == first), "{} has no seed: byte {index}", header.name);
    }
}

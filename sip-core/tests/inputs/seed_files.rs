//! The inputs that are kept: `tests/seeds/` has a folder for each fuzz target, and messages are also those of the RFCs, session
//! descriptions those of browsers and phones.

use std::path::Path;

/// Name and content of each input of a fuzz target, in the order of their names.
pub(crate) fn seed_files(target: &str) -> Vec<(String, Vec<u8>)> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut folders = vec![tests.join("seeds").join(target)];
    if target == "message" {
        folders.extend([tests.join("rfc4475"), tests.join("rfc5118")]);
    }
    if target == "sdp" {
        folders.push(tests.join("sdp"));
    }
    let mut files = Vec::new();
    for folder in folders {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "dat" || extension == "sdp" || extension == "seed")
            {
                files.push((path.display().to_string(), std::fs::read(&path).unwrap()));
            }
        }
    }
    files.sort();
    assert!(!files.is_empty(), "{target} has no seeds");
    files
}

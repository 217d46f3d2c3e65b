//! `call-engine demo` as a person runs it.
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

use std::process::{Command, Output};

fn demo(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_call-engine")).arg("demo").args(arguments).output().unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn the_demo_shows_a_call_with_sound_and_all_of_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    // It fails by itself when it is not over in half a minute.
    let output = demo(&["--keep", folder.path().to_str().unwrap()]);
    let shown = text(&output);
    assert!(output.status.success(), "{shown}");
    for part in ["registered", "INVITE (2) +SDP", "signal to noise", "packets lost", "jitter", "mouth to ear", "159#"] {
        assert!(shown.contains(part), "{part} is missing in\n{shown}");
    }
    assert!(!shown.contains("FAILED"), "{shown}");
    for name in ["ailsa-said.wav", "ailsa-heard.wav", "blair-said.wav", "blair-heard.wav"] {
        let wav = hound::WavReader::open(folder.path().join(name)).unwrap();
        assert!(wav.duration() > 3 * 8_000, "{name} is {} samples long", wav.duration());
    }
}

#[test]
fn a_bad_network_shows_worse_figures_and_fails_the_demo() {
    let output = demo(&["--impair", "loss=20%,jitter=60ms"]);
    let shown = text(&output);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    let failed = |what: &str| shown.lines().any(|line| line.contains(what) && line.ends_with("FAILED"));
    assert!(failed("signal to noise") && failed("packets lost") && failed("speech heard"), "{shown}");
    // What the network does not touch holds still, and keys survive it (RFC 4733 says each three times).
    assert!(!failed("what the server still holds") && !failed("keys pressed"), "{shown}");
}

#[test]
fn an_impairment_that_cannot_be_read_is_a_wrong_command_line() {
    let output = demo(&["--impair", "loss=lots"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).contains("loss=20%"), "{}", text(&output));
}

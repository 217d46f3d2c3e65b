//! The program as an operator meets it: the first start, the next, and what keeps it from starting.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

mod program;

use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use program::{Running, program};

fn refused(command: &mut Command) -> String {
    let output: Output = command.output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.lines().count(), 1, "one line: {said}");
    assert!(said.matches("os error").count() <= 1, "the cause is said once: {said}");
    said
}

#[test]
fn the_first_start_makes_accounts_and_shows_them_and_later_ones_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let first = Running::start(&mut program(folder.path()));
    let file = folder.path().join("blether-data/call-engine.toml");
    let written = std::fs::read_to_string(&file).unwrap();
    let passwords: Vec<&str> = written.lines().filter_map(|line| line.strip_prefix("password = \"")).collect();
    assert_eq!(passwords.len(), 2);
    assert_ne!(passwords[0], passwords[1]);
    for password in &passwords {
        assert!(first.shown.contains(password.trim_end_matches('"')), "{}", first.shown);
    }
    assert!(first.shown.contains("127.0.0.1") && first.shown.contains("*43"), "{}", first.shown);
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "passwords are for the owner's eyes");
    first.terminate();

    let second = Running::start(&mut program(folder.path()));
    assert!(!second.shown.contains(passwords[0].trim_end_matches('"')), "{}", second.shown);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), written, "what is there is not touched");
    second.terminate();
}

#[test]
fn a_first_start_that_fails_leaves_the_passwords_to_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let listen = format!("udp:{}", taken.local_addr().unwrap());
    refused(program(folder.path()).env("BLETHER_LISTEN", &listen));
    let next = Running::start(&mut program(folder.path()));
    let written = std::fs::read_to_string(folder.path().join("blether-data/call-engine.toml")).unwrap();
    let password = written.lines().find_map(|line| line.strip_prefix("password = \"")).unwrap();
    assert!(next.shown.contains(password.trim_end_matches('"')), "{}", next.shown);
    next.terminate();
}

#[test]
fn what_keeps_it_from_starting_is_one_line_that_says_what_where_and_how_to_mend_it() {
    let folder = tempfile::tempdir().unwrap();
    Running::start(&mut program(folder.path())).terminate();
    let file = folder.path().join("blether-data/call-engine.toml");

    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let listen = format!("udp:{}", taken.local_addr().unwrap());
    let said = refused(program(folder.path()).env("BLETHER_LISTEN", &listen));
    assert!(said.contains(&listen) && said.contains("another program") && said.contains("`listen`"), "{said}");

    let good = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("lsiten = \"udp:0.0.0.0:5060\"\n{good}")).unwrap();
    let said = refused(&mut program(folder.path()));
    assert!(said.contains("call-engine.toml:1:1") && said.contains("did you mean `listen`"), "{said}");

    let said = refused(program(folder.path()).args(["--config", "nowhere.toml"]));
    assert!(said.contains("nowhere.toml"), "{said}");
}

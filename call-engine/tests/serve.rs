//! The program as an operator meets it: the first start, the next, and what keeps it from starting.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// A server on a free port of 127.0.0.1 in `folder`. It is killed when dropped.
struct Running {
    child: Child,
    shown: String,
}

fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_call-engine"));
    command.current_dir(folder).env("BLETHER_LISTEN", "udp:127.0.0.1:0").env_remove("BLETHER_DATA_DIR");
    command
}

impl Running {
    /// Starts it and reads until it has said where the settings are, which is the last line of its greeting.
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let mut shown = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        while !shown.contains("Accounts and settings are in") {
            assert_ne!(lines.read_line(&mut shown).unwrap(), 0, "it ended after\n{shown}");
        }
        Self { child, shown }
    }

    /// Tells it to stop as an operator does.
    fn terminate(mut self) {
        let kill = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status().unwrap();
        assert!(kill.success());
        assert!(self.child.wait().unwrap().success(), "SIGTERM is no failure");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

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

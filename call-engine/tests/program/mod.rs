//! The program `call-engine`, in a process of its own.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

/// A server on a free port of 127.0.0.1 in a folder. It is killed when dropped.
pub(crate) struct Running {
    child: Child,
    pub(crate) shown: String,
}

/// The program, about to be started in `folder`.
pub(crate) fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_call-engine"));
    command.current_dir(folder).env("BLETHER_LISTEN", "udp:127.0.0.1:0").env_remove("BLETHER_DATA_DIR");
    // Several run at a time.
    command.env("BLETHER_HTTP_LISTEN", "off");
    command
}

impl Running {
    /// Starts it and reads until it has said where the settings are, which is the last line of its greeting.
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::start_telling(command.stderr(Stdio::inherit()))
    }

    /// As [`Self::start`]; what it logs is added to a file.
    pub(crate) fn start_logged(command: &mut Command, log: &Path) -> Self {
        let log = File::options().create(true).append(true).open(log).unwrap();
        Self::start_telling(command.stderr(log))
    }

    /// The same, with standard error as `command` has it.
    pub(crate) fn start_telling(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut shown = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        while !shown.contains("Accounts and settings are in") {
            assert_ne!(lines.read_line(&mut shown).unwrap(), 0, "it ended after\n{shown}");
        }
        Self { child, shown }
    }

    /// Starts it with standard output and standard error as `command` has them; that it serves must be seen elsewhere.
    pub(crate) fn start_unheard(command: &mut Command) -> Self {
        Self { child: command.spawn().unwrap(), shown: String::new() }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let kill = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status().unwrap();
        assert!(kill.success());
    }

    /// What it writes to standard error, where that is a pipe.
    pub(crate) fn stderr(&mut self) -> ChildStderr {
        self.child.stderr.take().unwrap()
    }

    /// Waits until it has ended, which must be no failure.
    pub(crate) fn ended(mut self) {
        assert!(self.child.wait().unwrap().success(), "it was told to end");
    }

    /// Tells it to stop as an operator does.
    pub(crate) fn terminate(self) {
        self.signal("TERM");
        self.ended();
    }

    /// Ends it where it stands, as `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

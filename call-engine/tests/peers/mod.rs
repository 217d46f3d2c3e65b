//! Drives phones and servers that are not ours, each a process of its own, so that tests can hold this project against them.
//!
//! - [`Sipp`](sipp::Sipp) runs one SIPp scenario and reports how its calls ended;
//! - [`Baresip`](baresip::Baresip) is a phone: it registers, dials, answers, sends digits, plays one WAV and records what it hears;
//! - [`Kamailio`](kamailio::Kamailio) is a registrar and proxy with digest authentication;
//! - [`RtpEnd`](rtp::RtpEnd) is an end of an RTP stream in the test's own hands, beside SIPp's signalling;
//! - [`ports`] finds free ports, [`sound`] makes what the phones play and finds it in what was heard.
//!
//! Everything stays on 127.0.0.1. Each peer writes its configuration, logs and recordings into the test's [`Folder`], which is removed when the
//! test passes, and kept and printed when it fails. A peer ends when its handle is dropped. Each wait has a bound and a condition.
#![allow(dead_code, reason = "each test binary uses its own part of the harness")]

pub(crate) mod baresip;
pub(crate) mod kamailio;
pub(crate) mod kamailio_tls;
pub(crate) mod ports;
pub(crate) mod process;
pub(crate) mod rtp;
pub(crate) mod sipp;
pub(crate) mod sound;

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// How long a peer may take to start, or to do what costs it no waiting: generous, for machines that do ten things at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// A user of the server under test, as a peer needs to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) password: String,
}

impl User {
    pub(crate) fn new(name: &str, password: &str) -> Self {
        Self { name: name.to_owned(), password: password.to_owned() }
    }
}

/// The folder of one test, where its peers keep what they write. Make it first, so that it is dropped after the peers.
#[derive(Debug)]
pub(crate) struct Folder {
    directory: Option<tempfile::TempDir>,
    path: PathBuf,
}

impl Folder {
    /// Makes an empty folder; `name` becomes part of its name.
    pub(crate) fn new(name: &str) -> Self {
        let directory = tempfile::Builder::new()
            .prefix(&format!("blether-{name}-"))
            .tempdir()
            .expect("the folder for temporary files must be writable");
        let path = directory.path().to_owned();
        Self { directory: Some(directory), path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in this folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if (thread::panicking() || std::env::var_os("BLETHER_KEEP").is_some())
            && let Some(directory) = self.directory.take()
        {
            eprintln!("what the peers wrote is kept in {}", directory.keep().display());
        }
    }
}

/// Asks `condition` again and again until it gives a value.
///
/// # Panics
///
/// When that takes longer than `patience`; the message names `what` was waited for.
#[track_caller]
pub(crate) fn wait_until<T>(what: &str, patience: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited {patience:?} in vain: {what}");
        // The conditions are states of other processes, which nothing announces.
        thread::park_timeout(Duration::from_millis(5));
    }
}

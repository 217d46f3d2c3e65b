//! A thousand calls with sound over a network that loses packets, twice: none fails, and nothing of them stays.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

mod peers;
mod program;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use peers::sipp::Sipp;
use peers::sound::tune;
use peers::{Folder, PATIENCE, User, ports};
use program::{Running, program};

/// Calls of a run, and how many begin in a second.
const CALLS: u32 = 1_000;
const RATE: u32 = 100;

/// How many of a hundred SIP messages each phone loses, of those that it sends and of those that it gets.
const LOST: &str = "5";

/// A transaction may last for 64 × T1 (RFC 3261 §17), and the end of a call begins some with the phones.
const TRANSACTIONS_ARE_OVER: Duration = Duration::from_secs(40);

/// What must be as it was when no call is left.
const GAUGES: [&str; 5] = [
    "blether_session_calls",
    "blether_rtp_legs",
    "blether_rtp_port_pairs{state=\"in_use\"}",
    "blether_engine_tasks",
    "blether_store_unwritten_rows{kind=\"cdrs\"}",
];

struct Stage {
    _running: Running,
    sip: SocketAddr,
    http: SocketAddr,
    folder: Folder,
    alice: User,
    bobs_port: u16,
    media: PathBuf,
}

impl Stage {
    fn set() -> Self {
        let folder = Folder::new("soak");
        let (alice, bob) = (User::new("alice", "wonderland"), User::new("bob", "builder-1"));
        let accounts = [&alice, &bob]
            .map(|User { name, password }| format!("[[account]]\nuser = \"{name}\"\npassword = \"{password}\"\n\n"));
        let config = format!("[authentication]\ndigest = \"md5\"\n\n{}", accounts.concat());
        std::fs::write(folder.file("call-engine.toml"), config).unwrap();
        let (sip, http) = (ports::loopback(ports::free_port()), ports::loopback(ports::free_port()));
        let mut command = program(folder.path());
        command.arg("--data-dir").arg(folder.path()).env("BLETHER_LISTEN", format!("udp:{sip}"));
        command.env("BLETHER_HTTP_LISTEN", http.to_string()).env("BLETHER_LOG_LEVEL", "warn");
        let running = Running::start(&mut command);
        let bobs_port = ports::free_port();
        let register = Sipp::new(folder.path(), "register", "register", sip);
        register.user(&bob).port(bobs_port).set("expires", 3_600).run().assert_successful(1);
        let media = folder.file("tune.pcmu");
        peers::sound::write_pcmu(&media, &tune(1, 2));
        Self { _running: running, sip, http, folder, alice, bobs_port, media }
    }

    fn sipp(&self, name: &str, scenario: &str) -> Sipp {
        let sipp = Sipp::new(self.folder.path(), name, scenario, self.sip).calls(CALLS).at_once(CALLS);
        sipp.argument("-lost").argument(LOST).timeout(Duration::from_secs(100))
    }

    /// All the calls, each with a second of sound both ways.
    fn call(&self, run: &str) {
        let answering = self.sipp(&format!("{run}-answers"), "uas_answer_lossy").port(self.bobs_port).echo().start();
        let calling = self.sipp(&format!("{run}-calls"), "uac_call_lossy").user(&self.alice).callee("bob");
        let called = calling.rate(RATE).play(&self.media).set("talk_ms", 1_000).run();
        let answered = answering.wait();
        assert!(called.retransmissions + answered.retransmissions > 50, "messages were lost");
        called.assert_successful(CALLS.into());
        answered.assert_successful(CALLS.into());
    }

    fn metrics(&self) -> BTreeMap<String, f64> {
        let mut stream = TcpStream::connect(self.http).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let values = body.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '));
        values.map(|(name, value)| (name.to_owned(), value.parse().unwrap())).collect()
    }

    /// What there is of [`GAUGES`], and of transactions of every kind; what nobody has set is 0.
    fn alive(&self) -> BTreeMap<String, f64> {
        let metrics = self.metrics();
        let transactions = metrics.iter().filter(|(name, _)| name.starts_with("blether_transaction_active"));
        let transactions = ("transactions".to_owned(), transactions.map(|(_, count)| count).sum());
        let gauge = |name: &str| (name.to_owned(), metrics.get(name).copied().unwrap_or(0.0));
        GAUGES.into_iter().map(gauge).chain([transactions]).collect()
    }

    /// Waits until all is as it was `before` the calls, and tells how much memory is in use then.
    fn after_the_calls(&self, before: &BTreeMap<String, f64>) -> f64 {
        let deadline = Instant::now() + TRANSACTIONS_ARE_OVER;
        loop {
            let alive = self.alive();
            if alive == *before {
                return self.metrics()["blether_engine_resident_bytes"];
            }
            assert!(Instant::now() < deadline, "{TRANSACTIONS_ARE_OVER:?} after the calls: {alive:#?} of {before:#?}");
            std::thread::sleep(Duration::from_millis(500));
        }
    }
}

#[test]
fn a_thousand_calls_over_a_network_that_loses_packets_all_succeed_and_leave_nothing() {
    let stage = Stage::set();
    // The registration may still be a transaction.
    let quiet = BTreeMap::from_iter(stage.alive().into_iter().chain([("transactions".to_owned(), 0.0)]));
    assert_eq!((quiet["blether_session_calls"], quiet["blether_rtp_legs"]), (0.0, 0.0));
    stage.call("first");
    let warm = stage.after_the_calls(&quiet);
    stage.call("second");
    let after = stage.after_the_calls(&quiet);
    assert!((after - warm).abs() < 0.1 * warm, "memory: {warm} bytes after a first run, {after} after a second");
}

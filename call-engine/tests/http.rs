//! What the program tells over HTTP: the figures of a call, its health, and that it bears what strangers do.
#![cfg(all(unix, feature = "demo"))]
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

mod peers;
mod program;

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::process::Command;

use blether_call_engine::echo;
use blether_sip_client::{Account, Audio, Phone, PhoneConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use peers::{Folder, PATIENCE, ports};
use program::{Running, program};

const PASSWORD: &str = "long-enough";

async fn in_time<T>(what: &str, wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("waited {PATIENCE:?} in vain for {what}"))
}

/// A server with two accounts, that speaks SIP and HTTP on ports of its own.
struct Server {
    running: Running,
    sip: SocketAddr,
    http: SocketAddr,
    folder: Folder,
}

fn command(folder: &Folder, sip: SocketAddr, http: SocketAddr) -> Command {
    let mut command = program(folder.path());
    command
        .arg("--data-dir")
        .arg(folder.path())
        .env("BLETHER_LISTEN", format!("udp:{sip}"))
        .env("BLETHER_HTTP_LISTEN", http.to_string());
    command
}

impl Server {
    fn start(name: &str) -> Self {
        let folder = Folder::new(name);
        let accounts =
            ["100", "101"].map(|user| format!("[[account]]\nuser = \"{user}\"\npassword = \"{PASSWORD}\"\n\n"));
        std::fs::write(folder.file("call-engine.toml"), accounts.concat()).unwrap();
        let (sip, http) = (ports::loopback(ports::free_port()), ports::loopback(ports::free_port()));
        let running = Running::start(&mut command(&folder, sip, http));
        Self { running, sip, http, folder }
    }

    async fn phone(&self, user: &str) -> Phone {
        let mut phone = Phone::start(PhoneConfig::new(Account::new(user, PASSWORD, self.sip))).await.unwrap();
        in_time("the registration", phone.register()).await.unwrap();
        phone
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let answer = self.ask(&format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (status_of(head), body.to_owned())
    }

    /// Sends this and reads to the end of the connection.
    async fn ask(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.http).await.unwrap();
        let mut answer = Vec::new();
        in_time("an answer", async {
            // It may be cut off before all of it is sent.
            let _ = stream.write_all(request.as_bytes()).await;
            let _ = stream.read_to_end(&mut answer).await;
        })
        .await;
        String::from_utf8(answer).unwrap()
    }

    async fn metrics(&self) -> BTreeMap<String, f64> {
        let (status, body) = self.get("/metrics").await;
        assert_eq!(status, 200);
        parse(&body)
    }

    async fn health(&self) -> (u16, serde_json::Value) {
        let (status, body) = self.get("/healthz").await;
        (status, serde_json::from_str(&body).unwrap())
    }
}

fn status_of(head: &str) -> u16 {
    head.split(' ').nth(1).unwrap().parse().unwrap()
}

/// Every sample of Prometheus' text format, by its name and labels. Fails for a line that is none.
fn parse(text: &str) -> BTreeMap<String, f64> {
    let samples = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    samples
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
            (name.to_owned(), value.parse().unwrap_or_else(|_| panic!("{line}")))
        })
        .collect()
}

fn sum(metrics: &BTreeMap<String, f64>, name: &str) -> f64 {
    let of_name = |sample: &&String| sample.split('{').next() == Some(name);
    metrics.iter().filter(|(sample, _)| of_name(sample)).map(|(_, value)| value).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_moves_the_figures_and_they_come_back_when_it_is_over() {
    let server = Server::start("figures");
    let before = server.metrics().await;
    assert_eq!(before["blether_session_calls"], 0.0);
    assert_eq!(before["blether_engine_accounts{source=\"configuration\"}"], 2.0);
    assert_eq!(before["blether_store_durable"], 1.0);

    let phone = server.phone("100").await;
    let mut call = phone.call(echo::EXTENSION).await.unwrap();
    in_time("the echo", call.answered(Audio::silent(), || ())).await.unwrap();
    let during = server.metrics().await;
    let (status, health) = server.health().await;
    assert_eq!((status, health["status"].as_str(), health["calls"].as_u64()), (200, Some("ok"), Some(1)), "{health}");
    in_time("the end", call.hang_up()).await.unwrap();
    let after = loop {
        let after = server.metrics().await;
        if after["blether_session_calls"] == 0.0 {
            break after;
        }
    };

    for (name, expected) in [
        ("blether_session_calls", 1.0),
        ("blether_rtp_legs", 1.0),
        ("blether_rtp_port_pairs{state=\"in_use\"}", 1.0),
        ("blether_engine_contacts", 1.0),
        ("blether_engine_aors", 1.0),
        ("blether_engine_registrations_total{outcome=\"registered\"}", 1.0),
        ("blether_session_calls_total", 1.0),
        ("blether_engine_call_setup_seconds_count", 1.0),
    ] {
        assert_eq!(during.get(name), Some(&expected), "{name}");
    }
    for name in ["blether_transport_received_datagrams_total", "blether_transport_sent_datagrams_total"] {
        assert!(sum(&during, name) > sum(&before, name), "{name}");
    }
    assert!(during["blether_engine_open_files"] > 10.0);
    assert_eq!(after["blether_rtp_port_pairs{state=\"in_use\"}"], 0.0);
    assert_eq!(after["blether_rtp_port_pairs{state=\"resting\"}"], 1.0);
    assert_eq!(after["blether_engine_ended_calls_total{end=\"caller\"}"], 1.0);
    assert_eq!(after["blether_engine_call_duration_seconds_count"], 1.0);
    assert!(after.keys().all(|name| name.starts_with("blether_")), "{after:?}");
    server.running.terminate();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_taken_away_is_missed_though_nothing_is_written_and_registrations_outlive_kill_9() {
    let server = Server::start("gone");
    let phone = server.phone("100").await;
    for name in ["blether.db", "blether.db-wal", "blether.db-shm"] {
        std::fs::remove_file(server.folder.file(name)).unwrap();
    }
    in_time("the new database", async {
        loop {
            let metrics = server.metrics().await;
            let failures = metrics.get("blether_store_failures_total{kind=\"gone\"}");
            if failures == Some(&1.0) && metrics["blether_store_durable"] == 1.0 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
    let Server { running, sip, http, folder } = server;
    running.kill();
    let running = Running::start(&mut command(&folder, sip, http));
    let server = Server { running, sip, http, folder };
    assert_eq!(server.metrics().await["blether_engine_contacts"], 1.0);
    drop(phone);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_work_of_each_shard_is_seen() {
    let folder = Folder::new("shards");
    let account = format!("[[account]]\nuser = \"100\"\npassword = \"{PASSWORD}\"\n");
    std::fs::write(folder.file("call-engine.toml"), account).unwrap();
    let (sip, http) = (ports::loopback(ports::free_port()), ports::loopback(ports::free_port()));
    let running = Running::start(command(&folder, sip, http).env("BLETHER_SHARDS", "2"));
    let server = Server { running, sip, http, folder };
    // Each request has a Call-ID and a port of its own; that one shard has all of them happens once in 2^39 times.
    let mut answer = [0; 2_000];
    for number in 0..40 {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let from = socket.local_addr().unwrap();
        let request = format!(
            "OPTIONS sip:{sip} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK{number}\r\nMax-Forwards: 70\r\n\
             From: <sip:probe@{from}>;tag=1\r\nTo: <sip:{sip}>\r\nCall-ID: {number}@{from}\r\nCSeq: 1 OPTIONS\r\n\
             Content-Length: 0\r\n\r\n"
        );
        socket.send_to(request.as_bytes(), sip).unwrap();
        socket.recv(&mut answer).unwrap();
    }
    let metrics = server.metrics().await;
    for name in ["received_datagrams", "handled_messages"] {
        let of = |shard: u8| metrics[&format!("blether_transaction_{name}_total{{shard=\"{shard}\"}}")];
        assert!(of(0) > 0.0 && of(1) > 0.0, "{name}: {} {}", of(0), of(1));
        assert_eq!(of(0) + of(1), 40.0, "{name}");
    }
    server.running.terminate();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_fails_is_told_and_the_server_serves_on() {
    let server = Server::start("degraded");
    let _phone = server.phone("100").await;
    assert_eq!(server.health().await.1["store"]["durable"], true);
    // The database is gone, and its place cannot be used: what is written from here on fails.
    let database = server.folder.file("blether.db");
    corrupt(&database);
    let _other = server.phone("101").await;
    let (status, health) = loop {
        let (status, health) = server.health().await;
        if health["status"] != "ok" {
            break (status, health);
        }
    };
    assert_eq!((status, health["status"].as_str()), (200, Some("degraded")), "{health}");
    assert_eq!(health["store"]["durable"], false);
    assert!(health["store"]["failure"].is_string() && health["store"]["failing_for_seconds"].is_u64(), "{health}");
    assert!(health["problems"][0].as_str().unwrap().contains("in memory alone"), "{health}");
    assert_eq!(server.metrics().await["blether_store_durable"], 0.0);
    assert_eq!(server.get("/readyz").await.0, 200, "phones are served all the same");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_but_get_and_head_of_what_there_is_and_nothing_too_long() {
    let server = Server::start("strangers");
    for (request, expected) in [
        ("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 200),
        ("HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 200),
        ("GET / HTTP/1.0\r\n\r\n", 200),
        ("GET /accounts HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        ("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 405),
        ("DELETE /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        ("nonsense\r\n\r\n", 400),
    ] {
        let answer = server.ask(request).await;
        assert_eq!(status_of(&answer), expected, "{request} {answer}");
        assert!(!request.starts_with("HEAD") || answer.ends_with("\r\n\r\n"), "{answer}");
    }
    // No answer is owed to that; the connection ends.
    let endless = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}", "x".repeat(100_000));
    let answer = server.ask(&endless).await;
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    // Those who say nothing leave a place for others.
    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(TcpStream::connect(server.http).await.unwrap());
    }
    assert_eq!(server.get("/readyz").await.0, 200);
}

#[test]
fn an_address_that_was_named_must_be_free_and_the_default_one_need_not() {
    let folder = Folder::new("taken");
    let account = format!("[[account]]\nuser = \"100\"\npassword = \"{PASSWORD}\"\n");
    std::fs::write(folder.file("call-engine.toml"), account).unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let output = command(&folder, ports::loopback(0), taken.local_addr().unwrap()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    let errors: Vec<_> = said.lines().filter(|line| line.starts_with("call-engine: ")).collect();
    assert!(
        matches!(errors[..], [line] if line.contains("`http.listen`") && line.contains("another program")),
        "{said}"
    );

    // Somebody has the default one, be it another test; whoever that is, the server starts.
    let _default = TcpListener::bind("127.0.0.1:9060");
    Running::start(program(folder.path()).arg("--data-dir").arg(folder.path()).env_remove("BLETHER_HTTP_LISTEN"))
        .terminate();
}

/// Makes a folder of the database, so that it can be neither written nor opened again.
fn corrupt(database: &std::path::Path) {
    for name in ["blether.db", "blether.db-wal", "blether.db-shm"] {
        let _ = std::fs::remove_file(database.with_file_name(name));
    }
    std::fs::create_dir(database).unwrap();
}

//! The program from its start to its end as a service manager and an operator see it: ready, draining, hung up, and what its log says.
#![cfg(all(unix, feature = "demo"))]
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

mod calls;
mod peers;
mod program;

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use blether_call_engine::config::{AccountConfig, Config, advice};
use blether_session_core::Party;
use blether_sip_client::{Account, Phone, PhoneCall, PhoneConfig};
use blether_sip_core::StatusCode;
use blether_transaction_core::WireTap;
use serde_json::Value;

use calls::{PASSWORD, connect, in_time, refusal};
use peers::{Folder, PATIENCE, ports};
use program::{Running, program};

#[cfg(target_os = "linux")]
#[test]
fn the_limit_of_open_files_is_raised_to_what_the_system_allows() {
    let folder = Folder::new("open-files");
    let inner = program(folder.path());
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -S -n 256 && exec \"$0\" \"$@\""]).arg(inner.get_program());
    command.current_dir(folder.path()).env_remove("BLETHER_DATA_DIR");
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let server = Running::start(&mut command);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.id())).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let [soft, hard] = [0, 1].map(|n| line.split_whitespace().nth(n).unwrap());
    assert!(soft == hard && hard != "256", "{limits}");
    server.terminate();
}

/// A server with three accounts in a folder of its own, about to be started.
struct Stage {
    folder: Folder,
    address: SocketAddr,
    manager: UnixDatagram,
}

impl Stage {
    fn set(name: &str) -> Self {
        let folder = Folder::new(name);
        let account = |user| format!("[[account]]\nuser = \"{user}\"\npassword = \"{PASSWORD}\"\n\n");
        std::fs::write(folder.file("call-engine.toml"), ["100", "101", "102"].map(account).concat()).unwrap();
        let manager = UnixDatagram::bind(folder.file("notify")).unwrap();
        manager.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { folder, address: ports::loopback(ports::free_port()), manager }
    }

    fn command(&self) -> Command {
        let mut command = program(self.folder.path());
        command.arg("--data-dir").arg(self.folder.path()).env("BLETHER_LISTEN", format!("udp:{}", self.address));
        command.env("NOTIFY_SOCKET", self.folder.file("notify"));
        command
    }

    /// What the service manager is told next.
    fn told(&self) -> String {
        told(&self.manager)
    }

    async fn phone(&self, user: &str) -> Phone {
        let mut phone = Phone::start(PhoneConfig::new(Account::new(user, PASSWORD, self.address))).await.unwrap();
        in_time("the registration", phone.register()).await.unwrap();
        phone
    }

    /// The status of the answer to an OPTIONS, and all of it.
    fn options(&self) -> (u16, String) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let (address, local) = (self.address, socket.local_addr().unwrap());
        let request = format!(
            "OPTIONS sip:{address} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{0};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:balancer@{local}>;tag={0}\r\nTo: <sip:{address}>\r\nCall-ID: {0}@{local}\r\nCSeq: 1 OPTIONS\r\n\
             Content-Length: 0\r\n\r\n",
            local.port()
        );
        socket.send_to(request.as_bytes(), address).unwrap();
        let mut buffer = [0; 2_000];
        let length = socket.recv(&mut buffer).unwrap();
        let answer = String::from_utf8(buffer[..length].to_vec()).unwrap();
        (answer.split(' ').nth(1).unwrap().parse().unwrap(), answer)
    }
}

fn told(manager: &UnixDatagram) -> String {
    let mut buffer = [0; 1_000];
    let length = manager.recv(&mut buffer).unwrap();
    String::from_utf8(buffer[..length].to_vec()).unwrap()
}

/// Waits until the program has ended, for less than live calls may go on if nothing else was said.
async fn ended(server: Running) {
    let waiting = tokio::task::spawn_blocking(move || server.ended());
    in_time("the end of the program", waiting).await.unwrap();
}

/// Waits until both phones know that the server has hung up.
async fn hung_up_by_the_server(calls: [PhoneCall; 2]) {
    for mut call in calls {
        assert_eq!(in_time("the BYE", call.ended()).await.unwrap().by, Party::Remote);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_refuses_new_calls_and_ends_when_the_last_live_one_has_ended() {
    let stage = Stage::set("drain");
    let server = Running::start(&mut stage.command());
    assert_eq!(stage.told(), format!("READY=1\nSTATUS=Serving on {}", stage.address));
    let (caller, mut callee) = (stage.phone("100").await, stage.phone("101").await);
    let [mut out_call, mut in_call] = connect(&caller, &mut callee, "101").await;
    assert_eq!(stage.options().0, 200);

    server.signal("TERM");
    let stopping = stage.told();
    // Half a minute for the calls, and the time to hang up.
    assert!(stopping.starts_with("STOPPING=1\nEXTEND_TIMEOUT_USEC=45000000\nSTATUS="), "{stopping}");
    let (status, answer) = stage.options();
    assert_eq!(status, 503, "{answer}");
    assert!(answer.contains("\r\nRetry-After: 5\r\n"), "{answer}");
    // A phone still registers, and calls nobody.
    let mut newcomer = stage.phone("102").await;
    assert_eq!(refusal(&newcomer, "101").await, StatusCode::SERVICE_UNAVAILABLE);
    in_time("the answer", newcomer.unregister()).await.unwrap();

    // Sound goes on.
    let before = in_call.statistics().await.unwrap().received_packets;
    let heard = async {
        while in_call.statistics().await.unwrap().received_packets < before + 10 {
            tokio::task::yield_now().await;
        }
    };
    in_time("sound", heard).await;
    in_time("the end", out_call.hang_up()).await.unwrap();
    in_time("the end on the other side", in_call.ended()).await.unwrap();
    ended(server).await;
    assert!(stage.told().starts_with("STOPPING=1\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_and_the_end_of_patience_hang_up() {
    // (the first signal, the second, how long calls may go on)
    for (first, second, patience) in
        [("TERM", Some("TERM"), "600"), ("TERM", Some("INT"), "600"), ("INT", None, "600"), ("TERM", None, "1")]
    {
        let stage = Stage::set("second");
        let server = Running::start(stage.command().env("BLETHER_CALLS_DRAIN_TIMEOUT", patience));
        assert!(stage.told().starts_with("READY=1\n"));
        let (caller, mut callee) = (stage.phone("100").await, stage.phone("101").await);
        let calls = connect(&caller, &mut callee, "101").await;
        server.signal(first);
        assert!(stage.told().starts_with("STOPPING=1\n"));
        if let Some(second) = second {
            server.signal(second);
        }
        hung_up_by_the_server(calls).await;
        ended(server).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sighup_is_logged_and_ends_nothing() {
    let stage = Stage::set("hang-up");
    let mut server = Running::start_telling(stage.command().stderr(Stdio::piped()));
    let mut lines = BufReader::new(server.stderr()).lines();
    server.signal("HUP");
    assert!(lines.any(|line| line.unwrap().contains("SIGHUP is ignored")));
    assert_eq!(stage.options().0, 200);
    server.signal("TERM");
    // Read to its end: a full pipe would keep the program from ending.
    lines.for_each(|line| drop(line.unwrap()));
    ended(server).await;
}

#[test]
fn a_signal_to_a_server_that_has_not_started_yet_is_neither_lost_nor_its_end() {
    for signals in [&["HUP"][..], &["HUP", "TERM"]] {
        let stage = Stage::set("early");
        // It has not started as long as it waits for its configuration.
        let (file, waiting) = (stage.folder.file("call-engine.toml"), stage.folder.file("waiting"));
        std::fs::rename(&file, &waiting).unwrap();
        assert!(Command::new("mkfifo").arg(&file).status().unwrap().success());
        let server = Running::start_unheard(stage.command().stdout(Stdio::null()));
        let mut configuration = std::fs::File::options().write(true).open(&file).unwrap();
        signals.iter().for_each(|signal| server.signal(signal));
        std::io::copy(&mut std::fs::File::open(waiting).unwrap(), &mut configuration).unwrap();
        drop(configuration);
        assert!(stage.told().starts_with("READY=1\n"), "{signals:?}");
        if signals.contains(&"TERM") {
            server.ended();
        } else {
            assert_eq!(stage.options().0, 200);
            server.terminate();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_needs_to_read_the_log() {
    let stage = Stage::set("unread");
    let mut server = Running::start_telling(stage.command().stderr(Stdio::piped()));
    drop(server.stderr());
    let (caller, mut callee) = (stage.phone("100").await, stage.phone("101").await);
    let [mut out_call, mut in_call] = connect(&caller, &mut callee, "101").await;
    in_time("the end", out_call.hang_up()).await.unwrap();
    in_time("the end on the other side", in_call.ended()).await.unwrap();
    server.signal("TERM");
    ended(server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_of_the_log_that_stops_reading_stops_neither_requests_nor_the_end() {
    let stage = Stage::set("stuck-reader");
    let mut server = Running::start_telling(stage.command().env("RUST_LOG", "trace").stderr(Stdio::piped()));
    // Open, and not read before the end.
    let mut log = server.stderr();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let (from, mut buffer) = (socket.local_addr().unwrap(), [0; 4096]);
    // Each datagram that is no message is a line in such a log, and together they are more than a pipe holds (64 KiB).
    for n in 0..300 {
        for _ in 0..5 {
            socket.send_to(b"not a message of SIP\r\n\r\n", stage.address).unwrap();
        }
        let request = format!(
            "REGISTER sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK{n}\r\nMax-Forwards: 70\r\n\
             From: <sip:100@127.0.0.1>;tag=1\r\nTo: <sip:100@127.0.0.1>\r\nCall-ID: {n}\r\nCSeq: 1 REGISTER\r\n\
             Content-Length: 0\r\n\r\n"
        );
        socket.send_to(request.as_bytes(), stage.address).unwrap();
        let length = socket.recv(&mut buffer).expect("the server answers");
        let answer = String::from_utf8_lossy(&buffer[..length]);
        assert!(answer.starts_with("SIP/2.0 401"), "{answer}");
    }
    assert_eq!(stage.options().0, 200);
    server.signal("TERM");
    ended(server).await;
    let mut held = Vec::new();
    log.read_to_end(&mut held).unwrap();
    assert!(held.len() > 60_000, "the pipe was not full: {} bytes", held.len());
}

#[cfg(target_os = "linux")]
#[test]
fn nobody_needs_to_read_what_to_type_into_a_phone() {
    let stage = Stage::set("unheard");
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let server = Running::start_unheard(stage.command().stdout(full));
    assert!(stage.told().starts_with("READY=1\n"));
    assert_eq!(stage.options().0, 200);
    server.terminate();
}

#[cfg(target_os = "linux")]
#[test]
fn a_service_manager_may_have_an_abstract_address() {
    use std::os::linux::net::SocketAddrExt;

    let stage = Stage::set("abstract");
    let name = format!("blether-test-{}", std::process::id());
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
    let manager = UnixDatagram::bind_addr(&address).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let server = Running::start(stage.command().env("NOTIFY_SOCKET", format!("@{name}")));
    assert!(told(&manager).starts_with("READY=1\n"));
    server.terminate();
    assert!(told(&manager).starts_with("STOPPING=1\n"));
}

/// A tap that remembers the Call-IDs of what a phone sends.
fn call_ids() -> (WireTap, Arc<Mutex<Vec<String>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = seen.clone();
    let tap = WireTap::new(move |message| {
        let text = String::from_utf8_lossy(message.bytes).into_owned();
        let call_id = text.lines().find_map(|line| line.strip_prefix("Call-ID: ")).map(str::to_owned);
        if text.starts_with("INVITE ") {
            noted.lock().unwrap().extend(call_id);
        }
    });
    (tap, seen)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_line_of_a_json_log_is_an_object_and_a_failed_call_is_found_by_its_call_id() {
    let stage = Stage::set("json");
    let mut command = stage.command();
    command.env("BLETHER_LOG_FORMAT", "json").env_remove("RUST_LOG").stderr(Stdio::piped());
    let mut server = Running::start_telling(&mut command);
    let log = BufReader::new(server.stderr());
    let (tap, call_ids) = call_ids();
    let account = Account::new("100", PASSWORD, stage.address);
    let caller = Phone::start(PhoneConfig { tap: Some(tap), ..PhoneConfig::new(account) }).await.unwrap();
    // No such extension, and one that is not registered.
    assert_eq!(refusal(&caller, "999").await, StatusCode::NOT_FOUND);
    assert_eq!(refusal(&caller, "101").await, StatusCode::TEMPORARILY_UNAVAILABLE);
    server.terminate();

    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    for line in &lines {
        for key in ["timestamp", "level", "target", "message"] {
            assert!(line[key].is_string(), "{line} has no {key}");
        }
    }
    let mut call_ids = call_ids.lock().unwrap().clone();
    call_ids.dedup();
    assert_eq!(call_ids.len(), 2, "{call_ids:?}");
    let about = |call_id: &str, message: &str| {
        let found = lines.iter().find(|line| line["message"] == message && line["call_id"] == call_id);
        found.unwrap_or_else(|| panic!("no line {message:?} with {call_id} in {lines:#?}"))
    };
    let refused = about(&call_ids[0], "a call is refused");
    assert_eq!((&refused["status"], &refused["caller"]), (&404.into(), &"100".into()));
    let given_up = about(&call_ids[1], "the handler gave up");
    // What runs within a call says which, whoever logs it.
    assert_eq!(
        (&given_up["span"]["name"], &given_up["span"]["call_id"]),
        (&"call".into(), &call_ids[1].clone().into())
    );
}

#[test]
fn the_service_file_gives_the_default_configuration_the_files_and_the_time_that_it_needs() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/call-engine.service");
    let text = std::fs::read_to_string(file).unwrap();
    let number = |key: &str| -> u64 {
        let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).unwrap();
        value.parse().unwrap()
    };
    let accounts = vec![AccountConfig::new("100", PASSWORD)];
    let config = Config { accounts, ..Config::default() };
    assert_eq!(advice(&config, Some(number("LimitNOFILE"))), []);
    // What STOPPING asks for; see the test of SIGTERM.
    assert!(Duration::from_secs(number("TimeoutStopSec")) > config.calls.drain_timeout + Duration::from_secs(15));
    for line in ["Type=notify", "Restart=on-failure", "DynamicUser=yes"] {
        assert!(text.lines().any(|found| found == line), "{line}");
    }
}

fn check(folder: &Folder, variables: &[(&str, &str)]) -> Output {
    let mut command = program(folder.path());
    command.arg("check").arg("--data-dir").arg(folder.path()).envs(variables.iter().copied()).output().unwrap()
}

#[test]
fn check_says_what_the_server_would_do_and_what_may_not_be_meant() {
    let stage = Stage::set("check");
    let folder = &stage.folder;
    let output = check(folder, &[("BLETHER_LISTEN", "udp:127.0.0.1:5099"), ("BLETHER_SHARDS", "1")]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{said}");
    for line in ["ok ", "SIP        udp:127.0.0.1:5099, and TCP on the same port; shards: 1", "accounts   3"] {
        assert!(said.contains(&format!("  {line}")), "{line} is not in\n{said}");
    }
    assert!(!said.contains("media.ports"), "{said}");
    assert!(!folder.file("blether.db").exists(), "it only looks");

    let few = [("BLETHER_MEDIA_PORTS", "20000-20039"), ("BLETHER_LIMITS_MAX_CALLS", "11")];
    let said = String::from_utf8(check(folder, &few).stdout).unwrap();
    assert!(said.contains("warning: `media.ports` = 20000-20039 is enough for 10 calls"), "{said}");

    let warnings = |variables: &[(&str, &str)]| {
        let said = String::from_utf8(check(folder, variables).stdout).unwrap();
        said.lines().filter(|line| line.starts_with("warning: ")).map(str::to_owned).collect::<Vec<_>>()
    };
    let file = folder.file("call-engine.toml");
    let usual = [("BLETHER_SHARDS", "1"), ("BLETHER_LIMITS_MAX_CALLS", "10"), ("BLETHER_TCP_ENABLED", "false")];
    for (mode, said) in [(0o644, "(mode 0644); chmod 600 it"), (0o660, "(mode 0660)"), (0o600, "")] {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let warnings = warnings(&usual);
        assert_eq!(warnings.len(), usize::from(!said.is_empty()), "{warnings:?}");
        assert!(warnings.iter().all(|warning| warning.contains(said)), "{warnings:?}");
    }
    let [advertise] = &warnings(&[&usual[..], &[("BLETHER_ADVERTISE", "2001:db8::1")]].concat())[..] else { panic!() };
    assert!(advertise.contains("`listen` has no IPv6 address"), "{advertise}");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("data_dir = \"elsewhere\"\n{text}")).unwrap();
    let [other] = &warnings(&usual)[..] else { panic!() };
    assert!(other.contains("elsewhere in the file does not count, because --data-dir says"), "{other}");
    std::fs::write(&file, format!("data_dir = \".\"\n{text}")).unwrap();
    assert!(warnings(&usual).is_empty(), "the same folder");

    std::fs::write(folder.file("call-engine.toml"), "[calls]\ndrain_timout = 5\n").unwrap();
    let output = check(folder, &[]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{said}");
    assert!(said.contains("call-engine.toml:2:1: unknown key `drain_timout`; did you mean `drain_timeout`?"), "{said}");
}

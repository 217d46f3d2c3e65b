//! What an operator does to a running server by the program's commands.
#![cfg(all(unix, feature = "demo"))]
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

mod peers;
mod program;

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::process::{Command, Output, Stdio};

use blether_call_engine::echo;
use blether_sip_client::{Account, Audio, Phone, PhoneConfig};
use serde_json::Value;

use peers::{Folder, PATIENCE, ports};
use program::{Running, program};

const PASSWORD: &str = "long-enough";

async fn in_time<T>(what: &str, wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("waited {PATIENCE:?} in vain for {what}"))
}

/// A data folder whose configuration has the account 100, and where its server listens.
struct Site {
    folder: Folder,
    sip: SocketAddr,
}

impl Site {
    fn new(name: &str) -> Self {
        let folder = Folder::new(name);
        let account = format!("[[account]]\nuser = \"100\"\npassword = \"{PASSWORD}\"\n");
        std::fs::write(folder.file("call-engine.toml"), account).unwrap();
        Self { folder, sip: ports::loopback(ports::free_port()) }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program(self.folder.path());
        command
            .args(arguments)
            .arg("--data-dir")
            .arg(self.folder.path())
            .env("BLETHER_LISTEN", format!("udp:{}", self.sip));
        command
    }

    fn start(&self) -> Running {
        Running::start(&mut self.command(&[]))
    }

    /// Runs a command to its end, with this on its standard input.
    fn run(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    /// What a command that succeeds writes, as JSON, an object a line.
    fn json(&self, arguments: &[&str], input: &str) -> Vec<Value> {
        let output = self.run(&[arguments, &["--json"]].concat(), input);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{arguments:?}: {said}");
        let lines = String::from_utf8(output.stdout).unwrap();
        lines.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
    }

    /// The one line that a command says which fails with this code.
    fn refused(&self, code: i32, arguments: &[&str], input: &str) -> String {
        let output = self.run(arguments, input);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), said.lines().count()), (Some(code), 1), "{arguments:?}: {said}");
        assert!(output.stdout.is_empty());
        said
    }

    async fn phone(&self, user: &str, password: &str) -> Phone {
        Phone::start(PhoneConfig::new(Account::new(user, password, self.sip))).await.unwrap()
    }

    async fn registers(&self, user: &str, password: &str) -> bool {
        let mut phone = self.phone(user, password).await;
        in_time("the registration", phone.register()).await.is_ok()
    }
}

fn users(accounts: &[Value]) -> Vec<(&str, &str)> {
    accounts.iter().map(|account| (account["user"].as_str().unwrap(), account["source"].as_str().unwrap())).collect()
}

#[test]
fn a_second_server_does_not_start_in_the_folder_of_one_that_answers_though_the_lock_file_is_gone() {
    let site = Site::new("second");
    let first = site.start();
    std::fs::remove_file(site.folder.file("blether.db.lock")).unwrap();
    let elsewhere = format!("udp:{}", ports::loopback(ports::free_port()));
    let second = site.command(&[]).env("BLETHER_LISTEN", elsewhere).output().unwrap();
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(!second.status.success() && second.stdout.is_empty(), "{said}");
    assert!(said.lines().count() == 1 && said.contains("another server answers there"), "{said}");
    first.terminate();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_comes_changes_outlives_kill_9_and_goes_while_the_server_runs() {
    let site = Site::new("accounts");
    let server = site.start();
    assert!(!site.registers("200", "made-up-here").await);

    let added = site.json(&["account", "add", "200", "--display-name", "Morag"], "");
    let password = added[0]["password"].as_str().unwrap().to_owned();
    assert_eq!((added[0]["user"].as_str(), added[0]["kept"].as_str()), (Some("200"), Some("durably")), "{added:?}");
    assert!(password.len() >= 16);
    let mut phone = site.phone("200", &password).await;
    in_time("the registration", phone.register()).await.unwrap();
    let registered = site.json(&["registrations"], "");
    assert_eq!(registered.len(), 1);
    assert_eq!(registered[0]["source"], phone.local_addr().to_string());
    assert!(
        registered[0]["user"] == "200" && registered[0]["expires_in_seconds"].as_u64().unwrap() > 0,
        "{registered:?}"
    );

    let changed = site.json(&["account", "passwd", "200", "--password-stdin"], "another-password\n");
    assert!(changed[0].get("password").is_none(), "it is known already: {changed:?}");
    assert!(!site.registers("200", &password).await);
    assert!(site.registers("200", "another-password").await);

    server.kill();
    let server = site.start();
    assert_eq!(users(&site.json(&["account", "list"], "")), [("100", "configuration"), ("200", "store")]);
    let mut phone = site.phone("200", "another-password").await;
    in_time("the registration", phone.register()).await.unwrap();
    assert!(!site.json(&["registrations"], "").is_empty());

    site.json(&["account", "remove", "200"], "");
    assert!(site.json(&["registrations"], "").is_empty());
    assert!(in_time("the refusal", phone.register()).await.is_err());
    assert_eq!(users(&site.json(&["account", "list"], "")), [("100", "configuration")]);

    server.kill();
    let server = site.start();
    assert!(!site.registers("200", "another-password").await);
    assert!(site.json(&["registrations"], "").is_empty());
    server.terminate();
    assert!(!site.folder.file("control.sock").exists(), "an orderly end leaves no socket behind");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_changed_is_refused_in_one_line_and_nothing_changes() {
    let site = Site::new("refusals");
    let server = site.start();
    for code in [&["account", "remove", "100"][..], &["account", "passwd", "100"], &["account", "add", "100"]] {
        assert!(site.refused(1, code, "").contains("configuration file"));
    }
    assert!(site.refused(1, &["account", "remove", "999"], "").contains("no account"));
    assert!(site.refused(1, &["account", "add", "a b"], "").contains("cannot be a user"));
    let short = site.refused(1, &["account", "add", "200", "--password-stdin"], "shorty7\n");
    assert!(short.contains("too short") && !short.contains("shorty7"), "{short}");
    assert!(site.refused(1, &["account", "add", "200", "--password-stdin"], "").contains("no password"));
    site.json(&["account", "add", "200"], "");
    assert!(site.refused(1, &["account", "add", "200"], "").contains("already"));
    assert_eq!(site.run(&["account", "add", "201", "--password", "on-the-command-line"], "").status.code(), Some(2));
    assert_eq!(users(&site.json(&["account", "list"], "")), [("100", "configuration"), ("200", "store")]);
    server.terminate();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_listed_while_it_lives() {
    let site = Site::new("calls");
    let server = site.start();
    assert!(site.json(&["calls"], "").is_empty());
    let text = |output: Output| String::from_utf8(output.stdout).unwrap();
    assert_eq!(text(site.run(&["calls"], "")), "no calls\n");

    let phone = site.phone("100", PASSWORD).await;
    let mut call = phone.call(echo::EXTENSION).await.unwrap();
    in_time("the echo", call.answered(Audio::silent(), || ())).await.unwrap();
    let calls = site.json(&["calls"], "");
    assert_eq!(calls.len(), 1);
    for (key, expected) in
        [("caller", "100"), ("dialled", echo::EXTENSION), ("state", "answered"), ("answered_by", echo::EXTENSION)]
    {
        assert_eq!(calls[0][key], expected, "{calls:?}");
    }
    assert!(calls[0]["since"].as_i64().unwrap() >= calls[0]["started_at"].as_i64().unwrap(), "{calls:?}");
    let table = text(site.run(&["calls"], ""));
    assert!(table.lines().count() == 2 && table.contains(calls[0]["call_id"].as_str().unwrap()), "{table}");
    in_time("the end", call.hang_up()).await.unwrap();
    in_time("the list without it", async {
        while !site.json(&["calls"], "").is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    server.terminate();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_server_accounts_are_changed_in_the_database_and_with_one_that_cannot_be_asked_they_are_not() {
    let site = Site::new("offline");
    let said = site.refused(3, &["calls"], "");
    assert!(said.contains("no server answers at") && said.contains("control.sock"), "{said}");
    site.refused(3, &["registrations", "--json"], "");

    let added = site.json(&["account", "add", "200", "--password-stdin"], "long-enough-too\n");
    assert_eq!((added[0]["server"].as_bool(), added[0]["kept"].as_str()), (Some(false), Some("durably")), "{added:?}");
    assert!(site.refused(1, &["account", "remove", "100"], "").contains("configuration file"));
    assert_eq!(users(&site.json(&["account", "list"], "")), [("100", "configuration"), ("200", "store")]);

    let server = site.start();
    let mut phone = site.phone("200", "long-enough-too").await;
    in_time("the registration", phone.register()).await.unwrap();
    std::fs::remove_file(site.folder.file("control.sock")).unwrap();
    let said = site.refused(1, &["account", "remove", "200"], "");
    assert!(said.contains("a server has the database"), "{said}");
    in_time("the registration", phone.register()).await.unwrap();
    server.kill();

    site.json(&["account", "remove", "200"], "");
    let server = site.start();
    assert!(site.json(&["registrations"], "").is_empty() && !site.registers("200", "long-enough-too").await);
    server.terminate();
}

#[test]
fn what_root_makes_in_the_folder_of_another_user_belongs_to_that_user() {
    for offline in [true, false] {
        let site = Site::new("owner");
        // Only root may give it away; everybody else owns what he makes in his own folder.
        let _ = std::os::unix::fs::chown(site.folder.path(), Some(65_534), Some(65_534));
        let owner = site.folder.path().metadata().unwrap().uid();
        if offline {
            site.json(&["account", "add", "200"], "");
        } else {
            site.start().kill();
        }
        let made = std::fs::read_dir(site.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let made: Vec<_> =
            made.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("blether.db")).collect();
        assert_eq!(made.len(), if offline { 2 } else { 4 }, "{made:?}");
        for path in made {
            assert_eq!(path.metadata().unwrap().uid(), owner, "{}", path.display());
        }
    }
}

/// Whether this is root, to whom no file is closed.
fn is_root(site: &Site) -> bool {
    site.folder.path().metadata().unwrap().uid() == 0
}

#[cfg(target_os = "linux")]
#[test]
fn in_a_user_namespace_that_does_not_know_the_folders_owner_the_server_starts() {
    use std::os::unix::fs::chown;
    let site = Site::new("unmapped");
    let folder = site.folder.path();
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o777)).unwrap();
    // Who is not root cannot have a folder of somebody else; theirs is mapped, and the server starts as everywhere.
    let unmapped = chown(folder, Some(12_345), Some(12_345)).is_ok();
    let inner = site.command(&[]);
    let mut command = Command::new("unshare");
    command.args(["--map-root-user"]).arg(inner.get_program()).args(inner.get_args()).current_dir(folder);
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?)))).env_remove("BLETHER_DATA_DIR");
    let log = site.folder.file("server.log");
    Running::start_logged(&mut command, &log).terminate();
    let said = std::fs::read_to_string(log).unwrap();
    assert_eq!(said.matches("cannot be given to its owner").count(), usize::from(unmapped), "{said}");
    assert!(!said.contains("NOT DURABLE"), "{said}");
}

#[test]
fn a_socket_that_lets_nobody_in_is_replaced_only_if_no_server_has_the_database() {
    let site = Site::new("robbed");
    let folder = site.folder.path();
    let [socket, lock] = ["control.sock", "blether.db.lock"].map(|name| site.folder.file(name));
    let mode =
        |path: &std::path::Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(folder, 0o777);
    mode(&site.folder.file("call-engine.toml"), 0o644);
    let server = site.start();
    // Another user of the folder, to whom both are closed.
    let other = || {
        let inner = site.command(&[]);
        let mut command = Command::new("timeout");
        command.arg("10").arg(inner.get_program()).args(inner.get_args()).current_dir(folder);
        command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?)))).env_remove("BLETHER_DATA_DIR");
        command.env("BLETHER_LISTEN", "udp:127.0.0.1:0");
        if is_root(&site) {
            std::os::unix::process::CommandExt::uid(&mut command, 65_534);
        }
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    mode(&socket, 0);
    mode(&lock, 0o644);
    let (code, said) = other();
    assert!(code == Some(1) && said.lines().count() == 1 && said.contains("another server answers"), "{said}");
    mode(&lock, 0);
    let (code, said) = other();
    assert!(code == Some(1) && said.lines().count() == 1 && said.contains("cannot be known"), "{said}");
    mode(&socket, 0o600);
    assert!(site.json(&["calls"], "").is_empty(), "it is still reached");
    // What it leaves behind is replaced, since nobody has the lock.
    server.kill();
    mode(&socket, 0);
    mode(&lock, 0o644);
    let server = site.start();
    assert!(site.json(&["calls"], "").is_empty());
    server.terminate();
}

#[test]
fn the_socket_is_its_owners_alone_and_bears_what_is_no_request() {
    let site = Site::new("socket");
    let socket = site.folder.file("control.sock");
    // One that a server has left behind.
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let server = site.start();
    assert_eq!(socket.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let ask = |request: &[u8]| {
        let mut stream = UnixStream::connect(&socket).unwrap();
        let mut answer = String::new();
        // It may stop reading before all of it is sent.
        let _ = stream.write_all(request);
        let _ = stream.read_to_string(&mut answer);
        answer
    };
    for request in [
        &b"nonsense\n"[..],
        b"{\"command\":\"reboot\"}\n",
        b"{\"command\":\"account_add\",\"user\":1,\"password\":\"s3cr3t-s3cr3t\"}\n",
    ] {
        let answer: Value = serde_json::from_str(&ask(request)).unwrap();
        assert_eq!(answer["error"]["kind"], "invalid", "{answer}");
        assert!(!answer.to_string().contains("s3cr3t"), "{answer}");
    }
    let long = ask(&vec![b'x'; 1 << 20]);
    assert!(long.is_empty() || long.contains("at most 4096 bytes"), "{long}");
    assert!(site.json(&["calls"], "").is_empty(), "it still answers");
    server.terminate();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_of_a_database_that_cannot_be_read_at_the_start_are_there_once_it_can_be() {
    let site = Site::new("unread");
    site.json(&["account", "add", "200", "--password-stdin"], "long-enough-too\n");
    let (database, aside) = (site.folder.file("blether.db"), site.folder.file("aside"));
    std::fs::rename(&database, &aside).unwrap();
    std::fs::create_dir(&database).unwrap();
    let server = site.start();
    assert_eq!(users(&site.json(&["account", "list"], "")), [("100", "configuration")]);
    assert!(site.registers("100", PASSWORD).await && !site.registers("200", "long-enough-too").await);

    std::fs::remove_dir(&database).unwrap();
    std::fs::rename(&aside, &database).unwrap();
    in_time("the account", async {
        while users(&site.json(&["account", "list"], "")).len() < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(site.registers("200", "long-enough-too").await);
    server.terminate();
}

//! The program while its database cannot be used: it answers from memory, says so, and writes what it answered when it can. Then it is killed, and
//! nothing is lost.
#![cfg(all(target_os = "linux", feature = "demo"))]
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

mod calls;
mod light;
mod peers;
mod program;
mod site;
mod small_disk;

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use blether_call_engine::cdr::CdrEnd;
use blether_call_engine::config::{AccountConfig, Config, Listen};
use blether_call_engine::{Engine, EngineHandle};
use sqlx::{Connection as _, SqliteConnection};

use calls::{PASSWORD, connect, in_time, records, registered};
use peers::{Folder, PATIENCE};
use program::{Running, program};
use site::{DEGRADED, DURABLE_AGAIN, Site};
use small_disk::with_small_disk;

const USERS: [&str; 6] = ["100", "101", "102", "103", "104", "105"];

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

#[test]
fn on_a_full_disk_calls_and_registrations_go_on_and_are_written_when_there_is_room() {
    let name = "on_a_full_disk_calls_and_registrations_go_on_and_are_written_when_there_is_room";
    with_small_disk(name, 2_048, |disk| {
        runtime().block_on(async {
            let log = Folder::new("full-disk");
            let site = Site::new(disk.path(), &log, USERS);
            let server = site.start();
            let caller = registered("100", site.address).await;
            let mut callee = registered("101", site.address).await;
            let before = site.register("102");
            let [mut out_call, mut in_call] = connect(&caller, &mut callee, "101").await;
            in_time("BYE", async { tokio::join!(out_call.hang_up(), in_call.ended()) }).await;

            assert!(site.is_told_durable());
            disk.fill();
            let meanwhile = site.register("103");
            let [mut out_call, mut in_call] = connect(&caller, &mut callee, "101").await;
            in_time("BYE", async { tokio::join!(in_call.hang_up(), out_call.ended()) }).await;
            let _live = connect(&caller, &mut callee, "101").await;
            site.until_logged(DEGRADED).await;
            assert!(site.logged().contains("free space on the disk") && !site.logged().contains(DURABLE_AGAIN));
            assert_eq!(site.contacts("103"), std::slice::from_ref(&meanwhile));
            assert!(!site.is_told_durable());

            disk.make_room();
            site.until_logged(DURABLE_AGAIN).await;
            assert!(site.is_told_durable());
            server.kill();
            let server = site.start();
            assert_eq!((site.contacts("102"), site.contacts("103")), (vec![before], vec![meanwhile]));
            server.terminate();
            let ends: Vec<_> = records(disk.path()).await.iter().map(|cdr| cdr.end.unwrap()).collect();
            assert_eq!(ends, [CdrEnd::Caller, CdrEnd::Callee, CdrEnd::Interrupted]);
        });
    });
}

#[test]
fn on_a_disk_that_is_full_from_the_start_a_server_with_a_configuration_serves() {
    let name = "on_a_disk_that_is_full_from_the_start_a_server_with_a_configuration_serves";
    with_small_disk(name, 1_024, |disk| {
        runtime().block_on(async {
            let log = Folder::new("full-from-the-start");
            let site = Site::new(disk.path(), &log, USERS);
            disk.fill();
            let server = site.start();
            site.until_logged(DEGRADED).await;
            assert!(!site.is_told_durable());
            let contact = site.register("102");
            disk.make_room();
            site.until_logged(DURABLE_AGAIN).await;
            server.kill();
            let server = site.start();
            assert_eq!(site.contacts("102"), [contact]);
            server.terminate();
        });
    });
}

#[test]
fn a_first_start_on_a_full_disk_says_what_cannot_be_written_and_the_next_one_succeeds() {
    let name = "a_first_start_on_a_full_disk_says_what_cannot_be_written_and_the_next_one_succeeds";
    with_small_disk(name, 1_024, |disk| {
        disk.fill();
        let first = program(disk.path()).output().unwrap();
        let said = String::from_utf8(first.stderr).unwrap();
        assert!(!first.status.success());
        assert!(said.contains("blether-data") && said.contains("No space left on device"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        disk.make_room();
        let next = Running::start(&mut program(disk.path()));
        let written = std::fs::read_to_string(disk.path().join("blether-data/call-engine.toml")).unwrap();
        let password = written.lines().find_map(|line| line.strip_prefix("password = \"")).unwrap();
        assert!(next.shown.contains(password.trim_end_matches('"')), "{}", next.shown);
        next.terminate();
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_another_program_holds_the_database_the_server_serves_and_even_starts() {
    let log = Folder::new("held");
    let folder = Folder::new("held-data");
    let site = Site::new(folder.path(), &log, USERS);
    let server = site.start();
    let before = site.register("102");
    let mut shell = site.hold().await;
    let meanwhile = site.register("103");
    site.until_logged("locked").await;
    server.kill();

    // What was written is not known until it can be read.
    let server = site.start();
    site.until_logged("what was registered before is not known").await;
    assert!(site.contacts("102").is_empty());
    let after = site.register("104");
    sqlx::query("COMMIT").execute(&mut shell).await.unwrap();
    shell.close().await.unwrap();
    site.until_logged(DURABLE_AGAIN).await;
    assert_eq!(site.contacts("102"), std::slice::from_ref(&before));
    server.kill();
    let server = site.start();
    assert_eq!((site.contacts("102"), site.contacts("104")), (vec![before], vec![after]));
    assert!(
        site.contacts("103").is_empty(),
        "answered {meanwhile} from memory alone, and that is gone with the process"
    );
    server.terminate();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_that_could_not_be_read_at_the_start_are_served_when_they_can() {
    let folder = Folder::new("late-accounts");
    let config = Config {
        listen: Listen { address: SocketAddr::from(([127, 0, 0, 1], 0)), ..Listen::default() },
        data_dir: folder.path().to_owned(),
        ..Config::default()
    };
    let has = |handle: &EngineHandle, user: &str| handle.accounts().now().get(user).is_some();
    let engine = Engine::builder(config.clone()).durable().start().await.unwrap();
    for user in ["200", "201"] {
        engine.handle().add_account(&AccountConfig::new(user, PASSWORD.to_owned())).await.unwrap();
    }
    engine.shut_down(PATIENCE).await;

    let url = format!("sqlite://{}", folder.file("blether.db").display());
    let mut shell = SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("BEGIN EXCLUSIVE").execute(&mut shell).await.unwrap();
    let engine = Engine::builder(config).durable().start().await.unwrap();
    let handle = engine.handle();
    assert!(handle.store().status().unread && !has(handle, "200"));
    handle.add_account(&AccountConfig::new("202", PASSWORD.to_owned())).await.unwrap();
    sqlx::query("COMMIT").execute(&mut shell).await.unwrap();
    let served = async {
        while !(has(handle, "200") && has(handle, "201")) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    in_time("the accounts", served).await;
    assert!(has(handle, "202"));
    engine.shut_down(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_corrupt_database_is_set_aside_whole_at_the_start_and_while_the_server_runs() {
    let log = Folder::new("corrupt");
    let folder = Folder::new("corrupt-data");
    let site = Site::new(folder.path(), &log, USERS);
    let server = site.start();
    site.register("102");
    server.terminate();
    let mut bytes = std::fs::read(site.database()).unwrap();
    // All but the first page, which has the schema.
    bytes[4_096..].fill(0xa5);
    std::fs::write(site.database(), &bytes).unwrap();

    let server = site.start();
    let places = site.set_aside();
    let [place] = &places[..] else { panic!("{places:?}") };
    assert_eq!(std::fs::read(place).unwrap(), bytes);
    // The log is written by a thread of its own.
    site.until_logged(&format!("sqlite3 '{}' .recover", place.display())).await;
    let said = site.logged();
    assert!(said.contains("Lost to this server"), "{said}");
    assert!(!said.contains(DEGRADED), "a new one works at once");
    let contact = site.register("103");

    // The disk comes back with rubbish in its place, and without its log, from which it could be made whole.
    let rubbish = folder.file("rubbish");
    std::fs::write(&rubbish, vec![b'x'; 8_192]).unwrap();
    std::fs::rename(&rubbish, site.database()).unwrap();
    for suffix in ["-wal", "-shm"] {
        std::fs::remove_file(folder.file(&format!("blether.db{suffix}"))).unwrap();
    }
    let meanwhile = site.register("104");
    site.until_logged(DURABLE_AGAIN).await;
    let places = site.set_aside();
    assert_eq!(places.len(), 2);
    assert!(places.iter().any(|place| std::fs::read(place).unwrap() == [b'x'; 8_192]));
    server.kill();
    let server = site.start();
    assert_eq!((site.contacts("103"), site.contacts("104")), (vec![contact], vec![meanwhile]));
    server.terminate();
}

/// Bytes that a file of the process may have from here on.
fn limit_files(server: &Running, bytes: &str) {
    let limited = Command::new("prlimit")
        .args(["--pid", &server.id().to_string(), &format!("--fsize={bytes}:")])
        .stdout(Stdio::null())
        .status();
    assert!(limited.is_ok_and(|status| status.success()), "prlimit, of util-linux, is needed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_disk_takes_no_more_writes_the_server_serves() {
    let log = Folder::new("io-error");
    let folder = Folder::new("io-error-data");
    let site = Site::new(folder.path(), &log, USERS);
    // A write past the limit of a file's size fails, and does not end who is told to overlook the signal.
    let program = program(&site.folder);
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(program.get_program());
    command.current_dir(&site.folder).env_remove("BLETHER_DATA_DIR");
    let server = site.start_as(command);
    let before = site.register("102");
    let written = std::fs::metadata(folder.file("blether.db-wal")).unwrap().len();
    limit_files(&server, &written.to_string());
    let meanwhile = site.register("103");
    site.until_logged("disk I/O error").await;
    assert!(site.logged().contains(DEGRADED));

    limit_files(&server, "unlimited");
    site.until_logged(DURABLE_AGAIN).await;
    server.kill();
    let server = site.start();
    assert_eq!((site.contacts("102"), site.contacts("103")), (vec![before], vec![meanwhile]));
    server.terminate();
}

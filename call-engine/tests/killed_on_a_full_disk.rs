//! `kill -9` after a full disk, and on one: what was answered from memory is written when there is room, and what was written before is there.
#![cfg(all(target_os = "linux", feature = "demo"))]
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

mod calls;
mod light;
mod peers;
mod program;
mod site;
mod small_disk;

use std::collections::BTreeMap;
use std::path::Path;

use blether_call_engine::cdr::{Cdr, CdrEnd};
use blether_sip_client::{Phone, PhoneCall};

use calls::{PASSWORD, connect, records, registered};
use light::{fetch_all, register_all};
use peers::Folder;
use site::{DEGRADED, DURABLE_AGAIN, Site};
use small_disk::with_small_disk;

const REGISTRATIONS: usize = 1_000;
const CALLS: usize = 50;
/// Room for all of it, several times.
const DISK_KIB: u32 = 16_384;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn users() -> Vec<String> {
    (0..REGISTRATIONS).map(|n| format!("user{n:04}")).collect()
}

/// A site in which these users have accounts, and 100 and 101, who call.
fn site(folder: &Path, log: &Folder, users: &[String]) -> Site {
    Site::new(folder, log, users.iter().map(String::as_str).chain(["100", "101"]))
}

async fn connect_many(caller: &Phone, callee: &mut Phone, count: usize) -> Vec<[PhoneCall; 2]> {
    let mut calls = Vec::new();
    for _ in 0..count {
        calls.push(connect(caller, callee, "101").await);
    }
    calls
}

/// As [`fetch_all`] shows what was registered.
fn alone(contacts: &BTreeMap<String, String>) -> BTreeMap<String, Vec<String>> {
    contacts.iter().map(|(user, contact)| (user.clone(), vec![contact.clone()])).collect()
}

fn interrupted(cdrs: &[Cdr]) -> usize {
    cdrs.iter().filter(|cdr| cdr.answered_at.is_some() && cdr.end == Some(CdrEnd::Interrupted)).count()
}

#[test]
fn what_was_answered_on_a_full_disk_is_there_after_kill_9_once_there_was_room() {
    let name = "what_was_answered_on_a_full_disk_is_there_after_kill_9_once_there_was_room";
    with_small_disk(name, DISK_KIB, |disk| {
        runtime().block_on(async {
            let (log, users) = (Folder::new("killed-after-full"), users());
            let site = site(disk.path(), &log, &users);
            let server = site.start();
            let caller = registered("100", site.address).await;
            let mut callee = registered("101", site.address).await;
            assert!(site.is_told_durable());
            disk.fill();

            let contacts = register_all(site.address, PASSWORD, &users);
            let live = connect_many(&caller, &mut callee, CALLS).await;
            site.until_logged(DEGRADED).await;
            assert!(!site.is_told_durable());
            // Nothing of it was written.
            assert_eq!((site.unwritten("bindings"), site.unwritten("cdrs")), (REGISTRATIONS, CALLS));
            assert_eq!(fetch_all(site.address, PASSWORD, &users), alone(&contacts));

            disk.make_room();
            site.until_logged(DURABLE_AGAIN).await;
            assert!(site.is_told_durable());
            server.kill();
            let server = site.start();
            assert_eq!(fetch_all(site.address, PASSWORD, &users), alone(&contacts));
            server.terminate();
            let cdrs = records(disk.path()).await;
            assert_eq!((cdrs.len(), interrupted(&cdrs)), (CALLS, CALLS), "{cdrs:?}");
            drop(live);
        });
    });
}

#[test]
fn after_kill_9_on_a_full_disk_what_was_written_before_is_served_and_marked_when_there_is_room() {
    let name = "after_kill_9_on_a_full_disk_what_was_written_before_is_served_and_marked_when_there_is_room";
    with_small_disk(name, DISK_KIB, |disk| {
        runtime().block_on(async {
            let (log, users) = (Folder::new("killed-when-full"), users());
            let (before, meanwhile) = users.split_at(REGISTRATIONS / 2);
            let site = site(disk.path(), &log, &users);
            let server = site.start();
            let caller = registered("100", site.address).await;
            let mut callee = registered("101", site.address).await;
            let written = register_all(site.address, PASSWORD, before);
            let live = connect_many(&caller, &mut callee, CALLS / 2).await;
            disk.fill();
            register_all(site.address, PASSWORD, meanwhile);
            let lost = connect_many(&caller, &mut callee, CALLS / 2).await;
            assert!(!site.is_told_durable());
            server.kill();

            // The disk is as full as before: what is there is read, and that no more can be written is said.
            std::fs::write(log.file("server.log"), "").unwrap();
            let server = site.start();
            site.until_logged(DEGRADED).await;
            assert!(!site.is_told_durable());
            assert!(site.logged().contains("free space on the disk"), "{}", site.logged());
            assert_eq!(fetch_all(site.address, PASSWORD, before), alone(&written));
            // What was answered from memory alone is gone with the process.
            assert!(fetch_all(site.address, PASSWORD, meanwhile).values().all(Vec::is_empty));
            let again = register_all(site.address, PASSWORD, meanwhile);

            disk.make_room();
            site.until_logged(DURABLE_AGAIN).await;
            server.kill();
            let server = site.start();
            assert_eq!(fetch_all(site.address, PASSWORD, before), alone(&written));
            assert_eq!(fetch_all(site.address, PASSWORD, meanwhile), alone(&again));
            server.terminate();
            let cdrs = records(disk.path()).await;
            assert_eq!((cdrs.len(), interrupted(&cdrs)), (CALLS / 2, CALLS / 2), "{cdrs:?}");
            drop((live, lost));
        });
    });
}

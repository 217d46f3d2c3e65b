//! `kill -9` in the middle of everything: nothing that was answered is lost. `BLETHER_SEED` replays the moment of the kill.
#![cfg(all(unix, feature = "demo"))]
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

mod calls;
mod light;
mod peers;
mod program;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use blether_call_engine::cdr::CdrEnd;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use calls::{PASSWORD, USERS, accounts, connect, in_time, records, registered};
use light::{Light, PHONES};
use peers::{Folder, PATIENCE, ports};
use program::{Running, program};

const REGISTRATIONS: usize = 1_000;
const CALLS: usize = 50;
/// Of them, calls that have ended before the kill.
const ENDED: usize = 10;

fn seed() -> u64 {
    let seed = std::env::var("BLETHER_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().unwrap());
    println!("BLETHER_SEED={seed}");
    seed
}

fn start(folder: &Folder, address: SocketAddr) -> Running {
    let mut command = program(folder.path());
    command.arg("--data-dir").arg(folder.path()).env("BLETHER_LISTEN", format!("udp:{address}"));
    Running::start_logged(&mut command, &folder.file("server.log"))
}

/// Registers all users at full speed, kills the server once so many were answered, and hands out who was, with the contact that each registered.
fn register_until_killed(
    server: Running,
    address: SocketAddr,
    users: &[String],
    kill_after: usize,
) -> [BTreeMap<String, String>; 2] {
    let (answers, answered) = mpsc::channel();
    let gone = Arc::new(AtomicBool::new(false));
    let sent = Mutex::new(BTreeMap::new());
    let answered = thread::scope(|scope| {
        for phone in 0..PHONES {
            let (answers, gone, sent) = (answers.clone(), Arc::clone(&gone), &sent);
            scope.spawn(move || {
                let mut light = Light::new(address, PASSWORD);
                light.gone = Arc::clone(&gone);
                for user in users.iter().skip(phone).step_by(PHONES) {
                    if gone.load(Ordering::Acquire) {
                        return;
                    }
                    let contact = light.contact(user);
                    sent.lock().unwrap().insert(user.clone(), contact.clone());
                    let Some(contacts) = light.register(user, PATIENCE) else { return };
                    assert!(contacts.contains(&contact), "{contacts:?}");
                    answers.send((user.clone(), contact)).unwrap();
                }
            });
        }
        drop(answers);
        let mut first: Vec<_> = answered.iter().take(kill_after).collect();
        assert_eq!(first.len(), kill_after, "the server did not answer");
        server.kill();
        gone.store(true, Ordering::Release);
        // What had left the server by then was answered too.
        first.extend(answered.iter());
        first.into_iter().collect()
    });
    [answered, sent.into_inner().unwrap()]
}

#[test]
fn every_contact_that_was_answered_is_there_after_kill_9_and_none_that_was_not_registered() {
    let mut rng = StdRng::seed_from_u64(seed());
    let users: Vec<String> = (0..REGISTRATIONS).map(|n| format!("user{n:04}")).collect();
    for _ in 0..2 {
        let folder = Folder::new("killed-registrar");
        std::fs::write(folder.file("call-engine.toml"), accounts(users.iter().map(String::as_str))).unwrap();
        let address = ports::loopback(ports::free_port());
        let kill_after = rng.random_range(1..REGISTRATIONS);
        let server = start(&folder, address);
        let [answered, sent] = register_until_killed(server, address, &users, kill_after);
        println!("killed after {kill_after}: {} answered of {} sent", answered.len(), sent.len());

        let server = start(&folder, address);
        // Those who never registered are asked for too.
        let asked = users.iter().filter(|user| sent.contains_key(*user) || user.ends_with('7'));
        let found = light::fetch_all(address, PASSWORD, &asked.collect::<Vec<_>>());
        server.kill();
        for (user, contact) in &answered {
            assert_eq!(found[user], std::slice::from_ref(contact), "{user} was answered");
        }
        for (user, contacts) in &found {
            assert!(contacts.is_empty() || sent.get(user) == contacts.first(), "{user} never registered {contacts:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_that_was_answered_is_on_record_after_kill_9_and_those_that_lived_are_marked() {
    let mut rng = StdRng::seed_from_u64(seed());
    let folder = Folder::new("killed-calls");
    std::fs::write(folder.file("call-engine.toml"), accounts(USERS)).unwrap();
    let address = ports::loopback(ports::free_port());
    let server = start(&folder, address);
    let caller = registered("100", address).await;
    let mut callee = registered("101", address).await;
    let mut calls = Vec::new();
    for _ in 0..CALLS {
        calls.push(connect(&caller, &mut callee, "101").await);
    }
    for _ in 0..ENDED {
        let [mut out_call, mut in_call] = calls.swap_remove(rng.random_range(0..calls.len()));
        in_time("the BYE", async { tokio::join!(out_call.hang_up(), in_call.ended()) }).await;
    }
    // The ends are written when their batch is: seen from outside when another program finds them in the file.
    let ended = async {
        let url = format!("sqlite://{}?mode=ro", folder.file("blether.db").display());
        let mut reader = <sqlx::SqliteConnection as sqlx::Connection>::connect(&url).await.unwrap();
        loop {
            let count: i64 = sqlx::query_scalar("SELECT count(*) FROM cdrs WHERE ended IS NOT NULL")
                .fetch_one(&mut reader)
                .await
                .unwrap();
            if count == ENDED as i64 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    in_time("the records of the ends", ended).await;
    // And some are on their way to being answered when it happens.
    let mut ringing = Vec::new();
    for _ in 0..4 {
        ringing.push(caller.call("101").await.unwrap());
    }
    server.kill();

    start(&folder, address).terminate();
    let cdrs = records(folder.path()).await;
    let ids: BTreeSet<_> = cdrs.iter().map(|cdr| cdr.id).collect();
    assert_eq!(ids.len(), cdrs.len());
    assert!(cdrs.len() >= CALLS, "{} of {CALLS}", cdrs.len());
    let count = |end: CdrEnd| cdrs.iter().filter(|cdr| cdr.answered_at.is_some() && cdr.end == Some(end)).count();
    assert_eq!(count(CdrEnd::Caller), ENDED);
    assert_eq!(count(CdrEnd::Interrupted), cdrs.len() - ENDED, "{cdrs:?}");
    for cdr in cdrs.iter().filter(|cdr| cdr.end == Some(CdrEnd::Caller)) {
        let legs = cdr.legs_json().unwrap();
        let legs = legs.as_array().unwrap();
        assert!(legs.len() == 2 && legs.iter().all(|leg| leg["sent"].is_object()), "{cdr:?}");
    }
}

//! What the server remembers: registrations and call records, through `kill -9` and through an orderly end.
#![cfg(all(unix, feature = "demo"))]
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

mod calls;
mod peers;
mod program;

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use blether_call_engine::cdr::CdrEnd;
use blether_call_engine::config::{AccountConfig, Config, Listen};
use blether_call_engine::{Engine, echo};
use blether_rtp_core::{Impairment, PortRange};
use blether_sip_client::{Account, Audio, Phone, PhoneConfig};
use blether_sip_core::StatusCode;

use calls::{PASSWORD, USERS, accounts, connect, in_time, phone, records, refusal, registered};
use peers::{Folder, PATIENCE, ports};
use program::{Running, program};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_kill_9_a_phone_is_called_where_it_was_and_a_live_call_is_on_record() {
    let folder = Folder::new("durable");
    std::fs::write(folder.file("call-engine.toml"), accounts(USERS)).unwrap();
    let address = ports::loopback(ports::free_port());
    let start = || {
        let mut command: Command = program(folder.path());
        let listen = format!("udp:{address}");
        Running::start(command.arg("--data-dir").arg(folder.path()).env("BLETHER_LISTEN", listen))
    };

    let server = start();
    let caller = registered("100", address).await;
    let mut callee = registered("101", address).await;
    let contact = callee.local_addr();
    let _live = connect(&caller, &mut callee, "101").await;
    server.kill();

    let live = records(folder.path()).await;
    assert_eq!(live.len(), 1);
    assert_eq!((live[0].end, live[0].ended_at), (None, None));

    // Nobody registers again: the callee does not know that the server was gone, and the next caller never was registered.
    let server = start();
    let next = phone("102", address).await;
    let [mut out_call, mut in_call] = connect(&next, &mut callee, "101").await;
    in_time("the BYE", async { tokio::join!(out_call.hang_up(), in_call.ended()) }).await.1.unwrap();
    server.terminate();

    let cdrs = records(folder.path()).await;
    let [interrupted, ended] = &cdrs[..] else { panic!("{cdrs:?}") };
    for (cdr, caller, end) in [(interrupted, "100", CdrEnd::Interrupted), (ended, "102", CdrEnd::Caller)] {
        assert_eq!((cdr.caller.as_deref(), cdr.dialled.as_str(), cdr.end), (Some(caller), "101", Some(end)), "{cdr:?}");
        assert!(cdr.answered_by.as_ref().unwrap().contains(&contact.to_string()), "{cdr:?}");
        assert!(cdr.started_at <= cdr.answered_at.unwrap(), "{cdr:?}");
    }
    assert!(ended.answered_at <= ended.ended_at && ended.ended_at.is_some(), "{ended:?}");
    assert_eq!(interrupted.ended_at, None, "nobody knows when");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_registered_stays_so_when_the_domains_change() {
    let folder = Folder::new("domains");
    std::fs::write(folder.file("call-engine.toml"), accounts(USERS)).unwrap();
    let address = ports::loopback(ports::free_port());
    let mut callee = None;
    let caller = phone("100", address).await;
    for domains in ["", "old.example", "new.example,old.example", ""] {
        let mut command: Command = program(folder.path());
        command.env("BLETHER_LISTEN", format!("udp:{address}")).env("BLETHER_DOMAINS", domains);
        let server = Running::start(command.arg("--data-dir").arg(folder.path()));
        let callee = match &mut callee {
            None => callee.insert(registered("101", address).await),
            Some(callee) => callee,
        };
        let [mut out_call, mut in_call] = connect(&caller, callee, "101").await;
        in_time("the BYE", async { tokio::join!(out_call.hang_up(), in_call.ended()) }).await.1.unwrap();
        server.kill();
    }
    let url = format!("sqlite://{}", folder.file("blether.db").display());
    let mut database = <sqlx::SqliteConnection as sqlx::Connection>::connect(&url).await.unwrap();
    let aors: Vec<String> = sqlx::query_scalar("SELECT aor FROM registrations").fetch_all(&mut database).await.unwrap();
    assert_eq!(aors, ["sip:101@blether.invalid"], "under the last domain alone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_call_is_on_record_with_how_it_ended() {
    let folder = Folder::new("records");
    let config = Config {
        listen: Listen { address: SocketAddr::from(([127, 0, 0, 1], 0)), ..Listen::default() },
        accounts: USERS.iter().map(|user| AccountConfig::new(*user, PASSWORD.to_owned())).collect(),
        data_dir: folder.file("made-at-the-start"),
        ..Config::default()
    };
    let data_dir = config.data_dir.clone();
    let engine = Engine::builder(config).media_ports(PortRange::system_chosen()).on_invite(echo::EXTENSION, echo::echo);
    let engine = engine.durable().start().await.unwrap();
    let address = engine.local_addr();
    let caller = registered("100", address).await;
    let mut callee = registered("101", address).await;

    // The echo, until the caller hangs up.
    let mut call = caller.call(echo::EXTENSION).await.unwrap();
    in_time("the echo", call.answered(Audio::silent(), || ())).await.unwrap();
    in_time("the end", call.hang_up()).await.unwrap();
    // Nobody is registered there.
    assert_eq!(refusal(&caller, "102").await, StatusCode::TEMPORARILY_UNAVAILABLE);
    // There is no such extension, so this is no call.
    assert_eq!(refusal(&caller, "999").await, StatusCode::NOT_FOUND);
    // The callee is busy.
    let busy = async { in_time("the call", callee.incoming()).await.unwrap().reject(StatusCode::BUSY_HERE).await };
    let (status, rejected) = tokio::join!(refusal(&caller, "101"), busy);
    rejected.unwrap();
    assert_eq!(status, StatusCode::BUSY_HERE);
    // The caller gives up while it rings.
    let mut out_call = caller.call("101").await.unwrap();
    let mut in_call = in_time("the call", callee.incoming()).await.unwrap();
    in_time("CANCEL", async { tokio::join!(out_call.hang_up(), in_call.ended()) }).await;
    // The callee hangs up.
    let [mut out_call, mut in_call] = connect(&caller, &mut callee, "101").await;
    in_time("BYE", async { tokio::join!(in_call.hang_up(), out_call.ended()) }).await;
    // The server is told to stop.
    let [mut out_call, mut in_call] = connect(&caller, &mut callee, "101").await;
    in_time("the end of all", async {
        tokio::join!(engine.shut_down(PATIENCE), out_call.ended(), in_call.ended());
    })
    .await;

    let cdrs = records(&data_dir).await;
    let ends: Vec<_> = cdrs.iter().map(|cdr| (cdr.dialled.as_str(), cdr.end.unwrap())).collect();
    let expected = [
        (echo::EXTENSION, CdrEnd::Caller),
        ("102", CdrEnd::Refused(StatusCode::TEMPORARILY_UNAVAILABLE)),
        ("101", CdrEnd::Refused(StatusCode::BUSY_HERE)),
        ("101", CdrEnd::Cancelled),
        ("101", CdrEnd::Callee),
        ("101", CdrEnd::Server),
    ];
    assert_eq!(ends, expected);
    for cdr in &cdrs {
        let answered = matches!(cdr.end, Some(CdrEnd::Caller | CdrEnd::Callee | CdrEnd::Server));
        assert_eq!((cdr.answered_at.is_some(), cdr.answered_by.is_some()), (answered, answered), "{cdr:?}");
        assert_eq!(cdr.caller.as_deref(), Some("100"));
        assert!(cdr.ended_at.unwrap() >= cdr.started_at, "{cdr:?}");
    }
    assert_eq!(cdrs[0].answered_by.as_deref(), Some(echo::EXTENSION));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_record_of_a_call_says_how_each_leg_sounded() {
    let folder = Folder::new("figures");
    let config = Config {
        listen: Listen { address: SocketAddr::from(([127, 0, 0, 1], 0)), ..Listen::default() },
        accounts: USERS.iter().map(|user| AccountConfig::new(*user, PASSWORD.to_owned())).collect(),
        data_dir: folder.path().to_owned(),
        ..Config::default()
    };
    let engine = Engine::builder(config).media_ports(PortRange::system_chosen()).durable().start().await.unwrap();
    let address = engine.local_addr();
    let caller = registered("100", address).await;
    // Of what the callee says, one packet in ten gets lost on its way to the server.
    let bad = Impairment::new(0.1, Duration::ZERO, 7).unwrap();
    let account = Account::new("101", PASSWORD, address);
    let mut callee = Phone::start(PhoneConfig { impairment: Some(bad), ..PhoneConfig::new(account) }).await.unwrap();
    in_time("the registration", callee.register()).await.unwrap();
    let [mut out_call, mut in_call] = connect(&caller, &mut callee, "101").await;
    out_call.send_digits("42#").unwrap();
    // Both phones have answered a report of the server's, so that it has measured the way to them and back.
    let answered = async {
        let mut asked_before = [None; 2];
        loop {
            let mut done = true;
            for (call, before) in [&out_call, &in_call].into_iter().zip(&mut asked_before) {
                let rtcp = call.statistics().await.unwrap().rtcp;
                if before.is_none() && rtcp.received > 0 {
                    *before = Some(rtcp.sent);
                }
                done &= before.is_some_and(|sent| rtcp.sent > sent);
            }
            if done {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    in_time("the reports", answered).await;
    in_time("BYE", async { tokio::join!(out_call.hang_up(), in_call.ended()) }).await;
    in_time("the end", engine.shut_down(PATIENCE)).await;

    let cdrs = records(folder.path()).await;
    let [cdr] = &cdrs[..] else { panic!("{cdrs:?}") };
    let legs = cdr.legs_json().unwrap();
    let legs = legs.as_array().unwrap();
    let [a, b] = &legs[..] else { panic!("{legs:?}") };
    for (leg, party, user) in [(a, "caller", "100"), (b, "callee", "101")] {
        let number = |name: &str| {
            leg.pointer(name).and_then(|value| value.as_f64()).unwrap_or_else(|| panic!("{name} of {leg:#}"))
        };
        assert_eq!(leg["party"], party);
        assert!(leg["contact"].as_str().unwrap().starts_with(&format!("sip:{user}@127.0.0.1:")), "{leg:#}");
        assert!(leg["codec"].as_str().unwrap().ends_with("/8000"), "{leg:#}");
        assert_eq!((&leg["latched"], &leg["signalled"]), (&false.into(), &leg["remote"]), "{leg:#}");
        // A packet of G.711 has 160 bytes and the header, one of a telephone event 4.
        for way in ["/received", "/sent"] {
            let packets = number(&format!("{way}/packets"));
            let mean = number(&format!("{way}/bytes")) / packets;
            assert!(packets > 20.0 && (100.0..=172.0).contains(&mean), "{leg:#}");
        }
        assert!(number("/received/first_after_ms") < 2_000.0, "{leg:#}");
        assert!(number("/received/jitter_ms") <= number("/received/max_jitter_ms"), "{leg:#}");
        assert!(number("/received/max_jitter_ms") < 200.0, "{leg:#}");
        assert!((0.0..1_000.0).contains(&number("/round_trip_ms")), "{leg:#}");
        assert!((1.0..4.5).contains(&number("/mos_received")) && (1.0..4.5).contains(&number("/mos_sent")), "{leg:#}");
        assert_eq!((number("/refused"), number("/relay_lost")), (0.0, 0.0), "{leg:#}");
    }
    let lost = |leg: &serde_json::Value| {
        let received = &leg["received"];
        let lost = received["lost"].as_f64().unwrap();
        lost / (lost + received["packets"].as_f64().unwrap())
    };
    assert!((0.02..0.25).contains(&lost(b)), "one in ten: {b:#}");
    assert_eq!((lost(a), &a["digits"], &b["digits"]), (0.0, &3.into(), &0.into()), "{legs:?}");
    assert!(a["reported"]["lost"].as_f64() > b["reported"]["lost"].as_f64(), "the caller has missed them: {legs:?}");
    assert!(b["mos_received"].as_f64() < a["mos_received"].as_f64(), "{legs:?}");
}

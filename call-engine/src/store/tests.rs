//! Tests of the stores and of the writer over them, with what they share.

mod conformance;
mod crash;
mod damaged_row;
mod failure;
mod schema;
mod writing;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use blether_sip_core::AddressOfRecord;
use blether_sip_core::digest::{Algorithm, ha1};
use blether_sip_transport::{Flow, Transport};

use super::*;
use crate::cdr::{CdrEnd, CdrId};
use crate::location::{Binding, Location};

const SECOND: Duration = Duration::from_secs(1);

fn moment() -> Moment {
    // Any instant does, as only differences count; the date is whole, for stores keep milliseconds.
    Moment { now: Instant::now(), date: SystemTime::UNIX_EPOCH + 1_800_000_000 * SECOND }
}

impl Moment {
    fn later(self, by: Duration) -> Self {
        Self { now: self.now + by, date: self.date + by }
    }
}

fn aor(user: &str) -> AddressOfRecord {
    AddressOfRecord::new(user, "blether.example".parse().unwrap()).unwrap()
}

fn flow() -> Flow {
    let (local, remote) = ("192.0.2.1:5060".parse().unwrap(), "[2001:db8::7]:40404".parse().unwrap());
    Flow { transport: Transport::Udp, local, remote, connection: None }
}

fn account(user: &str, password: &str) -> AccountRecord {
    AccountRecord {
        user: user.to_owned(),
        realm: "blether".to_owned(),
        display_name: (user == "alice").then(|| "Alice \"A\" O'Neil".to_owned()),
        md5: ha1(Algorithm::Md5, user, "blether", password),
        sha256: ha1(Algorithm::Sha256, user, "blether", password),
    }
}

fn stored(moment: Moment, contact: &str, seconds: u64) -> StoredBinding {
    StoredBinding {
        path: Some("<sip:p1.example;lr>, <sip:a,b@192.0.2.20:5070;transport=tcp;lr;ob>".to_owned()),
        contact: contact.to_owned(),
        flow: flow(),
        call_id: "c'1@\"phone\"".to_owned(),
        cseq: u32::MAX,
        q: 500,
        user_agent: Some("Phöne/1.0".to_owned()),
        registered_at: moment.date - SECOND,
        expires_at: moment.date + Duration::from_secs(seconds),
    }
}

fn binding(moment: Moment, contact: &str, seconds: u64) -> Arc<Binding> {
    Arc::new(stored(moment, contact, seconds).to_binding(moment).unwrap())
}

fn of(user: &str, contacts: Vec<StoredBinding>) -> StoredBindings {
    StoredBindings { aor: aor(user), contacts }
}

fn cdr(number: i64, moment: Moment) -> Cdr {
    Cdr { answered_at: Some(moment.date), ..Cdr::begin(CdrId::new(number), "c1", "102", moment.date) }
}

fn ended(cdr: &Cdr) -> Cdr {
    Cdr { ended_at: Some(cdr.started_at + 60 * SECOND), end: Some(CdrEnd::Caller), ..cdr.clone() }
}

/// Puts a contact where the registrar would.
fn register(location: &Location, moment: Moment, user: &str, contact: &str) {
    let seen = location.bindings(&aor(user), moment.now);
    location.compare_and_swap(&aor(user), seen.version(), vec![binding(moment, contact, 3_600)]).unwrap();
}

/// A store's folder.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn sqlite(folder: &std::path::Path) -> SqliteStore {
    let config = SqliteConfig { busy_timeout: Duration::ZERO, ..SqliteConfig::new(folder.join("engine.db")) };
    SqliteStore::new(config).unwrap()
}

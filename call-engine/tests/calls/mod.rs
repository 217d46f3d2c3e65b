//! Phones of ours that register and call, and the records that a server leaves of that.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::net::SocketAddr;
use std::path::Path;

use blether_call_engine::cdr::Cdr;
use blether_call_engine::store::{SqliteConfig, SqliteStore, Store, StoreFailure};
use blether_sip_client::{Account, Audio, Phone, PhoneCall, PhoneConfig};
use blether_sip_core::StatusCode;

use crate::peers::PATIENCE;

pub(crate) const PASSWORD: &str = "long-enough";
pub(crate) const USERS: [&str; 3] = ["100", "101", "102"];

pub(crate) async fn in_time<T>(what: &str, wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("waited {PATIENCE:?} in vain for {what}"))
}

pub(crate) async fn phone(user: &str, server: SocketAddr) -> Phone {
    Phone::start(PhoneConfig::new(Account::new(user, PASSWORD, server))).await.unwrap()
}

pub(crate) async fn registered(user: &str, server: SocketAddr) -> Phone {
    let mut phone = phone(user, server).await;
    in_time("the registration", phone.register()).await.unwrap();
    phone
}

/// Both ends of a call that stands.
pub(crate) async fn connect(caller: &Phone, callee: &mut Phone, user: &str) -> [PhoneCall; 2] {
    let mut out_call = caller.call(user).await.unwrap();
    let mut in_call = in_time("the call", callee.incoming()).await.unwrap();
    let both = async { tokio::join!(out_call.answered(Audio::silent(), || ()), in_call.answer(Audio::silent())) };
    let (out_plan, in_plan) = in_time("the answer", both).await;
    out_plan.unwrap();
    in_plan.unwrap();
    [out_call, in_call]
}

pub(crate) async fn refusal(caller: &Phone, user: &str) -> StatusCode {
    let mut call = caller.call(user).await.unwrap();
    match in_time("the refusal", call.answered(Audio::silent(), || ())).await.unwrap_err() {
        blether_sip_client::NotAnswered::Refused(status) => status,
        other => panic!("{other}"),
    }
}

/// All call records in the folder, the oldest first. Fails while a server has it.
pub(crate) async fn records(folder: &Path) -> Vec<Cdr> {
    let mut store = SqliteStore::new(SqliteConfig::new(folder.join("blether.db"))).unwrap();
    // Loading would mark what is live.
    store.reopen(StoreFailure::Stopped).await.unwrap();
    let mut cdrs = store.cdrs(100).await.unwrap();
    cdrs.reverse();
    cdrs
}

/// The part of a configuration that has these accounts.
pub(crate) fn accounts<'a>(users: impl IntoIterator<Item = &'a str>) -> String {
    let account = |user| format!("[[account]]\nuser = \"{user}\"\npassword = \"{PASSWORD}\"\n\n");
    users.into_iter().map(account).collect()
}

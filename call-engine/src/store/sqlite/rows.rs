//! What goes in as a JSON array a row, in the order of the statements, and comes out as columns.

use blether_sip_core::StatusCode;
use serde_json::{Value, json};
use sqlx::FromRow;

use crate::cdr::{Cdr, CdrEnd, CdrId, epoch_ms, from_epoch_ms};
use crate::store::record::{
    AccountChange, AccountRecord, Snapshot, StoredBinding, StoredBindings, parse_aor, parse_flow,
};

pub(super) fn account_row(change: &AccountChange) -> Value {
    match change {
        AccountChange::Remove(user) => Value::from(user.as_str()),
        AccountChange::Put(AccountRecord { user, realm, display_name, md5, sha256 }) => {
            json!([user, realm, display_name, md5.expose_hex(), sha256.expose_hex()])
        }
    }
}

pub(super) fn registration_rows(set: &StoredBindings) -> impl Iterator<Item = Value> {
    let aor = set.aor.to_string();
    set.contacts.iter().enumerate().map(move |(position, stored)| {
        let StoredBinding { contact, flow, call_id, cseq, q, user_agent, registered_at, expires_at } = stored;
        json!([
            aor,
            position,
            contact,
            flow.transport.to_string(),
            flow.local.to_string(),
            flow.remote.to_string(),
            call_id,
            cseq,
            q,
            user_agent,
            epoch_ms(*registered_at),
            epoch_ms(*expires_at),
        ])
    })
}

pub(super) fn cdr_row(cdr: &Cdr) -> Value {
    json!([
        cdr.id.number(),
        cdr.call_id,
        cdr.caller,
        cdr.dialled,
        cdr.answered_by,
        epoch_ms(cdr.started_at),
        cdr.answered_at.map(epoch_ms),
        cdr.ended_at.map(epoch_ms),
        cdr.end.map(CdrEnd::as_str),
        cdr.end.and_then(CdrEnd::status).map(StatusCode::code),
        // As text: the database need not look into it, however deep it is.
        cdr.legs.as_ref().map(Value::to_string),
    ])
}

#[derive(FromRow)]
pub(super) struct AccountRow {
    user: String,
    realm: String,
    display_name: Option<String>,
    md5: String,
    sha256: String,
}

#[derive(FromRow)]
pub(super) struct RegistrationRow {
    aor: String,
    contact: String,
    transport: String,
    local_address: String,
    remote_address: String,
    call_id: String,
    cseq: i64,
    q: i64,
    user_agent: Option<String>,
    registered_at: i64,
    expires_at: i64,
}

impl RegistrationRow {
    fn stored(&self) -> Option<StoredBinding> {
        Some(StoredBinding {
            contact: self.contact.clone(),
            flow: parse_flow(&self.transport, &self.local_address, &self.remote_address)?,
            call_id: self.call_id.clone(),
            cseq: u32::try_from(self.cseq).ok()?,
            q: u16::try_from(self.q).ok()?,
            user_agent: self.user_agent.clone(),
            registered_at: from_epoch_ms(self.registered_at),
            expires_at: from_epoch_ms(self.expires_at),
        })
    }
}

#[derive(FromRow)]
pub(super) struct CdrRow {
    id: i64,
    call_id: String,
    caller: Option<String>,
    dialled: String,
    answered_by: Option<String>,
    started_at: i64,
    answered_at: Option<i64>,
    ended_at: Option<i64>,
    ended: Option<String>,
    status: Option<i64>,
    legs: Option<String>,
}

impl CdrRow {
    pub(super) fn into_cdr(self) -> Cdr {
        let status = self.status.and_then(|code| StatusCode::new(u16::try_from(code).ok()?));
        // An end that is not known here is an end all the same.
        let end = self.ended.map(|name| CdrEnd::from_parts(&name, status).unwrap_or(CdrEnd::Failed));
        Cdr {
            id: CdrId::new(self.id),
            call_id: self.call_id,
            caller: self.caller,
            dialled: self.dialled,
            answered_by: self.answered_by,
            started_at: from_epoch_ms(self.started_at),
            answered_at: self.answered_at.map(from_epoch_ms),
            ended_at: self.ended_at.map(from_epoch_ms),
            end,
            legs: self.legs.map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text))),
        }
    }
}

pub(super) fn snapshot(accounts: &[AccountRow], registrations: &[RegistrationRow], interrupted: u64) -> Snapshot {
    let mut snapshot = Snapshot { interrupted, ..Snapshot::default() };
    for row in accounts {
        let name = row.display_name.as_deref();
        match AccountRecord::from_hex(&row.user, &row.realm, name, &row.md5, &row.sha256) {
            Some(account) => snapshot.accounts.push(account),
            None => snapshot.unreadable += 1,
        }
    }
    for row in registrations {
        let (Some(aor), Some(contact)) = (parse_aor(&row.aor), row.stored()) else {
            snapshot.unreadable += 1;
            continue;
        };
        match snapshot.registrations.last_mut().filter(|set| set.aor == aor) {
            Some(set) => set.contacts.push(contact),
            None => snapshot.registrations.push(StoredBindings { aor, contacts: vec![contact] }),
        }
    }
    snapshot
}

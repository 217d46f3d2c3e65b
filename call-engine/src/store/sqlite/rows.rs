//! What goes in as a JSON array a row, in the order of the statements, and comes out as columns.

use blether_sip_core::{AddressOfRecord, StatusCode};
use serde_json::{Value, json};
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row as _};

use crate::cdr::{Cdr, CdrEnd, CdrId, epoch_ms, from_epoch_ms};
use crate::store::record::{AccountChange, AccountRecord, StoredBinding, StoredBindings, parse_aor, parse_flow};

/// Unreadable rows of one table that are logged one by one; of the others there is a count.
const MAX_LOGGED: usize = 16;

/// Characters of a key that are logged.
const MAX_KEY: usize = 128;

/// Reads the rows of one table, each for itself: one that cannot be read is logged with its key and left out, and takes no other with it.
pub(super) struct Reader {
    table: &'static str,
    key: &'static [&'static str],
    unreadable: usize,
}

impl Reader {
    pub(super) fn new(table: &'static str, key: &'static [&'static str]) -> Self {
        Self { table, key, unreadable: 0 }
    }

    pub(super) fn read<R: for<'r> FromRow<'r, SqliteRow>, T>(
        &mut self,
        row: &SqliteRow,
        into: impl FnOnce(R) -> Option<T>,
    ) -> Option<T> {
        let (read, reason) = match R::from_row(row) {
            Ok(columns) => (into(columns), "it has a value that is none here".to_owned()),
            Err(error) => (None, error.to_string()),
        };
        if read.is_none() {
            self.unreadable += 1;
            if self.unreadable <= MAX_LOGGED {
                let key = self.key_of(row);
                tracing::warn!(table = self.table, key, reason, "a row of the database cannot be read and is left out");
            } else if self.unreadable == MAX_LOGGED + 1 {
                tracing::warn!(table = self.table, "further rows of the database that cannot be read are not named");
            }
        }
        read
    }

    /// Rows that could not be read.
    pub(super) fn unreadable(&self) -> usize {
        self.unreadable
    }

    /// What the row is found by, as far as it is text.
    fn key_of(&self, row: &SqliteRow) -> String {
        // As SQLite has it in bytes, whatever type it is.
        let column = |name: &&str| row.try_get_unchecked::<Vec<u8>, _>(*name).unwrap_or_default();
        let parts: Vec<_> =
            self.key.iter().map(|name| String::from_utf8_lossy(&column(name)).escape_debug().to_string()).collect();
        parts.iter().map(|part| part.chars().take(MAX_KEY).collect()).collect::<Vec<String>>().join(", ")
    }
}

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
        let StoredBinding { contact, flow, path, call_id, cseq, q, user_agent, registered_at, expires_at } = stored;
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
            path,
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
        cdr.legs.as_deref(),
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

impl AccountRow {
    pub(super) fn record(self) -> Option<AccountRecord> {
        let Self { user, realm, display_name, md5, sha256 } = self;
        AccountRecord::from_hex(&user, &realm, display_name.as_deref(), &md5, &sha256)
    }
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
    path: Option<String>,
}

impl RegistrationRow {
    /// Whose contact it is, and the contact.
    pub(super) fn stored(self) -> Option<(AddressOfRecord, StoredBinding)> {
        let aor = parse_aor(&self.aor)?;
        let stored = StoredBinding {
            flow: parse_flow(&self.transport, &self.local_address, &self.remote_address)?,
            contact: self.contact,
            path: self.path,
            call_id: self.call_id,
            cseq: u32::try_from(self.cseq).ok()?,
            q: u16::try_from(self.q).ok()?,
            user_agent: self.user_agent,
            registered_at: from_epoch_ms(self.registered_at),
            expires_at: from_epoch_ms(self.expires_at),
        };
        Some((aor, stored))
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
            legs: self.legs.map(Into::into),
        }
    }
}

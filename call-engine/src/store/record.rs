//! What a store holds, in its own terms: text, and the wall clock.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Instant, SystemTime};

use blether_sip_core::digest::{Algorithm, Ha1};
use blether_sip_core::{AddressOfRecord, ByteStr, Host, NameAddr, SipUri, Uri};
use blether_sip_transport::{Flow, Transport};

use crate::cdr::Cdr;
use crate::location::Binding;

/// The same moment by both clocks: what lives by [`Instant`] is stored by [`SystemTime`].
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// By the clock that never goes back.
    pub now: Instant,
    /// By the clock on the wall.
    pub date: SystemTime,
}

impl Moment {
    fn date_of(self, instant: Instant) -> SystemTime {
        match instant.checked_duration_since(self.now) {
            Some(ahead) => self.date.checked_add(ahead),
            None => self.date.checked_sub(self.now.saturating_duration_since(instant)),
        }
        .unwrap_or(self.date)
    }

    /// A date as an instant; one that the clock of this machine cannot express, such as long before it was started, becomes now.
    fn instant_of(self, date: SystemTime) -> Instant {
        match date.duration_since(self.date) {
            Ok(ahead) => self.now.checked_add(ahead),
            Err(behind) => self.now.checked_sub(behind.duration()),
        }
        .unwrap_or(self.now)
    }
}

/// An account as it is stored: hashes for a realm, never the password. `Debug` hides the hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRecord {
    /// The user.
    pub user: String,
    /// The realm that the hashes are for; in another realm they are worth nothing.
    pub realm: String,
    /// What others see beside the number.
    pub display_name: Option<String>,
    /// H(A1) in MD5.
    pub md5: Ha1,
    /// H(A1) in SHA-256.
    pub sha256: Ha1,
}

impl AccountRecord {
    /// The record with these hashes in hexadecimal; `None` if one of them is not as long as its algorithm has it.
    #[must_use]
    pub fn from_hex(user: &str, realm: &str, display_name: Option<&str>, md5: &str, sha256: &str) -> Option<Self> {
        Some(Self {
            user: user.to_owned(),
            realm: realm.to_owned(),
            display_name: display_name.map(str::to_owned),
            md5: Ha1::from_hex(Algorithm::Md5, md5)?,
            sha256: Ha1::from_hex(Algorithm::Sha256, sha256)?,
        })
    }
}

/// A binding as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBinding {
    /// The contact as it was registered, without `expires`: a name-addr.
    pub contact: String,
    /// The way its REGISTER came.
    pub flow: Flow,
    /// The proxies that it registered through, as the value of a Path header; `None` if there were none.
    pub path: Option<String>,
    /// Call-ID of the REGISTER that last touched it.
    pub call_id: String,
    /// CSeq of that REGISTER.
    pub cseq: u32,
    /// Preference in thousandths.
    pub q: u16,
    /// What the phone calls itself.
    pub user_agent: Option<String>,
    /// When it was first registered.
    pub registered_at: SystemTime,
    /// From when on it is no longer there.
    pub expires_at: SystemTime,
}

impl StoredBinding {
    /// A binding by the wall clock.
    pub fn of(binding: &Binding, moment: Moment) -> Self {
        Self {
            contact: binding.registered().to_string(),
            flow: binding.flow,
            path: path_text(&binding.path),
            call_id: binding.call_id.to_string(),
            cseq: binding.cseq,
            q: binding.q,
            user_agent: binding.user_agent.as_ref().map(ToString::to_string),
            registered_at: moment.date_of(binding.registered_at),
            expires_at: moment.date_of(binding.expires_at),
        }
    }

    /// The binding by the clock of this process; `None` if the contact cannot be read.
    #[must_use]
    pub fn to_binding(&self, moment: Moment) -> Option<Binding> {
        let NameAddr { display_name, uri, params } = self.contact.parse().ok()?;
        let Uri::Sip(contact) = uri else { return None };
        Some(Binding {
            contact,
            display_name,
            params,
            flow: self.flow,
            path: self.path.as_deref().map_or(Some(Vec::new()), read_path)?,
            call_id: ByteStr::from(self.call_id.as_str()),
            cseq: self.cseq,
            copies: 0,
            q: self.q,
            user_agent: self.user_agent.as_deref().map(ByteStr::from),
            registered_at: moment.instant_of(self.registered_at),
            expires_at: moment.instant_of(self.expires_at),
        })
    }
}

/// A path as the value of a Path header.
fn path_text(path: &[SipUri]) -> Option<String> {
    let values: Vec<_> = path.iter().map(|uri| format!("<{uri}>")).collect();
    (!values.is_empty()).then(|| values.join(", "))
}

/// Reads what [`path_text`] wrote; `None` if it did not.
fn read_path(text: &str) -> Option<Vec<SipUri>> {
    text.split(", ").map(|value| value.strip_prefix('<')?.strip_suffix('>')?.parse().ok()).collect()
}

/// The contacts of one address of record, in order; none of them: it is not registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBindings {
    /// Whose contacts.
    pub aor: AddressOfRecord,
    /// The contacts.
    pub contacts: Vec<StoredBinding>,
}

/// One account in a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountChange {
    /// Add it, or put it in the place of the one of its user.
    Put(AccountRecord),
    /// Remove the account of this user.
    Remove(String),
}

/// What is written at once, whole or not at all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// The accounts and registrations below are all there are: what else is stored goes.
    pub replaces_all: bool,
    /// Accounts to put and to remove.
    pub accounts: Vec<AccountChange>,
    /// Whole sets, each in the place of what is stored for its address of record.
    pub registrations: Vec<StoredBindings>,
    /// Records, each in the place of the one with its id.
    pub cdrs: Vec<Cdr>,
}

impl Batch {
    /// How many accounts, sets of contacts and call records it has.
    pub fn len(&self) -> usize {
        self.accounts.len() + self.registrations.len() + self.cdrs.len()
    }

    /// Whether writing it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0 && !self.replaces_all
    }
}

/// What a store holds that look-ups need.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// All accounts, by user.
    pub accounts: Vec<AccountRecord>,
    /// All contacts that have not expired, by address of record.
    pub registrations: Vec<StoredBindings>,
    /// Rows that could not be read: of a transport that this program does not know, or changed by hand.
    pub unreadable: usize,
    /// Call records that were live when the process before this one died, and are marked interrupted since, or before anything else is written.
    pub interrupted: u64,
    /// All of it was read, though nothing can be written for want of room: what the store said.
    pub full: Option<String>,
}

/// Puts what is stored under other domains under this one, and hands out the addresses of record that have changed: what they were, and what they are.
/// Where a user has the same contact under two, the one that expires later is the one that was heard of last.
pub(super) fn move_to(domain: &Host, sets: &mut Vec<StoredBindings>) -> Vec<(AddressOfRecord, AddressOfRecord)> {
    let mut moved = Vec::new();
    if sets.iter().all(|set| set.aor.host() == domain) {
        return moved;
    }
    let mut merged: BTreeMap<AddressOfRecord, Vec<StoredBinding>> = BTreeMap::new();
    for StoredBindings { aor, contacts } in std::mem::take(sets) {
        let here = AddressOfRecord::new(aor.user(), domain.clone()).unwrap_or_else(|_| aor.clone());
        if here != aor {
            moved.push((aor, here.clone()));
        }
        let set = merged.entry(here).or_default();
        for contact in contacts {
            match set.iter_mut().find(|known| known.contact == contact.contact) {
                Some(known) if known.expires_at < contact.expires_at => *known = contact,
                Some(_) => {}
                None => set.push(contact),
            }
        }
    }
    sets.extend(merged.into_iter().map(|(aor, contacts)| StoredBindings { aor, contacts }));
    moved
}

/// The address of record that a stored text names.
pub(super) fn parse_aor(text: &str) -> Option<AddressOfRecord> {
    text.parse().ok()
}

/// The flow that three stored texts name.
pub(super) fn parse_flow(transport: &str, local: &str, remote: &str) -> Option<Flow> {
    let transport =
        [Transport::Udp, Transport::Tcp, Transport::Tls].into_iter().find(|known| known.to_string() == transport)?;
    let (local, remote): (SocketAddr, SocketAddr) = (local.parse().ok()?, remote.parse().ok()?);
    // No connection outlives the process; a new one is made where the transport has them.
    Some(Flow { transport, local, remote, connection: None })
}

//! Where the users are: address of record to contacts, in memory (RFC 3261 §10.3).
//!
//! The contacts of one address of record are one immutable set with a version. To change it, read the set, make another,
//! and put that in its place if no one else was faster ([`Location::compare_and_swap`]). So an update is seen whole or not at
//! all, and a reader never waits for one: the lock is held for a look-up in a map.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;

use blether_sip_core::{AddressOfRecord, ByteStr, NameAddr, Params, SipUri, TransportParam, Uri};
use blether_sip_transport::{Flow, Transport};

use crate::store::{Moment, StoredBindings};

/// One contact of an address of record.
///
/// Text in it should not share memory with the datagram that it came in: a binding lives for an hour.
#[derive(Debug, Clone, PartialEq)]
pub struct Binding {
    /// The URI of the contact: what stands in the Request-URI of a request to it.
    pub contact: SipUri,
    /// The name that it was registered with.
    pub display_name: Option<ByteStr>,
    /// The parameters that it was registered with, without `expires`.
    pub params: Params,
    /// The way its REGISTER came, and so the way that requests to it go: behind a NAT there is no other.
    pub flow: Flow,
    /// The proxies that its REGISTER came through, which requests to it have to pass, the first of them first (RFC 3327 §5.3). With them `flow` leads to a
    /// proxy, not to the phone.
    pub path: Vec<SipUri>,
    /// Call-ID of the REGISTER that last touched it.
    pub call_id: ByteStr,
    /// CSeq of that REGISTER.
    pub cseq: u32,
    /// What the copies of that REGISTER that are sent again have in common, and no other request has; 0: not known.
    pub copies: u64,
    /// Preference among contacts in thousandths, 0 to 1000; more is preferred (RFC 3261 §20.10).
    pub q: u16,
    /// What the phone calls itself.
    pub user_agent: Option<ByteStr>,
    /// When it was first registered.
    pub registered_at: Instant,
    /// From when on it is no longer there.
    pub expires_at: Instant,
}

impl Binding {
    /// The contact as it was registered, without `expires`.
    pub fn registered(&self) -> NameAddr {
        NameAddr {
            display_name: self.display_name.clone(),
            uri: Uri::Sip(self.contact.clone()),
            params: self.params.clone(),
        }
    }

    /// The way for a request that begins something with this phone: that of its REGISTER. A connection may be gone by then; what is opened in
    /// its place leads to where the phone says that it listens, and not to where the connection came from, where nobody does. Never to
    /// another host than the one that was heard: the contact is only what somebody claims.
    pub fn way(&self) -> Flow {
        // Behind proxies it is the first of them that is reached.
        let next = self.path.first().unwrap_or(&self.contact);
        let by_tcp = next.transport() == Some(TransportParam::Tcp);
        match next.socket_addr() {
            Some(listens)
                if self.flow.transport == Transport::Tcp && by_tcp && listens.ip() == self.flow.remote.ip() =>
            {
                Flow { remote: listens, ..self.flow }
            }
            _ => self.flow,
        }
    }

    /// `+sip.instance`: which device it is, whatever its address (RFC 5626 §4.1).
    pub fn instance(&self) -> Option<&str> {
        self.params.value("+sip.instance")
    }

    /// Whether it is the same device by the parameters of a contact: they have the same `+sip.instance`, and the same `reg-id` or
    /// none, for a device with several ways to a registrar numbers them (RFC 5626 §4.2).
    pub fn is_of_device(&self, params: &Params) -> bool {
        self.instance().is_some_and(|instance| params.value("+sip.instance") == Some(instance))
            && self.params.value("reg-id") == params.value("reg-id")
    }
}

/// The contacts of one address of record at one moment, the most preferred first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bindings {
    version: Option<NonZeroU64>,
    list: Box<[Arc<Binding>]>,
}

impl Bindings {
    /// Which set this is. `None`: there was nothing under that address of record. Versions only ever grow.
    pub fn version(&self) -> Option<NonZeroU64> {
        self.version
    }

    /// The contacts: higher `q` first, those of one `q` in the order in which they were registered.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Binding>> {
        self.list.iter()
    }

    /// How many contacts there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether the user is not registered.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The first contact that is the same by the comparison of URIs (RFC 3261 §19.1.4).
    pub fn find(&self, uri: &SipUri) -> Option<&Arc<Binding>> {
        self.list.iter().find(|binding| binding.contact.equivalent(uri))
    }

    fn first_expiry(&self) -> Option<Instant> {
        self.list.iter().map(|binding| binding.expires_at).min()
    }

    /// This set, or a copy without what has expired.
    fn live(self: &Arc<Self>, now: Instant) -> Arc<Self> {
        if self.first_expiry().is_none_or(|first| now < first) {
            return Arc::clone(self);
        }
        let list = self.list.iter().filter(|binding| now < binding.expires_at).cloned().collect();
        Arc::new(Self { version: self.version, list })
    }
}

/// How much a [`Location`] holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocationLimits {
    /// Contacts of one address of record. Default 10: every one of them rings at each call.
    pub max_contacts_per_aor: usize,
    /// Addresses of record with a contact. Default 100 000: at 1 KB a contact, 100 MB.
    pub max_aors: usize,
}

impl Default for LocationLimits {
    fn default() -> Self {
        Self { max_contacts_per_aor: 10, max_aors: 100_000 }
    }
}

/// Why a set was not put in place. Nothing has changed then.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SwapError {
    /// Another update was faster; here is what it left. Make the change again from this.
    #[error("the contacts were changed in between")]
    Conflict(Arc<Bindings>),
    /// More contacts than one address of record may have.
    #[error("{count} contacts are over the limit of {limit} for one address of record")]
    TooManyContacts {
        /// What was wanted.
        count: usize,
        /// [`LocationLimits::max_contacts_per_aor`].
        limit: usize,
    },
    /// There is no room for another address of record.
    #[error("{limit} addresses of record are registered, which is the limit")]
    Full {
        /// [`LocationLimits::max_aors`].
        limit: usize,
    },
}

/// A contact that nobody refreshed in time.
#[derive(Debug, Clone, PartialEq)]
pub struct Expired {
    /// Whose contact it was.
    pub aor: AddressOfRecord,
    /// The contact.
    pub binding: Arc<Binding>,
}

/// The contacts of everybody. Shared by reference; every call returns at once.
#[derive(Debug, Default)]
pub struct Location {
    limits: LocationLimits,
    table: RwLock<Table>,
}

#[derive(Debug, Default)]
struct Table {
    last_version: u64,
    by_aor: BTreeMap<Arc<AddressOfRecord>, Arc<Bindings>>,
    /// Each address of record once, under the first expiry of its contacts.
    by_expiry: BTreeSet<(Instant, Arc<AddressOfRecord>)>,
    contacts: usize,
}

impl Location {
    /// An empty location service.
    pub fn new(limits: LocationLimits) -> Self {
        Self { limits, table: RwLock::default() }
    }

    /// The bounds it was made with.
    pub fn limits(&self) -> LocationLimits {
        self.limits
    }

    /// The contacts that have not expired by `now`; an empty set if there are none.
    pub fn bindings(&self, aor: &AddressOfRecord, now: Instant) -> Arc<Bindings> {
        let stored = self.read().by_aor.get(aor).cloned().unwrap_or_default();
        stored.live(now)
    }

    /// Puts `contacts` in the place of the set of this `version`, as [`Location::bindings`] gave it; no contacts remove the
    /// address of record. Hands out the set as it is then.
    ///
    /// # Errors
    /// See [`SwapError`]; nothing has changed.
    pub fn compare_and_swap(
        &self,
        aor: &AddressOfRecord,
        version: Option<NonZeroU64>,
        mut contacts: Vec<Arc<Binding>>,
    ) -> Result<Arc<Bindings>, SwapError> {
        let limit = self.limits.max_contacts_per_aor;
        if contacts.len() > limit {
            return Err(SwapError::TooManyContacts { count: contacts.len(), limit });
        }
        contacts.sort_by_key(|binding| std::cmp::Reverse(binding.q));
        let mut table = self.write();
        let stored = table.by_aor.get(aor).cloned().unwrap_or_default();
        if stored.version != version {
            return Err(SwapError::Conflict(stored));
        }
        if stored.version.is_none() && !contacts.is_empty() && table.by_aor.len() >= self.limits.max_aors {
            return Err(SwapError::Full { limit: self.limits.max_aors });
        }
        Ok(table.replace(aor, contacts))
    }

    /// All contacts that have not expired by `now`, by address of record.
    pub fn all(&self, now: Instant) -> Vec<(AddressOfRecord, Arc<Bindings>)> {
        let sets: Vec<_> =
            self.read().by_aor.iter().map(|(aor, set)| (AddressOfRecord::clone(aor), Arc::clone(set))).collect();
        let live = sets.into_iter().map(|(aor, set)| (aor, set.live(now)));
        live.filter(|(_, set)| !set.is_empty()).collect()
    }

    /// Puts stored contacts in, at the start: how many are there since, and how many are not, because they cannot be read or are beyond the
    /// limits. What has expired counts as neither.
    pub fn restore(&self, stored: &[StoredBindings], moment: Moment) -> (usize, usize) {
        let (mut restored, mut dropped) = (0, 0);
        for StoredBindings { aor, contacts } in stored {
            let read = contacts.iter().map(|contact| contact.to_binding(moment));
            let (read, unreadable): (Vec<_>, Vec<_>) = read.partition(Option::is_some);
            dropped += unreadable.len();
            let mut live: Vec<_> =
                read.into_iter().flatten().filter(|binding| moment.now < binding.expires_at).map(Arc::new).collect();
            // The most preferred come first, and those stay.
            dropped += live.len().saturating_sub(self.limits.max_contacts_per_aor);
            live.truncate(self.limits.max_contacts_per_aor);
            let count = live.len();
            match self.compare_and_swap(aor, None, live) {
                Ok(_) => restored += count,
                Err(_) => dropped += count,
            }
        }
        (restored, dropped)
    }

    /// Removes what has expired by `now`, of at most so many addresses of record, and says what that was, in the order of expiry. Nobody else
    /// changes a contact meanwhile.
    pub fn sweep(&self, now: Instant, at_most: usize) -> Vec<Expired> {
        // A look under the shared lock first: mostly nothing is due.
        if self.next_expiry().is_none_or(|next| now < next) {
            return Vec::new();
        }
        let mut table = self.write();
        let mut expired = Vec::new();
        for _ in 0..at_most {
            if table.by_expiry.first().is_none_or(|(at, _)| now < *at) {
                break;
            }
            let Some((_, aor)) = table.by_expiry.pop_first() else { break };
            let stored = table.by_aor.get(&aor).cloned().unwrap_or_default();
            let (live, dead): (Vec<_>, Vec<_>) = stored.list.iter().cloned().partition(|b| now < b.expires_at);
            table.replace(&aor, live);
            expired.extend(dead.into_iter().map(|binding| Expired { aor: AddressOfRecord::clone(&aor), binding }));
        }
        expired.sort_by_key(|expired| expired.binding.expires_at);
        expired
    }

    /// When the next contact expires: the time for the next [`Location::sweep`].
    pub fn next_expiry(&self) -> Option<Instant> {
        self.read().by_expiry.first().map(|(at, _)| *at)
    }

    /// How many addresses of record have contacts, expired ones that were not swept yet included.
    pub fn aors(&self) -> usize {
        self.read().by_aor.len()
    }

    /// How many contacts there are in all, expired ones that were not swept yet included.
    pub fn contacts(&self) -> usize {
        self.read().contacts
    }

    // No code that can panic runs between the first and the last change under the lock, so a poisoned table is whole.
    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn replace(&mut self, aor: &AddressOfRecord, list: Vec<Arc<Binding>>) -> Arc<Bindings> {
        let place = self.by_aor.range_mut::<AddressOfRecord, _>((Bound::Included(aor), Bound::Included(aor))).next();
        if let Some((known, old)) = &place {
            self.contacts = self.contacts.saturating_sub(old.len());
            if let Some(at) = old.first_expiry() {
                self.by_expiry.remove(&(at, Arc::clone(known)));
            }
        }
        if list.is_empty() {
            self.by_aor.remove(aor);
            return Arc::default();
        }
        // 2^64 updates are out of reach, so that the version stays unique.
        self.last_version = self.last_version.saturating_add(1);
        let set = Arc::new(Bindings { version: NonZeroU64::new(self.last_version), list: list.into() });
        self.contacts += set.len();
        let aor = match place {
            Some((known, old)) => {
                *old = Arc::clone(&set);
                Arc::clone(known)
            }
            None => {
                // Text of its own: what shares memory counts its references in an allocation more.
                let aor = Arc::new(aor.detached());
                self.by_aor.insert(Arc::clone(&aor), Arc::clone(&set));
                aor
            }
        };
        if let Some(at) = set.first_expiry() {
            self.by_expiry.insert((at, aor));
        }
        set
    }
}

#[cfg(test)]
mod tests;

//! What is to be written, whose answer waits for it, and whether the store works. No I/O: it is told the time and what became of a batch.
//!
//! ```text
//!            a batch fails, or takes too long
//!   Durable ─────────────────────────────────► Degraded ──┐ a batch fails: twice the wait, up to the longest
//!      ▲                                        │ ▲  ▲    │
//!      │        a batch is written, and the     │ │  └────┘
//!      │               next takes the rest      ▼ │ a batch fails, or takes too long
//!      └──────────────────────────────────── CatchingUp
//!        that is written, too
//! ```

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use blether_sip_core::AddressOfRecord;

use super::error::StoreFailure;
use super::status::Durability;
use crate::cdr::{Cdr, CdrId};

/// How much waits for the store, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BacklogLimits {
    /// Addresses of record whose contacts changed and are not written. Default 200 000: twice as many as can be registered, 40 MB. Past it
    /// their names are given up, and all contacts are written anew when the store works again: nothing is lost.
    pub max_bindings: usize,
    /// Accounts that changed and are not written. Default 1000: people change them. Past it a change is refused.
    pub max_accounts: usize,
    /// Call records that are not written. Default 10 000: at 1 KB each, 10 MB, and a quarter of an hour at 10 calls a second. Past it the
    /// oldest goes to the log.
    pub max_cdrs: usize,
    /// Answers that wait for a batch. Default 20 000, as many as there are transactions in four seconds of 5000 a second. Past it the
    /// store is too slow, and nothing waits for it.
    pub max_waiting: usize,
    /// Of each kind, what goes into one batch. Default 512: some milliseconds, and fewer answers than a shard's queue has reserved room for.
    pub max_batch: usize,
    /// When a refresh that only moves the expiry is written at the latest, if the store works. Default half a second: at most a second with
    /// the batch before it.
    pub refresh_delay: Duration,
    /// How long an answer waits for a batch. Default 1 s: a phone that waits longer has sent its request three times (RFC 3261 §17.1.2.2).
    pub longest_wait: Duration,
    /// After a failure, how long until the store is tried again. Default 1 s.
    pub retry_after: Duration,
    /// What that grows to, doubled at each failure. Default 5 s: so soon is it noticed that there is room again.
    pub longest_retry: Duration,
}

impl Default for BacklogLimits {
    fn default() -> Self {
        Self {
            max_bindings: 200_000,
            max_accounts: 1_000,
            max_cdrs: 10_000,
            max_waiting: 20_000,
            max_batch: 512,
            refresh_delay: Duration::from_millis(500),
            longest_wait: Duration::from_secs(1),
            retry_after: Duration::from_secs(1),
            longest_retry: Duration::from_secs(5),
        }
    }
}

/// What somebody who waits is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Written {
    /// It is written.
    Durably,
    /// It is in memory alone, since the store fails, and is written when it works again.
    InMemory,
}

/// Somebody who waits until something is written.
pub trait Waiter: Send + 'static {
    /// It is, or the store fails. Runs in the writer's task or in the thread of whoever found out; must return at once.
    fn written(self: Box<Self>, written: Written);
}

impl<F: FnOnce(Written) + Send + 'static> Waiter for F {
    fn written(self: Box<Self>, written: Written) {
        self(written);
    }
}

/// The names of what goes into a batch; what they stand for is taken from memory when it is made.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Names {
    /// Everything that is in memory, and nothing else is there; the records of live calls go with it.
    pub(super) everything: bool,
    pub(super) bindings: Vec<AddressOfRecord>,
    pub(super) accounts: Vec<Box<str>>,
    pub(super) cdrs: Vec<Arc<Cdr>>,
}

/// What the backlog wants done.
#[derive(Debug, PartialEq)]
pub(super) enum Output<W> {
    /// Tell this one.
    Answer(W, Written),
    /// There is no room for this record: log it.
    Log(Arc<Cdr>),
    /// The store has begun to fail.
    Degraded(StoreFailure),
    /// The store works again.
    Durable,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Durable,
    /// `retry_at` is `None` when it will not be tried again.
    Degraded {
        failure: StoreFailure,
        since: Instant,
        retry_at: Option<Instant>,
        next_wait: Duration,
    },
    /// The store works, and the next batch takes the last of what was answered from memory: who comes waits again.
    CatchingUp {
        failure: StoreFailure,
        since: Instant,
    },
}

/// What somebody waits for.
#[derive(Debug, PartialEq)]
#[must_use]
pub(super) enum Place {
    /// The batch that takes the contacts of this address of record.
    Bindings(AddressOfRecord),
    /// The batch that is being written.
    Batch,
    /// The next batch that leaves no call record over.
    Next,
}

/// Changed contacts that are not written.
#[derive(Debug)]
struct Dirty<W> {
    /// More has changed than the expiry: who is answered waits.
    contacts: bool,
    waiters: Vec<W>,
}

/// The batch that is being written.
#[derive(Debug)]
struct InFlight<W> {
    everything: bool,
    bindings: BTreeMap<AddressOfRecord, Dirty<W>>,
    accounts: BTreeSet<Box<str>>,
    cdrs: BTreeMap<CdrId, Arc<Cdr>>,
    /// Some call records are left over for the next batch.
    leaves_cdrs: bool,
    /// Of accounts and call records.
    waiters: Vec<W>,
    waiting_since: Option<Instant>,
}

/// What is to be written. `W` is who waits.
#[derive(Debug)]
pub(super) struct Backlog<W> {
    limits: BacklogLimits,
    state: State,
    bindings: BTreeMap<AddressOfRecord, Dirty<W>>,
    /// The keys of `bindings`, each once, in the order in which they came.
    order: VecDeque<AddressOfRecord>,
    everything: bool,
    accounts: BTreeSet<Box<str>>,
    cdrs: BTreeMap<CdrId, Arc<Cdr>>,
    /// The latest records of calls that have been answered and not ended, which go with everything. As many as there are calls.
    live: BTreeMap<CdrId, Arc<Cdr>>,
    /// Of accounts and call records.
    waiters: Vec<W>,
    /// When the next batch is due.
    due: Option<Instant>,
    /// Since when somebody has waited for the next batch.
    waiting_since: Option<Instant>,
    waiting: usize,
    in_flight: Option<InFlight<W>>,
    outputs: VecDeque<Output<W>>,
    logged: u64,
}

impl<W> Backlog<W> {
    pub(super) fn new(limits: BacklogLimits) -> Self {
        Self {
            limits,
            state: State::Durable,
            bindings: BTreeMap::new(),
            order: VecDeque::new(),
            everything: false,
            accounts: BTreeSet::new(),
            cdrs: BTreeMap::new(),
            live: BTreeMap::new(),
            waiters: Vec::new(),
            due: None,
            waiting_since: None,
            waiting: 0,
            in_flight: None,
            outputs: VecDeque::new(),
            logged: 0,
        }
    }

    /// The contacts of an address of record have changed. Who has to hear of it waits, unless there is no use in waiting.
    pub(super) fn contacts_changed(&mut self, now: Instant, aor: &AddressOfRecord) -> Option<Place> {
        self.mark(now, aor, true);
        self.due_at(now);
        (self.may_wait(now) && self.bindings.contains_key(aor)).then(|| Place::Bindings(aor.clone()))
    }

    /// Contacts have expired, or only their expiry has moved. Who has to hear of it waits only for changes before, if any are not written.
    pub(super) fn expiry_moved(&mut self, now: Instant, aor: &AddressOfRecord) -> Option<Place> {
        self.mark(now, aor, false);
        self.due_at(now.checked_add(self.limits.refresh_delay).unwrap_or(now));
        self.looked_up(now, aor)
    }

    /// Somebody is to hear what the contacts of an address of record are, and waits if that is not written.
    pub(super) fn looked_up(&mut self, now: Instant, aor: &AddressOfRecord) -> Option<Place> {
        let in_flight =
            |flight: &InFlight<W>| flight.everything || flight.bindings.get(aor).is_some_and(|d| d.contacts);
        let place = if self.bindings.get(aor).is_some_and(|dirty| dirty.contacts) {
            Place::Bindings(aor.clone())
        } else if self.in_flight.as_ref().is_some_and(in_flight) {
            Place::Batch
        } else {
            return None;
        };
        self.may_wait(now).then_some(place)
    }

    /// An account has changed.
    ///
    /// # Errors
    /// The bound, if too many wait already.
    pub(super) fn account_changed(&mut self, now: Instant, user: &str) -> Result<Option<Place>, usize> {
        if self.accounts.len() >= self.limits.max_accounts && !self.accounts.contains(user) {
            return Err(self.limits.max_accounts);
        }
        self.accounts.insert(user.into());
        self.due_at(now);
        Ok(self.may_wait(now).then_some(Place::Next))
    }

    /// A call record is new or has changed.
    pub(super) fn cdr_changed(&mut self, now: Instant, cdr: Arc<Cdr>) -> Option<Place> {
        match cdr.end {
            None => drop(self.live.insert(cdr.id, cdr.clone())),
            Some(_) => drop(self.live.remove(&cdr.id)),
        }
        self.cdrs.insert(cdr.id, cdr);
        self.bound_cdrs();
        self.due_at(now);
        self.may_wait(now).then_some(Place::Next)
    }

    /// Has `waiter` wait at the place that was just handed out.
    pub(super) fn attach(&mut self, now: Instant, place: Place, waiter: W) {
        self.waiting += 1;
        match (place, &mut self.in_flight) {
            (Place::Batch, Some(flight)) => {
                flight.waiting_since.get_or_insert(now);
                flight.waiters.push(waiter);
            }
            (Place::Bindings(aor), _) if self.bindings.contains_key(&aor) => {
                self.waiting_since.get_or_insert(now);
                self.bindings.entry(aor).and_modify(|dirty| dirty.waiters.push(waiter));
            }
            _ => {
                self.waiting_since.get_or_insert(now);
                self.waiters.push(waiter);
            }
        }
    }

    /// The store turns out to be empty: the batch that was just handed out takes all that is in memory.
    pub(super) fn write_everything(&mut self) {
        if let Some(flight) = &mut self.in_flight {
            flight.everything = true;
        }
    }

    /// Whether the batch that was just handed out takes all that is in memory.
    pub(super) fn is_writing_everything(&self) -> bool {
        self.in_flight.as_ref().is_some_and(|flight| flight.everything)
    }

    /// Whether what is stored of an address of record is older than what is in memory: its contacts have changed and are not written.
    pub(super) fn knows_better(&self, aor: &AddressOfRecord) -> bool {
        self.bindings.contains_key(aor) || self.in_flight.as_ref().is_some_and(|f| f.bindings.contains_key(aor))
    }

    /// Whether an account has changed and is not written.
    pub(super) fn account_has_changed(&self, user: &str) -> bool {
        self.accounts.contains(user) || self.in_flight.as_ref().is_some_and(|f| f.accounts.contains(user))
    }

    /// The names for the next batch, if one is due; none before [`Self::handle_written`] has told of the one before.
    pub(super) fn poll_batch(&mut self, now: Instant) -> Option<Names> {
        if self.in_flight.is_some() || self.next_batch_at().is_none_or(|at| now < at) {
            return None;
        }
        let limit = self.limits.max_batch;
        let everything = std::mem::take(&mut self.everything);
        let count = if everything { self.order.len() } else { limit.min(self.order.len()) };
        let mut bindings = BTreeMap::new();
        for aor in self.order.drain(..count) {
            if let Some(dirty) = self.bindings.remove(&aor) {
                bindings.insert(aor, dirty);
            }
        }
        // People change accounts, so that all of them fit.
        let accounts = std::mem::take(&mut self.accounts);
        let mut cdrs = std::mem::take(&mut self.cdrs);
        if let Some((&first_left, _)) = cdrs.iter().nth(limit) {
            self.cdrs = cdrs.split_off(&first_left);
        }
        let names = Names {
            everything,
            bindings: if everything { Vec::new() } else { bindings.keys().cloned().collect() },
            accounts: if everything { Vec::new() } else { accounts.iter().cloned().collect() },
            cdrs: cdrs.values().cloned().collect(),
        };
        // Those who wait for a record that is left over wait with it: none is told too early.
        let leaves_cdrs = !self.cdrs.is_empty();
        let waiters = if leaves_cdrs { Vec::new() } else { std::mem::take(&mut self.waiters) };
        let waiting_since = self.waiting_since;
        self.in_flight = Some(InFlight { everything, bindings, accounts, cdrs, leaves_cdrs, waiters, waiting_since });
        let left = self.has_work();
        self.due = left.then_some(now);
        if !left {
            self.waiting_since = None;
        }
        Some(names)
    }

    /// What became of the batch.
    pub(super) fn handle_written(&mut self, now: Instant, result: Result<(), StoreFailure>) {
        let Some(flight) = self.in_flight.take() else { return };
        match result {
            Ok(()) => {
                let leaves_cdrs = flight.leaves_cdrs;
                let of_bindings = flight.bindings.into_values().flat_map(|dirty| dirty.waiters);
                for waiter in of_bindings.chain(flight.waiters) {
                    self.answer(waiter, Written::Durably);
                }
                self.works(now, leaves_cdrs);
            }
            Err(failure) => {
                self.take_back(now, flight);
                self.fail(now, failure);
            }
        }
    }

    /// Nothing will be written any more; who waits is told so, and so is whoever comes.
    pub(super) fn stop(&mut self, now: Instant) {
        if let Some(flight) = self.in_flight.take() {
            self.take_back(now, flight);
        }
        self.fail(now, StoreFailure::Stopped);
        if let State::Degraded { retry_at, .. } = &mut self.state {
            *retry_at = None;
        }
    }

    /// Hands over all call records that are not known to be written, oldest first.
    pub(super) fn take_cdrs(&mut self) -> Vec<Arc<Cdr>> {
        let mut cdrs = self.in_flight.as_mut().map(|flight| std::mem::take(&mut flight.cdrs)).unwrap_or_default();
        cdrs.append(&mut self.cdrs);
        cdrs.into_values().collect()
    }

    /// The records of the calls that live, the oldest first.
    pub(super) fn live_cdrs(&self) -> impl Iterator<Item = &Arc<Cdr>> {
        self.live.values()
    }

    /// The names of all that is not known to be written, but for call records.
    pub(super) fn unwritten(&self) -> Names {
        let flight = self.in_flight.as_ref();
        let bindings = flight.into_iter().flat_map(|flight| flight.bindings.keys()).chain(self.bindings.keys());
        let accounts = flight.into_iter().flat_map(|flight| &flight.accounts).chain(&self.accounts);
        Names {
            everything: self.everything || flight.is_some_and(|flight| flight.everything),
            bindings: bindings.cloned().collect::<BTreeSet<_>>().into_iter().collect(),
            accounts: accounts.cloned().collect::<BTreeSet<_>>().into_iter().collect(),
            cdrs: Vec::new(),
        }
    }

    /// When [`Self::handle_timeout`] or [`Self::poll_batch`] has something to do.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let patience = self.patience_ends();
        if self.in_flight.is_some() { patience } else { patience.into_iter().chain(self.next_batch_at()).min() }
    }

    /// Lets nobody wait longer than they can.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.patience_ends().is_some_and(|end| end <= now) {
            self.fail(now, StoreFailure::Slow);
        }
    }

    pub(super) fn poll_output(&mut self) -> Option<Output<W>> {
        self.outputs.pop_front()
    }

    pub(super) fn durability(&self) -> Durability {
        match self.state {
            State::Durable => Durability::Durable,
            State::Degraded { failure, since, .. } | State::CatchingUp { failure, since } => {
                Durability::Degraded { failure, since }
            }
        }
    }

    /// Addresses of record, accounts and call records that are not written.
    pub(super) fn counts(&self) -> (usize, usize, usize) {
        let flight = self.in_flight.as_ref();
        let in_flight = flight.map_or((0, 0, 0), |f| (f.bindings.len(), f.accounts.len(), f.cdrs.len()));
        (self.bindings.len() + in_flight.0, self.accounts.len() + in_flight.1, self.cdrs.len() + in_flight.2)
    }

    /// Whether nothing is to be written or being written.
    pub(super) fn is_empty(&self) -> bool {
        !self.has_work() && self.in_flight.is_none()
    }

    /// Call records that went to the log.
    pub(super) fn logged(&self) -> u64 {
        self.logged
    }

    /// Makes what waits due at once, whether or not the store works.
    pub(super) fn hurry(&mut self, now: Instant) {
        if self.has_work() {
            self.due_at(now);
            if let State::Degraded { retry_at: Some(at), .. } = &mut self.state {
                *at = now;
            }
        }
    }

    /// The store cannot be used, though nothing was being written; it is tried again later.
    pub(super) fn handle_failure(&mut self, now: Instant, failure: StoreFailure) {
        self.fail(now, failure);
    }

    fn has_work(&self) -> bool {
        self.everything || !self.order.is_empty() || !self.accounts.is_empty() || !self.cdrs.is_empty()
    }

    fn next_batch_at(&self) -> Option<Instant> {
        match self.state {
            State::Durable | State::CatchingUp { .. } => self.due,
            // Nothing may be left to write; then an empty batch finds out whether the store works.
            State::Degraded { retry_at, .. } => retry_at,
        }
    }

    /// When those who wait can wait no longer; `None` if nobody does.
    pub(super) fn patience_ends(&self) -> Option<Instant> {
        let in_flight = self.in_flight.as_ref().and_then(|flight| flight.waiting_since);
        let since = in_flight.into_iter().chain(self.waiting_since).min()?;
        Some(since.checked_add(self.limits.longest_wait).unwrap_or(since))
    }

    fn due_at(&mut self, at: Instant) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// Whether there is any use in waiting. Too many who do mean that the store is too slow.
    fn may_wait(&mut self, now: Instant) -> bool {
        if self.waiting >= self.limits.max_waiting && !matches!(self.state, State::Degraded { .. }) {
            self.fail(now, StoreFailure::Slow);
        }
        !matches!(self.state, State::Degraded { .. })
    }

    fn mark(&mut self, now: Instant, aor: &AddressOfRecord, contacts: bool) {
        if let Some(dirty) = self.bindings.get_mut(aor) {
            dirty.contacts |= contacts;
            return;
        }
        if self.everything && matches!(self.state, State::Degraded { .. }) {
            return; // It is written with the rest.
        }
        if self.bindings.len() >= self.limits.max_bindings {
            // Past the bound there are no names: everything is written instead, and nobody waits for that.
            self.fail(now, StoreFailure::Slow);
            self.everything = true;
            self.order.clear();
            self.bindings.clear();
            return;
        }
        self.bindings.insert(aor.clone(), Dirty { contacts, waiters: Vec::new() });
        self.order.push_back(aor.clone());
    }

    fn bound_cdrs(&mut self) {
        while self.cdrs.len() > self.limits.max_cdrs {
            if let Some((_, oldest)) = self.cdrs.pop_first() {
                self.logged = self.logged.saturating_add(1);
                self.outputs.push_back(Output::Log(oldest));
            }
        }
    }

    /// Puts what was not written back to what is to be written; what has changed since is newer and stays.
    fn take_back(&mut self, now: Instant, flight: InFlight<W>) {
        self.everything |= flight.everything;
        for (aor, dirty) in flight.bindings {
            self.mark(now, &aor, dirty.contacts);
            dirty.waiters.into_iter().for_each(|waiter| self.answer(waiter, Written::InMemory));
        }
        self.accounts.extend(flight.accounts);
        for (id, cdr) in flight.cdrs {
            self.cdrs.entry(id).or_insert(cdr);
        }
        self.bound_cdrs();
        flight.waiters.into_iter().for_each(|waiter| self.answer(waiter, Written::InMemory));
    }

    /// Nobody waits for a store that fails.
    fn fail(&mut self, now: Instant, failure: StoreFailure) {
        // What was written is as lost as what was not.
        self.everything |= failure == StoreFailure::Gone;
        let (since, wait) = match self.state {
            State::Durable => {
                self.outputs.push_back(Output::Degraded(failure));
                (now, self.limits.retry_after)
            }
            State::Degraded { since, next_wait, .. } => (since, next_wait),
            State::CatchingUp { since, .. } => (since, self.limits.retry_after),
        };
        self.state = State::Degraded {
            failure,
            since,
            retry_at: Some(now.checked_add(wait).unwrap_or(now)),
            next_wait: wait.saturating_mul(2).min(self.limits.longest_retry),
        };
        self.waiting_since = None;
        let mut released = std::mem::take(&mut self.waiters);
        released.extend(self.bindings.values_mut().flat_map(|dirty| std::mem::take(&mut dirty.waiters)));
        if let Some(flight) = &mut self.in_flight {
            flight.waiting_since = None;
            released.append(&mut flight.waiters);
            released.extend(flight.bindings.values_mut().flat_map(|dirty| std::mem::take(&mut dirty.waiters)));
        }
        released.into_iter().for_each(|waiter| self.answer(waiter, Written::InMemory));
    }

    /// A batch was written. While more is left than the next batch takes, who comes does not wait for all of it; and the store is not said to work
    /// before all is written that was answered from memory.
    fn works(&mut self, now: Instant, leaves_cdrs: bool) {
        let limit = self.limits.max_batch;
        let much = self.everything || self.order.len() > limit || self.cdrs.len() > limit;
        let left = self.has_work();
        match self.state {
            State::Durable => return,
            State::Degraded { failure, since, .. } if much => {
                let (retry_at, next_wait) = (Some(now), self.limits.retry_after);
                self.state = State::Degraded { failure, since, retry_at, next_wait };
                return;
            }
            State::Degraded { failure, since, .. } if left => self.state = State::CatchingUp { failure, since },
            // Who came meanwhile stands behind the contacts that came before, but a late record may be of an early call.
            State::CatchingUp { .. } if leaves_cdrs => {}
            State::Degraded { .. } | State::CatchingUp { .. } => {
                self.state = State::Durable;
                self.outputs.push_back(Output::Durable);
            }
        }
        self.due = left.then_some(now);
    }

    fn answer(&mut self, waiter: W, written: Written) {
        self.waiting = self.waiting.saturating_sub(1);
        self.outputs.push_back(Output::Answer(waiter, written));
    }
}

#[cfg(test)]
mod tests;

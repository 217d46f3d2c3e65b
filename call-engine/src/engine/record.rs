//! The records of the calls that live: begun with the INVITE, written at the answer and at the end.

use std::collections::BTreeMap;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Instant, SystemTime};

use blether_session_core::actor::{CallEnd, CallWitness, LegKey};
use blether_session_core::{EndCause, Party};
use blether_sip_core::StatusCode;
use metrics::Histogram;
use rand::Rng;
use tokio::sync::watch;

use super::figures;
use crate::cdr::{Cdr, CdrEnd, CdrId, CdrIds};
use crate::store::StoreHandle;

/// Begins records, and knows how many calls have not ended.
pub(super) struct CallRecords {
    store: StoreHandle,
    ids: CdrIds,
    live: watch::Sender<usize>,
    /// The same calls, for lists.
    calls: Mutex<BTreeMap<CdrId, Weak<CallRecord>>>,
    meters: Meters,
}

/// A call that has not ended, as its record has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveCall {
    /// The Call-ID of the caller's leg.
    pub call_id: String,
    /// The account that the caller proved to be.
    pub caller: Option<String>,
    /// What was dialled.
    pub dialled: String,
    /// Who has answered: a contact, or the pattern of a handler. `None` before.
    pub answered_by: Option<String>,
    /// When the INVITE came.
    pub started_at: SystemTime,
    /// When it was answered; `None` before.
    pub answered_at: Option<SystemTime>,
}

/// Held rather than looked up. What a call measures is recorded when it is answered and when it ends.
struct Meters {
    setup: Histogram,
    duration: Histogram,
}

impl CallRecords {
    pub(super) fn new(store: StoreHandle, rng: &mut impl Rng) -> Self {
        Self {
            store,
            ids: CdrIds::new(rng),
            live: watch::Sender::new(0),
            calls: Mutex::default(),
            meters: Meters {
                setup: metrics::histogram!("blether_engine_call_setup_seconds"),
                duration: metrics::histogram!("blether_engine_call_duration_seconds"),
            },
        }
    }

    /// The record of a call whose INVITE came at `date`. What is refused before it has a handler is no call and has none.
    pub(super) fn begin(
        self: &Arc<Self>,
        date: SystemTime,
        call_id: &str,
        caller: Option<&str>,
        dialled: &str,
    ) -> Arc<CallRecord> {
        let mut cdr = Cdr::begin(self.ids.next(date), call_id, dialled, date);
        cdr.caller = caller.map(str::to_owned);
        let id = cdr.id;
        self.live.send_modify(|live| *live += 1);
        let record = Arc::new(CallRecord { records: self.clone(), cdr: Mutex::new(Some(cdr)) });
        self.calls().insert(id, Arc::downgrade(&record));
        record
    }

    /// The calls that have not ended, the oldest first.
    pub(super) fn live_calls(&self) -> Vec<LiveCall> {
        // Not while the table is held: the last hold on a record takes it out of the table.
        let records: Vec<_> = self.calls().values().filter_map(Weak::upgrade).collect();
        records.iter().filter_map(|record| record.cdr().as_ref().map(LiveCall::of)).collect()
    }

    // Nothing panics while one of these locks is held.
    fn calls(&self) -> MutexGuard<'_, BTreeMap<CdrId, Weak<CallRecord>>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the end of every call is with the store.
    pub(super) async fn all_ended(&self) {
        // The sender is here, so this cannot fail.
        let _ = self.live.subscribe().wait_for(|live| *live == 0).await;
    }
}

impl LiveCall {
    fn of(cdr: &Cdr) -> Self {
        Self {
            call_id: cdr.call_id.clone(),
            caller: cdr.caller.clone(),
            dialled: cdr.dialled.clone(),
            // A handler's pattern stands there before.
            answered_by: cdr.answered_at.and(cdr.answered_by.clone()),
            started_at: cdr.started_at,
            answered_at: cdr.answered_at,
        }
    }
}

/// The record of one call.
pub(super) struct CallRecord {
    records: Arc<CallRecords>,
    /// Taken when the call ends.
    cdr: Mutex<Option<Cdr>>,
}

impl CallRecord {
    /// Who is to be recorded as having answered, once somebody has.
    pub(super) fn set_answered_by(&self, who: &str) {
        if let Some(cdr) = self.cdr().as_mut() {
            cdr.answered_by = Some(who.to_owned());
        }
    }

    fn end(&self, at: Instant, answered: bool, end: CdrEnd, legs: Option<Arc<str>>) {
        let Some(mut cdr) = self.cdr().take() else { return };
        let now = Instant::now();
        let date = SystemTime::now();
        cdr.ended_at = Some(date.checked_sub(now.saturating_duration_since(at)).unwrap_or(date));
        (cdr.end, cdr.legs) = (Some(end), legs);
        if !answered {
            (cdr.answered_at, cdr.answered_by) = (None, None);
        }
        if let (Some(answered), Some(ended)) = (cdr.answered_at, cdr.ended_at) {
            self.records.meters.duration.record(seconds_between(answered, ended));
        }
        metrics::counter!("blether_engine_ended_calls_total", "end" => end.as_str()).increment(1);
        self.records.calls().remove(&cdr.id);
        // It is kept from here on; nobody waits for it.
        drop(self.records.store.record(now, cdr));
        self.records.live.send_modify(|live| *live -= 1);
    }

    fn cdr(&self) -> MutexGuard<'_, Option<Cdr>> {
        self.cdr.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CallWitness for CallRecord {
    fn answering(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let written = match self.cdr().as_mut() {
            Some(cdr) => {
                let now = SystemTime::now();
                cdr.answered_at = Some(now);
                self.records.meters.setup.record(seconds_between(cdr.started_at, now));
                self.records.store.record(Instant::now(), cdr.clone())
            }
            // It has ended meanwhile.
            None => return Box::pin(ready(())),
        };
        Box::pin(async move {
            // While the store fails the call goes on all the same.
            let _ = written.await;
        })
    }

    fn ended(&self, end: CallEnd) {
        self.end(end.at, end.answered, how_it_ended(&end), figures::of_legs(&end.legs));
    }
}

impl Drop for CallRecord {
    fn drop(&mut self) {
        // Nothing, unless the call was dropped before it had a task.
        self.end(Instant::now(), false, CdrEnd::Failed, None);
    }
}

/// None where the clock was set back in between.
fn seconds_between(from: SystemTime, to: SystemTime) -> f64 {
    to.duration_since(from).unwrap_or_default().as_secs_f64()
}

fn how_it_ended(end: &CallEnd) -> CdrEnd {
    match (end.answered, end.cause) {
        (false, EndCause::Cancelled) => CdrEnd::Cancelled,
        (false, EndCause::Rejected(status)) => CdrEnd::Refused(status),
        (false, EndCause::HungUp | EndCause::NoAnswer | EndCause::AnsweredElsewhere) => {
            CdrEnd::Refused(StatusCode::TEMPORARILY_UNAVAILABLE)
        }
        (false, EndCause::Failed) => CdrEnd::Refused(StatusCode::SERVER_INTERNAL_ERROR),
        (true, EndCause::HungUp) => match (end.by, end.leg) {
            (Party::Remote, LegKey::PRIMARY) => CdrEnd::Caller,
            (Party::Remote, _) => CdrEnd::Callee,
            (Party::Local, _) => CdrEnd::Server,
        },
        _ => CdrEnd::Failed,
    }
}

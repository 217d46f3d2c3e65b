//! Who is told what becomes of a call, whatever its handler does.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use blether_rtp_core::LegStatistics;
use blether_sip_core::Uri;

use super::LegKey;
use super::runner::CallActor;
use crate::{EndCause, MediaPlan, Party};

/// How long the end of a call waits for what its legs counted. A media worker answers within its turn, some milliseconds; one that takes longer
/// is overloaded, and the end matters more than the figures.
const FIGURES_PATIENCE: Duration = Duration::from_millis(250);

/// Legs of one call that are reported on. A call has two, and some more when it was passed on.
const MAX_REPORTS: usize = 16;

/// Learns of an incoming call's answer and end, for records that must not depend on a handler: that one is dropped as soon as its call ends.
pub trait CallWitness: Send + Sync + 'static {
    /// The caller is about to be answered: the 200 leaves when the future is done. Said at most once, and not at all to a call that is
    /// refused. The call may still end before the 200 leaves; then the end says that it was not answered.
    fn answering(&self) -> Pin<Box<dyn Future<Output = ()> + Send>>;

    /// The call is over, or this endpoint gives it up. Said exactly once, before the endpoint forgets it: as soon as it is known how the call ended, which is
    /// when a BYE of ours leaves and not when it is answered, and the media workers have told what its legs counted, which they get a quarter of a second for. Must return at once.
    fn ended(&self, end: CallEnd);
}

/// How an incoming call ended.
#[derive(Clone, Debug, PartialEq)]
pub struct CallEnd {
    /// The leg whose end ended the call: [`LegKey::PRIMARY`] is the caller's.
    pub leg: LegKey,
    /// Which side of that leg ended it.
    pub by: Party,
    /// Why.
    pub cause: EndCause,
    /// Whether the caller was answered.
    pub answered: bool,
    /// When the end was decided.
    pub at: Instant,
    /// The legs whose media were agreed, the caller's first; at most 16.
    pub legs: Vec<LegReport>,
}

/// What is known of a leg at its end, for whoever wants to know how it sounded.
#[derive(Clone, Debug, PartialEq)]
pub struct LegReport {
    /// The leg: [`LegKey::PRIMARY`] is the caller's.
    pub leg: LegKey,
    /// Who was at its other end: the Contact of a caller, what was dialled of the others.
    pub peer: Option<Uri>,
    /// What was agreed last.
    pub plan: MediaPlan,
    /// What its media worker counted; `None` if that could not say in time.
    pub statistics: Option<Box<LegStatistics>>,
}

/// Has the witness of one call, and sees to it that it hears of the end, also when the call's task is dropped.
pub(super) struct Witnessed {
    witness: Option<Arc<dyn CallWitness>>,
    answered: bool,
    /// When and why the call began to end.
    decided: Option<(Instant, EndCause)>,
    /// The end, while it waits for these legs to tell what they counted, until then.
    waiting: Option<(CallEnd, Vec<LegKey>, Instant)>,
    reports: Vec<LegReport>,
}

impl Witnessed {
    pub(super) fn new(witness: Option<Arc<dyn CallWitness>>) -> Self {
        Self { witness, answered: false, decided: None, waiting: None, reports: Vec::new() }
    }

    /// The 200 is on its way.
    pub(super) fn answered(&mut self) {
        self.answered = true;
    }

    /// Whether nothing has been said of the end yet.
    fn awaits_end(&self) -> bool {
        self.witness.is_some() && self.waiting.is_none()
    }

    /// The end is decided; the leg has yet to say goodbye.
    pub(super) fn ending(&mut self, at: Instant, cause: EndCause) {
        self.decided.get_or_insert((at, cause));
    }

    /// Tells the witness of what no leg has told: the call was given up while it said goodbye, or it failed.
    pub(super) fn given_up(&mut self) {
        let (at, cause) = self.decided.unwrap_or_else(|| (Instant::now(), EndCause::Failed));
        self.ended(at, LegKey::PRIMARY, Party::Local, cause);
        self.tell();
    }

    /// Tells the witness at once.
    pub(super) fn ended(&mut self, now: Instant, leg: LegKey, by: Party, cause: EndCause) {
        self.ended_when(now, leg, by, cause, Vec::new());
    }

    /// Has the witness told as soon as all of `awaited` have told what they counted; only the first end is told. What was decided before the leg had
    /// said goodbye ended then.
    fn ended_when(&mut self, now: Instant, leg: LegKey, by: Party, cause: EndCause, awaited: Vec<LegKey>) {
        if !self.awaits_end() {
            return;
        }
        let at = self.decided.map_or(now, |(decided, _)| decided);
        let end = CallEnd { leg, by, cause, answered: self.answered, at, legs: Vec::new() };
        let tell = awaited.is_empty();
        self.waiting = Some((end, awaited, now + FIGURES_PATIENCE));
        if tell {
            self.tell();
        }
    }

    /// Takes in what there is to say of a leg, in place of what was said before.
    fn report(&mut self, report: LegReport) {
        if let Some(known) = self.reports.iter_mut().find(|known| known.leg == report.leg) {
            known.plan = report.plan;
        } else if self.witness.is_some() && self.reports.len() < MAX_REPORTS {
            self.reports.push(report);
        }
    }

    /// Takes in what a leg has counted; it is not waited for any more.
    fn counted(&mut self, leg: LegKey, statistics: Option<Box<LegStatistics>>) {
        if let Some(report) = self.reports.iter_mut().find(|report| report.leg == leg)
            && statistics.is_some()
        {
            report.statistics = statistics;
        }
        if let Some((_, awaited, _)) = &mut self.waiting {
            awaited.retain(|key| *key != leg);
            if awaited.is_empty() {
                self.tell();
            }
        }
    }

    /// When the end is told whether or not all is known.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.waiting.as_ref().map(|(_, _, until)| *until)
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_some_and(|until| until <= now) {
            metrics::counter!("blether_session_leg_figures_missed_total").increment(1);
            self.tell();
        }
    }

    fn tell(&mut self) {
        let (Some((mut end, ..)), Some(witness)) = (self.waiting.take(), self.witness.take()) else { return };
        self.reports.sort_by_key(|report| report.leg);
        end.legs = std::mem::take(&mut self.reports);
        if catch_unwind(AssertUnwindSafe(|| witness.ended(end))).is_err() {
            tracing::error!("who was to learn of a call's end panicked");
        }
    }
}

impl Drop for Witnessed {
    fn drop(&mut self) {
        self.given_up();
    }
}

impl CallActor {
    /// The caller's leg is saying goodbye, or waits for the ACK before it may: the call is over then, however long that takes. A peer that has gone never
    /// answers the BYE, and at shutdown nobody waits for it.
    pub(super) fn witness_goodbye(&mut self, now: Instant) {
        let Some(leg) = self.legs.get(&LegKey::PRIMARY).filter(|leg| !leg.session.is_terminated()) else { return };
        let decided = self.witnessed.decided.map(|(_, cause)| cause);
        if let Some(cause) = leg.session.ending().or(decided) {
            self.witness_end(now, LegKey::PRIMARY, Party::Local, cause);
        }
    }

    /// The call is over. What its legs have counted is asked for, and the witness told when it is known.
    pub(super) fn witness_end(&mut self, now: Instant, ended: LegKey, by: Party, cause: EndCause) {
        if !self.witnessed.awaits_end() {
            return;
        }
        let mut awaited = Vec::new();
        for (&key, leg) in &mut self.legs {
            let Some(report) = leg.report(key) else { continue };
            self.witnessed.report(report);
            // A leg that is being closed tells by itself.
            leg.is_awaited = leg.media.is_some();
            if leg.is_awaited || leg.closing {
                awaited.push(key);
            }
        }
        self.witnessed.ended_when(now, ended, by, cause, awaited);
    }

    /// A leg's worker has answered. If it could not, the leg tells when it is closed.
    pub(super) fn leg_counted(&mut self, leg: LegKey, statistics: Option<Box<LegStatistics>>) {
        if statistics.is_some() {
            self.witnessed.counted(leg, statistics);
        }
    }

    /// A leg's media is closed, before the call is over or while its end is told.
    pub(super) fn witness_leg(&mut self, key: LegKey) {
        if let Some(report) = self.legs.get(&key).and_then(|leg| leg.report(key)) {
            let statistics = report.statistics.clone();
            self.witnessed.report(report);
            self.witnessed.counted(key, statistics);
        }
    }
}

//! Who is told what becomes of a call, whatever its handler does.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use super::LegKey;
use crate::{EndCause, Party};

/// Learns of an incoming call's answer and end, for records that must not depend on a handler: that one is dropped as soon as its call ends.
pub trait CallWitness: Send + Sync + 'static {
    /// The caller is about to be answered: the 200 leaves when the future is done. Said at most once, and not at all to a call that is
    /// refused. The call may still end before the 200 leaves; then the end says that it was not answered.
    fn answering(&self) -> Pin<Box<dyn Future<Output = ()> + Send>>;

    /// The call is over, or this endpoint gives it up. Said exactly once, as soon as it is known how the call ended and before the endpoint
    /// forgets it; must return at once.
    fn ended(&self, end: CallEnd);
}

/// How an incoming call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
}

/// Has the witness of one call, and sees to it that it hears of the end, also when the call's task is dropped.
pub(super) struct Witnessed {
    witness: Option<Arc<dyn CallWitness>>,
    answered: bool,
    /// When and why the call began to end.
    decided: Option<(Instant, EndCause)>,
}

impl Witnessed {
    pub(super) fn new(witness: Option<Arc<dyn CallWitness>>) -> Self {
        Self { witness, answered: false, decided: None }
    }

    /// The 200 is on its way.
    pub(super) fn answered(&mut self) {
        self.answered = true;
    }

    /// The end is decided; the leg has yet to say goodbye.
    pub(super) fn ending(&mut self, at: Instant, cause: EndCause) {
        self.decided.get_or_insert((at, cause));
    }

    /// Tells the witness of what no leg has told: the call was given up while it said goodbye, or it failed.
    pub(super) fn given_up(&mut self) {
        let (at, cause) = self.decided.unwrap_or_else(|| (Instant::now(), EndCause::Failed));
        self.ended(at, LegKey::PRIMARY, Party::Local, cause);
    }

    /// Tells the witness; only the first end is told. What was decided before the leg had said goodbye ended then.
    pub(super) fn ended(&mut self, at: Instant, leg: LegKey, by: Party, cause: EndCause) {
        let Some(witness) = self.witness.take() else { return };
        let at = self.decided.map_or(at, |(decided, _)| decided);
        let end = CallEnd { leg, by, cause, answered: self.answered, at };
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

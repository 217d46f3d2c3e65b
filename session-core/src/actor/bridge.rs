//! The two legs of a call that talk to each other: their offers go from one to the other by a [`Bridge`], and their media follows.

use std::time::Instant;

use blether_rtp_core::WorkerError;

use super::LegKey;
use super::call::CallEvent;
use super::leg::Leg;
use super::runner::{CallActor, ChoreDone};
use crate::{Bridge, BridgedLeg, End, Ends, SessionEvent};

/// A bridge, and whose legs it joins.
pub(super) struct Bridged {
    a: LegKey,
    b: LegKey,
    bridge: Bridge,
}

impl Bridged {
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.bridge.poll_timeout()
    }

    fn leg(&self, key: LegKey) -> Option<BridgedLeg> {
        match key {
            key if key == self.a => Some(BridgedLeg::A),
            key if key == self.b => Some(BridgedLeg::B),
            _ => None,
        }
    }
}

impl CallActor {
    /// Has each of two legs end when the other does, and change its media when the other's phone wants that. A leg that was linked to another
    /// is no longer. Where they have not agreed to the same, `a` is to follow `b`.
    pub(super) fn link(&mut self, now: Instant, a: LegKey, b: LegKey) {
        for leg in self.legs.values_mut() {
            if leg.linked.is_some_and(|other| other == a || other == b) {
                leg.linked = None;
            }
        }
        for (key, other) in [(a, b), (b, a)] {
            if let Some(leg) = self.legs.get_mut(&key) {
                leg.linked = Some(other);
            }
        }
        self.bridge = Some(Bridged { a, b, bridge: Bridge::new(BridgedLeg::B) });
        self.name_payload_types();
        self.settle_bridge(now);
    }

    /// Gives the bridge what concerns it; whether that was all there is to do.
    pub(super) fn bridge_event(&mut self, now: Instant, key: LegKey, event: &SessionEvent) -> bool {
        let about_offers = matches!(
            event,
            SessionEvent::Offer { .. }
                | SessionEvent::OfferWanted
                | SessionEvent::OfferWithdrawn
                | SessionEvent::OfferAnswered { .. }
                | SessionEvent::OfferRefused { .. }
        );
        let leg = self.bridge.as_ref().and_then(|bridged| bridged.leg(key));
        let Some(leg) = leg.filter(|_| about_offers) else { return false };
        self.with_bridge(|bridge, ends| bridge.handle_event(now, leg, event, ends));
        true
    }

    /// The phone of this leg has agreed to something that the other is to follow.
    pub(super) fn follow_in_bridge(&mut self, key: LegKey) {
        if let Some(bridged) = &mut self.bridge
            && let Some(leg) = bridged.leg(key)
        {
            bridged.bridge.is_followed(leg);
        }
        self.name_payload_types();
    }

    /// Lets the bridge go on with what had to wait.
    pub(super) fn settle_bridge(&mut self, now: Instant) {
        self.with_bridge(|bridge, ends| bridge.settle(now, ends));
    }

    pub(super) fn bridge_timeout(&mut self, now: Instant) {
        self.with_bridge(|bridge, ends| bridge.handle_timeout(now, ends));
    }

    /// Lends both legs to the bridge, and has the media follow what it has changed.
    fn with_bridge(&mut self, step: impl FnOnce(&mut Bridge, &mut Ends<'_>)) {
        let Some(mut bridged) = self.bridge.take() else { return };
        // A leg at its end leaves the map for this step, so that both can be held at once.
        let Some(mut first) = self.legs.remove(&bridged.a) else { return };
        let Some(second) = self.legs.get_mut(&bridged.b) else {
            self.legs.insert(bridged.a, first);
            return;
        };
        step(&mut bridged.bridge, &mut Ends { a: end(&mut first), b: end(second) });
        self.legs.insert(bridged.a, first);
        let mut moved = false;
        while let Some((leg, plan)) = bridged.bridge.poll_changed() {
            moved = true;
            let key = match leg {
                BridgedLeg::A => bridged.a,
                BridgedLeg::B => bridged.b,
            };
            self.follow(key, &plan);
            self.emit(CallEvent::MediaChanged { leg: key, plan });
        }
        self.bridge = Some(bridged);
        if moved {
            self.name_payload_types();
        }
    }

    /// Has what is relayed bear the payload types that its listener has asked for, which need not be those of its speaker.
    fn name_payload_types(&mut self) {
        if let Some(Bridged { a, b, .. }) = self.bridge {
            self.name_payload_types_of(a, b);
        }
    }

    pub(super) fn name_payload_types_of(&mut self, a: LegKey, b: LegKey) {
        for (key, other) in [(a, b), (b, a)] {
            let Some(other) = self.legs.get(&other).and_then(|other| other.agreement.plan()).cloned() else { continue };
            let Some(leg) = self.legs.get_mut(&key) else { continue };
            let (Some(media), Some(plan)) = (&mut leg.media, leg.agreement.plan()) else { continue };
            let Some(types) = media.reads_anew(plan, &other) else { continue };
            let (worker, id, call_id) = (media.worker.clone(), media.id, self.call_id.clone());
            self.chores.push(Box::pin(async move {
                told(&call_id, worker.set_payload_types(id, types).await);
                ChoreDone::PlanFollowed
            }));
        }
    }
}

/// What became of telling the media worker something.
pub(super) fn told(call_id: &str, outcome: Result<(), WorkerError>) {
    match outcome {
        // A call that is hung up as soon as it is answered: its leg has ended meanwhile.
        Ok(()) | Err(WorkerError::UnknownLeg) => {}
        Err(error) => tracing::warn!(%call_id, %error, "the media worker did not learn what was agreed"),
    }
}

fn end(leg: &mut Leg) -> End<'_> {
    End { session: &mut leg.session, agreement: &mut leg.agreement }
}

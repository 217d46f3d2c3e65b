//! Two sessions that a server joins to one conversation: what one phone offers is offered to the other, whose answer is the answer.
//!
//! ```text
//!   phone A          session A  Bridge  session B          phone B
//!      │ re-INVITE (sendonly)   │          │                  │
//!      ├────────────────────────┤ Offer    │                  │
//!      │                        ├─────────►│ re-INVITE (sendonly)
//!      │                        │          ├─────────────────►│
//!      │                        │          │ 200 (recvonly)   │
//!      │         200 (recvonly) │◄─────────┤◄─────────────────┤
//!      │◄───────────────────────┤          │ ACK              │
//!      │ ACK                    │          ├─────────────────►│
//! ```
//!
//! - A refusal of B is A's refusal, and both keep what they had (RFC 3261 §14.1). The end of B (408, 481, silence) ends both, which the owner of the
//!   sessions sees to.
//! - Offers that cross get 491, at both phones; each tries again in its own time (§14.1), as if the server were not there.
//! - An offer that asks for nothing new (a refresh, or media that moved) is answered here, and B is left in peace.
//! - Where both disagree after all (a CANCEL that crossed the 200, a delayed answer that took less than was there), the one that changed last is
//!   offered to the other.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use blether_sip_core::{Response, RetryAfter, StatusCode};
use bytes::Bytes;

use crate::agreement::Agreement;
use crate::invite::{EndCause, InviteSession, SessionEvent};
use crate::negotiation::{MediaCapabilities, MediaPlan, ReceivedOffer};

/// How many offers of its own the bridge makes until a phone changes something again: two phones that never agree are left so.
const MOST_REPAIRS: u8 = 4;

/// How long the other phone may take over an offer that came in an UPDATE. Whoever sent it waits 32 s at most (64×T1), and ends the call then.
const UPDATE_PATIENCE: Duration = Duration::from_secs(8);

/// How long the bridge waits with its next offer when a phone refuses one for the time being and does not say until when: as long as RFC 3261
/// §14.1 has whoever chose the Call-ID wait at most.
const REPAIR_PAUSE: Duration = Duration::from_secs(4);

/// The longest that a phone may have the bridge wait (Retry-After); then the two are told again what they should both know.
const LONGEST_REPAIR_PAUSE: Duration = Duration::from_secs(60);

/// One of the two sessions of a bridge; which is which makes no difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BridgedLeg {
    /// The one.
    A,
    /// The other.
    B,
}

impl BridgedLeg {
    /// The other of the two.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    fn index(self) -> usize {
        match self {
            Self::A => 0,
            Self::B => 1,
        }
    }
}

/// One session of a bridge, lent to it for one step.
#[derive(Debug)]
pub struct End<'a> {
    /// The session.
    pub session: &'a mut InviteSession,
    /// What it has agreed to.
    pub agreement: &'a mut Agreement,
}

/// Both sessions, lent for one step.
#[derive(Debug)]
pub struct Ends<'a> {
    /// [`BridgedLeg::A`].
    pub a: End<'a>,
    /// [`BridgedLeg::B`].
    pub b: End<'a>,
}

impl<'a> Ends<'a> {
    fn of(&mut self, leg: BridgedLeg) -> &mut End<'a> {
        match leg {
            BridgedLeg::A => &mut self.a,
            BridgedLeg::B => &mut self.b,
        }
    }

    /// The leg itself, and the other.
    fn pair(&mut self, leg: BridgedLeg) -> (&mut End<'a>, &mut End<'a>) {
        match leg {
            BridgedLeg::A => (&mut self.a, &mut self.b),
            BridgedLeg::B => (&mut self.b, &mut self.a),
        }
    }

    /// Whether both phones were told the same: as many directions, and the same codecs.
    fn agree(&self) -> bool {
        let (Some(a), Some(b)) = (self.a.agreement.plan(), self.b.agreement.plan()) else { return true };
        a.direction == b.direction.reversed()
            && a.same_formats(b).count() == a.formats.len()
            && b.same_formats(a).count() == b.formats.len()
    }
}

/// An offer of one phone that the other has not answered.
#[derive(Debug)]
struct UnderWay {
    from: BridgedLeg,
    step: Step,
    /// When it is given up, if it came in an UPDATE.
    until: Option<Instant>,
}

#[derive(Debug)]
enum Step {
    /// The other session has something under way itself. Without an offer, the phone wants one.
    Waiting(Option<ReceivedOffer>),
    /// The other phone has it.
    Passed(Option<ReceivedOffer>),
    /// The other phone has made the offer that was wanted, and the phone that wanted it has that: its answer comes with its ACK, and goes
    /// into the other ACK.
    Returned(ReceivedOffer),
    /// Whoever made it waits no more, but the other phone may accept it all the same.
    TakenBack,
}

/// Joins two sessions, as the picture at the top of this file has it.
///
/// It is told the events of both sessions that concern offers, and lent the sessions for it. After each [`handle_event`](Self::handle_event) and whenever
/// something else has happened in one of the sessions, [`settle`](Self::settle) is to be called. The sessions' own events and transmits are
/// left to their owner.
#[derive(Debug)]
pub struct Bridge {
    under_way: Option<UnderWay>,
    /// Whose agreement changed last.
    newest: BridgedLeg,
    /// Whether the phone of A, and that of B, may not know what its session has agreed to: it has accepted what cannot be followed, or was not told the answer. So
    /// until it has agreed to something else.
    unsure: [bool; 2],
    repairs_left: u8,
    /// A phone has asked to be left in peace until then.
    repair_at: Option<Instant>,
    changed: VecDeque<(BridgedLeg, MediaPlan)>,
}

impl Bridge {
    /// Joins two sessions in which nothing is under way but, perhaps, an ACK. Should they not have agreed to the same, `newest` is the one that the
    /// other is to follow.
    pub fn new(newest: BridgedLeg) -> Self {
        Self {
            under_way: None,
            newest,
            unsure: [false; 2],
            repairs_left: MOST_REPAIRS,
            repair_at: None,
            changed: VecDeque::new(),
        }
    }

    /// This leg's phone has agreed to something outside of what the bridge was told (an answer in the ACK of a call's first INVITE): where
    /// the other one has not, it is to follow.
    pub fn is_followed(&mut self, leg: BridgedLeg) {
        self.newest = leg;
    }

    /// A change that is in force, for the media to follow.
    pub fn poll_changed(&mut self) -> Option<(BridgedLeg, MediaPlan)> {
        self.changed.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let until = self.under_way.as_ref().and_then(|under_way| under_way.until);
        until.into_iter().chain(self.repair_at).min()
    }

    /// Gives up an UPDATE that the other phone takes too long over: 504 (RFC 3311 §5.2). Offers again what a phone wanted later.
    pub fn handle_timeout(&mut self, now: Instant, ends: &mut Ends<'_>) {
        if let Some(UnderWay { from, until: Some(until), .. }) = &self.under_way
            && *until <= now
        {
            let (near, _) = ends.pair(*from);
            refuse(now, near, StatusCode::SERVER_TIMEOUT);
            self.take_back(now, ends);
        }
        if self.repair_at.take_if(|at| *at <= now).is_some() {
            self.settle(now, ends);
        }
    }

    /// Takes in an event of one of the sessions. What is not about offers is left alone.
    pub fn handle_event(&mut self, now: Instant, leg: BridgedLeg, event: &SessionEvent, ends: &mut Ends<'_>) {
        match event {
            SessionEvent::Offer { sdp } if self.has_asked(leg) => self.returned(now, leg, sdp, ends),
            SessionEvent::Offer { sdp } => self.offered(now, leg, sdp, ends),
            SessionEvent::OfferWanted => self.begin(now, leg, None, ends),
            SessionEvent::OfferWithdrawn if self.under_way.as_ref().is_some_and(|under_way| under_way.from == leg) => {
                self.take_back(now, ends);
            }
            SessionEvent::OfferAnswered { sdp } => self.answered(now, leg, sdp.as_ref(), ends),
            SessionEvent::OfferRefused { response } => self.refused(now, leg, response, ends),
            _ => {}
        }
        self.settle(now, ends);
    }

    /// Goes on with what had to wait for one of the sessions.
    pub fn settle(&mut self, now: Instant, ends: &mut Ends<'_>) {
        match self.under_way.take() {
            Some(UnderWay { from, step: Step::Waiting(offer), until }) => self.pass_on(now, from, offer, until, ends),
            None => self.repair(now, ends),
            under_way => self.under_way = under_way,
        }
    }

    /// Whether this leg's phone was asked for an offer.
    fn has_asked(&self, leg: BridgedLeg) -> bool {
        self.under_way.as_ref().is_some_and(|UnderWay { from, step, .. }| {
            // One that was taken back may have been one of these too; an offer of its own would have met ours.
            from.other() == leg && matches!(step, Step::Passed(None) | Step::TakenBack)
        })
    }

    fn offered(&mut self, now: Instant, leg: BridgedLeg, sdp: &[u8], ends: &mut Ends<'_>) {
        let (near, far) = ends.pair(leg);
        let received = match near.agreement.apply_offer(sdp) {
            Ok(received) if !received.wishes().audio.is_empty() => received,
            Ok(_) => return refuse(now, near, StatusCode::NOT_ACCEPTABLE_HERE),
            Err(error) => {
                tracing::info!(call_id = %near.session.call_id(), %error, "a new offer is refused; what was agreed stays");
                return refuse(now, near, StatusCode::NOT_ACCEPTABLE_HERE);
            }
        };
        if let Some(plan) = far.agreement.plan()
            && self.under_way.is_none()
            && near.agreement.is_repeated_by(&received)
        {
            let capabilities = MediaCapabilities::from_plan(plan);
            let same_way = near
                .agreement
                .plan()
                .is_some_and(|plan| plan.direction.reversed() == meeting(&capabilities, &received));
            if same_way {
                return self.answer(now, leg, received, &capabilities, ends);
            }
        }
        self.begin(now, leg, Some(received), ends);
    }

    fn begin(&mut self, now: Instant, from: BridgedLeg, offer: Option<ReceivedOffer>, ends: &mut Ends<'_>) {
        let near = ends.of(from);
        if self.under_way.is_some() {
            return refuse(now, near, StatusCode::REQUEST_PENDING);
        }
        self.repairs_left = MOST_REPAIRS;
        let until = near.session.is_update_waiting().then(|| now + UPDATE_PATIENCE);
        self.under_way = Some(UnderWay { from, step: Step::Waiting(offer), until });
    }

    fn pass_on(
        &mut self,
        now: Instant,
        from: BridgedLeg,
        offer: Option<ReceivedOffer>,
        until: Option<Instant>,
        ends: &mut Ends<'_>,
    ) {
        let (near, far) = ends.pair(from);
        if far.session.is_offer_postponed() {
            // What the bridge wanted to repair is asked for anew.
            far.session.withdraw_offer(now);
            far.agreement.offer_refused();
        }
        if !far.session.may_offer() {
            self.under_way = Some(UnderWay { from, step: Step::Waiting(offer), until });
            return;
        }
        let description = offer.as_ref().map(|offer| far.agreement.offer(&offer.wishes()));
        let passed = match description {
            Some(None) => false,
            description => far.session.pass_on_offer(now, description.flatten()).is_ok(),
        };
        if passed {
            self.under_way = Some(UnderWay { from, step: Step::Passed(offer), until });
        } else {
            far.agreement.offer_refused();
            refuse(now, near, StatusCode::SERVER_INTERNAL_ERROR);
        }
    }

    /// The phone that made the offer takes it back, or has waited too long.
    fn take_back(&mut self, now: Instant, ends: &mut Ends<'_>) {
        let Some(UnderWay { from, step, .. }) = self.under_way.take() else { return };
        let step = match step {
            Step::Waiting(_) => return,
            Step::Passed(_) | Step::TakenBack => {
                ends.of(from.other()).session.withdraw_offer(now);
                Step::TakenBack
            }
            // It has its 200 already.
            returned @ Step::Returned(_) => returned,
        };
        self.under_way = Some(UnderWay { from, step, until: None });
    }

    /// The phone of `leg` makes the offer that the other has wanted.
    fn returned(&mut self, now: Instant, leg: BridgedLeg, sdp: &Bytes, ends: &mut Ends<'_>) {
        let until = self.under_way.take().and_then(|under_way| under_way.until);
        let (far, near) = ends.pair(leg);
        let received = match far.agreement.apply_offer(sdp) {
            Ok(received) => received,
            Err(error) => {
                tracing::info!(call_id = %far.session.call_id(), %error, "the offer in a 2xx cannot be used; hanging up");
                refuse(now, near, StatusCode::NOT_ACCEPTABLE_HERE);
                return far.session.end(now, EndCause::Rejected(StatusCode::NOT_ACCEPTABLE_HERE));
            }
        };
        let offered = near.agreement.offer(&received.wishes());
        if offered.is_some_and(|description| near.session.accept_offer(now, description).is_ok()) {
            self.under_way = Some(UnderWay { from: leg.other(), step: Step::Returned(received), until });
            return;
        }
        // Nobody wants it any more: the far phone gets what the near one has.
        near.agreement.offer_refused();
        let capabilities = near.agreement.plan().map_or_else(MediaCapabilities::g711, MediaCapabilities::from_plan);
        self.answer(now, leg, received, &capabilities, ends);
    }

    /// Answers an offer of the phone of `leg`.
    fn answer(
        &mut self,
        now: Instant,
        leg: BridgedLeg,
        received: ReceivedOffer,
        capabilities: &MediaCapabilities,
        ends: &mut Ends<'_>,
    ) {
        let end = ends.of(leg);
        match end.agreement.answer(received, capabilities) {
            Ok((description, plan)) => {
                if end.session.accept_offer(now, description).is_ok() {
                    self.note(leg, plan);
                } else {
                    // It was taken back, or is over; but what it was to be told is not what it knows.
                    self.mark(leg, true);
                }
            }
            Err(error) => {
                tracing::info!(call_id = %end.session.call_id(), %error, "a new offer is refused; what was agreed stays");
                refuse(now, end, StatusCode::NOT_ACCEPTABLE_HERE);
                // The other phone may have accepted it, and gets back what is in force here.
                self.newest = leg;
            }
        }
    }

    fn answered(&mut self, now: Instant, leg: BridgedLeg, sdp: Option<&Bytes>, ends: &mut Ends<'_>) {
        let under_way = self.under_way.take();
        match under_way {
            Some(UnderWay { from, step: Step::Passed(Some(received)), .. }) if from.other() == leg => {
                let (far, near) = ends.pair(leg);
                match far.agreement.apply_answer(sdp.map_or(&[][..], |sdp| sdp)) {
                    Ok(Some(plan)) => {
                        let capabilities = MediaCapabilities::from_plan(&plan);
                        self.note(leg, plan);
                        self.answer(now, from, received, &capabilities, ends);
                    }
                    Ok(None) => refuse(now, near, StatusCode::SERVER_INTERNAL_ERROR),
                    Err(error) => {
                        tracing::info!(call_id = %far.session.call_id(), %error, "the answer agrees on nothing");
                        self.mark(leg, true);
                        refuse(now, near, StatusCode::NOT_ACCEPTABLE_HERE);
                    }
                }
            }
            // A 2xx to a re-INVITE without offer must have one (RFC 3261 §13.3.1).
            Some(UnderWay { from, step: Step::Passed(None), .. }) if from.other() == leg => {
                refuse(now, ends.of(from), StatusCode::NOT_ACCEPTABLE_HERE);
            }
            Some(UnderWay { from, step: Step::Returned(received), .. }) if from == leg => {
                let near = ends.of(leg);
                match near.agreement.apply_answer(sdp.map_or(&[][..], |sdp| sdp)) {
                    Ok(Some(plan)) => {
                        let capabilities = MediaCapabilities::from_plan(&plan);
                        self.note(leg, plan);
                        self.answer(now, leg.other(), received, &capabilities, ends);
                    }
                    // Nothing can be said to the other phone, whose 2xx stands.
                    Ok(None) | Err(_) => {
                        tracing::info!(call_id = %near.session.call_id(), "the ACK has no answer to use; hanging up");
                        near.session.end(now, EndCause::Failed);
                    }
                }
            }
            under_way => {
                let taken_back =
                    matches!(&under_way, Some(UnderWay { from, step: Step::TakenBack, .. }) if from.other() == leg);
                self.under_way = under_way.filter(|_| !taken_back);
                let end = ends.of(leg);
                match end.agreement.apply_answer(sdp.map_or(&[][..], |sdp| sdp)) {
                    // Whoever had asked for it has taken it back: what that one knows holds.
                    Ok(Some(plan)) if taken_back => {
                        self.note(leg, plan);
                        self.newest = leg.other();
                    }
                    Ok(Some(plan)) => self.note(leg, plan),
                    Ok(None) => {}
                    Err(error) if self.repairs_left > 0 => {
                        tracing::info!(call_id = %end.session.call_id(), %error, "the answer agrees on nothing");
                        self.mark(leg, true);
                    }
                    Err(error) => {
                        tracing::info!(call_id = %end.session.call_id(), %error, "the answer agrees on nothing; hanging up");
                        end.session.end(now, EndCause::Failed);
                    }
                }
            }
        }
    }

    fn refused(&mut self, now: Instant, leg: BridgedLeg, response: &Response, ends: &mut Ends<'_>) {
        let status = response.status();
        ends.of(leg).agreement.offer_refused();
        match self.under_way.take() {
            Some(UnderWay { from, step: Step::Passed(_), .. }) if from.other() == leg => {
                refuse(now, ends.of(from), for_the_other_phone(status));
            }
            Some(UnderWay { from, step: Step::TakenBack, .. }) if from.other() == leg => {}
            under_way => {
                self.under_way = under_way;
                // A repair that the phone does not want. It may want it later where it says so.
                match status.code() {
                    491 | 500..=599 => self.repair_at = Some(now + pause_after(response)),
                    _ => self.repairs_left = 0,
                }
            }
        }
    }

    /// Offers what one phone has to the other, if they do not have the same.
    fn repair(&mut self, now: Instant, ends: &mut Ends<'_>) {
        if self.repair_at.is_some() {
            return;
        }
        let unsure = [BridgedLeg::A, BridgedLeg::B].into_iter().find(|leg| self.unsure.get(leg.index()) == Some(&true));
        if (ends.agree() && unsure.is_none()) || !ends.a.session.may_offer() || !ends.b.session.may_offer() {
            return;
        }
        // Whoever refuses or cannot be asked just now stays unsure, and is asked again.
        let to = unsure.unwrap_or(self.newest.other());
        let (far, near) = ends.pair(to);
        let Some(left) = self.repairs_left.checked_sub(1) else { return };
        let Some(plan) = near.agreement.plan() else { return };
        self.repairs_left = left;
        let Some(description) = far.agreement.offer(&MediaCapabilities::from_plan(plan)) else { return };
        if let Err(error) = far.session.offer(now, description) {
            tracing::debug!(call_id = %far.session.call_id(), %error, "what the other phone has is not offered");
            far.agreement.offer_refused();
        }
    }

    fn mark(&mut self, leg: BridgedLeg, unsure: bool) {
        if let Some(mark) = self.unsure.get_mut(leg.index()) {
            *mark = unsure;
        }
    }

    /// The phone of this leg has agreed to `plan`, and knows it.
    fn note(&mut self, leg: BridgedLeg, plan: MediaPlan) {
        self.mark(leg, false);
        self.newest = leg;
        self.changed.push_back((leg, plan));
    }
}

fn refuse(now: Instant, end: &mut End<'_>, status: StatusCode) {
    if let Err(error) = end.session.refuse_offer(now, status) {
        tracing::debug!(call_id = %end.session.call_id(), %error, "the offer was withdrawn before it was refused");
    }
}

/// How long a phone that refuses for the time being is left in peace (RFC 3261 §14.2, §20.33).
fn pause_after(response: &Response) -> Duration {
    match response.headers().get::<RetryAfter>() {
        Ok(Some(after)) => Duration::from_secs(after.seconds.into()).min(LONGEST_REPAIR_PAUSE),
        // One that cannot be read says nothing.
        Ok(None) | Err(_) => REPAIR_PAUSE,
    }
}

/// What a refusal of one phone means to the other. A challenge or a redirection concerns the server alone; 487 says that the asker had cancelled,
/// and 503 keeps it from this server (RFC 3261 §16.7). Many others would have the asker take its own dialog for over (RFC 3261 §12.2.1.2, RFC 5057
/// §5.1), which it is not: the session of the phone that refused goes on too, but for 408 and 481.
fn for_the_other_phone(status: StatusCode) -> StatusCode {
    match status.code() {
        300..=399 | 401 | 407 => StatusCode::NOT_ACCEPTABLE_HERE,
        404 | 405 | 410 | 416 | 480 | 484 | 485 | 489 | 604 => StatusCode::NOT_ACCEPTABLE_HERE,
        408 | 481 | 487 => StatusCode::SERVER_TIMEOUT,
        482 | 483 | 501 | 502 | 503 => StatusCode::SERVER_INTERNAL_ERROR,
        _ => status,
    }
}

/// The direction that an answer with these capabilities would have for the phone that offers (RFC 3264 §6.1).
fn meeting(capabilities: &MediaCapabilities, offer: &ReceivedOffer) -> blether_sip_core::sdp::Direction {
    let (ours, theirs) = (capabilities.direction, offer.direction());
    blether_sip_core::sdp::Direction::new(theirs.sends() && ours.receives(), theirs.receives() && ours.sends())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail at any step")]
mod tests {
    use super::*;
    use blether_sip_core::{Method, NameAddr, Request, Uri};

    #[test]
    fn a_phone_is_left_in_peace_for_as_long_as_it_says_but_not_for_ever() {
        let uri: Uri = "sip:a@192.0.2.1".parse().unwrap();
        let request = Request::builder(Method::Invite, uri.clone())
            .from(NameAddr::new(uri.clone()).with_tag("1"))
            .to(NameAddr::new(uri))
            .call_id("c")
            .cseq(1)
            .build()
            .unwrap();
        let pause = |seconds: u32| {
            let later = Response::to_request(&request, StatusCode::SERVER_INTERNAL_ERROR);
            pause_after(&later.header(RetryAfter::new(seconds)).build())
        };
        assert_eq!(pause(7), Duration::from_secs(7));
        assert_eq!(pause(86_400), LONGEST_REPAIR_PAUSE);
        let silent = Response::to_request(&request, StatusCode::SERVICE_UNAVAILABLE).build();
        assert_eq!(pause_after(&silent), REPAIR_PAUSE);
    }
}

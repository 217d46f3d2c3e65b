//! What each message, session event and request of the application means for a call.

use std::net::SocketAddr;
use std::time::Instant;

use blether_rtp_core::{LegEvent, LegStatistics};
use blether_sip_core::StatusCode;

use super::bridge::told;
use super::call::{CallError, CallEvent, Dial, Op};
use super::dispatcher::Command;
use super::leg::{Leg, contact_uri};
use super::mailbox::CallMessage;
use super::media::{MediaLeg, follow_plan};
use super::runner::{CallActor, ChoreDone};
use super::{HandlerFuture, LegKey, random_token};
use crate::{Agreement, EndCause, InviteSession, MediaPlan, OutgoingInvite, Party, SessionEvent};

/// Room in the event queue that digits and other reports of the media may not use, so that the end of a leg always finds a place.
const EVENTS_RESERVED: usize = 64;

impl CallActor {
    /// Gives the call its caller: a leg that an INVITE opened.
    pub(super) fn adopt(&mut self, session: InviteSession, offer: bytes::Bytes, handler: HandlerFuture) {
        let mut leg = Leg::new(session, Agreement::new(self.session_id()));
        leg.peer = leg.session.invite().and_then(contact_uri);
        leg.offer = (!offer.is_empty()).then_some(offer);
        self.legs.insert(LegKey::PRIMARY, Box::new(leg));
        self.handler = Some(handler);
    }

    pub(super) fn handle_message(&mut self, now: Instant, message: CallMessage) {
        let key = match &message {
            CallMessage::Request { leg, .. }
            | CallMessage::Ack { leg, .. }
            | CallMessage::Cancelled { leg, .. }
            | CallMessage::NotAcknowledged { leg }
            | CallMessage::Response { leg, .. }
            | CallMessage::ByeSent { leg, .. }
            | CallMessage::Failed { leg, .. }
            | CallMessage::GoesBy { leg, .. }
            | CallMessage::TransactionOver { leg, .. }
            | CallMessage::Media { leg, .. } => *leg,
            CallMessage::ShutDown => return self.begin_ending(now, EndCause::HungUp),
        };
        let Some(leg) = self.legs.get_mut(&key) else {
            // The leg ended while the message waited.
            if let CallMessage::Request { transaction, request, .. } = message {
                self.outbox.push_back(Command::NoSuchDialog { transaction, request: Box::new(request) });
            }
            return;
        };
        match message {
            CallMessage::Request { transaction, request, flow, .. } => {
                leg.session.handle_request(now, transaction, request, flow)
            }
            CallMessage::Ack { request, .. } => leg.session.handle_ack(now, request),
            CallMessage::Cancelled { transaction, .. } => leg.session.handle_cancelled(now, transaction),
            CallMessage::NotAcknowledged { .. } => leg.session.handle_not_acknowledged(now),
            CallMessage::Response { token, response, flow, .. } => {
                leg.session.handle_response(now, token, response, flow)
            }
            CallMessage::ByeSent { token, .. } => leg.session.handle_sent(token),
            CallMessage::Failed { token, failure, .. } => leg.session.handle_failure(now, token, failure),
            CallMessage::GoesBy { token, flow, .. } => leg.session.handle_way(token, flow),
            CallMessage::TransactionOver { token, .. } => leg.session.handle_transaction_over(token),
            CallMessage::Media { leg: key, event } => {
                // A leg without sound is no call: it ends.
                if matches!(event, LegEvent::ProcessorPanicked | LegEvent::SocketFailed) {
                    leg.session.end(now, EndCause::Failed);
                }
                if matches!(event, LegEvent::Silent | LegEvent::Heard) {
                    // What was told as the peer was put on hold is out of date.
                    leg.silent = event == LegEvent::Silent && leg.is_listening();
                    self.end_if_silent(now, key);
                } else if matches!(event, LegEvent::Gone | LegEvent::Back) {
                    leg.gone = event == LegEvent::Gone;
                    self.end_if_silent(now, key);
                }
                self.emit(CallEvent::Media { leg: key, event });
            }
            CallMessage::ShutDown => {}
        }
    }

    /// Drains what the sessions want sent and have to say, until they are quiet, closes the media of the legs that have said goodbye, and
    /// forgets those that are over.
    pub(super) fn settle(&mut self) {
        let now = Instant::now();
        loop {
            let moved = self.drain(now);
            // What the legs do for each other comes after what each has to say itself.
            self.end_together(now);
            self.witness_goodbye(now);
            self.settle_bridge(now);
            if !(self.drain(now) || moved || self.finish_legs(now)) {
                break;
            }
        }
        self.close_media();
        self.flush();
    }

    /// Takes from each session what it wants sent and has to say; whether there was anything.
    fn drain(&mut self, now: Instant) -> bool {
        let mut moved = false;
        let mut place = 0;
        while let Some(key) = self.legs.keys().nth(place).copied() {
            while let Some(leg) = self.legs.get_mut(&key)
                && let Some(transmit) = leg.session.poll_transmit()
            {
                moved = true;
                // They are for the INVITE, which is the first that is sent.
                let targets = std::mem::take(&mut leg.targets);
                let (call, transmit) = (self.key, Box::new(transmit));
                self.outbox.push_back(Command::Transmit { call, leg: key, transmit, targets });
            }
            while let Some(event) = self.legs.get_mut(&key).and_then(|leg| leg.session.poll_event()) {
                moved = true;
                self.session_event(now, key, event);
            }
            place += 1;
        }
        moved
    }

    fn session_event(&mut self, now: Instant, key: LegKey, event: SessionEvent) {
        if self.bridge_event(now, key, &event) {
            return;
        }
        let Some(leg) = self.legs.get_mut(&key) else { return };
        match event {
            // Of several phones behind a fork, the first that is heard is heard until one answers.
            SessionEvent::Progress { sdp: Some(_) } if leg.agreement.plan().is_some() => {}
            SessionEvent::Progress { sdp: Some(sdp) } => match leg.agreement.apply_early_answer(&sdp) {
                Ok(Some(plan)) => {
                    self.follow(key, &plan);
                    self.emit(CallEvent::EarlyMedia { leg: key, plan });
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!(call_id = %self.call_id, %error, "early media that agrees on nothing is not heard");
                    self.emit(CallEvent::Ringing { leg: key });
                }
            },
            SessionEvent::Ringing | SessionEvent::Progress { sdp: None } => self.emit(CallEvent::Ringing { leg: key }),
            SessionEvent::Answered { sdp } => match leg.agreement.apply_answer(sdp.as_deref().unwrap_or_default()) {
                Ok(Some(plan)) => {
                    self.follow(key, &plan);
                    if let Some(leg) = self.legs.get_mut(&key) {
                        leg.answered = true;
                    }
                    self.talks(now, key);
                    self.emit(CallEvent::Answered { leg: key, plan });
                }
                // A second 2xx is the session's own business: it never says `Answered` twice.
                Ok(None) => {}
                Err(error) => {
                    tracing::info!(call_id = %self.call_id, %error, "the answer agrees on nothing; hanging up");
                    leg.session.end(now, EndCause::Failed);
                    self.refused(key, StatusCode::NOT_ACCEPTABLE_HERE, EndCause::Failed);
                }
            },
            SessionEvent::Confirmed { sdp } => self.confirmed(now, key, sdp.as_ref()),
            SessionEvent::Offer { sdp } => self.offered(now, key, &sdp),
            SessionEvent::Refused { response, cause } => self.refused(key, response.status(), cause),
            SessionEvent::Ended { by, cause } => {
                leg.ended = Some((by, cause));
                let linked = leg.linked.take();
                if key == LegKey::PRIMARY || linked == Some(LegKey::PRIMARY) {
                    self.witness_end(now, key, by, cause);
                }
                if let Some(linked) = linked
                    && let Some(other) = self.legs.get_mut(&linked)
                {
                    self.bridge = None;
                    other.linked = None;
                    other.session.end(now, cause);
                }
                if key == LegKey::PRIMARY {
                    self.begin_ending(now, cause);
                }
            }
            SessionEvent::OfferWanted => self.offer_wanted(now, key),
            SessionEvent::OfferAnswered { sdp: Some(sdp) } => self.offer_answered(now, key, &sdp),
            SessionEvent::OfferAnswered { sdp: None } | SessionEvent::OfferRefused { .. } => {
                leg.agreement.offer_refused()
            }
            // The session has dealt with it.
            SessionEvent::OfferWithdrawn => {}
            // INFO was answered by the session; what it carries has no meaning here.
            SessionEvent::Info { .. } => {}
        }
    }

    /// A dialled leg will not be answered: said at once, however long its CANCEL or BYE takes.
    fn refused(&mut self, key: LegKey, status: StatusCode, cause: EndCause) {
        let Some(leg) = self.legs.get_mut(&key) else { return };
        leg.refused = Some(status);
        self.emit(CallEvent::Refused { leg: key, status, cause });
    }

    fn confirmed(&mut self, now: Instant, key: LegKey, sdp: Option<&bytes::Bytes>) {
        let Some(leg) = self.legs.get_mut(&key) else { return };
        let agreed = match leg.offer {
            Some(_) => Ok(None),
            // Our 200 made the offer; where the ACK has no answer (RFC 3261 §13.2.1), nothing is agreed.
            None => leg.agreement.apply_answer(sdp.map_or(&[][..], |sdp| sdp)),
        };
        match agreed {
            Ok(plan) => {
                if let Some(plan) = &plan {
                    self.follow(key, plan);
                    self.follow_in_bridge(key);
                }
                self.emit(CallEvent::Confirmed { leg: key, plan });
            }
            Err(error) => {
                tracing::info!(call_id = %self.call_id, %error, "the answer in the ACK agrees on nothing; hanging up");
                leg.session.end(now, EndCause::Failed);
            }
        }
    }

    /// A new offer within the session (re-INVITE, UPDATE) is answered here, with what the leg could do from the start, whatever the
    /// handler is busy with.
    fn offered(&mut self, now: Instant, key: LegKey, sdp: &[u8]) {
        let Some(leg) = self.legs.get_mut(&key) else { return };
        match leg.answer_offer(sdp) {
            Ok((description, plan)) => {
                // The offer may have been withdrawn meanwhile; the next one renews what is agreed.
                if leg.session.accept_offer(now, description).is_ok() {
                    self.follow(key, &plan);
                    self.emit(CallEvent::MediaChanged { leg: key, plan });
                }
            }
            Err(error) => {
                tracing::info!(call_id = %self.call_id, %error, "a new offer is refused; what was agreed stays");
                self.refuse_offer(now, key);
            }
        }
    }

    /// The peer asks for an offer of ours (a re-INVITE without one): it gets what the leg can do.
    fn offer_wanted(&mut self, now: Instant, key: LegKey) {
        let Some(leg) = self.legs.get_mut(&key) else { return };
        let Some(description) = leg.offer_again() else { return self.refuse_offer(now, key) };
        if leg.session.accept_offer(now, description).is_err() {
            tracing::debug!(call_id = %self.call_id, "the wish for an offer was withdrawn");
        }
    }

    fn offer_answered(&mut self, now: Instant, key: LegKey, sdp: &[u8]) {
        let Some(leg) = self.legs.get_mut(&key) else { return };
        match leg.agreement.apply_answer(sdp) {
            Ok(Some(plan)) => {
                self.follow(key, &plan);
                self.emit(CallEvent::MediaChanged { leg: key, plan });
            }
            Ok(None) => {}
            Err(error) => {
                tracing::info!(call_id = %self.call_id, %error, "the answer agrees on nothing; hanging up");
                leg.session.end(now, EndCause::Failed);
            }
        }
    }

    pub(super) fn refuse_offer(&mut self, now: Instant, key: LegKey) {
        if let Some(leg) = self.legs.get_mut(&key)
            && leg.session.refuse_offer(now, StatusCode::NOT_ACCEPTABLE_HERE).is_err()
        {
            tracing::debug!(call_id = %self.call_id, "the offer was withdrawn before it was refused");
        }
    }

    pub(super) fn follow(&mut self, key: LegKey, plan: &MediaPlan) {
        let Some(leg) = self.legs.get_mut(&key) else { return };
        // Who is not to be heard is not silent.
        leg.silent &= leg.is_listening();
        let Some(media) = &leg.media else { return };
        let (worker, id, plan, call_id) = (media.worker.clone(), media.id, plan.clone(), self.call_id.clone());
        self.chores.push(Box::pin(async move {
            told(&call_id, follow_plan(&worker, id, &plan).await);
            ChoreDone::PlanFollowed
        }));
    }

    /// The leg has been answered: from here on its peer is to be heard.
    fn talks(&mut self, now: Instant, key: LegKey) {
        if let Some(leg) = self.legs.get_mut(&key) {
            leg.talks_since = Some(now);
        }
        self.end_if_silent(now, key);
    }

    /// Ends a call that nobody is on any more: nothing is heard of the leg, nor of the one that it is linked to. One that is on hold
    /// is not expected to be heard, so holding ends nothing before that one has been quiet for much longer.
    fn end_if_silent(&mut self, now: Instant, key: LegKey) {
        let Some(silent) = self.config.end_when_silent else { return };
        let gone = self.config.end_when_gone;
        let Some(leg) = self.legs.get(&key).filter(|leg| leg.session.is_established()) else { return };
        let Some(mut ends_at) = leg.deserted_from(silent, gone) else { return };
        if let Some(linked) = leg.linked {
            let linked = self.legs.get(&linked).and_then(|leg| leg.deserted_from(silent, gone));
            let Some(linked) = linked else { return };
            ends_at = ends_at.max(linked);
        }
        if ends_at > now {
            // Another leg may be due before.
            self.silence_due = Some(self.silence_due.map_or(ends_at, |due| due.min(ends_at)));
            return;
        }
        tracing::info!(call_id = %self.call_id, "nothing has been heard for too long; the call is ended");
        metrics::counter!("blether_session_silent_calls_ended_total").increment(1);
        self.begin_ending(now, EndCause::PeerGone);
    }

    /// Looks again at the legs that were silent from before their answer.
    pub(super) fn silence_timeout(&mut self, now: Instant) {
        if self.silence_due.take_if(|at| *at <= now).is_some() {
            for key in self.legs.keys().copied().collect::<Vec<_>>() {
                self.end_if_silent(now, key);
            }
        }
    }

    /// Closes the media of the legs that are over or whose BYE has left, which ends it (RFC 3261 §15.1.1), and has those that go on counted whose
    /// figures are awaited. All of that is with their worker before it wakes for the first.
    fn close_media(&mut self) {
        for (&key, leg) in &mut self.legs {
            let awaited = std::mem::take(&mut leg.is_awaited);
            if (leg.session.is_terminated() || leg.session.is_hung_up())
                && let Some(media) = leg.media.take()
            {
                leg.closing = true;
                self.chores.push(Box::pin(async move {
                    ChoreDone::MediaClosed { leg: key, statistics: media.close().await.map(Box::new) }
                }));
            } else if awaited && let Some(media) = &leg.media {
                let (worker, id) = (media.worker.clone(), media.id);
                self.chores.push(Box::pin(async move {
                    ChoreDone::LegCounted { leg: key, statistics: worker.statistics(id).await.ok().map(Box::new) }
                }));
            }
        }
    }

    /// Tells of the legs that are over and have no media, and forgets them as soon as nobody is left to hang up; whether there were any.
    fn finish_legs(&mut self, now: Instant) -> bool {
        let finished = |leg: &Leg| leg.session.is_terminated() && leg.media.is_none() && !leg.closing;
        let mut moved = false;
        while let Some(key) = self.legs.iter().find_map(|(key, leg)| (finished(leg) && !leg.told).then_some(*key)) {
            self.tell_end_of(now, key);
            moved = true;
        }
        let done = |leg: &Leg| leg.told && !leg.session.has_farewells();
        while let Some(key) = self.legs.iter().find_map(|(key, leg)| done(leg).then_some(*key)) {
            self.legs.remove(&key);
            self.outbox.push_back(Command::CloseLeg { call: self.key, leg: key });
            moved = true;
        }
        moved
    }

    pub(super) fn handle_op(&mut self, now: Instant, op: Op) {
        match op {
            Op::Ring { leg } => {
                if let Some(leg) = self.legs.get_mut(&leg) {
                    leg.session.ring(now);
                }
            }
            Op::Progress { leg: key, of } => {
                if let Some(leg) = self.legs.get_mut(&key) {
                    leg.session.progress(now, leg.description.clone());
                    self.name_payload_types_of(key, of);
                }
            }
            Op::Reject { leg, status } => {
                if let Some(leg) = self.legs.get_mut(&leg) {
                    leg.session.reject(now, status);
                }
            }
            Op::Negotiate { leg: key, capabilities, local, reply } => {
                let agreed = match self.legs.get_mut(&key) {
                    Some(leg) if leg.session.invite().is_none() => {
                        Err(CallError::WrongState("it has been answered or has ended"))
                    }
                    Some(leg) => leg.negotiate(capabilities, local).map_err(CallError::from),
                    None => Err(CallError::NoSuchLeg(key)),
                };
                // The handler may have stopped waiting; the leg keeps what was agreed.
                let _ = reply.send(agreed);
            }
            Op::Media { leg, media } => {
                // That of a leg which has ended meanwhile is closed by being dropped.
                if let Some(leg) = self.legs.get_mut(&leg) {
                    leg.media = Some(media);
                }
            }
            Op::Answer { leg: key, reply } => {
                let sent = match self.legs.get_mut(&key) {
                    Some(leg) => match leg.description.take() {
                        Some(description) => {
                            let sent = leg.session.answer(now, description);
                            if key == LegKey::PRIMARY && sent.is_ok() {
                                self.witnessed.answered();
                            }
                            sent.map_err(|_| CallError::WrongState("answer"))
                        }
                        None => Err(CallError::WrongState("nothing has been agreed to answer with")),
                    },
                    None => Err(CallError::NoSuchLeg(key)),
                };
                if sent.is_ok() {
                    self.talks(now, key);
                }
                // As above.
                let _ = reply.send(sent);
            }
            Op::Dial { leg, dial, local, media } => self.dial(now, leg, *dial, local, media),
            Op::Link { a, b } => {
                let lives = |key| self.legs.get(key).is_some_and(|leg| leg.ended.is_none());
                if lives(&a) && lives(&b) {
                    self.link(now, a, b);
                } else {
                    // One has ended already and cannot take the other along any more.
                    self.end_leg(now, a, EndCause::HungUp);
                    self.end_leg(now, b, EndCause::HungUp);
                }
            }
            Op::End { leg: LegKey::PRIMARY, cause } => self.begin_ending(now, cause),
            Op::End { leg, cause } => self.end_leg(now, leg, cause),
        }
    }

    /// A leg that says goodbye takes the one that it talks to along, and does not wait for its last word: a peer that is gone would take
    /// 64×T1 over that.
    fn end_together(&mut self, now: Instant) {
        let mut legs = self.legs.iter();
        let ending = legs.find_map(|(key, leg)| Some((*key, leg.linked?, leg.session.ending()?)));
        let Some((key, other, cause)) = ending else { return };
        if key == LegKey::PRIMARY || other == LegKey::PRIMARY {
            self.witness_end(now, key, Party::Local, cause);
        }
        self.bridge = None;
        for key in [key, other] {
            if let Some(leg) = self.legs.get_mut(&key) {
                leg.linked = None;
            }
        }
        self.end_leg(now, other, cause);
    }

    fn end_leg(&mut self, now: Instant, key: LegKey, cause: EndCause) {
        if let Some(leg) = self.legs.get_mut(&key) {
            leg.session.end(now, cause);
        }
    }

    fn dial(&mut self, now: Instant, key: LegKey, dial: Dial, local: SocketAddr, media: MediaLeg) {
        let local_tag = random_token(&mut self.rng);
        // Both legs of a call have one owner. It tells nothing about the other leg but that.
        let call_id = self.router.new_call_id(&mut self.rng);
        if key == LegKey::PRIMARY {
            self.call_id = call_id.clone();
        }
        let contact_user = dial.from.uri.as_sip().and_then(|uri| uri.user.clone());
        let mut agreement = Agreement::new(self.session_id());
        agreement.open(dial.media.clone(), local);
        let offer = agreement.offer(&dial.media);
        let peer = dial.request_uri.clone();
        let invite = OutgoingInvite {
            request_uri: dial.request_uri,
            from: dial.from.with_tag(&local_tag),
            to: dial.to,
            call_id: call_id.clone(),
            route: dial.route,
            offer,
            credentials: dial.credentials,
            flow: dial.flow,
            next_hop: dial.next_hop,
            max_forwards: dial.max_forwards,
            extra: Vec::new(),
            timeout: dial.ring_timeout,
        };
        let session = InviteSession::outgoing(
            now,
            self.config.session_for(contact_user.as_deref(), dial.flow),
            invite,
            rand::SeedableRng::from_rng(&mut self.rng),
        );
        let mut leg = Leg::new(session, agreement);
        leg.dialled = true;
        leg.targets = dial.targets.into_iter().filter(|way| way.local.ip() == dial.flow.local.ip()).collect();
        leg.peer = Some(peer);
        leg.media = Some(media);
        self.legs.insert(key, Box::new(leg));
        self.outbox.push_back(Command::OpenLeg { call: self.key, leg: key, local_tag, call_id });
    }

    fn session_id(&mut self) -> u64 {
        u64::from(rand::RngExt::random::<u32>(&mut self.rng))
    }

    /// Tells the application. What its queue cannot take is counted: reports of the media first, since the rest is bounded per leg.
    pub(super) fn emit(&mut self, event: CallEvent) {
        let report = matches!(
            event,
            CallEvent::Media { .. }
                | CallEvent::MediaChanged { .. }
                | CallEvent::EarlyMedia { .. }
                | CallEvent::Ringing { .. }
        );
        if (report && self.events.capacity() <= EVENTS_RESERVED) || self.events.try_send(Box::new(event)).is_err() {
            metrics::counter!("blether_session_call_events_lost_total").increment(1);
        }
    }

    /// The worker has closed a leg's media, and tells what it counted.
    pub(super) fn media_closed(&mut self, key: LegKey, statistics: Option<Box<LegStatistics>>) {
        if let Some(leg) = self.legs.get_mut(&key) {
            (leg.closing, leg.statistics) = (false, statistics);
        }
        self.witness_leg(key);
    }

    /// The last that the application hears of a leg.
    fn tell_end_of(&mut self, now: Instant, key: LegKey) {
        let Some(leg) = self.legs.get_mut(&key) else { return };
        leg.told = true;
        let statistics = leg.statistics.take();
        let (by, cause) = leg.ended.unwrap_or((Party::Local, EndCause::HungUp));
        match leg.refused {
            // It was said when it was decided.
            Some(_) => {}
            None if leg.dialled && !leg.answered => {
                let status = match cause {
                    EndCause::Failed => StatusCode::SERVER_INTERNAL_ERROR,
                    _ => StatusCode::REQUEST_TERMINATED,
                };
                self.emit(CallEvent::Refused { leg: key, status, cause });
            }
            None => self.emit(CallEvent::Ended { leg: key, by, cause, statistics }),
        }
        if key == LegKey::PRIMARY {
            self.begin_ending(now, cause);
        }
    }
}

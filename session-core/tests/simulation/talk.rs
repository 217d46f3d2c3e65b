//! Phones that really negotiate, and a server between them that joins their sessions by a `Bridge`.

use std::net::SocketAddr;
use std::time::Instant;

use blether_session_core::{
    Agreement, Bridge, BridgedLeg, End, EndCause, Ends, InviteSession, MediaCapabilities, MediaPlan, OutgoingInvite,
    SessionEvent,
};
use blether_sip_core::StatusCode;
use blether_sip_core::sdp::Direction;
use rand::RngExt as _;
use rand::rngs::StdRng;

use super::{Phone, Seat, address};

/// What a seat knows of its media.
pub(crate) struct Talk {
    pub(crate) agreement: Agreement,
    /// Which way its person wants it: `sendrecv`, or `sendonly` while it holds the other.
    pub(crate) wants: Direction,
    /// Each change that came into force.
    pub(crate) plans: Vec<MediaPlan>,
    /// The seat that this server has joined it to.
    pub(crate) linked: Option<usize>,
}

impl Talk {
    pub(super) fn new(rng: &mut StdRng, capabilities: &MediaCapabilities, local: SocketAddr) -> Self {
        let mut agreement = Agreement::new(rng.random::<u32>().into());
        agreement.open(capabilities.clone(), local);
        Self { agreement, wants: Direction::SendRecv, plans: Vec::new(), linked: None }
    }

    /// What the person wants, in terms of media.
    fn wish(&self) -> MediaCapabilities {
        self.agreement.capabilities().clone().with_direction(self.wants)
    }
}

impl Phone {
    /// Has it speak real descriptions.
    pub(crate) fn speaks(&mut self, capabilities: MediaCapabilities) {
        self.speech = Some(capabilities);
    }

    pub(super) fn talk(&mut self) -> Option<Talk> {
        let capabilities = self.speech.clone()?;
        let local = SocketAddr::new(self.address.ip(), 4_000 + 2 * self.seats.len() as u16);
        Some(Talk::new(&mut self.rng, &capabilities, local))
    }

    /// Calls with a description of its own, or without any.
    pub(crate) fn call_talking(&mut self, now: Instant, to: SocketAddr, offers: bool) {
        let mut talk = self.talk().unwrap();
        let offer = offers.then(|| talk.agreement.offer(&talk.wish()).unwrap());
        let invite = OutgoingInvite { offer, ..self.invite(to, None) };
        self.call(now, invite);
        self.seats.last_mut().unwrap().talk = Some(talk);
    }

    /// Its person wants media to go this way from here on, or whatever else has changed with its capabilities. What is under way forbids it at
    /// times; whether it was sent.
    pub(crate) fn change(&mut self, now: Instant, wants: Direction) -> bool {
        let Some(seat) = self.seats.first_mut() else { return false };
        let Some(talk) = seat.talk.as_mut() else { return false };
        if !seat.session.may_offer() {
            return false;
        }
        talk.wants = wants;
        let Some(offer) = talk.agreement.offer(&talk.wish()) else { return false };
        seat.session.offer(now, offer).unwrap();
        true
    }

    /// Reacts as a phone, or as a server between two.
    pub(super) fn react(&mut self, now: Instant, index: usize, event: &SessionEvent) {
        if let Some(linked) = self.seats[index].talk.as_ref().and_then(|talk| talk.linked) {
            return self.react_as_server(now, index, linked, event);
        }
        if self.seats[index].talk.is_some() {
            let refusal = (!self.accepts_offers).then_some(self.refuses_offers_with);
            react_as_phone(now, refusal, &mut self.seats[index], event);
        }
    }

    /// A call has come in: the server dials who it is for.
    pub(super) fn connect(&mut self, now: Instant, index: usize, to: usize) {
        let outgoing = self.seats.len();
        let offer = self.seats[index].session.remote_offer();
        let wishes = match &offer {
            Some(offer) => match self.seats[index].talk.as_mut().unwrap().agreement.apply_offer(offer) {
                Ok(received) => received.wishes(),
                Err(_) => return self.seats[index].session.reject(now, StatusCode::NOT_ACCEPTABLE_HERE),
            },
            None => MediaCapabilities::g711(),
        };
        self.speech = Some(wishes.clone());
        let mut talk = self.talk().unwrap();
        let offer = talk.agreement.offer(&wishes);
        let invite = OutgoingInvite { offer, ..self.invite(address(to), None) };
        self.call(now, invite);
        talk.linked = Some(index);
        self.seats[outgoing].talk = Some(talk);
        self.seats[index].talk.as_mut().unwrap().linked = Some(outgoing);
    }

    fn react_as_server(&mut self, now: Instant, index: usize, linked: usize, event: &SessionEvent) {
        match event {
            SessionEvent::Ringing => self.seats[linked].session.ring(now),
            SessionEvent::Answered { sdp } => {
                let answered = {
                    let talk = self.seats[index].talk.as_mut().unwrap();
                    talk.agreement.apply_answer(sdp.as_deref().unwrap_or_default())
                };
                let Ok(Some(plan)) = answered else {
                    return self.seats[index].session.end(now, EndCause::Failed);
                };
                let capabilities = MediaCapabilities::from_plan(&plan);
                let caller = &mut self.seats[linked];
                let agreement = &mut caller.talk.as_mut().unwrap().agreement;
                let description = match caller.session.remote_offer() {
                    Some(offer) => {
                        let received = agreement.apply_offer(&offer).unwrap();
                        agreement.answer(received, &capabilities).map(|(description, _)| description).ok()
                    }
                    None => agreement.offer(&capabilities),
                };
                let answered = description.is_some_and(|sdp| caller.session.answer(now, sdp).is_ok());
                if !answered {
                    return self.seats[index].session.end(now, EndCause::Failed);
                }
                self.bridges.push((linked, index, Bridge::new(BridgedLeg::B)));
            }
            SessionEvent::Confirmed { sdp } => {
                let seat = &mut self.seats[index];
                let agreement = &mut seat.talk.as_mut().unwrap().agreement;
                match agreement.apply_answer(sdp.as_deref().unwrap_or_default()) {
                    Ok(Some(_)) => {
                        let bridge = self.bridges.iter_mut().find(|(a, _, _)| *a == index);
                        bridge.unwrap().2.is_followed(BridgedLeg::A);
                    }
                    Ok(None) => {}
                    Err(_) => seat.session.end(now, EndCause::Failed),
                }
            }
            SessionEvent::Refused { response, .. } => self.seats[linked].session.reject(now, response.status()),
            SessionEvent::Ended { cause, .. } => {
                self.bridges.retain(|(a, b, _)| *a != index && *b != index);
                self.seats[linked].session.end(now, *cause);
            }
            _ => {}
        }
        self.with_bridge_of(index, |bridge, leg, ends| bridge.handle_event(now, leg, event, ends));
    }

    pub(super) fn settle_bridges(&mut self, now: Instant) {
        // A leg that says goodbye takes the other along, and does not wait for the last word.
        for (a, b) in self.bridges.iter().map(|(a, b, _)| (*a, *b)).collect::<Vec<_>>() {
            for (ending, other) in [(a, b), (b, a)] {
                if let Some(cause) = self.seats[ending].session.ending() {
                    self.bridges.retain(|(of, _, _)| *of != a);
                    self.seats[other].session.end(now, cause);
                }
            }
        }
        for index in 0..self.bridges.len() {
            let a = self.bridges[index].0;
            self.with_bridge_of(a, |bridge, _, ends| bridge.settle(now, ends));
        }
    }

    pub(super) fn time_out_bridges(&mut self, now: Instant) {
        for index in 0..self.bridges.len() {
            let a = self.bridges[index].0;
            self.with_bridge_of(a, |bridge, _, ends| bridge.handle_timeout(now, ends));
        }
    }

    fn with_bridge_of(&mut self, index: usize, step: impl FnOnce(&mut Bridge, BridgedLeg, &mut Ends<'_>)) {
        let Some(at) = self.bridges.iter().position(|(a, b, _)| *a == index || *b == index) else { return };
        let (a, b, bridge) = &mut self.bridges[at];
        let leg = if *a == index { BridgedLeg::A } else { BridgedLeg::B };
        let [first, second] = self.seats.get_disjoint_mut([*a, *b]).unwrap();
        step(bridge, leg, &mut Ends { a: end(first), b: end(second) });
        while let Some((leg, plan)) = bridge.poll_changed() {
            let seat = if leg == BridgedLeg::A { &mut *first } else { &mut *second };
            seat.talk.as_mut().unwrap().plans.push(plan);
        }
    }
}

fn end(seat: &mut Seat) -> End<'_> {
    End { session: &mut seat.session, agreement: &mut seat.talk.as_mut().unwrap().agreement }
}

/// Answers the call that rings.
pub(super) fn answer_talking(now: Instant, session: &mut InviteSession, talk: &mut Talk) {
    let description = match session.remote_offer() {
        Some(offer) => {
            let received = talk.agreement.apply_offer(&offer).unwrap();
            match talk.agreement.answer(received, &talk.wish()) {
                Ok((description, plan)) => {
                    talk.plans.push(plan);
                    description
                }
                Err(_) => return session.reject(now, StatusCode::NOT_ACCEPTABLE_HERE),
            }
        }
        None => talk.agreement.offer(&talk.wish()).unwrap(),
    };
    // A call that was cancelled cannot be answered any more; that is what the test is about then.
    let _ = session.answer(now, description);
}

fn react_as_phone(now: Instant, refusal: Option<StatusCode>, seat: &mut Seat, event: &SessionEvent) {
    let Seat { session, talk, .. } = seat;
    let Some(talk) = talk else { return };
    // A call that has ended meanwhile needs no decision.
    if !session.is_established() {
        return;
    }
    match event {
        SessionEvent::Offer { .. } | SessionEvent::OfferWanted if refusal.is_some() => {
            session.refuse_offer(now, refusal.unwrap()).unwrap();
        }
        SessionEvent::Offer { sdp } => {
            let received = talk.agreement.apply_offer(sdp).unwrap();
            match talk.agreement.answer(received, &talk.wish()) {
                Ok((description, plan)) => {
                    session.accept_offer(now, description).unwrap();
                    talk.plans.push(plan);
                }
                Err(_) => session.refuse_offer(now, StatusCode::NOT_ACCEPTABLE_HERE).unwrap(),
            }
        }
        SessionEvent::OfferWanted => match talk.agreement.offer(&talk.wish()) {
            Some(offer) => session.accept_offer(now, offer).unwrap(),
            None => session.refuse_offer(now, StatusCode::REQUEST_PENDING).unwrap(),
        },
        SessionEvent::Answered { sdp } | SessionEvent::Confirmed { sdp } | SessionEvent::OfferAnswered { sdp } => {
            match talk.agreement.apply_answer(sdp.as_deref().unwrap_or_default()) {
                Ok(plan) => talk.plans.extend(plan),
                Err(_) => session.end(now, EndCause::Failed),
            }
        }
        SessionEvent::OfferRefused { .. } => talk.agreement.offer_refused(),
        _ => {}
    }
}

//! A session with a 2xx and no BYE: its ACK, its BYE, and what the peer asks meanwhile (RFC 3261 §13.3.1.4, §14, §15).

use std::time::Instant;

use blether_sip_core::{Method, Request, Response, StatusCode};
use blether_sip_transport::Flow;
use blether_transaction_core::{Failure, ServerTransactionId};
use bytes::Bytes;

use super::acknowledgement::Unacknowledged;
use super::hang_up::Ending;
use super::offers::{LocalOffer, RemoteOffer};
use super::shared::Shared;
use super::{EndCause, Party, RequestToken, SessionEvent, State, requests};
use crate::dialog::Dialog;

/// There is a 2xx, sent or received, and no BYE.
pub(super) struct Established {
    pub(super) dialog: Dialog,
    pub(super) handshake: Handshake,
    /// 2xx of ours to re-INVITEs that wait for their ACK; the first INVITE's is in `handshake`.
    pub(super) unacknowledged: Vec<Unacknowledged>,
    pub(super) remote_offer: Option<RemoteOffer>,
    pub(super) local_offer: Option<LocalOffer>,
    /// The re-INVITE that was sent a second time, since the connection that the first went by has ended.
    resent: Option<RequestToken>,
}

/// How far the three-way handshake of the first INVITE is.
pub(super) enum Handshake {
    /// Our 2xx has no ACK yet. No BYE may be sent before that (§15); if our user hangs up, the cause waits here.
    AwaitingAck {
        answer: Box<Unacknowledged>,
        hang_up: Option<EndCause>,
    },
    Complete,
}

impl Established {
    /// UAS: the 2xx has just been sent.
    pub(super) fn answered(dialog: Dialog, answer: Unacknowledged) -> State {
        Self::with(dialog, Handshake::AwaitingAck { answer: Box::new(answer), hang_up: None }, None)
    }

    /// UAC: the 2xx has come and was acknowledged.
    pub(super) fn answering(dialog: Dialog) -> State {
        Self::with(dialog, Handshake::Complete, None)
    }

    /// UAC: the 2xx has come with an offer, which the ACK is to answer.
    pub(super) fn answered_with_offer(
        shared: &mut Shared,
        dialog: Dialog,
        token: RequestToken,
        invite: Request,
        offer: Bytes,
    ) -> State {
        shared.tell(SessionEvent::Offer { sdp: offer });
        Self::with(dialog, Handshake::Complete, Some(RemoteOffer::InAnswer { token, invite }))
    }

    fn with(dialog: Dialog, handshake: Handshake, remote_offer: Option<RemoteOffer>) -> State {
        State::Established(Box::new(Self {
            dialog,
            handshake,
            unacknowledged: Vec::new(),
            remote_offer,
            local_offer: None,
            resent: None,
        }))
    }

    /// Our user hangs up.
    pub(super) fn end(mut self: Box<Self>, _now: Instant, shared: &mut Shared, cause: EndCause) -> State {
        match &mut self.handshake {
            Handshake::AwaitingAck { hang_up, .. } => {
                hang_up.get_or_insert(cause);
                State::Established(self)
            }
            Handshake::Complete => self.hang_up(shared, cause),
        }
    }

    /// Sends the BYE, with no request of the peer left unanswered.
    pub(super) fn hang_up(mut self: Box<Self>, shared: &mut Shared, cause: EndCause) -> State {
        self.dispose_of_offer(shared);
        let reinvite = self.local_offer.take().and_then(LocalOffer::into_sent);
        Ending::begin(shared, self.dialog, Party::Local, cause, reinvite)
    }

    /// The session is over while the peer's offer waits for our user: the request is answered 487, the 2xx with an ACK.
    fn dispose_of_offer(&mut self, shared: &mut Shared) {
        match self.remote_offer.take() {
            Some(RemoteOffer::InRequest { transaction, request }) => {
                shared.respond_with(transaction, &request, StatusCode::REQUEST_TERMINATED);
            }
            Some(RemoteOffer::InAnswer { token, invite }) => shared.acknowledge(token, &self.dialog, &invite, None),
            None => {}
        }
    }

    pub(super) fn handle_ack(mut self: Box<Self>, _now: Instant, shared: &mut Shared, ack: &Request) -> State {
        if !self.dialog.matches(ack) {
            return State::Established(self);
        }
        let number = ack.cseq().number;
        match &mut self.handshake {
            Handshake::AwaitingAck { answer, hang_up } if answer.is_acknowledged_by(number) => {
                if let Some(cause) = hang_up.take() {
                    self.handshake = Handshake::Complete;
                    return self.hang_up(shared, cause);
                }
                let sdp = if answer.offers { requests::session_description_of_ack(ack) } else { None };
                self.handshake = Handshake::Complete;
                shared.tell(SessionEvent::Confirmed { sdp });
            }
            _ => {
                if let Some(at) = self.unacknowledged.iter().position(|answer| answer.is_acknowledged_by(number)) {
                    let answer = self.unacknowledged.swap_remove(at);
                    if answer.offers {
                        shared.tell(SessionEvent::OfferAnswered { sdp: requests::session_description_of_ack(ack) });
                    }
                }
            }
        }
        State::Established(self)
    }

    pub(super) fn handle_request(
        mut self: Box<Self>,
        _now: Instant,
        shared: &mut Shared,
        transaction: ServerTransactionId,
        request: &Request,
        flow: Flow,
    ) -> State {
        if !self.dialog.matches(request) {
            requests::answer_without_dialog(shared, transaction, request);
            return State::Established(self);
        }
        if !requests::admit(shared, &mut self.dialog, transaction, request, flow) {
            return State::Established(self);
        }
        match request.method() {
            Method::Bye => return self.hung_up_by_peer(shared, transaction, request),
            Method::Invite | Method::Update => self.handle_offer(shared, transaction, request),
            _ => requests::answer_other(shared, transaction, request),
        }
        State::Established(self)
    }

    /// The peer hangs up (§15.1.2): the BYE is answered, and so is whatever else it still waits for.
    fn hung_up_by_peer(
        mut self: Box<Self>,
        shared: &mut Shared,
        transaction: ServerTransactionId,
        bye: &Request,
    ) -> State {
        shared.respond_with(transaction, bye, StatusCode::OK);
        self.dispose_of_offer(shared);
        match self.handshake {
            // Our user was first, and only the missing ACK kept the BYE back.
            Handshake::AwaitingAck { hang_up: Some(cause), .. } => shared.finish(Party::Local, cause),
            _ => shared.finish(Party::Remote, EndCause::HungUp),
        }
    }

    pub(super) fn handle_response(
        self: Box<Self>,
        now: Instant,
        shared: &mut Shared,
        token: RequestToken,
        response: &Response,
    ) -> State {
        if !self.local_offer.as_ref().is_some_and(|offer| offer.is_sent_as(token)) || !response.status().is_final() {
            return State::Established(self);
        }
        self.handle_offer_response(now, shared, response)
    }

    /// A re-INVITE of ours got no answer. Silence ends the dialog (§12.2.1.2); that it could not be sent is a 503 (§8.1.3.1), which leaves
    /// the session as it was (§14.1), after another try where only a connection has ended.
    pub(super) fn handle_failure(
        mut self: Box<Self>,
        now: Instant,
        shared: &mut Shared,
        token: RequestToken,
        failure: Failure,
    ) -> State {
        if !self.local_offer.as_ref().is_some_and(|offer| offer.is_sent_as(token)) {
            return State::Established(self);
        }
        let Some(LocalOffer::Sent { request, retries_left, cancel_at, .. }) = self.local_offer.take() else {
            return State::Established(self);
        };
        if !matches!(failure, Failure::Transport(_)) {
            return self.hang_up(shared, EndCause::PeerGone);
        }
        // One that was taken back is not sent again.
        let again =
            cancel_at.is_some() && self.resent != Some(token) && shared.may_reach_otherwise(&self.dialog, failure);
        let sdp = Some(request.body().clone()).filter(|body| !body.is_empty());
        if again && self.send_offer(now, shared, sdp, retries_left) {
            self.resent = self.local_offer.as_ref().and_then(LocalOffer::token);
        } else {
            let response = Response::to_request(&request, StatusCode::SERVICE_UNAVAILABLE).build();
            shared.tell(SessionEvent::OfferRefused { response });
        }
        State::Established(self)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let answer = match &self.handshake {
            Handshake::AwaitingAck { answer, .. } => Some(answer.poll_timeout()),
            Handshake::Complete => None,
        };
        let reinvites = self.unacknowledged.iter().map(Unacknowledged::poll_timeout).min();
        let offer = self.local_offer.as_ref().and_then(LocalOffer::poll_timeout);
        [answer, reinvites, offer].into_iter().flatten().min()
    }

    pub(super) fn handle_timeout(mut self: Box<Self>, now: Instant, shared: &mut Shared) -> State {
        if let Handshake::AwaitingAck { answer, hang_up } = &mut self.handshake {
            if answer.is_given_up(now) {
                let cause = hang_up.unwrap_or(EndCause::NotAcknowledged);
                return self.hang_up(shared, cause);
            }
            answer.handle_timeout(now, shared);
        }
        if self.unacknowledged.iter().any(|answer| answer.is_given_up(now)) {
            return self.hang_up(shared, EndCause::NotAcknowledged);
        }
        for answer in &mut self.unacknowledged {
            answer.handle_timeout(now, shared);
        }
        self.handle_offer_timeout(now, shared);
        State::Established(self)
    }
}

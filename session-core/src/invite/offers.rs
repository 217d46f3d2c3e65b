//! Changes of an established session: re-INVITE and UPDATE, one offer at a time (RFC 3261 §14, RFC 3311, RFC 6337).

use std::time::{Duration, Instant};

use blether_sip_core::{CSeq, Method, Request, Response, StatusCode};
use blether_transaction_core::ServerTransactionId;
use bytes::Bytes;
use rand::RngExt as _;

use super::acknowledgement::Unacknowledged;
use super::established::{Established, Handshake};
use super::shared::Shared;
use super::{EndCause, RequestToken, SessionEvent, SessionTransmit, State, requests};
use crate::error::VerbError;

/// How many 2xx of ours to re-INVITEs may wait for their ACK. A peer whose ACKs are lost may go on to its next
/// re-INVITE (RFC 5407 §3.1.4), but not for ever.
const MAX_UNACKNOWLEDGED: usize = 4;

/// An offer of the peer that our user has not decided on.
pub(super) enum RemoteOffer {
    /// In a re-INVITE or UPDATE; a re-INVITE without a body wants an offer of ours.
    InRequest { transaction: ServerTransactionId, request: Request },
    /// In the 2xx to an INVITE of ours that had none, the first or a later one; the ACK is to bring the answer.
    InAnswer { token: RequestToken, invite: Request },
}

/// An offer of ours that the peer has not answered.
pub(super) enum LocalOffer {
    /// The re-INVITE is on its way. Without a body it asks the peer for its offer.
    Sent {
        token: RequestToken,
        request: Box<Request>,
        retries_left: u8,
        /// When it is cancelled: a re-INVITE needs no person to decide, and the next offer waits for it. `None`: it has been.
        cancel_at: Option<Instant>,
    },
    /// It met an offer of the peer (491): it is sent again at this time (§14.1).
    Waiting { until: Instant, sdp: Option<Bytes>, retries_left: u8 },
}

impl LocalOffer {
    pub(super) fn is_sent_as(&self, of: RequestToken) -> bool {
        matches!(self, Self::Sent { token, .. } if *token == of)
    }

    /// What the re-INVITE that is on its way was sent as.
    pub(super) fn token(&self) -> Option<RequestToken> {
        match self {
            Self::Sent { token, .. } => Some(*token),
            Self::Waiting { .. } => None,
        }
    }

    /// The re-INVITE that is on its way, if it is.
    pub(super) fn into_sent(self) -> Option<(RequestToken, Request)> {
        match self {
            Self::Sent { token, request, .. } => Some((token, *request)),
            Self::Waiting { .. } => None,
        }
    }

    pub(super) fn is_postponed(&self) -> bool {
        matches!(self, Self::Waiting { .. })
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Sent { cancel_at, .. } => *cancel_at,
            Self::Waiting { until, .. } => Some(*until),
        }
    }
}

impl Established {
    /// Takes in a re-INVITE or UPDATE of the peer: it waits for our user, unless another offer is under way.
    pub(super) fn handle_offer(&mut self, shared: &mut Shared, transaction: ServerTransactionId, request: &Request) {
        let is_update = *request.method() == Method::Update;
        if self.is_hanging_up() {
            return requests::answer_without_dialog(shared, transaction, request);
        }
        if is_update && request.body().is_empty() {
            return requests::answer_plain_update(shared, &mut self.dialog, transaction, request);
        }
        // §14.2, RFC 3311 §5.2: the peer's own offer is not answered yet.
        if self.remote_offer.is_some() || self.unacknowledged.len() >= MAX_UNACKNOWLEDGED {
            return requests::answer_later(shared, transaction, request);
        }
        // Ours is not (for one made in a 2xx: RFC 5407 §3.1.5).
        if matches!(self.local_offer, Some(LocalOffer::Sent { .. })) || self.awaits_answer_in_ack() {
            return shared.respond_with(transaction, request, StatusCode::REQUEST_PENDING);
        }
        shared.tell(match request.body() {
            body if body.is_empty() => SessionEvent::OfferWanted,
            body => SessionEvent::Offer { sdp: body.clone() },
        });
        self.remote_offer = Some(RemoteOffer::InRequest { transaction, request: request.clone() });
    }

    fn is_hanging_up(&self) -> bool {
        matches!(self.handshake, Handshake::AwaitingAck { hang_up: Some(_), .. })
    }

    fn awaits_answer_in_ack(&self) -> bool {
        matches!(&self.handshake, Handshake::AwaitingAck { answer, .. } if answer.offers)
            || self.unacknowledged.iter().any(|answer| answer.offers)
    }

    /// Our user accepts the peer's offer, or makes the one that is wanted.
    pub(super) fn accept_offer(
        mut self: Box<Self>,
        now: Instant,
        shared: &mut Shared,
        sdp: Bytes,
    ) -> (State, Result<(), VerbError>) {
        match self.remote_offer.take() {
            None => return (State::Established(self), Err(VerbError::NoOfferPending)),
            Some(RemoteOffer::InAnswer { token, invite }) => {
                shared.acknowledge(token, &self.dialog, &invite, Some(sdp));
            }
            Some(RemoteOffer::InRequest { transaction, request }) => {
                if let Err(error) = self.dialog.refresh_target_by_request(&request) {
                    tracing::debug!(call_id = %shared.call_id, %error, "remote target stays as it was");
                }
                let response =
                    shared.target_refresh_response(&request, StatusCode::OK).body(requests::SDP, sdp).build();
                if *request.method() == Method::Invite {
                    let offers = request.body().is_empty();
                    let answer = Unacknowledged::begin(now, shared, transaction, response, offers);
                    self.unacknowledged.push(answer);
                } else {
                    shared.respond(transaction, response);
                }
            }
        }
        (State::Established(self), Ok(()))
    }

    /// Our user refuses the peer's offer.
    pub(super) fn refuse_offer(
        mut self: Box<Self>,
        _now: Instant,
        shared: &mut Shared,
        status: StatusCode,
    ) -> (State, Result<(), VerbError>) {
        match self.remote_offer.take() {
            None => (State::Established(self), Err(VerbError::NoOfferPending)),
            // The 2xx stands: it is acknowledged and hung up (RFC 3261 §13.2.2.4).
            offer @ Some(RemoteOffer::InAnswer { .. }) => {
                self.remote_offer = offer;
                (self.hang_up(shared, EndCause::Rejected(status)), Ok(()))
            }
            Some(RemoteOffer::InRequest { transaction, request }) => {
                shared.respond_with(transaction, &request, status);
                (State::Established(self), Ok(()))
            }
        }
    }

    /// The peer takes its re-INVITE back (§9.2).
    pub(super) fn offer_cancelled(&mut self, shared: &mut Shared, cancelled: ServerTransactionId) {
        let is_it = |offer: &mut RemoteOffer| {
            matches!(offer, RemoteOffer::InRequest { transaction, request }
                if *transaction == cancelled && *request.method() == Method::Invite)
        };
        if let Some(RemoteOffer::InRequest { transaction, request }) = self.remote_offer.take_if(is_it) {
            shared.respond_with(transaction, &request, StatusCode::REQUEST_TERMINATED);
            shared.tell(SessionEvent::OfferWithdrawn);
        }
    }

    /// Our user offers a change.
    pub(super) fn offer(
        mut self: Box<Self>,
        now: Instant,
        shared: &mut Shared,
        sdp: Option<Bytes>,
        retries: u8,
    ) -> (State, Result<(), VerbError>) {
        if !self.may_offer() {
            return (State::Established(self), Err(VerbError::OfferPending));
        }
        if self.send_offer(now, shared, sdp, retries) {
            (State::Established(self), Ok(()))
        } else {
            (State::Established(self), Err(VerbError::NotEstablished))
        }
    }

    pub(super) fn may_offer(&self) -> bool {
        self.local_offer.is_none() && self.is_free_for_our_offer()
    }

    /// Our user takes its offer back: it is cancelled, or not sent again.
    pub(super) fn withdraw_offer(&mut self, shared: &mut Shared) {
        match &mut self.local_offer {
            Some(LocalOffer::Sent { token, cancel_at, .. }) if cancel_at.is_some() => {
                *cancel_at = None;
                shared.transmits.push_back(SessionTransmit::Cancel { token: *token });
            }
            Some(LocalOffer::Waiting { .. }) => self.local_offer = None,
            Some(LocalOffer::Sent { .. }) | None => {}
        }
    }

    /// §14.1: no new INVITE while another is in progress in either direction.
    fn is_free_for_our_offer(&self) -> bool {
        self.remote_offer.is_none() && self.unacknowledged.is_empty() && matches!(self.handshake, Handshake::Complete)
    }

    pub(super) fn send_offer(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        sdp: Option<Bytes>,
        retries_left: u8,
    ) -> bool {
        let mut request = match self.dialog.next_request(Method::Invite) {
            Ok(request) => request,
            Err(error) => {
                tracing::warn!(call_id = %shared.call_id, %error, "re-INVITE not sent");
                return false;
            }
        };
        shared.describe_us(&mut request);
        if let Some(sdp) = sdp {
            request.set_body(requests::SDP, sdp);
        }
        let flow = shared.flow_of(&self.dialog);
        let token = shared.send_fresh(&mut request, flow);
        let cancel_at = Some(now + 64 * shared.config.timing.t1);
        self.local_offer = Some(LocalOffer::Sent { token, request: Box::new(request), retries_left, cancel_at });
        true
    }

    /// Takes in the final response to our re-INVITE (§14.1).
    pub(super) fn handle_offer_response(
        mut self: Box<Self>,
        now: Instant,
        shared: &mut Shared,
        response: &Response,
    ) -> State {
        let Some(LocalOffer::Sent { token, request, retries_left, cancel_at }) = self.local_offer.take() else {
            return State::Established(self);
        };
        let status = response.status();
        match status.code() {
            200..=299 => {
                if let Err(error) = self.dialog.refresh_target_by_response(response) {
                    tracing::debug!(call_id = %shared.call_id, %error, "remote target stays as it was");
                }
                let sdp = requests::session_description(response);
                match sdp {
                    // We have asked for an offer; its answer goes with the ACK (§13.2.2.4).
                    Some(sdp) if request.body().is_empty() => {
                        shared.tell(SessionEvent::Offer { sdp });
                        self.remote_offer = Some(RemoteOffer::InAnswer { token, invite: *request });
                    }
                    sdp => {
                        shared.acknowledge(token, &self.dialog, &request, None);
                        shared.tell(SessionEvent::OfferAnswered { sdp });
                    }
                }
            }
            401 | 407 if cancel_at.is_some() => match self.authorized_again(shared, &request, response) {
                Some((token, request)) => {
                    let request = Box::new(request);
                    self.local_offer = Some(LocalOffer::Sent { token, request, retries_left, cancel_at });
                }
                None => shared.tell(SessionEvent::OfferRefused { response: response.clone() }),
            },
            491 if retries_left > 0 && cancel_at.is_some() => {
                let until = now + wait_after_glare(shared);
                let sdp = Some(request.body().clone()).filter(|body| !body.is_empty());
                self.local_offer = Some(LocalOffer::Waiting { until, sdp, retries_left: retries_left - 1 });
            }
            // §12.2.1.2: the peer does not know this dialog any more.
            408 | 481 => return self.hang_up(shared, EndCause::PeerGone),
            _ => shared.tell(SessionEvent::OfferRefused { response: response.clone() }),
        }
        State::Established(self)
    }

    /// Sends the re-INVITE again with credentials, if that is any use.
    fn authorized_again(
        &mut self,
        shared: &mut Shared,
        request: &Request,
        response: &Response,
    ) -> Option<(RequestToken, Request)> {
        // Takes the next CSeq number of the dialog; a dialog that has none left is refused the offer.
        let number = self.dialog.next_request(Method::Invite).ok()?.cseq().number;
        let mut next = request.clone();
        next.set_cseq(CSeq { number, method: Method::Invite });
        let next = shared.authorized(next, response)?;
        let flow = shared.flow_of(&self.dialog);
        let token = shared.send(next.clone(), flow);
        Some((token, next))
    }

    /// Cancels a re-INVITE that nobody answers, or sends again one that met an offer of the peer.
    pub(super) fn handle_offer_timeout(&mut self, now: Instant, shared: &mut Shared) {
        match self.local_offer.take() {
            Some(LocalOffer::Sent { token, request, retries_left, cancel_at: Some(at) }) if at <= now => {
                shared.transmits.push_back(SessionTransmit::Cancel { token });
                self.local_offer = Some(LocalOffer::Sent { token, request, retries_left, cancel_at: None });
            }
            Some(LocalOffer::Waiting { until, sdp, retries_left }) if until <= now => {
                if self.is_free_for_our_offer() {
                    self.send_offer(now, shared, sdp, retries_left);
                } else {
                    let until = now + wait_after_glare(shared);
                    self.local_offer = Some(LocalOffer::Waiting { until, sdp, retries_left });
                }
            }
            unchanged => self.local_offer = unchanged,
        }
    }
}

/// How long to wait after a 491 (§14.1), in steps of 10 ms: whoever chose the Call-ID 2.1 to 4 s, the other up to 2 s, so that they do not
/// meet again.
fn wait_after_glare(shared: &mut Shared) -> Duration {
    let steps = if shared.is_ours { 210..=400 } else { 0..=200 };
    Duration::from_millis(10 * shared.rng.random_range(steps))
}

//! The calling side until the final response (RFC 3261 §13.2).

use std::sync::Arc;
use std::time::Instant;

use blether_sip_core::{BuildError, Method, Request, Response, Route, StatusCode};
use blether_sip_transport::Flow;
use blether_transaction_core::{Failure, ServerTransactionId};
use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::cancel::Cancelling;
use super::established::Established;
use super::shared::{InitialInvite, Shared};
use super::{EndCause, OutgoingInvite, Party, RequestToken, SessionEvent, State, requests};
use crate::client_authentication::ClientAuthenticator;
use crate::config::SessionConfig;
use crate::dialog::{Dialog, routed, tag_of};
use crate::error::DialogError;

/// How many phones behind a fork are told apart while they ring; the session needs no dialog of the others.
const MAX_EARLY_DIALOGS: usize = 16;

/// The INVITE has no final response yet.
pub(super) struct Outgoing {
    early: EarlyDialogs,
    /// When the call is given up.
    rings_until: Option<Instant>,
}

/// What the phones behind a fork have said so far, each with its own To tag (RFC 3261 §13.2.2.1).
#[derive(Default)]
pub(super) struct EarlyDialogs(Vec<EarlyDialog>);

struct EarlyDialog {
    dialog: Dialog,
    rings: bool,
    /// The description that it has sent last.
    sdp: Option<Bytes>,
}

impl Outgoing {
    pub(super) fn begin(
        now: Instant,
        config: Arc<SessionConfig>,
        mut invite: OutgoingInvite,
        mut rng: StdRng,
    ) -> (Shared, State) {
        if invite.from.tag().is_none() {
            invite.from = invite.from.with_tag(&format!("{:016x}", rng.random::<u64>()));
        }
        invite.to.params.remove("tag");
        let authenticator = invite
            .credentials
            .take()
            .map(|credentials| ClientAuthenticator::new(credentials, StdRng::seed_from_u64(rng.random())));
        let local_tag = tag_of(&invite.from);
        let (flow, timeout) = (invite.flow, invite.timeout);
        let mut shared =
            Shared::new(config, invite.call_id.clone(), local_tag, flow, invite.next_hop, authenticator, rng);
        let mut request = match build(&shared, invite) {
            Ok(request) => request,
            Err(error) => {
                tracing::error!(call_id = %shared.call_id, %error, "INVITE not sent");
                let state = shared.finish(Party::Local, EndCause::Failed);
                return (shared, state);
            }
        };
        let token = shared.send_fresh(&mut request, flow);
        shared.is_ours = true;
        shared.initial = Some(InitialInvite { token, request, flow, won_by: None });
        let rings_until = timeout.and_then(|timeout| now.checked_add(timeout));
        (shared, State::Outgoing(Box::new(Self { early: EarlyDialogs::default(), rings_until })))
    }

    pub(super) fn handle_response(
        mut self: Box<Self>,
        _now: Instant,
        shared: &mut Shared,
        token: RequestToken,
        response: &Response,
    ) -> State {
        let Some(invite) = initial(shared, token) else { return State::Outgoing(self) };
        let status = response.status();
        if status.is_provisional() {
            self.early.take_in(shared, &invite, response);
            return State::Outgoing(self);
        }
        if status.is_success() {
            return self.answered(shared, token, &invite, response);
        }
        match retry(shared, invite, response) {
            true => {
                // The challenge was the whole answer of that branch; what rings next is made by the next INVITE.
                self.early = EarlyDialogs::default();
                State::Outgoing(self)
            }
            false => {
                let cause = EndCause::Rejected(status);
                shared.tell(SessionEvent::Refused { response: response.clone(), cause });
                shared.finish(Party::Remote, cause)
            }
        }
    }

    fn answered(mut self, shared: &mut Shared, token: RequestToken, invite: &Request, response: &Response) -> State {
        let (dialog, early_sdp) = match self.early.confirm(invite, response) {
            Ok(confirmed) => confirmed,
            Err(error) => {
                tracing::warn!(call_id = %shared.call_id, %error, "2xx makes no dialog");
                return give_up(shared, invite, StatusCode::BAD_GATEWAY, EndCause::Failed);
            }
        };
        won_by(shared, &dialog);
        let body = requests::session_description(response);
        if invite.body().is_empty() {
            shared.tell(SessionEvent::Answered { sdp: None });
            return match body {
                Some(offer) => Established::answered_with_offer(shared, dialog, token, invite.clone(), offer),
                None => {
                    shared.acknowledge(token, &dialog, invite, None);
                    Established::answering(dialog)
                }
            };
        }
        shared.acknowledge(token, &dialog, invite, None);
        // A 2xx without the answer confirms the one that the same phone has given while it rang.
        shared.tell(SessionEvent::Answered { sdp: body.or(early_sdp) });
        Established::answering(dialog)
    }

    pub(super) fn handle_failure(self: Box<Self>, shared: &mut Shared, token: RequestToken, failure: Failure) -> State {
        let Some(invite) = initial(shared, token) else { return State::Outgoing(self) };
        match failure.unreachable() {
            Some(kind) => give_up(shared, &invite, StatusCode::SERVICE_UNAVAILABLE, EndCause::Unreachable(kind)),
            None => give_up(shared, &invite, StatusCode::REQUEST_TIMEOUT, EndCause::PeerGone),
        }
    }

    pub(super) fn handle_request(
        mut self: Box<Self>,
        _now: Instant,
        shared: &mut Shared,
        transaction: ServerTransactionId,
        request: &Request,
        flow: Flow,
    ) -> State {
        if self.early.handle_request(shared, transaction, request, flow) == Hung::Up {
            // All that rang are gone: so is the call.
            return self.cancel(shared, Party::Remote, EndCause::HungUp);
        }
        State::Outgoing(self)
    }

    /// Cancels the call (RFC 3261 §9.1).
    pub(super) fn cancel(self, shared: &mut Shared, by: Party, cause: EndCause) -> State {
        Cancelling::begin(shared, self.early, by, cause)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.rings_until
    }

    pub(super) fn handle_timeout(self: Box<Self>, now: Instant, shared: &mut Shared) -> State {
        if self.rings_until.is_none_or(|until| until > now) {
            return State::Outgoing(self);
        }
        if let Some(initial) = &shared.initial {
            let response = Response::to_request(&initial.request, StatusCode::REQUEST_TIMEOUT).build();
            shared.tell(SessionEvent::Refused { response, cause: EndCause::NoAnswer });
        }
        self.cancel(shared, Party::Local, EndCause::NoAnswer)
    }
}

/// Whether a BYE has ended the last of the early dialogs.
#[derive(PartialEq, Eq)]
pub(super) enum Hung {
    On,
    Up,
}

impl EarlyDialogs {
    /// Takes in a provisional response (RFC 3261 §13.2.2.1). A 100, and one without a tag, makes no dialog.
    fn take_in(&mut self, shared: &mut Shared, invite: &Request, response: &Response) {
        if response.status() == StatusCode::TRYING {
            return;
        }
        let sdp = requests::session_description(response);
        let rings = response.status() == StatusCode::RINGING;
        let (first_ring, fresh_sdp) = match self.find(invite, response) {
            Some(early) => {
                let first_ring = rings && !early.rings;
                early.rings |= rings;
                let fresh = sdp.filter(|sdp| early.sdp.as_ref() != Some(sdp));
                if fresh.is_some() {
                    early.sdp.clone_from(&fresh);
                }
                (first_ring, fresh)
            }
            None => (rings, sdp),
        };
        if first_ring {
            shared.tell(SessionEvent::Ringing);
        }
        if fresh_sdp.is_some() || !rings {
            shared.tell(SessionEvent::Progress { sdp: fresh_sdp });
        }
    }

    /// The early dialog of a response, which is made if it is the first of its tag.
    fn find(&mut self, invite: &Request, response: &Response) -> Option<&mut EarlyDialog> {
        let tag = tag_of(response.to());
        if tag.is_empty() {
            return None;
        }
        if let Some(at) = self.0.iter().position(|early| early.dialog.id().remote_tag == tag) {
            return self.0.get_mut(at);
        }
        if self.0.len() >= MAX_EARLY_DIALOGS {
            return None;
        }
        // A provisional response with a bad Contact still rings; its 2xx is judged by itself.
        let dialog = Dialog::uac(invite, response).ok()?;
        self.0.push(EarlyDialog { dialog, rings: false, sdp: None });
        self.0.last_mut()
    }

    /// Makes the dialog that a 2xx confirms, of its early one if there was one; with the last description of that.
    pub(super) fn confirm(
        &mut self,
        invite: &Request,
        response: &Response,
    ) -> Result<(Dialog, Option<Bytes>), DialogError> {
        let tag = tag_of(response.to());
        let early =
            self.0.iter().position(|early| early.dialog.id().remote_tag == tag).map(|at| self.0.swap_remove(at));
        match early {
            Some(EarlyDialog { mut dialog, sdp, .. }) => {
                dialog.confirm(invite, response)?;
                Ok((dialog, sdp))
            }
            None => Ok((Dialog::uac(invite, response)?, None)),
        }
    }

    /// Answers a request within an early dialog.
    pub(super) fn handle_request(
        &mut self,
        shared: &mut Shared,
        transaction: ServerTransactionId,
        request: &Request,
        flow: Flow,
    ) -> Hung {
        let Some(at) = self.0.iter().position(|early| early.dialog.matches(request)) else {
            requests::answer_without_dialog(shared, transaction, request);
            return Hung::On;
        };
        let Some(EarlyDialog { dialog, .. }) = self.0.get_mut(at) else { return Hung::On };
        if !requests::admit(shared, dialog, transaction, request, flow) {
            return Hung::On;
        }
        match request.method() {
            // A called side may not do so (§15), but if its 2xx were all lost, that is what is seen here.
            Method::Bye => {
                shared.respond_with(transaction, request, StatusCode::OK);
                self.0.swap_remove(at);
                return if self.0.is_empty() { Hung::Up } else { Hung::On };
            }
            // §14.2: our INVITE is in progress.
            Method::Invite => shared.respond_with(transaction, request, StatusCode::REQUEST_PENDING),
            Method::Update if request.body().is_empty() => {
                requests::answer_plain_update(shared, dialog, transaction, request);
            }
            // RFC 3311 §5.2: our own offer has no answer yet.
            Method::Update => shared.respond_with(transaction, request, StatusCode::REQUEST_PENDING),
            _ => requests::answer_other(shared, transaction, request),
        }
        Hung::On
    }
}

/// Builds the INVITE (RFC 3261 §13.2.1).
fn build(shared: &Shared, invite: OutgoingInvite) -> Result<Request, BuildError> {
    let (uri, routes) = routed(&invite.request_uri, &invite.route);
    let mut builder = Request::builder(Method::Invite, uri)
        .from(invite.from)
        .to(invite.to)
        .call_id(&invite.call_id)
        .cseq(1)
        .max_forwards(invite.max_forwards);
    for route in routes {
        builder = builder.header(Route(route));
    }
    for (name, value) in &invite.extra {
        builder = builder.raw(name.as_str(), value);
    }
    if let Some(offer) = invite.offer {
        builder = builder.body(requests::SDP, offer);
    }
    let mut request = builder.build()?;
    shared.describe_us(&mut request);
    Ok(request)
}

/// The INVITE of this token, if it is the one that the session is waiting for.
pub(super) fn initial(shared: &Shared, token: RequestToken) -> Option<Request> {
    shared.initial.as_ref().filter(|initial| initial.token == token).map(|initial| initial.request.clone())
}

/// Remembers which branch of the fork the session goes on with.
pub(super) fn won_by(shared: &mut Shared, dialog: &Dialog) {
    if let Some(initial) = &mut shared.initial {
        initial.won_by = Some(dialog.id().remote_tag.clone());
    }
}

/// Sends the INVITE again if the response is a challenge that can be answered: the same Call-ID, From and To, the next CSeq
/// number (RFC 3261 §22.2). Whether it did.
fn retry(shared: &mut Shared, invite: Request, response: &Response) -> bool {
    if !matches!(response.status().code(), 401 | 407) {
        return false;
    }
    let mut next = invite;
    let cseq = next.cseq().clone();
    next.set_cseq(blether_sip_core::CSeq { number: cseq.number.saturating_add(1), ..cseq });
    let Some(next) = shared.authorized(next, response) else { return false };
    let flow = shared.initial.as_ref().map_or(shared.flow, |initial| initial.flow);
    let token = shared.send(next.clone(), flow);
    shared.initial = Some(InitialInvite { token, request: next, flow, won_by: None });
    true
}

/// Ends the call with a response that nobody sent.
fn give_up(shared: &mut Shared, invite: &Request, status: StatusCode, cause: EndCause) -> State {
    shared.tell(SessionEvent::Refused { response: Response::to_request(invite, status).build(), cause });
    shared.finish(Party::Local, cause)
}

//! The end of a dialog: BYE, its authentication, and what still arrives meanwhile (RFC 3261 §15.1, RFC 5407 §3.2).

use std::time::{Duration, Instant};

use blether_sip_core::{Method, Reason, Request, Response, StatusCode};
use blether_transaction_core::{Failure, ServerTransactionId};

use super::shared::Shared;
use super::{EndCause, NO_ROOM, Party, RequestToken, State, requests};
use crate::dialog::{CSeqVerdict, Dialog};

/// A dialog that we have sent a BYE in.
pub(super) struct Departing {
    dialog: Dialog,
    token: RequestToken,
    bye: Request,
    cause: EndCause,
    /// It was sent a second time, since the connection that the first went by has ended.
    resent: bool,
    /// A transaction has it.
    sent: bool,
    /// Our own side had no room for it.
    postponed: Option<Postponed>,
}

/// A BYE that is tried again: as Timer E would send it, after T1, then doubling up to T2, for as long as a transaction would go on.
#[derive(Clone, Copy)]
struct Postponed {
    /// `None` once it was tried again, and until it is known what came of that.
    at: Option<Instant>,
    interval: Duration,
    until: Instant,
}

impl Departing {
    /// Sends the BYE. `None` if it cannot be built: the dialog is then over without a word.
    pub(super) fn begin(shared: &mut Shared, mut dialog: Dialog, cause: EndCause) -> Option<Self> {
        let mut bye = match dialog.next_request(Method::Bye) {
            Ok(bye) => bye,
            Err(error) => {
                tracing::warn!(call_id = %shared.call_id, %error, "BYE not sent");
                return None;
            }
        };
        if let Some(reason) = reason_of(cause) {
            bye.headers_mut().set(reason);
        }
        let flow = shared.flow_of(&dialog);
        let token = shared.send_fresh(&mut bye, flow);
        Some(Self { dialog, token, bye, cause, resent: false, sent: false, postponed: None })
    }

    pub(super) fn token(&self) -> RequestToken {
        self.token
    }

    /// Takes in that a transaction has the request of this token.
    pub(super) fn handle_sent(&mut self, token: RequestToken) {
        self.sent |= token == self.token;
    }

    /// Takes in the final response: `Some` if it was a challenge and the BYE was sent again with credentials.
    pub(super) fn challenged(mut self, shared: &mut Shared, response: &Response) -> Option<Self> {
        if !matches!(response.status().code(), 401 | 407) {
            return None;
        }
        // CSeq exhausted or unbuildable: the BYE stays unanswered, and the dialog is over at our end.
        let number = self.dialog.next_request(Method::Bye).ok()?.cseq().clone();
        let mut next = self.bye.clone();
        next.set_cseq(number);
        let next = shared.authorized(next, response)?;
        let flow = shared.flow_of(&self.dialog);
        self.token = shared.send(next.clone(), flow);
        self.bye = next;
        Some(self)
    }

    /// Takes in that it could not be sent or nobody answers: `Some` if it is to be tried again. So it is where our own side had no room for it, and once
    /// where only a connection has ended, by another. A peer that never hears of it would go on talking.
    pub(super) fn failed(self, now: Instant, shared: &mut Shared, failure: Failure) -> Option<Self> {
        if failure == NO_ROOM {
            return self.postpone(now, shared);
        }
        if self.resent || !shared.may_reach_otherwise(&self.dialog, failure) {
            return None;
        }
        Some(Self { resent: true, sent: self.sent, ..Self::begin(shared, self.dialog, self.cause)? })
    }

    fn postpone(mut self, now: Instant, shared: &Shared) -> Option<Self> {
        let timing = shared.config.timing;
        let (interval, until) = match self.postponed {
            None => (timing.t1, now + timing.sixty_four_t1()),
            Some(Postponed { until, .. }) if until <= now => {
                tracing::warn!(call_id = %shared.call_id, "BYE not sent: there was no room for it in 64 × T1; the peer is left in the call");
                return None;
            }
            Some(Postponed { interval, until, .. }) => ((interval * 2).min(timing.t2), until),
        };
        self.postponed = Some(Postponed { at: Some((now + interval).min(until)), interval, until });
        Some(self)
    }

    /// Whether it has yet to be sent.
    fn is_postponed(&self) -> bool {
        self.poll_timeout().is_some()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.postponed.and_then(|postponed| postponed.at)
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, shared: &mut Shared) {
        if let Some(postponed) = &mut self.postponed
            && postponed.at.take_if(|at| *at <= now).is_some()
        {
            let flow = shared.flow_of(&self.dialog);
            self.token = shared.send(self.bye.clone(), flow);
        }
    }
}

/// Our BYE has no final response yet.
pub(super) struct Ending {
    departing: Departing,
    by: Party,
    cause: EndCause,
    /// A re-INVITE of ours that was on its way: its 2xx still wants an ACK (RFC 5407 §3.2.3).
    reinvite: Option<(RequestToken, Request)>,
}

impl Ending {
    /// Hangs up, and waits for the BYE's final response.
    pub(super) fn begin(
        shared: &mut Shared,
        dialog: Dialog,
        by: Party,
        cause: EndCause,
        reinvite: Option<(RequestToken, Request)>,
    ) -> State {
        match Departing::begin(shared, dialog, cause) {
            Some(departing) => State::Ending(Box::new(Self { departing, by, cause, reinvite })),
            None => shared.finish(by, cause),
        }
    }

    pub(super) fn cause(&self) -> EndCause {
        self.cause
    }

    /// Whether the BYE has left.
    pub(super) fn is_sent(&self) -> bool {
        self.departing.sent
    }

    pub(super) fn handle_sent(&mut self, token: RequestToken) {
        self.departing.handle_sent(token);
    }

    pub(super) fn dialog(&self) -> &Dialog {
        &self.departing.dialog
    }

    /// A BYE that crosses ours is answered 200 (RFC 5407 §3.2.1), anything else finds no session any more.
    pub(super) fn handle_request(
        mut self: Box<Self>,
        _now: Instant,
        shared: &mut Shared,
        transaction: ServerTransactionId,
        request: &Request,
    ) -> State {
        if !self.departing.dialog.matches(request) {
            requests::answer_without_dialog(shared, transaction, request);
        } else if let CSeqVerdict::OutOfOrder { .. } = self.departing.dialog.check_cseq(request) {
            shared.respond_with(transaction, request, StatusCode::SERVER_INTERNAL_ERROR);
        } else if *request.method() == Method::Bye {
            shared.respond_with(transaction, request, StatusCode::OK);
            if self.departing.is_postponed() {
                // It knows.
                return shared.finish(self.by, self.cause);
            }
        } else {
            requests::answer_without_dialog(shared, transaction, request);
        }
        State::Ending(self)
    }

    pub(super) fn handle_response(
        mut self: Box<Self>,
        shared: &mut Shared,
        token: RequestToken,
        response: &Response,
    ) -> State {
        if let Some((of, invite)) = self.reinvite.take_if(|(of, _)| *of == token && response.status().is_success()) {
            shared.acknowledge(of, &self.departing.dialog, &invite, None);
        }
        if token != self.departing.token || !response.status().is_final() {
            return State::Ending(self);
        }
        let Self { departing, by, cause, reinvite } = *self;
        match departing.challenged(shared, response) {
            Some(departing) => State::Ending(Box::new(Self { departing, by, cause, reinvite })),
            None => shared.finish(by, cause),
        }
    }

    pub(super) fn handle_failure(
        self: Box<Self>,
        now: Instant,
        shared: &mut Shared,
        token: RequestToken,
        failure: Failure,
    ) -> State {
        if token != self.departing.token {
            return State::Ending(self);
        }
        let Self { departing, by, cause, reinvite } = *self;
        match departing.failed(now, shared, failure) {
            Some(departing) => State::Ending(Box::new(Self { departing, by, cause, reinvite })),
            None => shared.finish(by, cause),
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.departing.poll_timeout()
    }

    pub(super) fn handle_timeout(mut self: Box<Self>, now: Instant, shared: &mut Shared) -> State {
        self.departing.handle_timeout(now, shared);
        State::Ending(self)
    }
}

/// Tells the peer why, where the BYE alone does not (RFC 3326 §2).
fn reason_of(cause: EndCause) -> Option<Reason> {
    let (status, text) = match cause {
        EndCause::HungUp | EndCause::Cancelled => return None,
        EndCause::Rejected(status) => (status, status.reason()),
        EndCause::AnsweredElsewhere => (StatusCode::OK, "Call completed elsewhere"),
        EndCause::NoAnswer => (StatusCode::TEMPORARILY_UNAVAILABLE, "No answer"),
        EndCause::NotAcknowledged => (StatusCode::REQUEST_TIMEOUT, "ACK missing"),
        EndCause::PeerGone => (StatusCode::REQUEST_TIMEOUT, "No response"),
        EndCause::Unreachable(_) => (StatusCode::SERVICE_UNAVAILABLE, "Unreachable"),
        EndCause::Failed => (StatusCode::SERVER_INTERNAL_ERROR, "Failure"),
    };
    Some(Reason::sip(status, text))
}

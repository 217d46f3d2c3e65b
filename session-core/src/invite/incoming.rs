//! The called side until its final response (RFC 3261 §13.3.1).

use std::time::{Duration, Instant};

use blether_sip_core::{ByteStr, Expires, HeaderName, Method, Request, Response, StatusCode, Unsupported};
use blether_sip_transport::Flow;
use blether_transaction_core::ServerTransactionId;
use bytes::Bytes;

use super::acknowledgement::Unacknowledged;
use super::established::Established;
use super::shared::Shared;
use super::{EndCause, Party, State, requests};
use crate::dialog::Dialog;
use crate::error::Refusal;

/// The INVITE has no final response yet.
pub(super) struct Incoming {
    pub(super) transaction: ServerTransactionId,
    pub(super) invite: Request,
    dialog: Dialog,
    /// The last provisional response, and when it is sent again.
    provisional: Option<(Response, Instant)>,
    /// When the caller stops caring (Expires, §13.3.1).
    expires_at: Option<Instant>,
}

impl Incoming {
    pub(super) fn begin(
        now: Instant,
        shared: &mut Shared,
        transaction: ServerTransactionId,
        invite: Request,
    ) -> Result<State, Refusal> {
        if invite.to().tag().is_some() {
            let response = shared.response(&invite, StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST).build();
            return Err(Refusal::new(response));
        }
        let unsupported = requests::required_extensions(&invite);
        if !unsupported.is_empty() {
            let builder = shared.response(&invite, StatusCode::BAD_EXTENSION);
            return Err(Refusal::new(builder.header(Unsupported(unsupported)).build()));
        }
        if let Some(unreadable) = requests::unreadable_offer(&invite) {
            let (header, wanted) = unreadable.wanted();
            let builder = shared.response(&invite, StatusCode::UNSUPPORTED_MEDIA_TYPE);
            return Err(Refusal::new(builder.raw(header, &wanted).build()));
        }
        let dialog = Dialog::uas(&invite, &shared.local_tag).map_err(|error| {
            Refusal::new(shared.response(&invite, StatusCode::BAD_REQUEST).reason(&error.to_string()).build())
        })?;
        // An Expires that cannot be read, or is too far off to count to, is as good as none.
        let expires_at = match invite.headers().get::<Expires>() {
            Ok(Some(Expires(seconds))) => now.checked_add(Duration::from_secs(seconds.into())),
            _ => None,
        };
        Ok(State::Incoming(Box::new(Self { transaction, invite, dialog, provisional: None, expires_at })))
    }

    pub(super) fn provisional(&mut self, now: Instant, shared: &mut Shared, status: StatusCode, sdp: Option<Bytes>) {
        let mut builder = shared.target_refresh_response(&self.invite, status);
        if let Some(sdp) = sdp {
            builder = builder.body(requests::SDP, sdp);
        }
        let response = builder.build();
        shared.respond(self.transaction, response.clone());
        self.provisional = Some((response, now + shared.config.provisional_refresh));
    }

    pub(super) fn answer(self: Box<Self>, now: Instant, shared: &mut Shared, sdp: Bytes) -> State {
        let Self { transaction, invite, dialog, .. } = *self;
        let response = shared.target_refresh_response(&invite, StatusCode::OK).body(requests::SDP, sdp).build();
        let offers = invite.body().is_empty();
        let answer = Unacknowledged::begin(now, shared, transaction, response, offers);
        Established::answered(dialog, answer)
    }

    pub(super) fn reject(
        self: Box<Self>,
        shared: &mut Shared,
        status: StatusCode,
        headers: &[(HeaderName, ByteStr)],
        by: Party,
        cause: EndCause,
    ) -> State {
        let mut response = shared.response(&self.invite, status).build();
        for (name, value) in headers {
            if let Err(error) = response.headers_mut().push_raw(name, value) {
                tracing::warn!(call_id = %shared.call_id, header = %name, %error, "header left out of the refusal");
            }
        }
        shared.respond(self.transaction, response);
        shared.finish(by, cause)
    }

    /// Refuses the call because our user ends it.
    pub(super) fn end(self: Box<Self>, shared: &mut Shared, cause: EndCause) -> State {
        let status = match cause {
            EndCause::Rejected(status) if status.is_final() && !status.is_success() => status,
            EndCause::AnsweredElsewhere | EndCause::Cancelled => StatusCode::REQUEST_TERMINATED,
            EndCause::Failed => StatusCode::SERVER_INTERNAL_ERROR,
            EndCause::Unreachable(_) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::TEMPORARILY_UNAVAILABLE,
        };
        self.reject(shared, status, &[], Party::Local, cause)
    }

    /// The caller gave up (RFC 3261 §9.2).
    pub(super) fn cancelled(self: Box<Self>, shared: &mut Shared) -> State {
        self.reject(shared, StatusCode::REQUEST_TERMINATED, &[], Party::Remote, EndCause::Cancelled)
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
            return State::Incoming(self);
        }
        if !requests::admit(shared, &mut self.dialog, transaction, request, flow) {
            return State::Incoming(self);
        }
        match request.method() {
            // A caller may hang up an early dialog (§15.1.2); the INVITE still gets its final response.
            Method::Bye => {
                shared.respond_with(transaction, request, StatusCode::OK);
                return self.cancelled(shared);
            }
            // §14.2: the first INVITE has no final response yet.
            Method::Invite => requests::answer_later(shared, transaction, request),
            Method::Update if request.body().is_empty() => {
                requests::answer_plain_update(shared, &mut self.dialog, transaction, request);
            }
            // RFC 3311 §5.2: the offer of the INVITE has no reliable answer yet; without PRACK it cannot have one.
            Method::Update => requests::answer_later(shared, transaction, request),
            _ => requests::answer_other(shared, transaction, request),
        }
        State::Incoming(self)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let refresh = self.provisional.as_ref().map(|(_, at)| *at);
        [refresh, self.expires_at].into_iter().flatten().min()
    }

    pub(super) fn handle_timeout(mut self: Box<Self>, now: Instant, shared: &mut Shared) -> State {
        if self.expires_at.is_some_and(|at| at <= now) {
            return self.reject(shared, StatusCode::REQUEST_TERMINATED, &[], Party::Remote, EndCause::NoAnswer);
        }
        if let Some((response, at)) = self.provisional.as_mut().filter(|(_, at)| *at <= now) {
            shared.respond(self.transaction, response.clone());
            *at = now + shared.config.provisional_refresh;
        }
        State::Incoming(self)
    }
}

//! A call out that is not wanted any more (RFC 3261 §9.1), and the 2xx that comes all the same (RFC 5407 §3.1.2).

use std::time::Instant;

use blether_sip_core::{Request, Response};
use blether_sip_transport::Flow;
use blether_transaction_core::ServerTransactionId;

use super::hang_up::Ending;
use super::outgoing::{EarlyDialogs, initial, won_by};
use super::shared::Shared;
use super::{EndCause, Party, RequestToken, SessionTransmit, State};

/// CANCEL is asked for; the INVITE has no final response yet. No timer runs here: the transaction gives the INVITE up if it gets
/// no final response within 64×T1 of the CANCEL (§9.1), or of the INVITE if nothing at all was heard.
pub(super) struct Cancelling {
    early: EarlyDialogs,
    by: Party,
    cause: EndCause,
}

impl Cancelling {
    pub(super) fn begin(shared: &mut Shared, early: EarlyDialogs, by: Party, cause: EndCause) -> State {
        let Some(invite) = &shared.initial else { return shared.finish(by, cause) };
        shared.transmits.push_back(SessionTransmit::Cancel { token: invite.token });
        State::Cancelling(Box::new(Self { early, by, cause }))
    }

    pub(super) fn cause(&self) -> EndCause {
        self.cause
    }

    /// A refusal, 487 as a rule, ends it. A 2xx was faster than the CANCEL: it is acknowledged and hung up.
    pub(super) fn handle_response(
        mut self: Box<Self>,
        shared: &mut Shared,
        token: RequestToken,
        response: &Response,
    ) -> State {
        let status = response.status();
        let Some(invite) = initial(shared, token) else { return State::Cancelling(self) };
        if status.is_provisional() {
            return State::Cancelling(self);
        }
        if !status.is_success() {
            return shared.finish(self.by, self.cause);
        }
        match self.early.confirm(&invite, response) {
            Ok((dialog, _)) => {
                won_by(shared, &dialog);
                shared.acknowledge(token, &dialog, &invite, None);
                Ending::begin(shared, dialog, self.by, self.cause, None)
            }
            Err(error) => {
                tracing::warn!(call_id = %shared.call_id, %error, "2xx makes no dialog");
                shared.finish(self.by, self.cause)
            }
        }
    }

    pub(super) fn handle_failure(self: Box<Self>, shared: &mut Shared, token: RequestToken) -> State {
        if initial(shared, token).is_some() { shared.finish(self.by, self.cause) } else { State::Cancelling(self) }
    }

    pub(super) fn handle_request(
        mut self: Box<Self>,
        _now: Instant,
        shared: &mut Shared,
        transaction: ServerTransactionId,
        request: &Request,
        flow: Flow,
    ) -> State {
        // Whether one phone less rings makes no difference any more.
        let _ = self.early.handle_request(shared, transaction, request, flow);
        State::Cancelling(self)
    }
}

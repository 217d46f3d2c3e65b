//! Requests within a dialog that are answered alike in every state: what is malformed or not supported, OPTIONS, INFO.

use blether_sip_core::{Allow, ByteStr, Method, Request, Response, RetryAfter, StatusCode, Supported, Unsupported};
use blether_sip_transport::Flow;
use blether_transaction_core::ServerTransactionId;
use bytes::Bytes;

use super::SessionEvent;
use super::shared::{Shared, is_target_refresh};
use crate::config::ALLOWED_METHODS;
use crate::dialog::{CSeqVerdict, Dialog};
use crate::inspection::{self, Unreadable, essence};

/// The body type of an offer or answer.
pub(super) use crate::inspection::SDP;

/// The INFO bodies that carry DTMF, as phones without RFC 4733 send it.
const INFO_BODIES: [&str; 2] = ["application/dtmf-relay", "application/dtmf"];

/// Answers a request that belongs to no dialog of the session (RFC 3261 §12.2.2).
pub(super) fn answer_without_dialog(shared: &mut Shared, transaction: ServerTransactionId, request: &Request) {
    shared.respond_with(transaction, request, StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST);
}

/// Looks at what every request within a dialog must get right (RFC 3261 §12.2.2, §8.2.2.3, §8.2.3). `false`: it has been answered.
pub(super) fn admit(
    shared: &mut Shared,
    dialog: &mut Dialog,
    transaction: ServerTransactionId,
    request: &Request,
    flow: Flow,
) -> bool {
    if let CSeqVerdict::OutOfOrder { highest } = dialog.check_cseq(request) {
        let reason = format!("CSeq is not above {highest}");
        let response = shared.response(request, StatusCode::SERVER_INTERNAL_ERROR).reason(&reason).build();
        shared.respond(transaction, response);
        return false;
    }
    shared.flow = flow;
    let unsupported = required_extensions(request);
    if !unsupported.is_empty() {
        let response = shared.response(request, StatusCode::BAD_EXTENSION).header(Unsupported(unsupported)).build();
        shared.respond(transaction, response);
        return false;
    }
    if is_target_refresh(request.method())
        && let Some(unreadable) = unreadable_offer(request)
    {
        let (header, wanted) = unreadable.wanted();
        let response = shared.response(request, StatusCode::UNSUPPORTED_MEDIA_TYPE).raw(header, &wanted).build();
        shared.respond(transaction, response);
        return false;
    }
    true
}

/// The option tags that the peer insists on (RFC 3261 §20.32): none is supported here.
pub(super) fn required_extensions(request: &Request) -> Vec<ByteStr> {
    inspection::required_extensions(request, &[])
}

/// Why the body of a request cannot be read as a session description, if there is one.
pub(super) fn unreadable_offer(request: &Request) -> Option<Unreadable<'static>> {
    inspection::unreadable_body(request, Some(&[SDP]))
}

/// The session description in a response, if there is one.
pub(super) fn session_description(response: &Response) -> Option<Bytes> {
    let is_sdp = essence(response.headers()).is_some_and(|essence| essence == SDP);
    (is_sdp && !response.body().is_empty()).then(|| response.body().clone())
}

/// The session description in an ACK, if there is one.
pub(super) fn session_description_of_ack(ack: &Request) -> Option<Bytes> {
    let is_sdp = essence(ack.headers()).is_some_and(|essence| essence == SDP);
    (is_sdp && !ack.body().is_empty()).then(|| ack.body().clone())
}

/// Answers 500 and says when to try again (RFC 3261 §14.2, RFC 3311 §5.2).
pub(super) fn answer_later(shared: &mut Shared, transaction: ServerTransactionId, request: &Request) {
    let seconds = shared.retry_after();
    let response = shared.response(request, StatusCode::SERVER_INTERNAL_ERROR).header(RetryAfter::new(seconds)).build();
    shared.respond(transaction, response);
}

/// Answers an UPDATE without offer, which only refreshes the remote target (RFC 3311 §5.2).
pub(super) fn answer_plain_update(
    shared: &mut Shared,
    dialog: &mut Dialog,
    transaction: ServerTransactionId,
    request: &Request,
) {
    let status = match dialog.refresh_target_by_request(request) {
        Ok(()) => StatusCode::OK,
        Err(_) => StatusCode::BAD_REQUEST,
    };
    let response = shared.target_refresh_response(request, status).build();
    shared.respond(transaction, response);
}

/// Answers whatever does not change the session: OPTIONS, INFO, and methods that are not for a session.
pub(super) fn answer_other(shared: &mut Shared, transaction: ServerTransactionId, request: &Request) {
    let response = match request.method() {
        Method::Options => shared
            .response(request, StatusCode::OK)
            .header(Allow(ALLOWED_METHODS.to_vec()))
            .header(Supported(Vec::new()))
            .raw("Accept", SDP)
            .build(),
        Method::Info => return answer_info(shared, transaction, request),
        // Only a reliable provisional response can be acknowledged so, and we send none (RFC 3262 §3).
        Method::Prack => return answer_without_dialog(shared, transaction, request),
        method => {
            shared.response(request, inspection::not_served(method)).header(Allow(ALLOWED_METHODS.to_vec())).build()
        }
    };
    shared.respond(transaction, response);
}

fn answer_info(shared: &mut Shared, transaction: ServerTransactionId, request: &Request) {
    // An INFO without body asks whether the session lives (RFC 6086 §4.2.2).
    if request.body().is_empty() {
        return shared.respond_with(transaction, request, StatusCode::OK);
    }
    let taken: &[&str] = if shared.config.takes_info { &INFO_BODIES } else { &[] };
    match essence(request.headers()).filter(|essence| taken.contains(&essence.as_str())) {
        Some(essence) => {
            shared.respond_with(transaction, request, StatusCode::OK);
            shared.tell(SessionEvent::Info { content_type: ByteStr::from(essence), body: request.body().clone() });
        }
        None => {
            let response =
                shared.response(request, StatusCode::UNSUPPORTED_MEDIA_TYPE).raw("Accept", &taken.join(", ")).build();
            shared.respond(transaction, response);
        }
    }
}

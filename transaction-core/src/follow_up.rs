//! Requests that follow from an INVITE and go the same way: the ACK for a refusal, and CANCEL.

use blether_sip_core::{HeaderName, Method, NameAddr, Request};

/// A request with the Request-URI, the topmost Via, From, Call-ID, CSeq number and Routes of an INVITE (RFC 3261 §17.1.1.3, §9.1).
/// `None` for a request without Via, which no transaction has.
pub(crate) fn copy_of(invite: &Request, method: Method, to: NameAddr) -> Option<Request> {
    if !invite.has_via() {
        return None;
    }
    let request = Request::builder(method, invite.uri().clone())
        .via(invite.via().clone())
        .from(invite.from().clone())
        .to(to)
        .call_id(invite.call_id())
        .cseq(invite.cseq().number)
        .max_forwards(70);
    let mut request = request.build().ok()?;
    for route in invite.headers().raw_all(&HeaderName::Route) {
        // A Route that cannot be read is left out: it must not keep this end from acknowledging.
        let _ = request.headers_mut().push_raw(&HeaderName::Route, route);
    }
    Some(request)
}

/// The CANCEL for an INVITE (RFC 3261 §9.1).
pub(crate) fn cancel_request(invite: &Request) -> Option<Request> {
    copy_of(invite, Method::Cancel, invite.to().clone())
}

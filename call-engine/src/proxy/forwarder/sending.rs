//! What a response context wants, as messages: copies of its request, and responses.

use std::time::Instant;

use blether_sip_core::{HeaderName, MaxBreadth, Method, Request, Response, Route, StatusCode};
use blether_sip_transport::Flow;
use blether_transaction_core::{ClientTransactionId, Onward, Transactions};

use super::super::Refusal;
use super::super::forwarding::{Changes, Record, copy};
use super::super::next_hop::{NextHop, NextHops, uri_of_ours};
use super::super::reading::{by_it_alone, is_first_hop, is_local, wants_path};
use super::super::routing::Routing;
use super::super::target::Target;
use super::super::token::Token;
use super::{Proxy, SERVER, owner};

impl<R: Routing> Proxy<R> {
    /// Opens a branch.
    pub(super) fn forward(
        &mut self,
        now: Instant,
        key: u64,
        branch: usize,
        target: &Target,
        breadth: MaxBreadth,
        transactions: &mut Transactions,
    ) {
        let sent = self.send(now, key, branch, target, breadth, transactions);
        let Some(entry) = self.entries.get_mut(&key) else { return };
        if entry.clients.len() <= branch {
            entry.clients.resize(branch + 1, None);
        }
        match sent {
            Ok(client) => {
                self.meters.branches.increment(1);
                if let Some(place) = entry.clients.get_mut(branch) {
                    *place = Some(client);
                }
            }
            Err(refusal) => {
                let call_id = entry.context.request().call_id();
                tracing::info!(%call_id, target = %target.uri, why = %refusal.why(), "a target cannot be reached");
                let status = refusal.status();
                entry.context.fail(now, branch, status);
            }
        }
    }

    fn send(
        &mut self,
        now: Instant,
        key: u64,
        branch: usize,
        target: &Target,
        breadth: MaxBreadth,
        transactions: &mut Transactions,
    ) -> Result<ClientTransactionId, NotSent> {
        let Self { entries, hops, routing, key: token_key, .. } = self;
        let entry = entries.get(&key).ok_or(NotSent::NoRoom)?;
        let request = entry.context.request();
        let came_by = entry.came_by;
        let next = way(hops, request, target, came_by).map_err(NotSent::Refused)?;
        let (caller, hour, call_id) = (entry.record, token_key.hour(now), request.call_id().clone());
        let path = wants_path(request).then(|| {
            let token = token_key.seal(Token::Path(by_it_alone(came_by)), &[]);
            let mut uri = uri_of_ours(&token, came_by.local, came_by.transport);
            // Whether we are the first that it passes, which alone has its flow (RFC 5626 §5.1).
            if is_first_hop(request) {
                uri.params.set("ob", None);
            }
            uri
        });
        let changes = Changes {
            path,
            uri: Some(&target.uri),
            route: &target.route,
            breadth: Some(breadth),
            realm: entry.realm.as_ref(),
            came_by,
            goes_by: match next {
                NextHop::By(flow) => Some(flow),
                NextHop::To(_) => None,
            },
        };
        let mut copy = copy(request, &changes, routing).map_err(NotSent::Refused)?;
        let owner = owner(key, u64::try_from(branch).unwrap_or(SERVER));
        let (sealer, towards) = (token_key.clone(), target.clone());
        let put_record = move |copy: &mut Request, goes_by: Flow| {
            let Some(caller) = caller else { return };
            let dialog = caller.dialog_with(&towards, goes_by, hour);
            let token = sealer.seal(Token::Dialog(dialog), call_id.as_bytes());
            Record { token, came_by }.put_into(copy, goes_by);
        };
        let sent = match next {
            NextHop::By(goes_by) => {
                put_record(&mut copy, goes_by);
                transactions.forward(now, copy, goes_by, owner, entry.mark)
            }
            NextHop::To(destination) => {
                // Within a dialog the name is whatever its sender says.
                let may_lead_inside = request.to_tag().is_none() || is_local(came_by);
                let onward = Onward { destination, may_lead_inside };
                transactions.forward_to(now, copy, onward, owner, entry.mark, put_record)
            }
        };
        sent.map_err(|_| NotSent::NoRoom)
    }

    /// Where a request goes on to a target.
    pub(super) fn way(&mut self, request: &Request, target: &Target, came_by: Flow) -> Result<NextHop, Refusal> {
        way(&mut self.hops, request, target, came_by)
    }

    pub(super) fn respond(&mut self, now: Instant, key: u64, response: Response, transactions: &mut Transactions) {
        let Some(entry) = self.entries.get(&key) else { return };
        let (status, request) = (response.status(), entry.context.request());
        let is_invite = *request.method() == Method::Invite;
        if status.is_final() && is_invite {
            let branches = entry.clients.len();
            tracing::info!(call_id = %response.call_id(), status = status.code(), branches, "a call was forwarded");
        }
        let sent = match (entry.server, status.code()) {
            // One of ours gets a tag; one that is passed on has one.
            (Some(server), 300..) => transactions.respond(now, server, response).is_ok(),
            (server, _) => {
                let in_time =
                    server.is_some_and(|server| transactions.forward_response(now, server, &response).is_ok());
                let late = !in_time && is_invite && status.is_success();
                if late {
                    // Somebody has answered who had been given up, and waits for an ACK: it is the caller's to hang up (RFC 3261 §16.7 step 5).
                    transactions.forward_late_response(request, entry.came_by, &response);
                }
                in_time || late
            }
        };
        if !sent {
            // RFC 4320: no 408 and no late 1xx to anything but INVITE. Else the sender has stopped waiting.
            tracing::debug!(status = status.code(), "a response is not passed on");
        }
    }
}

/// Why a branch was not opened.
enum NotSent {
    Refused(Refusal),
    NoRoom,
}

impl NotSent {
    fn status(&self) -> StatusCode {
        match self {
            Self::Refused(refusal) => refusal.status(),
            Self::NoRoom => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn why(&self) -> String {
        match self {
            Self::Refused(refusal) => refusal.to_string(),
            Self::NoRoom => "no room for a transaction".to_owned(),
        }
    }
}

/// Where a request goes on to a target: by its own flow, else what the first proxy on its way says, else its first Route that is left, else the URI of
/// the target (RFC 3261 §16.6 step 7). Of a strict router, its URI is the Request-URI by then.
fn way(hops: &mut NextHops, request: &Request, target: &Target, came_by: Flow) -> Result<NextHop, Refusal> {
    if let Some(flow) = target.flow {
        return Ok(NextHop::By(flow));
    }
    if let Some(proxy) = target.route.first() {
        return hops.find(proxy, came_by);
    }
    let first = match request.headers().has(&HeaderName::Route) {
        true => request.headers().get::<Route>().map_err(|_| Refusal::Malformed("Route"))?,
        false => None,
    };
    let uri = first.as_ref().map_or(&target.uri, |route| &route.0.uri);
    hops.find(uri.as_sip().ok_or(Refusal::Scheme)?, came_by)
}

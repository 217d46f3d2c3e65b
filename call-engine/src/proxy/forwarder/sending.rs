//! What a response context wants, as messages: copies of its request, and responses.

use std::time::Instant;

use blether_sip_core::{HeaderName, MaxBreadth, Method, Request, Response, Route, StatusCode};
use blether_sip_transport::Flow;
use blether_transaction_core::{ClientTransactionId, Transactions};

use super::super::Refusal;
use super::super::forwarding::{Changes, copy};
use super::super::next_hop::{NextHops, uri_of_ours};
use super::super::reading::{by_it_alone, is_first_hop, wants_path};
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
        let Self { entries, hops, key: token_key, .. } = self;
        let entry = entries.get(&key).ok_or(NotSent::NoRoom)?;
        let request = entry.context.request();
        let came_by = entry.came_by;
        let goes_by = way(hops, request, target, came_by).map_err(NotSent::Refused)?;
        let token = entry.record.map(|caller| {
            let dialog = caller.dialog_with(target, goes_by, token_key.hour(now));
            token_key.seal(Token::Dialog(dialog), request.call_id().as_bytes())
        });
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
            record: token.as_deref().map(|token| (token, came_by, goes_by)),
            realm: entry.realm.as_ref(),
            // Within a dialog its parties tell each other what they like.
            from_outside: request.to_tag().is_none(),
        };
        let copy = copy(request, &changes).map_err(NotSent::Refused)?;
        let number = u64::try_from(branch).unwrap_or(SERVER);
        transactions.forward(now, copy, goes_by, owner(key, number), entry.mark).map_err(|_| NotSent::NoRoom)
    }

    /// The flow by which a request goes on to a target.
    pub(super) fn way(&mut self, request: &Request, target: &Target, came_by: Flow) -> Result<Flow, Refusal> {
        way(&mut self.hops, request, target, came_by)
    }

    pub(super) fn respond(&mut self, now: Instant, key: u64, response: Response, transactions: &mut Transactions) {
        let Some(entry) = self.entries.get(&key) else { return };
        let Some(server) = entry.server else { return };
        let status = response.status();
        if status.is_final() && *entry.context.request().method() == Method::Invite {
            let branches = entry.clients.len();
            tracing::info!(call_id = %response.call_id(), status = status.code(), branches, "a call was forwarded");
        }
        let sent = match status.code() {
            ..300 => transactions.forward_response(now, server, &response),
            // One of ours gets a tag; one that is passed on has one.
            _ => transactions.respond(now, server, response),
        };
        if sent.is_err() {
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

/// The flow by which a request goes on to a target: its own, else what the first proxy on its way says, else its first Route that is left, else the URI of
/// the target (RFC 3261 §16.6 step 7). Of a strict router, its URI is the Request-URI by then.
fn way(hops: &mut NextHops, request: &Request, target: &Target, came_by: Flow) -> Result<Flow, Refusal> {
    if let Some(flow) = target.flow {
        return Ok(flow);
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

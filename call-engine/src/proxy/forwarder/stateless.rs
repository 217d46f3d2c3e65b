//! The stateless mode (RFC 3261 §16.11): each message for itself, by nothing but what stands in it and in the configuration.

use std::net::SocketAddr;
use std::time::Instant;

use blether_sip_core::{ByteStr, Method, Request, Response, StatusCode};
use blether_sip_transport::{Flow, Transport};
use blether_transaction_core::{Event, ServerTransactionId, Transactions};

use super::super::Refusal;
use super::super::forwarding::{Changes, Record, conceal_identity, copy};
use super::super::next_hop::NextHop;
use super::super::reading::{Caller, opens_dialog};
use super::super::routes::preprocess;
use super::super::routing::{Asked, Routed, Routing};
use super::super::target::{Plan, Target};
use super::super::token::{DialogToken, Token};
use super::super::validation::check;
use super::Proxy;

impl<R: Routing> Proxy<R> {
    /// Forwards a request and forgets it; a refusal is answered.
    pub(super) fn pass_stateless(
        &mut self,
        now: Instant,
        id: ServerTransactionId,
        (received, request): (&Request, &Request),
        (target, realm): (&Target, Option<&ByteStr>),
        flow: Flow,
        transactions: &mut Transactions,
    ) -> Option<Event> {
        match self.send_stateless(now, (received, request), (target, realm), flow, transactions) {
            Ok(()) => {
                transactions.release(id);
                None
            }
            Err(refusal) => self.refuse(now, id, received, &refusal, transactions),
        }
    }

    fn send_stateless(
        &mut self,
        now: Instant,
        (received, request): (&Request, &Request),
        (target, realm): (&Target, Option<&ByteStr>),
        flow: Flow,
        transactions: &mut Transactions,
    ) -> Result<(), Refusal> {
        let checked = check(received, &self.loops)?;
        let mark = self.loops.mark_of_stateless(received);
        if self.loops.has_looped(received, mark) {
            return Err(Refusal::Loop);
        }
        // Nothing would be remembered of its other addresses; what is configured is no name.
        let NextHop::By(goes_by) = self.way(request, target, flow)? else { return Err(Refusal::Unresolved) };
        let token = opens_dialog(request).then(|| {
            let caller = Caller::of(received, flow, realm.is_some());
            let dialog = caller.dialog_with(target, goes_by, self.key.hour(now));
            self.key.seal(Token::Dialog(DialogToken { stateless: true, ..dialog }), request.call_id().as_bytes())
        });
        let opens_nothing = matches!(request.method(), Method::Ack | Method::Cancel);
        let changes = Changes {
            path: None,
            uri: Some(&target.uri),
            route: &target.route,
            breadth: (!opens_nothing).then_some(checked.breadth),
            realm,
            came_by: flow,
            goes_by: Some(goes_by),
        };
        let mut copy = copy(request, &changes, &self.routing)?;
        if let Some(token) = token {
            Record { token, came_by: flow }.put_into(&mut copy, goes_by);
        }
        self.meters.stateless.increment(1);
        transactions.forward_stateless(copy, goes_by, &self.loops.unique_of(received), mark);
        Ok(())
    }

    /// A CANCEL of what has no context: forwarded if what it cancels was, without state (RFC 3261 §16.10), else answered 481.
    pub(super) fn on_cancel(
        &mut self,
        now: Instant,
        id: ServerTransactionId,
        cancel: &Request,
        flow: Flow,
        transactions: &mut Transactions,
    ) -> Option<Event> {
        match self.stateless_way(now, cancel, flow) {
            Some((request, target)) => {
                self.pass_stateless(now, id, (cancel, &request), (&target, None), flow, transactions)
            }
            None => {
                let unknown = Response::to_request(cancel, StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST).build();
                if transactions.respond(now, id, unknown).is_err() {
                    tracing::debug!(call_id = %cancel.call_id(), "a CANCEL was not answered");
                }
                None
            }
        }
    }

    /// The ACK for a refusal that came from beyond us; whether it was one.
    pub(super) fn on_stateless_ack(
        &mut self,
        now: Instant,
        ack: &Request,
        flow: Flow,
        transactions: &mut Transactions,
    ) -> bool {
        let Some((request, target)) = self.stateless_way(now, ack, flow) else { return false };
        if let Err(refusal) = self.send_stateless(now, (ack, &request), (&target, None), flow, transactions) {
            self.meters.refused(&refusal);
            tracing::debug!(call_id = %ack.call_id(), %refusal, "an ACK is not forwarded");
        }
        true
    }

    /// Where a CANCEL or ACK goes on to that belongs to an INVITE which was forwarded without state: where that went.
    fn stateless_way(&mut self, now: Instant, request: &Request, flow: Flow) -> Option<(Request, Target)> {
        if !self.routing.has_stateless() {
            return None;
        }
        let pre = preprocess(request, &self.here(flow), &self.key).ok()?;
        let asked = Asked { received: request, request: &pre.request, came_by: flow, has_routes: pre.has_routes };
        match self.routing.route(now, asked) {
            Routed::To(plan) if plan.stateless => {
                let Plan { targets, .. } = *plan;
                targets.into_iter().next().map(|target| (pre.request, target))
            }
            _ => None,
        }
    }

    /// A response that belongs to no transaction: one to a request that was forwarded without state goes on, any other is dropped (RFC 6026 §8.9).
    pub(super) fn on_stray_response(&mut self, mut response: Response, flow: Flow, transactions: &mut Transactions) {
        if !self.loops.made_branch_of(&response) {
            return;
        }
        response.pop_via();
        let via = response.via();
        let transports = [Transport::Udp, Transport::Tcp, Transport::Tls];
        let transport = transports.into_iter().find(|known| via.transport.eq_ignore_ascii_case(known.via_name()));
        let Some((transport, ip)) = transport.zip(via.received().or(via.host.ip())) else { return };
        // RFC 3261 §18.2.2, RFC 3581 §4; the default is that of the transport (RFC 3261 §18.2.2, §19.1.2).
        let default = if transport == Transport::Tls { 5061 } else { 5060 };
        let remote = SocketAddr::new(ip, via.rport().flatten().or(via.port).unwrap_or(default));
        let Ok(local) = self.hops.local_towards(remote, flow) else { return };
        let goes_by = Flow { transport, local, remote, connection: None };
        conceal_identity(&mut response.headers_mut(), &self.routing, flow, Some(goes_by));
        transactions.forward_response_stateless(&response, goes_by);
    }
}

//! What happens in the transactions, and which context it concerns.

use std::time::Instant;

use blether_transaction_core::{Event, Interceptor, Owner, Transactions};

use super::super::forwarding::conceal_identity;
use super::super::routing::Routing;
use super::{BRANCH_BITS, Entry, Proxy, SERVER};

impl<R: Routing> Interceptor for Proxy<R> {
    fn on_event(&mut self, now: Instant, event: Event, transactions: &mut Transactions) -> Option<Event> {
        let named = match &event {
            Event::Request { .. } | Event::Ack { .. } | Event::StrayResponse { .. } => None,
            Event::Response { owner, .. }
            | Event::Located { owner, .. }
            | Event::MovedOn { owner, .. }
            | Event::Failed { owner, .. }
            | Event::AckNotSent { owner, .. }
            | Event::ClientTerminated { owner, .. } => Some(*owner),
            Event::Cancelled { owner, .. }
            | Event::NotAcknowledged { owner, .. }
            | Event::NotSent { owner, .. }
            | Event::ServerTerminated { owner, .. } => *owner,
            _ => return Some(event),
        };
        match (event, named.map(Owner::number_of_interceptor)) {
            (Event::Request { id, request, flow }, _) => self.on_request(now, id, request, flow, transactions),
            (Event::Ack { request, flow }, _) => self.on_ack(now, request, flow, transactions),
            (Event::StrayResponse { response, flow }, _) => {
                self.on_stray_response(response, flow, transactions);
                None
            }
            (event, Some(Some(number))) => {
                let (key, branch) = (number >> BRANCH_BITS, number & SERVER);
                let at = usize::try_from(branch).unwrap_or(usize::MAX);
                match event {
                    Event::Response { mut response, flow, .. } => {
                        let caller = self.entries.get(&key).map(|entry| entry.came_by);
                        conceal_identity(&mut response.headers_mut(), &self.routing, flow, caller);
                        self.with(now, key, transactions, |entry| entry.context.handle_response(now, at, response));
                    }
                    Event::Failed { failure, .. } => {
                        self.with(now, key, transactions, |entry| entry.context.handle_failure(now, at, failure));
                    }
                    Event::MovedOn { why, flow, .. } => {
                        tracing::debug!(%why, %flow, "a branch goes on by another way");
                        self.with(now, key, transactions, |entry| entry.context.handle_moved_on(now, at));
                    }
                    Event::Cancelled { .. } => {
                        self.with(now, key, transactions, |entry| entry.context.handle_cancelled(now));
                    }
                    Event::ServerTerminated { .. } => self.server_terminated(key),
                    Event::ClientTerminated { .. } => self.client_terminated(now, key, at, transactions),
                    // A response that could not be sent is dropped (§16.9), and nobody waits for an ACK here.
                    _ => {}
                }
                None
            }
            (event, _) => Some(event),
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.timers.first().map(|(due, _)| *due)
    }

    fn handle_timeout(&mut self, now: Instant, transactions: &mut Transactions) {
        while let Some(&(due, key)) = self.timers.first() {
            if due > now {
                return;
            }
            // Out of the list first: were something to panic, it would not be asked again for ever.
            self.timers.remove(&(due, key));
            if let Some(entry) = self.entries.get_mut(&key) {
                entry.due = None;
            }
            self.with(now, key, transactions, |entry| entry.context.handle_timeout(now));
        }
    }
}

impl<R: Routing> Proxy<R> {
    fn server_terminated(&mut self, key: u64) {
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.server = None;
        }
        self.forget_if_over(key);
    }

    fn client_terminated(&mut self, now: Instant, key: u64, branch: usize, transactions: &mut Transactions) {
        if let Some(place) = self.entries.get_mut(&key).and_then(|entry| entry.clients.get_mut(branch)) {
            *place = None;
        }
        self.with(now, key, transactions, |entry| entry.context.handle_terminated(now, branch));
        self.forget_if_over(key);
    }

    /// A context is kept until all of its transactions are over (RFC 3261 §16.7 step 9).
    fn forget_if_over(&mut self, key: u64) {
        let over = |entry: &Entry| entry.server.is_none() && entry.clients.iter().all(Option::is_none);
        if self.entries.get(&key).is_some_and(over)
            && let Some(entry) = self.entries.remove(&key)
        {
            self.meters.contexts.decrement(1.0);
            if let Some(due) = entry.due {
                self.timers.remove(&(due, key));
            }
        }
    }
}

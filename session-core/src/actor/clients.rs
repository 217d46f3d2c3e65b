//! The client transactions of an endpoint, and who awaits what becomes of each.

use std::collections::HashMap;

use blether_sip_core::{ByteStr, Method, Request, Response};
use blether_sip_transport::Flow;
use blether_transaction_core::{ClientTransactionId, Owner};
use tokio::sync::oneshot;

use super::endpoint::RequestError;
use super::{CallKey, LegKey};
use crate::{Dialog, RequestToken};

/// A request of a leg, as its session names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct LegRequest {
    pub(super) call: CallKey,
    pub(super) leg: LegKey,
    pub(super) token: RequestToken,
}

/// Who awaits what becomes of a client transaction.
pub(super) enum Waiting {
    Leg(LegRequest),
    Application(oneshot::Sender<Result<(Response, Flow), RequestError>>),
}

pub(super) struct Client {
    pub(super) waiting: Waiting,
    id: ClientTransactionId,
    /// The INVITE, for the 2xx that may come when its leg is gone, and the branches that were hung up then.
    pub(super) invite: Option<(Box<Request>, Vec<ByteStr>)>,
}

/// What a 2xx wants that nobody awaits any more (RFC 3261 §13.2.2.4).
pub(super) struct Unwanted {
    pub(super) ack: Request,
    /// `None` where the branch has been told before.
    pub(super) bye: Option<Request>,
}

/// Branches of one fork that are hung up at most: a proxy that answers for more is not helped.
const MAX_BRANCHES: usize = 16;

#[derive(Default)]
pub(super) struct Clients {
    by_owner: HashMap<Owner, Client>,
    by_request: HashMap<LegRequest, Owner>,
    last: u64,
}

impl Clients {
    /// A name that was never used.
    pub(super) fn new_owner(&mut self) -> Owner {
        self.last += 1;
        Owner(self.last)
    }

    pub(super) fn insert(&mut self, owner: Owner, id: ClientTransactionId, waiting: Waiting, invite: Option<Request>) {
        if let Waiting::Leg(request) = waiting {
            self.by_request.insert(request, owner);
        }
        let invite = invite.map(|invite| (Box::new(invite), Vec::new()));
        self.by_owner.insert(owner, Client { waiting, id, invite });
    }

    pub(super) fn get(&self, owner: Owner) -> Option<&Client> {
        self.by_owner.get(&owner)
    }

    pub(super) fn transaction_of(&self, request: LegRequest) -> Option<ClientTransactionId> {
        Some(self.by_owner.get(self.by_request.get(&request)?)?.id)
    }

    pub(super) fn remove(&mut self, owner: Owner) -> Option<Client> {
        let client = self.by_owner.remove(&owner)?;
        if let Waiting::Leg(request) = &client.waiting {
            self.by_request.remove(request);
        }
        Some(client)
    }

    /// What to say to a 2xx for an INVITE whose leg has ended: another branch of a fork that was late, or a 200 that was sent again. Nothing to a branch
    /// that is to be hung up and may not.
    pub(super) fn unwanted(&mut self, owner: Owner, response: &Response, may_hang_up: bool) -> Option<Unwanted> {
        let (invite, told) = self.by_owner.get_mut(&owner)?.invite.as_mut()?;
        let mut dialog = Dialog::uac(invite, response).ok()?;
        let ack = dialog.acknowledgement(invite.cseq().number).ok()?;
        let tag = ByteStr::from(response.to().tag().unwrap_or_default());
        let bye = if told.contains(&tag) || told.len() >= MAX_BRANCHES {
            None
        } else if !may_hang_up {
            return None;
        } else {
            told.push(tag);
            dialog.next_request(Method::Bye).ok()
        };
        Some(Unwanted { ack, bye })
    }
}

//! Places for transactions, named by an index and a generation, so that the name of one that is over fits no other.

use std::time::Instant;

use blether_sip_core::{ByteStr, Host, Request};
use blether_sip_transport::{ConnectionId, Flow};
use bytes::Bytes;
use slab::Slab;

use crate::event::Attempt;
use crate::invite_client::ClientEvent;
use crate::invite_server::ServerEvent;
use crate::key::{ClientKey, ServerKey};
use crate::search::Search;
use crate::timing::{Reliability, Timing};
use crate::{
    Failure, InviteClientTransaction, InviteServerTransaction, NoTarget, NonInviteClientTransaction,
    NonInviteServerTransaction, Owner, TransmitId,
};

/// One of the four machines.
#[derive(Debug)]
pub(crate) enum Machine {
    InviteClient(Box<InviteClientTransaction>),
    NonInviteClient(Box<NonInviteClientTransaction>),
    InviteServer(Box<InviteServerTransaction>),
    NonInviteServer(Box<NonInviteServerTransaction>),
    /// Of a client whose request has not been sent: where to is being asked.
    Unsent(Unsent),
}

/// What stands in a client transaction's place until it is known where its request goes.
#[derive(Debug)]
pub(crate) struct Unsent {
    pub(crate) invite: bool,
    /// When it has waited for as long as it would for an answer.
    give_up: Instant,
    failure: Option<Failure>,
    over: bool,
}

impl Unsent {
    pub(crate) fn new(invite: bool, give_up: Instant) -> Self {
        Self { invite, give_up, failure: None, over: false }
    }

    pub(crate) fn fail(&mut self, failure: Failure) {
        if !std::mem::replace(&mut self.over, true) {
            self.failure = Some(failure);
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.give_up <= now {
            self.fail(Failure::NoTarget(NoTarget::Unanswered));
        }
    }
}

impl Machine {
    pub(crate) fn invite_client(now: Instant, timing: Timing, reliability: Reliability, request: Request) -> Self {
        Self::InviteClient(Box::new(InviteClientTransaction::new(now, timing, reliability, request)))
    }

    pub(crate) fn non_invite_client(now: Instant, timing: Timing, reliability: Reliability, request: &Request) -> Self {
        Self::NonInviteClient(Box::new(NonInviteClientTransaction::new(now, timing, reliability, request)))
    }

    pub(crate) fn invite_server(now: Instant, timing: Timing, reliability: Reliability, request: Request) -> Self {
        Self::InviteServer(Box::new(InviteServerTransaction::new(now, timing, reliability, request)))
    }

    pub(crate) fn non_invite_server(now: Instant, timing: Timing, reliability: Reliability, request: Request) -> Self {
        Self::NonInviteServer(Box::new(NonInviteServerTransaction::new(now, timing, reliability, request)))
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<Bytes> {
        match self {
            Self::InviteClient(machine) => machine.poll_transmit(),
            Self::NonInviteClient(machine) => machine.poll_transmit(),
            Self::InviteServer(machine) => machine.poll_transmit(),
            Self::NonInviteServer(machine) => machine.poll_transmit(),
            Self::Unsent(_) => None,
        }
    }

    pub(crate) fn poll_client_event(&mut self) -> Option<ClientEvent> {
        match self {
            Self::InviteClient(machine) => machine.poll_event(),
            Self::NonInviteClient(machine) => machine.poll_event(),
            Self::Unsent(unsent) => unsent.failure.take().map(ClientEvent::Failed),
            Self::InviteServer(_) | Self::NonInviteServer(_) => None,
        }
    }

    pub(crate) fn poll_server_event(&mut self) -> Option<ServerEvent> {
        match self {
            Self::InviteServer(machine) => machine.poll_event(),
            Self::NonInviteServer(machine) => machine.poll_event(),
            Self::InviteClient(_) | Self::NonInviteClient(_) | Self::Unsent(_) => None,
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::InviteClient(machine) => machine.poll_timeout(),
            Self::NonInviteClient(machine) => machine.poll_timeout(),
            Self::InviteServer(machine) => machine.poll_timeout(),
            Self::NonInviteServer(machine) => machine.poll_timeout(),
            Self::Unsent(unsent) => (!unsent.over).then_some(unsent.give_up),
        }
    }

    pub(crate) fn is_terminated(&self) -> bool {
        match self {
            Self::InviteClient(machine) => machine.is_terminated(),
            Self::NonInviteClient(machine) => machine.is_terminated(),
            Self::InviteServer(machine) => machine.is_terminated(),
            Self::NonInviteServer(machine) => machine.is_terminated(),
            Self::Unsent(unsent) => unsent.over,
        }
    }
}

/// How a transaction is found, and what only its side needs.
#[derive(Debug)]
pub(crate) enum Role {
    /// We asked: under this key, with this sent-by.
    Client { key: ClientKey, host: Host, port: Option<u16> },
    /// We answer: under this key, as the one copy that is served of what may come by several ways, with this tag once one was said.
    Server { key: ServerKey, merge: Option<u128>, to_tag: Option<ByteStr> },
}

/// A transaction and what the table knows about it.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) machine: Machine,
    /// Where its datagrams go.
    pub(crate) flow: Flow,
    /// The connection by which the last of them went, for a client transaction and an INVITE server transaction.
    pub(crate) sent_by: Option<ConnectionId>,
    /// The way by which the last response came.
    pub(crate) heard_on: Option<Flow>,
    pub(crate) role: Role,
    pub(crate) owner: Option<Owner>,
    /// The entry in the timer list.
    pub(crate) due: Option<Instant>,
    /// CANCEL is to be sent as soon as a provisional response allows.
    pub(crate) cancel_wanted: bool,
    pub(crate) cancel_sent: bool,
    /// The ways that are left to a client transaction that has several.
    pub(crate) search: Option<Box<Search>>,
    pub(crate) attempt: Attempt,
}

impl Slot {
    pub(crate) fn new(machine: Machine, flow: Flow, role: Role) -> Self {
        Self {
            machine,
            flow,
            sent_by: None,
            heard_on: None,
            role,
            owner: None,
            due: None,
            cancel_wanted: false,
            cancel_sent: false,
            search: None,
            attempt: Attempt::default(),
        }
    }

    pub(crate) fn to_tag(&self) -> Option<ByteStr> {
        match &self.role {
            Role::Server { to_tag, .. } => to_tag.clone(),
            Role::Client { .. } => None,
        }
    }
}

/// Names a slot for as long as what is in it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SlotId {
    index: u32,
    generation: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Slots {
    slots: Slab<Slot>,
    generations: Vec<u32>,
}

impl Slots {
    pub(crate) fn insert(&mut self, slot: Slot) -> usize {
        let index = self.slots.insert(slot);
        if self.generations.len() <= index {
            self.generations.resize(index + 1, 0);
        }
        index
    }

    pub(crate) fn id(&self, index: usize) -> SlotId {
        let generation = self.generations.get(index).copied().unwrap_or_default();
        SlotId { index: u32::try_from(index).unwrap_or(u32::MAX), generation }
    }

    pub(crate) fn find(&self, id: SlotId) -> Option<usize> {
        let index = usize::try_from(id.index).ok()?;
        (self.slots.contains(index) && self.id(index) == id).then_some(index)
    }

    /// The slot that sent a datagram, if it would still send it.
    pub(crate) fn find_sender(&self, id: TransmitId) -> Option<usize> {
        let (id, attempt) = id.0?;
        self.find(id).filter(|index| self.get(*index).is_some_and(|slot| slot.attempt == attempt))
    }

    pub(crate) fn get(&self, index: usize) -> Option<&Slot> {
        self.slots.get(index)
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut Slot> {
        self.slots.get_mut(index)
    }

    pub(crate) fn remove(&mut self, index: usize) -> Option<Slot> {
        let slot = self.slots.try_remove(index)?;
        if let Some(generation) = self.generations.get_mut(index) {
            *generation = generation.wrapping_add(1);
        }
        Some(slot)
    }
}

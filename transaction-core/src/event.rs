//! What a table of transactions says and wants, and the names of its transactions.

use std::io;

use blether_sip_core::{ByteStr, Request, Response};
use blether_sip_transport::Flow;
use blether_sip_transport::resolve::{Destination, ResolveError};
use bytes::Bytes;

use crate::search::MovedOn;
use crate::slot::SlotId;
use crate::timing::Timer;

/// Names a server transaction. Of one that is over it names nothing, ever again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerTransactionId(pub(crate) SlotId);

/// Names a client transaction. Of one that is over it names nothing, ever again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientTransactionId(pub(crate) SlotId);

/// Names a datagram's transaction, for [`Transactions::handle_send_error`](crate::Transactions::handle_send_error).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TransmitId(pub(crate) Option<(SlotId, Attempt)>);

/// By which of its ways a client transaction goes that has several: what became of a datagram concerns the one that sent it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Attempt(pub(crate) u16);

impl TransmitId {
    /// Of what belongs to no transaction.
    pub(crate) const STATELESS: Self = Self(None);
}

/// Who, among the users of a table, cares about a transaction; the table does not look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner(pub u64);

/// A datagram to send.
#[derive(Clone, Debug)]
pub struct Transmit {
    /// The way by which it goes.
    pub flow: Flow,
    /// The datagram.
    pub payload: Bytes,
    /// To be given back when it cannot be sent.
    pub id: TransmitId,
}

/// Why a client transaction got no (further) response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// Nobody answered before this timer ran out: to be treated as 408 (RFC 3261 §8.1.3.1).
    #[error("no answer before Timer {0:?} ran out")]
    TimedOut(Timer),
    /// It could not be sent: to be treated as 503 (RFC 3261 §8.1.3.1).
    #[error("it could not be sent: {0}")]
    Transport(io::ErrorKind),
    /// Its destination leads nowhere: to be treated as 503 as well, for nothing was sent.
    #[error("it could not be sent: {0}")]
    NoTarget(NoTarget),
    /// It was cancelled before it was sent.
    #[error("it was cancelled before it was sent")]
    Cancelled,
}

impl Failure {
    /// What kept it from being sent, where something did: it is to be treated as 503 then, and else as 408 (RFC 3261 §8.1.3.1).
    pub fn unreachable(self) -> Option<io::ErrorKind> {
        match self {
            Self::Transport(kind) => Some(kind),
            Self::NoTarget(_) => Some(io::ErrorKind::HostUnreachable),
            Self::TimedOut(_) | Self::Cancelled => None,
        }
    }
}

/// Why a destination leads nowhere. Which name and which record it was stands in the log, with the Call-ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum NoTarget {
    /// There is no such name, or no address of it that can be reached from here.
    #[error("its destination has no address that can be reached")]
    NoAddress,
    /// The destination wants a transport that is not in use here, or does not offer the service.
    #[error("its destination has no transport in common with us")]
    NoTransport,
    /// Name servers have not answered, or not in time; the same request may go later.
    #[error("no name server said where its destination is")]
    Unanswered,
}

impl From<&ResolveError> for NoTarget {
    fn from(error: &ResolveError) -> Self {
        match error {
            ResolveError::NotOffered { .. } | ResolveError::NoCommonTransport { .. } => Self::NoTransport,
            ResolveError::Unanswered { .. } => Self::Unanswered,
            _ => Self::NoAddress,
        }
    }
}

/// A question where a destination is, of a client transaction that waits for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inquiry {
    /// The transaction, for [`Transactions::handle_located`](crate::Transactions::handle_located).
    pub id: ClientTransactionId,
    /// What is to be located.
    pub destination: Destination,
    /// The Call-ID, for the log.
    pub call_id: ByteStr,
}

/// What a table of transactions tells its user.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A request that no transaction knew, neither ACK nor CANCEL; it is to be answered.
    Request {
        /// Its transaction.
        id: ServerTransactionId,
        /// The request, with `received` and `rport` noted in its topmost Via.
        request: Request,
        /// The way by which it came.
        flow: Flow,
    },
    /// An ACK for a 2xx.
    Ack {
        /// The ACK.
        request: Request,
        /// The way by which it came.
        flow: Flow,
    },
    /// The peer has cancelled its INVITE, which has no final response yet. The CANCEL itself is answered.
    Cancelled {
        /// The transaction of the INVITE.
        id: ServerTransactionId,
        /// Whoever has claimed it.
        owner: Option<Owner>,
    },
    /// A response: each provisional one, the first final one, and every 2xx to INVITE until Timer M.
    Response {
        /// The transaction.
        id: ClientTransactionId,
        /// Who began it.
        owner: Owner,
        /// The response, our Via still on top.
        response: Response,
        /// The way by which it came.
        flow: Flow,
    },
    /// A response that belongs to no transaction, our Via or another on top; told only where
    /// [`pass_unmatched`](crate::TransactionsConfig::pass_unmatched) is on.
    StrayResponse {
        /// The response.
        response: Response,
        /// The way by which it came.
        flow: Flow,
    },
    /// A request that finds its own way is sent, by this one first: it need not be the first of those that were given, for one may have failed of
    /// late, or be too narrow.
    Located {
        /// The transaction.
        id: ClientTransactionId,
        /// Who began it.
        owner: Owner,
        /// The way that it takes.
        flow: Flow,
    },
    /// A request that has several ways to go was sent again by the next (RFC 3263 §4.3), in a transaction with a branch of its own that goes by
    /// the same id. Nothing needs to be done; what came of the ways before will not be told, but for the provisional responses that were.
    MovedOn {
        /// The transaction.
        id: ClientTransactionId,
        /// Who began it.
        owner: Owner,
        /// The way that it takes next.
        flow: Flow,
        /// What became of the one before.
        why: MovedOn,
    },
    /// There will be no (further) response.
    Failed {
        /// The transaction.
        id: ClientTransactionId,
        /// Who began it.
        owner: Owner,
        /// Why.
        failure: Failure,
    },
    /// The ACK for a 300 to 699 to an INVITE of ours could not be sent (RFC 3261 §17.1.4). The refusal was told before, and stays the outcome.
    AckNotSent {
        /// The transaction.
        id: ClientTransactionId,
        /// Who began it.
        owner: Owner,
        /// Why.
        kind: io::ErrorKind,
    },
    /// Nobody acknowledged our 300 to 699 to an INVITE (Timer H).
    NotAcknowledged {
        /// The transaction.
        id: ServerTransactionId,
        /// Whoever has claimed it.
        owner: Option<Owner>,
    },
    /// A response could not be sent (RFC 3261 §17.2.4). The transaction goes on (RFC 6026 §8.8).
    NotSent {
        /// The transaction.
        id: ServerTransactionId,
        /// Whoever has claimed it.
        owner: Option<Owner>,
        /// Why.
        kind: io::ErrorKind,
    },
    /// A server transaction is over.
    ServerTerminated {
        /// What it was called.
        id: ServerTransactionId,
        /// Whoever has claimed it.
        owner: Option<Owner>,
    },
    /// A client transaction is over.
    ClientTerminated {
        /// What it was called.
        id: ClientTransactionId,
        /// Who began it.
        owner: Owner,
    },
}

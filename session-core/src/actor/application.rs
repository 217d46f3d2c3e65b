//! What the layer above decides about requests that belong to no call yet.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use blether_sip_core::{Method, Request, Response};
use blether_sip_transport::Flow;
use blether_transaction_core::{Interceptor, ServerTransactionId, ShardHandle, Timing};
use rand::rngs::StdRng;

use super::dispatcher::Command;
use super::{Call, CallError, CallWitness};

/// What an application does with a call: runs inside the call's actor, never two at once for one call, and is dropped when the call
/// ends. When it returns or drops its [`Call`], what is left of the call is hung up; an error before the call was answered refuses it
/// with [`CallError::status`].
pub type Handler = Box<dyn FnOnce(Call) -> HandlerFuture + Send>;

/// What a [`Handler`] returns.
pub type HandlerFuture = Pin<Box<dyn Future<Output = Result<(), CallError>> + Send>>;

/// Whether an INVITE becomes a call.
pub enum Admission {
    /// No: this is the answer (a challenge, 404, 503, …).
    Refuse(Box<Response>),
    /// No, and nothing is remembered of the request: for a challenge, and whatever else a stranger is told, which must depend on nothing but the
    /// request. A copy of it is asked about again ([`Transactions::respond_and_forget`](blether_transaction_core::Transactions::respond_and_forget)).
    RefuseStateless(Box<Response>),
    /// Yes.
    Accept {
        /// Runs it.
        handler: Handler,
        /// Learns of its answer and its end.
        witness: Option<Arc<dyn CallWitness>>,
    },
}

impl Admission {
    /// Refuses with `response`.
    pub fn refuse(response: Response) -> Self {
        Self::Refuse(Box::new(response))
    }

    /// Accepts with an async function that takes the [`Call`].
    pub fn accept<F, Fut>(handler: F) -> Self
    where
        F: FnOnce(Call) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), CallError>> + Send + 'static,
    {
        Self::Accept { handler: Box::new(move |call| Box::pin(handler(call))), witness: None }
    }

    /// Has `witness` learn of the call's answer and its end; of a refusal it does not.
    #[must_use]
    pub fn witnessed_by(self, witness: Arc<dyn CallWitness>) -> Self {
        match self {
            Self::Accept { handler, .. } => Self::Accept { handler, witness: Some(witness) },
            Self::Refuse(_) | Self::RefuseStateless(_) => self,
        }
    }
}

/// What becomes of a request that belongs to no call.
#[must_use]
pub enum Answer {
    /// This is the response.
    Now(Box<Response>),
    /// This is the response, and nothing is remembered of the request; see [`Admission::RefuseStateless`].
    Stateless(Box<Response>),
    /// The response comes by the [`Responder`], once what it depends on is done.
    Later,
    /// The method is not served.
    NotServed,
}

impl Answer {
    /// Answers with `response`.
    pub fn now(response: Response) -> Self {
        Self::Now(Box::new(response))
    }
}

/// Answers one request later, from any thread. One that is dropped leaves the request without a final response: the peer gives it up after 64 × T1
/// (RFC 4320 §4.2 forbids the 408 that would say so).
#[derive(Debug)]
pub struct Responder {
    shard: ShardHandle<Command>,
    transaction: ServerTransactionId,
}

impl Responder {
    pub(super) fn new(shard: ShardHandle<Command>, transaction: ServerTransactionId) -> Self {
        Self { shard, transaction }
    }

    /// Sends the final response. Returns at once; one that comes after 64 × T1 is not sent, since the peer has stopped waiting.
    pub fn respond(self, response: Response) {
        let transaction = self.transaction;
        let command = Command::Respond { transaction, response: Box::new(response) };
        if self.shard.try_send_urgent(command).is_err() {
            metrics::counter!("blether_session_late_responses_lost_total").increment(1);
            tracing::warn!("a response found no room in the shard, or no shard; the peer will ask again");
        }
    }
}

/// What an interceptor may know of the shard and the endpoint that it stands in.
#[derive(Debug)]
pub struct ShardPlace<'a> {
    /// Where the endpoint listens, with the ports that the system chose.
    pub local: &'a [SocketAddr],
    /// Where it listens for TLS.
    pub tls: &'a [SocketAddr],
    /// The address that peers know in place of these.
    pub advertise: Option<IpAddr>,
    /// Whether it speaks TCP on these addresses, too.
    pub tcp: bool,
    /// T1, T2 and T4.
    pub timing: Timing,
    /// For what nobody is to guess.
    pub rng: StdRng,
}

/// The user of an [`Endpoint`](super::Endpoint): says what happens to requests outside of dialogs.
///
/// What it is asked about can be understood: a Request-URI of another scheme than `sip`, a required extension that is not in
/// [`Self::extensions`], a body in a coding that is not known, and for INVITE and OPTIONS one that is no session description, have been refused
/// with 416, 420 and 415 ([`inspection`](crate::inspection)).
///
/// Both methods run in the shard and must return at once; whatever waits belongs into the [`Handler`].
pub trait Application: Send + Sync + 'static {
    /// Decides on an INVITE that opens a call.
    fn on_invite(&self, now: Instant, invite: &Request, flow: Flow) -> Admission;

    /// Answers a request that neither belongs to a dialog nor opens a call (REGISTER, OPTIONS, MESSAGE, …). To what is
    /// [`Answer::NotServed`], the endpoint answers OPTIONS with 200, a method that is known with 405 and Allow (RFC 3261 §8.2.1), and any other
    /// with 501 (§21.5.2). `responder` is for
    /// [`Answer::Later`]; with the others it is to be dropped.
    fn on_request(&self, now: Instant, request: &Request, flow: Flow, responder: Responder) -> Answer;

    /// The methods that [`Self::on_request`] serves besides OPTIONS, for Allow.
    fn methods(&self) -> &[Method] {
        &[]
    }

    /// Makes what stands before the calls in a shard and takes the requests that it forwards: a proxy. Called once a shard, before anything is received;
    /// by default there is none. An application that has one sees no request that it has taken.
    fn interceptor(&self, _place: ShardPlace<'_>) -> Option<Box<dyn Interceptor>> {
        None
    }

    /// The option tags of the extensions that [`Self::on_request`] serves; a request that requires another one gets 420.
    fn extensions(&self) -> &[&str] {
        &[]
    }
}

//! The pipeline that every request outside a dialog passes before it is served: a chain of stages, each of which lets it pass or answers it.
//!
//! Stages run in the shard, one after another, and return at once (DESIGN §5).

mod authentication;

use std::time::Instant;

use blether_sip_core::{Request, Response, StatusCode};
use blether_sip_transport::Flow;

pub use authentication::{
    AuthenticatedUser, Authenticator, AuthenticatorConfig, ChallengeReason, MalformedCredentials, OfferedAlgorithms,
    UnknownOffer, Verification,
};

/// What the stages before have found out about a request.
#[derive(Debug, Default)]
pub struct StageContext {
    /// Who sends it, once the authentication stage has let it pass.
    pub user: Option<AuthenticatedUser>,
}

/// What a stage says of a request.
#[derive(Debug)]
#[must_use]
pub enum Verdict {
    /// The next stage may look at it.
    Pass,
    /// This is the answer; nobody else sees the request.
    Answer(Box<Response>),
}

impl Verdict {
    /// Answers with `response`.
    pub fn answer(response: Response) -> Self {
        Self::Answer(Box::new(response))
    }

    /// Answers `request` with `status` and nothing more.
    pub fn refuse(request: &Request, status: StatusCode) -> Self {
        Self::answer(Response::to_request(request, status).build())
    }
}

/// One link of the chain. Stages are shared by all shards, so what they count or remember they guard themselves.
pub trait Stage: Send + Sync + 'static {
    /// Looks at a request that neither belongs to a dialog nor is an ACK or CANCEL, and lets it pass or answers it. Must not block.
    fn inspect(&self, now: Instant, request: &Request, flow: Flow, context: &mut StageContext) -> Verdict;
}

/// A closure that needs no state of its own is a stage.
impl<F> Stage for F
where
    F: Fn(Instant, &Request, Flow, &mut StageContext) -> Verdict + Send + Sync + 'static,
{
    fn inspect(&self, now: Instant, request: &Request, flow: Flow, context: &mut StageContext) -> Verdict {
        self(now, request, flow, context)
    }
}

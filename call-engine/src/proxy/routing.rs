//! What the proxy asks of the server that it is a part of.

use std::time::Instant;

use blether_sip_core::digest::Credentials;
use blether_sip_core::{Host, Request, Response};
use blether_sip_transport::Flow;

use super::Refusal;
use super::target::Plan;

/// Where requests go, and who may send them there. Called in the shard; must return at once.
pub(crate) trait Routing: Send + 'static {
    /// What becomes of a request outside of dialogs whose Route headers, if any, do not name us any more.
    fn route(&self, now: Instant, request: Asked<'_>) -> Routed;

    /// Whether the sender of this request has an account, and speaks for nobody else: asked of who sends within a dialog from elsewhere than its ends.
    ///
    /// # Errors
    ///
    /// What it is told, such as a challenge.
    fn admit(&self, now: Instant, request: Asked<'_>) -> Result<(), Barred>;

    /// Whether anything is forwarded without state.
    fn has_stateless(&self) -> bool;

    /// Whether a host name is this server's.
    fn is_domain(&self, host: &Host, came_by: Flow) -> bool;

    /// Whether who is at the other end is believed when it says whom it has authenticated, and told of others (RFC 3325 §2.3).
    fn trusts(&self, flow: Flow) -> bool;

    /// Whether credentials answer a challenge of this server: whoever else gets them can log in here with them.
    fn has_asked_for(&self, credentials: &Credentials) -> bool;
}

/// A request outside of dialogs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    /// As it came: what credentials are computed over.
    pub(crate) received: &'a Request,
    /// Without what was for us in its routes.
    pub(crate) request: &'a Request,
    /// The way by which it came.
    pub(crate) came_by: Flow,
    /// Whether other proxies are named in its Route.
    pub(crate) has_routes: bool,
}

/// Why a request goes no further.
#[derive(Debug)]
pub(crate) enum Barred {
    /// It is refused.
    Refused(Refusal),
    /// This is the answer; `stateless` if nothing is to be remembered of it.
    Answered { response: Box<Response>, stateless: bool },
}

/// What becomes of a request.
#[derive(Debug)]
pub(crate) enum Routed {
    /// It is none of the proxy's.
    NotForwarded,
    /// It is refused.
    Refused(Refusal),
    /// This is the answer, such as a challenge; `stateless` if nothing is to be remembered of it.
    Answered { response: Box<Response>, stateless: bool },
    /// It goes on.
    To(Box<Plan>),
}

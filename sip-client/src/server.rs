//! Where the account's server is: asked for anew whenever something is to be sent to it, for names move and servers fail.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use blether_session_core::actor::Endpoint;
use blether_sip_transport::Flow;
use blether_sip_transport::resolve::{Destination, ResolveError};

/// The server of an account, which may be several machines.
#[derive(Debug)]
pub(crate) struct Server {
    destination: Destination,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The ways that were found last, the one first that is to be tried first.
    ways: Vec<Flow>,
    /// The way by which it has answered last.
    answered: Option<Flow>,
}

impl Server {
    /// The server at `destination`, which was found at these addresses. `ways` is not empty.
    ///
    /// # Errors
    ///
    /// When nothing leads there from this endpoint.
    pub(crate) async fn new(endpoint: &Endpoint, destination: Destination) -> Result<Self, ResolveError> {
        let ways = endpoint.locate(&destination).await?;
        Ok(Self { destination, state: Mutex::new(State { ways, answered: None }) })
    }

    /// The ways to it, in the order in which they are to be tried: the one first by which it has answered last, which knows the nonces that it has
    /// given. Where names cannot be looked up at the moment, those of before.
    pub(crate) async fn ways(&self, endpoint: &Endpoint) -> Vec<Flow> {
        let located = endpoint.locate(&self.destination).await;
        let mut state = self.state();
        match located {
            Ok(ways) => state.ways = ways,
            Err(error) => tracing::warn!(%error, "the server is sought where it was"),
        }
        let answered = state.answered;
        let is_other =
            |way: &Flow| answered.is_none_or(|last| (last.transport, last.remote) != (way.transport, way.remote));
        state.ways.sort_by_key(is_other);
        state.ways.clone()
    }

    /// The way to it that is to be tried first.
    pub(crate) fn way(&self) -> Option<Flow> {
        self.state().ways.first().copied()
    }

    /// It has answered by this way.
    pub(crate) fn answered(&self, way: Flow) {
        self.state().answered = Some(way);
    }

    /// Whether this is one of its addresses.
    pub(crate) fn is_at(&self, address: IpAddr) -> bool {
        self.state().ways.iter().any(|way| way.remote.ip() == address)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

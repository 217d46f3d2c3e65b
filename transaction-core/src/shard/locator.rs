//! Asks where destinations are, beside the shard's other work: a shard waits for nobody.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use blether_sip_transport::Connections;
use blether_sip_transport::resolve::{Destination, Family, Locate, Means, NumericOnly, ResolveError, Service, Target};
use tokio::task::{JoinError, JoinSet};

use crate::Inquiry;

/// Who is asked where a destination is (RFC 3263). By default nobody: only addresses lead anywhere. Clones ask the same.
#[derive(Clone)]
pub struct Locator(Arc<dyn Locate>);

impl Locator {
    /// Asks `locate`.
    pub fn new(locate: impl Locate) -> Self {
        Self(Arc::new(locate))
    }

    /// The targets of a destination (RFC 3263), for whoever has the time to wait.
    ///
    /// # Errors
    ///
    /// [`ResolveError`], which names the name and the record.
    pub async fn locate(&self, destination: &Destination, means: &Means) -> Result<Vec<Target>, ResolveError> {
        match self.0.known(Instant::now(), destination, means) {
            Some(found) => found,
            None => self.0.locate(destination.clone(), means.clone()).await,
        }
    }
}

impl Default for Locator {
    fn default() -> Self {
        Self::new(NumericOnly)
    }
}

impl fmt::Debug for Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Locator")
    }
}

/// Where a destination was found to be.
pub(super) type Found = Result<Vec<Target>, ResolveError>;

/// An inquiry that was answered.
pub(super) type Located = (Inquiry, Found);

/// The inquiries of a shard that are not answered. There are no more of them than transactions that wait, which are bounded.
pub(super) struct Inquiries {
    locator: Locator,
    means: Means,
    open: JoinSet<Located>,
}

impl Inquiries {
    pub(super) fn new(locator: Locator) -> Self {
        Self { locator, means: Means::default(), open: JoinSet::new() }
    }

    /// What we can send with: UDP, TCP if there are connections, and TLS if they are opened with it, to addresses of these families.
    pub(super) fn set_means(&mut self, connections: Option<&Connections>, mut families: Vec<Family>) {
        families.sort_by_key(|family| *family == Family::V4);
        families.dedup();
        let mut services = vec![Service::Udp];
        services.extend(connections.map(|_| Service::Tcp));
        services.extend(connections.filter(|connections| connections.opens_tls()).map(|_| Service::Tls));
        self.means = Means { services, families };
    }

    /// The answer, if it is known at once; else it comes by [`Self::next`].
    pub(super) fn ask(&mut self, now: Instant, inquiry: Inquiry) -> Option<Located> {
        if let Some(found) = self.locator.0.known(now, &inquiry.destination, &self.means) {
            return Some((inquiry, found));
        }
        let locating = self.locator.0.locate(inquiry.destination.clone(), self.means.clone());
        self.open.spawn(async move { (inquiry, locating.await) });
        None
    }

    /// Waits for the next answer; for ever while nothing is asked. Cancel safe.
    pub(super) async fn next(&mut self) -> Result<Located, JoinError> {
        match self.open.join_next().await {
            Some(located) => located,
            None => std::future::pending().await,
        }
    }
}

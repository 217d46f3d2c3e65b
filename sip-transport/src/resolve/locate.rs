//! Whoever finds the targets of a destination, as a shard sees it.

use std::pin::Pin;
use std::time::Instant;

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::destination::{Destination, DestinationHost};
use super::error::ResolveError;
use super::plan::{Resolution, Target};
use super::service::Means;

/// The targets of a destination, when they are found.
pub type Locating = Pin<Box<dyn Future<Output = Result<Vec<Target>, ResolveError>> + Send>>;

/// Finds the targets of destinations: the driver that asks name servers (`Resolver`, feature `dns`), or whatever knows better.
pub trait Locate: Send + Sync + 'static {
    /// The targets, if they are known without asking anybody. Does not wait.
    fn known(
        &self,
        now: Instant,
        destination: &Destination,
        means: &Means,
    ) -> Option<Result<Vec<Target>, ResolveError>>;

    /// Asks for the targets. The future ends by itself after some seconds at most, and may be dropped.
    fn locate(&self, destination: Destination, means: Means) -> Locating;
}

/// Knows addresses and nobody who could be asked for names.
#[derive(Clone, Copy, Debug, Default)]
pub struct NumericOnly;

impl Locate for NumericOnly {
    fn known(
        &self,
        _now: Instant,
        destination: &Destination,
        means: &Means,
    ) -> Option<Result<Vec<Target>, ResolveError>> {
        Some(match &destination.host {
            // Nothing is drawn for it.
            DestinationHost::Address(_) => {
                Resolution::new(destination.clone(), means.clone(), StdRng::seed_from_u64(0)).finish()
            }
            DestinationHost::Name(name) => Err(ResolveError::NobodyToAsk { name: name.clone() }),
        })
    }

    fn locate(&self, destination: Destination, means: Means) -> Locating {
        let name = match &destination.host {
            DestinationHost::Name(name) => name.clone(),
            DestinationHost::Address(_) => {
                let resolution = Resolution::new(destination, means, StdRng::seed_from_u64(0));
                return Box::pin(async move { resolution.finish() });
            }
        };
        Box::pin(async move { Err(ResolveError::NobodyToAsk { name }) })
    }
}

//! Where a request goes: names into addresses, as RFC 3263 has it.
//!
//! [`Resolution`] plans: it is told where a request is to go ([`Destination`]) and what we can send with ([`Means`]), asks [`Question`]s,
//! takes the answers, and gives [`Target`]s in the order in which they are to be tried. It has no I/O, no clock and no memory beyond itself; a
//! [`RecordCache`] remembers answers for as long as their TTL allows, and [`FailingTargets`] what has not answered of late. With the feature
//!
//! # RFCs
//!
//! RFC 3263 §4 and §5; RFC 2782; RFC 3403 as far as RFC 3263 uses it; RFC 7118 §5.5; RFC 7984 (each family that we have is asked for); RFC 2308
//! (answers that say no). The name to be verified in a certificate is that of RFC 5922 §4: the one that the URI has, whatever DNS made of it.

mod cache;
mod destination;
#[cfg(feature = "dns")]
mod driver;
mod error;
mod failing;
mod locate;
mod order;
mod plan;
mod question;
mod service;

pub use cache::{CacheLimits, RecordCache};
pub use destination::{Destination, DestinationHost, DomainName, NoDomainName};
#[cfg(feature = "dns")]
pub use driver::{Resolver, ResolverConfig, ResolverStartError};
pub use error::{LookupFailure, ResolveError};
pub use failing::FailingTargets;
pub use locate::{Locate, Locating, NumericOnly};
pub use plan::{MAX_QUESTIONS, MAX_TARGETS, Resolution, Target};
pub use question::{Answer, NaptrRecord, Question, Record, RecordKind, SrvRecord};
pub use service::{Family, Means, Protocol, Service};

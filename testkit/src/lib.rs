//! A simulated network and clock for tests: loss, duplication, reordering and delay from a seed, without a socket or a sleep.
//!
//! Endpoints are socket addresses; what travels is bytes. The clock stands still until the test moves it, so a test that lives
//! through 32 seconds of resends takes microseconds, and two runs with one seed are equal in every delivery. A network that is
//! dropped while its test panics prints its seed; `BLETHER_SEED=<seed>` makes [`seeds`] hand out that one alone.
//!
//! ```
//! use blether_testkit::{Impairment, SimulatedNetwork};
//! use bytes::Bytes;
//! use std::time::Duration;
//!
//! let (alice, bob) = ("192.0.2.1:5060".parse()?, "192.0.2.2:5060".parse()?);
//! let mut network = SimulatedNetwork::new(7);
//! network.set_impairment(Impairment { delay: Duration::from_millis(20), ..Impairment::NONE });
//! network.send(alice, bob, Bytes::from_static(b"hello"));
//! while let Some(at) = network.next_event_at() {
//!     network.advance_to(at);
//!     while let Some((at, _from, to, _payload)) = network.poll_deliver() {
//!         assert_eq!((to, at - network.start()), (bob, Duration::from_millis(20)));
//!     }
//! }
//! # Ok::<(), std::net::AddrParseError>(())
//! ```

mod network;
mod seed;

pub use network::{Counts, Delivery, Impairment, SimulatedNetwork};
pub use seed::seeds;

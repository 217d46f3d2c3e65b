//! The proxy: RFC 3261 §16, in the shard, beside the calls that end here.
//!
//! A request is taken by the proxy if a Record-Route or Path of ours led it here, or if its route in the configuration says so; everything else goes on to the
//! dispatcher of the calls. What is taken is checked ([`validation`]), relieved of what in its routes was for us ([`routes`]), given targets
//! ([`target`], by the server's [`Routing`]), and copied to each ([`forwarding`]) by its next hop ([`next_hop`]). [`context`] keeps what came back and says
//! what to do; [`token`] holds what would otherwise have to be remembered of a dialog. All of it is sans-IO over
//! [`Transactions`](blether_transaction_core::Transactions): no task, lock or channel a call.

mod best;
mod context;
mod forwarder;
mod forwarding;
mod meters;
mod next_hop;
mod reading;
mod refusal;
mod routes;
mod routing;
mod target;
mod token;
mod validation;

pub(crate) use forwarder::{Proxy, ProxyPlace};
pub(crate) use refusal::Refusal;
pub(crate) use routing::{Asked, Barred, Routed, Routing};
pub use target::Fork;
pub(crate) use target::{Plan, Target};
pub(crate) use token::TokenKey;

#[cfg(test)]
mod tests;

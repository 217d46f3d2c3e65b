//! The proxy over its transactions, in virtual time: datagrams in, datagrams out.

mod admission;
mod dialogs;
mod forking;
mod identity;
mod names;
mod registering;
mod requests;
mod stateless;
mod world;

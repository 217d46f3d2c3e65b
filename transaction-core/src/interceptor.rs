//! Who looks at what happens in the transactions of a shard before their user does.

use std::time::Instant;

use crate::{Event, Owner, Transactions};

/// Stands before a [`TransactionUser`](crate::TransactionUser) and takes what is its own: a proxy before the calls. Sans-IO, like the table that it works on, and
/// called like the user: one call at a time, in the shard's task.
///
/// It knows its transactions by their [`Owner`]: its own are made by [`Owner::of_interceptor`], and those of the user behind it have numbers below 2^63.
pub trait Interceptor: Send + 'static {
    /// Something has happened in a transaction. Hands back what is not its own.
    fn on_event(&mut self, now: Instant, event: Event, transactions: &mut Transactions) -> Option<Event>;

    /// When [`Self::handle_timeout`] has something to do.
    fn poll_timeout(&self) -> Option<Instant>;

    /// Does what is due.
    fn handle_timeout(&mut self, now: Instant, transactions: &mut Transactions);
}

/// The bit that every owner of an interceptor's has.
const INTERCEPTOR: u64 = 1 << 63;

impl Owner {
    /// The owner with this number, below 2^63, of an [`Interceptor`]'s.
    pub const fn of_interceptor(number: u64) -> Self {
        Self(number | INTERCEPTOR)
    }

    /// The number of an owner of an [`Interceptor`]'s; `None` of any other.
    pub fn number_of_interceptor(self) -> Option<u64> {
        (self.0 & INTERCEPTOR != 0).then_some(self.0 & !INTERCEPTOR)
    }
}

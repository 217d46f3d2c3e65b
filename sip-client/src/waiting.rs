//! Calls that came in and were not looked at yet.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use blether_session_core::actor::Call;
use tokio::sync::Notify;

/// Calls that may wait to be looked at; a phone that does not look is busy (486).
const CAPACITY: usize = 4;

/// Where calls wait, in the order in which they came. A call that ends while it waits leaves by itself, so it takes no room and nobody is
/// shown it.
#[derive(Debug, Default)]
pub(crate) struct WaitingCalls {
    places: Mutex<Places>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Places {
    /// `None` for a call whose handler has not started yet.
    taken: VecDeque<(u64, Option<Call>)>,
    next: u64,
    closed: bool,
}

/// Why a call finds no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoPlace {
    Full,
    Closed,
}

/// The place of one call, given up by dropping it. The call's handler holds it, and is dropped when the call ends.
#[derive(Debug)]
pub(crate) struct Place {
    waiting: Arc<WaitingCalls>,
    number: u64,
}

impl WaitingCalls {
    pub(crate) fn reserve(self: &Arc<Self>) -> Result<Place, NoPlace> {
        let mut places = self.lock();
        if places.closed {
            return Err(NoPlace::Closed);
        }
        if places.taken.len() >= CAPACITY {
            return Err(NoPlace::Full);
        }
        let number = places.next;
        places.next += 1;
        places.taken.push_back((number, None));
        Ok(Place { waiting: self.clone(), number })
    }

    /// Waits for the next call; `None` when no more can come. Cancel safe. For one caller at a time.
    pub(crate) async fn next(&self) -> Option<Call> {
        loop {
            if let Some(next) = self.take() {
                return next;
            }
            self.changed.notified().await;
        }
    }

    /// `None`: wait for one.
    fn take(&self) -> Option<Option<Call>> {
        let mut places = self.lock();
        let ready = places.taken.iter().position(|(_, call)| call.is_some());
        match ready.and_then(|index| places.taken.remove(index)) {
            Some((_, call)) => Some(call),
            None => places.closed.then_some(None),
        }
    }

    /// Hangs up what waits, and takes nothing more.
    pub(crate) fn close(&self) {
        let left = {
            let mut places = self.lock();
            places.closed = true;
            std::mem::take(&mut places.taken)
        };
        drop(left);
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// The call waits here from now on. It is dropped, and so hung up, when nothing is taken any more.
    pub(crate) fn seat(&self, call: Call) {
        let mut places = self.waiting.lock();
        if let Some((_, seat)) = places.taken.iter_mut().find(|(number, _)| *number == self.number) {
            *seat = Some(call);
        }
        drop(places);
        self.waiting.changed.notify_one();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.waiting.lock();
        let left = places.taken.iter().position(|(number, _)| *number == self.number);
        let call = left.and_then(|index| places.taken.remove(index));
        // Outside of the lock, since it hangs up.
        drop(places);
        drop(call);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_given_up_can_be_had_again() {
        let waiting = Arc::new(WaitingCalls::default());
        let places: Vec<Place> = (0..CAPACITY).map(|_| waiting.reserve().unwrap()).collect();
        assert_eq!(waiting.reserve().unwrap_err(), NoPlace::Full);
        drop(places);
        assert!(waiting.reserve().is_ok());
    }

    #[test]
    fn nobody_waits_for_calls_that_cannot_come_any_more() {
        let waiting = Arc::new(WaitingCalls::default());
        assert!(waiting.take().is_none(), "one may come");
        let place = waiting.reserve().unwrap();
        assert!(waiting.take().is_none(), "its handler has not started");
        waiting.close();
        assert!(waiting.take().is_some_and(|call| call.is_none()));
        assert_eq!(waiting.reserve().unwrap_err(), NoPlace::Closed);
        drop(place);
    }
}

//! What the four machines have in common at their way out: a queue of datagrams and a queue of events.

use std::collections::VecDeque;

use bytes::Bytes;

/// What a machine wants sent and has to say, in order. Neither queue grows without its being drained: each input adds a few entries.
#[derive(Debug)]
pub(crate) struct Output<E> {
    transmits: Queue<Bytes>,
    events: Queue<E>,
}

/// A queue that seldom has more than one entry, and takes no memory of its own for that one: a machine lives for half a minute after it
/// has said all that it has to say.
#[derive(Debug)]
struct Queue<T> {
    /// Before all in `more`.
    first: Option<T>,
    more: VecDeque<T>,
}

impl<T> Queue<T> {
    const fn new() -> Self {
        Self { first: None, more: VecDeque::new() }
    }

    fn push(&mut self, entry: T) {
        if self.first.is_none() && self.more.is_empty() {
            self.first = Some(entry);
        } else {
            self.more.push_back(entry);
        }
    }

    fn pop(&mut self) -> Option<T> {
        self.first.take().or_else(|| self.more.pop_front())
    }
}

impl<E> Output<E> {
    pub(crate) fn new() -> Self {
        Self { transmits: Queue::new(), events: Queue::new() }
    }

    pub(crate) fn transmit(&mut self, payload: Bytes) {
        self.transmits.push(payload);
    }

    pub(crate) fn event(&mut self, event: E) {
        self.events.push(event);
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<Bytes> {
        self.transmits.pop()
    }

    pub(crate) fn poll_event(&mut self) -> Option<E> {
        self.events.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_queued_comes_in_order_however_it_is_drained() {
        let mut queue = Queue::new();
        let (mut pushed, mut popped) = (0, 0);
        for (push, pop) in [(1, 1), (3, 1), (2, 2), (0, 3), (2, 2)] {
            for _ in 0..push {
                queue.push(pushed);
                pushed += 1;
            }
            for _ in 0..pop {
                let expected = (popped < pushed).then_some(popped);
                assert_eq!(queue.pop(), expected);
                popped += u32::from(expected.is_some());
            }
        }
        assert_eq!((queue.pop(), pushed), (None::<u32>, popped));
    }
}

//! What the four machines have in common at their way out: a queue of datagrams and a queue of events.

use std::collections::VecDeque;

use bytes::Bytes;

/// What a machine wants sent and has to say, in order. Neither queue grows without its being drained: each input adds a few entries.
#[derive(Debug)]
pub(crate) struct Output<E> {
    transmits: VecDeque<Bytes>,
    events: VecDeque<E>,
}

impl<E> Output<E> {
    pub(crate) fn new() -> Self {
        Self { transmits: VecDeque::new(), events: VecDeque::new() }
    }

    pub(crate) fn transmit(&mut self, payload: Bytes) {
        self.transmits.push_back(payload);
    }

    pub(crate) fn event(&mut self, event: E) {
        self.events.push_back(event);
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<Bytes> {
        self.transmits.pop_front()
    }

    pub(crate) fn poll_event(&mut self) -> Option<E> {
        self.events.pop_front()
    }
}

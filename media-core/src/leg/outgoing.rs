//! Packets that wait to be sent, in buffers that are used again.

use std::collections::VecDeque;

/// Packets that may wait: the worker takes them at once, so more than a few mean that it does not, and the oldest go.
const CAPACITY: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Outgoing {
    packets: VecDeque<Vec<u8>>,
    spare: Vec<Vec<u8>>,
}

impl Outgoing {
    /// Queues the packet that `write` appends to an empty buffer.
    pub(super) fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut packet = match self.packets.len() {
            CAPACITY.. => self.packets.pop_front(),
            _ => self.spare.pop(),
        }
        .unwrap_or_default();
        packet.clear();
        write(&mut packet);
        self.packets.push_back(packet);
    }

    /// Hands out the oldest packet.
    pub(super) fn poll(&mut self, out: &mut Vec<u8>) -> bool {
        let Some(packet) = self.packets.pop_front() else { return false };
        out.extend_from_slice(&packet);
        self.spare.push(packet);
        true
    }
}

//! To whom flows lead whose connection is not there: without I/O.

use std::collections::{HashMap, VecDeque};

use crate::ConnectionId;
use crate::peer_name::NamedPeer;

/// The peers that were to be reached by connections that are not, or no longer, there, at most a given number; the one that was remembered first is
/// forgotten first.
#[derive(Debug)]
pub(crate) struct NamedPeers {
    max: usize,
    by_id: HashMap<ConnectionId, NamedPeer>,
    order: VecDeque<ConnectionId>,
    /// For each peer the number that was given for it, so that asking again makes nothing grow.
    given: HashMap<NamedPeer, ConnectionId>,
}

impl NamedPeers {
    pub(crate) fn new(max: usize) -> Self {
        Self { max: max.max(1), by_id: HashMap::new(), order: VecDeque::new(), given: HashMap::new() }
    }

    pub(crate) fn get(&self, id: ConnectionId) -> Option<&NamedPeer> {
        self.by_id.get(&id)
    }

    /// The number that was given for this peer, and is not forgotten.
    pub(crate) fn given(&self, peer: &NamedPeer) -> Option<ConnectionId> {
        self.given.get(peer).copied()
    }

    /// Remembers to whom the flows lead that name `id`, and gives it for that peer from here on.
    pub(crate) fn remember(&mut self, id: ConnectionId, peer: NamedPeer) {
        if self.by_id.insert(id, peer.clone()).is_none() {
            self.order.push_back(id);
        }
        self.given.insert(peer, id);
        if self.order.len() > self.max
            && let Some(oldest) = self.order.pop_front()
            && let Some(peer) = self.by_id.remove(&oldest)
            && self.given.get(&peer) == Some(&oldest)
        {
            self.given.remove(&peer);
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(name: &str) -> NamedPeer {
        NamedPeer { remote: "192.0.2.9:5061".parse().unwrap(), name: name.parse().unwrap() }
    }

    #[test]
    fn what_was_remembered_first_is_forgotten_first_and_nothing_else_is_left_of_it() {
        let mut peers = NamedPeers::new(2);
        let ids = [1, 2, 3].map(ConnectionId::new);
        peers.remember(ids[0], peer("a.example"));
        peers.remember(ids[1], peer("b.example"));
        assert_eq!(peers.given(&peer("a.example")), Some(ids[0]));
        peers.remember(ids[2], peer("c.example"));
        assert_eq!((peers.get(ids[0]), peers.given(&peer("a.example"))), (None, None));
        assert_eq!((peers.by_id.len(), peers.order.len(), peers.given.len()), (2, 2, 2));
        // The same again makes nothing grow, and a later number of the same peer takes over.
        peers.remember(ids[2], peer("c.example"));
        peers.remember(ids[0], peer("c.example"));
        assert_eq!((peers.get(ids[2]), peers.given(&peer("c.example"))), (Some(&peer("c.example")), Some(ids[0])));
        assert_eq!((peers.by_id.len(), peers.order.len(), peers.given.len()), (2, 2, 1));
    }
}

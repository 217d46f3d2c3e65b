//! The queues by which shards pass each other what is not theirs, and by which connections reach the owner of a message.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use blether_sip_transport::{ConnectionId, Room, StreamEvent, StreamUser};
use metrics::Counter;
use tokio::sync::{Notify, mpsc};

use super::ownership::{Ownership, ShardIndex, ends_something};

/// Messages that may wait for a shard: 30 ms of work at 100,000 messages a second, some 4 MB.
const CAPACITY: usize = 4_096;

/// Room that only responses, ACK, CANCEL and BYE may use, and the ends of connections.
const RESERVED: usize = 1_024;

/// The end at which messages are put into a shard's queue.
#[derive(Clone, Debug)]
pub(super) struct Inlet {
    sender: mpsc::Sender<StreamEvent>,
    taken: Arc<Notify>,
}

/// The end at which the shard takes them out.
#[derive(Debug)]
pub(super) struct Outlet {
    receiver: mpsc::Receiver<StreamEvent>,
    taken: Arc<Notify>,
}

pub(super) fn inlet() -> (Inlet, Outlet) {
    let (sender, receiver) = mpsc::channel(CAPACITY);
    let taken = Arc::new(Notify::new());
    (Inlet { sender, taken: taken.clone() }, Outlet { receiver, taken })
}

impl Outlet {
    /// Waits for the next one; `None` when no inlet is left. Cancel safe.
    pub(super) async fn next(&mut self) -> Option<StreamEvent> {
        self.receiver.recv().await
    }

    pub(super) fn try_next(&mut self) -> Option<StreamEvent> {
        self.receiver.try_recv().ok()
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.receiver.len()
    }

    /// Tells those that wait for room that there is some.
    pub(super) fn announce_room(&self) {
        self.taken.notify_waiters();
    }
}

impl Inlet {
    /// Queues an event, or gives it back when there is no room for it. For a shard that has stopped it is lost.
    fn try_put(&self, event: StreamEvent, urgent: bool) -> Result<(), StreamEvent> {
        if !self.has_room(urgent) {
            return Err(event);
        }
        match self.sender.try_send(event) {
            Err(mpsc::error::TrySendError::Full(event)) => Err(event),
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
        }
    }

    fn has_room(&self, urgent: bool) -> bool {
        self.sender.is_closed() || self.sender.capacity() > if urgent { 0 } else { RESERVED }
    }

    async fn room(&self, urgent: bool) {
        loop {
            let taken = self.taken.notified();
            tokio::pin!(taken);
            // Announced between the look and the wait, it would be missed otherwise.
            taken.as_mut().enable();
            if self.has_room(urgent) {
                return;
            }
            taken.await;
        }
    }
}

/// The ways into all shards of an endpoint.
#[derive(Debug)]
pub(super) struct Inlets {
    ownership: Ownership,
    inlets: Vec<Inlet>,
    /// For each connection whose end not all shards had room for, those that have taken it. Bounded by the connections, each of which waits
    /// until all have.
    told: Mutex<HashMap<ConnectionId, BTreeSet<usize>>>,
    /// Held rather than looked up: each message counts.
    passed: Counter,
    not_passed: Counter,
}

impl Inlets {
    /// A metrics recorder, if there is to be one, is installed before.
    pub(super) fn new(ownership: Ownership, inlets: Vec<Inlet>) -> Self {
        Self {
            ownership,
            inlets,
            told: Mutex::default(),
            passed: metrics::counter!("blether_transaction_passed_messages_total"),
            not_passed: metrics::counter!("blether_transaction_not_passed_messages_total"),
        }
    }

    /// For each shard the messages that wait for it, and how many may.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (usize, usize)> {
        self.inlets.iter().map(|inlet| (CAPACITY - inlet.sender.capacity(), CAPACITY))
    }

    /// Passes a message to its owner; what finds no room is lost, as on the wire, and counted.
    pub(super) fn pass(&self, to: ShardIndex, event: StreamEvent, urgent: bool) {
        let Some(inlet) = self.inlets.get(usize::from(to.0)) else { return };
        match inlet.try_put(event, urgent) {
            Ok(()) => self.passed.increment(1),
            Err(_) => self.not_passed.increment(1),
        }
    }

    /// Tells each shard of a connection's end, for each may have sent something by it: once, however often this is called until all have room.
    fn put_end(&self, event: StreamEvent, connection: ConnectionId) -> Result<(), StreamEvent> {
        let mut taken = self.told().remove(&connection).unwrap_or_default();
        for (index, inlet) in self.inlets.iter().enumerate() {
            if !taken.contains(&index) && inlet.try_put(event.clone(), true).is_ok() {
                taken.insert(index);
            }
        }
        if taken.len() == self.inlets.len() {
            return Ok(());
        }
        self.told().insert(connection, taken);
        Err(event)
    }

    /// Those that have not taken the end of a connection.
    fn untold(&self, connection: Option<ConnectionId>) -> Vec<&Inlet> {
        let told = self.told();
        let taken = connection.and_then(|connection| told.get(&connection));
        let inlets = self.inlets.iter().enumerate();
        inlets.filter(|(index, _)| taken.is_none_or(|taken| !taken.contains(index))).map(|(_, inlet)| inlet).collect()
    }

    fn told(&self) -> MutexGuard<'_, HashMap<ConnectionId, BTreeSet<usize>>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whose a message is that has come by a connection, and whether it is urgent. What has no owner is the first shard's.
    fn owner(&self, message: &[u8]) -> (Option<&Inlet>, bool) {
        let owner = self.ownership.owner_of_message(message).unwrap_or(ShardIndex(0));
        (self.inlets.get(usize::from(owner.0)), ends_something(message))
    }

    /// Waits until the owner of a message may have room for it.
    async fn room_for(&self, message: &[u8]) {
        if let (Some(inlet), urgent) = self.owner(message) {
            inlet.room(urgent).await;
        }
    }
}

impl StreamUser for Inlets {
    fn try_take(&self, event: StreamEvent) -> Result<(), StreamEvent> {
        let (inlet, urgent) = match &event {
            StreamEvent::Message { bytes, .. } => self.owner(bytes),
            StreamEvent::Unsent { bytes, .. } => self.owner(bytes),
            StreamEvent::Unframed { error, .. } => self.owner(error.head()),
            StreamEvent::Closed { flow, .. } => {
                // The end of what was no connection concerns nobody.
                let Some(connection) = flow.connection else { return Ok(()) };
                return self.put_end(event, connection);
            }
        };
        inlet.map_or(Ok(()), |inlet| inlet.try_put(event, urgent))
    }

    fn room<'a>(&'a self, event: &'a StreamEvent) -> Room<'a> {
        Box::pin(async move {
            match event {
                StreamEvent::Closed { flow, .. } => {
                    for inlet in self.untold(flow.connection) {
                        inlet.room(true).await;
                    }
                }
                StreamEvent::Message { bytes, .. } => self.room_for(bytes).await,
                StreamEvent::Unsent { bytes, .. } => self.room_for(bytes).await,
                StreamEvent::Unframed { error, .. } => self.room_for(error.head()).await,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use blether_sip_transport::{CloseReason, Flow};
    use bytes::Bytes;
    use rand::SeedableRng;

    fn flow() -> Flow {
        Flow::tcp("192.0.2.1:5060".parse().unwrap(), "192.0.2.2:5060".parse().unwrap())
    }

    fn message(method: &str) -> StreamEvent {
        let bytes = Bytes::from(format!("{method} sip:a SIP/2.0\r\nCall-ID: 1\r\n\r\n"));
        StreamEvent::Message { flow: flow(), bytes }
    }

    fn closed(connection: u64) -> StreamEvent {
        let flow = Flow { connection: Some(ConnectionId::new(connection)), ..flow() };
        StreamEvent::Closed { flow, reason: CloseReason::Peer }
    }

    fn inlets(shards: usize) -> (Inlets, Vec<Outlet>) {
        let ownership = Ownership::new(shards, &mut rand::rngs::StdRng::seed_from_u64(1));
        let (inlets, outlets) = (0..shards).map(|_| inlet()).unzip();
        (Inlets::new(ownership, inlets), outlets)
    }

    #[tokio::test]
    async fn what_ends_something_finds_room_when_other_messages_do_not() {
        let (inlets, mut outlets) = inlets(1);
        let taken = (0..CAPACITY).take_while(|_| inlets.try_take(message("INVITE")).is_ok()).count();
        assert_eq!(taken, CAPACITY - RESERVED);
        assert!((0..RESERVED).all(|_| inlets.try_take(message("BYE")).is_ok()));
        assert!(inlets.try_take(message("BYE")).is_err());
        // Whoever waits for room goes on when some is announced, and an INVITE later than a BYE.
        let (bye, invite) = (message("BYE"), message("INVITE"));
        let mut waits = Box::pin(inlets.room(&invite));
        assert!(outlets[0].try_next().is_some());
        outlets[0].announce_room();
        inlets.room(&bye).await;
        tokio::select! { biased; () = &mut waits => panic!("no room for it yet"), () = tokio::task::yield_now() => {} }
        for _ in 0..RESERVED {
            assert!(outlets[0].try_next().is_some());
        }
        outlets[0].announce_room();
        waits.await;
    }

    #[test]
    fn the_end_of_a_connection_is_told_to_every_shard_and_a_message_to_its_owner_alone() {
        let (inlets, mut outlets) = inlets(4);
        inlets.try_take(closed(1)).unwrap();
        assert!(outlets.iter_mut().all(|outlet| outlet.try_next().is_some()));
        inlets.try_take(message("INVITE")).unwrap();
        inlets.try_take(message("ACK")).unwrap();
        let counts = outlets.iter_mut().map(|outlet| std::iter::from_fn(|| outlet.try_next()).count());
        let mut counts: Vec<_> = counts.collect();
        counts.sort_unstable();
        assert_eq!(counts, [0, 0, 0, 2]);
    }

    #[tokio::test]
    async fn the_end_of_a_connection_is_told_once_to_each_shard_however_long_one_of_them_has_no_room() {
        let (inlets, mut outlets) = inlets(3);
        let full = &inlets.inlets[1];
        while full.try_put(message("BYE"), true).is_ok() {}
        for _ in 0..100 {
            assert!(inlets.try_take(closed(1)).is_err());
        }
        // Another one's end is another matter.
        assert!(inlets.try_take(closed(2)).is_err());
        let waiting: Vec<_> = inlets.waiting().map(|(waiting, _)| waiting).collect();
        assert_eq!(waiting, [2, CAPACITY, 2]);
        // The wait is for that shard alone.
        for _ in 0..2 {
            assert!(outlets[1].try_next().is_some());
        }
        inlets.room(&closed(1)).await;
        assert!(inlets.try_take(closed(1)).is_ok() && inlets.try_take(closed(2)).is_ok());
        let waiting: Vec<_> = inlets.waiting().map(|(waiting, _)| waiting).collect();
        assert_eq!(waiting, [2, CAPACITY, 2]);
        assert!(inlets.told().is_empty());
    }
}

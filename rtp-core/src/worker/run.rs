//! The loop of a media worker: poll, commands, packets, timers.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::{Counter, Gauge, Histogram};
use mio::{Events, Interest, Poll, Token};
use rand::rngs::StdRng;
use slab::Slab;

use super::leg::{EventSink, Leg, LegConfig, LegId, LegMode, Panicked, Reason, Step, guarded};
use super::ports::RtpSocket;
use super::queue::Command;
use super::receive_errors::AfterError;
use super::statistics::LegStatistics;
use super::timers::{Timer, Timers};
use super::{NewLeg, Shared, WAKE, rtcp_token, rtp_token};
use crate::error::WorkerError;
use crate::impairment::Fate;
use crate::leg::{LegEvent, LegProcessor, MediaDirection};
use crate::packet::{RtpHeader, RtpPacket, rewrite};
use crate::quality::Equipment;

/// Datagrams that are read from one socket before the others have their turn. 32: over half a second of audio, so only a flood meets it.
const PACKETS_PER_TURN: usize = 32;
/// Datagrams that are read from an RTCP socket before the others have their turn: peers send one every few seconds.
const RTCP_PACKETS_PER_TURN: usize = 8;
/// Datagrams and events that a processor may hand out in one turn.
const OUTPUTS_PER_TURN: usize = 64;
/// Ticks of a processor that are made up for at once. 5: 100 ms at 20 ms, which the peer's jitter buffer takes in. More would reach
/// the peer as a burst that it drops as late, and would keep the other legs waiting.
const CATCH_UP_TICKS: usize = 5;
/// How long a processor that is still behind waits for its next turn.
const CATCH_UP_PAUSE: Duration = Duration::from_millis(10);
/// The largest datagram that is read. RTP of telephone calls fits into an Ethernet frame; what is larger is dropped.
const MAX_DATAGRAM: usize = 2_048;
/// Packets that an impairment may hold back on one leg: more than twice what a phone sends in the longest delay.
const MAX_DELAYED: usize = 128;
/// How long packets are taken to wait before they are played, for the estimate of a leg's quality: what phones begin with.
const ASSUMED_JITTER_BUFFER: Duration = Duration::from_millis(60);

pub(super) struct Worker {
    index: usize,
    poll: Poll,
    shared: Arc<Shared>,
    commands: VecDeque<Command>,
    slots: Slab<Slot>,
    /// Legs whose sockets may have more to read. A socket says once that it has become readable, so this must be remembered.
    ready: VecDeque<usize>,
    outbox: Outbox,
    received: Vec<u8>,
    written: Vec<u8>,
    rng: StdRng,
    /// The numbers of legs and processors, each given once.
    numbers: u64,
    running: bool,
}

enum Slot {
    Live(Box<Leg>),
    /// A leg that ended by itself. Its figures wait to be fetched.
    Ended(LegId, Box<LegStatistics>),
}

/// What sending needs besides the leg.
struct Outbox {
    timers: Timers,
    delayed: Slab<Delayed>,
    spare: Vec<Vec<u8>>,
    meters: Meters,
}

/// A packet that an impairment holds back.
struct Delayed {
    leg: LegId,
    datagram: Vec<u8>,
}

struct Meters {
    legs: Gauge,
    panics: Counter,
    received: Counter,
    sent: Counter,
    not_rtp: Counter,
    rtcp: Counter,
    wrong_source: Counter,
    idle: Counter,
    receive_off: Counter,
    send_off: Counter,
    no_destination: Counter,
    send_failed: Counter,
    impaired: Counter,
    relay_lost: Counter,
    rtcp_refused: Counter,
    rtcp_received: Counter,
    rtcp_sent: Counter,
    network_lost: Counter,
    mos_from_peer: Histogram,
    mos_to_peer: Histogram,
}

impl Meters {
    fn new() -> Self {
        let dropped = |reason: &'static str| metrics::counter!("blether_rtp_dropped_packets_total", "reason" => reason);
        Self {
            legs: metrics::gauge!("blether_rtp_legs"),
            panics: metrics::counter!("blether_rtp_leg_panics_total"),
            received: metrics::counter!("blether_rtp_received_packets_total"),
            sent: metrics::counter!("blether_rtp_sent_packets_total"),
            not_rtp: dropped("not_rtp"),
            rtcp: dropped("rtcp"),
            wrong_source: dropped("wrong_source"),
            idle: dropped("idle"),
            receive_off: dropped("receive_off"),
            send_off: dropped("send_off"),
            no_destination: dropped("no_destination"),
            send_failed: dropped("send_failed"),
            impaired: dropped("impaired"),
            relay_lost: metrics::counter!("blether_rtp_relay_lost_packets_total"),
            rtcp_refused: dropped("rtcp_refused"),
            rtcp_received: metrics::counter!("blether_rtp_received_rtcp_packets_total"),
            rtcp_sent: metrics::counter!("blether_rtp_sent_rtcp_packets_total"),
            network_lost: metrics::counter!("blether_rtp_network_lost_packets_total"),
            mos_from_peer: metrics::histogram!("blether_rtp_mos", "direction" => "from_peer"),
            mos_to_peer: metrics::histogram!("blether_rtp_mos", "direction" => "to_peer"),
        }
    }

    /// What a leg's figures say of its call, once they are whole.
    fn leg_ended(&self, statistics: &LegStatistics) {
        self.network_lost.increment(statistics.reception.lost);
        let (buffer, equipment) = (ASSUMED_JITTER_BUFFER, Equipment::G711_CONCEALED);
        if let Some(quality) = statistics.quality_here(buffer, equipment) {
            self.mos_from_peer.record(quality.mean_opinion_score());
        }
        if let Some(quality) = statistics.quality_at_peer(buffer, equipment) {
            self.mos_to_peer.record(quality.mean_opinion_score());
        }
    }

    fn dropped(&self, reason: Reason) {
        let counter = match reason {
            Reason::NotRtp => &self.not_rtp,
            Reason::Rtcp => &self.rtcp,
            Reason::RtcpRefused => &self.rtcp_refused,
            Reason::WrongSource => &self.wrong_source,
            Reason::Idle => &self.idle,
            Reason::ReceiveOff => &self.receive_off,
            Reason::SendOff => &self.send_off,
            Reason::NoDestination => &self.no_destination,
            Reason::SendFailed => &self.send_failed,
            Reason::Impaired => &self.impaired,
        };
        counter.increment(1);
    }
}

impl Worker {
    pub(super) fn new(index: usize, poll: Poll, shared: Arc<Shared>, rng: StdRng) -> Self {
        Self {
            index,
            poll,
            shared,
            commands: VecDeque::new(),
            slots: Slab::new(),
            ready: VecDeque::new(),
            outbox: Outbox {
                timers: Timers::default(),
                delayed: Slab::new(),
                spare: Vec::new(),
                meters: Meters::new(),
            },
            received: vec![0; MAX_DATAGRAM],
            written: Vec::with_capacity(MAX_DATAGRAM),
            rng,
            numbers: 0,
            running: true,
        }
    }

    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(1_024);
        while self.running {
            match self.poll.poll(&mut events, self.time_to_wait()) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    tracing::error!(worker = self.index, %error, "media worker cannot poll and ends");
                    return;
                }
            }
            for event in &events {
                if event.token() != WAKE {
                    self.wake(event.token());
                }
            }
            self.turn();
        }
        self.say_goodbye();
    }

    fn wake(&mut self, token: Token) {
        let key = token.0 / 2;
        if token == rtcp_token(key)
            && let Some(leg) = live(&mut self.slots, key)
        {
            leg.rtcp.readable = true;
        }
        self.make_ready(key);
    }

    /// Tells the peers of the legs that are left that they end.
    fn say_goodbye(&mut self) {
        let now = Instant::now();
        for (_, slot) in &mut self.slots {
            if let Slot::Live(leg) = slot {
                let _sent = leg.rtcp.goodbye(now);
            }
        }
    }

    fn time_to_wait(&self) -> Option<Duration> {
        if !self.ready.is_empty() {
            return Some(Duration::ZERO);
        }
        self.outbox.timers.next_at().map(|at| at.saturating_duration_since(Instant::now()))
    }

    fn turn(&mut self) {
        let now = Instant::now();
        let mut commands = std::mem::take(&mut self.commands);
        self.shared.queue.take_into(&mut commands);
        for command in commands.drain(..) {
            // A command that is refused drops the sink that it brought, which is foreign code.
            if guarded(|| self.execute(now, command)).is_err() {
                tracing::error!(worker = self.index, "a command panicked");
                self.outbox.meters.panics.increment(1);
            }
        }
        self.commands = commands;
        for _ in 0..self.ready.len() {
            let Some(key) = self.ready.pop_front() else { break };
            if let Some(leg) = live(&mut self.slots, key) {
                leg.is_ready = false;
                let more = self.read(now, key);
                if self.read_rtcp(now, key) || more {
                    self.make_ready(key);
                }
            }
        }
        while let Some(timer) = self.outbox.timers.pop_due(now) {
            match timer {
                Timer::Leg(key) => self.handle_timer(now, key),
                Timer::DelayedPacket(key) => self.release(now, key),
            }
        }
    }

    fn make_ready(&mut self, key: usize) {
        if let Some(leg) = live(&mut self.slots, key)
            && !leg.is_ready
        {
            leg.is_ready = true;
            self.ready.push_back(key);
        }
    }

    // Commands. A reply that nobody waits for any more is no error: whoever asked has gone.

    fn execute(&mut self, now: Instant, command: Command) {
        match command {
            Command::AddLeg { socket, config, mode, sink, reply } => {
                // A leg that nobody waits for is removed when the reply is dropped.
                let _gone = reply.send(self.add(now, socket, &config, mode, sink));
            }
            Command::AddBridgedLeg { socket, config, other, sink, reply } => {
                let added = self.add(now, socket, &config, LegMode::Relay { to: other }, sink);
                let bridged = added.and_then(|added| {
                    self.set_mode(now, other, LegMode::Relay { to: added.id })?;
                    Ok(added)
                });
                let _gone = reply.send(bridged);
            }
            Command::SetRemote { leg, remote, reply } => {
                let _gone = reply.send(self.set_remote(now, leg, remote));
            }
            Command::SetMode { leg, mode, reply } => {
                let _gone = reply.send(self.set_mode(now, leg, mode));
            }
            Command::SetDirection { leg, direction, reply } => {
                let _gone = reply.send(self.set_direction(now, leg, direction));
            }
            Command::Follow { leg, remote, direction, reply } => {
                let followed = self.set_remote(now, leg, remote);
                let _gone = reply.send(followed.and_then(|()| self.set_direction(now, leg, direction)));
            }
            Command::SetPayloadTypes { leg, types, reply } => {
                let set = self.find(leg).map(|leg| leg.set_payload_types(&types));
                let _gone = reply.send(set);
            }
            Command::Bridge { a, b, reply } => {
                let bridged = self
                    .find(b)
                    .map(|_| ())
                    .and_then(|()| self.set_mode(now, a, LegMode::Relay { to: b }))
                    .and_then(|()| self.set_mode(now, b, LegMode::Relay { to: a }));
                let _gone = reply.send(bridged);
            }
            Command::RemoveLeg { leg, reply } => {
                let removed = self.remove(leg);
                if let Some(reply) = reply {
                    let _gone = reply.send(removed);
                }
            }
            Command::Statistics { leg, reply } => {
                let statistics = match self.slots.get(leg.key) {
                    Some(Slot::Live(live)) if live.id == leg => Ok(live.statistics()),
                    Some(Slot::Ended(id, statistics)) if *id == leg => Ok(**statistics),
                    _ => Err(WorkerError::UnknownLeg),
                };
                let _gone = reply.send(statistics);
            }
            Command::Ping { reply } => {
                let _gone = reply.send(Ok(()));
            }
            Command::Stop => self.running = false,
        }
    }

    fn add(
        &mut self,
        now: Instant,
        socket: RtpSocket,
        config: &LegConfig,
        mode: LegMode,
        sink: EventSink,
    ) -> Result<NewLeg, WorkerError> {
        let entry = self.slots.vacant_entry();
        self.numbers += 1;
        let id = LegId { worker: self.index, key: entry.key(), number: self.numbers };
        let mut leg = Box::new(Leg::new(now, id, socket, config, sink, &mut self.rng));
        let registry = self.poll.registry();
        let watched = registry
            .register(&mut leg.socket, rtp_token(id.key), Interest::READABLE)
            .and_then(|()| registry.register(&mut leg.rtcp.socket, rtcp_token(id.key), Interest::READABLE));
        if let Err(error) = watched {
            self.shared.one_leg_less();
            return Err(WorkerError::Socket(error.kind()));
        }
        entry.insert(Slot::Live(leg));
        self.outbox.meters.legs.increment(1);
        if let Err(error) = self.set_mode(now, id, mode) {
            let _statistics = self.remove(id);
            return Err(error);
        }
        Ok(NewLeg::new(id, Arc::clone(&self.shared)))
    }

    fn set_remote(&mut self, now: Instant, id: LegId, remote: SocketAddr) -> Result<(), WorkerError> {
        // What came from where the peer was is heard before the socket turns elsewhere.
        self.find(id)?;
        if self.read(now, id.key) {
            self.make_ready(id.key);
        }
        let leg = find(&mut self.slots, id)?;
        match leg.set_remote(now, remote, self.poll.registry()) {
            Ok(()) => {
                self.drive(now, id.key);
                Ok(())
            }
            Err(error) => {
                tracing::error!(leg = %id, %error, "RTP port lost");
                self.end(id.key, LegEvent::SocketFailed);
                Err(WorkerError::Socket(error.kind()))
            }
        }
    }

    fn set_mode(&mut self, now: Instant, id: LegId, mode: LegMode) -> Result<(), WorkerError> {
        let target = if let LegMode::Relay { to } = mode { to } else { id };
        if let Err(error) = self.find(target).map(|_| ()).and_then(|()| self.find(id).map(|_| ())) {
            self.discard(mode);
            return Err(error);
        }
        self.numbers += 1;
        let origin = self.numbers;
        let before = find(&mut self.slots, id)?.set_mode(mode, origin);
        self.discard(before);
        self.drive(now, id.key);
        Ok(())
    }

    fn set_direction(&mut self, now: Instant, id: LegId, direction: MediaDirection) -> Result<(), WorkerError> {
        // What came before is still treated as was agreed on then.
        self.find(id)?;
        if self.read(now, id.key) {
            self.make_ready(id.key);
        }
        self.numbers += 1;
        let origin = self.numbers;
        self.find(id)?.set_direction(now, direction, origin);
        self.schedule(id.key, now, None);
        Ok(())
    }

    fn discard(&mut self, mode: LegMode) {
        if guarded(|| drop(mode)).is_err() {
            tracing::error!(worker = self.index, "a processor panicked when it was dropped");
            self.outbox.meters.panics.increment(1);
        }
    }

    fn find(&mut self, id: LegId) -> Result<&mut Leg, WorkerError> {
        find(&mut self.slots, id)
    }

    fn remove(&mut self, id: LegId) -> Result<LegStatistics, WorkerError> {
        match self.slots.get(id.key) {
            Some(Slot::Live(leg)) if leg.id == id => {}
            Some(Slot::Ended(ended, _)) if *ended == id => {}
            _ => return Err(WorkerError::UnknownLeg),
        }
        self.shared.one_leg_less();
        match self.slots.remove(id.key) {
            Slot::Live(leg) => Ok(self.close(leg)),
            Slot::Ended(_, statistics) => Ok(*statistics),
        }
    }

    /// Ends a leg that cannot go on; its figures stay until it is removed.
    fn end(&mut self, key: usize, event: LegEvent) {
        let Some(Slot::Live(leg)) = self.slots.get_mut(key) else { return };
        // Its owner may be what has panicked; there is nobody else to tell.
        let _told = leg.emit(event);
        let ended = Slot::Ended(leg.id, Box::new(leg.statistics()));
        if let Some(slot) = self.slots.get_mut(key)
            && let Slot::Live(leg) = std::mem::replace(slot, ended)
        {
            self.close(leg);
        }
    }

    fn end_panicked(&mut self, key: usize) {
        if let Some(leg) = live(&mut self.slots, key) {
            tracing::error!(leg = %leg.id, "a leg's processor or event sink panicked; the leg ends");
        }
        self.outbox.meters.panics.increment(1);
        self.end(key, LegEvent::ProcessorPanicked);
    }

    fn close(&mut self, mut leg: Box<Leg>) -> LegStatistics {
        self.outbox.meters.legs.decrement(1);
        if let Some(at) = leg.scheduled {
            self.outbox.timers.cancel(at, Timer::Leg(leg.id.key));
        }
        if leg.rtcp.goodbye(Instant::now()) {
            self.outbox.meters.rtcp_sent.increment(1);
        }
        // The poll forgets its sockets when they are closed, which is when the leg is dropped.
        let statistics = leg.statistics();
        self.outbox.meters.leg_ended(&statistics);
        let id = leg.id;
        if guarded(|| drop(leg)).is_err() {
            tracing::error!(leg = %id, "a leg's processor or event sink panicked when it was dropped");
            self.outbox.meters.panics.increment(1);
        }
        statistics
    }

    // Packets.

    /// Reads a socket until it would block, or its turn is over; says whether there may be more.
    fn read(&mut self, now: Instant, key: usize) -> bool {
        for _ in 0..PACKETS_PER_TURN {
            let Some(leg) = live(&mut self.slots, key) else { return false };
            if leg.receive_errors.is_resting() {
                return false;
            }
            match leg.socket.recv_from(&mut self.received) {
                Ok((len, from)) => {
                    leg.receive_errors.clear();
                    self.handle_datagram(now, key, from, len);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    leg.receive_errors.clear();
                    return false;
                }
                Err(error) => match leg.receive_errors.count(now) {
                    AfterError::ReadOn => {}
                    AfterError::Rest => {
                        tracing::debug!(leg = %leg.id, %error, "RTP socket gives nothing but errors; it rests");
                        self.schedule(key, now, None);
                        return false;
                    }
                    AfterError::GiveUp => {
                        tracing::error!(leg = %leg.id, %error, "RTP socket gives nothing but errors; the leg ends");
                        self.end(key, LegEvent::SocketFailed);
                        return false;
                    }
                },
            }
        }
        true
    }

    /// Reads the leg's RTCP socket as [`read`](Self::read) does the other, if it has said that there is something.
    fn read_rtcp(&mut self, now: Instant, key: usize) -> bool {
        for _ in 0..RTCP_PACKETS_PER_TURN {
            let Some(leg) = live(&mut self.slots, key).filter(|leg| leg.rtcp.readable) else { return false };
            let Ok((len, from)) = leg.rtcp.socket.recv_from(&mut self.received) else {
                // Nothing more, or an error that came in a datagram's place; the next datagram makes the socket readable again.
                leg.rtcp.readable = false;
                return false;
            };
            let whole = if len < MAX_DATAGRAM { self.received.get(..len).unwrap_or_default() } else { &[] };
            if leg.rtcp.receive(now, from, whole) {
                self.outbox.meters.rtcp_received.increment(1);
                if leg.is_there(now).is_err() {
                    self.end_panicked(key);
                    return false;
                }
            } else {
                self.outbox.drop_because(leg, Reason::RtcpRefused);
            }
        }
        true
    }

    fn handle_datagram(&mut self, now: Instant, key: usize, from: SocketAddr, len: usize) {
        self.outbox.meters.received.increment(1);
        let Some(leg) = live(&mut self.slots, key) else { return };
        // A datagram that fills the buffer was longer, and its end is lost.
        let whole = if len < MAX_DATAGRAM { self.received.get(..len).unwrap_or_default() } else { &[] };
        let origin = leg.relay_origin;
        match leg.receive(now, from, whole) {
            Ok(Step::Drop(reason)) => self.outbox.meters.dropped(reason),
            Ok(Step::Drive) => return self.drive(now, key),
            Ok(Step::Relay { to, header }) => {
                let datagram = self.received.get_mut(..len).unwrap_or_default();
                let sent = match find(&mut self.slots, to) {
                    Ok(target) => Some(self.outbox.send(now, target, origin, header, datagram)),
                    Err(_) => None,
                };
                let Some(leg) = live(&mut self.slots, key) else { return };
                match sent {
                    None => self.outbox.drop_because(leg, Reason::NoDestination),
                    Some(Err(Reason::SendFailed)) => {
                        leg.count_relay_loss();
                        self.outbox.meters.relay_lost.increment(1);
                    }
                    Some(_) => {}
                }
            }
            Err(Panicked) => return self.end_panicked(key),
        }
        self.schedule(key, now, None);
    }

    /// Takes from the processor what it has to send and to tell, and sets the leg's timer.
    fn drive(&mut self, now: Instant, key: usize) {
        let Some(leg) = live(&mut self.slots, key) else { return };
        let more = match drain(now, leg, &mut self.written, &mut self.outbox) {
            Ok(more) => more,
            Err(Panicked) => return self.end_panicked(key),
        };
        self.schedule(key, now, more.then(|| now + CATCH_UP_PAUSE));
    }

    // Timers.

    fn handle_timer(&mut self, now: Instant, key: usize) {
        let Some(leg) = live(&mut self.slots, key) else { return };
        leg.scheduled = None;
        if leg.receive_errors.end_rest(now) {
            self.make_ready(key);
        }
        let Some(leg) = live(&mut self.slots, key) else { return };
        let later = now + CATCH_UP_PAUSE;
        match tick(now, leg, &mut self.written, &mut self.outbox) {
            // What is overdue yet waits, so that the others have their turn.
            Ok(more) => self.schedule(key, later, more.then_some(later)),
            Err(Panicked) => self.end_panicked(key),
        }
    }

    /// Sets the leg's timer to when something is due next, or to `also` if that is before; what is overdue is done at `earliest`.
    fn schedule(&mut self, key: usize, earliest: Instant, also: Option<Instant>) {
        let Some(leg) = live(&mut self.slots, key) else { return };
        let due = match next_due(leg) {
            Ok(due) => [due.map(|due| due.max(earliest)), also].into_iter().flatten().min(),
            Err(Panicked) => return self.end_panicked(key),
        };
        if leg.scheduled == due {
            return;
        }
        let before = std::mem::replace(&mut leg.scheduled, due);
        if let Some(before) = before {
            self.outbox.timers.cancel(before, Timer::Leg(key));
        }
        if let Some(due) = due {
            self.outbox.timers.set(due, Timer::Leg(key));
        }
    }

    fn release(&mut self, now: Instant, key: usize) {
        let Some(Delayed { leg: id, datagram }) = self.outbox.delayed.try_remove(key) else { return };
        if let Ok(leg) = find(&mut self.slots, id) {
            leg.delayed = leg.delayed.saturating_sub(1);
            if leg.sends() {
                // Whether it went has been counted.
                let _sent = self.outbox.transmit(now, leg, &datagram);
            } else {
                self.outbox.drop_because(leg, Reason::SendOff);
            }
        }
        self.outbox.spare.push(datagram);
    }
}

impl Outbox {
    /// Sends a packet that `origin` made, headed `header`, as part of a leg's stream, unless the leg is not to send or its impairment has
    /// other plans for it. An error says why it went nowhere; it has been counted.
    fn send(
        &mut self,
        now: Instant,
        leg: &mut Leg,
        origin: u64,
        header: RtpHeader,
        datagram: &mut [u8],
    ) -> Result<(), Reason> {
        if !leg.sends() {
            // The stream knows nothing of it, and so shows no gap afterwards.
            self.drop_because(leg, Reason::SendOff);
            return Err(Reason::SendOff);
        }
        rewrite(datagram, leg.rewriter.header_for(now, origin, header));
        match leg.impairer.as_mut().map(|impairer| impairer.fate()) {
            None => self.transmit(now, leg, datagram),
            Some(Fate::Delayed(by)) if by.is_zero() => self.transmit(now, leg, datagram),
            Some(Fate::Delayed(by)) if leg.delayed < MAX_DELAYED => {
                let mut copy = self.spare.pop().unwrap_or_default();
                copy.clear();
                copy.extend_from_slice(datagram);
                leg.delayed += 1;
                let key = self.delayed.insert(Delayed { leg: leg.id, datagram: copy });
                self.timers.set(now + by, Timer::DelayedPacket(key));
                Ok(())
            }
            Some(Fate::Lost | Fate::Delayed(_)) => {
                self.drop_because(leg, Reason::Impaired);
                Err(Reason::Impaired)
            }
        }
    }

    fn drop_because(&self, leg: &mut Leg, reason: Reason) {
        leg.drop_because(reason);
        self.meters.dropped(reason);
    }

    fn transmit(&mut self, now: Instant, leg: &mut Leg, datagram: &[u8]) -> Result<(), Reason> {
        let sent = leg.transmit(now, datagram);
        match sent {
            Ok(()) => self.meters.sent.increment(1),
            Err(reason) => self.meters.dropped(reason),
        }
        sent
    }
}

fn live(slots: &mut Slab<Slot>, key: usize) -> Option<&mut Leg> {
    match slots.get_mut(key) {
        Some(Slot::Live(leg)) => Some(leg),
        Some(Slot::Ended(..)) | None => None,
    }
}

fn find(slots: &mut Slab<Slot>, id: LegId) -> Result<&mut Leg, WorkerError> {
    live(slots, id.key).filter(|leg| leg.id == id).ok_or(WorkerError::UnknownLeg)
}

fn processor(leg: &mut Leg) -> Option<&mut dyn LegProcessor> {
    match &mut leg.mode {
        LegMode::Process(processor) => Some(&mut **processor),
        LegMode::Idle | LegMode::Relay { .. } => None,
    }
}

fn next_due(leg: &mut Leg) -> Result<Option<Instant>, Panicked> {
    let ticks = match processor(leg) {
        Some(processor) => guarded(|| processor.poll_timeout())?,
        None => None,
    };
    Ok([ticks, leg.poll_timeout()].into_iter().flatten().min())
}

/// Does what is due on a leg, the ticks of its processor included, and of those a bounded number; true when the processor may have
/// more to send.
fn tick(now: Instant, leg: &mut Leg, written: &mut Vec<u8>, outbox: &mut Outbox) -> Result<bool, Panicked> {
    leg.handle_timeout(now)?;
    if leg.rtcp.handle_timeout(now) {
        outbox.meters.rtcp_sent.increment(1);
    }
    let mut more = false;
    for _ in 0..CATCH_UP_TICKS {
        let Some(processor) = processor(leg) else { break };
        let due = guarded(|| {
            let due = processor.poll_timeout().is_some_and(|at| at <= now);
            if due {
                processor.handle_timeout(now);
            }
            due
        })?;
        // Also when nothing is due: the last turn may have left something to be sent.
        more = drain(now, leg, written, outbox)?;
        if !due {
            break;
        }
    }
    Ok(more)
}

/// Sends what the processor has, tells what it says; true when its turn is over and it may have more.
fn drain(now: Instant, leg: &mut Leg, written: &mut Vec<u8>, outbox: &mut Outbox) -> Result<bool, Panicked> {
    let mut outputs = 0;
    while outputs < OUTPUTS_PER_TURN {
        let Some(processor) = processor(leg) else { return Ok(false) };
        written.clear();
        if !guarded(|| processor.poll_transmit(written))? {
            break;
        }
        outputs += 1;
        let Ok(header) = RtpPacket::parse(written).map(|packet| packet.header()) else {
            tracing::debug!(leg = %leg.id, "a processor wrote what is no RTP packet");
            outbox.drop_because(leg, Reason::SendFailed);
            continue;
        };
        // Whether it went has been counted; the processor goes on.
        let _sent = outbox.send(now, leg, leg.processor_origin, header, written);
    }
    let mut events = 0;
    while events < OUTPUTS_PER_TURN {
        let Some(processor) = processor(leg) else { return Ok(false) };
        let Some(event) = guarded(|| processor.poll_event())? else { break };
        events += 1;
        leg.emit(event)?;
    }
    Ok(outputs == OUTPUTS_PER_TURN || events == OUTPUTS_PER_TURN)
}

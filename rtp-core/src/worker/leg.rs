//! One leg: a socket, who is at its other end, what is done with its packets, and what was counted.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use mio::net::UdpSocket;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::ports::{PortLease, RtpSocket, reopen};
use super::receive_errors::ReceiveErrors;
use super::rtcp::LegRtcp;
use super::rtp_token;
use super::silence::Silence;
use super::statistics::LegStatistics;
use crate::impairment::{Impairer, Impairment};
use crate::latch::{Latch, LatchPolicy, Verdict, is_reachable};
use crate::leg::{LegEvent, LegProcessor, MediaDirection, PayloadTypes};
use crate::packet::{RtpHeader, RtpPacket, is_rtcp};
use crate::rewriter::Rewriter;
use crate::rtcp::{RtcpConfig, RtcpSession};
use crate::telephone_event::EventReceiver;

/// Which leg. The id of a leg that is gone names no other leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LegId {
    pub(super) worker: usize,
    pub(super) key: usize,
    pub(super) number: u64,
}

impl fmt::Display for LegId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.worker, self.number)
    }
}

/// What is told to whoever owns a leg. Called on the worker's thread: it must not block.
pub type EventSink = Box<dyn FnMut(LegId, LegEvent) + Send>;

/// What a leg is from its beginning.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LegConfig {
    /// Where the peer's SDP says it listens; `None` while that is not known. A port of 0 or an unspecified address is sent nothing.
    pub remote: Option<SocketAddr>,
    /// Whether the peer may be found elsewhere.
    pub latch: LatchPolicy,
    /// Which ways media goes at first, until [`set_direction`](crate::WorkerHandle::set_direction) says otherwise. Both by default.
    pub direction: MediaDirection,
    /// Hertz of the timestamps. 8 000: G.711 and telephone events.
    pub clock_rate: u32,
    /// The payload type of telephone events that come from this peer. While the leg relays or is idle they are reported; a
    /// processor reports its own.
    pub telephone_event_payload_type: Option<u8>,
    /// A leg whose peer is to be heard, and whose address is known, tells [`LegEvent::Silent`] when no RTP has come for so long: since the last packet, or since
    /// both became true. `None` for never. 30 s by default: phones that leave out silence still refresh their comfort noise more often, and an owner
    /// that ends the call then does so before most callers would have.
    pub silent_after: Option<Duration>,
    /// A leg tells [`LegEvent::Gone`] when neither RTP nor RTCP has come from its peer for so long, since it began or since the last packet, even
    /// while the peer is not to be heard. `None`, the default, for never.
    pub gone_after: Option<Duration>,
    /// A bad network towards this peer, made on purpose, for RTP.
    pub impairment: Option<Impairment>,
}

impl Default for LegConfig {
    fn default() -> Self {
        Self {
            remote: None,
            latch: LatchPolicy::default(),
            direction: MediaDirection::default(),
            clock_rate: 8_000,
            telephone_event_payload_type: None,
            silent_after: Some(Duration::from_secs(30)),
            gone_after: None,
            impairment: None,
        }
    }
}

/// What is done with the packets that a leg receives.
pub enum LegMode {
    /// Count and drop them.
    Idle,
    /// Send them on another leg of the same worker, as part of that leg's one outgoing stream.
    Relay {
        /// The other leg.
        to: LegId,
    },
    /// Give them to a processor, which also makes what is sent.
    Process(Box<dyn LegProcessor>),
}

impl fmt::Debug for LegMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Idle => f.write_str("Idle"),
            Self::Relay { to } => f.debug_struct("Relay").field("to", to).finish(),
            Self::Process(_) => f.write_str("Process(..)"),
        }
    }
}

/// A call into foreign code panicked.
#[derive(Debug)]
pub(super) struct Panicked;

/// Calls foreign code, so that its panic ends no more than its own leg. The leg is not used after a panic, but for its counters.
pub(super) fn guarded<T>(call: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|payload| {
        // Dropping what was thrown is foreign code too.
        std::mem::forget(payload);
        Panicked
    })
}

/// What is to be done with a datagram after its leg has looked at it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It went nowhere.
    Drop(Reason),
    Relay {
        to: LegId,
        header: RtpHeader,
    },
    /// The processor has it; it may have something to send.
    Drive,
}

/// Why a datagram went nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    NotRtp,
    Rtcp,
    RtcpRefused,
    WrongSource,
    Idle,
    ReceiveOff,
    SendOff,
    NoDestination,
    SendFailed,
    Impaired,
}

pub(super) struct Leg {
    pub(super) id: LegId,
    pub(super) socket: UdpSocket,
    pub(super) rtcp: LegRtcp,
    // Dropped after the sockets, so that the ports are closed when they go to rest.
    _lease: PortLease,
    local: SocketAddr,
    connected: Option<SocketAddr>,
    latch: Latch,
    direction: MediaDirection,
    pub(super) mode: LegMode,
    /// Who makes what the processor sends, to the rewriter: another number for each processor.
    pub(super) processor_origin: u64,
    /// Who makes what is received, to the rewriter of another leg: another number after each time that nothing was to be received.
    pub(super) relay_origin: u64,
    pub(super) rewriter: Rewriter,
    sink: EventSink,
    telephone_events: Option<(u8, EventReceiver)>,
    /// Payload types that leave otherwise than they came; empty as a rule.
    relayed_as: Vec<(u8, u8)>,
    clock_rate: u32,
    silence: Silence,
    /// The same for whatever shows that the peer is there.
    absence: Silence,
    /// When it was first known where the peer listens.
    peer_known_at: Option<Instant>,
    counted: LegStatistics,
    pub(super) impairer: Option<Box<Impairer>>,
    pub(super) receive_errors: ReceiveErrors,
    /// Packets that an impairment holds back.
    pub(super) delayed: usize,
    /// Whether the leg waits in the line of those that have packets to be read.
    pub(super) is_ready: bool,
    /// When the leg's timer is set to.
    pub(super) scheduled: Option<Instant>,
}

impl Leg {
    pub(super) fn new(
        now: Instant,
        id: LegId,
        socket: RtpSocket,
        config: &LegConfig,
        sink: EventSink,
        rng: &mut impl Rng,
    ) -> Self {
        let clock_rate = config.clock_rate.max(1);
        let rewriter = Rewriter::new(clock_rate, rng);
        let rtcp_config = RtcpConfig { ssrc: rewriter.ssrc(), clock_rate, ..RtcpConfig::default() };
        let session = RtcpSession::new(now, rtcp_config, StdRng::from_rng(rng));
        let mut leg = Self {
            id,
            local: socket.local_addr(),
            socket: UdpSocket::from_std(socket.socket),
            rtcp: LegRtcp::new(UdpSocket::from_std(socket.rtcp), config.latch, session),
            _lease: socket.lease,
            connected: None,
            latch: Latch::new(config.latch, config.remote),
            direction: config.direction,
            mode: LegMode::Idle,
            processor_origin: 0,
            relay_origin: id.number,
            rewriter,
            sink,
            telephone_events: config
                .telephone_event_payload_type
                .map(|payload_type| (payload_type, EventReceiver::new(clock_rate))),
            relayed_as: Vec::new(),
            clock_rate,
            silence: Silence::new(now, config.silent_after),
            absence: Silence::new(now, config.gone_after),
            peer_known_at: None,
            counted: LegStatistics::default(),
            impairer: config.impairment.map(|impairment| Box::new(Impairer::new(impairment))),
            receive_errors: ReceiveErrors::default(),
            delayed: 0,
            is_ready: false,
            scheduled: None,
        };
        leg.absence.expect(now, true);
        leg.follow_peer(now);
        leg
    }

    /// Takes in where the peer is, and whether it is to be heard.
    fn follow_peer(&mut self, now: Instant) {
        let remote = self.latch.remote();
        if remote.is_some() {
            self.peer_known_at.get_or_insert(now);
        }
        self.rtcp.follow(remote);
        self.silence.expect(now, self.direction.receive && remote.is_some());
    }

    /// Looks at a datagram that came at `now`, and gives it to the processor if there is one.
    pub(super) fn receive(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) -> Result<Step, Panicked> {
        if is_rtcp(datagram) {
            return Ok(self.drop_because(Reason::Rtcp));
        }
        let Ok(packet) = RtpPacket::parse(datagram) else {
            return Ok(self.drop_because(Reason::NotRtp));
        };
        match self.latch.hear(now, from, &packet) {
            Verdict::Refuse => return Ok(self.drop_because(Reason::WrongSource)),
            Verdict::Accept => {}
            Verdict::Moved(from) => {
                self.follow_peer(now);
                self.emit(LegEvent::Latched { from })?;
            }
        }
        self.connect_when_settled(now);
        if self.counted.first_packet_after.is_none() {
            let known_at = self.peer_known_at.unwrap_or(now);
            self.counted.first_packet_after = Some(now.saturating_duration_since(known_at));
        }
        self.counted.received_packets += 1;
        self.counted.received_bytes += datagram.len() as u64;
        let _place = self.rtcp.received(now, &packet);
        self.is_there(now)?;
        if !self.direction.receive {
            return Ok(self.drop_because(Reason::ReceiveOff));
        }
        if self.silence.heard(now) {
            self.emit(LegEvent::Heard)?;
        }
        match &mut self.mode {
            LegMode::Process(processor) => {
                guarded(|| processor.handle_packet(now, packet))?;
                Ok(Step::Drive)
            }
            LegMode::Relay { to } => {
                let mut header = packet.header();
                if let Some((_, as_what)) = self.relayed_as.iter().find(|(of, _)| *of == header.payload_type) {
                    header.payload_type = *as_what;
                }
                let step = Step::Relay { to: *to, header };
                self.listen_for_keys(now, &packet)?;
                Ok(step)
            }
            LegMode::Idle => {
                self.listen_for_keys(now, &packet)?;
                Ok(self.drop_because(Reason::Idle))
            }
        }
    }

    /// Takes in that something has come from the peer, media or a report.
    pub(super) fn is_there(&mut self, now: Instant) -> Result<(), Panicked> {
        if self.absence.heard(now) { self.emit(LegEvent::Back) } else { Ok(()) }
    }

    /// Sends a datagram that is ready to go.
    pub(super) fn transmit(&mut self, now: Instant, datagram: &[u8]) -> Result<(), Reason> {
        let Some(remote) = self.latch.remote().filter(|remote| is_reachable(*remote)) else {
            self.drop_because(Reason::NoDestination);
            return Err(Reason::NoDestination);
        };
        let mut sent = self.send_once(remote, datagram);
        if sent.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
            // The system tells on this call that the packet before it met a closed port, and has not sent this one.
            sent = self.send_once(remote, datagram);
        }
        match sent {
            Ok(_) => {
                self.counted.sent_packets += 1;
                self.counted.sent_bytes += datagram.len() as u64;
                if let Ok(packet) = RtpPacket::parse(datagram) {
                    self.rtcp.sent(now, &packet);
                }
                Ok(())
            }
            Err(error) => {
                tracing::trace!(leg = %self.id, %error, "RTP packet not sent");
                self.drop_because(Reason::SendFailed);
                Err(Reason::SendFailed)
            }
        }
    }

    fn send_once(&self, remote: SocketAddr, datagram: &[u8]) -> io::Result<usize> {
        if self.connected == Some(remote) { self.socket.send(datagram) } else { self.socket.send_to(datagram, remote) }
    }

    /// Takes in what was signalled anew. An error means that the leg has lost its port.
    pub(super) fn set_remote(&mut self, now: Instant, remote: SocketAddr, watch: &mio::Registry) -> io::Result<()> {
        if !self.latch.set_signalled(remote) {
            return Ok(());
        }
        if self.connected.is_some() && (!self.latch.is_settled(now) || !is_reachable(remote)) {
            self.hear_everybody(watch)?;
        }
        self.connect_when_settled(now);
        self.follow_peer(now);
        Ok(())
    }

    /// Takes in which ways media goes from here on; `origin` is a number that was given to no source before.
    pub(super) fn set_direction(&mut self, now: Instant, direction: MediaDirection, origin: u64) {
        if !direction.send {
            self.rewriter.break_off();
        }
        if !self.direction.receive && direction.receive {
            self.relay_origin = origin;
        }
        self.direction = direction;
        self.follow_peer(now);
    }

    /// Takes in what the peer's payload types stand for, and become where they are relayed to.
    pub(super) fn set_payload_types(&mut self, types: &PayloadTypes) {
        let changes = |&(from, to): &(u8, u8)| from != to && from < 128 && to < 128;
        self.relayed_as = types.relayed_as.iter().copied().filter(changes).take(128).collect();
        if self.telephone_events.as_ref().map(|(payload_type, _)| *payload_type) != types.telephone_event {
            self.telephone_events =
                types.telephone_event.map(|payload_type| (payload_type, EventReceiver::new(self.clock_rate)));
        }
    }

    /// Whether packets may leave the leg.
    pub(super) fn sends(&self) -> bool {
        self.direction.send
    }

    pub(super) fn set_mode(&mut self, mode: LegMode, origin: u64) -> LegMode {
        if let (LegMode::Process(_), Some((_, receiver))) = (&mode, &mut self.telephone_events) {
            // A key that is half heard is the processor's.
            *receiver = EventReceiver::new(self.clock_rate);
        }
        self.processor_origin = origin;
        std::mem::replace(&mut self.mode, mode)
    }

    /// Does what is due at `now`, but for the processor's ticks and the reports.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Result<(), Panicked> {
        self.connect_when_settled(now);
        if self.silence.handle_timeout(now) {
            self.emit(LegEvent::Silent)?;
        }
        if self.absence.handle_timeout(now) {
            self.emit(LegEvent::Gone)?;
        }
        if let Some((_, receiver)) = &mut self.telephone_events {
            receiver.handle_timeout(now);
        }
        self.tell_keys()
    }

    /// When something is due, but for the processor's ticks.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let key = self.telephone_events.as_ref().and_then(|(_, receiver)| receiver.poll_timeout());
        let report = Some(self.rtcp.poll_timeout());
        let peer = [self.latch.poll_timeout(), self.silence.poll_timeout(), self.absence.poll_timeout()];
        peer.into_iter().chain([self.receive_errors.poll_timeout()]).chain([key, report]).flatten().min()
    }

    pub(super) fn emit(&mut self, event: LegEvent) -> Result<(), Panicked> {
        if matches!(event, LegEvent::TelephoneEvent { .. }) {
            self.counted.digits += 1;
        }
        let (id, sink) = (self.id, &mut self.sink);
        guarded(|| sink(id, event))
    }

    pub(super) fn statistics(&self) -> LegStatistics {
        LegStatistics {
            remote: self.latch.remote(),
            latched: self.latch.remote().is_some() && self.latch.has_moved(),
            reception: self.rtcp.reception(),
            rtcp: self.rtcp.statistics(),
            ..self.counted
        }
    }

    /// Counts a packet that this leg received and another one could not send.
    pub(super) fn count_relay_loss(&mut self) {
        self.counted.relay_lost += 1;
    }

    pub(super) fn drop_because(&mut self, reason: Reason) -> Step {
        let dropped = &mut self.counted.dropped;
        let count = match reason {
            Reason::NotRtp => &mut dropped.not_rtp,
            Reason::Rtcp => &mut dropped.rtcp,
            Reason::RtcpRefused => &mut dropped.rtcp_refused,
            Reason::WrongSource => &mut dropped.wrong_source,
            Reason::Idle => &mut dropped.idle,
            Reason::ReceiveOff => &mut dropped.receive_off,
            Reason::SendOff => &mut dropped.send_off,
            Reason::NoDestination => &mut dropped.no_destination,
            Reason::SendFailed => &mut dropped.send_failed,
            Reason::Impaired => &mut dropped.impaired,
        };
        *count += 1;
        Step::Drop(reason)
    }

    fn listen_for_keys(&mut self, now: Instant, packet: &RtpPacket<'_>) -> Result<(), Panicked> {
        match &mut self.telephone_events {
            Some((payload_type, receiver)) if *payload_type == packet.payload_type() => {
                receiver.handle_packet(now, packet);
                self.tell_keys()
            }
            _ => Ok(()),
        }
    }

    fn tell_keys(&mut self) -> Result<(), Panicked> {
        while let Some(event) = self.telephone_events.as_mut().and_then(|(_, receiver)| receiver.poll_event()) {
            if let Some(digit) = event.digit() {
                self.emit(LegEvent::TelephoneEvent { digit, duration: event.duration })?;
            }
        }
        Ok(())
    }

    /// Connects the socket once it is certain where the peer is: the system then finds the way to it once, which makes each
    /// packet cheaper, and keeps strangers away. What came before is still looked at packet by packet.
    fn connect_when_settled(&mut self, now: Instant) {
        if !self.latch.is_settled(now) {
            return;
        }
        let Some(remote) = self.latch.remote().filter(|remote| is_reachable(*remote)) else { return };
        if self.connected == Some(remote) {
            return;
        }
        match self.socket.connect(remote) {
            Ok(()) => self.connected = Some(remote),
            // Packets are sent unconnected then, and each failure is counted.
            Err(error) => tracing::debug!(leg = %self.id, %remote, %error, "RTP socket not connected"),
        }
    }

    /// Makes a connected socket hear everybody again: its port is closed and opened at once. What was waiting in it is lost, at a
    /// moment when the peer moves anyway.
    fn hear_everybody(&mut self, watch: &mio::Registry) -> io::Result<()> {
        watch.deregister(&mut self.socket)?;
        self.connected = None;
        // The port must be closed before it is opened; a socket on a port of the system's choice takes its place meanwhile.
        let placeholder = std::net::UdpSocket::bind(SocketAddr::new(self.local.ip(), 0))?;
        self.socket = UdpSocket::from_std(placeholder);
        self.socket = UdpSocket::from_std(reopen(self.local)?);
        self.receive_errors = ReceiveErrors::default();
        watch.register(&mut self.socket, rtp_token(self.id.key), mio::Interest::READABLE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each call that is relayed holds two.
    #[test]
    fn a_leg_is_small() {
        assert!(size_of::<Leg>() <= 2_304, "{} bytes", size_of::<Leg>());
    }
}

//! The RTCP half of a leg: the socket on the odd port, who is at its other end, and the session.

use std::net::SocketAddr;
use std::time::{Instant, SystemTime};

use mio::net::UdpSocket;

use crate::latch::{LatchPolicy, RtcpLatch};
use crate::packet::RtpPacket;
use crate::rtcp::{RtcpCompound, RtcpSession, RtcpStatistics};
use crate::statistics::{Arrival, Reception};

#[derive(Debug)]
pub(super) struct LegRtcp {
    /// Never connected: a report every few seconds is not worth it, and the peer's port may turn out to be another.
    pub(super) socket: UdpSocket,
    latch: RtcpLatch,
    session: RtcpSession,
    /// Whether the socket may have something to be read. It says so once only.
    pub(super) readable: bool,
}

impl LegRtcp {
    pub(super) fn new(socket: UdpSocket, policy: LatchPolicy, session: RtcpSession) -> Self {
        Self { socket, latch: RtcpLatch::new(policy), session, readable: false }
    }

    /// Takes in where the peer's RTP goes and comes from.
    pub(super) fn follow(&mut self, rtp: Option<SocketAddr>) {
        self.latch.follow(rtp);
    }

    pub(super) fn sent(&mut self, now: Instant, packet: &RtpPacket<'_>) {
        self.session.sent(now, packet);
    }

    pub(super) fn received(&mut self, now: Instant, packet: &RtpPacket<'_>) -> Arrival {
        self.session.received(now, packet)
    }

    /// Takes in a datagram that came to the RTCP port; false if it was not the peer's, or no RTCP.
    pub(super) fn receive(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) -> bool {
        let session = &self.session;
        let speaks_for_the_stream = || {
            let sender = RtcpCompound::parse(datagram).ok().and_then(|compound| compound.sender());
            sender.is_some() && sender == session.peer()
        };
        let taken = self.latch.hear(from, speaks_for_the_stream) && self.session.handle_datagram(now, datagram).is_ok();
        if taken {
            self.latch.settle();
        }
        taken
    }

    /// Sends the report that is due at `now`, if one is and it is known where to; says whether one went.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> bool {
        self.session.handle_timeout(now);
        let Some(remote) = self.latch.remote() else { return false };
        // Takes memory only when a report is due, which is seldom; this is called at each tick of a processor.
        let mut report = Vec::new();
        self.session.poll_transmit(now, SystemTime::now(), &mut report) && self.send(remote, &report)
    }

    pub(super) fn goodbye(&mut self, now: Instant) -> bool {
        let Some(remote) = self.latch.remote() else { return false };
        let mut report = Vec::new();
        self.session.goodbye(now, SystemTime::now(), &mut report) && self.send(remote, &report)
    }

    pub(super) fn poll_timeout(&self) -> Instant {
        self.session.poll_timeout()
    }

    pub(super) fn reception(&self) -> Reception {
        self.session.reception()
    }

    pub(super) fn statistics(&self) -> RtcpStatistics {
        self.session.statistics()
    }

    fn send(&self, remote: SocketAddr, report: &[u8]) -> bool {
        // A report that is lost is made up for by the next one.
        let sent = self.socket.send_to(report, remote);
        if let Err(error) = &sent {
            tracing::trace!(%remote, %error, "RTCP packet not sent");
        }
        sent.is_ok()
    }
}

//! Phones, legs and a way to wait.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use blether_rtp_core::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

pub(crate) const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// So long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future on this thread.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park_timeout(PATIENCE),
        }
    }
}

pub(crate) struct Bench {
    pub(crate) workers: MediaWorkers,
    pub(crate) worker: WorkerHandle,
    pub(crate) ports: PortAllocator,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let workers = MediaWorkers::start_with(1, StdRng::seed_from_u64(1)).unwrap();
        let worker = workers.worker_for_new_call();
        let rng = StdRng::seed_from_u64(2);
        let ports = PortAllocator::with(PortRange::system_chosen(), PortAllocator::QUARANTINE, rng);
        Self { workers, worker, ports }
    }

    pub(crate) fn leg(&self, config: LegConfig, mode: LegMode) -> Leg {
        self.added(|socket, sink| wait(self.worker.add_leg(socket, config, mode, sink)))
    }

    pub(crate) fn leg_bridged_with(&self, other: &Leg, remote: SocketAddr) -> Leg {
        let config = LegConfig { remote: Some(remote), ..LegConfig::default() };
        self.added(|socket, sink| wait(self.worker.add_bridged_leg(socket, config, other.id, sink)))
    }

    fn added(&self, add: impl FnOnce(RtpSocket, EventSink) -> Result<LegId, WorkerError>) -> Leg {
        let (tell, events) = channel();
        let sink = Box::new(move |_, event| {
            // A test that has seen enough does not listen any more.
            let _ = tell.send(event);
        });
        let socket = self.ports.allocate(LOCALHOST).unwrap();
        let address = socket.local_addr();
        Leg { id: add(socket, sink).unwrap(), address, events }
    }

    pub(crate) fn leg_to(&self, remote: SocketAddr) -> Leg {
        self.leg(LegConfig { remote: Some(remote), ..LegConfig::default() }, LegMode::Idle)
    }

    /// Two phones whose legs are bridged.
    pub(crate) fn call(&self) -> (Phone, Leg, Phone, Leg) {
        let (alice, bob) = (Phone::new(), Phone::new());
        let (a, b) = (self.leg_to(alice.address()), self.leg_to(bob.address()));
        wait(self.worker.bridge(a.id, b.id)).unwrap();
        (alice, a, bob, b)
    }

    /// The leg's figures as soon as they are as wanted.
    #[track_caller]
    pub(crate) fn statistics_when(&self, leg: &Leg, wanted: impl Fn(&LegStatistics) -> bool) -> LegStatistics {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let statistics = wait(self.worker.statistics(leg.id)).unwrap();
            if wanted(&statistics) {
                return statistics;
            }
            assert!(Instant::now() < deadline, "still {statistics:?}");
            thread::yield_now();
        }
    }
}

pub(crate) struct Leg {
    pub(crate) id: LegId,
    pub(crate) address: SocketAddr,
    events: Receiver<LegEvent>,
}

impl Leg {
    /// Where its RTCP is.
    pub(crate) fn rtcp_address(&self) -> SocketAddr {
        SocketAddr::new(self.address.ip(), self.address.port() + 1)
    }

    #[track_caller]
    pub(crate) fn event(&self) -> LegEvent {
        self.events.recv_timeout(PATIENCE).unwrap()
    }

    pub(crate) fn events_so_far(&self) -> Vec<LegEvent> {
        self.events.try_iter().collect()
    }
}

pub(crate) struct Phone {
    pub(crate) socket: UdpSocket,
    /// On the next port, where legs send their reports.
    pub(crate) rtcp: UdpSocket,
    pub(crate) ssrc: Ssrc,
}

/// What a phone heard.
#[derive(Debug, PartialEq, Eq, Clone)]
pub(crate) struct Heard {
    pub(crate) header: RtpHeader,
    pub(crate) payload: Vec<u8>,
    pub(crate) from: SocketAddr,
}

impl Phone {
    pub(crate) fn new() -> Self {
        let (socket, rtcp) = loop {
            let socket = UdpSocket::bind((LOCALHOST, 0)).unwrap();
            let Some(next) = socket.local_addr().unwrap().port().checked_add(1) else { continue };
            if let Ok(rtcp) = UdpSocket::bind((LOCALHOST, next)) {
                break (socket, rtcp);
            }
        };
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        rtcp.set_read_timeout(Some(PATIENCE)).unwrap();
        let ssrc = Ssrc(u32::from(socket.local_addr().unwrap().port()));
        Self { socket, rtcp, ssrc }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    /// Sends packet number `sequence` of a stream of 20 ms packets.
    pub(crate) fn say(&self, to: &Leg, sequence: u16, payload: &[u8]) {
        let header = RtpHeader {
            payload_type: 8,
            sequence: SequenceNumber(sequence),
            timestamp: RtpTimestamp(u32::from(sequence) * 160),
            ssrc: self.ssrc,
            marker: false,
        };
        self.send(to, header, payload);
    }

    pub(crate) fn send(&self, to: &Leg, header: RtpHeader, payload: &[u8]) {
        let mut datagram = Vec::new();
        header.write(&mut datagram);
        datagram.extend_from_slice(payload);
        self.send_raw(to, &datagram);
    }

    pub(crate) fn send_raw(&self, to: &Leg, datagram: &[u8]) {
        self.socket.send_to(datagram, to.address).unwrap();
    }

    #[track_caller]
    pub(crate) fn hear(&self) -> Heard {
        let mut buffer = [0; 2_048];
        let (len, from) = self.socket.recv_from(&mut buffer).expect("nothing was heard");
        let packet = RtpPacket::parse(&buffer[..len]).unwrap();
        Heard { header: packet.header(), payload: packet.payload().to_vec(), from }
    }

    /// The next compound packet, and where it came from.
    #[track_caller]
    pub(crate) fn hear_report(&self) -> (Vec<u8>, SocketAddr) {
        let mut buffer = [0; 2_048];
        let (len, from) = self.rtcp.recv_from(&mut buffer).expect("no report came");
        (buffer[..len].to_vec(), from)
    }

    /// Whether anything is there to be heard.
    pub(crate) fn hears_nothing(&self) -> bool {
        self.socket.set_nonblocking(true).unwrap();
        let nothing = self.socket.recv_from(&mut [0; 16]).is_err();
        self.socket.set_nonblocking(false).unwrap();
        nothing
    }
}

//! An end of an RTP stream that the test itself holds: SIPp does the signalling and names this port in its SDP (`{{audio_port}}`), so that what
//! really crosses the wire can be looked at.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use super::ports::{free_ports, loopback};
use super::sound::{from_pcmu, to_pcmu};

const FRAME: usize = 160;
const FRAME_TIME: Duration = Duration::from_millis(20);

/// A bound RTP socket. It speaks PCMU (payload type 0) in packets of 20 ms.
#[derive(Debug)]
pub(crate) struct RtpEnd {
    socket: UdpSocket,
    ssrc: u32,
}

/// What has arrived at an [`RtpEnd`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Arrived {
    /// Packets of PCMU.
    pub(crate) packets: usize,
    /// Their sound, in order of arrival.
    pub(crate) samples: Vec<i16>,
    /// Their synchronisation sources (RFC 3550 section 3): one, if all of it is one stream.
    pub(crate) sources: BTreeSet<u32>,
    /// How many sequence numbers did not follow the one before.
    pub(crate) gaps: usize,
    /// Where they came from.
    pub(crate) from: BTreeSet<SocketAddr>,
    /// Payload types of the packets that are no PCMU.
    pub(crate) other_payload_types: BTreeSet<u8>,
    /// Datagrams that are no RTP of version 2.
    pub(crate) not_rtp: usize,
    last_sequence_number: Option<u16>,
}

impl RtpEnd {
    /// Takes a free even port; `ssrc` marks what it sends.
    pub(crate) fn open(ssrc: u32) -> Self {
        let socket = UdpSocket::bind(loopback(free_ports(2, 2))).expect("the port was free a moment ago");
        Self { socket, ssrc }
    }

    pub(crate) fn port(&self) -> u16 {
        self.socket.local_addr().expect("it is bound").port()
    }

    /// Plays to an address in real time, and collects what arrives meanwhile and after: as much as was played, or what comes within a second.
    pub(crate) fn play(&self, samples: &[i16], to: SocketAddr) -> Arrived {
        let mut arrived = Arrived::default();
        let mut due = Instant::now();
        for (index, frame) in samples.chunks_exact(FRAME).enumerate() {
            self.collect_until(due, &mut arrived);
            let mut packet = vec![0x80, if index == 0 { 0x80 } else { 0 }];
            packet.extend((index as u16).to_be_bytes());
            packet.extend(((index * FRAME) as u32).to_be_bytes());
            packet.extend(self.ssrc.to_be_bytes());
            packet.extend(frame.iter().map(|sample| to_pcmu(*sample)));
            // Nobody may listen there yet, or no more: what counts is what comes back.
            let _ = self.socket.send_to(&packet, to);
            due += FRAME_TIME;
        }
        let (all, deadline) = (samples.len() / FRAME, due + Duration::from_secs(1));
        while arrived.packets < all && self.collect_one(deadline, &mut arrived) {}
        arrived
    }

    /// Only listens: until it has heard so much sound, or `patience` is over.
    pub(crate) fn listen(&self, length: Duration, patience: Duration) -> Arrived {
        let wanted = (length.as_millis() / FRAME_TIME.as_millis()) as usize;
        let deadline = Instant::now() + patience;
        let mut arrived = Arrived::default();
        while arrived.packets < wanted && self.collect_one(deadline, &mut arrived) {}
        arrived
    }

    fn collect_until(&self, deadline: Instant, arrived: &mut Arrived) {
        while self.collect_one(deadline, arrived) {}
    }

    /// Waits for one datagram; false when the deadline came first.
    fn collect_one(&self, deadline: Instant, arrived: &mut Arrived) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        self.socket.set_read_timeout(Some(left)).expect("the time is not zero");
        let mut datagram = [0; 2_048];
        match self.socket.recv_from(&mut datagram) {
            Ok((length, from)) => arrived.take(&datagram[..length], from),
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::ConnectionRefused
                ) => {}
            Err(error) => panic!("listening for RTP: {error}"),
        }
        true
    }
}

impl Arrived {
    fn take(&mut self, datagram: &[u8], from: SocketAddr) {
        let [first, second, high, low, _, _, _, _, a, b, c, d, payload @ ..] = datagram else {
            self.not_rtp += 1;
            return;
        };
        if *first != 0x80 {
            self.not_rtp += 1;
            return;
        }
        let sequence_number = u16::from_be_bytes([*high, *low]);
        if self.last_sequence_number.is_some_and(|last| last.wrapping_add(1) != sequence_number) {
            self.gaps += 1;
        }
        self.last_sequence_number = Some(sequence_number);
        self.sources.insert(u32::from_be_bytes([*a, *b, *c, *d]));
        self.from.insert(from);
        match second & 0x7f {
            0 => {
                self.packets += 1;
                self.samples.extend(payload.iter().map(|byte| from_pcmu(*byte)));
            }
            other => {
                self.other_payload_types.insert(other);
            }
        }
    }
}

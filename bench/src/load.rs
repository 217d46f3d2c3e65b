//! A load generator over one UDP socket: operations begun at a steady rate, requests sent again as RFC 3261 §17.1 has it, and what
//! went wrong counted.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use blether_sip_core::{Host, Limits, Message, Request, Via};
use bytes::Bytes;

/// RFC 3261's T1.
const T1: Duration = Duration::from_millis(500);

/// What has had no answer for so long has failed; on loopback, nothing takes so long.
const PATIENCE: Duration = Duration::from_secs(4);

/// How long the last operations may take to end.
const GRACE: Duration = Duration::from_secs(10);

/// How long the generator may sleep over an operation that is due.
const NAP: Duration = Duration::from_millis(1);

/// What became of the operations.
#[derive(Clone, Copy, Default)]
pub(crate) struct Outcome {
    pub(crate) done: u64,
    pub(crate) failed: u64,
    /// Requests that had to be sent again.
    pub(crate) resent: u64,
}

/// One kind of load.
pub(crate) trait Load {
    /// Begins an operation; `false` when it cannot before another has ended.
    fn begin(&mut self, wire: &mut Wire) -> anyhow::Result<bool>;

    /// Takes in a message: a response to a request that waited for it, or a request. Says how many operations have been
    /// done and have failed by it.
    fn receive(&mut self, wire: &mut Wire, message: Message) -> anyhow::Result<(u64, u64)>;
}

/// The socket, and what was sent over it and waits for an answer.
pub(crate) struct Wire {
    socket: UdpSocket,
    pub(crate) local: SocketAddr,
    pub(crate) server: SocketAddr,
    waiting: HashMap<String, Waiting>,
    branches: u64,
    resent: u64,
    buffer: Vec<u8>,
}

struct Waiting {
    datagram: Bytes,
    since: Instant,
    again: Instant,
    interval: Duration,
}

impl Wire {
    pub(crate) fn to(server: SocketAddr) -> anyhow::Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(server)?;
        socket.set_read_timeout(Some(NAP))?;
        let local = socket.local_addr()?;
        Ok(Self { socket, local, server, waiting: HashMap::new(), branches: 0, resent: 0, buffer: vec![0; 65_535] })
    }

    /// Sends a request as a new transaction, again and again until it is answered.
    pub(crate) fn request(&mut self, mut request: Request) -> anyhow::Result<()> {
        let branch = self.push_via(&mut request);
        self.send_until_answered(branch, request.to_bytes())
    }

    /// Sends a request, an ACK, that nobody answers.
    pub(crate) fn acknowledge(&mut self, mut ack: Request) -> anyhow::Result<()> {
        self.push_via(&mut ack);
        self.send(&ack.to_bytes())
    }

    fn push_via(&mut self, request: &mut Request) -> String {
        self.branches += 1;
        let branch = format!("z9hG4bK-bench-{}", self.branches);
        let mut via = Via::new("UDP", Host::from(self.local.ip()), Some(self.local.port()), &branch);
        via.set_rport(None);
        request.push_via(via);
        branch
    }

    /// Sends a datagram, again and again until [`Self::answered`] is told of `key`.
    pub(crate) fn send_until_answered(&mut self, key: String, datagram: Bytes) -> anyhow::Result<()> {
        self.send(&datagram)?;
        let now = Instant::now();
        self.waiting.insert(key, Waiting { datagram, since: now, again: now + T1, interval: T1 });
        Ok(())
    }

    /// Ends the resending of what waits under `key`; whether something did.
    pub(crate) fn answered(&mut self, key: &str) -> bool {
        self.waiting.remove(key).is_some()
    }

    pub(crate) fn send(&self, datagram: &[u8]) -> anyhow::Result<()> {
        self.socket.send(datagram)?;
        Ok(())
    }

    /// The next message that means something: a request, or the final response that a request of ours waited for.
    fn receive(&mut self) -> anyhow::Result<Option<Message>> {
        let length = match self.socket.recv(&mut self.buffer) {
            Ok(length) => length,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let datagram = Bytes::copy_from_slice(self.buffer.get(..length).unwrap_or_default());
        let message = Message::parse(datagram, &Limits::default())?;
        let Message::Response(response) = &message else { return Ok(Some(message)) };
        let branch = response.via().branch().unwrap_or_default();
        if !response.status().is_final() {
            // It has come through; what remains is to wait (RFC 3261 §17.1.1.2).
            if let Some(waiting) = self.waiting.get_mut(branch) {
                waiting.again = waiting.since + PATIENCE;
            }
            return Ok(None);
        }
        Ok(self.answered(branch).then_some(message))
    }

    /// Sends again what is due, and gives up what has waited too long; says how many that were.
    fn resend(&mut self, now: Instant) -> anyhow::Result<u64> {
        let before = self.waiting.len();
        self.waiting.retain(|_, waiting| now < waiting.since + PATIENCE);
        for waiting in self.waiting.values_mut().filter(|waiting| waiting.again <= now) {
            self.socket.send(&waiting.datagram)?;
            self.resent += 1;
            waiting.interval *= 2;
            waiting.again = now + waiting.interval;
        }
        Ok((before - self.waiting.len()) as u64)
    }
}

/// Begins `rate` operations a second for a time, or until `most` were begun, and waits until each has come to its end. What could not
/// be begun when it was due is begun later, and has failed if that is not possible within [`GRACE`].
pub(crate) fn drive(
    load: &mut impl Load,
    wire: &mut Wire,
    time: Duration,
    rate: u32,
    most: u64,
) -> anyhow::Result<Outcome> {
    let (started, gap) = (Instant::now(), Duration::from_secs(1) / rate);
    let end = started + time;
    let (mut begun, mut outcome, resent_before) = (0, Outcome::default(), wire.resent);
    let mut next = started;
    loop {
        let now = Instant::now();
        while next <= now && next < end && begun < most && load.begin(wire)? {
            begun += 1;
            next += gap;
        }
        outcome.failed += wire.resend(now)?;
        outcome.resent = wire.resent - resent_before;
        let all_begun = begun >= most || next >= end;
        if all_begun && outcome.done + outcome.failed >= begun {
            return Ok(outcome);
        }
        if now > end + GRACE {
            let due = most.min(time.as_nanos().div_ceil(gap.as_nanos()) as u64);
            outcome.failed = due.saturating_sub(outcome.done);
            return Ok(outcome);
        }
        if let Some(message) = wire.receive()? {
            let (done, failed) = load.receive(wire, message)?;
            outcome.done += done;
            outcome.failed += failed;
        }
    }
}

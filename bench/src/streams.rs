//! RTP streams between the ends of calls: one thread sends, one receives, and each packet says in its payload which stream it is of and
//! when it was sent.

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use blether_rtp_core::{RtpHeader, RtpTimestamp, SequenceNumber, Ssrc};
use mio::{Events, Interest, Poll, Token};

/// A packet of each stream is sent every 20 ms, as G.711 is.
const FRAME: Duration = Duration::from_millis(20);

/// Streams do not send at the same moment: each has its place in one of so many slices of a frame.
const SLICES: usize = 40;

/// How long the last packets may take to come through.
const DRAIN: Duration = Duration::from_millis(200);

/// G.711: 160 samples in 20 ms.
const PAYLOAD: usize = 160;

/// An RTP header without extensions.
const HEADER: usize = 12;

/// Both ends of every call: each sends a stream, and hears the other's.
pub(crate) struct Streams {
    ears: Arc<Vec<mio::net::UdpSocket>>,
    poll: Option<Poll>,
    frames: u32,
    epoch: Instant,
}

impl Streams {
    /// Over connected sockets.
    pub(crate) fn over(ears: Vec<UdpSocket>) -> anyhow::Result<Self> {
        let poll = Poll::new()?;
        let mut watched = Vec::with_capacity(ears.len());
        for (number, ear) in ears.into_iter().enumerate() {
            ear.set_nonblocking(true)?;
            let mut ear = mio::net::UdpSocket::from_std(ear);
            poll.registry().register(&mut ear, Token(number), Interest::READABLE)?;
            watched.push(ear);
        }
        Ok(Self { ears: Arc::new(watched), poll: Some(poll), frames: 0, epoch: Instant::now() })
    }

    /// Sends every stream for a time, and says what was heard of it.
    pub(crate) fn run(&mut self, time: Duration) -> anyhow::Result<Heard> {
        let over = Arc::new(AtomicBool::new(false));
        let poll = self.poll.take().context("an earlier run failed")?;
        let receiver = {
            let (ears, over, epoch, first) = (self.ears.clone(), over.clone(), self.epoch, self.frames);
            thread::Builder::new()
                .name("receiver".to_owned())
                .spawn(move || receive(poll, &ears, epoch, first, &over))?
        };
        let sent = self.send_all(time);
        thread::sleep(DRAIN);
        over.store(true, Ordering::Relaxed);
        let received = receiver.join().map_err(|_| anyhow::anyhow!("the receiver panicked"))?;
        let (poll, received, delays) = received?;
        self.poll = Some(poll);
        Ok(Heard::new(sent?, received, delays))
    }

    /// How many packets each stream has sent.
    fn send_all(&mut self, time: Duration) -> anyhow::Result<Vec<u64>> {
        let mut sent = vec![0; self.ears.len()];
        let (mut due, slice) = (Instant::now(), FRAME / SLICES as u32);
        let end = due + time;
        while due < end {
            for place in 0..SLICES {
                thread::sleep(due.saturating_duration_since(Instant::now()));
                due += slice;
                self.send(place, &mut sent)?;
            }
            self.frames += 1;
        }
        Ok(sent)
    }

    /// Sends the next packet of the streams that have their place in this slice.
    fn send(&self, place: usize, sent: &mut [u64]) -> anyhow::Result<()> {
        let mut packet = Vec::with_capacity(HEADER + PAYLOAD);
        for ((number, ear), sent) in self.ears.iter().enumerate().zip(sent).skip(place).step_by(SLICES) {
            packet.clear();
            let header = RtpHeader {
                marker: self.frames == 0,
                payload_type: 0,
                sequence: SequenceNumber(self.frames as u16),
                timestamp: RtpTimestamp(self.frames.wrapping_mul(PAYLOAD as u32)),
                ssrc: Ssrc(number as u32 + 1),
            };
            header.write(&mut packet);
            packet.extend_from_slice(&(number as u32).to_be_bytes());
            packet.extend_from_slice(&self.frames.to_be_bytes());
            packet.extend_from_slice(&(self.epoch.elapsed().as_nanos() as u64).to_be_bytes());
            packet.resize(HEADER + PAYLOAD, 0xd5);
            ear.send(&packet)?;
            *sent += 1;
        }
        Ok(())
    }
}

type Received = (Poll, Vec<u64>, Vec<u32>);

/// Counts, until it is over, what comes of each stream from its frame `first` on, and how many nanoseconds each packet took.
fn receive(
    mut poll: Poll,
    ears: &[mio::net::UdpSocket],
    epoch: Instant,
    first: u32,
    over: &AtomicBool,
) -> anyhow::Result<Received> {
    let (mut events, mut buffer) = (Events::with_capacity(1_024), [0; 2_048]);
    let (mut received, mut delays) = (vec![0; ears.len()], Vec::new());
    while !over.load(Ordering::Relaxed) {
        match poll.poll(&mut events, Some(DRAIN / 4)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            polled => polled?,
        }
        for event in &events {
            let Some(ear) = ears.get(event.token().0) else { continue };
            loop {
                match ear.recv(&mut buffer) {
                    Ok(length) => {
                        let now = epoch.elapsed();
                        let packet = buffer.get(..length).unwrap_or_default();
                        let Some((stream, frame, at)) = stamp(packet) else { continue };
                        let Some(count) = received.get_mut(stream).filter(|_| frame >= first) else { continue };
                        *count += 1;
                        let delay = now.saturating_sub(Duration::from_nanos(at));
                        delays.push(u32::try_from(delay.as_nanos()).unwrap_or(u32::MAX));
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
    Ok((poll, received, delays))
}

/// The stream, the frame and the nanosecond that a packet was sent with; `None` for what is no packet of ours.
fn stamp(packet: &[u8]) -> Option<(usize, u32, u64)> {
    let (stream, rest) = packet.get(HEADER..)?.split_first_chunk()?;
    let (frame, rest) = rest.split_first_chunk()?;
    let (at, _) = rest.split_first_chunk()?;
    Some((u32::from_be_bytes(*stream) as usize, u32::from_be_bytes(*frame), u64::from_be_bytes(*at)))
}

/// What came of a run: by stream, what was sent and what was received.
pub(crate) struct Heard {
    sent: Vec<u64>,
    received: Vec<u64>,
    /// Nanoseconds, in order of length.
    delays: Vec<u32>,
}

impl Heard {
    fn new(sent: Vec<u64>, received: Vec<u64>, mut delays: Vec<u32>) -> Self {
        delays.sort_unstable();
        Self { sent, received, delays }
    }

    pub(crate) fn sent(&self) -> u64 {
        self.sent.iter().sum()
    }

    pub(crate) fn received(&self) -> u64 {
        self.received.iter().sum()
    }

    /// Packets that did not come, stream by stream: a stray one makes up for none.
    pub(crate) fn lost(&self) -> u64 {
        self.sent.iter().zip(&self.received).map(|(sent, received)| sent.saturating_sub(*received)).sum()
    }

    /// Streams of which every packet came once.
    pub(crate) fn lossless(&self) -> usize {
        self.sent.iter().zip(&self.received).filter(|(sent, received)| sent == received).count()
    }

    /// The delay, in µs, that this share of the packets did not exceed.
    pub(crate) fn delay(&self, share: f64) -> f64 {
        let place = (self.delays.len() as f64 * share).ceil() as usize;
        self.delays.get(place.saturating_sub(1)).map_or(f64::NAN, |nanoseconds| f64::from(*nanoseconds) / 1_000.0)
    }
}

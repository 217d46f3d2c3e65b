//! What an RTP packet through a call costs: all of it, the rewriting, the latch and the statistics are as in any call.

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use blether_rtp_core::{RtpHeader, RtpTimestamp, SequenceNumber, Ssrc};

use crate::calls::Calls;
use crate::load::{Wire, drive};
use crate::report::Report;
use crate::server::{Server, Stopwatch};

/// A packet of each stream is sent every 20 ms, as G.711 is.
const FRAME: Duration = Duration::from_millis(20);

/// Streams do not send at the same moment: each has its place in one of so many slices of a frame.
const SLICES: usize = 20;

/// Until the last packets have come through.
const DRAIN: Duration = Duration::from_millis(200);

/// G.711: 160 samples in 20 ms.
const PAYLOAD: [u8; 160] = [0xd5; 160];

pub(crate) fn run(time: Duration, calls: u32) -> anyhow::Result<Report> {
    let mut report = Report::default();
    let server = Server::start(&mut report)?;
    let mut wire = Wire::to(server.address)?;
    let mut load = Calls::between_registered_phones(&mut wire)?;
    load.ears = Some(Vec::new());
    let outcome = drive(&mut load, &mut wire, Duration::from_secs(600), 100, u64::from(calls))?;
    ensure!(outcome.failed == 0, "{} of {calls} calls could not be set up", outcome.failed);
    let mut streams = Streams::over(load.ears.take().context("calls with sound have sockets")?)?;

    // The first packets of a stream are those that latch it.
    streams.run(FRAME * 10)?;
    let (sent, received) = (streams.sent, streams.received);
    let watch = Stopwatch::start(&server)?;
    streams.run(time)?;
    let (sent, received) = (streams.sent - sent, streams.received - received);
    watch.report(&server, "relay.packet", received, "µs/packet", None, &mut report)?;
    report.share("relay.packet.lost", sent.saturating_sub(received), sent);
    report.note(format!("{calls} calls, {} streams of 172 bytes every 20 ms, {sent} packets.", streams.ears.len()));
    Ok(report)
}

/// Both ends of every call: each sends a stream, and hears the other's.
struct Streams {
    ears: Vec<UdpSocket>,
    frames: u32,
    sent: u64,
    received: u64,
}

impl Streams {
    fn over(ears: Vec<UdpSocket>) -> anyhow::Result<Self> {
        for ear in &ears {
            ear.set_nonblocking(true)?;
        }
        Ok(Self { ears, frames: 0, sent: 0, received: 0 })
    }

    fn run(&mut self, time: Duration) -> anyhow::Result<()> {
        let (started, slice) = (Instant::now(), FRAME / SLICES as u32);
        let mut due = started;
        while due < started + time {
            for place in 0..SLICES {
                thread::sleep(due.saturating_duration_since(Instant::now()));
                due += slice;
                self.send(place)?;
                self.receive()?;
            }
            self.frames += 1;
        }
        let drained = Instant::now() + DRAIN;
        while Instant::now() < drained {
            thread::sleep(slice);
            self.receive()?;
        }
        Ok(())
    }

    /// Sends the next packet of the streams that have their place in this slice.
    fn send(&mut self, place: usize) -> anyhow::Result<()> {
        let mut packet = Vec::with_capacity(12 + PAYLOAD.len());
        for (number, ear) in self.ears.iter().enumerate().skip(place).step_by(SLICES) {
            packet.clear();
            let header = RtpHeader {
                marker: self.frames == 0,
                payload_type: 0,
                sequence: SequenceNumber(self.frames as u16),
                timestamp: RtpTimestamp(self.frames.wrapping_mul(PAYLOAD.len() as u32)),
                ssrc: Ssrc(number as u32),
            };
            header.write(&mut packet);
            packet.extend_from_slice(&PAYLOAD);
            ear.send(&packet)?;
            self.sent += 1;
        }
        Ok(())
    }

    fn receive(&mut self) -> anyhow::Result<()> {
        let mut buffer = [0; 2_048];
        for ear in &self.ears {
            loop {
                match ear.recv(&mut buffer) {
                    Ok(_) => self.received += 1,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }
}

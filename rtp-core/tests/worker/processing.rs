use std::collections::VecDeque;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use blether_rtp_core::*;

use crate::bench::{Bench, PATIENCE, Phone, wait};

/// Sends back what it hears.
#[derive(Default)]
pub(crate) struct Echo {
    waiting: VecDeque<Vec<u8>>,
}

impl LegProcessor for Echo {
    fn handle_packet(&mut self, _now: Instant, packet: RtpPacket<'_>) {
        self.waiting.push_back(packet.as_bytes().to_vec());
    }
    fn poll_transmit(&mut self, out: &mut Vec<u8>) -> bool {
        assert!(out.is_empty());
        self.waiting.pop_front().map(|datagram| out.extend_from_slice(&datagram)).is_some()
    }
    fn poll_event(&mut self) -> Option<LegEvent> {
        None
    }
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
    fn handle_timeout(&mut self, _now: Instant) {}
}

/// Sends a packet a tick, says when it was called, and is finished after some ticks.
pub(crate) struct Ticker {
    next: Instant,
    left: u16,
    sent: u16,
    called: Sender<Instant>,
    owed: bool,
    finished: bool,
}

const TICK: Duration = Duration::from_millis(2);

impl Ticker {
    pub(crate) fn new(ticks: u16, called: Sender<Instant>) -> Self {
        Self { next: Instant::now() + TICK, left: ticks, sent: 0, called, owed: false, finished: false }
    }
}

impl LegProcessor for Ticker {
    fn handle_packet(&mut self, _now: Instant, _packet: RtpPacket<'_>) {}
    fn poll_transmit(&mut self, out: &mut Vec<u8>) -> bool {
        if !std::mem::take(&mut self.owed) {
            return false;
        }
        self.sent += 1;
        RtpHeader { sequence: SequenceNumber(self.sent), ..RtpHeader::default() }.write(out);
        true
    }
    fn poll_event(&mut self) -> Option<LegEvent> {
        std::mem::take(&mut self.finished).then_some(LegEvent::Finished)
    }
    fn poll_timeout(&self) -> Option<Instant> {
        (self.left > 0).then_some(self.next)
    }
    fn handle_timeout(&mut self, now: Instant) {
        assert!(self.next <= now, "called before its time");
        self.next += TICK;
        self.left -= 1;
        self.owed = true;
        self.finished = self.left == 0;
        self.called.send(now).unwrap();
    }
}

#[test]
fn a_processor_hears_and_speaks() {
    let bench = Bench::new();
    let alice = Phone::new();
    let config = LegConfig { remote: Some(alice.address()), ..LegConfig::default() };
    let leg = bench.leg(config, LegMode::Process(Box::<Echo>::default()));
    for n in 0..3 {
        alice.say(&leg, n, &[n as u8; 160]);
    }
    let heard: Vec<_> = (0..3).map(|_| alice.hear()).collect();
    for (n, packet) in heard.iter().enumerate() {
        assert_eq!(packet.payload, [n as u8; 160]);
        assert_ne!(packet.header.ssrc, alice.ssrc);
        assert_eq!(packet.header.sequence, heard[0].header.sequence.plus(n as u16));
    }
}

#[test]
fn packets_that_came_before_the_leg_are_served_too() {
    let bench = Bench::new();
    let alice = Phone::new();
    let socket = bench.ports.allocate(crate::bench::LOCALHOST).unwrap();
    let early = [0x80, 8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 42];
    alice.socket.send_to(&early, socket.local_addr()).unwrap();
    let config = LegConfig { remote: Some(alice.address()), ..LegConfig::default() };
    let mode = LegMode::Process(Box::<Echo>::default());
    wait(bench.worker.add_leg(socket, config, mode, Box::new(|_, _| {}))).unwrap();
    assert_eq!(alice.hear().payload, [42]);
}

#[test]
fn ticks_come_from_the_processors_own_timeout() {
    let bench = Bench::new();
    let alice = Phone::new();
    let config = LegConfig { remote: Some(alice.address()), ..LegConfig::default() };
    let (called, calls) = channel();
    let leg = bench.leg(config, LegMode::Process(Box::new(Ticker::new(10, called))));
    let first = alice.hear();
    for n in 1..10 {
        assert_eq!(alice.hear().header.sequence, first.header.sequence.plus(n));
    }
    assert_eq!(leg.event(), LegEvent::Finished);
    assert_eq!(calls.iter().take(10).count(), 10);
}

#[test]
fn a_late_processor_catches_up_in_bounded_steps() {
    let bench = Bench::new();
    let (called, calls) = channel();
    let Some(past) = Instant::now().checked_sub(TICK * 23) else { return };
    let ticker = Ticker { next: past, ..Ticker::new(30, called) };
    let leg = bench.leg(LegConfig::default(), LegMode::Process(Box::new(ticker)));
    let mut times = Vec::new();
    while times.len() < 30 {
        times.push(calls.recv_timeout(PATIENCE).unwrap());
    }
    // Calls of one turn bear one time.
    let turns: Vec<_> = times.chunk_by(|a, b| a == b).map(<[_]>::len).collect();
    assert!(turns.iter().all(|ticks| *ticks <= 5), "{turns:?}");
    assert_eq!(leg.event(), LegEvent::Finished);
}

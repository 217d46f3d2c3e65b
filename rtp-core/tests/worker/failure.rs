use std::time::Instant;

use blether_rtp_core::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::bench::{Bench, LOCALHOST, Phone, wait};
use crate::processing::Echo;

/// Panics in one of its calls, once there is a packet.
struct Panicking {
    place: Place,
    heard: Option<Instant>,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Place {
    Packet,
    Transmit,
    Event,
    Timeout,
    Tick,
    Drop,
}

impl Panicking {
    fn check(&self, place: Place) {
        assert!(!(self.heard.is_some() && self.place == place), "a test wants this panic in {place:?}");
    }
}

impl LegProcessor for Panicking {
    fn handle_packet(&mut self, now: Instant, _packet: RtpPacket<'_>) {
        self.heard = Some(now);
        self.check(Place::Packet);
    }
    fn poll_transmit(&mut self, _out: &mut Vec<u8>) -> bool {
        self.check(Place::Transmit);
        false
    }
    fn poll_event(&mut self) -> Option<LegEvent> {
        self.check(Place::Event);
        None
    }
    fn poll_timeout(&self) -> Option<Instant> {
        self.check(Place::Timeout);
        self.heard
    }
    fn handle_timeout(&mut self, _now: Instant) {
        self.check(Place::Tick);
    }
}

impl Drop for Panicking {
    fn drop(&mut self) {
        self.check(Place::Drop);
    }
}

#[test]
fn a_panicking_processor_ends_its_leg_and_touches_no_other() {
    let bench = Bench::new();
    let (alice, a, bob, _b) = bench.call();
    for place in [Place::Packet, Place::Transmit, Place::Event, Place::Timeout, Place::Tick] {
        let caller = Phone::new();
        let config = LegConfig { remote: Some(caller.address()), ..LegConfig::default() };
        let in_use = bench.ports.in_use();
        let leg = bench.leg(config, LegMode::Process(Box::new(Panicking { place, heard: None })));
        caller.say(&leg, 1, b"");
        assert_eq!(leg.event(), LegEvent::ProcessorPanicked, "{place:?}");
        // The others go on.
        alice.say(&a, 1, b"still here");
        assert_eq!(bob.hear().payload, b"still here");
        // The port has gone back, the figures can be fetched once.
        assert_eq!(bench.ports.in_use(), in_use);
        assert_eq!(wait(bench.worker.set_mode(leg.id, LegMode::Idle)), Err(WorkerError::UnknownLeg));
        assert_eq!(wait(bench.worker.statistics(leg.id)).unwrap().received_packets, 1);
        assert_eq!(wait(bench.worker.remove_leg(leg.id)).unwrap().received_packets, 1);
        assert_eq!(wait(bench.worker.remove_leg(leg.id)), Err(WorkerError::UnknownLeg));
        assert_eq!(bench.worker.legs(), 2);
    }
}

#[test]
fn a_processor_that_panics_when_it_is_dropped_does_not_stop_the_worker() {
    let bench = Bench::new();
    let (alice, a, bob, _b) = bench.call();
    let doomed = || LegMode::Process(Box::new(Panicking { place: Place::Drop, heard: Some(Instant::now()) }));
    let leg = bench.leg(LegConfig::default(), doomed());
    wait(bench.worker.set_mode(leg.id, LegMode::Idle)).unwrap();
    wait(bench.worker.set_mode(leg.id, doomed())).unwrap();
    wait(bench.worker.remove_leg(leg.id)).unwrap();
    // A refused command drops the processor too.
    assert_eq!(wait(bench.worker.set_mode(leg.id, doomed())), Err(WorkerError::UnknownLeg));
    alice.say(&a, 1, b"still here");
    assert_eq!(bob.hear().payload, b"still here");
}

#[test]
fn a_panicking_event_sink_ends_its_leg_and_touches_no_other() {
    let bench = Bench::new();
    let (alice, a, bob, _b) = bench.call();
    let caller = Phone::new();
    let socket = bench.ports.allocate(LOCALHOST).unwrap();
    let address = socket.local_addr();
    let sink = Box::new(|_, _| panic!("a test wants this panic in an event sink"));
    let config = LegConfig { remote: Some(Phone::new().address()), ..LegConfig::default() };
    let leg = wait(bench.worker.add_leg(socket, config, LegMode::Idle, sink)).unwrap();
    for n in 1..3 {
        caller.socket.send_to(&[0x80, 8, 0, n, 0, 0, 0, 0, 0, 0, 0, 1], address).unwrap();
    }
    // Latching is the event that it does not survive.
    while wait(bench.worker.set_mode(leg, LegMode::Idle)).is_ok() {}
    alice.say(&a, 1, b"still here");
    assert_eq!(bob.hear().payload, b"still here");
    assert!(wait(bench.worker.remove_leg(leg)).is_ok());
}

#[test]
fn the_id_of_a_leg_that_is_gone_names_no_other() {
    let bench = Bench::new();
    let gone = bench.leg(LegConfig::default(), LegMode::Idle);
    wait(bench.worker.remove_leg(gone.id)).unwrap();
    let leg = bench.leg(LegConfig::default(), LegMode::Idle);
    assert_ne!(leg.id, gone.id);
    let unknown = WorkerError::UnknownLeg;
    assert_eq!(wait(bench.worker.statistics(gone.id)), Err(unknown));
    assert_eq!(wait(bench.worker.set_direction(gone.id, MediaDirection::INACTIVE)), Err(unknown));
    assert_eq!(wait(bench.worker.remove_leg(gone.id)), Err(unknown));
    assert_eq!(wait(bench.worker.bridge(leg.id, gone.id)), Err(unknown));
    assert_eq!(wait(bench.worker.bridge(gone.id, leg.id)), Err(unknown));
    assert_eq!(wait(bench.worker.set_mode(leg.id, LegMode::Relay { to: gone.id })), Err(unknown));
    bench.worker.remove_leg_detached(gone.id);
    assert!(wait(bench.worker.statistics(leg.id)).is_ok());
}

#[test]
fn a_leg_belongs_to_one_worker_and_calls_are_spread() {
    let workers = MediaWorkers::start_with(2, StdRng::seed_from_u64(1)).unwrap();
    let bench = Bench::new();
    let add = |worker: &WorkerHandle| {
        let socket = bench.ports.allocate(LOCALHOST).unwrap();
        wait(worker.add_leg(socket, LegConfig::default(), LegMode::Idle, Box::new(|_, _| {}))).unwrap()
    };
    let first = workers.worker_for_new_call();
    let leg = add(&first);
    let second = workers.worker_for_new_call();
    let other = add(&second);
    assert_eq!((first.legs(), second.legs(), workers.legs()), (1, 1, 2));
    assert_eq!(wait(second.statistics(leg)), Err(WorkerError::UnknownLeg));
    assert_eq!(wait(first.bridge(leg, other)), Err(WorkerError::UnknownLeg));
}

#[test]
fn dropping_the_workers_ends_their_legs_and_gives_their_ports_back() {
    let bench = Bench::new();
    let (_alice, a, _bob, _b) = bench.call();
    let leg = bench.leg(LegConfig::default(), LegMode::Process(Box::<Echo>::default()));
    assert_eq!(bench.ports.in_use(), 3);
    let Bench { workers, worker, ports } = bench;
    drop(workers);
    assert_eq!(ports.in_use(), 0);
    assert_eq!(wait(worker.statistics(a.id)), Err(WorkerError::Stopped));
    assert_eq!(wait(worker.remove_leg(leg.id)), Err(WorkerError::Stopped));
    let socket = ports.allocate(LOCALHOST).unwrap();
    let added = wait(worker.add_leg(socket, LegConfig::default(), LegMode::Idle, Box::new(|_, _| {})));
    assert_eq!(added, Err(WorkerError::Stopped));
    assert_eq!(ports.in_use(), 0);
}

#[test]
fn a_worker_answers_until_it_has_stopped() {
    let workers = MediaWorkers::start(2).unwrap();
    let handles: Vec<_> = workers.handles().cloned().collect();
    assert!(handles.iter().all(|handle| wait(handle.ping()).is_ok()));
    drop(workers);
    assert!(handles.iter().all(|handle| wait(handle.ping()) == Err(WorkerError::Stopped)));
}

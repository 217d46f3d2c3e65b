use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use blether_rtp_core::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::bench::{Bench, LOCALHOST, PATIENCE, wait};

/// An allocator of one port pair that is free, with the given quarantine, and its port. The pair is chosen at random outside of what
/// systems choose from and of our default range, so that tests that run at the same time do not take it.
fn one_port(quarantine: Duration) -> (PortAllocator, RtpSocket) {
    let mut rng: StdRng = rand::make_rng();
    loop {
        let first = rng.random_range(10_000..16_000) * 2;
        let range = PortRange::new(first, first + 1).unwrap();
        let ports = PortAllocator::with(range, quarantine, StdRng::seed_from_u64(1));
        if let Ok(socket) = ports.allocate(LOCALHOST) {
            return (ports, socket);
        }
    }
}

#[test]
fn the_port_of_a_removed_leg_rests_and_that_of_a_running_one_is_in_use() {
    let bench = Bench::new();
    let (ports, socket) = one_port(Duration::from_secs(60));
    let sink = Box::new(|_, _| {});
    let leg = wait(bench.worker.add_leg(socket, LegConfig::default(), LegMode::Idle, sink)).unwrap();
    assert!(matches!(ports.allocate(LOCALHOST), Err(NoPort::Exhausted { in_use: 1, resting: 0, .. })));
    wait(bench.worker.remove_leg(leg)).unwrap();
    assert_eq!((ports.in_use(), ports.resting()), (0, 1));
}

#[test]
fn after_its_rest_the_port_serves_another_leg() {
    let bench = Bench::new();
    let (ports, socket) = one_port(Duration::ZERO);
    let address = socket.local_addr();
    let leg = wait(bench.worker.add_leg(socket, LegConfig::default(), LegMode::Idle, Box::new(|_, _| {}))).unwrap();
    wait(bench.worker.remove_leg(leg)).unwrap();
    assert_eq!(ports.allocate(LOCALHOST).unwrap().local_addr(), address);
}

#[test]
fn a_detached_removal_gives_the_port_back_too() {
    let bench = Bench::new();
    let leg = bench.leg(LegConfig::default(), LegMode::Idle);
    bench.worker.remove_leg_detached(leg.id);
    // Commands are done in order.
    assert_eq!(wait(bench.worker.statistics(leg.id)), Err(WorkerError::UnknownLeg));
    assert_eq!((bench.ports.in_use(), bench.worker.legs(), bench.workers.legs()), (0, 0, 0));
}

#[test]
fn a_leg_whose_adder_has_gone_is_removed() {
    let bench = Bench::new();
    let socket = bench.ports.allocate(LOCALHOST).unwrap();
    {
        let mut adding = pin!(bench.worker.add_leg(socket, LegConfig::default(), LegMode::Idle, Box::new(|_, _| {})));
        if let Poll::Ready(Ok(leg)) = adding.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            bench.worker.remove_leg_detached(leg);
        }
    }
    let deadline = Instant::now() + PATIENCE;
    while bench.ports.in_use() > 0 {
        assert!(Instant::now() < deadline, "the leg is still there");
        thread::yield_now();
    }
}

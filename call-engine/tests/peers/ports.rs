//! Ports that are free now: chosen by the system, together with neighbours where a peer takes more than it is told.

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Mutex;

/// Ports that were given out in this process and may not be bound yet.
static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// `127.0.0.1:port`.
pub(crate) fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// One port that is free for UDP and TCP.
pub(crate) fn free_port() -> u16 {
    free_ports(1, 1)
}

/// The first of `count` adjacent ports, all free for UDP and TCP, that begin at a multiple of `alignment` (2 for RTP with RTCP above it).
///
/// Another process may take one of them before the peer does; the system hands out ports at random, so it hardly ever happens.
pub(crate) fn free_ports(count: u16, alignment: u16) -> u16 {
    for _ in 0..1_000 {
        let chosen = UdpSocket::bind(loopback(0))
            .and_then(|socket| socket.local_addr())
            .expect("loopback has free ports")
            .port();
        let Some(first) = chosen.checked_next_multiple_of(alignment) else { continue };
        let Some(end) = first.checked_add(count) else { continue };
        let mut given = GIVEN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if (first..end).any(|port| given.contains(&port)) {
            continue;
        }
        // All of them are held at the same time before any is let go.
        let held: Vec<_> = (first..end)
            .map_while(|port| Some((UdpSocket::bind(loopback(port)).ok()?, TcpListener::bind(loopback(port)).ok()?)))
            .collect();
        if held.len() == usize::from(count) {
            given.extend(first..end);
            return first;
        }
    }
    panic!("no {count} adjacent free ports on loopback");
}

/// Whether some process has bound this UDP port (Linux: `/proc/net/udp`), without touching it.
pub(crate) fn udp_port_is_bound(port: u16) -> bool {
    is_bound("/proc/net/udp", port)
}

/// Whether some process has bound this TCP port, to listen or to connect from.
pub(crate) fn tcp_port_is_bound(port: u16) -> bool {
    is_bound("/proc/net/tcp", port)
}

fn is_bound(table: &str, port: u16) -> bool {
    let wanted = format!(":{port:04X}");
    let sockets = fs::read_to_string(table).expect("the interop tests run on Linux");
    sockets.lines().filter_map(|line| line.split_whitespace().nth(1)).any(|local| local.ends_with(&wanted))
}

//! When a socket that gives errors is read again, so that a lasting error neither keeps the worker busy nor goes untold.

use std::time::{Duration, Instant};

/// Errors in a row before the socket rests. 8: the answers to earlier packets that met a closed port are told one a call, and few wait
/// at a time.
const BEFORE_REST: u32 = 8;
/// How long it rests. 100 ms: the peer's jitter buffer is empty after that anyway, and ten tries a second cost nothing.
const REST: Duration = Duration::from_millis(100);
/// Errors in a row that mean that it is lost. Ten times eight: nearly a second, so that a moment without memory ends no call.
const BEFORE_GIVING_UP: u32 = 10 * BEFORE_REST;

/// The errors that a socket has given since it last gave a datagram, or said that it had none.
#[derive(Debug, Default)]
pub(super) struct ReceiveErrors {
    in_a_row: u32,
    rest_ends: Option<Instant>,
}

/// What is to be done after an error.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum AfterError {
    ReadOn,
    /// Read again when [`ReceiveErrors::end_rest`] says so.
    Rest,
    GiveUp,
}

impl ReceiveErrors {
    pub(super) fn count(&mut self, now: Instant) -> AfterError {
        self.in_a_row = self.in_a_row.saturating_add(1);
        if self.in_a_row >= BEFORE_GIVING_UP {
            return AfterError::GiveUp;
        }
        if !self.in_a_row.is_multiple_of(BEFORE_REST) {
            return AfterError::ReadOn;
        }
        self.rest_ends = Some(now + REST);
        AfterError::Rest
    }

    pub(super) fn clear(&mut self) {
        self.in_a_row = 0;
    }

    pub(super) fn is_resting(&self) -> bool {
        self.rest_ends.is_some()
    }

    /// When the rest ends.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.rest_ends
    }

    /// Ends a rest that is over at `now`; says whether there was one.
    pub(super) fn end_rest(&mut self, now: Instant) -> bool {
        self.rest_ends.take_if(|ends| *ends <= now).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lasting_error_is_met_eighty_times_in_nearly_a_second_and_then_told() {
        let start = Instant::now();
        let (mut errors, mut now, mut met) = (ReceiveErrors::default(), start, 0);
        loop {
            met += 1;
            match errors.count(now) {
                AfterError::ReadOn => assert!(!errors.is_resting()),
                AfterError::Rest => {
                    assert!(errors.is_resting() && !errors.end_rest(now));
                    now = errors.poll_timeout().unwrap();
                    assert!(errors.end_rest(now) && !errors.end_rest(now));
                }
                AfterError::GiveUp => break,
            }
        }
        assert_eq!((met, now - start), (80, Duration::from_millis(900)));
    }

    #[test]
    fn errors_between_datagrams_do_not_add_up() {
        let (now, mut errors) = (Instant::now(), ReceiveErrors::default());
        for _ in 0..1_000 {
            for _ in 0..7 {
                assert_eq!(errors.count(now), AfterError::ReadOn);
            }
            errors.clear();
        }
    }

    /// A socket that listens for connections answers every receive with an error, and says that it is readable.
    #[cfg(unix)]
    #[test]
    fn a_socket_that_gives_nothing_but_errors_ends_its_leg_and_no_other() {
        use super::super::{LegConfig, LegMode, MediaWorkers, PortAllocator, PortRange};
        use crate::leg::LegEvent;
        use std::future::Future;
        use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
        use std::os::fd::OwnedFd;
        use std::pin::pin;
        use std::sync::mpsc::channel;
        use std::task::{Context, Poll, Waker};

        fn wait<T>(future: impl Future<Output = T>) -> T {
            let mut future = pin!(future);
            loop {
                match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                    Poll::Ready(value) => return value,
                    Poll::Pending => std::thread::yield_now(),
                }
            }
        }

        let localhost = Ipv4Addr::LOCALHOST.into();
        let workers = MediaWorkers::start(1).unwrap();
        let worker = workers.worker_for_new_call();
        let ports = PortAllocator::new(PortRange::system_chosen());
        let add = |socket, tell: std::sync::mpsc::Sender<LegEvent>| {
            let sink = Box::new(move |_, event| tell.send(event).unwrap());
            wait(worker.add_leg(socket, LegConfig::default(), LegMode::Idle, sink)).unwrap()
        };
        let (tell, other_events) = channel();
        let other = add(ports.allocate(localhost).unwrap(), tell);
        let listener = TcpListener::bind((localhost, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let _connection = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut socket = ports.allocate(localhost).unwrap();
        socket.socket = UdpSocket::from(OwnedFd::from(listener));
        let (tell, events) = channel();
        let leg = add(socket, tell);
        assert_eq!(events.recv_timeout(Duration::from_secs(10)), Ok(LegEvent::SocketFailed));
        assert!(wait(worker.statistics(other)).is_ok() && other_events.try_recv().is_err());
        assert_eq!(wait(worker.remove_leg(leg)).unwrap().received_packets, 0);
        assert_eq!((worker.legs(), ports.in_use()), (1, 1));
    }
}

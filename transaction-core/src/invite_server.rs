//! The INVITE server transaction (RFC 3261 §17.2.1, figure 7, with RFC 6026 §7.1).
//!
//! ```text
//!                               │ INVITE: to TU; 100 after 200 ms
//!       INVITE: resend   ┌──────▼─────┐
//!       last 1xx ┌──────►│ Proceeding │ 1xx from TU: send
//!                └───────┤            │
//!                        └──┬──────┬──┘
//!            2xx from TU    │      │ 300-699 from TU
//!                 ┌─────────▼─┐  ┌─▼───────────┐ INVITE, Timer G: resend
//!  2xx from TU:   │ Accepted  │  │  Completed  │
//!  send           └─────┬─────┘  └─┬─────────┬─┘
//!  ACK: to TU           │     ACK  │         │ Timer H: inform TU
//!                       │   ┌──────▼─────┐   │
//!                       │   │ Confirmed  │   │
//!                       │   └──────┬─────┘   │
//!               Timer L │          │ Timer I │
//!                       │   ┌──────▼─────┐   │
//!                       └──►│ Terminated │◄──┘
//!                           └────────────┘
//! ```

use std::io;
use std::mem;
use std::time::{Duration, Instant};

use blether_sip_core::{Request, Response, StatusClass, StatusCode};
use bytes::Bytes;

use crate::output::Output;
use crate::timing::{Backoff, Reliability, Timing};

/// How long the user has to say something before the transaction says 100 (RFC 3261 §17.2.1).
const TRYING_AFTER: Duration = Duration::from_millis(200);

/// What a server transaction tells its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerEvent {
    /// Nobody acknowledged the refusal (Timer H).
    NotAcknowledged,
    /// The response could not be sent.
    SendFailed(io::ErrorKind),
}

#[derive(Debug)]
enum State {
    /// Nothing final was said. `trying` is when 100 is due, as long as nothing was said at all.
    /// Only here the request is kept: it may be as large as a datagram, and a refusal is remembered for half a minute.
    Proceeding {
        request: Box<Request>,
        trying: Option<Instant>,
        last: Option<Bytes>,
    },
    /// The user has said 2xx, and resends it itself until it is acknowledged.
    Accepted {
        timer_l: Instant,
    },
    /// The user has said 300-699.
    Completed {
        timer_g: Option<Backoff>,
        timer_h: Instant,
        last: Bytes,
        /// It was said once more because its connection had ended.
        again: bool,
    },
    /// It was acknowledged; further ACKs are absorbed until Timer I.
    Confirmed {
        timer_i: Instant,
    },
    Terminated,
}

/// The INVITE server transaction.
#[derive(Debug)]
pub struct InviteServerTransaction {
    timing: Timing,
    reliability: Reliability,
    state: State,
    output: Output<ServerEvent>,
}

impl InviteServerTransaction {
    /// Opens with an INVITE that no transaction knows.
    pub fn new(now: Instant, timing: Timing, reliability: Reliability, request: Request) -> Self {
        let state = State::Proceeding { request: Box::new(request), trying: Some(now + TRYING_AFTER), last: None };
        Self { timing, reliability, state, output: Output::new() }
    }

    /// Takes in the INVITE again.
    pub fn handle_resend(&mut self) {
        match &self.state {
            State::Proceeding { last: Some(last), .. } | State::Completed { last, .. } => {
                self.output.transmit(last.clone())
            }
            // In Accepted the user resends its 2xx by a timer of its own (RFC 6026 §7.1).
            State::Proceeding { last: None, .. }
            | State::Accepted { .. }
            | State::Confirmed { .. }
            | State::Terminated => {}
        }
    }

    /// Takes in an ACK with this transaction's branch; whether it belongs to the user: one for a 2xx does.
    pub fn handle_ack(&mut self, now: Instant) -> bool {
        match &self.state {
            State::Completed { .. } => {
                self.state = match self.reliability {
                    Reliability::Unreliable => State::Confirmed { timer_i: now + self.timing.t4 },
                    Reliability::Reliable => State::Terminated,
                };
                false
            }
            State::Accepted { .. } => true,
            State::Proceeding { .. } | State::Confirmed { .. } | State::Terminated => false,
        }
    }

    /// Sends a response of the user. Whether it fits: nothing is said after a final response, but a 2xx again after a 2xx.
    pub fn respond(&mut self, now: Instant, response: &Response) -> bool {
        let wire = response.to_bytes();
        let end = now + self.timing.sixty_four_t1();
        let (next, sent) = match (mem::replace(&mut self.state, State::Terminated), response.status().class()) {
            (State::Proceeding { request, .. }, StatusClass::Provisional) => {
                (State::Proceeding { request, trying: None, last: Some(wire.clone()) }, true)
            }
            (State::Proceeding { .. }, StatusClass::Success) => (State::Accepted { timer_l: end }, true),
            (State::Accepted { timer_l }, StatusClass::Success) => (State::Accepted { timer_l }, true),
            (State::Proceeding { .. }, _) => {
                let timer_g = (self.reliability == Reliability::Unreliable)
                    .then(|| Backoff::new(now, self.timing.t1, self.timing.t2));
                (State::Completed { timer_g, timer_h: end, last: wire.clone(), again: false }, true)
            }
            (unchanged, _) => (unchanged, false),
        };
        self.state = next;
        if sent {
            self.output.transmit(wire);
        }
        sent
    }

    /// Whether a final response was said.
    pub fn is_answered(&self) -> bool {
        !matches!(self.state, State::Proceeding { .. })
    }

    /// Whether nothing at all was said.
    pub fn is_untouched(&self) -> bool {
        matches!(self.state, State::Proceeding { last: None, .. })
    }

    /// The INVITE, as long as it has no final response.
    pub fn request(&self) -> Option<&Request> {
        match &self.state {
            State::Proceeding { request, .. } => Some(request),
            _ => None,
        }
    }

    /// Takes in that a response could not be sent: the user is told, and the state stays (RFC 6026 §7.1), so that a resent INVITE is not
    /// taken for a new one.
    pub fn handle_send_error(&mut self, kind: io::ErrorKind) {
        if !matches!(self.state, State::Terminated | State::Confirmed { .. }) {
            self.output.event(ServerEvent::SendFailed(kind));
        }
    }

    /// Takes in that the connection has ended by which the last response went: a refusal that nobody has acknowledged may have gone lost with
    /// it, and no timer sends it again on a reliable transport. It is said once more, which opens another connection (RFC 3261 §18.2.2); if
    /// that ends too the user is told. In Accepted the user resends its 2xx itself.
    pub fn handle_closed(&mut self, kind: io::ErrorKind) {
        let State::Completed { last, again, .. } = &mut self.state else { return };
        if mem::replace(again, true) {
            self.handle_send_error(kind);
        } else {
            self.output.transmit(last.clone());
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.state = match mem::replace(&mut self.state, State::Terminated) {
            State::Proceeding { request, trying: Some(due), .. } if due <= now => {
                let wire = Response::to_request(&request, StatusCode::TRYING).build().to_bytes();
                self.output.transmit(wire.clone());
                State::Proceeding { request, trying: None, last: Some(wire) }
            }
            State::Accepted { timer_l } if timer_l <= now => State::Terminated,
            State::Completed { timer_h, .. } if timer_h <= now => {
                self.output.event(ServerEvent::NotAcknowledged);
                State::Terminated
            }
            State::Completed { timer_g: Some(timer_g), timer_h, last, again } if timer_g.due <= now => {
                self.output.transmit(last.clone());
                State::Completed { timer_g: Some(timer_g.next(now)), timer_h, last, again }
            }
            State::Confirmed { timer_i } if timer_i <= now => State::Terminated,
            early => early,
        };
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        self.output.poll_transmit()
    }

    /// The next thing that the user should know.
    pub fn poll_event(&mut self) -> Option<ServerEvent> {
        self.output.poll_event()
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Proceeding { trying, .. } => *trying,
            State::Accepted { timer_l: due } | State::Confirmed { timer_i: due } => Some(*due),
            State::Completed { timer_g, timer_h, .. } => {
                Some(timer_g.map_or(*timer_h, |timer_g| timer_g.due.min(*timer_h)))
            }
            State::Terminated => None,
        }
    }

    /// Whether it is over: nothing matches it any more.
    pub fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }
}

//! The non-INVITE server transaction (RFC 3261 §17.2.2, figure 8, with RFC 4320 and RFC 6026 §8.8).
//!
//! ```text
//!                       │ request: to TU
//!                 ┌─────▼─────┐
//!                 │  Trying   │ resent request: nothing to say yet
//!                 └──┬─────┬──┘
//!      100 from TU,  │     │ 200-699 but 408 from TU
//!   or after 3.5 s   │     │
//!                 ┌──▼─────┼──┐ resent request: 100 again
//!                 │Proceeding ├───────────────┐
//!                 └──┬─────┬──┘               │ nothing final
//!                    │     │                  │ was said
//!                 ┌──▼─────▼──┐               │ for 64 × T1
//!                 │ Completed │ resent        │
//!                 └─────┬─────┘ request:      │
//!                       │ Timer J   final     │
//!                       │           response  │
//!                       │      ┌────────────┐ │
//!                       └─────►│ Terminated │◄┘
//!                              └────────────┘
//! ```

use std::io;
use std::mem;
use std::time::{Duration, Instant};

use blether_sip_core::{Request, Response, StatusCode};
use bytes::Bytes;

use crate::invite_server::ServerEvent;
use crate::output::Output;
use crate::timing::{Reliability, Timing};

#[derive(Debug)]
enum State {
    /// Nothing was said; 100 is due at `trying` (RFC 4320 §4.1). After `give_up` the peer has stopped waiting, and RFC 4320 §4.2 forbids a final response.
    Trying {
        give_up: Instant,
        trying: Instant,
        request: Box<Request>,
    },
    /// A 1xx was said.
    Proceeding {
        give_up: Instant,
        last: Bytes,
    },
    /// The final response, said again to each resend until Timer J.
    Completed {
        timer_j: Instant,
        last: Bytes,
    },
    Terminated,
}

/// The non-INVITE server transaction.
#[derive(Debug)]
pub struct NonInviteServerTransaction {
    timing: Timing,
    reliability: Reliability,
    state: State,
    output: Output<ServerEvent>,
}

impl NonInviteServerTransaction {
    /// Opens with a request that no transaction knows.
    pub fn new(now: Instant, timing: Timing, reliability: Reliability, request: Request) -> Self {
        let (give_up, trying) = (now + timing.sixty_four_t1(), now + quiet_time(timing));
        let state = State::Trying { give_up, trying, request: Box::new(request) };
        Self { timing, reliability, state, output: Output::new() }
    }

    /// Takes in the request again.
    pub fn handle_resend(&mut self) {
        if let State::Proceeding { last, .. } | State::Completed { last, .. } = &self.state {
            self.output.transmit(last.clone());
        }
    }

    /// Sends a response of the user. Whether it may be sent: nothing after a final response; no 1xx but 100, and that not before
    /// Timer E of the peer has reached T2 (RFC 4320 §4.1); no 408 (§4.2).
    pub fn respond(&mut self, now: Instant, response: &Response) -> bool {
        let status = response.status();
        let too_early = matches!(self.state, State::Trying { trying, .. } if now < trying);
        let forbidden = status == StatusCode::REQUEST_TIMEOUT
            || (status.is_provisional()
                && (status != StatusCode::TRYING || (self.reliability == Reliability::Unreliable && too_early)));
        if forbidden {
            return false;
        }
        let wire = response.to_bytes();
        let (next, sent) = match mem::replace(&mut self.state, State::Terminated) {
            State::Trying { give_up, .. } | State::Proceeding { give_up, .. } if status.is_provisional() => {
                (State::Proceeding { give_up, last: wire.clone() }, true)
            }
            State::Trying { .. } | State::Proceeding { .. } => match self.reliability {
                Reliability::Unreliable => {
                    (State::Completed { timer_j: now + self.timing.sixty_four_t1(), last: wire.clone() }, true)
                }
                Reliability::Reliable => (State::Terminated, true),
            },
            unchanged => (unchanged, false),
        };
        self.state = next;
        if sent {
            self.output.transmit(wire);
        }
        sent
    }

    /// Whether nothing at all was said.
    pub fn is_untouched(&self) -> bool {
        matches!(self.state, State::Trying { .. })
    }

    /// Whether a final response was said.
    pub fn is_answered(&self) -> bool {
        matches!(self.state, State::Completed { .. } | State::Terminated)
    }

    /// Takes in that a response could not be sent (RFC 3261 §17.2.4): the user is told, and the state stays. RFC 6026 §8.8 has it so for every
    /// server transaction, which takes the arrows to Terminated out of figure 8: a resent request is not taken for a new one, to be carried
    /// out twice, and after a lost 100 the final response may still find its way.
    pub fn handle_send_error(&mut self, kind: io::ErrorKind) {
        if matches!(self.state, State::Proceeding { .. } | State::Completed { .. }) {
            self.output.event(ServerEvent::SendFailed(kind));
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.state = match mem::replace(&mut self.state, State::Terminated) {
            State::Trying { give_up: due, .. }
            | State::Proceeding { give_up: due, .. }
            | State::Completed { timer_j: due, .. }
                if due <= now =>
            {
                State::Terminated
            }
            State::Trying { give_up, trying, request } if trying <= now => {
                let last = Response::to_request(&request, StatusCode::TRYING).build().to_bytes();
                self.output.transmit(last.clone());
                State::Proceeding { give_up, last }
            }
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
            State::Trying { give_up, trying, .. } => Some(*give_up.min(trying)),
            State::Proceeding { give_up: due, .. } | State::Completed { timer_j: due, .. } => Some(*due),
            State::Terminated => None,
        }
    }

    /// Whether it is over: nothing matches it any more.
    pub fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }
}

/// How long Timer E of the peer takes to be reset to T2 (RFC 4320 §4.1): T1 + 2 × T1 + 4 × T1 and so on. It is reset as it fires, so never
/// before T1.
fn quiet_time(timing: Timing) -> Duration {
    let mut wait = timing.t1.saturating_mul(2);
    let mut sum = timing.t1;
    while wait < timing.t2 && !wait.is_zero() {
        sum = sum.saturating_add(wait);
        wait = wait.saturating_mul(2);
    }
    sum
}

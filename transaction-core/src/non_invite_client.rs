//! The non-INVITE client transaction (RFC 3261 §17.1.2, figure 6).
//!
//! ```text
//!                            │ request sent
//!   Timer E: resend    ┌─────▼─────┐  Timer F, transport error: inform TU
//!            ┌────────►│  Trying   ├────────────────────────────┐
//!            └─────────┤           │                            │
//!                      └──┬─────┬──┘                            │
//!                    1xx  │     │ 200-699                       │
//!                      ┌──▼─────┼──┐  Timer F, transport error  │
//!   Timer E: resend    │Proceeding ├────────────────────────────┤
//!                      └──┬─────┬──┘                            │
//!                 200-699 │     │                               │
//!                      ┌──▼─────▼──┐                            │
//!                      │ Completed │                            │
//!                      └─────┬─────┘                            │
//!                            │ Timer K      ┌────────────┐      │
//!                            └─────────────►│ Terminated │◄─────┘
//!                                           └────────────┘
//! ```

use std::io;
use std::mem;
use std::time::Instant;

use blether_sip_core::{Request, Response};
use bytes::Bytes;

use crate::Failure;
use crate::invite_client::ClientEvent;
use crate::output::Output;
use crate::timing::{Backoff, Reliability, Timer, Timing};

#[derive(Debug)]
enum State {
    /// Sent, nothing heard. `timer_e` is `None` on a reliable transport.
    Trying {
        timer_e: Option<Backoff>,
        timer_f: Instant,
    },
    /// A 1xx has come: resends go on, seldom.
    Proceeding {
        timer_e: Option<Backoff>,
        timer_f: Instant,
    },
    /// A final response has come; its resends are absorbed until Timer K.
    Completed {
        timer_k: Instant,
    },
    Terminated,
}

/// The non-INVITE client transaction.
#[derive(Debug)]
pub struct NonInviteClientTransaction {
    timing: Timing,
    reliability: Reliability,
    wire: Bytes,
    state: State,
    output: Output<ClientEvent>,
}

impl NonInviteClientTransaction {
    /// Sends the request, whose topmost Via carries the transaction's branch.
    pub fn new(now: Instant, timing: Timing, reliability: Reliability, request: &Request) -> Self {
        let timer_e = (reliability == Reliability::Unreliable).then(|| Backoff::new(now, timing.t1, timing.t2));
        let wire = request.to_bytes();
        let mut output = Output::new();
        output.transmit(wire.clone());
        let state = State::Trying { timer_e, timer_f: now + timing.sixty_four_t1() };
        Self { timing, reliability, wire, state, output }
    }

    /// Takes in a response that matched this transaction (RFC 3261 §17.1.2.2).
    pub fn handle_response(&mut self, now: Instant, response: Response) {
        let provisional = response.status().is_provisional();
        self.state = match mem::replace(&mut self.state, State::Terminated) {
            State::Trying { timer_e, timer_f } | State::Proceeding { timer_e, timer_f } if provisional => {
                self.output.event(ClientEvent::Response(response));
                State::Proceeding { timer_e, timer_f }
            }
            State::Trying { .. } | State::Proceeding { .. } => {
                self.output.event(ClientEvent::Response(response));
                match self.reliability {
                    Reliability::Unreliable => State::Completed { timer_k: now + self.timing.t4 },
                    Reliability::Reliable => State::Terminated,
                }
            }
            absorbed => absorbed,
        };
    }

    /// Takes in that a datagram of this transaction could not be sent (RFC 3261 §17.1.4).
    pub fn handle_send_error(&mut self, kind: io::ErrorKind) {
        if matches!(self.state, State::Trying { .. } | State::Proceeding { .. }) {
            self.output.event(ClientEvent::Failed(Failure::Transport(kind)));
            self.state = State::Terminated;
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.state = match mem::replace(&mut self.state, State::Terminated) {
            State::Trying { timer_f, .. } | State::Proceeding { timer_f, .. } if timer_f <= now => {
                self.output.event(ClientEvent::Failed(Failure::TimedOut(Timer::F)));
                State::Terminated
            }
            State::Trying { timer_e: Some(timer_e), timer_f } if timer_e.due <= now => {
                self.output.transmit(self.wire.clone());
                State::Trying { timer_e: Some(timer_e.next(now)), timer_f }
            }
            State::Proceeding { timer_e: Some(timer_e), timer_f } if timer_e.due <= now => {
                self.output.transmit(self.wire.clone());
                State::Proceeding { timer_e: Some(timer_e.next_longest(now)), timer_f }
            }
            State::Completed { timer_k } if timer_k <= now => State::Terminated,
            early => early,
        };
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        self.output.poll_transmit()
    }

    /// The next thing that the user should know.
    pub fn poll_event(&mut self) -> Option<ClientEvent> {
        self.output.poll_event()
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Trying { timer_e, timer_f } | State::Proceeding { timer_e, timer_f } => {
                Some(timer_e.map_or(*timer_f, |timer_e| timer_e.due.min(*timer_f)))
            }
            State::Completed { timer_k } => Some(*timer_k),
            State::Terminated => None,
        }
    }

    /// Whether it is over: nothing matches it any more.
    pub fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }
}

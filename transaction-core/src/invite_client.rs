//! The INVITE client transaction (RFC 3261 §17.1.1, figure 5, with RFC 6026 §7.2).
//!
//! ```text
//!                              │ INVITE sent
//!     Timer A: resend    ┌─────▼─────┐  Timer B, transport error: inform TU
//!              ┌────────►│  Calling  ├──────────────────────────────┐
//!              └─────────┤           │                              │
//!                        └──┬──┬──┬──┘                              │
//!                     2xx   │  │  │ 300-699: ACK                    │
//!            ┌──────────────┘  │1xx└─────────────┐                  │
//!            │           ┌─────▼─────┐           │                  │
//!            │       2xx │Proceeding │ 300-699:  │                  │
//!            │     ┌─────┤           ├─────┐ ACK │                  │
//!            │     │     └───────────┘     │     │                  │
//!      ┌─────▼─────▼─┐                ┌────▼─────▼──┐ resent:       │
//!      │  Accepted   │ 2xx: to TU     │  Completed  │ ACK again     │
//!      └─────┬───────┘                └──────┬──────┘               │
//!            │ Timer M                       │ Timer D,             │
//!            │                               │ transport error:     │
//!            │                               │ inform TU            │
//!            │            ┌────────────┐     │                      │
//!            └───────────►│ Terminated │◄────┴──────────────────────┘
//!                         └────────────┘
//! ```

use std::io;
use std::mem;
use std::time::Instant;

use blether_sip_core::{Method, Request, Response, StatusClass};
use bytes::Bytes;

use crate::Failure;
use crate::follow_up::{cancel_request, copy_of};
use crate::output::Output;
use crate::timing::{Backoff, Reliability, Timer, Timing};

/// What a client transaction tells its user.
#[derive(Debug)]
pub enum ClientEvent {
    /// A response for the user.
    Response(Response),
    /// There will be no (further) response.
    Failed(Failure),
    /// The ACK for a 300 to 699 could not be sent. The refusal was told before, and stays the outcome.
    AckNotSent(io::ErrorKind),
}

#[derive(Debug)]
enum State {
    /// INVITE sent, nothing heard. `timer_a` is `None` on a reliable transport.
    Calling {
        request: Box<Request>,
        wire: Bytes,
        timer_a: Option<Backoff>,
        timer_b: Instant,
    },
    /// A 1xx has come; how long to wait now is the transaction user's decision, unless it has cancelled.
    Proceeding {
        request: Box<Request>,
        give_up: Option<Instant>,
    },
    /// A 2xx has come; other branches of a fork may still answer until Timer M. The INVITE itself is not needed any more.
    Accepted {
        timer_m: Instant,
    },
    /// A 300-699 has come; until Timer D its resends are acknowledged again.
    Completed {
        timer_d: Instant,
        ack: Bytes,
    },
    Terminated,
}

/// The INVITE client transaction: resends until it hears something, acknowledges a refusal, and hands every 2xx up.
#[derive(Debug)]
pub struct InviteClientTransaction {
    timing: Timing,
    reliability: Reliability,
    state: State,
    output: Output<ClientEvent>,
}

impl InviteClientTransaction {
    /// Sends the INVITE, whose topmost Via carries the transaction's branch.
    pub fn new(now: Instant, timing: Timing, reliability: Reliability, request: Request) -> Self {
        let timer_a =
            (reliability == Reliability::Unreliable).then(|| Backoff::new(now, timing.t1, timing.sixty_four_t1()));
        let wire = request.to_bytes();
        let mut output = Output::new();
        output.transmit(wire.clone());
        let timer_b = now + timing.sixty_four_t1();
        let state = State::Calling { request: Box::new(request), wire, timer_a, timer_b };
        Self { timing, reliability, state, output }
    }
}

impl InviteClientTransaction {
    /// Takes in a response that matched this transaction (RFC 3261 §17.1.1.2, RFC 6026 §7.2).
    pub fn handle_response(&mut self, now: Instant, response: Response) {
        use StatusClass::{Provisional, Success};
        let end = now + self.timing.sixty_four_t1();
        self.state = match (mem::replace(&mut self.state, State::Terminated), response.status().class()) {
            (State::Calling { request, .. }, Provisional) => {
                self.pass_up(response, State::Proceeding { request, give_up: None })
            }
            (State::Proceeding { request, give_up }, Provisional) => {
                self.pass_up(response, State::Proceeding { request, give_up })
            }
            (State::Calling { .. } | State::Proceeding { .. }, Success) => {
                self.pass_up(response, State::Accepted { timer_m: end })
            }
            (State::Accepted { timer_m }, Success) => self.pass_up(response, State::Accepted { timer_m }),
            (State::Calling { request, .. } | State::Proceeding { request, .. }, _) => {
                self.refused(now, &request, response)
            }
            (State::Completed { timer_d, ack }, class) if !matches!(class, Provisional | Success) => {
                self.output.transmit(ack.clone());
                State::Completed { timer_d, ack }
            }
            // Late or out of place: absorbed.
            (unchanged, _) => unchanged,
        };
    }

    fn pass_up(&mut self, response: Response, next: State) -> State {
        self.output.event(ClientEvent::Response(response));
        next
    }

    fn refused(&mut self, now: Instant, invite: &Request, response: Response) -> State {
        let ack = acknowledgement(invite, &response);
        self.output.transmit(ack.clone());
        self.output.event(ClientEvent::Response(response));
        match self.reliability {
            Reliability::Unreliable => State::Completed { timer_d: now + self.timing.timer_d(), ack },
            // Timer D is zero there: nothing is resent that could still arrive.
            Reliability::Reliable => State::Terminated,
        }
    }

    /// The CANCEL for this INVITE (RFC 3261 §9.1), which goes the same way. `None` once it has a final response, after which none is to be sent.
    pub fn cancel_request(&self) -> Option<Request> {
        match &self.state {
            State::Calling { request, .. } | State::Proceeding { request, .. } => cancel_request(request),
            State::Accepted { .. } | State::Completed { .. } | State::Terminated => None,
        }
    }

    /// Gives an INVITE up that was cancelled and stays without a final response until `deadline`. RFC 3261 §9.1 lets the user do so
    /// after 64 × T1: a peer of RFC 2543 never sends the 487.
    pub fn give_up_at(&mut self, deadline: Instant) {
        if let State::Proceeding { give_up, .. } = &mut self.state {
            *give_up = Some(deadline);
        }
    }

    /// Whether a provisional response, and no final one, has come: only then may CANCEL be sent (RFC 3261 §9.1).
    pub fn is_proceeding(&self) -> bool {
        matches!(self.state, State::Proceeding { .. })
    }

    /// Takes in that a datagram of this transaction could not be sent (RFC 3261 §17.1.4): the INVITE, or the ACK for a refusal. That one is
    /// no [`ClientEvent::Failed`], since the refusal was the final outcome, and there is one.
    pub fn handle_send_error(&mut self, kind: io::ErrorKind) {
        let event = match self.state {
            State::Calling { .. } => ClientEvent::Failed(Failure::Transport(kind)),
            State::Completed { .. } => ClientEvent::AckNotSent(kind),
            State::Proceeding { .. } | State::Accepted { .. } | State::Terminated => return,
        };
        self.output.event(event);
        self.state = State::Terminated;
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.state = match mem::replace(&mut self.state, State::Terminated) {
            State::Calling { timer_b, .. } if timer_b <= now => self.fail(Timer::B),
            State::Calling { request, wire, timer_a: Some(timer_a), timer_b } if timer_a.due <= now => {
                self.output.transmit(wire.clone());
                State::Calling { request, wire, timer_a: Some(timer_a.next(now)), timer_b }
            }
            State::Proceeding { give_up: Some(at), .. } if at <= now => self.fail(Timer::B),
            State::Accepted { timer_m } if timer_m <= now => State::Terminated,
            State::Completed { timer_d, .. } if timer_d <= now => State::Terminated,
            early => early,
        };
    }

    fn fail(&mut self, timer: Timer) -> State {
        self.output.event(ClientEvent::Failed(Failure::TimedOut(timer)));
        State::Terminated
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
            State::Calling { timer_a, timer_b, .. } => {
                Some(timer_a.map_or(*timer_b, |timer_a| timer_a.due.min(*timer_b)))
            }
            State::Proceeding { give_up, .. } => *give_up,
            State::Accepted { timer_m: due } | State::Completed { timer_d: due, .. } => Some(*due),
            State::Terminated => None,
        }
    }

    /// Whether it is over: nothing matches it any more.
    pub fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }
}

/// The ACK for a 300 to 699 (RFC 3261 §17.1.1.3): the INVITE's URI, topmost Via, From, Call-ID, CSeq number and Route; the To of the
/// response.
fn acknowledgement(invite: &Request, response: &Response) -> Bytes {
    match copy_of(invite, Method::Ack, response.to().clone()) {
        Some(ack) => ack.to_bytes(),
        // What was an INVITE can be an ACK; an empty datagram would be dropped by the peer.
        None => Bytes::new(),
    }
}

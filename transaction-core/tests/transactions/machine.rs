//! One machine on a clock that jumps, and a trace of all that it does.

use std::time::{Duration, Instant};

use blether_sip_core::{Method, Request, Response, StatusCode, Uri, Via};
use blether_testkit::SimulatedNetwork;
use blether_transaction_core::{
    ClientEvent, InviteClientTransaction, InviteServerTransaction, NonInviteClientTransaction,
    NonInviteServerTransaction, Reliability, ServerEvent, Timing,
};
use bytes::Bytes;

pub(crate) const BOTH: [Reliability; 2] = [Reliability::Unreliable, Reliability::Reliable];

pub(crate) fn request(method: Method) -> Request {
    let uri: Uri = "sip:bob@192.0.2.2".parse().unwrap();
    Request::builder(method, uri)
        .via(Via::new("UDP", "192.0.2.1".parse().unwrap(), Some(5060), "z9hG4bK776"))
        .from("<sip:alice@192.0.2.1>;tag=a".parse().unwrap())
        .to("<sip:bob@192.0.2.2>".parse().unwrap())
        .call_id("1@192.0.2.1")
        .cseq(7)
        .raw("Route", "<sip:proxy.example;lr>, <sip:second.example;lr>")
        .build()
        .unwrap()
}

pub(crate) fn response(method: Method, code: u16) -> Response {
    Response::to_request(&request(method), StatusCode::new(code).unwrap()).to_tag("b").build()
}

/// What the four machines have in common.
pub(crate) trait Machine {
    fn poll_transmit(&mut self) -> Option<Bytes>;
    fn poll_event(&mut self) -> Option<String>;
    fn poll_timeout(&self) -> Option<Instant>;
    fn handle_timeout(&mut self, now: Instant);
    fn is_terminated(&self) -> bool;
}

fn client_event(event: &ClientEvent) -> String {
    match event {
        ClientEvent::Response(response) => format!("told {}", response.status().code()),
        ClientEvent::Failed(failure) => format!("{failure:?}"),
        ClientEvent::AckNotSent(kind) => format!("AckNotSent({kind:?})"),
    }
}

fn server_event(event: &ServerEvent) -> String {
    format!("{event:?}")
}

macro_rules! machine {
    ($($name:ident says $event:ident),*) => {$(
        impl Machine for $name {
            fn poll_transmit(&mut self) -> Option<Bytes> {
                $name::poll_transmit(self)
            }
            fn poll_event(&mut self) -> Option<String> {
                $name::poll_event(self).map(|event| $event(&event))
            }
            fn poll_timeout(&self) -> Option<Instant> {
                $name::poll_timeout(self)
            }
            fn handle_timeout(&mut self, now: Instant) {
                $name::handle_timeout(self, now);
            }
            fn is_terminated(&self) -> bool {
                $name::is_terminated(self)
            }
        }
    )*};
}

machine!(
    InviteClientTransaction says client_event,
    NonInviteClientTransaction says client_event,
    InviteServerTransaction says server_event,
    NonInviteServerTransaction says server_event
);

/// A machine, the milliseconds since it began, and what it has done: `ACK` or `180` is a datagram sent, `told 180` an event, `over` its end.
pub(crate) struct Run<M> {
    pub(crate) machine: M,
    start: Instant,
    ms: u64,
    trace: Vec<(u64, String)>,
    sent: Vec<Bytes>,
    over: bool,
}

impl<M: Machine> Run<M> {
    pub(crate) fn new(begin: impl FnOnce(Instant) -> M) -> Self {
        let start = SimulatedNetwork::new(0).start();
        let mut run = Self { machine: begin(start), start, ms: 0, trace: Vec::new(), sent: Vec::new(), over: false };
        run.drain();
        run
    }

    pub(crate) fn now(&self) -> Instant {
        self.instant(self.ms)
    }

    fn instant(&self, ms: u64) -> Instant {
        self.start + Duration::from_millis(ms)
    }

    /// Fires what is due until `ms`, each at its own instant, and then says something to the machine.
    pub(crate) fn at(&mut self, ms: u64, input: impl FnOnce(&mut M, Instant)) -> &mut Self {
        self.until(ms);
        let now = self.instant(ms);
        self.ms = ms;
        input(&mut self.machine, now);
        self.drain();
        self
    }

    /// Fires what is due, once, as late as `ms`: what a process does that was stalled until then.
    pub(crate) fn stalled_until(&mut self, ms: u64) -> &mut Self {
        self.ms = ms;
        self.machine.handle_timeout(self.instant(ms));
        self.drain();
        self
    }

    pub(crate) fn until(&mut self, ms: u64) -> &mut Self {
        for _ in 0..1_000 {
            let Some(due) = self.machine.poll_timeout().filter(|&due| due <= self.instant(ms)) else { return self };
            self.ms = u64::try_from((due - self.start).as_millis()).unwrap();
            self.machine.handle_timeout(due);
            self.drain();
        }
        panic!("the machine fires without end: {:?}", self.trace);
    }

    /// All that it does until no timer runs.
    pub(crate) fn trace(&mut self) -> Vec<(u64, &str)> {
        self.until(10_000_000);
        self.so_far()
    }

    pub(crate) fn so_far(&self) -> Vec<(u64, &str)> {
        self.trace.iter().map(|(ms, what)| (*ms, what.as_str())).collect()
    }

    pub(crate) fn last_sent(&self) -> String {
        String::from_utf8(self.sent.last().unwrap().to_vec()).unwrap()
    }

    fn drain(&mut self) {
        while let Some(payload) = self.machine.poll_transmit() {
            let text = String::from_utf8_lossy(&payload);
            let what = text.strip_prefix("SIP/2.0 ").unwrap_or(&text).split(' ').next().unwrap_or_default().to_owned();
            self.sent.push(payload.clone());
            self.trace.push((self.ms, what));
        }
        while let Some(event) = self.machine.poll_event() {
            self.trace.push((self.ms, event));
        }
        if self.machine.is_terminated() && !std::mem::replace(&mut self.over, true) {
            assert_eq!(self.machine.poll_timeout(), None, "after Terminated no timer runs");
            self.trace.push((self.ms, "over".to_owned()));
        }
    }
}

pub(crate) fn invite_client(reliability: Reliability) -> Run<InviteClientTransaction> {
    Run::new(|now| InviteClientTransaction::new(now, Timing::default(), reliability, request(Method::Invite)))
}

pub(crate) fn options_client(reliability: Reliability) -> Run<NonInviteClientTransaction> {
    Run::new(|now| NonInviteClientTransaction::new(now, Timing::default(), reliability, &request(Method::Options)))
}

pub(crate) fn invite_server(reliability: Reliability) -> Run<InviteServerTransaction> {
    Run::new(|now| InviteServerTransaction::new(now, Timing::default(), reliability, request(Method::Invite)))
}

pub(crate) fn options_server(reliability: Reliability) -> Run<NonInviteServerTransaction> {
    Run::new(|now| NonInviteServerTransaction::new(now, Timing::default(), reliability, request(Method::Options)))
}

/// Says a response to a client or from the user of a server.
pub(crate) trait Answer {
    fn answer(&mut self, now: Instant, code: u16);
}

impl Answer for InviteClientTransaction {
    fn answer(&mut self, now: Instant, code: u16) {
        self.handle_response(now, response(Method::Invite, code));
    }
}

impl Answer for NonInviteClientTransaction {
    fn answer(&mut self, now: Instant, code: u16) {
        self.handle_response(now, response(Method::Options, code));
    }
}

impl Answer for InviteServerTransaction {
    fn answer(&mut self, now: Instant, code: u16) {
        assert!(self.respond(now, &response(Method::Invite, code)));
    }
}

impl Answer for NonInviteServerTransaction {
    fn answer(&mut self, now: Instant, code: u16) {
        assert!(self.respond(now, &response(Method::Options, code)));
    }
}

impl<M: Machine + Answer> Run<M> {
    pub(crate) fn answer(&mut self, ms: u64, code: u16) -> &mut Self {
        self.at(ms, |machine, now| machine.answer(now, code))
    }
}

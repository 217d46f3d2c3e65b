//! A machine beside what its figure says of it: whatever happens, happens to both, and they are compared.

use std::collections::HashMap;
use std::io::ErrorKind::NetworkUnreachable;
use std::time::{Duration, Instant};

use blether_sip_core::Method;
use blether_testkit::SimulatedNetwork;
use blether_transaction_core::{
    InviteClientTransaction, InviteServerTransaction, NonInviteClientTransaction, NonInviteServerTransaction,
    Reliability, Timing,
};
use bytes::Bytes;

use super::model::{Model, Outcome};
use super::vocabulary::{Clock, Event, Figure, Kind, State};
use crate::machine::{Machine, request, response};

/// Between one input and the next.
pub(crate) const STEP: Duration = Duration::from_millis(1);

enum Subject {
    InviteClient(InviteClientTransaction),
    NonInviteClient(NonInviteClientTransaction),
    InviteServer(InviteServerTransaction),
    NonInviteServer(NonInviteServerTransaction),
}

impl Subject {
    fn new(kind: Kind, now: Instant, timing: Timing, over: Reliability) -> Self {
        let (invite, options) = (request(Method::Invite), request(Method::Options));
        match kind {
            Kind::InviteClient => Self::InviteClient(InviteClientTransaction::new(now, timing, over, invite)),
            Kind::NonInviteClient => {
                Self::NonInviteClient(NonInviteClientTransaction::new(now, timing, over, &options))
            }
            Kind::InviteServer => Self::InviteServer(InviteServerTransaction::new(now, timing, over, invite)),
            Kind::NonInviteServer => Self::NonInviteServer(NonInviteServerTransaction::new(now, timing, over, options)),
        }
    }

    fn machine(&self) -> &dyn Machine {
        match self {
            Self::InviteClient(machine) => machine,
            Self::NonInviteClient(machine) => machine,
            Self::InviteServer(machine) => machine,
            Self::NonInviteServer(machine) => machine,
        }
    }

    fn machine_mut(&mut self) -> &mut dyn Machine {
        match self {
            Self::InviteClient(machine) => machine,
            Self::NonInviteClient(machine) => machine,
            Self::InviteServer(machine) => machine,
            Self::NonInviteServer(machine) => machine,
        }
    }

    /// Lets something happen to it; what the call returns, if that tells something.
    fn input(&mut self, now: Instant, timing: Timing, event: Event, code: u16) -> Option<&'static str> {
        let (invite, options) = (Method::Invite, Method::Options);
        match (self, event) {
            (Self::InviteClient(machine), Event::Hears(_)) => machine.handle_response(now, response(invite, code)),
            (Self::InviteClient(machine), Event::Cancels) => machine.give_up_at(now + timing.t1 * 64),
            (Self::InviteClient(machine), Event::NotSent) => machine.handle_send_error(NetworkUnreachable),
            (Self::NonInviteClient(machine), Event::Hears(_)) => machine.handle_response(now, response(options, code)),
            (Self::NonInviteClient(machine), Event::NotSent) => machine.handle_send_error(NetworkUnreachable),
            (Self::InviteServer(machine), Event::HearsAgain) => machine.handle_resend(),
            (Self::InviteServer(machine), Event::HearsAck) => return machine.handle_ack(now).then_some("ack"),
            (Self::InviteServer(machine), Event::Says(_)) => {
                return (!machine.respond(now, &response(invite, code))).then_some("refused");
            }
            (Self::InviteServer(machine), Event::NotSent) => machine.handle_send_error(NetworkUnreachable),
            (Self::InviteServer(machine), Event::ConnectionEnds) => machine.handle_closed(NetworkUnreachable),
            (Self::NonInviteServer(machine), Event::HearsAgain) => machine.handle_resend(),
            (Self::NonInviteServer(machine), Event::Says(_)) => {
                return (!machine.respond(now, &response(options, code))).then_some("refused");
            }
            (Self::NonInviteServer(machine), Event::NotSent) => machine.handle_send_error(NetworkUnreachable),
            (_, event) => panic!("{event:?} does not happen to this machine"),
        }
        None
    }

    /// What can be asked of it about its state, and what the answers must be in `state`.
    fn answers(&self, state: State) -> [(bool, bool); 3] {
        use State::{Calling, Completed, Proceeding, Terminated, Trying, Untouched};
        let is = |states: &[State]| states.contains(&state);
        match self {
            Self::InviteClient(machine) => [
                (machine.is_proceeding(), is(&[Proceeding])),
                (machine.cancel_request().is_some(), is(&[Calling, Proceeding])),
                (machine.is_terminated(), is(&[Terminated])),
            ],
            Self::NonInviteClient(machine) => [(machine.is_terminated(), is(&[Terminated])); 3],
            Self::InviteServer(machine) => [
                (machine.is_untouched(), is(&[Untouched])),
                (machine.is_answered(), !is(&[Untouched, Proceeding])),
                (machine.request().is_some() && !machine.is_terminated(), is(&[Untouched, Proceeding])),
            ],
            Self::NonInviteServer(machine) => [
                (machine.is_untouched(), is(&[Trying])),
                (machine.is_answered(), is(&[Completed, Terminated])),
                (machine.is_terminated(), is(&[Terminated])),
            ],
        }
    }
}

/// Both of them, at a time of their own.
pub(crate) struct Pair {
    subject: Subject,
    pub(crate) model: Model,
    timing: Timing,
    pub(crate) now: Instant,
    /// The bytes of whatever was sent first under its name: whatever comes again, comes as it was.
    sent: HashMap<String, Bytes>,
    /// All that has happened, for whoever reads a failure.
    log: Vec<String>,
}

impl Pair {
    pub(crate) fn new(figure: &'static Figure, timing: Timing, over: Reliability) -> Self {
        let now = SimulatedNetwork::new(0).start();
        let subject = Subject::new(figure.kind, now, timing, over);
        let log = vec![format!("{} over {over:?} with {timing:?}", figure.title)];
        let mut pair =
            Self { subject, model: Model::new(figure, timing, over), timing, now, sent: HashMap::new(), log };
        let wanted = pair.model.step(now, Event::Begin, 0);
        pair.compare(None, &wanted);
        pair
    }

    /// Lets something happen now.
    pub(crate) fn input(&mut self, event: Event, code: u16) {
        self.log.push(format!("{:?}: {event} {code} in {}", self.now, self.model.state));
        let told = self.subject.input(self.now, self.timing, event, code);
        let wanted = self.model.step(self.now, event, code);
        self.compare(told, &wanted);
    }

    /// Goes on to when the next timer is due, and lets it fire. Whether one ran.
    pub(crate) fn advance(&mut self) -> bool {
        let Some(due) = self.model.next_due() else { return false };
        self.now = due - Duration::from_nanos(1);
        self.log.push(format!("{:?}: too early in {}", self.now, self.model.state));
        self.subject.machine_mut().handle_timeout(self.now);
        self.compare(None, &Outcome::default());
        self.now = due;
        self.fire();
        true
    }

    fn fire(&mut self) -> Option<Clock> {
        let clock = self.model.firing(self.now)?;
        self.log.push(format!("{:?}: {clock} in {}", self.now, self.model.state));
        self.subject.machine_mut().handle_timeout(self.now);
        let wanted = self.model.step(self.now, Event::Fires(clock), 0);
        self.compare(None, &wanted);
        Some(clock)
    }

    /// Lets time pass without asking what is due, and then what was due happen. The timers that fired.
    pub(crate) fn stall_until(&mut self, now: Instant) -> Vec<Clock> {
        self.now = now;
        std::iter::from_fn(|| self.fire()).take(10).collect()
    }

    /// Lets all timers run that are due before `until`, each at its own instant, and goes on to then.
    pub(crate) fn run_until(&mut self, until: Instant) {
        while self.model.next_due().is_some_and(|due| due <= until) {
            self.advance();
        }
        self.now = until;
    }

    /// Lets all timers run until none does.
    pub(crate) fn run_to_end(&mut self) {
        for _ in 0..1_000 {
            if !self.advance() {
                return;
            }
        }
        panic!("it fires without end: {:#?}", self.log);
    }

    fn compare(&mut self, returned: Option<&str>, wanted: &Outcome) {
        let machine = self.subject.machine_mut();
        let mut seen = Outcome { sent: Vec::new(), told: returned.map(str::to_owned).into_iter().collect() };
        let mut changed = None;
        while let Some(payload) = machine.poll_transmit() {
            let text = String::from_utf8(payload.to_vec()).unwrap();
            let name = text.strip_prefix("SIP/2.0 ").unwrap_or(&text).split(' ').next().unwrap_or_default().to_owned();
            let first = self.sent.entry(name.clone()).or_insert_with(|| payload.clone());
            // The 100 of the machine and that of its user differ: neither has to be like the other.
            if *first != payload && name != "100" {
                changed = Some(name.clone());
            }
            seen.sent.push(name);
        }
        seen.told.extend(std::iter::from_fn(|| machine.poll_event()));
        assert_eq!(changed, None, "it is not sent again as it was: {:#?}", self.log);
        assert_eq!(seen, *wanted, "{:#?}", self.log);
        let subject = &self.subject;
        let state = self.model.state;
        for (answer, wanted) in subject.answers(state) {
            assert_eq!(answer, wanted, "what it says of itself in {state}: {:#?}", self.log);
        }
        assert_eq!(subject.machine().is_terminated(), state == State::Terminated, "{:#?}", self.log);
        assert_eq!(subject.machine().poll_timeout(), self.model.next_due(), "the next timer: {:#?}", self.log);
    }
}

//! A figure carried out: what a machine has to do, by its rows alone.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use blether_transaction_core::{Reliability, Timing};

use super::vocabulary::{Arrow, Clock, Event, Figure, Kind, Sends, Start, State, Tells};

/// What one input brings about, in words. What is told to the user includes what a call of the user's returns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) sent: Vec<String>,
    pub(crate) told: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Model {
    figure: &'static Figure,
    timing: Timing,
    reliability: Reliability,
    pub(crate) state: State,
    /// When each running timer is due, and how long it runs.
    clocks: BTreeMap<Clock, (Instant, Duration)>,
    last_response: String,
}

impl Model {
    pub(crate) fn new(figure: &'static Figure, timing: Timing, reliability: Reliability) -> Self {
        let (clocks, last_response) = (BTreeMap::new(), String::new());
        Self { figure, timing, reliability, state: State::Initial, clocks, last_response }
    }

    /// The row that says what happens next on this event.
    pub(crate) fn row(&self, event: Event) -> &'static Arrow {
        match self.figure.matching(self.state, event, self.reliability)[..] {
            [row] => row,
            ref rows => panic!("{}: {} in {}: {rows:?}", self.figure.title, event, self.state),
        }
    }

    /// Lets something happen; `code` is that of the response, if it is one.
    pub(crate) fn step(&mut self, now: Instant, event: Event, code: u16) -> Outcome {
        let mut outcome = Outcome::default();
        if self.state == State::Terminated {
            outcome.told.extend(matches!(event, Event::Says(_)).then(|| "refused".to_owned()));
            return outcome;
        }
        let row = self.row(event);
        if self.figure.is_nothing(row) {
            outcome.told.extend(matches!(event, Event::Says(_)).then(|| "refused".to_owned()));
            return outcome;
        }
        for sends in row.sends {
            outcome.sent.push(match sends {
                Sends::Request if self.figure.kind == Kind::InviteClient => "INVITE".to_owned(),
                Sends::Request => "OPTIONS".to_owned(),
                Sends::Ack => "ACK".to_owned(),
                Sends::Response => code.to_string(),
                Sends::Last => self.last_response.clone(),
                Sends::Hundred => "100".to_owned(),
            });
            if matches!(sends, Sends::Response | Sends::Hundred) {
                self.last_response.clone_from(outcome.sent.last().unwrap());
            }
        }
        for tells in row.tells {
            outcome.told.push(match tells {
                Tells::Response => format!("told {code}"),
                Tells::TimedOutB => "TimedOut(B)".to_owned(),
                Tells::TimedOutF => "TimedOut(F)".to_owned(),
                Tells::RequestNotSent => "Transport(NetworkUnreachable)".to_owned(),
                Tells::AckNotSent => "AckNotSent(NetworkUnreachable)".to_owned(),
                Tells::ResponseNotSent => "SendFailed(NetworkUnreachable)".to_owned(),
                Tells::NotAcknowledged => "NotAcknowledged".to_owned(),
                Tells::Ack => "ack".to_owned(),
            });
        }
        let fired = match event {
            Event::Fires(clock) => self.clocks.remove(&clock),
            _ => None,
        };
        let before = fired.map_or(Duration::ZERO, |(_, before)| before);
        self.state = row.to;
        self.clocks.retain(|clock, _| self.figure.clocks(row.to).contains(clock));
        let mut at_once = None;
        for (clock, start) in row.starts {
            let wait = start.wait().duration(self.timing, before);
            match (start, self.reliability) {
                (Start::IfUnreliable(_), Reliability::Reliable) => {}
                (Start::ZeroIfReliable(_), Reliability::Reliable) => at_once = Some(*clock),
                _ => _ = self.clocks.insert(*clock, (now + wait, wait)),
            }
        }
        if let Some(clock) = at_once {
            let then = self.step(now, Event::Fires(clock), 0);
            outcome.sent.extend(then.sent);
            outcome.told.extend(then.told);
        }
        outcome
    }

    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.clocks.values().map(|(due, _)| *due).min()
    }

    pub(crate) fn running(&self) -> Vec<Clock> {
        self.clocks.keys().copied().collect()
    }

    pub(crate) fn due(&self, clock: Clock) -> Option<Instant> {
        self.clocks.get(&clock).map(|(due, _)| *due)
    }

    /// Which timer fires at `now`. No RFC says which of two that are due: here it is the one that ends the transaction, so that nothing is
    /// sent by one that is over, and else the one that was due before.
    pub(crate) fn firing(&self, now: Instant) -> Option<Clock> {
        let ends = |clock| self.row(Event::Fires(clock)).to == State::Terminated;
        let due = self.clocks.iter().filter(|(_, (due, _))| *due <= now);
        due.min_by_key(|(clock, (due, _))| (!ends(**clock), *due)).map(|(clock, _)| *clock)
    }
}

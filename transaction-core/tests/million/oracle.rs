//! What a transaction does when, by RFC 3261 §17 with RFC 6026 and RFC 4320, written down a second time with its own figures.

use std::time::{Duration, Instant};

use blether_transaction_core::{Failure, Timer};

const T1: Duration = Duration::from_millis(500);
const T2: Duration = Duration::from_secs(4);
const T4: Duration = Duration::from_secs(5);
/// Timers B, F, H, J, L, M and, on UDP, D.
const LIFE: Duration = Duration::from_secs(32);
/// After which an INVITE without any response of the user gets a 100 (RFC 3261 §17.2.1).
const TRYING: Duration = Duration::from_millis(200);

/// What was seen of a client transaction.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) invite: bool,
    pub(crate) begun: Instant,
    pub(crate) sent: Vec<Instant>,
    pub(crate) provisional: Option<Instant>,
    pub(crate) answered: Option<(Instant, u16)>,
    pub(crate) cancelled: Option<Instant>,
    pub(crate) failed: Option<(Instant, Failure)>,
}

/// What was seen of a server transaction.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) branch: u128,
    pub(crate) invite: bool,
    pub(crate) begun: Instant,
    /// When further copies of the request came.
    pub(crate) copies: Vec<Instant>,
    /// When its user first said anything.
    pub(crate) spoken: Option<Instant>,
    pub(crate) trying: Option<Instant>,
    pub(crate) answered: Option<(Instant, u16)>,
    /// When the final response went.
    pub(crate) sent: Vec<Instant>,
    /// When the first ACK came after that.
    pub(crate) acknowledged: Option<Instant>,
    pub(crate) given_up: Option<Instant>,
}

fn expect<T: PartialEq + std::fmt::Debug>(
    invariant: &str,
    seen: &T,
    wanted: &T,
    of: &dyn std::fmt::Debug,
) -> Result<(), String> {
    if seen == wanted { Ok(()) } else { Err(format!("{invariant}: {seen:?} instead of {wanted:?} in {of:?}")) }
}

/// Holds what was sent against what must have been, up to `end`; at `end` itself either may come first.
fn scheduled(
    invariant: &str,
    sent: &[Instant],
    wanted: &[Instant],
    end: Option<Instant>,
    also: &[Instant],
    of: &dyn std::fmt::Debug,
) -> Result<(), String> {
    let due = |at: &&Instant| end.is_none_or(|end| **at < end);
    let missing = wanted.iter().filter(due).find(|at| !sent.contains(at));
    let stray = sent.iter().find(|at| {
        let in_time = end.is_none_or(|end| **at <= end);
        !(wanted.contains(at) && in_time || also.contains(at))
    });
    match (missing, stray) {
        (None, None) => Ok(()),
        (missing, stray) => Err(format!("{invariant}: missing {missing:?}, too many {stray:?} in {of:?}")),
    }
}

/// The instants of resends: waits that double from T1 up to `longest`, and are `longest` at once after `slow`.
fn resends(begun: Instant, longest: Duration, slow: Option<Instant>) -> Vec<Instant> {
    let (mut at, mut wait, mut all) = (begun, T1, Vec::new());
    loop {
        at += wait;
        if at >= begun + LIFE {
            return all;
        }
        all.push(at);
        wait = if slow.is_some_and(|slow| slow <= at) { longest } else { (wait * 2).min(longest) };
    }
}

impl Asked {
    /// What is wrong with it, now that it is over.
    pub(crate) fn check(&self, over: Instant) -> Result<(), String> {
        let (resend, give_up) = if self.invite { ("Timer A", "Timer B") } else { ("Timer E", "Timer F") };
        let heard = self.provisional.into_iter().chain(self.answered.map(|(at, _)| at)).min();
        let quiet = if self.invite { heard } else { self.answered.map(|(at, _)| at) };
        let (longest, slow) = if self.invite { (LIFE, None) } else { (T2, self.provisional) };
        let mut wanted = vec![self.begun];
        wanted.extend(resends(self.begun, longest, slow));
        scheduled(resend, &self.sent, &wanted, quiet, &[], self)?;
        match (self.answered, self.failed) {
            (None, Some((at, failure))) => {
                let (since, timer) = match (self.invite, self.provisional) {
                    (true, Some(_)) => {
                        (self.cancelled.ok_or_else(|| format!("{give_up}: no CANCEL in {self:?}"))?, Timer::B)
                    }
                    (true, None) => (self.begun, Timer::B),
                    (false, _) => (self.begun, Timer::F),
                };
                expect(give_up, &(at, failure), &(since + LIFE, Failure::TimedOut(timer)), self)?;
                expect("each request ends once", &over, &at, self)
            }
            (Some((at, 200..300)), None) if self.invite => expect("Timer M", &over, &(at + LIFE), self),
            (Some((at, _)), None) if self.invite => expect("Timer D", &over, &(at + LIFE), self),
            (Some((at, _)), None) => expect("Timer K", &over, &(at + T4), self),
            _ => Err(format!("each request ends once: {self:?}")),
        }
    }
}

impl Served {
    /// What is wrong with it, now that it is over.
    pub(crate) fn check(&self, over: Instant) -> Result<(), String> {
        if self.invite {
            let trying = self.begun + TRYING;
            let wanted = self.spoken.is_none_or(|spoken| spoken > trying).then_some(trying);
            if self.spoken != Some(trying) {
                expect("100 Trying", &self.trying, &wanted, self)?;
            }
        }
        match self.answered {
            Some((at, code)) if self.invite && code < 300 => expect("Timer L", &over, &(at + LIFE), self),
            Some((at, _)) if self.invite => {
                let mut wanted = vec![at];
                wanted.extend(resends(at, T2, None));
                scheduled("Timer G", &self.sent, &wanted, self.acknowledged, &self.copies, self)?;
                match self.acknowledged {
                    Some(ack) => {
                        expect("Timer H", &self.given_up, &None, self)?;
                        expect("Timer I", &over, &(ack + T4), self)
                    }
                    None => expect("Timer H", &(self.given_up, over), &(Some(at + LIFE), at + LIFE), self),
                }
            }
            Some((at, _)) => {
                scheduled("Timer J", &self.sent, &[at], None, &self.copies, self)?;
                expect("Timer J", &over, &(at + LIFE), self)
            }
            // RFC 4320 §4.2: nobody waits for it any more.
            None => expect("Timer J", &over, &(self.begun + LIFE), self),
        }
    }
}

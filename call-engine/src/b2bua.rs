//! Calls between extensions: every phone of the callee rings, the first that answers is connected, the others are cancelled.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use blether_session_core::actor::{CallError, CallEvent, Dial, LegKey};
use blether_session_core::{EndCause, NextHop};
use blether_sip_core::{AddressOfRecord, NameAddr, StatusCode, Uri};

use crate::engine::{IncomingCall, address_of};

/// Rings every registered phone of `callee` and connects the caller with the first that answers.
///
/// The caller hears 180 as soon as one rings. A single phone that is heard before it answers (early media) is heard by the caller too; of several,
/// none is. When none is registered it gets 480, when nobody answers within `ring_for` 480, and when all
/// refuse the best of their answers by RFC 3261 §16.7: a 6xx if there is one, else the lowest class. What it is told of that:
///
/// | what became of the phone | the caller gets | because |
/// | --- | --- | --- |
/// | it cannot be reached: nothing can be sent to it, or it has said nothing for 64×T1 | 480 | nobody is there, as if it were not registered |
/// | 503, and it is the only phone | 480 | it speaks of itself, and cannot be reached |
/// | 503, and so all of several, or worse | 500 | RFC 3261 §16.7 step 6: 503 would keep the caller from this server, which serves others |
/// | 403, 404, 408, 410, 433, 480, 486, 488, 6xx | the same | the callee's own word |
/// | 483 | the same | the hops were the caller's |
/// | 500, 502, 504 | the same | it, or what is behind it, has failed |
/// | 405, 406, 415, 420 | 488 | they owe a list of what would do (§21.4.6, §21.4.13, §21.4.15), which is not passed on |
/// | 3xx, and any other 4xx | 480 | a redirection, a challenge or what is wrong with a request of this server's concerns this server alone |
/// | any other 5xx | 500 | likewise |
/// | its answer agrees on nothing, or makes no dialog | 488, 502 | made here |
/// | this server has no port or no transaction left for it | 503 | this server is at its limit, and the next call would be too |
///
/// # Errors
///
/// [`CallError::Refused`] with the status that the caller is to get; whatever else keeps the call from being connected.
pub async fn ring_extension(
    incoming: &mut IncomingCall,
    callee: &AddressOfRecord,
    ring_for: Duration,
) -> Result<(), CallError> {
    let bindings = incoming.engine().location().bindings(callee, Instant::now());
    if bindings.is_empty() {
        return Err(CallError::Refused(StatusCode::TEMPORARILY_UNAVAILABLE));
    }
    let max_forwards = forwards_left(incoming)?;
    let media = incoming.call.offered_media()?;

    let mut forks = Forks::default();
    let mut contacts = BTreeMap::new();
    for binding in bindings.iter() {
        let dial = Dial {
            request_uri: Uri::from(binding.contact.clone()),
            from: incoming.identity_towards(binding.flow),
            to: NameAddr::new(address_of(callee.user(), binding.flow)),
            route: binding.path.iter().cloned().map(NameAddr::new).collect(),
            flow: binding.way(),
            targets: Vec::new(),
            next_hop: NextHop::Flow,
            credentials: None,
            ring_timeout: None,
            max_forwards,
            media: media.clone(),
        };
        match incoming.call.dial(dial).await {
            Ok(leg) => {
                forks.ringing.insert(leg);
                contacts.insert(leg, &binding.contact);
            }
            // One phone less rings; the rest go on.
            Err(CallError::Media(error)) => forks.cannot_be_rung(&error),
            Err(error) => return Err(error),
        }
    }
    forks.alone = forks.ringing.len() == 1;
    let winner = forks.first_answer(incoming, ring_for).await?;
    if let Some(contact) = contacts.get(&winner) {
        incoming.set_answered_by(&contact.to_string());
    }
    incoming.call.bridge(winner).await
}

/// What is left of the request's Max-Forwards for the next hop (RFC 3261 §16.3): a phone that registered our own address as its contact
/// would otherwise make one call ring for ever.
fn forwards_left(incoming: &IncomingCall) -> Result<u8, CallError> {
    let came_with = incoming.call.invite().and_then(|invite| invite.max_forwards()).unwrap_or(70);
    came_with.checked_sub(1).ok_or(CallError::Refused(StatusCode::TOO_MANY_HOPS))
}

/// The legs that ring, and the best refusal so far.
#[derive(Default)]
struct Forks {
    ringing: BTreeSet<LegKey>,
    best: Option<Refusal>,
    /// Whether there is but one phone.
    alone: bool,
}

/// Why a phone does not answer.
#[derive(Clone, Copy)]
struct Refusal {
    /// What the refusal is ranked by.
    status: StatusCode,
    /// What the caller gets if it is the best.
    told: StatusCode,
}

impl Refusal {
    /// This server has no room for the leg.
    const OUR_LIMIT: Self = Self { status: StatusCode::SERVICE_UNAVAILABLE, told: StatusCode::SERVICE_UNAVAILABLE };

    /// See [`ring_extension`]. `alone`: no other phone was rung.
    fn of_phone(status: StatusCode, cause: EndCause, alone: bool) -> Self {
        match cause {
            // Nothing was sent: there was no room for the transaction.
            EndCause::Unreachable(ErrorKind::QuotaExceeded) => Self::OUR_LIMIT,
            // Ranked as the 408 of a phone: it tells nothing about the callee.
            EndCause::Unreachable(_) | EndCause::PeerGone | EndCause::NoAnswer => {
                Self { status: StatusCode::REQUEST_TIMEOUT, told: StatusCode::TEMPORARILY_UNAVAILABLE }
            }
            _ => Self { status, told: for_the_caller(status, alone) },
        }
    }
}

impl Forks {
    async fn first_answer(&mut self, incoming: &mut IncomingCall, ring_for: Duration) -> Result<LegKey, CallError> {
        let deadline = tokio::time::Instant::now() + ring_for;
        let mut told = false;
        while !self.ringing.is_empty() {
            let Ok(event) = tokio::time::timeout_at(deadline, incoming.call.event()).await else {
                self.cancel_all(incoming, EndCause::NoAnswer).await?;
                return Err(CallError::Refused(StatusCode::TEMPORARILY_UNAVAILABLE));
            };
            match event.ok_or(CallError::Ended)? {
                CallEvent::Ringing { .. } if !told => {
                    told = true;
                    incoming.call.ring().await?;
                }
                // With several phones, what the caller was told of one would not fit the one that answers.
                CallEvent::EarlyMedia { leg, .. } if self.alone => incoming.call.pass_early_media(leg).await?,
                CallEvent::EarlyMedia { .. } if !told => {
                    told = true;
                    incoming.call.ring().await?;
                }
                CallEvent::Answered { leg, .. } if self.ringing.remove(&leg) => {
                    self.cancel_all(incoming, EndCause::AnsweredElsewhere).await?;
                    return Ok(leg);
                }
                CallEvent::Refused { leg, status, cause } if self.ringing.remove(&leg) => {
                    tracing::debug!(status = status.code(), %cause, "a phone does not take the call");
                    self.note(Refusal::of_phone(status, cause, self.alone));
                    // A 6xx speaks for the callee, not for one of the phones (RFC 3261 §21.6).
                    if status.code() >= 600 {
                        self.cancel_all(incoming, EndCause::HungUp).await?;
                    }
                }
                _ => {}
            }
        }
        Err(CallError::Refused(self.best.map_or(StatusCode::TEMPORARILY_UNAVAILABLE, |best| best.told)))
    }

    async fn cancel_all(&mut self, incoming: &mut IncomingCall, cause: EndCause) -> Result<(), CallError> {
        for leg in std::mem::take(&mut self.ringing) {
            incoming.call.end_leg(leg, cause).await?;
        }
        Ok(())
    }

    /// No media could be opened for a phone: this server is at its limit, and says so to the caller.
    fn cannot_be_rung(&mut self, why: &dyn std::fmt::Display) {
        tracing::warn!(%why, "a phone cannot be rung");
        self.note(Refusal::OUR_LIMIT);
    }

    fn note(&mut self, refusal: Refusal) {
        self.best = Some(match self.best {
            Some(best) if rank(best.status) <= rank(refusal.status) => best,
            _ => refusal,
        });
    }
}

/// Order of preference among refusals (RFC 3261 §16.7 step 6): 6xx, then the lowest class, and within it what tells most about the callee.
fn rank(status: StatusCode) -> (u8, u16) {
    let code = status.code();
    let class = match code / 100 {
        6 => 0,
        // Redirections are not followed, and told as a 480.
        3 => 4,
        class => class as u8,
    };
    // A challenge or a redirection to us, and time-outs, tell the caller nothing about the callee.
    let within = match code {
        486 => 0,
        300..=399 | 401 | 407 | 408 | 415 | 420 | 484 => 2_000 + code,
        _ => code,
    };
    (class, within)
}

/// What a phone's refusal is to the caller: see the table at [`ring_extension`].
fn for_the_caller(status: StatusCode, alone: bool) -> StatusCode {
    match status.code() {
        403 | 404 | 408 | 410 | 433 | 480 | 483 | 486 | 488 | 500 | 502 | 504 | 600..=699 => status,
        405 | 406 | 415 | 420 => StatusCode::NOT_ACCEPTABLE_HERE,
        503 if alone => StatusCode::TEMPORARILY_UNAVAILABLE,
        ..500 => StatusCode::TEMPORARILY_UNAVAILABLE,
        _ => StatusCode::SERVER_INTERNAL_ERROR,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(code: u16) -> StatusCode {
        StatusCode::new(code).unwrap()
    }

    /// What the caller is told of phones that refuse so.
    fn best_of(codes: &[u16]) -> u16 {
        let mut forks = Forks { alone: codes.len() == 1, ..Forks::default() };
        for status in codes.iter().copied().map(code) {
            forks.note(Refusal::of_phone(status, EndCause::Rejected(status), forks.alone));
        }
        forks.best.unwrap().told.code()
    }

    #[test]
    fn the_caller_hears_the_best_refusal_whatever_their_order() {
        for (codes, best) in [
            (&[486][..], 486),
            (&[480, 486], 486),
            (&[486, 480], 486),
            (&[408, 404], 404),
            (&[503, 486], 486),
            (&[486, 603], 603),
            (&[503, 500], 500),
            (&[503, 502], 502),
            (&[415, 404], 404),
            (&[302, 486], 486),
        ] {
            assert_eq!(best_of(codes), best, "{codes:?}");
        }
    }

    #[test]
    fn each_refusal_of_a_phone_is_told_to_the_caller_as_what_it_means_to_it() {
        for (codes, told) in [
            (&[403, 404, 408, 410, 433, 480, 483, 486, 488, 500, 502, 504, 600, 603, 604, 606, 607][..], None),
            (&[405, 406, 415, 420], Some(488)),
            (&[300, 301, 302, 305, 380], Some(480)),
            (&[400, 401, 402, 407, 413, 414, 416, 421, 422, 423, 481, 482, 484, 485, 487, 491, 493, 499], Some(480)),
            (&[501, 505, 513, 580], Some(500)),
            (&[503], Some(480)),
        ] {
            for &said in codes {
                assert_eq!(best_of(&[said]), told.unwrap_or(said), "{said}");
            }
        }
        assert_eq!(best_of(&[503, 503]), 500, "RFC 3261 §16.7 step 6");
    }

    #[test]
    fn what_kept_a_phone_from_answering_is_told_as_what_it_means_to_the_caller() {
        for (status, cause, told) in [
            (503, EndCause::Unreachable(ErrorKind::ConnectionRefused), 480),
            (503, EndCause::Unreachable(ErrorKind::HostUnreachable), 480),
            (408, EndCause::PeerGone, 480),
            (408, EndCause::NoAnswer, 480),
            // This server's own limit.
            (503, EndCause::Unreachable(ErrorKind::QuotaExceeded), 503),
            (488, EndCause::Failed, 488),
            (502, EndCause::Failed, 502),
            (500, EndCause::Failed, 500),
            // It hung up before it had answered.
            (487, EndCause::HungUp, 480),
        ] {
            for alone in [true, false] {
                assert_eq!(Refusal::of_phone(code(status), cause, alone).told.code(), told, "{cause}");
            }
        }
        // The word of a phone that was reached is worth more, and a phone that is not there more than a server that is full.
        let unreachable = Refusal::of_phone(code(503), EndCause::Unreachable(ErrorKind::TimedOut), false);
        for (other, told) in [(404, 404), (486, 486), (500, 480), (503, 480)] {
            let mut forks = Forks::default();
            forks.note(unreachable);
            forks.note(Refusal::of_phone(code(other), EndCause::Rejected(code(other)), false));
            assert_eq!(forks.best.unwrap().told.code(), told);
        }
    }

    #[test]
    fn a_server_without_ports_says_503_itself() {
        let mut forks = Forks::default();
        forks.cannot_be_rung(&"no port");
        assert_eq!(forks.best.unwrap().told.code(), 503);
    }
}

//! Calls between extensions: every phone of the callee rings, the first that answers is connected, the others are cancelled.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use blether_session_core::actor::{CallError, CallEvent, Dial, LegKey};
use blether_session_core::{EndCause, NextHop};
use blether_sip_core::{AddressOfRecord, NameAddr, StatusCode, Uri};

use crate::engine::{IncomingCall, address_of};

/// Rings every registered phone of `callee` and connects the caller with the first that answers.
///
/// The caller hears 180 as soon as one rings. A single phone that is heard before it answers (early media) is heard by the caller too; of several,
/// none is. When none is registered it gets 480, when nobody answers within `ring_for` 480, and when all
/// refuse the best of their answers by RFC 3261 §16.7: a 6xx if there is one, else the lowest class.
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
            route: Vec::new(),
            flow: binding.way(),
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
                CallEvent::Refused { leg, status } if self.ringing.remove(&leg) => {
                    self.refused_by_phone(status);
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
        self.note(Refusal { status: StatusCode::SERVICE_UNAVAILABLE, told: StatusCode::SERVICE_UNAVAILABLE });
    }

    fn refused_by_phone(&mut self, status: StatusCode) {
        self.note(Refusal { status, told: for_the_caller(status) });
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
        class => class as u8,
    };
    // A challenge to us, and time-outs, tell the caller nothing about the callee.
    let within = match code {
        486 => 0,
        401 | 407 | 408 | 415 | 420 | 484 => 2_000 + code,
        _ => code,
    };
    (class, within)
}

/// What a phone said to us may not mean the same to the caller: a challenge or a redirection concerns this server alone, and so does what is wrong
/// with a request that this server made.
fn for_the_caller(status: StatusCode) -> StatusCode {
    match status.code() {
        300..=399 | 401 | 407 | 481 => StatusCode::TEMPORARILY_UNAVAILABLE,
        // These owe a list of what would do (RFC 3261 §21.4.6, §21.4.13, §21.4.15), which is not passed on.
        405 | 415 | 420 => StatusCode::NOT_ACCEPTABLE_HERE,
        // It would keep the caller from this server, which is able to serve others (§16.7 step 6).
        503 => StatusCode::SERVER_INTERNAL_ERROR,
        _ => status,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best_of(codes: &[u16]) -> u16 {
        let mut forks = Forks::default();
        for &code in codes {
            forks.refused_by_phone(StatusCode::new(code).unwrap());
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
            (&[401], 480),
            (&[302], 480),
        ] {
            assert_eq!(best_of(codes), best, "{codes:?}");
        }
    }

    #[test]
    fn what_is_wrong_between_a_phone_and_this_server_is_not_told_as_if_it_were_the_callers_fault() {
        for (codes, told) in
            [(&[503][..], 500), (&[405], 488), (&[415], 488), (&[420], 488), (&[415, 404], 404), (&[503, 502], 502)]
        {
            assert_eq!(best_of(codes), told, "{codes:?}");
        }
    }

    #[test]
    fn a_server_without_ports_says_503_itself() {
        let mut forks = Forks::default();
        forks.cannot_be_rung(&"no port");
        assert_eq!(forks.best.unwrap().told.code(), 503);
    }
}

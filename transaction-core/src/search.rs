//! A request that has several ways to go: what is left of them, and what makes it take the next (RFC 3263 §4.3).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use blether_sip_core::{Request, Response, RetryAfter, StatusCode};
use blether_sip_transport::Flow;
use blether_sip_transport::resolve::FailingTargets;

use crate::Failure;
use crate::invite_client::ClientEvent;

/// What has become of the way that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Nothing to act upon.
    Goes,
    /// It has answered, and finally: the search is over.
    Over,
    /// It has failed, by the definition of RFC 3263 §4.3.
    Failed(MovedOn),
}

/// Why a request was sent again by another way (RFC 3263 §4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MovedOn {
    /// Nobody has answered, or nothing could be sent.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// The answer was 503, with a Retry-After or without.
    #[error("503")]
    Unavailable {
        /// What its Retry-After says.
        retry_after: Option<Duration>,
    },
}

/// A way that may be tried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    pub(crate) flow: Flow,
    /// It goes by UDP though it is too large for that, because TCP was refused (RFC 3261 §18.1.1).
    pub(crate) whatever_size: bool,
}

/// What a client transaction remembers that may have to begin anew.
#[derive(Debug)]
pub(crate) struct Search {
    /// As its user gave it, without a Via of ours.
    request: Request,
    /// What each branch ends with, behind a dot; empty: nothing.
    pub(crate) mark: String,
    untried: VecDeque<Way>,
    /// Whether the way that was taken has given any response.
    heard: bool,
}

impl Search {
    /// Of a request whose ways are not known yet.
    pub(crate) fn new(request: Request, mark: String) -> Self {
        Self { request, mark, untried: VecDeque::new(), heard: false }
    }

    /// These are the ways, in this order, but those last that have failed of late.
    pub(crate) fn set_ways(&mut self, now: Instant, mut flows: Vec<Flow>, failing: &FailingTargets) {
        failing.put_last(now, &mut flows, |flow| (flow.transport, flow.remote));
        self.untried = flows.into_iter().map(|flow| Way { flow, whatever_size: false }).collect();
    }

    /// The next way, with a copy of the request.
    pub(crate) fn next(&mut self) -> Option<(Request, Way)> {
        self.heard = false;
        Some((self.request.clone(), self.untried.pop_front()?))
    }

    /// Takes this way before the others, by UDP whatever the request's size: TCP is being tried in its place (RFC 3261 §18.1.1).
    pub(crate) fn fall_back_to(&mut self, flow: Flow) {
        self.untried.push_front(Way { flow, whatever_size: true });
    }

    /// The way that was taken has failed. That by UDP, in whose place TCP was tried, is left out unless it was TCP that failed: who does not answer, or
    /// answers 503, does so by TCP, and the request is as large as before (RFC 3261 §18.1.1).
    pub(crate) fn note_failure(&mut self, why: MovedOn) {
        let tcp_failed = matches!(why, MovedOn::Failed(Failure::Transport(_)));
        if !tcp_failed && self.untried.front().is_some_and(|way| way.whatever_size) {
            self.untried.pop_front();
        }
    }

    /// Whether there is another way.
    pub(crate) fn has_more(&self) -> bool {
        !self.untried.is_empty()
    }

    /// Takes in what the transaction on the present way says.
    pub(crate) fn handle(&mut self, event: &ClientEvent) -> Progress {
        match event {
            ClientEvent::Response(response) if response.status() == StatusCode::SERVICE_UNAVAILABLE => {
                Progress::Failed(MovedOn::Unavailable { retry_after: retry_after(response) })
            }
            ClientEvent::Response(response) => {
                self.heard = true;
                if response.status().is_final() { Progress::Over } else { Progress::Goes }
            }
            // "Times out without ever having received any response, provisional or final" (RFC 3263 §4.3).
            ClientEvent::Failed(Failure::TimedOut(_)) if self.heard => Progress::Over,
            ClientEvent::Failed(failure) => Progress::Failed(MovedOn::Failed(*failure)),
            ClientEvent::AckNotSent(_) => Progress::Goes,
        }
    }
}

fn retry_after(response: &Response) -> Option<Duration> {
    // One that cannot be read is none.
    let header = response.headers().get::<RetryAfter>().ok().flatten()?;
    Some(Duration::from_secs(header.seconds.into()))
}

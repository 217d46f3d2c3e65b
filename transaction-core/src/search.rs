//! A request that has several ways to go: what is left of them, and what makes it take the next (RFC 3263 §4.3).

use std::collections::VecDeque;
use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use blether_sip_core::{ByteStr, Method, Request, Response, RetryAfter, StatusCode};
use blether_sip_transport::Flow;
use blether_sip_transport::resolve::{Destination, FailingTargets};

use crate::invite_client::ClientEvent;
use crate::{Failure, LoopMark};

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

/// Where a request is forwarded to by its name.
#[derive(Clone, Debug)]
pub struct Onward {
    /// What is to be located.
    pub destination: Destination,
    /// Whether it may be found on this machine itself (a loopback address): not where a stranger chooses the name.
    pub may_lead_inside: bool,
}

/// What whoever forwards a request puts into the copy that goes by a flow.
pub(crate) type Prepare = Box<dyn Fn(&mut Request, Flow) + Send>;

/// What a client transaction remembers that may have to begin anew.
pub(crate) struct Search {
    /// As its user gave it, without a Via of ours.
    request: Request,
    /// What each branch ends with, if it is forwarded.
    pub(crate) mark: Option<LoopMark>,
    prepare: Option<Prepare>,
    /// Whether its ways may lead to this machine itself.
    may_lead_inside: bool,
    untried: VecDeque<Way>,
    /// Whether the way that was taken has given any response.
    heard: bool,
}

impl Search {
    /// Of a request whose ways are not known yet.
    pub(crate) fn new(request: Request) -> Self {
        Self { request, mark: None, prepare: None, may_lead_inside: true, untried: VecDeque::new(), heard: false }
    }

    /// Of one that is forwarded.
    pub(crate) fn forwarded(request: Request, may_lead_inside: bool, mark: LoopMark, prepare: Option<Prepare>) -> Self {
        Self { mark: Some(mark), prepare, may_lead_inside, ..Self::new(request) }
    }

    /// The Call-ID.
    pub(crate) fn call_id(&self) -> &ByteStr {
        self.request.call_id()
    }

    /// Of which method it is.
    pub(crate) fn method(&self) -> &Method {
        self.request.method()
    }

    /// These are the ways, in this order, but those last that have failed of late.
    pub(crate) fn set_ways(&mut self, now: Instant, mut flows: Vec<Flow>, failing: &FailingTargets) {
        let is_inside = |ip: IpAddr| ip.is_loopback() || ip.is_unspecified();
        flows.retain(|flow| self.may_lead_inside || !is_inside(flow.remote.ip().to_canonical()));
        failing.put_last(now, &mut flows, |flow| (flow.transport, flow.remote));
        self.untried = flows.into_iter().map(|flow| Way { flow, whatever_size: false }).collect();
    }

    /// The next way.
    pub(crate) fn next(&mut self) -> Option<Way> {
        self.heard = false;
        self.untried.pop_front()
    }

    /// The copy that goes by a flow, without a Via of ours.
    pub(crate) fn copy_for(&self, flow: Flow) -> Request {
        let mut copy = self.request.clone();
        if let Some(prepare) = &self.prepare {
            prepare(&mut copy, flow);
        }
        copy
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

impl fmt::Debug for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mark, untried, heard, .. } = self;
        f.debug_struct("Search")
            .field("mark", mark)
            .field("untried", untried)
            .field("heard", heard)
            .finish_non_exhaustive()
    }
}

fn retry_after(response: &Response) -> Option<Duration> {
    // One that cannot be read is none.
    let header = response.headers().get::<RetryAfter>().ok().flatten()?;
    Some(Duration::from_secs(header.seconds.into()))
}

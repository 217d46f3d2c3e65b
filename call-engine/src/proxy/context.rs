//! The response context (RFC 3261 §16.6 to §16.10): what a stateful proxy knows of one request, the branches that it is on, and what came back.
//!
//! Sans-IO: it is told the time, responses and failures, and asked for what to do ([`Action`]). Whoever drives it names branches by the numbers that it gives
//! them, in order from 0.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use blether_sip_core::{MaxBreadth, Method, Request, Response, StatusClass, StatusCode};
use blether_transaction_core::{Failure, NoTarget};

use super::best::best;
use super::target::Target;

/// What a context wants done.
#[derive(Debug)]
pub(super) enum Action {
    /// Forward the request to a target, with this part of its breadth, as the next branch.
    Forward { branch: usize, target: Box<Target>, breadth: MaxBreadth },
    /// Cancel a branch: at once if it has said something provisional, else when it does.
    Cancel { branch: usize },
    /// Pass a response on, or give one.
    Respond(Response),
}

/// How a context behaves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// How long a group of targets may ring before it is cancelled.
    pub(super) ring_for: Duration,
    /// How long a branch of an INVITE may be without a final response after the last provisional one (Timer C).
    pub(super) timer_c: Duration,
}

#[derive(Debug)]
struct Branch {
    state: State,
    /// Timer C; `None` when it is no INVITE, or it is over.
    timer_c: Option<Instant>,
    /// Whether the target was named by a flow.
    by_flow: bool,
}

/// What is known of a branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It has said nothing.
    Calling,
    /// It has said something provisional.
    Proceeding,
    /// Its time is over and it was cancelled; its final response is awaited.
    Cancelling,
    /// Its time is over, and it has said nothing at all: it counts as having said 408 (§16.8). What else it says is not wanted, but a 2xx.
    GivenUp,
    /// It has a final response.
    Answered,
}

impl State {
    fn is_pending(self) -> bool {
        matches!(self, Self::Calling | Self::Proceeding | Self::Cancelling)
    }
}

/// One request and what became of it.
#[derive(Debug)]
pub(super) struct ResponseContext {
    request: Request,
    patience: Patience,
    breadth: MaxBreadth,
    /// What is to be tried when all of this group have refused.
    groups: VecDeque<Vec<Target>>,
    branches: Vec<Branch>,
    /// When the group that rings is given up.
    ring_until: Option<Instant>,
    /// Final responses above 299, until one is chosen.
    refusals: Vec<Response>,
    /// A final response was passed on.
    answered: bool,
    actions: VecDeque<Action>,
}

impl ResponseContext {
    /// Begins with the first group. The request is the one that was received, without what was for us.
    pub(super) fn new(
        now: Instant,
        request: Request,
        groups: Vec<Vec<Target>>,
        breadth: MaxBreadth,
        patience: Patience,
    ) -> Self {
        let mut context = Self {
            request,
            patience,
            breadth,
            groups: groups.into(),
            branches: Vec::new(),
            ring_until: None,
            refusals: Vec::new(),
            answered: false,
            actions: VecDeque::new(),
        };
        context.go_on(now);
        context
    }

    /// The request.
    pub(super) fn request(&self) -> &Request {
        &self.request
    }

    fn is_invite(&self) -> bool {
        *self.request.method() == Method::Invite
    }

    /// Takes in a response of a branch, our Via still on top (§16.7).
    pub(super) fn handle_response(&mut self, now: Instant, branch: usize, mut response: Response) {
        let is_invite = self.is_invite();
        let (answered, timer_c) = (self.answered, self.patience.timer_c);
        let Some(of) = self.branches.get_mut(branch) else { return };
        let status = response.status();
        // Step 3. A response without a second Via can be passed to nobody; a final one ends its branch all the same.
        response.pop_via();
        if !response.has_via() {
            if status.is_final() {
                self.fail(now, branch, StatusCode::BAD_GATEWAY);
            }
            return;
        }
        match status.class() {
            StatusClass::Provisional => {
                if of.state == State::Calling {
                    of.state = State::Proceeding;
                }
                if status == StatusCode::TRYING || of.state != State::Proceeding {
                    return;
                }
                // Step 2. What is cancelled is not given more time.
                of.timer_c = is_invite.then(|| now + timer_c);
                if !answered {
                    self.actions.push_back(Action::Respond(response));
                }
            }
            StatusClass::Success => {
                (of.state, of.timer_c) = (State::Answered, None);
                // Step 5: every 2xx to an INVITE, and the first to anything else.
                if !answered || is_invite {
                    self.actions.push_back(Action::Respond(response));
                }
                self.answered = true;
                self.stop();
            }
            _ => self.refused(now, branch, response),
        }
    }

    /// Takes in that a branch will get no (further) response (§16.9). A transport that failed is a 503, or where the target was a flow a 430 (RFC 5626
    /// §5.3.1), and silence is a 408.
    pub(super) fn handle_failure(&mut self, now: Instant, branch: usize, failure: Failure) {
        let by_flow = self.branches.get(branch).is_some_and(|branch| branch.by_flow);
        let status = match failure {
            Failure::Transport(_) if by_flow => StatusCode::FLOW_FAILED,
            Failure::Transport(_) => StatusCode::SERVICE_UNAVAILABLE,
            // Nobody has said where its next hop is (§21.5.5), or there is no way to where that is.
            Failure::NoTarget(NoTarget::Unanswered) => StatusCode::SERVER_TIMEOUT,
            Failure::NoTarget(_) => StatusCode::BAD_GATEWAY,
            // It was cancelled before it went anywhere, as its sender wanted.
            Failure::Cancelled => StatusCode::REQUEST_TERMINATED,
            _ => StatusCode::REQUEST_TIMEOUT,
        };
        self.fail(now, branch, status);
    }

    /// Takes in that a branch has failed by one of the addresses of its target and goes on by the next (RFC 3263 §4.3): another client transaction, which has
    /// said nothing and has a Timer C of its own (§16.6 step 11).
    pub(super) fn handle_moved_on(&mut self, now: Instant, branch: usize) {
        let timer_c = self.is_invite().then(|| now + self.patience.timer_c);
        let Some(of) = self.branches.get_mut(branch) else { return };
        if matches!(of.state, State::Calling | State::Proceeding) {
            (of.state, of.timer_c) = (State::Calling, timer_c);
        }
    }

    /// Takes in that a branch could not be opened, for want of a way or of room.
    pub(super) fn fail(&mut self, now: Instant, branch: usize, status: StatusCode) {
        let response = Response::to_request(&self.request, status).build();
        self.refused(now, branch, response);
    }

    /// Takes in that a branch is over: nothing will come of it any more. One that has said nothing final until then counts as silent.
    pub(super) fn handle_terminated(&mut self, now: Instant, branch: usize) {
        if self.branches.get(branch).is_some_and(|branch| branch.state.is_pending()) {
            self.fail(now, branch, StatusCode::REQUEST_TIMEOUT);
        }
    }

    /// Takes in that the sender has cancelled its request (§16.10).
    pub(super) fn handle_cancelled(&mut self, now: Instant) {
        self.stop();
        self.settle(now);
    }

    /// Does what is due: Timer C of a branch (§16.8), the patience with a group.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.ring_until.is_some_and(|until| until <= now) {
            self.ring_until = None;
            for branch in 0..self.branches.len() {
                self.give_up(branch);
            }
            self.settle(now);
        }
        for branch in 0..self.branches.len() {
            if self.branches.get(branch).and_then(|branch| branch.timer_c).is_some_and(|due| due <= now) {
                self.give_up(branch);
                self.settle(now);
            }
        }
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.branches.iter().filter_map(|branch| branch.timer_c).chain(self.ring_until).min()
    }

    /// The next thing to do.
    pub(super) fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// A final response above 299 (§16.7 steps 4 to 6).
    fn refused(&mut self, now: Instant, branch: usize, response: Response) {
        let Some(of) = self.branches.get_mut(branch) else { return };
        of.timer_c = None;
        let before = std::mem::replace(&mut of.state, State::Answered);
        if before.is_pending() && !self.answered {
            let is_for_all = response.status().code() >= 600;
            let given_up = before == State::Cancelling && response.status() == StatusCode::REQUEST_TERMINATED;
            self.refusals.push(if given_up { self.timed_out() } else { response });
            if is_for_all {
                self.stop();
            }
        }
        self.settle(now);
    }

    /// Gives a branch up that has taken too long (§16.8): cancelled, its 487 counts as a 408; if it has said nothing, it counts as that at once.
    fn give_up(&mut self, branch: usize) {
        let Some(of) = self.branches.get_mut(branch) else { return };
        of.timer_c = None;
        match of.state {
            State::Calling => of.state = State::GivenUp,
            State::Proceeding => of.state = State::Cancelling,
            State::Cancelling | State::GivenUp | State::Answered => return,
        }
        let silent = of.state == State::GivenUp;
        self.actions.push_back(Action::Cancel { branch });
        if silent {
            let timed_out = self.timed_out();
            self.refusals.push(timed_out);
        }
    }

    fn timed_out(&self) -> Response {
        Response::to_request(&self.request, StatusCode::REQUEST_TIMEOUT).build()
    }

    /// Opens no branch any more and cancels those that are pending (§16.7 step 10).
    fn stop(&mut self) {
        self.groups.clear();
        self.ring_until = None;
        if !self.is_invite() {
            // Nothing else can be cancelled (§9.1).
            return;
        }
        for (branch, _) in self.branches.iter().enumerate().filter(|(_, of)| of.state.is_pending()) {
            self.actions.push_back(Action::Cancel { branch });
        }
    }

    /// Goes on once nothing is pending: with the next group, or with the best of what there is.
    fn settle(&mut self, now: Instant) {
        if self.answered || self.branches.iter().any(|branch| branch.state.is_pending()) {
            return;
        }
        if !self.groups.is_empty() {
            return self.go_on(now);
        }
        self.answered = true;
        self.ring_until = None;
        let best = best(&self.request, &self.refusals);
        self.refusals = Vec::new();
        self.actions.push_back(Action::Respond(best));
    }

    /// Opens the branches of the next group.
    fn go_on(&mut self, now: Instant) {
        let Some(group) = self.groups.pop_front() else { return };
        let is_invite = self.is_invite();
        self.ring_until = is_invite.then(|| now + self.patience.ring_for);
        let count = u32::try_from(group.len()).unwrap_or(u32::MAX);
        // Groups are no larger than the breadth; the branches of an earlier one have given theirs back (RFC 5393 §5.3.3.1).
        let Some(shares) = self.breadth.split(count) else { return };
        for (target, breadth) in group.into_iter().zip(shares) {
            let branch = self.branches.len();
            let timer_c = is_invite.then(|| now + self.patience.timer_c);
            self.branches.push(Branch { state: State::Calling, timer_c, by_flow: target.flow.is_some() });
            self.actions.push_back(Action::Forward { branch, target: Box::new(target), breadth });
        }
    }
}

#[cfg(test)]
mod tests;

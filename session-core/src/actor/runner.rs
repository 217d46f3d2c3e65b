//! The actor's loop: one task that owns every leg of a call and polls its handler beside its mailbox.
//!
//! What each message means for the call is in `steps`; here is only what is waited for and how the call comes to its end.

use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use blether_rtp_core::LegStatistics;
use blether_sip_core::{ByteStr, StatusCode};
use blether_transaction_core::{Rejected, Router, ShardHandle};
use rand::rngs::StdRng;
use tokio::sync::{Notify, mpsc};

use super::bridge::Bridged;
use super::call::{CallError, CallEvent, Op};
use super::dispatcher::{Command, Home};
use super::endpoint::EndpointConfig;
use super::leg::Leg;
use super::mailbox::CallMessage;
use super::witness::Witnessed;
use super::{CallKey, HandlerFuture, LegKey};
use crate::EndCause;

/// What may wait for room in the shard before the call takes in nothing more: several times what the longest step says at once. Beyond, its mailbox
/// fills up, and the shard answers for it.
const OUTBOX: usize = 256;

/// How long a call may exchange messages after its end was decided, beyond 64 × T1 each for an INVITE that nobody answers, its CANCEL, a BYE for
/// which there is no room, and one that nobody answers. Past it something does not keep its timers, and the call is dropped with an error in the log.
const GOODBYE_MARGIN: Duration = Duration::from_secs(8);

/// Messages that are taken in a row before whatever else the call has to do gets its turn: a mailbox that is never empty must not keep the handler and
/// the media waiting. A quarter of what a mailbox holds, and more than a phone sends at once.
const MESSAGES_IN_A_ROW: usize = 16;

/// Work that others do for the call while it goes on.
pub(super) type Chore = Pin<Box<dyn Future<Output = ChoreDone> + Send>>;

pub(super) enum ChoreDone {
    PlanFollowed,
    LegCounted { leg: LegKey, statistics: Option<Box<LegStatistics>> },
    MediaClosed { leg: LegKey, statistics: Option<Box<LegStatistics>> },
}

/// The actor's ends of the queues that lead to and from it.
pub(super) struct Line {
    pub(super) key: CallKey,
    pub(super) call_id: ByteStr,
    pub(super) mailbox: mpsc::Receiver<Box<CallMessage>>,
    pub(super) overrun: Arc<Notify>,
    pub(super) ops: mpsc::Receiver<Box<Op>>,
    pub(super) events: mpsc::Sender<Box<CallEvent>>,
}

/// One call: all its legs, and the handler that runs it.
pub(crate) struct CallActor {
    pub(super) key: CallKey,
    pub(super) call_id: ByteStr,
    pub(super) config: Arc<EndpointConfig>,
    pub(super) rng: StdRng,
    pub(super) shard: ShardHandle<Command>,
    /// The place of that shard among the others.
    pub(super) router: Router,
    /// What the shard is to be told, in order.
    pub(super) outbox: VecDeque<Command>,
    pub(super) mailbox: mpsc::Receiver<Box<CallMessage>>,
    pub(super) overrun: Arc<Notify>,
    pub(super) ops: mpsc::Receiver<Box<Op>>,
    pub(super) events: mpsc::Sender<Box<CallEvent>>,
    pub(super) handler: Option<HandlerFuture>,
    pub(super) witnessed: Witnessed,
    /// Boxed: a node of the tree has room for eleven, and few calls have more than two.
    pub(super) legs: BTreeMap<LegKey, Box<Leg>>,
    /// The two legs that talk to each other.
    pub(super) bridge: Option<Bridged>,
    pub(super) chores: Vec<Chore>,
    /// When legs that were silent from before their answer are looked at again.
    pub(super) silence_due: Option<Instant>,
    /// What woke the call in a row that was none of the handler, its requests and the chores.
    in_a_row: usize,
    /// When the end was decided; from then on there is no handler and no new leg.
    pub(super) ending: Option<Instant>,
}

/// What woke the actor.
enum Woken {
    Message(Option<Box<CallMessage>>),
    Room(bool),
    Op(Option<Box<Op>>),
    Handler(HandlerEnd),
    Chore(ChoreDone),
    Timeout,
    Overrun,
}

enum HandlerEnd {
    Returned(Result<(), CallError>),
    Panicked,
}

impl CallActor {
    pub(super) fn new(line: Line, config: Arc<EndpointConfig>, rng: StdRng, Home { router, shard }: Home) -> Self {
        let Line { key, call_id, mailbox, overrun, ops, events } = line;
        Self {
            key,
            call_id,
            config,
            rng,
            shard,
            router,
            outbox: VecDeque::new(),
            mailbox,
            overrun,
            ops,
            events,
            handler: None,
            witnessed: Witnessed::new(None),
            legs: BTreeMap::new(),
            bridge: None,
            chores: Vec::new(),
            silence_due: None,
            in_a_row: 0,
            ending: None,
        }
    }

    /// Lives until every leg has ended, its media is closed, and the shard has been told all there is to tell.
    pub(crate) async fn run(mut self: Box<Self>) {
        if self.live().await.is_err() {
            tracing::error!(call_id = %self.call_id, "the state of the call failed; the call is dropped");
            metrics::counter!("blether_session_call_panics_total").increment(1);
        }
        self.witnessed.given_up();
        // What came too late finds no dialog.
        self.mailbox.close();
        while let Ok(message) = self.mailbox.try_recv() {
            if let CallMessage::Request { transaction, request, .. } = *message {
                self.tell_shard(Command::NoSuchDialog { transaction, request: Box::new(request) }).await;
            }
        }
        self.tell_shard(Command::CallEnded { call: self.key }).await;
    }

    async fn tell_shard(&mut self, command: Command) {
        if self.shard.send(command).await.is_err() {
            tracing::debug!(call_id = %self.call_id, "the shard stopped before the call");
        }
    }

    async fn live(&mut self) -> Result<(), Panicked> {
        loop {
            self.contained(Self::settle)?;
            if self.is_over() {
                return Ok(());
            }
            let woken = self.wait().await;
            self.contained(|actor| actor.handle(Instant::now(), woken))?;
        }
    }

    /// Runs one step of the protocol cores. A panic in one ends this call and touches no other.
    fn contained(&mut self, step: impl FnOnce(&mut Self)) -> Result<(), Panicked> {
        catch_unwind(AssertUnwindSafe(|| step(self))).map_err(|_| Panicked)
    }

    fn is_over(&self) -> bool {
        let Some(since) = self.ending else { return false };
        if since.elapsed() > self.longest_goodbye() {
            tracing::error!(call_id = %self.call_id, "the call did not end in {:?}; it is dropped", self.longest_goodbye());
            return true;
        }
        self.legs.is_empty() && self.chores.is_empty() && self.outbox.is_empty()
    }

    fn longest_goodbye(&self) -> Duration {
        self.config.timing.sixty_four_t1() * 4 + GOODBYE_MARGIN
    }

    async fn wait(&mut self) -> Woken {
        let goodbye = self.ending.map(|since| since + self.longest_goodbye());
        let bridge = self.bridge.as_ref().and_then(Bridged::poll_timeout);
        let due = self.legs.values().filter_map(|leg| leg.session.poll_timeout());
        let due = due.chain(goodbye).chain(bridge).chain(self.witnessed.poll_timeout()).chain(self.silence_due).min();
        let makes_room = self.outbox.front().is_some_and(Command::makes_room);
        let mut work = pin!(work(&mut self.chores, &mut self.handler, &mut self.ops, self.ending.is_some()));
        if self.in_a_row >= MESSAGES_IN_A_ROW {
            // Whether there is something or not: what keeps the other waiting has the next turn.
            self.in_a_row = 0;
            if let Poll::Ready(woken) = poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await {
                return woken;
            }
        }
        self.in_a_row += 1;
        tokio::select! {
            biased;
            message = self.mailbox.recv(), if self.outbox.len() < OUTBOX => Woken::Message(message),
            () = self.overrun.notified() => Woken::Overrun,
            () = sleep_until(due) => Woken::Timeout,
            // The first in the outbox waits, and may not be let into the reserved room.
            room = self.shard.room(makes_room), if !self.outbox.is_empty() => Woken::Room(room.is_ok()),
            woken = &mut work => {
                self.in_a_row = 0;
                woken
            }
        }
    }

    fn handle(&mut self, now: Instant, woken: Woken) {
        match woken {
            Woken::Message(Some(message)) => {
                self.handle_message(now, *message);
                // A flood of messages must not keep the timers waiting.
                self.handle_timeouts(now);
            }
            // The shard holds the other end for as long as it runs.
            Woken::Message(None) | Woken::Room(false) => self.drop_everything(now),
            // `settle` goes on with the outbox.
            Woken::Room(true) => {}
            Woken::Op(Some(op)) => self.handle_op(now, *op),
            Woken::Op(None) => self.begin_ending(now, EndCause::HungUp),
            Woken::Handler(end) => self.handler_ended(now, end),
            Woken::Chore(ChoreDone::PlanFollowed) => {}
            Woken::Chore(ChoreDone::LegCounted { leg, statistics }) => self.leg_counted(leg, statistics),
            Woken::Chore(ChoreDone::MediaClosed { leg, statistics }) => self.media_closed(leg, statistics),
            Woken::Overrun => self.begin_ending(now, EndCause::Failed),
            Woken::Timeout => self.handle_timeouts(now),
        }
    }

    fn handle_timeouts(&mut self, now: Instant) {
        self.witnessed.handle_timeout(now);
        for leg in self.legs.values_mut() {
            leg.session.handle_timeout(now);
        }
        self.bridge_timeout(now);
        self.silence_timeout(now);
    }

    /// Decides the end of the call: the handler goes, and every leg is refused, cancelled or hung up as its state demands. A second
    /// call does nothing.
    pub(super) fn begin_ending(&mut self, now: Instant, cause: EndCause) {
        if self.ending.is_some() {
            return;
        }
        self.ending = Some(now);
        self.witnessed.ending(now, cause);
        self.drop_handler();
        self.ops.close();
        for leg in self.legs.values_mut() {
            leg.session.end(now, cause);
        }
    }

    /// The endpoint is gone: nobody is left to say goodbye through. Ports and memory come back by dropping.
    fn drop_everything(&mut self, now: Instant) {
        self.begin_ending(now, EndCause::Failed);
        self.legs.clear();
        self.outbox.clear();
        self.chores.clear();
    }

    fn handler_ended(&mut self, now: Instant, end: HandlerEnd) {
        self.drop_handler();
        match end {
            // The call goes on for as long as its handle lives: the handler may have passed it on.
            HandlerEnd::Returned(Ok(())) => {}
            HandlerEnd::Returned(Err(CallError::Ended)) => self.begin_ending(now, EndCause::HungUp),
            HandlerEnd::Returned(Err(error)) => {
                tracing::info!(call_id = %self.call_id, %error, "the handler gave up");
                self.refuse_caller(now, error.status());
                self.begin_ending(now, EndCause::HungUp);
            }
            HandlerEnd::Panicked => {
                tracing::error!(call_id = %self.call_id, "the handler panicked; its call ends, no other is touched");
                metrics::counter!("blether_session_handler_panics_total").increment(1);
                self.refuse_caller(now, StatusCode::SERVER_INTERNAL_ERROR);
                self.begin_ending(now, EndCause::HungUp);
            }
        }
    }

    /// Cancels the handler. What it holds may panic when it goes, and must not keep the call from saying goodbye.
    fn drop_handler(&mut self) {
        let handler = self.handler.take();
        if catch_unwind(AssertUnwindSafe(|| drop(handler))).is_err() {
            tracing::error!(call_id = %self.call_id, "the handler panicked while it was cancelled");
            metrics::counter!("blether_session_handler_panics_total").increment(1);
        }
    }

    /// Refuses the leg that the call began with, if it is an incoming one and has no final answer.
    pub(super) fn refuse_caller(&mut self, now: Instant, status: StatusCode) {
        if let Some(leg) = self.legs.get_mut(&LegKey::PRIMARY) {
            leg.session.reject(now, status);
        }
    }

    /// Sends on what the outbox holds, as far as the shard has room; `wait` waits for more room.
    pub(super) fn flush(&mut self) {
        while let Some(command) = self.outbox.pop_front() {
            // A storm of dialling must not take the room of what ends calls.
            let sent =
                if command.makes_room() { self.shard.try_send_urgent(command) } else { self.shard.try_send(command) };
            match sent {
                Ok(()) => {}
                Err(Rejected::Full(command)) => return self.outbox.push_front(command),
                Err(Rejected::Closed(_)) => return self.outbox.clear(),
            }
        }
    }
}

/// A step of a protocol core panicked.
struct Panicked;

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => pending().await,
    }
}

/// Waits for what the call does beside its messages and its timers.
async fn work(
    chores: &mut Vec<Chore>,
    handler: &mut Option<HandlerFuture>,
    ops: &mut mpsc::Receiver<Box<Op>>,
    is_ending: bool,
) -> Woken {
    tokio::select! {
        biased;
        done = poll_chores(chores, is_ending) => Woken::Chore(done),
        end = poll_handler(handler) => Woken::Handler(end),
        op = ops.recv(), if !is_ending => Woken::Op(op),
    }
}

/// Waits for the first chore that is done and has something to tell, and takes it off the list. One that has nothing to tell is told of only to a
/// call that waits for its end: else a flood of changes would take every turn of the handler.
async fn poll_chores(chores: &mut Vec<Chore>, is_ending: bool) -> ChoreDone {
    poll_fn(|context| {
        let mut index = 0;
        while let Some(chore) = chores.get_mut(index) {
            match chore.as_mut().poll(context) {
                Poll::Pending => index += 1,
                Poll::Ready(done) => {
                    drop(chores.remove(index));
                    if is_ending || !matches!(done, ChoreDone::PlanFollowed) {
                        return Poll::Ready(done);
                    }
                }
            }
        }
        Poll::Pending
    })
    .await
}

/// Polls the handler, containing its panics.
async fn poll_handler(handler: &mut Option<HandlerFuture>) -> HandlerEnd {
    let Some(future) = handler else { return pending().await };
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(result)) => Poll::Ready(HandlerEnd::Returned(result)),
        Err(_) => Poll::Ready(HandlerEnd::Panicked),
    })
    .await
}

#[cfg(test)]
mod tests;

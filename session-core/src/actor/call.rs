//! The handle by which an application runs a call.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use blether_media_core::CommandError;
use blether_rtp_core::{
    JitterConfigError, LegEvent, LegId, LegMode, LegProcessor, LegStatistics, WorkerError, WorkerHandle,
};
use blether_sip_core::sdp::Direction;
use blether_sip_core::{NameAddr, Request, StatusCode, Uri};
use blether_sip_transport::Flow;
use tokio::sync::{mpsc, oneshot};

use super::CallWitness;
use super::mailbox::Mailbox;
use super::media::{Beginning, MediaError, MediaLeg, MediaPort, MediaSource};
use crate::{ClientCredentials, EndCause, MediaCapabilities, MediaPlan, NegotiationError, NextHop, Party};

/// Names one leg of a call. The leg that the call began with is [`LegKey::PRIMARY`]; when it ends, the call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LegKey(pub(crate) u32);

impl LegKey {
    /// The leg that the call began with: the caller's for an incoming call, the dialled one for an outgoing call.
    pub const PRIMARY: Self = Self(0);
}

/// Something that happened to a call, in the order in which it happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum CallEvent {
    /// The phone at the other end of a dialled leg rings (180).
    Ringing {
        /// The leg.
        leg: LegKey,
    },
    /// The phone at the other end of a dialled leg is heard before it answers (183 or 180 with a description): see [`Call::pass_early_media`].
    EarlyMedia {
        /// The leg.
        leg: LegKey,
        /// What its media is until the answer, which may say something else.
        plan: MediaPlan,
    },
    /// A dialled leg was answered, and its media is agreed.
    Answered {
        /// The leg.
        leg: LegKey,
        /// What was agreed.
        plan: MediaPlan,
    },
    /// A dialled leg will not be answered.
    Refused {
        /// The leg.
        leg: LegKey,
        /// Why: the peer's status, 408 for a time-out, 488 when no media could be agreed, 503 when the peer could not be reached.
        status: StatusCode,
        /// [`EndCause::Rejected`] with that status if the peer has said so; else what kept it from answering, and the status is made here.
        cause: EndCause,
    },
    /// The caller has acknowledged our answer; `plan` is there when the agreement was only made then (offer in 200, answer in ACK).
    Confirmed {
        /// The leg.
        leg: LegKey,
        /// What was agreed, if not known before.
        plan: Option<MediaPlan>,
    },
    /// The peer changed the media (re-INVITE or UPDATE); it is in force.
    MediaChanged {
        /// The leg.
        leg: LegKey,
        /// What is agreed from here on.
        plan: MediaPlan,
    },
    /// A leg's media worker reports something: a digit, the end of what was played, the address that was latched.
    Media {
        /// The leg.
        leg: LegKey,
        /// What it was.
        event: LegEvent,
    },
    /// A leg that was answered is over, and its media is closed. The last event of the leg.
    Ended {
        /// The leg.
        leg: LegKey,
        /// Which side ended it.
        by: Party,
        /// Why.
        cause: EndCause,
        /// What its media counted, if it had media.
        statistics: Option<Box<LegStatistics>>,
    },
}

/// Why something could not be done with a call.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The call is over; there is nothing left to do for its handler.
    #[error("the call has ended")]
    Ended,
    /// The call has no such leg, or it has ended.
    #[error("the call has no leg {0:?}")]
    NoSuchLeg(LegKey),
    /// The leg is not in a state in which this makes sense, such as answering twice.
    #[error("the leg is in no state for that: {0}")]
    WrongState(&'static str),
    /// Offer and answer did not come together.
    #[error(transparent)]
    Negotiation(#[from] NegotiationError),
    /// No media could be opened or changed.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// What was agreed on is no codec of this crate's: G.711 it has.
    #[error("the other side agreed to no codec that is there")]
    NoCodec,
    /// A jitter buffer that contradicts itself.
    #[error(transparent)]
    Jitter(#[from] JitterConfigError),
    /// A sound could not be played, or a key not be pressed.
    #[error(transparent)]
    Sound(#[from] CommandError),
    /// The application gives the caller this status.
    #[error("refused with {} {}", .0.code(), .0.reason())]
    Refused(StatusCode),
}

impl From<WorkerError> for CallError {
    fn from(error: WorkerError) -> Self {
        Self::Media(error.into())
    }
}

impl CallError {
    /// The status that a caller hears when its call fails for this reason before it is answered.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Negotiation(_) | Self::NoCodec => StatusCode::NOT_ACCEPTABLE_HERE,
            Self::Media(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Refused(status) => *status,
            Self::Ended | Self::NoSuchLeg(_) | Self::WrongState(_) | Self::Jitter(_) | Self::Sound(_) => {
                StatusCode::SERVER_INTERNAL_ERROR
            }
        }
    }
}

/// Whom to dial, and how.
#[derive(Clone, Debug)]
pub struct Dial {
    /// The Request-URI: for a registered phone its contact.
    pub request_uri: Uri,
    /// Who is calling; a tag is added.
    pub from: NameAddr,
    /// Who is called.
    pub to: NameAddr,
    /// Routes to take (RFC 3261 §8.1.1.1), such as an outbound proxy.
    pub route: Vec<NameAddr>,
    /// The way by which the INVITE goes.
    pub flow: Flow,
    /// Where the way was found by a name ([`Endpoint::locate`](super::Endpoint::locate)): all ways, in the order in which they are tried until one
    /// does not fail (RFC 3263 §4.3), `flow` among them; those that leave from another address of ours than `flow` are not, since Contact and SDP
    /// name that one. Empty: `flow` alone.
    pub targets: Vec<Flow>,
    /// Where later requests of the dialog go.
    pub next_hop: NextHop,
    /// What to answer a 401 or 407 with.
    pub credentials: Option<ClientCredentials>,
    /// How long it may ring; `None` leaves that to the caller.
    pub ring_timeout: Option<Duration>,
    /// The Max-Forwards of the INVITE: for a call passed on, one less than it came with.
    pub max_forwards: u8,
    /// What to offer.
    pub media: MediaCapabilities,
}

/// What a call was placed with, for an incoming call.
pub(crate) struct Incoming {
    /// `None` once it was forgotten.
    pub(crate) invite: Option<Request>,
    pub(crate) flow: Flow,
    pub(crate) witness: Option<Arc<dyn CallWitness>>,
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Incoming").field("invite", &self.invite).field("flow", &self.flow).finish_non_exhaustive()
    }
}

/// Reports that wait while an answer is awaited.
const MOST_WAITING: usize = 256;

/// A leg's media, held until the actor takes it over.
pub(crate) enum Op {
    Ring {
        leg: LegKey,
    },
    /// Send a 183 with the description that `Negotiate` has prepared, which is the same that the 200 will have.
    Progress {
        leg: LegKey,
        /// Whose media it is.
        of: LegKey,
    },
    Reject {
        leg: LegKey,
        status: StatusCode,
    },
    /// Agree on media for a leg of which the peer has made, or expects, an offer.
    Negotiate {
        leg: LegKey,
        capabilities: MediaCapabilities,
        /// Where the leg's media will arrive.
        local: SocketAddr,
        reply: oneshot::Sender<Result<Option<MediaPlan>, CallError>>,
    },
    /// The media of a leg runs, where `Negotiate` has said.
    Media {
        leg: LegKey,
        media: MediaLeg,
    },
    /// Send the 200 that `Negotiate` has prepared.
    Answer {
        leg: LegKey,
        reply: oneshot::Sender<Result<(), CallError>>,
    },
    Dial {
        leg: LegKey,
        dial: Box<Dial>,
        local: SocketAddr,
        media: MediaLeg,
    },
    /// Whichever of the two ends first takes the other along.
    Link {
        a: LegKey,
        b: LegKey,
    },
    End {
        leg: LegKey,
        cause: EndCause,
    },
}

/// Ends a call from outside its handler; clones and repeated use are harmless.
#[derive(Clone, Debug)]
pub struct CallControl {
    pub(crate) ops: mpsc::WeakSender<Box<Op>>,
}

impl CallControl {
    /// Hangs up: refuses, cancels or ends each leg as its state demands. Does nothing for a call that has ended.
    pub async fn hang_up(&self) {
        if let Some(ops) = self.ops.upgrade() {
            // The call may end while the request waits, which is what was wanted.
            let _ = ops.send(Box::new(Op::End { leg: LegKey::PRIMARY, cause: EndCause::HungUp })).await;
        }
    }
}

/// What the handle knows of a leg.
#[derive(Debug)]
struct LegView {
    media: Option<LegId>,
    plan: Option<MediaPlan>,
    local: IpAddr,
}

/// A call, as its application sees it. There is one for each call; dropping it hangs up.
///
/// The call itself lives in an actor: this handle sends it requests and reads its events, so nothing here waits for the peer, but
/// [`Self::event`].
#[derive(Debug)]
pub struct Call {
    ops: mpsc::Sender<Box<Op>>,
    events: mpsc::Receiver<Box<CallEvent>>,
    waiting: VecDeque<CallEvent>,
    mailbox: Mailbox,
    source: Arc<MediaSource>,
    worker: WorkerHandle,
    incoming: Option<Box<Incoming>>,
    /// What its INVITE offers, once that was read.
    offered: OnceLock<MediaCapabilities>,
    /// Boxed, as those of the actor are.
    legs: BTreeMap<LegKey, Box<LegView>>,
    next_leg: u32,
    /// Whether the caller was answered.
    answered: bool,
}

impl std::fmt::Debug for Op {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ring { .. } => "Ring",
            Self::Progress { .. } => "Progress",
            Self::Reject { .. } => "Reject",
            Self::Negotiate { .. } => "Negotiate",
            Self::Media { .. } => "Media",
            Self::Answer { .. } => "Answer",
            Self::Dial { .. } => "Dial",
            Self::Link { .. } => "Link",
            Self::End { .. } => "End",
        })
    }
}

impl Call {
    pub(crate) fn new(
        ops: mpsc::Sender<Box<Op>>,
        events: mpsc::Receiver<Box<CallEvent>>,
        mailbox: Mailbox,
        source: Arc<MediaSource>,
        incoming: Option<Box<Incoming>>,
    ) -> Self {
        let worker = source.workers.worker_for_new_call();
        let mut legs = BTreeMap::new();
        if let Some(incoming) = &incoming {
            let view = LegView { media: None, plan: None, local: incoming.flow.local.ip() };
            legs.insert(LegKey::PRIMARY, Box::new(view));
        }
        let next_leg = legs.len() as u32;
        Self {
            ops,
            events,
            waiting: VecDeque::new(),
            mailbox,
            source,
            worker,
            incoming,
            offered: OnceLock::new(),
            legs,
            next_leg,
            answered: false,
        }
    }

    /// The INVITE that opened an incoming call; `None` for a call that we place, and once it was [forgotten](Self::forget_invite).
    pub fn invite(&self) -> Option<&Request> {
        self.incoming.as_deref()?.invite.as_ref()
    }

    /// Gives back the memory of the INVITE that opened an incoming call, some kilobytes, for a call that is up and may last. What is asked of
    /// it is not known from here on.
    pub fn forget_invite(&mut self) {
        if let Some(incoming) = &mut self.incoming {
            incoming.invite = None;
        }
        self.offered = OnceLock::new();
    }

    /// The user part of the Request-URI of an incoming call: what was dialled.
    pub fn dialled(&self) -> Option<&str> {
        self.invite()?.uri().as_sip()?.user.as_deref()
    }

    /// What the caller offered, or G.711 for a caller that lets us make the offer.
    ///
    /// # Errors
    ///
    /// When the caller's description cannot be read or offers no audio.
    pub fn offered_media(&self) -> Result<MediaCapabilities, CallError> {
        match self.invite() {
            Some(invite) if !invite.body().is_empty() => Ok(self.read_offer(invite)?.clone()),
            _ => Ok(MediaCapabilities::g711()),
        }
    }

    /// What the caller's offer says. It is read once.
    fn read_offer(&self, invite: &Request) -> Result<&MediaCapabilities, NegotiationError> {
        if let Some(offered) = self.offered.get() {
            return Ok(offered);
        }
        let offered = MediaCapabilities::from_offer(invite.body())?;
        Ok(self.offered.get_or_init(|| offered))
    }

    /// A handle that can end this call from elsewhere.
    pub fn control(&self) -> CallControl {
        CallControl { ops: self.ops.downgrade() }
    }

    /// The way into the call's actor.
    #[cfg(test)]
    pub(super) fn mailbox(&self) -> Mailbox {
        self.mailbox.clone()
    }

    /// Waits for the next event; `None` when the call is over. Cancel safe.
    pub async fn event(&mut self) -> Option<CallEvent> {
        let event = match self.waiting.pop_front() {
            Some(event) => event,
            None => self.next_event().await?,
        };
        Some(event)
    }

    async fn next_event(&mut self) -> Option<CallEvent> {
        let event = *self.events.recv().await?;
        match &event {
            CallEvent::EarlyMedia { leg, plan }
            | CallEvent::Answered { leg, plan }
            | CallEvent::MediaChanged { leg, plan } => self.note_plan(*leg, plan),
            CallEvent::Confirmed { leg, plan: Some(plan) } => self.note_plan(*leg, plan),
            CallEvent::Ended { leg, .. } | CallEvent::Refused { leg, .. } => {
                self.legs.remove(leg);
            }
            _ => {}
        }
        Some(event)
    }

    fn note_plan(&mut self, leg: LegKey, plan: &MediaPlan) {
        if let Some(view) = self.legs.get_mut(&leg) {
            view.plan = Some(plan.clone());
        }
    }

    /// Waits until the call is over, dropping its events on the way.
    pub async fn ended(&mut self) {
        while self.event().await.is_some() {}
    }

    /// Tells the caller that it rings (180). A second call sends a second 180.
    ///
    /// # Errors
    ///
    /// [`CallError::Ended`].
    pub async fn ring(&mut self) -> Result<(), CallError> {
        self.send(Op::Ring { leg: LegKey::PRIMARY }).await
    }

    /// Refuses the caller with `status`, which must be a final one above 299. Does nothing once the call is answered.
    ///
    /// # Errors
    ///
    /// [`CallError::Ended`].
    pub async fn reject(&mut self, status: StatusCode) -> Result<(), CallError> {
        self.send(Op::Reject { leg: LegKey::PRIMARY, status }).await
    }

    /// Answers the caller with a leg that `processor` runs, and returns what was agreed. Its port is open and its leg running before
    /// the 200 leaves.
    ///
    /// `capabilities` is what we are able to do; the caller's offer decides the order.
    ///
    /// # Errors
    ///
    /// When no media can be agreed or opened, and when the leg was answered before. The caller has not been told: reject or retry.
    pub async fn answer(
        &mut self,
        capabilities: &MediaCapabilities,
        processor: impl FnOnce(&MediaPlan) -> Box<dyn LegProcessor>,
    ) -> Result<MediaPlan, CallError> {
        self.answer_with(capabilities, |plan| Ok(processor(plan))).await
    }

    pub(super) async fn answer_with(
        &mut self,
        capabilities: &MediaCapabilities,
        processor: impl FnOnce(&MediaPlan) -> Result<Box<dyn LegProcessor>, CallError>,
    ) -> Result<MediaPlan, CallError> {
        // Whichever way the caller wants, now or after a hold.
        let capabilities = capabilities.clone().with_direction(Direction::SendRecv);
        let negotiated = self.negotiate(LegKey::PRIMARY, &capabilities).await?;
        if let Some(plan) = negotiated.plan.clone() {
            let beginning = Beginning::Process(processor(&plan)?);
            self.run_media(LegKey::PRIMARY, negotiated, beginning).await?;
            self.send_answer(LegKey::PRIMARY).await?;
            return Ok(plan);
        }
        self.run_media(LegKey::PRIMARY, negotiated, Beginning::Idle).await?;
        // The caller made no offer: its answer comes with the ACK (RFC 3261 §13.2.1), and what else happens meanwhile waits.
        self.send_answer(LegKey::PRIMARY).await?;
        loop {
            let event = self.next_event().await.ok_or(CallError::Ended)?;
            if let CallEvent::Confirmed { leg: LegKey::PRIMARY, plan: Some(plan) } = &event {
                let plan = plan.clone();
                self.set_processor(LegKey::PRIMARY, processor(&plan)?).await?;
                self.waiting.push_back(event);
                return Ok(plan);
            }
            // Of reports, as many wait as wait elsewhere; what matters about a leg is bounded by itself.
            let report = matches!(event, CallEvent::Media { .. } | CallEvent::Ringing { .. });
            if !report || self.waiting.len() < MOST_WAITING {
                self.waiting.push_back(event);
            } else {
                metrics::counter!("blether_session_call_events_lost_total").increment(1);
            }
        }
    }

    /// Dials another leg. Events tell how it goes on: [`CallEvent::Ringing`], then [`CallEvent::Answered`] or
    /// [`CallEvent::Refused`].
    ///
    /// # Errors
    ///
    /// When no media can be opened, or the call has ended.
    pub async fn dial(&mut self, dial: Dial) -> Result<LegKey, CallError> {
        let leg = LegKey(self.next_leg);
        let local_ip = dial.flow.local.ip();
        let port = MediaPort::open(&self.source, local_ip).map_err(MediaError::from)?;
        let (local, keys) = (port.local, dial.media.telephone_event_payload_type());
        let media = self.open_media(leg, port, keys, None, Beginning::Idle).await?;
        // What could not be opened has used up no name: the first leg that is dialled is the primary one.
        self.next_leg += 1;
        self.legs.insert(leg, Box::new(LegView { media: Some(media.id), plan: None, local: local_ip }));
        self.send(Op::Dial { leg, dial: Box::new(dial), local, media }).await?;
        Ok(leg)
    }

    /// Connects the caller with `leg`, which has been answered: answers the caller with what `leg` agreed to, if that has not been
    /// done, and has the media worker relay between them. From here on, when one of them ends the other does too.
    ///
    /// # Errors
    ///
    /// When the caller cannot do what `leg` agreed to (488), or either has ended.
    pub async fn bridge(&mut self, leg: LegKey) -> Result<(), CallError> {
        let plan = self.legs.get(&leg).and_then(|view| view.plan.clone()).ok_or(CallError::NoSuchLeg(leg))?;
        let unanswered = self.incoming.is_some() && !self.answered;
        if self.legs.get(&LegKey::PRIMARY).ok_or(CallError::Ended)?.media.is_none() {
            let negotiated = self.negotiate(LegKey::PRIMARY, &MediaCapabilities::from_plan(&plan)).await?;
            // What the worker has yet to do of what `leg` agreed to is with it before this, and done before.
            let beginning = Beginning::Bridged(self.media_of(leg)?);
            self.run_media(LegKey::PRIMARY, negotiated, beginning).await?;
        } else {
            // What is relayed since before the answer goes on without a break.
            self.worker.bridge(self.media_of(LegKey::PRIMARY)?, self.media_of(leg)?).await?;
        }
        self.send(Op::Link { a: LegKey::PRIMARY, b: leg }).await?;
        if unanswered {
            self.send_answer(LegKey::PRIMARY).await?;
        }
        Ok(())
    }

    /// Lets the caller hear `leg` before it is answered (183 with a description): its own ringing tone, or why it cannot be reached. To be
    /// used where no other leg may answer, since what the caller is told here is what its 200 will say (RFC 3261 §13.2.1); if the answer of
    /// `leg` says something else, the caller gets that by a re-INVITE. What the caller says is not passed on before [`Self::bridge`]: else
    /// two phones could talk without either ever answering.
    ///
    /// A caller that cannot hear it, having made no offer or one that does not fit, is told that it rings (180) instead. Does nothing
    /// for a caller that has been told a description already.
    ///
    /// # Errors
    ///
    /// When either has ended.
    pub async fn pass_early_media(&mut self, leg: LegKey) -> Result<(), CallError> {
        let plan = self.legs.get(&leg).and_then(|view| view.plan.clone()).ok_or(CallError::NoSuchLeg(leg))?;
        let caller = self.legs.get(&LegKey::PRIMARY).ok_or(CallError::Ended)?;
        if self.answered || caller.media.is_some() {
            return Ok(());
        }
        if self.invite().is_none_or(|invite| invite.body().is_empty()) {
            return self.ring().await;
        }
        match self.relay_to_caller(leg, &plan).await {
            Ok(()) => self.send(Op::Progress { leg: LegKey::PRIMARY, of: leg }).await,
            Err(CallError::Ended) => Err(CallError::Ended),
            Err(error) => {
                tracing::debug!(?leg, %error, "early media is not passed on; the caller is told that it rings");
                self.ring().await
            }
        }
    }

    /// Relays `leg` to the caller, and nothing back.
    async fn relay_to_caller(&mut self, leg: LegKey, plan: &MediaPlan) -> Result<(), CallError> {
        let heard = self.media_of(leg)?;
        let negotiated = self.negotiate(LegKey::PRIMARY, &MediaCapabilities::from_plan(plan)).await?;
        self.run_media(LegKey::PRIMARY, negotiated, Beginning::Idle).await?;
        let to = self.media_of(LegKey::PRIMARY)?;
        Ok(self.worker.set_mode(heard, LegMode::Relay { to }).await?)
    }

    /// Lets `processor` run the media of `leg` from here on.
    ///
    /// # Errors
    ///
    /// When the leg has no media or has ended.
    pub async fn set_processor(&mut self, leg: LegKey, processor: Box<dyn LegProcessor>) -> Result<(), CallError> {
        Ok(self.worker.set_mode(self.media_of(leg)?, LegMode::Process(processor)).await?)
    }

    /// What the media of `leg` has counted so far.
    ///
    /// # Errors
    ///
    /// When the leg has no media or has ended.
    pub async fn statistics(&self, leg: LegKey) -> Result<LegStatistics, CallError> {
        Ok(self.worker.statistics(self.media_of(leg)?).await?)
    }

    /// Ends one leg: cancels it while it rings, hangs it up once it is answered. Ending a leg that has ended does nothing.
    ///
    /// # Errors
    ///
    /// [`CallError::Ended`] when the whole call is over.
    pub async fn end_leg(&mut self, leg: LegKey, cause: EndCause) -> Result<(), CallError> {
        self.send(Op::End { leg, cause }).await
    }

    /// Hangs up the whole call; hanging up twice does nothing. For a handler this is the end: it is dropped where it next waits. Whoever
    /// holds the call outside of a handler still gets the events of the end.
    pub async fn hang_up(&mut self) {
        self.control().hang_up().await;
    }

    /// Opens a port for a leg's media and finds out what is to be done there. It is not to be named before it is [run](Self::run_media).
    async fn negotiate(&mut self, leg: LegKey, capabilities: &MediaCapabilities) -> Result<Negotiated, CallError> {
        let local = self.legs.get(&leg).ok_or(CallError::NoSuchLeg(leg))?.local;
        // The answer uses the numbers of the offer (RFC 3264 §6.1).
        let keys = match self.invite().filter(|invite| !invite.body().is_empty()) {
            Some(invite) => self.read_offer(invite)?.telephone_event_payload_type(),
            None => capabilities.telephone_event_payload_type(),
        };
        let port = MediaPort::open(&self.source, local).map_err(MediaError::from)?;
        let (reply, agreed) = oneshot::channel();
        let (capabilities, local) = (capabilities.clone(), port.local);
        self.send(Op::Negotiate { leg, capabilities, local, reply }).await?;
        let plan = agreed.await.map_err(|_| CallError::Ended)??;
        Ok(Negotiated { port, keys, plan })
    }

    /// Has the worker run what was negotiated; when this returns, it does.
    async fn run_media(
        &mut self,
        leg: LegKey,
        Negotiated { port, keys, plan }: Negotiated,
        beginning: Beginning,
    ) -> Result<(), CallError> {
        let media = self.open_media(leg, port, keys, plan.as_ref(), beginning).await?;
        if let Some(view) = self.legs.get_mut(&leg) {
            (view.media, view.plan) = (Some(media.id), plan);
        }
        self.send(Op::Media { leg, media }).await
    }

    async fn send_answer(&mut self, leg: LegKey) -> Result<(), CallError> {
        if leg == LegKey::PRIMARY
            && let Some(witness) = self.incoming.as_ref().and_then(|incoming| incoming.witness.as_ref())
        {
            witness.answering().await;
        }
        let (reply, sent) = oneshot::channel();
        self.send(Op::Answer { leg, reply }).await?;
        sent.await.map_err(|_| CallError::Ended)??;
        self.answered = true;
        Ok(())
    }

    async fn open_media(
        &self,
        leg: LegKey,
        port: MediaPort,
        telephone_event: Option<u8>,
        plan: Option<&MediaPlan>,
        beginning: Beginning,
    ) -> Result<MediaLeg, CallError> {
        let owner = (self.mailbox.clone(), leg);
        Ok(MediaLeg::run(port, &self.source, &self.worker, owner, telephone_event, plan, beginning).await?)
    }

    fn media_of(&self, leg: LegKey) -> Result<LegId, CallError> {
        self.legs.get(&leg).and_then(|view| view.media).ok_or(CallError::NoSuchLeg(leg))
    }

    async fn send(&self, op: Op) -> Result<(), CallError> {
        self.ops.send(Box::new(op)).await.map_err(|_| CallError::Ended)
    }
}

/// What a leg's media is to be, where it is not run yet.
struct Negotiated {
    port: MediaPort,
    /// The payload type that keys come with.
    keys: Option<u8>,
    /// What was agreed, if the peer has made an offer.
    plan: Option<MediaPlan>,
}

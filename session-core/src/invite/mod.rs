//! One INVITE session at one of its ends: from the first INVITE to the last BYE (RFC 3261 §13, §14, §15).
//!
//! ```text
//!             incoming                                     outgoing
//!                │                                            │ INVITE
//!        ┌───────▼───────┐                            ┌───────▼───────┐  401/407: again
//!        │   Incoming    │                            │   Outgoing    ├──┐
//!        └─┬───────────┬─┘                            └─┬───┬───────┬─┘◄─┘
//!   300-699│           │2xx                          2xx│   │CANCEL │300-699, time-out
//!   487    │     ┌─────▼──────────────────────────────────┐ │       │
//!          │     │ Established (2xx sent or received)     │ │       │
//!          │     └─┬─────────────────────────────────┬────┘ │       │
//!          │       │ BYE sent        BYE received    │   ┌──▼───────┴──┐
//!          │     ┌─▼──────────┐                      │   │ Cancelling  │ 2xx after all: ACK, BYE
//!          │     │  Ending    │◄─────────────────────┼───┤             │
//!          │     └─┬──────────┘                      │   └──┬──────────┘
//!        ┌─▼───────▼─────────────────────────────────▼──────▼──┐
//!        │                    Terminated                       │
//!        └─────────────────────────────────────────────────────┘
//! ```

mod acknowledgement;
mod cancel;
mod established;
mod hang_up;
mod incoming;
mod offers;
mod outgoing;
mod requests;
mod shared;

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use blether_sip_core::{ByteStr, HeaderName, Method, NameAddr, Request, Response, StatusCode, Uri};
use blether_sip_transport::Flow;
use blether_transaction_core::{Failure, ServerTransactionId};
use bytes::Bytes;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use self::cancel::Cancelling;
use self::established::Established;
use self::hang_up::Ending;
use self::incoming::Incoming;
use self::offers::{LocalOffer, RemoteOffer};
use self::outgoing::Outgoing;
use self::shared::Shared;
use crate::client_authentication::ClientCredentials;
use crate::config::{NextHop, SessionConfig};
use crate::dialog::DialogId;
use crate::error::{Refusal, VerbError};

/// What a driver reports of a request that its own table of transactions had no room for: nothing was sent.
pub(crate) const NO_ROOM: Failure = Failure::Transport(io::ErrorKind::QuotaExceeded);

/// Names a request that a session (or a registration) sent, for its responses to be brought back to it. Unique within the
/// machine that gave it out; the driver pairs it with the client transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestToken(pub(crate) u64);

/// One of the two ends of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Party {
    /// This end.
    Local,
    /// The peer.
    Remote,
}

/// Why a session ended. Given to [`InviteSession::end`], it also chooses what the peer is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndCause {
    /// Someone hung up. An unanswered incoming call is refused with 480.
    HungUp,
    /// The caller gave up before anyone answered: CANCEL and 487.
    Cancelled,
    /// The called side refused with this status.
    Rejected(StatusCode),
    /// Another phone took the call (RFC 3326 §2: "Call completed elsewhere").
    AnsweredElsewhere,
    /// Nobody answered in time. An unanswered incoming call is refused with 480.
    NoAnswer,
    /// Our 2xx was not acknowledged within 64×T1 (RFC 3261 §13.3.1.4).
    NotAcknowledged,
    /// The peer answers no more: 408, 481 or silence to a request of ours (RFC 3261 §12.2.1.2).
    PeerGone,
    /// A request of ours could not be sent.
    Unreachable(io::ErrorKind),
    /// Something went wrong at this end. An unanswered incoming call is refused with 500.
    Failed,
}

impl fmt::Display for EndCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HungUp => f.write_str("hung up"),
            Self::Cancelled => f.write_str("cancelled"),
            Self::Rejected(status) => write!(f, "refused with {} {}", status.code(), status.reason()),
            Self::AnsweredElsewhere => f.write_str("answered elsewhere"),
            Self::NoAnswer => f.write_str("no answer"),
            Self::NotAcknowledged => f.write_str("answer was never acknowledged"),
            Self::PeerGone => f.write_str("peer answers no more"),
            Self::Unreachable(kind) => write!(f, "peer cannot be reached: {kind}"),
            Self::Failed => f.write_str("failure at this end"),
        }
    }
}

/// What a call out needs to be made.
#[derive(Debug, Clone)]
pub struct OutgoingInvite {
    /// Whom to call: the Request-URI.
    pub request_uri: Uri,
    /// From. A tag is put in if it has none.
    pub from: NameAddr,
    /// To. A tag is taken out: this is the start of a dialog.
    pub to: NameAddr,
    /// The Call-ID, unique in the world (RFC 3261 §8.1.1.4).
    pub call_id: ByteStr,
    /// Proxies to pass on the way, the nearest first (RFC 3261 §8.1.2).
    pub route: Vec<NameAddr>,
    /// The session description to offer. `None`: the peer is to offer, in its 2xx (RFC 3264 §4, RFC 3261 §13.2.1).
    pub offer: Option<Bytes>,
    /// What answers a 401 or 407. `None`: such a response refuses the call.
    pub credentials: Option<ClientCredentials>,
    /// The way by which the INVITE goes out.
    pub flow: Flow,
    /// How later requests of the dialog find their way.
    pub next_hop: NextHop,
    /// How many proxies the INVITE may pass: 70 (RFC 3261 §8.1.1.6), or for a call that is passed on one less than it came with.
    pub max_forwards: u8,
    /// More headers for the INVITE; the session's own (Via, From, To, Call-ID, CSeq, Contact, …) are not for here.
    pub extra: Vec<(HeaderName, ByteStr)>,
    /// How long to wait for an answer before the call is cancelled. `None`: as long as the peer says that it is ringing.
    pub timeout: Option<Duration>,
}

/// What a session wants done on the network; see [`InviteSession::poll_transmit`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum SessionTransmit {
    /// Send this response in this server transaction.
    Respond {
        /// The transaction.
        transaction: ServerTransactionId,
        /// The response.
        response: Response,
    },
    /// Start a client transaction with this request, and bring what comes of it back under this token.
    Request {
        /// To be given back with the responses.
        token: RequestToken,
        /// The request, without Via.
        request: Request,
        /// The way by which it goes out.
        flow: Flow,
    },
    /// Send this ACK for a 2xx; it has no transaction (RFC 3261 §13.2.2.4).
    Acknowledge {
        /// The ACK, without Via.
        request: Request,
        /// The way by which it goes out.
        flow: Flow,
    },
    /// Cancel the client transaction of this token (RFC 3261 §9.1); nothing is to be done if it is over.
    Cancel {
        /// The token of the INVITE.
        token: RequestToken,
    },
}

/// What has happened in a session; see [`InviteSession::poll_event`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum SessionEvent {
    /// The peer is being alerted (180). Said once for each phone that rings behind a fork.
    Ringing,
    /// The peer has made progress (181 to 183, or 180 with a description).
    Progress {
        /// The session description of early media, if there is one.
        sdp: Option<Bytes>,
    },
    /// The peer has answered our call; its 2xx is acknowledged already, unless [`Offer`](Self::Offer) follows.
    Answered {
        /// The answer to our offer. `None` where we had made none: then `Offer` follows.
        sdp: Option<Bytes>,
    },
    /// The peer has acknowledged our answer.
    Confirmed {
        /// The answer to our offer, where we made one in the 2xx because the INVITE had none.
        sdp: Option<Bytes>,
    },
    /// The peer refuses our call, after authentication was tried: a response of 300 to 699. Where none came, it is made here: 408 for
    /// a time-out (RFC 3261 §8.1.3.1), 503 if the INVITE could not be sent, 502 for a 2xx that makes no dialog.
    Refused {
        /// The response.
        response: Response,
        /// [`EndCause::Rejected`] with its status if the peer has sent it; else why it was made here.
        cause: EndCause,
    },
    /// The peer offers a change of the session (re-INVITE, UPDATE, or a 2xx to an INVITE without offer). To be answered
    /// with [`InviteSession::accept_offer`] or [`InviteSession::refuse_offer`], at once for the UPDATE.
    Offer {
        /// Its session description.
        sdp: Bytes,
    },
    /// The peer wants an offer from us (re-INVITE without one). To be answered like `Offer`, with an offer; the answer comes
    /// as [`OfferAnswered`](Self::OfferAnswered).
    OfferWanted,
    /// The offer, or the wish for one, is taken back by the peer (CANCEL): the session stays as it was.
    OfferWithdrawn,
    /// The peer has answered our offer.
    OfferAnswered {
        /// Its session description. `None`: it accepted and described nothing, which changes nothing.
        sdp: Option<Bytes>,
    },
    /// The peer refuses our offer: the session stays as it was.
    OfferRefused {
        /// The final response.
        response: Response,
    },
    /// The peer sends information in the dialog (RFC 6086 legacy use: DTMF). It has been answered.
    Info {
        /// The media type, in lower case: `application/dtmf-relay` or `application/dtmf`.
        content_type: ByteStr,
        /// The body.
        body: Bytes,
    },
    /// The session is over. Said exactly once, and last. A BYE to a branch of a fork that lost may still be under way: see
    /// [`InviteSession::has_farewells`].
    Ended {
        /// Who ended it.
        by: Party,
        /// Why.
        cause: EndCause,
    },
}

enum State {
    /// UAS: the INVITE has no final response yet.
    Incoming(Box<Incoming>),
    /// UAC: the INVITE has no final response yet.
    Outgoing(Box<Outgoing>),
    /// UAC: the INVITE has no final response yet, and none but a refusal is wanted any more.
    Cancelling(Box<Cancelling>),
    /// There is a 2xx, sent or received, and no BYE.
    Established(Box<Established>),
    /// Our BYE has no final response yet.
    Ending(Box<Ending>),
    Terminated,
}

/// One INVITE session at one of its ends (RFC 3261 §13 to §15), with its dialogs.
///
/// Told of requests, responses and time, it says what is to be sent and what has happened; see the crate's documentation
/// for the contract. The calls of a session must come from one place: the call that owns it.
pub struct InviteSession {
    shared: Shared,
    state: State,
}

impl InviteSession {
    /// Begins a session with an INVITE that has come in outside any dialog (RFC 3261 §13.3.1). `local_tag` is random
    /// text that names our end in all dialogs of this Call-ID.
    ///
    /// Nothing is sent yet: the transaction says 100 if we take our time.
    ///
    /// # Errors
    /// The INVITE cannot make a session: an extension is required that is not supported (420), the body is no session
    /// description (415), Contact or Record-Route are missing or malformed (400), it names a dialog that is not ours (481).
    pub fn incoming(
        now: Instant,
        config: Arc<SessionConfig>,
        transaction: ServerTransactionId,
        invite: Request,
        flow: Flow,
        local_tag: ByteStr,
    ) -> Result<Self, Refusal> {
        let next_hop = config.next_hop;
        let rng = StdRng::seed_from_u64(shared::seed_of(&local_tag));
        let mut shared = Shared::new(config, invite.call_id().clone(), local_tag, flow, next_hop, None, rng);
        let state = Incoming::begin(now, &mut shared, transaction, invite)?;
        Ok(Self { shared, state })
    }

    /// Begins a session by sending an INVITE (RFC 3261 §13.2.1). `rng` gives what must be unguessable or must not repeat.
    ///
    /// An INVITE that cannot be built of what was given ends the session at once with [`EndCause::Failed`]; the log says why.
    pub fn outgoing(now: Instant, config: Arc<SessionConfig>, invite: OutgoingInvite, rng: StdRng) -> Self {
        let (shared, state) = Outgoing::begin(now, config, invite, rng);
        Self { shared, state }
    }

    /// The Call-ID of the session's dialogs.
    pub fn call_id(&self) -> &ByteStr {
        &self.shared.call_id
    }

    /// The tag of our end: with the Call-ID it finds the session that a request within a dialog belongs to.
    pub fn local_tag(&self) -> &ByteStr {
        &self.shared.local_tag
    }

    /// The dialog, from the 2xx on.
    pub fn dialog_id(&self) -> Option<&DialogId> {
        match &self.state {
            State::Established(established) => Some(established.dialog.id()),
            State::Ending(ending) => Some(ending.dialog().id()),
            _ => None,
        }
    }

    /// The way by which the peer was last heard.
    pub fn flow(&self) -> Flow {
        self.shared.flow
    }

    /// The INVITE of an incoming call that is not answered yet.
    pub fn invite(&self) -> Option<&Request> {
        match &self.state {
            State::Incoming(incoming) => Some(&incoming.invite),
            _ => None,
        }
    }

    /// The offer of an incoming call that is not answered yet; `None` also where the INVITE has none, and we are to offer.
    pub fn remote_offer(&self) -> Option<Bytes> {
        self.invite().map(Request::body).filter(|body| !body.is_empty()).cloned()
    }

    /// Whether the call is up: a 2xx was sent or received, and neither side has hung up.
    pub fn is_established(&self) -> bool {
        matches!(self.state, State::Established(_))
    }

    /// Why the session is about to end: it has said CANCEL or BYE, and [`SessionEvent::Ended`] comes when the peer knows, or is given up. `None`
    /// before and after that.
    pub fn ending(&self) -> Option<EndCause> {
        match &self.state {
            State::Cancelling(cancelling) => Some(cancelling.cause()),
            State::Ending(ending) => Some(ending.cause()),
            _ => None,
        }
    }

    /// Whether a BYE of ours is on its way, which [`handle_sent`](Self::handle_sent) has said: the session's media ends with it (RFC 3261 §15.1.1), though its
    /// answer may take a while. One that waits for room has told the peer nothing, and the peer goes on sending.
    pub fn is_hung_up(&self) -> bool {
        matches!(&self.state, State::Ending(ending) if ending.is_sent())
    }

    /// Whether [`SessionEvent::Ended`] has been queued. What is left to transmit should still be.
    pub fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }

    /// Whether branches of a fork that lost have yet to be hung up: a BYE to one waits to be sent, or for what becomes of it (RFC 3261 §13.2.2.4). A
    /// session that is [terminated](Self::is_terminated) may still have some; whoever forgets it before they are told leaves those peers in the call.
    /// Each is told, or given up with a warning in the log, after 64×T1.
    pub fn has_farewells(&self) -> bool {
        self.shared.has_losers()
    }

    /// Tells the caller that the phone rings (180), and again when called again. Does nothing unless an incoming call waits for its
    /// answer.
    pub fn ring(&mut self, now: Instant) {
        self.provisional(now, StatusCode::RINGING, None);
    }

    /// Tells the caller that something goes on (183), with a description of early media if there is any. Does nothing unless an
    /// incoming call waits for its answer.
    ///
    /// It is sent unreliably (RFC 3262 is not supported), so the description must be the same that the answer will have
    /// (RFC 3261 §13.2.1).
    pub fn progress(&mut self, now: Instant, sdp: Option<Bytes>) {
        self.provisional(now, StatusCode::SESSION_PROGRESS, sdp);
    }

    fn provisional(&mut self, now: Instant, status: StatusCode, sdp: Option<Bytes>) {
        if let State::Incoming(incoming) = &mut self.state {
            incoming.provisional(now, &mut self.shared, status, sdp);
        }
    }

    /// Answers an incoming call (200) with the answer to its offer, or with an offer where it had none. The 200 is sent
    /// again until the ACK comes (RFC 3261 §13.3.1.4).
    ///
    /// # Errors
    /// [`VerbError::NotRinging`]: the call is answered, cancelled or outgoing.
    pub fn answer(&mut self, now: Instant, sdp: Bytes) -> Result<(), VerbError> {
        match self.take() {
            State::Incoming(incoming) => {
                self.state = incoming.answer(now, &mut self.shared, sdp);
                Ok(())
            }
            other => self.put_back(other, VerbError::NotRinging),
        }
    }

    /// Refuses an incoming call with a status of 300 to 699; any other is sent as 500. Does nothing unless an incoming call
    /// waits for its answer.
    pub fn reject(&mut self, now: Instant, status: StatusCode) {
        self.reject_with(now, status, &[]);
    }

    /// Refuses like [`reject`](Self::reject), with these headers (Reason, Retry-After, Warning, Contact, …). Headers that belong
    /// to the transaction or break the grammar are left out.
    pub fn reject_with(&mut self, _now: Instant, status: StatusCode, headers: &[(HeaderName, ByteStr)]) {
        let refuses = status.is_final() && !status.is_success();
        let status = if refuses { status } else { StatusCode::SERVER_INTERNAL_ERROR };
        match self.take() {
            State::Incoming(incoming) => {
                self.state =
                    incoming.reject(&mut self.shared, status, headers, Party::Local, EndCause::Rejected(status));
            }
            other => self.state = other,
        }
    }

    /// Ends the session, whatever state it is in: refuses it, cancels it or hangs up (RFC 3261 §15). A second call does
    /// nothing, and so does one when the peer was faster.
    ///
    /// An answered call that is not acknowledged yet is hung up when the ACK comes, or 64×T1 after the answer (§15).
    /// [`SessionEvent::Ended`] comes when the peer knows.
    pub fn end(&mut self, now: Instant, cause: EndCause) {
        let shared = &mut self.shared;
        self.state = match std::mem::replace(&mut self.state, State::Terminated) {
            State::Incoming(incoming) => incoming.end(shared, cause),
            State::Outgoing(outgoing) => outgoing.cancel(shared, Party::Local, cause),
            State::Established(established) => established.end(now, shared, cause),
            unchanged => unchanged,
        };
    }

    /// Offers the peer a change of an established session (re-INVITE, RFC 3261 §14.1), for example to hold it.
    /// The outcome comes as [`SessionEvent::OfferAnswered`] or [`SessionEvent::OfferRefused`]; a collision with
    /// an offer of the peer (491) is tried again here.
    ///
    /// # Errors
    /// [`VerbError::NotEstablished`], or [`VerbError::OfferPending`] while another offer or the ACK is awaited.
    pub fn offer(&mut self, now: Instant, sdp: Bytes) -> Result<(), VerbError> {
        let retries = self.shared.config.offer_retries;
        self.reinvite(now, Some(sdp), retries)
    }

    /// Passes on what the peer of another session offers, or with `None` its wish for an offer, which comes as
    /// [`SessionEvent::Offer`] then. As [`offer`](Self::offer), but a collision is [`SessionEvent::OfferRefused`] with 491 at once: whose
    /// offer it was is told so, and tries again in its own time.
    ///
    /// # Errors
    /// As [`offer`](Self::offer).
    pub fn pass_on_offer(&mut self, now: Instant, sdp: Option<Bytes>) -> Result<(), VerbError> {
        self.reinvite(now, sdp, 0)
    }

    fn reinvite(&mut self, now: Instant, sdp: Option<Bytes>, retries: u8) -> Result<(), VerbError> {
        match self.take() {
            State::Established(established) => {
                let (state, outcome) = established.offer(now, &mut self.shared, sdp, retries);
                self.state = state;
                outcome
            }
            other => self.put_back(other, VerbError::NotEstablished),
        }
    }

    /// Whether [`offer`](Self::offer) would send one: the session is established and confirmed, and no offer is under way.
    pub fn may_offer(&self) -> bool {
        matches!(&self.state, State::Established(established) if established.may_offer())
    }

    /// Whether an offer of ours has met one of the peer (491), and waits to be sent again (RFC 3261 §14.1).
    pub fn is_offer_postponed(&self) -> bool {
        let State::Established(established) = &self.state else { return false };
        established.local_offer.as_ref().is_some_and(LocalOffer::is_postponed)
    }

    /// Takes an offer of ours back. One that is postponed is forgotten, and nothing more is said of it; one that is on its way is cancelled
    /// (RFC 3261 §9.1), and its outcome comes all the same. Does nothing without one.
    pub fn withdraw_offer(&mut self, _now: Instant) {
        if let State::Established(established) = &mut self.state {
            established.withdraw_offer(&mut self.shared);
        }
    }

    /// Whether the offer that [`SessionEvent::Offer`] brought came in an UPDATE, which is to be answered at once (RFC 3311 §5.2) and cannot be
    /// cancelled.
    pub fn is_update_waiting(&self) -> bool {
        let State::Established(established) = &self.state else { return false };
        matches!(&established.remote_offer,
            Some(RemoteOffer::InRequest { request, .. }) if *request.method() == Method::Update)
    }

    /// Accepts what [`SessionEvent::Offer`] brought with this answer, or sends the offer that [`SessionEvent::OfferWanted`]
    /// asks for.
    ///
    /// # Errors
    /// [`VerbError::NoOfferPending`]: it was withdrawn, or the session is over.
    pub fn accept_offer(&mut self, now: Instant, sdp: Bytes) -> Result<(), VerbError> {
        match self.take() {
            State::Established(established) => {
                let (state, outcome) = established.accept_offer(now, &mut self.shared, sdp);
                self.state = state;
                outcome
            }
            other => self.put_back(other, VerbError::NoOfferPending),
        }
    }

    /// Refuses what [`SessionEvent::Offer`] or [`SessionEvent::OfferWanted`] brought, with a status of 300 to 699 (488 as a
    /// rule); the session stays as it was. An offer that came in a 2xx cannot be refused but by hanging up, which is what
    /// happens then (RFC 3261 §13.2.2.4).
    ///
    /// # Errors
    /// [`VerbError::NoOfferPending`]: it was withdrawn, or the session is over. [`VerbError::NotARefusal`]: the status is
    /// not one that refuses.
    pub fn refuse_offer(&mut self, now: Instant, status: StatusCode) -> Result<(), VerbError> {
        if !status.is_final() || status.is_success() {
            return Err(VerbError::NotARefusal);
        }
        match self.take() {
            State::Established(established) => {
                let (state, outcome) = established.refuse_offer(now, &mut self.shared, status);
                self.state = state;
                outcome
            }
            other => self.put_back(other, VerbError::NoOfferPending),
        }
    }

    /// Takes in a request within one of the session's dialogs, in its new server transaction. Every request is answered,
    /// at once or when the user has decided.
    pub fn handle_request(&mut self, now: Instant, transaction: ServerTransactionId, request: Request, flow: Flow) {
        let (shared, request) = (&mut self.shared, &request);
        self.state = match std::mem::replace(&mut self.state, State::Terminated) {
            State::Incoming(incoming) => incoming.handle_request(now, shared, transaction, request, flow),
            State::Outgoing(outgoing) => outgoing.handle_request(now, shared, transaction, request, flow),
            State::Cancelling(cancelling) => cancelling.handle_request(now, shared, transaction, request, flow),
            State::Established(established) => established.handle_request(now, shared, transaction, request, flow),
            State::Ending(ending) => ending.handle_request(now, shared, transaction, request),
            State::Terminated => {
                requests::answer_without_dialog(shared, transaction, request);
                State::Terminated
            }
        };
    }

    /// Takes in the ACK for a 2xx of ours (RFC 3261 §13.3.1.4). One that was seen before changes nothing.
    pub fn handle_ack(&mut self, now: Instant, ack: Request) {
        if let State::Established(_) = &self.state {
            let State::Established(established) = self.take() else { return };
            self.state = established.handle_ack(now, &mut self.shared, &ack);
        }
    }

    /// Takes in that the peer has cancelled its INVITE, which is in this transaction (RFC 3261 §9.2). Too late a CANCEL
    /// changes nothing.
    pub fn handle_cancelled(&mut self, _now: Instant, transaction: ServerTransactionId) {
        match &mut self.state {
            State::Incoming(incoming) if incoming.transaction == transaction => {
                if let State::Incoming(incoming) = self.take() {
                    self.state = incoming.cancelled(&mut self.shared);
                }
            }
            State::Established(established) => established.offer_cancelled(&mut self.shared, transaction),
            _ => {}
        }
    }

    /// Takes in a response to the request of this token: each provisional one, the final one, and each 2xx to an INVITE that
    /// comes after it (resent, or from another branch of a fork).
    pub fn handle_response(&mut self, now: Instant, token: RequestToken, response: Response, _flow: Flow) {
        let (shared, response) = (&mut self.shared, &response);
        if shared.acknowledge_again(token, response) || shared.losers_handle_response(token, response) {
            return;
        }
        self.state = match std::mem::replace(&mut self.state, State::Terminated) {
            State::Outgoing(outgoing) => outgoing.handle_response(now, shared, token, response),
            State::Cancelling(cancelling) => cancelling.handle_response(shared, token, response),
            State::Established(established) => {
                shared.hang_up_other_branch(token, response);
                established.handle_response(now, shared, token, response)
            }
            State::Ending(ending) => {
                shared.hang_up_other_branch(token, response);
                ending.handle_response(shared, token, response)
            }
            State::Terminated => {
                shared.hang_up_other_branch(token, response);
                State::Terminated
            }
            incoming @ State::Incoming(_) => incoming, // has sent no request
        };
    }

    /// Takes in that a client transaction has the request of this token. Of interest for a BYE: see [`is_hung_up`](Self::is_hung_up).
    pub fn handle_sent(&mut self, token: RequestToken) {
        if let State::Ending(ending) = &mut self.state {
            ending.handle_sent(token);
        }
    }

    /// Takes in that the request of this token got no final response: it timed out, or could not be sent. That there was no room for it at this end is
    /// [`Failure::Transport`] with [`QuotaExceeded`](io::ErrorKind::QuotaExceeded): a BYE is then tried again for 64×T1.
    pub fn handle_failure(&mut self, now: Instant, token: RequestToken, failure: Failure) {
        let shared = &mut self.shared;
        shared.losers_handle_failure(now, token, failure);
        self.state = match std::mem::replace(&mut self.state, State::Terminated) {
            State::Outgoing(outgoing) => outgoing.handle_failure(shared, token, failure),
            State::Cancelling(cancelling) => cancelling.handle_failure(shared, token),
            State::Established(established) => established.handle_failure(now, shared, token, failure),
            State::Ending(ending) => ending.handle_failure(now, shared, token, failure),
            unchanged => unchanged,
        };
    }

    /// Takes in that the request of this token goes by this way: the first of its targets that is tried, or the next because the one before has failed
    /// (RFC 3263 §4.3). Of the INVITE that begins the call, what follows goes that way as well: it is that server which answers.
    pub fn handle_way(&mut self, token: RequestToken, flow: Flow) {
        self.shared.goes_by(token, flow);
    }

    /// Takes in that the client transaction of this token is over: to an INVITE, no 2xx can come any more (RFC 6026 §7.2, Timer M), from
    /// whatever branch of a fork, and what one would want is forgotten.
    pub fn handle_transaction_over(&mut self, token: RequestToken) {
        self.shared.forget_invite(token);
    }

    /// Takes in that a refusal of ours (300 to 699) was never acknowledged. It changes nothing: whoever was refused so is gone.
    pub fn handle_not_acknowledged(&mut self, _now: Instant) {}

    /// Does what is due: resends of a 2xx, provisional responses that keep proxies waiting, the end of ringing, an offer or a BYE
    /// that is tried again.
    pub fn handle_timeout(&mut self, now: Instant) {
        let shared = &mut self.shared;
        shared.losers_handle_timeout(now);
        self.state = match std::mem::replace(&mut self.state, State::Terminated) {
            State::Incoming(incoming) => incoming.handle_timeout(now, shared),
            State::Outgoing(outgoing) => outgoing.handle_timeout(now, shared),
            State::Established(established) => established.handle_timeout(now, shared),
            State::Ending(ending) => ending.handle_timeout(now, shared),
            unchanged => unchanged,
        };
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let due = match &self.state {
            State::Incoming(incoming) => incoming.poll_timeout(),
            State::Outgoing(outgoing) => outgoing.poll_timeout(),
            State::Established(established) => established.poll_timeout(),
            State::Ending(ending) => ending.poll_timeout(),
            // The branches that lost may have yet to be told.
            State::Cancelling(_) | State::Terminated => None,
        };
        due.into_iter().chain(self.shared.losers_poll_timeout()).min()
    }

    /// The next thing to be done on the network.
    pub fn poll_transmit(&mut self) -> Option<SessionTransmit> {
        pop(&mut self.shared.transmits)
    }

    /// The next thing that has happened.
    pub fn poll_event(&mut self) -> Option<SessionEvent> {
        pop(&mut self.shared.events)
    }

    fn take(&mut self) -> State {
        std::mem::replace(&mut self.state, State::Terminated)
    }

    fn put_back(&mut self, state: State, error: VerbError) -> Result<(), VerbError> {
        self.state = state;
        Err(error)
    }
}

/// The first of a queue. An empty one keeps no memory: a session has nothing to say for most of its life.
fn pop<T>(queue: &mut VecDeque<T>) -> Option<T> {
    let first = queue.pop_front();
    if first.is_none() {
        *queue = VecDeque::new();
    }
    first
}

impl fmt::Debug for InviteSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Incoming(_) => "Incoming",
            State::Outgoing(_) => "Outgoing",
            State::Cancelling(_) => "Cancelling",
            State::Established(_) => "Established",
            State::Ending(_) => "Ending",
            State::Terminated => "Terminated",
        };
        f.debug_struct("InviteSession")
            .field("call_id", &self.shared.call_id)
            .field("local_tag", &self.shared.local_tag)
            .field("state", &state)
            .finish_non_exhaustive()
    }
}

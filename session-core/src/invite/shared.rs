//! What all states of a session need: its queues, the way to the peer, and the branches of a fork that lost.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Instant;

use blether_sip_core::{
    Allow, Authorization, ByteStr, Contact, HeaderName, Method, NameAddr, ProxyAuthorization, Request, Response,
    ResponseBuilder, Server, StatusCode, UserAgent,
};
use blether_sip_transport::Flow;
use blether_transaction_core::{Failure, ServerTransactionId};
use rand::RngExt as _;
use rand::rngs::StdRng;

use super::hang_up::Departing;
use super::{EndCause, Party, RequestToken, SessionEvent, SessionTransmit, State};
use crate::client_authentication::ClientAuthenticator;
use crate::config::{ALLOWED_METHODS, NextHop, SessionConfig};
use crate::dialog::{Dialog, tag_of};

/// How many ACKs are kept to be sent again: those of the branches of a fork and of the last re-INVITEs.
const MAX_ACKNOWLEDGED: usize = 16;

/// How many branches of a fork are hung up with care (authentication of the BYE) at a time.
const MAX_LOSERS: usize = 16;

/// What all states of a session need.
pub(super) struct Shared {
    pub(super) config: Arc<SessionConfig>,
    pub(super) call_id: ByteStr,
    pub(super) local_tag: ByteStr,
    /// The way by which the peer was last heard.
    pub(super) flow: Flow,
    pub(super) next_hop: NextHop,
    pub(super) authenticator: Option<ClientAuthenticator>,
    pub(super) rng: StdRng,
    pub(super) transmits: VecDeque<SessionTransmit>,
    pub(super) events: VecDeque<SessionEvent>,
    /// The INVITE that began a session of ours, for as long as a 2xx to it may come.
    pub(super) initial: Option<InitialInvite>,
    /// Whether we began the session, and so own its Call-ID (RFC 3261 §14.1).
    pub(super) is_ours: bool,
    acknowledged: VecDeque<Acknowledged>,
    losers: Vec<Departing>,
    next_token: u64,
}

/// The INVITE that we began the session with: 2xx to it may come from several branches of a fork.
pub(super) struct InitialInvite {
    pub(super) token: RequestToken,
    pub(super) request: Request,
    /// The way by which it went out.
    pub(super) flow: Flow,
    /// The To tag of the 2xx that the session goes on with.
    pub(super) won_by: Option<ByteStr>,
}

/// An ACK that is sent again whenever its 2xx is (RFC 3261 §13.2.2.4).
struct Acknowledged {
    token: RequestToken,
    remote_tag: ByteStr,
    ack: Request,
    flow: Flow,
}

impl Shared {
    pub(super) fn new(
        config: Arc<SessionConfig>,
        call_id: ByteStr,
        local_tag: ByteStr,
        flow: Flow,
        next_hop: NextHop,
        authenticator: Option<ClientAuthenticator>,
        rng: StdRng,
    ) -> Self {
        Self {
            config,
            call_id,
            local_tag,
            flow,
            next_hop,
            authenticator,
            rng,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            initial: None,
            is_ours: false,
            acknowledged: VecDeque::new(),
            losers: Vec::new(),
            next_token: 0,
        }
    }

    /// Ends the session: the one place where `Ended` is said.
    pub(super) fn finish(&mut self, by: Party, cause: EndCause) -> State {
        self.events.push_back(SessionEvent::Ended { by, cause });
        State::Terminated
    }

    pub(super) fn tell(&mut self, event: SessionEvent) {
        self.events.push_back(event);
    }

    pub(super) fn respond(&mut self, transaction: ServerTransactionId, response: Response) {
        self.transmits.push_back(SessionTransmit::Respond { transaction, response });
    }

    /// Answers with a status and nothing more.
    pub(super) fn respond_with(&mut self, transaction: ServerTransactionId, request: &Request, status: StatusCode) {
        let response = self.response(request, status).build();
        self.respond(transaction, response);
    }

    /// Begins a response, with what we always say of ourselves.
    pub(super) fn response(&self, request: &Request, status: StatusCode) -> ResponseBuilder {
        let builder = Response::to_request(request, status).to_tag(&self.local_tag);
        if self.config.user_agent.is_empty() { builder } else { builder.header(Server(self.config.user_agent.clone())) }
    }

    /// Begins a response that makes or refreshes a dialog: with Contact and Allow (RFC 3261 §12.1.1, §13.3.1).
    pub(super) fn target_refresh_response(&self, request: &Request, status: StatusCode) -> ResponseBuilder {
        self.response(request, status).header(self.contact()).header(Allow(ALLOWED_METHODS.to_vec()))
    }

    pub(super) fn contact(&self) -> Contact {
        Contact::Address(NameAddr::new(self.config.contact.clone()))
    }

    /// Puts in what a target refresh request says of us (RFC 3261 §12.2.1.1).
    pub(super) fn describe_us(&self, request: &mut Request) {
        request.headers_mut().set(self.contact());
        request.headers_mut().set(Allow(ALLOWED_METHODS.to_vec()));
    }

    /// Sends a request that was not sent before: with credentials where we know that they are wanted.
    pub(super) fn send_fresh(&mut self, request: &mut Request, flow: Flow) -> RequestToken {
        if !self.config.user_agent.is_empty() {
            request.headers_mut().set(UserAgent(self.config.user_agent.clone()));
        }
        if let Some(authenticator) = &mut self.authenticator {
            authenticator.prepare(request);
        }
        self.send(request.clone(), flow)
    }

    /// The INVITE that begins the call goes by this way.
    pub(super) fn goes_by(&mut self, token: RequestToken, flow: Flow) {
        if let Some(initial) = self.initial.as_mut().filter(|initial| initial.token == token) {
            initial.flow = flow;
            self.flow = flow;
        }
    }

    pub(super) fn send(&mut self, request: Request, flow: Flow) -> RequestToken {
        let token = RequestToken(self.next_token);
        self.next_token += 1;
        self.transmits.push_back(SessionTransmit::Request { token, request, flow });
        token
    }

    /// The way for a request of this dialog.
    pub(super) fn flow_of(&self, dialog: &Dialog) -> Flow {
        self.next_hop.flow(self.flow, dialog.first_hop())
    }

    /// Whether a request of this dialog that failed so may arrive by another connection: the one that it went by has ended. The table of
    /// connections uses another that leads there, or opens one (RFC 3261 §18.1.1).
    pub(super) fn may_reach_otherwise(&self, dialog: &Dialog, failure: Failure) -> bool {
        use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, TimedOut};
        self.flow_of(dialog).transport.is_reliable()
            && matches!(failure, Failure::Transport(ConnectionReset | ConnectionAborted | BrokenPipe | TimedOut))
    }

    /// Makes of a challenged request the next try, with credentials (RFC 3261 §22.2); `None` where that is no use.
    /// `next` is the same request with its next CSeq number.
    pub(super) fn authorized(&mut self, mut next: Request, response: &Response) -> Option<Request> {
        let authenticator = self.authenticator.as_mut()?;
        match authenticator.authorize(&mut next, response) {
            Ok(()) => Some(next),
            Err(error) => {
                tracing::debug!(call_id = %self.call_id, %error, "challenge not answered");
                None
            }
        }
    }

    /// Acknowledges a 2xx for the first time: with the credentials of its INVITE (RFC 3261 §13.2.2.4, §22.1) and, where the 2xx
    /// had the offer, the answer.
    pub(super) fn acknowledge(
        &mut self,
        token: RequestToken,
        dialog: &Dialog,
        invite: &Request,
        answer: Option<bytes::Bytes>,
    ) {
        let mut ack = match dialog.acknowledgement(invite.cseq().number) {
            Ok(ack) => ack,
            Err(error) => {
                // The peer gives its 2xx up after 64×T1, and hangs up.
                tracing::warn!(call_id = %self.call_id, %error, "2xx not acknowledged");
                return;
            }
        };
        for name in [HeaderName::Authorization, HeaderName::ProxyAuthorization] {
            copy_credentials(&name, invite, &mut ack);
        }
        if let Some(answer) = answer {
            ack.set_body("application/sdp", answer);
        }
        let flow = self.flow_of(dialog);
        self.transmits.push_back(SessionTransmit::Acknowledge { request: ack.clone(), flow });
        if self.acknowledged.len() >= MAX_ACKNOWLEDGED {
            self.acknowledged.pop_front();
        }
        let remote_tag = dialog.id().remote_tag.clone();
        self.acknowledged.push_back(Acknowledged { token, remote_tag, ack, flow });
    }

    /// Forgets what a 2xx to this INVITE would want: none can come any more.
    pub(super) fn forget_invite(&mut self, token: RequestToken) {
        self.acknowledged.retain(|acknowledged| acknowledged.token != token);
        self.initial.take_if(|initial| initial.token == token && initial.won_by.is_some());
    }

    /// Sends the ACK again if this is a 2xx that was acknowledged before; whether it is.
    pub(super) fn acknowledge_again(&mut self, token: RequestToken, response: &Response) -> bool {
        if !response.status().is_success() {
            return false;
        }
        let tag = tag_of(response.to());
        let known = self.acknowledged.iter().find(|known| known.token == token && known.remote_tag == tag);
        let Some(known) = known else { return false };
        self.transmits.push_back(SessionTransmit::Acknowledge { request: known.ack.clone(), flow: known.flow });
        true
    }

    /// Acknowledges and hangs up a 2xx of another branch of the fork than the one that the session goes on with
    /// (RFC 3261 §13.2.2.4).
    pub(super) fn hang_up_other_branch(&mut self, token: RequestToken, response: &Response) {
        if !response.status().is_success() {
            return;
        }
        let Some(initial) = self.initial.as_ref().filter(|initial| initial.token == token) else { return };
        if initial.won_by.is_none() || initial.won_by == Some(tag_of(response.to())) {
            return;
        }
        let invite = initial.request.clone();
        let dialog = match Dialog::uac(&invite, response) {
            Ok(dialog) => dialog,
            Err(error) => {
                tracing::debug!(call_id = %self.call_id, %error, "2xx of another branch makes no dialog");
                return;
            }
        };
        self.acknowledge(token, &dialog, &invite, None);
        match Departing::begin(self, dialog, EndCause::AnsweredElsewhere) {
            Some(loser) if self.losers.len() < MAX_LOSERS => self.losers.push(loser),
            // Without a record the BYE is sent all the same; only a challenge to it would not be answered.
            _ => {}
        }
    }

    /// Whether the token is that of a BYE to a branch that lost; its response is then dealt with.
    pub(super) fn losers_handle_response(&mut self, token: RequestToken, response: &Response) -> bool {
        let Some(at) = self.losers.iter().position(|loser| loser.token() == token) else { return false };
        if response.status().is_final() {
            let loser = self.losers.swap_remove(at);
            if let Some(again) = loser.challenged(self, response) {
                self.losers.push(again);
            }
        }
        true
    }

    /// Takes in that a BYE to a branch that lost got no answer, if the token is that of one.
    pub(super) fn losers_handle_failure(&mut self, now: Instant, token: RequestToken, failure: Failure) {
        let Some(at) = self.losers.iter().position(|loser| loser.token() == token) else { return };
        let loser = self.losers.swap_remove(at);
        if let Some(again) = loser.failed(now, self, failure) {
            self.losers.push(again);
        }
    }

    /// Whether a BYE to a branch that lost waits to be sent, or for what becomes of it.
    pub(super) fn has_losers(&self) -> bool {
        !self.losers.is_empty()
    }

    /// When a BYE to a branch that lost is tried again.
    pub(super) fn losers_poll_timeout(&self) -> Option<Instant> {
        self.losers.iter().filter_map(Departing::poll_timeout).min()
    }

    pub(super) fn losers_handle_timeout(&mut self, now: Instant) {
        // They need the rest of this while they are gone through.
        let mut losers = std::mem::take(&mut self.losers);
        for loser in &mut losers {
            loser.handle_timeout(now, self);
        }
        self.losers = losers;
    }

    /// A random number of seconds for Retry-After (RFC 3261 §14.2: "between 0 and 10 seconds").
    pub(super) fn retry_after(&mut self) -> u32 {
        self.rng.random_range(0..=10)
    }
}

fn copy_credentials(name: &HeaderName, from: &Request, to: &mut Request) {
    for value in from.headers().raw_all(name) {
        let Ok(credentials) = value.parse() else { continue };
        match name {
            HeaderName::Authorization => to.headers_mut().push(Authorization(credentials)),
            _ => to.headers_mut().push(ProxyAuthorization(credentials)),
        }
    }
}

/// A seed for the random choices of an incoming session (waits, Retry-After) from the one random thing that it is given.
pub(super) fn seed_of(local_tag: &ByteStr) -> u64 {
    let mut hasher = DefaultHasher::new();
    local_tag.hash(&mut hasher);
    hasher.finish()
}

/// The methods that a dialog of ours lets the peer use to change the session.
pub(super) fn is_target_refresh(method: &Method) -> bool {
    matches!(method, Method::Invite | Method::Update)
}

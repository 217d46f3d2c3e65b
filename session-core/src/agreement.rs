//! What one session has agreed to for its media, over all its offers and answers (RFC 3264 §8).

use std::net::SocketAddr;

use bytes::Bytes;

use crate::error::NegotiationError;
use crate::negotiation::{MediaCapabilities, MediaPlan, Negotiation, PendingOffer, ReceivedOffer};

/// Where offer and answer stand in a session: what is agreed, whether an offer of ours is out, and what the peer has asked for last.
///
/// It sits beside an [`InviteSession`](crate::InviteSession), which carries the descriptions. After an error it is as it was before.
#[derive(Debug)]
pub struct Agreement {
    negotiation: Negotiation,
    capabilities: MediaCapabilities,
    /// Where our media arrives; not known before its port is open.
    local: Option<SocketAddr>,
    /// Our offer that awaits its answer: one at a time (RFC 3264 §4).
    pending: Option<PendingOffer>,
    plan: Option<MediaPlan>,
    /// What the peer's last offer asked for, if it was accepted and nothing was agreed since but by such offers.
    wish: Option<MediaCapabilities>,
}

impl Agreement {
    /// Begins with nothing agreed. `session_id` is as for [`Negotiation::new`].
    pub fn new(session_id: u64) -> Self {
        Self {
            negotiation: Negotiation::new(session_id),
            capabilities: MediaCapabilities::g711(),
            local: None,
            pending: None,
            plan: None,
            wish: None,
        }
    }

    /// Says where our media arrives, a port that is open, and what we are able to do there.
    pub fn open(&mut self, capabilities: MediaCapabilities, local: SocketAddr) {
        self.capabilities = capabilities;
        self.local = Some(local);
    }

    /// What we are able to do, as [`open`](Self::open) was told last; G.711 before that.
    pub fn capabilities(&self) -> &MediaCapabilities {
        &self.capabilities
    }

    /// What is in force; it stays so while an offer is out, and when one is refused (RFC 3264 §8).
    pub fn plan(&self) -> Option<&MediaPlan> {
        self.plan.as_ref()
    }

    /// Whether an offer of ours awaits its answer.
    pub fn is_offering(&self) -> bool {
        self.pending.is_some()
    }

    /// Makes an offer. `None` while another of ours awaits its answer, or before [`open`](Self::open).
    pub fn offer(&mut self, capabilities: &MediaCapabilities) -> Option<Bytes> {
        let local = self.local.filter(|_| self.pending.is_none())?;
        let pending = self.negotiation.offer(capabilities, local);
        let description = pending.sdp();
        self.pending = Some(pending);
        Some(description)
    }

    /// Our offer was refused, or is not sent after all: what was agreed stays.
    pub fn offer_refused(&mut self) {
        self.pending = None;
    }

    /// Takes in the answer to our offer. `Ok(None)` when none is out: the description repeats what is known.
    ///
    /// # Errors
    /// It is no answer to what we have offered.
    pub fn apply_answer(&mut self, answer: &[u8]) -> Result<Option<MediaPlan>, NegotiationError> {
        let Some(pending) = self.pending.take() else { return Ok(None) };
        let plan = self.negotiation.apply_answer(pending, answer)?;
        self.plan = Some(plan.clone());
        // An answer says less than the peer may want: its next offer is not to be taken for a repetition.
        self.wish = None;
        Ok(Some(plan))
    }

    /// Takes in a description in a provisional response to our offer, which goes on waiting for its answer: the media of the time before that
    /// (early media, RFC 3960). `Ok(None)` when no offer is out.
    ///
    /// # Errors
    /// It is no answer to what we have offered.
    pub fn apply_early_answer(&mut self, answer: &[u8]) -> Result<Option<MediaPlan>, NegotiationError> {
        let Some(pending) = &self.pending else { return Ok(None) };
        let plan = self.negotiation.preview_answer(pending, answer)?;
        self.plan = Some(plan.clone());
        Ok(Some(plan))
    }

    /// Takes in an offer of the peer.
    ///
    /// # Errors
    /// See [`Negotiation::apply_offer`].
    pub fn apply_offer(&mut self, offer: &[u8]) -> Result<ReceivedOffer, NegotiationError> {
        self.negotiation.apply_offer(offer)
    }

    /// Answers an offer of the peer with what `capabilities` allow.
    ///
    /// # Errors
    /// See [`Negotiation::answer`]; [`NegotiationError::NoAudio`] before [`open`](Self::open).
    pub fn answer(
        &mut self,
        offer: ReceivedOffer,
        capabilities: &MediaCapabilities,
    ) -> Result<(Bytes, MediaPlan), NegotiationError> {
        let local = self.local.ok_or(NegotiationError::NoAudio)?;
        let wish = offer.wishes();
        let (description, plan) = self.negotiation.answer(offer, capabilities, local)?;
        self.plan = Some(plan.clone());
        self.wish = Some(wish);
        Ok((description, plan))
    }

    /// Whether the peer asks with this offer for just what it has asked for before: a refresh of the session (RFC 4028 §7.4), or
    /// media that moves to another address (RFC 3264 §8.3.1).
    pub fn is_repeated_by(&self, offer: &ReceivedOffer) -> bool {
        self.wish.as_ref().is_some_and(|wish| *wish == offer.wishes())
    }
}

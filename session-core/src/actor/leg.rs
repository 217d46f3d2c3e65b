//! One leg of a call inside its actor: the session, what was agreed for its media, and its hold on the worker.

use blether_sip_core::sdp::Direction;
use blether_sip_core::{Contact, Request, StatusCode, Uri};
use bytes::Bytes;

use super::LegKey;
use super::media::MediaLeg;
use super::witness::LegReport;
use crate::{
    EndCause, InviteSession, MediaCapabilities, MediaPlan, Negotiation, NegotiationError, Party, PendingOffer,
};

/// Where offer and answer stand on a leg (RFC 3264 §4: one at a time).
pub(crate) enum Agreement {
    /// Nothing is agreed, and nothing of ours is on its way.
    None,
    /// Our offer awaits its answer.
    Offered(PendingOffer),
    /// Both sides know what is spoken.
    Agreed(MediaPlan),
}

/// A leg as its actor holds it.
pub(crate) struct Leg {
    pub(crate) session: InviteSession,
    /// Who is at its other end: the caller's Contact, or what was dialled.
    pub(crate) peer: Option<Uri>,
    pub(crate) negotiation: Negotiation,
    pub(crate) agreement: Agreement,
    pub(crate) capabilities: MediaCapabilities,
    pub(crate) media: Option<MediaLeg>,
    /// What the INVITE that opened the leg offered.
    pub(crate) offer: Option<Bytes>,
    /// What goes into our 200: an answer, or an offer where the INVITE had none.
    pub(crate) description: Option<Bytes>,
    /// Ends when this leg ends.
    pub(crate) linked: Option<LegKey>,
    /// Why the leg never became a session, once that is decided.
    pub(crate) refused: Option<StatusCode>,
    /// It was answered: its end is `Ended`, and never `Refused`.
    pub(crate) answered: bool,
    /// We have dialled it: unless it is answered, its end is `Refused`.
    pub(crate) dialled: bool,
    /// How it ended, kept until its media has been closed and the application told.
    pub(crate) ended: Option<(Party, EndCause)>,
    /// Nothing is heard of the peer, though something should be.
    pub(crate) silent: bool,
    /// Its session is over and its media is being closed.
    pub(crate) closing: bool,
}

impl Leg {
    pub(crate) fn new(session: InviteSession, negotiation: Negotiation) -> Self {
        Self {
            session,
            peer: None,
            negotiation,
            agreement: Agreement::None,
            capabilities: MediaCapabilities::g711(),
            media: None,
            offer: None,
            description: None,
            linked: None,
            refused: None,
            answered: false,
            dialled: false,
            ended: None,
            silent: false,
            closing: false,
        }
    }

    /// What there is to say of the leg, but for what its media counted; `None` for one that was never answered.
    pub(crate) fn report(&self, key: LegKey) -> Option<LegReport> {
        match &self.agreement {
            Agreement::Agreed(plan) if self.answered || !self.dialled => {
                Some(LegReport { leg: key, peer: self.peer.clone(), plan: plan.clone(), statistics: None })
            }
            _ => None,
        }
    }

    /// Agrees on media with the peer's offer, or makes an offer where the INVITE had none, and keeps the description for the 200.
    /// `None` when the agreement waits for the peer's answer.
    ///
    /// # Errors
    ///
    /// When nothing can be agreed; the leg is as it was, and `media` is closed.
    pub(crate) fn negotiate(
        &mut self,
        capabilities: MediaCapabilities,
        media: MediaLeg,
    ) -> Result<Option<MediaPlan>, NegotiationError> {
        let plan = match &self.offer {
            Some(offer) => {
                let received = self.negotiation.apply_offer(offer)?;
                let (description, plan) = self.negotiation.answer(received, &capabilities, media.local)?;
                self.description = Some(description);
                self.agreement = Agreement::Agreed(plan.clone());
                Some(plan)
            }
            None => {
                let pending = self.negotiation.offer(&capabilities, media.local);
                self.description = Some(pending.sdp());
                self.agreement = Agreement::Offered(pending);
                None
            }
        };
        self.capabilities = capabilities;
        self.media = Some(media);
        Ok(plan)
    }

    /// Answers an offer that the peer makes within the session.
    ///
    /// # Errors
    ///
    /// When nothing can be agreed, or the leg has no media; what was agreed stays.
    pub(crate) fn answer_offer(&mut self, sdp: &[u8]) -> Result<(Bytes, MediaPlan), NegotiationError> {
        let media = self.media.as_ref().ok_or(NegotiationError::NoAudio)?;
        let received = self.negotiation.apply_offer(sdp)?;
        let (description, plan) = self.negotiation.answer(received, &self.changeable(), media.local)?;
        self.agreement = Agreement::Agreed(plan.clone());
        Ok((description, plan))
    }

    /// Makes an offer within the session. `None` while another is on its way, or when the leg has no media.
    pub(crate) fn offer_again(&mut self) -> Option<Bytes> {
        let media = self.media.as_ref()?;
        if matches!(self.agreement, Agreement::Offered(_)) {
            return None;
        }
        let pending = self.negotiation.offer(&self.changeable(), media.local);
        let description = pending.sdp();
        self.agreement = Agreement::Offered(pending);
        Some(description)
    }

    /// What the peer may change to: what the leg could do from the start, but on a bridge just what is agreed, since the other side
    /// speaks that.
    fn changeable(&self) -> MediaCapabilities {
        match &self.agreement {
            // Which way it goes is the peer's to say anew each time; what was agreed before does not bind it (RFC 3264 §8.4).
            Agreement::Agreed(plan) if self.linked.is_some() => {
                MediaCapabilities::from_plan(plan).with_direction(Direction::SendRecv)
            }
            _ => self.capabilities.clone(),
        }
    }

    /// Takes in the answer to our pending offer.
    ///
    /// # Errors
    ///
    /// When it is no answer to what we offered. `Ok(None)` when we have no offer out: the description repeats what is known.
    pub(crate) fn apply_answer(&mut self, sdp: &[u8]) -> Result<Option<MediaPlan>, NegotiationError> {
        match std::mem::replace(&mut self.agreement, Agreement::None) {
            Agreement::Offered(pending) => {
                let plan = self.negotiation.apply_answer(pending, sdp)?;
                self.agreement = Agreement::Agreed(plan.clone());
                Ok(Some(plan))
            }
            other => {
                self.agreement = other;
                Ok(None)
            }
        }
    }
}

/// The address in the Contact of a request that opens a dialog.
pub(crate) fn contact_uri(invite: &Request) -> Option<Uri> {
    // One that cannot be read is no reason to refuse the call here; the dialog looks at it too.
    match invite.headers().get::<Contact>() {
        Ok(Some(Contact::Address(contact))) => Some(contact.uri),
        _ => None,
    }
}

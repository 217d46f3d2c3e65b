//! One leg of a call inside its actor: the session, what was agreed for its media, and its hold on the worker.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use blether_rtp_core::LegStatistics;
use blether_sip_core::{Contact, Request, StatusCode, Uri};
use blether_sip_transport::Flow;
use bytes::Bytes;

use super::LegKey;
use super::media::MediaLeg;
use super::witness::LegReport;
use crate::{Agreement, EndCause, InviteSession, MediaCapabilities, MediaPlan, NegotiationError, Party};

/// A leg as its actor holds it.
pub(crate) struct Leg {
    pub(crate) session: InviteSession,
    /// Who is at its other end: the caller's Contact, or what was dialled.
    pub(crate) peer: Option<Uri>,
    pub(crate) agreement: Agreement,
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
    /// When it was answered, by us or by its peer.
    pub(crate) talks_since: Option<Instant>,
    /// We have dialled it: unless it is answered, its end is `Refused`.
    pub(crate) dialled: bool,
    /// The ways for its INVITE, where it was located, until that is sent.
    pub(crate) targets: Vec<Flow>,
    /// How it ended, kept until its media has been closed and the application told.
    pub(crate) ended: Option<(Party, EndCause)>,
    /// The application has been told of its end; it is kept for the branches of a fork that have yet to be hung up.
    pub(crate) told: bool,
    /// Nothing is heard of the peer, though something should be.
    pub(crate) silent: bool,
    /// Nothing at all has come of the peer for long.
    pub(crate) gone: bool,
    /// Its media is being closed.
    pub(crate) closing: bool,
    /// What its media counted, once that has been closed.
    pub(crate) statistics: Option<Box<LegStatistics>>,
    /// The call's end waits for what its media has counted so far.
    pub(crate) is_awaited: bool,
}

impl Leg {
    pub(crate) fn new(session: InviteSession, agreement: Agreement) -> Self {
        Self {
            session,
            peer: None,
            agreement,
            media: None,
            offer: None,
            description: None,
            linked: None,
            refused: None,
            answered: false,
            talks_since: None,
            dialled: false,
            targets: Vec::new(),
            ended: None,
            told: false,
            silent: false,
            gone: false,
            closing: false,
            statistics: None,
            is_awaited: false,
        }
    }

    /// What there is to say of the leg, with what its media counted if that is closed; `None` for one that was never answered.
    pub(crate) fn report(&self, key: LegKey) -> Option<LegReport> {
        let plan = self.agreement.plan().filter(|_| self.answered || !self.dialled)?.clone();
        Some(LegReport { leg: key, peer: self.peer.clone(), plan, statistics: self.statistics.clone() })
    }

    /// Agrees on media at `local` with the peer's offer, or makes an offer where the INVITE had none, and keeps the description for the 200.
    /// `None` when the agreement waits for the peer's answer.
    ///
    /// # Errors
    ///
    /// When nothing can be agreed; the leg is as it was.
    pub(crate) fn negotiate(
        &mut self,
        capabilities: MediaCapabilities,
        local: SocketAddr,
    ) -> Result<Option<MediaPlan>, NegotiationError> {
        self.agreement.open(capabilities.clone(), local);
        let plan = match &self.offer {
            Some(offer) => {
                let received = self.agreement.apply_offer(offer)?;
                let (description, plan) = self.agreement.answer(received, &capabilities)?;
                self.description = Some(description);
                Some(plan)
            }
            None => {
                // One that was made before, and not sent, is made anew for this port.
                self.agreement.offer_refused();
                self.description = self.agreement.offer(&capabilities);
                None
            }
        };
        Ok(plan)
    }

    /// Answers an offer that the peer makes within a session that is not bridged, with what the leg could do from the start.
    ///
    /// # Errors
    ///
    /// When nothing can be agreed, or the leg has no media; what was agreed stays.
    pub(crate) fn answer_offer(&mut self, sdp: &[u8]) -> Result<(Bytes, MediaPlan), NegotiationError> {
        let received = self.agreement.apply_offer(sdp)?;
        let capabilities = self.agreement.capabilities().clone();
        self.agreement.answer(received, &capabilities)
    }

    /// Makes an offer within a session that is not bridged. `None` while another is on its way, or when the leg has no media.
    pub(crate) fn offer_again(&mut self) -> Option<Bytes> {
        let capabilities = self.agreement.capabilities().clone();
        self.agreement.offer(&capabilities)
    }

    /// Whether its peer may be taken for gone. One that is on hold need not say anything for a good while.
    pub(crate) fn is_deserted(&self) -> bool {
        if self.is_listening() { self.silent } else { self.gone }
    }

    /// From when on its peer may be taken for gone, with what is waited for one that is to be heard, and for one that is not; `None` if it may
    /// not. Before the answer most phones send nothing, so what was not heard by then is waited for anew.
    pub(crate) fn deserted_from(&self, silent: Duration, gone: Duration) -> Option<Instant> {
        let patience = if self.is_listening() { silent } else { gone };
        self.talks_since.filter(|_| self.is_deserted())?.checked_add(patience)
    }

    /// Whether something is to be heard of the peer.
    pub(crate) fn is_listening(&self) -> bool {
        self.agreement.plan().is_none_or(|plan| plan.direction.receives())
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Each call that lasts holds two.
    #[test]
    fn a_leg_of_a_call_is_small() {
        assert!(size_of::<Leg>() <= 2_304, "{} bytes", size_of::<Leg>());
    }
}

//! Sound on a call: a source to speak from and a sink to listen with, whatever codec is agreed.

use std::fmt;
use std::time::Instant;

use blether_media_core::{
    AudioLeg, AudioLegConfig, AudioLegHandle, AudioSink, AudioSource, Codec, NullSink, SilenceSource,
};
use blether_rtp_core::{JitterConfig, LegEvent, LegProcessor};

use super::call::{Call, CallError, CallEvent, LegKey};
use crate::{MediaCapabilities, MediaPlan};

/// Where the sound of a leg comes from, and where it goes.
pub struct Audio {
    /// What the other side hears.
    pub source: Box<dyn AudioSource>,
    /// What is done with what the other side says.
    pub sink: Box<dyn AudioSink>,
    /// How what is heard is delayed to hide jitter.
    pub jitter: JitterConfig,
}

impl Audio {
    /// From `source`, to `sink`.
    pub fn new(source: impl AudioSource + 'static, sink: impl AudioSink + 'static) -> Self {
        Self { source: Box::new(source), sink: Box::new(sink), jitter: JitterConfig::default() }
    }

    /// Says what `source` has, and hears nothing.
    pub fn playing(source: impl AudioSource + 'static) -> Self {
        Self::new(source, NullSink)
    }

    /// Says nothing, and lets `sink` hear.
    pub fn listening(sink: impl AudioSink + 'static) -> Self {
        Self::new(SilenceSource::endless(), sink)
    }

    /// Says nothing and hears nothing: for a call that is about keys, or about being there.
    pub fn silent() -> Self {
        Self::new(SilenceSource::endless(), NullSink)
    }

    /// With another jitter buffer.
    #[must_use]
    pub fn with_jitter(self, jitter: JitterConfig) -> Self {
        Self { jitter, ..self }
    }

    /// The leg that speaks and listens as `plan` says.
    fn leg(self, plan: &MediaPlan) -> Result<(Box<dyn LegProcessor>, AudioLegHandle), CallError> {
        let known = |name: &str| Codec::from_name(name);
        let mut send = plan.formats.iter().filter_map(|format| Some((format.payload_type, known(&format.name)?)));
        let receive =
            plan.formats.iter().filter_map(|format| Some((format.receive_payload_type, known(&format.name)?)));
        let config = AudioLegConfig {
            send: send.next().ok_or(CallError::NoCodec)?,
            receive: receive.collect(),
            send_events: plan.telephone_event,
            receive_events: plan.receive_telephone_event,
            jitter: self.jitter,
        };
        let (leg, handle) = AudioLeg::new(Instant::now(), config, self.source, self.sink, rand::make_rng())?;
        Ok((Box::new(leg), handle))
    }
}

impl fmt::Debug for Audio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audio").field("jitter", &self.jitter).finish_non_exhaustive()
    }
}

impl Call {
    /// Answers the caller with `audio`, in the first of the codecs that it offers and this crate has (G.711), and with keys where it has
    /// them. See [`Self::answer`]; the handle plays other sounds and presses keys.
    ///
    /// # Errors
    ///
    /// As [`Self::answer`]; and when `audio`'s jitter buffer contradicts itself.
    pub async fn answer_audio(&mut self, audio: Audio) -> Result<(MediaPlan, AudioLegHandle), CallError> {
        let mut handle = None;
        let plan = self
            .answer_with(&MediaCapabilities::g711(), |plan| {
                let (leg, made) = audio.leg(plan)?;
                handle = Some(made);
                Ok(leg)
            })
            .await?;
        Ok((plan, handle.ok_or(CallError::Ended)?))
    }

    /// Connects `audio` to a leg that was dialled and answered with `plan`.
    ///
    /// # Errors
    ///
    /// When `plan` has no codec of this crate's, the leg has ended, or `audio`'s jitter buffer contradicts itself.
    pub async fn connect_audio(
        &mut self,
        leg: LegKey,
        plan: &MediaPlan,
        audio: Audio,
    ) -> Result<AudioLegHandle, CallError> {
        let (processor, handle) = audio.leg(plan)?;
        self.set_processor(leg, processor).await?;
        Ok(handle)
    }

    /// Waits for the next key that the caller presses (RFC 4733); other events are passed over. `None` when the call is over. Cancel safe.
    pub async fn digit(&mut self) -> Option<char> {
        loop {
            let event = self.event().await?;
            if let CallEvent::Media { leg: LegKey::PRIMARY, event: LegEvent::TelephoneEvent { digit, .. } } = event {
                return Some(digit);
            }
        }
    }
}

//! A call as a phone sees it: sound in and out, keys, and how it ended.

use std::time::Duration;

use blether_media_core::{AudioLegHandle, AudioSource, CommandError};
use blether_rtp_core::{JitterConfig, LegEvent, LegStatistics, WorkerError};
use blether_session_core::actor::{Audio, Call, CallControl, CallError, CallEvent, LegKey, MediaError};
use blether_session_core::{EndCause, MediaCapabilities, MediaPlan, Party};
use blether_sip_core::{NameAddr, StatusCode};

/// What a phone can do: G.711 and telephone events.
pub(crate) fn phone_media() -> MediaCapabilities {
    MediaCapabilities::g711()
}

/// Something that happened to a call.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum PhoneEvent {
    /// The other phone rings.
    Ringing,
    /// The other side has pressed a key (RFC 4733).
    Digit {
        /// `0` to `9`, `*`, `#`, `A` to `D`.
        digit: char,
        /// How long it was held.
        duration: Duration,
    },
    /// What was to be played has been played.
    Played,
    /// The call is over; nothing follows.
    Ended(Summary),
}

/// How a call came to its end, and what its sound counted.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Who ended it.
    pub by: Party,
    /// Why.
    pub cause: EndCause,
    /// What the media worker counted; absent when the call was never answered.
    pub statistics: Option<Box<LegStatistics>>,
}

/// Why a call was not answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotAnswered {
    /// The other side, or the server, said no; 408 when nobody said anything, 503 when nothing could be sent.
    #[error("refused with {} {}", .0.code(), .0.reason())]
    Refused(StatusCode),
    /// The call was over before (the caller gave up, or the endpoint stopped).
    #[error("the call ended before it was answered")]
    Ended,
    /// Its sound could not be set up.
    #[error(transparent)]
    Call(CallError),
}

impl From<CallError> for NotAnswered {
    fn from(error: CallError) -> Self {
        if is_end(&error) { Self::Ended } else { Self::Call(error) }
    }
}

/// Whether the error says that the call is over: its leg is gone, here or at the media worker.
fn is_end(error: &CallError) -> bool {
    let gone = matches!(error, CallError::Media(MediaError::Worker(WorkerError::UnknownLeg)));
    gone || matches!(error, CallError::Ended | CallError::NoSuchLeg(_))
}

/// A call of a [`Phone`](crate::Phone). Dropping it hangs up.
#[derive(Debug)]
pub struct PhoneCall {
    call: Call,
    audio: Option<AudioLegHandle>,
    jitter: JitterConfig,
}

impl PhoneCall {
    pub(crate) fn new(call: Call, jitter: JitterConfig) -> Self {
        Self { call, audio: None, jitter }
    }

    /// Who calls, for an incoming call.
    pub fn from(&self) -> Option<&NameAddr> {
        self.call.invite().map(|invite| invite.from())
    }

    /// Waits until an outgoing call is answered, and then connects `audio`. `ringing` is called once, when the other phone rings.
    ///
    /// Dropping the future leaves the call ringing, but without `audio`: hang up, or drop the call, to cancel it.
    ///
    /// # Errors
    ///
    /// [`NotAnswered`], with the status that the server gave.
    pub async fn answered(&mut self, audio: Audio, ringing: impl FnOnce()) -> Result<MediaPlan, NotAnswered> {
        let mut ringing = Some(ringing);
        loop {
            match self.call.event().await.ok_or(NotAnswered::Ended)? {
                // Several phones may ring.
                CallEvent::Ringing { .. } => {
                    if let Some(ringing) = ringing.take() {
                        ringing();
                    }
                }
                CallEvent::Answered { leg, plan } => {
                    match self.call.connect_audio(leg, &plan, audio.with_jitter(self.jitter)).await {
                        Ok(handle) => self.audio = Some(handle),
                        // It was answered and is over already; its events tell how.
                        Err(error) if is_end(&error) => {}
                        Err(error) => return Err(error.into()),
                    }
                    return Ok(plan);
                }
                CallEvent::Refused { status, .. } => return Err(NotAnswered::Refused(status)),
                CallEvent::Ended { .. } => return Err(NotAnswered::Ended),
                _ => {}
            }
        }
    }

    /// Tells the caller of an incoming call that the phone rings.
    ///
    /// # Errors
    ///
    /// When the call is over.
    pub async fn ring(&mut self) -> Result<(), CallError> {
        self.call.ring().await
    }

    /// Answers an incoming call.
    ///
    /// # Errors
    ///
    /// [`NotAnswered::Ended`] when the caller has given up. With anything else the caller still waits: [`Self::reject`] it, with
    /// [`CallError::status`] if there is one, or drop the call.
    pub async fn answer(&mut self, audio: Audio) -> Result<MediaPlan, NotAnswered> {
        let (plan, handle) = self.call.answer_audio(audio.with_jitter(self.jitter)).await?;
        self.audio = Some(handle);
        Ok(plan)
    }

    /// Refuses an incoming call.
    ///
    /// # Errors
    ///
    /// When the call is over.
    pub async fn reject(&mut self, status: StatusCode) -> Result<(), CallError> {
        self.call.reject(status).await
    }

    /// Presses keys, one after another (RFC 4733): 100 ms each, 50 ms apart.
    ///
    /// # Errors
    ///
    /// When one of them is no key, the other side takes none, or the call has no sound (any more).
    pub fn send_digits(&self, digits: &str) -> Result<(), CommandError> {
        self.audio()?.send_dtmf(digits)
    }

    /// How long [`Self::send_digits`] takes to press these keys.
    pub fn time_for_digits(digits: &str) -> Duration {
        Duration::from_millis(150) * u32::try_from(digits.chars().count()).unwrap_or(u32::MAX)
    }

    /// Says something else from here on; [`PhoneEvent::Played`] tells when it is over.
    ///
    /// # Errors
    ///
    /// When the call has no sound (any more).
    pub fn play(&self, source: Box<dyn AudioSource>) -> Result<(), CommandError> {
        self.audio()?.play(source)
    }

    /// What the call's media has counted so far.
    ///
    /// # Errors
    ///
    /// When the call has no sound (any more).
    pub async fn statistics(&self) -> Result<LegStatistics, CallError> {
        self.call.statistics(LegKey::PRIMARY).await
    }

    fn audio(&self) -> Result<&AudioLegHandle, CommandError> {
        self.audio.as_ref().ok_or(CommandError::Closed)
    }

    /// Waits for what happens next; `None` after [`PhoneEvent::Ended`]. That a call was refused is an end, too. Cancel safe.
    pub async fn event(&mut self) -> Option<PhoneEvent> {
        loop {
            let event = match self.call.event().await? {
                CallEvent::Ringing { .. } => PhoneEvent::Ringing,
                CallEvent::Media { event: LegEvent::TelephoneEvent { digit, duration }, .. } => {
                    PhoneEvent::Digit { digit, duration }
                }
                CallEvent::Media { event: LegEvent::Finished, .. } => PhoneEvent::Played,
                CallEvent::Ended { leg: LegKey::PRIMARY, by, cause, statistics } => {
                    PhoneEvent::Ended(Summary { by, cause, statistics })
                }
                CallEvent::Refused { leg: LegKey::PRIMARY, status, .. } => {
                    let (by, cause) = match status {
                        // What answers a CANCEL (RFC 3261 §9.2), and that was ours.
                        StatusCode::REQUEST_TERMINATED => (Party::Local, EndCause::Cancelled),
                        _ => (Party::Remote, EndCause::Rejected(status)),
                    };
                    PhoneEvent::Ended(Summary { by, cause, statistics: None })
                }
                _ => continue,
            };
            return Some(event);
        }
    }

    /// Waits for the end of the call. `None` when the end was told before.
    pub async fn ended(&mut self) -> Option<Summary> {
        loop {
            if let PhoneEvent::Ended(summary) = self.event().await? {
                return Some(summary);
            }
        }
    }

    /// Hangs up and waits until the other side knows: refuses, cancels or ends, as the state of the call demands. A peer that is gone is
    /// waited for for 64 × T1 (32 s); dropping the future does not take back the hanging up. `None` when the end was told before.
    pub async fn hang_up(&mut self) -> Option<Summary> {
        self.call.hang_up().await;
        self.ended().await
    }

    /// A handle that can hang up from elsewhere.
    pub fn control(&self) -> CallControl {
        self.call.control()
    }
}

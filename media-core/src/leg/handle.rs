//! What is asked of an audio leg from outside its worker.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use blether_rtp_core::TelephoneEvent;

use crate::error::CommandError;
use crate::frame::AudioSource;

/// Commands that may wait for the next tick: more than anybody presses in 20 ms.
const CAPACITY: usize = 64;

pub(super) enum Command {
    Play(Box<dyn AudioSource>),
    Stop,
    Digit(char),
}

/// The queue that leg and handles share. It is locked for a push or a take, never longer.
pub(super) struct Commands {
    queue: Mutex<VecDeque<Command>>,
    telephone_events: bool,
}

impl Commands {
    pub(super) fn new(telephone_events: bool) -> Arc<Self> {
        Arc::new(Self { queue: Mutex::default(), telephone_events })
    }

    pub(super) fn take(&self) -> Option<Command> {
        self.lock().pop_front()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Command>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks things of an [`AudioLeg`](super::AudioLeg) from any thread. Cheap to clone; the leg lives without it, and it does not keep the leg.
#[derive(Clone)]
pub struct AudioLegHandle(Weak<Commands>);

impl AudioLegHandle {
    pub(super) fn new(commands: &Arc<Commands>) -> Self {
        Self(Arc::downgrade(commands))
    }

    /// Plays `source` from the next tick on, in place of what is playing.
    ///
    /// # Errors
    ///
    /// When the leg has ended or does not keep up.
    pub fn play(&self, source: Box<dyn AudioSource>) -> Result<(), CommandError> {
        self.push([Command::Play(source)])
    }

    /// Stops what is playing; silence is sent. No [`LegEvent::Finished`](blether_rtp_core::LegEvent::Finished) follows.
    ///
    /// # Errors
    ///
    /// As [`Self::play`].
    pub fn stop(&self) -> Result<(), CommandError> {
        self.push([Command::Stop])
    }

    /// Presses keys one after another (RFC 4733), 100 ms each and 50 ms apart. What is playing waits meanwhile.
    ///
    /// # Errors
    ///
    /// When one of them is no key, the peer takes none, the leg has ended or does not keep up. Nothing was sent then.
    pub fn send_dtmf(&self, digits: &str) -> Result<(), CommandError> {
        if let Some(digit) = digits.chars().find(|&digit| TelephoneEvent::code(digit).is_none()) {
            return Err(CommandError::NotADigit { digit });
        }
        self.push(digits.chars().map(Command::Digit))
    }

    fn push(&self, commands: impl IntoIterator<Item = Command>) -> Result<(), CommandError> {
        let shared = self.0.upgrade().ok_or(CommandError::Closed)?;
        let commands: Vec<Command> = commands.into_iter().collect();
        if !shared.telephone_events && commands.iter().any(|command| matches!(command, Command::Digit(_))) {
            return Err(CommandError::NoTelephoneEvents);
        }
        let mut queue = shared.lock();
        if queue.len() + commands.len() > CAPACITY {
            return Err(CommandError::Busy { limit: CAPACITY });
        }
        queue.extend(commands);
        Ok(())
    }
}

impl fmt::Debug for AudioLegHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AudioLegHandle")
    }
}

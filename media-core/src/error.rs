//! Every error of this crate.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

/// Why a sound file could not be read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WavError {
    /// The file could not be opened, made, read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is no WAV file, or a damaged one.
    #[error("{path} is not a sound WAV file: {reason}", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The file is a WAV file of a kind that is not PCM, or with an unusable rate or number of channels.
    #[error("{path}: {reason}; convert it to PCM, for example with `sox IN -e signed -b 16 OUT.wav`", path = path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What is not supported.
        reason: String,
    },
    /// The sound is longer than the caller allows to be loaded.
    #[error("{path} plays for {duration:?}, and no more than {limit:?} is loaded; cut the file or raise the limit", path = path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// How long the file plays.
        duration: Duration,
        /// How long it may play.
        limit: Duration,
    },
    /// The thread that writes a recording could not be started, or died.
    #[error("the thread that writes {path} ended before its work did", path = path.display())]
    WriterLost {
        /// The file.
        path: PathBuf,
    },
}

/// Why a leg did not take a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The leg has ended; nothing can be played or sent on it any more.
    #[error("the audio leg has ended")]
    Closed,
    /// Commands come faster than the leg takes them, once every 20 ms; try again later.
    #[error("the audio leg has {limit} commands waiting; try again after its next 20 ms tick")]
    Busy {
        /// How many commands may wait.
        limit: usize,
    },
    /// A character that no telephone event stands for (RFC 4733 §3.2 table 3: 0-9, *, #, A-D).
    #[error("{digit:?} is no DTMF digit; use 0-9, *, #, A-D")]
    NotADigit {
        /// The character.
        digit: char,
    },
    /// No payload type for telephone events was agreed with the peer.
    #[error("the peer takes no telephone events, so digits cannot be sent to it by RFC 4733")]
    NoTelephoneEvents,
}

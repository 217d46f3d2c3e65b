//! Sound: G.711, tones, speech to test with, WAV in and out, concealment, comparing what was heard with what was sent, and the
//! legs that speak and listen on a media worker of `blether-rtp-core`.
//!
//! Everything is mono, 16 bit, 8 kHz, in frames of 20 ms; WAV files of any rate are converted. All of it is sans-IO, with time and
//! randomness as arguments, but the writer thread of [`record_wav`]: neither disk nor network is touched on a media worker. What a packet
//! looks like is `blether-rtp-core`'s business, and who is called nobody's here.
//!
//! # Example
//!
//! ```
//! use blether_media_core::{Codec, compare::compare, speech::{Utterance, Voice, say}};
//!
//! let said = say(Voice::Ailsa, Utterance::CanYouHearMe);
//! let mut payload = Vec::new();
//! Codec::Pcmu.encode(said.samples(), &mut payload);
//! let mut heard = vec![0; payload.len()];
//! Codec::Pcmu.decode(&payload, &mut heard);
//! let found = compare(said.samples(), &heard).expect("the same words");
//! assert!(found.snr_db > 30.0);
//! ```
//!
//! # Sources
//!
//! ITU-T G.711 and its Appendix I, RFC 3551 (payload types, markers), RFC 4733 (keys). Other codecs, mixing, DTMF as tones, comfort noise and
//! sound devices are absent.
#![warn(clippy::indexing_slicing)]

pub mod codec;
pub mod compare;
mod conceal;
mod error;
mod frame;
mod leg;
mod recorder;
mod resample;
mod source;
pub mod speech;
pub mod tone;
mod wav;

pub use codec::Codec;
pub use conceal::Concealer;
pub use error::{CommandError, WavError};
pub use frame::{AudioSink, AudioSource, FRAME_DURATION, FRAME_SAMPLES, Frame, NullSink, SampleRate, level_dbfs};
pub use leg::{AudioLeg, AudioLegConfig, AudioLegHandle, EchoLeg};
pub use recorder::{MemoryRecording, MemorySink, WavRecording, WavReport, WavSink, record_to_memory, record_wav};
pub use resample::{resample, to_i16};
pub use source::{Clip, ClipSource, SequenceSource, SilenceSource, collect};

/// Keeps the README's example compiling.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

//! A SIP phone: a library for applications that call.
//!
//! A [`Phone`] has one account, registers with its server, places calls and takes them. A [`PhoneCall`] carries sound from an
//! [`AudioSource`](blether_media_core::AudioSource) and to an [`AudioSink`](blether_media_core::AudioSink); whether that is a file, a
//! tone or memory is the application's choice. Everything about signalling is `blether-session-core`'s business, everything
//! about packets `blether-rtp-core`'s.
//!
//! Everything runs on the caller's tokio runtime, and the sound on a thread of its own. An `Err` leaves phone and call usable, unless it says
//! that they have ended.
//!
//! The feature `cli` (default) builds the headless program `sip-client`.
//!
//! # Example
//!
//! ```no_run
//! use std::time::Duration;
//! use blether_media_core::tone::{Region, Tone};
//! use blether_sip_client::{Account, Audio, Phone, PhoneConfig};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let account = Account::new("100", "secret", "192.0.2.1:5060".parse()?);
//! let mut phone = Phone::start(PhoneConfig::new(account)).await?;
//! phone.register().await?;
//!
//! let mut call = phone.call("*43").await?;
//! let tone = Tone::ringback(Region::Europe).play();
//! call.answered(Audio::playing(tone), || println!("it rings")).await?;
//! call.send_digits("1234#")?;
//! call.hang_up().await;
//! phone.shut_down(Duration::from_secs(3)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # RFCs
//!
//! What a phone needs of RFC 3261, 3264, 3550, 3551, 3581, 4733, 7616 and 8760; see the crates below for the sections.
//!
//! The server is an address or a name (RFC 3263, feature `dns`), reached by UDP or TCP. Absent: TLS; early media is not played; a
//! peer may put the call on hold and change the media, but what is sent stays in the codec that was agreed first; transfer, presence,
//! SRTP and ICE.

mod account;
mod call;
mod phone;
mod registration;
mod server;
mod waiting;

pub use account::{Account, BadTarget};
pub use blether_session_core::actor::Audio;
pub use call::{NotAnswered, PhoneCall, PhoneEvent, Summary};
pub use phone::{Phone, PhoneConfig, PhoneError};
pub use registration::{RegisterError, Registered, RegistrationState, RegistrationWatch};

/// Keeps the README's example compiling.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

//! A SIP phone: a library for applications that call.
//!
//! A [`Phone`] has one account, registers with its server, places calls and takes them. A [`PhoneCall`] carries sound from an
//! [`AudioSource`](blether_media_core::AudioSource) and to an [`AudioSink`](blether_media_core::AudioSink); whether that is a file, a
//! tone or memory is the application's choice. Everything about signalling is `blether-session-core`'s business, everything
//! about packets `blether-rtp-core`'s.
//!
//! The feature `cli` (default) builds the headless program `sip-client`.
//!
//! # Example
//!
//! ```no_run
//! use blether_media_core::{NullSink, tone::{Region, Tone}};
//! use blether_sip_client::{Account, Audio, Phone, PhoneConfig};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let account = Account::new("100", "secret", "192.0.2.1:5060".parse()?);
//! let mut phone = Phone::start(PhoneConfig::new(account)).await?;
//! phone.register().await?;
//!
//! let mut call = phone.call("*43").await?;
//! let tone = Tone::ringback(Region::Europe).play();
//! call.answered(Audio { source: Box::new(tone), sink: Box::new(NullSink) }, || println!("it rings")).await?;
//! call.send_digits("1234#")?;
//! call.hang_up().await;
//! # Ok(())
//! # }
//! ```
//!
//! # RFCs
//!
//! What a phone needs of RFC 3261, 3264, 3550, 3551, 3581, 4733, 7616 and 8760; see the crates below for the sections. Hold,
//! transfer, presence, TLS, SRTP and ICE are absent.

mod account;
mod call;
mod phone;
mod registration;

pub use account::{Account, BadTarget};
pub use call::{Audio, NotAnswered, PhoneCall, PhoneEvent, Summary};
pub use phone::{Phone, PhoneConfig, PhoneError};
pub use registration::{RegisterError, Registered};

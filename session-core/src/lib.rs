//! SIP sessions: dialogs, INVITE sessions, offer and answer, registration and client authentication.
//!
//! What a user agent must know between two transactions of a call: who the peer is and how it is reached (RFC 3261 §12), whether
//! the call rings, stands or ends (§13 to §15), what media was agreed on (RFC 3264), and that it is registered (§10.2). It leaves
//! resending and matching of messages to `blether-transaction-core`, ports and packets to `blether-rtp-core`,
//! accounts and routing to the programs.
//!
//! | start from | it is |
//! | --- | --- |
//! | [`InviteSession`] | one end of a call, from the first INVITE to the last BYE |
//! | [`Dialog`] | what both ends must know to send each other requests |
//! | [`Negotiation`] | offers and answers, and the [`MediaPlan`] that they come to |
//! | [`Agreement`] | what a session has agreed to for its media, over all its offers |
//! | [`Bridge`] | two calls that are one conversation: each change of one is offered to the other |
//! | [`Registration`] | a contact that is kept registered |
//! | [`ClientAuthenticator`] | answers to 401 and 407 |
//!
//! # The calling contract
//!
//! None of these has a socket, a clock or a task. They are told things by `handle_*` and by verbs, with the time as an argument that never
//! runs backwards, and asked things by `poll_*`. After each change: drain `poll_transmit`, drain `poll_event`, then
//! read `poll_timeout`, and call `handle_timeout` at that time. Too early or twice, that does nothing; too late, what was due is done
//! once. Randomness comes from a generator that the constructor is given (an incoming session draws it from its tag).
//! Everything that a peer can make grow has a bound.
//!
//! An `Err` of a verb changes nothing: the session goes on.
//!
//! # Example
//!
//! One side of a media negotiation; the other side is a phone that wants A-law:
//!
//! ```
//! use blether_session_core::{MediaCapabilities, Negotiation};
//!
//! let mut negotiation = Negotiation::new(20_518);
//! let offer = negotiation.offer(&MediaCapabilities::g711(), "192.0.2.1:4000".parse()?);
//! // offer.sdp() goes out in an INVITE, and this comes back in its 200:
//! let answer = "v=0\r\no=- 7 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 6000 RTP/AVP 8\r\n";
//! let plan = negotiation.apply_answer(offer, answer.as_bytes())?;
//! assert_eq!(plan.remote, "192.0.2.9:6000".parse()?);
//! assert_eq!(plan.formats[0].name, "PCMA");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is covered
//!
//! - RFC 3261 §8.1.3.5, §8.2.1 to §8.2.3, §10.2, §12, §13, §14, §15, §22 for a user agent; forking on the calling side. Absent: 3xx is passed up and not
//!   followed; `sips` and its secure dialogs; PRACK (RFC 3262), so that early media goes unreliably; session timers (RFC 4028);
//!   REFER, SUBSCRIBE and Replaces.
//! - After [`SessionEvent::Ended`] a session is gone: a 2xx of another branch of a fork that comes later than that is not acknowledged, and
//!   that branch hangs up by itself after 64×T1.
//! - RFC 3264 for one audio stream over `RTP/AVP`; every other stream is refused. RFC 4733 telephone events are negotiated.
//! - RFC 3311 UPDATE is answered in a confirmed dialog; we change a session by re-INVITE.
//! - RFC 7616 and RFC 8760: MD5 and SHA-256, `qop=auth`.
//! - RFC 6086: DTMF in legacy INFO bodies; no Info packages.
#![warn(clippy::indexing_slicing)]

#[cfg(feature = "media")]
pub mod actor;
mod agreement;
mod bridge;
mod client_authentication;
mod config;
mod dialog;
mod error;
pub mod inspection;
mod invite;
mod negotiation;
mod registration;

pub use agreement::Agreement;
pub use bridge::{Bridge, BridgedLeg, End, Ends};
pub use client_authentication::{ClientAuthenticator, ClientCredentials};
pub use config::{ALLOWED_METHODS, NextHop, SessionConfig};
pub use dialog::{CSeqVerdict, Dialog, DialogId};
pub use error::{AuthError, DialogError, NegotiationError, Refusal, VerbError};
pub use invite::{EndCause, InviteSession, OutgoingInvite, Party, RequestToken, SessionEvent, SessionTransmit};
pub use negotiation::{
    AudioFormat, MediaCapabilities, MediaPlan, NegotiatedFormat, Negotiation, PendingOffer, ReceivedOffer,
};
pub use registration::{
    Registration, RegistrationConfig, RegistrationEvent, RegistrationFailure, RegistrationTransmit,
};

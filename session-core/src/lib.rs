//! SIP dialogs, INVITE sessions, offer/answer, registration and client authentication, and the call actor
#![warn(clippy::indexing_slicing)]

mod client_authentication;
mod dialog;
mod error;
mod negotiation;

pub use client_authentication::{ClientAuthenticator, ClientCredentials};
pub use dialog::{CSeqVerdict, Dialog, DialogId};
pub use error::{AuthError, DialogError, NegotiationError};
pub use negotiation::{
    AudioFormat, MediaCapabilities, MediaPlan, NegotiatedFormat, Negotiation, PendingOffer, ReceivedOffer,
};

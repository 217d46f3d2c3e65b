//! Digest access authentication: challenges, the credentials that answer them, what the server confirms, and the sums between
//! (RFC 7616, RFC 8760, RFC 3261 §22).
//!
//! Computed are MD5, SHA-256 and SHA-512/256, each plain and for a session (`-sess`), with `qop=auth`, `auth-int` and the form without
//! `qop` that old peers know (RFC 2069). An algorithm or a scheme that is not known parses, is written again as it was, and
//! never verifies. Basic is such a scheme: SIP has no use for it (RFC 8760 §2.6). Absent is the preparation of names and passwords beyond ASCII
//! (Unicode Normalization Form C, RFC 7616 §4), and AKA (RFC 3310).
//!
//! | as a client | as a server |
//! | --- | --- |
//! | [`ChallengePolicy::choose`]: which challenges to answer | [`NonceKey::issue`], [`Challenge::for_each_algorithm`]: ask |
//! | [`Credentials::answer`]: answer one | [`Credentials::check`], [`NonceKey::check`], [`NonceCounts::use_up`]: believe it, in this order |
//! | [`Confirmation::check`]: believe the server | [`Confirmation::new`]: prove to be the server |
//!
//! Nothing here keeps state. How often a nonce was used is for the server to know, which has a [`NonceCounts`] for each that
//! somebody has logged in with; which nonce count comes next, for the client.
//!
//! ```
//! use blether_sip_core::Method;
//! use blether_sip_core::digest::{Algorithm, Challenge, Credentials, DigestRequest, Secret, ha1};
//!
//! let challenge: Challenge = r#"Digest realm="blether", nonce="84a4cc6f3082121f", algorithm=SHA-256, qop="auth""#.parse()?;
//! let asked = DigestRequest { method: &Method::Register, uri: "sip:blether.example", cnonce: "0a4f113b", nc: 1, body: b"" };
//! let answer = Credentials::answer(&challenge, "alice", &Secret::password("wonderland"), &asked)?;
//!
//! let stored = ha1(Algorithm::Sha256, "alice", "blether", "wonderland");
//! assert!(answer.verify(&stored, &Method::Register));
//! assert!(!answer.verify(&stored, &Method::Invite));
//! # Ok::<(), blether_sip_core::digest::DigestError>(())
//! ```

mod algorithm;
mod answer;
mod challenge;
mod choice;
mod confirmation;
mod credentials;
mod deviations;
mod extended;
mod nonce;
mod parameters;
mod qop;
mod secret;

pub use algorithm::{Algorithm, AlgorithmName};
pub use answer::DigestRequest;
pub use challenge::Challenge;
pub use choice::{ChallengePolicy, MAX_REALMS, Preference};
pub use confirmation::{Confirmation, ServerProof};
pub use credentials::Credentials;
pub(crate) use deviations::{DigestDeviation, DigestHeader, deviations};
pub use nonce::{Nonce, NonceCheck, NonceCounts, NonceKey, NonceUse};
pub use qop::{Protection, Qop};
pub use secret::{Ha1, Password, Secret, SessionKey, ha1};

use crate::ByteStr;

/// Why a challenge, credentials or a confirmation could not be read, or a challenge not be answered.
///
/// ```
/// use blether_sip_core::digest::{Challenge, DigestError};
///
/// assert_eq!("Digest realm=\"r\"".parse::<Challenge>(), Err(DigestError::Missing("nonce")));
/// assert_eq!("Digest realm".parse::<Challenge>(), Err(DigestError::Syntax { at: 12 }));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DigestError {
    /// The value does not begin with the name of a scheme.
    #[error("no authentication scheme at the start; expected \"Digest\"")]
    NoScheme,
    /// The parameter list breaks the grammar at this byte of the value.
    #[error("authentication parameters are malformed at byte {at}")]
    Syntax {
        /// Offset in bytes from the start of the header value.
        at: usize,
    },
    /// There are more parameters than a digest header has any use for.
    #[error("more than {limit} authentication parameters")]
    TooManyParameters {
        /// The number of parameters that is still read.
        limit: usize,
    },
    /// A parameter appears twice, or `username` beside `username*` (RFC 7616 §3.4).
    #[error("authentication parameter {0} appears twice")]
    Duplicate(ByteStr),
    /// A parameter that the digest cannot be computed without is not there.
    #[error("authentication parameter {0} is missing")]
    Missing(&'static str),
    /// A parameter has a value that its grammar does not allow.
    #[error("authentication parameter {0} has a malformed value")]
    BadValue(&'static str),
    /// The scheme is not Digest, so there is nothing to answer; try the next challenge.
    #[error("authentication scheme {0} is not supported; only Digest is")]
    UnsupportedScheme(ByteStr),
    /// The challenge wants a hash that is not computed here; try the next challenge (RFC 8760 §2.4).
    #[error("digest algorithm {0} is not supported here; MD5, SHA-256 and SHA-512-256 are")]
    UnsupportedAlgorithm(ByteStr),
    /// The challenge offers no quality of protection that is computed here, or none at all for a session.
    #[error("the challenge offers no qop that can be answered; \"auth\" and \"auth-int\" can")]
    UnsupportedQop,
    /// The secret is an HA1 of another algorithm than the challenge asks for.
    #[error("the stored HA1 is for {have}, the challenge asks for {wanted}")]
    WrongHa1 {
        /// The algorithm that the HA1 was computed with.
        have: Algorithm,
        /// The algorithm of the challenge.
        wanted: Algorithm,
    },
}

#[cfg(test)]
mod tests;

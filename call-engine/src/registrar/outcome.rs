//! What has happened to a REGISTER, for logs and counters.

use blether_sip_core::{AddressOfRecord, ByteStr, StatusCode};

use crate::location::{Binding, Bindings};
use crate::stage::{ChallengeReason, MalformedCredentials};
use crate::store::Touched;
use std::sync::Arc;

/// What has happened to a REGISTER.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub enum Outcome {
    /// It asked for the contacts, or was done already, and changed nothing.
    Queried {
        /// Whose contacts.
        aor: AddressOfRecord,
        /// How many there are.
        contacts: usize,
        /// Whether it was done already: one of them was made or refreshed by a copy of it.
        again: bool,
    },
    /// It changed the contacts.
    Updated {
        /// Whose contacts.
        aor: AddressOfRecord,
        /// How many there are since.
        contacts: usize,
        /// What it did.
        changes: Changes,
    },
    /// It was asked for the password (401).
    Challenged {
        /// Why.
        why: ChallengeReason,
    },
    /// It was refused, and nothing has changed.
    Refused {
        /// Why.
        refusal: Refusal,
    },
}

impl Outcome {
    /// Whose contacts a 200 lists, and what was done to them: its answer waits for
    /// [`StoreHandle::registered`](crate::store::StoreHandle::registered). `None` for every other answer, which waits for nothing.
    pub fn touched(&self) -> Option<(&AddressOfRecord, Touched)> {
        match self {
            Self::Queried { aor, .. } => Some((aor, Touched::Nothing)),
            Self::Updated { aor, changes, .. } => Some((aor, changes.touched())),
            Self::Challenged { .. } | Self::Refused { .. } => None,
        }
    }

    /// Whether a contact tells a copy of the request, so that nothing else has to remember it ([`Registrar::again`](super::Registrar::again)).
    pub fn is_remembered(&self) -> bool {
        match self {
            Self::Queried { again, .. } => *again,
            Self::Updated { changes, .. } => changes.added + changes.refreshed > 0,
            Self::Challenged { .. } | Self::Refused { .. } => false,
        }
    }

    /// A name for logs and counters.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Queried { again: true, .. } => "again",
            Self::Queried { .. } => "queried",
            Self::Updated { contacts: 0, .. } => "unregistered",
            Self::Updated { .. } => "registered",
            Self::Challenged { .. } => "challenged",
            Self::Refused { .. } => "refused",
        }
    }
}

/// How many contacts a REGISTER has touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Changes {
    /// Contacts that were not there before.
    pub added: usize,
    /// Contacts that were there before.
    pub refreshed: usize,
    /// Those of the refreshed of which more has changed than when they expire: the way to them, say, or a parameter.
    pub altered: usize,
    /// Contacts that are no longer there.
    pub removed: usize,
}

impl Changes {
    /// What this means for the store: a refresh that only moves the expiry may be written after it is answered.
    pub fn touched(self) -> Touched {
        match self {
            Self { added: 0, refreshed: 0, removed: 0, .. } => Touched::Nothing,
            Self { added: 0, removed: 0, altered: 0, .. } => Touched::Expiry,
            _ => Touched::Contacts,
        }
    }

    pub(super) fn between(before: &Bindings, after: &[Arc<Binding>]) -> Self {
        let touched = |b: &&Arc<Binding>| !before.iter().any(|old| Arc::ptr_eq(old, b));
        let is_known = |b: &&Arc<Binding>| before.find(&b.contact).is_some();
        let refreshed = after.iter().filter(touched).filter(is_known).count();
        let is_altered = |b: &&Arc<Binding>| before.find(&b.contact).is_some_and(|old| is_altered(old, b));
        let altered = after.iter().filter(touched).filter(is_altered).count();
        let added = after.iter().filter(touched).count() - refreshed;
        Self { added, refreshed, altered, removed: (before.len() + added).saturating_sub(after.len()) }
    }
}

/// Whether more has changed than what every refresh changes.
fn is_altered(old: &Binding, new: &Binding) -> bool {
    let refreshed = Binding { cseq: new.cseq, copies: new.copies, expires_at: new.expires_at, ..old.clone() };
    refreshed != *new
}

/// Why a REGISTER is refused. The text is the reason phrase of the response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// 405: not a REGISTER.
    #[error("Method Not Allowed")]
    Method,
    /// 416: the Request-URI is of no SIP scheme.
    #[error("Unsupported URI Scheme")]
    Scheme,
    /// 404: the Request-URI names another domain; this server is no proxy for it.
    #[error("Domain Not Served Here")]
    Domain,
    /// 420: an extension is required that is not supported.
    #[error("Bad Extension")]
    Extensions(Vec<ByteStr>),
    /// 400: the credentials are malformed.
    #[error(transparent)]
    Credentials(MalformedCredentials),
    /// 403: the user may not register this address of record.
    #[error("Not Your Address Of Record")]
    Forbidden {
        /// Who tried.
        user: ByteStr,
    },
    /// 404: the To header names no user of this server.
    #[error("Not Found")]
    AddressOfRecord,
    /// 400: a header does not say what it must.
    #[error("{0}")]
    Header(String),
    /// 400: `Contact: *` with other contacts, or without `Expires: 0` (RFC 3261 §10.3 step 6).
    #[error("Bad Contact header: * stands alone and with Expires: 0")]
    Wildcard,
    /// 400: a contact that no SIP request can be sent to.
    #[error("Bad Contact header: expected a SIP URI")]
    ContactScheme,
    /// 400: a contact or Call-ID is longer than what is kept.
    #[error("Bad {header} header: over {limit} bytes")]
    TooLong {
        /// Which of the two.
        header: &'static str,
        /// [`RegistrarConfig::max_text`](super::RegistrarConfig::max_text).
        limit: usize,
    },
    /// 423: the phone wants to refresh too often.
    #[error("Interval Too Brief")]
    TooBrief {
        /// The shortest interval in seconds that is granted.
        min_expires: u32,
    },
    /// 403: more contacts than one user may have.
    #[error("Too Many Contacts: {limit} Allowed")]
    TooManyContacts {
        /// How many it may have.
        limit: usize,
    },
    /// 500: it was sent before another request of the same phone that has been done already.
    #[error("CSeq {cseq} Out Of Order")]
    OutOfOrder {
        /// Its number.
        cseq: u32,
        /// The number that was seen before.
        seen: u32,
    },
    /// 503: there is no room for another user's contacts.
    #[error("Registrar Full")]
    Full {
        /// How many users can be registered.
        limit: usize,
    },
    /// 503: other requests for the same user came in between, again and again.
    #[error("Registrar Busy")]
    Contended,
}

impl Refusal {
    /// The status of the response.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Scheme => StatusCode::UNSUPPORTED_URI_SCHEME,
            Self::Domain | Self::AddressOfRecord => StatusCode::NOT_FOUND,
            Self::Extensions(_) => StatusCode::BAD_EXTENSION,
            Self::Forbidden { .. } | Self::TooManyContacts { .. } => StatusCode::FORBIDDEN,
            Self::Credentials(_) | Self::Header(_) | Self::Wildcard | Self::ContactScheme | Self::TooLong { .. } => {
                StatusCode::BAD_REQUEST
            }
            Self::TooBrief { .. } => StatusCode::INTERVAL_TOO_BRIEF,
            Self::OutOfOrder { .. } => StatusCode::SERVER_INTERNAL_ERROR,
            Self::Full { .. } | Self::Contended => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

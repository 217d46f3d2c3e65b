//! Every error of this crate.

use blether_sip_core::{BuildError, HeaderError};

/// Why a dialog cannot be made, or cannot make a request. The dialog stays as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DialogError {
    /// The peer's request makes a dialog, and says not where to send ours (RFC 3261 §8.1.1.8).
    #[error("Contact with one address is missing")]
    NoContact,
    /// The peer's Contact cannot be read.
    #[error("Contact is malformed: {0}")]
    BadContact(HeaderError),
    /// The peer's Record-Route cannot be read.
    #[error("Record-Route is malformed: {0}")]
    BadRecordRoute(HeaderError),
    /// More proxies than a request may pass.
    #[error("{count} Record-Route values are over the limit of {limit}")]
    TooManyRoutes {
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// 2^31 requests were sent in this dialog.
    #[error("all CSeq numbers of the dialog are used up")]
    CSeqExhausted,
    /// What the peer sent cannot be put together to a request.
    #[error("a request within the dialog cannot be built: {0}")]
    Unbuildable(BuildError),
}

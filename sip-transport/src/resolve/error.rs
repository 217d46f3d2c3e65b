//! Why a name leads nowhere.

use super::destination::{Destination, DomainName};
use super::question::Question;

/// The name servers did not answer a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LookupFailure {
    /// None of them said anything in time.
    #[error("no name server answered in time")]
    TimedOut,
    /// One said that it cannot or will not answer: SERVFAIL, REFUSED.
    #[error("the name servers could not answer")]
    Refused,
    /// None could be reached, or what came was no answer.
    #[error("no name server could be reached")]
    Unreachable,
    /// As many questions were open as may be.
    #[error("too many questions to name servers are open")]
    Overloaded,
}

/// Nothing that a request could be sent to was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// DNS has no such name, or no address of it of a family that we have.
    #[error("{name} has no address that can be reached from here")]
    NoAddress {
        /// The name that was asked for last: the host, or the target of an SRV record.
        name: DomainName,
    },
    /// The address is of a family that we have no socket of.
    #[error("{destination} cannot be reached: there is no socket for such addresses")]
    NoFamily {
        /// Where it was to go.
        destination: Box<Destination>,
    },
    /// The domain says by an SRV record with the target `.` that it has no such service (RFC 2782).
    #[error("{name} says that it has no such service")]
    NotOffered {
        /// The name of that SRV record.
        name: DomainName,
    },
    /// The domain, or the URI, wants transports that we do not have.
    #[error("{destination} wants a transport that is not in use here")]
    NoCommonTransport {
        /// Where it was to go.
        destination: Box<Destination>,
    },
    /// Name servers did not answer, and without that answer there is no target.
    #[error("asking for {question} failed: {failure}")]
    Unanswered {
        /// What was asked.
        question: Question,
        /// What went wrong.
        failure: LookupFailure,
    },
    /// The host is a name, and there is nobody who could be asked.
    #[error("{name} is a name, and no name server is configured here; use an address")]
    NobodyToAsk {
        /// The name.
        name: DomainName,
    },
}

//! Which headers may stand once (RFC 3261 §7.3.1).

use crate::HeaderName;

/// Headers that may stand once, of those that are set like any other.
pub(crate) fn stands_once(name: &HeaderName) -> bool {
    *name == HeaderName::MaxForwards || is_single(name)
}

/// Headers that may stand once and that [`Message::parse`](crate::Message::parse) does not look at.
pub(super) fn is_single(name: &HeaderName) -> bool {
    matches!(
        name,
        HeaderName::AnswerMode
            | HeaderName::AuthenticationInfo
            | HeaderName::ContentDisposition
            | HeaderName::ContentType
            | HeaderName::Date
            | HeaderName::Event
            | HeaderName::Expires
            | HeaderName::FlowTimer
            | HeaderName::GeolocationError
            | HeaderName::GeolocationRouting
            | HeaderName::InfoPackage
            | HeaderName::Join
            | HeaderName::MaxBreadth
            | HeaderName::MimeVersion
            | HeaderName::MinExpires
            | HeaderName::MinSe
            | HeaderName::Organization
            | HeaderName::PCalledPartyId
            | HeaderName::PChargingVector
            | HeaderName::Priority
            | HeaderName::PrivAnswerMode
            | HeaderName::Privacy
            | HeaderName::RAck
            | HeaderName::RSeq
            | HeaderName::ReferSub
            | HeaderName::ReferTo
            | HeaderName::ReferredBy
            | HeaderName::Replaces
            | HeaderName::ReplyTo
            | HeaderName::RetryAfter
            | HeaderName::Server
            | HeaderName::SessionExpires
            | HeaderName::SessionId
            | HeaderName::SipEtag
            | HeaderName::SipIfMatch
            | HeaderName::Subject
            | HeaderName::SubscriptionState
            | HeaderName::TargetDialog
            | HeaderName::Timestamp
            | HeaderName::UserAgent
    )
}

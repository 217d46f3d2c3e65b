//! What the values of each header are made of, as far as reading takes more than that.

use crate::HeaderName as H;
use crate::digest::DigestHeader;
use crate::grammar::ParamRule::{self, Digits, Quality, Quoted, Token, TokenOrNone};
use crate::header::AddressForm;

/// How many values a row may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    /// One; that it is there is for who reads it to say.
    One,
    /// One or more with commas between.
    Some,
    /// None, too.
    Any,
    /// Any number, and of commas too: `#` (RFC 2616 §2.1).
    Lenient,
}

/// What one value is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Nothing that reading takes more of.
    Other,
    /// An address.
    Address(AddressForm),
    Via,
    /// Something without semicolons, and parameters.
    Params,
    /// The same with a comment between.
    CommentAndParams,
    CallId,
    Date,
    Digest(DigestHeader),
    /// Products and comments.
    Products,
}

/// How a header has its parameters.
pub(super) type Rules = &'static [(&'static str, ParamRule)];

/// The form of a header.
pub(super) fn form(name: &H) -> (List, Shape, Rules) {
    use AddressForm::{Any, Bare, Brackets};
    use Shape::{Address, CallId, CommentAndParams, Date, Digest, Other, Params, Products, Via};
    match name {
        // RFC 3261 §25.1.
        H::From | H::To => (List::One, Address(Any), &[("tag", TokenOrNone)]),
        H::ReplyTo => (List::One, Address(Any), &[]),
        H::Contact => (List::Some, Address(Any), &[("q", Quality), ("expires", Digits)]),
        H::Route | H::RecordRoute => (List::Some, Address(Brackets), &[]),
        H::AlertInfo | H::ErrorInfo => (List::Some, Address(Bare), &[]),
        H::CallInfo => (List::Some, Address(Bare), &[("purpose", Token)]),
        H::Via => (List::Some, Via, &[]),
        H::Accept | H::AcceptEncoding | H::AcceptLanguage => (List::Any, Params, &[("q", Quality)]),
        H::ContentType => (List::One, Params, &[]),
        H::ContentDisposition => (List::One, Params, &[("handling", Token)]),
        H::RetryAfter => (List::One, CommentAndParams, &[("duration", Digits)]),
        H::CallId => (List::One, CallId, &[]),
        H::Date => (List::One, Date, &[]),
        H::Allow | H::Supported => (List::Any, Other, &[]),
        H::Require
        | H::ProxyRequire
        | H::Unsupported
        | H::ContentEncoding
        | H::ContentLanguage
        | H::InReplyTo
        | H::Warning => (List::Some, Other, &[]),
        H::Authorization | H::ProxyAuthorization => (List::One, Digest(DigestHeader::Credentials), &[]),
        H::WwwAuthenticate | H::ProxyAuthenticate => (List::One, Digest(DigestHeader::Challenge), &[]),
        H::AuthenticationInfo | H::ProxyAuthenticationInfo => (List::Some, Digest(DigestHeader::Confirmation), &[]),
        H::Server | H::UserAgent => (List::One, Products, &[]),
        // RFC 3515 §2.1, RFC 3892 §3.
        H::ReferTo => (List::One, Address(Any), &[]),
        H::ReferredBy => (List::One, Address(Any), &[("cid", Quoted)]),
        // RFC 3327 §4, RFC 3608 §5, RFC 7044 §5, RFC 6442 §4.1.
        H::Path | H::ServiceRoute | H::HistoryInfo => (List::Some, Address(Brackets), &[]),
        H::Geolocation => (List::Some, Address(Bare), &[]),
        // RFC 3325 §9.1, RFC 5806, RFC 5502, RFC 5002, RFC 7315 §5.
        H::PAssertedIdentity | H::PPreferredIdentity => (List::Some, Address(Any), &[]),
        H::Diversion => (List::Lenient, Address(Brackets), &[("counter", Digits), ("limit", Digits)]),
        H::PServedUser | H::PProfileKey => (List::One, Address(Any), &[]),
        H::PAssociatedUri => (List::Any, Address(Brackets), &[]),
        H::PCalledPartyId => (List::One, Address(Brackets), &[]),
        H::PAccessNetworkInfo => (List::Some, Params, &[]),
        H::PChargingVector => (List::One, Params, &[]),
        // RFC 6665 §8.4, RFC 4028 §4, §5, RFC 3326 §2.
        H::Event => (List::One, Params, &[("id", Token)]),
        H::SubscriptionState => (List::One, Params, &[("reason", Token)]),
        H::AllowEvents => (List::Some, Other, &[]),
        H::SessionExpires => (List::One, Params, &[("refresher", Token)]),
        H::MinSe | H::ReferSub | H::AnswerMode | H::PrivAnswerMode | H::SessionId => (List::One, Params, &[]),
        H::Reason => (List::Some, Params, &[("cause", Digits), ("text", Quoted)]),
        // RFC 3891 §6.1, RFC 3911 §7.1, RFC 4538.
        H::Replaces | H::Join => (List::One, Params, &[("to-tag", Token), ("from-tag", Token)]),
        H::TargetDialog => (List::One, Params, &[("local-tag", Token), ("remote-tag", Token)]),
        // RFC 3329 §2.2, RFC 3841 §10, RFC 6086 §9.2, RFC 6809 §6.2.1, RFC 7433 §4.1, RFC 4412 §3.1.
        H::SecurityClient | H::SecurityServer | H::SecurityVerify => (List::Some, Params, &[("q", Quality)]),
        H::AcceptContact | H::RejectContact | H::FeatureCaps | H::UserToUser => (List::Some, Params, &[]),
        H::RequestDisposition | H::ResourcePriority => (List::Some, Other, &[]),
        H::AcceptResourcePriority => (List::Any, Other, &[]),
        H::InfoPackage => (List::One, Params, &[]),
        H::RecvInfo => (List::Any, Params, &[]),
        _ => (List::One, Other, &[]),
    }
}

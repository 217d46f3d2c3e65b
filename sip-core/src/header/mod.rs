//! Typed header values, one header a file (RFC 3261 §20).

/// Calls a macro with all types of this module that implement [`TypedHeader`].
macro_rules! for_each_header {
    ($call:ident) => {
        $call! {
            Accept
            AcceptContact
            AcceptEncoding
            AcceptLanguage
            AcceptResourcePriority
            AlertInfo
            Allow
            AllowEvents
            AnswerMode
            AuthenticationInfo
            Authorization
            CSeq
            CallId
            CallInfo
            Contact
            ContentDisposition
            ContentEncoding
            ContentLanguage
            ContentLength
            ContentType
            Date
            Diversion
            ErrorInfo
            Event
            Expires
            FeatureCaps
            FlowTimer
            From
            Geolocation
            GeolocationError
            GeolocationRouting
            HistoryInfo
            Identity
            InReplyTo
            InfoPackage
            Join
            MaxBreadth
            MaxForwards
            MimeVersion
            MinExpires
            MinSe
            Organization
            PAccessNetworkInfo
            PAssertedIdentity
            PAssociatedUri
            PCalledPartyId
            PChargingVector
            PPreferredIdentity
            Path
            Priority
            PrivAnswerMode
            Privacy
            ProxyAuthenticate
            ProxyAuthenticationInfo
            ProxyAuthorization
            ProxyRequire
            RAck
            RSeq
            Reason
            RecordRoute
            RecvInfo
            ReferSub
            ReferTo
            ReferredBy
            RejectContact
            Replaces
            ReplyTo
            RequestDisposition
            Require
            ResourcePriority
            RetryAfter
            Route
            SecurityClient
            SecurityServer
            SecurityVerify
            Server
            ServiceRoute
            SessionExpires
            SessionId
            SipEtag
            SipIfMatch
            Subject
            SubscriptionState
            Supported
            TargetDialog
            Timestamp
            To
            Unsupported
            UserAgent
            UserToUser
            Via
            Warning
            WwwAuthenticate
        }
    };
}
pub(crate) use for_each_header;

mod accept;
mod accept_contact;
mod accept_encoding;
mod accept_language;
mod alert_info;
mod allow;
mod allow_events;
mod answer_mode;
mod asserted_identity;
mod auth;
mod authentication_info;
mod call_id;
mod contact;
mod content_disposition;
mod content_encoding;
mod content_language;
mod content_length;
mod content_type;
mod cseq;
mod date;
mod diversion;
mod embedded;
mod entity_tag;
mod error;
mod event;
mod expires;
mod feature_caps;
mod flow_timer;
mod from;
mod geolocation;
mod history_info;
mod identity;
mod in_reply_to;
mod info_package;
mod max_breadth;
mod max_forwards;
mod mime_version;
mod min_expires;
mod min_se;
mod name;
mod name_addr;
mod named_dialog;
mod option_tags;
mod p_access_network_info;
mod p_associated_uri;
mod p_called_party_id;
mod p_charging_vector;
mod path;
mod priority;
mod privacy;
mod rack;
mod ranges;
mod readable;
mod reason;
mod record_route;
mod refer_sub;
mod refer_to;
mod referred_by;
mod reply_to;
mod request_disposition;
mod resource_priority;
mod retry_after;
mod route;
mod rseq;
mod security_agreement;
mod service_route;
mod session_expires;
mod session_id;
mod subscription_state;
mod text;
mod text_form;
mod timestamp;
mod to;
mod typed;
mod uri_values;
mod user_to_user;
mod via;
mod warning;

pub(crate) use crate::grammar::Deviation;
pub use accept::Accept;
pub use accept_contact::{AcceptContact, RejectContact};
pub use accept_encoding::AcceptEncoding;
pub use accept_language::AcceptLanguage;
pub use alert_info::AlertInfo;
pub(crate) use alert_info::no_alert_uri;
pub use allow::Allow;
pub use allow_events::AllowEvents;
pub use answer_mode::{AnswerMode, AnsweringMode, PrivAnswerMode};
pub use asserted_identity::{PAssertedIdentity, PPreferredIdentity};
pub use auth::{Authorization, ProxyAuthenticate, ProxyAuthorization, WwwAuthenticate};
pub use authentication_info::{AuthenticationInfo, ProxyAuthenticationInfo};
pub use call_id::CallId;
pub use contact::Contact;
pub(crate) use contact::is_qvalue;
pub use content_disposition::{ContentDisposition, Handling};
pub use content_encoding::ContentEncoding;
pub use content_language::ContentLanguage;
pub use content_length::ContentLength;
pub use content_type::ContentType;
pub use cseq::CSeq;
pub use date::Date;
pub use diversion::{Diversion, DiversionReason};
pub use entity_tag::{SipEtag, SipIfMatch};
pub(crate) use error::AtColumn;
pub use error::HeaderError;
pub use event::Event;
pub use expires::Expires;
pub use feature_caps::FeatureCaps;
pub use flow_timer::FlowTimer;
pub use from::From;
pub use geolocation::{GeolocationError, GeolocationRouting};
pub use history_info::{HistoryIndex, HistoryInfo, HistoryTarget};
pub use identity::Identity;
pub use in_reply_to::InReplyTo;
pub use info_package::{InfoPackage, RecvInfo};
pub use max_breadth::MaxBreadth;
pub use max_forwards::MaxForwards;
pub use mime_version::MimeVersion;
pub use min_expires::MinExpires;
pub use min_se::MinSe;
pub(crate) use name::Code;
pub use name::HeaderName;
pub use name_addr::NameAddr;
pub(crate) use name_addr::{AddressForm, AddressPart};
pub use named_dialog::{Join, Replaces, TargetDialog};
pub use option_tags::{ProxyRequire, Require, Supported, Unsupported};
pub use p_access_network_info::PAccessNetworkInfo;
pub use p_associated_uri::PAssociatedUri;
pub use p_called_party_id::PCalledPartyId;
pub use p_charging_vector::PChargingVector;
pub use path::Path;
pub use priority::Priority;
pub use privacy::Privacy;
pub use rack::RAck;
pub(crate) use readable::{check_readable, is_signed_as_before};
pub use reason::Reason;
pub use record_route::RecordRoute;
pub use refer_sub::ReferSub;
pub use refer_to::ReferTo;
pub use referred_by::ReferredBy;
pub use reply_to::ReplyTo;
pub use request_disposition::{Directive, RequestDisposition};
pub use resource_priority::{AcceptResourcePriority, ResourcePriority, ResourceValue};
pub use retry_after::RetryAfter;
pub use route::Route;
pub use rseq::RSeq;
pub use security_agreement::{SecurityClient, SecurityMechanism, SecurityServer, SecurityVerify};
pub use service_route::ServiceRoute;
pub use session_expires::{Refresher, SessionExpires};
pub use session_id::{SessionId, SessionUuid};
pub use subscription_state::{SubscriptionState, Substate, TerminationReason};
pub use text::{Organization, Server, Subject, UserAgent};
pub use timestamp::Timestamp;
pub use to::To;
pub use typed::{Repetition, TypedHeader};
pub use uri_values::{CallInfo, ErrorInfo, Geolocation};
pub use user_to_user::UserToUser;
pub use via::Via;
pub(crate) use via::ViaPart;
pub use warning::Warning;

#[cfg(test)]
use typed::rewritten;
use typed::{complete, whole};

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
pub use content_disposition::{ContentDisposition, Handling};
pub use content_encoding::ContentEncoding;
pub use content_language::ContentLanguage;
pub use content_length::ContentLength;
pub use content_type::ContentType;
pub use cseq::CSeq;
pub use date::Date;
pub use diversion::{Diversion, DiversionReason};
pub use entity_tag::{SipEtag, SipIfMatch};
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
pub(crate) use name_addr::AddressPart;
pub use name_addr::NameAddr;
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
pub use uri_values::{CallInfo, ErrorInfo, Geolocation};
pub use user_to_user::UserToUser;
pub use via::Via;
pub(crate) use via::ViaPart;
pub use warning::Warning;

use alloc::string::String;

use crate::ByteStr;
use crate::grammar::Stop;

/// How often a header may stand in a message, and what one value of its type stands for (RFC 3261 §7.3.1).
///
/// ```
/// use blether_sip_core::{CSeq, Repetition, Supported, TypedHeader, Via};
///
/// assert_eq!(CSeq::REPETITION, Repetition::Once);
/// assert_eq!((Via::REPETITION, Supported::REPETITION), (Repetition::Values, Repetition::Whole));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repetition {
    /// At most one row, one value: From, CSeq.
    Once,
    /// Rows and commas are the same; the type is one of the values: Via, Contact.
    Values,
    /// Rows and commas are the same; the type is all the values: Allow, Supported.
    Whole,
    /// Any number of rows, and a comma means something else; the type is one row: WWW-Authenticate.
    Rows,
}

/// A header whose value has a type of its own, which `Display` writes and `FromStr` reads as text, too.
///
/// Whatever a value holds, [`TypedHeader::write`] writes one line that does not end the header early:
/// [`Headers`](crate::Headers) takes out every control character that an implementation leaves in.
///
/// ```
/// use blether_sip_core::{ByteStr, HeaderError, HeaderName, Headers, TypedHeader};
///
/// /// A header of one's own: whether a call is recorded.
/// struct Recorded(bool);
///
/// impl TypedHeader for Recorded {
///     const NAME: HeaderName = HeaderName::Extension(ByteStr::from_static("X-Recorded"));
///
///     fn parse_value(value: ByteStr) -> Result<Self, HeaderError> {
///         match value.trim() {
///             "yes" => Ok(Recorded(true)),
///             "no" => Ok(Recorded(false)),
///             _ => Err(HeaderError::malformed(Self::NAME, "yes or no")),
///         }
///     }
///
///     fn write(&self, out: &mut String) {
///         out.push_str(if self.0 { "yes" } else { "no" });
///     }
/// }
///
/// let mut headers = Headers::new();
/// headers.set(Recorded(true));
/// assert!(headers.get::<Recorded>()?.is_some_and(|recorded| recorded.0));
/// # Ok::<(), blether_sip_core::HeaderError>(())
/// ```
pub trait TypedHeader: Sized {
    /// The header's name.
    const NAME: HeaderName;
    /// How often it may stand in a message.
    const REPETITION: Repetition = Repetition::Once;

    /// Reads one value: a row with its folding undone, or one value of its list (see [`Repetition`]).
    ///
    /// # Errors
    ///
    /// [`HeaderError::Malformed`], which says what was expected.
    fn parse_value(value: ByteStr) -> Result<Self, HeaderError>;

    /// Appends the value to `out`, without the header's name and without an end of line. What `out` holds already stays: a list of values is
    /// written into one text.
    fn write(&self, out: &mut String);
}

/// A header that does not say what its RFC lets it say.
///
/// ```
/// use blether_sip_core::{HeaderError, HeaderName, MaxForwards};
///
/// let error = "70 x".parse::<MaxForwards>().unwrap_err();
/// assert_eq!((error.header(), error.column()), (&HeaderName::MaxForwards, Some(4)));
/// assert_eq!(error.to_string(), "Bad Max-Forwards header: expected a number from 0 to 255 at column 4");
/// assert!(matches!(error, HeaderError::Malformed { .. }));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The value does not follow the header's grammar.
    #[error("Bad {header} header: expected {expected}{}", AtColumn(*.column))]
    Malformed {
        /// The header.
        header: HeaderName,
        /// What should have stood there.
        expected: &'static str,
        /// Where reading stopped, in bytes from 1, in the value without its folding, or in the one value of its list that
        /// is wrong; `None` if that is not known.
        column: Option<usize>,
    },
    /// More than one value of a header that can have only one.
    #[error("Bad {header} header: expected it once")]
    Repeated {
        /// The header.
        header: HeaderName,
    },
    /// A comma-separated list is longer than [`Limits::max_list_items`](crate::Limits::max_list_items).
    #[error("Bad {header} header: expected at most {limit} values")]
    TooManyValues {
        /// The header.
        header: HeaderName,
        /// The limit.
        limit: usize,
    },
}

impl HeaderError {
    /// The value of `header` is not what its grammar says; `expected` continues the words "expected …".
    #[must_use]
    pub const fn malformed(header: HeaderName, expected: &'static str) -> Self {
        HeaderError::Malformed { header, expected, column: None }
    }

    /// The same error, of a value that could be read up to `rest`, which was cut out of it.
    pub(crate) fn at(mut self, value: &str, rest: &str) -> Self {
        if let HeaderError::Malformed { column, .. } = &mut self {
            *column = Stop::at(rest).column(value);
        }
        self
    }

    /// Where reading stopped; see [`HeaderError::Malformed`].
    #[must_use]
    pub fn column(&self) -> Option<usize> {
        match self {
            HeaderError::Malformed { column, .. } => *column,
            HeaderError::Repeated { .. } | HeaderError::TooManyValues { .. } => None,
        }
    }

    /// The header that is wrong.
    #[must_use]
    pub fn header(&self) -> &HeaderName {
        match self {
            HeaderError::Malformed { header, .. }
            | HeaderError::Repeated { header }
            | HeaderError::TooManyValues { header, .. } => header,
        }
    }
}

/// The words that say where reading stopped.
struct AtColumn(Option<usize>);

impl core::fmt::Display for AtColumn {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.map_or(Ok(()), |column| write!(f, " at column {column}"))
    }
}

/// The whole of `value` by one grammar rule, but for the white space around it, or the column where it stops to be one.
#[inline]
fn whole<'a, T>(
    value: &'a str,
    rule: impl FnOnce(&'a str) -> crate::grammar::Parsed<'a, T>,
) -> Result<T, Option<usize>> {
    match rule(crate::class::trim_wsp(value)) {
        Ok((rest, read)) => match crate::class::skip_wsp(rest) {
            "" => Ok(read),
            rest => Err(Stop::at(rest).column(value)),
        },
        Err(nom::Err::Error(stop) | nom::Err::Failure(stop)) => Err(stop.column(value)),
        Err(nom::Err::Incomplete(_)) => Err(None),
    }
}

/// [`whole`], or the error that says what was expected.
fn complete<'a, T>(
    value: &'a str,
    rule: impl FnOnce(&'a str) -> crate::grammar::Parsed<'a, T>,
    header: HeaderName,
    expected: &'static str,
) -> Result<T, HeaderError> {
    whole(value, rule).map_err(|column| HeaderError::Malformed { header, expected, column })
}

/// A value as it reads again after having been written.
#[cfg(test)]
#[track_caller]
fn rewritten<H: TypedHeader + PartialEq + core::fmt::Debug>(text: &str) -> (H, String) {
    let read = H::parse_value(text.into()).unwrap_or_else(|error| panic!("{text}: {error}"));
    let mut written = String::new();
    read.write(&mut written);
    assert_eq!(H::parse_value(written.as_str().into()).as_ref(), Ok(&read), "{written}");
    (read, written)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A value of every header has an error that says where reading stopped.
    #[test]
    fn an_error_names_the_column_where_reading_stopped() {
        #[track_caller]
        fn check<H: TypedHeader + core::fmt::Debug>(value: &str, column: usize) {
            assert_eq!(H::parse_value(value.into()).unwrap_err().column(), Some(column), "{value}");
        }
        check::<Via>("SIP/2.0/UDP a;branch=1 x", 24);
        check::<Via>("SIP/2.0/UDP a..b", 13);
        check::<Via>("SIP/2.0/UDP a:99999;x", 15);
        check::<Via>("SIP/2.0/UDP a;x;;y", 16);
        check::<From>(" <sip:a@b", 2);
        check::<From>("Bob <sip:a@b>;tag=", 14);
        check::<From>("\"Bob\" sip:a@b", 7);
        check::<To>("sip:a@b?c", 8);
        check::<Route>("<nothing>", 2);
        check::<MaxForwards>("70 x", 4);
        check::<ContentLength>("x", 1);
        assert_eq!(HeaderError::Repeated { header: HeaderName::To }.column(), None);
    }
}

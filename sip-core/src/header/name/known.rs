//! The names that have a variant: those of the registry.

use super::Code;
use crate::ByteStr;

macro_rules! header_names {
    ($($variant:ident $name:literal $($compact:literal)?)*) => {
        /// The name of a header; compared without case, and a compact form is its long form (RFC 3261 §7.3.3).
        ///
        /// ```
        /// use blether_sip_core::HeaderName;
        ///
        /// assert_eq!("i".parse(), Ok(HeaderName::CallId));
        /// assert_eq!("CALL-ID".parse::<HeaderName>().unwrap().as_str(), "Call-ID");
        /// ```
        #[derive(Clone)]
        #[non_exhaustive]
        pub enum HeaderName {
            $(
                #[doc = concat!("`", $name, "`" $(, ", compact `", $compact, "`")?)]
                $variant,
            )*
            /// Any other header, in the case it was written in.
            Extension(ByteStr),
        }

        /// The names that have a variant, numbered in the order of the list.
        #[derive(Clone, Copy)]
        #[repr(u8)]
        pub(super) enum Number {
            $($variant,)*
        }

        /// The names by their numbers.
        pub(super) static BY_CODE: &[HeaderName] = &[$(HeaderName::$variant,)*];

        /// The long forms by their numbers.
        pub(super) static NAMES: &[&str] = &[$($name,)*];

        /// Every name and compact form, with the number of the header.
        pub(super) const WRITTEN: &[(&str, u8)] = &[
            $(
                ($name, Number::$variant as u8),
                $(($compact, Number::$variant as u8),)?
            )*
        ];

        impl HeaderName {
            /// The name in its long form and usual case.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(HeaderName::$variant => $name,)*
                    HeaderName::Extension(name) => name,
                }
            }

            /// The number of the name, or [`Code::EXTENSION`] if it has none, whoever made it.
            #[inline]
            pub(crate) fn code(&self) -> Code {
                match self {
                    $(HeaderName::$variant => Code(Number::$variant as u8),)*
                    HeaderName::Extension(name) => Code::of(name.as_bytes()),
                }
            }

            pub(super) fn as_bytes(&self) -> &[u8] {
                match self {
                    HeaderName::Extension(name) => name.as_bytes(),
                    known => known.as_str().as_bytes(),
                }
            }
        }
    };
}

header_names! {
    Accept "Accept"
    AcceptContact "Accept-Contact" "a"
    AcceptEncoding "Accept-Encoding"
    AcceptLanguage "Accept-Language"
    AcceptResourcePriority "Accept-Resource-Priority"
    AdditionalIdentity "Additional-Identity"
    AlertInfo "Alert-Info"
    AlertMsgError "AlertMsg-Error"
    Allow "Allow"
    AllowEvents "Allow-Events" "u"
    AnswerMode "Answer-Mode"
    AttestationInfo "Attestation-Info"
    AuthenticationInfo "Authentication-Info"
    Authorization "Authorization"
    CallId "Call-ID" "i"
    CallInfo "Call-Info"
    CellularNetworkInfo "Cellular-Network-Info"
    Contact "Contact" "m"
    ContentDisposition "Content-Disposition"
    ContentEncoding "Content-Encoding" "e"
    ContentId "Content-ID"
    ContentLanguage "Content-Language"
    ContentLength "Content-Length" "l"
    ContentType "Content-Type" "c"
    CSeq "CSeq"
    Date "Date"
    DcInfo "DC-Info"
    Diversion "Diversion"
    Encryption "Encryption"
    ErrorInfo "Error-Info"
    Event "Event" "o"
    Expires "Expires"
    FeatureCaps "Feature-Caps"
    FlowTimer "Flow-Timer"
    From "From" "f"
    Geolocation "Geolocation"
    GeolocationError "Geolocation-Error"
    GeolocationRouting "Geolocation-Routing"
    Hide "Hide"
    HistoryInfo "History-Info"
    Identity "Identity" "y"
    IdentityInfo "Identity-Info" "n"
    InReplyTo "In-Reply-To"
    InfoPackage "Info-Package"
    Join "Join"
    MaxBreadth "Max-Breadth"
    MaxForwards "Max-Forwards"
    MimeVersion "MIME-Version"
    MinExpires "Min-Expires"
    MinSe "Min-SE"
    Organization "Organization"
    OriginationId "Origination-Id"
    PAccessNetworkInfo "P-Access-Network-Info"
    PAnswerState "P-Answer-State"
    PAssertedIdentity "P-Asserted-Identity"
    PAssertedService "P-Asserted-Service"
    PAssociatedUri "P-Associated-URI"
    PCalledPartyId "P-Called-Party-ID"
    PChargeInfo "P-Charge-Info"
    PChargingFunctionAddresses "P-Charging-Function-Addresses"
    PChargingVector "P-Charging-Vector"
    PDcsBillingInfo "P-DCS-Billing-Info"
    PDcsLaes "P-DCS-LAES"
    PDcsOsps "P-DCS-OSPS"
    PDcsRedirect "P-DCS-Redirect"
    PDcsTracePartyId "P-DCS-Trace-Party-ID"
    PEarlyMedia "P-Early-Media"
    PMediaAuthorization "P-Media-Authorization"
    PPreferredIdentity "P-Preferred-Identity"
    PPreferredService "P-Preferred-Service"
    PPrivateNetworkIndication "P-Private-Network-Indication"
    PProfileKey "P-Profile-Key"
    PRefusedUriList "P-Refused-URI-List"
    PServedUser "P-Served-User"
    PUserDatabase "P-User-Database"
    PVisitedNetworkId "P-Visited-Network-ID"
    Path "Path"
    PermissionMissing "Permission-Missing"
    PolicyContact "Policy-Contact"
    PolicyId "Policy-ID"
    Priority "Priority"
    PriorityShare "Priority-Share"
    PriorityVerstat "Priority-Verstat"
    PrivAnswerMode "Priv-Answer-Mode"
    Privacy "Privacy"
    ProxyAuthenticate "Proxy-Authenticate"
    ProxyAuthenticationInfo "Proxy-Authentication-Info"
    ProxyAuthorization "Proxy-Authorization"
    ProxyRequire "Proxy-Require"
    RAck "RAck"
    Reason "Reason"
    ReasonPhrase "Reason-Phrase"
    RecordRoute "Record-Route"
    RecvInfo "Recv-Info"
    ReferEventsAt "Refer-Events-At"
    ReferSub "Refer-Sub"
    ReferTo "Refer-To" "r"
    ReferredBy "Referred-By" "b"
    RejectContact "Reject-Contact" "j"
    RelayedCharge "Relayed-Charge"
    RemotePartyId "Remote-Party-ID"
    Replaces "Replaces"
    ReplyTo "Reply-To"
    RequestDisposition "Request-Disposition" "d"
    Require "Require"
    ResourcePriority "Resource-Priority"
    ResourceShare "Resource-Share"
    ResponseKey "Response-Key"
    ResponseSource "Response-Source"
    RestorationInfo "Restoration-Info"
    RetryAfter "Retry-After"
    Route "Route"
    RSeq "RSeq"
    SecurityClient "Security-Client"
    SecurityServer "Security-Server"
    SecurityVerify "Security-Verify"
    Server "Server"
    ServiceInteractInfo "Service-Interact-Info"
    ServiceRoute "Service-Route"
    SessionExpires "Session-Expires" "x"
    SessionId "Session-ID"
    SipEtag "SIP-ETag"
    SipIfMatch "SIP-If-Match"
    Subject "Subject" "s"
    SubscriptionState "Subscription-State"
    Supported "Supported" "k"
    SuppressIfMatch "Suppress-If-Match"
    TargetDialog "Target-Dialog"
    Timestamp "Timestamp"
    To "To" "t"
    TriggerConsent "Trigger-Consent"
    Unsupported "Unsupported"
    UserAgent "User-Agent"
    UserToUser "User-to-User"
    Via "Via" "v"
    Warning "Warning"
    WwwAuthenticate "WWW-Authenticate"
}

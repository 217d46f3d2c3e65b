use core::fmt;
use core::str::FromStr;

use crate::InvalidText;

/// The first digit of a status code (RFC 3261 §7.2).
///
/// ```
/// use blether_sip_core::{StatusClass, StatusCode};
///
/// assert_eq!(StatusCode::RINGING.class(), StatusClass::Provisional);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StatusClass {
    /// 1xx: the request is being processed.
    Provisional,
    /// 2xx: the request was accepted.
    Success,
    /// 3xx: try elsewhere.
    Redirection,
    /// 4xx: not with this request at this server.
    ClientError,
    /// 5xx: not at this server.
    ServerError,
    /// 6xx: not at any server.
    GlobalFailure,
}

/// A status code between 100 and 699 (RFC 3261 §21).
///
/// ```
/// use blether_sip_core::{StatusClass, StatusCode};
///
/// let busy = StatusCode::new(486).unwrap();
/// assert_eq!((busy, busy.class(), busy.reason()), (StatusCode::BUSY_HERE, StatusClass::ClientError, "Busy Here"));
/// assert_eq!((StatusCode::new(700), "486".parse()), (None, Ok(busy)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StatusCode(u16);

macro_rules! status_codes {
    ($($code:literal $name:ident $reason:literal)*) => {
        impl StatusCode {
            $(
                #[doc = concat!("`", stringify!($code), " ", $reason, "`")]
                pub const $name: StatusCode = StatusCode($code);
            )*

            #[cfg(test)]
            const KNOWN: &[StatusCode] = &[$(StatusCode::$name),*];

            /// The reason phrase that the RFC gives to this code; for a code it does not know, that of its class.
            #[must_use]
            pub const fn reason(self) -> &'static str {
                match self.0 {
                    $($code => $reason,)*
                    100..=199 => "Session Progress",
                    200..=299 => "OK",
                    300..=399 => "Redirection",
                    400..=499 => "Bad Request",
                    500..=599 => "Server Internal Error",
                    _ => "Global Failure",
                }
            }
        }
    };
}

status_codes! {
    100 TRYING "Trying"
    180 RINGING "Ringing"
    181 CALL_IS_BEING_FORWARDED "Call Is Being Forwarded"
    182 QUEUED "Queued"
    183 SESSION_PROGRESS "Session Progress"
    199 EARLY_DIALOG_TERMINATED "Early Dialog Terminated"
    200 OK "OK"
    202 ACCEPTED "Accepted"
    204 NO_NOTIFICATION "No Notification"
    300 MULTIPLE_CHOICES "Multiple Choices"
    301 MOVED_PERMANENTLY "Moved Permanently"
    302 MOVED_TEMPORARILY "Moved Temporarily"
    305 USE_PROXY "Use Proxy"
    380 ALTERNATIVE_SERVICE "Alternative Service"
    400 BAD_REQUEST "Bad Request"
    401 UNAUTHORIZED "Unauthorized"
    402 PAYMENT_REQUIRED "Payment Required"
    403 FORBIDDEN "Forbidden"
    404 NOT_FOUND "Not Found"
    405 METHOD_NOT_ALLOWED "Method Not Allowed"
    406 NOT_ACCEPTABLE "Not Acceptable"
    407 PROXY_AUTHENTICATION_REQUIRED "Proxy Authentication Required"
    408 REQUEST_TIMEOUT "Request Timeout"
    410 GONE "Gone"
    412 CONDITIONAL_REQUEST_FAILED "Conditional Request Failed"
    413 REQUEST_ENTITY_TOO_LARGE "Request Entity Too Large"
    414 REQUEST_URI_TOO_LONG "Request-URI Too Long"
    415 UNSUPPORTED_MEDIA_TYPE "Unsupported Media Type"
    416 UNSUPPORTED_URI_SCHEME "Unsupported URI Scheme"
    417 UNKNOWN_RESOURCE_PRIORITY "Unknown Resource-Priority"
    420 BAD_EXTENSION "Bad Extension"
    421 EXTENSION_REQUIRED "Extension Required"
    422 SESSION_INTERVAL_TOO_SMALL "Session Interval Too Small"
    423 INTERVAL_TOO_BRIEF "Interval Too Brief"
    424 BAD_LOCATION_INFORMATION "Bad Location Information"
    425 BAD_ALERT_MESSAGE "Bad Alert Message"
    428 USE_IDENTITY_HEADER "Use Identity Header"
    429 PROVIDE_REFERRER_IDENTITY "Provide Referrer Identity"
    430 FLOW_FAILED "Flow Failed"
    433 ANONYMITY_DISALLOWED "Anonymity Disallowed"
    436 BAD_IDENTITY_INFO "Bad Identity Info"
    437 UNSUPPORTED_CREDENTIAL "Unsupported Credential"
    438 INVALID_IDENTITY_HEADER "Invalid Identity Header"
    439 FIRST_HOP_LACKS_OUTBOUND_SUPPORT "First Hop Lacks Outbound Support"
    440 MAX_BREADTH_EXCEEDED "Max-Breadth Exceeded"
    469 BAD_INFO_PACKAGE "Bad Info Package"
    470 CONSENT_NEEDED "Consent Needed"
    480 TEMPORARILY_UNAVAILABLE "Temporarily Unavailable"
    481 CALL_OR_TRANSACTION_DOES_NOT_EXIST "Call/Transaction Does Not Exist"
    482 LOOP_DETECTED "Loop Detected"
    483 TOO_MANY_HOPS "Too Many Hops"
    484 ADDRESS_INCOMPLETE "Address Incomplete"
    485 AMBIGUOUS "Ambiguous"
    486 BUSY_HERE "Busy Here"
    487 REQUEST_TERMINATED "Request Terminated"
    488 NOT_ACCEPTABLE_HERE "Not Acceptable Here"
    489 BAD_EVENT "Bad Event"
    491 REQUEST_PENDING "Request Pending"
    493 UNDECIPHERABLE "Undecipherable"
    494 SECURITY_AGREEMENT_REQUIRED "Security Agreement Required"
    500 SERVER_INTERNAL_ERROR "Server Internal Error"
    501 NOT_IMPLEMENTED "Not Implemented"
    502 BAD_GATEWAY "Bad Gateway"
    503 SERVICE_UNAVAILABLE "Service Unavailable"
    504 SERVER_TIMEOUT "Server Time-out"
    505 VERSION_NOT_SUPPORTED "Version Not Supported"
    513 MESSAGE_TOO_LARGE "Message Too Large"
    555 PUSH_NOTIFICATION_SERVICE_NOT_SUPPORTED "Push Notification Service Not Supported"
    580 PRECONDITION_FAILURE "Precondition Failure"
    600 BUSY_EVERYWHERE "Busy Everywhere"
    603 DECLINE "Decline"
    604 DOES_NOT_EXIST_ANYWHERE "Does Not Exist Anywhere"
    606 NOT_ACCEPTABLE_ANYWHERE "Not Acceptable"
    607 UNWANTED "Unwanted"
    608 REJECTED "Rejected"
}

impl StatusCode {
    /// A status code; `None` unless it is between 100 and 699.
    #[must_use]
    pub const fn new(code: u16) -> Option<StatusCode> {
        match code {
            100..=699 => Some(StatusCode(code)),
            _ => None,
        }
    }

    /// The three digits as a number.
    #[must_use]
    pub const fn code(self) -> u16 {
        self.0
    }

    /// The class, which is how to treat a code that one does not know (RFC 3261 §8.1.3.2).
    #[must_use]
    pub const fn class(self) -> StatusClass {
        match self.0 {
            0..=199 => StatusClass::Provisional,
            200..=299 => StatusClass::Success,
            300..=399 => StatusClass::Redirection,
            400..=499 => StatusClass::ClientError,
            500..=599 => StatusClass::ServerError,
            _ => StatusClass::GlobalFailure,
        }
    }

    /// Whether this is a 1xx.
    #[must_use]
    pub const fn is_provisional(self) -> bool {
        self.0 < 200
    }

    /// Whether this is a 2xx.
    #[must_use]
    pub const fn is_success(self) -> bool {
        matches!(self.class(), StatusClass::Success)
    }

    /// Whether this ends a transaction: everything but a 1xx.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !self.is_provisional()
    }
}

impl fmt::Display for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for StatusCode {
    type Err = InvalidText;

    /// Reads three digits.
    fn from_str(text: &str) -> Result<Self, InvalidText> {
        let is_code = text.len() == 3 && text.bytes().all(|digit| digit.is_ascii_digit());
        let code = is_code.then(|| text.parse().ok()).flatten();
        code.and_then(StatusCode::new).ok_or(InvalidText::StatusCode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_100_to_699_are_status_codes() {
        for (code, valid) in [(0, false), (99, false), (100, true), (699, true), (700, false), (u16::MAX, false)] {
            assert_eq!(StatusCode::new(code).is_some(), valid, "{code}");
            assert_eq!(code.to_string().parse().ok(), StatusCode::new(code));
        }
        for text in ["", "0200", "+20", "2 0", "20", "20\u{660}"] {
            assert_eq!(text.parse::<StatusCode>(), Err(InvalidText::StatusCode), "{text}");
        }
    }

    #[test]
    fn the_codes_and_their_phrases_are_those_of_the_registry() {
        let registry = include_str!("../tests/iana/response-codes.txt");
        let known = StatusCode::KNOWN.iter().map(|status| format!("{status} {}", status.reason()));
        let registered = registry.lines().filter(|line| !line.starts_with('#')).map(|line| {
            let [code, _, phrase] = line.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
            format!("{code} {phrase}")
        });
        assert_eq!(known.collect::<Vec<_>>(), registered.collect::<Vec<_>>());
    }

    #[test]
    fn an_unknown_code_is_treated_as_its_class() {
        let unknown = StatusCode::new(499).unwrap();
        assert_eq!((unknown.class(), unknown.is_final()), (StatusClass::ClientError, true));
        assert_eq!(unknown.reason(), StatusCode::BAD_REQUEST.reason());
    }
}

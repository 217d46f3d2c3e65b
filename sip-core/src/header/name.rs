use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use crate::{ByteStr, grammar};

macro_rules! header_names {
    ($($variant:ident $name:literal $($compact:literal)?)*) => {
        /// The name of a header; compared without case, and a compact form is its long form (RFC 3261 §7.3.3).
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

        const KNOWN: &[(HeaderName, &str)] = &[
            $(
                (HeaderName::$variant, $name),
                $((HeaderName::$variant, $compact),)?
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

            fn as_bytes(&self) -> &[u8] {
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
    AlertInfo "Alert-Info"
    Allow "Allow"
    AllowEvents "Allow-Events" "u"
    AuthenticationInfo "Authentication-Info"
    Authorization "Authorization"
    CallId "Call-ID" "i"
    CallInfo "Call-Info"
    Contact "Contact" "m"
    ContentDisposition "Content-Disposition"
    ContentEncoding "Content-Encoding" "e"
    ContentLanguage "Content-Language"
    ContentLength "Content-Length" "l"
    ContentType "Content-Type" "c"
    CSeq "CSeq"
    Date "Date"
    Diversion "Diversion"
    ErrorInfo "Error-Info"
    Event "Event" "o"
    Expires "Expires"
    FlowTimer "Flow-Timer"
    From "From" "f"
    HistoryInfo "History-Info"
    Identity "Identity" "y"
    IdentityInfo "Identity-Info" "n"
    InReplyTo "In-Reply-To"
    InfoPackage "Info-Package"
    Join "Join"
    MaxForwards "Max-Forwards"
    MimeVersion "MIME-Version"
    MinExpires "Min-Expires"
    MinSe "Min-SE"
    Organization "Organization"
    PAccessNetworkInfo "P-Access-Network-Info"
    PAssertedIdentity "P-Asserted-Identity"
    PPreferredIdentity "P-Preferred-Identity"
    Path "Path"
    Priority "Priority"
    Privacy "Privacy"
    ProxyAuthenticate "Proxy-Authenticate"
    ProxyAuthorization "Proxy-Authorization"
    ProxyRequire "Proxy-Require"
    RAck "RAck"
    Reason "Reason"
    RecordRoute "Record-Route"
    RecvInfo "Recv-Info"
    ReferSub "Refer-Sub"
    ReferTo "Refer-To" "r"
    ReferredBy "Referred-By" "b"
    RejectContact "Reject-Contact" "j"
    Replaces "Replaces"
    ReplyTo "Reply-To"
    RequestDisposition "Request-Disposition" "d"
    Require "Require"
    RetryAfter "Retry-After"
    Route "Route"
    RSeq "RSeq"
    Server "Server"
    ServiceRoute "Service-Route"
    SessionExpires "Session-Expires" "x"
    SipEtag "SIP-ETag"
    SipIfMatch "SIP-If-Match"
    Subject "Subject" "s"
    SubscriptionState "Subscription-State"
    Supported "Supported" "k"
    TargetDialog "Target-Dialog"
    Timestamp "Timestamp"
    To "To" "t"
    Unsupported "Unsupported"
    UserAgent "User-Agent"
    Via "Via" "v"
    Warning "Warning"
    WwwAuthenticate "WWW-Authenticate"
}

impl HeaderName {
    /// The name of a header, long or compact, in any case; `None` if `name` is no token.
    #[must_use]
    pub fn parse(name: &str) -> Option<HeaderName> {
        HeaderName::known(name).or_else(|| grammar::is_token(name).then(|| HeaderName::Extension(name.into())))
    }

    /// [`HeaderName::parse`] of `name`, which was cut out of `whole`.
    pub(crate) fn read(whole: &ByteStr, name: &str) -> Option<HeaderName> {
        HeaderName::known(name).or_else(|| grammar::is_token(name).then(|| HeaderName::Extension(whole.share(name))))
    }

    /// The name as [`HeaderName::parse`] would have read it, whoever made it.
    pub(crate) fn canonical(&self) -> HeaderName {
        match self {
            HeaderName::Extension(name) => HeaderName::known(name).unwrap_or_else(|| self.clone()),
            known => known.clone(),
        }
    }

    fn known(name: &str) -> Option<HeaderName> {
        KNOWN.iter().find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(header, _)| header.clone())
    }
}

/// The name is no token (RFC 3261 §25.1), or empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a header name has only letters, digits and -.!%*_+`'~")]
pub struct InvalidHeaderName;

impl FromStr for HeaderName {
    type Err = InvalidHeaderName;

    fn from_str(name: &str) -> Result<Self, InvalidHeaderName> {
        HeaderName::parse(name).ok_or(InvalidHeaderName)
    }
}

impl PartialEq for HeaderName {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            // An extension may bear a name that is known, if nobody has read it.
            (HeaderName::Extension(_), _) | (_, HeaderName::Extension(_)) => {
                self.as_bytes().eq_ignore_ascii_case(other.as_bytes())
            }
            (one, other) => std::mem::discriminant(one) == std::mem::discriminant(other),
        }
    }
}

impl Eq for HeaderName {}

impl Hash for HeaderName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in self.as_bytes() {
            state.write_u8(byte.to_ascii_lowercase());
        }
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_in_any_case_and_in_compact_form() {
        #[track_caller]
        fn check(written: &str, canonical: &str) {
            assert_eq!(HeaderName::parse(written).unwrap().as_str(), canonical);
        }
        // RFC 3261 §7.3.3 and §20, RFC 6665 §8.2.1, RFC 4028 §3, RFC 3515 §2.1, RFC 3892 §2.1, RFC 3841 §9
        for (compact, name) in [
            ("i", "Call-ID"),
            ("m", "Contact"),
            ("e", "Content-Encoding"),
            ("l", "Content-Length"),
            ("c", "Content-Type"),
            ("f", "From"),
            ("s", "Subject"),
            ("k", "Supported"),
            ("t", "To"),
            ("v", "Via"),
            ("o", "Event"),
            ("u", "Allow-Events"),
            ("x", "Session-Expires"),
            ("r", "Refer-To"),
            ("b", "Referred-By"),
            ("a", "Accept-Contact"),
            ("j", "Reject-Contact"),
            ("d", "Request-Disposition"),
        ] {
            check(compact, name);
            check(&compact.to_uppercase(), name);
            check(&name.to_lowercase(), name);
            check(name, name);
        }
    }

    #[test]
    fn an_unknown_name_is_kept_and_compared_without_case() {
        assert_eq!(HeaderName::parse("X-Thing").unwrap().as_str(), "X-Thing");
        assert_eq!(HeaderName::parse("X-Thing"), HeaderName::parse("x-tHING"));
        assert_eq!(HeaderName::Extension("via".into()), HeaderName::Via);
    }

    #[test]
    fn what_is_no_token_is_no_name() {
        for name in ["", "a b", "a:b", "a\r\nb", "\u{e9}"] {
            assert_eq!(name.parse::<HeaderName>(), Err(InvalidHeaderName), "{name:?}");
        }
    }
}

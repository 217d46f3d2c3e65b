//! The names of what may be wrong with a message that is taken.

use crate::digest::DigestDeviation;
use crate::header::Deviation;
use crate::{ByteStr, HeaderError};

/// What an [`Anomaly`](crate::Anomaly) is.
///
/// ```
/// use blether_sip_core::{AnomalyKind, Limits, Message};
///
/// let datagram = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
///     To: <sip:b@c>;tag=2\r\nCall-ID: 1@a\r\nCSeq: 1 OPTIONS\r\n\r\n";
/// let message = Message::parse(datagram.into(), &Limits::default())?;
/// assert!(message.anomalies().iter().all(|it| *it.kind() == AnomalyKind::NoContentLength));
/// # Ok::<(), blether_sip_core::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnomalyKind {
    /// Line breaks stand before the start line of a datagram; RFC 3261 §7.5 has them on streams only.
    #[error("expected no line break before the start line")]
    LineBreakBefore,
    /// More than one space between the parts of the request line, or spaces at its end (RFC 3261 §7.1). They are not sent on with a
    /// request that was changed (RFC 4475 §3.1.2.9).
    #[error("expected one space between the parts of the request line, and none behind them")]
    SurplusSpaces,
    /// `SIP` in the start line is not in capitals, in which it must be sent (RFC 3261 §7.1).
    #[error("expected SIP/2.0 in capitals")]
    VersionCase,
    /// The space is missing that stands before the reason phrase even where that is empty (RFC 3261 §7.2).
    #[error("expected a space after the status code")]
    NoReasonSpace,
    /// A request says not how many proxies it may pass (RFC 3261 §8.1.1.6).
    #[error("expected a Max-Forwards header")]
    NoMaxForwards,
    /// There is no Content-Length. RFC 3261 §20.14 recommends it, and demands it on streams (§18.3); in a datagram the message is valid.
    #[error("expected a Content-Length header")]
    NoContentLength,
    /// The datagram goes on after the body; what is there is not part of the message, which is valid (RFC 3261 §18.3).
    #[error("expected {0} bytes less after the body")]
    SurplusBytes(usize),
    /// The From has no tag, as it had not before RFC 3261 (§8.1.1.3).
    #[error("expected a tag")]
    NoFromTag,
    /// The topmost Via has no branch, as it had not to have before RFC 3261 (§8.1.1.7); the message is valid by the grammar, which is so for
    /// the sake of RFC 2543 (§20.42).
    #[error("expected a branch")]
    NoBranch,
    /// Bytes that are not UTF-8, in which all text of a message is (RFC 3261 §7). They read as U+FFFD.
    #[error("expected UTF-8")]
    NotUtf8,
    /// A control character other than a tab, and not behind a backslash in quotes (RFC 3261 §25.1: `TEXT-UTF8char`, `quoted-pair`).
    #[error("expected no control characters")]
    ControlCharacter,
    /// A header that may stand once stands again (RFC 3261 §7.3.1). The mandatory ones are refused at once.
    #[error("expected it once")]
    Repeated,
    /// A value that nobody has asked for does not follow its header's grammar.
    #[error("{0}")]
    Malformed(HeaderError),
    /// Commas with nothing between them (RFC 3261 §7.3.1, §25.1: a list has no empty values).
    #[error("expected a value between the commas")]
    EmptyListItem,
    /// A row without a value, of a header that has one at least (RFC 3261 §25.1: Contact, Route, Via, Require and others, but not Accept,
    /// Accept-Encoding, Accept-Language, Allow and Supported).
    #[error("expected a value")]
    NoValue,
    /// A `*` beside other values of Contact (RFC 3261 §10.3, §25.1).
    #[error("expected the * alone")]
    StarNotAlone,
    /// The parameter of this name stands again (RFC 3261 §7.3.1, §19.1.1, RFC 3966 §3).
    #[error("expected the parameter {0} once")]
    RepeatedParameter(ByteStr),
    /// A URI without brackets where its header has them always (RFC 3261 §25.1: `route-param`, `info`).
    #[error("expected the URI in angle brackets")]
    NoBrackets,
    /// A display name where the header has a URI alone (RFC 3261 §25.1: `info`, `alert-param`; RFC 6442 §4.1).
    #[error("expected no display name")]
    DisplayName,
    /// This parameter of Digest is not in quotes (RFC 3261 §25.1, RFC 7616 §3.3, §3.4, §3.5).
    #[error("expected {0} in quotes")]
    DigestQuotes(&'static str),
    /// This parameter of Digest is in quotes (RFC 3261 §25.1, RFC 7616 §3.3, §3.4, §3.5).
    #[error("expected {0} without quotes")]
    DigestNoQuotes(&'static str),
    /// Of `qop`, `nc` and `cnonce` some are there, and this one is not (RFC 2617 §3.2.2, RFC 7616 §3.5).
    #[error("expected qop, nc and cnonce together, found no {0}")]
    DigestTogether(&'static str),
    /// A User-Agent or Server is not products and comments with white space between (RFC 3261 §25.1: `server-val`).
    #[error("expected products such as Name/1.0 and comments in parentheses")]
    Product,
    /// A Date with other spaces or digits than it should have, or without a weekday (RFC 3261 §25.1: `rfc1123-date`).
    #[error("expected a date such as Sat, 13 Nov 2010 23:29:00 GMT")]
    DateForm,
    /// A Date whose weekday is another. The grammar allows it: the message is valid.
    #[error("expected the weekday of that date")]
    Weekday,
    /// A display name that is not all tokens stands without quotes (RFC 3261 §25.1: `display-name`).
    #[error("expected the display name in quotes")]
    UnquotedDisplayName,
    /// A backslash stands before a character beyond ASCII (RFC 3261 §25.1: `quoted-pair`).
    #[error("expected an ASCII character after the backslash")]
    QuotedPair,
    /// The user or the password of a URI has a character that should be escaped, such as `#` (RFC 3261 §25.1: `user`).
    #[error("expected a user with escapes")]
    UnescapedUser,
    /// A host name has an underscore, or a label that starts or ends with `-` (RFC 3261 §25.1: `hostname`).
    #[error("expected a host name of letters, digits and - between them")]
    HostName,
    /// A parameter's value that is neither token nor host stands without quotes (RFC 3261 §25.1: `gen-value`).
    #[error("expected the parameter's value in quotes")]
    UnquotedValue,
    /// A URI parameter has a `=` and nothing after it (RFC 3261 §25.1: `other-param`).
    #[error("expected a value after the = of a URI parameter")]
    EmptyValue,
    /// Spaces stand between a URI and the angle brackets around it (RFC 3261 §25.1: `name-addr`).
    #[error("expected no space within the angle brackets")]
    SpacedUri,
    /// An IPv6 address has a third colon before its IPv4 part, as the grammar had it until RFC 5954 (§4.1).
    #[error("expected two colons in the IPv6 address")]
    ThreeColons,
    /// The `received` of a Via is no address, or is one in brackets (RFC 3261 §25.1: `via-received`; RFC 5118 §4.5).
    #[error("expected an address without brackets in received")]
    Received,
    /// The value of this parameter is not what the grammar of its header says, or stands in quotes where it should not or without where it
    /// should: the `tag` of a From or To, the `branch`, `ttl`, `maddr` and `rport` of a Via, the `q` and `expires` of a Contact, the `q` of the Accept
    /// headers, the `duration` of a Retry-After and others (RFC 3261 §25.1: `tag-param`, `via-params`, `contact-params`, `accept-param`,
    /// `retry-param`).
    #[error("expected a {0} of the header's grammar")]
    Parameter(&'static str),
    /// A `tel:` URI is no telephone number, or a local one that says not where it is valid (RFC 3966 §3, §5.1.5).
    #[error("expected a number after tel:, and a phone-context if it is a local one")]
    TelUri,
    /// A URI of another scheme has a character that RFC 3986 §2 has escaped, such as `|`.
    #[error("expected escapes of what no URI has")]
    UriCharacter,
    /// A SIP URI has its port, its headers or this parameter where it may not: table 1 of RFC 3261 §19.1.1 has none of `port`, `method`, `maddr`,
    /// `ttl`, `transport`, `lr` and headers in From and To, no `method`, `ttl` and headers in Route and Record-Route, and no `method` in Contact and
    /// in the Request-URI, whose headers are refused by any reading ([`ParseErrorKind`](crate::ParseErrorKind)). What is not allowed should be
    /// ignored, and RFC 4475 §3.1.1.7 calls a request well-formed that has a port in its To: the message is valid.
    #[error("expected no {0} in the URI")]
    UriComponent(&'static str),
    /// The Call-ID is not `word [ "@" word ]` (RFC 3261 §25.1: `callid`).
    #[error("expected word@word")]
    CallId,
}

impl AnomalyKind {
    /// What a deviation at this place is called.
    pub(super) fn of(deviation: Deviation, place: &str) -> Self {
        match deviation {
            Deviation::DisplayName => AnomalyKind::UnquotedDisplayName,
            Deviation::QuotedPair => AnomalyKind::QuotedPair,
            Deviation::User => AnomalyKind::UnescapedUser,
            Deviation::HostName => AnomalyKind::HostName,
            Deviation::BareValue => AnomalyKind::UnquotedValue,
            Deviation::EmptyValue => AnomalyKind::EmptyValue,
            Deviation::Spaces => AnomalyKind::SpacedUri,
            Deviation::Brackets => AnomalyKind::NoBrackets,
            Deviation::Name => AnomalyKind::DisplayName,
            Deviation::Repeated => AnomalyKind::RepeatedParameter(place.into()),
            Deviation::Colons => AnomalyKind::ThreeColons,
            Deviation::Received => AnomalyKind::Received,
            Deviation::Parameter(name) => AnomalyKind::Parameter(name),
            Deviation::Tel => AnomalyKind::TelUri,
            Deviation::UriCharacter => AnomalyKind::UriCharacter,
        }
    }
}

impl From<DigestDeviation> for AnomalyKind {
    fn from(deviation: DigestDeviation) -> Self {
        match deviation {
            DigestDeviation::Quotes(name) => AnomalyKind::DigestQuotes(name),
            DigestDeviation::NoQuotes(name) => AnomalyKind::DigestNoQuotes(name),
            DigestDeviation::Value => AnomalyKind::UnquotedValue,
            DigestDeviation::Together(missing) => AnomalyKind::DigestTogether(missing),
        }
    }
}

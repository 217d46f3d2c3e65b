//! Typed header values.

use std::fmt::Debug;

use blether_sip_core::{
    Accept, AcceptContact, AcceptEncoding, AcceptLanguage, AcceptResourcePriority, AlertInfo, Allow, AllowEvents,
    AnswerMode, AuthenticationInfo, Authorization, CSeq, CallId, CallInfo, Contact, ContentDisposition,
    ContentEncoding, ContentLanguage, ContentLength, ContentType, Date, Diversion, ErrorInfo, Event, Expires,
    FeatureCaps, FlowTimer, From, Geolocation, GeolocationError, GeolocationRouting, Headers, HistoryInfo, Identity,
    InReplyTo, InfoPackage, Join, MaxBreadth, MaxForwards, MimeVersion, MinExpires, MinSe, NameAddr, Organization,
    PAccessNetworkInfo, PAssertedIdentity, PAssociatedUri, PCalledPartyId, PChargingVector, PPreferredIdentity, Path,
    Priority, PrivAnswerMode, Privacy, ProxyAuthenticate, ProxyAuthenticationInfo, ProxyAuthorization, ProxyRequire,
    RAck, RSeq, Reason, RecordRoute, RecvInfo, ReferSub, ReferTo, ReferredBy, RejectContact, Replaces, ReplyTo,
    RequestDisposition, Require, ResourcePriority, RetryAfter, Route, SecurityClient, SecurityServer, SecurityVerify,
    Server, ServiceRoute, SessionExpires, SessionId, SipEtag, SipIfMatch, Subject, SubscriptionState, Supported,
    TargetDialog, Timestamp, To, TypedHeader, Unsupported, UserAgent, UserToUser, Via, Warning, WwwAuthenticate,
};

/// A typed header: the name of its type, what to do with a value of it, and with the headers of a message.
pub(crate) struct Header {
    pub(crate) name: &'static str,
    value: fn(&str),
    read: fn(&Headers),
}

macro_rules! headers {
    ($($name:ident)*) => {
        &[$(Header { name: stringify!($name), value: value::<$name>, read: read::<$name> }),*]
    };
}

/// All of them. Seeds name a header by its place here, so one that is new goes to the end.
#[rustfmt::skip]
pub(crate) const HEADERS: &[Header] = headers! {
    Allow Authorization CSeq CallId Contact ContentLength ContentType Date Expires From MaxForwards MinExpires
    ProxyAuthenticate ProxyAuthorization ProxyRequire Reason RecordRoute Require RetryAfter Route Server Supported To
    Unsupported UserAgent Via Warning WwwAuthenticate AuthenticationInfo ProxyAuthenticationInfo
    AcceptContact RejectContact AcceptResourcePriority ResourcePriority AlertInfo CallInfo ErrorInfo Geolocation
    AnswerMode PrivAnswerMode Diversion FeatureCaps GeolocationError GeolocationRouting HistoryInfo Identity
    PAccessNetworkInfo PAssertedIdentity PPreferredIdentity PAssociatedUri PCalledPartyId PChargingVector Privacy
    RequestDisposition SecurityClient SecurityServer SecurityVerify SessionId UserToUser
    Path ServiceRoute ReplyTo RSeq RAck ReferSub Join Replaces TargetDialog Event AllowEvents
    ReferTo ReferredBy SubscriptionState SipEtag SipIfMatch SessionExpires MinSe FlowTimer MaxBreadth
    InfoPackage RecvInfo
    Accept AcceptEncoding AcceptLanguage
    ContentDisposition ContentEncoding ContentLanguage MimeVersion InReplyTo Organization Subject Priority
    Timestamp
};

/// The first byte says which header, the rest is its value.
pub(crate) fn header(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    let Some(header) = HEADERS.get(usize::from(*first) % HEADERS.len()) else { return };
    // What is folded or no UTF-8 is made a text before a header sees it.
    (header.value)(&String::from_utf8_lossy(rest).replace(['\r', '\n'], " "));
}

/// Reads all headers in all the ways there are.
pub(crate) fn read_all(headers: &Headers) {
    for header in HEADERS {
        (header.read)(headers);
    }
}

fn read<H: TypedHeader + PartialEq + Debug>(headers: &Headers) {
    let (first, all) = (headers.get::<H>(), headers.all::<H>());
    if let (Ok(first), Ok(all)) = (first, all) {
        assert_eq!(first.as_ref(), all.first(), "the first of all");
    }
}

/// A value that is read is written on one line, which reads as the same and is written the same.
fn value<H: TypedHeader + PartialEq + Debug>(text: &str) {
    let Ok(read) = H::parse_value(text.into()) else { return };
    let (again, line) = made(&read, || H::parse_value(text.into()).unwrap());
    // Control characters, which quoted strings can have, are written as spaces or not at all.
    if !text.contains(char::is_control) {
        assert_eq!(again, read, "{text:?} was written as {line:?}");
    }
    assert!(line.len() <= 4 * text.len() + 64, "{} bytes became {}", text.len(), line.len());
}

/// What is written of a value, as the header of a message, reads again, and is then written the same.
pub(crate) fn made<H: TypedHeader + Debug>(value: &H, same: impl FnOnce() -> H) -> (H, String) {
    let line = written(same());
    assert!(!line.contains(|c: char| c.is_ascii_control() && c != '\t'), "{value:?} became {line:?}");
    let read = |line: &str| match H::parse_value(line.into()) {
        Ok(read) => read,
        Err(error) => panic!("{error}: {value:?} became {line:?}"),
    };
    assert_eq!(written(read(&line)), line, "{value:?}");
    (read(&line), line)
}

/// The value as it stands in a message.
fn written<H: TypedHeader>(header: H) -> String {
    let mut headers = Headers::new();
    headers.push(header);
    headers.raw(&H::NAME).unwrap().to_owned()
}

/// An address, which several headers are.
pub(crate) fn address(text: &str) {
    if let Ok(address) = text.parse::<NameAddr>() {
        let line = address.to_string();
        let again: Result<NameAddr, _> = line.parse();
        assert!(again.is_ok(), "{text:?} was written as {line:?}");
        if !text.contains(char::is_control) {
            assert_eq!(again, Ok(address), "{text:?} was written as {line:?}");
        }
    }
}

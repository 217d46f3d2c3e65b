//! SIP messages, URIs, headers, SDP and digest computations: parse, validate, build, write, without I/O.
//!
//! Where messages come from and go to, transactions and dialogs are left to the crates above. Nothing here knows the time,
//! draws a random number or keeps state between two calls.
//!
//! # How it works
//!
//! [`Message::parse`] takes a datagram as [`Bytes`](bytes::Bytes) and makes an index of ranges on it. Texts that it hands
//! out are [`ByteStr`]s, slices of the same memory. What every message has (start line, Via, From, To, Call-ID, CSeq), and
//! Max-Forwards and Content-Length where they are there, is checked at once and read without a `Result` afterwards, which
//! makes a value of it when it is first asked for; any other header is read by [`Headers::get`] as a value or by
//! [`Headers::raw`] as text. What a message does that the RFCs do not allow is taken where it can be understood, and
//! told by [`Message::anomalies`] or, where it makes the message invalid, refused by [`Message::parse_strict`].
//!
//! A message that is not changed is written as the bytes that came. A change writes anew what it is about; all other rows
//! keep their case, compact names, white space and folding.
//!
//! Input that is no message is a [`ParseError`]. It has the status and can write the answer, or says that there is
//! none to give. [`Limits`] bound what a stranger can make us do; time and memory are linear in the length of the input.
//!
//! A value is also a text: `Display` writes what stands in a message, `FromStr` reads it. Session descriptions are in
//! [`sdp`], other bodies in [`body`], authentication in [`digest`].
//!
//! Builders and setters do not make a message that would not be read: what a field holds is escaped, quoted or taken out when
//! it is written, and whatever must be there is there. `build_strict` makes none that is invalid. An `Err` changes nothing, and
//! the value can be used on.
//!
//! # Example
//!
//! ```
//! use blether_sip_core::{Contact, Limits, Message, Response, StatusCode};
//! use bytes::Bytes;
//!
//! let datagram = Bytes::from_static(
//!     b"REGISTER sip:biloxi.com SIP/2.0\r\n\
//!       Via: SIP/2.0/UDP 192.0.2.4;branch=z9hG4bKnashds7;rport\r\n\
//!       To: Bob <sip:bob@biloxi.com>\r\n\
//!       From: Bob <sip:bob@biloxi.com>;tag=456248\r\n\
//!       Call-ID: 843817637684230@998sdasdh09\r\n\
//!       CSeq: 1826 REGISTER\r\n\
//!       m: <sip:bob@192.0.2.4>;expires=60\r\n\r\n",
//! );
//! let source = "192.0.2.4:5060".parse()?;
//! let reply = match Message::parse(datagram, &Limits::default()) {
//!     Ok(Message::Request(request)) => {
//!         let contacts = request.headers().all::<Contact>()?;
//!         assert_eq!(contacts[0].expires(), Some(60));
//!         let mut response = Response::to_request(&request, StatusCode::OK).to_tag("2493k59kd");
//!         for contact in contacts {
//!             response = response.header(contact);
//!         }
//!         Some(response.build().to_bytes())
//!     }
//!     Ok(Message::Response(_)) => None,
//!     Err(error) => error.reply(source),
//! };
//! assert!(reply.is_some_and(|bytes| bytes.starts_with(b"SIP/2.0 200 OK\r\nVia: ")));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//!
//! `serde`: all values that have a text form are written and read as that text, whatever the format. A message is bytes, and its
//! `Display` is for people.
//!
//! `xml`: the bodies that are XML documents ([`body`]'s modules `pidf`, `dialog_info`, `reginfo`, `conference`, `resource_lists`), by the crate
//! `quick-xml`. It needs `std`.
//!
//! `std`, on by default. Without it the crate needs `alloc` alone: a [`Date`] makes no `SystemTime`, the typed headers of a message
//! are allocated when they are first asked for, and searches do without the newer instructions of the processor.
//!
//! # RFCs
//!
//! | RFC | what of it | what is absent |
//! | --- | --- | --- |
//! | 3261 | §7 messages, §8.2.6 responses, §18.3 framing in datagrams, §19.1 URIs, §20 and §25 headers and grammar | streams are framed by `sip-transport` |
//! | 3326 | the Reason header | |
//! | 3966, 4694, 5341 | `tel:` URIs, to and from SIP URIs; the domain of a number in ENUM (6116) | looking it up |
//! | 5954, 5118 | IPv6 in URIs, compared by value; the third colon that RFC 3261 allowed is taken and told | |
//! | 3486, 4458, 5626, 5627 | the URI parameters `comp`, `target`, `cause`, `ob`, `gr` | what to do about them |
//! | 3581 | `rport` in a Via | where a response goes is `transaction-core`'s |
//! | 5621, 2046 §5.1, 3204, 3420, 3842 | [`body`]: multipart bodies, ISUP, fragments of messages, message summaries | content in `base64` is not decoded |
//! | 3863, 4235, 3680, 4575, 4826 | presence, dialogs, registrations, conferences, resource lists, behind the feature `xml`; with what 4479 and 4480 tell of person and device, GRUUs (5628), copy control (5364) | sidebars by value, most of 4480, XCAP |
//! | 3323, 3325, 5876 | Privacy, P-Asserted-Identity and P-Preferred-Identity | what a privacy service does |
//! | 3329 | the headers of the security agreement, compared and chosen from | `ipsec-3gpp` parameters have no types |
//! | 3840, 3841 | Accept-Contact, Reject-Contact and Request-Disposition; [`CallerPreferences`] orders contacts | |
//! | 4412, 5373, 6442, 6809, 7433, 7989 | their headers | who is trusted with them, and what priorities mean |
//! | 5806, 7044 | Diversion; History-Info with the headers in its URIs | |
//! | 7315 | P-Access-Network-Info, P-Associated-URI, P-Called-Party-ID, P-Charging-Vector | the others |
//! | 7462 | alert URNs in Alert-Info | |
//! | 8224 | the Identity header | PASSporTs are text: they are neither signed nor verified |
//! | 3262 | RSeq, RAck | sending again is `session-core`'s |
//! | 3327, 3608 | Path, Service-Route | |
//! | 3515, 3891, 3892, 3911, 4488, 4538 | Refer-To, Replaces, Referred-By, Join, Refer-Sub, Target-Dialog | the dialogs that they name, and what proves a Referred-By |
//! | 3903, 6665 | SIP-ETag, SIP-If-Match, Event, Allow-Events, Subscription-State | subscriptions |
//! | 4028 | Session-Expires, Min-SE | the timer |
//! | 5393, 5626, 6086 | Max-Breadth, Flow-Timer, Info-Package, Recv-Info | |
//! | 8866, 3264 | [`sdp`]: all lines, and the attributes of [`sdp::attribute`] (RFC 3605, 4568, 4585, 5576, 5888, 8122, 8285, 8839, 8851, 8853, T.38, …) | `imageattr` and `silenceSupp` are text |
//! | 7615, 7616, 8760, 2069 | [`digest`] | see there |

#![cfg_attr(not(any(test, feature = "std")), no_std)]
#![warn(clippy::indexing_slicing)]

extern crate alloc;

pub mod body;
mod byte_str;
mod caller_preferences;
mod class;
pub mod digest;
mod feature_set;
mod grammar;
mod header;
mod headers;
mod host;
mod invalid_text;
mod lazy;
mod limits;
mod message;
mod method;
mod ordinary;
mod params;
mod parse;
pub mod sdp;
#[cfg(feature = "serde")]
mod serde_text;
mod status;
mod uri;

pub use byte_str::ByteStr;
pub use caller_preferences::CallerPreferences;
pub use header::{
    Accept, AcceptContact, AcceptEncoding, AcceptLanguage, AcceptResourcePriority, AlertInfo, Allow, AllowEvents,
    AnswerMode, AnsweringMode, AuthenticationInfo, Authorization, CSeq, CallId, CallInfo, Contact, ContentDisposition,
    ContentEncoding, ContentLanguage, ContentLength, ContentType, Date, Directive, Diversion, DiversionReason,
    ErrorInfo, Event, Expires, FeatureCaps, FlowTimer, From, Geolocation, GeolocationError, GeolocationRouting,
    Handling, HeaderError, HeaderName, HistoryIndex, HistoryInfo, HistoryTarget, Identity, InReplyTo, InfoPackage,
    Join, MaxBreadth, MaxForwards, MimeVersion, MinExpires, MinSe, NameAddr, Organization, PAccessNetworkInfo,
    PAssertedIdentity, PAssociatedUri, PCalledPartyId, PChargingVector, PPreferredIdentity, Path, Priority,
    PrivAnswerMode, Privacy, ProxyAuthenticate, ProxyAuthenticationInfo, ProxyAuthorization, ProxyRequire, RAck, RSeq,
    Reason, RecordRoute, RecvInfo, ReferSub, ReferTo, ReferredBy, Refresher, RejectContact, Repetition, Replaces,
    ReplyTo, RequestDisposition, Require, ResourcePriority, ResourceValue, RetryAfter, Route, SecurityClient,
    SecurityMechanism, SecurityServer, SecurityVerify, Server, ServiceRoute, SessionExpires, SessionId, SessionUuid,
    SipEtag, SipIfMatch, Subject, SubscriptionState, Substate, Supported, TargetDialog, TerminationReason, Timestamp,
    To, TypedHeader, Unsupported, UserAgent, UserToUser, Via, Warning, WwwAuthenticate,
};
pub use headers::{Headers, InvalidHeader};
pub use host::Host;
pub use invalid_text::InvalidText;
pub use limits::Limits;
pub use message::{BuildError, HeadersMut, Message, Request, RequestBuilder, Response, ResponseBuilder};
pub use method::Method;
pub use params::Params;
pub use parse::{Anomaly, AnomalyKind, ParseError, ParseErrorKind};
pub use status::{StatusClass, StatusCode};
pub use uri::{AddressOfRecord, Gruu, PhoneContext, SipUri, TelUri, TransportParam, Uri, UriError};

/// The example of the README compiles and holds.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

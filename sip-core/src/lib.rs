//! SIP messages, URIs, headers, SDP and digest computations: parse, validate, build, write, without I/O.
//!
//! Where messages come from and go to, transactions and dialogs are left to the crates above. Nothing here knows the time,
//! draws a random number or keeps state between two calls.
//!
//! # How it works
//!
//! [`Message::parse`] takes a datagram as [`Bytes`](bytes::Bytes) and makes an index of ranges on it. Texts that it hands
//! out are [`ByteStr`]s, slices of the same memory. What the message cannot be without (start line, Via, From, To,
//! Call-ID, CSeq, Max-Forwards, Content-Length) is checked at once and read without a `Result` afterwards, which makes a
//! value of it when it is first asked for; any other header is read by [`Headers::get`] as a value or by
//! [`Headers::raw`] as text. What a message does that the RFCs do not allow is taken where it can be understood, and
//! told by [`Message::anomalies`] or refused by [`Message::parse_strict`].
//!
//! A message that is not changed is written as the bytes that came. A change writes anew what it is about; all other rows
//! keep their case, compact names, white space and folding.
//!
//! Input that is no message is a [`ParseError`]. It has the status and can write the answer, or says that there is
//! none to give. [`Limits`] bound what a stranger can make us do; time and memory are linear in the length of the input.
//!
//! Builders and setters do not make an invalid message: what a field holds is escaped, quoted or taken out when it is
//! written, and whatever must be there is there. An `Err` changes nothing, and the value can be used on.
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
//! `serde`: all values that have a text form are written and read as that text, whatever the format.
//!
//! `std`, on by default. Without it the crate needs `alloc` alone: there is no `Date`, the typed headers of a message
//! are allocated when they are first asked for, and searches do without the newer instructions of the processor.
//!
//! # RFCs
//!
//! | RFC | what of it | what is absent |
//! | --- | --- | --- |
//! | 3261 | §7 messages, §8.2.6 responses, §18.3 framing in datagrams, §19.1 URIs, §20 and §25 headers and grammar | typed values for the headers not exported here (they are read as text), multipart bodies; streams are framed by `sip-transport` |
//! | 3326 | the Reason header | |
//! | 3581 | `rport` in a Via | where a response goes is `transaction-core`'s |
//! | 8866, 3264 | [`sdp`] | see there |
//! | 7616, 8760 | [`digest`] | see there |

#![cfg_attr(not(any(test, feature = "std")), no_std)]
#![warn(clippy::indexing_slicing)]

extern crate alloc;

mod byte_str;
mod class;
pub mod digest;
mod grammar;
mod header;
mod headers;
mod host;
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
#[cfg(feature = "std")]
pub use header::Date;
pub use header::{
    Allow, Authorization, CSeq, CallId, Contact, ContentLength, ContentType, Expires, From, HeaderError, HeaderName,
    MaxForwards, MinExpires, NameAddr, ProxyAuthenticate, ProxyAuthorization, ProxyRequire, Reason, RecordRoute,
    Repetition, Require, RetryAfter, Route, Server, Supported, To, TypedHeader, Unsupported, UserAgent, Via, Warning,
    WwwAuthenticate,
};
pub use headers::{Headers, InvalidHeader};
pub use host::Host;
pub use limits::Limits;
pub use message::{BuildError, HeadersMut, Message, Request, RequestBuilder, Response, ResponseBuilder};
pub use method::Method;
pub use params::Params;
pub use parse::{Anomaly, AnomalyKind, ParseError, ParseErrorKind};
pub use status::{StatusClass, StatusCode};
pub use uri::{AddressOfRecord, SipUri, Uri, UriError};

/// The example of the README compiles and holds.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

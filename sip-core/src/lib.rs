//! SIP messages, URIs, headers, SDP and digest computations: parse, validate, build, write, without I/O
#![warn(clippy::indexing_slicing)]

mod byte_str;
pub mod digest;
mod grammar;
mod header;
mod headers;
mod host;
mod limits;
mod message;
mod method;
mod params;
mod parse;
pub mod sdp;
mod status;
mod uri;

pub use byte_str::ByteStr;
pub use header::{
    Allow, Authorization, CSeq, CallId, Contact, ContentLength, ContentType, Date, Expires, From, HeaderError,
    HeaderName, MaxForwards, MinExpires, NameAddr, ProxyAuthenticate, ProxyAuthorization, ProxyRequire, Reason,
    RecordRoute, Repetition, Require, RetryAfter, Route, Server, Supported, To, TypedHeader, Unsupported, UserAgent,
    Via, Warning, WwwAuthenticate,
};
pub use headers::{Headers, InvalidHeader};
pub use host::Host;
pub use limits::Limits;
pub use message::{BuildError, HeadersMut, Message, Request, RequestBuilder, Response, ResponseBuilder};
pub use method::Method;
pub use params::Params;
pub use parse::{ParseError, ParseErrorKind};
pub use status::{StatusClass, StatusCode};
pub use uri::{AddressOfRecord, SipUri, Uri, UriError};

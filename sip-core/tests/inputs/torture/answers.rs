//! What a user agent and a proxy answer, as the RFC has them decide, by what a message says when it is read by type.
//!
//! They are as small as can be: the user agent knows INVITE, ACK, BYE, CANCEL, OPTIONS, MESSAGE and REGISTER, session descriptions,
//! multipart bodies and plain text, and no extension; the proxy routes by SIP URIs and knows no extension either.

use blether_sip_core::{
    Contact, ContentType, HeaderName, Host, Message, Method, ProxyRequire, Request, Require, Response, StatusCode,
    TypedHeader, Unsupported, Uri, Via,
};

/// What a user agent does: `status` and what the answer names, or `takes it`, or `drops it` (RFC 3261 §8.1.3, §8.2).
pub(crate) fn user_agent(message: &Message) -> String {
    match message {
        Message::Request(request) => answered(request, inspect(request).err()),
        // A response with a second Via was not for this user agent (RFC 3261 §8.1.3.3).
        Message::Response(response) => match response.headers().all::<Via>() {
            Ok(vias) if vias.len() == 1 => "takes it".to_owned(),
            _ => "drops it".to_owned(),
        },
    }
}

/// What a proxy does: `status` and what the answer names, or `sends it on`, or `drops it` (RFC 3261 §16.3, §16.7).
pub(crate) fn proxy(message: &Message) -> String {
    match message {
        Message::Request(request) => match forwardable(request) {
            Ok(()) => "sends it on".to_owned(),
            Err(refusal) => answered(request, Some(refusal)),
        },
        Message::Response(response) => passed_back(response),
    }
}

/// A status, and what the answer says besides.
struct Refusal(StatusCode, HeaderName, String);

fn refuse<T>(status: StatusCode, header: HeaderName, value: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal(status, header, value.into()))
}

/// Builds the answer and reads it again: what is said of it is what it says.
fn answered(request: &Request, refusal: Option<Refusal>) -> String {
    let Some(Refusal(status, header, value)) = refusal else { return "takes it".to_owned() };
    let built = Response::to_request(request, status).to_tag("torture").raw(header.as_str(), &value).build();
    let limits = blether_sip_core::Limits::default();
    let again = Message::parse(built.to_bytes(), &limits).unwrap_or_else(|error| panic!("the answer: {error}"));
    assert_eq!((again.via(), again.from()), (request.via(), request.from()));
    assert_eq!((again.call_id(), again.cseq()), (request.call_id(), request.cseq()));
    assert!(again.to().tag().is_some());
    let Message::Response(again) = again else { panic!("the answer is a request") };
    match again.headers().raw(&header) {
        Some(value) if !value.is_empty() => format!("{} {header}: {value}", again.status().code()),
        _ => again.status().code().to_string(),
    }
}

fn inspect(request: &Request) -> Result<(), Refusal> {
    const METHODS: &str = "INVITE, ACK, BYE, CANCEL, OPTIONS, MESSAGE, REGISTER";
    // §8.2.1
    if !METHODS.split(", ").any(|known| known == request.method().as_str()) {
        return refuse(StatusCode::NOT_IMPLEMENTED, HeaderName::Allow, METHODS);
    }
    // §8.2.2.1
    if request.uri().as_sip().is_none() {
        return refuse(StatusCode::UNSUPPORTED_URI_SCHEME, HeaderName::Warning, "");
    }
    // §8.2.2.3
    let unknown: Vec<_> =
        request.headers().get::<Require>().map_or_else(bad_request, |tags| Ok(tags.unwrap_or_default().0))?;
    if !unknown.is_empty() {
        return refuse(StatusCode::BAD_EXTENSION, HeaderName::Unsupported, written(&Unsupported(unknown)));
    }
    // §8.2.3
    const TYPES: &str = "application/sdp, multipart/mixed, text/plain";
    let content_type = request.headers().get::<ContentType>().map_or_else(bad_request, Ok)?;
    if !request.body().is_empty() && !content_type.is_some_and(|kind| TYPES.contains(kind.essence())) {
        return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, HeaderName::Accept, TYPES);
    }
    // Malformed headers that are not needed are ignored (§8.2.2); these are needed.
    match request.method() {
        Method::Invite => {
            request.headers().all::<Contact>().map_or_else(bad_request, Ok)?;
            match request.headers().raw(&HeaderName::Accept) {
                Some(accepted) if !accepted.contains("application/sdp") => refuse(
                    StatusCode::NOT_ACCEPTABLE,
                    HeaderName::Warning,
                    "399 torture \"Accept lacks application/sdp\"",
                ),
                _ => Ok(()),
            }
        }
        // §10.3: the address of record is a SIP or SIPS URI.
        Method::Register => {
            request.headers().all::<Contact>().map_or_else(bad_request, Ok)?;
            match request.to().uri {
                Uri::Sip(_) => Ok(()),
                Uri::Tel(_) | Uri::Other(_) => {
                    refuse(StatusCode::BAD_REQUEST, HeaderName::Warning, "399 torture \"To is no SIP URI\"")
                }
            }
        }
        _ => Ok(()),
    }
}

fn bad_request<T>(error: blether_sip_core::HeaderError) -> Result<T, Refusal> {
    refuse(StatusCode::BAD_REQUEST, HeaderName::Warning, format!("399 torture \"{}\"", error.header()))
}

fn forwardable(request: &Request) -> Result<(), Refusal> {
    if request.uri().as_sip().is_none() {
        return refuse(StatusCode::UNSUPPORTED_URI_SCHEME, HeaderName::Warning, "");
    }
    if request.max_forwards() == Some(0) {
        return refuse(StatusCode::TOO_MANY_HOPS, HeaderName::Warning, "");
    }
    let unknown =
        request.headers().get::<ProxyRequire>().map_or_else(bad_request, |tags| Ok(tags.unwrap_or_default().0))?;
    if unknown.is_empty() {
        return Ok(());
    }
    refuse(StatusCode::BAD_EXTENSION, HeaderName::Unsupported, written(&Unsupported(unknown)))
}

/// The next Via is where the response goes (RFC 3261 §16.7, step 9), unless that is more than one host.
fn passed_back(response: &Response) -> String {
    let Ok(vias) = response.headers().all::<Via>() else { return "drops it".to_owned() };
    match vias.get(1).map(|via| &via.host) {
        None => "keeps it".to_owned(),
        Some(Host::V4(ip)) if ip.is_broadcast() || ip.is_multicast() || ip.is_unspecified() => "drops it".to_owned(),
        Some(_) => "sends it on".to_owned(),
    }
}

fn written<H: TypedHeader>(header: &H) -> String {
    let mut text = String::new();
    header.write(&mut text);
    text
}

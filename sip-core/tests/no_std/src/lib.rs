//! What a microcontroller does with sip-core: reads a request, looks at what it says, and answers.
#![no_std]

extern crate alloc;

use alloc::string::ToString;

use blether_sip_core::digest::{Challenge, Credentials};
use blether_sip_core::sdp::SessionDescription;
use blether_sip_core::{Contact, Date, Limits, Message, Method, NameAddr, Request, Response, StatusCode, Uri, Via};
use bytes::Bytes;

/// The answer to a datagram, if it is a request that has one.
pub fn answer(datagram: Bytes, source: core::net::SocketAddr) -> Option<Bytes> {
    let request = match Message::parse(datagram, &Limits::default()) {
        Ok(Message::Request(request)) if *request.method() != Method::Ack => request,
        Ok(_) => return None,
        Err(error) => return error.reply(source),
    };
    let is_plain = request.anomalies().is_empty() && SessionDescription::parse(request.body()).is_ok();
    let status = if is_plain { StatusCode::RINGING } else { StatusCode::OK };
    let caller = request.from().uri.to_string();
    let builder = Response::to_request(&request, status).to_tag("314159").raw("Subject", &caller);
    Some(builder.build().to_bytes())
}

/// A request to register.
pub fn register(registrar: Uri, me: NameAddr, via: Via) -> Option<Bytes> {
    let request = Request::builder(Method::Register, registrar)
        .via(via)
        .from(me.clone().with_tag("1"))
        .to(me.clone())
        .call_id("271828")
        .cseq(1)
        .header(Contact::Address(me))
        .build();
    Some(request.ok()?.to_bytes())
}

/// What time it is, by a registrar's response, in seconds since 1970.
pub fn clock(response: &Response) -> Option<u64> {
    response.headers().get().ok()?.map(|Date(seconds)| seconds)
}

/// Whether two texts are a challenge and an answer to one.
pub fn is_digest(challenge: &str, credentials: &str) -> bool {
    challenge.parse::<Challenge>().is_ok() && credentials.parse::<Credentials>().is_ok()
}

//! A datagram.

use std::net::SocketAddr;

use blether_sip_core::{
    Allow, Host, Limits, MaxForwards, Message, Method, ParseError, Request, Response, StatusCode, Via,
};
use bytes::Bytes;

use super::header;

/// Reads everything that can be read, changes what can be changed, and writes it; what is written reads again.
pub(crate) fn message(bytes: &[u8]) {
    let bytes = Bytes::copy_from_slice(bytes);
    let message = match Message::parse(bytes.clone(), &Limits::default()) {
        Ok(message) => message,
        Err(error) => return is_answered_within_bounds(&error, bytes.len()),
    };
    is_within_limits(&message);
    // Not touched, it is the bytes that came, and these are read as the same.
    let written = message.to_bytes();
    let at = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    assert_eq!(bytes.get(at..at + written.len()), Some(&*written), "a copy that was not touched");
    let same = Message::parse(written.clone(), &Limits::default()).unwrap();
    assert_eq!(same.to_bytes(), written);
    assert!(same.headers().iter().eq(message.headers().iter()));
    assert_eq!((same.via(), same.from(), same.to()), (message.via(), message.from(), message.to()));
    assert_eq!((same.call_id(), same.cseq(), same.body()), (message.call_id(), message.cseq(), message.body()));

    header::read_all(message.headers());
    match message {
        Message::Request(mut request) => {
            is_answered(&request);
            is_sent_on(request.clone());
            is_changed(&mut request);
        }
        Message::Response(mut response) => {
            response.pop_via();
            response.push_via(hop());
            assert_eq!(again(response.to_bytes()).via(), &hop());
        }
    }
}

fn source() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 9], 5060))
}

fn hop() -> Via {
    Via::new("UDP", Host::V4([192, 0, 2, 1].into()), None, "z9hG4bK7")
}

/// The answer to what could not be read is one that can be sent: not much longer than what it answers, and headers only.
fn is_answered_within_bounds(error: &ParseError, length: usize) {
    let Some(reply) = error.reply(source()) else { return };
    assert!(reply.len() <= length + 512, "an answer of {} bytes to {length}", reply.len());
    assert!(reply.len() <= 8_192, "an answer of {} bytes", reply.len());
    let text = String::from_utf8_lossy(&reply);
    assert!(text.ends_with("\r\n\r\n") && text.matches("\r\n\r\n").count() == 1, "{text}");
    assert!(text.starts_with("SIP/2.0 "), "{text}");
    let rows = text.trim_end().split("\r\n").skip(1);
    assert!(rows.into_iter().all(|row| row.contains(": ") && !row.contains(['\r', '\n', '\0'])), "{text}");
}

fn is_within_limits(message: &Message) {
    let limits = Limits::default();
    let headers = message.headers();
    assert!(headers.len() <= limits.max_headers && message.body().len() <= limits.max_body);
    assert!(message.to_bytes().len() <= limits.max_message);
    assert!(
        headers.iter().all(|(_, value)| value.len() <= 3 * limits.max_header_value),
        "of which U+FFFD takes three bytes"
    );
    assert!(headers.iter().all(|(_, value)| !value.contains(['\r', '\n'])), "folding is undone");
    assert!(
        headers.all::<Via>().is_ok_and(|vias| !vias.is_empty() && vias.len() <= limits.max_list_items)
            || headers.all::<Via>().is_err()
    );
}

fn is_answered(request: &Request) {
    let response = Response::to_request(request, StatusCode::OK).to_tag("2").build();
    let again = again(response.to_bytes());
    assert!(matches!(again, Message::Response(_)));
    assert_eq!((again.via(), again.from(), again.cseq()), (request.via(), request.from(), request.cseq()));
    assert_eq!(again.call_id(), request.call_id());
    assert!(again.to().tag().is_some());
}

/// What a proxy does: nothing but Via and Max-Forwards is other than it was.
fn is_sent_on(mut request: Request) {
    let others = |request: &Message| -> Vec<(String, String)> {
        let own = |name: &str| ["Via", "Max-Forwards", "Content-Length"].contains(&name);
        let rows = request.headers().iter().filter(|(name, _)| !own(name.as_str()));
        rows.map(|(name, value)| (name.as_str().to_owned(), value.to_owned())).collect()
    };
    let before = (others(&request.clone().into()), request.body().clone(), request.uri().clone());
    request.push_via(hop());
    request.headers_mut().set(MaxForwards(69));
    let Message::Request(again) = again(request.to_bytes()) else { panic!("a request became a response") };
    assert_eq!((again.via(), again.max_forwards()), (&hop(), Some(69)));
    assert_eq!((others(&again.clone().into()), again.body().clone(), again.uri().clone()), before);
}

fn is_changed(request: &mut Request) {
    let vias = request.headers().all::<Via>().map(|vias| vias.len());
    request.push_via(hop());
    request.headers_mut().set(Allow(vec![Method::Invite]));
    request.set_body("text/plain", Bytes::from_static(b"changed"));
    let again = again(request.to_bytes());
    assert_eq!((again.from(), again.to(), again.cseq()), (request.from(), request.to(), request.cseq()));
    assert_eq!((again.call_id(), again.via(), again.body()), (request.call_id(), request.via(), request.body()));
    if let (Ok(before), Ok(after)) = (vias, again.headers().all::<Via>()) {
        assert_eq!(before + 1, after.len());
    }
}

/// The message that was written; the limits are wider, since a change may have made it longer.
pub(crate) fn again(bytes: Bytes) -> Message {
    let limits = Limits {
        max_message: 200_000,
        max_header_section: 200_000,
        max_headers: 10_000,
        max_header_value: 100_000,
        max_list_items: 10_000,
        ..Limits::default()
    };
    Message::parse(bytes.clone(), &limits)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&bytes)))
}

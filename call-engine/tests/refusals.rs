//! What the server says to requests that it does not serve, each in the words of RFC 3261 §8.2, and that it remembers none of them.
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

mod stranger;

use std::collections::HashMap;

use blether_sip_core::digest::{Credentials, DigestRequest, Secret};
use blether_sip_core::{
    Authorization, HeaderName, Limits, Message, Method, Request, Response, StatusCode, WwwAuthenticate,
};
use bytes::Bytes;

use crate::stranger::{Server, Stranger};

fn transactions(server: &Server) -> usize {
    server.runtime.block_on(server.engine.counts()).unwrap().transactions
}

fn header(response: &Response, name: HeaderName) -> String {
    response.headers().raw_all(&name).collect::<Vec<_>>().join(", ")
}

/// The same request with one header more.
fn with(mut request: Request, name: HeaderName, value: &str) -> Request {
    request.headers_mut().push_raw(&name, value).unwrap();
    request
}

/// An INVITE of alice's to `to`, with her answer to the challenge that its first copy got.
fn invite(stranger: &mut Stranger, to: &str, prepare: impl Fn(Request) -> Request) -> Request {
    let first = prepare(stranger.request(Method::Invite, to));
    let challenged = stranger.ask(&first.to_bytes());
    assert_eq!(challenged.status().code(), 401);
    let challenge = challenged.headers().all::<WwwAuthenticate>().unwrap().remove(0);
    let mut invite = prepare(stranger.request(Method::Invite, to));
    let uri = invite.uri().to_string();
    let asked = DigestRequest { method: &Method::Invite, uri: &uri, cnonce: "alice", nc: 1, body: b"" };
    let answer = Credentials::answer(&challenge.0, "alice", &Secret::password("wonderland"), &asked).unwrap();
    invite.headers_mut().push(Authorization(answer));
    invite
}

/// The final response to what was sent, whatever provisional ones come before.
fn final_response(stranger: &Stranger) -> Response {
    loop {
        let response = stranger.response();
        if response.status().is_final() {
            return response;
        }
    }
}

#[test]
fn what_the_server_cannot_serve_is_refused_in_the_right_words_and_forgotten() {
    let server = Server::start();
    let mut stranger = Stranger::of(&server);

    let mut number = stranger.request(Method::Invite, "bob");
    number.set_uri("tel:+441632960000".parse().unwrap());
    assert_eq!(stranger.ask(&number.to_bytes()).status().code(), 416);

    for method in [Method::Invite, Method::Register, Method::Options] {
        let request = with(stranger.request(method.clone(), "alice"), HeaderName::Require, "gruu, 100rel");
        let response = stranger.ask(&request.to_bytes());
        assert_eq!(
            (response.status().code(), header(&response, HeaderName::Unsupported)),
            (420, "gruu, 100rel".into())
        );
    }

    let mut text = stranger.request(Method::Invite, "bob");
    text.set_body("text/plain", Bytes::from_static(b"hello"));
    let response = stranger.ask(&text.to_bytes());
    assert_eq!((response.status().code(), header(&response, HeaderName::Accept)), (415, "application/sdp".into()));
    let mut zipped = stranger.request(Method::Options, "bob");
    zipped.set_body("application/sdp", Bytes::from_static(b"\x1f\x8b"));
    let response = stranger.ask(&with(zipped, HeaderName::ContentEncoding, "gzip").to_bytes());
    assert_eq!((response.status().code(), header(&response, HeaderName::AcceptEncoding)), (415, "identity".into()));

    let unknown = stranger.request(Method::Extension("WHISTLE".into()), "bob");
    let response = stranger.ask(&unknown.to_bytes());
    assert_eq!(response.status().code(), 501);
    assert!(header(&response, HeaderName::Allow).contains("INVITE"));
    let known = stranger.request(Method::Publish, "bob");
    assert_eq!(stranger.ask(&known.to_bytes()).status().code(), 405);

    for method in [Method::Bye, Method::Invite] {
        let nobody = in_dialog(&stranger.request(method, "bob"));
        assert_eq!(stranger.ask(nobody.as_bytes()).status().code(), 481);
    }

    assert_eq!(transactions(&server), 0, "a stranger is not remembered");
}

/// A request as if it belonged to a dialog.
fn in_dialog(request: &Request) -> String {
    let text = String::from_utf8(request.to_bytes().to_vec()).unwrap();
    let to = request.to().to_string();
    text.replacen(&format!("\r\nTo: {to}"), &format!("\r\nTo: {to};tag=nobody"), 1)
}

#[test]
fn max_forwards_0_is_refused_with_483_only_where_the_call_would_be_passed_on() {
    let server = Server::start();
    let mut stranger = Stranger::of(&server);
    let none_left = |mut request: Request| {
        request.headers_mut().set(blether_sip_core::MaxForwards(0));
        request
    };
    // The server answers these itself (RFC 3261 §11.2, §10.3).
    let options = none_left(stranger.request(Method::Options, "bob"));
    assert_eq!(stranger.ask(&options.to_bytes()).status().code(), 200);
    let register = none_left(stranger.request(Method::Register, "alice"));
    assert_eq!(stranger.ask(&register.to_bytes()).status().code(), 401);
    // Nobody is registered to whom the call could be passed on: that is what is said.
    let to_nobody = invite(&mut stranger, "bob", none_left);
    stranger.send(&to_nobody.to_bytes());
    assert_eq!(final_response(&stranger).status().code(), 480);

    let mut phone = Stranger::of(&server);
    let challenge = phone.challenge();
    let register = phone.register("bob", "bob", "builder-1", &challenge, 1);
    assert_eq!(phone.ask(&register.to_bytes()).status().code(), 200);
    let mut caller = Stranger::of(&server);
    let passed_on = invite(&mut caller, "bob", none_left);
    caller.send(&passed_on.to_bytes());
    assert_eq!(final_response(&caller).status().code(), 483);
    phone.socket.set_nonblocking(true).unwrap();
    assert!(phone.socket.recv_from(&mut [0; 100]).is_err(), "nothing reaches the phone");
}

#[test]
fn a_phone_that_says_503_of_itself_cannot_be_reached() {
    let server = Server::start();
    let mut phone = Stranger::of(&server);
    let challenge = phone.challenge();
    let register = phone.register("bob", "bob", "builder-1", &challenge, 1);
    assert_eq!(phone.ask(&register.to_bytes()).status().code(), 200);
    let mut caller = Stranger::of(&server);
    let call = invite(&mut caller, "bob", |request| request);
    caller.send(&call.to_bytes());
    let mut buffer = [0; 65_535];
    let (length, _) = phone.socket.recv_from(&mut buffer).expect("the call");
    let passed_on = match Message::parse(Bytes::copy_from_slice(&buffer[..length]), &Limits::default()).unwrap() {
        Message::Request(request) if *request.method() == Method::Invite => request,
        other => panic!("{other}"),
    };
    let busy = Response::to_request(&passed_on, StatusCode::SERVICE_UNAVAILABLE).to_tag("bob").build();
    phone.send(&busy.to_bytes());
    let refused = final_response(&caller);
    assert_eq!((refused.status().code(), header(&refused, HeaderName::RetryAfter)), (480, String::new()));
}

#[test]
fn a_request_that_asks_something_of_proxies_is_not_passed_on_without_it() {
    let server = Server::start();
    let mut phone = Stranger::of(&server);
    let challenge = phone.challenge();
    let register = phone.register("bob", "bob", "builder-1", &challenge, 1);
    assert_eq!(phone.ask(&register.to_bytes()).status().code(), 200);
    let mut caller = Stranger::of(&server);
    let asking = |request| with(request, HeaderName::ProxyRequire, "sec-agree");
    let passed_on = invite(&mut caller, "bob", asking);
    caller.send(&passed_on.to_bytes());
    let response = final_response(&caller);
    assert_eq!((response.status().code(), header(&response, HeaderName::Unsupported)), (420, "sec-agree".into()));
    // The server answers OPTIONS itself, and is no proxy then (RFC 3261 §20.29).
    let options = asking(caller.request(Method::Options, "bob"));
    assert_eq!(caller.ask(&options.to_bytes()).status().code(), 200);
}

#[test]
fn ten_thousand_unauthenticated_invites_leave_no_transaction_and_get_one_401_each() {
    const INVITES: usize = 10_000;
    let server = Server::start();
    let mut stranger = Stranger::of(&server);
    let mut answers: HashMap<String, usize> = HashMap::new();
    let note = |answers: &mut HashMap<String, usize>, response: &Response| {
        assert_eq!(response.status().code(), 401);
        *answers.entry(response.call_id().to_string()).or_default() += 1;
    };
    for _ in 0..INVITES / 100 {
        for _ in 0..100 {
            let invite = stranger.request(Method::Invite, "bob");
            stranger.send(&invite.to_bytes());
        }
        // The system drops what comes faster than it is read.
        for _ in 0..100 {
            let response = stranger.response();
            note(&mut answers, &response);
        }
    }
    // Where there is no transaction there is no timer that could send something. What one has sent by now would come before the answer to this.
    assert_eq!((answers.len(), transactions(&server)), (INVITES, 0));
    let options = stranger.request(Method::Options, "bob");
    assert_eq!(stranger.ask(&options.to_bytes()).call_id(), options.call_id(), "somebody hears more than one answer");
    assert!(answers.values().all(|count| *count == 1));
}

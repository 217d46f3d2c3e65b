//! Ours.

use std::hint::black_box;

use blether_sip_core::sdp::SessionDescription;
use blether_sip_core::{
    Allow, Authorization, ByteStr, Contact, ContentType, Expires, HeaderName, Headers, Limits, MaxForwards,
    Message, Method, NameAddr, ParseError, RecordRoute, Request, Require, Response, Route, Supported, Uri, UserAgent,
    Via,
};
use bytes::Bytes;

use super::{Expected, Library, Operation, read_or_refuse};

pub struct Ours;

impl Library for Ours {
    type Message = Message;
    type Error = ParseError;

    fn parse(bytes: &Bytes) -> Result<Message, ParseError> {
        Message::parse(bytes.clone(), &Limits::default())
    }

    fn is_understood(message: &Message, expected: &Expected) -> anyhow::Result<()> {
        let (call_id, cseq) = (message.call_id().as_str(), message.cseq().number);
        expected.check(call_id, cseq, message.headers().len(), message.body().len())
    }

    fn proxy(message: &Message) -> Option<()> {
        black_box(message.via().branch());
        black_box((message.from_tag(), message.to_tag()));
        black_box((message.call_id(), message.cseq()));
        black_box(message.headers().get::<Route>().ok()?);
        if let Message::Request(request) = message {
            black_box((request.max_forwards(), request.uri().as_sip().map(|uri| &uri.host)));
        }
        Some(())
    }

    fn typed(message: &Message) -> Option<()> {
        let headers = message.headers();
        black_box((message.via(), message.from(), message.to(), message.call_id(), message.cseq()));
        // What may stand once, or is one list, is asked for as such.
        macro_rules! read {
            ($read:ident: $($header:ident)*) => { $(drop(black_box(headers.$read::<$header>()));)* };
        }
        read!(all: Via Contact Route RecordRoute Authorization);
        read!(get: MaxForwards Allow Supported Require ContentType Expires UserAgent);
        if let Message::Request(request) = message {
            black_box(request.uri());
        }
        Some(())
    }

    fn write(message: &Message) -> Option<()> {
        black_box(message.to_bytes());
        Some(())
    }

    fn operation(operation: Operation, bytes: &Bytes, message: Message) -> Option<Box<dyn FnMut()>> {
        match (operation, message) {
            (Operation::Write, message) => {
                let built = built(&message);
                Some(Box::new(move || drop(black_box(black_box(&built).to_bytes()))))
            }
            (Operation::Build, Message::Request(request)) => {
                let parts = Parts::of(&request);
                Some(Box::new(move || drop(black_box(black_box(&parts).build().to_bytes()))))
            }
            (Operation::Forward, Message::Request(request)) => {
                let via = Via::new("UDP", "192.0.2.9".parse().ok()?, Some(5060), "z9hG4bKabcdef0123456789");
                let route: NameAddr = "<sip:192.0.2.9:5060;lr>".parse().ok()?;
                let hops = request.max_forwards()?.checked_sub(1)?;
                Some(Box::new(move || {
                    let mut request = black_box(&request).clone();
                    request.push_via(via.clone());
                    let mut headers = request.headers_mut();
                    headers.push_front(RecordRoute(route.clone()));
                    headers.set(MaxForwards(hops));
                    drop(black_box(request.to_bytes()));
                }))
            }
            (Operation::Sdp, message) => {
                let body = message.body().clone();
                SessionDescription::parse(&body).ok()?;
                Some(Box::new(move || assert!(SessionDescription::parse(black_box(&body)).is_ok())))
            }
            (Operation::Build | Operation::Forward, Message::Response(_)) => None,
            (other, message) => read_or_refuse::<Self>(other, bytes, message),
        }
    }
}

/// What a request is built of.
struct Parts {
    method: Method,
    uri: Uri,
    via: Via,
    from: NameAddr,
    to: NameAddr,
    call_id: ByteStr,
    cseq: u32,
    hops: u8,
    others: Vec<(HeaderName, String)>,
    body: Option<(String, Bytes)>,
}

impl Parts {
    fn of(request: &Request) -> Self {
        let headers = request.headers();
        Parts {
            method: request.method().clone(),
            uri: request.uri().clone(),
            via: request.via().clone(),
            from: request.from().clone(),
            to: request.to().clone(),
            call_id: request.call_id().clone(),
            cseq: request.cseq().number,
            hops: request.max_forwards().unwrap_or(70),
            others: others(headers),
            body: headers.raw(&HeaderName::ContentType).map(|kind| (kind.to_owned(), request.body().clone())),
        }
    }

    fn build(&self) -> Request {
        let mut builder = Request::builder(self.method.clone(), self.uri.clone())
            .via(self.via.clone())
            .from(self.from.clone())
            .to(self.to.clone())
            .call_id(&self.call_id)
            .cseq(self.cseq)
            .max_forwards(self.hops);
        for (name, value) in &self.others {
            builder = builder.raw(name.as_str(), value);
        }
        if let Some((kind, body)) = &self.body {
            builder = builder.body(kind, body.clone());
        }
        builder.build().expect("what was read can be built")
    }
}

/// The headers that a builder has no method of its own for.
fn others(headers: &Headers) -> Vec<(HeaderName, String)> {
    use HeaderName::{CSeq, CallId, ContentLength, ContentType, From, MaxForwards, To, Via};
    let own =
        |name: &HeaderName| matches!(name, Via | From | To | CallId | CSeq | MaxForwards | ContentType | ContentLength);
    headers.iter().filter(|(name, _)| !own(name)).map(|(name, value)| (name.clone(), value.to_owned())).collect()
}

/// The message as our builders make it.
fn built(message: &Message) -> Message {
    match message {
        Message::Request(request) => Message::Request(Parts::of(request).build()),
        Message::Response(response) => {
            let request = Request::builder(response.cseq().method.clone(), response.to().uri.clone())
                .via(response.via().clone())
                .from(response.from().clone())
                .to(response.to().clone())
                .call_id(response.call_id())
                .cseq(response.cseq().number)
                .build()
                .expect("what was read can be built");
            let mut builder = Response::to_request(&request, response.status());
            for (name, value) in others(response.headers()) {
                builder = builder.raw(name.as_str(), &value);
            }
            Message::Response(builder.body("application/sdp", response.body().clone()).build())
        }
    }
}

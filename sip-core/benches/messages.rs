//! What it costs to read and to write the messages of `messages/` and the two heaviest of RFC 4475.
//!
//! `cargo bench -p blether-sip-core`; one group is `parse`, `proxy`, `typed`, `write`, `forward` or `error`, and `cargo bench -p blether-sip-core -- proxy`
//! runs it alone.
#![expect(clippy::unwrap_used, reason = "a bench that cannot set up its input measures nothing")]

use std::hint::black_box;

use blether_sip_core::{
    Allow, Authorization, CSeq, CallId, Contact, ContentLength, ContentType, Expires, From, Headers, Limits,
    MaxForwards, Message, NameAddr, RecordRoute, Route, Server, Supported, To, UserAgent, Via,
};
use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// A message as it is on the wire: git keeps its line ends as LF alone.
fn on_the_wire(text: &str) -> Bytes {
    text.replace("\r\n", "\n").replace('\n', "\r\n").into()
}

fn messages() -> Vec<(&'static str, Bytes)> {
    vec![
        ("OPTIONS", on_the_wire(include_str!("messages/options.sip"))),
        ("REGISTER", on_the_wire(include_str!("messages/register.sip"))),
        ("INVITE", on_the_wire(include_str!("messages/invite.sip"))),
        ("200 to INVITE", on_the_wire(include_str!("messages/invite-ok.sip"))),
        ("SUBSCRIBE", on_the_wire(include_str!("messages/subscribe.sip"))),
        ("RFC 4475 wsinv", Bytes::from_static(include_bytes!("../tests/rfc4475/wsinv.dat"))),
        ("RFC 4475 longreq", Bytes::from_static(include_bytes!("../tests/rfc4475/longreq.dat"))),
    ]
}

fn parse(bytes: &Bytes, limits: &Limits) -> Message {
    Message::parse(bytes.clone(), limits).unwrap()
}

/// What a proxy reads to route a message and to find its transaction (RFC 3261 §16.3, §16.4, §17.2.3).
fn read_as_proxy(message: &Message) {
    black_box((message.via().branch(), message.from_tag(), message.to_tag(), message.call_id(), message.cseq()));
    black_box(message.headers().get::<Route>().unwrap());
    if let Message::Request(request) = message {
        black_box((request.max_forwards(), request.uri()));
    }
}

fn read_all(message: &Message) {
    black_box((message.from(), message.to()));
    if let Message::Request(request) = message {
        black_box(request.uri());
    }
    let headers: &Headers = message.headers();
    // Some of RFC 4475 have values that are none: these are read, too.
    black_box((
        headers.all::<Via>().ok(),
        headers.all::<Route>().ok(),
        headers.all::<RecordRoute>().ok(),
        headers.all::<Contact>().ok(),
    ));
    black_box((
        headers.get::<From>().ok(),
        headers.get::<To>().ok(),
        headers.get::<CSeq>().ok(),
        headers.get::<CallId>().ok(),
    ));
    black_box((
        headers.get::<MaxForwards>().ok(),
        headers.get::<ContentLength>().ok(),
        headers.get::<ContentType>().ok(),
    ));
    black_box((headers.get::<Allow>().ok(), headers.get::<Supported>().ok(), headers.get::<Expires>().ok()));
    black_box((headers.get::<Authorization>().ok(), headers.get::<UserAgent>().ok(), headers.get::<Server>().ok()));
}

/// A message with a last header that is none.
fn broken(bytes: &Bytes) -> Bytes {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    [&bytes[..end], b"\r\nno header\r\n\r\n"].concat().into()
}

fn reading(criterion: &mut Criterion) {
    let limits = Limits::default();
    let mut bench = |group: &str, run: &dyn Fn(&Bytes)| {
        let mut group = criterion.benchmark_group(group);
        for (name, bytes) in messages() {
            group.throughput(Throughput::Bytes(bytes.len() as u64));
            group.bench_with_input(BenchmarkId::from_parameter(name), &bytes, |bencher, bytes| {
                bencher.iter(|| run(bytes))
            });
        }
    };
    bench("parse", &|bytes| drop(black_box(parse(bytes, &limits))));
    bench("proxy", &|bytes| read_as_proxy(&parse(bytes, &limits)));
    bench("typed", &|bytes| read_all(&parse(bytes, &limits)));

    let mut group = criterion.benchmark_group("error");
    for (name, bytes) in messages() {
        let bytes = broken(&bytes);
        group.bench_with_input(BenchmarkId::from_parameter(name), &bytes, |bencher, bytes| {
            bencher.iter(|| Message::parse(bytes.clone(), &limits).unwrap_err());
        });
    }
}

fn writing(criterion: &mut Criterion) {
    let limits = Limits::default();
    let hop = Via::new("UDP", "192.0.2.9".parse().unwrap(), Some(5060), "z9hG4bKabcdef0123456789");
    let route: NameAddr = "<sip:192.0.2.9:5060;lr>".parse().unwrap();
    // A header was set, so that the message is not the bytes that came.
    let mut group = criterion.benchmark_group("write");
    for (name, bytes) in messages() {
        let mut message = parse(&bytes, &limits);
        match &mut message {
            Message::Request(request) => request.headers_mut().set(Expires(60)),
            Message::Response(response) => response.headers_mut().set(Expires(60)),
        }
        group.bench_with_input(BenchmarkId::from_parameter(name), &message, |bencher, message| {
            bencher.iter(|| message.to_bytes());
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group("forward");
    for (name, bytes) in messages() {
        let Message::Request(request) = parse(&bytes, &limits) else { continue };
        group.bench_with_input(BenchmarkId::from_parameter(name), &request, |bencher, request| {
            bencher.iter(|| {
                let mut request = request.clone();
                request.push_via(hop.clone());
                let hops = request.max_forwards().map_or(70, |hops| hops.saturating_sub(1));
                let mut headers = request.headers_mut();
                headers.push_front(RecordRoute(route.clone()));
                headers.set(MaxForwards(hops));
                request.to_bytes()
            });
        });
    }
}

criterion_group!(benches, reading, writing);
criterion_main!(benches);

//! What messages made to be expensive cost by the byte, compared with an ordinary one: at most three times as much.
//!
//! Both are measured as CPU time of one thread, in turns, and of several measurements of each the least counts: what else the machine does
//! can only add to it. The limits are wide open for it; that those we have by default stop the same messages is tested too.
#![expect(clippy::unwrap_used, reason = "a test that cannot set up its input has failed")]

mod expensive;

use std::hint::black_box;
use std::time::Duration;

use blether_sip_core::{
    Allow, CSeq, Contact, From, HeaderError, Headers, Limits, MaxForwards, Message, ParseErrorKind, RecordRoute,
    RetryAfter, Route, Supported, To, Via, Warning,
};
use bytes::Bytes;
use rustix::time::{ClockId, clock_gettime};

use expensive::{message_with, wide_open};

/// How much of each message is read, in bytes: enough for a clock, little enough for a test.
const VOLUME: usize = 200_000;
/// Measurements of each, of which the least counts.
const ROUNDS: usize = 5;
/// The most that a byte of a hostile message may cost, in bytes of the ordinary one.
const MOST: f64 = 3.0;

/// An INVITE as a phone sends it through two proxies.
fn ordinary() -> Bytes {
    let head = "INVITE sip:bob@biloxi.example.com;transport=tcp SIP/2.0\r\n\
        Via: SIP/2.0/TCP p2.example.com:5060;branch=z9hG4bK-524287-1---aa43bc66c2c9;rport\r\n\
        Via: SIP/2.0/UDP 192.0.2.4:5060;branch=z9hG4bK776asdhds;received=198.51.100.7;rport=40321\r\n\
        Max-Forwards: 69\r\nRecord-Route: <sip:p2.example.com;transport=tcp;lr>\r\n\
        From: \"Alice Liddell\" <sip:alice@atlanta.example.com>;tag=1928301774\r\n\
        To: \"Bob\" <sip:bob@biloxi.example.com>\r\nCall-ID: a84b4c76e66710@pc33.atlanta.example.com\r\n\
        CSeq: 314159 INVITE\r\nContact: <sip:alice@192.0.2.4:5060;ob>;+sip.instance=\"<urn:uuid:1>\"\r\n\
        Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, PRACK, NOTIFY, REFER\r\nSupported: replaces, 100rel, timer\r\n\
        User-Agent: Phone/4.1 (build 2210)\r\nContent-Type: application/sdp\r\n";
    let body = "v=0\r\no=- 3724394400 3724394405 IN IP4 192.0.2.4\r\ns=-\r\nc=IN IP4 192.0.2.4\r\nt=0 0\r\n\
        m=audio 49170 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\n";
    format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).into()
}

/// A way of reading.
type Read = fn(&Bytes, &Limits);

/// Reads the message and all that a proxy or a user agent reads of it.
fn read(bytes: &Bytes, limits: &Limits) {
    let Ok(message) = black_box(Message::parse(bytes.clone(), limits)) else { return };
    read_headers(message.headers());
}

/// Reads the message as strict reading does, and all that it deviates in, since that ends with the first.
fn read_strictly(bytes: &Bytes, limits: &Limits) {
    let Ok(message) = black_box(Message::parse(bytes.clone(), limits)) else { return };
    let _ = black_box(message.anomalies());
}

fn read_headers(headers: &Headers) {
    let _ = black_box((
        headers.all::<Via>(),
        headers.all::<Route>(),
        headers.all::<RecordRoute>(),
        headers.all::<Contact>(),
    ));
    let _ =
        black_box((headers.get::<From>(), headers.get::<To>(), headers.get::<CSeq>(), headers.get::<MaxForwards>()));
    let _ = black_box((
        headers.get::<Allow>(),
        headers.get::<Supported>(),
        headers.all::<Warning>(),
        headers.get::<RetryAfter>(),
    ));
}

/// CPU time of reading about [`VOLUME`] bytes, by the byte, in nanoseconds.
fn cost(bytes: &Bytes, limits: &Limits, read: Read) -> f64 {
    let cpu = || {
        let now = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(u64::try_from(now.tv_sec).unwrap(), u32::try_from(now.tv_nsec).unwrap())
    };
    let times = (VOLUME / bytes.len()).max(1);
    let before = cpu();
    for _ in 0..times {
        read(bytes, limits);
    }
    (cpu() - before).as_nanos() as f64 / (times * bytes.len()) as f64
}

/// Names and messages.
fn hostile() -> Vec<(&'static str, Bytes)> {
    let rows = |count: usize, row: fn(usize) -> String| (0..count).map(row).collect::<String>();
    let long = |start: &str, repeated: &str, end: &str| {
        message_with(&format!("{start}{}{end}", repeated.repeat(60_000 / repeated.len())))
    };
    vec![
        ("10,000 headers", message_with(&rows(10_000, |n| format!("X-Header-{n}: some value {n}\r\n")))),
        ("10,000 headers that may stand once", message_with(&rows(10_000, |_| "Max-Forwards: 70\r\n".to_owned()))),
        (
            "10,000 headers that may stand once and do not",
            message_with(&rows(10_000, |_| "Subject: some value\r\n".to_owned())),
        ),
        ("60 kB of commas in Contact", long("Contact: ", ",", "")),
        ("60 kB of commas in Via", long("Via: ", ",", "")),
        ("60 kB of commas in Allow", long("Allow: ", ",", "")),
        ("60 kB of semicolons", long("Contact: <sip:a@b>", ";", "")),
        ("nested quotes", long("Contact: \"", "\\\"", "\" <sip:a@b>")),
        ("quotes that do not end", long("Contact: ", "\"\\\"", "")),
        ("nested angle brackets", long("Contact: ", "<", "")),
        ("nested square brackets", long("Contact: <sip:a@", "[", "")),
        ("nested comments", message_with(&format!("Retry-After: 1 {}{}", "(".repeat(30_000), ")".repeat(30_000)))),
        ("comments that do not end", long("Retry-After: 1 ", "(", "")),
        ("endless folding", long("Subject: a", "\r\n b", "")),
        ("endless folding of nothing", long("Contact: <sip:a@b>", "\r\n ", "")),
        (
            "a megabyte of Via in rows",
            message_with(&rows(20_000, |n| format!("Via: SIP/2.0/UDP h{n}.example.com;branch=z9hG4bK{n}\r\n"))),
        ),
        (
            "a megabyte of Via in one row",
            message_with(&format!(
                "Via: {}",
                rows(20_000, |n| format!("SIP/2.0/UDP h{n}.example.com;branch=z9hG4bK{n}, "))
            )),
        ),
        ("a megabyte of Via as short as can be", message_with(&format!("Via: {}", "SIP/2.0/UDP a,".repeat(70_000)))),
    ]
}

/// [`MOST`], and twice that without optimisation, which cargo puts into a folder of this name: small calls cost most there.
fn most() -> f64 {
    let program = std::env::current_exe().unwrap();
    if program.components().any(|part| part.as_os_str() == "debug") { 2.0 * MOST } else { MOST }
}

/// The least of several costs of each, by the byte: of the message and of the ordinary one.
fn least(bytes: &Bytes, ordinary: &Bytes, read: Read) -> (f64, f64) {
    let limits = wide_open();
    (0..ROUNDS).fold((f64::INFINITY, f64::INFINITY), |least, _| {
        (least.0.min(cost(bytes, &limits, read)), least.1.min(cost(ordinary, &limits, read)))
    })
}

#[test]
fn a_byte_of_a_hostile_message_costs_at_most_three_of_an_ordinary_one() {
    is_cheap(read);
}

#[test]
fn a_byte_of_a_hostile_message_costs_strict_reading_at_most_three_of_an_ordinary_one() {
    is_cheap(read_strictly);
}

fn is_cheap(read: Read) {
    let ordinary = ordinary();
    let mut over = Vec::new();
    for (name, bytes) in hostile() {
        let (hostile, ordinary) = least(&bytes, &ordinary, read);
        let ratio = hostile / ordinary;
        println!("{ratio:5.2} times {ordinary:.2} ns/byte: {name}");
        if ratio > most() {
            over.push(format!("{name}: {ratio:.2}"));
        }
    }
    assert!(over.is_empty(), "{over:?}");
}

/// A header that is nearly nothing costs what a row costs, whatever its bytes: less than an ordinary row, of which there are few.
#[test]
fn the_shortest_header_costs_no_more_than_an_ordinary_one() {
    let (short, ordinary) = (message_with(&"X:\r\n".repeat(10_000)), ordinary());
    let (for_short, for_ordinary) = least(&short, &ordinary, read);
    let Ok(message) = Message::parse(ordinary.clone(), &wide_open()) else { panic!("the ordinary message is none") };
    assert_eq!(message.headers().all::<Via>().map(|vias| vias.len()), Ok(2));
    let by_row = |cost: f64, bytes: &Bytes, rows: usize| cost * bytes.len() as f64 / rows as f64;
    let of_short = by_row(for_short, &short, 10_000);
    let of_ordinary = by_row(for_ordinary, &ordinary, message.headers().len());
    println!(
        "{of_short:.0} ns, ordinary {of_ordinary:.0} ns; {:.2} times as much by the byte",
        for_short / for_ordinary
    );
    assert!(of_short < of_ordinary, "{of_short:.0} ns, ordinary {of_ordinary:.0} ns");
}

#[test]
fn the_default_limits_stop_hostile_messages() {
    let many = message_with(&"X:\r\n".repeat(5_000));
    let error = Message::parse(many, &Limits::default()).expect_err("many headers");
    assert_eq!(*error.kind(), ParseErrorKind::TooManyHeaders { limit: 256 });
    let long = message_with(&format!("Via: {}", "SIP/2.0/UDP a,".repeat(200)));
    let error = Message::parse(long, &Limits::default()).expect_err("many values");
    assert!(matches!(error.kind(), ParseErrorKind::Header(HeaderError::TooManyValues { limit: 128, .. })));
    for (name, bytes) in hostile() {
        let error = Message::parse(bytes, &Limits::default()).expect_err(name);
        let kind = error.kind();
        let stopped = matches!(
            kind,
            ParseErrorKind::MessageTooLarge { .. }
                | ParseErrorKind::HeaderSectionTooLarge { .. }
                | ParseErrorKind::HeaderTooLong { .. }
        );
        assert!(stopped, "{name}: {kind:?}");
    }
}

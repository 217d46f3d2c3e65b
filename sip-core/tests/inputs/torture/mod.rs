//! What a torture message has to show, and the checks that are the same for each.

mod answers;

use blether_sip_core::{
    Anomaly, AnomalyKind, HeaderName, Limits, MaxForwards, Message, ParseError, ParseErrorKind, Request, Response, Via,
};
use bytes::Bytes;

pub(crate) use answers::{proxy, user_agent};

/// A message and what is to become of it.
pub(crate) struct Case {
    pub(crate) bytes: &'static [u8],
    pub(crate) octets: Octets,
    /// What the conformant way of reading makes of it.
    pub(crate) strict: Strict,
    /// What the tolerant way of reading makes of it.
    pub(crate) tolerant: Tolerant,
}

/// What the file is made of, by which a damaged copy is told.
pub(crate) struct Octets {
    pub(crate) len: usize,
    /// Bytes that are 0.
    pub(crate) nul: usize,
    /// Bytes above 127.
    pub(crate) eight_bit: usize,
}

/// Whether strict reading takes the message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strict {
    /// It is as it should be.
    Takes,
    /// It is valid, and these are told of it all the same.
    TakesWith(&'static [AnomalyKind]),
    /// Tolerant reading refuses it too, for the same.
    Refuses,
    /// Tolerant reading takes it and tells these, the first of which that makes a message invalid is why it is refused.
    RefusesFor(&'static [AnomalyKind]),
}

impl Strict {
    /// Whether the message is taken.
    pub(crate) fn takes(self) -> bool {
        matches!(self, Strict::Takes | Strict::TakesWith(_))
    }

    /// What tolerant reading tells of it, if that takes it.
    fn told(self) -> Option<&'static [AnomalyKind]> {
        match self {
            Strict::Takes => Some(&[]),
            Strict::TakesWith(told) | Strict::RefusesFor(told) => Some(told),
            Strict::Refuses => None,
        }
    }
}

pub(crate) enum Tolerant {
    Takes {
        /// What a user agent does with it, as [`user_agent`] says it.
        user_agent: &'static str,
        /// What a proxy does with it, as [`proxy`] says it.
        proxy: &'static str,
        /// What it says when read by type.
        reads: fn(&Message),
    },
    /// For what it is refused, and the status of the answer, which is the same from a user agent and a proxy; `None` for what is dropped.
    Refuses(ParseErrorKind, Option<u16>),
}

/// Makes a test of each message: `name, "file.dat": octets, strict, tolerant;`
macro_rules! cases {
    ($folder:literal $($(#[$doc:meta])* $name:ident $file:literal: $octets:expr, $strict:expr, $tolerant:expr;)*) => {
        /// The messages that are tested here: their names and what strict reading makes of them.
        pub(crate) const CASES: &[(&str, crate::torture::Strict)] = &[$(($file, $strict),)*];
        $(
            $(#[$doc])*
            #[test]
            fn $name() {
                let bytes = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/", $folder, "/", $file));
                crate::torture::check(&crate::torture::Case { bytes, octets: $octets, strict: $strict, tolerant: $tolerant });
            }
        )*
    };
}
pub(crate) use cases;

/// Checks the file, then the ways of reading it.
pub(crate) fn check(case: &Case) {
    let count = |wanted: fn(&u8) -> bool| case.bytes.iter().filter(|byte| wanted(byte)).count();
    let (nul, eight_bit) = (count(|byte| *byte == 0), count(|byte| *byte > 127));
    let octets = (case.octets.len, case.octets.nul, case.octets.eight_bit);
    assert_eq!((case.bytes.len(), nul, eight_bit), octets, "the file is damaged");

    let read = Message::parse(Bytes::from_static(case.bytes), &Limits::default());
    is_read_strictly(case, &read);
    match (&case.tolerant, read) {
        (Tolerant::Takes { user_agent: from_agent, proxy: from_proxy, reads }, Ok(message)) => {
            reads(&message);
            assert_eq!(user_agent(&message), *from_agent, "from a user agent");
            assert_eq!(proxy(&message), *from_proxy, "from a proxy");
            is_written_as_it_came(case.bytes, &message);
            match message {
                Message::Request(request) => is_forwarded(request),
                Message::Response(response) => is_passed_back(response),
            }
        }
        (Tolerant::Refuses(kind, status), Err(error)) => {
            assert_eq!(error.kind(), kind);
            let reply = error.reply("192.0.2.9:5060".parse().unwrap());
            let said = reply.map(|reply| String::from_utf8_lossy(&reply).into_owned());
            let line = said.as_deref().and_then(|said| said.lines().next());
            assert_eq!(line, status.map(|status| format!("SIP/2.0 {status} {kind}")).as_deref());
        }
        (Tolerant::Takes { .. }, Err(error)) => panic!("refused: {error}"),
        (Tolerant::Refuses(..), Ok(message)) => panic!("taken: {message}"),
    }
}

/// Strict reading takes what is valid, tolerant reading tells what is not as it should be, and both refuse alike what is worse.
fn is_read_strictly(case: &Case, read: &Result<Message, ParseError>) {
    let told: Option<Vec<Anomaly>> = read.as_ref().ok().map(Message::anomalies);
    let kinds = told.as_ref().map(|told| told.iter().map(Anomaly::kind).collect::<Vec<_>>());
    assert_eq!(kinds, case.strict.told().map(|told| told.iter().collect()), "what is told");
    let refused = Message::parse_strict(Bytes::from_static(case.bytes), &Limits::default()).err();
    assert_eq!(refused.is_none(), case.strict.takes(), "in strict reading: {refused:?}");
    let first = told.and_then(|told| told.into_iter().find(Anomaly::makes_invalid));
    let expected = match read {
        Ok(_) => first.map(|anomaly| ParseErrorKind::Anomaly(anomaly.into())),
        Err(error) => Some(error.kind().clone()),
    };
    assert_eq!(refused.map(|error| error.kind().clone()), expected, "in strict reading");
}

/// What was not touched is written as the bytes that came, without what follows the body.
fn is_written_as_it_came(bytes: &[u8], message: &Message) {
    let written = message.to_bytes();
    assert!(bytes.starts_with(&written));
    let again = Message::parse(written.clone(), &Limits::default()).unwrap();
    assert_eq!(again.to_bytes(), written);
}

/// A proxy that sends it on changes Via and Max-Forwards, and no other byte (RFC 3261 §16.6).
fn is_forwarded(mut request: Request) {
    let rows = |request: &Request| {
        let text = request.to_bytes();
        let end = text.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let untouched = |line: &&[u8]| !line.to_ascii_lowercase().starts_with(b"max-forwards");
        text[..end].split(|byte| *byte == b'\n').filter(untouched).map(<[u8]>::to_vec).collect::<Vec<_>>()
    };
    let mut before = (rows(&request), request.body().clone());
    // Nor are more spaces sent on than a request line has (RFC 4475 §3.1.2.9, §3.1.2.10).
    let words = before.0[0].split(|byte| *byte == b' ').filter(|word| !word.trim_ascii().is_empty());
    before.0[0] = words.collect::<Vec<_>>().join(&b' ');
    let hop = Via::new("UDP", "192.0.2.77".parse::<std::net::IpAddr>().unwrap().into(), None, "z9hG4bKtorture");
    let had_length = request.headers().has(&HeaderName::ContentLength);
    request.push_via(hop.clone());
    request.headers_mut().set(MaxForwards(7));
    let Ok(Message::Request(again)) = Message::parse(request.to_bytes(), &Limits::default()) else {
        panic!("what is sent on cannot be read");
    };
    assert_eq!((again.via(), again.max_forwards()), (&hop, Some(7)));
    let mut after = rows(&again);
    after.retain(|row| {
        !row.ends_with(b"branch=z9hG4bKtorture\r") && (had_length || !row.starts_with(b"Content-Length: "))
    });
    let trim = |rows: Vec<Vec<u8>>| rows.iter().map(|row| row.trim_ascii_end().to_vec()).collect::<Vec<_>>();
    assert_eq!((trim(after), again.body().clone()), (trim(before.0), before.1));
}

/// A proxy that passes it back takes its own Via off, and no more.
fn is_passed_back(mut response: Response) {
    let below: Vec<Via> = response.headers().all::<Via>().unwrap().into_iter().skip(1).collect();
    response.pop_via();
    assert_eq!(response.headers().all::<Via>().unwrap(), below);
    if !below.is_empty() {
        let again = Message::parse(response.to_bytes(), &Limits::default()).unwrap();
        assert_eq!((again.via(), again.body()), (&below[0], response.body()));
    }
}

/// The text of a request that was taken.
pub(crate) fn request(message: &Message) -> &Request {
    match message {
        Message::Request(request) => request,
        Message::Response(_) => panic!("this is a response"),
    }
}

/// The files of a folder and the cases made of them are the same, and so many.
pub(crate) fn is_complete(folder: &str, cases: &[&[(&str, Strict)]], count: usize) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let names = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut files: Vec<String> = names.filter(|name| name.ends_with(".dat")).collect();
    let mut tested: Vec<&str> = cases.iter().flat_map(|cases| cases.iter().map(|(name, _)| *name)).collect();
    files.sort_unstable();
    tested.sort_unstable();
    assert_eq!(files, tested);
    assert_eq!(files.len(), count);
}

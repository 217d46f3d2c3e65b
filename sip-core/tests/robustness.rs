//! What holds for every input: bytes of a stranger, mutated messages, and values of our own.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up its input has failed")]

use std::net::SocketAddr;

use blether_sip_core::{
    Allow, Contact, ContentType, Date, HeaderName, Headers, Host, Limits, Message, Method, NameAddr, Params, Reason,
    Request, Response, RetryAfter, Route, SipUri, StatusCode, Supported, Uri, Via, Warning,
};
use bytes::Bytes;
use proptest::prelude::*;

const VALID: [&str; 3] = [
    "INVITE sip:bob@biloxi.com;user=phone SIP/2.0\r\n\
     Via: SIP/2.0/UDP pc33.atlanta.com:5060;branch=z9hG4bK776asdhds;rport, SIP/2.0/TCP [2001:db8::1];branch=z9hG4bK2\r\n\
     Max-Forwards: 70\r\nRecord-Route: <sip:p1.example;lr>, <sip:p2.example;lr>\r\n\
     To: \"Bob \\\" B\" <sip:bob@biloxi.com>\r\nf: sip:alice@atlanta.com;tag=1928301774\r\n\
     Call-ID: a84b4c76e66710@pc33.atlanta.com\r\nCSeq: 314159 INVITE\r\n\
     Contact: <sip:alice@pc33.atlanta.com>;expires=60;q=0.5\r\nSubject: folded\r\n  over\r\n\tlines\r\n\
     Allow: INVITE, ACK\r\nk: 100rel\r\nDate: Sat, 13 Nov 2010 23:29:00 GMT\r\nWarning: 399 a \"b\"\r\n\
     Reason: SIP;cause=200;text=\"x\"\r\nRetry-After: 18 (a (b));duration=3\r\n\
     Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n",
    "SIP/2.0 200 OK\r\nv: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1;received=192.0.2.2;rport=9\r\n\
     t: <sip:bob@biloxi.com>;tag=2\r\nf: <sip:alice@atlanta.com>;tag=1\r\ni: 1\r\nCSeq: 1 BYE\r\nl: 0\r\n\r\n",
    "REGISTER sips:registrar.biloxi.com SIP/2.0\r\nVia: SIP/2.0/TLS b.example;branch=z9hG4bK1\r\nTo: sips:bob@biloxi.com\r\n\
     From: sips:bob@biloxi.com;tag=456248\r\nCall-ID: 843817637684230\r\nCSeq: 1826 REGISTER\r\nContact: *\r\n\
     Expires: 0\r\n\r\n",
];

fn source() -> SocketAddr {
    "192.0.2.9:5060".parse().unwrap()
}

/// Reads everything that can be read, changes what can be changed, and writes it; nothing may panic, and what is
/// written must read again.
fn exercise(bytes: Bytes) {
    let length = bytes.len();
    let message = match Message::parse(bytes.clone(), &Limits::default()) {
        Ok(message) => message,
        Err(error) => {
            if let Some(reply) = error.reply(source()) {
                assert!(reply.len() <= length + 512, "an answer of {} bytes to {length}", reply.len());
                let rows = reply.windows(2).filter(|pair| pair == b"\r\n").count();
                let text = String::from_utf8_lossy(&reply).into_owned();
                assert!(reply.ends_with(b"\r\n\r\n") && reply.windows(4).filter(|end| end == b"\r\n\r\n").count() == 1);
                assert!(text.lines().skip(1).take(rows - 2).all(|row| row.contains(": ")), "{text}");
            }
            return;
        }
    };
    assert!(bytes.windows(message.to_bytes().len()).any(|part| part == message.to_bytes()), "an untouched copy");
    read_all(message.headers());
    match message {
        Message::Request(mut request) => {
            let response = Response::to_request(&request, StatusCode::OK).to_tag("2").build();
            assert!(matches!(again(response.to_bytes()), Message::Response(_)));
            change(&mut request);
        }
        Message::Response(mut response) => {
            response.pop_via();
            response.push_via(Via::new("UDP", Host::parse("192.0.2.1").unwrap(), None, "z9hG4bK7"));
            assert_eq!(again(response.to_bytes()).via().branch(), Some("z9hG4bK7"));
        }
    }
}

fn change(request: &mut Request) {
    let vias = request.headers().all::<Via>().map(|vias| vias.len());
    request.push_via(Via::new("UDP", Host::parse("192.0.2.1").unwrap(), None, "z9hG4bK7"));
    request.headers_mut().set(Allow(vec![Method::Invite]));
    request.set_body("text/plain", Bytes::from_static(b"changed"));
    let again = again(request.to_bytes());
    assert_eq!((again.from(), again.to(), again.cseq()), (request.from(), request.to(), request.cseq()));
    assert_eq!((again.call_id(), again.via(), again.body()), (request.call_id(), request.via(), request.body()));
    if let (Ok(before), Ok(after)) = (vias, again.headers().all::<Via>()) {
        assert_eq!(before + 1, after.len());
    }
}

fn read_all(headers: &Headers) {
    for contact in headers.all::<Contact>().unwrap_or_default() {
        assert!(contact.q() <= 1000 || contact.expires().is_some());
    }
    // What they say does not matter here, only that they can be asked.
    let _ = (headers.all::<Via>(), headers.all::<Route>(), headers.all::<Warning>(), headers.all::<Reason>());
    let _ = (headers.get::<Allow>(), headers.get::<Supported>(), headers.get::<Date>(), headers.get::<RetryAfter>());
    let _ = (headers.get::<ContentType>(), headers.raw(&HeaderName::Subject));
}

/// The message that was written; the limits are wider, since a change may have made it longer.
fn again(bytes: Bytes) -> Message {
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

fn mutations() -> impl Strategy<Value = Vec<u8>> {
    let bytes = prop_oneof![
        prop::sample::select(b"\r\n\0 \t:;,\"<>\\@%=*?[]()\xff0".to_vec()).prop_map(|byte| vec![byte]),
        prop::collection::vec(any::<u8>(), 0..4),
        prop::sample::select(vec![
            "\r\n",
            "\r\n ",
            "\r\n\r\n",
            ";tag=",
            "Via: ",
            "z9hG4bK",
            "sip:",
            "SIP/2.0",
            "%00",
            "99999999999"
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    let edits = prop::collection::vec((any::<prop::sample::Index>(), 0..3_usize, bytes), 1..6);
    (prop::sample::select(VALID.to_vec()), edits).prop_map(|(text, edits)| {
        let mut message = text.as_bytes().to_vec();
        for (at, remove, insert) in edits {
            let at = at.index(message.len() + 1);
            let end = (at + remove).min(message.len());
            message.splice(at..end, insert);
        }
        message
    })
}

fn params() -> impl Strategy<Value = Params> {
    prop::collection::vec(("[a-z.+-]{1,8}", prop::option::of(any::<String>())), 0..4).prop_map(|pairs| {
        let mut params = Params::new();
        for (name, value) in pairs {
            params.set(&name, value.as_deref());
        }
        params
    })
}

fn host() -> impl Strategy<Value = Host> {
    prop_oneof![
        any::<std::net::IpAddr>().prop_map(Host::from),
        "[a-z][a-z0-9-]{0,9}(\\.[a-z][a-z0-9-]{0,9}){0,3}".prop_map(|name| Host::parse(&name).unwrap()),
        any::<String>().prop_map(|name| Host::Name(name.as_str().into())),
    ]
}

fn uri() -> impl Strategy<Value = SipUri> {
    (prop::option::of(any::<String>()), host(), prop::option::of(any::<u16>()), params()).prop_map(
        |(user, host, port, params)| {
            let mut uri = SipUri::new(user.as_deref(), host, port);
            uri.params = params;
            uri
        },
    )
}

fn address() -> impl Strategy<Value = NameAddr> {
    (any::<Option<String>>(), uri(), params()).prop_map(|(name, uri, params)| {
        let mut address = NameAddr::new(uri).with_display_name(&name.unwrap_or_default());
        address.params = params;
        address
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 1_000 } else { 10_000 }))]

    #[test]
    fn reading_any_bytes_does_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        exercise(bytes.into());
    }

    #[test]
    fn reading_a_message_that_was_tampered_with_does_not_panic(bytes in mutations()) {
        exercise(bytes.into());
    }

    #[test]
    fn a_uri_that_is_written_reads_again_and_is_written_the_same(uri in uri()) {
        let written = uri.to_string();
        let again: Uri = written.parse().unwrap();
        prop_assert_eq!(again.to_string(), written);
    }

    #[test]
    fn a_uri_that_is_read_is_equivalent_to_itself(text in "sips?:[a-z%0-9@:;=?&.\\[\\]]{1,40}") {
        if let Ok(uri) = text.parse::<SipUri>() {
            prop_assert!(uri.equivalent(&uri));
            prop_assert_eq!(uri.to_string().parse::<SipUri>(), Ok(uri));
        }
    }

    #[test]
    fn an_address_that_is_written_reads_again_and_is_written_the_same(address in address()) {
        let written = address.to_string();
        let again: NameAddr = written.parse().unwrap();
        prop_assert_eq!(again.to_string(), written);
    }

    #[test]
    fn an_address_that_is_read_is_written_and_read_the_same(text in "(\"[a \\\\\"]{0,6}\" ?)?<?sip:[a-z;=@?]{1,12}>?(;[a-z=\"<>]{1,6}){0,3}") {
        if let Ok(address) = text.parse::<NameAddr>() {
            prop_assert_eq!(address.to_string().parse::<NameAddr>(), Ok(address));
        }
    }

    #[test]
    fn whatever_is_put_into_a_request_it_is_valid_or_not_built(
        from in address(), to in address(), call_id in any::<String>(), number in any::<u32>(),
        host in host(), branch in any::<String>(), name in any::<String>(), value in any::<String>(),
    ) {
        let built = Request::builder(Method::Info, "sip:a@b".parse::<SipUri>().unwrap())
            .via(Via::new("UDP", host, None, &branch))
            .from(from)
            .to(to)
            .call_id(&call_id)
            .cseq(number & 0x7fff_ffff)
            .raw("Subject", &value)
            .raw(&name, &value)
            .build();
        if let Ok(request) = built {
            let again = again(request.to_bytes());
            prop_assert_eq!(again.headers().len(), request.headers().len());
            prop_assert_eq!((again.from(), again.to(), again.via()), (request.from(), request.to(), request.via()));
        }
    }
}

#[test]
fn the_messages_that_are_tampered_with_are_valid() {
    for text in VALID {
        let message = Message::parse(Bytes::from_static(text.as_bytes()), &Limits::default()).unwrap();
        assert_eq!(message.to_bytes(), text);
        exercise(Bytes::from_static(text.as_bytes()));
    }
}

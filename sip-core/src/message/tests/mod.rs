mod strict;

use bytes::Bytes;
use proptest::prelude::*;

use crate::{
    BuildError, CSeq, CallId, Contact, ContentLength, Expires, From, HeaderName, Host, InvalidHeader, Limits, Message,
    Method, NameAddr, RecordRoute, Request, RequestBuilder, Response, SipUri, StatusCode, TypedHeader, Uri, UserAgent,
    Via,
};

const RECEIVED: &str = "INVITE sip:bob@biloxi.com SIP/2.0\r\n\
    v:SIP/2.0/UDP a.example;branch=z9hG4bK1 ,\tSIP/2.0/UDP b.example;branch=z9hG4bK2\r\n\
    VIA: SIP/2.0/UDP c.example;branch=z9hG4bK3\r\n\
    Record-Route: <sip:p@192.0.2.1;lr>\r\n\
    f: \"Alice\" <sip:alice@atlanta.com> ; tag=1\r\n\
    To:   Bob  <sip:bob@biloxi.com>\r\n\
    i: 1@a\r\nCSeq:  7   INVITE\r\nTimestamp: 54\r\nX-Folded: a\r\n  b\r\nContent-Length:    4\r\n\r\nbody";

fn parse(text: &str) -> Message {
    Message::parse(Bytes::copy_from_slice(text.as_bytes()), &Limits::default())
        .unwrap_or_else(|e| panic!("{e}: {text}"))
}

fn received() -> Request {
    match parse(RECEIVED) {
        Message::Request(request) => request,
        Message::Response(_) => panic!(),
    }
}

fn written(request: &Request) -> String {
    String::from_utf8(request.to_bytes().to_vec()).unwrap()
}

fn via(host: &str) -> Via {
    Via::new("UDP", Host::parse(host).unwrap(), Some(5060), "z9hG4bK9")
}

fn builder() -> RequestBuilder {
    Request::builder(Method::Options, "sip:bob@biloxi.com".parse::<SipUri>().unwrap())
        .from("<sip:alice@atlanta.com>;tag=1".parse().unwrap())
        .to("<sip:bob@biloxi.com>".parse().unwrap())
        .call_id("a84b4c76e66710")
        .cseq(1)
}

#[test]
fn a_request_is_built_with_all_that_it_must_have() {
    let request = builder().build().unwrap();
    assert_eq!(
        request.to_bytes(),
        "OPTIONS sip:bob@biloxi.com SIP/2.0\r\nMax-Forwards: 70\r\nFrom: <sip:alice@atlanta.com>;tag=1\r\n\
         To: <sip:bob@biloxi.com>\r\nCall-ID: a84b4c76e66710\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    );
}

#[test]
fn a_request_that_was_built_has_no_via_until_it_is_sent() {
    let mut request = builder().build().unwrap();
    assert_eq!((request.has_via(), request.via().branch()), (false, None));
    assert_eq!(request.via().host.to_string(), "unsent.invalid");
    assert_eq!(request.pop_via(), None);
    request.push_via(via("192.0.2.1"));
    assert_eq!(request.via(), &via("192.0.2.1"));
    assert!(written(&request).starts_with("OPTIONS sip:bob@biloxi.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;"));
    parse(&written(&request));
}

#[test]
fn a_request_that_would_be_invalid_is_not_built() {
    #[track_caller]
    fn check(builder: RequestBuilder, expected: &str) {
        assert_eq!(builder.build().expect_err(expected).to_string(), expected);
    }
    let uri: Uri = "sip:bob@biloxi.com".parse().unwrap();
    check(
        Request::builder(Method::Bye, uri.clone()),
        "a request needs a From header; call the builder's method for it",
    );
    check(builder().call_id("a b"), "Bad Call-ID header: expected one word at column 2");
    check(builder().cseq(1 << 31), "Bad CSeq header: expected a number under 2147483648 at column 1");
    for value in ["a\r\nEvil: b", "a\u{1b}b"] {
        let expected = "the value of Subject has a line break, a NUL or another control character; take it out";
        check(builder().raw("Subject", value), expected);
    }
    check(builder().raw("a b", "c"), "\"a b\" is no header name");
    check(builder().raw("CSeq", "1 INVITE"), "CSeq belongs to the message; set it with the message's own method");
    check(builder().raw("l", "7"), "Content-Length belongs to the message; set it with the message's own method");
    check(
        builder().raw("Via", "nonsense"),
        "Bad Via header: expected SIP/2.0/UDP host:port;branch=z9hG4bK... at column 1",
    );
    check(builder().raw("Expires", "abc"), "Bad Expires header: expected a number of seconds at column 1");
    assert!(builder().raw("X-Expires", "abc").raw("m", "<sip:a@b>, *").build().is_ok());
    check(Request::builder(Method::Extension("A B".into()), uri), "\"A B\" is no method");
    let error = Request::builder(Method::Bye, Uri::Other("x".into())).build();
    assert!(matches!(error, Err(BuildError::Missing(HeaderName::From))));
}

#[test]
fn headers_that_have_a_method_of_their_own_may_be_given_as_headers() {
    let request = Request::builder(Method::Bye, "sip:b@c".parse::<Uri>().unwrap())
        .header(via("192.0.2.1"))
        .header(From("<sip:a@b>;tag=1".parse().unwrap()))
        .raw("t", "<sip:b@c>;tag=2")
        .header(CallId("x".into()))
        .raw("CSeq", "4 BYE")
        .raw("Max-Forwards", "9")
        .build()
        .unwrap();
    assert_eq!((request.cseq().number, request.max_forwards(), request.to().tag()), (4, Some(9), Some("2")));
    assert_eq!(request.headers().iter().count(), 7);
}

#[test]
fn a_header_that_may_stand_once_takes_the_place_of_the_one_before() {
    let expires =
        |headers: &crate::Headers| headers.raw_all(&HeaderName::Expires).map(String::from).collect::<Vec<_>>();
    let built =
        builder().header(Expires(1)).raw("Expires", "2").raw("Subject", "a").header(Expires(3)).build().unwrap();
    assert_eq!(expires(built.headers()), ["3"]);
    let response = Response::to_request(&received(), StatusCode::OK).raw("expires", "4").header(Expires(5)).build();
    assert_eq!(expires(response.headers()), ["5"]);
    let mut changed = built;
    changed.headers_mut().push(Expires(6));
    assert_eq!(expires(changed.headers()), ["6"]);
    changed.headers_mut().push_front(Expires(7));
    changed.headers_mut().push_raw(&HeaderName::Extension("EXPIRES".into()), "8").unwrap();
    changed.headers_mut().push(crate::MaxForwards(9));
    changed.headers_mut().push_raw(&HeaderName::MaxForwards, "10").unwrap();
    changed.push_via(via("a"));
    assert_eq!((expires(changed.headers()), changed.max_forwards()), (vec!["8".into()], Some(10)));
    assert!(Message::parse_strict(changed.to_bytes(), &Limits::default()).is_ok());
}

#[test]
fn an_edited_header_changes_only_itself() {
    #[track_caller]
    fn check(edit: impl FnOnce(&mut Request), from: &str, to: &str) {
        let mut request = received();
        edit(&mut request);
        assert_eq!(written(&request), RECEIVED.replacen(from, to, 1));
        parse(&written(&request));
    }
    check(|r| r.headers_mut().set(Expires(5)), "    4\r\n\r\n", "    4\r\nExpires: 5\r\n\r\n");
    check(|r| assert_eq!(r.headers_mut().remove(&HeaderName::Timestamp), 1), "Timestamp: 54\r\n", "");
    check(|r| r.headers_mut().set_raw(&HeaderName::Timestamp, " 55 ").unwrap(), "Timestamp: 54", "Timestamp: 55");
    check(|r| r.set_uri("sip:x@y".parse().unwrap()), "sip:bob@biloxi.com SIP", "sip:x@y SIP");
    check(|r| r.set_uri("sip:x@y?Route=z".parse().unwrap()), "sip:bob@biloxi.com SIP", "sip:x@y SIP");
    check(|r| r.set_uri(Uri::Other("sip:x@y?Route=z".into())), "sip:bob@biloxi.com SIP", "sip:x@y SIP");
    check(|r| r.set_cseq(CSeq { number: 8, method: Method::Bye }), "CSeq:  7   INVITE", "CSeq: 8 INVITE");
    check(|r| r.push_via(via("d.example")), "v:SIP", "Via: SIP/2.0/UDP d.example:5060;branch=z9hG4bK9\r\nv:SIP");
    let (first, second) = ("v:SIP/2.0/UDP a.example;branch=z9hG4bK1 ,\t", "SIP/2.0/UDP b.example;branch=z9hG4bK2");
    let row = format!("{first}{second}");
    check(|r| assert_eq!(r.pop_via().unwrap().branch(), Some("z9hG4bK1")), &row, &format!("Via: {second}"));
    let top = "Via: SIP/2.0/UDP d.example:5060;branch=z9hG4bK9, SIP/2.0/UDP b.example;branch=z9hG4bK2";
    check(|r| r.set_top_via(via("d.example")), &row, top);
    check(
        |r| r.set_body("text/plain", "hi".into()),
        "Content-Length:    4\r\n\r\nbody",
        "Content-Length: 2\r\nContent-Type: text/plain\r\n\r\nhi",
    );
}

#[test]
fn the_top_via_is_always_the_one_that_is_written_first() {
    let mut request = received();
    for branch in ["z9hG4bK1", "z9hG4bK2", "z9hG4bK3"] {
        assert_eq!(request.via().branch(), Some(branch));
        assert_eq!(request.pop_via().unwrap().branch(), Some(branch));
    }
    assert!(!request.has_via());
    assert_eq!(request.pop_via(), None);
    request.headers_mut().push(via("e.example"));
    assert_eq!(request.via(), &via("e.example"));
}

#[test]
fn a_message_that_is_changed_gets_the_content_length_it_came_without() {
    let Message::Request(mut request) = parse(&RECEIVED.replace("Content-Length:    4\r\n", "")) else { panic!() };
    request.headers_mut().set(Expires(5));
    assert!(written(&request).ends_with("Content-Length: 4\r\nExpires: 5\r\n\r\nbody"));
}

#[test]
fn no_edit_makes_a_message_invalid() {
    let mut request = received();
    let mut headers = request.headers_mut();
    for name in [HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq, HeaderName::ContentLength] {
        assert_eq!(headers.remove(&name), 0);
        assert_eq!(headers.set_raw(&name, "x"), Err(InvalidHeader::Reserved(name.clone())));
        let compact = HeaderName::Extension(name.as_str().to_lowercase().into());
        assert_eq!((headers.remove(&compact), headers.set_raw(&compact, "x").is_err()), (0, true));
    }
    assert!(headers.push_raw(&HeaderName::Extension("v".into()), "x").is_err());
    headers.set(CallId("\r\n".into()));
    headers.set(CSeq { number: 9, method: Method::Bye });
    headers.push(ContentLength(99));
    headers.set(From(NameAddr::new(Uri::Other("x\r\ny".into())).with_tag("a b")));
    headers.set(UserAgent("a\r\nEvil: b".into()));
    assert!(headers.set_raw(&HeaderName::Subject, "a\nb").is_err());
    let refused = headers.push_raw(&HeaderName::Extension("expires".into()), "soon");
    assert!(matches!(refused, Err(InvalidHeader::Malformed(error)) if error.header() == &HeaderName::Expires));
    assert!(!headers.has(&HeaderName::Expires));
    let again = parse(&written(&request));
    assert_eq!((again.call_id(), again.cseq().number), (&"1@a".into(), 7));
    assert_eq!((again.from(), again.headers().len()), (request.from(), request.headers().len()));
}

#[test]
fn a_response_copies_what_rfc_3261_section_8_2_6_says() {
    let response = Response::to_request(&received(), StatusCode::RINGING).to_tag("2").build();
    assert_eq!(
        response.to_bytes(),
        "SIP/2.0 180 Ringing\r\n\
         v:SIP/2.0/UDP a.example;branch=z9hG4bK1 ,\tSIP/2.0/UDP b.example;branch=z9hG4bK2\r\n\
         VIA: SIP/2.0/UDP c.example;branch=z9hG4bK3\r\n\
         Record-Route: <sip:p@192.0.2.1;lr>\r\n\
         f: \"Alice\" <sip:alice@atlanta.com> ; tag=1\r\n\
         To: Bob  <sip:bob@biloxi.com>;tag=2\r\n\
         i: 1@a\r\nCSeq:  7   INVITE\r\nContent-Length: 0\r\n\r\n"
    );
    assert_eq!((response.to().tag(), response.via().branch()), (Some("2"), Some("z9hG4bK1")));
}

#[test]
fn record_route_and_timestamp_are_copied_only_where_they_belong() {
    for (code, record_route, timestamp) in
        [(100, false, true), (101, true, false), (299, true, false), (300, false, false)]
    {
        let response = Response::to_request(&received(), StatusCode::new(code).unwrap()).build();
        let has = |name| response.headers().has(&name);
        assert_eq!((has(HeaderName::RecordRoute), has(HeaderName::Timestamp)), (record_route, timestamp), "{code}");
    }
}

#[test]
fn a_to_tag_is_set_only_where_there_is_none() {
    let mut response = Response::to_request(&received(), StatusCode::OK).to_tag("a\r\nb").build();
    assert_eq!(response.to().tag(), Some("ab"));
    response.set_to_tag("c");
    assert_eq!(response.to().tag(), Some("ab"));
    parse(std::str::from_utf8(&response.to_bytes()).unwrap());
}

#[test]
fn a_response_has_its_own_headers_reason_and_body() {
    let contact: NameAddr = "<sip:bob@192.0.2.4>".parse().unwrap();
    let response = Response::to_request(&received(), StatusCode::OK)
        .reason("Fine\r\nEvil: 1")
        .header(Contact::Address(contact))
        .header(RecordRoute("<sip:q@b>".parse().unwrap()))
        .raw("X-A", "b")
        .raw("X-B", "c\r\nd")
        .raw("Retry-After", "soon")
        .raw("From", "<sip:evil@b>")
        .body("application/sdp", "v=0\r\n".into())
        .build();
    let text = String::from_utf8(response.to_bytes().to_vec()).unwrap();
    assert!(text.starts_with("SIP/2.0 200 Fine  Evil: 1\r\n"), "{text}");
    assert!(text.ends_with("X-A: b\r\nContent-Length: 5\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n"), "{text}");
    assert_eq!(response.headers().raw_all(&HeaderName::RecordRoute).count(), 2);
    parse(&text);
}

#[test]
fn a_request_is_not_built_with_headers_in_its_uri() {
    let uri: SipUri = "sip:bob@biloxi.com;lr?Route=%3Csip:evil%3E".parse().unwrap();
    let request = Request::builder(Method::Options, uri)
        .from("<sip:alice@atlanta.com>;tag=1".parse().unwrap())
        .to("<sip:bob@biloxi.com>".parse().unwrap())
        .call_id("1")
        .cseq(1)
        .build()
        .unwrap();
    assert!(written(&request).starts_with("OPTIONS sip:bob@biloxi.com;lr SIP/2.0\r\n"));
}

/// Values that are nearly right: pieces of right ones, in any order.
fn value() -> impl Strategy<Value = String> {
    const PIECES: &[&str] = &[
        "<",
        ">",
        "\"",
        "sip:",
        "tel:+1",
        "alice",
        "@",
        "atlanta.com",
        "192.0.2.1",
        "[::1]",
        ":5060",
        ";",
        "tag",
        "=",
        "x",
        " ",
        "\t",
        "?",
        "a=b",
        "&",
        ",",
        "\\",
        "%41",
        "%",
        "#",
        "\u{e9}",
        "SIP/2.0/UDP ",
        "branch=z9hG4bK1",
        "1 ",
        "INVITE",
        "70",
        ".",
        "-",
        "_",
        "\r\n ",
    ];
    proptest::collection::vec(proptest::sample::select(PIECES), 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// What the check of a whole message takes is what each type reads, and what it becomes when it is asked for.
    #[test]
    fn a_mandatory_header_is_taken_exactly_where_its_type_reads_it(value in value(), which in 0..6_usize) {
        fn read<H: TypedHeader>(value: &str) -> bool {
            let mut headers = crate::Headers::new();
            let plain = value.replace("\r\n ", " ");
            headers.push_raw(&H::NAME, &plain).is_ok() && headers.get::<H>().is_ok_and(|header| header.is_some())
        }
        let lines = [
            ("Via", "SIP/2.0/UDP a;branch=z9hG4bK1"), ("From", "<sip:a@b>;tag=1"), ("To", "<sip:b@c>"), ("Call-ID", "1"),
            ("CSeq", "1 INVITE"), ("Max-Forwards", "70"),
        ];
        let mut text = String::from("INVITE sip:b@c SIP/2.0\r\n");
        for (index, (name, usual)) in lines.into_iter().enumerate() {
            text.push_str(&format!("{name}: {}\r\n", if index == which { value.as_str() } else { usual }));
        }
        text.push_str("\r\n");
        let parsed = Message::parse(Bytes::from(text.clone()), &Limits::default());
        let readable = match which {
            0 => read::<Via>(&value),
            1 => read::<From>(&value),
            2 => read::<crate::To>(&value),
            3 => read::<CallId>(&value),
            4 => read::<CSeq>(&value) && parsed.as_ref().map_or_else(
                |error| !matches!(error.kind(), crate::ParseErrorKind::MethodMismatch { .. }), |_| true),
            _ => read::<crate::MaxForwards>(&value),
        };
        prop_assert_eq!(parsed.is_ok(), readable, "{:?}", text);
        let Ok(Message::Request(request)) = parsed else { return Ok(()) };
        let headers = request.headers();
        prop_assert_eq!(request.via(), &headers.get::<Via>().unwrap().unwrap());
        prop_assert_eq!(request.from(), &headers.get::<From>().unwrap().unwrap().0);
        prop_assert_eq!(request.to(), &headers.get::<crate::To>().unwrap().unwrap().0);
        prop_assert_eq!(request.call_id(), &headers.get::<CallId>().unwrap().unwrap().0);
        prop_assert_eq!(Some(request.cseq().clone()), headers.get::<CSeq>().unwrap());
        prop_assert_eq!((request.from_tag(), request.to_tag()), (request.from().tag(), request.to().tag()));
        prop_assert_eq!(request.to_bytes(), text);
    }
}

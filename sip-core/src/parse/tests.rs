use super::*;
use crate::{Method, StatusCode};

const INVITE: &str = "INVITE sip:bob@biloxi.com SIP/2.0\r\n\
    Via: SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bK776asdhds\r\n\
    Max-Forwards: 70\r\n\
    To: Bob <sip:bob@biloxi.com>\r\n\
    From: Alice <sip:alice@atlanta.com>;tag=1928301774\r\n\
    Call-ID: a84b4c76e66710@pc33.atlanta.com\r\n\
    CSeq: 314159 INVITE\r\n\
    Content-Length: 4\r\n\r\nbody";

const RINGING: &str = "SIP/2.0 180 Ringing\r\n\
    Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
    To: <sip:bob@biloxi.com>;tag=2\r\nFrom: <sip:alice@atlanta.com>;tag=1\r\n\
    Call-ID: 1\r\nCSeq: 1 INVITE\r\n\r\n";

fn parse(text: &str) -> Result<Message, ParseError> {
    Message::parse(Bytes::copy_from_slice(text.as_bytes()), &Limits::default())
}

fn request(text: &str) -> Request {
    match parse(text) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn answer(text: &str) -> Option<String> {
    let reply = parse(text).expect_err(text).reply("192.0.2.9:5060".parse().unwrap())?;
    Some(String::from_utf8(reply.to_vec()).unwrap())
}

/// The INVITE with one thing replaced is answered with this status line.
#[track_caller]
fn check(from: &str, to: &str, expected: &str) {
    assert!(INVITE.contains(from), "{from}");
    let bad = INVITE.replacen(from, to, 1);
    let answer = answer(&bad).unwrap_or_else(|| panic!("no answer to {bad}"));
    assert_eq!(answer.lines().next(), Some(format!("SIP/2.0 {expected}").as_str()));
}

#[test]
fn an_untouched_message_is_written_as_the_bytes_it_was_read_from() {
    let datagram = Bytes::from(INVITE);
    let written = Message::parse(datagram.clone(), &Limits::default()).unwrap().to_bytes();
    assert_eq!(written, INVITE);
    assert_eq!(written.as_ptr(), datagram.as_ptr());
}

#[test]
fn the_mandatory_headers_are_at_hand() {
    let request = request(INVITE);
    assert_eq!(request.method(), &Method::Invite);
    assert_eq!(request.uri().to_string(), "sip:bob@biloxi.com");
    assert_eq!(request.via().branch(), Some("z9hG4bK776asdhds"));
    assert_eq!((request.from().tag(), request.to().tag()), (Some("1928301774"), None));
    assert_eq!(request.call_id(), &"a84b4c76e66710@pc33.atlanta.com");
    assert_eq!((request.cseq().number, request.max_forwards()), (314_159, Some(70)));
    assert_eq!(request.body().as_ref(), b"body");
}

#[test]
fn compact_names_case_white_space_and_folding_mean_nothing() {
    let text = "INVITE sip:bob@biloxi.com sip/2.0\r\nv  : SIP / 2.0 /\r\n  UDP a.example ; branch\r\n =z9hG4bK1\r\n\
        T\t:\r\n <sip:bob@biloxi.com>\r\nf:<sip:alice@atlanta.com>;tag=1\r\ni:1\r\ncseq: 1\r\n\t\r\n INVITE\r\n\
        m: *\r\nl: 0\r\n\r\n";
    let request = request(text);
    assert_eq!(request.via().branch(), Some("z9hG4bK1"));
    assert_eq!(request.cseq().number, 1);
    assert_eq!(request.headers().raw(&HeaderName::CSeq), Some("1 INVITE"));
    assert_eq!(request.headers().get::<crate::Contact>(), Ok(Some(crate::Contact::Star)));
    assert_eq!(request.to_bytes(), text);
}

#[test]
fn line_breaks_before_a_message_and_bytes_after_its_body_do_not_count() {
    let request = request(&format!("\r\n\r\n{INVITE}surplus"));
    assert_eq!(request.body().as_ref(), b"body");
    assert_eq!(request.to_bytes(), INVITE);
}

#[test]
fn without_content_length_the_body_ends_with_the_datagram() {
    let request = request(&INVITE.replace("Content-Length: 4\r\n", ""));
    assert_eq!(request.body().as_ref(), b"body");
}

#[test]
fn a_header_that_is_no_utf8_is_kept_and_the_message_is_taken() {
    let mut bytes = INVITE.replacen("Max-", "Subject: caf\u{e9}\r\nMax-", 1).into_bytes();
    let at = bytes.iter().position(|byte| *byte == 0xc3).unwrap();
    bytes.splice(at..at + 2, [0xe9]);
    let Ok(Message::Request(mut request)) = Message::parse(bytes.clone().into(), &Limits::default()) else { panic!() };
    assert_eq!(request.headers().raw(&HeaderName::Subject), Some("caf\u{fffd}"));
    assert_eq!(request.to_bytes(), bytes);
    request.headers_mut().set(crate::MaxForwards(69));
    let edited = String::from_utf8_lossy(&bytes).replace("Max-Forwards: 70", "Max-Forwards: 69");
    assert_eq!(String::from_utf8_lossy(&request.to_bytes()), edited);
}

#[test]
fn a_bad_request_is_answered_with_the_header_that_is_wrong() {
    check("314159 INVITE", "x INVITE", "400 Bad CSeq header: expected a number under 2147483648 at column 1");
    check("314159 INVITE", "1", "400 Bad CSeq header: expected a method after the number at column 2");
    check("314159 INVITE", "1 BYE", "400 Bad CSeq header: expected the method of the request line at column 3");
    check("314159 INVITE", "1\r\n \tBYE", "400 Bad CSeq header: expected the method of the request line at column 3");
    check("CSeq: 314159 INVITE\r\n", "", "400 Missing CSeq header");
    check("Call-ID:", "X-Call-ID:", "400 Missing Call-ID header");
    check("To: Bob", "X-To: Bob", "400 Missing To header");
    check("From: Alice", "X-From: Alice", "400 Missing From header");
    check(
        "Max-Forwards: 70",
        "Max-Forwards: 300",
        "400 Bad Max-Forwards header: expected a number from 0 to 255 at column 1",
    );
    check("Max-Forwards: 70", "From: <sip:x@y>", "400 Bad From header: expected it once");
    check(
        "To: Bob <sip",
        "To: Bob <",
        "400 Bad To header: expected an address such as \"Name\" <sip:user@host> at column 6",
    );
    check("SIP/2.0/UDP", "SIP/2.0", "400 Bad Via header: expected SIP/2.0/UDP host:port;branch=z9hG4bK... at column 1");
    check("Length: 4", "Length: 5", "400 Bad Content-Length header: 5 bytes announced, 4 received");
    check("Length: 4", "Length: -4", "400 Bad Content-Length header: expected a number of bytes at column 1");
    check("Max-Forwards: 70", "l: 4", "400 Bad Content-Length header: expected it once");
    check("Max-Forwards: 70", "no header", "400 Bad header line 2: expected Name: value and CR LF");
    check("Max-Forwards: 70", "A: b\rB: c", "400 Bad header line 2: expected Name: value and CR LF");
    check("Max-Forwards: 70", "B d: c", "400 Bad header line 2: expected Name: value and CR LF");
    check("\r\n\r\nbody", "", "400 Missing empty line after the headers");
    check(
        "sip:bob@biloxi.com SIP",
        "sip:b b SIP",
        "400 Bad request line: expected Method URI SIP/2.0 with one space between",
    );
    check(
        "sip:bob@biloxi.com SIP",
        "sip:bob@ SIP",
        "400 Bad Request-URI: expected a host name or address, and a port under 65536 after its colon at column 9",
    );
    for (uri, column) in
        [("b\u{e9}@c", 6), ("b:\"@c", 7), ("b%@c", 5), ("b@c:x", 9), ("b@c:1x", 10), ("b@c;;", 8), ("b@c;x?y", 10)]
    {
        let error = parse(&INVITE.replacen("bob@biloxi.com", uri, 1)).unwrap_err();
        assert!(
            matches!(error.kind(), ParseErrorKind::RequestUri { column: Some(at), .. } if *at == column),
            "{error}"
        );
    }
    check(
        "sip:bob@biloxi.com SIP",
        "sip:bob@biloxi.com?Route=%3Csip:c%3E SIP",
        "400 Bad Request-URI: expected no headers after a question mark",
    );
    check("SIP/2.0\r\n", "SIP/7.0\r\n", "505 Version Not Supported");
}

#[test]
fn what_is_over_a_limit_is_answered_with_the_status_for_it() {
    check("Max-", &format!("X-A: {}\r\nMax-", "a".repeat(8_193)), "400 Bad X-A header: expected at most 8192 bytes");
    check("Max-", &format!("Z: {}\r\nMax-", "a".repeat(60_000)), "513 Message Too Large");
    check("Max-", &format!("{}Max-", "Z: a\r\n".repeat(4_000)), "400 Too many headers: expected at most 256");
    check("body", &"b".repeat(70_000), "513 Message Too Large");
    check("Content-Length: 4\r\n\r\nbody", &format!("\r\n{}", "b".repeat(32_769)), "413 Request Entity Too Large");
    check("bob@", &format!("{}@", "b".repeat(5_000)), "414 Request-URI Too Long");
    let vias = "SIP/2.0/UDP a, ".repeat(128);
    check("Via: ", &format!("Via: {vias}"), "400 Bad Via header: expected at most 128 values");
}

#[test]
fn a_thousand_vias_are_refused_and_not_sent_back() {
    let rows = "Via: SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bK776asdhds\r\n".repeat(1_000);
    assert_eq!(answer(&INVITE.replacen("Via", &format!("{rows}Via"), 1)), None);
    let joined = "SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bK776asdhds,".repeat(1_000);
    assert_eq!(answer(&INVITE.replacen("Via: ", &format!("Via: {joined}"), 1)), None);
}

#[test]
fn the_answer_repeats_what_a_response_must_have() {
    let bad = INVITE
        .replace("Max-Forwards: 70", "v: SIP/2.0/UDP b.example;branch=z9hG4bK2")
        .replace("asdhds", "asdhds;rport;received=1.2.3.4")
        .replace("314159 INVITE", "1\r\n INVITE x");
    let answer = answer(&bad).unwrap();
    let (start, tag) = answer.split_once(";tag=1928301774").unwrap_or_default();
    assert!(
        start.contains("Via: SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bK776asdhds;rport=5060;received=192.0.2.9\r\n")
    );
    assert!(start.contains("\r\nVia: SIP/2.0/UDP b.example;branch=z9hG4bK2\r\nFrom: Alice <sip:alice@atlanta.com>"));
    assert!(tag.starts_with("\r\nTo: Bob <sip:bob@biloxi.com>;tag="));
    assert!(
        tag.ends_with("\r\nCall-ID: a84b4c76e66710@pc33.atlanta.com\r\nCSeq: 1 INVITE x\r\nContent-Length: 0\r\n\r\n")
    );
}

#[test]
fn the_answer_is_a_valid_response_with_the_same_tag_each_time() {
    let bad = INVITE.replace("Content-Length: 4", "Content-Length: 9");
    let first = answer(&bad).unwrap();
    assert_eq!(answer(&bad), Some(first.clone()));
    let Ok(Message::Response(response)) = parse(&first) else { panic!("{first}") };
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert!(response.to().tag().is_some());
    assert_eq!(response.via().received(), Some([192, 0, 2, 9].into()));
}

#[test]
fn a_tag_without_a_value_hides_none_behind_it() {
    let tagless = INVITE.replace("Bob <sip:bob@biloxi.com>", "Bob <sip:bob@biloxi.com>;x ; tag;y");
    let answer = answer(&tagless.replace("Length: 4", "Length: 9")).unwrap();
    let Ok(Message::Response(refusal)) = parse(&answer) else { panic!("{answer}") };
    assert!(refusal.to().tag().is_some(), "{answer}");
    let built = Response::to_request(&request(&tagless), StatusCode::OK).to_tag("2").build();
    let written = String::from_utf8(built.to_bytes().to_vec()).unwrap();
    assert!(written.contains("\r\nTo: \"Bob\" <sip:bob@biloxi.com>;x;tag=2;y\r\n"), "{written}");
}

#[test]
fn a_sent_by_that_is_the_source_gets_no_received() {
    let bad = INVITE.replace("pc33.atlanta.com;b", "192.0.2.9;b").replace("Length: 4", "Length: 9");
    assert!(answer(&bad).unwrap().contains("Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK776asdhds\r\n"));
}

#[test]
fn acks_responses_and_what_is_no_sip_are_never_answered() {
    #[track_caller]
    fn check(text: &str) {
        let error = parse(text).expect_err(text);
        assert_eq!((error.status(), error.reply("192.0.2.9:5060".parse().unwrap())), (None, None), "{text}");
    }
    check(&INVITE.replace("INVITE", "ACK").replace("Length: 4", "Length: 9"));
    check(&RINGING.replace("CSeq: 1", "CSeq: x"));
    check(&RINGING.replace("180", "99"));
    check(&RINGING.replace("180", "700"));
    check(&RINGING.replace("180", "1800"));
    check(&RINGING.replace("SIP/2.0 180", "SIP/3.0 180"));
    check(&RINGING.replace("Via: ", "Z: "));
    for text in ["", "\r\n\r\n", "\0\0\0\0", "hello", "GET / HTTP/1.1\r\n\r\n", "INVITE", " SIP/2.0\r\n\r\n", "SIP/2.0"]
    {
        check(text);
    }
}

#[test]
fn commas_before_the_topmost_via_are_no_hop_in_the_answer() {
    let top = INVITE.lines().find_map(|line| line.strip_prefix("Via: ")).unwrap();
    let bad = INVITE.replacen("CSeq: 3", "CSeq: x", 1);
    let vias = |text: &str| {
        let answer = answer(text).unwrap();
        answer.lines().filter_map(|line| line.strip_prefix("Via: ").map(String::from)).collect::<Vec<_>>()
    };
    let [plain] = &vias(&bad)[..] else { panic!("one row") };
    assert!(plain.contains(";received=192.0.2.9"), "{plain}");
    for odd in [", ", ",,\t,"] {
        assert_eq!(vias(&bad.replacen(top, &format!("{odd}{top}"), 1)), [plain.as_str()], "{odd:?}");
    }
}

#[test]
fn an_answer_without_a_via_to_go_back_by_is_not_made() {
    assert_eq!(answer(&INVITE.replace("Via:", "X:")), None);
}

#[test]
fn control_characters_of_a_request_are_not_sent_back() {
    assert_eq!(answer(&INVITE.replace("Alice", "Al\u{1b}ice").replace("Length: 4", "Length: 9")), None);
}

#[test]
fn a_status_line_may_be_without_a_reason() {
    for (line, code, reason) in [
        ("SIP/2.0 180 Ringing", 180, "Ringing"),
        ("SIP/2.0 100 ", 100, ""),
        ("SIP/2.0 100", 100, ""),
        ("sip/2.0 499 \u{434}\u{430}: ;", 499, "\u{434}\u{430}: ;"),
    ] {
        let text = RINGING.replace("SIP/2.0 180 Ringing", line);
        let Ok(Message::Response(response)) = parse(&text) else { panic!("{line}") };
        assert_eq!((response.status().code(), response.reason()), (code, reason));
        assert_eq!(response.to_bytes(), text);
    }
}

#[test]
fn a_header_that_nobody_asks_for_may_be_malformed() {
    let request = request(&INVITE.replace("Max-Forwards: 70", "Date: yesterday\r\nContact: <<\r\nExpires:"));
    assert!(request.headers().get::<crate::Date>().is_err());
    assert!(request.headers().get::<crate::Contact>().is_err());
    assert!(request.headers().get::<crate::Expires>().is_err());
    assert_eq!(request.max_forwards(), None);
}

/// What is found in the INVITE with one thing replaced, and in which row.
#[track_caller]
fn check_anomaly(from: &str, to: &str, expected: AnomalyKind, row: Option<usize>) {
    assert!(INVITE.contains(from), "{from}");
    let text = INVITE.replacen(from, to, 1);
    let found: Vec<_> =
        request(&text).anomalies().into_iter().map(|found| (found.kind().clone(), found.row())).collect();
    assert_eq!(found, [(expected.clone(), row)], "{to}");
    let refused = Message::parse_strict(Bytes::from(text), &Limits::default()).expect_err(to);
    assert!(matches!(refused.kind(), ParseErrorKind::Anomaly(anomaly) if *anomaly.kind() == expected));
    assert_eq!(refused.status(), Some(StatusCode::BAD_REQUEST));
    assert!(refused.reply("192.0.2.9:5060".parse().unwrap()).is_some(), "{to}");
}

#[test]
fn what_is_taken_and_should_not_be_is_told_when_asked_and_refused_by_strict_reading() {
    use AnomalyKind::*;
    check_anomaly("INVITE sip", "\r\n\r\nINVITE sip", LineBreakBefore, None);
    check_anomaly("SIP/2.0\r\n", "sip/2.0\r\n", VersionCase, None);
    check_anomaly("INVITE sip", "INVITE   sip", SurplusSpaces, None);
    check_anomaly(".com SIP", ".com  SIP", SurplusSpaces, None);
    check_anomaly("SIP/2.0\r\n", "SIP/2.0 \r\n", SurplusSpaces, None);
    check_anomaly("Max-Forwards: 70\r\n", "", NoMaxForwards, None);
    check_anomaly(";tag=1928301774", "", NoFromTag, Some(4));
    for value in ["a\u{1b}b", "\"\\\u{1b}\"", "(\\\u{1b})"] {
        check_anomaly("Max-", &format!("X-A: {value}\r\nMax-"), ControlCharacter, Some(2));
    }
    check_anomaly("Max-", "User-Agent: a (\\\\\u{1b})\r\nMax-", ControlCharacter, Some(2));
    check_anomaly("Max-", "s: a\r\nSubject: b\r\nMax-", Repeated, Some(3));
    check_anomaly("pc33.atlanta.com;", "pc33.atlanta.com;branch=z, ,SIP/2.0/UDP a;", EmptyListItem, Some(1));
    check_anomaly("To: Bob", "To: Bob, the Builder", UnquotedDisplayName, Some(3));
    check_anomaly("To: Bob", "To: \"\\\u{e9}\"", QuotedPair, Some(3));
    check_anomaly("sip:alice@", "sip:al#ice@", UnescapedUser, Some(4));
    check_anomaly("sip:bob@biloxi.com SIP", "sip:b#b@biloxi.com SIP", UnescapedUser, None);
    check_anomaly("@biloxi.com>", "@bi_loxi.com>", HostName, Some(3));
    check_anomaly("@biloxi.com>", "@biloxi-.com>", HostName, Some(3));
    check_anomaly("z9hG4bK776asdhds", "z9hG4bK776=", UnquotedValue, Some(1));
    check_anomaly("@biloxi.com>", "@biloxi.com;x=>", EmptyValue, Some(3));
    check_anomaly("<sip:bob@", "< sip:bob@", SpacedUri, Some(3));
    check_anomaly("bob@biloxi.com SIP", "bob@[:::192.0.2.1] SIP", ThreeColons, None);
    check_anomaly("pc33.atlanta.com", "[2001:db8:::192.0.2.1]", ThreeColons, Some(1));
    check_anomaly(";branch", ";received=[2001:db8::1];branch", Received, Some(1));
    check_anomaly(";branch", ";received=b.example;branch", Received, Some(1));
    check_anomaly("=1928301774", "=\"1928301774\"", Parameter("tag"), Some(4));
    check_anomaly("=1928301774", "=a:b", Parameter("tag"), Some(4));
    check_anomaly("biloxi.com>", "biloxi.com>;tag=\"a b\"", Parameter("tag"), Some(3));
    check_anomaly("=z9hG4bK776asdhds", "=\"z9hG4bK776asdhds\"", Parameter("branch"), Some(1));
    for ttl in ["256", "0016", "+1", "x", "\"16\""] {
        check_anomaly(";branch", &format!(";ttl={ttl};branch"), Parameter("ttl"), Some(1));
    }
    for maddr in ["\"192.0.2.1\"", "[::x]", "a:5060"] {
        check_anomaly(";branch", &format!(";maddr={maddr};branch"), Parameter("maddr"), Some(1));
    }
    check_anomaly("Max-", "Contact: <sip:a@b>;q=0.123, <sip:a@b>;q=0.1234\r\nMax-", Parameter("q"), Some(2));
    check_anomaly("a84b4c76e66710@", "a84;b4c76@", CallId, Some(5));
    let (header, expected) = (HeaderName::Expires, "a number of seconds");
    let error = crate::HeaderError::Malformed { header, expected, column: Some(1) };
    check_anomaly("Max-", "Expires: soon\r\nMax-", Malformed(error), Some(2));
    let expected = "an address such as \"Name\" <sip:user@host>";
    let error = crate::HeaderError::Malformed { header: HeaderName::AlertInfo, expected, column: Some(1) };
    check_anomaly("Max-", "Alert-Info: <urn:alert:service:normal>, Bellcore-dr1\r\nMax-", Malformed(error), Some(2));
}

#[test]
fn a_line_that_ends_in_lf_alone_is_named() {
    for (text, line) in [
        (INVITE.replace("\r\n", "\n"), 1),
        (INVITE.replace("SIP/2.0\r\n", "SIP/2.0\n"), 1),
        (INVITE.replace("biloxi.com>\r\n", "biloxi.com>\n"), 4),
        (INVITE.replace(": 4\r\n\r\nbody", ": 4\n\nbody"), 8),
        (INVITE.replace("\r\n\r\nbody", "\r\n\nbody"), 9),
        (RINGING.replace("\r\n", "\n"), 1),
    ] {
        let bytes = text.as_bytes();
        let byte =
            (1..=bytes.len()).find(|at| bytes[..*at].ends_with(b"\n") && !bytes[..*at].ends_with(b"\r\n")).unwrap();
        let error = parse(&text).unwrap_err();
        assert_eq!(*error.kind(), ParseErrorKind::BareLineFeed { line, byte }, "{text:?}");
    }
    // All of it reads as if it had CR LF, and so it can be answered.
    let said = "400 Bad line end: expected CR LF, found LF alone at the end of line 1, byte 34";
    let answer = answer(&INVITE.replace("\r\n", "\n")).unwrap();
    assert!(answer.starts_with(&format!("SIP/2.0 {said}\r\nVia: SIP/2.0/UDP pc33")), "{answer}");
    assert!(answer.contains("\r\nCSeq: 314159 INVITE\r\n") && parse(&answer).is_ok(), "{answer}");
    let said = "400 Bad line end: expected CR LF, found LF alone at the end of line 3, byte 111";
    check("70\r\n", "70\n", said);
}

#[test]
fn a_message_as_it_should_be_has_no_anomaly() {
    for text in [
        INVITE.to_owned(),
        INVITE.replace("Max-Forwards:", "max-forwards  :\r\n "),
        INVITE.replace("SIP/2.0/UDP", "SIP / 2.0 / UDP"),
        INVITE.replace("To: Bob", "To: Bob  Builder\t"),
        INVITE.replace(";branch", ";received=2001:db8::1;branch"),
        INVITE.replace(";branch", ";ttl=255;maddr=[2001:db8::1];branch"),
        INVITE.replace("To: Bob", "To: \"\\\0\\\u{1b}\\\u{7f}\""),
        INVITE.replace("Max-", "User-Agent: a (\"\\\u{1b}(\\\u{7f}))\r\nMax-"),
        INVITE.replace("Max-", "Date: Sat, 13 Nov 2010 23:29:00 GMT\r\nZ: \u{e9}\r\nMax-"),
    ] {
        let request = Message::parse_strict(Bytes::from(text.clone()), &Limits::default()).expect(&text);
        assert_eq!(request.anomalies(), []);
    }
}

#[test]
fn what_a_receiver_is_told_to_take_is_told_and_taken_by_strict_reading() {
    use AnomalyKind::*;
    for (from, to, expected) in [
        ("Content-Length: 4\r\n", "", NoContentLength),
        ("body", "body and more", SurplusBytes(9)),
        (";branch=z9hG4bK776asdhds", "", NoBranch),
        ("@biloxi.com>", "@biloxi.com:5060>", UriComponent("port")),
        ("@biloxi.com>", "@biloxi.com;M%65thod=BYE>", UriComponent("method")),
        ("@biloxi.com>", "@biloxi.com;maddr=192.0.2.1>", UriComponent("maddr")),
        ("@biloxi.com>", "@biloxi.com;ttl=1>", UriComponent("ttl")),
        ("@atlanta.com>", "@atlanta.com;transport=tcp>", UriComponent("transport")),
        ("@atlanta.com>", "@atlanta.com;lr>", UriComponent("lr")),
        ("@atlanta.com>", "@atlanta.com?Subject=a>", UriComponent("headers")),
        ("bob@biloxi.com SIP", "bob@biloxi.com:5060;transport=tcp;method=INVITE SIP", UriComponent("method")),
        ("Max-", "Route: <sip:a;lr;maddr=b;transport=tcp>, <sip:b:5060;lr?a=b>\r\nMax-", UriComponent("headers")),
        ("Max-", "Record-Route: <sip:a;lr;ttl=1>\r\nMax-", UriComponent("ttl")),
        ("Max-", "Contact: <sip:a@b:5060;ttl=1;method=BYE?a=b>\r\nMax-", UriComponent("method")),
    ] {
        let text = INVITE.replace(from, to);
        let request = Message::parse_strict(Bytes::from(text.clone()), &Limits::default()).expect(&text);
        let told: Vec<_> =
            request.anomalies().iter().map(|found| (found.kind().clone(), found.makes_invalid())).collect();
        assert_eq!(told, [(expected, false)]);
    }
}

#[test]
fn surplus_spaces_of_a_request_line_are_not_sent_on() {
    const LINE: &str = "INVITE sip:bob@biloxi.com SIP/2.0\r\n";
    for line in ["INVITE  sip:bob@biloxi.com SIP/2.0\r\n", "INVITE sip:bob@biloxi.com   SIP/2.0  \r\n"] {
        let text = INVITE.replace(LINE, line);
        let mut request = request(&text);
        assert_eq!(request.to_bytes(), text);
        assert_eq!(request.uri().to_string(), "sip:bob@biloxi.com");
        request.headers_mut().set(crate::MaxForwards(70));
        assert_eq!(request.to_bytes(), INVITE);
    }
    for line in [
        "INVITE sip:bob@biloxi.com;  lr SIP/2.0\r\n",
        "INVITE \tsip:bob@biloxi.com SIP/2.0\r\n",
        "INVITE sip:bob@biloxi.com SIP/2.0\t\r\n",
        "INVITE   SIP/2.0\r\n",
    ] {
        check(LINE, line, "400 Bad request line: expected Method URI SIP/2.0 with one space between");
    }
    check(LINE, "INVITE  sip:bob@biloxi.com SIP/3.0  \r\n", "505 Version Not Supported");
    check("INVITE sip", "CALL sip", "501 Not Implemented");
}

#[test]
fn a_status_line_without_the_space_and_bytes_that_are_not_utf8_are_told() {
    let kinds = |text: Vec<u8>| {
        let message = Message::parse(text.into(), &Limits::default()).unwrap();
        message.anomalies().iter().map(|anomaly| (anomaly.kind().clone(), anomaly.row())).collect::<Vec<_>>()
    };
    let ringing = RINGING.replace("\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(kinds(ringing.replace("180 Ringing", "180").into_bytes()), [(AnomalyKind::NoReasonSpace, None)]);
    assert_eq!(kinds(ringing.replace("180 Ringing", "180 ").into_bytes()), []);
    let mut bytes = ringing.replace("Ringing", "R?nging").replace("Content-", "Z: a?b\r\nContent-").into_bytes();
    bytes.iter_mut().filter(|byte| **byte == b'?').for_each(|byte| *byte = 0xe9);
    assert_eq!(kinds(bytes), [(AnomalyKind::NotUtf8, None), (AnomalyKind::NotUtf8, Some(6))]);
}

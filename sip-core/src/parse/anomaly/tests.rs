use bytes::Bytes;

use super::AnomalyKind::{self, *};
use crate::{Limits, Message, ParseErrorKind};

const FIRST: &str =
    "INVITE sip:bob@biloxi.com SIP/2.0\r\nVia: SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bK776asdhds\r\n";
const LAST: &str = "Max-Forwards: 70\r\nTo: <sip:bob@biloxi.com>\r\nFrom: <sip:alice@atlanta.com>;tag=1928301774\r\n\
    Call-ID: a84b4c76e66710@pc33.atlanta.com\r\nCSeq: 314159 INVITE\r\nContent-Length: 0\r\n\r\n";

/// What is found in the INVITE with these lines in its third row.
fn found(lines: &str) -> Vec<(AnomalyKind, Option<usize>, bool)> {
    let bytes = Bytes::from(format!("{FIRST}{lines}\r\n{LAST}"));
    let message = Message::parse(bytes.clone(), &Limits::default()).expect(lines);
    let found = message.anomalies();
    let refused = Message::parse_strict(bytes, &Limits::default()).err();
    let first = found.iter().find(|anomaly| anomaly.makes_invalid());
    let kind = first.map(|anomaly| ParseErrorKind::Anomaly(anomaly.clone().into()));
    assert_eq!(refused.map(|error| error.kind().clone()), kind, "{lines}");
    found.iter().map(|anomaly| (anomaly.kind().clone(), anomaly.column(), anomaly.makes_invalid())).collect()
}

#[track_caller]
fn check(lines: &str, kind: AnomalyKind, column: usize) {
    assert_eq!(found(lines), [(kind, Some(column), true)], "{lines}");
}

#[track_caller]
fn is_fine(lines: &str) {
    assert_eq!(found(lines), [], "{lines}");
}

#[test]
fn a_parameter_that_stands_twice_is_told_of_all_headers() {
    let twice = |name: &str| RepeatedParameter(name.into());
    check("Via: SIP/2.0/UDP a;branch=z9hG4bK1;rport;BRANCH=z9hG4bK2", twice("BRANCH"), 37);
    check("Contact: <sip:a@b>;q=1, <sip:a@b>;x;y;X=\"1\";x", twice("X"), 30);
    check("Contact: <sip:a@b;x=1;%58=2>", twice("%58"), 14);
    check("Route: <sip:a;lr;lr>", twice("lr"), 11);
    check("Refer-To: <tel:+1;ext=1;EXT=2>", twice("EXT"), 15);
    for header in
        ["Accept: a/b", "Content-Type: a/b", "Reason: SIP", "Event: a", "Retry-After: 1 (;)", "Session-Expires: 90"]
    {
        let Some((_, value)) = header.split_once(": ") else { panic!("{header}") };
        check(&format!("{header};x=1;y;X"), twice("X"), value.len() + 8);
    }
    check("User-to-User: \"a;b\";x;x", twice("x"), 9);
    check("Replaces: a<b;to-tag=1;from-tag=2;x;x", twice("x"), 27);
}

#[test]
fn from_and_to_have_their_tag_once() {
    for (from, to, name) in [
        ("774\r\n", "774;tag=2\r\n", "tag"),
        ("To: <sip:bob@biloxi.com>", "To: <sip:bob@biloxi.com>;tag=1;TAG=2", "TAG"),
    ] {
        let text = format!("{FIRST}{LAST}").replacen(from, to, 1);
        let anomalies = Message::parse(text.into(), &Limits::default()).unwrap().anomalies();
        assert_eq!(
            anomalies.iter().map(|found| found.kind().clone()).collect::<Vec<_>>(),
            [RepeatedParameter(name.into())]
        );
    }
}

#[test]
fn a_row_has_a_value_and_a_list_no_empty_one() {
    for name in ["Contact", "Route", "Record-Route", "Via", "Require", "Proxy-Require", "Path", "Warning", "Reason"] {
        check(&format!("{name}:"), NoValue, 1);
    }
    for name in ["Accept", "Accept-Encoding", "Accept-Language", "Allow", "Supported", "Recv-Info", "P-Associated-URI"]
    {
        is_fine(&format!("{name}:"));
    }
    check("Require: ,,", EmptyListItem, 1);
    check("Allow: ,INVITE", EmptyListItem, 1);
    check("Allow: INVITE ,", EmptyListItem, 9);
    check("In-Reply-To: a<, ,b", EmptyListItem, 5);
    check("Route: <sip:a;lr>, , <sip:b;lr>", EmptyListItem, 13);
    check(
        "Authorization: Digest username=\"u\",realm=\"r\",,nonce=\"n\",uri=\"sip:r\",response=\"0\"",
        EmptyListItem,
        31,
    );
    is_fine("Diversion: <sip:a@b>,");
    check("Contact: *, <sip:a@b>", StarNotAlone, 1);
    check("Contact: <sip:a@b>\r\nm: *", StarNotAlone, 1);
    check("Contact: *, *", StarNotAlone, 4);
    is_fine("Contact: *");
}

#[test]
fn addresses_are_looked_at_wherever_they_stand() {
    for name in [
        "Reply-To",
        "Refer-To",
        "Referred-By",
        "Contact",
        "Route",
        "Record-Route",
        "Path",
        "Service-Route",
        "History-Info",
        "P-Asserted-Identity",
        "P-Preferred-Identity",
        "P-Associated-URI",
        "P-Called-Party-ID",
        "Diversion",
    ] {
        let index = if name == "History-Info" { ";index=1" } else { "" };
        check(&format!("{name}: A, B <sip:a@b>{index}").replace(", ", "@ "), UnquotedDisplayName, 1);
        check(&format!("{name}: <sip:a@b_c>{index}"), HostName, 8);
        check(&format!("{name}: <sip:a#b@c>{index}"), UnescapedUser, 6);
    }
    for name in ["Alert-Info", "Call-Info", "Error-Info", "Geolocation"] {
        check(&format!("{name}: <sip:a@b_c>"), HostName, 8);
        check(&format!("{name}: <http://a/|>"), UriCharacter, 11);
        check(&format!("{name}: A <sip:a@b>"), DisplayName, 1);
    }
    for name in ["Route", "Record-Route", "Path", "Service-Route", "Diversion", "P-Called-Party-ID", "Call-Info"] {
        check(&format!("{name}: sip:a@b"), NoBrackets, 1);
    }
    is_fine("Reply-To: sip:a@b;x\r\nP-Asserted-Identity: sip:a@b, <tel:+1>\r\nCall-Info: <http://a> ;purpose=icon");
}

#[test]
fn values_of_parameters_are_what_the_grammar_of_their_header_says() {
    for (lines, name, column) in [
        ("Accept: a/b;q=7", "q", 7),
        ("Accept-Language: da, en;q=x", "q", 10),
        ("Accept-Encoding: gzip;q=\"1\"", "q", 9),
        ("Contact: <sip:a@b>;expires=x", "expires", 19),
        ("Contact: <sip:a@b>;expires", "expires", 11),
        ("Via: SIP/2.0/UDP a;branch=z9hG4bK1;rport=x", "rport", 37),
        ("Retry-After: 5 (a;duration=x);duration=x", "duration", 27),
        ("Call-Info: <http://a>;purpose=\"icon\"", "purpose", 21),
        ("Content-Disposition: session;handling=\"optional\"", "handling", 19),
        ("Reason: SIP;cause=200;text=OK", "text", 20),
    ] {
        check(lines, Parameter(name), column);
    }
    check("Content-Type: a/b;x=a@b", UnquotedValue, 7);
    check("Event: a;x=a@b", UnquotedValue, 5);
    is_fine("Via: SIP/2.0/UDP a;branch=z9hG4bK1;rport\r\nContact: <sip:a@b>;expires=99999999999;q=0.123");
    is_fine("Reason: SIP;cause=200;text=\"OK\"\r\nRetry-After: 5 (a);duration=3600\r\nAccept: a/b;level=1;q=0.5");
}

#[test]
fn parameters_of_digest_have_quotes_where_they_have_them() {
    const WHOLE: &str = "Digest username=\"u\",realm=\"r\",nonce=\"n\",uri=\"sip:r\",response=\"0\",opaque=\"o\"";
    const QOP: &str = ",qop=auth,nc=00000001,cnonce=\"c\"";
    for (name, column) in
        [("username", 17), ("realm", 27), ("nonce", 37), ("uri", 45), ("response", 62), ("opaque", 73)]
    {
        let (before, rest) = WHOLE.split_once(&format!("{name}=\"")).unwrap();
        let (value, after) = rest.split_once('"').unwrap();
        check(&format!("Authorization: {before}{name}={value}{after}{QOP}"), DigestQuotes(name), column);
    }
    check(&format!("Authorization: {WHOLE}{}", QOP.replace('"', "")), DigestQuotes("cnonce"), 105);
    for (from, to, name) in [("auth", "\"auth\"", "qop"), ("00000001", "\"00000001\"", "nc")] {
        let column = WHOLE.len() + QOP.find(from).unwrap() + 2;
        check(&format!("Proxy-Authorization: {WHOLE}{}", QOP.replace(from, to)), DigestNoQuotes(name), column);
    }
    check(&format!("Authorization: {WHOLE},algorithm=\"MD5\""), DigestNoQuotes("algorithm"), WHOLE.len() + 13);
    check(&format!("Authorization: {WHOLE},x=a@b"), UnquotedValue, WHOLE.len() + 4);
    check(&format!("Authorization: {WHOLE},nc=00000001"), DigestTogether("qop"), WHOLE.len() + 5);
    check(&format!("Authorization: {WHOLE},qop=auth"), DigestTogether("nc"), WHOLE.len() + 6);
    check("WWW-Authenticate: Digest realm=\"r\",nonce=\"n\",stale=\"true\"", DigestNoQuotes("stale"), 35);
    check("Proxy-Authenticate: Digest realm=\"r\",nonce=\"n\",qop=auth", DigestQuotes("qop"), 32);
    check("Authentication-Info: qop=auth,nc=00000001", DigestTogether("cnonce"), 5);
    is_fine(&format!("Authorization: {WHOLE}{QOP},algorithm=MD5\r\nAuthorization: {WHOLE}"));
    is_fine(
        "WWW-Authenticate: Digest realm=\"r\",nonce=\"n\",qop=\"auth,auth-int\",algorithm=MD5,stale=FALSE\r\nProxy-Authenticate: Basic a==",
    );
    is_fine("Authentication-Info: nextnonce=\"1\"");
}

#[test]
fn products_and_dates_follow_their_grammar() {
    for name in ["User-Agent", "Server"] {
        check(&format!("{name}: Phone (open"), Product, 7);
        check(&format!("{name}: Phone, Inc."), Product, 6);
        is_fine(&format!("{name}: Phone/4.1 (build (2)) b"));
    }
    check("Date: Sat, 1 Nov 2010 23:29:00 GMT", DateForm, 1);
    // The grammar has any weekday with any date.
    assert_eq!(found("Date: Mon, 13 Nov 2010 23:29:00 GMT"), [(Weekday, Some(1), false)]);
}

#[test]
fn what_is_told_names_the_place() {
    for (lines, said) in [
        ("Route: <sip:a>\r\n , sip:b_c", "Bad Route header: expected the URI in angle brackets at column 11"),
        ("Contact: <sip:a@b>;x;x", "Bad Contact header: expected the parameter x once at column 13"),
        ("Allow: A\r\nAllow: B C", "Bad Allow header: expected methods between commas at column 3"),
    ] {
        let text = format!("{FIRST}{lines}\r\n{LAST}");
        let anomalies = Message::parse(text.into(), &Limits::default()).unwrap().anomalies();
        assert_eq!(anomalies.first().map(ToString::to_string).as_deref(), Some(said));
    }
    let text = format!("{FIRST}{LAST}").replacen("bob@", "b#b@", 1);
    let anomalies = Message::parse(text.into(), &Limits::default()).unwrap().anomalies();
    let said = "Bad Request-URI: expected a user with escapes at column 5";
    assert_eq!(anomalies.first().map(ToString::to_string).as_deref(), Some(said));
    assert_eq!(found("Allow: A\r\nAllow: B C").len(), 1);
    let rows =
        Message::parse(format!("{FIRST}Expires: 1\r\nAccept: a/b\r\nAccept: x\r\n{LAST}").into(), &Limits::default());
    assert_eq!(rows.unwrap().anomalies().first().and_then(crate::Anomaly::row), Some(4));
}

use super::*;
use crate::grammar::Deviation;

fn uri(text: &str) -> SipUri {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn every_part_of_a_uri_is_read_and_written_as_it_was() {
    #[track_caller]
    fn check(text: &str, user: Option<&str>, host: &str, port: Option<u16>, params: usize, headers: Option<&str>) {
        let read = uri(text);
        assert_eq!(read.user.as_deref(), user);
        assert_eq!(read.host.to_string(), host);
        assert_eq!((read.port, read.params.len(), read.headers.as_deref()), (port, params, headers));
        assert_eq!(read.to_string(), text);
    }
    // RFC 3261 §19.1.3
    check("sip:alice@atlanta.com", Some("alice"), "atlanta.com", None, 0, None);
    check("sip:alice:secretword@atlanta.com;transport=tcp", Some("alice"), "atlanta.com", None, 1, None);
    let headers = Some("subject=project%20x&priority=urgent");
    check("sips:alice@atlanta.com?subject=project%20x&priority=urgent", Some("alice"), "atlanta.com", None, 0, headers);
    check("sip:+1-212-555-1212:1234@gateway.com;user=phone", Some("+1-212-555-1212"), "gateway.com", None, 1, None);
    check("sips:1212@gateway.com", Some("1212"), "gateway.com", None, 0, None);
    check("sip:alice@192.0.2.4", Some("alice"), "192.0.2.4", None, 0, None);
    let headers = Some("to=alice%40atlanta.com");
    check("sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com", None, "atlanta.com", None, 1, headers);
    check("sip:alice;day=tuesday@atlanta.com", Some("alice;day=tuesday"), "atlanta.com", None, 0, None);
    // Others
    check("sip:*43#@[2001:db8::1]:5070;lr;x=%41", Some("*43#"), "[2001:db8::1]", Some(5070), 2, None);
    check("sip:sip%3auser%40example.com@company.com;a", Some("sip%3auser%40example.com"), "company.com", None, 1, None);
}

#[test]
fn what_is_no_uri_is_refused_by_the_part_that_is_wrong() {
    #[track_caller]
    fn check(text: &str, expected: UriError) {
        assert_eq!(text.parse::<Uri>(), Err(expected), "{text}");
    }
    check("", UriError::Scheme);
    check("alice@atlanta.com", UriError::Scheme);
    check("1sip:alice@atlanta.com", UriError::Scheme);
    check(" sip:alice@atlanta.com", UriError::Scheme);
    check("sip:@atlanta.com", UriError::User);
    check("sip:a b@atlanta.com", UriError::User);
    check("sip:a%4@atlanta.com", UriError::User);
    check("sip:a%4g@atlanta.com", UriError::User);
    check("sip:a%+1@atlanta.com", UriError::User);
    check("sip:\u{e9}@atlanta.com", UriError::User);
    check("sip:", UriError::HostPort);
    check("sip:alice@", UriError::HostPort);
    check("sip:alice@b@c", UriError::HostPort);
    check("sip:alice@atlanta.com:", UriError::HostPort);
    check("sip:alice@atlanta.com:65536", UriError::HostPort);
    check("sip:alice@atlanta.com x", UriError::HostPort);
    check("sip:alice@300.1.1.1", UriError::HostPort);
    check("sip:alice@atlanta.com;", UriError::Params);
    check("sip:alice@atlanta.com;a=%", UriError::Params);
    check(&format!("sip:a@b{}", ";x".repeat(65)), UriError::Params);
    check("sip:alice@atlanta.com?", UriError::Headers);
    check("sip:alice@atlanta.com?a", UriError::Headers);
    check("sip:alice@atlanta.com?a=b&", UriError::Headers);
    check("tel:", UriError::Opaque);
    check("tel:+1 2", UriError::Opaque);
    check("tel:100%", UriError::Opaque);
    check("http://a/<b>", UriError::Opaque);
}

#[test]
fn another_scheme_is_kept_as_it_is() {
    #[track_caller]
    fn check(text: &str, scheme: &str, normal: &str) {
        let uri: Uri = text.parse().unwrap();
        assert_eq!((uri.as_sip(), uri.as_tel(), uri.scheme()), (None, None, scheme));
        assert_eq!((&uri, uri.to_string().as_str()), (&Uri::Other(text.into()), text));
        assert_eq!(uri.normalised().to_string(), normal);
        assert!(uri.equivalent(&uri.normalised()), "{uri}");
    }
    check("urn:service:sos.fire", "urn", "urn:service:sos.fire"); // RFC 5031 §4.2
    check("URN:Service:SOS", "URN", "urn:service:sos");
    check("urn:UUID:F81D4FAE-7DEC-11d0-a765-00a0c91e6bf6", "urn", "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6");
    check("urn:Example:A%2fb%41", "urn", "urn:example:A%2Fb%41");
    check("urn:x", "urn", "urn:x");
    check("https://U:P@EXAMPLE.com:443/%7ea?B#C", "https", "https://U:P@example.com:443/~a?B#C");
    check("http://A%5B", "http", "http://a%5B");
    check("cid:Part1@Example.com", "cid", "cid:Part1@Example.com");
    check("im:a@b", "im", "im:a@b");
    check("pres:a@b", "pres", "pres:a@b");
    check("mailto:a%20b@c?subject=d", "mailto", "mailto:a%20b@c?subject=d");
    check("soap.beep://192.0.2.103:3002", "soap.beep", "soap.beep://192.0.2.103:3002");
    check("tel:Restricted", "tel", "tel:Restricted");
    check("x:a|b", "x", "x:a|b");
    assert!(!"http://a/B".parse::<Uri>().unwrap().equivalent(&"http://a/b".parse().unwrap()));
    assert!(!"sip:a@b".parse::<Uri>().unwrap().equivalent(&"im:a@b".parse().unwrap()));
    assert_eq!((Uri::Other("a b".into()).scheme(), "SIPS:a".parse::<Uri>().unwrap().scheme()), ("invalid", "sips"));
}

#[test]
fn what_is_taken_and_should_not_be_there_is_told() {
    #[track_caller]
    fn check(text: &str, expected: &[Deviation]) {
        let mut found = Vec::new();
        UriPart::read(text).unwrap().deviations(&mut |deviation, _| found.push(deviation));
        assert_eq!(found, expected, "{text}");
    }
    check("tel:+1-201-555-0123;isub=a@b?c=d,e", &[]);
    check("tel:7042;phone-context=example.com", &[]);
    check("tel:911", &[Deviation::Tel]);
    check("tel:anonymous", &[Deviation::Tel]);
    check("tel:+1;x=a@b", &[Deviation::Tel]);
    check("tel:+%31", &[Deviation::Tel]);
    check("tel:+1;x=", &[Deviation::EmptyValue]);
    check("http://a/{b}", &[Deviation::UriCharacter]);
    check("http://a/#b#c", &[Deviation::UriCharacter]);
    check("http://[::1]/a?b/c?d#e", &[]);
}

#[test]
fn the_normal_form_of_a_uri_does_not_depend_on_its_spelling() {
    #[track_caller]
    fn check(text: &str, expected: &str) {
        let (uri, normal) = (uri(text), uri(text).normalised());
        assert_eq!(normal.to_string(), expected);
        assert_eq!(normal.normalised(), normal);
        assert_eq!(expected.parse().as_ref(), Ok(&normal));
        assert!(uri.equivalent(&normal) && normal.equivalent(&uri), "{text}");
    }
    check("SIP:%61lice:%3bp%7e@AtLanTa.CoM.:05060", "sip:alice:%3Bp~@atlanta.com:5060");
    check("sips:*43#@[2001:DB8:0:0:0:0:0:1]", "sips:*43%23@[2001:db8::1]");
    check("sip:b@c;Transport=UDP;LR;%6Db=A%42;X=;lr=2;gr=urn:UUID:A", "sip:b@c;gr=urn:UUID:A;lr;mb=AB;transport=udp;x");
    check("sip:b@c;method=REGISTER;x=%5b%5D%2f%c3%A9", "sip:b@c;method=REGISTER;x=[]%2F%C3%A9");
    check("sip:b@c?s=B%41&Route=%3csip:b%3E&i=x&ROUTE=a", "sip:b@c?call-id=x&route=%3Csip:b%3E&route=a&subject=BA");
    check("sip:b@c:5060;user=ip;ttl=1", "sip:b@c:5060;ttl=1;user=ip"); // defaults stay
}

#[test]
fn uris_are_equivalent_as_rfc_3261_section_19_1_4_says() {
    #[track_caller]
    fn check(a: &str, b: &str, expected: bool) {
        assert_eq!(uri(a).equivalent(&uri(b)), expected, "{a} {b}");
        assert_eq!(uri(b).equivalent(&uri(a)), expected, "{b} {a}");
    }
    check("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp", true);
    check("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5", true);
    check("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on", true);
    check(
        "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
        "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        true,
    );
    check(
        "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
        "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        true,
    );
    check("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP", false);
    check("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060", false);
    check("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp", false);
    check("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp", false);
    check("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting", false);
    check("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4", false);
    check("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off", false);
    check("sip:bob@biloxi.com", "sips:bob@biloxi.com", false);
    check("sip:bob@biloxi.com", "sip:bob:pw@biloxi.com", false);
    check("sip:biloxi.com", "sip:bob@biloxi.com", false);
    check("sip:bob@biloxi.com", "sip:bob@biloxi.com;maddr=192.0.2.1", false);
    check("sip:bob@biloxi.com", "sip:bob@biloxi.com;user=ip", false);
    check("sip:a%3bb@biloxi.com", "sip:a;b@biloxi.com", false);
    check("sip:a%3Bb@biloxi.com", "sip:a%3bb@biloxi.com", true);
    check("sip:b@c;x=1;X=2", "sip:b@c;x=1", true);
    check("sip:b@c;x=1;X=2", "sip:b@c;x=2;x=1", false);
    // RFC 4475 §3.1.1.3
    check("sip:b@c;n%61me=v%61lue%25%34%31", "sip:b@c;name=value%2541", true);
    check("sip:b@c;n%61me=v%61lue%25%34%31", "sip:b@c;name=valueA", false);
    check("sip:b@c;m%61ddr=192.0.2.1", "sip:b@c", false);
    // RFC 5954 §4.2
    check("sip:bob@[::ffff:192.0.2.128]", "sip:bob@[::ffff:c000:280]", true);
    check("sip:bob@[2001:db8::9:1]", "sip:bob@[2001:db8::9:01]", true);
    check("sip:bob@[0:0:0:0:0:FFFF:129.144.52.38]", "sip:bob@[::FFFF:129.144.52.38]", true);
    // RFC 5118 §4.3, §4.4, §4.10
    check("sip:[2001:db8::10:5070]", "sip:[2001:db8::10]:5070", false);
    check("sip:user@[2001:db8:::192.0.2.1]", "sip:user@[2001:db8::192.0.2.1]", true);
    // RFC 5627 §5.4: a public GRUU is equivalent to its address of record
    check("sip:callee@example.com;gr=urn:uuid:f81d4fae", "sip:callee@example.com", true);
    check("sip:a@b?s=x&t=y", "sip:a@b?To=y&SUBJECT=%78", true);
    check("sip:a@b?subject=x", "sip:a@b?subject=X", false);
    check("sip:a#@b;x=%5B;y=", "sip:a%23@B.;Y;X=[", true);
}

#[test]
fn an_address_of_record_is_the_same_however_it_is_spelt() {
    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(AddressOfRecord::from_uri(&uri(text)).ok().map(|aor| aor.to_string()).as_deref(), expected);
    }
    check("sip:alice@atlanta.com", Some("sip:alice@atlanta.com"));
    check("sips:%61lice:pw@AtLanTa.CoM.:5070;user=phone?a=b", Some("sip:alice@atlanta.com"));
    check("sip:j%40s0n@atlanta.com", Some("sip:j%40s0n@atlanta.com"));
    check("sip:100%25@atlanta.com", Some("sip:100%25@atlanta.com"));
    check("sip:%2541@atlanta.com", Some("sip:%2541@atlanta.com"));
    check("sip:*43#@atlanta.com", Some("sip:*43%23@atlanta.com"));
    check("sip:%C3%A9@atlanta.com", Some("sip:%C3%A9@atlanta.com"));
    check("sip:atlanta.com", None);
    check("sip:alice%00@atlanta.com", None);
    check("sip:%ff@atlanta.com", None);
}

#[test]
fn a_numeric_host_says_where_to_send() {
    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(uri(text).socket_addr().map(|addr| addr.to_string()).as_deref(), expected);
    }
    check("sip:a@192.0.2.4", Some("192.0.2.4:5060"));
    check("sips:a@192.0.2.4", Some("192.0.2.4:5061"));
    check("sip:a@[2001:db8::1]:9", Some("[2001:db8::1]:9"));
    check("sip:a@example.com:9", None);
}

#[test]
fn no_part_can_break_out_of_a_uri_that_is_written() {
    let mut bad = SipUri::new(Some("a b@\r\nc%41%"), Host::Name("x>\r\n".into()), Some(1));
    bad.password = Some("p w".into());
    bad.params.set("n;m", Some("v>\r\n"));
    bad.headers = Some("x\r\ny".into());
    assert_eq!(bad.to_string(), "sip:a%20b%40%0D%0Ac%41%25:p%20w@invalid:1;n%3Bm=v%3E%0D%0A");
    assert_eq!(Uri::Other("tel:1\r\n2".into()).to_string(), "tel:1%0D%0A2");
}

use super::*;

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
    let tel: Uri = "tel:+1-201-555-0123;ext=1".parse().unwrap();
    assert_eq!((tel.as_sip(), tel.to_string().as_str()), (None, "tel:+1-201-555-0123;ext=1"));
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
}

#[test]
fn an_address_of_record_is_the_same_however_it_is_spelt() {
    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(AddressOfRecord::from_uri(&uri(text)).map(|aor| aor.to_string()).as_deref(), expected);
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

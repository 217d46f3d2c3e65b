use super::*;
use crate::Uri;

fn tel(text: &str) -> TelUri {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn numbers_are_read_and_written_as_they_were() {
    #[track_caller]
    fn check(text: &str, digits: &str, context: Option<PhoneContext<'_>>) {
        let read = tel(text);
        assert_eq!((read.digits().as_str(), read.phone_context()), (digits, context));
        assert_eq!(read.to_string(), text);
        assert_eq!(text.parse(), Ok(Uri::Tel(read)));
    }
    // RFC 3966 §6
    check("tel:+1-201-555-0123", "+12015550123", None);
    check("tel:7042;phone-context=example.com", "7042", Some(PhoneContext::Domain("example.com")));
    check("tel:863-1234;phone-context=+1-914-555", "8631234", Some(PhoneContext::Prefix("+1-914-555")));
    // RFC 4694 §6
    check("tel:+1-800-123-4567;cic=+1-6789", "+18001234567", None);
    check("tel:+1-202-533-1234;npdi;rn=+1-202-544-0000", "+12025331234", None);
    // Others
    check("tel:+1(201)555.0123;isub=1411;x-y=%3B;m-z", "+12015550123", None);
    check("tel:*43#", "*43#", None);
    check("tel:*43%23;%65xt=7", "*43#", None);
    check("tel:aB(1);phone-context=5", "ab1", Some(PhoneContext::Domain("5")));
    let all = tel("tel:+1;ext=2-3;npdi;rn=+1-202;m-a=1;M-b");
    assert_eq!(
        (all.extension(), all.isdn_subaddress(), tel("tel:+1;i%73ub=4").isdn_subaddress()),
        (Some("2-3"), None, Some("4"))
    );
    assert_eq!((all.params.has("npdi"), all.params.value("rn")), (true, Some("+1-202")));
    assert_eq!(all.mandatory_params().collect::<Vec<_>>(), ["m-a", "M-b"]);
}

#[test]
fn what_is_no_number_is_refused_and_says_why() {
    #[track_caller]
    fn check(text: &str, expected: UriError) {
        assert_eq!(text.parse::<TelUri>(), Err(expected), "{text}");
        assert!(!matches!(text.parse(), Ok(Uri::Tel(_))), "{text}");
    }
    check("+1", UriError::Scheme);
    check("sip:+1@a", UriError::Scheme);
    check("tel:", UriError::Number);
    check("tel:+", UriError::Number);
    check("tel:-", UriError::Number);
    check("tel:+()", UriError::Number);
    check("tel:+1a", UriError::Number);
    check("tel:+1*", UriError::Number);
    check("tel:+1 201", UriError::Number);
    check("tel:+1p22", UriError::Number); // the post-dialling of RFC 2806 is gone
    check("tel:1w2", UriError::Number);
    check("tel:1%", UriError::Number);
    check("tel:%2B1", UriError::Number);
    check("tel:1+1", UriError::Number);
    check("tel:anonymous", UriError::Number);
    check("tel:+1;", UriError::Params);
    check("tel:+1;=1", UriError::Params);
    check("tel:+1;x_y", UriError::Params);
    check("tel:+1;%3B", UriError::Params);
    check("tel:+1;x=\u{e9}", UriError::Params);
    check("tel:+1;x=%4", UriError::Params);
    check("tel:+1;x=a b", UriError::Params);
    check(&format!("tel:+1{}", ";a".repeat(65)), UriError::Params);
    assert_eq!(TelUri::global("7042"), Err(UriError::Number));
    assert_eq!(TelUri::global("+1;ext=2"), Err(UriError::Number));
    assert_eq!(TelUri::local("+1", "example.com"), Err(UriError::Number));
    for context in ["", "+", "5", "+1a", "192.0.2.1", "a;b", "a b"] {
        assert_eq!(TelUri::local("7042", context), Err(UriError::PhoneContext), "{context}");
    }
    assert_eq!(TelUri::local("863-1234", "+1-914-555").unwrap().to_string(), "tel:863-1234;phone-context=+1-914-555");
    // What follows `tel:` has no meaning for us then, and the message that has it is read.
    assert_eq!("tel:anonymous".parse(), Ok(Uri::Other("tel:anonymous".into())));
}

#[test]
fn numbers_are_equivalent_as_rfc_3966_section_4_says() {
    #[track_caller]
    fn check(a: &str, b: &str, expected: bool) {
        let (a, b) = (tel(a), tel(b));
        assert_eq!((a.equivalent(&b), b.equivalent(&a)), (expected, expected), "{a} {b}");
        assert!(a.normalised().equivalent(&a) && a.normalised() == a.normalised().normalised(), "{a}");
    }
    // RFC 3261 §19.1.6
    check("tel:+358-555-1234567;postd=pp22", "tel:+358-555-1234567;POSTD=PP22", true);
    check("tel:+358-555-1234567;postd=pp22;isub=1411", "tel:+358-555-1234567;isub=1411;postd=pp22", true);
    check("tel:+1-201-555-0123", "TEL:+1(201)555.0123", true);
    check("tel:+12015550123", "tel:12015550123", false);
    check("tel:+12015550123", "tel:+12015550124", false);
    check("tel:+1;x=1", "tel:+1", false);
    check("tel:+1;x=1", "tel:+1;x=2", false);
    check("tel:+1;x", "tel:+1;x=", true);
    check("tel:+1;x=1;X=2", "tel:+1;x=1", true);
    check("tel:aF;phone-context=example.com", "tel:A-f;PHONE-context=Example.COM.", true);
    check("tel:1;phone-context=a..", "tel:1;phone-context=a.", false);
    check("tel:1;phone-context=+1-9", "tel:1;phone-context=+19", true);
    check("tel:1;phone-context=a-b.com", "tel:1;phone-context=ab.com", false);
    check("tel:1;ext=1-2", "tel:1;ext=12", true);
    check("tel:1;isub=1-2", "tel:1;isub=12", false);
    check("tel:1%2A%32;%78=%41%3a", "tel:1*2;x=a:", true);
    check("tel:1;x=%2B", "tel:1;x=+", false);
    check("tel:1;isub=a@b?c=d,e", "tel:1;isub=a%40b%3fc%3Dd%2c%65", true);
}

#[test]
fn a_number_is_a_sip_user_and_back() {
    #[track_caller]
    fn check(text: &str, expected: &str) {
        let number = tel(text);
        let sip = number.to_sip(Host::parse("foo.com").unwrap());
        assert_eq!(sip.to_string(), expected);
        assert!(sip.to_tel().is_some_and(|back| back.equivalent(&number)), "{sip}");
    }
    // RFC 3261 §19.1.6
    check("tel:+358-555-1234567;postd=pp22", "sip:+358-555-1234567;postd=pp22@foo.com;user=phone");
    check("tel:+358-555-1234567;POSTD=PP22", "sip:+358-555-1234567;postd=pp22@foo.com;user=phone");
    check(
        "tel:+358-555-1234567;tsp=a.b;phone-context=5",
        "sip:+358-555-1234567;phone-context=5;tsp=a.b@foo.com;user=phone",
    );
    check(
        "tel:+358-555-1234567;phone-context=5;tsp=a.b",
        "sip:+358-555-1234567;phone-context=5;tsp=a.b@foo.com;user=phone",
    );
    check("tel:+358;postd=pp22;isub=1411", "sip:+358;isub=1411;postd=pp22@foo.com;user=phone");
    // RFC 3261 §19.1.2: what no user has is escaped
    check("tel:*43#;x=[a:b]/$&", "sip:*43%23;x=%5Ba%3Ab%5D/$&@foo.com;user=phone");
    check("tel:1;phone-context=+44;isub=%3b%25", "sip:1;isub=%3B%25;phone-context=+44@foo.com;user=phone");

    let back = |text: &str| text.parse::<SipUri>().unwrap().to_tel().map(|tel| tel.to_string());
    assert_eq!(
        back("sips:+358-555-1234567;postd=pp22@foo.com;us%65r=Phone").as_deref(),
        Some("tel:+358-555-1234567;postd=pp22")
    );
    assert_eq!(back("sip:%2B358@foo.com;user=phone").as_deref(), Some("tel:+358"));
    assert_eq!(back("sip:+1-212-555-1212:1234@gateway.com;user=phone").as_deref(), Some("tel:+1-212-555-1212"));
    assert_eq!(back("sip:+358@foo.com"), None);
    assert_eq!(back("sip:alice@foo.com;user=phone"), None);
    assert_eq!(back("sip:foo.com;user=phone"), None);
}

#[test]
fn a_global_number_has_a_domain_in_enum() {
    // RFC 6116 §3.2
    let domain = |text: &str| tel(text).enum_domain();
    assert_eq!(domain("tel:+44-20-7946-0148;ext=1").as_deref(), Some("8.4.1.0.6.4.9.7.0.2.4.4.e164.arpa."));
    assert_eq!(domain("tel:7042;phone-context=example.com"), None);
    assert!(domain("tel:+123456789012345").is_some() && domain("tel:+1234567890123456").is_none());
}

#[test]
fn no_parameter_can_break_out_of_a_number_that_is_written() {
    let mut bad = TelUri::global("+1").unwrap();
    bad.params.set("a;b\r\n", Some("c;d>\r\n%4\u{e9}"));
    bad.params.set("\u{e9}", Some("1"));
    bad.params.set("ext", Some(""));
    assert_eq!(bad.to_string(), "tel:+1;ab=c%3Bd%3E%0D%0A%254%C3%A9;ext");
    assert_eq!(bad.normalised().to_string(), "tel:+1;ext;ab=c%3Bd%3E%0D%0A%254%C3%A9");
}

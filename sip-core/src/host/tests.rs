use super::*;

#[test]
fn a_host_is_a_name_or_an_address() {
    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(Host::parse(text).map(|host| host.to_string()).as_deref(), expected, "{text}");
    }
    check("atlanta.com", Some("atlanta.com"));
    check("localhost", Some("localhost"));
    check("a_b.example.", Some("a_b.example."));
    check("192.0.2.4", Some("192.0.2.4"));
    check("[2001:db8::1]", Some("[2001:db8::1]"));
    check("2001:db8::1", Some("[2001:db8::1]"));
    check("300.0.2.4", None);
    check("1.2.3", None);
    check("[2001:db8:::192.0.2.1]", Some("[2001:db8::c000:201]"));
    check("[2001:db8::192.0.2.1]", Some("[2001:db8::c000:201]"));
    check("[:::192.0.2.1]", Some("[::c000:201]"));
    check("[2001:db8::::192.0.2.1]", None);
    check("[2001:db8:::1]", None);
    check("[2001:db8:::192.0.2.1:1]", None);
    check("[1::2:::192.0.2.1]", None);
    check("[fe80::1%eth0]", None);
    check("[fe80::1%25eth0]", None);
    check("fe80::1%1", None);
    check("[v1.a]", None);
    check("[192.0.2.1]", None);
    check("[[::1]]", None);
    check(&"[".repeat(1000), None);
    check("192.00.02.128", None);
    check("0300.0.2.4", None);
    check("0x7f.1", None);
    check("3221226113", None);
    check("444.555.666.777", None); // RFC 5954 §4.1
    check("192.0.2.4.", None);
    check("1.2.3.com.", Some("1.2.3.com."));
    check("[2001:db8::g]", None);
    check("[::1", None);
    check("a..b", None);
    check(".", None);
    check("", None);
    check("a b", None);
    check("a%41", None);
    check(&format!("{}com", "a.".repeat(200)), None);
}

#[test]
fn an_ipv4_address_is_read_as_the_standard_library_reads_it() {
    for text in [
        "0.0.0.0",
        "255.255.255.255",
        "192.0.2.1",
        "1.2.3",
        "1.2.3.",
        "1.2.3.4.",
        ".1.2.3",
        "1..2.3",
        "256.1.1.1",
        "01.2.3.4",
        "1.2.3.00",
        "1.2.3.4.5",
        "1.2.3.a",
        "",
        ".",
        "1",
        "1.2.3.1000",
        "0.0.0.",
        "10.20.30.40",
    ] {
        assert_eq!(ipv4(text.as_bytes()), text.parse().ok().map(|ip| (text.len(), ip)), "{text}");
        assert_eq!(ipv4(format!("{text};").as_bytes()), text.parse().ok().map(|ip| (text.len(), ip)), "{text}");
    }
}

#[test]
fn names_are_equal_whatever_their_case_and_never_equal_an_address() {
    assert_eq!(Host::parse("AtLanTa.CoM"), Host::parse("atlanta.com"));
    assert_eq!(Host::parse("AtLanTa.CoM."), Host::parse("atlanta.com"));
    assert_ne!(Host::parse("atlanta.com"), Host::parse("192.0.2.4"));
}

#[test]
fn addresses_are_equal_by_value_and_hosts_order_and_hash_as_they_are_equal() {
    use std::hash::BuildHasher;
    let state = std::hash::BuildHasherDefault::<std::collections::hash_map::DefaultHasher>::default();
    #[track_caller]
    fn check(state: &impl BuildHasher, a: &str, b: &str, expected: bool) {
        let (a, b) = (Host::parse(a).unwrap(), Host::parse(b).unwrap());
        assert_eq!((a == b, a.cmp(&b).is_eq()), (expected, expected), "{a} {b}");
        assert_eq!(state.hash_one(&a) == state.hash_one(&b), expected, "{a} {b}");
    }
    // RFC 5954 §4.2
    check(&state, "[::ffff:192.0.2.128]", "[::ffff:c000:280]", true);
    check(&state, "[2001:db8::9:1]", "[2001:db8::9:01]", true);
    check(&state, "[0:0:0:0:0:FFFF:129.144.52.38]", "[::FFFF:129.144.52.38]", true);
    check(&state, "[::ffff:192.0.2.128]", "192.0.2.128", false);
    check(&state, "example.COM.", "EXAMPLE.com", true);
    check(&state, "example.co", "example.com", false);
}

#[test]
fn a_name_that_would_break_the_message_is_not_written() {
    assert_eq!(Host::Name("a\r\nEvil: 1".into()).to_string(), "invalid");
}

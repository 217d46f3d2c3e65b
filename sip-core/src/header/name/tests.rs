use super::*;

#[test]
fn names_are_known_in_any_case_and_in_compact_form() {
    #[track_caller]
    fn check(written: &str, canonical: &str) {
        assert_eq!(HeaderName::parse(written).unwrap().as_str(), canonical);
    }
    // RFC 3261 §7.3.3 and §20, RFC 6665 §8.2.1, RFC 4028 §3, RFC 3515 §2.1, RFC 3892 §2.1, RFC 3841 §9, RFC 8224 §4
    for (compact, name) in [
        ("i", "Call-ID"),
        ("m", "Contact"),
        ("e", "Content-Encoding"),
        ("l", "Content-Length"),
        ("c", "Content-Type"),
        ("f", "From"),
        ("s", "Subject"),
        ("k", "Supported"),
        ("t", "To"),
        ("v", "Via"),
        ("o", "Event"),
        ("u", "Allow-Events"),
        ("x", "Session-Expires"),
        ("r", "Refer-To"),
        ("b", "Referred-By"),
        ("a", "Accept-Contact"),
        ("j", "Reject-Contact"),
        ("d", "Request-Disposition"),
        ("y", "Identity"),
    ] {
        check(compact, name);
        check(&compact.to_uppercase(), name);
        check(&name.to_lowercase(), name);
        check(name, name);
    }
}

#[test]
fn the_names_are_those_of_the_registry() {
    let lines = [
        include_str!("../../../tests/iana/header-fields.txt"),
        include_str!("../../../tests/iana/unregistered-header-fields.txt"),
    ];
    let mut listed: Vec<_> = lines.into_iter().flat_map(str::lines).filter(|line| !line.starts_with('#')).collect();
    listed.sort_unstable();
    let mut expected: Vec<(&str, &str)> = Vec::new();
    for line in listed {
        let [name, compact, _] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        expected.push((name, name));
        if compact != "-" {
            expected.push((compact, name));
        }
    }
    let mut known: Vec<_> = WRITTEN.iter().map(|(name, code)| (*name, BY_CODE[usize::from(*code)].as_str())).collect();
    expected.sort_unstable();
    expected.dedup(); // a name whose compact form alone is not registered
    known.sort_unstable();
    assert_eq!(known, expected);
}

#[test]
fn an_unknown_name_is_kept_and_compared_without_case() {
    assert_eq!(HeaderName::parse("X-Thing").unwrap().as_str(), "X-Thing");
    assert_eq!(HeaderName::parse("X-Thing"), HeaderName::parse("x-tHING"));
    assert_eq!(HeaderName::Extension("via".into()), HeaderName::Via);
}

#[test]
fn what_is_no_token_is_no_name() {
    for name in ["", "a b", "a:b", "a\r\nb", "\u{e9}"] {
        assert_eq!(name.parse::<HeaderName>(), Err(InvalidText::HeaderName), "{name:?}");
    }
}

#[test]
fn every_name_is_found_at_the_start_of_a_line_as_it_is_found_alone() {
    for (name, code) in WRITTEN {
        for name in [(*name).to_owned(), name.to_uppercase(), name.to_lowercase()] {
            assert_eq!(Code::of(name.as_bytes()), Code(*code), "{name}");
            let line = format!("{name}: {}", "x".repeat(40));
            assert_eq!(Code::at_start(line.as_bytes()), Some((name.len(), Code(*code))), "{name}");
        }
        assert_eq!(BY_CODE[usize::from(*code)].code(), Code(*code));
    }
    for line in [
        "X-Thing: 1",
        "Via : 1",
        "Max\u{5}Forwards: 1",
        "Max\rForwards: 1",
        "\0\0\0: 1",
        ": 1",
        "Vi\u{e9}: 1",
        "@: 1",
        "V\0: 1",
    ] {
        let line = format!("{line}{}", "x".repeat(40));
        assert_eq!(Code::at_start(line.as_bytes()), None, "{line}");
    }
}

#[test]
fn a_name_of_a_length_that_is_known_is_found_as_it_is_found_alone() {
    let names = WRITTEN.iter().map(|(name, _)| (*name).to_owned()).chain((1..40).map(|length| "Via".repeat(length)));
    for name in names {
        for behind in ["", ":", " : ", " \t: Via: From: To: Call-ID: Contact: CSeq: Route"] {
            let line = format!("{name}{behind}");
            assert_eq!(Code::of_start(line.as_bytes(), name.len()), Code::of(name.as_bytes()), "{line:?}");
        }
    }
}

use alloc::string::{String, ToString};

use proptest::prelude::*;

use super::*;
use crate::header::AddressPart;
use crate::uri::UriPart;
use crate::{CSeq, ContentLength, From, HeaderName, MaxForwards, TypedHeader};

/// Values of the shape that is read here, but for the `sips:`.
const ORDINARY: &[&str] = &[
    "\"A name of more than thirty-two bytes in its quotes\" <sip:a@b>;tag=1",
    "SIP/2.0/UDP pc33.atlanta.example.com:5060;branch=z9hG4bKnashds8;rport=5060;received=192.0.2.1",
    "SIP/2.0/TCP  192.0.2.17;branch=z9hG4bK-524287-1---aa43;rport",
    "SIP/2.0/X-y a",
    "\"Alice Liddell\" <sip:alice@atlanta.example.com>;tag=1928301774",
    "\"\" <sip:a@b>;x;TAG=1;tag=2",
    "Bob B. <sip:bob@biloxi.example.com;transport=udp;lr>;tag;tag=3",
    "<sip:192.0.2.4:5060;lr>",
    "sip:bob;x?y@biloxi.example.com:5060;transport=udp;x=",
    "sip:a-b.c_d.",
    "sips:a%20b:c@[2001:db8::1]:5061;x=%41",
    "314159 INVITE",
    "70",
];

/// What makes another shape of one, or nothing of either.
const PIECES: &[&str] = &[
    " ",
    "\t",
    ";",
    ":",
    "=",
    ",",
    "@",
    "<",
    ">",
    "\"",
    "\\",
    "?",
    "%41",
    "%",
    ".",
    "..",
    "-",
    "_",
    "é",
    "\r\n",
    "\0",
    "a",
    "1",
    "65536",
    "256",
    "[::1]",
    "sip:",
    "SIP:",
    "tag=",
    ";tag=x",
    "lr",
    "1.2.3.4",
    "/",
    "&",
    "+",
    "'",
    "0",
    "999999999",
    "UDP",
];

/// All that is taken here is what the rules read; says whether it was taken as anything.
fn is_as_the_rules_read(text: &str) -> bool {
    let (whole, bytes) = (ByteStr::from(text), text.as_bytes());
    let mut taken = false;
    if let Some((hop, end)) = hop(bytes, 0).filter(|(_, end)| *end == bytes.len() || bytes[*end] == b',') {
        let first = crate::grammar::list(text).next().unwrap();
        assert_eq!(first, &text[..end], "{text:?}");
        assert_eq!(Via::read(first, &ByteStr::from(first)).as_ref(), Ok(&hop.to_via(&whole, 0)), "{text:?}");
        taken = true;
    }
    if let Some(address) = address(bytes) {
        let part = AddressPart::read(text, HeaderName::From).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        assert_eq!(part.to_address(&whole), address.to_address(&whole, 0), "{text:?}");
        assert_eq!(AddressPart::tag_of(text), address.tag.map(|tag| &text[tag.within(0)]), "{text:?}");
        assert_eq!(
            From::parse_value(whole.clone()).unwrap().0.tag(),
            address.tag.map(|tag| &text[tag.within(0)]),
            "{text:?}"
        );
        assert_eq!(tag_in_address(bytes), Some(address.tag), "{text:?}");
        taken = true;
    }
    if let Some((uri, _)) = uri(bytes, 0).filter(|(_, end)| *end == bytes.len()) {
        let part = UriPart::read(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        assert!(!part.has_headers(), "{text:?}");
        assert_eq!(part.to_uri(&whole), uri.to_uri(&whole, 0), "{text:?}");
        taken = true;
    }
    if let Ok(part) = UriPart::read(text) {
        let uri = part.to_uri(&whole);
        assert_eq!(NameAddr::new(uri.clone()).to_string(), alloc::format!("<{uri}>"), "{text:?}");
    }
    if let Ok(via) = Via::read(text, &whole) {
        let mut written = String::new();
        via.host.write(&mut written);
        assert_eq!(written, via.host.to_string(), "{text:?}");
    }
    if let Some((number, method)) = cseq(bytes) {
        assert_eq!(CSeq::read(text), Ok((number, &text[method..])), "{text:?}");
        taken = true;
    }
    if let Some(number) = whole_number(bytes) {
        assert_eq!(ContentLength::read(text), Ok(ContentLength(number as usize)), "{text:?}");
        assert_eq!(MaxForwards::read(text).ok(), u8::try_from(number).ok().map(MaxForwards), "{text:?}");
        taken = true;
    }
    taken
}

#[test]
fn the_usual_shapes_are_taken_and_read_as_the_rules_read_them() {
    for text in ORDINARY.iter().filter(|text| !text.starts_with("sips:")) {
        assert!(is_as_the_rules_read(text), "{text}");
    }
    assert!(is_as_the_rules_read("SIP/2.0/UDP a;x=1,SIP/2.0/UDP b"));
    for text in [
        "",
        "SIP/2.0/UDP a;;x",
        "SIP/2.0/UDP a:65536",
        "SIP/2.0/UDP 1.2.3",
        "\"a\\<sip:a@b>",
        "<sip:a@b>;x=",
        "<sip:@b>",
        "sip:a@b@c",
        "\"A name of more than thirty-two bytes\\ in its quotes\" <sip:a@b>",
        "\"A name of more than thirty-two bytes \u{e9} in its quotes\" <sip:a@b>",
        "\"A name of more than thirty-two bytes that does not end <sip:a@b>",
    ] {
        assert!(!is_as_the_rules_read(text), "{text}");
    }
    for (params, taken) in [(MAX_PARAMS, true), (MAX_PARAMS + 1, false)] {
        assert_eq!(is_as_the_rules_read(&alloc::format!("SIP/2.0/UDP a{}", ";x".repeat(params))), taken);
        assert_eq!(is_as_the_rules_read(&alloc::format!("sip:a{}", ";x".repeat(params))), taken);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_taken_is_what_the_rules_read(
        base in proptest::sample::select(ORDINARY),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), 0..4_usize, proptest::sample::select(PIECES)), 0..4),
    ) {
        let mut text = String::from(base);
        for (at, removed, piece) in edits {
            let start = text.floor_char_boundary(at.index(text.len() + 1));
            let end = text.ceil_char_boundary((start + removed).min(text.len()));
            text.replace_range(start..end, piece);
        }
        is_as_the_rules_read(&text);
    }

    #[test]
    fn a_request_line_that_is_taken_is_what_the_rules_read(
        at in any::<prop::sample::Index>(), removed in 0..3_usize, piece in proptest::sample::select(PIECES),
    ) {
        let mut text = String::from("INVITE sip:bob@biloxi.example.com;lr SIP/2.0\r\nVia: x\r\n");
        let start = text.floor_char_boundary(at.index(text.len() + 1));
        let end = text.ceil_char_boundary((start + removed).min(text.len()));
        text.replace_range(start..end, piece);
        if let Some(line) = request_line(text.as_bytes()) {
            let expected = alloc::format!("{} {} SIP/2.0\r\n", &text[line.method.clone()], &text[line.uri.clone()]);
            prop_assert_eq!(&text[..line.end], expected);
            prop_assert!(crate::grammar::is_token(&text[line.method]));
            prop_assert!(UriPart::read(&text[line.uri]).is_ok_and(|uri| !uri.has_headers()));
        }
    }
}

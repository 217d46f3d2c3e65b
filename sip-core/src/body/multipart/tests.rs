use super::*;
use crate::body::Isup;
use crate::{ContentDisposition, Handling};
use crate::{HeaderName, Message};

fn parse(boundary: &str, body: &str) -> Result<Multipart, MultipartError> {
    let content_type = format!("multipart/mixed;boundary=\"{boundary}\"").parse().unwrap();
    Multipart::parse(&content_type, body.to_owned().into())
}

fn bodies(multipart: &Multipart) -> Vec<&str> {
    multipart.parts().iter().map(|part| core::str::from_utf8(part.body()).unwrap()).collect()
}

/// RFC 2046 §5.1.1: an implicitly and an explicitly typed part, with a preamble and an epilogue.
#[test]
fn the_example_of_rfc_2046_has_two_parts() {
    let body = "This is the preamble.  It is to be ignored, though it\r\nis a handy place for composition agents.\r\n\r\n\
        --simple boundary\r\n\r\nThis is implicitly typed plain US-ASCII text.\r\nIt does NOT end with a linebreak.\r\n\
        --simple boundary\r\nContent-type: text/plain; charset=us-ascii\r\n\r\n\
        This is explicitly typed plain US-ASCII text.\r\nIt DOES end with a linebreak.\r\n\r\n\
        --simple boundary--\r\n\r\nThis is the epilogue.  It is also to be ignored.\r\n";
    let mut read = parse("simple boundary", body).unwrap();
    assert!(read.parts()[0].body().ends_with(b"a linebreak.") && read.parts()[1].body().ends_with(b"linebreak.\r\n"));
    assert!(read.parts()[1].is("TEXT/plain") && !read.parts()[0].is("text/plain") && read.is_closed());
    assert_eq!(read.write().1, body);
    // One part is changed: what is around it and the other part stay, the boundary with its space too.
    read.parts_mut()[1].set_body("new");
    let (content_type, written) = read.write();
    assert_eq!(content_type.to_string(), "multipart/mixed;boundary=\"simple boundary\"");
    let expected =
        body.replace("This is explicitly typed plain US-ASCII text.\r\nIt DOES end with a linebreak.\r\n", "new");
    let expected =
        expected.replace("Content-type: text/plain; charset=us-ascii", "Content-Type: text/plain; charset=us-ascii");
    assert_eq!(core::str::from_utf8(&written).unwrap(), expected);
}

#[test]
fn a_line_that_only_begins_as_the_boundary_is_content() {
    let read = parse("b", "--b\r\n\r\none\r\n--bc\r\n --b\r\nx--b\r\n--b-\r\n--b \t\r\n\r\ntwo\r\n--b-- \r\n").unwrap();
    assert_eq!(bodies(&read), ["one\r\n--bc\r\n --b\r\nx--b\r\n--b-", "two"]);
}

#[test]
fn what_is_odd_and_plain_is_read() {
    for (body, expected, closed) in [
        ("--b\n\none\n--b\nA: c\n\ntwo\n--b--", vec!["one", "two"], true),
        ("--b\r\n\r\none", vec!["one"], false),
        ("--b\r\n\r\none\r\n", vec!["one\r\n"], false),
        ("--b\r\n--b--", vec![""], true),
        ("--b\r\nA: c\r\n--b--", vec![""], true),
        ("--b\r\nA: c\r\n\r\n--b--", vec![""], true),
        ("--b", vec![""], false),
        ("--b\r\nA: c\r\n d\r\n\r\n\r\n\r\n--b--", vec!["\r\n"], true),
    ] {
        let mut read = parse("b", body).unwrap_or_else(|error| panic!("{body:?}: {error}"));
        assert_eq!((bodies(&read), read.is_closed()), (expected.clone(), closed), "{body:?}");
        assert_eq!(read.write().1, body);
        read.push(Part::new(ContentType::sdp(), "v=0"));
        let (content_type, written) = read.write();
        let again = Multipart::parse(&content_type, written).unwrap();
        assert_eq!(bodies(&again), [expected.as_slice(), &["v=0"]].concat(), "{body:?}");
    }
}

#[test]
fn what_is_no_multipart_is_refused() {
    assert_eq!(parse("b", "").err(), Some(MultipartError::NoPart));
    assert_eq!(parse("b", "--b--\r\n").err(), Some(MultipartError::NoPart));
    assert_eq!(parse("", "--\r\n\r\n").err(), Some(MultipartError::NoBoundary));
    assert_eq!(parse(&"b".repeat(71), "").err(), Some(MultipartError::NoBoundary));
    assert_eq!(Multipart::parse(&ContentType::sdp(), Bytes::new()).err(), Some(MultipartError::NotMultipart));
    let error = parse("b", "--b\r\n\r\n\r\n--b\r\nA: b\r\nno header\r\n\r\n--b--").unwrap_err();
    assert_eq!(error.to_string(), "part 2: Bad header line 2: expected Name: value and CR LF");
    let many = "--b\r\n\r\n\r\n".repeat(10_000);
    assert_eq!(parse("b", &many).err(), Some(MultipartError::TooManyParts { limit: 64 }));
    let headers = format!("--b\r\n{}\r\n", "A: b\r\n".repeat(33));
    assert!(matches!(parse("b", &headers), Err(MultipartError::Headers { part: 1, .. })));
}

#[test]
fn the_boundary_is_nowhere_in_the_parts() {
    let part = |body: &str| Part::new(ContentType::sdp(), body.to_owned());
    let (content_type, _) = Multipart::new("mixed", part("x")).write();
    let boundary = content_type.params.value("boundary").unwrap().to_owned();
    // The same parts get the same boundary; a part that has it gets another.
    assert_eq!(Multipart::new("mixed", part("x")).write().0, content_type);
    let (other, body) = Multipart::new("mixed", part(&format!("x\r\n--{boundary}--\r\n"))).write();
    assert_ne!(other, content_type);
    assert_eq!(Multipart::parse(&other, body).unwrap().parts().len(), 1);
    // So does one that was received, when its content comes to have the boundary.
    let mut read = parse("b", "--b\r\n\r\none\r\n--b--\r\n").unwrap();
    read.parts_mut()[0].set_body("\r\n--b\r\n");
    let (content_type, body) = read.write();
    assert_eq!(bodies(&Multipart::parse(&content_type, body).unwrap()), ["\r\n--b\r\n"]);
    assert_eq!(Multipart::new("\r\n", part("")).write().0.essence(), "multipart/mixed");
}

fn nested(depth: usize) -> Part {
    let mut part = Part::new(ContentType::sdp(), "v=0\r\n");
    for _ in 0..depth {
        let (content_type, body) = Multipart::new("mixed", part).write();
        part = Part::new(content_type, body);
    }
    part
}

#[test]
fn a_part_is_found_as_deep_as_the_limits_allow() {
    for depth in 0..=4 {
        assert_eq!(nested(depth).find("application/SDP").unwrap().unwrap().body(), "v=0\r\n", "{depth}");
        assert!(nested(depth).find("text/plain").unwrap().is_none());
    }
    assert_eq!(nested(5).find("application/sdp").err(), Some(MultipartError::TooDeep));
}

#[test]
fn of_alternatives_the_last_is_found() {
    let text = |text: &'static str| Part::new("text/plain".parse().unwrap(), text);
    let (content_type, body) = Multipart::new("alternative", text("plain")).with(text("rich")).write();
    assert_eq!(Part::new(content_type, body).find("text/plain").unwrap().unwrap().body(), "rich");
}

/// RFC 5621 §8.2, §8.3 and §8.4.
#[test]
fn what_is_required_and_not_known_is_unsupported() {
    let limits = MultipartLimits::default();
    let strange = |handling| {
        Part::new("x/y".parse().unwrap(), "?")
            .with_disposition(&ContentDisposition::new("render").with_handling(handling))
    };
    let sdp = || Part::new(ContentType::sdp(), "v=0\r\n");
    let whole = |multipart: Multipart, handling| {
        let (content_type, body) = multipart.write();
        Part::new(content_type, body).with_disposition(&ContentDisposition::new("render").with_handling(handling))
    };
    let unsupported = |part: &Part| part.unsupported(&|part| part.is("application/sdp"), &limits).unwrap().is_some();
    for (inner, outer, subtype, expected) in [
        (Handling::Required, Handling::Required, "mixed", true),
        (Handling::Optional, Handling::Required, "mixed", false),
        (Handling::Required, Handling::Optional, "mixed", false),
        (Handling::Required, Handling::Required, "alternative", false),
        (Handling::Required, Handling::Required, "related", true),
    ] {
        let part = whole(Multipart::new(subtype, sdp()).with(strange(inner.clone())), outer.clone());
        assert_eq!(unsupported(&part), expected, "{inner:?} in {outer:?} {subtype}");
    }
    assert!(unsupported(&whole(Multipart::new("alternative", strange(Handling::Optional)), Handling::Required)));
    assert!(unsupported(&strange(Handling::Required)) && !unsupported(&sdp()));
}

/// RFC 3204 §4.1, with the bytes of its ISUP message.
#[test]
fn the_invite_of_rfc_3204_has_an_offer_and_isup() {
    let data = include_bytes!("../../../tests/bodies/rfc3204-isup.dat");
    let Ok(message) = Message::parse(Bytes::from_static(data), &Limits::default()) else { panic!("no message") };
    let body = Part::of(&message);
    let offer = body.find("application/sdp").unwrap().unwrap();
    assert!(offer.body().starts_with(b"v=0\r\no=jpeterson") && offer.disposition().is("session"));
    let part = body.find("application/isup").unwrap().unwrap();
    assert_eq!(part.disposition().handling, Some(Handling::Optional));
    let isup = Isup::from_part(&part).unwrap();
    assert_eq!((isup.version.as_str(), isup.base.as_deref(), isup.message.len()), ("nxv3", Some("etsi121"), 60));
    let parts = body.parts(&MultipartLimits::default()).unwrap().unwrap();
    assert_eq!(parts.write().1, message.body());
    // Nothing is copied.
    assert!(message.body().as_ptr_range().contains(&part.body().as_ptr()));
}

/// RFC 5368's form: a related body whose root refers to the other part.
#[test]
fn a_related_body_has_a_root() {
    let part = |id: &str| Part::new(ContentType::sdp(), "").with_id(id);
    let mut multipart = Multipart::new("related", part("a@b")).with(part("c>\r\n@d"));
    assert_eq!(multipart.root().and_then(Part::id), Some("a@b"));
    multipart.content_type.params.set("start", Some("<c@d>"));
    assert_eq!(multipart.root().and_then(Part::id), Some("c@d"));
    let (content_type, body) = multipart.write();
    let mut read = Multipart::parse(&content_type, body).unwrap();
    assert_eq!(read.by_id("c@d").unwrap().headers().raw(&HeaderName::ContentId), Some("<c@d>"));
    assert!(read.remove(2).is_none() && read.remove(0).is_some() && read.remove(0).is_none());
}

#[test]
fn ten_thousand_parts_take_linear_time() {
    let limits = MultipartLimits { max_parts: usize::MAX, ..MultipartLimits::default() };
    let content_type = "multipart/mixed;boundary=b".parse().unwrap();
    for repeated in
        ["--b\r\n\r\n\r\n", "--b\r\nA: b\r\n\r\n\r\n", "\r\n--b", "\r\n--b       ", "--b", "\n--b\n", "--", "\r\n"]
    {
        let body = repeated.repeat(200_000 / repeated.len());
        let Ok(mut read) = Multipart::parse_within(&content_type, body.into(), &limits) else { continue };
        read.push(Part::new(ContentType::sdp(), ""));
        assert!(read.write().1.len() > read.parts().len());
    }
}

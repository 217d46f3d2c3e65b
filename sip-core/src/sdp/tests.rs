use std::time::Duration;

use proptest::prelude::*;

use super::*;

/// RFC 8866 §5, the example.
const EXAMPLE: &str = "v=0\r\n\
    o=jdoe 3724394400 3724394405 IN IP4 198.51.100.1\r\n\
    s=Call to John Smith\r\n\
    i=SDP Offer #1\r\n\
    u=http://www.jdoe.example.com/home.html\r\n\
    e=Jane Doe <jane@jdoe.example.com>\r\n\
    p=+1 617 555-6011\r\n\
    c=IN IP4 198.51.100.1\r\n\
    t=0 0\r\n\
    m=audio 49170 RTP/AVP 0\r\n\
    m=audio 49180 RTP/AVP 0\r\n\
    m=video 51372 RTP/AVP 99\r\n\
    c=IN IP6 2001:db8::2\r\n\
    a=rtpmap:99 h263-1998/90000\r\n";

const HEAD: &str = "v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n";

fn parse(text: &str) -> SessionDescription {
    SessionDescription::parse(text).unwrap()
}

fn audio(lines: &str) -> MediaDescription {
    parse(&format!("{HEAD}m=audio 4000 RTP/AVP 0 8 96 101\r\n{lines}")).media.remove(0)
}

fn refused(text: &str) -> SdpError {
    SessionDescription::parse(text).unwrap_err()
}

#[test]
fn the_example_of_rfc_8866_is_read_and_written_as_it_was() {
    let description = parse(EXAMPLE);
    assert_eq!(description.to_string(), EXAMPLE);
    assert_eq!(description.name(), "Call to John Smith");
    assert_eq!(description.origin.session_version, 3_724_394_405);
    assert_eq!(description.media[0].rtp_address(), Some("198.51.100.1:49170".parse().unwrap()));
    assert_eq!(description.media[2].rtp_address(), Some("[2001:db8::2]:51372".parse().unwrap()));
    assert_eq!(description.media[2].rtpmap(99).unwrap().to_string(), "h263-1998/90000");
}

#[test]
fn whatever_a_sender_does_to_its_lines_is_written_again() {
    for text in [
        // Line feeds alone, no end at the last line, lines out of order, trailing space, unknown types, doubled spaces.
        "v=0\no=-  1 01 IN IP4 192.0.2.1 \nt=0 0\ns= \nc=IN IP4 host.example\nm=audio  4000  RTP/AVP 0 \na=x y: z \nx=?",
        "v=0\r\no=- 1 1 IN IP4 a\r\nm=image 0 udptl t38\r\n\r\n\r\n",
        "v=0\r\no=- 1 1 IN IP4 a\r\ns=caf\u{e9}\r\nb=AS:64\r\nk=prompt\r\n",
    ] {
        assert_eq!(parse(text).to_string(), text);
    }
}

#[test]
fn a_changed_field_rewrites_its_own_line_only() {
    let mut description = parse(EXAMPLE);
    description.origin.session_version += 1;
    description.media[1].port = 0;
    let expected = EXAMPLE.replace("3724394405", "3724394406").replace("m=audio 49180", "m=audio 0");
    assert_eq!(description.to_string(), expected);
}

#[test]
fn text_after_a_last_line_without_an_end_begins_a_line_of_its_own() {
    let mut description = parse("v=0\no=- 1 1 IN IP4 a\nm=audio 1 RTP/AVP 0\na=ptime:20");
    description.media[0].push_attribute("x", None).unwrap();
    assert!(description.to_string().ends_with("a=ptime:20\r\na=x\r\n"));
}

#[test]
fn the_session_speaks_for_streams_that_do_not_speak_for_themselves() {
    let text = format!(
        "{HEAD}a=sendonly\r\nm=audio 1 RTP/AVP 0\r\nm=audio 2 RTP/AVP 0\r\nc=IN IP4 192.0.2.9\r\na=recvonly\r\n"
    );
    let mut description = parse(&text);
    assert_eq!(description.media[0].direction(), Direction::SendOnly);
    assert_eq!(description.media[1].direction(), Direction::RecvOnly);
    assert_eq!(description.media[1].rtp_address(), Some("192.0.2.9:2".parse().unwrap()));

    description.set_direction(Direction::Inactive);
    description.set_connection(&Connection::new("2001:db8::1".parse().unwrap())).unwrap();
    assert_eq!(description.media[0].direction(), Direction::Inactive);
    assert_eq!(description.media[0].rtp_address(), Some("[2001:db8::1]:1".parse().unwrap()));
    assert_eq!(description.media[1].direction(), Direction::RecvOnly);
    assert_eq!(parse(&description.to_string()), description);
}

#[test]
fn a_stream_that_says_nothing_flows_both_ways() {
    assert_eq!(audio("").direction(), Direction::SendRecv);
    assert_eq!(audio("a=SENDONLY\r\n").direction(), Direction::SendRecv, "names are case-sensitive");
}

#[test]
fn setting_a_direction_replaces_the_one_in_place() {
    let mut media = audio("a=rtpmap:96 opus/48000/2\r\na=inactive\r\na=ptime:20\r\n");
    media.set_direction(Direction::RecvOnly);
    let names: Vec<&str> = media.attributes().map(|a| a.name).collect();
    assert_eq!(names, ["rtpmap", "recvonly", "ptime"]);
}

#[test]
fn directions_are_seen_the_other_way_round_by_the_other_side() {
    assert_eq!(Direction::SendOnly.reversed(), Direction::RecvOnly);
    assert_eq!(Direction::Inactive.reversed(), Direction::Inactive);
    for direction in Direction::ALL {
        assert_eq!(direction.reversed().reversed(), direction);
        assert_eq!(Direction::new(direction.sends(), direction.receives()), direction);
    }
}

#[test]
fn payload_types_are_mapped_by_rtpmap_or_by_rfc_3551() {
    let media = audio("a=rtpmap:96 opus/48000/2\r\na=rtpmap:8 G722/8000\r\na=rtpmap:101 telephone-event/8000 \r\n");
    assert_eq!(media.payload_types().collect::<Vec<_>>(), [0, 8, 96, 101]);
    let map = |pt| media.rtpmap(pt).map(|m| m.to_string());
    assert_eq!(map(0).as_deref(), Some("PCMU/8000"));
    assert_eq!(map(8).as_deref(), Some("G722/8000"), "what is said wins over the static table");
    assert_eq!(map(96).as_deref(), Some("opus/48000/2"));
    assert_eq!(map(101).as_deref(), Some("telephone-event/8000"));
    assert_eq!(map(97), None);
}

#[test]
fn a_malformed_rtpmap_maps_to_nothing() {
    for bad in [
        "96",
        "96 ",
        "96 opus",
        "96 opus/",
        "96 /8000",
        "96 opus/0",
        "96 opus/8000/x",
        "96 opus/8000/1/1",
        "96 opus/-1",
    ] {
        assert_eq!(audio(&format!("a=rtpmap:{bad}\r\n")).rtpmap(96), None, "{bad}");
    }
}

#[test]
fn encodings_are_compared_without_regard_to_case() {
    let a: RtpMap = "opus/48000/2".parse().unwrap();
    assert!(a.is_same_encoding(&"OPUS/48000/2".parse().unwrap()));
    assert!(!a.is_same_encoding(&"opus/48000".parse().unwrap()));
}

#[test]
fn parameters_and_packet_times_are_found() {
    let media = audio("a=fmtp:101 0-16\r\na=fmtp:96  useinbandfec=1; x=y \r\na=ptime:20\r\na=maxptime:2.5 \r\n");
    assert_eq!(media.fmtp(101), Some("0-16"));
    assert_eq!(media.fmtp(96), Some("useinbandfec=1; x=y"));
    assert_eq!(media.fmtp(0), None);
    assert_eq!(media.ptime(), Some(Duration::from_millis(20)));
    assert_eq!(media.max_ptime(), Some(Duration::from_micros(2_500)));
    for bad in ["0", "", "x", "-20", "99999999999999999999", "1.x"] {
        assert_eq!(audio(&format!("a=ptime:{bad}\r\n")).ptime(), None, "{bad}");
    }
}

#[test]
fn an_address_of_zeros_is_the_old_way_to_hold() {
    assert!(audio("c=IN IP4 0.0.0.0\r\n").connection().unwrap().is_unspecified());
    assert!(!audio("c=IN IP4 224.2.1.1/127/3\r\n").connection().unwrap().is_unspecified());
    assert_eq!(audio("c=IN IP4 224.2.1.1/127\r\n").connection().unwrap().ip(), "224.2.1.1".parse().ok());
    assert_eq!(audio("c=IN IP4 host.example\r\n").rtp_address(), None);
}

#[test]
fn ports_can_be_counted() {
    let description = parse(&format!("{HEAD}m=video 49170/2 RTP/AVP 31\r\n"));
    assert_eq!((description.media[0].port, description.media[0].port_count), (49_170, Some(2)));
}

#[test]
fn what_breaks_the_grammar_is_refused_with_its_line() {
    assert_eq!(refused(""), SdpError::BadVersion);
    assert_eq!(refused("v=1\r\n"), SdpError::BadVersion);
    assert_eq!(refused("o=- 1 1 IN IP4 a\r\nv=0\r\n"), SdpError::BadVersion);
    assert_eq!(refused("\r\nv=0\r\n"), SdpError::BadLine { line: 1 });
    assert_eq!(refused("v=0\r\n"), SdpError::Missing('o'));
    assert_eq!(refused("v=0\r\nnonsense\r\n"), SdpError::BadLine { line: 2 });
    assert_eq!(refused("v=0\r\ns=a\rb\r\n"), SdpError::BadLine { line: 2 });
    assert_eq!(refused("v=0\r\ns=a\0b\r\n"), SdpError::BadLine { line: 2 });
    assert_eq!(refused(&format!("{HEAD}v=0\r\n")), SdpError::Duplicate { key: 'v', line: 6 });
    assert_eq!(refused(&format!("{HEAD}o=- 1 2 IN IP4 a\r\n")), SdpError::Duplicate { key: 'o', line: 6 });
    for origin in ["-", "- 1 2 IN IP4", "- x 2 IN IP4 a", "- -1 2 IN IP4 a", "- 1 99999999999999999999 IN IP4 a"] {
        assert_eq!(refused(&format!("v=0\r\no={origin}\r\n")), SdpError::BadField { key: 'o', line: 2 }, "{origin}");
    }
    for media in
        ["", "audio", "audio 1", "audio 1 RTP/AVP", "audio 65536 RTP/AVP 0", "audio x RTP/AVP 0", "audio 1/ RTP/AVP 0"]
    {
        assert_eq!(refused(&format!("{HEAD}m={media}\r\n")), SdpError::BadField { key: 'm', line: 6 }, "{media}");
    }
    assert_eq!(
        refused(&format!("{HEAD}m=audio 1 RTP/AVP 0\r\nc=IN IP4\r\n")),
        SdpError::BadField { key: 'c', line: 7 }
    );
    assert_eq!(SessionDescription::parse(b"v=0\r\ns=\xff").unwrap_err(), SdpError::NotUtf8 { at: 7 });
}

#[test]
fn each_limit_is_kept() {
    let limits = SdpLimits { max_size: 200, max_lines: 8, max_media: 2, max_formats: 3 };
    let within = |tail: &str| SessionDescription::parse_within(format!("{HEAD}{tail}"), &limits).map(|_| ());
    let m = "m=audio 1 RTP/AVP 0 8 9\r\n";
    assert_eq!(within(&m.repeat(2)), Ok(()));
    assert_eq!(within(&m.repeat(3)), Err(SdpError::TooManyMedia { limit: 2 }));
    assert_eq!(within(&"a=x\r\n".repeat(4)), Err(SdpError::TooManyLines { limit: 8 }));
    assert_eq!(within("m=audio 1 RTP/AVP 0 8 9 18\r\n"), Err(SdpError::TooManyFormats { line: 6, limit: 3 }));
    let long = "a".repeat(200);
    assert_eq!(within(&long), Err(SdpError::TooLarge { len: HEAD.len() + 200, limit: 200 }));
}

#[test]
fn a_fresh_description_has_its_lines_in_the_order_of_the_grammar() {
    let here = "192.0.2.1".parse().unwrap();
    let media = MediaDescription::builder("audio", 4000, "RTP/AVP")
        .rtpmap(0, "PCMU", 8_000, 1)
        .rtpmap(96, "opus", 48_000, 2)
        .fmtp(96, "useinbandfec=1")
        .ptime(Duration::from_millis(20))
        .direction(Direction::SendOnly)
        .build()
        .unwrap();
    let description = SessionDescription::builder(Origin::new("-", 7, 8, here))
        .connection(Connection::new(here))
        .attribute("tool", Some("blether"))
        .media(media)
        .build()
        .unwrap();
    let text = "v=0\r\no=- 7 8 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\na=tool:blether\r\n\
                m=audio 4000 RTP/AVP 0 96\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:96 opus/48000/2\r\n\
                a=fmtp:96 useinbandfec=1\r\na=ptime:20\r\na=sendonly\r\n";
    assert_eq!(description.to_string(), text);
    assert_eq!(parse(text).media[0].rtp_address(), description.media[0].rtp_address());
}

#[test]
fn nothing_that_would_break_a_line_gets_into_a_description() {
    let here = "192.0.2.1".parse().unwrap();
    let mut media = audio("");
    assert_eq!(media.push_attribute("x", Some("a\r\nm=video 1 RTP/AVP 31")), Err(SdpError::Unwritable { key: 'a' }));
    assert_eq!(media.set_attribute("x y", None), Err(SdpError::Unwritable { key: 'a' }));
    assert_eq!(media.set_attribute("x", Some("")), Err(SdpError::Unwritable { key: 'a' }));
    let bad = MediaDescription::builder("audio", 1, "RTP/AVP").rtpmap(0, "PCMU\n", 8_000, 1).build();
    assert_eq!(bad, Err(SdpError::Unwritable { key: 'a' }));
    assert_eq!(
        MediaDescription::builder("audio", 1, "RTP/AVP").build(),
        Err(SdpError::Unwritable { key: 'm' }),
        "an m= line needs a format"
    );
    assert!(SessionDescription::builder(Origin::new("a b", 1, 1, here)).build().is_err());
    assert!(SessionDescription::builder(Origin::new("-", 1, 1, here)).name("a\nb").build().is_err());
    let mut connection = Connection::new(here);
    connection.address = "a b".into();
    assert_eq!(media.set_connection(&connection), Err(SdpError::Unwritable { key: 'c' }));

    let mut description = parse(EXAMPLE);
    description.media[0].kind = "audio\r\na=evil".into();
    description.origin.username = "x\ny".into();
    let text = description.to_string();
    assert!(text.contains("m=audioa=evil 49170") && text.contains("o=xy 37"), "{text}");
}

#[test]
fn a_fresh_stream_says_of_its_formats_only_what_can_be_read() {
    let stream = || MediaDescription::builder("audio", 9, "RTP/AVP");
    for (payload_type, encoding, clock, channels) in
        [(128, "x", 1, 1), (96, "x y", 1, 1), (96, "", 1, 1), (96, "x", 0, 1), (96, "x", 1, 0)]
    {
        let built = stream().rtpmap(payload_type, encoding, clock, channels).build();
        assert_eq!(built, Err(SdpError::Unwritable { key: 'a' }), "{payload_type} {encoding:?}/{clock}/{channels}");
    }
    for (payload_type, parameters) in [(128, "a=1"), (96, "a\r\nb")] {
        let built = stream().rtpmap(96, "opus", 48_000, 2).fmtp(payload_type, parameters).build();
        assert_eq!(built, Err(SdpError::Unwritable { key: 'a' }), "{payload_type} {parameters:?}");
    }
    let built = stream().rtpmap(96, "opus", 48_000, 2).fmtp(96, "").fmtp(96, " ").build().unwrap();
    assert_eq!(built.attributes().filter(|attribute| attribute.name == "fmtp").count(), 0);
    let built = stream().rtpmap(127, "x", 1, 2).ptime(Duration::from_micros(2_500)).build().unwrap();
    assert_eq!(built.rtpmap(127), Some(RtpMap { encoding: "x".into(), clock_rate: 1, channels: 2 }));
    assert_eq!(built.ptime(), Some(Duration::from_micros(2_500)));
}

#[test]
fn an_own_address_goes_before_the_attributes() {
    let mut media = audio("i=title\r\na=ptime:20\r\n");
    media.set_connection(&Connection::new("192.0.2.7".parse().unwrap())).unwrap();
    let mut description = parse(HEAD);
    description.push_media(media);
    assert!(description.to_string().ends_with("i=title\r\nc=IN IP4 192.0.2.7\r\na=ptime:20\r\n"));
}

#[test]
fn lines_go_where_the_grammar_wants_them() {
    let mut description = parse("v=0\r\no=- 1 1 IN IP4 a\r\ns=-\r\nt=0 0\r\na=x\r\nm=audio 1 RTP/AVP 0\r\na=y\r\n");
    let here = Connection::new("192.0.2.1".parse().unwrap());
    let kilobits = |kind: &str, value| Bandwidth { kind: kind.into(), value };
    description.set_bandwidth(&kilobits("AS", 64));
    description.set_bandwidth(&kilobits("CT", 128));
    description.set_bandwidth(&kilobits("as", 65));
    description.set_connection(&here).unwrap();
    description.set_emails(["a@b.example", "Jane <c@b.example>"]).unwrap();
    description.set_uri(Some("http://b.example/")).unwrap();
    description.set_information(Some("one")).unwrap();
    description.set_name("two").unwrap();
    let repeat = "7d 1h 0 25h".parse().unwrap();
    let hour = ZoneAdjustment { at: 3_730_928_400, offset: -3_600 };
    let time = TimeDescription { start: 3_724_394_400, stop: 0, repeats: vec![repeat], adjustments: vec![hour] };
    description.set_times(&[time.clone(), TimeDescription::default()]).unwrap();
    let audio = &mut description.media[0];
    audio.set_bandwidth(&kilobits("TIAS", 9));
    audio.set_connections(&[here.clone(), here]).unwrap();
    audio.set_information(Some("three")).unwrap();
    let text = "v=0\r\no=- 1 1 IN IP4 a\r\ns=two\r\ni=one\r\nu=http://b.example/\r\ne=a@b.example\r\n\
                e=Jane <c@b.example>\r\nc=IN IP4 192.0.2.1\r\nb=as:65\r\nb=CT:128\r\n\
                t=3724394400 0\r\nr=604800 3600 0 90000\r\nz=3730928400 -3600\r\nt=0 0\r\na=x\r\n\
                m=audio 1 RTP/AVP 0\r\ni=three\r\nc=IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.1\r\nb=TIAS:9\r\na=y\r\n";
    assert_eq!(description.to_string(), text);
    assert_eq!(description.times(), [time, TimeDescription::default()]);
    assert_eq!((description.lines('b').count(), description.media[0].connections().len()), (2, 2));

    assert_eq!(description.set_uri(Some("two words")), Err(SdpError::Unwritable { key: 'u' }));
    assert_eq!(description.set_emails(["a", ""]), Err(SdpError::Unwritable { key: 'e' }));
    assert_eq!(description.set_name("a\nb"), Err(SdpError::Unwritable { key: 's' }));
    let bad = TimeDescription { start: 1, ..TimeDescription::default() };
    assert_eq!(description.set_times(&[bad]), Err(SdpError::Unwritable { key: 't' }));
    assert_eq!(description.to_string(), text, "what is refused changes nothing");
    description.set_times(&[]).unwrap();
    assert_eq!((description.times(), description.remove_bandwidth("ct")), (vec![TimeDescription::default()], 1));
}

#[test]
fn attributes_are_read_by_their_type() {
    use super::attribute::*;

    let mut media = audio("a=mid:a b\r\na=mid:x\r\na=rtcp-mux \r\na=ssrc:1 cname:a\r\na=MID:y\r\na=ssrc:2 cname:b\r\n");
    assert_eq!(media.get::<Mid>(), Some(Mid("x".into())), "one that is malformed is passed over");
    let refused = SdpError::BadAttribute { name: "mid", expected: "a token" };
    assert_eq!(media.read_all::<Mid>().collect::<Vec<_>>(), [Err(refused), Ok(Mid("x".into()))]);
    assert!(media.has::<RtcpMux>() && !media.has::<RtcpRsize>());
    assert!(media.replace(&Ssrc { id: 3, attribute: "cname".into(), value: None }, |ssrc: &Ssrc| ssrc.id == 2));
    assert_eq!(media.retain(|ssrc: &Ssrc| ssrc.id != 1), 1);
    media.set(&Mid("z".into()));
    media.add(&IceOptions(vec!["trickle".into()]));
    assert_eq!(media.remove::<RtcpMux>(), 1);
    let lines: Vec<&str> = media.lines('a').collect();
    assert_eq!(lines, ["mid:z", "MID:y", "ssrc:3 cname", "ice-options:trickle"]);
}

#[test]
fn an_attribute_of_another_crate_cannot_break_its_line() {
    struct Evil;

    impl attribute::SdpAttribute for Evil {
        const NAME: &'static str = "e vil:\r\n";

        fn parse_value(_: crate::ByteStr) -> Result<Self, SdpError> {
            Ok(Evil)
        }

        fn write(&self, out: &mut String) {
            out.push_str("x\r\nm=video 1 RTP/AVP 31\0");
        }
    }

    let mut media = audio("");
    media.add(&Evil);
    assert_eq!(media.lines('a').collect::<Vec<_>>(), ["evil:x  m=video 1 RTP/AVP 31 "]);
}

proptest! {
    #[test]
    fn what_is_read_is_written_as_it_was(tail in "([a-z]=[ -~]{0,20}(\r\n|\n)){0,12}") {
        let text = format!("{HEAD}{tail}");
        if let Ok(description) = SessionDescription::parse(&text) {
            prop_assert_eq!(description.to_string(), text);
        }
    }

    #[test]
    fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = SessionDescription::parse(bytes);
    }
}

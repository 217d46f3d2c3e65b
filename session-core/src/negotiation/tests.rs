use super::*;

fn here() -> SocketAddr {
    "192.0.2.1:4000".parse().unwrap()
}

fn g711() -> MediaCapabilities {
    MediaCapabilities::g711()
}

fn text(sdp: &Bytes) -> &str {
    std::str::from_utf8(sdp).unwrap()
}

/// An offer or answer with these lines after `t=`.
fn described(lines: &str) -> Vec<u8> {
    format!("v=0\r\no=- 7 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n{lines}").into_bytes()
}

fn answer(offer: &str) -> Result<(String, MediaPlan), NegotiationError> {
    let mut negotiation = Negotiation::new(1);
    let received = negotiation.apply_offer(&described(offer))?;
    let (sdp, plan) = negotiation.answer(received, &g711(), here())?;
    Ok((text(&sdp).to_owned(), plan))
}

fn media_lines(sdp: &str) -> Vec<&str> {
    sdp.lines().filter(|line| line.starts_with("m=")).collect()
}

fn names(plan: &MediaPlan) -> Vec<&str> {
    plan.formats.iter().map(|format| &*format.name).collect()
}

#[test]
fn an_offer_names_formats_parameters_ptime_and_direction() {
    let offer = Negotiation::new(20_518).offer(&g711(), here());
    assert_eq!(
        text(&offer.sdp()),
        "v=0\r\no=- 20518 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8 101\r\n\
         a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\n\
         a=sendrecv\r\n"
    );
}

#[test]
fn an_answer_has_the_common_formats_in_the_order_and_with_the_numbers_of_the_offer() {
    let (sdp, plan) =
        answer("m=audio 6000 RTP/AVP 9 8 0 97\r\na=rtpmap:97 telephone-event/8000\r\na=fmtp:97 0-16\r\n").unwrap();
    assert_eq!(media_lines(&sdp), ["m=audio 4000 RTP/AVP 8 0 97"]);
    assert_eq!(names(&plan), ["PCMA", "PCMU"]);
    assert_eq!(plan.telephone_event, Some(97));
    assert_eq!(plan.remote, "192.0.2.9:6000".parse().unwrap());
    assert_eq!(plan.direction, Direction::SendRecv);
}

#[test]
fn a_codec_with_a_dynamic_number_is_known_by_its_name() {
    let (sdp, plan) = answer("m=audio 6000 RTP/AVP 96\r\na=rtpmap:96 pcma/8000\r\n").unwrap();
    assert_eq!(media_lines(&sdp), ["m=audio 4000 RTP/AVP 96"]);
    assert_eq!(plan.formats[0].payload_type, 96);
}

#[test]
fn telephone_events_at_a_clock_rate_without_a_codec_are_left_out() {
    let (sdp, plan) = answer("m=audio 6000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/48000\r\n").unwrap();
    assert_eq!(media_lines(&sdp), ["m=audio 4000 RTP/AVP 0"]);
    assert_eq!(plan.telephone_event, None);
}

#[test]
fn other_streams_are_refused_with_port_zero_in_their_place() {
    let (sdp, _) = answer(
        "m=video 5000 RTP/AVP 31 32\r\nm=audio 6000 RTP/AVP 0\r\nm=audio 7000 RTP/AVP 0\r\nm=image 9 udptl t38\r\n",
    )
    .unwrap();
    assert_eq!(
        media_lines(&sdp),
        ["m=video 0 RTP/AVP 31", "m=audio 4000 RTP/AVP 0", "m=audio 0 RTP/AVP 0", "m=image 0 udptl t38"]
    );
}

#[test]
fn a_secured_or_switched_off_audio_stream_is_passed_over() {
    let (sdp, plan) = answer("m=audio 5000 RTP/SAVP 0\r\nm=audio 0 RTP/AVP 0\r\nm=audio 6000 RTP/AVP 0\r\n").unwrap();
    assert_eq!(media_lines(&sdp), ["m=audio 0 RTP/SAVP 0", "m=audio 0 RTP/AVP 0", "m=audio 4000 RTP/AVP 0"]);
    assert_eq!(plan.remote.port(), 6000);
}

#[test]
fn an_offer_that_cannot_be_answered_says_why() {
    assert_eq!(answer("").unwrap_err(), NegotiationError::NoAudio);
    assert_eq!(answer("m=audio 0 RTP/AVP 0\r\n").unwrap_err(), NegotiationError::NoAudio);
    assert_eq!(answer("m=audio 5000 RTP/SAVPF 0\r\n").unwrap_err(), NegotiationError::NoAudio);
    assert_eq!(
        answer("m=audio 5000 RTP/AVP 9 101\r\na=rtpmap:101 telephone-event/8000\r\n").unwrap_err().to_string(),
        "no common audio format: offered G722/8000, telephone-event/8000, supported PCMU/8000, PCMA/8000"
    );
    let named = "m=audio 5000 RTP/AVP 0\r\nc=IN IP4 media.example.org\r\n";
    assert_eq!(answer(named).unwrap_err(), NegotiationError::NoAddress);
    let malformed = Negotiation::new(1).apply_offer(b"hello").unwrap_err();
    assert!(matches!(malformed, NegotiationError::Malformed(_)));
}

#[test]
fn hold_is_mirrored() {
    for (offered, answered) in [
        ("a=sendonly\r\n", Direction::RecvOnly),
        ("a=recvonly\r\n", Direction::SendOnly),
        ("a=inactive\r\n", Direction::Inactive),
        ("a=sendrecv\r\n", Direction::SendRecv),
        ("", Direction::SendRecv),
    ] {
        let (sdp, plan) = answer(&format!("m=audio 6000 RTP/AVP 0\r\n{offered}")).unwrap();
        assert_eq!(plan.direction, answered, "{offered}");
        assert!(sdp.ends_with(&format!("a={answered}\r\n")), "{sdp}");
        assert_eq!(plan.is_held_by_peer(), matches!(answered, Direction::RecvOnly | Direction::Inactive));
    }
}

#[test]
fn an_unspecified_address_is_hold_in_the_manner_of_rfc_2543() {
    let (sdp, plan) = answer("m=audio 6000 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\n").unwrap();
    assert_eq!(plan.direction, Direction::RecvOnly);
    assert!(sdp.ends_with("a=recvonly\r\n"));
}

#[test]
fn an_address_of_the_stream_goes_before_that_of_the_session() {
    let (_, plan) = answer("m=audio 6000 RTP/AVP 0\r\nc=IN IP6 2001:db8::7\r\n").unwrap();
    assert_eq!(plan.remote, "[2001:db8::7]:6000".parse().unwrap());
}

#[test]
fn an_ipv6_side_says_so() {
    let offer = Negotiation::new(1).offer(&g711(), "[2001:db8::1]:4000".parse().unwrap());
    assert!(text(&offer.sdp()).contains("o=- 1 1 IN IP6 2001:db8::1\r\ns=-\r\nc=IN IP6 2001:db8::1\r\n"));
}

#[test]
fn ptime_is_what_the_peer_asks_for_within_reason() {
    for (lines, milliseconds) in [
        ("", 20),
        ("a=ptime:30\r\n", 30),
        ("a=ptime:0\r\n", 20),
        ("a=ptime:5000\r\n", 20),
        ("a=ptime:60\r\na=maxptime:40\r\n", 40),
        ("a=maxptime:1\r\n", 10),
    ] {
        let (_, plan) = answer(&format!("m=audio 6000 RTP/AVP 0\r\n{lines}")).unwrap();
        assert_eq!(plan.ptime, Duration::from_millis(milliseconds), "{lines}");
    }
}

#[test]
fn an_answer_chooses_from_our_offer() {
    let mut negotiation = Negotiation::new(1);
    let offer = negotiation.offer(&g711(), here());
    let plan = negotiation
        .apply_answer(offer, &described("m=audio 6000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n"))
        .unwrap();
    assert_eq!(names(&plan), ["PCMA"]);
    assert_eq!((plan.telephone_event, plan.receive_telephone_event), (Some(101), Some(101)));
}

#[test]
fn an_answer_with_numbers_of_its_own_is_sent_by_those_and_received_by_ours() {
    let mut negotiation = Negotiation::new(1);
    let mut capabilities = g711();
    capabilities.audio = vec![AudioFormat { payload_type: Some(96), ..AudioFormat::new("opus", 48_000) }];
    capabilities.telephone_events.clear();
    let offer = negotiation.offer(&capabilities, here());
    let plan =
        negotiation.apply_answer(offer, &described("m=audio 6000 RTP/AVP 120\r\na=rtpmap:120 opus/48000\r\n")).unwrap();
    assert_eq!((plan.formats[0].payload_type, plan.formats[0].receive_payload_type), (120, 96));
}

#[test]
fn an_answer_that_does_not_fit_our_offer_is_an_error() {
    let refused = |lines: &str| {
        let mut negotiation = Negotiation::new(1);
        let offer = negotiation.offer(&g711(), here());
        negotiation.apply_answer(offer, &described(lines)).unwrap_err()
    };
    assert_eq!(refused("m=audio 0 RTP/AVP 0\r\n"), NegotiationError::AudioRefused);
    assert_eq!(refused(""), NegotiationError::WrongMediaCount { found: 0, expected: 1 });
    assert_eq!(
        refused("m=audio 6000 RTP/AVP 0\r\nm=video 6002 RTP/AVP 31\r\n"),
        NegotiationError::WrongMediaCount { found: 2, expected: 1 }
    );
    assert_eq!(refused("m=video 6000 RTP/AVP 0\r\n"), NegotiationError::NoAudio);
    assert!(matches!(refused("m=audio 6000 RTP/AVP 9\r\n"), NegotiationError::NoCommonFormat { .. }));
    assert!(matches!(
        refused("m=audio 6000 RTP/AVP 101\r\na=rtpmap:101 telephone-event/8000\r\n"),
        NegotiationError::NoCommonFormat { .. }
    ));
}

#[test]
fn the_version_grows_with_each_new_description_and_stays_for_a_repeated_one() {
    let mut negotiation = Negotiation::new(5);
    let version = |sdp: &Bytes| SessionDescription::parse(sdp).unwrap().origin.session_version;
    let first = negotiation.offer(&g711(), here());
    assert_eq!(version(&first.sdp()), 1);
    let same = negotiation.offer(&g711(), here());
    assert_eq!(version(&same.sdp()), 1);
    let hold = negotiation.offer(&g711().with_direction(Direction::SendOnly), here());
    assert_eq!(version(&hold.sdp()), 2);
    let hold_again = negotiation.offer(&g711().with_direction(Direction::SendOnly), here());
    assert_eq!(version(&hold_again.sdp()), 2);
    let received = negotiation.apply_offer(&described("m=audio 6000 RTP/AVP 0\r\n")).unwrap();
    let (answer, _) = negotiation.answer(received, &g711(), here()).unwrap();
    assert_eq!(version(&answer), 3);
}

#[test]
fn a_later_offer_keeps_the_place_of_every_stream() {
    let mut negotiation = Negotiation::new(1);
    let received =
        negotiation.apply_offer(&described("m=video 5000 RTP/AVP 31\r\nm=audio 6000 RTP/AVP 0\r\n")).unwrap();
    negotiation.answer(received, &g711(), here()).unwrap();
    let ours = negotiation.offer(&g711(), here());
    let sdp = ours.sdp();
    assert_eq!(media_lines(text(&sdp)), ["m=video 0 RTP/AVP 31", "m=audio 4000 RTP/AVP 0 8 101"]);
    let plan =
        negotiation.apply_answer(ours, &described("m=video 0 RTP/AVP 31\r\nm=audio 6000 RTP/AVP 8\r\n")).unwrap();
    assert_eq!(names(&plan), ["PCMA"]);
    let fewer = negotiation.apply_offer(&described("m=audio 6000 RTP/AVP 0\r\n")).unwrap_err();
    assert_eq!(fewer, NegotiationError::WrongMediaCount { found: 1, expected: 2 });
}

#[test]
fn a_server_between_two_phones_offers_and_answers_the_same_numbers() {
    let from_caller = described(
        "m=audio 6000 RTP/AVP 96 8 0 97\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1\r\n\
         a=rtpmap:97 telephone-event/8000\r\na=fmtp:97 0-15\r\n",
    );
    let mut caller = Negotiation::new(1);
    let received = caller.apply_offer(&from_caller).unwrap();
    let mut callee = Negotiation::new(2);
    let offered_on =
        callee.offer(&MediaCapabilities::from_offer(&from_caller).unwrap(), "192.0.2.1:4002".parse().unwrap());
    let sdp = offered_on.sdp();
    assert_eq!(media_lines(text(&sdp)), ["m=audio 4002 RTP/AVP 96 8 0 97"]);
    assert!(text(&sdp).contains("a=rtpmap:96 opus/48000/2\r\n") && text(&sdp).contains("a=fmtp:96 useinbandfec=1\r\n"));

    let from_callee = described("m=audio 7000 RTP/AVP 8 97\r\na=rtpmap:97 telephone-event/8000\r\na=recvonly\r\n");
    let plan = callee.apply_answer(offered_on, &from_callee).unwrap();
    assert_eq!(plan.direction, Direction::SendOnly);
    let (answer, plan) = caller.answer(received, &MediaCapabilities::from_plan(&plan), here()).unwrap();
    assert_eq!(media_lines(text(&answer)), ["m=audio 4000 RTP/AVP 8 97"]);
    assert_eq!(plan.direction, Direction::RecvOnly, "what the caller sends is what the callee wants");
}

#[test]
fn formats_without_a_number_get_the_static_or_a_free_one() {
    let capabilities = MediaCapabilities {
        audio: vec![
            AudioFormat::new("opus", 48_000),
            AudioFormat { payload_type: Some(96), ..AudioFormat::new("iLBC", 8_000) },
            AudioFormat::new("pcmu", 8_000),
            AudioFormat { payload_type: Some(0), ..AudioFormat::new("PCMA", 8_000) },
            AudioFormat::new("bad name", 8_000),
        ],
        ..g711()
    };
    let numbers: Vec<u8> = capabilities.numbered().into_iter().map(|(number, _)| number).collect();
    assert_eq!(numbers, [97, 96, 0, 98, 101]);
    assert_eq!(capabilities.telephone_event_payload_type(), Some(101));
}

#[test]
fn nothing_to_offer_makes_an_offer_that_can_only_be_refused() {
    let mut negotiation = Negotiation::new(1);
    let offer = negotiation.offer(&MediaCapabilities { audio: Vec::new(), ..g711() }, here());
    let sdp = offer.sdp();
    assert_eq!(media_lines(text(&sdp)), ["m=audio 0 RTP/AVP 0"]);
    let error = negotiation.apply_answer(offer, &described("m=audio 0 RTP/AVP 0\r\n")).unwrap_err();
    assert_eq!(error, NegotiationError::AudioRefused);
}

#[test]
fn a_later_offer_keeps_what_each_payload_type_stands_for() {
    let mut negotiation = Negotiation::new(1);
    let offer =
        described("m=audio 6000 RTP/AVP 0 96 97\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:97 telephone-event/8000\r\n");
    let received = negotiation.apply_offer(&offer).unwrap();
    let (_, _) = negotiation.answer(received, &MediaCapabilities::from_offer(&offer).unwrap(), here()).unwrap();
    // Somebody else calls telephone events by a number that is taken here, and has a codec that is not known here.
    let mut wishes = g711();
    wishes.audio.push(AudioFormat { payload_type: Some(97), ..AudioFormat::new("speex", 8_000) });
    wishes.telephone_events[0].payload_type = Some(96);
    let again = negotiation.offer(&wishes, here());
    assert_eq!(media_lines(text(&again.sdp())), ["m=audio 4000 RTP/AVP 0 8 98 97"]);
    assert!(text(&again.sdp()).contains("a=rtpmap:98 speex/8000"));
    assert!(text(&again.sdp()).contains("a=rtpmap:97 telephone-event/8000"));
    let third = negotiation.offer(&wishes, here());
    assert_eq!(third.sdp(), again.sdp());
}

//! Examples of RFCs, their folded lines joined.

use blether_sip_core::sdp::attribute::*;
use blether_sip_core::sdp::{Bandwidth, TimeDescription};

use super::{Case, check};

/// RFC 8866 §5.
#[test]
fn rfc8866_example() {
    check(&Case {
        text: include_str!("../../sdp/rfc8866.sdp"),
        untyped: &[],
        reads: |description| {
            assert_eq!(
                (description.information(), description.uri()),
                (Some("SDP Offer #1"), Some("http://www.jdoe.example.com/home.html"))
            );
            assert_eq!(description.emails().collect::<Vec<_>>(), ["Jane Doe <jane@jdoe.example.com>"]);
            assert_eq!(description.phones().collect::<Vec<_>>(), ["+1 617 555-6011"]);
            assert_eq!(description.times(), [TimeDescription::default()]);
            assert_eq!(description.media[2].get::<PayloadMap>().unwrap().map.clock_rate, 90_000);
        },
        change: |description| description.set_phones(["+1 617 555-6012", "+1 617 555-6013"]).unwrap(),
        line: ("p=+1 617 555-6011", "p=+1 617 555-6012\r\np=+1 617 555-6013"),
    });
}

/// All types of line, with the examples of RFC 8866 §5 and §6, RFC 3890 and RFC 4570.
#[test]
fn every_type_of_line() {
    check(&Case {
        text: include_str!("../../sdp/broadcast.sdp"),
        untyped: &[],
        reads: |description| {
            assert_eq!((description.emails().count(), description.phones().count()), (2, 2));
            assert_eq!(description.connection().unwrap().multicast(), (Some(127), None));
            assert_eq!(
                description.bandwidths().map(|most| most.bits_per_second()).collect::<Vec<_>>(),
                [Some(1_000_000), None]
            );
            let [first, second] = &description.times()[..] else { panic!("two times") };
            assert_eq!((first.repeats.len(), &first.repeats[0]), (2, &first.repeats[1]));
            assert_eq!((second.start, second.adjustments[0].offset), (3_724_484_400, -3_600));
            assert_eq!(description.key(), Some("prompt"));
            assert_eq!(description.get::<ConferenceType>(), Some(ConferenceType("broadcast".into())));
            assert_eq!(description.get::<Lang>(), Some(Lang("de".into())));
            assert_eq!(description.get::<SourceFilter>().unwrap().mode, FilterMode::Include);
            let [audio, video, board] = description.media.as_slice() else { panic!("three streams") };
            assert_eq!(audio.information(), Some("The speaker"));
            assert_eq!(
                audio.connections().iter().map(|it| &*it.address).collect::<Vec<_>>(),
                ["233.252.0.1/127", "233.252.0.2/127"]
            );
            assert_eq!(audio.bandwidth("TIAS").unwrap(), Bandwidth { kind: "TIAS".into(), value: 8_480 });
            assert_eq!(audio.get::<MaxPacketRate>().unwrap().per_second(), 10.0);
            assert_eq!(video.connection().unwrap().multicast(), (None, Some(3)));
            assert_eq!((video.get::<Framerate>().unwrap().per_second(), video.get()), (29.97, Some(Quality(10))));
            assert_eq!(board.connections(), [description.connection().unwrap()]);
        },
        change: |description| {
            let times = vec![description.times().remove(0)];
            description.set_times(&times).unwrap();
        },
        line: ("r=7d 1h 0 25h\r\nt=3724484400 3724488000\r\nz=3730928400 -1h 3749680800 0", "r=604800 3600 0 90000"),
    });
}

/// RFC 8839 §4.2.6.
#[test]
fn rfc8839_example() {
    check(&Case {
        text: include_str!("../../sdp/rfc8839.sdp"),
        untyped: &[],
        reads: |description| {
            assert_eq!(description.get::<IcePacing>(), Some(IcePacing(50)));
            assert!(description.get::<IceOptions>().unwrap().has("ice2"));
            let audio = &description.media[0];
            assert_eq!(audio.bandwidth("RR").unwrap().bits_per_second(), Some(0));
            let candidates: Vec<Candidate> = audio.all().collect();
            assert_eq!(candidates[1].socket_address(), audio.rtp_address());
            assert_eq!(candidates[1].related_address.as_deref(), Some(&*candidates[0].address));
        },
        change: |description| description.set(&IceUfrag("9uB6".into())),
        line: ("a=ice-ufrag:8hhY", "a=ice-ufrag:9uB6"),
    });
}

/// RFC 4568 §4 and §7.1.5.
#[test]
fn rfc4568_examples() {
    check(&Case {
        text: include_str!("../../sdp/rfc4568.sdp"),
        untyped: &[],
        reads: |description| {
            let key = description.media[0].get::<Crypto>().unwrap().keys[0].srtp().unwrap();
            assert_eq!((key.key_and_salt.len(), key.lifetime, key.mki), (30, Some(1 << 20), Some((1, 32))));
        },
        change: |description| {
            description.media[1].remove::<Crypto>();
        },
        line: ("a=crypto:1 AES_CM_128_HMAC_SHA1_32 inline:NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj|2^20|1:32", ""),
    });
    check(&Case {
        text: include_str!("../../sdp/rfc4568-f8.sdp"),
        untyped: &[],
        reads: |description| {
            let crypto: Vec<Crypto> = description.media[0].all().collect();
            assert_eq!((crypto[0].keys.len(), crypto[1].keys.len()), (1, 2));
            assert_eq!(crypto[1].keys[1].srtp().unwrap().mki, Some((2, 4)));
            assert_eq!(crypto[1].session_params, ["FEC_ORDER=FEC_SRTP"]);
        },
        change: |description| description.set_information(None).unwrap(),
        line: ("i=A discussion of Secure RTP", ""),
    });
}

/// RFC 8853 §5.6.2, figure 7.
#[test]
fn rfc8853_example() {
    check(&Case {
        text: include_str!("../../sdp/rfc8853.sdp"),
        untyped: &["depend"],
        reads: |description| {
            let [_, bar, zen] = description.media.as_slice() else { panic!("three streams") };
            let rid = bar.get::<Rid>().unwrap();
            assert_eq!(
                (rid.formats.as_slice(), rid.number("max-fps"), rid.restriction("depend")),
                (&["100".into()][..], Some(60), Some("2"))
            );
            let simulcast = bar.get::<Simulcast>().unwrap();
            let last = &simulcast.send[2];
            assert_eq!((&*last[0].rid, last[0].paused, &*last[1].rid, last[1].paused), ("4", true, "3", false));
            assert!(zen.get::<RtcpFeedback>().unwrap().is("ccm", Some("pause nowait")));
            assert_eq!(zen.parameters(104).unwrap().number("rtx-time"), Some(200));
        },
        change: |description| {
            let mut simulcast = description.media[2].get::<Simulcast>().unwrap();
            simulcast.send[1][0].paused = false;
            description.media[2].set(&simulcast);
        },
        line: ("a=simulcast:send 1;~3;~2", "a=simulcast:send 1;3;~2"),
    });
}

/// RFC 9143 §7.2.2, with the blank lines that it prints.
#[test]
fn rfc9143_example() {
    check(&Case {
        text: include_str!("../../sdp/rfc9143.sdp"),
        untyped: &[],
        reads: |description| {
            let bundle = description.get::<Group>().unwrap();
            let [audio, video] = description.media.as_slice() else { panic!("two streams") };
            assert!([audio, video].into_iter().all(|media| bundle.has(&media.get::<Mid>().unwrap().0)));
            assert!(video.has::<BundleOnly>() && !audio.has::<BundleOnly>());
        },
        change: |description| description.add(&ExtmapAllowMixed),
        line: ("a=group:BUNDLE foo bar", "a=group:BUNDLE foo bar\r\na=extmap-allow-mixed"),
    });
}

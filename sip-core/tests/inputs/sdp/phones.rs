//! Offers of phones.

use std::time::Duration;

use blether_sip_core::sdp::attribute::*;
use blether_sip_core::sdp::{Bandwidth, Direction};

use super::{Case, check};

#[test]
fn linphone() {
    check(&Case {
        text: include_str!("../../sdp/linphone.sdp"),
        untyped: &["record", "rtcp-xr"],
        reads: |description| {
            assert_eq!(description.bandwidth("AS").unwrap().bits_per_second(), Some(380_000));
            let [audio, video] = description.media.as_slice() else { panic!("two streams") };
            assert_eq!(description.get_for::<IceUfrag>(audio), Some(IceUfrag("3e0f2a9c".into())));
            let crypto: Vec<Crypto> = audio.all().collect();
            assert_eq!((&*crypto[0].suite, &*crypto[1].suite), ("AES_CM_128_HMAC_SHA1_80", "AES_256_CM_HMAC_SHA1_80"));
            assert_eq!(crypto[1].keys[0].srtp().unwrap().key_and_salt.len(), 46);
            assert_eq!(audio.get::<Rtcp>().unwrap().port, 7077);
            assert_eq!(audio.all::<Candidate>().last().unwrap().related_address.as_deref(), Some("192.0.2.10"));
            assert!(audio.all::<RtcpFeedback>().any(|feedback| feedback.is("trr-int", Some("1000"))));
            assert_eq!(video.parameters(98).unwrap().value("profile-level-id"), Some("42801F"));
            assert_eq!(video.get::<Content>().unwrap().0, ["main"]);
        },
        change: |description| description.media[1].set(&Content(vec!["slides".into()])),
        line: ("a=content:main", "a=content:slides"),
    });
}

#[test]
fn baresip() {
    check(&Case {
        text: include_str!("../../sdp/baresip.sdp"),
        untyped: &["minptime"],
        reads: |description| {
            assert!(description.has::<IceLite>());
            assert_eq!(description.get::<Tool>(), Some(Tool("baresip 3.0.0".into())));
            let audio = &description.media[0];
            assert_eq!(audio.get::<Ssrc>().unwrap().cname(), Some("sip:bob@example.com"));
            let crypto = audio.get::<Crypto>().unwrap();
            assert_eq!((&*crypto.suite, &*crypto.session_params[0]), ("AEAD_AES_128_GCM", "UNENCRYPTED_SRTCP"));
            assert_eq!(audio.get::<MaxPtime>(), Some(MaxPtime(Duration::from_millis(60))));
            assert_eq!(audio.get::<Label>(), Some(Label("1".into())));
        },
        change: |description| description.media[0].set_bandwidth(&Bandwidth { kind: "TIAS".into(), value: 64_000 }),
        line: ("b=AS:125", "b=AS:125\r\nb=TIAS:64000"),
    });
}

#[test]
fn yealink() {
    check(&Case {
        text: include_str!("../../sdp/yealink.sdp"),
        untyped: &[],
        reads: |description| {
            let audio = &description.media[0];
            assert_eq!(audio.parameters(18).unwrap().value("annexb"), Some("no"));
            assert_eq!((audio.direction(), audio.ptime()), (Direction::SendOnly, Some(Duration::from_millis(20))));
        },
        change: |description| description.media[0].set_direction(Direction::SendRecv),
        line: ("a=sendonly", "a=sendrecv"),
    });
}

#[test]
fn cisco() {
    check(&Case {
        text: include_str!("../../sdp/cisco.sdp"),
        untyped: &[],
        reads: |description| {
            let [audio, video] = description.media.as_slice() else { panic!("two streams") };
            assert_eq!(audio.bandwidth("TIAS").unwrap().bits_per_second(), Some(64_000));
            assert_eq!(audio.parameters(114).unwrap().number("maxaveragebitrate"), Some(64_000));
            assert_eq!(audio.parameters(116).unwrap().number("mode"), Some(20));
            assert!(video.get::<ImageAttr>().unwrap().0.starts_with("* recv"));
            assert!(video.all::<RtcpFeedback>().all(|feedback| feedback.applies_to(97)));
        },
        change: |description| {
            description.remove_bandwidth("as");
        },
        line: ("b=AS:4064", ""),
    });
}

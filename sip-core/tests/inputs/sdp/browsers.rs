//! Offers of browsers.

use blether_sip_core::sdp::Direction;
use blether_sip_core::sdp::attribute::*;

use super::{Case, check};

#[test]
fn chrome() {
    check(&Case {
        text: include_str!("../../sdp/chrome.sdp"),
        untyped: &[],
        reads: |description| {
            let bundle = description.get::<Group>().unwrap();
            assert!(bundle.is("BUNDLE") && bundle.mids == ["0", "1", "2"]);
            assert!(description.has::<ExtmapAllowMixed>());
            assert_eq!(&*description.get::<MsidSemantic>().unwrap().semantic, "WMS");
            let [audio, video, data] = description.media.as_slice() else { panic!("three streams") };

            let candidates: Vec<Candidate> = audio.all().collect();
            assert!(candidates[0].socket_address().is_none() && candidates[0].address.ends_with(".local"));
            assert_eq!((candidates[1].tcp_type(), candidates[1].port), (Some("active"), 9));
            assert_eq!(candidates[2].socket_address(), audio.rtp_address());
            assert_eq!((candidates[2].related_port, candidates[2].extension("network-cost")), (Some(0), Some("10")));
            assert_eq!(audio.get::<IcePwd>().unwrap().0.len(), 24);
            assert!(audio.get::<IceOptions>().unwrap().has("trickle"));
            let fingerprint = audio.get::<Fingerprint>().unwrap();
            assert!(fingerprint.is_of("SHA-256") && fingerprint.digest.len() == 32);
            assert_eq!(audio.get::<Setup>(), Some(Setup::ActPass));
            assert!(audio.get::<Rtcp>().unwrap().connection.unwrap().is_unspecified());
            assert!(audio.has::<RtcpMux>() && audio.has::<RtcpRsize>() && !audio.has::<RtcpMuxOnly>());
            assert_eq!(audio.parameters(111).unwrap().number("useinbandfec"), Some(1));
            assert_eq!(audio.parameters(63).unwrap().parameters, "111/111");
            assert_eq!(audio.all::<PayloadMap>().count(), 8);
            assert_eq!(audio.get::<Ssrc>().unwrap().cname(), Some("4TOk42mSjXCkVIa6"));
            assert_eq!(audio.all::<Extmap>().map(|extension| extension.id).collect::<Vec<_>>(), [1, 2, 3, 4]);

            assert_eq!(video.direction(), Direction::SendOnly);
            let feedback = video.all::<RtcpFeedback>().filter(|feedback| feedback.applies_to(96));
            assert_eq!(
                feedback.map(|feedback| feedback.kind).collect::<Vec<_>>(),
                ["goog-remb", "transport-cc", "ccm", "nack", "nack"]
            );
            assert_eq!(video.parameters(104).unwrap().number("apt"), Some(103));
            assert_eq!(video.get::<Simulcast>().unwrap().send.len(), video.all::<Rid>().count());

            assert_eq!((data.get(), data.get()), (Some(SctpPort(5000)), Some(MaxMessageSize(262_144))));
        },
        change: |description| description.media[0].set(&Setup::Passive),
        line: ("a=setup:actpass", "a=setup:passive"),
    });
}

#[test]
fn firefox() {
    check(&Case {
        text: include_str!("../../sdp/firefox.sdp"),
        untyped: &[],
        reads: |description| {
            assert_eq!(description.origin.session_id, 5_741_330_873_264_297_283);
            let [audio, video] = description.media.as_slice() else { panic!("two streams") };
            assert!(audio.get::<Fingerprint>().is_none());
            assert_eq!(description.get_for::<Fingerprint>(audio), description.get());
            assert_eq!(description.get::<MsidSemantic>().unwrap().streams, ["*"]);
            assert!(audio.has::<EndOfCandidates>());
            assert_eq!(audio.all::<Candidate>().map(|candidate| candidate.component).collect::<Vec<_>>(), [1, 1, 2]);
            let csrc = audio.all::<Extmap>().nth(1).unwrap();
            assert_eq!((csrc.id, csrc.direction), (2, Some(Direction::RecvOnly)));
            assert_eq!(audio.rtpmap(9).unwrap().to_string(), "G722/8000");
            assert!(audio.parameters(101).unwrap().telephone_events().unwrap().contains(15));
            assert!(audio.get::<Msid>().unwrap().track.unwrap().starts_with('{'));
            assert!(video.has::<BundleOnly>() && video.port == 0);
            assert_eq!(video.get::<SsrcGroup>().unwrap().ids, [1001, 1002]);
            assert_eq!(video.parameters(120).unwrap().number("max-fs"), Some(12_288));
        },
        change: |description| {
            let mut opus = description.media[0].parameters(109).unwrap();
            opus.set("stereo", Some("0"));
            assert!(description.media[0].replace(&opus, |fmtp: &Fmtp| fmtp.format == opus.format));
            assert!(!description.media[0].replace(&opus, |fmtp: &Fmtp| fmtp.format == *"110"));
        },
        line: (
            "a=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1",
            "a=fmtp:109 maxplaybackrate=48000;stereo=0;useinbandfec=1",
        ),
    });
}

#[test]
fn safari() {
    check(&Case {
        text: include_str!("../../sdp/safari.sdp"),
        untyped: &[],
        reads: |description| {
            let audio = &description.media[0];
            assert_eq!(audio.get::<Mid>(), Some(Mid("audio".into())));
            assert!(audio.get::<IceOptions>().unwrap().has("renomination"));
            assert!(audio.get::<Candidate>().unwrap().socket_address().unwrap().is_ipv6());
            assert!(audio.connection().unwrap().is_unspecified() && audio.get::<Setup>() == Some(Setup::Active));
            assert_eq!(audio.direction(), Direction::RecvOnly);
        },
        change: |description| {
            assert_eq!(description.media[0].retain(|candidate: &Candidate| candidate.kind != *"host"), 1);
        },
        line: (
            "a=candidate:2999745851 1 udp 2113937151 2001:db8:8101:3a55:4858:a2a9:22ff:99b9 55400 typ host generation 0 ufrag 7sFv network-cost 999",
            "",
        ),
    });
}

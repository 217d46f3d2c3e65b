//! Offers of PBXs, fax gateways and conference servers.

use blether_sip_core::sdp::attribute::*;

use super::{Case, check};

#[test]
fn asterisk_with_srtp() {
    check(&Case {
        text: include_str!("../../sdp/asterisk.sdp"),
        untyped: &[],
        reads: |description| {
            let [audio, text] = description.media.as_slice() else { panic!("two streams") };
            assert_eq!(audio.all::<Crypto>().map(|crypto| crypto.tag).collect::<Vec<_>>(), [1, 2]);
            assert_eq!(audio.get::<Crypto>().unwrap().keys[0].srtp().unwrap().key_and_salt.len(), 30);
            assert!(audio.get::<SilenceSupp>().unwrap().is_off());
            assert_eq!(audio.parameters(97).unwrap().number("mode"), Some(30));
            assert_eq!(text.rtpmap(98).unwrap().to_string(), "red/1000");
        },
        change: |description| description.media[0].add(&RtcpMux),
        line: ("a=maxptime:140\r\na=sendrecv", "a=maxptime:140\r\na=sendrecv\r\na=rtcp-mux"),
    });
}

#[test]
fn t38_of_asterisk() {
    check(&Case {
        text: include_str!("../../sdp/t38-asterisk.sdp"),
        untyped: &[],
        reads: |description| {
            let fax = &description.media[0];
            assert_eq!((fax.get(), fax.get()), (Some(T38FaxVersion(0)), Some(T38MaxBitRate(14_400))));
            assert_eq!(fax.get(), Some(T38FaxFillBitRemoval(true)));
            assert_eq!((fax.get(), fax.has::<T38FaxTranscodingJbig>()), (Some(T38FaxTranscodingMmr(true)), false));
            assert_eq!(fax.get(), Some(T38FaxRateManagement::TransferredTcf));
            assert_eq!((fax.get(), fax.get()), (Some(T38FaxMaxDatagram(397)), Some(T38FaxUdpEc::Redundancy)));
        },
        change: |description| description.media[0].set(&T38FaxUdpEc::Fec),
        line: ("a=T38FaxUdpEC:t38UDPRedundancy", "a=T38FaxUdpEC:t38UDPFEC"),
    });
}

#[test]
fn t38_of_a_gateway() {
    check(&Case {
        text: include_str!("../../sdp/t38-gateway.sdp"),
        untyped: &[],
        reads: |description| {
            let [audio, fax] = description.media.as_slice() else { panic!("two streams") };
            assert_eq!(audio.rtp_address(), None);
            assert_eq!((fax.get(), fax.get()), (Some(T38MaxBitRate(14_400)), Some(T38FaxFillBitRemoval(false))));
            assert_eq!((fax.get(), fax.get()), (Some(T38FaxMaxBuffer(200)), Some(T38FaxUdpEc::Fec)));
        },
        change: |description| description.media[1].set(&T38MaxBitRate(9_600)),
        line: ("a=T38maxBitRate:14400", "a=T38MaxBitRate:9600"),
    });
}

#[test]
fn msrp_bfcp_and_data_channels_of_old() {
    check(&Case {
        text: include_str!("../../sdp/msrp-and-setup.sdp"),
        untyped: &["accept-types", "floorctrl", "path"],
        reads: |description| {
            let [chat, floor, data] = description.media.as_slice() else { panic!("three streams") };
            assert_eq!(description.get_for::<Setup>(chat), Some(Setup::ActPass));
            assert_eq!(description.get_for::<Setup>(floor), Some(Setup::Passive));
            assert_eq!(description.get_for(chat), Some(ConnectionReuse::New));
            assert_eq!(description.get_for(floor), Some(ConnectionReuse::Existing));
            assert_eq!(chat.get::<Fingerprint>().unwrap().digest.len(), 20);
            assert_eq!(chat.get::<TlsId>(), Some(TlsId("abc3de65cddef001be82".into())));
            assert_eq!(data.get::<SctpMap>().unwrap().streams, Some(1024));
            assert!(data.has::<IceMismatch>() && data.has::<RtcpMuxOnly>());
            assert_eq!((data.get(), data.get::<RemoteCandidates>().unwrap().0[0].port), (Some(IcePacing(50)), 45_664));
        },
        change: |description| description.set(&ConnectionReuse::Existing),
        line: ("a=connection:new", "a=connection:existing"),
    });
}

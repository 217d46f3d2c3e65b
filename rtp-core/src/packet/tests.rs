use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

const PLAIN: [u8; 16] = [0x80, 0x08, 0x12, 0x34, 0, 0, 0, 160, 0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4];

#[track_caller]
fn check(bytes: &[u8], expected: Result<&[u8], PacketError>) {
    assert_eq!(RtpPacket::parse(bytes).map(|packet| packet.payload()), expected);
}

#[test]
fn a_plain_packet_is_read_field_by_field() {
    let packet = RtpPacket::parse(&PLAIN).unwrap();
    assert_eq!(packet.payload_type(), 8);
    assert!(!packet.marker());
    assert_eq!(packet.sequence(), SequenceNumber(0x1234));
    assert_eq!(packet.timestamp(), RtpTimestamp(160));
    assert_eq!(packet.ssrc(), Ssrc(0xdead_beef));
    assert_eq!(packet.payload(), [1, 2, 3, 4]);
    assert_eq!(packet.extension(), None);
    assert_eq!(packet.csrcs().count(), 0);
    assert_eq!(packet.padding(), 0);
    assert_eq!(packet.as_bytes(), PLAIN);
}

#[test]
fn every_stated_length_is_checked_against_the_datagram() {
    let with = |changes: &[(usize, u8)], len: usize| {
        let mut bytes = PLAIN.to_vec();
        for (at, value) in changes {
            bytes[*at] = *value;
        }
        bytes.resize(len, 0);
        bytes
    };
    check(&[], Err(PacketError::Truncated { len: 0, needed: 12 }));
    check(&PLAIN[..11], Err(PacketError::Truncated { len: 11, needed: 12 }));
    check(&PLAIN[..12], Ok(&[]));
    check(&with(&[(0, 0x00)], 16), Err(PacketError::Version { version: 0 }));
    check(&with(&[(0, 0x40)], 16), Err(PacketError::Version { version: 1 }));
    check(&with(&[(0, 0xc0)], 16), Err(PacketError::Version { version: 3 }));
    // One contributing source fits into the four bytes, two do not.
    check(&with(&[(0, 0x81)], 16), Ok(&[]));
    check(&with(&[(0, 0x82)], 16), Err(PacketError::Truncated { len: 16, needed: 20 }));
    check(&with(&[(0, 0x8f)], 16), Err(PacketError::Truncated { len: 16, needed: 72 }));
    // An extension header of no words, of one word that is missing, and one that is cut off itself.
    check(&with(&[(0, 0x90), (14, 0), (15, 0)], 16), Ok(&[]));
    check(&with(&[(0, 0x90), (14, 0), (15, 1)], 16), Err(PacketError::Truncated { len: 16, needed: 20 }));
    check(&with(&[(0, 0x90)], 14), Err(PacketError::Truncated { len: 14, needed: 16 }));
    check(&with(&[(0, 0x90), (14, 0xff), (15, 0xff)], 16), Err(PacketError::Truncated { len: 16, needed: 262_156 }));
}

#[test]
fn padding_is_cut_off_and_cannot_reach_into_the_header() {
    let padded = |count: u8| {
        let mut bytes = PLAIN;
        bytes[0] |= PADDING_BIT;
        bytes[15] = count;
        bytes
    };
    check(&padded(1), Ok(&[1, 2, 3]));
    check(&padded(4), Ok(&[]));
    check(&padded(0), Err(PacketError::Padding { padding: 0, available: 4 }));
    check(&padded(5), Err(PacketError::Padding { padding: 5, available: 4 }));
    check(&padded(255), Err(PacketError::Padding { padding: 255, available: 4 }));
    let mut nothing_left = PLAIN[..12].to_vec();
    nothing_left[0] |= PADDING_BIT;
    check(&nothing_left, Err(PacketError::Padding { padding: 0, available: 0 }));
}

#[test]
fn a_field_that_does_not_fit_is_refused_and_nothing_is_written() {
    let refuse = |writer: RtpWriter<'_>, error: WriteError| {
        let mut out = Vec::new();
        assert_eq!(writer.write(&mut out), Err(error));
        assert!(out.is_empty());
    };
    let writer = RtpWriter::default();
    let header = RtpHeader { payload_type: 128, ..RtpHeader::default() };
    refuse(RtpWriter { header, ..writer }, WriteError::PayloadType(128));
    refuse(RtpWriter { csrcs: &[Ssrc(0); 16], ..writer }, WriteError::TooManyCsrcs(16));
    let extension = Some(HeaderExtension { profile: 0, data: &[0; 5] });
    refuse(RtpWriter { extension, ..writer }, WriteError::ExtensionLength(5));
    let data = vec![0; 262_144];
    let extension = Some(HeaderExtension { profile: 0, data: &data });
    refuse(RtpWriter { extension, ..writer }, WriteError::ExtensionLength(262_144));
}

#[test]
fn sender_and_receiver_reports_are_told_from_media() {
    assert!(is_rtcp(&[0x80, 200, 0, 6]));
    assert!(is_rtcp(&[0x81, 201, 0, 7]));
    assert!(!is_rtcp(&PLAIN));
    // PCMU with the marker bit.
    assert!(!is_rtcp(&[0x80, 0x80, 0, 0]));
    assert!(!is_rtcp(&[0x80]));
    // A DTLS record or a STUN message begins otherwise (RFC 7983).
    assert!(!is_rtcp(&[0x16, 200, 0, 0]));
}

fn headers() -> impl Strategy<Value = RtpHeader> {
    (any::<bool>(), 0u8..128, any::<u16>(), any::<u32>(), any::<u32>()).prop_map(
        |(marker, payload_type, sequence, timestamp, ssrc)| RtpHeader {
            marker,
            payload_type,
            sequence: SequenceNumber(sequence),
            timestamp: RtpTimestamp(timestamp),
            ssrc: Ssrc(ssrc),
        },
    )
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes in vec(any::<u8>(), 0..200)) {
        if let Ok(packet) = RtpPacket::parse(&bytes) {
            prop_assert!(packet.payload().len() + packet.padding() + FIXED_HEADER <= bytes.len());
            prop_assert!(packet.csrcs().count() <= 15);
        }
        prop_assert!(!is_rtcp(&bytes) || bytes.len() >= 2);
    }

    #[test]
    fn bytes_that_look_like_rtp_do_not_make_it_panic_either(mut bytes in vec(any::<u8>(), 1..200)) {
        bytes[0] = 0x80 | (bytes[0] & 0x3f);
        if let Ok(packet) = RtpPacket::parse(&bytes) {
            prop_assert_eq!(packet.as_bytes(), &bytes[..]);
        }
    }

    #[test]
    fn what_is_written_is_what_is_read(
        header in headers(),
        csrcs in vec(any::<u32>().prop_map(Ssrc), 0..16),
        extension in proptest::option::of((any::<u16>(), vec(any::<[u8; 4]>(), 0..8))),
        payload in vec(any::<u8>(), 0..200),
        padding: u8,
    ) {
        let extension = extension.map(|(profile, words)| (profile, words.concat()));
        let extension = extension.as_ref().map(|(profile, data)| HeaderExtension { profile: *profile, data });
        let mut bytes = Vec::new();
        RtpWriter { header, csrcs: &csrcs, extension, payload: &payload, padding }.write(&mut bytes).unwrap();
        let packet = RtpPacket::parse(&bytes).unwrap();
        prop_assert_eq!(packet.header(), header);
        prop_assert_eq!(packet.csrcs().collect::<Vec<_>>(), csrcs);
        prop_assert_eq!(packet.extension(), extension);
        prop_assert_eq!(packet.payload(), &payload[..]);
        prop_assert_eq!(packet.padding(), usize::from(padding));
    }

    #[test]
    fn rewriting_changes_the_fixed_header_and_nothing_else(
        before in headers(),
        after in headers(),
        csrcs in vec(any::<u32>().prop_map(Ssrc), 0..4),
        payload in vec(any::<u8>(), 0..50),
    ) {
        let mut bytes = Vec::new();
        RtpWriter { header: before, csrcs: &csrcs, payload: &payload, ..RtpWriter::default() }.write(&mut bytes).unwrap();
        rewrite(&mut bytes, after);
        let packet = RtpPacket::parse(&bytes).unwrap();
        prop_assert_eq!(packet.header(), after);
        prop_assert_eq!(packet.csrcs().collect::<Vec<_>>(), csrcs);
        prop_assert_eq!(packet.payload(), &payload[..]);
    }

    #[test]
    fn rewriting_survives_any_bytes(mut bytes in vec(any::<u8>(), 0..20), header in headers()) {
        rewrite(&mut bytes, header);
    }
}

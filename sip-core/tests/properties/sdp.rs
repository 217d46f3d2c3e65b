//! Session descriptions.

use std::fmt::{Debug, Display};
use std::net::IpAddr;
use std::time::Duration;

use blether_sip_core::sdp::attribute::*;
use blether_sip_core::sdp::{
    Bandwidth, Connection, Direction, MediaDescription, SdpLimits, SessionDescription, TimeDescription,
};

/// A typed attribute: whether it reads those of a name, what to do with a value of it, and with a stream.
pub(crate) struct Kind {
    is_named: fn(&str) -> bool,
    value: fn(&str),
    reads: fn(&str) -> bool,
    read: fn(&MediaDescription),
}

macro_rules! kinds {
    ($($name:ident)*) => {
        &[$(Kind { is_named: $name::is_named, value: value::<$name>, reads: reads::<$name>, read: read::<$name> }),*]
    };
}

/// All of them.
#[rustfmt::skip]
pub(crate) const KINDS: &[Kind] = kinds! {
    BundleOnly Candidate Category Charset ConferenceType ConnectionReuse Content Crypto EndOfCandidates Extmap ExtmapAllowMixed
    Fingerprint Fmtp Framerate Group IceLite IceMismatch IceOptions IcePacing IcePwd IceUfrag ImageAttr Keywords Label Lang
    MaxMessageSize MaxPacketRate MaxPtime Mid Msid MsidSemantic Orient PayloadMap Ptime Quality RemoteCandidates Rid Rtcp
    RtcpFeedback RtcpMux RtcpMuxOnly RtcpRsize SctpMap SctpPort SdpLang Setup SilenceSupp Simulcast SourceFilter Ssrc SsrcGroup
    T38FaxFillBitRemoval T38FaxMaxBuffer T38FaxMaxDatagram T38FaxMaxIfp T38FaxRateManagement T38FaxTranscodingJbig
    T38FaxTranscodingMmr T38FaxUdpEc T38FaxVersion T38MaxBitRate TlsId Tool
};

/// Reads a text as the value of one kind of attribute.
pub(crate) fn attribute(kind: usize, text: &str) {
    (KINDS[kind % KINDS.len()].value)(&text.replace(['\r', '\n', '\0'], " "));
}

/// Whether a value of an attribute of this name can be read; `None` for names that have no type.
pub(crate) fn is_well_formed(name: &str, text: Option<&str>) -> Option<bool> {
    let kind = KINDS.iter().find(|kind| (kind.is_named)(name))?;
    Some((kind.reads)(text.unwrap_or_default()))
}

fn reads<T: SdpAttribute>(text: &str) -> bool {
    T::parse_value(text.into()).is_ok()
}

/// A description that is read is written byte for byte; one that is changed reads again with the change in it.
pub(crate) fn sdp(bytes: &[u8]) {
    let Ok(description) = SessionDescription::parse(bytes) else { return };
    assert_eq!(description.to_string().as_bytes(), bytes, "a description that was not touched");
    let limits = SdpLimits::default();
    assert!(description.media.len() <= limits.max_media);
    assert!(description.media.iter().all(|media| media.formats.len() <= limits.max_formats));
    read_all(&description);
    change(description);
}

fn read_all(description: &SessionDescription) {
    for media in &description.media {
        for payload_type in media.payload_types() {
            // What they say does not matter here, only that they can be asked.
            let _ = (media.rtpmap(payload_type), media.fmtp(payload_type));
            let parameters = media.parameters(payload_type);
            let _ = parameters.map(|fmtp| (fmtp.iter().count(), fmtp.telephone_events(), fmtp.number("x")));
        }
        assert!(media.attributes().all(|attribute| !attribute.name.contains(['\r', '\n', '\0'])));
        assert!(media.ptime().is_none_or(|ptime| ptime > Duration::ZERO));
        assert!(media.rtp_address().is_none_or(|address| address.port() == media.port));
        assert_eq!(media.connections().first(), media.connection().as_ref());
        media.bandwidths().for_each(|bandwidth| reads_again(&bandwidth));
        media.connections().iter().for_each(reads_again);
        media.attributes().for_each(|attribute| typed(attribute.name, attribute.value));
    }
    if let Some(media) = description.media.first() {
        KINDS.iter().for_each(|kind| (kind.read)(media));
    }
    description.attributes().for_each(|attribute| typed(attribute.name, attribute.value));
    description.bandwidths().for_each(|bandwidth| reads_again(&bandwidth));
    reads_again(&description.origin);
    description.times().iter().flat_map(|time| &time.repeats).for_each(reads_again);
    let _ = (description.name(), description.connection(), description.direction(), description.uri());
}

fn reads_again<T: PartialEq + Debug + Display + std::str::FromStr<Err: Debug>>(value: &T) {
    let line = value.to_string();
    let again: T = line.parse().unwrap();
    // Control characters are left out when it is written.
    assert_eq!(again.to_string(), line);
    assert!(format!("{value:?}").contains('\\') || again == *value, "{value:?} was written as {line:?}");
}

fn typed(name: &str, text: Option<&str>) {
    for kind in KINDS.iter().filter(|kind| (kind.is_named)(name)) {
        (kind.value)(text.unwrap_or_default());
    }
}

/// A value that is read is written on one line, which reads as the same and is written the same.
fn value<T: SdpAttribute + PartialEq + Debug + Display>(text: &str) {
    let Ok(read) = T::parse_value(text.into()) else { return };
    let again = made(&read);
    if !text.contains(char::is_control) {
        assert_eq!(again, read, "{text:?} was written as {read}");
    }
    assert!(read.to_string().len() <= 4 * text.len() + 64, "{} bytes became {read}", text.len());
}

/// What is written of a value, as an attribute of a stream, reads again, and is then written the same.
pub(crate) fn made<T: SdpAttribute + Debug + Display>(value: &T) -> T {
    let line = value.to_string();
    assert!(!line.contains(char::is_control), "{value:?} became {line:?}");
    let mut media = MediaDescription::builder("audio", 1, "RTP/AVP").format("0").build().unwrap();
    media.add(value);
    let mut description = SessionDescription::parse("v=0\r\no=- 1 1 IN IP4 a\r\ns=-\r\nt=0 0\r\n").unwrap();
    description.push_media(media);
    let again = SessionDescription::parse(description.to_string()).unwrap();
    let read = again.media[0].read_all::<T>().collect::<Result<Vec<_>, _>>();
    let mut read = read.unwrap_or_else(|error| panic!("{error}: {value:?} became {line:?}"));
    assert_eq!((read.len(), read[0].to_string()), (1, line), "{value:?}");
    read.remove(0)
}

fn read<T: SdpAttribute + PartialEq + Debug>(media: &MediaDescription) {
    let first = media.get::<T>();
    assert_eq!((first.is_some(), &first), (media.has::<T>(), &media.all().next()));
    assert!(media.all::<T>().count() <= media.read_all::<T>().count());
    let Some(first) = first else { return };
    let mut media = media.clone();
    let others = media.attributes().filter(|attribute| !T::is_named(attribute.name)).count();
    media.set(&first);
    assert_eq!((media.read_all::<T>().count(), media.attributes().count()), (1, others + 1));
    assert_eq!((media.remove::<T>(), media.attributes().count()), (1, others));
}

fn change(mut description: SessionDescription) {
    let count = description.media.len();
    let connection = Connection::new(IpAddr::from([192, 0, 2, 7]));
    let times = vec![TimeDescription { start: 3_724_394_400, ..TimeDescription::default() }];
    let most = Bandwidth { kind: "AS".into(), value: 64 };
    description.set_connection(&connection).unwrap();
    description.set_times(&times).unwrap();
    description.set_bandwidth(&most);
    description.set_information(Some("what it is")).unwrap();
    for media in &mut description.media {
        media.port = 4_000;
        media.set_direction(Direction::SendOnly);
        media.set_connection(&connection).unwrap();
        media.set_bandwidth(&most);
        media.set(&Mid("m".into()));
        media.push_attribute("x-pushed", Some("here")).unwrap();
    }
    let line = description.to_string();
    let again = SessionDescription::parse(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
    assert_eq!(again.to_string(), line);
    assert_eq!((again.media.len(), again.connection()), (count, Some(connection.clone())), "{line}");
    assert_eq!((again.times(), again.bandwidth("as")), (times, Some(most.clone())), "{line}");
    assert_eq!(again.information(), Some("what it is"), "{line}");
    for media in &again.media {
        assert_eq!((media.port, media.direction()), (4_000, Direction::SendOnly), "{line}");
        assert_eq!(
            (media.connections(), media.bandwidth("AS")),
            (vec![connection.clone()], Some(most.clone())),
            "{line}"
        );
        assert_eq!(media.all::<Mid>().collect::<Vec<_>>(), [Mid("m".into())], "{line}");
        let mut attributes = media.attributes();
        assert!(attributes.any(|it| (it.name, it.value) == ("x-pushed", Some("here"))), "{line}");
    }
}

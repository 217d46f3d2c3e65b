//! Session descriptions.

use std::net::IpAddr;
use std::time::Duration;

use blether_sip_core::sdp::{Connection, Direction, SdpLimits, SessionDescription};

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
        }
        assert!(media.attributes().all(|attribute| !attribute.name.contains(['\r', '\n', '\0'])));
        assert!(media.ptime().is_none_or(|ptime| ptime > Duration::ZERO));
        assert!(media.rtp_address().is_none_or(|address| address.port() == media.port));
    }
    let _ = (description.name(), description.connection(), description.direction());
}

fn change(mut description: SessionDescription) {
    let count = description.media.len();
    let connection = Connection::new(IpAddr::from([192, 0, 2, 7]));
    description.set_connection(&connection).unwrap();
    for media in &mut description.media {
        media.port = 4_000;
        media.set_direction(Direction::SendOnly);
        media.set_connection(&connection).unwrap();
        media.push_attribute("x-pushed", Some("here")).unwrap();
    }
    let line = description.to_string();
    let again = SessionDescription::parse(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
    assert_eq!(again.to_string(), line);
    assert_eq!((again.media.len(), again.connection()), (count, Some(connection)), "{line}");
    for media in &again.media {
        assert_eq!((media.port, media.direction()), (4_000, Direction::SendOnly), "{line}");
        let mut attributes = media.attributes();
        assert!(attributes.any(|it| (it.name, it.value) == ("x-pushed", Some("here"))), "{line}");
    }
}

//! Fresh descriptions.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::time::Duration;

use super::attribute::{Ptime, SdpAttribute as _};
use super::{Connection, Direction, MediaDescription, Origin, RtpMap, SdpError, SessionDescription};
use crate::ByteStr;

/// Builds a description: `v=`, `o=`, `s=`, `c=`, `t=0 0`, attributes, streams.
///
/// ```
/// use blether_sip_core::sdp::{Connection, Direction, MediaDescription, Origin, SessionDescription};
///
/// let here = "192.0.2.1".parse().unwrap();
/// let audio = MediaDescription::builder("audio", 49170, "RTP/AVP")
///     .rtpmap(0, "PCMU", 8_000, 1)
///     .rtpmap(101, "telephone-event", 8_000, 1)
///     .fmtp(101, "0-16")
///     .direction(Direction::SendRecv)
///     .build()?;
/// let offer = SessionDescription::builder(Origin::new("-", 1, 1, here)).connection(Connection::new(here)).media(audio).build()?;
/// assert!(offer.to_string().ends_with("a=fmtp:101 0-16\r\na=sendrecv\r\n"));
/// # Ok::<(), blether_sip_core::sdp::SdpError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct SessionBuilder {
    origin: Origin,
    name: ByteStr,
    connection: Option<Connection>,
    attributes: Vec<(String, Option<String>)>,
    media: Vec<MediaDescription>,
}

impl SessionBuilder {
    pub(super) fn new(origin: Origin) -> Self {
        Self { origin, name: ByteStr::from("-"), connection: None, attributes: Vec::new(), media: Vec::new() }
    }

    /// The name of the session; `-` if not said.
    pub fn name(mut self, name: &str) -> Self {
        self.name = ByteStr::from(name);
        self
    }

    /// The address for streams that have none of their own.
    pub fn connection(mut self, connection: Connection) -> Self {
        self.connection = Some(connection);
        self
    }

    /// Adds a session attribute.
    pub fn attribute(mut self, name: &str, value: Option<&str>) -> Self {
        self.attributes.push((name.to_owned(), value.map(str::to_owned)));
        self
    }

    /// Adds a stream.
    pub fn media(mut self, media: MediaDescription) -> Self {
        self.media.push(media);
        self
    }

    /// Makes the description.
    ///
    /// # Errors
    /// [`SdpError::Unwritable`]: some text would break its line.
    pub fn build(self) -> Result<SessionDescription, SdpError> {
        if !self.origin.is_writable() {
            return Err(SdpError::Unwritable { key: 'o' });
        }
        if self.name.is_empty() || self.name.contains(['\r', '\n', '\0']) {
            return Err(SdpError::Unwritable { key: 's' });
        }
        let mut description = SessionDescription::fresh(self.origin, &self.name);
        if let Some(connection) = &self.connection {
            description.set_connection(connection)?;
        }
        for (name, value) in &self.attributes {
            description.push_attribute(name, value.as_deref())?;
        }
        for media in self.media {
            description.push_media(media);
        }
        Ok(description)
    }
}

/// Builds one stream. Attributes are written in the order of the calls.
///
/// ```
/// use blether_sip_core::sdp::{MediaDescription, SdpError};
///
/// let video = MediaDescription::builder("video", 51372, "RTP/AVP").rtpmap(99, "h263-1998", 90_000, 1).build()?;
/// assert_eq!(video.formats, ["99"]);
/// let nothing = MediaDescription::builder("video", 51372, "RTP/AVP").build();
/// assert_eq!(nothing, Err(SdpError::Unwritable { key: 'm' }));
/// # Ok::<(), blether_sip_core::sdp::SdpError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct MediaBuilder {
    media: MediaDescription,
    /// The first thing that went wrong, kept so that calls can be chained.
    error: Option<SdpError>,
}

impl MediaBuilder {
    pub(super) fn new(kind: &str, port: u16, protocol: &str) -> Self {
        Self { media: MediaDescription::fresh(kind, port, protocol), error: None }
    }

    /// Adds a format to the `m=` line, unless it is there.
    pub fn format(mut self, format: &str) -> Self {
        if !self.media.formats.iter().any(|known| &**known == format) {
            self.media.formats.push(ByteStr::from(format));
        }
        self
    }

    /// Adds an RTP payload type to the `m=` line and says what it stands for (RFC 8866 §6.6).
    pub fn rtpmap(self, payload_type: u8, encoding: &str, clock_rate: u32, channels: u16) -> Self {
        let map = RtpMap { encoding: ByteStr::from(encoding), clock_rate, channels };
        let value = format!("{payload_type} {map}");
        // What nobody could read is not offered.
        let is_valid = payload_type < 128 && RtpMap::read(&map.to_string()) == Some(map);
        let done = if is_valid { Ok(()) } else { Err(SdpError::Unwritable { key: 'a' }) };
        self.format(&payload_type.to_string()).attribute("rtpmap", Some(&value)).note(done)
    }

    /// Gives the parameters of a payload type (RFC 8866 §6.15). None make no line.
    pub fn fmtp(self, payload_type: u8, parameters: &str) -> Self {
        let parameters = parameters.trim_matches([' ', '\t']);
        match parameters {
            _ if payload_type > 127 => self.note(Err(SdpError::Unwritable { key: 'a' })),
            "" => self,
            parameters => self.attribute("fmtp", Some(&format!("{payload_type} {parameters}"))),
        }
    }

    /// Says how much audio is wanted in one packet, as [`Ptime`] has it.
    pub fn ptime(self, ptime: Duration) -> Self {
        self.attribute(Ptime::NAME, Some(&Ptime(ptime).to_string()))
    }

    /// Says which way media flows.
    pub fn direction(mut self, direction: Direction) -> Self {
        self.media.set_direction(direction);
        self
    }

    /// Gives the stream an address of its own.
    pub fn connection(mut self, connection: &Connection) -> Self {
        let done = self.media.set_connection(connection);
        self.note(done)
    }

    /// Adds an attribute.
    pub fn attribute(mut self, name: &str, value: Option<&str>) -> Self {
        let done = self.media.push_attribute(name, value);
        self.note(done)
    }

    /// Makes the stream.
    ///
    /// # Errors
    /// [`SdpError::Unwritable`]: some text would break its line, an `rtpmap` would not read as one (a payload type over 127, an encoding that is
    /// no token, no clock, no channels), an `fmtp` has such a payload type, an attribute has an empty value, or there is no format.
    pub fn build(self) -> Result<MediaDescription, SdpError> {
        match self.error {
            Some(error) => Err(error),
            None if !self.media.is_writable() => Err(SdpError::Unwritable { key: 'm' }),
            None => Ok(self.media),
        }
    }

    fn note(mut self, done: Result<(), SdpError>) -> Self {
        self.error = self.error.or(done.err());
        self
    }
}
